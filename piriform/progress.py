"""Does neural activity still change after behaviour has stopped improving? The verdict and its parts."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from piriform.beside import beside_tests, carried_by, diverging
from piriform.config import Plateau
from piriform.config import Verdict as Rule
from piriform.effects import POWER, group_effect, group_test, group_values, relative_effect, secondary_effects
from piriform.errors import TableError
from piriform.provenance import versions
from piriform.rungs import ladder_trends
from piriform.sensitivity import behavior_test, sensitivity
from piriform.stats import Equivalence, GroupMean, Slope
from piriform.tables import POOLED, check_table
from piriform.trends import (
    PER_DAYS,
    Series,
    Slopes,
    behavior_slopes,
    metric_rows,
    metric_slopes,
    serial_slopes,
    subject_trends,
)

VERDICTS = ("hidden progress", "no evidence", "behaviour still improving", "not enough data")
METHOD = (
    "Per subject the least-squares slope over the overtraining sessions, per 10 days, a session weighed by its units; "
    "over subjects a one-sided t-test of the mean slope for a neural metric, and two one-sided t-tests for behaviour. "
    "Hidden progress: behaviour is flat and the primary metric rises, on the fixed stimuli too where the study has them. "
    "Every part must pass at level alpha by itself (intersection-union): a false hidden progress is at most as frequent "
    "as a false pass of the one part that is false, so at most alpha, with no correction for the number of parts. All other "
    "tests are shown beside and decide nothing."
)


@dataclass(frozen=True)
class Parts:
    """The tests that decide: the primary metric, the same on fixed stimuli (if any), and behaviour."""

    primary: GroupMean
    fixed: GroupMean | None
    behavior: GroupMean
    flat: Equivalence


def detect(
    metrics: pd.DataFrame,
    behavior: pd.DataFrame,
    *,
    verdict: Rule,
    source: str = "neural",
    ladder: pd.DataFrame | None = None,
    plateau: Plateau | None = None,
    seed: int = 1,
    beside: bool = True,
    config_sha256: str = "",
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
    source : rows of the tables to use, ``neural`` or ``network``
    ladder : the table ``ladder``: the separation on each rung of the ladder of controls
    plateau : settings of the plateau's rule, for the window that the data choose
    seed : of the bootstraps that are shown beside
    beside : False leaves out what decides nothing and takes time
    config_sha256 : hash of the config behind the tables

    Returns
    -------
    dict
        What decides: ``verdict`` (one of ``VERDICTS``), ``sentence``, ``reasons``, ``missing``,
        ``primary``, ``fixed`` (None where the study has no fixed stimuli), ``behavior``, ``subjects``.
        What decides nothing: ``secondary`` and ``family``; ``beside`` (other group tests),
        ``carried_by``, ``divergence``, ``sensitivity``, ``ladder`` (None without the table, and all
        five without ``beside``). Provenance: ``method``, ``settings``, ``versions``,
        ``config_sha256``. Slopes are per 10 days; a metric's have the sign of its learning
        direction: up means learning. What cannot be computed is NaN, with a note.

    Raises
    ------
    TableError
        If a table breaks its contract or holds a measurement twice.
    """
    metrics, behavior = _of_source(metrics, behavior, source)
    window, behaved = (table[table["phase"] == "overtraining"] for table in (metrics, behavior))
    neural, acting = metric_slopes(window), behavior_slopes(behaved)
    key: Series = (verdict.primary, "all", "matched")
    rows = metric_rows(window, key)
    serial = serial_slopes(rows)

    subjects = subject_trends(metrics, behavior, neural=neural, acting=acting, serial=serial, rule=verdict)
    names = [subject["subject"] for subject in subjects if subject["included"]]
    main, fixed = neural.get(key, {}), neural.get((verdict.primary, "fixed", "matched"))
    parts = Parts(
        group_test(main, names, verdict),
        None if fixed is None else group_test(fixed, names, verdict),
        *behavior_test(acting, behaved, names, verdict),
    )
    missing = _missing(parts, subjects, metrics, behavior, verdict)
    answer, reasons = decide(parts, rule=verdict, missing=missing)
    secondary, family = secondary_effects(neural, names, verdict, seed=seed)
    result: dict[str, Any] = {
        "verdict": answer,
        "reasons": reasons,
        "missing": missing,
        "primary": _described("all", main, window, names, verdict),
        "fixed": None if fixed is None else _described("fixed", fixed, window, names, verdict),
        "behavior": _described_behavior(parts, [acting[name] for name in names], verdict),
        "subjects": subjects,
        "secondary": secondary,
        "family": family,
        **dict.fromkeys(("beside", "carried_by", "divergence", "sensitivity", "ladder")),
        "method": METHOD,
        "settings": verdict.model_dump(mode="json") | {"source": source, "per_days": PER_DAYS, "power": POWER},
        "versions": versions(),
        "config_sha256": config_sha256,
    }
    if beside:
        values = group_values(main, names, verdict)
        result |= {
            "beside": beside_tests(
                rows, values, serial=serial, unit=result["primary"]["unit"], rule=verdict, seed=seed
            ),
            "carried_by": carried_by(serial, names, alpha=verdict.alpha),
            "divergence": diverging(verdict.primary, rows, behaved, names, verdict),
            "sensitivity": sensitivity(
                metrics, behavior, names=names, acting=acting, rule=verdict, plateau=plateau or Plateau()
            ),
            "ladder": ladder_trends(ladder, names, verdict, source=source),
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
        share = primary.get("smallest_detectable_percent", np.nan)
        seen = f"; a study like this finds {least:.2g} in {POWER:.0%} of cases" if np.isfinite(least) else ""
        seen += f" ({share:.3g}% of the metric's mean)" if seen and np.isfinite(share) else ""
        return f"Not met: {'; '.join(result['reasons'])}. {primary['metric']} changes by {change}{seen}."
    return f"Missing: {'; '.join(line for line in result['missing'] if not line.startswith('subject '))}."


def _of_source(metrics: pd.DataFrame, behavior: pd.DataFrame, source: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The checked rows that count: one source, no pseudo-population; behaviour of all classes together."""
    metrics = _once(check_table(metrics, "metrics"), "metrics", "source", "metric", "stimuli", "matching")
    behavior = _once(check_table(behavior, "behavior"), "behavior", "class")
    return metrics[(metrics["source"] == source) & (metrics["subject"] != POOLED)], behavior[behavior["class"] == "all"]


def _described(stimuli: str, slopes: Slopes, window: pd.DataFrame, names: list[str], rule: Rule) -> dict[str, Any]:
    """The group's result for the primary metric, and what it is in percent."""
    effect = group_effect((rule.primary, stimuli, "matched"), slopes, names, rule)
    return effect | relative_effect(effect, window, names)


def _once(table: pd.DataFrame, kind: str, *keys: str) -> pd.DataFrame:
    twice = table[table.duplicated(["subject", "session", *keys])]
    if len(twice):
        row = twice.iloc[0]
        what = " ".join(str(row[key]) for key in keys)
        raise TableError(
            f"{kind}.csv: {what} of subject {row['subject']!r}, session {row['session']!r} is there twice; keep one row"
        )
    return table


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


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _span(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.2g} to {ends[1]:.2g}"
