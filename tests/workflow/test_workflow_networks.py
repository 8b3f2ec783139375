"""Networks beside a study: trained, measured, compared with its animals, and put on a page."""

import importlib.util
import json
import os
import shutil

import pytest
import yaml

from piriform.tables import load_table

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None, reason='networks need JAX: pip install "piriform[networks]"'
    ),
]
NETWORKS = {
    "experiments": ["hidden_progress"],
    "seeds": 2,
    "full": False,
    "compare": True,
    "alphas": [1.0, 1000.0],
    "compare_seeds": 2,
}
#: What the networks add, and what says in the verdict and report which config was used.
PARTS = {"network_experiment", "network_figures", "network_subjects", "comparison", "representations", "network_page"}
LAST = {"verdict", "figures", "render"}


@pytest.fixture(scope="module")
def beside(finished, tmp_path_factory):
    """A copy of the checkout with the finished tiny study, so that the study of the other tests stays as it is."""
    folder = tmp_path_factory.mktemp("networks") / "checkout"
    shutil.copytree(finished.folder, folder)
    return type(finished)(folder)


@pytest.fixture(scope="module")
def results(beside):
    """The folder of results of the tiny study, with networks beside it; nothing else was run again."""
    study = {"study": "tiny", "data": "data/tiny"}
    simulate = yaml.safe_load((beside.folder / "tiny.yaml").read_text())["simulate"]
    config = beside.config("networks", **study, simulate=simulate, networks=NETWORKS)
    assert set(beside.planned("--configfile", config)) == {*PARTS, *LAST, "all"}
    beside.run("snakemake", "--cores", 2, "--configfile", config)
    assert beside.planned("--configfile", config) == {}
    return beside.folder / "results" / "tiny"


def test_an_edited_experiment_is_run_again(results, beside):
    path = beside.folder / "piriform" / "networks" / "experiments" / "odor_courses.py"
    before, stat = path.read_bytes(), path.stat()
    path.write_bytes(before + b"\n# edited\n")
    planned = set(beside.planned("--configfile", "networks.yaml"))
    path.write_bytes(before)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert planned == {"network_experiment", "network_figures", "network_page", "all"}


def test_an_experiment_leaves_its_tables_and_figure(results):
    folder = results / "networks" / "hidden_progress"
    for kind in ("measures", "quantities", "effects", "claims"):
        assert len(load_table(folder / f"network_{kind}.csv", f"network_{kind}"))
    assert json.loads((folder / "about.json").read_text())["seeds"] == 2
    assert not (folder / "checkpoints").exists()
    assert (results / "figures" / "networks_hidden_progress.svg").stat().st_size > 10_000


def test_networks_are_measured_as_the_animals_are(results):
    own, animals = (load_table(results / name, "metrics") for name in ("networks/metrics.csv", "metrics.csv"))
    assert set(own["source"]) == {"network"}
    assert set(own["metric"]) <= set(animals["metric"])
    assert set(own["subject"]) == {"alpha 1-0", "alpha 1-1", "alpha 1000-0", "alpha 1000-1"}
    behavior = load_table(results / "networks" / "behavior.csv", "behavior")
    assert behavior.groupby("subject")["accuracy"].max().min() > 0.95


def test_representations_have_rows_or_a_reason(results):
    rdms = load_table(results / "rdms.csv", "rdms")
    assert set(rdms["source"]) == {"neural", "network", "model"}
    found = load_table(results / "representations.csv", "representations")
    assert (found["status"] != "").all()
    assert (results / "figures" / "representations.svg").stat().st_size > 1000
    assert "Do networks arrange the odours as the animals do?" in (results / "networks.html").read_text()


def test_too_few_animals_give_a_reason_and_a_page(results):
    found = load_table(results / "comparison.csv", "comparison")
    assert "of 3 subjects" in found["status"].iloc[0]
    page = (results / "networks.html").read_text()
    assert "Which networks predict the animals?" in page
    assert "targets go on moving away from probes" in page
