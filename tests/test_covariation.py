import numpy as np
import pytest

from piriform.covariation import MIN_FREEDOM, noise_correlation
from piriform.errors import MeasureError


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def shared(rng, correlation, n_trials=400, n_units=6):
    """Responses of units with one correlation of all pairs."""
    common = rng.normal(size=(n_trials, 1))
    return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=(n_trials, n_units))


def test_the_correlation_of_the_noise_is_found_whatever_the_stimuli_do(rng):
    stimuli = rng.integers(0, 8, 4000)
    x = shared(rng, 0.3, 4000) + 5 * rng.normal(size=(8, 6))[stimuli]
    assert noise_correlation(x, stimuli) == pytest.approx(0.3, abs=0.04)  # SE about .012


def test_it_follows_its_definition(rng):
    x, stimuli = rng.normal(size=(60, 4)), rng.integers(0, 5, 60)
    block, time = np.repeat([0, 1, 2], 20), np.linspace(-1, 1, 60)
    columns = (
        [stimuli == s for s in range(5)] + [block == b for b in range(3)] + [time * (block == b) for b in range(3)]
    )
    design = np.array(columns, dtype=float).T
    residuals = x - design @ np.linalg.pinv(design) @ x
    pairs = np.corrcoef(residuals.T)[np.triu_indices(4, 1)]
    assert noise_correlation(x, stimuli, n_blocks=3) == pytest.approx(pairs.mean())


def test_stimuli_shown_once_leave_the_times_of_the_others_as_they_are(rng):
    """The fit of all trials, in which each of these stimuli has a mean of its own, has the same residuals."""
    stimuli = rng.permutation(np.repeat(np.arange(12), [1, 9, 1, 1, 1, 9, 1, 1, 8, 1, 9, 1]))
    x, time = rng.normal(size=(43, 3)), np.linspace(-1, 1, 43)
    design = np.column_stack([stimuli == s for s in range(12)] + [time]).astype(float)
    residuals = x - design @ np.linalg.pinv(design) @ x
    pairs = np.corrcoef(residuals.T)[np.triu_indices(3, 1)]
    assert noise_correlation(x, stimuli, n_blocks=1) == pytest.approx(pairs.mean())


def test_parts_of_the_session_have_ten_trials_or_more(rng):
    x, stimuli = rng.normal(size=(29, 4)), np.arange(29) % 2
    assert noise_correlation(x, stimuli) == noise_correlation(x, stimuli, n_blocks=2)
    assert noise_correlation(x, stimuli) != noise_correlation(x, stimuli, n_blocks=1)


def test_two_units_with_the_smallest_number_of_trials_have_a_correlation(rng):
    """14 trials, 3 means and a trend: 10 are left; responses may be of any size."""
    x, stimuli = rng.normal(size=(14, 2)), np.arange(14) % 3
    assert -1 < noise_correlation(1e-12 * x, stimuli, n_blocks=1) < 1
    with pytest.raises(MeasureError, match="this draw has 9 more"):
        noise_correlation(x[:13], stimuli[:13], n_blocks=1)


def test_neither_scale_nor_offset_nor_order_of_units_matters(rng):
    x, stimuli = rng.normal(size=(80, 5)), rng.integers(0, 4, 80)
    value = noise_correlation(x, stimuli)
    assert noise_correlation(x[:, ::-1] * np.arange(1, 6) + 30, stimuli) == pytest.approx(value)


def test_stimuli_shown_once_add_nothing(rng):
    stimuli = np.concatenate([np.repeat(["a", "b"], 30), [f"n{i}" for i in range(20)]])
    x = rng.normal(size=(80, 4))
    changed = x.copy()
    changed[60:] += 100 * rng.normal(size=(20, 1))
    assert noise_correlation(x, stimuli) == pytest.approx(noise_correlation(changed, stimuli))


@pytest.mark.parametrize("n_trials", [40, 200])
def test_independent_units_have_none(n_trials):
    values = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        stimuli = rng.permutation(np.arange(n_trials) % 5)
        values.append(noise_correlation(rng.normal(size=(n_trials, 5)), stimuli))
    assert abs(np.mean(values)) < 3.5 * np.std(values) / np.sqrt(200)


def test_shared_drift_is_no_correlation(rng):
    n_trials, stimuli = 240, rng.integers(0, 4, 240)
    drift = np.linspace(-2, 2, n_trials)[:, None] + (np.arange(n_trials)[:, None] >= 120)
    x = rng.normal(size=(n_trials, 20)) + drift
    assert noise_correlation(x, stimuli) == pytest.approx(0.0, abs=0.02)
    assert np.corrcoef(x.T)[np.triu_indices(20, 1)].mean() > 0.5


def test_fewer_trials_shrink_it_only_a_little():
    values = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        values.append(noise_correlation(shared(rng, 0.4, 40, 8), np.arange(40) % 4, n_blocks=1))
    # 40 trials, 5 parameters: .4 (1 - (1 - .16) / 70) = .395
    assert np.mean(values) == pytest.approx(0.395, abs=3.5 * np.std(values) / np.sqrt(300))


def test_what_cannot_be_measured_is_said(rng):
    x = rng.normal(size=(12, 3))
    with pytest.raises(MeasureError, match=f"needs {MIN_FREEDOM} trials more than stimuli .* this draw has 8 more"):
        noise_correlation(x, np.arange(12) % 3)
    still = np.column_stack([rng.normal(size=40), np.full(40, 3.0), np.arange(40) % 4])
    with pytest.raises(MeasureError, match="needs 2 units that vary within stimuli, this draw has 1"):
        noise_correlation(still, np.arange(40) % 4)
