"""The odour experiments end to end on tiny networks, and known answers of what they compute themselves."""

import json
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jax", reason='networks need JAX: pip install "piriform[networks]"')

from piriform.errors import ConfigError
from piriform.networks.architectures import Network
from piriform.networks.checkpoints import checkpoint_path, load_checkpoint
from piriform.networks.ensemble import Condition, Training
from piriform.networks.experiments import causes, circuit, hidden_progress, reversal, run_experiment
from piriform.networks.experiments.findings import Scale
from piriform.networks.experiments.odor_courses import odor_courses, odor_tasks
from piriform.networks.measures import checkpoint_measures, fisher_log2, probe_accuracy, rms_margin
from piriform.networks.odors import Odors
from piriform.networks.train import train
from piriform.provenance import rng_for
from piriform.tables import TABLES

ODORS = Odors(
    n=4,
    k=30,
    overlaps=(1.0, 1.0, 1.0),
    probes=(2, 3),
    n_nontargets=20,
    n_probes=8,
    n_train=30,
    n_test=30,
    n_probe_trials=20,
)
TRAINING = Training(n_steps=60, n_checkpoints=6, batch=20)
NETWORK = Network((30,), (32,))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Experiments on odours, networks and training that take a second."""
    for module in (hidden_progress, causes):
        monkeypatch.setattr(module, "ODORS", replace(ODORS, probes=(0, 2, 3)))
        monkeypatch.setattr(module, "OVERLAP", 3)
    for module in (hidden_progress, causes, reversal):
        monkeypatch.setattr(module, "NETWORK", NETWORK)
    for module in (hidden_progress, causes, circuit):
        monkeypatch.setattr(module, "TRAINING", TRAINING)
    monkeypatch.setattr(hidden_progress, "ORDER", (2, 3))
    monkeypatch.setattr(circuit, "HIDDEN", 32)
    monkeypatch.setattr(reversal, "ODORS", replace(ODORS, probes=(), n_probes=0))
    monkeypatch.setattr(reversal, "FIRST", TRAINING)
    monkeypatch.setattr(reversal, "SECOND", TRAINING)
    small = [circuit.Variant("10 of 100", ODORS, overlap=3)]
    small += [circuit.Variant("projected", replace(ODORS, n_projected=20), overlap=3)]
    monkeypatch.setattr(circuit, "VARIANTS", tuple(small))
    monkeypatch.setattr(
        circuit, "CLAIMS", tuple(one for one in circuit.CLAIMS if one.condition in ("10 of 100", "projected"))
    )


@pytest.mark.parametrize("name", ["hidden_progress", "causes", "circuit", "reversal"])
def test_an_experiment_from_start_to_claims(name):
    lines = []
    found = run_experiment(name, Scale(seeds=2, full=True), progress=lines.append)
    for kind in ("measures", "quantities", "effects", "claims"):
        assert list(getattr(found, kind)) == list(TABLES[f"network_{kind}"])
    assert lines[0].startswith(f"{name}: ")
    shown = {*found.measures["measure"], *found.quantities["quantity"]}
    assert {panel.name for panel in found.panels} <= shown
    assert not found.measures["value"].isin([np.inf, -np.inf]).any()


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    one, again = (run_experiment("hidden_progress", Scale(seeds=2), progress=list) for _ in range(2))
    pd.testing.assert_frame_equal(one.measures, again.measures)
    other = run_experiment("hidden_progress", Scale(seeds=2, seed=2), progress=list)
    assert not other.measures["value"].equals(one.measures["value"])


def test_the_seed_of_the_config_decides_the_starts(tmp_path):
    for seed in (1, 2):
        run_experiment("hidden_progress", Scale(seeds=2, seed=seed), folder=tmp_path / str(seed), progress=list)
    one, two = (load_checkpoint(checkpoint_path(tmp_path / seed, 0))[0]["parameters.w1"] for seed in "12")
    assert one.shape == two.shape
    independent = one.size / 6  # units come in pairs, and three conditions share their starts
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 5 / np.sqrt(independent)


@pytest.mark.parametrize(
    "name",
    ["hidden_progress", "causes", "circuit", "reversal", "other_tasks", "lazy_rich_odors", "polynomial", "modular"],
)
def test_every_training_has_the_seed_of_the_config(name, monkeypatch):
    module = import_module(f"piriform.networks.experiments.{name}")
    seen = []

    def stopped(*given, seed=None, **options):
        seen.append(seed)
        raise InterruptedError

    parts = {
        "lazy_rich_odors": lambda: module.odor_sweep(module.OdorSweep(odors=ODORS), 2, 7, folder=None),
        "polynomial": lambda: module.polynomial_part(module.Polynomial(), 2, 7, folder=None),
        "modular": lambda: module.addition_part(module.Addition(), 2, 7, folder=None),
    }
    monkeypatch.setattr(module, "train", stopped)
    with pytest.raises(InterruptedError):
        parts.get(name, lambda: run_experiment(name, Scale(seeds=2, seed=7), progress=list))()
    assert seen == [7]


def test_what_is_learned_again_has_it_too(monkeypatch):
    seen = []

    starts = []

    def seeing(*given, seed=None, **options):
        seen.append(seed)
        starts.append((options["training"].learns, options.get("start")))
        return train(*given, seed=seed, **options)

    monkeypatch.setattr(reversal, "train", seeing)
    run_experiment("reversal", Scale(seeds=2, seed=7, full=False), progress=list)
    assert seen == [7] * 5  # once, then from two starts in two ways
    assert [learns for learns, _ in starts[1:]] == [(), ("readout",)] * 2
    for (_, whole), (_, new) in (starts[1:3], starts[3:5]):
        assert not np.nan_to_num(new["readout"]).any()
        assert np.nan_to_num(whole["readout"]).any() == np.isfinite(whole["w1"]).any()
        np.testing.assert_array_equal(new["w1"], whole["w1"])


def test_the_short_form_has_the_main_conditions():
    found = run_experiment("causes", Scale(seeds=2, full=False), progress=list)
    assert set(found.measures["condition"]) == {one.name for one in causes.SHORT}


def test_an_experiment_goes_on_from_its_checkpoints(tmp_path):
    whole = run_experiment("hidden_progress", Scale(seeds=2), folder=tmp_path, progress=list)
    files = sorted(tmp_path.rglob("*.npz")) or sorted(path for path in tmp_path.rglob("*") if path.is_file())
    files[-1].unlink()
    again = run_experiment("hidden_progress", Scale(seeds=2), folder=tmp_path, progress=list)
    pd.testing.assert_frame_equal(whole.measures, again.measures)


# Courses


@pytest.fixture(scope="module")
def trained():
    tasks = odor_tasks(ODORS, 2, 1)
    return train(NETWORK, tasks, [Condition("a", alpha=1.0)], training=TRAINING), tasks


def test_probe_accuracy_of_each_overlap_makes_up_that_of_all(trained):
    table = odor_courses(*trained, overlap=3, seed=1).pivot_table(
        index=["seed", "step"], columns="measure", values="value"
    )
    np.testing.assert_allclose(table["probe_accuracy"], table[["probe_accuracy_2", "probe_accuracy_3"]].mean(axis=1))
    assert (table["norm"].xs(0, level="step") == 1).all()
    assert (table["cka_start"].xs(0, level="step").round(9) == 1).all()


def test_the_norm_is_that_of_all_parameters(trained):
    ensemble, tasks = trained
    table = odor_courses(ensemble, tasks, overlap=3, seed=1)
    end = table[(table["measure"] == "norm") & (table["step"] == 60)].set_index("seed")["value"]
    for member in ensemble.members:
        first, last = (
            np.sqrt(sum(float((values**2).sum()) for values in ensemble.at(member.index, at).values()))
            for at in (0, -1)
        )
        assert end[member.seed] == pytest.approx(last / first, rel=1e-5)


@pytest.mark.parametrize("overlap", ["2", "3"])
def test_courses_are_of_the_trials_and_units_that_they_name(trained, overlap):
    """Accuracy, loss and margin from the outputs of single trials; the features' measures from units and noise by hand."""
    ensemble, tasks = trained
    table = odor_courses(ensemble, tasks, overlap=int(overlap), seed=5).pivot_table(
        index=["seed", "step"], columns="measure", values="value"
    )
    own, test = table.loc[1], tasks[1].test
    kinds, strata = test.table["class"].to_numpy(), test.table["stratum"].to_numpy()
    outputs, activity = ensemble.outputs_of(1, test.inputs), ensemble.activity(1, test.inputs).astype(float)
    signed = outputs[..., 0] * (2 * test.labels - 1)
    known, probe = kinds != "probe", kinds == "probe"
    shown = ensemble.outputs_of(1, tasks[1].train.inputs)[..., 0] * (2 * tasks[1].train.labels - 1)
    right = {"train": shown > 0, "test": signed[:, known] > 0, "probe": signed[:, probe] > 0}
    for name, values in right.items():  # outputs at the start are 0 up to rounding
        np.testing.assert_allclose(own[f"{name}_accuracy"].iloc[1:], values[1:].mean(axis=1))
    assert len({tuple(values.mean(axis=1)) for values in right.values()}) == 3
    np.testing.assert_allclose(own["output_margin"], signed[:, known].mean(axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(own["probe_loss"], np.log1p(np.exp(-signed[:, probe])).mean(axis=1), rtol=1e-4)

    told = (kinds == "target") | (strata == overlap) & probe
    rng = rng_for(5, "networks", "noise", 1)
    units = rng.permutation(32)[:30]
    seen, noise = activity[:, told][:, :, units], rng.standard_normal((told.sum(), 30))
    noisy = seen + np.array([one.std() for one in seen])[:, None, None] * noise
    np.testing.assert_allclose(own["fisher_probe"], fisher_log2(noisy, kinds[told]))
    np.testing.assert_allclose(own["margin_probe"], rms_margin(activity[:, told], kinds[told]))
    decoded = [probe_accuracy({"x": one}, kinds[told])["x"] for one in noisy]
    np.testing.assert_allclose(own["decoding_probe"], decoded)
    shape = checkpoint_measures(activity[:, known], outputs[:, known], kinds[known], start=activity[0, known])
    for name in ("richness", "nc1", "participation_ratio", "selectivity", "cka_start"):
        np.testing.assert_allclose(own[name], shape[name], err_msg=name)


def test_every_network_has_odours_of_its_own_and_those_of_the_config():
    one, two = odor_tasks(ODORS, 2, 1)
    assert not np.array_equal(one.train.inputs, two.train.inputs)
    np.testing.assert_array_equal(odor_tasks(ODORS, 3, 1)[1].train.inputs, two.train.inputs)
    assert not np.array_equal(odor_tasks(ODORS, 1, 2)[0].train.inputs, one.train.inputs)


def test_variants_of_the_circuit_are_measured_by_their_own_odours(monkeypatch):
    asked = []

    def seen(ensemble, tasks, *, overlap, seed):
        asked.append((tasks[0].train.inputs.shape[1], overlap, seed, ensemble.network.dale))
        return odor_courses(ensemble, tasks, overlap=overlap, seed=seed)

    one, two = circuit.VARIANTS
    monkeypatch.setattr(circuit, "VARIANTS", (replace(one, overlap=2), replace(two, dale=True)))
    monkeypatch.setattr(circuit, "odor_courses", seen)
    found = run_experiment("circuit", Scale(seeds=2, seed=7), progress=list)
    assert asked == [(30, 2, 7, False), (20, 3, 7, True)]
    assert all(remark.split(":")[0] in ("10 of 100", "projected") for remark in found.remarks)


def test_order_of_learning_is_counted_in_doublings():
    rows = []
    for overlap, values in ((0, [1, 1, 1, 1]), (2, [0, 1, 1, 1]), (3, [0, 0, 0.5, 0.95])):
        keys = {"condition": "a", "seed": 1, "step": [1, 2, 4, 16], "measure": f"probe_accuracy_{overlap}"}
        rows.append(pd.DataFrame(keys | {"value": values}))
    found = hidden_progress.learning_order(pd.concat(rows).sample(frac=1, random_state=1)).set_index("quantity")[
        "value"
    ]
    learned = {"learned:0": 0, "learned:2": 0.9, "learned:3": 2 + 2 * 0.4 / 0.45}  # between checkpoints
    assert found.to_dict() == pytest.approx(learned | {"order:3 to 6": learned["learned:3"] - 0.9})


# Reversal


def test_time_to_a_level_lies_between_checkpoints():
    steps = np.array([0, 1, 3, 7])
    assert reversal.doublings_to(steps, np.array([0.0, 0.2, 0.4, 0.8]), 0.6) == pytest.approx(2.5)
    assert reversal.doublings_to(steps, np.array([0.9, 1, 1, 1]), 0.9) == 0
    assert reversal.doublings_to(steps, np.array([0.1, 1, 1, 1]), 0.9) == 1  # no time between step 0 and step 1
    assert reversal.doublings_to(steps, np.array([0, 0, 0, 0.9]), 0.9) == 3  # the level itself is enough
    assert reversal.doublings_to(steps, np.array([0, 0.8, 0, 0.8]), 0.8) == 1  # it need not last
    assert np.isnan(reversal.doublings_to(steps, np.zeros(4), 0.9))
    assert np.isnan(reversal.doublings_to(steps, np.array([0, np.nan, 1, 1]), 0.9))


def test_times_are_those_of_the_course_that_they_name(monkeypatch):
    asked = []

    def seeing(measures, protocol, moment):
        asked.append((protocol, moment, set(measures["measure"])))
        return learning_times(measures, protocol, moment)

    learning_times = reversal.learning_times
    monkeypatch.setattr(reversal, "learning_times", seeing)
    run_experiment("reversal", Scale(seeds=2, full=False), progress=list)
    names = [(protocol, moment) for moment in ("early", "over") for protocol in ("all", "readout")]
    assert asked == [(*name, {f"{what}:{':'.join(name)}" for what in ("accuracy", "loss")}) for name in names]


def test_networks_start_again_from_their_plateau_or_their_end():
    """Plateaus at the third checkpoint, never, and at the first; training trials alone decide."""
    accuracy = np.array([[0.5, 0.95, 0.99, 1], [0.5, 0.9, 0.98, 0.98], [1, 1, 1, 1]])
    weights = np.arange(24.0).reshape(3, 4, 2)
    ensemble = SimpleNamespace(
        accuracy=lambda shown: {"train": accuracy, "test": 0 * accuracy}[shown[0]],
        steps=np.array([0, 1, 10, 100]), parameters={"w": weights}, remarks=("a remark",),
        members=[SimpleNamespace(name=name) for name in "abc"],
    )  # fmt: skip
    tasks = [SimpleNamespace(train="train", test="test")]
    found = reversal.starts(ensemble, tasks)
    np.testing.assert_array_equal(found["early"]["w"], [weights[0, 2], [np.nan, np.nan], weights[2, 0]])
    np.testing.assert_array_equal(found["over"]["w"], weights[:, 3])
    assert reversal._remarks(ensemble, tasks) == ["a remark", "b: reached no plateau; it has no early reversal"]


def test_learning_is_counted_to_9_of_10_trials_and_half_the_loss_of_guessing():
    rows = [
        pd.DataFrame({"condition": "a", "seed": 1, "step": [0, 1, 3, 7], "measure": f"{name}:{protocol}:{moment}"})
        .assign(value=values)
        for protocol, moment, late in (("all", "early", 0.0), ("readout", "over", 0.05))
        for name, values in (("accuracy", [0, 0.5, 0.8 - late, 1.0 - late]), ("loss", [np.log(2), 0.6, 0.4, 0.2 + late]))
    ]  # fmt: skip
    for (protocol, moment), late in ((("all", "early"), 0.0), (("readout", "over"), 0.05)):
        found = reversal.learning_times(pd.concat(rows), protocol, moment).set_index("quantity")["value"]
        expected = {"doublings": 2 + (0.1 + late) / 0.2, "loss_doublings": 2 + (0.4 - np.log(2) / 2) / (0.2 - late)}
        assert found.to_dict() == pytest.approx({f"{name}:{protocol}:{moment}": v for name, v in expected.items()})


def test_reversal_is_measured_on_the_reversed_trials():
    task, shown = odor_tasks(ODORS, 1, 1)[0], []
    members = [SimpleNamespace(condition=SimpleNamespace(name="a"), seed=0)]
    ensemble = SimpleNamespace(members=members, steps=np.array([0, 1]), accuracy=lambda given: shown.append(given)
                               or np.ones((1, 2)), losses=lambda given: shown.append(given) or np.zeros((1, 2)))  # fmt: skip
    found = reversal._course(ensemble, [task], "all:early")
    assert all((given[0].labels == 1 - task.train.labels).all() for given in shown)
    assert found.groupby("measure")["value"].mean().to_dict() == {"accuracy:all:early": 1, "loss:all:early": 0}


def test_savings_are_early_minus_over():
    times = {"doublings:all:early": 5.0, "doublings:all:over": 3.0, "doublings:readout:early": 1.0,
             "doublings:readout:over": 2.0, "loss_doublings:all:early": 4.0, "loss_doublings:all:over": 4.0,
             "loss_doublings:readout:early": 9.0, "loss_doublings:readout:over": 6.0}  # fmt: skip
    table = pd.DataFrame({"condition": "a", "seed": 1, "quantity": list(times), "value": list(times.values())})
    found = reversal.savings(table).set_index("quantity")["value"].to_dict()
    assert found == {"saving:all": 2, "saving:readout": -1, "loss_saving:all": 0, "loss_saving:readout": 3}


def test_reversed_labels_are_the_others():
    task = odor_tasks(ODORS, 1, 1)[0]
    assert (reversal.reversed_task(task).train.labels == 1 - task.train.labels).all()
    assert (reversal.reversed_task(task).train.inputs == task.train.inputs).all()


# Training from given parameters


def test_training_starts_from_the_parameters_given(trained):
    ensemble, tasks = trained
    start = {name: values[:, -1] for name, values in ensemble.parameters.items()}
    again = train(NETWORK, tasks, ensemble.conditions, training=TRAINING, start=start)
    for name, values in start.items():
        np.testing.assert_array_equal(again.parameters[name][:, 0], values)


def test_only_the_named_parameters_learn(trained):
    _, tasks = trained
    frozen = train(NETWORK, tasks, [Condition("a")], training=replace(TRAINING, learns=("readout",)))
    assert (frozen.parameters["w1"] == frozen.parameters["w1"][:, :1]).all()
    assert not (frozen.parameters["readout"] == frozen.parameters["readout"][:, :1]).all()


def test_parameters_of_another_network_are_refused(trained):
    _, tasks = trained
    with pytest.raises(
        ConfigError, match=r"start: the networks have the parameters .*w1 \(2, 30, 32\).*got w1 \(2, 3\)"
    ):
        train(NETWORK, tasks, [Condition("a")], training=TRAINING, start={"w1": np.zeros((2, 3))})


def test_findings_can_be_written_as_json():
    found = run_experiment("reversal", Scale(seeds=2, full=False), progress=list)
    assert json.dumps(found.claims.to_dict("records"))
