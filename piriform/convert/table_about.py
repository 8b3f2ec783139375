"""What does the row of a session in a table say about it? When it began, the animal, the recording."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from piriform.convert.table_file import numbers
from piriform.errors import StudyError
from piriform.nwb_writer.recording import ABOUT, ANIMAL, IMAGING

SEXES = {"m": "M", "male": "M", "f": "F", "female": "F", "u": "U", "unknown": "U", "o": "O", "other": "O"}
#: Fields of NWB that a column of `sessions` fills, by what they describe.
FIELDS = {
    "about": tuple(name for name in ABOUT if name != "notes"),
    "animal": tuple(name for name in ANIMAL if name not in ("description", "date_of_birth")),
    "imaging": tuple(name for name in IMAGING if name != "description"),
}
OTHERS = ("subject", "session", "start", "description", "region", "spike_resolution")
NUMBERS = ("excitation_lambda", "emission_lambda", "imaging_rate")


def start_of(row: pd.Series, path: Path) -> tuple[datetime, list[str]]:
    """Return when a session began, and a remark where the time zone is not given.

    Raises
    ------
    StudyError
        If ``start`` is no ISO 8601 date or time.
    """
    text = row["start"]
    try:
        start = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        found = "nothing" if pd.isna(text) else repr(text)
        raise StudyError(
            f"{path}: column 'start', row {row.name}: {found}, expected an ISO 8601 date or time, e.g. "
            "2024-01-08T09:30:00+01:00"
        ) from None
    if start.tzinfo is not None:
        return start, []
    return start.replace(tzinfo=UTC), ["the start has no time zone; taken as UTC"]


def row_remarks(row: pd.Series) -> list[str]:
    """Return a remark for each column that fills no field, and one where the species is missing."""
    used = {*OTHERS, *(name for names in FIELDS.values() for name in names)}
    remarks = [f"column {str(name)!r} of sessions is not used" for name in row.index if name not in used]
    return remarks + ["the species is not given; archives ask for it"] * bool(pd.isna(row.get("species")))


def described_session(row: pd.Series, path: Path, remarks: Sequence[str]) -> dict[str, Any]:
    """Return ``description``, ``about``, ``animal`` and ``imaging`` of a recording; ``remarks`` go to its notes.

    Raises
    ------
    StudyError
        If sex, age or a number is not what NWB takes.
    """
    given = {str(name): str(value).strip() for name, value in row.items() if pd.notna(value)}
    fields: dict[str, dict[str, Any]] = {
        kind: {name: given[name] for name in names if name in given} for kind, names in FIELDS.items()
    }
    where = f"{path}: row {row.name}"
    if "sex" in given:
        fields["animal"]["sex"] = _sex(given["sex"], where)
    if "age" in given:
        _check_age(given["age"], where)
    fields["imaging"] |= {name: row_number(row, name, path) for name in NUMBERS if name in given}
    if "region" in given:
        fields["imaging"]["location"] = given["region"]
    if remarks:
        fields["about"]["notes"] = " ".join(f"Note: {remark}." for remark in remarks)
    return {"description": given.get("description", f"Session {row['session']} of subject {row['subject']}."), **fields}


def row_number(row: pd.Series, name: str, path: Path) -> float:
    """Return one cell of a row as a number.

    Raises
    ------
    StudyError
        If it is none.
    """
    return float(numbers(pd.Series([row[name]], index=[row.name], name=name), path)[0])


def _sex(text: str, where: str) -> str:
    if text.lower() not in SEXES:
        raise StudyError(f"{where}: sex is {text!r}, expected M, F, O or U (unknown)")
    return SEXES[text.lower()]


def _check_age(age: str, where: str) -> None:
    if not (age.startswith("P") and any(letter.isdigit() for letter in age)):
        raise StudyError(f"{where}: age is {age!r}, expected an ISO 8601 duration, e.g. P90D or P12W")
