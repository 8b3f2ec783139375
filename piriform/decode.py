"""How well can the class of a trial be read out of the population, and how well by chance?

Every function takes a stack of labellings (row 0 the truth, further rows permutations), so that a
measure and its null come from the same fits.
"""

from dataclasses import dataclass

import numpy as np

from piriform import solvers
from piriform.splits import OUT


@dataclass(frozen=True)
class Scores:
    """Held-out read-out of each trial by the decoder that never saw its fold.

    Attributes
    ----------
    decision : (n_labellings, n_trials) array
        f(x); positive means class +1, NaN where the trial took no part.
    distance : (n_labellings, n_trials) array
        f(x) / |w|: signed distance to the boundary, in SDs of the standardised units.
    labels, folds : (n_labellings, n_trials) arrays
        Labels +1 or -1, and the fold of each trial (-1: took no part).
    """

    decision: np.ndarray
    distance: np.ndarray
    labels: np.ndarray
    folds: np.ndarray


def heldout_scores(
    responses: np.ndarray, labels: np.ndarray, folds: np.ndarray, *, solver: str, C: float, shrinkage: float
) -> Scores:
    """Return the held-out read-out of a two-class linear decoder.

    Units are standardised by the training trials of each fold.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    labels : (n_labellings, n_trials) array of +1 and -1
    folds : (n_labellings, n_trials) array; -1 takes no part
    solver, C, shrinkage : see :func:`piriform.solvers.fit`
    """
    held = solvers.heldout(responses, labels, folds, solver=solver, C=C, shrinkage=shrinkage)
    # fold -1 takes the last norm: its decision is NaN
    norms = np.take_along_axis(held.norms, folds.astype(np.intp), axis=1)
    if not norms.all():
        norms[norms == 0] = np.inf  # a decoder without weights knows no distance
    return Scores(held.decision, held.decision / norms, labels, folds)


def balanced_accuracy(decision: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean over the two classes of the share of trials read out right.

    A decision value of exactly 0 counts one half; NaN is left out. Null value 0.5.

    Parameters
    ----------
    decision, labels : (n_labellings, n_trials) arrays

    Returns
    -------
    (n_labellings,) array in [0, 1]; NaN where a class has no trial

    Examples
    --------
    >>> balanced_accuracy(np.array([[2.0, -1.0, -3.0]]), np.array([[1, 1, -1]])).tolist()
    [0.75]
    """
    known = ~np.isnan(decision)
    shares = []
    for code in (1, -1):
        member = known & (labels == code)
        points = 2 * _count(member & (decision * code > 0)) + _count(member & (decision == 0))
        shares.append(ratio(points, 2 * _count(member)))
    return np.mean(shares, axis=0)


def auc(decision: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve over pairs of trials of the same test fold.

    AUC = P(f(target) > f(nontarget)) + P(equal)/2 (Mann-Whitney). Values of different folds come from
    different decoders and are not compared. Null value 0.5.

    Returns
    -------
    (n_labellings,) array in [0, 1]; NaN where no fold holds both classes

    Examples
    --------
    >>> f, y = np.array([[3.0, 1.0, 2.0, 0.0]]), np.array([[1, 1, -1, -1]])
    >>> auc(f, y, np.zeros((1, 4), int)).tolist()
    [0.75]
    """
    wins, pairs, is_positive = np.zeros(len(decision)), np.zeros(len(decision)), labels == 1
    for fold in range(int(folds.max()) + 1):
        inside = folds == fold
        positive, n_positive = _gathered(decision, inside & is_positive)
        negative, n_negative = _gathered(decision, inside & ~is_positive)
        wins += _wins(positive, negative)
        pairs += n_positive * n_negative
    return ratio(wins, pairs)


def multiclass_accuracy(
    responses: np.ndarray, codes: np.ndarray, folds: np.ndarray, *, solver: str, C: float, shrinkage: float
) -> np.ndarray:
    """Return the balanced accuracy of held-out trials over many classes.

    One classifier against the rest per class (``svm``, ``logistic``) or multi-class shrinkage LDA;
    the class with the largest score is read out. Null value 1 / n_classes.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    codes : (n_labellings, n_trials) int array of 0 .. n_classes-1
    folds : (n_labellings, n_trials) array; -1 takes no part

    Returns
    -------
    (n_labellings,) array in [0, 1]
    """
    n_classes = int(codes.max()) + 1
    scores = solvers.heldout_multiclass(
        responses, codes, folds, n_classes=n_classes, solver=solver, C=C, shrinkage=shrinkage
    )
    part = folds != OUT
    right = np.argmax(np.where(part[..., None], scores, 0.0), axis=2) == codes
    members = [(codes == code) & part for code in range(n_classes)]
    return np.mean([ratio(_count(right & member), _count(member)) for member in members], axis=0)


def _count(member: np.ndarray) -> np.ndarray:
    """How many are true in each row; a packed bit each, which is several times faster than a sum."""
    return np.bitwise_count(np.packbits(member, axis=1)).sum(axis=1, dtype=np.int64)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where the whole is not above 0."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _gathered(values: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of each row, left-aligned and padded with NaN, and their number."""
    member = member & ~np.isnan(values)
    counts = _count(member)
    picked = np.full((len(values), counts.max(initial=0)), np.nan)
    picked[np.arange(picked.shape[1]) < counts[:, None]] = values[member]
    return picked, counts


def _wins(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Pairs per row in which the positive is larger, ties counting one half."""
    wins = np.zeros(len(positive))
    for column in positive.T:
        wins += (column[:, None] > negative).sum(axis=1) + 0.5 * (column[:, None] == negative).sum(axis=1)
    return wins
