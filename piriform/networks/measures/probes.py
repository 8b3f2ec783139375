"""What can a linear decoder read out of each layer, on samples that it has not met?

The decoders are those of the recordings (:mod:`piriform.decode`). Scores on training samples do not exist here:
with more units than samples they are 1 for any labels.
"""

from collections.abc import Mapping

import numpy as np

from piriform import solvers
from piriform.arrays import as_samples, check_same, class_codes
from piriform.decode import balanced_accuracy, heldout_scores, multiclass_accuracy
from piriform.splits import blocked_folds


def probe_accuracy(
    layers: Mapping[str, np.ndarray],
    labels: np.ndarray,
    *,
    n_folds: int = 5,
    folds: np.ndarray | None = None,
    solver: str = "logistic",
    C: float = 1.0,
    shrinkage: float = 0.2,
) -> dict[str, float]:
    """Return the balanced accuracy of held-out samples, per layer.

    Parameters
    ----------
    layers : per name, (n_samples, ...) array; further axes are flattened to units
    labels : (n_samples,) names or codes of two or more classes
    n_folds : number of folds, dealt out within each class
    folds : (n_samples,) array, optional: folds of one's own, e.g. with every stimulus kept whole
    solver, C, shrinkage : see :func:`piriform.solvers.fit`

    Returns
    -------
    dict of accuracies in [0, 1]; null value 1 / n_classes. NaN where a layer holds a value that is not finite

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [-1.0], [-2.0]])
    >>> probe_accuracy({"hidden": x}, np.array([1, 1, 0, 0]), n_folds=2)
    {'hidden': 1.0}
    """
    codes = class_codes(labels, len(np.asarray(labels)))
    rows = blocked_folds(codes[None], n_folds) if folds is None else np.asarray(folds)[None]
    options = {"solver": solver, "C": C, "shrinkage": shrinkage}
    return {name: _accuracy(flat_units(values, name), codes, rows, options) for name, values in layers.items()}


def transfer_accuracy(
    features: np.ndarray,
    labels: np.ndarray,
    other_features: np.ndarray,
    other_labels: np.ndarray,
    *,
    solver: str = "logistic",
    C: float = 1.0,
    shrinkage: float = 0.2,
) -> float:
    """Return the balanced accuracy on other samples of a two-class probe trained on these.

    Parameters
    ----------
    features, other_features : (n_samples, n_units) arrays; the numbers of samples may differ
    labels, other_labels : arrays of +1 and -1

    Returns
    -------
    Accuracy in [0, 1]; null value 0.5. NaN where the other samples lack a class

    Examples
    --------
    >>> x, y = np.array([[1.0], [-1.0]]), np.array([1, -1])
    >>> transfer_accuracy(x, y, 3 * x, y), transfer_accuracy(x, y, -x, y)
    (1.0, 0.0)
    """
    x, other = as_samples(features, "features"), as_samples(other_features, "other_features")
    check_same(x, other, "the two sets of features", axis=-1)
    train = np.ones(len(x), dtype=bool)
    models = solvers.fit(x, np.asarray(labels), train, solver=solver, C=C, shrinkage=shrinkage)
    return float(balanced_accuracy(models.decision_values(other), np.asarray(other_labels)[None])[0])


def flat_units(values: np.ndarray, name: str) -> np.ndarray:
    """Return a layer as an (n_samples, n_units) float64 array.

    Examples
    --------
    >>> flat_units(np.zeros((4, 2, 3)), "conv").shape
    (4, 6)
    """
    array = np.asarray(values, dtype=np.float64)
    return as_samples(array.reshape(len(array), -1) if array.ndim > 2 else array, f"layer {name}")


def _accuracy(features: np.ndarray, codes: np.ndarray, folds: np.ndarray, options: dict) -> float:
    if not np.isfinite(features).all():
        return float("nan")
    if codes.max() > 1:
        return float(multiclass_accuracy(features, codes[None], folds, **options)[0])
    labels = np.where(codes == 1, 1, -1)[None]
    return float(balanced_accuracy(heldout_scores(features, labels, folds, **options).decision, labels)[0])
