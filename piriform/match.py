"""Which networks, simple trends or animals predict animals that they were not fitted to?

A regime is one setting of a network, trained with several seeds. One number turns its steps into days: a network that
reached its plateau after ``s`` steps stands, ``t`` days after an animal's plateau, at step ``s (1 + t / tau)``. The time
constant ``tau`` and the factor of a curve, 0 or more, come from the other animals; each animal has its own level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from piriform.errors import PiriformError
from piriform.stats import GroupMean, group_mean

MIN_POINTS, MIN_SUBJECTS = 4, 3
#: Networks that were trained so many times as long as to their plateau are not cut to those that were not.
LONG = 5
#: Time constants that are tried; the longest is this many times the longest animal's days.
N_TAU, LONGEST = 25, 10
#: What a network has to beat.
TRENDS = ("line", "logarithm")
#: The best regime by the other animals; the animals' own behaviour; the other animals' mean curve, a ceiling.
ANY, BEHAVIOR, OTHERS = "any", "behavior", "other animals"
_ROUNDS = 30
_Errors = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Regime:
    """Curves of one regime at ``late`` (n_late,) = log(step / plateau step), ascending from 0: ``seeds`` (n_seeds, n_late).

    Raises
    ------
    PiriformError
        If the curves end before 1.1 times the plateau step, where they say nothing about what comes after it.
    """

    late: np.ndarray
    seeds: np.ndarray

    def __post_init__(self) -> None:
        if not self.reach > 1 / LONGEST:
            raise PiriformError(f"the networks end at {1 + self.reach:.2f} times their plateau step; train them longer")

    @property
    def reach(self) -> float:
        """How far the curves go beyond the plateau step, in multiples of it."""
        return float(np.expm1(self.late[-1]))

    @property
    def p_rises(self) -> float:
        """One-sided p, over seeds, that the curves rise with ``late``; NaN for a single seed."""
        return group_mean(np.polynomial.polynomial.polyfit(self.late, self.seeds.T, 1)[1]).p

    def at(self, days: np.ndarray, tau: float | np.ndarray) -> np.ndarray:
        """Mean over seeds, ``days`` after the plateau; NaN beyond the last step; of many ``tau`` one row each."""
        late = np.log1p(days / np.asarray(tau)[..., None])
        return np.interp(late, self.late, self.seeds.mean(axis=0), right=np.nan)

    def single(self) -> list["Regime"]:
        """Return each seed's curve as a regime of its own."""
        return [Regime(self.late, seed[None]) for seed in self.seeds]


@dataclass(frozen=True)
class Score:
    """How well one candidate predicts left-out animals.

    Attributes
    ----------
    skill : share of the variance within subjects that is predicted; 0 for a flat curve, negative where it misleads
    tau : median over the left-out animals of the fitted time constant, days; NaN where a candidate has none
    gains : for each trend, the group's test that the candidate's squared error is smaller (in units of the variance)
    chosen : share of the left-out animals for which the others chose this regime
    seeds : least and largest skill of single seeds' curves: how much training runs differ, no interval of the skill
    """

    skill: float
    tau: float
    gains: dict[str, GroupMean]
    chosen: float = np.nan
    seeds: tuple[float, float] = (np.nan, np.nan)


@dataclass(frozen=True, eq=False)
class _Animal:
    """Different days since the plateau, ascending; values around their mean; behaviour, NaN where not known."""

    days: np.ndarray
    y: np.ndarray
    behavior: np.ndarray


@dataclass(frozen=True, eq=False)
class _Fits:
    """Candidates of one name, one row each: products with the animals' values and with themselves, by animal."""

    tau: np.ndarray
    up: np.ndarray
    square: np.ndarray


def regime(series: pd.DataFrame, *, n_late: int = 101) -> Regime:
    """Return the curves of one regime, every seed counted in multiples of its own plateau step.

    Curves end where the shortest does. Seeds that were not trained 5 times as long as to their plateau are left out if
    others were, and seeds without a plateau.

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
    _check_columns(series, "seed", "step", "plateau", "value")
    known = series[series["value"].notna() & (series["step"] >= series["plateau"]) & (series["plateau"] > 0)]
    parts = [part.sort_values("step") for _, part in known.groupby("seed") if part["step"].nunique() > 1]
    if not parts:
        raise PiriformError("no network has 2 steps from its plateau on; train them longer")
    curves = [((part["step"] / part["plateau"]).to_numpy(dtype=float), part["value"]) for part in parts]
    curves = [(times, value) for times, value in curves if times[-1] >= LONG] or curves
    grid = np.linspace(0, np.log(min(times[-1] for times, _ in curves)), n_late)
    return Regime(grid, np.array([np.interp(grid, np.log(times), value) for times, value in curves]))


def match(animals: pd.DataFrame, regimes: Mapping[str, Regime]) -> dict[str, Score]:
    """Score regimes, trends, behaviour and the other animals on animals left out one at a time.

    The logarithm ``log(1 + t / tau)`` has the same freedom as a regime, its ``tau`` is fitted too. ``any`` is the regime
    that is best on the other animals, so its skill pays for the choice. A regime is not tried with a time constant that
    would need steps beyond its last. ``other animals`` is their mean curve, day by day: what animals say about each
    other. With few noisy animals it lies below what the true curve would reach.

    Parameters
    ----------
    animals : DataFrame with ``subject``, ``days`` (since the plateau of behaviour, 0 or more), ``value``, and
        ``behavior`` where known
        Up must mean learning, as in the networks. Days before the plateau and NaN are left out, sessions of one day are
        averaged; a subject needs 4 days.
    regimes : by name; their unit does not matter

    Returns
    -------
    dict of Score by name
        ``line``, ``logarithm``, ``behavior`` (unless it is constant, or not known on all days, in a subject), the
        regimes and ``any`` (if there are any), ``other animals``.

    Raises
    ------
    PiriformError
        If a column is missing, fewer than 3 subjects have 4 days, or no value varies.
    """
    found = _animals(animals)
    total = np.array([np.sum(one.y**2) for one in found])
    if not total.sum() > 0:
        raise PiriformError("match: the animals' values do not vary")
    fits = {name: _of_regime(one, found) for name, one in regimes.items()}
    errors = {name: _left_out(each, total) for name, each in (_simple(found) | fits).items()}
    chosen = _choices(fits)
    if regimes:
        errors[ANY] = _picked([errors[name] for name in regimes], chosen)
    errors[OTHERS] = _of_others(found), np.full(len(found), np.nan)
    seeds = {
        name: [_skill(_left_out(_of_regime(seed, found), total)[0], total) for seed in one.single()]
        for name, one in regimes.items()
    }
    trends = {name: errors[name][0] for name in TRENDS}
    shares = {name: float(np.mean(chosen == number)) for number, name in enumerate(regimes)}
    return {
        name: Score(
            _skill(missed, total),
            float(np.median(tau)),
            {trend: group_mean((other - missed) / total.mean()) for trend, other in trends.items() if trend != name},
            shares.get(name, np.nan),
            (min(seeds[name]), max(seeds[name])) if name in seeds else (np.nan, np.nan),
        )
        for name, (missed, tau) in errors.items()
    }


def _animals(table: pd.DataFrame) -> list[_Animal]:
    """The subjects with enough days."""
    _check_columns(table, "subject", "days", "value")
    own = table.assign(behavior=table.get("behavior", np.nan))
    known = own.loc[own["value"].notna() & (own["days"] >= 0), ["subject", "days", "value", "behavior"]]
    daily = known.groupby(["subject", "days"]).mean().reset_index()
    parts = [part for _, part in daily.groupby("subject") if len(part) >= MIN_POINTS]
    if len(parts) < MIN_SUBJECTS:
        raise PiriformError(f"{len(parts)} of {MIN_SUBJECTS} subjects with {MIN_POINTS} days from their plateau on")
    arrays = [[part[name].to_numpy(dtype=float) for name in ("days", "value", "behavior")] for part in parts]
    return [_Animal(days, value - value.mean(), behavior) for days, value, behavior in arrays]


def _check_columns(table: pd.DataFrame, *names: str) -> None:
    if lacking := [name for name in names if name not in table]:
        raise PiriformError(f"the series lacks column {lacking[0]!r}; expected {', '.join(names)}")


# Candidates -----------------------------------------------------------------------------------


def _simple(animals: list[_Animal]) -> dict[str, _Fits]:
    """The line, the logarithm, and the behaviour where it can be one."""
    longest = max(one.days[-1] for one in animals)
    taus = np.geomspace(longest / 1000, LONGEST * longest, N_TAU)
    none = np.array([np.nan])
    found = {
        "line": _fits(none, [one.days[None] for one in animals], animals),
        "logarithm": _fits(taus, [np.log1p(one.days / taus[:, None]) for one in animals], animals),
    }
    if all(np.isfinite(one.behavior).all() and np.ptp(one.behavior) > 0 for one in animals):
        found[BEHAVIOR] = _fits(none, [one.behavior[None] for one in animals], animals)
    return found


def _of_regime(one: Regime, animals: list[_Animal]) -> _Fits:
    longest = max(animal.days[-1] for animal in animals)
    taus = np.geomspace(longest / one.reach * (1 + 1e-9), LONGEST * longest, N_TAU)
    return _fits(taus, [one.at(animal.days, taus) for animal in animals], animals)


def _fits(taus: np.ndarray, curves: Sequence[np.ndarray], animals: list[_Animal]) -> _Fits:
    """Of each animal's (n_tau, n_days) curves."""
    centred = [many - many.mean(axis=1, keepdims=True) for many in curves]
    up = np.stack([f @ one.y for f, one in zip(centred, animals, strict=True)], axis=1)
    return _Fits(taus, up, np.stack([np.sum(f**2, axis=1) for f in centred], axis=1))


# Leaving one animal out -----------------------------------------------------------------------


def _skill(missed: np.ndarray, total: np.ndarray) -> float:
    return float(1 - missed.sum() / total.sum())


def _factors(fits: _Fits) -> tuple[np.ndarray, np.ndarray]:
    """(n_candidates, n_subjects) factor from the other animals, 0 or more, and what it explains of them."""
    up, square = (values.sum(axis=1, keepdims=True) - values for values in (fits.up, fits.square))
    factor = np.divide(np.maximum(up, 0.0), square, out=np.zeros_like(up), where=square > 0)
    return factor, factor * np.maximum(up, 0.0)


def _left_out(fits: _Fits, total: np.ndarray) -> _Errors:
    """(n_subjects,) squared error of the animal left out, and the time constant that the others chose."""
    factor, explained = _factors(fits)
    best, everyone = explained.argmax(axis=0), np.arange(len(total))
    b = factor[best, everyone]
    missed = total - 2 * b * fits.up[best, everyone] + b**2 * fits.square[best, everyone]
    return missed, fits.tau[best]


def _choices(fits: Mapping[str, _Fits]) -> np.ndarray:
    """(n_subjects,) number of the regime that explains most of the other animals."""
    if not fits:
        return np.array([])
    return np.array([_factors(one)[1].max(axis=0) for one in fits.values()]).argmax(axis=0)


def _picked(errors: list[_Errors], chosen: np.ndarray) -> _Errors:
    everyone = np.arange(len(chosen))
    missed, tau = (np.array([one[part] for one in errors])[chosen, everyone] for part in (0, 1))
    return missed, tau


# What animals say about each other -------------------------------------------------------------


def _of_others(animals: list[_Animal]) -> np.ndarray:
    """(n_subjects,) squared error of the others' mean curve; its factor predicts each of them from the rest."""
    missed = []
    for left in animals:
        rest = [one for one in animals if one is not left]
        pairs = [(_mean_curve([other for other in rest if other is not one], one.days), one.y) for one in rest]
        up, square = (sum(float(f @ g) for f, g in many) for many in (pairs, [(f, f) for f, _ in pairs]))
        factor = max(0.0, up / square) if square > 0 else 0.0
        missed.append(float(np.sum((left.y - factor * _mean_curve(rest, left.days)) ** 2)))
    return np.array(missed)


def _mean_curve(animals: list[_Animal], days: np.ndarray) -> np.ndarray:
    """Mean curve on these days, around its mean: each animal at its own level, from its first day to its last.

    Levels and curve are fitted together by least squares, in turns, so that an animal that ends early leaves no jump.
    Beyond all of them the curve stays where it is.
    """
    table = np.array([np.interp(days, one.days, one.y, left=np.nan, right=np.nan) for one in animals])
    known = np.isfinite(table)
    table, seen = np.where(known, table, 0.0), known.any(axis=0)
    if not seen.any():
        return np.zeros(len(days))
    n_days, n_animals = np.maximum(known.sum(axis=1, keepdims=True), 1), np.maximum(known.sum(axis=0), 1)
    curve, level = np.zeros(len(days)), np.zeros_like(n_days, dtype=float)
    for _ in range(_ROUNDS):
        curve = np.sum((table - level) * known, axis=0) / n_animals
        level = np.sum((table - curve) * known, axis=1, keepdims=True) / n_days
    curve = np.interp(days, days[seen], curve[seen])
    return np.asarray(curve - curve.mean())
