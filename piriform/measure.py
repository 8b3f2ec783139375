"""What are the metrics of one session? From trial tensor to rows of ``metrics.csv``.

The same code measures recordings and networks. Every metric is computed on draws of matched numbers
of units and trials and on the full session, for all stimuli and for the fixed ones alone, each with
its null from the same label permutations.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import xarray as xr

from piriform.config import Classes, Measures, Response
from piriform.controls import controlled_separation
from piriform.errors import MeasureError
from piriform.families import FAMILIES
from piriform.null import learning_p, permutation_p
from piriform.provenance import rng_for
from piriform.splits import permutations
from piriform.tables import metric_of
from piriform.task import Draw, Task, draw_of, permutation_blocks, stratum_codes, task_of
from piriform.tracking import Before, accuracy_across, check_before

UNDEFINED = "undefined: no variance, or a class missing from a fold"
#: The metric that needs no draws.
MODULATION = "separation_modulation"
#: The metric that needs two sessions.
ACROSS = "generalization_day"
#: Why a metric has no value that nevertheless could be computed; :data:`UNDEFINED` for the others.
WHY_NAN = {
    MODULATION: "a stratum of nontargets meets the target in fewer than 2 blocks of the session, or no unit responds",
    "margin_hard": "one draw of units and trials, or more, has classes that no hyperplane separates",
    "selectivity": "no unit responds",
    "sparseness_lifetime": "no unit responds to stimuli with 2 trials or more",
    "sparseness_population": "no unit responds to stimuli with 2 trials or more, or there is one unit",
}


def session_metrics(
    tensor: xr.DataArray,
    *,
    measures: Measures,
    response: Response,
    classes: Classes,
    n_units: int,
    n_trials: Mapping[str, int],
    shares: Mapping[str, Mapping[str, float]] | None = None,
    seed: int,
    source: str = "neural",
    matchings: Sequence[str] = ("matched", "full"),
    before: Before | None = None,
) -> list[dict[str, Any]]:
    """Return the metrics of one session, rows of the table ``metrics``.

    Parameters
    ----------
    tensor : trial tensor, dims (trial, unit, time)
    n_units : units per matched draw
    n_trials : trials per class and matched draw, for ``all`` and (where the study has them) ``fixed`` stimuli
    shares : shares of the strata of nontargets, see :func:`piriform.task.composition`; none: one stratum
    seed : the config's seed; streams are named by subject, session and draw
    matchings : ``matched`` (draws of matched numbers), ``full`` (all units and trials), or both
    before : the session before this one, see :func:`piriform.tracking.sessions_before`; none: ``generalization_day`` has
        no value
    """
    attrs, before = tensor.attrs, before or Before()
    who = {"source": source} | {name: attrs[name] for name in ("subject", "session", "day", "phase")}
    rows = []
    for stimuli, count in n_trials.items():
        task = task_of(tensor, response=response, classes=classes, fixed=stimuli == "fixed")
        names = (attrs["subject"], attrs["session"], stimuli)
        orders = cache(partial(_orders, task, measures, seed, names))
        undrawn = cache(partial(_undrawn, task, measures, orders, (shares or {}).get(stimuli, {})))
        earlier = None
        if before.tensor is not None and ACROSS in measures.metrics:
            earlier = task_of(before.tensor, response=response, classes=classes, fixed=stimuli == "fixed")
        across = partial(_across, task, earlier, before, measures, orders, seed, names)
        for matching in matchings:
            units, trials = (n_units, count) if matching == "matched" else (task.responses.shape[1], 0)
            n_draws = 1 if _takes_all(task, units, trials) else measures.n_draws
            stacks = _stacks(task, measures, units, trials, n_draws, seed, names, orders, undrawn, across)
            labels = {**who, "stimuli": stimuli, "matching": matching, "n_units": units, "n_draws": n_draws}
            rows += [labels | {"metric": name} | result for name, result in stacks.items()]
    return rows


def _takes_all(task: Task, n_units: int, n_trials: int) -> bool:
    """Whether every draw would hold all units and all trials."""
    return n_units >= task.responses.shape[1] and _takes_all_trials(task, n_trials)


def _takes_all_trials(task: Task, n_trials: int) -> bool:
    return not n_trials or bool((np.unique(task.codes, return_counts=True)[1] == n_trials).all())


def _stacks(
    task: Task,
    measures: Measures,
    n_units: int,
    n_trials: int,
    n_draws: int,
    seed: int,
    names: tuple[str, ...],
    orders: Callable[[], np.ndarray],
    undrawn: Callable[[], dict[str, np.ndarray]],
    across: Callable[[int, int], tuple[list[np.ndarray], dict[str, int]]],
) -> dict[str, dict[str, Any]]:
    """Every wanted metric of one task: value, spread over draws, null, status.

    ``orders`` and ``undrawn`` give what does not depend on the draws: the permutations, and the metrics without draws;
    ``across`` what needs draws of two sessions.
    """
    smallest = task.smallest_class()
    if smallest < max(n_trials, measures.n_folds):
        needed = f"{max(n_trials, measures.n_folds)} trials of each class needed, the rarest has {smallest}"
        return {name: _row(np.empty((0, 1)), name, 0, needed) for name in measures.metrics}
    try:
        order = orders()
    except MeasureError as error:
        return {name: _row(np.empty((0, 1)), name, 0, str(error)) for name in measures.metrics}
    draws = (
        draw_of(task, order, measures, n_units, n_trials, rng_for(seed, "draw", *names, number))
        for number in range(n_draws)
    )
    values, reasons, taken = _drawn_values(draws, measures)
    whole: dict[str, dict[str, Any]] = {}
    for name, value in undrawn().items():
        values[name] = [value]
        whole[name] = {"n_units": task.responses.shape[1], "n_draws": 1, "n_trials": len(task.codes)}
    if ACROSS in measures.metrics:
        try:
            values[ACROSS], whole[ACROSS] = across(n_units, n_trials)
        except MeasureError as error:
            reasons[ACROSS] = str(error)
    default = "not measured" if task.binary else "needs the classes target and nontarget"
    stacks = {name: np.array(values.get(name, np.empty((0, 1)))) for name in sorted({*measures.metrics, *values})}
    rows = {
        name: _row(stack, name, taken, reasons.get(name, default)) | whole.get(name, {})
        for name, stack in stacks.items()
        if _wanted(name, measures)
    }
    measured = {
        name: (row["value"], stacks[name][:, 1:].mean(axis=0), metric_of(name).learning)
        for name, row in rows.items()
        if row["n_permutations"] == measures.n_permutations > 0
    }
    for name, p in learning_p(measured).items():
        rows[name]["p_max"] = p
    return rows


def _drawn_values(draws: Iterable[Draw], measures: Measures) -> tuple[dict[str, list[np.ndarray]], dict[str, str], int]:
    """The values of each metric by draw, why others have none, and the trials of a draw."""
    families = [family for family in FAMILIES if set(family) & set(measures.metrics)]
    values: dict[str, list[np.ndarray]] = {}
    reasons: dict[str, str] = {}
    taken = 0
    for draw in draws if families else ():
        taken = int(draw.part[0].sum())
        for family in families:
            try:
                found = FAMILIES[family](draw)
            except MeasureError as error:
                reasons |= dict.fromkeys(family, str(error))
                continue
            for name, value in found.items():
                values.setdefault(name, []).append(value)
    return values, reasons, taken


def _wanted(name: str, measures: Measures) -> bool:
    return name in measures.metrics or (
        name.startswith("generalization_probe_") and "generalization_probe" in measures.metrics
    )


def _row(stack: np.ndarray, name: str, n_trials: int, reason: str) -> dict[str, Any]:
    """Summarise (n_draws, n_labellings) values: mean and SD over draws of the truth, null over permutations.

    The permutation b is the same labelling in every draw, so its mean over draws is one value of the null.
    """
    empty = dict.fromkeys(("value", "sd_draws", "null_mean", "null_sd", "p", "p_max"), np.nan)
    if not len(stack) or not np.isfinite(stack[:, 0]).all():
        reason = WHY_NAN.get(name, UNDEFINED) if len(stack) else reason
        return empty | {"n_trials": n_trials, "n_permutations": 0, "status": reason}
    value, null = stack[:, 0].mean(), stack[:, 1:].mean(axis=0)
    null = null[np.isfinite(null)]
    row = empty | {"value": value, "sd_draws": stack[:, 0].std(ddof=1) if len(stack) > 1 else np.nan}
    if len(null):
        learning = metric_of(name).learning
        row |= {"null_mean": null.mean(), "null_sd": null.std(ddof=1) if len(null) > 1 else np.nan}
        if learning:
            row["p"] = permutation_p(learning * value, learning * null)
    return row | {"n_trials": n_trials, "n_draws": len(stack), "n_permutations": len(null), "status": "ok"}


def _orders(task: Task, measures: Measures, seed: int, names: tuple[str, ...]) -> np.ndarray:
    """The permutations of the labels, the same for all draws and matchings."""
    blocks = permutation_blocks(task, measures)
    return permutations(blocks, measures.n_permutations, rng=rng_for(seed, "permutations", *names))


def _undrawn(
    task: Task, measures: Measures, orders: Callable[[], np.ndarray], shares: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """The metric that takes all units and trials, as its expectation depends on neither number."""
    if MODULATION not in measures.metrics or not task.binary:
        return {}
    strata, mix = stratum_codes(task, shares)
    controls = [name for name in measures.controls if task.is_rate or name != "gain"]
    value = controlled_separation(
        task.responses, strata[orders()], mix=mix, controls=controls, n_blocks=measures.n_blocks
    )
    return {MODULATION: value}


def _across(
    task: Task,
    earlier: Task | None,
    before: Before,
    measures: Measures,
    orders: Callable[[], np.ndarray],
    seed: int,
    names: tuple[str, ...],
    n_units: int,
    n_trials: int,
) -> tuple[list[np.ndarray], dict[str, int]]:
    """The metric of two sessions by draw, and its numbers of units, draws and trials; 0 ``n_trials`` takes all."""
    earlier = check_before(before, task, earlier, max(n_trials, measures.n_folds))
    n_units, n_draws = (min(n_units, before.n_units), measures.n_draws) if n_trials else (len(before.here), 1)
    if n_units == len(before.here) and all(_takes_all_trials(one, n_trials) for one in (task, earlier)):
        n_draws = 1
    decoder = {"solver": measures.solver, "C": measures.C, "shrinkage": measures.shrinkage}
    parts: dict[str, Any] = {"n_units": n_units, "n_trials": n_trials, "decoder": decoder}
    streams = (rng_for(seed, "before", *names, number) for number in range(n_draws))
    values = [accuracy_across(task, earlier, before, orders(), **parts, rng=rng) for rng in streams]
    taken = len(np.unique(task.codes)) * n_trials or len(task.codes)
    return values, {"n_units": n_units, "n_draws": n_draws, "n_trials": taken}
