"""What is compiled? The start of all networks of an ensemble, and their training from one step to another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from piriform.networks.architectures import Network, apply, init, weight_names
from piriform.networks.backend import jax, jnp, lax, optax
from piriform.networks.ensemble import Condition, Training, members, rate_factor
from piriform.networks.losses import batch_loss, held_margin
from piriform.networks.optimizers import bounded, global_norm, optimizer

State = dict[str, Any]
#: Steps whose trials are drawn at once, and that one network takes before the next has its turn.
CHUNK = 64
#: On a CPU: networks with as few hidden weights as this learn side by side, this many; the numbers are the same.
SMALL, SIDE_BY_SIDE = 2048, 4
#: Numbers in which the networks of one program may differ.
HYPER = (
    "alpha",
    "learning_rate",
    "init_scale",
    "threshold",
    "weight_decay",
    "epsilon",
    "max_norm",
    "margin_low",
    "margin_high",
    "margin_strength",
    "beta2",
)


def hyper_arrays(
    network: Network, conditions: tuple[Condition, ...], seeds: tuple[int, ...], training: Training
) -> dict[str, np.ndarray]:
    """Return (n_members,) arrays of everything in which conditions may differ."""
    each = [member.condition for member in members(conditions, seeds)]
    hyper = {name: np.array([getattr(one, name) for one in each], dtype=training.dtype) for name in HYPER}
    factor = [rate_factor(network, training.optimizer, one.alpha) for one in each]
    losses = compiled_in(conditions)[0]
    return hyper | {
        "learning_rate": np.array(
            [one.learning_rate * by for one, by in zip(each, factor, strict=True)], training.dtype
        ),
        "rank": np.array([one.rank for one in each], dtype=np.int32),
        "perp_grad": np.array([one.perp_grad for one in each]),
        "loss": np.array([losses.index(one.loss) for one in each], dtype=np.int32),
    }


def compiled_in(conditions: Sequence[Condition]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Return what of the conditions is compiled in: the losses, and which options any of them uses."""
    losses = tuple(sorted({condition.loss for condition in conditions}))
    used = (
        any(condition.perp_grad for condition in conditions),
        any(condition.weight_decay for condition in conditions),
        any(np.isfinite(condition.max_norm) for condition in conditions),
        any(condition.margin_strength for condition in conditions),
    )
    return losses, used


def program(network: Network, training: Training, conditions: Sequence[Condition]) -> Any:
    """Return the functions that begin and that advance all networks; how long they train is not compiled in."""
    losses, used = compiled_in(conditions)
    return _compiled(_Recipe(network, replace(training, n_steps=1, n_checkpoints=2), losses, *used))


@dataclass(frozen=True)
class _Recipe:
    """Everything that decides what is compiled, and the training of one network."""

    network: Network
    training: Training
    losses: tuple[str, ...]
    perp_grad: bool
    decay: bool
    bound: bool
    hold: bool

    def begun(self, key: Any, hyper: Any) -> State:
        """The state of a network at the start."""
        key = jax.random.fold_in(key, 0)
        parameters = init(self.network, key, init_scale=hyper["init_scale"], rank=hyper["rank"])
        return {
            "parameters": parameters,
            "optimizer": self.optimizer(hyper).init(parameters),
            "diverged_at": jnp.int32(-1),
            "first_norm": global_norm(parameters),
            "first_scale": _weight_scale(parameters),
        }

    def advanced(self, state: State, hyper: Any, data: Any, rows: Any, start: Any, stop: Any) -> State:
        """The state at step ``stop``, or at the step at which the loss was not finite.

        ``rows`` (n_steps, batch) are the trials of the steps from ``start`` on; none: all trials in every step.
        """

        def going(carry: tuple[Any, State]) -> Any:
            return (carry[0] < stop) & (carry[1]["diverged_at"] < 0)

        def body(carry: tuple[Any, State]) -> tuple[Any, State]:
            step, state = carry
            chosen = slice(None) if rows is None else rows[step - start]
            return step + 1, self.stepped(state, hyper, data["inputs"][chosen], data["labels"][chosen], step)

        return lax.while_loop(going, body, (start, state))[1]

    def stepped(self, state: State, hyper: Any, inputs: Any, labels: Any, step: Any) -> State:
        """The state after one step on a batch."""
        parameters = state["parameters"]
        loss, gradient = jax.value_and_grad(self.objective)(parameters, inputs, labels, hyper, state["first_scale"])
        updates, memory = self.optimizer(hyper).update(gradient, state["optimizer"], parameters)
        if self.training.learns:
            learns = self.training.learns
            updates = {name: one if name in learns else jnp.zeros_like(one) for name, one in updates.items()}
        parameters = optax.apply_updates(parameters, updates)
        if self.bound:
            parameters = bounded(parameters, hyper["max_norm"] * state["first_norm"])
        diverged = jnp.where(jnp.isfinite(loss), jnp.int32(-1), step)
        return state | {"parameters": parameters, "optimizer": memory, "diverged_at": diverged}

    def objective(self, parameters: Any, inputs: Any, labels: Any, hyper: Any, first_scale: Any) -> Any:
        """What is minimised: the condition's loss, and the penalty that holds its margin."""
        outputs = apply(self.network, parameters, inputs, alpha=hyper["alpha"])
        branches = [lambda out, y, at, name=name: batch_loss(name, out, y, threshold=at) for name in self.losses]
        given = (outputs, labels, hyper["threshold"])
        loss = branches[0](*given) if len(branches) == 1 else lax.switch(hyper["loss"], branches, *given)
        if not self.hold:
            return loss
        scale = _weight_scale(parameters) / first_scale if self.training.margin == "normalised" else 1.0
        return loss + held_margin(outputs, labels, scale, hyper)

    def optimizer(self, hyper: Any) -> Any:
        """optax's transformation from gradients to steps."""
        perp_grad = hyper["perp_grad"] if self.perp_grad else False
        return optimizer(self.training.optimizer, hyper, perp_grad=perp_grad, decay=self.decay)


@cache
def _compiled(recipe: _Recipe) -> Any:
    """The functions over all networks."""

    def begin(keys: Any, hyper: Any) -> State:
        return lax.map(lambda member: recipe.begun(*member), (keys, hyper))

    def advance(state: State, hyper: Any, places: Any, keys: Any, data: Any, start: Any, stop: Any) -> State:
        """All networks from one step to another, ``CHUNK`` steps of one after those of the other.

        The trials of a chunk are drawn for each seed, not for each network: drawing them takes longer
        than anything but the matrix products.
        """
        drawn = jax.vmap(partial(_drawn_rows, recipe.training), (0, 0, None))
        keys = jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys)

        def chunk(carry: tuple[Any, State]) -> tuple[Any, State]:
            first, state = carry
            end = jnp.minimum(first + CHUNK, stop)
            rows = drawn(data, keys, first) if recipe.training.batch else None

            def advanced(member: Any) -> State:
                of_member, own, place = member
                trials, chosen = jax.tree.map(lambda values: values[place], (data, rows))
                return recipe.advanced(of_member, own, trials, chosen, first, end)

            return end, lax.map(advanced, (state, hyper, places), batch_size=_at_once(recipe, len(places)))

        state = lax.while_loop(lambda carry: carry[0] < stop, chunk, (start, state))[1]
        broken = (state["diverged_at"] < 0) & ~jnp.isfinite(jax.vmap(global_norm)(state["parameters"]))
        return state | {"diverged_at": jnp.where(broken, stop, state["diverged_at"])}

    return jax.jit(begin), jax.jit(advance, donate_argnums=0)


def _at_once(recipe: _Recipe, n_members: int) -> int | None:
    """How many networks learn side by side; None: one, and without a dimension for it, which is faster."""
    at_once = recipe.training.at_once or (_at_once_on_cpu(recipe) if jax.default_backend() == "cpu" else n_members)
    return None if min(at_once, n_members) == 1 else min(at_once, n_members)


def _at_once_on_cpu(recipe: _Recipe) -> int:
    """Some where calls take longer than the products; side by side, all losses of an ensemble would be computed."""
    network = recipe.network
    small = network.kind == "mlp" and len(network.hidden) == 1 and network.shape[0] * network.hidden[0] <= SMALL
    return SIDE_BY_SIDE if small and len(recipe.losses) == 1 else 1


def _drawn_rows(training: Training, data: Any, key: Any, first: Any) -> Any:
    """(CHUNK, batch) trials of the steps from ``first`` on; a step's are the same whatever the chunk."""
    keys = jax.vmap(lambda step: jax.random.fold_in(key, step))(first + jnp.arange(CHUNK, dtype=first.dtype))
    if "rows" not in data:
        return jax.vmap(lambda one: jax.random.randint(one, (training.batch,), 0, len(data["labels"])))(keys)
    n_classes, n_rows = data["rows"].shape
    shape = (n_classes, training.batch // n_classes)
    drawn = jax.vmap(lambda one: jax.random.randint(one, shape, 0, n_rows))(keys)
    return jax.vmap(lambda one: jnp.take_along_axis(data["rows"], one, axis=1).ravel())(drawn)


def _weight_scale(parameters: Any) -> Any:
    """Product of the weights' Frobenius norms, with which the outputs of a net without biases grow."""
    scale = jnp.ones(())
    for name in weight_names(parameters):
        scale = scale * jnp.linalg.norm(parameters[name])
    return scale
