"""How far apart are classes, on samples that the discriminant has not met?"""

import numpy as np

from piriform import solvers
from piriform.arrays import as_samples, class_codes, divided, squares
from piriform.errors import MeasureError
from piriform.margin import heldout_margin
from piriform.networks.measures.moments import Moments, moments


def halves_of(codes: np.ndarray) -> np.ndarray:
    """Return half 0 or 1 of every sample: the samples of each class take turns.

    Examples
    --------
    >>> halves_of(np.array([0, 1, 0, 0, 1])).tolist()
    [0, 0, 1, 0, 1]
    """
    order = np.argsort(codes, kind="stable")
    halves = np.empty(len(codes), dtype=np.int64)
    first = np.searchsorted(codes[order], codes[order])
    halves[order] = (np.arange(len(codes)) - first) % 2
    return halves


def halves_or_turns(codes: np.ndarray, halves: np.ndarray | None) -> np.ndarray:
    """Return the halves given, checked, or those of :func:`halves_of`.

    Raises
    ------
    MeasureError
        If they are not 0 and 1, or a class lacks samples in one half.
    """
    chosen = halves_of(codes) if halves is None else np.asarray(halves)
    if chosen.shape != codes.shape or not np.isin(chosen, (0, 1)).all():
        raise MeasureError(f"halves must be {len(codes)} numbers 0 or 1, one per sample")
    fewest = np.bincount(2 * codes + chosen, minlength=2 * (codes.max() + 1)).min()
    if fewest < 1:
        raise MeasureError("a class lacks samples in one half; give it more samples, or other halves")
    return chosen.astype(np.int64)


def fisher_log2(
    features: np.ndarray, labels: np.ndarray, *, shrinkage: float = 0.2, halves: np.ndarray | None = None
) -> np.ndarray:
    """Return log2 of the held-out Fisher discriminant ratio, averaged over pairs of classes.

    J = (m_c - m_d)^2 / (v_c + v_d) along w = S^-1 (mu_c - mu_d), where w comes from one half of the samples (S
    the covariance within classes, shrunk towards its diagonal) and means and variances from the other; the two
    halves are averaged. Invariant to shift and scale. For classes that do not differ, J is about
    2 / (samples per class), not 0; +1 in log2 is a doubling. d'^2 = 2 J for equal variances.

    Parameters
    ----------
    features : (..., n_samples, n_units) array
    labels : (n_samples,) names or codes
    shrinkage : weight of the diagonal, 0 .. 1
    halves : (n_samples,) array of 0 and 1, optional; e.g. to keep a stimulus whole

    Returns
    -------
    (...) array; NaN where the classes do not vary, J is 0, or a half has no more samples than there are classes

    Examples
    --------
    >>> x = np.array([[1.0], [1.0], [3.0], [3.0], [5.0], [5.0], [7.0], [7.0]])
    >>> float(fisher_log2(x, np.repeat([0, 1], 4)))
    3.0
    """
    shared = moments(features)
    codes = class_codes(labels, shared.centred.shape[-2])
    return fisher_of(shared, codes, shrinkage=shrinkage, halves=halves_or_turns(codes, halves))


def fisher_of(shared: Moments, codes: np.ndarray, *, shrinkage: float, halves: np.ndarray) -> np.ndarray:
    """Return the log2 Fisher ratio from moments; see :func:`fisher_log2`."""
    classes = np.arange(codes.max() + 1)
    first, second = np.triu_indices(len(classes), 1)
    early = shared.centred[..., halves == 0, :]
    scatter = early.swapaxes(-1, -2) @ early
    if min(np.bincount(halves, minlength=2)) <= len(classes):
        return np.full(shared.finite.shape, np.nan)
    ratios = []
    for half, total in ((0, scatter), (1, shared.scatter - scatter)):
        seen = ((codes == classes[:, None]) & (halves == half)).astype(float)
        tested = ((codes == classes[:, None]) & (halves != half)).astype(float)
        means, counts = _means(seen, shared.centred)
        within = total - means.swapaxes(-1, -2) @ (means * counts)
        precision = _shrunk(within / (counts.sum() - len(classes)), shrinkage)
        gaps = (means[..., first, :] - means[..., second, :]).swapaxes(-1, -2)
        scores = shared.centred @ np.linalg.solve(precision, gaps)
        mean, variance = _means(tested, scores)[0], _variances(tested, scores)
        pairs = np.arange(len(first))
        gap = mean[..., first, pairs] - mean[..., second, pairs]
        ratios.append(divided(gap**2, variance[..., first, pairs] + variance[..., second, pairs]))
    ratio = np.mean(ratios, axis=0)
    logs = np.log2(ratio, out=np.full(ratio.shape, np.nan), where=ratio > 0)
    return shared.known(logs.mean(axis=-1))


def rms_margin(
    features: np.ndarray, labels: np.ndarray, *, C: float = 1.0, halves: np.ndarray | None = None
) -> np.ndarray:
    """Return the held-out margin of a linear SVM on features brought to unit size.

    Features are divided by the root mean square over samples of their length, so that a layer that only grows
    gains nothing. The mean over classes of y f(x) / |w| (see :func:`piriform.margin.heldout_margin`) of a
    squared-hinge SVM trained on the other half, units not standardised; several classes: each against the rest,
    averaged. Null value 0; at most 1.

    Parameters
    ----------
    features : (..., n_samples, n_units) array
    labels : (n_samples,) names or codes
    C : inverse L2 penalty
    halves : (n_samples,) array of 0 and 1, optional

    Returns
    -------
    (...) array; NaN for networks that are not finite or where no unit varies within a half

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    >>> round(float(rms_margin(3 * x, np.array([1, 1, 0, 0]))), 6)
    1.0
    """
    x = as_samples(features, "features")
    codes = class_codes(labels, x.shape[-2])
    targets = np.array([1]) if codes.max() == 1 else np.arange(codes.max() + 1)
    signs = np.where(codes == targets[:, None], 1, -1)
    folds = np.repeat(halves_or_turns(codes, halves)[None], len(targets), axis=0)
    members = x.reshape(-1, *x.shape[-2:])
    return np.array([_margin(member, signs, folds, C) for member in members]).reshape(x.shape[:-2])


def _margin(features: np.ndarray, signs: np.ndarray, folds: np.ndarray, C: float) -> float:
    size = np.sqrt(squares(features) / len(features))
    if not (np.isfinite(size) and size > 0 and _varies(features, folds[0])):
        return float("nan")
    held = solvers.heldout(features / size, signs, folds, solver="svm", C=C, standardize=False)
    norms = np.take_along_axis(held.norms, folds, axis=1)
    return float(heldout_margin(divided(held.decision, norms), signs).mean())


def _varies(features: np.ndarray, halves: np.ndarray) -> bool:
    return all(bool((np.ptp(features[halves == half], axis=0) > 0).any()) for half in (0, 1))


def _means(member: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the members of each row, (..., n_rows, n_columns), and their numbers, (n_rows, 1)."""
    counts = member.sum(axis=1, keepdims=True)
    return member @ values / counts, counts


def _variances(member: np.ndarray, values: np.ndarray) -> np.ndarray:
    mean, counts = _means(member, values)
    return np.maximum(member @ values**2 / counts - mean**2, 0.0)


def _shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """(1-s) S + s diag(S), with the least variance a billionth of the mean one, and 1 where none is left."""
    variance = np.einsum("...ii->...i", covariance)
    floor = 1e-9 * variance.mean(axis=-1, keepdims=True)
    shrunk = (1 - shrinkage) * covariance
    index = np.arange(covariance.shape[-1])
    shrunk[..., index, index] = np.where(floor > 0, np.maximum(variance, floor), 1.0)
    return shrunk
