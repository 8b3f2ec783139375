"""Do all methods of the networks' benchmark train the same networks, and are its operations counted right?"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="networks need JAX")

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the benchmarks are no part of the package

from benchmarks import networks  # noqa: E402


@pytest.fixture(scope="module", params=networks.SIZES)
def given(request):
    return networks.problem(networks.SIZES[request.param], 3)


def test_all_methods_train_the_same_networks(given):
    methods = [name for name in networks.METHODS if "PyTorch" not in name or find_spec("torch")]
    found = [networks.METHODS[name](given, 3) for name in methods]
    start = networks.losses(given, given.starts)
    reference = networks.losses(given, found[0])
    assert np.log(2) == pytest.approx(start, rel=1e-6)
    assert (np.abs(reference - start) > 1e-3).all()
    for weights in found[1:]:
        assert networks.losses(given, weights) == pytest.approx(reference, rel=1e-6)


def test_batches_are_half_targets(given):
    labels = given.tasks[2].train.labels[given.rows[2]]
    assert given.rows.shape == (48, 3, 64)
    assert (labels.sum(axis=1) == 32).all()
    assert (given.rows[2] == given.rows[18]).all()  # the same seed in another condition


def test_operations_of_a_step():
    # 48 networks, 64 trials: forward 100 x 200 and 200 x 1, the same for the gradients, 2 operations each
    large, small = networks.SIZES.values()
    assert networks.operations(large) == 48 * 64 * 2 * (2 * 20000 + 2 * 200)
    assert networks.operations(small) == 48 * 64 * 2 * (2 * 13 * 128 + 2 * 128)


def test_disagreement_ends_the_benchmark():
    assert "after 5 steps: 1e-07" in networks._agreement(1e-7, 5)
    with pytest.raises(SystemExit, match=r"losses after 5 steps differ by 0\.01 of themselves"):
        networks._agreement(0.01, 5)
