"""What does activity look like around an event? Spikes or traces, cut into bins per trial.

Bins are half-open, [a, b). An edge moves by less than ``TOLERANCE`` only to undo rounding: a spike
that lies on an edge belongs to the bin that the edge opens.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from piriform.errors import TrialsError
from piriform.tables import POOLED
from piriform.trials import TRIAL_COORDS, make_trials

#: s; times that differ by less are the same.
TOLERANCE = 1e-9


def bin_centres(window: tuple[float, float], bin_width: float) -> np.ndarray:
    """Return the centres of the bins that divide a window, s from the event.

    Examples
    --------
    >>> bin_centres((-0.2, 0.2), 0.1).tolist()
    [-0.15, -0.05, 0.05, 0.15]
    """
    return np.round(window[0] + bin_width * (np.arange(_n_bins(window, bin_width)) + 0.5), 12)


def align_spikes(
    spike_times: Sequence[np.ndarray],
    event_times: np.ndarray,
    *,
    window: tuple[float, float],
    bin_width: float,
    obs_intervals: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Return firing rates around events: spikes in each bin [a, b), divided by its width.

    Parameters
    ----------
    spike_times : (n_units,) sequence of ascending arrays, s
    event_times : (n_trials,) array, s
    window : start and end, s from the event; a whole number of bins
    bin_width : s
    obs_intervals : (n_units,) sequence of (n_intervals, 2) arrays, s, optional
        When each unit was observed; without it, always.

    Returns
    -------
    (n_trials, n_units, n_bins) float32 array, spikes/s; NaN for a unit and trial whose window does
    not lie inside one observed interval (intervals that touch count as one).

    Examples
    --------
    >>> align_spikes([np.array([1.0, 1.05, 1.1])], np.array([1.0]), window=(0, 0.2), bin_width=0.1).tolist()
    [[[20.0, 10.0]]]
    """
    n_bins = _n_bins(window, bin_width)
    opens = np.asarray(event_times, dtype=float) + window[0]
    rates = np.empty((len(opens), len(spike_times), n_bins), dtype=np.float32)
    for unit, times in enumerate(spike_times):
        rates[:, unit] = _counts(np.asarray(times, dtype=float), opens, bin_width, n_bins)
        if obs_intervals is not None:
            rates[~_inside(obs_intervals[unit], opens, opens + n_bins * bin_width), unit] = np.nan
    rates /= bin_width
    return rates


def align_traces(
    data: np.ndarray,
    timestamps: np.ndarray,
    event_times: np.ndarray,
    *,
    window: tuple[float, float],
    bin_width: float,
) -> np.ndarray:
    """Return traces around events: the mean of the samples in each bin [a, b).

    Parameters
    ----------
    data : (n_times, n_units) array, dF/F; NaN where missing
    timestamps : (n_times,) ascending array, s
    event_times : (n_trials,) array, s
    window, bin_width : s, as in :func:`align_spikes`

    Returns
    -------
    (n_trials, n_units, n_bins) float32 array, dF/F; missing samples are left out of the mean, a
    bin without samples (as beyond the recording) is NaN.

    Examples
    --------
    >>> samples, times = np.array([[1.0], [3.0], [5.0]]), np.array([0.0, 0.1, 0.2])
    >>> align_traces(samples, times, np.array([0.0]), window=(0, 0.6), bin_width=0.2).tolist()
    [[[2.0, 5.0, nan]]]
    """
    n_bins = _n_bins(window, bin_width)
    opens = np.asarray(event_times, dtype=float) + window[0]
    edges = opens[:, np.newaxis] + bin_width * np.arange(n_bins + 1)
    sample = np.searchsorted(timestamps, edges - TOLERANCE)
    means = np.empty((len(opens), data.shape[1], n_bins), dtype=np.float32)
    for trial, edge in enumerate(sample):
        means[trial] = _means(data[edge[0] : edge[-1]], edge - edge[0]).T
    return means


def pool_sessions(tensors: Sequence[xr.DataArray]) -> xr.DataArray:
    """Join the units of all sessions into one pseudo-population.

    Of each stimulus that all sessions share, the k-th presentations of the sessions are joined,
    as many as the session with the fewest has. Trials are not simultaneous, so correlations
    between units of two sessions mean nothing.

    Parameters
    ----------
    tensors : trial tensors with the same bins and physical unit

    Returns
    -------
    Trial tensor of subject and session "pooled", day 1. Units are named ``session/unit``; times are
    means over sessions; trials are in order of the mean event time, numbered from 0.

    Raises
    ------
    TrialsError
        If there is no tensor, bins or physical units differ, a stimulus is of two classes, or no
        stimulus is common to all.
    """
    _check_poolable(tensors)
    places = _presentations(tensors)
    tables = [tensor.coords.to_dataset()[list(TRIAL_COORDS)].to_dataframe() for tensor in tensors]
    joined = [table.iloc[rows].reset_index(drop=True) for table, rows in zip(tables, places, strict=True)]
    trials = joined[0][["stimulus", "category", "class"]].copy()
    for name in ("start_time", "event_time"):
        trials[name] = np.mean([table[name] for table in joined], axis=0)
    order = np.argsort(trials["event_time"].to_numpy(), kind="stable")
    response = np.concatenate([t.values[rows[order]] for t, rows in zip(tensors, places, strict=True)], axis=1)
    whole = {"subject": POOLED, "session": POOLED, "day": 1, "phase": "", "source_file": "", "source_sha256": ""}
    return make_trials(
        response,
        time=tensors[0]["time"].values,
        trials=trials.iloc[order].reset_index(drop=True),
        unit_id=[f"{t.attrs['session']}/{unit}" for t in tensors for unit in t["unit_id"].values],
        tracked_id=[unit for tensor in tensors for unit in tensor["tracked_id"].values],
        attrs={name: tensors[0].attrs[name] for name in ("units", "bin_width")} | whole,
    )


def _n_bins(window: tuple[float, float], bin_width: float) -> int:
    n_bins = (window[1] - window[0]) / bin_width
    if n_bins < 0.5 or abs(n_bins - round(n_bins)) > 1e-6:
        raise TrialsError(f"window {window} s is not a whole number of bins of {bin_width:g} s")
    return round(n_bins)


def _counts(times: np.ndarray, opens: np.ndarray, bin_width: float, n_bins: int) -> np.ndarray:
    """(n_trials, n_bins) spikes of one unit; one pass over the spikes inside the windows."""
    first = np.searchsorted(times, opens - TOLERANCE)
    n_spikes = np.searchsorted(times, opens + n_bins * bin_width - TOLERANCE) - first
    trial = np.repeat(np.arange(len(opens)), n_spikes)
    within = np.arange(len(trial)) - np.repeat(np.cumsum(n_spikes) - n_spikes, n_spikes)
    since = times[first[trial] + within] - opens[trial] + TOLERANCE
    bins = np.minimum((since / bin_width).astype(np.intp), n_bins - 1)
    return np.bincount(trial * n_bins + bins, minlength=len(opens) * n_bins).reshape(len(opens), n_bins)


def _inside(intervals: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """(n_trials,) whether [start, stop] lies inside one interval, once those that touch are joined."""
    intervals = np.asarray(intervals, dtype=float).reshape(-1, 2)
    intervals = intervals[np.isfinite(intervals).all(axis=1)]
    if not len(intervals):
        return np.zeros(len(start), dtype=bool)
    begins, ends = intervals[np.argsort(intervals[:, 0], kind="stable")].T
    ends = np.maximum.accumulate(ends)
    opening = np.r_[True, begins[1:] > ends[:-1] + TOLERANCE]
    begins, ends = begins[opening], ends[np.r_[opening[1:], True]]
    last = np.searchsorted(begins, start + TOLERANCE, side="right") - 1
    return (last >= 0) & (stop <= ends[last] + TOLERANCE)


def _means(traces: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """(n_bins, n_units) means of the finite samples from one of the (n_bins + 1,) indices to the next, NaN without.

    ``traces`` (n_times, n_units) are the samples from the first index to the last.
    """
    values = np.zeros((len(traces) + 1, traces.shape[1]))  # one row more, for bins that begin behind the last sample
    values[:-1] = traces
    known = np.isfinite(values)
    known[-1] = False
    values[~known] = 0.0
    total, count = (np.add.reduceat(each, edge[:-1], axis=0, dtype=float) for each in (values, known))
    # of a bin without samples reduceat gives the sample behind it
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=(count > 0) & (np.diff(edge) > 0)[:, None])


def _check_poolable(tensors: Sequence[xr.DataArray]) -> None:
    if not tensors:
        raise TrialsError("pool_sessions: no session to pool")
    first = tensors[0]
    for tensor in tensors[1:]:
        who = f"sessions {first.attrs['session']!r} and {tensor.attrs['session']!r}"
        if tensor.attrs["units"] != first.attrs["units"]:
            raise TrialsError(f"{who} are in {first.attrs['units']} and {tensor.attrs['units']}; pool them apart")
        if tensor.sizes["time"] != first.sizes["time"] or not np.allclose(tensor["time"], first["time"], atol=1e-6):
            raise TrialsError(f"{who} have different time bins; align them alike before pooling")
    classes = pd.concat([t.coords.to_dataset()[["stimulus", "class"]].to_dataframe() for t in tensors])
    for stimulus, found in classes.groupby("stimulus")["class"].unique().items():
        if len(found) > 1:
            raise TrialsError(
                f"stimulus {stimulus!r} is of class {found[0]!r} in one session and {found[1]!r} in another"
            )


def _presentations(tensors: Sequence[xr.DataArray]) -> list[np.ndarray]:
    """For each session, the (n_trials,) positions of the trials that are joined."""
    rows = [
        {name: np.flatnonzero(t["stimulus"].values == name) for name in np.unique(t["stimulus"].values.astype(str))}
        for t in tensors
    ]
    common = sorted(set.intersection(*(set(own) for own in rows)))
    if not common:
        raise TrialsError(f"no stimulus is common to all {len(tensors)} sessions; they cannot be pooled")
    fewest = {name: min(len(own[name]) for own in rows) for name in common}
    return [np.concatenate([own[name][: fewest[name]] for name in common]) for own in rows]
