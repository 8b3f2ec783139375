import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from piriform import decode, margin
from piriform.splits import OUT, blocked_folds, permutations

SETTINGS = {"solver": "svm", "C": 1.0, "shrinkage": 0.2}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def problem(rng, gap=1.0, n_trials=80, n_units=5, n_permutations=0):
    truth = rng.permutation(np.tile([1, -1], n_trials // 2))
    responses = rng.normal(size=(n_trials, n_units)) * [1, 2, 3, 4, 5][:n_units] + 7
    responses[:, 0] += gap * truth
    labels = truth[permutations(np.zeros(n_trials, int), n_permutations, rng=rng)]
    return responses, labels, blocked_folds(labels, 5)


def test_scores_are_those_of_scikit_learn_fold_by_fold(rng):
    responses, labels, folds = problem(rng)
    scores = decode.heldout_scores(responses, labels, folds, **SETTINGS)
    for fold in range(5):
        train, test = folds[0] != fold, folds[0] == fold
        scaler = StandardScaler().fit(responses[train])
        model = LinearSVC(C=1.0, dual=False, tol=1e-10, max_iter=10_000)
        model.fit(scaler.transform(responses[train]), labels[0, train])
        expected = model.decision_function(scaler.transform(responses[test]))
        np.testing.assert_allclose(scores.decision[0, test], expected, rtol=1e-5, atol=1e-7)
        norm = np.linalg.norm(model.coef_)
        np.testing.assert_allclose(scores.distance[0, test], expected / norm, rtol=1e-5, atol=1e-7)


def test_trials_that_take_no_part_change_nothing(rng):
    responses, labels, folds = problem(rng)
    folds = folds.copy()
    folds[0, ::4] = OUT
    keep = folds[0] != OUT
    scores = decode.heldout_scores(responses, labels, folds, **SETTINGS)
    alone = decode.heldout_scores(responses[keep], labels[:, keep], folds[:, keep], **SETTINGS)
    np.testing.assert_allclose(scores.decision[:, keep], alone.decision, rtol=1e-6)
    assert np.isnan(scores.decision[:, ~keep]).all()


def test_balanced_accuracy_and_auc_equal_scikit_learn(rng):
    labels = np.where(rng.random((3, 50)) < 0.3, 1, -1)
    decision = rng.normal(size=(3, 50)) + 0.5 * labels
    for row in range(3):
        expected = balanced_accuracy_score(labels[row], np.sign(decision[row]))
        assert decode.balanced_accuracy(decision, labels)[row] == pytest.approx(expected)
    one_fold = np.zeros(labels.shape, int)
    expected = [roc_auc_score(y, f) for y, f in zip(labels, decision, strict=True)]
    np.testing.assert_allclose(decode.auc(decision, labels, one_fold), expected)


def test_auc_never_compares_trials_of_different_folds():
    decision = np.array([[1.0, 0.0, 101.0, 100.0]])
    labels, folds = np.array([[1, -1, 1, -1]]), np.array([[0, 0, 1, 1]])
    assert decode.auc(decision, labels, folds)[0] == 1.0
    assert decode.auc(decision, labels, np.zeros((1, 4), int))[0] == 0.75


def test_auc_counts_ties_one_half_and_is_nan_without_pairs():
    labels = np.array([[1, -1]])
    assert decode.auc(np.zeros((1, 2)), labels, np.zeros((1, 2), int))[0] == 0.5
    assert np.isnan(decode.auc(np.zeros((1, 2)), labels, np.array([[0, 1]]))[0])


def test_accuracy_of_separated_classes_is_one_and_of_noise_one_half(rng):
    responses, labels, folds = problem(rng, gap=50.0)
    scores = decode.heldout_scores(responses, labels, folds, **SETTINGS)
    assert decode.balanced_accuracy(scores.decision, labels)[0] == 1.0
    values = []
    for _ in range(150):
        responses, labels, folds = problem(rng, gap=0.0)
        scores = decode.heldout_scores(responses, labels, folds, **SETTINGS)
        values.append(decode.balanced_accuracy(scores.decision, labels)[0])
    assert abs(np.mean(values) - 0.5) < 4 * np.std(values) / np.sqrt(150)


def test_permuted_labels_give_chance(rng):
    responses, labels, folds = problem(rng, gap=3.0, n_permutations=200)
    scores = decode.heldout_scores(responses, labels, folds, **SETTINGS)
    accuracy = decode.balanced_accuracy(scores.decision, labels)
    null = accuracy[1:]
    # a permuted label still shares a chance part with the truth, hence the 4 SE
    assert abs(null.mean() - 0.5) < 4 * null.std() / np.sqrt(200)
    assert accuracy[0] > null.max()


def test_multiclass_accuracy_of_known_problems(rng):
    codes = rng.permutation(np.arange(90) % 3)[None]
    folds = blocked_folds(codes, 5)
    clear = rng.normal(size=(90, 4)) + 20 * np.eye(3, 4)[codes[0]]
    assert decode.multiclass_accuracy(clear, codes, folds, **SETTINGS)[0] == 1.0
    assert decode.multiclass_accuracy(clear, codes, folds, **SETTINGS | {"solver": "lda"})[0] == 1.0
    noise = [
        decode.multiclass_accuracy(rng.normal(size=(90, 4)), codes, folds, **SETTINGS | {"solver": "lda"})[0]
        for _ in range(100)
    ]
    assert abs(np.mean(noise) - 1 / 3) < 4 * np.std(noise) / 10


def test_heldout_margin_is_the_class_balanced_mean_distance():
    distance = np.array([[2.0, 4.0, -1.0, np.nan]])
    labels = np.array([[1, 1, -1, -1]])
    assert margin.heldout_margin(distance, labels)[0] == 2.0
    assert margin.heldout_margin_quantile(distance, labels, 0.0)[0] == 1.0


def test_heldout_margin_grows_with_separation_where_the_soft_margin_does_not(rng):
    held, soft = [], []
    for gap in (0.5, 1.0, 2.0, 3.0):
        responses, labels, folds = problem(rng, gap=gap, n_trials=400)
        scores = decode.heldout_scores(responses, labels, folds, **SETTINGS)
        held.append(margin.heldout_margin(scores.distance, labels)[0])
        soft.append(margin.soft_margin(responses, labels, folds != OUT, C=1.0)[0])
    assert (np.diff(held) > 0).all()
    assert soft[1] < soft[0]


def test_soft_margin_is_one_over_the_norm_of_linearsvc(rng):
    responses, labels, folds = problem(rng)
    scaled = StandardScaler().fit_transform(responses)
    model = LinearSVC(C=0.1, dual=False, tol=1e-10, max_iter=10_000).fit(scaled, labels[0])
    expected = 1 / np.linalg.norm(model.coef_)
    assert margin.soft_margin(responses, labels, folds != OUT, C=0.1)[0] == pytest.approx(expected, rel=1e-5)
