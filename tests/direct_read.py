"""What does an HDF5 file hold, read with h5py alone? The oracle of the fuzz tests: nothing of piriform or pynwb."""

import re
from datetime import datetime

import h5py
import numpy as np

TRIALS, UNITS = "intervals/trials", "units"
SERIES = "processing/ophys/DfOverF/RoiResponseSeries"


def plain(value):
    """Text as str."""
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return value[2:-1] if isinstance(value, str) and re.fullmatch(r"b'[^']*'|b\"[^\"]*\"", value) else value


def text(file, path):
    """A scalar as text, "" where there is none."""
    node = file.get(path)
    if not isinstance(node, h5py.Dataset) or node.size != 1:
        return ""
    return str(plain(np.ravel(node[()])[0])).strip()


def header(path):
    """Subject, session, start, identifier."""
    with h5py.File(path, "r") as file:
        found = [
            text(file, name)
            for name in ("general/subject/subject_id", "general/session_id", "session_start_time", "identifier")
        ]
    return found[0], found[1] or path.stem, datetime.fromisoformat(found[2]), found[3]


def column(path, name):
    """One value per row: a number or a text; entries of a row joined by "+"."""
    with h5py.File(path, "r") as file:
        node = file[f"{TRIALS}/{name}"]
        codes = h5py.check_enum_dtype(node.dtype)
        values = node[()]
    if codes and codes != {"FALSE": 0, "TRUE": 1}:
        names = {code: label for label, code in codes.items()}
        values = np.array([names[code] for code in values.tolist()], dtype=object)
    if values.ndim == 1 and not any(isinstance(value, np.ndarray) for value in values):
        return [plain(value) for value in values.tolist()]
    rows = [[plain(entry) for entry in np.ravel(row).tolist()] for row in values]
    if values.ndim == 2 and values.shape[1] == 1:
        return [row[0] for row in rows]
    rows = [[entry for entry in row if entry not in ("", None) and entry == entry] for row in rows]
    if all(len(row) <= 1 for row in rows):
        empty = "" if any(isinstance(entry, str) for row in rows for entry in row) else np.nan
        return [row[0] if row else empty for row in rows]
    return ["+".join(f"{entry:.15g}" if isinstance(entry, float) else str(entry) for entry in row) for row in rows]


def ragged(path, name):
    """The rows of a ragged column of the units."""
    with h5py.File(path, "r") as file:
        values, ends = file[f"{UNITS}/{name}"][()], file[f"{UNITS}/{name}_index"][()]
    starts = [0, *ends[:-1].tolist()]
    return [values[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]


def ids(path, table, n_rows):
    """Names of the rows of a table: its ids, with the row where two are the same; without ids their numbers."""
    with h5py.File(path, "r") as file:
        try:
            names = [str(name) for name in file[f"{table}/id"][()].tolist()]
        except (KeyError, TypeError):
            names = [str(row) for row in range(n_rows)]
    return names if len(set(names)) == len(names) else [f"{name}@{row}" for row, name in enumerate(names)]


def is_sound(times):
    """Whether spike times are finite, not negative, and ascend."""
    return bool(np.isfinite(times).all() and (times >= 0).all() and (np.diff(times) >= 0).all())


def traces(path):
    """Names of the ROIs, (n_times, n_rois) responses, and times."""
    with h5py.File(path, "r") as file:
        series = file[SERIES]
        data, rows = series["data"], series["rois"][()]
        values = data[()].astype(float) * data.attrs["conversion"] + data.attrs.get("offset", 0.0)
        if "timestamps" in series:
            times = series["timestamps"][()]
        else:
            times = series["starting_time"][()] + np.arange(len(values)) / series["starting_time"].attrs["rate"]
    names = np.array(
        ids(path, "processing/ophys/ImageSegmentation/PlaneSegmentation", 1 + max(rows.tolist())), dtype=object
    )
    return names[rows].tolist(), np.where(np.isfinite(values), values, np.nan), times
