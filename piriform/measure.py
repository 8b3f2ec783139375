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

from piriform import decode, geometry, margin, solvers
from piriform.config import Classes, Measures, Response
from piriform.controls import controlled_separation
from piriform.errors import MeasureError
from piriform.generalize import across_conditions, probe_scores, stimulus_folds
from piriform.null import learning_p, permutation_p
from piriform.provenance import rng_for
from piriform.splits import half_folds, permutations
from piriform.tables import metric_of
from piriform.task import Draw, Task, draw_of, permutation_blocks, stratum_codes, task_of


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
    """
    attrs = tensor.attrs
    who = {"source": source} | {name: attrs[name] for name in ("subject", "session", "day", "phase")}
    rows = []
    for stimuli, count in n_trials.items():
        task = task_of(tensor, response=response, classes=classes, fixed=stimuli == "fixed")
        names = (attrs["subject"], attrs["session"], stimuli)
        orders = cache(partial(_orders, task, measures, seed, names))
        undrawn = cache(partial(_undrawn, task, measures, orders, (shares or {}).get(stimuli, {})))
        for matching in matchings:
            units, trials = (n_units, count) if matching == "matched" else (task.responses.shape[1], 0)
            n_draws = 1 if _takes_all(task, units, trials) else measures.n_draws
            stacks = _stacks(task, measures, units, trials, n_draws, seed, names, orders, undrawn)
            labels = {**who, "stimuli": stimuli, "matching": matching, "n_units": units, "n_draws": n_draws}
            rows += [labels | {"metric": name} | result for name, result in stacks.items()]
    return rows


def _takes_all(task: Task, n_units: int, n_trials: int) -> bool:
    """Whether every draw would hold all units and all trials."""
    counts = np.unique(task.codes, return_counts=True)[1]
    return n_units >= task.responses.shape[1] and (not n_trials or bool((counts == n_trials).all()))


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
) -> dict[str, dict[str, Any]]:
    """Every wanted metric of one task: value, spread over draws, null, status.

    ``orders`` and ``undrawn`` give what does not depend on the draws: the permutations, and the metrics without draws.
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
        values[name], reasons[name] = [value], NO_PAIRS
        whole[name] = {"n_units": task.responses.shape[1], "n_draws": 1, "n_trials": len(task.codes)}
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
        reason = reason if not len(stack) or name == MODULATION else UNDEFINED
        return empty | {"n_trials": n_trials, "n_permutations": 0, "status": reason}
    value, null = stack[:, 0].mean(), stack[:, 1:].mean(axis=0)
    null = null[np.isfinite(null)]
    row = empty | {"value": value, "sd_draws": stack[:, 0].std(ddof=1) if len(stack) > 1 else np.nan}
    if len(null):
        learning = metric_of(name).learning
        row |= {"null_mean": null.mean(), "null_sd": null.std(ddof=1) if len(null) > 1 else np.nan}
        if learning:
            row["p"] = permutation_p(learning * value, learning * null)
    return row | {"n_trials": n_trials, "n_permutations": len(null), "status": "ok"}


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


def _two_classes(draw: Draw) -> None:
    if not (draw.labels < 0).any():
        raise MeasureError("needs the classes target and nontarget")


def _decoding(draw: Draw) -> dict[str, np.ndarray]:
    if not (draw.labels < 0).any():
        return {
            "decoding_accuracy": decode.multiclass_accuracy(draw.responses, draw.labels, draw.folds, **draw.decoder)
        }
    scores = decode.heldout_scores(draw.responses, draw.labels, draw.folds, **draw.decoder)
    return {
        "decoding_accuracy": decode.balanced_accuracy(scores.decision, scores.labels),
        "decoding_auc": decode.auc(scores.decision, scores.labels, scores.folds),
        "margin_heldout": margin.heldout_margin(scores.distance, scores.labels),
        "margin_heldout_p05": margin.heldout_margin_quantile(scores.distance, scores.labels, 0.05),
    }


def _dprime(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    scores = decode.heldout_scores(draw.responses, draw.labels, draw.folds, **draw.decoder | {"solver": "lda"})
    return {"separation_dprime": geometry.dprime(scores.distance, scores.labels, scores.folds)}


def _crossnobis(draw: Draw) -> dict[str, np.ndarray]:
    codes = np.where(draw.labels < 0, 0, draw.labels)
    value = geometry.crossnobis(
        draw.responses, codes, draw.folds, n_classes=draw.n_classes, shrinkage=draw.measures.shrinkage
    )
    return {"separation_crossnobis": value}


def _similarity(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    return {
        "similarity_dot": geometry.similarity_dot(draw.responses, draw.labels, draw.part),
        "similarity_dot_cv": geometry.similarity_dot_cv(draw.responses, draw.labels, draw.folds),
    }


def _cosine(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    if draw.evoked is None:
        raise MeasureError("needs response.baseline_window")
    return {"similarity_cosine": geometry.similarity_cosine(draw.evoked, draw.labels, draw.part)}


def _soft_margin(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    return {"margin_soft": margin.soft_margin(draw.responses, draw.labels, draw.part, C=draw.measures.C)}


def _new_stimulus(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    if draw.groups.max() < 1:
        raise MeasureError("needs at least 2 nontarget stimuli")
    folds = stimulus_folds(draw.labels, draw.folds, draw.groups)
    scores = decode.heldout_scores(draw.responses, draw.labels, folds, **draw.decoder)
    return {"generalization_stimulus": decode.balanced_accuracy(scores.decision, scores.labels)}


def _later_trials(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    half = half_folds(draw.part)
    models = solvers.fit(draw.responses, draw.labels, half == 0, **draw.decoder)
    late = np.where(half == 1, models.decision_values(draw.responses), np.nan)
    return {"generalization_time": decode.balanced_accuracy(late, draw.labels)}


def _conditions(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    value = across_conditions(draw.responses, draw.labels, draw.stimuli, draw.part, **draw.decoder)
    return {"ccgp": value}


def _probes(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    if not len(draw.probes):
        raise MeasureError("no probe trials in this session")
    probe_folds = (draw.probe_times * draw.measures.n_folds).astype(int)
    scores = probe_scores(draw.responses, draw.labels, draw.folds, draw.probes, probe_folds, **draw.decoder)
    found = {"generalization_probe": (scores.target_recall + scores.rejected.mean(axis=1)) / 2}
    for category in np.unique(draw.probe_categories):
        rejected = scores.rejected[:, draw.probe_categories == category].mean(axis=1)
        found[f"generalization_probe_{category.removeprefix('probe_')}"] = (scores.target_recall + rejected) / 2
    return found


def _dimensionality(draw: Draw) -> dict[str, np.ndarray]:
    return {"participation_ratio": np.array([geometry.participation_ratio(draw.responses[draw.part[0]])])}


NO_PAIRS = "a stratum of nontargets meets the target in fewer than 2 blocks of the session, or no unit responds"
UNDEFINED = "undefined: no variance, or a class missing from a fold"
#: The metric that needs no draws.
MODULATION = "separation_modulation"
#: The metrics that come from the same fits, and the function that measures them.
FAMILIES: dict[tuple[str, ...], Callable[[Draw], dict[str, np.ndarray]]] = {
    ("decoding_accuracy", "decoding_auc", "margin_heldout", "margin_heldout_p05"): _decoding,
    ("separation_dprime",): _dprime,
    ("separation_crossnobis",): _crossnobis,
    ("similarity_dot", "similarity_dot_cv"): _similarity,
    ("similarity_cosine",): _cosine,
    ("margin_soft",): _soft_margin,
    ("generalization_stimulus",): _new_stimulus,
    ("generalization_probe",): _probes,
    ("generalization_time",): _later_trials,
    ("ccgp",): _conditions,
    ("participation_ratio",): _dimensionality,
}
