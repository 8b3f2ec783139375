"""With which settings are remote files read, and what was read so far?

:func:`access` sets both for a block of code, so that readers need nothing but an address.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from piriform import config
from piriform.errors import StudyError
from piriform.remote.address import SUFFIXES, parsed_s3, scheme_of
from piriform.remote.cache import BlockCache
from piriform.remote.dandi import dandi_content, dandi_recordings
from piriform.remote.folder import RemoteFolder
from piriform.remote.http import HttpSource
from piriform.remote.s3 import S3Source, s3_recordings
from piriform.remote.source import NotThereError, Source, Stamp
from piriform.remote.stream import RemoteFile, Traffic

#: What a Zarr folder says of all its arrays; its version stands for that of the folder.
CONTENTS = ".zmetadata"


@dataclass(frozen=True)
class Known:
    """What is known of a remote file: where its bytes lie, which version it is, its SHA-256 or ""."""

    content: str
    stamp: Stamp
    sha256: str


class Access:
    """Settings, traffic, and the version of each file that was opened; it stays that version."""

    def __init__(self, settings: config.Remote) -> None:
        self.settings = settings
        self.traffic = Traffic()
        self._known: dict[str, Known] = {}

    def open(self, url: str) -> RemoteFile:
        """Open a remote file."""
        known = self.known(url)
        size = self.settings.block_kib * 1024
        cache = BlockCache(self.settings.folder, url, known.stamp, size)
        source = self._source(known.content, url)
        return RemoteFile(source, known.stamp, cache, block_size=size, traffic=self.traffic)

    def folder(self, url: str) -> RemoteFolder:
        """Open a Zarr folder on a server."""
        return RemoteFolder(url, self.known(url).content, self.settings, self.traffic)

    def known(self, url: str) -> Known:
        """Return what the server says of a file, or of the list of contents of a Zarr folder; it is asked once."""
        if url not in self._known:
            dandi = scheme_of(url) == "dandi"
            content, digest = dandi_content(url, self.settings) if dandi else (url, "")
            listed = content.rstrip("/") + "/" + CONTENTS if url.rstrip("/").endswith(".zarr") else content
            source = self._source(listed, url)
            try:
                stamp = source.stamp()
            except NotThereError:
                if listed == content:
                    raise
                raise NotThereError(
                    f"{url}: no {CONTENTS} there; on a server Zarr is read with consolidated metadata alone"
                ) from None
            finally:
                source.close()
            self.traffic.n_requests += 1
            self.traffic.n_files += 1
            self.traffic.saw(f"{url.rstrip('/')}/{CONTENTS}" if listed != content else url, stamp.size)
            self._known[url] = Known(content, stamp, digest)
        return self._known[url]

    def recordings(self, url: str) -> list[str]:
        """Return the addresses of the recordings that an address stands for: a file, or all in a folder.

        Raises
        ------
        StudyError
            If nothing is there.
        """
        listers: dict[str, Callable[[str, config.Remote], list[str]]] = {"dandi": dandi_recordings, "s3": s3_recordings}
        scheme = scheme_of(url)
        if scheme == "s3" and not url.endswith("/") and parsed_s3(url)[1]:
            return [url]
        if scheme not in listers:
            if url.endswith("/"):
                raise StudyError(f"{url}: a web server does not list folders; name each file in `data`")
            return [url]
        found = listers[scheme](url, self.settings)
        if not found:
            raise StudyError(f"{url}: nothing there ends in {' or '.join(SUFFIXES)}")
        return found

    def _source(self, content: str, url: str) -> Source:
        if scheme_of(content) == "s3":
            return S3Source(content, self.settings)
        return HttpSource(content, self.settings, where=url)


_CURRENT: ContextVar[Access | None] = ContextVar("access", default=None)


def current() -> Access:
    """Return the access of the enclosing :func:`access`, or one with the defaults."""
    return _CURRENT.get() or Access(config.Remote())


@contextmanager
def access(settings: config.Remote, *, say: Callable[[str], object] | None = None) -> Iterator[Access]:
    """Read remote files with these settings within the block; at its end say what was read, if anything."""
    chosen = Access(settings)
    token = _CURRENT.set(chosen)
    try:
        yield chosen
    finally:
        _CURRENT.reset(token)
        if say and chosen.traffic.n_files:
            say(str(chosen.traffic))
