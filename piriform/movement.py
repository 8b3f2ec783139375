"""Does the geometry of sessions move from one RDM to another, over days on which signal and noise may change as well?

Session RDMs are written as a mix of two fixed ones. Their common size is free, so that an RDM that only grows or
shrinks does not move; and crossnobis distances are without bias, so that noise alone does not move them either. Cosines
have neither property: noise lowers the cosine with everything, the more the less signal there is.
"""

import numpy as np

from piriform.arrays import as_samples, check_same
from piriform.errors import MeasureError


def movement(rdms: np.ndarray, days: np.ndarray, *, origin: np.ndarray, goal: np.ndarray) -> float:
    """Return by how much the share of ``goal`` in a subject's RDMs rises per day.

    Each RDM is fitted by least squares as ``a goal + b origin``, both of unit length; a and b are without bias. The
    share is a / (a + b), and its line over days solves ``sum_t z_t (a_t - (share + slope d_t)(a_t + b_t)) = 0`` for
    ``z_t = (1, d_t)``, d the day about its mean: sums over sessions are divided, never the noisy values of one
    session. Null value 0, for RDMs that are proportional to each other in expectation, whatever their sizes and
    their noise.

    Parameters
    ----------
    rdms : (n_sessions, n_pairs) array; sessions with NaN are left out
    days : (n_sessions,) array
    origin, goal : (n_pairs,) arrays

    Returns
    -------
    slope of the share, per day; NaN with fewer than 2 days, or without any distance

    Raises
    ------
    MeasureError
        If there is no difference between origin and goal, or one of them is 0.

    Examples
    --------
    >>> origin, goal = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    >>> rdms = [[3.0, 1.0, 0.0], [4.0, 4.0, 0.0], [0.5, 1.5, 0.0]]  # shares .25, .5, .75
    >>> round(movement(np.array(rdms), np.array([1, 2, 3]), origin=origin, goal=goal), 6)
    0.25
    """
    x = as_samples(rdms, "rdms")
    basis = np.stack([unit(goal), unit(origin)])
    check_same(x, basis, "sessions' RDMs and those of origin and goal", axis=-1)
    if not np.linalg.matrix_rank(basis, tol=1e-6) == 2:
        raise MeasureError("origin and goal are proportional RDMs: there is nothing to move along")
    known = np.isfinite(x).all(axis=1)
    mix = x[known] @ np.linalg.pinv(basis)
    part, whole = mix[:, 0], mix.sum(axis=1)
    day = np.asarray(days, dtype=float)[known]
    if len(np.unique(day)) < 2:
        return np.nan
    line = np.stack([np.ones(len(day)), day - day.mean()])
    left = (line * whole) @ line.T
    if not np.linalg.cond(left / max(np.abs(left).max(), 1e-300)) < 1e9:
        return np.nan
    return float(np.linalg.solve(left, line @ part)[1])


def agreement(changes: np.ndarray) -> float:
    """Return the mean cosine between the changes of RDMs of all pairs of networks: 1 for one direction, null value 0.

    Parameters
    ----------
    changes : (n_networks, n_pairs) array; one that is 0 agrees with none

    Returns
    -------
    in [-1, 1]; NaN with fewer than 2 networks

    Examples
    --------
    >>> agreement(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])).__round__(4)
    0.3333
    """
    x = as_samples(changes, "changes")
    if len(x) < 2:
        return np.nan
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    x = np.divide(x, lengths, out=np.zeros_like(x), where=lengths > 0)
    products = x @ x.T
    return float(products[np.triu_indices(len(x), 1)].mean())


def unit(rdm: np.ndarray) -> np.ndarray:
    """Return an RDM of length 1; raises :class:`MeasureError` for one that is 0 or not known.

    Examples
    --------
    >>> unit(np.array([3.0, 4.0])).tolist()
    [0.6, 0.8]
    """
    x = np.asarray(rdm, dtype=float)
    length = float(np.linalg.norm(x))
    if not 0 < length < np.inf:
        raise MeasureError(f"an RDM of length {length:g} has no direction; all its distances are 0, or one is missing")
    return x / length
