"""Did accuracy change in a step, or would smooth growth give the same counts?

The smooth model is a line in log-odds with day effects, the step model has one accuracy before and one
from a change day on. Their likelihood ratio is compared with that of studies drawn from the smooth fit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit, xlogy

from piriform.errors import PiriformError

MIN_SIDE = 2  # days with trials that a step needs before and after it: one odd day is no step
MIN_DAYS = 2 * MIN_SIDE
FASTEST_RISE = 3.0  # days from 10% to 90%: growth that is faster counts as a step, not as smooth
STEEPEST = 2 * float(logit(0.9)) / FASTEST_RISE
_FITTED = 5  # parameters of two lines, and the day between them
_ITERATIONS = 40
_HALVINGS = 8
_RIDGE = 1e-6
_TOLERANCE = 1e-7  # of log-likelihood
_LARGEST = 60.0  # log-odds; for stimuli that are never, or always, right
_ROWS = 20_000  # rows fitted at once, so that they stay in the processor's cache


@dataclass(frozen=True)
class StepTest:
    """The test of each stimulus; every field but the last two is an array (n_stimuli,).

    ``position`` is the index of the change day: ``before`` is the accuracy on the days below it,
    ``after`` from it on; where no step goes up both are the mean. ``intercept``, ``slope`` and ``mean_day``
    give the smooth fit, ``logit p(d) = intercept + slope (d - mean_day)``. ``statistic`` is the log-likelihood of
    the best step minus that of the smooth fit; ``p`` is NaN where ``reason`` says why there is no test. ``sd_days`` is the SD of the
    day effects, in log-odds.
    """

    position: np.ndarray
    before: np.ndarray
    after: np.ndarray
    intercept: np.ndarray
    slope: np.ndarray
    mean_day: np.ndarray
    statistic: np.ndarray
    p: np.ndarray
    reason: np.ndarray
    sd_days: float
    n_bootstrap: int


def step_test(day: Any, n_correct: Any, n_trials: Any, *, n_bootstrap: int, rng: np.random.Generator) -> StepTest:
    """Test, for each stimulus, a step up in accuracy against smooth growth.

    Null: ``logit p(d) = a + b (d - mean d) + sd z`` with ``z`` standard normal, one for each stimulus and
    day, and ``b`` no steeper than a rise from 10% to 90% in ``FASTEST_RISE`` days. Step: ``p1`` before day
    ``tau``, ``p2 >= p1`` from ``tau`` on, at least two days with trials on either side. Statistic:
    ``Lambda = max_tau logL(step) - logL(smooth)``, binomial likelihoods. ``p = (b + 1) / (m + 1)``, where
    ``b`` of ``m`` sets of counts drawn from the stimulus's smooth fit, day effects included, reach it.

    Parameters
    ----------
    day : (n_days,) array, increasing; days need not follow one another
    n_correct, n_trials : (n_stimuli, n_days) arrays
        Counts; 0 trials on a day without the stimulus.
    n_bootstrap : draws from the smooth fit
    rng : source of the draws

    Returns
    -------
    StepTest
        ``p`` is uniform or larger under smooth growth. It is NaN, with the reason, below four days
        with trials and where all trials are right or all wrong.

    Examples
    --------
    >>> n = np.full((1, 8), 20)
    >>> found = step_test(range(1, 9), [[4, 5, 3, 4, 18, 19, 18, 18]], n, n_bootstrap=199, rng=np.random.default_rng(1))
    >>> int(found.position[0]), found.before[0].item(), found.after[0].item(), bool(found.p[0] <= 0.05)
    (4, 0.2, 0.9125, True)
    """
    day, k, n = _checked(day, n_correct, n_trials)
    reason = _untestable(k, n)
    x = _centred(day, n)
    coefficients, smooth = best_line(x, k, n)
    position, before, after, step = best_step(k, n)
    able = reason == ""
    sd = day_sd(x[able], k[able], n[able], position[able])
    statistic = np.where(able, step - smooth, np.nan)
    p = np.full(len(k), np.nan)
    p[able] = _p_values(x[able], n[able], coefficients[able], statistic[able], sd=sd, n_draws=n_bootstrap, rng=rng)
    a, b = coefficients.T
    mean_day = day[0] - x[:, 0]
    return StepTest(position, before, after, a, b, mean_day, statistic, p, reason, sd, n_bootstrap)


def day_sd(x: np.ndarray, k: np.ndarray, n: np.ndarray, position: np.ndarray) -> float:
    """Return the SD of the day effects, in log-odds, from Pearson residuals pooled over stimuli.

    A day effect of SD s makes the variance of a count ``npq (1 + (n - 1) p q s^2)``. Residuals are taken
    from a line in log-odds on either side of each stimulus's best step, which fits smooth growth and steps
    alike, and are enlarged for its five parameters. 0 where the counts of all stimuli together vary no more than
    binomial ones.

    Parameters
    ----------
    x, k, n : (n_stimuli, n_days) arrays
        Centred days, correct trials, trials.
    position : (n_stimuli,) index of the first day after the step
    """
    late = np.arange(x.shape[1]) >= position[:, None]
    p = np.zeros(x.shape)
    for side in (late, ~late):
        theta = best_line(x, k * side, n * side)[0]
        p = np.where(side, expit(theta[:, :1] + theta[:, 1:] * x), p)
    n_days = (n > 0).sum(axis=1, keepdims=True)
    spare = np.maximum(n_days - _FITTED, 0)
    excess = np.where(spare > 0, n_days / np.maximum(spare, 1) * (k - n * p) ** 2 - n * p * (1 - p), 0.0)
    room = np.where(spare > 0, n * (n - 1) * (p * (1 - p)) ** 2, 0.0).sum()
    return float(np.sqrt(max(excess.sum() / room, 0.0))) if room > 0 else 0.0


def _checked(day: Any, n_correct: Any, n_trials: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    day, k, n = (np.asarray(values, dtype=float) for values in (day, n_correct, n_trials))
    if not (day.ndim == 1 and k.ndim == 2 and k.shape == n.shape == (len(k), len(day))):
        raise PiriformError(
            f"step_test: expected n_correct and n_trials of shape (n_stimuli, {day.size} days), got {k.shape} and {n.shape}"
        )
    if not (np.diff(day) > 0).all():
        raise PiriformError("step_test: days must increase, none missing or twice")
    bad = ~((n >= 0) & (k >= 0) & (k <= n) & (n == np.round(n)) & (k == np.round(k)))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise PiriformError(f"step_test: {k[i, j]:g} correct of {n[i, j]:g} trials on day {day[j]:g} is no count")
    return day, k, n


def _untestable(k: np.ndarray, n: np.ndarray) -> np.ndarray:
    n_days, right, shown = (n > 0).sum(axis=1), k.sum(axis=1), n.sum(axis=1)
    reason = np.full(len(k), "", dtype=object)
    reason[right == shown] = "right on every trial"
    reason[right == 0] = "wrong on every trial"
    for few in np.unique(n_days[n_days < MIN_DAYS]):
        reason[n_days == few] = f"trials on {few} days; a step needs {MIN_DAYS}"
    return reason


def _centred(day: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Days from the mean day of each stimulus's trials, (n_stimuli, n_days)."""
    return day - (n @ day / np.maximum(n.sum(axis=1), 1))[:, None]


def _p_values(
    x: np.ndarray, n: np.ndarray, coefficients: np.ndarray, statistic: np.ndarray, *, sd: float, n_draws: int, rng: Any
) -> np.ndarray:
    """Share of counts drawn from each smooth fit whose statistic is as large, the observed one among them."""
    p = np.full(len(x), np.nan)
    at_once = max(_ROWS // max(n_draws, 1), 1)
    for first in range(0, len(x), at_once):
        part = slice(first, first + at_once)
        shape = (len(x[part]), n_draws, x.shape[1])
        eta = (coefficients[part, :1] + coefficients[part, 1:] * x[part])[:, None]
        right = expit(eta + sd * rng.standard_normal(shape))
        shown = np.broadcast_to(n[part, None], shape)
        k = rng.binomial(shown.astype(np.int64), right).astype(float)
        flat = [np.broadcast_to(values, shape).reshape(-1, shape[2]) for values in (x[part, None], k, shown)]
        drawn = (
            best_step(flat[1], flat[2])[3] - best_line(*flat, start=np.repeat(coefficients[part], n_draws, axis=0))[1]
        )
        reached = drawn.reshape(shape[:2]) >= statistic[part, None] - _TOLERANCE
        p[part] = (reached.sum(axis=1) + 1) / (n_draws + 1)
    return p


def best_line(
    x: np.ndarray, k: np.ndarray, n: np.ndarray, *, start: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Best line in log-odds of each row: (n_rows, 2) intercept and slope, and the log-likelihood.

    The likelihood is concave: where the best slope is steeper than allowed, the steepest allowed is best.
    """
    theta, value = _climb(x, k, n, np.zeros((len(k), 2)) if start is None else start.copy(), sloped=True)
    steep = np.abs(theta[:, 1]) > STEEPEST
    if steep.any():
        bounded = theta[steep] * (STEEPEST / np.abs(theta[steep, 1:]))
        theta[steep], value[steep] = _climb(x[steep], k[steep], n[steep], bounded, sloped=False)
    return theta, value


def _climb(
    x: np.ndarray, k: np.ndarray, n: np.ndarray, theta: np.ndarray, *, sloped: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method on all rows at once; a step that does not climb is halved, rows that have arrived rest."""
    value = _log_likelihood(theta, x, k, n)
    rows = np.arange(len(k))
    for _ in range(_ITERATIONS):
        part = (x[rows], k[rows], n[rows])
        move = _newton_move(theta[rows], *part, sloped=sloped)
        trial = np.clip(theta[rows] + move, -_LARGEST, _LARGEST)
        reached = _log_likelihood(trial, *part)
        for _ in range(_HALVINGS):
            down = np.flatnonzero(~(reached >= value[rows]))
            if not down.size:
                break
            trial[down] = (trial[down] + theta[rows[down]]) / 2
            reached[down] = _log_likelihood(trial[down], *(array[down] for array in part))
        better = reached > value[rows]
        onward = reached > value[rows] + _TOLERANCE
        theta[rows[better]], value[rows[better]] = trial[better], reached[better]
        rows = rows[onward]
        if not rows.size:
            break
    return theta, value


def _newton_move(theta: np.ndarray, x: np.ndarray, k: np.ndarray, n: np.ndarray, *, sloped: bool) -> np.ndarray:
    p = expit(theta[:, :1] + theta[:, 1:] * x)
    score, weight = k - n * p, n * p * (1 - p)
    g0, g1 = score.sum(axis=1), (score * x).sum(axis=1)
    h00, h01, h11 = weight.sum(axis=1) + _RIDGE, (weight * x).sum(axis=1), (weight * x * x).sum(axis=1) + _RIDGE
    if not sloped:
        return np.column_stack([g0 / h00, np.zeros(len(g0))])
    determinant = h00 * h11 - h01**2
    return np.column_stack([h11 * g0 - h01 * g1, h00 * g1 - h01 * g0]) / determinant[:, None]


def _log_likelihood(theta: np.ndarray, x: np.ndarray, k: np.ndarray, n: np.ndarray) -> np.ndarray:
    eta = theta[:, :1] + theta[:, 1:] * x
    return (k * eta - n * np.logaddexp(0.0, eta)).sum(axis=1)


def best_step(k: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Best step up of each row: position, accuracy before and after, log-likelihood.

    Of all days with trials that have ``MIN_SIDE`` such days before them, and as many from them on; where none goes
    up, the constant.
    """
    k1, n1 = k.cumsum(axis=1)[:, :-1], n.cumsum(axis=1)[:, :-1]
    k_all, n_all = k.sum(axis=1, keepdims=True), n.sum(axis=1, keepdims=True)
    k2, n2 = k_all - k1, n_all - n1
    p1, p2 = k1 / np.maximum(n1, 1), k2 / np.maximum(n2, 1)
    shown = (n > 0).cumsum(axis=1)
    allowed = (n[:, 1:] > 0) & (shown[:, :-1] >= MIN_SIDE) & (shown[:, -1:] - shown[:, :-1] >= MIN_SIDE) & (p2 >= p1)
    value = np.where(allowed, _binomial(k1, n1, p1) + _binomial(k2, n2, p2), -np.inf)

    rows, best, flat = np.arange(len(k)), value.argmax(axis=1), ~allowed.any(axis=1)
    p = k_all[:, 0] / np.maximum(n_all[:, 0], 1)
    constant = _binomial(k_all, n_all, p[:, None])[:, 0]
    pick = [np.where(flat, p, part[rows, best]) for part in (p1, p2)]
    return best + 1, pick[0], pick[1], np.where(flat, constant, value[rows, best])


def _binomial(k: np.ndarray, n: np.ndarray, p: np.ndarray) -> np.ndarray:
    return xlogy(k, p) + xlogy(n - k, 1 - p)
