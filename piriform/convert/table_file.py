"""What does one table of a study hold, be it CSV, TSV (gzipped or not) or Parquet?

Columns named ``subject``, ``session`` and ``unit`` are text, so that 007 stays 007; the kinds of the others follow from
their values. Rows are numbered from 1, the header not counted.
"""

import csv
import gzip
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import StudyError, did_you_mean

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
NAMES = ("sessions", "trials", "spikes", "units", "obs_intervals", "traces", "columns")
TEXTS = ("subject", "session", "unit", "start", "table", "column", "meaning")
MISSING = ["", "NaN", "nan", "NA"]
#: What makes pandas read every digit of a number; from 3.1 on it does so by itself.
EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)
CHUNK = 250_000  # rows in memory at once


def tables_in(folder: Path) -> dict[str, Path]:
    """Return the tables of a folder by name, each of ``NAMES``.

    Raises
    ------
    StudyError
        If two files hold the same table.
    """
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        name = table_name(path)
        if name in found:
            raise StudyError(f"{path}: holds the same table as {found[name].name}; remove one of them")
        if name in NAMES:
            found[name] = path
    return found


def table_name(path: Path) -> str:
    """Return the name of the table that a file holds, "" if it is no table.

    Examples
    --------
    >>> table_name(Path("a/Spikes.csv.gz")), table_name(Path("spikes.mat"))
    ('spikes', '')
    """
    suffix = max((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), key=len, default="")
    return path.name.lower()[: -len(suffix)] if suffix and not path.name.startswith(".") else ""


def require(path: Path, names: Iterable[str], needed: Iterable[str]) -> None:
    """Refuse a table without one of the ``needed`` columns.

    Raises
    ------
    StudyError
        It lists the columns there are.
    """
    there = [str(name) for name in names]
    for name in needed:
        if name not in there:
            raise StudyError(
                f"{path}: no column {name!r}{did_you_mean(name, there)}; it has {', '.join(there) or 'none'}"
            )


def read_table(path: Path, needed: Iterable[str] = ()) -> pd.DataFrame:
    """Return a table; its index is the number of the row.

    Raises
    ------
    StudyError
        If it cannot be read, or lacks a column.
    """
    require(path, column_names(path), needed)
    return pd.concat(list(table_chunks(path, size=None)))


def column_names(path: Path) -> list[str]:
    """Return the names of the columns.

    Raises
    ------
    StudyError
        If the file cannot be read, is empty, or names two columns alike.
    """
    with _readable(path):
        names = _parquet(path).schema_arrow.names if path.name.lower().endswith(".parquet") else _header(path)[1]
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise StudyError(f"{path}: two columns are named {twice[0]!r}; rename one of them")
    if not any(names):
        raise StudyError(f"{path}: the file is empty; expected a first line with the names of the columns")
    return [name for name in names if name]


def table_chunks(path: Path, *, size: int | None = CHUNK) -> Iterator[pd.DataFrame]:
    """Yield a table in parts of ``size`` rows (None: at once), the index being the number of the row.

    Raises
    ------
    StudyError
        If the file cannot be read.
    """
    first = 1
    with _readable(path):
        chunks = _parquet_chunks(path, size) if path.name.lower().endswith(".parquet") else _csv_chunks(path, size)
        for chunk in chunks:
            yield _texts(chunk.set_axis(np.arange(first, first + len(chunk)), axis=0))
            first += len(chunk)


def numbers(column: pd.Series, path: Path, *, missing: bool = False) -> np.ndarray:
    """Return a column as numbers.

    Parameters
    ----------
    missing : whether cells may be empty; they become NaN

    Raises
    ------
    StudyError
        If a cell holds something else; the message names the file, the column and the row.
    """
    values, wrong = parsed(column)
    if missing:
        wrong &= ~column.isna().to_numpy()
    if wrong.any():
        raise StudyError(not_a_number(column, wrong, path))
    return values


def parsed(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return a column as numbers, NaN where it holds none, and where it holds no finite one."""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        values = np.array([_number(cell) for cell in column], dtype=float)
    else:
        values = column.to_numpy(dtype=float, na_value=np.nan)
    return values, ~np.isfinite(values)


def not_a_number(column: pd.Series, wrong: np.ndarray, path: Path) -> str:
    """Return what is wrong with the first wrong cell of a column."""
    row, value = column.index[wrong][0], column[wrong].iloc[0]
    found = "nothing" if pd.isna(value) else repr(value.item() if isinstance(value, np.generic) else value)
    return f"{path}: column {column.name!r}, row {row}: {found}, expected a number"


def _number(cell: Any) -> float:
    try:
        return np.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        return np.nan


# The two kinds of file ------------------------------------------------------------------------


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a library says about a bad file into one sentence."""
    try:
        yield
    except (StudyError, MemoryError):
        raise
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: not UTF-8 text (byte {error.start}); save the table as UTF-8") from error
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise StudyError(f"{path}: not a readable table ({reason})") from error


def _header(path: Path) -> tuple[str, list[str]]:
    """The separator of a text table, and the names of its columns."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        line = stream.readline().strip("\r\n")
    separator = max(",;\t", key=line.count)
    return separator, [
        name.strip() for name in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [""])
    ]


def _csv_chunks(path: Path, size: int | None) -> Iterator[pd.DataFrame]:
    separator, names = _header(path)
    numbered = {number: str for number, name in enumerate(names) if name in TEXTS}
    with (
        warnings.catch_warnings(),
        pd.read_csv(
            path,
            sep=separator,
            header=0,
            names=list(range(len(names))),
            index_col=False,
            dtype=numbered,
            chunksize=size or 2**40,
            encoding="utf-8-sig",
            **EXACT,
            keep_default_na=False,
            na_values=MISSING,
            skipinitialspace=True,
            low_memory=False,
        ) as reader,
    ):
        warnings.simplefilter("error", pd.errors.ParserWarning)
        for chunk in reader:
            yield chunk.set_axis(names, axis=1).drop(columns="", errors="ignore")


def _parquet(path: Path) -> Any:
    import pyarrow.parquet as pq

    texts = [name for name in pq.read_schema(path).names if name in TEXTS]
    return pq.ParquetFile(path, read_dictionary=texts, pre_buffer=False)


def _parquet_chunks(path: Path, size: int | None) -> Iterator[pd.DataFrame]:
    with _parquet(path) as file:
        if size is None:
            yield file.read().to_pandas(ignore_metadata=True)
            return
        for batch in file.iter_batches(batch_size=size, use_threads=False):
            yield batch.to_pandas()


def _texts(chunk: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``TEXTS`` as text without blanks around it; what is missing stays missing."""
    changed = {}
    for name in TEXTS:
        if name in chunk:
            codes, found = pd.factorize(chunk[name])
            texts = [str(value).strip() or np.nan for value in found]
            changed[name] = np.array([*texts, np.nan], dtype=object)[codes]  # code -1: missing
    return chunk.assign(**changed)
