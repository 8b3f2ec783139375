"""The mixed model beside the t-test: known answers, the trap of a zero variance, too little data."""

from types import SimpleNamespace

import numpy as np
import pytest

from piriform.mixed import mixed_slope
from piriform.stats import group_mean, weighted_slope


def lines(slopes, *, n=10, seed=0):
    rng = np.random.default_rng(seed)
    return [(np.arange(1.0, n + 1), 5 + slope * np.arange(n) + rng.normal(size=n)) for slope in slopes]


def test_balanced_days_give_the_two_stage_t():
    """With the same days in all subjects and slopes that differ, REML's t of the mean slope is the two-stage t."""
    series = lines([0.2, 1.5, 2.4, 3.8])
    found, oracle = mixed_slope(series, per=10), group_mean([10 * weighted_slope(*one).slope for one in series])
    assert found.mean == pytest.approx(oracle.mean, rel=1e-6)
    assert found.t == pytest.approx(oracle.t, rel=1e-3)
    np.testing.assert_allclose(found.interval, oracle.interval, rtol=1e-3)
    assert found.p == pytest.approx(oracle.p, rel=1e-3)


def test_levels_and_units_do_not_matter():
    series = lines([0.2, 1.5, 2.4, 3.8])
    moved = [(x + 30, 100 * y + 7 * i) for i, (x, y) in enumerate(series)]
    assert mixed_slope(moved).t == pytest.approx(mixed_slope(series).t, rel=1e-3)


def test_slopes_without_variance_have_no_answer():
    """Deviations that cancel: all subjects have the very same slope."""
    x = np.arange(8.0)
    wave = np.array([1, -1, -1, 1, 1, -1, -1, 1.0])
    found = mixed_slope([(x, 0.5 * x + sign * wave) for sign in (1, -1, 1, -1)])
    assert np.isnan(found.p)
    assert found.note in (
        "MixedLM put the variance of the slopes at 0, where its mean slope cannot be trusted",
        "MixedLM did not converge",
    )


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"fe_params": np.array([0.0])}, "variance of the slopes at 0"),
        ({"cov_re": np.array([[1e-11]])}, "variance of the slopes at 0"),
        ({"converged": False}, "did not converge"),
        ({"bse_fe": np.array([np.nan])}, "no standard error"),
    ],
)
def test_results_that_cannot_be_trusted(monkeypatch, changed, note):
    from statsmodels.regression import mixed_linear_model

    good = {"fe_params": np.ones(1), "bse_fe": np.ones(1), "cov_re": np.ones((1, 1)), "converged": True}
    monkeypatch.setattr(mixed_linear_model.MixedLM, "fit", lambda self, **_: SimpleNamespace(**(good | changed)))
    assert note in mixed_slope(lines([0, 1, 2])).note
    monkeypatch.setattr(mixed_linear_model.MixedLM, "fit", lambda self, **_: SimpleNamespace(**good))
    assert mixed_slope(lines([0, 1, 2])).note == ""


def test_a_fit_that_fails_says_so(monkeypatch):
    from statsmodels.regression import mixed_linear_model

    def fail(self, **_):
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(mixed_linear_model.MixedLM, "fit", fail)
    assert mixed_slope(lines([0, 1, 2])).note == "MixedLM failed: Singular matrix"


def test_too_little():
    assert mixed_slope([]).note == "0 of 2 subjects with 3 different days needed"
    assert mixed_slope(lines([1, 2]), min_n=3).note == "2 of 3 subjects with 3 different days needed"
    assert mixed_slope([(range(5), [1.0] * 5)] * 3).note == "the values of all subjects are constant"
