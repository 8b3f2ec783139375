"""Which trials train which problem? Eight problems are solved side by side.

All problems share one copy of the responses, centred and scaled once. A classifier is theta = (v, c)
with f(x) = v . x + c in these coordinates; the last used column of the responses is 1. To standardise
by the training trials is to change the penalty, not the data: w_j = scale_j v_j, b = c + center . v.

Arrays named ``*8`` interleave the eight problems: entry i of problem p is at 8 i + p.
"""

from typing import Any, NamedTuple

import numpy as np

from piriform.solvers.kernels.compile import Array, inlined
from piriform.solvers.kernels.dense import add_outer, clear, sums8
from piriform.solvers.kernels.training import Training, choose_training
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import (
    LANES,
    larger,
    less_product,
    load,
    plus_product,
    spread,
    store,
    where_positive,
)


class Batch(NamedTuple):
    """Eight problems: labels, costs and scores of their trials; classifiers; one matrix each."""

    y8: np.ndarray
    cost8: np.ndarray
    f8: np.ndarray
    r8: np.ndarray
    theta8: np.ndarray
    center8: np.ndarray
    scale8: np.ndarray
    alive8: np.ndarray
    size8: np.ndarray
    worst8: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    n_train: np.ndarray
    n_dropped: np.ndarray
    n_iterations: np.ndarray
    done: np.ndarray
    converged: np.ndarray
    matrices: np.ndarray
    inverses: np.ndarray
    column: np.ndarray


class Settings(NamedTuple):
    """C; whether classes weigh the same; whether the intercept is penalised; standardisation; tolerance."""

    C: float
    balanced: bool
    pull: float
    standardize: bool
    tol: float


class Results(NamedTuple):
    """decision: (n_labellings, n_trials); the others (n_labellings, n_folds) or (n_labellings, n_folds, n_units + 1)."""

    decision: np.ndarray
    theta: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    n_dropped: np.ndarray
    n_iterations: np.ndarray
    converged: np.ndarray


def empty_batch(trials: Trials, n_lanes: int) -> Batch:
    """Return space for ``n_lanes`` <= 8 problems."""
    width, height = trials.width, trials.height
    return Batch(
        *[
            *aligned(4, height * LANES),
            *aligned(5, width * LANES),
            *aligned(3, LANES),
            *np.zeros((3, LANES), np.int64),
            *np.zeros((2, LANES), np.bool_),
            aligned(n_lanes, width * width),
            aligned(n_lanes, width),
            aligned(width),
        ]
    )


@inlined
def open_batch(
    trials: Trials,
    training: Training,
    batch: Batch,
    labels8: Array,
    folds8: Array,
    folds: Array,
    first: int,
    n: int,
    fold: int,
    curvature: float,
    settings: Settings,
) -> None:
    """Put the labellings first .. first + n - 1, without ``fold``, into the lanes; lanes from n on stay empty.

    The matrix of each lane is the loss's second derivative where every training trial has ``curvature``, in units of its cost.
    """
    row = first // len(batch.matrices)
    _forget(batch, n)
    _enter_labels(trials, batch, labels8[row], folds8[min(row, len(folds8) - 1)], fold, settings)
    for p in range(n):
        _enter(trials, training, batch, p, folds[min(first + p, len(folds) - 1)], fold, settings)
        _set_sizes(trials, training, batch, p)
        _assemble(trials, training, batch, p, curvature, batch.matrices[p], settings)


@inlined
def _forget(batch: Batch, n: int) -> None:
    n_entries = len(batch.theta8)
    clear(batch.theta8, 0, n_entries)
    clear(batch.center8, 0, n_entries)
    clear(batch.scale8, 0, n_entries)
    clear(batch.alive8, 0, n_entries)
    clear(batch.size8, 0, n_entries)
    for p in range(LANES):
        batch.done[p], batch.converged[p], batch.n_iterations[p] = p >= n, False, 0


@inlined
def _enter(
    trials: Trials, training: Training, batch: Batch, p: int, folds: Array, fold: int, settings: Settings
) -> None:
    """Choose the training set of lane p: the trials of folds other than ``fold``."""
    n_train, n_dropped = choose_training(trials, training, folds, fold, settings.standardize)
    batch.n_train[p], batch.n_dropped[p] = n_train, n_dropped
    for j in range(trials.n_units + 1):
        batch.center8[LANES * j + p] = training.center[j]
        batch.scale8[LANES * j + p] = training.scale[j]
        batch.alive8[LANES * j + p] = 1.0 if training.alive[j] else 0.0


@inlined
def _enter_labels(trials: Trials, batch: Batch, labels8: Array, folds8: Array, fold: int, settings: Settings) -> None:
    """Set labels and costs of the training trials of all lanes; 0 for other trials."""
    zero, one, this, n_plus, n_minus = spread(0.0), spread(1.0), spread(float(fold)), spread(0.0), spread(0.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        at_fold = load(folds8, o)
        away = at_fold - this
        y = where_positive(away * away, load(labels8, o), zero) * where_positive(at_fold + one, one, zero)
        store(batch.y8, o, y)
        n_plus = n_plus + where_positive(y, one, zero)
        n_minus = n_minus + where_positive(zero - y, one, zero)
    plus = minus = spread(settings.C)
    if settings.balanced:
        half = spread(0.5) * (n_plus + n_minus)
        plus, minus = plus * half / larger(n_plus, one), minus * half / larger(n_minus, one)
    for o in range(0, LANES * trials.n_trials, LANES):
        y = load(batch.y8, o)
        store(batch.cost8, o, where_positive(y, plus, where_positive(zero - y, minus, zero)))
    store(batch.plus, 0, plus)
    store(batch.minus, 0, minus)


@inlined
def _set_sizes(trials: Trials, training: Training, batch: Batch, p: int) -> None:
    """Set the size that each entry of the gradient of lane p is measured by."""
    for j in range(trials.n_units + 1):
        size = max(batch.plus[p], batch.minus[p]) * np.sqrt(training.moments[j * trials.width + j])
        batch.size8[LANES * j + p] = 1.0 / size if training.alive[j] and size > 0 else 0.0


@inlined
def _assemble(
    trials: Trials, training: Training, batch: Batch, p: int, factor: float, matrix: Array, settings: Settings
) -> None:
    """matrix = the penalty's second derivative + ``factor`` times the training trials' costs and moments."""
    d, width = trials.n_units, trials.width
    plus, minus = factor * batch.plus[p], factor * batch.minus[p]
    for j in range(d + 1):
        o, m, a = j * width, spread(settings.pull * training.center[j]), spread(minus)
        for i in range(j // 8 * 8, width, 8):
            store(matrix, o + i, plus_product(a * load(training.moments, o + i), m, load(training.center, i)))
        matrix[o + j] += training.scale[j] ** 2
    for j in range(d + 1, width):
        clear(matrix, j * width + j // 8 * 8, (j + 1) * width)
        matrix[j * width + j] = 1.0
    if plus != minus:
        n = 0
        for i in range(trials.n_trials):
            if batch.y8[LANES * i + p] > 0:
                training.chosen[n], training.weights[n] = i, plus - minus
                n += 1
        add_outer(matrix, trials.rows, training.chosen, n, training.weights, width, training.left, training.right)
    cut(trials, batch, p, matrix)


@inlined
def cut(trials: Trials, batch: Batch, p: int, matrix: Array) -> None:
    """Leave an identity where lane p has dropped units."""
    if batch.n_dropped[p] > 0:
        width = trials.width
        for j in range(trials.n_units):
            if batch.alive8[LANES * j + p] == 0.0:
                for i in range(j):
                    matrix[i * width + j] = 0.0
                clear(matrix, j * width + j // 8 * 8, (j + 1) * width)
                matrix[j * width + j] = 1.0


@inlined
def lane_of(array8: Array, p: int, column: Array) -> None:
    """Copy one problem out of eight."""
    for j in range(len(column)):
        column[j] = array8[LANES * j + p]


@inlined
def into_lane(column: Array, array8: Array, p: int) -> None:
    """Copy one problem into its lane."""
    for j in range(len(column)):
        array8[LANES * j + p] = column[j]


@inlined
def downhill8(trials: Trials, batch: Batch, theta8: Array, out8: Array, settings: Settings) -> None:
    """out8 = minus the gradient at theta8, from batch.r8 = minus the slope of each trial's loss; worst8 = its size."""
    sums8(trials.rows, batch.r8, out8, trials.width, trials.n_trials)
    intercept, worst, pull = spread(0.0), spread(0.0), spread(settings.pull)
    for o in range(0, LANES * (trials.n_units + 1), LANES):
        intercept = plus_product(intercept, load(batch.center8, o), load(theta8, o))
    for o in range(0, LANES * trials.width, LANES):
        scale, center = load(batch.scale8, o), load(batch.center8, o)
        value = less_product(less_product(load(out8, o), scale * scale, load(theta8, o)), pull * intercept, center)
        value = value * load(batch.alive8, o)
        store(out8, o, value)
        relative = value * load(batch.size8, o)
        worst = larger(worst, larger(relative, spread(0.0) - relative))
    store(batch.worst8, 0, worst)


@inlined
def close_batch(trials: Trials, batch: Batch, results: Results, folds: Array, first: int, n: int, fold: int) -> None:
    """Write what is known about labellings first .. first + n - 1 tested on ``fold``."""
    for p in range(n):
        row = first + p
        for j in range(trials.n_units + 1):
            results.theta[row, fold, j] = batch.theta8[LANES * j + p]
            results.center[row, fold, j] = batch.center8[LANES * j + p]
            results.scale[row, fold, j] = batch.scale8[LANES * j + p]
        results.n_dropped[row, fold] = batch.n_dropped[p]
        results.n_iterations[row, fold] = batch.n_iterations[p]
        results.converged[row, fold] = batch.converged[p]
        fold_of = folds[min(row, len(folds) - 1)]
        for i in range(trials.n_trials):
            if fold_of[i] == fold:
                results.decision[row, i] = batch.f8[LANES * i + p]


@inlined
def penalty_matrix(trials: Trials, batch: Batch, p: int, matrix: Array, settings: Settings) -> None:
    """matrix = second derivative of the penalty of lane p."""
    d, width = trials.n_units, trials.width
    clear(matrix, 0, len(matrix))
    for j in range(d + 1):
        if settings.pull > 0.0:
            for i in range(j, d + 1):
                matrix[j * width + i] = settings.pull * batch.center8[LANES * j + p] * batch.center8[LANES * i + p]
        matrix[j * width + j] += batch.scale8[LANES * j + p] ** 2
    for j in range(d + 1, width):
        matrix[j * width + j] = 1.0


@inlined
def penalty_along(trials: Trials, batch: Batch, start8: Array, step8: Array, settings: Settings) -> tuple[Any, Any]:
    """Slope of the penalty along a step, at its start, and its second derivative."""
    linear = quadratic = here = ahead = spread(0.0)
    for o in range(0, LANES * (trials.n_units + 1), LANES):
        scale, center, start, step = load(batch.scale8, o), load(batch.center8, o), load(start8, o), load(step8, o)
        linear, quadratic = (
            plus_product(linear, scale * scale * step, start),
            plus_product(quadratic, scale * scale * step, step),
        )
        here, ahead = plus_product(here, center, start), plus_product(ahead, center, step)
    pull = spread(settings.pull)
    return plus_product(linear, pull * ahead, here), plus_product(quadratic, pull * ahead, ahead)
