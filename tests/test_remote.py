"""Bytes of a file on a web server: right, few, kept with checksums, and refused in one sentence where they are wrong."""

import hashlib
import io
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from servers import Server, ended

from piriform import config, remote
from piriform.errors import RemoteError, StudyError
from piriform.remote import access, source
from piriform.remote.address import parsed_dandi, parsed_s3, recordings_among, scheme_of

BLOCK = 4096


@pytest.fixture
def content():
    return np.random.default_rng(1).bytes(10 * BLOCK + 100)


@pytest.fixture
def server(tmp_path, content, monkeypatch):
    monkeypatch.setattr(source, "PAUSE", 0.001)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.bin").write_bytes(content)
    with Server(tmp_path / "files") as server:
        yield server


@pytest.fixture
def settings(tmp_path):
    return config.Remote(cache=str(tmp_path / "cache"), block_kib=4, retries=2, timeout=60)


def read(url, settings, start=0, n=-1):
    """Bytes of a file, and what travelled."""
    with access(settings) as chosen, remote.current().open(url) as file:
        file.seek(start)
        return file.read(n), chosen.traffic


# Addresses ------------------------------------------------------------------------------------


def test_what_is_remote():
    assert [remote.is_remote(path) for path in ("https://x/a.nwb", "s3://b/c", "dandi://000001/", "HTTP://x")] == [
        True
    ] * 4
    assert not any(remote.is_remote(path) for path in ("data", "/data/a.nwb", "C:\\a.nwb", "a:b//c"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://x/a.nwb", "unknown scheme of address 'ftp'.*; choose from dandi, http, https, s3"),
        (
            "https://me:secret@x.org/a.nwb",
            r"https://\*\*\*@x.org: an address with a password would stand in every result",
        ),
    ],
)
def test_addresses_that_are_not_read(url, reason):
    with pytest.raises(StudyError, match=reason) as error:
        scheme_of(url)
    assert "secret" not in str(error.value)


def test_addresses_that_are_not_whole():
    with pytest.raises(StudyError, match=r"s3:///x: expected s3://bucket/key or s3://bucket/folder/"):
        parsed_s3("s3:///x")
    for wrong in ("dandi://167/x", "dandi://", "dandi://000167@"):
        with pytest.raises(StudyError, match="expected dandi://dandiset/path or dandi://dandiset@version/path"):
            parsed_dandi(wrong)


@pytest.mark.parametrize("address", ["dandi://000167/a b.nwb", "dandi://000167@draft/", "dandi://000167@0.1/x/y.nwb"])
def test_a_dandi_address_is_written_as_it_is_read(address):
    assert str(parsed_dandi(address)) == address


def test_hidden_objects_are_no_recordings():
    assert recordings_among([".x/a.nwb", "~a.nwb", "x/.a.nwb", "a.nwb.part", "x.zarr/.zgroup"]) == ["x.zarr"]


# Bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_are_those_of_the_file(server, settings, content, seed):
    rng = np.random.default_rng(seed)
    chosen = settings.model_copy(update={"cache": None} if seed % 2 else {})
    with access(chosen) as here, here.open(f"{server.url}/a.bin") as file:
        for _ in range(12):
            start, n = int(rng.integers(0, len(content) + 50)), int(rng.integers(0, 3 * BLOCK))
            file.seek(start)
            assert file.read(n) == content[start : start + n]
            assert file.tell() == max(start, min(start + n, len(content))) or start >= len(content)
        file.seek(-7, io.SEEK_END)
        assert file.read() == content[-7:]
        file.seek(3)
        assert file.seek(2, io.SEEK_CUR) == 5
        assert (file.size, file.readable(), file.seekable(), file.writable()) == (len(content), True, True, False)


def test_only_the_blocks_that_are_needed_travel_in_one_request(server, settings, content):
    found, traffic = read(f"{server.url}/a.bin", settings, BLOCK + 5, 2 * BLOCK)
    assert found == content[BLOCK + 5 : 3 * BLOCK + 5]
    assert [one[:3] for one in server.does.fetched] == [("GET", "/a.bin", f"bytes={BLOCK}-{4 * BLOCK - 1}")]
    assert (traffic.fetched, server.does.sent, traffic.n_requests) == (3 * BLOCK, 3 * BLOCK, 2)
    assert (traffic.n_files, traffic.size) == (1, len(content))


def test_blocks_that_are_known_are_not_asked_for_again(server, settings):
    with access(settings) as here, here.open(f"{server.url}/a.bin") as file:
        for block in (2, 4):
            file.seek(block * BLOCK)
            file.read(1)
        file.seek(BLOCK)
        file.read(5 * BLOCK)
    asked = [one[2] for one in server.does.fetched[2:]]
    assert asked == [f"bytes={n * BLOCK}-{(n + 1) * BLOCK - 1}" for n in (1, 3, 5)]


def test_reading_on_takes_ever_larger_steps_and_no_block_twice(server, settings, content):
    with access(settings) as here, here.open(f"{server.url}/a.bin") as file:
        assert b"".join(file.read(100) for _ in range(len(content) // 100 + 1)) == content
        assert here.traffic.fetched == len(content)
    assert len(server.does.fetched) == 4  # 1, 2, 4 and the remaining 4 of 11 blocks


def test_long_reads_are_split(server, settings, content, monkeypatch):
    monkeypatch.setattr("piriform.remote.stream.LARGEST", 3 * BLOCK)
    monkeypatch.setattr("piriform.remote.stream.AHEAD", 0)
    found, traffic = read(f"{server.url}/a.bin", settings, 0, len(content))
    assert found == content
    assert traffic.n_requests == 1 + 4


def test_memory_is_bounded(server, settings, content, monkeypatch):
    monkeypatch.setattr("piriform.remote.stream.IN_MEMORY", 3 * BLOCK)
    with access(settings) as here, here.open(f"{server.url}/a.bin") as file:
        assert file.read() == content
        assert len(file._memory) == 3


# Cache ----------------------------------------------------------------------------------------


def test_a_second_read_fetches_nothing(server, settings, content):
    read(f"{server.url}/a.bin", settings)
    before = len(server.does.fetched)
    found, traffic = read(f"{server.url}/a.bin", settings)
    assert found == content
    assert (traffic.fetched, traffic.cached, traffic.n_requests) == (0, len(content), 1)
    assert len(server.does.fetched) == before
    assert str(traffic) == "read 0.0 of 0.0 MB of 1 remote file in 1 requests, 0.0 MB from the cache"


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "gone"])
def test_a_damaged_block_is_fetched_again_and_mended(server, settings, content, tmp_path, damage):
    read(f"{server.url}/a.bin", settings)
    (block,) = (tmp_path / "cache").glob("*/00000003")
    kept = block.read_bytes()
    damaged = {"flipped": kept[:-1] + bytes([kept[-1] ^ 1]), "cut": kept[:-9], "empty": b""}
    block.unlink() if damage == "gone" else block.write_bytes(damaged[damage])
    found, traffic = read(f"{server.url}/a.bin", settings)
    assert found == content
    assert traffic.fetched == BLOCK
    assert block.read_bytes() == kept


def test_a_block_of_another_length_is_fetched_again(server, settings, content, tmp_path):
    read(f"{server.url}/a.bin", settings)
    (block,) = (tmp_path / "cache").glob("*/00000003")
    block.write_bytes(hashlib.sha256(b"short").digest() + b"short")
    assert read(f"{server.url}/a.bin", settings)[0] == content


def test_another_version_is_another_file(server, settings, content, tmp_path):
    read(f"{server.url}/a.bin", settings)
    (tmp_path / "files" / "a.bin").write_bytes(content[::-1])
    server.does.etag = '"2"'
    found, traffic = read(f"{server.url}/a.bin", settings)
    assert found == content[::-1]
    assert traffic.cached == 0
    assert len(list((tmp_path / "cache").glob("*/about.json"))) == 2


def test_a_server_without_etag_is_told_by_date_and_size(server, settings, content):
    server.does.etag = ""
    with access(settings) as here:
        assert here.known(f"{server.url}/a.bin").stamp.version == f"{server.does.modified}, {len(content)} bytes"
    read(f"{server.url}/a.bin", settings)
    assert read(f"{server.url}/a.bin", settings)[1].fetched == 0


def test_nothing_is_kept_where_versions_cannot_be_told_apart_or_nothing_is_wanted(server, settings, tmp_path, content):
    read(f"{server.url}/a.bin", settings.model_copy(update={"cache": None}))
    server.does.etag = server.does.modified = ""
    assert read(f"{server.url}/a.bin", settings)[0] == content
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written(server, settings, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(
        StudyError, match=r"cache: the cache cannot be written \(.*\); set remote.cache to another folder"
    ):
        read(f"{server.url}/a.bin", settings)


def test_a_full_disk_does_not_stop_the_reading(server, settings, content, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("piriform.remote.cache.os.replace", full)
    Path(settings.cache).mkdir()
    monkeypatch.setattr("piriform.remote.cache.atomic_path", _plain_path)
    assert read(f"{server.url}/a.bin", settings)[0] == content
    assert not list(Path(settings.cache).glob("*/.*.tmp"))


class _plain_path:
    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        pass


def test_several_readers_share_a_cache(server, settings, content):
    with ThreadPoolExecutor(4) as pool:
        found = [job.result()[0] for job in [pool.submit(read, f"{server.url}/a.bin", settings) for _ in range(8)]]
    assert found == [content] * 8
    assert read(f"{server.url}/a.bin", settings)[1].fetched == 0


# Faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [[503], ["drop"], [None, "cut"], [500, "drop", None]])
def test_what_passes_is_tried_again(server, settings, content, failures):
    server.does.failures = list(failures)
    assert read(f"{server.url}/a.bin", settings)[0] == content


@pytest.mark.parametrize(
    ("failures", "reason"),
    [
        ([503] * 9, "the server answers 503, 3 attempts; check the address and the network, or try later"),
        (["drop"] * 9, r"the connection broke \(.*\), 3 attempts"),
        ([None] + ["cut"] * 9, r"the connection broke \(.*\), 3 attempts"),
    ],
)
def test_what_does_not_pass_stops_the_run(server, settings, failures, reason):
    server.does.failures = failures
    with pytest.raises(RemoteError, match=rf"^{server.url}/a.bin: {reason}"):
        read(f"{server.url}/a.bin", settings)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "the server wants a login"),
        (403, "the server refuses access"),
        (410, "no such file on the server"),
        (418, "the server answers 418; check the address"),
    ],
)
def test_refusals(server, settings, status, reason):
    server.does.failures = [status] * 9
    with pytest.raises(StudyError, match=reason):
        read(f"{server.url}/a.bin", settings)


def test_a_file_that_is_not_there(server, settings):
    with pytest.raises(StudyError, match=r"/gone.bin: no such file on the server \(404\)"):
        read(f"{server.url}/gone.bin", settings)


def test_a_server_without_ranges_sends_nothing(server, settings):
    server.does.ranges = False
    with pytest.raises(StudyError, match="does not answer range requests; download the file and use that"):
        read(f"{server.url}/a.bin", settings)


def test_a_server_without_head_is_asked_for_one_byte(server, settings, content):
    server.does.head = False
    found, traffic = read(f"{server.url}/a.bin", settings)
    assert found == content
    assert traffic.size == len(content)
    assert server.does.fetched[0][2] == "bytes=0-0"


def test_a_server_that_hides_the_length(server, settings, monkeypatch):
    server.does.head = False
    monkeypatch.setattr("servers.Handler.send_header", _without_range)
    with pytest.raises(StudyError, match="does not tell the length of the file"):
        read(f"{server.url}/a.bin", settings)


def _without_range(self, name, value):
    BaseHTTPRequestHandler.send_header(self, name, "bytes 0-0/*" if name == "Content-Range" else value)


def test_redirects_are_followed_unless_they_lead_nowhere(server, settings, content):
    assert read(f"{server.url}/moved/a.bin", settings)[0] == content
    with pytest.raises(StudyError, match="the server redirects in circles"):
        read(f"{server.url}/circle/a.bin", settings)


@pytest.mark.parametrize("how", ["etag", "weak etag", "date", "length"])
def test_a_file_that_changes_while_it_is_read_is_not_mixed(server, settings, tmp_path, content, how):
    def change(does):
        if how == "length":
            (tmp_path / "files" / "a.bin").write_bytes(content * 2)
        elif how == "date":
            does.modified = "Tue, 02 Jan 2024 09:00:00 GMT"
        else:
            does.etag = '"2"'

    if how != "etag":
        server.does.etag = "" if how == "date" else 'W/"1"'
    server.does.after, server.does.then = 1, change
    with access(settings) as here, here.open(f"{server.url}/a.bin") as file:
        file.read(1)
        file.seek(8 * BLOCK)
        with pytest.raises(RemoteError, match="changed on the server while it was read"):
            file.read(1)
        assert "changed" in str(file.error)


def test_a_file_that_became_shorter(server, settings, tmp_path):
    with access(settings) as here, here.open(f"{server.url}/a.bin") as file:
        (tmp_path / "files" / "a.bin").write_bytes(b"short")
        file.seek(8 * BLOCK)
        with pytest.raises(RemoteError, match="changed on the server while it was read"):
            file.read(1)


def test_no_server(settings, monkeypatch):
    monkeypatch.setattr(source, "PAUSE", 0.001)
    with socket.socket() as deaf:  # it keeps the port, and does not listen
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a.nwb"
        with pytest.raises(
            RemoteError, match="the server cannot be reached, 3 attempts; check the address and the network"
        ):
            read(url, settings)


def test_no_https_where_there_is_none(server, settings):
    with pytest.raises(StudyError, match="no secure connection"):
        read(server.url.replace("http:", "https:") + "/a.bin", settings)


def test_a_server_that_does_not_answer(settings, monkeypatch):
    monkeypatch.setattr(source, "PAUSE", 0.001)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.nwb"
        with pytest.raises(RemoteError, match=r"the connection broke \(.*timed out"):
            read(url, settings.model_copy(update={"timeout": 0.5, "retries": 0}))


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("https://example.org/a.nwb", "urllib3", "remote"),
        ("s3://bucket/a.nwb", "boto3", "remote"),
        ("dandi://000123/a.nwb", "dandi.dandiapi", "dandi"),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, settings, url, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(StudyError, match=rf'^{url}: reading it needs an extra; pip install "piriform\[{extra}\]"'):
        read(url, settings)


def test_a_web_server_does_not_list_folders(settings):
    with (
        access(settings) as here,
        pytest.raises(StudyError, match="a web server does not list folders; name each file"),
    ):
        here.recordings("https://example.org/data/")


def test_what_was_read_is_said_at_the_end_if_anything_was(server, settings):
    said = []
    with access(settings, say=said.append):
        pass
    assert said == []
    with access(settings, say=said.append) as here, here.open(f"{server.url}/a.bin") as file:
        file.read(1)
    assert said == ["read 0.0 of 0.0 MB of 1 remote file in 2 requests, 0.0 MB from the cache"]


def test_nothing_is_left_open(server, settings):
    before = set(threading.enumerate())
    for _ in range(3):
        read(f"{server.url}/a.bin", settings.model_copy(update={"cache": None}))
    assert not ended(set(threading.enumerate()) - before)  # each connection has a thread of the server's own
