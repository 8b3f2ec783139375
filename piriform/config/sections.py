"""What may a part of the config say? Its keys, their defaults, their meaning."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from piriform.errors import did_you_mean
from piriform.tables import METRICS

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


class Calibrate(Section):
    """Simulate many studies per scenario and count the verdicts (``piriform calibrate``)."""

    studies: int = Field(400, ge=1, description="studies per scenario")
    scenarios: list[str] | None = Field(None, description="scenarios, see `piriform calibrate --help`; none: all")
    subjects: int = Field(4, ge=1, le=26, description="animals per study")
    days: int = Field(18, ge=1, le=99, description="sessions per animal, one a day")
    parameters: dict[str, float] = Field(
        {}, description="parameters of the truth that differ from the defaults; what a scenario itself sets comes first"
    )


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


class Measures(Section):
    """What is measured and how."""

    metrics: list[str] = Field(sorted(METRICS), description="measures to compute")
    solver: Literal["svm", "hinge", "logistic", "lda"] = Field(
        "svm",
        description="decoder behind accuracy, margins and generalization: squared-hinge linear SVM (LinearSVC), hinge SVM (SVC), logistic regression, shrinkage LDA",
    )
    C: float = Field(1.0, gt=0, description="inverse L2 penalty of svm and logistic, as in scikit-learn")
    shrinkage: float = Field(
        0.2, ge=0, le=1, description="shrinkage of covariances to their diagonal (lda, d', crossnobis)"
    )
    n_folds: int = Field(5, ge=2, description="cross-validation folds, contiguous in time within each class")
    n_blocks: int = Field(
        6,
        ge=2,
        description="contiguous parts of a session, each with a level and trend of its own, in separation_modulation",
    )
    controls: list[Literal["units", "drift", "composition", "gain"]] = Field(
        ["units", "drift", "composition", "gain"],
        description="what separation_modulation is made insensitive to; `ladder.csv` shows them added one by one",
    )
    n_draws: int = Field(20, ge=1, description="random draws of matched units and trials")
    n_permutations: int = Field(1000, ge=0, description="label permutations for the null and p")
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


class Transitions(Section):
    """Single stimuli that go from wrong to right, for the animal and for the decoder: in a step, or gradually?"""

    overtraining_only: bool = Field(
        True, description="only sessions of overtraining, of animals that have them; false: all sessions"
    )
    min_trials: int = Field(10, ge=2, description="presentations that a stimulus needs on a day that enters the test")
    min_days: int = Field(6, ge=6, description="such days that a stimulus needs to be tested")
    n_bootstrap: int = Field(
        499,
        ge=19,
        description="counts drawn from smooth growth for p; more where so many stimuli are tested that fdr needs it",
    )
    fdr: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="expected share of false ones among the stimuli called abrupt (Benjamini-Hochberg)",
    )


class Verdict(Section):
    """The rule that decides; fix it before looking at the data."""

    primary: str = Field("separation_modulation", description="the one metric that decides")
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
