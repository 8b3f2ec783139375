"""What do the folds of one labelling hold?

The second moments of the trials of each fold, made from those of a block of neighbouring trials where
few trials differ; and the sums of each class in each fold.
"""

from typing import NamedTuple

import numpy as np

from piriform.solvers.kernels.compile import Array, compiled, inlined
from piriform.solvers.kernels.dense import CHUNK, add_outer, clear, copy_upper
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import load, store


class FoldSums(NamedTuple):
    """Folds 0 .. n_groups - 1; some may only train.

    order: trials sorted by fold, those of fold g from starts[g]; moments, blocks: second moments by fold
    and by block of neighbours; everyone, part: those of all trials, and of all that take part; totals,
    counts: trials of class c in fold g at g n_classes + c, then in all folds.
    """

    order: np.ndarray
    starts: np.ndarray
    moments: np.ndarray
    blocks: np.ndarray
    everyone: np.ndarray
    part: np.ndarray
    totals: np.ndarray
    counts: np.ndarray
    chosen: np.ndarray
    weights: np.ndarray
    left: np.ndarray
    right: np.ndarray
    n_groups: int
    n_classes: int


def empty_fold_sums(trials: Trials, n_groups: int, n_classes: int) -> FoldSums:
    """Return work space."""
    width, height, n_rows = trials.width, trials.height, (n_groups + 1) * n_classes
    return FoldSums(
        *[
            np.zeros(height, np.int64),
            np.zeros(n_groups + 2, np.int64),
            *aligned(2, n_groups, width * width),
            *aligned(2, width * width),
            aligned(n_rows * width),
            np.zeros(n_rows, np.int64),
            np.zeros(height, np.int64),
            aligned(height),
            *aligned(2, CHUNK * width),
            n_groups,
            n_classes,
        ]
    )


@compiled
def sum_blocks(trials: Trials, sums: FoldSums) -> None:
    """Set the moments of blocks of neighbouring trials, and of all."""
    clear(sums.everyone, 0, len(sums.everyone))
    for g in range(sums.n_groups):
        start, stop = _block_of(trials, sums, g)
        for i in range(start, stop):
            sums.chosen[i - start], sums.weights[i - start] = i, 1.0
        _add_chosen(trials, sums, sums.blocks[g], stop - start)
        for o in range(0, len(sums.everyone), 8):
            store(sums.everyone, o, load(sums.everyone, o) + load(sums.blocks[g], o))


@compiled
def sum_folds(trials: Trials, sums: FoldSums, folds: Array) -> None:
    """Set order, starts, moments and part for the folds of a labelling."""
    order, starts, n_groups = sums.order, sums.starts, sums.n_groups
    for g in range(n_groups + 2):
        starts[g] = 0
    for i in range(trials.n_trials):
        starts[folds[i] + 2] += folds[i] >= 0
    for g in range(2, n_groups + 2):
        starts[g] += starts[g - 1]
    for i in range(trials.n_trials):
        g = folds[i]
        if g >= 0:
            order[starts[g + 1]] = i
            starts[g + 1] += 1
    everyone = starts[n_groups] == trials.n_trials
    for g in range(n_groups - 1 if everyone else n_groups):
        _sum_fold(trials, sums, folds, g)
    if everyone:
        copy_upper(sums.part, sums.everyone, trials.width)
    else:
        _sum_others(sums, -1, n_groups, sums.part)


@compiled
def training_moments(sums: FoldSums, fold: int, out: Array) -> None:
    """out = second moments of the trials of folds other than ``fold``."""
    if fold == sums.n_groups - 1:
        _sum_others(sums, fold, sums.n_groups, out)
        return
    own = sums.moments[fold]
    for o in range(0, len(out), 8):
        store(out, o, load(sums.part, o) - load(own, o))


@compiled
def sum_classes(trials: Trials, sums: FoldSums, codes: Array) -> None:
    """Set totals and counts of each class."""
    n_groups, n_classes, width = sums.n_groups, sums.n_classes, trials.width
    clear(sums.totals, 0, len(sums.totals))
    for r in range(len(sums.counts)):
        sums.counts[r] = 0
    rows, totals = trials.rows, sums.totals
    for g in range(n_groups):
        for q in range(sums.starts[g], sums.starts[g + 1]):
            i, r = sums.order[q], g * n_classes + codes[sums.order[q]]
            sums.counts[r] += 1
            for j in range(0, width, 8):
                store(totals, r * width + j, load(totals, r * width + j) + load(rows, i * width + j))
        for c in range(n_classes):
            r, all_folds = g * n_classes + c, n_groups * n_classes + c
            sums.counts[all_folds] += sums.counts[r]
            for j in range(0, width, 8):
                value = load(totals, all_folds * width + j) + load(totals, r * width + j)
                store(totals, all_folds * width + j, value)


@inlined
def _block_of(trials: Trials, sums: FoldSums, g: int) -> tuple[int, int]:
    return g * trials.n_trials // sums.n_groups, (g + 1) * trials.n_trials // sums.n_groups


@inlined
def _add_chosen(trials: Trials, sums: FoldSums, moments: Array, n: int) -> None:
    add_outer(moments, trials.rows, sums.chosen, n, sums.weights, trials.width, sums.left, sums.right)


@inlined
def _sum_fold(trials: Trials, sums: FoldSums, folds: Array, g: int) -> None:
    """moments[g], from scratch or from a block of neighbours."""
    start, stop = _block_of(trials, sums, g)
    n, n_shared, moments = 0, 0, sums.moments[g]
    for i in range(start, stop):
        away = folds[i] != g
        n_shared += 1 - away
        sums.chosen[n], sums.weights[n] = i, -1.0
        n += away
    first, last = sums.starts[g], sums.starts[g + 1]
    if n + last - first - n_shared < last - first:
        copy_upper(moments, sums.blocks[g], trials.width)
        for q in range(first, last):
            i = sums.order[q]
            sums.chosen[n], sums.weights[n] = i, 1.0
            n += (i < start) | (i >= stop)
    else:
        clear(moments, 0, len(moments))
        n = last - first
        for q in range(n):
            sums.chosen[q], sums.weights[q] = sums.order[first + q], 1.0
    _add_chosen(trials, sums, moments, n)


@inlined
def _sum_others(sums: FoldSums, fold: int, n_groups: int, out: Array) -> None:
    """out = sum of the moments of folds other than ``fold``."""
    clear(out, 0, len(out))
    for g in range(n_groups):
        if g != fold:
            own = sums.moments[g]
            for o in range(0, len(out), 8):
                store(out, o, load(out, o) + load(own, o))
