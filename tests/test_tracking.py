import numpy as np
import pandas as pd
import pytest
from sessions import session_tensor

from piriform import tracking
from piriform.config import Classes, Measures, Response
from piriform.errors import MeasureError
from piriform.generalize import across_sessions
from piriform.measure import session_metrics
from piriform.tables import check_table
from piriform.task import task_of
from piriform.tracking import Before, accuracy_across, check_before, sessions_before

RESPONSE = Response(window=(-0.2, 0.2), bin=0.1, response_window=(0.0, 0.2), baseline_window=None)
CLASSES = Classes(
    target=["target"],
    nontarget=["nontarget", "nontarget_repeat_1", "nontarget_repeat_2"],
    fixed=["target", "nontarget_repeat_1", "nontarget_repeat_2"],
)
MEASURES = Measures(n_draws=3, n_permutations=39, metrics=["generalization_day"])
SETTINGS = {"solver": "svm", "C": 1.0, "shrinkage": 0.2}


@pytest.fixture
def rng():
    return np.random.default_rng(12)


def day(rng, number, *, gap=4.0, **options):
    return session_tensor(rng, session=f"day-{number:02d}", day=number, gap=gap, tracked=True, **options)


def before(tensors, **options):
    return sessions_before(tensors, **{"min_units": 4} | options)


def metrics(tensor, one, *, n_units=8, n_trials=40, measures=MEASURES, **options):
    given = {"measures": measures, "response": RESPONSE, "classes": CLASSES, "seed": 1} | options
    rows = session_metrics(tensor, n_units=n_units, n_trials={"all": n_trials, "fixed": 20}, before=one, **given)
    return check_table(pd.DataFrame(rows), "metrics").set_index(["stimuli", "matching"])


def named(tensor, names):
    return tensor.assign_coords(tracked_id=("unit", np.array(names, dtype=object)))


# Which session, which units ------------------------------------------------------------------


def test_the_session_before_is_the_last_one_on_an_earlier_day(rng):
    tensors = [day(rng, number) for number in (7, 1, 4)]
    found = before(tensors)
    assert found[0].tensor is tensors[2]
    assert found[2].tensor is tensors[1]
    assert [one.reason for one in found] == ["", "no session on an earlier day", ""]
    near = before(tensors, days_apart=2)
    assert near[0].reason == "the session before is 3 days earlier, at most 2 are allowed"


def test_units_are_paired_by_their_tracked_id_and_as_many_for_all_sessions(rng):
    first, second, third = (day(rng, number) for number in (1, 2, 3))
    second = named(second, ["u3", "", "u0", "x", "u5", "u1", "u7", "y"])
    _, two, three = before([first, second, third])
    assert first["tracked_id"].values[two.there].tolist() == second["tracked_id"].values[two.here].tolist()
    assert sorted(first["tracked_id"].values[two.there]) == ["u0", "u1", "u3", "u5", "u7"]
    assert two.n_units == three.n_units == 5


def test_limits_are_allowed_and_the_fewest_shared_units_count(rng):
    first, second, third = (day(rng, number) for number in (1, 4, 7))
    second = named(second, ["u0", "u1", "u2", "u3", *"wxyz"])
    third = named(third, ["u0", "u1", "u2", "u3", *"wxvu"])
    found = before([first, second, third], days_apart=3)
    assert [one.reason for one in found] == ["no session on an earlier day", "", ""]
    assert [(len(one.here), one.n_units) for one in found[1:]] == [(4, 4), (6, 4)]


def test_why_units_cannot_be_compared(rng):
    untracked = session_tensor(rng, session="day-01"), session_tensor(rng, session="day-02", day=2)
    assert {one.reason for one in before(untracked)} == {
        "units are not tracked over days: map them with response.tracked_id"
    }
    other = named(day(rng, 2), ["u0", "u1", "u2", *"abcde"])
    assert before([day(rng, 1), other])[1].reason == "4 units tracked from the session before needed, there are 3"
    assert before([]) == []


def test_the_metric_without_a_session_before_says_why(rng):
    assert metrics(day(rng, 1), None).status["all", "matched"] == "no session on an earlier day"
    first, second = day(rng, 1, n_trials=60), day(rng, 2)
    found = metrics(second, before([first, second])[1])
    expected = "40 trials of each class needed in the session before, its rarest has 30"
    assert found.status["all", "matched"] == expected
    assert found.status["all", "full"] == "ok"
    stimuli = [one.assign_coords({"class": ("trial", one["category"].values)}) for one in (day(rng, 1), day(rng, 2))]
    found = metrics(stimuli[1], before(stimuli)[1], n_trials=15, classes=Classes(by_stimulus=True))
    assert found.status["all", "matched"] == "needs the classes target and nontarget"


def test_a_session_that_is_not_there_is_refused(rng):
    task = task_of(day(rng, 1), response=RESPONSE, classes=CLASSES)
    with pytest.raises(MeasureError, match="no session on an earlier day"):
        check_before(Before(), task, None, 10)


# Known answer and definition -----------------------------------------------------------------


def test_a_code_that_stays_is_read_and_one_that_moves_is_not(rng):
    first, same = day(rng, 1), day(rng, 2)
    moved = named(day(rng, 2), [f"u{(unit + 1) % 8}" for unit in range(8)])
    kept = metrics(same, before([first, same])[1])
    assert (kept.value > 0.97).all()
    assert (kept.p == 1 / 40).all()
    assert kept.null_mean["all", "matched"] == pytest.approx(0.5, abs=0.03)
    lost = metrics(moved, before([first, moved])[1])
    assert lost.value.to_numpy() == pytest.approx(np.full(4, 0.5), abs=0.15)


def test_counts_are_those_of_the_shared_units_and_of_the_tested_trials(rng):
    first, second = day(rng, 1), named(day(rng, 2), [f"u{i}" for i in range(6)] + ["", ""])
    found = metrics(second, before([first, second])[1])
    assert found.n_units.tolist() == [6] * 4
    assert found.n_trials["all"].tolist() == [80, 120]
    assert found.n_draws["all"].tolist() == [3, 1]
    assert metrics(second, before([first, second])[1], n_trials=60).n_draws["all"].tolist() == [1, 1]
    fewer = metrics(second, before([first, second])[1], n_units=5)
    assert fewer.n_units["all"].tolist() == [5, 6]


def test_accuracy_follows_its_definition(rng):
    from sklearn.svm import LinearSVC

    first, second = day(rng, 1, gap=1.5), day(rng, 2, gap=1.5)
    tasks = [task_of(one, response=RESPONSE, classes=CLASSES) for one in (first, second)]
    order = np.vstack([np.arange(120), rng.permutation(120)])
    value = accuracy_across(
        tasks[1], tasks[0], before([first, second])[1], order, n_units=8, n_trials=0, decoder=SETTINGS, rng=rng
    )
    scored = [(x - x.mean(axis=0)) / x.std(axis=0) for x in (task.responses for task in tasks)]
    model = LinearSVC(C=1.0, dual=False, tol=1e-10).fit(scored[0], tasks[0].codes)
    for row in (0, 1):
        labels = tasks[1].codes[order[row]]
        right = model.predict(scored[1]) == labels
        assert value[row] == pytest.approx(np.mean([right[labels == code].mean() for code in (1, -1)]))


def test_draws_hold_the_asked_units_and_trials_of_both_sessions(rng, monkeypatch):
    first, second = day(rng, 1), named(day(rng, 2), [f"u{unit}" for unit in (7, 6, 5, 4, 3, 2, 1, 0)])
    tasks, seen = [task_of(one, response=RESPONSE, classes=CLASSES) for one in (first, second)], []
    monkeypatch.setattr(tracking, "across_sessions", lambda *given, **decoder: seen.append(given) or np.zeros(1))
    for _ in range(6):
        accuracy_across(
            tasks[1], tasks[0], before([first, second])[1], np.arange(120)[None], n_units=3, n_trials=20,
            decoder=SETTINGS, rng=rng,
        )  # fmt: skip
    drawn = set()
    for trained, labels, tested, _, part in seen:
        assert (trained.shape, tested.shape, part.sum()) == ((40, 3), (120, 3), 40)
        assert np.bincount(labels + 1).tolist() == [20, 0, 20]
        units = [int(np.flatnonzero((tasks[1].responses == one[:, None]).all(axis=0))[0]) for one in tested.T]
        assert len(set(units)) == 3
        for one, unit in zip(trained.T, units, strict=True):  # the same unit, at another place on the day before
            assert np.isin(one, tasks[0].responses[:, 7 - unit]).all()
        drawn |= set(units)
    assert len(drawn) > 3


def test_only_trials_that_take_part_are_tested():
    x, y = np.array([[1.0], [2.0], [8.0], [9.0]]), np.array([-1, -1, 1, 1])
    part = np.array([[True, True, True, True, False, False]])
    tested, labels = np.array([[1.0], [2.0], [8.0], [9.0], [99.0], [-99.0]]), np.array([-1, -1, 1, 1, -1, 1])
    assert across_sessions(x, y, tested, labels[None], part, **SETTINGS).tolist() == [1.0]


# Invariance and null -------------------------------------------------------------------------


def test_level_and_scale_of_a_unit_may_differ_between_days(rng):
    x, y = rng.normal(size=(60, 5)), np.tile([1, -1], 30)
    x[:, 0] += y
    other, part = rng.normal(size=(60, 5)), np.ones((1, 60), dtype=bool)
    other[:, 0] += y
    value = across_sessions(x, y, other, y[None], part, **SETTINGS)
    changed = other * rng.uniform(0.5, 3, 5) + rng.normal(size=5)
    assert across_sessions(x, y, changed, y[None], part, **SETTINGS) == pytest.approx(value)
    silent = other.copy()
    silent[:, 3] = 0.0
    assert np.isfinite(across_sessions(x, y, silent, y[None], part, **SETTINGS)).all()


def test_p_is_uniform_enough_where_the_days_share_nothing():
    measures = Measures(n_draws=1, n_permutations=19, metrics=["generalization_day"])
    p, value = [], []
    for number in range(120):
        rng = np.random.default_rng(number)
        first, second = (day(rng, one, gap=0.0, n_trials=60, n_units=4) for one in (1, 2))
        rows = session_metrics(
            second, measures=measures, response=RESPONSE, classes=CLASSES, n_units=4, n_trials={"all": 25},
            seed=number, before=before([first, second])[1], matchings=["matched"],
        )  # fmt: skip
        p.append(rows[0]["p"])
        value.append(rows[0]["value"])
    # 120 pairs of sessions at .2: SE .037; 3.5 SE
    assert abs((np.array(p) <= 0.2).mean() - 0.2) < 0.13
    assert np.mean(value) == pytest.approx(0.5, abs=3.5 * np.std(value) / np.sqrt(120))
