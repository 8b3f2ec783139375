"""Which metrics and which parts of the analysis will a study be able to give, and why not the others?"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from piriform.align import bin_centres
from piriform.config import Config
from piriform.errors import MeasureError
from piriform.generalize import MAX_CONDITIONS
from piriform.prepare import Session
from piriform.tables import METRICS
from piriform.task import Task, composition, matched_counts, permutation_blocks, stratum_codes, task_of
from piriform.trials import TRIAL_COORDS, make_trials

#: Metrics that any two classes can give.
ANY_CLASSES = (
    "decoding_accuracy",
    "separation_crossnobis",
    "participation_ratio",
    "selectivity",
    "sparseness_lifetime",
    "sparseness_population",
    "noise_correlation",
)


def metrics_possible(sessions: Sequence[Session], config: Config) -> list[dict[str, Any]]:
    """Return, for each metric, how many of the usable sessions can give it, and why the others cannot.

    Returns
    -------
    One dict per metric: ``metric``, ``n_sessions`` that can, ``of`` so many, ``reasons`` (reason -> sessions)
    """
    found: dict[str, list[str]] = {name: [] for name in METRICS}
    for subject in dict.fromkeys(session.row["subject"] for session in sessions):
        own = [empty_tensor(session, config) for session in sessions if session.row["subject"] == subject]
        parts: dict[str, Any] = {"response": config.response, "classes": config.classes}
        counts = matched_counts(own, measures=config.measures, inclusion=config.inclusion, **parts)
        shares = composition(own, **parts)
        first_day = min(tensor.attrs["day"] for tensor in own)
        for tensor in own:
            task = task_of(tensor, **parts)
            for name in METRICS:
                reason = why_not(name, task, config, counts["n_trials"]["all"], shares.get("all", {}))
                if name == "generalization_day" and not reason and tensor.attrs["day"] == first_day:
                    reason = "no session on an earlier day"
                found[name].append(reason)
    return [
        {
            "metric": name,
            "n_sessions": reasons.count(""),
            "of": len(reasons),
            "reasons": dict(Counter(reason for reason in reasons if reason)),
        }
        for name, reasons in found.items()
    ]


def empty_tensor(session: Session, config: Config) -> xr.DataArray:
    """Return the trials of a session with one silent unit, dims (trial, unit, time)."""
    time = bin_centres(config.response.window, config.response.bin)
    return make_trials(
        np.zeros((len(session.trials), 1, len(time))),
        time=time,
        trials=session.trials[list(TRIAL_COORDS)],
        unit_id=["0"],
        tracked_id=[""],
        attrs={name: session.row[name] for name in ("subject", "session", "day", "phase")}
        | {"units": "spikes/s", "source_file": session.row["file"], "source_sha256": "", "bin_width": config.response.bin},
    )  # fmt: skip


def why_not(name: str, task: Task, config: Config, n_trials: int, shares: Mapping[str, float]) -> str:
    """Return why a session cannot give a metric, "" if it can."""
    measures = config.measures
    if name not in measures.metrics:
        return "not among measures.metrics"
    needed = max(n_trials, measures.n_folds)
    if task.smallest_class() < needed:
        return f"{needed} trials of each class needed, the rarest has {task.smallest_class()}"
    try:
        permutation_blocks(task, measures)
    except MeasureError as error:
        return str(error)
    if name.startswith("sparseness_") and (np.unique(task.stimuli, return_counts=True)[1] > 1).sum() < 2:
        return "needs 2 stimuli with 2 trials each"
    if not task.binary:
        return "" if name in ANY_CLASSES else "needs the classes target and nontarget"
    return _why_not_binary(name, task, config, shares)


def _why_not_binary(name: str, task: Task, config: Config, shares: Mapping[str, float]) -> str:
    n_target, n_nontarget = (len(np.unique(task.stimuli[task.codes == code])) for code in (1, -1))
    if name == "similarity_cosine" and config.response.baseline_window is None:
        return "needs response.baseline_window"
    if name == "generalization_day" and config.response.tracked_id is None:
        return "needs response.tracked_id"
    if name == "generalization_stimulus" and n_nontarget < 2:
        return "needs at least 2 nontarget stimuli"
    if name == "generalization_probe" and not len(task.probes):
        return "no probe trials in this session"
    if name == "ccgp" and not (2 <= n_target <= MAX_CONDITIONS and 2 <= n_nontarget <= MAX_CONDITIONS):
        return f"needs 2 to {MAX_CONDITIONS} stimuli in each of target and nontarget"
    if name == "separation_modulation" and _fewest_meetings(task, config, shares) < 2:
        return "a stratum of nontargets meets the target in fewer than 2 blocks of the session"
    return ""


def _fewest_meetings(task: Task, config: Config, shares: Mapping[str, float]) -> int:
    """Blocks of the session in which the target meets the stratum that it meets least."""
    n_blocks = config.measures.n_blocks
    codes, mix = stratum_codes(task, shares)
    block = np.arange(len(codes)) * n_blocks // max(len(codes), 1)
    parts = [set(codes[block == number].tolist()) for number in range(n_blocks)]
    return min(sum(0 in part and stratum in part for part in parts) for stratum in range(1, len(mix) + 1))


def parts_possible(sessions: Sequence[Session], config: Config) -> list[dict[str, Any]]:
    """Return which parts of the analysis the usable sessions allow: ``part``, ``possible`` (None: not yet known), ``reason``."""
    by_subject: dict[str, list[Session]] = {}
    for session in sessions:
        by_subject.setdefault(session.row["subject"], []).append(session)
    reasons = {
        "behaviour": "" if config.trials.correct else "needs trials.correct",
        "latency": "" if config.trials.response_time else "needs trials.response_time",
        "plateau": _why_no_plateau(by_subject, config),
        "fixed stimuli": _why_no_fixed(sessions, config),
        "the same units on all days": "" if config.response.tracked_id else "needs response.tracked_id",
        "verdict": _why_no_verdict(by_subject, config),
    }
    rows = [{"part": name, "possible": not reason, "reason": reason} for name, reason in reasons.items()]
    if config.phases.from_plateau and rows[-1]["possible"]:
        rows[-1] |= {"possible": None, "reason": "known once the run has found the plateau (phases.from_plateau)"}
    return rows


def _why_no_plateau(by_subject: Mapping[str, Sequence[Session]], config: Config) -> str:
    most = max((len({session.row["day"] for session in own}) for own in by_subject.values()), default=0)
    if not config.trials.correct:
        return "needs trials.correct"
    return "" if most >= 4 else f"needs 4 days, the longest series has {most}"


def _why_no_fixed(sessions: Sequence[Session], config: Config) -> str:
    if not config.classes.fixed:
        return "needs classes.fixed"
    least = config.inclusion.min_trials_per_class
    for session in sessions:
        fixed = session.trials[session.trials["category"].isin(config.classes.fixed)]
        counts = fixed["class"].value_counts()
        if all(counts.get(name, 0) >= least for name in ("target", "nontarget")):
            return ""
    return f"no session has {least} trials of each class whose stimuli are fixed"


def _why_no_verdict(by_subject: Mapping[str, Sequence[Session]], config: Config) -> str:
    if not config.trials.correct:
        return "needs trials.correct"
    rule, plateau = config.verdict, config.phases.from_plateau
    late = {
        subject: sum(plateau or session.row["phase"] == "overtraining" for session in own)
        for subject, own in by_subject.items()
    }
    enough = sum(n >= rule.min_sessions for n in late.values())
    if enough >= rule.min_subjects:
        return ""
    of = "sessions" if plateau else "sessions of overtraining"
    return f"needs {rule.min_subjects} subjects with {rule.min_sessions} {of}, has {enough}"
