"""How do kernels hold the responses?

All problems share one copy, centred and scaled once, with a 1 after the units of each trial.
"""

from typing import NamedTuple

import numpy as np

from piriform.solvers.kernels.vector import LANES


class Trials(NamedTuple):
    """The shared responses; width and height are n_units + 1 and n_trials, rounded up to multiples of 8.

    rows: (height * width,); largest: (width,) largest square of each unit; origin, unit: (width,) where 0
    lies and how long 1 is, in these coordinates.
    """

    rows: np.ndarray
    largest: np.ndarray
    origin: np.ndarray
    unit: np.ndarray
    n_trials: int
    n_units: int
    width: int
    height: int


def aligned(*shape: int) -> np.ndarray:
    """Return zeros that start at a multiple of 64 bytes, so that eight numbers never straddle two cache lines."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8)
    start = -raw.ctypes.data % 64 // 8
    return raw[start : start + size].reshape(shape)


def shared_trials(X: np.ndarray) -> tuple[Trials, np.ndarray, np.ndarray]:
    """Return the responses as kernels want them, and the median and SD of each unit that were taken out."""
    middle, unit = np.median(X, axis=0), X.std(axis=0)
    unit[unit == 0] = 1.0
    return _trials((X - middle) / unit, -middle / unit, 1 / unit), middle, unit


def raw_trials(X: np.ndarray) -> Trials:
    """Return the responses as kernels want them, as they are."""
    return _trials(X, np.zeros(X.shape[1]), np.ones(X.shape[1]))


def _trials(X: np.ndarray, origin: np.ndarray, unit: np.ndarray) -> Trials:
    n_trials, n_units = X.shape
    width, height = (n_units // 8 + 1) * 8, (n_trials + 7) // 8 * 8
    rows, pad = aligned(height, width), np.zeros(width - n_units)
    rows[:n_trials, :n_units], rows[:n_trials, n_units] = X, 1.0
    largest = (rows**2).max(axis=0)
    return Trials(rows.ravel(), largest, np.append(origin, pad), np.append(unit, pad), n_trials, n_units, width, height)


def interleaved(values: np.ndarray, n_lanes: int, height: int) -> np.ndarray:
    """Return rows of trials as (n_batches, 8 height): eight (or n_lanes) rows side by side, zeros beside them.

    A single row stands for all: it fills every lane.
    """
    values = np.repeat(values, n_lanes, axis=0) if len(values) == 1 else values
    n_rows, n_trials = values.shape
    n_batches = -(-n_rows // n_lanes)
    padded = np.zeros((n_batches * n_lanes, n_trials))
    padded[:n_rows] = values
    out = aligned(n_batches, height, LANES)
    out[:, :n_trials, :n_lanes] = padded.reshape(n_batches, n_lanes, n_trials).transpose(0, 2, 1)
    return out.reshape(n_batches, height * LANES)
