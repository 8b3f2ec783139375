"""How many subjects carry an effect: known answers, oracles, calibration, errors."""

import numpy as np
import pytest
from scipy import stats

from piriform.errors import PiriformError
from piriform.prevalence import partial_conjunction, prevalence


@pytest.mark.parametrize(("k", "lower"), [(0, 0.0), (1, 0.0), (2, 0.05), (3, 0.21), (4, 0.45)])
def test_known_bounds_of_four_subjects(k, lower):
    found = prevalence([0.01] * k + [0.5] * (4 - k))
    assert (found.k, found.n) == (k, 4)
    assert found.lower == pytest.approx(lower, abs=0.005)


def test_bound_by_definition():
    found = prevalence([0.01] * 5 + [0.3] * 3, alpha=0.01, level=0.9)
    q = found.lower + (1 - found.lower) * 0.01
    assert stats.binom.sf(4, 8, q) == pytest.approx(0.1)


def test_bound_covers():
    """True share .5: in at most 5% of 2,000 studies of 6 animals the bound lies above it."""
    rng = np.random.default_rng(0)
    carries = rng.random((2000, 6)) < 0.5
    p = np.where(carries, 0.001, rng.random((2000, 6)))
    over = np.mean([prevalence(row).lower > 0.5 for row in p])
    assert over <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_partial_conjunction_ends():
    p = [0.03, 0.2, 0.01, 0.04]
    found = partial_conjunction(p)
    assert found[0] == pytest.approx(stats.combine_pvalues(p, method="fisher").pvalue)
    assert found[1] == pytest.approx(stats.combine_pvalues([0.03, 0.2, 0.04], method="fisher").pvalue)
    assert found[-1] == pytest.approx(0.2)
    np.testing.assert_allclose(partial_conjunction(p[::-1]), found)


def test_partial_conjunction_rises():
    found = partial_conjunction([0.5, 1e-9, 1e-9, 0.6])
    assert np.all(np.diff(found) >= 0)
    assert (partial_conjunction([0.0, 0.0]) < 1e-200).all()


def test_partial_conjunction_holds_its_level():
    """One subject with an effect: "at least 2" is false; 4,000 studies."""
    rng = np.random.default_rng(1)
    p = rng.random((4000, 4))
    p[:, 0] = 1e-6
    rate = np.mean([partial_conjunction(row)[1] <= 0.05 for row in p])
    assert rate == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_too_little():
    assert np.isnan(prevalence([np.nan]).lower)
    assert partial_conjunction([np.nan]).shape == (0,)
    assert prevalence([0.01, np.nan]).n == 1


def test_errors():
    with pytest.raises(PiriformError, match="from 0 to 1"):
        prevalence([0.2, 1.2])
    with pytest.raises(PiriformError, match="alpha is 0"):
        prevalence([0.2], alpha=0.0)
