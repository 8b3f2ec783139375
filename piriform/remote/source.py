"""What does every server have to answer: how long is the file, which version is it, what are these bytes?"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from piriform.errors import RemoteError, StudyError

T = TypeVar("T")
#: Pause before the first new attempt, s; each further one is twice as long.
PAUSE = 0.5


@dataclass(frozen=True)
class Stamp:
    """Length of a file in bytes, and what its server says of the version: ETag and time of the last change."""

    size: int
    etag: str = ""
    modified: str = ""

    @property
    def version(self) -> str:
        """The ETag, else date and size, else "": the server does not tell versions apart."""
        return self.etag or (f"{self.modified}, {self.size} bytes" if self.modified else "")

    def differs(self, other: "Stamp") -> bool:
        """Return whether two answers of one server are of different versions, as far as both tell.

        Examples
        --------
        >>> Stamp(5, '"a"', "Monday").differs(Stamp(5, '"a"'))
        False
        >>> Stamp(5, modified="Monday").differs(Stamp(5, modified="Tuesday"))
        True
        """
        if self.etag and other.etag:
            return (self.size, self.etag) != (other.size, other.etag)
        dated = bool(self.modified and other.modified)
        return self.size != other.size or (dated and self.modified != other.modified)


class Source(Protocol):
    """One file on a server."""

    url: str

    def stamp(self) -> Stamp:
        """Ask for the length and version."""
        ...

    def fetch(self, start: int, stop: int, stamp: Stamp) -> bytes:
        """Read the bytes [start, stop) of that very version."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class NotThereError(StudyError):
    """A server has no such file."""


class AgainError(Exception):
    """A failure that may pass: a broken connection, an overloaded server."""


def with_retries(attempt: Callable[[], T], *, where: str, retries: int) -> T:
    """Return what ``attempt`` returns; after an :class:`AgainError` try again, ``retries`` times, waiting longer each time.

    Raises
    ------
    RemoteError
        If no attempt succeeded; the reason is the last one.
    """
    for number in range(retries + 1):
        try:
            return attempt()
        except AgainError as error:
            reason = str(error)
        if number < retries:
            time.sleep(PAUSE * 2**number)
    raise RemoteError(f"{where}: {reason}, {retries + 1} attempts; check the address and the network, or try later")


def changed(where: str) -> RemoteError:
    """The error of a file whose version on the server is no longer the one that was opened."""
    return RemoteError(f"{where}: changed on the server while it was read; run again to read the new version alone")


def whole(content: bytes, start: int, stop: int) -> bytes:
    """Return the content of an answer if none of it is missing."""
    if len(content) != stop - start:
        raise AgainError(f"the answer was cut short ({len(content)} of {stop - start} bytes)")
    return content


def missing_extra(url: str, extra: str) -> StudyError:
    """The error of an address whose library is not installed."""
    return StudyError(f'{url}: reading it needs an extra; pip install "piriform[{extra}]"')
