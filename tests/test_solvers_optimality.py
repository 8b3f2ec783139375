"""Is what a solver returns the minimum? The conditions of optimality at the returned point, no oracle needed.

svm, logistic: half the squared norm of the parameters that are penalised is part of the objective, so it
is strongly convex with constant 1 and |theta - minimiser| <= |gradient|. A gradient of 1e-8 of its terms
bounds the decision values as well as any oracle does.

hinge: for multipliers alpha in [0, c] with sum alpha y = 0 and w' = sum alpha y z, the primal minus the
dual objective at w' is the sum of c max(0, u) - alpha u over trials, u the shortfall 1 - y f(x). Its terms
are never negative, so nothing cancels. The objective is strongly convex in w, so |w' - minimiser|^2 is at
most twice the gap: a relative gap of 1e-9 proves the objective to nine digits and w to four. The
trials found on their margin prove the rest: the linear equations that they and their multipliers must meet
have one solution w, it meets the conditions of Karush, Kuhn and Tucker, and it agrees to 1e-6.

lda: the normal equations S w = (difference of the means).
"""

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.special import expit
from solver_problems import (
    BACKENDS,
    PROBLEMS,
    costs,
    minimum_on_these_margins,
    relative_error,
    stack_of,
    standardised,
)

from piriform import solvers

SETTINGS = [(C, None, None) for C in (1e-3, 1e-2, 0.1, 1.0, 100.0)] + [
    (1.0, "balanced", None),
    (1.0, None, True),
    (1.0, "balanced", False),
]


def solved(solver, problem, backend):
    """Every problem with its settings and model: trials with a column of ones, labels, costs, pull, (w, b)."""
    X, labels, train = stack_of(problem)
    for C, class_weight, pulled in SETTINGS:
        models = solvers.fit(
            X, labels, train, solver=solver, C=C, class_weight=class_weight, penalize_intercept=pulled, backend=backend
        )
        assert models.converged.all()
        pull = float(solver == "svm" if pulled is None else pulled)
        for row, part in enumerate(train):
            Z = standardised(X, part)[part]
            theta = np.append(models.weights[row], models.intercepts[row])
            yield (
                np.column_stack([Z, np.ones(len(Z))]),
                labels[row, part],
                costs(labels[row, part], C, class_weight),
                pull,
                theta,
            )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", ["svm", "logistic"])
def test_the_gradient_is_zero(solver, problem, backend):
    for Z, y, cost, pull, theta in solved(solver, problem, backend):
        margin = y * (Z @ theta)
        slope = 2 * cost * np.maximum(1 - margin, 0) if solver == "svm" else cost * expit(-margin)
        gradient = np.append(theta[:-1], pull * theta[-1]) - (slope * y) @ Z
        assert np.linalg.norm(gradient) <= 1e-8 * np.linalg.norm(cost @ np.abs(Z))


def gap_and_rest(Z, y, cost, pull, theta):
    """The gap relative to the objective, how far theta is from what multipliers explain, and these."""
    short = 1 - y * (Z @ theta)
    edge = np.abs(short) <= 1e-8 * (1 + np.abs(Z) @ np.abs(theta))
    alpha = np.where(short > 0, cost, 0.0) * ~edge
    target = np.append(theta[:-1], pull * theta[-1])
    if edge.any():
        A = (Z * y[:, None]).T
        unit = cost[edge]
        fitted = lsq_linear(A[:, edge] * unit, target - A @ alpha, bounds=(0, 1), method="bvls", tol=1e-14)
        alpha[edge] = unit * fitted.x
    gap = (cost * np.maximum(short, 0) - alpha * short).sum()
    objective = 0.5 * target @ theta + cost @ np.maximum(short, 0)
    return gap / objective, np.linalg.norm(target - Z.T @ (alpha * y)) / np.linalg.norm(cost @ np.abs(Z)), alpha


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_duality_gap_of_the_hinge_is_zero_and_its_margins_agree(problem, backend):
    for Z, y, cost, pull, theta in solved("hinge", problem, backend):
        gap, rest, alpha = gap_and_rest(Z, y, cost, pull, theta)
        assert -1e-15 <= gap <= (1e-9 if backend == "numpy" else 1e-8)
        assert rest <= 1e-9
        exact = minimum_on_these_margins(Z, y, cost, pull, theta, alpha)
        assert relative_error(Z @ theta, Z @ exact) <= 1e-6


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_duality_gap_sees_a_point_that_is_not_the_minimum(backend):
    for Z, y, cost, pull, theta in solved("hinge", PROBLEMS[0], backend):
        gap, rest, _ = gap_and_rest(Z, y, cost, pull, theta * (1 + 1e-5))
        assert gap > 1e-9 or rest > 1e-9


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_normal_equations_of_lda_hold(problem, backend):
    X, labels, train = stack_of(problem)
    for shrinkage in (1e-3, 0.2, 1.0):
        models = solvers.fit(X, labels, train, solver="lda", shrinkage=shrinkage, backend=backend)
        for row, part in enumerate(train):
            Z, y, w = standardised(X, part)[part], labels[row, part], models.weights[row]
            a, b = Z[y > 0].mean(axis=0), Z[y < 0].mean(axis=0)
            residuals = Z - np.where(y[:, None] > 0, a, b)
            S = residuals.T @ residuals / max(len(y) - 2, 1)
            gap = a - b - (1 - shrinkage) * S @ w - shrinkage * np.diag(S) * w
            assert np.abs(gap).max() <= 1e-9 * np.abs(a - b).max()
            assert models.intercepts[row] == pytest.approx(-w @ (a + b) / 2, rel=1e-9, abs=1e-9)
