import importlib.util
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from wild_nwb import column, intervals, planes, series, units, wild_nwb

from piriform.config import parse_config
from piriform.errors import ConfigError, StudyError
from piriform.prepare import session_tensor, subject_sessions
from piriform.provenance import sha256
from piriform.study import find_files, index_study
from piriform.tables import check_table, load_table
from piriform.trials import load_trials, session_names

DAY = datetime(2024, 1, 1, 9, tzinfo=UTC)
BASE = {
    "data": "unused",
    "classes": {"target": ["target"], "nontarget": ["nontarget"], "probe": ["probe"]},
    "response": {"window": (-0.5, 1.0), "bin": 0.1, "response_window": (0.1, 0.6)},
    "inclusion": {"min_units": 2, "min_trials_per_class": 5},
}


def config(**sections):
    return parse_config(
        {name: {**BASE.get(name, {}), **given} for name, given in sections.items()}
        | {k: v for k, v in BASE.items() if k not in sections}
    )


def prepared(index, settings):
    """Rows, tensors by session, and behaviour of one subject."""
    sessions, behavior = subject_sessions(
        index, trials=settings.trials, classes=settings.classes, phases=settings.phases, plateau=settings.plateau
    )
    both = [
        session_tensor(s, response=settings.response, classes=settings.classes, inclusion=settings.inclusion)
        for s in sessions
    ]
    rows = check_table(pd.DataFrame([row for row, _ in both]), "sessions")
    return rows, {row["session"]: tensor for row, tensor in both}, behavior


def only(path, settings):
    """Row, tensor and behaviour of a study of one file."""
    rows, tensors, behavior = prepared(index_study([path]), settings)
    return rows.iloc[0], next(iter(tensors.values())), behavior


@pytest.fixture
def spikes():
    """Three units over the 200 s of `sound_trials`: one on a clock, one after each target, one rare."""
    return [np.arange(0.05, 200, 0.1), np.arange(20) * 10.0 + 1.3, np.array([6.15, 21.15])]


# Known answers --------------------------------------------------------------------------------


def test_a_sound_session_becomes_a_tensor(make_nwb, sound_trials, spikes):
    path = make_nwb(trials=sound_trials, spikes=spikes, ids=[4, 7, 9])
    row, tensor, behavior = only(path, config())
    assert tensor.sizes == {"trial": 40, "unit": 3, "time": 15}
    np.testing.assert_allclose(tensor.values[:, 0], 10.0)
    np.testing.assert_allclose(tensor.sel(time=0.35).values[:, 1], np.where(tensor["class"] == "target", 10.0, 0.0))
    assert tensor.values[:, 1].sum() == pytest.approx(200)
    assert tensor["unit_id"].values.tolist() == ["4", "7", "9"]
    assert {name: tensor.attrs[name] for name in ("units", "subject", "session", "day", "phase", "bin_width")} == {
        "units": "spikes/s", "subject": "Q", "session": "ses-01", "day": 1, "phase": "", "bin_width": 0.1,
    }  # fmt: skip
    assert (tensor.attrs["source_file"], tensor.attrs["source_sha256"]) == (str(path), sha256(path))
    assert row["included"]
    assert (row["n_units"], row["n_trials"], row["n_units_excluded"], row["n_trials_excluded"]) == (3, 40, 0, 0)
    assert (row["reason"], row["units_excluded"], row["trials_excluded"]) == ("", "", "")
    assert row["sha256"] == sha256(path)
    overall = behavior[behavior["class"] == "all"].iloc[0]
    assert (overall["n_trials"], overall["accuracy"]) == (40, 1.0)
    assert overall["latency_s"] == pytest.approx(0.8)


def test_traces(make_nwb, sound_trials):
    times = np.arange(0, 200, 0.05)
    data = np.column_stack([times, np.sin(times), np.ones(len(times))])
    row, tensor, _ = only(make_nwb(trials=sound_trials, rois=data, timestamps=times), config())
    assert tensor.attrs["units"] == "dF/F"
    assert tensor["unit_id"].values.tolist() == ["100", "101"]
    np.testing.assert_allclose(tensor.sel(time=0.25).values[:, 0], tensor["event_time"] + 0.225, atol=1e-4)
    assert row["units_excluded"] == "no change in the analysed windows: 102"


def test_every_stimulus_a_class_without_behaviour(make_nwb, sound_trials, spikes):
    settings = config(
        classes={"target": [], "nontarget": [], "probe": [], "by_stimulus": True},
        trials={"category": "odor", "choice": None, "correct": None, "response_time": None},
    )
    path = make_nwb(trials=sound_trials, spikes=spikes)
    row, tensor, behavior = only(path, settings)
    assert row["included"]
    assert set(tensor["class"].values) == {"ABC", "DEF"}
    assert behavior["accuracy"].isna().all()
    row, _, _ = only(make_nwb("b.nwb", trials=sound_trials.assign(odor="ABC"), spikes=spikes), settings)
    assert row["reason"] == "too few stimuli: 1; decoding needs 2"


# Units and trials left out --------------------------------------------------------------------


def test_units_are_left_out_with_their_reason(make_nwb, sound_trials, spikes):
    outside = np.arange(40) * 5.0 + 3.0  # fires between the windows alone
    late = np.arange(40) * 5.0 + 1.8  # fires in the tensor's window, but not in an analysed one
    path = make_nwb(trials=sound_trials, spikes=[*spikes, outside, [2.0, 1.0], [], late])
    row, tensor, _ = only(path, config(inclusion={"min_rate": 0.1}))
    assert tensor["unit_id"].values.tolist() == ["0", "1"]
    assert row["units_excluded"] == (
        "spike times are not in ascending order: 4; mean rate below 0.1 spikes/s: 2; no spike in the analysed windows: 3, 5, 6"
    )
    assert (row["n_units"], row["n_units_excluded"]) == (2, 5)


def test_a_unit_seen_in_few_trials_is_left_out_a_trial_in_which_a_unit_is_unseen_too(make_nwb, sound_trials, spikes):
    # trials start every 5 s with windows [0.5, 2) s after it
    observed = [[[0.0, 195.0]], [[0.0, 180.0]], [[0.0, 170.0]]]  # without the last 1, 4 and 6 trials of 40
    path = make_nwb(trials=sound_trials, spikes=spikes, obs_intervals=[np.array(found) for found in observed])
    row, tensor, behavior = only(path, config())
    # the last trial is seen by no unit; of the 39 others the units miss 0, 3 (7.7%) and 5 (12.8%)
    assert row["units_excluded"] == "not observed in more than 10% of the trials: 2"
    assert row["trials_excluded"] == "activity was not recorded: 39; a unit was not observed: 36-38"
    assert tensor["trial"].values.tolist() == list(range(36))
    assert np.isfinite(tensor.values).all()
    assert behavior["n_trials"].max() == 40  # behaviour was seen


def test_what_is_missing_outside_the_analysed_windows_does_no_harm(make_nwb, sound_trials):
    times = np.arange(0, 199, 0.05)
    data = np.random.default_rng(0).normal(size=(len(times), 3))
    phase = (times - 1) % 5
    data[(phase > 0.65) & (phase < 3)] = np.nan  # after the response window [0.1, 0.6)
    row, tensor, _ = only(make_nwb(trials=sound_trials, rois=data, timestamps=times), config())
    assert (row["n_units"], row["n_trials"]) == (3, 40)
    assert np.isnan(tensor.sel(time=0.85).values).all()


def test_imaging_that_stops_early_costs_the_trials_not_the_units(make_nwb, sound_trials):
    times = np.arange(0, 150, 0.05)
    data = np.random.default_rng(0).normal(size=(len(times), 2))
    row, tensor, _ = only(make_nwb(trials=sound_trials, rois=data, timestamps=times), config())
    assert row["trials_excluded"] == "activity was not recorded: 30-39"
    assert tensor.sizes["trial"] == 30
    assert row["n_units_excluded"] == 0


def test_trials_left_out_by_the_mapping_are_listed(make_nwb, sound_trials, spikes):
    sound_trials.loc[[3, 8], "odor_onset_time"] = np.nan
    sound_trials.loc[5, "trial_type"] = "water"
    row, _, _ = only(make_nwb(trials=sound_trials, spikes=spikes), config())
    assert row["trials_excluded"] == "no odor_onset_time: 3, 8; category 'water' is in no class: 5"
    assert (row["n_trials"], row["n_trials_excluded"]) == (37, 3)


# As labs write them ---------------------------------------------------------------------------


def test_units_that_do_not_pass_the_filter_are_listed(make_nwb, sound_trials, spikes):
    quality = pd.DataFrame({"quality": ["good", "good", "mua"]})
    path = make_nwb(trials=sound_trials, spikes=spikes, ids=[4, 7, 9], units=quality)
    settings = config(response={"filter": "quality == 'good' and firing_rate > 0.2"}, inclusion={"min_units": 1})
    row, tensor, _ = only(path, settings)
    assert tensor["unit_id"].values.tolist() == ["4"]
    assert row["units_excluded"] == "does not pass response.filter: 7, 9"


def test_a_filter_on_a_column_that_a_file_lacks_costs_this_session(make_nwb, sound_trials, spikes):
    row, tensor, behavior = only(
        make_nwb(trials=sound_trials, spikes=spikes), config(response={"filter": "quality == 'good'"})
    )
    assert tensor is None
    assert row["reason"].startswith("units has no column 'quality' (response.filter); it has spike_times, id, location")
    assert len(behavior)


def test_unobserved_trials_are_missing_not_zero_from_the_file_to_the_tensor(make_nwb, sound_trials, spikes):
    whole, holes = [[0.0, 300.0]], [[0.0, 100.0], [np.nan, np.nan], [115.0, 300.0]]
    path = make_nwb(
        trials=sound_trials, spikes=[*spikes, spikes[0]], obs_intervals=[whole, holes, whole, np.empty((0, 2))]
    )
    row, tensor, _ = only(path, config())
    # unit 1 is not observed from 100 to 115 s: trials 20 to 22 of 40; unit 3 never
    assert row["units_excluded"] == "not observed in more than 10% of the trials: 3"
    assert row["trials_excluded"] == "a unit was not observed: 20-22"
    assert tensor["unit_id"].values.tolist() == ["0", "1", "2"]
    assert np.isfinite(tensor.values).all()


def test_every_plane_is_aligned_by_its_own_clock(tmp_path, sound_trials):
    columns = [column(name, sound_trials[name].to_list()) for name in list(sound_trials)[2:]]
    times = [0.03 + np.arange(0, 200, 0.05), 0.01 + np.arange(0, 200, 0.05)]
    path = wild_nwb(
        tmp_path / "a.nwb",
        intervals(start=sound_trials["start_time"], columns=columns),
        planes(
            {"name": "plane0", "data": np.column_stack([times[0]] * 2), "timestamps": times[0]},
            {"name": "plane1", "data": np.column_stack([times[1], times[1] + 0.02]), "timestamps": times[1]},
            columns={"delay": [0.0, 0.02]},
        ),
    )
    # a frame's value is the time at which it was taken, so a bin of two frames holds their mean time
    row, tensor, _ = only(path, config(response={"roi_series": "plane*"}))
    assert row["reason"] == ""
    since = tensor.values - tensor["event_time"].values[:, np.newaxis, np.newaxis]
    assert tensor["unit_id"].values.tolist() == ["plane0/100", "plane0/101", "plane1/100", "plane1/101"]
    np.testing.assert_allclose(since[:, 0], np.broadcast_to(tensor["time"] + 0.005, since[:, 0].shape), atol=1e-4)
    np.testing.assert_allclose(since[:, 2], np.broadcast_to(tensor["time"] - 0.015, since[:, 2].shape), atol=1e-4)
    _, tensor, _ = only(path, config(response={"roi_series": ["plane1"], "time_offset": "delay"}))
    since = tensor.values - tensor["event_time"].values[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(since[:, 1], np.broadcast_to(tensor["time"] + 0.005, since[:, 1].shape), atol=1e-4)


def test_a_session_none_of_whose_rois_pass(make_nwb, sound_trials):
    path = make_nwb(trials=sound_trials, rois=np.ones((4000, 2)), rate=20.0)
    row, _, _ = only(path, config(response={"filter": "id > 500"}))
    assert row["reason"] == "too few units: 0, inclusion.min_units is 2"
    assert row["units_excluded"] == "does not pass response.filter: 100, 101"


def test_a_plane_whose_frames_are_further_apart_than_bins(tmp_path):
    slow = {"name": "b", "data": np.ones((90, 2)), "rate": 4.0}
    path = wild_nwb(
        tmp_path / "a.nwb",
        planes({"name": "a", "data": np.ones((900, 2)), "rate": 40.0}, slow),
        series("odor", np.tile([0, 1, 0, 2], 10), timestamps=np.arange(40.0)),
    )
    settings = config(
        trials={"series": "odor", "align_to": "start_time", "category": "value", "stimulus": None, "choice": None,
                "correct": None, "response_time": None},
        classes={"target": ["1"], "nontarget": ["2"], "probe": []},
        response={"roi_series": ["a", "b"]},
    )  # fmt: skip
    row, _, _ = only(path, settings)
    assert row["reason"] == "frames are 0.25 s apart, further than bins of 0.1 s; set response.bin to at least 0.25"


def test_a_study_without_a_table_of_trials(tmp_path):
    odor = np.zeros(2100)
    for trial in range(20):
        odor[100 * trial + 50 : 100 * trial + 60] = 1 + trial % 2
    path = wild_nwb(
        tmp_path / "a.nwb",
        series("odor", odor, rate=10.0),
        units([np.arange(20) * 10.0 + 5.2, np.arange(0, 210, 0.1), np.arange(0.05, 210, 0.2)]),
    )
    settings = config(
        trials={"series": "odor", "align_to": "start_time", "category": "value", "stimulus": None, "choice": None,
                "correct": None, "response_time": None},
        classes={"target": ["1"], "nontarget": ["2"], "probe": []},
    )  # fmt: skip
    row, tensor, _ = only(path, settings)
    assert row["included"]
    assert tensor["class"].values.tolist() == ["target", "nontarget"] * 10
    assert tensor["event_time"].values.tolist() == (np.arange(20) * 10.0 + 5).tolist()
    np.testing.assert_allclose(tensor.sel(time=0.25).values[:, 0], 10.0)


# Sessions left out ----------------------------------------------------------------------------


def test_a_session_with_too_few_units_keeps_its_behaviour(make_nwb, sound_trials, spikes):
    row, tensor, behavior = only(
        make_nwb(trials=sound_trials, spikes=[*spikes, []]), config(inclusion={"min_units": 4})
    )
    assert tensor is None
    assert not row["included"]
    assert row["reason"] == "too few units: 3, inclusion.min_units is 4"
    assert (row["n_units"], row["n_trials"], row["n_units_excluded"]) == (0, 0, 1)
    assert behavior["accuracy"].tolist() == [1.0, 1.0, 1.0]


def test_a_session_without_a_usable_unit_does_not_blame_the_trials(make_nwb, sound_trials):
    row, _, _ = only(make_nwb(trials=sound_trials, spikes=[[2.0, 1.0], [3.0, 1.0]]), config())
    assert row["reason"] == "too few units: 0, inclusion.min_units is 2"
    assert row["units_excluded"] == "spike times are not in ascending order: 0, 1"
    assert row["n_trials_excluded"] == 0


def test_a_class_with_too_few_trials(make_nwb, sound_trials, spikes):
    sound_trials.loc[10:, "trial_type"] = ["target"] * 25 + ["probe"] * 5
    row, _, _ = only(make_nwb(trials=sound_trials, spikes=spikes), config(inclusion={"min_trials_per_class": 6}))
    assert row["reason"] == "too few trials: nontarget 5; inclusion.min_trials_per_class is 6"


def test_a_session_without_a_usable_trial(make_nwb, sound_trials, spikes):
    row, _, behavior = only(make_nwb(trials=sound_trials.assign(trial_type="water"), spikes=spikes), config())
    assert row["reason"].startswith("too few trials: target 0, nontarget 0")
    assert row["trials_excluded"] == "category 'water' is in no class: 0-39"
    assert behavior["n_trials"].tolist() == [0]


def test_frames_further_apart_than_bins(make_nwb, sound_trials):
    path = make_nwb(trials=sound_trials, rois=np.ones((900, 2)), timestamps=np.arange(900) * 0.23)
    row, tensor, _ = only(path, config())
    assert tensor is None
    assert row["reason"] == "frames are 0.23 s apart, further than bins of 0.1 s; set response.bin to at least 0.23"


@pytest.mark.parametrize(
    ("change", "reason", "behaves"),
    [
        ({"trials": None}, "no interval table 'trials'", False),
        ({"spikes": None}, "no units with spike_times", True),
        ({"drop": "odor"}, "table 'trials' has no column 'odor'", False),
        ({"spikes": [np.array([5000.0, 180000.0])] * 3}, "units: spike_times reach 180000", True),
    ],
    ids=["trials", "units", "column", "ms"],
)
def test_one_bad_session_does_not_stop_the_others(make_nwb, sound_trials, spikes, change, reason, behaves):
    good = {"trials": sound_trials, "spikes": spikes}
    bad = {"trials": sound_trials.drop(columns=change["drop"]), "spikes": spikes} if "drop" in change else good | change
    paths = [
        make_nwb(f"{n}.nwb", session=f"d{n}", start=DAY + timedelta(days=n), **(bad if n == 1 else good))
        for n in range(3)
    ]
    rows, tensors, behavior = prepared(index_study(paths), config())
    assert rows["included"].tolist() == [True, False, True]
    assert rows["reason"][1].startswith(reason)
    assert [name for name, tensor in tensors.items() if tensor is not None] == ["d0", "d2"]
    assert ("d1" in set(behavior["session"])) == behaves


def test_a_file_that_breaks_after_it_was_indexed(make_nwb, sound_trials, spikes):
    path = make_nwb(trials=sound_trials, spikes=spikes)
    index = index_study([path])
    path.write_bytes(path.read_bytes()[:20000])
    rows, _, behavior = prepared(index, config())
    assert rows["reason"][0].startswith("damaged, truncated or not valid NWB")
    assert behavior.empty


def test_a_session_that_the_index_left_out_is_not_opened(make_nwb, sound_trials, spikes, tmp_path):
    path = make_nwb(trials=sound_trials, spikes=spikes)
    shutil.copy(path, tmp_path / "b.nwb")
    index = index_study(find_files(tmp_path))
    (tmp_path / "b.nwb").unlink()
    rows, tensors, _ = prepared(index, config())
    assert rows["reason"].tolist() == ["", f"same session as {path}"]
    assert rows["sha256"].tolist() == [sha256(path), ""]
    assert len(tensors) == 2


def test_a_config_that_makes_no_sense_is_not_blamed_on_the_sessions(make_nwb, sound_trials, spikes):
    index = index_study([make_nwb(trials=sound_trials, spikes=spikes)])
    with pytest.raises(ConfigError, match="is not an expression"):
        prepared(index, config(trials={"filter": "odor ="}))


def test_a_config_error_while_aligning_stops_everything(make_nwb, sound_trials, spikes, monkeypatch):
    def refuse(*args, **kwargs):
        raise ConfigError("not like this")

    index = index_study([make_nwb(trials=sound_trials, spikes=spikes)])
    monkeypatch.setattr("piriform.prepare.read_activity", refuse)
    with pytest.raises(ConfigError, match="not like this"):
        prepared(index, config())


# Phases ---------------------------------------------------------------------------------------


@pytest.fixture
def learning(make_nwb, sound_trials, spikes):
    """Ten days: half right on the first three, three quarters on the fourth, then all."""
    share = [0.5, 0.5, 0.5, 0.75, 1, 1, 1, 1, 1, 1]
    rank = np.arange(40) // 2 / 20
    return index_study(
        [
            make_nwb(
                f"{n}.nwb",
                session=f"d{n}",
                start=DAY + timedelta(days=n),
                spikes=spikes,
                trials=sound_trials.assign(correct=rank < share[n]),
            )
            for n in range(10)
        ]
    )


def test_phases_from_the_plateau_reach_every_table(learning):
    rows, tensors, behavior = prepared(learning, config(phases={"from_plateau": True}))
    expected = ["training"] * 4 + ["overtraining"] * 6
    assert behavior["plateau_day"].unique().tolist() == [5.0]
    assert rows["phase"].tolist() == expected
    assert [tensor.attrs["phase"] for tensor in tensors.values()] == expected
    assert behavior[behavior["class"] == "all"]["phase"].tolist() == expected


def test_phases_from_a_day(learning):
    rows, _, behavior = prepared(learning.iloc[:3], config(phases={"overtraining_from_day": 2}))
    assert rows["phase"].tolist() == ["training", "overtraining", "overtraining"]
    assert behavior[behavior["class"] == "all"]["phase"].tolist() == ["training", "overtraining", "overtraining"]


def test_one_session_has_no_plateau(learning):
    rows, tensors, behavior = prepared(learning.iloc[:1], config(phases={"from_plateau": True}))
    assert rows["phase"].tolist() == ["training"]
    assert behavior["plateau_day"].isna().all()
    assert tensors["d0"].sizes["trial"] == 40


def test_phases_from_a_column(make_nwb, sound_trials, spikes):
    settings = config(phases={"column": "stage"})
    rows, tensors, _ = prepared(
        index_study([make_nwb(trials=sound_trials.assign(stage="overtraining"), spikes=spikes)]), settings
    )
    assert rows["phase"][0] == tensors["ses-01"].attrs["phase"] == "overtraining"
    mixed = np.where(np.arange(40) < 20, "training", "overtraining")
    row, tensor, behavior = only(make_nwb("b.nwb", trials=sound_trials.assign(stage=mixed), spikes=spikes), settings)
    assert row["reason"] == "column 'stage' (phases.column) changes within the session: overtraining, training"
    assert tensor is None
    assert behavior.empty


def test_a_column_may_change_in_trials_that_are_left_out(make_nwb, sound_trials, spikes):
    trials = sound_trials.assign(stage="overtraining")
    trials.loc[0, ["stage", "odor_onset_time"]] = ["warm-up", np.nan]
    row, _, _ = only(make_nwb(trials=trials, spikes=spikes), config(phases={"column": "stage"}))
    assert (row["phase"], row["included"]) == ("overtraining", True)


# Scripts --------------------------------------------------------------------------------------


def script(name):
    path = Path(__file__).parents[1] / "workflow" / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"script_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def outputs(tmp_path):
    names = {"trials": "trials/Q.nc", "sessions": "parts/sessions_Q.csv", "behavior": "parts/behavior_Q.csv"}
    return SimpleNamespace(**{name: str(tmp_path / "out" / path) for name, path in names.items()})


def test_the_scripts_make_the_files_of_one_subject(make_nwb, sound_trials, spikes, tmp_path, outputs, capsys):
    for n in range(3):
        kept = spikes if n != 1 else spikes[:1]
        make_nwb(f"nwb/{n}.nwb", session=f"d{n}", start=DAY + timedelta(days=n), trials=sound_trials, spikes=kept)
    (tmp_path / "nwb" / "broken.nwb").touch()
    make_nwb("nwb/r.nwb", subject="R", trials=sound_trials, spikes=spikes)
    settings = config(phases={"overtraining_from_day": 2})
    settings = SimpleNamespace(**{**dict(settings), "data": str(tmp_path / "nwb")})
    index = tmp_path / "out" / "index.csv"

    script("index").main(SimpleNamespace(sessions=str(index)), settings=settings)
    assert load_table(index, "sessions")["subject"].tolist() == ["Q", "Q", "Q", "R", ""]
    assert "4 of 5 sessions, 2 subjects" in capsys.readouterr().out
    script("align").main(SimpleNamespace(index=str(index)), outputs, subject="Q", settings=settings)

    rows = load_table(outputs.sessions, "sessions")
    assert rows["included"].tolist() == [True, False, True]
    assert rows["n_units"].tolist() == [3, 0, 3]
    assert session_names(outputs.trials) == ["d0", "d2"]
    tensor = load_trials(outputs.trials, "d2")
    assert (tensor.attrs["day"], tensor.attrs["phase"], tensor.attrs["subject"]) == (3, "overtraining", "Q")
    assert set(load_table(outputs.behavior, "behavior")["session"]) == {"d0", "d1", "d2"}


def test_a_subject_of_whom_nothing_is_left_has_its_files(make_nwb, tmp_path, outputs):
    make_nwb("nwb/0.nwb")
    settings = SimpleNamespace(**{**dict(config()), "data": str(tmp_path / "nwb")})
    index = SimpleNamespace(index=str(tmp_path / "index.csv"), sessions=str(tmp_path / "index.csv"))
    script("index").main(index, settings=settings)
    script("align").main(index, outputs, subject="Q", settings=settings)
    assert session_names(outputs.trials) == []
    assert load_table(outputs.sessions, "sessions")["reason"][0].startswith("no interval table")
    assert load_table(outputs.behavior, "behavior").empty


def test_a_bad_filter_stops_the_study_at_once(tmp_path):
    settings = config(trials={"filter": "odor ="})
    with pytest.raises(ConfigError, match="filter 'odor =' is not an expression"):
        script("index").main(SimpleNamespace(sessions=str(tmp_path / "index.csv")), settings=settings)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StudyError, match="no folder unused"):
        script("index").main(SimpleNamespace(sessions=str(tmp_path / "index.csv")), settings=config())


# Real files -----------------------------------------------------------------------------------


@pytest.mark.real
def test_a_thalamus_recording(real_data):
    settings = config(
        trials={
            "align_to": "cue_start_time", "stimulus": None, "category": "type", "choice": None, "correct": "response",
            "correct_values": ["correct"], "response_time": None, "filter": "stim_present == 0",
        },
        classes={"target": ["lick left"], "nontarget": ["lick right"], "probe": []},
        inclusion={"min_units": 1},
    )  # fmt: skip
    path = real_data / "nwb" / "sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb"
    rows, tensors, behavior = prepared(index_study([path]), settings)
    tensor = next(iter(tensors.values()))
    assert tensor.sizes["trial"] == rows["n_trials"][0] == 279
    assert rows["n_trials_excluded"][0] == 133
    assert tensor.sizes["unit"] + rows["n_units_excluded"][0] == 4
    assert behavior.set_index("class")["n_trials"].to_dict() == {"target": 142, "nontarget": 137, "all": 279}
