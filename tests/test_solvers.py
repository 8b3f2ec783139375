"""The decoder engine against scikit-learn at tight tolerance, one fit at a time, and at its optimum."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from piriform import solvers
from piriform.errors import MeasureError
from piriform.solvers import engine, stack
from piriform.splits import OUT, blocked_folds

MODELS = {
    "svm": lambda C: LinearSVC(C=C, dual=False, tol=1e-13, max_iter=100_000),
    "hinge": lambda C: SVC(C=C, kernel="linear", tol=1e-8),
    "logistic": lambda C: LogisticRegression(C=C, tol=1e-13, max_iter=100_000, solver="newton-cholesky"),
}


def spikes(rng, n_trials, n_units, gap=0.5):
    y = rng.permutation(np.where(np.arange(n_trials) < n_trials // 2, 1, -1))
    return rng.poisson(3, size=(n_trials, n_units)) + gap * np.outer(y, rng.normal(size=n_units)), y


def separable(rng):
    X, y = spikes(rng, 40, 5)
    X[:, 0] += 20 * y
    return X, y


def collinear(rng):
    X, y = spikes(rng, 60, 4)
    return np.column_stack([X, X[:, 0] + 1e-4 * rng.normal(size=60)]), y


def with_constant_units(rng):
    X, y = spikes(rng, 50, 4)
    X[:, 1] = 7.0
    return X, y


def duplicated(rng):
    X, y = spikes(rng, 25, 5)
    return np.repeat(X, 2, axis=0), np.repeat(y, 2)


def imbalanced(rng):
    X, _ = spikes(rng, 90, 4)
    y = np.where(np.arange(90) < 4, 1, -1)
    X[y > 0] += 1.0
    return X, y


def three_trials(rng):
    return rng.normal(size=(3, 2)), np.array([1, -1, 1])


def more_units_than_trials(rng):
    return spikes(rng, 50, 400, gap=0.05)


def badly_scaled(rng):
    X, y = spikes(rng, 60, 4)
    return X * [1e-4, 1, 1e4, 10] + [0, 1e5, -3, 0], y


PROBLEMS = [
    separable,
    collinear,
    with_constant_units,
    duplicated,
    imbalanced,
    three_trials,
    more_units_than_trials,
    badly_scaled,
]


def decision_of(solver, X, y, C):
    scaled = StandardScaler().fit_transform(X)
    return MODELS[solver](C).fit(scaled, y).decision_function(scaled)


def assert_same_decisions(got, expected, solver):
    # SVC stops short of the minimum: at a tighter tolerance libsvm does not end on nearly collinear units
    tolerance = 1e-5 if solver == "hinge" else 1e-6
    assert np.abs(got - expected).max() <= tolerance * max(np.abs(expected).max(), 1.0)


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("solver", sorted(MODELS))
@pytest.mark.parametrize("problem", PROBLEMS)
def test_odd_problems_equal_scikit_learn(problem, solver, C):
    X, y = problem(np.random.default_rng(1))
    models = solvers.fit(X, y, np.ones(len(y), bool), solver=solver, C=C)
    assert models.converged.all()
    assert_same_decisions(models.decision_values(X)[0], decision_of(solver, X, y, C), solver)


@pytest.mark.parametrize("solver", sorted(MODELS))
def test_a_stack_of_random_problems_equals_scikit_learn(solver):
    rng = np.random.default_rng(2)
    for _ in range(4):
        n_trials, n_units, C = rng.integers(30, 90), rng.integers(2, 12), 10 ** rng.uniform(-2, 1)
        X, y = spikes(rng, n_trials, n_units)
        labels = np.array([rng.permutation(y) for _ in range(30)])
        train = rng.random(labels.shape) < 0.8
        models = solvers.fit(X, labels, train, solver=solver, C=C)
        for row in range(len(labels)):
            scaler = StandardScaler().fit(X[train[row]])
            oracle = MODELS[solver](C).fit(scaler.transform(X[train[row]]), labels[row, train[row]])
            expected = oracle.decision_function(scaler.transform(X))
            assert_same_decisions(models.decision_values(X)[row], expected, solver)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p is not three_trials])
def test_lda_is_the_textbook_formula(problem):
    X, y = problem(np.random.default_rng(3))
    sd = X.std(axis=0)
    Z = np.where(sd > 0, (X - X.mean(axis=0)) / np.where(sd > 0, sd, 1), 0.0)
    a, b = Z[y == 1], Z[y == -1]
    S = ((a - a.mean(0)).T @ (a - a.mean(0)) + (b - b.mean(0)).T @ (b - b.mean(0))) / (len(y) - 2)
    S = 0.7 * S + 0.3 * np.diag(np.diag(S)) + np.diag((sd == 0).astype(float))
    w = np.linalg.solve(S, a.mean(0) - b.mean(0))
    expected = Z @ w - w @ (a.mean(0) + b.mean(0)) / 2
    got = solvers.fit(X, y, np.ones(len(y), bool), solver="lda", shrinkage=0.3).decision_values(X)[0]
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7 * np.abs(expected).max())


def test_ledoit_wolf_lda_equals_scikit_learn():
    X, y = spikes(np.random.default_rng(4), 200, 6)
    got = solvers.fit(X, y, np.ones(200, bool), solver="lda", shrinkage="ledoit-wolf")
    Z = StandardScaler().fit_transform(X)
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5]).fit(Z, y)
    direction = oracle.coef_[0] / np.linalg.norm(oracle.coef_)
    # scikit-learn shrinks each class on its own and averages: close, not equal
    assert got.weights[0] @ direction / got.norms()[0] > 0.999


@pytest.mark.parametrize("solver", ["svm", "logistic"])
def test_the_gradient_is_zero_at_the_returned_point(solver):
    rng = np.random.default_rng(5)
    X, y = spikes(rng, 120, 9)
    labels = np.array([rng.permutation(y) for _ in range(50)])
    models = solvers.fit(X, labels, np.ones(labels.shape, bool), solver=solver, C=0.7)
    Z = (X - X.mean(0)) / X.std(0)
    margin = labels * models.decision_values(X)
    slope = 1.4 * np.maximum(1 - margin, 0) if solver == "svm" else 0.7 / (1 + np.exp(margin))
    np.testing.assert_allclose(models.weights, (slope * labels) @ Z, atol=1e-8)
    intercept = models.intercepts if solver == "svm" else 0.0
    np.testing.assert_allclose(intercept, (slope * labels).sum(axis=1), atol=1e-8)


def test_the_hinge_solution_meets_the_conditions_of_karush_kuhn_and_tucker():
    X, y = spikes(np.random.default_rng(6), 80, 5)
    C = 0.5
    model = solvers.fit(X, y, np.ones(80, bool), solver="hinge", C=C)
    Z, margin = (X - X.mean(0)) / X.std(0), y * model.decision_values(X)[0]
    inside, outside = margin < 1 - 1e-7, margin > 1 + 1e-7
    edge = ~inside & ~outside
    # w = sum alpha y z with alpha = C inside, 0 outside; the rest must lie in [0, C] and balance the classes
    A = np.vstack([(Z[edge] * y[edge, None]).T, y[edge]])
    rest = np.append(model.weights[0], 0.0) - C * np.append((Z[inside] * y[inside, None]).sum(0), y[inside].sum())
    alpha = np.linalg.lstsq(A, rest, rcond=None)[0]
    np.testing.assert_allclose(A @ alpha, rest, atol=1e-6)
    assert (alpha > -1e-6).all()
    assert (alpha < C + 1e-6).all()


@pytest.mark.parametrize("solver", ["svm", "hinge", "logistic", "lda"])
def test_held_out_scores_are_those_of_the_model_without_the_fold(solver):
    rng = np.random.default_rng(7)
    X, y = spikes(rng, 60, 5)
    labels = np.array([y, rng.permutation(y), rng.permutation(y)])
    folds = blocked_folds(labels, 4)
    folds[:, ::9] = OUT
    held = solvers.heldout(X, labels, folds, solver=solver)
    assert held.converged.all()
    for row in range(3):
        for fold in range(4):
            model = solvers.fit(X, labels[row], (folds[row] != fold) & (folds[row] != OUT), solver=solver)
            test = folds[row] == fold
            np.testing.assert_allclose(
                held.decision[row, test], model.decision_values(X[test])[0], rtol=1e-9, atol=1e-9
            )
            assert held.norms[row, fold] == pytest.approx(model.norms()[0])
    assert (np.isnan(held.decision) == (folds == OUT)).all()


@pytest.mark.parametrize("solver", ["svm", "logistic", "lda"])
def test_batches_and_single_problems_agree(solver, monkeypatch):
    rng = np.random.default_rng(8)
    X, y = spikes(rng, 70, 6)
    X[:, 2] = np.where(np.arange(70) == 3, 1.0, 0.0)  # varies in one trial only
    labels = np.array([rng.permutation(y) for _ in range(20)])
    folds = blocked_folds(labels, 5)
    together = solvers.heldout(X, labels, folds, solver=solver)
    monkeypatch.setattr(stack, "AT_ONCE", 3 * 49)
    smaller = solvers.heldout(X, labels, folds, solver=solver)
    np.testing.assert_allclose(smaller.decision, together.decision, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(stack, "LARGE", 0)
    alone = solvers.heldout(X, labels, folds, solver=solver)
    np.testing.assert_allclose(alone.decision, together.decision, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(alone.n_dropped, together.n_dropped)
    assert (together.n_dropped.sum(axis=1) == 1).all()


def test_one_versus_rest_and_multiclass_lda():
    rng = np.random.default_rng(9)
    codes = rng.permutation(np.arange(90) % 3)[None]
    X = rng.normal(size=(90, 4)) + 2 * np.eye(3, 4)[codes[0]]
    folds = blocked_folds(codes, 3)
    scores = solvers.heldout_multiclass(X, codes, folds, n_classes=3)
    for code in range(3):
        expected = solvers.heldout(X, np.where(codes == code, 1, -1), folds).decision
        np.testing.assert_array_equal(scores[..., code], expected)
    lda = solvers.heldout_multiclass(X, codes, folds, n_classes=3, solver="lda", shrinkage=0.0)
    for fold in range(3):
        train, test = folds[0] != fold, folds[0] == fold
        oracle = LinearDiscriminantAnalysis(solver="lsqr", priors=[1 / 3] * 3).fit(X[train], codes[0, train])
        assert (lda[0, test].argmax(axis=1) == oracle.predict(X[test])).all()


def test_settings_change_what_is_fitted():
    X, y = spikes(np.random.default_rng(10), 60, 3)
    y[:40], train = -1, np.ones(60, bool)
    X[y > 0] += 0.5
    Z = StandardScaler().fit_transform(X)
    free = solvers.fit(X, y, train, penalize_intercept=False)
    oracle = LinearSVC(C=1.0, dual=False, tol=1e-13, max_iter=100_000, intercept_scaling=1e4).fit(Z, y)
    np.testing.assert_allclose(free.weights, oracle.coef_, rtol=1e-4)
    balanced = solvers.fit(X, y, train, class_weight="balanced", solver="logistic")
    expected = LogisticRegression(class_weight="balanced", tol=1e-13, max_iter=10_000).fit(Z, y)
    np.testing.assert_allclose(balanced.weights, expected.coef_, rtol=1e-4)
    raw = solvers.fit(X, y, train, standardize=False)
    expected = LinearSVC(C=1.0, dual=False, tol=1e-13, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(raw.weights, expected.coef_, rtol=1e-5)


X0, Y0, ALL = np.arange(12.0).reshape(6, 2), np.array([1, -1, 1, -1, 1, -1]), np.ones(6, bool)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": X0[:, 0]}, r"X has shape \(6,\), expected \(n_trials, n_units\)"),
        ({"X": np.where(X0 == 3, np.nan, X0)}, r"X holds nan at trial 1, unit 1"),
        ({"X": np.ones((6, 2))}, r"problem 0: no unit varies over the training trials"),
        ({"labels": Y0[:5]}, r"labels has shape \(5,\), expected \(\.\.\., 6\)"),
        ({"labels": np.where(Y0 > 0, 2, -1)}, r"problem 0: label of trial 0 is 2, expected \+1 or -1"),
        ({"labels": np.ones(6)}, r"problem 0: no training trial has label -1"),
        ({"labels": np.tile(Y0, (2, 1)), "train": np.tile(ALL, (3, 1))}, r"labels has 2 rows, train 3"),
        ({"solver": "svn"}, r"unknown solver 'svn' \(did you mean 'svm'\?\)"),
        ({"C": 0.0}, r"C is 0\.0, expected a positive number"),
        ({"shrinkage": 2.0}, r"shrinkage is 2\.0, expected a number from 0 to 1"),
        ({"shrinkage": "oas"}, r"unknown shrinkage 'oas'"),
        ({"class_weight": "even"}, r"unknown class_weight 'even'"),
        ({"tol": 0.0}, r"tol is 0\.0, expected a number between 0 and 1"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    given = {"X": X0, "labels": Y0, "train": ALL} | arguments
    with pytest.raises(MeasureError, match=message):
        solvers.fit(given.pop("X"), given.pop("labels"), given.pop("train"), **given)


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (np.zeros(6, int), r"folds run from 0 to 0, expected 0 \.\. n_folds-1 with at least 2 folds"),
        (np.array([0, 0, 0, 2, 2, 2]), r"labelling 0: no trial is in fold 1 of 3"),
        (np.zeros(6), r"folds has dtype float64, expected integers"),
        (np.array([0, 1, 0, 1, 0, 1]), r"labelling 0 without fold 0: no training trial has label \+1"),
    ],
)
def test_folds_that_cannot_be_used_are_refused(folds, message):
    with pytest.raises(MeasureError, match=message):
        solvers.heldout(X0, Y0, folds)


def test_other_nonsense_is_refused(monkeypatch):
    with pytest.raises(MeasureError, match=r"X has shape \(6, 3\), expected \(n_trials, 2\)"):
        solvers.fit(X0, Y0, ALL).decision_values(np.ones((6, 3)))
    constant = np.column_stack([np.where(np.arange(6) < 2, 1.0, 0.0)] * 2)
    with pytest.raises(MeasureError, match=r"without fold 0: no unit varies over the training trials"):
        solvers.heldout(constant, Y0, np.array([0, 0, 1, 1, 1, 1]))
    with pytest.raises(MeasureError, match="within-class covariance is singular: set shrinkage above 0"):
        solvers.fit(X0[:, [0, 0]] * [1, 1] + 0.0, Y0, ALL, solver="lda", shrinkage=0.0)
    monkeypatch.setattr(stack, "LARGE", 0)
    with pytest.raises(MeasureError, match="within-class covariance is singular: set shrinkage above 0"):
        solvers.fit(X0[:, [0, 0]] + 0.0, Y0, ALL, solver="lda", shrinkage=0.0)
    with pytest.raises(MeasureError, match="problem 0: no unit varies"):
        engine.fit(np.ones((6, 2)), Y0, ALL)
