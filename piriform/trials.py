"""What does one session's activity look like around an event? The trial tensor and its contract.

A tensor is a :class:`xarray.DataArray` named ``response`` with dims ``(trial, unit, time)``. One
NetCDF file holds the tensors of one subject, one group per session.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform.errors import TrialsError
from piriform.provenance import atomic_path

DIMS = ("trial", "unit", "time")
RESPONSE_UNITS = ("spikes/s", "dF/F", "1")
#: Trial coordinates and their kind ("text" or "float"); a missing text is "", a missing number NaN.
TRIAL_COORDS = {
    "stimulus": "text",  # what was presented, e.g. one odour mixture
    "category": "text",  # the lab's own label of the trial type
    "class": "text",  # target, nontarget, probe (or the stimulus itself in a many-class study)
    "stratum": "text",  # how hard the stimulus is to tell from the target; trials of one stratum are alike in this
    "choice": "text",  # what the animal did
    "correct": "float",  # 1 correct, 0 error, NaN unknown
    "start_time": "float",  # s from the session's start
    "event_time": "float",  # s from the session's start; time 0 of the tensor
    "latency": "float",  # s from the event to the response
    "block": "float",  # number of the experimental block, NaN where there are none
}
_COORD_DIMS = {"trial": "trial", "time": "time", "unit_id": "unit", "tracked_id": "unit"} | dict.fromkeys(
    TRIAL_COORDS, "trial"
)
ATTRS = ("units", "subject", "session", "day", "phase", "source_file", "source_sha256", "bin_width")


def make_trials(
    response: np.ndarray,
    *,
    time: np.ndarray,
    trials: pd.DataFrame,
    unit_id: Iterable[Any],
    attrs: Mapping[str, Any],
    tracked_id: Iterable[Any] | None = None,
) -> xr.DataArray:
    """Build a checked trial tensor.

    Parameters
    ----------
    response : (n_trials, n_units, n_times) array
        Firing rate (spikes/s), dF/F, or hidden activity (unit "1"); NaN where not observed.
    time : (n_times,) array
        Bin centres in s from the event.
    trials : DataFrame, n_trials rows
        Index: number of the trial in the source's table. Columns: some of ``TRIAL_COORDS``;
        the others are filled with "" or NaN.
    unit_id : (n_units,) the source's own identifier, kept as text
    attrs : ``ATTRS``; ``day`` an int, ``bin_width`` in s, the others text
    tracked_id : (n_units,), optional
        Identity of the same unit on other days, "" where it is unknown.

    Raises
    ------
    TrialsError
        If shapes, units or coordinates break the contract.
    """
    unit_ids = [str(unit) for unit in unit_id]
    tracked = [""] * len(unit_ids) if tracked_id is None else [str(unit) for unit in tracked_id]
    coords: dict[str, Any] = {
        "trial": np.asarray(trials.index, dtype=np.int64),
        "time": ("time", np.asarray(time, dtype=float), {"units": "s"}),
        "unit_id": ("unit", np.array(unit_ids, dtype=object)),
        "tracked_id": ("unit", np.array(tracked, dtype=object)),
    }
    for name, kind in TRIAL_COORDS.items():
        coords[name] = ("trial", _column(trials, name, kind))
    tensor = xr.DataArray(
        np.asarray(response, dtype=np.float32), dims=DIMS, coords=coords, attrs=dict(attrs), name="response"
    )
    return check_trials(tensor)


def check_trials(tensor: xr.DataArray) -> xr.DataArray:
    """Return ``tensor`` unchanged if it keeps the contract; raise :class:`TrialsError` otherwise."""
    where = f"trial tensor of session {tensor.attrs.get('session', '?')!r}"
    if tensor.dims != DIMS:
        raise TrialsError(f"{where}: dims are {tensor.dims}, expected {DIMS}")
    missing = [name for name in ATTRS if name not in tensor.attrs]
    if missing:
        raise TrialsError(f"{where}: attribute(s) {', '.join(missing)} missing")
    if tensor.attrs["units"] not in RESPONSE_UNITS:
        raise TrialsError(f"{where}: units are {tensor.attrs['units']!r}, expected one of {', '.join(RESPONSE_UNITS)}")
    absent = [name for name in (*TRIAL_COORDS, "unit_id", "tracked_id", "time") if name not in tensor.coords]
    if absent:
        raise TrialsError(f"{where}: coordinate(s) {', '.join(absent)} missing")
    if tensor.sizes["time"] > 1 and not np.all(np.diff(tensor["time"].values) > 0):
        raise TrialsError(f"{where}: time must increase strictly")
    if np.isinf(tensor.values).any():
        raise TrialsError(f"{where}: response holds infinite values")
    return tensor


def save_trials(tensors: Iterable[xr.DataArray], path: str | Path) -> None:
    """Write the tensors of one subject, one group per session, under a temporary name, then rename.

    Rates of spikes are compressed (zlib, bytes shuffled) and take a sixth of their space or less; dF/F and activity would
    hardly shrink. Every value comes back bit for bit, and the same tensors give the same bytes.
    """
    import h5netcdf

    with atomic_path(path) as temporary, h5netcdf.File(temporary, "w") as file:
        for tensor in tensors:
            _write(check_trials(tensor), file.create_group(str(tensor.attrs["session"])))
            del tensor  # before the next one is made


def session_names(path: str | Path) -> list[str]:
    """Return the sessions in a file, in the order in which they were written (by date).

    Raises
    ------
    TrialsError
        If there is no such file, or it is cut short or damaged.
    """
    import h5py

    with _readable(path), h5py.File(path, "r") as file:
        groups = {
            name: int(np.ravel(file[name]["response"].attrs["day"])[0]) for name in file if "response" in file[name]
        }
    return sorted(groups, key=lambda name: (groups[name], name))


def load_trials(path: str | Path, session: str) -> xr.DataArray:
    """Read and check the tensor of one session; raises :class:`TrialsError` if it is not there, or cannot be read."""
    import h5py

    with _readable(path), h5py.File(path, "r") as file:
        tensor = _read(file[session]) if f"{session}/response" in file else None
    if tensor is None:
        raise TrialsError(f"{path}: no session {session!r}; it holds {', '.join(session_names(path)) or 'no session'}")
    return check_trials(tensor)


def window_mean(tensor: xr.DataArray, start: float, stop: float) -> np.ndarray:
    """Return the mean response per trial and unit over the bins inside ``[start, stop)``.

    Returns
    -------
    (n_trials, n_units) float64 array, in the tensor's units; NaN where a bin was not observed.

    Raises
    ------
    TrialsError
        If no bin lies wholly inside the window.
    """
    half = float(tensor.attrs["bin_width"]) / 2
    time = tensor["time"].values
    inside = (time - half >= start - 1e-9) & (time + half <= stop + 1e-9)
    if not inside.any():
        raise TrialsError(
            f"session {tensor.attrs['session']!r}: no bin of {2 * half:g} s lies inside [{start:g}, {stop:g}) s; "
            f"the tensor spans [{time[0] - half:g}, {time[-1] + half:g}) s"
        )
    return tensor.values[:, :, inside].astype(float).mean(axis=2)


@contextmanager
def _readable(path: str | Path) -> Iterator[None]:
    """Tell in one sentence which file cannot be read."""
    try:
        yield
    except FileNotFoundError:
        raise TrialsError(f"{path}: no such file; run the workflow again to make it") from None
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise TrialsError(
            f"{path}: this file of trials is cut short or damaged ({error}); delete it and run the workflow again"
        ) from error


def _column(trials: pd.DataFrame, name: str, kind: str) -> np.ndarray:
    if name not in trials:
        return np.full(len(trials), "" if kind == "text" else np.nan, dtype=object if kind == "text" else float)
    if kind == "float":
        return trials[name].to_numpy(dtype=float, na_value=np.nan)
    return np.array(["" if pd.isna(value) else str(value) for value in trials[name]], dtype=object)


# One group of the file ------------------------------------------------------------------------


def _write(tensor: xr.DataArray, group: Any) -> None:
    """By h5netcdf itself: xarray takes twice as long for the many small variables."""
    group.dimensions = dict(tensor.sizes)
    for name, coord in tensor.coords.items():
        if coord.dtype.kind in "OU":
            _write_text(coord, group)
        else:
            group.create_variable(name, coord.dims, coord.dtype, data=coord.values).attrs.update(coord.attrs)
    packed = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "chunks": _chunks(tensor)}
    stored = packed if tensor.size and tensor.attrs["units"] == "spikes/s" else {}
    response = group.create_variable("response", DIMS, tensor.dtype, data=tensor.values, **stored)
    response.attrs.update(tensor.attrs)
    response.attrs["coordinates"] = " ".join(str(name) for name in tensor.coords if name not in DIMS)


def _write_text(coord: xr.DataArray, group: Any) -> None:
    """As netCDF's characters, which take a fraction of the space of strings of variable length."""
    encoded = np.char.encode(coord.values.astype(str), "utf-8")
    width = max(encoded.dtype.itemsize, 1)
    characters = encoded.astype(f"S{width}")[:, None].view("S1")
    if (length := f"string{width}") not in group.dimensions:
        group.dimensions[length] = width
    group.create_variable(coord.name, (*coord.dims, length), "S1", data=characters).attrs["_Encoding"] = "utf-8"


def _chunks(tensor: xr.DataArray) -> tuple[int, ...]:
    """As many whole trials as fit into 1 MB, so that compression needs little memory beside the tensor."""
    n_trials, n_units, n_times = tensor.shape
    fit = 2**20 // max(n_units * n_times * tensor.dtype.itemsize, 1)
    return min(n_trials, max(fit, 1)), n_units, n_times


def _read(group: Any) -> xr.DataArray:
    """By h5py, which takes a tenth of the time of xarray or h5netcdf."""
    coords = {
        name: (dim, _values(group[name]), _attrs(group[name], "units"))
        for name, dim in _COORD_DIMS.items()
        if name in group
    }
    response = group["response"]
    dims = [scales[0].name.rpartition("/")[2] for scales in response.dims]
    return xr.DataArray(_values(response), dims=dims, coords=coords, attrs=_attrs(response, *ATTRS), name="response")


def _values(data: Any) -> np.ndarray:
    values: np.ndarray = data.asstr()[()] if data.dtype.kind == "O" else data[()]
    return np.char.decode(values.view(f"S{values.shape[1]}")[:, 0], "utf-8") if values.dtype.kind == "S" else values


def _attrs(data: Any, *names: str) -> dict[str, Any]:
    """Attributes that are there; netCDF keeps a number as an array of one."""
    found = {name: data.attrs[name] for name in names if name in data.attrs}
    return {name: value.item() if isinstance(value, np.ndarray) else value for name, value in found.items()}
