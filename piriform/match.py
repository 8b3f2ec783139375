"""Does a network's curve follow the animals' better than simple trends do, on animals it was not fitted to?

Both run from u = 0 (plateau of behaviour) to u = 1 (last day or step), with no warping in between. All
candidates get one shared factor, 0 or more, and each subject its own level.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import PiriformError
from piriform.stats import GroupMean, group_mean

MIN_POINTS, MIN_SUBJECTS = 4, 3
#: Shapes that a curve of learning has to beat, as functions of u.
TRENDS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "line": lambda u: u,
    "logarithm": lambda u: np.log1p(9 * u) / np.log(10),
}
_STRAIGHT = 1e-6
_Points = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Curve:
    """A network's mean over seeds at ``u`` (n_u,), and each seed's own curve (n_seeds, n_u).

    ``low, high`` are the band in which 95% of the seeds lie. It shows how much training runs differ;
    the number of seeds is no sample size.
    """

    u: np.ndarray
    seeds: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over seeds."""
        return np.asarray(self.seeds.mean(axis=0))

    @property
    def low(self) -> np.ndarray:
        """Lower end of the band of seeds."""
        return np.asarray(np.quantile(self.seeds, 0.025, axis=0))

    @property
    def high(self) -> np.ndarray:
        """Upper end of the band of seeds."""
        return np.asarray(np.quantile(self.seeds, 0.975, axis=0))


@dataclass(frozen=True)
class Match:
    """How well the network's curve predicts left-out animals, next to what simple trends do.

    Attributes
    ----------
    skill : share of the variance within subjects that each candidate predicts: ``network``, ``line``,
        ``logarithm``, ``behavior`` (where known); a flat curve has 0, and it can be negative
    seed_skill : least and largest skill of a single seed's curve
    ceiling : skill of the other animals' mean curve: what animals say about each other
    tests : for each trend, the group's test that the network's curve explains what the trend leaves
    p : the largest p of the tests (each must pass: intersection-union)
    n : subjects used
    reasons : subject -> why it is left out; ``note`` says why there is no answer
    """

    skill: dict[str, float]
    seed_skill: tuple[float, float]
    ceiling: float
    tests: dict[str, GroupMean]
    p: float
    n: int
    reasons: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def follows(self, alpha: float = 0.05) -> bool:
        """Say whether the network predicts better than every trend and a flat curve, and every test passes."""
        others = [value for name, value in self.skill.items() if name != "network"]
        return bool(self.p <= alpha and self.skill["network"] > max([0.0, *others]))


def progress_of(day: Any, *, start: float, end: float) -> np.ndarray:
    """Return u, 0 at ``start`` (the plateau day, or the step at 98% of the asymptote) and 1 at ``end``.

    Examples
    --------
    >>> progress_of([8, 12, 16], start=8, end=16).tolist()
    [0.0, 0.5, 1.0]
    """
    if not end > start:
        raise PiriformError(f"progress_of: the end ({end:g}) must come after the start ({start:g})")
    return (np.asarray(day, dtype=float) - start) / (end - start)


def network_curve(series: pd.DataFrame, *, n_u: int = 101) -> Curve:
    """Return the curve of a network, every seed interpolated to the same u.

    Parameters
    ----------
    series : DataFrame with ``seed``, ``u``, ``value``
        Steps outside 0..1 and NaN are left out; each seed needs steps at 2 different u or more.
    n_u : points from 0 to 1

    Examples
    --------
    >>> steps = pd.DataFrame({"seed": [1, 1, 2, 2], "u": [0, 1, 0, 1], "value": [0.0, 1.0, 0.0, 3.0]})
    >>> network_curve(steps, n_u=3).mean.tolist()
    [0.0, 1.0, 2.0]
    """
    check_columns(series, "seed", "u", "value")
    grid = np.linspace(0, 1, n_u)
    seeds = []
    for seed, part in series.groupby("seed"):
        u, value = _inside(part)
        if len(np.unique(u)) < 2:
            raise PiriformError(f"network_curve: seed {seed} has {len(u)} values from plateau to end; 2 steps needed")
        seeds.append(np.interp(grid, u, value))
    if not seeds:
        raise PiriformError("network_curve: the network's series is empty")
    return Curve(grid, np.array(seeds))


def match(animals: pd.DataFrame, network: Curve) -> Match:
    """Score a network's curve on the animals, next to a line, a logarithm and the behaviour.

    Skill is ``1 - sum (y - b f)^2 / sum y^2`` with y and the candidate f centred within each subject
    and ``b = max(0, sum f y / sum f^2)`` from the other subjects. For the test, per subject, y and the
    network's curve are regressed on 1 and the trend; the slope of residual on residual, one for each
    subject, goes into the two-stage t-test. Under a curve that is the trend its mean is 0.

    Parameters
    ----------
    animals : DataFrame with ``subject``, ``u``, ``value``, and ``behavior`` where known
        Up must mean learning, as in the network. Days outside 0..1 and NaN are left out; a subject
        needs 4 days, and 3 subjects are needed.
    network : curve on the same scale of u; its unit does not matter

    Returns
    -------
    Match
        NaN and a note where there is too little. A behaviour that is constant in a subject, or not
        known on all of its days, is no candidate.
    """
    check_columns(animals, "subject", "u", "value")
    points, behavior, reasons = _subjects(animals)
    if len(points) < MIN_SUBJECTS:
        nan = dict.fromkeys(("network", *TRENDS), np.nan)
        note = f"{len(points)} of {MIN_SUBJECTS} subjects with {MIN_POINTS} days from plateau to end needed"
        return Match(nan, (np.nan, np.nan), np.nan, {}, np.nan, len(points), reasons, note)
    trends = {name: [shape(u) for u, _ in points] for name, shape in TRENDS.items()}
    if behavior is not None:
        trends["behavior"] = behavior
    curves = [[np.interp(u, network.u, one) for u, _ in points] for one in (network.mean, *network.seeds)]
    values = [y for _, y in points]
    of_seeds = [skill(values, curve) for curve in curves[1:]]
    tests = {name: group_mean(_partial_slopes(values, curves[0], trend)) for name, trend in trends.items()}
    p = [test.p for test in tests.values()]
    note = "; ".join(_why(name, test) for name, test in tests.items() if np.isnan(test.p))
    return Match(
        {"network": skill(values, curves[0])} | {name: skill(values, trend) for name, trend in trends.items()},
        (min(of_seeds), max(of_seeds)),
        ceiling(points),
        tests,
        float(np.max(p)),
        len(points),
        reasons,
        note,
    )


def skill(values: list[np.ndarray], curve: list[np.ndarray]) -> float:
    """Return the share of the variance within subjects that a curve predicts, its factor from the other subjects.

    Parameters
    ----------
    values, curve : one (n_days,) array for each subject

    Returns
    -------
    float
        1 for a curve of the right shape without noise, 0 for a flat one, below 0 where it misleads;
        NaN where all values are constant.

    Examples
    --------
    >>> skill([np.array([0, 1, 2.0]), np.array([5, 6, 7.0])], [np.array([0, 3, 6.0])] * 2)
    1.0
    """
    y, f = ([one - one.mean() for one in many] for many in (values, curve))
    up, square = (np.array([np.sum(a * b) for a, b in zip(f, other, strict=True)]) for other in (y, f))
    return _skill(y, [_factor(up.sum() - a, square.sum() - b) * one for a, b, one in zip(up, square, f, strict=True)])


def ceiling(points: list[_Points]) -> float:
    """Return the skill of the other subjects' mean curve, each interpolated to the subject's days.

    Its factor comes from the other subjects too, each predicted by the rest without the one left out.
    With few noisy subjects it lies below what the true curve would reach.
    """
    everyone = range(len(points))
    predicted = []
    for left in everyone:
        pairs = [(_mean_of(points, one, {left, one}), points[one][1]) for one in everyone if one != left]
        up, square = (sum(float(np.sum(f * g)) for f, g in many) for many in (pairs, [(f, f) for f, _ in pairs]))
        predicted.append(_factor(up, square) * _mean_of(points, left, {left}))
    return _skill([y - y.mean() for _, y in points], predicted)


def _mean_of(points: list[_Points], at: int, without: set[int]) -> np.ndarray:
    """Mean curve of the other subjects on the days of one, centred."""
    u = points[at][0]
    curves = [np.interp(u, *one) for i, one in enumerate(points) if i not in without]
    return np.asarray(np.mean([curve - curve.mean() for curve in curves], axis=0))


def _factor(up: float, square: float) -> float:
    return max(0.0, up / square) if square > 0 else 0.0


def _skill(y: list[np.ndarray], predicted: list[np.ndarray]) -> float:
    missed = sum(float(np.sum((a - b) ** 2)) for a, b in zip(y, predicted, strict=True))
    total = sum(float(np.sum(a**2)) for a in y)
    return 1 - missed / total if total > 0 else np.nan


def _partial_slopes(values: list[np.ndarray], curve: list[np.ndarray], trend: list[np.ndarray]) -> list[float]:
    """Per subject, the slope of the values on the curve where both have been freed from a level and the trend."""
    slopes = []
    for y, f, g in zip(values, curve, trend, strict=True):
        design = np.column_stack([np.ones_like(g), g])
        rest_y, rest_f = (one - design @ np.linalg.lstsq(design, one, rcond=None)[0] for one in (y, f))
        own = np.sum(rest_f**2)
        bent = own > _STRAIGHT * np.sum((f - f.mean()) ** 2)
        slopes.append(float(np.sum(rest_f * rest_y) / own) if bent else np.nan)
    return slopes


def _why(trend: str, test: GroupMean) -> str:
    return test.note if test.n else f"the network's curve cannot be told from the {trend} on these days"


def _subjects(animals: pd.DataFrame) -> tuple[list[_Points], list[np.ndarray] | None, dict[str, str]]:
    """Points of each subject in the order of u, its behaviour (None unless known and varying in all), who is left out."""
    points, behavior, reasons = [], [], {}
    for subject, part in animals.groupby("subject"):
        u, value = _inside(part)
        if len(np.unique(u)) < MIN_POINTS:
            reasons[str(subject)] = f"{len(np.unique(u))} of {MIN_POINTS} days from plateau to end"
            continue
        points.append((u, value))
        behavior.append(_inside(part, "behavior")[1] if "behavior" in part else np.full(len(u), np.nan))
    usable = all(np.isfinite(one).all() and np.ptp(one) > 0 for one in behavior)
    return points, behavior if usable else None, reasons


def _inside(part: pd.DataFrame, column: str = "value") -> _Points:
    """The rows whose value is known and u lies in 0..1, in the order of u."""
    part = part[part["value"].notna() & part["u"].between(0, 1)].sort_values("u", kind="stable")
    return part["u"].to_numpy(dtype=float), part[column].to_numpy(dtype=float)


def check_columns(table: pd.DataFrame, *names: str) -> None:
    """Raise :class:`PiriformError` if a series lacks one of these columns."""
    if lacking := [name for name in names if name not in table]:
        raise PiriformError(f"the series lacks column {lacking[0]!r}; expected {', '.join(names)}")
