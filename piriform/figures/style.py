"""How do all figures look? Sizes, colours, line styles and how a figure is written to disk.

Figures do not use pyplot, so that no backend and no global state is touched; they are drawn by Agg.
"""

import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from piriform.figures.captions import NOTHING_ID
from piriform.provenance import atomic_path

WIDTH = 10.0  # inches: 960 px in a report
MAX_SUBJECTS = 12  # subjects with panels of their own

INK = "#1f2328"
GREY = "#8a929b"
SHADE = "#eef1f4"
OVERTRAINING = "#dfe5ec"
#: Okabe and Ito's palette without black and yellow: distinct for all common kinds of colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
CLASS_COLOURS = {"target": "#A3183C", "nontarget": "#75808C", "probe": "#E0A030", "all": INK, "": "#c9ced4"}
CLASS_MARKERS = {"target": "o", "nontarget": "^", "probe": "D"}
PHASE_MARKERS = {"training": "o", "overtraining": "^", "": "s"}
FIRST, LAST = "#9DB8D2", "#1B3A5C"  # early and late sessions

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#5c646d",
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 5,
    "axes.titlesize": 9,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same letters on every machine
    "font.size": 8.5,
    "legend.borderaxespad": 0.2,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.2,
    "savefig.dpi": 150,
    "svg.fonttype": "none",
    "svg.hashsalt": "piriform",
    "text.color": INK,
    "text.parse_math": False,  # a subject may be called "a$b$"
    "xtick.color": "#5c646d",
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.7,
    "ytick.color": "#5c646d",
    "ytick.labelcolor": INK,
    "ytick.labelsize": 7.5,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.7,
}


@contextmanager
def applied() -> Iterator[None]:
    """Use matplotlib's defaults and :data:`STYLE`, whatever the user's own settings, inside the block."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def new_figure(height: float) -> Figure:
    """Return an empty figure of the report's width; ``height`` in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def sentence(text: str) -> Figure:
    """Return a figure that consists of a sentence: what cannot be shown, and why."""
    lines = textwrap.wrap(text, 105)
    figure = new_figure(0.75 + 0.22 * len(lines))
    ax = figure.subplots()
    ax.axis("off")
    ax.set_gid(NOTHING_ID)
    ax.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=10, color="#4a525b", linespacing=1.5)
    return figure


def save(figure: Figure, paths: Iterable[str | Path]) -> list[Path]:
    """Write a figure as PNG or SVG, by each name's ending, without dates; temporary name, then rename.

    The layout is made for the first file and holds for the others.
    """
    written = []
    for path in map(Path, paths):
        kind = path.suffix[1:]
        metadata: dict[str, Any] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}[kind]
        with atomic_path(path) as temporary, _any_script():
            figure.savefig(temporary, format=kind, metadata=metadata)
        figure.set_layout_engine("none")
        written.append(path)
    return written


@contextmanager
def _any_script() -> Iterator[None]:
    """Say nothing of a name in a script that the font lacks: it is drawn as boxes in the PNG and right in the SVG."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return one colour per subject, the same in all figures: by the position among the sorted names.

    Examples
    --------
    >>> colours(["R", "Q"])
    {'Q': '#0072B2', 'R': '#D55E00'}
    """
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(sorted(set(names)))}


def markers(names: Iterable[str]) -> dict[str, str]:
    """Return one marker per subject; it tells apart the subjects that share a colour."""
    return {name: MARKERS[index // len(PALETTE) % len(MARKERS)] for index, name in enumerate(sorted(set(names)))}


def class_colours(names: Iterable[str]) -> dict[str, Any]:
    """Return one colour per class: fixed for target, nontarget and probe, spread over a circle otherwise."""
    others = sorted(set(names) - set(CLASS_COLOURS))
    wheel = mpl.colormaps["turbo"](np.linspace(0.05, 0.95, max(len(others), 1)))
    return CLASS_COLOURS | dict(zip(others, (tuple(map(float, row)) for row in wheel), strict=False))


def shade_overtraining(ax: Axes, spans: Iterable[tuple[float, float]]) -> None:
    """Shade each subject's span of overtraining days; where all overlap the shade is full."""
    spans = list(spans)
    for start, stop in spans:
        ax.axvspan(start - 0.5, stop + 0.5, color=OVERTRAINING, alpha=1 - 0.35 ** (1 / len(spans)), lw=0, zorder=0)


def mark_plateau(ax: Axes, day: float, *, colour: str = INK) -> None:
    """Draw the first day on the behavioural plateau as a vertical dashed line; nothing for NaN."""
    if np.isfinite(day):
        ax.axvline(day, color=colour, lw=0.9, ls=(0, (4, 2)), zorder=1, label="plateau")


def mark_plateaus(ax: Axes, days: Mapping[str, float], *, colours: Mapping[str, str]) -> None:
    """Mark each subject's plateau day by a triangle of its colour at the bottom of the panel; none for NaN."""
    for index, (subject, day) in enumerate(sorted(days.items())):
        if np.isfinite(day):
            look: dict[str, Any] = {"marker": "v", "ms": 6, "mec": "white", "mew": 0.5, "ls": "none", "zorder": 5}
            height, where = [0.02 + 0.035 * index], ax.get_xaxis_transform()
            ax.plot([day], height, color=colours[subject], transform=where, label=f"plateau of {subject}", **look)


def mark_null(ax: Axes, value: float | None, *, vertical: bool = False) -> None:
    """Draw the value under the null as a dashed grey line; nothing where a metric has none."""
    if value is not None and np.isfinite(value):
        line = ax.axvline if vertical else ax.axhline
        line(value, color=GREY, lw=0.9, ls=(0, (5, 3)), zorder=1, label="null")


def whole_days(ax: Axes, *, label: bool = True, wide: bool = False) -> None:
    """Put ticks on whole days."""
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12 if wide else 6, integer=True, min_n_ticks=1))
    if label:
        ax.set_xlabel("day")


def key(label: str, **line: Any) -> Line2D:
    """Return an entry of a legend; a leading underscore would hide it, so a space goes before."""
    return Line2D([], [], label=f" {label}" if label.startswith("_") else label, **line)


def overtraining_key(table: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entry for the shading, none where no session is overtraining."""
    return [key("overtraining", color=OVERTRAINING, lw=7)] if (table["phase"] == "overtraining").any() else []


def legend_above(figure: Figure, handles: Sequence[Any]) -> None:
    """Put a legend over all panels, at the left, in as many columns as fit."""
    for n_columns in range(len(handles), 0, -1):
        legend = figure.legend(handles=list(handles), loc="outside upper left", ncols=n_columns, columnspacing=1.6)
        with _any_script():
            width = legend.get_window_extent().width
        if n_columns == 1 or width <= figure.bbox.width:
            return
        legend.remove()


def footnote(figure: Figure, text: str) -> None:
    """Put small print under all panels."""
    if text:
        figure.supxlabel("\n".join(textwrap.wrap(text, 150)), x=0.01, ha="left", fontsize=7.5, color="#5c646d")


def shown(names: Iterable[str]) -> tuple[list[str], str]:
    """Return the subjects that get panels of their own, and a footnote about the others."""
    ordered = sorted(set(names))
    if len(ordered) <= MAX_SUBJECTS:
        return ordered, ""
    return ordered[:MAX_SUBJECTS], f"The first {MAX_SUBJECTS} of {len(ordered)} subjects are shown."


def columns_for(n_panels: int, *, most: int) -> int:
    """Return into how many columns panels go so that the rows are equally full.

    Examples
    --------
    >>> columns_for(10, most=6), columns_for(4, most=6), columns_for(1, most=6)
    (5, 4, 1)
    """
    n_rows = -(-n_panels // most)
    return -(-n_panels // n_rows)
