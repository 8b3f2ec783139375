"""Which rows does a panel show? Selections and averages of tidy tables, made before anything is drawn."""

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from piriform.errors import TableError
from piriform.tables import METRICS, POOLED, Metric, metric_of

LABELS = {
    "decoding_auc": "decoding AUC",
    "separation_modulation": "separation (modulation)",
    "separation_dprime": "separation d′",
    "separation_crossnobis": "separation (crossnobis)",
    "similarity_dot": "target–nontarget dot product",
    "similarity_dot_cv": "dot product, split-half",
    "similarity_cosine": "target–nontarget cosine",
    "margin_heldout": "held-out margin",
    "margin_heldout_p05": "margin, 5th percentile",
    "margin_soft": "soft margin 1/|w|, in sample",
    "margin_hard": "hard margin, in sample",
    "generalization_stimulus": "generalization, new stimulus",
    "generalization_probe": "generalization, probes",
    "generalization_time": "generalization, later trials",
    "generalization_day": "generalization, day to day",
    "ccgp": "generalization, CCGP",
    "selectivity": "class selectivity",
    "sparseness_lifetime": "sparseness, lifetime",
    "sparseness_population": "sparseness, population",
}


def groups(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each name in a column and its rows, names in order."""
    for name, rows in table.groupby(column, sort=True):
        yield str(name), rows


def label_of(metric: str) -> str:
    """Return a metric's name for readers.

    Examples
    --------
    >>> label_of("decoding_accuracy"), label_of("generalization_probe_1")
    ('decoding accuracy', 'generalization, probe 1')
    """
    if metric in LABELS:
        return LABELS[metric]
    if metric.startswith("generalization_probe_"):
        return "generalization, probe " + metric.removeprefix("generalization_probe_").replace("_", " ")
    return metric.replace("_", " ")


def declared(metric: str) -> Metric:
    """Return what is declared about a metric; for one that nobody declared, no null and no direction."""
    try:
        return metric_of(metric)
    except TableError:
        return Metric(metric, None, 0)


def primary_of(verdict: Any) -> str:
    """Return the name of the metric that decides."""
    return (verdict.get("primary") or {}).get("metric") or "separation_modulation"


def one_session_each(table: pd.DataFrame) -> bool:
    """Return whether no subject has more than one session, so that nothing can be drawn over days."""
    return table.empty or int(table.groupby("subject")["session"].nunique().max()) <= 1


def metric_order(table: pd.DataFrame, primary: str) -> list[str]:
    """Return the metrics that have a value on all stimuli, the primary first, then as they are declared."""
    names = in_order(table.loc[table["value"].notna() & (table["stimuli"] == "all"), "metric"])
    return sorted(names, key=lambda name: name != primary)


def in_order(names: Iterable[str]) -> list[str]:
    """Return each metric once, in the order of declaration; single probes after all probes together.

    Examples
    --------
    >>> in_order(["ccgp", "generalization_probe_1", "decoding_auc", "ccgp"])
    ['decoding_auc', 'generalization_probe_1', 'ccgp']
    """
    places = {name: float(place) for place, name in enumerate(METRICS)}
    probes = places["generalization_probe"] + 0.5
    return sorted(set(names), key=lambda name: (places.get(name, probes if "_probe_" in name else len(places)), name))


def time_course(metrics: pd.DataFrame, metric: str, *, stimuli: str = "all") -> pd.DataFrame:
    """Return one metric's matched values, or those of full sessions if there are no matched ones.

    Columns as in ``metrics.csv``, sorted by subject and day; rows without a value stay as gaps.
    """
    rows = metrics[(metrics["metric"] == metric) & (metrics["stimuli"] == stimuli)]
    matched, full = (rows[rows["matching"] == kind] for kind in ("matched", "full"))
    chosen = matched if matched["value"].notna().any() else full
    return chosen.sort_values(["subject", "day", "session"], kind="stable").reset_index(drop=True)


def group_band(table: pd.DataFrame, value: str = "value") -> pd.DataFrame:
    """Return the mean over subjects and one standard error to each side, per day.

    Two sessions of a subject on one day are averaged first. A day with fewer than two subjects
    has no row.

    Returns
    -------
    DataFrame with columns ``day``, ``mean``, ``low``, ``high``, ``n_subjects``.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": ["Q", "R"], "day": [1, 1], "value": [1.0, 3.0]})
    >>> group_band(table).round(2).values.tolist()
    [[1.0, 2.0, 1.0, 3.0, 2.0]]
    """
    per_day = table.groupby(["day", "subject"])[value].mean().dropna().groupby("day")
    band = per_day.agg(["mean", "sem", "count"]).reset_index()
    band = band[band["count"] >= 2]
    return pd.DataFrame(
        {
            "day": band["day"],
            "mean": band["mean"],
            "low": band["mean"] - band["sem"],
            "high": band["mean"] + band["sem"],
            "n_subjects": band["count"],
        }
    ).reset_index(drop=True)


def overtraining_spans(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return each subject's first and last day of overtraining; subjects without any are left out."""
    rows = table[table["phase"] == "overtraining"]
    days = rows.groupby("subject")["day"].agg(["min", "max"])
    return {str(name): (float(row["min"]), float(row["max"])) for name, row in days.iterrows()}


def plateau_days(behavior: pd.DataFrame) -> dict[str, float]:
    """Return each subject's first day on the behavioural plateau, NaN where there is none."""
    first = behavior.groupby("subject")["plateau_day"].first()
    return {str(name): float(day) for name, day in first.items()}


def null_value(table: pd.DataFrame, metric: str, *, two_classes: bool = True) -> float | None:
    """Return where a metric's null lies, None where it has no fixed value.

    The declared one half of an accuracy holds for two classes. With more classes the mean over
    label permutations stands in; without permutations there is no value.

    Examples
    --------
    >>> null_value(pd.DataFrame({"null_mean": [0.066, 0.068]}), "decoding_accuracy", two_classes=False)
    0.067
    >>> null_value(pd.DataFrame({"null_mean": [0.49, 0.52]}), "decoding_accuracy")
    0.5
    """
    null = declared(metric).null
    if null != 0.5 or two_classes:
        return null
    permuted = table["null_mean"].dropna()
    return float(permuted.median()) if len(permuted) else None


def early_late(table: pd.DataFrame, *, n: int = 3) -> pd.DataFrame:
    """Return which sessions are early and which late, for each subject.

    The first and last ``n`` sessions of overtraining; a subject with fewer than ``2 n`` of them
    is compared between its first and its last session, and one with a single session is early.

    Returns
    -------
    DataFrame with columns ``subject``, ``session``, ``part`` (``first`` or ``last``) and
    ``label``, such as ``first 3 overtraining sessions``; empty for a single session.
    """
    rows: list[tuple[Any, ...]] = []
    for subject, sessions in _sessions(table).groupby("subject", sort=True):
        over = sessions[sessions["phase"] == "overtraining"]
        take, chosen, what = (n, over, f"{n} overtraining sessions") if len(over) >= 2 * n else (1, sessions, "session")
        parts = [("first", chosen.iloc[:take])]
        if len(chosen) >= 2 * take:
            parts.append(("last", chosen.iloc[-take:]))
        for part, found in parts:
            label = f"{part} {what}" if len(parts) > 1 else ""
            rows += [(subject, session, part, label) for session in found["session"]]
    return pd.DataFrame(rows, columns=["subject", "session", "part", "label"])


def part_labels(chosen: pd.DataFrame) -> dict[str, str]:
    """Return one label for the early and one for the late sessions of all subjects.

    Examples
    --------
    >>> rows = pd.DataFrame({"part": ["first", "first"], "label": ["first 3 sessions", "first session"]})
    >>> part_labels(rows)
    {'first': 'first sessions'}
    """
    labels = {str(part): list(dict.fromkeys(rows["label"])) for part, rows in chosen.groupby("part")}
    return {part: found[0] if len(found) == 1 else f"{part} sessions" for part, found in labels.items()}


def without_pooled(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the pseudo-population of all sessions, unless there is one session each.

    Over days it would be a subject with a single point.
    """
    if "session" not in table or one_session_each(table[table["subject"] != POOLED]):
        return table
    return table[table["subject"] != POOLED]


def first_middle_last(table: pd.DataFrame) -> pd.DataFrame:
    """Return the first, middle and last session of each subject, fewer where there are fewer.

    Returns
    -------
    DataFrame with columns ``subject``, ``session``, ``day``, ``column`` (0, 1, 2).
    """
    rows = []
    for subject, sessions in _sessions(table).groupby("subject", sort=True):
        n = len(sessions)
        for column, index in enumerate(dict.fromkeys([0, n // 2, n - 1] if n > 2 else range(n))):
            rows.append((subject, sessions["session"].iloc[index], int(sessions["day"].iloc[index]), column))
    return pd.DataFrame(rows, columns=["subject", "session", "day", "column"])


def _sessions(table: pd.DataFrame) -> pd.DataFrame:
    sessions = table[["subject", "session", "day", "phase"]].drop_duplicates()
    return sessions.sort_values(["subject", "day", "session"], kind="stable")
