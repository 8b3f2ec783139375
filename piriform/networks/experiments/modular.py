"""Does cross-entropy on modular addition run out of numbers before it generalizes, and what prevents that?

Prieto et al. 2025 (arXiv:2501.04697): without regularization, descent on a trained network only scales its weights up,
until losses are exactly 0 in float32 (softmax collapse) and learning stops. StableMax, whose loss they compute in
float64, has no such end, perpGrad takes the scaling out of the gradient, weight decay holds it back, and float64 puts
the end off. Their learning rate, beta2 and epsilon of Adam are kept; a modulus of 23 is the smallest that was tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.networks.architectures import Network, apply
from piriform.networks.backend import jax, lax, precision
from piriform.networks.classics import modular_task
from piriform.networks.ensemble import Condition, Ensemble, Member, Training
from piriform.networks.experiments.quantities import KEYS, course, gains, lasting_doublings, plateau_steps
from piriform.networks.losses import batch_loss
from piriform.networks.measures import descent_alignment, softmax_collapse
from piriform.networks.task import Examples, Task
from piriform.networks.train import train
from piriform.provenance import rng_for

#: Test accuracy that counts as generalization.
GENERALIZED = 0.9
PLAIN = Condition("cross-entropy", learning_rate=0.01, beta2=0.99, epsilon=1e-25)


@dataclass(frozen=True)
class Addition:
    """The task, its networks and their conditions."""

    modulus: int = 23
    train_share: float = 0.7
    n_units: int = 128
    n_steps: int = 8000

    @property
    def network(self) -> Network:
        """One hidden layer without biases, drawn as usual for Adam."""
        return Network(
            (2 * self.modulus,), (self.n_units,), self.modulus, readout="standard", bias=False, antisymmetric=False
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions in float32; the first two are also trained in float64."""
        return (
            PLAIN,
            replace(PLAIN, name="StableMax", loss="stablemax"),
            replace(PLAIN, name="perpGrad", perp_grad=True),
            replace(PLAIN, name="weight decay", weight_decay=2.0),
        )

    def training(self, dtype: str) -> Training:
        """Return the training, on all trials at every step."""
        return Training(n_steps=self.n_steps, batch=0, balanced=False, optimizer="adam", dtype=dtype)


def addition_part(
    design: Addition, n_seeds: int, seed: int, *, folder: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return courses, quantities and remarks.

    Quantities are those of :func:`piriform.networks.experiments.quantities.gains`, and of :func:`addition_quantities`.
    """
    tasks = [
        modular_task(
            rng=rng_for(seed, "networks", "addition", number), modulus=design.modulus, train_share=design.train_share
        )
        for number in range(n_seeds)
    ]
    sets = {"float32": design.conditions}
    sets["float64"] = tuple(replace(one, name=f"{one.name} float64") for one in design.conditions[:2])
    parts: list[pd.DataFrame] = []
    remarks: list[str] = []
    for dtype, conditions in sets.items():
        where = None if folder is None else folder / dtype
        ensemble = train(design.network, tasks, conditions, training=design.training(dtype), seed=seed, folder=where)
        parts.append(course(ensemble, addition_measures(ensemble, tasks)))
        remarks += ensemble.remarks
    measures = pd.concat(parts, ignore_index=True)
    quantities = [gains(measures, plateau_steps(measures)), addition_quantities(measures)]
    return measures, pd.concat(quantities, ignore_index=True), tuple(remarks)


def addition_measures(ensemble: Ensemble, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Return (n_members, n_checkpoints) measures.

    ``train_accuracy``, ``test_accuracy``; ``output_margin`` of the training trials; of the training trials
    ``softmax_collapse``, and ``no_loss``, the share whose own loss is exactly 0 in the number format they are trained
    in; ``descent_alignment``, the cosine of -gradient (in float64) and weights.
    """
    trained, tested = [task.train for task in tasks], [task.test for task in tasks]
    outputs = ensemble.outputs(trained)
    return {
        "train_accuracy": ensemble.accuracy(trained),
        "test_accuracy": ensemble.accuracy(tested),
        "output_margin": ensemble.margins(trained).mean(axis=2),
        "softmax_collapse": softmax_collapse(outputs),
        "no_loss": np.stack(
            [no_loss(one.condition, outputs[one.index], trained[one.seed_index]) for one in ensemble.members]
        ),
        "descent_alignment": np.stack(
            [_descent(ensemble, member, trained[member.seed_index]) for member in ensemble.members]
        ),
    }


def addition_quantities(measures: pd.DataFrame) -> pd.DataFrame:
    """Return ``generalized``, ``collapsed`` and ``full:descent_alignment`` of every network.

    ``generalized`` is log2 of the step from which on 90% of the test trials are answered, between checkpoints; NaN where
    they are not.
    ``collapsed`` is log2 of the first checkpoint at which the loss of a training trial is exactly 0; NaN if none is.
    ``full:descent_alignment`` is that of the last checkpoint before.

    Examples
    --------
    >>> rows = {"condition": "a", "seed": 1, "step": [0, 1, 2]}
    >>> one, two, three = ((name, [0.0, 0.5, 1.0]) for name in ("test_accuracy", "no_loss", "descent_alignment"))
    >>> table = pd.concat([pd.DataFrame(rows | {"measure": name, "value": v}) for name, v in (one, two, three)])
    >>> addition_quantities(table)["value"].round(3).tolist()
    [0.8, 0.0, 0.0]
    """
    found = lasting_doublings(measures, measure="test_accuracy", level=GENERALIZED)
    wide = measures.pivot(index=[*KEYS, "step"], columns="measure", values="value").sort_index()
    full = wide["no_loss"].groupby(KEYS).cummax() == 0
    last = wide["descent_alignment"][full].groupby(KEYS).last()
    collapsed = wide[~full].reset_index().groupby(KEYS)["step"].min().reindex(found.index)
    table = pd.DataFrame({"generalized": found, "collapsed": np.log2(collapsed.clip(lower=0.5))})
    table["full:descent_alignment"] = last
    return table.reset_index().melt(KEYS, var_name="quantity", value_name="value")


def no_loss(condition: Condition, outputs: np.ndarray, examples: Examples) -> np.ndarray:
    """Return the share of trials whose loss is exactly 0 in the outputs' number format.

    Parameters
    ----------
    outputs : (n_checkpoints, n_trials, n_outputs) array

    Returns
    -------
    (n_checkpoints,) array in [0, 1]; NaN where an output is not finite
    """
    with precision(str(outputs.dtype)):
        losses = np.asarray(_losses(condition.loss)(outputs, examples.labels))
    known = np.isfinite(losses).all(axis=1)
    return np.where(known, (losses == 0).mean(axis=1), np.nan)


def _descent(ensemble: Ensemble, member: Member, examples: Examples) -> np.ndarray:
    """(n_checkpoints,) cosine of -gradient and weights of one network, both of all parameters."""
    with precision("float64"):
        stages = {name: values[member.index].astype(float) for name, values in ensemble.parameters.items()}
        slopes = _gradients(ensemble.network, member.condition.loss)(
            stages, examples.inputs.astype(float), examples.labels, float(member.condition.alpha)
        )
    names = sorted(stages)
    rows = [
        np.concatenate([np.asarray(of[name]).reshape(len(ensemble.steps), -1) for name in names], axis=1)
        for of in (slopes, stages)
    ]
    return descent_alignment(*rows)


@cache
def _losses(loss: str) -> Any:
    """The compiled (n_checkpoints, n_trials) losses of single trials."""
    of_trial = jax.vmap(lambda output, label: batch_loss(loss, output[None], label[None]))
    return jax.jit(jax.vmap(of_trial, (0, None)))


@cache
def _gradients(network: Network, loss: str) -> Any:
    """The compiled gradients of the mean loss at every checkpoint."""

    def of_stages(stages: Any, inputs: Any, labels: Any, alpha: Any) -> Any:
        def mean_loss(parameters: Any) -> Any:
            return batch_loss(loss, apply(network, parameters, inputs, alpha=alpha), labels)

        return lax.map(jax.grad(mean_loss), stages)

    return jax.jit(of_stages)
