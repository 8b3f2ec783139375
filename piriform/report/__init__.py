"""What did the study show, and how was it found? One HTML page that opens from disk, without a network.

The page is made of the result tables, ``verdict.json``, the figures and the config. It holds no date,
so that the same results give the same bytes.
"""

import base64
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from piriform.errors import PiriformError
from piriform.figures.captions import ALT_TEXTS, CAPTIONS, NAMES, NOTHING_ID, TITLES
from piriform.figures.prepare import in_order, label_of
from piriform.report.evidence import beside_rows, carried_lines, family_note, ladder_rows, power_line, sensitivity_rows
from piriform.report.methods import methods
from piriform.tables import METRICS, TABLES, empty_table, metric_of
from piriform.transitions import summary

TEMPLATES = Path(__file__).parent
LARGEST_SVG = 700_000  # bytes; a figure with more shapes than that is embedded as pixels


def render(
    tables: Mapping[str, pd.DataFrame],
    verdict: Mapping[str, Any],
    figures: Path,
    *,
    title: str,
    config: Mapping[str, Any],
) -> str:
    """Return the report as one HTML page with everything inside.

    Parameters
    ----------
    tables : checked tables by kind
        ``sessions``, ``behavior``, ``metrics`` and ``transitions``; one that is missing counts as empty.
    verdict : the contents of ``verdict.json``; parts that are missing are left out
    figures : folder with the files that :func:`piriform.figures.draw_all` writes
    title : name of the study
    config : the study's config as plain values

    Raises
    ------
    PiriformError
        If a figure is not in the folder.
    """
    import yaml

    complete = {kind: tables[kind] if kind in tables else empty_table(kind) for kind in TABLES}
    trends = [row for row in verdict.get("secondary") or [] if number(row.get("effect")) != "–"]
    order = in_order(row["metric"] for row in trends)
    trends.sort(key=lambda row: order.index(row["metric"]))
    return template("report.html").render(
        title=title,
        verdict=verdict,
        facts=facts(complete, verdict),
        tests=tests(verdict),
        notes=notes(verdict),
        missing=[line for line in verdict.get("missing") or [] if not line.startswith("subject ")],
        rho=next((row["rho"] for row in verdict.get("subjects") or [] if row.get("rho") is not None), None),
        carried=carried_lines(verdict),
        beside=beside_rows(verdict),
        ladder=ladder_rows(verdict),
        sensitivity=sensitivity_rows(verdict),
        power=power_line(verdict),
        family_note=family_note(verdict),
        secondary=[row for row in trends if row.get("role", "secondary") == "secondary"],
        descriptive=[row for row in trends if row.get("role", "secondary") != "secondary"],
        transitions=single_stimuli(complete["transitions"]),
        figures=[_figure(figures, name) for name in NAMES],
        methods=methods(config, verdict),
        matched=matched_counts(complete["metrics"]),
        definitions=definitions(complete["metrics"]),
        exclusions=exclusions(complete["sessions"]),
        sessions=complete["sessions"].to_dict("records"),
        values=session_values(complete["metrics"]),
        unmeasured=unmeasured(complete["metrics"]),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=100),
    )


def template(name: str) -> Any:
    """Return a template of this package, with the filters that write numbers; what a page is not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    page = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {"number": number, "interval": interval, "p": p_value}
    return page.get_template(name)


def number(value: Any) -> str:
    """Return a number with three digits; a dash for what is not known.

    Examples
    --------
    >>> number(-0.012345), number(None), number(12), number(float("nan"))
    ('−0.0123', '–', '12', '–')
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return "–"
    text = str(value) if isinstance(value, int) else f"{value:.3g}"
    return text.replace("-", "−")


def interval(ends: Any) -> str:
    """Return both ends of an interval.

    Examples
    --------
    >>> interval([-0.5, 1.25]), interval(None)
    ('−0.5 to 1.25', '–')
    """
    if not ends or len(ends) != 2 or number(ends[0]) == "–" or number(ends[1]) == "–":
        return "–"
    return f"{number(ends[0])} to {number(ends[1])}"


def p_value(value: Any) -> str:
    """Return a p value with two digits.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.00001), p_value(None)
    ('0.031', '< 0.001', '–')
    """
    if number(value) == "–":
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def facts(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the study in numbers: label and value."""
    sessions, subjects = tables["sessions"], verdict.get("subjects") or []
    included = sessions[sessions["included"]]
    entered = sum(bool(subject.get("included", True)) for subject in subjects)
    found = [
        ("subjects", str(included["subject"].nunique())),
        ("subjects with enough sessions", f"{entered} of {len(subjects)}" if subjects else "0"),
        ("sessions analysed", f"{len(included)} of {len(sessions)}"),
    ]
    if len(included):
        units, trials = included["n_units"], included["n_trials"]
        found.append(("units per session", f"{units.median():.0f} ({units.min()} to {units.max()})"))
        found.append(("trials per session", f"{trials.median():.0f} ({trials.min()} to {trials.max()})"))
    return found


def tests(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tests that decide, in the order in which they are asked; ``passed`` is None if untested."""
    primary, behavior, rule = (verdict.get(name) or {} for name in ("primary", "behavior", "settings"))
    alpha, fixed = rule.get("alpha", 0.05), verdict.get("fixed")
    name = label_of(primary.get("metric") or rule.get("primary") or "the primary metric")
    bound = number(behavior.get("bound", rule.get("behavior_bound")))
    flat_p = behavior.get("p_flat", behavior.get("p"))
    rows = [
        {"question": "Is behaviour flat?", "part": behavior, "p": flat_p, "passed": behavior.get("flat"),
         "rule": f"two one-sided tests: a slope within ±{bound} per 10 days, p ≤ {number(alpha)}"},
        {"question": f"Does {name} rise?", "part": primary, "p": primary.get("p"), "passed": primary.get("rises"),
         "rule": f"one-sided t-test over subjects, p ≤ {number(alpha)}"},
    ]  # fmt: skip
    question = f"Does {name} rise on the fixed stimuli?"
    if fixed:
        rows.append(rows[1] | {"question": question, "part": fixed, "p": fixed.get("p"), "passed": fixed.get("rises")})
    else:
        rows.append(
            {"question": question, "part": {}, "p": None, "passed": None, "rule": "no fixed stimuli: not asked"}
        )
    for row in rows:
        if number(row["p"]) == "–":
            row["passed"] = None
        elif row["passed"] is None:
            row["passed"] = row["p"] <= alpha
    return rows


def notes(verdict: Mapping[str, Any]) -> list[str]:
    """Return what one should know about the tests: the weight of single subjects, remarks."""
    primary, behavior = verdict.get("primary") or {}, verdict.get("behavior") or {}
    lines = []
    unit = primary.get("unit", "")
    without = primary.get("leave_one_out")
    if without:
        effects, p = without["effect"], [p_value(value) for value in without["p"]]
        lines.append(f"Leaving out one subject at a time: slope {interval(effects)} {unit}, p {p[0]} to {p[1]}.")
    if number(behavior.get("p_rising")) != "–":
        lines.append(f"Test of a rise in behaviour: p = {p_value(behavior['p_rising'])}.")
    remarks = {"Primary metric": primary.get("note"), "Behaviour": behavior.get("note")}
    return lines + [f"{name}: {note}." for name, note in remarks.items() if note and not verdict.get("missing")]


def matched_counts(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return units, trials, draws and permutations behind the matched values, by subject and stimuli."""
    rows = metrics[(metrics["matching"] == "matched") & (metrics["status"] == "ok")]
    counts = ["n_units", "n_trials", "n_draws", "n_permutations"]
    return rows.groupby(["subject", "stimuli"])[counts].max().reset_index().to_dict("records")  # type: ignore[return-value]


def single_stimuli(transitions: pd.DataFrame) -> dict[str, Any]:
    """Return ``sentences`` about the changes of single stimuli, and ``rows`` of those tested, lowest p first."""
    tested = transitions[transitions["p"].notna()].sort_values(["p", "lambda"], ascending=[True, False], kind="stable")
    return {"sentences": summary(transitions), "rows": tested.to_dict("records")}


def definitions(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return name, meaning, null value, unit and direction of the metrics in the table."""
    names = [name for name in in_order(metrics["metric"]) if name in METRICS or "_probe_" in name]
    ways = {1: "rises", -1: "falls", 0: "no fixed direction"}
    return [
        {"name": name, "meaning": found.meaning, "null": found.null, "unit": found.unit, "way": ways[found.learning]}
        for name in names
        for found in [metric_of(name)]
    ]


def exclusions(sessions: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what was left out, why, and how much: sessions, then units and trials of the others."""
    out = sessions[~sessions["included"]]
    rows = [
        {"what": "sessions", "reason": reason, "n": int(n)}
        for reason, n in out["reason"].value_counts(sort=False).items()
    ]
    for what in ("units", "trials"):
        counts: dict[str, int] = {}
        for text in sessions.loc[sessions["included"], f"{what}_excluded"]:
            for reason, n in reason_counts(text).items():
                counts[reason] = counts.get(reason, 0) + n
        rows += [{"what": what, "reason": reason, "n": n} for reason, n in counts.items()]
    return rows


def reason_counts(text: str) -> dict[str, int]:
    """Return how many things each reason of ``units_excluded`` or ``trials_excluded`` names.

    Examples
    --------
    >>> reason_counts("no event time: 0-2, 7; low rate: a, b")
    {'no event time': 4, 'low rate': 2}
    """
    counts: dict[str, int] = {}
    for part in filter(None, text.split("; ")):
        reason, _, things = part.rpartition(": ")
        found = [re.fullmatch(r"(\d+)-(\d+)", thing) for thing in things.split(", ")]
        counts[reason or things] = sum(int(run[2]) - int(run[1]) + 1 if run else 1 for run in found)
    return counts


def session_values(metrics: pd.DataFrame) -> dict[str, Any]:
    """Return the matched values on all stimuli as a wide table: ``columns``, and ``rows`` of one session."""
    rows = metrics[(metrics["matching"] == "matched") & (metrics["stimuli"] == "all")]
    who = ["subject", "session", "day", "phase"]
    columns = in_order(rows["metric"])
    wide = []
    for keys, found in rows.groupby(who, sort=False):
        cells = {row["metric"]: row for row in found.to_dict("records")}
        wide.append(dict(zip(who, keys, strict=True)) | {"cells": [cells.get(name) for name in columns]})
    return {"columns": columns, "rows": sorted(wide, key=lambda row: (row["subject"], row["day"], row["session"]))}


def unmeasured(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return which metrics have no value, why, and in how many sessions."""
    rows = metrics[(metrics["status"] != "ok") & (metrics["matching"] == "matched")]
    counts = rows.groupby(["metric", "stimuli", "status"], sort=False).size().reset_index(name="n")
    return counts.to_dict("records")  # type: ignore[return-value]


def _figure(folder: Path, name: str) -> dict[str, str]:
    path, kind = Path(folder) / f"{name}.svg", "svg+xml"
    if path.is_file() and path.stat().st_size > LARGEST_SVG:
        path, kind = path.with_suffix(".png"), "png"
    if not path.is_file():
        raise PiriformError(f"{path}: no such figure; draw the figures of these results first")
    data = path.read_bytes()
    texts = {"name": name, "title": TITLES[name], "caption": CAPTIONS[name], "alt": ALT_TEXTS[name]}
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return texts | {"source": source, "sentence": _sentence(data) if kind == "svg+xml" else ""}


def _sentence(svg: bytes) -> str:
    """The text of a figure that only says why there is nothing to show; empty for any other figure."""
    if NOTHING_ID.encode() not in svg:
        return ""
    texts = (element.text or "" for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))
    return " ".join(" ".join(texts).split())


__all__: Sequence[str] = ["render"]
