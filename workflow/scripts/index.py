"""Find the sessions of a study: {data}/*.nwb -> index.csv."""

from piriform.config import restore
from piriform.convert import refused_sessions, with_refused
from piriform.filters import column_names
from piriform.provenance import job_log
from piriform.remote import access
from piriform.study import find_files, index_study
from piriform.tables import save_table


def main(outputs, *, settings):
    """Write one row per file, and per session that a conversion refused, with the reason where one cannot be used."""
    column_names(settings.trials.filter)  # a filter that cannot be read stops the study before its first session
    refused = refused_sessions(settings.data)
    files = [file for file in find_files(settings.data) if str(file) not in [one.name for one in refused]]
    table = index_study(files, days=settings.phases.days, sessions=settings.inclusion.sessions)
    table = with_refused(table, refused)
    for row in table[~table["included"]].itertuples():
        print(f"left out: {row.file}: {row.reason}")
    print(f"{table['included'].sum()} of {len(files)} files, {table['subject'][table['included']].nunique()} subjects")
    save_table(table, "sessions", outputs.sessions)


if "snakemake" in globals():
    remote = restore({"remote": snakemake.config.get("remote", {})}).remote
    with job_log(snakemake.log[0]), access(remote, say=print):
        main(snakemake.output, settings=restore(snakemake.params.settings))
