"""What do many studies say together? Shares of verdicts with exact binomial intervals, and the bars they must keep."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from piriform.calibrate.tables import NAIVE
from piriform.simulate import HIDDEN_PROGRESS, SCENARIOS

#: Share of studies in which the verdict may be hidden progress where there is none, whatever the config's level.
MOST_FALSE_ALARMS = 0.05
#: Share in which it must be hidden progress where there is.
LEAST_POWER = {"growth_small": 0.25, "growth_medium": 0.55, "growth_large": 0.80}


def binomial_interval(k: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper & Pearson 1934); NaN without trials.

    Examples
    --------
    >>> [round(end, 4) for end in binomial_interval(0, 20)]  # the upper end is 1 - .025 ** (1 / 20)
    [0.0, 0.1684]
    """
    if not n:
        return np.nan, np.nan
    tail = (1 - level) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def calibration_table(studies: pd.DataFrame, *, alpha: float = 0.05) -> pd.DataFrame:
    """Return one row per scenario.

    Parameters
    ----------
    studies : one row per study, see :func:`piriform.calibrate.studies.study_row`
    alpha : level of the tests of the verdict

    Returns
    -------
    DataFrame with columns
        ``scenario``; ``kind``: ``power`` or ``false alarms``; ``studies``; ``hidden_progress`` (the
        share of this verdict), ``low``, ``high`` (its exact 95% interval), the same with suffix
        ``_no_fixed`` for studies without fixed stimuli; ``not_enough_data``, ``improving``: shares of
        these verdicts; ``primary``, ``fixed``, ``flat``: share in which the part passes;
        ``effect``: mean over studies of the group's slope; ``coverage``: share of 95% intervals that
        hold this mean, ``coverage_low``, ``coverage_high``; ``naive_...``: share in which the
        group test of a naive metric says that it rises; ``bar`` and ``met`` (``yes``, ``no``, or
        empty where there is no bar). A test that could not be made counts as not passed.
    """
    groups = {str(name): rows for name, rows in studies.groupby("scenario", sort=False)}
    order = [name for name in SCENARIOS if name in groups]
    return pd.DataFrame([_row(name, groups[name], alpha) for name in order])


def verdict_on(row: Any) -> str:
    """Return whether a row of the table keeps its bar: ``yes``, ``no``, or empty where it has none.

    False alarms keep it if the interval reaches down to it, power if the share does.
    """
    if np.isnan(row["bar"]):
        return ""
    kept = row["low"] <= row["bar"] if row["kind"] == "false alarms" else row["hidden_progress"] >= row["bar"]
    return "yes" if kept else "no"


def text_lines(table: pd.DataFrame) -> list[str]:
    """Return the table for a terminal, one line per scenario."""
    head = f"{'scenario':<16} {'studies':>7}  hidden progress       without fixed stimuli  bar"
    lines = [head]
    for _, row in table.iterrows():
        shares = [
            f"{row[f'hidden_progress{end}']:5.3f} ({row[f'low{end}']:.3f}-{row[f'high{end}']:.3f})"
            for end in ("", "_no_fixed")
        ]
        lines.append(f"{row['scenario']:<16} {row['studies']:>7}  {shares[0]:<21} {shares[1]:<22} {bar_text(row)}")
    return lines


def bar_text(row: Any) -> str:
    """Return the bar of a row in words, and whether it is kept."""
    if np.isnan(row["bar"]):
        return ""
    side = "at most" if row["kind"] == "false alarms" else "at least"
    return f"{side} {row['bar']:.2f}: {row['met']}"


def _row(scenario: str, rows: pd.DataFrame, alpha: float) -> dict[str, Any]:
    row: dict[str, Any] = {
        "scenario": scenario,
        "kind": "power" if scenario in HIDDEN_PROGRESS else "false alarms",
        "studies": len(rows),
    }
    for end in ("", "_no_fixed"):
        row |= _share(rows[f"verdict{end}"] == "hidden progress", ("hidden_progress", "low", "high"), end)
    for name, verdict in (("not_enough_data", "not enough data"), ("improving", "behaviour still improving")):
        row[name] = float((rows["verdict"] == verdict).mean())
    for name, column in (("primary", "p"), ("fixed", "fixed_p"), ("flat", "flat_p")):
        row[name] = float((rows[column] <= alpha).mean())
    known = rows[np.isfinite(rows["ci_low"]) & np.isfinite(rows["ci_high"])]
    row["effect"] = effect = float(known["effect"].mean()) if len(known) else np.nan
    held = (known["ci_low"] <= effect) & (effect <= known["ci_high"])
    row |= _share(held, ("coverage", "coverage_low", "coverage_high"), "")
    row |= {f"naive_{name}": float((rows[f"naive_{name}"] <= alpha).mean()) for name in NAIVE}
    row["bar"] = LEAST_POWER.get(scenario, np.nan) if row["kind"] == "power" else MOST_FALSE_ALARMS
    return row | {"met": verdict_on(row)}


def _share(passed: pd.Series, names: tuple[str, str, str], end: str) -> dict[str, float]:
    k, n = int(passed.sum()), len(passed)
    values = (k / n if n else np.nan, *binomial_interval(k, n))
    return {f"{name}{end}": value for name, value in zip(names, values, strict=True)}
