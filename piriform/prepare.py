"""What of one subject enters the analysis: behaviour, phases, and a trial tensor per session?

Behaviour comes first, because the plateau may say where overtraining begins; then one session at a
time is aligned and checked. A session that cannot be used keeps its row and its reason, and the
others go on. Nothing is written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform import config
from piriform.align import align_spikes, align_traces, bin_centres
from piriform.behavior import behavior_table
from piriform.errors import ConfigError, PiriformError, RemoteError, StudyError
from piriform.inclusion import Chosen, included, too_little, total
from piriform.mapping import map_trials
from piriform.nwb import Activity, check_unchanged, read_activity, read_trials, sha256_of
from piriform.study import phase_of, reason_of, reasons_text
from piriform.trials import TRIAL_COORDS, make_trials


@dataclass(frozen=True)
class Session:
    """One session before its activity is read.

    Attributes
    ----------
    row : row of the table ``sessions``; ``reason`` says why the session cannot be used, if so
    trials : see :class:`piriform.mapping.MappedTrials`
    excluded : numbers of the trials left out, by reason
    """

    row: Mapping[str, Any]
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)
    excluded: Mapping[str, list[int]] = field(default_factory=dict)


def subject_sessions(
    index: pd.DataFrame,
    *,
    trials: config.Trials,
    classes: config.Classes,
    phases: config.Phases,
    plateau: config.Plateau,
) -> tuple[list[Session], pd.DataFrame]:
    """Return the sessions of one subject with their trials and phases, and its behaviour.

    Parameters
    ----------
    index : the subject's rows of the table that :func:`piriform.study.index_study` returns

    Returns
    -------
    sessions : one per row, in the same order
    behavior : table ``behavior`` of the sessions whose trials could be read, also of those that
        will be left out for their activity
    """
    sessions = [_read_session(dict(row), trials, classes, phases) for _, row in index.iterrows()]
    return with_behavior(sessions, phases=phases, plateau=plateau)


def session_of(
    row: Mapping[str, Any],
    raw: pd.DataFrame,
    *,
    trials: config.Trials,
    classes: config.Classes,
    phases: config.Phases,
) -> Session:
    """Return one session from its table of trials.

    Parameters
    ----------
    row : row of the table ``sessions``; ``file`` names the session in errors
    raw : the lab's table, see :func:`piriform.mapping.map_trials`
    """
    mapped = map_trials(raw, trials=trials, classes=classes, where=row["file"])
    values = raw.loc[mapped.trials.index, phases.column] if phases.column else ()
    phase = phase_of(row["day"], phases=phases, values=values, where=row["file"])
    return Session({**row, "phase": phase}, mapped.trials, mapped.excluded)


def with_behavior(
    sessions: list[Session], *, phases: config.Phases, plateau: config.Plateau
) -> tuple[list[Session], pd.DataFrame]:
    """Return the sessions of one subject, with phases where they come from its plateau, and its behaviour."""
    usable = [session for session in sessions if not session.row["reason"]]
    behavior = behavior_table([(session.row, session.trials) for session in usable], plateau=plateau)
    if phases.from_plateau:
        day = float(behavior["plateau_day"].iloc[0]) if len(behavior) else np.nan
        sessions = [
            _with_phase(session, phase_of(session.row["day"], phases=phases, plateau_day=day)) for session in sessions
        ]
        names = {session.row["session"]: session.row["phase"] for session in sessions}
        behavior = behavior.assign(phase=behavior["session"].map(names))
    return sessions, behavior


def session_tensor(
    session: Session,
    *,
    response: config.Response,
    classes: config.Classes,
    inclusion: config.Inclusion,
) -> tuple[dict[str, Any], xr.DataArray | None]:
    """Return a session's complete row of the table ``sessions`` and its trial tensor, if it is included.

    Which units and trials enter: :func:`piriform.inclusion.included`.
    """
    row, path = dict(session.row), session.row["file"]
    parts: dict[str, Any] = {"response": response, "classes": classes, "inclusion": inclusion}
    if row["reason"]:
        return row, None
    row |= {"n_trials_excluded": total(session.excluded), "trials_excluded": reasons_text(session.excluded)}
    try:
        check_unchanged(path, row.get("version", ""))
        row["sha256"] = sha256_of(path)
        end = float(session.trials["stop_time"].max()) if len(session.trials) else np.inf
        activity = read_activity(path, response, session_end=end)
        rates = _aligned(activity, session.trials["event_time"].to_numpy(), response, path)
        return tensor_of(replace(session, row=row), rates, activity, **parts)
    except (ConfigError, RemoteError):
        raise
    except PiriformError as error:
        return row | {"included": False, "reason": reason_of(error, path)}, None


def tensor_of(
    session: Session,
    rates: np.ndarray,
    activity: Activity,
    *,
    response: config.Response,
    classes: config.Classes,
    inclusion: config.Inclusion,
) -> tuple[dict[str, Any], xr.DataArray | None]:
    """Return a session's row and trial tensor from rates that are aligned to its events.

    Parameters
    ----------
    rates : (n_trials, n_units, n_bins) array in the bins of ``response``, a row for each row of ``session.trials``
    activity : what is known of the units
    """
    about: dict[str, Any] = {"response": response, "min_rate": inclusion.min_rate}
    chosen = included(rates, activity, session.trials, session.excluded, **about)
    reason = too_little(int(chosen.units.sum()), chosen.table["class"], classes, inclusion)
    row = dict(session.row) | chosen.columns(reason)
    return row, None if row["reason"] else _tensor(rates, activity, session, chosen, row, response)


# Trials ---------------------------------------------------------------------------------------


def _read_session(
    row: dict[str, Any], trials: config.Trials, classes: config.Classes, phases: config.Phases
) -> Session:
    if row["reason"]:
        return Session(row)
    try:
        check_unchanged(row["file"], row.get("version", ""))
        raw = read_trials(row["file"], trials, phase=phases.column)
        return session_of(row, raw, trials=trials, classes=classes, phases=phases)
    except (ConfigError, RemoteError):
        raise
    except PiriformError as error:
        return Session(row | {"included": False, "reason": reason_of(error, row["file"])})


def _with_phase(session: Session, phase: str) -> Session:
    return session if session.row["reason"] else replace(session, row={**session.row, "phase": phase})


# Activity -------------------------------------------------------------------------------------


def _aligned(activity: Activity, event_times: np.ndarray, response: config.Response, path: str) -> np.ndarray:
    """(n_trials, n_units, n_bins) rates or traces."""
    cut: dict[str, Any] = {"window": response.window, "bin_width": response.bin}
    if activity.kind == "units":
        return align_spikes(activity.spike_times, event_times, obs_intervals=activity.obs_intervals, **cut)
    for part in activity.traces:
        frame = float(np.median(np.diff(part.timestamps))) if len(part.timestamps) > 1 else np.inf
        if frame > response.bin * (1 + 1e-6):
            raise StudyError(
                f"{path}: frames are {frame:g} s apart, further than bins of {response.bin:g} s; "
                f"set response.bin to at least {frame:g}"
            )
    parts = [align_traces(part.data, part.timestamps, event_times, **cut) for part in activity.traces]
    if len(parts) == 1:
        return parts[0]
    n_bins = len(bin_centres(response.window, response.bin))
    return np.concatenate([np.empty((len(event_times), 0, n_bins), dtype=np.float32), *parts], axis=1)


def _tensor(
    rates: np.ndarray,
    activity: Activity,
    session: Session,
    chosen: Chosen,
    row: Mapping[str, Any],
    response: config.Response,
) -> xr.DataArray:
    units = np.flatnonzero(chosen.units)
    everything = chosen.trials.all() and chosen.units.all()
    attrs = {name: row[name] for name in ("subject", "session", "day", "phase")}
    return make_trials(
        rates if everything else rates[np.ix_(chosen.trials, units)],
        time=bin_centres(response.window, response.bin),
        trials=chosen.table[list(TRIAL_COORDS)],
        unit_id=[activity.unit_id[unit] for unit in units],
        tracked_id=[activity.tracked_id[unit] for unit in units],
        attrs=attrs
        | {
            "units": activity.units,
            "source_file": row["file"],
            "source_sha256": row["sha256"],
            "bin_width": response.bin,
        },
    )
