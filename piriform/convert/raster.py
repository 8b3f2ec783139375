"""How do the per-unit rasters of Berners-Lee et al. (2023) become NWB?

The source is one MATLAB file per unit and session (``raster_file`` says what it holds). Files of one
mouse and day are one session. Labels of all files are read first, then the rasters one by one, so that
one raster is in memory at a time. When a trial began is not in the source: trials are laid out one after another.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.convert import raster_file
from piriform.convert.raster_file import CHOICE, CORRECT, PORTS, PROBES, REPEATS, Labels, read_labels, read_spikes
from piriform.convert.source import Progress, Session, refused_session, source_files
from piriform.errors import StudyError
from piriform.nwb_writer import Recording
from piriform.provenance import sha256

DESCRIPTION = "per-unit rasters of Berners-Lee et al. 2023 (MATLAB v5 or v7.3, `raster_data`): target mixture, licks"

RESOLUTION = 0.001  # s, one column of a raster
DURATION = RESOLUTION * raster_file.N_COLUMNS  # s
ODOR_ON, ODOR_DURATION = 5.0, 2.0  # s from the start of a trial; s
GRACE = 0.5  # s from odour on; earlier licks are not rewarded
TRIAL_EVERY = 20.0  # s; when a trial began is not in the source
START = datetime(2000, 1, 1, tzinfo=UTC)  # day 0; the dates are not in the source
PROBE_FOLDER = "probes_training"  # part of a folder's name

#: Labels of either column of categories, and what they become; where both columns speak, the later in
#: this order is the more exact one.
CATEGORIES = {
    "": "",
    "target": "target",
    "nontarget": "nontarget",
    "nontarget nonrepeat": "nontarget",
    "nontarget repeat one": "nontarget_repeat_1",
    "nontarget repeat two": "nontarget_repeat_2",
    "nontarget repeat three": "nontarget_repeat_3",
    "probes_comp_1": "probe_1",
    "probes_comp_2": "probe_2",
    "probes_comp_3": "probe_3",
}
CHOICES = ("right", "left", "no lick", "")
TRIAL_MEANINGS = {
    "odor_onset_time": "odour on, s from the session's start",
    "odor_offset_time": "odour off, s from the session's start",
    "trial_type": "target; nontarget; nontarget_repeat_1, _2, _3 (one mixture many times); "
    "probe_1, _2, _3 (shares so many components with the target); empty where the source has none",
    "choice": "right (target), left (anything else) or no lick; empty where the source has none",
    "correct": "correct or error; empty where the source has none",
    "response_time": "first lick at the chosen port from 0.5 s after odour on, s from the session's start; NaN without",
    "lick_latency": "response_time from odour on, s; NaN without",
    "training_phase": "overtraining from the mouse's first day with repeated nontargets on, before it training",
    "session_type": "probes or training: the folder of the source, or else whether a trial is a probe",
}
UNIT_MEANINGS = {"source_file": "name of the unit's source file", "source_sha256": "SHA-256 of the source file"}
ABOUT = {
    "experiment_description": "Detection of a target mixture of 3 odorants among mixtures; tetrodes in posterior piriform cortex.",
    "related_publications": "doi:10.1371/journal.pbio.3002086",
    "keywords": ["odor", "piriform cortex", "learning", "overtraining", "single units"],
}
NOTES = (
    "The source stores neither dates nor when a trial began: day d is written as d days after 2000-01-01, and trials "
    f"are laid out in the source's order, {TRIAL_EVERY:g} s apart. Times within a trial are the source's; spikes have "
    "a resolution of 1 ms, a spike in the millisecond [k, k + 1) is written at k + 0.5 ms."
)


@dataclass(frozen=True)
class Unit:
    """One source file: whose it is, and what identifies its labels."""

    path: Path
    subject: str
    day: int
    signature: str
    has_repeats: bool


def sessions(source: Path, *, progress: Progress = print) -> list[Session]:
    """Return one session per mouse and day of the ``.mat`` files of a folder.

    Empty cells, a missing column of repeats, a unit stored twice (left out the second time), a
    session with both probes and repeats, and licks outside a trial's 17 s are told to ``progress`` and
    stand in the file's notes.

    Raises
    ------
    StudyError
        If there is no such file. Reading a session raises it if a file cannot be read, or units of a
        session disagree on its trials; the message names the file.
    """
    found: list[Session] = []  # files that cannot be read come first
    groups: dict[tuple[str, int], list[Unit]] = {}
    for path in source_files(source, ".mat"):
        try:
            unit = _unit(path)
        except StudyError as error:
            found.append(refused_session(str(path), error))
        else:
            groups.setdefault((unit.subject, unit.day), []).append(unit)
    repeats = [key for key, units in groups.items() if any(unit.has_repeats for unit in units)]
    for (subject, day), units in sorted(groups.items()):
        over = any(other == subject and first <= day for other, first in repeats)
        phase = "overtraining" if over else "training"
        read = partial(_recording, units, phase, progress)
        found.append(Session(f"subject {subject!r} day {day}", read, [unit.path for unit in units]))
    return found


def _unit(path: Path) -> Unit:
    labels = read_labels(path)
    has_repeats = any("repeat_" in CATEGORIES.get(text, "") for text in labels.texts.get(REPEATS, ()))
    return Unit(path, labels.subject, labels.day, labels.signature, has_repeats)


def _recording(units: Sequence[Unit], phase: str, progress: Progress) -> Recording:
    labels = _agreed_labels(units)
    trials, remarks = _trials(labels, units[0].path), _remarks(labels, units)
    events, late = _events(labels, trials["odor_onset_time"].to_numpy())
    kept, spike_times, twice = _spike_times(units, trials["start_time"].to_numpy())
    remarks += late + twice
    for remark in remarks:
        progress(f"subject {labels.subject!r} day {labels.day}: {remark}")
    return Recording(
        subject=labels.subject,
        session=f"day-{labels.day:02d}",
        start=START + timedelta(days=labels.day),
        description=f"Day {labels.day} of training: a target mixture among others, {labels.n_trials} trials.",
        trials=trials.assign(training_phase=phase, session_type=_session_type(units, trials)),
        column_meanings=TRIAL_MEANINGS,
        spike_times=spike_times,
        spike_resolution=RESOLUTION,
        units=pd.DataFrame({"source_file": [p.name for p in kept], "source_sha256": [sha256(p) for p in kept]}),
        unit_meanings=UNIT_MEANINGS,
        obs_intervals=trials[["start_time", "stop_time"]].to_numpy(),
        events=events,
        about={**ABOUT, "notes": " ".join([NOTES, *(f"Note: {text}." for text in remarks)])},
        animal={"species": "Mus musculus", "description": "Name as in the source; nothing else is stated there."},
    )


def _agreed_labels(units: Sequence[Unit]) -> Labels:
    """Labels of the session; those that most units have are taken for right when one is to be named."""
    most = Counter(unit.signature for unit in units).most_common(1)[0][0]
    reference = next(unit for unit in units if unit.signature == most)
    labels = read_labels(reference.path)
    for unit in units:
        if unit.signature != most:
            raise StudyError(
                f"{unit.path}: disagrees on the trials of subject {unit.subject!r} day {unit.day}: "
                f"{read_labels(unit.path).difference(labels)} in {reference.path}; remove or mend this unit"
            )
    return labels


# Trials ---------------------------------------------------------------------------------------


def _trials(labels: Labels, path: Path) -> pd.DataFrame:
    start = TRIAL_EVERY * np.arange(labels.n_trials)
    latency = _latency(labels)
    outcomes = ["error" if text not in ("correct", "") else text for text in labels.texts[CORRECT]]
    return pd.DataFrame(
        {
            "start_time": start,
            "stop_time": start + DURATION,
            "odor_onset_time": start + ODOR_ON,
            "odor_offset_time": start + ODOR_ON + ODOR_DURATION,
            "trial_type": _categories(labels, path),
            "choice": labels.texts[CHOICE],
            "correct": outcomes,
            "response_time": start + ODOR_ON + latency,
            "lick_latency": latency,
        }
    )


def _categories(labels: Labels, path: Path) -> list[str]:
    """Categories of the trials from both columns; checks them and the choices."""
    for name, options in ((PROBES, CATEGORIES), (REPEATS, CATEGORIES), (CHOICE, CHOICES)):
        for trial, text in enumerate(labels.texts.get(name, ())):
            if text not in options:
                expected = ", ".join(option for option in options if option)
                raise StudyError(f"{path}: raster_labels.{name}: {text!r} in trial {trial}, expected one of {expected}")
    merged = [_merged(*pair) for pair in _pairs(labels)]
    if None in merged:
        trial = merged.index(None)
        one, other = _pairs(labels)[trial]
        raise StudyError(f"{path}: trial {trial} is {one!r} in {PROBES}, but {other!r} in {REPEATS}")
    return [str(name) for name in merged]


def _pairs(labels: Labels) -> list[tuple[str, str]]:
    """Labels of each trial in the two columns; "" for a column that is missing."""
    repeats = labels.texts.get(REPEATS, ("",) * labels.n_trials)
    return list(zip(labels.texts[PROBES], repeats, strict=True))


def _merged(one: str, other: str) -> str | None:
    """The more exact of two labels; None if only one of them is the target.

    Examples
    --------
    >>> _merged("nontarget", "nontarget repeat two"), _merged("probes_comp_1", "nontarget nonrepeat")
    ('nontarget_repeat_2', 'probe_1')
    >>> _merged("", "target"), _merged("target", "nontarget nonrepeat")
    ('target', None)
    """
    if one and other and (one == "target") != (other == "target"):
        return None
    order = list(CATEGORIES)
    return CATEGORIES[max(one, other, key=order.index)]


def _latency(labels: Labels) -> np.ndarray:
    """(n_trials,) first lick at the chosen port once licks are rewarded, s from odour on; NaN without."""
    port = dict(zip(("right", "left"), PORTS, strict=True))
    latency = np.full(labels.n_trials, np.nan)
    for trial, choice in enumerate(labels.texts[CHOICE]):
        licks = labels.licks[port[choice]][trial] if choice in port else ()
        latency[trial] = next((ms / 1000 for ms in licks if ms >= 1000 * GRACE), np.nan)
    return latency


def _session_type(units: Sequence[Unit], trials: pd.DataFrame) -> str:
    folders = " ".join(part for unit in units for part in unit.path.parent.parts[-2:])
    if PROBE_FOLDER in folders:
        return "probes"
    if "during_training" in folders:
        return "training"
    return "probes" if trials["trial_type"].str.startswith("probe").any() else "training"


def _events(labels: Labels, onset: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """Licks by port, s, and a remark if some lie outside their trial."""
    events, n_outside = {}, 0
    for number, name in enumerate(PORTS, start=1):
        times = [np.array(licks, dtype=float) / 1000 for licks in labels.licks[name]]
        inside = [row[(row >= -ODOR_ON) & (row < DURATION - ODOR_ON)] for row in times]
        n_outside += sum(map(len, times)) - sum(map(len, inside))
        events[f"lick_port_{number}"] = np.concatenate([at + row for at, row in zip(onset, inside, strict=True)])
    return events, [f"{n_outside} lick(s) outside the 17 s of their trial; left out"] if n_outside else []


def _remarks(labels: Labels, units: Sequence[Unit]) -> list[str]:
    """What is odd about the labels, one sentence each."""
    pairs = _pairs(labels)
    names = [[CATEGORIES[text] for text in pair] for pair in pairs]
    probe, repeat = (np.array([any(word in name for name in pair) for pair in names]) for word in ("probe", "repeat"))
    empty = {"category": sum(not any(pair) for pair in pairs)}
    empty |= {name: labels.texts[name].count("") for name in (CHOICE, CORRECT)}
    remarks = [f"{n} trial(s) with an empty {name}" for name, n in empty.items() if n]
    if REPEATS not in labels.texts:
        remarks.append(f"no field {REPEATS}; repeated nontargets, if there are any, count as nontarget")
    if probe.any() and repeat.any():
        remarks.append(f"both probes ({probe.sum()}) and repeats ({repeat.sum()}) in one session")
    if (probe & repeat).any():
        remarks.append(f"{(probe & repeat).sum()} trial(s) are both probe and repeat; they count as probe")
    if PROBE_FOLDER in str(units[0].path.parent) and not probe.any():
        remarks.append("in the folder of probes, but no trial is a probe")
    return remarks


# Units ----------------------------------------------------------------------------------------


def _spike_times(units: Sequence[Unit], start: np.ndarray) -> tuple[list[Path], list[np.ndarray], list[str]]:
    """Files of the units, their spike times in s, and a remark for each unit that is left out."""
    kept: list[Path] = []
    times: list[np.ndarray] = []
    first: dict[bytes, Path] = {}
    remarks = []
    for unit in units:
        rows, columns = read_spikes(unit.path, len(start))
        spikes = start[rows] + RESOLUTION * (columns + 0.5)
        digest = hashlib.sha256(spikes.tobytes()).digest()
        if len(spikes) and digest in first:
            remarks.append(f"{unit.path.name} holds the same spikes as {first[digest].name}; left out as a duplicate")
            continue
        first[digest] = unit.path
        kept.append(unit.path)
        times.append(spikes)
    return kept, times, remarks
