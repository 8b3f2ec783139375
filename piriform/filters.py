"""Which rows of a table does a filter expression select?

An expression compares columns with values: ``trial_type != 'water' and not (repeat > 2)``. Names
with spaces stand in backticks. Nothing can be called, so an expression cannot do anything else.
"""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from piriform.errors import ConfigError, StudyError, did_you_mean

_ALLOWED = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Compare, ast.cmpop),
    *(ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator),
)
#: Texts in lower case that mean that there is no value.
MISSING = ("", "nan", "none", "na", "n/a")
_QUOTED = re.compile(r"`([^`]+)`")


def column_names(expression: str | None) -> list[str]:
    """Return the columns that an expression uses, in alphabetical order.

    Raises
    ------
    ConfigError
        If it is not an expression of columns, values, comparisons, arithmetic, ``and``, ``or``,
        ``not`` and lists.

    Examples
    --------
    >>> column_names("trial_type != 'water' and `good trial` == 1")
    ['good trial', 'trial_type']
    """
    if not expression:
        return []
    try:
        nodes = list(ast.walk(ast.parse(_QUOTED.sub("0", expression).strip(), mode="eval")))
    except SyntaxError as error:
        raise ConfigError(
            f"filter {expression!r} is not an expression ({error.msg}); "
            "names with spaces and Python's own words stand in `backticks`"
        ) from None
    for node in nodes:
        if not isinstance(node, _ALLOWED):
            raise ConfigError(
                f"filter {expression!r} uses {type(node).__name__}; only columns, values, comparisons, "
                "arithmetic, and, or, not and lists are allowed"
            )
    return sorted({node.id for node in nodes if isinstance(node, ast.Name)} | set(_QUOTED.findall(expression)))


def selected(table: pd.DataFrame, expression: str | None, *, where: str = "table") -> np.ndarray:
    """Return for which rows of ``table`` the expression holds; without one, for all.

    A comparison with a missing value is false, except ``!=`` and ``not in``, which are true. Text
    that is compared with numbers is read as numbers; numbers are not compared with text.

    Returns
    -------
    (n_rows,) bool array

    Raises
    ------
    ConfigError
        If the expression is not allowed, see :func:`column_names`.
    StudyError
        If it uses a column that is not there, or values that cannot be compared: a column of numbers
        with text, or of text with numbers where not all of it is numbers.

    Examples
    --------
    >>> selected(pd.DataFrame({"odor": ["A", "water"], "n": [1, 2]}), "odor != 'water'").tolist()
    [True, False]
    """
    columns = [str(name) for name in table]
    for name in column_names(expression):
        if name not in columns:
            raise StudyError(
                f"{where}: filter {expression!r}: no column {name!r}{did_you_mean(name, columns)}; "
                f"it has {', '.join(columns)}"
            )
    if not expression:
        return np.ones(len(table), dtype=bool)
    table = _as_compared(table, expression, where)
    try:
        # the index is not a column, and must not be taken for one
        result = table.reset_index(drop=True).eval(expression, engine="python", local_dict={}, global_dict={})
    except Exception as error:
        raise StudyError(f"{where}: filter {expression!r} cannot be evaluated ({error})") from error
    if not (isinstance(result, pd.Series) and pd.api.types.is_bool_dtype(result)):
        raise StudyError(f"{where}: filter {expression!r} gives no true or false for each row")
    return result.to_numpy(dtype=bool)


def numbers(values: pd.Series) -> pd.Series:
    """Return values as numbers, also where they were written as text; missing ones are NaN.

    Examples
    --------
    >>> numbers(pd.Series(["1.0", " 2", "", "NaN"])).tolist()
    [1.0, 2.0, nan, nan]

    Raises
    ------
    ValueError
        If a text is no number.
    """
    if pd.api.types.is_numeric_dtype(values):
        return values
    gone = values.map(lambda value: isinstance(value, str) and value.strip().lower() in MISSING)
    return pd.to_numeric(values.mask(gone.astype(bool)))


def _as_compared(table: pd.DataFrame, expression: str, where: str) -> pd.DataFrame:
    """The table with text as numbers where it is compared with numbers; pandas would find no row equal."""
    table = table.copy()
    for name, values in _comparisons(expression):
        column, texts = table[name], [isinstance(value, str) for value in values]
        if column.isna().all() or not texts:
            continue
        if pd.api.types.is_numeric_dtype(column):
            if any(texts):
                value = values[texts.index(True)]
                kind = "true and false" if pd.api.types.is_bool_dtype(column) else "numbers"
                raise StudyError(
                    f"{where}: filter {expression!r}: column {name!r} holds {kind}, not the text {value!r}; "
                    "write numbers without quotes, and `name` or `not name` for true and false"
                )
        elif not any(texts):
            table[name] = _numbers(column, values[0], f"{where}: filter {expression!r}: column {name!r}")
    return table


def _numbers(column: pd.Series, value: Any, where: str) -> pd.Series:
    if isinstance(value, bool) and column.dropna().isin([True, False]).all():
        return column
    try:
        return numbers(column)
    except (ValueError, TypeError):
        held = next(text for text in column if isinstance(text, str) and text)
        raise StudyError(f"{where} holds text such as {held!r}, not numbers; write {str(value)!r} in quotes") from None


def _comparisons(expression: str) -> Iterator[tuple[str, list[Any]]]:
    """Columns that are compared with values written in the expression, and these values."""
    quoted = _QUOTED.findall(expression)
    names = {f"quoted_{number}_": name for number, name in enumerate(quoted)}
    places = iter(names)
    tree = ast.parse(_QUOTED.sub(lambda _: next(places), expression).strip(), mode="eval")
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for one, other in pairwise(sides):
            for column, value in ((one, other), (other, one)):
                if isinstance(column, ast.Name):
                    yield names.get(column.id, column.id), _constants(value)


def _constants(node: ast.expr) -> list[Any]:
    """The values of a constant or of a list of constants; none of anything else."""
    if isinstance(node, ast.List | ast.Tuple):
        return [value for entry in node.elts for value in _constants(entry)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _constants(node.operand)
    return [node.value] if isinstance(node, ast.Constant) else []
