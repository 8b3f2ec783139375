"""Does the read-out hold where the decoder has not been: new stimuli, probes, later trials, other conditions?"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from piriform import solvers
from piriform.decode import balanced_accuracy
from piriform.errors import MeasureError
from piriform.geometry import unit_moments
from piriform.splits import OUT

#: Conditions per class beyond which all pairs are too many, and each too small, for a decoder.
MAX_CONDITIONS = 4


@dataclass(frozen=True)
class ProbeScores:
    """Read-out of held-out targets and of probes that no decoder was trained on.

    Attributes
    ----------
    target_recall : (n_labellings,) array
        Share of held-out target trials read out as target.
    rejected : (n_labellings, n_probes) array
        1 where the probe trial is read out as nontarget, else 0 (1/2 on the boundary).
    """

    target_recall: np.ndarray
    rejected: np.ndarray


def stimulus_folds(labels: np.ndarray, folds: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return folds that keep every nontarget stimulus whole, so that it is tested by decoders that never met it.

    Parameters
    ----------
    labels : (n_labellings, n_trials) array of +1 (target) and -1
    folds : (n_labellings, n_trials) folds in time, kept for target trials; -1 takes no part
    groups : (n_labellings, n_trials) group of the trial's stimulus, -1 for the target's own stimulus

    Examples
    --------
    >>> stimulus_folds(np.array([[1, 1, -1, -1]]), np.array([[0, 1, 0, 1]]), np.array([[-1, -1, 1, 1]])).tolist()
    [[0, 1, 1, 1]]
    """
    moved = (labels == -1) & (folds != OUT) & (groups != OUT)
    return np.where(moved, groups, np.where(folds == OUT, OUT, folds % (groups.max() + 1)))


def probe_scores(
    responses: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    probes: np.ndarray,
    probe_folds: np.ndarray,
    *,
    solver: str,
    C: float,
    shrinkage: float,
) -> ProbeScores:
    """Return the read-out of target trials and probes, each by the decoder of its own part of the session.

    Parameters
    ----------
    responses : (n_trials, n_units) array, target and nontarget trials
    labels, folds : (n_labellings, n_trials) arrays; fold -1 takes no part
    probes : (n_probes, n_units) array
    probe_folds : (n_probes,) fold of the part of the session in which the probe was shown
    """
    n_labellings, n_folds = len(labels), int(folds.max()) + 1
    train = (folds[:, None] != np.arange(n_folds)[:, None]) & (folds[:, None] != OUT)
    stacked = np.repeat(labels, n_folds, axis=0)
    models = solvers.fit(responses, stacked, train.reshape(len(stacked), -1), solver=solver, C=C, shrinkage=shrinkage)
    on_trials = models.decision_values(responses).reshape(n_labellings, n_folds, -1)
    own = np.take_along_axis(on_trials, np.where(folds == OUT, 0, folds)[:, None], axis=1)[:, 0]
    target = (labels == 1) & (folds != OUT)
    recall = np.where(target, (np.sign(own) + 1) / 2, 0.0).sum(axis=1) / target.sum(axis=1)
    on_probes = models.decision_values(probes).reshape(n_labellings, n_folds, -1)
    return ProbeScores(recall, (1 - np.sign(on_probes[:, probe_folds, np.arange(len(probes))])) / 2)


def across_conditions(
    responses: np.ndarray,
    labels: np.ndarray,
    conditions: np.ndarray,
    taking_part: np.ndarray,
    *,
    solver: str,
    C: float,
    shrinkage: float,
) -> np.ndarray:
    """Return the cross-condition generalization performance (CCGP; Bernardi et al. 2020, Cell 183:954).

    For every pair of one condition of each class, a decoder is trained on the pair and tested on all
    other conditions; the balanced accuracies are averaged. Null value 0.5.

    Parameters
    ----------
    responses : (n_trials, n_units) array
    labels : (n_labellings, n_trials) array of +1 and -1
    conditions : (n_labellings, n_trials) names or codes, here the stimulus
    taking_part : (n_labellings, n_trials) bool array

    Returns
    -------
    (n_labellings,) array in [0, 1]

    Raises
    ------
    MeasureError
        Unless each class has 2 to 4 conditions.
    """
    sides = [np.unique(conditions[0][(labels[0] == code) & taking_part[0]]) for code in (1, -1)]
    if not all(2 <= len(side) <= MAX_CONDITIONS for side in sides):
        raise MeasureError(
            f"needs 2 to {MAX_CONDITIONS} stimuli in each class, this session has {len(sides[0])} target and "
            f"{len(sides[1])} nontarget stimuli"
        )
    accuracies = []
    for pair in product(*sides):
        train = np.isin(conditions, pair) & taking_part
        models = solvers.fit(responses, labels, train, solver=solver, C=C, shrinkage=shrinkage)
        tested = np.where(taking_part & ~train, models.decision_values(responses), np.nan)
        accuracies.append(balanced_accuracy(tested, labels))
    return np.mean(accuracies, axis=0)


def across_sessions(
    trained: np.ndarray,
    trained_labels: np.ndarray,
    responses: np.ndarray,
    labels: np.ndarray,
    taking_part: np.ndarray,
    *,
    solver: str,
    C: float,
    shrinkage: float,
) -> np.ndarray:
    """Return the balanced accuracy of one session's decoder on the trials of another, the same units.

    Units are standardised in each session over its own trials that take part (balanced where classes are matched), which
    uses no label: a unit whose level or scale differs between days, by isolation or focus, is no loss, one whose tuning
    differs is. Labels are permuted in the tested session. Null value 0.5.

    Parameters
    ----------
    trained : (n_trained, n_units) array, the session trained on, with labels of +1 and -1
    responses : (n_trials, n_units) array, the session tested
    labels, taking_part : (n_labellings, n_trials) arrays of the session tested

    Returns
    -------
    (n_labellings,) array in [0, 1]

    Examples
    --------
    >>> x, y = np.array([[1.0], [2.0], [8.0], [9.0]]), np.array([-1, -1, 1, 1])
    >>> across_sessions(x, y, 3 * x + 50, y[None], np.ones((1, 4), bool), solver="lda", C=1.0, shrinkage=0.2).tolist()
    [1.0]
    """
    everything = np.ones((1, len(trained)), dtype=bool)
    model = solvers.fit(trained, trained_labels[None], everything, solver=solver, C=C, shrinkage=shrinkage)
    mean, sd = unit_moments(responses, taking_part)
    slopes = model.weights / sd
    values = slopes @ responses.T + (model.intercepts - (slopes * mean).sum(axis=1))[:, None]
    return balanced_accuracy(np.where(taking_part, values, np.nan), labels)
