"""Simulate and judge the studies of one chunk: -> parts/{scenario}_{chunk}.csv."""

import time

import pandas as pd

from piriform.calibrate.studies import study_row
from piriform.calibrate.tables import STUDY_COLUMNS, save
from piriform.config import restore
from piriform.provenance import job_log


def main(outputs, *, scenario, studies, settings):
    """Write one row per study."""
    rows = []
    for study in studies:
        begin = time.perf_counter()
        rows.append(study_row(scenario, study, settings=settings))
        print(f"{scenario} {study}: {rows[-1]['verdict']} ({time.perf_counter() - begin:.2f} s)", flush=True)
    save(pd.DataFrame(rows)[list(STUDY_COLUMNS)], outputs.studies)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(
            snakemake.output,
            scenario=snakemake.wildcards.scenario,
            studies=snakemake.params.studies,
            settings=restore(snakemake.params.settings),
        )
