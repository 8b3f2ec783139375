"""How is a calibration started, and what does it leave?"""

from pathlib import Path

import pandas as pd

from piriform.config import Config
from piriform.errors import StudyError
from piriform.run import run_command, snakemake_command, start


def calibrate(config: Config, *, cores: int = 2) -> int:
    """Run the calibration through Snakemake; return its exit code.

    Raises
    ------
    StudyError
        If the results folder cannot be written, or another run holds it.
    """
    try:
        path = start(config)
    except OSError as error:
        raise StudyError(
            f"{config.out}: cannot be written ({error.strerror}); choose another folder with --out"
        ) from None
    return run_command([*snakemake_command(path, cores=cores), "calibration"])


def read_calibration(out: str | Path) -> pd.DataFrame:
    """Read ``calibration.csv`` of a finished calibration; raises :class:`StudyError` if there is none."""
    path = Path(out) / "calibration.csv"
    if not path.exists():
        raise StudyError(f"{path}: no such file; expected a finished calibration, run `piriform calibrate` first")
    return pd.read_csv(path, keep_default_na=False, na_values={"bar": ""})
