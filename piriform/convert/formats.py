"""Which formats can be converted? Those built in, and those of installed packages.

A converter is a module (or any object) with a ``DESCRIPTION``, one line of text, and a function
``sessions(source, *, progress)`` that returns the sessions of a file or folder, each a
:class:`~piriform.convert.source.Session`. A package offers one as an entry point of the group
``piriform.converters``; its name is the format's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from piriform.convert import iurilli, raster, tables, wang
from piriform.convert.source import Session
from piriform.errors import ConfigError, known
from piriform.provenance import versions

#: Group of entry points under which packages offer converters.
GROUP = "piriform.converters"
CONVERTERS: dict[str, ModuleType] = {"iurilli": iurilli, "raster": raster, "tables": tables, "wang": wang}
#: What each built-in format is.
DESCRIPTIONS: dict[str, str] = {name: module.DESCRIPTION for name, module in CONVERTERS.items()}


@dataclass(frozen=True)
class Format:
    """One format: its name, what it is, what lists its sessions, and the programs behind it with their versions."""

    name: str
    description: str
    sessions: Callable[..., Iterable[Session]]
    software: tuple[tuple[str, str], ...]


def format_named(name: str) -> Format:
    """Return a format, built in or of an installed package.

    Raises
    ------
    ConfigError
        If there is none of this name (the message lists those there are), two packages offer it, or
        the package's converter cannot be loaded.
    """
    own = ("piriform", versions()["piriform"])
    if name in CONVERTERS:
        module = CONVERTERS[name]
        return Format(name, module.DESCRIPTION, module.sessions, (own,))
    offered = _installed()
    known("format", name, [*CONVERTERS, *offered])
    if len(offered[name]) > 1:
        packages = " and ".join(_package(point) for point in offered[name])
        raise ConfigError(f"format {name!r} is offered by {packages}; uninstall one of them")
    (point,) = offered[name]
    converter = _loaded(point)
    return Format(name, converter.DESCRIPTION, converter.sessions, (own, _name_and_version(point)))


def descriptions() -> dict[str, str]:
    """Return what each format is; one that cannot be used says why."""
    found = dict(DESCRIPTIONS)
    for name, points in sorted(_installed().items()):
        try:
            found[name] = f"{format_named(name).description} [{_package(points[0])}]"
        except ConfigError as error:
            found[name] = f"cannot be used: {error}"
    for point in entry_points(group=GROUP):
        if point.name in CONVERTERS:
            found[f"{point.name} [{_package(point)}]"] = "refused: a built-in format has this name"
    return found


def _installed() -> dict[str, list[EntryPoint]]:
    """What packages offer, by name; names of built-in formats are refused."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        if point.name not in CONVERTERS and point not in found.get(point.name, []):
            found.setdefault(point.name, []).append(point)
    return found


def _loaded(point: EntryPoint) -> ModuleType:
    """The converter of a package, checked; whatever goes wrong in it becomes one sentence."""
    where = f"format {point.name!r} of {_package(point)}"
    try:
        converter = point.load()
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{where}: {point.value} cannot be loaded ({reason}); mend or uninstall it") from error
    if not isinstance(getattr(converter, "DESCRIPTION", None), str):
        raise ConfigError(f"{where}: {point.value} has no text DESCRIPTION, one line that says what the format is")
    if not callable(getattr(converter, "sessions", None)):
        raise ConfigError(f"{where}: {point.value} has no function sessions(source, *, progress)")
    return converter


def _name_and_version(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else (point.value, "unknown")


def _package(point: EntryPoint) -> str:
    return " ".join(_name_and_version(point))
