"""How many operations does a fit take, and how many could the processor do?

A multiplication and an addition are two operations. With N trials of which h are held out, d = n_units + 1,
and k iterations:

====================  ===========================================================
second moments        h d^2 (all trials less the held-out ones; upper triangle)
Cholesky              d^3 / 3
solve                 2 d^2
scores, or a sum      2 N d (all trials times one vector)
====================  ===========================================================

lda: moments + Cholesky + solve + 4 h d, for class sums and scores of the held-out trials. svm: moments + 2
sums + k (Cholesky + solve + scores) + d^2 for each trial that is not short of the margin in the end (it has
crossed at least once). logistic: moments + Cholesky + k (solve + scores + sum). hinge: moments + k (Cholesky +
2 (solve + scores + sum)) + d^2 for each trial on the margin in the end. Each is the least that the compiled
kernels do with random folds: operations that depend on the path (matrices made anew, correctors, line
searches) are left out, so the share is a lower bound.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.problems import N_FOLDS, Problem, labellings
from piriform import solvers

ROOT = Path(__file__).parent.parent


def operations(
    solver: str, *, n_trials: int, n_units: int, n_heldout: float, n_iterations: float = 1.0, n_moved: float = 0.0
) -> float:
    """Return the operations of one fit by the formula above; n_moved: trials that cross, or are on, the margin.

    Examples
    --------
    >>> operations("lda", n_trials=10, n_units=2, n_heldout=4.0)  # 4 * 9 + 27 / 3 + 2 * 9 + 4 * 4 * 3
    111.0
    """
    d = n_units + 1
    moments, cholesky, solve, scores = n_heldout * d**2, d**3 / 3, 2 * d**2, 2 * n_trials * d
    if solver == "lda":
        return moments + cholesky + solve + 4 * n_heldout * d
    if solver == "svm":
        return moments + 2 * scores + n_iterations * (cholesky + solve + scores) + n_moved * d**2
    if solver == "logistic":
        return moments + cholesky + n_iterations * (solve + 2 * scores)
    return moments + n_iterations * (cholesky + 2 * (solve + 2 * scores)) + n_moved * d**2


def operations_of(solver: str, problem: Problem, *, n_labellings: int = 8) -> tuple[float, float]:
    """Return the operations per fit of this problem, and the iterations, from the fits of some labellings."""
    labels, folds = labellings(problem, n_labellings)
    n_trials, n_units = problem.X.shape
    shape = {"n_trials": n_trials, "n_units": n_units, "n_heldout": n_trials / N_FOLDS}
    train = folds != 0
    models = solvers.fit(problem.X, labels, train, solver=solver)
    margin = labels * models.decision_values(problem.X)
    near = {"svm": margin >= 1, "hinge": np.abs(margin - 1) < 1e-6}.get(solver, np.zeros(train.shape, dtype=bool))
    n_iterations = float(models.n_iterations.mean())
    n_moved = float((near & train).sum(axis=1).mean())
    return operations(solver, **shape, n_iterations=n_iterations, n_moved=n_moved), n_iterations


def dgemm_rate(*, seconds: float = 0.5, size: int = 1000) -> float:
    """Return the operations per second of CPU of a product of two square matrices of doubles, on one core."""
    left, right = np.random.default_rng(0).standard_normal((2, size, size))
    out = left @ right
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while not rates or time.perf_counter() < end:
        start = time.process_time()
        np.matmul(left, right, out=out)
        rates.append(2 * size**3 / (time.process_time() - start))
    return float(np.median(rates))


def best_dgemm_rate(*, seconds: float = 0.5) -> dict[str, float]:
    """Return :func:`dgemm_rate` as NumPy comes, and with OpenBLAS's kernels for AVX-512 where the processor has it.

    OpenBLAS 0.3 takes its kernels for AVX2 on processors that it does not know.
    """
    rates = {"as NumPy comes": dgemm_rate(seconds=seconds)}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and "avx512f" in cpuinfo.read_text():
        code = f"from benchmarks.limits import dgemm_rate; print(dgemm_rate(seconds={seconds}))"
        wide = {**os.environ, "OPENBLAS_CORETYPE": "SkylakeX", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=wide, capture_output=True, text=True)
        if done.returncode == 0:
            rates["with OPENBLAS_CORETYPE=SkylakeX"] = float(done.stdout)
    return rates
