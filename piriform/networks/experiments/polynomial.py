"""Does the test loss of a polynomial fall long after the training loss, as lazy learning turns rich?

Kumar, Bordelon, Gershman, Pehlevan 2024 (arXiv:2310.06110): a committee f = (alpha / n) sum_i phi(w_i . x) with
phi(h) = h + (eps/2) h^2 learns y = (beta . x)^2 / 2 by gradient descent on all trials, without weight decay. Three
numbers of the weights give its test loss in closed form. The output at the start grows with alpha, and taking it back
moves even a committee of large alpha far. Only *centred*, where f minus f at the start is to be the polynomial, does
large alpha make it lazy: it ends at kernel regression with the tangent kernel of its start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.networks.architectures import Network
from piriform.networks.classics import polynomial_task
from piriform.networks.ensemble import Condition, Ensemble, Training
from piriform.networks.experiments.quantities import KEYS, course, gains, lasting_doublings, plateau_steps
from piriform.networks.measures import cka_of_kernels, polynomial_test_loss, relative_change
from piriform.networks.task import Task
from piriform.networks.train import train
from piriform.provenance import rng_for

#: Share of the target's mean square that a network must account for to have fitted training, or test, trials.
FITTED = 0.95
#: Test trials whose tangent kernel is compared with the target.
N_KERNEL = 300
#: alpha of the centred networks.
LAZY = 1000.0
TRAINING = Training(n_steps=20_000, n_checkpoints=32, batch=0, balanced=False)


@dataclass(frozen=True)
class Polynomial:
    """The task and its networks; the paper has 100 inputs, 550 trials and 500 units, and the same learning rate."""

    alphas: tuple[float, ...] = (0.5, 1.0, 4.0, 32.0)
    n_inputs: int = 40
    n_train: int = 220
    n_test: int = 4000
    n_units: int = 200
    epsilon: float = 0.25
    learning_rate: float = 2.0
    training: Training = TRAINING

    @property
    def network(self) -> Network:
        """The committee."""
        return Network(
            (self.n_inputs,),
            (self.n_units,),
            activation="quadratic",
            epsilon=self.epsilon,
            bias=False,
            readout="committee",
            antisymmetric=False,
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that learn the polynomial as it is, ``polynomial 0.5``, ...; the lazy one stands apart."""
        return tuple(
            Condition(f"polynomial {alpha:g}", loss="squared", alpha=alpha, learning_rate=self.learning_rate)
            for alpha in self.alphas
        )


def polynomial_part(
    design: Polynomial, n_seeds: int, seed: int, *, folder: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return courses, quantities and remarks.

    Quantities are those of :func:`piriform.networks.experiments.quantities.gains`, the *plateau* being the step from
    which on 95% of the training target is fitted, and those of :func:`polynomial_quantities`.
    """
    tasks = [
        polynomial_task(
            rng=rng_for(seed, "networks", "polynomial", number),
            n_inputs=design.n_inputs,
            n_train=design.n_train,
            n_test=design.n_test,
        )
        for number in range(n_seeds)
    ]
    learn = partial(train, design.network, training=design.training, seed=seed)
    plain = learn(tasks, design.conditions, folder=_sub(folder, "plain"))
    shifted = [_shifted(plain, number, task) for number, task in enumerate(tasks)]
    centred = (replace(design.conditions[0], name="polynomial lazy", alpha=LAZY),)
    lazy = learn(shifted, centred, folder=_sub(folder, "centred"))
    measures = pd.concat(
        [
            course(plain, learning_measures(plain, tasks, tasks) | theory_measures(plain, tasks)),
            course(lazy, learning_measures(lazy, shifted, tasks)),
        ],
        ignore_index=True,
    )
    quantities = [gains(measures, plateau_steps(measures, measure="train_fit", level=FITTED))]
    quantities += [polynomial_quantities(measures), kernel_gap(plain, tasks), kernel_gap(lazy, shifted)]
    return measures, pd.concat(quantities, ignore_index=True), (*plain.remarks, *lazy.remarks)


def learning_measures(ensemble: Ensemble, tasks: Sequence[Task], targets: Sequence[Task]) -> dict[str, np.ndarray]:
    """Return (n_members, n_checkpoints) measures of committees.

    Parameters
    ----------
    tasks : what they are trained on, one per seed
    targets : the same with the polynomial's own values

    Returns
    -------
    dict of ``train_fit``, ``test_fit`` (1 - mean squared error / mean square of the polynomial), ``target_alignment``
    (of the tangent kernel with the polynomial, both centred over trials) and ``weight_change`` (relative)
    """
    seeds = [member.seed_index for member in ensemble.members]
    fit = {}
    for name in ("train", "test"):
        loss = 2.0 * ensemble.losses([getattr(task, name) for task in tasks])
        power = np.array([(getattr(task, name).labels ** 2).mean() for task in targets])
        fit[f"{name}_fit"] = 1 - loss / power[seeds, None]
    weights = ensemble.parameters["w1"].astype(float)
    return {
        **fit,
        "target_alignment": np.stack([_alignment(ensemble, index, targets[at]) for index, at in enumerate(seeds)]),
        "weight_change": relative_change(weights, weights[:, :1]),
    }


def theory_measures(ensemble: Ensemble, tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Return the (n_members, n_checkpoints) expected test loss of committees, and how far it is from the measured one.

    ``loss_trace``, ``loss_shape``, ``loss_linear`` are its three parts, see
    :func:`piriform.networks.measures.polynomial_test_loss`; ``theory_log2`` is log2 of their sum over the mean squared
    error of the test trials.
    """
    theory = [_theory(ensemble, member.index) for member in ensemble.members]
    parts = {f"loss_{name}": np.stack([one[name] for one in theory]) for name in theory[0]}
    measured = 2.0 * ensemble.losses([task.test for task in tasks])
    return {**parts, "theory_log2": np.log2(sum(parts.values()) / measured)}


def polynomial_quantities(measures: pd.DataFrame) -> pd.DataFrame:
    """Return ``delay`` and ``theory_mean`` of every network.

    ``delay`` is log2 of the step from which on 95% of the test target is fitted, over that of the training target, both
    between checkpoints; NaN where one is not. ``theory_mean`` is the mean of ``theory_log2`` over checkpoints.
    """
    tested, trained = (lasting_doublings(measures, measure=name, level=FITTED) for name in ("test_fit", "train_fit"))
    own = measures[measures["measure"] == "theory_log2"]
    wide = pd.DataFrame({"delay": tested - trained, "theory_mean": own.groupby(KEYS)["value"].mean()})
    return wide.reset_index().melt(KEYS, var_name="quantity", value_name="value")


def kernel_gap(ensemble: Ensemble, tasks: Sequence[Task]) -> pd.DataFrame:
    """Return ``kernel_gap`` of every network: log2 of its last test loss over that of kernel regression.

    Kernel regression with the tangent kernel of the start, from the outputs of the start on, is what gradient descent
    of a network whose kernel stays comes to (Jacot et al. 2018). 0 for such a network, below 0 if it does better.
    """
    test = [task.test for task in tasks]
    final, rows = 2.0 * ensemble.losses(test)[:, -1], []
    for member in ensemble.members:
        task = tasks[member.seed_index]
        own = ensemble.parameters["w1"][member.index, 0].astype(float)
        kernel = [committee_kernel(own, task.train.inputs, to, ensemble.network.epsilon) for to in _inputs(task)]
        start = [ensemble.outputs_of(member.index, inputs)[0].astype(float) for inputs in _inputs(task)]
        found = start[1] + kernel[1].T @ np.linalg.solve(kernel[0], task.train.labels - start[0])
        loss = ((found - task.test.labels) ** 2).mean()
        rows.append((member.condition.name, member.seed, "kernel_gap", np.log2(final[member.index] / loss)))
    return pd.DataFrame(rows, columns=[*KEYS, "quantity", "value"])


def committee_kernel(weights: np.ndarray, inputs: np.ndarray, others: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the tangent kernel between two sets of inputs of sum_i phi(w_i . x) / n; alpha is left out.

    Parameters
    ----------
    weights : (..., n_inputs, n_units) array
    inputs, others : (n_samples, n_inputs) and (n_others, n_inputs) arrays

    Returns
    -------
    (..., n_samples, n_others) array

    Examples
    --------
    >>> committee_kernel(np.array([[2.0]]), np.array([[1.0]]), np.array([[1.0], [3.0]]), 0.5).tolist()
    [[4.0, 24.0]]
    """
    slopes, other_slopes = (1 + epsilon * shown @ weights for shown in (inputs, others))
    alike: np.ndarray = slopes @ other_slopes.swapaxes(-1, -2) / weights.shape[-1] ** 2
    return (inputs @ others.T) * alike


def _sub(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name


def _shifted(ensemble: Ensemble, index: int, task: Task) -> Task:
    """The task whose values are the polynomial's plus the outputs at the start of a network with alpha ``LAZY``.

    Conditions share the weights at the start, and outputs are proportional to alpha.
    """
    parts, factor = {}, LAZY / ensemble.members[index].condition.alpha
    for name in ("train", "test"):
        shown = getattr(task, name)
        start = factor * ensemble.outputs_of(index, shown.inputs)[0].astype(float)
        parts[name] = replace(shown, labels=shown.labels + start)
    return replace(task, **parts)


def _inputs(task: Task) -> tuple[np.ndarray, np.ndarray]:
    return task.train.inputs, task.test.inputs


def _theory(ensemble: Ensemble, index: int) -> dict[str, np.ndarray]:
    """(n_checkpoints,) parts of the expected test loss of one network."""
    weights = ensemble.parameters["w1"][index].swapaxes(-1, -2)
    beta = np.sqrt(weights.shape[-1]) * np.eye(weights.shape[-1])[0]
    alpha = ensemble.members[index].condition.alpha
    found = polynomial_test_loss(weights, beta, alpha=alpha, eps=ensemble.network.epsilon)
    return {"trace": found.trace, "shape": found.shape, "linear": found.linear}


def _alignment(ensemble: Ensemble, index: int, task: Task) -> np.ndarray:
    """(n_checkpoints,) alignment of the tangent kernel with the target, both centred."""
    inputs, values = task.test.inputs[:N_KERNEL], task.test.labels[:N_KERNEL]
    weights = ensemble.parameters["w1"][index].astype(float)
    return cka_of_kernels(committee_kernel(weights, inputs, inputs, ensemble.network.epsilon), values @ values.T)
