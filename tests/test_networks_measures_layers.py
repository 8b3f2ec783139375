"""Collapse, weights, stability, separation and the standard set of a checkpoint."""

from itertools import combinations

import numpy as np
import pytest

from piriform import solvers
from piriform.errors import MeasureError
from piriform.networks import measures
from piriform.networks.measures.collapse import disagreement
from piriform.networks.measures.moments import class_moments, moments


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def simplex(n_classes, n_each=4):
    """Perfectly collapsed features, their labels and their readout."""
    corners = np.eye(n_classes) - 1 / n_classes
    return np.repeat(corners, n_each, axis=0) + 3, np.repeat(np.arange(n_classes), n_each), 2 * corners


def two_clouds(rng, distance, n_each, n_units):
    y = np.repeat([0, 1], n_each)
    x = rng.normal(size=(2 * n_each, n_units))
    x[:, 0] += distance * y
    return x, y


# neural collapse


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_collapse_of_a_simplex_is_complete(n_classes):
    x, y, w = simplex(n_classes)
    values = measures.neural_collapse(x, y, outputs=x @ w.T, weights=w)
    for name in ("nc1", "cdnv", "nc2_norm", "nc2_angle", "nc3", "nc4"):
        assert getattr(values, name) == pytest.approx(0, abs=1e-12), name


def test_nc1_of_two_classes_is_2_over_dprime_squared(rng):
    x, y = two_clouds(rng, 4.0, 20000, 3)
    values = measures.neural_collapse(x, y)
    assert values.nc1 == pytest.approx(2 / 16, rel=0.05)
    assert values.cdnv == pytest.approx(3 / 16, rel=0.05)
    assert values.nc2_angle == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("breadth", [1.0, 0.01])
def test_collapse_follows_its_definition(rng, breadth):
    x, y, w = rng.normal(size=(40, 6)), np.repeat(np.arange(4), [5, 10, 12, 13]), rng.normal(size=(4, 6))
    x[:, 0] += y  # means of different lengths
    x[:, 1:] *= breadth  # which lie nearly on a line if small
    means = np.array([x[y == c].mean(axis=0) for c in range(4)])
    f = -((x[:, None] - means) ** 2).sum(axis=2) + 0.1 * rng.normal(size=(40, 4))
    centred = means - means.mean(axis=0)
    within = sum((x[y == c] - means[c]).T @ (x[y == c] - means[c]) for c in range(4)) / 40
    variance = [((x[y == c] - means[c]) ** 2).sum(axis=1).mean() for c in range(4)]
    norms = np.linalg.norm(centred, axis=1)
    pairs = list(combinations(range(4), 2))
    values = measures.neural_collapse(x, y, outputs=f, weights=w)
    assert values.nc1 == pytest.approx(np.trace(within @ np.linalg.pinv(centred.T @ centred / 4)) / 4)
    cdnv = [(variance[c] + variance[d]) / (2 * ((means[c] - means[d]) ** 2).sum()) for c, d in pairs]
    assert values.cdnv == pytest.approx(np.mean(cdnv))
    angle = [abs(centred[c] @ centred[d] / norms[c] / norms[d] + 1 / 3) for c, d in pairs]
    assert values.nc2_angle == pytest.approx(np.mean(angle))
    assert values.nc2_norm == pytest.approx(norms.std() / norms.mean())
    difference = w / np.linalg.norm(w) - centred / np.linalg.norm(centred)
    assert values.nc3 == pytest.approx((difference**2).sum())
    nearest = ((x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert values.nc4 == pytest.approx((f.argmax(axis=1) != nearest).mean())


def test_one_output_means_two_classes(rng):
    x, y = two_clouds(rng, 3.0, 30, 4)
    w = rng.normal(size=(1, 4))
    one = measures.neural_collapse(x, y, outputs=x @ w.T, weights=w)
    two = measures.neural_collapse(x, y, outputs=x @ np.vstack([-w, w]).T, weights=np.vstack([-w, w]))
    assert one == two


def test_disagreement_on_other_samples(rng):
    x, y = rng.normal((3.0, 0, 0, 1), size=(30, 4)), np.repeat([0, 1, 2], 10)
    held, f = rng.normal((3.0, 0, 0, 1), size=(50, 4)), rng.normal(size=(50, 3))
    means = np.array([x[y == code].mean(axis=0) for code in range(3)])
    nearest = ((held[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    shared = moments(x)
    found = disagreement(shared, class_moments(shared, y), f, features=held)
    assert found == pytest.approx((f.argmax(axis=1) != nearest).mean())


def test_broken_outputs_leave_what_needs_none():
    x, y, w = simplex(3)
    values = measures.neural_collapse(x, y, outputs=np.full((12, 3), np.nan), weights=w)
    assert np.isnan(values.nc4)
    assert [values.nc1, values.nc3] == pytest.approx([0, 0], abs=1e-12)


def test_coinciding_class_means_give_nan():
    values = measures.neural_collapse(np.tile([[1.0], [-1.0]], (4, 1)), np.repeat([0, 1], 4))
    assert all(np.isnan(value) for value in (values.nc1, values.cdnv, values.nc2_norm, values.nc3, values.nc4))


# weights


def test_effective_rank_known_answers(rng):
    assert measures.effective_rank(np.eye(7)) == pytest.approx(7)
    assert measures.effective_rank(np.outer(rng.normal(size=5), rng.normal(size=9))) == pytest.approx(1)
    w = rng.normal(size=(3, 6, 4))
    p = np.linalg.svd(w[1])[1] / np.linalg.svd(w[1])[1].sum()
    assert measures.effective_rank(5 * w)[1] == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert np.isnan(measures.effective_rank(np.zeros((2, 2))))


def test_weight_changes(rng):
    start = rng.normal(size=(200, 200))
    assert measures.weight_change(start + 2, start) == pytest.approx(400)
    assert measures.relative_change(3 * start, start) == pytest.approx(2)
    assert np.isnan(measures.relative_change(start, 0 * start))
    assert measures.sign_similarity(5 * start, start) == 1
    assert measures.sign_similarity(np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[0.0, 1.0, 0.0, 1.0]])) == 0.5
    unrelated = measures.sign_similarity(rng.normal(size=(200, 200)), start)
    assert abs(unrelated - 0.5) < 4 * 0.5 / 200


# stability


@pytest.mark.parametrize(("dtype", "gap"), [("float32", 16.636), ("float64", 36.737)])
def test_softmax_collapses_at_the_gap_of_its_format(dtype, gap):
    z = np.array([[gap - 0.01, 0.0], [gap + 0.01, 0.0]])
    assert measures.softmax_collapse(z[:1], dtype=dtype) == 0
    assert measures.softmax_collapse(z[1:], dtype=dtype) == 1
    assert measures.softmax_collapse(z[:, :1].astype(dtype)) == 0.5
    assert np.isnan(measures.softmax_collapse(np.array([[np.nan, 0.0]])))


def test_descent_alignment(rng):
    w = rng.normal(size=(2, 1000))
    assert measures.descent_alignment(-w * 1e-200, w).tolist() == pytest.approx([1, 1])
    assert measures.descent_alignment(w[0], w[0]) == pytest.approx(-1)
    assert abs(measures.descent_alignment(w[0], w[1])) < 4 / np.sqrt(1000)
    assert np.isnan(measures.descent_alignment(np.zeros(3), np.ones(3)))


# separation


def test_fisher_of_gaussian_clouds(rng):
    x, y = two_clouds(rng, 2.0, 4000, 3)
    assert measures.fisher_log2(x, y) == pytest.approx(np.log2(2.0**2 / 2), abs=0.1)


def test_fisher_follows_its_definition(rng):
    x, y = rng.normal(size=(36, 4)) * [1, 1, 1e-3, 1], np.repeat([0, 1, 2], 12)  # a quiet unit counts
    halves = np.tile([0, 1], 18)
    logs = []
    for c, d in combinations(range(3), 2):
        ratios = []
        for half in (0, 1):
            seen, other = halves == half, halves != half
            rest = np.concatenate([x[seen & (y == k)] - x[seen & (y == k)].mean(axis=0) for k in range(3)])
            s = rest.T @ rest / (18 - 3)
            s = 0.7 * s + 0.3 * np.diag(np.diag(s))
            w = np.linalg.solve(s, x[seen & (y == c)].mean(axis=0) - x[seen & (y == d)].mean(axis=0))
            p, q = x[other & (y == c)] @ w, x[other & (y == d)] @ w
            ratios.append((p.mean() - q.mean()) ** 2 / (p.var() + q.var()))
        logs.append(np.log2(np.mean(ratios)))
    assert measures.fisher_log2(x, y, shrinkage=0.3, halves=halves) == pytest.approx(np.mean(logs))


def test_fisher_without_difference_is_small(rng):
    y = np.repeat([0, 1], 100)
    ratio = 2 ** measures.fisher_log2(rng.normal(size=(100, 200, 5)), y)
    # the difference of two means of 50 samples, squared, over 2 variances: 1/50
    assert abs(ratio.mean() - 1 / 50) < 4 * ratio.std() / 10 + 0.001


def test_margin_of_two_points_apart():
    x = np.repeat([[2.0, 0.0], [0.0, 2.0]], 4, axis=0)
    # unit length, at right angles: half the distance is 1/sqrt(2)
    assert measures.rms_margin(x, np.repeat([0, 1], 4), C=1e6) == pytest.approx(np.sqrt(0.5))


def test_margin_is_held_out_and_ignores_scale(rng):
    x, y = two_clouds(rng, 3.0, 20, 5)
    halves = rng.permutation(np.tile([0, 1], 20))
    unit = x / np.sqrt((x**2).sum() / len(x))
    signs, values = np.where(y == 1, 1, -1), np.zeros(40)
    for half in (0, 1):
        model = solvers.fit(unit, signs, halves != half, standardize=False, C=2.0)
        values[halves == half] = (signs * model.decision_values(unit)[0] / model.norms())[halves == half]
    expected = np.mean([values[y == code].mean() for code in (0, 1)])
    assert measures.rms_margin(9 * x, y, C=2.0, halves=halves) == pytest.approx(expected)


def test_margin_without_difference_is_0(rng):
    y = np.repeat([0, 1], 20)
    margins = measures.rms_margin(rng.normal(size=(40, 40, 30)), y)
    assert abs(margins.mean()) < 4 * margins.std() / np.sqrt(40)


def test_margin_of_three_classes_is_the_mean_against_the_rest(rng):
    x, y = rng.normal(size=(30, 4)), np.repeat([0, 1, 2], 10)
    assert np.isfinite(measures.rms_margin(x, y))
    halves = np.tile([0, 1], 15)
    each = [measures.rms_margin(x, y == code, halves=halves) for code in range(3)]
    assert measures.rms_margin(x, y, halves=halves) == pytest.approx(np.mean(each))


def test_silent_layers_have_no_margin():
    x = np.zeros((8, 2))
    assert np.isnan(measures.rms_margin(x, np.repeat([0, 1], 4)))
    x[0] = 1  # varies in one half only
    assert np.isnan(measures.rms_margin(x, np.repeat([0, 1], 4)))
    assert np.isnan(measures.fisher_log2(x[[0, 1, 4, 5]], np.array([0, 0, 1, 1])))


# errors


def test_errors(rng):
    x, y, w = rng.normal(size=(3, 2, 40, 6)), np.repeat(["nontarget", "target"], 20), rng.normal(size=(3, 2, 1, 6))
    with pytest.raises(MeasureError, match="one label per sample"):
        measures.neural_collapse(x, y[:3])
    with pytest.raises(MeasureError, match="at least two classes are needed"):
        measures.neural_collapse(x, np.ones(40))
    with pytest.raises(MeasureError, match="outputs have 3 columns, expected one per class, 2"):
        measures.neural_collapse(x, y, outputs=np.zeros((3, 2, 40, 3)))
    with pytest.raises(MeasureError, match=r"expected \(\.\.\., n_classes, n_units\)"):
        measures.neural_collapse(x, y, weights=np.zeros((3, 6)))
    with pytest.raises(MeasureError, match="halves must be 40 numbers 0 or 1"):
        measures.rms_margin(x, y, halves=np.full(40, 2))
    with pytest.raises(MeasureError, match="a class lacks samples in one half"):
        measures.rms_margin(x, y, halves=(y == "target").astype(int))
    with pytest.raises(MeasureError, match="weights and start have lengths 6 and 5"):
        measures.weight_change(w, w[..., :5])
