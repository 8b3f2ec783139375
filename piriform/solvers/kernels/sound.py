"""Is a stack of labellings and folds fit to be solved?"""

import numpy as np

from piriform.solvers.kernels.compile import Array, entry


def is_sound(labels: np.ndarray, folds: np.ndarray, n_folds: int) -> bool:
    """Return whether labels are +1 and -1 and each labelling, less any of its folds, has both; int64 rows."""
    return bool(_sound(labels, folds, np.zeros((2, n_folds), dtype=np.int64)))


@entry
def _sound(labels: Array, folds: Array, counts: Array) -> bool:
    n_folds = counts.shape[1]
    for row in range(max(len(labels), len(folds))):
        label, fold_of = labels[min(row, len(labels) - 1)], folds[min(row, len(folds) - 1)]
        for fold in range(n_folds):
            counts[0, fold] = counts[1, fold] = 0
        n_minus = n_plus = 0
        for i in range(len(label)):
            fold = fold_of[i]
            if fold >= 0:
                if fold >= n_folds or label[i] * label[i] != 1:
                    return False
                plus = (label[i] + 1) // 2
                counts[plus, fold] += 1
                n_plus += plus
                n_minus += 1 - plus
            elif fold < -1:
                return False
        for fold in range(n_folds):
            minus, plus = counts[0, fold], counts[1, fold]
            if minus == n_minus or plus == n_plus or minus + plus == 0:
                return False
    return True
