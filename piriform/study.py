"""Which sessions does a study have, and what does each trial mean?

Sessions are ordered by date within a subject; trials get our terms through the config's mapping.
Nothing disappears silently: what is left out is listed with the reason.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform import config
from piriform.errors import ConfigError, StudyError, did_you_mean
from piriform.filters import selected
from piriform.nwb import Header, read_header
from piriform.tables import TABLES, check_table
from piriform.trials import TRIAL_COORDS

YES = ("true", "yes", "y", "correct", "1")
NO = ("false", "no", "n", "incorrect", "error", "wrong", "0")
#: Name of the pseudo-population of all sessions, which no animal may have.
POOLED = "pooled"
MISSING = ("", "nan", "none", "na", "n/a")


@dataclass(frozen=True)
class MappedTrials:
    """The trials of one session in our terms.

    Attributes
    ----------
    trials : DataFrame with the columns ``TRIAL_COORDS`` and ``stop_time``, ordered by event time;
        the index is the number of the trial in the file's table, from 0
    excluded : the numbers of the trials left out, by reason
    """

    trials: pd.DataFrame
    excluded: Mapping[str, list[int]]


# Sessions -------------------------------------------------------------------------------------


def find_files(data: str | Path | Sequence[str]) -> list[Path]:
    """Return the NWB files of a study, sorted.

    Parameters
    ----------
    data : a folder, searched through (hidden and temporary files left out), or a list of files

    Raises
    ------
    StudyError
        If the folder does not exist or holds no NWB file, or the list is empty.
    """
    if not isinstance(data, str | Path):
        if not data:
            raise StudyError("data: the list of files is empty; name at least one NWB file")
        return sorted({Path(path) for path in data})
    folder = Path(data)
    if not folder.is_dir():
        raise StudyError(f"data: no folder {folder}; set `data` to the folder that holds one NWB file per session")
    files = [path for path in folder.rglob("*.nwb") if not _temporary(path.relative_to(folder))]
    if not files:
        raise StudyError(f"data: no .nwb file in {folder} or the folders inside it; put one per session there")
    return sorted(files)


def index_study(paths: Iterable[Path], *, days: str = "date", sessions: Sequence[str] | None = None) -> pd.DataFrame:
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
        rows.append(row | {"file": str(header.path), "reason": f"same session as {twin.path}" if twin else ""})
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


# Trials ---------------------------------------------------------------------------------------


def map_trials(raw: pd.DataFrame, *, trials: config.Trials, classes: config.Classes, where: str) -> MappedTrials:
    """Translate a lab's table of trials into our terms.

    Left out, each with a reason: trials that do not pass the filter, have no event or start time,
    come after the last choice, belong to no class, or start before the previous one has ended.

    Parameters
    ----------
    raw : DataFrame, one row per trial, see :func:`piriform.nwb.read_trials`
    where : names the session in errors

    Raises
    ------
    StudyError
        If the filter cannot be evaluated, times are not numbers or not on the session's clock, or
        an outcome is neither known as right nor as wrong.
    """
    passes = selected(raw, trials.filter, where=where)
    table = _in_our_terms(raw[passes], trials, classes, where)
    reasons = _reasons(table, trials, classes)
    kept = table[reasons == ""].sort_values("event_time", kind="stable")
    _check_clock(kept, trials, where)
    excluded = {"does not pass trials.filter": raw.index[~passes]} if not passes.all() else {}
    excluded |= {str(reason): table.index[reasons == reason] for reason in pd.unique(reasons) if reason}
    return MappedTrials(kept, {reason: sorted(int(number) for number in rows) for reason, rows in excluded.items()})


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
        found = sorted(set(_text(values)) - {""})
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


def _phase(over: bool) -> str:
    return "overtraining" if over else "training"


def _runs(things: Sequence[Any]) -> list[str]:
    if not all(isinstance(thing, int) for thing in things):
        return [str(thing) for thing in things]
    numbers = np.array(sorted(things))
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]


def _in_our_terms(raw: pd.DataFrame, trials: config.Trials, classes: config.Classes, where: str) -> pd.DataFrame:
    """Every trial with the columns of the trial tensor; the class is "" where there is none."""
    table = pd.DataFrame(index=raw.index)
    table["category"] = _text(raw[trials.category])
    table["stimulus"] = _text(raw[trials.stimulus]) if trials.stimulus else table["category"]
    table["class"] = table["stimulus"] if classes.by_stimulus else table["category"].map(_class_of(classes)).fillna("")
    table["choice"] = _text(raw[trials.choice]) if trials.choice else ""
    table["correct"] = _outcomes(raw[trials.correct], trials, where) if trials.correct else np.nan
    table["start_time"], table["stop_time"] = _times(raw, "start_time", where), _times(raw, "stop_time", where)
    table["event_time"] = _times(raw, trials.align_to, where)
    responses = _times(raw, trials.response_time, where) if trials.response_time else np.nan
    table["latency"] = responses - table["event_time"]
    table["block"] = _numbers(raw[trials.block]) if trials.block else np.nan
    return table[[*TRIAL_COORDS, "stop_time"]]


def _class_of(classes: config.Classes) -> dict[str, str]:
    return {category: name for name in ("target", "nontarget", "probe") for category in getattr(classes, name)}


def _reasons(table: pd.DataFrame, trials: config.Trials, classes: config.Classes) -> np.ndarray:
    """Why each trial is left out, "" where it is not; the first reason counts."""
    reasons = np.full(len(table), "", dtype=object)

    def leave_out(which: Any, why: Any) -> None:
        reasons[:] = np.where((reasons == "") & np.asarray(which, dtype=bool), why, reasons)

    leave_out(table["event_time"].isna(), f"no {trials.align_to}")
    leave_out(table["start_time"].isna(), "no start_time")
    leave_out(_trailing(table, trials.no_choice), "after the last choice")
    if classes.by_stimulus:
        leave_out(table["class"] == "", "no stimulus")
    else:
        unknown = [f"category {category!r} is in no class" for category in table["category"]]
        leave_out(table["class"] == "", np.array(unknown, dtype=object))
    leave_out(_overlapping(table, reasons == ""), "starts before the previous trial has ended")
    return reasons


def _trailing(table: pd.DataFrame, no_choice: Sequence[str]) -> np.ndarray:
    """Which trials come after the last one with a choice."""
    chose = table.loc[~table["choice"].isin(no_choice), "event_time"]
    if not len(no_choice):
        return np.zeros(len(table), dtype=bool)
    return np.asarray(table["event_time"] > (chose.max() if chose.notna().any() else -np.inf))


def _overlapping(table: pd.DataFrame, candidate: np.ndarray) -> np.ndarray:
    """Which candidates start before the last trial that was not itself left out has ended."""
    start, stop = table["start_time"].to_numpy(), table["stop_time"].to_numpy()
    overlapping = np.zeros(len(table), dtype=bool)
    end = -np.inf
    for row in np.flatnonzero(candidate)[np.argsort(start[candidate], kind="stable")]:
        overlapping[row] = start[row] < end - 1e-9
        end = end if overlapping[row] or np.isnan(stop[row]) else max(end, stop[row])
    return overlapping


def _check_clock(kept: pd.DataFrame, trials: config.Trials, where: str) -> None:
    """Refuse events in ms or from the trial's start: they span another time than the trials do."""
    if len(kept) < 10:
        return
    spread, events = float(np.ptp(kept["start_time"])), float(np.ptp(kept["event_time"]))
    if not spread / 2 <= events <= 2 * spread:
        raise StudyError(
            f"{where}: {trials.align_to!r} (trials.align_to) spans {events:g} s and start_time {spread:g} s; "
            "both must be in s from the session's start"
        )


# Values ---------------------------------------------------------------------------------------


def _text(values: Iterable[Any]) -> list[str]:
    """Values as text: "" where missing, whole numbers without a decimal point."""
    return [
        "" if pd.isna(value) else f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)
        for value in values
    ]


def _times(raw: pd.DataFrame, name: str, where: str) -> np.ndarray:
    try:
        times = pd.to_numeric(raw[name]).to_numpy(dtype=float)
    except (ValueError, TypeError) as error:
        raise StudyError(f"{where}: column {name!r} must hold times in s ({error})") from None
    return np.where(np.isfinite(times), times, np.nan)


def _numbers(values: pd.Series) -> np.ndarray:
    """Numbers as they are; other labels are numbered from 1 in order of appearance."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() == values.notna().sum():
        return numbers.to_numpy(dtype=float)
    codes = pd.factorize(values)[0].astype(float)
    return np.where(codes < 0, np.nan, codes + 1)


def _outcomes(values: pd.Series, trials: config.Trials, where: str) -> list[float]:
    """1 right, 0 wrong, NaN unknown."""
    texts = _text(values)
    missing = {text for text in texts if text.strip().lower() in MISSING}
    if trials.correct_values is not None:
        return [np.nan if text in missing else float(text in trials.correct_values) for text in texts]
    known = dict.fromkeys(YES, 1.0) | dict.fromkeys(NO, 0.0) | dict.fromkeys(MISSING, np.nan)
    for text in texts:
        if text.strip().lower() not in known:
            raise StudyError(
                f"{where}: column {trials.correct!r} holds {text!r}, neither right nor wrong; "
                "name the values that mean right in trials.correct_values"
            )
    return [known[text.strip().lower()] for text in texts]
