"""Is the mean slope of a handful of subjects above 0, by resampling them?

The wild bootstrap of one metric and of a family of them, and the hierarchical bootstrap. How often each
is wrong is in ``docs/group_tests.md``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from piriform.errors import PiriformError, known

#: What a subject's slope is multiplied by: six points of mean 0 and variance 1 (Webb 2023), or its sign.
WEIGHTS = {
    "webb": np.sqrt([1.5, 1.0, 0.5]).repeat(2) * [1, -1, 1, -1, 1, -1],
    "sign": np.array([1.0, -1.0]),
}
_MOST_PATTERNS = 50_000


@dataclass(frozen=True)
class Resampled:
    """The mean over subjects, a one-sided p by resampling, and the smallest p that this many subjects allow.

    ``interval`` is a 95% percentile interval, NaN where the method has none; ``note`` says why there is no p.
    """

    mean: float
    n: int
    p: float
    smallest_p: float
    n_draws: int
    interval: tuple[float, float] = (np.nan, np.nan)
    note: str = ""


@dataclass(frozen=True)
class Family:
    """One-sided p of each metric, corrected for all of them; ``t`` is each metric's own two-stage t."""

    p: np.ndarray
    t: np.ndarray
    smallest_p: float
    n: int
    note: str = ""


def wild_bootstrap(
    values: Any, *, weights: str = "webb", rng: np.random.Generator | None = None, min_n: int = 2
) -> Resampled:
    """Test whether the mean over subjects is above 0 by multiplying each slope with a random weight.

    p is the share of weightings whose t reaches the observed one; the null, a mean of 0, is imposed.
    All weightings are gone through where there are at most 50,000 (5 subjects with ``webb``, 15 with
    ``sign``), and as many drawn with ``rng`` otherwise. Exact for slopes symmetric about 0 with
    ``sign``, approximate with ``webb`` (Webb 2023, Canadian Journal of Economics 56:839).

    Parameters
    ----------
    values : (n_subjects,) array
        One slope per subject; NaN is left out.
    weights : ``webb`` (six points) or ``sign``, whose smallest p is ``2**-n``: 1/16 with 4 subjects

    Examples
    --------
    >>> wild_bootstrap([1.0, 2.0, 3.0, 4.0], weights="sign").p
    0.0625
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    mean = float(values.mean()) if len(values) else np.nan
    found = family_test(values[:, None], weights=weights, rng=rng, min_n=min_n)
    n_draws = min(len(WEIGHTS[weights]) ** found.n, _MOST_PATTERNS)
    return Resampled(mean, found.n, float(found.p[0]), found.smallest_p, n_draws, note=found.note)


def family_test(
    slopes: Any, *, weights: str = "webb", rng: np.random.Generator | None = None, min_n: int = 2
) -> Family:
    """Test several metrics at once: the chance that any of them, under the null, reaches each one's t.

    A weighting multiplies all slopes of a subject alike, so that the metrics stay as dependent as
    they are. ``p_k`` is the share of weightings whose largest t over metrics reaches ``t_k``
    (maximum statistic; Westfall & Young 1993). The smallest possible p is ``2**-n`` with ``sign`` and
    ``3 / 6**n`` with ``webb`` (.0023 with 4 subjects).

    Parameters
    ----------
    slopes : (n_subjects, n_metrics) array
        Up must mean learning in every column. A subject whose slopes are all NaN is left out; a
        metric is tested on the subjects that have it and needs ``min_n`` of them with unequal slopes.
    weights, rng, min_n : as in :func:`wild_bootstrap`

    Returns
    -------
    Family
        NaN for metrics that cannot be tested; they do not count.

    Examples
    --------
    >>> family_test([[1, -1], [2, 1], [3, -2], [4, 2]], weights="sign").p.tolist()
    [0.125, 0.8125]
    """
    known("weights", weights, WEIGHTS, PiriformError)
    slopes = np.asarray(slopes, dtype=float)
    if slopes.ndim != 2:
        raise PiriformError(f"family_test: slopes have shape {slopes.shape}; need subjects in rows, metrics in columns")
    slopes = slopes[np.isfinite(slopes).any(axis=1)]
    n = len(slopes)
    smallest = (3 if weights == "webb" else 1) / len(WEIGHTS[weights]) ** n if n else np.nan
    t = _t(slopes, np.ones((1, n)))[0]
    t[np.isfinite(slopes).sum(axis=0) < max(min_n, 2)] = np.nan
    if not np.isfinite(t).any():
        note = _lack(n, min_n) or "no metric has enough subjects with unequal slopes"
        return Family(np.full(t.shape, np.nan), t, smallest, n, note)
    drawn = _t(slopes[:, np.isfinite(t)], _patterns(weights, n, rng))
    largest = np.nan_to_num(drawn, nan=-np.inf).max(axis=1)
    p = np.array([np.mean(largest >= one - 1e-9 * (1 + abs(one))) if np.isfinite(one) else np.nan for one in t])
    return Family(p, t, smallest, n)


def hierarchical_bootstrap(
    series: Sequence[tuple[Any, Any]],
    *,
    rng: np.random.Generator,
    n_draws: int = 9999,
    per: float = 1.0,
    min_n: int = 2,
) -> Resampled:
    """Test whether the mean slope is above 0: draw subjects, then days within each, both with replacement.

    ``p = (1 + number of drawn means <= 0) / (n_draws + 1)``. Rejects too often where subjects truly
    differ or days are strongly correlated (Saravanan, Berman & Sober 2020 discuss the method).

    Parameters
    ----------
    series : pairs of (n_points,) arrays, the days and the values of each subject
        Points where either is NaN are left out, and subjects below 3 different days. No p where all
        subjects lie exactly on lines of one slope.
    per : days to which the slope refers

    Examples
    --------
    >>> two = [(range(6), [0, 2, 3, 5, 6, 9]), (range(6), [1, 1, 4, 4, 7, 8])]
    >>> hierarchical_bootstrap(two, rng=np.random.default_rng(0), n_draws=99).p
    0.01
    """
    if n_draws < 1:
        raise PiriformError(f"hierarchical_bootstrap: n_draws is {n_draws}, expected 1 or more")
    points = [np.array([day, y], dtype=float) for day, y in series]
    points = [both[:, np.isfinite(both).all(axis=0)] for both in points]
    points = [both for both in points if len(np.unique(both[0])) >= 3]
    n, smallest = len(points), 1 / (n_draws + 1)
    if lack := _lack(n, min_n):
        return Resampled(np.nan, n, np.nan, smallest, 0, note=f"{lack}, each with 3 different days")
    size = np.array([both.shape[1] for both in points])
    x, y = (np.stack([np.pad(both[k], (0, size.max() - both.shape[1])) for both in points]) for k in (0, 1))
    own = _slopes(x, y, np.arange(size.max()) < size[:, None])
    if _all_on_one_line(points, own):
        note = "all subjects lie on lines of one slope; there is no spread to test against"
        return Resampled(float(per * own.mean()), n, np.nan, smallest, 0, note=note)
    subject = rng.integers(n, size=(n_draws, n))
    day = (rng.random((n_draws, n, size.max())) * size[subject][..., None]).astype(int)
    taken = np.arange(size.max()) < size[subject][..., None]
    drawn = per * _slopes(x[subject[..., None], day], y[subject[..., None], day], taken).mean(axis=1)
    p = float((1 + np.sum(drawn <= 0)) / (n_draws + 1))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Resampled(float(per * own.mean()), n, p, smallest, n_draws, (float(low), float(high)))


def _all_on_one_line(points: list[np.ndarray], own: np.ndarray) -> bool:
    """Whether every subject's values follow its line exactly, and all lines have the same slope."""
    off = [both - both.mean(axis=1, keepdims=True) for both in points]
    rest = max(np.abs(y - own.mean() * x).max() for x, y in off)
    return bool(rest <= 1e-9 * max(np.abs(both[1]).max() for both in points))


def _slopes(x: np.ndarray, y: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Least-squares slopes along the last axis over the points taken; 0 where only one day was drawn."""
    n = taken.sum(axis=-1, keepdims=True)
    off = np.where(taken, x - (x * taken).sum(axis=-1, keepdims=True) / n, 0.0)
    square = (off**2).sum(axis=-1)
    return (off * y).sum(axis=-1) / np.where(square > 0, square, 1.0)


def _t(slopes: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Two-stage t of each metric under each weighting, (n_patterns, n_metrics); NaN without spread."""
    here = np.isfinite(slopes)
    n, values = here.sum(axis=0), np.where(here, slopes, 0.0)
    mean = patterns @ values / np.maximum(n, 1)
    square = patterns**2 @ values**2
    variance = (square - n * mean**2) / np.maximum(n - 1, 1)
    spread = (n > 1) & (variance > 1e-12 * square)
    return np.where(spread, mean, np.nan) / np.sqrt(np.where(spread, variance, 1.0) / np.maximum(n, 1))


def _patterns(weights: str, n: int, rng: np.random.Generator | None) -> np.ndarray:
    """All weightings of n subjects, or a random selection that holds the observed one."""
    n_points = len(WEIGHTS[weights])
    if n_points**n <= _MOST_PATTERNS:
        return _all_patterns(weights, n)
    if rng is None:
        raise PiriformError(f"{n} subjects have {n_points}**{n} weightings, too many to go through; give rng")
    drawn = rng.choice(WEIGHTS[weights], size=(_MOST_PATTERNS, n))
    drawn[0] = 1.0
    return drawn


@lru_cache(maxsize=8)
def _all_patterns(weights: str, n: int) -> np.ndarray:
    return np.array(list(product(WEIGHTS[weights], repeat=n)))


def _lack(n: int, min_n: int) -> str:
    return f"{n} of {max(min_n, 2)} subjects needed" if n < max(min_n, 2) else ""
