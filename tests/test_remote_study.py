"""A study on a server: the same sessions, trials and tensors as here, few bytes, one version, and a workflow."""

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from servers import DandiHandler, Server

from piriform import config
from piriform.errors import RemoteError, StudyError
from piriform.nwb import check_unchanged, read_activity, read_header, read_trials, sha256_of
from piriform.prepare import session_tensor, subject_sessions
from piriform.provenance import sha256
from piriform.remote import access, source
from piriform.run import study_config
from piriform.simulate import simulate_study
from piriform.study import find_files, index_study, local_files

CLASSES = config.Classes(target=["target"], nontarget=["nontarget"])
SETTINGS = {"trials": config.Trials(), "classes": CLASSES, "phases": config.Phases(), "plateau": config.Plateau()}
ENTERS = config.Inclusion(min_trials_per_class=2, min_units=1)
RAW = 6_000_000


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two simulated sessions; the second one holds a raw recording that is never read."""
    folder = tmp_path_factory.mktemp("study")
    simulate_study(folder, scenario="growth", subjects=1, days=2, seed=1, parameters={}, progress=lambda _: None)
    (folder / "truth.json").unlink()
    files = sorted(folder.rglob("*.nwb"))
    _add_raw(files[1])
    return folder


def _add_raw(path):
    from pynwb import NWBHDF5IO, TimeSeries

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(path, "a") as io:
            file = io.read()
            file.add_acquisition(TimeSeries(name="raw", data=np.arange(RAW // 2, dtype="i2"), rate=3e4, unit="V"))
            io.write(file)


@pytest.fixture
def server(study, monkeypatch):
    monkeypatch.setattr(source, "PAUSE", 0.001)
    with Server(study, DandiHandler) as server:
        yield server


@pytest.fixture
def settings(tmp_path, server):
    return config.Remote(cache=str(tmp_path / "cache"), retries=1, timeout=60, dandi_api=f"{server.url}/api")


def addresses(study, server):
    return [f"{server.url}/{path.relative_to(study).as_posix()}" for path in sorted(study.rglob("*.nwb"))]


def prepared(files, settings):
    """Rows, tensors and behaviour of a study as a run prepares it, and what travelled."""
    with access(settings) as chosen:
        sessions, behavior = subject_sessions(index_study(files), **SETTINGS)
        done = [session_tensor(one, response=config.Response(), classes=CLASSES, inclusion=ENTERS) for one in sessions]
    return [row for row, _ in done], [tensor for _, tensor in done], behavior, chosen.traffic


def test_a_study_on_a_server_is_the_same_study(study, server, settings):
    near, far = local_files(study), addresses(study, server)
    rows, tensors, behavior, _ = prepared(near, settings)
    far_rows, far_tensors, far_behavior, traffic = prepared(far, settings)
    assert all(row["included"] for row in far_rows)
    for tensor, other in zip(tensors, far_tensors, strict=True):
        assert other.equals(tensor)
    pd.testing.assert_frame_equal(far_behavior, behavior)
    differ = {name for row, other in zip(rows, far_rows, strict=True) for name in row if row[name] != other[name]}
    assert differ == {"file", "sha256", "version"}
    assert [row["file"] for row in far_rows] == far
    assert {row["version"] for row in far_rows} == {'"1"'}
    again = prepared(far, settings)[3]
    assert (again.fetched, again.n_requests) == (0, 2)
    assert again.cached > 0.5 * traffic.fetched


def test_the_raw_recording_stays_where_it_is(study, server, settings):
    path, url = sorted(study.rglob("*.nwb"))[1], addresses(study, server)[1]
    with access(settings) as here:
        read_header(url)
        assert server.does.sent < 0.1 * path.stat().st_size
        read_trials(url, config.Trials())
        assert server.does.sent < 0.15 * path.stat().st_size
        read_activity(url, config.Response())
        assert server.does.sent == here.traffic.fetched < 0.25 * path.stat().st_size


def test_files_that_cannot_be_read_say_so_and_the_rest_goes_on(study, server, settings, tmp_path):
    cut = study / "cut.nwb"
    cut.write_bytes(sorted(study.rglob("*.nwb"))[0].read_bytes()[:200_000])
    (study / "page.nwb").write_text("<!DOCTYPE html><p>Sign in</p>")
    (study / "pointer.nwb").write_text("version https://git-lfs.github.com/spec/v1")
    (study / "noise.nwb").write_bytes(np.random.default_rng(1).bytes(5000))
    (study / "empty.nwb").touch()
    names = ["cut", "empty", "noise", "page", "pointer", "gone"]
    try:
        with access(settings):
            table = index_study([*addresses(study, server)[-2:], *(f"{server.url}/{name}.nwb" for name in names)])
    finally:
        for name in names:
            (study / f"{name}.nwb").unlink(missing_ok=True)
    reasons = table.set_index("file")["reason"].rename(lambda name: name.rpartition("/")[2].removesuffix(".nwb"))
    assert table["included"].sum() == 2
    assert "truncated" in reasons["cut"]
    assert reasons["empty"].startswith("the file is empty")
    assert "damaged, truncated or not valid NWB" in reasons["noise"]
    assert reasons["page"].startswith("a web page or text instead of a recording")
    assert reasons["pointer"].startswith("a Git LFS pointer")
    assert reasons["gone"] == "no such file on the server (404)"


def test_a_session_without_id_is_named_after_its_address(study, server, settings):
    path = study / "no id.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        for name in ("session_start_time", "general/subject/subject_id", "identifier"):
            file[name] = "2024-01-01T09:00:00+00:00"
    with access(settings):
        assert read_header(f"{server.url}/no%20id.nwb?versionId=1").session == "no id"
    path.unlink()


@pytest.mark.parametrize("stage", ["trials", "activity"])
def test_a_file_that_changed_after_the_index_stops_the_run(study, server, settings, stage):
    files = addresses(study, server)
    with access(settings):
        index = index_study(files)
        sessions, _ = subject_sessions(index, **SETTINGS)
    server.does.etag = '"2"'
    expected = rf'{files[0]}: changed on the server since the study was indexed \("1" then, "2" now\); delete index.csv'
    parts = {"response": config.Response(), "classes": CLASSES, "inclusion": ENTERS}
    read = {
        "trials": lambda: subject_sessions(index, **SETTINGS),
        "activity": lambda: session_tensor(sessions[0], **parts),
    }
    with access(settings), pytest.raises(RemoteError, match=expected):
        read[stage]()


def test_a_server_that_fails_stops_the_run_instead_of_dropping_the_session(study, server, settings):
    files = addresses(study, server)
    server.does.failures = [503] * 9
    with access(settings), pytest.raises(RemoteError, match="the server answers 503, 2 attempts"):
        index_study(files)
    with access(settings):
        server.does.failures = []
        sessions, _ = subject_sessions(index_study(files), **SETTINGS)
        shutil.rmtree(settings.cache)
        server.does.failures = [503] * 9
        with pytest.raises(RemoteError, match="the server answers 503"):
            session_tensor(sessions[0], response=config.Response(), classes=CLASSES, inclusion=ENTERS)


def test_local_files_have_no_version(study):
    path = local_files(study)[0]
    assert read_header(path).version == ""
    assert sha256_of(path) == sha256(path)
    check_unchanged(path, "")


# What names a study -----------------------------------------------------------------------------


def test_a_list_may_mix_folders_files_and_addresses(study, server, settings):
    files, far = local_files(study), addresses(study, server)
    with access(settings):
        assert find_files([far[0], str(study), str(files[0])]) == [*files, far[0]]
        assert find_files(far[0]) == [far[0]]
    assert local_files([far[0]]) == local_files(far[0]) == []


def test_no_server_is_asked_before_the_first_job(tmp_path):
    chosen = study_config("https://example.invalid/ses%201.nwb", out=tmp_path)
    assert (chosen.data, chosen.study) == ("https://example.invalid/ses%201.nwb", "ses-1")
    assert study_config("dandi://000123/sub-Q/", out=tmp_path).study == "sub-Q"
    assert study_config("s3://lab", out=tmp_path).study == "lab"


def test_check_takes_an_address(study, server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # the default cache
    from piriform.check import check_study

    found = check_study(addresses(study, server)[0])
    assert (found["n_files"], found["n_usable"]) == (1, 1)
    assert list((tmp_path / ".cache" / "piriform" / "remote").glob("*/about.json"))


# DANDI ----------------------------------------------------------------------------------------

dandi = pytest.mark.skipif(find_spec("dandi") is None, reason="needs the extra `dandi`")


@dandi
def test_dandi_names_become_versions_and_digests(study, server, settings):
    files = local_files(study)
    names = [path.relative_to(study).as_posix() for path in files]
    server.archive.digests = {names[0]: sha256(files[0])}
    whole = [f"dandi://000123@0.240101.0900/{name}" for name in names]
    with access(settings):
        for folder in ("", "/", "/sub-Q", "/sub-Q/", "@0.240101.0900", "@0.240101.0900/sub-Q"):
            assert find_files(f"dandi://000123{folder}") == whole
        assert find_files(f"dandi://000123/{names[1]}") == [whole[1]]
        assert [sha256_of(name) for name in whole] == [sha256(files[0]), ""]
        assert read_header(whole[0]) == read_header(files[0]).__class__(
            **{**vars(read_header(files[0])), "path": whole[0], "version": '"1"'}
        )
    rows, tensors, _, _ = prepared(whole, settings)
    assert [row["sha256"] for row in rows] == [sha256(files[0]), ""]
    assert all(mine.equals(other) for mine, other in zip(tensors, prepared(files, settings)[1], strict=True))
    assert not any("signature" in row["file"] for row in rows)


@dandi
def test_a_dandiset_that_was_never_published_is_read_as_draft(study, server, settings):
    server.archive.published = False
    with access(settings):
        assert find_files("dandi://000123/sub-Q")[0].startswith("dandi://000123@draft/sub-Q/")


@dandi
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("dandi://000124/a.nwb", "No such Dandiset: '000124'"),
        ("dandi://000123@0.1/a.nwb", "No such version: '0.1' of Dandiset 000123"),
        ("dandi://000123/sub-X/", "no .nwb file there in version 0.240101.0900 of dandiset 000123"),
    ],
)
def test_what_dandi_does_not_have(server, settings, address, reason):
    with access(settings), pytest.raises(StudyError, match=f"^{address}: {reason}"):
        find_files(address)


@dandi
def test_an_asset_that_is_not_there(server, settings):
    address = "dandi://000123@0.240101.0900/sub-Q/gone.nwb"
    with access(settings), pytest.raises(StudyError, match=f"^{address}: No asset at path 'sub-Q/gone.nwb'"):
        read_header(address)


@dandi
def test_embargo(server, settings, monkeypatch):
    server.archive.embargo = "EMBARGOED"
    with (
        access(settings),
        pytest.raises(StudyError, match="the dandiset is under embargo; fetch it with `dandi download`"),
    ):
        find_files("dandi://000123")
    server.does.failures = [None, 401]
    with access(settings), pytest.raises(StudyError, match=r"archive refuses access \(401\), .* under embargo"):
        find_files("dandi://000123")


@dandi
def test_an_archive_that_answers_nonsense_or_not_at_all(server, settings, monkeypatch, caplog):
    monkeypatch.setattr(server.archive, "_dandiset", lambda: {"identifier": "000123"})
    with access(settings), pytest.raises(RemoteError, match="the DANDI archive cannot be asked"):
        find_files("dandi://000123")
    server.does.failures = [503] * 9
    with access(settings), pytest.raises(RemoteError, match="dandi://000123: the server answers 503, 2 attempts"):
        find_files("dandi://000123")
    assert [record for record in caplog.records if record.name == "dandi"] == []
    assert logging.getLogger("dandi").level != logging.CRITICAL + 1


# Workflow -------------------------------------------------------------------------------------


@pytest.mark.workflow
def test_the_workflow_reads_a_server_and_a_zarr_folder(study, server, tmp_path):
    pytest.importorskip("dandi", reason="needs the extra `dandi`")
    first, second = local_files(study)
    name = second.relative_to(study).as_posix()
    server.archive.digests = {name: "ab" * 32}
    folder = _zarr(first, tmp_path / "first.nwb.zarr")
    chosen = {
        "data": [f"dandi://000123/{name}", folder.name],
        "results": "out",
        "study": "far",
        "classes": CLASSES.model_dump(include={"target", "nontarget"}),
        "inclusion": {"min_units": 1, "min_trials_per_class": 2},
        "remote": {"cache": str(tmp_path / "cache"), "dandi_api": f"{server.url}/api", "retries": 0},
    }
    (tmp_path / "far.yaml").write_text(yaml.safe_dump(chosen))
    assert _snakemake(tmp_path).returncode == 0
    table = pd.read_csv(tmp_path / "out/far/parts/sessions_Q.csv", keep_default_na=False)
    assert table["file"].tolist() == [folder.name, f"dandi://000123@0.240101.0900/{name}"]
    assert table["sha256"].tolist() == [sha256_of(folder), "ab" * 32]
    assert table["version"].tolist() == ["", '"1"']
    assert table["included"].all()
    assert "MB from the cache" in (tmp_path / "out/far/logs/align_Q.log").read_text()

    (folder / "units" / "spike_times" / "0").touch()
    planned = _snakemake(tmp_path, "--dry-run")
    assert "params have changed since last execution:\n        index" in planned.stdout


def _zarr(near, far):
    nwb = pytest.importorskip("hdmf_zarr.nwb", reason="needs the extra `zarr`")
    from pynwb import NWBHDF5IO

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(near, "r") as io, nwb.NWBZarrIO(str(far), mode="w") as out:
            out.export(src_io=io, write_args={"link_data": False})
    return far


def _snakemake(folder, *options):
    command = [sys.executable, "-m", "snakemake", "--snakefile", _snakefile(), "--configfile", "far.yaml", *options]
    return subprocess.run(
        [*command, "--cores", "1", "out/far/parts/sessions_Q.csv"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def _snakefile():
    from piriform.run import workflow_folder

    return str(workflow_folder() / "Snakefile")


def test_the_digest_of_a_folder_is_that_of_its_list(tmp_path):
    for name, content in {"b": b"2", "a/c": b"1"}.items():
        (tmp_path / "z.zarr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "z.zarr" / name).write_bytes(content)
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in [("a/c", b"1"), ("b", b"2")]
    )
    assert sha256_of(tmp_path / "z.zarr") == hashlib.sha256(lines.encode()).hexdigest()


# Benchmark ------------------------------------------------------------------------------------


def test_the_benchmark_counts_what_the_server_sends(study, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent))
    from benchmarks import remote

    monkeypatch.setattr(remote, "BLOCKS", (64,))
    monkeypatch.setattr(remote, "peers", dict)
    path = local_files(study)[1]
    lines = [line.strip("| ").split(" | ") for line in remote.table_of(path).splitlines()]
    found = {line[0]: [float(cell) for cell in line[1:]] for line in lines[2:]}
    assert found["piriform, 64 KiB"] == found["piriform, first time with cache"]
    assert found["piriform, again"][:6] == [0, 1, 0, 1, 0, 1]
    megabytes = found["piriform, 64 KiB"][0:6:2]
    assert megabytes == sorted(megabytes)
    assert 0.1 < megabytes[0] < megabytes[2] < 0.25 * path.stat().st_size / 1e6
