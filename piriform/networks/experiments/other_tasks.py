"""Do images and tones show it too?

A convolutional network learns digits (``images``), a recurrent one the order of two tones (``tones``); rich ones 5 to 80
times as long as they take to their plateau. In a *groove* held-out accuracy is equivalent to flat between plateau and end,
and the representation moves by more than fresh trials of a network that stands still would differ. The rest asks what
the movement is worth: for decoders of harder and other stimuli, against attacks, and in the shape of the classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from piriform.networks.architectures import Network, Parameters, apply
from piriform.networks.ensemble import Ensemble, Member
from piriform.networks.experiments import images, tones
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Findings, Panel, Progress, Scale, findings
from piriform.networks.experiments.odor_courses import N_RECORDED
from piriform.networks.experiments.quantities import KEYS, course, gains, plateau_steps
from piriform.networks.measures import checkpoint_measures, outputs_and_pullback, pgd_accuracy, probe_accuracy
from piriform.networks.measures.similarity import debiased_hsic
from piriform.networks.task import Examples, Task
from piriform.networks.train import train
from piriform.provenance import rng_for

PARTS: dict[str, ModuleType] = {"digits": images, "tones": tones}
#: Accuracy that counts as flat may change by 2 of 100 trials.
FLAT = 0.02
#: Trials that are attacked, and how often from another random point.
N_ATTACKED, N_RESTARTS = 100, 2
#: Of the last hidden layer, for the trials of trained stimuli.
SHAPE = ("richness", "nc1", "cdnv", "effective_rank", "participation_ratio", "selectivity", "margin", "cka_start")


def _claims(part: str, last: str) -> tuple[Claim, ...]:
    rich = f"{part} rich"
    return (
        Claim(f"{part}: accuracy for new trials is flat", "gain:test_accuracy", rich, "stays", bound=FLAT),
        Claim(f"{part}: the representation moves after the plateau", "movement:after", rich),
        Claim(f"{part}: a decoder tells harder stimuli better", f"gain:probe_{last}", rich),
        Claim(f"{part}: answers get more robust", "gain:robustness", rich),
        Claim(f"{part}: units get more selective", "gain:selectivity", rich),
        Claim(f"{part}: classes go on collapsing", "gain:nc1", rich, "falls"),
        Claim(f"{part}: overtrained features transfer better than early-stopped ones", "gain:transfer", rich),
    )


CLAIMS = (*_claims("digits", "hidden2"), *_claims("tones", "hidden1"))
PANELS = (
    Panel("course", "train_accuracy", "training accuracy"),
    Panel("course", "test_accuracy", "accuracy, new trials"),
    Panel("points", "movement:after", "movement after the plateau (30 noisy units)", null=0.0),
    Panel("course", "probe_hidden1", "decoding of harder stimuli, first layer"),
    Panel("course", "transfer", "decoding of other classes, last layer"),
    Panel("course", "nc1", "neural collapse (NC1)"),
    Panel("course", "selectivity", "class selectivity"),
    Panel("points", "gain:robustness", "gain of accuracy under attack", null=0.0),
)


def run(scale: Scale, *, folder: Path | None, progress: Progress) -> Findings:
    """Train, measure and judge."""
    measures, quantities, remarks = [], [], []
    for name, part in PARTS.items():
        conditions = part.CONDITIONS if scale.full else part.CONDITIONS[:1]
        tasks = [part.made_task(rng_for(scale.seed, "networks", name, number)) for number in range(scale.seeds)]
        progress(f"other_tasks: training {len(conditions) * scale.seeds} networks on {name}")
        inside = None if folder is None else folder / name
        ensemble = train(part.NETWORK, tasks, conditions, training=part.TRAINING, seed=scale.seed, folder=inside)
        progress(f"other_tasks: measuring {name}")
        measures.append(task_courses(ensemble, tasks))
        plateaus = plateau_steps(measures[-1])
        attacked = robustness_rows(ensemble, tasks, plateaus, epsilon=part.EPSILON, seed=scale.seed)
        quantities += [gains(pd.concat([measures[-1], attacked]), plateaus)]
        quantities += [movements(ensemble, tasks, plateaus, seed=scale.seed)]
        remarks += [*ensemble.remarks, *_without_plateau(plateaus)]
    found = findings(
        "other_tasks", pd.concat(quantities), CLAIMS, measures=pd.concat(measures), panels=PANELS, remarks=remarks
    )
    return replace(found, remarks=(*found.remarks, *grooves(found.claims)))


def grooves(claims: pd.DataFrame) -> list[str]:
    """Return in words whether each task shows a groove: both that accuracy is flat and that features move held."""
    lines, claimed = [], claims.set_index(["condition", "quantity"])["outcome"]
    for part in PARTS:
        flat, moves = (claimed[f"{part} rich", name] for name in ("gain:test_accuracy", "movement:after"))
        shown = "a groove" if flat == moves == "held" else "no groove shown"
        lines.append(f"{part}: {shown} (accuracy is flat: {flat}; the representation moves: {moves})")
    return lines


def _without_plateau(plateaus: pd.DataFrame) -> list[str]:
    never = plateaus[plateaus["plateau"].isna()]
    names = never["condition"] + "-" + never["seed"].astype(str)
    return [f"{name}: reached no plateau; it has no gains" for name in names]


# At every checkpoint --------------------------------------------------------------------------


def of_stratum(task: Task, name: str) -> Examples:
    """Return the test trials of one stratum: ``trained``, ``hard``, ``other``."""
    return task.test.chosen(np.flatnonzero(task.test.table["stratum"] == name))


def task_courses(ensemble: Ensemble, tasks: Sequence[Task]) -> pd.DataFrame:
    """Return the measures of networks at every checkpoint.

    Returns
    -------
    DataFrame as :func:`piriform.networks.experiments.quantities.course` returns, with

    - ``train_accuracy``, ``test_accuracy``, ``hard_accuracy``: share of right answers of the network
    - ``output_margin``: mean output towards the right answer, new trials
    - ``probe_hidden1``, ...: accuracy of a linear decoder of each layer that tells the hard stimuli apart, held out
    - ``transfer``: the same of the last layer for what the network was not trained to tell
    - ``SHAPE`` of the last layer
    """
    trained, hard = ([of_stratum(task, name) for task in tasks] for name in ("trained", "hard"))
    values = {
        "train_accuracy": ensemble.accuracy([task.train for task in tasks]),
        "test_accuracy": ensemble.accuracy(trained),
        "hard_accuracy": ensemble.accuracy(hard),
        "output_margin": ensemble.margins(trained).mean(axis=2),
    }
    found = [_features_of(ensemble, one.index, tasks[one.seed_index]) for one in ensemble.members]
    return course(ensemble, values | {name: np.stack([one[name] for one in found]) for name in found[0]})


def _features_of(ensemble: Ensemble, index: int, task: Task) -> dict[str, np.ndarray]:
    """(n_checkpoints,) measures of one network."""
    trained, hard, other = (of_stratum(task, name) for name in ("trained", "hard", "other"))
    layers = [f"hidden{number + 1}" for number in range(len(ensemble.network.hidden))]
    activity = _read_out(ensemble, index, trained)
    outputs = ensemble.outputs_of(index, trained.inputs)
    shape = checkpoint_measures(activity, outputs, trained.labels, start=activity[0])
    probes = {f"probe_{name}": _decoded(_read_out(ensemble, index, hard, name), hard.labels) for name in layers}
    transfer = _decoded(_read_out(ensemble, index, other), other.labels)
    return {name: shape[name] for name in SHAPE} | probes | {"transfer": transfer}


def _read_out(ensemble: Ensemble, index: int, examples: Examples, layer: str = "") -> np.ndarray:
    """(n_checkpoints, n_trials, n_units) activity of a layer, of an RNN at its last time."""
    activity = np.asarray(ensemble.activity(index, examples.inputs, layer), dtype=float)
    return activity if activity.ndim == 3 else activity[..., -1]


def _decoded(activity: np.ndarray, labels: np.ndarray) -> np.ndarray:
    scores = probe_accuracy({str(at): one for at, one in enumerate(activity)}, labels, solver="lda")
    return np.array([scores[str(at)] for at in range(len(activity))])


# At the plateau and at the end ----------------------------------------------------------------


def robustness_rows(
    ensemble: Ensemble, tasks: Sequence[Task], plateaus: pd.DataFrame, *, epsilon: float, seed: int
) -> pd.DataFrame:
    """Return the measure ``robustness`` as rows, at the plateau and at the end; ``epsilon`` in input SDs."""
    rows = []
    for member, at in _at_plateau(ensemble, plateaus):
        shown = of_stratum(tasks[member.seed_index], "trained")
        shown = shown.chosen(np.linspace(0, len(shown) - 1, min(N_ATTACKED, len(shown))).astype(int))
        last = len(ensemble.steps) - 1
        for moment in {last} if at is None else {at, last}:
            rng = rng_for(seed, "networks", "attack", member.name)
            value = robustness(ensemble.network, ensemble.at(member.index, moment), shown, epsilon=epsilon, rng=rng)
            rows.append((member.condition.name, member.seed, int(ensemble.steps[moment]), "robustness", value))
    return pd.DataFrame(rows, columns=[*KEYS, "step", "measure", "value"])


def _at_plateau(ensemble: Ensemble, plateaus: pd.DataFrame) -> Iterator[tuple[Member, int | None]]:
    """Every network and the place of its checkpoint at the plateau, if there is one."""
    steps = plateaus.set_index(KEYS)["plateau"]
    for member in ensemble.members:
        step = steps[member.condition.name, member.seed]
        yield member, int(np.searchsorted(ensemble.steps, step)) if np.isfinite(step) else None


def robustness(
    network: Network, parameters: Parameters, examples: Examples, *, epsilon: float, rng: np.random.Generator
) -> float:
    """Return the share of right answers that no attack turns, whatever alpha: it only scales the outputs."""
    outputs, pullback = outputs_and_pullback(_applied(network), parameters)
    flat = examples.inputs.reshape(len(examples), -1)
    return pgd_accuracy(outputs, pullback, flat, examples.labels, epsilon=epsilon, n_restarts=N_RESTARTS, rng=rng)


@cache
def _applied(network: Network) -> Callable[[Parameters, Any], Any]:
    """The network of flat inputs, the same function each time, compiled once."""
    return lambda parameters, inputs: apply(network, parameters, inputs.reshape(len(inputs), *network.shape))


def movements(ensemble: Ensemble, tasks: Sequence[Task], plateaus: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return :func:`movement` of the last layer from start to plateau (``movement:before``) and on to the end (``:after``)."""
    rows = []
    for member, at in _at_plateau(ensemble, plateaus):
        activity = _read_out(ensemble, member.index, of_stratum(tasks[member.seed_index], "trained"))
        rng = rng_for(seed, "networks", "movement", member.name)
        for name, (first, last) in {"before": (0, at), "after": (at, -1)}.items():
            moved = np.nan if at is None else movement(activity[first], activity[last], rng=rng)
            rows.append((member.condition.name, member.seed, f"movement:{name}", moved))
    return pd.DataFrame(rows, columns=[*KEYS, "quantity", "value"])


def movement(before: np.ndarray, after: np.ndarray, *, noise: float = 1.0, rng: np.random.Generator) -> float:
    """Return how far a representation moved between two sessions, each seen twice through fresh noise.

    (A - (B + C) / 2) / (A + B + C), A = H(before_1, before_2) H(after_1, after_2), B and C the same of the pairs
    (before_1, after_1), (before_2, after_2) and (before_1, after_2), (before_2, after_1); H the unbiased HSIC
    (:func:`piriform.networks.measures.similarity.debiased_hsic`), to which independent noise adds nothing. Without
    noise (1 - c^2) / (1 + 2 c^2) of the CKA c. If nothing moved, the four are exchangeable and the mean is exactly 0.

    Parameters
    ----------
    before, after : (n_trials, n_units) activity for the same stimuli; up to 30 units are seen, the same in all sessions
    noise : SD of the noise, in units of the activity's SD over trials and units of its session

    Returns
    -------
    0 to 1 on average, 1 with nothing in common; null value 0, also of what turns or is rescaled. NaN where activity
    is not finite, or does not vary beyond its noise.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    >>> round(movement(x, 3 * x[:, ::-1], noise=0.0, rng=np.random.default_rng(1)), 6)
    0.0
    """
    units = rng.permutation(before.shape[1])[:N_RECORDED]
    one, two, three, four = (_noisy(activity[:, units], noise, rng) for activity in (before, before, after, after))
    pairings = ((one, two), (three, four)), ((one, three), (two, four)), ((one, four), (two, three))
    own, *crossed = (float(debiased_hsic(*first) * debiased_hsic(*last)) for first, last in pairings)
    total = own + sum(crossed)
    return (own - sum(crossed) / 2) / total if total > 0 else float("nan")


def _noisy(activity: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Centred activity with fresh noise."""
    seen = activity + noise * activity.std() * rng.standard_normal(activity.shape)
    return seen - seen.mean(axis=0)
