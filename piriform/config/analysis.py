"""What is measured, and by which rule is it decided?"""

from typing import Literal, Self

from pydantic import Field, model_validator

from piriform.config.recordings import Response
from piriform.config.section import Section
from piriform.errors import did_you_mean
from piriform.tables import METRICS


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
        description="contiguous parts of a session, each with a level and trend of its own, in separation_modulation and noise_correlation",
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
    days_apart: int | None = Field(
        None,
        ge=1,
        description="generalization_day: most days between a session and the one before it; none: any number",
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


class Calibrate(Section):
    """Simulate many studies per scenario and count the verdicts (``piriform calibrate``)."""

    studies: int = Field(400, ge=1, description="studies per scenario")
    scenarios: list[str] | None = Field(None, description="scenarios, see `piriform calibrate --help`; none: all")
    subjects: int = Field(4, ge=1, le=26, description="animals per study")
    days: int = Field(18, ge=1, le=99, description="sessions per animal, one a day")
    parameters: dict[str, float] = Field(
        {}, description="parameters of the truth that differ from the defaults; what a scenario itself sets comes first"
    )
