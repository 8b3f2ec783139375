import numpy as np
import pandas as pd
import pytest

from piriform.errors import TableError
from piriform.tables import METRICS, TABLES, check_table, empty_table, load_table, metric_of, save_table

BEHAVIOR = {
    "subject": "Q",
    "session": "s1",
    "day": 1,
    "phase": "training",
    "class": "all",
    "n_trials": 20,
    "accuracy": 0.75,
    "ci_low": 0.5,
    "ci_high": 0.9,
    "latency_s": np.nan,
    "plateau_day": np.nan,
}


def behavior(**changes):
    """One row of the table of behaviour with some values changed."""
    return pd.DataFrame([BEHAVIOR | changes])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_saved_table_comes_back_the_same(tmp_path, suffix):
    table = check_table(behavior(), "behavior")
    path = tmp_path / f"b.{suffix}"
    save_table(table, "behavior", path)
    back = load_table(path, "behavior") if suffix == "csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(back, table, check_dtype=suffix == "csv")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_text_that_looks_like_a_missing_value_stays_text(tmp_path):
    table = check_table(behavior(subject="NA", session="001"), "behavior")
    save_table(table, "behavior", tmp_path / "b.csv")
    back = load_table(tmp_path / "b.csv", "behavior")
    assert back.loc[0, ["subject", "session"]].tolist() == ["NA", "001"]


def test_columns_are_put_in_order_and_cast():
    shuffled = behavior(day="3")[list(BEHAVIOR)[::-1]]
    table = check_table(shuffled, "behavior")
    assert list(table) == list(TABLES["behavior"])
    assert table["day"].tolist() == [3]
    assert table["day"].dtype == np.int64


@pytest.mark.parametrize("kind", TABLES)
def test_an_empty_table_is_valid_and_round_trips(tmp_path, kind):
    save_table(empty_table(kind), kind, tmp_path / "t.csv")
    back = load_table(tmp_path / "t.csv", kind)
    assert list(back) == list(TABLES[kind])
    assert len(back) == 0


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (behavior().drop(columns="day"), r"missing column\(s\) day, unknown column\(s\) none; expected subject"),
        (behavior().assign(bogus=1), r"missing column\(s\) none, unknown column\(s\) bogus"),
        (behavior(accuracy=1.2), r"column 'accuracy': values outside \[0, 1\]"),
        (behavior(accuracy="high"), r"column 'accuracy': expected number values"),
        (behavior(day=1.5), r"column 'day': expected integer values \(whole numbers only"),
        (behavior(day=np.nan), r"column 'day': expected integer values"),
        (behavior(phase="late"), r"column 'phase': 'late' is not one of 'training', 'overtraining', ''"),
    ],
)
def test_a_table_that_breaks_its_contract_is_refused(table, says):
    with pytest.raises(TableError, match=says):
        check_table(table, "behavior")


def test_a_flag_is_true_or_false():
    row = dict.fromkeys(TABLES["sessions"], "") | dict.fromkeys(
        ("day", "n_units", "n_trials", "n_units_excluded", "n_trials_excluded"), 0
    )
    assert check_table(pd.DataFrame([row | {"included": "True"}]), "sessions")["included"].tolist() == [True]
    with pytest.raises(TableError, match="column 'included': expected flag values"):
        check_table(pd.DataFrame([row | {"included": "maybe"}]), "sessions")


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(TableError, match=r"none.csv: no such file; expected the table 'metrics'"):
        load_table(tmp_path / "none.csv", "metrics")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(TableError, match=r"empty.csv: not a CSV table"):
        load_table(tmp_path / "empty.csv", "metrics")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match=r"bytes.csv: not a CSV table"):
        load_table(tmp_path / "bytes.csv", "metrics")


def test_an_unknown_kind_of_table_is_refused():
    with pytest.raises(TableError, match=r"unknown table 'metric' \(did you mean 'metrics'\?\)"):
        check_table(behavior(), "metric")


def test_a_probe_metric_is_declared_by_its_family():
    assert metric_of("generalization_probe_2") is METRICS["generalization_probe"]
    with pytest.raises(TableError, match="unknown metric 'generalization'"):
        metric_of("generalization")


def test_a_metric_with_a_direction_says_what_learning_does():
    assert {metric.learning for metric in METRICS.values()} == {-1, 0, 1}
    assert all(metric.meaning for metric in METRICS.values())
