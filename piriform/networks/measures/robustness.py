"""How small a change of the input turns the network's answer?

Projected gradient descent in the L-infinity ball (Madry et al. 2018, arXiv:1706.06083), in float64 and on
logits rescaled to unit size: with logits as training left them the gradient of a collapsed softmax is exactly
0, the attack stands still, and the network looks robust (Prieto et al. 2025).
"""

from collections.abc import Callable

import numpy as np

from piriform.arrays import as_samples, divided
from piriform.errors import MeasureError

Logits = Callable[[np.ndarray], np.ndarray]
Pullback = Callable[[np.ndarray, np.ndarray], np.ndarray]


def input_sd(inputs: np.ndarray) -> float:
    """Return the SD of the inputs over samples, root mean square over columns: the unit of ``epsilon``.

    Examples
    --------
    >>> input_sd(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    0.7071067811865476
    """
    return float(np.sqrt(as_samples(inputs, "inputs").var(axis=0).mean()))


def linear_distance(outputs: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the exact smallest L-infinity change that turns a linear classifier, |f(x)| / |w|_1.

    Parameters
    ----------
    outputs : (n_samples,) array, f(x) = w . x + b
    weights : (n_inputs,) array

    Returns
    -------
    (n_samples,) array in the unit of the inputs; NaN where the weights are 0

    Examples
    --------
    >>> linear_distance(np.array([3.0, -1.5]), np.array([1.0, -2.0])).tolist()
    [1.0, 0.5]
    """
    return divided(np.abs(outputs), np.abs(np.asarray(weights, dtype=np.float64)).sum())


def pgd_accuracy(
    logits: Logits,
    pullback: Pullback,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    epsilon: float,
    n_steps: int = 10,
    n_restarts: int = 3,
    rng: np.random.Generator,
) -> float:
    """Return the share of samples that no attack of size epsilon input SDs turns to a wrong class.

    Each restart begins at a random point of the ball and makes steps of epsilon/4 along the sign of the
    gradient of the cross-entropy, projected back into the ball; a sample counts as turned if it is wrong at
    any step, or without attack. Logits are divided by the root mean square of their deviations from the
    sample's mean logit on the clean inputs. epsilon 0 gives the accuracy.

    Parameters
    ----------
    logits : maps inputs (n_samples, n_inputs) to outputs (n_samples, n_outputs); one column f for two classes
        means class 1 where f > 0
    pullback : maps inputs and cotangents (n_samples, n_outputs) to J' cotangent, (n_samples, n_inputs)
    inputs : (n_samples, n_inputs) array
    labels : (n_samples,) int array of 0 .. n_classes-1
    epsilon : radius of the ball in input SDs, see :func:`input_sd`

    Returns
    -------
    Accuracy under attack; NaN if the outputs are not finite

    Raises
    ------
    MeasureError
        If epsilon is negative, or a label names no output.

    Examples
    --------
    >>> w, x = np.array([[1.0], [1.0]]), np.array([[1.0, 0.0], [-1.0, 0.0]])
    >>> run = lambda size: pgd_accuracy(
    ...     lambda x: x @ w, lambda x, v: v @ w.T, x, np.array([1, 0]), epsilon=size, rng=np.random.default_rng(0))
    >>> run(0.4 / input_sd(x)), run(0.6 / input_sd(x))
    (1.0, 0.0)
    """
    x = as_samples(inputs, "inputs")
    y, clean = np.asarray(labels), _as_logits(logits(x))
    if epsilon < 0 or y.min() < 0 or y.max() >= clean.shape[1] or y.shape != (len(x),):
        raise MeasureError(f"epsilon must be 0 or more and labels {len(x)} numbers from 0 to {clean.shape[1] - 1}")
    if not np.isfinite(clean).all():
        return float("nan")
    scale = np.sqrt(np.mean((clean - clean.mean(axis=1, keepdims=True)) ** 2)) or 1.0
    right, radius = clean.argmax(axis=1) == y, epsilon * input_sd(x)
    for _ in range(n_restarts if radius > 0 else 0):
        moved = x + rng.uniform(-radius, radius, x.shape)
        for _ in range(n_steps):
            outputs = logits(moved)
            right &= _as_logits(outputs).argmax(axis=1) == y
            step = np.sign(pullback(moved, _cotangent(outputs, y, scale)))
            moved = np.clip(moved + radius / 4 * step, x - radius, x + radius)
        right &= _as_logits(logits(moved)).argmax(axis=1) == y
    return float(right.mean())


def _as_logits(outputs: np.ndarray) -> np.ndarray:
    """Outputs as (n_samples, n_classes): one column f becomes (-f/2, f/2)."""
    z = np.asarray(outputs, dtype=np.float64)
    return np.concatenate([-z / 2, z / 2], axis=1) if z.shape[1] == 1 else z


def _cotangent(outputs: np.ndarray, labels: np.ndarray, scale: float) -> np.ndarray:
    """Derivative of the cross-entropy of the rescaled logits by the outputs, up to a factor per network."""
    z = _as_logits(outputs) / scale
    odds = np.exp(z - z.max(axis=1, keepdims=True))
    slope = odds / odds.sum(axis=1, keepdims=True)
    # p - 1 as minus the sum of the others: exact where p rounds to 1
    rows = np.arange(len(z))
    slope[rows, labels] = 0.0
    slope[rows, labels] = -slope.sum(axis=1)
    return slope[:, 1:] - slope[:, :1] if outputs.shape[1] == 1 else slope
