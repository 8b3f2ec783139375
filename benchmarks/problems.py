"""Which trials, labels and folds do all methods get?"""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

N_FOLDS = 5


@dataclass(frozen=True)
class Problem:
    """A simulated session of two odours.

    Attributes
    ----------
    X : (n_trials, n_units) array, spike counts
    y : (n_trials,) int array of +1 and -1, as many of each
    seed : of folds and permutations
    """

    X: np.ndarray
    y: np.ndarray
    seed: int

    @property
    def cv(self) -> StratifiedKFold:
        """How scikit-learn makes the folds of a labelling."""
        return StratifiedKFold(N_FOLDS, shuffle=True, random_state=self.seed)


def simulated(n_trials: int, n_units: int, *, distance: float = 2.0, seed: int = 0) -> Problem:
    """Return Poisson counts whose class means are ``distance`` noise SDs apart, taken over all units."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.permutation(n_trials) < n_trials // 2, 1, -1)
    base = rng.uniform(4, 12, n_units)
    along = rng.standard_normal(n_units)
    shift = 0.5 * distance * along / np.linalg.norm(along) * np.sqrt(base)
    rate = np.maximum(base + y[:, None] * shift, 0.1)
    return Problem(rng.poisson(rate).astype(np.float64), y, seed)


def labellings(problem: Problem, n_labellings: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and folds, both (n_labellings, n_trials); row 0 is the truth in the folds of scikit-learn.

    The others are random permutations of the labels, each with random stratified folds of its own. Label and
    fold of a trial are one code, and codes are put in the order of random numbers: to permute both together is
    to permute the labels and then draw folds for them.
    """
    rng = np.random.default_rng(problem.seed)
    n_plus = int((problem.y > 0).sum())
    n_trials = len(problem.y)
    code = np.where(np.arange(n_trials) < n_plus, 8, 0) + np.arange(n_trials) % N_FOLDS
    keys = rng.integers(2**60, size=(n_labellings, n_trials), dtype=np.int64) << 4 | code
    keys.sort(axis=1)
    labels, folds = np.where(keys & 8, 1, -1), keys & 7
    labels[0] = problem.y
    for fold, (_, test) in enumerate(problem.cv.split(problem.X, problem.y)):
        folds[0, test] = fold
    return labels, folds
