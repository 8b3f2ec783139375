import numpy as np
import pytest

from piriform import geometry
from piriform.splits import OUT, blocked_folds, permutations

N = 60


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def two_classes(rng, n_units=6, gap=0.0, n=N):
    labels = rng.permutation(np.tile([1, -1], n // 2))
    responses = rng.normal(size=(n, n_units))
    responses[:, 0] += gap / 2 * labels
    return responses, labels[None], blocked_folds(labels[None], 5)


def naive_crossnobis(responses, codes, folds, n_classes, shrinkage):
    values = []
    for fold in range(folds.max() + 1):
        test, train = folds == fold, (folds != fold) & (folds != OUT)
        residuals = np.concatenate(
            [responses[train & (codes == c)] - responses[train & (codes == c)].mean(0) for c in range(n_classes)]
        )
        sigma = residuals.T @ residuals / (train.sum() - n_classes)
        sigma = (1 - shrinkage) * sigma + shrinkage * np.diag(np.diag(sigma))
        for a in range(n_classes):
            for b in range(a + 1, n_classes):
                outside = responses[train & (codes == a)].mean(0) - responses[train & (codes == b)].mean(0)
                inside = responses[test & (codes == a)].mean(0) - responses[test & (codes == b)].mean(0)
                values.append(inside @ np.linalg.solve(sigma, outside))
    return np.mean(values) / responses.shape[1]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_crossnobis_equals_the_definition_pair_by_pair(rng, n_classes):
    codes = rng.permutation(np.arange(N) % n_classes)
    responses = rng.normal(size=(N, 5)) + codes[:, None] * [1.0, 0, 0, 0.5, 0]
    labelled = codes[permutations(np.arange(N) // 30, 3, rng=rng)]
    part = np.ones(labelled.shape, bool)
    part[:, ::7] = False
    folds = blocked_folds(labelled, 3, taking_part=part)
    got = geometry.crossnobis(responses, labelled, folds, n_classes=n_classes, shrinkage=0.3)
    expected = [naive_crossnobis(responses, c, f, n_classes, 0.3) for c, f in zip(labelled, folds, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_crossnobis_of_many_units_takes_the_loop_and_agrees(rng, monkeypatch):
    responses, labels, folds = two_classes(rng)
    codes = (labels + 1) // 2
    fast = geometry.crossnobis(responses, codes, folds, n_classes=2, shrinkage=0.2)
    monkeypatch.setattr(geometry, "LARGE", 0)
    np.testing.assert_allclose(
        geometry.crossnobis(responses, codes, folds, n_classes=2, shrinkage=0.2), fast, rtol=1e-10
    )


def test_crossnobis_ignores_a_unit_without_variance_but_counts_it(rng):
    responses, labels, folds = two_classes(rng, gap=2.0)
    codes = (labels + 1) // 2
    silent = np.column_stack([responses, np.zeros(N)])
    one = geometry.crossnobis(responses, codes, folds, n_classes=2, shrinkage=0.2)
    two = geometry.crossnobis(silent, codes, folds, n_classes=2, shrinkage=0.2)
    np.testing.assert_allclose(two, one * 6 / 7)


def test_crossnobis_null_is_zero_and_truth_is_the_squared_distance(rng):
    null, known = [], []
    for _ in range(300):
        for gap, values in ((0.0, null), (2.0, known)):
            responses, labels, folds = two_classes(rng, gap=gap)
            values.append(geometry.crossnobis(responses, (labels + 1) // 2, folds, n_classes=2, shrinkage=1.0)[0])
    assert abs(np.mean(null)) < 4 * np.std(null) / np.sqrt(300)
    # true squared distance 4 over 6 units; the inverse of a variance with f = 46 degrees of freedom is f/(f-2) too large
    assert abs(np.mean(known) - 4 / 6 * 46 / 44) < 4 * np.std(known) / np.sqrt(300)


def test_dprime_equals_the_definition_fold_by_fold(rng):
    _, labels, folds = two_classes(rng)
    x = rng.normal(size=(1, N)) + labels
    gaps, squares, freedom = [], 0.0, 0
    for fold in range(5):
        a, b = (x[(labels == c) & (folds == fold)] for c in (1, -1))
        gaps.append(a.mean() - b.mean())
        squares += ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
        freedom += len(a) + len(b) - 2
    np.testing.assert_allclose(geometry.dprime(x, labels, folds), np.mean(gaps) / np.sqrt(squares / freedom))


def test_dprime_does_not_depend_on_scale_and_flips_with_the_labels(rng):
    _, labels, folds = two_classes(rng)
    x = rng.normal(size=(1, N)) + labels
    np.testing.assert_allclose(geometry.dprime(3 * x + 5, labels, folds), geometry.dprime(x, labels, folds))
    np.testing.assert_allclose(geometry.dprime(x, -labels, folds), -geometry.dprime(x, labels, folds))


def test_dprime_is_nan_where_there_is_no_variance_or_a_fold_lacks_a_class():
    labels, folds = np.array([[1, 1, -1, -1]]), np.array([[0, 0, 0, 0]])
    assert np.isnan(geometry.dprime(labels.astype(float), labels, folds)[0])
    assert np.isnan(geometry.dprime(np.array([[1.0, 2, 3, 5]]), labels, np.array([[0, 0, 1, 1]]))[0])


def test_similarity_dot_is_the_mean_over_all_pairs_of_trials(rng):
    responses, labels, _ = two_classes(rng, gap=1.0)
    part = np.ones(labels.shape, bool)
    part[0, :6] = False
    used, y = responses[part[0]], labels[part]
    z = (used - used.mean(0)) / used.std(0)
    expected = np.mean([a @ b for a in z[y == 1] for b in z[y == -1]])
    np.testing.assert_allclose(geometry.similarity_dot(responses, labels, part), expected)
    ratio = (y == 1).sum() / (y == -1).sum()
    np.testing.assert_allclose(expected, -ratio * (z[y == 1].mean(0) ** 2).sum())


def test_similarity_dot_carries_the_count_bias_and_its_cross_validated_version_does_not(rng):
    plain, crossed = [], []
    for _ in range(400):
        responses, labels, folds = two_classes(rng)
        plain.append(geometry.similarity_dot(responses, labels, folds != OUT)[0])
        crossed.append(geometry.similarity_dot_cv(responses, labels, folds)[0])
    # z-scored, so -(D / N) * N / (N - 1) exactly in expectation
    assert abs(np.mean(plain) + 6 / (N - 1)) < 4 * np.std(plain) / np.sqrt(400)
    assert abs(np.mean(crossed)) < 4 * np.std(crossed) / np.sqrt(400)


def test_similarity_dot_cv_of_a_known_gap(rng):
    values = []
    for _ in range(300):
        responses, labels, folds = two_classes(rng, n_units=1, gap=2.0, n=200)
        values.append(geometry.similarity_dot_cv(responses, labels, folds)[0])
    # gap 2, variance 1 + 1: -(1/4) * 4 / 2
    assert abs(np.mean(values) + 0.5) < 0.01


def test_similarity_cosine_of_known_vectors():
    labels, part = np.array([[1, 1, -1, -1]]), np.ones((1, 4), bool)
    evoked = np.array([[1.0, 0], [3, 0], [0, 1], [0, 3]])
    np.testing.assert_allclose(geometry.similarity_cosine(evoked, labels, part), 0.0, atol=1e-12)
    np.testing.assert_allclose(
        geometry.similarity_cosine(np.array([[1.0, 1], [3, 3], [1, 1], [3, 3]]), labels, part), 1.0
    )
    assert np.isnan(geometry.similarity_cosine(np.array([[1.0], [-1], [2], [3]]), labels, part)[0])


def test_participation_ratio_of_known_spectra(rng):
    assert geometry.participation_ratio(np.outer(rng.normal(size=50), [1.0, 2, 3])) == pytest.approx(1.0)
    white = rng.normal(size=(200_000, 8))
    assert geometry.participation_ratio(white) == pytest.approx(8.0, rel=0.01)
    assert np.isnan(geometry.participation_ratio(np.ones((5, 3))))


def test_category_similarity_equals_a_loop_over_pairs(rng):
    responses = rng.normal(size=(15, 6))
    categories = np.array(list("aabbbccccaabbca"))
    names, got, n_pairs = geometry.category_similarity(responses, categories)
    z = (responses - responses.mean(0)) / responses.std(0)
    r = np.corrcoef(z)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            pairs = [
                (s, t) for s in range(15) for t in range(15) if s != t and categories[s] == a and categories[t] == b
            ]
            assert n_pairs[i, j] == len(pairs)
            assert got[i, j] == pytest.approx(np.mean([r[p] for p in pairs]))


def test_category_similarity_of_a_single_trial_with_itself_is_nan(rng):
    _, got, n_pairs = geometry.category_similarity(rng.normal(size=(4, 3)), np.array(["a", "b", "b", "b"]))
    assert np.isnan(got[0, 0])
    assert n_pairs[0, 0] == 0
