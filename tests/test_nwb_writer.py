"""What is written comes back, always as the same bytes, and an inspector has nothing to object."""

import os
import subprocess
import sys
import warnings
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from piriform.errors import StudyError
from piriform.nwb_writer import Origin, Recording, write_recording
from piriform.provenance import sha256

START = datetime(2024, 1, 8, 9, tzinfo=UTC)
MEANINGS = {"odor": "mixture", "correct": "whether right", "response_time": "first lick, s", "block": "number"}


def trials(n=20):
    start = 6.0 * np.arange(n)
    return pd.DataFrame(
        {
            "start_time": start,
            "stop_time": start + 5,
            "odor": ["A+B+C", None] * (n // 2),
            "correct": np.arange(n) % 3 > 0,
            "response_time": np.where(np.arange(n) == 4, np.nan, start + 2.5),
            "block": np.arange(n) // 10,
        }
    )


def spiking(**changes):
    rng = np.random.default_rng(0)
    parts = {
        "subject": "Q",
        "session": "day-01",
        "start": START,
        "description": "A session.",
        "trials": trials(),
        "column_meanings": MEANINGS,
        "spike_times": [np.sort(rng.uniform(0, 120, 300)), np.array([]), np.array([1.5, 1.5, 2.0])],
        "spike_resolution": 1 / 30000,
        "units": pd.DataFrame({"depth": [1.0, 2.0, 3.0], "quality": ["good", "good", "fair"]}),
        "unit_meanings": {"depth": "um", "quality": "sorting"},
        "obs_intervals": np.array([[0.0, 60.0], [60.0, 120.0]]),
        "events": {"lick_port_1": np.array([2.0, 2.5, 9.0]), "lick_port_2": np.array([])},
        "about": {"institution": "none", "keywords": "odour"},
        "animal": {"species": "Mus musculus"},
    }
    return Recording(**(parts | changes))


def imaging(**changes):
    rng = np.random.default_rng(1)
    parts = {
        "subject": "M",
        "session": "day-01",
        "start": START,
        "description": "A session.",
        "trials": trials(),
        "column_meanings": MEANINGS,
        "fluorescence": rng.normal(size=(50, 3)).astype(np.float32),
        "timestamps": np.sort(rng.uniform(0, 120, 50)),
        "rois": pd.DataFrame({"tracked": ["a", "b", "c"]}),
        "unit_meanings": {"tracked": "the same region on other days"},
        "imaging": {"location": "BLA", "indicator": "GCaMP6f", "excitation_lambda": 920.0},
        "animal": {"species": "Mus musculus", "sex": "M", "age": "P90D"},
    }
    return Recording(**(parts | changes))


@pytest.fixture
def read(tmp_path):
    """A function that writes a recording and opens it with pynwb."""
    from pynwb import NWBHDF5IO

    opened = []

    def write_and_open(recording):
        path = tmp_path / "a.nwb"
        write_recording(recording, path)
        opened.append(NWBHDF5IO(str(path), "r"))
        return opened[-1].read()

    yield write_and_open
    for io in opened:
        io.close()


# Known answer


def test_spikes_trials_and_events_come_back(read):
    recording = spiking()
    file = read(recording)

    assert (file.subject.subject_id, file.session_id, file.session_start_time) == ("Q", "day-01", START)
    assert file.file_create_date[0] == START
    for row, times in enumerate(recording.spike_times):
        np.testing.assert_array_equal(file.units["spike_times"][row], times)
        np.testing.assert_array_equal(file.units["obs_intervals"][row], recording.obs_intervals)
    assert list(file.units["quality"][:]) == ["good", "good", "fair"]
    assert file.units.resolution == 1 / 30000
    table = file.trials.to_dataframe()
    np.testing.assert_array_equal(table["response_time"], recording.trials["response_time"])
    assert list(table["odor"][:2]) == ["A+B+C", ""]
    assert table["correct"].dtype == bool
    assert table["block"].dtype.kind == "i"
    assert file.trials["odor"].description == "mixture"
    np.testing.assert_array_equal(file.processing["behavior"]["lick_port_1"].timestamps[:], [2.0, 2.5, 9.0])
    assert list(file.processing["behavior"].data_interfaces) == ["lick_port_1"]


def test_intervals_of_each_unit_come_back(read):
    intervals = [np.array([[0.0, 60.0], [60.0, 120.0]]), np.array([[5.0, 6.0]]), np.array([[1.0, 2.0], [3.0, 4.0]])]
    file = read(spiking(obs_intervals=intervals))

    for row, observed in enumerate(intervals):
        np.testing.assert_array_equal(file.units["obs_intervals"][row], observed)


def test_the_origin_comes_back(read):
    files = (("a.mat", "e3b0"), ("b/c.mat", "44fc"))
    origin = Origin("mylab", (("piriform", "0.1.0"), ("mylab-piriform", "2.0")), files)
    file = read(spiking(origin=origin))

    assert [list(row) for row in file.was_generated_by[:]] == [["piriform", "0.1.0"], ["mylab-piriform", "2.0"]]
    table = file.analysis["source_files"]
    assert list(zip(table["file"][:], table["sha256"][:], strict=True)) == list(files)
    assert table.description == "files that were converted; format mylab"
    assert origin.sentence == (
        "Converted by piriform 0.1.0, mylab-piriform 2.0 (mylab) from 2 files, listed in analysis/source_files."
    )
    assert replace(origin, files=()).sentence.endswith("(mylab) from files it does not name.")


def test_a_recording_without_origin_names_no_program(read):
    file = read(spiking())

    assert file.was_generated_by is None
    assert not file.analysis


def test_fluorescence_comes_back(read):
    recording = imaging()
    file = read(recording)

    series = file.processing["ophys"]["DfOverF"]["RoiResponseSeries"]
    np.testing.assert_array_equal(series.data[:], recording.fluorescence)
    np.testing.assert_array_equal(series.timestamps[:], recording.timestamps)
    regions = series.rois.table
    assert list(regions["tracked"][:]) == ["a", "b", "c"]
    assert regions["pixel_mask"][0][0].tolist() == (0, 0, 0.0)
    assert regions.imaging_plane.location == "BLA"


def test_masks_come_back(read):
    masks = [np.array([[3, 4, 0.5], [3, 5, 1.0]]), np.array([[1, 1, 1.0]]), np.array([[2, 2, 1.0]])]
    file = read(imaging(rois=pd.DataFrame({"pixel_mask": masks}), unit_meanings={}))

    regions = file.processing["ophys"]["ImageSegmentation"]["PlaneSegmentation"]
    assert [tuple(pixel) for pixel in regions["pixel_mask"][0]] == [(3, 4, 0.5), (3, 5, 1.0)]


def test_regular_times_become_a_rate(read):
    series = read(imaging(timestamps=2 + np.arange(50) * 0.25)).processing["ophys"]["DfOverF"]["RoiResponseSeries"]

    assert (series.starting_time, series.rate, series.timestamps) == (2.0, 4.0, None)


def test_bytes_become_text(read):
    table = trials().assign(odor=[b"A", b"B"] * 10)

    assert list(read(spiking(trials=table)).trials["odor"][:2]) == ["A", "B"]


# Definition: the same recording is the same file


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from test_nwb_writer import imaging, spiking, write_recording
for make in (spiking, imaging):
    write_recording(make(), f"{sys.argv[2]}/{make.__name__}.nwb")
"""


def test_another_process_and_time_write_the_same_bytes(tmp_path):
    write_recording(spiking(), tmp_path / "a.nwb")
    write_recording(imaging(), tmp_path / "b.nwb")
    there = tmp_path / "there"
    command = [sys.executable, "-c", PROGRAM, os.path.dirname(__file__), str(there)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "7"}, timeout=600)

    assert sha256(tmp_path / "a.nwb") == sha256(there / "spiking.nwb")
    assert sha256(tmp_path / "b.nwb") == sha256(there / "imaging.nwb")


def test_sessions_have_identifiers_of_their_own(tmp_path):
    import h5py

    found = []
    for name in ("day-01", "day-02"):
        write_recording(replace(spiking(), session=name), tmp_path / "a.nwb")
        with h5py.File(tmp_path / "a.nwb") as file:
            ids = [file.attrs["object_id"], file["identifier"][()].decode()]
            file.visititems(lambda _, item, ids=ids: ids.append(item.attrs.get("object_id")))
        found += [value for value in ids if value is not None]

    assert len(found) == len(set(found)) > 20


# Invariance


def test_nothing_is_left_behind_and_an_old_file_survives_a_failure(tmp_path, monkeypatch):
    import pynwb

    path = tmp_path / "a.nwb"
    write_recording(spiking(), path)
    before = sha256(path)
    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_recording(replace(spiking(), description="Another."), path)

    assert sha256(path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.nwb"]


@pytest.mark.parametrize("make", [spiking, imaging])
def test_the_inspector_finds_nothing_above_a_suggestion(make, tmp_path):
    pytest.importorskip("nwbinspector")
    write_recording(make(), tmp_path / "a.nwb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nwbinspector import Importance, inspect_nwbfile

        messages = list(
            inspect_nwbfile(
                nwbfile_path=str(tmp_path / "a.nwb"), importance_threshold=Importance.BEST_PRACTICE_SUGGESTION
            )
        )
        above = [
            message for message in messages if message.importance.value > Importance.BEST_PRACTICE_SUGGESTION.value
        ]

    assert messages  # suggestions there are: no experimenter, no experiment description
    assert not above


# Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": ""}, "subject's name must be text without '/', got ''"),
        ({"session": "a/b"}, "session's name must be text without '/'"),
        ({"subject": "Q\x00"}, r"the subject's name 'Q\\x00' has a control character; remove it"),
        ({"start": datetime(2024, 1, 8)}, "has no time zone"),
        ({"about": {"labs": "x"}}, "unknown field of about 'labs'.*did you mean 'lab'"),
        ({"animal": {"genus": "Mus"}}, "unknown field of animal"),
        ({"imaging": {"depth": 3}}, "unknown field of imaging"),
        ({"trials": trials().drop(columns="stop_time")}, "trials need rows and the columns start_time and stop_time"),
        ({"trials": trials().iloc[:0]}, "trials need rows"),
        ({"trials": trials().iloc[::-1]}, "start_time of trials do not ascend: value 1 is smaller"),
        ({"trials": trials().assign(stop_time=0.0)}, "trial 1 stops at 0 s, before it starts"),
        ({"trials": trials().assign(start_time=np.nan)}, "start_time of trials: value 0 is nan"),
        ({"column_meanings": {}}, "trials: say in a sentence what column 'odor' means"),
        ({"spike_times": None}, "units and obs_intervals describe spike_times, which are missing"),
        ({"spike_resolution": None}, "spike_resolution is None; give the smallest difference"),
        ({"spike_times": [np.array([2.0, 1.0])] * 3}, "spike_times of unit 0 do not ascend"),
        ({"spike_times": [np.ones((2, 2))] * 3}, r"spike_times of unit 0 have shape \(2, 2\)"),
        ({"spike_times": [np.array([1.0, np.inf])] * 3}, "spike_times of unit 0: value 1 is inf"),
        ({"spike_times": [np.array([1.0, 130.0])] * 3}, "unit 0 fires at 130 s, when it was not observed"),
        ({"spike_times": [np.array([-1.0])] * 3, "obs_intervals": None}, "unit 0 fires at -1 s"),
        ({"units": pd.DataFrame({"depth": [1.0]})}, "units: 1 rows for 3 recorded"),
        ({"obs_intervals": np.array([0.0, 120.0])}, r"obs_intervals have shape \(2,\)"),
        ({"obs_intervals": np.array([[60.0, 120.0], [0.0, 60.0]])}, "obs_intervals do not ascend"),
        ({"obs_intervals": [np.array([[0.0, 120.0]])]}, "obs_intervals of 1 units for 3; give one array each"),
        ({"obs_intervals": [np.array([[0.0, 120.0]])] * 2 + [np.zeros((0, 2))]}, r"obs_intervals have shape \(0, 2\)"),
        ({"obs_intervals": [np.array([[0.0, 120.0]])] * 2 + [np.array([[0.0, 1.7]])]}, "unit 2 fires at 2 s, when it"),
        ({"timestamps": np.arange(3.0)}, "timestamps and rois describe fluorescence, which is missing"),
        ({"events": {"lick": np.array([2.0, 1.0])}}, "event 'lick' do not ascend"),
    ],
)
def test_nonsense_is_refused(changes, message):
    with pytest.raises(StudyError, match=message):
        spiking(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timestamps": np.arange(49.0)}, r"fluorescence has shape \(50, 3\).*got 49 timestamps"),
        ({"timestamps": None}, "got 0 timestamps"),
        ({"fluorescence": np.zeros(50)}, r"fluorescence has shape \(50,\)"),
        ({"timestamps": np.arange(50.0)[::-1]}, "timestamps do not ascend"),
        ({"rois": pd.DataFrame({"tracked": ["a"]})}, "rois: 1 rows for 3 recorded"),
        ({"unit_meanings": {}}, "rois: say in a sentence what column 'tracked' means"),
    ],
)
def test_nonsense_in_fluorescence_is_refused(changes, message):
    with pytest.raises(StudyError, match=message):
        imaging(**changes)
