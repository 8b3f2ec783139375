"""How steep is one subject's trend, and how sure is that when one day resembles the next?

A straight line by generalised least squares with first-order autoregressive days, ``cov = sigma^2
rho^gap`` (Prais & Winsten 1954). The residuals of a line fitted to few days look less alike than the
days are (Kendall 1954; Marriott & Pope 1954): rho is the value under which residuals of this very line
on these very days would be expected to look as alike as they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from piriform.errors import PiriformError
from piriform.stats import Slope

#: Correlations of neighbouring days that are tried; below 0 counts as 0.
_RHO = np.linspace(0.0, 0.95, 39)
_MIN_POINTS = 4
_NODES = 40


@dataclass(frozen=True)
class SerialSlope(Slope):
    """A line whose standard error allows for days that are alike; ``rho`` is their correlation one day apart."""

    rho: float = np.nan


def serial_slope(day: Any, y: Any, *, weights: Any = None, rho: float | None = None, per: float = 1.0) -> SerialSlope:
    """Fit a straight line to days that may be correlated.

    Parameters
    ----------
    day, y : (n_points,) arrays
        In any order and with gaps; points where either is NaN are left out. Points closer than one
        day count as one day apart in the correlation.
    rho : correlation of the residuals one day apart, 0 up to (not including) 1
        Best taken from all subjects together (:func:`autocorrelation`); estimated from these points
        alone if not given. NaN, unknown, counts as 0.
    per : days to which the slope refers, e.g. 10 for a slope per 10 days

    Returns
    -------
    SerialSlope
        As :func:`piriform.stats.weighted_slope`, which it equals at ``rho = 0``. NaN below 2
        different days; no standard error below 3 points.

    Examples
    --------
    >>> fit = serial_slope([1, 2, 3, 4], [1.0, 2.0, 2.0, 3.0], rho=0.5)
    >>> round(fit.slope, 3), round(fit.se, 3)
    (0.645, 0.223)
    """
    if not per > 0:
        raise PiriformError(f"serial_slope: per is {per:g}, expected a number of days above 0")
    if rho is not None and (rho < 0 or rho >= 1):
        raise PiriformError(f"serial_slope: rho is {rho:g}, expected a correlation from 0 up to (not including) 1")
    x, y, w = _points(day, y, weights)
    if not np.all(w > 0):
        raise PiriformError("serial_slope: weights must be above 0, none missing")
    n = len(x)
    if n < 2 or np.ptp(x) == 0:
        return SerialSlope(np.nan, np.nan, np.nan, max(n - 2, 0), n, np.nan)
    if rho is None:
        rho = autocorrelation([(x, y)])
    known = rho if np.isfinite(rho) else 0.0
    if np.ptp(y) == 0:
        return SerialSlope(0.0, float(y[0]), 0.0 if n > 2 else np.nan, n - 2, n, rho)
    slope, intercept, se = (float(value) for value in serial_fits(x, y, known, weights=w))
    return SerialSlope(slope * per, intercept, se * per, n - 2, n, rho)


def autocorrelation(series: Sequence[tuple[Any, Any]]) -> float:
    """Return the correlation of the days' deviations from a line, one day apart, common to all subjects.

    With residuals ``e = M y`` of each subject's line, ``r = sum e_i e_(i+1) / sum e_i^2`` over
    neighbouring points. Both r and its expectation under ``V_ij = rho^gap`` are averaged over
    subjects with weights n - 2, and rho is solved from the two being equal, within 0 to .95. With the
    eigenvalues l and eigenvectors u of ``M V M`` the expectation is ``int_0^inf sum_k l_k a_k / (1 + 2
    t l_k) / sqrt(prod_j (1 + 2 t l_j)) dt``, ``a_k = sum_i u_ik u_(i+1)k`` (a ratio of quadratic forms
    of normal values). It is about -.2 on 10 days at rho = 0.

    Parameters
    ----------
    series : pairs of (n_points,) arrays, the days and the values of each subject

    Returns
    -------
    float
        NaN where no subject has 4 points on a line that is not exact.

    Examples
    --------
    >>> autocorrelation([(range(8), [0, 1, 0, 1, 0, 1, 0, 1])])
    0.0
    """
    observed, expected, weights = [], [], []
    for day, y in series:
        x, y, _ = _points(day, y)
        if len(x) >= _MIN_POINTS and np.ptp(x) > 0 and np.isfinite(r := residual_autocorrelation(x, y)):
            observed.append(r)
            expected.append(_expected_once(tuple(x - x[0])))
            weights.append(len(x) - 2)
    if not weights:
        return np.nan
    return float(solved_rho(np.average(observed, weights=weights), np.average(expected, axis=0, weights=weights)))


def serial_fits(
    x: np.ndarray, y: np.ndarray, rho: Any, *, weights: Any = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return slopes per day, intercepts and standard errors of many lines at once.

    ``x, y`` are (..., n_points) arrays in the order of days, with NaN only at the end of a row;
    ``rho`` (...) broadcasts against their leading axes, ``weights`` against ``y``. Each point, times the
    root of its weight, but the first is replaced by its
    difference from rho^gap times the one before, over ``sqrt(1 - rho^(2 gap))``.
    """
    known = np.isfinite(x) & np.isfinite(y)
    middle = np.nanmean(x, axis=-1, keepdims=True)
    power = np.asarray(rho)[..., None] ** _gaps(x)
    one, time, value = (
        _whitened(np.where(known, values * np.sqrt(weights), 0.0), power, known)
        for values in (np.ones_like(x), x - middle, y)
    )
    a, b, c = ((u * v).sum(axis=-1) for u, v in ((one, one), (one, time), (time, time)))
    d, e = (one * value).sum(axis=-1), (time * value).sum(axis=-1)
    determinant = a * c - b**2
    slope, level = (a * e - b * d) / determinant, (c * d - b * e) / determinant
    residual = value - level[..., None] * one - slope[..., None] * time
    spare = known.sum(axis=-1) - 2
    variance = np.where(spare > 0, (residual**2).sum(axis=-1) / np.maximum(spare, 1), np.nan)
    return slope, level - slope * middle[..., 0], np.sqrt(variance * a / determinant)


def residual_autocorrelation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``sum e_i e_(i+1) / sum e_i^2`` of least-squares residuals; arrays as in :func:`serial_fits`.

    NaN where the line is exact.
    """
    known = np.isfinite(x) & np.isfinite(y)
    value = np.where(known, y, 0.0)
    residual = np.einsum("...ij,...j->...i", _residual_maker(x, known), value)
    square, total = (residual**2).sum(axis=-1), (value**2).sum(axis=-1)
    product = (residual[..., 1:] * residual[..., :-1]).sum(axis=-1)
    exact = square <= 1e-20 * total
    return np.where(exact, np.nan, product / np.where(exact, 1.0, square))


def expected_autocorrelation(x: np.ndarray) -> np.ndarray:
    """Return what :func:`residual_autocorrelation` is expected to be, (..., n_rho), for each rho that is tried."""
    maker = _residual_maker(x, np.isfinite(x))
    at = np.cumsum(_gaps(x), axis=-1)
    apart = np.abs(at[..., :, None] - at[..., None, :])
    return _expected(maker[..., None, :, :], _RHO[:, None, None] ** apart[..., None, :, :])


@lru_cache(maxsize=256)
def _expected_once(days: tuple[float, ...]) -> np.ndarray:
    return expected_autocorrelation(np.array(days))


def solved_rho(observed: Any, expected: np.ndarray) -> np.ndarray:
    """Return rho whose expectation, (..., n_rho) and rising, is what was observed (...); the ends of the range outside."""
    observed = np.asarray(observed)[..., None]
    above = np.clip((expected < observed).sum(axis=-1), 1, len(_RHO) - 1)
    low, high = (np.take_along_axis(expected, i[..., None], axis=-1)[..., 0] for i in (above - 1, above))
    apart = high > low  # days so far apart that no rho can be told: the lower end
    share = np.clip(np.divide(observed[..., 0] - low, high - low, out=np.zeros(low.shape), where=apart), 0.0, 1.0)
    return _RHO[above - 1] + share * (_RHO[above] - _RHO[above - 1])


def _points(day: Any, y: Any, weights: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Known points in the order of days, and their weights."""
    x, y = np.asarray(day, dtype=float), np.asarray(y, dtype=float)
    w = np.ones(x.shape) if weights is None else np.asarray(weights, dtype=float)
    if x.ndim != 1 or not x.shape == y.shape == w.shape:
        raise PiriformError(f"days and values have shapes {x.shape} and {y.shape}; they must be lists of one length")
    x = np.where(np.isfinite(x) & np.isfinite(y), x, np.nan)
    order = np.argsort(x, kind="stable")[: int(np.isfinite(x).sum())]
    return x[order], y[order], w[order]


def _gaps(x: np.ndarray) -> np.ndarray:
    """Days since the point before, at least 1; 0 for the first."""
    gap = np.maximum(np.nan_to_num(np.diff(x, axis=-1), nan=1.0), 1.0)
    return np.concatenate([np.zeros_like(x[..., :1]), gap], axis=-1)


def _whitened(values: np.ndarray, power: np.ndarray, known: np.ndarray) -> np.ndarray:
    before = np.concatenate([np.zeros_like(values[..., :1]), values[..., :-1]], axis=-1)
    first = np.arange(values.shape[-1]) == 0
    spread = np.sqrt(np.where(first, 1.0, 1 - power**2))
    return np.where(known, np.where(first, values, values - power * before) / spread, 0.0)


def _residual_maker(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The matrix M that turns values into residuals of the least-squares line."""
    n = known.sum(axis=-1, keepdims=True)
    centred = np.where(known, x - (np.where(known, x, 0.0).sum(axis=-1, keepdims=True) / n), 0.0)
    scaled = centred / np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    level = known / np.sqrt(n)
    fitted = level[..., :, None] * level[..., None, :] + scaled[..., :, None] * scaled[..., None, :]
    return np.eye(x.shape[-1]) * known[..., None, :] - fitted


def _expected(maker: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Expectation of the ratio of the two quadratic forms: its integral by Gauss-Legendre quadrature."""
    size, axes = np.linalg.eigh(maker @ cov @ maker)
    size = np.maximum(size, 0.0) / np.einsum("...i->...", size)[..., None]
    share = size * (axes[..., :-1, :] * axes[..., 1:, :]).sum(axis=-2)
    at, weight = np.polynomial.legendre.leggauss(_NODES)
    u = (at + 1) / 2
    grown = 1 + 2 * (u / (1 - u))[:, None] * size[..., None, :]
    integrand = (share[..., None, :] / grown).sum(axis=-1) / np.sqrt(grown.prod(axis=-1))
    return (integrand * weight / 2 / (1 - u) ** 2).sum(axis=-1)
