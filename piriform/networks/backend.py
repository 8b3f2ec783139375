"""Which JAX do the networks run on, and with which flags?

JAX is imported when one of the names below is first used, not before: a program that trains
nothing does not need it and does not pay for its start.
"""

import os
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from piriform.errors import ConfigError, known

#: One thread per matrix product: of small products two threads are slower, and jobs share the cores.
FLAGS = "--xla_cpu_multi_thread_eigen=false"
DTYPES = ("float32", "float64")


class _Lazy:
    """A module of JAX or optax that is imported when an attribute is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(_module(self._name), attribute)


jax: Any = _Lazy("jax")
jnp: Any = _Lazy("jax.numpy")
lax: Any = _Lazy("jax.lax")
optax: Any = _Lazy("optax")


def precision(dtype: str) -> AbstractContextManager[Any]:
    """Return the context in which JAX computes in ``float32`` or ``float64``.

    Examples
    --------
    >>> precision("float16")
    Traceback (most recent call last):
    piriform.errors.ConfigError: unknown dtype 'float16' (did you mean 'float64'?); choose from float32, float64
    """
    known("dtype", dtype, DTYPES)
    context: AbstractContextManager[Any] = jax.enable_x64(dtype == "float64")
    return context


def check() -> None:
    """Raise :class:`ConfigError` if JAX or optax is not installed, before anything is begun."""
    for name in ("jax", "optax"):
        _module(name)


@cache
def _module(name: str) -> ModuleType:
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {FLAGS}".strip()
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'networks need {str(error.name).partition(".")[0]}, which is not installed: pip install "piriform[networks]"'
        ) from error
