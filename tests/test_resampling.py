"""Wild and hierarchical bootstraps: known answers, oracles, invariance, calibration, errors."""

from itertools import product

import numpy as np
import pytest

from piriform.errors import PiriformError
from piriform.resampling import WEIGHTS, family_test, hierarchical_bootstrap, wild_bootstrap
from piriform.stats import group_mean

VALUES = np.array([0.3, 0.1, 0.45, -0.05])


def line(rng, n, slope=0.0):
    return np.arange(float(n)), rng.normal(size=n) + slope * np.arange(n)


def test_webb_weights_have_mean_0_and_variance_1():
    for points in WEIGHTS.values():
        assert points.mean() == pytest.approx(0, abs=1e-12)
        assert np.mean(points**2) == pytest.approx(1)
    np.testing.assert_allclose(sorted(WEIGHTS["webb"] ** 2), [0.5, 0.5, 1, 1, 1.5, 1.5])


@pytest.mark.parametrize("weights", ["webb", "sign"])
def test_wild_bootstrap_by_definition(weights):
    observed = group_mean(VALUES).t
    drawn = [group_mean(VALUES * np.array(w)).t for w in product(WEIGHTS[weights], repeat=4)]
    assert wild_bootstrap(VALUES, weights=weights).p == pytest.approx(np.mean(np.array(drawn) >= observed - 1e-9))


def test_smallest_p():
    sign, webb = (wild_bootstrap([1.0, 1.01, 1.02, 1.03], weights=w) for w in ("sign", "webb"))
    assert sign.p == sign.smallest_p == 1 / 16
    assert (webb.smallest_p, webb.n_draws) == (3 / 1296, 1296)
    assert webb.smallest_p <= webb.p < 0.05


def test_family_of_one_metric_is_the_wild_bootstrap():
    found = family_test(VALUES[:, None])
    assert (found.p[0], found.t[0]) == pytest.approx((wild_bootstrap(VALUES).p, group_mean(VALUES).t))


def test_family_by_definition():
    slopes = np.random.default_rng(4).normal(size=(4, 3)) + 0.8
    found = family_test(slopes, weights="sign")
    flips = np.array(list(product([1, -1], repeat=4)))
    largest = [max(group_mean(column).t for column in (slopes * w[:, None]).T) for w in flips]
    np.testing.assert_allclose(found.p, [np.mean(np.array(largest) >= t - 1e-9) for t in found.t])


def test_copies_of_a_metric_cost_nothing_and_more_metrics_cost_something():
    one = family_test(VALUES[:, None]).p[0]
    assert family_test(np.c_[VALUES, 3 * VALUES]).p == pytest.approx([one, one])
    assert family_test(np.c_[VALUES, np.random.default_rng(0).normal(size=(4, 5))]).p[0] > one


def test_metric_without_spread_or_subjects_does_not_count():
    slopes = np.c_[VALUES, np.full(4, 0.2), [np.nan, np.nan, np.nan, 1.0]]
    found = family_test(slopes)
    assert found.p[0] == pytest.approx(family_test(VALUES[:, None]).p[0])
    assert np.isnan(found.p[1:]).all()


def test_subject_without_one_metric_still_counts_in_the_others():
    slopes = np.c_[VALUES, [np.nan, 0.2, 0.3, 0.1]]
    found = family_test(slopes)
    assert found.n == 4
    np.testing.assert_allclose(found.t, [group_mean(VALUES).t, group_mean([0.2, 0.3, 0.1]).t])


def test_family_holds_its_level():
    """Five metrics that correlate by .5, none changes: false alarms of any of them; 600 studies."""
    rng = np.random.default_rng(2)
    slopes = rng.normal(size=(600, 4, 5)) + rng.normal(size=(600, 4, 1))
    rate = np.mean([family_test(study).p.min() <= 0.05 for study in slopes])
    assert rate < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


def test_many_subjects_are_drawn():
    values = np.random.default_rng(0).normal(size=12) + 0.6
    found = wild_bootstrap(values, rng=np.random.default_rng(1))
    assert found.n_draws == 50_000
    assert found.p == pytest.approx(group_mean(values).p, abs=0.02)
    with pytest.raises(PiriformError, match="give rng"):
        wild_bootstrap(values)


def test_hierarchical_bootstrap_of_exact_lines_draws_subjects_only():
    """Slopes 1, 2, 3 without noise: the mean of 3 draws is never at or below 0, and in 1/27 of cases 1, or 3."""
    series = [(range(8), slope * np.arange(8.0)) for slope in (1, 2, 3)]
    found = hierarchical_bootstrap(series, rng=np.random.default_rng(0), n_draws=4000, per=10)
    assert (found.p, found.mean) == pytest.approx((1 / 4001, 20.0))
    assert found.interval == pytest.approx((10.0, 30.0))


def test_hierarchical_bootstrap_finds_half_under_symmetry():
    rng = np.random.default_rng(1)
    x, y = line(rng, 10)
    series = [(x, y), (x, -y)]
    found = hierarchical_bootstrap(series, rng=rng, n_draws=2000)
    assert found.p == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2000))
    assert found.mean == pytest.approx(0, abs=1e-12)


def test_hierarchical_bootstrap_takes_unequal_days_in_any_order():
    rng = np.random.default_rng(2)
    series = [line(rng, n, slope=0.2) for n in (6, 9, 12)]
    mixed = [(np.r_[x[::-1], 3.0], np.r_[y[::-1], np.nan]) for x, y in series]
    one, other = (hierarchical_bootstrap(s, rng=np.random.default_rng(3), n_draws=3000) for s in (series, mixed))
    assert one.mean == pytest.approx(other.mean)
    assert one.p == pytest.approx(other.p, abs=0.03)
    assert one.interval == pytest.approx(other.interval, abs=0.03)


def test_too_little():
    assert wild_bootstrap([0.4]).note == "1 of 2 subjects needed"
    assert np.isnan(wild_bootstrap([]).p)
    assert "unequal slopes" in wild_bootstrap([0.3, 0.3]).note
    found = hierarchical_bootstrap([([1, 1, 2], [0.0, 1, 2])], rng=np.random.default_rng(0))
    assert found.note == "0 of 2 subjects needed, each with 3 different days"


@pytest.mark.parametrize("slope", [0.0, 0.3], ids=["constant", "one slope"])
def test_no_p_out_of_days_and_subjects_without_spread(slope):
    """Rounding leaves values of 1e-17 that are no evidence."""
    series = [(range(1, 8), level + slope * np.arange(1, 8)) for level in (0.7, 0.9, 1.3)]
    found = hierarchical_bootstrap(series, rng=np.random.default_rng(0), n_draws=99)
    assert found.mean == pytest.approx(slope)
    assert np.isnan(found.p)
    assert "no spread" in found.note


def test_errors():
    with pytest.raises(PiriformError, match="unknown weights 'rademacher'"):
        wild_bootstrap(VALUES, weights="rademacher")
    with pytest.raises(PiriformError, match="need subjects in rows"):
        family_test(VALUES)
    with pytest.raises(PiriformError, match="n_draws is 0"):
        hierarchical_bootstrap([], rng=np.random.default_rng(0), n_draws=0)
