"""What is kept of each simulated study? The table of studies, read and written."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from piriform.errors import TableError
from piriform.provenance import atomic_path
from piriform.simulate.truth import SCENARIOS

#: Metrics as they are commonly computed, on all units and trials of a session and without controls.
NAIVE = (
    "decoding_auc",
    "separation_crossnobis",
    "separation_dprime",
    "margin_heldout",
    "similarity_dot",
    "similarity_cosine",
)
_NUMBERS = ("n_subjects", "effect", "ci_low", "ci_high", "p", "fixed_p", "flat_p", "behavior_effect")
STUDY_COLUMNS = (
    *("scenario", "study", "seed", "verdict", "verdict_no_fixed"),
    *_NUMBERS,
    *(f"naive_{name}" for name in NAIVE),
)


def read_studies(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read tables of studies and join them, ordered by scenario and number.

    Raises
    ------
    TableError
        If a file is missing, is no such table, or a study is there twice.
    """
    tables = []
    for path in map(Path, paths):
        try:
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
        except FileNotFoundError:
            raise TableError(f"{path}: no such file; expected a table of studies, calibrate first") from None
        except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
            raise TableError(f"{path}: not a CSV table ({error})") from None
        if list(table) != list(STUDY_COLUMNS):
            raise TableError(f"{path}: not a table of studies; expected the columns {', '.join(STUDY_COLUMNS)}")
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True)
    twice = joined[joined.duplicated(["scenario", "study"])]
    if len(twice):
        raise TableError(f"study {twice.iloc[0]['study']} of {twice.iloc[0]['scenario']} is there twice; keep one row")
    rank = joined["scenario"].map({name: place for place, name in enumerate(SCENARIOS)})
    return joined.iloc[np.lexsort((joined["study"], rank))].reset_index(drop=True)


def save(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, under a temporary name, then rename."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
