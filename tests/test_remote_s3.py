"""Objects of an S3 store: the bytes, the versions, the folders, the refusals; the store is moto's."""

import threading

import numpy as np
import pytest
from servers import ended

from piriform import config, remote
from piriform.errors import RemoteError, StudyError
from piriform.remote import access, source
from piriform.study import find_files

moto = pytest.importorskip("moto.server", reason="the S3 stand-in needs moto[s3,server]")
boto3 = pytest.importorskip("boto3", reason="s3:// needs the extra `remote`")
CONTENT = np.random.default_rng(2).bytes(300_000)


@pytest.fixture(scope="module")
def endpoint():
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(endpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "PAUSE", 0.001)
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return config.Remote(s3_endpoint=endpoint, cache=str(tmp_path / "cache"), retries=1, timeout=60)


@pytest.fixture
def store(settings):
    client = boto3.client("s3", endpoint_url=settings.s3_endpoint)
    client.create_bucket(Bucket="lab")
    client.put_object(Bucket="lab", Key="mice/a.nwb", Body=CONTENT)
    yield client
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="lab"):
        for found in page.get("Contents", ()):
            client.delete_object(Bucket="lab", Key=found["Key"])
    client.delete_bucket(Bucket="lab")
    client.close()


def read(url, settings, start=0, n=None):
    with access(settings) as chosen, remote.current().open(url) as file:
        file.seek(start)
        return file.read(file.size if n is None else n), chosen.traffic


def test_bytes_and_cache(store, settings):
    found, traffic = read("s3://lab/mice/a.nwb", settings, 70_000, 10)
    assert found == CONTENT[70_000:70_010]
    assert traffic.fetched == 65536
    found, traffic = read("s3://lab/mice/a.nwb", settings)
    assert found == CONTENT
    assert (traffic.cached, traffic.fetched) == (65536, len(CONTENT) - 65536)
    found, traffic = read("s3://lab/mice/a.nwb", settings)
    assert (found, traffic.fetched, traffic.n_requests) == (CONTENT, 0, 1)


def test_the_version_is_the_etag(store, settings):
    with access(settings) as here:
        assert (
            here.known("s3://lab/mice/a.nwb").stamp.version == store.head_object(Bucket="lab", Key="mice/a.nwb")["ETag"]
        )


def test_an_object_that_changes_while_it_is_read_is_not_mixed(store, settings):
    with access(settings) as here, here.open("s3://lab/mice/a.nwb") as file:
        file.read(1)
        store.put_object(Bucket="lab", Key="mice/a.nwb", Body=CONTENT[::-1])
        file.seek(200_000)
        with pytest.raises(RemoteError, match=r"s3://lab/mice/a\.nwb: changed on the server while it was read"):
            file.read(1)


def test_an_object_that_became_shorter(store, settings):
    with access(settings) as here, here.open("s3://lab/mice/a.nwb") as file:
        store.put_object(Bucket="lab", Key="mice/a.nwb", Body=b"short")
        file.seek(200_000)
        with pytest.raises(RemoteError, match="changed on the server while it was read"):
            file.read(1)


def test_folders_are_listed(store, settings):
    for key in (
        "mice/b/c.nwb",
        "mice/.d.nwb",
        "mice/e.txt",
        "mice/f.nwb.zarr/.zgroup",
        "mice/f.nwb.zarr/units/0",
        "z.nwb",
    ):
        store.put_object(Bucket="lab", Key=key, Body=b"x")
    names = ["mice/a.nwb", "mice/b/c.nwb", "mice/f.nwb.zarr"]
    with access(settings):
        assert find_files("s3://lab/mice/") == [f"s3://lab/{name}" for name in names]
        assert find_files("s3://lab") == [f"s3://lab/{name}" for name in [*names, "z.nwb"]]
        assert find_files(["s3://lab/mice/b/", "s3://lab/mice/b/c.nwb"]) == ["s3://lab/mice/b/c.nwb"]
        with pytest.raises(StudyError, match=r"s3://lab/rats/: nothing there ends in \.nwb or \.zarr"):
            find_files("s3://lab/rats/")


@pytest.mark.parametrize("url", ["s3://lab/mice/gone.nwb", "s3://gone/a.nwb"])
def test_what_is_not_there(store, settings, url):
    with pytest.raises(StudyError, match=rf"^{url}: no such object, or no such bucket \(404"):
        read(url, settings)


def test_a_folder_of_a_bucket_that_is_not_there(settings):
    with (
        access(settings),
        pytest.raises(StudyError, match=r"^s3://gone/x/: no such object, or no such bucket \(404 NoSuchBucket"),
    ):
        find_files("s3://gone/x/")


@pytest.mark.parametrize("status", [403, 503])
def test_refusals(store, settings, monkeypatch, status):
    from botocore.exceptions import ClientError

    def refuse(*_, **__):
        raise ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "HeadObject")

    reasons = {
        403: "refuses access; check the credentials, or set remote.s3_anonymous",
        503: "answers 503 X, 2 attempts",
    }
    with monkeypatch.context() as patched:
        patched.setattr("botocore.client.BaseClient._make_api_call", refuse)
        with pytest.raises((StudyError, RemoteError), match=f"^s3://lab/mice/a.nwb: the store {reasons[status]}"):
            read("s3://lab/mice/a.nwb", settings)


def test_a_store_without_ranges(store, settings, monkeypatch):
    from piriform.remote.s3 import S3Source

    class Whole(S3Source):
        def __init__(self, *args):
            super().__init__(*args)
            ask = self.client.get_object
            self.client.get_object = lambda Range, **kwargs: ask(**kwargs)

    monkeypatch.setattr("piriform.remote.opening.S3Source", Whole)
    with pytest.raises(StudyError, match="the store does not answer range requests; download the object"):
        read("s3://lab/mice/a.nwb", settings)


def test_no_store(settings):
    gone = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    with pytest.raises(
        RemoteError, match=r"the connection broke \(.*\), 2 attempts; check the address and the network"
    ):
        read("s3://lab/mice/a.nwb", gone)


def test_a_store_whose_address_is_none(settings):
    with pytest.raises(StudyError, match=r"^s3://lab/a\.nwb: Invalid endpoint: here"):
        read("s3://lab/a.nwb", settings.model_copy(update={"s3_endpoint": "here"}))


def test_without_credentials_requests_are_not_signed(store, settings, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StudyError, match=r"the store refuses access; .* \(403"):
        read("s3://lab/mice/a.nwb", settings)
    store.put_object(Bucket="lab", Key="mice/a.nwb", Body=CONTENT, ACL="public-read")
    assert read("s3://lab/mice/a.nwb", settings)[0] == CONTENT
    with pytest.raises(StudyError, match="Unable to locate credentials"):
        read("s3://lab/mice/a.nwb", settings.model_copy(update={"s3_anonymous": False}))


def test_no_thread_is_left(store, settings):
    before = set(threading.enumerate())
    read("s3://lab/mice/a.nwb", settings)
    assert not ended(set(threading.enumerate()) - before)
