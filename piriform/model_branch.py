"""Which experiments with networks are run by themselves, and what do they leave?"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from piriform.config import Config, load_config, parse_config
from piriform.errors import known
from piriform.networks.experiments import QUESTIONS
from piriform.run import default_config
from piriform.tables import load_table

#: The workflow's target.
TARGET = "network_page"


def networks_config(
    experiments: Sequence[str] | None = None,
    *,
    seeds: int = 10,
    full: bool = True,
    seed: int = 1,
    out: str | Path = "results",
) -> Config:
    """Return the config of experiments with networks alone; results go to the folder ``networks`` of ``out``.

    Parameters
    ----------
    experiments : names; none: all
    seeds : networks per condition
    full : all conditions, or the main ones

    Raises
    ------
    ConfigError
        If there is no such experiment, or fewer than 2 seeds.
    """
    for name in experiments or ():
        known("experiment", name, QUESTIONS)
    values = load_config(default_config()).model_dump(mode="json")
    chosen = {"experiments": list(dict.fromkeys(experiments or QUESTIONS)), "seeds": seeds, "full": full}
    values |= {"study": "networks", "data": str(Path(out) / "networks" / "data"), "results": str(out)}
    return parse_config(values | {"seed": seed, "networks": chosen}, where="piriform networks")


def read_claims(config: Config) -> pd.DataFrame:
    """Return the table ``network_claims`` of all experiments of a config."""
    folder = config.out / "networks"
    tables = [
        load_table(folder / name / "network_claims.csv", "network_claims") for name in config.networks.experiments
    ]
    return pd.concat(tables, ignore_index=True)


def claim_lines(claims: pd.DataFrame) -> str:
    """Return every claim with its outcome and numbers, by experiment.

    Examples
    --------
    >>> print(claim_lines(pd.DataFrame({"experiment": ["a"], "sentence": ["it rises: held (...)."]})), end="")
    a
      it rises: held (...).
    """
    lines = []
    for name, part in claims.groupby("experiment", sort=False):
        lines += [str(name), *(f"  {sentence}" for sentence in part["sentence"])]
    return "\n".join(lines) + "\n"
