"""Spoiled raster files: each is refused with its name, or what is written is what the file holds, and the others are converted."""

import os

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mutations import BYTES, CHANGES, in_fork, left_open, paths, spoil
from raster_files import WRITERS
from scipy.io import loadmat

from piriform.config import Response
from piriform.convert import conversion
from piriform.nwb import read_activity, read_header

N_TRIALS = 4
TEXTS = ("stimulus_category_with_probes", "stimulus_category_with_nontarg_repeats", "correct_vs_error", "lick_choice")


def contents(seed, *, day=3):
    """The raster and the labels of one unit; those of a session differ in the raster alone."""
    raster = (np.random.default_rng(seed).random((N_TRIALS, 17_000)) < 0.002).astype(np.uint8)
    return raster, {
        "mouse_name": "Q",
        "day_of_behavior": float(day),
        TEXTS[0]: ["target", "nontarget", "target", "nontarget"],
        TEXTS[1]: ["target", "nontarget nonrepeat", "target", "nontarget repeat one"],
        TEXTS[2]: ["correct", "error", "correct", ""],
        TEXTS[3]: ["right", "right", "right", "no lick"],
        "all_licks_port_one": [[700.0, 900.0], [650.5], [800.0], []],
        "all_licks_port_two": [[], [100.0], [], [200.0, 300.0]],
    }


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder of two units of a session and one of another day, and the bytes of the first unit by version."""
    folder = tmp_path_factory.mktemp("raster")
    (folder / "source").mkdir()
    WRITERS["v5"](folder / "source" / "b.mat", *contents(2))
    WRITERS["v5"](folder / "source" / "c.mat", *contents(3, day=4))
    found = {}
    for version, write in WRITERS.items():
        found[version] = write(folder / "source" / "a.mat", *contents(1)).read_bytes()
    return folder, found


# What must hold of every file -----------------------------------------------------------------


def examined(folder):
    """Convert the folder; return why the spoiled file was refused, "" if it was not."""
    spoiled, dest = folder / "source" / "a.mat", folder / "dest"
    for old in sorted(dest.rglob("*"), reverse=True):
        old.rmdir() if old.is_dir() else old.unlink()
    found = conversion("raster", folder / "source", dest, progress=lambda line: None)
    there = sorted(path for path in dest.rglob("*") if path.is_file())
    assert sorted(path for path in there if path.suffix == ".nwb") == sorted(found.files)
    assert not [path for path in there if path.name.startswith(".")], "a temporary file is left"
    assert not left_open(spoiled)
    units = {}
    for path in found.files:
        read_header(path)
        units |= sources(path)
    assert units["c.mat"] == spikes_of(contents(3, day=4)[0]), "a session beside the spoiled one has suffered"
    for one in found.refused:
        assert str(spoiled) in one.reason, one.reason
        assert len(one.reason) < 1500
    if "a.mat" in units:
        assert units["a.mat"] == spikes_of(direct_raster(spoiled)), "spikes are not those of the file"
    else:
        assert found.refused, "the file has disappeared silently"
    if "b.mat" in units:
        assert units["b.mat"] == spikes_of(contents(2)[0])
    return "; ".join(one.reason for one in found.refused)


def sources(path):
    """Spike times of each unit of a converted file by the name of its source, in ms within the session."""
    with h5py.File(path) as file:
        names = [name.decode() for name in file["units/source_file"][()]]
    found = read_activity(path, Response())
    assert not found.excluded
    return {name: np.round(1000 * times, 6).tolist() for name, times in zip(names, found.spike_times, strict=True)}


def spikes_of(raster):
    rows, columns = np.nonzero(raster)
    return (20_000 * rows + columns + 0.5).tolist()


def direct_raster(path):
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            return file["raster_data"][()].T
    raster = loadmat(path)["raster_data"]
    return raster.toarray() if hasattr(raster, "toarray") else raster


# What a writer may do to them ------------------------------------------------------------------


def cells(value):
    return [*value] if isinstance(value, list) else [value]


FIELDS = {
    "missing": None,
    "a number": lambda value: 5.0,
    "a text": lambda value: "target",
    "an empty text": lambda value: "",
    "nothing": lambda value: np.zeros((0, 0)),
    "NaN": lambda value: np.nan,
    "a fraction": lambda value: 1.5,
    "negative": lambda value: -1.0,
    "huge": lambda value: 1e300,
    "infinite": lambda value: np.inf,
    "complex": lambda value: 1 + 1j,
    "a matrix": lambda value: np.ones((3, 4)),
    "flags": lambda value: np.array([True, False, True, True]),
    "numbers in cells": lambda value: [1.0, 2.0, 3.0, 4.0],
    "texts in cells": lambda value: ["x"] * N_TRIALS,
    "empty cells": lambda value: [""] * N_TRIALS,
    "no cells": lambda value: [],
    "one cell less": lambda value: cells(value)[:-1],
    "one cell more": lambda value: [*cells(value), cells(value)[0]],
    "another order": lambda value: cells(value)[::-1],
    "NaN in a cell": lambda value: [np.nan, *cells(value)[1:]],
    "a text in a cell": lambda value: ["nontarget", *cells(value)[1:]],
    "an unknown text": lambda value: ["probes_comp_9", *cells(value)[1:]],
    "another name": lambda value: "R/../S",
    "a name with a line break": lambda value: "Q\nR",
}
RASTERS = {
    "twos": lambda r: 2 * r,
    "fractions": lambda r: 0.5 * r,
    "negative": lambda r: -1.0 * r,
    "NaN": lambda r: np.where(r, np.nan, 0.0),
    "infinite": lambda r: np.where(r, np.inf, 0.0),
    "complex": lambda r: r * 1j,
    "numbers": lambda r: r.astype(float),
    "flags": lambda r: r.astype(bool),
    "turned": lambda r: r.T,
    "a trial less": lambda r: r[:-1],
    "a trial more": lambda r: np.concatenate([r, r[:1]]),
    "a millisecond less": lambda r: r[:, :-1],
    "one trial": lambda r: r[0],
    "silent": lambda r: 0 * r,
    "empty": lambda r: r[:0],
    "of three dimensions": lambda r: np.stack([r, r], axis=2),
    "a number": lambda r: np.float64(1.0),
}


# Fuzz ---------------------------------------------------------------------------------------------

N_EXAMPLES = int(os.environ.get("PIRIFORM_FUZZ", "6"))
SEED = st.integers(0, 1000)
FUZZ = settings(
    max_examples=N_EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("version", WRITERS)
def test_a_sound_file_is_converted(study, version):
    folder, originals = study
    (folder / "source" / "a.mat").write_bytes(originals[version])
    assert examined(folder) == ""


@pytest.mark.parametrize("version", WRITERS)
def test_whatever_a_field_or_the_raster_holds(study, version):
    folder, _ = study

    @FUZZ
    @given(
        st.sampled_from(sorted(contents(1)[1])),
        st.sampled_from(sorted(FIELDS)),
        st.none() | st.sampled_from(sorted(RASTERS)),
    )
    def check(field, change, raster_change):
        raster, fields = contents(1)
        fields[field] = fields[field] if FIELDS[change] is None else FIELDS[change](fields[field])
        if FIELDS[change] is None:
            del fields[field]
        try:
            WRITERS[version](
                folder / "source" / "a.mat", RASTERS[raster_change](raster) if raster_change else raster, fields
            )
        except TypeError:  # the test's own writer knows no complex numbers
            assume(False)
        examined(folder)

    check()


def test_whatever_lies_where_it_should_not(study):
    folder, originals = study
    path = folder / "source" / "a.mat"
    path.write_bytes(originals["v7.3"])
    with h5py.File(path) as file:
        everywhere = paths(file)

    @FUZZ
    @given(st.sampled_from(everywhere), st.sampled_from(CHANGES), SEED)
    def check(where, change, seed):
        path.write_bytes(originals["v7.3"])
        with h5py.File(path, "a") as file:
            assume(spoil(file, where, change, np.random.default_rng(seed)))
        examined(folder)

    check()


@pytest.mark.parametrize("version", WRITERS)
def test_whatever_bytes_are_broken(study, version):
    folder, originals = study

    @FUZZ
    @given(st.sampled_from(sorted(BYTES)), st.floats(0, 1), SEED)
    def check(change, where, seed):
        spoiled = BYTES[change](originals[version], where, np.random.default_rng(seed))
        (folder / "source" / "a.mat").write_bytes(spoiled)
        assert not in_fork(lambda: examined(folder))

    check()


# Found by fuzzing -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["R/../S", "Q\nR"])
def test_a_mouse_whose_name_no_file_can_have(study, name):
    folder, _ = study
    raster, fields = contents(1)
    WRITERS["v5"](folder / "source" / "a.mat", raster, fields | {"mouse_name": name})
    assert "a.mat: raster_labels.mouse_name:" in examined(folder)
