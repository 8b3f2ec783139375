"""Draw a study: verdict.json and the tables -> figures/*.{png,svg}."""

import json
from pathlib import Path

from piriform.figures import draw_all
from piriform.provenance import job_log
from piriform.tables import load_table

KINDS = ("behavior", "metrics", "ladder", "predictions", "dynamics", "transitions", "similarity", "scatter")


def main(inputs, outputs):
    """Write every figure, always under the same names."""
    tables = {kind: load_table(inputs[kind], kind) for kind in KINDS}
    verdict = json.loads(Path(inputs["verdict"]).read_text())
    for path in draw_all(tables, verdict, Path(outputs["png"][0]).parent):
        print(path)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output)
