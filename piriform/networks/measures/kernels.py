"""How far has a kernel moved since the start, and does it point at the target?

A kernel is an (n_samples, n_samples) Gram matrix: of features (X X'), or of gradients (the tangent kernel,
J J' with J the Jacobian of the outputs by the parameters; :mod:`piriform.networks.measures.gradients`).
"""

from collections.abc import Sequence

import numpy as np

from piriform.arrays import as_samples, check_same, divided, finite_members, squares
from piriform.errors import MeasureError


def feature_kernel(features: np.ndarray) -> np.ndarray:
    """Return the Gram matrix X X' of the samples, not centred.

    Parameters
    ----------
    features : (..., n_samples, n_units) array

    Returns
    -------
    (..., n_samples, n_samples) array

    Examples
    --------
    >>> feature_kernel(np.array([[1.0, 2.0], [0.0, 1.0]])).tolist()
    [[5.0, 2.0], [2.0, 1.0]]
    """
    x = as_samples(features, "features")
    return x @ x.swapaxes(-1, -2)


def jacobian_kernel(jacobian: np.ndarray) -> np.ndarray:
    """Return the tangent kernel K_ij = sum over outputs of grad f_o(x_i) . grad f_o(x_j).

    With several outputs this is the trace over outputs of the full (n_outputs x n_outputs) kernel
    (Jacot, Gabriel, Hongler 2018). For a linear model it is X X' and does not change with training.

    Parameters
    ----------
    jacobian : (..., n_samples, n_outputs, n_params) array, derivatives of the outputs by the parameters

    Returns
    -------
    (..., n_samples, n_samples) array

    Raises
    ------
    MeasureError
        If the array has fewer than three axes.

    Examples
    --------
    >>> jacobian_kernel(np.array([[[1.0, 2.0]], [[0.0, 1.0]]])).tolist()
    [[5.0, 2.0], [2.0, 1.0]]
    """
    values = np.asarray(jacobian, dtype=np.float64)
    if values.ndim < 3:
        raise MeasureError(f"jacobian has shape {values.shape}, expected (..., n_samples, n_outputs, n_params)")
    return feature_kernel(values.reshape(*values.shape[:-2], -1))


def dense_tangent_kernel(activities: Sequence[np.ndarray], sensitivities: Sequence[np.ndarray]) -> np.ndarray:
    """Return the exact tangent kernel of a network of dense layers, without any Jacobian.

    The gradient by the weights of layer l is an outer product of the layer's input a and of the derivative d of
    the output by its pre-activations, so that K_ij = sum over layers of (a_i . a_j) (sum over outputs d_i . d_j).
    This costs n_samples^2 (n_inputs + n_units) instead of n_samples^2 n_inputs n_units operations. Append a
    column of 1 to the activities of a layer that has biases.

    Parameters
    ----------
    activities : per layer, (..., n_samples, n_inputs) array
    sensitivities : per layer, (..., n_samples, n_outputs, n_units) array

    Returns
    -------
    (..., n_samples, n_samples) array, equal to :func:`jacobian_kernel`

    Raises
    ------
    MeasureError
        If there is not one array of sensitivities per layer.

    Examples
    --------
    >>> dense_tangent_kernel([np.array([[1.0, 2.0], [0.0, 1.0]])], [np.ones((2, 1, 1))]).tolist()
    [[5.0, 2.0], [2.0, 1.0]]
    """
    if len(activities) != len(sensitivities) or not len(activities):
        raise MeasureError(f"{len(activities)} layers of activities and {len(sensitivities)} of sensitivities")
    return sum(feature_kernel(a) * jacobian_kernel(d) for a, d in zip(activities, sensitivities, strict=True))


def kernel_alignment(kernel: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cosine <K, L> / (|K|_F |L|_F) of two kernels, not centred.

    With L the kernel at initialisation this is the representation or tangent alignment of Liu et al. 2024
    (arXiv:2310.08513): 1 where the kernel has at most changed its scale. Centred kernels: :func:`cka_of_kernels`.

    Parameters
    ----------
    kernel, other : (..., n_samples, n_samples) arrays, broadcast against each other

    Returns
    -------
    (...) array in [0, 1] for Gram matrices; NaN where a kernel is 0 or not finite

    Examples
    --------
    >>> round(float(kernel_alignment(np.eye(2), np.ones((2, 2)))), 4)
    0.7071
    """
    first, second, _ = kernel_pair(kernel, other)
    return divided(np.sum(first * second, axis=(-2, -1)), np.sqrt(squares(first) * squares(second)))


def kernel_change(kernel: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return 1 - the cosine between a kernel and the kernel it started from.

    0 for a lazy network (the kernel has not turned), and for any pure change of scale; see
    :func:`kernel_drift` for a change that counts the scale.

    Examples
    --------
    >>> float(kernel_change(3 * np.eye(2), np.eye(2)))
    0.0
    """
    return 1.0 - kernel_alignment(kernel, start)


def kernel_drift(kernel: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return |K - K0|_F / |K0|_F (Chizat, Oyallon, Bach 2019): 0 for a lazy network; scale counts.

    NaN where K0 is 0 or a kernel is not finite.

    Examples
    --------
    >>> float(kernel_drift(3 * np.eye(2), np.eye(2)))
    2.0
    """
    first, second, known = kernel_pair(kernel, start)
    return np.where(known, divided(np.sqrt(squares(first - second)), np.sqrt(squares(second))), np.nan)


def target_alignment(kernel: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the alignment of a kernel with the target, y'Ky / (|K|_F |y|^2).

    Cristianini et al. 2001; with several outputs tr(Y'KY) / (|K|_F |YY'|_F), the cosine between K and YY'.
    1 for K = y y'; for a kernel that knows nothing of the target about tr(K) / (|K|_F n_samples).

    Parameters
    ----------
    kernel : (..., n_samples, n_samples) array
    targets : (n_samples,) or (n_samples, n_outputs) array

    Returns
    -------
    (...) array in [0, 1] for Gram matrices; NaN where kernel or target is 0, or the kernel not finite

    Examples
    --------
    >>> y = np.array([1.0, -1.0])
    >>> float(target_alignment(np.outer(y, y), y)), round(float(target_alignment(np.eye(2), y)), 4)
    (1.0, 0.7071)
    """
    first, y = finite_members(as_kernel(kernel))[0], np.asarray(targets, dtype=np.float64)
    y = as_samples(y[:, None] if y.ndim == 1 else y, "targets")
    check_same(first, y, "the kernel and the targets")
    hits = np.sum((first @ y) * y, axis=(-2, -1))
    return divided(hits, np.sqrt(squares(first) * squares(y.swapaxes(-1, -2) @ y)))


def kernel_pair(kernel: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two kernels of the same samples, 0 where one is not finite, and which pairs are finite."""
    (first, known), (second, also) = (finite_members(as_kernel(values)) for values in (kernel, other))
    check_same(first, second, "the two kernels")
    return first, second, known & also


def as_kernel(values: np.ndarray) -> np.ndarray:
    """Return ``values`` as float64 square matrices.

    Raises
    ------
    MeasureError
        If the last two axes differ in length.
    """
    kernel = as_samples(values, "the kernel")
    if kernel.shape[-1] != kernel.shape[-2]:
        raise MeasureError(f"the kernel has shape {kernel.shape}, expected (..., n_samples, n_samples)")
    return kernel
