"""Where is the minimum of a convex loss that is quadratic in pieces?

Both support vector machines minimise sums of the same piece: with the shortfall u = 1 - y f(x) of a
trial from the margin, the slope of its loss is clip(alpha + sigma u, 0, cap). The squared hinge
C max(0, u)^2 has alpha = 0, sigma = 2C, cap = infinity. The hinge is reached by the method of
multipliers (see :mod:`piriform.solvers.hinge`).
"""

import numpy as np


def piecewise_minimum(
    theta: np.ndarray,
    Z: np.ndarray,
    y: np.ndarray,
    alpha: np.ndarray,
    sigma: np.ndarray,
    cap: np.ndarray,
    penalty: np.ndarray,
    anchor: np.ndarray,
    *,
    tol: float,
    max_iterations: int = 200,
) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Return the minimum over theta of 1/2 sum_j penalty_j (theta_j - anchor_j)^2 + sum_i F_i(1 - y_i z_i theta).

    F_i' = clip(alpha_i + sigma_i u, 0, cap_i). Also returned: the shortfalls, the steps, whether it converged.
    """
    theta = theta.copy()
    shortfall = 1.0 - y * (Z @ theta)
    scale = np.sqrt((Z**2).sum(axis=0)) * np.minimum(cap, alpha + sigma).max() + 1e-300
    best = (np.inf, theta, shortfall)
    for iteration in range(1, max_iterations + 1):
        raw = alpha + sigma * shortfall
        slope = np.clip(raw, 0.0, cap)
        gradient = penalty * (theta - anchor) - Z.T @ (y * slope)
        size = np.abs(gradient / scale).max()
        # steps below the tolerance cost little and end where rounding does
        if best[0] <= tol and size > 0.1 * best[0]:
            return *min(best, (size, theta, shortfall), key=lambda point: point[0])[1:], iteration, True
        best = (size, theta, shortfall)
        free = (raw > 0) & (raw < cap)
        A = Z[free]
        H = (A.T * sigma[free]) @ A
        H[np.diag_indices_from(H)] += penalty
        step = newton_step(H, gradient)
        change = -y * (Z @ step)
        t = _exact_step(theta - anchor, step, penalty, shortfall, change, alpha, sigma, cap)
        theta = theta + t * step
        shortfall = 1.0 - y * (Z @ theta)
    return theta, shortfall, iteration, best[0] <= tol


def newton_step(H: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Return -H^-1 gradient of a positive semidefinite H; a ridge in units of its diagonal helps where rounding forbids.

    Examples
    --------
    >>> newton_step(np.array([[4.0, 0.0], [0.0, 0.0]]), np.array([-8.0, 0.0]))
    array([ 2., -0.])
    """
    from scipy.linalg import cho_factor, cho_solve

    unit = np.sqrt(np.diag(H))
    unit = np.where(unit > 0, unit, 1.0)
    scaled = H / np.outer(unit, unit)
    for ridge in (0.0, *10.0 ** np.arange(-14, 0)):
        scaled[np.diag_indices_from(scaled)] += ridge
        try:
            return -cho_solve(cho_factor(scaled, lower=True), gradient / unit) / unit
        except np.linalg.LinAlgError:
            continue
    return -gradient / unit**2


def _exact_step(
    offset: np.ndarray,
    step: np.ndarray,
    penalty: np.ndarray,
    shortfall: np.ndarray,
    change: np.ndarray,
    alpha: np.ndarray,
    sigma: np.ndarray,
    cap: np.ndarray,
) -> float:
    """Root of the derivative of the loss along the step, which increases and is linear in pieces."""
    quadratic, linear = (penalty * step) @ step, (penalty * offset) @ step

    def derivative(t: float) -> tuple[float, float]:
        raw = alpha + sigma * (shortfall + t * change)
        free = (raw > 0) & (raw < cap)
        return (
            linear + t * quadratic + change @ np.clip(raw, 0.0, cap),
            quadratic + (sigma * change**2) @ free,
        )

    low, high, t = 0.0, np.inf, 1.0
    first = abs(derivative(0.0)[0])
    for _ in range(60):
        value, curvature = derivative(t)
        if abs(value) <= 1e-3 * first:
            return t
        low, high = (t, high) if value < 0 else (low, t)
        t = t - value / curvature if curvature > 0 else 2 * t
        if not low < t < high:
            t = 2 * low if high == np.inf else 0.5 * (low + high)
    return t
