import numpy as np
import pandas as pd
import pytest
from sessions import session_tensor

from piriform.config import Classes, Inclusion, Measures, Response
from piriform.controls import CONTROLS
from piriform.errors import MeasureError
from piriform.measure import session_metrics
from piriform.tables import METRICS, check_table
from piriform.task import composition, matched_counts, permutation_blocks, task_of

RESPONSE = Response(window=(-0.2, 0.2), bin=0.1, response_window=(0.0, 0.2), baseline_window=(-0.2, 0.0))
CLASSES = Classes(
    target=["target"],
    nontarget=["nontarget", "nontarget_repeat_1", "nontarget_repeat_2"],
    probe=["probe_1"],
    fixed=["target", "nontarget_repeat_1", "nontarget_repeat_2"],
)
MEASURES = Measures(n_draws=3, n_permutations=20)
PARTS = {"measures": MEASURES, "response": RESPONSE, "classes": CLASSES}


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def metrics(tensor, *, n_units=6, n_trials=None, **changes):
    parts = PARTS | changes
    rows = session_metrics(tensor, **parts, n_units=n_units, n_trials=n_trials or {"all": 50}, seed=1)
    return check_table(pd.DataFrame(rows), "metrics").set_index(["stimuli", "matching", "metric"]).sort_index()


def test_every_metric_has_a_row_for_each_set_of_stimuli_and_each_matching(rng):
    table = metrics(session_tensor(rng, probes=10), n_trials={"all": 50, "fixed": 30})
    for stimuli in ("all", "fixed"):
        for matching in ("matched", "full"):
            names = set(table.loc[stimuli, matching].index)
            expected = set(METRICS) | ({"generalization_probe_1"} if stimuli == "all" else set())
            assert names == expected


def test_a_clear_difference_is_seen_by_every_measure_of_it(rng):
    table = metrics(session_tensor(rng, gap=8.0, probes=10), n_units=8).loc["all", "matched"]
    for name in (
        "decoding_accuracy",
        "decoding_auc",
        "generalization_stimulus",
        "generalization_time",
        "generalization_probe",
    ):
        assert table.value[name] == pytest.approx(1.0, abs=0.02), name
        assert table.null_mean[name] == pytest.approx(0.5, abs=0.06), name
    # gap 8 over SD 1 / sqrt(2) (mean of two bins); an estimate along a fitted axis
    assert table.value["separation_dprime"] == pytest.approx(8 * np.sqrt(2), rel=0.15)
    assert table.value["similarity_dot_cv"] < -0.5
    assert table.value["similarity_cosine"] < 0.95
    p = table.p.drop(["margin_soft", "participation_ratio", "ccgp", "similarity_cosine"])
    assert (p == 1 / 21).all()


def test_matched_draws_hold_the_asked_counts_and_the_full_session_all(rng):
    table = metrics(session_tensor(rng), n_units=5, n_trials={"all": 40}).drop("separation_modulation", level="metric")
    assert (table.loc["all", "matched"].n_trials == 80).all()
    assert (table.loc["all", "matched"].n_units == 5).all()
    assert (table.loc["all", "full"].n_trials == 120).all()
    assert (table.loc["all", "full"].n_units == 8).all()


def test_a_draw_that_takes_all_is_made_once(rng):
    table = metrics(session_tensor(rng), n_units=8, n_trials={"all": 60})
    assert (table.n_draws == 1).all()
    matched, full = table.loc["all", "matched"], table.loc["all", "full"]
    np.testing.assert_array_equal(matched.value, full.value)
    np.testing.assert_array_equal(matched.p, full.p)
    table = metrics(session_tensor(rng)).loc["all", "matched"].n_draws
    assert (table.drop("separation_modulation") == 3).all()


def test_the_modulation_takes_all_units_and_trials_once_whatever_is_matched(rng):
    table = metrics(session_tensor(rng, gap=3.0), n_units=5, n_trials={"all": 40}).xs(
        "separation_modulation", level="metric"
    )
    assert set(table.n_units) == {8}
    assert set(table.n_trials) == {120}
    assert set(table.n_draws) == {1}
    np.testing.assert_array_equal(table.value["all", "matched"], table.value["all", "full"])
    assert table.p["all", "full"] == 1 / 21


def test_a_control_can_be_switched_off_and_gain_is_not_asked_of_what_is_no_rate(rng):
    tensor = session_tensor(rng, gap=3.0)

    def value(tensor, *controls):
        options = MEASURES.model_copy(update={"metrics": ["separation_modulation"], "controls": list(controls)})
        return metrics(tensor, measures=options).value["all", "full", "separation_modulation"]

    assert value(tensor) == pytest.approx(8 * value(tensor, "units"))
    fluorescence = tensor.copy()
    fluorescence.attrs["units"] = "dF/F"
    assert value(fluorescence, *CONTROLS) == value(tensor, *CONTROLS[:-1])


def test_the_strata_of_nontargets_are_brought_to_the_shares_that_all_late_sessions_can_give(rng):
    late = [session_tensor(rng, session=f"day-{day}", day=day) for day in (2, 3)]
    early = session_tensor(rng, session="day-1", day=1, phase="training")
    shares = composition([early, *late], response=RESPONSE, classes=CLASSES)
    third = pytest.approx(1 / 3)
    assert shares["all"] == {"nontarget": third, "nontarget_repeat_1": third, "nontarget_repeat_2": third}
    assert shares["fixed"] == {"nontarget_repeat_1": pytest.approx(0.5), "nontarget_repeat_2": pytest.approx(0.5)}
    rare = late[1].copy()
    rare["stratum"] = ("trial", np.where(np.arange(120) < 119, rare["stratum"].values, "new"))
    assert "new" not in composition([early, late[0], rare], response=RESPONSE, classes=CLASSES)["all"]
    assert composition([], response=RESPONSE, classes=CLASSES) == {"all": {}, "fixed": {}}


def test_metrics_that_cannot_be_measured_keep_their_row_and_say_why(rng):
    tensor = session_tensor(rng)
    table = metrics(tensor).loc["all", "matched"]
    assert table.status["ccgp"].startswith("needs 2 to 4 stimuli in each class, this session has 1 target and 1")
    assert table.status["generalization_probe"] == "no probe trials in this session"
    assert np.isnan(table.value["ccgp"])
    assert table.status["decoding_accuracy"] == "ok"


def test_too_few_trials_of_a_class_give_nan_and_the_reason(rng):
    table = metrics(session_tensor(rng, n_trials=30), n_trials={"all": 40}).loc["all", "matched"]
    assert table.value.isna().all()
    assert set(table.status) == {"40 trials of each class needed, the rarest has 15"}


def test_no_baseline_window_leaves_out_the_cosine_alone(rng):
    response = RESPONSE.model_copy(update={"baseline_window": None})
    table = metrics(session_tensor(rng), response=response).loc["all", "matched"]
    assert table.status["similarity_cosine"] == "needs response.baseline_window"
    assert (table.status.drop(["similarity_cosine", "ccgp", "generalization_probe"]) == "ok").all()


def test_p_is_uniform_enough_under_the_null():
    measures = Measures(
        n_draws=1, n_permutations=19, metrics=["separation_dprime", "decoding_auc", "separation_crossnobis"]
    )
    p = []
    for number in range(120):
        tensor = session_tensor(np.random.default_rng(number), gap=0.0, n_trials=60, n_units=4, session=f"s{number}")
        rows = session_metrics(
            tensor, measures=measures, response=RESPONSE, classes=CLASSES, n_units=4, n_trials={"all": 25}, seed=1
        )
        p.append([row["p"] for row in rows if row["matching"] == "matched"])
    share = (np.array(p) <= 0.2).mean(axis=0)
    # 120 sessions at .2: SE .037; 3.5 SE
    assert (np.abs(share - 0.2) < 0.13).all()


def test_p_max_is_that_of_the_family_and_never_smaller_than_p(rng):
    table = metrics(session_tensor(rng, gap=1.0)).loc["all", "matched"]
    directed = table[table.p.notna()]
    assert directed.p_max.notna().all()
    assert (directed.p_max >= directed.p).mean() > 0.9  # on another scale a single tie may break the other way
    assert table.p_max[["margin_soft", "participation_ratio"]].isna().all()


@pytest.mark.parametrize("within", ["half", "block"])
def test_labels_can_be_permuted_within_halves_or_experimental_blocks(rng, within):
    measures = MEASURES.model_copy(update={"permute_within": within})
    tensor = session_tensor(rng)
    tensor = tensor.assign_coords(block=("trial", np.arange(tensor.sizes["trial"]) % 4 * 1.0))
    task = task_of(tensor, response=RESPONSE, classes=CLASSES)
    expected = np.arange(120) // 60 if within == "half" else np.arange(120) % 4
    np.testing.assert_array_equal(permutation_blocks(task, measures), expected)
    assert metrics(tensor, measures=measures).p.notna().any()


def test_blocks_that_are_not_there_are_said_so(rng):
    table = metrics(session_tensor(rng), measures=MEASURES.model_copy(update={"permute_within": "block"}))
    assert set(table.status) == {
        "measures.permute_within is block, but trials have no block: map one with trials.block"
    }
    task = task_of(session_tensor(rng), response=RESPONSE, classes=CLASSES)
    with pytest.raises(MeasureError, match=r"trials have no block: map one with trials\.block"):
        permutation_blocks(task, Measures(permute_within="block"))


def test_every_stimulus_a_class(rng):
    tensor = session_tensor(rng, gap=3.0)
    tensor = tensor.assign_coords({"class": ("trial", tensor["category"].values.astype(str).astype(object))})
    table = metrics(tensor, classes=Classes(by_stimulus=True), n_trials={"all": 15}).loc["all", "matched"]
    assert table.status["decoding_accuracy"] == "ok"
    assert table.null_mean["decoding_accuracy"] == pytest.approx(0.25, abs=0.06)
    assert table.status["separation_crossnobis"] == "ok"
    assert table.status["margin_heldout"] == "needs the classes target and nontarget"


def test_numbers_depend_on_seed_and_names_alone(rng):
    tensor = session_tensor(rng)
    pd.testing.assert_frame_equal(metrics(tensor), metrics(tensor.copy(deep=True)))
    other = session_metrics(tensor, **PARTS, n_units=6, n_trials={"all": 50}, seed=2)
    assert other[0]["value"] != metrics(tensor).value.iloc[0]


def test_trials_with_missing_responses_are_left_out(rng):
    tensor = session_tensor(rng)
    holes = tensor.copy()
    holes.values[:6, 3, 2] = np.nan
    table = metrics(holes).loc["all", "full"]
    assert (table.n_trials == 114).all()


def test_matched_counts_are_the_smallest_session(rng):
    tensors = [session_tensor(rng, n_units=8), session_tensor(rng, n_units=5, n_trials=60, session="day-02", day=2)]
    counts = matched_counts(tensors, **PARTS, inclusion=Inclusion(min_trials_per_class=10))
    assert counts == {"n_units": 5, "n_trials": {"all": 30, "fixed": 20}}
    fewer = PARTS | {"measures": Measures(match_units=4, match_trials=12)}
    assert matched_counts(tensors, **fewer, inclusion=Inclusion()) == {
        "n_units": 4,
        "n_trials": {"all": 12, "fixed": 12},
    }
    assert matched_counts([], **PARTS, inclusion=Inclusion()) == {"n_units": 0, "n_trials": {}}
