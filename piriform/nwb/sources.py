"""From where in a file do trials come: one interval table, several, or a stimulus series?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform import config
from piriform.errors import StudyError, did_you_mean
from piriform.nwb.columns import column_values, has_column
from piriform.nwb.stimuli import stimulus_trials

#: The column that says from which table or series a trial is, unless a table has one of that name.
TABLE = "table"


@dataclass(frozen=True)
class Intervals:
    """A table of intervals, or of events (``timestamp`` and perhaps ``duration``), in an open file."""

    name: str
    table: Any
    where: str

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        times = [] if "start_time" in self.table.colnames else ["start_time", "stop_time"]
        return [*times, *self.table.colnames]

    def has(self, name: str) -> bool:
        """Return whether it has a column; ``table`` it always has."""
        return name in (*self.columns, TABLE) or has_column(self.table, name)

    def read(self, name: str) -> np.ndarray:
        """Return the values of a column, one per row."""
        if name == TABLE and not has_column(self.table, name):
            return np.full(len(self.table.id), self.name, dtype=object)
        if name in self.table.colnames or name not in self.columns:
            return column_values(self.table, name, self.where)
        times = column_values(self.table, "timestamp", self.where)
        lasting = name == "stop_time" and "duration" in self.table.colnames
        return times + column_values(self.table, "duration", self.where) if lasting else times


@dataclass(frozen=True)
class Stimuli:
    """The events of a stimulus series, see :func:`piriform.nwb.stimuli.stimulus_trials`."""

    name: str
    events: pd.DataFrame
    where: str

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [*map(str, self.events), TABLE]

    def has(self, name: str) -> bool:
        """Return whether it has a column."""
        return name in (*self.columns, "id")

    def read(self, name: str) -> np.ndarray:
        """Return the values of a column, one per event."""
        if name == TABLE:
            return np.full(len(self.events), self.name, dtype=object)
        return np.arange(len(self.events)) if name == "id" else self.events[name].to_numpy()


def trial_sources(file: Any, path: str | Path, trials: config.Trials) -> list[Intervals] | list[Stimuli]:
    """Return the tables or series of an open file that the config names.

    Raises
    ------
    StudyError
        If one is not there, or only some of several tables have a column ``table``.
    """
    if trials.series is not None:
        series = stimulus_series(file)
        names = named(trials.series, series, f"{path}: no time series", "trials.series")
        where = {name: f"{path}: time series {name!r}" for name in names}
        return [Stimuli(n, stimulus_trials(series[n], where[n], events=trials.series_events), where[n]) for n in names]
    tables = interval_tables(file)
    names = named(trials.table, tables, f"{path}: no interval table", "trials.table")
    own = [name for name in names if TABLE in tables[name].colnames]
    if own and len(own) < len(names):
        raise StudyError(f"{path}: table {own[0]!r} has a column {TABLE!r}, other tables of trials.table do not")
    return [Intervals(name, tables[name], f"{path}: table {name!r}") for name in names]


def interval_tables(file: Any) -> dict[str, Any]:
    """Return the tables of intervals or events of an open file by name, wherever they are."""
    from hdmf.common import DynamicTable

    tables = {"trials": file.trials, "epochs": file.epochs, "invalid_times": file.invalid_times}
    tables |= {str(key): table for key, table in (file.intervals or {}).items()}
    tables = {key: table for key, table in tables.items() if table is not None}
    known = {id(table) for table in tables.values()}
    others = [one for one in file.objects.values() if isinstance(one, DynamicTable) and id(one) not in known]
    others = [one for one in others if {"start_time", "stop_time"} <= set(one.colnames) or "timestamp" in one.colnames]
    return objects_by_name(others) | tables


def stimulus_series(file: Any) -> dict[str, Any]:
    """Return the time series of an open file that may be labels of stimuli (no images), by name."""
    from pynwb import TimeSeries
    from pynwb.image import ImageSeries, IndexSeries

    found = [one for one in file.objects.values() if isinstance(one, TimeSeries)]
    return objects_by_name(one for one in found if not isinstance(one, ImageSeries | IndexSeries))


def objects_by_name(objects: Iterable[Any], *, depth: int = 1) -> dict[str, Any]:
    """Return containers by name ("container/name" for a depth of 2), with as many parents as tell them apart."""
    found = [(one, _path(one)) for one in objects]
    names = {}
    for one, path in found:
        parts = depth
        while parts < len(path) and sum(other[-parts:] == path[-parts:] for _, other in found) > 1:
            parts += 1
        names["/".join(path[-parts:])] = one
    return names


def named(wanted: str | list[str], there: Mapping[str, Any], what: str, key: str) -> list[str]:
    """Return the names that fit a name, a list of names, or patterns with ``*``.

    Examples
    --------
    >>> named("odor_*", {"odor_B": 1, "odor_A": 2, "licks": 3}, "no table", "trials.table")
    ['odor_A', 'odor_B']

    Raises
    ------
    StudyError
        If one of them fits nothing.
    """
    found: list[str] = []
    for name in [wanted] if isinstance(wanted, str) else wanted:
        fits = [name] if name in there else sorted(one for one in there if fnmatchcase(one, name))
        if not fits:
            known = f"it has {', '.join(sorted(there))}" if there else "it has none"
            raise StudyError(f"{what} {name!r}{did_you_mean(name, list(there))}; {known}; set {key}")
        found += [one for one in fits if one not in found]
    if not found:
        raise StudyError(f"{what}: {key} is an empty list")
    return found


def _path(container: Any) -> list[str]:
    """Names from the file down to a container."""
    names = []
    while container is not None:
        names.append(str(container.name))
        container = container.parent
    return names[::-1]
