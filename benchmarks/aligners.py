"""How does each package cut spikes and traces into bins around events? And what is right?

Spikes and events lie on the clock of a recording at 30 kHz, so that bins of 20 ms begin exactly on a sample
and what is right can be counted in whole numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

CLOCK = 30_000  # samples per s
WINDOW, BIN = (-0.5, 2.0), 0.02  # s
N_BINS = 125
TRIAL_EVERY = 6  # s


@dataclass(frozen=True)
class Session:
    """A made-up session: spike times per unit and events, in samples and in s."""

    samples: list[np.ndarray]
    event_samples: np.ndarray

    @property
    def spikes(self) -> list[np.ndarray]:
        """Spike times per unit, s."""
        return [one / CLOCK for one in self.samples]

    @property
    def events(self) -> np.ndarray:
        """Times of the events, s."""
        return self.event_samples / CLOCK

    @property
    def duration(self) -> float:
        """Seconds recorded."""
        return float(len(self.event_samples) * TRIAL_EVERY)


def session(n_units: int, n_spikes: int, n_trials: int, *, only: int | None = None) -> Session:
    """Return a session of ``n_spikes`` in total; of its units the first ``only``."""
    rng = np.random.default_rng(0)
    every = TRIAL_EVERY * CLOCK
    events = every * np.arange(n_trials) + CLOCK + rng.integers(0, CLOCK, n_trials)
    n_each = n_spikes // n_units
    samples = [np.sort(rng.integers(0, n_trials * every, n_each)) for _ in range(min(n_units, only or n_units))]
    return Session(samples, events)


def right_counts(one: Session) -> np.ndarray:
    """Return (n_trials, n_units, n_bins) spikes per bin [a, b), counted in samples."""
    first, width = round(WINDOW[0] * CLOCK), round(BIN * CLOCK)
    edges = one.event_samples[:, np.newaxis] + first + width * np.arange(N_BINS + 1)
    return np.stack([np.diff(np.searchsorted(samples, edges), axis=1) for samples in one.samples], axis=1)


# Spikes: each returns a tensor, and from it the counts (n_trials, n_units, n_bins) ----------------


def piriform(spikes: list[np.ndarray], events: np.ndarray, duration: float) -> np.ndarray:
    """Align with this package."""
    from piriform.align import align_spikes

    return align_spikes(spikes, events, window=WINDOW, bin_width=BIN)


def search(spikes: list[np.ndarray], events: np.ndarray, duration: float) -> np.ndarray:
    """Look up all edges of all trials, unit by unit."""
    edges = events[:, np.newaxis] + WINDOW[0] + BIN * np.arange(N_BINS + 1)
    rates = np.empty((len(events), len(spikes), N_BINS), dtype=np.float32)
    for unit, times in enumerate(spikes):
        rates[:, unit] = np.diff(np.searchsorted(times, edges), axis=1) / BIN
    return rates


def histogram(spikes: list[np.ndarray], events: np.ndarray, duration: float) -> np.ndarray:
    """Make a histogram per unit and trial."""
    edges = np.linspace(*WINDOW, N_BINS + 1)
    rates = np.empty((len(events), len(spikes), N_BINS), dtype=np.float32)
    for unit, times in enumerate(spikes):
        for trial, event in enumerate(events):
            rates[trial, unit] = np.histogram(times - event, edges)[0] / BIN
    return rates


def pynapple_tensor(spikes: list[np.ndarray], events: np.ndarray, duration: float) -> np.ndarray:
    """Align with pynapple's build_tensor, on a time support that covers the session."""
    import pynapple

    group = _group(spikes, duration)
    windows = pynapple.IntervalSet(events + WINDOW[0], events + WINDOW[1])
    return np.asarray(pynapple.build_tensor(group, windows, bin_size=BIN))


def pynapple_perievent(spikes: list[np.ndarray], events: np.ndarray, duration: float) -> np.ndarray:
    """Align with pynapple's compute_perievent, then count in bins."""
    import pynapple

    whole = pynapple.IntervalSet(0, duration)
    around = pynapple.compute_perievent(_group(spikes, duration), pynapple.Ts(events, time_support=whole), WINDOW)
    window = pynapple.IntervalSet(*WINDOW)
    return np.stack([around[unit].count(BIN, window).values.T for unit in around])


def _group(spikes: list[np.ndarray], duration: float) -> Any:
    import pynapple

    whole = pynapple.IntervalSet(0, duration)
    return pynapple.TsGroup(
        {unit: pynapple.Ts(times, time_support=whole) for unit, times in enumerate(spikes)}, time_support=whole
    )


#: Name, how to align, and whether the tensor holds counts (n_units, n_trials, n_bins) instead of rates.
SPIKES: Mapping[str, tuple[Callable[..., np.ndarray], bool]] = {
    "piriform align_spikes": (piriform, False),
    "np.searchsorted per unit": (search, False),
    "np.histogram per unit and trial": (histogram, False),
    "pynapple build_tensor": (pynapple_tensor, True),
    "pynapple compute_perievent": (pynapple_perievent, True),
}


def n_misplaced(name: str, tensor: np.ndarray, one: Session) -> int:
    """Return how many spikes a method put into another bin than the right one, or into none."""
    counts = tensor.transpose(1, 0, 2) if SPIKES[name][1] else np.rint(tensor * BIN)
    return int(np.abs(counts - right_counts(one)).sum() + 1) // 2


# Traces -------------------------------------------------------------------------------------------


def piriform_traces(data: np.ndarray, times: np.ndarray, events: np.ndarray, bin_width: float) -> np.ndarray:
    """Average with this package."""
    from piriform.align import align_traces

    return align_traces(data, times, events, window=WINDOW, bin_width=bin_width)


def mean_traces(data: np.ndarray, times: np.ndarray, events: np.ndarray, bin_width: float) -> np.ndarray:
    """Average all ROIs, bin by bin and trial by trial."""
    n_bins = round((WINDOW[1] - WINDOW[0]) / bin_width)
    means = np.full((len(events), data.shape[1], n_bins), np.nan, dtype=np.float32)
    for trial, event in enumerate(events):
        first = np.searchsorted(times, event + WINDOW[0] + bin_width * np.arange(n_bins + 1) - 1e-9)
        for number, (start, stop) in enumerate(pairwise(first)):
            if start < stop:
                means[trial, :, number] = np.nanmean(data[start:stop], axis=0)
    return means


TRACES: Mapping[str, Callable[..., np.ndarray]] = {
    "piriform align_traces": piriform_traces,
    "np.nanmean per trial and bin": mean_traces,
}
