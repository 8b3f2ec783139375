"""How far from the decision boundary do trials lie?

``margin_heldout`` follows separability; the published soft margin 1/|w| does not (it falls and then
rises again as classes move apart, and shifts with the number of trials and units), and is reported
because the paper reports it.
"""

import numpy as np

from piriform import solvers
from piriform.errors import MeasureError

#: How strongly the weights of each class are held to a sum of 1, relative to the largest response.
SUMS = 1e3
#: SDs below which a distance between classes is rounding.
SMALLEST = 1e-7


def heldout_margin(distance: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean over the two classes of the held-out signed distance y f(x) / |w|.

    Parameters
    ----------
    distance : (n_labellings, n_trials) array, see :class:`piriform.decode.Scores`; NaN is left out
    labels : (n_labellings, n_trials) array of +1 and -1

    Returns
    -------
    (n_labellings,) array, SDs of the standardised units; null value 0

    Examples
    --------
    >>> heldout_margin(np.array([[1.0, 3.0, -2.0]]), np.array([[1, 1, -1]])).tolist()
    [2.0]
    """
    part = ~np.isnan(distance)
    known = np.where(part, distance, 0.0)
    means = [code * (known * (labels == code)).sum(axis=1) / (part & (labels == code)).sum(axis=1) for code in (1, -1)]
    return np.mean(means, axis=0)


def heldout_margin_quantile(distance: np.ndarray, labels: np.ndarray, quantile: float) -> np.ndarray:
    """Return a quantile of the held-out signed distance y f(x) / |w| over trials.

    Every labelling must hold the same number of trials that take part (not NaN).

    Returns
    -------
    (n_labellings,) array, SDs of the standardised units

    Examples
    --------
    >>> heldout_margin_quantile(np.array([[1.0, 3.0, -2.0]]), np.array([[1, 1, -1]]), 0.5).tolist()
    [2.0]
    """
    signed = distance * labels
    part = ~np.isnan(signed)
    return np.quantile(signed[part].reshape(len(signed), -1), quantile, axis=1)


def soft_margin(responses: np.ndarray, labels: np.ndarray, taking_part: np.ndarray, *, C: float) -> np.ndarray:
    """Return 1/|w| of the squared-hinge linear SVM (LinearSVC) fitted to all trials that take part.

    Units are standardised over these trials. Not cross-validated, and **not monotone** in separability
    (15 units, 200 trials, C = 1: d' 0, 2, 4, 6 give 1.2, .5, .4, .8): never a verdict's metric.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    labels, taking_part : (n_labellings, n_trials) arrays
    C : inverse L2 penalty

    Returns
    -------
    (n_labellings,) array, SDs of the standardised units
    """
    return 1.0 / solvers.fit(responses, labels, taking_part, solver="svm", C=C).norms()


def hard_margin(responses: np.ndarray, labels: np.ndarray) -> float:
    """Return 1/|w| of the linear SVM that errs on no trial: half the distance of the classes' convex hulls.

    Units are standardised over all trials given. The nearest points of the two hulls are found as non-negative least
    squares (Lawson & Hanson 1974, ch. 23; Bennett & Bredensteiner 2000, ICML 57), and the margin is what the hyperplane
    between them gives to the nearest trial of either class, so that it is reached, not only approached.

    Not cross-validated: it grows with the number of units and falls with the number of trials by geometry alone (in
    pure noise, n_trials trials of both classes in many more units: about sqrt(n_units / n_trials)), so that only
    matched counts compare; it hangs on the few trials nearest to the other class. Never a verdict's metric.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    labels : (n_trials,) array of +1 and -1

    Returns
    -------
    number, SDs of the standardised units; NaN where no hyperplane separates the classes

    Raises
    ------
    MeasureError
        If a class is missing, or the search for the nearest points does not end.

    Examples
    --------
    >>> x = np.array([[1.0], [1.0], [-1.0], [-1.0]])  # standardised: the same
    >>> round(hard_margin(x, np.array([1, 1, -1, -1])), 9)
    1.0
    >>> hard_margin(x, np.array([1, -1, 1, -1]))
    nan
    """
    if not ((labels == 1).any() and (labels == -1).any()):
        raise MeasureError("the hard margin needs trials of both classes")
    sd = responses.std(axis=0)
    scored = (responses - responses.mean(axis=0))[:, sd > 1e-9] / sd[sd > 1e-9]
    if not scored.shape[1]:
        return float("nan")
    direction = _between_hulls(scored[labels == 1], scored[labels == -1])
    length = float(np.linalg.norm(direction))
    if length < SMALLEST:
        return float("nan")
    along = scored @ direction / length
    margin = (along[labels == 1].min() - along[labels == -1].max()) / 2
    return float(margin) if margin > SMALLEST else float("nan")


def _between_hulls(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The shortest vector from the convex hull of the second points to that of the first."""
    from scipy.optimize import nnls

    points = np.vstack([first, -second]).T
    scale = np.linalg.norm(points, axis=0).max() or 1.0
    own = np.repeat([[1.0, 0.0], [0.0, 1.0]], [len(first), len(second)], axis=0).T
    target = np.r_[np.zeros(len(points)), SUMS, SUMS]
    try:
        weights, _ = nnls(np.vstack([points / scale, SUMS * own]), target, maxiter=100 * points.shape[1])
    except RuntimeError as error:
        raise MeasureError("the search for the hard margin did not end") from error
    shares = weights / ((own * weights).sum(axis=1) @ own)
    return points @ shares
