"""How does a recording made or converted here become an NWB file?

One function, :func:`write_recording`, serves the simulator and every converter. The same
:class:`Recording` always gives the same bytes: identifiers derive from names, dates from the
recording, and nothing depends on the clock or on the process.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import StudyError, known
from piriform.provenance import atomic_path

#: Root of all identifiers: uuid5 of a name in this namespace.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://pypi.org/project/piriform")
ABOUT = (
    *("institution", "lab", "experimenter", "experiment_description", "keywords", "related_publications", "notes"),
    *("protocol", "data_collection", "surgery", "virus", "pharmacology", "stimulus_notes"),
)
ANIMAL = ("species", "sex", "age", "description", "genotype", "strain", "weight", "date_of_birth")
IMAGING = ("device", "description", "location", "indicator", "excitation_lambda", "emission_lambda", "imaging_rate")
TIMES = {
    "start_time": "start of the trial, s from the session's start",
    "stop_time": "end of the trial, s from the session's start",
}


@dataclass(frozen=True, eq=False)
class Recording:
    """One session of one subject: trials, and spike times or fluorescence, or both.

    Attributes
    ----------
    subject, session : str
        Their names; together they identify the recording.
    start : datetime
        Start of the session, with a time zone. All times below are in s from it.
    description : str
        What the session is, in a sentence.
    trials : DataFrame
        ``start_time`` and ``stop_time``, and columns of text, numbers or booleans.
        A missing text is written as "", a missing number as NaN.
    column_meanings : mapping
        What each further column of ``trials`` says.
    spike_times : sequence of (n_spikes,) arrays, optional
        One per unit, ascending, s.
    spike_resolution : float, optional
        Smallest difference between two spike times, s; needed where there are spike times.
    units : DataFrame, optional
        Further columns of the units table, one row per unit; ``unit_meanings`` says what each is.
    obs_intervals : (n_intervals, 2) array, optional
        When the units were observed, s; the same for all of them.
    fluorescence : (n_times, n_rois) array, optional
        dF/F; ``timestamps`` (n_times,) in s.
    rois : DataFrame, optional
        Further columns of the ROI table, one row per ROI; ``unit_meanings`` says what each is.
        A column ``pixel_mask`` holds (n_pixels, 3) arrays of x, y, weight.
    imaging : mapping
        Some of ``IMAGING``: the microscope, the region, the indicator, wavelengths in nm.
    events : mapping
        Times of behavioural events in s, by name, e.g. ``lick_port_1``.
    about, animal : mapping
        Some of ``ABOUT`` and ``ANIMAL``: fields of NWB's file and subject. Sex and age that are
        not known are written as "U" and "P0D/" (any age).

    Raises
    ------
    StudyError
        If a part is missing, lengths disagree, or times are not ascending.
    """

    subject: str
    session: str
    start: datetime
    description: str
    trials: pd.DataFrame
    column_meanings: Mapping[str, str] = field(default_factory=dict)
    spike_times: Sequence[np.ndarray] | None = None
    spike_resolution: float | None = None
    units: pd.DataFrame | None = None
    unit_meanings: Mapping[str, str] = field(default_factory=dict)
    obs_intervals: np.ndarray | None = None
    fluorescence: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    rois: pd.DataFrame | None = None
    imaging: Mapping[str, Any] = field(default_factory=dict)
    events: Mapping[str, np.ndarray] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    animal: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names(self)
        _check_trials(self)
        _check_spikes(self)
        _check_fluorescence(self)
        for name, times in self.events.items():
            _check_ascending(np.asarray(times, dtype=float), f"{self.where}: event {name!r}")

    @property
    def where(self) -> str:
        """Subject and session, for messages."""
        return f"subject {self.subject!r} session {self.session!r}"


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
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as h5:
        manager = get_manager()
        with NWBHDF5IO(file=h5, mode="w", manager=manager) as io:
            _name_objects(manager.build(file, source=io.source, root=True), recording)
            file.set_modified(False)  # so that write uses what was built
            io.write(file)


# Checks ---------------------------------------------------------------------------------------


def _check_names(recording: Recording) -> None:
    for kind in ("subject", "session"):
        name = getattr(recording, kind)
        if not name or "/" in name:
            raise StudyError(f"{recording.where}: the {kind}'s name must be text without '/', got {name!r}")
    if recording.start.tzinfo is None:
        raise StudyError(f"{recording.where}: start {recording.start} has no time zone; give one, e.g. datetime.UTC")
    for kind, names in (("about", ABOUT), ("animal", ANIMAL), ("imaging", IMAGING)):
        for name in getattr(recording, kind):
            known(f"field of {kind}", name, names, StudyError)


def _check_trials(recording: Recording) -> None:
    trials, where = recording.trials, recording.where
    missing = [name for name in TIMES if name not in trials]
    if missing or not len(trials):
        raise StudyError(f"{where}: trials need rows and the columns start_time and stop_time, got {list(trials)}")
    start, stop = (trials[name].to_numpy(dtype=float) for name in TIMES)
    _check_ascending(start, f"{where}: start_time of trials")
    late = np.flatnonzero(~(stop >= start))
    if late.size:
        raise StudyError(f"{where}: trial {late[0]} stops at {stop[late[0]]:g} s, before it starts")
    _check_meanings(trials, TIMES | dict(recording.column_meanings), f"{where}: trials")


def _check_spikes(recording: Recording) -> None:
    where, spikes = recording.where, recording.spike_times
    if spikes is None:
        if recording.units is not None or recording.obs_intervals is not None:
            raise StudyError(f"{where}: units and obs_intervals describe spike_times, which are missing")
        return
    if not recording.spike_resolution or recording.spike_resolution <= 0:
        raise StudyError(
            f"{where}: spike_resolution is {recording.spike_resolution}; give the smallest difference between two "
            "spike times in s, e.g. 1 / 30000"
        )
    _check_rows(recording.units, len(spikes), recording.unit_meanings, f"{where}: units")
    intervals = np.array([[0, np.inf]]) if recording.obs_intervals is None else np.asarray(recording.obs_intervals)
    if intervals.ndim != 2 or intervals.shape[1] != 2:
        raise StudyError(f"{where}: obs_intervals have shape {intervals.shape}, expected (n_intervals, 2)")
    _check_ascending(intervals.ravel()[:-1], f"{where}: obs_intervals")
    for row, times in enumerate(spikes):
        _check_ascending(np.asarray(times, dtype=float), f"{where}: spike_times of unit {row}")
        interval = np.searchsorted(intervals[:, 0], times, side="right") - 1
        outside = (interval < 0) | (times > intervals[interval, 1])
        if outside.any():
            raise StudyError(
                f"{where}: unit {row} fires at {np.asarray(times)[outside][0]:g} s, when it was not observed; "
                "mend obs_intervals or drop those spikes (time 0 is the session's start)"
            )


def _check_fluorescence(recording: Recording) -> None:
    where, values, times = recording.where, recording.fluorescence, recording.timestamps
    if values is None:
        if times is not None or recording.rois is not None:
            raise StudyError(f"{where}: timestamps and rois describe fluorescence, which is missing")
        return
    if times is None or values.ndim != 2 or len(values) != len(times):
        raise StudyError(
            f"{where}: fluorescence has shape {values.shape}, expected (n_times, n_rois) with one timestamp per row, "
            f"got {0 if times is None else len(times)} timestamps"
        )
    _check_ascending(times, f"{where}: timestamps")
    _check_rows(recording.rois, values.shape[1], {"pixel_mask": ""} | dict(recording.unit_meanings), f"{where}: rois")


def _check_ascending(times: np.ndarray, what: str) -> None:
    if times.ndim != 1:
        raise StudyError(f"{what} have shape {times.shape}, expected one dimension")
    if not np.isfinite(times).all():
        raise StudyError(f"{what}: value {np.flatnonzero(~np.isfinite(times))[0]} is {times[~np.isfinite(times)][0]}")
    falls = np.flatnonzero(np.diff(times) < 0)
    if falls.size:
        raise StudyError(f"{what} do not ascend: value {falls[0] + 1} is smaller than the one before; sort them")


def _check_rows(table: pd.DataFrame | None, n_rows: int, meanings: Mapping[str, str], what: str) -> None:
    if table is None:
        return
    if len(table) != n_rows:
        raise StudyError(f"{what}: {len(table)} rows for {n_rows} recorded; give one row each")
    _check_meanings(table, meanings, what)


def _check_meanings(table: pd.DataFrame, meanings: Mapping[str, str], what: str) -> None:
    unexplained = [str(name) for name in table if name not in meanings]
    if unexplained:
        raise StudyError(f"{what}: say in a sentence what column {unexplained[0]!r} means")


# Parts of the file ----------------------------------------------------------------------------


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
    if recording.obs_intervals is not None:
        observed = np.tile(np.asarray(recording.obs_intervals, dtype=float), (len(spikes), 1))
        intervals = VectorData(name="obs_intervals", description="when the unit was observed, s", data=observed)
        ends = len(recording.obs_intervals) * np.arange(1, len(spikes) + 1)
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
    return ["" if pd.isna(value) else value.decode() if isinstance(value, bytes) else str(value) for value in column]


def _name_objects(builder: Any, recording: Recording, path: str = "") -> None:
    """Replace pynwb's random object ids by ones that derive from the object's path in the file."""
    if "object_id" in builder.attributes:
        name = f"{recording.subject}/{recording.session}:{path or '/'}"
        builder.set_attribute("object_id", str(uuid.uuid5(NAMESPACE, name)))
    for kind in ("groups", "datasets"):
        for name, child in getattr(builder, kind, {}).items():
            _name_objects(child, recording, f"{path}/{name}")
