"""How small a change could this study have found, and what would more subjects or more days have found?

The variance of the subjects' slopes is split into sampling error, which shrinks with the number of
sessions, and true differences between subjects, which only more subjects average out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri, nctdtr, ndtr, stdtrit

from piriform.config import Verdict as Rule
from piriform.errors import PiriformError, TableError
from piriform.spread import Scatter, slope_scatter, sum_of_squares
from piriform.stats import smallest_detectable
from piriform.tables import POOLED, check_table, metric_of
from piriform.trends import behavior_slopes, metric_rows, sampling_sd, window_mean

POWER = 0.8
SUBJECTS = (4, 6, 8, 12)
ASSUMES = (
    "Slopes are normal over subjects, and sessions vary about each subject's line independently and alike; days that "
    "resemble their neighbours make more days worth less than is said here.",
    "True differences between subjects are what the observed slopes scatter beyond their sampling error. Few subjects "
    "tell little about them: the range goes from the least to the largest that this study leaves open.",
    "More sessions are spaced as those of this study and carry as many units and trials; the change goes on as a "
    "straight line.",
    "The primary metric alone is looked at: the verdict also needs flat behaviour, and a rise on the fixed stimuli where "
    "there are any.",
)


def power_of_t(effect: float, sd: float, n: int, *, alpha: float = 0.05) -> float:
    """Return how often the one-sided t-test of n slopes with this mean and SD says that they rise.

    Examples
    --------
    >>> round(power_of_t(1.65, 1.0, 4), 2), round(power_of_t(0.0, 1.0, 4), 3)
    (0.8, 0.05)
    """
    return float(1 - nctdtr(n - 1, effect * np.sqrt(n) / sd, stdtrit(n - 1, 1 - alpha)))


def chance_of_flat(sd: float, n: int, *, bound: float, alpha: float = 0.05, min_sd: float = 0.0) -> float:
    """Return how often two one-sided t-tests call n slopes with mean 0 and this SD flat.

    ``E[max(0, 2 Phi((bound - t s / sqrt(n)) sqrt(n) / sd) - 1)]`` over the sample SD s, at least
    ``min_sd``, which is independent of the mean.

    Examples
    --------
    >>> round(chance_of_flat(0.001, 4, bound=0.05), 3), round(chance_of_flat(1.0, 4, bound=0.05), 3)
    (1.0, 0.0)
    """
    share = (np.arange(4000) + 0.5) / 4000
    s = np.maximum(sd * np.sqrt(chdtri(n - 1, share) / (n - 1)), min_sd)
    room = bound * np.sqrt(n) - stdtrit(n - 1, 1 - alpha) * s
    return float(np.mean(np.where(room > 0, 2 * ndtr(room / sd) - 1, 0.0))) if sd > 0 else float(np.mean(room > 0))


def study_power(
    metrics: pd.DataFrame,
    behavior: pd.DataFrame | None,
    *,
    verdict: Rule,
    source: str = "neural",
    subjects: Sequence[int] = SUBJECTS,
    days: int | None = None,
) -> dict[str, Any]:
    """Return the smallest change that this study, and others like it, would find in 80% of cases.

    Parameters
    ----------
    metrics, behavior : the tables of a study; without ``behavior`` its test is left out
    verdict : the rule: primary metric, level, bound
    subjects : numbers of subjects to tell of
    days : overtraining sessions per subject; this study's, and twice as many, if not given

    Returns
    -------
    dict
        ``metric``, ``unit``, ``alpha``, ``power``, ``mean`` of the metric in the window; ``scatter`` of its
        slopes and ``behavior_scatter``; ``designs``, the first of them this study: ``n_subjects``,
        ``n_sessions``, ``smallest`` change per 10 days, its ``range`` (with the least and the
        largest true differences between subjects that a 90% interval leaves open), ``percent`` of the mean, ``flat`` (chance that flat behaviour passes);
        ``assumes`` and ``notes``, in words.

    Raises
    ------
    TableError
        If the primary metric has no value in the window.
    PiriformError
        If there are not enough subjects, the slopes do not differ, or a design makes no sense.
    """
    _check_designs(subjects, days)
    rows = _primary_rows(metrics, verdict.primary, source)
    scatter = slope_scatter(rows, value="up", weights="n_units", min_sessions=verdict.min_sessions)
    if not scatter.here > 1e-9 * rows["up"].abs().max():
        raise PiriformError(
            f"{verdict.primary}: all slopes are equal and fit exactly; there is no scatter to plan with"
        )
    mean = window_mean(rows, sorted({*rows["subject"]}))
    acted, floor, notes = _behavior_scatter(behavior, rows, verdict)
    if not mean > 0:
        notes.append(f"the mean of {verdict.primary} in the window is not above 0: no percentage")
    if scatter.observed < scatter.sampling:
        notes.append(
            "the slopes of this study scatter less than its sessions make slopes scatter; the larger SD is used here, the "
            "observed one in verdict.json"
        )
    own = round(scatter.n_sessions)
    plans = [(n, d) for d in ([days] if days else [own, 2 * own]) for n in subjects]
    plans = [plan for plan in plans if plan != (scatter.n_subjects, scatter.n_sessions)]
    designs = [_design(scatter, acted, scatter.n_subjects, None, mean=mean, floor=floor, rule=verdict)]
    designs += [_design(scatter, acted, n, d, mean=mean, floor=floor, rule=verdict) for n, d in plans]
    return {
        "metric": verdict.primary,
        "unit": f"{metric_of(verdict.primary).unit} per 10 days".strip(),
        "alpha": verdict.alpha,
        "bound": verdict.behavior_bound,
        "power": POWER,
        "mean": mean,
        "scatter": vars(scatter),
        "behavior_scatter": vars(acted) if acted else None,
        "designs": designs,
        "assumes": list(ASSUMES),
        "notes": notes,
    }


def power_lines(found: dict[str, Any]) -> str:
    """Return what :func:`study_power` found as text: a table, and what it rests on."""
    scatter = found["scatter"]
    head = f"{'subjects':>8}  {'sessions':>8}  {'smallest change':>15}  {'range':>17}  {'% of mean':>9}  {'flat passes':>11}"
    lines = [
        f"Smallest change of {found['metric']} ({found['unit']}) that is found in {found['power']:.0%} of cases, "
        f"one-sided p <= {found['alpha']:g}:",
        "",
        head,
    ]
    for number, row in enumerate(found["designs"]):
        span = f"{row['range'][0]:.3g} to {row['range'][1]:.3g}"
        percent = f"{row['percent']:.0f}" if np.isfinite(row["percent"]) else "-"
        flat = f"{row['flat']:.0%}" if np.isfinite(row["flat"]) else "-"
        own = "  this study" if number == 0 else ""
        lines.append(
            f"{row['n_subjects']:>8}  {row['n_sessions']:>8.4g}  {row['smallest']:>15.3g}  {span:>17}  {percent:>9}  {flat:>11}{own}"
        )
    lines += [
        "",
        f"SD of the subjects' slopes: {scatter['observed']:.3g} observed; {scatter['sampling']:.3g} from sessions, "
        f"{scatter['between']:.3g} from true differences between subjects.",
        f"Flat passes: how often behaviour that is flat on average is shown to be, within {found['bound']:g} per 10 days.",
        "",
        *(f"- {text}" for text in [*found["assumes"], *(f"{note[0].upper()}{note[1:]}." for note in found["notes"])]),
    ]
    return "\n".join(lines)


def _design(
    scatter: Scatter, acted: Scatter | None, n: int, sessions: int | None, *, mean: float, floor: float, rule: Rule
) -> dict[str, Any]:
    """What one number of subjects and sessions would find; ``sessions`` None: the study's own days."""
    least, *ends = (
        smallest_detectable(one.here if sessions is None else one.slope_sd(sessions), n, alpha=rule.alpha, power=POWER)
        for one in (scatter, *scatter.limits())
    )
    flat = np.nan
    if acted:
        shrink = np.sqrt(sum_of_squares(acted.n_sessions, 1) / sum_of_squares(sessions, 1)) if sessions else 1.0
        flat_sd = acted.here if sessions is None else acted.slope_sd(sessions)
        flat = chance_of_flat(flat_sd, n, bound=rule.behavior_bound, alpha=rule.alpha, min_sd=floor * float(shrink))
    return {
        "n_subjects": n,
        "n_sessions": scatter.n_sessions if sessions is None else sessions,
        "smallest": least,
        "range": ends,
        "percent": 100 * least / mean if mean > 0 else np.nan,
        "flat": flat,
    }


def _primary_rows(metrics: pd.DataFrame, primary: str, source: str) -> pd.DataFrame:
    metrics = check_table(metrics, "metrics")
    metrics = metrics[(metrics["source"] == source) & (metrics["subject"] != POOLED)]
    rows = metric_rows(metrics[metrics["phase"] == "overtraining"], (primary, "all", "matched"))
    if rows.empty:
        there = ", ".join(sorted({*metrics["metric"]})) or "no metric"
        raise TableError(f"metrics.csv: {primary} has no value in overtraining; the table holds {there}")
    return rows


def _behavior_scatter(
    behavior: pd.DataFrame | None, rows: pd.DataFrame, rule: Rule
) -> tuple[Scatter | None, float, list[str]]:
    """The scatter of behaviour's slopes, the least that trials allow, and why there is none."""
    if behavior is None:
        return None, 0.0, ["there is no table of behaviour: its test is left out"]
    table = check_table(behavior, "behavior")
    table = table[(table["class"] == "all") & (table["phase"] == "overtraining") & table["accuracy"].notna()]
    table = table[table["subject"].isin(set(rows["subject"]))]
    long = [name for name, line in behavior_slopes(table).items() if line.n >= rule.min_sessions]
    table = table[table["subject"].isin(long)]
    try:
        scatter = slope_scatter(table, value="accuracy", weights="n_trials", min_sessions=rule.min_sessions)
    except PiriformError as error:
        return None, 0.0, [f"behaviour: {error}"]
    return scatter, sampling_sd(table), []


def _check_designs(subjects: Sequence[int], days: int | None) -> None:
    if not subjects or min(subjects) < 2:
        raise PiriformError(f"subjects: {', '.join(map(str, subjects)) or 'none'}; a group test needs 2 or more")
    if days is not None and days < 3:
        raise PiriformError(f"days: {days}; a slope with an error needs 3 or more")
