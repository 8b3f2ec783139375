"""Which units and trials of a session enter the analysis, why do the others not, and is it enough?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from piriform import config
from piriform.align import bin_centres
from piriform.nwb import Activity
from piriform.study import reasons_text

#: Share of the trials in which a unit may be unobserved without being left out.
MAX_UNOBSERVED = 0.1
#: Units whose rates are looked at together: few, so that little is copied at once.
AT_ONCE = 32


@dataclass(frozen=True)
class Chosen:
    """Which trials and units enter, and why the others do not.

    Attributes
    ----------
    trials, units : (n_trials,) and (n_units,) bool arrays, of those that were aligned
    table : the trials that enter
    trials_excluded, units_excluded : numbers and ids of the others, by reason
    """

    trials: np.ndarray
    units: np.ndarray
    table: pd.DataFrame
    trials_excluded: Mapping[str, list[int]]
    units_excluded: Mapping[str, list[str]]

    def columns(self, reason: str) -> dict[str, Any]:
        """Return the columns of the table ``sessions`` that say what entered; nothing did if there is a reason."""
        return {
            "included": not reason,
            "reason": reason,
            "n_units": 0 if reason else int(self.units.sum()),
            "n_trials": 0 if reason else int(self.trials.sum()),
            "n_units_excluded": total(self.units_excluded),
            "n_trials_excluded": total(self.trials_excluded),
            "units_excluded": reasons_text(self.units_excluded),
            "trials_excluded": reasons_text(self.trials_excluded),
        }


def included(
    rates: np.ndarray,
    activity: Activity,
    trials: pd.DataFrame,
    excluded: Mapping[str, list[int]],
    *,
    response: config.Response,
    min_rate: float,
) -> Chosen:
    """Return which units and trials enter.

    Units that were not observed in more than 10% of the trials are left out, then those that never fire (never
    change, if traces) in the analysed windows or fire less than ``min_rate``; then trials in which one of the other units
    was not observed. *Observed* refers to the response window and the baseline window.

    Parameters
    ----------
    rates : (n_trials, n_units, n_bins) array in the bins of ``response``, a row for each of ``trials``
    excluded : trials that were left out before, by reason
    min_rate : spikes/s
    """
    bins = _analysed_bins(response)
    seen = np.concatenate([np.isfinite(part[:, :, bins]).all(axis=2) for part in _by_units(rates)], axis=1)
    silent = ~seen.any(axis=1) & (seen.shape[1] > 0)
    missed = (~seen[~silent]).mean(axis=0) if (~silent).any() else np.zeros(seen.shape[1])
    observed = missed <= MAX_UNOBSERVED
    partly = ~silent & ~seen[:, observed].all(axis=1)
    entering = ~silent & ~partly
    reasons = np.where(observed, "", f"not observed in more than {MAX_UNOBSERVED:.0%} of the trials").astype(object)
    weak = [_weak(part[entering], bins, activity.kind, min_rate) for part in _by_units(rates)]
    for reason in weak[0]:
        reasons[np.concatenate([units[reason] for units in weak]) & (reasons == "")] = reason
    numbers = trials.index.to_numpy()
    outside = {"activity was not recorded": numbers[silent], "a unit was not observed": numbers[partly]}
    ids = np.array(activity.unit_id, dtype=object)
    return Chosen(
        trials=entering,
        units=reasons == "",
        table=trials[entering],
        trials_excluded={
            **excluded,
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


def too_little(n_units: int, classes_of: pd.Series, classes: config.Classes, rule: config.Inclusion) -> str:
    """Return why a session with these units and trials cannot be analysed, "" if it can.

    Parameters
    ----------
    classes_of : (n_trials,) class of each trial

    Examples
    --------
    >>> too_little(9, pd.Series(["target"] * 20), config.Classes(target=["a"], nontarget=["b"]), config.Inclusion())
    'too few trials: nontarget 0; inclusion.min_trials_per_class is 10'
    """
    counts = {str(name): int(n) for name, n in classes_of.value_counts().items()}
    needed = sorted(counts) if classes.by_stimulus else ["target", "nontarget"]
    few = [f"{name} {counts.get(name, 0)}" for name in needed if counts.get(name, 0) < rule.min_trials_per_class]
    if n_units < rule.min_units:
        return f"too few units: {n_units}, inclusion.min_units is {rule.min_units}"
    if few:
        return f"too few trials: {', '.join(few)}; inclusion.min_trials_per_class is {rule.min_trials_per_class}"
    return "" if len(needed) > 1 else f"too few stimuli: {len(needed)}; decoding needs 2"


def total(excluded: Mapping[str, list[Any]]) -> int:
    """Return how many things were left out."""
    return sum(map(len, excluded.values()))
