"""What does one NWB file hold: whose session, which trials, which activity?

The only module that opens NWB for reading. A file that cannot be used is refused with a
:class:`~piriform.errors.StudyError` that names it; files are always closed.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from piriform import config
from piriform.errors import PiriformError, StudyError, did_you_mean
from piriform.filters import column_names

#: Times this much later than the end of the last trial are not in seconds.
TOO_LATE = 50
#: What a file that holds no recording begins with, and what it is then.
PLACEHOLDERS = {
    b"version https://git-lfs": "a Git LFS pointer instead of the recording; run `git lfs pull`",
    b"/annex/objects/": "a git-annex pointer instead of the recording; run `git annex get`",
    b"\x89HDF": "an HDF5 file cut off in its first bytes; copy or download it again",
}


@dataclass(frozen=True)
class Header:
    """Whose session a file holds, and when it was recorded.

    ``session`` is the file's own session id, or the name of the file where it has none.
    """

    path: Path
    subject: str
    session: str
    start: datetime
    identifier: str


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


def read_header(path: str | Path) -> Header:
    """Read whose session a file holds, in a few ms.

    Raises
    ------
    StudyError
        If the file is not NWB 2 in HDF5, is damaged, or lacks its subject or start.
    """
    path = Path(path)
    with _hdf5(path) as file:
        subject = _text_at(file, "general/subject/subject_id")
        session = _text_at(file, "general/session_id") or path.stem
        start, identifier = _text_at(file, "session_start_time"), _text_at(file, "identifier")
    if not subject:
        raise StudyError(f"{path}: no subject.subject_id; a session must say which animal it is from")
    if not start:
        raise StudyError(f"{path}: no session_start_time; sessions are ordered by it")
    try:
        return Header(path, subject, session, datetime.fromisoformat(start), identifier)
    except ValueError:
        raise StudyError(f"{path}: session_start_time {start!r} is not an ISO 8601 time") from None


def read_trials(path: str | Path, trials: config.Trials, *, phase: str | None = None) -> pd.DataFrame:
    """Read the columns that the config names from the interval table that it names.

    Parameters
    ----------
    phase : column with the phase of the session, if there is one

    Returns
    -------
    DataFrame, one row per interval; the index is the row's number in the file, from 0. Text is
    ``str`` also where the file holds bytes.

    Raises
    ------
    StudyError
        If the table or a column is missing, or a column does not hold one value per row.
    """
    keys = ("align_to", "stimulus", "category", "choice", "correct", "response_time", "block")
    wanted = [(f"trials.{key}", getattr(trials, key)) for key in keys]
    wanted += [("trials.table", "start_time"), ("trials.table", "stop_time"), ("phases.column", phase)]
    wanted += [("trials.filter", name) for name in column_names(trials.filter)]
    with _nwb(path) as file:
        table = _interval_table(file, trials.table, f"{path}")
        where = f"{path}: table {trials.table!r}"
        for key, name in wanted:
            if name is not None and name not in table.colnames:
                raise StudyError(_no_column(where, key, name, table.colnames))
        names = dict.fromkeys(name for _, name in wanted if name is not None)
        return pd.DataFrame({name: _column(table, name, where) for name in names})


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
    with _nwb(path) as file:
        series = _roi_series(file)
        has_units = file.units is not None and "spike_times" in file.units.colnames
        if response.kind != "roi" and has_units:
            return _spiking(file.units, response, path, session_end)
        if response.kind != "units" and series:
            return _traces(_one_series(series, response.roi_series, path), response, path, session_end)
    wanted = {"units": "units with spike_times", "roi": "RoiResponseSeries"}.get(
        response.kind, "units with spike_times and no RoiResponseSeries"
    )
    raise StudyError(f"{path}: no {wanted}; nothing to analyse (response.kind is {response.kind!r})")


# Opening --------------------------------------------------------------------------------------


@contextmanager
def _hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open an NWB 2 file; any failure while it is open becomes a StudyError."""
    path = Path(path)
    _check_bytes(path)
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            _check_version(file, path)
            yield file
    except (PiriformError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StudyError(f"{path}: damaged, truncated or not valid NWB ({reason[:200]})") from error


@contextmanager
def _nwb(path: str | Path) -> Iterator[Any]:
    """Open a file with pynwb, whose warnings about details of the schema are not the user's concern."""
    with _hdf5(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynwb import NWBHDF5IO

        with NWBHDF5IO(file=file, mode="r") as io:
            yield io.read()


def _check_bytes(path: Path) -> None:
    if not path.is_file():
        link = " (a link to a file that is not there)" if path.is_symlink() else ""
        raise StudyError(f"{path}: no such file{link}")
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from error
    if not head:
        raise StudyError(f"{path}: the file is empty (0 bytes); copy or download it again")
    if not h5py.is_hdf5(path):
        kinds = [what for start, what in PLACEHOLDERS.items() if head.startswith(start)]
        raise StudyError(f"{path}: {kinds[0] if kinds else 'not an HDF5 file; expected NWB 2 in HDF5'}")


def _check_version(file: h5py.File, path: Path) -> None:
    version = _plain(file.attrs.get("nwb_version", "")) or _text_at(file, "nwb_version")
    version = str(version).removeprefix("NWB-")
    if not version:
        raise StudyError(f"{path}: an HDF5 file without nwb_version; expected NWB 2")
    if version.startswith(("0.", "1.")):
        raise StudyError(f"{path}: written in NWB {version}; convert it to NWB 2, for instance with pynwb or NeuroConv")


def _text_at(file: h5py.File, name: str) -> str:
    """The text of a scalar dataset, "" where it is missing."""
    node = file.get(name)
    if not isinstance(node, h5py.Dataset) or node.size != 1:
        return ""
    return str(_plain(np.ravel(node[()])[0])).strip()


# Tables ---------------------------------------------------------------------------------------


def _interval_table(file: Any, name: str, path: str) -> Any:
    tables = {"trials": file.trials, "epochs": file.epochs, "invalid_times": file.invalid_times}
    tables |= {str(key): table for key, table in (file.intervals or {}).items()}
    tables = {key: table for key, table in tables.items() if table is not None}
    if name not in tables:
        there = f"it has {', '.join(sorted(tables))}" if tables else "it has none"
        hint = did_you_mean(name, list(tables))
        raise StudyError(f"{path}: no interval table {name!r}{hint}; {there}; set trials.table")
    return tables[name]


def _no_column(where: str, key: str, name: str, columns: Iterable[str]) -> str:
    columns = list(columns)
    optional = ("trials.stimulus", "trials.choice", "trials.correct", "trials.response_time", "trials.block")
    hint = f" (set {key} to null if the study has none)" if key in optional else ""
    return f"{where} has no column {name!r} ({key}){did_you_mean(name, columns)}; it has {', '.join(columns)}{hint}"


def _column(table: Any, name: str, where: str) -> np.ndarray:
    """One value per row, text as str."""
    from hdmf.common import DynamicTableRegion, VectorIndex

    column = table[name]
    if isinstance(column, VectorIndex | DynamicTableRegion):
        raise StudyError(f"{where}: column {name!r} holds lists or references; expected one value per row")
    values = np.asarray(column.data[:])
    if values.shape != (len(table.id),):
        raise StudyError(f"{where}: column {name!r} has shape {values.shape}; expected ({len(table.id)},)")
    return np.array([_plain(value) for value in values], dtype=object) if values.dtype.kind in "SUO" else values


def _plain(value: Any) -> Any:
    """Text as str, also where it was written as bytes, or as the text of bytes ("b'odor'")."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and re.fullmatch(r"b'[^']*'|b\"[^\"]*\"", value):
        return value[2:-1]
    return str(value) if isinstance(value, str) else value


def _labels(table: Any, rows: np.ndarray, column: str | None, where: str) -> tuple[list[str], list[str]]:
    """Ids of the rows of a table of units or ROIs, made unique by the row, and their tracked ids."""
    ids = [str(name) for name in np.asarray(table.id.data[:])[rows]]
    if len(set(ids)) < len(ids):
        ids = [f"{name}@{row}" for name, row in zip(ids, rows, strict=True)]
    if column is None:
        return ids, [""] * len(ids)
    if column not in table.colnames:
        raise StudyError(_no_column(where, "response.tracked_id", column, table.colnames))
    tracked = _column(table, column, where)[rows]
    return ids, [
        "" if pd.isna(value) else f"{value:.15g}" if isinstance(value, float) else str(value) for value in tracked
    ]


# Activity -------------------------------------------------------------------------------------


def _spiking(units: Any, response: config.Response, path: str | Path, session_end: float) -> Activity:
    where = f"{path}: units"
    ids, tracked = _labels(units, np.arange(len(units.id)), response.tracked_id, where)
    spikes = [times.astype(float, copy=False) for times in _ragged(units, "spike_times", where)]
    observed = _ragged(units, "obs_intervals", where) if "obs_intervals" in units.colnames else None
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


def _ragged(table: Any, name: str, where: str) -> list[np.ndarray]:
    """The arrays of a ragged column, by row (not by id), read in one go."""
    index = table[name]
    ends, flat = np.asarray(index.data[:], dtype=np.int64), np.asarray(index.target.data[:])
    whole = len(ends) == len(table.id) and np.all(np.diff(ends, prepend=0) >= 0) and (ends[-1:] == len(flat)).all()
    if not whole:
        raise StudyError(f"{where}: {name}_index does not divide the {len(flat)} values among {len(table.id)} units")
    return np.split(flat, ends[:-1]) if len(ends) else []


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


def _roi_series(file: Any) -> dict[str, Any]:
    """Every RoiResponseSeries by its container and name."""
    from pynwb.ophys import RoiResponseSeries

    found = [thing for thing in file.objects.values() if isinstance(thing, RoiResponseSeries)]
    return {f"{series.parent.name}/{series.name}": series for series in found}


def _one_series(series: Mapping[str, Any], name: str | None, path: str | Path) -> Any:
    """The series of that name; without a name the only one, or the only one of dF/F."""
    fits = [key for key in series if name in (None, key, key.rpartition("/")[2])]
    if name is None and len(fits) > 1:
        fits = [key for key in fits if series[key].parent.neurodata_type == "DfOverF"]
    if len(fits) != 1:
        wanted = f"{len(fits)} RoiResponseSeries fit response.roi_series {name!r}"
        raise StudyError(f"{path}: {wanted}; name one of {', '.join(sorted(series))}")
    return series[fits[0]]


def _check_seconds(last: float, session_end: float, what: str) -> None:
    if last > TOO_LATE * session_end:
        raise StudyError(f"{what} reach {last:g}, the last trial ends at {session_end:g} s; times must be in seconds")


def _by_reason(ids: list[str], problems: list[str]) -> dict[str, list[str]]:
    reasons = sorted(set(problems) - {""})
    return {why: [name for name, problem in zip(ids, problems, strict=True) if problem == why] for why in reasons}
