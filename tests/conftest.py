"""Fixtures that several test files share: the real recordings, and small NWB files of any content."""

import os
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

# The same examples in each run, and none is refused because the machine is slow. Hypothesis would also draw numbers
# that stand in the code of whatever modules were loaded before.
if hasattr(providers, "_get_local_constants"):
    providers._get_local_constants = lambda nothing=providers._local_constants: nothing
settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_configure(config):
    """Let pynwb write its cache before several processes import it: one would read what another has half written."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        import pynwb  # noqa: F401


@pytest.fixture(scope="session")
def real_data():
    """The folder of real recordings; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("PIRIFORM_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings in {folder}; set PIRIFORM_REAL_DATA to their folder")
    return folder


@pytest.fixture
def piriform(monkeypatch, capsys):
    """Run the command line in this process; return its exit code, and what it said and complained."""

    from piriform import cli

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["piriform", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def make_nwb(tmp_path):
    """A function that writes what it is given into an NWB file, sound or not, and returns its path."""

    def write(name="a.nwb", **content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _write(path, **content)
        return path

    return write


@pytest.fixture
def sound_trials():
    """Forty trials, target and nontarget in turn, one every 5 s; the animal is always right."""
    start = np.arange(40) * 5.0
    kind = np.where(np.arange(40) % 2, "nontarget", "target")
    return pd.DataFrame(
        {
            "start_time": start,
            "stop_time": start + 4,
            "odor_onset_time": start + 1,
            "odor": np.where(kind == "target", "ABC", "DEF"),
            "trial_type": kind,
            "choice": np.where(kind == "target", "right", "left"),
            "correct": True,
            "response_time": start + 1.8,
        }
    )


def _write(
    path, *, subject="Q", session="ses-01", start=None, identifier=None, trials=None, table="trials", spikes=None,
    ids=None, units=None, obs_intervals=None, rois=None, timestamps=None, rate=None, series=("RoiResponseSeries",),
    roi_columns=None,
):  # fmt: skip
    from hdmf.common import VectorData
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.epoch import TimeIntervals
    from pynwb.file import Subject

    file = NWBFile(
        session_description="made for a test",
        identifier=identifier or f"{subject}/{session}/{path.name}",
        session_start_time=start or datetime(2024, 1, 1, 9, tzinfo=UTC),
        session_id=session,
        subject=subject and Subject(subject_id=subject, species="Mus musculus", sex="U", age="P60D"),
    )
    if trials is not None:
        columns = [VectorData(name=name, description=name, data=trials[name].to_list()) for name in trials]
        intervals = TimeIntervals(name=table, description="trials", columns=columns)
        file.add_time_intervals(intervals) if table != "trials" else setattr(file, "trials", intervals)
    for name in units if units is not None else []:
        file.add_unit_column(name=name, description=name)
    for row, times in enumerate(spikes if spikes is not None else []):
        more = {} if obs_intervals is None else {"obs_intervals": obs_intervals[row]}
        more |= {} if units is None else {name: units[name].iloc[row] for name in units}
        file.add_unit(spike_times=times, id=row if ids is None else ids[row], **more)
    if rois is not None:
        _add_rois(file, np.asarray(rois), timestamps, rate, series, roi_columns)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)


def _add_rois(file, rois, timestamps, rate, series, columns):
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, OpticalChannel

    plane = file.create_imaging_plane(
        name="plane", description="plane", device=file.create_device(name="microscope"), indicator="GCaMP6f",
        optical_channel=OpticalChannel(name="channel", description="green", emission_lambda=520.0),
        excitation_lambda=920.0, location="PCx",
    )  # fmt: skip
    module = file.create_processing_module("ophys", "calcium imaging")
    segmentation = ImageSegmentation()
    module.add(segmentation)
    regions = segmentation.create_plane_segmentation(name="regions", description="regions", imaging_plane=plane)
    n_rois = rois.shape[1] if rois.ndim == 2 else 1
    for row in range(n_rois):
        regions.add_roi(pixel_mask=[(row, 0, 1.0)], id=100 + row)
    for name in columns if columns is not None else []:
        regions.add_column(name=name, description=name, data=list(columns[name]))
    clock = {"timestamps": timestamps} if rate is None else {"starting_time": 1.0, "rate": rate}
    for number, name in enumerate(series):
        container = (DfOverF, Fluorescence)[number % 2](name=f"{('DfOverF', 'Fluorescence')[number % 2]}{number}")
        module.add(container)
        region = regions.create_roi_table_region(region=list(range(n_rois)), description="all")
        container.create_roi_response_series(name=name, data=rois + number, unit="n.a.", rois=region, **clock)
