"""Do two networks that were trained apart end up with the same units?

Convergent learning (Li et al. 2016, arXiv:1511.07543): units are paired one to one so that the sum of their
correlations is largest. The best pairing of unrelated units is well above 0, so the score is read against the
pairing of shuffled samples.
"""

from dataclasses import dataclass

import numpy as np

from piriform.arrays import as_samples, check_same, divided
from piriform.splits import permutations


@dataclass(frozen=True)
class Matching:
    """The best one-to-one pairing of the units of two networks.

    Attributes
    ----------
    first, second : (n_pairs,) int arrays
        Units of each network; units without variance are in no pair.
    correlation : (n_pairs,) array
        Pearson correlation of each pair over samples.
    """

    first: np.ndarray
    second: np.ndarray
    correlation: np.ndarray


@dataclass(frozen=True)
class Convergence:
    """How alike the paired units of two networks are.

    Attributes
    ----------
    correlation : mean correlation of the pairs
    null : (n_shuffles,) array, the same with the samples of one network shuffled
    n_pairs : number of pairs
    """

    correlation: float
    null: np.ndarray
    n_pairs: int

    @property
    def excess(self) -> float:
        """Correlation above the mean of the null; null value 0."""
        return float(self.correlation - self.null.mean())

    @property
    def p_value(self) -> float:
        """Share of shuffles with at least this correlation, the data among them."""
        return float((1 + np.sum(self.null >= self.correlation)) / (1 + len(self.null)))


def matched_units(first: np.ndarray, second: np.ndarray) -> Matching:
    """Return the pairing of units with the largest sum of correlations (Hungarian algorithm).

    Parameters
    ----------
    first, second : (n_samples, n_units) arrays of two networks on the same samples

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> matching = matched_units(x, x[:, ::-1])
    >>> matching.second.tolist(), np.round(matching.correlation, 6).tolist()
    ([1, 0], [1.0, 1.0])
    """
    x, y = _scored(first, "first"), _scored(second, "second")
    check_same(x[0], y[0], "the two networks")
    rows, columns, correlation = _assigned(x[0].T @ y[0])
    return Matching(x[1][rows], y[1][columns], correlation)


def convergence(
    first: np.ndarray,
    second: np.ndarray,
    *,
    rng: np.random.Generator,
    n_shuffles: int = 20,
    blocks: np.ndarray | None = None,
) -> Convergence:
    """Return the mean correlation of paired units and its null by shuffled samples.

    Parameters
    ----------
    first, second : (n_samples, n_units) arrays of two networks on the same samples
    n_shuffles : number of shuffles
    blocks : (n_samples,) codes, optional
        Samples are shuffled within blocks only: with the classes as blocks, the null keeps what units share
        because they answer the same class.

    Returns
    -------
    Convergence; NaN with 0 pairs where all units of a network are silent

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 5))
    >>> result = convergence(x, x[:, ::-1], rng=np.random.default_rng(1), n_shuffles=9)
    >>> round(result.correlation, 6), result.p_value
    (1.0, 0.1)
    """
    x, y = _scored(first, "first")[0], _scored(second, "second")[0]
    check_same(x, y, "the two networks")
    if not (x.shape[1] and y.shape[1]):
        return Convergence(float("nan"), np.full(n_shuffles, np.nan), 0)
    orders = permutations(np.zeros(len(x), int) if blocks is None else np.asarray(blocks), n_shuffles, rng=rng)
    means = np.array([_assigned(x.T @ y[order])[2].mean() for order in orders])
    return Convergence(float(means[0]), means[1:], min(x.shape[1], y.shape[1]))


def _scored(features: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Units that vary, centred and of length 1 over samples, and their numbers."""
    x = as_samples(features, name)
    x = x - x.mean(axis=0)
    length = np.linalg.norm(x, axis=0)
    alive = np.flatnonzero(np.isfinite(length) & (length > 0))
    return divided(x[:, alive], length[alive]), alive


def _assigned(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(correlation, maximize=True)
    return rows, columns, np.clip(correlation[rows, columns], -1.0, 1.0)
