"""Which hyperplane has the least 1/2 |w|^2 (+ 1/2 b^2) + sum_i c_i max(0, 1 - y_i f(x_i))^2?

Newton's method on the set of trials short of the margin: the loss is quadratic while the set lasts,
so the method ends exactly, after as many steps as the set changes (Keerthi & DeCoste 2005, JMLR 6:341).
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
)
from piriform.solvers.kernels.compile import Array, compiled, entry, inlined
from piriform.solvers.kernels.dense import add_outer, copy, copy_upper, factorize, scores8, solve, sums8
from piriform.solvers.kernels.training import Training
from piriform.solvers.kernels.trials import Trials, aligned
from piriform.solvers.kernels.vector import less_product, load, plus_product, spread, store, where_positive


class Work(NamedTuple):
    """active: trials short of the margin; before8: scores and classifier of the last step; targets: right-hand sides."""

    active: np.ndarray
    f_before8: np.ndarray
    theta_before8: np.ndarray
    gradient8: np.ndarray
    targets: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray
    slope8: np.ndarray


def empty_work(trials: Trials, batch: Batch) -> Work:
    """Return work space."""
    width, height = trials.width, trials.height
    return Work(
        *[
            aligned(height * LANES),
            aligned(height * LANES),
            *aligned(2, width * LANES),
            aligned(LANES, width),
            aligned(width * width),
            aligned(width),
            aligned(2 * LANES),
        ]
    )


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
            open_batch(trials, training, batch, labels8, folds8, folds, first, n, fold, 2.0, settings)
            _minimum(trials, training, batch, work, n, settings)
            close_batch(trials, batch, results, folds, first, n, fold)


@inlined
def _minimum(trials: Trials, training: Training, batch: Batch, work: Work, n: int, settings: Settings) -> None:
    _first_step(trials, batch, work, n)
    for step in range(2, 300):
        moved = False
        if step > 2:
            _shorten(trials, batch, work, n, settings)
        copy(work.f_before8, batch.f8)
        copy(work.theta_before8, batch.theta8)
        _count_crossings(trials, batch, work)
        for p in range(n):
            if not batch.done[p] and work.slope8[p] > 0.0:
                _update_active(trials, training, batch, work, p)
                batch.n_iterations[p] += 1
                _next_point(trials, batch, work, p)
                moved = True
        if moved:
            scores8(trials.rows, batch.theta8, batch.f8, trials.n_units + 1, trials.width, trials.height)
        if (not moved or step % 50 == 0) and _finished(trials, batch, work, n, settings):
            return


@inlined
def _first_step(trials: Trials, batch: Batch, work: Work, n: int) -> None:
    """From theta = 0 with all trials short of the margin: ridge regression of the labels."""
    two = spread(2.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        y = load(batch.y8, o)
        store(batch.r8, o, two * load(batch.cost8, o) * y)
        store(work.active, o, y * y)
    sums8(trials.rows, batch.r8, work.gradient8, trials.width, trials.n_trials)
    for p in range(n):
        lane_of(work.gradient8, p, work.targets[p])
        batch.n_iterations[p] = 1
        _next_point(trials, batch, work, p)
    scores8(trials.rows, batch.theta8, batch.f8, trials.n_units + 1, trials.width, trials.height)


@inlined
def _next_point(trials: Trials, batch: Batch, work: Work, p: int) -> None:
    """Minimum of the quadratic of the present set."""
    width = trials.width
    copy_upper(work.matrix, batch.matrices[p], width)
    cut(trials, batch, p, work.matrix)
    copy(batch.column, work.targets[p])
    for j in range(width):
        batch.column[j] *= batch.alive8[LANES * j + p]
    if not factorize(work.matrix, work.inverse, width):
        batch.done[p] = True
        return
    solve(work.matrix, work.inverse, batch.column, width)
    into_lane(batch.column, batch.theta8, p)


@inlined
def _count_crossings(trials: Trials, batch: Batch, work: Work) -> None:
    """How many trials of each lane are no longer on the side of the margin that they were on."""
    zero, one, count = spread(0.0), spread(1.0), spread(0.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        y = load(batch.y8, o)
        now = where_positive(less_product(one, y, load(batch.f8, o)), y * y, zero)
        moved = now - load(work.active, o)
        count = plus_product(count, moved, moved)
    store(work.slope8, 0, count)


@inlined
def _update_active(trials: Trials, training: Training, batch: Batch, work: Work, p: int) -> None:
    """Move trials that crossed the margin in or out of the set."""
    width, n_changed = trials.width, 0
    for i in range(trials.n_trials):
        e = LANES * i + p
        now = (batch.y8[e] * batch.f8[e] < 1.0) & (batch.cost8[e] > 0.0)
        training.chosen[n_changed], training.weights[n_changed] = i, (4.0 * now - 2.0) * batch.cost8[e]
        n_changed += now != (work.active[e] > 0.0)
        work.active[e] = now
    target = work.targets[p]
    for q in range(n_changed):
        i = training.chosen[q]
        a = spread(training.weights[q] * batch.y8[LANES * i + p])
        for j in range(0, width, 8):
            store(target, j, plus_product(load(target, j), a, load(trials.rows, i * width + j)))
    add_outer(
        batch.matrices[p],
        trials.rows,
        training.chosen,
        n_changed,
        training.weights,
        width,
        training.left,
        training.right,
    )


@inlined
def _finished(trials: Trials, batch: Batch, work: Work, n: int, settings: Settings) -> bool:
    """Compare the gradient with the tolerance; where it is larger, rounding calls for one more step."""
    _slopes_of_trials(trials, batch)
    downhill8(trials, batch, batch.theta8, work.gradient8, settings)
    open_lanes = 0
    for p in range(n):
        if not batch.done[p] and batch.worst8[p] <= settings.tol:
            batch.done[p] = batch.converged[p] = True
        if not batch.done[p]:
            open_lanes += 1
            copy_upper(work.matrix, batch.matrices[p], trials.width)
            cut(trials, batch, p, work.matrix)
            lane_of(work.gradient8, p, batch.column)
            factorize(work.matrix, work.inverse, trials.width)
            solve(work.matrix, work.inverse, batch.column, trials.width)
            for j in range(trials.width):
                batch.theta8[LANES * j + p] += batch.column[j]
    if open_lanes > 0:
        scores8(trials.rows, batch.theta8, batch.f8, trials.n_units + 1, trials.width, trials.height)
    return open_lanes == 0


@inlined
def _slopes_of_trials(trials: Trials, batch: Batch) -> None:
    one, two, zero = spread(1.0), spread(2.0), spread(0.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        y = load(batch.y8, o)
        short = less_product(one, y, load(batch.f8, o))
        store(batch.r8, o, two * load(batch.cost8, o) * y * where_positive(short, short, zero))


@inlined
def _shorten(trials: Trials, batch: Batch, work: Work, n: int, settings: Settings) -> None:
    """Where the last step overshot the minimum along its line, go back to that minimum."""
    for o in range(0, LANES * trials.width, LANES):
        store(work.gradient8, o, load(batch.theta8, o) - load(work.theta_before8, o))
    linear8, quadratic8 = penalty_along(trials, batch, work.theta_before8, work.gradient8, settings)
    start, end = _slopes_along(trials, batch, work)
    store(work.slope8, 0, linear8 + start)
    store(work.slope8, LANES, linear8 + quadratic8 + end)
    for p in range(n):
        if work.slope8[LANES + p] > 0.1 * abs(work.slope8[p]) and not batch.done[p]:
            store(work.slope8, 0, linear8)
            store(work.slope8, LANES, quadratic8)
            t = _exact_step(trials, batch, work, p, work.slope8[LANES + p], work.slope8[p])
            store(work.slope8, 0, linear8 + start)
            store(work.slope8, LANES, linear8 + quadratic8 + end)
            for e in range(p, LANES * trials.width, LANES):
                batch.theta8[e] = work.theta_before8[e] + t * (batch.theta8[e] - work.theta_before8[e])
            for e in range(p, LANES * trials.n_trials, LANES):
                batch.f8[e] = work.f_before8[e] + t * (batch.f8[e] - work.f_before8[e])


@inlined
def _slopes_along(trials: Trials, batch: Batch, work: Work) -> tuple[Any, Any]:
    """Slope of the loss along the last step, at its start and at its end."""
    one, two, zero, start, end = spread(1.0), spread(2.0), spread(0.0), spread(0.0), spread(0.0)
    for o in range(0, LANES * trials.n_trials, LANES):
        y, f, before = load(batch.y8, o), load(batch.f8, o), load(work.f_before8, o)
        weight = two * load(batch.cost8, o) * y * (before - f)
        start = plus_product(
            start, weight, where_positive(less_product(one, y, before), less_product(one, y, before), zero)
        )
        end = plus_product(end, weight, where_positive(less_product(one, y, f), less_product(one, y, f), zero))
    return start, end


@compiled
def _exact_step(trials: Trials, batch: Batch, work: Work, p: int, quadratic: float, linear: float) -> float:
    """The t in (0, 1) at which the loss along the last step of lane p is least."""
    low, high, t, first = 0.0, 1.0, 0.5, 0.0
    for attempt in range(60):
        value, curvature = linear + t * quadratic, quadratic
        for e in range(p, LANES * trials.n_trials, LANES):
            change = batch.y8[e] * (work.f_before8[e] - batch.f8[e])
            short = 1.0 - batch.y8[e] * work.f_before8[e] + t * change
            if short > 0:
                value += 2 * batch.cost8[e] * short * change
                curvature += 2 * batch.cost8[e] * change * change
        first = abs(value) if attempt == 0 else first
        if abs(value) <= 1e-3 * first:
            return t
        low, high = (t, high) if value < 0 else (low, t)
        t -= value / curvature
        if not low < t < high:
            t = 0.5 * (low + high)
    return t
