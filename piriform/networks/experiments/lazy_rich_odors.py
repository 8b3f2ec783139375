"""How does learning odours depend on the output scale and on the rank of the weights at the start?

The odour network of ``hidden_progress`` from rich (small alpha) to lazy (large alpha), and at one alpha with hidden
weights of low rank and the same Frobenius norm at the start (Liu et al. 2024, arXiv:2310.08513).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.networks.architectures import Network
from piriform.networks.ensemble import Condition, Ensemble, Training
from piriform.networks.experiments.hidden_progress import NETWORK, ODORS, OVERLAP, TRAINING
from piriform.networks.experiments.odor_courses import odor_courses, odor_tasks
from piriform.networks.experiments.quantities import course, gains, plateau_steps
from piriform.networks.measures import (
    dense_tangent_kernel,
    feature_kernel,
    kernel_change,
    relative_change,
    sign_similarity,
)
from piriform.networks.odors import Odors
from piriform.networks.task import Examples
from piriform.networks.train import train

#: Trials whose kernels are followed.
N_KERNEL = 200
#: alpha at which the rank is varied: between the richest and the laziest networks.
RANK_ALPHA = 10.0


@dataclass(frozen=True)
class OdorSweep:
    """Which odour networks are trained: one per alpha, and at ``RANK_ALPHA`` one per rank."""

    alphas: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 1000.0)
    ranks: tuple[int, ...] = (1, 4, 16)
    odors: Odors = ODORS
    overlap: int = OVERLAP
    network: Network = NETWORK
    training: Training = TRAINING

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions: ``alpha 0.1``, ..., ``rank 1``, ...; full rank is ``alpha 10``."""
        return (
            *(Condition(f"alpha {alpha:g}", alpha=alpha) for alpha in self.alphas),
            *(Condition(f"rank {rank}", alpha=RANK_ALPHA, rank=rank) for rank in self.ranks),
        )


def odor_sweep(
    sweep: OdorSweep, n_seeds: int, seed: int, *, folder: Path | None
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Return the courses and quantities of the sweep, and its remarks.

    Quantities are those of :func:`piriform.networks.experiments.quantities.gains`.
    """
    tasks = odor_tasks(sweep.odors, n_seeds, seed)
    ensemble = train(sweep.network, tasks, sweep.conditions, training=sweep.training, seed=seed, folder=folder)
    measures = odor_courses(ensemble, tasks, overlap=sweep.overlap, seed=seed)
    shown = [task.test.of_class("target", "nontarget") for task in tasks]
    measures = pd.concat([measures, course(ensemble, movement(ensemble, shown))], ignore_index=True)
    return measures, gains(measures, plateau_steps(measures)), ensemble.remarks


def movement(ensemble: Ensemble, examples: Sequence[Examples]) -> dict[str, np.ndarray]:
    """Return how far networks of one hidden layer have moved from their start.

    Parameters
    ----------
    examples : trials on which kernels are compared, one entry per seed; the first 200 are used

    Returns
    -------
    dict of (n_members, n_checkpoints) arrays
        ``weight_change`` (relative) and ``sign_similarity`` of the hidden weights; ``tangent_change`` and
        ``feature_change``, 1 - the cosine of the tangent kernel and of the features' kernel with the first.
        0 (1 for the signs) at the start.
    """
    weights, first = ensemble.parameters["w1"], ensemble.parameters["w1"][:, :1]
    inputs = [examples[member.seed_index].inputs[:N_KERNEL] for member in ensemble.members]
    kernels = [_kernel_changes(ensemble, index, shown) for index, shown in enumerate(inputs)]
    return {
        "weight_change": relative_change(weights, first),
        "sign_similarity": sign_similarity(weights, first),
        **{name: np.stack([one[name] for one in kernels]) for name in kernels[0]},
    }


def _kernel_changes(ensemble: Ensemble, index: int, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """(n_checkpoints,) changes of one network."""
    own = {name: values[index].astype(float) for name, values in ensemble.parameters.items()}
    features = np.asarray(ensemble.activity(index, inputs), dtype=float)
    tangent = relu_tangent_kernel(own["w1"], own["b1"], own["readout"], inputs)
    return {
        "tangent_change": kernel_change(tangent, tangent[:1]),
        "feature_change": kernel_change(feature_kernel(features), feature_kernel(features[:1])),
    }


def relu_tangent_kernel(weights: np.ndarray, bias: np.ndarray, readout: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Return the tangent kernel of f(x) = readout' relu(weights' x + bias); the output's factor is left out.

    Parameters
    ----------
    weights, bias, readout : (..., n_inputs, n_units), (..., n_units) and (..., n_units, 1) arrays
    inputs : (n_samples, n_inputs) array

    Returns
    -------
    (..., n_samples, n_samples) array

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> relu_tangent_kernel(one, np.zeros(1), 2 * one, np.array([[1.0], [3.0], [-1.0]])).tolist()
    [[9.0, 19.0, 0.0], [19.0, 49.0, 0.0], [0.0, 0.0, 0.0]]
    """
    drive = inputs @ weights + bias[..., None, :]
    with_bias = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    to_hidden = np.where(drive > 0, readout.swapaxes(-1, -2), 0.0)[..., None, :]
    to_readout = np.ones((len(inputs), 1, 1))
    return dense_tangent_kernel([with_bias, np.maximum(drive, 0.0)], [to_hidden, to_readout])
