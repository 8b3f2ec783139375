import json
import os
import subprocess
import sys

import pytest

from piriform import run
from piriform.config import load_config
from piriform.errors import ConfigError, PiriformError, StudyError
from piriform.run import (
    claimed,
    closing_lines,
    default_config,
    read_verdict,
    run_command,
    snakemake_command,
    start,
    study_config,
    workflow_folder,
)

CONFIG = "study: mine\ndata: elsewhere\nclasses: {target: [t], nontarget: [n]}\n"


@pytest.fixture
def study(tmp_path):
    """A folder with one file that is named like a recording."""
    folder = tmp_path / "my study"
    folder.mkdir()
    (folder / "a.nwb").write_bytes(b"")
    return folder


@pytest.fixture(autouse=True)
def let_go():
    """Free the folders that a test has claimed."""
    yield
    while run._CLAIMS:
        run._CLAIMS.pop().close()


def test_the_default_config_maps_the_columns_of_the_demo(study):
    config = study_config(study)
    demo = load_config(default_config())
    assert (config.study, config.data, config.results) == ("my-study", str(study), "results")
    assert config.simulate is None
    assert (config.trials, config.classes) == (demo.trials, demo.classes)


def test_a_config_keeps_its_name_and_gets_the_folders(study, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    config = study_config(study, config=path, out=tmp_path / "out")
    assert (config.study, config.data) == ("mine", str(study))
    assert config.out == tmp_path / "out" / "mine"


def test_one_file_is_a_study(study):
    assert study_config(study / "a.nwb").data == [str(study / "a.nwb")]


def test_a_study_that_is_made_need_not_be_there(tmp_path):
    config = study_config(tmp_path / "new", config=default_config())
    assert config.simulate
    assert config.data == str(tmp_path / "new")


def test_a_study_without_recordings_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"no \.nwb file in"):
        study_config(tmp_path)


def test_an_unknown_key_is_named_with_its_file(study, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG + "bogus: 1\n")
    with pytest.raises(ConfigError, match=r"c.yaml: unknown key 'bogus'"):
        study_config(study, config=path)


def test_the_written_config_is_complete_and_means_the_same(study, tmp_path):
    config = study_config(study, out=tmp_path)
    path = start(config)
    assert path == tmp_path / "my-study" / "config.yaml"
    assert load_config(path) == config
    assert "n_folds: 5" in path.read_text()


def test_starting_removes_what_a_killed_run_had_begun(study, tmp_path):
    config = study_config(study, out=tmp_path)
    begun = config.out / "parts" / ".metrics_Q.csv.77.tmp"
    begun.parent.mkdir(parents=True)
    begun.write_text("half a ta")
    start(config)
    assert not begun.exists()


def test_a_folder_is_claimed_by_one_process_until_it_ends(tmp_path):
    hold = f"from piriform.run import claim; import sys; claim({str(tmp_path)!r}); print('held', flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StudyError, match=r"another run is writing there; wait for it or stop it first"):
        run.claim(tmp_path)
    holder.kill()
    holder.communicate()
    run.claim(tmp_path)
    assert len(claimed()) == 1


def test_a_child_shares_the_claim(tmp_path):
    run.claim(tmp_path)
    (number,) = claimed()
    assert run_command([sys.executable, "-c", f"import os; os.fstat({number})"]) == 0


def test_the_exit_code_of_a_command_is_returned():
    assert run_command([sys.executable, "-c", "raise SystemExit(3)"]) == 3


TERMINATED = """
import os, signal, sys, threading, time
from piriform.run import run_command

def ask():
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # nobody listens yet
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=ask).start()
print(run_command([sys.executable, "-c", "import time; time.sleep(600)"]))
"""


def test_a_request_to_terminate_is_handed_on():
    done = subprocess.run([sys.executable, "-c", TERMINATED], capture_output=True, text=True, timeout=300)
    assert done.stdout == "-15\n", done.stderr


def test_the_command_has_one_config_and_a_profile():
    folder = workflow_folder()
    command = snakemake_command(default_config(), cores=3)
    assert command[:3] == [sys.executable, "-m", "snakemake"]
    assert command.count("--configfile") == 1
    assert command[command.index("--workflow-profile") + 1] == str(folder / "profiles" / "default")
    assert "--profile" not in command
    slurm = snakemake_command(default_config(), cores=3, profile="slurm")
    assert slurm[slurm.index("--workflow-profile") + 1] == str(folder / "profiles" / "slurm")
    other = snakemake_command(default_config(), cores=3, profile="/lab/cluster")
    assert other[other.index("--profile") + 1] == "/lab/cluster"
    assert other[other.index("--workflow-profile") + 1] == str(folder / "profiles" / "default")


def test_a_package_without_its_workflow_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "PACKAGE", tmp_path / "piriform")
    with pytest.raises(PiriformError, match="no Snakefile beside or inside"):
        workflow_folder()
    with pytest.raises(PiriformError, match=r"no config.yaml beside or inside"):
        default_config()


def test_a_wheel_holds_its_workflow_inside(monkeypatch, tmp_path):
    inside = tmp_path / "piriform" / "_workflow"
    inside.mkdir(parents=True)
    for name in ("Snakefile", "config.yaml"):
        (inside / name).touch()
    monkeypatch.setattr(run, "PACKAGE", tmp_path / "piriform")
    assert workflow_folder() == inside
    assert default_config() == inside / "config.yaml"


def test_the_closing_lines(tmp_path):
    (tmp_path / "verdict.json").write_text(json.dumps({"verdict": "no evidence", "sentence": "Nothing rises."}))
    said = closing_lines(tmp_path).splitlines()
    assert said == ["verdict: no evidence. Nothing rises.", f"report:  {os.path.relpath(tmp_path / 'report.html')}"]


def test_results_without_a_verdict_are_refused(tmp_path):
    with pytest.raises(StudyError, match=r"verdict.json: no such file; expected a folder of results"):
        read_verdict(tmp_path)
    (tmp_path / "verdict.json").write_text("{")
    with pytest.raises(StudyError, match=r"verdict.json: not the verdict of a study"):
        read_verdict(tmp_path)
