"""What does one published per-unit raster file say? The labels of its trials, and the unit's spikes.

A file holds ``raster_data`` (n_trials x 17000, 0 or 1, one column a millisecond) and the struct
``raster_labels``. MATLAB v5 is read by scipy, v7.3 (HDF5) by h5py, to the same result.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from piriform.errors import StudyError

N_COLUMNS = 17_000  # columns of a raster: 17 s
MAX_DAY = 9999
MOUSE, DAY = "mouse_name", "day_of_behavior"
PROBES, REPEATS = "stimulus_category_with_probes", "stimulus_category_with_nontarg_repeats"
CORRECT, CHOICE = "correct_vs_error", "lick_choice"
PORTS = ("all_licks_port_one", "all_licks_port_two")
FIELDS = (MOUSE, DAY, PROBES, CORRECT, CHOICE, *PORTS)  # REPEATS may be missing


@dataclass(frozen=True)
class Labels:
    """What a file says about its session.

    Attributes
    ----------
    subject : str
    day : int
        Day of training.
    texts : mapping
        (n_trials,) texts of PROBES, CORRECT, CHOICE and, where the file has it, REPEATS; "" where a
        cell is empty.
    licks : mapping
        Lick times of each trial by field of ``PORTS``, ascending, ms from odour on.
    """

    subject: str
    day: int
    texts: Mapping[str, tuple[str, ...]]
    licks: Mapping[str, tuple[tuple[float, ...], ...]]

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.texts[PROBES])

    @property
    def signature(self) -> str:
        """The same text for the same labels, and for no others."""
        return hashlib.sha256(repr((sorted(self.texts.items()), sorted(self.licks.items()))).encode()).hexdigest()

    def difference(self, other: "Labels") -> str:
        """Return in what these labels first differ from those of another file of the session, or "".

        Examples
        --------
        >>> a = Labels("Q", 1, {PROBES: ("target",)}, {})
        >>> Labels("Q", 1, {PROBES: ("nontarget",)}, {}).difference(a)
        "stimulus_category_with_probes of trial 0 is 'nontarget', but 'target'"
        """
        mine, others = {**self.texts, **self.licks}, {**other.texts, **other.licks}
        if self.n_trials != other.n_trials:
            return f"it has {self.n_trials} trials, but {other.n_trials}"
        for name in sorted({*mine, *others}):
            if name not in mine or name not in others:
                has, lacks = ("is missing", "is there") if name in others else ("is there", "is missing")
                return f"{name} {has}, but {lacks}"
            for trial, (own, their) in enumerate(zip(mine[name], others[name], strict=True)):
                if own != their:
                    return f"{name} of trial {trial} is {own!r}, but {their!r}"
        return ""


def read_labels(path: Path) -> Labels:
    """Return the labels of a file; its raster is not read.

    Raises
    ------
    StudyError
        If the file cannot be read, or a field is missing or holds something else.
    """
    with _readable(path):
        fields = _hdf5_fields(path) if _is_hdf5(path) else _v5_fields(path)
    missing = [name for name in FIELDS if name not in fields]
    if missing:
        raise StudyError(f"{path}: raster_labels has no field {missing[0]!r}; it has {', '.join(fields) or 'none'}")
    where = f"{path}: raster_labels"
    texts = {
        name: _texts(fields[name], f"{where}.{name}") for name in (PROBES, REPEATS, CORRECT, CHOICE) if name in fields
    }
    licks = {name: _times(fields[name], f"{where}.{name}") for name in PORTS}
    labels = Labels(_subject(fields[MOUSE], where), _day(fields[DAY], where), texts, licks)
    for name, values in {**texts, **licks}.items():
        if not values or len(values) != labels.n_trials:
            raise StudyError(
                f"{where}.{name}: {len(values)} cells, but {labels.n_trials} in {PROBES}; expected one per trial"
            )
    return labels


def read_spikes(path: Path, n_trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Return trial and column (from 0) of each spike of a file, in the order of trials and time.

    Raises
    ------
    StudyError
        If the raster cannot be read, or is not ``n_trials`` x ``N_COLUMNS`` zeros and ones.
    """
    with _readable(path):
        raster = _hdf5_raster(path) if _is_hdf5(path) else _v5_raster(path)
    where = f"{path}: raster_data"
    if raster.ndim != 2 or raster.shape[1] != N_COLUMNS:
        raise StudyError(f"{where}: shape {raster.shape}, expected trials x {N_COLUMNS} ms")
    if raster.dtype.kind not in "biuf":
        raise StudyError(f"{where}: holds {raster.dtype}, expected zeros and ones")
    if len(raster) != n_trials:
        raise StudyError(f"{where}: has {len(raster)} trials, but raster_labels has {n_trials}")
    rows, columns = np.nonzero(raster)
    strange = np.flatnonzero(raster[rows, columns] != 1)
    if strange.size:
        row, column = rows[strange[0]], columns[strange[0]]
        raise StudyError(f"{where}: {raster[row, column]:g} in trial {row} column {column}, expected zeros and ones")
    return rows, columns


# What the fields hold -------------------------------------------------------------------------


def _cells(value: Any, where: str) -> list[np.ndarray]:
    if value.dtype != object:
        raise StudyError(f"{where}: {value.dtype} values of shape {value.shape}, expected a cell per trial")
    return [np.asarray(cell) for cell in value.ravel()]


def _texts(value: Any, where: str) -> tuple[str, ...]:
    """One text per cell, "" for an empty one."""
    cells = _cells(value, where)
    for trial, cell in enumerate(cells):
        if cell.size and (cell.dtype.kind != "U" or cell.size > 1):
            raise StudyError(f"{where}: {cell.dtype} values of shape {cell.shape} in trial {trial}, expected a text")
    return tuple(str(cell.ravel()[0]).strip() if cell.size else "" for cell in cells)


def _times(value: Any, where: str) -> tuple[tuple[float, ...], ...]:
    """Ascending times per cell; an empty cell or NaN is none."""
    cells = _cells(value, where)
    for trial, cell in enumerate(cells):
        if cell.size and cell.dtype.kind not in "iuf":
            raise StudyError(f"{where}: holds {cell.dtype} in trial {trial}, expected times in ms")
    numbers = [cell.ravel().astype(float) if cell.size else np.empty(0) for cell in cells]
    return tuple(tuple(np.sort(times[~np.isnan(times)]).tolist()) for times in numbers)


def _subject(value: Any, where: str) -> str:
    value = _single(value)
    if value.size != 1 or value.dtype.kind != "U" or not str(value.ravel()[0]).strip():
        raise StudyError(f"{where}.{MOUSE}: {value.dtype} values of shape {value.shape}, expected the mouse's name")
    name = str(value.ravel()[0]).strip()
    if "/" in name or not name.isprintable():
        raise StudyError(
            f"{where}.{MOUSE}: {name!r}, expected a name that a file may have (no '/', no control characters)"
        )
    return name


def _day(value: Any, where: str) -> int:
    value = _single(value)
    number = value.ravel()[0] if value.size == 1 and value.dtype.kind in "iuf" else np.nan
    if not (0 <= number <= MAX_DAY and number == int(number)):
        raise StudyError(f"{where}.{DAY}: {value.tolist()!r}, expected one whole number from 0 to {MAX_DAY}")
    return int(number)


def _single(value: Any) -> np.ndarray:
    """The content of a cell of one element, else the value."""
    return np.asarray(value.ravel()[0]) if value.dtype == object and value.size == 1 else value


# The two kinds of file ------------------------------------------------------------------------


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a library says about a bad file into one sentence."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise StudyError(f"{path}: not a readable MATLAB file (v5 or v7.3), it may be truncated ({reason})") from error


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _v5_variable(path: Path, name: str) -> Any:
    from scipy.io import loadmat

    content = loadmat(path, variable_names=[name])
    if name not in content:
        raise StudyError(
            f"{path}: no variable {name!r}; expected raster_data and raster_labels (or the file is truncated)"
        )
    return content[name]


def _v5_fields(path: Path) -> dict[str, Any]:
    record = _v5_variable(path, "raster_labels")
    if getattr(record.dtype, "names", None) is None or record.size != 1:
        raise StudyError(f"{path}: raster_labels: {record.dtype} values of shape {record.shape}, expected a struct")
    return {name: np.asarray(record[name].ravel()[0]) for name in record.dtype.names}


def _v5_raster(path: Path) -> np.ndarray:
    from scipy.sparse import issparse

    raster = _v5_variable(path, "raster_data")
    return raster.toarray() if issparse(raster) else np.asarray(raster)


def _hdf5_fields(path: Path) -> dict[str, Any]:
    import h5py

    with h5py.File(path, "r") as file:
        if "raster_labels" not in file:
            raise StudyError(f"{path}: no variable 'raster_labels'; expected raster_data and raster_labels")
        group = file["raster_labels"]
        if not isinstance(group, h5py.Group):
            raise StudyError(f"{path}: raster_labels: {group.dtype} values of shape {group.shape}, expected a struct")
        return {name: _hdf5_value(file, group[name]) for name in group}


def _hdf5_value(file: Any, dataset: Any) -> np.ndarray:
    """A text, numbers, or an object array with one element per cell."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise StudyError(f"{file.filename}: {dataset.name}: a struct or sparse array, expected text, numbers or cells")
    if dataset.attrs.get("MATLAB_empty", 0):
        return np.empty(0)
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        cells = np.empty(dataset.size, dtype=object)
        for position, reference in enumerate(dataset[()].ravel()):
            cells[position] = _hdf5_value(file, file[reference])
        return cells
    if dataset.attrs.get("MATLAB_class", b"") in (b"char", "char"):
        return np.array(["".join(chr(code) for code in dataset[()].ravel())])
    return np.asarray(dataset[()])


def _hdf5_raster(path: Path) -> np.ndarray:
    """MATLAB's order of dimensions is the reverse of HDF5's."""
    import h5py

    with h5py.File(path, "r") as file:
        if "raster_data" not in file:
            raise StudyError(f"{path}: no variable 'raster_data'; expected raster_data and raster_labels")
        return _hdf5_value(file, file["raster_data"]).T
