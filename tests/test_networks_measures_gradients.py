"""Gradients of small JAX functions against closed forms."""

import numpy as np
import pytest

from piriform.errors import MeasureError
from piriform.networks import measures

pytest.importorskip("jax")
import jax.numpy as jnp


def linear(params, x):
    return x @ params["w"]


def mlp(params, x):
    return jnp.tanh(x.reshape(len(x), -1) @ params["w"].T) @ params["a"].T


@pytest.fixture
def network():
    rng = np.random.default_rng(1)
    params = {"w": rng.normal(size=(5, 6)).astype("float32"), "a": rng.normal(size=(2, 5)).astype("float32")}
    return params, rng.normal(size=(7, 2, 3))


def test_linear_model():
    x = np.random.default_rng(0).normal(size=(9, 4))
    for scale in (1.0, 5.0):
        kernel = measures.tangent_kernel(linear, {"w": scale * np.ones((4, 1))}, x)
        np.testing.assert_allclose(kernel, x @ x.T, atol=1e-12)


@pytest.mark.parametrize("block", [1, 3, 64])
def test_blocks_give_the_closed_form(network, block):
    params, x = network
    w, a = (np.asarray(params[name], dtype=float) for name in "wa")
    flat = x.reshape(7, -1)
    h = np.tanh(flat @ w.T)
    expected = measures.dense_tangent_kernel(
        [flat, h], [a * (1 - h**2)[:, None], np.repeat(np.eye(2)[None], 7, axis=0)]
    )
    np.testing.assert_allclose(measures.tangent_kernel(mlp, params, x, block=block), expected, rtol=1e-10)


def test_pullback_is_the_transposed_jacobian(network):
    params, x = network
    outputs, pullback = measures.outputs_and_pullback(mlp, params)
    v, d = np.random.default_rng(2).normal(size=(7, 2)), np.random.default_rng(3).normal(size=x.shape)
    change = (outputs(x + 1e-6 * d) - outputs(x - 1e-6 * d)) / 2e-6
    assert outputs(x).dtype == np.float64
    assert np.sum(v * change) == pytest.approx(np.sum(pullback(x, v) * d), rel=1e-7)


def test_loss_gradient_stands_in_the_order_of_the_parameters(network):
    params, _ = network
    gradient = measures.loss_gradient(lambda p: (p["a"] ** 2).sum() / 2 + p["w"].sum(), params)
    np.testing.assert_allclose(gradient, np.concatenate([params["a"].ravel(), np.ones(30)]), rtol=1e-6)
    assert len(measures.flat_parameters(params)) == 40


def test_descent_alignment_of_a_network_that_only_scales(network):
    """A homogeneous loss of a perfect classifier falls along the weights alone."""
    gradient = measures.loss_gradient(lambda p: -(p["a"] ** 2).sum() / 2, {"a": np.array([3.0, 4.0])})
    assert measures.descent_alignment(gradient, np.array([3.0, 4.0])) == pytest.approx(1)


def test_attack_through_jax():
    """Two ReLU units, f = relu(x1) - relu(x2): from (1, .2) the smallest change that turns it is .4."""

    def apply(params, x):
        return (jnp.maximum(x, 0) * params["w"]).sum(axis=1, keepdims=True)

    x = np.array([[1.0, 0.2], [0.2, 1.0]])
    functions = measures.outputs_and_pullback(apply, {"w": np.array([1.0, -1.0])})
    sd = measures.input_sd(x)
    accuracy = [
        measures.pgd_accuracy(*functions, x, np.array([1, 0]), epsilon=eps / sd, rng=np.random.default_rng(0))
        for eps in (0.39, 0.41)
    ]
    assert accuracy == [1.0, 0.0]


def test_block_must_be_positive():
    with pytest.raises(MeasureError, match="block must be 1 or more, got 0"):
        measures.tangent_kernel(linear, {"w": np.ones((2, 1))}, np.ones((3, 2)), block=0)
