"""Per-unit raster files become one NWB file per mouse and day that gives back what was simulated."""

import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from raster_files import PROBES, TRAINING, WRITERS, labels, rasters, simulated, write_session, write_v5, write_v73
from scipy.io import savemat
from scipy.sparse import csc_array
from study_metrics import metrics_csv

from piriform.config import Response, load_config
from piriform.convert import convert, raster
from piriform.errors import StudyError
from piriform.nwb import read_activity, read_header
from piriform.nwb_writer import write_recording
from piriform.prepare import session_tensor, subject_sessions
from piriform.provenance import sha256, versions
from piriform.study import index_study

CONFIG = load_config(Path(__file__).parents[1] / "config" / "raster.yaml")
EVERY, ONSET = 20.0, 5.0  # s: trials as laid out, and odour on within each


@pytest.fixture(scope="module")
def recordings():
    """A day of training and a day of overtraining with repeats and probes; 5 units, 40 and 46 trials."""
    return simulated()


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


def converted(source, tmp_path):
    """The NWB files, and what was told; the error's text comes last if there is one."""
    lines = []
    try:
        paths = convert("raster", source, tmp_path / "nwb", progress=lines.append)
    except StudyError as error:
        return sorted((tmp_path / "nwb").rglob("*.nwb")), [*lines, str(error)]
    return paths, lines


def contents(path):
    """Trials, units, licks by port, and notes of an NWB file."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as stream:
        file = stream.read()
        events = file.processing["behavior"].data_interfaces if file.processing else {}
        licks = {name: series.timestamps[:] for name, series in events.items()}
        return file.trials.to_dataframe(), file.units.to_dataframe(), licks, file.notes


def columns(times):
    """Trial and column of each spike, from its time as laid out."""
    trial = (times // EVERY).astype(int)
    return trial, np.floor(1000 * (times - EVERY * trial)).astype(int)


def edited(**fields):
    """A change of every unit's labels; a callable gets the old value, None drops the field."""

    def change(_unit, data, old):
        new = old | {name: value(old[name]) if callable(value) else value for name, value in fields.items()}
        return data, {name: value for name, value in new.items() if value is not None}

    return change


def put(trial, value):
    """A copy of a list with another value in one trial."""
    return lambda old: [value if row == trial else cell for row, cell in enumerate(old)]


# Known answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", WRITERS)
def test_what_was_simulated_comes_back(version, recordings, source, tmp_path):
    for folder, recording, day in zip((TRAINING, PROBES), recordings, (1, 2), strict=True):
        write_session(source / folder, recording, day=day, version=version)

    paths, _ = converted(source, tmp_path)

    assert [path.relative_to(tmp_path / "nwb").as_posix() for path in paths] == [
        "sub-Q/sub-Q_ses-day-01.nwb",
        "sub-Q/sub-Q_ses-day-02.nwb",
    ]
    for path, recording, kind in zip(paths, recordings, ("training", "probes"), strict=True):
        trials, units, licks, _ = contents(path)
        for data, times in zip(rasters(recording), units["spike_times"], strict=True):
            np.testing.assert_array_equal(columns(times), np.nonzero(data))
        truth = recording.trials
        for name in ("trial_type", "choice", "training_phase"):
            assert trials[name].tolist() == truth[name].tolist()
        assert trials["correct"].eq("correct").tolist() == truth["correct"].tolist()
        assert set(trials["session_type"]) == {kind}
        latency = truth["response_time"] - truth["odor_onset_time"]
        np.testing.assert_allclose(trials["lick_latency"], latency, atol=1e-9)
        np.testing.assert_allclose(trials["response_time"], trials["odor_onset_time"] + latency, atol=1e-9)
        start = truth["start_time"].to_numpy()
        for port, times in licks.items():
            licked = recording.events[port]
            trial = np.searchsorted(start, licked, side="right") - 1
            expected = EVERY * trial + ONSET + licked - truth["odor_onset_time"].to_numpy()[trial]
            np.testing.assert_allclose(times, expected, atol=1e-9)
            assert len(times) > 20


def test_times_are_laid_out_and_said_to_be(recordings, source, tmp_path):
    files = write_session(source, recordings[1], day=2)
    (path,), _ = converted(source, tmp_path)

    trials, units, _, notes = contents(path)
    np.testing.assert_allclose(trials["start_time"], EVERY * np.arange(46))
    assert set(trials["stop_time"] - trials["start_time"]) == {17.0}
    assert set(trials["odor_onset_time"] - trials["start_time"]) == {5.0}
    assert read_header(path).start.date().isoformat() == "2000-01-03"
    with h5py.File(path) as file:
        assert file["units/spike_times"].attrs["resolution"] == 0.001
    np.testing.assert_allclose(
        read_activity(path, Response(kind="units")).obs_intervals[0], trials[["start_time", "stop_time"]]
    )
    assert "stores neither dates nor when a trial began" in notes
    assert (
        f"Converted by piriform {versions()['piriform']} (raster) from 5 files, listed in analysis/source_files"
        in notes
    )
    assert units["source_file"].tolist() == [file.name for file in files]
    assert units["source_sha256"].tolist() == [sha256(file) for file in files]


@pytest.fixture
def studies(recordings, source, tmp_path):
    """The NWB files of the converted study, and the simulator's own."""
    for day, recording in enumerate(recordings, start=1):
        write_session(source, recording, day=day)
        write_recording(recording, tmp_path / "own" / f"day-{day}.nwb")
    return converted(source, tmp_path)[0], sorted((tmp_path / "own").glob("*.nwb"))


def tensors_of(files):
    sessions, _ = subject_sessions(
        index_study(files), trials=CONFIG.trials, classes=CONFIG.classes, phases=CONFIG.phases, plateau=CONFIG.plateau
    )
    sections = {"response": CONFIG.response, "classes": CONFIG.classes, "inclusion": CONFIG.inclusion}
    return [session_tensor(session, **sections)[1] for session in sessions]


def test_the_tensors_are_those_of_the_simulated_files(studies):
    tensors = [tensors_of(files) for files in studies]
    assert [len(some) for some in tensors] == [2, 2]
    for ours, own in zip(*tensors, strict=True):
        np.testing.assert_array_equal(ours.values, own.values)
        for name in ("stimulus", "class", "choice", "correct"):
            np.testing.assert_array_equal(ours[name], own[name])
        for name in ("subject", "session", "day", "phase"):
            assert ours.attrs[name] == own.attrs[name]


def test_the_metrics_are_those_of_the_simulated_files_to_the_byte(studies, tmp_path):
    """By the scripts of the workflow, with labels that the source has (the trial type as stimulus and stratum)."""
    few = CONFIG.measures.model_copy(update={"n_draws": 2, "n_permutations": 9})
    config = CONFIG.model_copy(update={"measures": few})
    ours, own = (
        metrics_csv([str(path) for path in files], config, tmp_path / f"results{number}")
        for number, files in enumerate(studies)
    )

    assert pd.read_csv(ours)["value"].notna().sum() > 50
    assert ours.read_bytes() == own.read_bytes()


@pytest.mark.parametrize(
    ("probe", "repeat", "expected"),
    [
        ("target", "target", "target"),
        ("nontarget", "nontarget nonrepeat", "nontarget"),
        ("nontarget", "nontarget repeat one", "nontarget_repeat_1"),
        ("nontarget", "nontarget repeat three", "nontarget_repeat_3"),
        ("probes_comp_1", "nontarget nonrepeat", "probe_1"),
        ("probes_comp_3", "", "probe_3"),
        ("", "nontarget repeat two", "nontarget_repeat_2"),
        ("probes_comp_2", "nontarget repeat two", "probe_2"),
        ("", "", ""),
    ],
)
def test_both_columns_of_labels_are_merged(probe, repeat, expected, recordings, source, tmp_path):
    change = edited(stimulus_category_with_probes=put(3, probe), stimulus_category_with_nontarg_repeats=put(3, repeat))
    write_session(source, recordings[0], day=1, change=change)
    (path,), _ = converted(source, tmp_path)

    assert contents(path)[0]["trial_type"].iloc[3] == expected


def test_overtraining_begins_with_the_first_repeats_and_stays(recordings, source, tmp_path):
    """Days 1, 5: no repeats; 3: repeats. Another mouse is not concerned."""
    for day, recording in ((1, recordings[0]), (3, recordings[1]), (5, recordings[0])):
        write_session(source / f"day{day}", recording, day=day)
    write_session(source / "S", replace(recordings[0], subject="S"), day=9)
    paths, _ = converted(source, tmp_path)

    phases = {path.stem: contents(path)[0]["training_phase"].unique().tolist() for path in paths}
    assert phases == {
        "sub-Q_ses-day-01": ["training"],
        "sub-Q_ses-day-03": ["overtraining"],
        "sub-Q_ses-day-05": ["overtraining"],
        "sub-S_ses-day-09": ["training"],
    }


def test_the_latency_is_that_of_the_chosen_port_once_licks_are_rewarded(recordings, source, tmp_path):
    change = edited(
        lick_choice=lambda old: ["right", "left", "no lick", "right", "", *old[5:]],
        all_licks_port_one=lambda old: [np.array([300.0, 500.0, 700]), np.array([600.0])] + [np.array([900.0])] * 38,
        all_licks_port_two=lambda old: [np.empty(0), np.array([650.5])] + [np.empty(0)] * 38,
    )
    write_session(source, recordings[0], day=1, change=change)
    (path,), _ = converted(source, tmp_path)

    latency = contents(path)[0]["lick_latency"].to_numpy()[:5]
    np.testing.assert_allclose(latency, [0.5, 0.6505, np.nan, 0.9, np.nan])


# Oddities -------------------------------------------------------------------------------------


def told(lines, text):
    return [line for line in lines if text in line]


@pytest.mark.parametrize("version", WRITERS)
def test_empty_cells_are_missing_and_counted(version, recordings, source, tmp_path):
    change = edited(
        stimulus_category_with_probes=put(2, ""),
        stimulus_category_with_nontarg_repeats=put(2, ""),
        lick_choice=put(4, ""),
        correct_vs_error=lambda old: put(5, "")(put(6, "")(old)),
        all_licks_port_one=put(7, np.empty(0)),
        all_licks_port_two=put(7, np.array([np.nan])),
    )
    write_session(source, recordings[0], day=1, version=version, change=change)
    (path,), lines = converted(source, tmp_path)

    trials, _, licks, notes = contents(path)
    assert [trials["trial_type"].iloc[2], trials["choice"].iloc[4]] == ["", ""]
    assert trials["correct"].iloc[[5, 6]].tolist() == ["", ""]
    assert np.isnan(trials["lick_latency"].iloc[[4, 7]]).all()
    assert all(7 not in times // EVERY for times in licks.values())
    for text in ("1 trial(s) with an empty category", "1 trial(s) with an empty lick_choice"):
        assert told(lines, f"subject 'Q' day 1: {text}")
        assert text in notes
    assert told(lines, "2 trial(s) with an empty correct_vs_error")


@pytest.mark.parametrize("version", WRITERS)
def test_without_the_column_of_repeats_they_are_nontargets(version, recordings, source, tmp_path):
    change = edited(stimulus_category_with_nontarg_repeats=None)
    write_session(source, recordings[1], day=2, version=version, change=change)
    (path,), lines = converted(source, tmp_path)

    expected = recordings[1].trials["trial_type"].str.replace(r"nontarget_repeat_\d", "nontarget", regex=True)
    assert contents(path)[0]["trial_type"].tolist() == expected.tolist()
    assert told(lines, "no field stimulus_category_with_nontarg_repeats; repeated nontargets, if there are any, count")


def test_a_unit_stored_twice_counts_once(recordings, source, tmp_path):
    first = {}

    def change(unit, data, fields):
        return first.setdefault(0, data) if unit == 3 else first.setdefault(unit, data), fields

    write_session(source, recordings[0], day=32, change=change, first=822)
    (path,), lines = converted(source, tmp_path)

    text = "raster_Q_32_unit0825.mat holds the same spikes as raster_Q_32_unit0822.mat; left out as a duplicate"
    _, units, _, notes = contents(path)
    assert units["source_file"].str[-8:-4].tolist() == ["0822", "0823", "0824", "0826"]
    assert told(lines, text)
    assert text in notes


def test_silent_units_are_no_duplicates(recordings, source, tmp_path):
    write_session(source, recordings[0], day=1, change=lambda _, data, fields: (0 * data, fields))
    (path,), lines = converted(source, tmp_path)

    assert contents(path)[1]["spike_times"].map(len).tolist() == [0] * 5
    assert not told(lines, "duplicate")


def test_a_session_with_probes_and_repeats_is_reported(recordings, source, tmp_path):
    write_session(source, recordings[1], day=2)
    write_session(source, recordings[0], day=1)
    _, lines = converted(source, tmp_path)

    kinds = recordings[1].trials["trial_type"]
    n_probes, n_repeats = kinds.str.startswith("probe").sum(), kinds.str.contains("repeat").sum()
    assert told(lines, f"day 2: both probes ({n_probes}) and repeats ({n_repeats}) in one session")
    assert not told(lines, "day 1: both")
    assert not told(lines, "are both probe and repeat")


def test_a_trial_that_is_probe_and_repeat_is_reported(recordings, source, tmp_path):
    change = edited(
        stimulus_category_with_probes=put(3, "probes_comp_1"),
        stimulus_category_with_nontarg_repeats=put(3, "nontarget repeat one"),
    )
    write_session(source, recordings[0], day=1, change=change)
    _, lines = converted(source, tmp_path)

    assert told(lines, "1 trial(s) are both probe and repeat; they count as probe")


def test_a_session_in_the_folder_of_probes_without_any_is_reported(recordings, source, tmp_path):
    write_session(source / PROBES, recordings[0], day=1)
    _, lines = converted(source, tmp_path)

    assert told(lines, "in the folder of probes, but no trial is a probe")


def test_licks_outside_the_trial_are_left_out_and_counted(recordings, source, tmp_path):
    change = edited(all_licks_port_one=put(3, np.array([-6000.0, 800.0, 12000.0])))
    write_session(source, recordings[0], day=1, change=change)
    (path,), lines = converted(source, tmp_path)

    times = contents(path)[2]["lick_port_1"]
    np.testing.assert_allclose(times[times // EVERY == 3], [65.8])
    assert told(lines, "2 lick(s) outside the 17 s of their trial; left out")


# Units that disagree --------------------------------------------------------------------------

DISAGREE = {
    "missing": (
        r"stimulus_category_with_nontarg_repeats is missing, but is there",
        {"stimulus_category_with_nontarg_repeats": None},
    ),
    "licks": (
        r"all_licks_port_two of trial 0 is \(1234\.0,\), but \(",
        {"all_licks_port_two": put(0, np.array([1234.0]))},
    ),
    "choice": (r"lick_choice of trial 6 is 'up', but '\w+", {"lick_choice": put(6, "up")}),
}


@pytest.mark.parametrize("odd", [0, 3])
@pytest.mark.parametrize(("message", "fields"), DISAGREE.values(), ids=DISAGREE)
def test_the_session_of_a_unit_with_other_labels_is_refused_and_the_others_go_on(
    message, fields, odd, recordings, source, tmp_path
):
    def change(unit, data, old):
        return edited(**fields)(unit, data, old) if unit == odd else (data, old)

    write_session(source, recordings[0], day=1)
    write_session(source, recordings[1], day=2, change=change)
    paths, lines = converted(source, tmp_path)

    assert [path.stem for path in paths] == ["sub-Q_ses-day-01"]
    name = f"raster_Q_02_unit{odd + 1:04d}.mat"
    assert re.search(
        rf"1 session\(s\) could not be converted \(1 were\): .*{name}: disagrees on the trials of subject 'Q' day 2: "
        rf"{message}.*; remove or mend this unit",
        lines[-1],
    )


def test_a_unit_with_other_trials_is_named(recordings, source, tmp_path):
    def change(unit, data, old):
        if unit != 2:
            return data, old
        return data[:-1], {name: value[:-1] if isinstance(value, list) else value for name, value in old.items()}

    write_session(source, recordings[0], day=1, change=change)
    paths, lines = converted(source, tmp_path)

    assert paths == []
    assert re.search(r"unit0003\.mat: disagrees on .* it has 39 trials, but 40 in .*unit0001\.mat", lines[-1])


def test_a_raster_with_other_trials_than_its_labels_is_named(recordings, source, tmp_path):
    write_session(source, recordings[0], day=1, change=lambda unit, data, old: (data[: 40 - (unit == 4)], old))
    paths, lines = converted(source, tmp_path)

    assert paths == []
    assert re.search(r"unit0005\.mat: raster_data: has 39 trials, but raster_labels has 40", lines[-1])


# Bad files ------------------------------------------------------------------------------------

BAD_LABELS = [
    (r"raster_labels has no field 'mouse_name'; it has \w+, ", {"mouse_name": None}),
    (r"raster_labels has no field 'day_of_behavior'", {"day_of_behavior": None}),
    (r"raster_labels has no field 'stimulus_category_with_probes'", {"stimulus_category_with_probes": None}),
    (r"raster_labels has no field 'correct_vs_error'", {"correct_vs_error": None}),
    (r"raster_labels has no field 'lick_choice'", {"lick_choice": None}),
    (r"raster_labels has no field 'all_licks_port_one'", {"all_licks_port_one": None}),
    (r"raster_labels\.mouse_name: float64 values of shape .*, expected the mouse's name", {"mouse_name": 3.0}),
    (r"raster_labels\.day_of_behavior: .*, expected one whole number from 0 to 9999", {"day_of_behavior": 2.5}),
    (r"raster_labels\.day_of_behavior: .*, expected one whole number", {"day_of_behavior": np.nan}),
    (r"raster_labels\.day_of_behavior: .*, expected one whole number", {"day_of_behavior": "two"}),
    (r"raster_labels\.lick_choice: float64 values of shape .*, expected a cell per trial", {"lick_choice": np.ones(40)}),
    (r"raster_labels\.lick_choice: float64 values .* in trial 4, expected a text", {"lick_choice": put(4, 1.0)}),
    (r"raster_labels\.lick_choice: 39 cells, but 40 in stimulus", {"lick_choice": lambda old: old[1:]}),
    (r"raster_labels\.lick_choice: 'up' in trial 4, expected one of right, left, no lick", {"lick_choice": put(4, "up")}),
    (r"raster_labels\.all_licks_port_one: holds <U5 in trial 4, expected times in ms", {"all_licks_port_one": put(4, "early")}),
    (
        r"raster_labels\.stimulus_category_with_probes: 'other' in trial 4, expected one of target, nontarget",
        {"stimulus_category_with_probes": put(4, "other")},
    ),
    (
        r"trial 4 is 'target' in stimulus_category_with_probes, but 'nontarget repeat one' in stimulus",
        {
            "stimulus_category_with_probes": put(4, "target"),
            "stimulus_category_with_nontarg_repeats": put(4, "nontarget repeat one"),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize("version", WRITERS)
@pytest.mark.parametrize(("message", "fields"), BAD_LABELS, ids=range(len(BAD_LABELS)))
def test_labels_that_cannot_be_used_are_named(message, fields, version, recordings, source, tmp_path):
    recording = replace(recordings[0], spike_times=recordings[0].spike_times[:1])
    (file,) = write_session(source, recording, day=1, version=version, change=edited(**fields))

    with pytest.raises(StudyError, match=f"{file.name}: {message}"):
        convert("raster", source, tmp_path / "nwb", progress=lambda _: None)
    assert not (tmp_path / "nwb").exists()


BAD_RASTERS = [
    (r"raster_data: shape \(40, 500\), expected trials x 17000 ms", lambda data: data[:, :500]),
    (r"raster_data: 2 in trial 3 column 7, expected zeros and ones", lambda data: with_value(data, 2)),
    (r"raster_data: nan in trial 3 column 7, expected zeros and ones", lambda data: with_value(data, np.nan)),
    (r"raster_data: -0\.5 in trial 3 column 7, expected", lambda data: with_value(data, -0.5)),
]


def with_value(data, value):
    data = np.zeros(data.shape)
    data[3, 7] = value
    return data


@pytest.mark.parametrize("version", WRITERS)
@pytest.mark.parametrize(("message", "spoil"), BAD_RASTERS, ids=range(len(BAD_RASTERS)))
def test_a_raster_that_cannot_be_used_is_named(message, spoil, version, recordings, source, tmp_path):
    recording = replace(recordings[0], spike_times=recordings[0].spike_times[:1])
    change = lambda _, data, fields: (spoil(data), fields)  # noqa: E731
    (file,) = write_session(source, recording, day=1, version=version, change=change)

    with pytest.raises(StudyError, match=f"{file.name}: {message}"):
        convert("raster", source, tmp_path / "nwb", progress=lambda _: None)


def test_a_raster_of_another_kind_is_named(recordings, source, tmp_path):
    fields = labels(recordings[0], day=1)
    source.mkdir()
    savemat(source / "a.mat", {"raster_data": np.full((40, 1), "x" * 17_000), "raster_labels": 1.0})
    with pytest.raises(StudyError, match=r"a\.mat: raster_labels: float64 values of shape \(1, 1\), expected a struct"):
        convert("raster", source, tmp_path, progress=lambda _: None)
    write_v5(source / "a.mat", np.full((40, 17_000), "x"), fields)
    with pytest.raises(StudyError, match=r"a\.mat: raster_data: shape .*|raster_data: holds <U1, expected zeros"):
        convert("raster", source, tmp_path, progress=lambda _: None)
    savemat(source / "a.mat", {"espe": 1.0})
    with pytest.raises(
        StudyError, match=r"a\.mat: no variable 'raster_labels'; expected raster_data and raster_labels"
    ):
        convert("raster", source, tmp_path, progress=lambda _: None)


def test_hdf5_files_of_another_structure_are_named(recordings, source, tmp_path):
    data, fields = next(rasters(recordings[0])), labels(recordings[0], day=1)
    source.mkdir()
    path = source / "a.mat"
    for spoil, message in (
        (lambda file: file.pop("raster_labels"), "no variable 'raster_labels'"),
        (lambda file: file.pop("raster_data"), "no variable 'raster_data'"),
        (lambda file: file.move("raster_labels/mouse_name", "raster_labels"), "not a readable MATLAB file"),
        (as_number, r"raster_labels: float64 values of shape \(1, 1\), expected a struct"),
        (as_group, r"/raster_data: a struct or sparse array, expected text, numbers or cells"),
        (as_text, r"raster_data: shape \(17000, 40\)|raster_data: holds \|S1, expected zeros and ones"),
    ):
        write_v73(path, data, fields)
        with h5py.File(path, "r+") as file:
            if "not a readable" in message:
                file.close()
                path.write_bytes(path.read_bytes()[:3000])
            else:
                spoil(file)
        with pytest.raises(StudyError, match=rf"a\.mat: {message}"):
            convert("raster", source, tmp_path / "nwb", progress=lambda _: None)


def as_number(file):
    del file["raster_labels"]
    file["raster_labels"] = np.ones((1, 1))


def as_group(file):
    del file["raster_data"]
    file.create_group("raster_data")


def as_text(file):
    del file["raster_data"]
    file["raster_data"] = np.full((17_000, 40), b"x")


@pytest.mark.parametrize("version", WRITERS)
def test_a_truncated_file_is_named_and_the_other_sessions_go_on(version, recordings, source, tmp_path):
    write_session(source, recordings[0], day=1)
    files = write_session(source, recordings[1], day=2, version=version)
    for share in (0.0, 0.02, 0.6):
        whole = files[2].read_bytes()
        files[2].write_bytes(whole[: int(share * len(whole))])
        paths, lines = converted(source, tmp_path)
        files[2].write_bytes(whole)

        assert any(path.stem == "sub-Q_ses-day-01" for path in paths)
        assert f"{files[2]}: " in lines[-1]
        assert re.search(r"unit0003\.mat: [^:]*(may be|is) truncated", lines[-1])


@pytest.mark.parametrize("version", WRITERS)
def test_a_damaged_file_is_refused_by_name_or_read_right(version, recordings, source):
    """Bytes changed, cut off or lost: never another error, never other spikes (compressed rasters carry a checksum)."""
    recording = replace(recordings[0], spike_times=recordings[0].spike_times[:1])
    (file,) = write_session(source, recording, day=1, version=version)
    whole, spikes = file.read_bytes(), next(np.nonzero(data) for data in rasters(recording))
    rng = np.random.default_rng(3)
    refused = []
    for number in range(45):
        file.write_bytes(damaged(whole, number % 3, rng))
        try:
            found = raster._recording([raster._unit(file)], "training", lambda _: None)
        except StudyError as error:
            refused.append(str(error))
        else:
            np.testing.assert_array_equal(columns(found.spike_times[0]), spikes)
    assert len(refused) > 20
    assert all(file.name in message for message in refused)


def damaged(whole, kind, rng):
    content, place = bytearray(whole), rng.integers(len(whole))
    if kind == 0:
        content[place : place + 3] = rng.integers(0, 256, 3, dtype=np.uint8).tobytes()
    elif kind == 1:
        del content[place:]
    else:
        del content[place : place + 50]
    return bytes(content)


def test_a_source_without_files(tmp_path):
    with pytest.raises(StudyError, match=r"the folder holds no \.mat file"):
        convert("raster", tmp_path, tmp_path / "nwb")
    with pytest.raises(StudyError, match=r"none: no such file or folder; give the \.mat file to convert or its folder"):
        convert("raster", tmp_path / "none", tmp_path / "nwb")


# Invariance, validity, memory -----------------------------------------------------------------


def test_both_versions_of_matlab_and_sparse_rasters_give_the_same_recording(recordings, source, tmp_path):
    recording = recordings[0]
    write_session(source / "v5", recording, day=1)
    write_session(source / "v73", recording, day=1, version="v7.3")
    write_session(source / "sparse", recording, day=1, change=lambda _, data, old: (csc_array(data.astype(float)), old))
    found = [contents(converted(source / name, tmp_path)[0][0]) for name in ("v5", "v73", "sparse")]

    for trials, units, licks, _ in found[1:]:
        pd.testing.assert_frame_equal(trials, found[0][0])
        for one, other in zip(units["spike_times"], found[0][1]["spike_times"], strict=True):
            np.testing.assert_array_equal(one, other)
        for port, times in licks.items():
            np.testing.assert_array_equal(times, found[0][2][port])


def test_converting_twice_gives_the_same_bytes(recordings, source, tmp_path):
    write_session(source, recordings[1], day=2)

    one, other = (convert("raster", source, tmp_path / name, progress=lambda _: None)[0] for name in "ab")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_the_files_are_valid_nwb(recordings, source, tmp_path):
    from nwbinspector import Importance, inspect_nwbfile

    change = edited(lick_choice=put(4, ""), stimulus_category_with_nontarg_repeats=None)
    write_session(source, recordings[0], day=1, change=change)
    write_session(source, recordings[1], day=2)
    paths, _ = converted(source, tmp_path)

    for path in paths:
        found = inspect_nwbfile(nwbfile_path=path, importance_threshold=Importance.BEST_PRACTICE_VIOLATION)
        assert [message.message for message in found] == []


@pytest.mark.parametrize("version", WRITERS)
def test_one_raster_is_in_memory_at_a_time(version, source, tmp_path):
    """Rasters of 290 x 17000 bytes (v7.3: the same), four of them; the peak stays that of a few."""
    from piriform.convert import raster_file

    (recording,) = simulated(days=1, units_start=4, units_end=4, trials_start=290, trials_end=290)
    files = write_session(source, recording, day=1, version=version)
    raster_file.read_spikes(files[0], 290)  # imports what it needs
    peaks = []
    for some in (files[:1], files):
        units = [raster._unit(path) for path in some]
        tracemalloc.start()
        _, times, _ = raster._spike_times(units, EVERY * np.arange(290))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(times) == len(some)
    assert peaks[1] - peaks[0] < 290 * 17_000  # if all were kept it would be three times that
