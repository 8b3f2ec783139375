"""Which files does a conversion read, and where does what it makes go?

What every converter shares: finding the source files, naming the NWB files, recording where a
session comes from, and going on to the next session when one cannot be converted.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from piriform.errors import StudyError
from piriform.nwb_writer import Recording, write_recording
from piriform.provenance import sha256, versions

#: Is called with one line of text per session.
Progress = Callable[[str], None]
#: A session's name for messages, and a function that reads it (None: nothing to convert).
Session = tuple[str, Callable[[], Recording | None]]


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


def nwb_path(dest: str | Path, recording: Recording) -> Path:
    """Return where a recording is written: ``dest/sub-<subject>/sub-<subject>_ses-<session>.nwb``."""
    subject = f"sub-{recording.subject}"
    return Path(dest) / subject / f"{subject}_ses-{recording.session}.nwb"


def write_sessions(
    paths: Iterable[Path], sessions_of: Callable[[Path], list[Session]], dest: str | Path, *, progress: Progress
) -> list[Path]:
    """Write every session of ``paths`` that can be read; afterwards refuse if one could not.

    Parameters
    ----------
    paths : iterable of Path
        Source files.
    sessions_of : callable
        Returns the sessions in a source file as pairs of a name for messages and a function
        ``read()``. ``read`` returns a :class:`~piriform.nwb_writer.Recording`, or None where there is
        nothing to convert. Both raise :class:`~piriform.errors.StudyError` for what cannot be used.
    dest : path
        Folder for the NWB files; files of the same name are replaced.
    progress : callable
        Is told each session's file, or why there is none.

    Returns
    -------
    list of Path
        The NWB files, in the order of the sessions.

    Raises
    ------
    StudyError
        If a file or session cannot be converted, two sessions have the same name, or there is none.
        All others are written first.
    """
    written: dict[Path, str] = {}
    problems: list[str] = []
    for name, read in _every(paths, sessions_of):
        try:
            recording = read()
            if recording is None:
                progress(f"{name}: holds no activity; left out")
                continue
            path = nwb_path(dest, recording)
            if path in written:
                raise StudyError(
                    f"{name}: is subject {recording.subject} session {recording.session}, as is {written[path]}; "
                    "remove one of them"
                )
            write_recording(recording, path)
        except StudyError as error:
            problems.append(str(error))
            progress(f"not converted: {error}")
            continue
        written[path] = name
        progress(f"{path}: {_extent(recording)}")
    if problems or not written:
        raise StudyError(_failure(problems, len(written)))
    return list(written)


def with_origin(recording: Recording, path: Path, converter: str) -> Recording:
    """Return ``recording`` with its origin in the file's ``notes``: source file, SHA-256, converter."""
    origin = f"Converted by piriform {versions()['piriform']} ({converter}) from {path.name}, SHA-256 {sha256(path)}."
    notes = " ".join(text for text in (recording.about.get("notes", ""), origin) if text)
    return replace(recording, about={**recording.about, "notes": notes})


def _extent(recording: Recording) -> str:
    """How much a recording holds, e.g. ``150 trials, 25 units``."""
    parts = [f"{len(recording.trials)} trials"]
    if recording.spike_times is not None:
        parts.append(f"{len(recording.spike_times)} units")
    if recording.fluorescence is not None:
        parts.append(f"{recording.fluorescence.shape[1]} ROIs")
    return ", ".join(parts)


def _failure(problems: list[str], n_written: int) -> str:
    if not problems:
        return "nothing to convert: no source file holds any activity"
    if len(problems) == 1 and not n_written:
        return problems[0]
    return f"{len(problems)} session(s) could not be converted ({n_written} were): {'; '.join(problems)}"


def _every(paths: Iterable[Path], sessions_of: Callable[[Path], list[Session]]) -> Iterator[Session]:
    """Sessions of all files; a file that cannot be opened counts as a session that cannot be read."""
    for path in paths:
        try:
            yield from sessions_of(path)
        except StudyError as error:
            yield str(path), partial(_refuse, error)


def _refuse(error: StudyError) -> Recording:
    raise error
