"""Decode over time in all sessions of one subject: trials/{subject}.nc -> parts/dynamics_{subject}.csv."""

import pandas as pd

from piriform.config import restore
from piriform.dynamics import session_dynamics, whole_window
from piriform.provenance import job_log
from piriform.tables import empty_table, save_table
from piriform.task import matched_counts
from piriform.trials import load_trials, session_names


def main(inputs, outputs, *, settings):
    """Write the table of one subject; empty where there is no session or it was not asked for."""
    names = session_names(inputs.trials) if settings.dynamics.enabled else []
    tensors = [load_trials(inputs.trials, session) for session in names]
    parts = {"measures": settings.measures, "classes": settings.classes}
    whole = whole_window(settings.response)
    counts = matched_counts(tensors, **parts, response=whole, inclusion=settings.inclusion)
    parts |= {"dynamics": settings.dynamics, "response": settings.response, "seed": settings.seed}
    tables = []
    for number, tensor in enumerate(tensors, start=1):
        print(f"session {tensor.attrs['session']} ({number} of {len(tensors)})", flush=True)
        tables.append(session_dynamics(tensor, **parts, **counts))
    table = pd.concat(tables, ignore_index=True) if tables else empty_table("dynamics")
    save_table(table, "dynamics", outputs.dynamics)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=restore(snakemake.params.settings))
