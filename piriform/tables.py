"""What may stand in a result table? Columns, kinds, units and checks of every tidy table.

One row is one measurement. The same declarations write the tables, check them on load and make
the reference page ``docs/outputs.md``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.errors import TableError, known
from piriform.provenance import atomic_path

PHASES = ("training", "overtraining", "")
#: Subject of the pseudo-population of all units of a study; it is no animal and enters no group test.
POOLED = "pooled"


@dataclass(frozen=True)
class Column:
    """One column: its kind (``text``, ``integer``, ``number`` or ``flag``) and what it says."""

    kind: str
    meaning: str
    allowed: tuple[str, ...] = ()
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Metric:
    """One measure of a session: what it is, its value under the null, which way learning moves it."""

    meaning: str
    null: float | None
    learning: int  # +1 rises with learning, -1 falls, 0 no fixed direction
    unit: str = ""


_WHO = {
    "subject": Column("text", "animal, or network"),
    "session": Column("text", "one recording; unique within the subject"),
    "day": Column("integer", "day of training, 1 = the subject's first session; checkpoint step for a network"),
    "phase": Column("text", "training, overtraining, or empty where it is not known", PHASES),
}


def _share(meaning: str) -> Column:
    return Column("number", meaning, low=0.0, high=1.0)


TABLES: dict[str, dict[str, Column]] = {
    "sessions": {
        "subject": Column("text", "animal; empty where the file could not be read"),
        "session": Column("text", "session id, made unique within the subject"),
        "day": Column("integer", "days since the subject's first session, plus 1; 0 where unknown"),
        "date": Column("text", "session start, ISO 8601"),
        "phase": _WHO["phase"],
        "file": Column("text", "source file"),
        "sha256": Column("text", "SHA-256 of the source file"),
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
        "accuracy": _share("fraction correct"),
        "ci_low": _share("lower end of the 95% Wilson interval"),
        "ci_high": _share("upper end of the 95% Wilson interval"),
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
        "p": _share("one-sided (b+1)/(m+1) towards learning"),
        "p_max": _share("the same for the family of all metrics of this session, stimuli and matching (max statistic)"),
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
        "animal_correct": _share("1 the animal was right, 0 wrong, empty unknown"),
    },
    "dynamics": {
        **_WHO,
        "train_time": Column("number", "centre of the window that the decoders were trained in, s from the event"),
        "test_time": Column("number", "centre of the window of the held-out trials, s from the event"),
        "accuracy": _share("balanced accuracy, mean over draws; empty where it could not be measured, see status"),
        "margin": Column("number", "mean held-out y f(x)/|w|, in SDs of the units standardised at train_time"),
        "null_mean": _share("mean accuracy over label permutations"),
        "null_sd": Column("number", "SD of accuracy over label permutations"),
        "p": _share("one-sided (b+1)/(m+1) of accuracy, for this row alone"),
        "p_max": _share(
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
        "before": _share("fraction correct before the step"),
        "after": _share("fraction correct after the step"),
        "smooth_first": _share("fraction correct of the smooth fit, a line in log-odds, on first_day"),
        "smooth_last": _share("fraction correct of the smooth fit on last_day"),
        "lambda": Column("number", "log-likelihood of the best step minus that of the smooth fit"),
        "p": _share("one-sided (b+1)/(m+1) of lambda against counts drawn from the smooth fit, day effects included"),
        "q": _share("p with Benjamini and Hochberg's correction over the stimuli tested of this source"),
        "p_saturating": _share(
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

METRICS: dict[str, Metric] = {
    "decoding_accuracy": Metric("balanced accuracy of held-out trials", 0.5, 1),
    "decoding_auc": Metric("area under the ROC curve of held-out trials", 0.5, 1),
    "separation_crossnobis": Metric("cross-validated squared Mahalanobis distance per unit", 0.0, 1, "noise variances"),
    "separation_dprime": Metric("held-out d' along the discriminant", 0.0, 1, "noise SDs"),
    "separation_modulation": Metric(
        "cross-validated mean squared relative rate difference of target and nontarget, with all controls "
        "(relative to noise variance where activity is no rate)",
        0.0,
        1,
        "squared relative rate",
    ),
    "similarity_dot": Metric("mean dot product of z-scored target and nontarget trials", None, -1),
    "similarity_dot_cv": Metric("the same from independent halves of the session", 0.0, -1),
    "similarity_cosine": Metric("cosine of the evoked target and nontarget mean vectors", None, -1),
    "margin_heldout": Metric("mean held-out signed distance to the boundary", 0.0, 1, "unit SDs"),
    "margin_heldout_p05": Metric("5th percentile of the held-out signed distance", None, 1, "unit SDs"),
    "margin_soft": Metric(
        "soft margin 1/|w| in sample (as published; not monotone in separability)", None, 0, "unit SDs"
    ),
    "generalization_stimulus": Metric("balanced accuracy for nontarget stimuli left out of training", 0.5, 1),
    "generalization_probe": Metric("balanced accuracy, held-out targets against probes never trained on", 0.5, 1),
    "generalization_time": Metric("balanced accuracy, first half of the session to its second half", 0.5, 1),
    "ccgp": Metric("balanced accuracy across conditions: trained on some stimuli, tested on all others", 0.5, 1),
    "participation_ratio": Metric("participation ratio of the trial covariance", None, 0),
}


def metric_of(name: str) -> Metric:
    """Return the declaration of a metric; `generalization_probe_x` is the probe metric for probe `x`."""
    base = "generalization_probe" if name.startswith("generalization_probe_") else name
    return METRICS[known("metric", base, METRICS, TableError)]


def check_table(table: pd.DataFrame, kind: str, *, where: str = "") -> pd.DataFrame:
    """Return ``table`` with its columns in order and cast to their kinds.

    Raises
    ------
    TableError
        If a column is missing or unknown, cannot be cast, or holds a value out of range.
    """
    columns = TABLES[known("table", kind, TABLES, TableError)]
    where = where or f"{kind}.csv"
    missing = [name for name in columns if name not in table]
    extra = [str(name) for name in table if name not in columns]
    if missing or extra:
        raise TableError(
            f"{where}: missing column(s) {', '.join(missing) or 'none'}, unknown column(s) "
            f"{', '.join(extra) or 'none'}; expected {', '.join(columns)}"
        )
    return pd.DataFrame(
        {name: _cast(table[name], column, f"{where}: column {name!r}") for name, column in columns.items()}
    )


def save_table(table: pd.DataFrame, kind: str, path: str | Path) -> None:
    """Check and write a table as CSV, and as Parquet where the name ends so; temporary name, then rename."""
    checked = check_table(table, kind, where=str(path))
    with atomic_path(path) as temporary:
        if str(path).endswith(".parquet"):
            checked.to_parquet(temporary, index=False)
        else:
            checked.to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: str | Path, kind: str) -> pd.DataFrame:
    """Read and check a CSV table; raises :class:`TableError` that names the file and the column."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise TableError(f"{path}: no such file; expected the table {kind!r}") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a CSV table ({error})") from error
    return check_table(table, kind, where=str(path))


def empty_table(kind: str) -> pd.DataFrame:
    """Return the table without rows."""
    return check_table(pd.DataFrame(columns=list(TABLES[kind])), kind)


def _cast(values: pd.Series, column: Column, where: str) -> pd.Series:
    try:
        cast = _CASTS[column.kind](values)
    except (ValueError, TypeError) as error:
        raise TableError(f"{where}: expected {column.kind} values ({error})") from error
    if column.allowed and not cast.isin(column.allowed).all():
        wrong = sorted(set(cast) - set(column.allowed))
        raise TableError(f"{where}: {wrong[0]!r} is not one of {', '.join(map(repr, column.allowed))}")
    if column.kind == "number" and ((cast < column.low) | (cast > column.high)).any():
        raise TableError(f"{where}: values outside [{column.low:g}, {column.high:g}]")
    return cast


def _text(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), "").map(str).astype(object)


def _number(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values.replace("", np.nan), errors="raise").astype(float)


def _integer(values: pd.Series) -> pd.Series:
    numbers = _number(values)
    if not (numbers == numbers.round()).all():
        raise ValueError("whole numbers only, none missing")
    return numbers.astype(np.int64)


def _flag(values: pd.Series) -> pd.Series:
    flags = values.map({True: True, False: False, "True": True, "False": False})
    if flags.isna().any():
        raise ValueError("True or False only")
    return flags.astype(bool)


_CASTS = {"text": _text, "number": _number, "integer": _integer, "flag": _flag}
