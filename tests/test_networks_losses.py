"""Are losses, their gradients and the steps that follow from them right?"""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from piriform.errors import ConfigError

pytest.importorskip("jax", reason="networks need JAX")

from piriform.networks.architectures import apply, deep_linear
from piriform.networks.backend import jax, optax, precision
from piriform.networks.losses import LOSSES, batch_loss, held_margin, margins, stablemax
from piriform.networks.optimizers import bounded, global_norm, optimizer, orthogonal_part

HYPER = {"learning_rate": 0.1, "weight_decay": 0.0, "epsilon": 1e-8}


def test_stablemax_of_one_and_minus_one():
    assert np.asarray(stablemax(np.array([[1.0, -1.0]]))) == pytest.approx(np.array([[0.8, 0.2]]))


def test_losses_by_hand():
    one, labels = np.array([[2.0], [-1.0], [0.5]]), np.array([1, 0, 0])  # margins 2, 1, -.5
    assert np.asarray(margins(one, labels)).tolist() == [2.0, 1.0, -0.5]
    expected = {
        "cross_entropy": np.log1p(np.exp(-np.array([2, 1, -0.5]))).mean(),
        "hinge": (0 + 0.5 + 2) / 3,
        "squared": ((2 - 1) ** 2 + 0 + 1.5**2) / 6,
        # two logits f / 2 and -f / 2: s(1) = 2, s(-1) = 1/2; s(.5) = 3/2, s(-.5) = 2/3; s(.25) = 5/4, s(-.25) = 4/5
        "stablemax": -(np.log(2 / 2.5) + np.log(1.5 / (1.5 + 2 / 3)) + np.log(0.8 / 2.05)) / 3,
    }
    for name, value in expected.items():
        assert float(batch_loss(name, one, labels, threshold=1.5)) == pytest.approx(value, rel=1e-5), name


def test_losses_of_many_classes_by_hand():
    logits, labels = np.array([[1.0, -1.0, 0.0]], dtype=np.float32), np.array([2])
    assert np.asarray(margins(logits, labels)).tolist() == [-1.0]
    exp = np.exp(logits[0])
    assert float(batch_loss("cross_entropy", logits, labels)) == pytest.approx(-np.log(exp[2] / exp.sum()), rel=1e-5)
    assert float(batch_loss("stablemax", logits, labels)) == pytest.approx(-np.log(1 / 3.5), rel=1e-5)
    assert float(batch_loss("hinge", logits, labels, threshold=0.5)) == pytest.approx(1.5)
    assert float(batch_loss("squared", logits, labels)) == pytest.approx((4 + 0 + 1) / 2)
    assert float(batch_loss("squared", np.float32([[1.0]]), np.float32([[3.0]]))) == pytest.approx(2.0)


@pytest.mark.parametrize("n_outputs", [1, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_finite_differences(name, n_outputs):
    rng = np.random.default_rng(0)
    outputs, labels = rng.standard_normal((5, n_outputs)), rng.integers(0, max(n_outputs, 2), 5)
    with precision("float64"):

        @jax.jit
        @jax.value_and_grad
        def loss(flat):
            return batch_loss(name, flat.reshape(5, n_outputs), labels, threshold=0.7)

        numeric = approx_fprime(outputs.ravel(), lambda flat: float(loss(flat)[0]), 1e-7)
        assert np.asarray(loss(outputs.ravel())[1]) == pytest.approx(numeric, abs=1e-6)


def test_cross_entropy_collapses_where_stablemax_does_not():
    far, labels = np.array([[200.0, 0.0]], dtype=np.float32), np.array([0])
    each = [jax.grad(partial(batch_loss, name, labels=labels)) for name in ("cross_entropy", "stablemax")]
    cross_entropy, stable = map(np.asarray, jax.jit(lambda outputs: [slope(outputs) for slope in each])(far))
    assert (cross_entropy == 0).all()
    assert (stable != 0).all()


def test_a_held_margin_is_penalised_outside_its_range_alone():
    hyper = {"margin_low": 0.5, "margin_high": 1.0, "margin_strength": 2.0}
    outputs, labels = np.array([[3.0], [0.7], [0.1]]), np.array([1, 1, 1])
    assert float(held_margin(outputs, labels, 1.0, hyper)) == pytest.approx(2 * (4 + 0 + 0.16) / 3, rel=1e-5)
    assert float(held_margin(outputs, labels, 2.0, hyper)) == pytest.approx(2 * (0.25 + 0.0225 + 0.2025) / 3, rel=1e-5)


def test_perp_grad_is_orthogonal_and_keeps_the_norm():
    rng = np.random.default_rng(0)
    gradient, weights = rng.standard_normal((2, 6, 4)).astype(np.float32)
    part = np.asarray(orthogonal_part(gradient, weights))
    assert abs((part * weights).sum()) < 1e-5
    assert np.linalg.norm(part) == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    naive = gradient - (weights * gradient).sum() / (weights**2).sum() * weights
    assert part / np.linalg.norm(part) == pytest.approx(naive / np.linalg.norm(naive), abs=1e-6)


def test_perp_grad_of_zero_weights_and_of_zero_gradients():
    ones, zeros = np.ones(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    assert np.asarray(orthogonal_part(ones, zeros)) == pytest.approx(ones)
    assert (np.asarray(orthogonal_part(zeros, ones)) == 0).all()


def step_of(name, gradient, weights, *, n_steps=1, **options):
    made = optimizer(name, HYPER | options, perp_grad=options.pop("perp_grad", False))
    state = made.init({"w": weights})
    for _ in range(n_steps):
        step, state = made.update({"w": gradient}, state, {"w": weights})
    return np.asarray(step["w"])


def test_steps_by_hand():
    g, w = np.array([2.0, -4.0], dtype=np.float32), np.array([1.0, 3.0], dtype=np.float32)
    assert step_of("sgd", g, w) == pytest.approx(-0.1 * g)
    assert step_of("sgd", g, w, weight_decay=0.5) == pytest.approx(-0.1 * (g + 0.5 * w))
    assert step_of("momentum", g, w, n_steps=2) == pytest.approx(-0.1 * 1.9 * g)
    assert step_of("adam", g, w) == pytest.approx([-0.1, 0.1], rel=1e-4)
    assert step_of("adam", g, w, epsilon=1.0) == pytest.approx([-0.1 * 2 / (2 + 1), 0.1 * 4 / (4 + 1)], rel=1e-4)
    assert step_of("momentum", g, w, n_steps=2, weight_decay=0.5) == pytest.approx(-0.1 * 1.9 * (g + 0.5 * w))
    assert step_of("adam", g, w, weight_decay=0.5) == pytest.approx([-0.1 - 0.05, 0.1 - 0.15], rel=1e-4)
    assert abs(step_of("sgd", g, w, perp_grad=True) @ w) < 1e-6
    assert step_of("sgd", g, w, perp_grad=np.array(False)) == pytest.approx(-0.1 * g)


def test_a_bound_scales_down_alone():
    weights = {"a": np.float32([3.0]), "b": np.float32([4.0])}
    assert float(global_norm(weights)) == pytest.approx(5)
    assert {name: float(value[0]) for name, value in bounded(weights, 2.5).items()} == pytest.approx({"a": 1.5, "b": 2})
    for loose in (5.5, np.inf):
        assert {name: float(value[0]) for name, value in bounded(weights, loose).items()} == {"a": 3, "b": 4}


def test_deep_linear_dynamics_have_their_closed_form():
    """s(t) = sigma e^(2 sigma t / tau) / (e^(2 sigma t / tau) - 1 + sigma / s0) of each mode (Saxe et al. 2014)."""
    network, strength, start, rate, n_steps = deep_linear(3, (3,), 3), np.array([3.0, 2.0, 1.0]), 0.01, 0.01, 900
    made = optimizer("sgd", HYPER | {"learning_rate": rate})
    inputs, targets = np.eye(3), np.diag(strength)

    def step(carry, _):
        weights, state = carry
        gradient = jax.grad(lambda p: batch_loss("squared", apply(network, p, inputs), targets))(weights)
        updates, state = made.update(gradient, state, weights)
        weights = optax.apply_updates(weights, updates)
        return (weights, state), weights["w1"] @ weights["readout"]

    with precision("float64"):
        weights = {name: np.sqrt(start) * np.eye(3) for name in ("w1", "readout")}
        _, course = jax.lax.scan(step, (weights, made.init(weights)), None, length=n_steps)
    time = np.arange(1, n_steps + 1)[:, None] * rate / 3  # tau = trials in the mean loss / rate
    growth = np.exp(2 * strength * time)
    expected = strength * growth / (growth - 1 + strength / start)
    found = np.diagonal(np.asarray(course), axis1=1, axis2=2)
    assert found == pytest.approx(expected, abs=0.02 * strength.max())
    assert np.abs(np.asarray(course) - np.asarray(course) * np.eye(3)).max() < 1e-12


def test_unknown_names():
    with pytest.raises(ConfigError, match="unknown loss 'huber'; choose from cross_entropy, hinge, squared, stablemax"):
        batch_loss("huber", np.zeros((1, 1)), np.zeros(1, dtype=int))
    with pytest.raises(ConfigError, match="unknown optimizer 'adm'"):
        optimizer("adm", HYPER)
