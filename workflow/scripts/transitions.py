"""Test the changes of single stimuli: predictions.csv -> transitions.csv."""

from piriform.config import restore
from piriform.provenance import job_log
from piriform.tables import load_table, save_table
from piriform.transitions import stimulus_counts, summary, transitions


def main(inputs, outputs, *, settings):
    """Write one row per stimulus, subject and source of the answers."""
    rule = settings.transitions
    predictions = load_table(inputs["predictions"], "predictions")
    counts = stimulus_counts(predictions, overtraining_only=rule.overtraining_only)
    table = transitions(counts, rule=rule, seed=settings.seed)
    save_table(table, "transitions", outputs["transitions"])
    print("\n".join(summary(table)))


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.input, snakemake.output, settings=restore(snakemake.params.settings))
