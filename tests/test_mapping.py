import numpy as np
import pandas as pd
import pytest

from piriform.config import Classes, Trials
from piriform.errors import StudyError
from piriform.mapping import map_trials
from piriform.nwb import read_trials
from piriform.trials import TRIAL_COORDS

CLASSES = Classes(target=["target"], nontarget=["nontarget"], probe=["probe"])


def mapped(raw, *, classes=CLASSES, **mapping):
    return map_trials(raw, trials=Trials(**mapping), classes=classes, where="s1")


# Known answers --------------------------------------------------------------------------------


def test_trials_get_our_terms(sound_trials):
    result = mapped(sound_trials)
    assert set(result.trials) == {*TRIAL_COORDS, "stop_time"}
    assert result.excluded == {}
    first = result.trials.iloc[0].to_dict()
    assert first.pop("latency") == pytest.approx(0.8)
    assert np.isnan(first.pop("block"))
    assert first == {
        "stimulus": "ABC", "category": "target", "class": "target", "stratum": "target", "choice": "right", "correct": 1.0,
        "start_time": 0.0, "stop_time": 4.0, "event_time": 1.0,
    }  # fmt: skip
    assert result.trials["class"].tolist()[:3] == ["target", "nontarget", "target"]


def test_columns_that_the_study_does_not_have(sound_trials):
    table = mapped(sound_trials, stimulus=None, choice=None, correct=None, response_time=None).trials
    assert table["stimulus"].tolist() == table["category"].tolist()
    assert set(table["choice"]) == {""}
    assert table[["correct", "latency"]].isna().all(axis=None)


def test_the_stratum_is_the_column_that_the_config_names(sound_trials):
    sound_trials["shared"] = 2
    assert set(mapped(sound_trials, stratum="shared").trials["stratum"]) == {"2"}


def test_every_stimulus_a_class(sound_trials):
    sound_trials.loc[3, "odor"] = None
    result = mapped(sound_trials, classes=Classes(by_stimulus=True))
    assert set(result.trials["class"]) == {"ABC", "DEF"}
    assert result.excluded == {"no stimulus": [3]}


def test_trials_are_in_order_of_the_event_and_keep_their_number(sound_trials):
    shuffled = sound_trials.sample(frac=1, random_state=0).reset_index(drop=True)
    table = mapped(shuffled).trials
    assert table["event_time"].is_monotonic_increasing
    assert shuffled.loc[table.index, "odor_onset_time"].tolist() == table["event_time"].tolist()


def test_input_is_left_as_it_was(sound_trials):
    before = sound_trials.copy(deep=True)
    mapped(sound_trials, no_choice=["left"], filter="odor == 'ABC'")
    pd.testing.assert_frame_equal(sound_trials, before)


def test_numbers_as_labels(sound_trials):
    sound_trials["trial_type"] = np.where(sound_trials["trial_type"] == "target", 1.0, 2.0)
    table = mapped(sound_trials, classes=Classes(target=["1"], nontarget=["2"])).trials
    assert table["category"].tolist()[:2] == ["1", "2"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([True, False], [1, 0]),
        ([1, 0], [1, 0]),
        ([1.0, 0.0, np.nan], [1, 0, np.nan]),
        (["True", "False", ""], [1, 0, np.nan]),
        (["yes", "No", "n/a"], [1, 0, np.nan]),
        (["correct", "error", None], [1, 0, np.nan]),
        (["Correct", "incorrect", "NaN"], [1, 0, np.nan]),
    ],
)
def test_outcomes(sound_trials, values, expected):
    raw = sound_trials.iloc[: len(values)].assign(correct=pd.Series(values, dtype=object))
    np.testing.assert_array_equal(mapped(raw).trials["correct"], expected)


def test_outcomes_that_the_config_names(sound_trials):
    raw = sound_trials.iloc[:4].assign(correct=["hit", "miss", "", "correct rejection"])
    table = mapped(raw, correct_values=["hit", "correct rejection"]).trials
    np.testing.assert_array_equal(table["correct"], [1, 0, np.nan, 1])


def test_an_outcome_that_nobody_explained(sound_trials):
    raw = sound_trials.assign(correct="early lick")
    with pytest.raises(
        StudyError, match=r"s1: column 'correct' holds 'early lick', neither right nor wrong; .* trials.correct_values"
    ):
        mapped(raw)


def test_blocks_are_numbers_or_numbered(sound_trials):
    raw = sound_trials.iloc[:4].assign(n=[3, 3, 1, 1], name=["b", "b", None, "a"])
    assert mapped(raw, block="n").trials["block"].tolist() == [3, 3, 1, 1]
    np.testing.assert_array_equal(mapped(raw, block="name").trials["block"], [1, 1, np.nan, 2])
    text = raw.assign(name=["b", "b", "", "a"], n=["3.0", "", "1", "nan"])
    np.testing.assert_array_equal(mapped(text, block="name").trials["block"], [1, 1, np.nan, 2])
    np.testing.assert_array_equal(mapped(text, block="n").trials["block"], [3, np.nan, 1, np.nan])


# Trials left out ------------------------------------------------------------------------------


def test_the_filter(sound_trials):
    sound_trials.loc[5, "odor"] = "water"
    result = mapped(sound_trials, filter="odor != 'water'")
    assert result.excluded == {"does not pass trials.filter": [5]}
    assert 5 not in result.trials.index
    with pytest.raises(StudyError, match="s1: filter"):
        mapped(sound_trials, filter="odor > 1")


def test_trials_that_do_not_pass_the_filter_need_make_no_sense(sound_trials):
    sound_trials = sound_trials.astype({"correct": object})
    sound_trials.loc[5, ["odor", "correct"]] = ["water", "nonsense"]
    assert len(mapped(sound_trials, filter="odor != 'water'").trials) == 39


def test_missing_times(sound_trials):
    sound_trials.loc[[2, 4], "odor_onset_time"] = [np.nan, np.inf]
    sound_trials.loc[7, "start_time"] = np.nan
    assert mapped(sound_trials).excluded == {"no odor_onset_time": [2, 4], "no start_time": [7]}


def test_trials_after_the_last_choice(sound_trials):
    sound_trials.loc[[3, 36, 38, 39], "choice"] = "none"
    assert mapped(sound_trials, no_choice=["none"]).excluded == {"after the last choice": [38, 39]}
    assert mapped(sound_trials).excluded == {}


def test_a_session_without_any_choice(sound_trials):
    result = mapped(sound_trials.assign(choice=""), no_choice=[""])
    assert result.excluded == {"after the last choice": list(range(40))}
    assert result.trials.empty


def test_categories_in_no_class_are_named(sound_trials):
    sound_trials.loc[[1, 4, 9], "trial_type"] = ["water", None, "water"]
    assert mapped(sound_trials).excluded == {
        "category 'water' is in no class": [1, 9],
        "category '' is in no class": [4],
    }


def test_the_later_of_two_overlapping_trials(sound_trials):
    sound_trials.loc[3, "stop_time"] = 22.0  # trial 4 starts at 20
    sound_trials.loc[10, "stop_time"] = 61.0  # trials 11 and 12 start at 55 and 60
    sound_trials.loc[11, "stop_time"] = 66.0  # left out itself, so trial 13 stays
    sound_trials.loc[20, "stop_time"] = 105.0  # just touches trial 21
    sound_trials.loc[30, "stop_time"] = np.nan
    assert mapped(sound_trials).excluded == {"starts before the previous trial has ended": [4, 11, 12]}


def test_trials_written_twice(sound_trials):
    twice = pd.concat([sound_trials, sound_trials.iloc[[6]]], ignore_index=True)
    assert mapped(twice).excluded == {"starts before the previous trial has ended": [40]}


def test_every_trial_is_kept_or_listed_once(sound_trials):
    sound_trials.loc[0, ["odor_onset_time", "trial_type", "odor"]] = [np.nan, "water", "x"]
    sound_trials.loc[39, ["choice", "trial_type"]] = ["none", "water"]
    result = mapped(sound_trials, filter="odor != 'x'", no_choice=["none"])
    listed = [number for numbers in result.excluded.values() for number in numbers]
    assert sorted([*listed, *result.trials.index]) == list(range(40))
    assert list(result.excluded) == ["does not pass trials.filter", "after the last choice"]


@pytest.mark.parametrize(
    "change",
    [lambda start: start * 1000, lambda start: start * 0 + 1 + 0.01 * np.arange(40)],
    ids=["ms", "from the trial"],
)
def test_events_on_another_clock(sound_trials, change):
    raw = sound_trials.assign(odor_onset_time=change(sound_trials["start_time"]))
    with pytest.raises(
        StudyError, match=r"s1: 'odor_onset_time' \(trials.align_to\) spans .* and start_time 195 s; both must be in s"
    ):
        mapped(raw)


def test_times_that_are_no_numbers(sound_trials):
    with pytest.raises(StudyError, match="column 'odor_onset_time' must hold one time in s per trial"):
        mapped(sound_trials.assign(odor_onset_time="soon"))


# A real file -----------------------------------------------------------------------------------


@pytest.mark.real
def test_trials_of_a_thalamus_recording(real_data):
    path = real_data / "nwb" / "sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb"
    trials = Trials(
        align_to="cue_start_time", stimulus=None, category="type", choice="response", no_choice=["N/A"], correct="response",
        correct_values=["correct"], response_time=None, filter="stim_present == 0",
    )  # fmt: skip
    classes = Classes(target=["lick left"], nontarget=["lick right"])
    raw = read_trials(path, trials)
    result = map_trials(raw, trials=trials, classes=classes, where=str(path))
    assert result.trials["class"].value_counts().to_dict() == {"target": 142, "nontarget": 137}
    assert {reason: len(rows) for reason, rows in result.excluded.items()} == {
        "does not pass trials.filter": 67,
        "no cue_start_time": 66,
    }
    assert result.trials["correct"].sum() == (raw.loc[result.trials.index, "response"] == "correct").sum() > 100
