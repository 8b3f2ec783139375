"""Which columns of a lab's tables could mean what, by their names and values?"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from piriform.check.contents import Contents, Recorded
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
    "category": (
        r"trial_type",
        r"condition",
        r"category|(trial_|stimulus_)?class|type|stim(ulus)?_type",
        r".*type.*",
        r"table|value",
    ),
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
    """Return a mapping for the columns that the files share; None where no file has trials.

    Parameters
    ----------
    classes : taken where their categories are values of the proposed category column
    """
    source, tables = trial_tables(contents)
    if not tables:
        return None
    shared = [column for column in tables[0] if all(column in table for table in tables)]
    raw = pd.concat([table[shared] for table in tables], ignore_index=True)
    notes: list[str] = []
    columns = _columns(raw, tables, notes)
    phase = columns.pop("phase")
    trials = source | columns
    trials |= _right(raw, trials, notes)
    listed = [str(column) for column in (trials["category"], trials["choice"], phase) if column]
    values = {column: dict(Counter(labels(raw[column]))) for column in listed}
    sections = _response(contents, notes) | {"trials": trials}
    sections["classes"] = _classes(classes, values[str(trials["category"])], notes)
    sections["phases"] = _phases(phase, values.get(str(phase), {}), trials["correct"], notes)
    return Proposal(sections, values, notes)


def trial_tables(contents: Sequence[Contents]) -> tuple[dict[str, Any], list[pd.DataFrame]]:
    """Return the keys of ``trials`` that name where trials could come from, and the trials of each file that has them.

    That is one table; or, where it says nothing of the stimulus, all tables with the same columns (one
    for each stimulus); or, without a table, the stimulus series.
    """
    key, found = "table", [dict(one.tables) for one in contents]
    if not any(len(table) for tables in found for table in tables.values()):
        key, found = "series", [dict(one.series) for one in contents]
    best = _table_name(found)
    if best is None:
        return {}, []
    alike = _alike(best, found)
    if len(alike) == 1:
        return {key: best}, [tables[best] for tables in found if best in tables and len(tables[best])]
    whole = [_joined({name: tables[name] for name in alike if name in tables}) for tables in found]
    return {key: alike}, [table for table in whole if len(table)]


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows of several tables, with the name of the table of each."""
    parts = [table.assign(table=name) for name, table in tables.items() if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _alike(best: str, found: Sequence[Mapping[str, pd.DataFrame]]) -> list[str]:
    """The tables with the columns of the best one, where none of them could be the category or the stimulus."""
    columns = next(list(tables[best]) for tables in found if best in tables)
    tables = [one[best] for one in found if best in one]
    labels_there = [
        name
        for name in map(str, columns)
        if (_fits("category", name) or _fits("stimulus", name)) and _suits("category", name, tables)
    ]
    if labels_there:
        return [best]
    alike = {name for one in found for name, table in one.items() if len(table) and list(table) == columns}
    others = alike - {"trials", "epochs"}
    return sorted(others) if len(others) > 1 else [best]


def _table_name(found: Sequence[Mapping[str, pd.DataFrame]]) -> str | None:
    """The table with rows that most files have; of several the one with the most names that are known."""
    counts = Counter(name for tables in found for name, table in tables.items() if len(table))
    if not counts:
        return None
    known = dict.fromkeys(counts, 0)
    for tables in found:
        for name in counts.keys() & tables.keys():
            meant = [key for key in NAMES if any(_fits(key, str(column)) for column in tables[name])]
            known[name] = max(known[name], len(meant))
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


def _response(contents: Sequence[Contents], notes: list[str]) -> dict[str, Any]:
    """Which series of ROIs, and bins that hold a frame where frames are further apart than those of the default."""
    imaged = [one.recorded for one in contents if one.recorded]
    if not imaged or any("units" in recorded for recorded in imaged):
        return {}
    series = _series(imaged, notes)
    frames = [max(part.frame for part in recorded.values()) for recorded in imaged]
    if not max(frames) > 0.1:
        return {"response": series} if series else {}
    width = round(float(np.ceil(max(frames) / 0.05 - 1e-6) * 0.05), 2)
    before, after, late = (int(np.ceil(span / width)) for span in (0.5, 2.0, 0.6))
    spans = {"window": (-before, after), "response_window": (0, late), "baseline_window": (-before, 0)}
    edges = {name: [round(edge * width, 6) for edge in span] for name, span in spans.items()}
    return {"response": {"kind": "roi"} | series | {"bin": width} | edges}


def _series(imaged: Sequence[Mapping[str, Recorded]], notes: list[str]) -> dict[str, Any]:
    """The series of ROIs to name: none where one is taken anyway, all where each is of another plane."""
    shared = [name for name in imaged[0] if all(name in recorded for recorded in imaged)]
    dff = [name for name in shared if imaged[0][name].dff]
    several = dff or shared
    if len(several) < 2:
        return {}
    if len({imaged[0][name].plane for name in several}) == len(several):
        return {"roi_series": sorted(several)}
    notes.append(
        f"several series hold the same ROIs: name one of each plane in response.roi_series, of {_listed(several)}"
    )
    return {}


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:8]) + (", ..." if len(texts) > 8 else "")
