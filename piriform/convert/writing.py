"""How do the sessions of a source become NWB files, and what becomes of those that cannot?

One session after the other is read, given its origin and written. One that cannot be used is set aside with its reason.
"""

import gc
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from piriform.convert.formats import Format
from piriform.convert.source import Progress, Session, refused_session
from piriform.errors import StudyError
from piriform.nwb_writer import Origin, Recording, write_recording
from piriform.provenance import sha256

LARGE = 1_000_000  # spikes and frames from which on memory is freed at once


@dataclass(frozen=True)
class Refused:
    """A session that could not be converted: its name and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Conversion:
    """What became of a source.

    Attributes
    ----------
    files : list of Path
        The NWB files, in the order of the sessions.
    refused : list of Refused
        The sessions that could not be converted.
    """

    files: list[Path] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def check(self, *, complete: bool = True) -> "Conversion":
        """Return the conversion itself if there is a file and, if ``complete``, no session was refused.

        Raises
        ------
        StudyError
            Otherwise; the message holds all reasons.
        """
        if not self.files or (complete and self.refused):
            raise StudyError(self._failure())
        return self

    def _failure(self) -> str:
        reasons = [one.reason for one in self.refused]
        if not reasons:
            return "nothing to convert: no source file holds any activity"
        if len(reasons) == 1 and not self.files:
            return reasons[0]
        return f"{len(reasons)} session(s) could not be converted ({len(self.files)} were): {'; '.join(reasons)}"


def nwb_path(dest: str | Path, recording: Recording) -> Path:
    """Return where a recording is written: ``dest/sub-<subject>/sub-<subject>_ses-<session>.nwb``."""
    subject = f"sub-{recording.subject}"
    return Path(dest) / subject / f"{subject}_ses-{recording.session}.nwb"


def write_sessions(format: Format, source: str | Path, dest: str | Path, *, progress: Progress) -> Conversion:
    """Write every session of a source that can be read, with its origin in the file.

    Parameters
    ----------
    format : Format
    source : path
        File or folder that is converted.
    dest : path
        Folder for the NWB files; files of the same name are replaced.
    progress : callable
        Is told each session's file, or why there is none.

    Returns
    -------
    Conversion
        A session is refused if it cannot be read or written, or has the name of an earlier one; the
        source itself if its sessions cannot be told.
    """
    origins = _Origins(Path(source), format)
    names: dict[Path, str] = {}
    refused: list[Refused] = []
    for session in _sessions(format, Path(source), progress):
        try:
            path, extent = _written(session, Path(dest), origins, names)
        except StudyError as error:
            refused.append(Refused(session.name, str(error)))
            progress(f"not converted: {error}")
            continue
        if path:
            names[path] = session.name
        progress(f"{path or session.name}: {extent}")
    return Conversion(list(names), refused)


def _written(session: Session, dest: Path, origins: "_Origins", names: Mapping[Path, str]) -> tuple[Path | None, str]:
    """Write one session; return its file, None where there is nothing to write, and how much it holds."""
    recording = _read(session, origins.format.name)
    if recording is None:
        return None, "holds no activity; left out"
    path = nwb_path(dest, recording)
    if path in names:
        raise StudyError(
            f"{session.name}: is subject {recording.subject} session {recording.session}, as is {names[path]}; "
            "remove one of them"
        )
    try:
        write_recording(origins.added(recording, session.files), path)
    except StudyError:
        raise
    except (TypeError, ValueError) as error:
        raise StudyError(f"{session.name}: cannot be written as NWB ({type(error).__name__}: {error})") from error
    if (
        sum(map(len, recording.spike_times or ()))
        + (0 if recording.fluorescence is None else recording.fluorescence.size)
        > LARGE
    ):
        gc.collect()  # what pynwb builds refers to itself, and holds a copy of the recording
    return path, _extent(recording)


def _sessions(format: Format, source: Path, progress: Progress) -> Iterator[Session]:
    """The sessions of a source; a fault in listing them counts as one more that cannot be read."""
    try:
        yield from format.sessions(source, progress=progress)
    except StudyError as error:
        yield refused_session(str(source), error)
    except Exception as error:
        yield refused_session(str(source), _fault(str(source), format.name, error))


def _read(session: Session, converter: str) -> Recording | None:
    """The recording; a fault of the converter refuses this session alone."""
    try:
        return session.read()
    except (StudyError, MemoryError):
        raise
    except Exception as error:
        raise _fault(session.name, converter, error) from error


def _fault(name: str, converter: str, error: Exception) -> StudyError:
    return StudyError(f"{name}: the converter {converter} failed ({type(error).__name__}: {error})")


class _Origins:
    """Adds to recordings where they come from; a file that many sessions share is read once."""

    def __init__(self, source: Path, format: Format) -> None:
        self.folder = source if source.is_dir() else source.parent
        self.format = format
        self.known: dict[Path, str] = {}

    def added(self, recording: Recording, files: Iterable[Path]) -> Recording:
        """``recording`` with its origin: machine-readable, and as a sentence in ``notes``."""
        listed = tuple((self._name(path), self._sha256(path)) for path in files)
        origin = Origin(self.format.name, self.format.software, listed)
        notes = " ".join(text for text in (recording.about.get("notes", ""), origin.sentence) if text)
        return replace(recording, origin=origin, about={**recording.about, "notes": notes})

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.name

    def _sha256(self, path: Path) -> str:
        if path not in self.known:
            self.known[path] = sha256(path)
        return self.known[path]


def _extent(recording: Recording) -> str:
    """How much a recording holds, e.g. ``150 trials, 25 units``."""
    parts = [f"{len(recording.trials)} trials"]
    if recording.spike_times is not None:
        parts.append(f"{len(recording.spike_times)} units")
    if recording.fluorescence is not None:
        parts.append(f"{recording.fluorescence.shape[1]} ROIs")
    return ", ".join(parts)
