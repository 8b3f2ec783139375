"""How was the study analysed? The config in sentences, for the methods section of the report."""

from collections.abc import Mapping
from typing import Any

from piriform.config import Dynamics, Response

SOLVERS = {
    "svm": "A linear support vector machine (squared hinge loss, L2 penalty)",
    "logistic": "Logistic regression (L2 penalty)",
    "lda": "Linear discriminant analysis with shrinkage",
}


def methods(config: Mapping[str, Any], verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return pairs of a term and what was done; parts that the config lacks are left out.

    Examples
    --------
    >>> methods({"seed": 7}, {})
    [('Randomness', 'All random draws follow from the seed 7 and the names of subject and session.')]
    """
    found = [
        ("Responses", _responses(config.get("response"), config.get("trials") or {})),
        ("Classes", _classes(config.get("classes"))),
        ("Inclusion", _inclusion(config.get("inclusion"))),
        ("Overtraining", _phases(config.get("phases"))),
        ("Plateau", _plateau(config.get("plateau"))),
        ("Decoder", _decoder(config.get("measures"))),
        ("Matching", _matching(config.get("measures"))),
        ("Null", _null(config.get("measures"))),
        ("Over time", _dynamics(config.get("dynamics"), config.get("response"))),
        ("Single stimuli", _transitions(config.get("transitions"))),
        ("Verdict", _verdict(config.get("verdict"), verdict)),
        ("Randomness", _seed(config.get("seed"))),
    ]
    return [(term, text) for term, text in found if text]


def _responses(response: Any, trials: Mapping[str, Any]) -> str:
    if not response:
        return ""
    start, stop = response["response_window"]
    event = trials.get("align_to", "the event")
    text = f"A unit's response is its mean activity from {_seconds(start)} up to {_seconds(stop)} after {event}"
    if response.get("baseline_window"):
        start, stop = response["baseline_window"]
        text += f"; its baseline, where one is subtracted, is the mean from {_seconds(start)} up to {_seconds(stop)}"
    text += ". Each unit is standardised with the mean and the SD of the training trials."
    for what, section in (("units", response), ("trials", trials)):
        if section.get("filter"):
            text += f" Only {what} for which “{section['filter']}” holds are used."
    return text


def _seconds(value: float) -> str:
    return f"{value:g} s".replace("-", "−")


def _classes(classes: Any) -> str:
    if not classes:
        return ""
    if classes.get("by_stimulus"):
        return "Every stimulus is a class of its own."
    parts = [f"{name}: {', '.join(classes[name])}" for name in ("target", "nontarget", "probe") if classes.get(name)]
    fixed = classes.get("fixed")
    return "; ".join(parts) + (f". Fixed on all days: {', '.join(fixed)}." if fixed else ". No stimuli are fixed.")


def _inclusion(inclusion: Any) -> str:
    if not inclusion:
        return ""
    text = (
        f"A session needs {inclusion['min_units']} units and {inclusion['min_trials_per_class']} trials of each class"
    )
    rate = inclusion["min_rate"]
    return text + (f"; a unit needs a mean rate of {rate:g} spikes/s." if rate else ".")


def _phases(phases: Any) -> str:
    if not phases:
        return ""
    if phases.get("column"):
        values = ", ".join(phases.get("overtraining_values") or [])
        return f"Sessions in which the column {phases['column']} says {values}."
    if phases.get("overtraining_from_day"):
        return f"From day {phases['overtraining_from_day']} on, as fixed by the protocol."
    if phases.get("from_plateau"):
        return "From the day on which behaviour reaches its plateau."
    return "Not defined: no session counts as overtraining."


def _plateau(plateau: Any) -> str:
    if not plateau:
        return ""
    return (
        f"The first day on which the fitted learning curve has made {plateau['fraction']:.0%} of its rise; "
        f"a rise below {plateau['min_rise']:g} does not count as learning."
    )


def _decoder(measures: Any) -> str:
    if not measures:
        return ""
    penalty = "" if measures["solver"] == "lda" else f", C = {measures['C']:g}"
    return (
        f"{SOLVERS.get(measures['solver'], measures['solver'])}{penalty}, {measures['n_folds']}-fold cross-validation "
        "with folds that are contiguous in time within each class. Covariances are shrunk to their diagonal by "
        f"{measures['shrinkage']:g}."
    )


def _matching(measures: Any) -> str:
    if not measures:
        return ""
    smallest = "as many as the subject's smallest session has"
    units = measures.get("match_units") or smallest
    trials = measures.get("match_trials") or smallest
    return (
        f"Each value is the mean over {measures['n_draws']} random draws of units ({units}) and of trials per class "
        f"({trials}), the same numbers in all sessions of a subject."
    )


def _null(measures: Any) -> str:
    if not measures:
        return ""
    if not measures["n_permutations"]:
        return "No label permutations were asked for."
    return (
        f"{measures['n_permutations']} permutations of the labels within {measures['n_permutation_blocks']} blocks of time; "
        "p = (b + 1)/(m + 1), where b of m permutations reach the value."
    )


def _dynamics(dynamics: Any, response: Any) -> str:
    if not dynamics or not response or not dynamics["enabled"]:
        return ""
    width, step = Dynamics(**dynamics).sizes(Response(**response))
    text = f"The decoder is also trained in windows of {width:g} s, one every {step:g} s"
    if dynamics["temporal_generalization"]:
        text += ", and tested on held-out trials in the same and in every other window"
    nulls = dynamics["n_permutations"]
    return f"{text}; each value is the mean over {dynamics['n_draws']} random draws. " + (
        f"{nulls} permutations of the labels." if nulls else "No label permutations: the null value is chance."
    )


def _transitions(rule: Any) -> str:
    if not rule:
        return ""
    which = "overtraining sessions, where a subject has them" if rule["overtraining_only"] else "all sessions"
    return (
        f"Stimuli with {rule['min_trials']} trials or more on {rule['min_days']} days ({which}): likelihood ratio of the best "
        f"step up in accuracy to a line in log-odds with day effects; p from {rule['n_bootstrap']} or more sets of counts "
        "drawn from the line, Benjamini-Hochberg correction over the stimuli of a source. A stimulus counts as abrupt "
        f"if this and the same test against growth that levels off pass {rule['fdr']:g}."
    )


def _verdict(rule: Any, verdict: Mapping[str, Any]) -> str:
    text = str(verdict.get("method") or "")
    if not rule:
        return text
    return (
        f"{text} Level {rule['alpha']:g} for each test; behaviour counts as flat within ±{rule['behavior_bound']:g} of "
        f"fraction correct per 10 days; a subject needs {rule['min_sessions']} overtraining sessions and the group "
        f"{rule['min_subjects']} subjects."
    ).strip()


def _seed(seed: Any) -> str:
    return "" if seed is None else f"All random draws follow from the seed {seed} and the names of subject and session."
