"""Which slopes is the verdict made of? A forest plot of subjects and group."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piriform.figures import prepare, style

NOTHING = "No slopes to show: no subject has enough overtraining sessions to fit one."


def forest(verdict: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per estimate that ``verdict.json`` holds.

    Returns
    -------
    DataFrame with columns ``panel`` (``behavior``, ``primary``, ``fixed``), ``label``, ``estimate``,
    ``low``, ``high``, ``role`` (``subject``, ``excluded`` or ``group``) and ``reason``. A group
    without an interval was not tested and has no estimate.
    """
    rows = []
    for subject in verdict.get("subjects") or []:
        role = "subject" if subject.get("included", True) else "excluded"
        found = {
            "behavior": (subject.get("behavior_slope"), subject.get("behavior_ci")),
            "primary": (subject.get("slope"), subject.get("ci")),
            "fixed": (subject.get("fixed_slope"), subject.get("fixed_ci")),
        }
        for panel, (estimate, interval) in found.items():
            ends = _interval(interval)
            rows.append((panel, str(subject["subject"]), _number(estimate), *ends, role, subject.get("reason") or ""))
    for panel in ("behavior", "primary", "fixed"):
        part = verdict.get(panel) or {}
        ends = _interval(part.get("ci"))
        estimate = _number(part.get("effect")) if np.isfinite(ends).all() else np.nan
        rows.append((panel, "group", estimate, *ends, "group", ""))
    return pd.DataFrame(rows, columns=["panel", "label", "estimate", "low", "high", "role", "reason"])


def draw(table: pd.DataFrame, ax: Axes, *, order: list[str], colours: Mapping[str, str]) -> None:
    """Draw the estimates of one panel: dots for subjects, a diamond for the group, bars for intervals."""
    for _, row in table.iterrows():
        height = order.index(row["label"]) if row["role"] != "group" else len(order) + 0.3
        colour = {"group": style.INK, "excluded": "#b4bac1"}.get(row["role"], colours.get(row["label"], style.INK))
        group = row["role"] == "group"
        if np.isfinite(row["low"]) and np.isfinite(row["high"]):
            ax.plot([row["low"], row["high"]], [height, height], color=colour, lw=2.2 if group else 1.3, zorder=3)
        if np.isfinite(row["estimate"]):
            ax.plot([row["estimate"]], [height], color=colour, marker="D" if group else "o", ms=8 if group else 5.5,
                    mec="white", mew=0.7, zorder=4, label=row["label"])  # fmt: skip
        else:
            ax.text(0.98, height, "no group test" if group else "no slope", transform=ax.get_yaxis_transform(), ha="right", va="center",
                    fontsize=7, color=style.GREY)  # fmt: skip
    ax.axvline(0, color=style.GREY, lw=0.9, ls=(0, (5, 3)), zorder=1)
    ax.axhline(len(order) - 0.35, color="#d5dae0", lw=0.7)
    ax.set_ylim(len(order) + 0.85, -0.6)
    ax.set_yticks([*range(len(order)), len(order) + 0.3], [*order, "group"])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def build(tables: Mapping[str, pd.DataFrame], verdict: Mapping[str, Any]) -> Figure:
    """Return the figure: a panel each for behaviour, the primary metric, and its fixed stimuli."""
    table = forest(verdict)
    table = table[table.groupby("panel")["estimate"].transform(lambda values: values.notna().any())]
    if table.empty:
        return style.sentence(NOTHING)
    order = list(dict.fromkeys(table.loc[table["role"] != "group", "label"]))
    panels = [name for name in ("behavior", "primary", "fixed") if (table["panel"] == name).any()]
    figure = style.new_figure(1.35 + 0.32 * (len(order) + 1))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    colours = style.colours([*tables["metrics"]["subject"], *order])
    unit = (verdict.get("primary") or {}).get("unit") or "per 10 days"
    metric = prepare.label_of(prepare.primary_of(verdict))
    titles = {
        "behavior": ("behaviour: flat?", "fraction correct per 10 days"),
        "primary": (f"{metric}: rising?", unit),
        "fixed": ("on fixed stimuli: rising?", unit),
    }
    for name, ax in zip(panels, axes, strict=True):
        draw(table[table["panel"] == name], ax, order=order, colours=colours)
        bound = _number((verdict.get("behavior") or {}).get("bound"))
        if name == "behavior" and np.isfinite(bound):
            ax.axvspan(-bound, bound, color=style.SHADE, lw=0, zorder=0, label="counts as flat")
        ax.set_title(titles[name][0])
        ax.set_xlabel(f"slope ({titles[name][1]})")
        ax.tick_params(labelleft=ax is axes[0])
    if panels[-2:] == ["primary", "fixed"]:
        axes[-1].sharex(axes[-2])
    out = table.loc[(table["role"] == "excluded") & (table["reason"] != ""), ["label", "reason"]].drop_duplicates()
    listed = [f"{', '.join(rows['label'])}: {reason}." for reason, rows in out.groupby("reason", sort=False)]
    style.footnote(figure, " ".join(listed))
    return figure


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _interval(value: Any) -> tuple[float, float]:
    return (_number(value[0]), _number(value[1])) if value and len(value) == 2 else (float("nan"), float("nan"))
