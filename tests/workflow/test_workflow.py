import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pandas as pd
import pytest

from piriform.config import load_config
from piriform.figures import file_names
from piriform.tables import load_table
from piriform.tables.study import STUDY

pytestmark = pytest.mark.workflow

LAST = {"figures": 1, "render": 1, "all": 1}
TABLES_OF_A_STUDY = (*(f"{kind}.csv" for kind in STUDY), "metrics.parquet", "verdict.json")


def test_a_finished_study_has_every_result(finished):
    out = finished.folder / "results" / "tiny"
    for kind in STUDY:
        assert len(load_table(out / f"{kind}.csv", kind)), kind
    assert sorted(path.name for path in (out / "figures").iterdir()) == sorted(file_names())
    sessions = load_table(out / "sessions.csv", "sessions")
    assert sessions["included"].tolist() == [True] * 6
    assert sessions["subject"].tolist() == ["Q"] * 3 + ["R"] * 3
    pd.testing.assert_frame_equal(
        pd.read_parquet(out / "metrics.parquet"), load_table(out / "metrics.csv", "metrics"), check_dtype=False
    )
    rules = {path.stem.partition("_")[0] for path in (out / "logs").iterdir()}
    assert rules == {
        "simulate",
        "index",
        "align",
        "kernels",
        "measure",
        "dynamics",
        "collect",
        "verdict",
        "transitions",
        "figures",
        "report",
    }
    assert {path.stem for path in (out / "benchmarks").iterdir()} == {path.stem for path in (out / "logs").iterdir()}


def test_nothing_is_done_twice(finished):
    assert finished.planned("--configfile", "tiny.yaml") == {}


def test_the_default_config_is_the_demo_and_another_one_is_not_merged_into_it(finished):
    assert finished.planned()["simulate"] == 1
    shutil.copytree(finished.folder / "data" / "tiny", finished.folder / "data" / "own", dirs_exist_ok=True)
    own = finished.config("own", data="data/own")
    assert "simulate" not in finished.planned("--configfile", own)


@pytest.mark.parametrize(
    ("module", "jobs"),
    [
        ("progress.py", {"verdict": 1} | LAST),
        ("saturation.py", {"transitions": 1} | LAST),
        ("figures/style.py", LAST),
        ("geometry.py", {"measure": 2, "collect_metrics": 1, "verdict": 1, "transitions": 1} | LAST),
        ("dynamics.py", {"dynamics": 2, "collect_metrics": 1, "verdict": 1, "transitions": 1} | LAST),
        (
            "align.py",
            {
                "align": 2,
                "measure": 2,
                "dynamics": 2,
                "collect_sessions": 1,
                "collect_metrics": 1,
                "verdict": 1,
                "transitions": 1,
            }
            | LAST,
        ),
        ("simulate/task.py", None),
    ],
)
def test_an_edited_module_reruns_exactly_the_jobs_behind_it(finished, edited, module, jobs):
    edited(module, b"\n# edited\n")
    planned = finished.planned("--configfile", "tiny.yaml")
    if jobs is None:  # from the first job on; what follows the checkpoint is planned once it has run
        assert planned["simulate"] == planned["index"] == 1
    else:
        assert planned == jobs


def test_a_touched_module_reruns_nothing(finished, edited):
    edited("geometry.py", b"")
    assert finished.planned("--configfile", "tiny.yaml") == {}


def test_a_changed_setting_reruns_what_uses_it(finished):
    config = (finished.folder / "tiny.yaml").read_text()
    changed = finished.folder / "changed.yaml"
    changed.write_text(config.replace("min_sessions: 3", "min_sessions: 4"))
    assert finished.planned("--configfile", changed) == {"verdict": 1} | LAST
    changed.write_text(config.replace("n_draws: 2", "n_draws: 3"))
    assert set(finished.planned("--configfile", changed)) == {
        "measure",
        "dynamics",
        "collect_metrics",
        "verdict",
        "transitions",
        *LAST,
    }


def test_an_unknown_key_is_refused_in_one_line(finished):
    config = finished.config("wrong", trials={"stimulsu": "odor"})
    done = finished.run("snakemake", "--cores", 1, "--configfile", config, check=False)
    assert done.returncode != 0
    assert "unknown key 'trials.stimulsu' (did you mean 'stimulus'?)" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (finished.folder / "results" / "wrong").exists()


def wait_for(path, process, seconds=600):
    """Wait until a job has written a file."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, f"the run ended before it wrote {path}"
        assert time.monotonic() < until, f"no {path} after {seconds} s"
        time.sleep(0.05)


def test_a_killed_run_resumes_and_one_core_gives_the_bytes_of_two(finished):
    config = finished.config("again", data="data/tiny")
    out = finished.folder / "results" / "again"
    command = ["snakemake", "--cores", "1", "--configfile", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=finished.folder,
        env=finished.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(out / "parts" / "metrics_Q.csv", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    written = (out / "trials" / "Q.nc").stat().st_mtime_ns
    (out / "parts" / ".metrics_R.csv.1.tmp").write_text("half a ta")
    finished.run(*command)
    assert (out / "trials" / "Q.nc").stat().st_mtime_ns == written
    for name in TABLES_OF_A_STUDY[:-1]:
        assert (out / name).read_bytes() == (finished.folder / "results" / "tiny" / name).read_bytes(), name
    one, two = (json.loads((folder / "verdict.json").read_text()) for folder in (out, out.parent / "tiny"))
    assert one.pop("config_sha256") != two.pop("config_sha256")
    assert one == two
    assert list(out.rglob("*.tmp")) == []


def test_a_run_is_refused_while_another_one_writes_there(finished):
    hold = (
        "import sys; from piriform.run import claim; claim('results/held'); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold],
        cwd=finished.folder,
        env=finished.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        config = finished.config("held", data="data/tiny")
        for command in (
            ["snakemake", "--cores", 1, "--configfile", config],
            ["piriform.cli", "run", "data/tiny", "--config", config],
        ):
            done = finished.run(*command, check=False)
            assert done.returncode == 1
            assert "another run is writing there" in done.stdout
    finally:
        holder.communicate()


def test_one_bad_file_is_left_out_with_its_reason_and_the_others_go_on(finished):
    study = finished.folder / "data" / "torn"
    shutil.copytree(finished.folder / "data" / "tiny", study)
    (torn, *_) = sorted(study.rglob("*.nwb"))
    torn.write_bytes(torn.read_bytes()[:20000])
    done = finished.run("piriform.cli", "run", "data/torn", "--config", finished.config("torn"), "--cores", 2)
    sessions = load_table(finished.folder / "results" / "torn" / "sessions.csv", "sessions")
    assert sessions["included"].tolist() == [True] * 5 + [False]
    left_out = sessions.iloc[-1]
    assert left_out["file"] == str(torn.relative_to(finished.folder))
    assert left_out["reason"]
    *_, verdict, report = done.stdout.splitlines()
    assert verdict.startswith("verdict: ")
    assert report == "report:  results/torn/report.html"
    assert load_config(finished.folder / "results" / "torn" / "config.yaml").data == "data/torn"


def test_a_study_of_bad_files_fails_with_the_reasons_and_leaves_the_table_of_sessions(finished):
    study = finished.folder / "data" / "bad"
    study.mkdir()
    (study / "a.nwb").write_bytes(b"")
    (study / "b.nwb").write_text("version https://git-lfs.github.com/spec/v1\n")
    config = finished.config("bad", data="data/bad")
    done = finished.run("piriform.cli", "run", "data/bad", "--config", config, check=False)
    assert done.returncode == 1
    assert "error: no session could be analysed (" in done.stdout
    sessions = load_table(finished.folder / "results" / "bad" / "sessions.csv", "sessions")
    assert sessions["included"].tolist() == [False, False]
    assert all(sessions["reason"])
    assert not (finished.folder / "results" / "bad" / "verdict.json").exists()


def test_snakemake_makes_its_own_report(finished):
    path = finished.folder / "snakemake-report.zip"
    finished.run("snakemake", "--configfile", "tiny.yaml", "--report", path)
    names = zipfile.ZipFile(path).namelist()
    assert sum(name.endswith(".png") for name in names) == len(file_names()) // 2


def test_the_workflow_has_no_lint(finished):
    said = finished.run("snakemake", "--configfile", "tiny.yaml", "--lint", check=False).stdout
    complaints = [line.strip() for line in said.splitlines() if line.lstrip().startswith("* ")]
    assert {line for line in complaints if "conda environment or container" not in line} == set(), said
