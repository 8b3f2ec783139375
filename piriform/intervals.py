"""Between which bounds does a proportion lie, counted in a limited number of trials?"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from piriform.errors import PiriformError


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
