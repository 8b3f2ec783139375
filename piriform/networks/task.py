"""What does a network see, and what must it answer?"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from piriform.errors import ConfigError

#: s between the trials of a recorded session.
TRIAL_SPACING = 5.0


@dataclass(frozen=True, eq=False)
class Examples:
    """Trials of a task.

    Attributes
    ----------
    inputs : (n_trials, ...) float array
        Norm about 1 per trial; (n_trials, n_times, n_inputs) for sequences, (n_trials, height, width, n_channels)
        for images.
    labels : (n_trials,) int array of class numbers, or (n_trials, n_outputs) float array of values
        Of two classes 1 is the target and 0 the nontarget, which probes belong to.
    table : DataFrame, n_trials rows
        What was presented: ``stimulus``, ``category``, ``class``, ``stratum``, texts, named as the coordinates of the trial tensor.
    """

    inputs: np.ndarray
    labels: np.ndarray
    table: pd.DataFrame

    def __post_init__(self) -> None:
        counts = (len(self.inputs), len(self.labels), len(self.table))
        if len(set(counts)) > 1:
            raise ConfigError(
                "examples need one label and one row per trial, got "
                f"{counts[0]} inputs, {counts[1]} labels and {counts[2]} rows"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_classes(self) -> bool:
        """Whether the labels are classes, not values."""
        return self.labels.ndim == 1

    def of_class(self, *names: str) -> "Examples":
        """Return the trials of these classes, e.g. ``target``, ``nontarget``, ``probe``."""
        return self.chosen(np.flatnonzero(self.table["class"].isin(names)))

    def chosen(self, rows: np.ndarray) -> "Examples":
        """Return the trials at these positions, in this order."""
        return Examples(self.inputs[rows], self.labels[rows], self.table.iloc[rows].reset_index(drop=True))


@dataclass(frozen=True, eq=False)
class Task:
    """What one network is trained on and recorded with.

    ``n_outputs`` is 1 for two classes, whose answer is the output's sign. ``remarks`` say what a
    reader of the results must know.
    """

    train: Examples
    test: Examples
    n_outputs: int = 1
    remarks: tuple[str, ...] = field(default=())


def joined(parts: list[Examples]) -> Examples:
    """Return the trials of all parts, one after the other."""
    return Examples(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.labels for part in parts]),
        pd.concat([part.table for part in parts], ignore_index=True),
    )


def class_table(names: np.ndarray, classes: np.ndarray) -> pd.DataFrame:
    """Return a table of trials in which every stimulus is its own category and has no stratum."""
    return pd.DataFrame({"stimulus": names, "category": names, "class": classes, "stratum": ""}, dtype=object)
