"""Do the methods that the benchmark of alignment compares do the same thing, and does it count mistakes?"""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the benchmarks are no part of the package

from benchmarks import aligners, alignment, report  # noqa: E402


@pytest.fixture(scope="module")
def small():
    return aligners.session(4, 8000, 12)


def test_right_counts_are_those_of_a_loop(small):
    counts = aligners.right_counts(small)
    for trial, event in enumerate(small.event_samples):
        for unit, samples in enumerate(small.samples):
            since = samples - event + 15_000
            inside = since[(since >= 0) & (since < 75_000)]
            assert counts[trial, unit].tolist() == np.bincount(inside // 600, minlength=125).tolist()


def test_piriform_misplaces_no_spike(small):
    tensor = aligners.piriform(small.spikes, small.events, small.duration)
    assert aligners.n_misplaced("piriform align_spikes", tensor, small) == 0
    tensor[0, 0, 0] += 50
    tensor[3, 2, 1] += 100
    assert aligners.n_misplaced("piriform align_spikes", tensor, small) == 2  # three spikes too many, two by two


@pytest.mark.parametrize("name", [name for name in aligners.SPIKES if not name.startswith("piriform")])
def test_the_others_count_the_same_but_for_edges(small, name):
    if name.startswith("pynapple"):
        pytest.importorskip("pynapple")
    tensor = aligners.SPIKES[name][0](small.spikes, small.events, small.duration)
    assert aligners.n_misplaced(name, tensor, small) < 0.01 * aligners.right_counts(small).sum()


def test_methods_for_traces_agree():
    rng = np.random.default_rng(0)
    data, times = rng.standard_normal((400, 3)), np.arange(400) / 30.0
    data[::7] = np.nan
    first, second = (average(data, times, np.array([2.0, 7.0]), 0.1) for average in aligners.TRACES.values())
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


def test_cost_is_that_of_the_call():
    large, held = np.ones(4_100_000), np.ones(3_000)
    del large  # from here on such arrays come from the heap,
    freed = np.ones(4_000_000)
    above = [np.ones(3_000) for _ in range(100)]
    del freed  # where this one leaves a hole
    found, result = alignment.cost(lambda: np.ones(4_000_000), 10)
    assert result.sum() == 4_000_000
    assert 25e6 < found["peak"] < 60e6
    assert 0 < found["cpu"] < 10
    del held, above


def test_the_page_has_a_place_for_every_part():
    parts = dict.fromkeys((*alignment.SIZES, "machine", "took", "path", "traces"), "x")
    assert report.placed(alignment.PAGE.read_text(), parts).count("\n\nx\n\n") == len(parts)
