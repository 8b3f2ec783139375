"""How do animals and networks arrange the conditions, and how alike is it?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.image import AxesImage

from piriform.figures import style
from piriform.rdm_sets import STAGES, Candidate, RdmSets, mean_rdm, rdm_sets
from piriform.rdms import SHARED
from piriform.representations import animal_scores

STAGE_LOOKS = {"start": ("white", style.GREY), "plateau": ("white", style.LAST), "end": (style.LAST, style.LAST)}
TITLES = {"cosine": "cosine with the animals' RDMs", "tau-a": "rank correlation (tau-a)"}


def square(rdm: np.ndarray, n: int) -> np.ndarray:
    """Return the symmetric matrix of an RDM in units of its largest distance; the diagonal is NaN.

    Examples
    --------
    >>> square(np.array([1.0, 2.0, 4.0]), 3)[0].tolist()
    [nan, 0.25, 0.5]
    """
    matrix = np.full((n, n), np.nan)
    first, second = np.triu_indices(n, 1)
    matrix[first, second] = matrix[second, first] = rdm / np.max(rdm)
    return matrix


def draw_rdm(rdm: np.ndarray, conditions: Sequence[str], ax: Axes, *, names: bool) -> AxesImage:
    """Draw one RDM as a matrix, in units of its largest distance."""
    image = ax.imshow(square(rdm, len(conditions)), cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    places = range(len(conditions))
    ax.set_xticks(places, conditions, rotation=90)
    ax.set_yticks(places, conditions if names else [])
    ax.tick_params(length=0, labelsize=7)
    ax.spines[:].set_visible(False)
    return image


def draw_scores(rows: pd.DataFrame, animals: dict[Candidate, np.ndarray], ax: Axes) -> None:
    """Draw the scores of all candidates: stages of a regime on one line, the noise ceiling as a band.

    Parameters
    ----------
    rows : table ``representations``, one score, all sessions, no differences
    animals : score of each animal by candidate; dots, for models and the networks' end
    """
    names = list(dict.fromkeys(rows["candidate"]))[::-1]
    for row in rows[rows["mean"].notna()].to_dict("records"):
        stage = row["stage"] or "end"
        place = names.index(row["candidate"]) + {"start": 0.2, "plateau": 0.0, "end": -0.2}[stage] * bool(row["stage"])
        face, edge = STAGE_LOOKS[stage] if row["stage"] else (style.PALETTE[1], style.PALETTE[1])
        dots = animals.get((row["candidate"], row["stage"]), np.empty(0))
        if stage == "end":
            ax.scatter(dots, np.full(len(dots), place), s=7, color=style.GREY, lw=0, alpha=0.7, zorder=2)
        ax.hlines(place, row["low"], row["high"], color=edge, lw=0.9, zorder=3)
        ax.scatter(row["mean"], place, s=20, fc=face, ec=edge, lw=0.9, zorder=4)
    low, high = rows[["ceiling_low", "ceiling_high"]].iloc[0]
    if np.isfinite(low):
        ax.axvspan(low, high, color=style.OVERTRAINING, lw=0, zorder=0)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.7, len(names) - 0.3)


def draw_differences(rows: pd.DataFrame, names: Sequence[str], ax: Axes) -> None:
    """Draw how much better the end of each regime is than the shared odorants; filled where p (Holm) is .05 or less."""
    for row in rows[rows["mean"].notna()].to_dict("records"):
        place = list(names).index(row["candidate"])
        ax.hlines(place, row["low"], row["high"], color=style.LAST, lw=0.9)
        face = style.LAST if row["p_holm"] <= 0.05 else "white"
        ax.scatter(row["mean"], place, s=20, fc=face, ec=style.LAST, lw=0.9, zorder=3)
    style.mark_null(ax, 0.0, vertical=True)
    ax.set_yticks(range(len(names)), [])
    ax.set_ylim(-0.7, len(names) - 0.3)


def build(table: pd.DataFrame, rdms: pd.DataFrame) -> Figure:
    """Return the figure: the animals' mean RDM beside candidates, and the scores of all.

    Parameters
    ----------
    table, rdms : tables ``representations`` and ``rdms``
    """
    scores = table[(table["sessions"] == "overtraining") & (table["score"] != "movement") & (table["score"] != "")]
    if scores.empty:
        return style.sentence("No comparison of representations: " + "; ".join(dict.fromkeys(table["status"])) + ".")
    sets = rdm_sets(rdms)
    shown = scores[scores["minus"] == ""]
    names = list(dict.fromkeys(shown["candidate"]))[::-1]
    figure = style.new_figure(3.3 + 0.42 * len(names))
    top, bottom = figure.subfigures(2, 1, height_ratios=[2.7, 0.6 + 0.42 * len(names)], squeeze=False)[:, 0]
    _draw_matrices(sets, shown, top)
    axes = bottom.subplots(1, 3, width_ratios=[1, 1, 0.8])
    for ax, score in zip(axes, TITLES, strict=False):
        draw_scores(shown[shown["score"] == score], animal_scores(sets, "overtraining", score)[1], ax)
        ax.set_title(TITLES[score])
    axes[1].set_yticklabels([])
    differences = scores[(scores["minus"] == SHARED) & (scores["score"] == "cosine")]
    draw_differences(differences, names, axes[2])
    axes[2].set_title(f"cosine: end minus {SHARED}")
    handles = [
        style.key(stage, marker="o", ls="none", mfc=face, mec=edge, ms=5) for stage, (face, edge) in STAGE_LOOKS.items()
    ]
    handles += [
        style.key("model", marker="o", ls="none", color=style.PALETTE[1], ms=5),
        style.key("one animal", marker="o", ls="none", color=style.GREY, ms=3),
        style.key("noise ceiling", color=style.OVERTRAINING, lw=7),
    ]
    bottom.legend(handles=handles, loc="outside lower left", ncols=len(handles))
    return figure


def _draw_matrices(sets: RdmSets, shown: pd.DataFrame, figure: SubFigure) -> None:
    """The animals' mean RDM, the odours' and the three stages of the regime whose end has the largest cosine."""
    ends = shown[(shown["score"] == "cosine") & (shown["stage"] == "end")].set_index("candidate")["mean"]
    best = str(ends.idxmax())
    conditions = shown["conditions"].iloc[0].split(", ")
    columns = sets.columns(conditions)
    networks = sets.of_networks()
    values = [one.mean()[columns] for one in sets.animals.values()]
    parts = {"animals, mean": mean_rdm(np.array([rdm / np.linalg.norm(rdm) for rdm in values]))}
    parts |= {f"{best}\n{stage}": networks[best, stage][columns] for stage in STAGES if (best, stage) in networks}
    parts |= {SHARED: sets.models[SHARED][columns]} if SHARED in sets.models else {}
    axes = figure.subplots(1, len(parts), squeeze=False)[0]
    for place, (ax, (name, rdm)) in enumerate(zip(axes, parts.items(), strict=True)):
        image = draw_rdm(rdm, conditions, ax, names=place == 0)
        ax.set_title(name, fontsize=8.5)
    bar = figure.colorbar(image, ax=list(axes), label="distance / largest", shrink=0.75, aspect=18, pad=0.01)
    bar.outline.set_visible(False)
