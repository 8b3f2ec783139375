"""Count the verdicts: parts/*.csv -> studies.csv, calibration.csv, figures/calibration.{png,svg}."""

from piriform.calibrate.summary import calibration_table
from piriform.calibrate.tables import read_studies, save
from piriform.figures.calibration import save_figure
from piriform.provenance import job_log


def main(inputs, outputs, *, alpha):
    """Write the table of studies, the table of scenarios and its figure."""
    studies = read_studies(inputs.studies)
    table = calibration_table(studies, alpha=alpha)
    save(studies, outputs.studies)
    save(table, outputs.calibration)
    save_figure(table, [outputs.png, outputs.svg])


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, alpha=snakemake.params.alpha)
