"""Do the benchmark's counts, rates and tables say what they claim, and do all methods fit the same thing?"""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the benchmarks are no part of the package

from benchmarks import engine, footprint, limits, measure, peers, report, scaling  # noqa: E402
from benchmarks.problems import N_FOLDS, labellings, simulated  # noqa: E402


@pytest.fixture(scope="module")
def easy():
    return simulated(60, 4, distance=4.0)


def test_labellings_are_permutations_in_stratified_folds(easy):
    labels, folds = labellings(easy, 50)
    assert (labels[0] == easy.y).all()
    for fold, (_, test) in enumerate(easy.cv.split(easy.X, easy.y)):
        assert (np.flatnonzero(folds[0] == fold) == test).all()
    assert ((labels == 1).sum(axis=1) == 30).all()
    for fold in range(N_FOLDS):
        assert (((folds == fold) & (labels == 1)).sum(axis=1) == 6).all()
        assert (((folds == fold) & (labels == -1)).sum(axis=1) == 6).all()


def test_permuted_labels_know_nothing_of_the_true_ones(easy):
    labels, folds = labellings(easy, 2001)
    agreement = (labels[1:] == easy.y).mean()  # hypergeometric: SD of a row's mean 0.5 / sqrt(59)
    assert abs(agreement - 0.5) < 4 * 0.5 / np.sqrt(59 * 2000)
    assert abs(folds[1:, 0].mean() - 2.0) < 4 * np.sqrt(2 / 2000)


def test_distance_between_the_classes():
    problem = simulated(4000, 20, distance=2.0)
    accuracy = peers.engine(problem, 2, solver="lda", backend="numpy")
    assert accuracy == pytest.approx(0.841, abs=0.03)  # Phi(distance / 2)


def test_operations_of_known_cases():
    one = {"n_trials": 10, "n_units": 2, "n_heldout": 4.0}  # d = 3: moments 36, Cholesky 9, solve 18, scores 60
    assert limits.operations("lda", **one) == 36 + 9 + 18 + 4 * 4 * 3
    assert limits.operations("svm", **one, n_iterations=2, n_moved=5) == 36 + 2 * 60 + 2 * (9 + 18 + 60) + 5 * 9
    assert limits.operations("logistic", **one, n_iterations=3) == 36 + 9 + 3 * (18 + 120)
    assert limits.operations("hinge", **one, n_iterations=1, n_moved=2) == 36 + 9 + 2 * (18 + 120) + 2 * 9


def test_operations_of_a_problem_use_its_folds_and_iterations(easy):
    expected = limits.operations("lda", n_trials=60, n_units=4, n_heldout=12)
    assert limits.operations_of("lda", easy) == (expected, 1.0)
    each, n_iterations = limits.operations_of("logistic", easy)
    assert n_iterations > 1
    shape = {"n_trials": 60, "n_units": 4, "n_heldout": 12}
    assert each == pytest.approx(limits.operations("logistic", **shape, n_iterations=n_iterations))


def test_matrix_product_rate_is_operations_over_seconds(monkeypatch):
    monkeypatch.setattr(limits.time, "process_time", iter(np.arange(0.0, 1e4, 0.5)).__next__)
    assert limits.dgemm_rate(seconds=0.01, size=100) == 2 * 100**3 / 0.5


def test_ratios_are_paired_by_round():
    fast = [measure.Run(100, 1.0, 1.0, 0.8), measure.Run(100, 2.0, 2.0, 0.9)]
    slow = [measure.Run(10, 1.0, 1.0, 0.8), measure.Run(10, 4.0, 2.0, 0.8)]
    row = measure._row("x", fast, slow)
    assert row.ratio == (10.0, 10.0, 10.0)
    assert row.cpu_rate == (75.0, 50.0, 100.0)
    assert (row.n_fits, row.accuracy) == (200, pytest.approx(0.85))


def test_a_slow_method_is_run_once(easy):
    calls = []

    def method(problem, n_labellings):
        calls.append(problem.seed)
        return 1.0

    found = measure.rows({peers.BASELINE: method, "y": method}, easy, n_rounds=2, seconds=1e-9, slow=-1.0)
    assert [row.n_fits for row in found] == [2 * N_FOLDS, 2 * N_FOLDS]
    assert len(calls) == 4  # each: once to warm up, once on trial


def test_methods_that_fit_the_same_model_have_the_same_accuracy(easy):
    found = {name: method(easy, 2) for name, method in peers.methods().items() if "decodanda" not in name}
    for one, others in {
        peers.BASELINE: ("liblinear, bare loop", "piriform svm (numpy)", "piriform svm (numba)", "MNE (LinearSVC)"),
        "scikit-learn SVC(linear)": ("piriform hinge (numpy)", "piriform hinge (numba)"),
        "scikit-learn LogisticRegression": ("piriform logistic (numpy)", "piriform logistic (numba)"),
        "scikit-learn LDA": ("piriform lda (numpy)", "piriform lda (numba)"),
    }.items():
        assert found[one] > 0.9
        for other in set(others) & set(found):
            assert found[other] == pytest.approx(found[one], abs=1.01 / 60), other


def test_decodanda_decodes_too(easy):
    pytest.importorskip("decodanda", reason="decodanda is installed in the benchmark's own environment only")
    assert peers.decodanda_idiom(easy, 2) > 0.85


def test_exponents_of_powers():
    values = np.array([10.0, 20.0, 80.0])
    assert scaling.exponents(values, 3 * values**1.5) == pytest.approx([1.5, 1.5])


def test_a_row_reads_as_a_line():
    row = measure.Row("lda", (1000.0, 900.0, 1100.0), (2000.0, 1500.0, 2500.0), (12.34, 10.0, 15.0), 50, 0.8767)
    assert report.rates([row], {"lda": (1.0, 0.125)}).splitlines()[-1] == (
        "| lda | 1,000 | 2,000 (1,500-2,500) | 12.3 (10.0-15.0) | 0.877 | 50 | 1.0 | 12% |"
    )


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.012345, "0.0123"), (9.996, "10.0"), (123456, "123,000")])
def test_three_digits(value, text):
    assert report.number(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "0.500 s"), (119, "119 s"), (600, "10.0 min"), (9000, "2.50 h")])
def test_durations(seconds, text):
    assert report.duration(seconds) == text


def test_the_page_has_a_place_for_every_part():
    page = engine.PAGE.read_text()
    parts = ["machine", "took", "bars", "200 x 15", "400 x 100", "1000 x 1000", "growth", "session", "memory", "start"]
    placed = report.placed(page, dict.fromkeys(parts, "new"))
    assert placed.count("\n\nnew\n\n") == len(parts)
    assert report.placed(placed, dict.fromkeys(parts, "new")) == placed
    with pytest.raises(ValueError, match="no place for 'elsewhere'"):
        report.placed(page, {"elsewhere": "new"})


def test_a_child_reports_its_own_peak():
    alone = footprint._in_child("_peak()")
    held = np.ones(60_000_000)  # 480 MB of the process that starts it
    assert 10 < alone < 400
    assert footprint._in_child("_peak()") < alone + 100
    del held
