"""Slopes of each subject over overtraining: known answers, oracles, and why a subject does not enter."""

import numpy as np
import pandas as pd
import pytest
from verdict_tables import FLAT, GROWTH, PRIMARY, STILL, SUBJECTS, behavior_rows, metric_rows

from piriform.config import Verdict
from piriform.trends import (
    behavior_slopes,
    metric_slopes,
    sampling_sd,
    serial_slopes,
    subject_trends,
)
from piriform.trends import (
    metric_rows as known_rows,
)


def trends_of(metrics, behavior):
    """The subjects of two tables, as the verdict makes them."""
    window, behaved = (table[table["phase"] == "overtraining"] for table in (metrics, behavior))
    serial = serial_slopes(known_rows(window, (PRIMARY, "all", "matched")))
    slopes = {"neural": metric_slopes(window), "acting": behavior_slopes(behaved), "serial": serial}
    return subject_trends(metrics, behavior, **slopes, rule=Verdict())


def test_subjects_carry_their_own_slopes():
    found = trends_of(metric_rows(GROWTH), behavior_rows(FLAT))
    assert [subject["subject"] for subject in found] == list(SUBJECTS)
    for subject in found:
        assert subject["slope"] == pytest.approx(GROWTH[subject["subject"]])
        assert subject["behavior_slope"] == pytest.approx(FLAT[subject["subject"]])
        assert np.isnan(subject["fixed_slope"])
        assert (subject["n_sessions"], subject["window"], subject["plateau_day"]) == (10, [5, 14], 5.0)
        assert subject["included"]


def test_fixed_stimuli_have_slopes_of_their_own():
    metrics = pd.concat([metric_rows(GROWTH), metric_rows(STILL, stimuli="fixed")])
    found = {subject["subject"]: subject["fixed_slope"] for subject in trends_of(metrics, behavior_rows(FLAT))}
    assert found == pytest.approx(STILL)


def test_each_metric_rises_when_it_learns():
    rows = pd.concat([metric_rows(GROWTH), metric_rows(GROWTH, metric="similarity_dot_cv", matching="full")])
    found = metric_slopes(rows)
    assert set(found) == {(PRIMARY, "all", "matched"), ("similarity_dot_cv", "all", "full")}
    assert found[PRIMARY, "all", "matched"]["Q"].slope == pytest.approx(0.5)
    assert found["similarity_dot_cv", "all", "full"]["Q"].slope == pytest.approx(-0.5)


def test_values_that_are_not_ok_do_not_enter():
    rows = metric_rows({"Q": 0.5})
    rows.loc[rows["day"] > 12, ["value", "status"]] = [99.0, "too few units"]
    line = metric_slopes(rows)[PRIMARY, "all", "matched"]["Q"]
    assert (line.n, line.slope) == (12, pytest.approx(0.5))


def test_days_with_many_trials_weigh_more_in_behaviour():
    """Days 0, 10, 20 with 1, 1, 2 trials and accuracy 0, 0, 1: mean x 1.25, S_xy 1.5, S_xx 2.75."""
    rows = pd.DataFrame({"subject": "Q", "day": [0, 10, 20], "accuracy": [0.0, 0.0, 1.0], "n_trials": [1, 1, 2]})
    assert behavior_slopes(rows)["Q"].slope == pytest.approx(1.5 / 2.75)


def test_sampling_sd_is_that_of_binomial_outcomes():
    """2000 subjects right with p = .8: the SD of their slopes, within 4 standard errors (SD / sqrt(2 n))."""
    rng = np.random.default_rng(0)
    day, n_trials, n_subjects = np.array([1, 2, 4, 9]), np.array([40, 80, 40, 60]), 2000
    rows = pd.DataFrame(
        {
            "subject": np.repeat([f"s{i}" for i in range(n_subjects)], len(day)),
            "day": np.tile(day, n_subjects),
            "n_trials": np.tile(n_trials, n_subjects),
            "accuracy": (rng.binomial(n_trials, 0.8, (n_subjects, len(day))) / n_trials).ravel(),
        }
    )
    x, y = day / 10, rows["accuracy"].to_numpy().reshape(n_subjects, -1)
    centred = n_trials * (x - np.average(x, weights=n_trials))
    sd = np.std(y @ centred / (centred @ x), ddof=1)
    assert sampling_sd(rows) == pytest.approx(sd, rel=4 / np.sqrt(2 * n_subjects))
    assert sampling_sd(rows.iloc[:0]) == 0.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": [5, 6, 7]}, "{} is known in 3 of 3 overtraining sessions, 5 needed; behaviour is known in 3 of 3"),
        ({"first": 99}, "no overtraining session"),
        ({"days": [7] * 6}, "{} is known on one day only; behaviour is known on one day only"),
    ],
    ids=["three days", "no window", "one day"],
)
def test_a_subject_that_does_not_enter_says_why(change, reason):
    metrics, behavior = metric_rows({"Q": 0.5}, **change), behavior_rows({"Q": 0.0}, **change)
    for table in (metrics, behavior):
        table["session"] = [f"{number:02d}" for number in range(len(table))]
    subject = trends_of(metrics, behavior)[0]
    assert not subject["included"]
    assert subject["reason"].startswith(reason.format(PRIMARY))
