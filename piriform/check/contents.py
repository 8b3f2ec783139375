"""What does one file hold, before its activity is read: interval tables, units, and when it was recorded?"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform import config
from piriform.errors import StudyError
from piriform.nwb.activity import holds_dff, one_series, roi_series
from piriform.nwb.columns import column_values, no_column
from piriform.nwb.files import nwb_file
from piriform.nwb.trials import interval_tables


@dataclass(frozen=True)
class Recorded:
    """Units or ROIs of one file, and when they were recorded.

    Attributes
    ----------
    kind : "units" or "roi"
    n_units : units or ROIs in the file, before any is left out
    start, stop : first and last moment that was recorded, s; NaN where nothing says so
    known_from : what says so: "obs_intervals", "last spike", "frames", or ""
    frame : time from one frame to the next, s; NaN for spikes
    columns : columns of the table of units or ROIs
    dff : whether it is a series of dF/F
    """

    kind: str
    n_units: int
    start: float = np.nan
    stop: float = np.nan
    known_from: str = ""
    frame: float = np.nan
    columns: tuple[str, ...] = ()
    dff: bool = False


@dataclass(frozen=True)
class Contents:
    """Interval tables of one file by name, and its units and series of ROIs by name ("units" for spikes).

    ``unread`` lists, by table, the columns that do not hold one text or number per row.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    unread: Mapping[str, list[str]] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)


def read_contents(path: str | Path) -> Contents:
    """Read the interval tables of a file and the numbers of its units; of a spike train, the last spike alone.

    Raises
    ------
    StudyError
        If the file is damaged or not NWB 2.
    """
    tables, unread = {}, {}
    with nwb_file(path) as file:
        for name, table in interval_tables(file).items():
            if name == "invalid_times":
                continue
            tables[name], unread[name] = _columns(table, f"{path}: table {name!r}")
        recorded = {name: _imaged(one) for name, one in roi_series(file).items()}
        if file.units is not None and "spike_times" in file.units.colnames:
            recorded["units"] = _spiking(file.units)
    return Contents(tables, unread, recorded)


def chosen(contents: Contents, response: config.Response, where: str) -> Recorded:
    """Return what the config takes of what was recorded: units, or one series of ROIs.

    Raises
    ------
    StudyError
        If the file has no such thing, several, no column of tracked ids, or frames further apart than bins.
    """
    series = {name: one for name, one in contents.recorded.items() if one.kind == "roi"}
    if response.kind != "roi" and "units" in contents.recorded:
        one = contents.recorded["units"]
    elif response.kind != "units" and series:
        one = series[one_series({name: one.dff for name, one in series.items()}, response.roi_series, where)]
    else:
        raise StudyError(
            f"{where}: no units with spike_times or RoiResponseSeries that response.kind {response.kind!r} takes"
        )
    if response.tracked_id and response.tracked_id not in one.columns:
        raise StudyError(no_column(f"{where}: {one.kind}", "response.tracked_id", response.tracked_id, one.columns))
    if one.frame > response.bin * (1 + 1e-6):
        raise StudyError(
            f"{where}: frames are {one.frame:g} s apart, further than bins of {response.bin:g} s; "
            f"set response.bin to at least {one.frame:g}"
        )
    return one


def _columns(table: Any, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The columns with one text or number per row, and the names of the others."""
    found, others = {}, []
    for name in table.colnames:
        try:
            flat = len(getattr(table[name].data, "shape", (0,))) == 1
            values = column_values(table, name, where) if flat else None
        except StudyError:
            values = None
        if values is not None and all(isinstance(value, str | int | float | bool | np.generic) for value in values):
            found[name] = values
        else:
            others.append(name)
    return pd.DataFrame(found), others


def _spiking(units: Any) -> Recorded:
    n_units, columns = len(units.id), tuple(units.colnames)
    if "obs_intervals" in columns:
        times = np.asarray(units["obs_intervals"].target.data[:], dtype=float).ravel()
        known_from = "obs_intervals"
    else:
        index = units["spike_times"]
        ends = np.asarray(index.data[:], dtype=np.int64)
        last = np.unique(ends[np.diff(ends, prepend=0) > 0]) - 1
        times = np.array([0.0, *np.asarray(index.target.data[last], dtype=float)]) if len(last) else np.empty(0)
        known_from = "last spike"
    times = times[np.isfinite(times)]
    if not len(times):
        return Recorded("units", n_units, columns=columns)
    return Recorded("units", n_units, float(times.min()), float(times.max()), known_from, columns=columns)


def _imaged(series: Any) -> Recorded:
    n_times = len(series.data)
    one = Recorded("roi", len(series.rois.data), columns=tuple(series.rois.table.colnames), dff=holds_dff(series))
    if series.timestamps is None:
        frame, start = 1 / float(series.rate), float(series.starting_time or 0.0)
        return replace(one, start=start, stop=start + n_times * frame, known_from="frames", frame=frame)
    times = np.asarray(series.timestamps[:], dtype=float)
    if len(times) < 2:
        return one
    frame = float(np.median(np.diff(times)))
    return replace(one, start=float(times[0]), stop=float(times[-1]) + frame, known_from="frames", frame=frame)
