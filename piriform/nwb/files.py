"""Is this a usable NWB file, and whose session does it hold?

HDF5 files and Zarr folders, here or on a server. What cannot be used is refused with a
:class:`~piriform.errors.StudyError` that names it; files are always closed.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from piriform import provenance, remote
from piriform.errors import PiriformError, RemoteError, StudyError
from piriform.nwb.columns import plain
from piriform.nwb.hdf5 import hdf5_file, hdf5_recording
from piriform.nwb.zarr import is_zarr, zarr_group, zarr_recording


@dataclass(frozen=True)
class Header:
    """Whose session a file holds, and when it was recorded.

    ``session`` is the file's own session id, or the name of the file where it has none. ``version`` is
    the ETag of a remote file, or else its date and size; "" of a local one.
    """

    path: str | Path
    subject: str
    session: str
    start: datetime
    identifier: str
    version: str = ""


def read_header(path: str | Path) -> Header:
    """Read whose session a file holds, in a few ms.

    Raises
    ------
    StudyError
        If the file is not NWB 2 in HDF5 or Zarr, is damaged, or lacks its subject or start.
    """
    path = path if remote.is_remote(path) else Path(path)
    with _opened(path) as file:
        subject = _text_at(file, "general/subject/subject_id")
        session = _text_at(file, "general/session_id") or _stem(path)
        start, identifier = _text_at(file, "session_start_time"), _text_at(file, "identifier")
    if not subject:
        raise StudyError(f"{path}: no subject.subject_id; a session must say which animal it is from")
    if not start:
        raise StudyError(f"{path}: no session_start_time; sessions are ordered by it")
    try:
        when = datetime.fromisoformat(start)
    except ValueError:
        raise StudyError(f"{path}: session_start_time {start!r} is not an ISO 8601 time") from None
    return Header(path, subject, session, when, identifier, version_of(path))


@contextmanager
def nwb_file(path: str | Path) -> Iterator[Any]:
    """Open a file with pynwb, whose warnings about details of the schema are not the user's concern."""
    with _opened(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zarr_recording(path, file) if is_zarr(path) else hdf5_recording(file) as recording:
            yield recording


def version_of(path: str | Path) -> str:
    """Return which version of a remote file its server holds: the ETag, or date and size; "" for local files."""
    return remote.current().known(str(path)).stamp.version if remote.is_remote(path) else ""


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file.

    Of a Zarr folder it is that of one line per file, sorted by name: SHA-256 of the file, two spaces, name. Of a
    remote file it is what DANDI published; "" otherwise, since it would have to be downloaded.
    """
    if remote.is_remote(path):
        return remote.current().known(str(path)).sha256
    folder = Path(path)
    if not folder.is_dir():
        return provenance.sha256(path)
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    lines = "".join(f"{provenance.sha256(folder / name)}  {name}\n" for name in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def check_unchanged(path: str | Path, version: str) -> None:
    """Raise :class:`RemoteError` if a remote file is another version than the one that was indexed."""
    now = version_of(path) if version else ""
    if now != version:
        raise RemoteError(
            f"{path}: changed on the server since the study was indexed ({version} then, {now or 'unknown'} now); "
            "delete index.csv in the results and run again"
        )


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """Open an NWB 2 file; any failure while it is open becomes a StudyError."""
    try:
        with zarr_group(path) if is_zarr(path) else hdf5_file(path) as file:
            _check_version(file, path)
            yield file
    except StudyError as error:
        if str(error).startswith(str(path)):
            raise
        raise StudyError(f"{path}: {error}") from error
    except (PiriformError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StudyError(f"{path}: damaged, truncated or not valid NWB ({reason[:200]})") from error


def _check_version(file: Any, path: str | Path) -> None:
    version = plain(file.attrs.get("nwb_version", "")) or _text_at(file, "nwb_version")
    version = str(version).removeprefix("NWB-")
    if not version:
        kind = "a Zarr folder" if is_zarr(path) else "an HDF5 file"
        raise StudyError(f"{path}: {kind} without nwb_version; expected NWB 2")
    if version.startswith(("0.", "1.")):
        raise StudyError(f"{path}: written in NWB {version}; convert it to NWB 2, for instance with pynwb or NeuroConv")


def _text_at(file: Any, name: str) -> str:
    """The text of a scalar dataset, "" where it is missing."""
    node = file.get(name)
    if getattr(node, "size", None) != 1 or not hasattr(node, "dtype"):
        return ""
    return str(plain(np.ravel(node[()])[0])).strip()


def _stem(path: str | Path) -> str:
    return (
        remote.name_of(str(path))
        if remote.is_remote(path)
        else Path(path).name.removesuffix(".zarr").removesuffix(".nwb")
    )
