"""Find the sessions of a study: {data}/*.nwb -> index.csv."""

from piriform.config import restore
from piriform.filters import column_names
from piriform.provenance import job_log
from piriform.remote import access
from piriform.sessions import study_sessions
from piriform.tables import save_table


def main(outputs, *, settings):
    """Write one row per file, and per session that a conversion refused, with the reason where one cannot be used."""
    column_names(settings.trials.filter)  # a filter that cannot be read stops the study before its first session
    table = study_sessions(settings.data, days=settings.phases.days, sessions=settings.inclusion.sessions)
    for row in table[~table["included"]].itertuples():
        print(f"left out: {row.file}: {row.reason}")
    print(
        f"{table['included'].sum()} of {len(table)} sessions, {table['subject'][table['included']].nunique()} subjects"
    )
    save_table(table, "sessions", outputs.sessions)


if "snakemake" in globals():
    remote = restore({"remote": snakemake.config.get("remote", {})}).remote
    with job_log(snakemake.log[0]), access(remote, say=print):
        main(snakemake.output, settings=restore(snakemake.params.settings))
