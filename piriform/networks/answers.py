"""What do networks answer, and when is their behaviour on its plateau? The table ``behavior`` of networks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from piriform import config
from piriform.behavior import behavior_table
from piriform.errors import known
from piriform.networks.ensemble import Ensemble, answers
from piriform.networks.task import Examples

TWO_CLASSES = ("target", "nontarget", "probe")


def network_behavior(
    ensemble: Ensemble, examples: Sequence[Examples], *, plateau: Mapping[str, float] | None = None, day: str = "step"
) -> pd.DataFrame:
    """Return the table ``behavior``: the networks' own answers to all trials, by checkpoint and class.

    ``plateau_day`` is the plateau's step, or the number of its checkpoint, as ``day`` is, see :func:`session_of`.
    """
    found = plateaus(ensemble, examples) if plateau is None else plateau
    sessions = []
    for member in ensemble.members:
        shown = examples[member.seed_index]
        given = answers_of(ensemble, member.index, shown)
        for at, named in enumerate(given):
            if np.isfinite(named).all():
                table = shown.table.assign(correct=correct(named, shown), latency=np.nan)
                sessions.append((session_of(ensemble, member.index, at, found[member.name], day=day), table))
    behavior = behavior_table(sessions, plateau=config.Plateau())
    days = {name: _day(ensemble, step, day) for name, step in found.items()}
    return behavior.assign(plateau_day=behavior["subject"].map(days).astype(float))


def plateaus(ensemble: Ensemble, examples: Sequence[Examples], *, level: float = 0.99) -> dict[str, float]:
    """Return the first step on the plateau of every network, by name; see :func:`plateau_step`.

    Accuracy is that of target and nontarget trials together, classes of equal weight (of all
    trials where a task has other classes).
    """
    trained = [shown.of_class("target", "nontarget") if is_binary(shown) else shown for shown in examples]
    accuracy = ensemble.accuracy(trained)
    return {
        member.name: plateau_step(ensemble.steps, accuracy[member.index], level=level) for member in ensemble.members
    }


def plateau_step(steps: np.ndarray, accuracy: np.ndarray, *, level: float = 0.99) -> float:
    """Return the first step from which on accuracy stays at ``level`` or above; NaN if there is none.

    Checkpoints without an accuracy (NaN) are left out.

    Examples
    --------
    >>> plateau_step(np.array([0, 1, 10, 100]), np.array([0.5, 1.0, 0.9, 1.0]))
    100.0
    """
    steps, accuracy = steps[np.isfinite(accuracy)], accuracy[np.isfinite(accuracy)]
    below = np.flatnonzero(accuracy < level)
    first = below[-1] + 1 if len(below) else 0
    return float(steps[first]) if first < len(steps) else np.nan


def answers_of(ensemble: Ensemble, index: int, examples: Examples) -> np.ndarray:
    """Return the (n_checkpoints, n_trials) classes that a network answers, NaN after divergence; 0 if there are no classes."""
    outputs = ensemble.outputs_of(index, examples.inputs)
    if not examples.is_classes:
        return np.zeros(outputs.shape[:2])
    return answers(outputs)


def correct(given: np.ndarray, examples: Examples) -> np.ndarray:
    """Return 1 where an answer is right and 0 where not; NaN if there are no classes."""
    return (given == examples.labels).astype(float) if examples.is_classes else np.full(len(given), np.nan)


def choices(given: np.ndarray, examples: Examples) -> np.ndarray:
    """Return the class that each answer names; "" if there are no classes."""
    if not examples.is_classes:
        return np.full(len(given), "", dtype=object)
    trained = examples.table["class"] != "probe"
    names = dict(zip(examples.labels[trained], examples.table["class"][trained], strict=True))
    return np.array([names.get(int(answer), str(int(answer))) for answer in given], dtype=object)


def is_binary(examples: Examples) -> bool:
    """Return whether the classes are target, nontarget and probe."""
    return bool(examples.table["class"].isin(TWO_CLASSES).all())


def session_of(ensemble: Ensemble, index: int, at: int, plateau: float, *, day: str = "step") -> dict[str, str | int]:
    """Return subject, session, day and phase of a network at a checkpoint.

    ``day`` is the checkpoint's ``step``, or its ``index``, 1 for the first. Checkpoints are evenly
    spaced in log(step), so that by index a trend over days is one over log time, and sessions lie
    as close together as the statistics of recordings expect.
    """
    known("day", day, ("step", "index"))
    step = int(ensemble.steps[at])
    return {
        "subject": ensemble.members[index].name,
        "session": f"step-{step:08d}",
        "day": int(_day(ensemble, step, day)),
        "phase": "overtraining" if step >= plateau else "training",
    }


def _day(ensemble: Ensemble, step: float, day: str) -> float:
    return step if day == "step" or np.isnan(step) else float(np.searchsorted(ensemble.steps, step) + 1)
