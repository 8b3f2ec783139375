"""What are the gradients of a network written in JAX: tangent kernel, loss gradient, and pull-back to the inputs?

A network is a function ``apply(params, inputs)`` of a pytree of arrays and of (n_samples, ...) inputs, with
(n_samples, n_outputs) outputs. Everything is computed in float64 and handed on as NumPy arrays.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from piriform.errors import MeasureError
from piriform.networks.backend import jax, jnp, precision

Apply = Callable[[Any, Any], Any]


def tangent_kernel(apply: Apply, params: Any, inputs: np.ndarray, *, block: int = 64) -> np.ndarray:
    """Return the tangent kernel of the samples, without holding their whole Jacobian.

    K_ij = sum over outputs and parameters of df_o(x_i)/dp df_o(x_j)/dp; see
    :func:`piriform.networks.measures.kernels.jacobian_kernel`. At most 2 ``block`` rows of the Jacobian exist at a
    time. Costs about n_samples^2 n_outputs n_params operations: 128 samples usually do. For dense networks
    :func:`piriform.networks.measures.kernels.dense_tangent_kernel` is far cheaper.

    Parameters
    ----------
    apply : the network; pass the same function object again and it is compiled once
    params : pytree of arrays
    inputs : (n_samples, ...) array
    block : samples per block

    Returns
    -------
    (n_samples, n_samples) float64 array

    Raises
    ------
    MeasureError
        If ``block`` is not above 0.
    """
    if block < 1:
        raise MeasureError(f"block must be 1 or more, got {block}")
    x = np.asarray(inputs, dtype=np.float64)
    block = min(block, len(x))
    starts = range(0, len(x), block)
    padded = np.concatenate([x, np.repeat(x[-1:], -len(x) % block, axis=0)])
    kernel = np.empty((len(padded), len(padded)))
    rows = _jacobian_rows(apply)
    with precision("float64"):
        weights = _as_float64(params)
        for i in starts:
            here = rows(weights, padded[i : i + block])
            for j in starts:
                if j < i:
                    continue
                there = here if i == j else rows(weights, padded[j : j + block])
                part = np.asarray(jnp.einsum("iop,jop->ij", here, there))
                kernel[i : i + block, j : j + block] = part
                kernel[j : j + block, i : i + block] = part.T
    return kernel[: len(x), : len(x)]


def flat_parameters(params: Any) -> np.ndarray:
    """Return all parameters of a pytree in one row, (n_params,) float64."""
    return np.concatenate([np.ravel(np.asarray(leaf, dtype=np.float64)) for leaf in jax.tree.leaves(params)])


def loss_gradient(loss: Callable[[Any], Any], params: Any) -> np.ndarray:
    """Return the gradient of ``loss(params)`` in one row, (n_params,) float64, in the order of flat_parameters."""
    with precision("float64"):
        return flat_parameters(jax.grad(loss)(_as_float64(params)))


def outputs_and_pullback(
    apply: Apply, params: Any
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """Return the network with its parameters filled in, and its pull-back to the inputs, as NumPy functions.

    Returns
    -------
    outputs : maps (n_samples, ...) inputs to (n_samples, n_outputs)
    pullback : maps inputs and cotangents (n_samples, n_outputs) to J' cotangent, of the shape of the inputs
    """
    forward, backward = _compiled(apply)
    with precision("float64"):
        weights = _as_float64(params)

    def outputs(inputs: np.ndarray) -> np.ndarray:
        with precision("float64"):
            return np.asarray(forward(weights, np.asarray(inputs, dtype=np.float64)))

    def pullback(inputs: np.ndarray, cotangents: np.ndarray) -> np.ndarray:
        with precision("float64"):
            return np.asarray(backward(weights, np.asarray(inputs, dtype=np.float64), cotangents))

    return outputs, pullback


@lru_cache(maxsize=64)
def _jacobian_rows(apply: Apply) -> Callable[[Any, Any], Any]:
    """The compiled Jacobian of a block of samples, (n_samples, n_outputs, n_params)."""

    def rows(params: Any, inputs: Any) -> Any:
        one = jax.jacrev(lambda weights, x: apply(weights, x[None])[0])
        leaves = jax.tree.leaves(jax.vmap(one, (None, 0))(params, inputs))
        return jnp.concatenate([leaf.reshape(*leaf.shape[:2], -1) for leaf in leaves], axis=2)

    compiled: Callable[[Any, Any], Any] = jax.jit(rows)
    return compiled


@lru_cache(maxsize=64)
def _compiled(apply: Apply) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def backward(params: Any, inputs: Any, cotangents: Any) -> Any:
        return jax.vjp(lambda x: apply(params, x), inputs)[1](cotangents)[0]

    return jax.jit(apply), jax.jit(backward)


def _as_float64(params: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), params)
