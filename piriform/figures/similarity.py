"""Which trial types look alike to the population, early and late?"""

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from piriform.figures import prepare, style

NOTHING = "No similarity matrices: no session had trials of two kinds and units enough to correlate."

PARTS = ("first", "last", "change")


def matrix(table: pd.DataFrame, categories: list[str]) -> pd.DataFrame:
    """Return the symmetric matrix of correlations, averaged over the sessions in ``table``.

    Examples
    --------
    >>> rows = {"category_a": ["a", "a"], "category_b": ["b", "b"], "correlation": [0.2, 0.4]}
    >>> matrix(pd.DataFrame(rows), ["a", "b"]).round(1).values.tolist()
    [[nan, 0.3], [0.3, nan]]
    """
    turned = table.rename(columns={"category_a": "category_b", "category_b": "category_a"})
    both = pd.concat([table, turned], ignore_index=True)
    cells = both.groupby(["category_a", "category_b"])["correlation"].mean()
    return cells.unstack().reindex(index=categories, columns=categories)


def draw(table: pd.DataFrame, ax: Axes, *, limit: float, names: bool = True) -> AxesImage:
    """Draw a square matrix, colours from ``-limit`` to ``limit``; small ones carry their numbers."""
    image = ax.imshow(table.to_numpy(float), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    places = range(len(table))
    ax.set_xticks(places, list(table.columns) if names else [], rotation=90)
    ax.set_yticks(places, list(table.index) if names else [])
    ax.tick_params(length=0, labelsize=7 if len(table) <= 8 else 5)
    ax.spines[:].set_visible(False)
    if len(table) <= 5:
        for (row, column), value in np.ndenumerate(table.to_numpy(float)):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 * limit else style.INK
                text = f"{value:.2f}".replace("-", "−")
                ax.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
    return image


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: early, late and (up to four subjects) their difference, for each subject."""
    table = tables["similarity"]
    table = table[table["correlation"].notna()]
    if table.empty:
        return style.sentence(NOTHING)
    subjects, note = style.shown(table["subject"])
    panels = _panels(table, subjects)
    n_parts = 1 + max(PARTS.index(part) for _, part in panels)
    n_rows, n_columns, spots = _spots(subjects, n_parts)
    letters = max(map(len, table["category_a"])) if table["category_a"].nunique() <= 20 else 0
    n_labelled = n_rows if len(subjects) <= 2 else n_rows // n_parts
    side = (style.WIDTH - 1.3 - 0.06 * letters) / max(n_columns, 3)
    figure = style.new_figure(0.3 + (side + 0.12) * n_rows + (0.3 + 0.06 * letters) * n_labelled)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    limit = max(float(np.nanmax(np.abs(cells))) for cells, _ in panels.values())
    for ax in axes.flat:
        ax.set_visible(False)
    for (subject, part), (cells, label) in panels.items():
        row, column = spots[subject, part]
        ax = axes[row, column]
        ax.set_visible(True)
        names_left, names_below = column == 0, row + 1 == n_rows or len(subjects) <= 2 or (row + 1) % n_parts == 0
        image = draw(cells, ax, limit=limit)
        ax.tick_params(labelleft=names_left and len(cells) <= 20, labelbottom=names_below and len(cells) <= 20)
        _label(ax, subject, label, across=len(subjects) <= 2, top=part == "first", left=column == 0)
    bar = figure.colorbar(image, ax=axes, label="Pearson r", shrink=min(1.0, 1.6 / n_rows), aspect=22, pad=0.01)
    bar.outline.set_visible(False)
    style.footnote(figure, note)
    return figure


def _spots(subjects: list[str], n_parts: int) -> tuple[int, int, dict[tuple[str, str], tuple[int, int]]]:
    """Rows, columns and each panel's place: parts side by side for two subjects, below one another for more."""
    if len(subjects) <= 2:
        spots = {(name, part): (row, PARTS.index(part)) for row, name in enumerate(subjects) for part in PARTS}
        return len(subjects), n_parts, spots
    n_columns = style.columns_for(len(subjects), most=4 if len(subjects) <= 4 else 6)
    spots = {
        (name, part): (index // n_columns * n_parts + PARTS.index(part), index % n_columns)
        for index, name in enumerate(subjects)
        for part in PARTS
    }
    return -(-len(subjects) // n_columns) * n_parts, n_columns, spots


def _panels(table: pd.DataFrame, subjects: list[str]) -> dict[tuple[str, str], tuple[pd.DataFrame, str]]:
    """Return matrix and label by subject and part."""
    names = dict.fromkeys(pd.concat([table["category_a"], table["category_b"]]))
    categories = sorted(names, key=lambda name: not str(name).startswith("target"))
    chosen = table.merge(prepare.early_late(table), on=["subject", "session"])
    labels = prepare.part_labels(chosen)
    panels: dict[tuple[str, str], tuple[pd.DataFrame, str]] = {}
    for subject in subjects:
        for part, label in labels.items():
            rows = chosen[(chosen["subject"] == subject) & (chosen["part"] == part)]
            if len(rows):
                panels[subject, part] = matrix(rows, categories), label
        if (subject, "last") in panels and len(subjects) <= 4:
            difference = panels[subject, "last"][0] - panels[subject, "first"][0]
            panels[subject, "change"] = difference, "last − first"
    return panels


def _label(ax: Axes, subject: str, label: str, *, across: bool, top: bool, left: bool) -> None:
    if across:
        ax.set_title(f"subject {subject}\n{label}" if top and label else label or f"subject {subject}", fontsize=8.5)
        return
    ax.set_title(f"subject {subject}" if top else "", fontsize=8.5)
    ax.set_ylabel("\n".join(textwrap.wrap(label, 20)) if left else "", fontsize=8.5)
