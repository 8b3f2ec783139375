"""Could a smooth rise that levels off have given the counts that look like a step?

A line in log-odds never levels off below 0 or 1, so that a step may beat it where learning was merely
over soon. Here smooth growth may start and end at any accuracy; only its speed is bounded.
"""

from typing import Any

import numpy as np
from scipy.special import expit, xlogy

from piriform.step_test import FASTEST_RISE, STEEPEST, best_line, best_step

_WIDTHS = np.array([1.0, 2.0, 4.0]) / STEEPEST  # days; the narrowest rises from 10% to 90% in FASTEST_RISE days
_UPDATES = 25
_ROWS = 5_000
_TIE = 1e-4  # of log-likelihood: what the updates leave undone


def saturation_p(
    day: Any, n_correct: Any, n_trials: Any, *, sd_days: float, n_bootstrap: int, rng: np.random.Generator
) -> float:
    """Return p of a step up in one stimulus against smooth growth between any two accuracies.

    Null: ``p(d) = base + (top - base) / (1 + exp(-(d - midpoint) / width))``, with a width of 1, 2 or 4 times that of
    a rise from 10% to 90% in ``FASTEST_RISE`` days, or the line in log-odds of
    :func:`piriform.step_test.step_test`; day effects of SD ``sd_days`` in log-odds. Statistic and p as there: the
    log-likelihood of the best step minus that of the best null, among ``n_bootstrap`` draws from the latter.

    Parameters
    ----------
    day : (n_days,) array, increasing
    n_correct, n_trials : (n_days,) arrays
    sd_days : SD of the day effects, in log-odds
    n_bootstrap : draws from the fitted null
    rng : source of the draws

    Returns
    -------
    float
        Small where even a rise that takes ``FASTEST_RISE`` days and then levels off is too slow.

    Examples
    --------
    >>> days, n = np.arange(1, 13), np.full(12, 40)
    >>> step, smooth = [4] * 6 + [36] * 6, [4, 4, 4, 4, 8, 16, 26, 34, 36, 36, 36, 36]
    >>> bool(saturation_p(days, step, n, sd_days=0.0, n_bootstrap=99, rng=np.random.default_rng(1)) <= 0.05)
    True
    >>> bool(saturation_p(days, smooth, n, sd_days=0.0, n_bootstrap=99, rng=np.random.default_rng(1)) <= 0.05)
    False
    """
    day, k, n = (np.asarray(values, dtype=float) for values in (day, n_correct, n_trials))
    statistic, p = _statistic(day, k[None], n[None])
    p = np.clip(p, 1e-6, 1 - 1e-6)
    effects = sd_days * rng.standard_normal((n_bootstrap, len(day)))
    drawn = rng.binomial(n.astype(np.int64), expit(np.log(p / (1 - p)) + effects)).astype(float)
    found = _statistic(day, drawn, np.broadcast_to(n, drawn.shape))[0]
    return float((np.sum(found >= statistic[0] - _TIE) + 1) / (n_bootstrap + 1))


def best_sigmoid(day: np.ndarray, k: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the sigmoid to each row: accuracies by day (n_rows, n_days), and the log-likelihood (n_rows,).

    Midpoints lie on a grid of half days; base and top are found by expectation-maximisation (a trial is of
    the base or of the top), which cannot leave [0, 1].
    """
    midpoints = np.arange(day[0], day[-1] + 0.25, 0.5)
    middle, width = (values.ravel()[:, None] for values in np.meshgrid(midpoints, _WIDTHS))
    share = expit((day - middle) / width)
    fitted, value = np.empty(k.shape), np.empty(len(k))
    at_once = max(_ROWS // len(share), 1)
    for first in range(0, len(k), at_once):
        part = slice(first, first + at_once)
        p = _between(share, k[part, None], n[part, None])
        likelihood = (xlogy(k[part, None], p) + xlogy((n - k)[part, None], 1 - p)).sum(axis=2)
        best = likelihood.argmax(axis=1)
        rows = np.arange(len(best))
        fitted[part], value[part] = p[rows, best], likelihood[rows, best]
    return fitted, value


def _between(share: np.ndarray, k: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Accuracy by day, base and top mixed by ``share``, (n_rows, n_curves, n_days)."""
    rest = 1 - share
    base = ((k @ rest.T) / (n @ rest.T)).clip(1e-6, 1 - 1e-6).swapaxes(1, 2)
    top = ((k @ share.T) / (n @ share.T)).clip(1e-6, 1 - 1e-6).swapaxes(1, 2)
    for _ in range(_UPDATES):
        p = base * rest + top * share
        right, wrong = k / p, (n - k) / (1 - p)
        of_top = top * (right * share).sum(axis=2, keepdims=True)
        of_base = base * (right * rest).sum(axis=2, keepdims=True)
        top = of_top / (of_top + (1 - top) * (wrong * share).sum(axis=2, keepdims=True))
        base = of_base / (of_base + (1 - base) * (wrong * rest).sum(axis=2, keepdims=True))
        base, top = base.clip(1e-9, 1 - 1e-9), top.clip(1e-9, 1 - 1e-9)
    return base * rest + top * share


def _statistic(day: np.ndarray, k: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of the step minus the null's, (n_rows,), and the null's accuracies, (n_rows, n_days)."""
    x = np.broadcast_to(day - day.mean(), k.shape)
    theta, line = best_line(x, k, n)
    fitted, sigmoid = best_sigmoid(day, k, n)
    p = np.where((line > sigmoid)[:, None], expit(theta[:, :1] + theta[:, 1:] * x), fitted)
    return best_step(k, n)[3] - np.maximum(line, sigmoid), p


__all__ = ["FASTEST_RISE", "best_sigmoid", "saturation_p"]
