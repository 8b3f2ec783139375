"""What is in a study and what is missing, before anything is computed?

Reads headers, interval tables and numbers of units; no spike train.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.check.contents import Contents, Recorded, known, read_contents
from piriform.check.lines import check_lines, proposal_yaml
from piriform.check.possible import metrics_possible, parts_possible
from piriform.check.proposal import proposed
from piriform.config import Config
from piriform.convert import NOT_CONVERTED
from piriform.errors import ConfigError, PiriformError, StudyError
from piriform.inclusion import too_little
from piriform.nwb.clock import TOO_LATE
from piriform.nwb.trials import wanted_columns
from piriform.prepare import Session, session_of
from piriform.remote import access
from piriform.run import study_config
from piriform.sessions import study_sessions
from piriform.study import reason_of

__all__ = ["check_lines", "check_study"]


@dataclass(frozen=True)
class _Checked:
    """One session: its trials, what the file holds, and what the table of sessions says of it."""

    session: Session
    contents: Contents = field(default_factory=Contents)
    said: Mapping[str, Any] = field(default_factory=dict)


def check_study(study: str | Path, *, config: str | Path | None = None) -> dict[str, Any]:
    """Return what a study holds, what a run would make of it, and a mapping where the config's does not fit.

    Parameters
    ----------
    study : folder of NWB files, one file, or the address of either
    config : YAML file; without one the columns and classes of the demo study are tried

    Returns
    -------
    dict with ``study``, ``data``, ``config`` (the parts that a run would use), ``n_files``, ``n_usable``,
    ``subjects``, ``sessions``, ``columns``, ``metrics``, ``parts`` (of the analysis), and ``proposal``
    (None where the config fits)

    Raises
    ------
    ConfigError
        If the config breaks the schema or names a session that does not exist.
    StudyError
        If there is no NWB file.
    """
    settings = study_config(study, config=config)
    with access(settings.remote):
        index = study_sessions(settings.data, days=settings.phases.days, sessions=settings.inclusion.sessions)
        checked = [_check_session(dict(row), settings) for _, row in index.iterrows()]
    usable = [one.session for one in checked if not one.session.row["reason"]]
    used = settings.model_dump(mode="json", include={"response", "trials", "classes", "phases"})
    columns = _columns(checked, settings)
    propose = config is None or bool(columns["missing"])
    return {
        "study": settings.study,
        "data": str(study),
        "config": {"file": None if config is None else str(config)} | used,
        "n_files": sum(not one.said["reason"].startswith(NOT_CONVERTED) for one in checked),
        "n_usable": len(usable),
        "subjects": _subjects([dict(one.said) for one in checked]),
        "sessions": [dict(one.said) for one in checked],
        "columns": columns,
        "metrics": metrics_possible(usable, settings),
        "parts": parts_possible(usable, settings),
        "proposal": _proposal(checked, settings, str(study)) if propose else None,
    }


def _check_session(row: dict[str, Any], settings: Config) -> _Checked:
    """Everything that can be said of one file; what is wrong with it becomes its reason."""
    session, contents, said = Session(row), Contents(), _nothing_said()
    try:
        if row["subject"]:
            contents = read_contents(row["file"], settings)
        said |= _counts(contents, settings)
        if not row["reason"]:
            session = _with_trials(row, contents, settings)
            said["excluded"] = {reason: len(numbers) for reason, numbers in session.excluded.items()}
            recorded = known(contents.taken)
            session, windows = _within(session, recorded, settings)
            said |= windows | {"units": recorded.n_units, "kind": recorded.kind}
            said["classes"] = {str(name): int(n) for name, n in session.trials["class"].value_counts().items()}
            row = {**session.row, "reason": _reason(session, recorded, settings)}
    except ConfigError:
        raise
    except PiriformError as error:
        row = {**session.row, "reason": reason_of(error, row["file"])}
    who = {name: row[name] for name in ("subject", "session", "date", "day", "phase", "file", "reason")}
    return _Checked(replace(session, row=row), contents, who | {"usable": not row["reason"]} | said)


def _nothing_said() -> dict[str, Any]:
    numbers = {"units": 0, "kind": "", "rows": 0, "classes": {}, "excluded": {}}
    return numbers | {"recorded": None, "windows_outside": 0, "trials_lost": 0}


def _counts(contents: Contents, settings: Config) -> dict[str, Any]:
    """Rows of the table and units, which can be told also where the config does not fit."""
    best = contents.recorded.get("units") or next(iter(contents.recorded.values()), None)
    if isinstance(contents.trials, pd.DataFrame):
        rows = len(contents.trials)
    else:
        named = contents.tables.get(str(settings.trials.table))
        rows = max((len(one) for one in contents.tables.values()), default=0) if named is None else len(named)
    return {"rows": rows} | ({"units": best.n_units, "kind": best.kind} if best else {})


def _with_trials(row: Mapping[str, Any], contents: Contents, settings: Config) -> Session:
    parts: dict[str, Any] = {"trials": settings.trials, "classes": settings.classes, "phases": settings.phases}
    session = session_of(row, known(contents.trials), **parts)
    return replace(session, row={**session.row, "phase": ""}) if settings.phases.from_plateau else session


def _within(session: Session, recorded: Recorded, settings: Config) -> tuple[Session, dict[str, Any]]:
    """The session without the trials whose analysed windows were not recorded, and how many run past it.

    Where nothing but the last spike tells the end, no trial is taken out: a run takes silence there for silence.
    """
    response = settings.response
    said: dict[str, Any] = {"windows_outside": 0, "trials_lost": 0, "recorded": None}
    if not np.isfinite(recorded.stop):
        return session, said
    events = session.trials["event_time"].to_numpy(dtype=float)
    ends = session.trials["stop_time"].max()
    if recorded.stop > TOO_LATE * ends:
        raise StudyError(
            f"{session.row['file']}: {recorded.known_from} at {recorded.stop:g}, the last trial ends at {ends:g} s; "
            "times must be in seconds"
        )
    analysed = [window for window in (response.response_window, response.baseline_window) if window]
    outside = _outside(events, response.window, recorded)
    lost = np.any([_outside(events, window, recorded) for window in analysed], axis=0)
    lost &= recorded.known_from != "last spike"
    said["recorded"] = {"start": recorded.start, "stop": recorded.stop, "known_from": recorded.known_from}
    said |= {"windows_outside": int(outside.sum()), "trials_lost": int(lost.sum())}
    return replace(session, trials=session.trials[~lost]), said


def _outside(events: np.ndarray, window: tuple[float, float], recorded: Recorded) -> np.ndarray:
    early = events + window[0] < recorded.start - 1e-9
    return np.asarray(early | (events + window[1] > recorded.stop + 1e-9))


def _reason(session: Session, recorded: Recorded, settings: Config) -> str:
    """Why the session cannot be analysed, as far as numbers of units and trials tell; "" if it can."""
    return too_little(recorded.n_units, session.trials["class"], settings.classes, settings.inclusion)


def _subjects(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for subject in dict.fromkeys(row["subject"] for row in rows if row["subject"]):
        own = [row for row in rows if row["subject"] == subject]
        found.append(
            {
                "subject": subject,
                "n_sessions": len(own),
                "n_usable": sum(row["usable"] for row in own),
                "first": min(row["date"] for row in own),
                "last": max(row["date"] for row in own),
                "days": [int(row["day"]) for row in own],
                "phases": dict(Counter(row["phase"] or "not yet known" for row in own if row["usable"])),
            }
        )
    return found


def _columns(checked: Sequence[_Checked], settings: Config) -> dict[str, Any]:
    """Columns of the trials that the config names, those that sessions lack, and those it leaves unmapped."""
    wanted = wanted_columns(settings.trials, phase=settings.phases.column)
    found = [one.contents for one in checked if one.contents.trials is not None]
    lacking = {key: sum(key in one.lacking for one in found) for key in wanted}
    used = {name.partition(".")[0] for name in wanted.values()} | {*wanted.values(), "table"}
    names = settings.trials.series or settings.trials.table
    return {
        "table": names if isinstance(names, str) else ", ".join(names),
        "used": wanted,
        "missing": {key: {"column": wanted[key], "n_sessions": n} for key, n in lacking.items() if n},
        "unmapped": [name for name in dict.fromkeys(name for one in found for name in one.columns) if name not in used],
    }


def _proposal(checked: Sequence[_Checked], settings: Config, data: str) -> dict[str, Any] | None:
    found = proposed([one.contents for one in checked], classes=settings.classes)
    if found is None:
        return None
    config = {"study": settings.study, "data": data} | dict(found.sections)
    return {
        "config": config,
        "values": {column: dict(values) for column, values in found.values.items()},
        "notes": list(found.notes),
        "yaml": proposal_yaml(config, found.values, found.notes),
    }
