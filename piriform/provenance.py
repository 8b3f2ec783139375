"""Where does a result come from: which code, which seed, which input; and is a file on disk whole?

Seeds come from names, so that a number does not depend on the order in which jobs run. Files are
written under a temporary name and renamed, so that a killed job leaves nothing half-written.
"""

import ast
import hashlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from piriform.errors import PiriformError

PACKAGE = Path(__file__).parent
#: Files beside the modules that a module reads when it runs.
DATA_SUFFIXES = (".css", ".html", ".mplstyle")


def rng_for(seed: int, *names: object) -> np.random.Generator:
    """Return the generator that belongs to ``seed`` and a path of names.

    The same seed and names give the same stream in any process, order or number of cores.

    Examples
    --------
    >>> a = rng_for(1, "Q", "ses-01").integers(1000)
    >>> bool(a == rng_for(1, "Q", "ses-01").integers(1000))
    True
    """
    path = "\x1f".join(str(name) for name in names).encode()
    words = np.frombuffer(hashlib.sha256(path).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence([seed, *words.tolist()]))


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def json_text(value: Any) -> str:
    """Return ``value`` as JSON with sorted keys; NaN and infinities become null."""
    return json.dumps(_plain(value), indent=2, sort_keys=True, allow_nan=False) + "\n"


def write_json(value: Any, path: str | Path) -> None:
    """Write :func:`json_text` of ``value`` to a file, under a temporary name, then rename."""
    with atomic_path(path) as temporary:
        temporary.write_text(json_text(value))


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def package_files(*scripts: str | Path) -> list[str]:
    """Return the files of this package that the scripts import, directly or through one another.

    Templates and styles of a package count as imported with it.
    Snakemake does not see that a module behind a ``script:`` has changed; rules name these files
    as input so that an edit reruns exactly the jobs behind it.
    """
    found: set[Path] = set()
    queue = [Path(script) for script in scripts]
    while queue:
        for module in _imported_modules(queue.pop()):
            for path in _module_files(module):
                if path not in found:
                    found.add(path)
                    queue.append(path)
    folders = {path.parent for path in found if path.name == "__init__.py"}
    data = [path for folder in folders for path in folder.iterdir() if path.suffix in DATA_SUFFIXES]
    return sorted(str(path) for path in [*found, *data])


def versions() -> dict[str, str]:
    """Return the versions of Python, of piriform and of the libraries behind its numbers."""
    names = ("piriform", "numpy", "scipy", "pandas", "xarray", "scikit-learn", "statsmodels", "pynwb", "snakemake")
    return {"python": sys.version.split()[0]} | {name: _version(name) for name in names}


@contextmanager
def job_log(path: str | Path | None) -> Iterator[None]:
    """Send a job's output to its log file; on failure leave the reason there and on the terminal.

    A :class:`~piriform.errors.PiriformError` prints as one sentence on the terminal and ends the
    job with exit code 1; the traceback of any error is in the log.
    """
    if path is None:
        yield
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    output, terminal = sys.stdout, sys.stderr
    with open(path, "w", buffering=1) as log:
        sys.stdout = sys.stderr = log
        try:
            yield
        except Exception as error:
            traceback.print_exc(file=log)
            if isinstance(error, PiriformError):
                print(f"error: {error}", file=terminal, flush=True)
                raise SystemExit(1) from error
            raise
        finally:
            sys.stdout, sys.stderr = output, terminal


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _imported_modules(script: Path) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules += [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    return [module for module in modules if module.split(".")[0] == PACKAGE.name]


def _module_files(module: str) -> list[Path]:
    """The module's own file and the ``__init__`` of each package above it."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    parents = [parent / "__init__.py" for parent in (path, *path.parents) if parent.is_relative_to(PACKAGE)]
    return [file for file in (path.with_suffix(".py"), *parents) if file.is_file()]
