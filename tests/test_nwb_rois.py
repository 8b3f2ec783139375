from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from wild_nwb import planes, wild_nwb

from piriform.config import Response
from piriform.errors import StudyError
from piriform.nwb import read_activity
from piriform.nwb.clock import sample_times
from piriform.nwb.rois import plane_names

FRAMES = np.arange(30.0)[:, np.newaxis]


@pytest.fixture
def nwb(tmp_path):
    return lambda *fill, name="a.nwb": wild_nwb(tmp_path / name, *fill)


def plane(name, n_rois=2, *, add=0.0, **more):
    """The number of the frame, plus ``add``, plus 100 per ROI."""
    clock = {} if "timestamps" in more else {"rate": 10.0}
    return {"name": name, "data": FRAMES + add + 100 * np.arange(n_rois), **clock, **more}


# Several planes -------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [["plane0", "plane1"], "DfOverF/*", "plane?", ["DfOverF/plane0", "plane1"]])
def test_planes_keep_their_own_clock(nwb, wanted):
    path = nwb(planes(plane("plane0", starting_time=1.0), plane("plane1", 3, add=1000.0, starting_time=1.05)))
    activity = read_activity(path, Response(roi_series=wanted))
    assert activity.unit_id == ["plane0/100", "plane0/101", "plane1/100", "plane1/101", "plane1/102"]
    first, second = activity.traces
    np.testing.assert_allclose(first.timestamps, 1.0 + np.arange(30) / 10)
    np.testing.assert_allclose(second.timestamps, 1.05 + np.arange(30) / 10)
    np.testing.assert_array_equal(first.data, FRAMES + np.array([0, 100]))
    np.testing.assert_array_equal(second.data, FRAMES + np.array([1000, 1100, 1200]))


def test_planes_without_a_choice_are_not_joined(nwb):
    path = nwb(planes(plane("plane0"), plane("plane1")))
    with pytest.raises(
        StudyError, match=r"2 RoiResponseSeries fit .* None; name one of .*\(or list those of several planes\)"
    ):
        read_activity(path, Response())
    with pytest.raises(StudyError, match=r"0 RoiResponseSeries fit response.roi_series 'z\*'"):
        read_activity(path, Response(roi_series="z*"))
    with pytest.raises(StudyError, match=r"0 RoiResponseSeries fit response.roi_series 'plane2'"):
        read_activity(path, Response(roi_series=["plane0", "plane2"]))
    with pytest.raises(StudyError, match=r"response.roi_series is an empty list"):
        read_activity(path, Response(roi_series=[]))


def test_the_same_rois_do_not_count_twice(nwb):
    path = nwb(planes(plane("dff", plane="p"), plane("neuropil", plane="p")))
    with pytest.raises(StudyError, match="DfOverF/dff and DfOverF/neuropil hold the same ROIs"):
        read_activity(path, Response(roi_series="*"))
    path = nwb(planes(plane("left", 4), plane("right", 2)), name="b.nwb")
    assert len(read_activity(path, Response(roi_series=["left", "right"])).unit_id) == 6


def test_parts_of_one_table_are_told_apart(nwb):
    part = {"plane": "p", "in_table": 4}
    path = nwb(planes(plane("a", rows=[0, 1], **part), plane("b", rows=[3, 2], **part)))
    assert read_activity(path, Response(roi_series="*")).unit_id == ["a/100", "a/101", "b/103", "b/102"]


def test_names_of_planes():
    assert plane_names(["DfOverF/RoiResponseSeries"]) == [""]
    assert plane_names(["plane0/dff", "plane1/dff"]) == ["plane0/dff/", "plane1/dff/"]


def test_tracked_ids_belong_to_their_plane(nwb):
    path = nwb(planes(plane("plane0"), plane("plane1"), columns={"match": ["u1", ""]}))
    activity = read_activity(path, Response(roi_series="*", tracked_id="match"))
    assert activity.tracked_id == ["plane0/u1", "", "plane1/u1", ""]


# Times within the frame -----------------------------------------------------------------------


def test_every_roi_has_its_time_within_the_frame(nwb):
    path = nwb(planes(plane("dff", 4, starting_time=1.0), columns={"delay": [0.03, 0.0, 0.03, np.nan]}))
    activity = read_activity(path, Response(time_offset="delay"))
    assert activity.unit_id == ["101", "100", "102"]
    assert activity.excluded == {"no time within the frame": ["103"]}
    np.testing.assert_allclose(activity.traces[0].timestamps, 1.0 + np.arange(30) / 10)
    np.testing.assert_allclose(activity.traces[1].timestamps, 1.03 + np.arange(30) / 10)
    np.testing.assert_array_equal(activity.traces[1].data, FRAMES + np.array([0, 200]))


@pytest.mark.parametrize(
    ("delay", "column", "message"),
    [
        (
            [0.0, 30.0],
            "delay",
            r"column 'delay' \(response.time_offset\) reaches 30, a frame lasts 0\.1 s; offsets must be in s",
        ),
        (["a", "b"], "delay", "holds no numbers; expected s"),
        ([0.0, 0.0], "lag", r"a\.nwb: dff has no column 'lag' \(response.time_offset\)"),
    ],
)
def test_offsets_that_cannot_be_are_refused(nwb, delay, column, message):
    path = nwb(planes(plane("dff"), columns={"delay": delay}))
    with pytest.raises(StudyError, match=message):
        read_activity(path, Response(time_offset=column))


# Filters --------------------------------------------------------------------------------------


def test_columns_of_the_rois_and_the_place_of_their_plane(nwb):
    columns = {"is_cell": [[1.0, 0.9], [0.0, 0.2], [1.0, 0.6]], "snr": [1.0, 2.0, 3.0]}
    path = nwb(planes(plane("plane0", 3), plane("plane1", 2, location="APC"), columns=columns))
    for expression, ids in [
        ("is_cell == 1", ["plane0/100", "plane0/102", "plane1/100"]),
        ("snr > 1.5 and series == 'plane0'", ["plane0/101", "plane0/102"]),
        ("location == 'APC' and device == 'microscope'", ["plane1/100", "plane1/101"]),
        ("imaging_plane == 'imaged_plane0' and id > 101", ["plane0/102"]),
    ]:
        activity = read_activity(path, Response(roi_series="*", filter=expression))
        assert activity.unit_id == ids
        assert len(activity.excluded["does not pass response.filter"]) == 5 - len(ids)
    with pytest.raises(StudyError, match=r"a\.nwb: plane0 has no column 'accepted' \(response.filter\)"):
        read_activity(path, Response(roi_series="*", filter="accepted == 1"))


def test_the_filter_goes_by_the_rows_of_the_series(nwb):
    path = nwb(
        planes(
            plane("dff", in_table=4, rows=[3, 1]) | {"data": FRAMES + np.array([3.0, 1.0])},
            columns={"snr": [0, 1, 2, 3]},
        )
    )
    activity = read_activity(path, Response(filter="snr == 3"))
    assert activity.unit_id == ["103"]
    np.testing.assert_array_equal(activity.traces[0].data, FRAMES + 3)


# Data -----------------------------------------------------------------------------------------


def test_rois_by_times_are_refused(nwb):
    path = nwb(planes(plane("dff") | {"data": FRAMES.T + np.array([[0.0], [100.0]]), "in_table": 2, "rows": [0, 1]}))
    with pytest.raises(
        StudyError, match=r"dff: data have shape \(2, 30\); expected \(times, 2 ROIs\); they look like ROIs by times"
    ):
        read_activity(path, Response())


def test_linked_data_and_timestamps(nwb):
    from pynwb import TimeSeries

    def add(file):
        holder = file.processing["ophys"]["DfOverF"]
        first = holder.roi_response_series["dff"]
        clock = TimeSeries(name="frames", data=np.zeros(30), timestamps=2.0 + np.arange(30.0), unit="n.a.")
        file.add_acquisition(clock)
        holder.create_roi_response_series(name="linked", data=first, unit="n.a.", rois=first.rois, timestamps=clock)

    path = nwb(planes(plane("dff")), add)
    traces = read_activity(path, Response(roi_series="linked")).traces[0]
    np.testing.assert_array_equal(traces.data, FRAMES + np.array([0, 100]))
    np.testing.assert_array_equal(traces.timestamps, 2.0 + np.arange(30))


def test_data_in_another_file_are_read_and_that_file_is_closed(nwb, tmp_path):
    path = nwb(planes(plane("dff")))
    name = "processing/ophys/DfOverF/dff/data"
    with h5py.File(path, "a") as file, h5py.File(tmp_path / "raw.h5", "w") as raw:
        raw.create_dataset("traces", data=FRAMES + np.array([7.0, 8.0]))
        raw["traces"].attrs.update(dict(file[name].attrs))
        del file[name]
        file[name] = h5py.ExternalLink("raw.h5", "/traces")
    np.testing.assert_array_equal(read_activity(path, Response()).traces[0].data, FRAMES + np.array([7.0, 8.0]))
    (tmp_path / "raw.h5").rename(tmp_path / "gone.h5")
    with h5py.File(tmp_path / "gone.h5", "a"):  # would fail if it were still open
        pass
    with pytest.raises(StudyError, match=r"a\.nwb: "):
        read_activity(path, Response())


def test_missing_frames_stay_missing(nwb):
    data = FRAMES + np.array([0.0, 100.0])
    data[3] = np.nan
    found = read_activity(nwb(planes(plane("dff") | {"data": data})), Response()).traces[0].data
    assert np.isnan(found[3]).all()
    assert np.isfinite(np.delete(found, 3, axis=0)).all()


def test_a_series_without_a_clock(nwb):
    path = nwb(planes(plane("dff")))
    with h5py.File(path, "a") as file:
        file["processing/ophys/DfOverF/dff/starting_time"].attrs["rate"] = np.nan
    with pytest.raises(StudyError, match="dff: starts at 0 s with nan samples"):
        read_activity(path, Response())
    with pytest.raises(StudyError, match="f: neither timestamps nor a rate; its samples have no time"):
        sample_times(SimpleNamespace(timestamps=None, rate=None), 3, "f")


def test_rows_that_the_roi_table_does_not_have(nwb):
    path = nwb(planes(plane("dff")))
    with h5py.File(path, "a") as file:
        file["processing/ophys/DfOverF/dff/rois"][:] = [0, 2]
    with pytest.raises(StudyError, match="dff: rois refer to rows that the table of 2 ROIs does not have"):
        read_activity(path, Response())


def test_series_of_one_name_in_two_modules_are_told_apart(nwb):
    from pynwb.ophys import DfOverF

    def add(file):
        first = file.processing["ophys"]["DfOverF"].roi_response_series["dff"]
        holder = DfOverF()
        file.create_processing_module("again", "again").add(holder)
        holder.create_roi_response_series(
            name="dff", data=FRAMES + np.array([5.0, 6.0]), unit="n.a.", rois=first.rois, rate=1.0
        )

    path = nwb(planes(plane("dff")), add)
    with pytest.raises(StudyError, match=r"2 RoiResponseSeries fit .* again/DfOverF/dff, ophys/DfOverF/dff"):
        read_activity(path, Response(roi_series="dff"))
    np.testing.assert_array_equal(
        read_activity(path, Response(roi_series="again/DfOverF/dff")).traces[0].data, FRAMES + np.array([5.0, 6.0])
    )
