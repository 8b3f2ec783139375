"""Published per-unit raster files, written from simulated sessions as the format's description says."""

from dataclasses import replace

import h5py
import numpy as np
from scipy.io import savemat

from piriform.simulate import scenario_truth, simulate_session, study_courses

ONSET, N_COLUMNS = 5000, 17_000  # ms
TICKS = 30  # samples of the simulator per ms
NUMBERS = ("one", "two", "three")
TRAINING = "raster_during_training_Odor_aligned"
PROBES = "raster_probes_training_Odor_aligned"


SMALL = {
    "units_start": 5, "units_end": 5, "units_sd": 0, "trials_start": 40, "trials_end": 40, "training_days": 1,
    "probe_every": 1, "probe_trials": 3, "no_choice": 0.1,
}  # fmt: skip


def simulated(*, days=2, seed=5, **parameters):
    """The recordings of one simulated subject: a day of training, then overtraining with repeats and probes."""
    truth = scenario_truth("growth", SMALL | parameters)
    (course,) = study_courses(truth, subjects=1, days=days, seed=seed).values()
    return [_in_milliseconds(simulate_session(truth, session, seed=seed)) for session in course]


def _in_milliseconds(recording):
    """A unit fires at most once in a millisecond from odour onset, as in a raster of zeros and ones."""
    onset, start = (np.round(1000 * TICKS * recording.trials[name]) for name in ("odor_onset_time", "start_time"))
    spikes = []
    for times in recording.spike_times:
        ticks = np.round(1000 * TICKS * times)
        trial = np.searchsorted(start, ticks, side="right") - 1
        places = np.stack([trial, (ticks - onset.to_numpy()[trial]) // TICKS])
        spikes.append(times[np.sort(np.unique(places, axis=1, return_index=True)[1])])
    return replace(recording, spike_times=spikes)


def rasters(recording):
    """(n_trials, 17000) zeros and ones per unit: the milliseconds around odour onset in which it fires."""
    onset = np.round(1000 * TICKS * recording.trials["odor_onset_time"].to_numpy()).astype(int)
    for times in recording.spike_times:
        ticks = np.round(1000 * TICKS * times).astype(int)
        raster = np.zeros((len(onset), N_COLUMNS), dtype=np.uint8)
        for trial, start in enumerate(onset):
            columns = (ticks - start) // TICKS + ONSET
            raster[trial, columns[(columns >= 0) & (columns < N_COLUMNS)]] = 1
        yield raster


def labels(recording, *, day):
    """The fields of ``raster_labels``; a list is a cell array."""
    trials = recording.trials
    onset = trials["odor_onset_time"].to_numpy()
    bounds = np.append(trials["start_time"].to_numpy(), trials["stop_time"].to_numpy()[-1])
    return {
        "mouse_name": recording.subject,
        "day_of_behavior": float(day),
        "stimulus_category_with_probes": [_with_probes(name) for name in trials["trial_type"]],
        "stimulus_category_with_nontarg_repeats": [_with_repeats(name) for name in trials["trial_type"]],
        "correct_vs_error": ["correct" if right else "error" for right in trials["correct"]],
        "lick_choice": trials["choice"].tolist(),
        "all_licks_port_one": _by_trial(recording.events["lick_port_1"], onset, bounds),
        "all_licks_port_two": _by_trial(recording.events["lick_port_2"], onset, bounds),
    }


def _with_probes(name):
    return f"probes_comp_{name[-1]}" if name.startswith("probe") else name.split("_")[0]


def _with_repeats(name):
    if name == "target":
        return name
    return f"nontarget repeat {NUMBERS[int(name[-1]) - 1]}" if "repeat" in name else "nontarget nonrepeat"


def _by_trial(licks, onset, bounds):
    """Licks of each trial in ms from its odour onset; no lick is an empty cell."""
    return [
        np.round(1000 * (licks[(licks >= first) & (licks < last)] - at), 1)
        for at, first, last in zip(onset, bounds[:-1], bounds[1:], strict=True)
    ]


def write_v5(path, raster, fields):
    """MATLAB v5; a list becomes a 1 x n cell array, an empty text or array an empty cell."""
    record = {name: _cell(value) if isinstance(value, list) else value for name, value in fields.items()}
    savemat(path, {"raster_data": raster, "raster_labels": record}, do_compression=True, long_field_names=True)
    return path


def _cell(values):
    cells = np.empty((1, len(values)), dtype=object)
    for position, value in enumerate(values):
        cells[0, position] = np.zeros((0, 0)) if _is_empty(value) else value
    return cells


def _is_empty(value):
    return not value if isinstance(value, str) else not np.size(value)


def write_v73(path, raster, fields):
    """MATLAB v7.3: HDF5 behind a block of 512 bytes, dimensions reversed, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        data = file.create_dataset("raster_data", data=np.asarray(raster).T, compression="gzip")
        data.attrs["MATLAB_class"] = np.bytes_("double")
        group, store = file.create_group("raster_labels"), file.create_group("#refs#")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for name, value in fields.items():
            if not isinstance(value, list):
                _put(group, name, value)
                continue
            references = np.empty((len(value), 1), dtype=h5py.ref_dtype)
            for position, cell in enumerate(value):
                references[position, 0] = _put(store, f"{name}_{position}", cell).ref
            group.create_dataset(name, data=references, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def _put(group, name, value):
    kind = "char" if isinstance(value, str) else "double"
    if _is_empty(value):
        dataset = group.create_dataset(name, data=np.zeros(2, dtype=np.uint64))
        dataset.attrs["MATLAB_empty"] = np.uint8(1)
    elif kind == "char":
        dataset = group.create_dataset(name, data=np.array([[ord(letter)] for letter in value], dtype=np.uint16))
    else:
        dataset = group.create_dataset(name, data=np.atleast_2d(np.asarray(value, dtype=float)).T)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    return dataset


WRITERS = {"v5": write_v5, "v7.3": write_v73}


def write_session(folder, recording, *, day, version="v5", change=None, first=1):
    """Write one file per unit into ``folder``; ``change(unit, raster, fields)`` returns what is written instead."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for unit, raster in enumerate(rasters(recording)):
        fields = labels(recording, day=day)
        if change is not None:
            raster, fields = change(unit, raster, fields)
        name = f"raster_{recording.subject}_{day:02d}_unit{first + unit:04d}.mat"
        paths.append(WRITERS[version](folder / name, raster, fields))
    return paths
