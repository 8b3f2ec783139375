"""When in a trial can the classes be told apart, early and late, and does the code hold over time?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from piriform.figures import prepare, style
from piriform.tables import POOLED

NOTHING = (
    "No decoding over time: it was switched off (dynamics.enabled), or no session had trials enough that were observed "
    "in the whole window."
)
COLOURS = {"first": style.FIRST, "last": style.LAST}
LABELS = {"accuracy": "decoding accuracy", "margin": "held-out margin (unit SDs)"}


def courses(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and margin of decoders tested at their own time, averaged over the sessions of a part.

    Columns ``part``, ``subject``, ``time``, ``accuracy`` and ``margin``; one row per subject and window.

    Examples
    --------
    >>> rows = {"part": "first", "subject": "Q", "train_time": [0.1, 0.1], "test_time": [0.1, 0.1]}
    >>> courses(pd.DataFrame(rows | {"accuracy": [0.5, 0.7], "margin": [0.0, 1.0]})).values.tolist()
    [['first', 'Q', 0.1, 0.6, 0.5]]
    """
    own = table[table["train_time"] == table["test_time"]].rename(columns={"test_time": "time"})
    return own.groupby(["part", "subject", "time"])[["accuracy", "margin"]].mean().reset_index()


def matrix(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies by time of training (rows) and of test: means over sessions, then over subjects.

    Examples
    --------
    >>> rows = {"subject": ["Q", "Q", "R"], "train_time": 0.1, "test_time": 0.3, "accuracy": [0.5, 0.7, 1.0]}
    >>> matrix(pd.DataFrame(rows)).values.tolist()
    [[0.8]]
    """
    per_subject = table.groupby(["subject", "train_time", "test_time"])["accuracy"].mean()
    return per_subject.groupby(["train_time", "test_time"]).mean().unstack()


def draw_course(table: pd.DataFrame, ax: Axes, *, value: str, colour: str, label: str) -> None:
    """Draw one part of :func:`courses`: a thin line per subject, the mean over subjects with its standard error."""
    lines = [rows for _, rows in prepare.groups(table, "subject")]
    alone = len(lines) == 1
    for rows in lines:
        look: dict[str, Any] = {"lw": 1.8, "label": label} if alone else {"lw": 0.6, "alpha": 0.6}
        ax.plot(rows["time"], rows[value], color=colour, **look)
    if not alone:
        band = table.groupby("time")[value].agg(["mean", "sem"])
        low, high = band["mean"] - band["sem"], band["mean"] + band["sem"]
        ax.fill_between(band.index, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(band.index, band["mean"], color=colour, lw=2.2, zorder=4, label=label)


def draw_matrix(cells: pd.DataFrame, ax: Axes, *, middle: float, limit: float) -> AxesImage:
    """Draw a matrix over time of test (across) and of training (up), colours ``middle`` plus and minus ``limit``."""
    half = float(np.diff(cells.index).min()) / 2 if len(cells) > 1 else 0.5
    edges = (cells.index[0] - half, cells.index[-1] + half)
    image = ax.imshow(
        cells.to_numpy(float), cmap="RdBu_r", vmin=middle - limit, vmax=middle + limit, origin="lower",
        extent=(*edges, *edges), interpolation="nearest",
    )  # fmt: skip
    ax.axline((0, 0), slope=1, color=style.INK, lw=0.5, ls=":")
    for line in (ax.axhline, ax.axvline):
        line(0.0, color=style.INK, lw=0.5)
    ax.set(xlim=edges, ylim=edges, xlabel="tested at (s)")
    ax.spines[:].set_visible(False)
    return image


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: courses of accuracy and margin, early and late, above the matrices of both."""
    table = tables["dynamics"]
    table = table[table["accuracy"].notna() & (table["subject"] != POOLED)]  # the means are over animals
    if table.empty:
        return style.sentence(NOTHING)
    chosen = table.merge(prepare.early_late(table), on=["subject", "session"])
    labels = prepare.part_labels(chosen)
    across = (chosen["train_time"] != chosen["test_time"]).any()
    figure = style.new_figure(5.9 if across else 2.9)
    grid = figure.add_gridspec(2 if across else 1, 6, height_ratios=[1, 1.25][: 2 if across else 1])
    values = [value for value in LABELS if chosen[value].notna().any()]
    nulls = {"accuracy": _chance(tables), "margin": 0.0}
    for column, value in enumerate(values):
        ax = figure.add_subplot(grid[0, 3 * column : 3 * column + 6 // len(values)])
        _course(courses(chosen), ax, value=value, labels=labels, null=nulls[value])
    if across:
        _matrices(figure, grid, chosen, labels)
    many = chosen["subject"].nunique() > 1
    style.legend_above(figure, _legend(labels, many=many))
    return figure


def _course(table: pd.DataFrame, ax: Axes, *, value: str, labels: Mapping[str, str], null: float | None) -> None:
    for part in labels:
        draw_course(table[table["part"] == part], ax, value=value, colour=_colour(part, labels), label=part)
    style.mark_null(ax, null)
    ax.axvline(0.0, color=style.INK, lw=0.5, zorder=1, label="event")
    ax.set(ylabel=LABELS[value], xlabel="centre of the window (s from the event)")


def _matrices(figure: Figure, grid: Any, chosen: pd.DataFrame, labels: Mapping[str, str]) -> None:
    cells = {part: matrix(rows) for part, rows in prepare.groups(chosen, "part")}
    limit = max(float(np.nanmax(np.abs(found - 0.5))) for found in cells.values()) or 0.5
    axes = {}
    for column, part in enumerate(cells):
        ax = axes[part] = figure.add_subplot(grid[1, 2 * column : 2 * column + 2])
        image = draw_matrix(cells[part], ax, middle=0.5, limit=limit)
        ax.set_title(labels[part] or "mean over sessions")
        ax.set_ylabel("trained at (s)" if column == 0 else "")
    _bar(figure, image, list(axes.values()), "accuracy")
    if "last" in cells:
        ax = figure.add_subplot(grid[1, 4:])
        change = cells["last"] - cells["first"]
        image = draw_matrix(change, ax, middle=0.0, limit=float(np.nanmax(np.abs(change))) or 0.5)
        ax.set_title("last − first")
        _bar(figure, image, [ax], "change of accuracy")


def _bar(figure: Figure, image: AxesImage, axes: list[Axes], label: str) -> None:
    bar = figure.colorbar(image, ax=axes, label=label, shrink=0.8, aspect=22, pad=0.02)
    bar.outline.set_visible(False)


def _chance(tables: Mapping[str, pd.DataFrame]) -> float | None:
    """One half with two classes; else what label permutations gave, over time or in the metrics."""
    table = tables["dynamics"]
    if not table["null_mean"].notna().any():
        table = prepare.time_course(tables["metrics"], "decoding_accuracy")
    two_classes = bool(tables["dynamics"]["margin"].notna().any())
    return prepare.null_value(table, "decoding_accuracy", two_classes=two_classes)


def _colour(part: str, labels: Mapping[str, str]) -> str:
    return COLOURS[part] if len(labels) > 1 else style.LAST


def _legend(labels: Mapping[str, str], *, many: bool) -> list[Any]:
    more = ", subjects and mean ± SEM" if many else ""
    handles = [
        style.key((label or "all sessions") + more, color=_colour(part, labels), lw=2) for part, label in labels.items()
    ]
    handles.append(style.key("event", color=style.INK, lw=0.5))
    return [*handles, style.key("null value", color=style.GREY, lw=0.9, ls=(0, (5, 3)))]
