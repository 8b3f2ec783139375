"""Decoding problems on which solvers fail first, and the independent ways in which the tests solve them."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
BACKENDS = ["numpy", pytest.param("numba", marks=needs_numba)]
SOLVERS = ["svm", "hinge", "logistic", "lda"]


def plain(rng):
    y = rng.permutation(np.where(np.arange(60) < 30, 1, -1))
    return rng.normal(size=(60, 6)) + 0.5 * np.outer(y, rng.normal(size=6)), y


def counts(rng):
    y = rng.permutation(np.where(np.arange(70) < 30, 1, -1))
    return rng.poisson(0.4, size=(70, 15)).astype(float), y


def separable(rng):
    X, y = plain(rng)
    X[:, 0] += 20 * y
    return X, y


def collinear(rng):
    X, y = plain(rng)
    return np.column_stack([X, X[:, 0] + 1e-4 * rng.normal(size=60)]), y


def with_constant_units(rng):
    X, y = plain(rng)
    X[:, 1], X[:, 4] = 7.0, 0.1
    return X, y


def duplicated(rng):
    X, y = plain(rng)
    return np.repeat(X[:25], 2, axis=0), np.repeat(y[:25], 2)


def imbalanced(rng):
    X = rng.normal(size=(90, 4))
    y = np.where(np.arange(90) < 4, 1, -1)
    X[y > 0] += 1.0
    return X, y


def three_trials(rng):
    return rng.normal(size=(3, 2)), np.array([1, -1, 1])


def more_units_than_trials(rng):
    y = rng.permutation(np.where(np.arange(50) < 25, 1, -1))
    return rng.poisson(3, size=(50, 400)) + 0.05 * np.outer(y, rng.normal(size=400)), y


def badly_scaled(rng):
    X, y = plain(rng)
    return X * [1e-4, 1, 1e4, 10, 1, 1] + [0, 1e5, -3, 0, 0, 1], y


def one_wild_trial(rng):
    X, y = plain(rng)
    X[3] *= 30
    return X, y


PROBLEMS = [
    plain,
    counts,
    separable,
    collinear,
    with_constant_units,
    duplicated,
    imbalanced,
    three_trials,
    more_units_than_trials,
    badly_scaled,
    one_wild_trial,
]


def stack_of(problem, *, n_problems=None, seed=1):
    """X, labels and training trials of some problems, 5 or 2 large ones; the first has the true labels."""
    rng = np.random.default_rng(seed)
    X, y = problem(rng)
    n_problems = n_problems or (2 if X.size > 10_000 else 5)
    labels = np.array([y] + [rng.permutation(y) for _ in range(n_problems - 1)])
    train = rng.random(labels.shape) < (0.85 if len(y) > 3 else 1.0)
    for row, code in np.ndindex(n_problems, 2):
        train[row, np.flatnonzero(labels[row] == (1, -1)[code])[0]] = True
    return X, labels, train


def standardised(X, train):
    """X in SDs of the training trials, by the definition; units that do not vary there are 0."""
    part = X[train]
    varies = np.ptp(part, axis=0) > 0
    middle = np.median(part, axis=0)
    centred = part - middle
    sd = np.where(varies, centred.std(axis=0), 1.0)
    return np.where(varies, (X - middle - centred.mean(axis=0)) / sd, 0.0)


def costs(y, C, class_weight):
    if class_weight is None:
        return np.full(len(y), C)
    return C * len(y) / (2.0 * np.where(y > 0, (y > 0).sum(), (y < 0).sum()))


def oracle_decision(solver, Z, y, test, *, C=1.0, shrinkage=0.2, class_weight=None):
    """Decision values of ``test`` by scikit-learn at tight tolerance; None where libsvm does not get there."""
    if solver == "lda":
        return textbook_lda(Z, y, test, shrinkage)
    options = {"C": C, "class_weight": class_weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the tolerance is below rounding
        if solver == "svm":
            return completed_linear_svc(
                LinearSVC(dual=False, tol=1e-13, max_iter=20_000, **options).fit(Z, y), Z, y, test
            )
        if solver == "hinge":
            return completed_svc(SVC(kernel="linear", tol=1e-9, max_iter=100_000, **options).fit(Z, y), Z, y, test)
        model = LogisticRegression(solver="newton-cholesky", tol=1e-14, max_iter=1000, **options)
        return model.fit(Z, y).decision_function(test)


def completed_linear_svc(model, Z, y, test):
    """LinearSVC, which ends some 1e-7 off, completed: least squares over the trials it finds inside the margin."""
    Z, test = np.column_stack([Z, np.ones(len(Z))]), np.column_stack([test, np.ones(len(test))])
    theta = start = np.append(model.coef_[0], model.intercept_)
    weight = 2 * costs(y, model.C, model.class_weight)
    for _ in range(5):
        inside = y * (Z @ theta) < 1
        A = Z[inside]
        theta = np.linalg.solve(np.eye(Z.shape[1]) + (A.T * weight[inside]) @ A, A.T @ (weight * y)[inside])
        if ((y * (Z @ theta) < 1) == inside).all():
            break
    else:
        raise ArithmeticError("liblinear is too far from the minimum to be completed")
    assert relative_error(test @ start, test @ theta) <= 1e-5
    return test @ theta


def completed_svc(model, Z, y, test):
    """SVC(kernel="linear"), whose kernel is in single precision, completed in double."""
    c = costs(y, model.C, model.class_weight)
    alpha = np.zeros(len(y))
    alpha[model.support_] = np.abs(model.dual_coef_[0])
    alpha = np.where(alpha < 1e-6 * c, 0.0, np.where(alpha > (1 - 1e-6) * c, c, alpha))
    if ((alpha == 0) | (alpha == c)).all():
        return model.decision_function(test) if model.fit_status_ == 0 else None
    start = np.append(model.coef_[0], model.intercept_)
    theta = minimum_on_these_margins(np.column_stack([Z, np.ones(len(Z))]), y, c, 0.0, start, alpha)
    return None if theta is None else test @ theta[:-1] + theta[-1]


def minimum_on_these_margins(Z, y, c, pull, theta, alpha):
    """The minimum of the hinge objective if the trials with 0 < alpha < c are those on their margin.

    On these y f(x) = 1; with (w, pull b) = sum alpha y z that makes linear equations for w, b and their
    alpha. Z has a column of ones. None if the result breaks a condition of optimality.
    """
    free = (alpha > 0) & (alpha < c)
    edge, n_edge = Z[free] * y[free, None], free.sum()
    penalty = np.append(np.ones(Z.shape[1] - 1), pull)
    left = np.block([[np.diag(penalty), -edge.T], [edge, np.zeros((n_edge, n_edge))]])
    right = np.append(Z[~free].T @ (alpha * y)[~free], np.ones(n_edge))
    point = np.append(theta, alpha[free])
    inverse = np.linalg.pinv(left, rcond=1e-13)
    for _ in range(3):
        point = point - inverse @ (left @ point - right)
    theta, multipliers = np.split(point, [Z.shape[1]])
    short = 1 - y * (Z @ theta)
    slack = 1e-9 * (1 + np.abs(Z) @ np.abs(theta))
    kept = np.where(free, abs(short) < slack, np.where(alpha > 0, short > -slack, short < slack)).all()
    solved = np.abs(left @ point - right).max() <= 1e-9 * (1 + np.abs(right).max())
    inside = ((multipliers > -1e-9 * c[free]) & (multipliers < (1 + 1e-9) * c[free])).all()
    return theta if kept and solved and inside else None


def textbook_lda(Z, y, test, shrinkage):
    """w = S^-1 (mean of +1 - mean of -1), half way between; S within classes, units that vary only."""
    varies = Z.any(axis=0)
    Z, test = Z[:, varies], test[:, varies]
    a, b = Z[y > 0].mean(axis=0), Z[y < 0].mean(axis=0)
    residuals = Z - np.where(y[:, None] > 0, a, b)
    freedom = max(len(y) - 2, 1)
    if shrinkage == "ledoit-wolf":
        S = ledoit_wolf(residuals, assume_centered=True)[0] * len(y) / freedom
    else:
        S = residuals.T @ residuals / freedom
        S = (1 - shrinkage) * S + shrinkage * np.diag(np.maximum(np.diag(S), 1e-10))
    w = np.linalg.solve(S, a - b)
    return (test - (a + b) / 2) @ w


def relative_error(got, expected):
    return np.abs(got - expected).max() / max(np.abs(expected).max(), 1.0)
