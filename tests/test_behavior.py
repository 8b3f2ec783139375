"""Accuracy, learning curve and plateau: known answers, oracles, simulated animals, errors."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import binom

from piriform.behavior import behavior_table, learning_curve, mean_interval, plateau_day, wilson_interval
from piriform.config import Plateau
from piriform.errors import PiriformError
from piriform.tables import TABLES

# Mouse M260, balanced accuracy of anticipatory licking (Wang et al. 2020): day 1 is 2 October, day 5 is 6 October.
M260_DAY = [1, 3, 4, 5, 7, 8, 9, 10, 11]
M260_ACCURACY = [0.50, 0.50, 0.77, 0.98, 1.00, 1.00, 0.98, 0.98, 1.00]


def animal(rng, *, n_days=18, n_trials=200, base=0.5, top=0.95, midpoint=4.0, width=0.9, day_sd=0.2):
    """Accuracy per day of an animal that learns; day effects in log-odds."""
    day = np.arange(1, n_days + 1)
    p = base + (top - base) * expit((day - midpoint) / width)
    p = expit(logit(p) + day_sd * rng.normal(size=n_days))
    return day, rng.binomial(n_trials, p) / n_trials, np.full(n_days, n_trials)


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


# Known answers


@pytest.mark.parametrize(
    ("k", "n", "ends"), [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611))]
)
def test_wilson_interval_of_newcombe(k, n, ends):
    """Newcombe 1998, Statistics in Medicine 17:857, Table I, method 3."""
    assert wilson_interval(k, n) == pytest.approx(ends, abs=5e-5)


def test_wilson_interval_agrees_with_scipy():
    from scipy.stats import binomtest

    oracle = binomtest(7, 9).proportion_ci(confidence_level=0.9, method="wilson")
    assert wilson_interval(7, 9, level=0.9) == pytest.approx((oracle.low, oracle.high))


def test_mean_interval_by_hand():
    low_a, high_a = wilson_interval(45, 50)
    low_b, high_b = wilson_interval(30, 50)
    down = np.hypot(0.9 - low_a, 0.6 - low_b) / 2
    up = np.hypot(high_a - 0.9, high_b - 0.6) / 2
    assert mean_interval([45, 30], [50, 50]) == pytest.approx((0.75, 0.75 - down, 0.75 + up))


def test_mouse_m260_reaches_its_plateau_on_the_sixth_of_october():
    found = plateau_day(M260_DAY, M260_ACCURACY, [48] * 9)
    assert (found.day, found.reason) == (5.0, "")
    assert found.curve.base == pytest.approx(0.5, abs=0.03)
    assert found.curve.top == pytest.approx(0.99, abs=0.01)


@pytest.mark.parametrize("n_trials", [39, 44, 48])
@pytest.mark.parametrize("fraction", [0.95, 0.98])
def test_the_plateau_of_m260_does_not_hang_on_details(n_trials, fraction):
    assert plateau_day(M260_DAY, M260_ACCURACY, [n_trials] * 9, fraction=fraction).day == 5


@pytest.mark.parametrize(("width", "first"), [(0.3, 6), (1.0, 9)])
def test_plateau_of_a_noiseless_curve(width, first):
    """With 10^5 trials a day: the first whole day from midpoint + 3.89 width on."""
    day = np.arange(1, 19)
    accuracy = 0.5 + 0.45 * expit((day - 4.2) / width)
    assert np.ceil(4.2 + width * logit(0.98)) == first
    found = plateau_day(day, accuracy, [100_000] * 18)
    assert found.day == first
    assert (found.curve.midpoint, found.curve.width) == pytest.approx((4.2, width), rel=0.03)


def test_a_jump_ends_on_the_day_after_it():
    assert plateau_day([1, 2, 3, 6, 7, 8], [0.5, 0.5, 0.5, 1.0, 1.0, 1.0], [50] * 6).day == 6


# Definition


@pytest.mark.parametrize("seed", range(5))
def test_curve_is_the_likelihood_maximum(seed):
    day, accuracy, n = animal(np.random.default_rng(seed))
    k = accuracy * n

    def loss(theta):
        base, top, midpoint, width = expit(theta[0]), expit(theta[1]), theta[2], np.exp(theta[3])
        return -binom.logpmf(np.round(k), n, base + (top - base) * expit((day - midpoint) / width)).sum()

    curve = learning_curve(day, k, n)
    here = [logit(curve.base), logit(curve.top), curve.midpoint, np.log(curve.width)]
    best = minimize(loss, here, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6, "fatol": 1e-8})
    assert loss(here) == pytest.approx(best.fun, abs=0.02)


def test_dispersion_is_pearson_per_degree_of_freedom():
    day, accuracy, n = animal(np.random.default_rng(3), day_sd=0.6)
    curve = learning_curve(day, accuracy * n, n)
    p = curve.at(day)
    assert curve.dispersion == pytest.approx(np.sum(n * (accuracy - p) ** 2 / (p * (1 - p))) / 14, rel=1e-3)
    assert curve.dispersion > 1.5
    assert learning_curve(day, np.round(n * p), n).dispersion == 1.0


# Invariance


def test_order_gaps_and_unknown_days_do_not_matter():
    order = np.random.default_rng(0).permutation(9)
    shuffled = plateau_day(np.array(M260_DAY)[order], np.array(M260_ACCURACY)[order], [48] * 9)
    padded = plateau_day([*M260_DAY, 2, 6], [*M260_ACCURACY, np.nan, 0.1], [48] * 10 + [0])
    assert shuffled.day == padded.day == 5
    assert shuffled.curve == padded.curve


def test_days_shift_with_the_calendar():
    late = plateau_day(np.array(M260_DAY) + 20, M260_ACCURACY, [48] * 9)
    assert late.day == 25


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_interval_holds_the_proportion_and_mirrors(k, n):
    k = min(k, n)
    low, high = wilson_interval(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson_interval(n - k, n) == pytest.approx((1 - high, 1 - low))


# Simulated animals


def test_plateau_is_found_within_a_day_or_so():
    """True start 4 + 3.89 * 0.9 = 7.5; the latest start is beyond it in about 9 of 10 animals."""
    rng = np.random.default_rng(7)
    found = [plateau_day(*animal(rng)) for _ in range(60)]
    days = np.array([plateau.day for plateau in found])
    assert days.mean() == pytest.approx(8.0, abs=0.4)  # the first whole day from 7.5 on
    assert np.std(days) < 1.3
    assert np.mean([plateau.upper >= 7.5 for plateau in found]) > 0.75


def test_no_plateau_is_seen_where_nothing_is_learned():
    rng = np.random.default_rng(8)
    found = [plateau_day(*animal(rng, base=0.5, top=0.5, n_trials=48, n_days=10)) for _ in range(60)]
    assert np.mean([np.isfinite(plateau.day) for plateau in found]) <= 0.1


@pytest.mark.parametrize(
    ("accuracy", "day", "reason"),
    [
        ([0.5, 0.7, 0.9], np.nan, "outcomes on 3 days; a learning curve needs 4"),
        ([0.5] * 8, np.nan, "did not rise"),
        ([0.5, 0.52, 0.49, 0.51, 0.5, 0.48], np.nan, "did not rise"),
        ([1.0] * 8, 1.0, "already at plateau on the first day"),
        ([0.94, 0.95, 0.93, 0.95, 0.96, 0.94], 1.0, "already at plateau on the first day"),
        ([0.95, 0.9, 0.8, 0.7, 0.6, 0.6], np.nan, "behaviour falls"),
        (np.linspace(0.5, 0.9, 9), np.nan, r"still rises on the last day \(9\)"),
    ],
)
def test_what_is_no_plateau_says_why(accuracy, day, reason):
    found = plateau_day(range(1, len(accuracy) + 1), accuracy, [200] * len(accuracy))
    np.testing.assert_equal(found.day, day)
    assert re.search(reason, found.reason)


def test_a_rise_below_the_smallest_one_does_not_count():
    accuracy = [0.80, 0.80, 0.80, 0.88, 0.88, 0.88, 0.88]
    assert plateau_day(range(7), accuracy, [2000] * 7, min_rise=0.05).day == 3
    assert plateau_day(range(7), accuracy, [2000] * 7, min_rise=0.1).reason == "already at plateau on the first day"


def test_two_sessions_a_day_are_one_day():
    found = plateau_day([1, 1, 2, 2, 3], [0.5, 0.5, 0.9, 0.9, 0.9], [100] * 5)
    assert found.reason == "outcomes on 3 days; a learning curve needs 4"
    assert not found.curve.converged


def test_no_curve_where_accuracy_is_constant():
    curve = learning_curve(range(6), [40] * 6, [50] * 6)
    assert not curve.converged
    assert np.isnan(curve.at(3.0))


# The table


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
    learner = [
        session({"target": round(24 * a), "nontarget": round(24 * a)}, {"target": 24, "nontarget": 24}, day=day)
        for day, a in zip(M260_DAY, M260_ACCURACY, strict=True)
    ]
    other = [
        session({"target": 12, "nontarget": 12}, {"target": 24, "nontarget": 24}, subject="R", day=d) for d in M260_DAY
    ]
    table = behavior_table(learner + other, plateau=Plateau())
    assert set(table.loc[table["subject"] == "Q", "plateau_day"]) == {5.0}
    assert table.loc[table["subject"] == "R", "plateau_day"].isna().all()


def test_no_sessions_give_an_empty_table():
    assert behavior_table([], plateau=Plateau()).empty


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(3, 2), "3 of 2 is no proportion"),
        (lambda: wilson_interval(1, 2, level=95), "level is 95"),
        (lambda: learning_curve([1, 2], [1], [2, 2]), r"one length; their shapes are \(2,\), \(1,\)"),
        (lambda: learning_curve([1, 2], [1, 9], [5, 5]), "9 correct of 5 trials on day 2"),
        (lambda: plateau_day([1, 2], [0.5], [9, 9]), r"accuracy has shape \(1,\)"),
        (lambda: plateau_day([1], [0.5], [9], fraction=98), "fraction is 98"),
        (lambda: plateau_day([1], [0.5], [9], min_rise=-1), "min_rise is -1"),
    ],
)
def test_errors_say_what_is_wrong(call, message):
    with pytest.raises(PiriformError, match=message):
        call()
