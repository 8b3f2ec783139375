"""Which single stimuli go from wrong to right, and is the change abrupt?

For the animal's answers and for those of the held-out decoder, from the table ``predictions``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtrc, expit

from piriform.config import Transitions as Rule
from piriform.provenance import rng_for
from piriform.saturation import saturation_p
from piriform.step_test import MIN_SIDE, StepTest, step_test
from piriform.tables import POOLED, TABLES, check_table, empty_table

ABRUPT, SATURATING, SMOOTH = "abrupt", "abrupt or saturating", "smooth"
DAY_EFFECT, UNTESTABLE = "day effect", "untestable"
DAY_EFFECT_LEVEL = 0.05
SOURCES = ("animal", "decoder")
_WHO = ["subject", "stimulus", "class"]


@dataclass(frozen=True)
class _Counts:
    """Counts of one source on a common grid of days: who (n_stimuli rows), day, correct and trials."""

    who: pd.DataFrame
    day: np.ndarray
    n_correct: np.ndarray
    n_trials: np.ndarray


def stimulus_counts(predictions: pd.DataFrame, *, overtraining_only: bool = True) -> pd.DataFrame:
    """Return correct and presented trials per source, subject, stimulus, class and day.

    Parameters
    ----------
    predictions : the table ``predictions``
    overtraining_only : leave out the other phases of subjects that have sessions of overtraining

    Returns
    -------
    DataFrame
        Columns ``source`` (animal or decoder), ``subject``, ``stimulus``, ``class``, ``day``, ``n_correct`` and
        ``n_trials``. Trials of which the animal's outcome is unknown are not among its own, so that
        ``n_trials`` can be 0. The pooled population is left out.

    Examples
    --------
    >>> rows = {"subject": "Q", "phase": "", "day": 1, "stimulus": "abc", "class": "target"}
    >>> said = {"predicted": ["target", "nontarget"], "animal_correct": [1.0, np.nan]}
    >>> stimulus_counts(pd.DataFrame(rows | said))[["source", "n_correct", "n_trials"]].values.tolist()
    [['animal', 1, 1], ['decoder', 1, 2]]
    """
    table = predictions[predictions["subject"] != POOLED]
    late = table["phase"] == "overtraining"
    if overtraining_only:
        table = table[late | ~table["subject"].isin(table.loc[late, "subject"])]
    correct = {"animal": table["animal_correct"], "decoder": (table["predicted"] == table["class"]).astype(float)}
    parts = []
    for source in SOURCES:
        by_day = table.assign(_correct=correct[source]).groupby([*_WHO, "day"])["_correct"]
        counts = by_day.agg(n_correct="sum", n_trials="count").astype(int).reset_index()
        parts.append(counts.assign(source=source))
    return pd.concat(parts, ignore_index=True)[["source", *_WHO, "day", "n_correct", "n_trials"]]


def transitions(counts: pd.DataFrame, *, rule: Rule, seed: int) -> pd.DataFrame:
    """Return the table ``transitions``: one row per stimulus of a subject and source.

    A stimulus is tested where it has ``rule.min_trials`` trials on each of ``rule.min_days`` days; other days are
    left out. Each source is a family of its own: day effects are pooled and p corrected over its stimuli.

    Parameters
    ----------
    counts : rows as :func:`stimulus_counts` returns them
    rule : settings of the test
    seed : of the draws

    Returns
    -------
    DataFrame
        ``status`` is ``abrupt`` where both smooth growth along a line in log-odds (``q <= fdr``) and growth that
        levels off (``p_saturating <= fdr``) are too slow; ``abrupt or saturating`` where only the first is;
        ``day effect: ...`` where improbably many such stimuli of the subject change on the same day;
        ``smooth`` where smooth growth, or no change, suffices; ``untestable: ...`` with the reason.
    """
    tables = [_of_source(counts[counts["source"] == source], source, rule, seed) for source in SOURCES]
    filled = [table for table in tables if len(table)]
    if not filled:
        return empty_table("transitions")
    return check_table(pd.concat(filled, ignore_index=True)[list(TABLES["transitions"])], "transitions")


def summary(table: pd.DataFrame) -> list[str]:
    """Return what the table says, a sentence for each source; why nothing was tested where nothing was.

    Examples
    --------
    >>> summary(empty_table("transitions"))
    ['No single stimuli to test: there are no read-outs of single trials.']
    """
    if table.empty:
        return ["No single stimuli to test: there are no read-outs of single trials."]
    return [_sentence(rows, source) for source, rows in table.groupby("source", sort=False)]


def _sentence(rows: pd.DataFrame, source: Any) -> str:
    whose = {"animal": "The animals' answers", "decoder": "The decoder's answers"}[source]
    tested = rows[rows["p"].notna()]
    if tested.empty:
        reasons = rows["status"].str.removeprefix(f"{UNTESTABLE}: ").value_counts()
        return f"{whose}: nothing was testable. {reasons.iloc[0]} of {len(rows)} stimuli: {reasons.index[0]}."
    kinds = tested["status"].str.partition(":")[0]
    crossing = int(((kinds == ABRUPT) & tested["wrong_to_right"]).sum())
    named = ", ".join(f"{int((kinds == kind).sum())} {kind}" for kind in (ABRUPT, SATURATING, DAY_EFFECT, SMOOTH))
    return f"{whose}: {len(tested)} of {len(rows)} stimuli tested; {named}. From wrong to right and abrupt: {crossing}."


def _of_source(counts: pd.DataFrame, source: str, rule: Rule, seed: int) -> pd.DataFrame:
    """The rows of one source, tested ones and others."""
    if counts.empty:
        return pd.DataFrame()
    grid = _on_grid(counts, rule.min_trials)
    table = _described(grid, source)
    few = table["n_days"] < rule.min_days
    table.loc[few, "status"] = _too_few(counts, grid, rule)[few.to_numpy()]
    rows = np.flatnonzero(~few)
    if not rows.size:
        return table
    k, n = grid.n_correct[rows], grid.n_trials[rows]
    n_draws = max(rule.n_bootstrap, int(np.ceil(len(rows) / rule.fdr)) - 1)
    found = step_test(grid.day, k, n, n_bootstrap=n_draws, rng=rng_for(seed, "transitions", source))
    _fill(table, rows, found, grid)
    low = table.index[table["q"] <= rule.fdr]
    _fill_saturating(table, low, grid, rule=rule, seed=seed, sd_days=found.sd_days)
    for same, status in day_effects(table.loc[low], _change_days(grid)):
        table.loc[same, "status"] = status
    return table


def _on_grid(counts: pd.DataFrame, min_trials: int) -> _Counts:
    """Counts by stimulus and day; a day with fewer than ``min_trials`` trials holds none."""
    wide = counts.pivot_table(index=_WHO, columns="day", values=["n_correct", "n_trials"], aggfunc="sum", fill_value=0)
    n = wide["n_trials"].to_numpy(dtype=float)
    enough = n >= min_trials
    day = wide["n_trials"].columns.to_numpy(dtype=float)
    k = wide["n_correct"].to_numpy(dtype=float)
    return _Counts(wide.index.to_frame(index=False), day, k * enough, n * enough)


def _described(grid: _Counts, source: str) -> pd.DataFrame:
    """Who was shown on how many days; nothing tested yet."""
    shown = grid.n_trials > 0
    some = shown.any(axis=1)
    table = grid.who.assign(source=source, n_days=shown.sum(axis=1), n_trials=grid.n_trials.sum(axis=1).astype(int))
    table["first_day"] = np.where(some, grid.day[shown.argmax(axis=1)], np.nan)
    table["last_day"] = np.where(some, grid.day[shown.shape[1] - 1 - shown[:, ::-1].argmax(axis=1)], np.nan)
    blank = dict.fromkeys(set(TABLES["transitions"]) - set(table) - {"wrong_to_right", "status"}, np.nan)
    return table.assign(**blank, wrong_to_right=False, status="")


def _too_few(counts: pd.DataFrame, grid: _Counts, rule: Rule) -> np.ndarray:
    """Why each stimulus has too few days, for all of them."""
    known = counts.groupby(_WHO)["n_trials"].sum().to_numpy()
    n_days = (grid.n_trials > 0).sum(axis=1)
    told = [f"{rule.min_trials} presentations or more on {found} days; {rule.min_days} are needed" for found in n_days]
    return np.where(known == 0, f"{UNTESTABLE}: no known outcomes", [f"{UNTESTABLE}: {text}" for text in told])


def _fill(table: pd.DataFrame, rows: np.ndarray, found: StepTest, grid: _Counts) -> None:
    """Write the test into the rows that were tested."""
    from scipy.stats import false_discovery_control

    able = found.reason == ""
    table.loc[rows, "status"] = np.where(able, SMOOTH, [f"{UNTESTABLE}: {reason}" for reason in found.reason])
    rows, pick = rows[able], np.flatnonzero(able)
    for name in ("before", "after", "p"):
        table.loc[rows, name] = getattr(found, name)[pick]
    table.loc[rows, "lambda"] = found.statistic[pick]
    table.loc[rows, "q"] = false_discovery_control(found.p[pick]) if pick.size else []
    rises = found.after[pick] > found.before[pick]
    table.loc[rows, "day_of_change"] = np.where(rises, grid.day[found.position[pick]], np.nan)
    for name, day in (("smooth_first", "first_day"), ("smooth_last", "last_day")):
        x = table.loc[rows, day].to_numpy() - found.mean_day[pick]
        table.loc[rows, name] = expit(found.intercept[pick] + found.slope[pick] * x)
    table.loc[rows, "wrong_to_right"] = (found.before[pick] < 0.5) & (found.after[pick] > 0.5)


def _fill_saturating(
    table: pd.DataFrame, low: pd.Index, grid: _Counts, *, rule: Rule, seed: int, sd_days: float
) -> None:
    """Test the rows that no line explains against growth that levels off, and write what they are."""
    for row in low:
        shown = grid.n_trials[row] > 0
        counts = grid.day[shown], grid.n_correct[row, shown], grid.n_trials[row, shown]
        rng = rng_for(seed, "transitions", table["source"][row], *(table[name][row] for name in _WHO))
        p = saturation_p(*counts, sd_days=sd_days, n_bootstrap=rule.n_bootstrap, rng=rng)
        table.loc[row, "p_saturating"] = p
        table.loc[row, "status"] = ABRUPT if p <= rule.fdr else SATURATING


def _change_days(grid: _Counts) -> dict[str, int]:
    """How many days each subject has on which a step could lie."""
    shown = pd.DataFrame(grid.n_trials > 0).groupby(grid.who["subject"].to_numpy()).any().sum(axis=1)
    return {str(subject): max(int(days) - 2 * MIN_SIDE + 1, 1) for subject, days in shown.items()}


def day_effects(abrupt: pd.DataFrame, n_days: dict[str, int]) -> Iterator[tuple[pd.Index, str]]:
    """Yield the rows that change on a day on which improbably many stimuli of a subject change, and their status.

    If steps fell on the subject's ``n_days`` possible days at random, ``x`` or more of ``N`` would fall on a given
    day with the probability ``P(X >= x)``, ``X ~ Binomial(N, 1 / n_days)``; Bonferroni over the days. Two
    stimuli are never improbably many.

    Parameters
    ----------
    abrupt : rows with ``subject`` and ``day_of_change``, one per stimulus
    n_days : days on which a step could lie, by subject

    Examples
    --------
    >>> rows = pd.DataFrame({"subject": "Q", "day_of_change": [12, 12, 12, 12, 15]})
    >>> [(list(found), status) for found, status in day_effects(rows, {"Q": 9})]
    [([0, 1, 2, 3], 'day effect: 4 of 5 steps fall on day 12')]
    """
    for subject, rows in abrupt.groupby("subject"):
        for day, same in rows.groupby("day_of_change"):
            x, n_steps, n = len(same), len(rows), n_days[str(subject)]
            if x > 2 and n * bdtrc(x - 1, n_steps, 1 / n) <= DAY_EFFECT_LEVEL:
                yield same.index, f"{DAY_EFFECT}: {x} of {n_steps} steps fall on day {day:g}"
