"""When does a deep linear network learn each mode of its task?

Saxe, McClelland, Ganguli 2014 (arXiv:1312.6120): with balanced small weights along the singular vectors of
the task, the strength s of a mode with input-output strength sigma follows
tau ds/dt = 2 s (sigma - s) in a network with one hidden layer.
"""

import numpy as np

from piriform.errors import MeasureError


def mode_strength(time: np.ndarray, *, sigma: np.ndarray, start: np.ndarray, tau: float) -> np.ndarray:
    """Return s(t) = sigma e^(2 sigma t / tau) / (e^(2 sigma t / tau) - 1 + sigma / s0), an S-shaped curve.

    Parameters
    ----------
    time : (n_times,) array, in the unit of tau (gradient steps if tau = 1 / learning rate)
    sigma, start : (...) arrays of strengths to learn and at the start, above 0
    tau : time constant

    Returns
    -------
    (..., n_times) array, from ``start`` to ``sigma``

    Raises
    ------
    MeasureError
        If a strength or tau is not above 0.

    Examples
    --------
    >>> mode_strength(np.array([0.0, 1e9]), sigma=np.array(3.0), start=np.array(0.5), tau=1.0).tolist()
    [0.5, 3.0]
    """
    strength, first = _checked(sigma, start, tau)
    with np.errstate(under="ignore"):
        fading = np.exp(-2 * strength[..., None] * np.asarray(time, dtype=np.float64) / tau)
        return strength[..., None] / (1 + (strength / first - 1)[..., None] * fading)


def mode_time(*, sigma: np.ndarray, start: np.ndarray, end: np.ndarray, tau: float) -> np.ndarray:
    """Return the time from strength ``start`` to ``end``, tau/(2 sigma) ln(end (sigma - start) / (start (sigma - end))).

    Strong modes are learned first, in a time that goes as 1/sigma. NaN where ``end`` is never reached.

    Examples
    --------
    >>> t = mode_time(sigma=np.array(2.0), start=np.array(0.1), end=np.array(1.0), tau=4.0)
    >>> round(float(mode_strength(t[None], sigma=np.array(2.0), start=np.array(0.1), tau=4.0)[0]), 6)
    1.0
    """
    strength, first = _checked(sigma, start, tau)
    ratio = (np.asarray(end, dtype=np.float64) / first) * (strength - first)
    left = strength - end
    known = (ratio * left > 0) & (left != 0)
    odds = np.divide(ratio, left, out=np.ones(np.broadcast(ratio, left).shape), where=known)
    time = tau / (2 * strength) * np.log(odds)
    return np.where(known & (time >= 0), time, np.nan)


def _checked(sigma: np.ndarray, start: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray]:
    strength, first = (np.asarray(values, dtype=np.float64) for values in (sigma, start))
    if not ((strength > 0).all() and (first > 0).all() and tau > 0):
        raise MeasureError("mode strengths and tau must be above 0; a mode that starts at 0 is never learned")
    return np.broadcast_arrays(strength, first)  # type: ignore[return-value]
