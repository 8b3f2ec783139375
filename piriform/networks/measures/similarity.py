"""Do two layers arrange the same samples alike, whatever their rotation and scale?

Centred kernel alignment (CKA; Kornblith et al. 2019, arXiv:1905.00414) of linear kernels. The plain estimate
is far above 0 for noise when there are more units than samples (30 samples of 300 units: about .9); the
debiased one (Song et al. 2012; Murphy et al. 2024, arXiv:2405.01012) has null value 0 and can be negative:
use it for recordings, which have few trials.
"""

import numpy as np

from piriform.arrays import as_samples, check_same, divided, finite_members, squares
from piriform.errors import MeasureError
from piriform.networks.measures.kernels import feature_kernel, kernel_pair


def cka(first: np.ndarray, second: np.ndarray, *, debiased: bool = False) -> np.ndarray:
    """Return the centred kernel alignment of two layers on the same samples.

    CKA = HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y)), HSIC = |X_c' Y_c|_F^2; debiased: HSIC by the U-statistic
    over pairs of samples. Invariant to rotation, shift and scale of each layer.

    Parameters
    ----------
    first, second : (..., n_samples, n_units) arrays; the numbers of units may differ

    Returns
    -------
    (...) array; in [0, 1] if not debiased. NaN where a layer does not vary or is not finite; debiased, also
    where a variance estimate is not positive

    Raises
    ------
    MeasureError
        If the numbers of samples differ, or debiased with fewer than 4 samples.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(float(cka(x, 2 * x[:, ::-1] + 5)), 6), round(float(cka(x[:, :1], x[:, 1:])), 6)
    (1.0, 0.0)
    """
    x, y = (finite_members(as_samples(values, name))[0] for values, name in ((first, "first"), (second, "second")))
    check_same(x, y, "the two layers")
    if max(x.shape[-1], y.shape[-1]) > x.shape[-2]:
        return cka_of_kernels(feature_kernel(x), feature_kernel(y), debiased=debiased)
    x, y = (values - values.mean(axis=-2, keepdims=True) for values in (x, y))
    hsic = debiased_hsic if debiased else _hsic
    return _normalised(hsic(x, y), hsic(x, x), hsic(y, y))


def cka_of_kernels(kernel: np.ndarray, other: np.ndarray, *, debiased: bool = False) -> np.ndarray:
    """Return the centred kernel alignment of two kernels of the same samples, e.g. tangent kernels.

    Parameters
    ----------
    kernel, other : (..., n_samples, n_samples) symmetric arrays

    Returns
    -------
    (...) array, as :func:`cka`

    Examples
    --------
    >>> round(float(cka_of_kernels(np.diag([1.0, 2.0, 3.0]), np.diag([1.0, 2.0, 3.0]) + 7)), 6)
    1.0
    """
    first, second, _ = kernel_pair(kernel, other)
    if debiased:
        product = _debiased_product
    else:
        product, first, second = _product, _centred(first), _centred(second)
    return _normalised(product(first, second), product(first, first), product(second, second))


def debiased_hsic(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the unbiased HSIC of two layers with linear kernels, from (n_units x n_units) products.

    [tr(KL) + 1'K1 1'L1 / ((n-1)(n-2)) - 2/(n-2) 1'KL1] / (n(n-3)), K and L the Gram matrices with diagonal 0
    (Song et al. 2012, JMLR 13:1393, eq 5). The Gram matrices themselves are not formed.

    Parameters
    ----------
    first, second : (..., n_samples, n_units) arrays, centred over samples

    Raises
    ------
    MeasureError
        With fewer than 4 samples.
    """
    d, e = (np.einsum("...nu,...nu->...n", values, values) for values in (first, second))
    # of centred features the row sums of the Gram matrix are 0: without its diagonal they are minus the diagonal
    trace = squares(first.swapaxes(-1, -2) @ second) - np.sum(d * e, axis=-1)
    return _u_statistic(trace, -d, -e)


def _hsic(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return squares(first.swapaxes(-1, -2) @ second)


def _product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.sum(first * second, axis=(-2, -1))


def _debiased_product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    hollow = 1.0 - np.eye(first.shape[-1])
    first, second = first * hollow, second * hollow
    return _u_statistic(_product(first, second), first.sum(axis=-1), second.sum(axis=-1))


def _u_statistic(trace: np.ndarray, rows: np.ndarray, other_rows: np.ndarray) -> np.ndarray:
    n = rows.shape[-1]
    if n < 4:
        raise MeasureError(f"the debiased estimate needs at least 4 samples, got {n}")
    totals = rows.sum(axis=-1) * other_rows.sum(axis=-1) / ((n - 1) * (n - 2))
    return (trace + totals - 2 / (n - 2) * np.sum(rows * other_rows, axis=-1)) / (n * (n - 3))


def _centred(kernel: np.ndarray) -> np.ndarray:
    rows = kernel.mean(axis=-1, keepdims=True)
    columns = kernel.mean(axis=-2, keepdims=True)
    return kernel - rows - columns + columns.mean(axis=-1, keepdims=True)


def _normalised(hsic: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    product = np.where((first > 0) & (second > 0), first * second, 0.0)
    return divided(hsic, np.sqrt(product))
