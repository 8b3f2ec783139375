"""Make a study with known truth: the config's `simulate` -> {data}/*.nwb, {data}/truth.json."""

from pathlib import Path

from piriform.config import restore
from piriform.provenance import job_log
from piriform.simulate import simulate_study


def main(outputs, *, settings):
    """Write the sessions and, last, the truth that names them."""
    simulate_study(Path(outputs.truth).parent, **settings.simulate.model_dump(), progress=print)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.output, settings=restore(snakemake.params.settings))
