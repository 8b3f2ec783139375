"""Which problems are solved together, and what do they share?

All problems of a stack share the responses. With f(x) = v . x + c in one set of coordinates,
standardising by the training trials of a problem changes its penalty and not the data: the Hessians
of all problems are one matrix product of their trials' weights with the outer products of trials.
"""

from dataclasses import dataclass

import numpy as np

#: Elements of the outer products of all trials beyond which problems are solved one by one.
LARGE = 20_000_000
#: Numbers in the Hessians of the problems that are solved together.
AT_ONCE = 4_000_000
#: Variance, in units of that of all trials, below which rounding in shared coordinates is felt.
FRAIL = 1e-6


@dataclass(frozen=True)
class Stack:
    """Problems that share trials.

    Attributes
    ----------
    design : (n_trials, n_units + 1) array, responses and a column of ones
    outer : (n_trials, (n_units + 1)^2) array, outer product of each row of ``design`` with itself
    labels : (n_problems, n_trials) array of +1 and -1
    train : (n_problems, n_trials) array of 0 and 1
    center, scale : (n_problems, n_units) arrays
        Mean and population SD of the training trials; 0 and 1 for a unit that does not vary.
    alive : (n_problems, n_units) bool array, whether a unit varies over the training trials
    """

    design: np.ndarray
    outer: np.ndarray
    labels: np.ndarray
    train: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    alive: np.ndarray

    def scores(self, theta: np.ndarray) -> np.ndarray:
        """Return f(x) of every trial, (n_problems, n_trials)."""
        return theta @ self.design.T


@dataclass(frozen=True)
class Shared:
    """Responses centred and scaled once for all problems, and their outer products."""

    design: np.ndarray
    outer: np.ndarray
    differs: np.ndarray
    origin: np.ndarray
    unit: np.ndarray

    def stack(self, labels: np.ndarray, train: np.ndarray) -> Stack:
        """Return the problems with these labels and training trials, both (n_problems, n_trials)."""
        part = train.astype(np.float64)
        count = part.sum(axis=1, keepdims=True)
        center = part @ self.design[:, :-1] / count
        variance = part @ self.design[:, :-1] ** 2 / count - center**2
        # a unit whose training values are all its usual one does not vary, whatever rounding says
        alive = part @ self.differs > 0
        for row, unit in np.argwhere(alive & (variance < FRAIL)):
            values = self.design[train[row], unit]
            center[row, unit], variance[row, unit] = values.mean(), values.var()
            alive[row, unit] = (values != values[0]).any() and variance[row, unit] > 0
        return Stack(
            self.design,
            self.outer,
            labels.astype(np.float64),
            part,
            np.where(alive, center, 0.0),
            np.sqrt(np.where(alive, variance, 1.0)),
            alive,
        )


def shared_trials(X: np.ndarray) -> Shared:
    """Return the responses (n_trials, n_units) in the coordinates in which stacks are solved."""
    origin, spread = X.mean(axis=0), X.std(axis=0)
    unit = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([(X - origin) / unit, np.ones(len(X))])
    usual = np.median(X, axis=0)
    outer = np.einsum("ti,tj->tij", design, design).reshape(len(X), -1)
    return Shared(design, outer, (usual != X).astype(np.float64), origin, unit)


def fits_together(X: np.ndarray) -> bool:
    """Return whether the outer products of the trials are small enough to be held."""
    return len(X) * (X.shape[1] + 1) ** 2 <= LARGE


def problems_at_once(n_units: int) -> int:
    """Return how many problems to solve together.

    Examples
    --------
    >>> problems_at_once(9)
    40000
    """
    return max(1, AT_ONCE // (n_units + 1) ** 2)
