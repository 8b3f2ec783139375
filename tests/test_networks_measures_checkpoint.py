"""The standard set of a checkpoint: what each measure's own function says, for whole stacks and with every option."""

import numpy as np
import pytest

from piriform.errors import MeasureError
from piriform.networks import measures


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def checkpoints(rng):
    y = np.repeat(["nontarget", "target"], 20)
    x = np.maximum(rng.normal(size=(3, 2, 40, 6)) + (y == "target")[:, None] * np.arange(6) / 3, 0)
    w = rng.normal(size=(3, 2, 1, 6))
    return x, x @ w.swapaxes(-1, -2), y, w


def test_standard_set_holds_what_the_functions_say(checkpoints):
    x, f, y, w = checkpoints
    values = measures.checkpoint_measures(x, f, y, start=x[0], weights=w)
    assert tuple(values) == measures.CHECKPOINT_MEASURES
    assert all(value.shape == (3, 2) for value in values.values())
    one = x[2, 1]
    collapse = measures.neural_collapse(one, y, outputs=f[2, 1], weights=w[2, 1])
    expected = {name: getattr(collapse, name) for name in ("nc1", "cdnv", "nc2_norm", "nc2_angle", "nc3", "nc4")} | {
        "richness": measures.richness(one, f[2, 1]),
        "effective_rank": measures.effective_rank(one - one.mean(axis=0)),
        "participation_ratio": measures.participation_ratio(one),
        "cka_start": measures.cka(one, x[0, 1]),
        "selectivity": np.nanmean(measures.class_selectivity(one, y)),
        "lifetime_sparseness": np.nanmean(measures.lifetime_sparseness(one)),
        "population_sparseness": np.nanmean(measures.population_sparseness(one)),
        "fisher_log2": measures.fisher_log2(one, y),
        "margin": measures.rms_margin(one, y),
    }
    assert {name: float(values[name][2, 1]) for name in values} == pytest.approx(
        {name: float(value) for name, value in expected.items()}, abs=1e-10
    )


def test_stacks_and_wholes_agree(checkpoints, monkeypatch):
    x, f, y, w = checkpoints
    whole = measures.checkpoint_measures(x, f, y, start=x[0], weights=w)
    monkeypatch.setattr("piriform.networks.measures.checkpoint.STACK", 40 * 6 * 3)
    parts = measures.checkpoint_measures(x, f, y, start=x[0], weights=w)
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12, atol=1e-14)


def test_a_broken_network_is_nan_and_the_others_are_not(checkpoints):
    x, f, y, w = checkpoints
    whole = measures.checkpoint_measures(x, f, y, start=x[0], weights=w)
    x = x.copy()
    x[1, 0, 5, 2] = np.inf
    f = f.copy()
    f[1, 0] = np.nan
    values = measures.checkpoint_measures(x, f, y, start=x[0], weights=w)
    for name, value in values.items():
        assert np.isnan(value[1, 0]), name
        value[1, 0] = whole[name][1, 0]
        np.testing.assert_allclose(value, whole[name], err_msg=name)


def test_what_is_not_given_is_nan(checkpoints):
    x, f, y, _ = checkpoints
    values = measures.checkpoint_measures(x[0, 0], f[0, 0], y)
    assert {name for name, value in values.items() if np.isnan(value)} == {"cka_start", "nc3"}


@pytest.mark.parametrize("without", [("margin",), measures.COSTLY])
def test_what_costs_most_can_be_left_out(checkpoints, without):
    x, f, y, w = checkpoints
    whole = measures.checkpoint_measures(x, f, y, start=x[0], weights=w)
    options = measures.CheckpointOptions(without=without)
    values = measures.checkpoint_measures(x, f, y, start=x[0], weights=w, options=options)
    for name in without:
        assert np.isnan(values.pop(name)).all()
    for name, value in values.items():
        np.testing.assert_array_equal(value, whole[name])


def test_options_reach_the_measures(checkpoints, rng):
    x, f, y, _ = checkpoints
    halves = np.concatenate([rng.permutation(np.tile([0, 1], 10)) for _ in range(2)])
    options = measures.CheckpointOptions(shrinkage=0.7, C=0.01, halves=halves)
    values = measures.checkpoint_measures(x, f, y, options=options)
    fisher = measures.fisher_log2(x, y, shrinkage=0.7, halves=halves)
    np.testing.assert_allclose(values["fisher_log2"], fisher)
    np.testing.assert_allclose(values["margin"], measures.rms_margin(x, y, C=0.01, halves=halves))


def test_silent_units_and_samples_are_left_out_of_means(checkpoints):
    x, f, y, _ = checkpoints
    x = x[0].copy()
    x[0, :, 2] = x[0, 7] = 0
    values = measures.checkpoint_measures(x, f[0], y)
    assert values["selectivity"][0] == pytest.approx(np.nanmean(measures.class_selectivity(x[0], y)))
    lifetime, population = measures.lifetime_sparseness(x[0]), measures.population_sparseness(x[0])
    assert np.isnan(lifetime[2])
    assert np.isnan(population[7])
    assert values["lifetime_sparseness"][0] == pytest.approx(np.nanmean(lifetime))
    assert values["population_sparseness"][0] == pytest.approx(np.nanmean(population))


def test_weak_directions_count_for_the_effective_rank(rng):
    q, _ = np.linalg.qr(np.column_stack([np.ones(20), rng.normal(size=(20, 3))]))
    x, y = q[:, 1:] * [1.0, 1e-2, 1e-4] + 5, np.tile([0, 1], 10)
    shares = np.array([1.0, 1e-2, 1e-4]) / 1.0101
    found = measures.checkpoint_measures(x, x[:, :1], y, options=measures.CheckpointOptions(without=("margin",)))
    assert found["effective_rank"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_a_broken_start_has_no_likeness(checkpoints):
    x, f, y, _ = checkpoints
    start = x[0].copy()
    start[1, 3, 3] = np.nan
    found = measures.checkpoint_measures(x, f, y, start=start)["cka_start"]
    assert np.isnan(found).tolist() == [[False, True]] * 3


# errors


def test_errors(checkpoints):
    x, f, y, w = checkpoints
    with pytest.raises(MeasureError, match="all but the last axis must agree"):
        measures.checkpoint_measures(x, f[0], y)
    with pytest.raises(MeasureError, match="unknown costly measure 'nc1'"):
        measures.CheckpointOptions(without=("nc1",))
    with pytest.raises(MeasureError, match="start has shape"):
        measures.checkpoint_measures(x, f, y, start=x[:, 0])
    with pytest.raises(MeasureError, match="weights have leading axes"):
        measures.checkpoint_measures(x, f, y, weights=w[0])
