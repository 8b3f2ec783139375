"""The workflow on a real Slurm of one node: the same bytes as without, and what becomes of a job that Slurm ends."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from slurm_cluster import MISSING, slurm_cluster

from piriform.run import workflow_folder

PLUGIN = importlib.util.find_spec("snakemake_executor_plugin_slurm")
pytestmark = [pytest.mark.workflow, pytest.mark.slow]
needs_slurm = pytest.mark.skipif(
    bool(MISSING) or PLUGIN is None,
    reason=f"no {MISSING[0] if MISSING else 'snakemake-executor-plugin-slurm'} on this machine; "
    "on Debian: apt-get install slurm-wlm munge, and pip install 'piriform[slurm]'",
)
CONCLUSION = "rule_conclude_figures_render_transitions_verdict"
CLUSTER = {
    "default-resources": {"slurm_partition": "work"},  # the test's cluster has no default partition
    "slurm-init-seconds-before-status-checks": 1,
}


@dataclass(frozen=True)
class Run:
    """How a run on the cluster ended, what it said, and the cluster's jobs until then."""

    folder: Path
    code: int
    said: str
    jobs: list

    def states(self, rule):
        """Return the states of a rule's jobs, in the order of their submission."""
        return [state for _, state, _, _, _, comment in self.jobs if comment == f"rule_{rule}"]


@pytest.fixture(scope="module")
def cluster():
    """A Slurm of one node that claims four cores."""
    with slurm_cluster(cpus=4) as running:
        yield running


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """An empty folder but for the recordings and the config of the study that was analysed without Slurm."""
    folder = tmp_path_factory.mktemp("cluster")
    shutil.copytree(finished.folder / "data" / "tiny", folder / "data" / "tiny")
    shutil.copy(finished.folder / "tiny.yaml", folder)
    (folder / "site").mkdir()
    (folder / "site" / "profile.yaml").write_text(yaml.safe_dump(CLUSTER))
    return folder


def run_on(cluster, finished, folder, *, meanwhile=lambda process: None):
    """Run the study with the profile of the workflow, as a person would, beside the one of the cluster."""
    process = subprocess.Popen(
        [sys.executable, "-m", "piriform.cli", "run", "data/tiny", "--config", "tiny.yaml", "--profile", "slurm"],
        cwd=folder,
        env=finished.environment | cluster.environment | {"SNAKEMAKE_PROFILE": str(folder / "site")},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        meanwhile(process)
        said, _ = process.communicate(timeout=900)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            print(process.communicate()[0], cluster.logs())
    return Run(folder, process.returncode, said, cluster.jobs())


@pytest.fixture(scope="module")
def cancelled(cluster, finished, folder):
    """A run of which one job was cancelled while it ran."""

    def cancel(process):
        until = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < until:
            for number, state, *_, comment in cluster.jobs():
                if (state, comment) == ("RUNNING", "rule_measure_wildcards_R"):
                    cluster.ask("scancel", number)
                    return
            time.sleep(0.5)

    return run_on(cluster, finished, folder, meanwhile=cancel)


@pytest.fixture(scope="module")
def resumed(cluster, finished, cancelled):
    """The same run once more, to its end."""
    return run_on(cluster, finished, cancelled.folder)


def results(folder):
    """Return the content of every table, verdict and figure, by name."""
    out = folder / "results" / "tiny"
    paths = (path for kind in ("*.csv", "*.parquet", "verdict.json", "figures/*") for path in out.glob(kind))
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


@needs_slurm
def test_a_job_that_slurm_ends_fails_the_run_and_is_named(cancelled):
    assert cancelled.code == 1, cancelled.said
    (number,) = (number for number, state, *_ in cancelled.jobs if state == "CANCELLED")
    assert "Error in rule measure:" in cancelled.said
    assert f"SLURM-job '{number}' failed, SLURM status is: 'CANCELLED'" in cancelled.said
    assert cancelled.said.splitlines()[-1] == "error: the run failed; what the jobs said: results/tiny/logs"
    assert not (cancelled.folder / "results" / "tiny" / "verdict.json").exists()
    assert cancelled.states("measure_wildcards_Q") == ["COMPLETED"], "the other subject goes on"


@needs_slurm
def test_slurm_gives_the_bytes_of_two_cores(resumed, finished):
    assert resumed.code == 0, resumed.said
    assert {"metrics.csv", "behavior.csv", "verdict.json"} <= set(results(finished.folder))
    assert results(resumed.folder) == results(finished.folder)
    assert resumed.said.splitlines()[-1] == "report:  results/tiny/report.html"


@needs_slurm
def test_every_job_went_through_slurm_and_none_twice_but_the_cancelled_one(resumed):
    ran = Counter(re.sub("_wildcards_.*", "", comment) for *_, comment in resumed.jobs)
    per_subject = {"rule_align": 2, "rule_dynamics": 2, "rule_measure": 3}
    assert ran == per_subject | {"rule_index": 1, "rule_kernels": 1, CONCLUSION: 1}
    assert resumed.states("measure_wildcards_R") == ["CANCELLED", "COMPLETED"]
    assert {state for _, state, *_, comment in resumed.jobs if comment != "rule_measure_wildcards_R"} == {"COMPLETED"}


@needs_slurm
def test_a_job_has_what_the_workflow_and_the_cluster_ask_for_it(resumed):
    asked = {comment: (partition, memory, limit) for _, _, partition, memory, limit, comment in resumed.jobs}
    assert asked["rule_measure_wildcards_Q"] == ("work", "8000M", "4:00:00")
    assert asked["rule_index"] == ("work", "4000M", "1:00:00")
    assert asked[CONCLUSION] == ("work", "8000M", "3:00:00"), "two of its four rules at once, in three steps"


def test_the_profile_tells_the_needs_of_every_rule():
    text = "".join(path.read_text() for path in (workflow_folder() / "rules").glob("*.smk"))
    rules = set(re.findall(r"^ *(?:rule|checkpoint) (\w+):", text, flags=re.M))
    local = {"collect_sessions", "collect_metrics"}
    profile = yaml.safe_load((workflow_folder() / "profiles" / "slurm" / "profile.yaml").read_text())
    assert set(profile["set-resources"]) == rules - local
    assert all(set(needs) == {"mem_mb", "runtime"} for needs in profile["set-resources"].values())
