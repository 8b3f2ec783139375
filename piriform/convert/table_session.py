"""How do the table rows of one session become a recording?

What is refused, and what is mended silently (order of rows) or with a word (time zone, names that NWB does not allow), is decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.convert.source import Progress
from piriform.convert.spool import Key, Spool
from piriform.convert.table_about import described_session, row_number, row_remarks, start_of
from piriform.convert.table_file import numbers
from piriform.errors import StudyError, did_you_mean
from piriform.nwb_writer import Recording

RESERVED = (
    *("id", "tags", "timeseries", "spike_times", "obs_intervals", "electrodes", "electrode_group"),
    *("name", "description", "columns", "colnames", "fields", "parent", "children"),  # attributes of any table
)
LONGEST_TRIAL, LONGEST_SESSION = 1000.0, 2 * 86_400.0  # s; beyond that times are on another clock
APART = 50  # spikes and trials end at times that differ by less than this factor
MANY = 100  # spikes from which on the last one says where the recording ends


@dataclass(frozen=True)
class Parts:
    """What the tables hold of one session.

    Attributes
    ----------
    key : subject and session
    name : what the session is called in messages
    paths : file of each table
    row : its row of the table of sessions
    tables : its rows of ``trials``, ``units`` and ``obs_intervals``, where there are any
    long : ``spikes`` and ``traces`` of all sessions
    meanings : what a column says, by table and column
    """

    key: Key
    name: str
    paths: Mapping[str, Path]
    row: pd.Series
    tables: Mapping[str, pd.DataFrame]
    long: Mapping[str, Spool]
    meanings: Mapping[tuple[str, str], str]


def recording(parts: Parts, progress: Progress) -> Recording:
    """Return the recording of one session.

    Raises
    ------
    StudyError
        If a table holds something that cannot be used; the message names the file, the column and the row.
    """
    sessions = parts.paths["sessions"]
    start, remarks = start_of(parts.row, sessions)
    trials = _trials(parts)
    spikes = _spikes(parts) if "spikes" in parts.long else {}
    traces = _traces(parts) if "traces" in parts.long and parts.key in parts.long["traces"] else {}
    if not len(spikes.get("spike_times", ())) and not traces:
        raise StudyError(f"{parts.name}: has neither units nor traces; add rows to spikes, units or traces")
    _check_clock(trials, spikes.get("spike_times", ()), parts.name)
    columns, meanings, renamed = _described(trials, "trials", parts)
    if len(spikes.get("spike_times", ())):
        units, unit_meanings, more = _described(spikes["units"], "units", parts)
        spikes |= {"units": units, "unit_meanings": unit_meanings}
        remarks += more
    else:
        spikes = {}
    remarks += renamed + row_remarks(parts.row)
    for remark in remarks:
        progress(f"{parts.name}: {remark}")
    fields: dict[str, Any] = (
        {"trials": columns, "column_meanings": meanings}
        | described_session(parts.row, sessions, remarks)
        | traces
        | spikes
    )
    if traces and spikes:
        fields["unit_meanings"] = traces["unit_meanings"] | spikes["unit_meanings"]
    return Recording(subject=parts.key[0], session=parts.key[1], start=start, **fields)


# Trials ---------------------------------------------------------------------------------------


def _trials(parts: Parts) -> pd.DataFrame:
    """Trials in order of their start."""
    path = parts.paths["trials"]
    if "trials" not in parts.tables:
        raise StudyError(f"{parts.name}: no trials; {path.name} has no row of this session")
    table = parts.tables["trials"]
    times = {name: numbers(table[name], path) for name in ("start_time", "stop_time")}
    return table.assign(**times).sort_values("start_time", kind="stable").drop(columns=_IDS, errors="ignore")


_IDS = ["subject", "session"]


def _check_clock(trials: pd.DataFrame, spikes: Sequence[np.ndarray], where: str) -> None:
    """Refuse times that cannot be seconds from the session's start."""
    stop = float(trials["stop_time"].max())
    length = float((trials["stop_time"] - trials["start_time"]).median())
    if stop > LONGEST_SESSION or length > LONGEST_TRIAL:
        raise StudyError(
            f"{where}: the trials last {length:g} s (median) and end at {stop:g} s; are these milliseconds, samples or "
            "the time of day? Give s from the session's start"
        )
    last = max((float(times[-1]) for times in spikes if len(times)), default=0.0)
    if sum(map(len, spikes)) >= MANY and not 1 / APART < last / stop < APART:
        raise StudyError(
            f"{where}: the last spike is at {last:g} s, but the last trial ends at {stop:g} s; are the times of one of them "
            "milliseconds or samples? Give s from the session's start"
        )


# Units and traces -----------------------------------------------------------------------------


def _spikes(parts: Parts) -> dict[str, Any]:
    """Spike times by unit, the units table and when the units were observed."""
    spool = parts.long["spikes"]
    units = _units(parts, list(spool.units.get(parts.key, {})))
    names = units["unit"].tolist()
    times = spool.spike_times(parts.key, names)
    resolution, region = parts.row.get("spike_resolution", np.nan), parts.row.get("region")
    if pd.isna(resolution):
        resolution = _resolution(times)
    else:
        resolution = row_number(parts.row, "spike_resolution", parts.paths["sessions"])
    if pd.notna(region) and "region" not in units:
        units = units.assign(region=str(region))
    observed = _observed(parts, names) if "obs_intervals" in parts.tables else None
    return {"spike_times": times, "spike_resolution": resolution, "units": units, "obs_intervals": observed}


def _units(parts: Parts, firing: list[str]) -> pd.DataFrame:
    """The units table; without one the units that fire, numbers in their order."""
    if "units" not in parts.tables:
        if "units" in parts.paths and firing:
            raise StudyError(f"{parts.name}: {parts.paths['units'].name} has no unit of this session; add them")
        return pd.DataFrame({"unit": sorted(firing, key=_place)}, dtype=object)
    table = parts.tables["units"].drop(columns=_IDS, errors="ignore")
    names = table["unit"].tolist()
    twice = table.index[table["unit"].duplicated()]
    if len(twice):
        raise StudyError(
            f"{parts.paths['units']}: row {twice[0]}: unit {table['unit'][twice[0]]!r} stands twice in {parts.name}"
        )
    strange = [name for name in firing if name not in set(names)]
    if strange:
        raise StudyError(
            f"{parts.paths['spikes']}: spikes of unit {strange[0]!r}{did_you_mean(strange[0], names)}, which "
            f"{parts.paths['units'].name} does not list for {parts.name}; add it there or remove its spikes"
        )
    return table.reset_index(drop=True)


def _place(name: str) -> tuple[bool, int, str]:
    """Numbers in their order, then texts."""
    return (False, int(name), name) if name.isascii() and name.isdigit() else (True, 0, name)


def _resolution(times: Sequence[np.ndarray]) -> float:
    """Smallest time between two spikes of a unit, s: at least what two times can differ by."""
    gaps = [steps[steps > 0].min() for steps in map(np.diff, times) if (steps > 0).any()]
    return float(min(gaps, default=0.001))


def _observed(parts: Parts, units: Sequence[str]) -> np.ndarray | list[np.ndarray]:
    table, path = parts.tables["obs_intervals"], parts.paths["obs_intervals"]
    times = np.stack([numbers(table[name], path) for name in ("start_time", "stop_time")], axis=1)
    in_order = np.argsort(times[:, 0], kind="stable")
    if "unit" not in table:
        return times[in_order]
    names = table["unit"].to_numpy()
    without = [unit for unit in units if unit not in set(names)]
    if without:
        raise StudyError(f"{path}: no interval of unit {without[0]!r} of {parts.name}; give each unit at least one")
    return [times[in_order][names[in_order] == unit] for unit in units]


def _traces(parts: Parts) -> dict[str, Any]:
    """Fluorescence, its times and the ROI table, from one row per frame (wide) or per frame and ROI (long)."""
    spool, path = parts.long["traces"], parts.paths["traces"]
    rows = np.concatenate(list(spool.blocks(parts.key)))
    is_long = set(spool.columns) == {"unit", "time", "value"}
    if is_long:
        names = sorted(spool.units[parts.key], key=_place)
        times, values = _wide(rows, spool, parts.key, names)
    else:
        at = spool.columns.index("time")
        times, values = rows[:, at], np.delete(rows, at, axis=1)
        names = [name for name in spool.columns if name != "time"]
        there = ~np.isnan(values).all(axis=0)
        names, values = [name for name, some in zip(names, there, strict=True) if some], values[:, there]
    in_order = np.argsort(times, kind="stable")
    times, values = times[in_order], values[in_order]
    twice = np.flatnonzero(np.diff(times) == 0)
    if twice.size:
        raise StudyError(f"{path}: the time {times[twice[0]]:g} s stands twice in {parts.name}; a frame has one row")
    meaning = parts.meanings.get(("traces", "unit"), f"name of the region of interest in {path.name}")
    rois = pd.DataFrame({"unit": names}, dtype=object)
    return {"fluorescence": values, "timestamps": times, "rois": rois, "unit_meanings": {"unit": meaning}}


def _wide(rows: np.ndarray, spool: Spool, key: Key, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n_times,) times, ascending, and (n_times, n_rois) values of a long table."""
    unit, time, value = (rows[:, spool.columns.index(name)] for name in ("unit", "time", "value"))
    column_of = np.array([names.index(name) for name in spool.units[key]])
    times, frame = np.unique(time, return_inverse=True)
    values = np.full((len(times), len(names)), np.nan)
    column = column_of[unit.astype(int)]
    places = np.unique(np.stack([frame, column]), axis=1)
    if places.shape[1] < len(rows):
        raise StudyError(
            f"subject {key[0]!r} session {key[1]!r}: traces have two values of a region at one time; remove one"
        )
    values[frame, column] = value
    return times, values


# Columns --------------------------------------------------------------------------------------


def _described(table: pd.DataFrame, name: str, parts: Parts) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """The table with names that NWB allows, what each column says, and a remark for each renamed one."""
    names = {column: _allowed(str(column)) for column in table}
    meanings = {
        new: parts.meanings.get((name, str(old)), f"column {str(old)!r} of the source table")
        for old, new in names.items()
    }
    remarks = [f"column {old!r} of {name} is written as {new!r}" for old, new in names.items() if old != new]
    return table.rename(columns=names), meanings, remarks


def _allowed(name: str) -> str:
    """The name itself, or another where NWB uses it for something else or a path cannot hold it.

    Examples
    --------
    >>> _allowed("odor"), _allowed("id"), _allowed("lick/left")
    ('odor', 'source_id', 'lick_left')
    """
    name = name.replace("/", "_").replace(":", "_")
    return f"source_{name}" if name in RESERVED else name
