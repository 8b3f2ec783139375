"""The figure of a calibration draws its table."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from piriform.calibrate.summary import calibration_table
from piriform.calibrate.tables import STUDY_COLUMNS
from piriform.figures import style
from piriform.figures.calibration import GROWTH, NOTHING, build, draw_false_alarms, draw_power, save_figure
from piriform.simulate import SCENARIOS


def table(shares):
    """20 studies of each scenario, this many of them hidden progress."""
    rows = []
    for scenario, n_found in shares.items():
        filled = dict.fromkeys(STUDY_COLUMNS, 0.5) | {"scenario": scenario, "naive_decoding_auc": 0.01}
        verdicts = ["hidden progress"] * n_found + ["no evidence"] * (20 - n_found)
        rows += [filled | {"study": i, "verdict": v, "verdict_no_fixed": v} for i, v in enumerate(verdicts)]
    return calibration_table(pd.DataFrame(rows))


@pytest.fixture(autouse=True)
def _style():
    with style.applied():
        yield


@pytest.fixture
def ax():
    return Figure().subplots()


def test_false_alarms_stand_where_the_table_says(ax):
    draw_false_alarms(table({"null": 1, "gain": 4}), ax, bar=0.05)
    verdicts = ax.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(verdicts, [[0.05, 1], [0.2, 0]])
    (naive,) = [line for line in ax.lines if line.get_label() == "naive decoding auc"]
    np.testing.assert_allclose(naive.get_xydata(), [[1, 1], [1, 0]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["null", "gain"]


def test_power_is_drawn_against_growth(ax):
    draw_power(table({"growth_small": 6, "growth_large": 18}), ax)
    (line,) = [line for line in ax.lines if line.get_label() == "verdict"]
    np.testing.assert_allclose(line.get_xydata(), [[1.5, 0.3], [3, 0.9]])
    bars = ax.lines[-1].get_xydata()
    np.testing.assert_allclose(bars, [[1.5, 0.25], [3, 0.8]])


@pytest.mark.parametrize("names", [SCENARIOS, ["gain"], ["growth_large"]])
def test_any_choice_of_scenarios_can_be_drawn(names):
    figure = build(table(dict.fromkeys(names, 3)))
    figure.draw_without_rendering()
    empty = [text for ax in figure.axes for text in ax.texts if text.get_text() == NOTHING]
    assert len(empty) == (0 if len(names) > 1 else 1)


def test_a_table_without_rows_is_a_sentence():
    (text,) = build(table({"null": 1}).iloc[:0]).axes[0].texts
    assert NOTHING in text.get_text()


def test_growth_is_that_of_the_scenarios():
    assert all(SCENARIOS[name][1].get("growth", 1.0) == factor for name, factor in GROWTH.items())


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for name in ("a.svg", "b.svg"):
        save_figure(table({"null": 1, "growth": 20}), [tmp_path / name])
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
