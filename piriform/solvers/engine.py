"""Which linear classifiers fit a stack of problems that share trials?"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np

from piriform.errors import MeasureError
from piriform.solvers import batch
from piriform.solvers.checks import (
    check_codes,
    check_fold_training,
    check_training,
    checked_folds,
    checked_responses,
    checked_rows,
    checked_settings,
    paired_rows,
)
from piriform.solvers.compiled import compiled_class_scores, compiled_heldout, compiled_models, sound_rows
from piriform.solvers.models import HeldOut, LinearModels
from piriform.solvers.single import class_scores, single_models
from piriform.solvers.stack import Shared, Stack, fits_together, problems_at_once, shared_trials


@dataclass(frozen=True)
class Settings:
    """What is fitted.

    Attributes
    ----------
    solver : svm (squared hinge, as LinearSVC), hinge (as SVC(kernel="linear")), logistic, or lda
    C : inverse L2 penalty of the first three, as in scikit-learn
    shrinkage : weight of the covariance's diagonal in lda, or "ledoit-wolf"
    standardize : whether units are brought to mean 0 and SD 1 over the training trials
    class_weight : "balanced": C of a class times n_trials / (2 n_trials of the class); lda weighs classes alike
    penalize_intercept : None: as the scikit-learn class does (LinearSVC does, the others do not)
    tol : largest gradient at which an iteration may end, relative to its terms
    backend : "numba" for compiled kernels, "numpy", or "auto": numba where it is installed
    """

    solver: str = "svm"
    C: float = 1.0
    shrinkage: float | str = 0.2
    standardize: bool = True
    class_weight: str | None = None
    penalize_intercept: bool | None = None
    tol: float = 1e-10
    backend: str = "auto"

    def __post_init__(self) -> None:
        checked_settings(self.solver, self.C, self.shrinkage, self.class_weight, self.tol, self.backend)
        if self.backend == "numba" and not numba_is_installed():
            raise MeasureError("backend 'numba' needs numba: pip install 'piriform[fast]', or choose 'numpy'")

    @property
    def batched(self) -> bool:
        """Whether NumPy can solve many problems at once."""
        usual = self.standardize and self.class_weight is None and self.penalize_intercept is None
        return usual and self.solver != "hinge" and not isinstance(self.shrinkage, str)

    @property
    def pulls_intercept(self) -> bool:
        """Whether the intercept is penalised."""
        return self.solver == "svm" if self.penalize_intercept is None else self.penalize_intercept

    def compiled(self, X: np.ndarray) -> bool:
        """Whether kernels solve problems with these responses; LDA of many more units than trials is left to NumPy."""
        wide = self.solver == "lda" and X.shape[1] > 1.5 * len(X)
        return self.backend != "numpy" and numba_is_installed() and not wide


@cache
def numba_is_installed() -> bool:
    """Return whether compiled kernels can be had."""
    return find_spec("numba") is not None


def fit(
    X: np.ndarray,
    labels: np.ndarray,
    train: np.ndarray,
    *,
    solver: str = "svm",
    C: float = 1.0,
    shrinkage: float | str = 0.2,
    standardize: bool = True,
    class_weight: str | None = None,
    penalize_intercept: bool | None = None,
    tol: float = 1e-10,
    backend: str = "auto",
) -> LinearModels:
    """Return the exact minimiser of every problem of a stack.

    Units are standardised by the training trials of their problem; a unit that does not vary there is
    dropped from it and counted.

    Parameters
    ----------
    X : (n_trials, n_units) array
    labels : (n_problems, n_trials) or (n_trials,) array of +1 and -1
    train : (n_problems, n_trials) or (n_trials,) bool array, the training trials
    solver, C, shrinkage, standardize, class_weight, penalize_intercept, tol, backend
        see :class:`Settings`

    Raises
    ------
    MeasureError
        If an array has the wrong shape or a value that is not finite, a training set lacks a class or
        holds no unit that varies, or a setting is out of range.
    """
    settings = Settings(solver, C, shrinkage, standardize, class_weight, penalize_intercept, tol, backend)
    X = checked_responses(X)
    train = checked_rows(train, len(X), name="train").astype(bool)
    labels, train = paired_rows(checked_rows(labels, len(X), name="labels"), train, names=("labels", "train"))
    check_training(labels, train, where="problem {}")
    if settings.compiled(X):
        return compiled_models(X, labels, train, settings)
    if not (settings.batched and fits_together(X)):
        return single_models(X, labels, train, settings)
    shared = shared_trials(X)
    parts = [
        _models(shared, stack, *_solved(stack, settings), first)
        for first, stack in _stacks(shared, labels, train, X.shape[1])
    ]
    return LinearModels(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def heldout(
    X: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    *,
    solver: str = "svm",
    C: float = 1.0,
    shrinkage: float | str = 0.2,
    standardize: bool = True,
    class_weight: str | None = None,
    penalize_intercept: bool | None = None,
    tol: float = 1e-10,
    backend: str = "auto",
) -> HeldOut:
    """Return the decision value of every trial under the model trained on the other folds.

    Parameters
    ----------
    X : (n_trials, n_units) array
    labels : (n_labellings, n_trials) or (n_trials,) array of +1 and -1
    folds : (n_labellings, n_trials) or (n_trials,) int array of 0 .. n_folds-1, or -1: takes no part
    solver, C, shrinkage, standardize, class_weight, penalize_intercept, tol, backend
        see :class:`Settings`

    Raises
    ------
    MeasureError
        As :func:`fit`, and if a fold is empty in a labelling.
    """
    settings = Settings(solver, C, shrinkage, standardize, class_weight, penalize_intercept, tol, backend)
    X = checked_responses(X)
    if settings.compiled(X) and (sound := sound_rows(labels, folds, len(X))):
        return compiled_heldout(X, *sound, settings)
    folds, n_folds = checked_folds(checked_rows(folds, len(X), name="folds"))
    few = folds
    labels, folds = paired_rows(checked_rows(labels, len(X), name="labels"), folds, names=("labels", "folds"))
    check_fold_training(labels, folds, n_folds)
    if settings.compiled(X):
        return compiled_heldout(X, labels, few, n_folds, settings)
    decision = np.full(labels.shape, np.nan)
    norms, dropped, converged = (np.zeros((len(labels), n_folds), kind) for kind in (float, np.int64, bool))
    shared = shared_trials(X) if settings.batched and fits_together(X) else None
    for fold in range(n_folds):
        train = (folds != fold) & (folds >= 0)
        if shared is None:
            models = single_models(X, labels, train, settings, where=f"labelling {{}} without fold {fold}")
            scores, norms[:, fold] = models.decision_values(X), models.norms()
            dropped[:, fold], converged[:, fold] = models.n_dropped, models.converged
            decision = np.where(folds == fold, scores, decision)
            continue
        for first, stack in _stacks(shared, labels, train, X.shape[1]):
            rows = slice(first, first + len(stack.labels))
            theta, _, converged[rows, fold] = _solved(stack, settings)
            _check_alive(stack, first, f"labelling {{}} without fold {fold}")
            norms[rows, fold] = np.linalg.norm(theta[:, :-1] * stack.scale, axis=1)
            dropped[rows, fold] = (~stack.alive).sum(axis=1)
            decision[rows] = np.where(folds[rows] == fold, stack.scores(theta), decision[rows])
    return HeldOut(decision, norms, dropped, converged)


def heldout_multiclass(
    X: np.ndarray,
    codes: np.ndarray,
    folds: np.ndarray,
    *,
    n_classes: int,
    solver: str = "svm",
    C: float = 1.0,
    shrinkage: float | str = 0.2,
    backend: str = "auto",
) -> np.ndarray:
    """Return the score of every trial for every class, by models trained on the other folds.

    ``svm``, ``hinge`` and ``logistic`` fit one classifier per class against the rest; ``lda`` is
    multi-class shrinkage LDA with equal priors.

    Parameters
    ----------
    X : (n_trials, n_units) array
    codes : (n_labellings, n_trials) or (n_trials,) int array of 0 .. n_classes-1
    folds : as in :func:`heldout`

    Returns
    -------
    (n_labellings, n_trials, n_classes) array; NaN where a trial took no part
    """
    settings = Settings(solver, C, shrinkage, backend=backend)
    X = checked_responses(X)
    folds, n_folds = checked_folds(checked_rows(folds, len(X), name="folds"))
    few = folds
    codes, folds = paired_rows(checked_rows(codes, len(X), name="codes"), folds, names=("codes", "folds"))
    check_codes(codes, folds, n_folds, n_classes)
    if solver == "lda" and settings.compiled(X):
        return compiled_class_scores(X, codes, few, n_folds, n_classes, settings)
    if solver == "lda":
        return class_scores(X, codes, folds, n_folds, n_classes, settings.shrinkage)
    against_rest = [
        heldout(X, np.where(codes == code, 1, -1), folds, solver=solver, C=C, backend=backend).decision
        for code in range(n_classes)
    ]
    return np.stack(against_rest, axis=2)


def _stacks(shared: Shared, labels: np.ndarray, train: np.ndarray, n_units: int) -> Iterator[tuple[int, Stack]]:
    """Stacks of as many problems as fit into memory, with the number of their first problem."""
    size = problems_at_once(n_units)
    for first in range(0, len(labels), size):
        yield first, shared.stack(labels[first : first + size], train[first : first + size])


def _solved(stack: Stack, settings: Settings) -> batch.Solved:
    if settings.solver == "svm":
        return batch.squared_hinge(stack, C=settings.C)
    if settings.solver == "logistic":
        return batch.logistic(stack, C=settings.C, tol=settings.tol)
    try:
        return batch.discriminant(stack, shrinkage=float(settings.shrinkage))
    except np.linalg.LinAlgError:
        raise MeasureError("the within-class covariance is singular: set shrinkage above 0") from None


def _models(
    shared: Shared, stack: Stack, theta: np.ndarray, steps: np.ndarray, converged: np.ndarray, first: int
) -> tuple[np.ndarray, ...]:
    """The attributes of LinearModels, back in the units of X."""
    _check_alive(stack, first, "problem {}")
    slopes = theta[:, :-1]
    intercepts = theta[:, -1] + np.einsum("pi,pi->p", slopes, stack.center)
    center = shared.origin + shared.unit * stack.center
    scale = np.where(stack.alive, shared.unit * stack.scale, 1.0)
    return slopes * stack.scale, intercepts, center, scale, (~stack.alive).sum(axis=1), steps, converged


def _check_alive(stack: Stack, first: int, where: str) -> None:
    silent = ~stack.alive.any(axis=1)
    if silent.any():
        problem = first + int(np.argmax(silent))
        raise MeasureError(f"{where.format(problem)}: no unit varies over the training trials")
