"""Are the mixtures, probes, noise and circuits of the networks' tasks what their design says?"""

import numpy as np
import pandas as pd
import pytest

from piriform.errors import ConfigError
from piriform.networks.classics import digits_task, modular_task, polynomial_task, tone_task
from piriform.networks.expansion import Circuit, Expansion
from piriform.networks.odors import Odors, boundary_remarks, mixtures, odor_task
from piriform.networks.task import Examples

SMALL = {"n_train": 60, "n_test": 40, "n_probe_trials": 20, "n_nontargets": 30, "n_probes": 5}
MICE = {**SMALL, "n": 3, "k": 13, "overlaps": (0.4, 0.4, 0.2), "probes": (1, 2), "n_repeats": 3}


def rng():
    return np.random.default_rng(1)


def names(examples, *classes):
    return set(examples.of_class(*classes).table["stimulus"])


def overlap_with_target(task):
    target = set(next(iter(names(task.test, "target"))).split("+"))
    return [len(target & set(name.split("+"))) for name in task.test.table["stimulus"]]


def test_counts_of_trials_and_mixtures():
    task = odor_task(Odors(**SMALL), rng=rng())
    assert task.train.table["class"].value_counts().to_dict() == {"nontarget": 60, "target": 60}
    assert task.test.table["category"].value_counts().to_dict() == {
        "target": 40, "nontarget": 24, "nontarget_repeat_1": 8, "nontarget_repeat_2": 8, "probe_6": 20, "probe_7": 20,
    }  # fmt: skip
    assert len(names(task.train, "nontarget")) == 30
    assert len(names(task.test, "probe")) == 10
    assert len(names(task.train, "target")) == 1


def test_strata_are_the_shared_odorants_and_follow_their_shares():
    task = odor_task(Odors(**MICE), rng=rng())
    assert overlap_with_target(task) == task.test.table["stratum"].astype(int).tolist()
    mixtures_of = task.train.of_class("nontarget").table.drop_duplicates("stimulus")
    assert mixtures_of["stratum"].value_counts().to_dict() == {"0": 12, "1": 12, "2": 6}


def test_probes_are_held_out_and_labelled_as_nontargets():
    for design in (SMALL, MICE):
        task = odor_task(Odors(**design), rng=rng())
        assert not names(task.test, "probe") & names(task.train, "target", "nontarget")
        assert (task.test.of_class("probe").labels == 0).all()
        assert names(task.test, "nontarget") <= names(task.train, "nontarget")


def test_repeated_nontargets_are_any_of_them_and_are_shown_as_such_alone():
    strata = set()
    for seed in range(8):
        table = odor_task(Odors(**MICE), rng=np.random.default_rng(seed)).test.table
        repeated = table["category"].str.startswith("nontarget_repeat")
        strata |= set(table.loc[repeated, "stratum"])
        assert not set(table.loc[repeated, "stimulus"]) & set(table.loc[table["category"] == "nontarget", "stimulus"])
    assert strata == {"0", "1", "2"}
    none = odor_task(Odors(**MICE | {"n_repeats": 0}), rng=rng()).test.table
    assert none["category"].value_counts().to_dict() == {"target": 40, "nontarget": 40, "probe_1": 20, "probe_2": 20}


def test_the_largest_remainders_are_rounded_up():
    design = Odors(**MICE | {"n_nontargets": 9, "overlaps": (0.5, 0.3, 0.2)})  # 4.5, 2.7 and 1.8
    table = odor_task(design, rng=rng()).train.of_class("nontarget").table.drop_duplicates("stimulus")
    assert table["stratum"].value_counts().to_dict() == {"0": 4, "1": 3, "2": 2}


def test_training_trials_are_sorted_by_class_and_test_trials_shuffled():
    task = odor_task(Odors(**SMALL), rng=rng())
    assert task.train.labels.tolist() == [0] * 60 + [1] * 60
    codes = pd.factorize(task.test.table["category"])[0]
    assert (np.diff(codes) != 0).mean() > 0.5


def test_classes_are_chosen_by_name_and_rows_counted_anew():
    test = odor_task(Odors(**SMALL), rng=rng()).test
    chosen = test.of_class("target", "probe")
    assert chosen.table["class"].value_counts().to_dict() == {"target": 40, "probe": 40}
    assert chosen.table.index.tolist() == list(range(80))
    rows = np.flatnonzero(test.table["class"].isin(["target", "probe"]))
    np.testing.assert_array_equal(chosen.inputs, test.inputs[rows])


@pytest.mark.parametrize("changed", [{"n_projected": 50}, {"expansion": Expansion(20, 30)}], ids=str)
def test_training_and_test_pass_through_the_same_circuit(changed):
    task = odor_task(Odors(**SMALL | changed | {"noise": 0}), rng=rng())
    target = task.train.of_class("target").inputs[0]
    np.testing.assert_allclose(task.test.of_class("target").inputs, np.tile(target, (40, 1)))


def test_noise_has_its_norm_and_a_mixture_norm_one():
    task = odor_task(Odors(**SMALL | {"noise": 0.5}), rng=rng())
    target = task.train.of_class("target").inputs
    present = np.isin(np.arange(100), [int(at) for at in next(iter(names(task.train, "target"))).split("+")])
    assert np.linalg.norm(present / np.sqrt(10)) == pytest.approx(1)
    noise = target - present / np.sqrt(10)
    assert (noise**2).sum(axis=1).mean() == pytest.approx(0.25, abs=4 * 0.25 * np.sqrt(2 / noise.size))
    assert len(np.unique(target, axis=0)) == 60


def test_concentrations_vary_around_one():
    task = odor_task(Odors(**SMALL | {"concentration_sd": 0.5, "noise": 0, "n_train": 400}), rng=rng())
    present = task.train.of_class("target").inputs
    amplitude = present[present > 0] * np.sqrt(10)
    sd = np.sqrt(np.exp(0.25) - 1)
    assert len(amplitude) == 4000
    assert amplitude.mean() == pytest.approx(1, abs=4 * sd / np.sqrt(4000))
    assert np.log(amplitude).std() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(8000))


def test_a_projection_keeps_norms_on_average():
    task = odor_task(Odors(**SMALL | {"n_projected": 400, "noise": 0}), rng=rng())
    assert task.train.inputs.shape == (120, 400)
    assert (task.train.inputs**2).sum(axis=1).mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 400))


def test_the_circuit_gives_sparse_rates_of_norm_about_one():
    task = odor_task(Odors(**SMALL | {"expansion": Expansion()}), rng=rng())
    assert task.train.inputs.shape == (120, 500)
    assert (task.train.inputs >= 0).all()
    assert 0.2 < (task.train.inputs > 0).mean() < 0.6
    assert (task.train.inputs**2).sum(axis=1).mean() == pytest.approx(1, rel=0.25)


def test_a_circuit_by_hand():
    circuit = Circuit(Expansion(2, 2, half_rate=1.0), np.eye(2), np.array([[2.0, 0.0], [0.0, 1.0]]))
    # drive (1, 0), mean .5; half rate 1 x mean binding .5; normalised (1, 0); summed (2, 0); minus the mean 1
    assert circuit.rates(np.array([[1.0, -3.0]])).tolist() == [[1.0, 0.0]]
    assert circuit.rates(np.zeros((1, 2))).tolist() == [[0.0, 0.0]]
    # half rate 2 x .5; normalised (1 / 1.5, 0); summed (4/3, 0); minus half of the mean 2/3
    mild = Circuit(Expansion(2, 2, half_rate=2.0, inhibition=0.5), circuit.binding, circuit.synapses)
    np.testing.assert_allclose(mild.rates(np.array([[1.0, 0.0]])), [[1.0, 0.0]])


def test_connections_are_as_many_and_as_strong_as_asked():
    circuit = Circuit.drawn(Expansion(300, 200, receptive_share=0.3, connected_share=0.05), 100, rng=rng())
    for strength, share in ((circuit.binding, 0.3), (circuit.synapses, 0.05)):
        n = strength.shape[0]
        expected = share + (1 - share) / n  # one connection of every column is sure
        assert (strength > 0).mean() == pytest.approx(expected, abs=4 * np.sqrt(share / strength.size))
        there = strength[strength > 0]
        assert there.mean() == pytest.approx(1, abs=4 / np.sqrt(len(there)))
        assert there.std() == pytest.approx(1, abs=4 * np.sqrt(2 / len(there)))
        assert (strength > 0).any(axis=0).all()


def test_normalisation_saturates():
    circuit = Circuit.drawn(Expansion(), 100, rng=rng())
    mixture = (np.arange(100) < 10) / np.sqrt(10)
    weak, strong = (circuit.rates(scale * mixture[None]).sum() for scale in (1, 10))
    assert 1 < strong / weak < 10


def test_every_mixture_can_be_drawn():
    target = np.arange(5) < 2
    found = mixtures(6, 1, n=2, k=5, target=target, rng=rng())
    assert len(np.unique(found, axis=0)) == 6
    assert (found[:, :2].sum(axis=1) == 1).all()


def test_the_same_generator_gives_the_same_task():
    one, other = (odor_task(Odors(**SMALL), rng=rng()) for _ in range(2))
    assert (one.test.inputs == other.test.inputs).all()
    pd.testing.assert_frame_equal(one.test.table, other.test.table)


def test_remark_where_probes_reach_the_boundary():
    mice = Odors(**{**MICE, "overlaps": (1, 1), "probes": (2,)})
    assert "probes that share 2 of 3 odorants lie on the max-margin boundary" in odor_task(mice, rng=rng()).remarks[0]
    assert boundary_remarks(Odors(probes=(7,))) == ()
    assert "share 8 or 9" in boundary_remarks(Odors(probes=(7, 8, 9)))[0]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"n": 14}, "n = 14 out of k = 13 odorants does not exist"),
        ({"n_probes": 31}, r"37 different nontargets and probes that share 2 of 3 .* only 30 exist among 13"),
        ({"n_nontargets": 400}, r"different nontargets and probes that share 0 .* only 120 exist"),
        ({"overlaps": (1, 0, 0, 1)}, "a nontarget cannot share 3 odorants with a target of 3"),
        ({"probes": (3,)}, "a probe cannot share 3 odorants"),
        ({"probes": (1, 1)}, "name an overlap twice"),
        ({"overlaps": (1, -1)}, "none may be negative"),
        ({"n_train": 0}, "n_train is 0; it must be at least 1"),
        ({"n_probes": -1}, "n_probes is -1; it must be at least 0"),
        ({"n_repeats": -1}, "n_repeats is -1; it must be at least 0"),
        ({"n_projected": -3}, "n_projected is -3; it must be at least 0"),
        ({"noise": np.nan}, "noise is nan; it must be at least 0 and finite"),
        ({"concentration_sd": -0.1}, "concentration_sd is -0.1; it must be at least 0"),
        ({"overlaps": (np.nan, 1.0)}, r"overlaps \(nan, 1.0\) are shares"),
        ({"n_repeats": 30}, "30 of 30 nontargets are to be repeated"),
        ({"n_projected": 5, "expansion": Expansion()}, "give one of them"),
    ],
)
def test_impossible_odours(changed, match):
    with pytest.raises(ConfigError, match=match):
        Odors(**{**MICE, **changed})


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"n_units": 0}, "each must be >= 1"),
        ({"connected_share": 0.0}, r"connected_share is 0; a share must lie in \(0, 1\]"),
        ({"inhibition": -1.0}, "inhibition -1 not negative"),
    ],
)
def test_impossible_circuits(wrong, match):
    with pytest.raises(ConfigError, match=match):
        Expansion(**wrong)


def test_examples_of_unequal_length():
    with pytest.raises(ConfigError, match="got 2 inputs, 3 labels and 1 rows"):
        Examples(np.zeros((2, 1)), np.zeros(3, dtype=int), pd.DataFrame({"class": ["target"]}))


def test_digits_are_split_and_of_norm_one():
    task = digits_task(rng=rng(), n_train=20, n_test=10)
    assert task.train.inputs.shape == (200, 8, 8, 1)
    assert np.bincount(task.train.labels).tolist() == [20] * 10
    assert np.bincount(task.test.labels).tolist() == [10] * 10
    assert (task.train.inputs**2).sum(axis=(1, 2, 3)) == pytest.approx(np.ones(200))
    train, test = ({image.tobytes() for image in part.inputs} for part in (task.train, task.test))
    assert not train & test
    with pytest.raises(ConfigError, match="together at most 174"):
        digits_task(rng=rng(), n_train=170, n_test=10)


def test_tones_rise_in_the_target_alone():
    task = tone_task(rng=rng(), n_times=9, noise=0.0, n_train=30, n_test=12)
    channel = task.test.inputs.argmax(axis=2)
    assert ((channel[:, 4] > channel[:, 0]) == (task.test.labels == 1)).all()
    assert (task.test.inputs[:, [3, 7, 8]] == 0).all()
    assert task.test.table["category"].value_counts().to_dict() == {
        "target": 12, "nontarget": 12, "probe_0.1": 12, "probe_0.2": 12,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"distances in \(0, 1\), got 9, \(1.5,\)"):
        tone_task(rng=rng(), n_times=9, distances=(1.5,))


def test_the_polynomial_has_its_moments():
    task = polynomial_task(rng=rng(), n_inputs=20, n_train=4000, n_test=10)
    assert task.train.labels == pytest.approx(20 * task.train.inputs[:, :1] ** 2 / 2)
    assert task.train.labels.mean() == pytest.approx(0.5, abs=4 * np.sqrt(0.5 / 4000))  # y = z^2 / 2, z normal
    assert not task.train.is_classes


def test_modular_addition_shows_every_pair_once():
    task = modular_task(rng=rng(), modulus=5, train_share=0.6)
    assert (len(task.train), len(task.test), task.n_outputs) == (15, 10, 5)
    inputs = np.concatenate([task.train.inputs, task.test.inputs])
    assert len(np.unique(inputs, axis=0)) == 25
    a, b = inputs[:, :5].argmax(axis=1), inputs[:, 5:].argmax(axis=1)
    assert ((a + b) % 5 == np.concatenate([task.train.labels, task.test.labels])).all()
    with pytest.raises(ConfigError, match="got modulus 5 and train_share 1"):
        modular_task(rng=rng(), modulus=5, train_share=1.0)
