"""Does neural activity still change after behaviour has stopped improving? The verdict and its parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from piriform.config import Verdict as Rule
from piriform.errors import TableError
from piriform.provenance import versions
from piriform.stats import Equivalence, GroupMean, Slope, equivalence, group_mean, holm, smallest_detectable
from piriform.tables import POOLED, check_table, metric_of
from piriform.trends import (
    PER_DAYS,
    Series,
    Slopes,
    behavior_slopes,
    metric_slopes,
    sampling_sd,
    subject_trends,
)

VERDICTS = ("hidden progress", "no evidence", "behaviour still improving", "not enough data")
POWER = 0.8
METHOD = (
    "Per subject the least-squares slope over the overtraining sessions, per 10 days; over subjects a one-sided t-test "
    "of the mean slope for a neural metric, and two one-sided t-tests for behaviour. Hidden progress: behaviour is flat "
    "and the primary metric rises, on the fixed stimuli too where the study has them."
)


@dataclass(frozen=True)
class Parts:
    """The tests that decide: the primary metric, the same on fixed stimuli (if any), and behaviour."""

    primary: GroupMean
    fixed: GroupMean | None
    behavior: GroupMean
    flat: Equivalence


def detect(
    metrics: pd.DataFrame, behavior: pd.DataFrame, *, verdict: Rule, source: str = "neural", config_sha256: str = ""
) -> dict[str, Any]:
    """Return the verdict on a study and every number behind it.

    Parameters
    ----------
    metrics, behavior : the tables ``metrics`` and ``behavior``
        The window is the sessions whose phase is ``overtraining``; behaviour is the class ``all``.
        Sessions without a value drop out. A subject enters with ``min_sessions`` sessions of the
        primary metric and as many of behaviour; otherwise its ``reason`` says what it lacks. The
        pseudo-population of a study is no subject.
    verdict : the rule, fixed before looking at the data
    source : rows of ``metrics`` to use, ``neural`` or ``network``
    config_sha256 : hash of the config behind the tables

    Returns
    -------
    dict
        ``verdict`` (one of ``VERDICTS``), ``sentence``, ``reasons``, ``missing``, ``primary``,
        ``fixed`` (None where the study has no fixed stimuli), ``behavior``, ``subjects``,
        ``secondary``, ``method``, ``settings``, ``versions``, ``config_sha256``. Slopes are per 10
        days; a metric's have the sign of its learning direction: up means learning. What cannot be
        computed is NaN, with a note.

    Raises
    ------
    TableError
        If a table breaks its contract or holds a measurement twice.
    """
    metrics = _once(check_table(metrics, "metrics"), "metrics", "source", "metric", "stimuli", "matching")
    behavior = _once(check_table(behavior, "behavior"), "behavior", "class")
    metrics = metrics[(metrics["source"] == source) & (metrics["subject"] != POOLED)]
    behavior = behavior[behavior["class"] == "all"]
    window, behaved = (table[table["phase"] == "overtraining"] for table in (metrics, behavior))
    neural = metric_slopes(window)
    acting = behavior_slopes(behaved)

    subjects = subject_trends(metrics, behavior, neural=neural, acting=acting, rule=verdict)
    names = [subject["subject"] for subject in subjects if subject["included"]]
    main, fixed = (neural.get((verdict.primary, stimuli, "matched")) for stimuli in ("all", "fixed"))
    parts = Parts(
        _test(main or {}, names, verdict),
        None if fixed is None else _test(fixed, names, verdict),
        *_behavior_tests(acting, behaved, names, verdict),
    )
    missing = _missing(parts, subjects, metrics, behavior, verdict)
    answer, reasons = decide(parts, rule=verdict, missing=missing)
    result = {
        "verdict": answer,
        "reasons": reasons,
        "missing": missing,
        "primary": _described((verdict.primary, "all", "matched"), main or {}, names, verdict),
        "fixed": None if fixed is None else _described((verdict.primary, "fixed", "matched"), fixed, names, verdict),
        "behavior": _described_behavior(parts, [acting[name] for name in names], verdict),
        "subjects": subjects,
        "secondary": _secondary(neural, names, verdict),
        "method": METHOD,
        "settings": verdict.model_dump(mode="json") | {"source": source, "per_days": PER_DAYS, "power": POWER},
        "versions": versions(),
        "config_sha256": config_sha256,
    }
    return result | {"sentence": sentence(result)}


def decide(parts: Parts, *, rule: Rule, missing: list[str]) -> tuple[str, list[str]]:
    """Return the verdict and the reasons for it.

    Every part of ``hidden progress`` must pass its own test at level alpha (intersection-union),
    so that no correction is needed: a false ``hidden progress`` is at most as frequent as a false
    pass of the one part that is false.
    """
    if missing:
        return "not enough data", missing
    if not parts.flat.equivalent and parts.behavior.p <= rule.alpha:
        return "behaviour still improving", [f"behaviour rises ({_p(parts.behavior.p)})"]
    failed = [] if parts.flat.equivalent else [f"behaviour could not be shown to be flat ({_p(parts.flat.p)})"]
    for part, where in ((parts.primary, ""), (parts.fixed, " on the fixed stimuli")):
        if part is not None and not part.p <= rule.alpha:
            why = f"does not rise{where} ({_p(part.p)})" if np.isfinite(part.p) else f"is untested{where} ({part.note})"
            failed.append(f"{rule.primary} {why}")
    return ("no evidence", failed) if failed else ("hidden progress", [])


def sentence(result: dict[str, Any]) -> str:
    """Return what stands behind the verdict in one or two plain sentences."""
    primary, behavior = result["primary"], result["behavior"]
    change = (
        f"{primary['effect']:+.2g} {primary['unit']} "
        f"(95% CI {_span(primary['ci'])}, {_p(primary['p'])}, {primary['n_rising']} of {primary['n_subjects']} subjects up)"
    )
    acted = f"{behavior['effect']:+.2g} of fraction correct per 10 days, {100 * behavior['level']:.0f}% CI {_span(behavior['ci'])}"
    if result["verdict"] == "hidden progress":
        fixed = ", on the fixed stimuli too," if result["fixed"] else ""
        return f"In overtraining {primary['metric']}{fixed} goes on rising, {change}, while behaviour stays flat ({acted})."
    if result["verdict"] == "behaviour still improving":
        return f"Behaviour still improves in overtraining ({acted}), so that no neural change there is hidden progress."
    if result["verdict"] == "no evidence":
        least = primary["smallest_detectable"]
        seen = f"; a study like this finds {least:.2g} in {POWER:.0%} of cases" if np.isfinite(least) else ""
        return f"Not met: {'; '.join(result['reasons'])}. {primary['metric']} changes by {change}{seen}."
    return f"Missing: {'; '.join(line for line in result['missing'] if not line.startswith('subject '))}."


def _once(table: pd.DataFrame, kind: str, *keys: str) -> pd.DataFrame:
    twice = table[table.duplicated(["subject", "session", *keys])]
    if len(twice):
        row = twice.iloc[0]
        what = " ".join(str(row[key]) for key in keys)
        raise TableError(
            f"{kind}.csv: {what} of subject {row['subject']!r}, session {row['session']!r} is there twice; keep one row"
        )
    return table


def _values(slopes: Slopes, names: list[str], rule: Rule) -> list[float]:
    """The slopes of the subjects that enter and have enough sessions of this metric."""
    found = [slopes[name] for name in names if name in slopes]
    return [line.slope for line in found if line.n >= rule.min_sessions and np.isfinite(line.slope)]


def _test(slopes: Slopes, names: list[str], rule: Rule) -> GroupMean:
    return group_mean(_values(slopes, names, rule), min_n=rule.min_subjects)


def _behavior_tests(
    slopes: Slopes, behaved: pd.DataFrame, names: list[str], rule: Rule
) -> tuple[GroupMean, Equivalence]:
    """Does behaviour rise, and is it flat? The trials' sampling error is the least the slopes can scatter."""
    values = [slopes[name].slope for name in names]
    n, floor = rule.min_subjects, sampling_sd(behaved[behaved["subject"].isin(names)])
    flat = equivalence(values, bound=rule.behavior_bound, alpha=rule.alpha, min_n=n, min_sd=floor)
    return group_mean(values, min_n=n, min_sd=floor), flat


def _missing(
    parts: Parts, subjects: list[dict[str, Any]], metrics: pd.DataFrame, behavior: pd.DataFrame, rule: Rule
) -> list[str]:
    """Everything that stands between the study and a verdict; empty where there is enough."""
    n_included = sum(subject["included"] for subject in subjects)
    if n_included < rule.min_subjects:
        enough = f"{rule.min_sessions} overtraining sessions of both {rule.primary} and behaviour"
        whole = [f"{n_included} of {rule.min_subjects} subjects with {enough}"]
        if rule.primary not in set(metrics["metric"]):
            whole.append(f"{rule.primary} was not measured")
        if behavior["accuracy"].isna().all():
            whole.append("behaviour is not known in any session")
        return whole + [f"subject {one['subject']}: {one['reason']}" for one in subjects if one["reason"]]
    lacking = [] if np.isfinite(parts.primary.p) else [f"{rule.primary}: {parts.primary.note}"]
    if not np.isfinite(parts.flat.p):
        lacking.append(f"behaviour: {parts.flat.note}")
    rises = parts.flat.equivalent and parts.primary.p <= rule.alpha
    if rises and parts.fixed is not None and not np.isfinite(parts.fixed.p):
        lacking.append(f"{rule.primary} on the fixed stimuli: {parts.fixed.note}")
    return lacking


def _described(key: Series, slopes: Slopes, names: list[str], rule: Rule) -> dict[str, Any]:
    """The group's result for one metric."""
    metric, values, test = metric_of(key[0]), _values(slopes, names, rule), _test(slopes, names, rule)
    enough = test.n >= rule.min_subjects
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
        "smallest_detectable": smallest_detectable(test.sd, test.n, alpha=rule.alpha, power=POWER)
        if enough
        else np.nan,
        "leave_one_out": _leave_one_out(values) if enough else None,
        "note": test.note,
    }


def _leave_one_out(values: list[float]) -> dict[str, list[float]] | None:
    """Range of the mean slope and of its p when each subject in turn is left out; None below 3 subjects."""
    if len(values) < 3:
        return None
    tests = [group_mean([*values[:i], *values[i + 1 :]]) for i in range(len(values))]
    return {
        name: [min(ends), max(ends)]
        for name, ends in (("effect", [t.mean for t in tests]), ("p", [t.p for t in tests]))
    }


def _described_behavior(parts: Parts, lines: list[Slope], rule: Rule) -> dict[str, Any]:
    return {
        "unit": "fraction correct per 10 days",
        "effect": parts.flat.mean,
        "ci": parts.flat.interval,
        "level": 1 - 2 * rule.alpha,
        "flat": parts.flat.equivalent,
        "p_flat": parts.flat.p,
        "p_rising": parts.behavior.p,
        "bound": parts.flat.bound,
        "sd": parts.flat.sd,
        "n_subjects": parts.flat.n,
        "n_rising": sum(line.slope > 0 for line in lines),
        "note": parts.flat.note,
    }


def _secondary(neural: dict[Series, Slopes], names: list[str], rule: Rule) -> list[dict[str, Any]]:
    """All other metrics; Holm over those with a direction, on all stimuli with matched counts."""
    rows = [_described(key, slopes, names, rule) for key, slopes in neural.items() if not _decides(key, rule)]
    family = [row["direction"] != 0 and (row["stimuli"], row["matching"]) == ("all", "matched") for row in rows]
    adjusted = holm([row["p"] if counts else np.nan for row, counts in zip(rows, family, strict=True)])
    return [
        row | {"role": "secondary" if counts else "descriptive", "p_holm": float(p)}
        for row, counts, p in zip(rows, family, adjusted, strict=True)
    ]


def _decides(key: Series, rule: Rule) -> bool:
    return key[0] == rule.primary and key[2] == "matched"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.2g} to {ends[1]:.2g}"
