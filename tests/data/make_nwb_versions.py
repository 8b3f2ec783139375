"""How do files look that were written in each version of the NWB schema?

``python make_nwb_versions.py FOLDER`` writes one small file with the pynwb that is installed, of the
same content whatever its version; ``python make_nwb_versions.py --pack FOLDER nwb_versions.tar.xz``
packs the files of a folder. The files in ``nwb_versions.tar.xz`` were written with Python 3.11 by
(pynwb: schema) 1.0.3: 2.0.2, 1.1.0: 2.1.0, 1.4.0: 2.2.5, 1.5.1: 2.3.0, 2.0.1: 2.4.0, 2.2.0: 2.5.0,
2.5.0: 2.6.0-alpha, 2.8.3: 2.7.0, 3.0.0: 2.8.0, 3.1.0: 2.9.0, each in an environment of its own; the
newest version is written by the test itself. pynwb up to 2.0 and 2.5.0 need packages of their time:
numpy 1.23.5, pandas 1.5.3, h5py 3.8.0, scipy 1.10.1, ruamel.yaml 0.17.21, and hdmf 1.1.2 (for
1.0.3), 1.2.0, 2.2.0, 2.5.8, 3.3.2, 3.11.0 (2.5.0); 2.8.3 needs hdmf 3.14.5.
"""

import sys
import tarfile
import warnings
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

N_TRIALS = 20
N_UNITS = 3
N_FRAMES = 200


def trial(number):
    """The values of one trial: odour A and B in turn, one every 5 s; every fifth answer is wrong."""
    start = 5.0 * number
    return {
        "start_time": start,
        "stop_time": start + 4.0,
        "odor_onset_time": start + 1.0,
        "odor": "AB"[number % 2],
        "trial_type": ("target", "nontarget")[number % 2],
        "choice": ("right", "left")[number % 2],
        "correct": number % 5 != 4,
        "response_time": start + 1.8,
    }


def spike_times(unit):
    """One spike every half second from 0.1 s (unit 0), 0.2 s, 0.3 s."""
    return 0.1 * (unit + 1) + 0.5 * np.arange(2 * 5 * N_TRIALS - 1)


def traces():
    """(n_times, 3) array: frame number plus a thousand per ROI; the tenth frame is missing."""
    data = np.arange(N_FRAMES, dtype=float)[:, np.newaxis] + 1000 * np.arange(N_UNITS)
    data[10] = np.nan
    return data


def write(path):
    """Write the file with the pynwb that is installed."""
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    file = NWBFile(
        session_description="same content in every version",
        identifier="versions",
        session_start_time=datetime(2024, 1, 1, 9, tzinfo=timezone.utc),  # noqa: UP017 # as old Pythons write it
        session_id="day-01",
        subject=Subject(subject_id="Q", species="Mus musculus", sex="U", age="P60D"),
    )
    for name in list(trial(0))[2:]:
        file.add_trial_column(name=name, description=name)
    for number in range(N_TRIALS):
        file.add_trial(**trial(number))
    add_units(file)
    add_rois(file)
    with NWBHDF5IO(str(path), "w") as io:
        io.write(file)


def add_units(file):
    """Three units, the last without electrodes; each observed for 100 s."""
    probe = file.create_device(name="probe")
    group = file.create_electrode_group(name="tetrode", description="tetrode", location="PIR", device=probe)
    for row, place in enumerate(("PIR", "PIR", "APC")):
        where = dict.fromkeys("xyz", float(row))
        file.add_electrode(imp=1.0, location=place, filtering="none", group=group, **where)
    file.add_unit_column(name="quality", description="quality")
    for unit, electrodes in enumerate(([0, 1], [1, 2], [])):
        file.add_unit(
            spike_times=spike_times(unit),
            obs_intervals=[[0.0, 100.0]],
            electrodes=electrodes,
            quality=("good", "good", "mua")[unit],
            id=10 + unit,
        )


def add_rois(file):
    """Three ROIs, 2 frames/s from 1 s on, dF/F."""
    from pynwb.ophys import DfOverF, ImageSegmentation, OpticalChannel

    channel = OpticalChannel(name="channel", description="green", emission_lambda=520.0)
    plane = file.create_imaging_plane(
        name="plane", optical_channel=channel, description="plane", device=file.create_device(name="microscope"),
        excitation_lambda=920.0, imaging_rate=2.0, indicator="GCaMP6f", location="PIR",
    )  # fmt: skip
    module = file.create_processing_module("ophys", "calcium imaging")
    segmentation, dff = ImageSegmentation(), DfOverF()
    add = getattr(module, "add", None) or module.add_data_interface
    add(segmentation)
    add(dff)
    regions = segmentation.create_plane_segmentation("regions", plane, "regions")
    for row in range(N_UNITS):
        regions.add_roi(pixel_mask=[(row, 0, 1.0)], id=100 + row)
    rois = regions.create_roi_table_region("all", region=list(range(N_UNITS)))
    dff.create_roi_response_series(
        name="RoiResponseSeries", data=traces(), rois=rois, unit="n.a.", rate=2.0, starting_time=1.0
    )


def write_text_attributes():
    """Let h5py 3 take arrays of text as attributes, which hdmf before 3 hands to it as h5py 2 took them."""
    import h5py

    create = h5py.AttributeManager.create

    def create_text(self, name, data, shape=None, dtype=None):
        if isinstance(data, (list, tuple, np.ndarray)) and np.asarray(data).dtype.kind == "U":
            data, dtype = np.asarray(data, dtype=object), h5py.string_dtype()
        create(self, name, data, shape=shape, dtype=dtype)

    h5py.AttributeManager.create = create_text


def main(arguments):
    if arguments[0] == "--pack":
        folder, archive = map(Path, arguments[1:])
        with tarfile.open(str(archive), "w:xz", preset=9) as packed:
            for path in sorted(folder.glob("*.nwb")):
                packed.add(path, arcname=path.name)
        return
    import pynwb

    version = pynwb.get_manager().namespace_catalog.get_namespace("core")["version"]
    if pynwb.__version__.startswith("1."):
        write_text_attributes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(Path(arguments[0]) / f"schema-{version}_pynwb-{pynwb.__version__}.nwb")


if __name__ == "__main__":
    main(sys.argv[1:])
