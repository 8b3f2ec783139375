"""Which intervals does a file hold, with which columns?"""

from pathlib import Path
from typing import Any

import pandas as pd

from piriform import config
from piriform.errors import StudyError, did_you_mean
from piriform.filters import column_names
from piriform.nwb.columns import column_values, no_column
from piriform.nwb.files import nwb_file


def read_trials(path: str | Path, trials: config.Trials, *, phase: str | None = None) -> pd.DataFrame:
    """Read the columns that the config names from the interval table that it names.

    Parameters
    ----------
    phase : column with the phase of the session, if there is one

    Returns
    -------
    DataFrame, one row per interval; the index is the row's number in the file, from 0. Text is
    ``str`` also where the file holds bytes.

    Raises
    ------
    StudyError
        If the table or a column is missing, or a column does not hold one value per row.
    """
    keys = ("align_to", "stimulus", "category", "stratum", "choice", "correct", "response_time", "block")
    wanted = [(f"trials.{key}", getattr(trials, key)) for key in keys]
    wanted += [("trials.table", "start_time"), ("trials.table", "stop_time"), ("phases.column", phase)]
    wanted += [("trials.filter", name) for name in column_names(trials.filter)]
    with nwb_file(path) as file:
        table = _interval_table(file, trials.table, f"{path}")
        where = f"{path}: table {trials.table!r}"
        for key, name in wanted:
            if name is not None and name not in table.colnames:
                raise StudyError(no_column(where, key, name, table.colnames))
        names = dict.fromkeys(name for _, name in wanted if name is not None)
        return pd.DataFrame({name: column_values(table, name, where) for name in names})


def _interval_table(file: Any, name: str, path: str) -> Any:
    tables = interval_tables(file)
    if name not in tables:
        there = f"it has {', '.join(sorted(tables))}" if tables else "it has none"
        hint = did_you_mean(name, list(tables))
        raise StudyError(f"{path}: no interval table {name!r}{hint}; {there}; set trials.table")
    return tables[name]


def interval_tables(file: Any) -> dict[str, Any]:
    """Return the interval tables of an open file by name."""
    tables = {"trials": file.trials, "epochs": file.epochs, "invalid_times": file.invalid_times}
    tables |= {str(key): table for key, table in (file.intervals or {}).items()}
    return {key: table for key, table in tables.items() if table is not None}
