"""What is true on each day of one subject? The course of signal, behaviour and recording over days."""

from dataclasses import dataclass

import numpy as np

from piriform.provenance import rng_for
from piriform.simulate.truth import Truth


@dataclass(frozen=True)
class SessionTruth:
    """Everything that is true of one session; the pipeline never sees it."""

    subject: str
    day: int  # 1 = the subject's first day
    session: str
    phase: str  # training or overtraining
    signal: float  # log rate change of a tuned unit to the target
    growth: float  # the subject's growth factor
    accuracy: float  # probability of a correct choice
    learned: float  # share of the task that is learned
    n_units: int
    n_trials: int  # probes apart
    n_probes: int  # of each of two types
    rate_factor: float
    drift_sd: float
    stickiness: float
    overlap_0: float  # share of novel nontargets without a target component
    overlap_2: float  # share with two


def subject_course(
    truth: Truth, *, subject: str, index: int = 0, days: int = 18, rng: np.random.Generator
) -> list[SessionTruth]:
    """Return the truth of each recorded session of one subject, in the order of days.

    Parameters
    ----------
    truth : Truth
    subject : str
    index : int
        Number of the subject in the study, from 0; the first ``truth.learners`` have growth.
    days : int
        Days of training and overtraining; ``truth.days_spread`` varies it between subjects.
    rng : Generator
        Draws what differs between subjects and days.

    Returns
    -------
    list of SessionTruth
        Without the days on which nothing was recorded (``truth.missing_days``).
    """
    n_days = max(1, days + int(rng.integers(-truth.days_spread, truth.days_spread + 1)))
    growth = max(0.0, (truth.growth if index < truth.learners else 1.0) + truth.slope_sd * rng.standard_normal())
    day = np.arange(1, n_days + 1)
    late = np.clip((day - truth.training_days) / max(1, n_days - truth.training_days), 0, 1)
    learned = 1 / (1 + np.exp(-(day - truth.learning_day) / truth.learning_width))
    signal = truth.signal * learned * (1 + (growth - 1) * late) * np.exp(_day_effect(truth, n_days, rng))
    accuracy = _accuracy(truth, learned, late, rng)
    recording = _recording(truth, n_days, rng)
    recorded = rng.random(n_days) >= truth.missing_days
    return [
        SessionTruth(
            subject=subject,
            day=int(day[d]),
            session=f"day-{day[d]:02d}",
            phase="training" if day[d] <= truth.training_days else "overtraining",
            signal=float(signal[d]),
            growth=float(growth),
            accuracy=float(accuracy[d]),
            learned=float(learned[d]),
            n_probes=truth.probe_trials if _has_probes(truth, int(day[d])) else 0,
            **{name: values[d].item() for name, values in recording.items()},
        )
        for d in np.flatnonzero(recorded)
    ]


def study_courses(truth: Truth, *, subjects: int, days: int, seed: int) -> dict[str, list[SessionTruth]]:
    """Return the course of each subject; subjects are named Q, R, S, ... and then from A on."""
    names = subject_names(subjects)
    return {
        name: subject_course(truth, subject=name, index=index, days=days, rng=rng_for(seed, "simulate", name))
        for index, name in enumerate(names)
    }


def subject_names(subjects: int) -> list[str]:
    """Return the names of the first ``subjects`` animals.

    Examples
    --------
    >>> subject_names(4)
    ['Q', 'R', 'S', 'T']
    """
    return [chr(ord("A") + (ord("Q") - ord("A") + index) % 26) for index in range(subjects)]


def _recording(truth: Truth, n_days: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """(n_days,) courses of what is recorded and shown, by field of SessionTruth."""
    fraction = np.arange(n_days) / max(1, n_days - 1)
    runs = {}
    for name in ("units", "trials", "drift", "stickiness", "overlap_0", "overlap_2"):
        start, end = getattr(truth, f"{name}_start"), getattr(truth, f"{name}_end")
        runs[name] = start + (end - start) * fraction
    n_units = np.round(runs["units"] + truth.units_sd * rng.standard_normal(n_days))
    return {
        "n_units": np.maximum(1, n_units).astype(int),
        "n_trials": np.round(runs["trials"]).astype(int),
        "rate_factor": truth.rate_trend**fraction,
        "drift_sd": runs["drift"],
        "stickiness": runs["stickiness"],
        "overlap_0": runs["overlap_0"],
        "overlap_2": runs["overlap_2"],
    }


def _day_effect(truth: Truth, n_days: int, rng: np.random.Generator) -> np.ndarray:
    """(n_days,) stationary first-order autoregression with SD ``day_sd``."""
    noise = rng.standard_normal(n_days)
    effect = np.empty(n_days)
    for d in range(n_days):
        step = truth.day_rho * effect[d - 1] + np.sqrt(1 - truth.day_rho**2) * noise[d] if d else noise[d]
        effect[d] = step
    return truth.day_sd * effect


def _accuracy(truth: Truth, learned: np.ndarray, late: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n_days,) probability of a correct choice: chance, the learning curve, then the rise of overtraining."""
    top = truth.accuracy_top - truth.behavior_rise * (1 - late)
    mean = 0.5 + (top - 0.5) * learned
    odds = np.log(mean / (1 - mean)) + truth.accuracy_day_sd * rng.standard_normal(len(mean))
    return 1 / (1 + np.exp(-odds))


def _has_probes(truth: Truth, day: int) -> bool:
    overtrained = day - truth.training_days - 1
    return overtrained >= 0 and truth.probe_every > 0 and overtrained % truth.probe_every == 0
