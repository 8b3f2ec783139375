import numpy as np
import pytest

from piriform import decode, solvers
from piriform.errors import MeasureError
from piriform.generalize import across_conditions, probe_scores, stimulus_folds
from piriform.splits import OUT, blocked_folds, stimulus_groups

SETTINGS = {"solver": "svm", "C": 1.0, "shrinkage": 0.2}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_stimulus_folds_never_train_on_the_tested_stimulus(rng):
    labels = np.tile([1, -1], 60)[None]
    stimuli = np.where(labels[0] == 1, "target", rng.choice(list("abcdefgh"), 120))
    groups = np.full(120, OUT)
    groups[labels[0] == -1] = stimulus_groups(stimuli[labels[0] == -1], 5)
    folds = stimulus_folds(labels, blocked_folds(labels, 5), groups[None])[0]
    for stimulus in "abcdefgh":
        assert len(np.unique(folds[stimuli == stimulus])) == 1
    assert np.bincount(folds[labels[0] == 1]).tolist() == [12] * 5


def test_stimulus_folds_with_two_stimuli_use_two_folds_for_the_target_too():
    labels = np.array([[1, 1, 1, 1, 1, -1, -1, -1, -1, -1]])
    folds = blocked_folds(labels, 5)
    groups = np.array([[OUT] * 5 + [0, 1, 0, 1, 0]])
    assert stimulus_folds(labels, folds, groups).tolist() == [[0, 1, 0, 1, 0, 0, 1, 0, 1, 0]]


def test_a_decoder_of_stimulus_identity_does_not_generalize_to_new_stimuli(rng):
    """Each nontarget has an axis of its own: with the stimulus in training it is read out, without it is not."""
    identity = rng.integers(0, 5, 200)
    labels = np.where(np.arange(200) % 2, 1, -1)[None]
    responses = rng.normal(size=(200, 6))
    responses[np.arange(200), identity] += np.where(labels[0] == -1, 10.0, 0.0)
    folds = blocked_folds(labels, 5)
    groups = np.where(labels == -1, identity, OUT)
    known = decode.heldout_scores(responses, labels, folds, **SETTINGS)
    new = decode.heldout_scores(responses, labels, stimulus_folds(labels, folds, groups), **SETTINGS)
    assert decode.balanced_accuracy(known.decision, labels)[0] > 0.95
    missed = new.decision[labels == -1] > 0
    # the decoder places what it has not met on the target's side (10 SD away from all that it was told to reject)
    assert missed.mean() > 0.8


def test_probe_scores_equal_one_decoder_per_fold(rng):
    labels = rng.permutation(np.tile([1, -1], 30))[None]
    responses = rng.normal(size=(60, 4)) + labels[0][:, None] * [1.0, 0, 0, 0]
    probes, probe_folds = rng.normal(size=(10, 4)), np.arange(10) // 2
    folds = blocked_folds(labels, 5)
    scores = probe_scores(responses, labels, folds, probes, probe_folds, **SETTINGS)
    held = decode.heldout_scores(responses, labels, folds, **SETTINGS)
    assert scores.target_recall[0] == pytest.approx((held.decision[labels == 1] > 0).mean())
    for probe, fold in zip(range(10), probe_folds, strict=True):
        model = solvers.fit(responses, labels, folds != fold, solver="svm", C=1.0)
        assert scores.rejected[0, probe] == float(model.decision_values(probes)[0, probe] < 0)


def test_across_conditions_equals_a_loop_over_pairs(rng):
    labels = np.tile([1, 1, -1, -1], 15)[None]
    conditions = np.tile([0, 1, 2, 3], 15)[None]
    responses = rng.normal(size=(60, 5)) + labels[0][:, None] * [0.8, 0, 0, 0, 0]
    part = np.ones(labels.shape, bool)
    part[0, :4] = False
    expected = []
    for target in (0, 1):
        for nontarget in (2, 3):
            train = ((conditions == target) | (conditions == nontarget)) & part
            model = solvers.fit(responses, labels, train, solver="svm", C=1.0)
            right = np.sign(model.decision_values(responses)[0]) == labels[0]
            tested = part[0] & ~train[0]
            expected.append(np.mean([right[tested & (labels[0] == code)].mean() for code in (1, -1)]))
    got = across_conditions(responses, labels, conditions, part, **SETTINGS)
    assert got[0] == pytest.approx(np.mean(expected))


def test_across_conditions_is_one_for_an_abstract_code_and_a_quarter_for_exclusive_or(rng):
    labels = np.tile([1, 1, -1, -1], 20)[None]
    conditions = np.tile([0, 1, 2, 3], 20)[None]
    part = np.ones(labels.shape, bool)
    noise = rng.normal(size=(80, 2))
    abstract = noise * [0.1, 1.0] + np.column_stack([labels[0], 0.3 * (conditions[0] % 2)])
    assert across_conditions(abstract, labels, conditions, part, **SETTINGS)[0] == 1.0
    xor = 0.1 * noise[:, :1] + (labels[0] * np.where(conditions[0] % 2, 1, -1))[:, None]
    assert across_conditions(xor, labels, conditions, part, **SETTINGS)[0] == pytest.approx(0.25, abs=0.13)


@pytest.mark.parametrize(("n_target", "n_nontarget"), [(1, 2), (2, 5)])
def test_across_conditions_needs_a_few_conditions_in_each_class(rng, n_target, n_nontarget):
    labels = np.repeat([1, -1], 20)[None]
    conditions = np.concatenate([np.arange(20) % n_target, 10 + np.arange(20) % n_nontarget])[None]
    expected = f"has {n_target} target and {n_nontarget} nontarget stimuli"
    with pytest.raises(MeasureError, match=expected):
        across_conditions(rng.normal(size=(40, 3)), labels, conditions, np.ones((1, 40), bool), **SETTINGS)
