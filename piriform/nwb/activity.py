"""Which activity does a file hold: spike times of units, or responses of ROIs?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform import config
from piriform.errors import StudyError
from piriform.nwb.columns import column_values, no_column, ragged_column
from piriform.nwb.files import nwb_file

#: Times this much later than the end of the last trial are not in seconds.
TOO_LATE = 50


@dataclass(frozen=True)
class Activity:
    """Activity of the usable units of one session.

    Attributes
    ----------
    kind : "units" (spike times) or "roi" (dF/F traces)
    unit_id, tracked_id : (n_units,) text; a tracked id is "" where it is unknown
    spike_times : (n_units,) list of ascending arrays, s; only of kind "units"
    obs_intervals : (n_units,) list of (n_intervals, 2) arrays, s; None where the file has none
    data : (n_times, n_units) array, dF/F, NaN where missing; ``timestamps`` (n_times,) in s
    excluded : the unit ids left out, by reason
    """

    kind: str
    unit_id: list[str]
    tracked_id: list[str]
    spike_times: list[np.ndarray] = field(default_factory=list)
    obs_intervals: list[np.ndarray] | None = None
    data: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    excluded: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def units(self) -> str:
        """Physical unit of the response."""
        return {"units": "spikes/s", "roi": "dF/F"}[self.kind]


def read_activity(path: str | Path, response: config.Response, *, session_end: float = np.inf) -> Activity:
    """Read spike times or ROI responses.

    A unit whose spike times are missing, negative or not ascending is left out with the reason.

    Parameters
    ----------
    session_end : end of the last trial, s; tells times that are not in seconds

    Raises
    ------
    StudyError
        If the file has no activity of the wanted kind, or its times are not in seconds.
    """
    with nwb_file(path) as file:
        series = roi_series(file)
        has_units = file.units is not None and "spike_times" in file.units.colnames
        if response.kind != "roi" and has_units:
            return _spiking(file.units, response, path, session_end)
        if response.kind != "units" and series:
            name = one_series({key: holds_dff(one) for key, one in series.items()}, response.roi_series, path)
            return _traces(series[name], response, path, session_end)
    wanted = {"units": "units with spike_times", "roi": "RoiResponseSeries"}.get(
        response.kind, "units with spike_times and no RoiResponseSeries"
    )
    raise StudyError(f"{path}: no {wanted}; nothing to analyse (response.kind is {response.kind!r})")


def _spiking(units: Any, response: config.Response, path: str | Path, session_end: float) -> Activity:
    where = f"{path}: units"
    ids, tracked = _labels(units, np.arange(len(units.id)), response.tracked_id, where)
    spikes = [times.astype(float, copy=False) for times in ragged_column(units, "spike_times", where)]
    observed = ragged_column(units, "obs_intervals", where) if "obs_intervals" in units.colnames else None
    problems = [_problem(times) for times in spikes]
    last = [times.max() for times, problem in zip(spikes, problems, strict=True) if len(times) and not problem]
    _check_seconds(float(np.median(last)) if last else 0.0, session_end, f"{where}: spike_times")
    kept = [row for row, problem in enumerate(problems) if not problem]
    return Activity(
        kind="units",
        unit_id=[ids[row] for row in kept],
        tracked_id=[tracked[row] for row in kept],
        spike_times=[spikes[row] for row in kept],
        obs_intervals=None if observed is None else [observed[row].astype(float) for row in kept],
        excluded=_by_reason(ids, problems),
    )


def _problem(times: np.ndarray) -> str:
    if not np.isfinite(times).all():
        return "spike times are missing or infinite"
    if len(times) and times.min() < 0:
        return "spike times are negative"
    return "spike times are not in ascending order" if (np.diff(times) < 0).any() else ""


def _traces(series: Any, response: config.Response, path: str | Path, session_end: float) -> Activity:
    where = f"{path}: {series.name}"
    rows = np.asarray(series.rois.data[:])
    data = np.asarray(series.data[:], dtype=float)
    data = data[:, np.newaxis] if data.ndim == 1 else data
    if data.shape[1:] != rows.shape:
        raise StudyError(f"{where}: data have shape {data.shape}; expected (times, {len(rows)} ROIs)")
    times = _timestamps(series, len(data), where)
    _check_seconds(times[-1] if len(times) else 0.0, session_end, f"{where}: timestamps")
    ids, tracked = _labels(series.rois.table, rows, response.tracked_id, where)
    data = np.where(np.isfinite(data), data, np.nan) * (series.conversion or 1.0) + (series.offset or 0.0)
    problems = ["" if some else "no sample was recorded" for some in np.isfinite(data).any(axis=0)]
    kept = [row for row, problem in enumerate(problems) if not problem]
    return Activity(
        kind="roi",
        unit_id=[ids[row] for row in kept],
        tracked_id=[tracked[row] for row in kept],
        data=data[:, kept],
        timestamps=times,
        excluded=_by_reason(ids, problems),
    )


def _timestamps(series: Any, n_times: int, where: str) -> np.ndarray:
    if series.timestamps is None:
        return float(series.starting_time or 0.0) + np.arange(n_times) / float(series.rate)
    times = np.asarray(series.timestamps[:], dtype=float)
    if times.shape != (n_times,):
        raise StudyError(f"{where}: {len(times)} timestamps for {n_times} samples")
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise StudyError(f"{where}: timestamps are missing or do not increase")
    return times


def roi_series(file: Any) -> dict[str, Any]:
    """Every RoiResponseSeries by its container and name."""
    from pynwb.ophys import RoiResponseSeries

    found = [thing for thing in file.objects.values() if isinstance(thing, RoiResponseSeries)]
    return {f"{series.parent.name}/{series.name}": series for series in found}


def one_series(is_dff: Mapping[str, bool], name: str | None, path: str | Path) -> str:
    """Return the key of the series of ROIs of that name; without a name the only one, or the only one of dF/F.

    Parameters
    ----------
    is_dff : container/name of each series, and whether it holds dF/F

    Raises
    ------
    StudyError
        If none fits, or several.
    """
    fits = [key for key in is_dff if name in (None, key, key.rpartition("/")[2])]
    if name is None and len(fits) > 1:
        fits = [key for key in fits if is_dff[key]]
    if len(fits) != 1:
        wanted = f"{len(fits)} RoiResponseSeries fit response.roi_series {name!r}"
        raise StudyError(f"{path}: {wanted}; name one of {', '.join(sorted(is_dff))}")
    return fits[0]


def holds_dff(series: Any) -> bool:
    """Return whether a series of ROIs holds dF/F."""
    return series.parent.neurodata_type == "DfOverF"


def _labels(table: Any, rows: np.ndarray, column: str | None, where: str) -> tuple[list[str], list[str]]:
    """Ids of the rows of a table of units or ROIs, made unique by the row, and their tracked ids."""
    ids = [str(name) for name in np.asarray(table.id.data[:])[rows]]
    if len(set(ids)) < len(ids):
        ids = [f"{name}@{row}" for name, row in zip(ids, rows, strict=True)]
    if column is None:
        return ids, [""] * len(ids)
    if column not in table.colnames:
        raise StudyError(no_column(where, "response.tracked_id", column, table.colnames))
    tracked = column_values(table, column, where)[rows]
    return ids, [
        "" if pd.isna(value) else f"{value:.15g}" if isinstance(value, float) else str(value) for value in tracked
    ]


def _check_seconds(last: float, session_end: float, what: str) -> None:
    if last > TOO_LATE * session_end:
        raise StudyError(f"{what} reach {last:g}, the last trial ends at {session_end:g} s; times must be in seconds")


def _by_reason(ids: list[str], problems: list[str]) -> dict[str, list[str]]:
    reasons = sorted(set(problems) - {""})
    return {why: [name for name, problem in zip(ids, problems, strict=True) if problem == why] for why in reasons}
