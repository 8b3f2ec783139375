"""Which blocks of a remote file are already on this machine, and are they still what they were?

Each block is one small file that begins with the SHA-256 of the rest. A block that does not fit its
checksum is fetched again. Blocks are written under a temporary name and renamed, so that two
processes can use one cache at the same time.
"""

import contextlib
import hashlib
import json
import os
import threading
from pathlib import Path

from piriform.errors import StudyError
from piriform.provenance import atomic_path
from piriform.remote.source import Stamp

_DIGEST = 32


class BlockCache:
    """Blocks of one version of one file, in a folder of its own.

    Parameters
    ----------
    folder : folder of the whole cache; None: nothing is kept
    url : address of the file, as the user knows it
    stamp : the version; nothing is kept of a file whose server does not tell versions apart
    block_size : bytes
    """

    def __init__(self, folder: Path | None, url: str, stamp: Stamp, block_size: int) -> None:
        self.folder: Path | None = None
        if folder is None or not stamp.version:
            return
        about = {"url": url, "size": stamp.size, "etag": stamp.etag, "modified": stamp.modified}
        about |= {"block_size": block_size}
        text = json.dumps(about, indent=2)
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:32]
        note = self.folder / "about.json"
        try:
            if not note.is_file():
                with atomic_path(note) as temporary:
                    temporary.write_text(text)
        except OSError as error:
            if note.is_file():  # another reader was faster
                return
            raise StudyError(
                f"{folder}: the cache cannot be written ({error.strerror}); set remote.cache to another folder or null"
            ) from None

    def load(self, number: int) -> bytes | None:
        """Return a block, or None where it is not kept or damaged."""
        if self.folder is None:
            return None
        try:
            kept = (self.folder / _name(number)).read_bytes()
        except OSError:
            return None
        digest, content = kept[:_DIGEST], kept[_DIGEST:]
        return content if hashlib.sha256(content).digest() == digest else None

    def save(self, number: int, content: bytes) -> None:
        """Keep a block; a full disk is no reason to stop reading."""
        if self.folder is None:
            return
        path = self.folder / _name(number)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        with contextlib.suppress(OSError):
            try:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)


def _name(number: int) -> str:
    return f"{number:08d}"
