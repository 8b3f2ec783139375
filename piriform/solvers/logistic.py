"""Which hyperplane does L2-regularised logistic regression fit?"""

import numpy as np

from piriform.solvers.newton import newton_step


def logistic_minimum(
    Z: np.ndarray, y: np.ndarray, weights: np.ndarray, penalty: np.ndarray, *, tol: float, max_iterations: int = 200
) -> tuple[np.ndarray, int, bool]:
    """Return the minimum of 1/2 theta' penalty theta + sum_i weights_i log(1 + exp(-y_i z_i theta)), by Newton's method."""
    from scipy.special import expit

    theta = np.zeros(Z.shape[1])
    margins = np.zeros(len(y))
    scale = np.sqrt((Z**2).sum(axis=0)) * weights.max() + 1e-300
    best = (np.inf, theta)
    for iteration in range(1, max_iterations + 1):
        miss = expit(-margins)
        gradient = penalty * theta - Z.T @ (y * weights * miss)
        size = np.abs(gradient / scale).max()
        # steps below the tolerance cost little and end where rounding does
        if best[0] <= tol and size > 0.1 * best[0]:
            return min(best, (size, theta), key=lambda point: point[0])[1], iteration, True
        best = (size, theta)
        H = (Z.T * (weights * miss * (1 - miss))) @ Z
        H[np.diag_indices_from(H)] += penalty
        step = newton_step(H, gradient)
        change = y * (Z @ step)
        first = gradient @ step
        t = 1.0
        for _ in range(60):
            if (penalty * (theta + t * step)) @ step - (weights * change) @ expit(
                -margins - t * change
            ) <= -0.5 * first:
                break
            t *= 0.5
        theta = theta + t * step
        margins = y * (Z @ theta)
    return theta, iteration, best[0] <= tol
