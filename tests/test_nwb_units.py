import h5py
import numpy as np
import pytest
from wild_nwb import electrodes, planes, units, wild_nwb

from piriform.config import Response
from piriform.errors import ConfigError, StudyError
from piriform.nwb import read_activity
from piriform.nwb.units import firing_rates

SPIKES = [np.arange(0.0, 100, 1.0), np.arange(0.0, 100, 10.0), np.arange(0.0, 101, 50.0)]


@pytest.fixture
def nwb(tmp_path):
    return lambda *fill, name="a.nwb": wild_nwb(tmp_path / name, *fill)


def kept(path, expression):
    """Ids of the units that pass a filter; all others are told."""
    activity = read_activity(path, Response(filter=expression, kind="units"))
    left_out = activity.excluded.get("does not pass response.filter", [])
    assert len(activity.unit_id) + len(left_out) == len(SPIKES)
    return activity.unit_id


# Filters --------------------------------------------------------------------------------------


def test_columns_of_the_units_table(nwb):
    path = nwb(units(SPIKES, quality=["good", "mua", "good"], snr=[1.0, 5.0, np.nan], id=[4, 5, 6]))
    assert kept(path, "quality == 'good'") == ["4", "6"]
    assert kept(path, "snr > 0") == ["4", "5"]
    assert kept(path, "snr != 1 and id >= 5") == ["5", "6"]
    assert kept(path, "quality == 'noise'") == []


def test_the_spikes_stay_with_their_unit(nwb):
    activity = read_activity(
        nwb(units(SPIKES, quality=["mua", "mua", "good"], obs_intervals=[[[0, 10]], [[0, 20]], [[0, 30]]])),
        Response(filter="quality == 'good'"),
    )
    assert activity.unit_id == ["2"]
    assert activity.spike_times[0].tolist() == [0.0, 50.0, 100.0]
    assert activity.obs_intervals[0].tolist() == [[0.0, 30.0]]
    assert activity.excluded == {"does not pass response.filter": ["0", "1"]}


def test_a_unit_that_does_not_pass_needs_no_other_reason(nwb):
    path = nwb(units([[2.0, 1.0], [1.0], [3.0, 1.0]], quality=["mua", "good", "good"]))
    activity = read_activity(path, Response(filter="quality == 'good'"))
    assert activity.excluded == {
        "does not pass response.filter": ["0"],
        "spike times are not in ascending order": ["2"],
    }


def test_columns_of_the_electrodes_that_a_unit_was_seen_on(nwb):
    probe = electrodes("PIR", "PIR", "APC", "OB", columns={"depth": [1.0, 1.0, 2.0, 3.0]})
    path = nwb(probe, units(SPIKES, electrodes=[[0, 1], [1, 2], []]))
    assert kept(path, "location == 'PIR'") == ["0"]
    assert kept(path, "location in ['PIR', 'PIR+APC']") == ["0", "1"]
    assert kept(path, "location == ''") == ["2"]
    assert kept(path, "depth < 5") == ["0"]  # of unit 1 the depths differ, unit 2 has none
    assert kept(path, "depth != depth") == ["1", "2"]


def test_the_units_own_column_comes_before_the_electrodes(nwb):
    path = nwb(electrodes("PIR", "APC"), units(SPIKES, electrodes=[[0], [0], [1]], location=["x", "y", "x"]))
    assert kept(path, "location == 'x'") == ["0", "2"]


def test_groups_of_electrodes_and_their_probe(nwb):
    probe = electrodes("PIR", "PIR", "APC", groups=["a", "b", "b"])
    path = nwb(probe, units(SPIKES, electrodes=[[0], [1, 2], [0, 2]]))
    assert kept(path, "electrode_group == 'b'") == ["1"]
    assert kept(path, "electrode_group == 'a+b' and device == 'probe'") == ["2"]
    path = nwb(
        electrodes("PIR", "APC", groups=["a", "b"]), units(SPIKES, electrode_group=["b", "a", "b"]), name="b.nwb"
    )
    assert kept(path, "electrode_group == 'b'") == ["0", "2"]
    assert kept(path, "location == 'a area'") == ["1"]
    assert kept(path, "device == 'probe'") == ["0", "1", "2"]


def test_firing_rates_over_the_whole_recording(nwb):
    path = nwb(units(SPIKES))  # 100, 10 and 3 spikes; the recording reaches from 0 to 100 s
    assert kept(path, "firing_rate == 1") == ["0"]
    assert kept(path, "firing_rate >= 0.1") == ["0", "1"]


def test_firing_rates_over_the_observed_time(nwb):
    observed = [[[0.0, 50.0]], [[0.0, 5.0], [5.0, 9.0]], [[np.nan, np.nan]]]
    path = nwb(units(SPIKES, obs_intervals=observed))
    assert kept(path, "firing_rate == 51 / 50") == ["0"]
    assert kept(path, "firing_rate == 1 / 9") == ["1"]
    assert kept(path, "firing_rate != firing_rate") == ["2"]


def test_a_column_of_rates_is_taken_as_it_is(nwb):
    assert kept(nwb(units(SPIKES, firing_rate=[0.0, 7.0, 7.0])), "firing_rate > 1") == ["1", "2"]


def test_rates_of_nothing():
    assert np.isnan(firing_rates([np.empty(0), np.array([2.0, 1.0])], None)).all()
    assert firing_rates([np.empty(0)], [np.array([[0.0, 5.0]])]).tolist() == [0.0]
    assert np.isnan(firing_rates([np.array([1.0])], [np.array([[5.0, 0.0]])])).all()


def test_rates_by_counting():
    rng = np.random.default_rng(3)
    times = np.sort(rng.uniform(0, 100, 500))
    intervals = np.sort(rng.uniform(0, 100, (6, 2)), axis=1)
    grid = (np.arange(1_000_000) + 0.5) / 10_000
    seen = np.any([(grid >= a) & (grid <= b) for a, b in intervals], axis=0)
    inside = np.any([(times >= a) & (times <= b) for a, b in intervals], axis=0)
    assert firing_rates([times], [intervals])[0] == pytest.approx(inside.sum() / (seen.sum() / 10_000), rel=1e-3)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "region == 'PIR'",
            r"no column 'region' \(response.filter\); it has quality, spike_times, id, location, electrode",
        ),
        ("quality == 1", "filter 'quality == 1': column 'quality' holds text such as 'good'"),
        ("quality", "gives no true or false for each row"),
    ],
)
def test_what_a_filter_cannot_use_is_named(nwb, expression, message):
    path = nwb(units(SPIKES, quality=["good"] * 3))
    with pytest.raises(StudyError, match=rf"a\.nwb: units.*{message}"):
        read_activity(path, Response(filter=expression))


def test_a_filter_that_is_no_expression_stops_the_study(nwb):
    with pytest.raises(ConfigError, match="is not an expression"):
        read_activity(nwb(units(SPIKES)), Response(filter="quality ="))


def test_electrodes_that_are_not_there(nwb):
    path = nwb(electrodes("PIR", "APC"), units(SPIKES, electrodes=[[0], [1], [0]]))
    with h5py.File(path, "a") as file:
        file["units/electrodes"][1] = 7
    with pytest.raises(
        StudyError, match="units: electrodes refer to rows that the table of 2 electrodes does not have"
    ):
        kept(path, "location == 'PIR'")
    assert len(read_activity(path, Response()).unit_id) == 3


# Spike times and intervals --------------------------------------------------------------------


def test_intervals_that_are_missing_or_empty(nwb):
    path = nwb(units(SPIKES, obs_intervals=[np.empty((0, 2)), [[0.0, np.nan], [3.0, 9.0]], [[0.0, 90.0]]]))
    observed = read_activity(path, Response()).obs_intervals
    assert [one.shape for one in observed] == [(0, 2), (2, 2), (1, 2)]


def test_one_interval_per_unit_without_an_index(nwb):
    path = nwb(units(SPIKES, obs_intervals=[[[0.0, 10.0]], [[0.0, 20.0]], [[0.0, 30.0]]]))
    with h5py.File(path, "a") as file:
        del file["units/obs_intervals_index"]
    assert [one.tolist() for one in read_activity(path, Response()).obs_intervals] == [[[0, 10]], [[0, 20]], [[0, 30]]]


@pytest.mark.parametrize("values", [np.zeros((3, 3)), np.zeros(3)])
def test_intervals_that_are_no_pairs(nwb, values):
    path = nwb(units(SPIKES, obs_intervals=[[[0.0, 10.0]], [[0.0, 20.0]], [[0.0, 30.0]]]))
    with h5py.File(path, "a") as file:
        attributes = dict(file["units/obs_intervals"].attrs)
        del file["units/obs_intervals_index"], file["units/obs_intervals"]
        file["units"].create_dataset("obs_intervals", data=values).attrs.update(attributes)
    with pytest.raises(StudyError, match=r"a\.nwb: units: obs_intervals are no pairs of times"):
        read_activity(path, Response())


def test_spike_times_without_an_index(nwb):
    path = nwb(units([[1.0], [2.0], [3.0]]))
    with h5py.File(path, "a") as file:
        del file["units/spike_times_index"]
    with pytest.raises(
        StudyError, match="units: spike_times has not one spike_times_index; expected a list for each row"
    ):
        read_activity(path, Response())


def test_a_tracked_id_belongs_to_one_unit(nwb):
    path = nwb(units(SPIKES, match=["a", "b", "a"], quality=["good", "good", "mua"]))
    with pytest.raises(StudyError, match=r"units 0 and 2 have the same tracked id 'a' \(response.tracked_id\)"):
        read_activity(path, Response(tracked_id="match"))
    activity = read_activity(path, Response(tracked_id="match", filter="quality == 'good'"))
    assert activity.tracked_id == ["a", "b"]


# Units and ROIs -------------------------------------------------------------------------------


def test_of_units_and_rois_the_config_chooses(nwb):
    path = nwb(units(SPIKES), planes({"name": "plane0", "data": np.ones((30, 2)), "rate": 1.0}))
    for response, kind in [
        (Response(), "units"),
        (Response(kind="roi"), "roi"),
        (Response(roi_series="plane0"), "roi"),
        (Response(roi_series="plane0", kind="units"), "units"),
    ]:
        assert read_activity(path, response).kind == kind
    with pytest.raises(StudyError, match=r"b\.nwb: no RoiResponseSeries; nothing to analyse"):
        read_activity(nwb(units(SPIKES), name="b.nwb"), Response(roi_series="plane0"))
    with pytest.raises(StudyError, match=r"time_offset is for ROIs, and units are taken; set response.kind to roi"):
        read_activity(path, Response(time_offset="delay"))
