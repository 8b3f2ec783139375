"""What does a side table (CSV) say of the trials of one session?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.config import expand
from piriform.errors import ConfigError, StudyError

#: s; a ``start_time`` of the side table may differ from the file's by this much.
SAME_TIME = 0.01


def side_table(extra: str, *, subject: str, session: str) -> pd.DataFrame:
    """Return the rows of a CSV file for one session, all values as text, "" where missing.

    Parameters
    ----------
    extra : path of the CSV; it has the columns ``subject``, ``session`` and ``trial`` or ``id``
    subject, session : as the NWB file names them

    Returns
    -------
    DataFrame; the index is the number of the line in the CSV, from 1 (the header)

    Raises
    ------
    ConfigError
        If the file does not exist, is no CSV, or lacks its keys.
    StudyError
        If it has no row for the session.
    """
    path = Path(expand(extra))
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file (trials.extra)") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a CSV table ({' '.join(str(error).split())}) (trials.extra)") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise ConfigError(f"{path}: rows have more values than the header has names (trials.extra)")
    table.columns = table.columns.str.strip()
    lacking = [name for name in ("subject", "session") if name not in table]
    if lacking or ("trial" in table) == ("id" in table):
        raise ConfigError(
            f"{path}: columns {', '.join(map(str, table))}; expected subject, session and one of trial (number of the "
            "row, from 0) and id (trials.extra)"
        )
    table.index += 2
    own = table[(table["subject"].str.strip() == subject) & (table["session"].str.strip() == session)]
    if own.empty:
        raise StudyError(f"{path}: no row for subject {subject!r}, session {session!r} (trials.extra)")
    return own.drop(columns=["subject", "session"])


def side_values(
    side: pd.DataFrame, names: Sequence[str], *, ids: np.ndarray, start: np.ndarray, where: str
) -> dict[str, np.ndarray]:
    """Return columns of a side table in the order of the trials; "" for trials that it does not list.

    Parameters
    ----------
    side : see :func:`side_table`
    names : columns to return
    ids, start : (n_trials,) ids of the rows of the interval table, and their start, s
    where : names the CSV and the session in errors

    Raises
    ------
    StudyError
        If a row names no trial, or a trial that is named already, or tells another ``start_time``.
    """
    key = "trial" if "trial" in side else "id"
    known = {str(name): row for row, name in enumerate(range(len(ids)) if key == "trial" else ids.tolist())}
    if len(known) < len(ids):
        raise StudyError(f"{where}: ids of the trials are not unique; join by trial, the number of the row")
    rows = np.array([_row(line, value, known, key, where) for line, value in side[key].items()])
    twice = pd.Series(rows, index=side.index).duplicated()
    if twice.any():
        line = twice.index[twice][0]
        raise StudyError(f"{where}: line {line}: {key} {side[key][line].strip()} is listed twice")
    _check_start(side, start[rows], where)
    found = {name: np.full(len(ids), "", dtype=object) for name in names}
    for name in names:
        found[name][rows] = side[name].str.strip().to_numpy(dtype=object)
    return found


def _row(line: Any, value: str, known: dict[str, int], key: str, where: str) -> int:
    name = value.strip()
    name = name.removesuffix(".0") if key == "trial" else name
    if name not in known:
        there = f"they are numbered from 0 to {len(known) - 1}" if key == "trial" else f"it is none of {len(known)} ids"
        raise StudyError(f"{where}: line {line}: there is no trial of {key} {value!r}; {there}")
    return known[name]


def _check_start(side: pd.DataFrame, start: np.ndarray, where: str) -> None:
    if "start_time" not in side:
        return
    told = pd.to_numeric(side["start_time"], errors="coerce").to_numpy(dtype=float)
    differs = np.abs(told - start) > SAME_TIME
    if differs.any():
        first = int(np.flatnonzero(differs)[0])
        raise StudyError(
            f"{where}: line {side.index[first]}: start_time is {told[first]:g} s, the file's {start[first]:g} s; "
            "the rows do not belong to these trials"
        )
