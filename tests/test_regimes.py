"""Regimes of networks against animals: known answers, definition, size and power, errors."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from piriform.errors import PiriformError
from piriform.regimes import ANY, Regime, regime, regime_scores

LATE = np.linspace(0, np.log(40), 81)
#: One that rises at once and stops, one that waits for ten plateaus.
EARLY = Regime(LATE, -np.exp(-LATE * 6)[None])
WAITS = Regime(LATE, expit((LATE - np.log(12)) / 0.15)[None])
BOTH = {"early": EARLY, "waits": WAITS}


def animals(truth, *, rng, noise=0.0, n_days=(14, 16, 18, 15)):
    """Four subjects that follow ``truth`` (a function of days), each with its own level."""
    parts = []
    for number, n in enumerate(n_days):
        days = np.arange(n, dtype=float)
        value = 3 * truth(days) + 5 * number + noise * rng.normal(size=n)
        parts.append(pd.DataFrame({"subject": f"s{number}", "days": days, "value": value}))
    return pd.concat(parts, ignore_index=True)


def late_rise(days):
    return WAITS.at(days, 0.9)


def test_the_regime_that_made_the_curves_is_found_with_its_time_constant():
    scores = regime_scores(animals(late_rise, rng=np.random.default_rng(0)), BOTH)
    assert set(scores) == {"early", "waits", ANY, "line", "logarithm"}
    assert scores["waits"].skill > 0.99
    assert scores["waits"].tau == pytest.approx(0.9, rel=0.1)
    assert (scores["waits"].chosen, scores["early"].chosen) == (1, 0)
    assert scores[ANY].skill == scores["waits"].skill
    assert max(scores["line"].skill, scores["logarithm"].skill, scores["early"].skill) < 0.9
    assert all(test.p < 0.01 and test.interval[0] > 0 for test in scores["waits"].gains.values())


def test_a_logarithm_is_found_too():
    found = regime_scores(animals(lambda t: np.log1p(t / 2), rng=np.random.default_rng(0)), {})
    assert found["logarithm"].skill > 0.999
    assert set(found) == {"line", "logarithm"}


def test_skill_by_definition():
    """Each animal is predicted with the factor and time constant that fit the others best, found by a plain search."""
    table = animals(late_rise, rng=np.random.default_rng(1), noise=0.7)
    parts = [(p["days"].to_numpy(), p["value"].to_numpy()) for _, p in table.groupby("subject")]
    longest, reach = max(d.max() for d, _ in parts), np.expm1(LATE[-1])
    missed = total = 0.0
    for left in range(4):
        best = (np.inf, 0.0, 0.0)
        for tau in np.geomspace(longest / reach * (1 + 1e-9), 10 * longest, 25):
            rest = [(WAITS.at(d, tau), v) for i, (d, v) in enumerate(parts) if i != left]
            f, y = (np.concatenate([one[k] - one[k].mean() for one in rest]) for k in (0, 1))
            b = max(0.0, (f @ y) / (f @ f))
            best = min(best, (float(np.sum((y - b * f) ** 2)), b, tau))
        days, value = parts[left]
        f, y = WAITS.at(days, best[2]), value - value.mean()
        missed, total = missed + np.sum((y - best[1] * (f - f.mean())) ** 2), total + np.sum(y**2)
    assert regime_scores(table, {"waits": WAITS})["waits"].skill == pytest.approx(1 - missed / total)


def test_level_and_scale_do_not_matter():
    table = animals(late_rise, rng=np.random.default_rng(2), noise=0.5)
    moved = table.assign(value=7 * table["value"] - 3)
    one, other = regime_scores(table, BOTH), regime_scores(moved, BOTH)
    assert all(one[name].skill == pytest.approx(other[name].skill) for name in one)
    assert one["waits"].gains["line"].p == pytest.approx(other["waits"].gains["line"].p)


def test_animals_on_a_line_rarely_speak_for_a_network():
    """Size: the test of a gain over the line rejects in at most about 5% where the line is the truth."""
    rng = np.random.default_rng(3)
    n = 300
    hits = sum(
        regime_scores(animals(lambda t: t / 15, rng=rng, noise=1.0), BOTH)[ANY].gains["line"].p <= 0.05
        for _ in range(n)
    )
    assert hits / n <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / n)


def test_animals_that_wait_speak_for_the_network_that_waits():
    rng = np.random.default_rng(4)
    found = [regime_scores(animals(late_rise, rng=rng, noise=0.25), BOTH) for _ in range(40)]
    assert np.mean([one["waits"].gains["line"].p <= 0.05 for one in found]) > 0.7
    assert np.mean([one["waits"].chosen == 1 for one in found]) > 0.9


def test_a_falling_network_predicts_nothing():
    falling = {"falls": Regime(LATE, -WAITS.seeds)}
    assert regime_scores(animals(late_rise, rng=np.random.default_rng(5)), falling)["falls"].skill == 0.0


def test_seeds_are_counted_in_their_own_plateau():
    steps = np.geomspace(10, 10_000, 61)
    parts = [
        pd.DataFrame({"seed": seed, "step": steps, "plateau": plateau, "value": np.log(steps / plateau)})
        for seed, plateau in enumerate((50.0, 100.0))
    ]
    made = regime(pd.concat(parts))
    assert made.late[-1] == pytest.approx(np.log(100))
    np.testing.assert_allclose(made.seeds, np.tile(made.late, (2, 1)), atol=0.06)
    assert np.isnan(made.at(np.array([1e6]), 1.0)).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"subject": ["a"], "value": [1.0]}), "lacks column 'days'"),
        (pd.DataFrame({"subject": ["a"] * 5, "days": range(5), "value": 1.0}), "1 of 3 subjects with 4 days"),
    ],
)
def test_too_little_is_said(table, message):
    with pytest.raises(PiriformError, match=message):
        regime_scores(table, BOTH)


def test_constant_animals_are_refused():
    with pytest.raises(PiriformError, match="do not vary"):
        regime_scores(animals(np.zeros_like, rng=np.random.default_rng(0)), BOTH)


def test_a_network_that_stops_at_its_plateau_is_refused():
    short = Regime(np.linspace(0, 0.05, 11), np.zeros((1, 11)))
    with pytest.raises(PiriformError, match=r"'short' ends 1\.05 plateaus"):
        regime_scores(animals(late_rise, rng=np.random.default_rng(0)), {"short": short})


def test_a_regime_without_steps_is_refused():
    with pytest.raises(PiriformError, match="no seed has 2 steps"):
        regime(pd.DataFrame({"seed": [1], "step": [5], "plateau": [10], "value": [0.0]}))
