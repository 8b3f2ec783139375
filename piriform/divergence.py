"""Do neurons change faster than behaviour, on one scale for both?

Both sides are relative changes of a discriminability (d') per 10 days, so that they are equal, and their
difference 0, where neurons and behaviour grow in proportion.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from piriform.errors import PiriformError
from piriform.stats import GroupMean, group_mean, weighted_slope


def relative_slope(day: Any, value: Any, *, weights: Any = None, per: float = 10.0) -> float:
    """Return the slope as a share of the mean: ``per * slope / mean(value)``, both with the same weights.

    NaN below 2 different days, and where the mean is not above 0: there is nothing to relate to.

    Examples
    --------
    >>> round(relative_slope([1, 2, 3], [0.9, 1.0, 1.1]), 3)
    1.0
    """
    value = np.asarray(value, dtype=float)
    fit = weighted_slope(day, value, weights=weights)
    w = np.ones(value.shape) if weights is None else np.asarray(weights, dtype=float)
    known = np.isfinite(value) & np.isfinite(np.asarray(day, dtype=float)) & (w > 0)
    mean = float(np.average(value[known], weights=w[known])) if known.any() else np.nan
    return per * fit.slope / mean if mean > 0 else np.nan


def behavior_slope(day: Any, accuracy: Any, n_trials: Any, *, per: float = 10.0) -> float:
    """Return the relative change of behavioural d' per 10 days: the slope of ``log(2 z(p))``.

    ``p = (accuracy n + 1/2) / (n + 1)``, z the normal quantile: ``2 z(p)`` is d' of an unbiased
    choice between two classes (Macmillan & Creelman 2005), and stays finite at no error. Each day
    weighs as its number of trials. Days at or below chance have no logarithm and are left out.

    Examples
    --------
    >>> round(behavior_slope([1, 2, 3], [0.9, 0.9, 0.9], [100, 100, 100]), 6)
    0.0
    """
    k = np.asarray(accuracy, dtype=float) * np.asarray(n_trials, dtype=float)
    n = np.where(np.isfinite(k), np.asarray(n_trials, dtype=float), 0.0)
    d = 2 * ndtri((np.where(n > 0, k, 0.0) + 0.5) / (n + 1))
    above = (n > 0) & (d > 0)
    y = np.where(above, np.log(np.where(above, d, 1.0)), np.nan)
    return per * weighted_slope(day, y, weights=n).slope


def divergence(neural: Mapping[str, float], behavior: Mapping[str, float], *, min_n: int = 2) -> GroupMean:
    """Test whether the neural slopes exceed the behavioural ones, subject by subject.

    The two-stage t of ``neural - behavior`` over the subjects that have both; 0 under the null that
    neurons and behaviour change in proportion.

    Parameters
    ----------
    neural, behavior : slope by subject, as :func:`relative_slope` and :func:`behavior_slope` give

    Examples
    --------
    >>> found = divergence({"a": 0.3, "b": 0.5, "c": 0.4}, {"a": 0.0, "b": 0.1, "c": 0.0})
    >>> round(found.mean, 3), found.n
    (0.367, 3)
    """
    common = [name for name in neural if name in behavior]
    if (neural or behavior) and not common:
        raise PiriformError("divergence: neural and behavioural slopes have no subject in common; check their names")
    return group_mean([neural[name] - behavior[name] for name in common], min_n=min_n)
