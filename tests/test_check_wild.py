"""`piriform check` on files as labs write them: what it says is what a run does."""

import numpy as np
import pandas as pd
import pytest
import yaml
from wild_nwb import column, electrodes, intervals, planes, series, units, wild_nwb

from piriform.check import check_lines, check_study
from piriform.check.contents import known
from piriform.config import parse_config
from piriform.errors import ConfigError, StudyError
from piriform.prepare import session_tensor, subject_sessions
from piriform.study import find_files, index_study

EVENTS = {"align_to": "start_time", "stimulus": None, "choice": None, "correct": None, "response_time": None}
SPIKES = [np.arange(0.05 * unit, 200, 0.1 * (unit + 1)) for unit in range(6)]
STARTS = np.arange(40) * 5.0


@pytest.fixture
def config(tmp_path):
    """A function that writes a config and returns its path."""

    def write(**sections):
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({"data": "d"} | sections))
        return path

    return write


def the_run(path, config):
    """The row and the tensor that a run gives of the same file and config."""
    settings = parse_config(yaml.safe_load(config.read_text()))
    sessions, _ = subject_sessions(
        index_study(find_files([str(path)])),
        **{name: getattr(settings, name) for name in ("trials", "classes", "phases", "plateau")},
    )
    return session_tensor(
        sessions[0], **{name: getattr(settings, name) for name in ("response", "classes", "inclusion")}
    )


def odor_tables():
    """One table per odour, in turn."""
    return [intervals("odor_A", start=STARTS[::2] + 1), intervals("odor_B", start=STARTS[1::2] + 1)]


def odor_series():
    """Odours 1 and 2 in turn, 1 s each, every 5 s."""
    data = np.zeros(2000)
    for number, start in enumerate(STARTS):
        data[int(10 * start) + 10 : int(10 * start) + 20] = 1 + number % 2
    return series("valve", data, rate=10.0)


CASES = {
    "tables": (odor_tables, {"table": "odor_*", "category": "table"}, ("odor_A", "odor_B")),
    "series": (lambda: [odor_series()], {"series": "valve", "category": "value"}, ("1", "2")),
}


@pytest.mark.parametrize("case", CASES)
def test_trials_of_several_tables_or_a_series(tmp_path, config, case):
    fill, trials, (target, nontarget) = CASES[case]
    path = wild_nwb(tmp_path / "s" / "a.nwb", *fill(), units(SPIKES, obs_intervals=[[[0.0, 200.0]]] * 6))
    written = config(trials=EVENTS | trials, classes={"target": [target], "nontarget": [nontarget]})
    found = check_study(path.parent, config=written)
    row, tensor = the_run(path, written)
    said = found["sessions"][0]
    assert (said["reason"], said["rows"], said["units"]) == ("", 40, 6)
    assert said["classes"] == tensor["class"].to_series().value_counts().to_dict()
    assert row["n_trials"] == said["rows"] - said["trials_lost"] - sum(said["excluded"].values())
    assert found["columns"]["missing"] == {}
    assert found["columns"]["unmapped"] == []
    assert check_lines(found)


@pytest.mark.parametrize("case", CASES)
def test_several_tables_or_a_series_are_proposed(tmp_path, config, case):
    fill, trials, names = CASES[case]
    path = wild_nwb(tmp_path / "s" / "a.nwb", *fill(), units(SPIKES))
    found = check_study(path.parent)
    proposed = found["proposal"]["config"]["trials"]
    expected = {"table": ["odor_A", "odor_B"], "category": "table"} if case == "tables" else trials
    assert {name: proposed[name] for name in expected} == expected
    assert (proposed["align_to"], proposed["stimulus"], proposed["correct"]) == ("start_time", None, None)
    assert found["proposal"]["values"][proposed["category"]] == dict.fromkeys(names, 20)
    named = found["proposal"]["config"] | {"classes": {"target": [names[0]], "nontarget": [names[1]]}}
    filled = tmp_path / "filled.yaml"
    filled.write_text(yaml.safe_dump(named))
    assert check_study(path.parent, config=filled)["n_usable"] == 1


def test_tables_of_other_things_are_not_joined(tmp_path):
    labelled = intervals(start=STARTS, columns=[column("odor", ["A", "B"] * 20)])
    path = wild_nwb(tmp_path / "s" / "a.nwb", labelled, *odor_tables(), units(SPIKES))
    assert check_study(path.parent)["proposal"]["config"]["trials"]["table"] == "trials"


# Filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "n_units"),
    [
        ("quality == 'good'", 5),
        ("location == 'PIR' and quality == 'good'", 2),
        ("firing_rate > 3", 3),
        ("firing_rate > 3 and quality == 'mua'", 0),
    ],
)
def test_the_units_that_pass_are_those_of_the_run(tmp_path, config, expression, n_units):
    path = wild_nwb(
        tmp_path / "s" / "a.nwb",
        electrodes("PIR", "APC"),
        intervals(start=STARTS, columns=[column("odor", ["A", "B"] * 20)]),
        units(
            SPIKES,
            quality=["good"] * 5 + ["mua"],
            electrodes=[[0], [0], [1], [1], [0, 1], []],
            obs_intervals=[[[0.0, 100.0], [100.0, 200.0]]] * 6,
        ),
    )
    written = config(
        trials=EVENTS | {"category": "odor"},
        classes={"target": ["A"], "nontarget": ["B"]},
        response={"filter": expression},
        inclusion={"min_units": 1},
    )
    said = check_study(path.parent, config=written)["sessions"][0]
    row, _ = the_run(path, written)
    assert said["units"] == n_units == row["n_units"]
    assert said["reason"] == ("" if n_units else "too few units: 0, inclusion.min_units is 1") == row["reason"]


def test_a_filter_that_cannot_be_used_is_told(tmp_path, config):
    path = wild_nwb(tmp_path / "s" / "a.nwb", *odor_tables(), units(SPIKES))
    parts = {"trials": EVENTS | {"table": "odor_*", "category": "table"}, "classes": {"by_stimulus": True}}
    written = config(**parts, response={"filter": "quality == 'good'"})
    said = check_study(path.parent, config=written)["sessions"][0]
    assert said["reason"].startswith("units has no column 'quality' (response.filter); it has spike_times, id")
    assert said["reason"] == the_run(path, written)[0]["reason"]
    with pytest.raises(ConfigError, match="is not an expression"):
        check_study(path.parent, config=config(**parts, response={"filter": "quality ="}))


def test_what_was_not_read_is_not_known():
    with pytest.raises(StudyError, match="the file was not read"):
        known(None)


# Planes ---------------------------------------------------------------------------------------


def imaged(name, n_rois=3, **more):
    return {"name": name, "data": np.random.default_rng(0).normal(size=(2000, n_rois)), "rate": 10.0} | more


def test_several_planes_are_counted_together_and_proposed(tmp_path, config):
    path = wild_nwb(
        tmp_path / "s" / "a.nwb",
        *odor_tables(),
        planes(
            imaged("plane0", starting_time=2.0),
            imaged("plane1", 4, starting_time=-3.05),
            columns={"is_cell": [1, 0, 1, 1]},
        ),
    )
    proposal = check_study(path.parent)["proposal"]["config"]["response"]
    assert proposal == {"roi_series": ["DfOverF/plane0", "DfOverF/plane1"]}
    parts = {
        "trials": EVENTS | {"table": "odor_*", "category": "table"},
        "classes": {"target": ["odor_A"], "nontarget": ["odor_B"]},
    }
    written = config(**parts, response=proposal | {"filter": "is_cell == 1"})
    said = check_study(path.parent, config=written)["sessions"][0]
    row, tensor = the_run(path, written)
    assert (said["kind"], said["units"]) == ("roi", 5) == ("roi", row["n_units"])
    assert said["recorded"] == {"start": 2.0, "stop": pytest.approx(196.95), "known_from": "frames"}
    assert row["n_trials"] == said["rows"] - said["trials_lost"] == 39 == tensor.sizes["trial"]


@pytest.mark.parametrize(
    ("parts", "response", "reason"),
    [
        ([imaged("a"), imaged("b")], {}, "2 RoiResponseSeries fit response.roi_series None"),
        ([imaged("a", plane="p"), imaged("b", plane="p")], {"roi_series": "*"}, "hold the same ROIs"),
        ([imaged("a"), imaged("b", rate=1.0)], {"roi_series": "*"}, "set response.bin to at least 1"),
        ([imaged("a")], {"time_offset": "delay"}, "has no column 'delay' (response.time_offset)"),
        ([imaged("a") | {"data": np.ones((3, 90)), "in_table": 3, "rows": [0, 1, 2]}], {}, "they look like ROIs by times"),
    ],
)  # fmt: skip
def test_series_that_a_run_refuses_are_refused(tmp_path, config, parts, response, reason):
    path = wild_nwb(tmp_path / "s" / "a.nwb", *odor_tables(), planes(*parts))
    written = config(
        trials=EVENTS | {"table": "odor_*", "category": "table"}, classes={"by_stimulus": True}, response=response
    )
    said = check_study(path.parent, config=written)["sessions"][0]
    assert reason in said["reason"]
    assert said["reason"] == the_run(path, written)[0]["reason"]


def test_series_of_the_same_rois_are_left_to_the_user(tmp_path):
    path = wild_nwb(
        tmp_path / "s" / "a.nwb",
        *odor_tables(),
        planes(imaged("f", plane="p"), imaged("n", plane="p"), container="Fluorescence"),
    )
    proposal = check_study(path.parent)["proposal"]
    assert "response" not in proposal["config"]
    assert "several series hold the same ROIs: name one of each plane in response.roi_series" in " ".join(
        proposal["notes"]
    )


def test_spike_times_without_an_index_are_told(tmp_path, config):
    import h5py

    path = wild_nwb(tmp_path / "s" / "a.nwb", *odor_tables(), units([[1.0], [2.0]]))
    with h5py.File(path, "a") as file:
        del file["units/spike_times_index"]
    written = config(trials=EVENTS | {"table": "odor_*", "category": "table"}, classes={"by_stimulus": True})
    reason = check_study(path.parent, config=written)["sessions"][0]["reason"]
    assert reason == "units: spike_times has not one spike_times_index; expected a list for each row"
    assert reason == the_run(path, written)[0]["reason"]


# Side tables ----------------------------------------------------------------------------------


def test_columns_of_a_side_table_are_there(tmp_path, config):
    path = wild_nwb(
        tmp_path / "s" / "a.nwb", intervals(start=STARTS, columns=[column("side", ["l"] * 40)]), units(SPIKES)
    )
    side = pd.DataFrame({"subject": "Q", "session": "day-01", "trial": range(40), "odor": ["A", "B"] * 20})
    side.to_csv(tmp_path / "side.csv", index=False)
    parts = {"trials": EVENTS | {"category": "odor", "extra": str(tmp_path / "side.csv")}}
    found = check_study(path.parent, config=config(**parts, classes={"target": ["A"], "nontarget": ["B"]}))
    assert found["sessions"][0]["classes"] == {"target": 20, "nontarget": 20}
    assert (found["columns"]["missing"], found["columns"]["unmapped"]) == ({}, ["side"])
    parts["trials"]["extra"] = "gone.csv"
    with pytest.raises(ConfigError, match=r"gone\.csv: no such file"):
        check_study(path.parent, config=config(**parts, classes={"by_stimulus": True}))
