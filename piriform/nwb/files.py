"""Is this a usable NWB file, and whose session does it hold?

A file that cannot be used is refused with a :class:`~piriform.errors.StudyError` that names it;
files are always closed.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from piriform.errors import PiriformError, StudyError
from piriform.nwb.columns import plain

#: What a file that holds no recording begins with, and what it is then.
PLACEHOLDERS = {
    b"version https://git-lfs": "a Git LFS pointer instead of the recording; run `git lfs pull`",
    b"/annex/objects/": "a git-annex pointer instead of the recording; run `git annex get`",
    b"\x89HDF": "an HDF5 file cut off in its first bytes; copy or download it again",
}


@dataclass(frozen=True)
class Header:
    """Whose session a file holds, and when it was recorded.

    ``session`` is the file's own session id, or the name of the file where it has none.
    """

    path: Path
    subject: str
    session: str
    start: datetime
    identifier: str


def read_header(path: str | Path) -> Header:
    """Read whose session a file holds, in a few ms.

    Raises
    ------
    StudyError
        If the file is not NWB 2 in HDF5, is damaged, or lacks its subject or start.
    """
    path = Path(path)
    with _hdf5_file(path) as file:
        subject = _text_at(file, "general/subject/subject_id")
        session = _text_at(file, "general/session_id") or path.stem
        start, identifier = _text_at(file, "session_start_time"), _text_at(file, "identifier")
    if not subject:
        raise StudyError(f"{path}: no subject.subject_id; a session must say which animal it is from")
    if not start:
        raise StudyError(f"{path}: no session_start_time; sessions are ordered by it")
    try:
        return Header(path, subject, session, datetime.fromisoformat(start), identifier)
    except ValueError:
        raise StudyError(f"{path}: session_start_time {start!r} is not an ISO 8601 time") from None


@contextmanager
def nwb_file(path: str | Path) -> Iterator[Any]:
    """Open a file with pynwb, whose warnings about details of the schema are not the user's concern."""
    with _hdf5_file(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pynwb import NWBHDF5IO

        with NWBHDF5IO(file=file, mode="r") as io:
            yield io.read()


@contextmanager
def _hdf5_file(path: str | Path) -> Iterator[h5py.File]:
    """Open an NWB 2 file; any failure while it is open becomes a StudyError."""
    path = Path(path)
    _check_bytes(path)
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            _check_version(file, path)
            yield file
    except (PiriformError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StudyError(f"{path}: damaged, truncated or not valid NWB ({reason[:200]})") from error


def _check_bytes(path: Path) -> None:
    if not path.is_file():
        link = " (a link to a file that is not there)" if path.is_symlink() else ""
        raise StudyError(f"{path}: no such file{link}")
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from error
    if not head:
        raise StudyError(f"{path}: the file is empty (0 bytes); copy or download it again")
    if not h5py.is_hdf5(path):
        kinds = [what for start, what in PLACEHOLDERS.items() if head.startswith(start)]
        raise StudyError(f"{path}: {kinds[0] if kinds else 'not an HDF5 file; expected NWB 2 in HDF5'}")


def _check_version(file: h5py.File, path: Path) -> None:
    version = plain(file.attrs.get("nwb_version", "")) or _text_at(file, "nwb_version")
    version = str(version).removeprefix("NWB-")
    if not version:
        raise StudyError(f"{path}: an HDF5 file without nwb_version; expected NWB 2")
    if version.startswith(("0.", "1.")):
        raise StudyError(f"{path}: written in NWB {version}; convert it to NWB 2, for instance with pynwb or NeuroConv")


def _text_at(file: h5py.File, name: str) -> str:
    """The text of a scalar dataset, "" where it is missing."""
    node = file.get(name)
    if not isinstance(node, h5py.Dataset) or node.size != 1:
        return ""
    return str(plain(np.ravel(node[()])[0])).strip()
