"""Files of the schema versions 2.0 to the newest; `data/make_nwb_versions.py` wrote them, and says what they hold."""

import importlib.util
import tarfile
import warnings
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from piriform.check import check_study
from piriform.config import Response, Trials
from piriform.nwb import read_activity, read_header, read_trials

DATA = Path(__file__).parent / "data"
with tarfile.open(DATA / "nwb_versions.tar.xz") as packed:
    WRITTEN = sorted(packed.getnames())


def load_maker():
    spec = importlib.util.spec_from_file_location("make_nwb_versions", DATA / "make_nwb_versions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


maker = load_maker()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The folder of the files, those of the archive and one that the installed pynwb writes."""
    folder = tmp_path_factory.mktemp("versions")
    with tarfile.open(DATA / "nwb_versions.tar.xz") as packed:
        # Python 3.11.0 to 3.11.3 know no filters.
        packed.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maker.write(folder / "newest.nwb")
    return folder


def test_all_minor_versions_are_there():
    versions = {name.split("_")[0].removeprefix("schema-")[:3] for name in WRITTEN}
    assert versions == {f"2.{minor}" for minor in range(10)}


@pytest.mark.parametrize("name", [*WRITTEN, "newest.nwb"])
def test_every_version_reads_alike(files, name):
    path = files / name
    with h5py.File(path) as file:
        version = file.attrs["nwb_version"]
    assert name == "newest.nwb" or name.startswith(f"schema-{version}")
    header = read_header(path)
    assert (header.subject, header.session, header.start) == ("Q", "day-01", datetime(2024, 1, 1, 9, tzinfo=UTC))

    expected = pd.DataFrame([maker.trial(number) for number in range(maker.N_TRIALS)])
    trials = read_trials(path, Trials())
    pd.testing.assert_frame_equal(trials[expected.columns], expected, check_dtype=False)

    activity = read_activity(path, Response(kind="units"))
    assert activity.unit_id == ["10", "11", "12"]
    for unit, times in enumerate(activity.spike_times):
        np.testing.assert_allclose(times, maker.spike_times(unit))
        assert activity.obs_intervals[unit].tolist() == [[0.0, 100.0]]
    assert read_activity(path, Response(kind="units", filter="location == 'PIR+APC'")).unit_id == ["11"]
    assert read_activity(path, Response(kind="units", filter="quality == 'good' and device == 'probe'")).unit_id == [
        "10",
        "11",
    ]

    rois = read_activity(path, Response(kind="roi", filter="location == 'PIR'"))
    assert rois.unit_id == ["100", "101", "102"]
    np.testing.assert_array_equal(rois.traces[0].data, maker.traces())
    np.testing.assert_allclose(rois.traces[0].timestamps, 1 + np.arange(maker.N_FRAMES) / 2)


def test_a_folder_of_all_versions_is_one_study(files):
    found = check_study(files)
    assert found["n_files"] == len(WRITTEN) + 1
    assert {row["rows"] for row in found["sessions"]} == {maker.N_TRIALS}
    assert {row["units"] for row in found["sessions"]} == {maker.N_UNITS}
