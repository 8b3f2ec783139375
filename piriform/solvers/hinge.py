"""Which hyperplane does SVC(kernel="linear") fit?

min 1/2 |w|^2 + sum_i c_i max(0, 1 - y_i f(x_i)), intercept unpenalised. Method of multipliers: the
multipliers alpha of the trials move by sigma times the shortfall, clipped to [0, c]; each round
minimises a loss that is quadratic in pieces (Rockafellar 1976). Once it is known which trials lie on
their margin, the minimum is the solution of linear equations.
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
        exact = _minimum_of_these_margins(theta, new, Z, y, caps, penalty)
        if exact is not None:
            theta, alpha = exact
            converged = True
            break
        violation = np.abs(new - alpha) / sigma
        alpha = new
        balanced = abs(y @ alpha) <= tol * caps.sum() or not free_intercept
        if violation.max() <= tol and balanced:
            converged = True
            break
        sigma = np.minimum(sigma * 10, 1e7 * caps)
    if free_intercept and not ((alpha > 1e-9 * caps) & (alpha < (1 - 1e-9) * caps)).any():
        theta[-1] = middle_intercept(Z[:, :-1] @ theta[:-1], y, caps)
    return theta, total, converged


def _minimum_of_these_margins(
    theta: np.ndarray, alpha: np.ndarray, Z: np.ndarray, y: np.ndarray, caps: np.ndarray, penalty: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """The minimum if just the trials with 0 < alpha < c lie on their margin; None where that breaks a condition."""
    free = (alpha > 0) & (alpha < caps)
    edge, unit = Z[free] * y[free, None], caps.mean()
    n_edge, d = edge.shape
    left = np.block([[np.diag(penalty), -unit * edge.T], [edge, np.zeros((n_edge, n_edge))]])
    point = np.append(theta, alpha[free] / unit)
    for _ in range(3):
        pull = penalty * point[:d] - Z.T @ (y * alpha)
        residual = np.append(pull, edge @ point[:d] - 1.0)
        point = point - _least_squares(left, residual)
        alpha = alpha.copy()
        alpha[free] = unit * point[d:]
    shortfall = 1.0 - y * (Z @ point[:d])
    pull = np.abs(penalty * point[:d] - Z.T @ (y * alpha)) <= 1e-11 * (np.abs(Z).T @ alpha + 1e-300)
    slack = 1e-11 * (1.0 + np.abs(Z) @ np.abs(point[:d]))
    inside = (alpha >= -1e-11 * caps) & (alpha <= (1 + 1e-11) * caps)
    kept = np.where(free, np.abs(shortfall) <= slack, np.where(alpha > 0, shortfall >= -slack, shortfall <= slack))
    return (point[:d], np.clip(alpha, 0.0, caps)) if pull.all() and inside.all() and kept.all() else None


def _least_squares(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Smallest solution of left x = right, rows and columns brought to one length."""
    rows = np.sqrt((left**2).sum(axis=1))
    rows = np.where(rows > 0, rows, 1.0)
    columns = np.sqrt(((left / rows[:, None]) ** 2).sum(axis=0))
    columns = np.where(columns > 0, columns, 1.0)
    return np.linalg.lstsq(left / rows[:, None] / columns, right / rows, rcond=1e-13)[0] / columns


def middle_intercept(scores: np.ndarray, y: np.ndarray, caps: np.ndarray) -> float:
    """Return the middle of the interval of intercepts that minimise the hinge loss of fixed scores."""
    bends = y - scores  # y_i (s_i + b) = 1
    order = np.argsort(bends, kind="stable")
    slope = -caps[y > 0].sum() + np.cumsum(caps[order])
    at = int(np.argmax(slope >= -1e-9 * caps.sum()))
    if abs(slope[at]) <= 1e-9 * caps.sum() and at + 1 < len(order):
        return 0.5 * (bends[order[at]] + bends[order[at + 1]])
    return bends[order[at]]
