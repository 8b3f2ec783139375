"""How is a table too long for memory handed out session by session? By one pass that sorts its rows into files.

The files are temporary, one per session, 16 bytes per spike; they lie where ``TMPDIR`` says.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.convert.table_file import not_a_number, parsed
from piriform.errors import StudyError

#: Subject and session.
Key = tuple[str, str]
BLOCK = 500_000  # rows in memory at once


class Spool:
    """The rows of a long table by session, on disk.

    Attributes
    ----------
    problems : dict
        What is wrong with a session's rows, by key; the first such thing.
    units : dict
        Names of a session's units with their numbers, by key.
    columns : list of str
        What is in the columns of a row.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.problems: dict[Key, str] = {}
        self.units: dict[Key, dict[str, int]] = {}
        self._files: dict[Key, Path] = {}
        self.columns: list[str] = []

    def __contains__(self, key: Key) -> bool:
        return key in self._files or key in self.problems

    def __iter__(self) -> Iterator[Key]:
        return iter({**self._files, **self.problems})

    def fill(
        self, path: Path, chunks: Iterable[pd.DataFrame], columns: Sequence[str], *, missing: bool, only: Key | None
    ) -> None:
        """Sort the rows of a table by session.

        Parameters
        ----------
        columns : ``unit`` becomes the unit's number in its session, any other is a number
        missing : whether cells of all columns but ``time`` may be empty
        only : the session of all rows, where the table does not name it
        """
        self.columns = list(columns)
        for chunk in chunks:
            for key, rows in by_session(chunk, path, only=only):
                values, problem = self._values(key, rows, columns, path, missing)
                if problem:
                    self.problems.setdefault(key, problem)
                file = self._files.setdefault(key, self.folder / str(len(self._files)))
                with open(file, "ab") as stream:
                    values.tofile(stream)

    def _values(
        self, key: Key, rows: pd.DataFrame, columns: Sequence[str], path: Path, missing: bool
    ) -> tuple[np.ndarray, str]:
        """(n_rows, n_columns) numbers, and what is wrong with them."""
        values, problem = np.empty((len(rows), len(columns))), ""
        for position, name in enumerate(columns):
            if name == "unit":
                values[:, position] = self._unit_numbers(key, rows["unit"], path)
                continue
            values[:, position], wrong = parsed(rows[name])
            if missing and name != "time":
                wrong &= ~rows[name].isna().to_numpy()
            if wrong.any() and not problem:
                problem = not_a_number(rows[name], wrong, path)
        return values, problem

    def _unit_numbers(self, key: Key, names: pd.Series, path: Path) -> np.ndarray:
        check_filled(names, path)
        codes, found = pd.factorize(names)
        known = self.units.setdefault(key, {})
        return np.array([known.setdefault(str(name), len(known)) for name in found], dtype=float)[codes]

    def blocks(self, key: Key) -> Iterator[np.ndarray]:
        """Yield the rows of a session, (n_rows, n_columns) at a time.

        Raises
        ------
        StudyError
            If something is wrong with one of them.
        """
        if key in self.problems:
            raise StudyError(self.problems[key])
        if key not in self._files:
            return
        with open(self._files[key], "rb") as stream:
            while (values := np.fromfile(stream, count=BLOCK * len(self.columns))).size:
                yield values.reshape(-1, len(self.columns))

    def spike_times(self, key: Key, order: Sequence[str]) -> list[np.ndarray]:
        """Return the times of each unit of a session, ascending, s; empty for a unit without spikes.

        The columns are unit and time. One array of all times is made, and a block of rows.
        """
        row_of = {name: row for row, name in enumerate(order)}
        rows = np.array([row_of[name] for name in self.units.get(key, {})], dtype=int)
        counts = sum(
            (np.bincount(rows[block[:, 0].astype(int)], minlength=len(order)) for block in self.blocks(key)),
            np.zeros(len(order), dtype=int),
        )
        ends = np.cumsum(counts)
        times, free = np.empty(int(counts.sum())), ends - counts
        for block in self.blocks(key):
            own = rows[block[:, 0].astype(int)]
            sorting = np.argsort(own, kind="stable")
            here = np.bincount(own, minlength=len(order))
            within = np.arange(len(own)) - np.repeat(np.cumsum(here) - here, here)
            times[np.repeat(free, here) + within] = block[sorting, 1]
            free += here
        trains = [times[end - count : end] for end, count in zip(ends, counts, strict=True)]
        for train in trains:
            train.sort()
        return trains


def by_session(table: pd.DataFrame, path: Path, *, only: Key | None) -> Iterator[tuple[Key, pd.DataFrame]]:
    """Yield the rows of each session of a table; ``only`` is the session where the table names none.

    Raises
    ------
    StudyError
        If a row does not say whose it is.
    """
    names = [name for name in ("subject", "session") if name in table]
    if only is not None and not names:
        yield only, table
        return
    for name in names:
        check_filled(table[name], path)
    for found, rows in table.groupby(names, sort=False):
        given = dict(zip(names, map(str, found), strict=True))
        subject, session = (
            given.get(name, "" if only is None else only[n]) for n, name in enumerate(("subject", "session"))
        )
        yield (subject, session), rows


def check_filled(column: pd.Series, path: Path) -> None:
    """Refuse a table with an empty cell in this column."""
    empty = column.isna().to_numpy()
    if empty.any():
        raise StudyError(f"{path}: row {column.index[empty][0]} has no {column.name}; every row needs one")
