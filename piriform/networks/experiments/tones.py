"""Which sounds does a recurrent network learn? Whether the second of two tones is the higher one.

The test has three strata: pairs as in training (*trained*), pairs of closer tones (*hard*), and pairs of which a
decoder must tell how far the tones lie apart, whatever their order, which was never asked (*other*).
"""

from dataclasses import replace

import numpy as np

from piriform.networks.architectures import Network
from piriform.networks.classics import tone_task
from piriform.networks.ensemble import Condition, Training
from piriform.networks.experiments.images import in_strata
from piriform.networks.task import Examples, Task

N_CHANNELS, N_TIMES = 32, 10
#: Trials of each order in training and in each stratum of the test.
N_TRAIN, N_TEST = 300, 150
#: Differences of the two tones, as shares of all channels.
DISTANCES, CLOSE, CONTRAST = (0.3, 0.4, 0.5), (0.1, 0.2), (0.3, 0.5)
#: Radius of the attack in input SDs.
EPSILON = 0.25
NETWORK = Network((N_TIMES, N_CHANNELS), (64,))
TRAINING = Training(n_steps=3000)
CONDITIONS = (
    Condition("tones rich", alpha=1.0, learning_rate=0.1),
    Condition("tones lazier", alpha=10.0, learning_rate=0.5),
)


def made_task(rng: np.random.Generator) -> Task:
    """Return the tones of one seed; the stratum of a test trial is ``trained``, ``hard`` or ``other``."""
    task = _pairs(DISTANCES, rng)
    strata = {
        "trained": task.test,
        "hard": _pairs(CLOSE, rng).test,
        "other": by_distance(_pairs(CONTRAST, rng).test),
    }
    return Task(task.train, in_strata(strata))


def by_distance(examples: Examples) -> Examples:
    """Return the trials with a new label: 1 where the tones lie at the larger of their distances, else 0."""
    distance = examples.table["stratum"].astype(float).to_numpy()
    return replace(examples, labels=(distance == distance.max()).astype(int))


def _pairs(distances: tuple[float, ...], rng: np.random.Generator) -> Task:
    return tone_task(
        rng=rng,
        n_channels=N_CHANNELS,
        n_times=N_TIMES,
        distances=distances,
        probes=(),
        n_train=N_TRAIN,
        n_test=N_TEST,
    )
