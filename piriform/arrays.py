"""Are these arrays what a measure can work with?

Leading axes are members of an ensemble, checkpoints, or both: every measure of this package treats them
as a stack of separate networks. A network with a value that is not finite gets NaN and disturbs no other.
"""

import numpy as np

from piriform.errors import MeasureError


def as_samples(values: np.ndarray, name: str) -> np.ndarray:
    """Return ``values`` as a float64 array of shape (..., n_samples, n_columns).

    Raises
    ------
    MeasureError
        If the array has fewer than two axes or one of the last two is empty.

    Examples
    --------
    >>> as_samples([[1, 2], [3, 4]], "features").dtype.name
    'float64'
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2 or 0 in array.shape[-2:]:
        raise MeasureError(f"{name} has shape {array.shape}, expected (..., n_samples, n_columns), none of them 0")
    return array


def check_same(first: np.ndarray, second: np.ndarray, names: str, *, axis: int = -2) -> None:
    """Raise unless two arrays have the same length along an axis.

    Raises
    ------
    MeasureError
        If the lengths differ.
    """
    if first.shape[axis] != second.shape[axis]:
        raise MeasureError(f"{names} have lengths {first.shape[axis]} and {second.shape[axis]}, expected the same")


def class_codes(labels: np.ndarray, n_samples: int) -> np.ndarray:
    """Return labels as codes 0 .. n_classes-1, in the order of the sorted labels.

    Raises
    ------
    MeasureError
        If there is not one label per sample, or only one class.

    Examples
    --------
    >>> class_codes(np.array([1, -1, 1]), 3).tolist()
    [1, 0, 1]
    """
    labels = np.asarray(labels)
    if labels.shape != (n_samples,):
        raise MeasureError(f"labels have shape {labels.shape}, expected ({n_samples},), one label per sample")
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise MeasureError(f"all {n_samples} labels are {names[0]!s}; at least two classes are needed")
    return codes


def divided(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole in float64, NaN where the whole is 0.

    Examples
    --------
    >>> divided(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    with np.errstate(invalid="ignore", over="ignore"):  # of networks that are not finite
        return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)


def finite_members(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the array with networks that hold a non-finite value set to 0, and which networks are finite.

    Examples
    --------
    >>> clean, finite = finite_members(np.array([[[1.0]], [[np.nan]]]))
    >>> clean.ravel().tolist(), finite.tolist()
    ([1.0, 0.0], [True, False])
    """
    finite = np.isfinite(values).all(axis=(-2, -1))
    return (values if finite.all() else np.where(finite[..., None, None], values, 0.0)), finite


def squares(values: np.ndarray, *, axes: tuple[int, ...] = (-2, -1)) -> np.ndarray:
    """Return the sum of squares over the last axes.

    Examples
    --------
    >>> float(squares(np.array([[3.0, 4.0]])))
    25.0
    """
    return np.sum(values * values, axis=axes)
