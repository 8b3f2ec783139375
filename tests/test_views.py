import numpy as np
import pytest
from sessions import session_tensor
from test_measure import CLASSES, RESPONSE

from piriform import views
from piriform.config import Classes, Measures
from piriform.tables import check_table
from piriform.task import composition

MEASURES = Measures()
PARTS = {"measures": MEASURES, "response": RESPONSE, "classes": CLASSES}


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_predictions_hold_one_row_for_each_target_and_nontarget_trial(rng):
    tensor = session_tensor(rng, gap=10.0, probes=9)
    table = check_table(views.predictions(tensor, **PARTS), "predictions")
    main = tensor.isel(trial=np.isin(tensor["class"].values, ("target", "nontarget")))
    assert table.trial.tolist() == main.trial.values.tolist()
    assert (table.predicted == table["class"]).all()
    assert (table.margin > 0).all()
    assert ((table.decision_value > 0) == (table["class"] == "target")).all()


def test_predictions_are_empty_where_every_stimulus_is_a_class(rng):
    parts = PARTS | {"classes": Classes(by_stimulus=True)}
    assert views.predictions(session_tensor(rng), **parts).empty


def test_similarity_is_higher_within_a_class_than_across(rng):
    table = check_table(
        views.similarity(session_tensor(rng, gap=12.0, n_units=3), response=RESPONSE, classes=CLASSES), "similarity"
    )
    r = table.set_index(["category_a", "category_b"]).correlation
    assert r["target", "target"] > 0.15
    assert r["target", "nontarget"] < -0.15
    np.testing.assert_allclose(r["target", "nontarget"], r["nontarget", "target"])


def test_similarity_is_between_stimuli_where_each_is_a_class(rng):
    tensor = session_tensor(rng)
    table = views.similarity(tensor, response=RESPONSE, classes=Classes(by_stimulus=True))
    assert set(table.category_a) == set(tensor["stimulus"].values.astype(str))


def test_tracked_units_share_axes_fitted_once(rng):
    tensors = [session_tensor(rng, gap=gap, tracked=True, session=f"day-0{gap}", day=gap) for gap in (1, 9)]
    table = check_table(views.scatter(tensors, **PARTS), "scatter")
    assert set(table["axes"]) == {"tracked units"}
    means = table.groupby(["session", "class"]).axis_1.mean()
    early, late = (abs(means[f"day-0{day}", "target"] - means[f"day-0{day}", "nontarget"]) for day in (1, 9))
    assert late > 3 * early
    # fitted once: a session's points do not depend on how its own trials are spread, only on the joint fit
    np.testing.assert_allclose(table[["axis_1", "axis_2"]].mean(), 0, atol=1e-8)


def test_redrawn_units_use_the_held_out_discriminant(rng):
    tensors = [session_tensor(rng, gap=gap, session=f"day-0{gap}", day=gap) for gap in (1, 6)]
    table = check_table(views.scatter(tensors, **PARTS), "scatter")
    assert set(table["axes"]) == {"decoder"}
    late = table[table.session == "day-06"]
    assert (late.axis_1[late["class"] == "target"] > 0).mean() > 0.99
    assert (late.axis_1[late["class"] == "nontarget"] < 0).mean() > 0.99
    noise = views.scatter([session_tensor(rng, gap=0.0)], **PARTS)
    right = np.sign(noise.axis_1) == np.where(noise["class"] == "target", 1, -1)
    # chance: 120 trials, SE .046
    assert abs(right.mean() - 0.5) < 0.16


def test_the_ladder_has_a_row_for_each_rung_and_set_of_stimuli(rng):
    tensor = session_tensor(rng, gap=3.0)
    shares = composition([tensor], response=RESPONSE, classes=CLASSES)
    table = check_table(views.ladder(tensor, **PARTS, shares=shares), "ladder")
    assert table.groupby("stimuli").rung.apply(list).to_dict() == {"all": [0, 1, 2, 3, 4], "fixed": [0, 1, 2, 3, 4]}
    assert table.controls.tolist()[:2] == ["none", "units"]
    assert (table.status == "ok").all()
    value = table[table.stimuli == "all"].set_index("rung").value
    assert value[0] == pytest.approx(8 * value[1])


def test_activity_that_is_no_rate_has_no_gain_to_control(rng):
    tensor = session_tensor(rng, gap=3.0)
    tensor.attrs["units"] = "dF/F"
    shares = composition([tensor], response=RESPONSE, classes=CLASSES)
    assert set(views.ladder(tensor, **PARTS, shares=shares).rung) == {0, 1, 2, 3}


def test_a_study_of_many_classes_has_no_ladder(rng):
    parts = PARTS | {"classes": Classes(by_stimulus=True)}
    assert views.ladder(session_tensor(rng), **parts, shares={"all": {}}).empty
