"""How does the time of a fit grow with trials, units and labellings?"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from benchmarks.measure import timed
from benchmarks.peers import engine
from benchmarks.problems import simulated

SOLVERS = ("svm", "hinge", "logistic", "lda")
TRIALS, UNITS, LABELLINGS = (100, 200, 400, 800, 1600), (10, 25, 50, 100, 200, 400, 800), (10, 40, 200, 500, 2000)


def growth(kind: str, values: Sequence[int], *, seconds: float, backend: str) -> dict[str, list[float]]:
    """Return seconds of CPU per fit, by solver, for each value of ``kind``: trials, units or labellings.

    What does not vary: 400 trials, 100 units, 40 labellings; 200 trials and 15 units where labellings vary.
    """
    cases: dict[str, Callable[[int], tuple[int, int, int]]] = {
        "trials": lambda value: (value, 100, 40),
        "units": lambda value: (400, value, 40),
        "labellings": lambda value: (200, 15, value),
    }
    return {
        solver: [cpu_per_fit(solver, *cases[kind](value), seconds=seconds, backend=backend) for value in values]
        for solver in SOLVERS
    }


def cpu_per_fit(solver: str, n_trials: int, n_units: int, n_labellings: int, *, seconds: float, backend: str) -> float:
    """Return the median over calls, as many as fit in ``seconds``, at least one (three where calls are short)."""
    method = partial(engine, solver=solver, backend=backend)
    problem = simulated(n_trials, n_units)
    runs = [timed(method, problem, n_labellings)]
    while sum(run.wall for run in runs) < seconds or (len(runs) < 3 and runs[0].wall < seconds):
        runs.append(timed(method, problem, n_labellings))
    return float(np.median([run.cpu / run.n_fits for run in runs]))


def exponents(values: Sequence[float], times: Sequence[float]) -> list[float]:
    """Return the slope of log time over log value between neighbours.

    Examples
    --------
    >>> exponents([1, 2, 4], [1.0, 4.0, 8.0])
    [2.0, 1.0]
    """
    return (np.diff(np.log2(times)) / np.diff(np.log2(values))).tolist()
