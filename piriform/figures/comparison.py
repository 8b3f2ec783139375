"""Do the networks' curves look like the animals', and who predicts whom?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from piriform.comparison import late_values, regime_curves, regime_series
from piriform.figures import style
from piriform.figures.networks import DASHES
from piriform.figures.prepare import label_of
from piriform.match import OTHERS, Regime

_DASHES = (*DASHES, (0, (6, 1, 1, 1)), (0, (3, 1, 1, 1, 1, 1)))
#: What networks are that have nothing but an output scale in their name.
PLAIN = "cross-entropy"
Looks = dict[str, dict[str, Any]]


def looks(names: Iterable[str]) -> Looks:
    """Return colour and dashes of each regime: the colour by what stands before its first comma, the dashes by the rest.

    Colours go from dark to light in the order in which they come, as output scales from rich to lazy do.

    Examples
    --------
    >>> found = looks(["alpha 1", "alpha 1, hinge 0.1", "alpha 3"])
    >>> found["alpha 1"]["color"] == found["alpha 1, hinge 0.1"]["color"], found["alpha 1"]["ls"] == found["alpha 3"]["ls"]
    (True, True)
    """
    parts = {name: _parts(name) for name in names}
    scales, manners = (list(dict.fromkeys(part[place] for part in parts.values())) for place in (0, 1))
    shades = mpl.colormaps["viridis"](np.linspace(0, 0.88, len(scales)))
    return {
        name: {
            "color": mpl.colors.to_hex(shades[scales.index(scale)]),
            "ls": _DASHES[manners.index(manner) % len(_DASHES)],
        }
        for name, (scale, manner) in parts.items()
    }


def _parts(name: str) -> tuple[str, str]:
    scale, _, manner = name.partition(", ")
    return scale, manner


def draw_animals(values: pd.DataFrame, ax: Axes) -> None:
    """Draw each animal's values from its plateau on, around its own mean."""
    late = values[(values["since"] >= 0) & values["value"].notna()]
    colours = style.colours(late["subject"])
    for subject, part in late.groupby("subject"):
        part = part.sort_values("since")
        ax.plot(
            part["since"],
            part["value"] - part["value"].mean(),
            "o-",
            ms=2.5,
            color=colours[str(subject)],
            label=subject,
        )
    ax.set_xlabel("days since the plateau")
    ax.set_ylabel("around the animal's mean")


def draw_networks(curves: Mapping[str, Regime], ax: Axes, *, found: Looks) -> None:
    """Draw how each regime changes in multiples of its plateau step: mean over seeds, and the middle half of them.

    Levels are left out, as in the comparison: each seed counts from its mean in the first tenth of the curve.
    """
    for name, one in curves.items():
        step = np.exp(one.late)
        change = one.seeds - one.seeds[:, : max(len(step) // 10, 1)].mean(axis=1, keepdims=True)
        ax.plot(step, change.mean(axis=0), label=name, **found[name])
        ax.fill_between(step, *np.quantile(change, (0.25, 0.75), axis=0), color=found[name]["color"], alpha=0.15, lw=0)
    style.mark_null(ax, 0.0)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("step / plateau step")
    ax.set_ylabel("change since the plateau")
    ax.legend(handles=_keys(found), ncols=2, loc="upper left", fontsize=7.5)
    ax.margins(y=0.25)


def _keys(found: Looks) -> list[Line2D]:
    """The legend: a colour for each output scale, and dashes for each loss and rank if there are several."""
    colours = {_parts(name)[0]: look["color"] for name, look in found.items()}
    dashes = {_parts(name)[1]: look["ls"] for name, look in found.items()}
    keys = [style.key(scale, color=colour) for scale, colour in colours.items()]
    if len(dashes) > 1:
        keys += [style.key(manner or PLAIN, color=style.GREY, ls=ls) for manner, ls in dashes.items()]
    return keys


def draw_skill(rows: pd.DataFrame, ax: Axes, *, found: Looks) -> None:
    """Draw the skill of every candidate, best on top; filled where it beats the line (one-sided p of .05 or less).

    A pale bar spans the skills of single networks; the dotted line is the other animals' curve.
    """
    rows = rows[rows["skill"].notna()].sort_values("skill", kind="stable")
    places = np.arange(len(rows))
    colours = [found.get(name, {}).get("color", style.INK) for name in rows["candidate"]]
    beats = (rows["p_line"] <= 0.05).to_numpy()
    ax.hlines(places, rows["seed_low"], rows["seed_high"], color=colours, lw=5, alpha=0.25)
    ax.hlines(places, 0, rows["skill"], color=style.GREY, lw=0.8)
    faces = [colour if beat else "white" for colour, beat in zip(colours, beats, strict=True)]
    ax.scatter(rows["skill"], places, s=24, zorder=3, ec=colours, fc=faces)
    ax.set_yticks(places, rows["candidate"])
    for ceiling in rows.loc[rows["candidate"] == OTHERS, "skill"]:
        ax.axvline(ceiling, color=style.INK, lw=0.9, ls=(0, (1, 1.5)), zorder=1)
    style.mark_null(ax, 0.0, vertical=True)
    ax.set_xlabel("skill on animals left out")


def build(
    comparison: pd.DataFrame,
    metrics: pd.DataFrame,
    behavior: pd.DataFrame,
    network_metrics: pd.DataFrame,
    network_behavior: pd.DataFrame,
    *,
    names: Sequence[str],
) -> Figure:
    """Return the figure: for each metric the animals, the networks, and who predicts the animals best."""
    most = comparison.groupby("metric")["skill"].count().max()
    figure = style.new_figure(0.5 + max(2.6, 0.9 + 0.19 * most) * len(names))
    axes = figure.subplots(len(names), 3, squeeze=False)
    for name, (left, middle, right) in zip(names, axes, strict=True):
        draw_animals(late_values(name, metrics, behavior), left)
        series = regime_series(late_values(name, network_metrics, network_behavior))
        found = looks(series["regime"])
        draw_networks(regime_curves(series)[0], middle, found=found)
        rows = comparison[comparison["metric"] == name]
        if (rows["status"] == "ok").any():
            draw_skill(rows, right, found=found)
        else:
            right.axis("off")
            right.text(0, 0.5, "no answer: " + "\n".join(rows["status"]), wrap=True, fontsize=8)
        left.set_title(f"{label_of(name)}, animals")
        middle.set_title("networks")
        right.set_title("predicting animals left out")
        left.legend(ncols=4)
    return figure
