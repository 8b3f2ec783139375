"""What stops late learning: a loss with a bound, margins that are held, or bounded weights?

The odour network of ``hidden_progress`` with alpha = 3 is trained again with one thing changed. The hinge loss ends at a
threshold of the output margin (cross-entropy never ends); explicit control pulls output margins above a limit back;
a bounded norm keeps all parameters together at the norm they had at the start. Gains are those after each network's
own plateau, and those of two conditions are compared up to 5 times its step, so that a network that is slower overall
is not taken for one that stops.
"""

from pathlib import Path

from piriform.networks.ensemble import Condition
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Findings, Panel, Progress, Scale, findings
from piriform.networks.experiments.hidden_progress import NETWORK, ODORS, OVERLAP, TRAINING
from piriform.networks.experiments.odor_courses import odor_courses, odor_tasks
from piriform.networks.experiments.quantities import gains, plateau_steps, unreached
from piriform.networks.train import train

ALPHA = 3.0
#: About the mean output margin of the cross-entropy network at its plateau.
MARGIN = 1.6
SHORT = (
    Condition("cross-entropy", alpha=ALPHA),
    Condition("hinge .1", loss="hinge", threshold=0.1, alpha=ALPHA),
    Condition("margin held", alpha=ALPHA, margin_high=MARGIN, margin_strength=1.0),
    Condition("norm bounded", alpha=ALPHA, max_norm=1.0),
)
CONDITIONS = (
    *SHORT,
    Condition("hinge 1", loss="hinge", threshold=1.0, alpha=ALPHA),
    Condition("hinge 10", loss="hinge", threshold=10.0, alpha=ALPHA),
    Condition("margin pushed", alpha=ALPHA, margin_low=4 * MARGIN, margin_strength=1.0),
)
#: Within these a gain counts as none: a tenth of a doubling, 2% of the length of the features, 5% of the trials.
NO_FISHER, NO_MARGIN, NO_ACCURACY = 0.1, 0.02, 0.05


def _stopped(condition: str) -> tuple[Claim, ...]:
    return (
        Claim(f"{condition} gains less Fisher ratio", "gain5:fisher_probe", condition, "falls", "cross-entropy"),
        Claim(f"{condition} gains less probe accuracy", "gain5:probe_accuracy", condition, "falls", "cross-entropy"),
    )


CLAIMS = (
    Claim("with cross-entropy targets go on moving away from probes", "gain:fisher_probe", "cross-entropy"),
    Claim("with cross-entropy probe accuracy goes on rising", "gain:probe_accuracy", "cross-entropy"),
    Claim("a small hinge abolishes it: features", "gain:fisher_probe", "hinge .1", "stays", bound=NO_FISHER),
    Claim("a small hinge abolishes it: margin", "gain:margin_probe", "hinge .1", "stays", bound=NO_MARGIN),
    Claim("a small hinge abolishes it: answers", "gain:probe_accuracy", "hinge .1", "stays", bound=NO_ACCURACY),
    *_stopped("hinge .1"),
    *_stopped("margin held"),
    *_stopped("norm bounded"),
)
FULL_CLAIMS = (
    *CLAIMS,
    *_stopped("hinge 1"),
    Claim("a large hinge does not stop features", "gain:fisher_probe", "hinge 10"),
    Claim("margins pushed up help features", "end:fisher_probe", "margin pushed", "rises", "cross-entropy"),
)
PANELS = (
    Panel("course", "train_accuracy", "training accuracy"),
    Panel("course", "output_margin", "output margin of new trials"),
    Panel("course", "fisher_probe", "Fisher ratio, target against probes (log2)"),
    Panel("course", "probe_accuracy", "probe accuracy"),
    Panel("points", "gain:fisher_probe", "gain of the Fisher ratio after the plateau", null=0.0),
    Panel("points", "gain:probe_accuracy", "gain of probe accuracy after the plateau", null=0.0),
)


def run(scale: Scale, *, folder: Path | None, progress: Progress) -> Findings:
    """Train, measure and judge."""
    conditions, claims = (CONDITIONS, FULL_CLAIMS) if scale.full else (SHORT, CLAIMS)
    tasks = odor_tasks(ODORS, scale.seeds, scale.seed)
    progress(f"causes: training {len(conditions) * scale.seeds} networks")
    ensemble = train(NETWORK, tasks, conditions, training=TRAINING, seed=scale.seed, folder=folder)
    progress("causes: measuring")
    measures = odor_courses(ensemble, tasks, overlap=OVERLAP, seed=scale.seed)
    quantities = gains(measures, plateau_steps(measures))
    remarks = [*ensemble.remarks, *unreached(quantities)]
    return findings("causes", quantities, claims, measures=measures, panels=PANELS, remarks=remarks)
