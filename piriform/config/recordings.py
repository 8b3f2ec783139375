"""Where do recordings come from, what do their columns mean, and what of them enters?"""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from piriform.config.section import Section, Window


class Simulate(Section):
    """Make the study with the built-in simulator (``piriform simulate``) before it is analysed."""

    scenario: str = Field("growth", description="name of the known truth, see `piriform simulate --help`")
    subjects: int = Field(4, ge=1, le=26, description="number of animals")
    days: int = Field(18, ge=1, le=99, description="sessions per animal, one a day")
    seed: int = Field(1, ge=0, description="seed of the simulated study")
    parameters: dict[str, float] = Field({}, description="parameters of the truth that differ from the scenario's")


class Convert(Section):
    """Convert published files or plain tables to NWB (``piriform convert``) before they are analysed."""

    format: str = Field(
        description="format of the source, see `piriform convert --help`; also one of an installed package"
    )
    source: str = Field(description="file or folder to convert; `${NAME}` is taken from the environment")


class Remote(Section):
    """Files on a server (`https://`, `s3://`, `dandi://`): they are read by range requests."""

    cache: str | None = Field(
        "~/.cache/piriform/remote",
        description="folder that keeps the blocks that were read, each with its SHA-256; none: nothing is kept",
    )
    block_kib: int = Field(64, ge=4, le=16384, description="size of a block, KiB: the least that is read at once")
    timeout: float = Field(60.0, gt=0, description="wait for an answer, s")
    retries: int = Field(4, ge=0, le=10, description="new attempts after a broken connection or an answer 5xx")
    s3_endpoint: str | None = Field(None, description="address of an S3 store; none: that of AWS")
    s3_anonymous: bool | None = Field(
        None, description="read buckets without credentials; none: where no credentials are found"
    )
    dandi_api: str | None = Field(None, description="address of the API of a DANDI archive; none: dandiarchive.org")

    @property
    def folder(self) -> Path | None:
        """Folder of the cache, None where nothing is kept."""
        return None if self.cache is None else Path(self.cache).expanduser()


class Response(Section):
    """Neural activity: what is read and how it is cut around the event."""

    kind: Literal["auto", "units", "roi"] = Field(
        "auto",
        description="spiking units, optical ROI responses, or whichever the file holds (of both, units, unless `roi_series` is given)",
    )
    roi_series: str | list[str] | None = Field(
        None,
        description="name of the RoiResponseSeries, if a file holds several; a list of names, or a pattern such as `DfOverF/*`, joins the planes of one recording",
    )
    tracked_id: str | None = Field(
        None, description="column of the units (or ROI) table with the identity of a unit on other days"
    )
    filter: str | None = Field(
        None,
        description="expression over what is known of a unit or ROI (columns of its table or of its electrodes, `location`, `firing_rate`, ...); only those for which it holds are used, e.g. \"quality == 'good' and firing_rate > 0.1\"",
    )
    time_offset: str | None = Field(
        None,
        description="column of the ROI table with the time of a ROI within the frame, s after the frame's timestamp",
    )
    window: Window = Field((-0.5, 2.0), description="span of the trial tensor, [start, end) in s from the event")
    bin: float = Field(0.1, gt=0, description="bin width of the trial tensor, s")
    response_window: Window = Field((0.1, 0.6), description="span whose mean response is measured, [start, end) in s")
    baseline_window: Window | None = Field(
        (-0.5, 0.0), description="span before the event, [start, end) in s, for evoked responses; none: do without"
    )

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        for name in ("window", "response_window", "baseline_window"):
            value = getattr(self, name)
            if value is None:
                continue
            start, stop = value
            if not start < stop:
                raise ValueError(
                    f"{name}: starts at {start:g} s and ends at {stop:g} s; it must end later than it starts"
                )
            if start < self.window[0] - 1e-9 or stop > self.window[1] + 1e-9:
                raise ValueError(
                    f"{name} [{start:g}, {stop:g}) lies outside window [{self.window[0]:g}, {self.window[1]:g})"
                )
            for edge in value:
                bins = (edge - self.window[0]) / self.bin
                if abs(bins - round(bins)) > 1e-6:
                    raise ValueError(
                        f"{name}: {edge:g} s is not a bin edge ({self.window[0]:g} s plus a multiple of {self.bin:g} s)"
                    )
        return self


class Trials(Section):
    """Which columns of which interval table mean what."""

    table: str | list[str] = Field(
        "trials",
        description="`trials` or the name of another interval table of the NWB file; a list of names, or a pattern such as `odor_*`, joins several in order of time (the column `table` says which)",
    )
    series: str | list[str] | None = Field(
        None,
        description="name of a stimulus TimeSeries to take instead of a table: each stretch of a value other than 0 is a trial with the columns `start_time`, `stop_time`, `value`",
    )
    series_events: Literal["changes", "samples"] = Field(
        "changes", description="whether a change of the value of `series` is an event, or every sample"
    )
    extra: str | None = Field(
        None,
        description="CSV file with more columns, joined by its columns `subject`, `session` and `trial` (number of the row, from 0) or `id`; `${NAME}` is taken from the environment",
    )
    align_to: str = Field("odor_onset_time", description="column with the time of the event, s")
    stimulus: str | None = Field("odor", description="column that names the stimulus; none: the category")
    category: str = Field("trial_type", description="column with the trial type that `classes` refers to")
    stratum: str | None = Field(
        None,
        description="column that says how hard a nontarget is to tell from the target, e.g. the components they share; none: the category",
    )
    choice: str | None = Field("choice", description="column with the animal's choice")
    no_choice: list[str] = Field(
        [],
        description="values of `choice` that mean none was made; such trials at the end of a session are left out (the animal has stopped)",
    )
    correct: str | None = Field("correct", description="column that says whether the choice was right")
    correct_values: list[str] | None = Field(
        None, description="values of `correct` that mean yes; none: true, 1, yes, correct"
    )
    response_time: str | None = Field("response_time", description="column with the time of the response, s")
    block: str | None = Field(None, description="column with the number of the experimental block")
    filter: str | None = Field(
        None,
        description="expression over the columns; only trials for which it holds are used, e.g. \"trial_type != 'water'\"",
    )


class Classes(Section):
    """Which trial types form which class; or every stimulus a class of its own."""

    target: list[str] = Field([], description="categories of the target")
    nontarget: list[str] = Field([], description="categories of the nontargets")
    probe: list[str] = Field([], description="categories shown but never trained on by the decoder")
    fixed: list[str] = Field([], description="categories (target and nontarget) whose stimuli are the same on all days")
    by_stimulus: bool = Field(
        False, description="every stimulus is a class; target, nontarget, probe and fixed stay empty"
    )

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        groups = {name: getattr(self, name) for name in ("target", "nontarget", "probe")}
        if self.by_stimulus:
            if any(groups.values()) or self.fixed:
                raise ValueError(
                    "by_stimulus makes every stimulus a class: leave target, nontarget, probe and fixed empty"
                )
            return self
        for name in ("target", "nontarget"):
            if not groups[name]:
                raise ValueError(f"{name}: name at least one category (or set by_stimulus: true)")
        named = [category for group in groups.values() for category in group]
        twice = sorted({category for category in named if named.count(category) > 1})
        if twice:
            raise ValueError(f"category {twice[0]!r} is named twice; a trial type belongs to one class")
        stray = sorted(set(self.fixed) - set(groups["target"]) - set(groups["nontarget"]))
        if stray:
            raise ValueError(f"fixed: {stray[0]!r} is neither a target nor a nontarget category")
        return self


class Phases(Section):
    """Where overtraining begins: from a column, from a fixed day, or from the behavioural plateau."""

    column: str | None = Field(None, description="trials column with the phase of the session")
    overtraining_values: list[str] = Field(["overtraining"], description="values of `column` that mean overtraining")
    overtraining_from_day: int | None = Field(
        None, ge=1, description="first day of overtraining, fixed by the protocol"
    )
    from_plateau: bool = Field(False, description="overtraining begins on the day behaviour reaches its plateau")
    days: Literal["date", "order"] = Field(
        "date", description="day = calendar days since the first session, or number of the session"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("column", "overtraining_from_day", "from_plateau") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}: give one of column, overtraining_from_day, from_plateau")
        return self


class Inclusion(Section):
    """What enters the analysis."""

    min_units: int = Field(4, ge=1, description="units a session needs")
    min_trials_per_class: int = Field(10, ge=2, description="trials of each class a session needs")
    min_rate: float = Field(0.0, ge=0, description="mean rate a unit needs over the trials' windows, spikes/s")
    sessions: list[str] | None = Field(None, description="sessions to analyse; none: all")
