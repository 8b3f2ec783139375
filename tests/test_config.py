import copy

import pytest
from pydantic import ValidationError

from piriform.config import (
    Config,
    config_schema,
    expand,
    load_config,
    parse_config,
    pick,
    restore,
)
from piriform.errors import ConfigError

SMALLEST = {"data": "data/x", "classes": {"target": ["target"], "nontarget": ["nontarget", "repeat"]}}


def with_(**sections):
    """The smallest config with some sections replaced."""
    return copy.deepcopy(SMALLEST) | sections


def test_the_smallest_config_gets_its_defaults():
    config = parse_config(SMALLEST)
    assert (config.study, config.seed, config.measures.n_folds) == ("study", 1, 5)
    assert str(config.out) == "results/study"
    assert config.response.window == (-0.5, 2.0)
    assert config.simulate is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (with_(sed=1), r"unknown key 'sed' \(did you mean 'seed'\?\)"),
        (with_(trials={"stimulsu": "odor"}), r"unknown key 'trials.stimulsu' \(did you mean 'stimulus'\?\)"),
        (with_(simulate={"scenarios": "null"}), r"unknown key 'simulate.scenarios' \(did you mean 'scenario'\?\)"),
        (with_(measures={"bogus_thing": 1}), r"unknown key 'measures.bogus_thing'$"),
        ({"data": "x"}, r"key 'classes' is missing"),
        (with_(seed=-1), r"seed: Input should be greater than or equal to 0"),
        (with_(study="a/b"), r"study: String should match pattern"),
        (with_(response={"window": [1.0, 0.5]}), r"window: starts at 1 s and ends at 0.5 s; it must end later"),
        (
            with_(response={"response_window": [0.1, 2.5]}),
            r"response_window \[0.1, 2.5\) lies outside window \[-0.5, 2\)",
        ),
        (with_(response={"response_window": [0.15, 0.6]}), r"response_window: 0.15 s is not a bin edge"),
        (with_(classes={"target": ["a"]}), r"classes: nontarget: name at least one category"),
        (with_(classes={"target": ["a"], "nontarget": ["a"]}), r"category 'a' is named twice"),
        (with_(classes={"target": ["a"], "nontarget": ["b"], "fixed": ["c"]}), r"fixed: 'c' is neither a target"),
        (with_(classes={"by_stimulus": True, "target": ["a"]}), r"by_stimulus makes every stimulus a class"),
        (with_(phases={"column": "p", "from_plateau": True}), r"column and from_plateau: give one of"),
        (
            with_(measures={"metrics": ["decoding_acuracy"]}),
            r"unknown metric 'decoding_acuracy' \(did you mean 'decoding_ac",
        ),
        (with_(verdict={"primary": "dprime"}), r"primary: unknown metric 'dprime'"),
        (with_(verdict={"primary": "margin_soft"}), r"margin_soft has no direction that means learning"),
        (
            with_(measures={"metrics": ["decoding_auc"]}),
            r"verdict.primary: separation_modulation is not among measures.metrics",
        ),
        (
            with_(dynamics={"window": 0.25}),
            r"config: dynamics.window: 0.25 s is no multiple of response.bin, 0.1 s",
        ),
        (with_(dynamics={"step": 0.05}), r"dynamics.step: 0.05 s is no multiple of response.bin, 0.1 s"),
        (
            with_(dynamics={"window": 3.0}),
            r"dynamics.window: 3 s is longer than response.window, which lasts 2.5 s",
        ),
        (with_(simulate={}, convert={"format": "wang", "source": "x"}), r"a study comes from one of them"),
        (with_(simulate={}, data=["a.nwb"]), r"simulate and convert need a folder to write to"),
    ],
)
def test_a_senseless_config_is_refused_with_the_key_and_the_reason(values, says):
    with pytest.raises(ConfigError, match=says):
        parse_config(values)


def test_windows_over_time_follow_the_bins():
    assert parse_config(SMALLEST).dynamics.sizes(parse_config(SMALLEST).response) == (0.2, 0.1)
    coarse = parse_config(
        with_(response={"window": [-2, 4], "bin": 0.25, "response_window": [0, 2], "baseline_window": None})
    )
    assert coarse.dynamics.sizes(coarse.response) == (0.5, 0.25)


def test_every_problem_is_named_at_once():
    with pytest.raises(ConfigError, match=r"^mine.yaml: .*'sed'.*; .*'bogus'"):
        parse_config(with_(sed=1, bogus=2), where="mine.yaml")


def test_a_config_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        parse_config(SMALLEST).seed = 2


def test_load_config_reads_yaml(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data: d\nclasses: {target: [t], nontarget: [n]}\n")
    assert load_config(path).classes.target == ["t"]


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "not a YAML file"), ("- 1\n", "expected keys and values, got list"), ("", "got NoneType")],
)
def test_load_config_refuses_what_is_no_config(tmp_path, text, says):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        load_config(path)


def test_load_config_names_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml: no such file; see config/README.md"):
        load_config(tmp_path / "none.yaml")


def test_expand_takes_names_from_the_environment(monkeypatch):
    monkeypatch.setenv("LAB", "/srv/lab")
    monkeypatch.delenv("PIRIFORM_REAL_DATA", raising=False)
    assert expand("${LAB}/x.mat") == "/srv/lab/x.mat"
    assert expand("${PIRIFORM_REAL_DATA}/x") == "../shared/data/x"
    monkeypatch.setenv("PIRIFORM_REAL_DATA", "/real")
    assert expand("${PIRIFORM_REAL_DATA}/x") == "/real/x"


def test_expand_names_a_variable_that_is_not_set(monkeypatch):
    monkeypatch.delenv("NO_SUCH_LAB", raising=False)
    with pytest.raises(ConfigError, match="environment variable NO_SUCH_LAB is not set"):
        expand("${NO_SUCH_LAB}/x")


def test_restore_undoes_pick():
    config = parse_config(with_(simulate={"days": 3}))
    names = tuple(Config.model_fields)
    restored = restore(pick(config, *names))
    for name in names:
        assert getattr(restored, name) == getattr(config, name)


def test_pick_takes_only_what_is_named():
    assert set(pick(parse_config(SMALLEST), "seed", "trials")) == {"seed", "trials"}


def test_digest_depends_on_values_and_not_on_what_is_spelt_out():
    config = parse_config(SMALLEST)
    assert config.digest() == parse_config(with_(seed=1)).digest()
    assert config.digest() != parse_config(with_(seed=2)).digest()


def test_every_key_is_described_and_no_other_allowed():
    schema = config_schema()
    for name, section in (schema["$defs"] | {"Config": schema}).items():
        assert section["additionalProperties"] is False, name
        for key, value in section["properties"].items():
            assert "$ref" in str(value) or value.get("description"), f"{name}.{key}"
