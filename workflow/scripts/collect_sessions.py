"""Join what entered of each animal: index.csv, parts/{sessions,behavior}_*.csv -> sessions.csv, behavior.csv."""

import pandas as pd

from piriform.provenance import job_log
from piriform.tables import empty_table, load_table, save_table


def main(inputs, outputs):
    """Write one row per file, those that could not be read last, and the behaviour of all animals."""
    parts = [load_table(path, "sessions") for path in inputs.sessions]
    index = load_table(inputs.index, "sessions")
    aligned = pd.concat([*parts, empty_table("sessions")], ignore_index=True)
    rest = index[~index["file"].isin(aligned["file"])]
    save_table(pd.concat([aligned, rest], ignore_index=True), "sessions", outputs.sessions)
    behavior = [load_table(path, "behavior") for path in inputs.behavior]
    save_table(pd.concat([*behavior, empty_table("behavior")], ignore_index=True), "behavior", outputs.behavior)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output)
