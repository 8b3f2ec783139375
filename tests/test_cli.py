import json

import numpy as np
import pytest
from verdict_tables import FLAT, GROWTH, behavior_rows, metric_rows

from piriform import __version__
from piriform.convert import DESCRIPTIONS
from piriform.simulate import SCENARIOS
from piriform.tables import empty_table, save_table


def test_the_version(piriform):
    assert piriform("--version") == (0, f"{__version__}\n", "")


def test_without_words_it_helps(piriform):
    _, said, complained = piriform()
    assert all(command in said + complained for command in ("simulate", "convert", "run", "detect", "power", "report"))


def test_the_help_names_every_scenario_and_format(piriform):
    said = " ".join(piriform("simulate", "--help")[1].split())
    assert all(f" {name} {meaning}" in said for name, (meaning, _) in SCENARIOS.items())
    said = " ".join(piriform("convert", "--help")[1].split())
    assert all(f" {name} {meaning}" in said for name, meaning in DESCRIPTIONS.items())


def test_wrong_usage_ends_with_2(piriform):
    assert piriform("simulate", "somewhere", "--bogus")[0] == 2
    assert piriform("simulate")[0] == 2
    assert piriform("bogus")[0] == 2


def test_simulate_writes_a_study_and_its_truth(piriform, tmp_path):
    code, said, complained = piriform("simulate", tmp_path / "s", "--scenario", "null", "--subjects", 1, "--days", 1)
    assert (code, complained) == (0, "")
    assert said.endswith(f"wrote {tmp_path / 's'}\n")
    assert len(list((tmp_path / "s").rglob("*.nwb"))) == 1
    assert json.loads((tmp_path / "s" / "truth.json").read_text())["scenario"] == "null"


def test_an_unknown_scenario_is_one_sentence_and_2(piriform, tmp_path):
    code, said, complained = piriform("simulate", tmp_path / "s", "--scenario", "grwth")
    assert (code, said) == (2, "")
    assert complained.startswith("error: unknown scenario 'grwth' (did you mean 'growth'?)")
    assert complained.count("\n") == 1
    assert not (tmp_path / "s").exists()


def test_convert_refuses_an_unknown_format_and_a_missing_source(piriform, tmp_path):
    code, _, complained = piriform("convert", "matlab", tmp_path, tmp_path / "d")
    assert code == 2
    assert complained.startswith("error: unknown format 'matlab'")
    code, _, complained = piriform("convert", "wang", tmp_path / "none", tmp_path / "d")
    assert code == 1
    assert complained.startswith("error: ")


@pytest.fixture
def tables(tmp_path):
    """The two tables of a study without sessions."""
    paths = [tmp_path / f"{kind}.csv" for kind in ("metrics", "behavior")]
    for path in paths:
        save_table(empty_table(path.stem), path.stem, path)
    return paths


def test_detect_says_the_verdict_in_words_and_in_json(piriform, tables):
    code, said, complained = piriform("detect", *tables)
    assert (code, complained) == (0, "")
    assert said.startswith("verdict: not enough data. ")
    code, said, _ = piriform("detect", *tables, "--json")
    assert code == 0
    result = json.loads(said)
    assert result["verdict"] == "not enough data"
    assert result["settings"]["alpha"] == 0.05


def test_detect_takes_the_rule_from_a_config(piriform, tables, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("data: d\nclasses: {target: [t], nontarget: [n]}\nverdict: {alpha: 0.01}\n")
    result = json.loads(piriform("detect", *tables, "--json", "--config", config)[1])
    assert result["settings"]["alpha"] == 0.01
    assert len(result["config_sha256"]) == 64


def test_detect_names_a_table_that_is_not_there(piriform, tables, tmp_path):
    code, _, complained = piriform("detect", tmp_path / "none.csv", tables[1])
    assert code == 1
    assert "none.csv: no such file; expected the table 'metrics'" in complained


@pytest.fixture
def results(tmp_path):
    """Results of four subjects that change: a config, metrics and behaviour."""
    folder = tmp_path / "results"
    rng = np.random.default_rng(1)
    metrics = metric_rows(GROWTH, metric="decoding_auc", start=0.5)
    save_table(
        metrics.assign(value=metrics["value"] + rng.normal(0, 0.05, len(metrics))), "metrics", folder / "metrics.csv"
    )
    save_table(behavior_rows(FLAT), "behavior", folder / "behavior.csv")
    verdict = "verdict: {primary: decoding_auc, alpha: 0.04}"
    (folder / "config.yaml").write_text(f"data: d\nclasses: {{target: [t], nontarget: [n]}}\n{verdict}\n")
    return folder


def test_power_takes_the_rule_of_the_results(piriform, results):
    code, said, complained = piriform("power", results)
    assert (code, complained) == (0, "")
    assert "decoding_auc" in said
    assert "one-sided p <= 0.04" in said
    assert said.count("  this study\n") == 1
    assert piriform("power", results / "metrics.csv")[1] == said


def test_power_of_other_designs_as_json(piriform, results):
    found = json.loads(piriform("power", results, "--subjects", "5,9", "--days", 7, "--json")[1])
    assert [(row["n_subjects"], row["n_sessions"]) for row in found["designs"]] == [(4, 10), (5, 7), (9, 7)]
    (results / "behavior.csv").unlink()
    found = json.loads(piriform("power", results, "--json")[1])
    assert found["behavior_scatter"] is None
    assert found["notes"] == ["there is no table of behaviour: its test is left out"]


def test_power_says_what_is_wrong(piriform, results, tables, tmp_path):
    code, said, complained = piriform("power", tmp_path / "none")
    assert (code, said) == (1, "")
    assert "metrics.csv: no such file; expected the table 'metrics'" in complained
    code, _, complained = piriform("power", results, "--subjects", "4,many")
    assert code == 2
    assert "--subjects 4,many: expected whole numbers with commas" in complained
    assert piriform("power", results, "--subjects", "1")[0] == 1
    code, _, complained = piriform("power", tables[0])
    assert code == 1
    assert "has no value in overtraining; the table holds no metric" in complained


def test_detect_takes_a_ladder(piriform, tables, tmp_path):
    save_table(empty_table("ladder"), "ladder", tmp_path / "ladder.csv")
    assert json.loads(piriform("detect", *tables, "--json", "--ladder", tmp_path / "ladder.csv")[1])["ladder"] is None
    assert piriform("detect", *tables, "--ladder", tmp_path / "none.csv")[0] == 1


def test_run_refuses_a_wrong_config_before_it_writes(piriform, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("data: d\nclasses: {target: [t], nontarget: [n]}\nsed: 1\n")
    code, _, complained = piriform("run", tmp_path, "--config", config, "--out", tmp_path / "out")
    assert code == 2
    assert "c.yaml: unknown key 'sed' (did you mean 'seed'?)" in complained
    assert not (tmp_path / "out").exists()


def test_run_names_a_study_that_is_not_there(piriform, tmp_path):
    code, _, complained = piriform("run", tmp_path / "none", "--out", tmp_path / "out")
    assert code == 1
    assert "none" in complained
    assert not (tmp_path / "out").exists()


def test_report_needs_results(piriform, tmp_path):
    code, _, complained = piriform("report", tmp_path)
    assert code == 1
    assert "verdict.json: no such file; expected a folder of results" in complained


def test_an_interrupt_ends_with_130(piriform, monkeypatch, tables):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("piriform.tables.load_table", interrupted)
    assert piriform("detect", *tables)[0] == 130
