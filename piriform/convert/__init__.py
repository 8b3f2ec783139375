"""How do published files become NWB? One module per format behind one call.

A converter is a module with a ``DESCRIPTION`` and a function
``convert(source, dest, *, progress) -> list[Path]``: ``source`` is a file or folder, ``dest`` the
folder for the NWB files, ``progress`` is called with one line of text per session.
"""

from collections.abc import Callable
from pathlib import Path

from piriform.convert import iurilli, raster, wang
from piriform.convert.source import Progress
from piriform.errors import known

#: What converts each format.
CONVERTERS: dict[str, Callable[..., list[Path]]] = {
    "iurilli": iurilli.convert,
    "raster": raster.convert,
    "wang": wang.convert,
}
#: What each format is, for the help text.
DESCRIPTIONS: dict[str, str] = {
    "iurilli": iurilli.DESCRIPTION,
    "raster": raster.DESCRIPTION,
    "wang": wang.DESCRIPTION,
}


def convert(format: str, source: str | Path, dest: str | Path, *, progress: Progress = print) -> list[Path]:
    """Convert ``source`` to one NWB file per session below ``dest``.

    Parameters
    ----------
    format : str
        One of ``CONVERTERS``.
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
    return CONVERTERS[known("format", format, CONVERTERS)](source, dest, progress=progress)
