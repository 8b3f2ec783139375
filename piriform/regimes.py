"""Which kind of network predicts animals that it was not fitted to, and does it beat simple trends?

A regime is one setting of a network, trained with several seeds. One number turns its steps into days: a network that
reached its plateau after ``s`` steps stands, ``t`` days after an animal's plateau, at step ``s (1 + t / tau)``. The time
constant ``tau`` and the factor of the curve come from the other animals; each animal has its own level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from piriform.errors import PiriformError
from piriform.match import MIN_POINTS, MIN_SUBJECTS, check_columns
from piriform.stats import GroupMean, group_mean

#: Time constants that are tried; the longest is this many times the longest animal's days.
N_TAU, LONGEST = 25, 10
ANY = "any"


@dataclass(frozen=True)
class Regime:
    """Curves of one regime at ``late`` (n_late,) = log(step / plateau step), ascending from 0: ``seeds`` (n_seeds, n_late)."""

    late: np.ndarray
    seeds: np.ndarray

    @property
    def p_rises(self) -> float:
        """One-sided p, over seeds, that the curves rise with ``late``; NaN for a single seed."""
        return group_mean(np.polynomial.polynomial.polyfit(self.late, self.seeds.T, 1)[1]).p

    def at(self, days: np.ndarray, tau: float) -> np.ndarray:
        """Mean over seeds, ``days`` after the plateau; NaN beyond the last step."""
        return np.interp(np.log1p(days / tau), self.late, self.seeds.mean(axis=0), right=np.nan)


@dataclass(frozen=True)
class Score:
    """How well one candidate predicts left-out animals.

    Attributes
    ----------
    skill : share of the variance within subjects that is predicted; 0 for a flat curve, negative where it misleads
    tau : median over the left-out animals of the fitted time constant, days; NaN for the line
    gains : for each trend, the group's test that the candidate's squared error is smaller (in units of the variance)
    chosen : share of the left-out animals for which the others chose this regime
    """

    skill: float
    tau: float
    gains: dict[str, GroupMean]
    chosen: float = np.nan


@dataclass(frozen=True)
class _Fits:
    """Candidates of one name, one row each: products with the animals' values and with themselves, by animal."""

    tau: np.ndarray
    up: np.ndarray
    square: np.ndarray


def regime(series: pd.DataFrame, *, n_late: int = 101) -> Regime:
    """Return the curves of one regime, every seed counted in multiples of its own plateau step.

    Parameters
    ----------
    series : DataFrame with ``seed``, ``step``, ``plateau`` (the seed's plateau step, above 0), ``value``
        Steps before the plateau and NaN are left out; a seed needs 2 steps or more.

    Raises
    ------
    PiriformError
        If a column is missing, or no seed has 2 steps from its plateau on.

    Examples
    --------
    >>> steps = pd.DataFrame({"seed": 1, "step": [10, 100, 1000], "plateau": 100, "value": [0.0, 1.0, 3.0]})
    >>> regime(steps, n_late=3).seeds.tolist()
    [[1.0, 2.0, 3.0]]
    """
    check_columns(series, "seed", "step", "plateau", "value")
    known = series[series["value"].notna() & (series["step"] >= series["plateau"]) & (series["plateau"] > 0)]
    parts = [part.sort_values("step") for _, part in known.groupby("seed") if part["step"].nunique() > 1]
    if not parts:
        raise PiriformError("regime: no seed has 2 steps from its plateau on; train longer")
    late = [np.log((part["step"] / part["plateau"]).to_numpy(dtype=float)) for part in parts]
    grid = np.linspace(0, min(one[-1] for one in late), n_late)
    return Regime(grid, np.array([np.interp(grid, x, part["value"]) for x, part in zip(late, parts, strict=True)]))


def regime_scores(animals: pd.DataFrame, regimes: Mapping[str, Regime]) -> dict[str, Score]:
    """Score each regime, the choice among them, a line and a logarithm on animals left out one at a time.

    The logarithm ``log(1 + t / tau)`` has the same freedom as a regime, its ``tau`` is fitted too. ``any`` is the regime
    that is best on the other animals, so its skill pays for the choice. A regime is not tried with a time constant that
    would need steps beyond its last.

    Parameters
    ----------
    animals : DataFrame with ``subject``, ``days`` (since the plateau of behaviour, 0 or more), ``value``
        Up must mean learning, as in the networks. Days before the plateau and NaN are left out; a subject needs 4 days.
    regimes : by name; their unit does not matter

    Returns
    -------
    dict of Score by name: the regimes, ``any``, ``line``, ``logarithm``

    Raises
    ------
    PiriformError
        If a column is missing, fewer than 3 subjects have 4 days, no value varies, or a regime ends before its
        plateau was passed.
    """
    points = _points(animals)
    y = [value - value.mean() for _, value in points]
    total = np.array([np.sum(one**2) for one in y])
    if not total.sum() > 0:
        raise PiriformError("regime_scores: the animals' values do not vary")
    days = [day for day, _ in points]
    curves = {"line": _line(days, y), "logarithm": _scan(np.log1p, days, y)}
    curves |= {name: _of_regime(name, one, days, y) for name, one in regimes.items()}
    errors = {name: _left_out(fits, total) for name, fits in curves.items()}
    chosen = _choices(curves, list(regimes))
    errors[ANY] = _pick([errors[name] for name in regimes], chosen) if regimes else errors["line"]
    trends = {name: errors[name][0] for name in ("line", "logarithm")}
    shares = {name: float(np.mean(chosen == number)) for number, name in enumerate(regimes)}
    return {
        name: Score(
            float(1 - missed.sum() / total.sum()),
            float(np.median(tau)),
            {trend: group_mean((other - missed) / total.mean()) for trend, other in trends.items() if trend != name},
            shares.get(name, np.nan),
        )
        for name, (missed, tau) in errors.items()
        if regimes or name != ANY
    }


def _points(animals: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    check_columns(animals, "subject", "days", "value")
    known = animals[animals["value"].notna() & (animals["days"] >= 0)]
    parts = [part for _, part in known.groupby("subject") if part["days"].nunique() >= MIN_POINTS]
    if len(parts) < MIN_SUBJECTS:
        raise PiriformError(f"{len(parts)} of {MIN_SUBJECTS} subjects with {MIN_POINTS} days from their plateau on")
    return [(part["days"].to_numpy(dtype=float), part["value"].to_numpy(dtype=float)) for part in parts]


# Candidates -----------------------------------------------------------------------------------


def _line(days: list[np.ndarray], y: list[np.ndarray]) -> _Fits:
    return _fits(np.array([np.nan]), [days], y)


def _scan(shape: np.ufunc, days: list[np.ndarray], y: list[np.ndarray]) -> _Fits:
    longest = max(day.max() for day in days)
    taus = np.geomspace(longest / 1000, LONGEST * longest, N_TAU)
    return _fits(taus, [[shape(day / tau) for day in days] for tau in taus], y)


def _of_regime(name: str, one: Regime, days: list[np.ndarray], y: list[np.ndarray]) -> _Fits:
    longest, reach = max(day.max() for day in days), np.expm1(one.late[-1])
    if not reach > 1 / LONGEST:
        raise PiriformError(f"regime {name!r} ends {1 + reach:.2f} plateaus after its start; train it longer")
    taus = np.geomspace(longest / reach * (1 + 1e-9), LONGEST * longest, N_TAU)
    return _fits(taus, [[one.at(day, tau) for day in days] for tau in taus], y)


def _fits(taus: np.ndarray, curves: Sequence[Sequence[np.ndarray]], y: list[np.ndarray]) -> _Fits:
    centred = [[one - one.mean() for one in many] for many in curves]
    up = np.array([[np.sum(f * value) for f, value in zip(many, y, strict=True)] for many in centred])
    return _Fits(taus, up, np.array([[np.sum(f**2) for f in many] for many in centred]))


# Leaving one animal out -----------------------------------------------------------------------


def _factors(fits: _Fits) -> tuple[np.ndarray, np.ndarray]:
    """(n_candidates, n_subjects) factor from the other animals, 0 or more, and what it explains of them."""
    up, square = (values.sum(axis=1, keepdims=True) - values for values in (fits.up, fits.square))
    factor = np.divide(np.maximum(up, 0.0), square, out=np.zeros_like(up), where=square > 0)
    return factor, factor * np.maximum(up, 0.0)


def _left_out(fits: _Fits, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n_subjects,) squared error of the animal left out, and the time constant that the others chose."""
    factor, explained = _factors(fits)
    best, everyone = explained.argmax(axis=0), np.arange(len(total))
    b = factor[best, everyone]
    missed = total - 2 * b * fits.up[best, everyone] + b**2 * fits.square[best, everyone]
    return missed, fits.tau[best]


def _choices(curves: Mapping[str, _Fits], names: list[str]) -> np.ndarray:
    """(n_subjects,) number of the regime that explains most of the other animals."""
    if not names:
        return np.array([])
    return np.array([_factors(curves[name])[1].max(axis=0) for name in names]).argmax(axis=0)


def _pick(errors: list[tuple[np.ndarray, np.ndarray]], chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    everyone = np.arange(len(chosen))
    missed, tau = (np.array([one[part] for one in errors])[chosen, everyone] for part in (0, 1))
    return missed, tau
