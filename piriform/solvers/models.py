"""What does a stack of fitted linear classifiers say about trials?"""

from dataclasses import dataclass

import numpy as np

from piriform.errors import MeasureError


@dataclass(frozen=True)
class LinearModels:
    """A stack of fitted linear classifiers f(x) = w . (x - center) / scale + b.

    Attributes
    ----------
    weights : (n_problems, n_units) array
        w, in standardised coordinates; 0 for units dropped in that problem.
    intercepts : (n_problems,) array
        b.
    center, scale : (n_problems, n_units) arrays
        Mean and population SD of the training trials, in the units of X; 0 and 1 with
        ``standardize=False``; the scale of a dropped unit is 1.
    n_dropped : (n_problems,) int array
        Units without variance in the training trials.
    n_iterations : (n_problems,) int array
        Newton steps taken.
    converged : (n_problems,) bool array
        Whether the optimality conditions hold to the tolerance.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    n_dropped: np.ndarray
    n_iterations: np.ndarray
    converged: np.ndarray

    def decision_values(self, X: np.ndarray) -> np.ndarray:
        """Return f(x) of every trial under every model, (n_problems, n_trials); positive means class +1."""
        X = np.asarray(X, dtype=np.float64)
        if X.ndim != 2 or X.shape[1] != self.weights.shape[1]:
            raise MeasureError(f"X has shape {X.shape}, expected (n_trials, {self.weights.shape[1]})")
        origin = self.center.mean(axis=0)
        slopes = self.weights / self.scale
        offsets = self.intercepts - np.einsum("pu,pu->p", slopes, self.center - origin)
        return slopes @ (X - origin).T + offsets[:, None]

    def norms(self) -> np.ndarray:
        """Return |w| in standardised coordinates, (n_problems,)."""
        return np.sqrt(np.einsum("pu,pu->p", self.weights, self.weights))


@dataclass(frozen=True)
class HeldOut:
    """Decision values of trials under the model that never saw their fold.

    Attributes
    ----------
    decision : (n_labellings, n_trials) array
        f(x); positive means class +1, NaN where the trial is in no fold.
    norms : (n_labellings, n_folds) array
        |w| of the model tested on that fold, in standardised coordinates.
    n_dropped : (n_labellings, n_folds) int array
        Units without variance in the training trials of that model.
    converged : (n_labellings, n_folds) bool array
        Whether the optimality conditions hold to the tolerance.
    """

    decision: np.ndarray
    norms: np.ndarray
    n_dropped: np.ndarray
    converged: np.ndarray
