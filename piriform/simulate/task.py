"""What does a simulated animal smell and do? Mixtures, trial types, choices and licks of one session.

The target is one mixture of 3 of 13 odorants and means right; all other mixtures mean left.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from piriform.simulate.course import SessionTruth
from piriform.simulate.truth import Truth

N_ODORANTS = 13
ODORANTS = "ABCDEFGHIJKLM"
#: (286, 3) all mixtures, and how many components each shares with the target, which is the first.
MIXTURES = np.array(list(combinations(range(N_ODORANTS), 3)))
OVERLAP = (MIXTURES < 3).sum(axis=1)
TARGET = 0
NAMES = np.array(["+".join(ODORANTS[c] for c in mixture) for mixture in MIXTURES], dtype=object)
#: s: odour onset after the trial's start, shortest trial, odour duration, first rewarded lick after onset
ONSET, TRIAL, ODOR, GRACE = 1.5, 5.5, 2.0, 0.5
LICK_RATE = 7.0  # licks per s in a bout

MEANINGS = {
    "odor_onset_time": "odour onset, s from the session's start",
    "odor": "odorants of the mixture",
    "trial_type": "target; nontarget (novel); nontarget_repeat_1, _2 (the same mixture every day); "
    "probe_1, _2 (shares 1 or 2 components with the target)",
    "shared_components": "odorants that the mixture shares with the target, 0 to 3",
    "choice": "port of the first lick from 0.5 s after odour onset on: right, left, or no lick",
    "correct": "whether the choice was right for the target and left for anything else",
    "response_time": "first lick from 0.5 s after odour onset on, s from the session's start; NaN without one",
    "training_phase": "training, or overtraining from the day after the last training day",
}


@dataclass(frozen=True)
class Task:
    """The trials of one session, the mixture of each, and the licks.

    Attributes
    ----------
    trials : DataFrame
        Columns start_time, stop_time and those in ``MEANINGS``.
    mixture : (n_trials,) int array
        Row of ``MIXTURES``.
    licks : dict
        Times of licks in s, by port.
    """

    trials: pd.DataFrame
    mixture: np.ndarray
    licks: dict[str, np.ndarray]


def session_task(
    truth: Truth, session: SessionTruth, *, repeats: tuple[int, int], rng: np.random.Generator, licks: bool = True
) -> Task:
    """Return the trials of one session.

    Parameters
    ----------
    truth, session : what is true of the study and of this session
    repeats : two rows of ``MIXTURES``, the subject's repeated nontargets
    rng : Generator
    licks : bool
        Whether to draw lick times as well.
    """
    kinds, mixture = _stimuli(truth, session, repeats, rng)
    choice, correct = _choices(truth, session, kinds, mixture, rng)
    n_trials = len(kinds)
    length = TRIAL + rng.random(n_trials).round(4)
    start = np.concatenate([[0.0], np.cumsum(length)[:-1]]).round(4)
    onset = start + ONSET
    latency = GRACE + (0.35 - 0.15 * session.learned) * np.exp(0.35 * rng.standard_normal(n_trials))
    response = np.where(choice == "no lick", np.nan, (onset + latency).round(4))
    trials = pd.DataFrame(
        {
            "start_time": start,
            "stop_time": (start + length).round(4),
            "odor_onset_time": onset.round(4),
            "odor": NAMES[mixture],
            "trial_type": kinds,
            "shared_components": OVERLAP[mixture],
            "choice": choice,
            "correct": correct,
            "response_time": response,
            "training_phase": session.phase,
        }
    )
    return Task(trials, mixture, _licks(onset, response, choice, rng) if licks else {})


def repeated_nontargets(rng: np.random.Generator) -> tuple[int, int]:
    """Return two rows of ``MIXTURES``: one without a target component, one with one."""
    first, second = (int(rng.choice(np.flatnonzero(overlap == OVERLAP))) for overlap in (0, 1))
    return first, second


def _stimuli(
    truth: Truth, session: SessionTruth, repeats: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(n_trials,) trial types and rows of ``MIXTURES``."""
    same = rng.random(session.n_trials) < session.stickiness
    same[0] = rng.random() < 0.5
    is_target = np.cumsum(~same) % 2 == 0
    others = np.flatnonzero(~is_target)
    rng.shuffle(others)
    kinds = np.where(is_target, "target", "nontarget").astype(object)
    mixture = np.full(session.n_trials, TARGET)
    n_repeats = round(truth.repeat_share * len(others)) if session.phase == "overtraining" else 0
    for number, row in enumerate(repeats):
        chosen = others[number:n_repeats:2]
        kinds[chosen], mixture[chosen] = f"nontarget_repeat_{number + 1}", row
    novel = others[n_repeats:]
    ends = [round(share * len(novel)) for share in (session.overlap_0, 1 - session.overlap_2)]
    for overlap, part in enumerate(np.split(novel, ends)):
        mixture[part] = _draw(overlap, len(part), repeats, rng)
    for overlap in (1, 2):
        places = rng.integers(1, len(kinds) + 1, session.n_probes)
        kinds = np.insert(kinds, places, f"probe_{overlap}")
        mixture = np.insert(mixture, places, _draw(overlap, session.n_probes, repeats, rng))
    return kinds, mixture


def _draw(overlap: int, n: int, repeats: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(n,) rows of ``MIXTURES`` with this overlap, each once before any comes twice."""
    pool = np.setdiff1d(np.flatnonzero(overlap == OVERLAP), repeats)
    rounds = [rng.permutation(pool) for _ in range(-(-n // len(pool)))]
    return np.concatenate([*rounds, pool[:0]])[:n]


def _choices(
    truth: Truth, session: SessionTruth, kinds: np.ndarray, mixture: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(n_trials,) choices and whether they are correct; after the last few trials the animal has stopped."""
    is_probe = np.char.startswith(kinds.astype(str), "probe")
    odds = np.log(session.accuracy / (1 - session.accuracy)) - truth.probe_cost * OVERLAP[mixture] * is_probe
    correct = rng.random(len(kinds)) < 1 / (1 + np.exp(-odds))
    choice = np.where(correct == (mixture == TARGET), "right", "left").astype(object)
    silent = rng.random(len(kinds)) < truth.no_choice
    silent[len(kinds) - rng.poisson(100 * truth.no_choice) :] |= truth.no_choice > 0
    choice[silent] = "no lick"
    return choice, correct & ~silent


def _licks(
    onset: np.ndarray, response: np.ndarray, choice: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Lick times by port: a bout at the chosen port, sometimes a lick before it counts."""
    licks = {}
    for port, side in ((1, "right"), (2, "left")):
        bouts = response[choice == side]
        n_licks = 1 + rng.poisson(5, len(bouts))
        number = np.concatenate([np.arange(n) for n in n_licks] or [np.empty(0)])
        gaps = number / LICK_RATE * rng.uniform(0.9, 1.1, len(number))
        early = onset[(choice != "no lick") & (rng.random(len(onset)) < 0.15)]
        early = early + rng.uniform(0.1, GRACE - 0.01, len(early))
        licks[f"lick_port_{port}"] = np.sort(np.concatenate([np.repeat(bouts, n_licks) + gaps, early])).round(4)
    return licks
