"""Is the mean slope above 0, if the slopes' own standard errors are used too?

The moderated t and Hartung and Knapp's random-effects test, to stand beside the two-stage t-test of
:func:`piriform.stats.group_mean`. How often each is wrong is in ``docs/group_tests.md``.
"""

from typing import Any

import numpy as np
from scipy.special import gammaln, stdtr, stdtrit

from piriform.errors import PiriformError
from piriform.stats import GroupMean


def moderated_mean(values: Any, se: Any, *, prior_df: float = 0.0, floor: float = 0.0, min_n: int = 2) -> GroupMean:
    """Test whether the mean over subjects is above 0, with a variance shrunk towards the sampling variance.

    ``s2 = ((n - 1) s2_between + prior_df s2_within) / (n - 1 + prior_df)``, at least ``floor
    s2_within``; ``t = mean / sqrt(s2 / n)`` with ``n - 1 + prior_df`` degrees of freedom (the
    moderated t of Smyth 2004, with a prior that is fixed instead of estimated). ``s2_within`` is the
    mean of the squared standard errors of the slopes, what ``s2_between`` would be if all subjects
    changed alike. ``prior_df = 0`` is the two-stage t; anything above rejects too often where
    subjects truly differ.

    Parameters
    ----------
    values, se : (n_subjects,) arrays
        Slopes and their standard errors (:func:`piriform.serial.serial_slope`); a subject with
        either NaN is left out.
    prior_df : weight of the sampling variance, in degrees of freedom
    floor : least share of the sampling variance that the variance may be
    min_n : subjects needed for a test, at least 2

    Examples
    --------
    >>> result = moderated_mean([1.0, 2.0, 3.0, 4.0], [1.0] * 4, prior_df=3)
    >>> round(result.t, 3), round(result.p, 4)  # s2 = (3 * 5/3 + 3 * 1) / 6 = 4/3
    (4.33, 0.0025)
    """
    if not (prior_df >= 0 and floor >= 0):
        raise PiriformError(f"moderated_mean: prior_df is {prior_df:g} and floor {floor:g}; both must be 0 or more")
    values, se = _paired(values, se)
    n = len(values)
    if lack := _lack(n, min_n):
        return _no_test(values, lack)
    mean, variance = float(values.mean()), float(moderated_variance(values, se, prior_df=prior_df, floor=floor))
    return _t_test(mean, variance, n, n - 1 + prior_df)


def moderated_variance(values: np.ndarray, se: np.ndarray, *, prior_df: float, floor: float = 0.0) -> np.ndarray:
    """Return the variance of :func:`moderated_mean`; ``values, se`` are (..., n_subjects)."""
    df = values.shape[-1] - 1
    between, within = values.var(axis=-1, ddof=1), (se**2).mean(axis=-1)
    return np.maximum((df * between + prior_df * within) / (df + prior_df), floor * within)


def hartung_knapp(values: Any, se: Any, *, min_n: int = 2) -> GroupMean:
    """Test whether the random-effects mean is above 0, each subject weighted by how well its slope is known.

    ``w = 1 / (se^2 + tau2)`` with DerSimonian and Laird's tau2, ``mean = sum w y / sum w``, ``t = mean
    / sqrt(sum w (y - mean)^2 / ((n - 1) sum w))`` with n - 1 degrees of freedom (Hartung & Knapp
    2001; Sidik & Jonkman 2002). Assumes that the standard errors are right; equal ones give the
    two-stage t. ``sd`` of the result is the standard error times ``sqrt(n)``.

    Parameters
    ----------
    values, se : (n_subjects,) arrays, slopes and their standard errors, above 0; NaN is left out
    min_n : subjects needed for a test, at least 2

    Examples
    --------
    >>> round(hartung_knapp([1.0, 2.0, 3.0, 4.0], [1.0] * 4).t, 3)
    3.873
    """
    values, se = _paired(values, se)
    if not np.all(se > 0):
        return _no_test(values, "a slope has no standard error above 0")
    n = len(values)
    if lack := _lack(n, min_n):
        return _no_test(values, lack)
    mean, variance = (float(value) for value in random_effects(values, se))
    return _t_test(mean, n * variance, n, n - 1)


def random_effects(values: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and its squared standard error of :func:`hartung_knapp`; ``values, se`` are (..., n_subjects)."""
    df = values.shape[-1] - 1
    fixed = se**-2.0
    total = fixed.sum(axis=-1)
    off = values - (fixed * values).sum(axis=-1, keepdims=True) / total[..., None]
    excess = (fixed * off**2).sum(axis=-1) - df
    tau2 = np.maximum(excess / (total - (fixed**2).sum(axis=-1) / total), 0.0)
    weight = 1 / (se**2 + tau2[..., None])
    mean = (weight * values).sum(axis=-1) / weight.sum(axis=-1)
    return mean, (weight * (values - mean[..., None]) ** 2).sum(axis=-1) / (df * weight.sum(axis=-1))


def _paired(values: Any, se: Any) -> tuple[np.ndarray, np.ndarray]:
    values, se = np.asarray(values, dtype=float), np.asarray(se, dtype=float)
    if values.ndim != 1 or values.shape != se.shape:
        raise PiriformError(f"slopes and standard errors have shapes {values.shape} and {se.shape}; need one length")
    here = np.isfinite(values) & np.isfinite(se)
    return values[here], se[here]


def _lack(n: int, min_n: int) -> str:
    return f"{n} of {max(min_n, 2)} subjects needed" if n < max(min_n, 2) else ""


def _no_test(values: np.ndarray, note: str, sd: float = np.nan) -> GroupMean:
    mean = float(values.mean()) if len(values) else np.nan
    return GroupMean(mean, sd, len(values), np.nan, np.nan, (np.nan, np.nan), np.nan, note)


def _t_test(mean: float, variance: float, n: int, df: float) -> GroupMean:
    if not variance > 1e-18 * mean**2:
        return _no_test(
            np.full(n, mean), "the slopes of all subjects are equal; there is no spread to test against", 0.0
        )
    sd, se = float(np.sqrt(variance)), float(np.sqrt(variance / n))
    half = se * float(stdtrit(df, 0.975))
    small = float(np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2)) if df > 1 else np.nan
    return GroupMean(
        mean, sd, n, mean / se, float(stdtr(df, -mean / se)), (mean - half, mean + half), mean / sd * small
    )
