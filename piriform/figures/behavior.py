"""How did behaviour change over days, and when did it stop changing?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import prepare, style

NOTHING = "No behavioural curve: the recordings hold no trials with a known outcome."


def draw_group(table: pd.DataFrame, band: pd.DataFrame, ax: Axes) -> None:
    """Draw one line per subject, and the group's mean with its band.

    ``table``: rows of ``behavior.csv`` of one class; ``band``: :func:`piriform.figures.prepare.group_band`.
    """
    colours, markers = style.colours(table["subject"]), style.markers(table["subject"])
    for subject, rows in prepare.groups(table, "subject"):
        ax.plot(
            rows["day"], rows["accuracy"], color=colours[subject], marker=markers[subject], alpha=0.75, label=subject
        )
    if len(band):
        ax.fill_between(band["day"], band["low"], band["high"], color=style.INK, alpha=0.15, lw=0, zorder=3)
        ax.plot(band["day"], band["mean"], color=style.INK, lw=2, zorder=4, label="group mean")
    style.shade_overtraining(ax, prepare.overtraining_spans(table).values())
    style.mark_null(ax, 0.5)
    ax.set_ylabel("fraction correct")
    style.whole_days(ax, wide=True)


def draw_subject(table: pd.DataFrame, ax: Axes, *, colour: str) -> None:
    """Draw one subject's accuracy with 95% intervals, its classes, and its plateau day."""
    classes = [name for name in dict.fromkeys(table["class"]) if name != "all"]
    class_colours = style.class_colours(classes)
    for name in classes if len(classes) <= 6 else []:
        rows = table[table["class"] == name]
        ax.plot(rows["day"], rows["accuracy"], color=class_colours[name], lw=0.7, label=name)
    rows = table[table["class"] == "all"]
    if len(rows):
        ax.fill_between(rows["day"], rows["ci_low"], rows["ci_high"], color=colour, alpha=0.25, lw=0, zorder=3)
        ax.plot(rows["day"], rows["accuracy"], color=colour, marker="o", ms=2.6, lw=1.4, zorder=4, label="all")
    style.shade_overtraining(ax, prepare.overtraining_spans(table).values())
    style.mark_null(ax, 0.5)
    style.mark_plateau(ax, prepare.plateau_days(table).get(str(table["subject"].iloc[0]), np.nan))
    style.whole_days(ax)


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: the group above, the subjects below; one panel for one subject."""
    table = tables["behavior"].sort_values(["subject", "day", "session"], kind="stable")
    table = table[table["accuracy"].notna()]
    if table.empty:
        return style.sentence(NOTHING)
    subjects, note = style.shown(table["subject"])
    overall = table[table["class"] == "all"]
    with_group = table["subject"].nunique() > 1 and len(overall) > 0
    n_columns = style.columns_for(len(subjects), most=4)
    n_rows = -(-len(subjects) // n_columns)
    figure = style.new_figure((2.9 if with_group else 1.2) + 1.75 * n_rows)
    grid = figure.add_gridspec(n_rows + with_group, n_columns, height_ratios=[1.6] * with_group + [1] * n_rows)
    colours = style.colours(table["subject"])
    low = min(0.42, float(table["accuracy"].min()) - 0.05, float(overall["ci_low"].min()) - 0.03)
    days = (float(table["day"].min()) - 0.6, float(table["day"].max()) + 0.6)
    if with_group:
        ax = figure.add_subplot(grid[0, :])
        draw_group(overall, prepare.group_band(overall, "accuracy"), ax)
        style.mark_plateaus(ax, prepare.plateau_days(overall), colours=colours)
        ax.set(ylim=(low, 1.015), xlim=days)
    for index, subject in enumerate(subjects):
        ax = figure.add_subplot(grid[with_group + index // n_columns, index % n_columns])
        draw_subject(table[table["subject"] == subject], ax, colour=colours[subject])
        ax.set(ylim=(low, 1.015), xlim=days)
        ax.set_title(f"subject {subject}", color=colours[subject])
        if index % n_columns == 0:
            ax.set_ylabel("fraction correct")
        else:
            ax.tick_params(labelleft=False)
    style.legend_above(figure, _legend(table, with_group))
    style.footnote(figure, note)
    return figure


def _legend(table: pd.DataFrame, with_group: bool) -> list[Any]:
    colours, markers = style.colours(table["subject"]), style.markers(table["subject"])
    names = sorted(colours) if with_group and len(colours) <= 2 * len(style.PALETTE) else []
    handles = [style.key(name, color=colours[name], marker=markers[name]) for name in names]
    if with_group:
        handles.append(style.key("group mean ± SEM", color=style.INK, lw=2))
    classes = [name for name in dict.fromkeys(table["class"]) if name != "all"]
    if len(classes) <= 6:
        class_colours = style.class_colours(classes)
        handles += [style.key(name, color=class_colours[name], lw=0.8) for name in classes]
    if table["plateau_day"].notna().any():
        triangle = {"marker": "v", "ms": 5} if with_group else {}
        handles.append(style.key("plateau", color=style.INK, lw=0.9, ls=(0, (4, 2)), **triangle))
    handles.append(style.key("guessing", color=style.GREY, lw=0.9, ls=(0, (5, 3))))
    return handles + style.overtraining_key(table)
