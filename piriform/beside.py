"""What do other tests say about the primary metric? They are shown beside the one that decides, and decide nothing.

How often each is wrong is in ``docs/group_tests.md``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Verdict as Rule
from piriform.divergence import behavior_slope, divergence, relative_slope
from piriform.group_tests import hartung_knapp
from piriform.mixed import mixed_slope
from piriform.prevalence import partial_conjunction, prevalence
from piriform.provenance import rng_for
from piriform.resampling import Resampled, hierarchical_bootstrap, wild_bootstrap
from piriform.serial import SerialSlope
from piriform.stats import GroupMean
from piriform.tables import metric_of
from piriform.trends import PER_DAYS, by_subject

#: Metrics that grow as the square of d'; half of their relative change is that of d'.
SQUARED = ("separation_crossnobis", "separation_modulation")


def beside_tests(
    rows: pd.DataFrame,
    values: Mapping[str, float],
    *,
    serial: Mapping[str, SerialSlope],
    unit: str,
    rule: Rule,
    seed: int,
) -> list[dict[str, Any]]:
    """Return the other tests of the mean slope of the primary metric, one mapping per test.

    Parameters
    ----------
    rows : the metric's rows in the window, from :func:`piriform.trends.metric_rows`
    values : the slope of each subject that enters
    serial : slopes whose errors allow for days that are alike
    unit : unit of the slopes
    seed : for the bootstraps

    Returns
    -------
    list
        Each with ``test``, ``what`` it does, ``effect``, ``ci`` (95%), ``unit``, ``p`` (one-sided),
        ``smallest_p`` (NaN where there is no least one), ``n_subjects`` and ``note``, which says why
        there is no p.
    """
    series = [(part["day"], part["up"]) for part in by_subject(rows, list(values)).values()]
    lines = [serial[name] for name in values]
    least = rule.min_subjects
    found: dict[str, tuple[str, GroupMean | Resampled]] = {
        "mixed model": (
            "an intercept for each subject, a random slope, REML; t with n - 1 df",
            mixed_slope(series, per=PER_DAYS, min_n=least),
        ),
        "Hartung-Knapp": (
            "random-effects mean; a subject weighs as much as its slope is known, days alike allowed for",
            hartung_knapp([line.slope for line in lines], [line.se for line in lines], min_n=least),
        ),
        "wild bootstrap": (
            "slopes times Webb's six random weights",
            wild_bootstrap(list(values.values()), rng=rng_for(seed, "verdict", "wild bootstrap"), min_n=least),
        ),
        "hierarchical bootstrap": (
            "subjects, then days within them, drawn with replacement",
            hierarchical_bootstrap(
                series, rng=rng_for(seed, "verdict", "hierarchical bootstrap"), per=PER_DAYS, min_n=least
            ),
        ),
    }
    return [
        {
            "test": name,
            "what": what,
            "effect": test.mean,
            "ci": test.interval,
            "unit": unit,
            "p": test.p,
            "smallest_p": test.smallest_p if isinstance(test, Resampled) else np.nan,
            "n_subjects": test.n,
            "note": test.note,
        }
        for name, (what, test) in found.items()
    ]


def carried_by(serial: Mapping[str, SerialSlope], names: list[str], *, alpha: float) -> dict[str, Any]:
    """Return how many subjects carry the rise.

    Each subject's p is that of the slope which allows for days that are alike. ``k`` of ``n`` have p <=
    alpha; at least the share ``lower`` of all such animals rises (95% confidence); at least
    ``at_least`` of these subjects do (partial conjunction at level alpha, ``p_at_least`` for 1, 2, ..).
    """
    p = [serial[name].p for name in names if name in serial]
    found, conjunction = prevalence(p, alpha=alpha), partial_conjunction(p)
    short = len(names) - found.n
    note = f"{short} of {len(names)} subjects have no p of their own" if short else ""
    return {
        "k": found.k,
        "n": found.n,
        "lower": found.lower,
        "level": found.level,
        "alpha": alpha,
        "p_at_least": conjunction.tolist(),
        "at_least": int(np.sum(conjunction <= alpha)),
        "note": note if names else "no subject enters",
    }


def diverging(metric: str, rows: pd.DataFrame, behaved: pd.DataFrame, names: list[str], rule: Rule) -> dict[str, Any]:
    """Return whether neurons change faster than behaviour, both as relative changes of d' per 10 days.

    Neural: the slope of the metric as a share of its mean in the window, half of it where the metric
    grows as the square of d'. Behavioural: the slope of ``log d'``. Only for metrics that rise with
    learning from a null value of 0: other scales have no zero to be relative to.
    """
    declared = metric_of(metric)
    neural: dict[str, float] = {}
    note = f"{metric} has no scale from 0 up, on which a change is a share"
    if declared.learning == 1 and declared.null == 0:
        half = 0.5 if metric in SQUARED else 1.0
        neural = {
            name: half
            * relative_slope(part["day"], part["value"], weights=np.maximum(part["n_units"], 1), per=PER_DAYS)
            for name, part in by_subject(rows, names).items()
        }
        below = [name for name, slope in neural.items() if not np.isfinite(slope)]
        note = f"the mean of {metric} is not above 0 in {', '.join(below)}" if below else ""
    acting = {
        name: behavior_slope(part["day"], part["accuracy"], part["n_trials"], per=PER_DAYS)
        for name, part in by_subject(behaved, list(neural)).items()
    }
    lost = [name for name, slope in acting.items() if not np.isfinite(slope)]
    if lost:
        note = "; ".join(filter(None, [note, f"behaviour has no d' above 0 on two days in {', '.join(lost)}"]))
    test = divergence(neural, acting, min_n=rule.min_subjects)
    return {
        "effect": test.mean,
        "ci": test.interval,
        "level": 0.95,
        "p": test.p,
        "unit": "relative change of d′ per 10 days, neurons minus behaviour",
        "n_subjects": test.n,
        "neural": neural,
        "behavior": acting,
        "note": "; ".join(filter(None, [note, test.note])),
    }
