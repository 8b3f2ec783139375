"""How specific is the activity of single units, for classes and for stimuli?"""

import numpy as np

from piriform.networks.measures.arrays import as_samples, class_codes, divided


def class_selectivity(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return (mu_max - mu_rest) / (mu_max + mu_rest) of every unit (Morcos et al. 2018, arXiv:1803.06959).

    mu_max is the largest class mean of the unit's activity, mu_rest the mean of its other class means. 0 for a
    unit that answers all classes alike, 1 for one that answers a single class.

    Parameters
    ----------
    features : (..., n_samples, n_units) array of activity >= 0
    labels : (n_samples,) names or codes

    Returns
    -------
    (..., n_units) array in [0, 1]; NaN for silent units and for units with a negative class mean, whose ratio
    has no meaning

    Examples
    --------
    >>> class_selectivity(np.array([[3.0, 0.0, 2.0], [1.0, 0.0, 0.0]]), np.array([0, 1])).tolist()
    [0.5, nan, 1.0]
    """
    x = as_samples(features, "features")
    codes = class_codes(labels, x.shape[-2])
    member = (codes == np.arange(codes.max() + 1)[:, None]).astype(float)
    return selectivity_of(member @ x / member.sum(axis=1, keepdims=True))


def selectivity_of(means: np.ndarray) -> np.ndarray:
    """Return the selectivity of units from their class means, (..., n_classes, n_units)."""
    largest = means.max(axis=-2)
    rest = (means.sum(axis=-2) - largest) / (means.shape[-2] - 1)
    selectivity = divided(largest - rest, largest + rest)
    return np.where((means >= 0).all(axis=-2), selectivity, np.nan)


def lifetime_sparseness(features: np.ndarray) -> np.ndarray:
    """Return the sparseness of every unit over samples, (1 - (mean r)^2 / mean r^2) / (1 - 1/n_samples).

    Vinje & Gallant 2000 (Science 287:1273). 0 for equal activity in all samples, 1 for activity in one only.

    Parameters
    ----------
    features : (..., n_samples, n_units) array, best the mean activity per stimulus

    Returns
    -------
    (..., n_units) array in [0, 1]; NaN for silent units and for a single sample

    Examples
    --------
    >>> lifetime_sparseness(np.array([[1.0, 4.0, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [0.0, 1.0, nan]
    """
    return _sparseness(as_samples(features, "features"), axis=-2)


def population_sparseness(features: np.ndarray) -> np.ndarray:
    """Return the sparseness of every sample over units; see :func:`lifetime_sparseness`.

    Returns
    -------
    (..., n_samples) array in [0, 1]; NaN for silent samples and for a single unit

    Examples
    --------
    >>> population_sparseness(np.array([[1.0, 1.0], [4.0, 0.0]])).tolist()
    [0.0, 1.0]
    """
    return _sparseness(as_samples(features, "features"), axis=-1)


def _sparseness(activity: np.ndarray, *, axis: int) -> np.ndarray:
    n = activity.shape[axis]
    evenness = divided(activity.mean(axis=axis) ** 2, np.mean(activity**2, axis=axis))
    return divided(1.0 - evenness, np.full(evenness.shape, 1.0 - 1.0 / n))
