"""Has the loss run out of numbers, and does the gradient still do more than scale the weights?

Numerical stability of late training (Prieto et al. 2025, arXiv:2501.04697).
"""

import numpy as np

from piriform.arrays import as_samples, divided


def softmax_collapse(logits: np.ndarray, *, dtype: str | None = None) -> np.ndarray:
    """Return the share of samples whose sum of exp(z - max z) is exactly 1 in the loss's number format.

    There the largest logit has absorbed all others: if it is the right one, loss and gradient are exactly 0.
    Two classes collapse from a gap of 16.6 in float32 and 36.7 in float64.

    Parameters
    ----------
    logits : (..., n_samples, n_classes) array; or one column f for two classes, read as logits (0, f)
    dtype : number format of the loss ("float32", "float64"); by default that of ``logits``

    Returns
    -------
    (...) array in [0, 1]; NaN where a logit is not finite

    Examples
    --------
    >>> z = np.array([[20.0, 0.0], [1.0, 0.0]])
    >>> float(softmax_collapse(z, dtype="float32")), float(softmax_collapse(z, dtype="float64"))
    (0.5, 0.0)
    """
    as_samples(logits, "logits")
    z = np.asarray(logits, dtype=dtype)
    if z.shape[-1] == 1:
        z = np.concatenate([np.zeros_like(z), z], axis=-1)
    known = np.isfinite(z).all(axis=(-2, -1))
    z = np.where(known[..., None, None], z, np.zeros_like(z))
    total = np.exp(z - z.max(axis=-1, keepdims=True)).sum(axis=-1)
    return np.where(known, (total == 1).mean(axis=-1), np.nan)


def descent_alignment(gradient: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return cos(-gradient, weights): near 1 where descent only scales the weights up.

    Naive loss minimisation (Prieto et al. 2025): a scaling of the weights lowers the cross-entropy of samples
    that are classified correctly without changing any decision. Unrelated directions give about 0, with SD
    1/sqrt(n_params).

    Parameters
    ----------
    gradient, weights : (..., n_params) arrays, all parameters or those of one tensor, in one row

    Returns
    -------
    (...) array in [-1, 1]; NaN where either is 0 or NaN

    Examples
    --------
    >>> float(descent_alignment(np.array([-3.0, -4.0]), np.array([6.0, 8.0])))
    1.0
    """
    g, w = np.asarray(gradient, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    # scaled first: late gradients are so small that their squares underflow
    g, w = (divided(v, np.abs(v).max(axis=-1, keepdims=True)) for v in (g, w))
    return -divided(np.sum(g * w, axis=-1), np.sqrt(np.sum(g * g, axis=-1) * np.sum(w * w, axis=-1)))
