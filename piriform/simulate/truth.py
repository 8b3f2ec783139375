"""What is true in a simulated study? The parameters of the truth and of every confound, and named scenarios.

A parameter that ends in ``_start`` or ``_end`` runs linearly from the subject's first day to its
last. The others are the same on all days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from piriform.errors import ConfigError, known

MAX_SUBJECTS = 26


def _parameter(default: float, meaning: str, low: float, high: float) -> Any:
    return field(default=default, metadata={"meaning": meaning, "low": low, "high": high})


@dataclass(frozen=True)
class Truth:
    """The truth of a study, and what may be mistaken for it.

    Rates, tuning and noise are set so that 500 ms counts have the moments of 199 anterior piriform
    units (Iurilli & Datta 2017, measured here): median baseline rate 1 spike/s, median Fano factor
    1.9, evoked change from -2.4 (5th percentile) to 4.2 spikes/s (95th), lifetime sparseness .42,
    noise correlation .02. With the default signal a linear decoder of 8, 15 and 25 units reaches an
    AUC of about .68, .75 and .79 once the task is learned.

    Examples
    --------
    >>> Truth(growth=2.0).growth
    2.0
    """

    # the signal
    signal: float = _parameter(0.55, "log rate change of a tuned unit to the target once the task is learned", 0, 2)
    growth: float = _parameter(1.0, "factor by which the signal grows from the end of training to the last day", 0, 10)
    slope_sd: float = _parameter(0.0, "SD of the growth factor between subjects", 0, 2)
    learners: int = _parameter(MAX_SUBJECTS, "how many subjects (the first ones) have growth; others 1", 0, 26)
    day_sd: float = _parameter(0.15, "SD of the log signal between days", 0, 2)
    day_rho: float = _parameter(0.3, "correlation of the log signal of successive days", -0.99, 0.99)
    tuned_share: float = _parameter(0.6, "share of units that carry the signal", 0, 1)
    overlap_gain: float = _parameter(0.3, "signal of a nontarget per component shared with the target", 0, 1)
    # days and behaviour
    training_days: int = _parameter(8, "days before overtraining", 0, 99)
    days_spread: int = _parameter(0, "subjects have up to this many days more or fewer", 0, 30)
    missing_days: float = _parameter(0.0, "share of days without a recording", 0, 0.9)
    learning_day: float = _parameter(4.0, "day on which half of the task is learned", 0, 99)
    learning_width: float = _parameter(0.8, "width of the learning curve, days", 0.05, 30)
    accuracy_top: float = _parameter(0.95, "fraction correct on the last day", 0.5, 0.999)
    accuracy_day_sd: float = _parameter(0.2, "SD of the log odds of a correct choice between days", 0, 2)
    behavior_rise: float = _parameter(0.0, "rise of the fraction correct during overtraining", 0, 0.45)
    probe_cost: float = _parameter(0.5, "log odds that a probe loses per component shared with the target", 0, 5)
    no_choice: float = _parameter(0.01, "share of trials without a choice", 0, 0.5)
    # what is recorded
    units_start: float = _parameter(25, "units on the first day", 1, 500)
    units_end: float = _parameter(8, "units on the last day", 1, 500)
    units_sd: float = _parameter(1.5, "SD of the number of units around its course", 0, 50)
    trials_start: float = _parameter(200, "trials on the first day, probes apart", 20, 5000)
    trials_end: float = _parameter(200, "trials on the last day, probes apart", 20, 5000)
    # stimuli
    overlap_0_start: float = _parameter(0.35, "share of novel nontargets without a target component", 0, 1)
    overlap_0_end: float = _parameter(0.35, "the same on the last day", 0, 1)
    overlap_2_start: float = _parameter(0.20, "share of novel nontargets with two target components", 0, 1)
    overlap_2_end: float = _parameter(0.20, "the same on the last day", 0, 1)
    stickiness_start: float = _parameter(0.5, "probability that a trial has the class of the one before", 0.05, 0.95)
    stickiness_end: float = _parameter(0.5, "the same on the last day", 0.05, 0.95)
    repeat_share: float = _parameter(0.4, "share of the two repeated nontargets among nontargets in overtraining", 0, 1)
    probe_every: int = _parameter(4, "every how many overtraining days probes are shown; 0 never", 0, 99)
    probe_trials: int = _parameter(15, "trials of each of the two probe types in a probe session", 0, 500)
    # units
    rate_log_mean: float = _parameter(0.11, "mean of log(baseline rate + .05 spikes/s)", -3, 5)
    rate_log_sd: float = _parameter(1.17, "SD of log(baseline rate + .05 spikes/s)", 0, 3)
    rate_trend: float = _parameter(1.0, "factor by which all rates change from the first day to the last", 0.1, 10)
    fano: float = _parameter(1.9, "Fano factor of 500 ms counts, median over units", 1, 10)
    fano_log_sd: float = _parameter(0.6, "SD of log(Fano factor - 1) between units", 0, 2)
    tuning_sd: float = _parameter(0.55, "SD of the log rate change to a single odorant", 0, 2)
    odor_sd: float = _parameter(0.3, "SD of the log rate change to any odour", 0, 2)
    trial_gain_sd: float = _parameter(0.24, "SD of the log gain that all units share in a trial", 0, 2)
    drift_start: float = _parameter(0.1, "SD of the slow log rate drift within a session", 0, 3)
    drift_end: float = _parameter(0.1, "the same on the last day", 0, 3)

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check_value(self, entry.name, entry.metadata["low"], entry.metadata["high"], entry.type is int)
        for when in ("start", "end"):
            total = getattr(self, f"overlap_0_{when}") + getattr(self, f"overlap_2_{when}")
            if total > 1 + 1e-9:
                raise ConfigError(f"overlap_0_{when} and overlap_2_{when} are shares and add up to {total:g}, above 1")
        if self.accuracy_top - self.behavior_rise < 0.5:
            raise ConfigError(
                f"behavior_rise {self.behavior_rise:g} would start overtraining at "
                f"{self.accuracy_top - self.behavior_rise:g} correct; keep accuracy_top - behavior_rise above .5"
            )


def _check_value(truth: Truth, name: str, low: float, high: float, whole: bool) -> None:
    value = getattr(truth, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(f"parameter {name} is {value!r}; it must be a number from {low:g} to {high:g}")
    if whole:
        if value != int(value):
            raise ConfigError(f"parameter {name} is {value!r}; it must be a whole number")
        object.__setattr__(truth, name, int(value))


_EASIER: dict[str, float] = {
    "overlap_0_start": 0.15,
    "overlap_2_start": 0.40,
    "overlap_0_end": 0.60,
    "overlap_2_end": 0.05,
}
_MORE_UNITS: dict[str, float] = {"units_start": 8, "units_end": 25}
_STEADY: dict[str, float] = {"units_start": 16, "units_end": 16}
_DRIFT: dict[str, float] = {"drift_start": 0.5, "drift_end": 0.5, "stickiness_start": 0.5, "stickiness_end": 0.85}

#: What each named study is, and how it differs from the defaults.
SCENARIOS: dict[str, tuple[str, dict[str, float]]] = {
    "null": ("no growth; fewer units from day to day, as in real recordings", {}),
    "steady": ("no growth, 16 units on all days", _STEADY),
    "growth": ("the signal grows fourfold in overtraining: one study is enough to see it", {"growth": 4.0}),
    "growth_small": ("the signal grows by half", {"growth": 1.5}),
    "growth_medium": ("the signal doubles", {"growth": 2.0}),
    "growth_large": ("the signal triples", {"growth": 3.0}),
    "more_units": ("no growth, but units rise from 8 to 25", _MORE_UNITS),
    "fewer_units": ("no growth, and units fall steeply, from 30 to 6", {"units_start": 30, "units_end": 6}),
    "gain": ("no growth, but all rates double", {"rate_trend": 2.0}),
    "easier_stimuli": ("no growth, but nontargets share fewer components with the target", _EASIER),
    "drift": ("no growth, but rates drift within sessions and trials come in runs", _DRIFT),
    "correlated_days": ("no growth, but the signal wanders over days", {"day_sd": 0.25, "day_rho": 0.8}),
    "more_trials": ("no growth, but trials rise from 120 to 320", {"trials_start": 120, "trials_end": 320}),
    "improving": ("the signal doubles while behaviour still improves", {"growth": 2.0, "behavior_rise": 0.08}),
    "one_subject": ("the signal grows threefold in one subject only", {"growth": 3.0, "learners": 1}),
    "heterogeneous": ("each subject's signal trends its own way, zero on average", {"slope_sd": 0.4}),
    "unequal_days": ("no growth, subjects differ in days and miss some", {"days_spread": 4, "missing_days": 0.15}),
    "confounds": (
        "no growth; units, rates, trials, stimuli and drift all change",
        _MORE_UNITS | _EASIER | _DRIFT | {"rate_trend": 2.0, "trials_start": 120, "trials_end": 320},
    ),
}

#: Scenarios in which there is hidden progress to be found; in all others the verdict must not be hidden progress.
HIDDEN_PROGRESS = ("growth_small", "growth_medium", "growth_large", "growth")


def scenario_truth(scenario: str, parameters: Mapping[str, float] | None = None) -> Truth:
    """Return the truth of a named scenario, with some parameters replaced.

    Raises
    ------
    ConfigError
        If the scenario or a parameter does not exist, or a value makes no sense.

    Examples
    --------
    >>> scenario_truth("growth", {"units_end": 12}).units_end
    12
    """
    known("scenario", scenario, SCENARIOS)
    values: dict[str, Any] = SCENARIOS[scenario][1] | dict(parameters or {})
    for name in values:
        known("parameter", name, [entry.name for entry in fields(Truth)])
    return Truth(**values)
