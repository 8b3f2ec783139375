"""Does a compiled step do what its condition says? Steps written out naively, and the trials of a batch."""

import numpy as np
import pytest

pytest.importorskip("jax", reason="networks need JAX")

import jax
import jax.numpy as jnp
import pandas as pd

from piriform.networks.architectures import Network
from piriform.networks.backend import precision
from piriform.networks.ensemble import Condition, Training
from piriform.networks.program import CHUNK, _drawn_rows
from piriform.networks.task import Examples, Task
from piriform.networks.train import _class_rows, train

NETWORK = Network((5,), (8,))
CONDITIONS = (
    Condition("alpha", alpha=2.0),
    Condition("hinge", loss="hinge", threshold=0.1, learning_rate=0.3),
    Condition("squared", loss="squared", weight_decay=0.2, learning_rate=0.05),
    Condition("stablemax", loss="stablemax", perp_grad=True),
    Condition("bound", max_norm=0.9),
    Condition("held", margin_low=0.2, margin_high=0.5, margin_strength=3.0),
)


def task(seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % 2
    inputs = rng.standard_normal((24, 5)) / np.sqrt(5)
    inputs[:, 0] += labels - 0.5
    examples = Examples(inputs, labels, pd.DataFrame({"class": np.where(labels, "target", "nontarget")}))
    return Task(examples, examples)


TASK = task(0)


def naive_scale(p):
    return jnp.prod(jnp.array([jnp.sqrt((p[name] ** 2).sum()) for name in ("w1", "readout")]))


def naive_objective(p, x, labels, how, first, margin):
    hidden = x @ p["w1"] + p["b1"]
    hidden = jnp.where(hidden > 0, hidden, 0)
    m = (2 * labels - 1) * (how.alpha / 8 * (hidden @ p["readout"])[:, 0])
    half = jnp.where(m >= 0, m / 2 + 1, 1 / (1 + jnp.abs(m) / 2))  # s of the right class's logit m / 2
    loss = {
        "cross_entropy": jnp.log(1 + jnp.exp(-m)),
        "hinge": jnp.maximum(how.threshold - m, 0),
        "squared": (m - 1) ** 2 / 2,
        "stablemax": -jnp.log(half / (half + 1 / half)),  # s(-z) = 1 / s(z)
    }[how.loss]
    m = m / (naive_scale(p) / naive_scale(first)) if margin == "normalised" else m
    outside = jnp.maximum(m - how.margin_high, 0) + jnp.maximum(how.margin_low - m, 0)
    return loss.mean() + (how.margin_strength * (outside**2).mean() if how.margin_strength else 0)


def norm(parameters):
    return np.sqrt(sum((values**2).sum() for values in parameters.values()))


slope = jax.jit(jax.grad(naive_objective), static_argnums=(3, 5))


def naive_steps(p, given, how, training):
    first, x, labels = p, given.train.inputs, given.train.labels
    for _ in range(training.n_steps):
        g = slope(p, x, labels, how, first, training.margin)
        g = {name: np.asarray(values) for name, values in g.items()}
        if how.perp_grad:
            # biases are 0 at the start
            turned = {
                name: g[name] - (g[name] * p[name]).sum() / max((p[name] ** 2).sum(), 1e-300) * p[name] for name in p
            }
            g = {name: turned[name] * np.linalg.norm(g[name]) / np.linalg.norm(turned[name]) for name in p}
        moves = {name: not training.learns or name in training.learns for name in p}
        rate = how.learning_rate * 8 / how.alpha**2
        p = {name: p[name] - moves[name] * rate * (g[name] + how.weight_decay * p[name]) for name in p}
        shrink = min(1.0, how.max_norm * norm(first) / norm(p))
        p = {name: shrink * values for name, values in p.items()}
    return p


@pytest.mark.parametrize("changed", [{"margin": "normalised"}, {"learns": ("b1", "readout")}], ids=str)
def test_steps_are_those_of_each_condition(changed):
    """Conditions that share a program differ in exactly what they say."""
    training = Training(n_steps=5, n_checkpoints=2, batch=0, dtype="float64", **changed)
    found = train(NETWORK, [TASK], CONDITIONS, training=training)
    with precision("float64"):
        for member in found.members:
            expected = naive_steps(found.at(member.index, 0), TASK, member.condition, training)
            for name, values in found.at(member.index, -1).items():
                np.testing.assert_allclose(
                    values, expected[name], rtol=1e-9, atol=1e-12, err_msg=f"{member.name} {name}"
                )


@pytest.mark.parametrize("balanced", [True, False])
def test_batches_hold_trials_of_all_and_are_the_same_wherever_a_chunk_begins(balanced):
    labels = np.array([1, 0, 2, 0, 1, 2, 2, 1, 0, 0, 1, 2])
    rows = _class_rows(labels[None], Training(batch=6))[0]
    np.testing.assert_array_equal(rows, [np.flatnonzero(labels == code) for code in range(3)])
    data = {"labels": labels} | ({"rows": rows} if balanced else {})
    draw = jax.jit(lambda first: _drawn_rows(Training(batch=6), data, jax.random.key(0), first))
    rows = np.asarray(draw(np.int32(0)))
    assert rows.shape == (CHUNK, 6)
    # 384 draws from 12 trials: 32 of each, SD 5.4
    assert np.abs(np.bincount(rows.ravel(), minlength=12) - 32).max() < 4 * 5.4
    assert len(np.unique(rows, axis=0)) > CHUNK / 2
    per_class = np.stack([(labels[rows] == code).sum(axis=1) for code in range(3)])
    assert (per_class == 2).all() == balanced
    np.testing.assert_array_equal(np.asarray(draw(np.int32(5)))[:-5], rows[5:])
