"""Does a table keep its contract? Casts and checks, and reads and writes."""

from pathlib import Path

import numpy as np
import pandas as pd

from piriform.errors import TableError, known
from piriform.provenance import atomic_path
from piriform.tables.columns import Column
from piriform.tables.networks import NETWORKS
from piriform.tables.study import STUDY

#: The columns of every table, by its kind.
TABLES: dict[str, dict[str, Column]] = STUDY | NETWORKS


def check_table(table: pd.DataFrame, kind: str, *, where: str = "") -> pd.DataFrame:
    """Return ``table`` with its columns in order and cast to their kinds.

    Raises
    ------
    TableError
        If a column is missing or unknown, cannot be cast, or holds a value out of range.
    """
    columns = TABLES[known("table", kind, TABLES, TableError)]
    where = where or f"{kind}.csv"
    missing = [name for name in columns if name not in table]
    extra = [str(name) for name in table if name not in columns]
    if missing or extra:
        raise TableError(
            f"{where}: missing column(s) {', '.join(missing) or 'none'}, unknown column(s) "
            f"{', '.join(extra) or 'none'}; expected {', '.join(columns)}"
        )
    return pd.DataFrame(
        {name: _cast(table[name], column, f"{where}: column {name!r}") for name, column in columns.items()}
    )


def save_table(table: pd.DataFrame, kind: str, path: str | Path) -> None:
    """Check and write a table as CSV, and as Parquet where the name ends so; temporary name, then rename."""
    checked = check_table(table, kind, where=str(path))
    with atomic_path(path) as temporary:
        if str(path).endswith(".parquet"):
            checked.to_parquet(temporary, index=False)
        else:
            checked.to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: str | Path, kind: str) -> pd.DataFrame:
    """Read and check a CSV table; raises :class:`TableError` that names the file and the column."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise TableError(f"{path}: no such file; expected the table {kind!r}") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a CSV table ({error})") from error
    return check_table(table, kind, where=str(path))


def empty_table(kind: str) -> pd.DataFrame:
    """Return the table without rows."""
    return check_table(pd.DataFrame(columns=list(TABLES[kind])), kind)


def _cast(values: pd.Series, column: Column, where: str) -> pd.Series:
    try:
        cast = _CASTS[column.kind](values)
    except (ValueError, TypeError) as error:
        raise TableError(f"{where}: expected {column.kind} values ({error})") from error
    if column.allowed and not cast.isin(column.allowed).all():
        wrong = sorted(set(cast) - set(column.allowed))
        raise TableError(f"{where}: {wrong[0]!r} is not one of {', '.join(map(repr, column.allowed))}")
    if column.kind == "number" and ((cast < column.low) | (cast > column.high)).any():
        raise TableError(f"{where}: values outside [{column.low:g}, {column.high:g}]")
    return cast


def _text(values: pd.Series) -> pd.Series:
    return values.astype(object).where(values.notna(), "").map(str).astype(object)


def _number(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values.replace("", np.nan), errors="raise").astype(float)


def _integer(values: pd.Series) -> pd.Series:
    numbers = _number(values)
    if not (numbers == numbers.round()).all():
        raise ValueError("whole numbers only, none missing")
    return numbers.astype(np.int64)


def _flag(values: pd.Series) -> pd.Series:
    flags = values.map({True: True, False: False, "True": True, "False": False})
    if flags.isna().any():
        raise ValueError("True or False only")
    return flags.astype(bool)


_CASTS = {"text": _text, "number": _number, "integer": _integer, "flag": _flag}
