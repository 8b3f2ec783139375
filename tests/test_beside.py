"""What stands beside the verdict: other tests, who carries it, divergence, families, ladder, other choices."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from verdict_tables import FLAT, GROWTH, PRIMARY, STILL, SUBJECTS, behavior_rows, metric_rows

from piriform.beside import diverging
from piriform.config import Plateau, Verdict
from piriform.divergence import behavior_slope
from piriform.group_tests import hartung_knapp
from piriform.mixed import mixed_slope
from piriform.prevalence import partial_conjunction, prevalence
from piriform.progress import detect
from piriform.provenance import rng_for
from piriform.resampling import family_test, hierarchical_bootstrap, wild_bootstrap
from piriform.rungs import ladder_trends
from piriform.sensitivity import latest_starts
from piriform.serial import autocorrelation, serial_slope
from piriform.stats import group_mean, weighted_slope
from piriform.tables import TABLES
from piriform.trends import metric_rows as known_rows

KEY = (PRIMARY, "all", "matched")
NAMES = list(SUBJECTS)


def noisy(slopes, *, seed=3, sd=0.1, **options):
    rows = metric_rows(slopes, start=2.0, **options)
    return rows.assign(value=rows["value"] + np.random.default_rng(seed).normal(0, sd, len(rows)))


@pytest.fixture(scope="module")
def metrics():
    return noisy(GROWTH)


@pytest.fixture(scope="module")
def found(metrics):
    return detect(metrics, behavior_rows(FLAT), verdict=Verdict())


@pytest.fixture(scope="module")
def series(metrics):
    window = metrics[metrics["phase"] == "overtraining"]
    return {name: (part["day"], part["value"]) for name, part in window.groupby("subject")}


def close(result, test):
    assert (result["effect"], result["p"], *result["ci"]) == pytest.approx(
        (test.mean, test.p, *test.interval), nan_ok=True
    )


# Other tests: what the pure functions give on the same days


def test_subjects_have_a_slope_that_allows_for_days_alike(found, series):
    rho = autocorrelation(list(series.values()))
    for subject in found["subjects"]:
        line = serial_slope(*series[subject["subject"]], rho=rho, per=10)
        told = [subject[f"serial_{name}"] for name in ("slope", "se", "p")]
        assert told == pytest.approx([line.slope, line.se, line.p])
        assert subject["serial_ci"] == pytest.approx(line.interval())
        assert (subject["rho"], subject["serial_note"]) == (rho, "")


def test_other_group_tests_use_the_same_subjects_and_days(found, series):
    tests = {row["test"]: row for row in found["beside"]}
    assert list(tests) == ["mixed model", "Hartung-Knapp", "wild bootstrap", "hierarchical bootstrap"]
    close(tests["mixed model"], mixed_slope(list(series.values()), per=10))
    subjects = found["subjects"]
    close(tests["Hartung-Knapp"], hartung_knapp(*([one[f"serial_{x}"] for one in subjects] for x in ("slope", "se"))))
    close(tests["wild bootstrap"], wild_bootstrap([one["slope"] for one in subjects]))
    assert tests["wild bootstrap"]["smallest_p"] == pytest.approx(3 / 6**4)
    drawn = hierarchical_bootstrap(list(series.values()), rng=rng_for(1, "verdict", "hierarchical bootstrap"), per=10)
    close(tests["hierarchical bootstrap"], drawn)
    assert {row["unit"] for row in found["beside"]} == {found["primary"]["unit"]}


def test_they_decide_nothing_and_may_be_left_out(found, metrics):
    without = detect(metrics, behavior_rows(FLAT), verdict=Verdict(), beside=False)
    beside = {"beside", "carried_by", "divergence", "sensitivity", "ladder"}
    assert {name for name in found if without[name] is None} == beside | {"fixed"}
    assert all(without[name] == found[name] for name in ("verdict", "sentence", "primary", "missing"))


def test_random_numbers_come_from_the_seed(found, metrics):
    again, other = (detect(metrics, behavior_rows(FLAT), verdict=Verdict(), seed=seed) for seed in (1, 2))
    assert again["beside"][3] == found["beside"][3]
    assert other["beside"][3]["ci"] != found["beside"][3]["ci"]


def test_how_many_carry_it(found):
    p = [subject["serial_p"] for subject in found["subjects"]]
    told, expected = found["carried_by"], prevalence(p)
    assert (told["k"], told["n"], told["lower"]) == (expected.k, 4, expected.lower)
    assert told["p_at_least"] == pytest.approx(partial_conjunction(p).tolist())
    assert told["at_least"] == np.sum(partial_conjunction(p) <= 0.05)
    assert told["note"] == ""


def test_effects_in_percent_of_the_mean(found, metrics):
    window = metrics[metrics["phase"] == "overtraining"]
    mean, primary = window["value"].mean(), found["primary"]
    assert primary["window_mean"] == pytest.approx(mean)
    assert primary["effect_percent"] == pytest.approx(100 * primary["effect"] / mean)
    assert primary["smallest_detectable_percent"] == pytest.approx(100 * primary["smallest_detectable"] / mean)
    below = detect(metrics.assign(value=metrics["value"] - 9), behavior_rows(FLAT), verdict=Verdict())["primary"]
    assert np.isnan(below["effect_percent"])
    assert "not above 0" in below["note_percent"]


def test_sessions_weigh_as_many_units_as_they_have(metrics):
    heavy = metrics.assign(n_units=np.where(metrics["day"] % 2, 3, 30))
    told = detect(heavy, behavior_rows(FLAT), verdict=Verdict())["subjects"][0]
    part = heavy[(heavy["subject"] == "Q") & (heavy["phase"] == "overtraining")]
    line = weighted_slope(part["day"] / 10, part["value"], weights=part["n_units"])
    assert (told["slope"], told["ci"]) == (pytest.approx(line.slope), pytest.approx(line.interval()))
    alike = serial_slope(part["day"], part["value"], weights=part["n_units"], rho=told["rho"], per=10)
    assert told["serial_ci"] == pytest.approx(alike.interval())


# Divergence


def test_divergence_relates_squares_to_dprime():
    """The metric rises by a tenth of its mean per 10 days; as a square, half of that is d's; behaviour is flat."""
    window = metric_rows(dict(zip(NAMES, [0.1, 0.12, 0.08, 0.1], strict=True)), start=0.905, days=range(5, 15))
    behaved = behavior_rows(dict.fromkeys(NAMES, 0.0), days=range(5, 15))
    plain = window.assign(metric="separation_dprime")
    told = {
        metric: diverging(metric, known_rows(rows, (metric, "all", "matched")), behaved, NAMES, Verdict())
        for metric, rows in (("separation_modulation", window.assign(metric="separation_modulation")),
                             ("separation_dprime", plain))
    }  # fmt: skip
    assert told["separation_dprime"]["neural"]["Q"] == pytest.approx(0.1)
    assert told["separation_modulation"]["neural"]["Q"] == pytest.approx(0.05)
    assert told["separation_dprime"]["behavior"]["Q"] == pytest.approx(behavior_slope([5, 6], [0.9, 0.9], [200, 200]))
    assert told["separation_dprime"]["effect"] == pytest.approx(2 * told["separation_modulation"]["effect"])
    assert told["separation_dprime"]["p"] == pytest.approx(told["separation_modulation"]["p"])


def test_divergence_says_why_it_is_not_known(metrics):
    window, behaved = metrics[metrics["phase"] == "overtraining"], behavior_rows(FLAT)
    auc = diverging("decoding_auc", known_rows(window, KEY), behaved, NAMES, Verdict())
    assert np.isnan(auc["p"])
    assert auc["note"].startswith("decoding_auc has no scale from 0 up")
    low = window.assign(value=window["value"] - np.where(window["subject"] == "Q", 9, 0))
    told = diverging(PRIMARY, known_rows(low, KEY), behaved, NAMES, Verdict())
    assert (told["n_subjects"], told["note"]) == (3, f"the mean of {PRIMARY} is not above 0 in Q")
    guessing = behaved.assign(accuracy=np.where(behaved["subject"] == "R", 0.4, behaved["accuracy"]))
    told = diverging(PRIMARY, known_rows(window, KEY), guessing, NAMES, Verdict())
    assert (told["n_subjects"], told["note"]) == (3, "behaviour has no d' above 0 on two days in R")


# The family


def test_family_has_holm_and_the_maximum_statistic():
    other = {"decoding_auc": GROWTH, "decoding_accuracy": STILL}
    tables = [metric_rows(GROWTH), *(metric_rows(slopes, metric=name) for name, slopes in other.items())]
    tables.append(metric_rows(GROWTH, metric="decoding_auc", matching="full"))
    told = detect(pd.concat(tables), behavior_rows(FLAT), verdict=Verdict())
    expected = family_test(np.column_stack([list(slopes.values()) for slopes in other.values()]))
    rows = {row["metric"]: row for row in told["secondary"] if row["role"] == "secondary"}
    assert [rows[name]["p_max"] for name in other] == pytest.approx(expected.p.tolist())
    assert np.isnan([row["p_max"] for row in told["secondary"] if row["role"] == "descriptive"]).all()
    assert told["family"] == {"n_metrics": 2, "n_subjects": 4, "smallest_p": pytest.approx(3 / 6**4), "note": ""}


# The ladder


def ladder_rows(slopes, *, rungs=("none", "units"), start=1.0, stimuli="all"):
    """Each rung the same relative course, the second in units ten times as large."""
    parts = [
        metric_rows(slopes, start=start).assign(
            rung=number, controls=name, stimuli=stimuli, value=lambda rows, by=10**number: by * rows["value"]
        )
        for number, name in enumerate(rungs)
    ]
    return pd.concat(parts)[list(TABLES["ladder"])]


def test_rungs_compare_whatever_their_unit():
    found = ladder_trends(ladder_rows(GROWTH), NAMES, Verdict())
    assert [(row["rung"], row["controls"], row["stimuli"]) for row in found] == [
        (0, "none", "all"),
        (1, "units", "all"),
    ]
    oracle = stats.ttest_1samp(list(GROWTH.values()), 0, alternative="greater")
    for row in found:
        assert row["effect"] == pytest.approx(0.45 / (1 + 0.45 * 0.95))
        assert row["p"] == pytest.approx(oracle.pvalue)
        assert (row["n_rising"], row["n_subjects"], row["note"]) == (4, 4, "")


def test_rungs_without_a_mean_above_0_or_values_say_so():
    low = ladder_rows(GROWTH, start=-9)
    low.loc[low["rung"] == 1, ["value", "status"]] = [np.nan, "too few blocks"]
    first, second = ladder_trends(low, NAMES, Verdict())
    assert np.isnan(first["effect"])
    assert first["p"] < 0.05
    assert first["note"] == "the mean is not above 0; there is no relative effect"
    assert np.isnan([second["effect"], second["p"]]).all()
    assert second["note"] == "0 of 3 subjects needed"


def test_ladder_is_in_the_verdict_only_if_it_is_given(metrics, found):
    table = pd.concat([ladder_rows(GROWTH), ladder_rows(STILL, stimuli="fixed")])
    told = detect(metrics, behavior_rows(FLAT), verdict=Verdict(), ladder=table)
    assert [(row["stimuli"], row["rung"]) for row in told["ladder"]] == [("all", 0), ("all", 1), ("fixed", 0), ("fixed", 1)]  # fmt: skip
    assert told["verdict"] == found["verdict"]
    assert found["ladder"] is None
    assert ladder_trends(table.assign(source="network"), NAMES, Verdict()) is None


# Other choices


def learned(slopes, days=range(1, 19)):
    """Behaviour that rises from .5 to .9 about day 5 and then follows the given slopes."""
    table = behavior_rows(dict.fromkeys(slopes, 0.0), days=days, first=9, n_trials=400)
    curve = 0.5 + 0.4 / (1 + np.exp(-(table["day"] - 5)))
    return table.assign(accuracy=curve + np.maximum(table["day"] - 9, 0) / 10 * table["subject"].map(slopes))


def test_another_window_begins_where_the_plateau_can_have_begun_at_the_latest():
    behavior, metrics = learned(FLAT), noisy(GROWTH, days=range(1, 19), first=9)
    starts = latest_starts(behavior, Plateau())
    assert set(starts) == set(FLAT)
    assert all(9 <= day <= 12 for day in starts.values())
    told = detect(metrics, behavior, verdict=Verdict())["sensitivity"]
    assert [(row["part"], row["n_subjects"]) for row in told] == [("primary", 4), *[("behavior", 4)] * 3]
    late = metrics[metrics["day"] >= metrics["subject"].map(starts)]
    slopes = [weighted_slope(part["day"] / 10, part["value"]).slope for _, part in late.groupby("subject")]
    assert (told[0]["effect"], told[0]["p"]) == pytest.approx((np.mean(slopes), group_mean(slopes).p))
    assert told[0]["first_days"] == starts


def test_other_bounds_for_behaviour():
    slopes = {"Q": 0.06, "R": 0.03, "S": 0.05, "T": 0.04}
    told = detect(noisy(GROWTH), behavior_rows(slopes, top=0.6, n_trials=5000), verdict=Verdict())
    narrow, wide = told["sensitivity"][2:]
    assert (told["behavior"]["flat"], narrow["passes"], wide["passes"]) == (False, False, True)
    assert narrow["p"] > told["behavior"]["p_flat"] > wide["p"]


def test_without_a_plateau_there_is_no_other_window(found):
    primary, behavior = found["sensitivity"][:2]  # straight behaviour: on its plateau from the first day
    assert primary["first_days"] == dict.fromkeys(SUBJECTS, 1.0)
    wrong = behavior_rows(dict.fromkeys(NAMES, 0.0), top=0.5)
    primary, behavior = detect(noisy(GROWTH), wrong, verdict=Verdict())["sensitivity"][:2]
    assert primary["first_days"] == {}
    assert np.isnan([primary["p"], behavior["p"]]).all()
    assert primary["note"] == behavior["note"] == "0 of 3 subjects needed"
