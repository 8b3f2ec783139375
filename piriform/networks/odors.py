"""Which odour mixtures does a network learn to tell apart? Trials of n-of-k mixtures.

One mixture of n out of k odorants is the target; nontargets share some of its odorants; probes
share more, and are never trained on. Trials are noisy and the training trials a finite set: with
fresh noise in every batch a loss with a threshold never stops.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from piriform.errors import ConfigError
from piriform.networks.expansion import Circuit, Expansion
from piriform.networks.task import Examples, Task, joined


@dataclass(frozen=True)
class Odors:
    """The design of an n-of-k mixture task.

    Attributes
    ----------
    n, k : odorants in a mixture, and of all
    overlaps : shares of nontargets that have 0, 1, 2, ... odorants of the target; need not add up to 1
    probes : numbers of odorants that probes share with the target
    n_nontargets, n_probes : different nontargets, and different probes of each overlap
    n_repeats : nontargets that are shown again and again in the test trials, as ``nontarget_repeat_i``
    repeat_share : their share of the nontarget test trials
    n_train, n_test : trials of the target, and as many of nontargets
    n_probe_trials : test trials of each overlap
    noise : SD of the input noise is ``noise`` / sqrt(k), its norm about ``noise``; a mixture's norm is 1
    concentration_sd : SD of the log concentration of each odorant in each trial, whose mean is 1
    n_projected : project mixtures to this many inputs by a random Gaussian matrix; 0: do not
    expansion : the olfactory circuit in front of the network, see :class:`piriform.networks.expansion.Expansion`
    """

    n: int = 10
    k: int = 100
    overlaps: tuple[float, ...] = (1.0,) * 6
    probes: tuple[int, ...] = (6, 7)
    n_nontargets: int = 300
    n_probes: int = 20
    n_repeats: int = 2
    repeat_share: float = 0.4
    n_train: int = 300
    n_test: int = 100
    n_probe_trials: int = 100
    noise: float = 0.3
    concentration_sd: float = 0.0
    n_projected: int = 0
    expansion: Expansion | None = None

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_design(self)


def odor_task(odors: Odors, *, rng: np.random.Generator) -> Task:
    """Return the training and test trials of one network.

    Test trials are the target, the trained nontargets (with noise of their own) and the probes, in
    random order. Training trials are sorted by class, nontargets first.

    Examples
    --------
    >>> task = odor_task(Odors(n_train=50, n_test=40, n_probe_trials=10), rng=np.random.default_rng(1))
    >>> task.train.inputs.shape, sorted(task.test.table["category"].unique())
    ((100, 100), ['nontarget', 'nontarget_repeat_1', 'nontarget_repeat_2', 'probe_6', 'probe_7', 'target'])
    """
    design = _drawn(odors, rng)
    n_repeated = round(odors.repeat_share * odors.n_test) if odors.n_repeats else 0
    train = [("nontarget", design.nontargets, odors.n_train), ("target", design.target[None], odors.n_train)]
    test = [
        ("target", design.target[None], odors.n_test),
        ("nontarget_repeat", design.nontargets[: odors.n_repeats], n_repeated),
        ("nontarget", design.nontargets[odors.n_repeats :], odors.n_test - n_repeated),
        *((f"probe_{overlap}", found, odors.n_probe_trials) for overlap, found in design.probes.items()),
    ]
    transform = _transform(odors, rng)
    trained, tested = (
        joined([_shown(*part, odors, design.target, transform, rng) for part in parts]) for parts in (train, test)
    )
    return Task(trained, tested.chosen(rng.permutation(len(tested))), remarks=boundary_remarks(odors))


def mixtures(count: int, overlap: int, *, n: int, k: int, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw different mixtures that share ``overlap`` odorants with the target.

    Returns
    -------
    (count, k) bool array of the odorants present

    Raises
    ------
    ConfigError
        If there are fewer such mixtures: C(n, overlap) C(k - n, n - overlap) of them.
    """
    _check_available(count, overlap, n, k)
    inside, outside = np.flatnonzero(target), np.flatnonzero(~target)
    found: dict[bytes, np.ndarray] = {}
    while len(found) < count:
        mixture = np.zeros(k, dtype=bool)
        mixture[rng.choice(inside, overlap, replace=False)] = True
        mixture[rng.choice(outside, n - overlap, replace=False)] = True
        found.setdefault(mixture.tobytes(), mixture)
    return np.array(list(found.values()), dtype=bool).reshape(count, k)


def boundary_remarks(odors: Odors) -> tuple[str, ...]:
    """Return a warning if probes lie on the max-margin boundary or beyond, on the target's side.

    A linear max-margin classifier of the number of target odorants puts its boundary half way
    between the target's n and the largest overlap trained on, (n + max overlap) / 2. A probe there
    is answered by chance, and one beyond is answered as target, by a network that learned perfectly.

    Examples
    --------
    >>> boundary_remarks(Odors(n=3, k=13, overlaps=(1, 1), probes=(1, 2), n_nontargets=50, n_probes=9))
    ('probes that share 2 of 3 odorants lie on the max-margin boundary at (3 + 1) / 2 = 2 or on its target side: a perfect learner takes them for the target or guesses',)
    >>> boundary_remarks(Odors())
    ()
    """
    most = max(overlap for overlap, share in enumerate(odors.overlaps) if share > 0)
    boundary = (odors.n + most) / 2
    beyond = [str(overlap) for overlap in odors.probes if overlap >= boundary]
    if not beyond:
        return ()
    return (
        f"probes that share {' or '.join(beyond)} of {odors.n} odorants lie on the max-margin boundary at "
        f"({odors.n} + {most}) / 2 = {boundary:g} or on its target side: a perfect learner takes them for the "
        "target or guesses",
    )


def _check_numbers(odors: Odors) -> None:
    least = {"n_nontargets": 1, "n_train": 1, "n_test": 1} | dict.fromkeys(
        ("n_probes", "n_repeats", "n_probe_trials", "noise", "concentration_sd", "n_projected"), 0
    )
    for name, least_value in least.items():
        value = getattr(odors, name)
        if not least_value <= value < np.inf:
            raise ConfigError(f"{name} is {value}; it must be at least {least_value} and finite")


def _check_design(odors: Odors) -> None:
    n, k = odors.n, odors.k
    if not 1 <= n <= k:
        raise ConfigError(f"a mixture of n = {n} out of k = {k} odorants does not exist; n must lie in 1..k")
    if not all(0 <= share < np.inf for share in odors.overlaps) or not any(odors.overlaps):
        raise ConfigError(
            f"overlaps {odors.overlaps} are shares: none may be negative and one must be positive, all finite"
        )
    for what, overlaps in (
        ("nontarget", [at for at, share in enumerate(odors.overlaps) if share]),
        ("probe", odors.probes),
    ):
        wrong = [overlap for overlap in overlaps if not 0 <= overlap < n]
        if wrong:
            raise ConfigError(
                f"a {what} cannot share {wrong[0]} odorants with a target of {n}; overlaps lie in 0..{n - 1}"
            )
    if len(set(odors.probes)) < len(odors.probes):
        raise ConfigError(f"probes {odors.probes} name an overlap twice; each may stand once")
    if odors.n_projected and odors.expansion is not None:
        raise ConfigError("n_projected and expansion both stand between odorants and network; give one of them")
    if odors.n_repeats >= odors.n_nontargets or not 0 <= odors.repeat_share <= 1:
        raise ConfigError(
            f"{odors.n_repeats} of {odors.n_nontargets} nontargets are to be repeated in a share of "
            f"{odors.repeat_share:g} of the trials: others must remain, and the share must lie in 0..1"
        )
    for overlap, (trained, probed) in _counts(odors).items():
        _check_available(trained + probed, overlap, n, k)


def _check_available(count: int, overlap: int, n: int, k: int) -> None:
    available = comb(n, overlap) * comb(k - n, n - overlap)
    if count > available:
        raise ConfigError(
            f"{count} different nontargets and probes that share {overlap} of {n} odorants with the target were "
            f"asked for, but only {available} exist among {k} odorants; ask for fewer or raise k"
        )


def _counts(odors: Odors) -> dict[int, tuple[int, int]]:
    """Different nontargets and probes by overlap: shares of ``n_nontargets``, the largest remainders rounded up."""
    exact = odors.n_nontargets * np.array(odors.overlaps) / sum(odors.overlaps)
    counts = np.floor(exact + 1e-9).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: odors.n_nontargets - counts.sum()]] += 1
    trained = dict(enumerate(counts.tolist()))
    overlaps = sorted({*trained, *odors.probes})
    return {at: (trained.get(at, 0), odors.n_probes if at in odors.probes else 0) for at in overlaps}


@dataclass(frozen=True, eq=False)
class _Design:
    """Mixtures as bool arrays: the target (k,), nontargets (n_nontargets, k), and probes by overlap."""

    target: np.ndarray
    nontargets: np.ndarray
    probes: dict[int, np.ndarray]


def _drawn(odors: Odors, rng: np.random.Generator) -> _Design:
    target = np.isin(np.arange(odors.k), rng.choice(odors.k, odors.n, replace=False))
    trained: list[np.ndarray] = []
    probes: dict[int, np.ndarray] = {}
    for overlap, (n_trained, n_probes) in _counts(odors).items():
        found = mixtures(n_trained + n_probes, overlap, n=odors.n, k=odors.k, target=target, rng=rng)
        trained.append(found[:n_trained])
        probes |= {overlap: found[n_trained:]} if n_probes else {}
    return _Design(target, rng.permutation(np.concatenate(trained)), probes)


def _shown(
    category: str,
    mixtures: np.ndarray,
    n_trials: int,
    odors: Odors,
    target: np.ndarray,
    transform: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
) -> Examples:
    """Trials of some mixtures, in turn."""
    which = np.arange(n_trials) % max(len(mixtures), 1)
    shown = mixtures[which].astype(float)
    amplitude = np.exp(odors.concentration_sd * rng.standard_normal(shown.shape) - odors.concentration_sd**2 / 2)
    clean = shown * amplitude / np.sqrt(odors.n)
    noisy = clean + odors.noise / np.sqrt(odors.k) * rng.standard_normal(shown.shape)
    kind = category.partition("_")[0]
    numbered = category == "nontarget_repeat"
    table = pd.DataFrame(
        {
            "stimulus": [mixture_name(mixture) for mixture in mixtures[which]],
            "category": [f"{category}_{number + 1}" for number in which] if numbered else category,
            "class": kind,
            "stratum": (mixtures[which] & target).sum(axis=1).astype(str),
        },
        dtype=object,
    )
    return Examples(transform(noisy), np.full(n_trials, int(kind == "target")), table)


def mixture_name(mixture: np.ndarray) -> str:
    """Return the numbers of the odorants present.

    Examples
    --------
    >>> mixture_name(np.array([True, False, True]))
    '0+2'
    """
    return "+".join(map(str, np.flatnonzero(mixture)))


def _transform(odors: Odors, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """What lies between the odorants and the network: nothing, a random projection, or the circuit."""
    if odors.expansion is not None:
        circuit = Circuit.drawn(odors.expansion, odors.k, rng=rng)
        mixed = rng.permuted(np.tile(np.arange(odors.k) < odors.n, (200, 1)), axis=1) / np.sqrt(odors.n)
        norm = np.sqrt((circuit.rates(mixed) ** 2).sum(axis=1).mean())
        return lambda inputs: circuit.rates(inputs) / norm
    if odors.n_projected:
        projection = rng.standard_normal((odors.k, odors.n_projected)) / np.sqrt(odors.n_projected)
        return lambda inputs: inputs @ projection
    return lambda inputs: inputs
