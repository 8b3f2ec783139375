"""Which tables does a study give, and what do their columns say?"""

from piriform.tables.columns import Column, share

PHASES = ("training", "overtraining", "")
#: Subject of the pseudo-population of all units of a study; it is no animal and enters no group test.
POOLED = "pooled"

_WHO = {
    "subject": Column("text", "animal, or network"),
    "session": Column("text", "one recording; unique within the subject"),
    "day": Column("integer", "day of training, 1 = the subject's first session; checkpoint step for a network"),
    "phase": Column("text", "training, overtraining, or empty where it is not known", PHASES),
}

STUDY: dict[str, dict[str, Column]] = {
    "sessions": {
        "subject": Column("text", "animal; empty where the file could not be read"),
        "session": Column("text", "session id, made unique within the subject"),
        "day": Column("integer", "days since the subject's first session, plus 1; 0 where unknown"),
        "date": Column("text", "session start, ISO 8601"),
        "phase": _WHO["phase"],
        "file": Column("text", "source file, or its address on a server"),
        "sha256": Column(
            "text",
            "SHA-256 of the source file; of a Zarr folder that of the list of its files and their SHA-256; of a "
            "remote file as DANDI published it, otherwise empty",
        ),
        "version": Column(
            "text", "version of a remote file as its server tells it: ETag, or date and size; empty for local files"
        ),
        "included": Column("flag", "whether the session's activity was analysed"),
        "reason": Column("text", "why not; empty where included"),
        "n_units": Column("integer", "units analysed"),
        "n_trials": Column("integer", "trials analysed"),
        "n_units_excluded": Column("integer", "units left out"),
        "n_trials_excluded": Column("integer", "trials left out"),
        "units_excluded": Column("text", "reason: unit ids; next reason: ..."),
        "trials_excluded": Column("text", "reason: trial numbers; next reason: ..."),
    },
    "behavior": {
        **_WHO,
        "class": Column("text", "class of the stimuli; `all` is the mean over target and nontarget"),
        "n_trials": Column("integer", "trials with a known outcome"),
        "accuracy": share("fraction correct"),
        "ci_low": share("lower end of the 95% Wilson interval"),
        "ci_high": share("upper end of the 95% Wilson interval"),
        "latency_s": Column("number", "median time from the event to the response in correct trials, s"),
        "plateau_day": Column("number", "first day on the behavioural plateau of this subject; empty if none"),
    },
    "metrics": {
        "source": Column("text", "where the activity comes from", ("neural", "network")),
        **_WHO,
        "metric": Column("text", "name of the measure, see the table of metrics"),
        "stimuli": Column("text", "all stimuli, or the fixed (repeated) ones alone", ("all", "fixed")),
        "matching": Column("text", "matched unit and trial counts, or the full session", ("matched", "full")),
        "value": Column("number", "mean over draws; empty where it could not be measured, see status"),
        "sd_draws": Column("number", "SD over draws"),
        "null_mean": Column("number", "mean over label permutations"),
        "null_sd": Column("number", "SD over label permutations"),
        "p": share("one-sided (b+1)/(m+1) towards learning"),
        "p_max": share("the same for the family of all metrics of this session, stimuli and matching (max statistic)"),
        "n_trials": Column("integer", "trials per draw, all classes together"),
        "n_units": Column("integer", "units per draw"),
        "n_draws": Column("integer", "random draws of units and trials"),
        "n_permutations": Column("integer", "label permutations behind p"),
        "status": Column("text", "`ok`, or why there is no value"),
    },
    "ladder": {
        "source": Column("text", "where the activity comes from", ("neural", "network")),
        **_WHO,
        "stimuli": Column("text", "all stimuli, or the fixed (repeated) ones alone", ("all", "fixed")),
        "rung": Column("integer", "number of controls", low=0),
        "controls": Column("text", "controls of this rung; `none` on the lowest"),
        "value": Column("number", "squared separation of target and nontarget under these controls; null value 0"),
        "n_units": Column("integer", "units of the session"),
        "status": Column("text", "`ok`, or why there is no value"),
    },
    "predictions": {
        **{name: _WHO[name] for name in ("subject", "session", "day", "phase")},
        "trial": Column("integer", "number of the trial in the source's table"),
        "stimulus": Column("text", "what was presented"),
        "class": Column("text", "its class"),
        "decision_value": Column("number", "held-out f(x); positive means target"),
        "margin": Column("number", "held-out y f(x)/|w|, in SDs of the standardised units"),
        "predicted": Column("text", "the class the decoder reads out"),
        "animal_correct": share("1 the animal was right, 0 wrong, empty unknown"),
    },
    "dynamics": {
        **_WHO,
        "train_time": Column("number", "centre of the window that the decoders were trained in, s from the event"),
        "test_time": Column("number", "centre of the window of the held-out trials, s from the event"),
        "accuracy": share("balanced accuracy, mean over draws; empty where it could not be measured, see status"),
        "margin": Column("number", "mean held-out y f(x)/|w|, in SDs of the units standardised at train_time"),
        "null_mean": share("mean accuracy over label permutations"),
        "null_sd": Column("number", "SD of accuracy over label permutations"),
        "p": share("one-sided (b+1)/(m+1) of accuracy, for this row alone"),
        "p_max": share(
            "the same against the largest accuracy of each permutation: over all windows where train_time is "
            "test_time, over all pairs of windows elsewhere"
        ),
        "n_trials": Column("integer", "trials per draw, all classes together"),
        "n_units": Column("integer", "units per draw"),
        "n_draws": Column("integer", "random draws of units and trials"),
        "n_permutations": Column("integer", "label permutations behind p"),
        "status": Column("text", "`ok`, or why there is no value"),
    },
    "transitions": {
        "subject": _WHO["subject"],
        "stimulus": Column("text", "what was presented"),
        "class": Column("text", "its class"),
        "source": Column(
            "text", "whose answers: the animal's, or those of the held-out decoder", ("animal", "decoder")
        ),
        "n_days": Column("integer", "days with presentations enough to enter the test"),
        "n_trials": Column("integer", "presentations with a known outcome on these days"),
        "first_day": Column("number", "first of these days"),
        "last_day": Column("number", "last of these days"),
        "day_of_change": Column("number", "first day after the best step up; empty if untestable"),
        "before": share("fraction correct before the step"),
        "after": share("fraction correct after the step"),
        "smooth_first": share("fraction correct of the smooth fit, a line in log-odds, on first_day"),
        "smooth_last": share("fraction correct of the smooth fit on last_day"),
        "lambda": Column("number", "log-likelihood of the best step minus that of the smooth fit"),
        "p": share("one-sided (b+1)/(m+1) of lambda against counts drawn from the smooth fit, day effects included"),
        "q": share("p with Benjamini and Hochberg's correction over the stimuli tested of this source"),
        "p_saturating": share(
            "the same against a rise that takes 3 days or more and levels off; where q is low enough"
        ),
        "wrong_to_right": Column("flag", "whether before is below one half and after above"),
        "status": Column("text", "`abrupt`, `abrupt or saturating`, `day effect: ...`, `smooth`, or `untestable: ...`"),
    },
    "similarity": {
        **_WHO,
        "category_a": Column("text", "trial type"),
        "category_b": Column("text", "trial type"),
        "correlation": Column("number", "mean Pearson r of population vectors, no trial with itself", low=-1, high=1),
        "n_pairs": Column("integer", "pairs of trials averaged"),
    },
    "scatter": {
        **_WHO,
        "trial": Column("integer", "number of the trial in the source's table"),
        "class": Column("text", "class of the stimulus"),
        "axis_1": Column("number", "first coordinate"),
        "axis_2": Column("number", "second coordinate"),
        "axes": Column("text", "how the axes were made", ("tracked units", "decoder")),
    },
}
