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
    experiments: Sequence[Mapping[str, Any]], comparison: pd.DataFrame | None, figure: Path | None, *, title: str
) -> str:
    """Return the page as HTML with everything inside.

    Parameters
    ----------
    experiments : ``experiment``, ``question``, ``remarks``, ``seeds``, ``full``, ``claims`` (table
        ``network_claims``) and ``figure`` (its SVG) of each
    comparison : table ``comparison``, if networks were compared; ``figure`` is its SVG
    title : name of the study

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
        comparison=[] if comparison is None else comparison.to_dict("records"),
        comparison_source="" if figure is None else _source(figure),
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


def _source(path: Path) -> str:
    if not Path(path).is_file():
        raise PiriformError(f"{path}: no such figure; draw the figures of these networks first")
    return f"data:image/svg+xml;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
