import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import yaml

from piriform.check import check_lines, check_study
from piriform.config import parse_config
from piriform.errors import ConfigError, StudyError
from piriform.measure import session_metrics
from piriform.nwb import read_trials
from piriform.prepare import session_of, session_tensor
from piriform.simulate import simulate_study
from piriform.study import find_files, index_study
from piriform.task import composition, matched_counts

ALWAYS = [np.array([1.0, 50.0, 190.0])] * 5
OBSERVED = [[[0.0, 200.0]]] * 5


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Two subjects, two days."""
    return simulate_study(tmp_path_factory.mktemp("study"), subjects=2, days=2, seed=3).parent


@pytest.fixture
def config(tmp_path):
    """A function that writes a config and returns its path."""

    def write(**sections):
        path = tmp_path / "study.yaml"
        values = {"data": "d", "classes": {"target": ["target"], "nontarget": ["nontarget"]}} | sections
        path.write_text(yaml.safe_dump(values))
        return path

    return write


@pytest.fixture
def other_names():
    """Forty trials as another lab writes them, with classes that no config knows yet."""
    start = np.arange(40) * 5.0
    go = np.arange(40) % 2 == 0
    return pd.DataFrame(
        {
            "start_time": start,
            "stop_time": start + 4,
            "stim_on": start + 1,
            "condition": np.where(go, "go", "nogo"),
            "stimulus": np.where(go, "tone A", "tone B"),
            "outcome": np.where(go, "hit", "false alarm"),
            "response": np.where(go, "lick", "none"),
            "lick_time": np.where(go, start + 1.6, np.nan),
            "stage": "expert",
            "temperature": 21.5,
        }
    )


def parts(found):
    return {row["part"]: row for row in found["parts"]}


def metrics(found):
    return {row["metric"]: row for row in found["metrics"]}


# What is there --------------------------------------------------------------------------------


def test_a_simulated_study_is_told_as_it_was_made(simulated):
    found = check_study(simulated)
    assert (found["n_files"], found["n_usable"]) == (4, 4)
    assert [(row["subject"], row["day"]) for row in found["sessions"]] == [("Q", 1), ("Q", 2), ("R", 1), ("R", 2)]
    for row in found["sessions"]:
        trials = read_trials(row["file"], parse_config({"data": "d", "classes": found["config"]["classes"]}).trials)
        assert (
            row["rows"] == len(trials) == sum(row["classes"].values()) + row["excluded"].get("after the last choice", 0)
        )
        assert (row["phase"], row["reason"], row["windows_outside"]) == ("training", "", 0)
    first = found["subjects"][0]
    assert (first["subject"], first["n_sessions"], first["n_usable"], first["days"]) == ("Q", 2, 2, [1, 2])
    assert first["phases"] == {"training": 2}
    assert found["columns"]["missing"] == {}
    assert found["columns"]["unmapped"] == []


def test_the_metrics_that_are_promised_are_those_that_the_run_gives(simulated):
    found = check_study(simulated)
    settings = parse_config({"data": "d", **{name: found["config"][name] for name in ("classes", "trials", "phases")}})
    settings = settings.model_copy(
        update={"measures": settings.measures.model_copy(update={"n_draws": 1, "n_permutations": 0})}
    )
    rows = [dict(row) for _, row in index_study(find_files(simulated)).iterrows() if row["subject"] == "Q"]
    mapping = {"trials": settings.trials, "classes": settings.classes, "phases": settings.phases}
    windows = {"response": settings.response, "classes": settings.classes}
    parts = windows | {"inclusion": settings.inclusion}
    tensors = []
    for row in rows:
        session = session_of(row, read_trials(row["file"], settings.trials, phase="training_phase"), **mapping)
        tensors.append(session_tensor(session, **parts)[1])
    counts = matched_counts(tensors, measures=settings.measures, **parts)
    given = session_metrics(
        tensors[0],
        measures=settings.measures,
        **windows,
        n_units=counts["n_units"],
        n_trials={"all": counts["n_trials"]["all"]},
        shares=composition(tensors, **windows),
        seed=1,
        matchings=("matched",),
    )
    promised = {name: row["n_sessions"] == row["of"] for name, row in metrics(found).items()}
    promised.pop("margin_hard")  # whether classes are separable is in the activity, which check does not read
    assert {row["metric"]: row["status"] == "ok" for row in given if row["metric"] != "margin_hard"} == promised
    assert set(promised.values()) == {True, False}


def test_what_the_analysis_still_needs(simulated, config):
    found = check_study(simulated)
    assert not parts(found)["verdict"]["possible"]
    assert parts(found)["verdict"]["reason"] == "needs 3 subjects with 5 sessions of overtraining, has 0"
    assert parts(found)["plateau"]["reason"] == "needs 4 days, the longest series has 2"
    assert parts(found)["behaviour"]["possible"]
    asked = config(phases={"from_plateau": True}, verdict={"min_subjects": 2, "min_sessions": 3})
    found = check_study(simulated, config=asked)
    assert parts(found)["verdict"]["reason"] == "needs 2 subjects with 3 sessions, has 0"
    assert found["subjects"][0]["phases"] == {"not yet known": 2}


def test_without_outcomes_there_is_no_verdict(simulated, config):
    found = check_study(simulated, config=config(trials={"correct": None, "choice": None, "response_time": None}))
    assert parts(found)["verdict"]["reason"] == parts(found)["plateau"]["reason"] == "needs trials.correct"


def test_sessions_that_a_conversion_refused_are_told(simulated, tmp_path):
    shutil.copytree(simulated, tmp_path / "made")
    refused = {
        "format": "raster",
        "source": "src",
        "files": {},
        "refused": [{"name": "a.mat", "reason": "a.mat: cut off"}],
    }
    (tmp_path / "made" / "converted.json").write_text(json.dumps(refused))
    found = check_study(tmp_path / "made")
    row = next(row for row in found["sessions"] if row["file"] == "a.mat")
    assert (row["usable"], row["reason"]) == (False, "not converted: cut off")
    assert found["n_files"] == check_study(simulated)["n_files"]


def test_a_verdict_that_hangs_on_the_plateau_is_neither_promised_nor_denied(make_nwb, sound_trials, config):
    for subject in "QR":
        for day in (1, 2, 3):
            path = make_nwb(
                f"s/{subject}{day}.nwb",
                subject=subject,
                session=f"{day}",
                start=datetime(2024, 1, day, 9, tzinfo=UTC),
                trials=sound_trials.assign(phase="late"),
                spikes=ALWAYS,
            )
    rule = {"min_subjects": 2, "min_sessions": 3}
    found = check_study(path.parent, config=config(phases={"from_plateau": True}, verdict=rule))
    assert parts(found)["verdict"]["possible"] is None
    assert "  ?         known once the run has found the plateau" in check_lines(found)
    late = {"column": "phase", "overtraining_values": ["late"]}
    assert parts(check_study(path.parent, config=config(phases=late, verdict=rule)))["verdict"]["possible"] is True
    fixed = {"overtraining_from_day": 2}
    found = check_study(path.parent, config=config(phases=fixed, verdict=rule))
    assert parts(found)["verdict"]["reason"] == "needs 2 subjects with 3 sessions of overtraining, has 0"
    assert found["subjects"][1]["phases"] == {"training": 1, "overtraining": 2}


def test_the_reasons_of_metrics_name_what_is_missing(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=ALWAYS, obs_intervals=OBSERVED)
    found = metrics(check_study(path.parent, config=config(response={"baseline_window": None})))
    assert found["decoding_accuracy"]["n_sessions"] == found["decoding_accuracy"]["of"] == 1
    assert found["similarity_cosine"]["reasons"] == {"needs response.baseline_window": 1}
    assert found["generalization_stimulus"]["reasons"] == {"needs at least 2 nontarget stimuli": 1}
    assert found["generalization_probe"]["reasons"] == {"no probe trials in this session": 1}
    assert found["ccgp"]["reasons"] == {"needs 2 to 4 stimuli in each of target and nontarget": 1}
    assert found["generalization_day"]["reasons"] == {"needs response.tracked_id": 1}
    asked = {"metrics": ["separation_modulation"], "permute_within": "block"}
    found = metrics(check_study(path.parent, config=config(measures=asked)))
    assert found["ccgp"]["reasons"] == {"not among measures.metrics": 1}
    assert next(iter(found["separation_modulation"]["reasons"])).startswith("measures.permute_within is block")
    found = metrics(check_study(path.parent, config=config(measures={"n_folds": 21})))
    assert found["decoding_auc"]["reasons"] == {"21 trials of each class needed, the rarest has 20": 1}


def test_a_stratum_that_meets_the_target_once_gives_no_modulation(make_nwb, sound_trials, config):
    later = np.sort(sound_trials["trial_type"])[::-1]  # all targets, then all nontargets
    path = make_nwb("s/a.nwb", trials=sound_trials.assign(trial_type=later), spikes=ALWAYS, obs_intervals=OBSERVED)
    found = metrics(check_study(path.parent, config=config()))["separation_modulation"]
    assert list(found["reasons"]) == ["a stratum of nontargets meets the target in fewer than 2 blocks of the session"]


def test_every_stimulus_a_class(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=ALWAYS, obs_intervals=OBSERVED)
    found = check_study(path.parent, config=config(classes={"by_stimulus": True}))
    assert found["sessions"][0]["classes"] == {"ABC": 20, "DEF": 20}
    possible = [name for name, row in metrics(found).items() if row["n_sessions"]]
    assert sorted(possible) == [
        "decoding_accuracy",
        "noise_correlation",
        "participation_ratio",
        "selectivity",
        "separation_crossnobis",
        "sparseness_lifetime",
        "sparseness_population",
    ]
    assert "  stimuli  " in check_lines(found)


# Windows and recordings -----------------------------------------------------------------------


def test_windows_past_the_end_of_the_recording_are_counted(make_nwb, sound_trials, config):
    # events at 1, 6, ..., 196 s; the tensor reaches 2 s, the response window 0.6 s after them
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=ALWAYS, obs_intervals=[[[0.0, 187.0]]] * 5)
    row = check_study(path.parent, config=config())["sessions"][0]
    assert row["recorded"] == {"start": 0.0, "stop": 187.0, "known_from": "obs_intervals"}
    assert (row["windows_outside"], row["trials_lost"]) == (3, 2)  # those at 186, 191, 196; 186.6 is still inside
    assert row["classes"] == {"target": 19, "nontarget": 19}
    assert row["usable"]


def test_without_obs_intervals_the_last_spike_is_a_hint_alone(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=[np.array([2.0, 187.0])] * 4 + [np.empty(0)])
    found = check_study(path.parent, config=config())
    row = found["sessions"][0]
    assert row["recorded"] == {"start": 0.0, "stop": 187.0, "known_from": "last spike"}
    assert (row["windows_outside"], row["trials_lost"], row["units"]) == (3, 0, 5)
    assert "in 1 session windows run past the last spike" in check_lines(found)


def test_spike_times_in_ms_are_told(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=[np.array([1e3, 199e3])] * 5)
    assert "times must be in seconds" in check_study(path.parent, config=config())["sessions"][0]["reason"]


def test_rois_are_counted_and_their_frames_compared_with_the_bins(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, rois=np.ones((1000, 6)), rate=5.0)
    row = check_study(path.parent, config=config())["sessions"][0]
    assert (row["kind"], row["units"]) == ("roi", 6)
    assert "set response.bin to at least 0.2" in row["reason"]
    sections = check_study(path.parent)["proposal"]["config"]
    assert sections["response"]["bin"] == 0.2
    row = check_study(path.parent, config=config(response=sections["response"]))["sessions"][0]
    assert row["usable"]
    assert row["recorded"] == {"start": 1.0, "stop": 201.0, "known_from": "frames"}


def test_what_the_config_wants_of_the_activity_and_the_file_lacks(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, rois=np.ones((4000, 6)), rate=20.0, series=("A", "B", "C"))
    wanted = [({"kind": "units"}, "no units with spike_times; nothing to analyse"), ({}, "2 RoiResponseSeries fit")]
    wanted.append(({"roi_series": "A", "tracked_id": "cell"}, r"no column 'cell' (response.tracked_id)"))
    for response, reason in wanted:
        assert reason in check_study(path.parent, config=config(response=response))["sessions"][0]["reason"]


# What is missing ------------------------------------------------------------------------------


def test_files_that_cannot_be_used_are_listed_and_the_rest_goes_on(make_nwb, sound_trials, config):
    good = make_nwb("s/a.nwb", session="a", trials=sound_trials, spikes=ALWAYS, obs_intervals=OBSERVED)
    make_nwb("s/b.nwb", session="b", spikes=ALWAYS)
    make_nwb("s/c.nwb", session="c", trials=sound_trials)
    make_nwb("s/d.nwb", session="d", trials=sound_trials, spikes=ALWAYS[:2])
    make_nwb("s/e.nwb", session="e", trials=sound_trials[:10], spikes=ALWAYS)
    (good.parent / "f.nwb").write_bytes(good.read_bytes()[:20_000])
    found = check_study(good.parent, config=config())
    assert (found["n_files"], found["n_usable"]) == (6, 1)
    reasons = [row["reason"] for row in found["sessions"]]
    assert reasons[0] == ""
    assert reasons[1] == "no interval table 'trials'; it has none; set trials.table"
    assert reasons[2].startswith("no units with spike_times")
    assert reasons[3] == "too few units: 2, inclusion.min_units is 4"
    assert reasons[4] == "too few trials: target 5, nontarget 5; inclusion.min_trials_per_class is 10"
    assert "truncated" in reasons[5]
    lines = check_lines(found)
    assert all(f"[{number}] {reason}" in lines for number, reason in enumerate(reasons[1:], start=1))


def test_classes_that_no_trial_belongs_to(make_nwb, sound_trials, config):
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=ALWAYS, obs_intervals=OBSERVED)
    row = check_study(path.parent, config=config(classes={"target": ["CS+"], "nontarget": ["nontarget"]}))["sessions"][
        0
    ]
    assert row["reason"] == "too few trials: target 0; inclusion.min_trials_per_class is 10"
    assert row["excluded"] == {"category 'target' is in no class": 20}


def test_what_the_whole_command_refuses(tmp_path, make_nwb, sound_trials, config):
    with pytest.raises(StudyError, match="no folder"):
        check_study(tmp_path / "gone")
    path = make_nwb("s/a.nwb", trials=sound_trials, spikes=ALWAYS)
    with pytest.raises(ConfigError, match="no session 'ses-1'"):
        check_study(path.parent, config=config(inclusion={"sessions": ["ses-1"]}))
    with pytest.raises(ConfigError, match="is not an expression"):
        check_study(path.parent, config=config(trials={"filter": "odor =="}))


# The proposal ---------------------------------------------------------------------------------


def test_other_names_are_recognised_and_the_proposal_runs_once_classes_are_named(
    make_nwb, other_names, config, tmp_path
):
    path = make_nwb("s/a.nwb", trials=other_names, spikes=ALWAYS, obs_intervals=OBSERVED)
    found = check_study(path.parent)
    assert found["n_usable"] == 0
    assert "no column 'odor_onset_time' (trials.align_to)" in found["sessions"][0]["reason"]
    assert found["columns"]["missing"]["trials.align_to"] == {"column": "odor_onset_time", "n_sessions": 1}
    proposal = found["proposal"]
    assert proposal["config"]["trials"] == {
        "table": "trials",
        "align_to": "stim_on",
        "category": "condition",
        "stimulus": "stimulus",
        "correct": "outcome",
        "correct_values": ["hit"],
        "choice": "response",
        "response_time": "lick_time",
        "block": None,
        "stratum": None,
    }
    assert proposal["config"]["phases"] == {"column": "stage", "overtraining_values": ["expert"]}
    assert proposal["values"]["condition"] == {"go": 20, "nogo": 20}
    assert "# trials of each value of 'condition': go 20, nogo 20\n" in proposal["yaml"]
    with pytest.raises(ConfigError, match="name at least one category"):
        parse_config(yaml.safe_load(proposal["yaml"]))
    filled = tmp_path / "filled.yaml"
    filled.write_text(
        proposal["yaml"].replace("target: []", "target: [go]", 1).replace("nontarget: []", "nontarget: [nogo]")
    )
    again = check_study(path.parent, config=filled)
    assert (again["n_usable"], again["proposal"]) == (1, None)
    assert again["sessions"][0]["classes"] == {"target": 20, "nontarget": 20}
    assert again["sessions"][0]["phase"] == "overtraining"
    assert again["columns"]["unmapped"] == ["temperature"]


def test_a_config_whose_columns_do_not_exist_gets_a_proposal(make_nwb, other_names, config):
    path = make_nwb("s/a.nwb", trials=other_names, spikes=ALWAYS, obs_intervals=OBSERVED)
    found = check_study(path.parent, config=config(trials={"align_to": "stim_onn"}))
    assert "(did you mean 'stim_on'?)" in found["sessions"][0]["reason"]
    assert found["proposal"]["config"]["trials"]["align_to"] == "stim_on"


def test_the_demo_classes_stand_in_the_proposal_where_they_fit(simulated):
    found = check_study(simulated)["proposal"]
    settings = parse_config(found["config"])
    assert settings.classes.target == ["target"]
    assert settings.trials.stratum == "shared_components"


def test_columns_whose_values_cannot_mean_it_are_not_proposed(make_nwb, other_names):
    odd = other_names.assign(
        stim_on=np.where(np.arange(40) % 2, 1.0, 1.2),  # from the trial's start
        outcome=np.where(np.arange(40) % 2, "A", "B"),
        condition="same",
        stage=np.arange(40),
    )
    path = make_nwb("s/a.nwb", trials=odd, spikes=ALWAYS)
    found = check_study(path.parent)["proposal"]
    trials = found["config"]["trials"]
    assert (trials["align_to"], trials["correct"], trials["category"]) == ("start_time", None, "stimulus")
    assert found["config"]["phases"] == {}
    notes = " ".join(found["notes"])
    assert "'stim_on' holds no times in s from the session's start" in notes
    assert "'outcome' holds A, B: name those that mean right in trials.correct_values" in notes
    assert "no column of trial types was found: trials.category is 'stimulus', a guess" in notes


def test_a_response_that_says_right_or_wrong_is_the_outcome(make_nwb, other_names):
    told = np.where(np.arange(40) % 3, "correct", "early lick")
    path = make_nwb("s/a.nwb", trials=other_names.drop(columns="outcome").assign(response=told), spikes=ALWAYS)
    trials = check_study(path.parent)["proposal"]["config"]["trials"]
    assert (trials["correct"], trials["correct_values"], trials["choice"]) == ("response", ["correct"], None)


def test_another_table_is_found_and_odd_columns_do_not_disturb(make_nwb, other_names):
    path = make_nwb("s/a.nwb", trials=other_names, table="presentations", spikes=ALWAYS)
    found = check_study(path.parent)
    assert "no interval table 'trials'" in found["sessions"][0]["reason"]
    assert found["proposal"]["config"]["trials"]["table"] == "presentations"
    assert found["sessions"][0]["rows"] == 40


def test_without_any_table_there_is_nothing_to_propose(make_nwb):
    path = make_nwb("s/a.nwb", spikes=ALWAYS)
    found = check_study(path.parent)
    assert (found["proposal"], found["n_usable"], found["sessions"][0]["units"]) == (None, 0, 5)


def test_published_files_are_told_or_refused(real_data):
    found = check_study(real_data / "nwb")
    reasons = {row["session"] or row["file"].rpartition("/")[2]: row["reason"] for row in found["sessions"]}
    assert reasons["2.3.2_old_electrodes_table_full.nwb"].startswith("no subject.subject_id")
    assert reasons["allen_NWB1.0.5_496908818s.nwb"].startswith("written in NWB 1.0.5")
    row = found["sessions"][0]
    assert (row["subject"], row["rows"], row["units"]) == ("anm00239123", 412, 4)
    trials = found["proposal"]["config"]["trials"]
    assert (trials["align_to"], trials["correct"], trials["category"]) == ("cue_start_time", "response", "type")
    assert found["proposal"]["values"]["type"] == {"non-performing": 70, "lick right": 170, "lick left": 172}


# The command ----------------------------------------------------------------------------------


def test_the_command_ends_with_0_1_or_2(piriform, simulated, make_nwb, other_names, config, tmp_path):
    code, said, complained = piriform("check", simulated)
    assert (code, complained) == (0, "")
    assert said.splitlines()[0].startswith(f"{simulated}: 4 files, 2 subjects; 4 sessions usable with ")
    path = make_nwb("s/a.nwb", trials=other_names, spikes=ALWAYS)
    code, said, complained = piriform("check", path.parent)
    assert (code, complained) == (1, "")
    assert "proposed config, by the names of the columns" in said
    assert piriform("check", tmp_path / "gone")[0] == 1
    code, _, complained = piriform("check", simulated, "--config", config(sed=1))
    assert code == 2
    assert "unknown key 'sed' (did you mean 'seed'?)" in complained
    assert piriform("check")[0] == 2


def test_the_text_tells_columns_apart(simulated, make_nwb, other_names):
    path = make_nwb("s/a.nwb", trials=other_names, spikes=ALWAYS)
    lines = check_lines(check_study(path.parent))
    assert "  missing (sessions): trials.align_to = odor_onset_time (1), " in lines
    assert "  not used: stim_on, condition, " in lines
    lines = check_lines(check_study(simulated))
    assert "  missing (sessions): none\n  not used: none\n" in lines
    assert "verdict                     no        needs 3 subjects with 5 sessions of overtraining, has 0" in lines


def test_the_command_prints_json(piriform, simulated):
    code, said, _ = piriform("check", simulated, "--json")
    found = json.loads(said)
    assert (code, found["n_usable"]) == (0, 4)
    assert found == json.loads(json.dumps(check_study(simulated)))
