"""What is known of the units of a file, and which of them pass a filter?"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import StudyError
from piriform.filters import column_names, selected
from piriform.nwb.columns import JOIN, column_values, has_column, no_column, ragged_column, real_numbers, text_of

#: What is known of a group of electrodes.
OF_GROUPS: dict[str, Callable[[Any], str]] = {
    "location": lambda group: str(group.location or ""),
    "electrode_group": lambda group: str(group.name),
    "device": lambda group: str(group.device.name),
}


def units_passing(units: Any, expression: str | None, where: str) -> np.ndarray:
    """Return which units pass a filter.

    A name in the filter is a column of the units table; else a column of the electrodes table (one
    value if all electrodes of a unit agree; else texts are joined by "+", and numbers are missing);
    else ``location``, ``electrode_group`` or ``device`` of the units' group of electrodes; else
    ``firing_rate``, see :func:`firing_rates`.

    Parameters
    ----------
    units : the units table of an open file
    expression : see :func:`piriform.filters.selected`
    where : names the file and the table in errors

    Returns
    -------
    (n_units,) bool array

    Raises
    ------
    StudyError
        If the filter uses a name that is not known, or cannot be evaluated.
    """
    if expression is None:
        return np.ones(len(units.id), dtype=bool)
    known = {name: _known(units, name, where) for name in column_names(expression)}
    return passing(known, len(units.id), expression, where)


def passing(known: dict[str, np.ndarray], n_rows: int, expression: str, where: str) -> np.ndarray:
    """Return for which rows an expression over values of them holds."""
    return selected(pd.DataFrame(known, index=range(n_rows)), expression, where=where)


def spike_trains(units: Any, where: str) -> list[np.ndarray]:
    """Return the spike times of each unit, s."""
    trains = [times.astype(float, copy=False) for times in ragged_column(units, "spike_times", where)]
    if any(times.ndim != 1 for times in trains):
        raise StudyError(f"{where}: spike_times have {trains[0].ndim} dimensions; expected one")
    return trains


def observed_intervals(units: Any, where: str) -> list[np.ndarray] | None:
    """Return when each unit was observed, (n_intervals, 2) arrays, s; None where the file does not say.

    Raises
    ------
    StudyError
        If they are no pairs of times.
    """
    from hdmf.common import VectorIndex

    if "obs_intervals" not in units.colnames:
        return None
    ragged = isinstance(units["obs_intervals"], VectorIndex)
    what = f"{where}: obs_intervals"
    found = (
        ragged_column(units, "obs_intervals", where)
        if ragged
        else list(real_numbers(units["obs_intervals"].data, what))
    )
    if len(found) != len(units.id) or any(one.size and one.shape[-1:] != (2,) for one in found):
        raise StudyError(f"{where}: obs_intervals are no pairs of times, start and stop, for each unit")
    return [one.astype(float).reshape(-1, 2) for one in found]


def spike_problem(times: np.ndarray) -> str:
    """Return why spike times cannot be used, "" if they can."""
    if not np.isfinite(times).all():
        return "spike times are missing or infinite"
    if len(times) and times.min() < 0:
        return "spike times are negative"
    return "spike times are not in ascending order" if (np.diff(times) < 0).any() else ""


def firing_rates(spikes: Sequence[np.ndarray], observed: Sequence[np.ndarray] | None) -> np.ndarray:
    """Return the mean rate of each unit over the time in which it was observed.

    Parameters
    ----------
    spikes : (n_units,) sequence of arrays of spike times, s
    observed : (n_units,) sequence of (n_intervals, 2) arrays, s; None: from the first to the last
        spike of all units

    Returns
    -------
    (n_units,) array, spikes/s; NaN where spike times are not sound or nothing was observed

    Examples
    --------
    >>> firing_rates([np.array([0.0, 1.0, 9.0]), np.array([10.0])], None).tolist()
    [0.3, 0.1]
    >>> firing_rates([np.array([0.0, 1.0, 9.0])], [np.array([[0.0, 2.0], [1.0, 4.0]])]).tolist()
    [0.5]
    """
    sound = [not spike_problem(times) for times in spikes]
    if observed is None:
        edges = [
            time for times, good in zip(spikes, sound, strict=True) if good and len(times) for time in times[[0, -1]]
        ]
        observed = [np.array([[min(edges), max(edges)]]) if edges else np.empty((0, 2))] * len(spikes)
    return np.array([_rate(*one) if good else np.nan for *one, good in zip(spikes, observed, sound, strict=True)])


def _rate(times: np.ndarray, intervals: np.ndarray) -> float:
    """Spikes inside the intervals over their length, overlaps counted once."""
    intervals = intervals[np.isfinite(intervals).all(axis=1) & (np.diff(intervals, axis=1)[:, 0] > 0)]
    if not len(intervals):
        return np.nan
    begins, ends = intervals[np.argsort(intervals[:, 0], kind="stable")].T
    reached = np.maximum.accumulate(ends)
    begins = np.maximum(begins, np.r_[-np.inf, reached[:-1]])
    apart = ends > begins
    first, last = np.searchsorted(times, begins[apart]), np.searchsorted(times, ends[apart], side="right")
    inside = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    return float(len(np.unique(inside)) / (ends[apart] - begins[apart]).sum())


def _known(units: Any, name: str, where: str) -> np.ndarray:
    """One value per unit of what a filter names."""
    if has_column(units, name):
        return column_values(units, name, where)
    electrodes = _electrodes(units)
    if electrodes is not None and has_column(electrodes, name):
        return _agreed(units, column_values(electrodes, name, f"{where}: electrodes"), where)
    of_group = OF_GROUPS.get(name)
    if of_group and "electrode_group" in units.colnames:
        return np.array([of_group(group) for group in units["electrode_group"].data[:]], dtype=object)
    if of_group and electrodes is not None and "group" in electrodes.colnames:
        groups = np.array([of_group(group) for group in electrodes["group"].data[:]], dtype=object)
        return _agreed(units, groups, where)
    if name == "firing_rate":
        return firing_rates(spike_trains(units, where), observed_intervals(units, where))
    there = [*units.colnames, "id", *(electrodes.colnames if electrodes is not None else ()), *OF_GROUPS, "firing_rate"]
    raise StudyError(no_column(where, "response.filter", name, dict.fromkeys(there)))


def _electrodes(units: Any) -> Any:
    """The table of electrodes that the units refer to, None where they do not."""
    column = units["electrodes"] if "electrodes" in units.colnames else None
    return getattr(getattr(column, "target", column), "table", None)


def _agreed(units: Any, values: np.ndarray, where: str) -> np.ndarray:
    """One value per unit of one value per electrode; missing where a unit has none, or numbers that differ."""
    numbers = values.dtype.kind in "iufb"
    found: list[Any] = []
    for rows in electrode_rows(units, len(values), where):
        distinct = list(dict.fromkeys(values[rows].tolist()))
        if len(distinct) == 1:
            found.append(distinct[0])
        else:
            found.append(np.nan if numbers else JOIN.join(map(text_of, distinct)))
    return np.array(found, dtype=float if numbers else object)


def electrode_rows(units: Any, n_electrodes: int, where: str) -> list[np.ndarray]:
    """Return the rows of each unit's electrodes in their table."""
    from hdmf.common import VectorIndex

    ragged = isinstance(units["electrodes"], VectorIndex)
    rows = ragged_column(units, "electrodes", where) if ragged else list(np.asarray(units["electrodes"].data[:]))
    rows = [np.atleast_1d(one).astype(np.int64) for one in rows]
    if any(one.size and (one.min() < 0 or one.max() >= n_electrodes) for one in rows):
        raise StudyError(f"{where}: electrodes refer to rows that the table of {n_electrodes} electrodes does not have")
    return rows
