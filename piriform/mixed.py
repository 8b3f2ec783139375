"""What does a mixed model say about the mean slope of a handful of subjects? It is shown, and decides nothing."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from piriform.stats import GroupMean

_NO_VARIANCE = 1e-8


def mixed_slope(series: Sequence[tuple[Any, Any]], *, per: float = 1.0, min_n: int = 2) -> GroupMean:
    """Test the mean slope in a linear mixed model: an intercept for each subject, a random slope, REML.

    ``y = a_s + (b + u_s) day + e`` fitted with statsmodels' MixedLM; t of ``b`` with n_subjects - 1
    degrees of freedom (statsmodels offers z, which rejects too often with few subjects). Days are
    taken as independent.

    Where the variance of the slopes reaches 0, MixedLM can return a mean slope of exactly 0 and
    ``converged=True`` (statsmodels issue 10239). Such fits, and those that do not converge, have no p.

    Parameters
    ----------
    series : pairs of (n_points,) arrays, the days and the values of each subject
        Points where either is NaN are left out, and subjects below 3 different days.
    per : days to which the slope refers
    min_n : subjects needed for a test, at least 2

    Returns
    -------
    GroupMean
        ``sd`` is the standard error times ``sqrt(n)``; ``hedges_g`` is NaN. NaN and a note where
        the model has no answer.

    Examples
    --------
    >>> mixed_slope([([1, 2, 3], [1.0, 2.0, 4.0])]).note
    '1 of 2 subjects with 3 different days needed'
    """
    points = [np.array([day, y], dtype=float) for day, y in series]
    points = [both[:, np.isfinite(both).all(axis=0)] for both in points]
    points = [both for both in points if len(np.unique(both[0])) >= 3]
    n = len(points)
    if n < max(min_n, 2):
        return _none(n, f"{n} of {max(min_n, 2)} subjects with 3 different days needed")
    subject = np.repeat(np.arange(n), [both.shape[1] for both in points])
    day = np.concatenate([both[0] - both[0].mean() for both in points])
    y = np.concatenate([both[1] - both[1].mean() for both in points])
    scale = y.std()
    if scale == 0:
        return _none(n, "the values of all subjects are constant")
    slope, se, note = _fit(subject, day / day.std(), y / scale)
    if note:
        return _none(n, note)
    unit = per * scale / day.std()
    mean, se = slope * unit, se * unit
    half = se * float(stdtrit(n - 1, 0.975))
    p = float(stdtr(n - 1, -mean / se))
    return GroupMean(mean, se * float(np.sqrt(n)), n, mean / se, p, (mean - half, mean + half), np.nan)


def _fit(subject: np.ndarray, day: np.ndarray, y: np.ndarray) -> tuple[float, float, str]:
    """Mean slope, standard error, and why there is none."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    fixed = np.column_stack([day, np.eye(subject.max() + 1)[subject]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = MixedLM(y, fixed, subject, exog_re=day[:, None]).fit(reml=True)
            slope, se, variance = float(found.fe_params[0]), float(found.bse_fe[0]), float(found.cov_re[0, 0])
        except (np.linalg.LinAlgError, ValueError) as error:
            return np.nan, np.nan, f"MixedLM failed: {error}"
    if slope == 0 or variance < _NO_VARIANCE:
        return np.nan, np.nan, "MixedLM put the variance of the slopes at 0, where its mean slope cannot be trusted"
    if not found.converged:
        return np.nan, np.nan, "MixedLM did not converge"
    return (slope, se, "") if se > 0 else (np.nan, np.nan, "MixedLM gave no standard error")


def _none(n: int, note: str) -> GroupMean:
    return GroupMean(np.nan, np.nan, n, np.nan, np.nan, (np.nan, np.nan), np.nan, note)
