"""Spoiled NWB files in Zarr: each is refused with its name, or what is read is what Zarr says the folder holds."""

import json
import os
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import refusals
from test_fuzz_nwb import BINS, recording

from piriform.config import Response, Trials
from piriform.nwb import read_activity, read_header, read_trials
from piriform.nwb_writer import write_recording

zarr = pytest.importorskip("zarr")
pytest.importorskip("hdmf_zarr")

N_EXAMPLES = int(os.environ.get("PIRIFORM_FUZZ", "20"))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sound Zarr folder."""
    from hdmf_zarr.nwb import NWBZarrIO
    from pynwb import NWBHDF5IO

    folder = tmp_path_factory.mktemp("zarr")
    write_recording(recording("units", 1), folder / "a.nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(folder / "a.nwb", "r") as source, NWBZarrIO(str(folder / "a.nwb.zarr"), "w") as made:
            made.export(src_io=source, write_args={"link_data": False})
    return folder / "a.nwb.zarr"


def deleted(path, rng):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def shortened(path, rng):
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content) + 1))])


def garbage(path, rng):
    path.write_bytes(rng.bytes(40))


def emptied(path, rng):
    path.write_bytes(b"")


def a_folder(path, rng):
    path.unlink()
    path.mkdir()


def another_value(path, rng):
    """One entry of a JSON file is something else; of other files, one byte."""
    content = path.read_bytes()
    try:
        whole = json.loads(content)
    except ValueError:
        position = int(rng.integers(len(content)))
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        return
    node = whole
    while isinstance(node, dict) and node:
        key = sorted(node)[rng.integers(len(node))]
        if not isinstance(node[key], dict) or not node[key] or rng.random() < 0.2:
            node[key] = [None, -1, 10**12, "x", [], {}, "<i4", "|O"][rng.integers(8)]
            break
        node = node[key]
    path.write_text(json.dumps(whole))


CHANGES = (deleted, shortened, garbage, emptied, a_folder, another_value)


def examined(path):
    """Read a folder in every way."""
    return refusals(path, header=header, trials=trials, activity=activity)


def header(path):
    found, group = read_header(path), zarr.open_group(str(path), "r")
    assert found.subject == str(np.ravel(group["general/subject/subject_id"][()])[0]).strip()


def trials(path):
    found, group = read_trials(path, Trials()), zarr.open_group(str(path), "r")
    for name in found:
        np.testing.assert_array_equal(found[name].to_numpy(), group[f"intervals/trials/{name}"][:], err_msg=name)


def activity(path):
    found, group = read_activity(path, Response(**BINS)), zarr.open_group(str(path), "r")["units"]
    trains = np.split(group["spike_times"][:], group["spike_times_index"][:].astype(int)[:-1])
    for name, times in zip(found.unit_id, found.spike_times, strict=True):
        np.testing.assert_array_equal(times, trains[int(name)])
    assert len(found.unit_id) + sum(map(len, found.excluded.values())) == len(trains)


def test_a_sound_folder_is_read_as_it_is(original):
    assert examined(original) == {}


def test_whatever_lies_where_it_should_not(original, tmp_path):
    files = sorted(
        path.relative_to(original).as_posix()
        for path in original.rglob("*")
        if path.is_file() and "specifications" not in path.parts
    )

    @settings(
        max_examples=N_EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.sampled_from(files), st.sampled_from(CHANGES), st.integers(0, 1000))
    def check(where, change, seed):
        path = tmp_path / "a.nwb.zarr"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(original, path)
        change(path / where, np.random.default_rng(seed))
        examined(path)

    check()
