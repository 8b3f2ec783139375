"""How specific is the activity of single units, for classes and for stimuli?

One index of selectivity and one of sparseness serve networks and recordings. Activity without noise (networks)
goes in as it is: :func:`class_selectivity`, :func:`lifetime_sparseness`. Trials are noisy, and noise makes every unit look selective
and sparse; here the same indices are made of products and differences of different trials, which noise does not
move on average. Without noise both ways give the same number.
"""

from collections.abc import Sequence

import numpy as np

from piriform.arrays import as_samples, class_codes, divided
from piriform.errors import MeasureError
from piriform.geometry import fold_sums

#: Class means that differ by less than this share are equal; a tie is no preference.
TIE = 1e-9


def selectivity_of(means: np.ndarray) -> np.ndarray:
    """Return the class selectivity of units, (mu_max - mu_rest) / (mu_max + mu_rest).

    mu_max is the largest class mean of a unit, mu_rest the mean of its other class means (Morcos et al. 2018,
    arXiv:1803.06959).

    Parameters
    ----------
    means : (..., n_classes, n_units) array of class means

    Returns
    -------
    (..., n_units) array in [0, 1]; NaN for silent units and for units with a negative class mean, whose ratio
    has no meaning

    Examples
    --------
    >>> selectivity_of(np.array([[3.0, 0.0, 2.0], [1.0, 0.0, 0.0]])).tolist()
    [0.5, nan, 1.0]
    """
    largest = means.max(axis=-2)
    rest = (means.sum(axis=-2) - largest) / (means.shape[-2] - 1)
    return np.where((means >= 0).all(axis=-2), divided(largest - rest, largest + rest), np.nan)


def sparseness_of(square_of_mean: np.ndarray, mean_square: np.ndarray, n: int) -> np.ndarray:
    """Return the sparseness (1 - (mean r)^2 / mean r^2) / (1 - 1/n) of activity r in n places.

    Vinje & Gallant 2000 (Science 287:1273), after Rolls & Tovee 1995 (J Neurophysiol 73:713). 0 for equal activity
    everywhere, 1 for activity in one place only.

    Returns
    -------
    array of the shape of the moments; NaN where the mean square is 0 and for n = 1

    Examples
    --------
    >>> sparseness_of(np.array([1.0, 0.25]), np.array([1.0, 0.5]), 2).tolist()
    [0.0, 1.0]
    """
    evenness = divided(square_of_mean, mean_square)
    return divided(1.0 - evenness, np.full(evenness.shape, 1.0 - 1.0 / n))


def class_selectivity(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the class selectivity of every unit from its activity in samples; see :func:`selectivity_of`.

    0 for a unit that answers all classes alike, 1 for one that answers a single class.

    Parameters
    ----------
    features : (..., n_samples, n_units) array of activity >= 0
    labels : (n_samples,) names or codes

    Returns
    -------
    (..., n_units) array, as of :func:`selectivity_of`

    Examples
    --------
    >>> class_selectivity(np.array([[3.0, 0.0, 2.0], [1.0, 0.0, 0.0]]), np.array([0, 1])).tolist()
    [0.5, nan, 1.0]
    """
    x = as_samples(features, "features")
    codes = class_codes(labels, x.shape[-2])
    member = (codes == np.arange(codes.max() + 1)[:, None]).astype(float)
    return selectivity_of(member @ x / member.sum(axis=1, keepdims=True))


def lifetime_sparseness(features: np.ndarray) -> np.ndarray:
    """Return the sparseness of every unit over samples; see :func:`sparseness_of`.

    0 for equal activity in all samples, 1 for activity in one only.

    Parameters
    ----------
    features : (..., n_samples, n_units) array, best the mean activity per stimulus

    Returns
    -------
    (..., n_units) array in [0, 1]; NaN for silent units and for a single sample

    Examples
    --------
    >>> lifetime_sparseness(np.array([[1.0, 4.0, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [0.0, 1.0, nan]
    """
    return _of_activity(as_samples(features, "features"), axis=-2)


def population_sparseness(features: np.ndarray) -> np.ndarray:
    """Return the sparseness of every sample over units; see :func:`lifetime_sparseness`.

    Returns
    -------
    (..., n_samples) array in [0, 1]; NaN for silent samples and for a single unit

    Examples
    --------
    >>> population_sparseness(np.array([[1.0, 1.0], [4.0, 0.0]])).tolist()
    [0.0, 1.0]
    """
    return _of_activity(as_samples(features, "features"), axis=-1)


def heldout_selectivity(
    responses: np.ndarray, codes: np.ndarray, folds: np.ndarray, *, classes: Sequence[int]
) -> np.ndarray:
    """Return the class selectivity of units, the preferred class chosen by trials other than those that are compared.

    For each fold, (mu_best - mu_rest) / (nu_best + nu_rest), averaged over folds: best is the class with the largest mean
    outside the fold, rest the mean of the other classes, mu are means of the fold and nu those outside it. Null value 0,
    at any number of classes, trials and spikes: a unit without a preference gains nothing by one chosen elsewhere.
    :func:`selectivity_of` takes the largest mean of the same trials and is above 0 whatever the unit does (.13 in 10
    trials per class of units of 4 spikes/s in .5 s). A weak preference is often chosen wrongly, which makes the value of
    such units too small (.15, .18, .20 in 10, 20, 50 trials per class where .20 is true): compare matched counts.

    Parameters
    ----------
    responses : (n_trials, n_units) array of activity >= 0
    codes : (n_trials,) class of each trial
    folds : (n_trials,) fold of each trial; -1 takes no part
    classes : the codes of the classes

    Returns
    -------
    (n_units,) array, at most 1 and at least -1 but for the noise of units with few spikes; NaN for silent units

    Raises
    ------
    MeasureError
        If activity is negative somewhere.

    Examples
    --------
    >>> x, y = np.array([[3.0, 1.0], [3.0, 2.0], [1.0, 2.0], [1.0, 1.0]]), np.array([0, 0, 1, 1])
    >>> heldout_selectivity(x, y, np.array([0, 1, 0, 1]), classes=[0, 1]).round(3).tolist()
    [0.5, -0.333]
    """
    check_activity(responses)

    sums, counts = (part[:, :, 0] for part in fold_sums(responses, codes[None], folds[None], classes))
    inside = sums / counts[..., None]
    outside = (sums.sum(axis=0) - sums) / (counts.sum(axis=0) - counts)[..., None]
    share = (outside >= (1 - TIE) * outside.max(axis=1, keepdims=True)).astype(float)
    share /= share.sum(axis=1, keepdims=True)
    (best, rest), (best_outside, rest_outside) = (_best_and_rest(means, share) for means in (inside, outside))
    size = best_outside + rest_outside
    # where all is silent outside a fold there is no preference
    value = np.divide(best - rest, size, out=np.zeros_like(size), where=size > 0).mean(axis=0)
    return np.where(sums.any(axis=(0, 1)), value, np.nan)


def stimulus_sparseness(responses: np.ndarray, stimuli: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how sparse units are over stimuli (lifetime) and stimuli over units (population).

    :func:`sparseness_of` the mean responses r to the stimuli, without the bias of noise: r^2 is the mean product of
    the unit's responses in two different trials of the stimulus, and products of two stimuli or two units contain
    noise of different trials alone. The plain index of trial means rises with the noise, and so would change with rates
    and trials: of 2000 Poisson units of mean .5 (2, 8) spikes/s, 20 stimuli, 2 trials each in .5 s, true lifetime
    sparseness .48, it makes .76 (.59, .51), this one .43 (.44, .48). What is left is the bias of a ratio, towards 0
    where spikes are few: compare matched counts. Stimuli with one trial are left out. Values of units (stimuli) that
    hardly respond can be far off and are held within [-1, 1].

    Parameters
    ----------
    responses : (n_trials, n_units) array of activity >= 0
    stimuli : (n_trials,) names or codes

    Returns
    -------
    lifetime : (n_units,) array, over stimuli
    population : (n_stimuli,) array, over units, for the stimuli with 2 trials or more in order of their names
        0 for equal activity, 1 for activity in one place; NaN where the estimated mean square is not above 0, and
        everywhere if there is one stimulus (lifetime) or one unit (population)

    Raises
    ------
    MeasureError
        If activity is negative somewhere, or fewer than 2 stimuli have 2 trials.

    Examples
    --------
    >>> x, s = np.array([[4.0, 2.0], [4.0, 2.0], [0.0, 2.0], [0.0, 2.0]]), np.array(["a", "a", "b", "b"])
    >>> [part.round(3).tolist() for part in stimulus_sparseness(x, s)]
    [[1.0, 0.0], [0.2, 1.0]]
    """
    check_activity(responses)
    _, codes, counts = np.unique(stimuli, return_inverse=True, return_counts=True)
    if (counts > 1).sum() < 2:
        raise MeasureError(f"needs 2 stimuli with 2 trials each, this draw has {(counts > 1).sum()} of them")

    x, member = responses.astype(float), (codes == np.flatnonzero(counts > 1)[:, None]).astype(float)
    n = counts[counts > 1][:, None]
    sums = member @ x
    squares = (sums**2 - member @ x**2) / (n * (n - 1))
    over_units = sums.sum(axis=1, keepdims=True)
    total = (over_units**2 - member @ x.sum(axis=1, keepdims=True) ** 2) / (n * (n - 1))
    means, (n_stimuli, n_units) = sums / n, sums.shape
    crossed = means.sum(axis=0) ** 2 - (means**2).sum(axis=0) + squares.sum(axis=0)
    lifetime = _bounded(crossed / n_stimuli**2, squares.mean(axis=0), n_stimuli)
    return lifetime, _bounded(total[:, 0] / n_units**2, squares.mean(axis=1), n_units)


def _best_and_rest(means: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the preferred class, (n_folds, n_units), and that of the others; ``share`` names the preferred one."""
    best = (share * means).sum(axis=1)
    return best, (means.sum(axis=1) - best) / (means.shape[1] - 1)


def check_activity(responses: np.ndarray) -> None:
    """Raise unless activity is nowhere below 0.

    Raises
    ------
    MeasureError
        If it is: a ratio of responses of either sign has no meaning.
    """
    if (responses < 0).any():
        raise MeasureError("needs activity that is never below 0, such as spikes/s; some responses are negative")


def _of_activity(activity: np.ndarray, *, axis: int) -> np.ndarray:
    """The sparseness of noise-free activity along an axis."""
    return sparseness_of(activity.mean(axis=axis) ** 2, np.mean(activity**2, axis=axis), activity.shape[axis])


def _bounded(square_of_mean: np.ndarray, mean_square: np.ndarray, n: int) -> np.ndarray:
    known = np.where(mean_square > 0, mean_square, 0.0)
    return np.clip(sparseness_of(square_of_mean, known, n), -1.0, 1.0)
