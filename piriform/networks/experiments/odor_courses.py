"""What is measured of networks that learn odours, at every checkpoint, on trials they were not trained on?

Behaviour is the network's own answer. The representation is the last hidden layer: how far targets stand from the
nontargets that were trained, and from probes that were not.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from piriform.networks.ensemble import Ensemble
from piriform.networks.experiments.quantities import course
from piriform.networks.measures import (
    COSTLY,
    CheckpointOptions,
    checkpoint_measures,
    fisher_log2,
    probe_accuracy,
    rms_margin,
)
from piriform.networks.odors import Odors, odor_task
from piriform.networks.task import Examples, Task
from piriform.provenance import rng_for

#: Units and noise of the decoder that sees no more of a network than an electrode of a brain: the noise has the
#: SD over trials and units of the activity it is added to.
N_RECORDED = 30
#: The margin to probes is fitted; that to nontargets would cost as much again.
CHEAP = CheckpointOptions(without=COSTLY)


def odor_tasks(odors: Odors, n_seeds: int, seed: int) -> list[Task]:
    """Return one task per network seed; the same seed of the config gives the same tasks in every experiment."""
    return [odor_task(odors, rng=rng_for(seed, "networks", "odors", number)) for number in range(n_seeds)]


def odor_courses(ensemble: Ensemble, tasks: Sequence[Task], *, overlap: int, seed: int) -> pd.DataFrame:
    """Return the measures of odour networks at every checkpoint.

    Parameters
    ----------
    tasks : one per seed
    overlap : odorants that the probes share with the target from which the representation is told
    seed : of the config

    Returns
    -------
    DataFrame as :func:`piriform.networks.experiments.quantities.course` returns, with

    - ``train_accuracy``; ``test_accuracy`` (targets and trained nontargets with new noise); ``probe_accuracy_<overlap>``,
      share of right answers to the probes of one overlap; ``probe_accuracy``, ``probe_loss`` of all probes
    - ``output_margin``: mean output towards the right answer, test trials
    - ``norm``: norm of all parameters, relative to the start
    - ``margin_probe``: margin of the features of unit size, targets against probes of ``overlap``, held out
    - ``fisher_probe``, ``decoding_probe``: log2 Fisher ratio and accuracy, held out, targets against these probes, from
      30 units with noise. Without noise and with all units the Fisher ratio is that of the odours themselves from the
      plateau on: a decoder may undo any map that can be undone.
    - ``richness`` (D_LR), ``nc1``, ``participation_ratio``, ``selectivity``, ``cka_start`` of the test trials
    """
    test = [task.test.of_class("target", "nontarget") for task in tasks]
    probes = [task.test.of_class("probe") for task in tasks]
    values = {
        "train_accuracy": ensemble.accuracy([task.train for task in tasks]),
        "test_accuracy": ensemble.accuracy(test),
        "probe_accuracy": ensemble.accuracy(probes),
        "probe_loss": ensemble.losses(probes),
        "output_margin": ensemble.margins(test).mean(axis=2),
        "norm": _norm(ensemble),
    }
    for shared in sorted({text for shown in probes for text in shown.table["stratum"]}, key=int):
        values[f"probe_accuracy_{shared}"] = ensemble.accuracy([_of_overlap(shown, shared) for shown in probes])
    return course(ensemble, values | _features(ensemble, tasks, str(overlap), seed))


def _norm(ensemble: Ensemble) -> np.ndarray:
    """(n_members, n_checkpoints) norm of all parameters, relative to the start."""
    squares = sum(
        np.square(values, dtype=float).sum(axis=tuple(range(2, values.ndim))) for values in ensemble.parameters.values()
    )
    return np.sqrt(squares / squares[:, :1])


def _of_overlap(shown: Examples, overlap: str) -> Examples:
    return shown.chosen(np.flatnonzero(shown.table["stratum"] == overlap))


def _features(ensemble: Ensemble, tasks: Sequence[Task], overlap: str, seed: int) -> dict[str, np.ndarray]:
    """(n_members, n_checkpoints) measures of the last hidden layer."""
    found = [_features_of(ensemble, one.index, tasks[one.seed_index], overlap, seed) for one in ensemble.members]
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def _features_of(ensemble: Ensemble, index: int, task: Task, overlap: str, seed: int) -> dict[str, np.ndarray]:
    """(n_checkpoints,) measures of one network."""
    member = ensemble.members[index]
    activity = np.asarray(ensemble.activity(index, task.test.inputs), dtype=float)
    group = task.test.table["class"].to_numpy()
    trained = group != "probe"
    probed = (group == "target") | ((group == "probe") & (task.test.table["stratum"].to_numpy() == overlap))
    outputs = ensemble.outputs_of(index, task.test.inputs)[:, trained]
    of_test = checkpoint_measures(
        activity[:, trained], outputs, group[trained], start=activity[0, trained], options=CHEAP
    )
    noisy = _noisy(activity[:, probed], rng_for(seed, "networks", "noise", member.seed))
    layers = {str(at): one for at, one in enumerate(noisy)}
    read_out = probe_accuracy(layers, group[probed])
    return {
        "fisher_probe": fisher_log2(noisy, group[probed]),
        "margin_probe": rms_margin(activity[:, probed], group[probed]),
        "decoding_probe": np.array([read_out[name] for name in layers]),
        **{name: of_test[name] for name in ("richness", "nc1", "participation_ratio", "selectivity", "cka_start")},
    }


def _noisy(activity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Activity of some units with noise, the same units and noise at every checkpoint."""
    units = rng.permutation(activity.shape[2])[:N_RECORDED]
    noise = rng.standard_normal((activity.shape[1], len(units)))
    seen = activity[:, :, units]
    return seen + seen.std(axis=(1, 2), keepdims=True) * noise
