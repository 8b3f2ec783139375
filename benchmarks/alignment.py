"""How fast are sessions aligned, and how much memory does it take? Prints the tables of docs/alignment.md and writes them.

``python -m benchmarks.alignment`` takes about 10 minutes on one core; ``--quick`` takes a minute, and writes nothing.
Every run is a process of its own, in which BLAS, OpenMP and numba have one thread; in each round all methods take turns.
"""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import aligners, report
from benchmarks.footprint import ROOT, one_thread, peak_memory

PAGE = ROOT / "docs" / "alignment.md"
#: Units, spikes in total, trials; and how many units a method gets that is too slow for all.
SIZES: dict[str, tuple[int, int, int]] = {
    "small": (20, 200_000, 200),
    "medium": (200, 2_000_000, 500),
    "large": (1000, 10_000_000, 1000),
}
FEW = {
    "np.histogram per unit and trial": {"small": 20, "medium": 20, "large": 10},
    "pynapple compute_perievent": {"small": 20, "medium": 8, "large": 4},
}
BASELINE = "piriform align_spikes"
#: Traces: ROIs, frames, frames per s, trials.
IMAGING, BIN_TRACES = (1000, 40_000, 30.0, 200), 0.1
N_ROUNDS = 3


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small session only, once; nothing is written")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the tables")
    chosen = parser.parse_args()
    parts = measured(quick=chosen.quick)
    if not chosen.quick:
        chosen.page.write_text(report.placed(chosen.page.read_text(), parts))
        print(f"\nwritten to {chosen.page}")


def measured(*, quick: bool) -> dict[str, str]:
    """Return the text of each part of the page."""
    start, sizes, n_rounds = time.perf_counter(), list(SIZES)[: 1 if quick else None], 1 if quick else N_ROUNDS
    parts = {"machine": _shown("machine", report.machine())}
    for size in sizes:
        parts[size] = _shown(size, _spikes(size, n_rounds))
    parts["path"] = _shown("path", _paths(sizes, n_rounds))
    parts["traces"] = _shown("traces", _traces(n_rounds, quick))
    parts["took"] = _shown("took", f"The run took {report.duration(time.perf_counter() - start)}.")
    return parts


def _shown(name: str, text: str) -> str:
    print(f"\n== {name}\n{text}", flush=True)
    return text


# Tables -----------------------------------------------------------------------------------------


def _spikes(size: str, n_rounds: int) -> str:
    n_units = SIZES[size][0]
    few = {name: FEW.get(name, {}).get(size, n_units) for name in aligners.SPIKES}
    rounds = [{name: in_child("_aligned", name, size, few[name]) for name in few} for _ in range(n_rounds)]
    lines = []
    for name in few:
        runs = [one[name] for one in rounds]
        cpu = [run["cpu"] * n_units / few[name] for run in runs]
        ratio = [seconds / one[BASELINE]["cpu"] for seconds, one in zip(cpu, rounds, strict=True)]
        lines.append(
            [
                name,
                _ranged(cpu) + ("" if few[name] == n_units else " (scaled)"),
                _ranged(ratio),
                _ranged([run["peak"] / run["output"] for run in runs]),
                str(few[name]),
                report.number(1e6 * runs[0]["misplaced"] / runs[0]["n_spikes"]),
            ]
        )
    header = ["", "CPU-s (range)", "ratio (range)", "memory / output (range)", "units run", "misplaced per million"]
    return report.table(header, lines)


def _paths(sizes: list[str], n_rounds: int) -> str:
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        in_child("_write", "tiny", f"{folder}/tiny.nwb")
        for size in sizes:
            path = Path(folder) / f"{size}.nwb"
            in_child("_write", size, str(path))
            for name, call in (("no unit left out", "_path"), ("a tenth of the units left out", "_path_with_silent")):
                runs = [in_child(call, str(path)) for _ in range(n_rounds)]
                cpu, wall = (_ranged([run[key] for run in runs]) for key in ("cpu", "wall"))
                memory = _ranged([run["peak"] / run["output"] for run in runs])
                output = report.number(runs[0]["output"] / 1e6)
                lines.append([f"{size}, {name}", output, cpu, wall, memory])
    return report.table(["", "tensor, MB", "CPU-s (range)", "s (range)", "memory / tensor (range)"], lines)


def _traces(n_rounds: int, quick: bool) -> str:
    n_rois = 50 if quick else IMAGING[0]
    rounds = [{name: in_child("_averaged", name, n_rois) for name in aligners.TRACES} for _ in range(n_rounds)]
    first, lines = next(iter(aligners.TRACES)), []
    for name in aligners.TRACES:
        runs = [one[name] for one in rounds]
        cpu = [run["cpu"] for run in runs]
        ratio = [run["cpu"] / one[first]["cpu"] for run, one in zip(runs, rounds, strict=True)]
        memory = [(run["input"] + run["peak"]) / (run["input"] + run["output"]) for run in runs]
        lines.append([name, _ranged(cpu), _ranged(ratio), _ranged(memory)])
    return report.table(["", "CPU-s (range)", "ratio (range)", "memory / (input + output) (range)"], lines)


def _ranged(values: list[float]) -> str:
    """Median, least and most.

    Examples
    --------
    >>> _ranged([3.0, 1.0, 2.0])
    '2.00 (1.00-3.00)'
    """
    return f"{report.number(float(np.median(values)))} ({report.number(min(values))}-{report.number(max(values))})"


# Runs, each in a process of its own ---------------------------------------------------------------


def in_child(name: str, *arguments: Any) -> dict[str, float]:
    """Return what a function of this module returns in a new process with one thread."""
    code = (
        f"import json; from benchmarks import alignment; "
        f"print(json.dumps(alignment.{name}(*json.loads({json.dumps(json.dumps(arguments))}))))"
    )
    environment = {**os.environ, **one_thread(), "NUMBA_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name}{arguments} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def cost(call: Callable[[], Any], n_bytes: int) -> tuple[dict[str, float], Any]:
    """Return seconds, CPU-seconds and peak memory (bytes beyond what was there before) of a call, and its result.

    Memory of five times ``n_bytes`` is filled and given back first: a virtual machine may take far longer for what it
    hands out for the first time, which says nothing of the call.
    """
    np.ones(5 * n_bytes, dtype=np.uint8)
    gc.collect()
    _give_back()
    before = _memory(reset=True)
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": _memory() - before}, result


def _give_back() -> None:
    """Hand free memory of the heap back to the system; what a call takes from it would not be seen as taken."""
    with contextlib.suppress(OSError, AttributeError):  # glibc's own
        ctypes.CDLL(None).malloc_trim(0)


def _memory(*, reset: bool = False) -> int:
    """Peak resident memory of this process, bytes; on Linux ``reset`` makes it start from now."""
    clear = Path("/proc/self/clear_refs")
    if reset and clear.exists():
        clear.write_text("5")
    return peak_memory()


def _aligned(name: str, size: str, n_units: int) -> dict[str, float]:
    align, _ = aligners.SPIKES[name]
    small = aligners.session(2, 2000, 20)
    align(small.spikes, small.events, small.duration)  # imports and compiles
    one = aligners.session(*SIZES[size], only=n_units)
    spikes, events = one.spikes, one.events
    output = 4 * len(events) * n_units * aligners.N_BINS
    found, tensor = cost(lambda: align(spikes, events, one.duration), output)
    n_spikes = int(aligners.right_counts(one).sum())
    return found | {"output": output, "n_spikes": n_spikes, "misplaced": aligners.n_misplaced(name, tensor, one)}


def _write(size: str, path: str) -> dict[str, float]:
    """Write the session as NWB; every tenth unit fires outside the windows only."""
    from datetime import UTC, datetime

    import pandas as pd

    from piriform.nwb_writer import Recording, write_recording

    one = aligners.session(*SIZES.get(size, (5, 5000, 40)))
    start = aligners.TRIAL_EVERY * np.arange(len(one.events), dtype=float)
    kind = np.where(np.arange(len(start)) % 2, "nontarget", "target")
    trials = pd.DataFrame({"start_time": start, "stop_time": start + 5.9, "odor_onset_time": one.events})
    trials = trials.assign(odor=kind, trial_type=kind, choice="left", correct=True, response_time=one.events + 1)
    quiet = [np.sort(start.repeat(10) + np.tile(np.arange(10) / 100, len(start)))] * len(one.spikes)
    spikes = [
        silent if unit % 10 == 9 else times for unit, (times, silent) in enumerate(zip(one.spikes, quiet, strict=True))
    ]
    for file, trains in ((path, one.spikes), (path.replace(".nwb", "-silent.nwb"), spikes)):
        made = Recording(
            subject="Q", session="1", start=datetime(2024, 1, 1, tzinfo=UTC), description="made for a benchmark",
            trials=trials, column_meanings={name: name for name in trials}, spike_times=trains,
            spike_resolution=1 / aligners.CLOCK,
        )  # fmt: skip
        write_recording(made, file)
    return {}


def _path_with_silent(path: str) -> dict[str, float]:
    return _path(path.replace(".nwb", "-silent.nwb"))


def _path(path: str) -> dict[str, float]:
    """Cost of a session from the NWB file to the file of tensors, as in the workflow's job."""
    from piriform import config
    from piriform.prepare import session_tensor, subject_sessions
    from piriform.study import index_study
    from piriform.trials import save_trials

    classes = config.Classes(target=["target"], nontarget=["nontarget"])
    response = config.Response(window=aligners.WINDOW, bin=aligners.BIN)
    sizes = []

    def run(file: Path) -> None:
        index = index_study([file])
        parts = {"trials": config.Trials(), "phases": config.Phases(), "plateau": config.Plateau()}
        (session,), _ = subject_sessions(index, classes=classes, **parts)
        row, tensor = session_tensor(session, response=response, classes=classes, inclusion=config.Inclusion())
        if tensor is None:
            raise RuntimeError(row["reason"])
        save_trials([tensor], file.with_suffix(".nc"))
        sizes.append(tensor.nbytes)

    run(Path(path).with_name("tiny.nwb"))  # imports
    found, _ = cost(lambda: run(Path(path)), 6 * Path(path).stat().st_size)
    return found | {"output": sizes[-1]}


def _averaged(name: str, n_rois: int) -> dict[str, float]:
    """Cost of averaging traces of which 1 sample in 20 is missing."""
    _, n_times, frame_rate, n_trials = IMAGING
    rng = np.random.default_rng(0)
    data = rng.standard_normal((n_times, n_rois))
    data[::20] = np.nan
    times = np.arange(n_times) / frame_rate
    events = np.linspace(5, times[-1] - 5, n_trials)
    average = aligners.TRACES[name]
    average(data[:, :2], times, events[:2], BIN_TRACES)
    found, means = cost(lambda: average(data, times, events, BIN_TRACES), data.nbytes)
    return found | {"input": data.nbytes, "output": means.nbytes}


if __name__ == "__main__":
    main()
