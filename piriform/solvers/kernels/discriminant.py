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
from piriform.solvers.kernels.scatter import (
    Work,
    class_means,
    empty_work,
    ledoit_wolf,
    shrink,
    standardise,
    within_scatter,
)
from piriform.solvers.kernels.small import factorize8, solve8
from piriform.solvers.kernels.trials import Trials
from piriform.solvers.kernels.vector import LANES, load, spread, store

#: Largest ratio of a variance to what is left of it after regression on the other units.
COLLINEAR = 1e12

__all__ = ["empty_work", "run"]


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


class Settings(NamedTuple):
    """Share of the diagonal, or -1: Ledoit and Wolf's; whether units are standardised."""

    shrinkage: float
    standardize: bool


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
    n_dropped = standardise(trials, work, folds, fold, p, settings.standardize)
    results.n_dropped[row, fold] = n_dropped
    class_means(trials, sums, work, fold, p)
    amount = settings.shrinkage
    if amount >= 0.0:
        within_scatter(trials, work, p, sums.n_classes, 1.0 - amount)
        shrink(trials, work, p, amount, 0.0, sums.n_classes, False)
    else:
        within_scatter(trials, work, p, sums.n_classes, 1.0)
        n_alive = trials.n_units - n_dropped
        amount, common = ledoit_wolf(trials, work, codes, folds, fold, n_alive, p, sums.n_classes)
        for o in range(0, len(work.matrix), 8):
            store(work.matrix, o, spread(1.0 - amount) * load(work.matrix, o))
        shrink(trials, work, p, amount, common, sums.n_classes, True)
    if len(work.matrix8) > 0:
        _into_lane(trials, work, p)


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
