"""How well does the animal do in each session?

Accuracy per session and class with intervals, the latency of correct choices, and the subject's first
day on the plateau of its learning curve.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Plateau
from piriform.intervals import mean_interval
from piriform.learning_curve import plateau_day
from piriform.tables import check_table

_WHO = ["subject", "session", "day", "phase"]
_ROW = [*_WHO, "class", "n_trials", "accuracy", "ci_low", "ci_high", "latency_s", "_n_fit"]


def behavior_table(sessions: Sequence[tuple[Mapping[str, Any], pd.DataFrame]], *, plateau: Plateau) -> pd.DataFrame:
    """Return the table ``behavior``: one row per session and class, and one for class ``all``.

    Parameters
    ----------
    sessions : pairs of
        a mapping with ``subject``, ``session``, ``day`` and ``phase``, and the session's trials
        with the columns ``class``, ``correct`` (1, 0, NaN unknown) and ``latency`` (s).
    plateau : settings of the plateau's rule

    Returns
    -------
    DataFrame
        ``all`` is balanced accuracy, the mean over target and nontarget (over every class but the
        probes where a study has no such classes); it is NaN if one of them has no outcome, and its
        interval is that of :func:`piriform.intervals.mean_interval`. A session in which no outcome
        is known has the one row ``all`` with ``n_trials`` 0. ``plateau_day`` is the subject's, from
        its ``all`` rows.
    """
    rows = [row for who, trials in sessions for row in _session_rows(who, trials)]
    table = pd.DataFrame(rows, columns=_ROW)
    table["plateau_day"] = np.nan
    for subject, part in table[table["class"] == "all"].groupby("subject"):
        found = plateau_day(
            *(part[name].to_numpy(dtype=float) for name in ("day", "accuracy", "_n_fit")),
            fraction=plateau.fraction,
            min_rise=plateau.min_rise,
        )
        table.loc[table["subject"] == subject, "plateau_day"] = found.day
    return check_table(table.drop(columns="_n_fit"), "behavior")


def _session_rows(who: Mapping[str, Any], trials: pd.DataFrame) -> list[dict[str, Any]]:
    head = {name: who[name] for name in _WHO}
    trials = trials[trials["class"] != ""]
    names = [str(name) for name in dict.fromkeys(trials["class"])]
    known = trials[trials["correct"].notna()]
    if known.empty:
        return [head | {"class": "all"} | _row([])]
    groups = {name: known[known["class"] == name] for name in names}
    parts = [groups.get(name, known.iloc[:0]) for name in _trained(names)]
    return [head | {"class": name} | _row([group]) for name, group in groups.items()] + [
        head | {"class": "all"} | _row(parts)
    ]


def _trained(names: list[str]) -> list[str]:
    if {"target", "nontarget"} & set(names) or "probe" in names:
        return ["target", "nontarget"]
    return names


def _row(parts: list[pd.DataFrame]) -> dict[str, Any]:
    """Counts, accuracy and latency over classes of equal weight; ``_n_fit`` trials tell as much in one class."""
    k = [float(part["correct"].sum()) for part in parts]
    n = [len(part) for part in parts]
    latency = [part.loc[part["correct"] == 1, "latency"].dropna() for part in parts]
    late = pd.concat(latency).to_numpy(dtype=float) if latency else np.empty(0)
    accuracy, low, high = mean_interval(k, n)
    return {
        "n_trials": sum(n),
        "accuracy": accuracy,
        "ci_low": low,
        "ci_high": high,
        "latency_s": float(np.median(late)) if late.size else np.nan,
        "_n_fit": len(n) ** 2 / sum(1 / count for count in n) if n and min(n) > 0 else 0.0,
    }
