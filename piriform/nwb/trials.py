"""Which trials does a file hold, with which columns?

They come from one interval table, from several, or from a stimulus series; a side table may add columns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from piriform import config
from piriform.errors import StudyError
from piriform.filters import column_names
from piriform.nwb.columns import no_column
from piriform.nwb.files import nwb_file, read_header
from piriform.nwb.side import side_table, side_values
from piriform.nwb.sources import Intervals, Stimuli, trial_sources

KEYS = ("align_to", "stimulus", "category", "stratum", "choice", "correct", "response_time", "block")
TIMES = ("start_time", "stop_time")


def read_trials(path: str | Path, trials: config.Trials, *, phase: str | None = None) -> pd.DataFrame:
    """Read the columns that the config names, of the trials that it names.

    Parameters
    ----------
    phase : column with the phase of the session, if there is one

    Returns
    -------
    DataFrame, one row per trial. The index is the row's number in the table, from 0; of several
    tables, its number once all rows are in order of their ``start_time``. Text is ``str`` also where
    the file holds bytes.

    Raises
    ------
    ConfigError
        If the side table of ``trials.extra`` cannot be read.
    StudyError
        If a table, series or column is missing, or a column does not hold one value per row.
    """
    with nwb_file(path) as file:
        return trials_of(file, path, trials, phase=phase)


def trials_of(file: Any, path: str | Path, trials: config.Trials, *, phase: str | None = None) -> pd.DataFrame:
    """Return the trials of an open file, see :func:`read_trials`."""
    wanted, side = wanted_columns(trials, phase=phase), side_of(path, trials.extra)
    sources: Sequence[Intervals | Stimuli] = trial_sources(file, path, trials)
    beside = {name for name in wanted.values() if side is not None and name in side and name not in TIMES}
    for source in sources:
        _check_columns(source, wanted, beside, trials.extra)
    names = list(dict.fromkeys(wanted.values()))
    own = [name for name in names if name not in beside]
    parts = [pd.DataFrame({name: source.read(name) for name in own}) for source in sources]
    if side is None:
        return _in_order(parts)
    ids = [part.assign(**{_ID: source.read("id")}) for part, source in zip(parts, sources, strict=True)]
    return _with_side(_in_order(ids), side, sorted(beside), f"{path}: {trials.extra}")[names]


def wanted_columns(trials: config.Trials, *, phase: str | None = None) -> dict[str, str]:
    """Return the columns that the config names, by key."""
    wanted = {f"trials.{key}": getattr(trials, key) for key in KEYS} | dict(zip(TIMES, TIMES, strict=True))
    wanted |= {"phases.column": phase} | {f"trials.filter: {name}": name for name in column_names(trials.filter)}
    return {key: str(name) for key, name in wanted.items() if name is not None}


#: Column of the rows' ids; no lab's column has this name.
_ID = "\0id"


def _check_columns(source: Intervals | Stimuli, wanted: dict[str, str], beside: set[str], extra: str | None) -> None:
    for key, name in wanted.items():
        key = "trials.table" if key in TIMES else key.partition(":")[0]
        if name in beside and source.has(name):
            raise StudyError(
                f"{source.where}: column {name!r} ({key}) is also in {extra} (trials.extra); rename one of them"
            )
        if name not in beside and not source.has(name):
            also = f"; nor has {extra} (trials.extra)" if extra else ""
            raise StudyError(no_column(source.where, key, name, source.columns) + also)


def _in_order(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all tables in order of time; those of one table as they are."""
    if len(parts) == 1:
        return parts[0]
    whole = pd.concat([part for part in parts if len(part)] or list(parts[:1]), ignore_index=True)
    return whole.sort_values("start_time", kind="stable", ignore_index=True)


def side_of(path: str | Path, extra: str | None) -> pd.DataFrame | None:
    """Return the rows of the side table for the session of a file, None without a side table."""
    if extra is None:
        return None
    header = read_header(path)
    return side_table(extra, subject=header.subject, session=header.session)


def _with_side(table: pd.DataFrame, side: pd.DataFrame, names: Sequence[str], where: str) -> pd.DataFrame:
    start = pd.to_numeric(table["start_time"], errors="coerce").to_numpy(dtype=float)
    return table.assign(**side_values(side, names, ids=table[_ID].to_numpy(), start=start, where=where))
