"""How fast is the decoder engine? Prints all tables of docs/performance.md and writes them there.

``python -m benchmarks.engine`` takes about 8 minutes on one core; ``--quick`` takes a minute, and writes nothing.
"""

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks import footprint, limits, measure, peers, report, scaling
from benchmarks.problems import simulated

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
#: Trials, units, distance between the classes, rounds.
SIZES = ((200, 15, 2.0, 5), (400, 100, 2.5, 5), (1000, 1000, 3.0, 3))
#: Ratios to LinearSVC that the engine should reach, by solver.
BARS = {"200 x 15": {"lda": 800, "svm": 400, "logistic": 200, "hinge": 50}}
BARS["400 x 100"] = {"lda": 150, "svm": 40, "logistic": 20, "hinge": 10}
MOST_MEMORY, LONGEST_START = 500.0, 1.0


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little of everything, nothing is written")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the tables")
    chosen = parser.parse_args()
    with threadpool_limits(1):
        parts = measured(quick=chosen.quick)
    if not chosen.quick:
        chosen.page.write_text(report.placed(chosen.page.read_text(), parts))
        print(f"\nwritten to {chosen.page}")


def measured(*, quick: bool) -> dict[str, str]:
    """Return the text of each part of the page."""
    start, parts = time.perf_counter(), {}
    backend = "numba" if find_spec("numba") else "numpy"
    parts["machine"] = _shown("machine", report.machine())
    parts["start"], parts["memory"], kept = _costs(quick)
    ratios: dict[str, dict[str, measure.Row]] = {}
    for n_trials, n_units, distance, n_rounds in SIZES[: 1 if quick else 3]:
        name = f"{n_trials} x {n_units}"
        parts[name], ratios[name] = _against_peers(n_trials, n_units, distance, 1 if quick else n_rounds, quick)
    parts["bars"] = _shown("bars", _bars(ratios, kept, backend))
    parts["growth"] = _shown("growth", _growth(backend, quick))
    parts["session"] = _shown("session", _session(0.0 if quick else 5.0)) if not quick else ""
    parts["took"] = _shown("took", f"The run took {report.duration(time.perf_counter() - start)}.")
    return parts


def _shown(name: str, text: str) -> str:
    print(f"\n== {name}\n{text}", flush=True)
    return text


def _against_peers(
    n_trials: int, n_units: int, distance: float, n_rounds: int, quick: bool
) -> tuple[str, dict[str, measure.Row]]:
    problem = simulated(n_trials, n_units, distance=distance)
    dgemm = limits.best_dgemm_rate(seconds=0.2 if quick else 1.0)
    found = measure.rows(peers.methods(), problem, n_rounds=n_rounds, seconds=0.05 if quick else 0.5)
    shares = {}
    for row in found:
        if row.method.endswith("(numba)"):
            each, steps = limits.operations_of(row.method.split()[1], problem)
            shares[row.method] = (steps, each * row.cpu_rate[0] / max(dgemm.values()))
    speed = ", ".join(f"{rate / 1e9:.0f} GFlop/s {how}" for how, rate in dgemm.items())
    text = f"{report.rates(found, shares)}\n\nMatrix product: {speed}; the limit is the larger."
    return _shown(f"{n_trials} x {n_units}", text), {row.method: row for row in found}


def _costs(quick: bool) -> tuple[str, str, dict[str, float]]:
    """Tables of starts and of memory, and the largest of each."""
    solvers = scaling.SOLVERS[:1] if quick else scaling.SOLVERS
    starts = footprint.start_ups(solvers)
    lines = [
        [solver, *(report.number(value) for when in ("first", "later") for value in starts[solver][when])]
        for solver in solvers
    ]
    header = ["", "first start, s", "CPU-s", "later start, s", "CPU-s"]
    start = _shown("start", report.table(header, lines))
    tests = {solver: footprint.permutation_test(solver, n_labellings=101 if quick else 1001) for solver in solvers}
    lines = [
        [solver, *(report.number(one[key]) for key in ("seconds", "peak", "before"))] for solver, one in tests.items()
    ]
    header = ["", "seconds", "peak memory, MB", "of it before the test, MB"]
    memory = _shown("memory", report.table(header, lines))
    worst = {
        "start": max(one["later"][1] for one in starts.values()),
        "memory": max(one["peak"] for one in tests.values()),
    }
    return start, memory, worst


def _bars(found: dict[str, dict[str, measure.Row]], kept: dict[str, float], backend: str) -> str:
    lines = []
    for size, bars in BARS.items():
        for solver, bar in bars.items():
            row = found.get(size, {}).get(f"piriform {solver} ({backend})")
            if row is not None:
                ratio = f"{report.number(row.ratio[0])} ({report.number(row.ratio[1])}-{report.number(row.ratio[2])})"
                verdict = "yes" if row.ratio[0] >= bar else f"{row.ratio[0] / bar:.0%} of it"
                lines.append([f"{solver}, {size}, ratio", str(bar), ratio, verdict])
    for name, most, unit in (("memory", MOST_MEMORY, "MB"), ("start", LONGEST_START, "CPU-s")):
        fine = "yes" if kept[name] < most else "no"
        lines.append([f"{name}, largest of the solvers, {unit}", f"under {most:.0f}", report.number(kept[name]), fine])
    return report.table(["", "bar", "measured (range)", "reached"], lines)


def _growth(backend: str, quick: bool) -> str:
    texts = []
    every: dict[str, tuple[int, ...]] = {
        "trials": scaling.TRIALS,
        "units": scaling.UNITS,
        "labellings": scaling.LABELLINGS,
    }
    for kind, all_values in every.items():
        values = all_values[:2] if quick else all_values
        times = scaling.growth(kind, values, seconds=0.02 if quick else 0.4, backend=backend)
        slopes = {solver: [None, *scaling.exponents(values, column)] for solver, column in times.items()}
        lines = []
        for at, value in enumerate(values):
            cells = [_cell(times[solver][at], slopes[solver][at]) for solver in scaling.SOLVERS]
            lines.append([str(value), *cells])
        texts.append(report.table([kind, *scaling.SOLVERS], lines))
    return "\n\n".join(texts)


def _cell(seconds: float, slope: float | None) -> str:
    text = report.number(1e6 * seconds)
    return text if slope is None else f"{text} ({slope:+.1f})"


def _session(seconds: float) -> str:
    n_bins, lines = footprint.SESSION[2], []
    for solver in scaling.SOLVERS:
        one = footprint.session(solver, seconds=60.0 if solver == "lda" else seconds)
        estimated = "" if one["n_bins"] == n_bins else " (estimated)"
        lines.append(
            [
                solver,
                f"{one['n_bins']:.0f}",
                report.duration(one["per_bin"] * n_bins) + estimated,
                report.duration(one["per_labelling"] * n_bins * 100) + " (estimated)",
                report.number(one["peak"]),
            ]
        )
    return report.table(["", "bins measured", "100 bins", "100 bins, 100 permutations", "peak memory, MB"], lines)


if __name__ == "__main__":
    main()
