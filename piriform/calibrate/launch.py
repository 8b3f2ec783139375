"""What does a calibration leave?"""

from pathlib import Path

import pandas as pd

from piriform.errors import StudyError

#: The workflow's target.
TARGET = "calibration"


def read_calibration(out: str | Path) -> pd.DataFrame:
    """Read ``calibration.csv`` of a finished calibration; raises :class:`StudyError` if there is none."""
    path = Path(out) / "calibration.csv"
    if not path.exists():
        raise StudyError(f"{path}: no such file; expected a finished calibration, run `piriform calibrate` first")
    return pd.read_csv(path, keep_default_na=False, na_values={"bar": ""})
