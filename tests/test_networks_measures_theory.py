"""Closed forms against simulation: the polynomial task and deep linear networks."""

import numpy as np
import pytest

from piriform.errors import MeasureError
from piriform.networks import measures


def test_three_term_loss_is_the_test_loss():
    """Monte Carlo of the squared error over new inputs, within its standard error."""
    rng = np.random.default_rng(0)
    n_units, n_inputs, alpha, eps = 30, 8, 0.7, 0.25
    w, beta = rng.normal(size=(n_units, n_inputs)) + 0.6, rng.normal(size=n_inputs)
    x = rng.normal(size=(200_000, n_inputs)) / np.sqrt(n_inputs)
    h = x @ w.T
    f = alpha * (h + eps / 2 * h**2).mean(axis=1)
    errors = (f - (x @ beta) ** 2 / 2) ** 2
    loss = measures.polynomial_test_loss(w, beta, alpha=alpha, eps=eps)
    assert abs(errors.mean() - loss.total) < 4 * errors.std() / np.sqrt(len(x))
    assert min(loss.trace, loss.shape, loss.linear) > 5 * errors.std() / np.sqrt(len(x))


def test_each_term_stands_for_its_fault():
    beta = np.array([2.0, 0.0])
    perfect = np.array([[2.0, 0.0], [-2.0, 0.0]])
    assert measures.polynomial_test_loss(perfect, beta, alpha=1, eps=1).total == 0
    turned = measures.polynomial_test_loss(perfect[:, ::-1], beta, alpha=1, eps=1)
    assert (turned.trace, turned.linear) == (0, 0)
    assert turned.shape == pytest.approx(4)  # |diag(-4, 4)|^2 / (2 * 4)
    lopsided = measures.polynomial_test_loss(np.array([[2.0, 0.0]]), beta, alpha=1, eps=1)
    assert (lopsided.trace, lopsided.shape, lopsided.linear) == (0, 0, 2)
    stacked = measures.polynomial_test_loss(np.stack([perfect, perfect[:, ::-1]]), beta, alpha=1, eps=1)
    np.testing.assert_allclose(stacked.total, [0, 4])


def test_mode_of_a_deep_linear_network_follows_the_closed_form():
    """Gradient descent of a two-layer linear network, balanced and small at the start, white inputs."""
    rng = np.random.default_rng(1)
    sigma, start, rate = np.array([3.0, 1.0]), np.array([0.01, 0.01]), 1e-3
    left, right = (np.linalg.qr(rng.normal(size=(4, 4)))[0][:, :2] for _ in range(2))
    task = left @ np.diag(sigma) @ right.T
    w1, w2 = np.diag(np.sqrt(start)) @ right.T, left @ np.diag(np.sqrt(start))
    times, strengths = np.arange(0, 6001, 500), []
    for step in range(6001):
        if step in times:
            strengths.append(np.diag(left.T @ w2 @ w1 @ right))
        error = task - w2 @ w1
        w1, w2 = w1 + rate * w2.T @ error, w2 + rate * error @ w1.T
    predicted = measures.mode_strength(times, sigma=sigma, start=start, tau=1 / rate)
    np.testing.assert_allclose(np.array(strengths).T, predicted, atol=0.02)
    assert predicted[0, -1] == pytest.approx(3, abs=0.01)


def test_mode_strength_solves_its_equation():
    t = np.linspace(0, 5, 2001)
    s = measures.mode_strength(t, sigma=np.array(2.0), start=np.array(0.05), tau=1.5)
    np.testing.assert_allclose(np.gradient(s, t, edge_order=2), 2 * s * (2 - s) / 1.5, atol=1e-4)


def test_mode_time_is_the_inverse():
    sigma, start = np.array([1.0, 4.0]), np.array([1e-3, 1e-3])
    times = measures.mode_time(sigma=sigma, start=start, end=sigma / 2, tau=10.0)
    reached = measures.mode_strength(times, sigma=sigma, start=start, tau=10.0)
    np.testing.assert_allclose(np.diag(reached), sigma / 2)
    assert times[1] < times[0]  # strong modes first
    unreachable = measures.mode_time(sigma=sigma, start=start, end=np.array([1.5, 1e-4]), tau=10.0)
    assert np.isnan(unreachable).all()


def test_errors():
    for sigma, start, tau in ((1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 1.0, 0.0)):
        with pytest.raises(MeasureError, match="must be above 0"):
            measures.mode_strength(np.zeros(1), sigma=np.array(sigma), start=np.array(start), tau=tau)
    with pytest.raises(MeasureError, match="weights and beta have lengths 3 and 2"):
        measures.polynomial_test_loss(np.ones((4, 3)), np.ones(2), alpha=1, eps=1)
