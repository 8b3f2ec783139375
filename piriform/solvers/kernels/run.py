"""How does a stack of problems get to the compiled kernels and back?"""

from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any

import numpy as np

from piriform.solvers.kernels.batch import Results, Settings, empty_batch
from piriform.solvers.kernels.fold_sums import empty_fold_sums
from piriform.solvers.kernels.training import empty_training
from piriform.solvers.kernels.trials import Trials, interleaved, raw_trials, shared_trials
from piriform.solvers.kernels.vector import LANES

#: Numbers in the matrices of the problems that are solved side by side.
AT_ONCE = 16_000_000


@dataclass(frozen=True)
class Fitted:
    """What kernels say about n_labellings x n_folds problems, in standardised units.

    decision (n_labellings, n_trials); weights, center, scale (n_labellings, n_folds, n_units); the others
    (n_labellings, n_folds). With more than two classes, decision and weights have one more axis in front.
    """

    decision: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    n_dropped: np.ndarray
    n_iterations: np.ndarray
    converged: np.ndarray


def margins(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any) -> Fitted:
    """Fit svm, hinge or logistic: for each labelling and fold, on the trials of the other folds.

    Parameters
    ----------
    X : (n_trials, n_units) array
    labels : (n_labellings, n_trials) array of +1 and -1
    folds : (n_labellings, n_trials) or (1, n_trials) int array; -1 takes no part
    settings : :class:`piriform.solvers.engine.Settings`
    """
    most = max(int(((folds != fold) & (folds >= 0)).sum(axis=1).max()) for fold in range(n_folds))
    if X.shape[1] > 1.5 * most:
        return _in_span_of_trials(X, labels, folds, n_folds, settings)
    trials, middle, unit = shared_trials(X)
    results = _solved(trials, labels, folds, n_folds, settings, settings.standardize)
    return _in_units_of(results, middle, unit, settings.standardize)


def discriminants(
    X: np.ndarray, codes: np.ndarray, folds: np.ndarray, n_folds: int, n_classes: int, settings: Any
) -> Fitted:
    """Fit shrinkage LDA; codes (n_labellings, n_trials) of 0 .. n_classes-1. One set of weights per class but the first."""
    trials, middle, unit = shared_trials(X)
    found = _directions(trials, codes, folds, n_folds, n_classes, settings, True)
    n_iterations = np.ones_like(found.n_dropped)
    results = Results(
        found.decision, found.theta, found.center, found.scale, found.n_dropped, n_iterations, found.converged
    )
    return _in_units_of(results, middle, unit, settings.standardize)


def tested_discriminants(
    X: np.ndarray, codes: np.ndarray, folds: np.ndarray, n_folds: int, n_classes: int, settings: Any
) -> Any:
    """As :func:`discriminants`, without the hyperplanes themselves."""
    return _directions(shared_trials(X)[0], codes, folds, n_folds, n_classes, settings, False)


def _directions(
    trials: Trials,
    codes: np.ndarray,
    folds: np.ndarray,
    n_folds: int,
    n_classes: int,
    settings: Any,
    with_planes: bool,
) -> Any:
    from piriform.solvers.kernels import discriminant

    shape = (len(codes), n_folds)
    planes = (*shape, trials.n_units + 1) if with_planes else (0, 0, 0)
    found = discriminant.Discriminants(
        np.full((n_classes - 1, *codes.shape), np.nan),
        np.zeros(shape),
        np.zeros(shape, np.int64),
        np.zeros(shape, np.bool_),
        np.zeros((n_classes - 1, *planes)),
        *np.zeros((2, *planes)),
    )
    discriminant.run(
        trials,
        empty_fold_sums(trials, int(folds.max()) + 1, n_classes),
        discriminant.empty_work(trials, n_classes),
        found,
        _as_integers(codes),
        _as_integers(folds),
        n_folds,
        discriminant.Settings(
            -1.0 if isinstance(settings.shrinkage, str) else float(settings.shrinkage), settings.standardize
        ),
    )
    return found


def _solved(
    trials: Trials, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any, standardize: bool
) -> Results:
    n_lanes = max(1, min(LANES, AT_ONCE // trials.width**2))
    batch = empty_batch(trials, n_lanes)
    kernel, results = _kernel(settings.solver), _empty_results(trials, len(labels), n_folds)
    pull = 1.0 if settings.pulls_intercept else 0.0
    kernel.run(
        trials,
        empty_training(trials, n_folds),
        batch,
        kernel.empty_work(trials, batch),
        results,
        interleaved(labels, n_lanes, trials.height),
        interleaved(folds, n_lanes, trials.height),
        _as_integers(folds),
        len(labels),
        n_folds,
        Settings(float(settings.C), settings.class_weight == "balanced", pull, standardize, settings.tol),
    )
    return results


def _kernel(solver: str) -> Any:
    """The module of a solver; the others stay unloaded."""
    return import_module(f"piriform.solvers.kernels.{solver}")


def _as_integers(rows: np.ndarray) -> np.ndarray:
    """Integers in one layout: kernels are compiled for each layout, and for read-only arrays, anew."""
    return np.require(rows, np.int64, ["C", "W"])


def _empty_results(trials: Trials, n_labellings: int, n_folds: int) -> Results:
    shape = (n_labellings, n_folds)
    return Results(
        *[
            np.full((n_labellings, trials.n_trials), np.nan),
            *np.zeros((3, *shape, trials.n_units + 1)),
            *np.zeros((2, *shape), np.int64),
            np.zeros(shape, np.bool_),
        ]
    )


def _in_units_of(results: Results, middle: np.ndarray, unit: np.ndarray, standardize: bool) -> Fitted:
    """From kernel coordinates, in which ``middle`` is 0 and ``unit`` is 1, to those of the responses."""
    slopes, center, scale = results.theta[..., :-1], results.center[..., :-1], results.scale[..., :-1]
    offset = np.einsum("...u,...u->...", slopes, np.broadcast_to(center, slopes.shape))
    weights, intercepts = slopes * scale, results.theta[..., -1] + offset
    if standardize:
        center, scale = middle + unit * center, unit * scale
    else:
        center, scale = np.zeros_like(center), np.ones_like(scale)
    return Fitted(results.decision, weights, intercepts, center, scale, *results[4:])


def _in_span_of_trials(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, settings: Any) -> Fitted:
    """More units than trials: the weights are a combination of the training trials, so solve for that."""
    shared = len(folds) == 1
    parts: list[list[Fitted]] = []
    for fold in range(n_folds):
        rows = [slice(None)] if shared else [slice(row, row + 1) for row in range(len(labels))]
        parts.append([_combined(X, labels[row], folds[row][0], fold, settings) for row in rows])
    columns: dict[str, np.ndarray] = {}
    for field in fields(Fitted):
        by_fold = [np.concatenate([getattr(part, field.name) for part in column]) for column in parts]
        if field.name == "decision":
            columns["decision"] = np.full(labels.shape, np.nan)
            for fold, scores in enumerate(by_fold):
                np.copyto(columns["decision"], scores, where=np.broadcast_to(folds == fold, labels.shape))
        else:
            columns[field.name] = np.concatenate(by_fold, axis=1)
    return Fitted(**columns)


def _combined(X: np.ndarray, labels: np.ndarray, folds: np.ndarray, fold: int, settings: Any) -> Fitted:
    """The problems that share one training set, solved in an orthonormal basis of its trials."""
    train = (folds != fold) & (folds >= 0)
    mean, sd = X[train].mean(axis=0), X[train].std(axis=0)
    alive = (X[train] != X[train][0]).any(axis=0) & (sd > 0)
    if not settings.standardize:
        mean, sd = np.zeros_like(mean), np.ones_like(sd)
    sd = np.where(alive, sd, 1.0)
    scaled = np.where(alive, (X - mean) / sd, 0.0)
    basis = np.linalg.qr(scaled[train].T)[0]
    trials = raw_trials(scaled @ basis)
    as_one_fold = np.where(train, 1, np.where(folds == fold, 0, -1))[None]
    results = _solved(trials, labels, as_one_fold, 1, settings, False)
    shape = (len(labels), 1, X.shape[1])
    return Fitted(
        results.decision,
        results.theta[..., :-1] @ basis.T,
        results.theta[..., -1],
        np.broadcast_to(mean, shape),
        np.broadcast_to(sd, shape),
        np.full(shape[:2], (~alive).sum()),
        results.n_iterations,
        results.converged,
    )
