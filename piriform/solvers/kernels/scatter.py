"""What is the scatter of a training set within its classes, and how is it shrunk?"""

from typing import NamedTuple

import numpy as np

from piriform.solvers.kernels.compile import Array, compiled, inlined
from piriform.solvers.kernels.dense import clear
from piriform.solvers.kernels.fold_sums import FoldSums
from piriform.solvers.kernels.small import SMALL
from piriform.solvers.kernels.training import recomputed_unit
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import LANES, less_product, load, spread, store

#: Smallest within-class variance, in units of the total variance.
FLOOR = 1e-10


#: Share of a second moment that rounding may leave of a within-class variance of 0.
NOISE = 1e-13


#: Share of a second moment below which a within-class variance has lost too many digits; NumPy takes over.
DOUBTFUL = 1e-6


class Work(NamedTuple):
    """The problem being prepared, and those that wait to be solved side by side.

    matrix, inverse: scatter, shrunk, and its factor; diagonal: the scatter's, shrunk; squares: squared scale
    of each unit; matrix8, inverse8, x8: the same of waiting problems; labelling, fold, n_train: theirs; means,
    centers, diagonals, scales, alive: by problem, ``means`` by class too; exact: whether sums of squares keep enough
    digits.
    """

    matrix: np.ndarray
    inverse: np.ndarray
    column: np.ndarray
    second: np.ndarray
    matrix8: np.ndarray
    inverse8: np.ndarray
    x8: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    centers: np.ndarray
    squares: np.ndarray
    diagonals: np.ndarray
    alive: np.ndarray
    n_train: np.ndarray
    labelling: np.ndarray
    fold: np.ndarray
    tested: np.ndarray
    n_tested: np.ndarray
    exact: np.ndarray
    n_lanes: int


def empty_work(trials: Trials, n_classes: int) -> Work:
    """Return work space."""
    width, side_by_side = trials.width, trials.width <= SMALL
    lanes, small = (LANES, width) if side_by_side else (1, 0)
    return Work(
        *[
            aligned(width * width),
            *aligned(3, width),
            aligned(LANES * small * small),
            *aligned(2, LANES * small),
            aligned(lanes * n_classes, width),
            aligned(lanes * n_classes),
            *aligned(4, lanes, width),
            *np.zeros((3, lanes), np.int64),
            np.zeros((lanes, trials.height), np.int64),
            np.zeros(lanes, np.int64),
            np.zeros(lanes, np.bool_),
            lanes,
        ]
    )


@inlined
def standardise(trials: Trials, work: Work, folds: Array, fold: int, p: int, standardize: bool) -> int:
    """Set centers, squares and alive; return the number of units without variance."""
    d, width, n_dropped = trials.n_units, trials.width, 0
    n_train = work.n_train[p]
    each = 1.0 / n_train
    center, square, alive = work.centers[p], work.squares[p], work.alive[p]
    for j in range(d):
        mean = work.matrix[j * width + d] * each
        variance = work.matrix[j * width + j] * each - mean * mean
        alive[j] = 1.0
        if n_train * variance <= 1e-3 * trials.largest[j]:
            mean, variance, varies = recomputed_unit(trials, work.matrix, folds, fold, j, n_train)
            alive[j] = 1.0 if varies else 0.0
            n_dropped += 1 - varies
        center[j] = mean if standardize else trials.origin[j]
        square[j] = variance if standardize and alive[j] > 0.0 else trials.unit[j] ** 2
        work.second[j] = work.matrix[j * width + j]
    return n_dropped


@inlined
def class_means(trials: Trials, sums: FoldSums, work: Work, fold: int, p: int) -> None:
    """Means of the training trials of each class: of all folds, less those of the test fold."""
    d, width, n_classes = trials.n_units, trials.width, sums.n_classes
    for c in range(n_classes):
        mean, own, whole = work.means[p * n_classes + c], fold * n_classes + c, sums.n_groups * n_classes + c
        count = float(sums.counts[whole] - sums.counts[own])
        work.counts[p * n_classes + c] = count
        each = spread(1.0 / count)
        for i in range(0, width, 8):
            store(mean, i, each * (load(sums.totals, whole * width + i) - load(sums.totals, own * width + i)))
        clear(mean, d, width)


@inlined
def within_scatter(trials: Trials, work: Work, p: int, n_classes: int, keep: float) -> None:
    """matrix = ``keep`` times the sum over trials of the outer product of their deviation from the class mean."""
    d, width, matrix, factor = trials.n_units, trials.width, work.matrix, spread(keep)
    for j in range(d):
        o, own = j * width, work.second[j]
        for c in range(n_classes):
            own -= work.counts[p * n_classes + c] * work.means[p * n_classes + c, j] ** 2
        for i in range(j // 8 * 8, width, 8):
            value = load(matrix, o + i)
            for c in range(n_classes):
                mean = work.means[p * n_classes + c]
                value = less_product(value, spread(work.counts[p * n_classes + c] * mean[j]), load(mean, i))
            store(matrix, o + i, factor * value)
        work.diagonals[p, j] = own
    work.exact[p] = True
    for j in range(d):
        work.exact[p] &= work.diagonals[p, j] >= DOUBTFUL * work.second[j] or work.alive[p, j] == 0.0
        if work.diagonals[p, j] < NOISE * work.second[j]:
            work.diagonals[p, j] = 0.0
            _clear_unit(work.matrix, j, width)


@inlined
def _clear_unit(matrix: Array, j: int, width: int) -> None:
    for i in range(j):
        matrix[i * width + j] = 0.0
    clear(matrix, j * width + j // 8 * 8, (j + 1) * width)


@inlined
def shrink(trials: Trials, work: Work, p: int, amount: float, common: float, n_classes: int, to_common: bool) -> None:
    """Add ``amount`` of the target's diagonal; an identity stands where there is no unit."""
    d, width, matrix = trials.n_units, trials.width, work.matrix
    dof = float(max(work.n_train[p] - n_classes, 1))
    for j in range(d):
        own, square = work.diagonals[p, j], work.squares[p, j]
        target = max(common * square if to_common else own, FLOOR * dof * square)
        value = (1.0 - amount) * own + amount * target
        if work.alive[p, j] == 0.0:
            _clear_unit(matrix, j, width)
            value = 1.0
        matrix[j * width + d] = 0.0
        matrix[j * width + j] = work.diagonals[p, j] = value
    for j in range(d, width):
        clear(matrix, j * width + j // 8 * 8, (j + 1) * width)
        matrix[j * width + j] = 1.0


@compiled
def ledoit_wolf(
    trials: Trials, work: Work, codes: Array, folds: Array, fold: int, n_alive: int, p: int, n_classes: int
) -> tuple[float, float]:
    """Amount of shrinkage and mean scatter of standardised units (Ledoit & Wolf 2004, J Multivar Anal 88:365)."""
    d, width, matrix, n_train = trials.n_units, trials.width, work.matrix, work.n_train[p]
    squares, alive = work.squares[p], work.alive[p]
    trace = square = fourth = 0.0
    for j in range(d):
        if alive[j] > 0.0:
            own = matrix[j * width + j] / (squares[j] * n_train)
            trace += own
            square += own * own
            for i in range(j + 1, d):
                if alive[i] > 0.0:
                    square += 2.0 * (matrix[j * width + i] / n_train) ** 2 / (squares[i] * squares[j])
    for t in range(trials.n_trials):
        if folds[t] >= 0 and folds[t] != fold:
            mean, norm = work.means[p * n_classes + codes[t]], 0.0
            for j in range(d):
                if alive[j] > 0.0:
                    norm += (trials.rows[t * width + j] - mean[j]) ** 2 / squares[j]
            fourth += norm * norm
    distance = square - trace * trace / n_alive
    amount = min(1.0, max(0.0, (fourth / n_train - square) / n_train / distance)) if distance > 0 else 1.0
    return amount, trace / n_alive * n_train
