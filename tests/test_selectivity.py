import numpy as np
import pytest

from piriform import selectivity
from piriform.errors import MeasureError
from piriform.splits import blocked_folds


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def folds_of(codes, n_folds=5):
    return blocked_folds(codes[None], n_folds)[0]


def heldout(x, codes, n_folds=5):
    return selectivity.heldout_selectivity(x, codes, folds_of(codes, n_folds), classes=np.unique(codes).tolist())


# Known answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_noise_trials_give_the_selectivity_of_the_networks(rng, n_classes):
    codes = rng.permutation(np.repeat(np.arange(n_classes), 20))
    x = rng.gamma(1.0, 5.0, size=(n_classes, 12))[codes]
    expected = selectivity.class_selectivity(x, codes)
    np.testing.assert_allclose(heldout(x, codes), expected)


def test_without_noise_trials_give_the_sparseness_of_the_networks(rng):
    means, stimuli = rng.gamma(0.5, 5.0, size=(7, 9)), rng.permutation(np.repeat(np.arange(7), 3))
    lifetime, population = selectivity.stimulus_sparseness(means[stimuli], stimuli)
    np.testing.assert_allclose(lifetime, selectivity.lifetime_sparseness(means))
    np.testing.assert_allclose(population, selectivity.population_sparseness(means))


def test_a_tie_is_no_preference():
    codes = np.array([1, 1, -1, -1] * 5)
    x = np.tile([[1.0], [3.0], [3.0], [1.0]], (5, 1))
    assert heldout(x, codes).tolist() == pytest.approx([0.0])


def test_silent_units_have_no_value(rng):
    codes = np.array([1, -1] * 10)
    x = np.column_stack([np.zeros(20), rng.poisson(3.0, 20)]).astype(float)
    assert np.isnan(heldout(x, codes)).tolist() == [True, False]
    lifetime, population = selectivity.stimulus_sparseness(x, codes)
    assert np.isnan(lifetime).tolist() == [True, False]
    assert np.isfinite(population).all()
    assert np.isnan(selectivity.stimulus_sparseness(x[:, 1:], codes)[1]).all()  # one unit


def test_where_all_is_silent_outside_a_fold_there_is_no_preference():
    x, codes, folds = np.array([[3.0], [0.0], [0.0], [0.0]]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    assert selectivity.heldout_selectivity(x, codes, folds, classes=[0, 1]).tolist() == [0.0]


def test_sparseness_is_held_within_its_bounds():
    """Responses 1, 1 and 9, 0: mean square (1 + 0) / 2, square of the mean (1 + 2 x 4.5 + 0) / 4: (1 - 5) / (1 - 1/2)."""
    x, stimuli = np.array([[1.0], [1.0], [9.0], [0.0]]), np.array([0, 0, 1, 1])
    assert selectivity.stimulus_sparseness(x, stimuli)[0].tolist() == [-1.0]


# Definition -----------------------------------------------------------------------------------


def test_selectivity_follows_its_definition(rng):
    codes = rng.permutation(np.repeat([0, 1, 2], 10))
    x, folds = rng.poisson(4.0, size=(30, 3)).astype(float), folds_of(codes)
    value = np.zeros(3)
    for unit in range(3):
        for fold in range(5):
            others, inside = (
                np.array([x[(codes == code) & place, unit].mean() for code in range(3)])
                for place in (folds != fold, folds == fold)
            )
            tied = np.isclose(others, max(others))
            best, rest = ((means[tied].mean(), (means.sum() - means[tied].mean()) / 2) for means in (inside, others))
            value[unit] += (best[0] - best[1]) / (rest[0] + rest[1]) / 5
    np.testing.assert_allclose(heldout(x, codes), value)


def test_sparseness_follows_its_definition(rng):
    stimuli = np.array([0, 0, 0, 1, 1, 2, 3, 3])
    x = rng.poisson(4.0, size=(8, 3)).astype(float)
    lifetime, population = selectivity.stimulus_sparseness(x, stimuli)

    def product(stimulus, other, first, second):
        """Mean of r_first in a trial of one stimulus times r_second in another trial of the other."""
        trials = [(a, b) for a in range(8) for b in range(8)
                  if a != b and stimuli[a] == stimulus and stimuli[b] == other]  # fmt: skip
        return np.mean([x[a, first] * x[b, second] for a, b in trials])

    known = (0, 1, 3)  # stimulus 2 was shown once
    for unit in range(3):
        mean_square = np.mean([product(s, s, unit, unit) for s in known])
        square = np.mean([[product(s, other, unit, unit) for s in known] for other in known])
        assert lifetime[unit] == pytest.approx((1 - square / mean_square) / (1 - 1 / 3))
    for place, stimulus in enumerate(known):
        mean_square = np.mean([product(stimulus, stimulus, unit, unit) for unit in range(3)])
        square = np.mean([[product(stimulus, stimulus, i, j) for i in range(3)] for j in range(3)])
        assert population[place] == pytest.approx((1 - square / mean_square) / (1 - 1 / 3))


# Invariance -----------------------------------------------------------------------------------


def test_neither_scale_nor_names_nor_order_within_folds_matter(rng):
    codes, x = np.array([1, -1] * 20), rng.poisson(5.0, size=(40, 6)).astype(float)
    np.testing.assert_allclose(heldout(7 * x, codes), heldout(x, codes))
    np.testing.assert_allclose(heldout(x, 4 - codes), heldout(x, codes))
    order = rng.permutation(40)
    for one, other in zip(
        selectivity.stimulus_sparseness(x, codes),
        selectivity.stimulus_sparseness(3 * x[order], codes[order]),
        strict=True,
    ):
        np.testing.assert_allclose(one, other)


# Null and noise -------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_classes", "rate"), [(2, 2.0), (15, 0.2)])
def test_units_without_preference_have_no_selectivity_on_average_however_few_the_spikes(rng, n_classes, rate):
    codes = np.tile(np.arange(n_classes), 10)
    x = rng.poisson(rate, size=(len(codes), 4000)).astype(float)
    values = heldout(x[:, x.any(axis=0)], codes)
    assert abs(values.mean()) < 3.5 * values.std() / np.sqrt(len(values))
    assert np.nanmean(selectivity.class_selectivity(x, codes)) > 0.1  # the plain index


@pytest.mark.parametrize("n_trials", [2, 10])
def test_noise_does_not_make_units_sparse(rng, n_trials):
    means = rng.gamma(1.0, 4.0, size=(20, 1500))
    stimuli = np.repeat(np.arange(20), n_trials)
    lifetime, population = selectivity.stimulus_sparseness(rng.poisson(means[stimuli]).astype(float), stimuli)
    truth = selectivity.lifetime_sparseness(means)
    assert lifetime.mean() == pytest.approx(truth.mean(), abs=0.02)
    assert population.mean() == pytest.approx(selectivity.population_sparseness(means).mean(), abs=0.02)
    noisy = np.array([rng.poisson(means).astype(float) for _ in range(n_trials)]).mean(axis=0)
    if n_trials == 2:
        assert selectivity.lifetime_sparseness(noisy).mean() > truth.mean() + 0.025  # the plain index


def test_equal_responses_to_all_stimuli_are_not_sparse(rng):
    stimuli = np.repeat(np.arange(10), 10)
    lifetime, _ = selectivity.stimulus_sparseness(rng.poisson(5.0, size=(100, 800)).astype(float), stimuli)
    assert abs(lifetime.mean()) < 3.5 * lifetime.std() / np.sqrt(800)


# Errors ---------------------------------------------------------------------------------------


def test_arrays_that_no_measure_can_work_with_are_refused():
    with pytest.raises(MeasureError, match=r"features has shape \(0, 3\), expected \(\.\.\., n_samples, n_columns\)"):
        selectivity.class_selectivity(np.empty((0, 3)), np.empty(0))
    with pytest.raises(MeasureError, match="all 4 labels are a; at least two classes are needed"):
        selectivity.class_selectivity(np.ones((4, 3)), np.array(list("aaaa")))


def test_what_cannot_be_measured_is_said(rng):
    codes = np.array([0, 1] * 10)
    x = rng.normal(size=(20, 3))
    with pytest.raises(MeasureError, match="needs activity that is never below 0"):
        heldout(x, codes)
    with pytest.raises(MeasureError, match="needs activity that is never below 0"):
        selectivity.stimulus_sparseness(x, codes)
    with pytest.raises(MeasureError, match="needs 2 stimuli with 2 trials each, this draw has 1 of them"):
        selectivity.stimulus_sparseness(np.abs(x)[:4], np.array(["a", "a", "b", "c"]))
