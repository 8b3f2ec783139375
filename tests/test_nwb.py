import warnings
from datetime import UTC, datetime

import h5py
import numpy as np
import pandas as pd
import pytest

from piriform.config import Response, Trials
from piriform.errors import StudyError
from piriform.nwb import read_activity, read_header, read_trials

READERS = {
    "header": read_header,
    "trials": lambda path: read_trials(path, Trials()),
    "activity": lambda path: read_activity(path, Response()),
}
every_reader = pytest.mark.parametrize("read", READERS.values(), ids=READERS)


def edit(path, change):
    with h5py.File(path, "a") as file:
        change(file)


def replace(path, name, value):
    """Put other values into a dataset of a finished file, with its attributes kept."""

    def change(file):
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, data=value).attrs.update(attributes)

    edit(path, change)


@pytest.fixture
def sound(make_nwb, sound_trials):
    spikes = [np.array([0.5, 1.0, 2.0]), np.array([0.1, 150.0]), np.array([])]
    return make_nwb(trials=sound_trials, spikes=spikes, ids=[7, 3, 5], subject="Q", session="ses 1")


# Known answers --------------------------------------------------------------------------------


def test_header(sound):
    header = read_header(sound)
    assert (header.path, header.subject, header.session) == (sound, "Q", "ses 1")
    assert header.start == datetime(2024, 1, 1, 9, tzinfo=UTC)
    assert header.identifier == "Q/ses 1/a.nwb"


def test_a_session_without_id_is_named_after_its_file(make_nwb):
    assert read_header(make_nwb("rat7_day3.nwb", session=None)).session == "rat7_day3"


def test_trials(sound, sound_trials):
    raw = read_trials(sound, Trials())
    assert raw.index.tolist() == list(range(40))
    pd.testing.assert_frame_equal(raw[sound_trials.columns], sound_trials, check_dtype=False)


def test_only_the_columns_that_the_config_names_are_read(sound):
    mapping = Trials(stimulus=None, choice=None, correct=None, response_time=None, filter="choice == 'left'")
    raw = read_trials(sound, mapping, phase="odor")
    assert set(raw) == {"start_time", "stop_time", "odor_onset_time", "trial_type", "choice", "odor"}


def test_another_interval_table(make_nwb, sound_trials):
    path = make_nwb(trials=sound_trials, table="presentations")
    assert len(read_trials(path, Trials(table="presentations"))) == 40


@pytest.mark.parametrize("text", [b"ABC", "b'ABC'", 'b"ABC"', "ABC"], ids=["bytes", "quoted", "double", "str"])
def test_labels_are_text_however_they_were_written(sound, text):
    replace(sound, "intervals/trials/odor", np.array([text] * 40, dtype="S3" if text == b"ABC" else object))
    assert set(read_trials(sound, Trials())["odor"]) == {"ABC"}


def test_spike_times_belong_to_the_row_and_the_id(sound):
    activity = read_activity(sound, Response())
    assert (activity.kind, activity.units) == ("units", "spikes/s")
    assert activity.unit_id == ["7", "3", "5"]
    assert [times.tolist() for times in activity.spike_times] == [[0.5, 1.0, 2.0], [0.1, 150.0], []]
    assert activity.obs_intervals is None
    assert activity.tracked_id == ["", "", ""]
    assert activity.excluded == {}


def test_obs_intervals(make_nwb):
    intervals = [np.array([[0.0, 10.0]]), np.array([[0.0, 5.0], [6.0, 9.0]])]
    activity = read_activity(make_nwb(spikes=[[1.0], [2.0]], obs_intervals=intervals), Response())
    assert [found.tolist() for found in activity.obs_intervals] == [found.tolist() for found in intervals]


def test_tracked_units_are_named_as_in_their_column(make_nwb):
    units = pd.DataFrame({"match": [4.0, np.nan], "name": ["u1", ""]})
    path = make_nwb(spikes=[[1.0], [2.0]], units=units)
    assert read_activity(path, Response(tracked_id="match")).tracked_id == ["4", ""]
    assert read_activity(path, Response(tracked_id="name")).tracked_id == ["u1", ""]


def test_units_that_share_an_id_are_told_apart(make_nwb):
    assert read_activity(make_nwb(spikes=[[1.0], [2.0]], ids=[4, 4]), Response()).unit_id == ["4@0", "4@1"]


def test_a_units_table_without_rows_has_no_units(make_nwb):
    path = make_nwb(spikes=[[1.0]])
    for name, value in {
        "id": np.zeros(0, int),
        "spike_times": np.zeros(0),
        "spike_times_index": np.zeros(0, "u1"),
    }.items():
        replace(path, f"units/{name}", value)
    assert read_activity(path, Response()).unit_id == []


@pytest.mark.parametrize(
    "clock", [{"rate": 10.0}, {"timestamps": 1.0 + np.arange(30) / 10}], ids=["rate", "timestamps"]
)
def test_roi_responses(make_nwb, clock):
    data = np.random.default_rng(0).normal(size=(30, 2))
    activity = read_activity(
        make_nwb(rois=data, roi_columns={"match": ["a", "b"]}, **clock), Response(tracked_id="match")
    )
    assert (activity.kind, activity.units) == ("roi", "dF/F")
    assert (activity.unit_id, activity.tracked_id) == (["100", "101"], ["a", "b"])
    np.testing.assert_allclose(activity.traces[0].data, data)
    np.testing.assert_allclose(activity.traces[0].timestamps, 1.0 + np.arange(30) / 10)


def test_roi_conversion_and_offset_are_applied(make_nwb):
    path = make_nwb(rois=np.arange(6.0).reshape(3, 2), rate=1.0)
    name = "processing/ophys/DfOverF0/RoiResponseSeries/data"
    edit(path, lambda file: file[name].attrs.update(conversion=0.5, offset=3.0))
    np.testing.assert_allclose(read_activity(path, Response()).traces[0].data, np.arange(6.0).reshape(3, 2) / 2 + 3)


def test_one_trace_without_a_second_dimension(make_nwb):
    assert read_activity(make_nwb(rois=np.arange(5.0), rate=1.0), Response()).traces[0].data.shape == (5, 1)


def test_auto_prefers_units_and_kind_decides(make_nwb):
    path = make_nwb(spikes=[[1.0]], rois=np.ones((5, 2)), rate=1.0)
    assert read_activity(path, Response()).kind == "units"
    assert read_activity(path, Response(kind="roi")).kind == "roi"


def test_of_several_series_the_one_of_dff_or_the_named_one_is_read(make_nwb):
    path = make_nwb(rois=np.zeros((5, 2)), rate=1.0, series=("A", "B"))
    assert read_activity(path, Response()).traces[0].data.max() == 0  # A, in DfOverF
    assert read_activity(path, Response(roi_series="B")).traces[0].data.max() == 1
    assert read_activity(path, Response(roi_series="Fluorescence1/B")).traces[0].data.max() == 1


# Units left out -------------------------------------------------------------------------------


def test_units_with_impossible_spike_times_are_left_out_with_the_reason(make_nwb):
    spikes = [[1.0, 2.0], [2.0, 1.0], [1.0, np.nan], [-1.0, 1.0], [3.0, 3.0]]
    activity = read_activity(make_nwb(spikes=spikes, obs_intervals=[[[0.0, 9.0]]] * 5), Response())
    assert activity.unit_id == ["0", "4"]
    assert [times.tolist() for times in activity.spike_times] == [[1.0, 2.0], [3.0, 3.0]]
    assert len(activity.obs_intervals) == 2
    assert activity.excluded == {
        "spike times are missing or infinite": ["2"],
        "spike times are negative": ["3"],
        "spike times are not in ascending order": ["1"],
    }


def test_rois_without_a_sample_are_left_out(make_nwb):
    data = np.column_stack([np.arange(5.0), np.full(5, np.nan), [np.inf, 1, 2, 3, 4]])
    activity = read_activity(make_nwb(rois=data, rate=1.0), Response())
    assert activity.unit_id == ["100", "102"]
    assert np.isnan(activity.traces[0].data[0, 1])
    assert activity.excluded == {"no sample was recorded": ["101"]}


# Bad files ------------------------------------------------------------------------------------


@every_reader
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s1--2.nwb\n", "git annex get"),
        (b"start,stop\n1,2\n", "not an HDF5 file"),
        (b"\x89HD", "not an HDF5 file"),
        (b"\x89HDF\r\n", "cut off in its first bytes"),
    ],
)
def test_what_is_no_hdf5_is_refused(tmp_path, read, content, message):
    path = tmp_path / "a.nwb"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=f"{path}: .*{message}"):
        read(path)


@every_reader
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_file_is_refused_and_closed(sound, read, share):
    content = sound.read_bytes()
    sound.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(StudyError, match="damaged, truncated"):
        read(sound)
    with h5py.File(sound, "w"):  # would fail if the file were still open
        pass


@every_reader
def test_a_missing_file(tmp_path, read):
    with pytest.raises(StudyError, match=r"no such file$"):
        read(tmp_path / "no.nwb")


def test_a_dangling_link(tmp_path):
    (tmp_path / "a.nwb").symlink_to(tmp_path / "gone")
    with pytest.raises(StudyError, match="a link to a file that is not there"):
        read_header(tmp_path / "a.nwb")


def test_a_file_that_may_not_be_read(sound, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(StudyError, match=r"cannot be read \(Permission denied\)"):
        read_header(sound)


@every_reader
def test_nwb_1_is_refused(tmp_path, read):
    path = tmp_path / "old.nwb"
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
    with pytest.raises(StudyError, match=r"written in NWB 1\.0\.6; convert it to NWB 2"):
        read(path)


@every_reader
def test_hdf5_that_is_not_nwb(tmp_path, read):
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(StudyError, match="without nwb_version"):
        read(path)


@pytest.mark.parametrize("subject", [None, ""])
def test_a_session_of_nobody(make_nwb, subject):
    path = make_nwb(subject="Q")
    if subject is None:
        edit(path, lambda file: file.__delitem__("general/subject"))
    else:
        replace(path, "general/subject/subject_id", "")
    with pytest.raises(StudyError, match=r"no subject\.subject_id"):
        read_header(path)


def test_a_session_without_start(sound):
    edit(sound, lambda file: file.__delitem__("session_start_time"))
    with pytest.raises(StudyError, match="no session_start_time"):
        read_header(sound)


def test_a_start_that_is_no_time(sound):
    replace(sound, "session_start_time", "last Monday")
    with pytest.raises(StudyError, match="'last Monday' is not an ISO 8601 time"):
        read_header(sound)


# Bad contents ---------------------------------------------------------------------------------


def test_a_file_without_trials(make_nwb):
    with pytest.raises(StudyError, match=r"a\.nwb: no interval table 'trials'; it has none"):
        read_trials(make_nwb(spikes=[[1.0]]), Trials())


def test_a_table_of_another_name(sound):
    with pytest.raises(
        StudyError, match=r"no interval table 'trial' \(did you mean 'trials'\?\); it has trials; set trials.table"
    ):
        read_trials(sound, Trials(table="trial"))


def test_a_missing_column_lists_those_there_are(sound):
    with pytest.raises(
        StudyError,
        match=r"a\.nwb: table 'trials' has no column 'odour' \(trials.stimulus\) \(did you mean 'odor'\?\); "
        r"it has start_time, stop_time, odor_onset_time, odor, .* \(set trials.stimulus to null",
    ):
        read_trials(sound, Trials(stimulus="odour"))


@pytest.mark.parametrize(
    ("mapping", "phase", "key"),
    [
        (Trials(align_to="x"), None, "trials.align_to"),
        (Trials(category="x"), None, "trials.category"),
        (Trials(filter="x == 1"), None, "trials.filter"),
        (Trials(), "x", "phases.column"),
    ],
)
def test_every_mapped_column_is_checked(sound, mapping, phase, key):
    with pytest.raises(StudyError, match=rf"no column 'x' \({key}\)"):
        read_trials(sound, mapping, phase=phase)


def test_a_column_of_another_length(sound):
    replace(sound, "intervals/trials/odor", np.zeros((40, 2, 2)))
    with pytest.raises(StudyError, match=r"column 'odor' has shape \(40, 2, 2\); expected \(40,\)"):
        read_trials(sound, Trials())


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("auto", "units with spike_times and no RoiResponseSeries"),
        ("units", "units with"),
        ("roi", "RoiResponseSeries"),
    ],
)
def test_a_file_without_activity(make_nwb, sound_trials, kind, wanted):
    with pytest.raises(StudyError, match=rf"a\.nwb: no {wanted}.*response.kind is '{kind}'"):
        read_activity(make_nwb(trials=sound_trials), Response(kind=kind))


def test_a_units_table_without_spike_times(make_nwb):
    path = make_nwb(spikes=[[1.0]])

    def drop(file):
        del file["units/spike_times"], file["units/spike_times_index"]
        file["units"].attrs["colnames"] = np.array([], dtype=h5py.string_dtype())

    edit(path, drop)
    with pytest.raises(StudyError, match="no units with spike_times"):
        read_activity(path, Response())


def test_an_index_that_does_not_fit_the_spikes(sound):
    replace(sound, "units/spike_times_index", np.array([3, 2, 5], dtype="u1"))
    with pytest.raises(StudyError, match="spike_times_index does not divide the 5 values among 3 rows"):
        read_activity(sound, Response())


def test_a_tracked_id_column_that_is_not_there(make_nwb):
    path = make_nwb(spikes=[[1.0]], units=pd.DataFrame({"quality": ["good"]}))
    with pytest.raises(StudyError, match=r"no column 'match' \(response.tracked_id\); it has quality, spike_times"):
        read_activity(path, Response(tracked_id="match"))


def test_spike_times_in_milliseconds(make_nwb):
    path = make_nwb(spikes=[[1000.0, 190000.0], [5000.0, 180000.0], [1.0]])
    with pytest.raises(
        StudyError, match="spike_times reach 180000, the last trial ends at 199 s; times must be in seconds"
    ):
        read_activity(path, Response(), session_end=199.0)


def test_one_unit_that_runs_on_does_not_make_milliseconds(make_nwb):
    path = make_nwb(spikes=[[1.0, 190.0], [5.0, 180.0], [1.0, 1e6]])
    assert len(read_activity(path, Response(), session_end=199.0).unit_id) == 3


def test_frames_in_milliseconds(make_nwb):
    path = make_nwb(rois=np.ones((5, 2)), timestamps=np.arange(5) * 4000.0)
    with pytest.raises(StudyError, match="timestamps reach 16000"):
        read_activity(path, Response(), session_end=16.0)


@pytest.mark.parametrize("times", [[0.0, 1.0, 1.0], [0.0, np.nan, 2.0]])
def test_timestamps_must_increase(make_nwb, times):
    with pytest.raises(StudyError, match="timestamps are missing or do not increase"):
        read_activity(make_nwb(rois=np.ones((3, 2)), timestamps=np.array(times)), Response())


def test_as_many_timestamps_as_samples(make_nwb):
    path = make_nwb(rois=np.ones((3, 2)), timestamps=np.arange(3.0))
    replace(path, "processing/ophys/DfOverF0/RoiResponseSeries/timestamps", np.arange(4.0))
    with pytest.raises(StudyError, match="4 timestamps for 3 samples"):
        read_activity(path, Response())


def test_as_many_rois_as_columns(make_nwb):
    path = make_nwb(rois=np.ones((3, 2)), timestamps=np.arange(3.0))
    replace(path, "processing/ophys/DfOverF0/RoiResponseSeries/data", np.ones((2, 3)))
    with pytest.raises(StudyError, match=r"data have shape \(2, 3\); expected \(times, 2 ROIs\)"):
        read_activity(path, Response())


@pytest.mark.parametrize(("name", "count"), [(None, 2), ("C", 0)])
def test_a_series_must_be_told_from_the_others(make_nwb, name, count):
    path = make_nwb(rois=np.ones((3, 2)), rate=1.0, series=("A", "B", "A"))
    with pytest.raises(
        StudyError, match=rf"{count} RoiResponseSeries fit .*; name one of DfOverF0/A, DfOverF2/A, Fluorescence1/B"
    ):
        read_activity(path, Response(roi_series=name))


def test_a_memory_error_is_not_blamed_on_the_file(sound, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr("piriform.nwb.files._check_version", full)
    with pytest.raises(MemoryError):
        read_header(sound)


def test_details_of_the_schema_do_not_reach_the_user(sound):
    edit(sound, lambda file: file["units"].attrs.update(surprise=1))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        read_activity(sound, Response())
    assert not heard


# Real files -----------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("name", ["1.0.2_nwbfile", "1.1.2_nwbfile", "2.3.2_old_electrodes_table_full"])
def test_files_of_old_pynwb_versions_hold_nothing_to_analyse(real_data, name):
    path = real_data / "nwb" / f"{name}.nwb"
    for read, message in (
        (READERS["header"], "no subject.subject_id"),
        (READERS["trials"], "no interval table"),
        (READERS["activity"], "no units with spike_times and no RoiResponseSeries"),
    ):
        with pytest.raises(StudyError, match=message):
            read(path)


@pytest.mark.real
@every_reader
def test_an_allen_file_of_nwb_1_is_refused(real_data, read):
    with pytest.raises(StudyError, match=r"written in NWB 1\.0\.5"):
        read(real_data / "nwb" / "allen_NWB1.0.5_496908818s.nwb")


@pytest.mark.real
def test_a_thalamus_recording(real_data):
    path = real_data / "nwb" / "sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb"
    assert read_header(path).subject == "anm00239123"
    mapping = Trials(
        align_to="cue_start_time", stimulus=None, category="type", choice=None, correct="response", response_time=None
    )
    raw = read_trials(path, mapping)
    assert raw["type"].value_counts().to_dict() == {"lick left": 172, "lick right": 170, "non-performing": 70}
    assert raw["cue_start_time"].isna().sum() == 70
    activity = read_activity(path, Response(), session_end=raw["stop_time"].max())
    assert activity.unit_id == ["1", "2", "3", "4"]
    assert [len(times) for times in activity.spike_times] == [12992, 3458, 2714, 14893]
