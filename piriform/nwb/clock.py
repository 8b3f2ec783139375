"""When was each sample of a time series taken?"""

from typing import Any

import numpy as np

from piriform.errors import StudyError
from piriform.nwb.columns import real_numbers

#: Times this much later than the end of the last trial are not in seconds.
TOO_LATE = 50


def sample_times(series: Any, n_times: int, where: str, *, repeats: bool = False) -> np.ndarray:
    """Return the times of the samples of a TimeSeries, s from the session's start.

    Parameters
    ----------
    n_times : number of samples
    where : names the file and the series in errors
    repeats : whether two samples may have the same time

    Returns
    -------
    (n_times,) array

    Raises
    ------
    StudyError
        If there are neither timestamps nor a rate, or timestamps are missing, of another number, or
        do not increase.
    """
    if series.timestamps is None:
        if not series.rate:
            raise StudyError(f"{where}: neither timestamps nor a rate; its samples have no time")
        start, rate = float(series.starting_time or 0.0), float(series.rate)
        if not (np.isfinite(start) and 0 < rate < np.inf):
            raise StudyError(
                f"{where}: starts at {start:g} s with {rate:g} samples/s; expected a time and a positive rate"
            )
        return start + np.arange(n_times) / rate
    times = real_numbers(series.timestamps, f"{where}: timestamps").astype(float, copy=False)
    if times.shape != (n_times,):
        raise StudyError(f"{where}: {len(times)} timestamps for {n_times} samples")
    steps = np.diff(times)
    if not (np.isfinite(times).all() and ((steps >= 0) if repeats else (steps > 0)).all()):
        raise StudyError(f"{where}: timestamps are missing or do not increase")
    return times


def check_seconds(last: float, session_end: float, what: str) -> None:
    """Refuse times that reach far beyond the last trial: they are not in seconds."""
    if last > TOO_LATE * session_end:
        raise StudyError(f"{what} reach {last:g}, the last trial ends at {session_end:g} s; times must be in seconds")
