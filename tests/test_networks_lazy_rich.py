"""Lazy and rich learning end to end on tiny networks, and known answers of what the experiment computes itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("jax", reason='networks need JAX: pip install "piriform[networks]"')

import jax

from piriform.errors import ConfigError
from piriform.networks.architectures import Network, apply, init, weight_names
from piriform.networks.classics import modular_task, polynomial_task
from piriform.networks.ensemble import Condition, Ensemble, Training, rate_factor
from piriform.networks.experiments import lazy_rich
from piriform.networks.experiments.findings import Scale
from piriform.networks.experiments.lazy_rich_odors import OdorSweep, movement, relu_tangent_kernel
from piriform.networks.experiments.modular import Addition, addition_measures, addition_quantities, no_loss
from piriform.networks.experiments.odor_courses import odor_tasks
from piriform.networks.experiments.polynomial import (
    Polynomial,
    committee_kernel,
    kernel_gap,
    learning_measures,
    polynomial_part,
    polynomial_quantities,
    theory_measures,
)
from piriform.networks.measures import tangent_kernel
from piriform.networks.odors import Odors
from piriform.networks.optimizers import optimizer

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
SWEEP = OdorSweep(
    alphas=(0.1, 3.0, 10.0, 1000.0),
    ranks=(1,),
    odors=ODORS,
    overlap=3,
    network=Network((30,), (32,)),
    training=Training(n_steps=60, n_checkpoints=6, batch=20),
)
POLYNOMIAL = Polynomial(
    n_inputs=5, n_train=8, n_test=400, n_units=20, training=Training(100, n_checkpoints=6, batch=0, balanced=False)
)
ADDITION = Addition(modulus=5, n_units=8, n_steps=20)
COMMITTEE = POLYNOMIAL.network


def rng():
    return np.random.default_rng(1)


def started(network, **options):
    return {name: np.asarray(values) for name, values in init(network, jax.random.key(0), **options).items()}


def made(network, condition, stages):
    """An ensemble of one network with these parameters at its checkpoints."""
    parameters = {name: np.stack([stage[name] for stage in stages])[None] for name in stages[0]}
    steps = np.arange(len(stages))
    return Ensemble(network, Training(n_steps=10), (condition,), (0,), steps, parameters, np.array([-1]))


# The committee and beta2 ----------------------------------------------------------------------


def test_a_committee_is_the_mean_of_its_units_and_trains_no_readout():
    p, x = started(COMMITTEE), rng().normal(size=(3, 5))
    h = x @ p["w1"]
    expected = 2.0 * (h + 0.125 * h**2).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(apply(COMMITTEE, p, x, alpha=2.0), expected, rtol=1e-4, atol=1e-5)
    assert set(p) == {"w1"}
    assert weight_names(p) == ["w1"]
    assert rate_factor(COMMITTEE, "sgd", 2.0) == 5.0  # 20 units / 2^2


@pytest.mark.parametrize("wrong", [{"antisymmetric": True}, {"n_outputs": 2}])
def test_a_committee_has_one_output_and_no_pairs(wrong):
    with pytest.raises(ConfigError, match="a committee has one output and no antisymmetric units"):
        replace(COMMITTEE, **wrong)


def test_beta2_decides_how_long_adam_remembers():
    """Gradients 1 and then 0.1: the second step is m / sqrt(v), both corrected for their start at 0."""
    for given, beta2 in (({"beta2": 0.5}, 0.5), ({}, 0.999)):
        made = optimizer("adam", {"learning_rate": 1.0, "weight_decay": 0.0, "epsilon": 1e-25} | given)
        w = np.zeros(1, np.float32)
        state = made.init(w)
        for gradient in (1.0, 0.1):
            step, state = made.update(np.full(1, gradient, np.float32), state, w)
        m = (0.9 * 0.1 + 0.1 * 0.1) / (1 - 0.9**2)
        v = (beta2 * (1 - beta2) + (1 - beta2) * 0.01) / (1 - beta2**2)
        assert float(step[0]) == pytest.approx(-m / np.sqrt(v), rel=1e-3)


# Odours ---------------------------------------------------------------------------------------


def test_relu_tangent_kernel_is_that_of_the_jacobian():
    network = Network((4,), (6,), antisymmetric=False)
    p, x = started(network) | {"b1": rng().normal(size=6)}, rng().normal(size=(7, 4))
    own = relu_tangent_kernel(p["w1"], p["b1"], p["readout"], x)
    np.testing.assert_allclose(own / 36, tangent_kernel(lambda q, z: apply(network, q, z), p, x), rtol=1e-6)


def test_movement_knows_a_change_of_scale_from_a_turn():
    """All weights doubled: kernels keep their direction. Hidden weights turned round: every sign is another."""
    tasks = odor_tasks(ODORS, 1, 1)
    first = started(SWEEP.network)
    turned = {name: -values if name == "w1" else values for name, values in first.items()}
    doubled = {name: 2 * values for name, values in first.items()}
    ensemble = made(SWEEP.network, Condition("a"), [first, doubled, turned])
    found = movement(ensemble, [task.test for task in tasks])
    np.testing.assert_allclose(found["weight_change"], [[0, 1, 2]], atol=1e-6)
    np.testing.assert_allclose(found["sign_similarity"], [[1, 1, 0]])
    np.testing.assert_allclose(found["tangent_change"][0, :2], 0, atol=1e-6)
    np.testing.assert_allclose(found["feature_change"][0, :2], 0, atol=1e-6)
    assert found["feature_change"][0, 2] > 0.01


# The polynomial -------------------------------------------------------------------------------


def test_committee_kernel_is_that_of_the_jacobian():
    p, x = started(COMMITTEE), rng().normal(size=(7, 5))
    whole = tangent_kernel(lambda q, z: apply(COMMITTEE, q, z), p, x)
    found = committee_kernel(np.stack([p["w1"], 2 * p["w1"]]).astype(float), x[:3], x[3:], 0.25)
    np.testing.assert_allclose(found[0], whole[:3, 3:], rtol=1e-5, atol=1e-7)
    assert found.shape == (2, 3, 4)


@pytest.fixture(scope="module")
def committees():
    """A committee of alpha 4 at the start and at a later checkpoint, and its task with many test trials."""
    tasks = [polynomial_task(rng=rng(), n_inputs=5, n_train=8, n_test=40_000)]
    first = started(COMMITTEE)
    later = {"w1": first["w1"] + np.float32(0.7)}
    return made(COMMITTEE, Condition("a", loss="squared", alpha=4.0), [first, later]), tasks


def test_theory_is_the_measured_loss_at_every_checkpoint(committees):
    found = theory_measures(*committees)
    assert np.abs(found["theory_log2"]).max() < 0.15  # relative standard error of 40,000 heavy-tailed trials: .02
    assert (found["loss_linear"] > 0).all()


def test_fit_is_one_less_the_share_of_the_mean_square(committees):
    ensemble, tasks = committees
    found = learning_measures(ensemble, tasks, tasks)
    y = tasks[0].test.labels
    f = ensemble.outputs_of(0, tasks[0].test.inputs)
    expected = 1 - ((f - y) ** 2).mean(axis=(1, 2)) / (y**2).mean()
    np.testing.assert_allclose(found["test_fit"][0], expected, rtol=1e-4, atol=1e-4)
    assert (found["weight_change"][:, 0] == 0).all()
    assert ((found["target_alignment"] > -1) & (found["target_alignment"] < 1)).all()


def test_theory_is_compared_with_the_error_of_the_test_trials(committees):
    ensemble, tasks = committees
    shifted = [replace(task, test=replace(task.test, labels=task.test.labels + 9.0)) for task in tasks]
    found = theory_measures(ensemble, shifted)
    error = ((ensemble.outputs_of(0, shifted[0].test.inputs) - shifted[0].test.labels) ** 2).mean(axis=(1, 2))
    total = sum(found[f"loss_{name}"][0] for name in ("trace", "shape", "linear"))
    np.testing.assert_allclose(found["theory_log2"][0], np.log2(total / error), rtol=1e-4)


def test_alignment_is_the_cosine_of_centred_kernels(committees):
    ensemble, tasks = committees
    small = [replace(task, test=task.test.chosen(np.arange(50))) for task in tasks]
    x, y, centring = small[0].test.inputs, small[0].test.labels, np.eye(50) - 1 / 50
    kernel = committee_kernel(ensemble.parameters["w1"][0, 1].astype(float), x, x, 0.25)
    own, wanted = (centring @ one @ centring for one in (kernel, y @ y.T))
    expected = (own * wanted).sum() / np.linalg.norm(own) / np.linalg.norm(wanted)
    assert learning_measures(ensemble, small, small)["target_alignment"][0, 1] == pytest.approx(expected)


def test_kernel_gap_is_of_the_end_against_the_kernel_of_the_start(committees):
    ensemble, tasks = committees
    small = [replace(task, test=task.test.chosen(np.arange(50))) for task in tasks]
    still = replace(ensemble, parameters={"w1": ensemble.parameters["w1"][:, :1]}, steps=np.zeros(1, int))
    first, last = ensemble.losses([task.test for task in small])[0]
    gap, of_start = (kernel_gap(one, small)["value"][0] for one in (ensemble, still))
    assert gap == pytest.approx(of_start + np.log2(last / first))


def test_fit_and_alignment_are_with_the_polynomial_whatever_is_trained(committees):
    ensemble, tasks = committees
    first = ensemble.outputs_of(0, tasks[0].test.inputs)
    shifted = [replace(task, test=replace(task.test, labels=task.test.labels + 9.0)) for task in tasks]
    found, own = learning_measures(ensemble, shifted, tasks), learning_measures(ensemble, tasks, tasks)
    np.testing.assert_array_equal(found["target_alignment"], own["target_alignment"])
    y = tasks[0].test.labels
    expected = 1 - ((first - y - 9) ** 2).mean(axis=(1, 2)) / (y**2).mean()
    np.testing.assert_allclose(found["test_fit"][0], expected, rtol=1e-4, atol=1e-4)
    turned = [replace(task, test=replace(task.test, labels=np.sin(task.test.labels))) for task in tasks]
    assert not np.allclose(learning_measures(ensemble, tasks, turned)["target_alignment"], own["target_alignment"])


def test_a_lazy_network_ends_at_kernel_regression_and_a_rich_one_does_not():
    """The gap of networks that train long on an easy set; their training loss is near 0."""
    long = Training(20_000, n_checkpoints=4, batch=0, balanced=False)
    design = replace(POLYNOMIAL, alphas=(0.5,), n_train=6, training=long)
    measures, quantities, _ = polynomial_part(design, 2, 1, folder=None)
    gap = quantities[quantities["quantity"] == "kernel_gap"].set_index("condition")["value"]
    assert np.abs(gap["polynomial lazy"]).max() < 0.02
    assert np.abs(gap["polynomial 0.5"]).min() > 0.1
    last = measures[(measures["step"] == 20_000) & (measures["condition"] == "polynomial lazy")]
    assert last[last["measure"] == "train_fit"]["value"].min() > 0.999
    assert last[last["measure"] == "weight_change"]["value"].max() < 0.05


def test_kernel_gap_of_an_untrained_network_is_its_own_loss_over_that_of_regression(committees):
    """With no checkpoint but the first, and a naive kernel regression."""
    ensemble, tasks = committees
    still = replace(ensemble, parameters={"w1": ensemble.parameters["w1"][:, :1]}, steps=np.zeros(1, int))
    small = [replace(task, test=task.test.chosen(np.arange(50))) for task in tasks]
    w, alpha = ensemble.parameters["w1"][0, 0].astype(float), 4.0
    (x, y), (z, t) = ((part.inputs, part.labels[:, 0]) for part in (small[0].train, small[0].test))
    f = [alpha * ((v @ w) + 0.125 * (v @ w) ** 2).mean(axis=1) for v in (x, z)]
    gradient = [np.array([np.ravel(np.outer(v, 1 + 0.25 * v @ w)) for v in u]) for u in (x, z)]
    fitted = f[1] + gradient[1] @ np.linalg.pinv(gradient[0]) @ (y - f[0])
    expected = np.log2(((f[1] - t) ** 2).mean() / ((fitted - t) ** 2).mean())
    assert kernel_gap(still, small)["value"][0] == pytest.approx(expected, rel=1e-3)


def test_delay_is_in_doublings_and_missing_where_the_test_is_never_fitted():
    steps = [1, 8, 64]
    rows = [
        pd.DataFrame({"condition": name, "seed": 1, "step": steps, "measure": measure, "value": values})
        for name, fits in {"late": [0.0, 0.5, 0.96], "never": [0.0, 0.5, 0.9]}.items()
        for measure, values in {"train_fit": [0.0, 0.96, 1.0], "test_fit": fits, "theory_log2": [0.0, 0.3, 0.0]}.items()
    ]
    found = polynomial_quantities(pd.concat(rows)).pivot(index="condition", columns="quantity", values="value")
    both = [3 + 3 * 0.45 / 0.46, 3 * 0.95 / 0.96]  # between checkpoints, in log2 of the step
    assert found.loc["late", "delay"] == pytest.approx(both[0] - both[1])
    assert np.isnan(found.loc["never", "delay"])
    assert found.loc["late", "theory_mean"] == pytest.approx(0.1)


def test_centred_networks_start_from_nothing_fitted():
    small = Polynomial(
        alphas=(0.5,),
        n_inputs=5,
        n_train=20,
        n_test=40,
        n_units=8,
        training=Training(n_steps=2, n_checkpoints=2, batch=0),
    )
    measures, *_ = polynomial_part(small, 2, 1, folder=None)
    start = measures[(measures["step"] == 0) & measures["measure"].isin(["train_fit", "test_fit"])]
    fits = start.set_index("condition")["value"]
    # float32 leaves about a millionth of the outputs, a thousand times the polynomial
    np.testing.assert_allclose(fits["polynomial lazy"], 0, atol=1e-3)
    assert fits["polynomial 0.5"].abs().max() > 0.1


# Modular addition -----------------------------------------------------------------------------


def test_loss_is_gone_in_float32_and_there_in_float64():
    task = modular_task(rng=rng(), modulus=2, train_share=0.5)
    shown = replace(task.train, labels=np.array([0, 0]))
    outputs = np.array([[[20.0, 0.0], [1.0, 0.0]], [[np.nan, 0.0], [1.0, 0.0]]])
    plain = Condition("a")
    np.testing.assert_array_equal(no_loss(plain, outputs.astype("float32"), shown), [0.5, np.nan])
    np.testing.assert_array_equal(no_loss(plain, outputs, shown), [0, np.nan])
    stable = Condition("b", loss="stablemax")
    assert no_loss(stable, outputs[:1].astype("float32"), shown) == 0


@pytest.mark.parametrize("alpha", [1.0, 3.0])
def test_descent_alignment_is_that_of_a_gradient_by_hand(alpha):
    tasks = [modular_task(rng=rng(), modulus=5, train_share=0.6)]
    stages = [started(ADDITION.network, init_scale=scale) for scale in (1.0, 3.0)]
    ensemble = made(ADDITION.network, replace(ADDITION.conditions[0], alpha=alpha), stages)
    found = addition_measures(ensemble, tasks)
    x, labels = tasks[0].train.inputs, tasks[0].train.labels
    for at, stage in enumerate(stages):
        w, a = (stage[name].astype(float) for name in ("w1", "readout"))
        h = np.maximum(x @ w, 0)
        odds = np.exp(alpha * h @ a)
        slope = alpha * (odds / odds.sum(axis=1, keepdims=True) - np.eye(5)[labels]) / len(x)
        gradient = np.concatenate([np.ravel(h.T @ slope), np.ravel(x.T @ ((slope @ a.T) * (h > 0)))])
        weights = np.concatenate([np.ravel(a), np.ravel(w)])
        cosine = -gradient @ weights / np.linalg.norm(gradient) / np.linalg.norm(weights)
        assert found["descent_alignment"][0, at] == pytest.approx(cosine, abs=1e-6)
    assert (found["no_loss"] == 0).all()


def test_alignment_before_the_first_lost_loss_and_no_step_for_what_is_never_reached():
    keys = {"condition": "a", "seed": 1, "step": [0, 1, 2, 3]}
    values = {
        "test_accuracy": [0.0, 0.0, 0.5, 0.6],
        "no_loss": [0.0, 0.0, 0.1, 0.0],
        "descent_alignment": [0.1, 0.8, 0.3, 0.2],
    }
    table = pd.concat([pd.DataFrame(keys | {"measure": name, "value": value}) for name, value in values.items()])
    found = addition_quantities(table).set_index("quantity")["value"]
    assert found["full:descent_alignment"] == 0.8
    assert found["collapsed"] == 1
    assert np.isnan(found["generalized"])
    at_once = table.assign(value=table["value"].mask(table["measure"] == "no_loss", 0.1))
    assert addition_quantities(at_once).set_index("quantity")["value"]["collapsed"] == -1  # step 0 counts as one half
    learned = table.assign(value=table["value"] * (1 + (table["measure"] == "test_accuracy")))
    found = addition_quantities(learned).set_index("quantity")["value"]
    assert found["generalized"] == pytest.approx(0.9)  # on the line from 0 at step 1 to 1 at step 2


# The experiment -------------------------------------------------------------------------------


@pytest.mark.parametrize("designs", [lazy_rich.FULL, lazy_rich.SHORT])
def test_every_claim_and_panel_has_its_conditions(designs):
    names = {one.name for one in designs.odors.conditions} | {one.name for one in designs.polynomial.conditions}
    names |= {one.name for one in designs.addition.conditions}
    names |= {"polynomial lazy", "cross-entropy float64", "StableMax float64"}
    claimed = {name for claim in lazy_rich.CLAIMS for name in (claim.condition, claim.minus) if name}
    assert claimed <= names
    if designs is lazy_rich.FULL:
        assert {name for panel in lazy_rich.PANELS for name in panel.conditions} <= names


def test_the_experiment_end_to_end(tmp_path):
    designs = lazy_rich.Designs(SWEEP, POLYNOMIAL, ADDITION)
    told = []
    found = lazy_rich.run(Scale(seeds=2), folder=tmp_path, progress=told.append, designs=designs)
    assert told == ["lazy_rich: odors", "lazy_rich: polynomial", "lazy_rich: addition"]
    assert len(found.claims) == len(lazy_rich.CLAIMS)
    assert found.claims["n_seeds"].max() == 2
    assert set(found.quantities["seed"]) == {0, 1}
    assert found.measures.groupby(["condition", "seed", "step", "measure"]).size().max() == 1
    drawn = {panel.name for panel in lazy_rich.PANELS}
    assert drawn <= set(found.measures["measure"]) | set(found.quantities["quantity"])
    kept = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("step-*.npz")}
    assert kept == {"odors", "polynomial/plain", "polynomial/centred", "addition/float32", "addition/float64"}


def test_panels_show_conditions_that_there_are_in_one_order():
    """A panel colours its conditions by their place: panels of one part list them in one order."""
    design = lazy_rich.FULL
    named = {one.name for one in (*design.odors.conditions, *design.polynomial.conditions, *design.addition.conditions)}
    named |= {"polynomial lazy", "cross-entropy float64", "StableMax float64"}
    places: dict[str, set[int]] = {}
    for panel in lazy_rich.PANELS:
        for place, name in enumerate(panel.conditions):
            places.setdefault(name, set()).add(place)
    assert set(places) == named
    assert all(len(found) == 1 for found in places.values())
