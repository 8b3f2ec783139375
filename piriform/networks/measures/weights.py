"""How far have the weights moved, in how many directions, and have they kept their signs?"""

import numpy as np

from piriform.arrays import as_samples, check_same, divided, finite_members, squares


def effective_rank(matrix: np.ndarray) -> np.ndarray:
    """Return the effective rank exp(-sum p_k log p_k), p_k the singular values divided by their sum.

    Roy & Vetterli 2007 (EUSIPCO). Between 1 and the rank; n for the identity of size n.

    Parameters
    ----------
    matrix : (..., n_rows, n_columns) array, weights or their change

    Returns
    -------
    (...) array; NaN where the matrix is 0 or not finite

    Examples
    --------
    >>> round(float(effective_rank(np.eye(7))), 6), round(float(effective_rank(np.ones((3, 5)))), 6)
    (7.0, 1.0)
    """
    clean, finite = finite_members(as_samples(matrix, "the matrix"))
    return np.where(finite, rank_of_sizes(np.linalg.svd(clean, compute_uv=False)), np.nan)


def rank_of_sizes(sizes: np.ndarray) -> np.ndarray:
    """Return the effective rank of matrices with these singular values, (..., n) >= 0.

    Examples
    --------
    >>> round(float(rank_of_sizes(np.array([2.0, 2.0, 0.0]))), 6)
    2.0
    """
    shares = divided(sizes, sizes.sum(axis=-1, keepdims=True))
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.exp(-np.sum(shares * logs, axis=-1))


def weight_change(weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the Frobenius norm |W - W0| of the change since the start.

    Examples
    --------
    >>> float(weight_change(np.array([[3.0, 4.0]]), np.zeros((1, 2))))
    5.0
    """
    first, second = as_samples(weights, "weights"), as_samples(start, "start")
    check_same(first, second, "weights and start", axis=-1)
    return np.sqrt(squares(first - second))


def relative_change(weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return |W - W0|_F / |W0|_F, the measure by which layers are compared (Wenliang & Seitz 2018).

    NaN where the start is 0.

    Examples
    --------
    >>> float(relative_change(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])))
    1.0
    """
    return divided(weight_change(weights, start), np.sqrt(squares(as_samples(start, "start"))))


def sign_similarity(weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the share of weights that have the sign they started with (Liu et al. 2024, arXiv:2310.08513).

    1 for a lazy network, .5 for unrelated symmetric weights. A weight of exactly 0 has a sign of its own.

    Returns
    -------
    (...) array in [0, 1]; NaN where a weight is NaN

    Examples
    --------
    >>> float(sign_similarity(np.array([[1.0, -2.0, 3.0, 4.0]]), np.array([[2.0, 2.0, 2.0, -2.0]])))
    0.5
    """
    first, second = as_samples(weights, "weights"), as_samples(start, "start")
    check_same(first, second, "weights and start", axis=-1)
    known = np.isfinite(first + second).all(axis=(-2, -1))
    same = np.sign(first) == np.sign(second)
    return np.where(known, same.mean(axis=(-2, -1)), np.nan)
