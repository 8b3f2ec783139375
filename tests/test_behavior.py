"""Accuracy per session and class: known answers, missing outcomes, the subject's plateau day."""

import numpy as np
import pandas as pd
import pytest

from piriform.behavior import behavior_table
from piriform.config import Plateau
from piriform.intervals import mean_interval, wilson_interval
from piriform.tables import TABLES


def session(n_right, n_trials, *, subject="Q", day=1, **columns):
    """A session with ``n_right[c]`` of ``n_trials[c]`` trials right in each class."""
    trials = pd.DataFrame(
        [
            {"class": name, "correct": float(i < n_right[name]), "latency": 0.1 * (i + 1)}
            for name in n_trials
            for i in range(n_trials[name])
        ],
        columns=["class", "correct", "latency"],
    ).assign(**columns)
    return {"subject": subject, "session": f"{day:02d}", "day": day, "phase": "training"}, trials


def test_table_of_one_session():
    who, trials = session({"target": 9, "nontarget": 12, "probe": 1}, {"target": 10, "nontarget": 20, "probe": 4})
    table = behavior_table([(who, trials)], plateau=Plateau())
    assert list(table) == list(TABLES["behavior"])
    rows = table.set_index("class")
    assert rows["n_trials"].to_dict() == {"target": 10, "nontarget": 20, "probe": 4, "all": 30}
    assert rows["accuracy"].to_dict() == {"target": 0.9, "nontarget": 0.6, "probe": 0.25, "all": 0.75}
    assert rows.loc["target", ["ci_low", "ci_high"]].tolist() == pytest.approx(wilson_interval(9, 10))
    assert rows.loc["all", ["accuracy", "ci_low", "ci_high"]].tolist() == pytest.approx(
        mean_interval([9, 12], [10, 20])
    )
    assert rows.loc["target", "latency_s"] == pytest.approx(0.5)  # median of .1 .. .9 s, correct trials only
    assert rows["plateau_day"].isna().all()


def test_unknown_outcomes_and_latencies_are_left_out():
    who, trials = session({"target": 4, "nontarget": 4}, {"target": 5, "nontarget": 5})
    trials.loc[[0, 9], "correct"] = np.nan
    trials["latency"] = np.nan
    rows = behavior_table([(who, trials)], plateau=Plateau()).set_index("class")
    assert rows["n_trials"].to_dict() == {"target": 4, "nontarget": 4, "all": 8}
    assert rows.loc["target", "accuracy"] == 0.75
    assert rows["latency_s"].isna().all()


def test_a_session_without_outcomes_keeps_one_row():
    who, trials = session({"target": 4, "nontarget": 4}, {"target": 5, "nontarget": 5}, correct=np.nan)
    table = behavior_table([(who, trials)], plateau=Plateau())
    assert table["class"].tolist() == ["all"]
    assert table["n_trials"].tolist() == [0]
    assert table[["accuracy", "ci_low", "latency_s", "plateau_day"]].isna().all(axis=None)


def test_balanced_accuracy_needs_both_classes():
    probes = behavior_table([session({"probe": 3}, {"probe": 5})], plateau=Plateau()).set_index("class")
    assert probes["accuracy"].isna().to_dict() == {"probe": False, "all": True}
    targets = behavior_table([session({"target": 3}, {"target": 5})], plateau=Plateau()).set_index("class")
    assert targets["accuracy"].isna().to_dict() == {"target": False, "all": True}


def test_many_classes_weigh_equally_where_each_stimulus_is_a_class():
    who, trials = session({"o1": 2, "o2": 4, "o3": 0}, {"o1": 2, "o2": 8, "o3": 5})
    rows = behavior_table([(who, trials)], plateau=Plateau()).set_index("class")
    assert rows.loc["all", "accuracy"] == 0.5


def test_trials_of_no_class_do_not_count():
    who, trials = session({"target": 3, "nontarget": 3, "": 0}, {"target": 4, "nontarget": 4, "": 9})
    rows = behavior_table([(who, trials)], plateau=Plateau()).set_index("class")
    assert rows["n_trials"].to_dict() == {"target": 4, "nontarget": 4, "all": 8}


def test_plateau_day_belongs_to_the_subject():
    n_right = {1: 12, 2: 12, 4: 12, 5: 18, 7: 24, 8: 24, 9: 24, 10: 24}
    both = {"target": 24, "nontarget": 24}
    learner = [session(dict.fromkeys(both, n), both, day=day) for day, n in n_right.items()]
    other = [session(dict.fromkeys(both, 12), both, subject="R", day=day) for day in n_right]
    table = behavior_table(learner + other, plateau=Plateau())
    assert set(table.loc[table["subject"] == "Q", "plateau_day"]) == {7.0}
    assert table.loc[table["subject"] == "R", "plateau_day"].isna().all()


def test_no_sessions_give_an_empty_table():
    assert behavior_table([], plateau=Plateau()).empty
