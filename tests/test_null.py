import numpy as np
import pytest

from piriform.null import learning_p, max_statistic_p, permutation_p


def test_permutation_p_counts_the_truth_and_ties():
    null = np.array([0.1, 0.5, 0.5, 0.9])
    assert permutation_p(0.5, null) == 4 / 5
    assert permutation_p(1.0, null) == 1 / 5
    assert permutation_p(0.0, null) == 1.0


def test_max_statistic_equals_a_loop():
    rng = np.random.default_rng(0)
    nulls = rng.normal(size=(3, 50)) * [[1], [10], [100]]
    values = [2.0, 5.0, 250.0]
    z = [(v - n.mean()) / n.std() for v, n in zip(values, nulls, strict=True)]
    largest = [max((n[b] - n.mean()) / n.std() for n in nulls) for b in range(50)]
    expected = [(sum(m >= zi for m in largest) + 1) / 51 for zi in z]
    np.testing.assert_allclose(max_statistic_p(values, nulls), expected)


def test_max_statistic_of_one_measure_is_its_own_p():
    null = np.random.default_rng(1).normal(size=99)
    assert max_statistic_p([1.0], [null])[0] == permutation_p(1.0, null)


def test_a_measure_without_spread_takes_no_part():
    null = np.random.default_rng(2).normal(size=19)
    p = max_statistic_p([1.0, 3.0], [null, np.full(19, 3.0)])
    assert p[0] == permutation_p(1.0, null)
    assert np.isnan(p[1])
    assert np.isnan(max_statistic_p([3.0], [np.full(19, 3.0)])).all()
    assert max_statistic_p([], []).shape == (0,)


def test_family_error_is_the_nominal_one_for_correlated_measures():
    rng = np.random.default_rng(3)
    hits = []
    for _ in range(400):
        shared = rng.normal(size=(1, 100))
        data = 0.7 * shared + 0.7 * rng.normal(size=(5, 100))
        hits.append(max_statistic_p(data[:, 0], list(data[:, 1:])).min() <= 0.1)
    # 400 studies at .1: SE .015; 3 SE
    assert abs(np.mean(hits) - 0.1) < 0.045


def test_measures_that_learning_lowers_are_turned_round():
    null = np.linspace(-1, 1, 19)
    found = {"falls": (-5.0, null, -1), "rises": (0.0, null, 1), "none": (9.0, null, 0), "no_null": (1.0, null[:0], 1)}
    p = learning_p(found)
    assert p["falls"] == pytest.approx(0.05)
    assert p["rises"] > 0.5
    assert set(p) == {"falls", "rises"}
