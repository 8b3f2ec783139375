"""Are the variables of the task laid out in parallel, and how many groupings of the conditions can be read out?

The geometry of Bernardi et al. 2020 (Cell 183:954). The cross-condition generalization is that of the recordings
(:func:`piriform.generalize.across_conditions`), and so is the participation ratio
(:func:`piriform.geometry.participation_ratio`).
"""

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from piriform.arrays import as_samples, divided, squares
from piriform.decode import balanced_accuracy, heldout_scores
from piriform.errors import MeasureError
from piriform.generalize import MAX_CONDITIONS, across_conditions
from piriform.splits import blocked_folds


@dataclass(frozen=True)
class Shattering:
    """Read-out of every balanced grouping of the conditions into two.

    Attributes
    ----------
    accuracy : (n_groupings,) array
        Held-out balanced accuracy; null value 0.5.
    groupings : (n_groupings, n_conditions) array of +1 and -1, conditions in sorted order
    """

    accuracy: np.ndarray
    groupings: np.ndarray

    @property
    def dimension(self) -> float:
        """The shattering dimension: the mean accuracy over groupings."""
        return float(self.accuracy.mean())


def ccgp(
    features: np.ndarray,
    labels: np.ndarray,
    conditions: np.ndarray,
    *,
    solver: str = "svm",
    C: float = 1.0,
    shrinkage: float = 0.2,
) -> float:
    """Return the cross-condition generalization performance of a two-class variable.

    For every pair of one condition of each class, a decoder is trained on the pair and tested on all other
    conditions; the balanced accuracies are averaged (after Bernardi et al. 2020).

    Parameters
    ----------
    features : (n_samples, n_units) array
    labels : (n_samples,) array of +1 and -1
    conditions : (n_samples,) names, each within one class; 2 to 4 per class

    Returns
    -------
    Balanced accuracy in [0, 1]; null value 0.5

    Examples
    --------
    >>> corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> ccgp(corners[:, [0, 0, 0, 1]], np.array([1, 1, -1, -1]), np.arange(4))
    1.0
    """
    x, rows = as_samples(features, "features"), (np.asarray(labels)[None], np.asarray(conditions)[None])
    part = np.ones(rows[0].shape, dtype=bool)
    return float(across_conditions(x, *rows, part, solver=solver, C=C, shrinkage=shrinkage)[0])


def parallelism_score(features: np.ndarray, labels: np.ndarray, conditions: np.ndarray) -> float:
    """Return how parallel the coding directions of a variable are across conditions.

    Conditions of the two classes are paired; each pair gives the vector between the means of its two conditions;
    the score is the mean cosine between these vectors, for the pairing where it is largest (Bernardi et al.
    2020). 1 for a variable coded alike everywhere. As the best pairing is taken, unrelated means do not give 0:
    compare with shuffled conditions.

    Parameters
    ----------
    features : (n_samples, n_units) array
    labels : (n_samples,) array of +1 and -1
    conditions : (n_samples,) names; equally many per class, 2 to 4

    Returns
    -------
    Mean cosine in [-1, 1]; NaN where two paired means coincide

    Raises
    ------
    MeasureError
        If the classes do not have equally many conditions, 2 to 4.

    Examples
    --------
    >>> corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(parallelism_score(corners, np.array([1, 1, -1, -1]), np.arange(4)), 6)
    1.0
    """
    x, labels, conditions = as_samples(features, "features"), np.asarray(labels), np.asarray(conditions)
    sides = [np.unique(conditions[labels == code]) for code in (1, -1)]
    if len(sides[0]) != len(sides[1]) or not 2 <= len(sides[0]) <= MAX_CONDITIONS:
        raise MeasureError(
            f"the parallelism score needs equally many conditions in each class, 2 to {MAX_CONDITIONS}; "
            f"got {len(sides[0])} and {len(sides[1])}"
        )
    plus, minus = (
        np.array([x[(labels == code) & (conditions == name)].mean(axis=0) for name in side])
        for code, side in zip((1, -1), sides, strict=True)
    )
    orders = np.array(list(permutations(range(len(minus)))))
    vectors = plus - minus[orders]
    units = divided(vectors, np.sqrt(squares(vectors, axes=(-1,)))[..., None])
    first, second = np.triu_indices(len(plus), 1)
    return float(np.sum(units[:, first] * units[:, second], axis=-1).mean(axis=-1).max())


def shattering(
    features: np.ndarray,
    conditions: np.ndarray,
    *,
    n_folds: int = 5,
    solver: str = "svm",
    C: float = 1.0,
    shrinkage: float = 0.2,
) -> Shattering:
    """Return the held-out read-out of all balanced groupings of the conditions (35 for 8 conditions).

    Parameters
    ----------
    features : (n_samples, n_units) array
    conditions : (n_samples,) names of 4, 6, 8 or 10 conditions, each with ``n_folds`` samples or more
    n_folds : folds, dealt out within each condition

    Raises
    ------
    MeasureError
        If the number of conditions is not 4, 6, 8 or 10.

    Examples
    --------
    >>> x = np.repeat(np.eye(4), 2, axis=0)
    >>> shattering(x, np.repeat(np.arange(4), 2), n_folds=2).dimension
    1.0
    """
    x = as_samples(features, "features")
    names, codes = np.unique(np.asarray(conditions), return_inverse=True)
    if len(names) not in (4, 6, 8, 10):
        raise MeasureError(f"the shattering dimension needs 4, 6, 8 or 10 conditions, got {len(names)}")
    chosen = [{0, *rest} for rest in combinations(range(1, len(names)), len(names) // 2 - 1)]
    groupings = np.array([[1 if code in side else -1 for code in range(len(names))] for side in chosen])
    labels = groupings[:, codes]
    folds = np.repeat(blocked_folds(codes[None], n_folds), len(labels), axis=0)
    scores = heldout_scores(x, labels, folds, solver=solver, C=C, shrinkage=shrinkage)
    return Shattering(balanced_accuracy(scores.decision, labels), groupings)
