"""Do units fluctuate together from trial to trial, beyond what the stimulus makes them do?"""

import numpy as np

from piriform.errors import MeasureError
from piriform.splits import time_blocks

#: Trials beyond those that the fit uses up; with fewer, correlations come out too near 0.
MIN_FREEDOM = 10
#: Trials that a part of the session needs for a level and a trend of its own.
MIN_BLOCK = 10
#: Residuals smaller than this share of the responses are rounding.
ROUNDING = 1e-9


def noise_correlation(responses: np.ndarray, stimuli: np.ndarray, *, n_blocks: int = 6) -> float:
    """Return the mean correlation of pairs of units within stimulus, slow drift taken out.

    The responses of each unit are fitted by a mean per stimulus and, in each of ``n_blocks`` contiguous parts, a level
    and a linear trend; the residuals e give r_ij = sum e_i e_j / sqrt(sum e_i^2 sum e_j^2), averaged over pairs (Cohen
    & Kohn 2011, Nat Neurosci 14:811). Residuals are pooled over stimuli and not z-scored within each, as the SD of a
    few trials is so uncertain that correlations shrink; a stimulus with one trial adds nothing. Without the fit in
    time, drift that units share, of arousal or of the electrode, is counted as correlation; what fluctuates faster than
    a part of the session still is. Null value 0 (units that are independent given the stimulus) at any number of units.
    With f trials beyond the parameters of the fit r is too small by about r (1 - r^2) / 2f, and the noise of few spikes
    weakens it (it rises with rates and with the length of the window): compare matched counts at similar rates.

    Parameters
    ----------
    responses : (n_trials, n_units) array, trials in order of time
    stimuli : (n_trials,) names or codes
    n_blocks : parts with a level and trend of their own; fewer where a part would have under ``MIN_BLOCK`` trials

    Returns
    -------
    number in [-1, 1]

    Raises
    ------
    MeasureError
        If fewer than ``MIN_FREEDOM`` trials are left beyond the parameters of the fit, or fewer than 2 units vary.

    Examples
    --------
    >>> e = np.tile([1.0, -1.0, -1.0, 1.0], 4)
    >>> x = np.column_stack([e, 3 * e, -e]) + np.repeat([0.0, 7.0], 8)[:, None]
    >>> round(noise_correlation(x, np.repeat(["a", "b"], 8), n_blocks=1), 3)  # pairs 1, -1, -1
    -0.333
    """
    residuals, freedom = _residuals(np.asarray(responses, dtype=float), stimuli, n_blocks)
    if freedom < MIN_FREEDOM:
        raise MeasureError(
            f"needs {MIN_FREEDOM} trials more than stimuli and parameters of drift, this draw has {freedom} more"
        )
    size = np.sqrt((residuals**2).sum(axis=0))
    varies = size > ROUNDING * np.linalg.norm(responses, axis=0)
    if varies.sum() < 2:
        raise MeasureError(f"needs 2 units that vary within stimuli, this draw has {int(varies.sum())}")

    scored = residuals[:, varies] / size[varies]
    n_units = scored.shape[1]
    return float(((scored.sum(axis=1) ** 2).sum() - n_units) / (n_units * (n_units - 1)))


def _residuals(responses: np.ndarray, stimuli: np.ndarray, n_blocks: int) -> tuple[np.ndarray, int]:
    """Responses minus their fit by stimulus, level and trend, and the trials beyond its parameters.

    A stimulus with one trial is fitted by its own mean; these trials, whose residuals are 0, are left out.
    """
    _, codes, counts = np.unique(stimuli, return_inverse=True, return_counts=True)
    block = time_blocks(len(codes), max(1, min(n_blocks, len(codes) // MIN_BLOCK)))
    kept = counts[codes] > 1
    codes, block, time = codes[kept], block[kept], np.linspace(-1.0, 1.0, len(codes))[kept]
    stimulus, level = ((names[:, None] == np.unique(names)).astype(float) for names in (codes, block))
    mean_time = level.T @ time / np.maximum(level.sum(axis=0), 1)
    design = np.hstack([stimulus, level, level * (time[:, None] - mean_time)])
    fitted, _, rank, _ = np.linalg.lstsq(design, responses[kept], rcond=None)
    return responses[kept] - design @ fitted, len(design) - int(rank)
