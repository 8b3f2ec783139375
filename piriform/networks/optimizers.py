"""How do gradients become steps? optax, with perpGrad, weight decay and a bound on the norm."""

from collections.abc import Callable
from typing import Any

from piriform.errors import known
from piriform.networks.backend import jax, jnp, optax

Hyper = dict[str, Any]


def optimizer(name: str, hyper: Hyper, *, perp_grad: Any = False, decay: bool = True) -> Any:
    """Return the optax transformation from gradients to steps.

    Parameters
    ----------
    name : ``sgd``, ``momentum`` (0.9), ``adam``
    hyper : ``learning_rate``, ``weight_decay`` (added to the gradient of sgd and momentum as L2, to the
        step of adam as in AdamW), ``epsilon`` and ``beta2`` (adam; the latter .999 if not given); numbers or
        traced arrays
    perp_grad : whether to apply :func:`perpendicular`; False, or a traced flag
    decay : False leaves weight decay out, which is faster
    """
    chain = OPTIMIZERS[known("optimizer", name, OPTIMIZERS)](hyper)
    decayed = [optax.add_decayed_weights(hyper["weight_decay"])] if decay else []
    parts = [] if perp_grad is False else [perpendicular(perp_grad)]
    parts += [*chain, *decayed] if name == "adam" else [*decayed, *chain]
    return optax.chain(*parts, optax.scale_by_learning_rate(hyper["learning_rate"]))


def perpendicular(applied: Any = True) -> Any:
    """Return perpGrad: of each tensor's gradient only what is orthogonal to the tensor, at the gradient's norm.

    g - (w.g / w.w) w, rescaled to |g| (Prieto et al. 2025, arXiv:2501.04697): the step along the
    weights, which only scales the logits, is taken away.
    """

    def update(gradients: Any, state: Any, parameters: Any = None) -> tuple[Any, Any]:
        parts = jax.tree.map(orthogonal_part, gradients, parameters)
        return jax.tree.map(lambda part, whole: jnp.where(applied, part, whole), parts, gradients), state

    return optax.GradientTransformation(lambda parameters: optax.EmptyState(), update)


def orthogonal_part(gradient: Any, weights: Any) -> Any:
    """Return the part of a gradient that is orthogonal to the weights, with the gradient's norm.

    Examples
    --------
    >>> import numpy as np
    >>> orthogonal_part(np.array([3.0, 4.0]), np.array([1.0, 0.0])).tolist()
    [0.0, 5.0]
    """
    tiny = jnp.finfo(weights.dtype).tiny
    part = gradient - (weights * gradient).sum() / jnp.maximum((weights**2).sum(), tiny) * weights
    return part * (jnp.linalg.norm(gradient) / jnp.maximum(jnp.linalg.norm(part), tiny))


def bounded(parameters: Any, bound: Any) -> Any:
    """Return parameters whose joint norm is at most ``bound``: scaled down where it is larger."""
    norm = global_norm(parameters)
    factor = jnp.where(norm > bound, bound / norm, 1.0)
    return jax.tree.map(lambda values: (values * factor).astype(values.dtype), parameters)


def global_norm(parameters: Any) -> Any:
    """Return the Euclidean norm of all parameters together."""
    return jnp.sqrt(sum((values**2).sum() for values in jax.tree.leaves(parameters)))


OPTIMIZERS: dict[str, Callable[[Hyper], list[Any]]] = {
    "sgd": lambda hyper: [],
    "momentum": lambda hyper: [optax.trace(0.9)],
    "adam": lambda hyper: [optax.scale_by_adam(b2=hyper.get("beta2", 0.999), eps=hyper["epsilon"])],
}
