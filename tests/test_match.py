"""Network against animals: known answers, definitions, invariance, size and power, errors."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from piriform.errors import PiriformError
from piriform.match import TRENDS, Curve, ceiling, match, network_curve, progress_of, skill
from piriform.stats import group_mean

GRID = np.linspace(0, 1, 101)
LATE = expit((GRID - 0.6) / 0.12)
NETWORK = Curve(GRID, LATE[None])


def animals(truth, *, rng, noise=1.0, n_days=(9, 10, 12, 13)):
    """Four subjects that follow ``truth`` (a function of u), with noise of the given SD."""
    parts = []
    for number, n in enumerate(n_days):
        u = np.linspace(0, 1, n)
        value = truth(u) + 5 * number + noise * rng.normal(size=n)
        parts.append(pd.DataFrame({"subject": f"s{number}", "u": u, "value": value}))
    return pd.concat(parts, ignore_index=True)


def late(u):
    return np.interp(u, GRID, LATE)


# Known answers


def test_the_right_shape_without_noise_is_predicted_fully():
    found = match(animals(lambda u: 3 * late(u), rng=np.random.default_rng(0), noise=0), NETWORK)
    assert found.skill["network"] == pytest.approx(1)
    assert found.seed_skill == pytest.approx((1, 1))
    assert found.ceiling == pytest.approx(1, abs=0.01)
    assert all(0.5 < found.skill[name] < 0.99 for name in TRENDS)


def test_a_falling_curve_predicts_nothing_for_rising_animals():
    """The factor is 0 or more, so a curve that points the other way is as good as a flat one."""
    u = np.linspace(0, 1, 8)
    assert skill([u, u], [-u, -u]) == 0.0


def test_skill_by_definition():
    rng = np.random.default_rng(1)
    values, curve = ([rng.normal(size=n) + np.arange(n) for n in (5, 7, 6)] for _ in range(2))
    missed = total = 0.0
    for left in range(3):
        y, f = (
            np.concatenate([one - one.mean() for i, one in enumerate(many) if i != left]) for many in (values, curve)
        )
        b = max(0.0, np.linalg.lstsq(f[:, None], y, rcond=None)[0][0])
        y, f = (many[left] - many[left].mean() for many in (values, curve))
        missed, total = missed + np.sum((y - b * f) ** 2), total + np.sum(y**2)
    assert skill(values, curve) == pytest.approx(1 - missed / total)


def test_partial_slopes_are_those_of_a_multiple_regression():
    table = animals(lambda u: 2 * u, rng=np.random.default_rng(2))
    slopes = []
    for _, part in table.groupby("subject"):
        u = part["u"].to_numpy()
        design = np.column_stack([np.ones_like(u), TRENDS["logarithm"](u), late(u)])
        slopes.append(np.linalg.lstsq(design, part["value"], rcond=None)[0][2])
    found = match(table, NETWORK)
    assert found.tests["logarithm"].t == pytest.approx(group_mean(slopes).t)
    assert found.p == max(test.p for test in found.tests.values())


def test_ceiling_by_definition():
    rng = np.random.default_rng(3)
    u = np.linspace(0, 1, 6)
    y = [u + 0.3 * rng.normal(size=6) for _ in range(3)]
    y = [one - one.mean() for one in y]
    missed = 0.0
    for left, (i, j) in enumerate(((1, 2), (0, 2), (0, 1))):
        b = max(0.0, 2 * np.sum(y[i] * y[j]) / np.sum(y[i] ** 2 + y[j] ** 2))
        missed += np.sum((y[left] - b * (y[i] + y[j]) / 2) ** 2)
    assert ceiling([(u, one) for one in y]) == pytest.approx(1 - missed / np.sum(np.square(y)))


def test_progress_and_curve():
    np.testing.assert_allclose(progress_of([6, 8, 12], start=8, end=12), [-0.5, 0, 1])
    steps = pd.DataFrame({"seed": [0, 0, 0, 1, 1], "u": [-1, 0, 1, 1, 0], "value": [9.0, 0, 1, 3, 0]})
    found = network_curve(steps, n_u=3)
    np.testing.assert_allclose(found.mean, [0, 1, 2])
    np.testing.assert_allclose(found.low, [0, 0.525, 1.05])
    np.testing.assert_allclose(found.high, [0, 1.475, 2.95])


# Invariance


def test_units_levels_and_order_do_not_matter():
    table = animals(lambda u: 3 * late(u), rng=np.random.default_rng(4))
    other = table.sample(frac=1, random_state=0).assign(value=lambda t: 7 - 0 + 10 * t["value"])
    one, two = match(table, NETWORK), match(other, Curve(GRID, 40 * LATE[None] - 3))
    assert one.skill == pytest.approx(two.skill)
    assert (one.p, one.ceiling) == pytest.approx((two.p, two.ceiling))


def test_days_before_the_plateau_and_unknown_values_do_not_count():
    table = animals(late, rng=np.random.default_rng(5))
    extra = pd.DataFrame({"subject": "s0", "u": [-0.5, 1.2, 0.5], "value": [90.0, 90.0, np.nan]})
    assert match(pd.concat([table, extra]), NETWORK).skill == pytest.approx(match(table, NETWORK).skill)


def test_more_seeds_are_no_more_evidence():
    table = animals(late, rng=np.random.default_rng(6))
    one, many = match(table, NETWORK), match(table, Curve(GRID, np.repeat(LATE[None], 50, axis=0)))
    assert (one.p, one.skill["network"]) == pytest.approx((many.p, many.skill["network"]))


def test_a_curve_that_is_the_behaviour_adds_nothing():
    table = animals(late, rng=np.random.default_rng(7)).assign(behavior=lambda t: 0.7 + 0.2 * late(t["u"]))
    found = match(table, NETWORK)
    assert found.skill["behavior"] == pytest.approx(found.skill["network"])
    assert np.isnan(found.p)
    assert found.note == "the network's curve cannot be told from the behavior on these days"
    assert not found.follows()


def test_behaviour_that_is_flat_in_a_subject_is_no_candidate():
    table = animals(late, rng=np.random.default_rng(7)).assign(behavior=1.0)
    assert set(match(table, NETWORK).skill) == {"network", "line", "logarithm"}


# Size and power


@pytest.mark.parametrize("truth", ["flat", "line", "logarithm"])
def test_trends_are_not_taken_for_the_network(truth):
    shape = TRENDS.get(truth, np.zeros_like)
    rng = np.random.default_rng(8)
    p = [match(animals(lambda u: 3 * shape(u), rng=rng), NETWORK).p for _ in range(250)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)


def test_a_trend_is_refused_only_by_its_own_test():
    """Linear animals: the test against the logarithm alone would take the late curve for the truth."""
    rng = np.random.default_rng(9)
    found = [match(animals(lambda u: 3 * u, rng=rng), NETWORK).tests for _ in range(100)]
    assert np.mean([tests["logarithm"].p <= 0.05 for tests in found]) > 0.2


def test_the_network_is_found():
    """Amplitude 4 day-to-day SDs: about 63% of studies."""
    rng = np.random.default_rng(10)
    found = [match(animals(lambda u: 4 * late(u), rng=rng), NETWORK).follows() for _ in range(100)]
    assert np.mean(found) == pytest.approx(0.63, abs=3 * np.sqrt(0.63 * 0.37 / 100))


# Too little, and errors


def test_too_little():
    table = animals(late, rng=np.random.default_rng(11))
    few = table[(table["subject"] != "s0") & ((table["subject"] != "s1") | (table["u"] < 0.3))]
    found = match(few, NETWORK)
    assert found.note == "2 of 3 subjects with 4 days from plateau to end needed"
    assert found.reasons == {"s1": "3 of 4 days from plateau to end"}
    assert np.isnan([found.p, found.skill["network"], found.ceiling]).all()
    assert not found.follows()


def test_constant_animals_match_nothing():
    found = match(animals(np.zeros_like, rng=np.random.default_rng(0), noise=0), NETWORK)
    assert np.isnan(found.skill["network"])
    assert not found.follows()


def test_errors():
    with pytest.raises(PiriformError, match=r"the end \(3\) must come after the start \(3\)"):
        progress_of([1], start=3, end=3)
    with pytest.raises(PiriformError, match="lacks column 'u'"):
        match(pd.DataFrame({"subject": ["a"], "value": [1.0]}), NETWORK)
    with pytest.raises(PiriformError, match="seed 1 has 1 values"):
        network_curve(pd.DataFrame({"seed": [1, 1], "u": [0.5, 2.0], "value": [1.0, 1.0]}))
    with pytest.raises(PiriformError, match="series is empty"):
        network_curve(pd.DataFrame({"seed": [], "u": [], "value": []}))
