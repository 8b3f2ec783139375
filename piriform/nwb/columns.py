"""What do the columns of an NWB table hold, row by row?

Labs write labels as text, bytes, codes of an enumeration, lists, or references to rows of another
table; here each becomes one text or number per row.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import StudyError, did_you_mean

#: What stands between the entries of a list that became one text.
JOIN = "+"
#: Of a row that another table refers to, the first of these columns names it; without one its id.
NAMES = ("name", "label")


def column_values(table: Any, name: str, where: str) -> np.ndarray:
    """Return one value per row, text as str.

    A list becomes its entries joined by "+" in their order, without missing ones; lists of one entry
    at most become that entry. A reference to a row of another table becomes that row's ``name``,
    ``label`` or id; ``column.other`` takes its column ``other``. ``id`` is the id of the row.

    Parameters
    ----------
    table : DynamicTable
    where : names the file and the table in errors

    Returns
    -------
    (n_rows,) array

    Raises
    ------
    StudyError
        If the column holds neither values, lists nor references to rows, or not one per row.
    """
    entries = row_entries(table, name, where)
    return entries if isinstance(entries, np.ndarray) else joined(entries)


def row_entries(table: Any, name: str, where: str) -> np.ndarray | list[np.ndarray]:
    """Return one value per row, or one array per row where the column holds lists."""
    from hdmf.common import VectorIndex

    if name == "id" and name not in table.colnames:
        return np.asarray(table.id.data[:])
    own, _, other = (name, "", "") if name in table.colnames else name.partition(".")
    column, what = table[own], f"{where}: column {name!r}"
    if isinstance(column, VectorIndex):
        return _lists(column, len(table.id), other, what)
    values = _values(column, other, what)
    if values.shape[:1] != (len(table.id),) or values.ndim > 2:
        raise StudyError(f"{what} has shape {values.shape}; expected ({len(table.id)},)")
    if values.ndim == 1:
        return values
    return values[:, 0] if values.shape[1] == 1 else list(values)


def ragged_column(table: Any, name: str, where: str) -> list[np.ndarray]:
    """Return the arrays of a ragged column of numbers, by row (not by id), read in one go."""
    index = ragged_index(table, name, where)
    flat = real_numbers(index.target.data, f"{where}: {name}")
    return _split(flat, index, len(table.id), f"{where}: {name}_index")


def real_numbers(data: Any, what: str) -> np.ndarray:
    """Return the values of a dataset; refuse text, flags, records and complex numbers."""
    values = np.asarray(data[:])
    if values.dtype.kind not in "iuf":
        raise StudyError(f"{what} holds {values.dtype} values; expected numbers")
    return values


def ragged_index(table: Any, name: str, where: str) -> Any:
    """Return the index of a ragged column; refuse a column that has none, or an index of an index."""
    from hdmf.common import VectorIndex

    column = table[name]
    if not isinstance(column, VectorIndex) or isinstance(column.target, VectorIndex) or column.target.name != name:
        raise StudyError(f"{where}: {name} has not one {name}_index; expected a list for each row")
    return column


def has_column(table: Any, name: str) -> bool:
    """Return whether a table has a column; of ``column.other``, the first part."""
    return name in (*table.colnames, "id") or name.partition(".")[0] in table.colnames


def joined(lists: Sequence[np.ndarray]) -> np.ndarray:
    """Return one value for each list: its entry if no list has more than one, else all joined by "+".

    Examples
    --------
    >>> joined([np.array(["A", "B"]), np.array(["C"]), np.array([])]).tolist()
    ['A+B', 'C', '']
    >>> joined([np.array([2.0]), np.array([])]).tolist()
    [2.0, nan]
    """
    kept = [[value for value in entries if not _missing(value)] for entries in lists]
    if all(len(entries) <= 1 for entries in kept):
        found = [entries[0] for entries in kept if entries]
        text = any(isinstance(value, str) for value in found)
        empty = "" if text else np.nan
        return np.array([entries[0] if entries else empty for entries in kept], dtype=object if text else None)
    return np.array([JOIN.join(map(text_of, entries)) for entries in kept], dtype=object)


def text_of(value: Any) -> str:
    """Return a value as text: "" where missing, whole numbers without a decimal point."""
    if _missing(value):
        return ""
    return f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)


def no_column(where: str, key: str, name: str, columns: Iterable[str]) -> str:
    """Return the sentence that refuses a missing column: which key wants it, and which columns there are."""
    columns = list(columns)
    optional = ("trials.stimulus", "trials.choice", "trials.correct", "trials.response_time", "trials.block")
    hint = f" (set {key} to null if the study has none)" if key in optional else ""
    return f"{where} has no column {name!r} ({key}){did_you_mean(name, columns)}; it has {', '.join(columns)}{hint}"


def plain(value: Any) -> Any:
    """Return text as str, also where it was written as bytes, or as the text of bytes ("b'odor'")."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and re.fullmatch(r"b'[^']*'|b\"[^\"]*\"", value):
        return value[2:-1]
    return str(value) if isinstance(value, str) else value


def _missing(value: Any) -> bool:
    return value is None or value == "" or bool(pd.isna(value))


def _lists(index: Any, n_rows: int, other: str, what: str) -> list[np.ndarray]:
    """The entries of each row of a ragged column."""
    from hdmf.common import VectorIndex

    if isinstance(index.target, VectorIndex):
        raise StudyError(f"{what} holds lists of lists; expected one value or one list per row")
    values = _values(index.target, other, what)
    if values.ndim != 1:
        raise StudyError(
            f"{what} holds lists of arrays of shape {values.shape[1:]}; expected one value or list per row"
        )
    return _split(values, index, n_rows, f"{what}: its index")


def _split(flat: np.ndarray, index: Any, n_rows: int, what: str) -> list[np.ndarray]:
    """Divide the values of a ragged column among its rows."""
    ends = np.asarray(index.data[:])
    if ends.dtype.kind not in "iu" or ends.ndim != 1:
        raise StudyError(f"{what} holds {ends.dtype} values of shape {ends.shape}; expected a whole number per row")
    ends = ends.astype(np.int64)
    whole = len(ends) == n_rows and np.all(np.diff(ends, prepend=0) >= 0) and (ends[-1:] == len(flat)).all()
    if not whole:
        raise StudyError(f"{what} does not divide the {len(flat)} values among {n_rows} rows")
    return np.split(flat, ends[:-1]) if len(ends) else []


def _values(column: Any, other: str, what: str) -> np.ndarray:
    """The values of a column that is no index, references and codes replaced by what they stand for."""
    from hdmf.common import DynamicTableRegion, EnumData
    from pynwb.base import TimeSeriesReferenceVectorData

    if isinstance(column, DynamicTableRegion):
        return _referred(column, other, what)
    if other:
        raise StudyError(f"{what}: its first part does not refer to rows of another table; there is no {other!r} in it")
    if isinstance(column, TimeSeriesReferenceVectorData):
        raise StudyError(f"{what} holds references to stretches of time series; expected one value per row")
    if isinstance(column, EnumData):
        return _picked(_plain_values(column.elements.data, what), column.data, what, "elements")
    return _plain_values(column.data, what)


def _plain_values(data: Any, what: str) -> np.ndarray:
    """The values of a dataset: text as str, objects by their name, codes of an HDF5 enumeration by theirs."""
    codes = (getattr(getattr(data, "dtype", None), "metadata", None) or {}).get("enum")
    values = np.asarray(data[:])
    if codes:
        names = {number: name for name, number in codes.items()}
        unknown = set(np.unique(values).tolist()) - names.keys()
        if unknown:
            raise StudyError(f"{what} holds the code {min(unknown)}, which its enumeration does not name")
        return np.array([names[value] for value in values.ravel().tolist()], dtype=object).reshape(values.shape)
    if values.dtype.kind in "Vc":
        kind = "complex numbers" if values.dtype.kind == "c" else f"records ({', '.join(values.dtype.names or ())})"
        raise StudyError(f"{what} holds {kind}; expected one value per row")
    if values.dtype.kind not in "SUO":
        return values
    found = [plain(getattr(value, "name", value)) for value in values.ravel()]
    strange = [value for value in found if not (value is None or isinstance(value, str | int | float | np.generic))]
    if strange:
        raise StudyError(f"{what} holds objects ({type(strange[0]).__name__}); expected one value per row")
    return np.array([*found, None], dtype=object)[:-1].reshape(values.shape)


def _referred(column: Any, other: str, what: str) -> np.ndarray:
    """What rows of another table say of themselves: a column of it, else its name, label or id."""
    table = column.table
    if table is None:
        raise StudyError(f"{what} refers to rows of a table that is not in the file")
    if other and not has_column(table, other):
        raise StudyError(no_column(f"{what}: table {table.name!r}", "after the dot", other, table.colnames))
    named = other or next((name for name in NAMES if name in table.colnames), "id")
    return _picked(column_values(table, named, what), column.data, what, table.name)


def _picked(values: np.ndarray, numbers: Any, what: str, source: str) -> np.ndarray:
    """The values that numbers point to; a negative one would count from the end."""
    rows = np.asarray(numbers[:])
    if rows.size and not (rows.dtype.kind in "iu" and rows.min() >= 0 and rows.max() < len(values)):
        raise StudyError(f"{what} refers to rows {rows.min()} to {rows.max()} of {source!r}, which has {len(values)}")
    return values[rows.astype(np.int64)]
