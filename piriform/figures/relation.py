"""Does neural decoding go on changing where behaviour does not?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from piriform.figures import prepare, style

NOTHING = "Decoding against behaviour: no session has both a neural metric and a known behavioural outcome."


def draw(table: pd.DataFrame, ax: Axes, *, norm: Normalize) -> PathCollection | None:
    """Draw one point per session; colour: day, marker: phase.

    ``table``: columns ``day``, ``phase``, ``accuracy``, ``value``. Returns the last group of points,
    for a colour bar.
    """
    points = None
    for phase, marker in style.PHASE_MARKERS.items():
        rows = table[table["phase"] == phase]
        if len(rows):
            points = ax.scatter(
                rows["accuracy"],
                rows["value"],
                c=rows["day"],
                cmap="viridis",
                norm=norm,
                marker=marker,
                s=30,
                lw=0.4,
                ec="white",
                label=phase or "phase unknown",
            )
    ax.set_xlabel("behaviour, fraction correct")
    return points


def pairs(tables: Mapping[str, pd.DataFrame], metric: str) -> pd.DataFrame:
    """Return one row per session that has both a value of ``metric`` and a behavioural accuracy."""
    behavior = tables["behavior"]
    overall = behavior.loc[behavior["class"] == "all", ["subject", "session", "accuracy"]]
    course = prepare.time_course(tables["metrics"], metric)
    both = course.merge(overall, on=["subject", "session"])
    return both.dropna(subset=["value", "accuracy"])


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: decoding accuracy and the primary metric against behaviour."""
    names = dict.fromkeys(["decoding_accuracy", prepare.primary_of(verdict)])
    found = {name: table for name in names if len(table := pairs(tables, name))}
    if not found:
        return style.sentence(NOTHING)
    days = pd.concat(list(found.values()))["day"]
    norm = Normalize(float(days.min()), float(max(days.max(), days.min() + 1)))
    figure = style.new_figure(3.9)
    axes = figure.subplots(1, 2, squeeze=False)[0]
    for (name, table), ax in zip(found.items(), axes, strict=False):
        points = draw(table, ax, norm=norm)
        style.mark_null(ax, prepare.null_value(table, name, two_classes=len(tables["predictions"]) > 0))
        unit = prepare.declared(name).unit
        ax.set_ylabel(prepare.label_of(name) + (f" ({unit})" if unit else ""))
    for ax in axes[len(found) :]:
        ax.remove()
    if points is not None:
        bar = figure.colorbar(points, ax=list(axes[: len(found)]), label="day", pad=0.01, aspect=30)
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(integer=True, min_n_ticks=1)
    style.legend_above(figure, _legend(pd.concat(list(found.values()))))
    return figure


def _legend(table: pd.DataFrame) -> list[Any]:
    names = {"training": "training", "overtraining": "overtraining", "": "phase unknown"}
    there = [phase for phase in names if (table["phase"] == phase).any()]
    grey = {"color": "#4a525b", "ls": "none", "ms": 5}
    return [style.key(names[phase], marker=style.PHASE_MARKERS[phase], **grey) for phase in there] + [
        style.key("null value", color=style.GREY, lw=0.9, ls=(0, (5, 3)))
    ]
