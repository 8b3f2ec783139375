"""Do the arrays handed to the engine make sense? If not: which one, where, and what was expected."""

import numpy as np

from piriform.errors import MeasureError, known

SOLVERS = ("svm", "hinge", "logistic", "lda")
BACKENDS = ("auto", "numba", "numpy")


def checked_responses(X: np.ndarray) -> np.ndarray:
    """Return X as a C-contiguous float64 array of shape (n_trials, n_units)."""
    X = np.asarray(X)
    if X.ndim != 2 or 0 in X.shape:
        raise MeasureError(f"X has shape {X.shape}, expected (n_trials, n_units) with at least one of each")
    X = np.ascontiguousarray(X, dtype=np.float64)
    if not np.isfinite(X).all():
        trial, unit = np.argwhere(~np.isfinite(X))[0]
        raise MeasureError(f"X holds {X[trial, unit]} at trial {trial}, unit {unit}; leave out such trials or units")
    return X


def checked_rows(values: np.ndarray, n_trials: int, *, name: str) -> np.ndarray:
    """Return ``values`` as a two-dimensional array with n_trials columns."""
    rows = np.atleast_2d(np.asarray(values))
    if rows.ndim != 2 or rows.shape[1] != n_trials or not len(rows):
        raise MeasureError(f"{name} has shape {np.shape(values)}, expected (..., {n_trials}): one entry per trial of X")
    return rows


def paired_rows(first: np.ndarray, second: np.ndarray, *, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return two stacks with as many rows each, where one row may stand for all."""
    n_rows = max(len(first), len(second))
    if len(first) not in (1, n_rows) or len(second) not in (1, n_rows):
        raise MeasureError(f"{names[0]} has {len(first)} rows, {names[1]} {len(second)}; expected as many, or one")
    shape = (n_rows, first.shape[1])
    return np.broadcast_to(first, shape), np.broadcast_to(second, shape)


def checked_settings(
    solver: str, C: float, shrinkage: float | str, class_weight: str | None, tol: float, backend: str
) -> None:
    """Raise unless the solver exists and its settings are in range."""
    known("solver", solver, SOLVERS, MeasureError)
    if not (np.isfinite(C) and C > 0):
        raise MeasureError(f"C is {C}, expected a positive number")
    if isinstance(shrinkage, str):
        known("shrinkage", shrinkage, ["ledoit-wolf"], MeasureError)
    elif not 0 <= shrinkage <= 1:
        raise MeasureError(f"shrinkage is {shrinkage}, expected a number from 0 to 1 or 'ledoit-wolf'")
    if class_weight is not None:
        known("class_weight", class_weight, ["balanced"], MeasureError)
    if not 0 < tol < 1:
        raise MeasureError(f"tol is {tol}, expected a number between 0 and 1")
    known("backend", backend, BACKENDS, MeasureError)


def check_training(labels: np.ndarray, train: np.ndarray, *, where: str) -> None:
    """Raise unless every row trains on labels +1 and -1 only, with at least one trial of each."""
    foreign = train & (labels != 1) & (labels != -1)
    if foreign.any():
        row, trial = np.argwhere(foreign)[0]
        raise MeasureError(f"{where.format(row)}: label of trial {trial} is {labels[row, trial]}, expected +1 or -1")
    for code in (1, -1):
        missing = ~(train & (labels == code)).any(axis=1)
        if missing.any():
            row = int(np.argmax(missing))
            raise MeasureError(
                f"{where.format(row)}: no training trial has label {code:+d}; a classifier needs trials of both classes"
            )


def check_fold_training(labels: np.ndarray, folds: np.ndarray, n_folds: int) -> None:
    """Raise unless every labelling, less any one of its folds, has trials of both labels and of no other."""
    part = folds >= 0
    foreign = part & (labels != 1) & (labels != -1)
    if foreign.any():
        row, trial = np.argwhere(foreign)[0]
        raise MeasureError(f"labelling {row}: label of trial {trial} is {labels[row, trial]}, expected +1 or -1")
    for code in (1, -1):
        counts = _counts_by_fold(part & (labels == code), folds, n_folds)
        _check_left(counts, f"has label {code:+d}; a classifier needs trials of both classes")


def check_codes(codes: np.ndarray, folds: np.ndarray, n_folds: int, n_classes: int) -> None:
    """Raise unless every labelling, less any one of its folds, has trials of all classes and of no other."""
    part = folds >= 0
    foreign = part & ((codes < 0) | (codes >= n_classes))
    if foreign.any():
        row, trial = np.argwhere(foreign)[0]
        raise MeasureError(
            f"labelling {row}: code of trial {trial} is {codes[row, trial]}, expected 0 .. {n_classes - 1}"
        )
    for code in range(n_classes):
        counts = _counts_by_fold(part & (codes == code), folds, n_folds)
        _check_left(counts, f"is of class {code}; a classifier needs trials of all {n_classes} classes")


def _counts_by_fold(member: np.ndarray, folds: np.ndarray, n_folds: int) -> np.ndarray:
    """How many members each fold of each labelling has, (n_labellings, n_folds)."""
    n_rows = len(member)
    index = (folds + n_folds * np.arange(n_rows)[:, None])[member]
    return np.bincount(index, minlength=n_rows * n_folds).reshape(n_rows, n_folds)


def _check_left(counts: np.ndarray, what: str) -> None:
    none_left = counts.sum(axis=1, keepdims=True) == counts
    if none_left.any():
        row, fold = np.argwhere(none_left)[0]
        raise MeasureError(f"labelling {row} without fold {fold}: no training trial {what}")


def checked_folds(folds: np.ndarray) -> tuple[np.ndarray, int]:
    """Return folds as int64 and the number of folds; every row must use all of 0 .. n_folds-1."""
    if not np.issubdtype(folds.dtype, np.integer):
        raise MeasureError(f"folds has dtype {folds.dtype}, expected integers: 0 .. n_folds-1, and -1 for no fold")
    folds = np.ascontiguousarray(folds, dtype=np.int64)
    n_folds = int(folds.max()) + 1
    if folds.min() < -1 or n_folds < 2:
        raise MeasureError(
            f"folds run from {folds.min()} to {folds.max()}, expected 0 .. n_folds-1 with at least 2 folds, "
            "and -1 for trials that take no part"
        )
    counts = _counts_by_fold(folds >= 0, folds, n_folds)
    if not counts.all():
        row, fold = np.argwhere(counts == 0)[0]
        raise MeasureError(f"labelling {row}: no trial is in fold {fold} of {n_folds}")
    return folds, n_folds
