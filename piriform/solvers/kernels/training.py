"""What are the sums and second moments of the trials that train a problem?

Each training set starts from a set whose moments are known (no trial, all trials, or all trials but a
block of neighbours) and adds or removes the trials that differ. What comes out depends on the problem
alone, not on the problems around it.
"""

from typing import NamedTuple

import numpy as np

from piriform.solvers.kernels.compile import Array, compiled, inlined
from piriform.solvers.kernels.dense import CHUNK, add_outer, clear, copy_upper
from piriform.solvers.kernels.trials import Trials, aligned


class Training(NamedTuple):
    """The training set last chosen, its second moments and its standardisation.

    everyone, usual: moments of all trials, and of all less the block of fold ``at[0]`` of ``n_folds``.
    """

    moments: np.ndarray
    everyone: np.ndarray
    usual: np.ndarray
    at: np.ndarray
    chosen: np.ndarray
    weights: np.ndarray
    left: np.ndarray
    right: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    alive: np.ndarray
    n_folds: int


def empty_training(trials: Trials, n_folds: int) -> Training:
    """Return a training set without trials."""
    width, height = trials.width, trials.height
    return Training(
        *[
            *aligned(3, width * width),
            np.full(1, -1),
            np.zeros(height, np.int64),
            aligned(height),
            *aligned(2, CHUNK * width),
            *aligned(2, width),
            np.ones(width, np.bool_),
            n_folds,
        ]
    )


@compiled
def choose_training(trials: Trials, training: Training, folds: Array, fold: int, standardize: bool) -> tuple[int, int]:
    """Set the moments and standardisation of the trials of folds other than ``fold``; count them and dropped units."""
    n_train = _set_moments(trials, training, folds, fold)
    return n_train, _standardise(trials, training, folds, fold, n_train, standardize)


@inlined
def block_of(fold: int, n_folds: int, n_trials: int) -> tuple[int, int]:
    """First and last trial (plus one) of a fold of neighbouring trials."""
    return fold * n_trials // n_folds, (fold + 1) * n_trials // n_folds


@compiled
def add_trials(trials: Trials, training: Training, moments: Array, start: int, stop: int, weight: float) -> None:
    """Add the moments of neighbouring trials."""
    for i in range(start, stop):
        training.chosen[i - start], training.weights[i - start] = i, weight
    _add_chosen(trials, training, moments, stop - start)


@inlined
def _add_chosen(trials: Trials, training: Training, moments: Array, n_chosen: int) -> None:
    chosen, weights = training.chosen, training.weights
    add_outer(moments, trials.rows, chosen, n_chosen, weights, trials.width, training.left, training.right)


@inlined
def _set_moments(trials: Trials, training: Training, folds: Array, fold: int) -> int:
    n, width, moments = trials.n_trials, trials.width, training.moments
    start, stop = block_of(fold, training.n_folds, n)
    if training.at[0] < 0:
        clear(training.everyone, 0, width * width)
        add_trials(trials, training, training.everyone, 0, n, 1.0)
    if training.at[0] != fold:
        training.at[0] = fold
        copy_upper(training.usual, training.everyone, width)
        add_trials(trials, training, training.usual, start, stop, -1.0)
    n_train = n_unusual = 0
    for i in range(n):
        now = (folds[i] >= 0) & (folds[i] != fold)
        n_train += now
        n_unusual += now == ((i >= start) & (i < stop))
    from_usual, from_all = n_unusual <= min(n_train, n - n_train), n - n_train < n_train
    if from_usual:
        copy_upper(moments, training.usual, width)
    elif from_all:
        copy_upper(moments, training.everyone, width)
    else:
        clear(moments, 0, width * width)
    n_chosen = 0
    for i in range(n):
        now = (folds[i] >= 0) & (folds[i] != fold)
        before = ((i < start) | (i >= stop)) if from_usual else from_all
        training.chosen[n_chosen], training.weights[n_chosen] = i, 2.0 * now - 1.0
        n_chosen += now != before
    _add_chosen(trials, training, moments, n_chosen)
    return n_train


@inlined
def _standardise(trials: Trials, training: Training, folds: Array, fold: int, n_train: int, standardize: bool) -> int:
    """Set center, scale and alive; return the number of units without variance."""
    d, width, n_dropped = trials.n_units, trials.width, 0
    for j in range(d):
        mean = training.moments[j * width + d] / n_train
        variance = training.moments[j * width + j] / n_train - mean * mean
        training.alive[j] = True
        if n_train * variance <= 1e-3 * trials.largest[j]:
            mean, variance, training.alive[j] = recomputed_unit(trials, training.moments, folds, fold, j, n_train)
        if not training.alive[j]:
            n_dropped += 1
        training.center[j] = mean if standardize else trials.origin[j]
        training.scale[j] = np.sqrt(variance) if standardize else trials.unit[j]
        if not training.alive[j]:
            training.scale[j] = trials.unit[j]
    training.center[d], training.scale[d], training.alive[d] = 1.0, 0.0, True
    return n_dropped


@compiled
def recomputed_unit(
    trials: Trials, moments: Array, folds: Array, fold: int, j: int, n_train: int
) -> tuple[float, float, bool]:
    """Mean and variance of a unit in two passes, and whether it varies; its moments are renewed too.

    Moments are made by adding and subtracting trials. That loses digits where the trials that do not
    train hold nearly all of a unit's variance.
    """
    d, width, x = trials.n_units, trials.width, trials.rows[j:]
    low, high, mean = np.inf, -np.inf, 0.0
    for i in range(trials.n_trials):
        if folds[i] >= 0 and folds[i] != fold:
            value = x[i * width]
            low, high, mean = min(low, value), max(high, value), mean + value / n_train
    variance = 0.0
    for i in range(trials.n_trials):
        if folds[i] >= 0 and folds[i] != fold:
            variance += (x[i * width] - mean) ** 2 / n_train
    for k in range(d + 1):
        value = 0.0
        for i in range(trials.n_trials):
            if folds[i] >= 0 and folds[i] != fold:
                value += x[i * width] * trials.rows[i * width + k]
        moments[min(j, k) * width + max(j, k)] = value
    return mean, variance, high > low
