"""How does a recording become an NWB file? Always as the same bytes: nothing depends on clock or process.

Identifiers derive from names, dates from the recording.
"""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.nwb_writer.recording import TIMES, Origin, Recording
from piriform.provenance import atomic_path

#: Root of all identifiers: uuid5 of a name in this namespace.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:piriform")


def write_recording(recording: Recording, path: str | Path) -> None:
    """Write ``recording`` as a valid NWB file; the same recording gives the same bytes.

    The file appears under ``path`` only when it is complete.
    """
    import h5py
    from pynwb import NWBHDF5IO, get_manager

    file = _file(recording)
    _add_trials(file, recording)
    if recording.spike_times is not None:
        _add_units(file, recording)
    if recording.fluorescence is not None:
        _add_fluorescence(file, recording)
    _add_events(file, recording)
    if recording.origin is not None and recording.origin.files:
        _add_sources(file, recording.origin)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as h5:
        manager = get_manager()
        with NWBHDF5IO(file=h5, mode="w", manager=manager) as io:
            _name_objects(manager.build(file, source=io.source, root=True), recording)
            file.set_modified(False)  # so that write uses what was built
            io.write(file)


def _file(recording: Recording) -> Any:
    from pynwb import NWBFile
    from pynwb.file import Subject

    about = dict(recording.about)
    for name in ("keywords", "experimenter", "related_publications"):
        if isinstance(about.get(name), str):
            about[name] = [about[name]]
    return NWBFile(
        session_description=recording.description,
        identifier=str(uuid.uuid5(NAMESPACE, f"{recording.subject}/{recording.session}")),
        session_start_time=recording.start,
        file_create_date=[recording.start],
        session_id=recording.session,
        was_generated_by=[list(program) for program in recording.origin.software] if recording.origin else None,
        subject=Subject(subject_id=recording.subject, **({"sex": "U", "age": "P0D/"} | dict(recording.animal))),
        **about,
    )


def _add_trials(file: Any, recording: Recording) -> None:
    from pynwb.epoch import TimeIntervals

    columns = list(_columns(recording.trials, TIMES | dict(recording.column_meanings)))
    file.trials = TimeIntervals(name="trials", description="one row per trial", columns=columns)


def _add_units(file: Any, recording: Recording) -> None:
    from hdmf.common import VectorData, VectorIndex
    from pynwb.misc import Units

    spikes = [np.asarray(times, dtype=float) for times in recording.spike_times or ()]
    ends = np.cumsum([len(times) for times in spikes])
    times = VectorData(name="spike_times", description="times of the spikes, s", data=np.concatenate([*spikes, []]))
    columns = [times, VectorIndex(name="spike_times_index", data=ends, target=times)]
    if recording.observed:
        observed = np.concatenate(recording.observed).astype(float)
        intervals = VectorData(name="obs_intervals", description="when the unit was observed, s", data=observed)
        ends = np.cumsum([len(some) for some in recording.observed])
        columns += [intervals, VectorIndex(name="obs_intervals_index", data=ends, target=intervals)]
    columns += _columns(recording.units, recording.unit_meanings)
    file.units = Units(
        name="units",
        description="single units",
        resolution=recording.spike_resolution,
        columns=columns,
        id=np.arange(len(spikes)),
    )


def _add_fluorescence(file: Any, recording: Recording) -> None:
    from pynwb.ophys import DfOverF, ImageSegmentation, RoiResponseSeries

    values = np.asarray(recording.fluorescence)
    module = file.create_processing_module("ophys", "regions of interest and their fluorescence")
    regions = _regions(recording, _imaging_plane(file, recording.imaging), values.shape[1])
    module.add(ImageSegmentation(plane_segmentations=[regions]))
    responses = DfOverF()
    module.add(responses)
    series = RoiResponseSeries(
        name="RoiResponseSeries",
        description="dF/F of each region of interest",
        data=values,
        unit="n.a.",
        rois=regions.create_roi_table_region(region=list(range(values.shape[1])), description="all regions"),
        **_clock(np.asarray(recording.timestamps, dtype=float)),
    )
    responses.add_roi_response_series(series)


def _add_sources(file: Any, origin: Origin) -> None:
    """The source files with their SHA-256, for which NWB has no field of its own."""
    from hdmf.common import DynamicTable, VectorData

    names, digests = (list(column) for column in zip(*origin.files, strict=True))
    columns = [
        VectorData(name="file", description="path of the source file, from the folder converted", data=names),
        VectorData(name="sha256", description="SHA-256 of its bytes", data=digests),
    ]
    description = f"files that were converted; format {origin.converter}"
    file.add_analysis(DynamicTable(name="source_files", description=description, columns=columns))


def _imaging_plane(file: Any, imaging: Mapping[str, Any]) -> Any:
    from pynwb.ophys import OpticalChannel

    channel = OpticalChannel(
        name="channel", description="emission", emission_lambda=float(imaging.get("emission_lambda", np.nan))
    )
    return file.create_imaging_plane(
        name="ImagingPlane",
        description=imaging.get("description", "imaging plane"),
        device=file.create_device(name="microscope", description=imaging.get("device", "two-photon microscope")),
        optical_channel=channel,
        excitation_lambda=float(imaging.get("excitation_lambda", np.nan)),
        indicator=imaging.get("indicator", "unknown"),
        location=imaging.get("location", "unknown"),
        imaging_rate=imaging.get("imaging_rate"),
    )


def _regions(recording: Recording, plane: Any, n_rois: int) -> Any:
    """The ROI table; a region whose mask is not known has one pixel of weight 0."""
    from pynwb.ophys import PlaneSegmentation

    rois = pd.DataFrame(index=range(n_rois)) if recording.rois is None else recording.rois
    known_masks = "pixel_mask" in rois
    description = "regions of interest" if known_masks else "regions of interest; masks are not known (weight 0)"
    regions = PlaneSegmentation(name="PlaneSegmentation", description=description, imaging_plane=plane)
    for row in range(n_rois):
        mask = np.atleast_2d(rois["pixel_mask"].iloc[row]) if known_masks else np.zeros((1, 3))
        regions.add_roi(id=row, pixel_mask=[(int(x), int(y), float(weight)) for x, y, weight in mask])
    for column in _columns(rois.drop(columns="pixel_mask", errors="ignore"), recording.unit_meanings):
        regions.add_column(name=column.name, description=column.description, data=column.data)
    return regions


def _add_events(file: Any, recording: Recording) -> None:
    """Behavioural events, one series each; a kind that did not occur is left out."""
    from pynwb import TimeSeries

    occurred = {name: np.asarray(times, dtype=float) for name, times in recording.events.items() if len(times)}
    if not occurred:
        return
    module = file.create_processing_module("behavior", "times of behavioural events")
    for name, times in occurred.items():
        ones = np.ones(len(times))
        module.add(TimeSeries(name=name, description="1 at each event", data=ones, unit="n.a.", **_clock(times)))


def _clock(times: np.ndarray) -> dict[str, Any]:
    """Start and rate if the times are regular to a nanosecond, as NWB wants it, else the times."""
    steps = np.diff(times)
    if len(times) > 2 and steps[0] > 0 and np.ptp(steps) < 2e-9:
        return {"starting_time": float(times[0]), "rate": float((len(times) - 1) / (times[-1] - times[0]))}
    return {"timestamps": times}


def _columns(table: pd.DataFrame | None, meanings: Mapping[str, str]) -> Iterator[Any]:
    from hdmf.common import VectorData

    for name in [] if table is None else table:
        yield VectorData(name=str(name), description=meanings[name], data=_values(table[name]))  # type: ignore[index]


def _values(column: pd.Series) -> Any:
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_integer_dtype(column):
        return column.to_numpy()
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float)
    return [_text(value) for value in column]


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return "" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)


def _name_objects(builder: Any, recording: Recording, path: str = "") -> None:
    """Replace pynwb's random object ids by ones that derive from the object's path in the file."""
    if "object_id" in builder.attributes:
        name = f"{recording.subject}/{recording.session}:{path or '/'}"
        builder.set_attribute("object_id", str(uuid.uuid5(NAMESPACE, name)))
    for kind in ("groups", "datasets"):
        for name, child in getattr(builder, kind, {}).items():
            _name_objects(child, recording, f"{path}/{name}")
