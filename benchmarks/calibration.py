"""What does a calibration say, how long does it take, and do real recordings agree?

Run with ``python -m benchmarks.calibration results/calibration`` after ``make calibrate``: it writes the
tables of ``docs/calibration.md`` and its figure. The part on real recordings stays as it is where they
are absent. Names of parts as further arguments write these alone.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pandas as pd

from piriform.calibrate import studies
from piriform.calibrate.control import recordings, session_ps, slope_ps, study_results
from piriform.calibrate.design import calibration_config, chunk_settings
from piriform.calibrate.launch import read_calibration
from piriform.calibrate.studies import study_row
from piriform.calibrate.summary import bar_text, binomial_interval
from piriform.calibrate.tables import NAIVE
from piriform.config import expand, load_config, restore
from piriform.convert import convert
from piriform.figures.calibration import save_figure
from piriform.simulate import SCENARIOS

ROOT = Path(__file__).parent.parent
DOC = ROOT / "docs" / "calibration.md"
REPEATS = 200
#: Functions that :mod:`piriform.calibrate.studies` calls, and what their time is spent on.
STAGES = {
    "simulate_counts": "simulate trials and spike counts",
    "session_of": "map trials to our terms",
    "with_behavior": "behaviour",
    "tensor_of": "inclusion and trial tensors",
    "matched_counts": "numbers matched over sessions",
    "composition": "strata matched over sessions",
    "session_metrics": "measures",
    "detect": "verdict",
}


def scenarios(results: Path) -> list[str]:
    """Return the tables of scenarios as Markdown, and draw the figure."""
    table = read_calibration(results)
    save_figure(table, [DOC.with_suffix(".svg")])
    lines = [
        *_grid("scenario", "what is true", "studies", "hidden progress", "without fixed stimuli", "bar"),
        *(
            _line(row["scenario"], SCENARIOS[row["scenario"]][0], row["studies"], _share(row, ""), _share(row, "_no_fixed"), bar_text(row) or "-")
            for _, row in table.iterrows()
        ),
        "",
        "The parts of the verdict (share of studies in which each passes), other verdicts, and the 95% interval of the",
        "primary metric's mean slope:",
        "",
        *_grid("scenario", "primary rises", "fixed rises", "behaviour flat", "still improving", "not enough data", "mean slope", "coverage"),
        *(
            _line(row["scenario"], *(f"{row[n]:.3f}" for n in ("primary", "fixed", "flat", "improving", "not_enough_data")), f"{row['effect']:+.3f}", f"{row['coverage']:.3f} ({row['coverage_low']:.3f}-{row['coverage_high']:.3f})")
            for _, row in table.iterrows()
        ),
        "",
        "The same group test on metrics as they are commonly computed, and on ours (share of studies that rise); bold: false",
        "alarms whose interval lies above .05 (in `improving` a rise is true):",
        "",
        *_grid("scenario", "primary metric", *(name.replace("_", " ") for name in NAIVE)),
        *(_line(row["scenario"], *(_naive(row, name) for name in ("primary", *(f"naive_{n}" for n in NAIVE)))) for _, row in table.iterrows()),
    ]  # fmt: skip
    return lines


def duration(_: Path) -> list[str]:
    """Return where the time of one study goes, mean over 20 studies on one core, after one to warm up."""
    settings = restore(chunk_settings(calibration_config()))
    spent = dict.fromkeys(STAGES.values(), 0.0)
    study_row("null", 0, settings=settings)
    with ExitStack() as patches:
        for name, stage in STAGES.items():
            patches.enter_context(patch.object(studies, name, _timed(getattr(studies, name), stage, spent)))
        begin = time.process_time()
        for number in range(1, 21):
            study_row("null", number, settings=settings)
    total = (time.process_time() - begin) / 20
    spent = {stage: seconds / 20 for stage, seconds in spent.items()}
    spent["the rest"] = total - sum(spent.values())
    return [
        *_grid("stage", "CPU ms a study", "share"),
        *(_line(stage, f"{1000 * seconds:.0f}", f"{seconds / total:.0%}") for stage, seconds in spent.items()),
        _line("all", f"{1000 * total:.0f}", "100%"),
        "",
        f"12 scenarios of 400 studies take {12 * 400 * total / 2 / 60:.0f} minutes on 2 cores at this speed, and "
        "another 8 s for each job of 100 studies to start.",
    ]


def _timed(function: Callable[..., Any], stage: str, spent: dict[str, float]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        begin = time.process_time()
        found = function(*given, **named)
        spent[stage] += time.process_time() - begin
        return found

    return call


def real(_: Path) -> list[str]:
    """Return how often p is .05 or less in real recordings whose labels or days are shuffled."""
    config = load_config(ROOT / "config" / "wang.yaml")
    source = Path(expand(config.convert.source))
    if not source.is_dir():
        return []
    names = ("response", "trials", "classes", "phases", "inclusion", "plateau", "verdict")
    measures = config.measures.model_copy(update={"n_permutations": 0})
    settings = SimpleNamespace(seed=1, measures=measures, **{name: getattr(config, name) for name in names})
    with tempfile.TemporaryDirectory() as folder:
        convert("wang", source, folder, progress=lambda _: None)
        tensors, behavior = recordings(folder, settings=settings)
        found = {
            "labels, p of each session": pd.DataFrame({"p": session_ps(tensors, settings=settings, repeats=REPEATS // 4)}),
            "labels, four pseudo-subjects": study_results(tensors, behavior, settings=settings, shuffle="labels", repeats=REPEATS),
            "days, four pseudo-subjects": study_results(tensors, behavior, settings=settings, shuffle="days", repeats=REPEATS),
            "days, slope of the one animal": pd.DataFrame({"p": slope_ps(tensors, settings=settings, repeats=10 * REPEATS)}),
        }  # fmt: skip
    lines = _grid("shuffled, and what is tested", "repeats", "p <= .05", "95% interval", "hidden progress")
    for name, rows in found.items():
        k, n = int((rows["p"] <= 0.05).sum()), len(rows)
        low, high = binomial_interval(k, n)
        called = f"{(rows['verdict'] == 'hidden progress').mean():.3f}" if "verdict" in rows else "-"
        lines.append(_line(name, n, f"{k / n:.3f}", f"{low:.3f}-{high:.3f}", called))
    return lines


PARTS: dict[str, Callable[[Path], list[str]]] = {"scenarios": scenarios, "time": duration, "recordings": real}


def replaced(text: str, part: str, lines: list[str]) -> str:
    """Return the page with what stands between the marks of a part replaced."""
    begin, end = f"<!-- {part}: made by benchmarks/calibration.py -->", f"<!-- end of {part} -->"
    before, _, rest = text.partition(begin)
    if not rest:
        raise SystemExit(f"{DOC}: no mark {begin!r}")
    return f"{before}{begin}\n\n" + "\n".join(lines) + f"\n\n{end}" + rest.partition(end)[2]


def _grid(*names: str) -> list[str]:
    return [_line(*names), _line(*["---"] * len(names))]


def _line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _share(row: pd.Series, end: str) -> str:
    return f"{row[f'hidden_progress{end}']:.3f} ({row[f'low{end}']:.3f}-{row[f'high{end}']:.3f})"


def _naive(row: pd.Series, name: str) -> str:
    share = row[name]
    null = row["kind"] == "false alarms" and row["scenario"] != "improving"  # there the signal does grow
    above = null and binomial_interval(round(share * row["studies"]), row["studies"])[0] > 0.05
    return f"**{share:.3f}**" if above else f"{share:.3f}"


def main(results: Path, parts: list[str]) -> None:
    """Write the parts of the page."""
    for part in parts or list(PARTS):
        lines = PARTS[part](results)
        if lines:
            DOC.write_text(replaced(DOC.read_text(), part, lines))
        print(f"{part}: {'written' if lines else 'no real recordings here; left as it was'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
