"""How are the kernels compiled, and where is the machine code kept?

Machine code is kept in one folder per version of the sources and of numba, so that an edit or an
upgrade never runs stale code, and so that jobs share it when the package's own folder cannot be
written. Different processors keep theirs apart in it.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config

Array = np.ndarray
numba_config: Any = config
njit: Any = numba.njit

#: No ``fastmath``: what may be reordered or fused would depend on the code around it, and with it the
#: last bit. Kernels say themselves which products are fused, and use lanes for the sums that need speed.
#: They allocate nothing, so arrays need no reference counts (``_nrt``), which would cost more than a
#: short loop.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "_nrt": False,
}


def cache_folder() -> Path:
    """Return the folder of the machine code: in NUMBA_CACHE_DIR, the user's cache or a temporary folder."""
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    version = hashlib.sha256(sources + numba.__version__.encode()).hexdigest()[:16]
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    temporary = os.path.join(tempfile.gettempdir(), f"cache-{os.getuid()}")
    for base in (os.environ.get("NUMBA_CACHE_DIR"), home, temporary):
        if base and _writable(folder := Path(base) / "piriform" / version):
            return folder
    raise OSError("no folder can be written for compiled code: set NUMBA_CACHE_DIR to one that can")


def entry(function: Callable[..., Any]) -> Any:
    """Compile ``function``, which Python calls, on first use and keep the machine code in :func:`cache_folder`.

    It holds all the kernels that it calls.
    """
    kept = numba_config.CACHE_DIR
    numba_config.CACHE_DIR = str(FOLDER)
    try:
        return _without_vectorisers(njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(function))
    finally:
        numba_config.CACHE_DIR = kept


def compiled(function: Callable[..., Any]) -> Any:
    """Compile ``function`` for other kernels to call: Python cannot."""
    return _without_vectorisers(njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function))


def inlined(function: Callable[..., Any]) -> Any:
    """Compile ``function`` into its callers: for short ones that are called for every problem."""
    return njit(inline="always", **OPTIONS)(function)


def _without_vectorisers(dispatcher: Any) -> Any:
    """Compile without LLVM's own search for lanes: kernels name theirs, and the search takes seconds."""
    usual = dispatcher.compile

    def compile_kernel(signature: Any) -> Any:
        kept = numba_config.LOOP_VECTORIZE, numba_config.SLP_VECTORIZE
        numba_config.LOOP_VECTORIZE = numba_config.SLP_VECTORIZE = 0
        try:
            return usual(signature)
        finally:
            numba_config.LOOP_VECTORIZE, numba_config.SLP_VECTORIZE = kept

    dispatcher.compile = compile_kernel
    return dispatcher


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


FOLDER = cache_folder()
