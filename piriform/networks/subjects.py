"""Which networks are recorded as if they were animals? Odour networks from rich to lazy, with as many units and trials.

Activity is turned into spikes, and metrics are measured on draws of as many units and trials as the study's sessions
have, so that a network's metrics stand on the scale of a recording.
"""

from collections.abc import Sequence
from dataclasses import replace
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
ODORS = Odors()
TRAINING = Training(n_steps=5000)


def regime_name(alpha: float) -> str:
    """Return the name of the networks with this output scale.

    Examples
    --------
    >>> regime_name(0.1), regime_name(1000.0)
    ('alpha 0.1', 'alpha 1000')
    """
    return f"alpha {alpha:g}"


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
    alphas: Sequence[float],
    n_seeds: int,
    folder: Path,
    *,
    n_trials: int,
    seed: int,
    checkpoints: Path | None = None,
) -> tuple[list[str], pd.DataFrame, config.Response, config.Classes]:
    """Train the networks and write their trial tensors, all hidden units of each, as ``folder/<network>.nc``.

    Parameters
    ----------
    alphas : output scales; small is rich, large lazy
    n_seeds : networks of each
    n_trials : target trials, and as many of nontargets, in every session
    checkpoints : folder from which a killed training goes on

    Returns
    -------
    names of the networks, table ``behavior`` of their answers, and the config under which the tensors are measured
    """
    odors = replace(ODORS, n_test=n_trials)
    tasks = [odor_task(odors, rng=rng_for(seed, "networks", "odors", number)) for number in range(n_seeds)]
    conditions = [Condition(regime_name(alpha), alpha=alpha) for alpha in alphas]
    ensemble = train(Network((odors.k,), (HIDDEN,)), tasks, conditions, training=TRAINING, folder=checkpoints)
    examples = [task.test.of_class("target", "nontarget") for task in tasks]
    behavior = record(ensemble, examples, folder, recording=Recording(tracked=True, noise=SpikeNoise()), seed=seed)
    names = [member.name for member in ensemble.members]
    return names, behavior, response_settings(ensemble), class_settings(examples[0])
