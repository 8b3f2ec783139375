"""Is it the change from lazy to rich learning that makes generalization late?

Three tasks, each with a dial from lazy to rich or from stuck to free: odours over the output scale alpha and over the
rank of the weights at the start (``lazy_rich_odors``), a polynomial over alpha against its theory (``polynomial``), and
modular addition with and without what keeps cross-entropy from running out of numbers (``modular``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Findings, Panel, Progress, Scale, findings
from piriform.networks.experiments.lazy_rich_odors import OdorSweep, odor_sweep
from piriform.networks.experiments.modular import GENERALIZED, Addition, addition_part
from piriform.networks.experiments.polynomial import FITTED, Polynomial, polynomial_part
from piriform.networks.experiments.quantities import unreached

#: log2 of 7%, by which the theory may miss the measured test loss: some standard errors of 10 sets of 4000 test trials.
THEORY = 0.1
#: log2 of 15%, by which the test loss of a lazy network may miss that of kernel regression after a finite training.
KERNEL = 0.2


@dataclass(frozen=True)
class Designs:
    """The three parts."""

    odors: OdorSweep = field(default_factory=OdorSweep)
    polynomial: Polynomial = field(default_factory=Polynomial)
    addition: Addition = field(default_factory=Addition)


FULL = Designs()
#: As few conditions as the claims need.
SHORT = Designs(OdorSweep(alphas=(0.1, 3.0, 10.0, 1000.0), ranks=(1,)))

ODOR_CLAIMS = (
    Claim(
        "the late gain is larger between rich and lazy than at the rich end",
        "gain5:fisher_probe",
        "alpha 3",
        "rises",
        "alpha 0.1",
    ),
    Claim(
        "the late gain is larger between rich and lazy than at the lazy end",
        "gain5:fisher_probe",
        "alpha 3",
        "rises",
        "alpha 1000",
    ),
    Claim("the lazy end gains nothing", "gain:fisher_probe", "alpha 1000", "stays", bound=0.1),
    Claim("weights of low rank at the start end in richer features", "end:richness", "rank 1", "falls", "alpha 10"),
    Claim(
        "weights of low rank at the start turn the tangent kernel further",
        "end:tangent_change",
        "rank 1",
        "rises",
        "alpha 10",
    ),
)
POLYNOMIAL_CLAIMS = (
    Claim("test loss falls more than twice as late as training loss", "delay", "polynomial 1", offset=1.0),
    Claim("the lazier, the later", "delay", "polynomial 4", "rises", "polynomial 0.5"),
    Claim("the three terms give the measured test loss", "theory_mean", "polynomial 1", "stays", bound=THEORY),
    Claim(
        "after training has fitted, the kernel goes on turning to the target",
        "gain:target_alignment",
        "polynomial 1",
    ),
    Claim("with a large alpha it does not generalize", "end:test_fit", "polynomial 32", "falls", offset=FITTED),
    Claim(
        "a lazy network ends where kernel regression does",
        "kernel_gap",
        "polynomial lazy",
        "stays",
        bound=KERNEL,
    ),
    Claim("a rich network ends far beyond kernel regression", "kernel_gap", "polynomial 1", "falls", offset=-1.0),
)
ADDITION_CLAIMS = (
    Claim("cross-entropy does not generalize", "end:test_accuracy", "cross-entropy", "stays", bound=0.1),
    Claim(
        "part of its training trials end without a loss",
        "end:softmax_collapse",
        "cross-entropy",
        "rises",
        "perpGrad",
    ),
    Claim("until then its gradient points along its weights", "full:descent_alignment", "cross-entropy", offset=0.5),
    Claim("and does so at the end", "end:descent_alignment", "cross-entropy", offset=0.5),
    Claim(
        "in float64 fewer trials end without a loss",
        "end:softmax_collapse",
        "cross-entropy float64",
        "falls",
        "cross-entropy",
    ),
    Claim("no trial loses its StableMax loss in float32", "end:no_loss", "StableMax", "stays", bound=0.01),
    Claim("nor in float64", "end:no_loss", "StableMax float64", "stays", bound=0.01),
    Claim("StableMax generalizes in float64", "end:test_accuracy", "StableMax float64", offset=GENERALIZED),
    Claim("perpGrad generalizes", "end:test_accuracy", "perpGrad", offset=GENERALIZED),
    Claim(
        "StableMax generalizes better than cross-entropy",
        "end:test_accuracy",
        "StableMax",
        "rises",
        "cross-entropy",
    ),
    Claim("so does weight decay", "end:test_accuracy", "weight decay", "rises", "cross-entropy"),
)
CLAIMS = (*ODOR_CLAIMS, *POLYNOMIAL_CLAIMS, *ADDITION_CLAIMS)
_ODORS = tuple(one.name for one in FULL.odors.conditions)
#: The output of alpha = 32 is so large at the start that its fit, -30, would hide all others; last, so that colours stay.
_SMALL = (*(one.name for one in FULL.polynomial.conditions if one.alpha < 32), "polynomial lazy")
_POLYNOMIALS = (*_SMALL, "polynomial 32")
_ADDITIONS = (*(one.name for one in FULL.addition.conditions), "cross-entropy float64", "StableMax float64")
PANELS = (
    Panel("points", "gain5:fisher_probe", "gain of the Fisher ratio to 5 times the plateau", _ODORS, null=0.0),
    Panel("points", "end:richness", "distance from rich learning at the end (D_LR)", _ODORS),
    Panel("course", "train_fit", "polynomial (without 32): fit of training trials", _SMALL),
    Panel("course", "test_fit", "polynomial (without 32): fit of test trials", _SMALL),
    Panel("course", "target_alignment", "polynomial: tangent kernel and target", _POLYNOMIALS),
    Panel("course", "test_accuracy", "addition: test accuracy", _ADDITIONS),
    Panel("course", "no_loss", "addition: training trials whose loss is exactly 0", _ADDITIONS),
    Panel("course", "descent_alignment", "addition: cosine of descent and weights", _ADDITIONS),
)

_Part = tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]


def run(scale: Scale, *, folder: Path | None, progress: Progress, designs: Designs | None = None) -> Findings:
    """Train, measure and judge the three parts."""
    chosen = designs or (FULL if scale.full else SHORT)
    parts: dict[str, Callable[[Path | None], _Part]] = {
        "odors": lambda where: odor_sweep(chosen.odors, scale.seeds, scale.seed, folder=where),
        "polynomial": lambda where: polynomial_part(chosen.polynomial, scale.seeds, scale.seed, folder=where),
        "addition": lambda where: addition_part(chosen.addition, scale.seeds, scale.seed, folder=where),
    }
    found = []
    for name, part in parts.items():
        progress(f"lazy_rich: {name}")
        found.append(part(None if folder is None else folder / name))
    measures, quantities = (pd.concat(tables, ignore_index=True) for tables in list(zip(*found, strict=True))[:2])
    remarks = [remark for part in found for remark in part[2]] + unreached(quantities)
    return findings("lazy_rich", quantities, CLAIMS, measures=measures, panels=PANELS, remarks=remarks)
