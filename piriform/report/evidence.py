"""What stands beside the tests that decide? Rows for the report's tables: other tests, subjects, controls, other choices."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

#: How often each says "rises" with four subjects where the population's mean slope is 0 (docs/group_tests.md).
FALSE_ALARMS = {
    "two-stage t": "4–5%",
    "mixed model": "1–2%; no answer in 2–57% of studies",
    "Hartung-Knapp": "5–6%",
    "wild bootstrap": "6%; 11% if one subject carries the change",
    "hierarchical bootstrap": "2–4%; up to 14% if subjects differ or days are alike",
}


def beside_rows(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the test that decides, the others, and the divergence, one row each; none without ``beside``."""
    others, primary = verdict.get("beside"), verdict.get("primary") or {}
    if not others:
        return []
    first = {"test": "two-stage t", "what": "t of the subjects' slopes, n - 1 df; decides", "note": primary.get("note")}
    rows = [first | {name: primary.get(name) for name in ("effect", "ci", "unit", "p", "n_subjects")}, *others]
    found = [row | {"alarms": FALSE_ALARMS.get(row["test"], "")} for row in rows]
    apart = verdict.get("divergence")
    if apart:
        what = "two-stage t of the relative change of neural d′ minus that of behaviour's d′"
        found.append(dict(apart) | {"test": "divergence", "what": what, "unit": "of d′ per 10 days", "alarms": ""})
    return found


def carried_lines(verdict: Mapping[str, Any]) -> list[str]:
    """Return in words how many subjects carry the rise; nothing where it is not known.

    Examples
    --------
    >>> carried_lines({"carried_by": {"k": 3, "n": 4, "alpha": 0.05, "lower": 0.21, "level": 0.95, "at_least": 2}})[0]
    'By themselves 3 of 4 subjects rise (p ≤ 0.05, days alike allowed for).'
    """
    found = verdict.get("carried_by")
    if not found or not found.get("n"):
        return []
    lines = [
        f"By themselves {found['k']} of {found['n']} subjects rise (p ≤ {found['alpha']:g}, days alike allowed for).",
        f"At least {found['lower']:.0%} of all such animals then do ({found['level']:.0%} confidence).",
        f"Of these subjects at least {found['at_least']} do (partial conjunction at {found['alpha']:g}).",
    ]
    return lines + ([f"{found['note'][:1].upper()}{found['note'][1:]}."] if found.get("note") else [])


def ladder_rows(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per rung and kind of stimuli, effects in percent of the mean per 10 days."""
    rows = []
    for rung in verdict.get("ladder") or []:
        percent = {"effect": _percent(rung.get("effect")), "ci": [_percent(end) for end in rung.get("ci") or []]}
        rows.append(dict(rung) | percent)
    return rows


def sensitivity_rows(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tests with one choice changed; the answer is None where there is no p."""
    questions = {"primary": "Does the primary metric rise?", "behavior": "Is behaviour flat?"}
    return [
        dict(row) | {"question": questions[row["part"]], "passes": row["passes"] if _known(row["p"]) else None}
        for row in verdict.get("sensitivity") or []
    ]


def power_line(verdict: Mapping[str, Any]) -> str:
    """Return what could have been missed, in one sentence; empty where it is not known."""
    primary = verdict.get("primary") or {}
    least, share = primary.get("smallest_detectable"), primary.get("smallest_detectable_percent")
    if not _known(least):
        return ""
    power = (verdict.get("settings") or {}).get("power", 0.8)
    lacking = primary.get("note_percent")
    relative = f", {share:.3g}% of the metric's mean," if _known(share) else ""
    return (
        f"A study like this one finds a slope of {least:.3g} {primary.get('unit', '')}{relative} in {power:.0%} of cases; "
        "smaller ones it misses." + (f" {lacking[:1].upper()}{lacking[1:]}." if lacking else "")
    )


def family_note(verdict: Mapping[str, Any]) -> str:
    """Return why the maximum statistic is not known, as a sentence with a blank before it; empty where it is.

    Examples
    --------
    >>> family_note({"family": {"note": "2 of 3 subjects needed"}}), family_note({})
    (' No maximum statistic: 2 of 3 subjects needed.', '')
    """
    note = (verdict.get("family") or {}).get("note")
    return f" No maximum statistic: {note}." if note else ""


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _percent(value: Any) -> float | None:
    return 100 * value if _known(value) else None
