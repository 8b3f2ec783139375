"""Compare the geometry of networks and animals: tensors of both -> rdms.csv, representations.csv, figures/representations.{png,svg}."""

from math import isfinite, nan
from pathlib import Path

import pandas as pd

from piriform.config import restore
from piriform.figures import representations as figure
from piriform.figures import style
from piriform.provenance import job_log
from piriform.rdms import model_distances, session_distances, stage_sessions, target_stratum
from piriform.representations import representations
from piriform.tables import TABLES, load_table, save_table
from piriform.trials import load_trials, session_names


def main(inputs, outputs, *, settings):
    """Write both tables and the figure."""
    n_folds, rows, strata = settings.measures.n_folds, [], []
    for path in inputs["trials"]:
        for session in session_names(path):
            tensor = load_trials(path, session)
            rows += session_distances(tensor, window=settings.response.response_window, n_folds=n_folds)
            strata.append(target_stratum(tensor))
    for name, stages in stage_sessions(load_table(inputs["network_behavior"], "behavior")).items():
        for stage, session in stages.items():
            tensor = load_trials(Path(inputs["network_trials"]) / f"{name}.nc", session)
            window = 0.0, float(tensor["time"][-1]) + tensor.attrs["bin_width"] / 2
            rows += session_distances(tensor, window=window, n_folds=n_folds, source="network", stage=stage)
            strata.append(target_stratum(tensor))
    names = {name for row in rows for name in (row["condition_1"], row["condition_2"])}
    rows += model_distances(sorted(names), next(filter(isfinite, strata), nan))
    rdms = pd.DataFrame(rows, columns=list(TABLES["rdms"]))
    found = representations(rdms)
    save_table(rdms, "rdms", outputs["rdms"])
    save_table(found, "representations", outputs["table"])
    with style.applied():
        style.save(figure.build(found, rdms), [outputs["png"], outputs["svg"]])


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=restore(snakemake.params.settings))
