"""Do compiled kernels and NumPy agree, and do answers depend on anything but the problem?"""

import numpy as np
import pytest
from solver_problems import BACKENDS, PROBLEMS, SOLVERS, needs_numba, plain, relative_error, stack_of, three_trials

from piriform import solvers
from piriform.errors import MeasureError
from piriform.solvers import stack
from piriform.splits import OUT, blocked_folds

#: Largest difference of decision values. svm and lda end exactly; the others where the gradient is 1e-10 of its terms.
AGREE = {"svm": 1e-8, "hinge": 1e-6, "logistic": 1e-6, "lda": 1e-8}


def nasty(rng):
    """Random responses and labels of any shape and scale, with a random defect."""
    n_trials, n_units = rng.choice([5, 8, 12, 20, 50, 90]), rng.choice([1, 2, 3, 7, 8, 15, 16, 40, 120])
    y = np.where(rng.random(n_trials) < rng.choice([0.5, 0.1, 0.85]), 1, -1)
    y[:2] = 1, -1
    X = rng.normal(size=(n_trials, n_units))
    defect = rng.integers(7)
    if defect == 1:
        X = rng.poisson(1, size=X.shape).astype(float)
    elif defect == 2:
        X = rng.poisson(0.1, size=X.shape) + 1e-3 * (np.arange(n_units) == 0) * X
    elif defect == 3:
        X[:, 0] += 20 * y
    elif defect == 4:
        X[:, -1] = X[:, 0] + 1e-4 * X[:, -1]
    elif defect == 5 and n_trials > 6:
        X[3], X[5], y[5] = X[4], X[2], y[2]
    elif defect == 6:
        X = X * 10.0 ** rng.integers(-2, 3, size=n_units) + 10.0 ** rng.integers(0, 4, size=n_units)
    return X + rng.choice([0, 0.5, 2]) * y[:, None] * rng.normal(size=n_units) * X.std(axis=0), y


@needs_numba
@pytest.mark.parametrize("solver", SOLVERS)
def test_backends_agree_on_nasty_problems(solver):
    rng = np.random.default_rng(20)
    found = []
    for _ in range(25):
        X, labels, train = stack_of(lambda _: nasty(rng), n_problems=8, seed=int(rng.integers(2**30)))
        options = {
            "C": float(rng.choice([1e-3, 0.01, 1.0, 10.0])),
            "class_weight": [None, "balanced"][rng.integers(2)],
            "standardize": bool(rng.random() < 0.8),
            "penalize_intercept": [None, None, None, True, False][rng.integers(5)],
            "shrinkage": [0.3, 0.2, 0.01, "ledoit-wolf"][rng.integers(4)],
        }
        kernels, arrays = (
            solvers.fit(X, labels, train, solver=solver, backend=backend, **options) for backend in ("numba", "numpy")
        )
        assert kernels.converged.all()
        assert arrays.converged.all()
        np.testing.assert_array_equal(kernels.n_dropped, arrays.n_dropped)
        values = zip(kernels.decision_values(X), arrays.decision_values(X), strict=True)
        found += [relative_error(*pair) for pair in values]
    assert len(found) == 200
    assert max(found) <= AGREE[solver]


@needs_numba
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p is not three_trials])
def test_backends_agree_on_held_out_trials(problem):
    X, labels, _ = stack_of(problem, n_problems=9)
    folds = np.where(np.arange(len(X)) % 11 == 5, OUT, np.arange(len(X)) // 2 % 3)
    for solver in SOLVERS:
        try:
            arrays = solvers.heldout(X, labels, folds, solver=solver, backend="numpy")
        except MeasureError as error:
            with pytest.raises(MeasureError, match=str(error)[:40]):
                solvers.heldout(X, labels, folds, solver=solver, backend="numba")
            continue
        kernels = solvers.heldout(X, labels, folds, solver=solver, backend="numba")
        np.testing.assert_allclose(kernels.decision, arrays.decision, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(kernels.norms, arrays.norms, rtol=1e-7, atol=1e-9)
        np.testing.assert_array_equal(kernels.n_dropped, arrays.n_dropped)
        assert kernels.converged.all()
        assert arrays.converged.all()


@needs_numba
@pytest.mark.parametrize("solver", SOLVERS)
def test_backends_agree_on_classes(solver):
    rng = np.random.default_rng(21)
    codes = np.array([rng.permutation(np.arange(60) % 4) for _ in range(9)])
    X, folds = rng.normal(size=(60, 5)), np.arange(60) // 4 % 5
    kernels, arrays = (
        solvers.heldout_multiclass(X, codes, folds, n_classes=4, solver=solver, backend=backend)
        for backend in ("numba", "numpy")
    )
    np.testing.assert_allclose(kernels, arrays, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_held_out_scores_are_those_of_the_model_without_the_fold(solver, backend):
    X, labels, _ = stack_of(plain, n_problems=3)
    folds = blocked_folds(labels, 4)
    folds[:, ::9] = OUT
    held = solvers.heldout(X, labels, folds, solver=solver, backend=backend)
    assert held.converged.all()
    for row, fold in np.ndindex(3, 4):
        train, test = (folds[row] != fold) & (folds[row] != OUT), folds[row] == fold
        model = solvers.fit(X, labels[row], train, solver=solver, backend=backend)
        np.testing.assert_allclose(held.decision[row, test], model.decision_values(X[test])[0], rtol=1e-8, atol=1e-8)
        assert held.norms[row, fold] == pytest.approx(model.norms()[0])
    assert (np.isnan(held.decision) == (folds == OUT)).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shared", [True, False])
def test_an_answer_does_not_depend_on_what_else_is_asked(solver, shared, backend):
    """Alone or among others: the same to 1e-11 of the scores; asked again: the same bytes."""
    n_problems = 100 if backend == "numba" else 20
    X, labels, _ = stack_of(plain, n_problems=n_problems)
    folds = np.arange(len(X)) % 3 if shared else blocked_folds(labels, 3)
    options = {"solver": solver, "backend": backend}
    among = solvers.heldout(X, labels, folds, **options).decision
    again = solvers.heldout(X, labels, folds, **options).decision
    assert among.tobytes() == again.tobytes()
    for row in (0, 7, n_problems - 1):
        own = folds if shared else folds[row]
        alone = solvers.heldout(X, labels[row], own, **options).decision[0]
        assert relative_error(alone, among[row]) <= 1e-11
    backwards = solvers.heldout(X, labels[::-1], folds if shared else folds[::-1], **options).decision[::-1]
    assert relative_error(backwards, among) <= 1e-11


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_swapped_labels_and_moved_units_change_signs_only(solver, backend):
    X, labels, train = stack_of(plain)
    options = {"solver": solver, "backend": backend}
    given = solvers.fit(X, labels, train, **options).decision_values(X)
    swapped = solvers.fit(X, -labels, train, **options).decision_values(X)
    moved_X = (X * [1, 2, 0.5, 8, 1, 3] + 5)[:, ::-1]
    moved = solvers.fit(moved_X, labels, train, **options).decision_values(moved_X)
    assert relative_error(-swapped, given) <= 1e-8
    assert relative_error(moved, given) <= 1e-8


@pytest.mark.parametrize("solver", ["svm", "logistic", "lda"])
def test_numpy_solves_in_portions_and_alone_alike(solver, monkeypatch):
    rng = np.random.default_rng(8)
    X, y = plain(rng)
    X[:, 2] = np.arange(60) == 3  # varies in one trial only
    labels = np.array([rng.permutation(y) for _ in range(20)])
    folds = blocked_folds(labels, 5)
    options = {"solver": solver, "backend": "numpy"}
    together = solvers.heldout(X, labels, folds, **options)
    monkeypatch.setattr(stack, "AT_ONCE", 3 * 49)
    smaller = solvers.heldout(X, labels, folds, **options)
    np.testing.assert_allclose(smaller.decision, together.decision, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(stack, "LARGE", 0)
    alone = solvers.heldout(X, labels, folds, **options)
    np.testing.assert_allclose(alone.decision, together.decision, rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(alone.n_dropped, together.n_dropped)
    assert (together.n_dropped.sum(axis=1) == 1).all()


@pytest.mark.parametrize("solver", ["svm", "logistic", "lda"])
def test_numpy_solves_alone_what_shared_coordinates_would_lose(solver):
    X, labels, train = stack_of(plain, n_problems=30)
    X[3] *= 1e5  # the other trials differ by 1e-5 of the SD of all
    train[:, 3] = False
    without = np.delete(np.arange(60), 3)
    options = {"solver": solver, "backend": "numpy", "shrinkage": 1e-8}
    got = solvers.fit(X, labels, train, **options)
    expected = solvers.fit(X[without], labels[:, without], train[:, without], **options)
    np.testing.assert_allclose(got.weights, expected.weights, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(got.scale, expected.scale, rtol=1e-9)
    assert (got.n_dropped == 0).all()


@needs_numba
def test_a_unit_that_varies_little_within_classes_keeps_its_digits():
    """Classes a million SD apart: sums of squares lose what NumPy's residuals keep."""
    rng = np.random.default_rng(3)
    y = np.where(np.arange(40) < 20, 1, -1)
    X = 1e6 * y[:, None] + rng.standard_normal((40, 3))
    folds = np.arange(40) % 4
    options = {"solver": "lda", "shrinkage": 0.2}
    by_numba, by_numpy = (solvers.heldout(X, y, folds, backend=b, **options).decision for b in ("numba", "numpy"))
    np.testing.assert_allclose(by_numba, by_numpy, rtol=1e-9)
    codes = (y > 0).astype(np.int64)
    by_numba, by_numpy = (
        solvers.heldout_multiclass(X, codes, folds, n_classes=2, backend=b, **options) for b in ("numba", "numpy")
    )
    np.testing.assert_allclose(by_numba, by_numpy, rtol=1e-9)
