"""How many bytes of a recording on a server travel, and in how many requests? Writes the tables of docs/remote.md.

``python -m benchmarks.remote`` takes about a minute; ``--quick`` takes seconds and writes nothing. A web server on
this machine answers range requests and counts; the time on a real network is reckoned, not measured.
"""

import argparse
import tempfile
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks import report
from piriform.config import REAL_DATA, Remote, expand
from piriform.nwb.hdf5 import hdf5_recording
from piriform.remote import access

PAGE = Path(__file__).parent.parent / "docs" / "remote.md"
BLOCKS = (4, 16, 64, 256, 1024)
STEPS = ("header", "trials", "units")
#: A connection to another continent's archive: s per request, bytes per s.
LATENCY, BANDWIDTH = 0.1, 10e6
#: What the server hands to the network at a time, bytes.
CHUNK = 2**16
REAL = "nwb/sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb"


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small file, nothing is written")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the tables")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = measured(Path(folder), seconds=1 if chosen.quick else 30)
    for name, text in parts.items():
        print(f"\n== {name}\n{text}", flush=True)
    if not chosen.quick:
        chosen.page.write_text(report.placed(chosen.page.read_text(), parts))
        print(f"\nwritten to {chosen.page}")


def measured(folder: Path, *, seconds: int) -> dict[str, str]:
    """Return the tables of the page.

    Parameters
    ----------
    seconds : length of the raw recording, 64 channels at 20 kHz
    """
    from importlib.metadata import version

    session = simulated_session(folder, seconds)
    real = Path(expand("${" + next(iter(REAL_DATA)) + "}")) / REAL
    names = ("h5py", "pynwb", "fsspec", "remfile")
    packages = ", ".join(f"{name} {version(name)}" for name in names if find_spec(name))
    parts = {"files": f"Python packages: {packages}."}
    for name, path in {"session": session, "real": real}.items():
        if path.is_file():
            parts[name] = f"File: {path.stat().st_size / 1e6:.1f} MB.\n\n{table_of(path)}"
    return parts


def table_of(path: Path) -> str:
    """Return one line per way to read: MB and requests up to each step, and the reckoned time."""
    header = ["", *(f"{step}, {what}" for step in STEPS for what in ("MB", "requests")), "s at 100 ms, 10 MB/s"]
    lines = []
    with tempfile.TemporaryDirectory() as cache, serving(path.parent) as (url, sent):
        ways = {f"piriform, {kib} KiB": partial(ours, kib=kib, cache=None) for kib in BLOCKS}
        kept = partial(ours, kib=Remote().block_kib, cache=cache)
        ways |= {"piriform, first time with cache": kept, "piriform, again": kept, **peers()}
        for name, way in ways.items():
            found = read_by(way, f"{url}/{path.name}", sent)
            cells = [text for mb, n in found for text in (f"{mb / 1e6:.2f}", f"{n}")]
            lines.append([name, *cells, f"{found[-1][1] * LATENCY + found[-1][0] / BANDWIDTH:.1f}"])
    return report.table(header, lines)


def read_by(way: Callable[[str], AbstractContextManager[Any]], url: str, sent: "Sent") -> list[tuple[int, int]]:
    """Return bytes and requests up to each step."""
    found = []
    sent.n_bytes = sent.n_requests = 0
    with way(url) as stream, h5py.File(stream, "r") as file:
        for name in ("session_start_time", "identifier", "general/subject/subject_id", "general/session_id"):
            if name in file:
                file[name][()]
        found.append((sent.n_bytes, sent.n_requests))
        with hdf5_recording(file) as recording:
            recording.trials.to_dataframe()
            found.append((sent.n_bytes, sent.n_requests))
            for column in ("spike_times", "obs_intervals"):
                if column in recording.units.colnames:
                    recording.units[column].data[:], recording.units[column].target.data[:]
            found.append((sent.n_bytes, sent.n_requests))
    return found


@contextmanager
def ours(url: str, *, kib: int, cache: str | None) -> Any:
    """The file as piriform opens it."""
    with access(Remote(block_kib=kib, cache=cache)) as here, here.open(url) as stream:
        yield stream


def peers() -> dict[str, Callable[[str], AbstractContextManager[Any]]]:
    """Other ways to open a file on a web server, as far as they are installed."""
    found: dict[str, Callable[[str], AbstractContextManager[Any]]] = {}
    if find_spec("fsspec") and find_spec("aiohttp"):
        import fsspec

        found["fsspec, as it comes"] = lambda url: fsspec.open(url, "rb")
        found["fsspec, cache of blocks"] = lambda url: fsspec.open(url, "rb", cache_type="blockcache", block_size=2**16)
    if find_spec("remfile"):
        import remfile

        found["remfile"] = contextmanager(lambda url: iter([remfile.File(url)]))
    return found


def simulated_session(folder: Path, seconds: int) -> Path:
    """Write a simulated session with a raw recording, as labs publish them, and return its path."""
    from hdmf.backends.hdf5 import H5DataIO
    from pynwb import NWBHDF5IO
    from pynwb.ecephys import ElectricalSeries

    from piriform.simulate import simulate_study

    simulate_study(folder, scenario="growth", subjects=1, days=1, seed=1, parameters={}, progress=lambda _: None)
    (source,) = folder.rglob("*.nwb")
    with NWBHDF5IO(source, "r") as io:
        file = io.read()
        group = file.create_electrode_group("shank", "shank", "PCx", file.create_device(name="probe"))
        for _ in range(64):
            file.add_electrode(x=0.0, y=0.0, z=0.0, location="PCx", filtering="none", group=group)
        region = file.create_electrode_table_region(list(range(64)), "all")
        data = np.random.default_rng(1).integers(-99, 99, (20_000 * seconds, 64), dtype=np.int16)
        raw = H5DataIO(data, chunks=(20_000, 64))
        file.add_acquisition(ElectricalSeries(name="raw", data=raw, electrodes=region, rate=2e4, conversion=1e-6))
        with NWBHDF5IO(folder / "session.nwb", "w") as out:
            out.export(src_io=io, nwbfile=file)
    return folder / "session.nwb"


@dataclass
class Sent:
    """What a server has sent."""

    n_bytes: int = 0
    n_requests: int = 0


@contextmanager
def serving(folder: Path) -> Any:
    """Serve a folder; yield the address and the count."""
    sent = Sent()

    class Handler(BaseHTTPRequestHandler):
        """Answers HEAD, GET and range requests."""

        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            """Answer with the length."""
            self.do_GET()

        def do_GET(self) -> None:
            """Answer with the bytes that are wanted."""
            path = folder / self.path.lstrip("/")
            size = path.stat().st_size
            wanted = self.headers.get("Range", "").removeprefix("bytes=")
            start, stop = (int(part or size - 1) for part in wanted.split("-")) if wanted else (0, size - 1)
            stop = min(stop, size - 1)
            self.send_response(206 if wanted else 200)
            self.send_header("ETag", '"1"')
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(stop - start + 1))
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{stop}/{size}")
            sent.n_requests += 1
            self.end_headers()
            if self.command == "GET":
                with open(path, "rb") as stream:
                    stream.seek(start)
                    for at in range(start, stop + 1, CHUNK):
                        chunk = stream.read(min(CHUNK, stop + 1 - at))
                        sent.n_bytes += len(chunk)
                        self.wfile.write(chunk)  # fails once the reader has hung up

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a peer may hang up in the middle
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
