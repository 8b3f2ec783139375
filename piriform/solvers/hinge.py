"""Which hyperplane does SVC(kernel="linear") fit?

min 1/2 |w|^2 + sum_i c_i max(0, 1 - y_i f(x_i)), intercept unpenalised. Method of multipliers: the
multipliers alpha of the trials move by sigma times the shortfall, clipped to [0, c]; each round
minimises a loss that is quadratic in pieces. It ends exactly, after a few rounds (Rockafellar 1976).
"""

import numpy as np

from piriform.solvers.newton import piecewise_minimum


def hinge_minimum(
    Z: np.ndarray, y: np.ndarray, caps: np.ndarray, penalty: np.ndarray, *, tol: float
) -> tuple[np.ndarray, int, bool]:
    """Return (w, b) of design Z (last column ones) with costs ``caps``, the steps, and whether it converged."""
    d = Z.shape[1]
    theta = np.zeros(d)
    alpha = 0.5 * caps
    sigma = caps.copy()
    free_intercept = penalty[-1] == 0
    anchor_pull = penalty.copy()
    if free_intercept:
        anchor_pull[-1] = 1e-6 * caps.mean()
    total = 0
    converged = False
    for _ in range(100):
        anchor = np.zeros(d)
        anchor[-1] = theta[-1] if free_intercept else 0.0
        theta, shortfall, steps, _ = piecewise_minimum(theta, Z, y, alpha, sigma, caps, anchor_pull, anchor, tol=tol)
        total += steps
        new = np.clip(alpha + sigma * shortfall, 0.0, caps)
        violation = np.abs(new - alpha) / sigma
        alpha = new
        balanced = abs(y @ alpha) <= tol * caps.sum() or not free_intercept
        if violation.max() <= tol and balanced:
            converged = True
            break
        sigma = np.minimum(sigma * 10, 1e7 * caps)
    if free_intercept and not ((alpha > 0) & (alpha < caps)).any():
        theta[-1] = middle_intercept(Z[:, :-1] @ theta[:-1], y, caps)
    return theta, total, converged


def middle_intercept(scores: np.ndarray, y: np.ndarray, caps: np.ndarray) -> float:
    """Return the middle of the interval of intercepts that minimise the hinge loss of fixed scores."""
    bends = y - scores  # y_i (s_i + b) = 1
    order = np.argsort(bends, kind="stable")
    slope = -caps[y > 0].sum() + np.cumsum(caps[order])
    at = int(np.argmax(slope >= -1e-9 * caps.sum()))
    if abs(slope[at]) <= 1e-9 * caps.sum() and at + 1 < len(order):
        return 0.5 * (bends[order[at]] + bends[order[at + 1]])
    return bends[order[at]]
