"""Which hyperplane does shrinkage linear discriminant analysis fit?"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from piriform.errors import MeasureError

FLOOR = 1e-10


def discriminant(
    Z: np.ndarray, codes: np.ndarray, n_classes: int, shrinkage: float | str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights (n_classes, n_units) and intercepts of the linear scores under equal priors."""
    means = np.stack([Z[codes == code].mean(axis=0) for code in range(n_classes)])
    residuals = Z - means[codes]
    dof = max(len(Z) - n_classes, 1)
    covariance = residuals.T @ residuals / dof
    diagonal = np.maximum(np.diag(covariance), FLOOR)
    if isinstance(shrinkage, str):
        amount = ledoit_wolf(residuals)
        diagonal = np.full(len(diagonal), max(np.trace(covariance) / (Z**2).any(axis=0).sum(), FLOOR))
    else:
        amount = shrinkage
    covariance *= 1.0 - amount
    covariance[np.diag_indices_from(covariance)] += amount * diagonal
    dead = ~(Z != 0).any(axis=0)
    covariance[dead, dead] = 1.0
    try:
        weights = cho_solve(cho_factor(covariance, lower=True), means.T).T
    except np.linalg.LinAlgError:
        raise MeasureError("the within-class covariance is singular: set shrinkage above 0") from None
    return weights, -0.5 * np.einsum("cu,cu->c", weights, means)


def ledoit_wolf(residuals: np.ndarray) -> float:
    """Return the shrinkage towards the mean variance (Ledoit & Wolf 2004), residuals centred."""
    residuals = residuals[:, (residuals != 0).any(axis=0)]
    n, d = residuals.shape
    S = residuals.T @ residuals / n
    mean_variance = np.trace(S) / d
    distance = (S**2).sum() - d * mean_variance**2
    noise = ((residuals**2).sum(axis=1) ** 2).mean() - (S**2).sum()
    return float(np.clip(noise / n / distance, 0.0, 1.0)) if distance > 0 else 1.0
