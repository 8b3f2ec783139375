"""Networks as subjects: the grid of regimes, with how many units and trials, and what is recorded."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from study_metrics import Named, script

from piriform import config
from piriform.comparison import regime_series
from piriform.config.networks import LOSSES
from piriform.errors import StudyError
from piriform.measure import session_metrics
from piriform.networks import subjects
from piriform.networks.answers import plateaus
from piriform.networks.architectures import Network
from piriform.networks.ensemble import Training
from piriform.networks.losses import LOSSES as TRAINED
from piriform.networks.odors import boundary_remarks, odor_task
from piriform.networks.record import Recording
from piriform.networks.spikes import SpikeNoise
from piriform.networks.subjects import DESIGNS, counts_like, network_subjects, regimes
from piriform.networks.train import train
from piriform.provenance import rng_for
from piriform.tables import check_table, empty_table, load_table, save_table
from piriform.task import composition
from piriform.tracking import sessions_before
from piriform.trials import load_trials, session_names


def test_every_output_scale_is_trained_with_every_loss_and_rank():
    grid = regimes(
        config.Networks(alphas=[0.1, 1000], losses=["cross-entropy", "hinge 0.10", "stablemax"], ranks=[0, 4])
    )
    assert len(grid) == 12
    assert [condition.name for condition in grid[:6]] == [
        "alpha 0.1",
        "alpha 0.1, rank 4",
        "alpha 0.1, hinge 0.1",
        "alpha 0.1, hinge 0.1, rank 4",
        "alpha 0.1, stablemax",
        "alpha 0.1, stablemax, rank 4",
    ]
    assert [(one.loss, one.threshold, one.rank) for one in grid[2:4]] == [("hinge", 0.1, 0), ("hinge", 0.1, 4)]
    assert {one.alpha for one in grid[6:]} == {1000}
    assert {one.learning_rate for one in grid} == {DESIGNS["3 of 13"].learning_rate}


def test_the_comparison_reads_the_names_of_all_regimes():
    names = [one.name for one in regimes(config.Networks(alphas=[1e-7, 1e7], losses=["cross-entropy", "hinge 0.1"]))]
    table = pd.DataFrame({"subject": [f"{name}-{seed}" for name in names for seed in (0, 10)], "day": 1})
    found = regime_series(table)
    assert list(found["regime"].unique()) == names
    assert set(found["seed"]) == {"0", "10"}


def test_losses_of_the_config_can_be_trained():
    assert {name.replace("-", "_") for name in LOSSES} == set(TRAINED)


def test_mixtures_are_like_those_of_the_animals():
    """Nontargets and probes share as many odorants, and no probe lies beyond the boundary of a perfect learner."""
    odors = DESIGNS["3 of 13"].odors
    assert (odors.n, odors.k, odors.overlaps, odors.probes) == (3, 13, (0.35, 0.45, 0.2), (1, 2))
    assert set(DESIGNS) == set(config.Networks.model_fields["mixtures"].annotation.__args__)
    assert all(boundary_remarks(design.odors) == () for design in DESIGNS.values())


@pytest.fixture
def short(monkeypatch):
    """A design that is trained for a moment."""
    design = replace(DESIGNS["3 of 13"], training=Training(n_steps=20, n_checkpoints=2))
    monkeypatch.setitem(subjects.DESIGNS, "3 of 13", design)


def test_targets_nontargets_and_probes_are_recorded_with_what_they_share(short, tmp_path):
    chosen = config.Networks(alphas=[1], losses=["cross-entropy", "hinge 0.1"], compare_seeds=2)
    names, behavior, response, classes = network_subjects(chosen, tmp_path, n_trials=20, seed=1)
    assert names == ["alpha 1-0", "alpha 1-1", "alpha 1, hinge 0.1-0", "alpha 1, hinge 0.1-1"]
    assert sorted(path.stem for path in tmp_path.glob("*.nc")) == sorted(names)
    assert (classes.target, classes.nontarget, classes.probe) == (["target"], ["nontarget"], ["probe_1", "probe_2"])
    path = tmp_path / f"{names[-1]}.nc"
    assert session_names(path) == ["step-00000000", "step-00000001", "step-00000020"]
    shown = load_trials(path, "step-00000020")
    counts = pd.crosstab(shown["class"].to_numpy(), shown["stratum"].to_numpy())
    assert counts.loc["target"].to_dict() == {"0": 0, "1": 0, "2": 0, "3": 20}
    assert counts.loc["probe"].to_dict() == {"0": 0, "1": 30, "2": 30, "3": 0}
    assert counts.loc["nontarget"].sum() == 20
    assert (counts.loc["nontarget", ["0", "1", "2"]] > 0).all()
    assert set(shown["category"].to_numpy()) == {"target", "nontarget", "probe_1", "probe_2"}
    assert set(behavior["class"]) == {"all", "target", "nontarget", "probe"}
    measures = config.Measures(metrics=["separation_modulation"], n_permutations=0, n_draws=1)
    settings = {"measures": measures, "response": response, "classes": classes, "seed": 1}
    counts = {"n_units": 10, "n_trials": {"all": 0}}
    both = [
        session_metrics(one, **settings, **counts, matchings=("full",))[0]
        for one in (shown, shown[shown["class"].to_numpy() != "probe"])
    ]
    assert both[0]["n_trials"] == 40
    assert both[0]["value"] == both[1]["value"]


@pytest.mark.parametrize("mixtures", list(DESIGNS))
def test_networks_are_trained_and_recorded_as_the_config_says(monkeypatch, tmp_path, mixtures):
    """Every number has odours of its own, from the config's seed; activity is recorded as spikes of all units, by step."""
    seen = {}

    def odors_of(odors, *, rng):
        seen.setdefault("drawn", []).append((odors, rng.random()))
        return SimpleNamespace(test=(len(seen["drawn"]), "test"), train="train")

    def trained(network, tasks, conditions, **options):
        seen["train"] = (network, conditions, options)
        return SimpleNamespace(members=[])

    def recorded(ensemble, examples, folder, **options):
        seen["record"] = (examples, folder, options)

    monkeypatch.setattr(subjects, "odor_task", odors_of)
    monkeypatch.setattr(subjects, "train", trained)
    monkeypatch.setattr(subjects, "record", recorded)
    monkeypatch.setattr(subjects, "response_settings", lambda ensemble: None)
    monkeypatch.setattr(subjects, "class_settings", lambda examples: None)
    chosen, design = config.Networks(alphas=[1, 3], compare_seeds=3, mixtures=mixtures), DESIGNS[mixtures]
    network_subjects(chosen, tmp_path, n_trials=33, seed=7, checkpoints=tmp_path / "kept")
    own = [rng_for(7, "networks", "odors", number).random() for number in range(3)]
    assert seen["drawn"] == [(replace(design.odors, n_test=33), value) for value in own]
    network, conditions, options = seen["train"]
    assert (network.shape, network.hidden) == ((design.odors.k,), (subjects.HIDDEN,))
    assert conditions == regimes(chosen)
    assert options == {"training": design.training, "seed": 7, "folder": tmp_path / "kept"}
    examples, folder, options = seen["record"]
    assert (examples, folder) == ([(number, "test") for number in (1, 2, 3)], tmp_path)
    assert options == {"recording": Recording(tracked=True, noise=SpikeNoise(), day="step"), "seed": 7}


def test_networks_are_measured_with_the_counts_and_settings_of_the_study(short, tmp_path):
    """The workflow's script against the measures called by hand, on a study of 12 units and 41 trials."""
    table = pd.DataFrame(dict.fromkeys(empty_table("sessions"), [""] * 3))
    for name in ("day", "n_units", "n_trials", "n_units_excluded", "n_trials_excluded"):
        table[name] = 1
    table = table.assign(included=[True, True, False], n_units=[12, 12, 90], n_trials=[42, 41, 400])
    save_table(table, "sessions", tmp_path / "sessions.csv")
    chosen = config.Networks(
        alphas=[1], compare_seeds=2, metrics=["decoding_auc", "generalization_day", "separation_modulation"]
    )
    measures = config.Measures(n_draws=2, n_permutations=30)
    settings = SimpleNamespace(networks=chosen, measures=measures, seed=7, verdict=config.Verdict())
    outputs = Named(trials=tmp_path / "trials", metrics=tmp_path / "metrics.csv", behavior=tmp_path / "behavior.csv")
    script("network_subjects")(Named(sessions=tmp_path / "sessions.csv"), outputs, settings=settings)
    found = load_table(outputs.metrics, "metrics")
    assert not (tmp_path / "checkpoints").exists()

    names, behavior, response, classes = network_subjects(chosen, tmp_path / "again", n_trials=20, seed=7)
    pd.testing.assert_frame_equal(load_table(outputs.behavior, "behavior"), check_table(behavior, "behavior"))
    assert sorted(path.name for path in outputs.trials.iterdir()) == sorted(f"{name}.nc" for name in names)
    rows = []
    for name in names:
        path = tmp_path / "again" / f"{name}.nc"
        tensors = [load_trials(path, session) for session in session_names(path)]
        given = {"measures": measures.model_copy(update={"metrics": chosen.metrics, "n_permutations": 0}), "seed": 7}
        given |= {"response": response, "classes": classes, "source": "network", "matchings": ["matched"]}
        given |= {"shares": composition(tensors, response=response, classes=classes)}
        for tensor, before in zip(tensors, sessions_before(tensors), strict=True):
            rows += session_metrics(tensor, n_units=12, n_trials={"all": 20}, before=before, **given)
    pd.testing.assert_frame_equal(found, check_table(pd.DataFrame(rows), "metrics"), check_exact=False)
    assert set(found["metric"]) == set(chosen.metrics)
    assert set(found.loc[found["metric"] == "decoding_auc", "n_units"]) == {12}


def test_the_seed_of_the_config_decides_starts_and_batches(monkeypatch, tmp_path):
    seen = []

    def stopped(*given, seed=None, **options):
        seen.append(seed)
        raise InterruptedError

    monkeypatch.setattr(subjects, "train", stopped)
    with pytest.raises(InterruptedError):
        network_subjects(config.Networks(alphas=[1], compare_seeds=2), tmp_path, n_trials=20, seed=7)
    assert seen == [7]


def test_networks_are_measured_with_the_median_counts():
    rows = pd.DataFrame(
        {"included": [True, True, True, False], "n_units": [10, 20, 300, 1], "n_trials": [100, 90, 50, 2]}
    )
    assert counts_like(rows) == (20, 45)
    assert counts_like(rows.assign(n_units=500, n_trials=4)) == (128, 10)


def test_a_study_without_sessions_has_no_counts():
    with pytest.raises(StudyError, match="no session was analysed"):
        counts_like(pd.DataFrame({"included": [False], "n_units": [1], "n_trials": [1]}))


def test_networks_learn_the_mixtures_of_the_animals_and_are_trained_on():
    """A rich network is on its plateau long before the end; with a margin at which learning ends it is there earlier."""
    design = DESIGNS["3 of 13"]
    tasks = [odor_task(design.odors, rng=np.random.default_rng(number)) for number in range(2)]
    grid = regimes(config.Networks(alphas=[1], losses=["cross-entropy", "hinge 0.1"]))
    network, short = Network((13,), (subjects.HIDDEN,)), replace(design.training, n_steps=8000)
    found = plateaus(train(network, tasks, grid, training=short), [task.test for task in tasks])
    assert found["alpha 1-0"] < 4000 > found["alpha 1-1"]
    assert found["alpha 1, hinge 0.1-0"] < found["alpha 1-0"]
    assert found["alpha 1, hinge 0.1-1"] < found["alpha 1-1"]
    assert design.training.n_steps > 8000
