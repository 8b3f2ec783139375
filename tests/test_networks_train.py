"""Do ensembles learn exactly as their definition says, alone or together, in one go or interrupted?"""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from piriform.errors import ConfigError, StudyError

pytest.importorskip("jax", reason="networks need JAX")

from piriform.networks import backend
from piriform.networks.architectures import Network, init
from piriform.networks.backend import jax
from piriform.networks.checkpoints import checkpoint_path, load_checkpoint
from piriform.networks.ensemble import Condition, Training
from piriform.networks.task import Examples, Task
from piriform.networks.train import _digest, _named, train

NETWORK = Network((5,), (8,))
TRAINING = Training(n_steps=20, n_checkpoints=4, batch=8)
CONDITIONS = (
    Condition("rich"),
    Condition("hinge", loss="hinge", threshold=0.5, alpha=3.0),
    Condition("lazy", alpha=100.0, init_scale=0.5, rank=2, learning_rate=0.05),
)


def task(seed, n=24, values=False):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((n, 5)) / np.sqrt(5)
    labels = inputs[:, :1] ** 2 if values else np.arange(n) % 2
    if not values:
        inputs[:, 0] += labels - 0.5
    examples = Examples(inputs, labels, pd.DataFrame({"class": np.where(labels.ravel() == 1, "target", "nontarget")}))
    return Task(examples, examples)


TASKS = [task(seed) for seed in range(3)]


@pytest.fixture(scope="module")
def ensemble():
    return train(NETWORK, TASKS, CONDITIONS, training=TRAINING)


def same(one, other):
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def test_where_checkpoints_lie_does_not_matter():
    """Trials are drawn for many steps at once, from the last checkpoint on."""
    tasks = [task(1), task(2)]
    few, many = (
        train(NETWORK, tasks, CONDITIONS, training=replace(TRAINING, n_steps=150, n_checkpoints=n)) for n in (2, 9)
    )
    for name, values in few.parameters.items():
        assert (values[:, -1] == many.parameters[name][:, -1]).all()


def test_steps_and_shapes(ensemble):
    assert ensemble.steps.tolist() == [0, 1, 3, 7, 20]
    assert ensemble.parameters["w1"].shape == (9, 5, 5, 8)
    assert [member.name for member in ensemble.members][:4] == ["rich-0", "rich-1", "rich-2", "hinge-0"]
    assert (ensemble.diverged_at == -1).all()


def test_the_start_is_that_of_init(ensemble):
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(1), 1), 0)
    start = jax.jit(lambda key: init(NETWORK, key, init_scale=0.5, rank=2))(key)
    assert ensemble.at(7, 0)["w1"] == pytest.approx(np.asarray(start["w1"]), rel=1e-5)
    assert same(ensemble.at(0, 0), ensemble.at(3, 0))  # conditions share the start


def test_another_seed_of_the_config_is_another_start_and_other_batches():
    given = {"training": TRAINING, "start": None}
    one, other = (train(NETWORK, TASKS[:1], CONDITIONS[:1], seed=seed, **given) for seed in (1, 2))
    assert not same(one.at(0, 0), other.at(0, 0))
    start = {name: values[:, 0] for name, values in one.parameters.items()}
    again, moved = (train(NETWORK, TASKS[:1], CONDITIONS[:1], seed=seed, **given | {"start": start}) for seed in (1, 2))
    assert same(again.at(0, -1), one.at(0, -1))
    assert same(moved.at(0, 0), one.at(0, 0))
    assert not same(moved.at(0, -1), one.at(0, -1))


def test_full_batch_descent_by_hand():
    """Cross-entropy of f = (alpha / n) sum a relu(W x + b), gradients by hand, float64."""
    training = Training(n_steps=20, n_checkpoints=2, batch=0, dtype="float64")
    found = train(NETWORK, TASKS[:1], CONDITIONS[:1], training=training)
    p, x, y = found.at(0, 0), TASKS[0].train.inputs, 2 * TASKS[0].train.labels[:, None] - 1
    rate, alpha = 0.1 * 8, 1.0
    for _ in range(20):
        drive = x @ p["w1"] + p["b1"]
        hidden = np.maximum(drive, 0)
        slope = -y / (1 + np.exp(y * alpha / 8 * hidden @ p["readout"])) / len(y) * alpha / 8
        back = (slope @ p["readout"].T) * (drive > 0)
        step = {"w1": x.T @ back, "b1": back.sum(axis=0), "readout": hidden.T @ slope}
        p = {name: p[name] - rate * step[name] for name in p}
    for name in p:
        assert found.at(0, -1)[name] == pytest.approx(p[name], rel=1e-9, abs=1e-12)


def test_a_member_alone_equals_the_member_among_others(ensemble):
    for place, (condition, seed) in {5: (1, 2), 6: (2, 0)}.items():
        alone = train(NETWORK, [TASKS[seed]], [CONDITIONS[condition]], training=TRAINING, seeds=[seed])
        assert same({name: values[place] for name, values in ensemble.parameters.items()},
                    {name: values[0] for name, values in alone.parameters.items()})  # fmt: skip


def test_networks_side_by_side_learn_the_same(ensemble):
    together = train(NETWORK, TASKS, CONDITIONS, training=replace(TRAINING, at_once=9))
    for name, values in ensemble.parameters.items():
        assert together.parameters[name] == pytest.approx(values, rel=1e-4, abs=1e-5)


def test_interrupted_training_goes_on_exactly(ensemble, tmp_path):
    whole = train(NETWORK, TASKS, CONDITIONS, training=TRAINING, folder=tmp_path)
    assert same(ensemble.parameters, whole.parameters)
    contents = {step: checkpoint_path(tmp_path, step).read_bytes() for step in (7, 20)}
    for step in (7, 20):
        checkpoint_path(tmp_path, step).unlink()
    resumed = train(NETWORK, TASKS, CONDITIONS, training=TRAINING, folder=tmp_path)
    assert same(ensemble.parameters, resumed.parameters)
    assert {step: checkpoint_path(tmp_path, step).read_bytes() for step in (7, 20)} == contents
    assert resumed.remarks == ()


def test_optimizers_with_memory_resume_exactly(tmp_path):
    training = replace(TRAINING, optimizer="adam")
    conditions = [Condition("perp", perp_grad=True), Condition("decay", weight_decay=0.1)]
    whole = train(NETWORK, TASKS[:1], conditions, training=training, folder=tmp_path)
    checkpoint_path(tmp_path, 20).unlink()
    assert same(whole.parameters, train(NETWORK, TASKS[:1], conditions, training=training, folder=tmp_path).parameters)


def test_a_checkpoint_cut_short_is_made_anew(ensemble, tmp_path):
    train(NETWORK, TASKS, CONDITIONS, training=TRAINING, folder=tmp_path)
    path = checkpoint_path(tmp_path, 7)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StudyError, match=r"step-00000007.npz: this checkpoint is cut short or damaged; train again"):
        load_checkpoint(path)
    again = train(NETWORK, TASKS, CONDITIONS, training=TRAINING, folder=tmp_path)
    assert same(ensemble.parameters, again.parameters)
    assert again.remarks[0] == "trained again from step 3 on: step-00000007.npz was cut short or damaged"
    load_checkpoint(path)


def test_checkpoints_of_another_training_are_refused(tmp_path):
    train(NETWORK, TASKS[:1], CONDITIONS[:1], training=TRAINING, folder=tmp_path)
    with pytest.raises(ConfigError, match="belongs to another training"):
        train(NETWORK, TASKS[:1], CONDITIONS[1:2], training=TRAINING, folder=tmp_path)
    with pytest.raises(ConfigError, match="belongs to another training"):
        train(NETWORK, TASKS[1:2], CONDITIONS[:1], training=TRAINING, seeds=[0], folder=tmp_path)
    start = {"w1": np.zeros((1, 5, 8)), "b1": np.zeros((1, 8)), "readout": np.zeros((1, 8, 1))}
    for changed in ({"seed": 2}, {"start": start}):
        with pytest.raises(ConfigError, match="belongs to another training"):
            train(NETWORK, TASKS[:1], CONDITIONS[:1], training=TRAINING, folder=tmp_path, **changed)


def test_everything_that_decides_the_numbers_is_in_the_digest():
    given = {
        "network": NETWORK,
        "conditions": CONDITIONS,
        "seeds": (1, 0),
        "training": TRAINING,
        "data": {"a": np.ones(2)},
    }
    changes = [
        {},
        {"network": replace(NETWORK, epsilon=0.5)},
        {"conditions": CONDITIONS[:2]},
        {"seeds": (1, 1)},
        {"training": replace(TRAINING, batch=4)},
        {"data": {"a": np.ones(2), **_named({"w1": np.zeros(2)})}},
    ]
    assert len({_digest(**given | change) for change in changes}) == len(changes)
    assert _digest(**given | {"training": replace(TRAINING, at_once=3)}) == _digest(**given)


def test_a_network_that_diverges_stops_and_the_others_go_on():
    training = replace(TRAINING, batch=0)
    conditions = [Condition("fine", loss="squared"), Condition("wild", loss="squared", learning_rate=1e6)]
    found = train(NETWORK, TASKS[:2], conditions, training=training)
    fine = train(NETWORK, TASKS[:2], conditions[:1], training=training)
    assert same({name: values[:2] for name, values in found.parameters.items()}, fine.parameters)
    for place in (2, 3):
        step = found.diverged_at[place]
        assert 0 < step < 20
        finite = [np.isfinite(found.at(place, at)["w1"]).all() for at in range(5)]
        assert finite == [at <= step for at in found.steps]
    assert found.diverged_at[:2].tolist() == [-1, -1]
    assert found.remarks[0] == (
        f"wild-0: the loss was not finite at step {found.diverged_at[2]}; this network stopped there"
    )
    examples = [each.test for each in TASKS[:2]]
    assert np.isnan(found.accuracy(examples)[2:, -1]).all()
    assert np.isfinite(found.accuracy(examples)[:2]).all()


def test_a_network_that_breaks_in_its_last_step_is_no_network():
    """The loss is known at the start of a step only; at the end the parameters tell."""
    condition = Condition("wild", learning_rate=1e37)
    tasks = [replace(each, remarks=("mind the gap",)) for each in TASKS[:2]]
    found = train(NETWORK, tasks, [condition], training=Training(n_steps=1, n_checkpoints=2, batch=0))
    assert found.diverged_at.tolist() == [1, 1]
    lost = "the loss was not finite at step 1; this network stopped there"
    assert found.remarks == ("mind the gap", f"wild-0: {lost}", f"wild-1: {lost}")
    assert [np.isfinite(found.at(0, at)["readout"]).all() for at in (0, 1)] == [True, False]


def test_perp_grad_keeps_every_tensor_orthogonal_to_its_step():
    training = Training(n_steps=1, n_checkpoints=2, batch=0)
    found = train(NETWORK, TASKS[:1], [Condition("perp", perp_grad=True, alpha=3.0)], training=training)
    for name in ("w1", "readout"):
        before, after = (found.at(0, place)[name] for place in (0, 1))
        assert np.abs(after - before).max() > 1e-3
        assert ((after - before) * before).sum() == pytest.approx(0, abs=1e-5)


def test_a_norm_bound_holds():
    conditions = [Condition("free", learning_rate=3.0), Condition("bound", learning_rate=3.0, max_norm=1.0)]
    found = train(NETWORK, TASKS[:1], conditions, training=TRAINING)
    norm = np.sqrt(sum((values**2).sum(axis=tuple(range(2, values.ndim))) for values in found.parameters.values()))
    assert norm[1] / norm[1, 0] == pytest.approx(np.minimum(norm[1] / norm[1, 0], 1), abs=1e-5)
    assert norm[0, -1] > 1.1 * norm[0, 0]


def test_a_cap_holds_the_margin():
    training = Training(n_steps=300, n_checkpoints=2, batch=0)
    capped = Condition("capped", alpha=3.0, margin_high=0.5, margin_strength=30.0)
    found = train(NETWORK, TASKS[:1], [replace(capped, name="free", margin_strength=0.0), capped], training=training)
    margin = found.margins([TASKS[0].train])[:, -1]
    assert np.quantile(margin[0], 0.9) > 1.5
    assert np.quantile(margin[1], 0.9) < 0.6


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"tasks": TASKS[:2], "seeds": [1]}, "got 2 tasks, 1 seeds and 3 conditions"),
        ({"conditions": []}, "at least one condition"),
        ({"seeds": [1, 1, 2]}, "two networks are named 'rich-1'"),
        ({"tasks": [task(0), task(1), task(2, n=30)]}, "must be of one size"),
        ({"network": Network((6,), (8,))}, r"takes inputs of shape \(6,\) and gives 1 output"),
        ({"tasks": [task(seed, values=True) for seed in range(3)]}, "loss cross_entropy needs classes"),
        ({"tasks": [task(seed, n=25) for seed in range(3)]}, "balanced batches of 8 .* got 12 to 13"),
    ],
)
def test_what_does_not_fit_together(changed, match):
    given = {"network": NETWORK, "tasks": TASKS, "conditions": CONDITIONS, "training": TRAINING} | changed
    with pytest.raises(ConfigError, match=match):
        train(given.pop("network"), given.pop("tasks"), given.pop("conditions"), **given)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Condition("a", alpha=np.inf), "condition 'a': alpha is inf; it must be positive and finite"),
        (lambda: Condition("a", alpha=0.0), "condition 'a': alpha is 0.0; it must be positive and finite"),
        (lambda: Condition("a", loss="log"), "unknown loss 'log'"),
        (lambda: Condition("a", margin_low=1.0, margin_high=0.0), "margin_low 1 lies above margin_high 0"),
        (lambda: Condition("a", margin_low=np.nan), "margin_low nan lies above"),
        (lambda: Condition("a", weight_decay=-1.0), "weight_decay is -1.0; it must be 0 or more"),
        (lambda: Condition("a", rank=-3), "rank is -3; it must be 0 or more"),
        (lambda: Condition("a", beta2=1.0), r"beta2 is 1.0; it must lie in \[0, 1\)"),
        (lambda: Training(n_steps=0), "training of 0 steps"),
        (lambda: Training(learns=("readuot",)), r"learns \('readuot',\) .* parameters are named w1, b1"),
        (lambda: Training(at_once=-1), "at_once -1; "),
        (lambda: Training(dtype="half"), "unknown dtype 'half'"),
        (lambda: Training(optimizer="lbfgs"), "unknown optimizer 'lbfgs'"),
        (lambda: Training(margin="input"), "unknown margin 'input'"),
    ],
)
def test_impossible_settings(make, match):
    with pytest.raises(ConfigError, match=match):
        make()


def test_regression_learns_values():
    conditions = [Condition("a", loss="squared", learning_rate=1.0)]
    training = Training(n_steps=1000, n_checkpoints=2, batch=0)
    tasks = [task(0, values=True)]
    found = train(replace(NETWORK, activation="quadratic", bias=False), tasks, conditions, training=training)
    before, after = found.losses([tasks[0].train])[0, [0, -1]]
    assert after < 0.2 * before


SCRIPT = """
import sys; sys.path.insert(0, "tests")
import hashlib, json
from test_networks_train import *
found = train(NETWORK, TASKS, CONDITIONS, training=TRAINING)
print(json.dumps({name: hashlib.sha256(values.tobytes()).hexdigest() for name, values in found.parameters.items()}))
"""


def test_the_same_bytes_in_another_process_with_two_threads(ensemble, monkeypatch, request):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC"):
        monkeypatch.setenv(name, "2")
    root = request.config.rootpath
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, check=True, capture_output=True, text=True)
    expected = {name: hashlib.sha256(values.tobytes()).hexdigest() for name, values in ensemble.parameters.items()}
    assert json.loads(done.stdout.splitlines()[-1]) == expected


# The backend ----------------------------------------------------------------------------------


def test_jax_starts_only_when_used(request):
    code = (
        "import os, sys; import piriform.networks.record, piriform.networks.train; assert 'jax' not in sys.modules; "
        "from piriform.networks.backend import FLAGS, jax; jax.numpy; assert FLAGS in os.environ['XLA_FLAGS']"
    )
    subprocess.run([sys.executable, "-c", code], cwd=request.config.rootpath, check=True)


def test_without_jax_one_sentence_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(backend, "import_module", missing)
    backend._module.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r'networks need jax, .* pip install "piriform\[networks\]"'):
            train(NETWORK, TASKS, CONDITIONS, training=TRAINING)
        with pytest.raises(ConfigError, match=r"networks need jax, which is not installed"):
            backend.check()  # what `piriform networks` asks before it starts the workflow
    finally:
        backend._module.cache_clear()
