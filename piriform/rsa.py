"""Do network and recording tell the same stimuli apart, as far as the recordings agree among themselves?

Representational similarity analysis: a representational dissimilarity matrix (RDM) holds a distance for every
pair of conditions, here always its upper triangle in the order (0,1), (0,2), ..., (1,2), ... of the sorted
conditions. Crossnobis distances (Walther et al. 2016, NeuroImage 137:188) have null value 0 whatever the number of
trials, so that sessions can be compared. As in rsatoolbox (van den Bosch et al. 2025), against which it is tested.
"""

import numpy as np

from piriform.arrays import as_samples, check_same, class_codes, divided
from piriform.errors import MeasureError, known
from piriform.geometry import fold_sums

METHODS = ("cosine", "tau-a")


def crossnobis_rdm(
    responses: np.ndarray,
    conditions: np.ndarray,
    folds: np.ndarray,
    *,
    shrinkage: float = 0.2,
    precision: np.ndarray | None = None,
) -> np.ndarray:
    """Return the cross-validated squared Mahalanobis distance of every pair of conditions, per unit.

    Mean over folds of (mean difference in the fold)' P (mean difference in the other folds) / n_units; P is the
    inverse of the covariance within conditions of the other folds, shrunk towards its diagonal. The mean over
    pairs is :func:`piriform.geometry.crossnobis`.

    Parameters
    ----------
    responses : (n_samples, n_units) array
    conditions : (n_samples,) names or codes
    folds : (n_samples,) array of 0 .. n_folds-1, or -1: takes no part
    shrinkage : weight of the diagonal, above 0 unless there are many more samples than units
    precision : (n_units, n_units) array, optional: one P for all folds, e.g. the identity

    Returns
    -------
    (n_pairs,) array, noise variances per unit; null value 0, negative values occur. NaN for pairs with a
    condition that a fold or the rest lacks

    Raises
    ------
    MeasureError
        If there are fewer than 2 folds, or the noise of no unit varies.

    Examples
    --------
    >>> x = np.array([[0.0], [2.0], [0.0], [2.0]])
    >>> crossnobis_rdm(x, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), precision=np.eye(1)).tolist()
    [4.0]
    """
    x, folds = as_samples(responses, "responses"), np.asarray(folds)
    codes = class_codes(conditions, len(x))
    if folds.shape != (len(x),) or folds.max() < 1:
        raise MeasureError(f"folds must be {len(x)} numbers from 0 to at least 1, one per sample")
    x = x - x.mean(axis=0)
    sums, counts = (part[:, :, 0] for part in fold_sums(x, codes[None], folds[None], range(codes.max() + 1)))
    rest, n_rest = sums.sum(axis=0) - sums, counts.sum(axis=0) - counts
    tested, trained = divided(sums, counts[..., None]), divided(rest, n_rest[..., None])
    first, second = np.triu_indices(codes.max() + 1, 1)
    distances = []
    for fold in range(len(sums)):
        part = (folds >= 0) & (folds != fold)
        inverse = _precision(x[part] - trained[fold][codes[part]], n_rest[fold], shrinkage, precision)
        left, right = (means[fold][first] - means[fold][second] for means in (tested, trained))
        distances.append(np.einsum("pu,pu->p", left @ inverse, right))
    return np.mean(distances, axis=0) / x.shape[1]


def squared_rdm(means: np.ndarray) -> np.ndarray:
    """Return the squared distance of every pair of rows, per unit: the RDM of activity without noise.

    Parameters
    ----------
    means : (..., n_conditions, n_units) array

    Returns
    -------
    (..., n_pairs) array

    Examples
    --------
    >>> squared_rdm(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])).tolist()
    [2.0, 8.0, 10.0]
    """
    x = as_samples(means, "means")
    x = x - x.mean(axis=-2, keepdims=True)
    gram = x @ x.swapaxes(-1, -2)
    lengths = np.einsum("...cc->...c", gram)
    first, second = np.triu_indices(x.shape[-2], 1)
    squared = lengths[..., first] + lengths[..., second] - 2 * gram[..., first, second]
    return np.maximum(squared, 0.0) / x.shape[-1]


def rdm_similarity(rdms: np.ndarray, other: np.ndarray, *, method: str = "cosine") -> np.ndarray:
    """Return how alike RDMs are, every one of the first set with every one of the second.

    ``cosine`` between the distances: 1 for proportional RDMs; crossnobis keeps a meaningful 0. ``tau-a``, (pairs of
    distances in the same order - in opposite order) / all pairs: for models that predict an order only (Nili et
    al. 2014). Pairs of conditions with NaN in either are left out.

    Parameters
    ----------
    rdms : (n_first, n_pairs) or (n_pairs,) array
    other : (n_second, n_pairs) or (n_pairs,) array

    Returns
    -------
    (n_first, n_second) array in [-1, 1]; NaN where an RDM is all 0 (cosine) or fewer than 2 pairs are known

    Examples
    --------
    >>> a = np.array([1.0, 2.0, 3.0])
    >>> round(float(rdm_similarity(a, 2 * a)[0, 0]), 6)
    1.0
    >>> round(float(rdm_similarity(a, a[[0, 2, 1]], method="tau-a")[0, 0]), 4)
    0.3333
    """
    compare = {"cosine": _cosine, "tau-a": _tau_a}[known("RDM comparison", method, METHODS, MeasureError)]
    first, second = (np.atleast_2d(np.asarray(values, dtype=np.float64)) for values in (rdms, other))
    check_same(first, second, "the two sets of RDMs", axis=-1)
    scores = np.full((len(first), len(second)), np.nan)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            both = np.isfinite(a) & np.isfinite(b)
            if both.sum() > 1:
                scores[i, j] = compare(a[both], b[both])
    return scores


def noise_ceiling(rdms: np.ndarray, *, method: str = "cosine") -> tuple[float, float]:
    """Return the lower and upper noise ceiling of the RDMs of several subjects.

    How well the pooled RDM of the other subjects (lower) and of all subjects (upper) predicts that of a subject,
    averaged over subjects (Nili et al. 2014): the best possible model scores between the two. Pooled is the mean of
    the RDMs divided by their root mean square (cosine) or of their ranks (tau-a).

    Parameters
    ----------
    rdms : (n_subjects, n_pairs) array

    Returns
    -------
    lower, upper : floats

    Raises
    ------
    MeasureError
        With fewer than 2 subjects.

    Examples
    --------
    >>> [round(bound, 6) for bound in noise_ceiling(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]))]
    [1.0, 1.0]
    """
    x = as_samples(rdms, "rdms")
    if len(x) < 2:
        raise MeasureError(f"the noise ceiling needs the RDMs of at least 2 subjects, got {len(x)}")
    shared = x[:, np.isfinite(x).all(axis=0)]
    known("RDM comparison", method, METHODS, MeasureError)
    scaled = _ranks(shared) if method == "tau-a" else divided(shared, np.sqrt((shared**2).mean(axis=1))[:, None])
    everyone = scaled.sum(axis=0)
    lower = [float(rdm_similarity(everyone - s, r, method=method)[0, 0]) for s, r in zip(scaled, shared, strict=True)]
    upper = rdm_similarity(everyone, shared, method=method)
    return float(np.mean(lower)), float(upper.mean())


def _precision(residuals: np.ndarray, counts: np.ndarray, shrinkage: float, precision: np.ndarray | None) -> np.ndarray:
    if precision is not None:
        return np.asarray(precision, dtype=np.float64)
    covariance = residuals.T @ residuals / (counts.sum() - np.count_nonzero(counts))
    variance = np.diag(covariance)
    if not (np.isfinite(variance) & (variance > 1e-12)).any():
        raise MeasureError(
            "crossnobis: the responses do not vary within conditions; add noise to the recording of the network, "
            "or use squared_rdm"
        )
    shrunk = (1 - shrinkage) * covariance
    np.fill_diagonal(shrunk, np.where(variance > 1e-12, variance, 1.0))
    return np.linalg.inv(shrunk)


def _ranks(rdms: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return np.asarray(rankdata(rdms, axis=1))


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(divided(first @ second, np.sqrt((first @ first) * (second @ second))))


def _tau_a(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's tau-a, row by row: a matrix of all pairs of distances could be large."""
    total = len(first) * (len(first) - 1)
    return float(sum(np.sign(a - first) @ np.sign(b - second) for a, b in zip(first, second, strict=True)) / total)
