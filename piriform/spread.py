"""Why do the slopes of a study's subjects differ: too few sessions, or subjects that truly differ?"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import chdtri

from piriform.errors import PiriformError
from piriform.stats import weighted_slope
from piriform.trends import PER_DAYS, by_subject


@dataclass(frozen=True)
class Scatter:
    """What makes slopes per 10 days differ: ``residual`` SD of a session, ``between`` SD of true slopes.

    ``observed`` is the SD of the slopes, ``sampling`` the part of it that the residuals explain;
    ``gap`` is the mean distance of sessions in days, ``n_sessions`` their mean number.
    """

    n_subjects: int
    n_sessions: float
    gap: float
    residual: float
    observed: float
    sampling: float
    between: float

    def slope_sd(self, n_sessions: float) -> float:
        """Return the SD of a subject's slope over ``n_sessions`` evenly spaced sessions."""
        return float(np.hypot(self.between, self.residual / np.sqrt(sum_of_squares(n_sessions, self.gap))))

    def limits(self, level: float = 0.9) -> tuple["Scatter", "Scatter"]:
        """Return the same with the least and the largest ``between`` that n_subjects slopes leave open.

        Chi-square interval of the slopes' whole variance, less the sampling variance, at least 0.
        """
        df = self.n_subjects - 1
        tails = ((1 - level) / 2, (1 + level) / 2)
        excess = [df * self.here**2 / chdtri(df, tail) - self.sampling**2 for tail in tails]
        low, high = (replace(self, between=float(np.sqrt(max(value, 0.0)))) for value in excess)
        return low, high

    @property
    def here(self) -> float:
        """SD of a slope in this study, with its own days."""
        return float(np.hypot(self.between, self.sampling))


def sum_of_squares(n_sessions: float, gap: float) -> float:
    """Return ``sum (x - mean x)^2`` of evenly spaced sessions, x in units of 10 days.

    Examples
    --------
    >>> sum_of_squares(3, 10)
    2.0
    """
    return (gap / PER_DAYS) ** 2 * n_sessions * (n_sessions**2 - 1) / 12


def slope_scatter(rows: pd.DataFrame, *, value: str, weights: str, min_sessions: int) -> Scatter:
    """Split the variance of the subjects' slopes by the method of moments.

    Residual variances of all subjects are pooled over their degrees of freedom, ``sigma2 = sum (n - 2)
    s2 / sum (n - 2)``; the sampling variance of a slope is ``sigma2 / Sxx``; what the slopes' variance
    exceeds its mean by is that of the true slopes, at least 0.

    Parameters
    ----------
    rows : one row per session, with ``subject``, ``day`` and the columns named
    value, weights : what is fitted, and the column that a session's precision is proportional to
    min_sessions : sessions that a subject needs

    Raises
    ------
    PiriformError
        Below 2 subjects with enough sessions.
    """
    lines = [_line(part, value, weights) for part in by_subject(rows, sorted({*rows["subject"]})).values()]
    found = pd.DataFrame([line for line in lines if line["n"] >= min_sessions and np.isfinite(line["square"])])
    if len(found) < 2:
        raise PiriformError(
            f"{len(found)} subject(s) with {min_sessions} or more overtraining sessions; the scatter of slopes needs 2"
        )
    residual = float(np.average(found["square"], weights=found["n"] - 2))
    observed, sampling = float(found["slope"].var()), residual * float(np.mean(1 / found["sxx"]))
    sds = np.sqrt([residual, observed, sampling, max(observed - sampling, 0.0)]).tolist()
    return Scatter(len(found), float(found["n"].mean()), float(found["gap"].mean()), *sds)


def _line(part: pd.DataFrame, value: str, weights: str) -> dict[str, float]:
    """One subject's slope per 10 days, its residual variance at mean weight, Sxx, sessions and their distance."""
    x, y, w = (part[name].to_numpy(dtype=float) for name in ("day", value, weights))
    w = np.maximum(w, 1) / np.maximum(w, 1).mean()
    line = weighted_slope(x / PER_DAYS, y, weights=w)
    sxx = float(np.sum(w * (x - np.average(x, weights=w)) ** 2)) / PER_DAYS**2
    gap = float(np.ptp(x)) / max(line.n - 1, 1)
    return {"slope": line.slope, "square": line.se**2 * sxx, "sxx": sxx, "n": line.n, "gap": gap}
