"""How often is the verdict wrong, and how often does it find growth? Scenarios of a calibration."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import style

#: Factor by which the signal grows in the scenarios with hidden progress, and in the one they are compared with.
GROWTH = {"null": 1.0, "growth_small": 1.5, "growth_medium": 2.0, "growth_large": 3.0, "growth": 4.0}
NOTHING = "Nothing to show: no scenario of this kind was simulated."


def draw_false_alarms(table: pd.DataFrame, ax: Axes, *, bar: float) -> None:
    """Draw one row per scenario: the verdict with its interval, and each naive metric.

    ``table``: rows of ``calibration.csv`` of kind ``false alarms``.
    """
    height = np.arange(len(table))[::-1]
    for index, name in enumerate(_naive(table)):
        look: dict[str, Any] = {
            "color": style.PALETTE[index % len(style.PALETTE)],
            "marker": style.MARKERS[1:][index % 6],
        }
        ax.plot(table[name], height, ls="none", ms=4.5, mec="white", mew=0.4, label=_label(name), **look)
    _whiskers(ax, table, height, vertical=False)
    style.mark_null(ax, bar, vertical=True)
    ax.set_yticks(height, [str(name).replace("_", " ") for name in table["scenario"]])
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.set_xlim(left=0)
    ax.set_xlabel("share of studies called hidden progress; of a naive metric, that it rises")


def draw_power(table: pd.DataFrame, ax: Axes) -> None:
    """Draw the share of studies called hidden progress against the growth of the signal.

    ``table``: rows of ``calibration.csv`` whose scenario is in :data:`GROWTH`.
    """
    growth = table["scenario"].map(GROWTH)
    _whiskers(ax, table, growth, vertical=True)
    ax.plot(growth, table["hidden_progress"], color=style.INK, label="verdict")
    ax.plot(growth, table["hidden_progress_no_fixed"], **_dashed(0), label="without fixed stimuli")
    ax.plot(growth, table["primary"], **_dashed(1), label="primary metric alone")
    bars = table[(table["kind"] == "power") & table["bar"].notna()]
    ax.plot(bars["scenario"].map(GROWTH), bars["bar"], ls="none", marker="_", ms=16, mew=1.6, color=style.GREY)
    ax.set_ylim(0, 1)
    ax.set_xlabel("growth of the signal in overtraining, times")
    ax.set_ylabel("share of studies")


def build(table: pd.DataFrame) -> Figure:
    """Return the figure of a calibration: false alarms by scenario, and power by growth."""
    alarms = table[table["kind"] == "false alarms"]
    power = table[table["scenario"].isin(list(GROWTH))].copy()
    power = power.assign(growth=power["scenario"].map(GROWTH)).sort_values("growth")
    if table.empty:
        return style.sentence(NOTHING)
    figure = style.new_figure(max(3.2, 1.4 + 0.26 * len(alarms)))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for ax, rows in ((left, alarms), (right, power)):
        if rows.empty:
            ax.axis("off")
            ax.text(0.5, 0.5, NOTHING, ha="center", va="center", wrap=True, transform=ax.transAxes)
    if len(alarms):
        draw_false_alarms(alarms, left, bar=float(alarms["bar"].iloc[0]))
    if len(power):
        draw_power(power, right)
    _legend(figure, left, right)
    return figure


def save_figure(table: pd.DataFrame, paths: Iterable[str | Path]) -> list[Path]:
    """Draw the figure and write it under each of the names, PNG or SVG by the ending."""
    with style.applied():
        return style.save(build(table), paths)


def _whiskers(ax: Axes, table: pd.DataFrame, place: Any, *, vertical: bool) -> None:
    share = table["hidden_progress"].to_numpy(dtype=float)
    ends = np.abs(table[["low", "high"]].to_numpy(dtype=float).T - share)
    x, y = (place, share) if vertical else (share, place)
    error: dict[str, Any] = {"yerr": ends} if vertical else {"xerr": ends}
    look: dict[str, Any] = {"color": style.INK, "ms": 5.5, "elinewidth": 1.1, "capsize": 2, "zorder": 5}
    ax.errorbar(x, y, fmt="o", label="_verdict", **error, **look)


def _dashed(index: int) -> dict[str, Any]:
    return {"color": style.PALETTE[index], "ls": (0, (4, 2)), "marker": ".", "ms": 5}


def _naive(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table if str(name).startswith("naive_") and table[name].notna().any()]


def _label(name: str) -> str:
    return f"naive {name.removeprefix('naive_').replace('_', ' ')}"


def _legend(figure: Figure, left: Axes, right: Axes) -> None:
    verdict = style.key("verdict, 95% interval", color=style.INK, marker="o", ms=5.5)
    entries = [verdict, *left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    seen = {str(entry.get_label()): entry for entry in entries}
    named = [entry for label, entry in seen.items() if label not in ("verdict", "null")]
    style.legend_above(figure, [*named, style.key("bar", color=style.GREY, lw=1.2, ls=(0, (5, 3)))])
