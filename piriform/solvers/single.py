"""Which classifier solves one problem? For solvers, settings and sizes that are not solved in batches."""

from typing import Any

import numpy as np

from piriform.errors import MeasureError
from piriform.solvers.discriminant import discriminant
from piriform.solvers.hinge import hinge_minimum
from piriform.solvers.logistic import logistic_minimum
from piriform.solvers.models import LinearModels
from piriform.solvers.newton import piecewise_minimum


def single_models(
    X: np.ndarray, labels: np.ndarray, train: np.ndarray, settings: Any, *, where: str = "problem {}"
) -> LinearModels:
    """Return the models of a stack, one problem after the other.

    ``settings`` as in the engine; ``where`` is what errors call a problem, given its number.
    """
    rows = [
        _one(X[part], y[part].astype(np.float64), settings, where.format(number))
        for number, (y, part) in enumerate(zip(labels, train, strict=True))
    ]
    return LinearModels(*(np.stack(column) for column in zip(*rows, strict=True)))


def class_scores(
    X: np.ndarray,
    codes: np.ndarray,
    folds: np.ndarray,
    n_folds: int,
    n_classes: int,
    shrinkage: float | str,
    *,
    where: str = "labelling {}",
) -> np.ndarray:
    """Return the held-out scores of multi-class shrinkage LDA, (n_labellings, n_trials, n_classes).

    ``where`` is what errors call a labelling, given its number.
    """
    scores = np.full((*codes.shape, n_classes), np.nan)
    for row in range(len(codes)):
        for fold in range(n_folds):
            train, test = (folds[row] != fold) & (folds[row] >= 0), folds[row] == fold
            name = f"{where.format(row)} without fold {fold}"
            scaled = _standardised(X, train, True, name)[0]
            weights, intercepts = _discriminant(scaled[train], codes[row, train], n_classes, shrinkage, name)
            scores[row, test] = scaled[test] @ weights.T + intercepts
    return scores - scores.mean(axis=2, keepdims=True)


def _discriminant(
    Z: np.ndarray, codes: np.ndarray, n_classes: int, shrinkage: float | str, where: str
) -> tuple[np.ndarray, np.ndarray]:
    try:
        return discriminant(Z, codes, n_classes, shrinkage)
    except np.linalg.LinAlgError as error:
        raise MeasureError(f"{where}: {error}") from None


def _standardised(
    X: np.ndarray, train: np.ndarray, standardize: bool, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X in units of the training trials (0 for units that do not vary there), their mean and SD, who varies."""
    mean = X[train].mean(axis=0)
    mean = mean + (X[train] - mean).mean(axis=0)  # of units far from 0, too
    sd = X[train].std(axis=0)
    alive = (X[train] != X[train][0]).any(axis=0) & (sd > 0)
    if not alive.any():
        raise MeasureError(f"{where}: no unit varies over the training trials")
    if not standardize:
        mean, sd = np.zeros_like(mean), np.ones_like(sd)
    sd = np.where(alive, sd, 1.0)
    return np.where(alive, (X - mean) / sd, 0.0), mean, sd, alive


def _one(X: np.ndarray, y: np.ndarray, settings: Any, where: str) -> tuple[Any, ...]:
    Z, mean, sd, alive = _standardised(X, np.ones(len(X), dtype=bool), settings.standardize, where)
    if settings.solver == "lda":
        weights, intercepts = _discriminant(Z, (y > 0).astype(int), 2, settings.shrinkage, where)
        w, b, steps, converged = weights[1] - weights[0], intercepts[1] - intercepts[0], 1, True
    else:
        # more units than trials: the solution lies in the span of the trials
        basis = np.linalg.qr(Z.T)[0] if Z.shape[1] > len(Z) else np.eye(Z.shape[1])
        theta, steps, converged = _minimum(np.column_stack([Z @ basis, np.ones(len(y))]), y, settings)
        w, b = basis @ theta[:-1], theta[-1]
    return np.where(alive, w, 0.0), b, mean, sd, int((~alive).sum()), steps, converged


def _minimum(design: np.ndarray, y: np.ndarray, settings: Any) -> tuple[np.ndarray, int, bool]:
    cost = np.full(len(y), settings.C)
    if settings.class_weight == "balanced":
        cost *= len(y) / (2 * np.where(y > 0, (y > 0).sum(), (y < 0).sum()))
    given = settings.penalize_intercept
    penalty = np.ones(design.shape[1])
    penalty[-1] = float(settings.solver == "svm" if given is None else given)
    if settings.solver == "hinge":
        return hinge_minimum(design, y, cost, penalty, tol=settings.tol)
    if settings.solver == "logistic":
        return logistic_minimum(design, y, cost, penalty, tol=settings.tol)
    start, none = np.zeros(design.shape[1]), np.zeros(len(y))
    no_cap = np.full(len(y), np.inf)
    theta, _, steps, converged = piecewise_minimum(
        start, design, y, none, 2 * cost, no_cap, penalty, start, tol=settings.tol
    )
    return theta, steps, converged
