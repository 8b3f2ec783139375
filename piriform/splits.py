"""Which trials train, which test, and which labels would chance have given?

Labels and folds come in stacks: row 0 is the truth, each further row a permutation. Folds are made
anew for every labelling, because folds that were balanced for the true labels alone make the null
too narrow. A fold of -1 marks a trial that takes no part.
"""

import numpy as np

from piriform.errors import MeasureError

OUT = -1


def time_blocks(n_trials: int, n_blocks: int) -> np.ndarray:
    """Return contiguous blocks of (almost) equal size, at most one per trial.

    Examples
    --------
    >>> time_blocks(5, 2).tolist()
    [0, 0, 0, 1, 1]
    """
    return np.arange(n_trials) * min(n_blocks, n_trials) // max(n_trials, 1)


def permutations(blocks: np.ndarray, n_permutations: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return the identity and random permutations of trials within blocks.

    Permuting within blocks keeps slow drift, and the share of each class in each part of the
    session, out of the null distribution.

    Parameters
    ----------
    blocks : (n_trials,) block of each trial, see :func:`time_blocks`

    Returns
    -------
    (n_permutations + 1, n_trials) int array; row 0 is 0, 1, 2, ...

    Examples
    --------
    >>> permutations(np.array([0, 1, 2, 3]), 1, rng=np.random.default_rng(0)).tolist()
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    codes = np.unique(blocks, return_inverse=True)[1]
    shuffled = np.argsort(rng.random((n_permutations, len(codes))) + codes, axis=1)
    order = np.empty((n_permutations + 1, len(codes)), dtype=np.intp)
    order[0] = np.arange(len(codes))
    order[1:, np.argsort(codes, kind="stable")] = shuffled
    return order


def chosen(labels: np.ndarray, n_per_class: int, *, rng: np.random.Generator) -> np.ndarray:
    """Return which trials enter a draw of ``n_per_class`` random trials of each class.

    One random priority per trial serves all labellings, so that they differ as little as they must.

    Parameters
    ----------
    labels : (n_labellings, n_trials) class codes

    Returns
    -------
    (n_labellings, n_trials) bool array

    Raises
    ------
    MeasureError
        If a class has fewer trials.
    """
    priority = rng.random(labels.shape[1])
    order = np.argsort(priority)
    mask = np.zeros(labels.shape, dtype=bool)
    for code in np.unique(labels[0]):
        hit = labels[:, order] == code
        if hit[0].sum() < n_per_class:
            raise MeasureError(f"{n_per_class} trials per class were asked for, class {code} has {hit[0].sum()}")
        mask[:, order] |= hit & (np.cumsum(hit, axis=1) <= n_per_class)
    return mask


def blocked_folds(labels: np.ndarray, n_folds: int, *, taking_part: np.ndarray | None = None) -> np.ndarray:
    """Return stratified folds that are contiguous in time within each class.

    The trials of each class, in order of time, are cut into ``n_folds`` runs of (almost) equal length.
    Neighbouring trials, which share slow drift, thus mostly share a fold.

    Parameters
    ----------
    labels : (n_labellings, n_trials) class codes, trials in order of time; all rows hold the same classes
    taking_part : (n_labellings, n_trials) bool, optional; the others get fold -1

    Returns
    -------
    (n_labellings, n_trials) int8 array (int64 beyond 127 folds) of 0 .. n_folds-1, or -1

    Raises
    ------
    MeasureError
        If a class has fewer trials than folds.

    Examples
    --------
    >>> blocked_folds(np.array([[1, 1, -1, 1, -1, 1]]), 2).tolist()
    [[0, 0, 0, 1, 1, 1]]
    """
    labels = np.atleast_2d(labels)
    part = np.ones(labels.shape, dtype=bool) if taking_part is None else taking_part
    # small integers: a thousand labellings of a session stay in the processor's cache
    folds = np.full(labels.shape, OUT, dtype=np.int8 if n_folds < 128 else np.int64)
    for code in np.unique(labels[0]):
        member = (labels == code) & part
        rank = np.cumsum(member, axis=1, dtype=np.int32)
        count = rank[:, -1:]
        if (count < n_folds).any():
            raise MeasureError(f"{n_folds} folds need {n_folds} trials of each class; class {code} has {count.min()}")
        np.copyto(folds, (rank - 1) * n_folds // count, where=member, casting="unsafe")
    return folds


def half_folds(taking_part: np.ndarray) -> np.ndarray:
    """Return fold 0 for the first half of the trials that take part, 1 for the second, -1 for the others.

    Examples
    --------
    >>> half_folds(np.array([[True, True, False, True, True]])).tolist()
    [[0, 0, -1, 1, 1]]
    """
    rank = np.cumsum(taking_part, axis=1, dtype=np.int32)
    late = 2 * (rank - 1) >= rank[:, -1:]
    return np.where(taking_part, late.astype(np.int8), np.int8(OUT))


def stimulus_groups(stimuli: np.ndarray, n_groups: int) -> np.ndarray:
    """Return a group for each trial such that all trials of a stimulus share it.

    Stimuli are dealt out from the most to the least frequent, each to the smallest group so far;
    there are never more groups than stimuli.

    Parameters
    ----------
    stimuli : (n_trials,) names

    Examples
    --------
    >>> stimulus_groups(np.array(["a", "a", "b", "c", "a"]), 2).tolist()
    [0, 0, 1, 1, 0]
    """
    names, codes, counts = np.unique(stimuli, return_inverse=True, return_counts=True)
    sizes = np.zeros(min(n_groups, len(names)))
    group = np.zeros(len(names), dtype=np.int64)
    for stimulus in np.argsort(-counts, kind="stable"):
        group[stimulus] = np.argmin(sizes)
        sizes[group[stimulus]] += counts[stimulus]
    return group[codes]
