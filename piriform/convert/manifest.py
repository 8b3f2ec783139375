"""What did a conversion leave in a folder? ``converted.json`` names its files, and the sessions it refused.

The index of a study reads it, so that a refused session stands in ``sessions.csv`` with its reason.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from piriform.convert.writing import Conversion, Refused
from piriform.errors import StudyError
from piriform.provenance import sha256, write_json
from piriform.tables import TABLES

NAME = "converted.json"
#: How the reason of a refused session begins in the table ``sessions``.
NOT_CONVERTED = "not converted: "


def write_manifest(conversion: Conversion, folder: str | Path, *, format: str, source: str) -> Path:
    """Write what was converted, with the SHA-256 of each NWB file, and what was refused; return the file's path."""
    path = Path(folder) / NAME
    files = {file.relative_to(folder).as_posix(): sha256(file) for file in conversion.files}
    refused = [{"name": one.name, "reason": one.reason} for one in conversion.refused]
    write_json({"format": format, "source": source, "files": files, "refused": refused}, path)
    return path


def strangers(conversion: Conversion, folder: str | Path) -> list[Refused]:
    """Return the NWB files of a folder that this conversion did not make, as refused.

    They are of an earlier conversion, perhaps of a session that is refused by now.
    """
    made = set(conversion.files)
    found = sorted(path for path in Path(folder).rglob("*.nwb") if path not in made and not path.name.startswith("."))
    reason = "not made by this conversion; remove the file, or put it into another folder"
    return [Refused(str(path), f"{path}: {reason}") for path in found]


def refused_sessions(data: object) -> list[Refused]:
    """Return the sessions that the conversion into this folder refused.

    Parameters
    ----------
    data : the folder of a study; anything else, or a folder without ``converted.json``, has none

    Raises
    ------
    StudyError
        If ``converted.json`` cannot be read.
    """
    path = Path(data) / NAME if isinstance(data, str | Path) else None
    if path is None or not path.is_file():
        return []
    try:
        found = json.loads(path.read_text()).get("refused", [])
        return [Refused(str(one["name"]), str(one["reason"])) for one in found]
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise StudyError(f"{path}: not what a conversion writes ({error}); convert again or remove it") from None


def with_refused(table: pd.DataFrame, refused: Iterable[Refused]) -> pd.DataFrame:
    """Return the table ``sessions`` with a row more for each refused session: its name as ``file``, and the reason.

    Examples
    --------
    >>> from piriform.tables import empty_table
    >>> table = with_refused(empty_table("sessions"), [Refused("a.mat", "a.mat: cut off")])
    >>> table[["file", "included", "reason"]].values.tolist()
    [['a.mat', False, 'not converted: cut off']]
    """
    kinds = {"integer": 0, "flag": False}
    empty = {name: kinds.get(column.kind, "") for name, column in TABLES["sessions"].items()}
    rows = [
        empty | {"file": one.name, "reason": NOT_CONVERTED + one.reason.removeprefix(f"{one.name}: ")}
        for one in refused
    ]
    return pd.DataFrame([*table.to_dict("records"), *rows], columns=table.columns)
