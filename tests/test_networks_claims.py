"""Experiments with networks: plateaus, gains, effects over seeds, and what becomes of claims."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from piriform.errors import PiriformError
from piriform.networks.experiments import QUESTIONS, SHORT, run_experiment
from piriform.networks.experiments.claims import Claim, judged
from piriform.networks.experiments.findings import Scale, findings
from piriform.networks.experiments.quantities import (
    course,
    effects,
    gains,
    lasting_time,
    mean_interval,
    plateau_steps,
    unreached,
    values_at,
)

STEPS = [0, 1, 10, 100, 1000]
ACCURACY = {1: [0.5, 0.6, 0.99, 1.0, 1.0], 2: [0.5, 1.0, 0.9, 0.995, 1.0], 3: [0.5, 0.6, 0.7, 0.8, 0.9]}


def courses():
    """Three networks: plateau at 10, at 100 and never; the margin is the number of the checkpoint times the seed."""
    parts = []
    for seed, accuracy in ACCURACY.items():
        keys = {"condition": "a", "seed": seed, "step": STEPS}
        parts.append(pd.DataFrame(keys | {"measure": "train_accuracy", "value": accuracy}))
        parts.append(pd.DataFrame(keys | {"measure": "margin", "value": seed * np.arange(5.0)}))
    return pd.concat(parts, ignore_index=True)


def quantities(values, *, other=None, quantity="gain:x"):
    """One quantity of condition ``a`` (and ``b``), one value per seed."""
    columns = {"a": values} | ({"b": other} if other is not None else {})
    rows = [
        pd.DataFrame({"condition": name, "seed": range(len(found)), "quantity": quantity, "value": found})
        for name, found in columns.items()
    ]
    return pd.concat(rows, ignore_index=True)


# Plateaus and gains


def test_the_plateau_is_where_accuracy_stays():
    found = plateau_steps(courses())
    assert found["plateau"].tolist()[:2] == [10, 100]
    assert np.isnan(found["plateau"].iloc[2])


def test_gains_are_from_the_plateau_to_the_end():
    found = gains(courses(), plateau_steps(courses())).set_index(["quantity", "seed"])["value"]
    assert found["plateau:margin"].loc[[1, 2]].tolist() == [2, 6]
    assert found["end:margin"].tolist() == [4, 8, 12]
    assert found["gain:margin"].loc[[1, 2]].tolist() == [2, 2]
    assert found["plateau_step"].loc[[1, 2]].tolist() == [10, 100]


def test_the_level_of_a_plateau_is_99_of_100_trials():
    rows = {"condition": "a", "seed": 1, "step": [4, 1, 2, 0], "measure": "train_accuracy"}
    found = plateau_steps(pd.DataFrame(rows | {"value": [0.99, 0.98, 0.995, 0.5]}))
    assert found["plateau"].tolist() == [2]


def test_every_network_has_a_plateau_and_an_end_of_its_own():
    """One seed in two conditions that were trained for different times."""
    parts = [
        pd.DataFrame({"condition": name, "seed": 1, "step": steps, "measure": measure, "value": values})
        for name, steps, accuracy in (("a", [0, 1, 2], [0.5, 1, 1]), ("b", [0, 2, 8, 64], [0.5, 0.6, 1, 1]))
        for measure, values in (("train_accuracy", accuracy), ("x", np.array(steps, float) ** 2))
    ]
    table = pd.concat(parts).sample(frac=1, random_state=3)
    found = gains(table, plateau_steps(table)).set_index(["quantity", "condition"])["value"]
    assert found["gain:x"].to_dict() == {"a": 4 - 1, "b": 64**2 - 64}
    assert found["plateau_step"].to_dict() == {"a": 1, "b": 8}
    log = found["gain5:x"]
    assert np.isnan(log["a"])
    assert log["b"] == pytest.approx((64**2 - 64) * np.log2(5) / 3)  # 40 lies log2(5) of 3 doublings from 8 to 64


def test_a_course_has_one_row_per_network_and_checkpoint():
    members = [SimpleNamespace(condition=SimpleNamespace(name=name), seed=seed) for name in "ab" for seed in (0, 1)]
    ensemble = SimpleNamespace(members=members, steps=np.array([0, 1, 10]))
    values = np.arange(12.0).reshape(4, 3)
    found = course(ensemble, {"x": values, "y": -values}).set_index(["measure", "condition", "seed", "step"])["value"]
    assert len(found) == 24
    assert found["x", "b", 0].to_dict() == {0: 6, 1: 7, 10: 8}
    assert found["y", "a", 1].to_dict() == {0: -3, 1: -4, 10: -5}
    with pytest.raises(PiriformError, match=r"measure 'x' has shape \(3, 4\); expected \(4, 3\)"):
        course(ensemble, {"x": values.T.reshape(3, 4)})


def test_a_network_without_plateau_has_no_gain():
    found = gains(courses(), plateau_steps(courses()))
    own = found[(found["seed"] == 3) & found["quantity"].isin(["gain:margin", "plateau:margin"])]
    assert own["value"].isna().all()


def test_gains_of_conditions_are_compared_at_the_same_multiple_of_the_plateau():
    """The margin is linear in log step, so that its value at 5 times the plateau lies log10(5) checkpoints on."""
    found = gains(courses(), plateau_steps(courses())).set_index(["quantity", "seed"])["value"]
    assert found["gain5:margin"].loc[[1, 2]].tolist() == pytest.approx([np.log10(5), 2 * np.log10(5)])
    assert np.isnan(found["gain5:margin"].loc[3])
    early = courses()[lambda table: table["step"] <= 100]
    short = gains(early, plateau_steps(early))
    assert short.set_index(["quantity", "seed"])["value"]["gain5:margin"].isna().tolist() == [False, True, True]
    assert unreached(short) == [
        "a: 1 of 3 networks reached no plateau of training and have no gains",
        "a: 2 of 3 networks were not trained 5 times as long as to a plateau",
    ]


def test_a_measure_that_is_not_known_at_both_checkpoints_is_not_interpolated():
    rows = {"condition": "a", "seed": 1, "step": [0, 1, 4, 16], "measure": "x", "value": [9.0, 0.0, np.nan, 4.0]}
    found = {
        step: values_at(pd.DataFrame(rows), pd.Series({("a", 1): step})).iloc[0] for step in (0, 1, 2, 4, 8, 16, 17)
    }
    assert (found[0], found[1], found[16]) == (9, 0, 4)
    assert all(np.isnan(found[step]) for step in (2, 4, 8, 17))


def test_the_lasting_time_lies_between_checkpoints():
    steps = np.array([0, 1, 2, 8, 32])
    assert lasting_time(steps, np.array([0, 0.2, 0.4, 0.8, 1]), 0.6) == pytest.approx(2)  # log2 of 4, between 2 and 8
    assert lasting_time(steps, np.array([0, 1, 0.4, 0.8, 1]), 0.6) == pytest.approx(
        2
    )  # what does not last does not count
    assert lasting_time(steps, np.array([0, 0.2, np.nan, 0.8, 1]), 0.5) == pytest.approx(1.5)
    assert lasting_time(steps, np.array([0, 0, 0, 0, 0.6]), 0.6) == 5  # the level itself is enough
    assert lasting_time(steps, np.array([0.2, 1, 1, 1, 1]), 0.6) == 0  # no time between step 0 and step 1
    assert lasting_time(steps, np.ones(5), 0.6) == 0
    assert np.isnan(lasting_time(steps, np.array([0, 1, 1, 1, 0.5]), 0.6))
    assert np.isnan(lasting_time(steps, np.full(5, np.nan), 0.6))


def test_times_between_checkpoints_do_not_depend_on_where_the_checkpoints_lie():
    """A course that is a line in log step is reached at the same time on any grid; a first checkpoint would not."""
    times = [
        lasting_time(steps, np.log2(np.maximum(steps, 1)) / 12, 0.55)
        for steps in (np.array([0, 1, 3, 40, 4096]), np.array([0, 1, 2, 90, 100, 5000]))
    ]
    assert times == pytest.approx([6.6, 6.6])


def test_effects_are_means_with_t_intervals():
    values = np.array([1.0, 2.0, 4.0, 7.0])
    row = effects(quantities(values)).iloc[0]
    assert (row["condition"], row["quantity"]) == ("a", "gain:x")
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert (row["mean"], row["low"], row["high"], row["n_seeds"]) == pytest.approx((3.5, low, high, 4))


def test_equal_seeds_give_a_point():
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0, 3)
    assert np.isnan(mean_interval([2.0])[1])


# Claims


def test_p_is_that_of_a_t_test():
    values = np.array([0.1, 0.4, -0.1, 0.3, 0.2])
    row = judged([Claim("it rises", "gain:x", "a")], quantities(values)).iloc[0]
    assert row["p"] == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)


def test_a_difference_is_taken_seed_by_seed():
    values, other = np.array([0.1, 0.4, -0.1, 0.3]), np.array([0.3, 0.5, 0.1, 0.6])
    table = quantities(values, other=other).sample(frac=1, random_state=1)
    row = judged([Claim("a is smaller", "gain:x", "a", "falls", "b")], table).iloc[0]
    assert row["p"] == pytest.approx(stats.ttest_rel(values, other, alternative="less").pvalue)


def test_staying_is_two_one_sided_tests():
    values = np.array([0.01, 0.04, -0.02, 0.03, 0.02])
    row = judged([Claim("it stays", "gain:x", "a", "stays", bound=0.05)], quantities(values)).iloc[0]
    expected = max(
        stats.ttest_1samp(values, 0.05, alternative="less").pvalue,
        stats.ttest_1samp(values, -0.05, alternative="greater").pvalue,
    )
    assert (row["p"], row["outcome"]) == (pytest.approx(expected), "held")


def test_all_claims_are_one_family():
    values = np.array([0.1, 0.4, -0.05, 0.35, 0.2])
    claims = [Claim(f"claim {number}", "gain:x", "a") for number in range(3)]
    table = judged(claims, quantities(values))
    np.testing.assert_allclose(table["p_holm"], 3 * table["p"])
    assert set(table["outcome"]) == {"not shown"}  # each by itself would hold
    assert stats.ttest_1samp(values, 0, alternative="greater").pvalue < 0.05 < table["p_holm"].min()
    assert all(sentence.endswith(f"p = {table['p_holm'][0]:.2g}).") for sentence in table["sentence"])
    contrary = judged(claims, quantities(-values))
    np.testing.assert_allclose(contrary["p_contrary"], table["p_holm"])
    assert set(contrary["outcome"]) == {"not shown"}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_contrary_of_staying_is_a_mean_beyond_either_bound(sign):
    values = sign * np.array([0.5, 0.9, 0.4, 0.8])
    row = judged([Claim("it stays", "gain:x", "a", "stays", bound=0.3)], quantities(values)).iloc[0]
    p = stats.ttest_1samp(sign * values, 0.3, alternative="greater").pvalue
    assert row["p_contrary"] == pytest.approx(2 * p)  # two ways to leave the bounds
    assert 0.025 < p < 0.05
    assert row["outcome"] == "not shown"


def test_the_level_is_5_of_100():
    values = np.array([0.1, 0.5, -0.1, 0.45])
    row = judged([Claim("it rises", "gain:x", "a")], quantities(values)).iloc[0]
    assert 0.05 < row["p"] < 0.1
    assert row["outcome"] == "not shown"


def test_seeds_without_a_value_are_left_out():
    row = judged([Claim("it rises", "gain:x", "a")], quantities(np.array([1.0, np.nan, 1.1, 0.9]))).iloc[0]
    assert (row["mean"], row["n_seeds"]) == (pytest.approx(1), 3)


def test_seeds_that_agree_need_no_p():
    row = judged([Claim("it rises", "gain:x", "a")], quantities(np.full(3, -1.0))).iloc[0]
    assert row["outcome"] == "opposite"
    assert row["sentence"].endswith("3 seeds, all alike).")


@pytest.mark.parametrize(
    ("claim", "values", "outcome"),
    [
        (Claim("c", "gain:x", "a"), [1.0, 1.1, 0.9], "held"),
        (Claim("c", "gain:x", "a"), [-1.0, -1.1, -0.9], "opposite"),
        (Claim("c", "gain:x", "a"), [-1.0, 1.1, 0.1], "not shown"),
        (Claim("c", "gain:x", "a", "falls"), [-1.0, -1.1, -0.9], "held"),
        (Claim("c", "gain:x", "a", "stays", bound=0.5), [1.0, 1.1, 0.9], "opposite"),
        (Claim("c", "gain:x", "a", "stays", bound=0.5), [2.0, -2.1, 0.9], "not shown"),
        (Claim("c", "gain:x", "a", offset=0.5), [0.6, 0.61, 0.62], "held"),
        (Claim("c", "gain:x", "a", offset=0.5), [0.3, 0.31, 0.32], "opposite"),
        (Claim("c", "gain:x", "a", "falls", offset=0.5), [0.3, 0.31, 0.32], "held"),
        (Claim("c", "gain:x", "a", "stays", bound=0.1, offset=0.5), [0.5, 0.51, 0.52], "held"),
        (Claim("c", "gain:x", "a", "stays", bound=0.5), [-1.0, -1.1, -0.9], "opposite"),
        (Claim("c", "gain:x", "a", "stays", bound=0.2), [-0.3, -0.3, -0.3], "opposite"),
        (Claim("c", "gain:x", "a", "stays", bound=0.5), [0.5, 0.5, 0.5], "not shown"),
        (Claim("c", "gain:x", "a"), [1.0, 1.0, 1.0], "held"),
        (Claim("c", "gain:x", "a"), [0.0, 0.0, 0.0], "not shown"),
        (Claim("c", "gain:x", "a", "stays", bound=0.5), [0.0, 0.0, 0.0], "held"),
        (Claim("c", "gain:x", "a", "stays", bound=0.5), [0.3, 0.1 + 0.2, 0.3], "held"),
        (Claim("c", "gain:x", "a", "stays", bound=0.2), [0.3, 0.1 + 0.2, 0.3], "opposite"),
        (Claim("c", "gain:x", "a"), [1.0], "not shown"),
        (Claim("c", "gain:x", "a"), [np.nan, np.nan], "not shown"),
    ],
)
def test_outcomes(claim, values, outcome):
    assert judged([claim], quantities(np.array(values))).iloc[0]["outcome"] == outcome


def test_claims_hold_by_chance_as_rarely_as_said():
    """Size: of ten claims about noise, one or more holds in about 5% of experiments."""
    rng = np.random.default_rng(1)
    claims = [Claim(f"c{number}", f"q{number}", "a") for number in range(10)]
    n, hits = 300, 0
    for _ in range(n):
        parts = [quantities(rng.normal(size=10), quantity=f"q{number}") for number in range(10)]
        hits += (judged(claims, pd.concat(parts, ignore_index=True))["outcome"] == "held").any()
    assert hits / n <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / n)


def test_what_a_mean_is_compared_with_is_said():
    row = judged([Claim("it is high", "gain:x", "a", offset=0.5)], quantities(np.array([0.6, 0.61, 0.62]))).iloc[0]
    assert (row["mean"], row["against"], row["outcome"]) == (pytest.approx(0.61), 0.5, "held")
    assert "0.61 [0.585, 0.635], against 0.5, 3 seeds" in row["sentence"]


def test_the_sentence_has_the_p_of_what_came_out():
    values = np.array([-1.0, -1.1, -0.9])
    row = judged([Claim("it rises", "gain:x", "a")], quantities(values)).iloc[0]
    p = stats.ttest_1samp(values, 0, alternative="less").pvalue
    assert row["sentence"].endswith(f"3 seeds, p of the contrary = {p:.2g}).")
    assert row["p_holm"] == pytest.approx(1 - p)


def test_networks_without_plateau_are_named():
    found = gains(courses(), plateau_steps(courses()))
    assert unreached(found) == ["a: 1 of 3 networks reached no plateau of training and have no gains"]
    assert unreached(found[found["seed"] < 3]) == []  # not even the later plateau, at 100 of 1000 steps, is too late


@pytest.mark.parametrize("name", ["hidden_progress", "causes"])
def test_every_experiment_with_odours_names_them(name, monkeypatch):
    module = import_module(f"piriform.networks.experiments.{name}")
    names = [claim.quantity.partition(":")[2] for claim in module.CLAIMS if claim.quantity.startswith("gain:")]
    conditions = [one.name for one in module.CONDITIONS]
    asked = []

    def unlearned(ensemble, tasks, *, overlap, seed):
        asked.append((overlap, seed))
        measured = ["train_accuracy", *names, *(f"probe_accuracy_{shared}" for shared in module.ODORS.probes)]
        parts = [
            pd.DataFrame({"condition": condition, "seed": seed, "step": STEPS, "measure": measure}).assign(
                value=0.95 if measure == "train_accuracy" else 1.0
            )  # .95 is no plateau
            for condition in conditions
            for seed in (0, 1)
            for measure in dict.fromkeys(measured)
        ]
        return pd.concat(parts, ignore_index=True)

    monkeypatch.setattr(module, "train", lambda *given, **options: SimpleNamespace(remarks=("a-1: stopped",)))
    monkeypatch.setattr(module, "odor_tasks", lambda *given: asked.append(given) or [])
    monkeypatch.setattr(module, "odor_courses", unlearned)
    found = module.run(Scale(seeds=2, seed=7), folder=None, progress=lambda text: None)
    assert asked == [(module.ODORS, 2, 7), (module.OVERLAP, 7)]
    never = [f"{one}: 2 of 2 networks reached no plateau of training and have no gains" for one in sorted(conditions)]
    assert list(found.remarks) == ["a-1: stopped", *never]


def test_conditions_and_variants_are_what_they_are_called():
    causes, circuit = (import_module(f"piriform.networks.experiments.{name}") for name in ("causes", "circuit"))
    for one in causes.CONDITIONS:
        kind, _, number = one.name.partition(" ")
        assert (one.loss, one.threshold) == (("hinge", float(number)) if kind == "hinge" else ("cross_entropy", 1.0))
        assert (one.margin_high < np.inf) == (one.name == "margin held")
        assert (one.margin_low > -np.inf) == (one.name == "margin pushed")
        assert (one.max_norm < np.inf) == (one.name == "norm bounded")
    late = import_module("piriform.networks.experiments.hidden_progress")
    assert "order:{} to {}".format(*late.ORDER) in {claim.quantity for claim in late.CLAIMS}
    assert {*late.ORDER, late.OVERLAP} <= {*late.ODORS.probes}
    for one in circuit.VARIANTS:
        assert one.overlap in one.odors.probes
        assert one.dale == (one.odors.expansion is not None) == (one.name == "circuit")


def test_the_sentence_has_the_numbers():
    row = judged([Claim("it rises", "gain:x", "a")], quantities(np.array([1.0, 1.1, 0.9]))).iloc[0]
    assert row["sentence"].startswith("it rises: held (gain:x in a: 1 [0.752, 1.25], 3 seeds, p = ")


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (Claim("c", "gain:y", "a"), "no quantity 'gain:y' in condition 'a'"),
        (Claim("c", "gain:x", "b"), "in condition 'b'"),
        (Claim("c", "gain:x", "a", minus="z"), "in condition 'z'"),
    ],
)
def test_a_claim_about_nothing_is_refused(claim, message):
    with pytest.raises(PiriformError, match=message):
        judged([claim], quantities(np.array([1.0, 2.0])))


@pytest.mark.parametrize("how", [{"expected": "stays"}, {"bound": 1.0}])
def test_a_bound_goes_with_staying(how):
    with pytest.raises(PiriformError, match="a bound above 0 goes with 'stays'"):
        Claim("c", "gain:x", "a", **how)


def test_what_seeds_expect_is_named():
    with pytest.raises(PiriformError, match="unknown expected"):
        Claim("c", "gain:x", "a", "grows")


# Experiments


def test_findings_keep_the_contract_of_the_tables():
    values = pd.concat([quantities(np.array([1.0, 2.0])), quantities(np.full(2, np.nan), quantity="none")])
    found = findings("e", values, [Claim("c", "gain:x", "a")], remarks=["r", "r"])
    assert found.measures.empty
    assert found.effects.set_index("quantity")["n_seeds"].to_dict() == {"gain:x": 2, "none": 0}
    shown = findings("e", values, [Claim("c", "gain:x", "a")], measures=courses()).measures
    assert shown["value"].tolist() == courses()["value"].tolist()
    assert found.remarks == ("r",)
    assert (found.claims["experiment"] == "e").all()


def test_an_experiment_that_is_not_there():
    with pytest.raises(PiriformError, match="unknown experiment 'hiden_progress' \\(did you mean 'hidden_progress'"):
        run_experiment("hiden_progress", Scale())


def test_every_experiment_that_is_listed_is_there():
    assert set(SHORT) <= set(QUESTIONS)
    for name in QUESTIONS:
        assert callable(import_module(f"piriform.networks.experiments.{name}").run)
