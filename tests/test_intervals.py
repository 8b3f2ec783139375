"""Intervals of proportions: published numbers, an oracle, invariance, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from piriform.errors import PiriformError
from piriform.intervals import mean_interval, wilson_interval


@pytest.mark.parametrize(
    ("k", "n", "ends"), [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611))]
)
def test_wilson_interval_of_newcombe(k, n, ends):
    """Newcombe 1998, Statistics in Medicine 17:857, Table I, method 3."""
    assert wilson_interval(k, n) == pytest.approx(ends, abs=5e-5)


def test_wilson_interval_agrees_with_scipy():
    from scipy.stats import binomtest

    oracle = binomtest(7, 9).proportion_ci(confidence_level=0.9, method="wilson")
    assert wilson_interval(7, 9, level=0.9) == pytest.approx((oracle.low, oracle.high))


def test_mean_interval_by_hand():
    low_a, high_a = wilson_interval(45, 50)
    low_b, high_b = wilson_interval(30, 50)
    down = np.hypot(0.9 - low_a, 0.6 - low_b) / 2
    up = np.hypot(high_a - 0.9, high_b - 0.6) / 2
    assert mean_interval([45, 30], [50, 50]) == pytest.approx((0.75, 0.75 - down, 0.75 + up))


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_interval_holds_the_proportion_and_mirrors(k, n):
    k = min(k, n)
    low, high = wilson_interval(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson_interval(n - k, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(3, 2), "3 of 2 is no proportion"),
        (lambda: wilson_interval(1, 2, level=95), "level is 95"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(PiriformError, match=message):
        call()
