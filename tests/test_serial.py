"""Lines through days that are alike: known answers, oracles, invariance, calibration, errors."""

import numpy as np
import pytest

from piriform.errors import PiriformError
from piriform.serial import (
    autocorrelation,
    expected_autocorrelation,
    residual_autocorrelation,
    serial_fits,
    serial_slope,
    solved_rho,
)
from piriform.stats import weighted_slope

GAPS = np.array([1.0, 2.0, 3.0, 6.0, 7.0, 9.0, 10.0, 14.0])
Y = np.array([0.3, 0.5, 0.1, 0.9, 0.8, 1.4, 0.7, 1.5])


def ar1(rng, shape, rho):
    noise = rng.normal(size=shape)
    for i in range(1, shape[-1]):
        noise[..., i] = rho * noise[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return noise


# Known answers and definitions


def test_without_correlation_it_is_least_squares():
    fit, oracle = serial_slope(GAPS, Y, rho=0.0), weighted_slope(GAPS, Y)
    assert (fit.slope, fit.intercept, fit.se) == pytest.approx((oracle.slope, oracle.intercept, oracle.se))
    assert (fit.df, fit.n, fit.rho) == (6, 8, 0.0)
    assert fit.p == pytest.approx(oracle.p)


@pytest.mark.parametrize("rho", [0.2, 0.7])
def test_agrees_with_statsmodels_gls_across_gaps(rho):
    from statsmodels.regression.linear_model import GLS

    fit = serial_slope(GAPS, Y, rho=rho)
    oracle = GLS(Y, np.c_[np.ones(8), GAPS], sigma=rho ** np.abs(GAPS[:, None] - GAPS)).fit()
    np.testing.assert_allclose([fit.intercept, fit.slope, fit.se], [*oracle.params, oracle.bse[1]])
    np.testing.assert_allclose(fit.interval(), oracle.conf_int()[1])


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_weights_divide_the_variance_of_each_day(rho):
    from statsmodels.regression.linear_model import GLS

    weights = np.array([3.0, 1.0, 8.0, 2.0, 2.0, 5.0, 1.0, 4.0])
    cov = rho ** np.abs(GAPS[:, None] - GAPS) / np.sqrt(weights[:, None] * weights)
    oracle = GLS(Y, np.c_[np.ones(8), GAPS], sigma=cov).fit()
    shuffled = np.array([4, 0, 7, 2, 1, 3, 6, 5])
    fit = serial_slope(GAPS[shuffled], Y[shuffled], weights=7 * weights[shuffled], rho=rho)
    np.testing.assert_allclose([fit.intercept, fit.slope, fit.se], [*oracle.params, oracle.bse[1]])
    if rho == 0:
        plain = weighted_slope(GAPS, Y, weights=weights)
        assert (fit.slope, fit.se) == pytest.approx((plain.slope, plain.se))


def test_residual_autocorrelation_by_definition():
    residual = Y - np.polyval(np.polyfit(GAPS, Y, 1), GAPS)
    expected = np.sum(residual[1:] * residual[:-1]) / np.sum(residual**2)
    assert residual_autocorrelation(GAPS, Y) == pytest.approx(expected)


@pytest.mark.parametrize(("rho", "index"), [(0.0, 0), (0.5, 20)])
def test_expected_autocorrelation_agrees_with_simulation(rho, index):
    """The bias that Kendall and Marriott & Pope describe: -.2 on 10 days at rho 0."""
    days = np.arange(10.0)
    seen = residual_autocorrelation(
        np.broadcast_to(days, (40_000, 10)), ar1(np.random.default_rng(0), (40_000, 10), rho)
    )
    assert expected_autocorrelation(days)[index] == pytest.approx(seen.mean(), abs=4 * seen.std() / 200)
    if rho == 0:
        assert expected_autocorrelation(days)[0] == pytest.approx(-0.2, abs=0.01)


def test_expected_autocorrelation_without_correlation_by_trace():
    """At rho 0 the ratio is independent of its denominator: sum M_(i,i+1) / (n - 2)."""
    design = np.c_[np.ones(8), GAPS]
    maker = np.eye(8) - design @ np.linalg.pinv(design)
    assert expected_autocorrelation(GAPS)[0] == pytest.approx(np.trace(maker, offset=1) / 6, abs=1e-6)


def test_rho_is_solved_on_a_line_between_grid_points():
    expected = expected_autocorrelation(np.arange(12.0))
    assert np.all(np.diff(expected) > 0)
    assert solved_rho(expected[8], expected) == pytest.approx(0.2)
    assert solved_rho((expected[8] + expected[9]) / 2, expected) == pytest.approx(0.2125)
    assert (solved_rho(-0.9, expected), solved_rho(0.99, expected)) == (0.0, 0.95)


def test_days_far_apart_say_nothing_about_rho():
    """Where every rho expects the same, none is taken for found, and nothing is divided by zero."""
    assert np.isfinite(solved_rho(0.3, np.full_like(expected_autocorrelation(np.arange(6.0)), -0.2)))
    series = [(10.0 ** np.arange(6), np.array([0.0, 1.0, 0.5, 2.0, 1.5, 3.0]))] * 4
    assert 0 <= autocorrelation(series) < 1


# Invariance


def test_order_units_and_missing_points_do_not_matter():
    fit = serial_slope(GAPS, Y, rho=0.4)
    order = np.random.default_rng(3).permutation(8)
    shuffled = serial_slope(np.r_[GAPS[order], 20.0], np.r_[Y[order], np.nan], rho=0.4)
    assert (shuffled.slope, shuffled.se) == pytest.approx((fit.slope, fit.se))
    scaled = serial_slope(GAPS + 100, 2 * Y - 5, rho=0.4, per=10)
    assert (scaled.slope, scaled.se) == pytest.approx((20 * fit.slope, 20 * fit.se))
    assert autocorrelation([(GAPS, Y)]) == pytest.approx(autocorrelation([(GAPS + 7, 1 - 3 * Y + 0.2 * GAPS)]))


def test_stacked_fits_are_the_single_ones():
    day = np.full((2, 8), np.nan)
    y = day.copy()
    day[0], y[0], day[1, :5], y[1, :5] = GAPS, Y, GAPS[:5], Y[:5]
    slope, intercept, se = serial_fits(day, y, np.array([0.3, 0.6]))
    for i, (n, rho) in enumerate(((8, 0.3), (5, 0.6))):
        fit = serial_slope(GAPS[:n], Y[:n], rho=rho)
        assert (slope[i], intercept[i], se[i]) == pytest.approx((fit.slope, fit.intercept, fit.se))


def test_two_sessions_of_one_day_count_as_a_day_apart():
    tied, apart = (
        serial_slope([1, 1, 2, 3], [0.0, 1, 1, 3], rho=0.5),
        serial_slope([1, 2, 3, 4], [0.0, 1, 1, 3], rho=0.5),
    )
    assert np.isfinite([tied.slope, tied.se]).all()
    assert tied.slope != pytest.approx(apart.slope)  # the line keeps the true days, only the correlation does not


# Null


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_common_rho_is_nearly_unbiased_with_many_subjects(rho):
    y = ar1(np.random.default_rng(5), (1500, 10), rho)
    assert autocorrelation([(np.arange(10.0), row) for row in y]) == pytest.approx(rho, abs=0.06)


def test_false_alarms_of_one_subject_fall_where_days_are_alike():
    """rho .6: independent days reject in about 18%; with the rho of four subjects it is about 6%."""
    y, days = ar1(np.random.default_rng(6), (400, 4, 11), 0.6), np.arange(11.0)
    p = []
    for study in y:
        rho = autocorrelation([(days, row) for row in study])
        p += [serial_slope(days, row, rho=rho).p for row in study]
    naive = [weighted_slope(days, row).p for study in y for row in study]
    assert np.mean(np.array(naive) <= 0.05) > 0.14
    assert np.mean(np.array(p) <= 0.05) < 0.05 + 0.045


# Too little, and errors


def test_too_little_gives_nan():
    assert np.isnan(serial_slope([2, 2], [1.0, 3.0]).slope)
    assert np.isnan(serial_slope([], []).slope)
    two = serial_slope([1, 2], [1.0, 3.0])
    assert (two.slope, two.df) == (2.0, 0)
    assert np.isnan(two.se)
    assert np.isnan(two.p)
    assert np.isnan(autocorrelation([([1, 2, 3], [1.0, 5.0, 2.0])]))
    assert np.isnan(autocorrelation([(range(6), range(6))]))
    assert np.isnan(autocorrelation([]))


def test_unknown_rho_counts_as_none():
    fit = serial_slope(GAPS, Y, rho=np.nan)
    assert fit.se == pytest.approx(weighted_slope(GAPS, Y).se)
    assert np.isnan(fit.rho)


def test_constant_values_have_slope_zero():
    fit = serial_slope(range(6), [0.1] * 6)
    assert (fit.slope, fit.se, fit.intercept) == (0.0, 0.0, 0.1)


def test_errors():
    for rho in (1.0, -0.1):
        with pytest.raises(PiriformError, match=f"rho is {rho:g}"):
            serial_slope(GAPS, Y, rho=rho)
    with pytest.raises(PiriformError, match="per is 0"):
        serial_slope(GAPS, Y, per=0)
    with pytest.raises(PiriformError, match=r"shapes \(8,\) and \(3,\)"):
        serial_slope(GAPS, Y[:3])
    with pytest.raises(PiriformError, match="weights must be above 0"):
        serial_slope(GAPS, Y, weights=np.arange(8))
