"""The hard margin; the other margins are tested with the decoders."""

import numpy as np
import pytest
from scipy.optimize import linprog, minimize
from sklearn.svm import SVC

from piriform import margin
from piriform.errors import MeasureError


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def two_classes(rng, n_trials, n_units, gap):
    labels = rng.permutation(np.arange(n_trials) % 2 * 2 - 1)
    return rng.normal(size=(n_trials, n_units)) + gap * np.outer(labels, np.arange(n_units) < 3), labels


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


def separable(x, labels):
    constraints = -labels[:, None] * np.column_stack([x, np.ones(len(x))])
    return linprog(np.zeros(x.shape[1] + 1), A_ub=constraints, b_ub=-np.ones(len(x)), bounds=(None, None)).status == 0


def test_two_groups_on_a_line():
    x, labels = np.array([-3.0, -2.0, 1.0, 4.0])[:, None], np.array([-1, -1, 1, 1])
    assert margin.hard_margin(x, labels) == pytest.approx(1.5 / np.std(x))


def test_a_corner_against_an_edge():
    x = np.array([[0.0, 0.0], [4.0, 1.0], [4.0, -1.0], [0.0, 0.0]])
    labels = np.array([1, -1, -1, 1])
    sd = x.std(axis=0)  # 2, sqrt(.5): the nearest point of the edge is (4, 0)
    assert margin.hard_margin(x, labels) == pytest.approx(4 / sd[0] / 2)


@pytest.mark.parametrize(("n_trials", "n_units", "gap"), [(20, 3, 3.0), (80, 40, 0.5), (60, 12, 1.0), (30, 200, 0.0)])
def test_it_is_one_over_the_norm_of_an_svm_that_may_not_err(rng, n_trials, n_units, gap):
    x, labels = two_classes(rng, n_trials, n_units, gap)
    model = SVC(kernel="linear", C=1e10, tol=1e-9).fit(standardised(x), labels)
    assert margin.hard_margin(x, labels) == pytest.approx(1 / np.linalg.norm(model.coef_), rel=1e-5)


def test_it_follows_its_definition(rng):
    x, labels = two_classes(rng, 16, 2, 2.0)
    scored = standardised(x)

    def norm(parameters):
        return parameters[:2] @ parameters[:2]

    outside = {"type": "ineq", "fun": lambda p: labels * (scored @ p[:2] + p[2]) - 1}
    found = minimize(norm, [1.0, 1.0, 0.0], constraints=[outside], method="SLSQP", options={"ftol": 1e-12})
    assert found.success
    assert margin.hard_margin(x, labels) == pytest.approx(1 / np.sqrt(found.fun), rel=1e-5)


@pytest.mark.parametrize("gap", [0.0, 0.3, 0.6, 1.0])
def test_it_has_a_value_exactly_where_a_hyperplane_separates_the_classes(rng, gap):
    outcomes = []
    for _ in range(20):
        x, labels = two_classes(rng, 24, 6, gap)
        outcomes.append(separable(x, labels))
        assert np.isfinite(margin.hard_margin(x, labels)) == outcomes[-1]
    assert any(outcomes) or gap == 0.0


def test_scale_offset_order_and_names_of_classes_do_not_matter(rng):
    x, labels = two_classes(rng, 30, 40, 0.5)
    value, order = margin.hard_margin(x, labels), rng.permutation(30)
    assert margin.hard_margin(5 * x + 3, labels) == pytest.approx(value)
    assert margin.hard_margin(x[order], -labels[order]) == pytest.approx(value)
    silent = np.column_stack([x, np.full(30, 2.0)])
    assert margin.hard_margin(silent, labels) == pytest.approx(value)


def test_noise_alone_has_a_margin_that_grows_with_units_and_shrinks_with_trials():
    for n_trials, n_units in ((20, 400), (40, 400), (20, 1600)):
        values = [
            margin.hard_margin(*two_classes(np.random.default_rng(seed), n_trials, n_units, 0.0)) for seed in range(30)
        ]
        # standardised trials of many units are nearly orthogonal
        assert np.mean(values) == pytest.approx(np.sqrt(n_units / n_trials), rel=0.05)


def test_units_that_do_not_vary_separate_nothing():
    assert np.isnan(margin.hard_margin(np.ones((6, 2)), np.array([1, -1] * 3)))
    same = np.array([[0.0], [1.0], [0.0], [1.0]])
    assert np.isnan(margin.hard_margin(same, np.array([1, 1, -1, -1])))


def test_what_cannot_be_measured_is_said(rng, monkeypatch):
    with pytest.raises(MeasureError, match="the hard margin needs trials of both classes"):
        margin.hard_margin(rng.normal(size=(4, 2)), np.ones(4))

    def endless(*_, **__):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr("scipy.optimize.nnls", endless)
    with pytest.raises(MeasureError, match="the search for the hard margin did not end"):
        margin.hard_margin(rng.normal(size=(4, 2)), np.array([1, 1, -1, -1]))
