"""Which sessions does a study have, and in which phase is each?

Sessions are ordered by date within a subject. Nothing disappears silently: what is left out is listed
with the reason.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform import config, remote
from piriform.errors import ConfigError, StudyError, did_you_mean
from piriform.mapping import labels
from piriform.nwb import Header, read_header
from piriform.nwb.zarr import MARKS
from piriform.tables import POOLED, TABLES, check_table


def find_files(data: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """Return the recordings of a study, sorted: paths of files and Zarr folders here, then addresses of remote ones.

    Parameters
    ----------
    data : a folder, searched through (hidden and temporary files left out); a file or Zarr folder; the
        address of a file (``https://``, ``s3://``, ``dandi://``) or of a folder (``s3://bucket/folder/``,
        ``dandi://dandiset/folder``); or a list of these

    Raises
    ------
    StudyError
        If a folder does not exist or holds no NWB file, or the list is empty.
    """
    far = [found for url in remote_parts(data) for found in remote.current().recordings(url)]
    return [*local_files(data), *sorted(set(far))]


def local_files(data: str | Path | Sequence[str | Path]) -> list[Path]:
    """Return the recordings of a study that lie on this machine; no server is asked.

    Raises
    ------
    StudyError
        If a folder does not exist or holds no NWB file, or the list is empty.
    """
    if not isinstance(data, str | Path):
        if not data:
            raise StudyError("data: the list of files is empty; name at least one NWB file")
        near = [Path(one) for one in data if not remote.is_remote(one)]
        return sorted({file for path in near for file in (_inside(path) if _is_study(path) else [path])})
    if remote.is_remote(data):
        return []
    return _inside(Path(data)) if not Path(data).is_file() and not _is_zarr(Path(data)) else [Path(data)]


def remote_parts(data: str | Path | Sequence[str | Path]) -> list[str]:
    """Return the addresses among what ``data`` names, as they stand there."""
    parts = [data] if isinstance(data, str | Path) else data
    return [str(part) for part in parts if remote.is_remote(part)]


def _inside(folder: Path) -> list[Path]:
    """The recordings in a folder and the folders inside it; a Zarr folder is one recording."""
    if not folder.is_dir():
        raise StudyError(f"data: no folder {folder}; set `data` to the folder that holds one NWB file per session")
    found = []
    for where, folders, files in os.walk(folder):
        here = Path(where)
        stores = [name for name in folders if _is_zarr(here / name)]
        folders[:] = [name for name in folders if name not in stores and not _temporary(Path(name))]
        found += [here / name for name in stores if not _temporary(Path(name))]
        found += [here / name for name in files if name.endswith(".nwb") and not _temporary(Path(name))]
    if not found:
        raise StudyError(f"data: no .nwb file in {folder} or the folders inside it; put one per session there")
    return sorted(found)


def _is_study(path: Path) -> bool:
    return path.is_dir() and not _is_zarr(path)


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and (path.name.endswith((".zarr", ".nwb")) or any((path / mark).is_file() for mark in MARKS))


def index_study(
    paths: Iterable[str | Path], *, days: str = "date", sessions: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return one row per file: whose session it is, its day, and why it cannot be used if so.

    Names of subjects and sessions are made unique and safe for file names. Of two files of one
    session (same subject and start, and same session id or identifier) the first by path is used.

    Parameters
    ----------
    days : "date" (calendar days since the subject's first session, plus 1) or "order" (1, 2, ...)
    sessions : the only sessions to analyse, as ``session`` or ``subject/session``; none: all

    Returns
    -------
    Table ``sessions`` with counts 0, ordered by subject and start; unreadable files come last.

    Raises
    ------
    ConfigError
        If ``sessions`` names one that does not exist.
    """
    headers: list[Header] = []
    unreadable: list[dict[str, Any]] = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except StudyError as error:
            unreadable.append({"file": str(path), "reason": reason_of(error, path)})
    subjects = sorted({header.subject for header in headers})
    rows = [
        row
        for subject, name in zip(subjects, _safe_names(subjects, reserved=POOLED), strict=True)
        for row in _subject_rows(name, [header for header in headers if header.subject == subject], days)
    ]
    _keep_only(rows, sessions)
    return check_table(pd.DataFrame([_complete(row) for row in rows + unreadable], columns=_COLUMNS), "sessions")


def reason_of(error: Exception, path: str | Path) -> str:
    """Return what went wrong without the file's name, which stands in another column."""
    return str(error).removeprefix(f"{path}: ")


def phase_of(
    day: int,
    *,
    phases: config.Phases,
    values: Iterable[Any] = (),
    plateau_day: float = np.nan,
    where: str = "session",
) -> str:
    """Return "training", "overtraining", or "" where nothing says which.

    Parameters
    ----------
    day : day of the session
    values : the trials' values of ``phases.column``, if the phase comes from there
    plateau_day : first day on the behavioural plateau, NaN if there is none yet

    Raises
    ------
    StudyError
        If the column changes within the session.

    Examples
    --------
    >>> phase_of(9, phases=config.Phases(overtraining_from_day=9))
    'overtraining'
    """
    if phases.column is not None:
        found = sorted(set(labels(values)) - {""})
        if len(found) > 1:
            raise StudyError(
                f"{where}: column {phases.column!r} (phases.column) changes within the session: {', '.join(found)}"
            )
        return _phase(found[0] in phases.overtraining_values) if found else ""
    if phases.overtraining_from_day is not None:
        return _phase(day >= phases.overtraining_from_day)
    return _phase(day >= plateau_day) if phases.from_plateau else ""


def reasons_text(excluded: Mapping[str, Sequence[Any]]) -> str:
    """Return what was left out as text for ``sessions.csv``; runs of numbers are shortened.

    Examples
    --------
    >>> reasons_text({"no event time": [0, 1, 2, 7], "low rate": ["a", "b"]})
    'no event time: 0-2, 7; low rate: a, b'
    """
    return "; ".join(f"{reason}: {', '.join(_runs(things))}" for reason, things in excluded.items() if len(things))


_COLUMNS = list(TABLES["sessions"])


def _complete(row: Mapping[str, Any]) -> dict[str, Any]:
    empty = {name: 0 if column.kind == "integer" else "" for name, column in TABLES["sessions"].items()}
    return empty | dict(row) | {"included": not row.get("reason")}


def _subject_rows(subject: str, headers: list[Header], days: str) -> list[dict[str, Any]]:
    """The sessions of one subject in order of their start by the clock on the wall."""
    ordered = sorted(headers, key=lambda header: (header.start.replace(tzinfo=None), str(header.path)))
    rows: list[dict[str, Any]] = []
    n_sessions = 0
    for position, (header, session) in enumerate(zip(ordered, _safe_names([h.session for h in ordered]), strict=True)):
        twin = next((other for other in ordered[:position] if _same_session(header, other)), None)
        n_sessions += twin is None
        day = (header.start.date() - ordered[0].start.date()).days + 1 if days == "date" else n_sessions
        row = {"subject": subject, "session": session, "day": day, "date": header.start.isoformat()}
        rows.append(
            row
            | {
                "file": str(header.path),
                "version": header.version,
                "reason": f"same session as {twin.path}" if twin else "",
            }
        )
    return rows


def _same_session(one: Header, other: Header) -> bool:
    return one.start == other.start and (one.session == other.session or one.identifier == other.identifier)


def _keep_only(rows: list[dict[str, Any]], sessions: Sequence[str] | None) -> None:
    """Give the sessions that are not wanted their reason."""
    if sessions is None:
        return
    names = [{row["session"], f"{row['subject']}/{row['session']}"} for row in rows]
    for wanted in sessions:
        if not any(wanted in both for both in names):
            known = sorted({row["session"] for row in rows})
            hint = did_you_mean(wanted, known)
            raise ConfigError(f"inclusion.sessions: no session {wanted!r}{hint}; there are {', '.join(known)}")
    for row, both in zip(rows, names, strict=True):
        row["reason"] = row["reason"] or ("" if both & set(sessions) else "not among inclusion.sessions")


def _safe_names(names: Sequence[str], *, reserved: str = "") -> list[str]:
    """Names of [A-Za-z0-9._-], unique also where case does not count; the second of two ends in -2."""
    taken = {reserved}
    safe = []
    for name in names:
        base = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "unnamed"
        candidates = [base, *(f"{base}-{number}" for number in range(2, len(names) + 2))]
        chosen = next(candidate for candidate in candidates if candidate.lower() not in taken)
        taken.add(chosen.lower())
        safe.append(chosen)
    return safe


def _temporary(path: Path) -> bool:
    return any(part.startswith((".", "~")) for part in path.parts)


def _phase(over: bool) -> str:
    return "overtraining" if over else "training"


def _runs(things: Sequence[Any]) -> list[str]:
    if not all(isinstance(thing, int) for thing in things):
        return [str(thing) for thing in things]
    numbers = np.array(sorted(things))
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
