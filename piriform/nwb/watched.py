"""Which files tell a workflow that a recording changed?"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from piriform import remote
from piriform.nwb.zarr import MARKS


def watched(recordings: Iterable[str | Path]) -> list[str]:
    """Return one file per recording on this machine: itself, or the file that makes a Zarr folder one.

    Recordings on servers are left out: a workflow cannot ask for them each time it is planned.
    """
    here = [Path(one) for one in recordings if not remote.is_remote(one)]
    return [str(next((path / mark for mark in MARKS if (path / mark).is_file()), path)) for path in here]


def folder_state(files: Iterable[str | Path]) -> str:
    """Return a hash that changes with any file inside the Zarr folders that :func:`watched` names; "" without any.

    Names, sizes and times of change enter, not the contents, which would have to be read each time.
    """
    folders = sorted({Path(file).parent for file in files if Path(file).name in MARKS})
    inside = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    stats = [(str(path), path.stat()) for path in inside]
    text = "\n".join(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats)
    return hashlib.sha256(text.encode()).hexdigest() if stats else ""
