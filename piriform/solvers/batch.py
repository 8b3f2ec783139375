"""Which classifiers solve a whole stack of problems at once?

Each solver returns theta = (v, c) of f(x) = v . x + c, (n_problems, n_units + 1), the steps taken and
whether the minimum was reached.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from piriform.solvers.single import single_models
from piriform.solvers.stack import FRAIL, Stack

Solved = tuple[np.ndarray, np.ndarray, np.ndarray]
MAX_STEPS = 100


def squared_hinge(stack: Stack, *, C: float) -> Solved:
    """Minimise 1/2 |w|^2 + 1/2 b^2 + C sum max(0, 1 - y f(x))^2, w and b in standardised units.

    What LinearSVC fits. Newton's method: the loss is quadratic while no trial crosses its margin, so a
    full step after which none has crossed ends at the exact minimum.
    """

    def pieces(rows: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        labels = stack.labels[rows]
        short = 1 - labels * stack.scores(theta)
        weight = 2 * C * ((short > 0) & (stack.train[rows] > 0))
        return 0.5 * np.einsum("pt,pt,pt->p", weight, short, short), -weight * short * labels, weight

    solved = _newton(stack, _penalty(stack, intercept=1.0), pieces, exact=True, tol=1e-12)
    return _frail_ones_alone(stack, solved, ~solved[2], solver="svm", C=C)


def logistic(stack: Stack, *, C: float, tol: float) -> Solved:
    """Minimise 1/2 |w|^2 + C sum log(1 + exp(-y f(x))), intercept unpenalised, w in standardised units."""

    def pieces(rows: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        labels, weight = stack.labels[rows], C * stack.train[rows]
        margin = labels * stack.scores(theta)
        decay = np.exp(-np.abs(margin))
        miss = np.where(margin > 0, decay, 1.0) / (1 + decay)
        loss = np.einsum("pt,pt->p", weight, np.maximum(-margin, 0) + np.log1p(decay))
        return loss, -weight * miss * labels, weight * miss * (1 - miss)

    solved = _newton(stack, _penalty(stack, intercept=0.0), pieces, exact=False, tol=tol)
    return _frail_ones_alone(stack, solved, ~solved[2], solver="logistic", C=C, tol=tol)


def discriminant(stack: Stack, *, shrinkage: float) -> Solved:
    """Return shrinkage LDA: w = S^-1 (mean of class +1 - mean of class -1), boundary half way between.

    S is the covariance within classes of the training trials, shrunk to its diagonal.
    """
    n_units = stack.center.shape[1]
    sides = [stack.train * (stack.labels == code) for code in (1, -1)]
    means = [side @ stack.design[:, :-1] / side.sum(axis=1, keepdims=True) for side in sides]
    second = (stack.train @ stack.outer).reshape(-1, n_units + 1, n_units + 1)[:, :-1, :-1]
    between = [np.einsum("p,pi,pj->pij", side.sum(axis=1), mean, mean) for side, mean in zip(sides, means, strict=True)]
    freedom = np.maximum(stack.train.sum(axis=1) - 2, 1)[:, None, None]
    covariance = (second - between[0] - between[1]) / freedom
    variance = np.maximum(np.einsum("pii->pi", covariance), 1e-10 * stack.scale**2)
    shrunk = (1 - shrinkage) * covariance * (stack.alive[:, :, None] & stack.alive[:, None, :])
    index = np.arange(n_units)
    shrunk[:, index, index] += np.where(stack.alive, shrinkage * variance, 1.0)
    gap = np.where(stack.alive, means[0] - means[1], 0.0)
    frail = (stack.alive & (variance < FRAIL * stack.scale**2)).any(axis=1) | _nearly_singular(shrunk)
    shrunk[frail] = np.eye(n_units)
    v = np.linalg.solve(shrunk, gap[..., None])[..., 0]
    c = -0.5 * np.einsum("pi,pi->p", v, means[0] + means[1])
    solved = np.column_stack([v, c]), np.ones(len(v), dtype=np.int64), np.asarray(np.isfinite(v).all(axis=1))
    return _frail_ones_alone(stack, solved, frail, solver="lda", shrinkage=shrinkage)


def _nearly_singular(matrices: np.ndarray) -> np.ndarray:
    """Whether a variance is all but explained by the other units; all of them, where one is not even definite."""
    unit = np.sqrt(np.einsum("pii->pi", matrices))
    try:
        factors = np.linalg.cholesky(matrices / (unit[:, :, None] * unit[:, None, :]))
    except np.linalg.LinAlgError:
        return np.ones(len(matrices), dtype=bool)
    return np.asarray((np.einsum("pii->pi", factors) ** 2 < FRAIL).any(axis=1))


def _frail_ones_alone(stack: Stack, solved: Solved, frail: np.ndarray, **settings: Any) -> Solved:
    """Solve again, one by one, what is lost to rounding in the coordinates that problems share."""
    theta, steps, converged = solved
    frail = frail | (stack.alive & (stack.scale**2 < FRAIL)).any(axis=1)
    rows = np.flatnonzero(frail & stack.alive.any(axis=1))
    if len(rows):
        usual = {"standardize": True, "class_weight": None, "penalize_intercept": None, "tol": 1e-10}
        models = single_models(
            stack.design[:, :-1],
            stack.labels[rows],
            stack.train[rows] > 0,
            SimpleNamespace(**usual | settings),
            where="a problem",
        )
        slopes = models.weights / models.scale
        theta[rows] = np.column_stack([slopes, models.intercepts - np.einsum("pu,pu->p", slopes, models.center)])
        steps[rows], converged[rows] = models.n_iterations, models.converged
    return theta, steps, converged


def _penalty(stack: Stack, *, intercept: float) -> np.ndarray:
    """Matrix of the penalty |w|^2 + intercept * b^2 in theta, w = v scale and b = c + v . center.

    A unit that does not vary is held at 0.
    """
    lift = np.column_stack([stack.center, np.ones(len(stack.center))])
    penalty = intercept * np.einsum("pi,pj->pij", lift, lift)
    index = np.arange(stack.center.shape[1])
    penalty[:, index, index] += stack.scale**2
    return penalty


def _newton(stack: Stack, penalty: np.ndarray, pieces: Callable, *, exact: bool, tol: float) -> Solved:
    """Newton's method with halved steps, for all problems that are not yet at their minimum.

    ``pieces(rows, theta)`` gives the loss, and its first and second derivative in each trial's f(x).
    ``exact``: the loss is quadratic in pieces, so a step within one piece ends at the minimum.
    """
    n_problems, n_columns = len(stack.labels), stack.design.shape[1]
    theta = np.zeros((n_problems, n_columns))
    steps, converged = np.zeros(n_problems, dtype=np.int64), np.zeros(n_problems, dtype=bool)
    alive = np.column_stack([stack.alive, np.ones(n_problems, dtype=bool)])
    left = np.arange(n_problems)
    loss, slope, curvature = pieces(left, theta)
    while len(left) and steps[left[0]] < MAX_STEPS:
        keep = alive[left]
        gradient = (slope @ stack.design + np.einsum("pij,pj->pi", penalty[left], theta[left])) * keep
        hessian = (curvature @ stack.outer).reshape(-1, n_columns, n_columns) * (keep[:, :, None] & keep[:, None, :])
        step = -np.linalg.solve(hessian + _held(penalty[left], keep), gradient[..., None])[..., 0]
        before = curvature
        moved, loss, slope, curvature, whole = _descended(pieces, penalty, left, theta[left], step, loss)
        theta[left] = moved
        steps[left] += 1
        decrease = np.abs(np.einsum("pi,pi->p", gradient, step))
        done = whole & (curvature == before).all(axis=1) if exact else decrease <= tol**2 * (1 + loss)
        done |= decrease <= 1e-30
        converged[left[done]] = True
        left, loss, slope, curvature = (x[~done] for x in (left, loss, slope, curvature))
    return theta, steps, converged


def _held(penalty: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The penalty, with a unit diagonal for what is held at 0 and a trace of ridge for a free intercept."""
    held = penalty * (keep[:, :, None] & keep[:, None, :])
    index = np.arange(keep.shape[1])
    held[:, index, index] += ~keep
    held[:, -1, -1] += 1e-12
    return held


def _descended(
    pieces: Callable, penalty: np.ndarray, rows: np.ndarray, theta: np.ndarray, step: np.ndarray, loss: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points after the step, halved where the objective would rise; their loss and its derivatives; whether whole."""

    def pull(at: np.ndarray, of: np.ndarray) -> np.ndarray:
        return 0.5 * np.einsum("pi,pij,pj->p", at, penalty[of], at)

    start = loss + pull(theta, rows)
    moved, whole = theta + step, np.ones(len(rows), dtype=bool)
    values = list(pieces(rows, moved))
    for _ in range(40):
        worse = np.flatnonzero(values[0] + pull(moved, rows) > start + 1e-12 * np.abs(start))
        if not len(worse):
            break
        whole[worse] = False
        moved[worse] = 0.5 * (moved[worse] + theta[worse])
        for value, new in zip(values, pieces(rows[worse], moved[worse]), strict=True):
            value[worse] = new
    return moved, values[0], values[1], values[2], whole
