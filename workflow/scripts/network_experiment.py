"""Run one experiment with networks -> networks/{experiment}/network_*.csv, about.json."""

import shutil
from dataclasses import asdict
from pathlib import Path

from piriform.config import restore
from piriform.networks.experiments import QUESTIONS, Scale, run_experiment
from piriform.provenance import job_log, write_json
from piriform.tables import save_table

KINDS = ("measures", "quantities", "effects", "claims")


def main(outputs, *, experiment, settings):
    """Write the four tables and what the figure shows; checkpoints are kept until they are."""
    checkpoints = Path(outputs.about).parent / "checkpoints"
    scale = Scale(seeds=settings.networks.seeds, seed=settings.seed, full=settings.networks.full)
    found = run_experiment(experiment, scale, folder=checkpoints, progress=print)
    for kind in KINDS:
        save_table(getattr(found, kind), f"network_{kind}", outputs[kind])
    about = {"experiment": experiment, "question": QUESTIONS[experiment], "remarks": list(found.remarks)}
    about |= {"seed": scale.seed, "seeds": scale.seeds, "full": scale.full, "panels": list(map(asdict, found.panels))}
    write_json(about, outputs.about)
    shutil.rmtree(checkpoints, ignore_errors=True)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(
            snakemake.output,
            experiment=snakemake.wildcards.experiment,
            settings=restore(snakemake.params.settings),
        )
