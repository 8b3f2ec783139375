"""What do the figures show that is no metric: read-out of single trials, similarity of trial types, population scatter?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform import decode, geometry, solvers
from piriform.config import Classes, Measures, Response
from piriform.controls import LADDER, controlled_separation
from piriform.splits import OUT, blocked_folds
from piriform.tables import empty_table
from piriform.task import stratum_codes, task_of
from piriform.trials import window_mean


def predictions(tensor: xr.DataArray, *, measures: Measures, response: Response, classes: Classes) -> pd.DataFrame:
    """Return the held-out read-out of every target and nontarget trial, rows of the table ``predictions``.

    All units and trials of the session are used. Empty where every stimulus is a class.
    """
    task = task_of(tensor, response=response, classes=classes)
    if not task.binary or task.smallest_class() < measures.n_folds:
        return empty_table("predictions")
    labels = task.codes[None]
    folds = blocked_folds(labels, measures.n_folds)
    settings: dict[str, Any] = {"solver": measures.solver, "C": measures.C, "shrinkage": measures.shrinkage}
    scores = decode.heldout_scores(task.responses, labels, folds, **settings)
    rows = tensor.isel(trial=task.rows)
    return pd.DataFrame(
        {
            **_who(tensor),
            "trial": rows["trial"].values,
            "stimulus": task.stimuli,
            "class": rows["class"].values,
            "decision_value": scores.decision[0],
            "margin": scores.distance[0] * task.codes,
            "predicted": np.where(scores.decision[0] > 0, "target", "nontarget"),
            "animal_correct": rows["correct"].values,
        }
    )


def ladder(
    tensor: xr.DataArray,
    *,
    measures: Measures,
    response: Response,
    classes: Classes,
    shares: Mapping[str, Mapping[str, float]],
    source: str = "neural",
) -> pd.DataFrame:
    """Return the separation of target and nontarget with no control, one, two, ... up to all, rows of the table ``ladder``.

    See :func:`piriform.controls.controlled_separation`; ``shares`` as in :func:`piriform.measure.session_metrics`.
    """
    rows = []
    for stimuli, mix in shares.items():
        task = task_of(tensor, response=response, classes=classes, fixed=stimuli == "fixed")
        if not task.binary:
            continue
        strata, parts = stratum_codes(task, mix)
        for rung, controls in enumerate(LADDER if task.is_rate else LADDER[:-1]):
            value = np.nan
            if task.smallest_class() >= 2:
                found = controlled_separation(
                    task.responses, strata[None], mix=parts, controls=controls, n_blocks=measures.n_blocks
                )
                value = float(found[0])
            status = "ok" if np.isfinite(value) else "too few trials of a stratum, or no unit responds"
            rows.append(
                {"source": source, **_who(tensor), "stimuli": stimuli, "rung": rung}
                | {"controls": ", ".join(controls) or "none", "value": value}
                | {"n_units": task.responses.shape[1], "status": status}
            )
    return pd.DataFrame(rows) if rows else empty_table("ladder")


def similarity(tensor: xr.DataArray, *, response: Response, classes: Classes) -> pd.DataFrame:
    """Return the mean correlation between trials of each pair of trial types, rows of the table ``similarity``.

    A trial type is the lab's category, or the stimulus where every stimulus is a class.
    """
    responses = window_mean(tensor, *response.response_window)
    whole = np.isfinite(responses).all(axis=1)
    categories = tensor["stimulus" if classes.by_stimulus else "category"].values.astype(str)[whole]
    names, correlation, n_pairs = geometry.category_similarity(responses[whole], categories)
    first, second = np.meshgrid(np.arange(len(names)), np.arange(len(names)), indexing="ij")
    return pd.DataFrame(
        {
            **_who(tensor),
            "category_a": np.array(names, dtype=object)[first.ravel()],
            "category_b": np.array(names, dtype=object)[second.ravel()],
            "correlation": correlation.ravel(),
            "n_pairs": n_pairs.ravel(),
        }
    )


def scatter(
    tensors: Sequence[xr.DataArray], *, measures: Measures, response: Response, classes: Classes
) -> pd.DataFrame:
    """Return one point per trial on axes that mean the same on all days, rows of the table ``scatter``.

    Units tracked over all sessions: the first two principal components of their z-scored responses,
    fitted once to the trials of all sessions. Units drawn anew each day share no axis; then axis 1 is
    the held-out position along the day's own target-nontarget discriminant (0 = boundary) and axis 2
    the held-out position along the leading direction of the remaining variance; both in SDs of the
    standardised units.
    """
    tracked = _tracked_units(tensors)
    if len(tracked) >= 2:
        return _tracked_scatter(tensors, tracked, response)
    tables = [_decoder_scatter(tensor, measures, response, classes) for tensor in tensors]
    return pd.concat([empty_table("scatter"), *tables], ignore_index=True) if tables else empty_table("scatter")


def _tracked_units(tensors: Sequence[xr.DataArray]) -> list[str]:
    sets = [set(tensor["tracked_id"].values.astype(str)) - {""} for tensor in tensors]
    return sorted(set.intersection(*sets)) if len(sets) > 1 else []


def _tracked_scatter(tensors: Sequence[xr.DataArray], tracked: list[str], response: Response) -> pd.DataFrame:
    blocks = []
    for tensor in tensors:
        position = {unit: column for column, unit in enumerate(tensor["tracked_id"].values.astype(str))}
        blocks.append(window_mean(tensor, *response.response_window)[:, [position[unit] for unit in tracked]])
    joint = np.concatenate(blocks)
    joint = joint[np.isfinite(joint).all(axis=1)]
    centre, sd = joint.mean(axis=0), joint.std(axis=0)
    sd = np.where(sd > 0, sd, np.inf)
    axes = _oriented(np.linalg.svd((joint - centre) / sd, full_matrices=False)[2][:2])
    return pd.concat(
        [
            _points(tensor, (block - centre) / sd @ axes.T, "tracked units")
            for tensor, block in zip(tensors, blocks, strict=True)
        ],
        ignore_index=True,
    )


def _decoder_scatter(tensor: xr.DataArray, measures: Measures, response: Response, classes: Classes) -> pd.DataFrame:
    task = task_of(tensor, response=response, classes=classes)
    if not task.binary or task.smallest_class() < measures.n_folds or task.responses.shape[1] < 2:
        return empty_table("scatter")
    folds = blocked_folds(task.codes[None], measures.n_folds)[0]
    points = np.full((len(folds), 2), np.nan)
    for fold in range(measures.n_folds):
        train = (folds != fold) & (folds != OUT)
        points[folds == fold] = _projected(task.responses, task.codes, train, measures.shrinkage)[folds == fold]
    return _points(tensor.isel(trial=task.rows), points, "decoder")


def _projected(responses: np.ndarray, codes: np.ndarray, train: np.ndarray, shrinkage: float) -> np.ndarray:
    """All trials on the discriminant of the training trials and on their leading direction orthogonal to it."""
    model = solvers.fit(responses, codes[None], train[None], solver="lda", shrinkage=shrinkage)
    norm = float(model.norms()[0]) or 1.0
    axis = model.weights[0] / norm
    scored = (responses - model.center[0]) / np.where(model.scale[0] > 0, model.scale[0], 1.0)
    rest = scored - np.outer(scored @ axis, axis)
    second = _oriented(np.linalg.svd(rest[train] - rest[train].mean(axis=0), full_matrices=False)[2][:1])[0]
    return np.column_stack([model.decision_values(responses)[0] / norm, rest @ second])


def _oriented(axes: np.ndarray) -> np.ndarray:
    """Each axis with the sign that makes its loadings sum to a positive number."""
    return axes * np.where(axes.sum(axis=1, keepdims=True) < 0, -1, 1)


def _points(tensor: xr.DataArray, points: np.ndarray, axes: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **_who(tensor),
            "trial": tensor["trial"].values,
            "class": tensor["class"].values,
            "axis_1": points[:, 0],
            "axis_2": points[:, 1],
            "axes": axes,
        }
    )


def _who(tensor: xr.DataArray) -> dict[str, Any]:
    return {name: tensor.attrs[name] for name in ("subject", "session", "day", "phase")}
