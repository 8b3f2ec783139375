"""Write the report of a study: verdict.json, the tables, the figures and the config -> report.html."""

import json
from pathlib import Path

from piriform.provenance import atomic_path, job_log
from piriform.report import render
from piriform.tables import load_table

KINDS = ("sessions", "behavior", "metrics", "transitions")


def main(inputs, outputs, *, settings):
    """Write the page; ``settings`` is the complete config."""
    tables = {kind: load_table(inputs[kind], kind) for kind in KINDS}
    verdict = json.loads(Path(inputs["verdict"]).read_text())
    page = render(tables, verdict, Path(inputs["svg"][0]).parent, title=settings["study"], config=settings)
    with atomic_path(outputs["report"]) as temporary:
        temporary.write_text(page, encoding="utf-8")


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=snakemake.params.settings)
