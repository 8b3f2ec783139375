"""How are the classes arranged in the space of the population: how far apart, along what, in how many dimensions?"""

from collections.abc import Iterable

import numpy as np

from piriform.splits import OUT

#: Elements of all outer products of trials beyond which each labelling is summed on its own.
LARGE = 20_000_000


def dprime(distance: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the held-out d' along a discriminant.

    d' = (mean of class +1 - mean of class -1) / SD within class, on projections of held-out trials;
    the difference is averaged over test folds, the variance pooled over folds and classes. Null value 0.

    Parameters
    ----------
    distance : (n_labellings, n_trials) array
        Held-out projections, one scale for all folds (f(x) / |w|).
    labels, folds : (n_labellings, n_trials) arrays

    Returns
    -------
    (n_labellings,) array, within-class SDs; NaN where a fold lacks a class or the variance is 0

    Examples
    --------
    >>> x = np.array([[1.0, 3.0, -1.0, -3.0]])
    >>> round(float(dprime(x, np.array([[1, 1, -1, -1]]), np.zeros((1, 4), int))[0]), 3)
    2.828
    """
    n_labellings, n_folds = len(labels), int(folds.max()) + 1
    part = folds != OUT
    # one cell per labelling, fold and class; class +1 first
    cell = ((np.arange(n_labellings)[:, None] * n_folds + folds) * 2 + (labels < 0))[part]
    values, n_cells = distance[part], n_labellings * n_folds * 2
    count = np.bincount(cell, minlength=n_cells)
    total = np.bincount(cell, weights=values, minlength=n_cells)
    mean = np.divide(total, count, out=np.full(n_cells, np.nan), where=count > 0)
    squares = np.bincount(cell, weights=(values - mean[cell]) ** 2, minlength=n_cells)
    squares, freedom = (x.reshape(n_labellings, -1).sum(axis=1) for x in (squares, count - 1))
    gap = -np.diff(mean.reshape(n_labellings, n_folds, 2), axis=2).mean(axis=(1, 2))
    variance = np.divide(squares, freedom, out=np.zeros(n_labellings), where=freedom > 0)
    return np.divide(gap, np.sqrt(variance), out=np.full(n_labellings, np.nan), where=variance > 0)


def crossnobis(
    responses: np.ndarray, codes: np.ndarray, folds: np.ndarray, *, n_classes: int, shrinkage: float
) -> np.ndarray:
    """Return the cross-validated squared Mahalanobis distance between class means, per unit.

    For each fold, delta_test' S^-1 delta_train / n_units, averaged over folds and over pairs of
    classes; S is the covariance within classes of the training trials, shrunk towards its diagonal
    (Walther et al. 2016, NeuroImage 137:188; Diedrichsen et al. 2020). As the two factors come from
    different trials the null value is 0, whatever the number of trials and units; it can be negative.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    codes : (n_labellings, n_trials) int array of 0 .. n_classes-1
    folds : (n_labellings, n_trials) array; -1 takes no part
    shrinkage : weight of the diagonal, 0 .. 1

    Returns
    -------
    (n_labellings,) array, noise variances per unit
    """
    rows = max(1, int(2e8 // (responses.shape[1] ** 2 * 8 * (int(folds.max()) + 1))))
    chunks = [slice(start, start + rows) for start in range(0, len(codes), rows)]
    return np.concatenate([_crossnobis(responses, codes[c], folds[c], n_classes, shrinkage) for c in chunks])


def _crossnobis(
    responses: np.ndarray, codes: np.ndarray, folds: np.ndarray, n_classes: int, shrinkage: float
) -> np.ndarray:
    n_folds, n_units = int(folds.max()) + 1, responses.shape[1]
    centred = responses - responses.mean(axis=0)
    sums, counts = fold_sums(centred, codes, folds, range(n_classes))
    train_sums, train_counts = sums.sum(axis=0) - sums, counts.sum(axis=0) - counts
    total = np.zeros(len(codes))
    for fold in range(n_folds):
        delta_test = _centred_means(sums[fold], counts[fold])[0]
        delta_train, means = _centred_means(train_sums[fold], train_counts[fold])
        second = _second_moments((folds != fold) & (folds != OUT), centred)
        scatter = second - np.einsum("cli,clj->lij", train_sums[fold], means)
        covariance = scatter / (train_counts[fold].sum(axis=0) - n_classes)[:, None, None]
        precision_delta = np.linalg.solve(_shrunk(covariance, shrinkage), delta_train.transpose(1, 2, 0))
        total += np.einsum("cli,lic->l", delta_test, precision_delta)
    return 2 / (n_classes - 1) * total / n_folds / n_units


def fold_sums(
    responses: np.ndarray, codes: np.ndarray, folds: np.ndarray, classes: Iterable[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the trials of each fold and class, and how many there are.

    Returns
    -------
    sums : (n_folds, n_classes, n_labellings, n_units) array
    counts : (n_folds, n_classes, n_labellings) array
    """
    member = [[(folds == fold) & (codes == code) for code in classes] for fold in range(int(folds.max()) + 1)]
    sums = [[one.astype(float) @ responses for one in row] for row in member]
    return np.array(sums), np.array([[one.sum(axis=1) for one in row] for row in member], dtype=float)


def _second_moments(member: np.ndarray, responses: np.ndarray) -> np.ndarray:
    """X'X over the members of each row: (n_labellings, n_units, n_units)."""
    n_trials, n_units = responses.shape
    if n_trials * n_units**2 > LARGE:
        return np.stack([responses[row].T @ responses[row] for row in member])
    outer = np.einsum("ti,tj->tij", responses, responses).reshape(n_trials, -1)
    return (member.astype(float) @ outer).reshape(-1, n_units, n_units)


def _centred_means(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class means minus their mean over classes, and class means: (n_classes, n_labellings, n_units)."""
    means = sums / counts[..., None]
    return means - means.mean(axis=0), means


def _shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """(1-s) S + s diag(S); a unit without variance gets variance 1, its deltas are 0."""
    variance = np.einsum("lii->li", covariance)
    variance = np.where(variance > 1e-12, variance, 1.0)
    shrunk = (1 - shrinkage) * covariance
    index = np.arange(covariance.shape[1])
    shrunk[:, index, index] = variance
    return shrunk


def similarity_dot(responses: np.ndarray, labels: np.ndarray, taking_part: np.ndarray) -> np.ndarray:
    """Return the mean dot product of z-scored trials of the two classes (Kumar et al. 2024, Fig 2).

    Units are z-scored over the trials that take part, so this equals -(n+/n-) |mean of class +1|^2:
    it falls as classes separate, grows with the number of units, and is about -n_units/n_trials for
    classes that do not differ. Compare it at matched counts only; see :func:`similarity_dot_cv`.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    labels, taking_part : (n_labellings, n_trials) arrays

    Returns
    -------
    (n_labellings,) array, squared SDs
    """
    mean, sd = unit_moments(responses, taking_part)
    first, second = ((class_mean - mean) / sd for class_mean in _class_means(responses, labels, taking_part))
    return (first * second).sum(axis=1)


def similarity_dot_cv(responses: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the dot product of z-scored class means from independent parts of the session.

    Each fold and the rest of the session are centred on their own; the mean of one class in the fold
    meets the mean of the other class outside it. The value is -1/4 of the cross-validated squared
    distance of the z-scored class means: null value 0, without the count bias of :func:`similarity_dot`.

    Returns
    -------
    (n_labellings,) array, squared SDs
    """
    _, sd = unit_moments(responses, folds != OUT)
    sums, counts = fold_sums(responses - responses.mean(axis=0), labels, folds, (1, -1))
    inside, outside = (
        np.subtract(*np.moveaxis(total / number[..., None], 1, 0)) / sd
        for total, number in ((sums, counts), (sums.sum(axis=0) - sums, counts.sum(axis=0) - counts))
    )
    return -0.25 * (inside * outside).sum(axis=2).mean(axis=0)


def similarity_cosine(evoked: np.ndarray, labels: np.ndarray, taking_part: np.ndarray) -> np.ndarray:
    """Return the cosine between the mean evoked vectors of the two classes.

    Parameters
    ----------
    evoked : (n_trials, n_units) array
        Response minus baseline; each unit is divided by its SD, not centred (centring two balanced
        classes makes the cosine -1 whatever the data).
    labels, taking_part : (n_labellings, n_trials) arrays

    Returns
    -------
    (n_labellings,) array in [-1, 1]; NaN where a mean vector is 0
    """
    _, sd = unit_moments(evoked, taking_part)
    first, second = (class_mean / sd for class_mean in _class_means(evoked, labels, taking_part))
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.divide((first * second).sum(axis=1), norms, out=np.full(len(norms), np.nan), where=norms > 0)


def participation_ratio(responses: np.ndarray) -> float:
    """Return the dimensionality (sum of eigenvalues)^2 / sum of squared eigenvalues of the trial covariance.

    Between 1 and n_units; biased by the number of trials and units, so compare matched counts only.

    Examples
    --------
    >>> round(participation_ratio(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])), 6)
    2.0
    """
    covariance = np.atleast_2d(np.cov(responses, rowvar=False))
    squares = float(np.sum(covariance**2))
    return float(np.trace(covariance) ** 2 / squares) if squares > 0 else float("nan")


def category_similarity(responses: np.ndarray, categories: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the mean Pearson correlation between the population vectors of trials, per pair of trial types.

    Units are z-scored over trials first; no trial is paired with itself.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    categories : (n_trials,) names

    Returns
    -------
    names : the trial types, sorted
    correlation : (n_types, n_types) array in [-1, 1]; NaN where there is no pair
    n_pairs : (n_types, n_types) int array
    """
    sd = responses.std(axis=0)
    scored = (responses - responses.mean(axis=0))[:, sd > 0] / sd[sd > 0]
    vectors = scored - scored.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    names, codes = np.unique(categories.astype(str), return_inverse=True)
    member = (codes == np.arange(len(names))[:, None]).astype(float)
    pairs = np.outer(member.sum(axis=1), member.sum(axis=1))
    total = member @ (vectors @ vectors.T) @ member.T
    np.fill_diagonal(total, np.diag(total) - member @ (vectors**2).sum(axis=1))
    np.fill_diagonal(pairs, np.diag(pairs) - member.sum(axis=1))
    correlation = np.divide(total, pairs, out=np.full(total.shape, np.nan), where=pairs > 0)
    return [str(name) for name in names], np.clip(correlation, -1, 1), pairs.astype(int)


def unit_moments(responses: np.ndarray, taking_part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and SD of each unit over the trials that take part, per labelling; SD inf without variance.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    taking_part : (n_labellings, n_trials) bool array

    Returns
    -------
    mean, sd : (n_labellings, n_units) arrays

    Examples
    --------
    >>> x = np.array([[1.0, 4.0], [3.0, 4.0], [9.0, 9.0]])
    >>> [part.tolist() for part in unit_moments(x, np.array([[True, True, False]]))]
    [[[2.0, 4.0]], [[1.0, inf]]]
    """
    part = taking_part.astype(float)
    count = part.sum(axis=1, keepdims=True)
    centre = responses.mean(axis=0)
    mean = part @ (responses - centre) / count
    variance = part @ (responses - centre) ** 2 / count - mean**2
    return mean + centre, np.sqrt(np.where(variance > 1e-12, variance, np.inf))


def _class_means(responses: np.ndarray, labels: np.ndarray, taking_part: np.ndarray) -> list[np.ndarray]:
    """Means of class +1 and of class -1 over the trials that take part, per labelling."""
    classes = [(taking_part & (labels == code)).astype(float) for code in (1, -1)]
    return [member @ responses / member.sum(axis=1, keepdims=True) for member in classes]
