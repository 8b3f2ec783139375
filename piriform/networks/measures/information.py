"""How many bits does the activity tell about the input or the label, and how many of them are the estimator's?

Activity is binned adaptively, each unit into bins that hold equally many of its distinct values (entropy-based
binning; Chelombiev, Houghton, O'Donnell 2019, arXiv:1902.09037); all equal values share a bin. The plug-in
estimate of independent variables is not 0 but about (n_bins - 1)(n_classes - 1) / (2 n_samples ln 2) bits
(Miller 1955; Panzeri & Treves 1996). Every estimate therefore comes with its bias, measured by shuffled labels.
For a network without noise whose inputs are all different, the information about the input is the entropy of
the binned activity: it then says how coarse the bins are, not what the network has thrown away.
"""

import math
from dataclasses import dataclass

import numpy as np

from piriform.arrays import as_samples, class_codes
from piriform.errors import MeasureError


@dataclass(frozen=True)
class Information:
    """Mutual information in bits.

    Attributes
    ----------
    plugin : array
        Estimate from the observed frequencies, biased upwards.
    bias : array
        Mean of the same estimate over shuffled labels: exact for independent variables, too large for
        dependent ones (at the upper bound, plugin = label entropy, the true bias is near 0).
    """

    plugin: np.ndarray
    bias: np.ndarray

    @property
    def corrected(self) -> np.ndarray:
        """Plug-in estimate minus bias; null value 0, slightly negative values occur."""
        return self.plugin - self.bias


def adaptive_bins(activity: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the bin of every value: each bin of a unit holds equally many of its distinct values.

    A unit with fewer distinct values than bins gets one bin per value.

    Parameters
    ----------
    activity : (..., n_samples, n_units) array

    Returns
    -------
    (..., n_samples, n_units) int array of 0 .. n_bins-1

    Examples
    --------
    >>> adaptive_bins(np.array([[0.0], [0.0], [0.0], [5.0], [6.0], [7.0]]), 2).ravel().tolist()
    [0, 0, 0, 0, 1, 1]
    """
    x = as_samples(activity, "activity")
    if n_bins < 2:
        raise MeasureError(f"n_bins must be 2 or more, got {n_bins}")
    order = np.argsort(x, axis=-2, kind="stable")
    steps = np.diff(np.take_along_axis(x, order, axis=-2), axis=-2, prepend=-np.inf) > 0
    rank = np.cumsum(steps, axis=-2) - 1
    n_distinct = rank[..., -1:, :] + 1
    bins = np.empty(x.shape, dtype=np.int64)
    np.put_along_axis(bins, order, rank * np.minimum(n_bins, n_distinct) // n_distinct, axis=-2)
    return bins


def unit_information(
    activity: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator, n_bins: int = 10, n_shuffles: int = 10
) -> Information:
    """Return the information of each unit about labels (classes, or stimuli: the input).

    Parameters
    ----------
    activity : (..., n_samples, n_units) array
    labels : (n_samples,) names or codes

    Returns
    -------
    Information of (..., n_units) arrays, bits, from 0 to the entropy of the labels; NaN for units with a value
    that is not finite

    Examples
    --------
    >>> y = np.array([0, 1] * 50)
    >>> float(unit_information(y[:, None] * 3.0, y, rng=np.random.default_rng(0)).plugin[0])
    1.0
    """
    x = as_samples(activity, "activity")
    finite = np.isfinite(x).all(axis=-2)
    bins = adaptive_bins(np.where(finite[..., None, :], x, 0.0), n_bins)
    codes = class_codes(labels, x.shape[-2])
    columns = np.moveaxis(bins, -2, -1).reshape(-1, len(codes))
    parts = _information(columns, codes, n_bins, n_shuffles, rng)
    return Information(*(np.where(finite, part.reshape(finite.shape), np.nan) for part in parts))


def pattern_information(
    activity: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator, n_bins: int = 2, n_shuffles: int = 10
) -> tuple[Information, float]:
    """Return the information of the binned pattern of a whole layer about labels, and the share of unique patterns.

    With more than a few units nearly every sample has a pattern of its own: plug-in and bias are then both the
    entropy of the labels, the corrected estimate is 0, and the share of unique patterns, near 1, says so. Read
    it only where that share is small (few units, many repeats).

    Parameters
    ----------
    activity : (n_samples, n_units) array of finite values
    labels : (n_samples,) names or codes

    Examples
    --------
    >>> y = np.array([0, 1] * 50)
    >>> x = np.column_stack([y, np.tile([0, 0, 1, 1], 25)])
    >>> information, unique = pattern_information(x, y, rng=np.random.default_rng(0))
    >>> float(information.plugin), unique
    (1.0, 0.0)
    """
    x = as_samples(activity, "activity")
    codes = class_codes(labels, len(x))
    patterns, counts = np.unique(adaptive_bins(x, n_bins), axis=0, return_inverse=True, return_counts=True)[1:]
    parts = _information(patterns.reshape(1, -1), codes, len(counts), n_shuffles, rng)
    return Information(*(part[0] for part in parts)), float((counts == 1).sum() / len(x))


def plugin_bias(n_samples: int, n_bins: int, n_classes: int) -> float:
    """Return the bias of the plug-in estimate for independent variables, to first order, in bits.

    Examples
    --------
    >>> round(plugin_bias(1000, 11, 2), 5)
    0.00721
    """
    return (n_bins - 1) * (n_classes - 1) / (2 * n_samples * math.log(2))


def _information(
    columns: np.ndarray, codes: np.ndarray, n_bins: int, n_shuffles: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Plug-in information of every column, (n_columns, n_samples), and its mean over shuffled codes."""
    n_columns, n_classes = len(columns), int(codes.max()) + 1
    cells = (np.arange(n_columns)[:, None] * n_bins + columns) * n_classes
    bins = np.bincount(cells.ravel() // n_classes, minlength=n_columns * n_bins).reshape(n_columns, n_bins)
    alone = _entropy(bins) + _entropy(np.bincount(codes)[None])
    rows = [codes, *(rng.permutation(codes) for _ in range(n_shuffles))]
    size = n_columns * n_bins * n_classes
    bits = [alone - _entropy(np.bincount((cells + row).ravel(), minlength=size).reshape(n_columns, -1)) for row in rows]
    shuffled = np.mean(bits[1:], axis=0) if n_shuffles else np.full(n_columns, np.nan)
    return np.maximum(bits[0], 0.0), shuffled


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy of each row of counts, in bits."""
    n = counts[0].sum()
    logs = np.log2(np.where(counts > 0, counts, 1))
    return np.log2(n) - np.sum(counts * logs, axis=1) / n
