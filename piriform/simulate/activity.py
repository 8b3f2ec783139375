"""How do simulated units answer? Rates, tuning and noise of one session, as counts or as spike trains.

The log rate of unit i in trial k is::

    log b_i + g_k + d_ik + e(t) [o_i + mean over odorants c of the mixture of w_ic + s t_i a_k]

with baseline rate b, a gain g shared by all units, slow drift d, the response's envelope e(t),
odour response o, odorant tuning w, signal strength s, the unit's part t in the signal, and
a = 1 for the target, ``overlap_gain`` times the overlap for other mixtures. The effects of a
mixture's odorants are averaged: mixtures do not drive units harder than single odorants. Counts given the rate are
negative binomial: a gamma factor, drawn anew before and after the response begins, keeps the
Fano factor of 500 ms counts at the unit's own value.
"""

from dataclasses import dataclass

import numpy as np

from piriform.simulate.course import SessionTruth
from piriform.simulate.task import N_ODORANTS, ODOR, ONSET
from piriform.simulate.truth import Truth

#: s from odour onset: the response is full in [RISE, FALL), then decays until the odour ends.
RISE, FALL, DECAY = 0.1, 0.6, 0.5
#: s: window to which the Fano factor refers.
FANO_WINDOW = 0.5
#: Largest variance of the gamma factor; a unit that hardly fires is close to Poisson.
MAX_DISPERSION = 6.0
SAMPLING_RATE = 30_000.0
#: Largest log rate change, approached smoothly: no unit fires more than e^2.5 = 12 times its baseline.
MAX_LOG_GAIN = 2.5
_EDGES = np.concatenate([[-ONSET, RISE], np.arange(6, 21) / 10])


@dataclass(frozen=True)
class Activity:
    """What the units of one session would do, before the noise of single spikes.

    Attributes
    ----------
    rate : (n_units,) array
        Baseline rate, spikes/s.
    state : (n_trials, n_units) array
        Factor on all rates of the trial: shared gain and drift.
    log_gain : (n_trials, n_units) array
        Log rate change at the peak of the response.
    fano : (n_units,) array
        Fano factor of 500 ms counts for a given stimulus.
    """

    rate: np.ndarray
    state: np.ndarray
    log_gain: np.ndarray
    fano: np.ndarray


def session_activity(
    truth: Truth, session: SessionTruth, odorants: np.ndarray, *, rng: np.random.Generator
) -> Activity:
    """Draw the units of one session and their rates in each trial.

    Parameters
    ----------
    truth, session : what is true of the study and of this session
    odorants : (n_trials, 3) int array
        The odorants of each trial's mixture; 0, 1, 2 make the target.
    rng : Generator
    """
    n_units = session.n_units
    rate = np.maximum(np.exp(rng.normal(truth.rate_log_mean, truth.rate_log_sd, n_units)) - 0.05, 0.05)
    fano = 1 + (truth.fano - 1) * np.exp(truth.fano_log_sd * rng.standard_normal(n_units))
    tuning = rng.laplace(0, truth.tuning_sd / np.sqrt(2), (N_ODORANTS, n_units))
    odor = truth.odor_sd * rng.standard_normal(n_units)
    part = rng.choice([-1.0, 1.0], n_units) * rng.uniform(0.5, 1.5, n_units) * (rng.random(n_units) < truth.tuned_share)
    overlap = (odorants < 3).sum(axis=1)
    share = np.where(overlap == 3, 1.0, truth.overlap_gain * overlap)
    log_gain = odor + tuning[odorants].mean(axis=1) + session.signal * share[:, None] * part
    return Activity(
        rate=rate * session.rate_factor,
        state=_state(truth, session, len(odorants), rng),
        log_gain=MAX_LOG_GAIN * np.tanh(log_gain / MAX_LOG_GAIN),
        fano=fano,
    )


def spike_counts(
    activity: Activity, edges: np.ndarray, *, rng: np.random.Generator, last_width: np.ndarray | None = None
) -> np.ndarray:
    """Draw spike counts in bins around odour onset.

    Parameters
    ----------
    activity : Activity
    edges : (n_bins + 1,) array
        Ascending, s from odour onset. The rate is taken constant within a bin.
    rng : Generator
    last_width : (n_trials,) array, optional
        Width of the last bin in each trial, s, where it differs between trials.

    Returns
    -------
    (n_trials, n_units, n_bins) int array
    """
    edges = np.asarray(edges, dtype=float)
    centre = (edges[:-1] + edges[1:]) / 2
    mean = activity.rate * activity.state
    factors = [_gamma(activity, gain, rng) for gain in (np.zeros_like(activity.log_gain), activity.log_gain)]
    noise = np.where(centre < RISE, factors[0][..., None], factors[1][..., None])
    width = np.broadcast_to(np.diff(edges), (len(mean), len(centre))).copy()
    if last_width is not None:
        width[:, -1] = last_width
    rate = mean[..., None] * np.exp(activity.log_gain[..., None] * envelope(centre)) * noise
    return rng.poisson(rate * width[:, None, :])


def envelope(time: np.ndarray) -> np.ndarray:
    """Return the time course of the response: 0 before 0.1 s, 1 until 0.6 s, decaying until 2 s.

    Examples
    --------
    >>> envelope(np.array([-0.2, 0.3, 0.6, 1.1, 3.0])).round(2)
    array([0.  , 1.  , 1.  , 0.37, 0.  ])
    """
    decay = np.exp(-np.clip(time - FALL, 0, None) / DECAY)
    return np.where((time >= RISE) & (time < ODOR), decay, 0.0)


def spike_trains(
    activity: Activity, onset: np.ndarray, stop: np.ndarray, *, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draw the spike trains of a whole session.

    Parameters
    ----------
    activity : Activity
    onset, stop : (n_trials,) arrays
        Odour onset and end of each trial, s; trials follow one another without a gap.
    rng : Generator

    Returns
    -------
    list of (n_spikes,) arrays, one per unit, ascending, s
    """
    edges = np.append(_EDGES, _EDGES[-1] + 1)
    last = stop - onset - _EDGES[-1]
    counts = spike_counts(activity, edges, rng=rng, last_width=last)
    width = np.broadcast_to(np.diff(edges), (len(onset), len(edges) - 1)).copy()
    width[:, -1] = last
    trains = []
    for unit in range(counts.shape[1]):
        trial, place = (np.repeat(index, counts[:, unit].ravel()) for index in np.indices(width.shape).reshape(2, -1))
        times = onset[trial] + edges[place] + width[trial, place] * rng.random(len(trial))
        trains.append(np.sort(np.floor(times * SAMPLING_RATE) / SAMPLING_RATE).clip(0))
    return trains


def _state(truth: Truth, session: SessionTruth, n_trials: int, rng: np.random.Generator) -> np.ndarray:
    """(n_trials, n_units) factor on the rates: a gain shared by all units, and each unit's slow drift."""
    gain = truth.trial_gain_sd * rng.standard_normal(n_trials) - truth.trial_gain_sd**2 / 2
    phase = np.pi * (np.arange(n_trials) + 0.5) / n_trials
    waves = np.sqrt(2) * np.stack([np.sqrt(0.8) * np.cos(phase), np.sqrt(0.2) * np.cos(2 * phase)], axis=1)
    drift = session.drift_sd * waves @ rng.standard_normal((2, session.n_units))
    return np.exp(gain[:, None] + drift)


def _gamma(activity: Activity, log_gain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n_trials, n_units) factor of mean 1 and variance (Fano - 1) / mean count, so that var / mean = Fano."""
    mean = FANO_WINDOW * activity.rate * np.exp(log_gain)
    dispersion = np.clip((activity.fano - 1) / mean, 1e-6, MAX_DISPERSION)
    return rng.gamma(1 / dispersion, dispersion)
