"""Slopes and small-sample tests: known answers, oracles, calibration, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from piriform.errors import PiriformError
from piriform.stats import equivalence, group_mean, holm, smallest_detectable, weighted_slope

VALUES = [0.3, 0.1, 0.45, -0.05]


# Known answers


def test_slope_by_hand():
    fit = weighted_slope([0, 1, 2], [1.0, 2.0, 6.0])  # Sxx = 2, Sxy = 5; residuals .5, -1, .5
    assert (fit.slope, fit.intercept, fit.df, fit.n) == (2.5, 0.5, 1, 3)
    assert fit.se == pytest.approx(np.sqrt(1.5 / 2))


def test_weighted_slope_agrees_with_statsmodels():
    from statsmodels.regression.linear_model import WLS

    rng = np.random.default_rng(1)
    x, y, w = np.sort(rng.uniform(1, 20, 11)), rng.normal(size=11), rng.uniform(0.5, 3, 11)
    fit, oracle = weighted_slope(x, y, weights=w), WLS(y, np.c_[np.ones(11), x], weights=w).fit()
    np.testing.assert_allclose([fit.intercept, fit.slope], oracle.params)
    assert fit.se == pytest.approx(oracle.bse[1])
    np.testing.assert_allclose(fit.interval(), oracle.conf_int()[1])


def test_slope_p_agrees_with_linregress():
    rng = np.random.default_rng(2)
    x, y = np.arange(9.0), rng.normal(size=9)
    assert weighted_slope(x, y).p == pytest.approx(scipy_stats.linregress(x, y, alternative="greater").pvalue)


def test_group_mean_agrees_with_scipy():
    result, oracle = group_mean(VALUES), scipy_stats.ttest_1samp(VALUES, 0, alternative="greater")
    assert (result.t, result.p) == pytest.approx((oracle.statistic, oracle.pvalue))
    two_sided = scipy_stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    np.testing.assert_allclose(result.interval, (two_sided.low, two_sided.high))


@pytest.mark.parametrize(("n", "factor"), [(4, 0.7236), (10, 0.9139)])
def test_hedges_factor(n, factor):
    """J(3) = gamma(1.5)/(sqrt(1.5) gamma(1)) = .7236; J(9) = .9139, close to 1 - 3/(4*9 - 1) = .9143."""
    values = np.linspace(0, 1, n)
    expected = factor * values.mean() / values.std(ddof=1)
    assert group_mean(values).hedges_g == pytest.approx(expected, rel=1e-4)


def test_equivalence_agrees_with_statsmodels():
    from statsmodels.stats.weightstats import DescrStatsW

    values = [0.01, -0.02, 0.03, 0.005]
    result = equivalence(values, bound=0.05)
    assert result.p == pytest.approx(DescrStatsW(values).ttost_mean(-0.05, 0.05)[0])
    np.testing.assert_allclose(result.interval, DescrStatsW(values).tconfint_mean(alpha=0.1))


@pytest.mark.parametrize(("n", "ratio"), [(4, 1.65), (5, 1.36), (6, 1.19), (8, 0.98), (12, 0.77)])
def test_smallest_detectable_of_known_designs(n, ratio):
    """Mean over SD that a one-sided .05 t-test finds with power .8."""
    assert smallest_detectable(1.0, n) == pytest.approx(ratio, abs=0.006)


def test_holm_agrees_with_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.array([0.2, 0.01, 0.03, 0.03, 0.9])
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_smallest_detectable_agrees_with_the_noncentral_t():
    for n, alpha in ((2, 0.01), (3, 0.05), (40, 0.001)):
        shift = smallest_detectable(3.0, n, alpha=alpha, power=0.9) * np.sqrt(n) / 3
        assert scipy_stats.nct.sf(scipy_stats.t.isf(alpha, n - 1), n - 1, shift) == pytest.approx(0.9, abs=1e-6)


# Definition


def test_equivalent_exactly_where_the_interval_lies_inside_the_bounds():
    rng = np.random.default_rng(3)
    answers = set()
    for values in rng.normal(0.02, 0.03, (200, 4)):
        result = equivalence(values, bound=0.05, alpha=0.05)
        inside = max(-result.interval[0], result.interval[1]) <= 0.05
        assert result.equivalent == inside
        answers.add(inside)
    assert answers == {True, False}


def test_smallest_detectable_is_found_with_its_power():
    effect = smallest_detectable(2.0, 5, alpha=0.05, power=0.8)
    studies = np.random.default_rng(4).normal(effect, 2.0, (20_000, 5))
    found = scipy_stats.ttest_1samp(studies, 0, axis=1, alternative="greater").pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.8 * 0.2 / 20_000))


# Invariance


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=8), st.floats(-5, 5), st.floats(0.1, 10))
def test_slope_ignores_shifts_and_follows_scale(y, shift, scale):
    x = np.arange(len(y)) ** 1.5
    plain, moved = weighted_slope(x, y).slope, weighted_slope(x + 7, scale * np.array(y) + shift).slope
    assert moved == pytest.approx(scale * plain, abs=1e-9)


def test_points_without_a_value_or_weight_drop_out():
    fit = weighted_slope([1, 2, 3, 4, 9], [1.0, np.nan, 2.0, 4.0, 50.0], weights=[1, 1, 1, 1, 0])
    assert fit == weighted_slope([1, 3, 4], [1.0, 2.0, 4.0])


def test_p_of_the_group_does_not_depend_on_the_unit():
    a, b = group_mean(VALUES), group_mean(1e-6 * np.array(VALUES))
    assert (a.t, a.p, a.hedges_g) == pytest.approx((b.t, b.p, b.hedges_g))


# Null


def test_two_stage_test_holds_its_level():
    """4 subjects, 10 days, no trend: rejections within 4 standard errors of 5%."""
    rng, n_studies = np.random.default_rng(5), 1500
    day = np.arange(10.0)
    rejected = [
        group_mean([weighted_slope(day, y).slope for y in study]).p <= 0.05
        for study in rng.normal(size=(n_studies, 4, 10))
    ]
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / n_studies))


def test_interval_covers_and_equivalence_holds_its_level_at_the_bound():
    rng, n_studies = np.random.default_rng(6), 3000
    studies = rng.normal(0.05, 0.02, (n_studies, 4))
    covered = [low <= 0.05 <= high for low, high in (group_mean(values).interval for values in studies)]
    assert np.mean(covered) == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / n_studies))
    accepted = [equivalence(values, bound=0.05).equivalent for values in studies]
    assert np.mean(accepted) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / n_studies))


# Too little data


@pytest.mark.parametrize(("x", "y"), [([], []), ([1], [2.0]), ([3, 3, 3], [1.0, 2.0, 3.0]), ([1, 2], [np.nan, 1.0])])
def test_no_slope_without_two_days(x, y):
    fit = weighted_slope(x, y)
    assert np.isnan(fit.slope)
    assert np.isnan(fit.p)
    assert np.isnan(fit.interval()).all()


def test_two_points_have_a_slope_but_no_error():
    fit = weighted_slope([1, 2], [1.0, 3.0])
    assert fit.slope == 2
    assert np.isnan([fit.se, fit.p, *fit.interval()]).all()


def test_constant_values_have_slope_zero_and_no_p():
    fit = weighted_slope(range(5), [0.1] * 5)
    assert (fit.slope, fit.se, fit.interval()) == (0.0, 0.0, (0.0, 0.0))
    assert np.isnan(fit.p)


def test_equal_slopes_give_no_p_out_of_nothing():
    result = group_mean([0.1 + 0.2, 0.3, 0.3])
    assert np.isnan([result.p, result.t, result.hedges_g, *result.interval]).all()
    assert "no spread" in result.note
    flat = equivalence([0.01] * 4, bound=0.05)
    assert (np.isnan(flat.p), flat.equivalent) == (True, False)


def test_slopes_all_zero_give_no_p_either():
    result = group_mean([0.0, 0.0, 0.0])
    assert np.isnan(result.p)
    assert "no spread" in result.note


def test_sampling_error_stands_in_for_the_sd():
    result = equivalence([0.0, 0.0, 0.0, 0.0], bound=0.05, min_sd=0.02)
    assert result.p == pytest.approx(scipy_stats.t.sf(0.05 / 0.01, 3))
    assert result.equivalent
    assert "sampling error" in result.note
    assert group_mean(VALUES, min_sd=0.01) == group_mean(VALUES)
    assert group_mean(VALUES, min_sd=1.0).sd == 1.0


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], [1.0, 2.0]])
def test_too_few_subjects_give_no_test(values):
    result = group_mean(values, min_n=3)
    assert np.isnan(result.p)
    assert result.note == f"{np.isfinite(values).sum()} of 3 subjects needed"


def test_smallest_detectable_needs_a_spread():
    assert np.isnan([smallest_detectable(0.0, 4), smallest_detectable(1.0, 1), smallest_detectable(np.nan, 4)]).all()


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: weighted_slope([1, 2], [1.0]), r"shapes \(2,\), \(1,\)"),
        (lambda: weighted_slope([1, 2], [1.0, 2.0], weights=[1, -1]), "weights must be 0 or more"),
        (lambda: equivalence(VALUES, bound=0), "bound is 0"),
        (lambda: equivalence(VALUES, bound=1, alpha=0.7), "alpha is 0.7"),
        (lambda: smallest_detectable(1, 4, alpha=0), "alpha is 0"),
        (lambda: smallest_detectable(1, 4, power=1), "power is 1"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(PiriformError, match=message):
        call()
