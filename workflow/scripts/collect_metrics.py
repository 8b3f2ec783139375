"""Join the tables of all subjects: parts/{kind}_*.csv -> {kind}.csv, metrics.parquet."""

import pandas as pd

from piriform.errors import StudyError
from piriform.provenance import job_log
from piriform.tables import empty_table, load_table, save_table

KINDS = ("metrics", "ladder", "predictions", "dynamics", "similarity", "scatter")


def main(inputs, outputs):
    """Write the tables; a study of which nothing could be analysed is an error that gives the reasons."""
    sessions = load_table(inputs.sessions, "sessions")
    if not sessions["included"].any():
        raise StudyError(f"no session could be analysed ({reasons(sessions)}); see {inputs.sessions}")
    for kind in KINDS:
        table = pd.concat([*(load_table(path, kind) for path in inputs[kind]), empty_table(kind)], ignore_index=True)
        save_table(table, kind, outputs[kind])
        if kind == "metrics":
            save_table(table, kind, outputs.parquet)


def reasons(sessions):
    """Return the reasons with the number of sessions of each, the most frequent first."""
    counts = sessions["reason"].value_counts()
    return "; ".join(f"{count} x {reason}" for reason, count in counts.items()) or "no session found"


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output)
