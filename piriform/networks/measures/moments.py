"""Which sums over samples do the cheap measures of a layer share?"""

from dataclasses import dataclass

import numpy as np

from piriform.arrays import as_samples, class_codes, finite_members


@dataclass(frozen=True)
class Moments:
    """Sums of the features of a layer, for a stack of networks.

    Attributes
    ----------
    centred : (..., n_samples, n_units) array
        Features minus their mean over samples; 0 for networks with a value that is not finite.
    mean : (..., 1, n_units) array
        That mean.
    finite : (...) bool array
        Which networks hold finite values only.
    scatter : (..., n_units, n_units) array
        centred' centred.
    scatter_norm : (...) array
        Its Frobenius norm, which is also that of the centred Gram matrix of the samples.
    """

    centred: np.ndarray
    mean: np.ndarray
    finite: np.ndarray
    scatter: np.ndarray
    scatter_norm: np.ndarray

    def known(self, values: np.ndarray) -> np.ndarray:
        """Return values with NaN for the networks that are not finite."""
        return np.where(self.finite, values, np.nan)


@dataclass(frozen=True)
class ClassMoments:
    """Class means of a layer and the spread around them.

    Attributes
    ----------
    codes : (n_samples,) int array of 0 .. n_classes-1
    counts : (n_classes,) array
    means : (..., n_classes, n_units) array
        Of ``Moments.centred``.
    variances : (..., n_classes) array
        Mean squared distance of the samples of a class from its mean, summed over units.
    """

    codes: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    variances: np.ndarray


def moments(features: np.ndarray) -> Moments:
    """Return the centred features of a stack of networks and their scatter matrix.

    Parameters
    ----------
    features : (..., n_samples, n_units) array

    Examples
    --------
    >>> shared = moments(np.array([[1.0, 0.0], [3.0, 0.0]]))
    >>> shared.scatter.tolist(), float(shared.scatter_norm)
    ([[2.0, 0.0], [0.0, 0.0]], 2.0)
    """
    clean, finite = finite_members(as_samples(features, "features"))
    mean = clean.mean(axis=-2, keepdims=True)
    centred = clean - mean
    scatter = centred.swapaxes(-1, -2) @ centred
    return Moments(centred, mean, finite, scatter, np.linalg.norm(scatter, axis=(-2, -1)))


def class_moments(shared: Moments, labels: np.ndarray) -> ClassMoments:
    """Return class means and variances of a layer.

    Parameters
    ----------
    shared : of :func:`moments`
    labels : (n_samples,) names or codes

    Examples
    --------
    >>> by_class = class_moments(moments(np.array([[1.0], [3.0], [7.0], [9.0]])), np.array([0, 0, 1, 1]))
    >>> by_class.means.ravel().tolist(), by_class.variances.tolist()
    ([-3.0, 3.0], [1.0, 1.0])
    """
    codes = class_codes(labels, shared.centred.shape[-2])
    member = (codes == np.arange(codes.max() + 1)[:, None]).astype(float)
    counts = member.sum(axis=1)
    means = member @ shared.centred / counts[:, None]
    lengths = np.einsum("...nu,...nu->...n", shared.centred, shared.centred)
    variances = lengths @ member.T / counts - np.einsum("...cu,...cu->...c", means, means)
    return ClassMoments(codes, counts, means, np.maximum(variances, 0.0))
