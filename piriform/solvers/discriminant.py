"""Which hyperplane does shrinkage linear discriminant analysis fit?"""

import numpy as np

#: Smallest within-class variance, in units of the total variance.
FLOOR = 1e-10
#: Share of a variance that must be left after regression on the other units.
COLLINEAR = 1e-12


def discriminant(
    Z: np.ndarray, codes: np.ndarray, n_classes: int, shrinkage: float | str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (n_classes, n_units) and intercepts of the linear scores under equal priors.

    The covariance S within classes of the trials Z (0 for units that do not vary) is shrunk to its
    diagonal, (1 - s) S + s diag S, or with "ledoit-wolf" to its mean variance.
    """
    means = np.stack([Z[codes == code].mean(axis=0) for code in range(n_classes)])
    residuals, varies = Z - means[codes], (Z != 0).any(axis=0)
    dof = max(len(Z) - n_classes, 1)
    variance = np.einsum("tu,tu->u", residuals, residuals) / dof
    if isinstance(shrinkage, str):
        amount = ledoit_wolf(residuals[:, varies])
        target = np.full(Z.shape[1], max(variance.sum() / max(varies.sum(), 1), FLOOR))
    else:
        amount, target = float(shrinkage), np.maximum(variance, FLOOR)
    scaled = residuals * np.sqrt((1.0 - amount) / dof)
    weights = _solved(scaled, np.where(varies, amount * target, 1.0), means)
    return weights, -0.5 * np.einsum("cu,cu->c", weights, means)


def ledoit_wolf(residuals: np.ndarray) -> float:
    """Return the shrinkage towards the mean variance (Ledoit & Wolf 2004, J Multivar Anal 88:365), residuals centred."""
    n, d = residuals.shape
    # the Gram matrix of whichever side is shorter has the same sum of squares
    S = residuals @ residuals.T / n if d > n else residuals.T @ residuals / n
    mean_variance = np.trace(S) / d
    distance = (S**2).sum() - d * mean_variance**2
    noise = ((residuals**2).sum(axis=1) ** 2).mean() - (S**2).sum()
    return float(np.clip(noise / n / distance, 0.0, 1.0)) if distance > 0 else 1.0


def _solved(scaled: np.ndarray, diagonal: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Each row of ``means`` times the inverse of scaled' scaled + diag(diagonal)."""
    from scipy.linalg import cho_factor, cho_solve

    n, d = scaled.shape
    if d > n and (diagonal > 0).all():
        # Woodbury: (D + A'A)^-1 = D^-1 - D^-1 A' (1 + A D^-1 A')^-1 A D^-1
        over = scaled / diagonal
        inner = cho_factor(np.eye(n) + over @ scaled.T, lower=True)
        direct = means / diagonal
        return direct - cho_solve(inner, scaled @ direct.T).T @ over
    matrix = scaled.T @ scaled + np.diag(diagonal)
    try:
        factor = cho_factor(matrix, lower=True)
    except np.linalg.LinAlgError:
        factor = (np.zeros_like(matrix), True)
    if (np.diag(factor[0]) ** 2 < COLLINEAR * np.diag(matrix)).any():
        raise np.linalg.LinAlgError("the within-class covariance is singular: set shrinkage above 0")
    return cho_solve(factor, means.T).T
