"""Would another window, or another bound for flat behaviour, have said the same? It is shown, and decides nothing."""

from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Plateau
from piriform.config import Verdict as Rule
from piriform.effects import group_effect
from piriform.learning_curve import plateau_day
from piriform.stats import GroupMean, equivalence, group_mean
from piriform.trends import Series, Slopes, behavior_slopes, metric_slopes, sampling_sd

BOUNDS = (0.04, 0.08)


def behavior_test(slopes: Slopes, behaved: pd.DataFrame, names: list[str], rule: Rule) -> tuple[GroupMean, Any]:
    """Return whether behaviour rises, and whether it is flat.

    The trials' sampling error is the least that the slopes can scatter.
    """
    values = [slopes[name].slope for name in names if name in slopes]
    n, floor = rule.min_subjects, sampling_sd(behaved[behaved["subject"].isin(names)])
    flat = equivalence(values, bound=rule.behavior_bound, alpha=rule.alpha, min_n=n, min_sd=floor)
    return group_mean(values, min_n=n, min_sd=floor), flat


def sensitivity(
    metrics: pd.DataFrame,
    behavior: pd.DataFrame,
    *,
    names: list[str],
    acting: Slopes,
    rule: Rule,
    plateau: Plateau,
) -> list[dict[str, Any]]:
    """Return the tests that decide, with one choice changed at a time.

    Parameters
    ----------
    metrics, behavior : all sessions: one source, the class ``all``
    names : subjects that enter the verdict
    acting : slopes of behaviour in the verdict's window
    plateau : settings of the plateau's rule

    Returns
    -------
    list
        Mappings with ``changed``, ``part`` (``primary`` or ``behavior``), ``effect``, ``ci``, ``level``,
        ``p``, ``passes``, ``n_subjects``, ``note``. The other window begins in each subject on the latest
        day on which its plateau can have begun (:func:`piriform.learning_curve.plateau_day`).
    """
    starts = latest_starts(behavior, plateau)
    late = [table[table["day"] >= table["subject"].map(starts).astype(float)] for table in (metrics, behavior)]
    changed = "window from the latest start of the plateau on"
    key: Series = (rule.primary, "all", "matched")
    slopes, acted = metric_slopes(late[0][late[0]["metric"] == rule.primary]), behavior_slopes(late[1])
    entering = [name for name in acted if acted[name].n >= rule.min_sessions and np.isfinite(acted[name].slope)]
    primary = group_effect(key, slopes.get(key, {}), entering, rule)
    kept = [name for name in entering if _enough(slopes.get(key, {}), name, rule)]
    rows = [
        {"changed": changed, "part": "primary", "passes": primary["rises"], "first_days": starts}
        | {name: primary[name] for name in ("effect", "ci", "level", "p", "n_subjects", "note")},
        {"changed": changed, "part": "behavior"} | _flat(acted, late[1], kept, rule),
    ]
    inside = behavior[behavior["phase"] == "overtraining"]
    for bound in BOUNDS:
        other = rule.model_copy(update={"behavior_bound": bound})
        rows.append(
            {"changed": f"bound ±{bound:g} per 10 days", "part": "behavior"} | _flat(acting, inside, names, other)
        )
    return rows


def latest_starts(behavior: pd.DataFrame, plateau: Plateau) -> dict[str, float]:
    """Return the latest day on which each subject's plateau can have begun; a subject without a plateau is left out."""
    starts = {}
    for subject, part in behavior.groupby("subject"):
        day, accuracy, n_trials = (part[name].to_numpy(dtype=float) for name in ("day", "accuracy", "n_trials"))
        found = plateau_day(day, accuracy, n_trials, fraction=plateau.fraction, min_rise=plateau.min_rise)
        if np.isfinite(found.day) and np.isfinite(found.upper):
            starts[str(subject)] = float(np.ceil(found.upper))
    return starts


def _flat(slopes: Slopes, behaved: pd.DataFrame, names: list[str], rule: Rule) -> dict[str, Any]:
    _, flat = behavior_test(slopes, behaved, names, rule)
    told = {"effect": flat.mean, "ci": flat.interval, "level": 1 - 2 * rule.alpha, "p": flat.p}
    return told | {"passes": flat.equivalent, "n_subjects": flat.n, "note": flat.note}


def _enough(slopes: Slopes, name: str, rule: Rule) -> bool:
    return name in slopes and slopes[name].n >= rule.min_sessions and bool(np.isfinite(slopes[name].slope))
