# Shared by all: the checked config, the paths, and the files behind a script.
#
# Reads:  the config
# Writes: nothing
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from piriform.config import expand as with_environment
from piriform.config import parse_config, pick
from piriform.errors import PiriformError
from piriform.figures import NAMES as FIGURES
from piriform.filters import column_names
from piriform.nwb import folder_state, watched
from piriform.provenance import PACKAGE, package_files
from piriform.run import closing_lines, start
from piriform.study import local_files
from piriform.tables import POOLED, load_table

# One job is one thread: more BLAS threads neither speed up small problems nor give the same last digit.
# Cluster file systems refuse HDF5's locks.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ.update(NUMBA_NUM_THREADS="1", HDF5_USE_FILE_LOCKING="FALSE")

try:
    study = parse_config(config)
    SOURCE = with_environment(study.convert.source) if study.convert else None
    EXTRA = [with_environment(study.trials.extra)] if study.trials.extra else []
    column_names(study.response.filter)  # a filter that cannot be read stops the study before its first session
    FILES = [] if study.simulate or study.convert else watched(local_files(study.data))
except PiriformError as error:
    raise WorkflowError(str(error)) from None

OUT = study.out
DATA = study.data
SCRIPTS = Path(workflow.basedir, "scripts")


def code(script):
    """The package files behind a script: an edit of one reruns exactly the jobs behind it."""
    return [os.path.relpath(path) for path in package_files(SCRIPTS / script)]


def recordings(wildcards):
    """The study's files on this machine; for a study made here its manifest, which is written after them."""
    if study.simulate:
        return rules.simulate.output
    if study.convert:
        return rules.convert.output
    return FILES


def found():
    """The sessions that can be read, once the study is indexed."""
    table = load_table(checkpoints.index.get().output.sessions, "sessions")
    return table[table["included"]]


def files_of(wildcards):
    """The files of one animal on this machine; those on servers are named in index.csv alone."""
    table = found()
    return watched(table.loc[table["subject"] == wildcards.subject, "file"])


def folders_of(wildcards):
    """The state of one animal's Zarr folders: a change inside one reruns the job (params made from input would not)."""
    return folder_state(files_of(wildcards))


def of_animals(pattern):
    """An input function: one file for each animal."""
    return lambda wildcards: [pattern.format(subject=name) for name in sorted(set(found()["subject"]))]


def of_subjects(pattern):
    """An input function: one file for each animal, and for the pseudo-population where asked for."""

    def files(wildcards):
        animals = of_animals(pattern)(wildcards)
        return animals + [pattern.format(subject=POOLED)] * bool(animals and study.measures.pool_sessions)

    return files


def experiment_settings(study):
    """What an experiment depends on: an edit of anything else does not train it again."""
    return {"seed": study.seed, "networks": {"seeds": study.networks.seeds, "full": study.networks.full}}


def experiment_code(wildcards):
    """The package files behind an experiment; its module is imported by name, so that the script does not show it."""
    own = PACKAGE / "networks" / "experiments" / f"{wildcards.experiment}.py"
    behind = [os.path.relpath(path) for path in [own, *package_files(own)]]
    return sorted({*code("network_experiment.py"), *behind})
