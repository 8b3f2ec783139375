"""Which hyperplane has the least 1/2 |w|^2 + sum_i c_i max(0, 1 - y_i f(x_i))?

An interior-point method (Mehrotra 1992, SIAM J Optim 2:575; correctors of Gondzio 1996, Comput Optim
Appl 6:137) goes on until :mod:`piriform.solvers.kernels.finish` can tell which trials are on the
margin. Per trial: multiplier alpha in [0, c], room = c - alpha, slack s = max(0, y f - 1), excess
e = max(0, 1 - y f). On the way s alpha = e room = mu, and mu goes to 0.
"""

from piriform.solvers.kernels.batch import (
    LANES,
    Batch,
    Results,
    Settings,
    close_batch,
    open_batch,
)
from piriform.solvers.kernels.compile import Array, entry, inlined
from piriform.solvers.kernels.dense import clear, factorize
from piriform.solvers.kernels.finish import add_curvature, finish_exactly
from piriform.solvers.kernels.interior import (
    Work,
    aim_at_center,
    aim_better,
    direct,
    empty_work,
    measure,
    move,
    take_if_longer,
)
from piriform.solvers.kernels.training import Training
from piriform.solvers.kernels.trials import Trials
from piriform.solvers.kernels.vector import (
    load,
    spread,
    store,
    where_positive,
)

__all__ = ["empty_work", "run"]

MAX_STEPS = 80
#: Directions per matrix beyond Mehrotra's.
CORRECTORS = 1
#: Curvature of a trial, per unit, below which it is left out of the matrix; the penalty's is 1.
IGNORED = 0.1
#: mu, in units of c, from which on the exact finish is tried.
READY = 1e-4


@entry
def run(
    trials: Trials,
    training: Training,
    batch: Batch,
    work: Work,
    results: Results,
    labels8: Array,
    folds8: Array,
    folds: Array,
    n_labellings: int,
    n_folds: int,
    settings: Settings,
) -> None:
    """Fit every labelling without each of its folds."""
    n_lanes = len(batch.matrices)
    for fold in range(n_folds):
        for first in range(0, n_labellings, n_lanes):
            n = min(n_lanes, n_labellings - first)
            open_batch(trials, training, batch, labels8, folds8, folds, first, n, fold, 0.25, settings)
            _start(trials, batch, work)
            _minimum(trials, training, batch, work, n, settings)
            close_batch(trials, batch, results, folds, first, n, fold)


@inlined
def _start(trials: Trials, batch: Batch, work: Work) -> None:
    """Every trial half way: alpha = c / 2 and s = e = 1, so that each has curvature c / 4."""
    half, one = spread(0.5), spread(1.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        cap = where_positive(load(batch.cost8, o), load(batch.cost8, o), one)
        store(work.cap, o, cap)
        store(work.alpha, o, half * cap)
        store(work.slack, o, one)
        store(work.excess, o, one)
    clear(batch.f8, 0, len(batch.f8))


@inlined
def _minimum(trials: Trials, training: Training, batch: Batch, work: Work, n: int, settings: Settings) -> None:
    for iteration in range(MAX_STEPS):
        measure(trials, batch, work)
        for p in range(n):
            cap = max(batch.plus[p], batch.minus[p])
            few = work.finish.n_free[p] <= trials.n_units - batch.n_dropped[p] + 1 or work.mu[p] < 1e-8 * cap
            work.finish.ready[p] = not batch.done[p] and work.mu[p] < READY * cap and few
        finish_exactly(trials, training, batch, work.finish, work.alpha, work.cap, n, settings)
        still_open = 0
        for p in range(n):
            if not batch.done[p]:
                still_open += 1
                batch.n_iterations[p] = iteration + 1
                if iteration > 0:
                    add_curvature(trials, training, batch, p, work.weight, IGNORED / (trials.n_units + 1), settings)
                batch.done[p] = not factorize(batch.matrices[p], batch.inverses[p], trials.width)
        if still_open == 0:
            return
        direct(trials, batch, work, work.taken, n, settings)
        aim_at_center(trials, batch, work)
        direct(trials, batch, work, work.taken, n, settings)
        for _ in range(CORRECTORS):
            aim_better(trials, batch, work)
            direct(trials, batch, work, work.tried, n, settings)
            if not take_if_longer(trials, batch, work, n):
                break
        move(trials, batch, work)
