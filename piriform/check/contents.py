"""What does one file hold, before its activity is read: trials, interval tables, units, and when it was recorded?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from piriform import config
from piriform.config import Config
from piriform.errors import PiriformError, StudyError
from piriform.nwb.activity import has_spikes, holds_dff, kind_of
from piriform.nwb.columns import column_values, has_column, no_column, ragged_index
from piriform.nwb.files import nwb_file
from piriform.nwb.rois import check_planes, check_shape, chosen_series, roi_series, rois_passing, time_offsets
from piriform.nwb.sources import interval_tables, stimulus_series, trial_sources
from piriform.nwb.stimuli import stimulus_trials
from piriform.nwb.trials import side_of, trials_of, wanted_columns
from piriform.nwb.units import units_passing

T = TypeVar("T")


@dataclass(frozen=True)
class Recorded:
    """Units or ROIs of one file, and when they were recorded.

    Attributes
    ----------
    kind : "units" or "roi"
    n_units : units or ROIs in the file; of those that a run would take, how many pass the filter
    start, stop : first and last moment that was recorded, s; NaN where nothing says so
    known_from : what says so: "obs_intervals", "last spike", "frames", or ""
    frame : time from one frame to the next, s; NaN for spikes
    dff : whether it is a series of dF/F
    plane : name of the table of ROIs that a series is of
    """

    kind: str
    n_units: int
    start: float = np.nan
    stop: float = np.nan
    known_from: str = ""
    frame: float = np.nan
    dff: bool = False
    plane: str = ""


@dataclass(frozen=True)
class Contents:
    """What one file holds, and what of it the config takes.

    Attributes
    ----------
    tables : interval tables by name; ``unread`` their columns that do not hold one text or number per row
    series : events of the stimulus series by name; only of a file without interval tables
    recorded : units ("units") and series of ROIs by name
    columns : columns of the tables or series that the config names
    lacking : keys of the config that name a column which is not among them
    trials : the trials that a run would read, or why it could not
    taken : the units or ROIs that a run would take, or why it could not
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    unread: Mapping[str, list[str]] = field(default_factory=dict)
    series: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    trials: pd.DataFrame | PiriformError | None = None
    taken: Recorded | PiriformError | None = None


def read_contents(path: str | Path, settings: Config) -> Contents:
    """Read the interval tables of a file and the numbers of its units; of a spike train, the last spike alone.

    Only a filter that uses ``firing_rate`` reads whole spike trains.

    Raises
    ------
    StudyError
        If the file is damaged or not NWB 2.
    """
    tables, unread = {}, {}
    with nwb_file(path) as file:
        for name, table in interval_tables(file).items():
            if name == "invalid_times" or "start_time" not in table.colnames:
                continue
            tables[name], unread[name] = _columns(table, f"{path}: table {name!r}")
        rois = roi_series(file)
        recorded = {name: _imaged(one) for name, one in rois.items()}
        if has_spikes(file):
            spiking = _told(lambda: _spiking(file.units))
            recorded["units"] = Recorded("units", len(file.units.id)) if isinstance(spiking, PiriformError) else spiking
        series = {} if any(map(len, tables.values())) else _stimuli(file, path)
        columns, lacking = _named_columns(file, path, settings)
        trials = _told(lambda: trials_of(file, path, settings.trials, phase=settings.phases.column))
        taken = _told(lambda: _taken(file, rois, recorded, settings.response, path))
    return Contents(tables, unread, series, recorded, columns, lacking, trials, taken)


def known(part: T | PiriformError | None) -> T:
    """Return a part of the contents; raise what is wrong with it."""
    if isinstance(part, PiriformError):
        raise part
    if part is None:
        raise StudyError("the file was not read")
    return part


def _told(read: Callable[[], T]) -> T | PiriformError:
    """What could be read, or why not."""
    try:
        return read()
    except PiriformError as error:
        return error


def _stimuli(file: Any, path: str | Path) -> dict[str, pd.DataFrame]:
    """The events of the series among the stimuli that can be read as labels."""
    shown = {id(one) for one in (file.stimulus or {}).values()}
    found = {}
    for name, one in stimulus_series(file).items():
        if id(one) in shown:
            found[name] = _told(partial(stimulus_trials, one, f"{path}: {name}", events="changes"))
    return {name: events for name, events in found.items() if isinstance(events, pd.DataFrame) and len(events)}


def _named_columns(file: Any, path: str | Path, settings: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns that all tables or series of the trials have, and the keys of the config that name another one."""
    wanted = wanted_columns(settings.trials, phase=settings.phases.column)
    sources = _told(lambda: trial_sources(file, path, settings.trials))
    if isinstance(sources, PiriformError):
        return (), tuple(wanted)
    side = _told(lambda: side_of(path, settings.trials.extra))
    beside = list(side) if isinstance(side, pd.DataFrame) else []
    shared = [name for name in sources[0].columns if all(name in source.columns for source in sources)]
    has = {key: name in beside or all(source.has(name) for source in sources) for key, name in wanted.items()}
    return tuple(shared), tuple(key for key, there in has.items() if not there)


def _taken(
    file: Any, rois: Mapping[str, Any], recorded: Mapping[str, Recorded], response: config.Response, path: str | Path
) -> Recorded:
    """What the config takes of what was recorded: units, or series of ROIs."""
    if kind_of("units" in recorded, bool(rois), response, path) == "units":
        where = f"{path}: units"
        ragged_index(file.units, "spike_times", where)
        _check_tracked(file.units, response, where)
        return replace(recorded["units"], n_units=int(units_passing(file.units, response.filter, where).sum()))
    keys = chosen_series(
        {key: one.dff for key, one in recorded.items() if one.kind == "roi"}, response.roi_series, path
    )
    check_planes({key: rois[key] for key in keys}, path)
    n_units = 0
    for key in keys:
        where = f"{path}: {rois[key].name}"
        check_shape(rois[key], where)
        _check_tracked(rois[key].rois.table, response, where)
        time_offsets(rois[key], response.time_offset, np.array([0.0, recorded[key].frame]), where)
        n_units += int(rois_passing(rois[key], response.filter, where).sum())
    return replace(_joined([recorded[key] for key in keys], response, path), n_units=n_units)


def _joined(planes: list[Recorded], response: config.Response, path: str | Path) -> Recorded:
    """All planes as one: recorded while all of them were."""
    for plane in planes:
        if plane.frame > response.bin * (1 + 1e-6):
            raise StudyError(
                f"{path}: frames are {plane.frame:g} s apart, further than bins of {response.bin:g} s; "
                f"set response.bin to at least {plane.frame:g}"
            )
    start, stop = (np.array([getattr(plane, name) for plane in planes]) for name in ("start", "stop"))
    return replace(planes[0], start=float(start.max()), stop=float(stop.min()))


def _check_tracked(table: Any, response: config.Response, where: str) -> None:
    if response.tracked_id and not has_column(table, response.tracked_id):
        raise StudyError(no_column(where, "response.tracked_id", response.tracked_id, table.colnames))


def _columns(table: Any, where: str) -> tuple[pd.DataFrame, list[str]]:
    """The columns with one text or number per row, and the names of the others."""
    found, others = {}, []
    for name in table.colnames:
        try:
            values = column_values(table, name, where)
        except StudyError:
            values = None
        if values is not None and all(isinstance(value, str | int | float | bool | np.generic) for value in values):
            found[name] = values
        else:
            others.append(name)
    return pd.DataFrame(found), others


def _spiking(units: Any) -> Recorded:
    n_units = len(units.id)
    if "obs_intervals" in units.colnames:
        column = units["obs_intervals"]
        times = np.asarray(getattr(column, "target", column).data[:], dtype=float).ravel()
        known_from = "obs_intervals"
    else:
        index = ragged_index(units, "spike_times", "units")
        ends = np.asarray(index.data[:], dtype=np.int64)
        last = np.unique(ends[np.diff(ends, prepend=0) > 0]) - 1
        times = np.array([0.0, *np.asarray(index.target.data[last], dtype=float)]) if len(last) else np.empty(0)
        known_from = "last spike"
    times = times[np.isfinite(times)]
    if not len(times):
        return Recorded("units", n_units)
    return Recorded("units", n_units, float(times.min()), float(times.max()), known_from)


def _imaged(series: Any) -> Recorded:
    n_times = len(series.data)
    one = Recorded("roi", len(series.rois.data), dff=holds_dff(series), plane=str(series.rois.table.name))
    if series.timestamps is None and not series.rate:
        return one
    if series.timestamps is None:
        frame, start = 1 / float(series.rate), float(series.starting_time or 0.0)
        return replace(one, start=start, stop=start + n_times * frame, known_from="frames", frame=frame)
    times = np.asarray(series.timestamps[:], dtype=float)
    if len(times) < 2:
        return one
    frame = float(np.median(np.diff(times)))
    return replace(one, start=float(times[0]), stop=float(times[-1]) + frame, known_from="frames", frame=frame)
