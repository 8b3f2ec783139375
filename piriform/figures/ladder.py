"""Which control removes a trend? The separation of the classes over days, with one control more in each panel."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import prepare, style
from piriform.figures.metrics import draw_course

NOTHING = "No ladder of controls: the study has no session with target and nontarget trials enough."
ADDED = {
    "none": "no control",
    "units": "+ mean over units",
    "drift": "+ blocks with trend",
    "composition": "+ fixed stimulus mix",
    "gain": "+ relative to rate",
}


def relative(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a value, divided by the subject's mean of the rung in overtraining (all days without any).

    A subject whose mean is not above 0 has no separation to compare with and is left out.
    """
    table = table[table["value"].notna()]
    parts = []
    for _, rows in table.groupby(["subject", "rung"], sort=True):
        late = rows[rows["phase"] == "overtraining"]
        mean = (late if len(late) else rows)["value"].mean()
        if mean > 0:
            parts.append(rows.assign(value=rows["value"] / mean))
    return pd.concat(parts).sort_values(["rung", "subject", "day"], kind="stable") if parts else table.iloc[:0]


def draw_rung(table: pd.DataFrame, band: pd.DataFrame, ax: Axes) -> None:
    """Draw one rung: a line per subject and the group's mean with its band; ``table`` from :func:`relative`."""
    draw_course(table, band, ax)
    style.mark_null(ax, 0.0)
    style.whole_days(ax)


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: one panel per rung, all stimuli."""
    table = tables["ladder"]
    table = relative(table[table["stimuli"] == "all"])
    if table.empty:
        return style.sentence(NOTHING)
    rungs = sorted(table["rung"].unique())
    figure = style.new_figure(2.6)
    axes = figure.subplots(1, len(rungs), sharey=True, squeeze=False)[0]
    for ax, rung in zip(axes, rungs, strict=True):
        rows = table[table["rung"] == rung]
        draw_rung(rows, prepare.group_band(rows), ax)
        last = str(rows["controls"].iloc[0]).split(", ")[-1]
        ax.set_title(ADDED.get(last, f"+ {last}"))
    low, high = table["value"].quantile([0.005, 0.995])
    axes[0].set(ylim=(min(-0.2, 1.1 * low), 1.15 * high), ylabel="squared separation\n(mean in overtraining = 1)")
    colours, markers = style.colours(table["subject"]), style.markers(table["subject"])
    names = sorted(colours) if len(colours) <= 2 * len(style.PALETTE) else []
    handles = [style.key(name, color=colours[name], marker=markers[name]) for name in names]
    style.legend_above(
        figure, [*handles, style.key("group mean ± SEM", color=style.INK, lw=2), *style.overtraining_key(table)]
    )
    return figure
