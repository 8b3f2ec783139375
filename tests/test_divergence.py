"""Neural against behavioural change on one scale: known answers, invariance, errors."""

import numpy as np
import pytest
from scipy.stats import norm

from piriform.divergence import behavior_slope, divergence, relative_slope
from piriform.errors import PiriformError
from piriform.stats import group_mean

DAYS = np.arange(1.0, 11.0)


def test_relative_slope_by_hand():
    assert relative_slope([0, 1, 2], [1.0, 2.0, 3.0], per=1) == pytest.approx(0.5)
    assert relative_slope(DAYS, 3 + 0.06 * (DAYS - 5.5)) == pytest.approx(0.2)
    # weights 1, 1, 2: mean day 1.25, S_xx 2.75, S_xy 5.5, mean value 2.5
    assert relative_slope([0, 1, 2], [0.0, 2.0, 4.0], weights=[1, 1, 2], per=1) == pytest.approx(2 / 2.5)


def test_behavior_slope_of_exponential_growth():
    """d' = 2 exp(.03 day): its logarithm rises by .3 per 10 days; many trials, so that the half count is nothing."""
    accuracy = norm.cdf(np.exp(0.03 * DAYS))
    assert behavior_slope(DAYS, accuracy, np.full(10, 1e9)) == pytest.approx(0.3, abs=1e-6)


def test_behavior_slope_weighs_days_by_trials():
    accuracy, n = np.array([0.8, 0.9, 0.85, 0.9]), np.array([50, 100, 200, 80])
    y = np.log(2 * norm.ppf((accuracy * n + 0.5) / (n + 1)))
    expected = 10 * np.polyfit(DAYS[:4], y, 1, w=np.sqrt(n))[0]
    assert behavior_slope(DAYS[:4], accuracy, n) == pytest.approx(expected)


def test_no_error_on_any_day_stays_finite():
    assert behavior_slope(DAYS, np.ones(10), np.full(10, 100)) == 0.0


def test_days_without_outcome_or_at_chance_are_left_out():
    accuracy, n = np.array([0.8, np.nan, 0.9, 0.4, 0.85]), np.array([100, 0, 100, 100, 100])
    keep = [0, 2, 4]
    assert behavior_slope(DAYS[:5], accuracy, n) == pytest.approx(behavior_slope(DAYS[keep], accuracy[keep], n[keep]))


def test_proportional_growth_does_not_diverge():
    neural = {name: relative_slope(DAYS, scale * np.exp(0.01 * DAYS)) for name, scale in (("a", 1), ("b", 7))}
    acting = {name: behavior_slope(DAYS, norm.cdf(0.9 * np.exp(0.01 * DAYS)), np.full(10, 1e9)) for name in "ab"}
    assert neural["a"] == pytest.approx(neural["b"])
    assert divergence(neural, acting).mean == pytest.approx(0, abs=5e-4)


def test_divergence_is_the_two_stage_t_of_the_differences():
    found = divergence({"a": 0.5, "b": 0.7, "c": 0.2, "x": 9.0}, {"c": 0.1, "a": 0.0, "b": 0.1})
    oracle = group_mean([0.5, 0.6, 0.1])
    assert (found.mean, found.t, found.p, found.n) == pytest.approx((oracle.mean, oracle.t, oracle.p, 3))


def test_too_little():
    assert np.isnan(relative_slope([1, 2], [-1.0, 0.5]))
    assert np.isnan(relative_slope([np.nan], [np.nan]))
    assert np.isnan(relative_slope([3, 3], [1.0, 2.0]))
    assert np.isnan(behavior_slope([1, 2], [0.5, 0.4], [10, 10]))
    assert divergence({"a": 0.1, "b": np.nan}, {"a": 0.0, "b": 0.0}).note == "1 of 2 subjects needed"
    assert np.isnan(divergence({}, {}).p)


def test_errors():
    with pytest.raises(PiriformError, match="no subject in common"):
        divergence({"m1": 0.1}, {"M1": 0.1})
