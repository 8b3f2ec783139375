"""Which units, trials and spikes of a network are recorded? Draws, noise and answers of networks with known activity."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jax", reason="networks need JAX")

from random_networks import EXAMPLES, random_ensemble

from piriform.networks.architectures import Network
from piriform.networks.record import Recording, record, recorded
from piriform.networks.spikes import SpikeNoise
from piriform.trials import load_trials

SOME = Recording(n_units=3, n_trials={"nontarget": 5})


@pytest.fixture(scope="module")
def ensemble():
    return random_ensemble()


def tensors(ensemble, index=0, recording=SOME, **options):
    return recorded(ensemble, index, EXAMPLES[index % 2], recording=recording, plateau=3.0, **options)


def same_everywhere(ensemble, value):
    """The ensemble with the parameters of one network at one checkpoint wherever there is one."""
    first = {name: np.broadcast_to(values[:1, :1], values.shape) for name, values in ensemble.parameters.items()}
    return replace(ensemble, parameters=first | value)


def test_a_part_of_the_trials_keeps_what_belongs_to_each(ensemble):
    layer = replace(SOME, layer="hidden1")
    for tensor, at in zip(tensors(ensemble, 3, layer), range(3), strict=True):
        given = EXAMPLES[1]
        units = tensor["unit_id"].values.astype(int)
        rows = np.array([int(name[1:]) for name in tensor["stimulus"].values])
        whole = ensemble.activity(3, given.inputs, "hidden1")[at]
        np.testing.assert_array_equal(tensor.values[:, :, 1], whole[np.ix_(rows, units)])
        assert (np.diff(rows) > 0).all()
        counts = pd.Series(given.table["class"].to_numpy()[rows]).value_counts().to_dict()
        assert counts == given.table["class"].value_counts().to_dict() | {"nontarget": 5}
        assert tensor["class"].values.tolist() == given.table["class"].iloc[rows].tolist()
        answer = ensemble.outputs_of(3, given.inputs)[at, rows, 0] > 0
        assert tensor["choice"].values.tolist() == np.where(answer, "target", "nontarget").tolist()
        assert tensor["correct"].values.tolist() == (answer == given.labels[rows]).astype(float).tolist()
        assert tensor["tracked_id"].values.tolist() == tensor["unit_id"].values.astype(str).tolist()
        assert tensor["time"].values.tolist() == [-0.25, 0.25]


def test_units_are_drawn_for_each_network_and_trials_for_each_session(ensemble):
    still = same_everywhere(ensemble, {})
    few = replace(SOME, n_units=3)
    drawn = {tuple(tensors(still, index, few)[0]["unit_id"].values) for index in (0, 2, 4)}
    assert len(drawn) > 1
    shown = {tensor.values[:, :, 1].tobytes() for tensor in tensors(still, 0, few)}
    assert len(shown) == 3
    first, again, other = (tensors(still, 0, few, seed=seed)[0] for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    firsts = [tensors(still, 0, few, seed=seed)[0]["unit_id"].values.tolist() for seed in range(6)]
    assert len(set(map(tuple, firsts))) > 1


def test_spikes_are_drawn_for_each_session_in_the_rates_asked_for(ensemble):
    """No biases: a blank trial leaves the baseline rate alone, and the mean response is that of the noise."""
    still = same_everywhere(ensemble, {name: 0 * ensemble.parameters[name][:, :, :] for name in ("b1", "b2")})
    still = replace(still, parameters={name: np.nan_to_num(values) for name, values in still.parameters.items()})
    noise = SpikeNoise(baseline_rate=20.0, evoked_rate=40.0, fano=1.0, trial_gain_sd=0.0)
    one, two, three = tensors(still, 0, Recording(noise=noise))
    assert one.attrs["units"] == "spikes/s"
    assert not np.array_equal(one.values, two.values)
    values = np.stack([tensor.values for tensor in (one, two, three)])
    assert values[..., 0].mean() == pytest.approx(20, abs=4 * np.sqrt(20 / 0.5 / values[..., 0].size))
    assert values[..., 1].mean() == pytest.approx(60, abs=4 * np.sqrt(60 / 0.5 / values[..., 1].size))


def test_counts_are_of_one_bin_of_a_recurrent_network(ensemble):
    network = Network((4, 5), (6,), antisymmetric=False)
    rng = np.random.default_rng(0)
    shapes = {"w1": (5, 6), "b1": (6,), "recurrent": (6, 6), "readout": (6, 1)}
    parameters = {name: rng.standard_normal((6, 3, *shape)).astype(np.float32) for name, shape in shapes.items()}
    given = replace(EXAMPLES[0], inputs=rng.standard_normal((30, 4, 5)))
    found = replace(ensemble, network=network, parameters=parameters)
    tensor = recorded(found, 0, given, recording=Recording(noise=SpikeNoise()), plateau=3.0)[0]
    counts = tensor.values * 0.125
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    assert (counts % 4 != 0).any()


def test_the_seed_of_a_recording_reaches_its_files(ensemble, tmp_path):
    plateau = {member.name: 3.0 for member in ensemble.members}
    found = []
    for seed in (1, 2):
        record(ensemble, EXAMPLES, tmp_path / str(seed), recording=SOME, plateau=plateau, seed=seed)
        found.append(load_trials(tmp_path / str(seed) / "b-8.nc", "step-00000003"))
        assert found[-1].equals(tensors(ensemble, 3, seed=seed)[1])
    assert not found[0].equals(found[1])


def test_the_fingerprint_is_that_of_the_parameters_of_the_session(ensemble):
    prints = [tensor.attrs["source_sha256"] for tensor in tensors(ensemble)]
    assert len(set(prints)) == 3
    still = [tensor.attrs["source_sha256"] for tensor in tensors(same_everywhere(ensemble, {}))]
    assert set(still) == {prints[0]}
