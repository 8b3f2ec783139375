"""Probes, task geometry and attacks: what can be read out, and how easily it is turned."""

from itertools import permutations, product

import numpy as np
import pytest

from piriform import solvers
from piriform.errors import MeasureError
from piriform.networks import measures


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def cube(rng, n_each=10, noise=0.1):
    """Eight conditions at the corners of a cube; the first axis, carried by five units, is the class."""
    corners = np.array([[a, b, c] for a in (1, -1) for b in (1, -1) for c in (1, -1)], dtype=float)
    conditions = np.repeat(np.arange(8), n_each)
    x = corners[conditions][:, [0, 0, 0, 0, 0, 1, 2]] + noise * rng.normal(size=(8 * n_each, 7))
    return x, corners[conditions, 0].astype(int), conditions


# probes


def test_probes_of_separable_and_empty_layers(rng):
    y = rng.permutation(np.tile(["a", "b", "c"], 20))
    signal = np.array([[3.0, 0, 0], [0, 3, 0], [0, 0, 3]])[np.unique(y, return_inverse=True)[1]]
    layers = {"image": signal[:, None] + 0.1 * rng.normal(size=(60, 4, 3)), "lost": np.full((60, 2), np.nan)}
    accuracy = measures.probe_accuracy(layers, y)
    assert accuracy["image"] == 1
    assert np.isnan(accuracy["lost"])


def test_probes_are_held_out(rng):
    """100 units and 40 samples: any labels are separable, and yet held-out accuracy is at chance."""
    y = np.repeat([1, -1], 20)
    values = [measures.probe_accuracy({"x": rng.normal(size=(40, 100))}, y)["x"] for _ in range(40)]
    assert abs(np.mean(values) - 0.5) < 4 * np.std(values) / np.sqrt(40)


def test_probes_of_three_classes_have_their_chance_level(rng):
    y = np.repeat(["a", "b", "c"], 10)
    values = [measures.probe_accuracy({"x": rng.normal(size=(30, 5))}, y, solver="lda")["x"] for _ in range(100)]
    assert abs(np.mean(values) - 1 / 3) < 4 * np.std(values) / np.sqrt(100)


def test_folds_of_ones_own(rng):
    """Stimuli kept whole: what tells only the stimulus does not tell its class."""
    stimuli = np.repeat(np.arange(8), 10)
    x, y = np.eye(8)[stimuli] + 0.1 * rng.normal(size=(80, 8)), np.repeat([1, -1], 40)
    assert measures.probe_accuracy({"x": x}, y)["x"] == 1
    assert measures.probe_accuracy({"x": x}, y, folds=stimuli % 4)["x"] <= 0.8


def test_transfer(rng):
    x, y = rng.normal(size=(40, 3)), np.repeat([1, -1], 20)
    x[:, 1] += 8 * y
    moved = x + np.array([0.0, 1.0, 50.0])
    assert measures.transfer_accuracy(x, y, moved, y, solver="lda") in (0.5, 1.0)
    assert measures.transfer_accuracy(x[:, :2], y, moved[:, :2], y) == 1
    assert np.isnan(measures.transfer_accuracy(x, y, x[:5], y[:5]))


OPTIONS = [{"solver": "svm", "C": 0.01}, {"solver": "svm", "C": 10.0}, {"solver": "lda", "shrinkage": 0.9}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_probes_are_decoders_with_their_options(rng, options):
    """Unequal classes, balanced by weight; every fold by a decoder of the others."""
    y, folds = np.array([1] * 30 + [-1] * 12), np.arange(42) % 3
    x = rng.normal(size=(42, 4)) + 0.4 * y[:, None]
    other, z = rng.normal(0.4, size=(30, 4)), np.array([1] * 25 + [-1] * 5)
    right = np.empty(42)
    for fold in range(3):
        decision = solvers.fit(x, y, folds != fold, **options).decision_values(x)[0]
        right[folds == fold] = (np.sign(decision) == y)[folds == fold]
    expected = (right[y == 1].mean() + right[y == -1].mean()) / 2
    assert measures.probe_accuracy({"x": x}, y, folds=folds, **options)["x"] == pytest.approx(expected)
    right = np.sign(solvers.fit(x, y, np.ones(42, bool), **options).decision_values(other)[0]) == z
    expected = (right[z == 1].mean() + right[z == -1].mean()) / 2
    assert measures.transfer_accuracy(x, y, other, z, **options) == pytest.approx(expected)


# task geometry


def test_cube_is_abstract(rng):
    x, y, conditions = cube(rng)
    assert measures.ccgp(x, y, conditions) > 0.98
    assert measures.parallelism_score(x, y, conditions) > 0.98


def test_conditions_apart_in_all_dimensions_are_shattered_but_not_abstract(rng):
    conditions = np.repeat(np.arange(8), 10)
    x, y = np.eye(8)[conditions] + 0.05 * rng.normal(size=(80, 8)), np.repeat([1, -1], 40)
    result = measures.shattering(x, conditions)
    assert result.groupings.shape == (35, 8)
    assert (result.groupings.sum(axis=1) == 0).all()
    assert len({tuple(row * row[0]) for row in result.groupings}) == 35
    assert result.dimension == 1
    # e_i - e_j for four disjoint pairs: at right angles
    assert abs(measures.parallelism_score(x, y, conditions)) < 0.1
    assert measures.ccgp(x, y, conditions) < 0.65


@pytest.mark.parametrize(("n_conditions", "n_groupings"), [(4, 3), (6, 10), (10, 126)])
def test_all_balanced_groupings_are_read_out(n_conditions, n_groupings):
    conditions = np.repeat(np.arange(n_conditions), 2)
    result = measures.shattering(np.eye(n_conditions)[conditions], conditions, n_folds=2)
    assert result.groupings.shape == (n_groupings, n_conditions)
    assert result.dimension == 1


@pytest.mark.parametrize("options", [{}, {"C": 0.01}, {"solver": "lda"}, {"solver": "lda", "shrinkage": 0.9}], ids=str)
def test_shattering_is_the_probe_of_each_grouping(rng, options):
    conditions = rng.permutation(np.repeat(np.arange(4), 9))
    x, folds = rng.normal(size=(36, 6)) + np.eye(4, 6)[conditions], np.empty(36, int)
    for code in range(4):
        folds[conditions == code] = np.repeat([0, 1, 2], 3)
    found = measures.shattering(x, conditions, n_folds=3, **options)
    expected = [
        measures.probe_accuracy({"x": x}, grouping[conditions], folds=folds, **{"solver": "svm"} | options)["x"]
        for grouping in found.groupings
    ]
    np.testing.assert_allclose(found.accuracy, expected)


@pytest.mark.parametrize("options", [{}, {"C": 0.01}, {"solver": "lda"}, {"solver": "lda", "shrinkage": 0.9}], ids=str)
def test_ccgp_is_the_transfer_from_one_pair_of_conditions_to_the_others(rng, options):
    conditions, y = np.tile(np.arange(6), 8), np.tile([1, 1, 1, -1, -1, -1], 8)
    x = rng.normal(size=(48, 6)) + 0.5 * np.eye(6)[conditions] + 0.5 * y[:, None]
    each = []
    for pair in product((0, 1, 2), (3, 4, 5)):
        part = np.isin(conditions, pair)
        each.append(measures.transfer_accuracy(x[part], y[part], x[~part], y[~part], **{"solver": "svm"} | options))
    assert measures.ccgp(x, y, conditions, **options) == pytest.approx(np.mean(each))


def test_square_lacks_the_exclusive_or(rng):
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    conditions = np.repeat(np.arange(4), 50)
    result = measures.shattering(corners[conditions] + 0.1 * rng.normal(size=(200, 2)), conditions)
    readable = result.groupings[:, 0] != result.groupings[:, 3]
    assert result.accuracy[readable].tolist() == [1, 1]
    assert result.accuracy[~readable][0] < 0.8
    assert result.dimension == pytest.approx(result.accuracy.mean())


def test_parallelism_is_the_best_pairing(rng):
    x, y = rng.normal(size=(24, 5)), np.repeat([1, -1], 12)
    conditions = np.repeat(np.arange(6), 4)
    means = np.array([x[conditions == c].mean(axis=0) for c in range(6)])
    scores = []
    for order in permutations(range(3)):
        v = means[:3] - means[3:][list(order)]
        u = v / np.linalg.norm(v, axis=1, keepdims=True)
        scores.append(np.mean([u[0] @ u[1], u[0] @ u[2], u[1] @ u[2]]))
    assert measures.parallelism_score(x, y, conditions) == pytest.approx(max(scores))


# attacks


def attack(w, x, y, size, **options):
    return measures.pgd_accuracy(
        lambda x: x @ w,
        lambda x, v: v @ w.T,
        x,
        y,
        epsilon=size / measures.input_sd(x),
        rng=np.random.default_rng(0),
        **options,
    )


def test_linear_classifier_falls_at_its_closed_form(rng):
    w, x = rng.normal(size=(6, 1)), rng.normal(size=(50, 6))
    f = (x @ w)[:, 0]
    distance = measures.linear_distance(f, w[:, 0])
    for size in np.quantile(distance, [0.1, 0.5, 0.9]) + 1e-9:
        assert attack(w, x, (f > 0).astype(int), size) == (distance > size).mean()


def test_every_step_of_the_attack(rng):
    """A naive attack from the same random starts: steps of a quarter of the radius up the cross-entropy, kept in the ball."""
    w, x, y, seen, pulled = rng.normal(size=(3, 4)), rng.normal(size=(6, 3)), np.array([0, 1, 2, 3, 0, 1]), [], []
    accuracy = measures.pgd_accuracy(
        lambda z: seen.append(z) or z @ w,
        lambda z, v: pulled.append(v) or v @ w.T,
        x, y, epsilon=0.5, n_steps=3, n_restarts=2, rng=np.random.default_rng(4),
    )  # fmt: skip
    starts, radius, path, slopes = np.random.default_rng(4), 0.5 * measures.input_sd(x), [x], []
    scale = np.sqrt(((x @ w - (x @ w).mean(axis=1, keepdims=True)) ** 2).mean())
    for _ in range(2):
        path.append(x + starts.uniform(-radius, radius, x.shape))
        for _ in range(3):
            odds = np.exp(path[-1] @ w / scale)
            slopes.append(odds / odds.sum(axis=1, keepdims=True) - np.eye(4)[y])
            path.append(np.clip(path[-1] + radius / 4 * np.sign(slopes[-1] @ w.T), x - radius, x + radius))
    np.testing.assert_allclose(seen, path)
    np.testing.assert_allclose(pulled, slopes)
    assert accuracy == np.all([(z @ w).argmax(axis=1) == y for z in path], axis=0).mean()


def test_a_sample_turned_on_the_way_is_turned():
    """Wrong in a band alone that the attack steps into and out of again."""
    x = np.array([[0.0], [10.0]])
    radius = measures.input_sd(x)
    accuracy = measures.pgd_accuracy(
        lambda z: np.where((z - x > 0.5 * radius) & (z - x < 0.8 * radius), -1.0, 1.0),
        lambda z, v: -v,
        x, np.array([1, 1]), epsilon=1.0, n_steps=8, n_restarts=1, rng=np.random.default_rng(0),
    )  # fmt: skip
    assert accuracy == 0


def test_logits_that_differ_in_the_tenth_digit_differ():
    options = {"epsilon": 0.0, "rng": np.random.default_rng(0)}
    far = np.array([[1e9, 1e9 + 1]] * 2)
    assert measures.pgd_accuracy(lambda x: far, lambda x, v: 0 * x, np.eye(2), np.array([1, 1]), **options) == 1


def test_input_sd_by_hand():
    assert measures.input_sd(np.array([[0.0, 10.0], [2.0, 10.0], [4.0, 16.0]])) == pytest.approx(
        np.sqrt((8 / 3 + 8) / 2)
    )


def test_two_columns_and_one_say_the_same(rng):
    w, x = rng.normal(size=(6, 1)), rng.normal(size=(50, 6))
    y = ((x @ w)[:, 0] > 0).astype(int)
    assert attack(np.column_stack([-w, w]), x, y, 0.2) == attack(w, x, y, 0.2)


def test_no_attack_gives_the_accuracy(rng):
    w, x, y = rng.normal(size=(4, 3)), rng.normal(size=(60, 4)), rng.integers(0, 3, size=60)
    assert attack(w, x, y, 0.0) == ((x @ w).argmax(axis=1) == y).mean()


def test_scaled_logits_are_no_defence(rng):
    """Logits a million times larger: their softmax has no gradient left, the attack finds one nevertheless."""
    w, x = rng.normal(size=(5, 3)), rng.normal(size=(40, 5))
    y = (x @ w).argmax(axis=1)
    plain = attack(w, x, y, 0.2)
    assert 0 < plain < 1
    assert attack(1e6 * w, x, y, 0.2) == plain


def test_accuracy_falls_with_the_size_of_the_attack(rng):
    w, x = rng.normal(size=(5, 3)), rng.normal(size=(80, 5))
    y = (x @ w).argmax(axis=1)
    accuracy = [attack(w, x, y, size) for size in (0.0, 0.1, 0.3, 1.0)]
    assert accuracy == sorted(accuracy, reverse=True)
    assert accuracy[0] == 1
    assert accuracy[-1] < 0.2


def test_broken_networks_give_nan():
    x, nothing = np.eye(2), np.full((2, 1), np.nan)
    options = {"epsilon": 0.1, "rng": np.random.default_rng(0)}
    accuracy = measures.pgd_accuracy(lambda x: nothing, lambda x, v: 0 * x, x, np.array([0, 1]), **options)
    assert np.isnan(accuracy)


# errors


def test_errors(rng):
    x, y = np.eye(4), np.array([1, 1, 1, -1])
    with pytest.raises(MeasureError, match="equally many conditions in each class, 2 to 4; got 3 and 1"):
        measures.parallelism_score(x, y, np.arange(4))
    with pytest.raises(MeasureError, match="4, 6, 8 or 10 conditions, got 3"):
        measures.shattering(x, np.array([0, 1, 2, 2]))
    with pytest.raises(MeasureError, match="needs 2 to 4 stimuli in each class"):
        measures.ccgp(x, y, np.arange(4))
    with pytest.raises(MeasureError, match="labels 4 numbers from 0 to 1"):
        attack(np.ones((4, 1)), x, np.array([0, 1, 2, 1]), 0.1)
    with pytest.raises(MeasureError, match="the two sets of features have lengths 4 and 3"):
        measures.transfer_accuracy(x, y, x[:, :3], y)
