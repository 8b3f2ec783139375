"""What would an experimenter record from a network? Its activity as trial tensors, its answers as behaviour.

A network is a subject, a checkpoint a session and its day the step, so that the measures and
statistics of recordings run on networks unchanged.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from piriform import config
from piriform.errors import ConfigError, known
from piriform.networks.answers import (
    TWO_CLASSES,
    answers_of,
    choices,
    correct,
    is_binary,
    network_behavior,
    plateaus,
    session_of,
)
from piriform.networks.ensemble import Ensemble
from piriform.networks.spikes import SpikeNoise, spike_rates
from piriform.networks.task import Examples
from piriform.provenance import rng_for
from piriform.trials import make_trials, save_trials

#: s from the onset of the stimulus to its end, and as long before it.
WINDOW = 0.5
#: s between the events of a recorded session.
TRIAL_SPACING = 5.0


@dataclass(frozen=True)
class Recording:
    """What of a network is recorded.

    Attributes
    ----------
    layer : ``hidden1``, ...; empty: the one that is read out
    n_units : units, drawn at random; 0: all
    n_trials : trials by class, drawn at random in each session; a class that is not named: all
    tracked : whether every session records the same units
    noise : spiking noise; none: the activity itself, in the unit "1"
    day : ``step`` of the checkpoint, or its ``index``, see :func:`piriform.networks.answers.session_of`
    """

    layer: str = ""
    n_units: int = 0
    n_trials: Mapping[str, int] = field(default_factory=dict)
    tracked: bool = True
    noise: SpikeNoise | None = None
    day: str = "step"


def record(
    ensemble: Ensemble,
    examples: Sequence[Examples],
    folder: str | Path,
    *,
    recording: Recording,
    plateau: Mapping[str, float] | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Write ``<network>.nc`` for every network and return their behaviour.

    Parameters
    ----------
    examples : the trials that are shown, one entry per seed
    plateau : first step on the plateau by network's name, from which on sessions are overtraining (NaN:
        none); by default :func:`plateaus`
    """
    found = plateaus(ensemble, examples) if plateau is None else plateau
    for member in ensemble.members:
        tensors = recorded(
            ensemble,
            member.index,
            examples[member.seed_index],
            recording=recording,
            plateau=found[member.name],
            seed=seed,
        )
        save_trials(tensors, Path(folder) / f"{member.name}.nc")
    return network_behavior(ensemble, examples, plateau=found, day=recording.day)


def recorded(
    ensemble: Ensemble,
    index: int,
    examples: Examples,
    *,
    recording: Recording,
    plateau: float,
    seed: int = 1,
    checkpoints: Sequence[int] | None = None,
) -> list[xr.DataArray]:
    """Return the trial tensors of one network, one per checkpoint.

    The tensor spans as long before the stimulus, with an input of zeros, as after it; its bins are
    the network's times. Checkpoints at which the network had diverged have none.

    Parameters
    ----------
    index : place of the network in the ensemble
    checkpoints : places of the checkpoints; by default all

    Raises
    ------
    ConfigError
        If more units or trials are asked for than there are.
    """
    every = np.arange(len(ensemble.steps)) if checkpoints is None else np.asarray(checkpoints)
    layer = recording.layer or f"hidden{len(ensemble.network.hidden)}"
    activity = _timed(ensemble.activity(index, examples.inputs, layer))
    blank = _timed(ensemble.activity(index, np.zeros_like(examples.inputs[:1]), layer))
    answers = answers_of(ensemble, index, examples)
    return [
        _tensor(ensemble, index, int(at), examples, activity[at], blank[at], answers[at], recording, plateau, seed)
        for at in every
        if np.isfinite(activity[at]).all()
    ]


def response_settings(ensemble: Ensemble) -> config.Response:
    """Return the config under which the tensors of these networks are measured."""
    n_times = ensemble.network.shape[0] if ensemble.network.kind == "rnn" else 1
    return config.Response(
        window=(-WINDOW, WINDOW), bin=WINDOW / n_times, response_window=(0.0, WINDOW), baseline_window=(-WINDOW, 0.0)
    )


def class_settings(examples: Examples) -> config.Classes:
    """Return the config of the classes: target, nontarget and probes; or, of other tasks, every class by itself."""
    if not is_binary(examples):
        return config.Classes(by_stimulus=True)
    groups = examples.table.groupby("class")["category"].unique()
    names = {name: sorted(map(str, groups.get(name, ()))) for name in TWO_CLASSES}
    repeated = [name for name in names["nontarget"] if name.startswith("nontarget_repeat")]
    return config.Classes(**names, fixed=[*names["target"], *repeated] if repeated else [])


# One session ----------------------------------------------------------------------------------


def _tensor(
    ensemble: Ensemble,
    index: int,
    at: int,
    examples: Examples,
    activity: np.ndarray,
    blank: np.ndarray,
    answers: np.ndarray,
    recording: Recording,
    plateau: float,
    seed: int,
) -> xr.DataArray:
    who = session_of(ensemble, index, at, plateau, day=recording.day)
    names = (who["subject"], *(() if recording.tracked else (who["session"],)))
    units = _drawn_units(activity.shape[1], recording, rng_for(seed, "units", *names))
    rows = _drawn_trials(examples, recording, rng_for(seed, "trials", who["subject"], who["session"]))
    response = np.concatenate([np.broadcast_to(blank, activity.shape), activity], axis=2)[np.ix_(rows, units)]
    n_times = activity.shape[2]
    if recording.noise is not None:
        rng = rng_for(seed, "spikes", who["subject"], who["session"])
        response = spike_rates(response, recording.noise, bin_width=WINDOW / n_times, n_baseline=n_times, rng=rng)
    shown = examples.chosen(rows)
    event = TRIAL_SPACING * np.arange(len(rows))
    trials = shown.table.assign(
        correct=correct(answers[rows], shown),
        choice=choices(answers[rows], shown),
        start_time=event,
        event_time=event,
    )
    return make_trials(
        response,
        time=(np.arange(-n_times, n_times) + 0.5) * WINDOW / n_times,
        trials=trials,
        unit_id=units,
        tracked_id=units if recording.tracked else None,
        attrs=who
        | {
            "units": "1" if recording.noise is None else "spikes/s",
            "source_file": "network",
            "source_sha256": _sha256(ensemble.at(index, at)),
            "bin_width": WINDOW / n_times,
        },
    )


def _drawn_units(n_units: int, recording: Recording, rng: np.random.Generator) -> np.ndarray:
    wanted = recording.n_units or n_units
    if wanted > n_units:
        raise ConfigError(f"{wanted} units are to be recorded, but the layer has {n_units}")
    return np.sort(rng.choice(n_units, wanted, replace=False))


def _drawn_trials(examples: Examples, recording: Recording, rng: np.random.Generator) -> np.ndarray:
    classes = examples.table["class"].to_numpy()
    for name in recording.n_trials:
        known("class", name, pd.unique(classes))
    chosen = []
    for name in pd.unique(classes):
        rows = np.flatnonzero(classes == name)
        wanted = recording.n_trials.get(name, len(rows))
        if wanted > len(rows):
            raise ConfigError(f"{wanted} {name} trials are to be recorded, but only {len(rows)} are shown")
        chosen.append(rng.choice(rows, wanted, replace=False))
    return np.sort(np.concatenate(chosen))


def _timed(activity: np.ndarray) -> np.ndarray:
    """(n_checkpoints, n_trials, n_units, n_times), of a feed-forward network one time."""
    return activity if activity.ndim == 4 else activity[..., None]


def _sha256(parameters: Mapping[str, np.ndarray]) -> str:
    return hashlib.sha256(
        b"".join(np.ascontiguousarray(parameters[name]).tobytes() for name in sorted(parameters))
    ).hexdigest()
