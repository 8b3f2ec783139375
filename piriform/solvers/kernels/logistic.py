"""Which hyperplane has the least 1/2 |w|^2 + sum_i c_i log(1 + exp(-y_i f(x_i)))?

Conjugate gradients (Polak-Ribiere) with an exact line search, in the metric of the second derivative at
theta = 0. That matrix takes no weights per trial, so it comes cheap from the moments, and at chance
level it is close to the second derivative everywhere. Where progress is slow, as for separable
classes, the matrix is renewed at the present point; renewed at every step, this is Newton's method.
"""

from typing import Any, NamedTuple

import numpy as np

from piriform.solvers.kernels.batch import (
    LANES,
    Batch,
    Results,
    Settings,
    close_batch,
    cut,
    downhill8,
    into_lane,
    lane_of,
    open_batch,
    penalty_along,
    penalty_matrix,
)
from piriform.solvers.kernels.compile import Array, entry, inlined
from piriform.solvers.kernels.dense import add_outer, clear, factorize, scores8, solve
from piriform.solvers.kernels.training import Training
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import (
    decay,
    larger,
    less_product,
    load,
    plus_product,
    spread,
    store,
    where_positive,
)

#: A new matrix costs about as much as this many steps with the old one.
PATIENCE = 25.0


class Work(NamedTuple):
    """downhill8: minus the gradient; natural8: the same in the metric; step8, change8: the step and its scores.

    weight8: second derivative of each trial's loss in f. Per lane: history: worst gradient some steps ago;
    restart: 1 after a new matrix; square: natural . downhill; along: step . downhill.
    """

    downhill8: np.ndarray
    before8: np.ndarray
    natural8: np.ndarray
    step8: np.ndarray
    change8: np.ndarray
    weight8: np.ndarray
    history: np.ndarray
    restart: np.ndarray
    square: np.ndarray
    along: np.ndarray
    scratch: np.ndarray


def empty_work(trials: Trials, batch: Batch) -> Work:
    """Return work space."""
    return Work(*aligned(4, trials.width * LANES), *aligned(2, trials.height * LANES), *aligned(5, LANES))


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
            for p in range(n):
                factorize(batch.matrices[p], batch.inverses[p], trials.width)
            _minimum(trials, training, batch, work, n, settings)
            close_batch(trials, batch, results, folds, first, n, fold)


@inlined
def _minimum(trials: Trials, training: Training, batch: Batch, work: Work, n: int, settings: Settings) -> None:
    clear(batch.f8, 0, len(batch.f8))
    clear(work.step8, 0, len(work.step8))
    clear(work.change8, 0, len(work.change8))
    for p in range(LANES):
        work.history[p], work.restart[p], work.along[p] = 1e300, 1.0, 0.0
    t = spread(0.0)
    for step in range(1000):
        _slopes_of_trials(trials, batch, work, t)
        downhill8(trials, batch, batch.theta8, work.downhill8, settings)
        if _all_done(batch, n, step, settings):
            return
        for p in range(n):
            if not batch.done[p]:
                if step % 3 == 2:
                    pace = np.log(work.history[p] / batch.worst8[p]) / 3.0
                    if np.log(batch.worst8[p] / settings.tol) > PATIENCE * pace:
                        _renew_matrix(trials, training, batch, work, p, settings)
                        work.restart[p] = 1.0
                    work.history[p] = batch.worst8[p]
                lane_of(work.downhill8, p, batch.column)
                solve(batch.matrices[p], batch.inverses[p], batch.column, trials.width)
                into_lane(batch.column, work.natural8, p)
        _conjugate(trials, batch, work)
        scores8(trials.rows, work.step8, work.change8, trials.n_units + 1, trials.width, trials.height)
        t = _line_search(trials, batch, work, settings)
        for o in range(0, LANES * trials.width, LANES):
            store(batch.theta8, o, plus_product(load(batch.theta8, o), t, load(work.step8, o)))


@inlined
def _all_done(batch: Batch, n: int, step: int, settings: Settings) -> bool:
    still_open = 0
    for p in range(n):
        if not batch.done[p]:
            batch.n_iterations[p] = step
            if batch.worst8[p] <= settings.tol:
                batch.done[p] = batch.converged[p] = True
            else:
                still_open += 1
    return still_open == 0


@inlined
def _slopes_of_trials(trials: Trials, batch: Batch, work: Work, t: Any) -> None:
    """Move the scores by t and find slope and curvature of each trial's loss.

    r = c y P(wrong) with P(wrong) = e / (1 + e) where the trial is right, 1 / (1 + e) where it is wrong, e = exp(-|f|).
    """
    one = spread(1.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        y, cost = load(batch.y8, o), load(batch.cost8, o)
        f = plus_product(load(batch.f8, o), t, load(work.change8, o))
        e = decay(f)
        share = one / (one + e)
        store(batch.f8, o, f)
        store(batch.r8, o, cost * y * where_positive(y * f, e, one) * share)
        store(work.weight8, o, cost * e * share * share)


@inlined
def _renew_matrix(trials: Trials, training: Training, batch: Batch, work: Work, p: int, settings: Settings) -> None:
    """Factorise the second derivative at theta."""
    d, width, matrix = trials.n_units, trials.width, batch.matrices[p]
    n_chosen = 0
    for i in range(trials.n_trials):
        e = LANES * i + p
        training.chosen[n_chosen] = i
        training.weights[n_chosen] = work.weight8[e]
        n_chosen += batch.cost8[e] > 0.0
    penalty_matrix(trials, batch, p, matrix, settings)
    add_outer(matrix, trials.rows, training.chosen, n_chosen, training.weights, width, training.left, training.right)
    # with all trials far from the boundary the intercept's curvature vanishes
    matrix[d * width + d] += 1e-12 * (matrix[d * width + d] + 1e-12)
    cut(trials, batch, p, matrix)
    factorize(matrix, batch.inverses[p], width)


@inlined
def _conjugate(trials: Trials, batch: Batch, work: Work) -> None:
    """step = natural + beta * last step; beta = 0 after a new matrix or where the step would not descend."""
    zero, top, bottom = spread(0.0), spread(0.0), load(work.square, 0)
    for o in range(0, LANES * trials.width, LANES):
        downhill = load(work.downhill8, o)
        top = plus_product(top, load(work.natural8, o), downhill - load(work.before8, o))
    keep = where_positive(load(work.restart, 0), zero, where_positive(top * bottom, top / bottom, zero))
    along, square = zero, zero
    for o in range(0, LANES * trials.width, LANES):
        downhill, natural = load(work.downhill8, o), load(work.natural8, o)
        step = plus_product(natural, keep, load(work.step8, o))
        square = plus_product(square, natural, downhill)
        along = plus_product(along, step, downhill)
        store(work.step8, o, step)
        store(work.before8, o, downhill)
    keep = where_positive(along, spread(1.0), zero)
    for o in range(0, LANES * trials.width, LANES):
        natural = load(work.natural8, o)
        store(work.step8, o, plus_product(natural, keep, load(work.step8, o) - natural))
    store(work.restart, 0, zero)
    store(work.square, 0, square)
    store(work.along, 0, where_positive(along, along, square))


@inlined
def _line_search(trials: Trials, batch: Batch, work: Work, settings: Settings) -> Any:
    """How far to go: a Newton step on the line, repeated within a bracket where scores change by more than a little.

    Where no score changes by more than 0.3, curvatures change by less than exp(0.3) and one step is enough.
    """
    zero, one, first = spread(0.0), spread(1.0), load(work.along, 0)
    linear, quadratic = penalty_along(trials, batch, batch.theta8, work.step8, settings)
    bend, reach = quadratic, zero
    for o in range(0, LANES * trials.n_trials, LANES):
        change, y = load(work.change8, o), load(batch.y8, o)
        bend = plus_product(bend, load(work.weight8, o) * change, change)
        reach = larger(reach, y * y * larger(change, zero - change))
    t = where_positive(first, first / bend, zero)
    store(work.scratch, 0, t * reach - spread(0.3))
    low, high = zero, spread(1e300)
    for _ in range(60):
        if not _any_positive(work.scratch):
            break
        slope, curvature = _slope_at(trials, batch, work, t, linear, quadratic)
        off = less_product(larger(slope, zero - slope), spread(0.1), first)
        off = where_positive(load(work.scratch, 0), where_positive(first, off, zero), zero)
        store(work.scratch, 0, off)
        low = where_positive(off, where_positive(slope, low, t), low)
        high = where_positive(off, where_positive(slope, t, high), high)
        better = t - slope / curvature
        middle = where_positive(high - spread(1e200), t + t, spread(0.5) * (low + high))
        inside = where_positive(better - low, where_positive(high - better, one, zero), zero)
        t = where_positive(off, where_positive(inside, better, middle), t)
    return t


@inlined
def _any_positive(values: Array) -> bool:
    found = False
    for p in range(LANES):
        found |= values[p] > 0.0
    return found


@inlined
def _slope_at(trials: Trials, batch: Batch, work: Work, t: Any, linear: Any, quadratic: Any) -> tuple[Any, Any]:
    """Slope and curvature of the loss at theta + t step."""
    one = spread(1.0)
    slope, curvature = linear + t * quadratic, quadratic
    for o in range(0, LANES * trials.n_trials, LANES):
        y, change, cost = load(batch.y8, o), load(work.change8, o), load(batch.cost8, o)
        f = plus_product(load(batch.f8, o), t, change)
        e = decay(f)
        share = one / (one + e)
        slope = less_product(slope, cost * y * where_positive(y * f, e, one) * share, change)
        curvature = plus_product(curvature, cost * e * share * share * change, change)
    return slope, curvature
