"""What can be said about a slope, and about a few subjects' slopes?

Weighted least squares within a subject; across subjects the two-stage t-test, equivalence by two
one-sided tests, and the smallest effect a study could have seen. The unit of inference is the subject.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, nctdtrinc, stdtr, stdtrit

from piriform.errors import PiriformError


@dataclass(frozen=True)
class Slope:
    """A least-squares line: slope and intercept, standard error, degrees of freedom, points used."""

    slope: float
    intercept: float
    se: float
    df: int
    n: int

    @property
    def p(self) -> float:
        """One-sided p of a slope above 0; NaN without a standard error above 0."""
        return float(stdtr(self.df, -self.slope / self.se)) if self.se > 0 else np.nan

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the two-sided t interval of the slope; NaN below 3 points."""
        half = self.se * _quantile(self.df, (1 + level) / 2)
        return self.slope - half, self.slope + half


@dataclass(frozen=True)
class GroupMean:
    """The mean over subjects and its test: ``p`` is one-sided (above 0), ``interval`` two-sided 95%.

    ``sd`` is what the test used; ``note`` says why there is no p, or what stands behind ``sd``.
    """

    mean: float
    sd: float
    n: int
    t: float
    p: float
    interval: tuple[float, float]
    hedges_g: float
    note: str = ""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against ``-bound`` and ``+bound``; ``p`` is the larger of the two.

    ``interval`` has level ``1 - 2 alpha``: the mean is equivalent to 0 where it lies inside the bounds.
    """

    mean: float
    sd: float
    n: int
    p: float
    interval: tuple[float, float]
    bound: float
    equivalent: bool
    note: str = ""


def weighted_slope(x: Any, y: Any, *, weights: Any = None) -> Slope:
    """Fit a straight line by (weighted) least squares.

    Parameters
    ----------
    x, y : (n_points,) arrays
        Points where either is NaN are left out; ``x`` may have gaps and ties.
    weights : (n_points,) array, optional
        Proportional to 1/variance of each point, 0 or more; equal if not given.

    Returns
    -------
    Slope
        Slope in units of y per unit of x; NaN below 2 different x. The standard error takes the
        residual variance from the points (``df = n - 2``) and is NaN below 3 points. Constant
        ``y`` gives slope 0 with standard error 0.

    Examples
    --------
    >>> fit = weighted_slope([1, 2, 3, 4], [1.0, 2.0, 2.0, 3.0])
    >>> round(fit.slope, 3), round(fit.se, 3)
    (0.6, 0.141)
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    w = np.ones(x.shape) if weights is None else np.asarray(weights, dtype=float)
    if not (x.ndim == 1 and x.shape == y.shape == w.shape):
        raise PiriformError(f"weighted_slope: x, y and weights have shapes {x.shape}, {y.shape}, {w.shape}; need one")
    known = np.isfinite(x) & np.isfinite(y)
    if not np.all(w[known] >= 0):
        raise PiriformError("weighted_slope: weights must be 0 or more, none missing")
    x, y, w = (values[known & (w > 0)] for values in (x, y, w))
    n = len(x)
    if n < 2 or np.ptp(x) == 0:
        return Slope(np.nan, np.nan, np.nan, max(n - 2, 0), n)
    if np.ptp(y) == 0:
        return Slope(0.0, float(y[0]), 0.0 if n > 2 else np.nan, n - 2, n)

    x_mean, y_mean = np.average(x, weights=w), np.average(y, weights=w)
    sxx = np.sum(w * (x - x_mean) ** 2)
    slope = np.sum(w * (x - x_mean) * (y - y_mean)) / sxx
    residual = y - y_mean - slope * (x - x_mean)
    se = np.sqrt(np.sum(w * residual**2) / (n - 2) / sxx) if n > 2 else np.nan
    return Slope(float(slope), float(y_mean - slope * x_mean), float(se), n - 2, n)


def group_mean(values: Any, *, min_n: int = 2, min_sd: float = 0.0) -> GroupMean:
    """Test whether the mean over subjects is above 0: the second stage of the two-stage t-test.

    ``t = mean / (sd / sqrt(n))`` with n - 1 degrees of freedom, one-sided; Hedges' g is mean/sd
    times ``J = gamma(df/2) / (sqrt(df/2) gamma((df-1)/2))`` (Hedges 1981). Under the null the
    mean is 0 and p uniform.

    Parameters
    ----------
    values : (n_subjects,) array
        One slope per subject; NaN is left out.
    min_n : subjects needed for a test, at least 2
    min_sd : smallest SD that can be true, e.g. the sampling error of the slopes

    Returns
    -------
    GroupMean
        No p below ``min_n`` subjects or where all values are equal: there is no spread to test
        against.

    Examples
    --------
    >>> result = group_mean([1.0, 2.0, 3.0, 4.0])
    >>> round(result.t, 3), round(result.p, 4)
    (3.873, 0.0152)
    """
    mean, sd, n, note = _moments(values, min_n, min_sd)
    if not sd > 0:
        return GroupMean(mean, sd, n, np.nan, np.nan, (np.nan, np.nan), np.nan, note)

    se = sd / float(np.sqrt(n))
    half = se * _quantile(n - 1, 0.975)
    p = float(stdtr(n - 1, -mean / se))
    return GroupMean(mean, sd, n, mean / se, p, (mean - half, mean + half), mean / sd * _small_sample(n - 1), note)


def equivalence(values: Any, *, bound: float, alpha: float = 0.05, min_n: int = 2, min_sd: float = 0.0) -> Equivalence:
    """Test whether the mean over subjects lies within ``-bound .. bound``: two one-sided t-tests.

    ``p = max(P(T > (bound + mean)/se), P(T > (bound - mean)/se))`` with n - 1 degrees of freedom
    (Schuirmann 1987). Here p is large under "not flat": a small p says that the mean is flat.

    Parameters
    ----------
    values : (n_subjects,) array
        One slope per subject; NaN is left out.
    bound : largest mean, in either direction, that counts as flat
    alpha : level of each one-sided test
    min_n : subjects needed for a test, at least 2
    min_sd : smallest SD that can be true, e.g. the sampling error of the slopes

    Returns
    -------
    Equivalence
        No p and not equivalent below ``min_n`` subjects, and where all values are equal and
        ``min_sd`` is 0.

    Examples
    --------
    >>> result = equivalence([-0.01, 0.0, 0.01, 0.02], bound=0.05)
    >>> round(result.p, 4), result.equivalent
    (0.003, True)
    """
    if not bound > 0:
        raise PiriformError(f"equivalence: bound is {bound:g}, expected a number above 0")
    _check_alpha(alpha)
    mean, sd, n, note = _moments(values, min_n, min_sd)
    if not sd > 0:
        return Equivalence(mean, sd, n, np.nan, (np.nan, np.nan), bound, False, note)

    se = sd / float(np.sqrt(n))
    p = float(max(stdtr(n - 1, -(bound + mean) / se), stdtr(n - 1, -(bound - mean) / se)))
    half = se * _quantile(n - 1, 1 - alpha)
    return Equivalence(mean, sd, n, p, (mean - half, mean + half), bound, p <= alpha, note)


def smallest_detectable(sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the mean that the one-sided t-test of n subjects finds with the given power.

    Solves ``P(T' > t(n-1; 1-alpha)) = power`` for the noncentral t with noncentrality
    ``mean sqrt(n) / sd``. NaN below 2 subjects or without an SD above 0.

    Examples
    --------
    >>> round(smallest_detectable(1.0, 4), 2)
    1.65
    """
    _check_alpha(alpha)
    if not alpha < power < 1:
        raise PiriformError(f"smallest_detectable: power is {power:g}, expected a number between alpha and 1")
    if n < 2 or not sd > 0:
        return np.nan

    noncentrality = nctdtrinc(n - 1, 1 - power, _quantile(n - 1, 1 - alpha))
    return float(noncentrality * sd / np.sqrt(n))


def holm(p: Any) -> np.ndarray:
    """Return Holm's adjusted p-values of a family; NaN stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, float("nan"), 0.03]).round(2).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)[: int(np.isfinite(p).sum())]
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


def _moments(values: Any, min_n: int, min_sd: float) -> tuple[float, float, int, str]:
    """Mean, SD (at least ``min_sd``, NaN below ``min_n`` values), n, and what is special about the SD."""
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    n = len(values)
    if n < max(min_n, 2):
        return float(values.mean()) if n else np.nan, np.nan, n, f"{n} of {max(min_n, 2)} subjects needed"
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    if sd <= 1e-9 * np.abs(values).max():
        mean, sd = float(values[0]), 0.0
    if sd < min_sd:
        return mean, min_sd, n, "the slopes differ by less than their sampling error, which stands in for their SD"
    return mean, sd, n, "" if sd else "the slopes of all subjects are equal; there is no spread to test against"


def _small_sample(df: int) -> float:
    if df < 2:
        return np.nan
    return float(np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2))


def _quantile(df: int, level: float) -> float:
    return float(stdtrit(df, level)) if df > 0 else np.nan


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise PiriformError(f"alpha is {alpha:g}, expected a level between 0 and 0.5")
