"""Kernels, their alignment, CKA, and richness: known answers, naive oracles, invariances, nulls, errors."""

from itertools import permutations

import numpy as np
import pytest

from piriform.errors import MeasureError
from piriform.networks import measures
from piriform.networks.measures.richness import output_basis
from piriform.networks.measures.similarity import debiased_hsic


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def rotation(n, rng):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


# known answers


def test_cka_of_a_layer_with_itself_is_1(rng):
    x = rng.normal(size=(40, 8))
    for debiased in (False, True):
        assert measures.cka(x, x, debiased=debiased) == pytest.approx(1, abs=1e-12)


def test_cka_of_orthogonal_subspaces_is_0(rng):
    q, _ = np.linalg.qr(np.column_stack([np.ones(20), rng.normal(size=(20, 8))]))
    assert measures.cka(q[:, 1:5], q[:, 5:9]) == pytest.approx(0, abs=1e-12)


def test_cka_of_noise_is_large_unless_debiased(rng):
    first, second = rng.normal(size=(2, 60, 30, 300))
    assert measures.cka(first, second).min() > 0.8
    debiased = measures.cka(first, second, debiased=True)
    assert abs(debiased.mean()) < 4 * debiased.std() / np.sqrt(60)


def test_linear_model_has_the_kernel_of_its_inputs_at_all_times(rng):
    x = rng.normal(size=(12, 5))
    kernels = [measures.jacobian_kernel(np.repeat(x[:, None], 1, axis=1)) for _ in range(2)]
    np.testing.assert_allclose(kernels[0], x @ x.T)
    assert measures.kernel_change(*kernels) == pytest.approx(0, abs=1e-12)
    assert measures.kernel_drift(*kernels) == 0


def test_kernel_of_the_target_is_aligned_and_the_identity_hardly(rng):
    y = rng.normal(size=50)
    assert measures.target_alignment(np.outer(y, y), y) == pytest.approx(1)
    assert measures.target_alignment(np.eye(50), y) == pytest.approx(1 / np.sqrt(50))


def test_richness_of_collapsed_features_is_0():
    for n_classes in (2, 3, 10):
        simplex = np.repeat(np.eye(n_classes) - 1 / n_classes, 5, axis=0)
        assert measures.richness(simplex, simplex) == pytest.approx(0, abs=1e-7)


def test_richness_of_orthonormal_features(rng):
    q, _ = np.linalg.qr(np.column_stack([np.ones(40), rng.normal(size=(40, 12))]))
    assert measures.richness(q[:, 1:], q[:, 1:4]) == pytest.approx(1 - 3 / np.sqrt(36))


def test_richness_of_random_features_is_near_1(rng):
    x = rng.normal(size=(600, 500))
    assert measures.richness(x, rng.normal(size=(600, 1))) > 0.95


def test_lazy_networks_keep_their_kernel(rng):
    """One hidden layer, squared error, output scale alpha, learning rate 1/alpha^2: the change falls with alpha."""
    x, a = rng.normal(size=(20, 6)) / np.sqrt(6), np.tile([1.0, -1.0], 32)
    y, w0 = np.sign(x[:, 0]), np.repeat(rng.normal(size=(32, 6)), 2, axis=0)

    def kernel(w, alpha):
        pre = x @ w.T
        sensitivity = alpha / 64 * a * (pre > 0)
        return measures.dense_tangent_kernel([x], [sensitivity[:, None]]), np.maximum(pre, 0), sensitivity

    changes = []
    for alpha in (1.0, 10.0, 100.0):
        w = w0.copy()
        for _ in range(300):
            _, h, sensitivity = kernel(w, alpha)
            w -= 10 / alpha**2 * ((alpha / 64 * h @ a - y)[:, None] * sensitivity).T @ x
        changes.append(measures.kernel_change(kernel(w, alpha)[0], kernel(w0, alpha)[0]))
    assert changes[0] > 5 * changes[1] > 25 * changes[2]
    assert changes[2] < 1e-3


# definitions


def test_debiased_hsic_is_the_mean_over_quadruples(rng):
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    k, m = x @ x.T, y @ y.T
    terms = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(6), 4)]
    assert debiased_hsic(x, y) == pytest.approx(np.mean(terms))


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_of_features_is_that_of_their_kernels(rng, debiased):
    x, y = rng.normal(size=(3, 15, 6)), rng.normal(size=(3, 15, 4)) + 2
    kernels = [measures.feature_kernel(values) for values in (x, y)]
    np.testing.assert_allclose(
        measures.cka(x, y, debiased=debiased), measures.cka_of_kernels(*kernels, debiased=debiased)
    )


def test_richness_is_1_minus_cka_with_the_projection_onto_the_outputs(rng):
    x, f = rng.normal(size=(30, 9)), rng.normal(size=(30, 3)) @ np.diag([1, 10, 100])
    basis = output_basis(f)
    expected = 1 - measures.cka_of_kernels(x @ x.T, basis @ basis.T)
    assert measures.richness(x, f) == pytest.approx(float(expected))


def test_kernel_of_several_outputs_is_the_sum_of_theirs(rng):
    jacobian = rng.normal(size=(2, 6, 3, 5))
    expected = sum(jacobian[:, :, o] @ jacobian[:, :, o].swapaxes(1, 2) for o in range(3))
    np.testing.assert_allclose(measures.jacobian_kernel(jacobian), expected)


def test_dense_kernel_is_that_of_the_jacobian(rng):
    x, w, a = rng.normal(size=(7, 4)), rng.normal(size=(5, 4)), rng.normal(size=(2, 5))
    h = np.tanh(x @ w.T)
    slope = a * (1 - h**2)[:, None]  # samples x outputs x units
    by_w = np.einsum("nou,ni->noui", slope, x).reshape(7, 2, -1)
    by_a = np.einsum("op,nu->nopu", np.eye(2), h).reshape(7, 2, -1)
    full = measures.jacobian_kernel(np.concatenate([by_w, by_a], axis=2))
    dense = measures.dense_tangent_kernel([x, h], [slope, np.repeat(np.eye(2)[None], 7, axis=0)])
    np.testing.assert_allclose(dense, full)


def test_target_alignment_with_several_outputs_is_a_cosine(rng):
    x, y = rng.normal(size=(10, 4)), rng.normal(size=(10, 3))
    expected = measures.kernel_alignment(x @ x.T, y @ y.T)
    assert measures.target_alignment(x @ x.T, y) == pytest.approx(float(expected))


def test_quality_and_utilization_are_projections(rng):
    x, y, f = rng.normal(size=(20, 6)), rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    spectrum = measures.feature_spectrum(x, y, f)
    left, size, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(spectrum.intensity, size**2 / size[0] ** 2)
    q = np.linalg.qr(y - y.mean(axis=0))[0]
    np.testing.assert_allclose(spectrum.quality, ((q.T @ left) ** 2).sum(axis=0) / 2)
    f = f - f.mean()
    np.testing.assert_allclose(spectrum.utilization, (f.T @ left)[0] ** 2 / (f**2).sum())


def test_tolerance_says_what_is_no_direction(rng):
    """Outputs, and features, of singular values 1, 1e-3 and 1e-7: three, two or one count."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(30), rng.normal(size=(30, 9))]))
    x, f = q[:, 1:] * np.arange(1, 10), q[:, 1:4] * [1.0, 1e-3, 1e-7] + 4
    for tolerance, n_outputs in ((1e-2, 1), (1e-5, 2), (1e-9, 3)):
        counted = q[:, 1 : 1 + n_outputs]
        expected = measures.richness(x, counted)
        assert measures.richness(x, f, tolerance=tolerance) == pytest.approx(float(expected))
        spectrum = measures.feature_spectrum(f, q[:, 1:4], x, tolerance=tolerance)
        np.testing.assert_allclose(spectrum.quality, (np.arange(3) < n_outputs) / 3, atol=1e-6)
        spectrum = measures.feature_spectrum(x[:, :3], f, x[:, 3:5], tolerance=tolerance)
        np.testing.assert_allclose(spectrum.quality, (np.arange(3) >= 3 - n_outputs) / n_outputs, atol=1e-6)
        np.testing.assert_allclose(spectrum.utilization, 0, atol=1e-6)
    assert measures.richness(x, f) == pytest.approx(float(measures.richness(x, q[:, 1:3])))


# invariances


def test_cka_ignores_rotation_scale_and_shift(rng):
    x, y = rng.normal(size=(25, 7)), rng.normal(size=(25, 5))
    for debiased in (False, True):
        before = measures.cka(x, y, debiased=debiased)
        after = measures.cka(3 * x @ rotation(7, rng) + 4, y, debiased=debiased)
        assert after == pytest.approx(float(before))


def test_richness_ignores_scale_and_rounding_in_the_outputs(rng):
    x, f = rng.normal(size=(30, 9)), rng.normal(size=(30, 1))
    twice = np.column_stack([f, -f]) + 1e-8 * rng.normal(size=(30, 2))
    assert measures.richness(7 * x, twice) == pytest.approx(float(measures.richness(x, f)), abs=1e-6)


def test_quality_sums_to_1_if_features_express_the_targets(rng):
    x = rng.normal(size=(20, 6))
    assert measures.feature_spectrum(x, x[:, :2], x[:, 2:3]).quality.sum() == pytest.approx(1)


def test_a_network_that_is_not_finite_disturbs_no_other(rng):
    x, f = rng.normal(size=(2, 20, 4)), rng.normal(size=(2, 20, 1))
    broken = x.copy()
    broken[0, 3, 1] = np.inf
    for values in (measures.richness(broken, f), measures.feature_spectrum(broken, f, f).intensity[:, 0]):
        assert np.isnan(values[0])
        assert np.isfinite(values[1])
    assert measures.richness(broken, f)[1] == measures.richness(x, f)[1]
    for debiased in (False, True):
        assert np.isnan(measures.cka(broken, x, debiased=debiased)).tolist() == [True, False]
    whole, kernels = np.stack([np.eye(3)] * 2), np.stack([np.full((3, 3), np.inf), np.eye(3)])
    for measure in (measures.kernel_alignment, measures.kernel_drift, measures.cka_of_kernels):
        assert np.isnan(measure(kernels, whole)).tolist() == [True, False]
        assert np.isnan(measure(whole, kernels)).tolist() == [True, False]


def test_quality_of_random_functions(rng):
    spectrum = measures.feature_spectrum(*rng.normal(size=(3, 200, 40, 10)))
    first = spectrum.quality[:, 0]
    assert abs(first.mean() - 1 / 39) < 4 * first.std() / np.sqrt(200)


def test_layers_that_do_not_vary_give_nan():
    assert np.isnan(measures.cka(np.ones((5, 2)), np.eye(5)[:, :2]))
    assert np.isnan(measures.richness(np.ones((5, 2)), np.eye(5)[:, :2]))
    assert np.isnan(measures.richness(np.eye(5)[:, :2], np.ones((5, 2))))


# errors


def test_errors():
    with pytest.raises(MeasureError, match=r"features has shape \(3,\), expected \(\.\.\., n_samples"):
        measures.feature_kernel(np.ones(3))
    with pytest.raises(MeasureError, match="the two layers have lengths 4 and 5"):
        measures.cka(np.ones((4, 1)), np.ones((5, 1)))
    with pytest.raises(MeasureError, match="at least 4 samples, got 3"):
        measures.cka(np.eye(3)[:, :2], np.eye(3)[:, 1:], debiased=True)
    with pytest.raises(MeasureError, match=r"the kernel has shape \(2, 3\)"):
        measures.target_alignment(np.ones((2, 3)), np.ones(2))
    with pytest.raises(MeasureError, match="jacobian has shape"):
        measures.jacobian_kernel(np.ones((2, 3)))
    with pytest.raises(MeasureError, match="2 layers of activities and 1 of sensitivities"):
        measures.dense_tangent_kernel([np.ones((2, 3))] * 2, [np.ones((2, 1, 3))])
