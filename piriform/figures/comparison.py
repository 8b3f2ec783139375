"""Do the networks' curves look like the animals', and who predicts whom?"""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.special import stdtrit

from piriform.comparison import late_values, regime_series
from piriform.errors import PiriformError
from piriform.figures import style
from piriform.figures.networks import looks
from piriform.figures.prepare import label_of
from piriform.regimes import Regime, regime


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


def draw_networks(values: pd.DataFrame, ax: Axes) -> None:
    """Draw each regime's mean over seeds, and the band of the seeds' 95% interval, in multiples of the plateau step."""
    curves = _regimes(values)
    for (name, one), look in zip(curves.items(), looks(list(curves)).values(), strict=True):
        step = np.exp(one.late)
        mean, sd = one.seeds.mean(axis=0), one.seeds.std(axis=0, ddof=1) if len(one.seeds) > 1 else np.nan
        half = stdtrit(max(len(one.seeds) - 1, 1), 0.975) * sd / np.sqrt(len(one.seeds))
        ax.plot(step, mean, label=name, **look)
        ax.fill_between(step, mean - half, mean + half, color=look["color"], alpha=0.15, lw=0)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("step / plateau step")


def _regimes(values: pd.DataFrame) -> dict[str, Regime]:
    """The curves of every regime that has two steps from its plateau on."""
    found = {}
    for name, part in regime_series(values).groupby("regime", sort=False):
        with suppress(PiriformError):
            found[str(name)] = regime(part)
    return found


def draw_skill(rows: pd.DataFrame, ax: Axes) -> None:
    """Draw the skill of every candidate, best on top; filled where it beats the line (one-sided p of .05 or less)."""
    rows = rows[rows["skill"].notna()].sort_values("skill", kind="stable")
    beats = (rows["p_line"] <= 0.05).to_numpy()
    places = np.arange(len(rows))
    ax.hlines(places, 0, rows["skill"], color=style.GREY, lw=0.8)
    ax.scatter(rows["skill"], places, s=28, zorder=3, ec=style.LAST, fc=np.where(beats, style.LAST, "white"))
    ax.set_yticks(places, rows["candidate"])
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
    figure = style.new_figure(0.5 + 2.6 * len(names))
    axes = figure.subplots(len(names), 3, squeeze=False)
    for name, (left, middle, right) in zip(names, axes, strict=True):
        draw_animals(late_values(name, metrics, behavior), left)
        draw_networks(late_values(name, network_metrics, network_behavior), middle)
        rows = comparison[comparison["metric"] == name]
        if (rows["status"] == "ok").any():
            draw_skill(rows, right)
        else:
            right.axis("off")
            right.text(0, 0.5, "no answer: " + "\n".join(rows["status"]), wrap=True, fontsize=8)
        left.set_title(f"{label_of(name)}, animals")
        middle.set_title("networks")
        right.set_title("predicting animals left out")
        left.legend(ncols=4)
        middle.legend(ncols=2)
    return figure
