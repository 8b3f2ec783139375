"""A checkout in miniature: package, workflow and config copied, with a tiny simulated study run once."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DEMO = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
TINY = {
    "scenario": "growth",
    "subjects": 2,
    "days": 3,
    "parameters": {
        "units_start": 7,
        "units_end": 5,
        "trials_start": 60,
        "trials_end": 60,
        "training_days": 0,
        "probe_every": 0,
    },
}
FAST = {
    "measures": {"n_draws": 2, "n_permutations": 5, "metrics": ["decoding_accuracy", "separation_modulation"]},
    "verdict": {"min_subjects": 2, "min_sessions": 3},
}


@dataclass(frozen=True)
class Checkout:
    """A copy of the project in which commands run as they would in a clone."""

    folder: Path

    def run(self, *command, check=True):
        """Run a command of this environment; return it finished, with all it said in `stdout`."""
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
        )
        assert done.returncode == 0 or not check, done.stdout
        return done

    def planned(self, *options):
        """Return the rules that a dry run would run, and how often each."""
        said = self.run("snakemake", "--dry-run", "--cores", 2, *options).stdout
        if "Job stats:" not in said:
            assert "Nothing to be done" in said, said
            return {}
        table = said.split("Job stats:")[1].split("total")[0].splitlines()[3:]
        return {name: int(count) for name, count in (line.split() for line in table if line.strip())}

    def config(self, name, **sections):
        """Write a config of the demo's study with other sections; return its path."""
        values = {key: value for key, value in DEMO.items() if key not in ("simulate", "networks")} | FAST
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values | {"study": name} | sections))
        return path

    @property
    def environment(self):
        """The environment of a command: this copy of the package comes first."""
        return os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def copy_of(source, folder):
    """Copy the files of a checkout with their times."""
    hidden = shutil.ignore_patterns("__pycache__", ".*cache")
    for name in ("piriform", "workflow", "config"):
        shutil.copytree(source / name, folder / name, ignore=hidden)
    return Checkout(folder)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A checkout of which all runs of these tests are made."""
    return copy_of(ROOT, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def finished(checkout):
    """A checkout in which the tiny study `tiny` has been simulated and analysed with two cores."""
    config = checkout.config("tiny", data="data/tiny", simulate=TINY)
    checkout.run("snakemake", "--cores", 2, "--configfile", config)
    return checkout


@pytest.fixture
def edited(finished):
    """Append a line to a module of the checkout; the file is as it was afterwards."""
    before = {}

    def edit(name, text):
        path = finished.folder / "piriform" / name
        before[path] = (path.read_bytes(), path.stat())
        path.write_bytes(before[path][0] + text)

    yield edit
    for path, (content, stat) in before.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
