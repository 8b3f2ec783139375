"""The verdict: each answer, each part of the rule, calibration, bad input, the workflow's script."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from verdict_tables import FLAT, GROWTH, PRIMARY, STILL, SUBJECTS, behavior_rows, metric_rows

from piriform.config import Verdict, parse_config
from piriform.errors import TableError
from piriform.progress import VERDICTS, Parts, decide, detect
from piriform.provenance import write_json
from piriform.stats import equivalence, group_mean
from piriform.tables import empty_table, save_table

RULE = Verdict()


def verdict_of(metrics, behavior, **rule):
    return detect(metrics, behavior, verdict=Verdict(**rule))


# The four answers


def test_hidden_progress():
    result = verdict_of(metric_rows(GROWTH), behavior_rows(FLAT))
    assert result["verdict"] == "hidden progress"
    assert result["missing"] == result["reasons"] == []
    assert result["fixed"] is None
    assert "goes on rising, +0.45 squared relative rate per 10 days" in result["sentence"]
    assert "4 of 4 subjects up" in result["sentence"]


def test_no_evidence_says_what_could_have_been_seen():
    result = verdict_of(metric_rows(STILL), behavior_rows(FLAT))
    assert result["verdict"] == "no evidence"
    assert result["reasons"] == [f"{PRIMARY} does not rise (p = 0.48)"]
    sd = np.std(list(STILL.values()), ddof=1)
    least = result["primary"]["smallest_detectable"]
    assert least == pytest.approx(1.65 * sd, rel=0.005)
    assert f"a study like this finds {least:.2g} in 80% of cases" in result["sentence"]


def test_behaviour_still_improving():
    rising = {subject: 0.1 + slope for subject, slope in FLAT.items()}
    result = verdict_of(metric_rows(GROWTH), behavior_rows(rising, top=0.7))
    assert result["verdict"] == "behaviour still improving"
    assert "+0.1 of fraction correct per 10 days" in result["sentence"]


def test_not_enough_data_names_every_subject_that_lacks_something():
    metrics, behavior = metric_rows(GROWTH), behavior_rows(FLAT)
    behavior = behavior[~behavior["subject"].isin(["Q", "R"])]
    result = verdict_of(metrics, behavior)
    assert result["verdict"] == "not enough data"
    assert result["missing"] == [
        f"2 of 3 subjects with 5 overtraining sessions of both {PRIMARY} and behaviour",
        "subject Q: behaviour is known in 0 of 10 overtraining sessions, 5 needed",
        "subject R: behaviour is known in 0 of 10 overtraining sessions, 5 needed",
    ]
    assert result["sentence"].startswith("Missing: 2 of 3 subjects")


# Its numbers


def test_group_test_is_the_two_stage_t_test():
    primary = verdict_of(metric_rows(GROWTH), behavior_rows(FLAT))["primary"]
    slopes = list(GROWTH.values())
    oracle = stats.ttest_1samp(slopes, 0, alternative="greater")
    assert (primary["effect"], primary["t"], primary["p"]) == pytest.approx((0.45, oracle.statistic, oracle.pvalue))
    interval = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    assert primary["ci"] == pytest.approx((interval.low, interval.high))
    assert (primary["n_subjects"], primary["n_rising"], primary["unit"]) == (4, 4, "squared relative rate per 10 days")
    assert primary["leave_one_out"]["effect"] == pytest.approx([1.2 / 3, 1.5 / 3])


def test_behaviour_is_tested_for_equivalence():
    slopes = {"Q": 0.03, "R": -0.04, "S": 0.02, "T": -0.02}
    behavior = verdict_of(metric_rows(GROWTH), behavior_rows(slopes, n_trials=2000))["behavior"]
    se = np.std(list(slopes.values()), ddof=1) / 2
    assert behavior["p_flat"] == pytest.approx(stats.t.sf((0.05 - 0.0025) / se, 3))
    half = stats.t.isf(0.05, 3) * se
    assert behavior["ci"] == pytest.approx((-0.0025 - half, -0.0025 + half))
    assert (behavior["flat"], behavior["level"], behavior["note"]) == (True, 0.9, "")


def test_sampling_error_of_the_trials_bounds_the_spread_of_behaviour():
    """4 subjects right in every one of 50 trials on 10 days: p = (500 + .5)/501, sum n (x - mean)^2 = 50 * .825."""
    behavior = verdict_of(metric_rows(GROWTH), behavior_rows(dict.fromkeys(SUBJECTS, 0.0), top=1.0, n_trials=50))[
        "behavior"
    ]
    p = 500.5 / 501
    assert behavior["sd"] == pytest.approx(np.sqrt(p * (1 - p) / (50 * 0.825)))
    assert behavior["flat"]
    few = verdict_of(metric_rows(GROWTH), behavior_rows(dict.fromkeys(SUBJECTS, 0.0), top=1.0, n_trials=2))["behavior"]
    assert not few["flat"]


def test_learning_that_lowers_a_metric_counts_as_up():
    falling = {subject: -slope for subject, slope in GROWTH.items()}
    result = verdict_of(
        metric_rows(falling, metric="similarity_dot_cv"), behavior_rows(FLAT), primary="similarity_dot_cv"
    )
    assert result["verdict"] == "hidden progress"
    assert (result["primary"]["direction"], result["primary"]["effect"]) == (-1, pytest.approx(0.45))


def test_secondary_metrics_are_adjusted_as_a_family():
    rows = [
        metric_rows(GROWTH),
        metric_rows(GROWTH, matching="full"),
        metric_rows(GROWTH, metric="decoding_auc"),
        metric_rows(STILL, metric="decoding_accuracy"),
        metric_rows(GROWTH, metric="decoding_auc", stimuli="fixed"),
        metric_rows(GROWTH, metric="margin_soft"),
    ]
    result = verdict_of(pd.concat(rows), behavior_rows(FLAT))
    found = {(row["metric"], row["stimuli"], row["matching"]): row for row in result["secondary"]}
    assert len(found) == 5
    p = stats.ttest_1samp(list(GROWTH.values()), 0, alternative="greater").pvalue
    assert found["decoding_auc", "all", "matched"]["p_holm"] == pytest.approx(2 * p)
    assert found["decoding_accuracy", "all", "matched"]["p_holm"] == pytest.approx(
        stats.ttest_1samp(list(STILL.values()), 0, alternative="greater").pvalue
    )
    roles = {key: row["role"] for key, row in found.items()}
    assert {key for key, role in roles.items() if role == "secondary"} == {
        ("decoding_accuracy", "all", "matched"),
        ("decoding_auc", "all", "matched"),
    }
    assert np.isnan(found[PRIMARY, "all", "full"]["p_holm"])
    assert np.isnan(found["margin_soft", "all", "matched"]["p"])  # no direction that means learning
    assert found["margin_soft", "all", "matched"]["effect"] == pytest.approx(0.45)


# The rule


def test_fixed_stimuli_must_rise_too():
    rows = [metric_rows(GROWTH), metric_rows(STILL, stimuli="fixed")]
    result = verdict_of(pd.concat(rows), behavior_rows(FLAT))
    assert result["verdict"] == "no evidence"
    assert result["reasons"] == [f"{PRIMARY} does not rise on the fixed stimuli (p = 0.48)"]
    rows[1] = metric_rows(GROWTH, stimuli="fixed")
    result = verdict_of(pd.concat(rows), behavior_rows(FLAT))
    assert result["verdict"] == "hidden progress"
    assert "on the fixed stimuli too" in result["sentence"]


def test_fixed_stimuli_that_cannot_be_tested_leave_the_verdict_open():
    fixed = metric_rows({"Q": 0.5, "R": 0.3}, stimuli="fixed")
    result = verdict_of(pd.concat([metric_rows(GROWTH), fixed]), behavior_rows(FLAT))
    assert result["verdict"] == "not enough data"
    assert result["missing"] == [f"{PRIMARY} on the fixed stimuli: 2 of 3 subjects needed"]
    result = verdict_of(pd.concat([metric_rows(STILL), fixed]), behavior_rows(FLAT))
    assert result["verdict"] == "no evidence"  # whatever they might show
    assert result["reasons"][1] == f"{PRIMARY} is untested on the fixed stimuli (2 of 3 subjects needed)"


def test_growth_without_flat_behaviour_is_no_evidence():
    noisy = {"Q": 0.2, "R": -0.2, "S": 0.1, "T": -0.1}
    result = verdict_of(metric_rows(GROWTH), behavior_rows(noisy, top=0.7))
    assert result["verdict"] == "no evidence"
    assert result["reasons"] == ["behaviour could not be shown to be flat (p = 0.31)"]


def test_behaviour_that_falls_is_not_flat():
    falling = {subject: slope - 0.2 for subject, slope in FLAT.items()}
    assert verdict_of(metric_rows(GROWTH), behavior_rows(falling))["verdict"] == "no evidence"


def test_a_rise_within_the_bound_counts_as_flat():
    slight = {"Q": 0.02, "R": 0.021, "S": 0.019, "T": 0.02}
    result = verdict_of(metric_rows(GROWTH), behavior_rows(slight, n_trials=100_000))
    assert result["behavior"]["p_rising"] < 0.001
    assert result["verdict"] == "hidden progress"


def test_training_days_other_sources_and_counts_do_not_enter():
    expected = verdict_of(metric_rows(GROWTH), behavior_rows(FLAT))["primary"]
    metrics, behavior = metric_rows(GROWTH), behavior_rows(FLAT)
    metrics.loc[metrics["phase"] == "training", "value"] = -99.0
    network = metric_rows({"net": -5.0}).assign(source="network")
    probes = behavior.assign(**{"class": "probe"}, accuracy=0.0)
    result = verdict_of(pd.concat([metrics, network]), pd.concat([behavior, probes]))
    assert result["primary"] == expected
    assert [subject["subject"] for subject in result["subjects"]] == list(SUBJECTS)


def test_the_pseudo_population_is_no_subject():
    pooled = metric_rows({"pooled": 9.0})
    result = verdict_of(pd.concat([metric_rows(STILL), pooled]), behavior_rows(FLAT))
    assert [subject["subject"] for subject in result["subjects"]] == sorted(STILL)


def test_order_of_rows_does_not_matter():
    metrics, behavior = metric_rows(GROWTH), behavior_rows(FLAT)
    result = verdict_of(metrics.sample(frac=1, random_state=1), behavior.sample(frac=1, random_state=2))
    assert result["primary"]["p"] == pytest.approx(verdict_of(metrics, behavior)["primary"]["p"])


# Calibration, on simulated slopes


def rates(rng, n_studies, *, neural, fixed=0.0, acting=0.0):
    """Share of each verdict where the slopes of 4 subjects have these means and SD 1 (behaviour: .02)."""
    found = []
    for _ in range(n_studies):
        behavior = rng.normal(acting, 0.02, 4)
        parts = Parts(
            group_mean(rng.normal(neural, 1, 4)),
            group_mean(rng.normal(fixed, 1, 4)),
            group_mean(behavior),
            equivalence(behavior, bound=RULE.behavior_bound),
        )
        found.append(decide(parts, rule=RULE, missing=[])[0])
    return {name: found.count(name) / n_studies for name in VERDICTS}


@pytest.mark.parametrize(
    "truth",
    [{"neural": 0.0}, {"neural": 99.0, "fixed": 0.0}, {"neural": 99.0, "fixed": 99.0, "acting": 0.05}],
    ids=["nothing grows", "only new stimuli", "behaviour at the bound"],
)
def test_false_hidden_progress_stays_at_its_level(truth):
    """At most 5% plus 3 binomial standard errors, whichever part is false."""
    n_studies = 800
    rate = rates(np.random.default_rng(11), n_studies, **truth)["hidden progress"]
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_studies)


def test_true_hidden_progress_is_found():
    found = rates(np.random.default_rng(12), 300, neural=4.0, fixed=4.0)
    assert found["hidden progress"] > 0.85
    improving = rates(np.random.default_rng(13), 300, neural=4.0, fixed=4.0, acting=0.15)
    assert improving["behaviour still improving"] > 0.95


def test_noise_over_days_gives_the_nominal_rate():
    """Whole tables: 60 null studies, at most 9 false alarms (binomial .05: P(> 9) < .001)."""
    rng = np.random.default_rng(14)
    metrics, behavior = metric_rows(dict.fromkeys(SUBJECTS, 0.0)), behavior_rows(dict.fromkeys(SUBJECTS, 0.0))
    alarms = 0
    for _ in range(60):
        noisy = metrics.assign(value=1 + rng.normal(size=len(metrics)))
        acted = behavior.assign(accuracy=rng.binomial(200, 0.95, len(behavior)) / 200)
        alarms += detect(noisy, acted, verdict=RULE, beside=False)["verdict"] == "hidden progress"
    assert alarms <= 9


# Bad input: each a stated result


def test_one_subject():
    result = verdict_of(metric_rows({"Q": 0.5}), behavior_rows({"Q": 0.0}))
    assert result["verdict"] == "not enough data"
    assert result["missing"] == [f"1 of 3 subjects with 5 overtraining sessions of both {PRIMARY} and behaviour"]
    assert np.isnan(result["primary"]["p"])
    assert result["primary"]["effect"] == pytest.approx(0.5)
    assert result["subjects"][0]["included"]


def test_three_days():
    result = verdict_of(metric_rows(GROWTH, days=[5, 6, 7]), behavior_rows(FLAT, days=[5, 6, 7]))
    assert result["verdict"] == "not enough data"
    assert result["subjects"][0]["reason"] == (
        f"{PRIMARY} is known in 3 of 3 overtraining sessions, 5 needed; "
        "behaviour is known in 3 of 3 overtraining sessions, 5 needed"
    )


def test_no_plateau():
    result = verdict_of(metric_rows(GROWTH, first=99), behavior_rows(FLAT, first=99, plateau=np.nan))
    assert result["verdict"] == "not enough data"
    assert result["subjects"][0]["reason"] == "no overtraining session, and behaviour has no plateau"
    training = verdict_of(metric_rows(GROWTH, first=99), behavior_rows(FLAT, first=99))
    assert training["subjects"][0]["reason"] == "no overtraining session"


def test_behaviour_missing():
    result = verdict_of(metric_rows(GROWTH), empty_table("behavior"))
    assert result["verdict"] == "not enough data"
    assert "behaviour is not known in any session" in result["missing"]
    assert "behaviour is not known in any session" in result["sentence"]
    assert result["behavior"]["n_subjects"] == 0


def test_empty_tables():
    result = verdict_of(empty_table("metrics"), empty_table("behavior"))
    assert result["verdict"] == "not enough data"
    assert (result["subjects"], result["secondary"], result["fixed"]) == ([], [], None)


def test_days_without_a_value_drop_out():
    metrics = metric_rows(GROWTH)
    lost = metrics["day"].isin([6, 9])
    metrics.loc[lost, ["value", "status"]] = [np.nan, "too few units"]
    result = verdict_of(metrics, behavior_rows(FLAT))
    assert result["verdict"] == "hidden progress"
    assert [subject["n_sessions"] for subject in result["subjects"]] == [8] * 4
    assert result["primary"]["effect"] == pytest.approx(0.45)


def test_too_many_days_without_a_value_exclude_the_subject_with_their_reason():
    metrics = metric_rows(GROWTH)
    metrics.loc[(metrics["subject"] == "Q") & (metrics["day"] > 8), ["value", "status"]] = [np.nan, "too few units"]
    result = verdict_of(metrics, behavior_rows(FLAT))
    assert not result["subjects"][0]["included"]
    assert result["subjects"][0]["reason"] == (
        f"{PRIMARY} is known in 4 of 10 overtraining sessions (too few units), 5 needed"
    )
    assert result["primary"]["n_subjects"] == result["behavior"]["n_subjects"] == 3


def test_days_with_gaps_keep_their_distance():
    days = [5, 6, 9, 14, 20, 21]
    result = verdict_of(metric_rows(GROWTH, days=days), behavior_rows(FLAT, days=days))
    assert result["primary"]["effect"] == pytest.approx(0.45)
    assert result["subjects"][0]["window"] == [5, 21]


def _changed(**changes):
    """The tables of hidden progress with one of them replaced by what ``changes`` makes of it."""
    metrics, behavior = metric_rows(GROWTH), behavior_rows(FLAT)
    return changes.get("metrics", lambda rows: rows)(metrics), changes.get("behavior", lambda rows: rows)(behavior)


def _lost(days, kept=None):
    def lose(rows):
        gone = rows["day"].isin(days) & (rows["subject"] != kept)
        return rows.assign(value=rows["value"].mask(gone), status=np.where(gone, "too few units", rows["status"]))

    return lose


def _twice_a_day(rows):
    return rows.assign(day=(rows["day"] + 1) // 2)


NO_SPREAD = "the slopes of all subjects are equal; there is no spread to test against"
SHORT = "of 3 subjects with 5 overtraining sessions of both"
BAD_INPUT = {
    "one subject": ((metric_rows({"Q": 0.5}), behavior_rows({"Q": 0.0})), f"1 {SHORT} {PRIMARY} and behaviour"),
    "two subjects": (
        (metric_rows({"Q": 0.5, "R": 0.4}), behavior_rows({"Q": 0.0, "R": 0.0})),
        f"2 {SHORT} {PRIMARY} and behaviour",
    ),
    "three days": (
        (metric_rows(GROWTH, days=[5, 6, 7]), behavior_rows(FLAT, days=[5, 6, 7])),
        f"subject Q: {PRIMARY} is known in 3 of 3 overtraining sessions, 5 needed",
    ),
    "no plateau": (
        (metric_rows(GROWTH, first=99), behavior_rows(FLAT, first=99, plateau=np.nan)),
        "subject Q: no overtraining session, and behaviour has no plateau",
    ),
    "behaviour missing": ((metric_rows(GROWTH), empty_table("behavior")), "behaviour is not known in any session"),
    "behaviour NaN": (
        _changed(behavior=lambda rows: rows.assign(accuracy=np.nan, n_trials=0)),
        "behaviour is not known in any session",
    ),
    "metric missing": (
        _changed(metrics=lambda rows: rows.assign(metric="decoding_auc")),
        f"{PRIMARY} was not measured",
    ),
    "metric NaN on most days": (
        _changed(metrics=_lost(range(6, 15))),
        f"subject Q: {PRIMARY} is known in 1 of 10 overtraining sessions (too few units), 5 needed",
    ),
    "metric NaN on all days": (
        _changed(metrics=_lost(range(1, 15))),
        f"subject T: {PRIMARY} is known in 0 of 10 overtraining sessions (too few units), 5 needed",
    ),
    "metric known in one subject": (
        _changed(metrics=_lost(range(1, 15), kept="Q")),
        f"1 {SHORT} {PRIMARY} and behaviour",
    ),
    "constant metric": (_changed(metrics=lambda rows: rows.assign(value=0.7)), f"{PRIMARY}: {NO_SPREAD}"),
    "metric 0": (_changed(metrics=lambda rows: rows.assign(value=0.0)), f"{PRIMARY}: {NO_SPREAD}"),
    "identical subjects": ((metric_rows(dict.fromkeys(SUBJECTS, 0.3)), behavior_rows(FLAT)), f"{PRIMARY}: {NO_SPREAD}"),
    "all on one day": (
        _changed(metrics=lambda rows: rows.assign(day=7), behavior=lambda rows: rows.assign(day=7)),
        f"subject Q: {PRIMARY} is known on one day only; behaviour is known on one day only",
    ),
    "empty tables": ((empty_table("metrics"), empty_table("behavior")), f"0 {SHORT} {PRIMARY} and behaviour"),
    # Odd, but enough
    "constant behaviour": (_changed(behavior=lambda rows: rows.assign(accuracy=1.0)), ""),
    "metric NaN on some days": (_changed(metrics=_lost([6, 9])), ""),
    "days with gaps": (
        (metric_rows(GROWTH, days=[5, 6, 9, 14, 20, 21]), behavior_rows(FLAT, days=[5, 6, 9, 14, 20, 21])),
        "",
    ),
    "two sessions a day": (_changed(metrics=_twice_a_day, behavior=_twice_a_day), ""),
    "one subject constant": (
        _changed(metrics=lambda rows: rows.assign(value=rows["value"].where(rows["subject"] != "R", 0.7))),
        "",
    ),
    "one subject below 0": (
        _changed(metrics=lambda rows: rows.assign(value=rows["value"] - 9 * (rows["subject"] == "R"))),
        "",
    ),
}


@pytest.mark.parametrize(("tables", "lacks"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_gives_a_stated_result_and_no_p_out_of_nothing(tables, lacks, tmp_path):
    """Warnings are errors. What is not known is NaN, with a note, wherever it stands."""
    result = verdict_of(*tables)
    assert (result["verdict"] == "not enough data") == bool(lacks)
    assert any(line.startswith(lacks) for line in result["missing"]) == bool(lacks)
    rows = [result["primary"], *result["beside"], result["divergence"], *result["sensitivity"], result["behavior"]]
    assert not any(row.get("rises") and np.isnan(row["p"]) for row in rows)
    for row in rows:
        if np.isnan(row.get("p", row.get("p_flat", np.nan))):
            assert row["note"]
    for subject in result["subjects"]:
        assert np.isfinite(subject["serial_p"]) or subject["serial_note"] or not subject["included"]
    if lacks:
        assert np.isnan(result["primary"]["p"]) or np.isnan(result["behavior"]["p_flat"])
    if lacks.endswith(NO_SPREAD):
        assert np.isnan([row["p"] for row in result["beside"]]).all()
    write_json(result, tmp_path / "verdict.json")


def test_constant_behaviour_is_flat():
    result = verdict_of(metric_rows(GROWTH), behavior_rows(dict.fromkeys(SUBJECTS, 0.0), top=1.0))
    assert result["verdict"] == "hidden progress"


def test_bad_input_can_all_be_written(tmp_path):
    result = verdict_of(metric_rows({"Q": 0.5}), empty_table("behavior"))
    write_json(result, tmp_path / "verdict.json")
    assert json.loads((tmp_path / "verdict.json").read_text())["primary"]["p"] is None


# Errors


def test_a_measurement_twice_is_an_error():
    metrics, behavior = metric_rows(GROWTH), behavior_rows(FLAT)
    with pytest.raises(
        TableError, match=rf"metrics.csv: neural {PRIMARY} all matched of subject 'Q', session '01' is there twice"
    ):
        verdict_of(pd.concat([metrics, metrics.iloc[:1]]), behavior)
    with pytest.raises(TableError, match=r"behavior.csv: all of subject 'Q', session '01' is there twice"):
        verdict_of(metrics, pd.concat([behavior, behavior.iloc[:1]]))


def test_an_unknown_metric_is_an_error():
    with pytest.raises(TableError, match="unknown metric 'magic'"):
        verdict_of(metric_rows(GROWTH, metric="magic"), behavior_rows(FLAT))


# The workflow's script


def test_script_writes_the_verdict(tmp_path, capsys):
    path = Path(__file__).parents[1] / "workflow" / "scripts" / "verdict.py"
    spec = importlib.util.spec_from_file_location("verdict_script", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    inputs = SimpleNamespace(**{kind: tmp_path / f"{kind}.csv" for kind in ("metrics", "behavior", "ladder")})
    save_table(empty_table("ladder"), "ladder", inputs.ladder)
    save_table(metric_rows(GROWTH), "metrics", inputs.metrics)
    save_table(behavior_rows(FLAT), "behavior", inputs.behavior)
    config = parse_config({"data": "x", "classes": {"target": ["t"], "nontarget": ["n"]}, "verdict": {"alpha": 0.02}})
    script.main(inputs, SimpleNamespace(verdict=tmp_path / "verdict.json"), settings=config)
    written = json.loads((tmp_path / "verdict.json").read_text())
    assert written["verdict"] == "hidden progress"
    assert written["settings"]["alpha"] == 0.02
    assert written["config_sha256"] == config.digest()
    assert "numpy" in written["versions"]
    assert capsys.readouterr().out.startswith("hidden progress: In overtraining")
