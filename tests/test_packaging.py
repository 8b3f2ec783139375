"""One version, one list of dependencies, and nothing of the workflow left out of the wheel."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import yaml

import piriform

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: What conda calls by another name, and what pip's extra adds that conda has anyway.
CONDA_NAMES = {"matplotlib": "matplotlib-base", "snakemake[reports]": "snakemake"}


def split(requirement):
    """`numpy>=2.0` as (`numpy`, `>=2.0`)."""
    name, bound = re.fullmatch(r"([A-Za-z0-9._\[\]-]+)(.*)", requirement.replace(" ", "")).groups()
    return name, bound


def test_the_version_stands_in_one_way():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == piriform.__version__ == citation["version"]
    assert PROJECT["license"] == citation["license"] == "BSD-3-Clause"


def test_environment_yml_has_the_dependencies_of_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = dict(split(line) for line in listed if isinstance(line, str))
    pip = dict(split(line) for line in PROJECT["dependencies"])
    expected = {CONDA_NAMES.get(name, name): bound for name, bound in pip.items()}
    assert conda == expected | {"python": PROJECT["requires-python"], "pip": ""}


def test_every_dependency_is_pinned_within_its_bounds():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    text = (ROOT / "requirements" / "constraints.txt").read_text()
    assert "://" not in text, "an index address"
    pins = [Requirement(line) for line in text.splitlines() if line and not line.startswith("#")]
    extras = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for needed in map(Requirement, PROJECT["dependencies"] + extras):
        versions = [
            next(iter(pin.specifier)).version
            for pin in pins
            if canonicalize_name(pin.name) == canonicalize_name(needed.name)
        ]
        assert versions, f"{needed.name} is not pinned; see the head of requirements/constraints.txt"
        assert all(version in needed.specifier for version in versions), needed.name


def test_the_wheel_holds_the_package_and_the_workflow(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    workflow = {
        f"piriform/_workflow/{path.relative_to(ROOT / 'workflow')}"
        for path in (ROOT / "workflow").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "piriform").rglob("*.py")}
    assert workflow | package | {"piriform/_workflow/config.yaml"} <= names


def test_make_installs_every_extra_that_a_test_needs():
    makefile = (ROOT / "Makefile").read_text()
    installed = set(re.search(r"^EXTRAS := (.*)$", makefile, flags=re.M)[1].split(","))
    assert installed | {"slurm"} == set(PROJECT["optional-dependencies"])
    head = (ROOT / "requirements" / "constraints.txt").read_text().split("\n\n")[0]
    assert set(re.findall(r"--extra (\w+)", head)) == set(PROJECT["optional-dependencies"])


def test_an_error_names_no_extra_that_does_not_exist():
    texts = [path.read_text() for path in (ROOT / "piriform").rglob("*.py")]
    named = {extra for text in texts for extra in re.findall(r'"piriform\[(\w+)\]"', text)}
    named |= set(re.findall(r'missing_extra\(url, "(\w+)"\)', "".join(texts)))
    assert {"zarr", "remote", "dandi"} <= named <= set(PROJECT["optional-dependencies"])


def test_the_console_script_is_there():
    assert PROJECT["scripts"] == {"piriform": "piriform.cli:main"}


def test_the_makefile_is_posix_and_complete():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", text, flags=re.M))
    assert {"help", "setup", "demo", "test", "lint", "docs", "bench", "clean"} <= targets
    assert "[[" not in text, "[[ is not POSIX sh"
    assert re.findall(r"^ +\S", text.replace("\\\n  ", ""), flags=re.M) == [], "a recipe line without a tab"


def test_ci_runs_what_the_readme_promises():
    ci = (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("make demo", "make test"):
        assert command in ci
        assert command in readme
    subprocess.run(["bash", "-n", ROOT / ".ci" / "run"], check=True)


def test_names_of_the_catalog_are_where_it_looks():
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert (ROOT / "config" / "README.md").is_file()
    assert (ROOT / "workflow" / "Snakefile").is_file()


def test_a_cluster_run_has_the_settings_of_a_local_one():
    local, slurm = (
        yaml.safe_load((ROOT / "workflow" / "profiles" / name / "profile.yaml").read_text())
        for name in ("default", "slurm")
    )
    assert local.items() <= slurm.items()
    assert slurm["executor"] == "slurm"
