"""How does a simulated study reach the disk? Sessions as recordings, a folder of NWB files, the truth beside it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from piriform.errors import ConfigError, StudyError
from piriform.nwb_writer import Recording, write_recording
from piriform.provenance import rng_for, write_json
from piriform.simulate.activity import SAMPLING_RATE, Activity, session_activity, spike_counts, spike_trains
from piriform.simulate.course import SessionTruth, study_courses
from piriform.simulate.task import MEANINGS, MIXTURES, Task, repeated_nontargets, session_task
from piriform.simulate.truth import MAX_SUBJECTS, Truth, scenario_truth

FIRST_DAY = datetime(2024, 1, 8, 9, tzinfo=UTC)
DESCRIPTION = (
    "Simulated. A head-fixed mouse tells one odour mixture (the target: right port) from all others "
    "(left port) while single units are recorded."
)
ABOUT = {
    "experimenter": ["piriform, simulate"],
    "institution": "none: simulated",
    "lab": "none: simulated",
    "experiment_description": "Simulated study of target detection among mixtures of 3 of 13 odorants.",
    "keywords": ["simulated", "olfaction", "piriform cortex", "learning"],
}
ANIMAL = {"species": "Mus musculus", "sex": "U", "age": "P60D/", "description": "simulated"}


@dataclass(frozen=True)
class SessionCounts:
    """One session without spike trains: enough for the measures, and fast.

    Attributes
    ----------
    task : Task
        Its ``trials`` are what the NWB file would hold.
    counts : (n_trials, n_units, n_bins) int array
    edges : (n_bins + 1,) array
        s from odour onset.
    truth : SessionTruth
    """

    task: Task
    counts: np.ndarray
    edges: np.ndarray
    truth: SessionTruth


def simulate_counts(
    truth: Truth,
    session: SessionTruth,
    *,
    seed: int,
    edges: tuple[float, ...] = (-0.5, 0.0, 0.1, 0.6),
) -> SessionCounts:
    """Simulate one session as spike counts around odour onset, without writing anything.

    Trials, units and rates are those of :func:`simulate_session` with the same arguments; the
    noise of the counts is drawn separately.

    Parameters
    ----------
    truth : Truth
    session : SessionTruth
        From :func:`~piriform.simulate.course.subject_course`.
    seed : int
        Seed of the study.
    edges : tuple
        Bin edges, s from odour onset; by default baseline, a gap, and the response window.
    """
    task, activity, rng = _session(truth, session, seed, licks=False)
    return SessionCounts(task, spike_counts(activity, np.array(edges), rng=rng), np.array(edges), session)


def simulate_session(truth: Truth, session: SessionTruth, *, seed: int) -> Recording:
    """Simulate one session with spike trains, ready to be written.

    Parameters
    ----------
    truth, session, seed : as in :func:`simulate_counts`

    Returns
    -------
    Recording
        It holds what an experimenter would know, and nothing of the truth.
    """
    task, activity, rng = _session(truth, session, seed, licks=True)
    trials = task.trials
    stop = trials["stop_time"].to_numpy()
    return Recording(
        subject=session.subject,
        session=session.session,
        start=FIRST_DAY + timedelta(days=session.day - 1),
        description=DESCRIPTION,
        trials=trials,
        column_meanings=MEANINGS,
        spike_times=spike_trains(activity, trials["odor_onset_time"].to_numpy(), stop, rng=rng),
        spike_resolution=1 / SAMPLING_RATE,
        obs_intervals=np.array([[0.0, stop[-1]]]),
        events=task.licks,
        about=ABOUT,
        animal=ANIMAL,
    )


def simulate_study(
    dest: str | Path,
    *,
    scenario: str = "growth",
    subjects: int = 4,
    days: int = 18,
    seed: int = 1,
    parameters: Mapping[str, float] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Path:
    """Write a study with known truth: one NWB file per session, then ``truth.json``.

    Parameters
    ----------
    dest : path
        Folder; files go to ``sub-Q/sub-Q_ses-day-01.nwb`` and so on.
    scenario : str
        One of :data:`~piriform.simulate.truth.SCENARIOS`.
    subjects, days : int
    seed : int
        The same seed gives the same bytes.
    parameters : mapping, optional
        Fields of :class:`~piriform.simulate.truth.Truth` that differ from the scenario's.
    progress : callable, optional
        Called with a line of text after each subject.

    Returns
    -------
    Path
        ``truth.json``. It is written last: where it is, the study is complete.

    Raises
    ------
    ConfigError
        If the scenario, a parameter or a number makes no sense.
    StudyError
        If ``dest`` holds NWB files that do not belong to this study.
    """
    truth = scenario_truth(scenario, parameters)
    _check_size(subjects, days, seed)
    courses = study_courses(truth, subjects=subjects, days=days, seed=seed)
    files = {session_file(session): session for course in courses.values() for session in course}
    if not files:
        raise ConfigError(f"missing_days {truth.missing_days:g} leaves no session to record; lower it")
    dest = Path(dest)
    _check_folder(dest, set(files))
    (dest / "truth.json").unlink(missing_ok=True)
    for number, (subject, course) in enumerate(courses.items(), start=1):
        for session in course:
            write_recording(simulate_session(truth, session, seed=seed), dest / session_file(session))
        if progress:
            progress(f"subject {subject} ({number} of {subjects}): {len(course)} sessions")
    settings = {"scenario": scenario, "subjects": subjects, "days": days, "seed": seed, "parameters": asdict(truth)}
    sessions = [asdict(session) | {"file": str(file)} for file, session in files.items()]
    write_json(settings | {"sessions": sessions}, dest / "truth.json")
    return dest / "truth.json"


def session_file(session: SessionTruth) -> Path:
    """Return the path of a session's file inside the study."""
    return Path(f"sub-{session.subject}", f"sub-{session.subject}_ses-{session.session}.nwb")


def _session(
    truth: Truth, session: SessionTruth, seed: int, *, licks: bool
) -> tuple[Task, Activity, np.random.Generator]:
    """Trials and rates of a session; each part has a stream of its own, so that one does not move another."""
    names = ("simulate", session.subject)
    repeats = repeated_nontargets(rng_for(seed, *names, "repeats"))
    task = session_task(truth, session, repeats=repeats, rng=rng_for(seed, *names, session.day, "task"), licks=licks)
    rng = rng_for(seed, *names, session.day, "activity")
    return task, session_activity(truth, session, MIXTURES[task.mixture], rng=rng), rng


def _check_size(subjects: int, days: int, seed: int) -> None:
    for name, value, low, high in (("subjects", subjects, 1, MAX_SUBJECTS), ("days", days, 1, 99)):
        if not low <= value <= high:
            raise ConfigError(f"{name} is {value}; it must be from {low} to {high}")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; it must be 0 or larger")


def _check_folder(dest: Path, files: set[Path]) -> None:
    strangers = sorted(file for file in _nwb_files(dest) if file.relative_to(dest) not in files)
    if strangers:
        raise StudyError(
            f"{dest}: {strangers[0].relative_to(dest)} is not part of the study to be written "
            f"({len(strangers)} such file(s)); choose an empty folder or remove them"
        )


def _nwb_files(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.nwb") if folder.is_dir() else iter(())
