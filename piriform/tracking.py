"""Which session came before a session, which units do both hold, and does the decoder of the one read the other?"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from piriform.errors import MeasureError
from piriform.generalize import across_sessions
from piriform.splits import chosen
from piriform.task import Task


@dataclass(frozen=True)
class Before:
    """The session before a session.

    Attributes
    ----------
    tensor : trial tensor of the session before; None where there is none to compare with
    here, there : (n_shared,) int arrays, positions in this and in that session of the units that both hold
    n_units : units that a matched draw can have, the same for all sessions of the subject
    reason : why nothing can be compared, "" otherwise
    """

    tensor: xr.DataArray | None = None
    here: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    there: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    n_units: int = 0
    reason: str = "no session on an earlier day"


def sessions_before(
    tensors: Sequence[xr.DataArray], *, days_apart: int | None = None, min_units: int = 1
) -> list[Before]:
    """Return, for each session of one subject, the last one on an earlier day, if it holds the same units.

    Parameters
    ----------
    tensors : trial tensors of all sessions of the subject
    days_apart : most days between the two; none: any number
    min_units : units that both must hold

    Returns
    -------
    As many as tensors, in their order; ``n_units`` is the smallest number of units that any session shares with the
    one before.
    """
    found = [_before(tensor, tensors, days_apart, min_units) for tensor in tensors]
    n_units = min((len(before.here) for before in found if not before.reason), default=0)
    return [before if before.reason else replace(before, n_units=n_units) for before in found]


def _before(tensor: xr.DataArray, tensors: Sequence[xr.DataArray], days_apart: int | None, min_units: int) -> Before:
    if not _tracked(tensor):
        return Before(reason="units are not tracked over days: map them with response.tracked_id")
    earlier = [other for other in tensors if other.attrs["day"] < tensor.attrs["day"]]
    if not earlier:
        return Before()
    last = max(earlier, key=lambda other: int(other.attrs["day"]))
    gap = int(tensor.attrs["day"]) - int(last.attrs["day"])
    if days_apart is not None and gap > days_apart:
        return Before(reason=f"the session before is {gap} days earlier, at most {days_apart} are allowed")
    own, other = _tracked(tensor), _tracked(last)
    names = sorted(own.keys() & other.keys())
    if len(names) < min_units:
        return Before(reason=f"{min_units} units tracked from the session before needed, there are {len(names)}")
    here, there = (np.array([where[name] for name in names], dtype=np.intp) for where in (own, other))
    return Before(last, here, there, reason="")


def _tracked(tensor: xr.DataArray) -> dict[str, int]:
    """Position of each unit that has a tracked id."""
    return {unit: place for place, unit in enumerate(tensor["tracked_id"].values.astype(str)) if unit}


def check_before(before: Before, task: Task, earlier: Task | None, n_trials: int) -> Task:
    """Return the task of the session before.

    Raises
    ------
    MeasureError
        If the two sessions cannot be compared.
    """
    if before.reason or earlier is None:
        raise MeasureError(before.reason)
    if not task.binary:
        raise MeasureError("needs the classes target and nontarget")
    if earlier.smallest_class() < n_trials:
        raise MeasureError(
            f"{n_trials} trials of each class needed in the session before, its rarest has {earlier.smallest_class()}"
        )
    return earlier


def accuracy_across(
    task: Task,
    earlier: Task,
    before: Before,
    order: np.ndarray,
    *,
    n_units: int,
    n_trials: int,
    decoder: dict[str, Any],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the balanced accuracy of the earlier session's decoder in a draw of units and trials of this session.

    Parameters
    ----------
    order : (n_labellings, n_trials) permutations of this session's labels, row 0 the identity
    n_units, n_trials : units, and trials per class of either session, to draw; 0 trials takes all
    decoder : see :func:`piriform.generalize.across_sessions`

    Returns
    -------
    (n_labellings,) array in [0, 1]
    """
    units = np.sort(rng.choice(len(before.here), size=min(n_units, len(before.here)), replace=False))
    labels, trained = task.codes.astype(np.int8)[order], earlier.codes[None]
    if n_trials:
        part, train = chosen(labels, n_trials, rng=rng), chosen(trained, n_trials, rng=rng)[0]
    else:
        part, train = np.ones(labels.shape, dtype=bool), np.ones(trained.shape[1], dtype=bool)
    return across_sessions(
        earlier.responses[train][:, before.there[units]],
        trained[0][train],
        task.responses[:, before.here[units]],
        labels,
        part,
        **decoder,
    )
