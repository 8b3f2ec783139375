"""Find the sessions of a study: {data}/*.nwb -> index.csv."""

from piriform.config import restore
from piriform.filters import column_names
from piriform.provenance import job_log
from piriform.study import find_files, index_study
from piriform.tables import save_table


def main(outputs, *, settings):
    """Write one row per file, with the reason where a file cannot be used."""
    column_names(settings.trials.filter)  # a filter that cannot be read stops the study before its first session
    files = find_files(settings.data)
    table = index_study(files, days=settings.phases.days, sessions=settings.inclusion.sessions)
    for row in table[~table["included"]].itertuples():
        print(f"left out: {row.file}: {row.reason}")
    print(f"{table['included'].sum()} of {len(files)} files, {table['subject'][table['included']].nunique()} subjects")
    save_table(table, "sessions", outputs.sessions)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.output, settings=restore(snakemake.params.settings))
