"""How do networks learn, condition by condition? Courses over steps, and one value per network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.special import stdtrit

from piriform.figures import style

DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))


def looks(conditions: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour and dashes of each condition, by its place.

    Examples
    --------
    >>> looks(["a", "b"])["b"]["color"]
    '#D55E00'
    """
    n = len(style.PALETTE)
    return {
        name: {"color": style.PALETTE[place % n], "ls": DASHES[place // n % len(DASHES)]}
        for place, name in enumerate(conditions)
    }


def mean_course(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean over seeds and the ends of its 95% t interval, by step; the ends are NaN for one seed.

    Examples
    --------
    >>> mean_course(pd.DataFrame({"step": [1, 1, 2], "value": [1.0, 3.0, 5.0]}))["mean"].tolist()
    [2.0, 5.0]
    """
    by_step = table.dropna(subset="value").groupby("step")["value"]
    found = by_step.agg(["mean", "std", "count"])
    df = (found["count"] - 1).clip(lower=1)
    half = pd.Series(stdtrit(df, 0.975), found.index) * found["std"] / np.sqrt(found["count"])
    return found.assign(low=found["mean"] - half, high=found["mean"] + half)


def draw_course(table: pd.DataFrame, ax: Axes, *, conditions: Sequence[str], plateaus: Mapping[str, float]) -> None:
    """Draw a measure over steps: mean and 95% interval over seeds, a triangle at the median plateau.

    Parameters
    ----------
    table : ``condition``, ``seed``, ``step``, ``value`` of one measure; step 0 is drawn at one half
    plateaus : median plateau step by condition
    """
    for name, look in looks(conditions).items():
        found = mean_course(table[table["condition"] == name])
        if found.empty:
            continue
        steps = np.maximum(found.index.to_numpy(dtype=float), 0.5)
        ax.plot(steps, found["mean"], label=name, **look)
        ax.fill_between(steps, found["low"], found["high"], color=look["color"], alpha=0.18, lw=0)
        if np.isfinite(plateaus.get(name, np.nan)):
            height = np.interp(plateaus[name], steps, found["mean"])
            ax.plot([plateaus[name]], [height], "v", color=look["color"], ms=6, mec="white", mew=0.5, zorder=5)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("training step")


def draw_points(
    quantities: pd.DataFrame, effects: pd.DataFrame, ax: Axes, *, conditions: Sequence[str], null: float | None
) -> None:
    """Draw one quantity: a dot per network, mean and 95% interval over seeds, a column per condition."""
    for place, (name, look) in enumerate(looks(conditions).items()):
        values = quantities.loc[quantities["condition"] == name, "value"].dropna().to_numpy()
        spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(len(values))
        ax.plot(place + spread, values, "o", color=look["color"], alpha=0.35, ms=3, mew=0)
        own = effects[effects["condition"] == name]
        if len(own):
            row = own.iloc[0]
            ax.vlines(place, row["low"], row["high"], color=style.INK, lw=1.4)
            ax.plot([place], [row["mean"]], "D", color=look["color"], mec=style.INK, mew=0.7, ms=5)
    style.mark_null(ax, null)
    tilted = sum(map(len, conditions)) > 30
    ax.set_xticks(range(len(conditions)), conditions, rotation=30 * tilted, ha="right" if tilted else "center")
    ax.margins(x=0.08)


def build(tables: Mapping[str, pd.DataFrame], panels: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the figure of one experiment.

    Parameters
    ----------
    tables : ``network_measures``, ``network_quantities``, ``network_effects`` of one experiment
    panels : ``kind`` (course or points), ``name``, ``title``, ``conditions`` (none: all), ``null`` (None: none)
    """
    measures, quantities, effects = (tables[f"network_{kind}"] for kind in ("measures", "quantities", "effects"))
    everything = list(dict.fromkeys([*measures["condition"], *quantities["condition"]]))
    steps = quantities[quantities["quantity"] == "plateau_step"].groupby("condition")["value"].median()
    plateaus = {str(name): float(step) for name, step in steps.items()}
    n_columns = style.columns_for(len(panels), most=3)
    n_rows = -(-len(panels) // n_columns)
    figure = style.new_figure(0.6 + 2.5 * n_rows)
    axes = figure.subplots(n_rows, n_columns, squeeze=False).flat
    for ax, panel in zip(axes, panels, strict=False):
        conditions = list(panel["conditions"]) or _present(panel, measures, quantities, everything)
        if panel["kind"] == "course":
            own = measures[measures["measure"] == panel["name"]]
            draw_course(own, ax, conditions=conditions, plateaus=plateaus)
        else:
            own, means = (table[table["quantity"] == panel["name"]] for table in (quantities, effects))
            draw_points(own, means, ax, conditions=conditions, null=panel["null"])
        ax.set_title(panel["title"])
    for ax in figure.axes[len(panels) :]:
        ax.set_visible(False)
    drawn = [
        line for ax in figure.axes for line in ax.get_lines() if not str(line.get_label()).startswith(("_", "null"))
    ]
    style.legend_above(figure, list({line.get_label(): line for line in drawn}.values()))
    return figure


def _present(
    panel: Mapping[str, Any], measures: pd.DataFrame, quantities: pd.DataFrame, everything: Sequence[str]
) -> list[str]:
    """The conditions that have the panel's measure or quantity."""
    table, column = (measures, "measure") if panel["kind"] == "course" else (quantities, "quantity")
    own = set(table.loc[(table[column] == panel["name"]) & table["value"].notna(), "condition"])
    return [name for name in everything if name in own]
