"""What does one `.npz` file of Wang et al. (2020) say? Its arrays and times, checked."""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from piriform.errors import StudyError

TRIAL_TYPES = {"pin": "CS+", "msy": "CS+", "euy": "CS-", "lim": "CS-", "water": "water"}
VOLTAGE = 1.0  # V: lick and water lines rest at about 0 V and go to about 1.8 and 2.1 V
PAUSE = 5.0  # s between trials as laid out here
ARRAYS = ("dff", "odor", "daq_odor_lick_water", "meta")
TIMES = ("TRIAL_PERIOD", "DAQ_SAMP", "DAQ_O_ON", "DAQ_O_OFF", "DAQ_W_ON")


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


def read_source(path: Path) -> Source:
    """Return a source file.

    Raises
    ------
    StudyError
        If the file is not one of these, or its parts disagree; the message names the file and the part.
    """
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
    for trial, times in enumerate(onsets(source.water, source.sampling)):
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


def onsets(line: np.ndarray, sampling: float) -> list[np.ndarray]:
    """Times of the upward crossings of ``VOLTAGE`` in each trial, s from its start.

    Examples
    --------
    >>> onsets(np.array([[0, 0, 1.8, 1.8, 0, 1.8]]), 50.0)
    [array([0.04, 0.1 ])]
    """
    above = line > VOLTAGE
    rises = above[:, 1:] & ~above[:, :-1]
    return [(np.flatnonzero(row) + 1) / sampling for row in rises]
