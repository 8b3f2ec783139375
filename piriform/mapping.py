"""What does each trial of a lab's table mean in our terms?

The config's mapping names the columns and values. Trials that are left out are listed with the reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from piriform import config
from piriform.errors import StudyError
from piriform.filters import MISSING, numbers, selected
from piriform.nwb.columns import text_of
from piriform.trials import TRIAL_COORDS

YES = ("true", "yes", "y", "correct", "1", "1.0")
NO = ("false", "no", "n", "incorrect", "error", "wrong", "0", "0.0")


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


def labels(values: Iterable[Any]) -> list[str]:
    """Return values as text: "" where missing, whole numbers without a decimal point.

    Examples
    --------
    >>> labels(["A", 3.0, 0.5, None])
    ['A', '3', '0.5', '']
    """
    return [text_of(value) for value in values]


def _in_our_terms(raw: pd.DataFrame, trials: config.Trials, classes: config.Classes, where: str) -> pd.DataFrame:
    """Every trial with the columns of the trial tensor; the class is "" where there is none."""
    category = pd.Series(labels(raw[trials.category]), index=raw.index, dtype=str)
    stimulus = labels(raw[trials.stimulus]) if trials.stimulus else category
    event = _times(raw, trials.align_to, where)
    columns = {
        "category": category,
        "stimulus": stimulus,
        "class": stimulus if classes.by_stimulus else category.map(_class_of(classes)).fillna(""),
        "stratum": labels(raw[trials.stratum]) if trials.stratum else category,
        "choice": labels(raw[trials.choice]) if trials.choice else "",
        "correct": _outcomes(raw[trials.correct], trials, where) if trials.correct else np.nan,
        "start_time": _times(raw, "start_time", where),
        "stop_time": _times(raw, "stop_time", where),
        "event_time": event,
        "latency": (_times(raw, trials.response_time, where) if trials.response_time else np.nan) - event,
        "block": _numbers(raw[trials.block]) if trials.block else np.nan,
    }
    return pd.DataFrame(columns, index=raw.index)[[*TRIAL_COORDS, "stop_time"]]


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
    spread, events = (float(np.ptp(kept[name].to_numpy())) for name in ("start_time", "event_time"))
    if not spread / 2 <= events <= 2 * spread:
        raise StudyError(
            f"{where}: {trials.align_to!r} (trials.align_to) spans {events:g} s and start_time {spread:g} s; "
            "both must be in s from the session's start"
        )


def _times(raw: pd.DataFrame, name: str, where: str) -> np.ndarray:
    try:
        times = numbers(raw[name]).to_numpy(dtype=float)
    except (ValueError, TypeError) as error:
        raise StudyError(f"{where}: column {name!r} must hold one time in s per trial ({error})") from None
    return np.where(np.isfinite(times), times, np.nan)


def _numbers(values: pd.Series) -> np.ndarray:
    """Numbers as they are; other labels are numbered from 1 in order of appearance."""
    try:
        return numbers(values).to_numpy(dtype=float)
    except (ValueError, TypeError):
        codes = pd.factorize(values.mask(values.eq("")))[0].astype(float)
    return np.where(codes < 0, np.nan, codes + 1)


def _outcomes(values: pd.Series, trials: config.Trials, where: str) -> list[float]:
    """1 right, 0 wrong, NaN unknown."""
    texts = labels(values)
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
