import h5py
import numpy as np
import pandas as pd
import pytest

from piriform.errors import TrialsError
from piriform.trials import (
    TRIAL_COORDS,
    check_trials,
    load_trials,
    make_trials,
    save_trials,
    session_names,
    window_mean,
)

ATTRS = {
    "units": "spikes/s",
    "subject": "Q",
    "session": "s1",
    "day": 1,
    "phase": "",
    "source_file": "q.nwb",
    "source_sha256": "0" * 64,
    "bin_width": 0.5,
}
TIME = np.array([-0.25, 0.25, 0.75])


def tensor(n_trials=4, *, response=None, **attrs):
    """A tensor of two units and three bins of 0.5 s; response = 100 trial + 10 unit + bin."""
    if response is None:
        response = 100 * np.arange(n_trials)[:, None, None] + 10 * np.arange(2)[None, :, None] + np.arange(3)
    trials = pd.DataFrame({"stimulus": list("abcd")[:n_trials], "correct": [1.0, 0.0, np.nan, 1.0][:n_trials]})
    trials.index = np.arange(n_trials) + 10
    return make_trials(response, time=TIME, trials=trials, unit_id=[7, "x"], attrs=ATTRS | attrs)


def test_what_is_given_is_found_and_what_is_not_is_missing():
    made = tensor()
    assert made.dims == ("trial", "unit", "time")
    assert made.dtype == np.float32
    assert made["trial"].values.tolist() == [10, 11, 12, 13]
    assert made["unit_id"].values.tolist() == ["7", "x"]
    assert made["tracked_id"].values.tolist() == ["", ""]
    assert made["stimulus"].values.tolist() == list("abcd")
    assert made["choice"].values.tolist() == [""] * 4
    assert np.isnan(made["latency"].values).all()
    assert set(TRIAL_COORDS) <= set(made.coords)


def test_a_missing_text_is_empty():
    trials = pd.DataFrame({"stimulus": ["a", None], "choice": [np.nan, "left"]})
    made = make_trials(np.zeros((2, 1, 3)), time=TIME, trials=trials, unit_id=[1], attrs=ATTRS)
    assert made["stimulus"].values.tolist() == ["a", ""]
    assert made["choice"].values.tolist() == ["", "left"]


def test_saved_tensors_come_back_in_the_order_of_days(tmp_path):
    path = tmp_path / "Q.nc"
    save_trials([tensor(session="b", day=12), tensor(3, session="a", day=2)], path)
    assert session_names(path) == ["a", "b"]
    back = load_trials(path, "a")
    np.testing.assert_array_equal(back.values, tensor(3).values)
    assert back.attrs == ATTRS | {"session": "a", "day": 2}
    assert back["stimulus"].values.tolist() == list("abc")
    assert back["correct"].values[:2].tolist() == [1.0, 0.0]


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    for name in ("one.nc", "two.nc"):
        save_trials([tensor(), tensor(session="s2", day=2)], tmp_path / name)
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()


def test_a_file_without_sessions_is_valid(tmp_path):
    save_trials([], tmp_path / "Q.nc")
    assert session_names(tmp_path / "Q.nc") == []
    with pytest.raises(TrialsError, match=r"no session 's1'; it holds no session"):
        load_trials(tmp_path / "Q.nc", "s1")


def test_a_tensor_that_cannot_be_written_leaves_nothing(tmp_path):
    broken = tensor()
    broken.attrs["units"] = "Hz"
    with pytest.raises(TrialsError, match=r"units are 'Hz', expected one of spikes/s, dF/F, 1"):
        save_trials([tensor(), broken], tmp_path / "Q.nc")
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_is_not_there_is_named_with_those_that_are(tmp_path):
    save_trials([tensor()], tmp_path / "Q.nc")
    with pytest.raises(TrialsError, match=r"no session 's9'; it holds s1"):
        load_trials(tmp_path / "Q.nc", "s9")


def test_a_file_that_is_not_there_or_damaged_is_named(tmp_path):
    """Cut short anywhere, empty, or no HDF5 file; a cut through the data of a session too."""
    path = tmp_path / "Q.nc"
    with pytest.raises(TrialsError, match=r"Q\.nc: no such file; run the workflow again"):
        session_names(path)
    save_trials([tensor(), tensor(session="s2", day=2)], path)
    whole = path.read_bytes()
    for content in (b"", b"no HDF5", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        for read in (lambda: session_names(path), lambda: load_trials(path, "s1")):
            with pytest.raises(TrialsError, match=r"Q\.nc: this file of trials is cut short or damaged .*; delete it"):
                read()
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["s2"]["response"].attrs["day"]
    with pytest.raises(TrialsError, match="cut short or damaged"):
        session_names(path)


def test_the_window_mean_is_over_bins_inside_the_window():
    made = tensor()
    np.testing.assert_allclose(window_mean(made, 0.0, 1.0), made.values[:, :, 1:].mean(axis=2))
    np.testing.assert_allclose(window_mean(made, -0.5, 0.3), made.values[:, :, 0])


def test_a_bin_that_was_not_observed_makes_the_mean_missing():
    response = np.ones((4, 2, 3))
    response[1, 0, 2] = np.nan
    mean = window_mean(tensor(response=response), 0.0, 1.0)
    assert np.isnan(mean).tolist() == [[False, False], [True, False], [False, False], [False, False]]


def test_a_window_without_a_whole_bin_is_refused():
    with pytest.raises(
        TrialsError, match=r"no bin of 0.5 s lies inside \[0.1, 0.4\) s; the tensor spans \[-0.5, 1\) s"
    ):
        window_mean(tensor(), 0.1, 0.4)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda made: made.transpose("unit", "trial", "time"), r"dims are \('unit', 'trial', 'time'\)"),
        (lambda made: made.assign_attrs(units="Hz"), r"units are 'Hz'"),
        (lambda made: made.drop_attrs().assign_attrs(session="s1"), r"attribute\(s\) units, subject, day"),
        (lambda made: made.drop_vars("choice"), r"coordinate\(s\) choice missing"),
        (lambda made: made.isel(time=[1, 0]), r"time must increase strictly"),
        (lambda made: made.copy(data=np.full(made.shape, np.inf)), r"response holds infinite values"),
    ],
)
def test_a_tensor_that_breaks_its_contract_is_refused(broken, says):
    with pytest.raises(TrialsError, match=says):
        check_trials(broken(tensor()))
