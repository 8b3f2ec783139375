"""Every solver against scikit-learn at tight tolerance, one fit at a time, on some 300 problems per solver and backend.

scikit-learn is no oracle for the hinge everywhere: libsvm does not end on nearly collinear units and wild
trials. There, and for settings that it does not have, ``test_solvers_optimality.py`` proves the minimum.
"""

from functools import cache

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from solver_problems import (
    BACKENDS,
    PROBLEMS,
    SOLVERS,
    costs,
    oracle_decision,
    plain,
    relative_error,
    stack_of,
    standardised,
)

from piriform import solvers

SETTINGS = [(C, None) for C in (1e-3, 1e-2, 0.1, 1.0, 100.0)] + [(1.0, "balanced")]


@cache
def oracles(solver, problem, C, class_weight, shrinkage):
    X, labels, train = stack_of(problem)
    found = []
    for y, part in zip(labels, train, strict=True):
        Z = standardised(X, part)
        found.append(oracle_decision(solver, Z[part], y[part], Z, C=C, class_weight=class_weight, shrinkage=shrinkage))
    return found


def errors(solver, problem, C, class_weight, backend, shrinkage=0.2):
    X, labels, train = stack_of(problem)
    models = solvers.fit(
        X, labels, train, solver=solver, C=C, class_weight=class_weight, shrinkage=shrinkage, backend=backend
    )
    assert models.converged.all()
    expected = oracles(solver, problem, C, class_weight, shrinkage)
    values = models.decision_values(X)
    if solver == "hinge":
        rows = zip(values, expected, labels, train, strict=True)
        values = [one_of_the_minima(*row, C=C, class_weight=class_weight) for row in rows]
    pairs = zip(values, expected, strict=True)
    return np.array([np.nan if oracle is None else relative_error(got, oracle) for got, oracle in pairs])


def one_of_the_minima(values, oracle, y, part, **settings):
    """The oracle's values where these are another minimum: with no trial on its margin any intercept of a range is one."""
    if oracle is None or np.ptp(values - oracle) > 1e-9:
        return values
    losses = [np.sum(costs(y[part], **settings) * np.maximum(1 - y * f, 0)[part]) for f in (values, oracle)]
    return oracle if abs(losses[0] - losses[1]) <= 1e-12 * losses[1] else values


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("solver", ["svm", "hinge", "logistic"])
def test_decision_values_equal_those_of_scikit_learn(solver, problem, backend):
    found = np.concatenate([errors(solver, problem, C, class_weight, backend) for C, class_weight in SETTINGS])
    # libsvm ends on most problems; on the others the optimality conditions are the proof
    assert np.isfinite(found).mean() >= (0.7 if solver == "hinge" else 1.0)
    assert np.nanmax(found) <= 1e-6


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_lda_equals_the_textbook_formula(problem, backend):
    for shrinkage in (1e-3, 0.1, 0.3, 0.5, 0.9, "ledoit-wolf"):
        assert errors("lda", problem, 1.0, None, backend, shrinkage).max() <= 1e-8


@pytest.mark.parametrize("backend", BACKENDS)
def test_lda_without_shrinkage_equals_scikit_learn(backend):
    X, labels, _ = stack_of(plain, n_problems=20)
    models = solvers.fit(X, labels, np.ones(60, bool), solver="lda", shrinkage=0.0, backend=backend)
    for y, got in zip(labels, models.decision_values(X), strict=True):
        # scikit-learn divides the covariance by n_trials, not by n_trials - 2; classes are of one size
        expected = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y).decision_function(X) * 58 / 60
        assert relative_error(got, expected) <= 1e-8


@pytest.mark.parametrize("backend", BACKENDS)
def test_intercepts_outside_the_custom_of_a_solver(backend):
    X, labels, train = stack_of(plain, n_problems=10)
    free = solvers.fit(X, labels, train, penalize_intercept=False, backend=backend).decision_values(X)
    pulled = solvers.fit(X, labels, train, solver="logistic", penalize_intercept=True, backend=backend).decision_values(
        X
    )
    for row, part in enumerate(train):
        Z, y = standardised(X, part), labels[row, part]
        # a column of 1e4 in place of 1: the penalty of the intercept is 1e-8 of itself
        svc = LinearSVC(C=1.0, dual=False, tol=1e-13, max_iter=20_000, intercept_scaling=1e4).fit(Z[part], y)
        assert relative_error(free[row], svc.decision_function(Z)) <= 1e-5
        logistic = LogisticRegression(C=1.0, tol=1e-13, max_iter=5000, fit_intercept=False)
        with_ones = np.column_stack([Z, np.ones(len(Z))])
        assert relative_error(pulled[row], logistic.fit(with_ones[part], y).decision_function(with_ones)) <= 1e-6


@pytest.mark.parametrize("backend", BACKENDS)
def test_units_as_they_are(backend):
    X, labels, train = stack_of(plain, n_problems=10)
    got = {
        solver: solvers.fit(X, labels, train, solver=solver, standardize=False, backend=backend).decision_values(X)
        for solver in SOLVERS
    }
    for row, part in enumerate(train):
        y = labels[row, part]
        for solver, values in got.items():
            assert relative_error(values[row], oracle_decision(solver, X[part], y, X)) <= 1e-6


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shrinkage", [0.1, "ledoit-wolf"])
def test_multiclass_lda_is_decided_by_distance(shrinkage, backend):
    rng = np.random.default_rng(9)
    codes = np.array([rng.permutation(np.arange(90) % 3) for _ in range(5)])
    X = rng.normal(size=(90, 4)) + np.eye(3, 4)[codes[0]]
    folds = np.arange(90) // 30
    scores = solvers.heldout_multiclass(
        X, codes, folds, n_classes=3, solver="lda", shrinkage=shrinkage, backend=backend
    )
    for row, fold in np.ndindex(5, 3):
        train, test = folds != fold, folds == fold
        Z, code = standardised(X, train), codes[row]
        means = np.stack([Z[train & (code == k)].mean(axis=0) for k in range(3)])
        residuals = (Z - means[code])[train]
        if shrinkage == "ledoit-wolf":
            S = ledoit_wolf(residuals, assume_centered=True)[0] * 60 / 57
        else:
            S = residuals.T @ residuals / 57
            S = 0.9 * S + 0.1 * np.diag(np.diag(S))
        away = Z[test][:, None] - means
        expected = -0.5 * np.einsum("tcu,uv,tcv->tc", away, np.linalg.inv(S), away)
        expected -= expected.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(scores[row, test], expected, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_versus_rest_is_the_two_class_solver(backend):
    rng = np.random.default_rng(9)
    codes = rng.permutation(np.arange(90) % 3)[None]
    X, folds = rng.normal(size=(90, 4)) + 2 * np.eye(3, 4)[codes[0]], np.arange(90) % 5
    scores = solvers.heldout_multiclass(X, codes, folds, n_classes=3, backend=backend)
    for code in range(3):
        expected = solvers.heldout(X, np.where(codes == code, 1, -1), folds, backend=backend).decision
        np.testing.assert_array_equal(scores[..., code], expected)
