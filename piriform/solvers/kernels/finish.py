"""Given which trials seem to be on the margin, what is the exact solution, and is it one?

Trials on the margin are tied to it by springs; minimising and letting each multiplier take its spring's
force (the method of multipliers) ends with y f = 1 there. The rest have alpha = 0 or alpha = c. It is
the solution if every multiplier is in [0, c], every other trial on its side, and the gradient 0.
"""

from typing import Any, NamedTuple

import numpy as np

from piriform.solvers.kernels.batch import (
    LANES,
    Batch,
    Settings,
    cut,
    downhill8,
    lane_of,
    penalty_matrix,
)
from piriform.solvers.kernels.compile import Array, compiled, inlined
from piriform.solvers.kernels.dense import add_outer, copy, factorize, scores8, solve
from piriform.solvers.kernels.training import Training
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import (
    larger,
    less_product,
    load,
    plus_product,
    smaller,
    spread,
    store,
    where_positive,
)

MAX_STEPS = 30
#: Stiffness of the springs, in units of c where that is below 1, next to the penalty's 1; shortfall of a taut one.
STIFF, TAUT = 1e6, 1e-10
#: How well the other conditions must hold, in units of c or of the margin; what rules a choice out at once.
EXACT, HOPELESS = 1e-9, 1e-4
#: Largest gradient, relative to its terms; the springs' stiffness limits it.
BALANCED = 1e-7
#: Share of c within which a multiplier counts as at its bound.
AT_BOUND = 1e-6
#: Curvature that keeps a free intercept in place where no trial does.
FAINT = 1e-9


class Finish(NamedTuple):
    """free: 1 for trials on the margin; their stiffness; alpha, f, theta, gradient: the solution; per lane: who takes part."""

    free: Array
    stiffness: Array
    alpha: Array
    f: Array
    theta: Array
    gradient: Array
    n_free: Array
    off: Array
    n_wrong: Array
    ready: Array


def empty_finish(height: int, width: int) -> Finish:
    """Return work space."""
    return Finish(
        *[*aligned(4, height * LANES), *aligned(2, width * LANES), *aligned(3, LANES), np.zeros(LANES, np.bool_)]
    )


@inlined
def add_curvature(
    trials: Trials, training: Training, batch: Batch, p: int, weight8: Array, ignored: float, settings: Settings
) -> None:
    """The matrix of lane p = the penalty's second derivative + sum_i weight_i x_i x_i'.

    Trials with ``ignored`` weight or less, next to a penalty of 1 per unit, count for the intercept alone.
    """
    n_chosen, rest, matrix = 0, FAINT, batch.matrices[p]
    for i in range(trials.n_trials):
        weight = weight8[LANES * i + p]
        training.chosen[n_chosen], training.weights[n_chosen] = i, weight
        n_chosen += weight > ignored
        rest += 0.0 if weight > ignored else weight
    penalty_matrix(trials, batch, p, matrix, settings)
    matrix[(trials.width + 1) * trials.n_units] += rest
    add_outer(
        matrix, trials.rows, training.chosen, n_chosen, training.weights, trials.width, training.left, training.right
    )
    cut(trials, batch, p, matrix)


@compiled
def finish_exactly(
    trials: Trials,
    training: Training,
    batch: Batch,
    finish: Finish,
    alpha8: Array,
    cap8: Array,
    n: int,
    settings: Settings,
) -> None:
    """In lanes that are ready: solve for the trials on the margin; where that is the solution, the lane is done."""
    if _n_ready(finish, n) == 0:
        return
    _tie(trials, training, batch, finish, alpha8, cap8, n, settings)
    for step in range(MAX_STEPS):
        _pull(trials, batch, finish, n, settings)
        if step == 0:
            _judge(trials, batch, finish, cap8, HOPELESS)
            for p in range(n):
                finish.ready[p] &= finish.n_wrong[p] == 0.0
        slack_springs = 0
        for p in range(n):
            slack_springs += finish.ready[p] and finish.off[p] > TAUT
        if slack_springs == 0:
            break
    if _n_ready(finish, n) == 0:
        return
    _judge(trials, batch, finish, cap8, EXACT)
    for o in range(0, LANES * trials.n_trials, LANES):
        store(batch.r8, o, load(batch.y8, o) * load(finish.alpha, o))
    downhill8(trials, batch, finish.theta, finish.gradient, settings)
    for p in range(n):
        good = finish.off[p] <= TAUT and finish.n_wrong[p] == 0.0 and batch.worst8[p] <= BALANCED
        if finish.ready[p] and good:
            _accept(trials, batch, finish, cap8, p, settings)


@inlined
def _n_ready(finish: Finish, n: int) -> int:
    n_ready = 0
    for p in range(n):
        n_ready += finish.ready[p]
    return n_ready


@inlined
def _stiffness(batch: Batch) -> Any:
    return spread(STIFF) * smaller(spread(1.0), larger(load(batch.plus, 0), load(batch.minus, 0)))


@inlined
def _tie(
    trials: Trials,
    training: Training,
    batch: Batch,
    finish: Finish,
    alpha8: Array,
    cap8: Array,
    n: int,
    settings: Settings,
) -> None:
    """Start from the interior point, with springs on the trials on the margin and the others at their bound."""
    zero, stiff = spread(0.0), _stiffness(batch)
    for o in range(0, LANES * trials.n_trials, LANES):
        alpha, cap, free = load(alpha8, o), load(cap8, o), load(finish.free, o)
        store(finish.alpha, o, where_positive(free, alpha, where_positive(alpha + alpha - cap, cap, zero)))
        store(finish.stiffness, o, stiff * free)
    copy(finish.f, batch.f8)
    copy(finish.theta, batch.theta8)
    store(finish.off, 0, spread(1.0))
    for p in range(n):
        if finish.ready[p]:
            add_curvature(trials, training, batch, p, finish.stiffness, 0.0, settings)
            finish.ready[p] = factorize(batch.matrices[p], batch.inverses[p], trials.width)


@compiled
def _pull(trials: Trials, batch: Batch, finish: Finish, n: int, settings: Settings) -> None:
    """Minimise with the springs, then let the multipliers take their force; off: the largest shortfall left.

    Lanes whose springs are slack stay as they are, however long the others take.
    """
    zero, one, off = spread(0.0), spread(1.0), spread(0.0)
    stiff = where_positive(load(finish.off, 0) - spread(TAUT), _stiffness(batch), zero)
    for o in range(0, LANES * trials.n_trials, LANES):
        y = load(batch.y8, o)
        force = load(finish.stiffness, o) * less_product(one, y, load(finish.f, o))
        store(batch.r8, o, y * (load(finish.alpha, o) + force))
    downhill8(trials, batch, finish.theta, finish.gradient, settings)
    for p in range(n):
        if finish.ready[p] and finish.off[p] > TAUT:
            lane_of(finish.gradient, p, batch.column)
            solve(batch.matrices[p], batch.inverses[p], batch.column, trials.width)
            for j in range(trials.width):
                finish.theta[LANES * j + p] += batch.column[j]
    scores8(trials.rows, finish.theta, finish.f, trials.n_units + 1, trials.width, trials.height)
    for o in range(0, LANES * trials.n_trials, LANES):
        short = load(finish.free, o) * less_product(one, load(batch.y8, o), load(finish.f, o))
        store(finish.alpha, o, plus_product(load(finish.alpha, o), stiff, short))
        off = larger(off, larger(short, zero - short))
    store(finish.off, 0, off)


@compiled
def _judge(trials: Trials, batch: Batch, finish: Finish, cap8: Array, tolerance: float) -> None:
    """n_wrong: how many trials are not where their multiplier says."""
    zero, one, count, exact = spread(0.0), spread(1.0), spread(0.0), spread(tolerance)
    for o in range(0, LANES * trials.n_trials, LANES):
        y, alpha, cap = load(batch.y8, o), load(finish.alpha, o), load(cap8, o)
        short = less_product(one, y, load(finish.f, o))
        out_of_bounds = larger(zero - alpha, alpha - cap) / cap
        wrong_side = where_positive(alpha, zero - short, short)
        off = y * y * where_positive(load(finish.free, o), out_of_bounds, wrong_side)
        count = count + where_positive(off - exact, one, zero)
    store(finish.n_wrong, 0, count)


@inlined
def _accept(trials: Trials, batch: Batch, finish: Finish, cap8: Array, p: int, settings: Settings) -> None:
    bounds_only = settings.pull == 0.0
    for e in range(p, LANES * trials.n_trials, LANES):
        share = finish.alpha[e] / cap8[e]
        bounds_only &= finish.free[e] == 0.0 or share < AT_BOUND or share > 1.0 - AT_BOUND
    if bounds_only:
        _take_middle_intercept(trials, batch, finish, cap8, p)
    for e in range(p, LANES * trials.width, LANES):
        batch.theta8[e] = finish.theta[e]
    for e in range(p, LANES * trials.n_trials, LANES):
        batch.f8[e] = finish.f[e]
    batch.done[p] = batch.converged[p] = True


@inlined
def _take_middle_intercept(trials: Trials, batch: Batch, finish: Finish, cap8: Array, p: int) -> None:
    """No multiplier off its bounds: all intercepts between two are as good; take the middle, as libsvm does."""
    low, high = -np.inf, np.inf
    for e in range(p, LANES * trials.n_trials, LANES):
        if batch.y8[e] != 0.0:
            room = batch.y8[e] - finish.f[e]
            if (2.0 * finish.alpha[e] > cap8[e]) == (batch.y8[e] > 0.0):
                high = min(high, room)
            else:
                low = max(low, room)
    shift = 0.5 * (low + high)
    finish.theta[LANES * trials.n_units + p] += shift
    for e in range(p, LANES * trials.n_trials, LANES):
        finish.f[e] += shift
