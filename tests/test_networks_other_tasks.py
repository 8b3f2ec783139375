"""Images and tones: the experiment end to end on tiny networks, and the test of a groove."""

from dataclasses import replace
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jax", reason='networks need JAX: pip install "piriform[networks]"')

from piriform.networks.architectures import Network
from piriform.networks.ensemble import Training
from piriform.networks.experiments import images, other_tasks, run_experiment, tones
from piriform.networks.experiments.claims import Claim, judged
from piriform.networks.experiments.findings import Scale
from piriform.networks.experiments.other_tasks import movement, movements, of_stratum
from piriform.networks.experiments.quantities import plateau_steps
from piriform.networks.measures import cka, probe_accuracy
from piriform.networks.train import train
from piriform.provenance import rng_for
from piriform.stats import group_mean
from piriform.tables import TABLES

TRAINING = Training(n_steps=30, n_checkpoints=5, batch=10)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for part in (images, tones):
        monkeypatch.setattr(part, "TRAINING", TRAINING)
    monkeypatch.setattr(images, "NETWORK", Network((8, 8, 1), (2, 8), 5))
    for count in ("N_TRAIN", "N_TEST"):
        monkeypatch.setattr(images, count, 12)
        monkeypatch.setattr(tones, count, 30)
    monkeypatch.setattr(tones, "N_CHANNELS", 8)
    monkeypatch.setattr(tones, "N_TIMES", 4)
    monkeypatch.setattr(tones, "NETWORK", Network((4, 8), (8,)))
    monkeypatch.setattr(other_tasks, "N_ATTACKED", 10)


def made(part, seed=0):
    return part.made_task(np.random.default_rng(seed))


@cache
def trained(part):
    """Two conditions of two seeds, of the sizes that ``_small`` sets."""
    tasks = [made(part, seed) for seed in range(2)]
    return train(part.NETWORK, tasks, part.CONDITIONS, training=TRAINING), tasks


# What is learned


def test_five_digits_are_trained_and_the_other_five_are_not():
    task = made(images)
    trained, hard, other = (of_stratum(task, name) for name in ("trained", "hard", "other"))
    names = [set(one.table["class"]) for one in (task.train, trained, hard, other)]
    assert names[0] == names[1] == names[2]
    assert names[0] | names[3] == set("0123456789")
    for one in (task.train, trained, other):
        order = sorted(set(one.table["class"]))
        assert [order[label] for label in one.labels] == one.table["class"].tolist()
        assert np.bincount(one.labels).tolist() == [12] * 5


def test_no_test_image_was_trained_and_hard_ones_are_those_of_the_test_with_noise():
    task = made(images)
    trained, hard = of_stratum(task, "trained"), of_stratum(task, "hard")
    flat = [one.inputs.reshape(-1, 64) for one in (task.train, trained)]
    assert len(np.unique(np.concatenate(flat), axis=0)) == 120
    np.testing.assert_array_equal(trained.labels, hard.labels)
    noise = (hard.inputs - trained.inputs).reshape(60, 64)
    assert np.linalg.norm(noise, axis=1).mean() == pytest.approx(images.NOISE, abs=0.05)


def test_tones_are_told_by_order_and_decoded_by_distance():
    task = made(tones)
    trained, hard, other = (of_stratum(task, name) for name in ("trained", "hard", "other"))
    for shown in (trained, hard):
        assert (shown.table["stimulus"].str.startswith("up") == (shown.labels == 1)).all()
        assert shown.labels.mean() == 0.5
    assert {name.split("_")[1] for name in hard.table["stimulus"]} == {"0.1", "0.2"}
    assert (other.table["stimulus"].str.endswith("0.5") == (other.labels == 1)).all()
    assert other.labels.mean() == 0.5


# From start to claims


@pytest.mark.parametrize("level", [0.0, 2.0], ids=["plateau at once", "never a plateau"])
def test_the_experiment_from_start_to_claims(monkeypatch, level, tmp_path):
    monkeypatch.setattr(other_tasks, "plateau_steps", partial(plateau_steps, level=level))
    found = run_experiment("other_tasks", Scale(seeds=2), folder=tmp_path, progress=list)
    for kind in ("measures", "quantities", "effects", "claims"):
        assert list(getattr(found, kind)) == list(TABLES[f"network_{kind}"])
    assert set(found.measures["condition"]) == {one.name for part in (images, tones) for one in part.CONDITIONS}
    assert {panel.name for panel in found.panels} <= {*found.measures["measure"], *found.quantities["quantity"]}
    gained = found.quantities[found.quantities["quantity"].isin(["gain:robustness", "movement:after"])]
    assert gained["value"].notna().all() if level == 0 else gained["value"].isna().all()
    never = [line for line in found.remarks if "reached no plateau" in line]
    assert len(never) == (0 if level == 0 else 8)
    assert found.remarks[-1].startswith("tones: no groove shown")
    assert (tmp_path / "digits").is_dir()
    assert (tmp_path / "tones").is_dir()


def test_the_short_form_has_rich_networks_alone(monkeypatch):
    def stop(network, tasks, conditions, **options):
        raise RuntimeError(f"{len(tasks)} tasks, {[one.name for one in conditions]}")

    monkeypatch.setattr(other_tasks, "train", stop)
    with pytest.raises(RuntimeError, match=r"3 tasks, \['digits rich'\]"):
        run_experiment("other_tasks", Scale(seeds=3, full=False), progress=list)


def test_every_network_has_a_task_of_its_own_and_attacks_of_its_parts_size(monkeypatch):
    drawn, asked = [], []

    def made_task(rng):
        drawn.append(rng.bit_generator.state)
        return made(images, len(drawn))

    def attacked(*given, epsilon, seed):
        asked.append((epsilon, seed))
        raise InterruptedError

    monkeypatch.setattr(other_tasks, "PARTS", {"digits": SimpleNamespace(**{**vars(images), "made_task": made_task})})
    monkeypatch.setattr(other_tasks, "robustness_rows", attacked)
    with pytest.raises(InterruptedError):
        run_experiment("other_tasks", Scale(seeds=2, seed=7, full=False), progress=list)
    assert drawn == [rng_for(7, "networks", "digits", number).bit_generator.state for number in (0, 1)]
    assert asked == [(images.EPSILON, 7)]


def test_courses_are_of_the_layers_and_trials_that_they_name():
    ensemble, tasks = trained(tones)
    table = other_tasks.task_courses(ensemble, tasks)
    table = table[table["condition"] == "tones lazier"].pivot(index=["seed", "step"], columns="measure", values="value")
    for name, measure in (("hard", "probe_hidden1"), ("other", "transfer")):
        shown = of_stratum(tasks[1], name)
        activity = ensemble.activity(3, shown.inputs)[-1, :, :, -1]
        expected = probe_accuracy({"last time": activity}, shown.labels, solver="lda")["last time"]
        assert table.loc[(1, 30), measure] == pytest.approx(expected)
    new = [of_stratum(task, "trained") for task in tasks]
    assert table.loc[(1, 30), "test_accuracy"] == ensemble.accuracy(new)[3, -1]
    parts = {"test": new, "train": [task.train for task in tasks], "hard": [of_stratum(task, "hard") for task in tasks]}
    for name, shown in parts.items():
        np.testing.assert_array_equal(table.loc[1, f"{name}_accuracy"], ensemble.accuracy(shown)[3])
    np.testing.assert_array_equal(table.loc[1, "output_margin"], ensemble.margins(new)[3].mean(axis=1))
    assert (table.xs(0, level="step")["cka_start"].round(9) == 1).all()


def test_without_attack_robustness_is_accuracy_and_a_large_attack_turns_all():
    ensemble, tasks = trained(images)
    new = [of_stratum(task, "trained") for task in tasks]
    few = new[1].chosen(np.argsort(new[1].labels, kind="stable")[::6])
    last = ensemble.at(1, -1)
    attacked = partial(other_tasks.robustness, images.NETWORK, last, few, rng=np.random.default_rng(0))
    assert attacked(epsilon=0.0) == pytest.approx(ensemble.accuracy([few, few])[1, -1])
    assert attacked(epsilon=20.0) < 0.1


def test_attacks_and_movements_are_of_the_plateau_and_of_the_end(monkeypatch):
    """Networks reach their plateau at the third checkpoint, but for the last, which never does."""
    ensemble, tasks = trained(tones)
    steps, attacked, moved = ensemble.steps, [], []
    names = [(one.condition.name, one.seed, float(steps[2])) for one in ensemble.members]
    plateaus = pd.DataFrame(names, columns=["condition", "seed", "plateau"])
    plateaus.loc[3, "plateau"] = np.nan

    def robust(network, parameters, shown, *, epsilon, rng):
        attacked.append((parameters["w1"], shown.inputs, epsilon, rng.random()))
        return len(attacked)

    def movement_of(first, last, *, rng):
        moved.append((first, last, rng.random()))
        return len(moved)

    monkeypatch.setattr(other_tasks, "robustness", robust)
    monkeypatch.setattr(other_tasks, "movement", movement_of)
    rows = other_tasks.robustness_rows(ensemble, tasks, plateaus, epsilon=0.3, seed=7)
    assert rows["step"].value_counts().to_dict() == {steps[-1]: 4, steps[2]: 3}
    index = {(one.condition.name, one.seed): one for one in ensemble.members}
    for row, (weights, inputs, epsilon, drawn) in zip(rows.itertuples(), attacked, strict=True):
        member, at = index[row.condition, row.seed], int(np.flatnonzero(steps == row.step)[0])
        np.testing.assert_array_equal(weights, ensemble.at(member.index, at)["w1"])
        shown = of_stratum(tasks[row.seed], "trained").inputs
        np.testing.assert_array_equal(inputs, shown[np.linspace(0, len(shown) - 1, 10).astype(int)])
        assert (epsilon, drawn) == (0.3, rng_for(7, "networks", "attack", member.name).random())
    table = movements(ensemble, tasks, plateaus, seed=7)
    assert table.groupby("quantity")["value"].count().to_dict() == {"movement:after": 3, "movement:before": 3}
    for number, (places, name) in enumerate((((0, 2), "before"), ((2, -1), "after"))):
        first, last, _ = moved[number]
        activity = ensemble.activity(0, of_stratum(tasks[0], "trained").inputs)[..., -1]
        np.testing.assert_allclose(first, activity[places[0]])
        np.testing.assert_allclose(last, activity[places[1]])
        assert table.loc[number, "quantity"] == f"movement:{name}"
    stream = rng_for(7, "networks", "movement", ensemble.members[0].name)
    assert [moved[0][2], moved[1][2]] == [stream.random(), stream.random()]


# Movement


def test_movement_is_0_for_what_is_turned_and_rescaled_and_1_for_what_has_nothing_in_common():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, 6))
    turned = 3 * x @ np.linalg.qr(rng.standard_normal((6, 6)))[0] + 5
    assert movement(x, turned, noise=0.0, rng=rng) == pytest.approx(0, abs=1e-12)
    four = np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0]] * 50)
    apart = np.array([[1.0, 0], [-1, 0], [1, 0], [-1, 0]] * 50)
    assert movement(four, apart, noise=0.0, rng=rng) == pytest.approx(1, abs=0.01)


def distance(x, y):
    """Movement as a function of the noise-free CKA."""
    squared = cka(x, y, debiased=True) ** 2
    return (1 - squared) / (1 + 2 * squared)


def test_movement_without_noise_is_a_debiased_distance():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 30, 5)) + rng.standard_normal((30, 5))
    assert movement(x, y, noise=0.0, rng=rng) == pytest.approx(distance(x, y))


def test_thirty_units_drawn_at_random_are_seen():
    x, y = np.random.default_rng(2).standard_normal((2, 30, 70))
    units = np.random.default_rng(3).permutation(70)[:30]
    found = movement(x, y, noise=0.0, rng=np.random.default_rng(3))
    assert found == pytest.approx(distance(x[:, units], y[:, units]))


@pytest.mark.parametrize("noise", [0.5, 1.5])
def test_noise_adds_nothing_to_movement(noise):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((40, 4)) @ rng.standard_normal((4, 10))
    y = x + rng.standard_normal((40, 4)) @ rng.standard_normal((4, 10))
    found = group_mean(np.array([movement(x, y, noise=noise, rng=rng) for _ in range(150)]))
    assert found.mean == pytest.approx(distance(x, y), abs=4 * found.sd / np.sqrt(found.n) + 0.005)


def test_movement_is_unknown_for_silent_and_for_diverged_networks():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((20, 3))
    assert np.isnan(movement(np.zeros((20, 3)), x, rng=rng))
    assert np.isnan(movement(x, np.full((20, 3), np.nan), rng=rng))


@pytest.fixture
def frozen():
    """Networks of which the readout alone changes after the plateau."""
    ensemble, tasks = trained(tones)
    still = {
        name: values if name == "readout" else np.repeat(values[:, 2:3], len(ensemble.steps), axis=1)
        for name, values in ensemble.parameters.items()
    }
    names = [(one.condition.name, one.seed, float(ensemble.steps[2])) for one in ensemble.members]
    return replace(ensemble, parameters=still), tasks, pd.DataFrame(names, columns=["condition", "seed", "plateau"])


def after(table):
    return table.loc[table["quantity"] == "movement:after", "value"].to_numpy()


def test_a_frozen_representation_moves_no_more_often_than_the_level_of_the_test(frozen):
    values = np.array([after(movements(*frozen, seed=seed)) for seed in range(125)]).T
    assert np.isfinite(values).all()
    tests = [group_mean(ten) for ten in values.reshape(50, 10)]
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(values.size)
    # 2.5 of 50 are expected; 8 or more have a probability of .3%
    assert sum(one.p < 0.05 for one in tests) < 8


def test_a_frozen_network_is_not_shown_to_move_and_one_with_other_weights_is(frozen):
    ensemble, tasks, plateaus = frozen
    moved = ensemble.parameters["w1"].copy()
    moved[:, -1] = np.random.default_rng(5).permuted(moved[:, -1], axis=2)
    other = replace(ensemble, parameters=ensemble.parameters | {"w1": moved})
    claim = Claim("it moves", "movement:after", "all")
    outcomes = []
    for one in (ensemble, other):
        values = np.concatenate([after(movements(one, tasks, plateaus, seed=seed)) for seed in range(10)])
        table = pd.DataFrame({"condition": "all", "seed": range(40), "quantity": "movement:after", "value": values})
        outcomes.append(judged([claim], table)["outcome"][0])
    assert outcomes == ["not shown", "held"]


def test_a_groove_needs_both():
    rows = [
        ("digits rich", "gain:test_accuracy", "held"),
        ("digits rich", "movement:after", "held"),
        ("tones rich", "gain:test_accuracy", "not shown"),
        ("tones rich", "movement:after", "held"),
    ]
    lines = other_tasks.grooves(pd.DataFrame(rows, columns=["condition", "quantity", "outcome"]))
    assert [line.split(" (")[0] for line in lines] == ["digits: a groove", "tones: no groove shown"]
