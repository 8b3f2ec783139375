"""The power of a study: its scatter taken apart, the smallest change against Monte Carlo, designs, errors."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from verdict_tables import FLAT, PRIMARY, behavior_rows, metric_rows

from piriform.config import Verdict
from piriform.errors import PiriformError, TableError
from piriform.power import chance_of_flat, power_lines, power_of_t, study_power
from piriform.provenance import json_text
from piriform.spread import Scatter, slope_scatter, sum_of_squares
from piriform.stats import smallest_detectable

RULE = Verdict()


def noisy(n_subjects, *, between=0.0, residual=0.2, days=range(1, 15), first=5, seed=0):
    """Rows of the primary metric: slopes with mean .3 and SD ``between`` per 10 days, residuals of each session."""
    rng = np.random.default_rng(seed)
    slopes = {f"s{i:03d}": slope for i, slope in enumerate(rng.normal(0.3, between, n_subjects))}
    rows = metric_rows(slopes, days=days, first=first)
    return rows.assign(value=rows["value"] + rng.normal(0, residual, len(rows)))


# Known answers


def test_scatter_by_hand():
    """Days 0, 10, 20, weights 1: y = (0, 0, 3) and (0, 3, 0): slopes 1.5 and 0, residual SS 1.5 and 6, Sxx 2."""
    rows = pd.DataFrame({"subject": list("aaabbb"), "session": list("123123"), "day": [0, 10, 20] * 2})
    rows = rows.assign(y=[0, 0, 3, 0, 3, 0], n=7)
    found = slope_scatter(rows, value="y", weights="n", min_sessions=3)
    assert (found.n_subjects, found.n_sessions, found.gap) == (2, 3, 10)
    assert found.residual == pytest.approx(np.sqrt((1.5 + 6) / 2))
    assert found.observed == pytest.approx(np.sqrt(1.125))
    assert found.sampling == pytest.approx(np.sqrt(3.75 / 2))
    assert found.between == 0  # 1.125 - 1.875 is below 0
    assert found.slope_sd(3) == pytest.approx(found.here) == pytest.approx(found.sampling)


def test_scatter_of_many_subjects_is_the_true_one():
    """600 subjects, 10 days: standard errors of the SDs about 1.4% (residual), 3% to 6% (slopes)."""
    rows = noisy(600, between=0.15, residual=0.2).query("phase == 'overtraining'")
    found = slope_scatter(rows, value="value", weights="n_units", min_sessions=5)
    assert found.residual == pytest.approx(0.2, rel=0.04)
    assert found.sampling == pytest.approx(0.2 / np.sqrt(0.825), rel=0.04)
    assert found.between == pytest.approx(0.15, rel=0.25)
    assert found.slope_sd(10) == pytest.approx(found.here)


def test_the_smallest_change_of_this_study_is_that_of_the_verdict():
    """Where subjects truly differ the split adds up to the observed SD."""
    rows = noisy(4, between=1.0, residual=0.05)
    found = study_power(rows, None, verdict=RULE)
    assert found["designs"][0]["smallest"] == pytest.approx(smallest_detectable(found["scatter"]["observed"], 4))
    assert found["designs"][0]["percent"] == pytest.approx(100 * found["designs"][0]["smallest"] / found["mean"])


def test_more_sessions_help_only_against_their_own_scatter():
    alike, apart = Scatter(4, 10, 1, 0.2, 0.2, 0.2, 0.0), Scatter(4, 10, 1, 0.0, 0.2, 0.0, 0.2)
    assert alike.slope_sd(20) == pytest.approx(alike.slope_sd(10) * np.sqrt(10 * 99 / (20 * 399)))
    assert apart.slope_sd(20) == apart.slope_sd(10) == 0.2
    assert sum_of_squares(11, 1) == pytest.approx(1.1)


def test_range_is_what_the_chi_square_interval_leaves_open():
    low, high = Scatter(4, 10, 1, 0.1, 0.3, 0.1, np.sqrt(0.08)).limits()
    assert high.here**2 == pytest.approx(3 * 0.09 / stats.chi2.ppf(0.05, 3))
    assert low.here**2 == pytest.approx(3 * 0.09 / stats.chi2.ppf(0.95, 3))
    known = Scatter(4, 10, 1, 0.3, 0.3, 0.3, 0.0).limits()[0]
    assert (known.between, known.here) == (0.0, 0.3)


# Against Monte Carlo


@pytest.mark.parametrize(("n_subjects", "n_sessions", "between"), [(4, 10, 0.15), (8, 20, 0.0), (3, 6, 0.4)])
def test_the_smallest_change_is_found_in_80_percent_of_studies(n_subjects, n_sessions, between):
    """20,000 studies made of days: within 4 binomial standard errors of .8."""
    n_studies, rng = 20_000, np.random.default_rng(n_subjects)
    design = Scatter(4, 10, 1.0, 0.2, 0.0, 0.0, between)
    change = smallest_detectable(design.slope_sd(n_sessions), n_subjects)
    assert power_of_t(change, design.slope_sd(n_sessions), n_subjects) == pytest.approx(0.8)

    x = (np.arange(n_sessions) - (n_sessions - 1) / 2) / 10
    true = rng.normal(change, between, (n_studies, n_subjects, 1))
    slopes = ((true * x + rng.normal(0, 0.2, (n_studies, n_subjects, n_sessions))) @ x) / (x @ x)
    found = stats.ttest_1samp(slopes, 0, axis=1, alternative="greater").pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.8 * 0.2 / n_studies))


@pytest.mark.parametrize(("sd", "n", "floor"), [(0.02, 4, 0.0), (0.03, 4, 0.0), (0.03, 8, 0.025), (0.06, 6, 0.0)])
def test_the_chance_of_flat_is_that_of_simulated_slopes(sd, n, floor):
    n_studies, bound = 20_000, 0.05
    slopes = np.random.default_rng(9).normal(0, sd, (n_studies, n))
    half = stats.t.isf(0.05, n - 1) * np.maximum(slopes.std(axis=1, ddof=1), floor) / np.sqrt(n)
    share = np.mean(np.abs(slopes.mean(axis=1)) + half <= bound)
    expected = chance_of_flat(sd, n, bound=bound, min_sd=floor)
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / n_studies) + 1e-4)
    assert chance_of_flat(0.0, n, bound=bound) == 1


# A whole study


def test_designs_begin_with_this_study_and_more_of_both_finds_less():
    found = study_power(noisy(4, between=0.3), behavior_rows({f"s{i:03d}": 0.01 * i for i in range(4)}), verdict=RULE)
    first, *others = found["designs"]
    assert (first["n_subjects"], first["n_sessions"]) == (4, 10)
    assert [(row["n_subjects"], row["n_sessions"]) for row in others] == [
        (6, 10), (8, 10), (12, 10), (4, 20), (6, 20), (8, 20), (12, 20)
    ]  # fmt: skip
    least = [row["smallest"] for row in others]
    assert least == sorted(least[:3], reverse=True) + sorted(least[3:], reverse=True)
    assert all(row["range"][0] <= row["smallest"] <= row["range"][1] for row in found["designs"])
    assert 0.5 < first["flat"] <= others[0]["flat"] <= others[2]["flat"] <= 1
    assert json.loads(json_text(found))["designs"][0]["flat"] == pytest.approx(first["flat"])


def test_text_has_a_row_per_design_and_says_what_it_assumes():
    found = study_power(noisy(4, between=0.3), None, verdict=RULE, subjects=[5], days=12)
    text = power_lines(found)
    rows = [line.split() for line in text.splitlines() if line[:8].strip().isdigit()]
    assert [row[:2] for row in rows] == [["4", "10"], ["5", "12"]]
    assert rows[0][-2:] == ["this", "study"]
    assert "80% of cases" in text
    assert "independently and alike" in text
    assert "There is no table of behaviour" in text


def test_slopes_that_scatter_less_than_their_sessions_use_the_larger_sd():
    rows = noisy(4, residual=0.0)
    rows["value"] = rows["value"] + np.where(rows["day"] % 2, 0.1, -0.1)
    found = study_power(rows, None, verdict=RULE)
    assert found["designs"][0]["smallest"] == pytest.approx(smallest_detectable(found["scatter"]["sampling"], 4))
    assert found["notes"][1].startswith("the slopes of this study scatter less")


def test_what_cannot_be_told_is_noted():
    below = noisy(4, between=0.3).assign(value=lambda rows: rows["value"] - 9)
    few = behavior_rows(dict.fromkeys(("s000", "s001"), 0.0)).query("subject == 's000' or day > 12")
    found = study_power(below, few, verdict=RULE)
    assert found["notes"] == [
        "behaviour: 1 subject(s) with 5 or more overtraining sessions; the scatter of slopes needs 2",
        f"the mean of {PRIMARY} in the window is not above 0: no percentage",
    ]
    assert np.isnan([found["designs"][0]["percent"], found["designs"][0]["flat"]]).all()
    assert "-" in power_lines(found).splitlines()[3]


@pytest.mark.parametrize(
    ("rows", "options", "error", "message"),
    [
        (noisy(1), {}, PiriformError, r"1 subject\(s\) with 5 or more overtraining sessions"),
        (noisy(4, days=range(1, 8)), {}, PiriformError, r"0 subject\(s\) with 5 or more"),
        (noisy(4, first=99), {}, TableError, f"{PRIMARY} has no value in overtraining; the table holds {PRIMARY}"),
        (noisy(4).assign(metric="ccgp"), {}, TableError, f"{PRIMARY} has no value in overtraining; .* holds ccgp"),
        (metric_rows(dict.fromkeys("QRST", 0.0)), {}, PiriformError, "no scatter to plan with"),
        (metric_rows(dict.fromkeys("QRST", 0.3)), {}, PiriformError, "no scatter to plan with"),
        (noisy(4), {"subjects": [4, 1]}, PiriformError, "subjects: 4, 1; a group test needs 2"),
        (noisy(4), {"days": 2}, PiriformError, "days: 2; a slope with an error needs 3"),
    ],
    ids=[
        "one subject",
        "three days",
        "no window",
        "no metric",
        "constant",
        "no scatter",
        "one subject asked",
        "two days asked",
    ],
)
def test_errors(rows, options, error, message):
    with pytest.raises(error, match=message):
        study_power(rows, behavior_rows(FLAT), verdict=RULE, **options)
