"""How does the calcium imaging of Wang et al. (2020) become NWB?

The source is one ``.npz`` file per session: ``dff`` (n_trials, n_rois, n_frames), ``odor``
(n_trials,), ``daq_odor_lick_water`` (n_trials, 3, n_samples) and ``meta``, a JSON text with the
times of frames, odour and water within a trial. When a trial began within the session is not in
it: trials are laid out one after another, and the file says so.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.convert.source import Progress, Session, sessions_of_files, source_files
from piriform.convert.wang_file import TRIAL_TYPES, VOLTAGE, Source, onsets, read_source
from piriform.nwb_writer import Recording

DESCRIPTION = "two-photon calcium imaging of Wang et al. 2020 (.npz per session): odour learning over days, licks"

REGIONS = {"bla": "BLA", "ofc": "ORB", "pir": "PIR"}  # end of a subject's name: term of the Allen mouse brain atlas

TRIAL_MEANINGS = {
    "odor_onset_time": "odour on, s from the session's start; NaN in trials without an odour",
    "odor_offset_time": "odour off, s from the session's start; NaN in trials without an odour",
    "water_time": "onset of water on the water line, s from the session's start; NaN without water",
    "odor": "name of the odour in the source, or water for water alone",
    "trial_type": "CS+: odour that announces water, CS-: odour that does not, water: water alone",
    "choice": "lick or no lick between odour on and the session's time of water; empty in water trials",
    "correct": "correct: lick to CS+ or no lick to CS-; error: otherwise; empty in water trials",
    "response_time": "first lick between odour on and the time of water, s from the session's start; NaN without",
    "n_licks": "licks between odour on and the time of water; 0 in water trials",
}
ROI_MEANINGS = {"tracked_id": "row of the region in the source; the source orders the same regions alike every day"}
ABOUT = {
    "experiment_description": "Odour discrimination: two odours announce water (CS+), two do not (CS-).",
    "related_publications": "PMID:32827456",
    "keywords": ["odor", "learning", "two-photon imaging", "calcium"],
    "data_collection": (
        f"A lick is an upward crossing of {VOLTAGE:g} V on the lick line (50 samples/s). Fluorescence is F/F0 - 1; the "
        "source stores F/F0 cut off below at 1, so that no value is negative. A frame's timestamp is its start."
    ),
}
NOTES = (
    "The source does not store when a trial began: trials are laid out one after another with a pause, in the "
    "source's order. Times within a trial are the source's. The time of day is not stored: the session starts at 00:00 UTC."
)


def sessions(source: Path, *, progress: Progress = print) -> Iterator[Session]:
    """Return one session per ``.npz`` file.

    Licks are upward crossings of 1 V. Anticipatory licks, those from odour on to the session's time
    of water, make the choice: a lick is right for CS+, none is right for CS-.

    Raises
    ------
    StudyError
        If there is no such file. Reading a session raises it if the file is not one of these, its
        parts disagree, an odour is not known, or water was given with an odour that the format lists
        as unrewarded; the message names the file and the part.
    """
    return sessions_of_files(source_files(source, ".npz"), _sessions)


def _sessions(path: Path) -> list[Session]:
    return [Session(str(path), partial(_recording, path), [path])]


def _recording(path: Path) -> Recording:
    source = read_source(path)
    trials = _trials(source)
    starts = source.trial_starts
    n_rois = source.fluorescence.shape[1]
    region = REGIONS.get(source.subject.split("_")[-1].lower(), "unknown")
    frames = starts[:, None] + source.period * np.arange(source.fluorescence.shape[2])
    return Recording(
        subject=source.subject,
        session=source.day.isoformat(),
        start=datetime(source.day.year, source.day.month, source.day.day, tzinfo=UTC),
        description=f"Odour discrimination, {len(trials)} trials, {n_rois} regions of interest.",
        trials=trials,
        column_meanings=TRIAL_MEANINGS,
        fluorescence=source.fluorescence.transpose(0, 2, 1).reshape(-1, n_rois),
        timestamps=frames.ravel(),
        rois=pd.DataFrame({"tracked_id": np.arange(n_rois)}),
        unit_meanings=ROI_MEANINGS,
        imaging={"location": region, "imaging_rate": 1 / source.period, "device": "two-photon microscope"},
        events={
            "lick": _laid_out(onsets(source.lick, source.sampling), starts),
            "water": _laid_out(onsets(source.water, source.sampling), starts),
        },
        about={**ABOUT, "notes": NOTES},
        animal={"species": "Mus musculus", "description": "Name as in the source; nothing else is stated there."},
    )


def _trials(source: Source) -> pd.DataFrame:
    """Trials with what the animal did, one row each."""
    starts = source.trial_starts
    trial_type = np.array([TRIAL_TYPES[odor] for odor in source.odor])
    has_odor = trial_type != "water"
    licks = [
        times[(times >= source.odor_on) & (times < source.water_on)] if odor else times[:0]
        for times, odor in zip(onsets(source.lick, source.sampling), has_odor, strict=True)
    ]
    water = onsets(source.water, source.sampling)
    licked = np.array([len(times) > 0 for times in licks])
    right = licked == (trial_type == "CS+")
    return pd.DataFrame(
        {
            "start_time": starts,
            "stop_time": starts + source.duration,
            "odor_onset_time": np.where(has_odor, starts + source.odor_on, np.nan),
            "odor_offset_time": np.where(has_odor, starts + source.odor_off, np.nan),
            "water_time": starts + [times[0] if len(times) else np.nan for times in water],
            "odor": source.odor,
            "trial_type": trial_type,
            "choice": np.where(has_odor, np.where(licked, "lick", "no lick"), ""),
            "correct": np.where(has_odor, np.where(right, "correct", "error"), ""),
            "response_time": starts + [times[0] if len(times) else np.nan for times in licks],
            "n_licks": [len(times) for times in licks],
        }
    )


def _laid_out(times: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
    return np.concatenate([start + row for start, row in zip(starts, times, strict=True)])
