"""Does late learning survive in a circuit like the olfactory system's, and with harder odours?

The experiment ``hidden_progress`` with alpha = 3, again with other inputs: as the mice had them (3 of 13 odorants),
through a random projection, through glomeruli with divisive normalisation to non-negative piriform units with
inhibition, with concentrations that vary, and with nontargets that share up to 7 of 10 odorants with the target.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from piriform.networks.architectures import Network
from piriform.networks.ensemble import Condition, Training
from piriform.networks.expansion import Expansion
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Findings, Panel, Progress, Scale, findings
from piriform.networks.experiments.odor_courses import odor_courses, odor_tasks
from piriform.networks.experiments.quantities import gains, plateau_steps, unreached
from piriform.networks.odors import Odors
from piriform.networks.train import train

ALPHA = 3.0
HIDDEN = 128
TRAINING = Training(n_steps=5000)
PLAIN = Odors(probes=(6,), n_test=200, n_probe_trials=200)


@dataclass(frozen=True)
class Variant:
    """One kind of input: its odours, what the network is told apart from, and the sign of its readout's senders."""

    name: str
    odors: Odors
    overlap: int = 6
    dale: bool = False


VARIANTS = (
    Variant("10 of 100", PLAIN),
    Variant(
        "3 of 13",
        replace(PLAIN, n=3, k=13, overlaps=(1.0, 1.0), probes=(2,), n_nontargets=200, n_probes=10),
        overlap=2,
    ),
    Variant("projected", replace(PLAIN, n_projected=100)),
    Variant("circuit", replace(PLAIN, expansion=Expansion()), dale=True),
    Variant("concentrations", replace(PLAIN, concentration_sd=0.3)),
    Variant("large overlap", replace(PLAIN, overlaps=(1.0,) * 8, probes=(8,)), overlap=8),
)
CLAIMS = (
    *(Claim("targets go on moving away from probes", "gain:fisher_probe", one.name) for one in VARIANTS),
    *(Claim("probe accuracy goes on rising", "gain:probe_accuracy", one.name) for one in VARIANTS),
)
PANELS = (
    Panel("course", "train_accuracy", "training accuracy"),
    Panel("course", "probe_accuracy", "probe accuracy"),
    Panel("course", "fisher_probe", "Fisher ratio, target against probes (log2)"),
    Panel("points", "plateau_step", "step of the plateau"),
    Panel("points", "gain:fisher_probe", "gain of the Fisher ratio after the plateau", null=0.0),
    Panel("points", "gain:probe_accuracy", "gain of probe accuracy after the plateau", null=0.0),
)


def run(scale: Scale, *, folder: Path | None, progress: Progress) -> Findings:
    """Train and measure each variant, and judge."""
    courses, remarks = [], []
    for variant in VARIANTS:
        progress(f"circuit: {variant.name}, {scale.seeds} networks")
        tasks = odor_tasks(variant.odors, scale.seeds, scale.seed)
        network = Network(tasks[0].train.inputs.shape[1:], (HIDDEN,), dale=variant.dale)
        ensemble = train(
            network,
            tasks,
            [Condition(variant.name, alpha=ALPHA)],
            training=TRAINING,
            seed=scale.seed,
            folder=None if folder is None else folder / variant.name.replace(" ", "_"),
        )
        courses.append(odor_courses(ensemble, tasks, overlap=variant.overlap, seed=scale.seed))
        remarks += [f"{variant.name}: {remark}" for remark in ensemble.remarks]
    measures = pd.concat(courses, ignore_index=True)
    quantities = gains(measures, plateau_steps(measures))
    remarks += unreached(quantities)
    return findings("circuit", quantities, CLAIMS, measures=measures, panels=PANELS, remarks=remarks)
