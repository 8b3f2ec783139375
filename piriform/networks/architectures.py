"""What does a network compute? Parameters, outputs and features of MLPs, CNNs and RNNs.

Inputs have norm about 1, so the first layer multiplies by its weights alone; a layer behind a layer
of n units divides by sqrt(n). The output is ``alpha`` times the readout's mean over its n units (or
its sum / sqrt(n)): alpha moves a network from rich (small) to lazy (large).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from piriform.errors import ConfigError, known
from piriform.networks.backend import jax, jnp, lax

#: Kind of network by the number of dimensions of one trial's input.
KINDS = {1: "mlp", 2: "rnn", 3: "cnn"}
READOUTS = ("mean", "sqrt", "standard", "committee")
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """The shape of a network; everything that decides what is compiled.

    Attributes
    ----------
    shape : shape of one trial's input, which makes the network an MLP (n_inputs,), an RNN (n_times, n_inputs) of one
        recurrent layer that is read out at the last time, or a CNN (height, width, n_channels)
    hidden : units of each hidden layer; of a CNN all but the last are convolutions (3 x 3, then 2 x 2 means)
    n_outputs : 1 for two classes
    activation : ``relu``, ``tanh``, ``quadratic`` (h + epsilon / 2 h^2), ``linear``
    epsilon : of the quadratic activation
    bias : whether hidden units have a bias, 0 at the start
    readout : ``mean``, alpha / n; ``sqrt``, alpha / sqrt(n); ``standard``, alpha with weights drawn at SD
        init_scale / sqrt(fan-in) in every layer and no other factor, for Adam; ``committee``, alpha / n, all
        readout weights 1 and not trained
    antisymmetric : units of the last hidden layer come in pairs that differ in the sign of their readout, so
        that every output is 0 at the start
    dale : the weights that a hidden unit sends have one sign for good, half of the units excitatory
    """

    shape: tuple[int, ...]
    hidden: tuple[int, ...] = (128,)
    n_outputs: int = 1
    activation: str = "relu"
    epsilon: float = 0.25
    bias: bool = True
    readout: str = "mean"
    antisymmetric: bool = True
    dale: bool = False

    def __post_init__(self) -> None:
        known("activation", self.activation, ACTIVATIONS)
        known("readout", self.readout, READOUTS)
        if len(self.shape) not in KINDS or not self.hidden or min((*self.shape, *self.hidden, self.n_outputs)) < 1:
            raise ConfigError(
                f"a network needs 1 to 3 input dimensions, a hidden layer, and at least one unit in each, got shape "
                f"{self.shape}, hidden {self.hidden}, n_outputs {self.n_outputs}"
            )
        if self.antisymmetric and self.hidden[-1] % 2:
            raise ConfigError(f"antisymmetric units come in pairs: the last of hidden {self.hidden} must be even")
        if self.readout == "committee" and (self.antisymmetric or self.n_outputs > 1):
            raise ConfigError("a committee has one output and no antisymmetric units: all its readout weights are 1")
        if self.kind == "rnn" and len(self.hidden) != 1:
            raise ConfigError(f"an rnn has one hidden layer, got hidden {self.hidden}")
        if self.dale and (self.kind == "cnn" or (self.kind == "rnn" and self.antisymmetric)):
            raise ConfigError(
                f"dale does not go with kind {self.kind}{' and antisymmetric units' if self.kind == 'rnn' else ''}"
            )
        if self.kind == "cnn" and min(self.shape[:2]) >> (len(self.hidden) - 1) < 1:
            raise ConfigError(f"an image of {self.shape[:2]} cannot be halved {len(self.hidden) - 1} times")

    @property
    def kind(self) -> str:
        """``mlp``, ``rnn`` or ``cnn``."""
        return KINDS[len(self.shape)]


def deep_linear(n_inputs: int, hidden: tuple[int, ...], n_outputs: int) -> Network:
    """Return a deep linear network without biases or output factor."""
    return Network(
        (n_inputs,), hidden, n_outputs, activation="linear", bias=False, readout="standard", antisymmetric=False
    )


def init(network: Network, key: Any, *, init_scale: Any = 1.0, rank: Any = 0) -> Parameters:
    """Return parameters at the start.

    Parameters
    ----------
    key : JAX key; the same key gives the same numbers
    init_scale : SD of the weights
    rank : of every weight matrix but the readout (of its independent half, if antisymmetric); 0: full.
        A matrix of low rank has the Frobenius norm of the full one (Liu et al. 2024, arXiv:2310.08513).

    Returns
    -------
    dict of ``w1``, ``b1``, ... and ``readout`` (n_units, n_outputs), which a committee lacks; ``recurrent`` of an RNN
    """
    shapes = _shapes(network)
    drawn = _drawn(key, list(shapes.values()), rank)
    twin = network.antisymmetric
    parameters = {}
    for (name, (n_in, _)), weights in zip(shapes.items(), drawn, strict=True):
        if name == "readout":
            weights = jnp.concatenate([weights, -weights]) if twin else weights
        elif name == "recurrent":
            weights = jnp.tile(weights, (2, 2)) / np.sqrt(2) if twin else weights
        elif twin and name == f"w{len(network.hidden)}":
            weights = jnp.concatenate([weights, weights], axis=1)
        n_in = len(weights) if name == "readout" else n_in
        standard = network.readout == "standard" and name != "recurrent"
        parameters[name] = (init_scale / np.sqrt(n_in) if standard else init_scale) * weights
    if network.readout == "committee":
        del parameters["readout"]
    if network.bias:
        parameters |= {f"b{number}": jnp.zeros(n_units) for number, n_units in enumerate(network.hidden, start=1)}
    return parameters


def apply(network: Network, parameters: Parameters, inputs: Any, *, alpha: Any = 1.0) -> Any:
    """Return the (n_trials, n_outputs) outputs for (n_trials, ...) inputs; of two classes the sign decides."""
    hidden = last_layer(features(network, parameters, inputs))
    n_units = network.hidden[-1]
    if network.readout == "committee":
        return alpha / n_units * hidden.sum(axis=1, keepdims=True)
    factor = {"mean": alpha / n_units, "sqrt": alpha / np.sqrt(n_units), "standard": alpha}[network.readout]
    return factor * (hidden @ _signed(network, parameters["readout"]))


def features(network: Network, parameters: Parameters, inputs: Any) -> dict[str, Any]:
    """Return the activity of every hidden layer.

    Returns
    -------
    dict of ``hidden1``, ``hidden2``, ... (the last is read out), each (n_trials, n_units), or
    (n_trials, n_units, n_times) of an RNN; a convolution's units are its channels at each place
    """
    return {"mlp": _mlp, "cnn": _cnn, "rnn": _rnn}[network.kind](network, parameters, inputs)


def last_layer(layers: dict[str, Any]) -> Any:
    """Return the (n_trials, n_units) activity that is read out: the last layer, at its last time."""
    hidden = layers[f"hidden{len(layers)}"]
    return hidden if hidden.ndim == 2 else hidden[:, :, -1]


def weight_names(parameters: Parameters) -> list[str]:
    """Return the names of the weight matrices, first layer first, readout last if there is one; biases left out."""
    inner = sorted((name for name in parameters if name.startswith("w")), key=lambda name: int(name[1:]))
    return [*inner, *(name for name in ("recurrent", "readout") if name in parameters)]


# Layers ---------------------------------------------------------------------------------------


def _mlp(network: Network, parameters: Parameters, inputs: Any) -> dict[str, Any]:
    layers, hidden = {}, inputs
    for number in range(1, len(network.hidden) + 1):
        hidden = _activated(network, _driven(network, parameters, hidden, number))
        layers[f"hidden{number}"] = hidden
    return layers


def _cnn(network: Network, parameters: Parameters, inputs: Any) -> dict[str, Any]:
    """Convolutions as matrix products of patches: far faster on CPU than XLA's own convolution."""
    layers, image = {}, inputs
    for number in range(1, len(network.hidden)):
        image = _halved(_activated(network, _driven(network, parameters, _patches(image), number)))
        layers[f"hidden{number}"] = image.reshape(len(image), -1)
    number = len(network.hidden)
    flat = image.reshape(len(image), -1)
    return layers | {f"hidden{number}": _activated(network, _driven(network, parameters, flat, number))}


def _rnn(network: Network, parameters: Parameters, inputs: Any) -> dict[str, Any]:
    drive = jnp.swapaxes(_driven(network, parameters, inputs, 1), 0, 1)
    recurrent = _signed(network, parameters["recurrent"]) / np.sqrt(network.hidden[0])

    def step(hidden: Any, now: Any) -> tuple[Any, Any]:
        hidden = _activated(network, now + hidden @ recurrent)
        return hidden, hidden

    hidden = lax.scan(step, jnp.zeros_like(drive[0]), drive)[1]
    return {"hidden1": jnp.moveaxis(hidden, 0, 2)}


def _driven(network: Network, parameters: Parameters, hidden: Any, number: int) -> Any:
    """What layer ``number`` receives, before its activation."""
    weights = parameters[f"w{number}"]
    divided = number > 1 and network.readout != "standard"
    drive = hidden @ (_signed(network, weights) if number > 1 and network.kind == "mlp" else weights)
    drive = drive / np.sqrt(weights.shape[0]) if divided else drive
    return drive + parameters[f"b{number}"] if network.bias else drive


def _patches(image: Any) -> Any:
    """(n, height, width, 9 n_channels) the 3 x 3 neighbourhood of each place, zeros beyond the edge."""
    _, height, width, _ = image.shape
    padded = jnp.pad(image, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, row : row + height, column : column + width] for row in range(3) for column in range(3)]
    return jnp.concatenate(shifted, axis=-1)


def _halved(image: Any) -> Any:
    """Means over 2 x 2 places; an odd last row or column is left out."""
    n, height, width, n_channels = image.shape
    image = image[:, : height // 2 * 2, : width // 2 * 2]
    return image.reshape(n, height // 2, 2, width // 2, 2, n_channels).mean(axis=(2, 4))


def _activated(network: Network, drive: Any) -> Any:
    return ACTIVATIONS[network.activation](drive, network.epsilon)


ACTIVATIONS = {
    "relu": lambda drive, epsilon: jax.nn.relu(drive),
    "tanh": lambda drive, epsilon: jnp.tanh(drive),
    "quadratic": lambda drive, epsilon: drive + epsilon / 2 * drive**2,
    "linear": lambda drive, epsilon: drive,
}


# Weights --------------------------------------------------------------------------------------


def _shapes(network: Network) -> dict[str, tuple[int, int]]:
    """(n_in, n_out) of all independent weights, by name; of twins one half is."""
    twins = 1 + network.antisymmetric
    n_ins = [network.shape[-1], *network.hidden[:-1]]
    if network.kind == "cnn":
        halved = [size >> (len(network.hidden) - 1) for size in network.shape[:2]]
        n_ins = [9 * n_in for n_in in n_ins[:-1]] + [halved[0] * halved[1] * n_ins[-1]]
    n_outs = [*network.hidden[:-1], network.hidden[-1] // twins]
    shapes = {f"w{number}": shape for number, shape in enumerate(zip(n_ins, n_outs, strict=True), start=1)}
    if network.kind == "rnn":
        shapes["recurrent"] = (n_outs[0], n_outs[0])
    return shapes | {"readout": (n_outs[-1], network.n_outputs)}


def _drawn(key: Any, shapes: list[tuple[int, int]], rank: Any) -> list[Any]:
    """Standard normal weights of full rank, or of a lower ``rank`` with the same Frobenius norm; the last always full.

    All come from one draw: compiling many takes longer than training a small network.
    """
    parts = [[shape, (shape[0], min(shape)), (min(shape), shape[1])] for shape in shapes]
    sizes = [n_rows * n_columns for part in parts for n_rows, n_columns in part]
    numbers = iter(jnp.split(jax.random.normal(key, (sum(sizes),)), np.cumsum(sizes)[:-1]))
    triples = [[next(numbers).reshape(shape) for shape in part] for part in parts]
    return [_of_rank(full, left, right, rank) for full, left, right in triples[:-1]] + [triples[-1][0]]


def _of_rank(full: Any, left: Any, right: Any, rank: Any) -> Any:
    low = left * (jnp.arange(left.shape[1]) < rank) @ right
    low = low * jnp.linalg.norm(full) / jnp.maximum(jnp.linalg.norm(low), 1e-30)
    return jnp.where((rank < 1) | (rank >= left.shape[1]), full, low)


def _signed(network: Network, weights: Any) -> Any:
    """(n_units, n_targets) weights as they are, or with the sign that belongs to the sending unit (Dale)."""
    if not network.dale:
        return weights
    sign = np.where(np.arange(len(weights)) % 2, -1.0, 1.0)
    if network.antisymmetric:
        sign = np.concatenate([sign[: len(sign) // 2], -sign[: len(sign) // 2]])
    return sign[:, None].astype(weights.dtype) * jnp.abs(weights)
