"""Which rows of a table does a filter expression select?

An expression compares columns with values: ``trial_type != 'water' and not (repeat > 2)``. Names
with spaces stand in backticks. Nothing can be called, so an expression cannot do anything else.
"""

import ast
import re

import numpy as np
import pandas as pd

from piriform.errors import ConfigError, StudyError, did_you_mean

_ALLOWED = (
    *(ast.Expression, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.Compare, ast.cmpop),
    *(ast.BoolOp, ast.boolop, ast.UnaryOp, ast.unaryop, ast.BinOp, ast.operator),
)
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

    A comparison with a missing value is false, except ``!=`` and ``not in``, which are true.

    Returns
    -------
    (n_rows,) bool array

    Raises
    ------
    ConfigError
        If the expression is not allowed, see :func:`column_names`.
    StudyError
        If it uses a column that is not there, or values that cannot be compared.

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
    try:
        # the index is not a column, and must not be taken for one
        result = table.reset_index(drop=True).eval(expression, engine="python", local_dict={}, global_dict={})
    except Exception as error:
        raise StudyError(f"{where}: filter {expression!r} cannot be evaluated ({error})") from error
    if not (isinstance(result, pd.Series) and pd.api.types.is_bool_dtype(result)):
        raise StudyError(f"{where}: filter {expression!r} gives no true or false for each row")
    return result.to_numpy(dtype=bool)
