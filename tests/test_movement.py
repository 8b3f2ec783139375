"""Movement of RDMs over days: recovered where it is, 0 where only size and noise change."""

import numpy as np
import pytest

from piriform.errors import MeasureError
from piriform.movement import agreement, movement, unit

DAYS = np.arange(9, 19)
ORIGIN = np.array([9.0, 4, 1, 1, 4, 1])
GOAL = np.array([9.0, 7, 4, 1, 3, 1])
ASIDE = np.array([0.0, 0, 0, 1, 0, -1])  # at right angles to both


def sessions(shares, gains, noise=0.0, rng=None):
    rdms = gains[:, None] * (shares[:, None] * unit(GOAL) + (1 - shares)[:, None] * unit(ORIGIN))
    return rdms + (noise * rng.normal(size=rdms.shape) if rng else 0)


def test_a_movement_is_recovered_whatever_the_size_of_the_rdms():
    rng = np.random.default_rng(0)
    rdms = sessions(0.2 + 0.05 * (DAYS - 9), rng.uniform(0.5, 4, 10)) + 0.3 * ASIDE
    assert movement(rdms, DAYS, origin=ORIGIN, goal=3 * GOAL) == pytest.approx(0.05)
    assert movement(rdms[::-1], DAYS[::-1], origin=GOAL, goal=ORIGIN) == pytest.approx(-0.05)


def test_a_share_may_leave_the_range_of_0_to_1():
    assert movement(sessions(0.25 * (DAYS - 11), np.ones(10)), DAYS, origin=ORIGIN, goal=GOAL) == pytest.approx(0.25)


def test_rdms_that_only_grow_do_not_move():
    rdms = np.outer(np.linspace(0.1, 5, 10), np.array([9.0, 5, 3, 2, 4, 1]))
    assert movement(rdms, DAYS, origin=ORIGIN, goal=GOAL) == pytest.approx(0, abs=1e-9)


def test_noise_does_not_move_what_grows_but_moves_its_cosines():
    """Distances that grow fourfold in noise of constant size: cosines with both RDMs rise, with the nearer one faster."""
    rng = np.random.default_rng(1)
    gains, found, cosines = np.linspace(0.5, 2, 10), [], []
    for _ in range(1000):
        rdms = sessions(np.full(10, 1.2), gains, 0.25, rng)
        found.append(movement(rdms, DAYS, origin=ORIGIN, goal=GOAL))
        difference = rdms @ (unit(GOAL) - unit(ORIGIN)) / np.linalg.norm(rdms, axis=1)
        cosines.append(np.polyfit(DAYS, difference, 1)[0])
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(1000)
    assert np.mean(cosines) > 6 * np.std(cosines) / np.sqrt(1000)


def test_sessions_with_unknown_distances_are_left_out():
    rdms = sessions(0.05 * DAYS, np.ones(10))
    rdms[3, 2] = np.nan
    assert movement(rdms, DAYS, origin=ORIGIN, goal=GOAL) == pytest.approx(0.05)


def test_too_little_is_nan():
    rdms = sessions(0.05 * DAYS, np.ones(10))
    assert np.isnan(movement(rdms[:1], DAYS[:1], origin=ORIGIN, goal=GOAL))
    assert np.isnan(movement(rdms, np.full(10, 9), origin=ORIGIN, goal=GOAL))
    assert np.isnan(movement(0 * rdms, DAYS, origin=ORIGIN, goal=GOAL))


def test_changes_of_networks_agree_or_not():
    rng = np.random.default_rng(2)
    one = rng.normal(size=(1, 6))
    assert agreement(np.repeat(one, 3, axis=0)) == pytest.approx(1)
    assert agreement(np.concatenate([one, -one])) == pytest.approx(-1)
    assert agreement(np.concatenate([one, 0 * one])) == 0
    assert np.isnan(agreement(one))
    noise = [agreement(rng.normal(size=(3, 6))) for _ in range(400)]
    assert abs(np.mean(noise)) < 4 * np.std(noise) / 20


def test_errors():
    rdms = sessions(0.05 * DAYS, np.ones(10))
    with pytest.raises(MeasureError, match="proportional RDMs: there is nothing to move along"):
        movement(rdms, DAYS, origin=ORIGIN, goal=2 * ORIGIN)
    with pytest.raises(MeasureError, match="an RDM of length 0 has no direction"):
        movement(rdms, DAYS, origin=ORIGIN, goal=0 * GOAL)
    with pytest.raises(MeasureError, match="lengths 6 and 5"):
        movement(rdms, DAYS, origin=ORIGIN[:5], goal=GOAL[:5])
