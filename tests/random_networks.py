"""An ensemble with random parameters, and trials of each seed: what networks answer is known without training."""

import numpy as np
import pandas as pd

from piriform.networks.architectures import Network
from piriform.networks.ensemble import Condition, Ensemble, Training
from piriform.networks.task import Examples

NETWORK = Network((5,), (4, 6), antisymmetric=False)
CONDITIONS = (
    Condition("a", alpha=2.0),
    Condition("b", loss="hinge", threshold=0.5),
    Condition("c", loss="squared", alpha=0.5),
)


def random_ensemble():
    """Return three conditions of two seeds, random parameters at three checkpoints, the last network lost at the last."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (5, 4), "b1": (4,), "w2": (4, 6), "b2": (6,), "readout": (6, 1)}
    parameters = {name: rng.standard_normal((6, 3, *shape)).astype(np.float32) for name, shape in shapes.items()}
    for values in parameters.values():
        values[5, 2] = np.nan
    diverged = np.array([-1, -1, -1, -1, -1, 2])
    return Ensemble(NETWORK, Training(n_steps=10), CONDITIONS, (7, 8), np.array([0, 3, 10]), parameters, diverged)


def shown(seed):
    """Trials of unequal numbers per class, other labels for each seed; a third of the nontargets are probes; every trial another stimulus."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1], [21 + seed, 9 - seed]))
    kind = np.where(labels == 1, "target", np.where(rng.random(30) < 1 / 3, "probe", "nontarget"))
    names = [f"s{number}" for number in range(30)]
    table = pd.DataFrame({"stimulus": names, "category": kind, "class": kind, "stratum": ""}, dtype=object)
    return Examples(rng.standard_normal((30, 5)), labels, table)


EXAMPLES = [shown(seed) for seed in (1, 2)]
