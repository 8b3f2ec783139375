"""What does a course of training come down to, seed by seed? Values at the plateau, at the end, and the gain between.

The *plateau* of a network is the first checkpoint from which on its training accuracy stays at the level to the end,
as an animal's is that of its behaviour.
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


def gains(measures: pd.DataFrame, plateaus: pd.DataFrame) -> pd.DataFrame:
    """Return what each measure was at the plateau and at the end, and what it gained.

    Parameters
    ----------
    measures : as :func:`course` returns
    plateaus : as :func:`plateau_steps` returns

    Returns
    -------
    DataFrame with ``condition``, ``seed``, ``quantity``, ``value``
        Quantities ``plateau:measure``, ``end:measure``, ``gain:measure``, and ``plateau_step``. Networks that
        reached no plateau have NaN at the plateau and no gain.
    """
    joined = measures.merge(plateaus, on=KEYS, how="left")
    last = joined.groupby(KEYS)["step"].transform("max")
    at = {
        "plateau": joined[joined["step"] == joined["plateau"]],
        "end": joined[joined["step"] == last],
    }
    wide = pd.concat({name: rows.set_index([*KEYS, "measure"])["value"] for name, rows in at.items()}, axis=1)
    wide["gain"] = wide["end"] - wide["plateau"]
    long = wide.reset_index().melt([*KEYS, "measure"], var_name="kind")
    long["quantity"] = long["kind"] + ":" + long["measure"]
    steps = plateaus.rename(columns={"plateau": "value"}).assign(quantity="plateau_step")
    columns = [*KEYS, "quantity", "value"]
    return pd.concat([long[columns], steps[columns]], ignore_index=True)


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
