"""The ladder of controls: known answers, a naive oracle, what each control leaves unchanged, the null."""

import numpy as np
import pytest

from piriform.controls import CONTROLS, LADDER, controlled_separation


def strata_of(rng, n_trials, shares=(0.5, 0.25, 0.25)):
    return rng.choice(len(shares), size=n_trials, p=shares)


def naive(x, strata, mix, n_blocks, drift=True, gain=True):
    """The definition, one unit, one pair of blocks and one least-squares fit at a time."""
    n, n_units = x.shape
    blocks = np.arange(n) * n_blocks // n if drift else np.floor(np.arange(n) * (5**0.5 - 1) / 2 % 1 * n_blocks)
    time = np.linspace(-1, 1, n)
    delta, weight = {}, {}
    residual, freedom = np.zeros(n_units), 0
    for b in range(n_blocks):
        inside = np.flatnonzero((blocks == b) & (strata >= 0))
        present = [c for c in range(len(mix) + 1) if (strata[inside] == c).any()]
        design = np.array([[float(strata[i] == c) for c in present] + [time[i]] * drift for i in inside])
        beta, _, rank, _ = np.linalg.lstsq(design, x[inside], rcond=None)
        residual += ((x[inside] - design @ beta) ** 2).sum(axis=0)
        freedom += len(inside) - rank
        count = [np.sum(strata[inside] == c) for c in range(len(mix) + 1)]
        for o in range(1, len(mix) + 1):
            if count[0] and count[o]:
                delta[b, o] = beta[present.index(0)] - beta[present.index(o)]
                weight[b, o] = 1 / (1 / count[0] + 1 / count[o])
    total = np.zeros(n_units)
    for o in range(1, len(mix) + 1):
        for p in range(1, len(mix) + 1):
            pairs = [(b, c) for b, q in delta if q == o for c, r in delta if r == p and c != b]
            top = sum(weight[b, o] * weight[c, p] * delta[b, o] * delta[c, p] for b, c in pairs)
            total += mix[o - 1] * mix[p - 1] * top / sum(weight[b, o] * weight[c, p] for b, c in pairs)
    if not gain:
        return np.mean(total / (residual / freedom))
    rate = 0.5 * x[strata == 0].mean(axis=0)
    rate = rate + 0.5 * sum(share * x[strata == o].mean(axis=0) for o, share in enumerate(mix, start=1))
    kept = rate > 0
    w = rate[kept] / (rate[kept] + 1)
    return np.sum(w * total[kept] / rate[kept] ** 2) / w.sum()


@pytest.mark.parametrize("drift", [True, False])
@pytest.mark.parametrize("gain", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_the_definition_says(seed, drift, gain):
    rng = np.random.default_rng(seed)
    x, strata = rng.poisson(rng.uniform(0.5, 5, 7), size=(90, 7)).astype(float), strata_of(rng, 90)
    strata[rng.random(90) < 0.1] = -1
    controls = ["units", "composition", *["drift"] * drift, *["gain"] * gain]
    found = controlled_separation(x, strata[None], mix=[0.7, 0.3], controls=controls, n_blocks=5)
    assert found == pytest.approx([naive(x, strata, [0.7, 0.3], 5, drift, gain)], rel=1e-9)


def test_labellings_do_not_touch_each_other():
    rng = np.random.default_rng(0)
    x, strata = rng.poisson(3.0, size=(60, 4)).astype(float), np.stack([strata_of(rng, 60) for _ in range(7)])
    together = controlled_separation(x, strata, mix=[0.5, 0.5])
    alone = [controlled_separation(x, row[None], mix=[0.5, 0.5])[0] for row in strata]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def mean_over_sessions(rates, strata_shares, *, mix, controls=CONTROLS, n_sessions=400, n_trials=120, seed=0):
    """Mean and standard error over sessions of the separation of Poisson counts; rates (n_strata + 1, n_units)."""
    rng = np.random.default_rng(seed)
    found = np.empty(n_sessions)
    for number in range(n_sessions):
        strata = strata_of(rng, n_trials, strata_shares)
        counts = rng.poisson(rates[strata]).astype(float)
        found[number] = controlled_separation(counts, strata[None], mix=mix, controls=controls)[0]
    return found.mean(), found.std() / np.sqrt(n_sessions)


RATES = np.array([[3.0, 6.0, 2.0, 4.0], [2.0, 6.0, 3.0, 4.0], [2.5, 6.0, 2.5, 4.0]])
MIX = [0.6, 0.4]


def truth(rates, mix):
    other = np.tensordot(mix, rates[1:], 1)
    rate = 0.5 * (rates[0] + other)
    weight = rate / (rate + 1)
    return np.sum(weight * (rates[0] - other) ** 2 / rate**2) / weight.sum()


def test_it_is_unbiased_for_the_squared_relative_rate_difference():
    mean, error = mean_over_sessions(RATES, (0.5, 0.3, 0.2), mix=MIX)
    assert mean == pytest.approx(truth(RATES, MIX), abs=4 * error + 0.02 * truth(RATES, MIX))


@pytest.mark.parametrize(
    "changed",
    [
        {"rates": 2 * RATES},
        {"n_trials": 300},
        {"strata_shares": (0.5, 0.15, 0.35)},
        {"strata_shares": (0.3, 0.4, 0.3)},
        {"rates": np.tile(RATES, 3)},
    ],
    ids=["gain", "trials", "easier stimuli", "fewer targets", "units"],
)
def test_what_is_controlled_does_not_move_it(changed):
    base = {"rates": RATES, "strata_shares": (0.5, 0.3, 0.2)}
    first, error = mean_over_sessions(**base, mix=MIX)
    second, other = mean_over_sessions(**base | changed, mix=MIX, seed=1)
    assert second == pytest.approx(first, abs=4 * np.hypot(error, other) + 0.03 * first)


def test_without_the_controls_the_same_changes_do_move_it():
    def at(controls, **changed):
        return mean_over_sessions(
            **{"rates": RATES, "strata_shares": (0.5, 0.3, 0.2)} | changed, mix=MIX, controls=controls, n_sessions=200
        )[0]

    assert at((), rates=np.tile(RATES, 3)) > 2 * at(())
    assert at(("units", "drift", "composition"), rates=2 * RATES) > 1.6 * at(("units", "drift", "composition"))
    assert at(("units", "drift"), strata_shares=(0.5, 0.15, 0.35)) < 0.9 * at(("units", "drift"))


def test_the_null_value_is_zero_also_with_drift_and_labels_in_runs():
    rng = np.random.default_rng(3)
    found, plain = np.empty(400), np.empty(400)
    for number in range(400):
        drift = np.exp(0.7 * np.cos(np.pi * np.linspace(0, 1, 120))[:, None] * rng.standard_normal(6))
        same = rng.random(120) < 0.85
        labels = np.cumsum(~same) % 2
        counts = rng.poisson(4.0 * drift).astype(float)
        found[number] = controlled_separation(counts, labels[None], mix=[1.0])[0]
        plain[number] = controlled_separation(counts, labels[None], mix=[1.0], controls=("units", "gain"))[0]
    assert abs(found.mean()) < 4 * found.std() / 20
    assert plain.mean() > 8 * plain.std() / 20  # interleaved parts share the drift


def test_the_ladder_adds_one_control_at_a_time():
    assert [len(rung) for rung in LADDER] == [0, 1, 2, 3, 4]
    assert LADDER[-1] == CONTROLS


def test_a_stratum_that_cannot_be_compared_gives_nan_and_an_empty_share_does_not():
    rng = np.random.default_rng(0)
    x = rng.poisson(3.0, size=(60, 4)).astype(float)
    strata = np.arange(60) % 2
    strata[3] = 2  # one trial, one block
    assert np.isnan(controlled_separation(x, strata[None], mix=[0.5, 0.5])[0])
    assert np.isfinite(controlled_separation(x, strata[None], mix=[1.0, 0.0])[0])


@pytest.mark.parametrize("controls", LADDER)
def test_silent_and_constant_units_count_for_nothing(controls):
    rng = np.random.default_rng(0)
    x, strata = rng.poisson(3.0, size=(60, 4)).astype(float), np.arange(60)[None] % 2
    silent = np.column_stack([x, np.zeros((60, 2))])
    kwargs = {"mix": [1.0], "controls": controls}
    np.testing.assert_allclose(
        controlled_separation(silent, strata, **kwargs), controlled_separation(x, strata, **kwargs)
    )
    assert np.isnan(controlled_separation(np.zeros((60, 2)), strata, **kwargs)[0])
