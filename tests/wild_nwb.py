"""NWB files as labs write them: a bare file to which a test adds what it needs."""

import warnings
from datetime import UTC, datetime

import numpy as np


def wild_nwb(path, *fill, session="day-01"):
    """Write a file of subject Q; each of ``fill`` is called with the open NWBFile and adds to it."""
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    file = NWBFile(
        session_description="made for a test",
        identifier=str(path),
        session_start_time=datetime(2024, 1, 1, 9, tzinfo=UTC),
        session_id=session,
        subject=Subject(subject_id="Q", species="Mus musculus", sex="U", age="P60D"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for add in fill:
            add(file)
        with NWBHDF5IO(path, "w") as io:
            io.write(file)
    return path


def intervals(name="trials", *, start=None, columns=(), module=None):
    """Add a table of intervals of 4 s; ``columns`` are VectorData, or a function of the file that makes them."""
    from hdmf.common import VectorData, VectorIndex
    from pynwb.epoch import TimeIntervals

    def add(file):
        made = columns(file) if callable(columns) else list(columns)
        begins = list(np.arange(4) * 5.0 if start is None else np.asarray(start, dtype=float))
        times = [
            VectorData(name="start_time", description="s", data=begins),
            VectorData(name="stop_time", description="s", data=[time + 4.0 for time in begins]),
        ]
        names = [one.name for one in (*times, *made) if not isinstance(one, VectorIndex)]
        table = TimeIntervals(name=name, description=name, columns=[*times, *made], colnames=names)
        if module:
            file.create_processing_module(name=module, description=module).add(table)
        elif name == "trials":
            file.trials = table
        else:
            file.add_time_intervals(table)

    return add


def column(name, data):
    """A column with one entry per row."""
    from hdmf.common import VectorData

    return VectorData(name=name, description=name, data=data)


def ragged(name, lists):
    """A column of lists, and its index."""
    from hdmf.common import VectorIndex

    target = column(name, [value for entries in lists for value in entries])
    ends = np.cumsum([len(entries) for entries in lists]).tolist()
    return [target, VectorIndex(name=f"{name}_index", data=ends, target=target)]


def series(name, data, *, kind="TimeSeries", where="add_stimulus", **clock):
    """Add a time series to the stimuli."""
    import pynwb

    def add(file):
        kinds = {"AnnotationSeries": pynwb.misc.AnnotationSeries, "IntervalSeries": pynwb.misc.IntervalSeries}
        unit = {} if kind in kinds else {"unit": "n.a."}
        one = kinds.get(kind, pynwb.TimeSeries)(name=name, data=data, description=name, **unit, **clock)
        getattr(file, where)(one)

    return add


def planes(*parts, columns=(), container="DfOverF"):
    """Add one RoiResponseSeries per part: dict with ``name``, ``data`` and a clock, and perhaps ``plane``, ``rois``."""
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel

    def add(file):
        device = file.create_device(name="microscope")
        module = file.create_processing_module("ophys", "calcium imaging")
        segmentation, holder = ImageSegmentation(), {"DfOverF": DfOverF, "Fluorescence": Fluorescence}[container]()
        module.add(segmentation)
        module.add(holder)
        tables = {}
        for part in parts:
            part = dict(part)
            name, data = part.pop("name"), np.asarray(part.pop("data"), dtype=float)
            plane, n_rois = part.pop("plane", name), part.pop("in_table", data.shape[1])
            if plane not in tables:
                channel = OpticalChannel(name="channel", description="green", emission_lambda=520.0)
                imaged = file.create_imaging_plane(
                    name=f"imaged_{plane}", description="plane", device=device, indicator="GCaMP6f",
                    optical_channel=channel, excitation_lambda=920.0, location=part.pop("location", "PIR"),
                )  # fmt: skip
                tables[plane] = segmentation.create_plane_segmentation(
                    name=f"rois_{plane}", description="regions", imaging_plane=imaged
                )
                for row in range(n_rois):
                    tables[plane].add_roi(pixel_mask=[(row, 0, 1.0)], id=100 + row)
                for key, values in dict(columns).items():
                    tables[plane].add_column(name=key, description=key, data=list(values)[:n_rois])
            rows = part.pop("rows", list(range(data.shape[1])))
            region = tables[plane].create_roi_table_region(region=rows, description="all")
            holder.create_roi_response_series(name=name, data=data, unit="n.a.", rois=region, **part)

    return add


def electrodes(*places, groups=None, columns=()):
    """Add one electrode for each place, in one group per name in ``groups``."""

    def add(file):
        probe = file.create_device(name="probe")
        made = {}
        for key in dict(columns):
            file.add_electrode_column(name=key, description=key)
        for row, place in enumerate(places):
            name = "shank" if groups is None else groups[row]
            if name not in made:
                made[name] = file.create_electrode_group(
                    name=name, description=name, location=f"{name} area", device=probe
                )
            file.add_electrode(
                location=place, group=made[name], **{key: values[row] for key, values in dict(columns).items()}
            )

    return add


def units(spikes, **columns):
    """Add units with columns of one value (or list) per unit; ``electrodes``, ``obs_intervals``, ``id`` as in pynwb."""

    def add(file):
        built_in = ("electrodes", "obs_intervals", "id", "electrode_group")
        for name in columns:
            if name not in built_in:
                file.add_unit_column(name=name, description=name)
        for row, times in enumerate(spikes):
            own = {name: values[row] for name, values in columns.items()}
            if "electrode_group" in own:
                own["electrode_group"] = file.electrode_groups[own["electrode_group"]]
            file.add_unit(spike_times=times, **own)

    return add
