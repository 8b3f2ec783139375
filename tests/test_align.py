from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from piriform import config
from piriform.align import align_spikes, align_traces, bin_centres, pool_sessions
from piriform.errors import TrialsError
from piriform.prepare import session_tensor, subject_sessions
from piriform.study import index_study
from piriform.trials import check_trials, make_trials, save_trials, session_names

CUT = {"window": (-0.5, 1.0), "bin_width": 0.1}


def spikes_by_loop(spike_times, event_times, *, window, bin_width, tolerance=1e-9):
    """Every spike asked of every bin, as the definition says."""
    n_bins = round((window[1] - window[0]) / bin_width)
    rates = np.zeros((len(event_times), len(spike_times), n_bins))
    for trial, event in enumerate(event_times):
        for unit, times in enumerate(spike_times):
            for number in range(n_bins):
                low = event + window[0] + number * bin_width - tolerance
                high = event + window[0] + (number + 1) * bin_width - tolerance
                rates[trial, unit, number] = sum(low <= time < high for time in times) / bin_width
    return rates


def traces_by_loop(data, timestamps, event_times, *, window, bin_width, tolerance=1e-9):
    n_bins = round((window[1] - window[0]) / bin_width)
    out = np.full((len(event_times), data.shape[1], n_bins), np.nan)
    for trial, event in enumerate(event_times):
        for number in range(n_bins):
            low = event + window[0] + number * bin_width - tolerance
            inside = data[(timestamps >= low) & (timestamps < low + bin_width)]
            for unit in range(data.shape[1]):
                seen = inside[:, unit][np.isfinite(inside[:, unit])]
                out[trial, unit, number] = seen.mean() if len(seen) else np.nan
    return out


def near_the_tolerance(times, events):
    """Whether rounding decides on which side of an edge of ``CUT`` one of the times falls."""
    edges = events[:, None] + CUT["window"][0] + CUT["bin_width"] * np.arange(16)
    return bool((np.abs(np.abs(edges.ravel()[:, None] - times) - 1e-9) < 1e-13).any())


# Spikes ---------------------------------------------------------------------------------------


def test_rates_of_a_known_train():
    spikes = [np.array([9.55, 10.0, 10.05, 10.11, 10.99]), np.array([])]
    rates = align_spikes(spikes, np.array([10.0]), **CUT)
    assert (rates.shape, rates.dtype) == ((1, 2, 15), np.float32)
    expected = np.zeros(15)
    expected[[0, 5, 6, 14]] = [10, 20, 10, 10]
    np.testing.assert_allclose(rates[0, 0], expected)
    assert not rates[0, 1].any()


@pytest.mark.parametrize("event", [0.0, 0.1, 0.3, 1234.567, 98765.4])
@pytest.mark.parametrize("bin_width", [0.1, 0.02, 0.001])
def test_a_spike_on_an_edge_belongs_to_the_bin_that_it_opens(event, bin_width):
    window = (-10 * bin_width, 10 * bin_width)
    for edges in (
        event + window[0] + bin_width * np.arange(21),
        np.round((event - 10 * bin_width) + bin_width * np.arange(21), 6),
    ):
        rates = align_spikes([edges], np.array([event]), window=window, bin_width=bin_width)
        np.testing.assert_allclose(
            rates[0, 0] * bin_width, np.ones(20), rtol=1e-6
        )  # the 21st opens the bin after the window


def test_a_spike_that_rounding_moved_by_less_than_a_nanosecond():
    spikes = [np.array([1.0 - 5e-10]), np.array([1.0 + 5e-10]), np.array([1.0 - 2e-9]), np.array([2.0 - 5e-10])]
    rates = align_spikes(spikes, np.array([1.0]), window=(-1.0, 1.0), bin_width=1.0)
    assert rates[0].tolist() == [[0, 1], [0, 1], [1, 0], [0, 0]]


@settings(max_examples=60, deadline=None)
@given(
    spikes=st.lists(st.lists(st.floats(0, 12, allow_subnormal=False), max_size=25).map(sorted), min_size=1, max_size=3),
    events=st.lists(st.floats(-1, 13, allow_subnormal=False), max_size=5),
    grid=st.sampled_from([None, 1 / 30000, 0.05]),
)
def test_rates_agree_with_a_loop(spikes, events, grid):
    if grid is not None:
        spikes = [[round(time / grid) * grid for time in times] for times in spikes]
        events = [round(time / grid) * grid for time in events]
    spikes, events = [np.array(times) for times in spikes], np.array(events)
    assume(not any(near_the_tolerance(times, events) for times in spikes))
    np.testing.assert_allclose(align_spikes(spikes, events, **CUT), spikes_by_loop(spikes, events, **CUT), rtol=1e-6)


def test_events_may_overlap_and_come_in_any_order():
    rng = np.random.default_rng(1)
    spikes, events = [np.sort(rng.uniform(0, 20, 300))], rng.uniform(1, 19, 40)
    rates = align_spikes(spikes, events, **CUT)
    np.testing.assert_allclose(rates, spikes_by_loop(spikes, events, **CUT), rtol=1e-6)
    order = rng.permutation(40)
    np.testing.assert_array_equal(align_spikes(spikes, events[order], **CUT), rates[order])


def test_time_shifts_change_nothing():
    rng = np.random.default_rng(2)
    spikes, events = [np.round(np.sort(rng.uniform(0, 50, 400)), 4)], np.arange(2.0, 48.0)
    later = align_spikes([spikes[0] + 1000], events + 1000, **CUT)
    np.testing.assert_array_equal(later, align_spikes(spikes, events, **CUT))


def test_no_spike_inside_the_window_is_lost():
    rng = np.random.default_rng(3)
    spikes, events = np.sort(rng.uniform(0, 100, 5000)), np.arange(1.0, 98.0, 1.5)  # windows tile [0.5, 98)
    rates = align_spikes([spikes], events, **CUT)
    assert (rates * 0.1).sum() == pytest.approx(((spikes >= 0.5) & (spikes < events[-1] + 1.0)).sum())


def test_nothing_in_nothing_out():
    assert align_spikes([], np.array([1.0]), **CUT).shape == (1, 0, 15)
    assert align_spikes([np.array([1.0])], np.array([]), **CUT).shape == (0, 1, 15)


def test_trials_outside_the_observed_time_are_missing_not_silent():
    events = np.array([1.0, 2.0, 4.0, 8.0])  # windows [0.5, 2), [1.5, 3), [3.5, 5), [7.5, 9)
    intervals = [
        np.array([[0.5, 5.0]]),  # the first fits just
        np.array([[0.0, 1.0], [1.0, 3.0], [3.2, 20.0]]),  # the first two touch
        np.array([[3.0, 9.0], [0.0, 2.9], [4.0, 4.5]]),  # not in order, one inside another
        np.zeros((0, 2)),
        np.array([[np.nan, 9.0]]),
    ]
    rates = align_spikes([np.array([1.0])] * 5, events, obs_intervals=intervals, **CUT)
    missing = np.isnan(rates)
    assert (missing.all(axis=2) == missing.any(axis=2)).all()
    assert missing.all(axis=2).T.tolist() == [
        [False, False, False, True],
        [False, False, False, False],
        [False, True, False, False],
        [True] * 4,
        [True] * 4,
    ]
    assert rates[0, 0, 5] == 10


def test_windows_are_whole_numbers_of_bins():
    assert bin_centres((-0.3, 0.6), 0.3).tolist() == [-0.15, 0.15, 0.45]
    for window, width in (((0, 1), 0.3), ((1, 0), 0.1), ((0, 0), 0.1)):
        with pytest.raises(TrialsError, match="is not a whole number of bins"):
            align_spikes([], np.array([]), window=window, bin_width=width)


# Traces ---------------------------------------------------------------------------------------


def test_means_of_a_known_trace():
    times = np.arange(40) * 0.25
    data = np.column_stack([np.arange(40.0), np.ones(40)])
    mean = align_traces(data, times, np.array([5.0, 0.25]), window=(-0.5, 1.0), bin_width=0.5)
    assert (mean.shape, mean.dtype) == ((2, 2, 3), np.float32)
    assert mean[0].tolist() == [[18.5, 20.5, 22.5], [1, 1, 1]]
    assert mean[1, 0].tolist() == [0.0, 1.5, 3.5]  # the first bin holds one sample, at 0 s


def test_bins_without_samples_are_missing():
    mean = align_traces(np.ones((4, 1)), np.arange(4.0), np.array([0.0, 3.0, 50.0]), window=(-1, 2), bin_width=1.0)
    np.testing.assert_array_equal(mean[:, 0], [[np.nan, 1, 1], [1, 1, np.nan], [np.nan] * 3])


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=30),
    events=st.lists(st.floats(-1, 12), max_size=5),
    seed=st.integers(0, 2**31),
)
def test_means_agree_with_a_loop(steps, events, seed):
    times, events = np.cumsum(steps), np.array(events)
    assume(not near_the_tolerance(times, events))
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(len(times), 3))
    data[rng.random(data.shape) < 0.2] = np.nan
    np.testing.assert_allclose(
        align_traces(data, times, events, **CUT), traces_by_loop(data, times, events, **CUT), rtol=1e-5, atol=1e-6
    )


def test_samples_on_an_edge_belong_to_the_bin_that_it_opens():
    times = 3.7 + np.arange(60) * 0.1
    mean = align_traces(np.arange(60.0)[:, None], times, np.array([5.7]), window=(-1.0, 1.0), bin_width=0.1)
    assert mean[0, 0].tolist() == list(range(10, 30))


# Pooling --------------------------------------------------------------------------------------


def tensor(stimuli, session, *, n_units=2, base=0.0, units="spikes/s", time=(0.05, 0.15), classes=None):
    """Units and trials that can be recognised: response = base + 10 unit + trial."""
    trials = pd.DataFrame(
        {
            "stimulus": list(stimuli),
            "category": "odor",
            "class": list(classes or stimuli),
            "start_time": np.arange(len(stimuli)) * 5.0,
            "event_time": np.arange(len(stimuli)) * 5.0 + base,
            "correct": 1.0,
        }
    )
    response = base + 10 * np.arange(n_units)[:, None] + np.arange(len(stimuli))[:, None, None] + np.zeros(len(time))
    attrs = {"units": units, "subject": session, "session": session, "day": 3, "phase": "", "source_file": "x", "source_sha256": "y", "bin_width": 0.1}  # fmt: skip
    return make_trials(response, time=np.array(time), trials=trials, unit_id=range(n_units), attrs=attrs)


def test_sessions_are_joined_by_stimulus_and_presentation():
    first, second = tensor("ABAB", "s1"), tensor("BBACAB", "s2", n_units=3, base=100.0)
    pooled = check_trials(pool_sessions([first, second]))
    assert pooled.sizes == {"trial": 4, "unit": 5, "time": 2}
    assert pooled["unit_id"].values.tolist() == ["s1/0", "s1/1", "s2/0", "s2/1", "s2/2"]
    joined = [
        (stimulus, *values)
        for stimulus, values in zip(pooled["stimulus"].values, pooled.values[:, [0, 2], 0].tolist(), strict=True)
    ]
    # positions of A: 0, 2 and 2, 4; of B: 1, 3 and 0, 1 (the third B of the second session has no partner)
    assert sorted(joined) == [("A", 0, 102), ("A", 2, 104), ("B", 1, 100), ("B", 3, 101)]
    assert [stimulus for stimulus, *_ in joined] == ["B", "A", "B", "A"]  # by mean event time: 52.5, 55, 60, 65
    assert pooled["event_time"].values.tolist() == [52.5, 55.0, 60.0, 65.0]
    assert pooled["trial"].values.tolist() == [0, 1, 2, 3]
    assert np.isnan(pooled["correct"].values).all()
    assert (pooled.attrs["subject"], pooled.attrs["session"], pooled.attrs["day"]) == ("pooled", "pooled", 1)


def test_a_session_pooled_with_itself_keeps_its_responses():
    alone = tensor("ABCABC", "s1", n_units=4)
    pooled = pool_sessions([alone])
    np.testing.assert_array_equal(pooled.values, alone.values)
    np.testing.assert_array_equal(pool_sessions([alone, alone]).values, np.concatenate([alone.values] * 2, axis=1))


def test_what_cannot_be_pooled():
    one = tensor("AB", "s1")
    with pytest.raises(TrialsError, match="no session to pool"):
        pool_sessions([])
    with pytest.raises(TrialsError, match="no stimulus is common to all 2 sessions"):
        pool_sessions([one, tensor("CD", "s2")])
    with pytest.raises(TrialsError, match="'s1' and 's2' are in spikes/s and dF/F"):
        pool_sessions([one, tensor("AB", "s2", units="dF/F")])
    for time in [(0.05,), (0.15, 0.25)]:
        with pytest.raises(TrialsError, match="'s1' and 's2' have different time bins"):
            pool_sessions([one, tensor("AB", "s2", time=time)])
    with pytest.raises(TrialsError, match="stimulus 'A' is of class 'A' in one session and 'target' in another"):
        pool_sessions([one, tensor("AB", "s2", classes=["target", "B"])])


# Memory ---------------------------------------------------------------------------------------


def peak(call):
    """Bytes that a call needs at the most beyond what was there, and what it returns."""
    import tracemalloc

    tracemalloc.start()
    try:
        result = call()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("intervals", [None, [np.array([[0.0, 1e4]])] * 300])
def test_aligning_spikes_takes_little_more_than_the_result(intervals):
    rng = np.random.default_rng(0)
    spikes, events = [np.sort(rng.uniform(0, 1000, 1000)) for _ in range(300)], np.linspace(1, 990, 200)
    cut = {"window": (-0.5, 2.0), "bin_width": 0.02, "obs_intervals": intervals}
    taken, rates = peak(lambda: align_spikes(spikes, events, **cut))
    assert rates.nbytes == 4 * 200 * 300 * 125
    assert taken < 1.1 * rates.nbytes


def test_aligning_traces_takes_little_more_than_the_result():
    data, times = np.random.default_rng(0).normal(size=(4000, 400)), np.arange(4000) / 10
    taken, rates = peak(lambda: align_traces(data, times, np.linspace(1, 390, 200), window=(-1, 4), bin_width=0.1))
    assert taken < 1.1 * rates.nbytes  # one trial is worked on at a time, in float64


def test_sessions_go_from_file_to_tensor_one_at_a_time(make_nwb, sound_trials, tmp_path):
    """Spikes, rates and the tensor of one session are in memory, and nothing of another."""
    rng = np.random.default_rng(0)
    classes = config.Classes(target=["target"], nontarget=["nontarget"])
    response = config.Response(bin=0.005)
    plan = {"trials": config.Trials(), "classes": classes, "phases": config.Phases(), "plateau": config.Plateau()}

    def written(n_units, n_sessions):
        for number in range(n_sessions):
            spikes = [np.sort(rng.uniform(0, 200, 500)) for _ in range(n_units)] + [
                np.array([])
            ]  # the last is left out
            start = datetime(2024, 1, number + 1, tzinfo=UTC)
            make_nwb(f"{n_units}/{number}.nwb", trials=sound_trials, spikes=spikes, session=str(number), start=start)
        sessions, _ = subject_sessions(index_study(sorted((tmp_path / str(n_units)).iterdir())), **plan)
        tensors = (
            session_tensor(one, response=response, classes=classes, inclusion=config.Inclusion())[1] for one in sessions
        )
        taken, _ = peak(lambda: save_trials(tensors, tmp_path / "Q.nc"))
        return taken

    before = written(5, 1)  # what pynwb and xarray take, whatever the session
    taken = written(250, 2)
    assert len(session_names(tmp_path / "Q.nc")) == 2
    assert taken - before < 3 * 4 * 40 * 250 * 500
