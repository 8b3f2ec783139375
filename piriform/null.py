"""How often does chance give as much? p-values from label permutations, of one measure and of a family."""

from collections.abc import Mapping, Sequence

import numpy as np

_ROUNDING = 1e-12


def permutation_p(value: float, null: np.ndarray) -> float:
    """Return the one-sided p = (b + 1) / (m + 1), b of m permutations at least as large as the value.

    The one added counts the truth as one of the labellings, so that p is never 0 and never too small
    (Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39).

    Examples
    --------
    >>> permutation_p(2.0, np.array([0.0, 1.0, 3.0]))
    0.5
    """
    return (int((null >= value - _ROUNDING).sum()) + 1) / (len(null) + 1)


def max_statistic_p(values: Sequence[float], nulls: Sequence[np.ndarray]) -> np.ndarray:
    """Return p-values that hold for a whole family of measures of the same labellings.

    Each measure is put on the scale of its own null, z = (value - mean) / SD; the largest z of every
    permutation makes the null of the family (Westfall & Young 1993; Nichols & Holmes 2002, Hum Brain
    Mapp 15:1). A measure whose null has no spread takes no part: NaN.

    Parameters
    ----------
    values : one value per measure, larger meaning more
    nulls : (n_permutations,) array per measure, the same permutations in the same order

    Examples
    --------
    >>> p = max_statistic_p([5.0, 0.0], [np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.0])])
    >>> p.tolist()
    [0.25, 1.0]
    """
    if not len(values):
        return np.empty(0)
    stacked = np.array(nulls, dtype=float)
    spread = stacked.std(axis=1)
    spread[spread <= _ROUNDING * np.abs(stacked).max(axis=1)] = np.nan
    score = (np.asarray(values) - stacked.mean(axis=1)) / spread
    takes_part = np.isfinite(score)
    if not takes_part.any():
        return score
    largest = ((stacked - stacked.mean(axis=1, keepdims=True)) / spread[:, None])[takes_part].max(axis=0)
    return np.array([permutation_p(z, largest) if np.isfinite(z) else np.nan for z in score])


def learning_p(found: Mapping[str, tuple[float, np.ndarray, int]]) -> dict[str, float]:
    """Return the max-statistic p of each measure that has a direction.

    Parameters
    ----------
    found : name -> (value, its null, +1 rises or -1 falls with learning, 0 no direction)
    """
    directed = {name: entry for name, entry in found.items() if entry[2] and len(entry[1])}
    p = max_statistic_p(
        [value * sign for value, _, sign in directed.values()], [null * sign for _, null, sign in directed.values()]
    )
    return dict(zip(directed, p.tolist(), strict=True))
