"""Which trials does a stimulus TimeSeries tell: when did it take on which value?"""

from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import StudyError
from piriform.nwb.clock import sample_times
from piriform.nwb.columns import plain

#: A signal of more values than this is no label; it has to be cut by a threshold first.
MAX_VALUES = 100


def stimulus_trials(series: Any, where: str, *, events: str) -> pd.DataFrame:
    """Return the events of a stimulus series.

    Parameters
    ----------
    series : TimeSeries whose value is the label of the stimulus, 0 (or missing) while there is none;
        of an AnnotationSeries every sample is an event, of an IntervalSeries every positive value,
        which lasts until the same value comes with a minus
    events : "changes": an event begins where the value changes to another one that is not 0, and
        lasts until it changes again; "samples": every sample that is not 0 is an event

    Returns
    -------
    DataFrame with ``start_time``, ``stop_time`` (s) and ``value``, one row per event. A stimulus that
    is on in the first sample has no ``start_time``.

    Raises
    ------
    StudyError
        If there is more than one value per sample, a series of changes is never 0, both 0 and missing
        values occur in it, or it holds more than 100 values (a signal, not a label).
    """
    values = np.asarray(series.data[:])
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1:
        raise StudyError(f"{where}: data have shape {values.shape}; expected one value per sample")
    times = sample_times(series, len(values), where, repeats=True)
    if values.dtype.kind in "SUO":
        return _samples(np.array([plain(value) for value in values], dtype=object), times)
    values = _scaled(series, values)
    if series.neurodata_type == "IntervalSeries":
        return _intervals(values, times)
    if len(np.unique(values[np.isfinite(values)])) > MAX_VALUES:
        raise StudyError(
            f"{where}: more than {MAX_VALUES} different values; expected labels, 0 while there is no stimulus "
            "(trials.series takes no threshold: write the onsets as a table of intervals)"
        )
    return _samples(values, times) if events == "samples" else _changes(values, times, where)


def _scaled(series: Any, values: np.ndarray) -> np.ndarray:
    factor, offset = (1.0 if series.conversion is None else float(series.conversion)), float(series.offset or 0.0)
    return values.astype(float) * factor + offset


def _changes(values: np.ndarray, times: np.ndarray, where: str) -> pd.DataFrame:
    missing = np.isnan(values)
    if (values == 0).any() and missing.any():
        raise StudyError(f"{where}: both 0 and missing values; it is not clear which of them mean no stimulus")
    values = np.where(missing, 0.0, values)
    if len(values) and not (values == 0).any():
        raise StudyError(
            f"{where}: its value is never 0, so a change does not say where a stimulus begins; "
            "if every sample is an event, set trials.series_events to samples"
        )
    first = np.flatnonzero(np.diff(values, prepend=0.0))
    ends = np.append(times[first[1:]], times[-1:]) if len(first) else np.empty(0)
    table = _table(times[first], ends, values[first])
    if len(first) and first[0] == 0:
        table.loc[0, "start_time"] = np.nan
    return table[table["value"] != 0].reset_index(drop=True)


def _samples(values: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    table = _table(times, times, values)
    return table[table["value"].notna() & ~table["value"].isin([0, ""])].reset_index(drop=True)


def _intervals(values: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """Each positive value begins an interval, which the next sample of the same size ends."""
    begins = np.flatnonzero(values > 0)
    nexts = [begin + 1 + np.flatnonzero(np.abs(values[begin + 1 :]) == values[begin]) for begin in begins]
    ends = [
        times[later[0]] if len(later) and values[later[0]] < 0 else np.nan for later in nexts
    ]  # an interval that begins again before it has ended has no end
    return _table(times[begins], np.array(ends, dtype=float), values[begins])


def _table(start: np.ndarray, stop: np.ndarray, value: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"start_time": start, "stop_time": stop, "value": value})
