"""Published files become NWB that says what the source says; real ones give back the accuracies stated with them."""

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from piriform.align import align_spikes, align_traces
from piriform.config import Response, load_config, parse_config
from piriform.convert import CONVERTERS, DESCRIPTIONS, convert, source_files
from piriform.convert.wang import TRIAL_TYPES
from piriform.errors import ConfigError, StudyError
from piriform.nwb import read_activity, read_header, read_trials

CONFIG = Path(__file__).parents[1] / "config"


def quiet(_line):
    """A progress that prints nothing."""


# Files made here ------------------------------------------------------------------------------


def struct(*records):
    """A MATLAB struct array of shape 1 x n."""
    array = np.empty((1, len(records)), dtype=[(name, "O") for name in records[0]])
    for position, record in enumerate(records):
        array[0, position] = tuple(record.values())
    return array


def raster(n_trials, *spikes, n_columns=10_000, dtype=np.uint8):
    """A sparse raster with a 1 at each (trial, column); the same place twice makes a 2."""
    matrix = np.zeros((n_trials, n_columns), dtype=dtype)
    for trial, column in spikes:
        matrix[trial, column] += 1
    return csc_array(matrix)


def cell(*rasters, **fields):
    fields = {"spikeSNR": np.arange(8.0)[None], "isolationDistance": 20.5, "L_Ratio": 0.1, "good": np.uint8(1)} | fields
    return {"odor": struct(*({"spikeMatrix": matrix} for matrix in rasters)), **fields}


def shank(*cells):
    return {"SUA": struct({"cell": struct(*cells)}) if cells else np.zeros((1, 0))}


def experiment(*shanks):
    return {"shank": struct(*shanks)}


@pytest.fixture
def make_mat(tmp_path):
    """A function that writes ``espe`` as the published files hold it."""

    def write(*experiments, name="aPCx_15.mat"):
        path = tmp_path / "source" / name
        path.parent.mkdir(exist_ok=True)
        savemat(path, {"espe": struct(*experiments)}, do_compression=True)
        return path

    return write


def two_units():
    """A recording of two units on two shanks, the second shank empty; two odours, 2 and 3 trials."""
    first = cell(raster(2, (0, 0), (1, 4000)), raster(3, (2, 9999)))
    second = cell(raster(2), raster(3, (0, 4500), (0, 4500)), isolationDistance=33.0)
    return experiment(shank(first), shank(), shank(second))


META = {
    "NAME_MOUSE": "M1_bla", "NAME_DATE": "10-02-2017", "TRIAL_FRAMES": 75, "TRIAL_PERIOD": 0.23, "DAQ_SAMP": 50.0,
    "DAQ_O_ON": 5.7, "DAQ_O_OFF": 7.7, "DAQ_W_ON": 10.02,
}  # fmt: skip


@pytest.fixture
def make_npz(tmp_path):
    """A function that writes one session of five trials; ``arrays`` and ``meta`` replace its parts."""

    def write(name="M1_bla_2017-10-02.npz", *, meta=None, without=(), **arrays):
        rng = np.random.default_rng(3)
        lines = np.zeros((5, 3, 1000), dtype=np.float32)
        for trial, seconds in ((0, 6.5), (0, 9.0), (1, 3.0), (1, 10.5), (3, 8.0), (4, 8.0)):
            lines[trial, 1, int(seconds * 50) : int(seconds * 50) + 4] = 1.8
        lines[[0, 4], 2, 501:520] = 2.1
        content = {
            "dff": 1 + rng.gamma(1.0, 0.05, size=(5, 3, 75)).astype(np.float32),
            "odor": np.array(["pin", "msy", "euy", "lim", "water"]),
            "daq_odor_lick_water": lines,
            "meta": np.array(json.dumps(META | (meta or {})) if not isinstance(meta, str) else meta),
        } | arrays
        path = tmp_path / "source" / name
        path.parent.mkdir(exist_ok=True)
        np.savez(path, **{key: value for key, value in content.items() if key not in without})
        return path

    return write


def spike_times(path):
    return read_activity(path, Response(kind="units")).spike_times


def contents(path):
    """Every trials column, the session's start, and the notes of an NWB file."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as stream:
        file = stream.read()
        units = None if file.units is None else file.units.to_dataframe()
        return file.trials.to_dataframe(), units, file.session_start_time, file.notes + (file.stimulus_notes or "")


# Iurilli: known answer ------------------------------------------------------------------------


def test_iurilli_puts_every_spike_at_its_trial_and_millisecond(make_mat, tmp_path):
    (path,) = convert("iurilli", make_mat(two_units()), tmp_path / "nwb", progress=quiet)

    trials, units, start, notes = contents(path)
    assert path == tmp_path / "nwb" / "sub-aPCx_15-exp01" / "sub-aPCx_15-exp01_ses-exp01.nwb"
    # Repetition by repetition: o1 o2 | o1 o2 | o2; every 12 s.
    assert trials["odor"].tolist() == ["odor01", "odor02", "odor01", "odor02", "odor02"]
    assert trials["repetition"].tolist() == [1, 1, 2, 2, 3]
    assert trials["start_time"].tolist() == [0, 12, 24, 36, 48]
    assert (trials["stop_time"] - trials["start_time"]).tolist() == [10] * 5
    assert (trials["odor_onset_time"] - trials["start_time"]).tolist() == [4] * 5
    first, second = spike_times(path)
    np.testing.assert_allclose(first, [0.0005, 24 + 4.0005, 48 + 9.9995], atol=1e-12)
    np.testing.assert_allclose(second, [12 + 4.5005, 12 + 4.5005], atol=1e-12)  # a count of 2 is two spikes
    assert units["shank"].tolist() == [1, 3]
    assert units["isolation_distance"].tolist() == [20.5, 33.0]
    assert units["good"].tolist() == [1, 1]
    assert "spike_snr" not in units  # 8 numbers per unit
    assert start == datetime(2000, 1, 1, tzinfo=UTC)
    assert "placeholder" in notes
    assert "order of the odours" in notes
    assert "aPCx_15.mat, SHA-256" in notes


def test_iurilli_units_are_observed_during_trials_only(make_mat, tmp_path):
    (path,) = convert("iurilli", make_mat(two_units()), tmp_path, progress=quiet)

    observed = read_activity(path, Response(kind="units")).obs_intervals
    np.testing.assert_allclose(observed[1], [[0, 10], [12, 22], [24, 34], [36, 46], [48, 58]])


def test_iurilli_gives_each_recording_a_subject_of_its_own(make_mat, tmp_path):
    lines = []
    empty = experiment(shank(), shank())
    paths = convert("iurilli", make_mat(two_units(), empty, two_units()), tmp_path, progress=lines.append)

    assert [read_header(path).subject for path in paths] == ["aPCx_15-exp01", "aPCx_15-exp03"]
    assert "espe(2): holds no activity; left out" in lines[1]


def test_iurilli_reads_a_folder_and_keeps_a_quality_field_only_if_it_is_one_number(make_mat, tmp_path):
    make_mat(experiment(shank(cell(raster(2), spikeSNR=4.0))), name="plCoA_15.MAT")
    make_mat(two_units())

    paths = convert("iurilli", tmp_path / "source", tmp_path / "nwb", progress=quiet)
    assert [path.name[:8] for path in paths] == ["sub-aPCx", "sub-plCo"]
    assert contents(paths[1])[1]["spike_snr"].tolist() == [4.0]


# Wang: known answer ---------------------------------------------------------------------------


def test_wang_reads_choices_from_anticipatory_licks(make_npz, tmp_path):
    (path,) = convert("wang", make_npz(), tmp_path, progress=quiet)

    trials, _, start, notes = contents(path)
    assert trials["trial_type"].tolist() == ["CS+", "CS+", "CS-", "CS-", "water"]
    # Trial 1 licks at 3.0 s (before the odour) and 10.5 s (after the water): neither is anticipation.
    assert trials["choice"].tolist() == ["lick", "no lick", "no lick", "lick", ""]
    assert trials["correct"].tolist() == ["correct", "error", "correct", "error", ""]
    assert trials["n_licks"].tolist() == [2, 0, 0, 1, 0]
    np.testing.assert_allclose(trials["response_time"], [6.5, np.nan, np.nan, 3 * 25 + 8.0, np.nan])
    np.testing.assert_allclose(trials["odor_onset_time"], [5.7, 30.7, 55.7, 80.7, np.nan])
    np.testing.assert_allclose(trials["water_time"], [10.02, np.nan, np.nan, np.nan, 110.02])
    assert start == datetime(2017, 10, 2, tzinfo=UTC)
    assert "does not store when a trial began" in notes


def test_wang_stores_every_frame_at_its_time(make_npz, tmp_path):
    npz = make_npz()
    (path,) = convert("wang", npz, tmp_path, progress=quiet)

    activity = read_activity(path, Response(kind="roi", tracked_id="tracked_id"))
    ratio = np.load(npz)["dff"].astype(float)
    for trial, roi, frame in product(range(5), range(3), (0, 40, 74)):
        assert activity.traces[0].data[trial * 75 + frame, roi] == pytest.approx(ratio[trial, roi, frame] - 1, abs=1e-6)
        assert activity.traces[0].timestamps[trial * 75 + frame] == pytest.approx(trial * 25 + frame * 0.23)
    assert activity.tracked_id == ["0", "1", "2"]


def test_wang_stores_all_licks_and_water(make_npz, tmp_path):
    from pynwb import NWBHDF5IO

    (path,) = convert("wang", make_npz(), tmp_path, progress=quiet)

    with NWBHDF5IO(path, "r") as stream:
        events = stream.read().processing["behavior"].data_interfaces
        np.testing.assert_allclose(events["lick"].timestamps[:], [6.5, 9, 28, 35.5, 83, 108])
        np.testing.assert_allclose(events["water"].timestamps[:], [10.02, 110.02])


def test_wang_counts_rises_of_the_lick_line_not_samples_above(make_npz, tmp_path):
    lines = np.zeros((5, 3, 1000))
    lines[0, 1, 200:400] = 1.8  # began before the odour
    lines[2, 1, 350:351] = 0.9  # below 1 V
    (path,) = convert("wang", make_npz(daq_odor_lick_water=lines), tmp_path, progress=quiet)

    assert contents(path)[0]["choice"].tolist()[:4] == ["no lick"] * 4


def test_wang_keeps_missing_frames_missing(make_npz, tmp_path):
    ratio = np.full((5, 3, 75), 1.25)
    ratio[2, 1, 30:40] = np.nan
    (path,) = convert("wang", make_npz(dff=ratio), tmp_path, progress=quiet)

    data = read_activity(path, Response(kind="roi")).traces[0].data
    expected = np.full((375, 3), 0.25)
    expected[2 * 75 + 30 : 2 * 75 + 40, 1] = np.nan
    np.testing.assert_allclose(data, expected)


def test_wang_takes_the_date_from_either_place(make_npz, tmp_path):
    named = make_npz("M1_bla_2017-10-05.npz", meta={"NAME_DATE": "10-05-2017"})
    unnamed = make_npz("session.npz", meta={"NAME_DATE": "10-06-2017"})

    paths = convert("wang", named.parent, tmp_path / "nwb", progress=quiet)
    assert [read_header(path).start.day for path in paths] == [5, 6]
    assert unnamed.exists()


# Invariance and validity ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iurilli", "wang"])
def test_converting_twice_gives_the_same_bytes(name, make_mat, make_npz, tmp_path):
    origin = {"iurilli": lambda: make_mat(two_units()), "wang": make_npz}[name]()
    (first,) = convert(name, origin, tmp_path / "a", progress=quiet)
    (second,) = convert(name, origin, tmp_path / "b", progress=quiet)

    assert first.read_bytes() == second.read_bytes()


def worst(path):
    """Findings of nwbinspector above a best practice suggestion."""
    from nwbinspector import Importance, inspect_nwbfile

    found = inspect_nwbfile(nwbfile_path=path, importance_threshold=Importance.BEST_PRACTICE_VIOLATION)
    return [message.message for message in found]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["iurilli", "wang"])
def test_output_is_valid_nwb(name, make_mat, make_npz, tmp_path):
    origin = {"iurilli": lambda: make_mat(two_units()), "wang": make_npz}[name]()

    assert [worst(path) for path in convert(name, origin, tmp_path / "nwb", progress=quiet)] == [[]]


@pytest.mark.parametrize("name", sorted(CONVERTERS))
def test_every_converter_says_what_it_reads_and_has_a_config(name):
    assert DESCRIPTIONS[name]
    assert load_config(CONFIG / f"{name}.yaml").convert.format == name


def test_the_page_on_own_data_shows_a_valid_config():
    page = (CONFIG.parent / "docs" / "your-own-data.md").read_text()
    shown = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)

    assert parse_config(yaml.safe_load(shown[0])).study == "mylab"


# Errors ---------------------------------------------------------------------------------------


def test_unknown_format_lists_the_known_ones(tmp_path):
    with pytest.raises(
        ConfigError,
        match=r"unknown format 'irilli' \(did you mean 'iurilli'\?\); choose from iurilli, raster, tables, wang",
    ):
        convert("irilli", tmp_path, tmp_path)


def test_source_that_is_not_there(tmp_path):
    with pytest.raises(StudyError, match=r"nowhere: no such file or folder; give the \.mat file"):
        convert("iurilli", tmp_path / "nowhere", tmp_path)
    with pytest.raises(StudyError, match=r"holds no \.npz file"):
        convert("wang", tmp_path, tmp_path)


BAD_MAT = {
    r"espe\(1\)\.shank\(1\)\.SUA\.cell\(2\): trials per odour are \[2, 2\], but \[2, 3\] in": experiment(
        shank(cell(raster(2), raster(3)), cell(raster(2), raster(2)))
    ),
    r"espe\(1\)\.shank\(1\)\.SUA\.cell\(2\): trials per odour are \[2\], but \[2, 3\] in": experiment(
        shank(cell(raster(2), raster(3)), cell(raster(2)))
    ),
    r"cell\(1\)\.odor\(1\)\.spikeMatrix: shape \(2, 500\), expected trials x 10000 ms": experiment(
        shank(cell(raster(2, n_columns=500)))
    ),
    r"spikeMatrix: holds values that are not spike counts": experiment(
        shank(cell(csc_array(np.full((2, 10_000), 0.5))))
    ),
    r"spikeMatrix: holds <U1, expected spike counts": experiment(shank(cell(np.full((1, 10_000), "x")))),
    r"espe\(1\): no field 'shank'; it has probe": {"probe": 1.0},
    r"espe\(1\)\.shank\(1\): no field 'SUA'; it has MUA": experiment({"MUA": 1.0}),
    r"espe\(1\)\.shank: expected a struct array with elements, got .* values of shape \(1, 1\)": {"shank": 1.0},
    r"SUA: no field 'cell'; it has unit": experiment({"SUA": struct({"unit": 1.0})}),
    r"cell\(1\): no field 'odor'; it has good": experiment({"SUA": struct({"cell": struct({"good": 1.0})})}),
    r"odor\(1\): no field 'spikeMatrix'; it has sdf": experiment(
        {"SUA": struct({"cell": struct({"odor": struct({"sdf": 1.0})})})}
    ),
    r"nothing to convert: no source file holds any activity": experiment(shank()),
}


@pytest.mark.parametrize("message", BAD_MAT, ids=range(len(BAD_MAT)))
def test_iurilli_refuses_another_structure(message, make_mat, tmp_path):
    path = make_mat(BAD_MAT[message])

    with pytest.raises(StudyError, match=message):
        convert("iurilli", path, tmp_path / "nwb", progress=quiet)


def test_iurilli_refuses_files_that_are_no_such_matlab_files(make_mat, tmp_path):
    whole = make_mat(two_units()).read_bytes()
    bad = {
        "cut.mat": whole[: len(whole) // 2],
        "empty.mat": b"",
        "text.mat": b"spikes\n" * 100,
        "new.mat": b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x00" * 400,
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        expected = "MATLAB v7.3 file; save it again" if name == "new.mat" else "not a readable MATLAB v5 file"
        with pytest.raises(StudyError, match=f"{name}: {expected}"):
            convert("iurilli", tmp_path / name, tmp_path / "nwb", progress=quiet)
    savemat(tmp_path / "other.mat", {"raster_data": np.zeros(3)})
    with pytest.raises(StudyError, match="no variable 'espe'"):
        convert("iurilli", tmp_path / "other.mat", tmp_path / "nwb", progress=quiet)


BAD_NPZ = [
    (r"no array 'odor'; it holds dff, daq_odor_lick_water, meta", {"without": ["odor"]}),
    (r"dff has 4 trials, odor has shape \(5,\), daq_odor_lick_water has 5", {"dff": np.ones((4, 3, 75))}),
    (r"dff has 5 trials, odor has shape \(4,\)", {"odor": np.array(["pin"] * 4)}),
    (r"dff: shape \(5, 75\), expected trials x ROIs x frames", {"dff": np.ones((5, 75))}),
    (r"daq_odor_lick_water: shape \(5, 2, 9\), expected trials x 3", {"daq_odor_lick_water": np.zeros((5, 2, 9))}),
    (r"dff has 70 frames per trial, but meta says TRIAL_FRAMES 75", {"dff": np.ones((5, 3, 70))}),
    (r"dff: holds <U1, expected numbers", {"dff": np.full((5, 3, 75), "1")}),
    (r"dff: infinite value in trial 0", {"dff": np.full((5, 3, 75), np.inf)}),
    (r"dff: median is nan; this format holds F/F0", {"dff": np.full((5, 3, 75), np.nan)}),
    (r"dff: median is 0\.01; this format holds F/F0", {"dff": np.full((5, 3, 75), 0.01)}),
    (r"NaN or infinite value in trial 0; licks cannot be told", {"daq_odor_lick_water": np.full((5, 3, 9), np.nan)}),
    (r"odor: 'oct' in trial 1 is not one of pin, msy", {"odor": np.array(["pin", "oct", "euy", "lim", "water"])}),
    (r"water in trial 0 with odour 'euy', .*reversed", {"odor": np.array(["euy", "msy", "euy", "lim", "water"])}),
    (r"meta: not JSON", {"meta": "{"}),
    (r"meta: expected keys and values, got list", {"meta": "[1]"}),
    (r"meta: no key 'NAME_MOUSE'; it has TRIAL_PERIOD", {"meta": '{"TRIAL_PERIOD": 0.2}'}),
    (r"meta: TRIAL_PERIOD is None, expected a number above 0", {"meta": {"TRIAL_PERIOD": None}}),
    (r"DAQ_O_ON, DAQ_O_OFF and DAQ_W_ON must ascend, got 5\.7, 4\.0", {"meta": {"DAQ_O_OFF": 4.0}}),
    (r"expected one date .* found 2017-10-02, 2017-10-03", {"meta": {"NAME_DATE": "10-03-2017"}}),
    (r"no such date \(month must be in 1\.\.12", {"name": "M1_2017-13-01.npz"}),
    (r"not a readable \.npz file \(ValueError: Object arrays", {"odor": np.array(["pin"] * 5, dtype=object)}),
]


@pytest.mark.parametrize(("message", "change"), BAD_NPZ, ids=range(len(BAD_NPZ)))
def test_wang_refuses_what_it_cannot_read(message, change, make_npz, tmp_path):
    path = make_npz(**change)

    with pytest.raises(StudyError, match=f"{path.name}: .*{message}|{path.name}: {message}"):
        convert("wang", path, tmp_path / "nwb", progress=quiet)
    assert not (tmp_path / "nwb").exists()


def test_wang_refuses_files_that_are_no_archives(make_npz, tmp_path):
    whole = make_npz().read_bytes()
    damaged = io.BytesIO(whole)
    with zipfile.ZipFile(damaged) as archive:
        offset = archive.getinfo("dff.npy").header_offset
    broken = whole[: offset + 200] + b"\x00" * 64 + whole[offset + 264 :]
    for name, content in {"cut.npz": whole[:-200], "empty.npz": b"", "broken.npz": broken}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StudyError, match=f"{name}: not a readable .npz file"):
            convert("wang", tmp_path / name, tmp_path / "nwb", progress=quiet)


def test_one_bad_file_is_named_and_the_others_are_converted(make_npz, tmp_path):
    make_npz("M1_bla_2017-10-02.npz")
    make_npz("M1_bla_2017-10-04.npz", meta={"NAME_DATE": "10-04-2017"}, without=["dff"])
    make_npz("M1_bla_2017-10-05.npz", meta={"NAME_DATE": "10-05-2017"})

    with pytest.raises(
        StudyError, match=r"1 session\(s\) could not be converted \(2 were\): .*10-04\.npz: no array 'dff'"
    ):
        convert("wang", tmp_path / "source", tmp_path / "nwb", progress=quiet)
    assert len(list((tmp_path / "nwb").rglob("*.nwb"))) == 2


def test_two_files_of_one_session_are_refused(make_npz, tmp_path):
    make_npz("M1_bla_2017-10-02.npz")
    make_npz("copy_2017-10-02.npz")

    with pytest.raises(StudyError, match=r"is subject M1_bla session 2017-10-02, as is .*; remove one of them"):
        convert("wang", tmp_path / "source", tmp_path / "nwb", progress=quiet)


def test_hidden_files_are_not_sources(make_npz, tmp_path):
    make_npz(".M1_bla_2017-10-02.npz")
    kept = make_npz("M1_bla_2017-10-02.npz")

    assert source_files(tmp_path, ".npz") == [kept]


# Real recordings ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_iurilli(real_data, tmp_path_factory):
    """The source file and the NWB files of its recordings."""
    path = real_data / "iurilli_datta_2017" / "aPCx_15.mat"
    if not path.exists():
        pytest.skip(f"no {path}")
    return path, convert("iurilli", path, tmp_path_factory.mktemp("iurilli"), progress=quiet)


@pytest.fixture(scope="module")
def real_wang(real_data, tmp_path_factory):
    """The NWB files of the nine sessions."""
    folder = real_data / "wang_2020"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return convert("wang", folder, tmp_path_factory.mktemp("wang"), progress=quiet)


@pytest.fixture(scope="module")
def odor_counts(real_iurilli):
    """Spikes in the 2 s from odour on of each recording, (n_trials, n_units), and the odours."""
    counts = []
    for path in real_iurilli[1]:
        trials = read_trials(path, load_config(CONFIG / "iurilli.yaml").trials)
        activity = read_activity(path, Response(kind="units"))
        rates = align_spikes(
            activity.spike_times,
            trials["odor_onset_time"].to_numpy(),
            window=(0, 2),
            bin_width=2,
            obs_intervals=activity.obs_intervals,
        )
        counts.append(2.0 * rates[:, :, 0])
    return counts, trials["odor"].to_numpy()


def accuracies(responses, labels, *, C, n_repeats):
    """Balanced accuracy of a plain linear SVM, 5 folds, standardised within the training fold."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    return np.array(
        [
            cross_val_score(
                svm(C),
                responses,
                labels,
                cv=StratifiedKFold(5, shuffle=True, random_state=seed),
                scoring="balanced_accuracy",
            ).mean()
            for seed in range(n_repeats)
        ]
    )


def svm(C):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    return make_pipeline(StandardScaler(), LinearSVC(C=C, max_iter=50_000))


@pytest.mark.real
def test_real_iurilli_loses_no_trial_unit_or_spike(real_iurilli):
    path, files = real_iurilli
    experiments = loadmat(path)["espe"].ravel()
    n_spikes = [
        [
            sum(int(odor["spikeMatrix"].sum()) for odor in cell["odor"].ravel())
            for shank in one["shank"].ravel()
            if shank["SUA"].size
            for cell in shank["SUA"].ravel()[0]["cell"].ravel()
        ]
        for one in experiments
    ]

    assert [[len(times) for times in spike_times(file)] for file in files] == n_spikes
    assert len(files) == 10
    assert sum(len(counts) for counts in n_spikes) == 199
    for file in files:
        odors = read_trials(file, load_config(CONFIG / "iurilli.yaml").trials)["odor"]
        assert odors.value_counts().to_dict() == dict.fromkeys([f"odor{odor:02d}" for odor in range(1, 16)], 10)


@pytest.mark.real
def test_real_iurilli_counts_are_those_of_the_rasters(real_iurilli, odor_counts):
    """Columns 4000 to 5999 of the source against the aligned NWB, for one unit of the third recording."""
    cell = loadmat(real_iurilli[0])["espe"].ravel()[2]["shank"].ravel()[3]["SUA"].ravel()[0]["cell"].ravel()[5]
    expected = [odor["spikeMatrix"].toarray()[:, 4000:6000].sum(axis=1) for odor in cell["odor"].ravel()]
    column = 4 + 3 + 5  # units on shanks 1 and 3 come before

    np.testing.assert_array_equal(odor_counts[0][2][:, column], np.array(expected).T.ravel())


@pytest.mark.real
def test_real_iurilli_pooled_odours_decode_as_stated_with_the_data(odor_counts):
    """15 odours from 199 units: 0.73 in one 5-fold run.

    The SD over splits of one run is 0.03, that of the mean of two 0.02; the difference of the two has
    SD 0.036, and 0.07 is two of these. Shuffled labels: chance 1/15, the binomial SE of 150
    trials is 0.02, and 0.06 is three.
    """
    counts, odors = odor_counts
    pooled = np.hstack(counts)

    assert abs(accuracies(pooled, odors, C=1, n_repeats=2).mean() - 0.73) < 0.07
    shuffled = np.random.default_rng(0).permutation(odors)
    assert abs(accuracies(pooled, shuffled, C=1, n_repeats=1)[0] - 1 / 15) < 0.06


@pytest.mark.real
def test_real_iurilli_single_recordings_decode_as_stated_with_the_data(odor_counts):
    """From 0.14 to 0.40 over recordings in one run; SD over splits 0.01 to 0.03, so within 0.05."""
    counts, odors = odor_counts
    single = [accuracies(one, odors, C=1, n_repeats=2).mean() for one in counts]

    assert min(single) == pytest.approx(0.14, abs=0.05)
    assert max(single) == pytest.approx(0.40, abs=0.05)


@pytest.fixture(scope="module")
def wang_days(real_wang):
    """Trials, activity, and evoked dF/F (n_trials, n_rois) of each session.

    The window of the reference: frames that start within 2.25 s of odour on (25 to 34), minus those
    of the 2 s before.
    """
    days = []
    for path in real_wang:
        trials = read_trials(path, load_config(CONFIG / "wang.yaml").trials)
        activity = read_activity(path, Response(kind="roi", tracked_id="tracked_id"))
        during, before = (
            align_traces(
                activity.traces[0].data,
                activity.traces[0].timestamps,
                trials["odor_onset_time"].to_numpy(),
                window=window,
                bin_width=np.ptp(window),
            )[:, :, 0]
            for window in ((0.0, 2.25), (-2.0, 0.0))
        )
        days.append((trials, activity, during - before))
    return days


@pytest.mark.real
def test_real_wang_sessions_are_complete(real_wang, wang_days, real_data):
    sources = sorted((real_data / "wang_2020").glob("*.npz"))
    for npz, path, (trials, activity, _) in zip(sources, real_wang, wang_days, strict=True):
        content = np.load(npz)
        frames = content["dff"].transpose(0, 2, 1).reshape(-1, 31)
        assert trials["odor"].tolist() == content["odor"].tolist()
        np.testing.assert_array_equal(activity.traces[0].data.astype(np.float32) + 1, frames)
        assert activity.tracked_id == [str(row) for row in range(31)]
        assert read_header(path).start.date().isoformat() == npz.stem[-10:]


@pytest.mark.real
def test_real_wang_behaviour_is_as_stated_with_the_data(wang_days):
    """Balanced accuracy of anticipatory licking; an exact count, so equal to both decimals."""
    accuracy = [
        trials["correct"].eq("correct").groupby(trials["trial_type"]).mean().mean() for trials, _, _ in wang_days
    ]

    np.testing.assert_array_equal(np.round(accuracy, 2), [0.50, 0.50, 0.77, 0.98, 1.00, 1.00, 0.98, 0.98, 1.00])


@pytest.mark.real
def test_real_wang_decoding_is_as_stated_with_the_data(wang_days):
    """CS+ against CS-, a linear SVM with C = 0.01.

    A value stated with the data is at worst one run, rounded, so it may lie two SDs over splits from the
    mean of many. The SD comes from six runs a day, pooled over days by its shape sqrt(p (1 - p)).
    """
    expected = np.array([0.58, 0.62, 0.75, 0.83, 0.94, 0.97, 0.95, 0.97, 0.96])
    runs = []
    for trials, _, evoked in wang_days:
        runs.append(accuracies(evoked, trials["trial_type"].eq("CS+"), C=0.01, n_repeats=6))
    found, spread = np.mean(runs, axis=1), np.std(runs, axis=1, ddof=1)

    shape = np.sqrt(expected * (1 - expected))
    spread = shape * np.sqrt(np.mean((spread / shape) ** 2))
    assert spread.max() < 0.06
    assert (np.abs(found - expected) <= 0.005 + 2 * spread).all(), found.round(3)


@pytest.mark.real
def test_real_wang_cross_odour_accuracy_is_as_stated_with_the_data(wang_days):
    """Trained on one CS+/CS- pair, tested on the other, mean of the four ways: nothing random, so to rounding."""
    from sklearn.metrics import balanced_accuracy_score

    found = []
    for trials, _, evoked in wang_days:
        odors, is_target = trials["odor"].to_numpy(), trials["trial_type"].eq("CS+").to_numpy()
        scores = []
        for pair in product(("pin", "msy"), ("euy", "lim")):
            train = np.isin(odors, pair)
            model = svm(0.01).fit(evoked[train], is_target[train])
            scores.append(balanced_accuracy_score(is_target[~train], model.predict(evoked[~train])))
        found.append(np.mean(scores))

    expected = [0.56, 0.51, 0.62, 0.80, 0.87, 0.97, 0.94, 0.95, 0.95]
    np.testing.assert_allclose(found, expected, atol=0.0051)


@pytest.mark.real
def test_real_wang_same_row_is_the_same_region(wang_days):
    """The source's claim: mean traces of one row agree over days more than those of two rows."""
    means = []
    for trials, activity, _ in wang_days:
        data = activity.traces[0].data.reshape(len(trials), 75, -1)
        odors = [odor for odor, kind in TRIAL_TYPES.items() if kind != "water"]
        means.append(np.concatenate([data[trials["odor"].eq(odor)].mean(axis=0) for odor in odors]))
    same, other = [], []
    for today, tomorrow in pairwise(means):
        correlation = np.corrcoef(today.T, tomorrow.T)[:31, 31:]
        same.append(np.diag(correlation).mean())
        other.append(correlation[~np.eye(31, dtype=bool)].mean())

    assert (pd.Series(same) > pd.Series(other)).all()
