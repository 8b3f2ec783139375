"""Networks against the animals of a study: from tables to the table of the comparison, and its figure."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from study_metrics import Named, script

from piriform.comparison import NO_RISE, comparison, late_values, regime_series
from piriform.errors import PiriformError
from piriform.figures import comparison as figure
from piriform.figures import style
from piriform.tables import TABLES, check_table, load_table, save_table

METRIC = "separation_modulation"


def metric_table(values, *, source="neural", metric=METRIC):
    """Rows of ``metrics`` from (subject, day, value)."""
    rows = pd.DataFrame(values, columns=["subject", "day", "value"])
    fill = {"source": source, "session": "s", "phase": "", "metric": metric, "stimuli": "all", "matching": "matched"}
    fill |= {"status": "ok", "n_trials": 1, "n_units": 1, "n_draws": 1, "n_permutations": 0}
    missing = {name: np.nan for name in TABLES["metrics"] if name not in {*fill, *rows}}
    return check_table(rows.assign(**fill, **missing), "metrics")


def behavior_table(plateaus):
    rows = pd.DataFrame({"subject": list(plateaus), "plateau_day": list(plateaus.values())})
    fill = {"session": "s", "day": 1, "phase": "", "class": "all", "n_trials": 1, "accuracy": 1.0}
    return check_table(rows.assign(**fill, ci_low=0.9, ci_high=1.0, latency_s=np.nan), "behavior")


def late(x):
    """A curve that waits until 10 plateaus have passed and rises then."""
    return 1 / (1 + np.exp(-(np.log(x) - np.log(10)) / 0.15))


@pytest.fixture
def tables():
    """Four animals whose time constant is one day, networks that rise late, and networks that do not change."""
    rng = np.random.default_rng(1)
    animals = [
        (name, day, 2 * late(1 + day - 5) + number + 0.05 * rng.normal())
        for number, name in enumerate("QRST")
        for day in range(5, 22 + number)
    ] + [("Q", 2, 50.0)]
    steps = np.rint(100 * np.geomspace(1, 40, 25)).astype(int)
    networks = [
        (f"{regime}-{seed}", step, value(step / 100) + 0.02 * rng.normal())
        for regime, value in (("alpha 3", late), ("alpha 1000", lambda x: 0.3))
        for seed in range(4)
        for step in steps
    ]
    names = dict.fromkeys((name for name, *_ in networks), 100.0)
    return (
        metric_table(animals),
        behavior_table(dict.fromkeys("QRST", 5.0)),
        metric_table(networks, source="network"),
        behavior_table(names),
    )


def test_the_networks_that_made_the_animals_are_found(tables):
    found = comparison(*tables, names=[METRIC]).set_index("candidate")
    assert list(found.index) == ["line", "logarithm", "alpha 3", "any", "other animals", "alpha 1000"]
    assert found.loc["alpha 3", "skill"] > 0.97
    assert found.loc["alpha 3", "tau_days"] == pytest.approx(1, rel=0.2)
    assert found.loc["alpha 3", "chosen"] == 1
    assert (found.loc["alpha 3", ["p_line", "p_logarithm"]] < 0.05).all()
    assert found.loc["line", "skill"] < found.loc["any", "skill"]
    assert np.isnan(found.loc["line", "p_line"])


def test_the_other_animals_and_single_seeds_stand_beside_the_networks(tables):
    """The animals follow one curve, so that they predict each other; each seed of the right regime predicts them."""
    found = comparison(*tables, names=[METRIC]).set_index("candidate")
    assert found.loc["other animals", "skill"] > 0.97
    assert found.loc["other animals", "p_line"] < 0.05
    low, skill, high = found.loc["alpha 3", ["seed_low", "skill", "seed_high"]]
    assert 0.95 < low < high < 1
    assert low < skill + 0.01
    assert found.loc[["line", "any", "alpha 1000"], ["seed_low", "seed_high"]].isna().all(axis=None)


def test_behaviour_is_a_candidate_where_it_varies_after_the_plateau(tables):
    """Sessions are told apart by name; accuracy that is the animals' curve predicts them."""
    metrics, behavior, *networks = tables
    metrics = metrics.assign(session=[f"day-{day}" for day in metrics["day"]])
    rows = metrics[["subject", "session", "day"]].merge(behavior.drop(columns=["session", "day"]), on="subject")
    own = rows.assign(accuracy=0.6 + 0.3 * late(np.maximum(rows["day"] - 4, 1)), **{"class": "all"})
    found = comparison(metrics, own, *networks, names=[METRIC]).set_index("candidate")
    assert found.loc["behavior", "skill"] > 0.97
    constant = own.assign(accuracy=own["accuracy"].where(own["subject"] != "R", 0.8))
    assert "behavior" not in set(comparison(metrics, constant, *networks, names=[METRIC])["candidate"])


def test_networks_that_do_not_rise_predict_nothing(tables):
    row = comparison(*tables, names=[METRIC]).set_index("candidate").loc["alpha 1000"]
    assert row["status"] == NO_RISE
    assert row["n_networks"] == 4
    assert np.isnan(row["skill"])


def test_networks_without_a_late_curve_do_not_stop_the_others(tables):
    metrics, behavior, networks, plateaus = tables
    never = plateaus["subject"].str.startswith("alpha 1000")
    plateaus.loc[never, "plateau_day"] = networks["day"].max()
    found = comparison(metrics, behavior, networks, plateaus, names=[METRIC]).set_index("candidate")
    assert found.loc["alpha 1000", "status"] == "no network has 2 steps from its plateau on; train them longer"
    assert found["n_networks"].to_dict() == dict.fromkeys(found.index, 0) | {"alpha 3": 4}
    assert found.loc["alpha 3", "skill"] > 0.9


def test_a_metric_that_falls_with_learning_is_turned_round(tables):
    metrics, behavior, *networks = tables
    turned = [table.assign(metric="similarity_dot_cv", value=-table["value"]) for table in (metrics, networks[0])]
    found = comparison(turned[0], behavior, turned[1], networks[1], names=["similarity_dot_cv"])
    expected = comparison(*tables, names=[METRIC])
    np.testing.assert_allclose(found["skill"], expected["skill"])


def test_only_matched_values_of_all_stimuli_count(tables):
    expected = comparison(*tables, names=[METRIC])
    spoiled = []
    for table in (tables[0], tables[2]):
        wrong = table.assign(value=-3 * table["day"])
        spoiled.append(pd.concat([table, wrong.assign(matching="full"), wrong.assign(stimuli="fixed")]))
    found = comparison(spoiled[0], tables[1], spoiled[1], tables[3], names=[METRIC])
    pd.testing.assert_frame_equal(found, expected)


def test_every_metric_has_its_rows_and_its_own_values(tables):
    """A metric in which up means nothing keeps its sign."""
    other = [table.assign(metric="participation_ratio", value=table["value"] ** 3) for table in (tables[0], tables[2])]
    both = [pd.concat([table, one]) for table, one in zip((tables[0], tables[2]), other, strict=True)]
    names = [METRIC, "participation_ratio"]
    found = comparison(both[0], tables[1], both[1], tables[3], names=names)
    parts = [
        comparison(*tables, names=names[:1]),
        comparison(other[0], tables[1], other[1], tables[3], names=names[1:]),
    ]
    pd.testing.assert_frame_equal(found, pd.concat(parts, ignore_index=True))
    assert late_values(names[1], both[0], tables[1])["value"].tolist() == other[0]["value"].tolist()


def test_accuracy_is_that_of_all_trials_of_the_session(tables):
    sessions = tables[0].assign(session=[f"day-{day}" for day in tables[0]["day"]])
    rows = sessions[["subject", "session"]].assign(plateau_day=5.0, accuracy=0.5 + sessions["day"] / 100)
    behavior = pd.concat([rows.assign(accuracy=0.1, **{"class": "target"}), rows.assign(**{"class": "all"})])
    found = late_values(METRIC, sessions, behavior)
    np.testing.assert_allclose(found["behavior"], 0.5 + found["day"] / 100)


def test_a_regime_may_have_a_minus_in_its_name():
    found = regime_series(pd.DataFrame({"subject": ["alpha 1e-07-0", "alpha 1e-07, rank 1-10"], "day": [3, 4]}))
    assert found["regime"].tolist() == ["alpha 1e-07", "alpha 1e-07, rank 1"]
    assert (found["seed"].tolist(), found["step"].tolist()) == (["0", "10"], [3, 4])


def test_the_interval_of_a_gain_holds_its_mean(tables):
    row = comparison(*tables, names=[METRIC]).set_index("candidate").loc["alpha 3"]
    lines = comparison(*tables, names=[METRIC]).set_index("candidate")["skill"]
    for trend in ("line", "logarithm"):
        assert row[f"low_{trend}"] < row[f"mean_{trend}"] < row[f"high_{trend}"]
        assert row[f"mean_{trend}"] == pytest.approx(row["skill"] - lines[trend])


def test_subjects_without_days_from_their_plateau_on_are_not_counted(tables):
    early = metric_table([("U", day, 1.0) for day in range(1, 5)])
    behavior = behavior_table(dict.fromkeys("QRSTU", 5.0))
    found = comparison(pd.concat([tables[0], early]), behavior, *tables[2:], names=[METRIC])
    assert set(found["n_subjects"]) == {4}


def test_a_metric_that_was_not_measured_has_a_row_that_says_so(tables):
    found = comparison(*tables, names=["decoding_auc"])
    assert found["status"].tolist() == ["0 of 3 subjects with 4 days from their plateau on"]


@pytest.mark.parametrize(("place", "has", "lacks"), [(2, "behavior", "metrics"), (3, "metrics", "behavior")])
def test_a_network_that_is_in_one_table_alone_is_refused(tables, place, has, lacks):
    parts = list(tables)
    parts[place] = parts[place][parts[place]["subject"] != "alpha 3-1"]
    message = f"network 'alpha 3-1' is in networks/{has}.csv, but not in networks/{lacks}.csv; delete both tables"
    with pytest.raises(PiriformError, match=message):
        comparison(*parts, names=[METRIC])


def test_too_few_animals_are_said(tables):
    metrics, *others = tables
    found = comparison(metrics[metrics["subject"].isin(["Q", "R"])], *others, names=[METRIC])
    assert len(found) == 1
    assert found["status"].iloc[0] == "2 of 3 subjects with 4 days from their plateau on"
    assert found["n_subjects"].iloc[0] == 2


def test_values_count_from_the_plateau(tables):
    found = late_values(METRIC, tables[0], behavior_table({"Q": 5.0, "R": np.nan}))
    assert found.loc[found["subject"] == "Q", "since"].min() == -3
    assert found.loc[found["subject"] == "R", "since"].isna().all()


def test_the_figure_has_three_panels_a_metric(tables):
    found = comparison(*tables, names=[METRIC])
    with style.applied():
        drawn = figure.build(found, *tables, names=[METRIC])
    assert [ax.get_title("left") for ax in drawn.axes][1:] == ["networks", "predicting animals left out"]
    assert len(drawn.axes[0].get_lines()) == 4
    lines = {line.get_label(): line for line in drawn.axes[1].get_lines()}
    assert set(lines) == {"alpha 3", "alpha 1000", "null"}
    assert lines["alpha 3"].get_ydata()[-1] > 0.8
    assert abs(lines["alpha 1000"].get_ydata()[-1]) < 0.1
    assert [text.get_text() for text in drawn.axes[2].get_yticklabels()][-1] in ("alpha 3", "any", "other animals")


@pytest.mark.parametrize("metrics", [[], [METRIC]])
def test_the_script_compares_the_metrics_asked_for_or_the_one_that_decides(tables, tmp_path, metrics):
    kinds = ("metrics", "behavior", "network_metrics", "network_behavior")
    inputs = {name: tmp_path / f"{name}.csv" for name in kinds}
    for name, table in zip(kinds, tables, strict=True):
        save_table(table, name.removeprefix("network_"), inputs[name])
    outputs = Named(table=tmp_path / "comparison.csv", png=tmp_path / "c.png", svg=tmp_path / "c.svg")
    primary = "decoding_auc" if metrics else METRIC
    settings = SimpleNamespace(networks=SimpleNamespace(metrics=metrics), verdict=SimpleNamespace(primary=primary))
    script("comparison")(inputs, outputs, settings=settings)
    expected = comparison(*tables, names=[METRIC])
    pd.testing.assert_frame_equal(load_table(outputs.table, "comparison"), expected)
    assert outputs.svg.stat().st_size > 1000


def test_regimes_look_alike_in_output_scale_or_in_loss():
    names = [f"alpha {alpha}{loss}" for alpha in (1, 3, 10) for loss in ("", ", hinge 0.1", ", hinge 0.1, rank 1")]
    looks = figure.looks(names)
    assert len({look["color"] for look in looks.values()}) == 3
    assert looks["alpha 3"]["color"] == looks["alpha 3, hinge 0.1"]["color"]
    assert looks["alpha 3, hinge 0.1"]["ls"] == looks["alpha 10, hinge 0.1"]["ls"]
    assert len({str(looks[name]["ls"]) for name in names[:3]}) == 3


def test_the_legend_names_scales_and_losses_once(tables):
    """Two scales and two losses are four lines, and four keys; a single loss needs none."""
    metrics, behavior, own, answers = tables
    renamed = [table.assign(subject=table["subject"].str.replace("-", ", hinge 0.1-")) for table in (own, answers)]
    networks = [pd.concat(pair, ignore_index=True) for pair in zip((own, answers), renamed, strict=True)]
    found = comparison(metrics, behavior, *networks, names=[METRIC])
    with style.applied():
        drawn = figure.build(found, metrics, behavior, *networks, names=[METRIC])
        plain = figure.build(comparison(*tables, names=[METRIC]), *tables, names=[METRIC])
    assert keys(drawn) == ["alpha 3", "alpha 1000", "cross-entropy", "hinge 0.1"]
    assert keys(plain) == ["alpha 3", "alpha 1000"]


def keys(drawn):
    return [text.get_text() for text in drawn.axes[1].get_legend().get_texts()]


def test_the_figure_says_why_there_is_no_answer(tables):
    metrics, *others = tables
    few = metrics[metrics["subject"] == "Q"]
    with style.applied():
        drawn = figure.build(comparison(few, *others, names=[METRIC]), few, *others, names=[METRIC])
    assert "1 of 3 subjects" in drawn.axes[2].texts[0].get_text()
