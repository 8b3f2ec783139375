"""How do whole ensembles of networks learn, in one compiled program?

All seeds and conditions go through one program: a map over networks of a loop over steps. It is
called once per checkpoint, so that training can stop at any of them and go on exactly.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from piriform.errors import ConfigError
from piriform.networks.architectures import Network
from piriform.networks.backend import jax, jnp, precision
from piriform.networks.checkpoints import Arrays, checkpoint_path, save_checkpoint, whole_checkpoints
from piriform.networks.ensemble import Condition, Ensemble, Training, members
from piriform.networks.losses import CLASS_LOSSES
from piriform.networks.program import hyper_arrays, program
from piriform.networks.task import Task


def train(
    network: Network,
    tasks: Sequence[Task],
    conditions: Sequence[Condition],
    *,
    training: Training,
    seeds: Sequence[int] | None = None,
    seed: int = 1,
    folder: str | Path | None = None,
    start: Mapping[str, np.ndarray] | None = None,
) -> Ensemble:
    """Train one network per seed and condition.

    Parameters
    ----------
    tasks : one per seed, all of the same size
    conditions : may differ in any attribute without a new program being compiled
    seeds : numbers of starts and batches, which the conditions share; by default 0, 1, ...
    seed : of the config, within which they are counted
    folder : for checkpoints; training goes on after the last whole one found there
    start : (n_members, ...) parameters at step 0, by name, instead of random ones, e.g. of trained networks; bounds
        of norms and normalised margins still refer to the random start of the same seed

    Returns
    -------
    Ensemble
        The same numbers for the same arguments, however often training was interrupted. A network
        whose loss is no longer finite stops; the others go on.

    Raises
    ------
    ConfigError
        If tasks, conditions and network do not fit together, or the folder holds another training.
    """
    seeds = tuple(range(len(tasks)) if seeds is None else seeds)
    conditions = tuple(conditions)
    data = _data(network, tasks, conditions, seeds, training)
    keys = jnp.stack([jax.random.fold_in(jax.random.key(seed), number) for number in seeds])
    digest = _digest(network, conditions, (seed, *seeds), training, data | _named(start))
    found, damage = _found(folder, digest, training)
    remarks = list(dict.fromkeys(remark for task in tasks for remark in task.remarks))
    if damage:
        remarks.append(f"trained again from step {training.steps[len(found) - 1] if found else 0} on: {damage}")
    with precision(training.dtype):
        found += _trained(network, conditions, seeds, keys, training, data, found, folder, digest, start)
    diverged = np.stack([arrays["diverged_at"] for arrays in found], axis=1)
    remarks += [
        f"{member.name}: the loss was not finite at step {diverged[member.index, -1]}; this network stopped there"
        for member in members(conditions, seeds)
        if diverged[member.index, -1] >= 0
    ]
    names = sorted(name for name in found[0] if name.startswith("parameters."))
    parameters = {name.partition(".")[2]: np.stack([arrays[name] for arrays in found], axis=1) for name in names}
    parameters = {name: _without(values, diverged >= 0) for name, values in parameters.items()}
    return Ensemble(
        network, training, conditions, seeds, training.steps, parameters, diverged[:, -1].copy(), tuple(remarks)
    )


def _without(values: np.ndarray, diverged: np.ndarray) -> np.ndarray:
    """The values with NaN for the networks and checkpoints that are marked."""
    return np.where(diverged.reshape(diverged.shape + (1,) * (values.ndim - 2)), np.nan, values).astype(values.dtype)


# The host's loop ------------------------------------------------------------------------------


def _trained(
    network: Network,
    conditions: tuple[Condition, ...],
    seeds: tuple[int, ...],
    keys: Any,
    training: Training,
    data: Arrays,
    found: list[Arrays],
    folder: str | Path | None,
    digest: str,
    start: Mapping[str, np.ndarray] | None,
) -> list[Arrays]:
    """The checkpoints that were not found."""
    steps = training.steps
    if len(found) == len(steps):
        return []
    begin, advance = program(network, training, conditions)
    ensemble = members(conditions, seeds)
    hyper = hyper_arrays(network, conditions, seeds, training)
    places = np.array([member.seed_index for member in ensemble], dtype=np.int32)
    state = begin(keys[places], hyper)
    if start is not None:
        state["parameters"] = _started(state["parameters"], start)
    if found:
        state = _state_from(found[-1], state)
    made = []
    data = {name: jnp.asarray(values) for name, values in data.items()}
    for number in range(len(found), len(steps)):
        if number:
            state = advance(state, hyper, places, keys, data, np.int32(steps[number - 1]), np.int32(steps[number]))
        made.append(_arrays(state))
        if folder is not None:
            about = {"digest": digest, "step": int(steps[number])}
            save_checkpoint(checkpoint_path(folder, int(steps[number])), made[-1], about)
    return made


def _started(parameters: dict[str, Any], start: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The parameters at the start, in the program's own kinds of numbers."""
    wrong = [name for name, values in parameters.items() if name not in start or start[name].shape != values.shape]
    if wrong or set(start) - set(parameters):
        raise ConfigError(
            f"start: the networks have the parameters {', '.join(f'{k} {v.shape}' for k, v in parameters.items())}; got "
            f"{', '.join(f'{k} {np.shape(v)}' for k, v in start.items())}"
        )
    return {name: jnp.asarray(start[name], dtype=values.dtype) for name, values in parameters.items()}


def _named(start: Mapping[str, np.ndarray] | None) -> Arrays:
    return {f"start.{name}": np.asarray(values) for name, values in sorted((start or {}).items())}


def _found(folder: str | Path | None, digest: str, training: Training) -> tuple[list[Arrays], str]:
    if folder is None:
        return [], ""
    whole, damage = whole_checkpoints(folder, training.steps.tolist())
    for _, about in whole:
        if about.get("digest") != digest:
            raise ConfigError(
                f"{checkpoint_path(folder, about['step'])}: this checkpoint belongs to another training (its "
                "settings, data, or the version of piriform or JAX differ); name another folder, or delete this one"
            )
    return [arrays for arrays, _ in whole], damage


def _arrays(state: dict[str, Any]) -> Arrays:
    """The state as named arrays."""
    named = {f"parameters.{name}": values for name, values in state["parameters"].items()}
    named |= {f"optimizer.{at:03d}": values for at, values in enumerate(jax.tree.leaves(state["optimizer"]))}
    named |= {name: state[name] for name in state if name not in ("parameters", "optimizer")}
    return {name: np.array(values) for name, values in named.items()}


def _state_from(arrays: Arrays, like: dict[str, Any]) -> dict[str, Any]:
    """The state that :func:`_arrays` named, in the structure of ``like``."""
    tree = jax.tree.structure(like["optimizer"])
    state: dict[str, Any] = {name: jnp.asarray(arrays[name]) for name in like if name in arrays}
    state["parameters"] = {name: jnp.asarray(arrays[f"parameters.{name}"]) for name in like["parameters"]}
    leaves = [jnp.asarray(arrays[f"optimizer.{at:03d}"]) for at in range(tree.num_leaves)]
    return state | {"optimizer": jax.tree.unflatten(tree, leaves)}


# What goes in -------------------------------------------------------------------------------


def _data(
    network: Network,
    tasks: Sequence[Task],
    conditions: tuple[Condition, ...],
    seeds: tuple[int, ...],
    training: Training,
) -> Arrays:
    """Training trials, (n_seeds, n_trials, ...) each."""
    _check(network, tasks, conditions, seeds)
    labels = np.stack([task.train.labels for task in tasks])
    is_classes = tasks[0].train.is_classes
    data = {
        "inputs": np.stack([task.train.inputs for task in tasks]).astype(training.dtype),
        "labels": labels.astype(np.int32 if is_classes else training.dtype),
    }
    return data | (
        {"rows": _class_rows(labels, training)} if training.batch and training.balanced and is_classes else {}
    )


def _class_rows(labels: np.ndarray, training: Training) -> np.ndarray:
    """(n_seeds, n_classes, n_per_class) rows of the trials of each class."""
    n_classes = len(np.unique(labels))
    counts = np.array([np.bincount(row, minlength=n_classes) for row in labels])
    if training.batch % n_classes or np.ptp(counts):
        raise ConfigError(
            f"balanced batches of {training.batch} need a multiple of {n_classes} classes and as many training trials of "
            f"each, got {counts.min()} to {counts.max()}; change the batch, or set balanced to false"
        )
    return np.argsort(labels, axis=1, kind="stable").reshape(len(labels), n_classes, -1).astype(np.int32)


def _check(network: Network, tasks: Sequence[Task], conditions: tuple[Condition, ...], seeds: tuple[int, ...]) -> None:
    if not tasks or not conditions or len(tasks) != len(seeds):
        raise ConfigError(
            f"training needs one task per seed and at least one condition, got {len(tasks)} tasks, {len(seeds)} seeds "
            f"and {len(conditions)} conditions"
        )
    names = [member.name for member in members(conditions, seeds)]
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise ConfigError(f"two networks are named {twice[0]!r}; give every condition a name and every seed once")
    shapes = {(task.train.inputs.shape, task.train.labels.shape, task.n_outputs) for task in tasks}
    if len(shapes) > 1:
        raise ConfigError(f"the tasks of one ensemble must be of one size, got {sorted(map(str, shapes))}")
    shape, _, n_outputs = shapes.pop()
    if shape[1:] != network.shape or n_outputs != network.n_outputs:
        raise ConfigError(
            f"the network takes inputs of shape {network.shape} and gives {network.n_outputs} output(s), the task has "
            f"{shape[1:]} and {n_outputs}"
        )
    wrong = [one for one in conditions if one.loss in CLASS_LOSSES and not tasks[0].train.is_classes]
    if wrong:
        raise ConfigError(f"condition {wrong[0].name!r}: the loss {wrong[0].loss} needs classes, the task has values")


def _digest(
    network: Network, conditions: tuple[Condition, ...], seeds: tuple[int, ...], training: Training, data: Arrays
) -> str:
    """SHA-256 of all that decides the numbers, the programs' versions included."""
    settings = {key: value for key, value in asdict(training).items() if key != "at_once"}
    programs = [version("piriform"), version("jax")]
    about = [asdict(network), [asdict(condition) for condition in conditions], list(seeds), settings, programs]
    total = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for values in data.values():
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()
