"""Join the units of all sessions: trials/*.nc -> trials/pooled.nc, one pseudo-population."""

from piriform.align import pool_sessions
from piriform.provenance import job_log
from piriform.trials import load_trials, save_trials, session_names


def main(inputs, outputs):
    """Write the pooled tensor; a study without a usable session gives a file without one."""
    tensors = [load_trials(path, session) for path in inputs.trials for session in session_names(path)]
    save_trials([pool_sessions(tensors)] if tensors else [], outputs.trials)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output)
