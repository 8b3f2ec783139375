"""What do a start, a permutation test and a whole session cost in time and memory? Each in a process of its own."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
START = """
import numpy as np
from piriform import solvers
X = np.random.default_rng(0).standard_normal((40, 5))
labels, folds = np.tile([1, -1], 20), np.arange(40) // 8
solvers.heldout(X, labels, folds, solver="{solver}")
"""
#: The session: trials, units, time bins.
SESSION = (1000, 1000, 100)


def start_up(solver: str, cache: str) -> tuple[float, float]:
    """Return wall and CPU seconds of a new Python up to the end of its first call, with machine code in ``cache``."""
    environment = {**os.environ, **one_thread(), "NUMBA_CACHE_DIR": cache}
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", START.format(solver=solver)], env=environment, check=True)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_ups(solvers: tuple[str, ...]) -> dict[str, dict[str, tuple[float, float]]]:
    """Return wall and CPU seconds of the first start of each solver, and the median of three later ones."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for solver in solvers:
            first = start_up(solver, cache)
            later = np.median([start_up(solver, cache) for _ in range(3)], axis=0)
            found[solver] = {"first": first, "later": (float(later[0]), float(later[1]))}
    return found


def permutation_test(solver: str, *, n_labellings: int = 1001) -> dict[str, float]:
    """Return seconds and peak memory in MB of a permutation test of 400 trials x 100 units, 5 folds."""
    return _in_child(f"_permutation_test({solver!r}, {n_labellings})")


def session(solver: str, *, seconds: float) -> dict[str, float]:
    """Return seconds per bin of decoding over time, bins done, seconds per labelling of more, and peak memory in MB."""
    return _in_child(f"_session({solver!r}, {seconds})")


def one_thread() -> dict[str, str]:
    """Return the environment in which BLAS and OpenMP use one thread."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def _in_child(call: str) -> Any:
    code = f"import json; from benchmarks import footprint; print(json.dumps(footprint.{call}))"
    environment = {**os.environ, **one_thread()}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> int:
    """Return the peak resident memory of this process, bytes.

    On Linux not of ``getrusage``, which counts the process that started this one too.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def _peak() -> float:
    """Peak memory of this process, MB."""
    return peak_memory() / 1e6


def _permutation_test(solver: str, n_labellings: int) -> dict[str, float]:
    from benchmarks.peers import engine
    from benchmarks.problems import simulated

    problem = simulated(400, 100)
    engine(problem, 2, solver=solver, backend="auto")
    start, before = time.perf_counter(), _peak()
    engine(problem, n_labellings, solver=solver, backend="auto")
    return {"seconds": time.perf_counter() - start, "peak": _peak(), "before": before}


def _session(solver: str, seconds: float) -> dict[str, Any]:
    from benchmarks.peers import engine
    from benchmarks.problems import Problem, simulated

    n_trials, n_units, n_bins = SESSION
    rng = np.random.default_rng(0)
    engine(simulated(40, 5), 2, solver=solver, backend="auto")
    activity = rng.standard_normal((n_bins, n_trials, n_units), dtype=np.float32)
    y = simulated(n_trials, 1).y
    start, done = time.perf_counter(), 0
    while done < n_bins and (done < 2 or time.perf_counter() - start < seconds):
        engine(Problem(activity[done], y, done), 1, solver=solver, backend="auto")
        done += 1
    per_bin, start = (time.perf_counter() - start) / done, time.perf_counter()
    engine(Problem(activity[0], y, 0), 8, solver=solver, backend="auto")
    return {"per_bin": per_bin, "n_bins": done, "per_labelling": (time.perf_counter() - start) / 8, "peak": _peak()}
