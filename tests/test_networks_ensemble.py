"""What do trained networks answer? Outputs, activity, margins, accuracy and losses of hand-made ensembles."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("jax", reason="networks need JAX")

from random_networks import CONDITIONS, EXAMPLES, NETWORK, random_ensemble

from piriform.networks.answers import network_behavior, plateaus
from piriform.networks.ensemble import answers, rate_factor


@pytest.fixture(scope="module")
def ensemble():
    return random_ensemble()


def naive(ensemble, index, at, x):
    """Both layers and the output f of one network."""
    p = ensemble.at(index, at)
    first = np.maximum(x @ p["w1"] + p["b1"], 0)
    second = np.maximum(first @ p["w2"] / np.sqrt(4) + p["b2"], 0)
    return first, second, CONDITIONS[index // 2].alpha / 6 * (second @ p["readout"])[:, 0]


LOSSES = {
    "a": lambda margin: np.log1p(np.exp(-margin)),
    "b": lambda margin: np.maximum(0.5 - margin, 0),
    "c": lambda margin: (1 - margin) ** 2 / 2,
}


@pytest.mark.parametrize(("index", "at"), [(0, 0), (1, 2), (3, 1), (4, 0)])
def test_every_network_answers_the_trials_of_its_seed(ensemble, index, at):
    given = EXAMPLES[index % 2]
    first, second, f = naive(ensemble, index, at, given.inputs)
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(ensemble.outputs(EXAMPLES)[index, at, :, 0], f, **close)
    np.testing.assert_allclose(ensemble.outputs_of(index, given.inputs)[at, :, 0], f, **close)
    np.testing.assert_allclose(ensemble.activity(index, given.inputs)[at], second, **close)
    np.testing.assert_allclose(ensemble.activity(index, given.inputs, "hidden1")[at], first, **close)
    margin = np.where(given.labels == 1, f, -f)
    np.testing.assert_allclose(ensemble.margins(EXAMPLES)[index, at], margin, **close)
    right = [((f > 0) == code)[given.labels == code].mean() for code in (0, 1)]
    assert ensemble.accuracy(EXAMPLES)[index, at] == pytest.approx(np.mean(right))
    loss = LOSSES[CONDITIONS[index // 2].name](margin).mean()
    assert ensemble.losses(EXAMPLES)[index, at] == pytest.approx(loss, rel=1e-4)


def test_a_lost_network_has_no_answers(ensemble):
    for values in (ensemble.accuracy(EXAMPLES), ensemble.losses(EXAMPLES), ensemble.margins(EXAMPLES)[..., 0]):
        assert np.argwhere(np.isnan(values)).tolist() == [[5, 2]]


def test_names_are_of_condition_and_seed(ensemble):
    assert [member.name for member in ensemble.members] == ["a-7", "a-8", "b-7", "b-8", "c-7", "c-8"]
    assert [member.seed_index for member in ensemble.members] == [0, 1] * 3


def test_an_output_of_0_is_a_nontarget():
    assert answers(np.array([[0.0], [1e-30]])).tolist() == [0, 1]


def test_the_rate_factor_is_that_of_the_layer_that_is_read_out():
    assert rate_factor(NETWORK, "sgd", 2.0) == 6 / 4
    assert rate_factor(replace(NETWORK, readout="sqrt"), "momentum", 2.0) == 0.25
    assert rate_factor(NETWORK, "adam", 2.0) == rate_factor(replace(NETWORK, readout="standard"), "sgd", 2.0) == 1.0


# Behaviour


def test_plateaus_are_of_trained_mixtures_and_of_their_level(ensemble):
    """Accuracy of target and nontarget at the three checkpoints; a level that the last two reach, or the last."""
    trained = [part.of_class("target", "nontarget") for part in EXAMPLES]
    for index in range(5):
        accuracy = []
        for at in range(3):
            given = trained[index % 2]
            right = (naive(ensemble, index, at, given.inputs)[2] > 0) == (given.labels == 1)
            accuracy.append(np.mean([right[given.labels == code].mean() for code in (0, 1)]))
        for level in (min(accuracy[1:]), accuracy[2], accuracy[2] + 1e-6):
            below = [at for at in range(3) if accuracy[at] < level - 1e-9]
            expected = [0.0, 3.0, 10.0, np.nan][below[-1] + 1 if below else 0]
            found = plateaus(ensemble, EXAMPLES, level=level - 1e-9)[ensemble.members[index].name]
            np.testing.assert_equal(found, expected)


def test_days_by_index_count_from_1_and_so_does_the_plateau(ensemble):
    named = {member.name: 3.0 for member in ensemble.members} | {"b-8": np.nan}
    table = network_behavior(ensemble, EXAMPLES, plateau=named, day="index")
    own = table[table["class"] == "all"].set_index("subject")
    assert own.loc["a-7", "day"].tolist() == [1, 2, 3]
    assert own.loc["a-7", "plateau_day"].tolist() == [2, 2, 2]
    assert own.loc["a-7", "phase"].tolist() == ["training", "overtraining", "overtraining"]
    assert own.loc["c-8", "day"].tolist() == [1, 2]
    assert own.loc["b-8", "plateau_day"].isna().all()
