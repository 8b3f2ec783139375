"""Has the layer kept only what the outputs use (rich), or much else besides (lazy)?

After Nam et al. (arXiv:2410.04264). T is the kernel of the centred features as an operator on functions of
the samples; its eigenfunctions e_1, e_2, ... are the *features* of the layer, its eigenvalues
rho_1 >= rho_2 >= ... their strengths. The sample forms below are stated in full, as this project defines them.
"""

from dataclasses import dataclass

import numpy as np

from piriform.arrays import as_samples, check_same, divided, finite_members, squares
from piriform.networks.measures.moments import Moments, moments

#: Singular values below this share of the largest are rounding errors of float32 outputs, not directions.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class FeatureSpectrum:
    """What the features of a layer are worth, strongest first.

    Attributes
    ----------
    intensity : (..., n_features) array
        rho_k / rho_1, in [0, 1].
    quality : (..., n_features) array
        Share of the target's span that feature k covers, |Q*' e_k|^2 / r*, with Q* an orthonormal basis of the
        centred targets and r* its rank; sums to 1 over k if the features can express the targets.
    utilization : (..., n_features) array
        The same for the span of the learned outputs.
    """

    intensity: np.ndarray
    quality: np.ndarray
    utilization: np.ndarray


def richness(features: np.ndarray, outputs: np.ndarray, *, tolerance: float = TOLERANCE) -> np.ndarray:
    """Return D_LR = 1 - CKA(T, T_MP): 0 for rich, towards 1 for lazy features.

    T_MP is the minimum projection onto the constant and the span of the outputs. With centred features X_c and
    an orthonormal basis Q of the span of the centred outputs, of rank r,
    D_LR = 1 - |Q' X_c|_F^2 / (|X_c' X_c|_F sqrt(r)). The targets are taken to be balanced and isotropic.

    Collapsed features (a simplex) give 0; m orthonormal features that hold r outputs give
    1 - r / sqrt(m r), e.g. 12 and 3: .5; random features .9 and more.

    Parameters
    ----------
    features : (..., n_samples, n_units) array, of the last hidden layer
    outputs : (..., n_samples, n_outputs) array, learned outputs before the loss
    tolerance : singular values of the outputs below this share of the largest are left out of r

    Returns
    -------
    (...) array in [0, 1]; NaN where features or outputs do not vary or are not finite, e.g. at an antisymmetric
    start, where all outputs are 0

    Examples
    --------
    >>> y = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    >>> x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> float(richness(y, y)), round(float(richness(x, y)), 4)
    (0.0, 0.2929)
    """
    shared, outputs = moments(features), as_samples(outputs, "outputs")
    check_same(shared.centred, outputs, "features and outputs")
    return richness_of(shared, output_basis(outputs, tolerance=tolerance))


def richness_of(shared: Moments, basis: np.ndarray) -> np.ndarray:
    """Return D_LR from the moments of the features and a basis of the outputs."""
    rank = squares(basis)
    held = squares(basis.swapaxes(-1, -2) @ shared.centred)
    loss = 1.0 - divided(held, shared.scatter_norm * np.sqrt(rank))
    return shared.known(np.clip(loss, 0.0, 1.0))


def output_basis(outputs: np.ndarray, *, tolerance: float = TOLERANCE) -> np.ndarray:
    """Return an orthonormal basis of the centred columns, columns of 0 where the rank is smaller.

    Parameters
    ----------
    outputs : (..., n_samples, n_outputs) array

    Returns
    -------
    (..., n_samples, n_outputs) array; its sum of squares is the rank; all 0 where outputs are not finite

    Examples
    --------
    >>> basis = output_basis(np.array([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]]))
    >>> round(float((basis**2).sum()), 6)
    1.0
    """
    clean, _ = finite_members(as_samples(outputs, "outputs"))
    left, size, _ = np.linalg.svd(clean - clean.mean(axis=-2, keepdims=True), full_matrices=False)
    return left * ((size > tolerance * size[..., :1]) & (size > 0))[..., None, :]


def feature_spectrum(
    features: np.ndarray, targets: np.ndarray, outputs: np.ndarray, *, tolerance: float = TOLERANCE
) -> FeatureSpectrum:
    """Return intensity, quality and utilization of every feature of a layer.

    The eigenfunctions are the left singular vectors of the centred features, orthonormal over samples,
    and rho_k their squared singular values. The cumulative quality and utilization of the first k features
    are the running sums. A random function of n samples has quality 1 / (n_samples - 1).

    Parameters
    ----------
    features : (..., n_samples, n_units) array
    targets, outputs : (..., n_samples, n_outputs) arrays
    tolerance : see :func:`richness`; a feature whose singular value lies below it carries no quality or utilization

    Returns
    -------
    FeatureSpectrum with n_features = min(n_samples, n_units); NaN for networks that are not finite

    Examples
    --------
    >>> y = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    >>> x = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    >>> spectrum = feature_spectrum(x, x[:, 1:], y)
    >>> [np.round(part, 6).tolist() for part in (spectrum.intensity, spectrum.quality, spectrum.utilization)]
    [[1.0, 0.25], [0.0, 1.0], [1.0, 0.0]]
    """
    clean, finite = finite_members(as_samples(features, "features"))
    check_same(clean, as_samples(targets, "targets"), "features and targets")
    check_same(clean, as_samples(outputs, "outputs"), "features and outputs")
    left, size, _ = np.linalg.svd(clean - clean.mean(axis=-2, keepdims=True), full_matrices=False)
    real = (size > tolerance * size[..., :1]) & (size > 0)
    shares = [_covered(left * real[..., None, :], output_basis(y, tolerance=tolerance)) for y in (targets, outputs)]
    intensity = divided(size**2, size[..., :1] ** 2)
    return FeatureSpectrum(*(np.where(finite[..., None], part, np.nan) for part in (intensity, *shares)))


def _covered(functions: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Share of the basis's span along each function, (..., n_features)."""
    hits = squares(basis.swapaxes(-1, -2) @ functions, axes=(-2,))
    return divided(hits, squares(basis)[..., None])
