"""Compile the decoders' kernels once, before many jobs want them: -> parts/kernels.txt."""

import numpy as np

from piriform import solvers
from piriform.provenance import atomic_path, job_log
from piriform.solvers.engine import numba_is_installed


def main(outputs, *, solver):
    """Fit a few trials with the study's decoder and with LDA; without numba there is nothing to compile."""
    trials = np.arange(12.0)[:, None] * np.array([[1.0, -1.0]]) + np.eye(12, 2)
    labels, folds = np.where(np.arange(12) % 4 < 2, 1, -1), np.arange(12) % 2
    names = sorted({solver, "lda"}) if numba_is_installed() else []
    for name in names:
        print(f"compiling {name}", flush=True)
        solvers.fit(trials, labels, folds == 0, solver=name)
        solvers.heldout(trials, labels, folds, solver=name)
    with atomic_path(outputs.kernels) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names) or "no numba: NumPy\n")


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.output, solver=snakemake.params.solver)
