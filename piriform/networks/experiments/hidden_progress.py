"""Does the representation of odours go on changing after training accuracy has saturated?

A network with one hidden layer learns a target mixture of 10 out of 100 odorants among 300 others. ``alpha`` scales its
output: small alpha makes learning rich (the hidden layer changes), large alpha lazy (the readout does the work). The
claims are about what happens between the plateau of training accuracy and the end: 17 to 53 times as long for rich and
middle networks, 3 to 17 times for lazy ones.
"""

from pathlib import Path

import pandas as pd

from piriform.networks.architectures import Network
from piriform.networks.ensemble import Condition, Training
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Findings, Panel, Progress, Scale, findings
from piriform.networks.experiments.odor_courses import odor_courses, odor_tasks
from piriform.networks.experiments.quantities import KEYS, gains, lasting_doublings, plateau_steps, unreached
from piriform.networks.odors import Odors
from piriform.networks.train import train

ODORS = Odors(probes=(3, 5, 6, 7), n_test=200, n_probe_trials=200)
#: Odorants that the probes share with the target from which the representation is told.
OVERLAP = 6
NETWORK = Network((ODORS.k,), (128,))
TRAINING = Training(n_steps=5000)
CONDITIONS = (
    Condition("rich", alpha=1.0),
    Condition("middle", alpha=3.0),
    Condition("lazy", alpha=1000.0),
)
#: Probe accuracy that counts as learned, and the overlaps whose order is tested.
LEARNED, ORDER = 0.9, (3, 6)

CLAIMS = (
    Claim("at the plateau training accuracy has stopped rising", "gain:train_accuracy", "middle", "stays", bound=0.02),
    Claim("accuracy for new trials of trained odours stays", "gain:test_accuracy", "middle", "stays", bound=0.05),
    Claim("targets go on moving away from probes", "gain:fisher_probe", "middle"),
    Claim("targets go on moving away from probes", "gain:fisher_probe", "rich"),
    Claim("the margin to probes goes on growing", "gain:margin_probe", "middle"),
    Claim("30 noisy units go on telling probes better", "gain:decoding_probe", "middle"),
    Claim("the network itself goes on telling probes better", "gain:probe_accuracy", "middle"),
    Claim("the output margin goes on growing", "gain:output_margin", "middle"),
    Claim("a lazy network's features do not move", "gain:fisher_probe", "lazy", "stays", bound=0.1),
    Claim("rich features move more than lazy ones", "gain5:fisher_probe", "middle", minus="lazy"),
    Claim(
        "the network's own probe accuracy rises more in rich than in lazy networks",
        "gain5:probe_accuracy",
        "middle",
        minus="lazy",
    ),
    Claim("probes that share more odorants are learned later", "order:3 to 6", "middle"),
)
PANELS = (
    Panel("course", "train_accuracy", "training accuracy"),
    Panel("course", "probe_accuracy", "probe accuracy"),
    Panel("course", "fisher_probe", "Fisher ratio, target against probes (log2)"),
    Panel("course", "margin_probe", "margin to probes, features of unit size"),
    Panel("course", "decoding_probe", "decoding of probes, 30 noisy units"),
    Panel("course", "richness", "distance from rich learning (D_LR)"),
)


def run(scale: Scale, *, folder: Path | None, progress: Progress) -> Findings:
    """Train, measure and judge."""
    tasks = odor_tasks(ODORS, scale.seeds, scale.seed)
    progress(f"hidden_progress: training {len(CONDITIONS) * scale.seeds} networks")
    ensemble = train(NETWORK, tasks, CONDITIONS, training=TRAINING, seed=scale.seed, folder=folder)
    progress("hidden_progress: measuring")
    measures = odor_courses(ensemble, tasks, overlap=OVERLAP, seed=scale.seed)
    quantities = pd.concat([gains(measures, plateau_steps(measures)), learning_order(measures)], ignore_index=True)
    remarks = [*ensemble.remarks, *unreached(quantities)]
    return findings("hidden_progress", quantities, CLAIMS, measures=measures, panels=PANELS, remarks=remarks)


def learning_order(measures: pd.DataFrame) -> pd.DataFrame:
    """Return how many doublings of training the probes need that share more odorants, per network.

    ``learned:<overlap>`` is log2 of the step from which on the accuracy for probes of this overlap stays at .9, between
    checkpoints, NaN where it does not; ``order:3 to 6`` is the difference of two of them.
    """
    learned = {
        f"learned:{overlap}": lasting_doublings(measures, measure=f"probe_accuracy_{overlap}", level=LEARNED)
        for overlap in ODORS.probes
    }
    wide = pd.DataFrame(learned)
    first, last = ORDER
    wide["order:3 to 6"] = wide[f"learned:{last}"] - wide[f"learned:{first}"]
    return wide.reset_index().melt(KEYS, var_name="quantity", value_name="value")
