"""Which columns of a lab's tables could mean what, by their names and values?"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from piriform.check.contents import Contents
from piriform.config import Classes
from piriform.mapping import MISSING, NO, YES, labels

#: Names of columns as regular expressions, the likelier first; every column is taken once.
NAMES: dict[str, tuple[str, ...]] = {
    "align_to": (
        r"odou?r_on(set)?(_times?)?",
        r"stim(ulus)?_on(set)?(_times?)?",
        r"(tone|sound|image|visual|grating)_on(set)?(_times?)?",
        r"(stim(ulus)?|odou?r)_(start|time)(_time)?",
        r"(sample|go)_?cue(_(on|onset|time|start_time))?",
        r"cue(_(on|onset|time|start_time))?|go_?cue",
        r"event_time|onset(_time)?",
        r".*onset.*|.*stim.*_on\b.*",
    ),
    "correct": (
        r"(is_)?correct",
        r"(trial_)?outcome",
        r"result|feedback(_type)?|performance",
        r".*(correct|outcome).*",
        r"response",
    ),
    "choice": (r"choice", r"response(_(side|choice|type))?", r"action|decision|animal_choice", r".*choice.*|lick"),
    "response_time": (r"response_times?|first_lick(_times?)?|lick_times?|choice_times?", r".*(lick|response).*time.*"),
    "category": (r"trial_type", r"condition", r"category|(trial_|stimulus_)?class|type|stim(ulus)?_type", r".*type.*"),
    "stimulus": (r"odou?r", r"stim(ulus)?", r"(odou?r|stim(ulus)?|image)_(id|name|identity)", r"tone|sound|image|cue"),
    "stratum": (r"shared_components|difficulty",),
    "block": (r"block(_(id|number|num|nr))?",),
    "phase": (r"(training|session|learning)_phase", r"phase", r"(training_)?stage"),
}
#: Values of an outcome that mean right where it is neither yes nor no.
RIGHT = ("correct", "hit", "hits", "cr", "correct_rejection", "correct_reject", "rewarded")
#: Values of a phase that mean overtraining.
LATE = ("overtraining", "overtrained", "expert", "post_plateau")


@dataclass(frozen=True)
class Proposal:
    """A mapping that could fit a study.

    Attributes
    ----------
    sections : parts of a config: response, trials, classes, phases
    values : value -> number of trials, for the columns whose values have to be assigned
    notes : what has to be decided or could not be found
    """

    sections: Mapping[str, Any]
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def proposed(contents: Sequence[Contents], *, classes: Classes) -> Proposal | None:
    """Return a mapping for the columns that the files share; None where no file has an interval table.

    Parameters
    ----------
    classes : taken where their categories are values of the proposed category column
    """
    name = _table_name(contents)
    if name is None:
        return None
    tables = [one.tables[name] for one in contents if name in one.tables and len(one.tables[name])]
    shared = [column for column in tables[0] if all(column in table for table in tables)]
    raw = pd.concat([table[shared] for table in tables], ignore_index=True)
    notes: list[str] = []
    columns = _columns(raw, tables, notes)
    phase = columns.pop("phase")
    trials = {"table": name} | columns
    trials |= _right(raw, trials, notes)
    listed = [str(column) for column in (trials["category"], trials["choice"], phase) if column]
    values = {column: dict(Counter(labels(raw[column]))) for column in listed}
    sections = _response(contents) | {"trials": trials}
    sections["classes"] = _classes(classes, values[str(trials["category"])], notes)
    sections["phases"] = _phases(phase, values.get(str(phase), {}), trials["correct"], notes)
    return Proposal(sections, values, notes)


def _table_name(contents: Sequence[Contents]) -> str | None:
    """The table with rows that most files have; of several the one with the most names that are known."""
    counts = Counter(name for one in contents for name, table in one.tables.items() if len(table))
    if not counts:
        return None
    known = dict.fromkeys(counts, 0)
    for one in contents:
        for name in counts.keys() & one.tables.keys():
            found = [key for key in NAMES if any(_fits(key, str(column)) for column in one.tables[name])]
            known[name] = max(known[name], len(found))
    return max(counts, key=lambda name: (known[name], counts[name], name == "trials"))


def _columns(raw: pd.DataFrame, tables: Sequence[pd.DataFrame], notes: list[str]) -> dict[str, Any]:
    """The column of each meaning, None where there is none."""
    found: dict[str, Any] = {}
    for key, patterns in NAMES.items():
        free = [str(name) for name in raw if name not in {"start_time", "stop_time", *found.values()}]
        named = [name for pattern in patterns for name in free if re.fullmatch(pattern, _plain(name))]
        found[key] = next((name for name in named if _suits(key, name, tables)), None)
        if key == "align_to" and named and named[0] != found[key]:
            notes.append(f"{named[0]!r} holds no times in s from the session's start, so trials.align_to cannot be it")
    if found["align_to"] is None:
        found["align_to"] = "start_time"
        notes.append("no column of an event was found: trials.align_to is the start of the trial; name the event")
    if found["category"] is None:
        taken = {"start_time", "stop_time", *found.values()} - {found["stimulus"]}
        few = [str(name) for name in raw if name not in taken and _suits("category", str(name), tables)]
        found["category"] = found["stimulus"] if found["stimulus"] in few else next(iter(few), "start_time")
        notes.append(f"no column of trial types was found: trials.category is {found['category']!r}, a guess")
    return found


def _fits(key: str, name: str) -> bool:
    return any(re.fullmatch(pattern, _plain(name)) for pattern in NAMES[key])


def _plain(name: str) -> str:
    """A column's name in lower case with words divided by "_"."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()).strip("_")


def _suits(key: str, name: str, tables: Sequence[pd.DataFrame]) -> bool:
    """Whether the values of a column could mean that."""
    if key in ("align_to", "response_time"):
        return any(_on_the_clock(table[name], table["start_time"]) for table in tables if "start_time" in table)
    distinct = {text for table in tables for text in labels(table[name])} - {""}
    if key == "correct" and _plain(name) == "response":  # mostly what the animal did, not whether it was right
        return any(_plain(text) in RIGHT for text in distinct)
    most = {"stimulus": 10_000, "block": 1000, "category": 30}.get(key, 12)
    return (2 if key == "category" else 1) <= len(distinct) <= most


def _on_the_clock(values: pd.Series, start: pd.Series) -> bool:
    """Whether they are numbers that span about the time that the trials span."""
    if not (pd.api.types.is_numeric_dtype(values) and pd.api.types.is_numeric_dtype(start)):
        return False
    spans = [float(np.ptp(times[np.isfinite(times)])) for times in (values.to_numpy(float), start.to_numpy(float))
             if np.isfinite(times).any()]  # fmt: skip
    return len(spans) == 2 and spans[1] / 2 <= spans[0] <= 2 * spans[1]


def _right(raw: pd.DataFrame, trials: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The values that mean right, where the outcome is not yes or no."""
    name = trials["correct"]
    texts = sorted(set(labels(raw[name]))) if name else []
    if all(text.strip().lower() in (*YES, *NO, *MISSING) for text in texts):
        return {}
    right = [text for text in texts if _plain(text) in RIGHT]
    if right:
        return {"correct_values": right}
    notes.append(f"{name!r} holds {_listed(texts)}: name those that mean right in trials.correct_values")
    return {"correct": None}


def _classes(classes: Classes, values: Mapping[str, int], notes: list[str]) -> dict[str, Any]:
    named = {*classes.target, *classes.nontarget, *classes.probe}
    if named and {*classes.target} & values.keys() and {*classes.nontarget} & values.keys() and values.keys() <= named:
        return classes.model_dump(exclude_unset=True)
    notes.append("classes: name the values that are target and nontarget")
    return {"target": [], "nontarget": []}


def _phases(column: str | None, values: Mapping[str, int], correct: str | None, notes: list[str]) -> dict[str, Any]:
    if column is None:
        return {"from_plateau": True} if correct else {}
    late = [value for value in values if _plain(value) in LATE]
    if not late:
        notes.append(f"{column!r} holds {_listed(list(values))}: name those that mean overtraining, if any")
    return {"column": column} | ({"overtraining_values": late} if late else {})


def _response(contents: Sequence[Contents]) -> dict[str, Any]:
    """Bins that hold a frame, where frames are further apart than the bins of the default."""
    frames = [max(part.frame for part in one.recorded.values()) for one in contents if one.recorded]
    has_units = any("units" in one.recorded for one in contents)
    if has_units or not frames or not max(frames) > 0.1:
        return {}
    width = round(float(np.ceil(max(frames) / 0.05 - 1e-6) * 0.05), 2)
    before, after, late = (int(np.ceil(span / width)) for span in (0.5, 2.0, 0.6))
    spans = {"window": (-before, after), "response_window": (0, late), "baseline_window": (-before, 0)}
    edges = {name: [round(edge * width, 6) for edge in span] for name, span in spans.items()}
    return {"response": {"kind": "roi", "bin": width} | edges}


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:8]) + (", ..." if len(texts) > 8 else "")
