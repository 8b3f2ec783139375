"""What do the decoders of one session see: which responses, which labels, which units and trials of a draw?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from piriform.config import Classes, Inclusion, Measures, Response
from piriform.errors import MeasureError
from piriform.splits import OUT, blocked_folds, chosen, stimulus_groups, time_blocks
from piriform.trials import window_mean

#: Trials of a stratum that every session needs for the stratum to count.
MIN_STRATUM = 4


@dataclass(frozen=True)
class Task:
    """What the decoders of one session see.

    Attributes
    ----------
    responses, evoked : (n_trials, n_units) arrays
        Mean response in the response window; the same minus baseline (None without a baseline window).
    codes : (n_trials,) int array
        +1 target and -1 nontarget, or 0 .. n_classes-1 where every stimulus is a class.
    stimuli, strata : (n_trials,) names
    is_rate : whether responses are spikes/s
    rows : (n_trials,) positions of these trials in the tensor
    blocks : (n_trials,) experimental block of each trial, NaN where there is none
    probes : (n_probes, n_units) array, with ``probe_categories`` and ``probe_times`` (0 .. 1 of the session)
    """

    responses: np.ndarray
    evoked: np.ndarray | None
    codes: np.ndarray
    stimuli: np.ndarray
    strata: np.ndarray
    is_rate: bool
    rows: np.ndarray
    blocks: np.ndarray
    probes: np.ndarray
    probe_categories: np.ndarray
    probe_times: np.ndarray
    n_classes: int

    @property
    def binary(self) -> bool:
        """Whether the classes are target and nontarget."""
        return bool((self.codes < 0).any())

    def smallest_class(self) -> int:
        """Return the number of trials of the rarest class; 0 if there is just one class."""
        counts = np.unique(self.codes, return_counts=True)[1]
        return int(counts.min()) if len(counts) > 1 else 0


@dataclass(frozen=True)
class Draw:
    """Units and trials of one draw, under the true labels (row 0) and their permutations."""

    units: np.ndarray
    responses: np.ndarray
    evoked: np.ndarray | None
    labels: np.ndarray
    stimuli: np.ndarray
    groups: np.ndarray
    part: np.ndarray
    folds: np.ndarray
    probes: np.ndarray
    probe_categories: np.ndarray
    probe_times: np.ndarray
    n_classes: int
    measures: Measures

    @property
    def decoder(self) -> dict[str, Any]:
        """Settings of the decoder, as keyword arguments."""
        return {"solver": self.measures.solver, "C": self.measures.C, "shrinkage": self.measures.shrinkage}


def task_of(tensor: xr.DataArray, *, response: Response, classes: Classes, fixed: bool = False) -> Task:
    """Return the responses and labels of a session; ``fixed`` keeps the fixed stimuli alone.

    Trials with a missing response (NaN) in any unit are left out.
    """
    responses = window_mean(tensor, *response.response_window)
    evoked = None
    if response.baseline_window is not None:
        evoked = responses - window_mean(tensor, *response.baseline_window)
    whole = np.isfinite(responses).all(axis=1) & (True if evoked is None else np.isfinite(evoked).all(axis=1))
    names, categories = tensor["class"].values.astype(str), tensor["category"].values.astype(str)
    if classes.by_stimulus:
        main, codes = whole, np.unique(names, return_inverse=True)[1]
    else:
        main = whole & np.isin(names, ("target", "nontarget"))
        if fixed:
            main &= np.isin(categories, classes.fixed)
        codes = np.where(names == "target", 1, -1)
    probe = whole & (names == "probe") & (not fixed)
    return Task(
        responses=responses[main],
        evoked=None if evoked is None else evoked[main],
        codes=codes[main].astype(np.int64),
        stimuli=tensor["stimulus"].values.astype(str)[main],
        strata=tensor["stratum"].values.astype(str)[main],
        is_rate=tensor.attrs["units"] == "spikes/s",
        rows=np.flatnonzero(main),
        blocks=tensor["block"].values[main],
        probes=responses[probe],
        probe_categories=categories[probe],
        probe_times=np.flatnonzero(probe) / max(len(probe), 1),
        n_classes=len(np.unique(codes[main])),
    )


def matched_counts(
    tensors: Sequence[xr.DataArray],
    *,
    measures: Measures,
    response: Response,
    classes: Classes,
    inclusion: Inclusion,
) -> dict[str, Any]:
    """Return the numbers of units and trials that all sessions of one subject can give.

    Returns
    -------
    dict with ``n_units`` (the smallest session's, or the config's) and ``n_trials``: trials per class
    for ``all`` stimuli and, where a session has enough of them, for the ``fixed`` ones
    """
    if not tensors:
        return {"n_units": 0, "n_trials": {}}
    n_units = measures.match_units or min(tensor.sizes["unit"] for tensor in tensors)
    n_trials = {}
    for stimuli in ("all", "fixed") if classes.fixed else ("all",):
        smallest = [
            task_of(tensor, response=response, classes=classes, fixed=stimuli == "fixed").smallest_class()
            for tensor in tensors
        ]
        enough = [count for count in smallest if count >= inclusion.min_trials_per_class]
        n_trials[stimuli] = measures.match_trials or min(enough, default=inclusion.min_trials_per_class)
    return {"n_units": n_units, "n_trials": n_trials}


def composition(
    tensors: Sequence[xr.DataArray], *, response: Response, classes: Classes
) -> dict[str, dict[str, float]]:
    """Return the shares of the strata of nontargets to which all sessions of one subject are brought.

    Returns
    -------
    stimuli (``all`` and, where the study has them, ``fixed``) -> stratum -> share: its share of the
    nontarget trials of the overtraining sessions (all sessions if there are none) among the strata of
    which each of these sessions has at least ``MIN_STRATUM`` trials; empty if there is no such stratum
    """
    late = [tensor for tensor in tensors if tensor.attrs["phase"] == "overtraining"] or list(tensors)
    shares: dict[str, dict[str, float]] = {}
    for stimuli in ("all", "fixed") if classes.fixed else ("all",):
        tasks = [task_of(tensor, response=response, classes=classes, fixed=stimuli == "fixed") for tensor in late]
        counts = [Counter(task.strata[task.codes == -1].tolist()) for task in tasks if task.smallest_class()]
        common = [name for name in sorted(set().union(*counts)) if all(c[name] >= MIN_STRATUM for c in counts)]
        total = sum(c[name] for c in counts for name in common)
        shares[stimuli] = {name: sum(c[name] for c in counts) / total for name in common}
    return shares


def stratum_codes(task: Task, shares: Mapping[str, float]) -> tuple[np.ndarray, list[float]]:
    """Return 0 for target trials, 1, 2, ... for the strata of nontargets, -1 for others; and the strata's shares.

    Without shares all nontargets are one stratum.
    """
    if not shares:
        return np.where(task.codes == 1, 0, 1).astype(np.int8), [1.0]
    number = {name: place for place, name in enumerate(shares, start=1)}
    codes = np.array([number.get(str(name), OUT) for name in task.strata], dtype=np.int8)
    return np.where(task.codes == 1, np.int8(0), codes), list(shares.values())


def permutation_blocks(task: Task, measures: Measures) -> np.ndarray:
    """Return the block of each trial within which labels are permuted.

    Raises
    ------
    MeasureError
        If experimental blocks are asked for and a trial has none.
    """
    if measures.permute_within == "block":
        if np.isnan(task.blocks).any():
            raise MeasureError("measures.permute_within is block, but trials have no block: map one with trials.block")
        return task.blocks
    return time_blocks(len(task.codes), 2 if measures.permute_within == "half" else measures.n_permutation_blocks)


def draw_of(
    task: Task, order: np.ndarray, measures: Measures, n_units: int, n_trials: int, rng: np.random.Generator
) -> Draw:
    """Return random units and trials of a task under every labelling.

    Parameters
    ----------
    order : (n_labellings, n_trials) permutations of the trials' labels, row 0 the identity
    n_units : units to draw
    n_trials : trials per class to draw; 0 takes all
    """
    total = task.responses.shape[1]
    units = np.sort(rng.choice(total, size=min(n_units, total), replace=False))
    labels = task.codes.astype(np.int8 if task.n_classes < 128 else np.int64)[order]
    part = chosen(labels, n_trials, rng=rng) if n_trials else np.ones(labels.shape, dtype=bool)
    groups = np.full(len(task.codes), OUT, dtype=np.int16)
    if task.binary:
        groups[task.codes == -1] = stimulus_groups(task.stimuli[task.codes == -1], measures.n_folds)
    return Draw(
        units=units,
        responses=task.responses[:, units],
        evoked=None if task.evoked is None else task.evoked[:, units],
        labels=labels,
        stimuli=np.unique(task.stimuli, return_inverse=True)[1][order],
        groups=groups[order],
        part=part,
        folds=blocked_folds(labels, measures.n_folds, taking_part=part),
        probes=task.probes[:, units],
        probe_categories=task.probe_categories,
        probe_times=task.probe_times,
        n_classes=task.n_classes,
        measures=measures,
    )
