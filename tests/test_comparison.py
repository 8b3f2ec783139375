"""Networks against the animals of a study: from tables to the table of the comparison, and its figure."""

import numpy as np
import pandas as pd
import pytest

from piriform.comparison import NO_RISE, comparison, late_values
from piriform.figures import comparison as figure
from piriform.figures import style
from piriform.tables import TABLES, check_table

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
    assert set(found.index) == {"alpha 3", "alpha 1000", "any", "line", "logarithm"}
    assert found.loc["alpha 3", "skill"] > 0.97
    assert found.loc["alpha 3", "tau_days"] == pytest.approx(1, rel=0.2)
    assert found.loc["alpha 3", "chosen"] == 1
    assert (found.loc["alpha 3", ["p_line", "p_logarithm"]] < 0.05).all()
    assert found.loc["line", "skill"] < found.loc["any", "skill"]
    assert np.isnan(found.loc["line", "p_line"])


def test_networks_that_do_not_rise_predict_nothing(tables):
    row = comparison(*tables, names=[METRIC]).set_index("candidate").loc["alpha 1000"]
    assert row["status"] == NO_RISE
    assert np.isnan(row["skill"])


def test_a_metric_that_falls_with_learning_is_turned_round(tables):
    metrics, behavior, *networks = tables
    turned = [table.assign(metric="similarity_dot_cv", value=-table["value"]) for table in (metrics, networks[0])]
    found = comparison(turned[0], behavior, turned[1], networks[1], names=["similarity_dot_cv"])
    expected = comparison(*tables, names=[METRIC])
    np.testing.assert_allclose(found["skill"], expected["skill"])


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
    assert len(drawn.axes[1].get_lines()) == 2
    assert [text.get_text() for text in drawn.axes[2].get_yticklabels()][-1] in ("alpha 3", "any")


def test_the_figure_says_why_there_is_no_answer(tables):
    metrics, *others = tables
    few = metrics[metrics["subject"] == "Q"]
    with style.applied():
        drawn = figure.build(comparison(few, *others, names=[METRIC]), few, *others, names=[METRIC])
    assert "1 of 3 subjects" in drawn.axes[2].texts[0].get_text()
