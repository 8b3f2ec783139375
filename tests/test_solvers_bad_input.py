"""What the solvers refuse, and what their errors name; both backends speak alike."""

import numpy as np
import pytest
from solver_problems import BACKENDS, SOLVERS

from piriform import solvers
from piriform.errors import MeasureError
from piriform.solvers import stack

X0, Y0, ALL = np.arange(12.0).reshape(6, 2) ** 2, np.array([1, -1, 1, -1, 1, -1]), np.ones(6, bool)
FOLDS = np.array([0, 0, 1, 1, 2, 2])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": X0[:, 0]}, r"X has shape \(6,\), expected \(n_trials, n_units\)"),
        ({"X": X0[:, :0]}, r"X has shape \(6, 0\), expected \(n_trials, n_units\) with at least one of each"),
        ({"X": np.where(X0 == 9, np.nan, X0)}, r"X holds nan at trial 1, unit 1"),
        ({"X": np.where(X0 == 16, np.inf, X0)}, r"X holds inf at trial 2, unit 0"),
        ({"X": np.ones((6, 2))}, r"problem 0: no unit varies over the training trials"),
        ({"labels": Y0[:5]}, r"labels has shape \(5,\), expected \(\.\.\., 6\)"),
        ({"labels": np.where(Y0 > 0, 2, -1)}, r"problem 0: label of trial 0 is 2, expected \+1 or -1"),
        ({"labels": np.ones(6)}, r"problem 0: no training trial has label -1"),
        ({"labels": np.stack([Y0, -np.ones(6)])}, r"problem 1: no training trial has label \+1"),
        ({"train": Y0 > 0}, r"problem 0: no training trial has label -1"),
        ({"train": ALL[:4]}, r"train has shape \(4,\), expected \(\.\.\., 6\)"),
        ({"labels": np.tile(Y0, (2, 1)), "train": np.tile(ALL, (3, 1))}, r"labels has 2 rows, train 3"),
        ({"solver": "svn"}, r"unknown solver 'svn' \(did you mean 'svm'\?\)"),
        ({"C": 0.0}, r"C is 0\.0, expected a positive number"),
        ({"C": -1.0}, r"C is -1\.0, expected a positive number"),
        ({"C": np.nan}, r"C is nan, expected a positive number"),
        ({"shrinkage": 2.0}, r"shrinkage is 2\.0, expected a number from 0 to 1"),
        ({"shrinkage": "oas"}, r"unknown shrinkage 'oas'"),
        ({"class_weight": "even"}, r"unknown class_weight 'even'"),
        ({"tol": 0.0}, r"tol is 0\.0, expected a number between 0 and 1"),
    ],
)
def test_nonsense_is_refused(arguments, message, backend):
    given = {"X": X0, "labels": Y0, "train": ALL} | arguments
    with pytest.raises(MeasureError, match=message):
        solvers.fit(given.pop("X"), given.pop("labels"), given.pop("train"), backend=backend, **given)


def test_an_unknown_backend_is_refused():
    with pytest.raises(MeasureError, match=r"unknown backend 'nunba' \(did you mean 'numba'\?\)"):
        solvers.fit(X0, Y0, ALL, backend="nunba")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (np.zeros(6, int), r"folds run from 0 to 0, expected 0 \.\. n_folds-1 with at least 2 folds"),
        (np.array([-2, 0, 0, 1, 1, 1]), r"folds run from -2 to 1"),
        (np.array([0, 0, 0, 2, 2, 2]), r"labelling 0: no trial is in fold 1 of 3"),
        (np.zeros(6), r"folds has dtype float64, expected integers"),
        (FOLDS[:5], r"folds has shape \(5,\), expected \(\.\.\., 6\)"),
        (np.array([0, 1, 0, 1, 0, 1]), r"labelling 0 without fold 0: no training trial has label \+1"),
        (np.array([0, 1, 0, -1, 0, -1]), r"labelling 0 without fold 0: no training trial has label \+1"),
    ],
)
def test_folds_that_cannot_be_used_are_refused(folds, message, backend):
    with pytest.raises(MeasureError, match=message):
        solvers.heldout(X0, Y0, folds, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_class_with_fewer_trials_than_folds_is_refused_where_a_fold_takes_all_of_it(backend):
    labels = np.array([Y0, [1, -1, -1, -1, -1, -1]])
    with pytest.raises(MeasureError, match=r"labelling 1 without fold 0: no training trial has label \+1"):
        solvers.heldout(X0, labels, FOLDS, backend=backend)
    with pytest.raises(MeasureError, match=r"labelling 0 without fold 2: no training trial is of class 2"):
        solvers.heldout_multiclass(X0, np.array([0, 1, 0, 1, 2, 0]), FOLDS, n_classes=3, backend=backend)
    with pytest.raises(MeasureError, match=r"labelling 0: code of trial 4 is 3, expected 0 \.\. 2"):
        solvers.heldout_multiclass(X0, np.array([0, 1, 0, 1, 3, 0]), FOLDS, n_classes=3, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_unit_that_varies_in_one_fold_only_is_dropped_without_it_and_counted(solver, backend):
    rng = np.random.default_rng(1)
    X, folds = rng.normal(size=(30, 4)), np.arange(30) // 2 % 3
    labels = np.where(np.arange(30) % 2, 1, -1)
    X[:, 2] = np.where(folds == 1, X[:, 2], 0.1)
    held = solvers.heldout(X, labels, folds, solver=solver, backend=backend)
    np.testing.assert_array_equal(held.n_dropped, [[0, 1, 0]])
    without = solvers.heldout(np.delete(X, 2, axis=1), labels, folds, solver=solver, backend=backend)
    test = folds == 1
    np.testing.assert_allclose(held.decision[0, test], without.decision[0, test], rtol=1e-7, atol=1e-8)
    assert held.norms[0, 1] == pytest.approx(without.norms[0, 1])
    model = solvers.fit(X, labels, folds != 1, solver=solver, backend=backend)
    assert (model.n_dropped[0], model.weights[0, 2], model.scale[0, 2]) == (1, 0.0, 1.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fold_that_takes_the_variance_of_all_units_is_refused(solver, backend):
    X = np.column_stack([np.where(FOLDS == 1, X0[:, 0], 3.0), np.where(FOLDS == 1, X0[:, 1], 0.1)])
    with pytest.raises(MeasureError, match="labelling 0 without fold 1: no unit varies over the training trials"):
        solvers.heldout(X, Y0, FOLDS, solver=solver, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("large", [True, False])
def test_lda_of_one_unit_twice_asks_for_shrinkage(large, backend, monkeypatch):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(12, 1)) @ [[1.0, 1.0]]
    if large:
        monkeypatch.setattr(stack, "LARGE", 0)
    with pytest.raises(MeasureError, match=r"(: |^)the within-class covariance is singular: set shrinkage above 0"):
        solvers.fit(X, np.tile(Y0, 2), np.ones(12, bool), solver="lda", shrinkage=0.0, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scores_of_other_units_are_refused(backend):
    with pytest.raises(MeasureError, match=r"X has shape \(6, 3\), expected \(n_trials, 2\)"):
        solvers.fit(X0, Y0, ALL, backend=backend).decision_values(np.ones((6, 3)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_are_left_as_they_were(backend):
    X, labels, folds = X0.copy(), np.stack([Y0, -Y0]), FOLDS.copy()
    for solver in SOLVERS:
        solvers.heldout(X, labels, folds, solver=solver, backend=backend)
    np.testing.assert_array_equal(X, X0)
    np.testing.assert_array_equal(labels, [Y0, -Y0])
    np.testing.assert_array_equal(folds, FOLDS)
