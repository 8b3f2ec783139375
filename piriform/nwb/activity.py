"""Which activity does a file hold: spike times of units, or responses of ROIs?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from piriform import config
from piriform.errors import StudyError
from piriform.nwb.clock import check_seconds
from piriform.nwb.columns import column_values, has_column, no_column, text_of
from piriform.nwb.files import nwb_file
from piriform.nwb.rois import (
    Traces,
    check_planes,
    chosen_series,
    plane_names,
    read_traces,
    roi_rows,
    roi_series,
    rois_passing,
    time_offsets,
)
from piriform.nwb.units import observed_intervals, spike_problem, spike_trains, units_passing

#: Why a unit is left out that the filter does not select.
FILTERED = "does not pass response.filter"


@dataclass(frozen=True)
class Activity:
    """Activity of the usable units of one session.

    Attributes
    ----------
    kind : "units" (spike times) or "roi" (dF/F traces)
    unit_id, tracked_id : (n_units,) text; a tracked id is "" where it is unknown
    spike_times : (n_units,) list of ascending arrays, s; only of kind "units"
    obs_intervals : (n_units,) list of (n_intervals, 2) arrays, s; None where the file has none
    traces : of kind "roi", one part for each clock (plane, or time within the frame); the units of
        all parts in this order are those of ``unit_id``
    excluded : the unit ids left out, by reason
    """

    kind: str
    unit_id: list[str]
    tracked_id: list[str]
    spike_times: list[np.ndarray] = field(default_factory=list)
    obs_intervals: list[np.ndarray] | None = None
    traces: list[Traces] = field(default_factory=list)
    excluded: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def units(self) -> str:
        """Physical unit of the response."""
        return {"units": "spikes/s", "roi": "dF/F"}[self.kind]


def read_activity(path: str | Path, response: config.Response, *, session_end: float = np.inf) -> Activity:
    """Read spike times or ROI responses.

    A unit that does not pass ``response.filter``, or whose spike times are missing, negative or not
    ascending, is left out with the reason.

    Parameters
    ----------
    session_end : end of the last trial, s; tells times that are not in seconds

    Raises
    ------
    StudyError
        If the file has no activity of the wanted kind, its times are not in seconds, or a column that
        the config names is missing.
    """
    with nwb_file(path) as file:
        series = roi_series(file)
        kind = kind_of(has_spikes(file), bool(series), response, path)
        if kind == "units":
            return _spiking(file.units, response, path, session_end)
        keys = chosen_series({key: holds_dff(one) for key, one in series.items()}, response.roi_series, path)
        return _imaged({key: series[key] for key in keys}, response, path, session_end)


def kind_of(has_units: bool, has_rois: bool, response: config.Response, path: str | Path) -> str:
    """Return whether units or ROIs are taken of a file that has spike times, ROI responses, or both.

    Raises
    ------
    StudyError
        If it has neither, or not what ``response.kind`` wants, or ``response.time_offset`` is set for units.
    """
    rois_named = response.kind == "auto" and response.roi_series is not None
    if response.kind != "roi" and has_units and not rois_named:
        if response.time_offset is not None:
            raise StudyError(f"{path}: response.time_offset is for ROIs, and units are taken; set response.kind to roi")
        return "units"
    if response.kind != "units" and has_rois:
        return "roi"
    kind = "roi" if rois_named else response.kind
    wanted = {"units": "units with spike_times", "roi": "RoiResponseSeries"}.get(
        kind, "units with spike_times and no RoiResponseSeries"
    )
    raise StudyError(f"{path}: no {wanted}; nothing to analyse (response.kind is {response.kind!r})")


def has_spikes(file: Any) -> bool:
    """Return whether an open file has units with spike times."""
    return file.units is not None and "spike_times" in file.units.colnames


def holds_dff(series: Any) -> bool:
    """Return whether a series of ROIs holds dF/F."""
    return bool(series.parent.neurodata_type == "DfOverF")


def _spiking(units: Any, response: config.Response, path: str | Path, session_end: float) -> Activity:
    where = f"{path}: units"
    ids, tracked = _labels(units, np.arange(len(units.id)), response.tracked_id, where)
    passes = units_passing(units, response.filter, where)
    spikes, observed = spike_trains(units, where), observed_intervals(units, where)
    problems = [spike_problem(times) for times in spikes]
    last = [times.max() for times, problem in zip(spikes, problems, strict=True) if len(times) and not problem]
    check_seconds(float(np.median(last)) if last else 0.0, session_end, f"{where}: spike_times")
    reasons = [problem if good else FILTERED for problem, good in zip(problems, passes, strict=True)]
    kept = [row for row, reason in enumerate(reasons) if not reason]
    _check_tracked([tracked[row] for row in kept], [ids[row] for row in kept], where)
    return Activity(
        kind="units",
        unit_id=[ids[row] for row in kept],
        tracked_id=[tracked[row] for row in kept],
        spike_times=[spikes[row] for row in kept],
        obs_intervals=None if observed is None else [observed[row] for row in kept],
        excluded=_by_reason(ids, reasons),
    )


def _imaged(series: Mapping[str, Any], response: config.Response, path: str | Path, session_end: float) -> Activity:
    check_planes(series, path)
    ids: list[str] = []
    tracked: list[str] = []
    traces: list[Traces] = []
    excluded: dict[str, list[str]] = {}
    for one, plane in zip(series.values(), plane_names(list(series)), strict=True):
        where = f"{path}: {one.name}"
        names, others = _labels(one.rois.table, roi_rows(one, where), response.tracked_id, where)
        found = read_traces(one, where)
        check_seconds(found.timestamps[-1] if len(found.timestamps) else 0.0, session_end, f"{where}: timestamps")
        offsets = time_offsets(one, response.time_offset, found.timestamps, where)
        reasons = _reasons(found, rois_passing(one, response.filter, where), offsets)
        for offset in np.unique(offsets[reasons == ""]):
            columns = np.flatnonzero((reasons == "") & (offsets == offset))
            traces.append(Traces(found.data[:, columns], found.timestamps + offset))
            ids += [f"{plane}{names[column]}" for column in columns]
            tracked += [plane * bool(others[column]) + others[column] for column in columns]
        for reason, left in _by_reason([f"{plane}{name}" for name in names], reasons).items():
            excluded[reason] = excluded.get(reason, []) + left
    _check_tracked(tracked, ids, str(path))
    return Activity(kind="roi", unit_id=ids, tracked_id=tracked, traces=traces, excluded=excluded)


def _reasons(found: Traces, passes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(n_units,) why each ROI is left out, "" where it is not."""
    recorded = np.isfinite(found.data).any(axis=0)
    known = np.isfinite(offsets)
    why = np.where(known, np.where(recorded, "", "no sample was recorded"), "no time within the frame")
    return np.where(passes, why, FILTERED)


def _labels(table: Any, rows: np.ndarray, column: str | None, where: str) -> tuple[list[str], list[str]]:
    """Ids of the rows of a table of units or ROIs, made unique by the row, and their tracked ids."""
    ids = [str(name) for name in np.asarray(table.id.data[:])[rows]]
    if len(set(ids)) < len(ids):
        ids = [f"{name}@{row}" for name, row in zip(ids, rows, strict=True)]
    if column is None:
        return ids, [""] * len(ids)
    if not has_column(table, column):
        raise StudyError(no_column(where, "response.tracked_id", column, table.colnames))
    return ids, [text_of(value) for value in column_values(table, column, where)[rows]]


def _check_tracked(tracked: Sequence[str], ids: Sequence[str], where: str) -> None:
    """Refuse two units of a session with one tracked id: neither could be followed over days."""
    seen: dict[str, str] = {}
    for name, unit in zip(tracked, ids, strict=True):
        if name and name in seen:
            raise StudyError(
                f"{where}: units {seen[name]} and {unit} have the same tracked id {name!r} (response.tracked_id); "
                "expected one unit, or an empty value for units that are not tracked"
            )
        seen[name] = unit


def _by_reason(ids: Sequence[str], reasons: Sequence[str] | np.ndarray) -> dict[str, list[str]]:
    return {
        str(why): [name for name, reason in zip(ids, reasons, strict=True) if reason == why]
        for why in sorted(set(map(str, reasons)) - {""})
    }
