"""How much does a metric change in the group, by the test that decides, and in a family of metrics?"""

from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Verdict as Rule
from piriform.provenance import rng_for
from piriform.resampling import family_test
from piriform.stats import GroupMean, group_mean, holm, smallest_detectable
from piriform.tables import metric_of
from piriform.trends import Series, Slopes, metric_rows, window_mean

POWER = 0.8


def group_values(slopes: Slopes, names: list[str], rule: Rule) -> dict[str, float]:
    """Return the slopes of the subjects that enter and have enough sessions of this metric."""
    found = {name: slopes[name] for name in names if name in slopes}
    return {name: line.slope for name, line in found.items() if line.n >= rule.min_sessions and np.isfinite(line.slope)}


def group_test(slopes: Slopes, names: list[str], rule: Rule) -> GroupMean:
    """Return the test that decides: the two-stage t of the subjects' slopes."""
    return group_mean(list(group_values(slopes, names, rule).values()), min_n=rule.min_subjects)


def group_effect(key: Series, slopes: Slopes, names: list[str], rule: Rule) -> dict[str, Any]:
    """Return the group's result for one metric: effect, interval, p, and what could have been found."""
    metric, test = metric_of(key[0]), group_test(slopes, names, rule)
    values = list(group_values(slopes, names, rule).values())
    enough = test.n >= rule.min_subjects
    least = smallest_detectable(test.sd, test.n, alpha=rule.alpha, power=POWER) if enough else np.nan
    return {
        **dict(zip(("metric", "stimuli", "matching"), key, strict=True)),
        "meaning": metric.meaning,
        "direction": metric.learning,
        "unit": f"{metric.unit} per 10 days".strip(),
        "effect": test.mean,
        "ci": test.interval,
        "level": 0.95,
        "p": test.p if metric.learning else np.nan,
        "rises": bool(metric.learning and test.p <= rule.alpha),
        "t": test.t,
        "sd": test.sd,
        "hedges_g": test.hedges_g,
        "n_subjects": test.n,
        "n_rising": sum(value > 0 for value in values),
        "smallest_detectable": least,
        "leave_one_out": leave_one_out(values) if enough else None,
        "note": test.note,
    }


def relative_effect(effect: dict[str, Any], window: pd.DataFrame, names: list[str]) -> dict[str, Any]:
    """Return an effect and its smallest detectable size in percent of the metric's mean in the window.

    The mean is over subjects of each one's mean; where it is not above 0 there is nothing to relate
    to, and ``note_percent`` says so.
    """
    mean = window_mean(metric_rows(window, (effect["metric"], effect["stimuli"], effect["matching"])), names)
    known = "the metric's mean in the window is not above 0; there is no percentage" if mean <= 0 else ""
    share = 100 / mean if mean > 0 else np.nan
    return {
        "window_mean": mean,
        "effect_percent": share * effect["effect"],
        "ci_percent": [share * end for end in effect["ci"]],
        "smallest_detectable_percent": share * effect["smallest_detectable"],
        "note_percent": known,
    }


def leave_one_out(values: list[float]) -> dict[str, list[float]] | None:
    """Return the range of the mean slope and of its p when each subject is left out; None below 3 subjects."""
    if len(values) < 3:
        return None
    tests = [group_mean([*values[:i], *values[i + 1 :]]) for i in range(len(values))]
    return {
        name: [min(ends), max(ends)]
        for name, ends in (("effect", [t.mean for t in tests]), ("p", [t.p for t in tests]))
    }


def secondary_effects(
    neural: dict[Series, Slopes], names: list[str], rule: Rule, *, seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return all metrics but the primary, and what is known of the family that is corrected.

    The family is the metrics with a direction, on all stimuli with matched counts. ``p_holm`` is
    Holm's correction of the two-stage t, ``p_max`` the maximum statistic of the wild bootstrap
    (Webb's weights); both are NaN outside the family.
    """
    keys = [key for key in neural if not (key[0] == rule.primary and key[2] == "matched")]
    rows = [group_effect(key, neural[key], names, rule) for key in keys]
    inside = [row["direction"] != 0 and (row["stimuli"], row["matching"]) == ("all", "matched") for row in rows]
    adjusted = holm([row["p"] if counts else np.nan for row, counts in zip(rows, inside, strict=True)])
    columns = [group_values(neural[key], names, rule) for key, counts in zip(keys, inside, strict=True) if counts]
    slopes = np.array([[column.get(name, np.nan) for column in columns] for name in names]).reshape(
        len(names), len(columns)
    )
    found = family_test(slopes, rng=rng_for(seed, "verdict", "family"), min_n=rule.min_subjects)
    largest = iter(found.p.tolist())
    told = [
        row | {"role": "secondary" if counts else "descriptive", "p_holm": float(p)}
        | {"p_max": next(largest) if counts else np.nan}
        for row, counts, p in zip(rows, inside, adjusted, strict=True)
    ]  # fmt: skip
    family = {
        "n_metrics": int(np.isfinite(found.p).sum()),
        "n_subjects": found.n,
        "smallest_p": found.smallest_p,
        "note": found.note if columns else "no metric stands in the family",
    }
    return told, family
