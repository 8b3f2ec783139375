"""Which linear classifiers fit a stack of problems that share trials?"""

from typing import Any

import numpy as np

from piriform.errors import MeasureError
from piriform.solvers.checks import (
    check_training, checked_folds, checked_responses, checked_rows, checked_settings, paired_rows,
)
from piriform.solvers.discriminant import discriminant
from piriform.solvers.hinge import hinge_minimum
from piriform.solvers.logistic import logistic_minimum
from piriform.solvers.models import HeldOut, LinearModels
from piriform.solvers.newton import piecewise_minimum


def fit(X, labels, train, *, solver="svm", C=1.0, shrinkage=0.2, standardize=True, class_weight=None,
        penalize_intercept=None, tol=1e-10) -> LinearModels:
    X = checked_responses(X)
    checked_settings(solver, C, shrinkage, class_weight, tol)
    train = checked_rows(train, len(X), name="train").astype(bool)
    labels, train = paired_rows(checked_rows(labels, len(X), name="labels"), train, names=("labels", "train"))
    check_training(labels, train, where="problem {}")
    rows = [
        _one(X[t], y[t].astype(np.float64), solver, C, shrinkage, standardize, class_weight, penalize_intercept, tol, f"problem {p}")
        for p, (y, t) in enumerate(zip(labels, train, strict=True))
    ]
    return LinearModels(*(np.stack(column) for column in zip(*rows, strict=True)))


def heldout(X, labels, folds, **settings: Any) -> HeldOut:
    X = checked_responses(X)
    labels, folds = paired_rows(checked_rows(labels, len(X), name="labels"), checked_rows(folds, len(X), name="folds"), names=("labels", "folds"))
    folds, n_folds = checked_folds(folds)
    decision = np.full(labels.shape, np.nan)
    norms, dropped, converged = (np.zeros((len(labels), n_folds), dtype) for dtype in (float, np.int64, bool))
    for fold in range(n_folds):
        train = (folds != fold) & (folds >= 0)
        check_training(labels, train, where=f"labelling {{}} without fold {fold}")
        for row in range(len(labels)):
            models = fit(X, labels[row], train[row], **settings)
            test = folds[row] == fold
            decision[row, test] = models.decision_values(X[test])[0]
            norms[row, fold], dropped[row, fold] = models.norms()[0], models.n_dropped[0]
            converged[row, fold] = models.converged[0]
    return HeldOut(decision, norms, dropped, converged)


def heldout_multiclass(X, codes, folds, *, n_classes, solver="svm", C=1.0, shrinkage=0.2, standardize=True,
                       class_weight=None, penalize_intercept=None, tol=1e-10) -> np.ndarray:
    X = checked_responses(X)
    checked_settings(solver, C, shrinkage, class_weight, tol)
    codes, folds = paired_rows(checked_rows(codes, len(X), name="codes"), checked_rows(folds, len(X), name="folds"), names=("codes", "folds"))
    folds, n_folds = checked_folds(folds)
    scores = np.full((*codes.shape, n_classes), np.nan)
    if solver != "lda":
        for code in range(n_classes):
            scores[..., code] = heldout(X, np.where(codes == code, 1, -1), folds, solver=solver, C=C, standardize=standardize,
                class_weight=class_weight, penalize_intercept=penalize_intercept, tol=tol).decision
        return scores
    for row in range(len(codes)):
        for fold in range(n_folds):
            train, test = (folds[row] != fold) & (folds[row] >= 0), folds[row] == fold
            mean, sd, alive = _moments(X[train], standardize, f"labelling {row} without fold {fold}")
            Z = np.where(alive, (X - mean) / sd, 0.0)
            weights, intercepts = discriminant(Z[train], codes[row, train], n_classes, shrinkage)
            scores[row, test] = Z[test] @ weights.T + intercepts
    return scores


def _moments(X, standardize, where):
    mean, sd = X.mean(axis=0), X.std(axis=0)
    alive = (X != X[0]).any(axis=0) & (sd > 0)
    if not alive.any():
        raise MeasureError(f"{where}: no unit varies over the training trials")
    return (mean, np.where(alive, sd, 1.0), alive) if standardize else (np.zeros_like(mean), np.ones_like(sd), alive)


def _one(X, y, solver, C, shrinkage, standardize, class_weight, penalize_intercept, tol, where):
    mean, sd, alive = _moments(X, standardize, where)
    Z = np.where(alive, (X - mean) / sd, 0.0)
    w, b, steps, converged = np.zeros(X.shape[1]), 0.0, 1, True
    if solver == "lda":
        weights, intercepts = discriminant(Z, (y > 0).astype(int), 2, shrinkage)
        w, b = weights[1] - weights[0], intercepts[1] - intercepts[0]
    else:
        c = C * np.ones(len(y))
        if class_weight == "balanced":
            c *= len(y) / (2 * np.where(y > 0, (y > 0).sum(), (y < 0).sum()))
        penalize = penalize_intercept if penalize_intercept is not None else solver == "svm"
        basis = np.linalg.qr(Z.T)[0] if Z.shape[1] > len(Z) else None
        features = Z if basis is None else Z @ basis
        Z1 = np.column_stack([features, np.ones(len(y))])
        penalty = np.ones(Z1.shape[1])
        penalty[-1] = float(penalize)
        if solver == "svm":
            zero = np.zeros(len(y))
            theta, _, steps, converged = piecewise_minimum(np.zeros(Z1.shape[1]), Z1, y, zero, 2 * c, np.inf * np.ones(len(y)), penalty, np.zeros(Z1.shape[1]), tol=tol)
        elif solver == "hinge":
            theta, steps, converged = hinge_minimum(Z1, y, c, penalty, tol=tol)
        else:
            theta, steps, converged = logistic_minimum(Z1, y, c, penalty, tol=tol)
        w = theta[:-1] if basis is None else basis @ theta[:-1]
        w, b = np.where(alive, w, 0.0), theta[-1]
    return w, b, mean, sd, int((~alive).sum()), steps, converged
