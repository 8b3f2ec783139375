"""What holds for a whole process: memory, threads, a machine without numba, a folder that cannot be written."""

import os
import subprocess
import sys

import numpy as np
import pytest
from solver_problems import BACKENDS, SOLVERS, needs_numba

from piriform import solvers

THREADS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

SMALL = """
import numpy as np
from piriform import solvers
from piriform.errors import MeasureError
rng = np.random.default_rng(0)
X, folds = rng.normal(size=(60, 9)), np.arange(60) % 5
labels = np.array([rng.permutation(np.where(np.arange(60) < 30, 1, -1)) for _ in range(20)])
def scores(backend):
    held = [solvers.heldout(X, labels, folds, solver=s, backend=backend) for s in ("svm", "hinge", "logistic", "lda")]
    return np.stack([h.decision for h in held])
"""

MEMORY = """
import sys
from pathlib import Path
import numpy as np
from piriform import solvers
solver, backend = sys.argv[1:]
rng = np.random.default_rng(0)
X, folds = rng.poisson(3, size=(400, 100)).astype(float), np.arange(400) % 5
y = np.where(np.arange(400) < 200, 1, -1)
labels = np.array([rng.permutation(y) for _ in range(1000)])
held = solvers.heldout(X, labels, folds, solver=solver, C=1e-4, shrinkage=0.2, backend=backend)
assert held.decision.shape == (1000, 400) and held.converged.all()
# not ru_maxrss, which counts the process that started this one
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


def output_of(code, *arguments, **environment):
    """What a fresh interpreter prints, on one thread unless told otherwise."""
    env = os.environ | dict.fromkeys(THREADS, "1") | environment
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells the peak in /proc")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("solver", ["svm", "lda"])
def test_a_thousand_labellings_of_a_large_session_stay_under_500_mb(solver, backend):
    assert int(output_of(MEMORY, solver, backend)) < 500 * 1024


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_number_of_threads_does_not_change_a_byte(backend):
    code = SMALL + f"import hashlib; print(hashlib.sha256(scores({backend!r}).tobytes()).hexdigest())"
    one = output_of(code)
    assert one == output_of(code, **dict.fromkeys(THREADS, "2"))


@needs_numba
def test_compiling_and_loading_give_the_same_bytes(tmp_path):
    """Machine code rounds the same in the process that compiles it, in those that load it, and after other kernels."""
    code = (
        SMALL
        + """
import hashlib, sys
for solver in sys.argv[1:]:
    held = solvers.heldout(X, labels, folds, solver=solver)
print(hashlib.sha256(held.decision.tobytes()).hexdigest())
"""
    )
    cold = output_of(code, "lda", NUMBA_CACHE_DIR=str(tmp_path))
    assert cold == output_of(code, "lda", NUMBA_CACHE_DIR=str(tmp_path))
    assert cold == output_of(code, "svm", "lda", NUMBA_CACHE_DIR=str(tmp_path))


def test_without_numba_numpy_answers_and_numba_is_asked_for(tmp_path):
    code = (
        "import sys; sys.modules['numba'] = None\n"
        + SMALL
        + f"""
np.save({str(tmp_path / "scores.npy")!r}, scores("auto"))
assert scores("auto").tobytes() == scores("numpy").tobytes()
try:
    scores("numba")
except MeasureError as error:
    print(error)
"""
    )
    assert output_of(code) == "backend 'numba' needs numba: pip install 'piriform[fast]', or choose 'numpy'"
    known = {}
    exec(SMALL, known)
    got, expected = np.load(tmp_path / "scores.npy"), known["scores"]("auto")
    np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7)
    assert np.isfinite(got).all()
    assert len(got) == len(SOLVERS)


@needs_numba
def test_the_cache_falls_back_where_a_folder_cannot_be_written(tmp_path, monkeypatch):
    from piriform.solvers.kernels import compile as kernels

    occupied = tmp_path / "a file"
    occupied.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "first"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "second"))
    assert kernels.cache_folder().parent.parent == tmp_path / "first"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(occupied))
    assert kernels.cache_folder().parent.parent == tmp_path / "second"
    monkeypatch.setenv("XDG_CACHE_HOME", str(occupied))
    monkeypatch.setattr(kernels.tempfile, "gettempdir", lambda: str(tmp_path))
    assert kernels.cache_folder().is_relative_to(tmp_path / f"cache-{os.getuid()}")
    monkeypatch.setattr(kernels.tempfile, "gettempdir", lambda: str(occupied))
    with pytest.raises(OSError, match="no folder can be written for compiled code: set NUMBA_CACHE_DIR"):
        kernels.cache_folder()


@needs_numba
def test_kernels_run_where_the_first_cache_cannot_be_written(tmp_path):
    """The folder named by NUMBA_CACHE_DIR is a file: kernels are kept in the next one."""
    occupied = tmp_path / "a file"
    occupied.write_text("")
    X, y = np.arange(8.0).reshape(4, 2) ** 2, [1, -1, 1, -1]
    code = f"""
import numpy as np
from piriform import solvers
model = solvers.fit(np.array({X.tolist()}), np.array({y}), np.ones(4, bool), solver="svm", backend="numba")
print(repr(float(model.intercepts[0])))
"""
    expected = solvers.fit(X, np.array(y), np.ones(4, bool), backend="numpy").intercepts[0]
    assert float(output_of(code, NUMBA_CACHE_DIR=str(occupied))) == pytest.approx(expected, rel=1e-9, abs=1e-12)
