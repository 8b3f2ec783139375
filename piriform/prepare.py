"""What of one subject enters the analysis: behaviour, phases, and a trial tensor per session?

Behaviour comes first, because the plateau may say where overtraining begins; then one session at a
time is aligned and checked. A session that cannot be used keeps its row and its reason, and the
others go on. Nothing is written here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform import config
from piriform.align import AT_ONCE, align_spikes, align_traces, bin_centres
from piriform.behavior import behavior_table
from piriform.errors import ConfigError, PiriformError, RemoteError, StudyError
from piriform.mapping import map_trials
from piriform.nwb import Activity, check_unchanged, read_activity, read_trials, sha256_of
from piriform.study import phase_of, reason_of, reasons_text
from piriform.trials import TRIAL_COORDS, make_trials

#: Share of the trials in which a unit may be unobserved without being left out.
MAX_UNOBSERVED = 0.1


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

    Units are left out that the reader refused, that were not observed in more than 10% of the
    trials, that never fire (never change, if traces) in the analysed windows, or whose rate is
    below ``min_rate``; then trials in which one of the other units was not observed. *Observed*
    refers to the response window and the baseline window.
    """
    row, path = dict(session.row), session.row["file"]
    parts: dict[str, Any] = {"response": response, "classes": classes, "inclusion": inclusion}
    if row["reason"]:
        return row, None
    row |= {"n_trials_excluded": _total(session.excluded), "trials_excluded": reasons_text(session.excluded)}
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
    chosen = _inclusion(rates, activity, session, response=response, min_rate=inclusion.min_rate)
    row = dict(session.row) | _counts(chosen, _too_little(chosen, classes, inclusion))
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


@dataclass(frozen=True)
class _Chosen:
    """Which trials and units enter, and why the others do not."""

    trials: np.ndarray
    units: np.ndarray
    table: pd.DataFrame
    trials_excluded: Mapping[str, list[int]]
    units_excluded: Mapping[str, list[str]]


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


def _inclusion(
    rates: np.ndarray, activity: Activity, session: Session, *, response: config.Response, min_rate: float
) -> _Chosen:
    bins = _analysed_bins(response)
    seen = np.concatenate([np.isfinite(part[:, :, bins]).all(axis=2) for part in _by_units(rates)], axis=1)
    silent = ~seen.any(axis=1) & (seen.shape[1] > 0)
    missed = (~seen[~silent]).mean(axis=0) if (~silent).any() else np.zeros(seen.shape[1])
    observed = missed <= MAX_UNOBSERVED
    partly = ~silent & ~seen[:, observed].all(axis=1)
    trials = ~silent & ~partly
    reasons = np.where(observed, "", f"not observed in more than {MAX_UNOBSERVED:.0%} of the trials").astype(object)
    weak = [_weak(part[trials], bins, activity.kind, min_rate) for part in _by_units(rates)]
    for reason in weak[0]:
        reasons[np.concatenate([units[reason] for units in weak]) & (reasons == "")] = reason
    numbers = session.trials.index.to_numpy()
    outside = {"activity was not recorded": numbers[silent], "a unit was not observed": numbers[partly]}
    ids = np.array(activity.unit_id, dtype=object)
    return _Chosen(
        trials=trials,
        units=reasons == "",
        table=session.trials[trials],
        trials_excluded={
            **session.excluded,
            **{why: list(map(int, found)) for why, found in outside.items() if found.size},
        },
        units_excluded={**activity.excluded, **{why: list(ids[reasons == why]) for why in pd.unique(reasons) if why}},
    )


def _by_units(rates: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of the rates, a few units each, so that little is copied at once; at least one part."""
    for first in range(0, max(rates.shape[1], 1), AT_ONCE):
        yield rates[:, first : first + AT_ONCE]


def _weak(rates: np.ndarray, bins: np.ndarray, kind: str, min_rate: float) -> dict[str, np.ndarray]:
    """(n_units,) which units say nothing, by reason; bins: those that are analysed."""
    if not len(rates):
        return {}
    analysed = rates[:, :, bins]
    if kind == "roi":
        return {"no change in the analysed windows": np.ptp(analysed, axis=(0, 2)) == 0}
    known = np.isfinite(rates)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, rates, 0.0).sum(axis=(0, 2), dtype=float) / known.sum(axis=(0, 2))
    return {
        "no spike in the analysed windows": analysed.sum(axis=(0, 2)) == 0,
        f"mean rate below {min_rate:g} spikes/s": mean < min_rate,
    }


def _analysed_bins(response: config.Response) -> np.ndarray:
    """(n_bins,) whether a bin lies in the response window or the baseline window."""
    centres = bin_centres(response.window, response.bin)
    windows = [window for window in (response.response_window, response.baseline_window) if window is not None]
    return np.any([(centres > start) & (centres < stop) for start, stop in windows], axis=0)


def _too_little(chosen: _Chosen, classes: config.Classes, inclusion: config.Inclusion) -> str:
    """Why the session cannot be analysed, "" if it can."""
    counts = {str(name): int(n) for name, n in chosen.table["class"].value_counts().items()}
    needed = sorted(counts) if classes.by_stimulus else ["target", "nontarget"]
    few = [f"{name} {counts.get(name, 0)}" for name in needed if counts.get(name, 0) < inclusion.min_trials_per_class]
    if chosen.units.sum() < inclusion.min_units:
        return f"too few units: {chosen.units.sum()}, inclusion.min_units is {inclusion.min_units}"
    if few:
        return f"too few trials: {', '.join(few)}; inclusion.min_trials_per_class is {inclusion.min_trials_per_class}"
    return "" if len(needed) > 1 else f"too few stimuli: {len(needed)}; decoding needs 2"


def _total(excluded: Mapping[str, list[Any]]) -> int:
    return sum(map(len, excluded.values()))


def _counts(chosen: _Chosen, reason: str) -> dict[str, Any]:
    """The columns of the table ``sessions`` that say what entered; nothing did if there is a reason."""
    return {
        "included": not reason,
        "reason": reason,
        "n_units": 0 if reason else int(chosen.units.sum()),
        "n_trials": 0 if reason else int(chosen.trials.sum()),
        "n_units_excluded": _total(chosen.units_excluded),
        "n_trials_excluded": _total(chosen.trials_excluded),
        "units_excluded": reasons_text(chosen.units_excluded),
        "trials_excluded": reasons_text(chosen.trials_excluded),
    }


def _tensor(
    rates: np.ndarray,
    activity: Activity,
    session: Session,
    chosen: _Chosen,
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
