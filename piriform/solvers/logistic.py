"""Which hyperplane does L2-regularised logistic regression fit?"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit


def logistic_minimum(
    Z: np.ndarray, y: np.ndarray, weights: np.ndarray, penalty: np.ndarray, *, tol: float, max_iterations: int = 200
) -> tuple[np.ndarray, int, bool]:
    """Return the minimum of 1/2 theta' penalty theta + sum_i weights_i log(1 + exp(-y_i z_i theta)), by Newton's method."""
    theta = np.zeros(Z.shape[1])
    margins = np.zeros(len(y))
    scale = np.sqrt((Z**2).sum(axis=0)) * weights.max() + 1e-300
    for iteration in range(1, max_iterations + 1):
        miss = expit(-margins)
        gradient = penalty * theta - Z.T @ (y * weights * miss)
        if np.abs(gradient / scale).max() <= tol:
            return theta, iteration, True
        H = (Z.T * (weights * miss * (1 - miss))) @ Z
        H[np.diag_indices_from(H)] += penalty + 1e-12 * np.diag(H).max()
        step = -cho_solve(cho_factor(H, lower=True), gradient)
        change = y * (Z @ step)
        first = gradient @ step
        t = 1.0
        while (penalty * (theta + t * step)) @ step - (weights * change) @ expit(-margins - t * change) > -0.5 * first:
            t *= 0.5
        theta += t * step
        margins = y * (Z @ theta)
    return theta, iteration, False
