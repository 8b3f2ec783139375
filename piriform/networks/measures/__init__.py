"""What has a network learned, in numbers that hold for any architecture, and for recordings too?

Pure functions of NumPy arrays; leading axes are networks and checkpoints. Each module opens with its question.
:func:`checkpoint_measures` gives the cheap standard set at once. Only ``gradients`` needs JAX.
"""

from piriform.geometry import participation_ratio
from piriform.networks.measures.abstraction import Shattering, ccgp, parallelism_score, shattering
from piriform.networks.measures.checkpoint import CHECKPOINT_MEASURES, COSTLY, CheckpointOptions, checkpoint_measures
from piriform.networks.measures.collapse import Collapse, neural_collapse
from piriform.networks.measures.convergence import Convergence, Matching, convergence, matched_units
from piriform.networks.measures.deep_linear import mode_strength, mode_time
from piriform.networks.measures.gradients import (
    flat_parameters,
    loss_gradient,
    outputs_and_pullback,
    tangent_kernel,
)
from piriform.networks.measures.information import (
    Information,
    adaptive_bins,
    pattern_information,
    plugin_bias,
    unit_information,
)
from piriform.networks.measures.kernels import (
    dense_tangent_kernel,
    feature_kernel,
    jacobian_kernel,
    kernel_alignment,
    kernel_change,
    kernel_drift,
    target_alignment,
)
from piriform.networks.measures.polynomial import TestLoss, polynomial_test_loss
from piriform.networks.measures.probes import probe_accuracy, transfer_accuracy
from piriform.networks.measures.richness import FeatureSpectrum, feature_spectrum, richness
from piriform.networks.measures.robustness import input_sd, linear_distance, pgd_accuracy
from piriform.networks.measures.separation import fisher_log2, rms_margin
from piriform.networks.measures.similarity import cka, cka_of_kernels
from piriform.networks.measures.stability import descent_alignment, softmax_collapse
from piriform.networks.measures.weights import effective_rank, relative_change, sign_similarity, weight_change
from piriform.rsa import crossnobis_rdm, noise_ceiling, rdm_similarity, squared_rdm
from piriform.selectivity import class_selectivity, lifetime_sparseness, population_sparseness

__all__ = [
    "CHECKPOINT_MEASURES",
    "COSTLY",
    "CheckpointOptions",
    "Collapse",
    "Convergence",
    "FeatureSpectrum",
    "Information",
    "Matching",
    "Shattering",
    "TestLoss",
    "adaptive_bins",
    "ccgp",
    "checkpoint_measures",
    "cka",
    "cka_of_kernels",
    "class_selectivity",
    "convergence",
    "crossnobis_rdm",
    "dense_tangent_kernel",
    "descent_alignment",
    "effective_rank",
    "feature_kernel",
    "feature_spectrum",
    "fisher_log2",
    "flat_parameters",
    "input_sd",
    "jacobian_kernel",
    "kernel_alignment",
    "kernel_change",
    "kernel_drift",
    "lifetime_sparseness",
    "linear_distance",
    "loss_gradient",
    "matched_units",
    "mode_strength",
    "mode_time",
    "neural_collapse",
    "noise_ceiling",
    "outputs_and_pullback",
    "parallelism_score",
    "participation_ratio",
    "pattern_information",
    "pgd_accuracy",
    "plugin_bias",
    "polynomial_test_loss",
    "population_sparseness",
    "probe_accuracy",
    "rdm_similarity",
    "relative_change",
    "richness",
    "rms_margin",
    "shattering",
    "sign_similarity",
    "softmax_collapse",
    "squared_rdm",
    "tangent_kernel",
    "target_alignment",
    "transfer_accuracy",
    "unit_information",
    "weight_change",
]
