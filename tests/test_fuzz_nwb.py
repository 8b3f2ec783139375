"""Spoiled NWB files: each is refused with its name, or what is read is what the file holds; nothing is left open."""

import os
from datetime import UTC, datetime
from itertools import pairwise

import direct_read
import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mutations import BYTES, CHANGES, in_fork, left_open, paths, refusals, spoil

from piriform.check import check_study
from piriform.config import Classes, Inclusion, Phases, Plateau, Response, Trials
from piriform.errors import StudyError
from piriform.nwb import read_activity, read_header, read_trials
from piriform.nwb_writer import Recording, write_recording
from piriform.prepare import session_tensor, subject_sessions
from piriform.study import index_study

N_EXAMPLES = int(os.environ.get("PIRIFORM_FUZZ", "15"))
BINS = {"window": (-0.5, 1.0), "bin": 0.5, "response_window": (0.0, 0.5), "baseline_window": (-0.5, 0.0)}
CLASSES, INCLUSION = (
    Classes(target=["target"], nontarget=["nontarget"]),
    Inclusion(min_units=1, min_trials_per_class=2),
)
CONFIG = f"""
data: overridden
response: {{window: [-0.5, 1.0], bin: 0.5, response_window: [0.0, 0.5]}}
classes: {CLASSES.model_dump_json()}
inclusion: {{min_units: 1, min_trials_per_class: 2}}
"""
WANTED = ("start_time", "stop_time", "odor_onset_time", "odor", "trial_type", "choice", "correct", "response_time")


def recording(kind, day):
    """Twelve trials, three units or ROIs."""
    rng = np.random.default_rng(day)
    start = np.arange(12) * 5.0
    label = np.where(np.arange(12) % 2, "nontarget", "target")
    trials = pd.DataFrame(
        {
            "start_time": start, "stop_time": start + 4, "odor_onset_time": start + 1, "odor": label,
            "trial_type": label, "choice": "left", "correct": np.arange(12) % 3 > 0, "response_time": start + 1.8,
        }
    )  # fmt: skip
    times = np.arange(0, 60, 0.25)
    activity = {
        "units": {
            "spike_times": [np.sort(np.round(rng.uniform(0, 60, 300), 4)) for _ in range(3)],
            "spike_resolution": 1e-4,
            "obs_intervals": np.array([[0.0, 30.0], [30.0, 60.0]]),
            "units": pd.DataFrame({"quality": ["good", "good", "mua"]}),
            "unit_meanings": {"quality": "label"},
        },
        "roi": {"fluorescence": np.round(rng.normal(size=(len(times), 3)), 3), "timestamps": times},
    }[kind]
    start_time = datetime(2024, 1, day, 9, tzinfo=UTC)
    meanings = {name: name for name in trials}
    return Recording("Q", f"day-{day}", start_time, "made for a test", trials, meanings, **activity)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def originals(folder):
    """The bytes of a sound file of each kind; another session lies beside the file that is spoiled."""
    write_recording(recording("units", 2), folder / "b.nwb")
    (folder / "config.yaml").write_text(CONFIG)
    found = {}
    for kind in ("units", "roi"):
        write_recording(recording(kind, 1), folder / "a.nwb")
        found[kind] = (folder / "a.nwb").read_bytes()
    return found


# What must hold of every file -----------------------------------------------------------------


def examined(path, beside):
    """Read a file in every way; return the reasons for which it was refused, by way."""
    refused = refusals(path, header=header, trials=trials, activity=activity)
    refused |= tensor(path, beside)
    assert not left_open(path), f"prepare leaves {left_open(path)} open"
    try:
        found = check_study(path.parent, config=path.parent / "config.yaml")["sessions"]
        assert {one["file"] for one in found} == {str(path), str(beside)}
        assert next(one["reason"] for one in found if one["file"] == str(beside)) == ""
        refused["check"] = next(one["reason"] for one in found if one["file"] == str(path))
    except StudyError as error:
        raise AssertionError(f"check refuses the whole study: {error}") from error
    assert not left_open(path), f"check leaves {left_open(path)} open"
    return refused


def header(path):
    found = read_header(path)
    assert (found.subject, found.session, found.start, found.identifier) == direct_read.header(path)


def trials(path):
    found = read_trials(path, Trials())
    assert list(found) == sorted(WANTED, key=list(found).index)
    for name in WANTED:
        same(found[name].tolist(), direct_read.column(path, name), name)


def same(found, expected, what):
    assert len(found) == len(expected), what
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        missing = one != one and other != other
        assert missing or (one == other and isinstance(one, str) == isinstance(other, str)), (
            f"{what} of row {row} is {one!r}, the file holds {other!r}"
        )


def activity(path):
    found = read_activity(path, Response(**BINS))
    if found.kind == "units":
        spikes, names = direct_read.ragged(path, "spike_times"), direct_read.ids(path, "units", 3)
        good = [row for row, times in enumerate(spikes) if direct_read.is_sound(times)]
        assert found.unit_id == [names[row] for row in good]
        assert sorted(name for left in found.excluded.values() for name in left) == sorted(
            set(names) - set(found.unit_id)
        )
        for times, row in zip(found.spike_times, good, strict=True):
            same(times.tolist(), spikes[row].tolist(), f"spike times of unit {row}")
        if found.obs_intervals is not None:
            intervals = direct_read.ragged(path, "obs_intervals")
            for times, row in zip(found.obs_intervals, good, strict=True):
                same(times.ravel().tolist(), np.ravel(intervals[row]).tolist(), f"obs_intervals of unit {row}")
        return
    names, data, times = direct_read.traces(path)
    known = np.isfinite(data).any(axis=0)
    assert found.unit_id == [name for name, some in zip(names, known, strict=True) if some]
    if found.unit_id:
        np.testing.assert_allclose(found.traces[0].data, data[:, known], rtol=1e-12)
        same(found.traces[0].timestamps.tolist(), times.tolist(), "timestamps")
        assert (np.diff(found.traces[0].timestamps) > 0).all()


def tensor(path, beside):
    """The whole path of a session: index, trials, activity, alignment. The session beside it must not suffer."""
    index = index_study([path, beside])
    parts = {"trials": Trials(), "classes": CLASSES, "phases": Phases(), "plateau": Plateau()}
    refused, n_found = {}, 0
    for subject in pd.unique(index["subject"]):
        sessions, _ = subject_sessions(index[index["subject"] == subject], **parts)
        for session in sessions:
            n_found += 1
            if session.row["file"] == str(beside):
                assert session.row["reason"] == ""
                continue
            row, made = session_tensor(session, response=Response(**BINS), classes=CLASSES, inclusion=INCLUSION)
            assert (made is None) == bool(row["reason"])
            if made is None:
                refused["tensor"] = row["reason"]
            else:
                as_it_should_be(made, path)
    assert n_found == 2
    return refused


def as_it_should_be(made, path):
    """Each number of a tensor is what its definition says of the spikes or samples at the time of the event."""
    event = direct_read.column(path, "odor_onset_time")
    units = made.attrs["units"] == "spikes/s"
    if units:
        spikes = dict(zip(direct_read.ids(path, "units", 3), direct_read.ragged(path, "spike_times"), strict=True))
    else:
        names, data, times = direct_read.traces(path)
    for trial, number in enumerate(made["trial"].values):
        edges = float(event[number]) - 0.5 + 0.5 * np.arange(4) - 1e-9
        for unit, name in enumerate(made["unit_id"].values):
            found = made.values[trial, unit]
            if units:
                inside = np.isfinite(found)  # elsewhere the unit was not observed
                expected = np.diff(np.searchsorted(spikes[name], edges)) / 0.5
            else:
                inside = np.ones(3, dtype=bool)
                parts = [data[(times >= a) & (times < b), names.index(name)] for a, b in pairwise(edges)]
                expected = [part[np.isfinite(part)].mean() if np.isfinite(part).any() else np.nan for part in parts]
            np.testing.assert_allclose(found[inside], np.asarray(expected)[inside], rtol=1e-5, atol=1e-6)


# Fuzz ---------------------------------------------------------------------------------------------


def spoiled(folder, original, changes):
    """Write the file and change it; return whether there was anything to change."""
    path = folder / "a.nwb"
    path.write_bytes(original)
    with h5py.File(path, "a") as file:
        return [spoil(file, where, change, np.random.default_rng(seed)) for where, change, seed in changes]


def places(original, tmp):
    path = tmp / "places.h5"
    path.write_bytes(original)
    with h5py.File(path) as file:
        return paths(file)


SEED = st.integers(0, 1000)
FUZZ = settings(
    max_examples=N_EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("kind", ["units", "roi"])
def test_a_sound_file_is_read_as_it_is(folder, originals, kind):
    (folder / "a.nwb").write_bytes(originals[kind])
    assert examined(folder / "a.nwb", folder / "b.nwb") == {"check": ""}


@pytest.mark.parametrize("kind", ["units", "roi"])
def test_whatever_lies_where_it_should_not(folder, originals, kind, tmp_path):
    everywhere = places(originals[kind], tmp_path)

    @FUZZ
    @given(st.lists(st.tuples(st.sampled_from(everywhere), st.sampled_from(CHANGES), SEED), min_size=1, max_size=3))
    def check(changes):
        # pynwb itself takes a list for the start of a series as 0 s
        assume(not any(where.endswith("/starting_time") and change == "lists" for where, change, _ in changes))
        assume(any(spoiled(folder, originals[kind], changes)))
        examined(folder / "a.nwb", folder / "b.nwb")

    check()


@pytest.mark.parametrize("kind", ["units", "roi"])
def test_whatever_bytes_are_broken(folder, originals, kind):
    @settings(FUZZ, max_examples=max(N_EXAMPLES // 3, 1))
    @given(st.sampled_from(sorted(BYTES)), st.floats(0, 1), SEED)
    def check(change, where, seed):
        path = folder / "a.nwb"
        path.write_bytes(BYTES[change](originals[kind], where, np.random.default_rng(seed)))
        assert not in_fork(lambda: examined(path, folder / "b.nwb"))

    check()


# Found by fuzzing -----------------------------------------------------------------------------

ROI = "processing/ophys/DfOverF/RoiResponseSeries"


@pytest.mark.parametrize(
    ("kind", "where", "change", "message"),
    [
        ("units", "units/spike_times", "complex", "spike_times holds complex128 values; expected numbers"),
        ("units", "units/spike_times", "texts of numbers", "spike_times holds .* values; expected numbers"),
        ("units", "units/spike_times", "a column", "spike_times have 2 dimensions; expected one"),
        ("units", "units/spike_times_index", "fractions", "expected a whole number per row"),
        ("units", "units/obs_intervals", "texts of numbers", "obs_intervals holds .* values; expected numbers"),
        ("roi", f"{ROI}/data", "complex", "data holds complex128 values; expected numbers"),
        ("roi", f"{ROI}/starting_time@rate", "negative", "with -1 samples/s; expected a time and a positive rate"),
    ],
)
def test_activity_that_was_read_as_other_numbers(folder, originals, kind, where, change, message):
    assert all(spoiled(folder, originals[kind], [(where, change, 0)]))
    with pytest.raises(StudyError, match=message):
        read_activity(folder / "a.nwb", Response(**BINS))


def test_times_that_are_complex_numbers(folder, originals):
    assert all(spoiled(folder, originals["units"], [("intervals/trials/stop_time", "complex", 0)]))
    with pytest.raises(StudyError, match="column 'stop_time' holds complex numbers"):
        read_trials(folder / "a.nwb", Trials())


def test_an_index_of_another_column(folder, originals):
    (folder / "a.nwb").write_bytes(originals["units"])
    with h5py.File(folder / "a.nwb", "a") as file:
        file["units/spike_times_index"].attrs["target"] = file["units/obs_intervals"].ref
    with pytest.raises(StudyError, match="spike_times"):
        read_activity(folder / "a.nwb", Response(**BINS))
