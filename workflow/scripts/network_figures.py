"""Draw one experiment with networks: networks/{experiment}/*.csv, about.json -> figures/networks_{experiment}.{png,svg}."""

import json
from pathlib import Path

from piriform.figures import networks, style
from piriform.provenance import job_log
from piriform.tables import load_table

KINDS = ("network_measures", "network_quantities", "network_effects")


def main(inputs, outputs):
    """Write the figure as PNG and SVG."""
    tables = {kind: load_table(inputs[kind.removeprefix("network_")], kind) for kind in KINDS}
    panels = json.loads(Path(inputs.about).read_text())["panels"]
    with style.applied():
        style.save(networks.build(tables, panels), [outputs.png, outputs.svg])


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output)
