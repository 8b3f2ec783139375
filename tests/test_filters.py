import numpy as np
import pandas as pd
import pytest

from piriform.errors import ConfigError, StudyError
from piriform.filters import column_names, selected

TABLE = pd.DataFrame(
    {
        "odor": ["A", "water", None, "B"],
        "n": [1.0, 2.0, np.nan, 4.0],
        "ok": [True, False, True, True],
        "my n": [0, 1, 0, 1],
    },
    index=[7, 8, 9, 10],
)


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("odor != 'water'", [7, 9, 10]),  # missing is not water
        ("odor == 'water'", [8]),
        ("odor in ['A', 'B']", [7, 10]),
        ("odor not in ('A',)", [8, 9, 10]),
        ("ok", [7, 9, 10]),
        ("not ok", [8]),
        ("ok and n > 1", [10]),
        ("odor == 'A' or `my n` == 1 and n < 3", [7, 8]),
        ("1 < n <= 4", [8, 10]),
        ("n % 2 == 0 and -n < -1", [8, 10]),
        ("n == n", [7, 8, 10]),
        (None, [7, 8, 9, 10]),
    ],
)
def test_rows_that_an_expression_selects(expression, rows):
    assert TABLE.index[selected(TABLE, expression)].tolist() == rows


def test_column_names():
    assert column_names("a == 1 and (`b c` in [2, 3] or not d)") == ["a", "b c", "d"]
    assert column_names(None) == []


@pytest.mark.parametrize("expression", ["@x == 1", "n = 1", "n == 1; ok", "n ==", "class == 'A'"])
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(ConfigError, match="is not an expression"):
        column_names(expression)


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("odor.__class__ == 1", "Attribute"),
        ("__import__('os')", "Call"),
        ("odor[0] == 'A'", "Subscript"),
        ("[x for x in odor] == 1", "ListComp"),
        ("(lambda: 1) == n", "Lambda"),
        ("(m := n) == 1", "NamedExpr"),
    ],
)
def test_an_expression_cannot_run_code(expression, what):
    with pytest.raises(ConfigError, match=f"uses {what}"):
        selected(TABLE, expression)


def test_python_words_are_columns_in_backticks():
    assert selected(pd.DataFrame({"class": ["A", "B"]}), "`class` == 'A'").tolist() == [True, False]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(
        StudyError, match=r"s1: filter .*no column 'odour' \(did you mean 'odor'\?\); it has odor, n, ok, my n"
    ):
        selected(TABLE, "odour == 'A'", where="s1")


def test_values_that_cannot_be_compared():
    with pytest.raises(StudyError, match="cannot be evaluated"):
        selected(TABLE, "n > odor")


@pytest.mark.parametrize(
    ("expression", "rows"),
    [("code > 1", [8, 10]), ("code in [1, 2.0]", [7, 8]), ("`co de` == 2 and code != 4", [8])],
)
def test_text_that_is_compared_with_numbers_is_numbers(expression, rows):
    table = TABLE.assign(code=["1.0", " 2", "", "4"])
    table["co de"] = table["code"]
    assert table.index[selected(table, expression)].tolist() == rows


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("n == '1'", "column 'n' holds numbers, not the text '1'; write numbers without quotes"),
        ("'a' < n", "column 'n' holds numbers, not the text 'a'"),
        ("n not in [1, 'a']", "column 'n' holds numbers, not the text 'a'"),
        ("ok == 'True'", "column 'ok' holds true and false, not the text 'True'"),
        ("odor == 1", "column 'odor' holds text such as 'A', not numbers; write '1' in quotes"),
        ("-1 == `odor`", "column 'odor' holds text such as 'A', not numbers"),
    ],
)
def test_numbers_are_not_compared_with_text(expression, message):
    with pytest.raises(StudyError, match=rf"s1: filter .*{message}"):
        selected(TABLE, expression, where="s1")


def test_a_column_without_values_may_be_compared_with_anything():
    table = pd.DataFrame({"a": [np.nan, np.nan], "b": [None, None]})
    assert selected(table, "a == 'x' or b == 1").tolist() == [False, False]
    assert selected(pd.DataFrame({"ok": np.array([True, None], dtype=object)}), "ok == True").tolist() == [True, False]


@pytest.mark.parametrize("expression", ["n + 1", "1 == 1"])
def test_an_expression_must_give_true_or_false_per_row(expression):
    with pytest.raises(StudyError, match="no true or false for each row"):
        selected(TABLE, expression)
