"""How does accuracy rise over days, and from which day on does it no longer improve?

A logistic learning curve per subject, and the first recorded day on its plateau.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri, expit, fdtri, logit, xlogy

from piriform.errors import PiriformError
from piriform.intervals import wilson_interval

MIN_DAYS = 4  # as many as the learning curve has parameters
_RISE_LEVEL = 0.99  # confidence that the curve beats a constant before a rise is believed
_UPPER_LEVEL = 0.90  # two-sided level of the profile set of the plateau's start, as an F quantile
_NARROWEST = 0.05  # days; any narrower curve is the same step between two days
_REWEIGHTINGS = 12
_CURVE = ("midpoint", "width", "base", "top", "deviance")


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy over days, ``base + (top - base) / (1 + exp(-(day - midpoint) / width))``.

    ``midpoint`` and ``width`` are in days; ``dispersion`` is Pearson's chi-square per degree of
    freedom, at least 1; ``converged`` is False, and every number NaN, where there is no curve.
    """

    base: float
    top: float
    midpoint: float
    width: float
    dispersion: float
    converged: bool

    def at(self, day: np.ndarray | float) -> np.ndarray:
        """Return the fitted accuracy on the given days."""
        return self.base + (self.top - self.base) * expit((np.asarray(day, dtype=float) - self.midpoint) / self.width)


@dataclass(frozen=True)
class Plateau:
    """First recorded day on the plateau (NaN if none), the late end of its range, and the reason."""

    day: float
    upper: float
    reason: str
    curve: LearningCurve


_NO_CURVE = LearningCurve(np.nan, np.nan, np.nan, np.nan, np.nan, False)


def learning_curve(day: np.ndarray, n_correct: np.ndarray, n_trials: np.ndarray) -> LearningCurve:
    """Fit a logistic learning curve with free base and top by quasi-binomial likelihood.

    For given midpoint and width the curve is linear in base and top, which reweighted least
    squares finds within [0, 1]; midpoint (between the first and the last day) and width (0.05 days
    to half the span) are searched on a grid that narrows twice. No starting value, nothing random.

    Parameters
    ----------
    day, n_correct, n_trials : (n_days,) arrays
        Days may have gaps and come in any order; days without trials are left out. ``n_correct``
        need not be whole (balanced accuracy times trials).

    Returns
    -------
    LearningCurve
        ``converged`` is False below 4 days with trials, and where accuracy is the same on all days.

    Examples
    --------
    >>> curve = learning_curve(range(1, 9), [50, 50, 50, 75, 100, 100, 100, 100], [100] * 8)
    >>> round(curve.base, 2), round(curve.top, 2), round(curve.midpoint, 1)
    (0.5, 1.0, 4.0)
    """
    return _fit(*_sorted_days(day, n_correct, n_trials))[0]


def plateau_day(
    day: np.ndarray,
    accuracy: np.ndarray,
    n_trials: np.ndarray,
    *,
    fraction: float = 0.98,
    min_rise: float = 0.1,
    chance: float = 0.5,
) -> Plateau:
    """Find the first recorded day on the plateau of the learning curve.

    It is the first day on which the fitted curve is below its top by at most ``1 - fraction`` of
    its rise (from ``midpoint + width * logit(fraction)`` on), or by at most one trial of that day:
    a session cannot tell less. One trial counts for at most half of ``min_rise``.

    Parameters
    ----------
    day, accuracy, n_trials : (n_days,) arrays
        Accuracy as fraction correct; days where it is NaN are left out.
    fraction : share of the rise from base to top that must be reached
    min_rise : smallest fitted rise, from the first to the last day, that counts as learning
    chance : accuracy of guessing

    Returns
    -------
    Plateau
        ``day`` is NaN below 4 days, without a rise, and where behaviour still rises on the last
        day; ``reason`` says which. A subject that never rises but whose pooled accuracy is above
        ``chance + min_rise`` (lower end of the 95% interval) is on its plateau from the first day,
        and the reason says so. ``upper`` is the latest start of the plateau among curves whose
        deviance is within ``dispersion * F(1, n_days - 4)(.90)`` of the best.

    Examples
    --------
    >>> plateau_day(range(1, 9), [0.5, 0.5, 0.5, 0.75, 1, 1, 1, 1], [100] * 8).day
    5.0
    """
    _check_plateau(fraction, min_rise)
    accuracy, n_trials = np.asarray(accuracy, dtype=float), np.asarray(n_trials, dtype=float)
    if accuracy.shape != n_trials.shape:
        raise PiriformError(f"plateau_day: accuracy has shape {accuracy.shape}, n_trials {n_trials.shape}")
    n_trials = np.where(np.isfinite(accuracy), n_trials, 0.0)
    days, k, n = _sorted_days(day, np.nan_to_num(accuracy) * n_trials, n_trials)
    n_days = len(np.unique(days))
    if n_days < MIN_DAYS:
        return Plateau(np.nan, np.nan, f"outcomes on {n_days} days; a learning curve needs {MIN_DAYS}", _NO_CURVE)

    curve, tried = _fit(days, k, n)
    change = float(curve.at(days[-1]) - curve.at(days[0])) if curve.converged else 0.0
    sure = _beats_constant(curve, k, n, tried)
    if change < min_rise or not sure:
        return _without_rise(days, k, n, curve, change=change, sure=sure, bar=chance + min_rise)
    upper = _latest_start(curve, tried, len(days), fraction)
    short = curve.top - curve.at(days)
    reached = short <= np.maximum((1 - fraction) * (curve.top - curve.base), np.minimum(1 / n, min_rise / 2))
    if not reached.any():
        return Plateau(np.nan, upper, f"behaviour still rises on the last day ({days[-1]:g})", curve)
    return Plateau(float(days[reached][0]), upper, "", curve)


def _check_plateau(fraction: float, min_rise: float) -> None:
    if not 0.5 < fraction < 1:
        raise PiriformError(f"plateau_day: fraction is {fraction:g}, expected a share between 0.5 and 1")
    if not min_rise >= 0:
        raise PiriformError(f"plateau_day: min_rise is {min_rise:g}, expected 0 or more")


def _sorted_days(day: Any, n_correct: Any, n_trials: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    day, k, n = (np.asarray(values, dtype=float) for values in (day, n_correct, n_trials))
    if not (day.ndim == 1 and day.shape == k.shape == n.shape):
        raise PiriformError(
            f"learning curve: day, n_correct and n_trials must be lists of one length; their shapes are "
            f"{day.shape}, {k.shape}, {n.shape}"
        )
    bad = ~(np.isfinite(day) & (n >= 0) & (k >= 0) & (k <= n + 1e-9))
    if bad.any():
        i = int(np.argmax(bad))
        raise PiriformError(f"learning curve: {k[i]:g} correct of {n[i]:g} trials on day {day[i]:g} is no count")
    order = np.argsort(day, kind="stable")
    order = order[n[order] > 0]
    return day[order], np.minimum(k, n)[order], n[order]


def _fit(day: np.ndarray, k: np.ndarray, n: np.ndarray) -> tuple[LearningCurve, pd.DataFrame]:
    """The best curve and all curves tried: midpoint, width, base, top, deviance."""
    if len(np.unique(day)) < MIN_DAYS or np.ptp(k / n) == 0:
        return _NO_CURVE, pd.DataFrame(columns=_CURVE)
    widest = max(np.ptp(day) / 2, _NARROWEST)
    midpoints, widths = np.linspace(day[0], day[-1], 61), np.geomspace(_NARROWEST, widest, 31)
    step, factor = midpoints[1] - midpoints[0], widths[1] / widths[0]
    tried = []
    for _ in range(3):
        tried.append(_try(midpoints, widths, day, k, n))
        best = tried[-1].iloc[int(np.argmin(tried[-1]["deviance"]))]
        midpoints = np.clip(np.linspace(best.midpoint - step, best.midpoint + step, 21), day[0], day[-1])
        widths = np.clip(np.geomspace(best.width / factor, best.width * factor, 11), _NARROWEST, widest)
        step, factor = step / 10, factor ** (1 / 5)
    curve = LearningCurve(best.base.item(), best.top.item(), best.midpoint.item(), best.width.item(), 1.0, True)
    p = _within(curve.at(day), n)
    spare = len(day) - MIN_DAYS
    pearson = float(np.sum((k - n * p) ** 2 / (n * p * (1 - p))))
    return replace(curve, dispersion=max(1.0, pearson / spare) if spare else 1.0), pd.concat(tried)


def _try(midpoints: np.ndarray, widths: np.ndarray, day: np.ndarray, k: np.ndarray, n: np.ndarray) -> pd.DataFrame:
    """Best base and top in [0, 1] for each midpoint and width, by reweighted least squares."""
    middle, width = (values.ravel() for values in np.meshgrid(midpoints, widths))
    s = expit((day - middle[:, None]) / width[:, None])
    r, y = 1 - s, k / n
    p = np.broadcast_to((k.sum() + 0.5) / (n.sum() + 1), s.shape)
    for _ in range(_REWEIGHTINGS):
        weight = n / (_within(p, n) * (1 - _within(p, n)))
        rr, ss, rs = ((weight * a).sum(axis=1) + 1e-9 for a in (r * r, s * s, r * s))
        ry, sy = ((weight * a * y).sum(axis=1) for a in (r, s))
        top = np.clip((sy * rr - ry * rs) / np.maximum(rr * ss - rs**2, 1e-9), 0, 1)
        base = np.clip((ry - top * rs) / rr, 0, 1)
        top = np.clip((sy - base * rs) / ss, 0, 1)
        p = base[:, None] * r + top[:, None] * s
    return pd.DataFrame(dict(zip(_CURVE, (middle, width, base, top, _deviance(p, k, n)), strict=True)))


def _within(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Keep p half a trial away from 0 and 1, where its variance would vanish."""
    return np.clip(p, 0.5 / (n + 1), 1 - 0.5 / (n + 1))


def _deviance(p: np.ndarray, k: np.ndarray, n: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-9, 1 - 1e-9)
    fitted = xlogy(k, p) + xlogy(n - k, 1 - p)
    return 2 * np.sum(xlogy(k, k / n) + xlogy(n - k, 1 - k / n) - fitted, axis=-1)


def _beats_constant(curve: LearningCurve, k: np.ndarray, n: np.ndarray, tried: pd.DataFrame) -> bool:
    if not curve.converged:
        return False
    gain = _deviance(np.full(len(k), k.sum() / n.sum()), k, n) - tried["deviance"].min()
    return bool(gain / curve.dispersion > chdtri(3, 1 - _RISE_LEVEL))


def _latest_start(curve: LearningCurve, tried: pd.DataFrame, n_days: int, fraction: float) -> float:
    spare = n_days - MIN_DAYS
    quantile = fdtri(1, spare, _UPPER_LEVEL) if spare else chdtri(1, 1 - _UPPER_LEVEL)
    limit = tried["deviance"].min() + curve.dispersion * quantile
    near = tried[(tried["deviance"] <= limit) & (tried["top"] > tried["base"])]
    return float((near["midpoint"] + near["width"] * logit(fraction)).max())


def _without_rise(
    days: np.ndarray, k: np.ndarray, n: np.ndarray, curve: LearningCurve, *, change: float, sure: bool, bar: float
) -> Plateau:
    """The answer where behaviour did not rise enough: on the plateau all along, or no plateau."""
    spread = curve.dispersion if curve.converged else 1.0
    if sure and change < 0:
        return Plateau(np.nan, np.nan, f"behaviour falls over the recorded days (by {-change:.2f})", curve)
    if wilson_interval(k.sum() / spread, n.sum() / spread)[0] >= bar:
        return Plateau(float(days[0]), float(days[0]), "already at plateau on the first day", curve)
    return Plateau(np.nan, np.nan, f"behaviour did not rise (fitted change {change:+.2f})", curve)
