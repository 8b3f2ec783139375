"""Do overtrained networks learn the reversed task faster?

Odour networks are taken at their plateau (*early*) and at the end of training (*over*), and learn the same odours with
target and nontargets exchanged: with all parameters going on, or with a new readout alone on frozen features. Time is
counted to 90% of the training trials, and to half the loss of guessing, in doublings of the step; interpolated
between checkpoints. The *saving* is the time of the early network minus that of the overtrained one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.networks.answers import plateau_step
from piriform.networks.ensemble import Condition, Ensemble, Training
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Findings, Panel, Progress, Scale, findings
from piriform.networks.experiments.hidden_progress import NETWORK
from piriform.networks.experiments.odor_courses import odor_tasks
from piriform.networks.experiments.quantities import LEVEL, course
from piriform.networks.odors import Odors
from piriform.networks.task import Task
from piriform.networks.train import train

ODORS = Odors(probes=(), n_probes=0)
SHORT = (1.0, 3.0, 1000.0)
ALPHAS = (0.3, 1.0, 3.0, 10.0, 1000.0)
#: Parameters that learn the reversed task.
PROTOCOLS = {"all": (), "readout": ("readout",)}
FIRST = Training(n_steps=5000)
SECOND = Training(n_steps=3000, n_checkpoints=40)
LEARNED, HALF = 0.9, np.log(2) / 2
#: A quarter of a doubling is no difference.
NOTHING = 0.25

CLAIMS = (
    Claim("overtraining speeds reversal of the whole network", "saving:all", "alpha 1"),
    Claim("overtraining speeds reversal of the whole network", "saving:all", "alpha 3"),
    Claim("overtraining speeds reversal of the whole network", "saving:all", "alpha 1000"),
    Claim("overtraining slows it less in rich than in lazy networks", "saving:all", "alpha 1", minus="alpha 1000"),
    Claim("overtraining speeds reversal of the readout", "saving:readout", "alpha 1"),
    Claim("overtraining speeds reversal of the readout", "saving:readout", "alpha 3"),
    Claim("it does not in lazy networks", "saving:readout", "alpha 1000", "stays", bound=NOTHING),
    Claim("the same by the loss", "loss_saving:readout", "alpha 3"),
    Claim("the same by the loss, whole network", "loss_saving:all", "alpha 3"),
)
PANELS = (
    Panel("course", "accuracy:all:early", "reversed, all parameters, from the plateau"),
    Panel("course", "accuracy:all:over", "reversed, all parameters, overtrained"),
    Panel("points", "saving:all", "saving in doublings, all parameters", null=0.0),
    Panel("course", "accuracy:readout:early", "reversed, readout alone, from the plateau"),
    Panel("course", "accuracy:readout:over", "reversed, readout alone, overtrained"),
    Panel("points", "saving:readout", "saving in doublings, readout alone", null=0.0),
)


def run(scale: Scale, *, folder: Path | None, progress: Progress) -> Findings:
    """Train, reverse, count steps and judge."""
    conditions = [Condition(f"alpha {alpha:g}", alpha=alpha) for alpha in (ALPHAS if scale.full else SHORT)]
    tasks = odor_tasks(ODORS, scale.seeds, scale.seed)
    progress(f"reversal: training {len(conditions) * scale.seeds} networks")
    trained = train(NETWORK, tasks, conditions, training=FIRST, seed=scale.seed, folder=_inside(folder, "first"))
    courses, times = [], []
    for moment, parameters in starts(trained, tasks).items():
        for protocol, learns in PROTOCOLS.items():
            progress(f"reversal: {protocol} parameters, {moment}")
            again = train(
                NETWORK,
                [reversed_task(task) for task in tasks],
                conditions,
                training=replace(SECOND, learns=learns),
                seed=scale.seed,
                folder=_inside(folder, f"{protocol}_{moment}"),
                start=parameters if protocol == "all" else parameters | {"readout": 0 * parameters["readout"]},
            )
            courses.append(_course(again, tasks, f"{protocol}:{moment}"))
            times.append(learning_times(courses[-1], protocol, moment))
    quantities = pd.concat([*times, savings(pd.concat(times))], ignore_index=True)
    measures = pd.concat(courses, ignore_index=True)
    return findings("reversal", quantities, CLAIMS, measures=measures, panels=PANELS, remarks=_remarks(trained, tasks))


def starts(ensemble: Ensemble, tasks: Sequence[Task]) -> dict[str, dict[str, np.ndarray]]:
    """Return the parameters of every network at its plateau (NaN where there is none) and at the end."""
    at = _plateaus(ensemble, tasks)
    everyone = np.arange(len(at))
    early = {name: values[everyone, np.maximum(at, 0)].copy() for name, values in ensemble.parameters.items()}
    for values in early.values():
        values[at < 0] = np.nan
    return {"early": early, "over": {name: values[:, -1].copy() for name, values in ensemble.parameters.items()}}


def _plateaus(ensemble: Ensemble, tasks: Sequence[Task]) -> np.ndarray:
    """(n_members,) place of the checkpoint at the plateau, -1 where there is none."""
    accuracy = ensemble.accuracy([task.train for task in tasks])
    steps = [plateau_step(ensemble.steps, row, level=LEVEL) for row in accuracy]
    return np.array([-1 if np.isnan(step) else int(np.searchsorted(ensemble.steps, step)) for step in steps])


def reversed_task(task: Task) -> Task:
    """Return the task with target and nontarget exchanged."""
    return replace(task, train=replace(task.train, labels=1 - task.train.labels))


def _course(ensemble: Ensemble, tasks: Sequence[Task], name: str) -> pd.DataFrame:
    shown = [reversed_task(task).train for task in tasks]
    return course(ensemble, {f"accuracy:{name}": ensemble.accuracy(shown), f"loss:{name}": ensemble.losses(shown)})


def learning_times(measures: pd.DataFrame, protocol: str, moment: str) -> pd.DataFrame:
    """Return ``doublings:<protocol>:<moment>`` and ``loss_doublings:...`` of every network."""
    parts = []
    for quantity, measure, sign, level in (
        ("doublings", "accuracy", 1, LEARNED),
        ("loss_doublings", "loss", -1, HALF),
    ):
        own = measures[measures["measure"] == f"{measure}:{protocol}:{moment}"]
        found = {
            key: doublings_to(part["step"].to_numpy(), sign * part["value"].to_numpy(), sign * level)
            for key, part in own.groupby(["condition", "seed"], sort=False)
        }
        rows = [(*key, f"{quantity}:{protocol}:{moment}", value) for key, value in found.items()]
        parts.append(pd.DataFrame(rows, columns=["condition", "seed", "quantity", "value"]))
    return pd.concat(parts, ignore_index=True)


def doublings_to(steps: np.ndarray, values: np.ndarray, level: float) -> float:
    """Return log2(1 + step) at which values first reach a level, on the line between two checkpoints.

    1 where the first step is enough: there is no time between step 0 and step 1. NaN where they never do, or are not
    known.

    Examples
    --------
    >>> doublings_to(np.array([0, 1, 3]), np.array([0.0, 0.5, 1.0]), 0.75)
    1.5
    >>> doublings_to(np.array([0, 1, 3]), np.array([0.0, 0.5, 1.0]), 0.25)
    1.0
    """
    if not np.isfinite(values).all():
        return np.nan
    reached = np.flatnonzero(values >= level)
    if not len(reached):
        return np.nan
    at, time = int(reached[0]), np.log2(1.0 + steps)
    if not at:
        return float(time[0])
    share = (level - values[at - 1]) / (values[at] - values[at - 1])
    return max(1.0, float(time[at - 1] + share * (time[at] - time[at - 1])))


def savings(times: pd.DataFrame) -> pd.DataFrame:
    """Return ``saving:<protocol>`` and ``loss_saving:<protocol>``: doublings from the plateau minus overtrained."""
    wide = times.pivot(index=["condition", "seed"], columns="quantity", values="value")
    names: Mapping[str, str] = {"saving": "doublings", "loss_saving": "loss_doublings"}
    found = {
        f"{name}:{protocol}": wide[f"{what}:{protocol}:early"] - wide[f"{what}:{protocol}:over"]
        for name, what in names.items()
        for protocol in PROTOCOLS
    }
    return pd.DataFrame(found).reset_index().melt(["condition", "seed"], var_name="quantity", value_name="value")


def _inside(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name


def _remarks(ensemble: Ensemble, tasks: Sequence[Task]) -> list[str]:
    never = [ensemble.members[at].name for at in np.flatnonzero(_plateaus(ensemble, tasks) < 0)]
    return [*ensemble.remarks, *(f"{name}: reached no plateau; it has no early reversal" for name in never)]
