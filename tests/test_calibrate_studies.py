"""Does the verdict keep its error rate and find growth? A small calibration with a fixed seed, and real recordings."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from piriform.calibrate.control import (
    LABELS,
    recordings,
    session_ps,
    shuffled_labels,
    slope_ps,
    study_results,
)
from piriform.calibrate.design import calibration_config, chunk_settings
from piriform.calibrate.studies import study_row
from piriform.calibrate.summary import LEAST_POWER
from piriform.config import load_config, restore
from piriform.convert import convert
from piriform.run import default_config
from piriform.splits import time_blocks
from piriform.trials import make_trials

N = 40
MOST = int(binom.ppf(0.999, N, 0.05))  # false alarms among 40 studies, exceeded once in 1000 if the true share is .05


@pytest.fixture(scope="module")
def results():
    """The rows of 40 studies of a scenario, simulated once."""
    chosen = restore(chunk_settings(calibration_config()))
    done = {}

    def rows(scenario):
        if scenario not in done:
            done[scenario] = pd.DataFrame([study_row(scenario, number, settings=chosen) for number in range(N)])
        return done[scenario]

    return rows


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["null", "confounds"])
def test_the_verdict_raises_no_more_false_alarms_than_it_may(results, scenario):
    rows = results(scenario)
    assert MOST == 7
    for verdict in ("verdict", "verdict_no_fixed"):
        assert (rows[verdict] == "hidden progress").sum() <= MOST
    assert (rows["verdict"] != "not enough data").all()


@pytest.mark.slow
def test_a_naive_metric_does_raise_them(results):
    """Units, rates and trials grow and stimuli get easier: without controls that is called a rise."""
    assert (results("confounds")["naive_decoding_auc"] <= 0.05).sum() > MOST


@pytest.mark.slow
def test_growth_is_found_as_often_as_promised(results):
    found = (results("growth_large")["verdict"] == "hidden progress").sum()
    assert found >= binom.ppf(0.001, N, LEAST_POWER["growth_large"])


@pytest.mark.slow
def test_intervals_hold_the_true_slope_of_null(results):
    rows = results("null")
    held = ((rows["ci_low"] <= 0) & (rows["ci_high"] >= 0)).sum()
    assert held >= binom.ppf(0.001, N, 0.95)


# Shuffles


def test_labels_are_shuffled_together_and_within_runs_of_time():
    rng = np.random.default_rng(1)
    number = np.arange(40)
    names = {name: [f"{name} {n}" for n in number] for name in LABELS}
    attrs = {"subject": "A", "session": "1", "day": 1, "phase": "", "units": "1", "bin_width": 0.1}
    tensor = make_trials(
        rng.random((40, 2, 1)), time=[0.0], trials=pd.DataFrame(names), unit_id=[1, 2],
        attrs=attrs | {"source_file": "", "source_sha256": ""},
    )  # fmt: skip
    mixed = shuffled_labels(tensor, n_blocks=4, rng=rng)
    order = [int(text.split()[1]) for text in mixed["stimulus"].values]
    assert sorted(order) == list(number)
    assert order != list(number)
    blocks = time_blocks(40, 4)
    np.testing.assert_array_equal(blocks[order], blocks)
    for name in LABELS:
        assert [int(text.split()[1]) for text in mixed[name].values] == order
    np.testing.assert_array_equal(mixed.values, tensor.values)
    assert tensor["stimulus"].values[0] == "stimulus 0"


# Real recordings


@pytest.fixture(scope="module")
def wang(real_data, tmp_path_factory):
    """The overtraining sessions of one mouse, its behaviour, and the settings of its config."""
    folder = tmp_path_factory.mktemp("wang")
    convert("wang", real_data / "wang_2020", folder, progress=lambda _: None)
    config = load_config(default_config().with_name("wang.yaml"))
    names = ("response", "trials", "classes", "phases", "inclusion", "plateau", "verdict")
    measures = config.measures.model_copy(update={"n_permutations": 0})
    settings = SimpleNamespace(seed=1, measures=measures, **{name: getattr(config, name) for name in names})
    return *recordings(folder, settings=settings), settings


def most(n):
    return binom.ppf(0.999, n, 0.05)


@pytest.mark.real
def test_shuffled_labels_of_real_sessions_give_p_at_the_nominal_rate(wang):
    tensors, _, settings = wang
    assert len(tensors) == 6
    p = session_ps(tensors, settings=settings, repeats=25)
    assert len(p) == 150
    assert binom.ppf(0.001, 150, 0.05) <= (p <= 0.05).sum() <= most(150)
    assert p.mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 150))


@pytest.mark.real
@pytest.mark.parametrize("shuffle", ["labels", "days"])
def test_pseudo_subjects_of_real_recordings_give_verdicts_at_the_nominal_rate(wang, shuffle):
    tensors, behavior, settings = wang
    found = study_results(tensors, behavior, settings=settings, shuffle=shuffle, repeats=N)
    assert found["p"].notna().all()
    assert (found["p"] <= 0.05).sum() <= MOST
    assert (found["verdict"] == "hidden progress").sum() <= MOST
    assert found["p"].mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / N))


@pytest.mark.real
def test_days_in_random_order_give_slopes_at_the_nominal_rate(wang):
    tensors, _, settings = wang
    p = slope_ps(tensors, settings=settings, repeats=1000)
    assert binom.ppf(0.001, 1000, 0.05) <= (p <= 0.05).sum() <= most(1000)
