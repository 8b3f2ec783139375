"""How fast are ensembles of networks trained? Against a plain PyTorch loop and hand-written NumPy, in one run.

``python -m benchmarks.networks`` in an environment with ``piriform[networks]`` and torch. All methods
train the same 48 networks (16 seeds x 3 alpha, batches of 64) from the same start on the same batches,
with one thread unless stated; their losses must agree to five digits.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import report
from piriform.networks.architectures import Network
from piriform.networks.backend import jax, jnp
from piriform.networks.ensemble import Condition, Ensemble, Training
from piriform.networks.odors import Odors, odor_task
from piriform.networks.subjects import DESIGNS
from piriform.networks.task import Task
from piriform.networks.train import train
from piriform.provenance import rng_for

CONDITIONS = tuple(Condition(f"alpha {alpha:g}", alpha=alpha) for alpha in (1.0, 3.0, 10.0))
PAGE = Path(__file__).parent.parent / "docs" / "networks.md"
N_SEEDS, BATCH, RATE = 16, 64, 0.1
#: A matrix product that is large enough to run at the core's full rate.
BEST = (1000, 1000, 1000)
#: Ratios to the other methods, in CPU time, that should be reached.
BARS = {"NumPy": 1.5, "PyTorch": 20.0}
Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Size:
    """A task and the networks that learn it."""

    odors: Odors
    network: Network


SIZES = {
    "10 of 100 odorants, 200 units": Size(Odors(), Network((100,), (200,))),
    "3 of 13 odorants, 128 units": Size(DESIGNS["3 of 13"].odors, Network((13,), (128,))),
}


@dataclass(frozen=True)
class Problem:
    """What every method is given: the tasks, each network's start and learning rate, and the batches of every step.

    ``starts`` has an entry per network, ``rows`` is (n_networks, n_steps, batch).
    """

    size: Size
    tasks: list[Task]
    starts: list[Weights]
    rows: np.ndarray

    def network(self, index: int) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Return inputs, labels (-1, 1), alpha and learning rate of one network, float32."""
        task, alpha = self.tasks[index % N_SEEDS], CONDITIONS[index // N_SEEDS].alpha
        inputs, labels = task.train.inputs.astype(np.float32), (2 * task.train.labels - 1).astype(np.float32)
        return inputs, labels[:, None], alpha, RATE * self.size.network.hidden[0] / alpha**2


def problem(size: Size, n_steps: int) -> Problem:
    """Return networks, starts and batches as the ensemble's own training draws them."""
    tasks = [odor_task(size.odors, rng=rng_for(seed, "benchmark")) for seed in range(N_SEEDS)]
    start = ensemble(size, tasks, 1)
    rows = drawn_rows(len(tasks[0].train) // 2, n_steps)
    starts = [start.at(index, 0) for index in range(len(start.members))]
    return Problem(size, tasks, starts, np.tile(rows, (len(CONDITIONS), 1, 1)))


def drawn_rows(n_rows: int, n_steps: int) -> np.ndarray:
    """Return the (n_seeds, n_steps, batch) training trials, half nontargets and half targets, ``n_rows`` of each."""

    def of_step(seed: Any, step: Any) -> Any:
        key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(jax.random.key(1), seed), 1), step)
        return jax.random.randint(key, (2, BATCH // 2), 0, n_rows)

    of_seed = jax.vmap(of_step, (None, 0))
    drawn = np.asarray(jax.jit(jax.vmap(of_seed, (0, None)))(jnp.arange(N_SEEDS), jnp.arange(n_steps)))
    return (drawn + np.array([[0], [n_rows]])).reshape(N_SEEDS, n_steps, BATCH)


def ensemble(size: Size, tasks: list[Task], n_steps: int) -> Ensemble:
    """Train all networks with piriform."""
    return train(size.network, tasks, CONDITIONS, training=Training(n_steps=n_steps, n_checkpoints=2, batch=BATCH))


def with_piriform(given: Problem, n_steps: int) -> list[Weights]:
    """Train all networks in one compiled program."""
    trained = ensemble(given.size, given.tasks, n_steps)
    return [trained.at(index, -1) for index in range(len(trained.members))]


def with_numpy(given: Problem, n_steps: int) -> list[Weights]:
    """Train one network after the other, gradients by hand."""
    return [_numpy_network(given, index, n_steps) for index in range(len(given.starts))]


def _numpy_network(given: Problem, index: int, n_steps: int) -> Weights:
    inputs, labels, alpha, rate = given.network(index)
    w, b, a = (given.starts[index][name].copy() for name in ("w1", "b1", "readout"))
    factor = np.float32(alpha / len(b))
    step = np.float32(rate)
    for rows in given.rows[index, :n_steps]:
        x, y = inputs[rows], labels[rows]
        drive = x @ w
        drive += b
        hidden = np.maximum(drive, 0)
        slope = -y / (1 + np.exp(y * (factor * (hidden @ a)))) * (factor / BATCH)
        back = slope * a.T
        back *= drive > 0
        a -= step * (hidden.T @ slope)
        b -= step * back.sum(axis=0)
        w -= step * (x.T @ back)
    return {"w1": w, "b1": b, "readout": a}


def with_torch(given: Problem, n_steps: int) -> list[Weights]:
    """Train one network after the other with modules, autograd and torch.optim.SGD; batches by indexing."""
    return [_torch_network(given, index, n_steps, _indexed) for index in range(len(given.starts))]


def with_loader(given: Problem, n_steps: int) -> list[Weights]:
    """Train as :func:`with_torch` does, with batches from a DataLoader, as tutorials have it."""
    return [_torch_network(given, index, n_steps, _loaded) for index in range(len(given.starts))]


def with_threads(given: Problem, n_steps: int) -> list[Weights]:
    """Train as :func:`with_torch` does, with as many threads as torch takes by default."""
    return [_torch_network(given, index, n_steps, _indexed, os.cpu_count()) for index in range(len(given.starts))]


def _indexed(x: Any, y: Any, rows: np.ndarray) -> Iterable[Any]:
    import torch

    return ((x[row], y[row]) for row in torch.from_numpy(rows.astype(np.int64)))


def _loaded(x: Any, y: Any, rows: np.ndarray) -> Iterable[Any]:
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(x, y), batch_sampler=rows.tolist())


def _torch_network(
    given: Problem, index: int, n_steps: int, batches: Callable[..., Iterable[Any]], n_threads: int | None = 1
) -> Weights:
    import torch

    torch.set_num_threads(n_threads or 1)
    inputs, labels, alpha, rate = given.network(index)
    x, y, rows = torch.from_numpy(inputs), torch.from_numpy(labels), given.rows[index, :n_steps]
    start = given.starts[index]
    network = given.size.network
    first, readout = torch.nn.Linear(*network.shape, *network.hidden), torch.nn.Linear(*network.hidden, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(start["w1"].T))
        first.bias.copy_(torch.from_numpy(start["b1"]))
        readout.weight.copy_(torch.from_numpy(start["readout"].T))
    optimizer = torch.optim.SGD([*first.parameters(), *readout.parameters()], lr=rate)
    for shown, label in batches(x, y, rows):
        optimizer.zero_grad()
        outputs = alpha / network.hidden[0] * readout(torch.relu(first(shown)))
        torch.nn.functional.softplus(-label * outputs).mean().backward()
        optimizer.step()
    weights = {"w1": first.weight.T, "b1": first.bias, "readout": readout.weight.T}
    return {name: values.detach().numpy().copy() for name, values in weights.items()}


def losses(given: Problem, weights: list[Weights]) -> np.ndarray:
    """Return the (n_networks,) cross-entropy over all training trials, float64."""
    found = []
    for index, p in enumerate(weights):
        inputs, labels, alpha, _ = given.network(index)
        hidden = np.maximum(inputs.astype(float) @ p["w1"] + p["b1"], 0)
        found.append(np.logaddexp(0, -labels * (alpha / len(p["b1"]) * (hidden @ p["readout"]))).mean())
    return np.array(found)


METHODS: dict[str, Callable[[Problem, int], list[Weights]]] = {
    "piriform (JAX)": with_piriform,
    "NumPy, gradients by hand": with_numpy,
    "PyTorch, eager loop": with_torch,
    "PyTorch, eager loop, DataLoader": with_loader,
    "PyTorch, eager loop, a thread per core": with_threads,
}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def product_rate(seconds: float, shape: tuple[int, int, int]) -> float:
    """Return float32 operations per CPU second of a matrix product in NumPy, the best of five."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(size).astype(np.float32) for size in (shape[:2], shape[1:]))
    repeats = max(1, round(seconds / 5 / max(cpu_seconds(lambda: a @ b), 1e-5)))
    times = [cpu_seconds(lambda: [a @ b for _ in range(repeats)]) for _ in range(5)]
    return 2 * np.prod(shape) * repeats / min(times)


def operations(size: Size) -> float:
    """Return the operations of the matrix products of one step of all networks: forward, and both weights' gradients."""
    n_in, n_units = *size.network.shape, *size.network.hidden
    return len(CONDITIONS) * N_SEEDS * 2 * BATCH * (2 * n_in * n_units + 2 * n_units)


def measured(size: Size, n_steps: int, n_rounds: int, *, methods: list[str], share: int = 1) -> str:
    """Return the table of CPU milliseconds per step of all networks, and the ratios paired by round.

    The PyTorch loop does ``n_steps`` / ``share`` steps.
    """
    given = problem(size, n_steps)
    steps = {name: max(1, n_steps // share) if name.startswith("PyTorch") else n_steps for name in methods}
    for name in methods:
        METHODS[name](given, 1)
    first = "piriform (JAX)"
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(n_rounds):
        for name in methods:
            times[name].append(cpu_seconds(lambda name=name: METHODS[name](given, steps[name])) / steps[name])  # type: ignore[misc]
    final = {name: losses(given, METHODS[name](given, min(steps.values()))) for name in methods}
    differ = max(float(np.abs(final[name] / final[first] - 1).max()) for name in methods)
    lines = []
    for name in methods:
        ratio = np.array(times[name]) / np.array(times[first])
        bar = BARS.get(name.split(",")[0])
        lines.append(
            [
                name,
                report.number(1e3 * float(np.median(times[name]))),
                f"{report.number(float(np.median(ratio)))} ({report.number(ratio.min())}-{report.number(ratio.max())})",
                "" if bar is None else f"{bar:g}",
                "" if bar is None else ("yes" if np.median(ratio) >= bar else f"{np.median(ratio) / bar:.0%} of it"),
            ]
        )
    text = report.table(["", "CPU ms per step", "times piriform's (range)", "bar", "reached"], lines)
    return f"{text}\n\n{_rates(size, float(np.median(times[first])))} {_agreement(differ, min(steps.values()))}"


def _rates(size: Size, seconds: float) -> str:
    """How many operations piriform does in a second, what the core does at best, and what the bar would need."""
    shape = (BATCH, size.network.shape[0], size.network.hidden[0])
    own, bare, best = (
        one / 1e9 for one in (operations(size) / seconds, product_rate(1.0, shape), product_rate(1.0, BEST))
    )
    return (
        f"Matrix products of a step run at {own:.0f} GFlop/s, all the rest of the step included; bare products in NumPy "
        f"on one core at {bare:.0f} ({' x '.join(map(str, shape))}) and {best:.0f} ({' x '.join(map(str, BEST))}): "
        f"{own / best:.0%} of the latter. Backend: {jax.default_backend()}."
    )


def _agreement(differ: float, n_steps: int) -> str:
    if not differ < 1e-5:
        raise SystemExit(f"the methods' losses after {n_steps} steps differ by {differ:.2g} of themselves")
    return f"Largest relative difference of the final losses between methods after {n_steps} steps: {differ:.1g}."


def main() -> None:
    """Measure and print; with all methods, write the page's table too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    chosen = parser.parse_args()
    about = report.machine()
    parts = []
    with threadpool_limits(1):
        for name in chosen.sizes:
            found = measured(SIZES[name], chosen.steps, chosen.rounds, methods=chosen.methods, share=16)
            parts.append(f"**{name}**\n\n{found}")
            print(parts[-1], end="\n\n", flush=True)
    if (chosen.methods, chosen.sizes) == (list(METHODS), list(SIZES)):
        PAGE.write_text(report.placed(PAGE.read_text(), {"speed": "\n\n".join([about, *parts])}))
        print(PAGE)


if __name__ == "__main__":
    main()
