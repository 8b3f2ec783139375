"""A module may import only from groups above its own; the arrows of the design point one way."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "piriform"
GROUPS = (
    ("errors", "provenance", "trials", "tables", "config"),
    ("filters", "remote", "nwb_writer", "nwb", "convert"),
    ("mapping", "study", "sessions", "align", "splits", "simulate"),
    (
        "arrays",
        "solvers",
        "null",
        "decode",
        "controls",
        "geometry",
        "rsa",
        "selectivity",
        "covariation",
        "margin",
        "generalize",
        "intervals",
        "learning_curve",
        "behavior",
    ),
    ("inclusion", "prepare", "task", "rdms", "families", "tracking", "measure", "views", "dynamics"),
    (
        "stats",
        "serial",
        "group_tests",
        "resampling",
        "mixed",
        "prevalence",
        "divergence",
        "match",
        "comparison",
        "rdm_sets",
        "movement",
        "representations",
        "trends",
        "effects",
        "beside",
        "sensitivity",
        "rungs",
        "progress",
        "spread",
        "power",
        "step_test",
        "saturation",
        "transitions",
    ),
    ("networks",),
    ("figures", "report"),
    ("reference", "run", "calibrate", "model_branch", "check"),
    ("cli",),
)
RANK = {name: (number, position) for number, group in enumerate(GROUPS) for position, name in enumerate(group)}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py")


def top(path):
    """The first name under piriform: of `piriform/convert/wang.py` it is `convert`."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """What a file imports from piriform, as first names; a relative import counts as an empty name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[2] for alias in node.names if alias.name.split(".")[0] == "piriform"}
        elif isinstance(node, ast.ImportFrom) and node.level:
            names.add("")
        elif isinstance(node, ast.ImportFrom) and node.module == "piriform":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("piriform."):
            names.add(node.module.partition(".")[2])
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    own = top(path)
    assert own in RANK, f"{own} stands in no group of the design; add it to GROUPS"
    for name in imported(path) - {own, "__version__"}:
        assert name in RANK, f"{path.name} imports {name!r}: relative, or of no group"
        assert RANK[name] < RANK[own], f"{path.name} imports {name}, which stands above it"


def test_the_test_sees_an_arrow_that_points_up(tmp_path):
    path = tmp_path / "stats.py"
    path.write_text(
        "def f():\n    from piriform.cli import app\n    import piriform.figures.style\n    from . import x\n"
    )
    assert imported(path) == {"cli", "figures", ""}


def test_only_the_reader_and_the_writer_open_nwb():
    users = {top(path) for path in MODULES if "import pynwb" in path.read_text() or "from pynwb" in path.read_text()}
    assert users <= {"nwb", "nwb_writer"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_opens_with_its_question(path):
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")
    assert "?" in lines[0], f"{path.name}: the first paragraph of the docstring asks no question"
