"""How does each subject change over its overtraining sessions, and is enough of it known?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Verdict as Rule
from piriform.serial import SerialSlope, autocorrelation, serial_slope
from piriform.stats import Slope, weighted_slope
from piriform.tables import metric_of

PER_DAYS = 10.0
#: Name, stimuli and matching of a metric; its slopes by subject.
Series = tuple[str, str, str]
Slopes = dict[str, Slope]
_NO_LINE = Slope(np.nan, np.nan, np.nan, 0, 0)
_NO_SERIAL = SerialSlope(np.nan, np.nan, np.nan, 0, 0, np.nan)


def metric_slopes(window: pd.DataFrame) -> dict[Series, Slopes]:
    """Return the slopes of each metric, up meaning learning; a metric without a value has no subjects.

    A session weighs as many units as its value rests on: equal weights where counts are matched.
    """
    return {
        (str(metric), str(stimuli), str(matching)): _slopes(
            rows[rows["status"] == "ok"], sign=metric_of(str(metric)).learning or 1, weights="n_units"
        )
        for (metric, stimuli, matching), rows in window.assign(n_units=window["n_units"].clip(lower=1)).groupby(
            ["metric", "stimuli", "matching"], sort=False
        )
    }


def metric_rows(window: pd.DataFrame, key: Series) -> pd.DataFrame:
    """Return the rows of one metric that have a value, with a column ``up`` that rises with learning."""
    asked = (window[name] == wanted for name, wanted in zip(("metric", "stimuli", "matching"), key, strict=True))
    rows = window[np.logical_and.reduce([*asked, window["status"] == "ok", window["value"].notna()])]
    return rows.assign(up=(metric_of(key[0]).learning or 1) * rows["value"])


def by_subject(rows: pd.DataFrame, names: list[str]) -> dict[str, pd.DataFrame]:
    """Return the rows of each named subject that has any, in the order of days."""
    found = {str(name): part.sort_values(["day", "session"]) for name, part in rows.groupby("subject")}
    return {name: found[name] for name in names if name in found}


def serial_slopes(rows: pd.DataFrame) -> dict[str, SerialSlope]:
    """Return slopes per 10 days whose errors allow for days that are alike, as much as they are in all subjects."""
    parts = {str(name): part for name, part in rows.groupby("subject")}
    rho = autocorrelation([(part["day"], part["up"]) for part in parts.values()])
    return {
        name: serial_slope(part["day"], part["up"], weights=np.maximum(part["n_units"], 1), rho=rho, per=PER_DAYS)
        for name, part in parts.items()
    }


def window_mean(rows: pd.DataFrame, names: list[str]) -> float:
    """Return the mean over subjects of each one's mean value, sessions weighed by their units; NaN without any."""
    means = [
        np.average(part["value"], weights=np.maximum(part["n_units"], 1)) for part in by_subject(rows, names).values()
    ]
    return float(np.mean(means)) if means else np.nan


def behavior_slopes(behaved: pd.DataFrame) -> Slopes:
    """Return the slopes of accuracy by subject; a day weighs as much as it has trials."""
    return _slopes(behaved, value="accuracy", weights="n_trials")


def sampling_sd(behaved: pd.DataFrame) -> float:
    """Return the root mean square over subjects of the binomial standard error of the slope of accuracy.

    ``se^2 = p (1 - p) / sum(n (x - mean x)^2)``, x in units of 10 days, n trials on each day,
    ``p = (k + 1/2) / (sum n + 1)`` over the window.
    """
    squares = []
    for _, part in behaved[behaved["accuracy"].notna()].groupby("subject"):
        n, x = part["n_trials"].to_numpy(dtype=float), part["day"].to_numpy(dtype=float) / PER_DAYS
        p = (np.sum(part["accuracy"] * n) + 0.5) / (n.sum() + 1)
        squares.append(p * (1 - p) / np.sum(n * (x - np.average(x, weights=n)) ** 2))
    return float(np.sqrt(np.mean(squares))) if squares else 0.0


def subject_trends(
    metrics: pd.DataFrame,
    behavior: pd.DataFrame,
    *,
    neural: dict[Series, Slopes],
    acting: Slopes,
    serial: Mapping[str, SerialSlope],
    rule: Rule,
) -> list[dict[str, Any]]:
    """Return one mapping per subject: its slopes, its window, and whether it enters the group tests.

    Parameters
    ----------
    metrics, behavior : the tables ``metrics`` (of one source) and ``behavior`` (class ``all``)
    neural, acting : the slopes over the overtraining sessions
    serial : the slopes of the primary metric whose errors allow for days that are alike
    rule : settings of the verdict
    """
    main, fixed = (neural.get((rule.primary, stimuli, "matched"), {}) for stimuli in ("all", "fixed"))
    return [
        _subject(
            name,
            *(table[table["subject"] == name] for table in (metrics, behavior)),
            slopes={
                "": main.get(name, _NO_LINE),
                "behavior_": acting.get(name, _NO_LINE),
                "fixed_": fixed.get(name, _NO_LINE),
            },
            serial=serial.get(name, _NO_SERIAL),
            rule=rule,
        )
        for name in sorted({*metrics["subject"], *behavior["subject"]})
    ]


def _slopes(rows: pd.DataFrame, *, value: str = "value", weights: str | None = None, sign: int = 1) -> Slopes:
    rows = rows[rows[value].notna()]
    return {
        str(subject): weighted_slope(
            part["day"] / PER_DAYS,
            sign * part[value],
            weights=None if weights is None else part[weights],
        )
        for subject, part in rows.groupby("subject")
    }


def _subject(
    name: str, metrics: pd.DataFrame, behavior: pd.DataFrame, *, slopes: Slopes, serial: SerialSlope, rule: Rule
) -> dict[str, Any]:
    """One subject's slopes, and whether it enters the group tests or why not."""
    days = pd.concat([table.loc[table["phase"] == "overtraining", "day"] for table in (metrics, behavior)])
    plateau = behavior["plateau_day"].dropna()
    reason = "; ".join(_lacks(metrics, behavior, slopes, rule))
    numbers = {
        f"{kind}{field}": value
        for kind, line in slopes.items()
        for field, value in (("slope", line.slope), ("ci", line.interval()), ("n_sessions", line.n))
    }
    return {
        "subject": name,
        **numbers,
        "p": slopes[""].p,
        **_serial(serial),
        "window": [int(days.min()), int(days.max())] if len(days) else None,
        "plateau_day": float(plateau.iloc[0]) if len(plateau) else np.nan,
        "included": not reason,
        "reason": reason,
    }


def _serial(line: SerialSlope) -> dict[str, Any]:
    """The slope that allows for days that are alike, and what could not be known about it."""
    note = ""
    if not line.se > 0:
        note = "no standard error: fewer than 3 sessions, or values that do not vary"
    elif not np.isfinite(line.rho):
        note = "days could not be compared with each other and count as independent"
    numbers = {"slope": line.slope, "se": line.se, "ci": line.interval(), "p": line.p, "note": note}
    return {f"serial_{name}": value for name, value in numbers.items()} | {"rho": line.rho}


def _lacks(metrics: pd.DataFrame, behavior: pd.DataFrame, slopes: Slopes, rule: Rule) -> list[str]:
    """What keeps one subject out of the group tests."""
    window, behaved = (table[table["phase"] == "overtraining"] for table in (metrics, behavior))
    n_sessions = len({*window["session"], *behaved["session"]})
    if not n_sessions:
        no_plateau = ", and behaviour has no plateau" if behavior["plateau_day"].isna().all() else ""
        return [f"no overtraining session{no_plateau}"]
    rows = window[(window["metric"] == rule.primary) & (window["stimuli"] == "all") & (window["matching"] == "matched")]
    states = "; ".join(sorted({*rows["status"]} - {"ok"}))
    lacks = []
    for line, what, why in ((slopes[""], rule.primary, states), (slopes["behavior_"], "behaviour", "")):
        if line.n < rule.min_sessions:
            known = f"{what} is known in {line.n} of {n_sessions} overtraining sessions"
            lacks.append(f"{known}{f' ({why})' if why else ''}, {rule.min_sessions} needed")
        elif not np.isfinite(line.slope):
            lacks.append(f"{what} is known on one day only")
    return lacks
