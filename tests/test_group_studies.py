"""The studies behind docs/group_tests.md: the fast versions agree with what the package computes for one study."""

import numpy as np
import pytest

from benchmarks.group_studies import CELLS, Cell, studies
from benchmarks.group_tests import DOC, MARKS, TESTS, best_power
from piriform.group_tests import hartung_knapp, moderated_mean
from piriform.serial import autocorrelation, serial_slope
from piriform.stats import group_mean, weighted_slope


@pytest.fixture(scope="module", params=["SDs .5, 1, 1, 2, 6-12 days, rho .3", "weekends, rho .3", "2 SD, tau 1"])
def found(request):
    return studies(CELLS[request.param], 4, np.random.default_rng(0))


def test_stacked_tests_are_the_single_ones(found):
    p = {name: test(found) for name, test in TESTS.items() if name != "hierarchical bootstrap"}
    for i in range(4):
        series = list(zip(found.day[i], found.y[i], strict=True))
        rho = autocorrelation(series)
        fits = [serial_slope(day, y, rho=rho) for day, y in series]
        slope, se = [fit.slope for fit in fits], [fit.se for fit in fits]
        expected = {
            "two-stage t": group_mean([weighted_slope(day, y).slope for day, y in series]).p,
            "two-stage t of autoregressive slopes": group_mean(slope).p,
            "the same, variance at least .5 within": moderated_mean(slope, se, floor=0.5).p,
            "moderated t, 3 df": moderated_mean(slope, se, prior_df=3).p,
            "Hartung-Knapp": hartung_knapp(slope, se).p,
        }
        for name, value in expected.items():
            assert p[name][i] == pytest.approx(value), name


def test_simulated_days_have_the_stated_spread_and_correlation():
    found = studies(Cell(rho=0.6, days=(10, 10)), 4000, np.random.default_rng(1))
    assert found.y.var() == pytest.approx(1, abs=0.03)
    assert np.mean(found.y[..., 1:] * found.y[..., :-1]) == pytest.approx(0.6, abs=0.02)


def test_true_slopes_have_the_stated_spread_and_mean():
    """rho .6 and tau 3: the variance of the fitted slopes is 1 + 9 times that at tau 0."""
    plain, spread = (
        studies(Cell(rho=0.6, tau=tau, effect=2.0, days=(10, 10)), 4000, np.random.default_rng(2)) for tau in (0.0, 3.0)
    )
    assert spread.plain.var() / plain.plain.var() == pytest.approx(10, rel=0.06)
    assert plain.plain.mean() == pytest.approx(2 / 9, abs=0.005)
    assert plain.truth == pytest.approx(2 / 9)


def test_no_test_can_gain_much_over_the_two_stage_t():
    """One-sided .05, 4 subjects, noncentrality 4.195: .929 by the noncentral t."""
    plain, best = best_power(4.195)
    assert plain == pytest.approx(0.929, abs=0.001)
    assert plain < best < plain + 0.03


def test_the_page_has_its_generated_part():
    text = DOC.read_text()
    part = text[text.index(MARKS[0]) : text.index(MARKS[1])]
    for name in TESTS:
        assert part.count(f"| {name} |") == 2
