"""Compare networks with animals: metrics and behaviour of both -> comparison.csv, figures/comparison.{png,svg}."""

from piriform.comparison import comparison
from piriform.config import restore
from piriform.figures import comparison as figure
from piriform.figures import style
from piriform.provenance import job_log
from piriform.tables import load_table, save_table


def main(inputs, outputs, *, settings):
    """Write the table and the figure."""
    tables = [
        load_table(inputs[name], kind)
        for name, kind in (
            ("metrics", "metrics"),
            ("behavior", "behavior"),
            ("network_metrics", "metrics"),
            ("network_behavior", "behavior"),
        )
    ]
    names = settings.networks.metrics or [settings.verdict.primary]
    found = comparison(*tables, names=names)
    save_table(found, "comparison", outputs.table)
    with style.applied():
        style.save(figure.build(found, *tables, names=names), [outputs.png, outputs.svg])


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=restore(snakemake.params.settings))
