"""How does each package run a permutation test of cross-validated decoding?

A method takes a problem and a number of labellings (the truth and permutations of it), fits 5 classifiers
for each and returns the held-out accuracy of the true labels. Units are standardised by the training
trials of each fold. Settings are those that a user gets, unless that would fit another model.
"""

import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.problems import N_FOLDS, Problem, labellings
from piriform import solvers

Method = Callable[[Problem, int], float]
#: The method that all ratios are against.
BASELINE = "scikit-learn LinearSVC"


def methods() -> dict[str, Method]:
    """Return what can be run here, by name; decodanda, MNE and numba only where they are installed."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC, LinearSVC

    found: dict[str, Method] = {
        BASELINE: partial(sklearn_idiom, LinearSVC()),
        "scikit-learn SVC(linear)": partial(sklearn_idiom, SVC(kernel="linear")),
        "scikit-learn LogisticRegression": partial(sklearn_idiom, LogisticRegression()),
        "scikit-learn LDA": partial(sklearn_idiom, LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2)),
    }
    if find_spec("decodanda"):
        found["decodanda (LinearSVC)"] = decodanda_idiom
    if find_spec("mne"):
        found["MNE (LinearSVC)"] = partial(mne_idiom, LinearSVC())
    found["liblinear, bare loop"] = liblinear_loop
    for backend in ("numba", "numpy"):
        if backend == "numpy" or find_spec("numba"):
            for solver in ("svm", "hinge", "logistic", "lda"):
                found[f"piriform {solver} ({backend})"] = partial(engine, solver=solver, backend=backend)
    return found


def sklearn_idiom(classifier: Any, problem: Problem, n_labellings: int) -> float:
    """permutation_test_score with a pipeline of StandardScaler and the classifier."""
    from sklearn.model_selection import permutation_test_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), classifier)
    n_permutations, seed = n_labellings - 1, problem.seed
    with _quiet():
        found = permutation_test_score(
            pipeline, problem.X, problem.y, cv=problem.cv, n_permutations=n_permutations, random_state=seed
        )
    return float(found[0])


def mne_idiom(classifier: Any, problem: Problem, n_labellings: int) -> float:
    """cross_val_multiscore with Vectorizer and LinearModel, in a loop over permuted labels."""
    from mne.decoding import LinearModel, Vectorizer, cross_val_multiscore
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(Vectorizer(), StandardScaler(), LinearModel(classifier))
    epochs, rng = problem.X[:, :, None], np.random.default_rng(problem.seed)
    accuracy = []
    with _quiet():
        for row in range(n_labellings):
            y = problem.y if row == 0 else rng.permutation(problem.y)
            accuracy.append(cross_val_multiscore(pipeline, epochs, y, cv=problem.cv, verbose=False).mean())
    return float(accuracy[0])


def decodanda_idiom(problem: Problem, n_labellings: int) -> float:
    """decode_with_nullmodel, 5 cross-validations of 80% for each shuffle; it draws trials anew with replacement."""
    from decodanda import Decodanda

    np.random.seed(problem.seed)  # noqa: NPY002  decodanda draws from the global generator
    session = {"raster": problem.X, "odour": problem.y, "trial": np.arange(len(problem.y))}
    with _quiet():
        decoder = Decodanda(data=session, conditions={"odour": [-1, 1]}, zscore=True, verbose=False)
        accuracy, _ = decoder.decode_with_nullmodel(
            "odour", training_fraction=1 - 1 / N_FOLDS, cross_validations=N_FOLDS, nshuffles=n_labellings - 1
        )
    return float(accuracy)


def liblinear_loop(problem: Problem, n_labellings: int) -> float:
    """The compiled core of LinearSVC, called directly: no estimator, no checks, no splitter."""
    from sklearn.svm._liblinear import set_verbosity_wrap, train_wrap

    set_verbosity_wrap(0)
    labels, folds = labellings(problem, n_labellings)
    right = np.zeros(n_labellings)
    for row, (y, fold_of) in enumerate(zip(labels.astype(np.float64), folds, strict=True)):
        for fold in range(N_FOLDS):
            train, test = fold_of != fold, fold_of == fold
            X = problem.X[train]
            mean, sd = X.mean(axis=0), X.std(axis=0)
            X, y_train = (X - mean) / sd, (y[train] + 1) / 2
            # squared hinge, L2: 2 is the primal, 1 the dual, chosen as LinearSVC(dual="auto") does
            kind = 1 if len(X) < X.shape[1] else 2
            ones, none = np.ones(len(X)), np.empty(0)
            w = train_wrap(X, y_train, False, kind, 1e-4, 1.0, 1.0, none, 1000, 0, 0.1, ones)[0][0]
            score = (problem.X[test] - mean) / sd @ w[:-1] + w[-1]
            right[row] += ((score > 0) == (y[test] > 0)).sum()
    return float(right[0] / len(problem.y))


def engine(problem: Problem, n_labellings: int, *, solver: str, backend: str) -> float:
    """One call of piriform.solvers.heldout for all labellings; drawing labels and folds is part of it."""
    labels, folds = labellings(problem, n_labellings)
    held = solvers.heldout(problem.X, labels, folds, solver=solver, backend=backend)
    accuracy = (held.decision * labels > 0).mean(axis=1)
    return float(accuracy[0])


def _quiet() -> Any:
    """Without the warning that an iteration ended at its limit: the accuracies show what that costs."""
    return warnings.catch_warnings(action="ignore")
