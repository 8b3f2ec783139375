"""Which hyperplanes does shrinkage linear discriminant analysis draw?

The within-class scatter S is the second moment of the training trials less that of the class means,
so one matrix per training set serves all labellings. With class means m_c and shrinkage s towards the
diagonal, v_c = ((1 - s) S + s diag S)^-1 (m_c - m_0) / dof and f_c(x) = v_c . (x - (m_c + m_0) / 2):
the log odds of class c against class 0 under equal priors.
"""

from typing import NamedTuple

import numpy as np

from piriform.solvers.kernels.batch import (
    LANES,
    Batch,
    Results,
    Settings,
    Training,
    Trials,
    aligned,
    cut,
    enter,
    lane_of,
    open_batch,
)
from piriform.solvers.kernels.compile import Array, compiled, inlined
from piriform.solvers.kernels.dense import clear, factorize, scores8, solve, sums8
from piriform.solvers.kernels.vector import load, spread, store, where_positive

#: Smallest within-class variance, in units of the total variance.
FLOOR = 1e-10
#: Share of a second moment that rounding may leave of a within-class variance of 0.
NOISE = 1e-13
#: Largest ratio of a variance to what is left of it after regression on the other units.
COLLINEAR = 1e12


class Work(NamedTuple):
    """members8: 1 for the training trials of a class; totals8: their sums; means, counts: by class."""

    members8: np.ndarray
    totals8: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray
    diagonal: np.ndarray
    theta8: np.ndarray
    codes: np.ndarray


def empty_work(trials: Trials, n_classes: int) -> Work:
    """Return work space for ``n_classes`` classes."""
    width, height = trials.width, trials.height
    return Work(
        *[
            aligned(height * LANES),
            aligned(width * LANES),
            aligned(LANES * n_classes, width),
            aligned(LANES * n_classes),
            aligned(width * width),
            *aligned(2, width),
            aligned(n_classes * width * LANES),
            np.zeros(height, np.int64),
        ]
    )


@compiled
def run(
    trials: Trials,
    training: Training,
    batch: Batch,
    work: Work,
    results: Results,
    decision: Array,
    theta: Array,
    codes: Array,
    codes8: Array,
    folds: Array,
    folds8: Array,
    n_folds: int,
    shrinkage: float,
    settings: Settings,
) -> None:
    """decision, theta: lists over classes 1, 2, ... of what Results holds for one classifier; shrinkage < 0: Ledoit-Wolf."""
    n_classes = len(decision) + 1
    for fold in range(n_folds):
        for first in range(0, len(codes), LANES):
            n = min(LANES, len(codes) - first)
            open_batch(batch, n)
            for c in range(1, n_classes):
                _class_totals(
                    trials, batch, work, codes8[first // LANES], folds8[min(first // LANES, len(folds8) - 1)], fold, c
                )
                for p in range(n):
                    lane_of(work.totals8, p, work.means[LANES * c + p])
            for p in range(n):
                enter(trials, training, batch, p, folds[min(first + p, len(folds) - 1)], fold, settings)
                _class_means(trials, training, batch, work, p, n_classes)
                _within_scatter(trials, training, work, p, n_classes)
                _shrink(trials, training, batch, work, codes[first + p], p, n_classes, shrinkage)
                batch.converged[p] = _directions(trials, batch, work, p, n_classes)
            _write(trials, batch, work, results, decision, theta, folds, first, n, fold, n_classes)


@inlined
def _class_totals(trials: Trials, batch: Batch, work: Work, codes8: Array, folds8: Array, fold: int, c: int) -> None:
    """totals8 = sum of the training trials of class c (its last entry counts them)."""
    zero, one, half, this, code = spread(0.0), spread(1.0), spread(0.5), spread(float(fold)), spread(float(c))
    for o in range(0, LANES * trials.n_trials, LANES):
        at_fold, distance = load(folds8, o), load(codes8, o) - code
        away = at_fold - this
        member = where_positive(half - distance * distance, one, zero) * where_positive(at_fold + one, one, zero)
        store(work.members8, o, where_positive(away * away, member, zero))
    sums8(trials.rows, work.members8, work.totals8, trials.width, trials.n_trials)


@inlined
def _class_means(trials: Trials, training: Training, batch: Batch, work: Work, p: int, n_classes: int) -> None:
    """From totals to means; class 0 is what is left of all training trials."""
    d, width = trials.n_units, trials.width
    first = work.means[p]
    for j in range(d + 1):
        first[j] = training.moments[j * width + d]
    for c in range(1, n_classes):
        mean = work.means[LANES * c + p]
        count = mean[d]
        work.counts[LANES * c + p] = count
        for j in range(d + 1):
            first[j] -= mean[j]
            mean[j] /= count
        mean[d] = 0.0
    count = first[d]
    work.counts[p] = count
    for j in range(d):
        first[j] /= count
    first[d] = 0.0


@inlined
def _within_scatter(trials: Trials, training: Training, work: Work, p: int, n_classes: int) -> None:
    """matrix = sum over trials of the outer product of their deviation from the class mean."""
    d, width = trials.n_units, trials.width
    for j in range(d):
        o = j * width
        for i in range(j // 8 * 8, width, 8):
            value = load(training.moments, o + i)
            for c in range(n_classes):
                mean = work.means[LANES * c + p]
                value = value - spread(work.counts[LANES * c + p] * mean[j]) * load(mean, i)
            store(work.matrix, o + i, value)
    for j in range(d):
        if work.matrix[j * width + j] < NOISE * training.moments[j * width + j]:
            for i in range(j):
                work.matrix[i * width + j] = 0.0
            clear(work.matrix, j * width + j // 8 * 8, (j + 1) * width)


@inlined
def _shrink(
    trials: Trials, training: Training, batch: Batch, work: Work, codes: Array, p: int, n_classes: int, shrinkage: float
) -> None:
    """Shrink the scatter to its diagonal, or to its mean with Ledoit and Wolf's amount."""
    d, width, matrix = trials.n_units, trials.width, work.matrix
    dof = float(max(batch.n_train[p] - n_classes, 1))
    amount, common = shrinkage, 0.0
    if shrinkage < 0.0:
        amount, common = _ledoit_wolf(trials, training, work, codes, batch.n_train[p], d - batch.n_dropped[p], p)
    keep = spread(1.0 - amount)
    for j in range(d):
        own, square = matrix[j * width + j], training.scale[j] ** 2
        target = max(common * square if shrinkage < 0.0 else own, FLOOR * dof * square)
        for i in range(j // 8 * 8, width, 8):
            store(matrix, j * width + i, keep * load(matrix, j * width + i))
        matrix[j * width + d] = 0.0
        matrix[j * width + j] = (1.0 - amount) * own + amount * target
        work.diagonal[j] = matrix[j * width + j]
    for j in range(d, width):
        clear(matrix, j * width + j // 8 * 8, (j + 1) * width)
        matrix[j * width + j] = 1.0
    cut(trials, batch, p, matrix)


@compiled
def _ledoit_wolf(
    trials: Trials, training: Training, work: Work, codes: Array, n_train: int, n_alive: int, p: int
) -> tuple[float, float]:
    """Amount of shrinkage and mean scatter of standardised units (Ledoit & Wolf 2004, J Multivar Anal 88:365)."""
    d, width, matrix = trials.n_units, trials.width, work.matrix
    trace = square = fourth = 0.0
    for j in range(d):
        if training.alive[j]:
            a = 1.0 / (training.scale[j] * n_train)
            trace += matrix[j * width + j] * a / training.scale[j]
            square += (matrix[j * width + j] * a / training.scale[j]) ** 2
            for i in range(j + 1, d):
                if training.alive[i]:
                    square += 2.0 * (matrix[j * width + i] * a / training.scale[i]) ** 2
    for i in range(trials.n_trials):
        if training.inside[i]:
            mean, norm = work.means[LANES * codes[i] + p], 0.0
            for j in range(d):
                if training.alive[j]:
                    norm += ((trials.rows[i * width + j] - mean[j]) / training.scale[j]) ** 2
            fourth += norm * norm
    distance = square - trace * trace / n_alive
    amount = min(1.0, max(0.0, (fourth / n_train - square) / n_train / distance)) if distance > 0 else 1.0
    return amount, trace / n_alive * n_train


@inlined
def _directions(trials: Trials, batch: Batch, work: Work, p: int, n_classes: int) -> bool:
    """Solve for the direction from class 0 to each other class; False if the scatter is singular."""
    d, width = trials.n_units, trials.width
    dof = float(max(batch.n_train[p] - n_classes, 1))
    fine = factorize(work.matrix, work.inverse, width)
    for j in range(d):
        if batch.alive8[LANES * j + p] > 0.0 and not work.inverse[j] ** 2 * work.diagonal[j] < COLLINEAR:
            fine = False
    for c in range(1, n_classes):
        one, other, v = work.means[LANES * c + p], work.means[p], batch.column
        for j in range(d):
            v[j] = dof * (one[j] - other[j]) * batch.alive8[LANES * j + p]
        clear(v, d, width)
        solve(work.matrix, work.inverse, v, width)
        offset = 0.0
        for j in range(d):
            offset -= 0.5 * v[j] * (one[j] + other[j])
        v[d] = offset
        for j in range(width):
            work.theta8[(c * width + j) * LANES + p] = v[j]
    return fine


@inlined
def _write(
    trials: Trials,
    batch: Batch,
    work: Work,
    results: Results,
    decision: Array,
    theta: Array,
    folds: Array,
    first: int,
    n: int,
    fold: int,
    n_classes: int,
) -> None:
    d, width = trials.n_units, trials.width
    for c in range(1, n_classes):
        theta8 = work.theta8[c * width * LANES : (c + 1) * width * LANES]
        scores8(trials.rows, theta8, batch.f8, d + 1, width, trials.height)
        for p in range(n):
            for j in range(d + 1):
                theta[c - 1, first + p, fold, j] = theta8[LANES * j + p]
            fold_of = folds[min(first + p, len(folds) - 1)]
            for i in range(trials.n_trials):
                if fold_of[i] == fold:
                    decision[c - 1, first + p, i] = batch.f8[LANES * i + p]
    for p in range(n):
        for j in range(d):
            results.center[first + p, fold, j] = batch.center8[LANES * j + p]
            results.scale[first + p, fold, j] = batch.scale8[LANES * j + p]
        results.n_dropped[first + p, fold] = batch.n_dropped[p]
        results.n_iterations[first + p, fold] = 1
        results.converged[first + p, fold] = batch.converged[p]
