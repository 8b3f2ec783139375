"""How does one step of the interior-point method for the hinge loss go? See :mod:`piriform.solvers.kernels.hinge`."""

from typing import Any, NamedTuple

from piriform.solvers.kernels.batch import (
    LANES,
    Batch,
    Settings,
    downhill8,
    into_lane,
    lane_of,
)
from piriform.solvers.kernels.compile import Array, compiled, inlined
from piriform.solvers.kernels.dense import scores8, solve
from piriform.solvers.kernels.finish import Finish, empty_finish
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

#: How far off its target a product may be after a longer step: its share or inverse.
SPREAD = 0.1


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


@compiled
def measure(trials: Trials, batch: Batch, work: Work) -> None:
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
def direct(trials: Trials, batch: Batch, work: Work, direction: Direction, n: int, settings: Settings) -> None:
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
def aim_at_center(trials: Trials, batch: Batch, work: Work) -> None:
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
def aim_better(trials: Trials, batch: Batch, work: Work) -> None:
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
def take_if_longer(trials: Trials, batch: Batch, work: Work, n: int) -> bool:
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
def move(trials: Trials, batch: Batch, work: Work) -> None:
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
