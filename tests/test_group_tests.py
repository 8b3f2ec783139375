"""Moderated t and Hartung-Knapp: known answers, oracles, invariance, calibration, errors."""

import numpy as np
import pytest

from piriform.errors import PiriformError
from piriform.group_tests import hartung_knapp, moderated_mean, moderated_variance, random_effects
from piriform.stats import group_mean

VALUES = np.array([0.3, 0.1, 0.45, -0.05])
SE = np.array([0.1, 0.2, 0.15, 0.3])


def same(one, other):
    np.testing.assert_allclose(
        [one.mean, one.sd, one.t, one.p, *one.interval], [other.mean, other.sd, other.t, other.p, *other.interval]
    )
    assert one.hedges_g == pytest.approx(other.hedges_g)
    assert one.n == other.n


def test_moderated_without_prior_is_the_two_stage_t():
    same(moderated_mean(VALUES, SE), group_mean(VALUES))


def test_moderated_by_hand():
    """s2 = (3 * 5/3 + 1 * .25) / 4 = 1.3125, t = 2.5 / sqrt(1.3125 / 4) with 4 degrees of freedom."""
    found = moderated_mean([1.0, 2.0, 3.0, 4.0], [0.5] * 4, prior_df=1)
    assert found.sd**2 == pytest.approx(1.3125)
    assert found.t == pytest.approx(2.5 / np.sqrt(1.3125 / 4))
    assert found.interval[1] - found.mean == pytest.approx(2.7764 * np.sqrt(1.3125 / 4), rel=1e-4)


def test_moderated_with_a_large_prior_is_the_z_test_of_the_sampling_error():
    from scipy.stats import norm

    found = moderated_mean(VALUES, [0.2] * 4, prior_df=1e7)
    assert found.p == pytest.approx(norm.sf(VALUES.mean() / 0.1), rel=1e-3)


def test_floor_keeps_the_variance_up():
    found = moderated_mean([0.2, 0.2, 0.2, 0.201], [0.1] * 4, floor=0.5)
    assert found.sd**2 == pytest.approx(0.5 * 0.01)
    assert moderated_mean(VALUES, [1e-6] * 4, floor=0.5).sd == pytest.approx(VALUES.std(ddof=1))


@pytest.mark.parametrize("values", [VALUES, [0.1, 0.9, 1.5, -0.3]])
def test_hartung_knapp_agrees_with_statsmodels(values):
    from statsmodels.stats.meta_analysis import combine_effects

    oracle = combine_effects(np.asarray(values), SE**2, method_re="chi2", use_t=True)
    found = hartung_knapp(values, SE)
    assert found.mean == pytest.approx(oracle.mean_effect_re)
    assert found.sd / 2 == pytest.approx(oracle.sd_eff_w_re_hksj)


def test_hartung_knapp_with_equal_errors_is_the_two_stage_t():
    same(hartung_knapp(VALUES, [0.2] * 4), group_mean(VALUES))


def test_stacks_are_the_single_tests():
    values, se = np.stack([VALUES, VALUES[::-1]]), np.stack([SE, SE])
    mean, variance = random_effects(values, se)
    spread = moderated_variance(values, se, prior_df=2)
    for i in range(2):
        found = hartung_knapp(values[i], se[i])
        assert (mean[i], np.sqrt(4 * variance[i])) == pytest.approx((found.mean, found.sd))
        assert np.sqrt(spread[i]) == pytest.approx(moderated_mean(values[i], se[i], prior_df=2).sd)


def test_units_do_not_matter_and_nan_is_left_out():
    for test in (hartung_knapp, moderated_mean):
        one, other = test(VALUES, SE), test([*(10 * VALUES), np.nan, 3.0], [*(10 * SE), 1.0, np.nan])
        assert (one.t, one.p, one.n) == pytest.approx((other.t, other.p, other.n))


def test_null_rate_of_the_moderated_t():
    """Subjects that change alike: 5% with the true sampling error at any prior; 4,000 studies."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, 4))
    rejected = [moderated_mean(row, [1.0] * 4, prior_df=0).p <= 0.05 for row in values]
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_null_rate_of_the_moderated_t_breaks_where_subjects_differ():
    """tau 3: the reason why it is not the default."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4000, 4)) * np.sqrt(10)
    variance = moderated_variance(values, np.ones((4000, 4)), prior_df=3)
    t = values.mean(axis=1) / np.sqrt(variance / 4)
    assert np.mean(t > 1.943) > 0.09


def test_too_little():
    for test in (hartung_knapp, moderated_mean):
        found = test([0.5, np.nan], [0.1, 0.1])
        assert np.isnan(found.p)
        assert found.note == "1 of 2 subjects needed"
        assert test(VALUES, SE, min_n=5).note == "4 of 5 subjects needed"
        assert "no spread" in test([0.2] * 4, [0.1] * 4).note
    assert np.isnan(hartung_knapp(VALUES, [0.0, 1, 1, 1]).p)
    assert np.isnan(hartung_knapp([], []).mean)


def test_errors():
    with pytest.raises(PiriformError, match="prior_df is -1"):
        moderated_mean(VALUES, SE, prior_df=-1)
    with pytest.raises(PiriformError, match=r"shapes \(4,\) and \(2,\)"):
        hartung_knapp(VALUES, [1.0, 2.0])
