"""How do published files become NWB? One module per format behind one call.

A converter has a ``DESCRIPTION`` and a function ``sessions(source, *, progress)``; see
:mod:`piriform.convert.formats`. What is shared, from finding files to writing NWB with its
provenance, is done here once.
"""

from pathlib import Path

from piriform.convert.formats import CONVERTERS, DESCRIPTIONS, descriptions, format_named
from piriform.convert.manifest import NOT_CONVERTED, refused_sessions, strangers, with_refused, write_manifest
from piriform.convert.source import Progress, Session, files_below, source_files
from piriform.convert.writing import Conversion, Refused, write_sessions

__all__ = [
    "CONVERTERS",
    "DESCRIPTIONS",
    "NOT_CONVERTED",
    "Conversion",
    "Refused",
    "Session",
    "conversion",
    "convert",
    "descriptions",
    "files_below",
    "refused_sessions",
    "source_files",
    "strangers",
    "with_refused",
    "write_manifest",
]


def convert(format: str, source: str | Path, dest: str | Path, *, progress: Progress = print) -> list[Path]:
    """Convert ``source`` to one NWB file per session below ``dest``.

    Parameters
    ----------
    format : str
        One of ``descriptions()``.
    source : path
        File to convert, or a folder that is searched through.
    dest : path
        Folder for the NWB files; it is made if it is not there.
    progress : callable
        Is called with one line of text per session.

    Returns
    -------
    list of Path
        The NWB files, sorted by source file.

    Raises
    ------
    ConfigError
        If the format is not known; the message lists those that are.
    StudyError
        If a source file, or something inside it, cannot be used; all other sessions are written first.
    """
    return conversion(format, source, dest, progress=progress).check().files


def conversion(format: str, source: str | Path, dest: str | Path, *, progress: Progress = print) -> Conversion:
    """Convert as :func:`convert` does, but return the sessions that were refused beside the files, and raise for none.

    Raises
    ------
    ConfigError
        If the format is not known.
    """
    return write_sessions(format_named(format), source, dest, progress=progress)
