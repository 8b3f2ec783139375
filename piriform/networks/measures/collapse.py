"""Have the features of each class collapsed onto its mean, and the class means onto a simplex?

Neural collapse (Papyan, Han, Donoho 2020, PNAS 117:24652), all 0 when complete. With two classes NC2 is 0
whatever the features, and NC1 is 2/d'^2 along the mean difference (equal counts): read NC1, CDNV, NC3 and
NC4, or take stimuli as classes.
"""

from dataclasses import dataclass

import numpy as np

from piriform.arrays import as_samples, check_same, divided, squares
from piriform.errors import MeasureError
from piriform.networks.measures.moments import ClassMoments, Moments, class_moments, moments


@dataclass(frozen=True)
class Collapse:
    """Neural collapse of a layer, one value per network.

    Attributes
    ----------
    nc1 : tr(Sigma_W Sigma_B^+) / n_classes
    cdnv : class-distance normalised variance, mean over pairs of (var_c + var_d) / (2 |mu_c - mu_d|^2)
    nc2_norm : SD / mean over classes of |mu_c - mu_G|
    nc2_angle : mean over pairs of |cos(mu_c - mu_G, mu_d - mu_G) + 1/(n_classes - 1)|
    nc3 : |W/|W|_F - M/|M|_F|_F^2, rows of M the mu_c - mu_G; NaN without readout weights
    nc4 : share of samples whose output names another class than the nearest class mean; NaN without outputs
    """

    nc1: np.ndarray
    cdnv: np.ndarray
    nc2_norm: np.ndarray
    nc2_angle: np.ndarray
    nc3: np.ndarray
    nc4: np.ndarray


def neural_collapse(
    features: np.ndarray, labels: np.ndarray, *, outputs: np.ndarray | None = None, weights: np.ndarray | None = None
) -> Collapse:
    """Return NC1-NC4 and CDNV of the features before the readout.

    mu_G is the mean of the class means (the same as the mean over samples where classes have equal counts),
    Sigma_B the covariance of the class means around it, Sigma_W the mean over samples of the squared
    deviation from the class mean.

    Parameters
    ----------
    features : (..., n_samples, n_units) array
    labels : (n_samples,) names or codes; class c is the c-th of the sorted names
    outputs : (..., n_samples, n_classes) array; or one column for two classes, positive for the second
    weights : (..., n_classes, n_units) array of the readout; or one row for two classes

    Returns
    -------
    Collapse of (...) arrays; NaN for networks that are not finite, and for NC1, CDNV and NC2 where class
    means coincide

    Examples
    --------
    >>> x = np.array([[1.0, 0.1], [1.0, -0.1], [-1.0, 0.1], [-1.0, -0.1]])
    >>> values = neural_collapse(x, np.array([1, 1, 0, 0]), weights=np.array([[2.0, 0.0]]))
    >>> round(float(values.nc1), 6), round(float(values.cdnv), 6), round(float(values.nc3), 6)
    (0.0, 0.0025, 0.0)
    """
    shared = moments(features)
    return collapse_of(shared, class_moments(shared, labels), outputs=outputs, weights=weights)


def collapse_of(
    shared: Moments, by_class: ClassMoments, *, outputs: np.ndarray | None = None, weights: np.ndarray | None = None
) -> Collapse:
    """Return NC1-NC4 and CDNV from moments; see :func:`neural_collapse`."""
    centred = by_class.means - by_class.means.mean(axis=-2, keepdims=True)
    angle, norm = _equality(centred)
    values = [_nc1(shared, by_class, centred), _cdnv(by_class), norm, angle]
    values.append(np.full(shared.finite.shape, np.nan) if weights is None else _nc3(centred, weights))
    values.append(np.full(shared.finite.shape, np.nan) if outputs is None else disagreement(shared, by_class, outputs))
    return Collapse(*(shared.known(value) for value in values))


def disagreement(
    shared: Moments,
    by_class: ClassMoments,
    outputs: np.ndarray,
    *,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """Return NC4, the share of samples whose output names another class than the nearest class mean.

    Parameters
    ----------
    outputs : (..., n_samples, n_outputs) array, see :func:`neural_collapse`
    features : (..., n_samples, n_units) array, optional
        Other samples than those of the class means, e.g. held-out ones; ``outputs`` then belongs to them.

    Examples
    --------
    >>> shared = moments(np.array([[1.0], [3.0], [7.0], [9.0]]))
    >>> by_class = class_moments(shared, np.array([0, 0, 1, 1]))
    >>> float(disagreement(shared, by_class, np.array([[-1.0], [-1.0], [-1.0], [1.0]])))
    0.25
    """
    points = shared.centred if features is None else as_samples(features, "features") - shared.mean
    f = as_samples(outputs, "outputs")
    check_same(points, f, "features and outputs")
    n_classes = by_class.means.shape[-2]
    if f.shape[-1] not in ({1, 2} if n_classes == 2 else {n_classes}):
        raise MeasureError(f"outputs have {f.shape[-1]} columns, expected one per class, {n_classes}")
    named = (f[..., 0] > 0).astype(int) if f.shape[-1] == 1 else f.argmax(axis=-1)
    lengths = np.einsum("...cu,...cu->...c", by_class.means, by_class.means)
    nearest = (points @ by_class.means.swapaxes(-1, -2) - lengths[..., None, :] / 2).argmax(axis=-1)
    share = (named != nearest).mean(axis=-1)
    return np.where(np.isfinite(f).all(axis=(-2, -1)), share, np.nan)


def _nc1(shared: Moments, by_class: ClassMoments, centred: np.ndarray) -> np.ndarray:
    """Sum over the directions v of the class means of v' Sigma_W v / (eigenvalue of Sigma_B), per class."""
    n_classes, n_samples = len(by_class.counts), len(by_class.codes)
    _, size, directions = np.linalg.svd(centred, full_matrices=False)
    real = size > 1e-10 * size[..., :1]
    along = shared.centred @ directions.swapaxes(-1, -2)
    within = along - (by_class.means @ directions.swapaxes(-1, -2))[..., by_class.codes, :]
    spread = squares(within, axes=(-2,)) / n_samples
    shares = np.divide(spread * n_classes, size**2, out=np.zeros(spread.shape), where=real & (size > 0))
    return np.where(size[..., 0] > 0, shares.sum(axis=-1) / n_classes, np.nan)


def _cdnv(by_class: ClassMoments) -> np.ndarray:
    first, second = np.triu_indices(len(by_class.counts), 1)
    gap = squares(by_class.means[..., first, :] - by_class.means[..., second, :], axes=(-1,))
    return divided(by_class.variances[..., first] + by_class.variances[..., second], 2 * gap).mean(axis=-1)


def _equality(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Deviation from equal angles, and from equal norms."""
    n_classes = centred.shape[-2]
    norms = np.sqrt(squares(centred, axes=(-1,)))
    cosines = divided(centred @ centred.swapaxes(-1, -2), norms[..., :, None] * norms[..., None, :])
    first, second = np.triu_indices(n_classes, 1)
    angle = np.abs(cosines[..., first, second] + 1 / (n_classes - 1)).mean(axis=-1)
    return angle, divided(norms.std(axis=-1), norms.mean(axis=-1))


def _nc3(centred: np.ndarray, weights: np.ndarray) -> np.ndarray:
    w = as_samples(weights, "weights")
    if w.shape[-2] == 1 and centred.shape[-2] == 2:
        w = np.concatenate([-w, w], axis=-2)
    if w.shape[-2:] != centred.shape[-2:]:
        raise MeasureError(f"weights have shape {w.shape}, expected (..., n_classes, n_units) = {centred.shape[-2:]}")
    cosine = divided(np.sum(w * centred, axis=(-2, -1)), np.sqrt(squares(w) * squares(centred)))
    return 2.0 - 2.0 * cosine
