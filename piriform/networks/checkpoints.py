"""Where do trained networks rest on disk, and is such a file whole?

A folder holds one file per checkpoint, ``step-00000144.npz``: a NumPy archive of plain arrays with
a description in JSON and the SHA-256 of all the rest. Files are written under a temporary name and
renamed. Training continues after the last whole file and writes those that follow anew.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from piriform.errors import StudyError
from piriform.provenance import atomic_path

Arrays = dict[str, np.ndarray]
_ABOUT, _DIGEST = "about", "sha256"


def checkpoint_path(folder: str | Path, step: int) -> Path:
    """Return the file of one checkpoint.

    Examples
    --------
    >>> checkpoint_path("run", 144).name
    'step-00000144.npz'
    """
    return Path(folder) / f"step-{step:08d}.npz"


def save_checkpoint(path: str | Path, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
    """Write arrays and their description; the same content gives the same bytes.

    Raises
    ------
    StudyError
        If the file cannot be written, e.g. on a full disk; nothing half-written is left.
    """
    content: dict[str, Any] = {name: np.asarray(values) for name, values in sorted(arrays.items())}
    content[_ABOUT] = np.frombuffer(json.dumps(about, sort_keys=True).encode(), dtype=np.uint8)
    content[_DIGEST] = np.array(_digest(content))
    try:
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, **content)
    except OSError as error:
        why = f"cannot be written ({error.strerror or error})"
        raise StudyError(f"{path}: {why}; make room or name another folder, and start again") from error


def load_checkpoint(path: str | Path) -> tuple[Arrays, dict[str, Any]]:
    """Return what :func:`save_checkpoint` wrote.

    Raises
    ------
    StudyError
        If the file is not there, is cut short, or was changed.
    """
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise StudyError(f"{path}: no such checkpoint; train the networks first") from None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise StudyError(f"{path}: {_DAMAGED} ({error})") from error
    digest = content.pop(_DIGEST, np.array(""))
    if _ABOUT not in content or str(digest) != _digest(content):
        raise StudyError(f"{path}: {_DAMAGED} (its SHA-256 does not fit its content)")
    about = json.loads(content.pop(_ABOUT).tobytes())
    return content, about


def whole_checkpoints(folder: str | Path, steps: list[int]) -> tuple[list[tuple[Arrays, dict[str, Any]]], str]:
    """Return the checkpoints of ``steps``, up to the first that is missing or damaged, and what is wrong with that.

    The text is empty where a file is just missing: training had not come that far.
    """
    found: list[tuple[Arrays, dict[str, Any]]] = []
    for step in steps:
        path = checkpoint_path(folder, step)
        if not path.exists():
            return found, ""
        try:
            found.append(load_checkpoint(path))
        except StudyError:
            return found, f"{path.name} was cut short or damaged"
    return found, ""


_DAMAGED = "this checkpoint is cut short or damaged; train again in the same folder to go on from the one before"


def _digest(content: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, values in sorted(content.items()):
        total.update(f"{name} {values.dtype.str} {values.shape} ".encode())
        total.update(np.ascontiguousarray(values).tobytes())
    return total.hexdigest()
