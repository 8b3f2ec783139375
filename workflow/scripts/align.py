"""Align the sessions of one subject: index.csv, {data}/*.nwb -> trials/{subject}.nc, parts/{sessions,behavior}_{subject}.csv."""

import pandas as pd

from piriform.config import restore
from piriform.prepare import session_tensor, subject_sessions
from piriform.provenance import job_log
from piriform.remote import access
from piriform.tables import load_table, save_table
from piriform.trials import save_trials


def main(inputs, outputs, *, subject, settings):
    """Write the tensors of the sessions that are included, one at a time, and what became of each session."""
    own = load_table(inputs.index, "sessions").query("subject == @subject")
    sessions, behavior = subject_sessions(own, **parts(settings, "trials", "classes", "phases", "plateau"))
    rows = []

    def tensors():
        for session in sessions:
            row, tensor = session_tensor(session, **parts(settings, "response", "classes", "inclusion"))
            print(f"session {row['session']}: {row['reason'] or 'included'}", flush=True)
            rows.append(row)
            if tensor is not None:
                yield tensor
            del tensor  # before the next one is made

    save_trials(tensors(), outputs.trials)
    save_table(pd.DataFrame(rows, columns=own.columns), "sessions", outputs.sessions)
    save_table(behavior, "behavior", outputs.behavior)


def parts(settings, *names):
    """Return the named sections as keyword arguments."""
    return {name: getattr(settings, name) for name in names}


if "snakemake" in globals():
    remote = restore({"remote": snakemake.config.get("remote", {})}).remote
    with job_log(snakemake.log[0]), access(remote, say=print):
        given = restore(snakemake.params.settings)
        main(snakemake.input, snakemake.output, subject=snakemake.wildcards.subject, settings=given)
