"""A study as plain tables: recordings written as CSV or Parquet, the way `piriform convert tables` reads them."""

import numpy as np
import pandas as pd

from piriform.simulate import scenario_truth, simulate_session, study_courses

SMALL = {
    "units_start": 5, "units_end": 5, "units_sd": 0, "trials_start": 40, "trials_end": 40, "training_days": 1,
    "probe_every": 1, "probe_trials": 3, "no_choice": 0.1,
}  # fmt: skip
WHO = ("subject", "session")


def simulated(*, subjects=1, days=2, seed=5, **parameters):
    """The recordings of a simulated study, subject by subject."""
    truth = scenario_truth("growth", SMALL | parameters)
    courses = study_courses(truth, subjects=subjects, days=days, seed=seed)
    return [simulate_session(truth, session, seed=seed) for course in courses.values() for session in course]


def tables_of(recordings):
    """The tables of recordings of units, by name."""
    who = [{"subject": one.subject, "session": one.session} for one in recordings]
    facts = [
        {"start": one.start.isoformat(), "species": "Mus musculus", "region": "PIR", "spike_resolution": 1 / 30000}
        for one in recordings
    ]
    spikes = [
        pd.DataFrame({**own, "unit": unit, "time": times})
        for own, one in zip(who, recordings, strict=True)
        for unit, times in enumerate(one.spike_times)
    ]
    observed = [
        pd.DataFrame(one.obs_intervals, columns=["start_time", "stop_time"]).assign(**own)
        for own, one in zip(who, recordings, strict=True)
    ]
    return {
        "sessions": pd.DataFrame([own | fact for own, fact in zip(who, facts, strict=True)]),
        "trials": pd.concat([one.trials.assign(**own) for own, one in zip(who, recordings, strict=True)]),
        "spikes": pd.concat(spikes),
        "units": pd.DataFrame(
            [
                own | {"unit": unit, "depth": 10.0 * unit}
                for own, one in zip(who, recordings, strict=True)
                for unit in range(len(one.spike_times))
            ]
        ),
        "obs_intervals": pd.concat(observed),
    }


def write_tables(folder, tables, *, kind="csv"):
    """Write each table as ``folder/name.kind``; None leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if table is not None:
            write_table(folder / f"{name}.{kind}", table)
    return folder


def write_table(path, table):
    """Write a table by the end of its name."""
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False, row_group_size=20_000)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")


def frames(*, subject="M", session="d1", n_times=30, names=("a", "b"), seed=0):
    """dF/F of regions in the wide form: one row per frame."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=n_times) for name in names}
    return pd.DataFrame({"subject": subject, "session": session, "time": 0.2 * np.arange(n_times), **values})
