"""How far from the decision boundary do held-out trials lie, and does the distance grow?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import prepare, style

NOTHING = (
    "No distances to the boundary: there are no held-out predictions. They need a target and a nontarget class, with "
    "trials enough of both."
)


def quantiles(table: pd.DataFrame) -> pd.DataFrame:
    """Return median and quartiles of the margin per day and class.

    Examples
    --------
    >>> rows = pd.DataFrame({"day": [1, 1, 1], "class": ["target"] * 3, "margin": [0.0, 1.0, 2.0]})
    >>> quantiles(rows).values.tolist()
    [[1, 'target', 0.5, 1.0, 1.5]]
    """
    margins = table.groupby(["day", "class"])["margin"]
    found = {"low": margins.quantile(0.25), "median": margins.median(), "high": margins.quantile(0.75)}
    return pd.DataFrame(found).reset_index()


def draw_course(table: pd.DataFrame, ax: Axes, *, colours: Mapping[str, Any]) -> None:
    """Draw :func:`quantiles` over days: the medians as lines, the quartiles as bands."""
    for name, rows in prepare.groups(table, "class"):
        ax.fill_between(rows["day"], rows["low"], rows["high"], color=colours[name], alpha=0.18, lw=0)
        ax.plot(rows["day"], rows["median"], color=colours[name], marker="o", ms=2.5, label=name)
    style.mark_null(ax, 0.0)


def draw_distributions(table: pd.DataFrame, ax: Axes, *, edges: np.ndarray) -> None:
    """Draw the distributions of ``margin`` in early (filled) and late (outlined) sessions."""
    looks: dict[str, dict[str, Any]] = {
        "first": {"histtype": "stepfilled", "color": style.FIRST, "alpha": 0.8},
        "last": {"histtype": "step", "color": style.LAST, "lw": 1.5},
    }
    for part, look in looks.items():
        rows = table[table["part"] == part]
        if len(rows):
            ax.hist(rows["margin"].clip(edges[0], edges[-1]), bins=list(edges), density=True, label=part, **look)
    style.mark_null(ax, 0.0, vertical=True)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: a column per subject, over days above and early against late below."""
    table = tables["predictions"].dropna(subset=["margin"])
    if table.empty:
        return style.sentence(NOTHING)
    subjects, note = style.shown(table["subject"])
    n_columns = style.columns_for(len(subjects), most=4 if len(subjects) <= 4 else 6)
    n_bands = 1 if prepare.one_session_each(table) else 2
    n_rows = -(-len(subjects) // n_columns) * n_bands
    figure = style.new_figure(0.9 + 1.75 * n_rows)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    chosen = table[table["class"] != "probe"].merge(prepare.early_late(table), on=["subject", "session"])
    edges = np.linspace(table["margin"].quantile(0.002), table["margin"].quantile(0.998), 32)
    band = quantiles_range(table)
    for index, subject in enumerate(subjects):
        row, column = index // n_columns * n_bands, index % n_columns
        if n_bands == 2:
            _course(table[table["subject"] == subject], axes[row, column], limits=band)
        below = axes[row + n_bands - 1, column]
        draw_distributions(chosen[chosen["subject"] == subject], below, edges=edges)
        below.set_xlabel("distance (unit SDs)")
        axes[row, column].set_title(f"subject {subject}", color=style.colours(table["subject"])[subject])
        if column == 0 and n_bands == 2:
            axes[row, column].set_ylabel("distance (unit SDs)")
    for ax in list(axes.flat)[len(subjects) * n_bands :] if n_bands == 1 else []:
        ax.remove()
    style.legend_above(figure, _legend(table, chosen, n_bands))
    style.footnote(figure, note)
    return figure


def quantiles_range(table: pd.DataFrame) -> tuple[float, float]:
    """Return the limits that hold all subjects' quartile bands, and 0, with room around them."""
    found = pd.concat([quantiles(rows) for _, rows in prepare.groups(table, "subject")])
    low, high = min(float(found["low"].min()), 0.0), max(float(found["high"].max()), 0.0)
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _course(table: pd.DataFrame, ax: Axes, *, limits: tuple[float, float]) -> None:
    draw_course(quantiles(table), ax, colours=style.class_colours(table["class"]))
    style.shade_overtraining(ax, prepare.overtraining_spans(table).values())
    ax.set(ylim=limits, xlim=(float(table["day"].min()) - 0.6, float(table["day"].max()) + 0.6))
    style.whole_days(ax)


def _legend(table: pd.DataFrame, chosen: pd.DataFrame, n_bands: int) -> list[Any]:
    colours = style.class_colours(table["class"])
    classes = sorted(set(table["class"])) if n_bands == 2 else []
    handles = [style.key(f"{name}, median and quartiles", color=colours[name], marker="o") for name in classes]
    labels = prepare.part_labels(chosen)
    looks = {"first": {"color": style.FIRST, "lw": 7}, "last": {"color": style.LAST, "lw": 1.5}}
    for part, look in looks.items():
        if labels.get(part):
            handles.append(style.key(labels[part], **look))
    return handles + (style.overtraining_key(table) if n_bands == 2 else [])
