"""How well does the animal do, and from which day on does it no longer improve?

Accuracy per session and class with binomial intervals, the learning curve over days, and the first
day on its plateau.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri, expit, fdtri, logit, ndtri, xlogy

from piriform.config import Plateau as PlateauSettings
from piriform.errors import PiriformError
from piriform.tables import check_table

MIN_DAYS = 4  # as many as the learning curve has parameters
_RISE_LEVEL = 0.99  # confidence that the curve beats a constant before a rise is believed
_UPPER_LEVEL = 0.90  # two-sided level of the profile set of the plateau's start, as an F quantile
_NARROWEST = 0.05  # days; any narrower curve is the same step between two days
_REWEIGHTINGS = 12
_CURVE = ("midpoint", "width", "base", "top", "deviance")
_WHO = ["subject", "session", "day", "phase"]
_ROW = [*_WHO, "class", "n_trials", "accuracy", "ci_low", "ci_high", "latency_s", "_n_fit"]


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


def wilson_interval(k: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    ``(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)`` with ``p = k/n`` (Wilson 1927).
    NaN, NaN for ``n = 0``.

    Examples
    --------
    >>> [round(end, 3) for end in wilson_interval(0, 10)]
    [0.0, 0.278]
    """
    if not 0 <= k <= n:
        raise PiriformError(f"wilson_interval: {k:g} of {n:g} is no proportion; k must lie in 0..n")
    if not 0 < level < 1:
        raise PiriformError(f"wilson_interval: level is {level:g}, expected a number between 0 and 1")
    if n == 0:
        return np.nan, np.nan

    z = float(ndtri((1 + level) / 2))
    p = k / n
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return (0.0 if k == 0 else float(low)), (1.0 if k == n else float(high))


def mean_interval(k: Sequence[float], n: Sequence[float], *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the mean of several proportions and its interval, each proportion with equal weight.

    The distances from each proportion to the ends of its Wilson interval add up as variances do
    (MOVER; Newcombe 1998, Zou & Donner 2008). NaN if a proportion is unknown (``n = 0``).

    Examples
    --------
    >>> [round(value, 3) for value in mean_interval([45, 40], [50, 50])]
    [0.85, 0.764, 0.902]
    """
    ends = np.array([wilson_interval(a, b, level=level) for a, b in zip(k, n, strict=True)])
    if len(ends) == 0 or min(n) == 0:
        return np.nan, np.nan, np.nan

    p = np.asarray(k, dtype=float) / np.asarray(n, dtype=float)
    down, up = (np.sqrt(np.sum((ends[:, side] - p) ** 2)) / len(p) for side in (0, 1))
    mean = float(p.mean())
    return mean, max(0.0, mean - float(down)), min(1.0, mean + float(up))


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


def behavior_table(
    sessions: Sequence[tuple[Mapping[str, Any], pd.DataFrame]], *, plateau: PlateauSettings
) -> pd.DataFrame:
    """Return the table ``behavior``: one row per session and class, and one for class ``all``.

    Parameters
    ----------
    sessions : pairs of
        a mapping with ``subject``, ``session``, ``day`` and ``phase``, and the session's trials
        with the columns ``class``, ``correct`` (1, 0, NaN unknown) and ``latency`` (s).
    plateau : settings of the plateau's rule

    Returns
    -------
    DataFrame
        ``all`` is balanced accuracy, the mean over target and nontarget (over every class but the
        probes where a study has no such classes); it is NaN if one of them has no outcome, and its
        interval is that of :func:`mean_interval`. A session in which no outcome is known has the
        one row ``all`` with ``n_trials`` 0. ``plateau_day`` is the subject's, from its ``all`` rows.
    """
    rows = [row for who, trials in sessions for row in _session_rows(who, trials)]
    table = pd.DataFrame(rows, columns=_ROW)
    table["plateau_day"] = np.nan
    for subject, part in table[table["class"] == "all"].groupby("subject"):
        found = plateau_day(
            *(part[name].to_numpy(dtype=float) for name in ("day", "accuracy", "_n_fit")),
            fraction=plateau.fraction,
            min_rise=plateau.min_rise,
        )
        table.loc[table["subject"] == subject, "plateau_day"] = found.day
    return check_table(table.drop(columns="_n_fit"), "behavior")


def _session_rows(who: Mapping[str, Any], trials: pd.DataFrame) -> list[dict[str, Any]]:
    head = {name: who[name] for name in _WHO}
    trials = trials[trials["class"] != ""]
    names = [str(name) for name in dict.fromkeys(trials["class"])]
    known = trials[trials["correct"].notna()]
    if known.empty:
        return [head | {"class": "all"} | _row([])]
    groups = {name: known[known["class"] == name] for name in names}
    parts = [groups.get(name, known.iloc[:0]) for name in _trained(names)]
    return [head | {"class": name} | _row([group]) for name, group in groups.items()] + [
        head | {"class": "all"} | _row(parts)
    ]


def _trained(names: list[str]) -> list[str]:
    if {"target", "nontarget"} & set(names) or "probe" in names:
        return ["target", "nontarget"]
    return names


def _row(parts: list[pd.DataFrame]) -> dict[str, Any]:
    """Counts, accuracy and latency over classes of equal weight; ``_n_fit`` trials tell as much in one class."""
    k = [float(part["correct"].sum()) for part in parts]
    n = [len(part) for part in parts]
    latency = [part.loc[part["correct"] == 1, "latency"].dropna() for part in parts]
    late = pd.concat(latency).to_numpy(dtype=float) if latency else np.empty(0)
    accuracy, low, high = mean_interval(k, n)
    return {
        "n_trials": sum(n),
        "accuracy": accuracy,
        "ci_low": low,
        "ci_high": high,
        "latency_s": float(np.median(late)) if late.size else np.nan,
        "_n_fit": len(n) ** 2 / sum(1 / count for count in n) if n and min(n) > 0 else 0.0,
    }


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
