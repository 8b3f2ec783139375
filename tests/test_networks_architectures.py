"""Do networks compute what their equations say, from the start that was asked for?"""

from functools import cache

import numpy as np
import pytest

from piriform.errors import ConfigError

pytest.importorskip("jax", reason="networks need JAX")

from piriform.networks.architectures import Network, apply, deep_linear, features, init, last_layer, weight_names
from piriform.networks.backend import jax, precision

NETWORKS = {
    "mlp": Network((5,), (8,)),
    "deep": Network((5,), (6, 8), 3, activation="tanh", readout="sqrt"),
    "quadratic": Network((5,), (8,), activation="quadratic", epsilon=0.6),
    "standard": Network((5,), (8,), 3, readout="standard"),
    "cnn": Network((8, 8, 1), (3, 4, 10), 10),
    "rnn": Network((6, 5), (8,), activation="tanh"),
    "dale": Network((5,), (8,), dale=True),
    "deep dale": Network((5,), (6, 8), dale=True),
}


@cache
def compiled(network):
    def both(parameters, inputs, alpha):
        return apply(network, parameters, inputs, alpha=alpha), features(network, parameters, inputs)

    return jax.jit(lambda seed, scale, rank: init(network, jax.random.key(seed), init_scale=scale, rank=rank)), jax.jit(
        both
    )


def started(network, seed=0, init_scale=1.0, rank=0):
    return {name: np.asarray(values) for name, values in compiled(network)[0](seed, init_scale, rank).items()}


def outputs_and_features(network, parameters, inputs, alpha=1.0):
    outputs, layers = compiled(network)[1](parameters, inputs, alpha)
    return np.asarray(outputs), {name: np.asarray(values) for name, values in layers.items()}


def trials(network, n=7):
    return np.random.default_rng(0).standard_normal((n, *network.shape)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_antisymmetric_start_gives_zero(name):
    network = NETWORKS[name]
    inputs = trials(network)
    outputs, layers = outputs_and_features(network, started(network), inputs)
    loud = np.abs(last_layer(layers)).mean()
    assert outputs.shape == (7, network.n_outputs)
    assert loud > 0.05
    assert np.abs(outputs).max() < 1e-5 * loud


@pytest.mark.parametrize("name", ["mlp", "quadratic", "standard", "dale", "deep dale", "deep"])
def test_mlp_by_the_equation(name):
    network = NETWORKS[name]
    rng = np.random.default_rng(1)
    p = {key: rng.standard_normal(values.shape).astype(np.float32) for key, values in started(network).items()}
    x = trials(network)
    phi = {"relu": lambda h: np.maximum(h, 0), "tanh": np.tanh, "quadratic": lambda h: h + 0.3 * h**2}
    phi = phi[network.activation]
    hidden = phi(x @ p["w1"] + p["b1"])
    if "deep" in name:
        w2 = np.array([1, -1, 1, -1, 1, -1])[:, None] * np.abs(p["w2"]) if network.dale else p["w2"]
        hidden = phi(hidden @ w2 / np.sqrt(6) + p["b2"])
    readout = p["readout"]
    if network.dale:
        readout = np.array([1, -1, 1, -1, -1, 1, -1, 1])[:, None] * np.abs(readout)
    factor = {"mean": 2 / 8, "sqrt": 2 / np.sqrt(8), "standard": 2.0}[network.readout]
    assert outputs_and_features(network, p, x, 2.0)[0] == pytest.approx(factor * hidden @ readout, rel=1e-4, abs=1e-5)


def test_cnn_by_direct_convolution():
    network = Network((4, 4, 2), (3, 6), 2)
    p, x = started(network), trials(network, 2)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = p["w1"].reshape(3, 3, 2, 3)
    maps = np.zeros((2, 4, 4, 3))
    for row in range(4):
        for column in range(4):
            maps[:, row, column] = np.einsum("nijc,ijco->no", padded[:, row : row + 3, column : column + 3], kernel)
    halved = np.maximum(maps, 0).reshape(2, 2, 2, 2, 2, 3).mean(axis=(2, 4))
    found = outputs_and_features(network, p, x)[1]
    assert found["hidden1"] == pytest.approx(halved.reshape(2, -1), rel=1e-4, abs=1e-5)
    dense = np.maximum(halved.reshape(2, -1) @ p["w2"] / np.sqrt(12), 0)
    assert found["hidden2"] == pytest.approx(dense, rel=1e-4, abs=1e-5)


def test_an_odd_last_row_and_column_of_an_image_are_left_out():
    """Means over the 2 x 2 places of the first rows and columns; a blank edge tells them from the last."""
    network = Network((5, 7, 1), (1, 6), 2, bias=False)
    p = {"w1": np.zeros((9, 1)), "w2": np.zeros((6, 6)), "readout": np.zeros((6, 2))}
    p["w1"][4] = 1  # each place sees itself
    x = trials(network, 2)
    found = outputs_and_features(network, p, x)[1]["hidden1"].reshape(2, 2, 3)
    expected = np.maximum(x[:, :4, :6, 0], 0).reshape(2, 2, 2, 3, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_rnn_by_a_loop_over_time():
    network = Network((4, 3), (6,), activation="tanh", antisymmetric=False)
    p, x = started(network), trials(network)
    hidden, course = np.zeros((7, 6)), []
    for time in range(4):
        hidden = np.tanh(x[:, time] @ p["w1"] + hidden @ p["recurrent"] / np.sqrt(6))
        course.append(hidden)
    outputs, layers = outputs_and_features(network, p, x)
    found = layers["hidden1"]
    assert found.shape == (7, 6, 4)
    assert found == pytest.approx(np.stack(course, axis=2), rel=1e-4, abs=1e-5)
    assert outputs == pytest.approx(hidden @ p["readout"] / 6, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_rank_and_norm_at_the_start(rank):
    network = Network((10,), (9, 8), antisymmetric=False)
    low, full = started(network, rank=rank), started(network)
    for name, size in (("w1", 9), ("w2", 8)):
        assert np.linalg.matrix_rank(low[name], tol=1e-4) == rank
        assert np.linalg.matrix_rank(full[name], tol=1e-4) == size
        assert np.linalg.norm(low[name]) == pytest.approx(np.linalg.norm(full[name]), rel=1e-5)
    assert (low["readout"] == full["readout"]).all()


def test_full_rank_is_the_default():
    network = NETWORKS["mlp"]
    for rank in (4, 5):  # of 5 x 4 independent weights
        assert (started(network, rank=rank)["w1"] == started(network)["w1"]).all()


def test_twins_have_the_rank_of_their_half():
    assert np.linalg.matrix_rank(started(NETWORKS["mlp"], rank=3)["w1"], tol=1e-4) == 3
    assert np.linalg.matrix_rank(started(NETWORKS["mlp"])["w1"], tol=1e-4) == 4


def test_weights_have_their_scale():
    wide = Network((200,), (400,), antisymmetric=False)
    weights = started(wide, init_scale=0.5)["w1"]
    assert weights.std() == pytest.approx(0.5, rel=4 / np.sqrt(2 * weights.size))
    kurtosis = ((weights / 0.5) ** 4).mean()
    assert kurtosis == pytest.approx(3, abs=4 * np.sqrt(96 / weights.size))  # of the normal distribution
    standard = started(Network((200,), (400,), antisymmetric=False, readout="standard"), init_scale=0.5)
    assert standard["w1"].std() == pytest.approx(0.5 / np.sqrt(200), rel=4 / np.sqrt(2 * weights.size))
    assert standard["readout"].std() == pytest.approx(0.5 / np.sqrt(400), rel=4 / np.sqrt(2 * 400))


def test_twins_have_the_scale_of_a_layer_as_wide():
    """A unit receives as much variance from pairs of equal units as from as many that are not."""
    standard = started(Network((20,), (800,), readout="standard"), init_scale=0.5)
    assert standard["readout"].std() == pytest.approx(0.5 / np.sqrt(800), rel=4 / np.sqrt(2 * 400))
    for readout in ("mean", "standard"):
        recurrent = started(Network((3, 20), (200,), readout=readout), init_scale=0.5)["recurrent"]
        # (h_1 w_1 + h_2 w_2) of two units of equal h: w of half the variance
        assert recurrent.std() == pytest.approx(0.5 / np.sqrt(2), rel=4 / np.sqrt(2 * 100**2))


def test_the_same_seed_gives_the_same_numbers():
    one, other, third = (started(NETWORKS["cnn"], seed=seed) for seed in (3, 3, 4))
    assert all((one[name] == other[name]).all() for name in one)
    assert (one["w1"] != third["w1"]).any()


def test_float64_by_option():
    with precision("float64"):
        weights = started(NETWORKS["mlp"])["w1"]
        assert weights.dtype == np.float64
    assert started(NETWORKS["mlp"])["w1"].dtype == np.float32


def test_weights_in_order():
    assert weight_names(started(NETWORKS["cnn"])) == ["w1", "w2", "w3", "readout"]
    assert weight_names(started(NETWORKS["rnn"])) == ["w1", "recurrent", "readout"]
    assert weight_names(dict.fromkeys(["b1", "readout", "w10", "w2", "w1"])) == ["w1", "w2", "w10", "readout"]


def test_deep_linear_is_a_product():
    network = deep_linear(5, (4, 3), 2)
    p, x = started(network), trials(network)
    assert set(p) == {"w1", "w2", "readout"}
    assert outputs_and_features(network, p, x)[0] == pytest.approx(
        x @ p["w1"] @ p["w2"] @ p["readout"], rel=1e-4, abs=1e-6
    )


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"shape": (1, 2, 3, 4)}, "a network needs 1 to 3 input dimensions"),
        ({"activation": "gelu"}, "unknown activation 'gelu'"),
        ({"readout": "max"}, "unknown readout 'max'"),
        ({"shape": (0,)}, r"at least one unit in each, got shape \(0,\)"),
        ({"hidden": ()}, "a hidden layer"),
        ({"hidden": (7,)}, "antisymmetric units come in pairs"),
        ({"shape": (4, 5), "hidden": (4, 4)}, "an rnn has one hidden layer"),
        ({"shape": (2, 2, 1), "hidden": (4, 4, 4)}, r"\(2, 2\) cannot be halved 2 times"),
        ({"shape": (2, 8, 1), "hidden": (4, 4, 4)}, r"\(2, 8\) cannot be halved 2 times"),
        ({"shape": (4, 5), "dale": True}, "dale does not go with kind rnn and antisymmetric units"),
    ],
)
def test_impossible_networks(wrong, match):
    with pytest.raises(ConfigError, match=match):
        Network(**{"shape": (5,), "hidden": (8,)} | wrong)
