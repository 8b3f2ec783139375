"""NWB in Zarr folders, here and on a server: the same as in HDF5, whole or refused, and nothing in them runs."""

import json
import os
import pickle
import shutil
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from servers import DandiHandler, Server

from piriform import config
from piriform.config import Response, Trials
from piriform.errors import StudyError
from piriform.nwb import folder_state, read_activity, read_header, read_trials, sha256_of, watched
from piriform.nwb.files import nwb_file
from piriform.remote import access, source
from piriform.run import study_config
from piriform.simulate import simulate_study
from piriform.study import find_files, index_study, local_files

pytest.importorskip("hdmf_zarr", reason="needs the extra `zarr`")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """One session as HDF5 and as Zarr, with electrodes (references, which are pickled) and a raw recording."""
    folder = tmp_path_factory.mktemp("both")
    simulate_study(
        folder / "hdf5", scenario="growth", subjects=1, days=1, seed=1, parameters={}, progress=lambda _: None
    )
    (near,) = (folder / "hdf5").rglob("*.nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _written(near, folder / "zarr" / "a.nwb.zarr")
    return near, folder / "zarr" / "a.nwb.zarr"


def _written(near, far):
    from hdmf_zarr.nwb import NWBZarrIO
    from pynwb import NWBHDF5IO, TimeSeries

    far.parent.mkdir()
    with NWBHDF5IO(near, "r") as io:
        file = io.read()
        group = file.create_electrode_group("g", "g", "PCx", file.create_device(name="probe"))
        for _ in range(4):
            file.add_electrode(x=0.0, y=0.0, z=0.0, location="PCx", filtering="none", group=group)
        file.add_acquisition(TimeSeries(name="raw", data=np.arange(300_000.0), rate=3e4, unit="V"))
        with NWBZarrIO(str(far), mode="w") as out:
            out.export(src_io=io, nwbfile=file, write_args={"link_data": False})


@pytest.fixture
def folder(both, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(both[1], tmp_path / "a.nwb.zarr")


def same(near, far):
    """Whether two files hold the same session, trials and spikes."""
    one, other = read_header(near), read_header(far)
    assert (one.subject, one.session, one.start, one.identifier) == (
        other.subject, other.session, other.start, other.identifier,
    )  # fmt: skip
    pd.testing.assert_frame_equal(read_trials(near, Trials()), read_trials(far, Trials()))
    one, other = (read_activity(path, Response()) for path in (near, far))
    assert one.unit_id == other.unit_id
    for name in ("spike_times", "obs_intervals"):
        assert all(np.array_equal(a, b) for a, b in zip(getattr(one, name), getattr(other, name), strict=True)), name


def test_a_folder_holds_what_the_file_holds(both):
    same(*both)


def test_roi_responses(make_nwb, sound_trials, tmp_path):
    from hdmf_zarr.nwb import NWBZarrIO
    from pynwb import NWBHDF5IO

    near = make_nwb(trials=sound_trials, rois=np.random.default_rng(1).normal(size=(50, 3)), rate=10.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(near, "r") as io, NWBZarrIO(str(tmp_path / "a.zarr"), mode="w") as out:
            out.export(src_io=io, write_args={"link_data": False})
    one, other = (read_activity(path, Response()) for path in (near, tmp_path / "a.zarr"))
    assert one.kind == other.kind == "roi"
    for mine, theirs in zip(one.traces, other.traces, strict=True):
        assert np.array_equal(mine.data, theirs.data)
        assert np.array_equal(mine.timestamps, theirs.timestamps)


def test_without_consolidated_metadata(both, folder):
    (folder / ".zmetadata").unlink()
    same(both[0], folder)


# Whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["units/spike_times/0", "intervals/trials/odor_onset_time/0", "intervals/trials/odor/0"]
)
def test_a_missing_chunk_is_no_zero(folder, name):
    (folder / name).unlink()
    with pytest.raises(
        StudyError, match=rf"^{folder}: 1 of 1 chunks of {name[:-2]} are missing; copy the folder again"
    ):
        read_trials(folder, Trials())


def test_a_missing_array(folder):
    shutil.rmtree(folder / "units" / "spike_times")
    with pytest.raises(StudyError, match=rf"^{folder}: units/spike_times is missing; copy the folder again"):
        read_activity(folder, Response())


def test_the_raw_recording_may_be_left_behind(both, folder):
    shutil.rmtree(folder / "acquisition" / "raw" / "data")
    same(both[0], folder)


@pytest.mark.parametrize("name", ["units/spike_times/0", "intervals/trials/odor/0"])
def test_a_damaged_chunk(folder, name):
    (folder / name).write_bytes(b"\x00" * 40)
    with pytest.raises(StudyError, match=rf"^{folder}: "):
        same(folder, folder)


@pytest.mark.parametrize(
    ("marks", "reason"),
    [
        ({}, "a folder without .zgroup or .zmetadata; expected NWB in Zarr, or an HDF5 file"),
        ({"zarr.json": "{}"}, "Zarr of format 3, which hdmf-zarr does not read; expected format 2"),
        ({".zgroup": '{"zarr_format": 2}'}, "a Zarr folder without nwb_version; expected NWB 2"),
        ({".zgroup": "{"}, "damaged, truncated or not valid NWB"),
        ({".zgroup": '{"zarr_format": 2}', ".zattrs": '{"nwb_version": "1.0.6"}'}, "written in NWB 1.0.6; convert it"),
    ],
)
def test_folders_that_are_refused(tmp_path, marks, reason):
    for name, text in marks.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(StudyError, match=rf"^{tmp_path}: {reason}"):
        read_header(tmp_path)


def test_without_the_extra(both, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdmf_zarr", None)
    with pytest.raises(StudyError, match=r'reading Zarr needs an extra; pip install "piriform\[zarr\]"'):
        read_header(both[1])


# Pickles --------------------------------------------------------------------------------------


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/piriform-was-here",))


def _with_pickle(folder, thing):
    import numcodecs

    array = folder / "intervals" / "trials" / "odor"
    about = json.loads((array / ".zarray").read_text())
    about |= {"filters": [{"id": "pickle", "protocol": 4}], "compressor": None}
    (array / ".zarray").write_text(json.dumps(about))
    (folder / ".zmetadata").unlink()
    (array / "0").write_bytes(pickle.dumps(thing, protocol=4))
    return numcodecs


def test_a_pickle_that_would_run_is_refused(folder, tmp_path):
    _with_pickle(folder, Evil())
    with pytest.raises(StudyError, match=rf"^{folder}: .*a pickle holds posix.system, which could run any program"):
        read_trials(folder, Trials())


def test_a_pickle_of_text_is_read_and_the_codec_is_as_it_was(both, folder):
    odors = np.array(read_trials(both[0], Trials())["odor"].tolist(), dtype=object)
    numcodecs = _with_pickle(folder, odors)
    assert read_trials(folder, Trials())["odor"].tolist() == odors.tolist()
    assert numcodecs.get_codec({"id": "pickle"}).__class__ is numcodecs.Pickle


def test_references_of_the_electrodes_are_pickled_and_read(both):
    assert '"id": "pickle"' in (both[1] / ".zmetadata").read_text()
    with nwb_file(both[1]) as file:
        assert file.electrodes["group"][0].name == "g"


# Studies --------------------------------------------------------------------------------------


def test_a_folder_of_folders_is_searched_and_a_store_is_one_recording(both, folder, tmp_path):
    (tmp_path / "b").mkdir()
    named = shutil.copytree(folder, tmp_path / "b" / "c.nwb")
    plain = shutil.copytree(folder, tmp_path / "b" / "d")
    shutil.copytree(folder, tmp_path / ".trash" / "e.nwb.zarr")
    (folder / "inside.nwb").touch()
    assert find_files(tmp_path) == sorted([folder, named, plain])
    assert find_files(str(folder)) == local_files([folder]) == [folder]
    assert study_config(folder, out=tmp_path).study == "a"
    table = index_study(find_files(tmp_path))
    assert table["reason"].tolist() == ["", f"same session as {folder}", f"same session as {folder}"]


def test_a_session_without_id_is_named_after_its_folder(folder):
    shutil.rmtree(folder / "general" / "session_id")
    (folder / ".zmetadata").unlink()
    assert read_header(folder).session == "a"


def test_a_workflow_sees_a_change_inside_a_folder(folder, tmp_path):
    (tmp_path / "x.nwb").touch()
    files = watched([tmp_path / "x.nwb", folder, "s3://lab/a.nwb"])
    assert files == [str(tmp_path / "x.nwb"), str(folder / ".zgroup")]
    chunk = folder / "units" / "spike_times" / "0"
    os.utime(chunk, (0, 0))  # clocks of files may be coarse
    before, digest = folder_state(files), sha256_of(folder)
    assert folder_state(files) == before
    chunk.write_bytes(chunk.read_bytes()[::-1])
    assert folder_state(files) != before
    assert sha256_of(folder) != digest
    assert folder_state(files[:1]) == ""


# On a server ----------------------------------------------------------------------------------


@pytest.fixture
def server(folder, monkeypatch):
    monkeypatch.setattr(source, "PAUSE", 0.001)
    with Server(folder.parent, DandiHandler) as server:
        yield server


@pytest.fixture
def settings(tmp_path_factory, server):
    cache = str(tmp_path_factory.mktemp("cache"))
    return config.Remote(cache=cache, retries=0, timeout=60, dandi_api=f"{server.url}/api")


def test_a_folder_on_a_server_holds_the_same_and_its_raw_recording_stays_there(both, server, settings):
    url = f"{server.url}/a.nwb.zarr"
    with access(settings) as first:
        same(both[0], url)
    assert not any("raw/data/0" in one[1] or "spike_times/.zarray" in one[1] for one in server.does.asked)
    assert first.traffic.fetched == server.does.sent <= first.traffic.size
    with access(settings) as second:
        same(both[0], url)
        assert read_header(url).version == '"1"'
    assert second.traffic.fetched == 0
    assert second.traffic.cached >= first.traffic.fetched


def test_dandi_serves_folders_too(both, server, settings):
    pytest.importorskip("dandi", reason="needs the extra `dandi`")
    with access(settings):
        (name,) = find_files("dandi://000123")
        assert name == "dandi://000123@0.240101.0900/a.nwb.zarr"
        same(both[0], name)
        assert sha256_of(name) == ""


def test_what_a_server_lacks(folder, server, settings):
    url = f"{server.url}/a.nwb.zarr"
    (folder / "units" / "spike_times" / "0").unlink()
    with (
        access(settings),
        pytest.raises(StudyError, match=rf"^{url}: chunk units/spike_times/0 is missing on the server"),
    ):
        read_activity(url, Response())
    (folder / ".zmetadata").unlink()
    with (
        access(settings),
        pytest.raises(StudyError, match=rf"^{url}: no .zmetadata there; on a server Zarr is read with"),
    ):
        read_header(url)
