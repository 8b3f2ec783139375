"""What is calibrated? The config of a calibration, from a study's own config and design."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.calibrate.scenarios import truth_of
from piriform.config import Config, load_config, parse_config, pick
from piriform.errors import ConfigError, StudyError, known
from piriform.run import default_config
from piriform.simulate import SCENARIOS
from piriform.tables import load_table

#: Studies in one job: what is lost at most when a run is killed.
CHUNK = 100
#: Sections that say how a study is analysed, whatever its columns are called.
ANALYSIS = ("response", "inclusion", "plateau", "measures", "verdict")
SETTINGS = ("seed", "response", "trials", "classes", "phases", "inclusion", "plateau", "measures", "verdict")


def calibration_config(
    *,
    config: str | Path | None = None,
    like: str | Path | None = None,
    out: str | Path = "results",
    seed: int = 1,
    **chosen: Any,
) -> Config:
    """Return the config of a calibration.

    Parameters
    ----------
    config : the study's YAML file; its analysis is calibrated on trials with the simulator's columns
    like : folder of the study's results; its design is simulated, see :func:`design_of`
    out : folder for results; they go to its folder ``calibration``
    chosen : keys of the config's section ``calibrate``; None means the design's value, the file's, or the default

    Raises
    ------
    ConfigError
        If a scenario does not exist or a value makes no sense.
    """
    if like is not None and config is None:
        config = Path(like) / "config.yaml"
    own = load_config(config) if config else load_config(default_config())
    values = load_config(default_config()).model_dump(mode="json")
    values |= {name: part for name, part in own.model_dump(mode="json").items() if name in ANALYSIS}
    values["measures"]["metrics"] = [own.verdict.primary]
    _keep_what_the_study_has(values, own)
    values |= {"study": "calibration", "data": str(Path(out) / "calibration" / "data"), "results": str(out)}
    values |= {"seed": seed, "convert": None, "networks": {}}
    written = own.calibrate.model_dump(exclude_unset=True) if own.calibrate else {}
    design = design_of(like) if like is not None else {}
    values["calibrate"] = written | design | {name: value for name, value in chosen.items() if value is not None}
    return checked(parse_config(values, where=str(config or "config")))


def checked(config: Config) -> Config:
    """Return the config if every scenario exists and can be simulated; raise :class:`ConfigError` otherwise."""
    if config.calibrate is None:
        raise ConfigError("calibrate: the config has no such section; start with `piriform calibrate`")
    for scenario in scenarios_of(config):
        known("scenario", scenario, SCENARIOS)
        truth_of(scenario, config.calibrate.parameters)
    return config


def design_of(results: str | Path) -> dict[str, Any]:
    """Return the design of a finished study, as keys of the config's section ``calibrate``.

    Subjects, days and training days (medians over subjects), the numbers of units and trials (a
    straight line through the included sessions of all subjects, from the first day to the last),
    how much unit counts scatter around it, the share of days without an included session, and the
    accuracy in overtraining. Everything else about the animals and their units stays the simulator's.

    Raises
    ------
    TableError, StudyError
        If the tables are missing or hold no included session.
    """
    folder = Path(results)
    sessions = load_table(folder / "sessions.csv", "sessions")
    sessions = sessions[sessions["included"]]
    if sessions.empty:
        raise StudyError(f"{folder / 'sessions.csv'}: no included session; a design needs a study that was analysed")
    behavior = load_table(folder / "behavior.csv", "behavior")
    last = sessions.groupby("subject")["day"].max()
    trained = sessions[sessions["phase"] == "training"].groupby("subject")["day"].max().reindex(last.index).fillna(0)
    n_days = int(np.median(last))
    parameters = {
        "training_days": int(np.median(trained)),
        "missing_days": float(np.clip(1 - len(sessions) / last.sum(), 0, 0.9)),
        **_course(sessions, "n_units", "units", n_days),
        **_course(sessions, "n_trials", "trials", n_days),
    }
    late = behavior[(behavior["class"] == "all") & (behavior["phase"] == "overtraining")]["accuracy"].dropna()
    if len(late):
        parameters["accuracy_top"] = float(np.clip(late.mean(), 0.55, 0.995))
    return {"subjects": len(last), "days": n_days, "parameters": {name: round(v, 4) for name, v in parameters.items()}}


def scenarios_of(config: Config) -> list[str]:
    """Return the scenarios to simulate; without a choice all but ``growth``, which is the demo's."""
    chosen = config.calibrate.scenarios if config.calibrate else None
    return list(dict.fromkeys(chosen)) if chosen else [name for name in SCENARIOS if name != "growth"]


def chunks(config: Config) -> dict[str, list[int]]:
    """Return the numbers of the studies in each chunk, by its name, the same in all scenarios.

    A larger number of studies adds chunks and leaves full ones as they are.
    """
    n_studies = config.calibrate.studies if config.calibrate else 0
    numbers = range(n_studies)
    return {
        f"{place:03d}": list(numbers[place * CHUNK : (place + 1) * CHUNK]) for place in range(-(-n_studies // CHUNK))
    }


def chunk_settings(config: Config) -> dict[str, Any]:
    """Return what the studies of a chunk depend on, for a rule's ``params``."""
    design = config.calibrate.model_dump(include={"subjects", "days", "parameters"}) if config.calibrate else {}
    return pick(config, *SETTINGS) | {"calibrate": design}


def _keep_what_the_study_has(values: dict[str, Any], own: Config) -> None:
    """Strata, fixed stimuli and probes exist in the simulated study only if the study has them."""
    if own.classes.by_stimulus:
        raise ConfigError(
            "classes.by_stimulus: a study without a target gets no verdict, so that there is nothing to calibrate"
        )
    if own.trials.stratum is None:
        values["trials"]["stratum"] = None
    if not own.classes.fixed:
        values["classes"]["fixed"] = []
    if own.phases.column is None:
        values["phases"] = own.phases.model_dump(mode="json")


def _course(sessions: pd.DataFrame, column: str, name: str, n_days: int) -> dict[str, float]:
    """First and last value of the straight line through all sessions, and for units the scatter around it."""
    day, count = sessions["day"].to_numpy(dtype=float), sessions[column].to_numpy(dtype=float)
    slope = np.polynomial.polynomial.polyfit(day, count, 1) if len(set(day)) > 1 else np.array([count.mean(), 0.0])
    least = {"units": 1.0, "trials": 20.0}[name]
    found = {
        f"{name}_start": max(least, float(slope[0] + slope[1])),
        f"{name}_end": max(least, float(slope[0] + slope[1] * n_days)),
    }
    if name == "units":
        found["units_sd"] = float(np.std(count - slope[0] - slope[1] * day))
    return found
