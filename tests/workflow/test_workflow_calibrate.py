import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

pytestmark = pytest.mark.workflow

SMALL = ("--studies", "2", "--scenarios", "gain,null", "--subjects", "3", "--days", "14")
FILES = ("studies.csv", "calibration.csv", "figures/calibration.png", "figures/calibration.svg")


@pytest.fixture(scope="module")
def whole(checkout):
    """A small calibration with two cores, and what it said."""
    done = checkout.run("piriform.cli", "calibrate", *SMALL, "--out", "whole")
    return checkout.folder / "whole" / "calibration", done.stdout


def test_a_calibration_leaves_its_tables_and_says_what_they_hold(whole):
    out, said = whole
    studies = pd.read_csv(out / "studies.csv", keep_default_na=False)
    assert studies["scenario"].tolist() == ["null", "null", "gain", "gain"]
    assert studies["study"].tolist() == [0, 1, 0, 1]
    lines = said.strip().splitlines()[-2:]
    assert [line.split()[:2] for line in lines] == [["null", "2"], ["gain", "2"]]
    assert all((out / name).stat().st_size for name in FILES)
    assert "null 1: " in (out / "logs" / "null_000.log").read_text()


def test_a_killed_calibration_goes_on_and_one_core_gives_the_bytes_of_two(checkout, whole):
    command = ["piriform.cli", "calibrate", *SMALL, "--out", "killed", "--cores", "1"]
    out = checkout.folder / "killed" / "calibration"
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=checkout.folder,
        env=checkout.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 600
    while len(list(out.glob("logs/*.log"))) < 2:  # the second job has begun, so that the first is known to be done
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    part = min(out.glob("parts/*.csv"), key=lambda path: path.stat().st_mtime_ns)
    written = part.stat().st_mtime_ns
    checkout.run(*command, "--json")
    assert part.stat().st_mtime_ns == written
    for name in FILES:
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes(), name


def test_more_scenarios_leave_what_is_there(checkout, whole):
    part = whole[0] / "parts" / "null_000.csv"
    written = part.stat().st_mtime_ns
    more = [*SMALL[:3], "null,steady", *SMALL[4:], "--out", "whole", "--json"]
    said = checkout.run("piriform.cli", "calibrate", *more).stdout
    assert part.stat().st_mtime_ns == written
    table = json.loads(said[said.index("[\n") :])
    assert [row["scenario"] for row in table] == ["null", "steady"]
    assert [row["bar"] for row in table] == [0.05, 0.05]


def test_bad_input_is_one_sentence(checkout):
    def said(*options):
        done = checkout.run("piriform.cli", "calibrate", *options, check=False)
        return done.returncode, done.stdout

    code, text = said("--scenarios", "null,gian")
    assert (code, text) == (2, text)
    assert text.startswith("error: unknown scenario 'gian' (did you mean 'gain'?)")
    assert said("--studies", "0")[0] == 2
    (checkout.folder / "file").touch()
    code, text = said("--out", "file")
    assert code == 1
    assert text.startswith("error: file/calibration: cannot be written")
    code, text = said("--like", "nowhere")
    assert code == 2
    assert "no such file" in text
