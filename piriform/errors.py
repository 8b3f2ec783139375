"""What went wrong with the input, in one sentence that a user can act on?

Every error names the file, session, column or trial, says what was expected and what to do.
"""


class PiriformError(ValueError):
    """Base of all errors that a user can mend; its text is shown without a traceback."""


class ConfigError(PiriformError):
    """The config asks for something that does not exist or makes no sense."""


class StudyError(PiriformError):
    """A file of the study, or something inside it, cannot be used."""


class RemoteError(PiriformError):
    """A server does not answer, or a file changed on it: the run stops, since later it may go on as it should."""


class TrialsError(PiriformError):
    """A trial tensor breaks its contract."""


class TableError(PiriformError):
    """A tidy table breaks its contract."""


class MeasureError(PiriformError):
    """An array handed to a measure makes no sense."""


def known(kind: str, name: str, options: object, error: type[PiriformError] = ConfigError) -> str:
    """Return ``name`` if it is one of ``options``; otherwise raise ``error`` listing them.

    Examples
    --------
    >>> known("solver", "svm", ["svm", "lda"])
    'svm'
    """
    names = sorted(str(option) for option in options)  # type: ignore[attr-defined]
    if name not in names:
        raise error(f"unknown {kind} {name!r}{did_you_mean(name, names)}; choose from {', '.join(names)}")
    return name


def did_you_mean(word: str, options: list[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the closest option, or an empty string.

    Examples
    --------
    >>> did_you_mean("stimulsu", ["stimulus", "choice"])
    " (did you mean 'stimulus'?)"
    """
    from difflib import get_close_matches

    close = get_close_matches(word, options, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
