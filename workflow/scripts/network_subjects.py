"""Record and measure networks as if they were animals: sessions.csv -> networks/{trials/*.nc, metrics.csv, behavior.csv}."""

import shutil
from pathlib import Path

import pandas as pd

from piriform.config import restore
from piriform.measure import session_metrics
from piriform.networks.subjects import counts_like, network_subjects
from piriform.provenance import job_log
from piriform.tables import load_table, save_table
from piriform.task import composition
from piriform.tracking import sessions_before
from piriform.trials import load_trials, session_names


def main(inputs, outputs, *, settings):
    """Train, record, measure; the tables have the columns of those of the animals."""
    folder, chosen = Path(outputs.trials), settings.networks
    n_units, n_trials = counts_like(load_table(inputs.sessions, "sessions"))
    names, behavior, response, classes = network_subjects(
        chosen, folder, n_trials=n_trials, seed=settings.seed, checkpoints=folder.with_name("checkpoints")
    )
    measures = settings.measures.model_copy(update={"metrics": metric_names(settings), "n_permutations": 0})
    rows = []
    for name in names:
        print(f"network {name}", flush=True)
        tensors = [load_trials(folder / f"{name}.nc", session) for session in session_names(folder / f"{name}.nc")]
        counts = {"n_units": n_units, "n_trials": {"all": n_trials}}
        shares = composition(tensors, response=response, classes=classes)
        for tensor, before in zip(tensors, sessions_before(tensors), strict=True):
            parts = {"measures": measures, "response": response, "classes": classes, "seed": settings.seed}
            parts |= {"shares": shares, "source": "network", "before": before}
            rows += session_metrics(tensor, **parts, **counts, matchings=("matched",))
    save_table(pd.DataFrame(rows), "metrics", outputs.metrics)
    save_table(behavior, "behavior", outputs.behavior)
    shutil.rmtree(folder.with_name("checkpoints"), ignore_errors=True)


def metric_names(settings):
    """Return the metrics that are compared: those named, or the one that decides."""
    return settings.networks.metrics or [settings.verdict.primary]


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=restore(snakemake.params.settings))
