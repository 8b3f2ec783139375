"""How wrong are a network's outputs? Losses of a batch, and the hook that holds a margin.

Of two classes the output is one number f and the margin y f with y = +1 for the target, -1 for
others; of more classes the margin is the true class's output minus the largest other.
"""

from collections.abc import Callable
from typing import Any

from piriform.errors import known
from piriform.networks.backend import jax, jnp

Hyper = dict[str, Any]


def batch_loss(name: str, outputs: Any, labels: Any, *, threshold: Any = 1.0) -> Any:
    """Return the mean loss of a batch.

    Parameters
    ----------
    name : ``cross_entropy``, ``stablemax`` (cross-entropy of StableMax probabilities, Prieto et al.
        2025, arXiv:2501.04697), ``hinge`` max(0, threshold - margin), ``squared``
    outputs : (n_trials, n_outputs) array
    labels : (n_trials,) int array of classes, or (n_trials, n_outputs) array of values (``squared`` alone)
        ``squared`` is half the squared difference to the value; of classes, to +1 for the class and -1 for others.
    threshold : margin at which the hinge loss ends

    Examples
    --------
    >>> import numpy as np
    >>> float(batch_loss("hinge", np.array([[2.0], [-0.5]]), np.array([1, 0]), threshold=1.0))
    0.25
    """
    return LOSSES[known("loss", name, LOSSES)](outputs, labels, threshold)


def margins(outputs: Any, labels: Any) -> Any:
    """Return the (n_trials,) margins of the outputs; positive where the answer is right."""
    if outputs.shape[1] == 1:
        return jnp.where(labels > 0, 1, -1) * outputs[:, 0]
    own = jnp.take_along_axis(outputs, labels[:, None], axis=1)[:, 0]
    others = jnp.where(jnp.arange(outputs.shape[1]) == labels[:, None], -jnp.inf, outputs)
    return own - others.max(axis=1)


def stablemax(outputs: Any) -> Any:
    """Return StableMax probabilities: s(z) / sum of s, s(z) = z + 1 for z >= 0 and 1 / (1 - z) below.

    Examples
    --------
    >>> import numpy as np
    >>> np.asarray(stablemax(np.array([[1.0, -1.0]]))).astype(float).round(3).tolist()
    [[0.8, 0.2]]
    """
    return jnp.exp(_log_stablemax(outputs))


def held_margin(outputs: Any, labels: Any, scale: Any, hyper: Hyper) -> Any:
    """Return the penalty that holds margins between ``margin_low`` and ``margin_high``.

    It is ``margin_strength`` times the mean squared distance of margin / ``scale`` to that range: a
    cap keeps the margin from growing, a floor makes it grow. ``scale`` 1 holds the output's margin.
    """
    margin = margins(outputs, labels) / scale
    distance = margin - jnp.clip(margin, hyper["margin_low"], hyper["margin_high"])
    return hyper["margin_strength"] * (distance**2).mean()


def _log_stablemax(outputs: Any) -> Any:
    below, above = jnp.minimum(outputs, 0), jnp.maximum(outputs, 0)
    logs = jnp.log1p(above) - jnp.log1p(-below)
    return logs - jax.scipy.special.logsumexp(logs, axis=1, keepdims=True)


def _pair(outputs: Any) -> Any:
    """Two logits whose difference is the one output: nontarget first, as classes are numbered."""
    return jnp.concatenate([-outputs / 2, outputs / 2], axis=1) if outputs.shape[1] == 1 else outputs


def _negative_log(log_probabilities: Any, labels: Any) -> Any:
    return -jnp.take_along_axis(log_probabilities, labels[:, None], axis=1).mean()


def _cross_entropy(outputs: Any, labels: Any, threshold: Any) -> Any:
    if outputs.shape[1] == 1:
        return jax.nn.softplus(-margins(outputs, labels)).mean()
    return _negative_log(jax.nn.log_softmax(outputs), labels)


def _stablemax(outputs: Any, labels: Any, threshold: Any) -> Any:
    return _negative_log(_log_stablemax(_pair(outputs)), labels)


def _hinge(outputs: Any, labels: Any, threshold: Any) -> Any:
    return jax.nn.relu(threshold - margins(outputs, labels)).mean()


def _squared(outputs: Any, labels: Any, threshold: Any) -> Any:
    if labels.ndim == 1:
        one = (
            labels[:, None] if outputs.shape[1] == 1 else jax.nn.one_hot(labels, outputs.shape[1], dtype=outputs.dtype)
        )
        labels = 2 * one - 1
    return 0.5 * ((outputs - labels) ** 2).sum(axis=1).mean()


LOSSES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "cross_entropy": _cross_entropy,
    "stablemax": _stablemax,
    "hinge": _hinge,
    "squared": _squared,
}
#: Losses that take classes alone; ``squared`` takes values too.
CLASS_LOSSES = ("cross_entropy", "stablemax", "hinge")
