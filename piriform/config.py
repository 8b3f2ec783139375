"""What did the user ask for? The config: every key, its default, its meaning.

The pydantic models are the single source of the checks, of ``workflow/schemas/config.schema.json``
and of the reference page ``docs/config.md``.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from string import Template
from types import SimpleNamespace
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from piriform.errors import ConfigError, did_you_mean
from piriform.tables import METRICS

#: Where the recordings lie that validate the pipeline, unless the environment names another folder.
REAL_DATA = {"PIRIFORM_REAL_DATA": "../shared/data"}

Window = tuple[float, float]


class Section(BaseModel):
    """A part of the config: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Simulate(Section):
    """Make the study with the built-in simulator (``piriform simulate``) before it is analysed."""

    scenario: str = Field("growth", description="name of the known truth, see `piriform simulate --help`")
    subjects: int = Field(4, ge=1, le=26, description="number of animals")
    days: int = Field(18, ge=1, le=99, description="sessions per animal, one a day")
    seed: int = Field(1, ge=0, description="seed of the simulated study")
    parameters: dict[str, float] = Field({}, description="parameters of the truth that differ from the scenario's")


class Convert(Section):
    """Convert published files to NWB (``piriform convert``) before they are analysed."""

    format: str = Field(description="format of the source, see `piriform convert --help`")
    source: str = Field(description="file or folder to convert; `${NAME}` is taken from the environment")


class Response(Section):
    """Neural activity: what is read and how it is cut around the event."""

    kind: Literal["auto", "units", "roi"] = Field(
        "auto", description="spiking units, optical ROI responses, or whichever the file holds"
    )
    roi_series: str | None = Field(None, description="name of the RoiResponseSeries, if a file holds several")
    tracked_id: str | None = Field(
        None, description="column of the units (or ROI) table with the identity of a unit on other days"
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

    table: str = Field("trials", description="`trials` or the name of another interval table of the NWB file")
    align_to: str = Field("odor_onset_time", description="column with the time of the event, s")
    stimulus: str | None = Field("odor", description="column that names the stimulus; none: the category")
    category: str = Field("trial_type", description="column with the trial type that `classes` refers to")
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


class Measures(Section):
    """What is measured and how."""

    metrics: list[str] = Field(sorted(METRICS), description="measures to compute")
    solver: Literal["svm", "logistic", "lda"] = Field(
        "svm",
        description="decoder behind accuracy, margins and generalization: squared-hinge linear SVM (LinearSVC), logistic regression, shrinkage LDA",
    )
    C: float = Field(1.0, gt=0, description="inverse L2 penalty of svm and logistic, as in scikit-learn")
    shrinkage: float = Field(
        0.2, ge=0, le=1, description="shrinkage of covariances to their diagonal (lda, d', crossnobis)"
    )
    n_folds: int = Field(5, ge=2, description="cross-validation folds, contiguous in time within each class")
    n_draws: int = Field(20, ge=1, description="random draws of matched units and trials")
    n_permutations: int = Field(200, ge=0, description="label permutations for the null and p")
    permute_within: Literal["time", "half", "block"] = Field(
        "time",
        description="labels are permuted within runs of time, the two halves of the session, or the experimental blocks of `trials.block`",
    )
    n_permutation_blocks: int = Field(5, ge=1, description="runs of time within which labels are permuted")
    match_units: int | None = Field(
        None, ge=1, description="units per draw; none: the subject's smallest included session"
    )
    match_trials: int | None = Field(
        None, ge=2, description="trials per class and draw; none: the subject's smallest included session"
    )
    pool_sessions: bool = Field(
        False,
        description="also measure one pseudo-population of all units of all sessions (same stimuli, unpaired trials)",
    )

    @model_validator(mode="after")
    def _metrics_exist(self) -> Self:
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(
                    f"metrics: unknown metric {name!r}{did_you_mean(name, list(METRICS))}; choose from {', '.join(METRICS)}"
                )
        return self


class Dynamics(Section):
    """Decoding over time: trained in sliding windows, tested there and in the windows at other times."""

    enabled: bool = Field(True, description="whether to decode over time; false leaves `dynamics.csv` empty")
    window: float | None = Field(None, gt=0, description="width of a window, s; none: two bins")
    step: float | None = Field(None, gt=0, description="from one window to the next, s; none: one bin")
    temporal_generalization: bool = Field(
        True, description="also test in all windows other than the one trained in (target and nontarget only)"
    )
    n_draws: int = Field(3, ge=1, description="random draws of matched units and trials, the first ones of `measures`")
    n_permutations: int = Field(0, ge=0, description="label permutations for the null and p of each window")

    def sizes(self, response: Response) -> tuple[float, float]:
        """Return the width of a window and the step to the next, s."""
        span = response.window[1] - response.window[0]
        return self.window or min(2 * response.bin, span), self.step or response.bin


class Plateau(Section):
    """When behaviour counts as having reached its plateau."""

    fraction: float = Field(
        0.98, gt=0.5, lt=1, description="share of the fitted rise of the learning curve that must be reached"
    )
    min_rise: float = Field(0.1, ge=0, description="smallest rise in fraction correct that counts as learning")


class Verdict(Section):
    """The rule that decides; fix it before looking at the data."""

    primary: str = Field("separation_dprime", description="the one metric that decides")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="level of each one-sided test")
    behavior_bound: float = Field(
        0.05,
        gt=0,
        description="behaviour counts as flat if its slope lies within this many fractions correct per 10 days",
    )
    min_subjects: int = Field(3, ge=2, description="animals that the group test needs")
    min_sessions: int = Field(5, ge=3, description="overtraining sessions that an animal needs")

    @model_validator(mode="after")
    def _primary_exists(self) -> Self:
        if self.primary not in METRICS:
            raise ValueError(
                f"primary: unknown metric {self.primary!r}{did_you_mean(self.primary, list(METRICS))}; choose from {', '.join(METRICS)}"
            )
        if not METRICS[self.primary].learning:
            raise ValueError(f"primary: {self.primary} has no direction that means learning; it cannot decide")
        return self


class Config(Section):
    """One study, from recordings to a verdict."""

    study: str = Field(
        "study",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="name of the study; results go to `results`/`study`",
    )
    data: str | list[str] = Field(description="folder of NWB files (searched through), or a list of files")
    results: str = Field("results", description="folder for results")
    seed: int = Field(1, ge=0, description="seed of everything random in the analysis")
    simulate: Simulate | None = None
    convert: Convert | None = None
    response: Response = Response()
    trials: Trials = Trials()
    classes: Classes
    phases: Phases = Phases()
    inclusion: Inclusion = Inclusion()
    plateau: Plateau = Plateau()
    measures: Measures = Measures()
    dynamics: Dynamics = Dynamics()
    verdict: Verdict = Verdict()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.simulate and self.convert:
            raise ValueError("simulate and convert: a study comes from one of them")
        if (self.simulate or self.convert) and not isinstance(self.data, str):
            raise ValueError("data: simulate and convert need a folder to write to, not a list of files")
        if self.measures.metrics and self.verdict.primary not in self.measures.metrics:
            raise ValueError(f"verdict.primary: {self.verdict.primary} is not among measures.metrics")
        return self

    @model_validator(mode="after")
    def _windows_slide(self) -> Self:
        width, step = self.dynamics.sizes(self.response)
        for name, value in (("window", width), ("step", step)):
            bins = value / self.response.bin
            if abs(bins - round(bins)) > 1e-6:
                raise ValueError(
                    f"dynamics.{name}: {value:g} s is no multiple of response.bin, {self.response.bin:g} s"
                )
        start, stop = self.response.window
        if width > stop - start + 1e-9:
            raise ValueError(
                f"dynamics.window: {width:g} s is longer than response.window, which lasts {stop - start:g} s"
            )
        return self

    @property
    def out(self) -> Path:
        """Folder of this study's results."""
        return Path(self.results) / self.study

    def digest(self) -> str:
        """Return the SHA-256 of the complete config, defaults included."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def parse_config(values: Mapping[str, Any], *, where: str = "config") -> Config:
    """Check a config given as nested dicts.

    Raises
    ------
    ConfigError
        One line per problem: the key, what was wrong, and the closest known key.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{where}: " + "; ".join(lines)) from None


def load_config(path: str | Path) -> Config:
    """Read and check a YAML config file."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; see config/README.md for how to write one") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(values).__name__}")
    return parse_config(values, where=str(path))


def expand(path: str) -> str:
    """Return ``path`` with ``${NAME}`` taken from the environment."""
    try:
        return Template(path).substitute(REAL_DATA | dict(os.environ))
    except KeyError as error:
        raise ConfigError(f"{path}: environment variable {error.args[0]} is not set") from None


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of the config."""
    return Config.model_json_schema()


def _explain(problem: Any) -> str:
    location = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {location!r}{did_you_mean(str(problem['loc'][-1]), _keys_at(problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"key {location!r} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{location}: {message}" if location else message


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        inner = [
            kind
            for kind in (annotation, *getattr(annotation, "__args__", ()))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def pick(config: Config, *names: str) -> dict[str, Any]:
    """Return the named parts of a config as plain values, for a rule's ``params``.

    A rule names only the parts that it uses, so that an edit elsewhere does not rerun it.
    """
    values = config.model_dump(mode="json")
    return {name: values[name] for name in names}


def restore(values: Mapping[str, Any]) -> SimpleNamespace:
    """Turn what :func:`pick` returned back into checked sections, as attributes."""
    kinds: dict[str, Any] = {name: Config.model_fields[name].annotation for name in values}
    return SimpleNamespace(**{name: TypeAdapter(kinds[name]).validate_python(value) for name, value in values.items()})
