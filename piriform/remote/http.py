"""What does a web server say of a file?

With urllib3 rather than fsspec, which hides the status and the ETag of an answer: without them a server
that ignores ranges, or a file that changes halfway, would not be noticed.
"""

from typing import Any

from piriform import config
from piriform.errors import StudyError
from piriform.remote.source import AgainError, NotThereError, Stamp, changed, missing_extra, whole, with_retries

#: Answers that may be different the next time.
PASSING = (408, 425, 429, 500, 502, 503, 504)
REFUSALS = {
    401: "the server wants a login (401); use s3:// or dandi:// with credentials from the environment",
    403: "the server refuses access (403); check the address, or use s3:// or dandi:// with credentials",
    404: "no such file on the server (404)",
    410: "no such file on the server (410)",
}


class HttpSource:
    """One file on a web server; redirects are followed. ``like`` is a source whose connections are used too."""

    def __init__(self, url: str, settings: config.Remote, *, where: str = "", like: "HttpSource | None" = None) -> None:
        try:
            import urllib3
        except ImportError:
            raise missing_extra(url, "remote") from None
        self.url, self.where, self.retries, self.shared = url, where or url, settings.retries, like is not None
        self.pool: Any
        if like is not None:
            self.pool = like.pool
            return
        timeout = urllib3.Timeout(connect=min(settings.timeout, 10.0), read=settings.timeout)
        self.pool = urllib3.PoolManager(num_pools=4, timeout=timeout, headers={"Accept-Encoding": "identity"})

    def stamp(self) -> Stamp:
        """Ask for the length and version; servers that refuse HEAD are asked for the first byte."""
        return with_retries(self._stamp, where=self.where, retries=self.retries)

    def fetch(self, start: int, stop: int, stamp: Stamp) -> bytes:
        """Read the bytes [start, stop) of that very version."""
        return with_retries(lambda: self._fetch(start, stop, stamp), where=self.where, retries=self.retries)

    def reach(self) -> None:
        """Return if the server answers at all."""

        def ask() -> None:
            status = self._ask("HEAD", {})[0]
            if status in PASSING:
                raise AgainError(f"the server answers {status}")

        with_retries(ask, where=self.where, retries=self.retries)

    def close(self) -> None:
        """Close the connections, unless they are another source's."""
        if not self.shared:
            self.pool.clear()

    def _stamp(self) -> Stamp:
        status, headers, _ = self._ask("HEAD", {})
        if status not in (200, *PASSING, 404) or "Content-Length" not in headers:
            status, headers, _ = self._ask("GET", {"Range": "bytes=0-0"})
            self._check(status, (206,))
            return _stamp(headers, _total(headers, self.where))
        self._check(status, (200,))
        return _stamp(headers, int(headers["Content-Length"]))

    def _fetch(self, start: int, stop: int, stamp: Stamp) -> bytes:
        wanted = {"Range": f"bytes={start}-{stop - 1}"}
        wanted |= {"If-Match": stamp.etag} if stamp.etag and not stamp.etag.startswith("W/") else {}
        status, headers, content = self._ask("GET", wanted)
        if status in (412, 416):
            raise changed(self.where)
        self._check(status, (206,))
        if _stamp(headers, _total(headers, self.where)).differs(stamp):
            raise changed(self.where)
        return whole(content, start, stop)

    def _check(self, status: int, expected: tuple[int, ...]) -> None:
        if status in expected:
            return
        if status in PASSING:
            raise AgainError(f"the server answers {status}")
        if status == 200:
            raise StudyError(f"{self.where}: the server does not answer range requests; download the file and use that")
        kind = NotThereError if status in (404, 410) else StudyError
        raise kind(f"{self.where}: {REFUSALS.get(status, f'the server answers {status}; check the address')}")

    def _ask(self, method: str, headers: dict[str, str]) -> tuple[int, Any, bytes]:
        """Status, headers and, of an answer to a range request, the content; anything else is not even received."""
        from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError
        from urllib3.util import Retry

        retry = Retry(total=None, connect=0, read=0, other=0, redirect=5)
        try:
            answer = self.pool.request(
                method,
                self.url,
                headers={**self.pool.headers, **headers},
                retries=retry,
                preload_content=False,
            )
            try:
                content = answer.read() if method == "HEAD" or answer.status == 206 else b""
                return answer.status, answer.headers, content
            finally:
                answer.close()
        except MaxRetryError as error:
            cause = error.reason
            if isinstance(cause, SSLError):
                raise StudyError(f"{self.where}: no secure connection ({_short(cause)})") from None
            if isinstance(cause, NewConnectionError):
                raise AgainError("the server cannot be reached") from None
            if cause is not None and "too many redirects" in str(cause):
                raise StudyError(f"{self.where}: the server redirects in circles; check the address") from None
            raise AgainError(f"the connection broke ({_short(cause)})") from None
        except (HTTPError, OSError) as error:
            raise AgainError(f"the connection broke ({_short(error)})") from None


def _short(error: object) -> str:
    return " ".join(str(error).split())[-120:] or type(error).__name__


def _stamp(headers: Any, size: int) -> Stamp:
    return Stamp(size, headers.get("ETag", ""), headers.get("Last-Modified", ""))


def _total(headers: Any, where: str) -> int:
    """Length of the file from the answer to a range request."""
    total = headers.get("Content-Range", "").rpartition("/")[2]
    if not total.isdigit():
        raise StudyError(f"{where}: the server does not tell the length of the file; download the file and use that")
    return int(total)
