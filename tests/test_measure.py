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
    # gap 8, SD 4.06 over both classes: half the gap is .98 SD, less what the nearest of 100 trials lie off their means
    assert 0.5 < table.value["margin_hard"] < 0.98
    undirected = [name for name, metric in METRICS.items() if not metric.learning]
    p = table.p.drop([*undirected, "generalization_day", "ccgp", "similarity_cosine"])
    assert (p == 1 / 21).all()


def test_matched_draws_hold_the_asked_counts_and_the_full_session_all(rng):
    table = metrics(session_tensor(rng), n_units=5, n_trials={"all": 40}).drop("separation_modulation", level="metric")
    assert (table.loc["all", "matched"].n_trials == 80).all()
    assert (table.loc["all", "matched"].n_units == 5).all()
    assert (table.loc["all", "full"].n_trials == 120).all()
    assert (table.loc["all", "full"].n_units == 8).all()


def test_a_draw_that_takes_all_is_made_once(rng):
    table = metrics(session_tensor(rng), n_units=8, n_trials={"all": 60})
    assert (table.drop("generalization_day", level="metric").n_draws == 1).all()
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
    others = ["ccgp", "generalization_probe", "generalization_day", "margin_hard"]
    assert (table.status.drop(["similarity_cosine", *others]) == "ok").all()


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
    assert table.p_max[["margin_soft", "participation_ratio", "selectivity", "noise_correlation"]].isna().all()


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
    for name in ("margin_heldout", "margin_hard"):
        assert table.status[name] == "needs the classes target and nontarget"
    for name in ("selectivity", "sparseness_lifetime", "sparseness_population", "noise_correlation"):
        assert table.status[name] == "ok"


def test_a_hard_margin_in_some_draws_only_is_none(rng):
    table = metrics(session_tensor(rng, gap=8.0), measures=Measures(n_draws=6, metrics=["margin_hard"]))
    assert table.status["all", "full", "margin_hard"] == "ok"
    expected = "one draw of units and trials, or more, has classes that no hyperplane separates"
    assert table.status["all", "matched", "margin_hard"] == expected
    assert np.isnan(table.value["all", "matched", "margin_hard"])


def test_units_are_described_as_they_are(rng):
    def value(tensor, name, **options):
        return metrics(tensor, **options).value["all", "full", name]

    tensor = session_tensor(rng, gap=5.0)
    # unit 0 gives 15 and 10 spikes/s, the other 7 prefer nothing
    assert value(tensor, "selectivity") == pytest.approx(0.2 / 8, abs=0.01)
    assert value(tensor, "sparseness_population") == pytest.approx(0.0, abs=0.03)
    assert value(tensor, "noise_correlation") == pytest.approx(0.0, abs=0.06)
    shared = tensor + 2.0 * rng.normal(size=(tensor.sizes["trial"], 1, 1))
    shared.attrs = tensor.attrs
    assert value(shared, "noise_correlation") == pytest.approx(4 / 4.5, abs=0.05)
    silent = tensor * 0.0
    silent.attrs = tensor.attrs
    only = Measures(n_draws=1, metrics=["selectivity", "sparseness_lifetime", "noise_correlation"])
    status = metrics(silent, measures=only).status["all", "full"]
    assert status["selectivity"] == "no unit responds"
    assert status["sparseness_lifetime"] == "no unit responds to stimuli with 2 trials or more"
    assert status["noise_correlation"] == "needs 2 units that vary within stimuli, this draw has 0"


def test_draws_without_a_value_are_not_counted(rng):
    options = Measures(n_draws=20, n_permutations=0, metrics=["sparseness_lifetime", "noise_correlation"])
    table = metrics(session_tensor(rng), measures=options, n_trials={"all": 5}).loc["all", "matched"]
    assert table.status["sparseness_lifetime"] == "ok"
    assert 0 < table.n_draws["sparseness_lifetime"] < 20  # the others hold no nontarget stimulus twice
    assert table.status["noise_correlation"].startswith("needs 10 trials more than stimuli")
    assert table.n_draws["noise_correlation"] == 20


def test_activity_below_zero_is_neither_selective_nor_sparse(rng):
    tensor = session_tensor(rng) - 10.0
    tensor.attrs = session_tensor(rng).attrs
    status = metrics(tensor).status["all", "full"]
    for name in ("selectivity", "sparseness_lifetime", "sparseness_population"):
        assert status[name].startswith("needs activity that is never below 0")
    assert status["noise_correlation"] == "ok"


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
