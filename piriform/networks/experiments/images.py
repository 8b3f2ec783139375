"""Which images does a convolutional network learn? Five of ten digits; the others test what its features are worth.

A seed draws its five digits. The test has three strata: *trained* digits in new images, the same images with noise
(*hard*), and the *other* five digits, which only a decoder of the hidden layers is ever told apart from one another.
"""

from dataclasses import replace

import numpy as np

from piriform.networks.architectures import Network
from piriform.networks.classics import digits_task
from piriform.networks.ensemble import Condition, Training
from piriform.networks.task import Examples, Task, joined

N_DIGITS = 5
#: Images of each digit in training and in the test.
N_TRAIN, N_TEST = 80, 80
#: Norm of the noise of the hard images, whose own norm is 1.
NOISE = 0.8
#: Radius of the attack in input SDs.
EPSILON = 0.35
NETWORK = Network((8, 8, 1), (8, 64), N_DIGITS)
TRAINING = Training(n_steps=12000, batch=50)
CONDITIONS = (
    Condition("digits rich", alpha=1.0, learning_rate=0.3),
    Condition("digits lazier", alpha=10.0, learning_rate=1.0),
)


def made_task(rng: np.random.Generator) -> Task:
    """Return the images of one seed; the stratum of a test image is ``trained``, ``hard`` or ``other``."""
    every = digits_task(rng=rng, n_train=N_TRAIN, n_test=N_TEST)
    order = rng.permutation(10)
    trained, other = np.sort(order[:N_DIGITS]), np.sort(order[N_DIGITS:])
    shown = of_digits(every.test, trained)
    noise = NOISE / np.sqrt(np.prod(shown.inputs.shape[1:])) * rng.standard_normal(shown.inputs.shape)
    strata = {
        "trained": shown,
        "hard": replace(shown, inputs=shown.inputs + noise),
        "other": of_digits(every.test, other),
    }
    return Task(of_digits(every.train, trained), in_strata(strata), n_outputs=N_DIGITS)


def of_digits(examples: Examples, digits: np.ndarray) -> Examples:
    """Return the images of some digits; label 0 is the first of them."""
    own = examples.chosen(np.flatnonzero(np.isin(examples.labels, digits)))
    return replace(own, labels=np.searchsorted(digits, own.labels))


def in_strata(strata: dict[str, Examples]) -> Examples:
    """Return the trials of all strata, one after the other, named in the column ``stratum``."""
    return joined([replace(part, table=part.table.assign(stratum=name)) for name, part in strata.items()])
