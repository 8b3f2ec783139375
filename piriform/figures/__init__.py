"""What do the result tables look like? The ten figures of a study, as PNG and SVG.

The names are fixed, so that a workflow knows its outputs. A figure for which a study has no data
is a plain sentence that says so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from piriform.figures.captions import ALT_TEXTS, CAPTIONS, NAMES, TITLES

FORMATS = ("png", "svg")

__all__ = ["ALT_TEXTS", "CAPTIONS", "FORMATS", "NAMES", "TITLES", "draw_all", "file_names"]


def file_names() -> list[str]:
    """Return the file names that :func:`draw_all` writes, always the same.

    Examples
    --------
    >>> file_names()[:3]
    ['behavior.png', 'behavior.svg', 'metrics.png']
    """
    return [f"{name}.{kind}" for name in NAMES for kind in FORMATS]


def draw_all(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Draw every figure of a study and return the files, in the order of :func:`file_names`.

    Parameters
    ----------
    tables : checked tables by kind
        ``behavior``, ``metrics``, ``ladder``, ``predictions``, ``dynamics``, ``transitions``, ``similarity`` and ``scatter``; one
        that is missing counts as empty.
    verdict : the contents of ``verdict.json``
    folder : where to write; made if it does not exist

    Notes
    -----
    The same tables give the same bytes with the same version of matplotlib: no dates are stored,
    and the ids inside an SVG come from a fixed salt.
    """
    from piriform.figures import (
        behavior,
        dynamics,
        ladder,
        margins,
        metrics,
        prepare,
        relation,
        scatter,
        similarity,
        style,
        transitions,
    )
    from piriform.figures import verdict as forest
    from piriform.tables import TABLES, empty_table

    complete = {kind: prepare.without_pooled(tables[kind]) if kind in tables else empty_table(kind) for kind in TABLES}
    builders = {
        "behavior": behavior.build,
        "metrics": metrics.build,
        "ladder": ladder.build,
        "decoding_vs_behavior": relation.build,
        "similarity": similarity.build,
        "scatter": scatter.build,
        "margins": margins.build,
        "dynamics": dynamics.build,
        "transitions": transitions.build,
        "verdict": forest.build,
    }
    files = []
    for name in NAMES:
        with style.applied():
            figure = builders[name](complete, verdict)
            files += style.save(figure, [Path(folder) / f"{name}.{kind}" for kind in FORMATS])
    return files
