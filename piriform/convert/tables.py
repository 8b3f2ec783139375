"""How do plain tables (CSV or Parquet) become NWB? One folder with a table of sessions, trials and spikes each.

A folder that holds a table ``sessions`` is read with the tables beside it; folders inside it may be such
folders too. Long tables (``spikes``, ``traces``) are sorted into one temporary file per session first, so that memory
holds one session at a time. What the columns are: docs/converting.md.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from piriform.convert.source import Progress, Session, refused_session
from piriform.convert.spool import Key, Spool, by_session, check_filled
from piriform.convert.table_file import SUFFIXES, column_names, read_table, require, table_chunks, table_name, tables_in
from piriform.convert.table_session import Parts, recording
from piriform.errors import StudyError, did_you_mean
from piriform.nwb_writer import Recording

DESCRIPTION = "plain tables, CSV or Parquet: sessions, trials, spikes (or dF/F traces), units; for any lab"

TIMES = ("start_time", "stop_time")
NEEDED = {
    "sessions": ("subject", "session", "start"),
    "trials": TIMES,
    "spikes": ("unit", "time"),
    "units": ("unit",),
    "obs_intervals": TIMES,
    "traces": ("time",),
    "columns": ("table", "column", "meaning"),
}


@dataclass(frozen=True)
class Study:
    """The tables of one folder.

    Attributes
    ----------
    paths : mapping
        File of each table that is there.
    short : mapping
        Rows of each session, of the tables ``sessions``, ``trials``, ``units`` and ``obs_intervals``.
    long : mapping
        ``spikes`` and ``traces`` on disk.
    meanings : mapping
        What a column says, by table and column.
    """

    paths: Mapping[str, Path]
    short: Mapping[str, Mapping[Key, pd.DataFrame]]
    long: Mapping[str, Spool]
    meanings: Mapping[tuple[str, str], str]


def sessions(source: Path, *, progress: Progress = print) -> Iterator[Session]:
    """Yield the sessions of a folder of tables.

    Sessions that a table names but the table of sessions does not, and folders that cannot be read, are among
    them; reading those raises.

    Raises
    ------
    StudyError
        If there is no folder, or no table of sessions in it.
    """
    for folder in _folders(source):
        with tempfile.TemporaryDirectory(prefix="piriform-") as scratch:
            try:
                study = _study(folder, source, Path(scratch))
                found = [*_sessions(study, progress), *_strangers(study)]
            except StudyError as error:
                found = [refused_session(str(folder), error)]
            yield from found


def _folders(source: Path) -> list[Path]:
    if not source.is_dir():
        raise StudyError(f"{source}: no such folder; give the folder that holds the tables sessions, trials and spikes")
    paths = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    folders = sorted({path.parent for path in paths if table_name(path) == "sessions"})
    if not folders:
        raise StudyError(_no_table("sessions", source, [path.name for path in paths]))
    return folders


def _no_table(name: str, folder: Path, names: list[str]) -> str:
    stems = [file.partition(".")[0].lower() for file in names]
    there = ", ".join(sorted(names)[:20]) or "nothing"
    expected = ", ".join(f"{name}{suffix}" for suffix in SUFFIXES)
    return f"{folder}: no table {name!r} ({expected}){did_you_mean(name, stems)}; the folder holds {there}"


def _study(folder: Path, source: Path, scratch: Path) -> Study:
    """All tables of a folder, the long ones sorted by session."""
    paths = tables_in(folder)
    for name, others in {"trials": ("trials",), "spikes": ("spikes", "traces")}.items():
        if not any(other in paths for other in others):
            raise StudyError(_no_table(name, folder, [path.name for path in folder.iterdir() if path.is_file()]))
    if "columns" not in paths and "columns" in (above := tables_in(source)):
        paths["columns"] = above["columns"]
    listed = read_table(paths["sessions"], NEEDED["sessions"])
    short = {"sessions": dict(by_session(listed, paths["sessions"], only=None))}
    only = next(iter(short["sessions"])) if len(listed) == 1 else None
    for name in ("trials", "units", "obs_intervals"):
        if name in paths:
            table = read_table(paths[name], _needed(name, only))
            if "unit" in table:
                check_filled(table["unit"], paths[name])
            short[name] = dict(by_session(table, paths[name], only=only))
    long = {str(name): _spooled(name, paths[name], scratch, only) for name in ("spikes", "traces") if name in paths}
    return Study(paths, short, long, _meanings(paths))


def _needed(name: str, only: Key | None) -> tuple[str, ...]:
    """Columns a table needs; whose a row is can be left out where there is one session."""
    return NEEDED[name] if only else ("subject", "session", *NEEDED[name])


def _spooled(name: str, path: Path, scratch: Path, only: Key | None) -> Spool:
    names = column_names(path)
    require(path, names, _needed(name, only))
    spool = Spool(scratch / name)
    columns = ["unit", "time"] if name == "spikes" else [n for n in names if n not in ("subject", "session")]
    spool.fill(path, table_chunks(path), columns, missing=name == "traces", only=only)
    return spool


def _meanings(paths: Mapping[str, Path]) -> dict[tuple[str, str], str]:
    if "columns" not in paths:
        return {}
    rows = read_table(paths["columns"], NEEDED["columns"])[list(NEEDED["columns"])]
    for name in NEEDED["columns"]:
        check_filled(rows[name], paths["columns"])
    return {(table, column): meaning for table, column, meaning in rows.to_numpy().tolist()}


def _sessions(study: Study, progress: Progress) -> Iterator[Session]:
    """The sessions that the table of sessions lists."""
    path = study.paths["sessions"]
    for key, rows in study.short["sessions"].items():
        name = f"{path}: subject {key[0]!r} session {key[1]!r}"
        if len(rows) > 1:
            twice = ", ".join(str(row) for row in rows.index)
            yield refused_session(name, StudyError(f"{name}: listed in rows {twice}; a session has one row"))
            continue
        yield Session(name, partial(_recording, study, key, name, progress), list(study.paths.values()))


def _recording(study: Study, key: Key, name: str, progress: Progress) -> Recording:
    parts = Parts(
        key=key,
        name=name,
        paths=study.paths,
        row=study.short["sessions"][key].iloc[0],
        tables={table: rows[key] for table, rows in study.short.items() if table != "sessions" and key in rows},
        long=study.long,
        meanings=study.meanings,
    )
    return recording(parts, progress)


def _strangers(study: Study) -> Iterator[Session]:
    """Sessions of which there are rows somewhere, but not in the table of sessions."""
    listed = list(study.short["sessions"])
    tables: dict[str, Iterable[Key]] = {**study.short, **study.long}
    for table, keys in tables.items():
        for key in [key for key in keys if key not in listed]:
            name = f"{study.paths[table]}: subject {key[0]!r} session {key[1]!r}"
            hint = did_you_mean(" ".join(key), [" ".join(other) for other in listed])
            reason = f"{name}: not in {study.paths['sessions'].name}{hint}; add the session there or remove its rows"
            yield refused_session(name, StudyError(reason))
