"""Is this an HDF5 file that can be opened, here or on a server?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from piriform import remote
from piriform.errors import StudyError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: What a file that holds no recording begins with, and what it is then.
PLACEHOLDERS = {
    b"version https://git-lfs": "a Git LFS pointer instead of the recording; run `git lfs pull`",
    b"/annex/objects/": "a git-annex pointer instead of the recording; run `git annex get`",
    b"\x89HDF": "an HDF5 file cut off in its first bytes; copy or download it again",
}


@contextmanager
def hdf5_file(path: str | Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; of one on a server only the blocks that are needed are read."""
    if not remote.is_remote(path):
        _check_file(Path(path))
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
        return
    with remote.current().open(str(path)) as stream:
        try:
            _check_head(stream.read(64), path)
            with h5py.File(stream, "r") as file:
                yield file
        except Exception:
            if stream.error:  # HDF5 says only that it could not read
                raise stream.error from None
            raise


@contextmanager
def hdf5_recording(file: h5py.File) -> Iterator[Any]:
    """Read an open file with pynwb."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(file=file, mode="r") as io:
        yield io.read()


def _check_file(path: Path) -> None:
    if not path.is_file():
        link = " (a link to a file that is not there)" if path.is_symlink() else ""
        raise StudyError(f"{path}: no such file{link}")
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from error
    if h5py.is_hdf5(path):
        return
    _check_head(head, path)
    raise StudyError(f"{path}: not an HDF5 file; expected NWB 2 in HDF5")


def _check_head(head: bytes, path: str | Path) -> None:
    """Refuse what is known not to be a recording by how it begins."""
    if not head:
        raise StudyError(f"{path}: the file is empty (0 bytes); copy or download it again")
    kinds = [what for start, what in PLACEHOLDERS.items() if head.startswith(start)]
    if kinds and not head.startswith(SIGNATURE):
        raise StudyError(f"{path}: {kinds[0]}")
    if head[:1] in (b"<", b"{", b"\n") and head.lstrip()[:1] in (b"<", b"{"):
        raise StudyError(f"{path}: a web page or text instead of a recording; expected NWB 2 in HDF5")
