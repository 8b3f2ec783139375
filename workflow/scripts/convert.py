"""Turn published files into NWB: the config's `convert` -> {data}/*.nwb, {data}/converted.json."""

from dataclasses import replace
from pathlib import Path

from piriform.config import expand, restore
from piriform.convert import conversion, strangers, write_manifest
from piriform.provenance import job_log


def main(outputs, *, settings):
    """Write the sessions and, last, the manifest that names them and those that were refused.

    The study goes on without a refused session; it fails only if nothing could be converted.
    """
    folder, given = Path(outputs.manifest).parent, settings.convert
    done = conversion(given.format, expand(given.source), folder, progress=print).check(complete=False)
    done = replace(done, refused=[*done.refused, *strangers(done, folder)])
    write_manifest(done, folder, format=given.format, source=given.source)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.output, settings=restore(snakemake.params.settings))
