"""Turn published files into NWB: the config's `convert` -> {data}/*.nwb, {data}/converted.json."""

from pathlib import Path

from piriform.config import expand, restore
from piriform.convert import convert
from piriform.provenance import job_log, sha256, write_json


def main(outputs, *, settings):
    """Write the sessions and, last, the manifest that names them."""
    folder = Path(outputs.manifest).parent
    source = settings.convert.source
    files = convert(settings.convert.format, expand(source), folder, progress=print)
    manifest = {"format": settings.convert.format, "source": source}
    write_json(manifest | {"files": {str(path.relative_to(folder)): sha256(path) for path in files}}, outputs.manifest)


if "snakemake" in globals():
    with job_log(snakemake.log[0]):
        main(snakemake.output, settings=restore(snakemake.params.settings))
