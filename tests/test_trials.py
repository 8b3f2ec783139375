import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from piriform.errors import TrialsError
from piriform.trials import (
    RESPONSE_UNITS,
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


def patterns(rng, *shape):
    """Any bits but those of infinities, which a tensor may not hold: also NaN of all kinds, -0.0, subnormal numbers."""
    bits = rng.integers(2**32, size=shape, dtype=np.uint32)
    values = np.where(np.isinf(bits.view(np.float32)), np.uint32(0), bits).view(np.float32)
    values.ravel()[:5] = [-0.0, np.nan, 1e-45, np.finfo(np.float32).max, -np.finfo(np.float32).max]
    return values


def many(response, *, stimuli=None, **attrs):
    n_trials, n_units, n_times = response.shape
    return make_trials(
        response,
        time=np.arange(n_times) / 2,
        trials=pd.DataFrame({"stimulus": stimuli or [f"odour {number % 7}" for number in range(n_trials)]}),
        unit_id=range(n_units),
        attrs=ATTRS | attrs,
    )


@pytest.mark.parametrize("units", RESPONSE_UNITS)
def test_every_value_comes_back_bit_for_bit(tmp_path, units):
    values = patterns(np.random.default_rng(1), 20, 5, 30)
    save_trials([many(values, units=units)], tmp_path / "Q.nc")
    assert load_trials(tmp_path / "Q.nc", "s1").values.tobytes() == values.tobytes()


def test_values_of_many_chunks_come_back(tmp_path):
    values = np.arange(5 * 400 * 300, dtype=np.float32).reshape(5, 400, 300)
    save_trials([many(values)], tmp_path / "Q.nc")
    with h5py.File(tmp_path / "Q.nc") as file:
        assert file["s1/response"].chunks == (2, 400, 300)
    np.testing.assert_array_equal(load_trials(tmp_path / "Q.nc", "s1").values, values)


@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 2, 0), (0, 0, 0)])
def test_a_tensor_without_values_comes_back(tmp_path, shape):
    made = many(np.empty(shape))
    save_trials([made], tmp_path / "Q.nc")
    xr.testing.assert_identical(load_trials(tmp_path / "Q.nc", "s1"), made)


def test_text_of_any_script_comes_back(tmp_path):
    stimuli = ["", "ä", "日本語", "a longer name, with a comma", " "]
    made = many(np.zeros((5, 1, 1)), stimuli=stimuli, source_file="ö.nwb", session="Tag 1, früh")
    save_trials([made], tmp_path / "Q.nc")
    xr.testing.assert_identical(load_trials(tmp_path / "Q.nc", "Tag 1, früh"), made)


def test_xarray_reads_the_same(tmp_path):
    path = tmp_path / "Q.nc"
    save_trials([tensor(), tensor(3, session="s2", day=2)], path)
    for session in ("s1", "s2"):
        with xr.open_dataset(path, engine="h5netcdf", group=session) as dataset:
            xr.testing.assert_identical(dataset["response"].load(), load_trials(path, session))


def test_a_tensor_that_xarray_wrote_is_read(tmp_path):
    own = tensor().assign_coords(choice=("trial", ["lick", "", "déjà", "舔"]))
    own.to_dataset().to_netcdf(tmp_path / "Q.nc", engine="h5netcdf", group="s1")
    xr.testing.assert_identical(load_trials(tmp_path / "Q.nc", "s1"), own)


def test_spike_counts_take_little_space(tmp_path):
    rates = np.random.default_rng(2).poisson(1.0, size=(250, 120, 2)) / 0.5
    save_trials([many(rates)], tmp_path / "Q.nc")
    assert (tmp_path / "Q.nc").stat().st_size < rates.size * 4 / 3


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    values = patterns(np.random.default_rng(3), 30, 40, 300)
    for name in ("one.nc", "two.nc"):
        save_trials([tensor(), tensor(session="s2", day=2), many(values, session="s3")], tmp_path / name)
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
def test_a_tensor_that_breaks_its_contract_is_refused(broken, says, tmp_path):
    made = broken(tensor())
    with pytest.raises(TrialsError, match=says):
        check_trials(made)
    made.to_dataset().to_netcdf(tmp_path / "Q.nc", engine="h5netcdf", group="s1")
    with pytest.raises(TrialsError, match=says):
        load_trials(tmp_path / "Q.nc", "s1")
