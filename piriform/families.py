"""Which metrics come from the same fits, and what are they in one draw of units and trials?"""

from collections.abc import Callable

import numpy as np

from piriform import decode, geometry, margin, selectivity, solvers
from piriform.covariation import noise_correlation
from piriform.errors import MeasureError
from piriform.generalize import across_conditions, probe_scores, stimulus_folds
from piriform.splits import half_folds
from piriform.task import Draw


def _two_classes(draw: Draw) -> None:
    if not (draw.labels < 0).any():
        raise MeasureError("needs the classes target and nontarget")


def _decoding(draw: Draw) -> dict[str, np.ndarray]:
    if not (draw.labels < 0).any():
        return {
            "decoding_accuracy": decode.multiclass_accuracy(draw.responses, draw.labels, draw.folds, **draw.decoder)
        }
    scores = decode.heldout_scores(draw.responses, draw.labels, draw.folds, **draw.decoder)
    return {
        "decoding_accuracy": decode.balanced_accuracy(scores.decision, scores.labels),
        "decoding_auc": decode.auc(scores.decision, scores.labels, scores.folds),
        "margin_heldout": margin.heldout_margin(scores.distance, scores.labels),
        "margin_heldout_p05": margin.heldout_margin_quantile(scores.distance, scores.labels, 0.05),
    }


def _dprime(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    scores = decode.heldout_scores(draw.responses, draw.labels, draw.folds, **draw.decoder | {"solver": "lda"})
    return {"separation_dprime": geometry.dprime(scores.distance, scores.labels, scores.folds)}


def _crossnobis(draw: Draw) -> dict[str, np.ndarray]:
    codes = np.where(draw.labels < 0, 0, draw.labels)
    value = geometry.crossnobis(
        draw.responses, codes, draw.folds, n_classes=draw.n_classes, shrinkage=draw.measures.shrinkage
    )
    return {"separation_crossnobis": value}


def _similarity(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    return {
        "similarity_dot": geometry.similarity_dot(draw.responses, draw.labels, draw.part),
        "similarity_dot_cv": geometry.similarity_dot_cv(draw.responses, draw.labels, draw.folds),
    }


def _cosine(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    if draw.evoked is None:
        raise MeasureError("needs response.baseline_window")
    return {"similarity_cosine": geometry.similarity_cosine(draw.evoked, draw.labels, draw.part)}


def _soft_margin(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    return {"margin_soft": margin.soft_margin(draw.responses, draw.labels, draw.part, C=draw.measures.C)}


def _new_stimulus(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    if draw.groups.max() < 1:
        raise MeasureError("needs at least 2 nontarget stimuli")
    folds = stimulus_folds(draw.labels, draw.folds, draw.groups)
    scores = decode.heldout_scores(draw.responses, draw.labels, folds, **draw.decoder)
    return {"generalization_stimulus": decode.balanced_accuracy(scores.decision, scores.labels)}


def _later_trials(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    half = half_folds(draw.part)
    models = solvers.fit(draw.responses, draw.labels, half == 0, **draw.decoder)
    late = np.where(half == 1, models.decision_values(draw.responses), np.nan)
    return {"generalization_time": decode.balanced_accuracy(late, draw.labels)}


def _conditions(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    value = across_conditions(draw.responses, draw.labels, draw.stimuli, draw.part, **draw.decoder)
    return {"ccgp": value}


def _probes(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    if not len(draw.probes):
        raise MeasureError("no probe trials in this session")
    probe_folds = (draw.probe_times * draw.measures.n_folds).astype(int)
    scores = probe_scores(draw.responses, draw.labels, draw.folds, draw.probes, probe_folds, **draw.decoder)
    found = {"generalization_probe": (scores.target_recall + scores.rejected.mean(axis=1)) / 2}
    for category in np.unique(draw.probe_categories):
        rejected = scores.rejected[:, draw.probe_categories == category].mean(axis=1)
        found[f"generalization_probe_{category.removeprefix('probe_')}"] = (scores.target_recall + rejected) / 2
    return found


def _dimensionality(draw: Draw) -> dict[str, np.ndarray]:
    return {"participation_ratio": np.array([geometry.participation_ratio(draw.responses[draw.part[0]])])}


def _hard_margin(draw: Draw) -> dict[str, np.ndarray]:
    _two_classes(draw)
    part = draw.part[0]
    return {"margin_hard": np.array([margin.hard_margin(draw.responses[part], draw.labels[0][part])])}


def _selectivity(draw: Draw) -> dict[str, np.ndarray]:
    codes, folds = draw.labels[0], draw.folds[0]
    values = selectivity.heldout_selectivity(draw.responses, codes, folds, classes=np.unique(codes).tolist())
    return {"selectivity": _mean_of_known(values)}


def _sparseness(draw: Draw) -> dict[str, np.ndarray]:
    part = draw.part[0]
    lifetime, population = selectivity.stimulus_sparseness(draw.responses[part], draw.stimuli[0][part])
    return {"sparseness_lifetime": _mean_of_known(lifetime), "sparseness_population": _mean_of_known(population)}


def _covariation(draw: Draw) -> dict[str, np.ndarray]:
    part = draw.part[0]
    value = noise_correlation(draw.responses[part], draw.stimuli[0][part], n_blocks=draw.measures.n_blocks)
    return {"noise_correlation": np.array([value])}


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """The mean of what is not NaN, as the one labelling of a measure without permutations."""
    known = values[np.isfinite(values)]
    return np.array([known.mean() if len(known) else np.nan])


#: The metrics that come from the same fits, and the function that measures them.
FAMILIES: dict[tuple[str, ...], Callable[[Draw], dict[str, np.ndarray]]] = {
    ("decoding_accuracy", "decoding_auc", "margin_heldout", "margin_heldout_p05"): _decoding,
    ("separation_dprime",): _dprime,
    ("separation_crossnobis",): _crossnobis,
    ("similarity_dot", "similarity_dot_cv"): _similarity,
    ("similarity_cosine",): _cosine,
    ("margin_soft",): _soft_margin,
    ("margin_hard",): _hard_margin,
    ("generalization_stimulus",): _new_stimulus,
    ("generalization_probe",): _probes,
    ("generalization_time",): _later_trials,
    ("ccgp",): _conditions,
    ("participation_ratio",): _dimensionality,
    ("selectivity",): _selectivity,
    ("sparseness_lifetime", "sparseness_population"): _sparseness,
    ("noise_correlation",): _covariation,
}
