"""The worked examples of docs/examples.md are run as they stand there, and what they print is what the page shows."""

import doctest
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from raster_files import PROBES, TRAINING, simulated, write_session
from servers import DandiHandler, Server
from study_metrics import Named, metrics_csv, script

from piriform.remote import access
from piriform.run import closing_lines, study_config
from piriform.tables import METRICS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGE = (DOCS / "examples.md").read_text()
RAW = 2_000_000  # samples
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.M | re.S)


def blocks(section):
    """The blocks of code of one section of the page: language and text."""
    (text,) = [part for part in re.split(r"^## ", PAGE, flags=re.M) if part.startswith(section + "\n")]
    return BLOCK.findall(text)


def commands(text):
    """The commands of a block of a terminal, and what each prints; "..." stands for what is left out."""
    parts = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.M) if part]
    return [(command, output) for command, _, output in parts]


@pytest.fixture
def follow(piriform, tmp_path, monkeypatch):
    """Do in an empty folder what a section says; return the exit code of each of its commands."""
    monkeypatch.chdir(tmp_path)

    def run(section, *, files=None, do=None):
        codes = []
        for language, text in blocks(section):
            name = re.match(r"# (\S+\.\w+)\n", text)
            if text.startswith(">>> "):
                _doctest(text, section)
            elif name:
                Path(name[1]).write_text((files or {}).get(name[1], str)(text))
            else:
                assert language == "console", f"a block that is neither a file nor a command: {text[:60]!r}"
                for command, expected in commands(text):
                    code, said = _done(command, piriform, do or {})
                    codes.append(code)
                    _compare(expected, said, command)
        return codes

    return run


def _done(command, piriform, do):
    """The exit code of a command and all that it says."""
    words = shlex.split(command)
    if command in do:
        return do[command](words)
    if words[0] == "piriform":
        code, out, err = piriform(*words[1:])
        return code, out + err
    if words[0] == "python":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_path(words[1])
        return 0, ""
    done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    return done.returncode, done.stdout


def _compare(expected, said, command):
    same = doctest.OutputChecker().check_output(expected, said, doctest.ELLIPSIS)
    assert same, f"docs/examples.md, {command}, shows\n{expected}\nbut it says\n{said}"


def _doctest(text, section):
    test = doctest.DocTestParser().get_doctest(text, {}, section, "examples.md", 0)
    said = []
    failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append).failed
    assert not failed, "".join(said)


# Own NWB --------------------------------------------------------------------------------------

RUN = "piriform run nwb --config lab.yaml"


def _scripts(words):
    """What ``piriform run`` computes up to the verdict, without Snakemake, figures and report."""
    config = study_config(words[2], config=words[4])
    with access(config.remote):
        metrics = metrics_csv(config.data, config, config.out)
    tables = {kind: config.out / f"{kind}.csv" for kind in ("sessions", "behavior", "ladder", "index")}
    parts = {kind: sorted(config.out.glob(f"{kind}_*.csv")) for kind in ("sessions", "behavior")}
    script("collect_sessions")(Named(parts, index=tables["index"]), Named(tables))
    script("verdict")(Named(tables, metrics=metrics), Named(verdict=config.out / "verdict.json"), settings=config)
    return 0, f"...\n{closing_lines(config.out)}\n"


def _snakemake(words):
    command = [sys.executable, "-m", "piriform.cli", *words[1:]]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "runs", [_scripts, pytest.param(_snakemake, marks=[pytest.mark.workflow, pytest.mark.slow], id="snakemake")]
)
def test_own_nwb(follow, runs):
    assert follow("Your own NWB files", do={RUN: runs}) == [0, 1, 0, 0]


# Tables ---------------------------------------------------------------------------------------


def test_tables(follow):
    assert follow("Tables") == [0, 1, 1, 0]
    script("index")(Named(sessions="index.csv"), settings=study_config("rat", config="rat.yaml"))
    found = pd.read_csv("index.csv", index_col="file", keep_default_na=False)
    refused = found.loc["study/sessions.csv: subject 'R7' session 's3'"]
    assert (len(found), refused["included"]) == (3, False)
    assert refused["reason"].startswith("not converted: the last spike is at 409972 s")


# A published format ---------------------------------------------------------------------------


def _another_choice(unit, raster, fields):
    """One unit's labels say something else of the first trial."""
    if unit == 3:
        first, *others = fields["lick_choice"]
        fields = fields | {"lick_choice": ["left" if first == "right" else "right", *others]}
    return raster, fields


def test_published_format(follow):
    shutil.copytree(ROOT / "config", "config")
    first, second, third = simulated(days=3, trials_start=60, trials_end=60, no_choice=0.02)
    source = Path("berners_lee_2023")
    write_session(source / TRAINING, first, day=1)
    (twice, *_) = write_session(source / TRAINING, second, day=2, first=6)
    shutil.copy(twice, twice.with_name("raster_Q_02_unit0011.mat"))
    write_session(source / PROBES, third, day=3, first=12, change=_another_choice)
    assert follow("A published format") == [1, 0, 0]


# A dandiset -----------------------------------------------------------------------------------

ADDRESS = "dandi://000123@0.240101.0900/sub-M1"


def test_dandiset(follow):
    pytest.importorskip("dandi", reason="needs the extra `dandi`")
    _, script = blocks("Your own NWB files")[0]
    Path("make_nwb.py").write_text(script)
    _done("python make_nwb.py", None, {})
    served = Path("served/sub-M1")
    served.mkdir(parents=True)
    for path in sorted(Path("nwb").glob("*.nwb")):
        _add_raw(path)
        path.rename(served / f"sub-{path.name.replace('day', 'ses-day')}")
    size = sum(path.stat().st_size for path in served.iterdir())
    sent = []

    def run(words):
        sent.append(server.does.sent)
        return _scripts(words)

    with Server(served.parent, DandiHandler) as server:
        more = f"  dandi_api: {server.url}/api\nmeasures: {{n_draws: 2, n_permutations: 0}}\n"
        files, do = {"dandi.yaml": lambda text: text + more}, {f"piriform run {ADDRESS} --config dandi.yaml": run}
        assert follow("A dandiset", files=files, do=do) == [0, 0]
        sent.append(server.does.sent - sent[0])
    told = re.search(r"([\d.]+) of the ([\d.]+) MB of the four files", PAGE).groups()
    np.testing.assert_allclose([sent[0] / 1e6, size / 1e6], [float(number) for number in told], rtol=0.1)
    assert sent[1] < 0.01 * sent[0]


def _add_raw(path):
    from pynwb import NWBHDF5IO, TimeSeries

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(path, "a") as io:
            file = io.read()
            file.add_acquisition(TimeSeries(name="raw", data=np.zeros(RAW, dtype="i2"), rate=3e4, unit="V"))
            io.write(file)


# The page of what is needed -------------------------------------------------------------------


def test_every_metric_has_what_it_needs():
    text = (DOCS / "your-own-data.md").read_text().split("## What each metric needs")[1].split("\n## ")[0]
    first_cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    named = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(METRICS)
