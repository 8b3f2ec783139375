"""How do compiled kernels answer the engine?

What they cannot finish within the tolerance is left to NumPy, one problem at a time.
"""

from dataclasses import fields
from typing import Any

import numpy as np

from piriform.errors import MeasureError
from piriform.solvers.models import HeldOut, LinearModels
from piriform.solvers.single import class_scores, single_models

#: Numbers that kernels return at once.
AT_ONCE = 4_000_000


def compiled_models(X: np.ndarray, labels: np.ndarray, train: np.ndarray, settings: Any) -> LinearModels:
    """Return the models of a stack; labels and train (n_problems, n_trials)."""
    same = bool((train == train[:1]).all())
    # one fold to test on, without trials: the problem trains on fold 1
    folds = np.where(train[:1] if same else train, 1, -1)
    fitted = _fitted(X, labels, folds, 1, settings)
    _check(fitted.n_dropped == X.shape[1], lambda row, fold: f"problem {row}")
    models = LinearModels(
        *(getattr(fitted, name)[:, 0] for name in ("weights", "intercepts", "center", "scale")),
        *(getattr(fitted, name)[:, 0] for name in ("n_dropped", "n_iterations", "converged")),
    )
    for row in np.flatnonzero(~models.converged):
        again = single_models(X, labels[[row]], train[[row]], settings, where=f"problem {row}")
        for field in fields(LinearModels):
            getattr(models, field.name)[row] = getattr(again, field.name)[0]
    return models


def sound_rows(labels: Any, folds: Any, n_trials: int) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Return labels and folds as int64 rows, and the number of folds; None where anything calls for a closer look."""
    from piriform.solvers.kernels.sound import is_sound

    rows = [np.atleast_2d(np.asarray(values)) for values in (labels, folds)]
    n_rows = max(len(values) for values in rows)
    for values in rows:
        if not np.issubdtype(values.dtype, np.signedinteger) or len(values) not in (1, n_rows):
            return None
        if values.ndim != 2 or values.shape[1] != n_trials:
            return None
    # kernels are compiled anew for read-only arrays
    labels, folds = (np.require(values, np.int64, ["C", "W"]) for values in rows)
    n_folds = int(folds.max()) + 1 if folds.size else 0
    if n_folds < 2 or n_folds > n_trials or not is_sound(labels, folds, n_folds):
        return None
    return np.broadcast_to(labels, (n_rows, n_trials)), folds, n_folds


def compiled_heldout(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any) -> HeldOut:
    """Return what :func:`piriform.solvers.heldout` does; folds (n_labellings, n_trials) or (1, n_trials)."""
    shape = (len(labels), n_folds)
    decision = np.full(labels.shape, np.nan)
    norms, dropped, converged = (np.zeros(shape, kind) for kind in (float, np.int64, bool))
    for rows in _portions(len(labels), n_folds, X.shape[1]):
        some = folds if len(folds) == 1 else folds[rows]
        tested = _tested_discriminants if settings.solver == "lda" else _tested_margins
        found = tested(X, labels[rows], some, n_folds, settings)
        _check(found[2] == X.shape[1], lambda row, fold, rows=rows: _name(rows.start + row, fold))
        decision[rows], norms[rows], dropped[rows], converged[rows] = found
    for row, fold in np.argwhere(~converged):
        own = folds[min(row, len(folds) - 1)]
        train = ((own != fold) & (own >= 0))[None]
        again = single_models(X, labels[[row]], train, settings, where=_name(row, fold))
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
        _check(fitted.n_dropped == X.shape[1], lambda row, fold, rows=rows: _name(rows.start + row, fold))
        scores[rows, :, 1:] = np.moveaxis(fitted.decision, 0, 2)
        for row in np.flatnonzero(~fitted.converged.all(axis=1)) + rows.start:
            own, where = folds[[min(row, len(folds) - 1)]], f"labelling {row}"
            scores[row] = class_scores(X, codes[[row]], own, n_folds, n_classes, settings.shrinkage, where=where)[0]
    return scores - scores.mean(axis=2, keepdims=True)


def _fitted(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any) -> Any:
    from dataclasses import replace

    from piriform.solvers.kernels.run import discriminants, margins

    if settings.solver != "lda":
        return margins(X, labels, folds, n_folds, settings)
    fitted = discriminants(X, labels > 0, folds, n_folds, 2, settings)
    return replace(fitted, decision=fitted.decision[0], weights=fitted.weights[0], intercepts=fitted.intercepts[0])


def _tested_discriminants(
    X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any
) -> tuple[np.ndarray, ...]:
    """Decision values, norms, number of dropped units, and whether converged."""
    from piriform.solvers.kernels.run import tested_discriminants

    found = tested_discriminants(X, labels > 0, folds, n_folds, 2, settings)
    return found.decision[0], found.norms, found.n_dropped, found.converged


def _tested_margins(
    X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any
) -> tuple[np.ndarray, ...]:
    fitted = _fitted(X, labels, folds, n_folds, settings)
    norms = np.sqrt(np.einsum("lku,lku->lk", fitted.weights, fitted.weights))
    return fitted.decision, norms, fitted.n_dropped, fitted.converged


def _portions(n_rows: int, n_folds: int, n_units: int) -> list[slice]:
    """Rows in portions of a multiple of 8, so that what kernels return stays small."""
    size = max(8, AT_ONCE // (n_folds * (n_units + 1)) // 8 * 8)
    return [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]


def _name(row: int, fold: int) -> str:
    return f"labelling {row} without fold {fold}"


def _check(silent: np.ndarray, where: Any) -> None:
    if silent.any():
        raise MeasureError(f"{where(*np.argwhere(silent)[0])}: no unit varies over the training trials")
