"""RDMs, their comparison and noise ceiling, against naive loops and rsatoolbox where it is installed."""

import warnings

import numpy as np
import pytest

from piriform import geometry
from piriform.errors import MeasureError
from piriform.networks import measures


@pytest.fixture
def session():
    """Noisy responses to 5 conditions, 6 trials each, 3 folds."""
    rng = np.random.default_rng(0)
    conditions, folds = np.tile(np.arange(5), 6), np.repeat(np.arange(3), 10)
    responses = rng.normal(size=(5, 7))[conditions] + rng.normal(size=(30, 7))
    return responses, conditions, folds


@pytest.fixture(scope="module")
def toolbox():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("rsatoolbox", reason="the oracle rsatoolbox is not installed")


# known answers


def test_squared_rdm_by_hand():
    np.testing.assert_allclose(measures.squared_rdm(np.array([[0.0, 0], [3, 4], [0, 4]])), [12.5, 8, 4.5])


def test_tau_a_by_hand():
    a = np.array([1.0, 2, 3, 4])
    for b, expected in (
        ([1, 2, 3, 4], 1),
        ([4, 3, 2, 1], -1),
        ([1, 2, 4, 3], 4 / 6),
        ([1, 1, 2, 2], 4 / 6),
        ([5] * 4, 0),
    ):
        assert measures.rdm_similarity(a, np.array(b, float), method="tau-a")[0, 0] == pytest.approx(expected)


def test_ceiling_of_subjects_that_agree_is_1():
    rdm = np.array([1.0, 5, 2, 8])
    for method in ("cosine", "tau-a"):
        assert measures.noise_ceiling(np.outer([1, 2, 7], rdm), method=method) == pytest.approx((1, 1))


# definitions


def test_mean_over_pairs_is_the_crossnobis_of_the_recordings(session):
    responses, conditions, folds = session
    expected = geometry.crossnobis(responses, conditions[None], folds[None], n_classes=5, shrinkage=0.3)
    rdm = measures.crossnobis_rdm(responses, conditions, folds, shrinkage=0.3)
    assert rdm.shape == (10,)
    assert rdm.mean() == pytest.approx(expected[0])


def test_crossnobis_rdm_of_rsatoolbox(session, toolbox):
    responses, conditions, folds = session
    root = np.random.default_rng(1).normal(size=(7, 7))
    precision = root @ root.T
    data = toolbox.data.Dataset(
        responses, obs_descriptors={"condition": conditions.astype(float), "fold": folds.astype(float)}
    )
    oracle = toolbox.rdm.calc_rdm(
        data, method="crossnobis", descriptor="condition", noise=precision, cv_descriptor="fold"
    )
    rdm = measures.crossnobis_rdm(responses, conditions, folds, precision=precision)
    np.testing.assert_allclose(rdm, oracle.get_vectors()[0])


def test_crossnobis_rdm_by_definition_where_trials_and_conditions_are_left_out(session):
    """Some trials take no part, and a condition is in one fold alone: its residuals are none, and it costs no freedom."""
    responses, conditions, folds = session
    folds = np.where(np.arange(30) % 7 == 3, -1, folds)
    folds[(conditions == 4) & (folds < 2)] = -1
    expected = np.zeros(6)
    for fold in range(3):
        rest, inside = (folds >= 0) & (folds != fold), folds == fold
        means = [[responses[part & (conditions == c)].mean(axis=0) for c in range(4)] for part in (inside, rest)]
        own = [responses[rest & (conditions == c)] for c in range(5)]
        residuals = np.concatenate([x - x.mean(axis=0) for x in own if len(x)])
        covariance = residuals.T @ residuals / (len(residuals) - sum(len(x) > 0 for x in own))
        precision = np.linalg.inv(0.7 * covariance + 0.3 * np.diag(np.diag(covariance)))
        pairs = np.array(np.triu_indices(4, 1)).T
        expected += [(means[0][a] - means[0][b]) @ precision @ (means[1][a] - means[1][b]) / 7 / 3 for a, b in pairs]
    found = measures.crossnobis_rdm(responses, conditions, folds, shrinkage=0.3)
    known = ~(np.array(np.triu_indices(5, 1)) == 4).any(axis=0)
    np.testing.assert_allclose(found[known], expected)
    assert np.isnan(found[~known]).all()


@pytest.mark.parametrize("method", ["cosine", "tau-a"])
def test_comparison_and_ceiling_of_rsatoolbox(method, toolbox):
    rng = np.random.default_rng(2)
    rdms = rng.integers(1, 9, size=15).astype(float) + rng.integers(0, 4, size=(4, 15))  # with ties
    others = rng.normal(size=(3, 15))
    as_rdms = toolbox.rdm.RDMs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        similarity = toolbox.rdm.compare(as_rdms(rdms), as_rdms(others), method=method)
        ceiling = toolbox.inference.boot_noise_ceiling(as_rdms(rdms), method=method)
    np.testing.assert_allclose(measures.rdm_similarity(rdms, others, method=method), similarity)
    np.testing.assert_allclose(measures.noise_ceiling(rdms, method=method), ceiling)


def test_tau_a_counts_pairs():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 6, size=(2, 20)).astype(float)
    signs = [np.sign(x[:, None] - x)[np.triu_indices(20, 1)] for x in (a, b)]
    assert measures.rdm_similarity(a, b, method="tau-a")[0, 0] == pytest.approx(np.mean(signs[0] * signs[1]))


# invariance and null


def test_a_unit_that_is_silent_counts_as_a_unit_without_distance(session):
    responses, conditions, folds = session
    silent = np.column_stack([responses, np.zeros(30)])
    np.testing.assert_allclose(
        8 * measures.crossnobis_rdm(silent, conditions, folds),
        7 * measures.crossnobis_rdm(responses, conditions, folds),
    )


@pytest.mark.parametrize("method", ["cosine", "tau-a"])
def test_pairs_that_are_not_known_take_no_part(method):
    rdms = np.random.default_rng(6).uniform(1, 9, size=(3, 6))
    holes = rdms.copy()
    holes[1, 4] = np.nan
    assert measures.noise_ceiling(holes, method=method) == measures.noise_ceiling(np.delete(rdms, 4, 1), method=method)
    assert np.isnan(measures.rdm_similarity(np.array([1.0, np.nan]), np.array([1.0, 2.0]), method=method)).all()


def test_cosine_ignores_the_size_of_an_rdm(session):
    rdm = measures.crossnobis_rdm(*session)
    assert measures.rdm_similarity(rdm, 9 * rdm)[0, 0] == pytest.approx(1)
    assert measures.rdm_similarity(rdm, -rdm)[0, 0] == pytest.approx(-1)


def test_crossnobis_of_noise_is_0():
    rng = np.random.default_rng(4)
    conditions, folds = np.tile(np.arange(3), 8), np.repeat(np.arange(4), 6)
    means = [measures.crossnobis_rdm(rng.normal(size=(24, 4)), conditions, folds).mean() for _ in range(200)]
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(200)


def test_true_model_reaches_the_ceiling():
    """A model that is the truth behind noisy subjects scores between the lower and the upper bound."""
    rng = np.random.default_rng(5)
    truth = rng.uniform(1, 3, size=200)
    rdms = truth + rng.normal(size=(8, 200))
    lower, upper = measures.noise_ceiling(rdms)
    assert lower < measures.rdm_similarity(truth, rdms).mean() < upper


def test_missing_conditions_are_left_out(session):
    responses, conditions, folds = session
    part = (conditions != 4) | (folds != 2)
    rdm = measures.crossnobis_rdm(responses[part], conditions[part], folds[part], precision=np.eye(7))
    pairs = np.array(np.triu_indices(5, 1))
    np.testing.assert_array_equal(np.isnan(rdm), (pairs == 4).any(axis=0))
    whole = measures.crossnobis_rdm(responses, conditions, folds, precision=np.eye(7))
    known = ~np.isnan(rdm)
    expected = measures.rdm_similarity(whole[known], rdm[known])
    np.testing.assert_allclose(measures.rdm_similarity(whole, rdm), expected)


# errors


def test_errors(session):
    responses, conditions, folds = session
    with pytest.raises(MeasureError, match="folds must be 30 numbers from 0 to at least 1"):
        measures.crossnobis_rdm(responses, conditions, 0 * folds)
    with pytest.raises(MeasureError, match="do not vary within conditions"):
        measures.crossnobis_rdm(np.eye(5)[conditions], conditions, folds)
    with pytest.raises(MeasureError, match=r"unknown RDM comparison 'tau'.*choose from cosine, tau-a"):
        measures.rdm_similarity(np.ones(3), np.ones(3), method="tau")
    with pytest.raises(MeasureError, match="at least 2 subjects, got 1"):
        measures.noise_ceiling(np.ones((1, 3)))
    with pytest.raises(MeasureError, match="the two sets of RDMs have lengths 3 and 6"):
        measures.rdm_similarity(np.ones(3), np.ones(6))
