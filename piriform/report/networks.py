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
        comparison=comparison[0].to_dict("records") if comparison else [],
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


def geometry(table: pd.DataFrame) -> dict[str, Any]:
    """Return what the page says of the table ``representations``.

    Returns
    -------
    dict with ``status`` (why there is no answer, or empty), ``conditions``, ``n_subjects``, ``ceilings``: bounds by score,
    ``scores``: for each candidate ``cells``, its rows by score and stage, and ``tests``: differences and movements
    """
    own = table[table["sessions"] == "overtraining"]
    scores = own[(own["minus"] == "") & own["score"].isin(["cosine", "tau-a"])]
    if scores.empty:
        return {"status": "; ".join(dict.fromkeys(table["status"])), "scores": [], "tests": []}
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
        "tests": own[(own["minus"] != "") | (own["score"] == "movement")].to_dict("records"),
    }


def _source(path: Path) -> str:
    if not Path(path).is_file():
        raise PiriformError(f"{path}: no such figure; draw the figures of these networks first")
    return f"data:image/svg+xml;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
