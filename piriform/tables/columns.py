"""What is declared of a column?"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """One column: its kind (``text``, ``integer``, ``number`` or ``flag``) and what it says."""

    kind: str
    meaning: str
    allowed: tuple[str, ...] = ()
    low: float = -np.inf
    high: float = np.inf


def share(meaning: str) -> Column:
    """Return a column of numbers from 0 to 1."""
    return Column("number", meaning, low=0.0, high=1.0)
