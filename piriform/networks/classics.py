"""Which other tasks do networks learn here? Digits, the order of two tones, a polynomial, modular addition."""

import numpy as np
import pandas as pd

from piriform.errors import ConfigError
from piriform.networks.task import Examples, Task, class_table, joined


def digits_task(*, rng: np.random.Generator, n_train: int = 100, n_test: int = 50, noise: float = 0.0) -> Task:
    """Return scikit-learn's 8 x 8 digits, each image scaled to norm 1.

    Parameters
    ----------
    n_train, n_test : images of each digit; there are 174 of the rarest
    noise : norm of the Gaussian noise added to an image
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    smallest = int(np.bincount(found.target).min())
    if n_train < 1 or n_test < 1 or n_train + n_test > smallest:
        raise ConfigError(
            f"{n_train} training and {n_test} test images of each digit were asked for; both must be at least 1 and "
            f"together at most {smallest}"
        )
    images = found.data / np.linalg.norm(found.data, axis=1, keepdims=True)
    images = images + noise / 8 * rng.standard_normal(images.shape)
    rows = np.stack([rng.permutation(np.flatnonzero(found.target == digit))[: n_train + n_test] for digit in range(10)])
    parts: list[Examples] = []
    for chosen in (rows[:, :n_train].ravel(), rng.permutation(rows[:, n_train:].ravel())):
        labels = found.target[chosen].astype(int)
        names = labels.astype(str)
        parts.append(Examples(images[chosen].reshape(-1, 8, 8, 1), labels, class_table(names, names)))
    return Task(parts[0], parts[1], n_outputs=10)


def tone_task(
    *,
    rng: np.random.Generator,
    n_channels: int = 32,
    n_times: int = 10,
    distances: tuple[float, ...] = (0.3, 0.4, 0.5),
    probes: tuple[float, ...] = (0.1, 0.2),
    n_train: int = 300,
    n_test: int = 100,
    noise: float = 0.5,
) -> Task:
    """Return two-tone sequences: the target is a low tone followed by a higher one.

    Tones are Gaussian bumps (SD 0.05) over channels that span the unit interval; each lasts a third
    of the sequence, with silence between and after them.

    Parameters
    ----------
    distances, probes : differences of the two tones in training, and in the probes, which are falling pairs
        (nontargets) whose tones are closer
    n_train, n_test : trials of each order; ``n_test`` of each probe distance
    noise : norm of the Gaussian noise at each time, relative to a tone's
    """
    if n_times < 3 or min((*distances, *probes)) <= 0 or max((*distances, *probes)) >= 1:
        raise ConfigError(f"tones need 3 times or more and distances in (0, 1), got {n_times}, {distances}, {probes}")
    shape = (n_times, n_channels)
    train = [_tones(np.resize(distances, n_train), up, "", shape, noise, rng) for up in (0, 1)]
    test = [_tones(np.resize(distances, n_test), up, "", shape, noise, rng) for up in (0, 1)]
    test += [_tones(np.full(n_test, distance), 0, f"probe_{distance:g}", shape, noise, rng) for distance in probes]
    tested = joined(test)
    return Task(joined(train), tested.chosen(rng.permutation(len(tested))))


def _tones(
    distance: np.ndarray, up: int, probe: str, shape: tuple[int, int], noise: float, rng: np.random.Generator
) -> Examples:
    """Trials of one order; ``up`` 1 ends on the higher tone."""
    n_times, n_channels = shape
    low = rng.uniform(0, 1 - distance)
    pair = np.stack([low, low + distance], axis=1)[:, :: 1 if up else -1]
    bumps = np.exp(-(((np.linspace(0, 1, n_channels) - pair[..., None]) / 0.05) ** 2) / 2)
    bumps /= np.linalg.norm(bumps, axis=2, keepdims=True)
    inputs = np.zeros((len(distance), n_times, n_channels))
    third = n_times // 3
    inputs[:, :third] = bumps[:, :1]
    inputs[:, third + 1 : 2 * third + 1] = bumps[:, 1:]
    inputs += noise / np.sqrt(n_channels) * rng.standard_normal(inputs.shape)
    order = "up" if up else "down"
    table = pd.DataFrame(
        {
            "stimulus": [f"{order}_{value:g}" for value in distance],
            "category": probe or ("target" if up else "nontarget"),
            "class": "probe" if probe else ("target" if up else "nontarget"),
            "stratum": [f"{value:g}" for value in distance],
        },
        dtype=object,
    )
    return Examples(inputs, np.full(len(distance), up), table)


def polynomial_task(*, rng: np.random.Generator, n_inputs: int = 100, n_train: int = 550, n_test: int = 1000) -> Task:
    """Return y = (beta.x)^2 / 2 with x ~ N(0, I / n_inputs) and |beta|^2 = n_inputs (Kumar et al. 2024, arXiv:2310.06110).

    beta is the first axis times sqrt(n_inputs).
    """
    parts: list[Examples] = []
    for count in (n_train, n_test):
        x = rng.standard_normal((count, n_inputs)) / np.sqrt(n_inputs)
        y = n_inputs * x[:, :1] ** 2 / 2
        parts.append(Examples(x, y, class_table(np.array([f"x{at}" for at in range(count)]), np.full(count, ""))))
    return Task(parts[0], parts[1])


def modular_task(*, rng: np.random.Generator, modulus: int = 47, train_share: float = 0.6) -> Task:
    """Return (a + b) mod ``modulus`` for one-hot a and b; ``train_share`` of all pairs is trained on, the rest is the test."""
    if modulus < 2 or not 0 < round(train_share * modulus**2) < modulus**2:
        raise ConfigError(
            f"modular addition needs a modulus of 2 or more and pairs both in training and in the test, got modulus "
            f"{modulus} and train_share {train_share:g}"
        )
    a, b = np.divmod(rng.permutation(modulus**2), modulus)
    inputs = np.concatenate([np.eye(modulus)[a], np.eye(modulus)[b]], axis=1)
    labels = (a + b) % modulus
    names = np.array([f"{one}+{other}" for one, other in zip(a, b, strict=True)], dtype=object)
    every = Examples(inputs, labels, class_table(names, labels.astype(str)))
    split = round(train_share * modulus**2)
    return Task(every.chosen(np.arange(split)), every.chosen(np.arange(split, modulus**2)), n_outputs=modulus)
