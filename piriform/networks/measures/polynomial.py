"""What test loss must a quadratic network have on the polynomial task, and from which of its three faults?

Kumar, Bordelon, Gershman, Pehlevan 2024 (arXiv:2310.06110): f(x) = (alpha / n_units) sum_i phi(w_i . x),
phi(h) = h + (eps/2) h^2, target y = (beta . x)^2 / 2, inputs x ~ N(0, I / n_inputs).
"""

from dataclasses import dataclass

import numpy as np

from piriform.arrays import as_samples, check_same


@dataclass(frozen=True)
class TestLoss:
    """Expected squared error over new inputs, in its three parts.

    Attributes
    ----------
    trace : A = ((|beta|^2 - alpha eps tr M) / D)^2 / 4, wrong overall power
    shape : B = |alpha eps M - beta beta'|_F^2 / (2 D^2), wrong directions
    linear : C = alpha^2 |mean w|^2 / D, a linear part that the target lacks
    """

    __test__ = False  # not a test, whatever pytest thinks of its name

    trace: np.ndarray
    shape: np.ndarray
    linear: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """A + B + C, the mean squared error E (f - y)^2 (without a factor 1/2)."""
        return self.trace + self.shape + self.linear


def polynomial_test_loss(weights: np.ndarray, beta: np.ndarray, *, alpha: float, eps: float) -> TestLoss:
    """Return the exact test loss of a quadratic network on the polynomial task.

    f - y = alpha wbar . x + x' (alpha eps M - beta beta') x / 2 with M = mean of w w', wbar = mean of w: the
    moments of a Gaussian give the three parts.

    Parameters
    ----------
    weights : (..., n_units, n_inputs) array
    beta : (n_inputs,) array

    Returns
    -------
    TestLoss of (...) arrays; NaN for weights that hold NaN

    Examples
    --------
    >>> loss = polynomial_test_loss(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, 0.0]), alpha=1.0, eps=1.0)
    >>> float(loss.total)
    0.0
    """
    w, b = as_samples(weights, "weights"), np.asarray(beta, dtype=np.float64)
    check_same(w, b, "weights and beta", axis=-1)
    n_units, n_inputs = w.shape[-2:]
    error = alpha * eps * (w.swapaxes(-1, -2) @ w) / n_units - np.outer(b, b)
    trace = np.trace(error, axis1=-2, axis2=-1)
    return TestLoss(
        (trace / n_inputs) ** 2 / 4,
        np.sum(error**2, axis=(-2, -1)) / (2 * n_inputs**2),
        alpha**2 * np.sum(w.mean(axis=-2) ** 2, axis=-1) / n_inputs,
    )
