"""Which measures of a session are there, and which way does learning move them?"""

from dataclasses import dataclass

from piriform.errors import TableError, known


@dataclass(frozen=True)
class Metric:
    """One measure of a session: what it is, its value under the null, which way learning moves it."""

    meaning: str
    null: float | None
    learning: int  # +1 rises with learning, -1 falls, 0 no fixed direction
    unit: str = ""


METRICS: dict[str, Metric] = {
    "decoding_accuracy": Metric("balanced accuracy of held-out trials", 0.5, 1),
    "decoding_auc": Metric("area under the ROC curve of held-out trials", 0.5, 1),
    "separation_crossnobis": Metric("cross-validated squared Mahalanobis distance per unit", 0.0, 1, "noise variances"),
    "separation_dprime": Metric("held-out d' along the discriminant", 0.0, 1, "noise SDs"),
    "separation_modulation": Metric(
        "cross-validated mean squared relative rate difference of target and nontarget, with all controls "
        "(relative to noise variance where activity is no rate)",
        0.0,
        1,
        "squared relative rate",
    ),
    "similarity_dot": Metric("mean dot product of z-scored target and nontarget trials", None, -1),
    "similarity_dot_cv": Metric("the same from independent halves of the session", 0.0, -1),
    "similarity_cosine": Metric("cosine of the evoked target and nontarget mean vectors", None, -1),
    "margin_heldout": Metric("mean held-out signed distance to the boundary", 0.0, 1, "unit SDs"),
    "margin_heldout_p05": Metric("5th percentile of the held-out signed distance", None, 1, "unit SDs"),
    "margin_soft": Metric(
        "soft margin 1/|w| in sample (as published; not monotone in separability)", None, 0, "unit SDs"
    ),
    "margin_hard": Metric(
        "hard margin 1/|w| in sample, where the classes are separable (grows with units, shrinks with trials)",
        None,
        0,
        "unit SDs",
    ),
    "generalization_stimulus": Metric("balanced accuracy for nontarget stimuli left out of training", 0.5, 1),
    "generalization_probe": Metric("balanced accuracy, held-out targets against probes never trained on", 0.5, 1),
    "generalization_time": Metric("balanced accuracy, first half of the session to its second half", 0.5, 1),
    "generalization_day": Metric(
        "balanced accuracy of the decoder of the session before, units tracked over days", 0.5, 1
    ),
    "ccgp": Metric("balanced accuracy across conditions: trained on some stimuli, tested on all others", 0.5, 1),
    "participation_ratio": Metric("participation ratio of the trial covariance", None, 0),
    "selectivity": Metric(
        "(best - rest) / (best + rest) of a unit's class means, the best class chosen by other trials; mean over units",
        0.0,
        0,
    ),
    "sparseness_lifetime": Metric("sparseness of a unit over stimuli, noise taken out; mean over units", None, 0),
    "sparseness_population": Metric("sparseness of a stimulus over units, noise taken out; mean over stimuli", None, 0),
    "noise_correlation": Metric(
        "mean correlation of pairs of units within stimulus, drift within the session taken out", 0.0, 0
    ),
}


def metric_of(name: str) -> Metric:
    """Return the declaration of a metric; `generalization_probe_x` is the probe metric for probe `x`."""
    base = "generalization_probe" if name.startswith("generalization_probe_") else name
    return METRICS[known("metric", base, METRICS, TableError)]
