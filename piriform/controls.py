"""How far apart are the classes once unit count, drift, stimulus difficulty and firing rate can no longer tell them apart?

One estimator, four controls that can be switched on one after the other. The difference between the
mean responses to target and nontarget is estimated in disjoint parts of the session; products of two
parts are unbiased for its square, so that the null value is 0 whatever the number of trials
(Walther et al. 2016, NeuroImage 137:188). What each control changes:

=============  ================================================  =======================================
control        without                                           with
=============  ================================================  =======================================
units          summed over units                                 mean over units
drift          parts interleaved over the session                contiguous blocks, each with a level and
                                                                 a linear trend of its own
composition    nontarget trials as they come                     strata of nontargets, in fixed shares
gain           squared difference over noise variance            squared difference over squared rate
=============  ================================================  =======================================
"""

from collections.abc import Sequence

import numpy as np

from piriform.decode import ratio

#: In the order in which the ladder adds them.
CONTROLS = ("units", "drift", "composition", "gain")
LADDER = tuple(CONTROLS[:rung] for rung in range(len(CONTROLS) + 1))
#: spikes/s; units that fire less than this weigh little, as their relative rate change is hardly known.
HALF_WEIGHT = 1.0
#: Steps of this share deal trials evenly to interleaved parts, in step with no periodic order of stimuli.
GOLDEN = (5**0.5 - 1) / 2
#: Numbers held at once.
AT_ONCE = 20_000_000


def controlled_separation(
    responses: np.ndarray,
    strata: np.ndarray,
    *,
    mix: Sequence[float],
    controls: Sequence[str] = CONTROLS,
    n_blocks: int = 6,
) -> np.ndarray:
    """Return the cross-validated squared separation of target and nontarget under some of the controls.

    With delta_b the difference of the class means of a unit in block b and a_b its precision,
    ``d2 = sum_{b != c} a_b a_c delta_b delta_c / sum_{b != c} a_b a_c``; with several strata of
    nontargets, ``d2 = sum_{o, p} mix_o mix_p d2_op`` of the differences to each stratum. With ``gain``
    the result is ``sum_i w_i d2_i / m_i^2 / sum_i w_i``, m the unit's mean rate over both classes and
    ``w = m / (m + 1 spike/s)``: the mean squared relative rate difference, which a gain that multiplies
    all rates leaves as it is. (Thinning spike counts to a common rate gives the same value in
    expectation: d2 and m^2 shrink alike.) Without ``gain``, d2 is in units of the unit's noise variance
    about class mean, block level and trend.

    Parameters
    ----------
    responses : (n_trials, n_units) array
        Trials in order of time; spikes/s where ``gain`` is controlled.
    strata : (n_labellings, n_trials) int array
        0 target, 1 .. n_strata nontargets, -1 takes no part; row 0 the truth.
    mix : (n_strata,) shares of the strata, adding up to 1
    controls : some of ``CONTROLS``
    n_blocks : parts of the session

    Returns
    -------
    (n_labellings,) array; null value 0. NaN where a stratum has trials, together with the target, in
    fewer than 2 blocks, or no unit responds.

    Examples
    --------
    >>> x = np.array([[4.0], [2.0], [4.0], [2.0], [4.0], [2.0], [4.0], [2.0]])
    >>> labels = np.array([[0, 1, 0, 1, 0, 1, 0, 1]])
    >>> round(float(controlled_separation(x, labels, mix=[1.0], n_blocks=2)[0]), 3)  # (2 / 3)^2
    0.444
    """
    if "composition" not in controls:
        strata, mix = np.minimum(strata, 1), [1.0]
    rows = max(1, AT_ONCE // (n_blocks * (len(mix) + 1) * max(responses.shape[1], 1)))
    parts = [
        _separation(responses, strata[first : first + rows], np.asarray(mix, float), controls, n_blocks)
        for first in range(0, len(strata), rows)
    ]
    return np.concatenate(parts)


def _separation(
    responses: np.ndarray, strata: np.ndarray, mix: np.ndarray, controls: Sequence[str], n_blocks: int
) -> np.ndarray:
    squares, noise = _squared_differences(responses, strata, mix, n_blocks, drift="drift" in controls)
    if "gain" in controls:
        rate = _balanced_mean(responses, strata, mix)
        weight = np.divide(rate, rate + HALF_WEIGHT, out=np.zeros_like(rate), where=rate > 0)
        relative = np.divide(squares, rate**2, out=np.zeros_like(rate), where=rate > 0)
        return ratio((weight * relative).sum(axis=1), weight.sum(axis=1)) + 0.0 * squares.sum(axis=1)
    known = noise > 1e-12
    total = np.divide(squares, noise, out=np.zeros_like(squares), where=known).sum(axis=1) + 0.0 * squares.sum(axis=1)
    return ratio(total, known.sum(axis=1)) if "units" in controls else np.where(known.any(axis=1), total, np.nan)


def _squared_differences(
    responses: np.ndarray, strata: np.ndarray, mix: np.ndarray, n_blocks: int, *, drift: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Unbiased squared difference and noise variance of each unit, (n_labellings, n_units) each."""
    n_trials, n_units = responses.shape
    order, time = np.arange(n_trials), np.linspace(-1, 1, n_trials)
    block_of = order * n_blocks // max(n_trials, 1) if drift else (order * GOLDEN % 1 * n_blocks).astype(int)
    shape = (len(strata), len(mix))
    sums, products = np.zeros((*shape, n_units)), np.zeros((*shape, len(mix), n_units))
    weights, weight_products = np.zeros(shape), np.zeros((*shape, len(mix)))
    squares, freedom = np.zeros((len(strata), n_units)), np.zeros(len(strata))
    for block in range(n_blocks):
        inside = block_of == block
        delta, weight, residual, n_free = _block(
            responses[inside], strata[:, inside], time[inside] if drift else None, len(mix)
        )
        weighted = weight[..., None] * delta
        sums, weights = sums + weighted, weights + weight
        products += weighted[:, :, None] * weighted[:, None]
        weight_products += weight[:, :, None] * weight[:, None]
        squares, freedom = squares + residual, freedom + n_free
    pairs = weights[:, :, None] * weights[:, None] - weight_products
    crossed = sums[:, :, None] * sums[:, None] - products
    share = mix[:, None] * mix
    lost = ((pairs <= 1e-12) & (share > 0)).any(axis=(1, 2))
    scaled = np.divide(share, pairs, out=np.zeros_like(pairs), where=pairs > 1e-12)
    total = np.einsum("lop,lopu->lu", scaled, crossed)
    total[lost] = np.nan
    return total, squares / np.maximum(freedom, 1)[:, None]


def _block(
    responses: np.ndarray, strata: np.ndarray, time: np.ndarray | None, n_strata: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Differences of target to each stratum in one block, their precisions, residual squares, degrees of freedom."""
    member = (strata[:, None] == np.arange(n_strata + 1)[:, None]).astype(float)
    counts = member.sum(axis=2)
    centre = responses.mean(axis=0)
    means = member @ (responses - centre) / np.maximum(counts, 1)[..., None]
    part = strata >= 0
    squares = part.astype(float) @ (responses - centre) ** 2 - (counts[..., None] * means**2).sum(axis=1)
    freedom = counts.sum(axis=1) - (counts > 0).sum(axis=1)
    if time is not None:
        mean_time = member @ time / np.maximum(counts, 1)
        own_time = np.where(part, time - np.take_along_axis(mean_time, strata.astype(np.intp), axis=1), 0.0)
        spread = (own_time**2).sum(axis=1)[:, None]
        slope = np.divide(own_time @ (responses - centre), spread, out=np.zeros_like(squares), where=spread > 1e-12)
        means = means - mean_time[..., None] * slope[:, None]
        squares, freedom = squares - slope**2 * spread, freedom - (spread[:, 0] > 1e-12)
    both = (counts[:, :1] > 0) & (counts[:, 1:] > 0)
    inverse = 1 / np.maximum(counts[:, :1], 1) + 1 / np.maximum(counts[:, 1:], 1)
    return means[:, :1] - means[:, 1:], np.where(both, 1 / inverse, 0.0), np.maximum(squares, 0.0), freedom


def _balanced_mean(responses: np.ndarray, strata: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Mean of the target's and the nontargets' mean response, the latter in the shares of the mix."""
    member = (strata[:, None] == np.arange(len(mix) + 1)[:, None]).astype(float)
    means = member @ responses / np.maximum(member.sum(axis=2), 1)[..., None]
    return 0.5 * means[:, 0] + 0.5 * np.einsum("o,lou->lu", mix, means[:, 1:])
