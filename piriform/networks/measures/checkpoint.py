"""What are the cheap measures of a checkpoint, all from one pass over its features?

The sums that the measures share (centred features, scatter matrix, class means) are formed once per network;
each value equals that of the measure's own function. On one core a network of 128 units and 600 samples takes
a few milliseconds, a small part of its training between two checkpoints.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from piriform.arrays import as_samples, class_codes, divided, finite_members, squares
from piriform.errors import MeasureError, known
from piriform.networks.measures.collapse import Collapse, collapse_of
from piriform.networks.measures.moments import Moments, class_moments, moments
from piriform.networks.measures.richness import output_basis, richness_of
from piriform.networks.measures.separation import fisher_of, halves_or_turns, rms_margin
from piriform.networks.measures.weights import rank_of_sizes
from piriform.selectivity import lifetime_sparseness, population_sparseness, selectivity_of

COLLAPSE = tuple(field.name for field in fields(Collapse))
SPARSENESS = ("selectivity", "lifetime_sparseness", "population_sparseness")
#: The values of :func:`checkpoint_measures`, in the order of its dict.
CHECKPOINT_MEASURES = (
    "richness",
    *COLLAPSE,
    "effective_rank",
    "participation_ratio",
    "cka_start",
    *SPARSENESS,
    "fisher_log2",
    "margin",
)
#: Measures that most of the time goes to: an SVM, the eigenvalues and the covariance within classes.
COSTLY = ("margin", "effective_rank", "fisher_log2")
#: Values of the features of one stack of networks that is worked on at a time (32 MB).
STACK = 4_000_000


@dataclass(frozen=True)
class CheckpointOptions:
    """How the held-out checkpoint measures are computed.

    Attributes
    ----------
    shrinkage : of the covariance in ``fisher_log2``
    C : inverse penalty of the SVM of ``margin``
    halves : (n_samples,) array of 0 and 1 for both, or None: the samples of each class take turns
    without : measures of ``COSTLY`` that are not computed, and NaN
    """

    shrinkage: float = 0.2
    C: float = 1.0
    halves: np.ndarray | None = None
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.without:
            known("costly measure", name, COSTLY, MeasureError)


@dataclass(frozen=True)
class _Stack:
    """Networks of one stack: (n_networks, ...) arrays, and what all networks share."""

    features: np.ndarray
    outputs: np.ndarray
    weights: np.ndarray | None
    codes: np.ndarray
    options: CheckpointOptions


def checkpoint_measures(
    features: np.ndarray,
    outputs: np.ndarray,
    labels: np.ndarray,
    *,
    start: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    options: CheckpointOptions | None = None,
) -> dict[str, np.ndarray]:
    """Return the standard set of measures of a stack of networks at one or more checkpoints.

    richness (D_LR); nc1, cdnv, nc2_norm, nc2_angle, nc3, nc4; effective_rank (of the centred features);
    participation_ratio; cka_start (with the features at the start; plain estimate, as samples are many);
    selectivity, lifetime_sparseness, population_sparseness (means over the units or samples where they are
    defined); fisher_log2 and margin (held out). Each is described at its own function.

    Parameters
    ----------
    features : (..., n_samples, n_units) array, the last hidden layer
    outputs : (..., n_samples, n_outputs) array, before the loss
    labels : (n_samples,) names or codes
    start : (..., n_samples, n_units) array, optional
        Features at the first checkpoint; its leading axes are the last leading axes of ``features``, e.g.
        (n_members, ...) for features of (n_checkpoints, n_members, ...).
    weights : (..., n_outputs, n_units) array, optional: the readout, for nc3

    Returns
    -------
    dict of (...) float64 arrays; NaN where a measure is not defined, for networks that are not finite, and for
    cka_start and nc3 without ``start`` and ``weights``

    Raises
    ------
    MeasureError
        If the shapes do not agree.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> values = checkpoint_measures(x, x[:, :1] - x[:, 1:], np.array([1, 1, 0, 0]), start=x)
    >>> [round(float(values[name]), 6) for name in ("richness", "nc1", "cka_start", "selectivity")]
    [0.0, 0.0, 1.0, 1.0]
    """
    x, f = as_samples(features, "features"), as_samples(outputs, "outputs")
    leading = x.shape[:-2]
    if f.shape[:-1] != x.shape[:-1]:
        raise MeasureError(f"features have shape {x.shape} and outputs {f.shape}; all but the last axis must agree")
    w = None if weights is None else _flat(as_samples(weights, "weights"), leading, "weights")
    x, f, first = _flat(x, leading, "features"), _flat(f, leading, "outputs"), _first(start, x)
    codes, options, parts = class_codes(labels, x.shape[-2]), options or CheckpointOptions(), []
    for rows in _rows(len(x), x.shape[-2] * x.shape[-1]):
        stack = _Stack(x[rows], f[rows], None if w is None else w[rows], codes, options)
        shared = moments(stack.features)
        alike = _cka_start(shared, first, rows.start)
        parts.append(_measures(stack, shared) | {"cka_start": alike})
    return {name: np.concatenate([part[name] for part in parts]).reshape(leading) for name in CHECKPOINT_MEASURES}


def _measures(stack: _Stack, shared: Moments) -> dict[str, np.ndarray]:
    by_class = class_moments(shared, stack.codes)
    collapse = collapse_of(shared, by_class, outputs=stack.outputs, weights=stack.weights)
    halves = halves_or_turns(stack.codes, stack.options.halves)
    clean, _ = finite_members(stack.features)
    sparse = (
        selectivity_of(by_class.means + shared.mean),
        lifetime_sparseness(clean),
        population_sparseness(clean),
    )
    costly = {
        "margin": lambda: rms_margin(stack.features, stack.codes, C=stack.options.C, halves=halves),
        "effective_rank": lambda: shared.known(_effective_rank(shared)),
        "fisher_log2": lambda: fisher_of(shared, stack.codes, shrinkage=stack.options.shrinkage, halves=halves),
    }
    none = np.full(len(stack.features), np.nan)
    return {
        "richness": richness_of(shared, output_basis(stack.outputs)),
        **{name: getattr(collapse, name) for name in COLLAPSE},
        "participation_ratio": shared.known(divided(_trace(shared) ** 2, shared.scatter_norm**2)),
        **{name: shared.known(_known_mean(values)) for name, values in zip(SPARSENESS, sparse, strict=True)},
        **{name: none if name in stack.options.without else values() for name, values in costly.items()},
    }


def _trace(shared: Moments) -> np.ndarray:
    return np.asarray(np.einsum("...uu->...", shared.scatter))


def _effective_rank(shared: Moments) -> np.ndarray:
    sizes = np.linalg.eigvalsh(shared.scatter)
    return rank_of_sizes(np.sqrt(np.where(sizes > 1e-13 * sizes[..., -1:], sizes, 0.0)))


def _cka_start(shared: Moments, first: Moments | None, offset: int) -> np.ndarray:
    """CKA of each network with the one it started from, whose number is its own modulo the number of starts."""
    if first is None:
        return np.full(shared.finite.shape, np.nan)
    number = (offset + np.arange(len(shared.centred))) % len(first.centred)
    cross = squares(first.centred[number].swapaxes(-1, -2) @ shared.centred)
    alike = divided(cross, first.scatter_norm[number] * shared.scatter_norm)
    return np.where(shared.finite & first.finite[number], alike, np.nan)


def _first(start: np.ndarray | None, features: np.ndarray) -> Moments | None:
    if start is None:
        return None
    x = as_samples(start, "start")
    leading = features.shape[:-2]
    n_axes = x.ndim - 2
    if x.shape[-2] != features.shape[-2] or x.shape[:-2] != leading[len(leading) - n_axes :]:
        raise MeasureError(f"start has shape {x.shape}, expected the last axes of the features' {features.shape}")
    return moments(x.reshape(-1, *x.shape[-2:]))


def _flat(values: np.ndarray, leading: tuple[int, ...], name: str) -> np.ndarray:
    if values.shape[:-2] != leading:
        raise MeasureError(f"{name} have leading axes {values.shape[:-2]}, the features {leading}")
    return values.reshape(-1, *values.shape[-2:])


def _rows(n_networks: int, n_values: int) -> Iterator[slice]:
    size = max(1, STACK // n_values)
    yield from (slice(first, first + size) for first in range(0, n_networks, size))


def _known_mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    return divided(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
