"""Which single stimuli go from wrong to right, and does a step fit better than smooth growth?"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit, logit

from piriform.figures import prepare, style
from piriform.intervals import wilson_interval
from piriform.transitions import stimulus_counts, summary

MOST = 9  # panels
STEP, LINE = style.PALETTE[1], style.PALETTE[0]
_KEYS = ["source", "subject", "stimulus", "class"]


def strongest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the tested stimuli with the strongest evidence of a step: lowest p, then largest lambda.

    Examples
    --------
    >>> rows = {"p": [0.1, np.nan, 0.002, 0.002], "lambda": [1.0, np.nan, 4.0, 5.0], "stimulus": list("abcd")}
    >>> strongest(pd.DataFrame(rows))["stimulus"].tolist()
    ['d', 'c', 'a']
    """
    tested = table[table["p"].notna()]
    return tested.sort_values(["p", "lambda"], ascending=[True, False], kind="stable").head(MOST)


def draw(table: pd.DataFrame, fits: Mapping[Hashable, Any], ax: Axes) -> None:
    """Draw accuracy by day with 95% Wilson intervals, and the step and the smooth fit over the days tested.

    ``table``: ``day``, ``n_correct`` and ``n_trials`` of one stimulus; ``fits``: its row of ``transitions.csv``.
    """
    table = table[table["n_trials"] > 0]
    ends = [wilson_interval(k, n) for k, n in zip(table["n_correct"], table["n_trials"], strict=True)]
    ax.vlines(table["day"], *np.reshape(ends, (-1, 2)).T, color=style.GREY, lw=0.7)
    ax.plot(table["day"], table["n_correct"] / table["n_trials"], "o", ms=3.5, color=style.INK, label="accuracy")
    first, last, change = (fits[name] for name in ("first_day", "last_day", "day_of_change"))
    days = np.linspace(first, last, 100)
    low, high = logit(np.clip([fits["smooth_first"], fits["smooth_last"]], 1e-9, 1 - 1e-9))
    ax.plot(days, expit(low + (high - low) * (days - first) / (last - first)), color=LINE, ls="--", label="smooth")
    if np.isfinite(change):
        heights = [fits["before"], fits["before"], fits["after"], fits["after"]]
        ax.plot([first - 0.4, change - 0.5, change - 0.5, last + 0.4], heights, color=STEP, lw=1.5, label="step")
    style.mark_null(ax, 0.5)
    ax.set_ylim(-0.04, 1.04)
    style.whole_days(ax)


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: one panel for each of the stimuli with the strongest evidence of a step."""
    table = tables["transitions"]
    rows = strongest(table)
    if rows.empty:
        return style.sentence(" ".join(summary(table)))
    counts = stimulus_counts(tables["predictions"], overtraining_only=False)
    n_columns = style.columns_for(len(rows), most=3)
    n_rows = -(-len(rows) // n_columns)
    figure = style.new_figure(0.7 + 2.1 * n_rows)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True).flat
    spans = prepare.overtraining_spans(tables["predictions"])
    for ax, fits in zip(axes, rows.to_dict("records"), strict=False):
        own = counts[(counts[_KEYS] == [fits[name] for name in _KEYS]).all(axis=1)]
        draw(own, fits, ax)
        style.shade_overtraining(ax, [spans[fits["subject"]]] if fits["subject"] in spans else [])
        ax.set_title(f"{fits['subject']}, {fits['stimulus']}, {fits['source']}\n{_evidence(fits)}", fontsize=8)
    for ax in figure.axes[len(rows) :]:
        ax.set_visible(False)
    for ax in figure.axes[::n_columns]:
        ax.set_ylabel("fraction correct")
    style.legend_above(figure, _legend(tables["predictions"]))
    style.footnote(figure, " ".join(summary(table)))
    return figure


def _evidence(fits: Mapping[Hashable, Any]) -> str:
    level = "" if np.isnan(fits["p_saturating"]) else f", p saturating = {fits['p_saturating']:.2g}"
    return f"p = {fits['p']:.2g}, q = {fits['q']:.2g}{level}: {str(fits['status']).partition(':')[0]}"


def _legend(predictions: pd.DataFrame) -> list[Any]:
    return [
        style.key("accuracy, 95% interval", color=style.INK, marker="o", ms=3.5, ls="none"),
        style.key("best step", color=STEP, lw=1.5),
        style.key("best smooth growth", color=LINE, ls="--"),
        style.key("one half", color=style.GREY, lw=0.9, ls=(0, (5, 3))),
        *style.overtraining_key(predictions),
    ]
