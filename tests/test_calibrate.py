import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from piriform import cli, run
from piriform.calibrate.design import (
    CHUNK,
    calibration_config,
    checked,
    chunk_settings,
    chunks,
    design_of,
    scenarios_of,
)
from piriform.calibrate.launch import TARGET, read_calibration
from piriform.calibrate.scenarios import study_seed, truth_of
from piriform.calibrate.studies import judged, simulated_study, study_row, tables_of
from piriform.calibrate.summary import bar_text, binomial_interval, calibration_table, text_lines
from piriform.calibrate.tables import NAIVE, STUDY_COLUMNS, read_studies, save
from piriform.config import load_config, parse_config, restore
from piriform.errors import ConfigError, StudyError, TableError
from piriform.progress import detect
from piriform.run import default_config
from piriform.simulate import HIDDEN_PROGRESS, SCENARIOS
from piriform.tables import save_table

CHOSEN = {"subjects": 4, "days": 18}


def settings(**chosen):
    return restore(chunk_settings(calibration_config(**CHOSEN | chosen)))


def studies_table(verdicts, *, scenario="null", **columns):
    """One row per verdict, p .5 throughout."""
    filled = dict.fromkeys(STUDY_COLUMNS, 0.5) | {"scenario": scenario, "seed": 1, "n_subjects": 4}
    rows = [filled | {"study": number, "verdict": v, "verdict_no_fixed": v} for number, v in enumerate(verdicts)]
    return pd.DataFrame(rows).assign(**columns)[list(STUDY_COLUMNS)]


# Known answers


def test_the_exact_interval_has_its_tails():
    from scipy.stats import binom

    low, high = binomial_interval(7, 60)
    assert binom.sf(6, 60, low) == pytest.approx(0.025)
    assert binom.cdf(7, 60, high) == pytest.approx(0.025)
    assert binomial_interval(60, 60)[1] == 1.0
    assert np.isnan(binomial_interval(0, 0)).all()


def test_shares_are_counted():
    verdicts = ["hidden progress"] * 3 + ["no evidence"] * 5 + ["not enough data", "behaviour still improving"]
    p = [0.01, 0.05, 0.051, np.nan, *[0.5] * 6]
    table = calibration_table(studies_table(verdicts, p=p, fixed_p=p, flat_p=0.01, naive_decoding_auc=p))
    row = table.iloc[0]
    assert (row["scenario"], row["kind"], row["studies"]) == ("null", "false alarms", 10)
    assert (row["hidden_progress"], row["low"], row["high"]) == (0.3, *binomial_interval(3, 10))
    assert (row["not_enough_data"], row["improving"]) == (0.1, 0.1)
    assert (row["primary"], row["fixed"], row["flat"], row["naive_decoding_auc"]) == (0.2, 0.2, 1.0, 0.2)


def test_coverage_is_of_the_mean_over_studies():
    ends = {"effect": [0.0, 1.0, 2.0], "ci_low": [-1.0, 0.5, 1.5], "ci_high": [0.9, 1.5, 2.5]}
    row = calibration_table(studies_table(["no evidence"] * 3, **ends)).iloc[0]
    assert row["effect"] == 1.0
    assert row["coverage"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("scenario", "n_found", "bar", "met"),
    [
        ("null", 2, 0.05, "yes"),  # 2 of 20 is compatible with .05, 5 of 20 is not
        ("null", 5, 0.05, "no"),
        ("growth_small", 5, 0.25, "yes"),
        ("growth_small", 4, 0.25, "no"),
        ("growth_large", 16, 0.80, "yes"),
    ],
)
def test_a_bar_is_kept_or_not(scenario, n_found, bar, met):
    verdicts = ["hidden progress"] * n_found + ["no evidence"] * (20 - n_found)
    row = calibration_table(studies_table(verdicts, scenario=scenario)).iloc[0]
    assert (row["bar"], row["met"]) == (bar, met)
    assert met in bar_text(row)


def test_growth_without_a_bar_says_nothing():
    row = calibration_table(studies_table(["hidden progress"], scenario="growth")).iloc[0]
    assert (row["kind"], row["met"], bar_text(row)) == ("power", "", "")


def test_every_scenario_is_of_one_kind_and_in_order():
    tables = [studies_table(["no evidence"], scenario=name) for name in reversed(SCENARIOS)]
    table = calibration_table(pd.concat(tables))
    assert table["scenario"].tolist() == list(SCENARIOS)
    assert set(table.loc[table["kind"] == "power", "scenario"]) == set(HIDDEN_PROGRESS)
    assert len(text_lines(table)) == len(SCENARIOS) + 1


# One study


def test_a_study_is_the_same_wherever_it_is_simulated():
    assert study_row("null", 3, settings=settings()) == study_row("null", 3, settings=settings(scenarios=["gain"]))
    assert study_seed(1, "null", 3) != study_seed(1, "steady", 3)


def test_sessions_before_overtraining_do_not_move_the_verdict():
    """They are simulated where phases do not come with the trials; the result is the same."""
    usual = settings()
    days = usual.phases.model_copy(update={"column": None, "overtraining_from_day": 9})
    with_training = SimpleNamespace(**vars(usual) | {"phases": days})
    seed = study_seed(1, "more_units", 0)
    lengths = [len(simulated_study("more_units", seed=seed, settings=s)[0]) for s in (usual, with_training)]
    assert lengths == [10, 18]
    short, whole = (study_row("more_units", 0, settings=s) for s in (usual, with_training))
    assert short == pytest.approx(whole, nan_ok=True)


@pytest.mark.parametrize("scenario", ["growth", "null", "improving"])
def test_the_verdict_without_fixed_stimuli_is_that_of_a_study_without_them(scenario):
    chosen = settings()
    seed = study_seed(1, scenario, 0)
    metrics, behavior = tables_of(simulated_study(scenario, seed=seed, settings=chosen), seed, chosen)
    found = judged(metrics, behavior, chosen)
    alike = detect(metrics[metrics["stimuli"] == "all"], behavior, verdict=chosen.verdict)
    assert alike["fixed"] is None
    assert found["verdict_no_fixed"] == alike["verdict"]
    assert found["p"] == alike["primary"]["p"]


def test_trials_after_the_last_choice_are_left_out_of_rates_too():
    chosen = settings(subjects=1, days=9, parameters={"no_choice": 0.05})
    ((session, rates),) = simulated_study("null", seed=1, settings=chosen)[0]
    assert len(session.excluded["after the last choice"]) > 0
    assert len(rates) == len(session.trials)
    assert rates.shape[2] == 11  # bins of 0.1 s from -0.5 to 0.6 s, what the two windows need


def test_every_naive_metric_is_tested():
    row = study_row("null", 0, settings=settings())
    assert all(0 < row[f"naive_{name}"] < 1 for name in NAIVE)
    assert list(row) == list(STUDY_COLUMNS)


def test_a_study_that_is_too_short_has_not_enough_data():
    row = study_row("null", 0, settings=settings(days=10))
    assert (row["verdict"], row["verdict_no_fixed"]) == ("not enough data", "not enough data")
    assert np.isnan(row["p"])


# The design


def test_without_a_choice_all_scenarios_but_the_demos_are_simulated():
    assert scenarios_of(calibration_config()) == [name for name in SCENARIOS if name != "growth"]
    assert scenarios_of(calibration_config(scenarios=["gain", "null", "gain"])) == ["gain", "null"]


def test_more_studies_add_chunks_and_leave_full_ones():
    few, many = (chunks(calibration_config(studies=n)) for n in (CHUNK + 5, 3 * CHUNK))
    assert [len(numbers) for numbers in few.values()] == [CHUNK, 5]
    assert few["000"] == many["000"]
    assert [number for numbers in many.values() for number in numbers] == list(range(3 * CHUNK))


def test_a_chunk_does_not_depend_on_what_else_is_simulated():
    one, other = (chunk_settings(calibration_config(studies=n, scenarios=[s])) for n, s in ((5, "null"), (9, "gain")))
    assert one == other


def test_what_a_scenario_sets_comes_before_the_design():
    truth = truth_of("more_units", {"units_start": 40.0, "trials_end": 300.0})
    assert (truth.units_start, truth.trials_end) == (8, 300)


def test_the_analysis_comes_from_the_study_and_the_columns_from_the_simulator(tmp_path):
    own = {
        "data": "x",
        "classes": {"target": ["a"], "nontarget": ["b"]},
        "trials": {"category": "kind"},
        "phases": {"overtraining_from_day": 5},
        "response": {"response_window": [0.0, 0.5]},
        "verdict": {"behavior_bound": 0.08},
        "calibrate": {"studies": 7},
    }
    path = tmp_path / "own.yaml"
    path.write_text(pd.Series(own).to_json())
    config = calibration_config(config=path, out=tmp_path, seed=5)
    demo = load_config(default_config())
    assert config.verdict.behavior_bound == 0.08
    assert config.response.response_window == (0.0, 0.5)
    assert config.phases.overtraining_from_day == 5
    assert config.trials == demo.trials.model_copy(update={"stratum": None})
    assert config.classes == demo.classes.model_copy(update={"fixed": []})
    assert (config.out, config.seed, config.calibrate.studies) == (tmp_path / "calibration", 5, 7)


def test_the_design_of_a_study_is_read_from_its_results(tmp_path):
    rows = [
        {"subject": s, "session": str(d), "day": d, "date": "", "phase": "training" if d < 7 else "overtraining",
         "file": "", "sha256": "", "version": "", "included": d != 3, "reason": "", "n_units": 32 - 2 * d, "n_trials": 150,
         "n_units_excluded": 0, "n_trials_excluded": 0, "units_excluded": "", "trials_excluded": ""}
        for s in "ABC" for d in range(1, 13)
    ]  # fmt: skip
    save_table(pd.DataFrame(rows), "sessions", tmp_path / "sessions.csv")
    acted = {"class": "all", "n_trials": 150, "ci_low": 0.8, "ci_high": 0.95, "latency_s": 0.3, "plateau_day": 6.0}
    behavior = pd.DataFrame(rows)[["subject", "session", "day", "phase"]].assign(accuracy=0.9, **acted)
    save_table(behavior, "behavior", tmp_path / "behavior.csv")
    design = design_of(tmp_path)
    assert (design["subjects"], design["days"]) == (3, 12)
    assert design["parameters"] == pytest.approx(
        {"training_days": 6, "missing_days": 1 / 12, "units_start": 30, "units_end": 8, "units_sd": 0,
         "trials_start": 150, "trials_end": 150, "accuracy_top": 0.9}, abs=1e-4
    )  # fmt: skip
    (tmp_path / "config.yaml").write_text("data: x\nclasses: {target: [a], nontarget: [b]}\n")
    config = calibration_config(like=tmp_path, days=15)
    assert (config.calibrate.subjects, config.calibrate.days, config.calibrate.studies) == (3, 15, 400)


# The command line


@pytest.fixture
def piriform(monkeypatch, capsys):
    """Run the command line in this process; return its exit code, and what it said and complained."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["piriform", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_the_command_starts_what_was_asked_for_and_prints_the_table(piriform, monkeypatch, tmp_path):
    started = []

    def finish(config, target, *, cores):
        started.append((config, cores))
        save(calibration_table(studies_table(["no evidence"] * 3)), config.out / "calibration.csv")
        return 0

    monkeypatch.setattr(run, "run_target", finish)
    words = ("calibrate", "--scenarios", " null, gain", "--seed", 4, "--cores", 3, "--out", tmp_path)
    code, said, _ = piriform(*words)
    config, cores = started[0]
    assert (code, cores, config.seed, scenarios_of(config)) == (0, 3, 4, ["null", "gain"])
    assert said.splitlines()[1].split()[:3] == ["null", "3", "0.000"]
    (row,) = json.loads(piriform(*words, "--json")[1])
    assert (row["scenario"], row["studies"], row["fixed"]) == ("null", 3, 0.0)


def test_a_calibration_that_fails_names_its_logs(piriform, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "run_target", lambda config, target, cores: 1)
    code, said, complained = piriform("calibrate", "--out", tmp_path)
    assert (code, said) == (1, "")
    assert complained.startswith("error: the calibration failed; what the jobs said: ")


def test_wrong_usage_is_one_sentence_and_2(piriform):
    code, said, complained = piriform("calibrate", "--scenarios", "nul")
    assert (code, said) == (2, "")
    assert complained.startswith("error: unknown scenario 'nul'")
    assert piriform("calibrate", "--studies", 0)[0] == 2
    assert " unequal_days " in piriform("calibrate", "--help")[1]


# Tables


def test_studies_are_joined_in_order(tmp_path):
    save(studies_table(["no evidence"] * 2, scenario="gain"), tmp_path / "a.csv")
    save(studies_table(["hidden progress"], study=[5]), tmp_path / "b.csv")
    save(studies_table(["no evidence"], study=[2]), tmp_path / "c.csv")
    joined = read_studies([tmp_path / name for name in ("a.csv", "b.csv", "c.csv")])
    assert joined["scenario"].tolist() == ["null", "null", "gain", "gain"]
    assert joined["study"].tolist() == [2, 5, 0, 1]


def test_a_finished_calibration_is_read_back(tmp_path):
    table = calibration_table(pd.concat([studies_table(["no evidence"]), studies_table(["a"], scenario="growth")]))
    save(table, tmp_path / "calibration.csv")
    pd.testing.assert_frame_equal(read_calibration(tmp_path), table, check_dtype=False)


# Errors


def test_an_unknown_scenario_is_named():
    with pytest.raises(ConfigError, match=r"unknown scenario 'nul' \(did you mean 'null'\?\)"):
        calibration_config(scenarios=["nul"])


def test_no_studies_are_refused():
    with pytest.raises(ConfigError, match=r"calibrate\.studies"):
        calibration_config(studies=0)


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="unknown parameter 'unit'"):
        calibration_config(parameters={"unit": 3.0})


def test_a_study_without_a_target_has_nothing_to_calibrate(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: x\nclasses: {by_stimulus: true}\n")
    with pytest.raises(ConfigError, match=r"classes\.by_stimulus: a study without a target"):
        calibration_config(config=path)


def test_a_config_without_the_section_is_refused():
    config = parse_config({"data": "x", "classes": {"target": ["a"], "nontarget": ["b"]}})
    with pytest.raises(ConfigError, match="calibrate: the config has no such section"):
        checked(config)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match=r"calibration: cannot be written \(.+\); choose another folder with --out"):
        run.run_target(calibration_config(out=tmp_path / "file"), TARGET)


def test_results_that_are_none_are_refused(tmp_path):
    with pytest.raises(StudyError, match=r"calibration\.csv: no such file"):
        read_calibration(tmp_path)
    with pytest.raises(TableError, match=r"a\.csv: no such file"):
        read_studies([tmp_path / "a.csv"])
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(TableError, match="not a CSV table"):
        read_studies([tmp_path / "a.csv"])
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="not a table of studies"):
        read_studies([tmp_path / "a.csv"])


def test_a_study_that_is_there_twice_is_refused(tmp_path):
    save(studies_table(["no evidence"]), tmp_path / "a.csv")
    with pytest.raises(TableError, match="study 0 of null is there twice"):
        read_studies([tmp_path / "a.csv", tmp_path / "a.csv"])


def test_a_design_needs_an_included_session(tmp_path):
    from piriform.tables import empty_table

    save_table(empty_table("sessions"), "sessions", tmp_path / "sessions.csv")
    with pytest.raises(StudyError, match="no included session"):
        design_of(tmp_path)


def test_the_rule_file_and_its_scripts_are_in_the_workflow():
    workflow = Path(__file__).parents[1] / "workflow"
    assert 'include: "rules/calibrate.smk"' in (workflow / "Snakefile").read_text()
    assert (workflow / "report" / "calibration.rst").is_file()
