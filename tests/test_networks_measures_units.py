"""Selectivity, sparseness, unit matching and information of units."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from piriform.errors import MeasureError
from piriform.networks import measures
from piriform.networks.measures.information import adaptive_bins


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# selectivity and sparseness


def test_selectivity_by_hand():
    y = np.repeat([0, 1, 2], 2)
    x = np.array([[6.0, 1.0, 0.0, 1.0], [2.0, 1.0, 0.0, -1.5], [1.0, 1.0, 0.0, 1.0]] * 2)[[0, 3, 1, 4, 2, 5]]
    values = measures.class_selectivity(x, y)
    assert values[:2].tolist() == pytest.approx([(6 - 1.5) / (6 + 1.5), 0])
    assert np.isnan(values[2:]).all()  # silent; negative


def test_sparseness_by_hand():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [2.0, 3.0], [0.0, 0.0]])
    # unit 0: mean 1, mean square 1.5
    np.testing.assert_allclose(measures.lifetime_sparseness(x), [(1 - 1 / 1.5) / 0.75, 1])
    np.testing.assert_allclose(measures.population_sparseness(x)[:3], [1, 1, (1 - 6.25 / 6.5) / 0.5])
    assert np.isnan(measures.population_sparseness(x)[3])
    assert np.isnan(measures.lifetime_sparseness(x[:1])).all()


def test_selectivity_ignores_scale_and_stacks(rng):
    x, y = rng.uniform(size=(3, 20, 4)), rng.permutation(np.repeat([0, 1], 10))
    np.testing.assert_allclose(measures.class_selectivity(9 * x, y)[2], measures.class_selectivity(x[2], y))
    np.testing.assert_allclose(measures.lifetime_sparseness(9 * x)[1], measures.lifetime_sparseness(x[1]))
    np.testing.assert_allclose(measures.population_sparseness(x), measures.lifetime_sparseness(x.swapaxes(1, 2)))


# unit matching


def test_permuted_units_are_found_again(rng):
    x, order = rng.normal(size=(60, 12)), rng.permutation(12)
    matching = measures.matched_units(x, 3 * x[:, order] + 1)
    np.testing.assert_array_equal(order[matching.second], matching.first)
    np.testing.assert_allclose(matching.correlation, 1)


def test_matching_is_the_best_of_all(rng):
    x, y = rng.normal(size=(15, 4)), rng.normal(size=(15, 4))
    c = np.corrcoef(x.T, y.T)[:4, 4:]
    best = max(sum(c[i, p[i]] for i in range(4)) for p in permutations(range(4)))
    assert measures.matched_units(x, y).correlation.sum() == pytest.approx(best)


def test_silent_units_are_in_no_pair(rng):
    x = rng.normal(size=(20, 4))
    x[:, 1] = 7.0
    matching = measures.matched_units(x, x[:, ::-1])
    assert matching.first.tolist() == [0, 2, 3]
    assert matching.second.tolist() == [3, 1, 0]
    assert measures.convergence(x, x[:, :2], rng=rng, n_shuffles=3).n_pairs == 1
    assert len(measures.convergence(x, x, rng=rng, n_shuffles=3).null) == 3
    nothing = measures.convergence(np.ones((20, 2)), x, rng=rng)
    assert np.isnan(nothing.correlation)
    assert nothing.n_pairs == 0


def test_excess_and_p_value_by_hand():
    result = measures.Convergence(0.5, np.array([0.1, 0.2, 0.9, 0.5]), 3)
    assert result.excess == pytest.approx(0.5 - 1.7 / 4)
    assert result.p_value == (1 + 2) / (1 + 4)  # a tie counts


def test_unrelated_networks_do_not_exceed_the_null(rng):
    results = [measures.convergence(*rng.normal(size=(2, 40, 8)), rng=rng, n_shuffles=10) for _ in range(50)]
    excess = [result.excess for result in results]
    assert abs(np.mean(excess)) < 4 * np.std(excess) / np.sqrt(50)
    assert np.mean([result.null.mean() for result in results]) > 0.15  # the best pairing of noise
    p = np.array([result.p_value for result in results])
    assert abs(p.mean() - 0.5) < 4 * p.std() / np.sqrt(50) + 1 / 11


def test_shuffles_within_classes_keep_what_classes_explain(rng):
    y = np.repeat([0, 1], 50)
    x, z = rng.normal(size=(2, 100, 6)) + 3 * y[:, None]
    free = measures.convergence(x, z, rng=rng)
    within = measures.convergence(x, z, rng=rng, blocks=y)
    assert free.p_value < 0.05
    assert free.excess > 0.3
    assert abs(within.excess) < 0.05


# information


def test_deterministic_label_is_one_bit(rng):
    y = np.tile([0, 1], 200)
    information = measures.unit_information(np.column_stack([y, 1 - 5.0 * y]), y, rng=rng)
    np.testing.assert_allclose(information.plugin, 1)
    pattern, unique = measures.pattern_information(np.column_stack([y, y]), y, rng=rng)
    assert pattern.plugin == pytest.approx(1)
    assert unique == 0


def test_gaussian_channel(rng):
    """Signal-to-noise ratio 3: half log2(1 + 3) = 1 bit, less what 24 bins lose."""
    x = rng.normal(size=40_000)
    y = x + rng.normal(size=40_000) / np.sqrt(3)
    labels = adaptive_bins(x[:, None], 24)[:, 0]
    information = measures.unit_information(y[:, None], labels, rng=rng, n_bins=24, n_shuffles=2)
    assert information.corrected[0] == pytest.approx(1, abs=0.04)


def test_independent_activity_has_bias_only(rng):
    y = np.repeat([0, 1, 2], 100)
    information = measures.unit_information(rng.normal(size=(300, 400)), y, rng=rng, n_bins=8)
    corrected = information.corrected
    assert abs(corrected.mean()) < 4 * corrected.std() / np.sqrt(400)
    assert information.plugin.mean() == pytest.approx(measures.plugin_bias(300, 8, 3), rel=0.1)
    assert information.bias.mean() == pytest.approx(measures.plugin_bias(300, 8, 3), rel=0.1)


def test_information_is_that_of_scikit_learn(rng):
    x, y = np.round(rng.normal(size=(2, 50, 3)), 1), rng.integers(0, 3, size=50)
    bins = adaptive_bins(x, 5)
    plugin = measures.unit_information(x, y, rng=rng, n_bins=5).plugin
    assert plugin.shape == (2, 3)
    assert plugin[1, 2] == pytest.approx(mutual_info_score(y, bins[1, :, 2]) / np.log(2))
    pattern, _ = measures.pattern_information(x[0], y, rng=rng, n_bins=2)
    words = ["".join(map(str, row)) for row in adaptive_bins(x[0], 2)]
    assert float(pattern.plugin) == pytest.approx(mutual_info_score(y, words) / np.log(2))


def test_patterns_of_many_units_tell_nothing(rng):
    y = np.tile([0, 1], 50)
    information, unique = measures.pattern_information(rng.normal(size=(100, 30)), y, rng=rng)
    assert unique == 1
    assert information.plugin == pytest.approx(1)
    assert information.corrected == pytest.approx(0, abs=1e-12)


def test_bias_is_the_mean_over_shuffled_labels(rng):
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 3, size=60)
    found = measures.unit_information(x, y, rng=np.random.default_rng(1), n_bins=4, n_shuffles=2).bias
    shuffle, bins = np.random.default_rng(1), adaptive_bins(x, 4)
    each = [
        [mutual_info_score(labels, bins[:, at]) for at in range(3)]
        for labels in (shuffle.permutation(y), shuffle.permutation(y))
    ]
    np.testing.assert_allclose(found, np.mean(each, axis=0) / np.log(2))


def test_share_of_unique_patterns_is_one_of_samples(rng):
    x = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert measures.pattern_information(x, np.array([0, 0, 1, 1]), rng=rng)[1] == 2 / 4
    three = np.array([[0.0], [1.0], [2.0], [2.0]])  # two bins: 0 with 1, 2 with 2
    for n_bins, unique in ((2, 0), (3, 2 / 4)):
        assert measures.pattern_information(three, np.array([0, 0, 1, 1]), rng=rng, n_bins=n_bins)[1] == unique


def test_bins_hold_equally_many_distinct_values(rng):
    x = np.concatenate([np.zeros(500), rng.uniform(1, 2, size=99)])[:, None]
    bins = adaptive_bins(rng.permutation(x), 4)[:, 0]
    assert sorted(np.bincount(bins)) == [25, 25, 25, 524]
    assert set(adaptive_bins(np.array([[1.0], [2.0], [2.0]]), 10)[:, 0]) == {0, 1}


def test_information_ignores_monotone_changes_and_broken_units(rng):
    x, y = rng.normal(size=(80, 3)), rng.integers(0, 2, size=80)
    before = measures.unit_information(x, y, rng=np.random.default_rng(1)).plugin
    x[3, 0] = np.nan
    after = measures.unit_information(np.exp(x), y, rng=np.random.default_rng(1)).plugin
    assert np.isnan(after[0])
    np.testing.assert_allclose(after[1:], before[1:])


# errors


def test_errors(rng):
    x = rng.normal(size=(10, 3))
    with pytest.raises(MeasureError, match="the two networks have lengths 10 and 9"):
        measures.matched_units(x, x[:9])
    with pytest.raises(MeasureError, match="n_bins must be 2 or more, got 1"):
        measures.unit_information(x, np.tile([0, 1], 5), rng=rng, n_bins=1)
