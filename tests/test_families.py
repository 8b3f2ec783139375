"""Is every metric of a draw what its name says? Against scikit-learn and plain loops, on some of the units and trials."""

from itertools import product

import numpy as np
import pytest
from sessions import session_tensor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from piriform import decode, geometry, margin, selectivity
from piriform.config import Classes, Measures, Response
from piriform.covariation import noise_correlation
from piriform.errors import MeasureError
from piriform.families import FAMILIES
from piriform.generalize import stimulus_folds
from piriform.splits import OUT
from piriform.task import draw_of, task_of

RESPONSE = Response(window=(-0.2, 0.2), bin=0.1, response_window=(0.0, 0.2), baseline_window=(-0.2, 0.0))
CLASSES = Classes(target=["target"], nontarget=["nontarget"], probe=["probe_1", "probe_2"])
#: None of the defaults.
MEASURES = Measures(C=0.05, shrinkage=0.6, n_folds=4, n_blocks=2)
ROWS = range(3)


def tensor_of(rng, *, gap=2.0):
    """Two target and three nontarget stimuli, two kinds of probes, slow drift, and a unit that is silent."""
    tensor = session_tensor(rng, gap=gap, probes=24)
    kind = tensor["class"].values.astype(str)
    number = np.arange(len(kind)) // 2 % 6
    stimulus = np.where(kind == "target", number % 2, 2 + number % 3).astype(str)
    category = np.where(kind == "probe", np.where(number % 2, "probe_1", "probe_2"), kind)
    tensor = tensor.assign_coords(stimulus=("trial", stimulus.astype(object)), category=("trial", category))
    tensor.values[:, 2] += 0.4 * number[:, None] + np.linspace(0, 3, len(kind))[:, None]
    tensor.values[:, 3] += 1.5 * (kind == "probe")[:, None] * (category == "probe_1")[:, None]
    tensor.values[:, 7] = 0.0
    return tensor


def drawn(tensor, *, classes=CLASSES, n_units=6, n_trials=25):
    rng = np.random.default_rng(2)
    task = task_of(tensor, response=RESPONSE, classes=classes)
    order = np.array([np.arange(len(task.codes)), *(rng.permutation(len(task.codes)) for _ in ROWS[1:])])
    draw = draw_of(task, order, MEASURES, n_units, n_trials, rng)
    units = np.array([0, 2, 3, 4, 5, 7])  # the units with something to tell, and the silent one
    parts = {name: getattr(task, name)[:, units] for name in ("responses", "evoked", "probes")}
    return type(draw)(**{**vars(draw), **parts, "units": units})


@pytest.fixture(scope="module")
def draw():
    return drawn(tensor_of(np.random.default_rng(1)))


def measured(draw):
    return {name: value for family in FAMILIES.values() for name, value in family(draw).items()}


@pytest.fixture(scope="module")
def found(draw):
    return {name: np.broadcast_to(value, len(ROWS)) for name, value in measured(draw).items() if name != "margin_hard"}


def svm(draw, row, train):
    model = make_pipeline(StandardScaler(), LinearSVC(C=MEASURES.C, dual=False, tol=1e-10))
    return model.fit(draw.responses[train], draw.labels[row][train])


def heldout(draw, row, folds):
    """Decision value, and distance from the hyperplane, of each trial by the decoder of the other folds."""
    decision, distance = np.full((2, len(folds)), np.nan)
    for fold in range(folds.max() + 1):
        model, inside = svm(draw, row, (folds != OUT) & (folds != fold)), folds == fold
        decision[inside] = model.decision_function(draw.responses[inside])
        distance[inside] = decision[inside] / np.linalg.norm(model[-1].coef_)
    return decision, distance


def balanced(decision, labels):
    return np.mean([(code * decision[(labels == code) & np.isfinite(decision)] > 0).mean() for code in (1, -1)])


def test_a_draw_takes_part_of_the_trials_and_folds_are_as_asked(draw):
    assert draw.part.sum(axis=1).tolist() == [50] * len(ROWS)
    assert draw.folds.max() == 3


@pytest.mark.parametrize("row", ROWS)
def test_decoding_and_margins_are_those_of_decoders_of_the_other_folds(draw, found, row):
    y, folds = draw.labels[row], draw.folds[row]
    decision, distance = heldout(draw, row, folds)
    assert found["decoding_accuracy"][row] == pytest.approx(balanced(decision, y))
    pairs = [
        a > b
        for f in range(4)
        for a, b in product(decision[(folds == f) & (y == 1)], decision[(folds == f) & (y == -1)])
    ]
    assert found["decoding_auc"][row] == pytest.approx(np.mean(pairs))
    signed = (y * distance)[folds != OUT]
    assert found["margin_heldout"][row] == pytest.approx(signed.mean(), rel=1e-5)
    assert found["margin_heldout_p05"][row] == pytest.approx(np.quantile(signed, 0.05), rel=1e-5)


@pytest.mark.parametrize("row", ROWS)
def test_margins_in_sample(draw, found, row):
    model = svm(draw, row, draw.part[row])
    assert found["margin_soft"][row] == pytest.approx(1 / np.linalg.norm(model[-1].coef_), rel=1e-5)


def test_the_hard_margin_is_that_of_the_trials_of_the_draw():
    apart = drawn(tensor_of(np.random.default_rng(1), gap=12.0))
    part = apart.part[0]
    expected = margin.hard_margin(apart.responses[part], apart.labels[0][part])
    assert measured(apart)["margin_hard"] == [expected]
    assert expected > 0


@pytest.mark.parametrize("row", ROWS)
def test_new_stimuli_later_trials_and_probes(draw, found, row):
    y, part = draw.labels[row], draw.part[row]
    folds = stimulus_folds(draw.labels, draw.folds, draw.groups)[row]
    assert found["generalization_stimulus"][row] == pytest.approx(balanced(heldout(draw, row, folds)[0], y))
    taken = np.flatnonzero(part)
    early, late = (np.isin(np.arange(len(y)), half) for half in (taken[:25], taken[25:]))
    decision = np.where(late, svm(draw, row, early).decision_function(draw.responses), np.nan)
    assert found["generalization_time"][row] == pytest.approx(balanced(decision, y))

    decision, _ = heldout(draw, row, draw.folds[row])
    recall = (decision[(y == 1) & part] > 0).mean()
    rejected = np.zeros(len(draw.probes))
    for at, (probe, when) in enumerate(zip(draw.probes, draw.probe_times, strict=True)):
        train = part & (draw.folds[row] != int(4 * when))
        rejected[at] = svm(draw, row, train).decision_function(probe[None])[0] < 0
    names = draw.probe_categories
    assert found["generalization_probe"][row] == pytest.approx((recall + rejected.mean()) / 2)
    for number in "12":
        expected = (recall + rejected[names == f"probe_{number}"].mean()) / 2
        assert found[f"generalization_probe_{number}"][row] == pytest.approx(expected)


@pytest.mark.parametrize("row", ROWS)
def test_other_conditions(draw, found, row):
    y, part, stimuli = draw.labels[row], draw.part[row], draw.stimuli[row]
    sides = [np.unique(draw.stimuli[0][(draw.labels[0] == code) & draw.part[0]]) for code in (1, -1)]
    shares = []
    for pair in product(*sides):
        train = part & np.isin(stimuli, pair)
        decision = svm(draw, row, train).decision_function(draw.responses)
        shares.append(balanced(np.where(part & ~train, decision, np.nan), y))
    assert found["ccgp"][row] == pytest.approx(np.mean(shares))


def test_separation_and_similarity_take_the_settings_and_the_right_responses(draw, found):
    lda = decode.heldout_scores(draw.responses, draw.labels, draw.folds, solver="lda", C=1.0, shrinkage=0.6)
    expected = {
        "separation_dprime": geometry.dprime(lda.distance, draw.labels, draw.folds),
        "separation_crossnobis": geometry.crossnobis(
            draw.responses, (draw.labels + 1) // 2, draw.folds, n_classes=2, shrinkage=0.6
        ),
        "similarity_dot": geometry.similarity_dot(draw.responses, draw.labels, draw.part),
        "similarity_dot_cv": geometry.similarity_dot_cv(draw.responses, draw.labels, draw.folds),
        "similarity_cosine": geometry.similarity_cosine(draw.evoked, draw.labels, draw.part),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, err_msg=name)


def test_units_are_described_by_the_trials_of_the_draw(draw, found):
    part, y, folds = draw.part[0], draw.labels[0], draw.folds[0]
    x, stimuli = draw.responses[part], draw.stimuli[0][part]
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T))
    own = selectivity.heldout_selectivity(x, y[part], folds[part], classes=[-1, 1])
    lifetime, population = selectivity.stimulus_sparseness(x, stimuli)
    expected = {
        "participation_ratio": eigenvalues.sum() ** 2 / (eigenvalues**2).sum(),
        "selectivity": own[:5].mean(),
        "sparseness_lifetime": lifetime[:5].mean(),
        "sparseness_population": population.mean(),
        "noise_correlation": noise_correlation(x, stimuli, n_blocks=2),
    }
    assert np.isnan([own[5], lifetime[5]]).all()  # the silent unit
    assert {name: found[name][0] for name in expected} == pytest.approx(expected)


def test_one_nontarget_stimulus_cannot_be_new(draw):
    with pytest.raises(MeasureError, match="needs at least 2 nontarget stimuli"):
        FAMILIES["generalization_stimulus",](type(draw)(**{**vars(draw), "groups": np.minimum(draw.groups, 0)}))


def test_distances_of_many_classes():
    tensor = tensor_of(np.random.default_rng(1))
    tensor = tensor.isel(trial=tensor["class"].values != "probe")
    tensor = tensor.assign_coords({"class": ("trial", tensor["stimulus"].values)})
    draw = drawn(tensor, classes=Classes(by_stimulus=True), n_trials=15)
    value = FAMILIES["separation_crossnobis",](draw)["separation_crossnobis"]
    expected = geometry.crossnobis(draw.responses, draw.labels, draw.folds, n_classes=5, shrinkage=0.6)
    np.testing.assert_allclose(value, expected)
