"""How did every neural metric change over days, against its value under the null?"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import prepare, style

N_COLUMNS = 4
ARROWS = {1: "↑", -1: "↓", 0: ""}  # the way learning moves a metric


def draw_course(table: pd.DataFrame, band: pd.DataFrame, ax: Axes, *, large: bool = False) -> None:
    """Draw one metric over days: a line per subject, the group's mean with its band, and the null.

    ``table``: rows of ``metrics.csv`` of one metric; ``band``: :func:`piriform.figures.prepare.group_band`.
    """
    colours, markers = style.colours(table["subject"]), style.markers(table["subject"])
    for subject, rows in prepare.groups(table, "subject"):
        ax.plot(
            rows["day"],
            rows["value"],
            color=colours[subject],
            marker=markers[subject],
            ms=3.2 if large else 1.8,
            lw=1.1 if large else 0.8,
            alpha=0.75,
            label=subject,
        )
    if len(band):
        ax.fill_between(band["day"], band["low"], band["high"], color=style.INK, alpha=0.15, lw=0, zorder=3)
        ax.plot(band["day"], band["mean"], color=style.INK, lw=2.2 if large else 1.5, zorder=4, label="group mean")
    style.shade_overtraining(ax, prepare.overtraining_spans(table).values())
    style.whole_days(ax, label=False, wide=large)


def draw_fixed(table: pd.DataFrame, band: pd.DataFrame, ax: Axes) -> None:
    """Add the values on fixed stimuli: the group's mean as open circles, or the only subject's."""
    for _, rows in prepare.groups(table, "subject") if band.empty else []:
        ax.plot(rows["day"], rows["value"], **_FIXED, label="fixed stimuli")
    if len(band):
        ax.plot(band["day"], band["mean"], **_FIXED, label="fixed stimuli")


def draw_null(table: pd.DataFrame, ax: Axes, *, null: float | None) -> None:
    """Draw the declared null dashed, and the mean over label permutations per day dotted."""
    style.mark_null(ax, null)
    permuted = table.groupby("day")["null_mean"].mean().dropna()
    if len(permuted):
        ax.plot(permuted.index, permuted, color=style.GREY, ls=":", lw=1.2, zorder=2, label="permutations")


def draw_sessions(table: pd.DataFrame, order: list[str], ax: Axes, *, null: float | None) -> None:
    """Draw one dot per subject with a single session: its value, its SD over draws, and its null."""
    rows = table.set_index("subject").reindex(order)
    heights = range(len(order))
    ax.use_sticky_edges = False  # room beside the bars as beside the dots
    ax.barh(
        heights, 4 * rows["null_sd"], left=rows["null_mean"] - 2 * rows["null_sd"], height=0.55, color="#d5dae0", lw=0
    )
    colours = [style.colours(order)[name] for name in order]
    ax.hlines(heights, rows["value"] - rows["sd_draws"], rows["value"] + rows["sd_draws"], colors=colours, lw=1)
    ax.scatter(rows["value"], heights, c=colours, s=16, zorder=3)
    style.mark_null(ax, null, vertical=True)
    ax.set_ylim(len(order) - 0.4, -0.6)
    units = rows["n_units"].map(lambda n: f", {n:.0f} units" if n == n else "")
    ax.set_yticks(list(heights), [name + n_units for name, n_units in zip(order, units, strict=True)])


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: small panels over days, or one dot per session if there is one each."""
    table, primary = tables["metrics"], prepare.primary_of(verdict)
    order = prepare.metric_order(table, primary)
    if not order:
        return style.sentence("No metrics: no session could be measured. The reasons are in the table of sessions.")
    note = _unmeasured(table, order)
    two_classes = len(tables["predictions"]) > 0
    nulls = {
        name: prepare.null_value(prepare.time_course(table, name), name, two_classes=two_classes) for name in order
    }
    if prepare.one_session_each(table):
        return _cross_section(table, nulls, note)
    figure = _courses(table, nulls, primary, note)
    known, colours = prepare.plateau_days(tables["behavior"]), style.colours(table["subject"])
    days = {subject: day for subject, day in known.items() if subject in colours}
    style.mark_plateaus(figure.axes[0], days, colours=colours)
    return figure


def _courses(table: pd.DataFrame, nulls: Mapping[str, float | None], primary: str, note: str) -> Figure:
    order = list(nulls)
    spots = _spots(len(order), large=order[0] == primary and len(order) > 2)
    n_rows, n_columns = max(spot[1] for spot in spots), max(spot[3] for spot in spots)
    figure = style.new_figure(0.75 + 1.75 * n_rows)
    grid = figure.add_gridspec(n_rows, n_columns)
    days = (float(table["day"].min()) - 0.6, float(table["day"].max()) + 0.6)
    floors = {column: max(s[1] for s in spots if s[2] <= column < s[3]) for column in range(n_columns)}
    for name, (top, bottom, left, right) in zip(order, spots, strict=True):
        ax = figure.add_subplot(grid[top:bottom, left:right])
        _panel(table, name, ax, large=bottom - top > 1)
        draw_null(prepare.time_course(table, name), ax, null=nulls[name])
        if name == primary:
            fixed = prepare.time_course(table, name, stimuli="fixed")
            draw_fixed(fixed, prepare.group_band(fixed), ax)
        ax.set_xlim(days)
        if bottom == floors[left]:
            ax.set_xlabel("day")
    style.legend_above(figure, _legend(table, primary))
    style.footnote(figure, note)
    return figure


def _panel(table: pd.DataFrame, name: str, ax: Axes, *, large: bool) -> None:
    rows, metric = prepare.time_course(table, name), prepare.declared(name)
    draw_course(rows, prepare.group_band(rows), ax, large=large)
    title = prepare.label_of(name) + (" (primary)" if large else "")
    ax.set_title(title, fontsize=11 if large else 8.5, fontweight="bold" if large else "normal")
    ax.set_ylabel(metric.unit, fontsize=8.5 if large else 7.5)
    ax.set_title(ARROWS[metric.learning], loc="right", color=style.GREY)


def _cross_section(table: pd.DataFrame, nulls: Mapping[str, float | None], note: str) -> Figure:
    order = list(nulls)
    subjects = sorted(set(table["subject"]))
    n_columns = style.columns_for(len(order), most=N_COLUMNS)
    n_rows = -(-len(order) // n_columns)
    figure = style.new_figure(0.6 + (0.55 + max(0.17 * len(subjects), 0.5)) * n_rows)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
    for name, ax in zip(order, axes.flat, strict=False):
        rows = prepare.time_course(table, name)
        draw_sessions(rows, subjects, ax, null=nulls[name])
        ax.set_title(prepare.label_of(name), fontsize=8.5)
        ax.set_xlabel(prepare.declared(name).unit)
    for ax in axes.flat[len(order) :]:
        ax.remove()
    dashed = style.key("null value", color=style.GREY, lw=0.9, ls=(0, (5, 3)))
    style.legend_above(figure, [dashed, style.key("label permutations, mean ± 2 SD", color="#d5dae0", lw=7)])
    style.footnote(figure, note)
    return figure


def _spots(n: int, *, large: bool) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left, right grid lines of each panel; the first takes four places if ``large``."""
    if not large:
        columns = min(n, N_COLUMNS)
        return [(i // columns, i // columns + 1, i % columns, i % columns + 1) for i in range(n)]
    columns = N_COLUMNS if n > 3 else N_COLUMNS - 1
    cells = [(row, column) for row in range(n) for column in range(columns) if row > 1 or column > 1]
    return [(0, 2, 0, 2)] + [(row, row + 1, column, column + 1) for row, column in cells[: n - 1]]


def _unmeasured(table: pd.DataFrame, order: list[str]) -> str:
    reasons = {}
    for name, rows in table[~table["metric"].isin(order)].groupby("metric", sort=False):
        reasons[prepare.label_of(str(name))] = rows["status"].mode().iloc[0]
    listed = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
    return f"Not measured: {listed}." if listed else ""


def _legend(table: pd.DataFrame, primary: str) -> list[Any]:
    colours, markers = style.colours(table["subject"]), style.markers(table["subject"])
    names = sorted(colours) if len(colours) <= 2 * len(style.PALETTE) else []
    handles = [style.key(name, color=colours[name], marker=markers[name]) for name in names]
    if len(colours) > 1:
        handles.append(style.key("mean ± SEM", color=style.INK, lw=2))
    if prepare.time_course(table, primary, stimuli="fixed")["value"].notna().any():
        handles.append(style.key("fixed stimuli", **_FIXED))
    handles.append(style.key("null value", color=style.GREY, lw=0.9, ls=(0, (5, 3))))
    if table["null_mean"].notna().any():
        handles.append(style.key("label permutations", color=style.GREY, lw=1.2, ls=":"))
    return handles + style.overtraining_key(table)


_FIXED: dict[str, Any] = {
    "color": style.INK,
    "lw": 0.9,
    "ls": (0, (2, 1.5)),
    "marker": "o",
    "ms": 4,
    "mfc": "white",
    "mew": 0.9,
    "zorder": 5,
}
