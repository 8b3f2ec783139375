"""Which networks are recorded as if they were animals? Odour networks from rich to lazy, with as many units and trials.

Activity is turned into spikes, and metrics are measured on draws of as many units and trials as the study's sessions
have, so that a network's metrics stand on the scale of a recording.
"""

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pandas as pd

from piriform import config
from piriform.errors import StudyError
from piriform.networks.architectures import Network
from piriform.networks.ensemble import Condition, Training
from piriform.networks.odors import Odors, odor_task
from piriform.networks.record import Recording, class_settings, record, response_settings
from piriform.networks.spikes import SpikeNoise
from piriform.networks.train import train
from piriform.provenance import rng_for

HIDDEN = 128
MIN_TRIALS = 10


@dataclass(frozen=True)
class Design:
    """What networks learn, for how long and how fast."""

    odors: Odors
    training: Training
    learning_rate: float


_PLAIN = Odors(n_repeats=0, n_probe_trials=30)
#: By `networks.mixtures`. Of 3 of 13, nontargets share 0, 1 and 2 odorants with the target as often as those of the
#: simulated animals; a third of the mixtures that share 2 is left to the probes. They are hard to tell from the
#: target, so that networks reach their plateau late.
DESIGNS = {
    "3 of 13": Design(
        replace(_PLAIN, n=3, k=13, overlaps=(0.35, 0.45, 0.2), probes=(1, 2), n_nontargets=100, n_probes=10),
        Training(n_steps=20_000),
        0.2,
    ),
    "10 of 100": Design(_PLAIN, Training(n_steps=5000), 0.1),
}


def regimes(chosen: config.Networks) -> list[Condition]:
    """Return how the networks of every regime are trained: each output scale with each loss and rank.

    Examples
    --------
    >>> grid = regimes(config.Networks(alphas=[1, 3], losses=["cross-entropy", "hinge 0.1"], ranks=[0, 1]))
    >>> [condition.name for condition in grid][3:6]
    ['alpha 1, hinge 0.1, rank 1', 'alpha 3', 'alpha 3, rank 1']
    """
    rate = DESIGNS[chosen.mixtures].learning_rate
    return [_regime(*each, rate) for each in product(chosen.alphas, chosen.losses, chosen.ranks)]


def _regime(alpha: float, loss: str, rank: int, learning_rate: float) -> Condition:
    """One regime; its name, which becomes part of file names, says what is not the default."""
    name, threshold = config.loss_of(loss)
    parts = [f"alpha {alpha:g}"]
    parts += [f"hinge {threshold:g}" if name == "hinge" else name] if name != "cross-entropy" else []
    parts += [f"rank {rank}"] if rank else []
    return Condition(
        ", ".join(parts),
        loss=name.replace("-", "_"),
        alpha=alpha,
        learning_rate=learning_rate,
        rank=rank,
        threshold=threshold,
    )


def counts_like(sessions: pd.DataFrame) -> tuple[int, int]:
    """Return with how many units, and trials per class, networks are measured beside a study: its medians.

    Parameters
    ----------
    sessions : table ``sessions`` of the study

    Raises
    ------
    StudyError
        If no session was analysed.
    """
    included = sessions[sessions["included"]]
    if included.empty:
        raise StudyError("sessions.csv: no session was analysed, so that no network can be recorded like one")
    n_units, n_trials = (int(included[name].median()) for name in ("n_units", "n_trials"))
    return min(n_units, HIDDEN), max(MIN_TRIALS, n_trials // 2)


def network_subjects(
    chosen: config.Networks,
    folder: Path,
    *,
    n_trials: int,
    seed: int,
    checkpoints: Path | None = None,
) -> tuple[list[str], pd.DataFrame, config.Response, config.Classes]:
    """Train the networks and write their trial tensors, all hidden units of each, as ``folder/<network>.nc``.

    Every session shows target, nontargets and probes; a trial's ``stratum`` is the number of odorants that its mixture
    shares with the target.

    Parameters
    ----------
    chosen : the config's ``networks``
    n_trials : target trials, and as many of nontargets, in every session
    checkpoints : folder from which a killed training goes on

    Returns
    -------
    names of the networks, table ``behavior`` of their answers, and the config under which the tensors are measured
    """
    design = DESIGNS[chosen.mixtures]
    odors = replace(design.odors, n_test=n_trials)
    numbers = range(chosen.compare_seeds)
    tasks = [odor_task(odors, rng=rng_for(seed, "networks", "odors", number)) for number in numbers]
    network = Network((odors.k,), (HIDDEN,))
    ensemble = train(network, tasks, regimes(chosen), training=design.training, seed=seed, folder=checkpoints)
    examples = [task.test for task in tasks]
    behavior = record(ensemble, examples, folder, recording=Recording(tracked=True, noise=SpikeNoise()), seed=seed)
    names = [member.name for member in ensemble.members]
    return names, behavior, response_settings(ensemble), class_settings(examples[0])
