"""Which hyperplane has the least 1/2 |w|^2 + sum_i c_i max(0, 1 - y_i f(x_i))?

An interior-point method (Mehrotra 1992, SIAM J Optim 2:575; correctors of Gondzio 1996, Comput Optim
Appl 6:137) goes on until :mod:`piriform.solvers.kernels.finish` can tell which trials are on the
margin. Per trial: multiplier alpha in [0, c], room = c - alpha, slack s = max(0, y f - 1), excess
e = max(0, 1 - y f). On the way s alpha = e room = mu, and mu goes to 0.
"""

from typing import Any, NamedTuple

from piriform.solvers.kernels.batch import (
    LANES,
    Batch,
    Results,
    Settings,
    assemble,
    close_batch,
    downhill8,
    enter,
    enter_labels,
    into_lane,
    lane_of,
    open_batch,
    set_sizes,
)
from piriform.solvers.kernels.compile import Array, compiled, entry, inlined
from piriform.solvers.kernels.dense import clear, factorize, scores8, solve
from piriform.solvers.kernels.finish import Finish, add_curvature, empty_finish, finish_exactly
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

MAX_STEPS = 80
#: Directions per matrix beyond Mehrotra's, and how far off its target a product may be (its share or inverse).
CORRECTORS, SPREAD = 1, 0.1
#: Curvature of a trial, per unit, below which it is left out of the matrix; the penalty's is 1.
IGNORED = 0.1
#: mu, in units of c, from which on the exact finish is tried.
READY = 1e-4


class Direction(NamedTuple):
    """What the products s alpha and e room are to change by, what follows, and how far one can go (at most 1)."""

    slack_aim: Array
    excess_aim: Array
    alpha: Array
    f: Array
    theta: Array
    length: Array


class Work(NamedTuple):
    """Per trial: alpha, s, e, c as in the module's text, some inverses, and its curvature. Per lane: mu and its target."""

    alpha: Array
    slack: Array
    excess: Array
    cap: Array
    per_alpha: Array
    per_room: Array
    per_slack: Array
    per_excess: Array
    weight: Array
    gradient: Array
    mu: Array
    target: Array
    better: Array
    taken: Direction
    tried: Direction
    finish: Finish


def empty_work(trials: Trials, batch: Batch) -> Work:
    """Return work space."""
    by_trial, by_unit = trials.height * LANES, trials.width * LANES
    directions = [Direction(*[*aligned(4, by_trial), aligned(by_unit), aligned(LANES)]) for _ in range(2)]
    return Work(
        *[
            *aligned(9, by_trial),
            aligned(by_unit),
            *aligned(3, LANES),
            *directions,
            empty_finish(trials.height, trials.width),
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
            open_batch(batch, n)
            folds_of = folds8[min(first // n_lanes, len(folds8) - 1)]
            enter_labels(trials, batch, labels8[first // n_lanes], folds_of, fold, settings)
            for p in range(n):
                enter(trials, training, batch, p, folds[min(first + p, len(folds) - 1)], fold, settings)
                set_sizes(trials, training, batch, p)
                assemble(trials, training, batch, p, 0.25, batch.matrices[p], settings)
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
        _measure(trials, batch, work)
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
        _direct(trials, batch, work, work.taken, n, settings)
        _aim_at_center(trials, batch, work)
        _direct(trials, batch, work, work.taken, n, settings)
        for _ in range(CORRECTORS):
            _aim_better(trials, batch, work)
            _direct(trials, batch, work, work.tried, n, settings)
            if not _take_if_longer(trials, batch, work, n):
                break
        _move(trials, batch, work)


@compiled
def _measure(trials: Trials, batch: Batch, work: Work) -> None:
    """mu, the curvature of each trial, the aim mu = 0, and the trials that seem to be on the margin."""
    zero, one = spread(0.0), spread(1.0)
    sum_mu = count = n_free = zero
    for o in range(0, LANES * trials.n_trials, LANES):
        y, alpha, slack = load(batch.y8, o), load(work.alpha, o), load(work.slack, o)
        excess, cap = load(work.excess, o), load(work.cap, o)
        used, room = y * y, cap - alpha
        per_alpha, per_room = one / alpha, one / room
        store(work.per_alpha, o, per_alpha)
        store(work.per_room, o, per_room)
        store(work.per_slack, o, one / slack)
        store(work.per_excess, o, one / excess)
        store(work.weight, o, used / plus_product(slack * per_alpha, excess, per_room))
        store(work.taken.slack_aim, o, less_product(zero, slack, alpha))
        store(work.taken.excess_aim, o, less_product(zero, excess, room))
        sum_mu, count = plus_product(sum_mu, used, plus_product(slack * alpha, excess, room)), count + used
        free = used * where_positive(
            less_product(alpha, cap, slack), where_positive(less_product(room, cap, excess), one, zero), zero
        )
        store(work.finish.free, o, free)
        n_free = n_free + free
    store(work.mu, 0, spread(0.5) * sum_mu / larger(count, one))
    store(work.finish.n_free, 0, n_free)


@compiled
def _direct(trials: Trials, batch: Batch, work: Work, direction: Direction, n: int, settings: Settings) -> None:
    """Newton's direction for the aims, and how far it can be gone before a multiplier, slack or excess is used up."""
    zero, steepest = spread(0.0), spread(0.99)
    for o in range(0, LANES * trials.n_trials, LANES):
        asked = load(work.weight, o) * _asked(batch, work, direction, o)
        store(batch.r8, o, load(batch.y8, o) * (load(work.alpha, o) + asked))
    downhill8(trials, batch, batch.theta8, work.gradient, settings)
    for p in range(n):
        if not batch.done[p]:
            lane_of(work.gradient, p, batch.column)
            solve(batch.matrices[p], batch.inverses[p], batch.column, trials.width)
            into_lane(batch.column, direction.theta, p)
    scores8(trials.rows, direction.theta, direction.f, trials.n_units + 1, trials.width, trials.height)
    for o in range(0, LANES * trials.n_trials, LANES):
        y, per_alpha, per_room = load(batch.y8, o), load(work.per_alpha, o), load(work.per_room, o)
        alpha = load(work.weight, o) * less_product(_asked(batch, work, direction, o), y, load(direction.f, o))
        store(direction.alpha, o, alpha)
        slack = _slack_change(work, direction, o) * load(work.per_slack, o)
        excess = _excess_change(work, direction, o) * load(work.per_excess, o)
        fastest = larger(larger(less_product(zero, alpha, per_alpha), alpha * per_room), zero - smaller(slack, excess))
        steepest = larger(steepest, y * y * fastest)
    store(direction.length, 0, spread(0.99) / steepest)


@inlined
def _asked(batch: Batch, work: Work, direction: Direction, o: int) -> Any:
    """Change of the multiplier that a trial asks for, per curvature, if the classifier stays."""
    short = less_product(spread(1.0), load(batch.y8, o), load(batch.f8, o))
    aims = less_product(
        load(direction.slack_aim, o) * load(work.per_alpha, o), load(direction.excess_aim, o), load(work.per_room, o)
    )
    return short - load(work.excess, o) + load(work.slack, o) + aims


@inlined
def _slack_change(work: Work, direction: Direction, o: int) -> Any:
    return less_product(load(direction.slack_aim, o), load(work.slack, o), load(direction.alpha, o)) * load(
        work.per_alpha, o
    )


@inlined
def _excess_change(work: Work, direction: Direction, o: int) -> Any:
    return plus_product(load(direction.excess_aim, o), load(work.excess, o), load(direction.alpha, o)) * load(
        work.per_room, o
    )


@compiled
def _aim_at_center(trials: Trials, batch: Batch, work: Work) -> None:
    """Mehrotra's aims: how far one could go straight down tells how much to stay near the center."""
    zero, one, reached, count = spread(0.0), spread(1.0), spread(0.0), spread(0.0)
    t, mu = load(work.taken.length, 0), load(work.mu, 0)
    for o in range(0, LANES * trials.n_trials, LANES):
        alpha, slack, excess, used = load(work.alpha, o), load(work.slack, o), load(work.excess, o), load(batch.y8, o)
        room, used, change = load(work.cap, o) - alpha, used * used, load(work.taken.alpha, o)
        slack_change, excess_change = _slack_change(work, work.taken, o), _excess_change(work, work.taken, o)
        a, b = (
            plus_product(slack, t, slack_change) * plus_product(alpha, t, change),
            plus_product(excess, t, excess_change) * less_product(room, t, change),
        )
        reached, count = plus_product(reached, used, a + b), count + used
        store(work.taken.slack_aim, o, less_product(less_product(zero, slack, alpha), change, slack_change))
        store(work.taken.excess_aim, o, plus_product(less_product(zero, excess, room), change, excess_change))
    ratio = spread(0.5) * reached / larger(count, one) / larger(mu, spread(1e-300))
    target = ratio * ratio * ratio * mu
    store(work.target, 0, target)
    for o in range(0, LANES * trials.n_trials, LANES):
        store(work.taken.slack_aim, o, load(work.taken.slack_aim, o) + target)
        store(work.taken.excess_aim, o, load(work.taken.excess_aim, o) + target)


@compiled
def _aim_better(trials: Trials, batch: Batch, work: Work) -> None:
    """Gondzio's aims: pull the products that a longer step would throw far off back towards the target."""
    zero, one, target = spread(0.0), spread(1.0), load(work.target, 0)
    t = smaller(one, plus_product(spread(0.1), spread(1.5), load(work.taken.length, 0)))
    low, high = spread(SPREAD) * target, target / spread(SPREAD)
    for o in range(0, LANES * trials.n_trials, LANES):
        alpha, change = load(work.alpha, o), load(work.taken.alpha, o)
        room = load(work.cap, o) - alpha
        a = plus_product(load(work.slack, o), t, _slack_change(work, work.taken, o)) * plus_product(alpha, t, change)
        b = plus_product(load(work.excess, o), t, _excess_change(work, work.taken, o)) * less_product(room, t, change)
        back_a = larger(smaller(larger(a, low), high) - a, zero - high)
        back_b = larger(smaller(larger(b, low), high) - b, zero - high)
        store(work.tried.slack_aim, o, load(work.taken.slack_aim, o) + back_a)
        store(work.tried.excess_aim, o, load(work.taken.excess_aim, o) + back_b)


@compiled
def _take_if_longer(trials: Trials, batch: Batch, work: Work, n: int) -> bool:
    """In lanes where the direction tried can be gone further, take it; False if there are none."""
    taken, tried, any_better = work.taken, work.tried, False
    old, new = load(taken.length, 0), load(tried.length, 0)
    better = new - old - spread(0.01)
    store(work.better, 0, better)
    for p in range(n):
        any_better |= work.better[p] > 0.0 and not batch.done[p]
    if any_better:
        store(taken.length, 0, where_positive(better, new, old))
        for o in range(0, LANES * trials.n_trials, LANES):
            store(taken.slack_aim, o, where_positive(better, load(tried.slack_aim, o), load(taken.slack_aim, o)))
            store(taken.excess_aim, o, where_positive(better, load(tried.excess_aim, o), load(taken.excess_aim, o)))
            store(taken.alpha, o, where_positive(better, load(tried.alpha, o), load(taken.alpha, o)))
            store(taken.f, o, where_positive(better, load(tried.f, o), load(taken.f, o)))
        for o in range(0, LANES * trials.width, LANES):
            store(taken.theta, o, where_positive(better, load(tried.theta, o), load(taken.theta, o)))
    return any_better


@compiled
def _move(trials: Trials, batch: Batch, work: Work) -> None:
    """Go along the direction, in lanes that are not done."""
    for p in range(LANES):
        if batch.done[p]:
            work.taken.length[p] = 0.0
    t = load(work.taken.length, 0)
    for o in range(0, LANES * trials.n_trials, LANES):
        used, alpha, f = load(batch.y8, o), load(work.alpha, o), load(batch.f8, o)
        far = used * used * t
        store(work.slack, o, plus_product(load(work.slack, o), far, _slack_change(work, work.taken, o)))
        store(work.excess, o, plus_product(load(work.excess, o), far, _excess_change(work, work.taken, o)))
        store(work.alpha, o, plus_product(alpha, far, load(work.taken.alpha, o)))
        store(batch.f8, o, where_positive(t, plus_product(f, t, load(work.taken.f, o)), f))
    for o in range(0, LANES * trials.width, LANES):
        theta = load(batch.theta8, o)
        store(batch.theta8, o, where_positive(t, plus_product(theta, t, load(work.taken.theta, o)), theta))
