"""How does the calcium imaging of Wang et al. (2020) become NWB?

The source is one ``.npz`` file per session: ``dff`` (n_trials, n_rois, n_frames), ``odor``
(n_trials,), ``daq_odor_lick_water`` (n_trials, 3, n_samples) and ``meta``, a JSON text with the
times of frames, odour and water within a trial. When a trial began within the session is not in
it: trials are laid out one after another, and the file says so.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.convert.source import Progress, Session, source_files, with_origin, write_sessions
from piriform.errors import StudyError
from piriform.nwb_writer import Recording

DESCRIPTION = "two-photon calcium imaging of Wang et al. 2020 (.npz per session): odour learning over days, licks"

TRIAL_TYPES = {"pin": "CS+", "msy": "CS+", "euy": "CS-", "lim": "CS-", "water": "water"}
REGIONS = {"bla": "BLA", "ofc": "ORB", "pir": "PIR"}  # end of a subject's name: term of the Allen mouse brain atlas
VOLTAGE = 1.0  # V: lick and water lines rest at about 0 V and go to about 1.8 and 2.1 V
PAUSE = 5.0  # s between trials as laid out here
ARRAYS = ("dff", "odor", "daq_odor_lick_water", "meta")
TIMES = ("TRIAL_PERIOD", "DAQ_SAMP", "DAQ_O_ON", "DAQ_O_OFF", "DAQ_W_ON")

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


@dataclass(frozen=True)
class Source:
    """One checked source file.

    Attributes
    ----------
    fluorescence : (n_trials, n_rois, n_frames) array, dF/F
    odor : (n_trials,) array of text
    lick, water : (n_trials, n_samples) arrays, V
    subject : str
    day : date
    period : float, s per frame
    sampling : float, samples/s of ``lick`` and ``water``
    odor_on, odor_off, water_on : float, s from the trial's start
    """

    fluorescence: np.ndarray
    odor: np.ndarray
    lick: np.ndarray
    water: np.ndarray
    subject: str
    day: date
    period: float
    sampling: float
    odor_on: float
    odor_off: float
    water_on: float

    @property
    def trial_starts(self) -> np.ndarray:
        """Start of each trial as laid out, s."""
        return self.trial_every * np.arange(len(self.odor))

    @property
    def trial_every(self) -> float:
        """From one trial's start to the next one's, in whole s."""
        return float(np.ceil(self.duration) + PAUSE)

    @property
    def duration(self) -> float:
        """Length of a trial, s: imaging or analog lines, whichever is longer."""
        return max(self.fluorescence.shape[2] * self.period, self.lick.shape[1] / self.sampling)


def convert(source: str | Path, dest: str | Path, *, progress: Progress = print) -> list[Path]:
    """Write one NWB file per ``.npz`` file.

    Licks are upward crossings of 1 V. Anticipatory licks, those from odour on to the session's time
    of water, make the choice: a lick is right for CS+, none is right for CS-.

    Raises
    ------
    StudyError
        If a file is not one of these, its parts disagree, an odour is not known, or water was given
        with an odour that the format lists as unrewarded; the message names the file and the part.
        All other sessions are written first.
    """
    return write_sessions(source_files(source, ".npz"), _sessions, dest, progress=progress)


def _sessions(path: Path) -> list[Session]:
    return [(str(path), partial(_recording, path))]


def _recording(path: Path) -> Recording:
    source = _source(path)
    trials = _trials(source)
    starts = source.trial_starts
    n_rois = source.fluorescence.shape[1]
    region = REGIONS.get(source.subject.split("_")[-1].lower(), "unknown")
    frames = starts[:, None] + source.period * np.arange(source.fluorescence.shape[2])
    recording = Recording(
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
            "lick": _laid_out(_onsets(source.lick, source.sampling), starts),
            "water": _laid_out(_onsets(source.water, source.sampling), starts),
        },
        about={**ABOUT, "notes": NOTES},
        animal={"species": "Mus musculus", "description": "Name as in the source; nothing else is stated there."},
    )
    return with_origin(recording, path, "wang")


def _trials(source: Source) -> pd.DataFrame:
    """Trials with what the animal did, one row each."""
    starts = source.trial_starts
    trial_type = np.array([TRIAL_TYPES[odor] for odor in source.odor])
    has_odor = trial_type != "water"
    licks = [
        times[(times >= source.odor_on) & (times < source.water_on)] if odor else times[:0]
        for times, odor in zip(_onsets(source.lick, source.sampling), has_odor, strict=True)
    ]
    water = _onsets(source.water, source.sampling)
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


def _onsets(line: np.ndarray, sampling: float) -> list[np.ndarray]:
    """Times of the upward crossings of ``VOLTAGE`` in each trial, s from its start.

    Examples
    --------
    >>> _onsets(np.array([[0, 0, 1.8, 1.8, 0, 1.8]]), 50.0)
    [array([0.04, 0.1 ])]
    """
    above = line > VOLTAGE
    rises = above[:, 1:] & ~above[:, :-1]
    return [(np.flatnonzero(row) + 1) / sampling for row in rises]


def _laid_out(times: list[np.ndarray], starts: np.ndarray) -> np.ndarray:
    return np.concatenate([start + row for start, row in zip(starts, times, strict=True)])


# Reading and checking -------------------------------------------------------------------------


def _source(path: Path) -> Source:
    arrays = _arrays(path)
    meta = _meta(arrays["meta"], path)
    ratio, odor, lines = arrays["dff"], arrays["odor"].astype(str), arrays["daq_odor_lick_water"]
    _check_shapes(ratio, odor, lines, meta, path)
    _check_values(ratio, lines, path)
    source = Source(
        fluorescence=ratio - 1,
        odor=odor,
        lick=lines[:, 1],
        water=lines[:, 2],
        subject=str(meta["NAME_MOUSE"]),
        day=_day(path, meta),
        period=meta["TRIAL_PERIOD"],
        sampling=meta["DAQ_SAMP"],
        odor_on=meta["DAQ_O_ON"],
        odor_off=meta["DAQ_O_OFF"],
        water_on=meta["DAQ_W_ON"],
    )
    _check_odors(source, path)
    return source


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise StudyError(f"{path}: not a readable .npz file, it may be truncated")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in ARRAYS if name not in archive]
            if missing:
                raise StudyError(f"{path}: no array {missing[0]!r}; it holds {', '.join(archive.files) or 'none'}")
            return {name: archive[name] for name in ARRAYS}
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{path}: not a readable .npz file ({type(error).__name__}: {error})") from error


def _meta(text: np.ndarray, path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(str(text))
    except json.JSONDecodeError as error:
        raise StudyError(f"{path}: meta: not JSON ({error})") from None
    if not isinstance(meta, dict):
        raise StudyError(f"{path}: meta: expected keys and values, got {type(meta).__name__}")
    missing = [name for name in ("NAME_MOUSE", *TIMES) if name not in meta]
    if missing:
        raise StudyError(f"{path}: meta: no key {missing[0]!r}; it has {', '.join(meta) or 'none'}")
    for name in TIMES:
        if not isinstance(meta[name], int | float) or not 0 < meta[name] < np.inf:
            raise StudyError(f"{path}: meta: {name} is {meta[name]!r}, expected a number above 0")
    if not meta["DAQ_O_ON"] < meta["DAQ_O_OFF"] <= meta["DAQ_W_ON"]:
        raise StudyError(
            f"{path}: meta: DAQ_O_ON, DAQ_O_OFF and DAQ_W_ON must ascend, got "
            f"{meta['DAQ_O_ON']}, {meta['DAQ_O_OFF']}, {meta['DAQ_W_ON']}"
        )
    return meta


def _check_shapes(ratio: np.ndarray, odor: np.ndarray, lines: np.ndarray, meta: Mapping[str, Any], path: Path) -> None:
    if ratio.ndim != 3 or not ratio.size:
        raise StudyError(f"{path}: dff: shape {ratio.shape}, expected trials x ROIs x frames")
    if lines.ndim != 3 or lines.shape[1] != 3:
        raise StudyError(f"{path}: daq_odor_lick_water: shape {lines.shape}, expected trials x 3 x samples")
    if odor.ndim != 1 or not len(ratio) == len(odor) == len(lines):
        raise StudyError(
            f"{path}: dff has {len(ratio)} trials, odor has shape {odor.shape}, daq_odor_lick_water has "
            f"{len(lines)} trials; expected one odour and one record of the lines per trial"
        )
    n_frames = meta.get("TRIAL_FRAMES", ratio.shape[2])
    if n_frames != ratio.shape[2]:
        raise StudyError(f"{path}: dff has {ratio.shape[2]} frames per trial, but meta says TRIAL_FRAMES {n_frames}")


def _check_values(ratio: np.ndarray, lines: np.ndarray, path: Path) -> None:
    """NaN frames were not observed and stay NaN; a NaN on a line would pass for no lick."""
    for name, values in (("dff", ratio), ("daq_odor_lick_water", lines)):
        if values.dtype.kind not in "iuf":
            raise StudyError(f"{path}: {name}: holds {values.dtype}, expected numbers")
    if np.isinf(ratio).any():
        raise StudyError(f"{path}: dff: infinite value in trial {np.argwhere(np.isinf(ratio))[0][0]}")
    if not np.isfinite(lines).all():
        trial = np.argwhere(~np.isfinite(lines))[0][0]
        raise StudyError(f"{path}: daq_odor_lick_water: NaN or infinite value in trial {trial}; licks cannot be told")
    middle = np.median(ratio[~np.isnan(ratio)]) if not np.isnan(ratio).all() else np.nan
    if not 0.5 < middle < 2:
        raise StudyError(f"{path}: dff: median is {middle:g}; this format holds F/F0, whose median is about 1")


def _check_odors(source: Source, path: Path) -> None:
    odors = source.odor.tolist()
    for trial, odor in enumerate(odors):
        if odor not in TRIAL_TYPES:
            raise StudyError(f"{path}: odor: {odor!r} in trial {trial} is not one of {', '.join(TRIAL_TYPES)}")
    for trial, times in enumerate(_onsets(source.water, source.sampling)):
        if len(times) and TRIAL_TYPES[odors[trial]] == "CS-":
            raise StudyError(
                f"{path}: water in trial {trial} with odour {odors[trial]!r}, which this format lists as "
                "unrewarded; is this a session with reversed odours?"
            )


def _day(path: Path, meta: Mapping[str, Any]) -> date:
    """Date of the session from the file's name and from ``NAME_DATE`` (month-day-year), which must agree."""
    in_name = re.search(r"\d{4}-\d{2}-\d{2}", path.name)
    try:
        dates = {date.fromisoformat(in_name.group())} if in_name else set()
        if "NAME_DATE" in meta:
            dates.add(datetime.strptime(str(meta["NAME_DATE"]), "%m-%d-%Y").date())
    except ValueError as error:
        raise StudyError(f"{path}: no such date ({error})") from None
    if len(dates) != 1:
        raise StudyError(
            f"{path}: expected one date in the file's name (2017-10-02) or in NAME_DATE (10-02-2017), found "
            f"{', '.join(str(day) for day in sorted(dates)) or 'none'}"
        )
    return dates.pop()
