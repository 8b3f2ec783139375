"""Servers on this machine that stand in for those of others: a web server with ranges and faults, a DANDI archive."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


def ended(threads, seconds=30):
    """Wait for the threads of a server that answer closed connections; return those that go on."""
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    return [thread for thread in threads if thread.is_alive()]


@dataclass
class Behavior:
    """What a server does wrong, and what it has sent."""

    root: Path
    ranges: bool = True
    etag: str = '"1"'
    modified: str = "Mon, 01 Jan 2024 09:00:00 GMT"
    head: bool = True
    failures: list = field(default_factory=list)  # a status, "cut" or "drop" for each of the next requests
    after: int = 10**9  # requests of content after which `then` is done
    then: object = None
    sent: int = 0
    asked: list = field(default_factory=list)

    @property
    def fetched(self):
        """Requests of content."""
        return [one for one in self.asked if one[0] == "GET"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # of a connection on which nothing is asked

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        does = self.server.behavior
        does.asked.append((self.command, self.path, self.headers.get("Range"), self.headers.get("If-Match")))
        if self.command == "GET" and len(does.fetched) > does.after and does.then:
            does.then(does)
        failure = does.failures.pop(0) if does.failures else None
        if failure == "drop":
            self.close_connection = True
            return None
        if isinstance(failure, int):
            return self._send(failure)
        if self.command == "HEAD" and not does.head:
            return self._send(405)
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/moved/"):
            return self._send(302, headers={"Location": path.removeprefix("/moved")})
        if path.startswith("/circle/"):
            return self._send(302, headers={"Location": path})
        return self._content(path, does, failure)

    def _content(self, path, does, failure):
        file = does.root / path.lstrip("/")
        if not file.is_file():
            return self._send(404)
        content = file.read_bytes()
        if does.etag and self.headers.get("If-Match") not in (None, does.etag):
            return self._send(412)
        headers = {"ETag": does.etag, "Last-Modified": does.modified}
        status, wanted = 200, self.headers.get("Range")
        if wanted and does.ranges:
            start, stop = (int(number) for number in wanted.removeprefix("bytes=").split("-"))
            if start >= len(content):
                return self._send(416)
            headers["Content-Range"] = f"bytes {start}-{min(stop, len(content) - 1)}/{len(content)}"
            status, content = 206, content[start : stop + 1]
        return self._send(status, content, headers, cut=failure == "cut")

    def _send(self, status, content=b"", headers=None, *, cut=False):
        self.send_response(status)
        for name, value in (headers or {}).items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut:
            content, self.close_connection = content[: len(content) // 2], True
        self.server.behavior.sent += len(content)  # before the client can ask what was sent
        try:
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class DandiHandler(Handler):
    """The few answers of the archive's API that reading needs, beside the files themselves."""

    def _content(self, path, does, failure):
        if not path.startswith("/api/") and path != "/server-info":
            return super()._content(path, does, failure)
        answer = self.server.archive.answer(path, parse_qs(urlsplit(self.path).query))
        if isinstance(answer, str):
            return self._send(302, headers={"Location": answer})
        if answer is None:
            return self._send(404)
        return self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


@dataclass
class Archive:
    """One dandiset, 000123, whose assets are the files below a folder."""

    root: Path
    url: str
    embargo: str = "OPEN"
    published: bool = True
    digests: dict = field(default_factory=dict)

    @property
    def version(self):
        """What its newest version is called."""
        return "0.240101.0900" if self.published else "draft"

    def answer(self, path, query):
        """The answer to one request: JSON, an address to go to, or None."""
        if path in ("/api/info/", "/server-info"):
            services = {"api": {"url": f"{self.url}/api"}, "webui": None, "jupyterhub": None}
            about = {"schema_version": "0.6.9", "version": "1", "cli-minimal-version": "0.1.0", "cli-bad-versions": []}
            return about | {"services": services}
        if path == "/api/dandisets/000123/":
            return self._dandiset()
        version = f"/api/dandisets/000123/versions/{self.version}/"
        if path == version + "info/":
            return self._version() | {"metadata": {}}
        if path == version + "assets/":
            prefix = query.get("path", [""])[0]
            found = [asset for asset in self._assets() if asset["path"].startswith(prefix)]
            return {"count": len(found), "next": None, "previous": None, "results": found}
        assets = {asset["asset_id"]: asset for asset in self._assets()}
        _, _, rest = path.partition(version + "assets/")
        asset = assets.get((rest or path.removeprefix("/api/assets/")).split("/")[0])
        if asset is None:
            return None
        if path.endswith("/download/"):
            return f"{self.url}/{asset['path']}?signature=secret"
        digest = {"dandi:sha2-256": self.digests[asset["path"]]} if asset["path"] in self.digests else {}
        found = [f"{self.url}/api/assets/{asset['asset_id']}/download/"]
        found += [f"{self.url}/{asset['path']}/"] if asset["zarr"] else []
        return {"contentUrl": found, "digest": digest}

    def _version(self):
        moment = "2024-01-01T09:00:00Z"
        more = {"asset_count": 1, "size": 1, "status": "Valid", "created": moment, "modified": moment}
        return {"version": self.version, "name": "a study", **more}

    def _dandiset(self):
        moment = "2024-01-01T09:00:00Z"
        draft = self._version() | {"version": "draft"}
        return {
            "identifier": "000123", "created": moment, "modified": moment, "contact_person": "N., N.",
            "embargo_status": self.embargo, "draft_version": draft,
            "most_recent_published_version": self._version() if self.published else None,
        }  # fmt: skip

    def _assets(self):
        inside = sorted(path for path in self.root.rglob("*") if path.is_file())
        files = sorted({next((up for up in path.parents if up.suffix == ".zarr"), path) for path in inside})
        moment = "2024-01-01T09:00:00Z"
        return [
            {
                "asset_id": f"asset-{number}", "path": file.relative_to(self.root).as_posix(), "size": file.stat().st_size, "created": moment, "modified": moment,
                "blob": None if file.is_dir() else f"blob-{number}", "zarr": f"zarr-{number}" if file.is_dir() else None,
            }
            for number, file in enumerate(files)
        ]  # fmt: skip


class Server:
    """A server of the files below a folder, until the ``with`` block ends; ``does`` says how it behaves."""

    def __init__(self, root, handler=Handler):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a reader may hang up
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.does = self._server.behavior = Behavior(Path(root))
        self.archive = self._server.archive = Archive(Path(root), self.url)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
