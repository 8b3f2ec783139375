"""Which responses of ROIs does a file hold, plane by plane, and what is known of the ROIs?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from piriform.errors import StudyError
from piriform.filters import column_names
from piriform.nwb.clock import sample_times
from piriform.nwb.columns import column_values, has_column, no_column, real_numbers
from piriform.nwb.sources import objects_by_name
from piriform.nwb.units import passing


@dataclass(frozen=True)
class Traces:
    """Responses of ROIs that share a clock.

    Attributes
    ----------
    data : (n_times, n_units) array, dF/F, NaN where missing
    timestamps : (n_times,) ascending array, s
    """

    data: np.ndarray
    timestamps: np.ndarray


def roi_series(file: Any) -> dict[str, Any]:
    """Return every RoiResponseSeries of an open file by its container and name."""
    from pynwb.ophys import RoiResponseSeries

    return objects_by_name((one for one in file.objects.values() if isinstance(one, RoiResponseSeries)), depth=2)


def chosen_series(is_dff: Mapping[str, bool], wanted: str | list[str] | None, path: str | Path) -> list[str]:
    """Return the keys of the series that the config names; of none the only one, or the only one of dF/F.

    Parameters
    ----------
    is_dff : container/name of each series, and whether it holds dF/F
    wanted : a name with or without its container, a list of them, or patterns with ``*``

    Raises
    ------
    StudyError
        If a name fits none or several, or without a name there are several.
    """
    keys = sorted(is_dff)
    if wanted is None:
        fits = [key for key in keys if is_dff[key]] if len(keys) > 1 else keys
        if len(fits) == 1:
            return fits
        raise _not_one(len(fits), wanted, is_dff, path)
    found: list[str] = []
    for name in [wanted] if isinstance(wanted, str) else wanted:
        fits = [key for key in keys if name in _names(key)]
        several = not fits and any(sign in name for sign in "*?[")
        if several:
            fits = [key for key in keys if any(fnmatchcase(one, name) for one in _names(key))]
        if not fits or (len(fits) > 1 and not several):
            raise _not_one(len(fits), name, is_dff, path)
        found += [key for key in fits if key not in found]
    if not found:
        raise StudyError(f"{path}: response.roi_series is an empty list")
    return found


def _names(key: str) -> tuple[str, str]:
    """A series' name with its container, and without."""
    return key, key.rpartition("/")[2]


def _not_one(number: int, wanted: str | None, is_dff: Mapping[str, bool], path: str | Path) -> StudyError:
    return StudyError(
        f"{path}: {number} RoiResponseSeries fit response.roi_series {wanted!r}; name one of {', '.join(sorted(is_dff))}"
        " (or list those of several planes)"
    )


def check_planes(series: Mapping[str, Any], path: str | Path) -> None:
    """Refuse two series that hold the same ROIs: each ROI would count twice."""
    rows = {key: set(np.asarray(one.rois.data[:]).tolist()) for key, one in series.items()}
    for first, second in combinations(series, 2):
        if series[first].rois.table is series[second].rois.table and rows[first] & rows[second]:
            raise StudyError(
                f"{path}: RoiResponseSeries {first} and {second} hold the same ROIs (response.roi_series); "
                "name one series for each plane"
            )


def plane_names(keys: Sequence[str]) -> list[str]:
    """Return what stands before the id of a ROI: nothing for one plane, else the name of its series.

    Examples
    --------
    >>> plane_names(["DfOverF/plane0", "DfOverF/plane1"])
    ['plane0/', 'plane1/']
    """
    short = [key.rpartition("/")[2] for key in keys]
    names = short if len(set(short)) == len(short) else keys
    return [f"{name}/" for name in names] if len(keys) > 1 else [""]


def roi_rows(series: Any, where: str) -> np.ndarray:
    """Return the rows of a series' ROIs in their table, (n_units,)."""
    rows = np.asarray(series.rois.data[:])
    n_rows = len(series.rois.table.id)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows.size and (rows.min() < 0 or rows.max() >= n_rows)):
        raise StudyError(f"{where}: rois refer to rows that the table of {n_rows} ROIs does not have")
    return rows.astype(np.int64)


def rois_passing(series: Any, expression: str | None, where: str) -> np.ndarray:
    """Return which ROIs of a series pass a filter.

    A name in the filter is a column of the ROI table (of flags with a second number, as in suite2p's
    ``is_cell``, the flag), or ``location``, ``imaging_plane``, ``device`` or ``series``.

    Returns
    -------
    (n_units,) bool array

    Raises
    ------
    StudyError
        If the filter uses a name that is not known, or cannot be evaluated.
    """
    rows = roi_rows(series, where)
    if expression is None:
        return np.ones(len(rows), dtype=bool)
    known = {name: _known(series, name, rows, where) for name in column_names(expression)}
    return passing(known, len(rows), expression, where)


def read_traces(series: Any, where: str) -> Traces:
    """Return the responses of a series, with conversion and offset, and its clock.

    Raises
    ------
    StudyError
        If data are not times by ROIs, or have no sound clock.
    """
    check_shape(series, where)
    data = real_numbers(series.data, f"{where}: data").astype(float, copy=False)
    data = data[:, np.newaxis] if data.ndim == 1 else data
    times = sample_times(series, len(data), where)
    factor, offset = (1.0 if series.conversion is None else float(series.conversion)), float(series.offset or 0.0)
    return Traces(np.where(np.isfinite(data), data, np.nan) * factor + offset, times)


def check_shape(series: Any, where: str) -> None:
    """Refuse data that are not times by ROIs."""
    n_rois, shape = len(series.rois.data), tuple(series.data.shape)
    if shape[1:] not in [(n_rois,)] + [()] * (n_rois == 1):
        turned = len(shape) == 2 and shape[0] == n_rois
        hint = "; they look like ROIs by times: write them transposed" if turned else ""
        raise StudyError(f"{where}: data have shape {shape}; expected (times, {n_rois} ROIs){hint}")


def time_offsets(series: Any, column: str | None, times: np.ndarray, where: str) -> np.ndarray:
    """Return the time of each ROI within the frame, s after the frame's timestamp; 0 without a column.

    Raises
    ------
    StudyError
        If the column is missing, holds no numbers, or some longer than a frame (not in seconds).
    """
    rows = roi_rows(series, where)
    if column is None:
        return np.zeros(len(rows))
    table = series.rois.table
    if not has_column(table, column):
        raise StudyError(no_column(where, "response.time_offset", column, table.colnames))
    values = column_values(table, column, where)[rows]
    if values.dtype.kind not in "iuf":
        raise StudyError(f"{where}: column {column!r} (response.time_offset) holds no numbers; expected s")
    frame = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest > frame * (1 + 1e-6):
        raise StudyError(
            f"{where}: column {column!r} (response.time_offset) reaches {largest:g}, a frame lasts {frame:g} s; "
            "offsets must be in s and shorter than a frame"
        )
    return values.astype(float)


def _known(series: Any, name: str, rows: np.ndarray, where: str) -> np.ndarray:
    """One value per ROI of what a filter names."""
    table = series.rois.table
    if has_column(table, name):
        return _flags_or_values(table, name, where)[rows]
    plane = getattr(table, "imaging_plane", None)
    of_plane = {"series": series.name}
    if plane is not None:
        of_plane |= {"location": plane.location or "", "imaging_plane": plane.name, "device": plane.device.name}
    if name not in of_plane:
        raise StudyError(no_column(where, "response.filter", name, [*table.colnames, "id", *of_plane]))
    return np.full(len(rows), str(of_plane[name]), dtype=object)


def _flags_or_values(table: Any, name: str, where: str) -> np.ndarray:
    """The values of a column; of pairs whose first is 0 or 1, the first."""
    data = table[name].data
    shape = getattr(data, "shape", None) or np.shape(data)
    if name in table.colnames and len(shape) == 2 and shape == (len(table.id), 2):
        first = np.asarray(data[:])[:, 0]
        if np.isin(first, (0, 1)).all():
            return first
    return column_values(table, name, where)
