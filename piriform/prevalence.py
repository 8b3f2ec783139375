"""How many subjects carry an effect: at least how many of these, and at least what share of all such animals?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv, chdtrc

from piriform.errors import PiriformError


@dataclass(frozen=True)
class Prevalence:
    """``k`` of ``n`` subjects significant at ``alpha``, and the share of the population that must carry the effect.

    ``lower`` is the lower bound of that share at ``level`` confidence.
    """

    k: int
    n: int
    lower: float
    alpha: float
    level: float


def prevalence(p: Any, *, alpha: float = 0.05, level: float = 0.95) -> Prevalence:
    """Bound from below the share of the population in which there is an effect.

    If a share g of animals has the effect, one is significant with probability at most ``q = g + (1
    - g) alpha``. The bound is ``(q - alpha) / (1 - alpha)``, at least 0, where ``P(Binomial(n, q) >= k)
    = 1 - level`` (Clopper & Pearson 1934; Donhauser, Florin & Baillet 2018; Ince et al. 2021).

    Parameters
    ----------
    p : (n_subjects,) array
        One p-value per subject from days that are not taken as independent where they are not; NaN
        is left out.

    Examples
    --------
    >>> round(prevalence([0.01, 0.02, 0.03, 0.4]).lower, 2)
    0.21
    """
    _check("prevalence", alpha, level)
    p = _checked(p)
    n, k = len(p), int(np.sum(p <= alpha))
    if n == 0:
        return Prevalence(0, 0, np.nan, alpha, level)
    q = float(betaincinv(k, n - k + 1, 1 - level)) if k else 0.0
    return Prevalence(k, n, max(0.0, (q - alpha) / (1 - alpha)), alpha, level)


def partial_conjunction(p: Any) -> np.ndarray:
    """Return the p of "at least r subjects have the effect" for r = 1 .. n.

    Fisher's combination of the n - r + 1 largest: ``-2 sum log p_(i), i = r .. n``, chi-square with ``2
    (n - r + 1)`` degrees of freedom, made to rise with r (Friston, Penny & Glaser 2005; Benjamini &
    Heller 2008). Each r then has level alpha, and so has the largest r that passes. r = n is the
    largest single p. It is a claim about these subjects, not about a population.

    Parameters
    ----------
    p : (n_subjects,) array
        One p-value per subject, independent of each other; NaN is left out.

    Examples
    --------
    >>> partial_conjunction([0.01, 0.02, 0.03, 0.4]).round(3).tolist()
    [0.001, 0.011, 0.065, 0.4]
    """
    p = np.sort(_checked(p))
    terms = np.cumsum(-2 * np.log(np.maximum(p[::-1], 1e-300)))[::-1]
    return np.maximum.accumulate(chdtrc(2 * np.arange(len(p), 0, -1), terms))


def _checked(p: Any) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    p = p[np.isfinite(p)]
    if p.ndim != 1 or np.any((p < 0) | (p > 1)):
        raise PiriformError("p-values must be a list of numbers from 0 to 1, one per subject")
    return p


def _check(where: str, alpha: float, level: float) -> None:
    if not (0 < alpha < 0.5 and 0.5 < level < 1):
        raise PiriformError(f"{where}: alpha is {alpha:g} and level {level:g}; expected 0 to 0.5 and 0.5 to 1")
