"""What do the columns of an NWB table hold, row by row?"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from piriform.errors import StudyError, did_you_mean


def column_values(table: Any, name: str, where: str) -> np.ndarray:
    """One value per row, text as str."""
    from hdmf.common import DynamicTableRegion, VectorIndex

    column = table[name]
    if isinstance(column, VectorIndex | DynamicTableRegion):
        raise StudyError(f"{where}: column {name!r} holds lists or references; expected one value per row")
    values = np.asarray(column.data[:])
    if values.shape != (len(table.id),):
        raise StudyError(f"{where}: column {name!r} has shape {values.shape}; expected ({len(table.id)},)")
    return np.array([plain(value) for value in values], dtype=object) if values.dtype.kind in "SUO" else values


def ragged_column(table: Any, name: str, where: str) -> list[np.ndarray]:
    """The arrays of a ragged column, by row (not by id), read in one go."""
    index = table[name]
    ends, flat = np.asarray(index.data[:], dtype=np.int64), np.asarray(index.target.data[:])
    whole = len(ends) == len(table.id) and np.all(np.diff(ends, prepend=0) >= 0) and (ends[-1:] == len(flat)).all()
    if not whole:
        raise StudyError(f"{where}: {name}_index does not divide the {len(flat)} values among {len(table.id)} units")
    return np.split(flat, ends[:-1]) if len(ends) else []


def no_column(where: str, key: str, name: str, columns: Iterable[str]) -> str:
    """The sentence that refuses a missing column: which key wants it, and which columns there are."""
    columns = list(columns)
    optional = ("trials.stimulus", "trials.choice", "trials.correct", "trials.response_time", "trials.block")
    hint = f" (set {key} to null if the study has none)" if key in optional else ""
    return f"{where} has no column {name!r} ({key}){did_you_mean(name, columns)}; it has {', '.join(columns)}{hint}"


def plain(value: Any) -> Any:
    """Text as str, also where it was written as bytes, or as the text of bytes ("b'odor'")."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and re.fullmatch(r"b'[^']*'|b\"[^\"]*\"", value):
        return value[2:-1]
    return str(value) if isinstance(value, str) else value
