"""What did the networks show? One page with every claim, its outcome, the figures and the comparison with the animals."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from piriform.errors import PiriformError
from piriform.report import template

#: What an outcome means; also the order in which outcomes are counted.
OUTCOMES = {
    "held": "the test confirms the claim",
    "opposite": "the test confirms the contrary",
    "not shown": "the test decides neither way",
}


def render_networks(
    experiments: Sequence[Mapping[str, Any]],
    *,
    title: str,
    comparison: tuple[pd.DataFrame, Path] | None = None,
    representations: tuple[pd.DataFrame, Path] | None = None,
) -> str:
    """Return the page as HTML with everything inside.

    Parameters
    ----------
    experiments : ``experiment``, ``question``, ``remarks``, ``seeds``, ``full``, ``claims`` (table
        ``network_claims``) and ``figure`` (its SVG) of each
    title : name of the study
    comparison, representations : these tables and their SVG, if networks were compared

    Raises
    ------
    PiriformError
        If a figure is not there.
    """
    shown = [
        dict(one)
        | {
            "claims": one["claims"].to_dict("records"),
            "counts": counts(one["claims"]),
            "source": _source(one["figure"]),
        }
        for one in experiments
    ]
    return template("networks.html").render(
        title=title,
        experiments=shown,
        outcomes=OUTCOMES,
        comparison=answered(comparison[0], "metric", "skill") if comparison else None,
        comparison_source=_source(comparison[1]) if comparison else "",
        geometry=geometry(representations[0]) if representations else None,
        geometry_source=_source(representations[1]) if representations else "",
    )


def counts(claims: pd.DataFrame) -> str:
    """Return how many claims came out how, in words.

    Examples
    --------
    >>> counts(pd.DataFrame({"outcome": ["held", "not shown", "held"]}))
    '2 held, 1 not shown'
    """
    found = claims["outcome"].value_counts()
    return ", ".join(f"{found[name]} {name}" for name in OUTCOMES if name in found)


def answered(table: pd.DataFrame, what: str, value: str) -> dict[str, list]:
    """Return the rows with a value, and a sentence for each reason why rows lack it, or a test of it.

    Parameters
    ----------
    table : rows with ``candidate`` and ``status``
    what, value : columns that say what was asked, and what was found

    Examples
    --------
    >>> rows = {"metric": "m", "candidate": ["line", "alpha 1", "alpha 3"], "status": ["ok", "flat", "flat"]}
    >>> answered(pd.DataFrame(rows).assign(skill=[0.5, None, None]), "metric", "skill")["reasons"]
    ['m, alpha 1; alpha 3: flat']
    """
    reasons = []
    for (name, status), rows in table[table["status"] != "ok"].groupby([what, "status"], sort=False):
        candidates = "; ".join(dict.fromkeys(filter(None, rows["candidate"])))
        reasons.append(", ".join(filter(None, [str(name), candidates])) + f": {status}")
    return {"answers": table[table[value].notna()].to_dict("records"), "reasons": reasons}


def geometry(table: pd.DataFrame) -> dict[str, Any]:
    """Return what the page says of the table ``representations``.

    Returns
    -------
    dict with ``status`` (why there is no answer, or empty), ``conditions``, ``n_subjects``, ``ceilings``: bounds by score,
    ``scores``: for each candidate ``cells``, its rows by score and stage, and ``tests``: differences and movements, as
    :func:`answered` has them
    """
    own = table[table["sessions"] == "overtraining"]
    scores = own[(own["minus"] == "") & own["score"].isin(["cosine", "tau-a"])]
    if scores.empty:
        return {
            "status": "; ".join(dict.fromkeys(table["status"])),
            "scores": [],
            "tests": answered(own.iloc[:0], "score", "mean"),
        }
    ceilings = scores.groupby("score")[["ceiling_low", "ceiling_high"]].first()
    candidates = [
        {"name": name, "cells": {(row["score"], row["stage"]): row for row in rows.to_dict("records")}}
        for name, rows in scores.groupby("candidate", sort=False)
    ]
    return {
        "status": "",
        "conditions": scores["conditions"].iloc[0],
        "n_subjects": int(scores["n_subjects"].max()),
        "ceilings": {score: [row["ceiling_low"], row["ceiling_high"]] for score, row in ceilings.iterrows()},
        "scores": candidates,
        "tests": answered(own[(own["minus"] != "") | (own["score"] == "movement")], "score", "mean"),
    }


def _source(path: Path) -> str:
    if not Path(path).is_file():
        raise PiriformError(f"{path}: no such figure; draw the figures of these networks first")
    return f"data:image/svg+xml;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
