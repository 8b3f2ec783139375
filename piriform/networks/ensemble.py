"""What became of the networks of an ensemble? Parameters at every checkpoint, outputs and activity."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from piriform.errors import ConfigError, known
from piriform.networks.architectures import Network, apply, features
from piriform.networks.backend import DTYPES, jax, lax, precision
from piriform.networks.losses import LOSSES, batch_loss, margins
from piriform.networks.optimizers import OPTIMIZERS
from piriform.networks.task import Examples


@dataclass(frozen=True)
class Condition:
    """How the networks of one condition are trained; conditions share seeds, tasks, starts and batches.

    Attributes
    ----------
    name : part of the networks' names
    loss : see :func:`piriform.networks.losses.batch_loss`
    alpha : output scale
    learning_rate : of adam as it is; of sgd and momentum per unit of the output, see :func:`rate_factor`
    init_scale, rank : of the weights at the start, see :func:`piriform.networks.architectures.init`
    threshold : margin at which the hinge loss ends
    weight_decay, epsilon, beta2 : see :func:`piriform.networks.optimizers.optimizer`
    perp_grad : whether to train with perpGrad
    max_norm : largest norm of all parameters, in units of the norm at the start
    margin_low, margin_high, margin_strength : range in which margins are held, and how strongly;
        of the output's margin, or of the normalised one, see ``Training.margin``
    """

    name: str
    loss: str = "cross_entropy"
    alpha: float = 1.0
    learning_rate: float = 0.1
    init_scale: float = 1.0
    rank: int = 0
    threshold: float = 1.0
    weight_decay: float = 0.0
    epsilon: float = 1e-8
    perp_grad: bool = False
    max_norm: float = np.inf
    margin_low: float = -np.inf
    margin_high: float = np.inf
    margin_strength: float = 0.0
    beta2: float = 0.999

    def __post_init__(self) -> None:
        known("loss", self.loss, LOSSES)
        for name in ("alpha", "learning_rate", "init_scale", "max_norm", "epsilon"):
            value = getattr(self, name)
            if not value > 0 or (np.isinf(value) and name != "max_norm"):
                raise ConfigError(f"condition {self.name!r}: {name} is {value}; it must be positive and finite")
        for name in ("threshold", "weight_decay", "margin_strength", "rank"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ConfigError(f"condition {self.name!r}: {name} is {value}; it must be 0 or more and finite")
        if not 0 <= self.beta2 < 1:
            raise ConfigError(f"condition {self.name!r}: beta2 is {self.beta2}; it must lie in [0, 1)")
        if not self.margin_low <= self.margin_high:
            raise ConfigError(
                f"condition {self.name!r}: margin_low {self.margin_low:g} lies above margin_high {self.margin_high:g}"
            )


@dataclass(frozen=True)
class Training:
    """How long and by what all conditions are trained.

    Attributes
    ----------
    n_steps : last step
    n_checkpoints : checkpoints after the start, evenly spaced in log(step) from 1 to ``n_steps``; those
        that fall on one step are one
    batch : trials per step, drawn with replacement; 0: all training trials
    balanced : as many trials of each class in a batch
    optimizer : ``sgd``, ``momentum``, ``adam``
    margin : ``output`` or ``normalised`` (by the product of the weights' norms, relative to the start):
        which margin ``margin_low`` and ``margin_high`` of a condition refer to
    dtype : ``float32``, ``float64``
    learns : names of the parameters that are trained, e.g. ``("readout",)``; empty: all
    at_once : networks trained side by side; 0: what is fastest, one or a few on a CPU, all on an accelerator
    """

    n_steps: int = 5000
    n_checkpoints: int = 16
    batch: int = 64
    balanced: bool = True
    optimizer: str = "sgd"
    margin: str = "output"
    dtype: str = "float32"
    learns: tuple[str, ...] = ()
    at_once: int = 0

    def __post_init__(self) -> None:
        known("optimizer", self.optimizer, OPTIMIZERS)
        known("margin", self.margin, ("output", "normalised"))
        known("dtype", self.dtype, DTYPES)
        if self.n_steps < 1 or self.n_checkpoints < 2 or self.batch < 0:
            raise ConfigError(
                f"training of {self.n_steps} steps with {self.n_checkpoints} checkpoints and batches of {self.batch}: "
                "at least 1 step, 2 checkpoints and a batch of 0 (all) or more are needed"
            )
        unknown = [name for name in self.learns if not re.fullmatch(r"[wb][1-9]\d*|recurrent|readout", name)]
        if unknown or self.at_once < 0:
            raise ConfigError(
                f"training: learns {self.learns} and at_once {self.at_once}; parameters are named w1, b1, w2, ..., recurrent "
                "and readout, and at_once is 0 (as many as are fastest) or more"
            )

    @property
    def steps(self) -> np.ndarray:
        """The steps of the checkpoints, the first 0.

        Examples
        --------
        >>> Training(n_steps=100, n_checkpoints=5).steps.tolist()
        [0, 1, 3, 10, 32, 100]
        """
        return np.unique([0, *np.rint(np.geomspace(1, self.n_steps, self.n_checkpoints)).astype(int)])


@dataclass(frozen=True)
class Member:
    """One network of an ensemble: its place, condition and seed, and the place of the seed."""

    index: int
    condition: Condition
    seed: int
    seed_index: int

    @property
    def name(self) -> str:
        """Name of the network, which is a subject in tables."""
        return f"{self.condition.name}-{self.seed}"


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Trained networks, conditions outermost.

    Attributes
    ----------
    steps : (n_checkpoints,) int array
    parameters : dict of (n_members, n_checkpoints, ...) arrays
        NaN from the first checkpoint on at which a network's loss was not finite.
    diverged_at : (n_members,) int array
        Step at which the loss or a parameter was no longer finite; -1: it always was.
    remarks : what a reader of the results must know
    """

    network: Network
    training: Training
    conditions: tuple[Condition, ...]
    seeds: tuple[int, ...]
    steps: np.ndarray
    parameters: dict[str, np.ndarray]
    diverged_at: np.ndarray
    remarks: tuple[str, ...] = field(default=())

    @property
    def members(self) -> list[Member]:
        """The networks in order."""
        return members(self.conditions, self.seeds)

    def at(self, index: int, checkpoint: int) -> dict[str, np.ndarray]:
        """Return the parameters of one network at one checkpoint."""
        return {name: values[index, checkpoint] for name, values in self.parameters.items()}

    def outputs(self, examples: Sequence[Examples]) -> np.ndarray:
        """Return (n_members, n_checkpoints, n_trials, n_outputs) outputs; ``examples`` has one entry per seed."""
        inputs = np.stack([examples[member.seed_index].inputs for member in self.members])
        alpha = np.array([member.condition.alpha for member in self.members])
        with precision(self.training.dtype):
            cast = self.training.dtype
            return np.asarray(_outputs(self.network)(self.parameters, inputs.astype(cast), alpha.astype(cast)))

    def outputs_of(self, index: int, inputs: np.ndarray) -> np.ndarray:
        """Return (n_checkpoints, n_trials, n_outputs) outputs of one network."""
        parameters = {name: values[index : index + 1] for name, values in self.parameters.items()}
        with precision(self.training.dtype):
            alpha = np.array([self.members[index].condition.alpha], self.training.dtype)
            return np.asarray(_outputs(self.network)(parameters, inputs[None].astype(self.training.dtype), alpha))[0]

    def activity(self, index: int, inputs: np.ndarray, layer: str = "") -> np.ndarray:
        """Return (n_checkpoints, n_trials, n_units, ...) activity of one network in a layer; by default the last."""
        layer = layer or f"hidden{len(self.network.hidden)}"
        known("layer", layer, [f"hidden{number + 1}" for number in range(len(self.network.hidden))])
        with precision(self.training.dtype):
            parameters = {name: values[index] for name, values in self.parameters.items()}
            return np.asarray(_activity(self.network, layer)(parameters, inputs.astype(self.training.dtype)))

    def margins(self, examples: Sequence[Examples]) -> np.ndarray:
        """Return (n_members, n_checkpoints, n_trials) margins, positive where the answer is right; NaN after divergence."""
        outputs = self.outputs(examples)
        labels = [examples[member.seed_index].labels for member in self.members]
        with precision(self.training.dtype):
            return np.array([[margins(o, y) for o in of] for of, y in zip(outputs, labels, strict=True)])

    def accuracy(self, examples: Sequence[Examples]) -> np.ndarray:
        """Return (n_members, n_checkpoints) fractions of right answers, classes of equal weight; NaN after divergence."""
        found = answers(self.outputs(examples))
        labels = np.stack([examples[member.seed_index].labels for member in self.members])
        right = np.where(np.isfinite(found), found == labels[:, None], np.nan)
        weights = np.stack([_class_weights(examples[member.seed_index].labels) for member in self.members])
        return np.einsum("mct,mt->mc", right, weights)

    def losses(self, examples: Sequence[Examples]) -> np.ndarray:
        """Return (n_members, n_checkpoints) mean losses, each of its condition's kind; NaN after divergence."""
        found, outputs = np.empty((len(self.members), len(self.steps))), self.outputs(examples)
        with precision(self.training.dtype):
            for member in self.members:
                how, labels = member.condition, examples[member.seed_index].labels
                for at, output in enumerate(outputs[member.index]):
                    found[member.index, at] = batch_loss(how.loss, output, labels, threshold=how.threshold)
        return found


def members(conditions: Sequence[Condition], seeds: Sequence[int]) -> list[Member]:
    """Return the networks of an ensemble: for each condition every seed."""
    pairs = [(condition, seed, at) for condition in conditions for at, seed in enumerate(seeds)]
    return [Member(index, *pair) for index, pair in enumerate(pairs)]


def answers(outputs: np.ndarray) -> np.ndarray:
    """Return the classes that (..., n_outputs) outputs name; NaN where they are not finite.

    Of one output 1 (the target) where it is above 0.

    Examples
    --------
    >>> answers(np.array([[0.5], [-2.0], [np.nan]])), answers(np.array([[1.0, 3.0, 2.0]]))
    (array([ 1.,  0., nan]), array([1.]))
    """
    named = outputs[..., 0] > 0 if outputs.shape[-1] == 1 else outputs.argmax(axis=-1)
    return np.where(np.isfinite(outputs).all(axis=-1), named, np.nan)


def rate_factor(network: Network, optimizer: str, alpha: float) -> float:
    """Return the factor on the learning rate of sgd under which outputs move alike for any width and alpha.

    n / alpha^2 for the readouts ``mean`` and ``committee`` over n units, 1 / alpha^2 for ``sqrt``, 1 for ``standard`` and for adam.
    """
    if optimizer == "adam" or network.readout == "standard":
        return 1.0
    return (network.hidden[-1] if network.readout in ("mean", "committee") else 1.0) / alpha**2


def _class_weights(labels: np.ndarray) -> np.ndarray:
    """(n_trials,) weights that add up to 1, classes of equal weight."""
    number, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    return 1 / (counts[number] * len(counts))


@cache
def _outputs(network: Network) -> Any:
    def of_member(member: Any) -> Any:
        parameters, inputs, alpha = member
        return lax.map(lambda at: apply(network, at, inputs, alpha=alpha), parameters)

    return jax.jit(lambda parameters, inputs, alpha: lax.map(of_member, (parameters, inputs, alpha)))


@cache
def _activity(network: Network, layer: str) -> Any:
    return jax.jit(lambda parameters, inputs: lax.map(lambda at: features(network, at, inputs)[layer], parameters))
