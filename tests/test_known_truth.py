"""Does the method find what the simulator put there, and nothing where it put nothing? From counts to verdict."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from piriform.behavior import behavior_table
from piriform.config import Measures, load_config
from piriform.mapping import map_trials
from piriform.measure import session_metrics
from piriform.progress import detect
from piriform.simulate import scenario_truth, simulate_counts, study_courses
from piriform.task import composition, matched_counts
from piriform.trials import make_trials

CONFIG = load_config(Path(__file__).parents[1] / "config" / "config.yaml")
EDGES = tuple(np.round(np.arange(-0.5, 0.65, 0.1), 3))
MEASURES = Measures(metrics=["separation_modulation"], n_permutations=0)
PARTS = {"measures": MEASURES, "response": CONFIG.response, "classes": CONFIG.classes}


def session(truth, course, seed):
    counts = simulate_counts(truth, course, seed=seed, edges=EDGES)
    raw = counts.task.trials
    trials = map_trials(raw, trials=CONFIG.trials, classes=CONFIG.classes, where=course.session).trials
    who = {
        "subject": course.subject,
        "session": course.session,
        "day": course.day,
        "phase": raw["training_phase"].iloc[0],
    }
    tensor = make_trials(
        counts.counts[trials.index] / 0.1,
        time=np.array(EDGES[:-1]) + 0.05,
        trials=trials,
        unit_id=range(counts.counts.shape[1]),
        attrs=who | {"units": "spikes/s", "bin_width": 0.1, "source_file": "none", "source_sha256": ""},
    )
    return who, trials, tensor


def verdict_of(scenario, seed):
    truth = scenario_truth(scenario)
    metrics, behavior = [], []
    for courses in study_courses(truth, subjects=4, days=18, seed=seed).values():
        sessions = [session(truth, course, seed) for course in courses]
        tensors = [tensor for _, _, tensor in sessions]
        counts = matched_counts(tensors, **PARTS, inclusion=CONFIG.inclusion)
        parts = PARTS | counts | {"shares": composition(tensors, response=CONFIG.response, classes=CONFIG.classes)}
        metrics += [row for tensor in tensors for row in session_metrics(tensor, **parts, seed=seed)]
        behavior.append(behavior_table([(who, trials) for who, trials, _ in sessions], plateau=CONFIG.plateau))
    return detect(pd.DataFrame(metrics), pd.concat(behavior), verdict=CONFIG.verdict)


def test_growth_after_the_plateau_is_found():
    result = verdict_of("growth", 1)
    assert result["verdict"] == "hidden progress"
    assert result["primary"]["n_rising"] == 4


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_growth_gives_no_hidden_progress(seed):
    result = verdict_of("null", seed)
    assert result["verdict"] == "no evidence"
    low, high = result["primary"]["ci"]
    assert low < 0 < high


def test_behaviour_that_goes_on_improving_is_said_to():
    assert verdict_of("improving", 1)["verdict"] == "behaviour still improving"
