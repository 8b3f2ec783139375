"""Is this a Zarr folder that can be opened, and is it whole?

Zarr reads a chunk that is not there as zeros, and old folders hold pickles, which can run any program:
neither happens here.
"""

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from piriform import remote
from piriform.errors import StudyError

#: Files that make a folder a Zarr store of format 2.
MARKS = (".zgroup", ".zmetadata")
#: Parts of a recording that are never read; they are usually by far the largest.
UNREAD = ("acquisition/", "stimulus/", "specifications/")
#: What a pickle may hold beside text, numbers, lists and dicts.
PLAIN = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("hdmf_zarr.utils", "ZarrReference"),
}


def is_zarr(path: str | Path) -> bool:
    """Return whether a path is a folder, or the address of something that ends in ``.zarr``."""
    return str(path).rstrip("/").endswith(".zarr") if remote.is_remote(path) else Path(path).is_dir()


@contextmanager
def zarr_group(path: str | Path) -> Iterator[Any]:
    """Open a Zarr folder; of one on a server only the chunks that are needed are read."""
    _check_extra(path)
    if remote.is_remote(path):
        import zarr

        from piriform.nwb.zarr_remote import RemoteStore

        with remote.current().folder(str(path)) as far, _plain_pickles():
            yield zarr.open_consolidated(RemoteStore(far), mode="r")
        return
    _check_folder(Path(path))
    import zarr

    with _plain_pickles():
        yield zarr.open_group(str(path), mode="r")


def _check_folder(folder: Path) -> None:
    if not any((folder / mark).is_file() for mark in MARKS):
        if (folder / "zarr.json").is_file():
            raise StudyError(f"{folder}: Zarr of format 3, which hdmf-zarr does not read; expected format 2")
        raise StudyError(f"{folder}: a folder without {' or '.join(MARKS)}; expected NWB in Zarr, or an HDF5 file")


def _check_extra(path: str | Path) -> None:
    try:
        import hdmf_zarr  # noqa: F401
    except ImportError:
        raise StudyError(f'{path}: reading Zarr needs an extra; pip install "piriform[zarr]"') from None


@contextmanager
def zarr_recording(path: str | Path, group: Any) -> Iterator[Any]:
    """Read an open folder with pynwb."""
    from hdmf_zarr.nwb import NWBZarrIO

    if not remote.is_remote(path):
        _check_whole(path, group)
    source = group.chunk_store if remote.is_remote(path) else str(path)
    with NWBZarrIO(path=source, mode="r") as reader:
        yield reader.read()


def _check_whole(path: str | Path, group: Any) -> None:
    """Refuse a folder that lacks chunks of times, numbers or text, which Zarr would read as 0 or empty text.

    Chunks of integers and flags may be left out by writers if they are all zero.
    """
    folder = Path(path)
    for name in _arrays(folder):
        array = group[name]
        missing = array.nchunks - array.nchunks_initialized
        if missing and (array.dtype.kind in "fcOSU" or name.rpartition("/")[2] == "id"):
            raise StudyError(
                f"{path}: {missing} of {array.nchunks} chunks of {name} are missing; copy the folder again"
            )


def _arrays(folder: Path) -> list[str]:
    """The arrays of a folder that may be read: those that are there, and those that it says it has."""
    import json

    there = {path.parent.relative_to(folder).as_posix() for path in folder.rglob(".zarray")}
    listed: set[str] = set()
    if (folder / ".zmetadata").is_file():
        entries = json.loads((folder / ".zmetadata").read_text())["metadata"]
        listed = {name.removesuffix("/.zarray") for name in entries if name.endswith("/.zarray")}
    lost = sorted(name for name in listed - there if not name.startswith(UNREAD))
    if lost:
        raise StudyError(f"{folder}: {lost[0]} is missing; copy the folder again")
    return sorted(name for name in there if not name.startswith(UNREAD))


class _Plain(pickle.Unpickler):
    """Reads pickles of text, numbers, arrays and references; refuses anything that could run."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class that may be in a pickle."""
        if (module, name) not in PLAIN:
            raise StudyError(f"a pickle holds {module}.{name}, which could run any program")
        return super().find_class(module, name)


@contextmanager
def _plain_pickles() -> Iterator[None]:
    """Decode pickled columns with the reader that refuses what could run."""
    from numcodecs import registry
    from numcodecs.pickles import Pickle

    class PlainPickle(Pickle):
        """The codec `pickle`, reading plain data alone."""

        def decode(self, buf: Any, out: Any = None) -> Any:
            """Return the pickled array."""
            found = _Plain(io.BytesIO(bytes(memoryview(buf)))).load()
            if out is None:
                return found
            np.copyto(out, found)
            return out

    before = registry.codec_registry.get("pickle")
    registry.codec_registry["pickle"] = PlainPickle
    try:
        yield
    finally:
        if before is None:
            del registry.codec_registry["pickle"]
        else:
            registry.codec_registry["pickle"] = before
