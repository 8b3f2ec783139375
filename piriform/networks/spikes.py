"""How noisy would a network's activity be if its units spiked? Counts with the moments of recordings."""

from dataclasses import dataclass

import numpy as np

from piriform.errors import ConfigError
from piriform.simulate.activity import FANO_WINDOW, MAX_DISPERSION


@dataclass(frozen=True)
class SpikeNoise:
    """The rates and noise of spiking units; the defaults are those of the simulated recordings.

    Attributes
    ----------
    baseline_rate : spikes/s that every unit adds to its drive
    evoked_rate : mean rate above baseline over all trials and units of a session, spikes/s: activity is
        scaled to it in each session, so that a network whose weights grow does not fire more
    fano : Fano factor of the counts of 500 ms for a given rate; 1: Poisson
    trial_gain_sd : SD of the log gain that all units share in a trial
    """

    baseline_rate: float = 1.0
    evoked_rate: float = 2.0
    fano: float = 1.9
    trial_gain_sd: float = 0.24

    def __post_init__(self) -> None:
        if self.baseline_rate < 0 or self.evoked_rate <= 0 or self.fano < 1 or self.trial_gain_sd < 0:
            raise ConfigError(
                f"spiking noise of baseline_rate {self.baseline_rate:g}, evoked_rate {self.evoked_rate:g}, fano "
                f"{self.fano:g}, trial_gain_sd {self.trial_gain_sd:g}: rates must be positive, fano at least 1 and "
                "trial_gain_sd not negative"
            )


def spike_rates(
    activity: np.ndarray, noise: SpikeNoise, *, bin_width: float, n_baseline: int, rng: np.random.Generator
) -> np.ndarray:
    """Return counts / bin width of units whose rates follow the activity.

    The drive of a unit is its activity above its smallest, or above 0 if that is lower, so that
    negative activity (tanh, linear) becomes a rate too. Counts are negative binomial: a gamma
    factor, drawn anew before and after the stimulus begins, as in the simulated recordings.

    Parameters
    ----------
    activity : (n_trials, n_units, n_times) array, the first ``n_baseline`` times before the stimulus
    bin_width : s

    Returns
    -------
    (n_trials, n_units, n_times) array, spikes/s
    """
    drive = activity - np.minimum(activity.min(axis=(0, 2), keepdims=True), 0)
    mean = drive[:, :, n_baseline:].mean()
    gain = np.exp(noise.trial_gain_sd * rng.standard_normal(len(activity)) - noise.trial_gain_sd**2 / 2)
    rate = gain[:, None, None] * (noise.baseline_rate + noise.evoked_rate * drive / (mean if mean > 0 else 1.0))
    parts = [part for part in (rate[:, :, :n_baseline], rate[:, :, n_baseline:]) if part.shape[2]]
    factor = np.concatenate([np.repeat(_factor(part, noise, rng), part.shape[2], axis=2) for part in parts], axis=2)
    counts: np.ndarray = rng.poisson(rate * factor * bin_width)
    return counts / bin_width


def _factor(rate: np.ndarray, noise: SpikeNoise, rng: np.random.Generator) -> np.ndarray:
    """(n_trials, n_units, 1) gamma factor of mean 1 and variance (Fano - 1) / mean count, so that var / mean = Fano."""
    count = np.maximum(FANO_WINDOW * rate.mean(axis=2, keepdims=True), 1e-6)
    dispersion = np.clip((noise.fano - 1) / count, 1e-6, MAX_DISPERSION)
    return rng.gamma(1 / dispersion, dispersion)
