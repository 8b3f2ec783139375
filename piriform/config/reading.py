"""What does a config file say, and if it makes no sense, which key is wrong?"""

import os
from collections.abc import Mapping
from pathlib import Path
from string import Template
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from piriform.config.whole import Config
from piriform.errors import ConfigError, did_you_mean

#: Where the recordings lie that validate the pipeline, unless the environment names another folder.
REAL_DATA = {"PIRIFORM_REAL_DATA": "../shared/data"}


def parse_config(values: Mapping[str, Any], *, where: str = "config") -> Config:
    """Check a config given as nested dicts.

    Raises
    ------
    ConfigError
        One line per problem: the key, what was wrong, and the closest known key.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{where}: " + "; ".join(lines)) from None


def load_config(path: str | Path) -> Config:
    """Read and check a YAML config file."""
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; see config/README.md for how to write one") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(values).__name__}")
    return parse_config(values, where=str(path))


def expand(path: str) -> str:
    """Return ``path`` with ``${NAME}`` taken from the environment."""
    try:
        return Template(path).substitute(REAL_DATA | dict(os.environ))
    except KeyError as error:
        raise ConfigError(f"{path}: environment variable {error.args[0]} is not set") from None


def _explain(problem: Any) -> str:
    location = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {location!r}{did_you_mean(str(problem['loc'][-1]), _keys_at(problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"key {location!r} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{location}: {message}" if location else message


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        inner = [
            kind
            for kind in (annotation, *getattr(annotation, "__args__", ()))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def pick(config: Config, *names: str) -> dict[str, Any]:
    """Return the named parts of a config as plain values, for a rule's ``params``.

    A rule names only the parts that it uses, so that an edit elsewhere does not rerun it.
    """
    values = config.model_dump(mode="json")
    return {name: values[name] for name in names}


def restore(values: Mapping[str, Any]) -> SimpleNamespace:
    """Turn what :func:`pick` returned back into checked sections, as attributes."""
    kinds: dict[str, Any] = {name: Config.model_fields[name].annotation for name in values}
    return SimpleNamespace(**{name: TypeAdapter(kinds[name]).validate_python(value) for name, value in values.items()})
