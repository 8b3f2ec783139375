"""How do the clouds of trials move, seen on axes that do not move?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import prepare, style

NOTHING = (
    "No population scatter: its axes need units that are tracked over days, or a target and a nontarget class with "
    "trials enough of both."
)
MANY_POINTS = 4000  # more than that and an SVG holds the points as pixels
AXES = {"decoder": ("discriminant (SDs)", "other variance (SDs)"), "tracked units": ("PC 1 (SDs)", "PC 2 (SDs)")}


def draw(
    table: pd.DataFrame,
    means: pd.DataFrame,
    ax: Axes,
    *,
    colours: Mapping[str, Any],
    size: float = 5,
    pixels: bool = False,
) -> None:
    """Draw one point per trial and the class means as large symbols.

    ``table``: columns ``class``, ``axis_1``, ``axis_2``; ``means``: the same, a row per class.
    """
    for name, rows in prepare.groups(table, "class"):
        ax.scatter(
            rows["axis_1"],
            rows["axis_2"],
            s=size,
            color=colours[name],
            alpha=0.45,
            lw=0,
            marker=style.CLASS_MARKERS.get(name, "o"),
            rasterized=pixels,
            label=name,
        )
    for name, row in zip(means.index.astype(str), means.to_dict("records"), strict=True):
        ax.scatter(
            [row["axis_1"]],
            [row["axis_2"]],
            s=9 * size,
            color=colours[name],
            ec="white",
            lw=0.9,
            zorder=4,
            marker=style.CLASS_MARKERS.get(name, "o"),
        )


def limits(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Return limits that hold 99% of the trials on each axis, with room around them.

    Examples
    --------
    >>> limits(pd.DataFrame({"axis_1": [0.0, 1.0], "axis_2": [0.0, 10.0]}))["xlim"]
    (-0.075, 1.075)
    """
    found = {}
    for axis, name in (("axis_1", "xlim"), ("axis_2", "ylim")):
        low, high = (float(value) for value in table[axis].quantile([0.005, 0.995], interpolation="nearest"))
        room = 0.075 * (high - low) or 1.0
        found[name] = (low - room, high + room)
    return found


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: first, middle and last session of each subject; limits shared by a subject."""
    table = tables["scatter"].dropna(subset=["axis_1", "axis_2"])
    if table.empty:
        return style.sentence(NOTHING)
    subjects, note = style.shown(table["subject"])
    chosen = prepare.first_middle_last(table[table["subject"].isin(subjects)])
    per_subject = int(chosen["column"].max()) + 1
    abreast = style.columns_for(len(subjects), most=max(6 // per_subject, 1))
    n_rows, n_columns = -(-len(subjects) // abreast), abreast * per_subject
    figure = style.new_figure(0.7 + min(9.0 / n_columns, 3.0) * n_rows + 0.3 * n_rows)
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    colours = style.class_colours(table["class"])
    pixels = len(table.merge(chosen[["subject", "session"]])) > MANY_POINTS
    for ax in axes.flat:
        ax.set_visible(False)
    for index, subject in enumerate(subjects):
        own = table[table["subject"] == subject]
        for _, spot in chosen[chosen["subject"] == subject].iterrows():
            ax = axes[index // abreast, index % abreast * per_subject + spot["column"]]
            ax.set_visible(True)
            rows = own[own["session"] == spot["session"]]
            means = rows.groupby("class", sort=False)[["axis_1", "axis_2"]].mean()
            size = 9 if n_columns <= 3 else 5
            draw(rows, means, ax, colours=colours, size=size, pixels=pixels)
            ax.set(**limits(own))
            _label(ax, f"day {spot['day']}", subject if spot["column"] == 0 else "", AXES[own["axes"].iloc[0]])
    style.legend_above(figure, _legend(table, colours))
    style.footnote(figure, note)
    return figure


def _label(ax: Axes, day: str, subject: str, names: tuple[str, str]) -> None:
    ax.set_title(f"subject {subject}, {day}" if subject else day, fontsize=8)
    ax.set_box_aspect(1)
    ax.tick_params(labelsize=6.5)
    ax.set_xlabel(names[0], fontsize=7.5)
    ax.set_ylabel(names[1] if subject else "", fontsize=7.5)
    ax.tick_params(labelleft=bool(subject))


def _legend(table: pd.DataFrame, colours: Mapping[str, Any]) -> list[Any]:
    names = sorted(set(table["class"]))
    if len(names) > 16:
        return [style.key(f"{len(names)} classes, a colour each", ls="none")]
    dot = {"ls": "none", "ms": 5}
    return [
        style.key(name or "no class", color=colours[name], marker=style.CLASS_MARKERS.get(name, "o"), **dot)
        for name in names
    ]
