"""Which files does a conversion read, and which sessions are in them?

What every converter shares: finding the source files, and saying what a session is before it is read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from piriform.errors import StudyError
from piriform.nwb_writer import Recording

#: Is called with one line of text per session.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """One session of a source, not yet read.

    Attributes
    ----------
    name : str
        What it is called in messages.
    read : callable
        Returns the recording; None where there is nothing to convert. Raises
        :class:`~piriform.errors.StudyError` where the session cannot be used.
    files : sequence of Path
        Source files that it is made of; their SHA-256 is written into the NWB file.
    """

    name: str
    read: Callable[[], Recording | None]
    files: Sequence[Path] = field(default=())


def source_files(source: str | Path, suffix: str) -> list[Path]:
    """Return ``source`` itself, or the files below it that end in ``suffix``, sorted.

    Parameters
    ----------
    source : path
        A file, whatever its name, or a folder that is searched through; files whose names begin
        with a dot are left out.
    suffix : str
        End of the files' names in lower case, e.g. ``.mat``; upper case in the name does not matter.

    Raises
    ------
    StudyError
        If there is no such path, or the folder holds no such file.
    """
    source = Path(source)
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise StudyError(f"{source}: no such file or folder; give the {suffix} file to convert or its folder")
    found = sorted(
        path
        for path in source.rglob("*")
        if path.suffix.lower() == suffix and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise StudyError(f"{source}: the folder holds no {suffix} file")
    return found


def files_below(source: str | Path) -> list[str]:
    """Return every file that a conversion of ``source`` may read; the path itself where it is no folder.

    A workflow watches them: an edit inside a folder does not change the folder's own time.
    """
    found = [path for path in Path(source).rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(map(str, found)) or [str(source)]


def sessions_of_files(paths: Iterable[Path], sessions_of: Callable[[Path], list[Session]]) -> Iterator[Session]:
    """Return the sessions of all files; a file that cannot be opened counts as a session that cannot be read.

    Parameters
    ----------
    paths : iterable of Path
        Source files.
    sessions_of : callable
        Returns the sessions in a file, or raises :class:`~piriform.errors.StudyError`.
    """
    for path in paths:
        try:
            yield from sessions_of(path)
        except StudyError as error:
            yield refused_session(str(path), error)


def refused_session(name: str, error: StudyError) -> Session:
    """Return a session that cannot be read, for the reason that ``error`` states.

    Examples
    --------
    >>> refused_session("a.mat", StudyError("a.mat: cut off")).read()
    Traceback (most recent call last):
    ...
    piriform.errors.StudyError: a.mat: cut off
    """

    def read() -> Recording:
        raise error

    return Session(name, read)
