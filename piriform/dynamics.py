"""When in a trial can the classes be told apart, and does the code at one time hold at another?

Decoders are trained in sliding windows and tested on held-out trials, in the same window and in every
other one: the temporal generalization matrix (King & Dehaene 2014, Trends Cogn Sci 18:203). A code that
stays the same fills the square, one that changes fills the diagonal alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform import decode, solvers
from piriform.config import Classes, Dynamics, Measures, Response
from piriform.errors import MeasureError
from piriform.margin import heldout_margin
from piriform.null import max_statistic_p, permutation_p
from piriform.provenance import rng_for
from piriform.splits import OUT, permutations
from piriform.tables import check_table
from piriform.task import Draw, Task, draw_of, permutation_blocks, task_of
from piriform.trials import window_mean

#: Decision values held in memory at a time.
MOST_VALUES = 4_000_000


@dataclass(frozen=True)
class OverTime:
    """What decoders of each time read out at each time.

    Attributes
    ----------
    accuracy : (n_labellings, n_times, n_times) array
        Balanced accuracy, trained at the first time and tested at the second; NaN where not measured.
    margin : (n_labellings, n_times, n_times) array
        Mean held-out y f(x) / |w|, in SDs of the units standardised at the time of training.
    reasons : dict
        Position of a time at which no decoder could be trained, and why.
    """

    accuracy: np.ndarray
    margin: np.ndarray
    reasons: Mapping[int, str]


def windows(response: Response, dynamics: Dynamics) -> np.ndarray:
    """Return the windows that fit into the span of the trial tensor.

    Returns
    -------
    (n_windows, 2) array of start and end, s from the event; each window is [start, end)

    Examples
    --------
    >>> span = Response(window=(0.0, 0.5), response_window=(0.0, 0.5), baseline_window=None)
    >>> windows(span, Dynamics(window=0.2, step=0.1)).tolist()
    [[0.0, 0.2], [0.1, 0.3], [0.2, 0.4], [0.3, 0.5]]
    """
    start, stop = response.window
    width, step = dynamics.sizes(response)
    opens = start + step * np.arange(int((stop - start - width) / step + 1e-6) + 1)
    return np.round(np.column_stack([opens, opens + width]), 12)


def whole_window(response: Response) -> Response:
    """Return the settings under which a trial counts if it was observed in the whole span of the tensor.

    All windows are then measured on the same trials.
    """
    return response.model_copy(update={"response_window": response.window, "baseline_window": None})


def decoded_over_time(
    responses: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    *,
    across: bool = True,
    solver: str,
    C: float,
    shrinkage: float,
) -> OverTime:
    """Return what decoders trained at each time read out of held-out trials at the same and at other times.

    A trial is read out by the decoder that never saw its fold, at no time. Units are standardised by the
    training trials at the time of training, so that a change of the mean rates counts against the decoder.
    Null value of the accuracy 0.5 (1 / n_classes with many classes), of the margin 0.

    Parameters
    ----------
    responses : (n_times, n_trials, n_units) array
    labels : (n_labellings, n_trials) array of +1 and -1, or of 0 .. n_classes-1; the latter are tested at
        their own time alone and have no margin
    folds : (n_labellings, n_trials) array; -1 takes no part
    across : whether to test at other times too
    solver, C, shrinkage : see :func:`piriform.solvers.fit`
    """
    n_times = len(responses)
    shape = (len(labels), n_times, n_times)
    accuracy, margin, reasons = np.full(shape, np.nan), np.full(shape, np.nan), {}
    binary = bool((labels < 0).any())
    settings: dict[str, Any] = {"solver": solver, "C": C, "shrinkage": shrinkage}
    for time in range(n_times):
        tests = np.arange(n_times) if across and binary else np.array([time])
        try:
            if binary:
                models = _trained(responses[time], labels, folds, settings)
                accuracy[:, time, tests], margin[:, time, tests] = _tested(models, responses, tests, labels, folds)
            else:
                accuracy[:, time, time] = decode.multiclass_accuracy(responses[time], labels, folds, **settings)
        except MeasureError as error:
            reasons[time] = str(error)
    return OverTime(accuracy, margin, reasons)


def session_dynamics(
    tensor: xr.DataArray,
    *,
    dynamics: Dynamics,
    measures: Measures,
    response: Response,
    classes: Classes,
    n_units: int,
    n_trials: Mapping[str, int],
    seed: int,
) -> pd.DataFrame:
    """Return decoding over time of one session, rows of the table ``dynamics``.

    Draws, folds and permutations are those of ``metrics``: the same seed gives the same units and trials,
    as long as every trial was observed in the whole span of the tensor.

    Parameters
    ----------
    tensor : trial tensor, dims (trial, unit, time)
    n_units, n_trials : units, and trials per class (``all``), of a matched draw, see
        :func:`piriform.task.matched_counts` with :func:`whole_window` of ``response``
    seed : the config's seed; streams are named by subject, session and draw
    """
    task = task_of(tensor, response=whole_window(response), classes=classes)
    spans = windows(response, dynamics)
    found, taken = _measured(tensor, task, spans, dynamics, measures, n_units, n_trials["all"], seed)
    across = dynamics.temporal_generalization and task.binary
    train, test = np.nonzero(np.ones((len(spans),) * 2) if across else np.eye(len(spans)))
    value, centre = found.accuracy[0, train, test], np.round(spans.mean(axis=1), 12)
    names = ("subject", "session", "day", "phase")
    table = pd.DataFrame(
        {
            **{name: tensor.attrs[name] for name in names},
            "train_time": centre[train],
            "test_time": centre[test],
            "accuracy": value,
            "margin": found.margin[0, train, test],
            **_null(value, found.accuracy[1:, train, test], train == test),
            "n_trials": taken,
            "n_units": n_units,
            "n_draws": dynamics.n_draws,
            "n_permutations": np.where(np.isfinite(value), dynamics.n_permutations, 0),
            "status": [found.reasons.get(time, "ok") for time in train.tolist()],
        }
    )
    return check_table(table, "dynamics")


def _measured(
    tensor: xr.DataArray, task: Task, spans: np.ndarray, dynamics: Dynamics, measures: Measures,
    n_units: int, n_trials: int, seed: int,
) -> tuple[OverTime, int]:  # fmt: skip
    """Means over draws, and the trials of a draw; NaN and a reason for every time where nothing can be measured."""
    empty = np.full((1 + dynamics.n_permutations, len(spans), len(spans)), np.nan)
    needed, smallest = max(n_trials, measures.n_folds), task.smallest_class()
    if smallest < needed:
        reason = f"{needed} trials of each class observed in the whole window needed, the rarest has {smallest}"
        return OverTime(empty, empty, dict.fromkeys(range(len(spans)), reason)), 0
    names = (tensor.attrs["subject"], tensor.attrs["session"], "all")
    try:
        blocks = permutation_blocks(task, measures) if dynamics.n_permutations else np.zeros(len(task.codes))
    except MeasureError as error:
        return OverTime(empty, empty, dict.fromkeys(range(len(spans)), str(error))), 0
    order = permutations(blocks, dynamics.n_permutations, rng=rng_for(seed, "permutations", *names))
    accuracy, margin = np.zeros_like(empty), np.zeros_like(empty)
    reasons: dict[int, str] = {}
    for number in range(dynamics.n_draws):
        draw = draw_of(task, order, measures, n_units, n_trials, rng_for(seed, "draw", *names, number))
        part = _of_draw(tensor, task, draw, spans, dynamics)
        accuracy += part.accuracy / dynamics.n_draws
        margin += part.margin / dynamics.n_draws
        reasons |= part.reasons
    return OverTime(accuracy, margin, reasons), int(draw.part[0].sum())


def _of_draw(tensor: xr.DataArray, task: Task, draw: Draw, spans: np.ndarray, dynamics: Dynamics) -> OverTime:
    taken = draw.part.any(axis=0)
    activity = tensor.isel(trial=task.rows[taken], unit=draw.units)
    responses = np.empty((len(spans), activity.sizes["trial"], activity.sizes["unit"]), dtype=np.float32)
    for row, span in zip(responses, spans, strict=True):
        row[:] = window_mean(activity, *span)
    across = dynamics.temporal_generalization
    return decoded_over_time(responses, draw.labels[:, taken], draw.folds[:, taken], across=across, **draw.decoder)


def _trained(
    responses: np.ndarray, labels: np.ndarray, folds: np.ndarray, settings: Mapping[str, Any]
) -> solvers.LinearModels:
    """Models of every labelling without each of its folds: (n_labellings * n_folds) of them."""
    folds_of_a_row = np.arange(folds.max() + 1)[:, None]
    train = (folds[:, None] != folds_of_a_row) & (folds[:, None] != OUT)
    stacked = np.repeat(labels, len(folds_of_a_row), axis=0)
    return solvers.fit(responses, stacked, train.reshape(stacked.shape), **settings)


def _tested(
    models: solvers.LinearModels, responses: np.ndarray, tests: np.ndarray, labels: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and margin at each of the times ``tests``: (n_labellings, n_tests) each."""
    norms = models.norms()
    n_blocks = min(-(-len(norms) * len(tests) * folds.shape[1] // MOST_VALUES), len(tests))
    found = [_scores(models, norms, responses[times], labels, folds) for times in np.array_split(tests, n_blocks)]
    accuracy, margin = (np.concatenate(part, axis=1) for part in zip(*found, strict=True))
    return accuracy, margin


def _scores(
    models: solvers.LinearModels, norms: np.ndarray, responses: np.ndarray, labels: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n_times, n_trials, n_units = responses.shape
    shape = (len(labels), -1, n_times, n_trials)
    own = np.where(folds == OUT, 0, folds)
    values = models.decision_values(responses.reshape(-1, n_units)).reshape(shape)
    values = np.take_along_axis(values, own[:, None, None], axis=1)[:, 0]
    lengths = np.take_along_axis(norms.reshape(len(labels), -1), own, axis=1)[:, None]
    decision = np.where((folds == OUT)[:, None], np.nan, values).reshape(-1, n_trials)
    lengths = np.broadcast_to(lengths, values.shape).reshape(decision.shape)
    distance = np.divide(decision, lengths, out=np.where(np.isnan(decision), np.nan, 0.0), where=lengths > 0)
    repeated = np.repeat(labels, n_times, axis=0)
    scores = decode.balanced_accuracy(decision, repeated), heldout_margin(distance, repeated)
    return scores[0].reshape(-1, n_times), scores[1].reshape(-1, n_times)


def _null(value: np.ndarray, null: np.ndarray, own_time: np.ndarray) -> dict[str, np.ndarray]:
    """Columns about the null of each row; ``null`` is (n_permutations, n_rows)."""
    columns = {name: np.full(len(value), np.nan) for name in ("null_mean", "null_sd", "p", "p_max")}
    rows = np.flatnonzero(np.isfinite(value) & np.isfinite(null).all(axis=0))
    if not len(null) or not len(rows):
        return columns
    columns["null_mean"][rows] = null[:, rows].mean(axis=0)
    if len(null) > 1:
        columns["null_sd"][rows] = null[:, rows].std(axis=0, ddof=1)
    columns["p"][rows] = [permutation_p(value[row], null[:, row]) for row in rows]
    diagonal = rows[own_time[rows]]
    for family in (rows, diagonal):  # rows of the diagonal get the p of the diagonal
        columns["p_max"][family] = max_statistic_p(value[family].tolist(), list(null[:, family].T))
    return columns
