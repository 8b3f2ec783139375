"""How do compiled kernels answer the engine?

What they cannot finish within the tolerance is left to NumPy, one problem at a time.
"""

from typing import Any

import numpy as np

from piriform.errors import MeasureError
from piriform.solvers.models import HeldOut, LinearModels
from piriform.solvers.single import single_models

#: Numbers that kernels return at once.
AT_ONCE = 4_000_000


def compiled_models(X: np.ndarray, labels: np.ndarray, train: np.ndarray, settings: Any) -> LinearModels:
    """Return the models of a stack; labels and train (n_problems, n_trials)."""
    same = bool((train == train[:1]).all())
    # one fold to test on, without trials: the problem trains on fold 1
    folds = np.where(train[:1] if same else train, 1, -1)
    fitted = _fitted(X, labels, folds, 1, settings)
    _check(fitted, settings, lambda row, fold: f"problem {row}")
    models = LinearModels(
        *(getattr(fitted, name)[:, 0] for name in ("weights", "intercepts", "center", "scale")),
        *(getattr(fitted, name)[:, 0] for name in ("n_dropped", "n_iterations", "converged")),
    )
    left = np.flatnonzero(~models.converged)
    if len(left):
        again = single_models(X, labels[left], train[left], settings)
        for name in ("weights", "intercepts", "n_iterations", "converged"):
            getattr(models, name)[left] = getattr(again, name)
    return models


def compiled_heldout(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any) -> HeldOut:
    """Return what :func:`piriform.solvers.heldout` does; folds (n_labellings, n_trials) or (1, n_trials)."""
    shape = (len(labels), n_folds)
    decision = np.full(labels.shape, np.nan)
    norms, dropped, converged = (np.zeros(shape, kind) for kind in (float, np.int64, bool))
    for rows in _portions(len(labels), n_folds, X.shape[1]):
        some = folds if len(folds) == 1 else folds[rows]
        fitted = _fitted(X, labels[rows], some, n_folds, settings)
        _check(fitted, settings, lambda row, fold, rows=rows: f"labelling {rows.start + row} without fold {fold}")
        decision[rows] = fitted.decision
        norms[rows] = np.sqrt(np.einsum("lku,lku->lk", fitted.weights, fitted.weights))
        dropped[rows], converged[rows] = fitted.n_dropped, fitted.converged
    for row, fold in np.argwhere(~converged):
        own = folds[min(row, len(folds) - 1)]
        again = single_models(X, labels[[row]], ((own != fold) & (own >= 0))[None], settings)
        decision[row, own == fold] = again.decision_values(X[own == fold])[0]
        norms[row, fold], converged[row, fold] = again.norms()[0], again.converged[0]
    return HeldOut(decision, norms, dropped, converged)


def compiled_class_scores(
    X: np.ndarray, codes: np.ndarray, folds: np.ndarray, n_folds: int, n_classes: int, settings: Any
) -> np.ndarray:
    """Return the held-out scores of multi-class shrinkage LDA, (n_labellings, n_trials, n_classes)."""
    from piriform.solvers.kernels.run import discriminants

    scores = np.zeros((*codes.shape, n_classes))
    for rows in _portions(len(codes), n_folds, X.shape[1] * n_classes):
        some = folds if len(folds) == 1 else folds[rows]
        fitted = discriminants(X, codes[rows], some, n_folds, n_classes, settings)
        _check(fitted, settings, lambda row, fold, rows=rows: f"labelling {rows.start + row} without fold {fold}")
        scores[rows, :, 1:] = np.moveaxis(fitted.decision, 0, 2)
    return scores - scores.mean(axis=2, keepdims=True)


def _fitted(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any) -> Any:
    from dataclasses import replace

    from piriform.solvers.kernels.run import discriminants, margins

    if settings.solver != "lda":
        return margins(X, labels, folds, n_folds, settings)
    fitted = discriminants(X, labels > 0, folds, n_folds, 2, settings)
    return replace(fitted, decision=fitted.decision[0], weights=fitted.weights[0], intercepts=fitted.intercepts[0])


def _portions(n_rows: int, n_folds: int, n_units: int) -> list[slice]:
    """Rows in portions of a multiple of 8, so that what kernels return stays small."""
    size = max(8, AT_ONCE // (n_folds * (n_units + 1)) // 8 * 8)
    return [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]


def _check(fitted: Any, settings: Any, where: Any) -> None:
    silent = fitted.n_dropped == fitted.center.shape[-1]
    if silent.any():
        raise MeasureError(f"{where(*np.argwhere(silent)[0])}: no unit varies over the training trials")
    if settings.solver == "lda" and not fitted.converged.all():
        problem = where(*np.argwhere(~fitted.converged)[0])
        raise MeasureError(f"{problem}: the within-class covariance is singular: set shrinkage above 0")
