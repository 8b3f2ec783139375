"""Decide: metrics.csv, behavior.csv, ladder.csv -> verdict.json."""

from piriform.config import parse_config
from piriform.progress import detect
from piriform.provenance import job_log, write_json
from piriform.tables import load_table


def main(inputs, outputs, *, settings):
    """Write the verdict on one study; ``settings`` is the study's complete config."""
    metrics, behavior = load_table(inputs.metrics, "metrics"), load_table(inputs.behavior, "behavior")
    result = detect(
        metrics,
        behavior,
        verdict=settings.verdict,
        ladder=load_table(inputs.ladder, "ladder"),
        plateau=settings.plateau,
        seed=settings.seed,
        config_sha256=settings.digest(),
    )
    write_json(result, outputs.verdict)
    print(f"{result['verdict']}: {result['sentence']}")


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=parse_config(snakemake.params.settings))
