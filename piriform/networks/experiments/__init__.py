"""Which experiments with networks are there, and what does each ask?

An experiment is a module with a function ``run(scale, *, folder, progress) -> Findings``; ``folder`` (or None) keeps
checkpoints, so that a killed experiment goes on where it was.
"""

from importlib import import_module
from pathlib import Path

from piriform.errors import known
from piriform.networks.experiments.findings import Findings, Progress, Scale

#: The experiments, and what each asks.
QUESTIONS: dict[str, str] = {
    "hidden_progress": "does the representation of odours go on changing after training accuracy has saturated?",
    "causes": "what stops late learning: a bounded loss, held margins, bounded weights?",
    "lazy_rich": "is it the change from lazy to rich learning that makes generalization late?",
    "reversal": "do overtrained networks learn the reversed task faster?",
    "other_tasks": "do images and tones show it too?",
    "circuit": "does it survive in a circuit like the olfactory system's, and with harder odours?",
}
#: Those that a demo runs.
SHORT = ("hidden_progress", "causes", "reversal")


def run_experiment(name: str, scale: Scale, *, folder: Path | None = None, progress: Progress = print) -> Findings:
    """Run one experiment.

    Raises
    ------
    ConfigError
        If there is no such experiment, or JAX is not installed.
    """
    known("experiment", name, QUESTIONS)
    module = import_module(f"piriform.networks.experiments.{name}")
    found: Findings = module.run(scale, folder=folder, progress=progress)
    return found
