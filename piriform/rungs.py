"""Which control removes a trend? The trend of the separation on each rung of the ladder of controls."""

from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Verdict as Rule
from piriform.stats import group_mean, weighted_slope
from piriform.tables import POOLED, check_table
from piriform.trends import PER_DAYS, by_subject, window_mean


def ladder_trends(
    ladder: pd.DataFrame | None, names: list[str], rule: Rule, *, source: str = "neural"
) -> list[dict[str, Any]] | None:
    """Return the group's trend on each rung; None without a table or without rows of this source.

    Slopes are per 10 days and relative to the rung's mean over the window (over subjects of each
    one's mean), so that rungs with different units compare; p is that of the slopes themselves, by
    the test that decides. A rung whose mean is not above 0 has a p but no relative effect.

    Parameters
    ----------
    ladder : the table ``ladder``
    names : subjects that enter the verdict

    Returns
    -------
    list
        Mappings with ``rung``, ``controls``, ``stimuli``, ``effect``, ``ci`` (95%), ``unit``, ``p``, ``t``,
        ``n_rising``, ``n_subjects``, ``mean`` and ``note``.
    """
    if ladder is None:
        return None
    table = check_table(ladder, "ladder")
    table = table[(table["source"] == source) & (table["subject"] != POOLED)]
    if table.empty:
        return None
    window = table[(table["phase"] == "overtraining") & (table["status"] == "ok") & table["value"].notna()]
    rungs = table[["stimuli", "rung", "controls"]].drop_duplicates().sort_values(["stimuli", "rung"])
    return [
        {"rung": int(rung), "controls": str(controls), "stimuli": str(stimuli)}
        | _trend(window[(window["stimuli"] == stimuli) & (window["rung"] == rung)], names, rule)
        for stimuli, rung, controls in rungs.itertuples(index=False)
    ]


def _trend(rows: pd.DataFrame, names: list[str], rule: Rule) -> dict[str, Any]:
    lines = [
        weighted_slope(part["day"] / PER_DAYS, part["value"], weights=np.maximum(part["n_units"], 1))
        for part in by_subject(rows, names).values()
    ]
    slopes = [line.slope for line in lines if line.n >= rule.min_sessions and np.isfinite(line.slope)]
    test, mean = group_mean(slopes, min_n=rule.min_subjects), window_mean(rows, names)
    share = 1 / mean if mean > 0 else np.nan
    no_share = "" if mean > 0 or not slopes else "the mean is not above 0; there is no relative effect"
    return {
        "effect": share * test.mean,
        "ci": [share * end for end in test.interval],
        "unit": "share of the mean per 10 days",
        "p": test.p,
        "t": test.t,
        "n_rising": sum(slope > 0 for slope in slopes),
        "n_subjects": test.n,
        "mean": mean,
        "note": "; ".join(filter(None, [no_share, test.note])),
    }
