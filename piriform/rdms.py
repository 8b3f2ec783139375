"""How far apart are the conditions of a session in the space of its population? Rows of the table ``rdms``.

A condition is a class and a stratum, the number of odorants that a mixture shares with the target: ``target``,
``nontarget 0``, ``probe 2``. The same function measures recordings and networks. Noise is normalised unit by unit:
the expected distance is then a mean over units, and depends neither on how many units nor on how many trials
there are, so that nothing has to be matched. (A full covariance would whiten more directions, the more units.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform.errors import MeasureError
from piriform.rsa import crossnobis_rdm
from piriform.splits import blocked_folds
from piriform.trials import window_mean

KINDS = ("target", "nontarget", "probe")
#: Trials of a condition that every fold needs.
MIN_PER_FOLD = 2
EQUAL, TARGET, SHARED = "equal distances", "target against the rest", "shared odorants"


def conditions_of(tensor: xr.DataArray) -> np.ndarray:
    """Return the condition of each trial; "" for trials that have none.

    The target is one condition, whatever its stratum. Nontargets and probes without a stratum have none.

    Returns
    -------
    (n_trials,) array of names
    """
    kinds, strata = tensor["class"].values.astype(str), tensor["stratum"].values.astype(str)
    return np.array([_condition(*names) for names in zip(kinds, strata, strict=True)], dtype=object)


def condition_key(name: str) -> tuple[int, float, str]:
    """Return by what conditions are sorted: target, nontargets, probes; within these the stratum.

    Examples
    --------
    >>> sorted(["probe 1", "nontarget 10", "nontarget 2", "target"], key=condition_key)
    ['target', 'nontarget 2', 'nontarget 10', 'probe 1']
    """
    kind, _, stratum = name.partition(" ")
    number = _number(stratum)
    return KINDS.index(kind) if kind in KINDS else len(KINDS), np.inf if np.isnan(number) else number, name


def pairs_of(conditions: Sequence[str]) -> list[tuple[str, str]]:
    """Return all pairs of conditions in the order of an RDM: (0,1), (0,2), ..., (1,2), ..."""
    names = sorted(conditions, key=condition_key)
    return [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]


def target_stratum(tensor: xr.DataArray) -> float:
    """Return how many odorants the target has, which is its stratum; NaN where that is no number, or not one."""
    strata = {_number(str(name)) for name in tensor["stratum"].values[tensor["class"].values == "target"]}
    return strata.pop() if len(strata) == 1 else np.nan


def session_distances(
    tensor: xr.DataArray, *, window: tuple[float, float], n_folds: int, source: str = "neural", stage: str = ""
) -> list[dict[str, Any]]:
    """Return the crossnobis distance of every pair of conditions of one session, rows of the table ``rdms``.

    See :func:`piriform.rsa.crossnobis_rdm`, with the variance of each unit within conditions as noise; folds are
    contiguous in time within each condition. Null value 0. Trials with a missing response are left out.

    Parameters
    ----------
    tensor : trial tensor, dims (trial, unit, time)
    window : s from the event, the mean of which is the response
    n_folds : parts of the session; a condition needs ``MIN_PER_FOLD`` trials in each, otherwise its distances are
        NaN and ``status`` says so
    """
    responses, names = window_mean(tensor, *window), conditions_of(tensor)
    whole = np.isfinite(responses).all(axis=1) & (names != "")
    responses, names = responses[whole], names[whole]
    counts = {name: int((names == name).sum()) for name in sorted(set(names), key=condition_key)}
    needed = MIN_PER_FOLD * n_folds
    few = {name: f"{name} has {n} trials, {needed} needed" for name, n in counts.items() if n < needed}
    found: dict[tuple[str, str], float] = {}
    reason = ""
    try:
        found = _distances(responses, names, [name for name in counts if name not in few], n_folds)
    except MeasureError as error:
        reason = str(error)
    attrs = tensor.attrs
    who = {"source": source, "stage": stage} | {key: attrs[key] for key in ("subject", "session", "day", "phase")}
    return [
        _row(who, pair, found.get(pair, np.nan), counts, responses.shape[1], few.get(pair[0], few.get(pair[1], reason)))
        for pair in pairs_of(list(counts))
    ]


def stage_sessions(behavior: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Return the sessions of each network at its start, its plateau and its end, by stage; no plateau where there is none.

    Parameters
    ----------
    behavior : table ``behavior`` of networks, whose days are steps

    Examples
    --------
    >>> rows = {"subject": "a-0", "session": ["x", "y", "z"], "day": [0, 10, 100], "plateau_day": 10.0}
    >>> stage_sessions(pd.DataFrame(rows))
    {'a-0': {'start': 'x', 'plateau': 'y', 'end': 'z'}}
    """
    found = {}
    for subject, rows in behavior.groupby("subject", sort=False):
        sessions = rows.sort_values("day", kind="stable")[["session", "day", "plateau_day"]].drop_duplicates("session")
        late = sessions.loc[sessions["day"] >= sessions["plateau_day"], "session"]
        names = {
            "start": sessions["session"].iloc[0],
            "plateau": late.iloc[0] if len(late) else "",
            "end": sessions["session"].iloc[-1],
        }
        found[str(subject)] = {stage: str(name) for stage, name in names.items() if name}
    return found


def model_distances(conditions: Sequence[str], n_shared: float) -> list[dict[str, Any]]:
    """Return what a network has to beat: RDMs that know nothing of networks, rows of the table ``rdms``.

    - ``equal distances``: all 1. An RDM without negative distances has a large cosine with it.
    - ``target against the rest``: 1 between the target and any other condition, otherwise 0.
    - ``shared odorants``: the odours themselves. A mixture of n of k odorants that shares s with the target has on
      average s/n of each target odorant and (n-s)/(k-n) of each other one, so that the squared distance of two
      conditions' mean mixtures is (s - s')^2 (1/n + 1/(k-n)); the factor is left out. (Distances between mean
      mixtures, not mean distances between mixtures: crossnobis leaves out what differs within a condition.)

    Parameters
    ----------
    conditions : names
    n_shared : odorants of the target, see :func:`target_stratum`; NaN, or a stratum that is no number, leaves
        ``shared odorants`` NaN

    Examples
    --------
    >>> rows = model_distances(["target", "nontarget 0", "nontarget 2"], 3)
    >>> [row["distance"] for row in rows if row["subject"] == "shared odorants"]
    [9.0, 1.0, 4.0]
    """
    shared = {name: n_shared if name == "target" else _number(name.partition(" ")[2]) for name in conditions}
    models = {
        EQUAL: lambda first, second: 1.0,
        TARGET: lambda first, second: float("target" in (first, second)),
        SHARED: lambda first, second: (shared[first] - shared[second]) ** 2,
    }
    who = {"source": "model", "stage": "", "session": "", "day": 0, "phase": ""}
    return [
        _row(who | {"subject": name}, pair, distance(*pair), {}, 0, "the stratum is not a number of odorants")
        for name, distance in models.items()
        for pair in pairs_of(conditions)
    ]


def _distances(
    responses: np.ndarray, names: np.ndarray, conditions: Sequence[str], n_folds: int
) -> dict[tuple[str, str], float]:
    """The distances between conditions that have trials enough."""
    if len(conditions) < 2:
        return {}
    part = np.isin(names, conditions)
    codes = np.array([conditions.index(name) for name in names[part]])
    folds = blocked_folds(codes[None], n_folds)[0]
    rdm = crossnobis_rdm(responses[part], codes, folds, shrinkage=1.0)
    return dict(zip(pairs_of(conditions), rdm.tolist(), strict=True))


def _row(
    who: Mapping[str, Any],
    pair: tuple[str, str],
    distance: float,
    counts: Mapping[str, int],
    n_units: int,
    reason: str,
) -> dict[str, Any]:
    first, second = pair
    numbers = {"n_trials_1": counts.get(first, 0), "n_trials_2": counts.get(second, 0), "n_units": n_units}
    status = "ok" if np.isfinite(distance) else reason or "undefined"
    return {**who, "condition_1": first, "condition_2": second, "distance": distance, **numbers, "status": status}


def _condition(kind: str, stratum: str) -> str:
    if kind == "target":
        return kind
    number = _number(stratum)
    return "" if kind not in KINDS or not stratum else f"{kind} {stratum if np.isnan(number) else f'{number:g}'}"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
