"""What does one recording consist of? Trials, spike times or fluorescence, and what is said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import StudyError, known

ABOUT = (
    *("institution", "lab", "experimenter", "experiment_description", "keywords", "related_publications", "notes"),
    *("protocol", "data_collection", "surgery", "virus", "pharmacology", "stimulus_notes"),
)
ANIMAL = ("species", "sex", "age", "description", "genotype", "strain", "weight", "date_of_birth")
IMAGING = ("device", "description", "location", "indicator", "excitation_lambda", "emission_lambda", "imaging_rate")
TIMES = {
    "start_time": "start of the trial, s from the session's start",
    "stop_time": "end of the trial, s from the session's start",
}


@dataclass(frozen=True)
class Origin:
    """Where a converted recording comes from.

    Attributes
    ----------
    converter : str
        Name of the source's format.
    software : tuple of (name, version)
        The programs that made the file.
    files : tuple of (name, SHA-256)
        The source files.
    """

    converter: str
    software: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """The same as a sentence.

        Examples
        --------
        >>> Origin("wang", (("piriform", "0.1.0"),), (("a.npz", "e3b0"),)).sentence
        'Converted by piriform 0.1.0 (wang) from a.npz, SHA-256 e3b0.'
        """
        programs = ", ".join(f"{name} {version}" for name, version in self.software)
        if len(self.files) == 1:
            ((name, digest),) = self.files
            return f"Converted by {programs} ({self.converter}) from {name}, SHA-256 {digest}."
        source = f"{len(self.files)} files, listed in analysis/source_files" if self.files else "files it does not name"
        return f"Converted by {programs} ({self.converter}) from {source}."


@dataclass(frozen=True, eq=False)
class Recording:
    """One session of one subject: trials, and spike times or fluorescence, or both.

    Attributes
    ----------
    subject, session : str
        Their names; together they identify the recording.
    start : datetime
        Start of the session, with a time zone. All times below are in s from it.
    description : str
        What the session is, in a sentence.
    trials : DataFrame
        ``start_time`` and ``stop_time``, and columns of text, numbers or booleans.
        A missing text is written as "", a missing number as NaN.
    column_meanings : mapping
        What each further column of ``trials`` says.
    spike_times : sequence of (n_spikes,) arrays, optional
        One per unit, ascending, s.
    spike_resolution : float, optional
        Smallest difference between two spike times, s; needed where there are spike times.
    units : DataFrame, optional
        Further columns of the units table, one row per unit; ``unit_meanings`` says what each is.
    obs_intervals : (n_intervals, 2) array, or a sequence of one such array per unit, optional
        When the units were observed, s; one array holds for all of them.
    fluorescence : (n_times, n_rois) array, optional
        dF/F; ``timestamps`` (n_times,) in s.
    rois : DataFrame, optional
        Further columns of the ROI table, one row per ROI; ``unit_meanings`` says what each is.
        A column ``pixel_mask`` holds (n_pixels, 3) arrays of x, y, weight.
    imaging : mapping
        Some of ``IMAGING``: the microscope, the region, the indicator, wavelengths in nm.
    events : mapping
        Times of behavioural events in s, by name, e.g. ``lick_port_1``.
    about, animal : mapping
        Some of ``ABOUT`` and ``ANIMAL``: fields of NWB's file and subject. Sex and age that are
        not known are written as "U" and "P0D/" (any age).
    origin : Origin, optional
        Where a converted recording comes from; a converter leaves it to ``piriform.convert``.

    Raises
    ------
    StudyError
        If a part is missing, lengths disagree, or times are not ascending.
    """

    subject: str
    session: str
    start: datetime
    description: str
    trials: pd.DataFrame
    column_meanings: Mapping[str, str] = field(default_factory=dict)
    spike_times: Sequence[np.ndarray] | None = None
    spike_resolution: float | None = None
    units: pd.DataFrame | None = None
    unit_meanings: Mapping[str, str] = field(default_factory=dict)
    obs_intervals: np.ndarray | Sequence[np.ndarray] | None = None
    fluorescence: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    rois: pd.DataFrame | None = None
    imaging: Mapping[str, Any] = field(default_factory=dict)
    events: Mapping[str, np.ndarray] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    animal: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None

    def __post_init__(self) -> None:
        _check_names(self)
        _check_trials(self)
        _check_spikes(self)
        _check_fluorescence(self)
        for name, times in self.events.items():
            _check_ascending(np.asarray(times, dtype=float), f"{self.where}: event {name!r}")

    @property
    def where(self) -> str:
        """Subject and session, for messages."""
        return f"subject {self.subject!r} session {self.session!r}"

    @property
    def observed(self) -> list[np.ndarray] | None:
        """Intervals of each unit, (n_intervals, 2) arrays in s; None where they are not known."""
        if self.obs_intervals is None:
            return None
        if isinstance(self.obs_intervals, np.ndarray):
            return [self.obs_intervals] * len(self.spike_times or ())
        return [np.asarray(intervals) for intervals in self.obs_intervals]


def _check_names(recording: Recording) -> None:
    for kind in ("subject", "session"):
        name = getattr(recording, kind)
        if not name or "/" in name:
            raise StudyError(f"{recording.where}: the {kind}'s name must be text without '/', got {name!r}")
        if not name.isprintable():
            raise StudyError(f"{recording.where}: the {kind}'s name {name!r} has a control character; remove it")
    if recording.start.tzinfo is None:
        raise StudyError(f"{recording.where}: start {recording.start} has no time zone; give one, e.g. datetime.UTC")
    for kind, names in (("about", ABOUT), ("animal", ANIMAL), ("imaging", IMAGING)):
        for name in getattr(recording, kind):
            known(f"field of {kind}", name, names, StudyError)


def _check_trials(recording: Recording) -> None:
    trials, where = recording.trials, recording.where
    missing = [name for name in TIMES if name not in trials]
    if missing or not len(trials):
        raise StudyError(f"{where}: trials need rows and the columns start_time and stop_time, got {list(trials)}")
    start, stop = (trials[name].to_numpy(dtype=float) for name in TIMES)
    _check_ascending(start, f"{where}: start_time of trials")
    late = np.flatnonzero(~(stop >= start))
    if late.size:
        raise StudyError(f"{where}: trial {late[0]} stops at {stop[late[0]]:g} s, before it starts")
    _check_meanings(trials, TIMES | dict(recording.column_meanings), f"{where}: trials")


def _check_spikes(recording: Recording) -> None:
    where, spikes = recording.where, recording.spike_times
    if spikes is None:
        if recording.units is not None or recording.obs_intervals is not None:
            raise StudyError(f"{where}: units and obs_intervals describe spike_times, which are missing")
        return
    if not recording.spike_resolution or recording.spike_resolution <= 0:
        raise StudyError(
            f"{where}: spike_resolution is {recording.spike_resolution}; give the smallest difference between two "
            "spike times in s, e.g. 1 / 30000"
        )
    _check_rows(recording.units, len(spikes), recording.unit_meanings, f"{where}: units")
    observed = recording.observed or [np.array([[0, np.inf]])] * len(spikes)
    if len(observed) != len(spikes):
        raise StudyError(f"{where}: obs_intervals of {len(observed)} units for {len(spikes)}; give one array each")
    for row, (times, intervals) in enumerate(zip(spikes, observed, strict=True)):
        _check_ascending(np.asarray(times, dtype=float), f"{where}: spike_times of unit {row}")
        _check_observed(np.asarray(times, dtype=float), intervals, row, where)


def _check_observed(times: np.ndarray, intervals: np.ndarray, row: int, where: str) -> None:
    """All spikes of a unit lie in its intervals, ends included."""
    if intervals.ndim != 2 or intervals.shape[1] != 2 or not len(intervals):
        raise StudyError(f"{where}: obs_intervals have shape {intervals.shape}, expected (n_intervals, 2)")
    _check_ascending(intervals.ravel()[:-1], f"{where}: obs_intervals")
    interval = np.searchsorted(intervals[:, 0], times, side="right") - 1
    outside = (interval < 0) | (times > intervals[interval, 1])
    if outside.any():
        raise StudyError(
            f"{where}: unit {row} fires at {times[outside][0]:g} s, when it was not observed; "
            "mend obs_intervals or drop those spikes (time 0 is the session's start)"
        )


def _check_fluorescence(recording: Recording) -> None:
    where, values, times = recording.where, recording.fluorescence, recording.timestamps
    if values is None:
        if times is not None or recording.rois is not None:
            raise StudyError(f"{where}: timestamps and rois describe fluorescence, which is missing")
        return
    if times is None or values.ndim != 2 or len(values) != len(times):
        raise StudyError(
            f"{where}: fluorescence has shape {values.shape}, expected (n_times, n_rois) with one timestamp per row, "
            f"got {0 if times is None else len(times)} timestamps"
        )
    _check_ascending(times, f"{where}: timestamps")
    _check_rows(recording.rois, values.shape[1], {"pixel_mask": ""} | dict(recording.unit_meanings), f"{where}: rois")


def _check_ascending(times: np.ndarray, what: str) -> None:
    if times.ndim != 1:
        raise StudyError(f"{what} have shape {times.shape}, expected one dimension")
    if not np.isfinite(times).all():
        raise StudyError(f"{what}: value {np.flatnonzero(~np.isfinite(times))[0]} is {times[~np.isfinite(times)][0]}")
    falls = np.flatnonzero(np.diff(times) < 0)
    if falls.size:
        raise StudyError(f"{what} do not ascend: value {falls[0] + 1} is smaller than the one before; sort them")


def _check_rows(table: pd.DataFrame | None, n_rows: int, meanings: Mapping[str, str], what: str) -> None:
    if table is None:
        return
    if len(table) != n_rows:
        raise StudyError(f"{what}: {len(table)} rows for {n_rows} recorded; give one row each")
    _check_meanings(table, meanings, what)


def _check_meanings(table: pd.DataFrame, meanings: Mapping[str, str], what: str) -> None:
    unexplained = [str(name) for name in table if name not in meanings]
    if unexplained:
        raise StudyError(f"{what}: say in a sentence what column {unexplained[0]!r} means")
