"""Which hyperplanes does shrinkage linear discriminant analysis draw?

The within-class scatter S is the second moment of the training trials less that of the class means,
so one matrix per training set serves all labellings. With class means m_c and shrinkage s towards the
diagonal, v_c = ((1 - s) S + s diag S)^-1 (m_c - m_0) / dof and f_c(x) = v_c . (x - (m_c + m_0) / 2):
the log odds of class c against class 0 under equal priors.
"""

from typing import NamedTuple

import numpy as np

from piriform.solvers.kernels.compile import Array, compiled, entry, inlined
from piriform.solvers.kernels.dense import clear, factorize, scores_of, solve
from piriform.solvers.kernels.fold_sums import FoldSums, sum_blocks, sum_classes, sum_folds, training_moments
from piriform.solvers.kernels.small import SMALL, factorize8, solve8
from piriform.solvers.kernels.training import recomputed_unit
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import LANES, less_product, load, spread, store

#: Smallest within-class variance, in units of the total variance.
FLOOR = 1e-10
#: Share of a second moment that rounding may leave of a within-class variance of 0.
NOISE = 1e-13
#: Share of a second moment below which a within-class variance has lost too many digits; NumPy takes over.
DOUBTFUL = 1e-6
#: Largest ratio of a variance to what is left of it after regression on the other units.
COLLINEAR = 1e12


class Discriminants(NamedTuple):
    """What is found. decision: (n_classes - 1, n_labellings, n_trials); the next three (n_labellings, n_folds).

    theta, center, scale: (n_classes - 1, n_labellings, n_folds, n_units + 1) and twice (n_labellings,
    n_folds, n_units + 1), or of length 0 where nobody asks for them.
    """

    decision: np.ndarray
    norms: np.ndarray
    n_dropped: np.ndarray
    converged: np.ndarray
    theta: np.ndarray
    center: np.ndarray
    scale: np.ndarray


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


class Settings(NamedTuple):
    """Share of the diagonal, or -1: Ledoit and Wolf's; whether units are standardised."""

    shrinkage: float
    standardize: bool


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


@entry
def run(
    trials: Trials,
    sums: FoldSums,
    work: Work,
    results: Discriminants,
    codes: Array,
    folds: Array,
    n_folds: int,
    settings: Settings,
) -> None:
    """Fit every labelling without each of its folds."""
    sum_blocks(trials, sums)
    n_waiting = 0
    for row in range(len(codes)):
        own = folds[min(row, len(folds) - 1)]
        if row < len(folds):
            sum_folds(trials, sums, own)
        sum_classes(trials, sums, codes[row])
        for fold in range(n_folds):
            _prepare(trials, sums, work, results, codes[row], own, n_waiting, row, fold, settings)
            n_waiting += 1
            if n_waiting == work.n_lanes:
                _solve_waiting(trials, sums.n_classes, work, results, n_waiting)
                n_waiting = 0
    _solve_waiting(trials, sums.n_classes, work, results, n_waiting)


@inlined
def _prepare(
    trials: Trials,
    sums: FoldSums,
    work: Work,
    results: Discriminants,
    codes: Array,
    folds: Array,
    p: int,
    row: int,
    fold: int,
    settings: Settings,
) -> None:
    """Put a problem into lane p."""
    first, last = sums.starts[fold], sums.starts[fold + 1]
    n_train = sums.starts[sums.n_groups] - last + first
    work.labelling[p], work.fold[p], work.n_train[p], work.n_tested[p] = row, fold, n_train, last - first
    for q in range(first, last):
        work.tested[p, q - first] = sums.order[q]
    training_moments(sums, fold, work.matrix)
    n_dropped = _standardise(trials, work, folds, fold, p, settings.standardize)
    results.n_dropped[row, fold] = n_dropped
    _class_means(trials, sums, work, fold, p)
    amount = settings.shrinkage
    if amount >= 0.0:
        _within_scatter(trials, work, p, sums.n_classes, 1.0 - amount)
        _shrink(trials, work, p, amount, 0.0, sums.n_classes, False)
    else:
        _within_scatter(trials, work, p, sums.n_classes, 1.0)
        n_alive = trials.n_units - n_dropped
        amount, common = _ledoit_wolf(trials, work, codes, folds, fold, n_alive, p, sums.n_classes)
        for o in range(0, len(work.matrix), 8):
            store(work.matrix, o, spread(1.0 - amount) * load(work.matrix, o))
        _shrink(trials, work, p, amount, common, sums.n_classes, True)
    if len(work.matrix8) > 0:
        _into_lane(trials, work, p)


@inlined
def _standardise(trials: Trials, work: Work, folds: Array, fold: int, p: int, standardize: bool) -> int:
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
def _class_means(trials: Trials, sums: FoldSums, work: Work, fold: int, p: int) -> None:
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
def _within_scatter(trials: Trials, work: Work, p: int, n_classes: int, keep: float) -> None:
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
def _shrink(trials: Trials, work: Work, p: int, amount: float, common: float, n_classes: int, to_common: bool) -> None:
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
def _ledoit_wolf(
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


@inlined
def _into_lane(trials: Trials, work: Work, p: int) -> None:
    width = trials.width
    for j in range(trials.n_units):
        for i in range(j // 8 * 8, width):
            work.matrix8[LANES * (j * width + i) + p] = work.matrix[j * width + i]


@compiled
def _solve_waiting(trials: Trials, n_classes: int, work: Work, results: Discriminants, n: int) -> None:
    """Solve and test the first n lanes."""
    small = len(work.matrix8) > 0
    if small and n > 0:
        factorize8(work.matrix8, work.inverse8, trials.n_units, trials.width)
    for p in range(n):
        row, fold, fine = work.labelling[p], work.fold[p], work.exact[p]
        if not small:
            fine = factorize(work.matrix, work.inverse, trials.width)
        for j in range(trials.n_units):
            inverse = work.inverse8[LANES * j + p] if small else work.inverse[j]
            good = (inverse > 0.0) & (inverse**2 * work.diagonals[p, j] < COLLINEAR)
            fine = fine and (work.alive[p, j] == 0.0 or good)
        results.converged[row, fold] = fine
        if len(results.center) > 0:
            for j in range(trials.n_units):
                results.center[row, fold, j] = work.centers[p, j]
                results.scale[row, fold, j] = np.sqrt(work.squares[p, j])
    for c in range(1, n_classes):
        if small:
            for p in range(n):
                _aim(trials, work, p, c, n_classes)
                for j in range(trials.n_units):
                    work.x8[LANES * j + p] = work.column[j]
            solve8(work.matrix8, work.inverse8, work.x8, trials.n_units, trials.width)
        for p in range(n):
            if small:
                for j in range(trials.n_units):
                    work.column[j] = work.x8[LANES * j + p]
            else:
                _aim(trials, work, p, c, n_classes)
                solve(work.matrix, work.inverse, work.column, trials.width)
            _test(trials, work, results, p, c, n_classes)


@inlined
def _aim(trials: Trials, work: Work, p: int, c: int, n_classes: int) -> None:
    """column = right-hand side of the direction from class 0 to class c."""
    dof = float(max(work.n_train[p] - n_classes, 1))
    one, other = work.means[p * n_classes + c], work.means[p * n_classes]
    for j in range(trials.n_units):
        work.column[j] = dof * (one[j] - other[j]) * work.alive[p, j]
    clear(work.column, trials.n_units, trials.width)


@inlined
def _test(trials: Trials, work: Work, results: Discriminants, p: int, c: int, n_classes: int) -> None:
    """Score the trials of the test fold by the direction in ``column``."""
    d, row, fold, v = trials.n_units, work.labelling[p], work.fold[p], work.column
    one, other = work.means[p * n_classes + c], work.means[p * n_classes]
    offset = norm = 0.0
    for j in range(d):
        offset -= 0.5 * v[j] * (one[j] + other[j])
        norm += v[j] * v[j] * work.squares[p, j]
    clear(v, d, trials.width)
    v[d] = offset
    scores_of(trials.rows, work.tested[p], work.n_tested[p], v, results.decision[c - 1, row], trials.width)
    results.norms[row, fold] = np.sqrt(norm)
    if len(results.center) > 0:
        for j in range(d + 1):
            results.theta[c - 1, row, fold, j] = v[j]
