"""How is the workflow started on a study, and what does a run leave?

The command line and the Snakefile share these: the one config of a run, the claim on its results
folder, and the closing lines.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from piriform.config import Config, load_config, parse_config
from piriform.errors import PiriformError, StudyError
from piriform.provenance import PACKAGE, atomic_path
from piriform.remote import is_remote, name_of
from piriform.study import local_files

_CLAIMS: list[IO[str]] = []  # open files keep their locks until the process ends


def workflow_folder() -> Path:
    """Return the folder of the Snakefile: beside the package in a checkout, inside it in a wheel."""
    for folder in (PACKAGE.parent / "workflow", PACKAGE / "_workflow"):
        if (folder / "Snakefile").is_file():
            return folder
    raise PiriformError(f"no Snakefile beside or inside {PACKAGE}; install piriform again")


def default_config() -> Path:
    """Return the config of the demo study, which stands beside the workflow."""
    for path in (PACKAGE.parent / "config" / "config.yaml", PACKAGE / "_workflow" / "config.yaml"):
        if path.is_file():
            return path
    raise PiriformError(f"no config.yaml beside or inside {PACKAGE}; install piriform again")


def study_config(study: str | Path, *, config: str | Path | None = None, out: str | Path | None = None) -> Config:
    """Return the config of one run: the file's values with the study's folder and results filled in.

    Parameters
    ----------
    study : folder of NWB files, one file, or the address of either; replaces `data`
    config : YAML file; without one the columns and classes of the demo study are assumed and the
        study is named after its folder
    out : folder for results; replaces `results`

    Raises
    ------
    ConfigError
        If the file breaks the schema.
    StudyError
        If there is no NWB file and nothing in the config makes one.
    """
    chosen = load_config(config or default_config()).model_dump(mode="json", exclude_unset=True)
    chosen["data"] = [str(study)] if Path(study).is_file() else str(study)
    if config is None:
        for part in ("simulate", "networks"):
            chosen.pop(part, None)
        name = name_of(str(study)) if is_remote(study) else Path(study).resolve().stem.removesuffix(".nwb")
        chosen["study"] = re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip("._-") or "study"
    if out is not None:
        chosen["results"] = str(out)
    checked = parse_config(chosen, where=str(config or "config"))
    if not (checked.simulate or checked.convert):
        local_files(checked.data)
    return checked


def start(config: Config) -> Path:
    """Claim the results folder and write the complete config, defaults included; return its path.

    What a killed run had begun to write is removed.

    Raises
    ------
    StudyError
        If another run holds the folder.
    """
    import yaml

    claim(config.out)
    for begun in config.out.rglob(".*.tmp"):
        begun.unlink(missing_ok=True)
    path = config.out / "config.yaml"
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
    return path


def snakemake_command(config: Path, *, cores: int, profile: str | None = None) -> list[str]:
    """Return the command that runs the workflow with this one config.

    Parameters
    ----------
    profile : one of the workflow's own, or any other that Snakemake finds, beside the default one

    Examples
    --------
    >>> snakemake_command(Path("c.yaml"), cores=2)[-5:]
    ['--no-hooks', '--configfile', 'c.yaml', '--cores', '2']
    """
    folder = workflow_folder()
    own = profile is None or (folder / "profiles" / profile).is_dir()
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(folder / "Snakefile")),
        *("--workflow-profile", str(folder / "profiles" / (profile if profile and own else "default"))),
        *(() if own else ("--profile", str(profile))),
        "--no-hooks",
        *("--configfile", str(config)),
        *("--cores", str(cores)),
    ]


def claim(out: str | Path) -> None:
    """Hold a results folder until this process ends, however it ends.

    The kernel frees the lock of a process that was killed, so nothing has to be unlocked by hand.

    Raises
    ------
    StudyError
        If another run holds the folder.
    """
    import fcntl

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    stream = open(folder / ".lock", "a")  # noqa: SIM115
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise StudyError(f"{folder}: another run is writing there; wait for it or stop it first") from None
    except OSError:  # a file system without locks
        pass
    _CLAIMS.append(stream)


def claimed() -> tuple[int, ...]:
    """Return the open files that hold this process's claims, to hand on to a child."""
    return tuple(stream.fileno() for stream in _CLAIMS)


def run_target(config: Config, target: str, *, cores: int = 2) -> int:
    """Run the workflow up to one target; return Snakemake's exit code.

    Raises
    ------
    StudyError
        If the results folder cannot be written, or another run holds it.
    """
    try:
        path = start(config)
    except OSError as error:
        raise StudyError(
            f"{config.out}: cannot be written ({error.strerror}); choose another folder with --out"
        ) from None
    return run_command([*snakemake_command(path, cores=cores), target])


def run_command(command: Sequence[str]) -> int:
    """Run a command that shares this process's claims; return its exit code.

    An interrupt from the terminal reaches the command itself, which is given the time to stop its
    jobs. A request to terminate is handed on.
    """
    process = subprocess.Popen(command, pass_fds=claimed())
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def redraw(results: str | Path) -> Path:
    """Draw the figures and the report of finished results again; return the report's path."""
    from piriform.figures import draw_all
    from piriform.report import render
    from piriform.tables import load_table

    folder = Path(results)
    verdict = read_verdict(folder)
    config = load_config(folder / "config.yaml")
    kinds = ("sessions", "behavior", "metrics", "predictions", "dynamics", "transitions", "similarity", "scatter")
    tables = {kind: load_table(folder / f"{kind}.csv", kind) for kind in kinds}
    draw_all(tables, verdict, folder / "figures")
    page = render(tables, verdict, folder / "figures", title=config.study, config=config.model_dump(mode="json"))
    with atomic_path(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / "report.html"


def closing_lines(out: str | Path) -> str:
    """Return the verdict in one line and the report's path in another; nothing if only a part was run."""
    if not (Path(out) / "verdict.json").exists():
        return ""
    verdict = read_verdict(out)
    report = os.path.relpath(Path(out) / "report.html")
    return f"verdict: {verdict['verdict']}. {verdict['sentence']}\nreport:  {report}"


def read_verdict(out: str | Path) -> dict[str, Any]:
    """Return the contents of ``verdict.json``; raises :class:`StudyError` if there is none."""
    path = Path(out) / "verdict.json"
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file; expected a folder of results, run the study first") from None
    except ValueError as error:
        raise StudyError(f"{path}: not the verdict of a study ({error}); run the study again") from None
