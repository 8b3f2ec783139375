"""Distances between conditions: known answers, a naive oracle, what they do not depend on, and their null."""

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from piriform.rdms import (
    EQUAL,
    SHARED,
    TARGET,
    conditions_of,
    model_distances,
    pairs_of,
    session_distances,
    stage_sessions,
    target_stratum,
)
from piriform.trials import make_trials

WINDOW = (0.0, 0.5)


def tensor(responses, kinds, strata, **attrs):
    """A trial tensor of one bin."""
    known = {"units": "spikes/s", "subject": "Q", "session": "s1", "day": 9, "phase": "overtraining"}
    known |= {"source_file": "a.nwb", "source_sha256": "", "bin_width": 0.5}
    trials = pd.DataFrame({"class": kinds, "stratum": strata, "stimulus": kinds, "category": kinds})
    return make_trials(
        responses[..., None], time=[0.25], trials=trials, unit_id=range(responses.shape[1]), attrs=known | attrs
    )


def session(rng, *, n_units=6, n_each=15, signal=1.0):
    """Four conditions in random order, with means of their own."""
    names = np.array([("target", "3"), ("nontarget", "0"), ("nontarget", "1"), ("probe", "2")])
    code = rng.permutation(np.repeat(np.arange(4), n_each))
    responses = 5 + signal * rng.normal(size=(4, n_units))[code] + rng.normal(size=(4 * n_each, n_units))
    return tensor(responses, *names[code].T), code


def distances(rows):
    return np.array([row["distance"] for row in rows])


# known answers


def test_a_condition_is_a_class_and_a_stratum():
    kinds = ["target", "target", "nontarget", "nontarget", "nontarget", "probe", "stimulus a"]
    strata = ["3", "", "1.0", "", "far", "2", "2"]
    found = conditions_of(tensor(np.zeros((7, 1)), kinds, strata))
    assert found.tolist() == ["target", "target", "nontarget 1", "", "nontarget far", "probe 2", ""]


def test_the_targets_stratum():
    shown = np.zeros((2, 1))
    assert target_stratum(tensor(shown, ["target", "nontarget"], ["3.0", "0"])) == 3
    assert np.isnan(target_stratum(tensor(shown, ["nontarget", "nontarget"], ["3", "0"])))
    assert np.isnan(target_stratum(tensor(shown, ["target", "target"], ["3", "2"])))


def test_distances_of_means_by_hand():
    """Means of 0, 2 and 6 with noise of variance 1."""
    kinds = np.array(["target", "nontarget", "probe"])[np.tile(np.arange(3), 8)]
    noise = np.tile(np.repeat([1.0, -1.0], 3), 4)[:, None]
    means = np.array([0.0, 2.0, 6.0])[np.tile(np.arange(3), 8)][:, None]
    rows = session_distances(tensor(means + noise, kinds, ["1"] * 24), window=WINDOW, n_folds=2)
    assert [(row["condition_1"], row["condition_2"]) for row in rows] == [
        ("target", "nontarget 1"),
        ("target", "probe 1"),
        ("nontarget 1", "probe 1"),
    ]
    np.testing.assert_allclose(distances(rows), np.array([4, 36, 16]) * 9 / 12)  # 12 samples, 9 degrees of freedom
    assert {row["status"] for row in rows} == {"ok"}


def test_models_by_hand():
    rows = pd.DataFrame(model_distances(["probe 2", "target", "nontarget 0"], 3))
    found = rows.groupby("subject")["distance"].agg(list)
    assert found[EQUAL] == [1, 1, 1]
    assert found[TARGET] == [1, 1, 0]
    assert found[SHARED] == [9, 1, 4]


def test_stages_go_by_the_day_whatever_the_order_of_the_rows():
    rows = {"subject": "a-0", "session": ["z", "x", "w", "y"], "day": [100, 0, 10, 30], "plateau_day": 10.0}
    assert stage_sessions(pd.DataFrame(rows)) == {"a-0": {"start": "x", "plateau": "w", "end": "z"}}


def test_stages_of_a_network_without_a_plateau():
    rows = {"subject": "a-0", "session": ["x", "z", "x"], "day": [0, 100, 0], "plateau_day": np.nan}
    assert stage_sessions(pd.DataFrame(rows)) == {"a-0": {"start": "x", "end": "z"}}


def test_rows_say_what_was_measured_and_only_the_window_counts():
    shown, _ = session(np.random.default_rng(6))
    rng = np.random.default_rng(7)
    longer = xr.concat([shown, (shown + 9 * rng.normal(size=shown.shape)).assign_coords(time=[0.75])], dim="time")
    longer.attrs = shown.attrs
    rows = session_distances(longer, window=WINDOW, n_folds=5, source="network", stage="end")
    np.testing.assert_allclose(distances(rows), distances(session_distances(shown, window=WINDOW, n_folds=5)))
    assert {(row["source"], row["stage"], row["n_units"], row["session"]) for row in rows} == {
        ("network", "end", 6, "s1")
    }


# definitions


def test_the_distance_is_a_mean_over_units_of_products_of_folds():
    shown, code = session(np.random.default_rng(1))
    x = shown.values[:, :, 0].astype(float)
    fold = np.zeros(len(x), dtype=int)
    for c in range(4):
        fold[code == c] = np.arange(15) // 3
    expected = []
    for a, b in combinations(range(4), 2):
        products = []
        for f in range(5):
            inside, outside = fold == f, fold != f
            delta = [
                x[part & (code == a)].mean(axis=0) - x[part & (code == b)].mean(axis=0) for part in (inside, outside)
            ]
            residual = np.concatenate(
                [x[outside & (code == c)] - x[outside & (code == c)].mean(axis=0) for c in range(4)]
            )
            products.append(np.mean(delta[0] * delta[1] / ((residual**2).sum(axis=0) / (len(residual) - 4))))
        expected.append(np.mean(products))
    np.testing.assert_allclose(distances(session_distances(shown, window=WINDOW, n_folds=5)), expected)


def test_shared_odorants_is_the_distance_of_mean_mixtures():
    """All mixtures of 3 of 13 odorants, and of 4 of 9."""
    for n, k in ((3, 13), (4, 9)):
        mixtures = np.array([np.isin(np.arange(k), one) for one in combinations(range(k), n)], dtype=float)
        shared = mixtures[:, :n].sum(axis=1)
        names = ["target"] + [f"nontarget {s}" for s in range(n)]
        means = [mixtures[0]] + [mixtures[shared == s].mean(axis=0) for s in range(n)]
        squared = [np.sum((a - b) ** 2) for a, b in combinations(means, 2)]
        rows = [row for row in model_distances(names, n) if row["subject"] == SHARED]
        np.testing.assert_allclose(squared, distances(rows) * (1 / n + 1 / (k - n)))


# invariance and null


def test_neither_scale_nor_level_of_a_unit_nor_copies_of_units_matter():
    shown, _ = session(np.random.default_rng(2))
    expected = distances(session_distances(shown, window=WINDOW, n_folds=5))
    scaled = shown.copy(data=3 + shown.values * np.array([1, 2, 4, 8, 16, 32.0])[:, None])
    np.testing.assert_allclose(distances(session_distances(scaled, window=WINDOW, n_folds=5)), expected, rtol=1e-4)
    twice = shown.isel(unit=np.tile(np.arange(6), 2))
    np.testing.assert_allclose(distances(session_distances(twice, window=WINDOW, n_folds=5)), expected)


def test_noise_alone_has_distance_0():
    rng = np.random.default_rng(3)
    found = [distances(session_distances(session(rng, signal=0.0)[0], window=WINDOW, n_folds=5)) for _ in range(150)]
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0)) < 4 * error).all()


# too little


def test_the_first_of_two_conditions_can_have_few_trials_too():
    shown, code = session(np.random.default_rng(4))
    few = shown.isel(trial=(code != 0) | (np.cumsum(code == 0) <= 9))
    rows = pd.DataFrame(session_distances(few, window=WINDOW, n_folds=5))
    lacking = rows["condition_1"] == "target"
    assert set(rows.loc[lacking, "status"]) == {"target has 9 trials, 10 needed"}
    assert set(rows.loc[~lacking, "status"]) == {"ok"}


def test_a_condition_with_few_trials_is_kept_and_said():
    rng = np.random.default_rng(4)
    shown, code = session(rng)
    few = shown.isel(trial=(code != 3) | (np.cumsum(code == 3) <= 9))
    rows = pd.DataFrame(session_distances(few, window=WINDOW, n_folds=5))
    lacking = rows["condition_2"] == "probe 2"
    assert lacking.sum() == 3
    assert rows["distance"].isna().tolist() == lacking.tolist()
    assert set(rows.loc[lacking, "status"]) == {"probe 2 has 9 trials, 10 needed"}
    assert set(rows.loc[lacking, "n_trials_2"]) == {9}
    whole = distances(session_distances(shown.isel(trial=code != 3), window=WINDOW, n_folds=5))
    np.testing.assert_allclose(rows.loc[~lacking, "distance"], whole)


def test_trials_without_a_response_are_left_out():
    shown, code = session(np.random.default_rng(5))
    missing = shown.copy()
    missing[7, 2] = np.nan
    rows = session_distances(missing, window=WINDOW, n_folds=5)
    assert sum(row["n_trials_1"] for row in rows if "probe 2" in row.values()) == 45 - 1 * (code[7] != 3)
    np.testing.assert_allclose(
        distances(rows), distances(session_distances(shown.isel(trial=np.arange(60) != 7), window=WINDOW, n_folds=5))
    )


def test_a_session_without_noise_or_without_strata():
    kinds = np.repeat(["target", "nontarget"], 10)
    rows = session_distances(tensor(np.ones((20, 2)), kinds, ["1"] * 20), window=WINDOW, n_folds=5)
    assert "do not vary within conditions" in rows[0]["status"]
    assert session_distances(tensor(np.ones((20, 2)), kinds, [""] * 20), window=WINDOW, n_folds=5) == []


def test_strata_that_are_no_numbers_have_no_shared_odorants():
    rows = pd.DataFrame(model_distances(["target", "nontarget far"], 3)).set_index("subject")
    assert np.isnan(rows.loc[SHARED, "distance"])
    assert "not a number" in rows.loc[SHARED, "status"]
    assert rows.loc[EQUAL, "status"] == "ok"
    assert pairs_of([]) == []
