"""How do the spike rasters of Iurilli & Datta (2017) become NWB?

The source is one MATLAB file per region and stimulus set, with the struct array
``espe(experiment).shank(k).SUA.cell(c).odor(o).spikeMatrix``: sparse, trials x milliseconds, the
odour's first inhalation at 4000 ms. It holds neither dates, subjects, names of the odours, nor the
order of the trials; what stands for them here says so in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from piriform.convert.source import Progress, Session, sessions_of_files, source_files
from piriform.errors import StudyError
from piriform.nwb_writer import Recording

DESCRIPTION = "spike rasters of Iurilli & Datta 2017 (MATLAB, struct `espe`): 1 kHz, passive odours, no behaviour"

RESOLUTION = 0.001  # s, one column of a raster
N_COLUMNS = 10_000  # columns of a raster: 10 s
ODOR_ON = 4.0  # s from the start of a trial
ODOR_DURATION = 2.0  # s
TRIAL_EVERY = 12.0  # s; the pause between trials is not in the source
START = datetime(2000, 1, 1, tzinfo=UTC)  # the dates are not in the source

TRIAL_MEANINGS = {
    "odor_onset_time": "first inhalation after the odour valve opened, s from the session's start",
    "odor_offset_time": "end of the odour, 2 s after its onset, s from the session's start",
    "odor": "number of the odour in the source file; the file does not name it",
    "trial_type": "odor: all trials are of one type",
    "repetition": "number of the trial among the trials of this odour, as stored in the source file",
}
#: Fields of a cell that are kept where all units of a recording have one number: name and meaning.
QUALITY = {
    "good": ("good", "1: the authors' flag for a well isolated unit"),
    "spikeSNR": ("spike_snr", "signal-to-noise ratio of the spikes, from the source"),
    "isolationDistance": ("isolation_distance", "isolation distance of the cluster, from the source"),
    "L_Ratio": ("l_ratio", "L-ratio of the cluster, from the source"),
}
UNIT_MEANINGS = {
    "shank": "number of the shank in the source file",
    "cell": "number of the unit on its shank in the source file",
} | dict(QUALITY.values())
ABOUT = {
    "experiment_description": "Passive presentation of odours to mice, single units of olfactory cortex.",
    "related_publications": "doi:10.1016/j.neuron.2017.02.010",
    "keywords": ["odor", "olfactory cortex", "single units"],
    "stimulus_notes": (
        "The source does not store the order of the odours: trials are laid out repetition by repetition, within "
        f"each in the order of the odours' numbers, {TRIAL_EVERY:g} s apart. Do not read drift or trial history from it."
    ),
    "notes": "The source does not store the date: the session's start is a placeholder.",
}
ANIMAL = {
    "species": "Mus musculus",
    "description": "The source does not say which animal was recorded; each recording stands as a subject of its own.",
}


@dataclass(frozen=True)
class Cell:
    """One unit: where it is in the file, its rasters by odour, its quality measures."""

    where: str
    shank: int
    number: int
    rasters: list[Any]
    quality: dict[str, float]


def sessions(source: Path, *, progress: Progress = print) -> Iterator[Session]:
    """Return one session per recording of each ``.mat`` file.

    ``espe(3)`` of ``aPCx_15.mat`` becomes subject ``aPCx_15-exp03``, session ``exp03``: which animal it
    was is not in the source. A spike in column ``k`` (from 0) of a raster is written at
    ``k + 0.5`` ms of its trial; ``obs_intervals`` are the trials.

    Raises
    ------
    StudyError
        If there is no such file. Reading a session raises it if the file is not one of these, or
        units of a recording disagree on their trials; the message names the file and the path inside it.
    """
    return sessions_of_files(source_files(source, ".mat"), _sessions)


def _sessions(path: Path) -> list[Session]:
    return [
        Session(f"{path}: espe({number})", partial(_recording, experiment, path, number), [path])
        for number, experiment in enumerate(_experiments(path), start=1)
    ]


def _experiments(path: Path) -> list[Any]:
    """Elements of the struct array ``espe``."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=["espe"])
    except NotImplementedError:
        raise StudyError(f"{path}: MATLAB v7.3 file; save it again with save(..., '-v7')") from None
    except Exception as error:
        raise StudyError(
            f"{path}: not a readable MATLAB v5 file, it may be truncated ({type(error).__name__}: {error})"
        ) from error
    if "espe" not in content:
        raise StudyError(f"{path}: no variable 'espe'; expected the struct array espe(experiment).shank(k).SUA...")
    return _elements(content["espe"], f"{path}: espe")


def _cells(experiment: Any, where: str) -> list[Cell]:
    """Units of a recording, shank by shank."""
    shanks = _elements(_field(experiment, "shank", where), f"{where}.shank")
    return [
        _cell(cell, f"{where}.shank({shank}).SUA.cell({number})", shank, number)
        for shank, record in enumerate(shanks, start=1)
        for number, cell in enumerate(_shank_cells(record, f"{where}.shank({shank})"), start=1)
    ]


def _shank_cells(shank: Any, where: str) -> list[Any]:
    """Units of a shank as stored; one without units has an empty ``SUA``."""
    sua = _field(shank, "SUA", where)
    groups = _elements(sua, f"{where}.SUA") if np.size(sua) else []
    stored = [_field(group, "cell", f"{where}.SUA") for group in groups]
    return [cell for cells in stored if np.size(cells) for cell in _elements(cells, f"{where}.SUA.cell")]


def _cell(cell: Any, where: str, shank: int, number: int) -> Cell:
    odors = _elements(_field(cell, "odor", where), f"{where}.odor")
    rasters = [
        _raster(_field(odor, "spikeMatrix", f"{where}.odor({index})"), f"{where}.odor({index}).spikeMatrix")
        for index, odor in enumerate(odors, start=1)
    ]
    numbers = {name: np.ravel(cell[source]) for source, (name, _) in QUALITY.items() if source in cell.dtype.names}
    quality = {
        name: float(value[0]) for name, value in numbers.items() if value.size == 1 and value.dtype.kind in "biuf"
    }
    return Cell(where, shank, number, rasters, quality)


def _raster(matrix: Any, where: str) -> Any:
    """Spike counts as a sparse (n_trials, N_COLUMNS) array in coordinates."""
    from scipy.sparse import coo_array

    if np.ndim(matrix) != 2 or matrix.shape[1] != N_COLUMNS or not matrix.shape[0]:
        raise StudyError(f"{where}: shape {np.shape(matrix)}, expected trials x {N_COLUMNS} ms")
    if matrix.dtype.kind not in "biuf":
        raise StudyError(f"{where}: holds {matrix.dtype}, expected spike counts")
    raster = coo_array(matrix)
    counts = raster.data.astype(float)
    if not np.all((counts >= 0) & (counts == np.round(counts))):
        raise StudyError(f"{where}: holds values that are not spike counts (whole numbers, 0 or more)")
    return raster


def _recording(experiment: Any, path: Path, number: int) -> Recording | None:
    cells = _cells(experiment, f"{path}: espe({number})")
    if not cells:
        return None
    n_repetitions = _n_repetitions(cells)
    trials = _trials(n_repetitions)
    row_of = trials.reset_index().pivot(index="odor", columns="repetition", values="index").to_numpy()
    return Recording(
        subject=f"{path.stem}-exp{number:02d}",
        session=f"exp{number:02d}",
        start=START,
        description=f"Recording {number} of {path.name}: passive odours, {len(n_repetitions)} of them.",
        trials=trials,
        column_meanings=TRIAL_MEANINGS,
        spike_times=[_spike_times(cell.rasters, row_of) for cell in cells],
        spike_resolution=RESOLUTION,
        units=_units(cells),
        unit_meanings=UNIT_MEANINGS,
        obs_intervals=trials[["start_time", "stop_time"]].to_numpy(),
        about=ABOUT,
        animal=ANIMAL,
    )


def _n_repetitions(cells: list[Cell]) -> list[int]:
    """Trials per odour, on which all units must agree."""
    expected = [raster.shape[0] for raster in cells[0].rasters]
    for cell in cells[1:]:
        found = [raster.shape[0] for raster in cell.rasters]
        if found != expected:
            raise StudyError(
                f"{cell.where}: trials per odour are {found}, but {expected} in {cells[0].where}; "
                "all units of a recording must have the same trials"
            )
    return expected


def _trials(n_repetitions: list[int]) -> pd.DataFrame:
    """Trials in the order repetition, odour; one row each."""
    order = [
        (odor, repetition)
        for repetition in range(1, max(n_repetitions) + 1)
        for odor, n_trials in enumerate(n_repetitions, start=1)
        if repetition <= n_trials
    ]
    start = TRIAL_EVERY * np.arange(len(order))
    return pd.DataFrame(
        {
            "start_time": start,
            "stop_time": start + RESOLUTION * N_COLUMNS,
            "odor_onset_time": start + ODOR_ON,
            "odor_offset_time": start + ODOR_ON + ODOR_DURATION,
            "odor": [f"odor{odor:02d}" for odor, _ in order],
            "trial_type": "odor",
            "repetition": [repetition for _, repetition in order],
        }
    )


def _spike_times(rasters: list[Any], row_of: np.ndarray) -> np.ndarray:
    """Times of one unit's spikes in s, ascending; ``row_of[odor, repetition]`` is the trial's row."""
    times = [
        np.repeat(
            TRIAL_EVERY * row_of[odor, raster.row] + RESOLUTION * (raster.col + 0.5), raster.data.astype(np.int64)
        )
        for odor, raster in enumerate(rasters)
    ]
    return np.sort(np.concatenate(times))


def _units(cells: list[Cell]) -> pd.DataFrame:
    table = pd.DataFrame({"shank": [cell.shank for cell in cells], "cell": [cell.number for cell in cells]})
    for name, _ in QUALITY.values():
        if all(name in cell.quality for cell in cells):
            table[name] = [cell.quality[name] for cell in cells]
    return table


def _elements(array: Any, where: str) -> list[Any]:
    """Elements of a MATLAB struct array."""
    if getattr(array, "dtype", None) is None or array.dtype.names is None or not array.size:
        raise StudyError(f"{where}: expected a struct array with elements, got {_kind(array)}")
    return list(array.ravel())


def _field(record: Any, name: str, where: str) -> Any:
    if name not in record.dtype.names:
        raise StudyError(f"{where}: no field {name!r}; it has {', '.join(record.dtype.names) or 'none'}")
    return record[name]


def _kind(array: Any) -> str:
    return f"{array.dtype} values of shape {array.shape}" if hasattr(array, "dtype") else type(array).__name__
