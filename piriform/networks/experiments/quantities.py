"""What does a course of training come down to, seed by seed? Values at the plateau, at the end, and the gain between.

The *plateau* of a network is the first checkpoint from which on its training accuracy stays at the level to the end,
as an animal's is that of its behaviour. Gains to the end say what one condition does; conditions that reach their
plateaus at different steps are compared by their gains to the same multiple of the plateau step.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from piriform.errors import PiriformError
from piriform.networks.answers import plateau_step
from piriform.networks.ensemble import Ensemble
from piriform.stats import group_mean

#: Training accuracy that counts as the plateau.
LEVEL = 0.99
#: Multiple of the plateau step up to which gains of different conditions are compared.
MULTIPLE = 5
KEYS = ["condition", "seed"]


def course(ensemble: Ensemble, values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return measures of an ensemble as rows.

    Parameters
    ----------
    values : (n_members, n_checkpoints) arrays by name of the measure

    Returns
    -------
    DataFrame with ``condition``, ``seed``, ``step``, ``measure``, ``value``
    """
    shape = (len(ensemble.members), len(ensemble.steps))
    wrong = [name for name, array in values.items() if np.shape(array) != shape]
    if wrong:
        raise PiriformError(f"measure {wrong[0]!r} has shape {np.shape(values[wrong[0]])}; expected {shape}")
    n_members, n_steps = shape
    keys = {
        "condition": np.repeat([member.condition.name for member in ensemble.members], n_steps),
        "seed": np.repeat([member.seed for member in ensemble.members], n_steps),
        "step": np.tile(ensemble.steps, n_members),
    }
    parts = [pd.DataFrame(keys | {"measure": name, "value": np.ravel(array)}) for name, array in values.items()]
    return pd.concat(parts, ignore_index=True)


def plateau_steps(measures: pd.DataFrame, *, measure: str = "train_accuracy", level: float = LEVEL) -> pd.DataFrame:
    """Return the plateau of every network.

    Returns
    -------
    DataFrame with ``condition``, ``seed``, ``plateau``
        The first step from which on the measure stays at ``level`` or above; NaN where it does not end there.

    Examples
    --------
    >>> rows = {"condition": "a", "seed": 1, "step": [0, 1, 2, 4], "measure": "train_accuracy"}
    >>> plateau_steps(pd.DataFrame(rows | {"value": [0.5, 1.0, 0.9, 1.0]}))["plateau"].tolist()
    [4.0]
    """
    own = measures[measures["measure"] == measure].sort_values([*KEYS, "step"])
    steps = {
        key: plateau_step(part["step"].to_numpy(), part["value"].to_numpy(), level=level)
        for key, part in own.groupby(KEYS, sort=False)
    }
    return pd.DataFrame([(*key, step) for key, step in steps.items()], columns=[*KEYS, "plateau"])


def lasting_doublings(measures: pd.DataFrame, *, measure: str, level: float) -> pd.Series:
    """Return log2 of the step from which on a measure stays at a level, of every network.

    Returns
    -------
    Series over ``condition`` and ``seed``, see :func:`lasting_time`
    """
    own = measures[measures["measure"] == measure].sort_values([*KEYS, "step"])
    times = {
        key: lasting_time(part["step"].to_numpy(), part["value"].to_numpy(), level)
        for key, part in own.groupby(KEYS, sort=False)
    }
    return pd.Series(times, index=pd.MultiIndex.from_tuples(times, names=KEYS), dtype=float)


def lasting_time(steps: np.ndarray, values: np.ndarray, level: float) -> float:
    """Return log2 of the step from which on values stay at a level, on the line between two checkpoints in log step.

    0 where step 1 is enough: there is no time between step 0 and step 1. NaN where they do not end at the level.
    Checkpoints without a value (NaN) are left out.

    Examples
    --------
    >>> lasting_time(np.array([0, 1, 4, 16]), np.array([0.0, 0.9, 0.2, 1.0]), 0.6)
    3.0
    >>> lasting_time(np.array([0, 1, 4]), np.array([0.0, 1.0, 1.0]), 0.6)
    0.0
    """
    known = np.isfinite(values)
    time, values = np.log2(np.maximum(steps[known], 1)), values[known]
    below = np.flatnonzero(values < level)
    if not len(values) or (len(below) and below[-1] == len(values) - 1):
        return np.nan
    if not len(below):
        return float(time[0])
    at = int(below[-1])
    share = (level - values[at]) / (values[at + 1] - values[at])
    return float(time[at] + share * (time[at + 1] - time[at]))


def gains(measures: pd.DataFrame, plateaus: pd.DataFrame) -> pd.DataFrame:
    """Return what each measure was at the plateau and at the end, and what it gained.

    Parameters
    ----------
    measures : as :func:`course` returns
    plateaus : as :func:`plateau_steps` returns

    Returns
    -------
    DataFrame with ``condition``, ``seed``, ``quantity``, ``value``
        Quantities ``plateau:measure``, ``end:measure``, ``gain:measure``, ``gain5:measure`` (gain from the plateau to 5
        times its step, see :func:`values_at`), and ``plateau_step``. Networks that reached no plateau have NaN at
        the plateau and no gain; those that were not trained 5 times as long have no ``gain5``.
    """
    joined = measures.merge(plateaus, on=KEYS, how="left")
    last = joined.groupby(KEYS)["step"].transform("max")
    at = {
        "plateau": joined[joined["step"] == joined["plateau"]],
        "end": joined[joined["step"] == last],
    }
    wide = pd.concat({name: rows.set_index([*KEYS, "measure"])["value"] for name, rows in at.items()}, axis=1)
    wide["gain"] = wide["end"] - wide["plateau"]
    targets = plateaus.set_index(KEYS)["plateau"] * MULTIPLE
    wide[f"gain{MULTIPLE}"] = values_at(measures, targets).reindex(wide.index) - wide["plateau"]
    long = wide.reset_index().melt([*KEYS, "measure"], var_name="kind")
    long["quantity"] = long["kind"] + ":" + long["measure"]
    steps = plateaus.rename(columns={"plateau": "value"}).assign(quantity="plateau_step")
    columns = [*KEYS, "quantity", "value"]
    return pd.concat([long[columns], steps[columns]], ignore_index=True)


def values_at(measures: pd.DataFrame, steps: pd.Series) -> pd.Series:
    """Return every measure of every network at a step of its own, on the line between two checkpoints in log step.

    Parameters
    ----------
    measures : as :func:`course` returns
    steps : over ``condition`` and ``seed``, 0 or from 1 on

    Returns
    -------
    Series over ``condition``, ``seed`` and ``measure``
        NaN after the last checkpoint, and where a measure is not known at both checkpoints.

    Examples
    --------
    >>> rows = {"condition": "a", "seed": 1, "step": [1, 4, 16], "measure": "x", "value": [0.0, 1.0, 3.0]}
    >>> values_at(pd.DataFrame(rows), pd.Series({("a", 1): 8.0})).tolist()
    [2.0]
    """
    found = {}
    for key, part in measures.groupby(KEYS, sort=False):
        table = part.pivot(index="step", columns="measure", values="value")
        found[key] = _value_at(table, float(steps.get(key, np.nan)))
    return pd.concat(found, names=[*KEYS, "measure"])


def _value_at(table: pd.DataFrame, step: float) -> pd.Series:
    """The row of a table over steps at a step, between rows the mean with weights of log step."""
    after = int(np.searchsorted(table.index, step))
    if not step <= table.index[-1]:
        return pd.Series(np.nan, index=table.columns)
    if table.index[after] == step or not after:
        return table.iloc[after]
    first, last, time = np.log2(np.maximum([table.index[after - 1], table.index[after], step], 1))
    share = (time - first) / (last - first)
    return (1 - share) * table.iloc[after - 1] + share * table.iloc[after]


def unreached(quantities: pd.DataFrame) -> list[str]:
    """Return a remark for every condition some of whose networks reached no plateau, or were not trained 5 times as long.

    Examples
    --------
    >>> rows = {"condition": "a", "seed": [1, 2], "quantity": "plateau_step", "value": [8.0, None]}
    >>> unreached(pd.DataFrame(rows))
    ['a: 1 of 2 networks reached no plateau of training and have no gains']
    """
    lines = {
        "plateau_step": "reached no plateau of training and have no gains",
        f"gain{MULTIPLE}:train_accuracy": f"were not trained {MULTIPLE} times as long as to a plateau",
    }
    remarks: list[str] = []
    others: dict[object, int] = {}
    for quantity, line in lines.items():
        own = quantities[quantities["quantity"] == quantity]
        counts = own.groupby("condition", sort=False)["value"].agg(["count", "size"])
        for name, (count, size) in counts.iterrows():
            if count < min(size, others.get(name, size)):
                remarks.append(f"{name}: {size - count} of {size} networks {line}")
            others[name] = count
    return remarks


def effects(quantities: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of every quantity over the seeds of each condition, with its 95% t interval.

    Returns
    -------
    DataFrame with ``condition``, ``quantity``, ``mean``, ``low``, ``high``, ``n_seeds``
        The interval says what other seeds would give, not what other tasks would. It is a point where all seeds agree.

    Examples
    --------
    >>> rows = {"condition": "a", "seed": [1, 2, 3], "quantity": "q", "value": [1.0, 2.0, 3.0]}
    >>> effects(pd.DataFrame(rows)).round(2).to_dict("records")[0]["high"]
    4.48
    """
    rows = []
    for (condition, quantity), part in quantities.groupby(["condition", "quantity"], sort=False):
        mean, low, high, n = mean_interval(part["value"])
        rows.append((condition, quantity, mean, low, high, n))
    return pd.DataFrame(rows, columns=["condition", "quantity", "mean", "low", "high", "n_seeds"])


def mean_interval(values: Iterable[float]) -> tuple[float, float, float, int]:
    """Return mean, ends of the 95% t interval and number of the finite values; a point where all are equal."""
    found = group_mean(np.asarray(list(values), dtype=float))
    low, high = found.interval
    if found.n > 1 and found.sd == 0:
        low = high = found.mean
    return found.mean, low, high, found.n
