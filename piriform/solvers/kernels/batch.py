"""Which trials train which problem? Eight problems are solved side by side.

All problems share one copy of the responses, centred and scaled once. A classifier is theta = (v, c)
with f(x) = v . x + c in these coordinates; the last used column of the responses is 1. To standardise
by the training trials is to change the penalty, not the data: w_j = scale_j v_j, b = c + center . v.

Arrays named ``*8`` interleave the eight problems: entry i of problem p is at 8 i + p.
"""

from typing import Any, NamedTuple

import numpy as np

from piriform.solvers.kernels.compile import Array, inlined
from piriform.solvers.kernels.dense import CHUNK, add_outer, clear, sums8
from piriform.solvers.kernels.vector import LANES, larger, load, spread, store, where_positive


class Trials(NamedTuple):
    """The shared responses; width and height are n_units + 1 and n_trials, rounded up to multiples of 8.

    rows: (height * width,); largest: (width,) largest square of each unit; origin, unit: (width,) where 0
    lies and how long 1 is, in these coordinates.
    """

    rows: np.ndarray
    largest: np.ndarray
    origin: np.ndarray
    unit: np.ndarray
    n_trials: int
    n_units: int
    width: int
    height: int


class Training(NamedTuple):
    """The training set last chosen: second moments of its trials, which they are, and its standardisation."""

    moments: np.ndarray
    inside: np.ndarray
    chosen: np.ndarray
    weights: np.ndarray
    left: np.ndarray
    right: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    alive: np.ndarray


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


def aligned(*shape: int) -> np.ndarray:
    """Return zeros that start at a multiple of 64 bytes, so that eight numbers never straddle two cache lines."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8)
    start = -raw.ctypes.data % 64 // 8
    return raw[start : start + size].reshape(shape)


def shared_trials(X: np.ndarray) -> tuple[Trials, np.ndarray, np.ndarray]:
    """Return the responses as kernels want them, and the median and SD of each unit that were taken out."""
    middle, unit = np.median(X, axis=0), X.std(axis=0)
    unit[unit == 0] = 1.0
    return _trials((X - middle) / unit, -middle / unit, 1 / unit), middle, unit


def raw_trials(X: np.ndarray) -> Trials:
    """Return the responses as kernels want them, as they are."""
    return _trials(X, np.zeros(X.shape[1]), np.ones(X.shape[1]))


def _trials(X: np.ndarray, origin: np.ndarray, unit: np.ndarray) -> Trials:
    n_trials, n_units = X.shape
    width, height = (n_units // 8 + 1) * 8, (n_trials + 7) // 8 * 8
    rows, pad = aligned(height, width), np.zeros(width - n_units)
    rows[:n_trials, :n_units], rows[:n_trials, n_units] = X, 1.0
    largest = (rows**2).max(axis=0)
    return Trials(rows.ravel(), largest, np.append(origin, pad), np.append(unit, pad), n_trials, n_units, width, height)


def empty_training(trials: Trials) -> Training:
    """Return a training set without trials."""
    width, height = trials.width, trials.height
    return Training(
        *[
            aligned(width * width),
            np.zeros(height, np.bool_),
            np.zeros(height, np.int64),
            aligned(height),
            *aligned(2, CHUNK * width),
            *aligned(2, width),
            np.ones(width, np.bool_),
        ]
    )


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


def interleaved(values: np.ndarray, n_lanes: int, height: int) -> np.ndarray:
    """Return rows of trials as (n_batches, 8 height): eight (or n_lanes) rows side by side, zeros beside them.

    A single row stands for all: it fills every lane.
    """
    values = np.repeat(values, n_lanes, axis=0) if len(values) == 1 else values
    n_rows, n_trials = values.shape
    n_batches = -(-n_rows // n_lanes)
    padded = np.zeros((n_batches * n_lanes, n_trials))
    padded[:n_rows] = values
    out = aligned(n_batches, height, LANES)
    out[:, :n_trials, :n_lanes] = padded.reshape(n_batches, n_lanes, n_trials).transpose(0, 2, 1)
    return out.reshape(n_batches, height * LANES)


@inlined
def open_batch(batch: Batch, n: int) -> None:
    """Forget the last batch; lanes from n on stay empty."""
    n_entries = len(batch.theta8)
    clear(batch.theta8, 0, n_entries)
    clear(batch.center8, 0, n_entries)
    clear(batch.scale8, 0, n_entries)
    clear(batch.alive8, 0, n_entries)
    clear(batch.size8, 0, n_entries)
    for p in range(LANES):
        batch.done[p], batch.converged[p], batch.n_iterations[p] = p >= n, False, 0


@inlined
def enter(
    trials: Trials, training: Training, batch: Batch, p: int, folds: Array, fold: int, settings: Settings
) -> None:
    """Choose the training set of lane p: the trials of folds other than ``fold``."""
    n_train = _update_moments(trials, training, folds, fold)
    batch.n_train[p], batch.n_dropped[p] = n_train, _standardise(trials, training, n_train, settings.standardize)
    for j in range(trials.n_units + 1):
        batch.center8[LANES * j + p] = training.center[j]
        batch.scale8[LANES * j + p] = training.scale[j]
        batch.alive8[LANES * j + p] = 1.0 if training.alive[j] else 0.0


@inlined
def enter_labels(trials: Trials, batch: Batch, labels8: Array, folds8: Array, fold: int, settings: Settings) -> None:
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
def set_sizes(trials: Trials, training: Training, batch: Batch, p: int) -> None:
    """Set the size that each entry of the gradient of lane p is measured by."""
    for j in range(trials.n_units + 1):
        size = max(batch.plus[p], batch.minus[p]) * np.sqrt(training.moments[j * trials.width + j])
        batch.size8[LANES * j + p] = 1.0 / size if training.alive[j] and size > 0 else 0.0


@inlined
def assemble(
    trials: Trials, training: Training, batch: Batch, p: int, factor: float, matrix: Array, settings: Settings
) -> None:
    """matrix = the penalty's second derivative + ``factor`` times the training trials' costs and moments."""
    d, width = trials.n_units, trials.width
    plus, minus = factor * batch.plus[p], factor * batch.minus[p]
    for j in range(d + 1):
        o, m, a = j * width, spread(settings.pull * training.center[j]), spread(minus)
        for i in range(j // 8 * 8, width, 8):
            store(matrix, o + i, a * load(training.moments, o + i) + m * load(training.center, i))
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
        intercept = intercept + load(batch.center8, o) * load(theta8, o)
    for o in range(0, LANES * trials.width, LANES):
        scale, center = load(batch.scale8, o), load(batch.center8, o)
        value = load(out8, o) - scale * scale * load(theta8, o) - pull * intercept * center
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
        linear, quadratic = linear + scale * scale * step * start, quadratic + scale * scale * step * step
        here, ahead = here + center * start, ahead + center * step
    pull = spread(settings.pull)
    return linear + pull * ahead * here, quadratic + pull * ahead * ahead


@inlined
def _update_moments(trials: Trials, training: Training, folds: Array, fold: int) -> int:
    n_train = n_changed = 0
    inside, chosen, weights = training.inside, training.chosen, training.weights
    for i in range(trials.n_trials):
        now = (folds[i] >= 0) & (folds[i] != fold)
        n_train += now
        chosen[n_changed], weights[n_changed] = i, 2.0 * now - 1.0
        n_changed += now != inside[i]
        inside[i] = now
    if n_changed > n_train:
        clear(training.moments, 0, len(training.moments))
        n_changed = 0
        for i in range(trials.n_trials):
            chosen[n_changed], weights[n_changed] = i, 1.0
            n_changed += inside[i]
    add_outer(training.moments, trials.rows, chosen, n_changed, weights, trials.width, training.left, training.right)
    return n_train


@inlined
def _standardise(trials: Trials, training: Training, n_train: int, standardize: bool) -> int:
    """Set center, scale and alive; return the number of units without variance."""
    d, width, n_dropped = trials.n_units, trials.width, 0
    for j in range(d):
        mean = training.moments[j * width + d] / n_train
        variance = training.moments[j * width + j] / n_train - mean * mean
        training.alive[j] = True
        if n_train * variance <= 1e-3 * trials.largest[j]:
            mean, variance, training.alive[j] = _recomputed_unit(trials, training, j, n_train)
        if not training.alive[j]:
            n_dropped += 1
        training.center[j] = mean if standardize else trials.origin[j]
        training.scale[j] = np.sqrt(variance) if standardize else trials.unit[j]
        if not training.alive[j]:
            training.scale[j] = trials.unit[j]
    training.center[d], training.scale[d], training.alive[d] = 1.0, 0.0, True
    return n_dropped


@inlined
def _recomputed_unit(trials: Trials, training: Training, j: int, n_train: int) -> tuple[float, float, bool]:
    """Mean and variance of a unit in two passes, and whether it varies; its moments are renewed too.

    Moments are kept up to date by adding and subtracting trials. That loses digits where the trials of
    the test fold hold nearly all of a unit's variance.
    """
    d, width, inside, x = trials.n_units, trials.width, training.inside, trials.rows[j:]
    low, high, mean = np.inf, -np.inf, 0.0
    for i in range(trials.n_trials):
        if inside[i]:
            value = x[i * width]
            low, high, mean = min(low, value), max(high, value), mean + value / n_train
    variance = 0.0
    for i in range(trials.n_trials):
        if inside[i]:
            variance += (x[i * width] - mean) ** 2 / n_train
    for k in range(d + 1):
        value = 0.0
        for i in range(trials.n_trials):
            if inside[i]:
                value += x[i * width] * trials.rows[i * width + k]
        training.moments[min(j, k) * width + max(j, k)] = value
    return mean, variance, high > low
