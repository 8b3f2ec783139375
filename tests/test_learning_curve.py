"""Learning curve and plateau: known answers, oracles, simulated animals, errors."""

import re

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import binom

from piriform.errors import PiriformError
from piriform.learning_curve import learning_curve, plateau_day

# Mouse M260, balanced accuracy of anticipatory licking (Wang et al. 2020): day 1 is 2 October, day 5 is 6 October.
M260_DAY = [1, 3, 4, 5, 7, 8, 9, 10, 11]
M260_ACCURACY = [0.50, 0.50, 0.77, 0.98, 1.00, 1.00, 0.98, 0.98, 1.00]


def animal(rng, *, n_days=18, n_trials=200, base=0.5, top=0.95, midpoint=4.0, width=0.9, day_sd=0.2):
    """Accuracy per day of an animal that learns; day effects in log-odds."""
    day = np.arange(1, n_days + 1)
    p = base + (top - base) * expit((day - midpoint) / width)
    p = expit(logit(p) + day_sd * rng.normal(size=n_days))
    return day, rng.binomial(n_trials, p) / n_trials, np.full(n_days, n_trials)


# Known answers


def test_mouse_m260_reaches_its_plateau_on_the_sixth_of_october():
    found = plateau_day(M260_DAY, M260_ACCURACY, [48] * 9)
    assert (found.day, found.reason) == (5.0, "")
    assert found.curve.base == pytest.approx(0.5, abs=0.03)
    assert found.curve.top == pytest.approx(0.99, abs=0.01)


@pytest.mark.parametrize("n_trials", [39, 44, 48])
@pytest.mark.parametrize("fraction", [0.95, 0.98])
def test_the_plateau_of_m260_does_not_hang_on_details(n_trials, fraction):
    assert plateau_day(M260_DAY, M260_ACCURACY, [n_trials] * 9, fraction=fraction).day == 5


@pytest.mark.parametrize(("width", "first"), [(0.3, 6), (1.0, 9)])
def test_plateau_of_a_noiseless_curve(width, first):
    """With 10^5 trials a day: the first whole day from midpoint + 3.89 width on."""
    day = np.arange(1, 19)
    accuracy = 0.5 + 0.45 * expit((day - 4.2) / width)
    assert np.ceil(4.2 + width * logit(0.98)) == first
    found = plateau_day(day, accuracy, [100_000] * 18)
    assert found.day == first
    assert (found.curve.midpoint, found.curve.width) == pytest.approx((4.2, width), rel=0.03)


def test_a_jump_ends_on_the_day_after_it():
    assert plateau_day([1, 2, 3, 6, 7, 8], [0.5, 0.5, 0.5, 1.0, 1.0, 1.0], [50] * 6).day == 6


# Definition


@pytest.mark.parametrize("seed", range(5))
def test_curve_is_the_likelihood_maximum(seed):
    day, accuracy, n = animal(np.random.default_rng(seed))
    k = accuracy * n

    def loss(theta):
        base, top, midpoint, width = expit(theta[0]), expit(theta[1]), theta[2], np.exp(theta[3])
        return -binom.logpmf(np.round(k), n, base + (top - base) * expit((day - midpoint) / width)).sum()

    curve = learning_curve(day, k, n)
    here = [logit(curve.base), logit(curve.top), curve.midpoint, np.log(curve.width)]
    best = minimize(loss, here, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-8})
    assert loss(here) == pytest.approx(best.fun, abs=0.02)


def test_dispersion_is_pearson_per_degree_of_freedom():
    day, accuracy, n = animal(np.random.default_rng(3), day_sd=0.6)
    curve = learning_curve(day, accuracy * n, n)
    p = curve.at(day)
    assert curve.dispersion == pytest.approx(np.sum(n * (accuracy - p) ** 2 / (p * (1 - p))) / 14, rel=1e-3)
    assert curve.dispersion > 1.5
    assert learning_curve(day, np.round(n * p), n).dispersion == 1.0


# Invariance


def test_order_gaps_and_unknown_days_do_not_matter():
    order = np.random.default_rng(0).permutation(9)
    shuffled = plateau_day(np.array(M260_DAY)[order], np.array(M260_ACCURACY)[order], [48] * 9)
    padded = plateau_day([*M260_DAY, 2, 6], [*M260_ACCURACY, np.nan, 0.1], [48] * 10 + [0])
    assert shuffled.day == padded.day == 5
    assert shuffled.curve == padded.curve


def test_days_shift_with_the_calendar():
    late = plateau_day(np.array(M260_DAY) + 20, M260_ACCURACY, [48] * 9)
    assert late.day == 25


# Simulated animals


def test_plateau_is_found_within_a_day_or_so():
    """True start 4 + 3.89 * 0.9 = 7.5; the latest start is beyond it in about 9 of 10 animals."""
    rng = np.random.default_rng(7)
    found = [plateau_day(*animal(rng)) for _ in range(60)]
    days = np.array([plateau.day for plateau in found])
    assert days.mean() == pytest.approx(8.0, abs=0.4)  # the first whole day from 7.5 on
    assert np.std(days) < 1.3
    assert np.mean([plateau.upper >= 7.5 for plateau in found]) > 0.75


def test_no_plateau_is_seen_where_nothing_is_learned():
    rng = np.random.default_rng(8)
    found = [plateau_day(*animal(rng, base=0.5, top=0.5, n_trials=48, n_days=10)) for _ in range(60)]
    assert np.mean([np.isfinite(plateau.day) for plateau in found]) <= 0.1


@pytest.mark.parametrize(
    ("accuracy", "day", "reason"),
    [
        ([0.5, 0.7, 0.9], np.nan, "outcomes on 3 days; a learning curve needs 4"),
        ([0.5] * 8, np.nan, "did not rise"),
        ([0.5, 0.52, 0.49, 0.51, 0.5, 0.48], np.nan, "did not rise"),
        ([1.0] * 8, 1.0, "already at plateau on the first day"),
        ([0.94, 0.95, 0.93, 0.95, 0.96, 0.94], 1.0, "already at plateau on the first day"),
        ([0.95, 0.9, 0.8, 0.7, 0.6, 0.6], np.nan, "behaviour falls"),
        (np.linspace(0.5, 0.9, 9), np.nan, r"still rises on the last day \(9\)"),
    ],
)
def test_what_is_no_plateau_says_why(accuracy, day, reason):
    found = plateau_day(range(1, len(accuracy) + 1), accuracy, [200] * len(accuracy))
    np.testing.assert_equal(found.day, day)
    assert re.search(reason, found.reason)


def test_a_rise_below_the_smallest_one_does_not_count():
    accuracy = [0.80, 0.80, 0.80, 0.88, 0.88, 0.88, 0.88]
    assert plateau_day(range(7), accuracy, [2000] * 7, min_rise=0.05).day == 3
    assert plateau_day(range(7), accuracy, [2000] * 7, min_rise=0.1).reason == "already at plateau on the first day"


def test_two_sessions_a_day_are_one_day():
    found = plateau_day([1, 1, 2, 2, 3], [0.5, 0.5, 0.9, 0.9, 0.9], [100] * 5)
    assert found.reason == "outcomes on 3 days; a learning curve needs 4"
    assert not found.curve.converged


def test_no_curve_where_accuracy_is_constant():
    curve = learning_curve(range(6), [40] * 6, [50] * 6)
    assert not curve.converged
    assert np.isnan(curve.at(3.0))


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: learning_curve([1, 2], [1], [2, 2]), r"one length; their shapes are \(2,\), \(1,\)"),
        (lambda: learning_curve([1, 2], [1, 9], [5, 5]), "9 correct of 5 trials on day 2"),
        (lambda: plateau_day([1, 2], [0.5], [9, 9]), r"accuracy has shape \(1,\)"),
        (lambda: plateau_day([1], [0.5], [9], fraction=98), "fraction is 98"),
        (lambda: plateau_day([1], [0.5], [9], min_rise=-1), "min_rise is -1"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(PiriformError, match=message):
        call()
