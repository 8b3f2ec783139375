"""Decoding over time finds the code where it was put, and says why where it cannot look."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from piriform import dynamics
from piriform.config import Classes, Dynamics, Inclusion, Measures, Response
from piriform.dynamics import decoded_over_time, session_dynamics, whole_window, windows
from piriform.measure import session_metrics
from piriform.splits import blocked_folds, permutations
from piriform.tables import check_table, load_table
from piriform.task import matched_counts
from piriform.trials import make_trials, save_trials

ROOT = Path(__file__).parent.parent
RESPONSE = Response(window=(-0.2, 0.6), bin=0.1, response_window=(0.2, 0.4), baseline_window=None)
CLASSES = Classes(target=["target"], nontarget=["nontarget"])
MEASURES = Measures(n_draws=2, n_permutations=10, metrics=["decoding_accuracy", "margin_heldout"])
APART = Dynamics(window=0.2, step=0.2, n_draws=2)  # windows that share no bin: centres -0.1, 0.1, 0.3, 0.5
PARTS = {"measures": MEASURES, "response": RESPONSE, "classes": CLASSES, "n_units": 4, "n_trials": {"all": 40}}
LDA = {"solver": "lda", "C": 1.0, "shrinkage": 0.2}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def tensor(rng, gaps, *, names=("target", "nontarget"), n_trials=100, session="day-01", units="spikes/s"):
    """A session in which the classes lie apart by ``gaps`` (n_units, n_times), in SDs of a bin."""
    kind = np.array(names * n_trials)[:n_trials]
    place = np.array([names.index(name) for name in kind])
    gaps = np.asarray(gaps, dtype=float)
    response = rng.normal(10, 1, size=(n_trials, *gaps.shape)) + place[:, None, None] * gaps
    trials = pd.DataFrame({"stimulus": kind, "category": kind, "class": kind, "start_time": np.arange(n_trials) * 5.0})
    return make_trials(
        response,
        time=np.round(-0.15 + 0.1 * np.arange(gaps.shape[1]), 12),
        trials=trials,
        unit_id=range(len(gaps)),
        attrs={
            "units": units, "subject": "Q", "session": session, "day": 1, "phase": "overtraining",
            "source_file": "made.nwb", "source_sha256": "0" * 64, "bin_width": 0.1,
        },
    )  # fmt: skip


def code(*spots, n_units=4, n_times=8):
    """Gaps of zero but for the given (unit, first bin, last bin, gap)."""
    gaps = np.zeros((n_units, n_times))
    for unit, first, last, gap in spots:
        gaps[unit, first : last + 1] = gap
    return gaps


def square(table, value="accuracy"):
    """The table as a matrix: rows are times of training, columns of test."""
    return table.pivot(index="train_time", columns="test_time", values=value)


def measured(made, *, seed=1, options=APART, **changes):
    table = session_dynamics(made, dynamics=options, seed=seed, **PARTS | changes)
    return check_table(table, "dynamics")


# Known answers


def test_a_signal_in_one_window_is_found_there_and_nowhere_else(rng):
    found = square(measured(tensor(rng, code((0, 4, 5, 12.0)))))
    assert found.index.tolist() == found.columns.tolist() == [-0.1, 0.1, 0.3, 0.5]
    assert found.loc[0.3, 0.3] == 1.0
    # 80 trials at chance: SE .056; two draws share most trials. A decoder of noise tested where the signal is may
    # fall on either side with all trials at once, so that column says nothing.
    assert np.abs(found.drop(columns=0.3) - 0.5).max(axis=None) < 4 * 0.056


def test_a_code_that_stays_generalizes_over_time(rng):
    found = square(measured(tensor(rng, code((1, 4, 7, 12.0)))))
    assert (found.loc[[0.3, 0.5], [0.3, 0.5]] == 1.0).all(axis=None)


def test_a_code_that_moves_to_other_units_fills_the_diagonal_alone(rng):
    spots = [(unit, 2 * unit, 2 * unit + 1, 12.0) for unit in range(4)]
    found = square(measured(tensor(rng, code(*spots)))).to_numpy()
    assert (np.diag(found) == 1.0).all()
    # other times hold a large signal in units to which the decoder gave little weight
    assert np.abs(found[~np.eye(4, dtype=bool)] - 0.5).max() < 4 * 0.056


def test_a_code_that_turns_round_is_read_out_wrong(rng):
    table = measured(tensor(rng, code((0, 4, 5, 12.0), (0, 6, 7, -12.0))))
    # the mean rate shifts with the sign of the code: 10 + 6 and 10 - 6, boundary at 16
    assert square(table).loc[0.3, 0.3] == square(table).loc[0.5, 0.5] == 1.0
    balanced = tensor(rng, code((0, 4, 5, 12.0), (0, 6, 7, -12.0)))
    balanced.values[:, 0, 6:] += 12.0
    found = measured(balanced)
    assert square(found).loc[0.3, 0.5] == square(found).loc[0.5, 0.3] == 0.0
    assert square(found, "margin").loc[0.3, 0.5] < -1


def test_the_margin_is_the_distance_in_sds_of_the_standardised_unit(rng):
    gap = 20.0
    found = square(
        measured(tensor(rng, code((0, 4, 5, gap))), measures=MEASURES.model_copy(update={"C": 0.01})), "margin"
    )
    # a unit with two narrow peaks has its class means 1 SD from the middle once it is standardised
    assert found.loc[0.3, 0.3] == pytest.approx(1.0, abs=0.05)


def test_silence_at_the_time_of_test_is_chance_and_at_the_time_of_training_a_reason(rng):
    made = tensor(rng, code((0, 4, 5, 12.0)))
    made.values[:, :, :2] = 0.0
    table = measured(made)
    found = square(table)
    assert found.loc[0.3, -0.1] == 0.5
    assert found.loc[-0.1].isna().all()
    silent = table["train_time"] == -0.1
    assert table.loc[silent, "status"].str.contains("no unit varies over the training trials").all()
    assert (table.loc[~silent, "status"] == "ok").all()


# Definition


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_each_pair_of_windows_equals_a_loop_with_scikit_learn(rng):
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    labels = np.tile([1, -1], 30)
    responses = rng.normal(size=(3, 60, 4)) + 0.7 * labels[:, None] * rng.normal(size=(3, 1, 4))
    order = permutations(np.zeros(60, int), 1, rng=rng)
    stacked = labels[order]
    folds = blocked_folds(stacked, 4)
    found = decoded_over_time(responses, stacked, folds, solver="svm", C=0.5, shrinkage=0.2)
    for row, (y, fold) in enumerate(zip(stacked, folds, strict=True)):
        for train in range(3):
            for test in range(3):
                values, distances = np.empty(60), np.empty(60)
                for number in range(4):
                    own, out = fold != number, fold == number
                    scaler = StandardScaler().fit(responses[train, own])
                    model = LinearSVC(C=0.5, tol=1e-12, max_iter=200_000).fit(
                        scaler.transform(responses[train, own]), y[own]
                    )
                    values[out] = model.decision_function(scaler.transform(responses[test, out]))
                    distances[out] = values[out] / np.linalg.norm(model.coef_)
                assert found.accuracy[row, train, test] == pytest.approx(balanced_accuracy_score(y, np.sign(values)))
                margin = np.mean([np.mean((y * distances)[y == side]) for side in (1, -1)])
                assert found.margin[row, train, test] == pytest.approx(margin, abs=1e-5)


def test_the_response_window_alone_gives_the_numbers_of_the_metrics(rng):
    made = tensor(rng, code((0, 4, 5, 0.8), (1, 4, 5, 0.5)))
    rows = session_metrics(made, **PARTS, seed=3)
    expected = {row["metric"]: row for row in rows if row["matching"] == "matched"}
    table = measured(made, seed=3, options=APART.model_copy(update={"n_permutations": 10}))
    (found,) = table[(table["train_time"] == 0.3) & (table["test_time"] == 0.3)].to_dict("records")
    assert found["accuracy"] == pytest.approx(expected["decoding_accuracy"]["value"])
    assert found["margin"] == pytest.approx(expected["margin_heldout"]["value"], rel=1e-6)
    for name in ("null_mean", "null_sd", "p", "n_trials", "n_units", "n_draws", "n_permutations"):
        assert found[name] == pytest.approx(expected["decoding_accuracy"][name]), name


def test_windows_fill_the_span_and_no_more():
    assert windows(RESPONSE, Dynamics())[[0, -1]].tolist() == [[-0.2, 0.0], [0.4, 0.6]]
    assert len(windows(RESPONSE, Dynamics())) == 7  # 0.2 s, every 0.1 s
    coarse = windows(RESPONSE, Dynamics(window=0.3, step=0.4))
    assert coarse.tolist() == [[-0.2, 0.1], [0.2, 0.5]]
    one_bin = Response(window=(0.0, 0.1), response_window=(0.0, 0.1), baseline_window=None)
    assert windows(one_bin, Dynamics()).tolist() == [[0.0, 0.1]]


# Invariance


def test_numbers_do_not_depend_on_the_scale_of_a_unit_nor_on_what_memory_holds(rng, monkeypatch):
    made = tensor(rng, code((0, 4, 7, 1.0)), units="dF/F")
    expected = measured(made)
    scaled = made.copy(deep=True)
    scaled.values[:, 2] *= 64
    pd.testing.assert_frame_equal(measured(scaled), expected, rtol=1e-5)
    monkeypatch.setattr(dynamics, "MOST_VALUES", 1)
    pd.testing.assert_frame_equal(measured(made), expected)


def test_without_generalization_the_diagonal_is_the_same(rng):
    made = tensor(rng, code((0, 4, 7, 1.0)))
    whole = measured(made)
    diagonal = measured(made, options=APART.model_copy(update={"temporal_generalization": False}))
    own = whole[whole["train_time"] == whole["test_time"]].reset_index(drop=True)
    assert len(diagonal) == 4
    pd.testing.assert_frame_equal(diagonal, own, rtol=1e-9)


# Null


def test_accuracy_margin_and_p_values_of_noise():
    options = Dynamics(window=0.2, step=0.2, n_draws=1, n_permutations=19)
    quick = MEASURES.model_copy(update={"solver": "lda", "n_folds": 3})
    tables = [
        measured(
            tensor(np.random.default_rng(number), code(), n_trials=60, session=f"s{number}"),
            options=options, measures=quick, n_trials={"all": 30},
        )
        for number in range(60)
    ]  # fmt: skip
    table = pd.concat(tables)
    # 60 sessions x 16 pairs of 60 trials; the pairs of a session share trials, the 4 windows do not share noise
    error = 0.5 / np.sqrt(60 * 60 * 4)
    assert abs(table["accuracy"].mean() - 0.5) < 4 * error
    assert abs(table["null_mean"].mean() - 0.5) < 4 * error
    assert abs(table["margin"].mean()) < 4 / np.sqrt(60 * 60 * 4)
    own = table[table["train_time"] == table["test_time"]]
    # one p in five is .2 or below: 240 windows, SE .026; accuracies tie, which makes p larger
    assert (own["p"] <= 0.2).mean() < 0.2 + 3.5 * 0.026
    # the smallest p_max of a session keeps the level over its 4 windows, and over all 16 pairs: SE .052
    for rows in (own, table[table["train_time"] != table["test_time"]]):
        assert (rows.groupby("session")["p_max"].min() <= 0.2).mean() < 0.2 + 3 * 0.052
    assert (own.groupby("session")["p"].min() <= 0.2).mean() > 0.35  # what the correction is for


def test_p_has_its_smallest_value_where_the_signal_is(rng):
    options = APART.model_copy(update={"n_permutations": 9})
    table = measured(tensor(rng, code((0, 4, 5, 12.0))), options=options)
    own = table[table["train_time"] == table["test_time"]].set_index("train_time")
    assert own.loc[0.3, ["p", "p_max"]].tolist() == [0.1, 0.1]
    assert (own["p_max"].drop(0.3) > 0.1).all()
    one = measured(tensor(rng, code()), options=APART.model_copy(update={"n_permutations": 1}))
    assert one["null_sd"].isna().all()
    assert one["null_mean"].notna().all()
    assert measured(tensor(rng, code()))[["null_mean", "null_sd", "p", "p_max"]].isna().all(axis=None)


# Many classes, missing activity, too little data


def test_many_classes_are_decoded_at_their_own_time_alone(rng):
    names = ("a", "b", "c", "d")
    gaps = code((0, 4, 5, 12.0))
    table = measured(
        tensor(rng, gaps, names=names, n_trials=120),
        classes=Classes(by_stimulus=True), n_trials={"all": 25}, measures=MEASURES.model_copy(update={"solver": "lda"}),
    )  # fmt: skip
    assert (table["train_time"] == table["test_time"]).all()
    found = table.set_index("train_time")["accuracy"]
    assert found[0.3] == 1.0
    # 100 trials at 1/4: SE .043
    assert (found.drop(0.3) - 0.25).abs().max() < 4 * 0.043
    assert table["margin"].isna().all()
    assert (table["status"] == "ok").all()


def test_all_windows_have_the_same_trials_those_observed_throughout(rng):
    made = tensor(rng, code((0, 4, 5, 12.0)))
    made.values[:20, 1, 7] = np.nan
    counts = matched_counts(
        [made], measures=MEASURES, response=whole_window(RESPONSE), classes=CLASSES, inclusion=Inclusion()
    )
    assert counts == {"n_units": 4, "n_trials": {"all": 40}}
    table = measured(made, **counts)
    assert (table["n_trials"] == 80).all()
    assert table["accuracy"].notna().all()


def test_too_few_trials_keep_their_rows_and_say_why(rng):
    table = measured(tensor(rng, code(), n_trials=30))
    assert len(table) == 16
    assert table["accuracy"].isna().all()
    assert set(table["status"]) == {"40 trials of each class observed in the whole window needed, the rarest has 15"}
    assert set(table["n_permutations"]) == set(table["n_trials"]) == {0}


def test_permutations_within_blocks_that_are_not_there_are_said_so(rng):
    blocks = MEASURES.model_copy(update={"permute_within": "block"})
    table = measured(tensor(rng, code()), measures=blocks, options=APART.model_copy(update={"n_permutations": 2}))
    assert table["status"].str.contains("trials have no block").all()
    assert (measured(tensor(rng, code()), measures=blocks)["status"] == "ok").all()


# The script


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("dynamics_script", ROOT / "workflow" / "scripts" / "dynamics.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_writes_all_sessions_of_a_subject(rng, tmp_path, script):
    made = [tensor(rng, code(), session=name, n_trials=n) for name, n in (("day-01", 60), ("day-02", 100))]
    save_trials(made, tmp_path / "Q.nc")
    paths = SimpleNamespace(trials=tmp_path / "Q.nc"), SimpleNamespace(dynamics=tmp_path / "d.csv")
    settings = SimpleNamespace(
        seed=1, response=RESPONSE, classes=CLASSES, inclusion=Inclusion(), measures=MEASURES, dynamics=APART
    )
    script.main(*paths, settings=settings)
    table = load_table(tmp_path / "d.csv", "dynamics")
    assert table.groupby("session").size().to_dict() == {"day-01": 16, "day-02": 16}
    assert (table["n_trials"] == 60).all()
    expected = measured(made[1], n_trials={"all": 30}).reset_index(drop=True)
    pd.testing.assert_frame_equal(table[table["session"] == "day-02"].reset_index(drop=True), expected)
    settings.dynamics = Dynamics(enabled=False)
    script.main(*paths, settings=settings)
    assert load_table(tmp_path / "d.csv", "dynamics").empty
