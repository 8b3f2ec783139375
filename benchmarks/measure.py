"""How many classifiers per second does each method fit, when all take turns?"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.peers import BASELINE, Method
from benchmarks.problems import N_FOLDS, Problem, simulated

#: Most labellings of one run, and as many as the compiled kernels solve side by side.
MOST, LANES = 2000, 8


@dataclass(frozen=True)
class Run:
    """One timed call: classifiers fitted, seconds, seconds of CPU, accuracy on the true labels."""

    n_fits: int
    wall: float
    cpu: float
    accuracy: float


@dataclass(frozen=True)
class Row:
    """What the runs of one method say.

    Attributes
    ----------
    rate, cpu_rate : fits per second and per second of CPU; median, least and most over rounds
    ratio : of cpu_rate to that of the baseline in the same round; median, least and most
    n_fits : timed, over all rounds
    accuracy : mean over rounds
    """

    method: str
    rate: tuple[float, float, float]
    cpu_rate: tuple[float, float, float]
    ratio: tuple[float, float, float]
    n_fits: int
    accuracy: float


def timed(method: Method, problem: Problem, n_labellings: int) -> Run:
    """Call a method once."""
    wall, cpu = time.perf_counter(), time.process_time()
    accuracy = method(problem, n_labellings)
    return Run(N_FOLDS * n_labellings, time.perf_counter() - wall, time.process_time() - cpu, accuracy)


def enough_labellings(
    method: Method, problem: Problem, *, seconds: float, least: int = 2, most: int = MOST
) -> tuple[int, Run]:
    """Return how many labellings take about that much CPU, and the last trial run."""
    n = least
    run = timed(method, problem, n)
    while n < most and run.cpu < 0.5 * seconds:
        n = min(most, max(n + 1, int(n * min(20.0, 0.9 * seconds / run.cpu))))
        n = n // LANES * LANES if n >= LANES else n
        run = timed(method, problem, n)
    return n, run


def rows(
    methods: Mapping[str, Method], problem: Problem, *, n_rounds: int, seconds: float, slow: float = 4.0
) -> list[Row]:
    """Let all methods take turns, ``n_rounds`` times; each run takes about ``seconds`` of CPU.

    Every round has its own seed. A method whose trial run of 2 labellings (8 for the compiled kernels) takes more
    than ``slow`` seconds is not run again: that run counts as its first round.
    """
    for method in methods.values():
        method(simulated(40, 5), LANES)  # imports and compiles
    sizes = {
        name: enough_labellings(method, problem, seconds=seconds, least=LANES if name.endswith("(numba)") else 2)
        for name, method in methods.items()
    }
    runs: dict[str, list[Run]] = {name: [] for name in methods}
    for number in range(n_rounds):
        again = replace(problem, seed=problem.seed + number)
        for name, method in methods.items():
            n, trial = sizes[name]
            if trial.cpu <= slow:
                runs[name].append(timed(method, again, n))
            elif number == 0:
                runs[name].append(trial)
    return [_row(name, found, runs[BASELINE]) for name, found in runs.items()]


def _row(method: str, runs: list[Run], baseline: list[Run]) -> Row:
    cpu_rate = [run.n_fits / run.cpu for run in runs]
    ratio = [rate * other.cpu / other.n_fits for rate, other in zip(cpu_rate, baseline, strict=False)]
    return Row(
        method,
        spread([run.n_fits / run.wall for run in runs]),
        spread(cpu_rate),
        spread(ratio),
        sum(run.n_fits for run in runs),
        float(np.mean([run.accuracy for run in runs])),
    )


def spread(values: list[float]) -> tuple[float, float, float]:
    """Return median, least and most."""
    return float(np.median(values)), float(min(values)), float(max(values))
