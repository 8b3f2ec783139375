"""Do the networks' figures show the numbers of their tables? What is drawn, read back from the axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from piriform.figures import comparison, networks, representations, style
from piriform.match import OTHERS, Regime
from piriform.rdm_sets import RdmSets, Sessions
from piriform.rdms import EQUAL, SHARED

COURSE = pd.DataFrame(
    {"condition": "a", "seed": [0, 1, 0, 1, 0, 1], "step": [1, 1, 10, 10, 100, 100], "value": [0.0, 2, 1, 5, 3, np.nan]}
)


def axes():
    return Figure().subplots()


def segments(ax):
    return [np.round(one, 9).tolist() for part in ax.collections if isinstance(part, LineCollection)
            for one in part.get_segments()]  # fmt: skip


def dots(ax):
    """Each scatter's places and whether it is filled."""
    parts = [part for part in ax.collections if isinstance(part, PathCollection)]
    return [
        ([*map(float, place)], to_hex(face) != "#ffffff")
        for part in parts
        for place, face in zip(
            part.get_offsets(), np.resize(part.get_facecolors(), (len(part.get_offsets()), 4)), strict=True
        )
    ]


def band(ax):
    (part,) = (part for part in ax.collections if isinstance(part, PolyCollection))
    x, y = part.get_paths()[0].vertices.T
    return {float(at): (y[x == at].min(), y[x == at].max()) for at in np.unique(x) if np.isfinite(y[x == at]).all()}


# Experiments ----------------------------------------------------------------------------------


def test_a_course_has_its_plateau_on_the_line_and_an_interval_where_there_are_seeds():
    ax = axes()
    networks.draw_course(COURSE, ax, conditions=["a"], plateaus={"a": 10.0})
    line, triangle = ax.get_lines()
    assert line.get_ydata().tolist() == [1, 3, 3]  # one network is not known at the last step
    assert (triangle.get_xdata(), triangle.get_ydata()) == ([10.0], [3.0])
    half = 12.7062 * 2**0.5 / 2**0.5  # t with one degree of freedom, SD 2^.5, two seeds
    assert band(ax)[1.0] == pytest.approx((1 - half, 1 + half), rel=1e-5)


def tables():
    """Two quantities of two conditions; the second has no course."""
    keys = {"condition": list("aabb"), "seed": [0, 1, 0, 1]}
    quantities = pd.concat(
        [pd.DataFrame(keys | {"quantity": "gain:x", "value": [1.0, 3, 5, 7]}),
         pd.DataFrame(keys | {"quantity": "other", "value": [8.0, 8, np.nan, np.nan]}),
         pd.DataFrame({"condition": "a", "seed": [0, 1, 2], "quantity": "plateau_step", "value": [10.0, 1, 100]})]
    )  # fmt: skip
    effects = [("a", "other", 8.0, 8.0, 8.0), ("a", "gain:x", 2.0, 1.5, 2.75), ("b", "gain:x", 6.0, 5.5, 6.75)]
    return {
        "network_measures": pd.concat([COURSE.assign(measure="x"), COURSE.assign(measure="x", condition="b", value=np.nan)]),
        "network_quantities": quantities,
        "network_effects": pd.DataFrame(effects, columns=["condition", "quantity", "mean", "low", "high"]),
    }  # fmt: skip


def test_panels_show_their_quantity_their_conditions_and_the_median_plateau():
    panel = {"conditions": (), "null": None, "title": "t"}
    panels = [panel | {"kind": "course", "name": "x"}, panel | {"kind": "points", "name": "gain:x", "null": 0.5},
              panel | {"kind": "points", "name": "other"}]  # fmt: skip
    with style.applied():
        course, gain, other = networks.build(tables(), panels).axes
    assert [line.get_label() for line in course.get_lines() if line.get_marker() != "v"] == ["a"]
    assert [line.get_xdata()[0] for line in course.get_lines() if line.get_marker() == "v"] == [10.0]
    assert segments(gain) == [[[0, 1.5], [0, 2.75]], [[1, 5.5], [1, 6.75]]]
    lines = {line.get_marker(): line for line in gain.get_lines()}
    assert lines["D"].get_ydata() == [6.0]
    assert lines["None"].get_ydata()[0] == 0.5
    assert [tick.get_text() for tick in other.get_xticklabels()] == ["a"]
    assert segments(other) == [[[0, 8], [0, 8]]]
    assert "None" not in {line.get_marker() for line in other.get_lines()}


# The comparison -------------------------------------------------------------------------------


def test_animals_are_drawn_from_their_plateau_on_around_their_mean_in_order():
    ax = axes()
    values = pd.DataFrame({"subject": "Q", "since": [3.0, 0, 1, -2, 2], "value": [7.0, 1, 4, 99, np.nan]})
    comparison.draw_animals(values, ax)
    (line,) = ax.get_lines()
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([0, 1, 3], [-3, 0, 3])


def test_networks_are_drawn_from_their_mean_in_the_first_tenth_over_steps():
    late = np.linspace(0, np.log(100), 21)
    one = Regime(late, np.array([[1.0], [2.0], [6.0]]) * np.arange(21.0) + np.array([[5.0], [0.0], [-3.0]]))
    ax = axes()
    comparison.draw_networks({"alpha 1": one}, ax, found=comparison.looks(["alpha 1"]))
    line = next(line for line in ax.get_lines() if line.get_label() == "alpha 1")
    np.testing.assert_allclose(line.get_xdata()[[0, -1]], [1, 100])
    np.testing.assert_allclose(line.get_ydata(), 3 * (np.arange(21) - 0.5))  # two of 21 points are the first tenth
    assert band(ax)[max(band(ax))] == pytest.approx((1.5 * 19.5, 4 * 19.5))  # the quartiles of the seeds


SKILLS = pd.DataFrame(
    {
        "candidate": ["line", "alpha 1", "alpha 3", OTHERS, "any"],
        "skill": [0.2, 0.6, 0.1, 0.8, 0.55],
        "seed_low": [np.nan, 0.3, 0.05, np.nan, np.nan],
        "seed_high": [np.nan, 0.7, 0.15, np.nan, np.nan],
        "p_line": [np.nan, 0.01, 0.4, 0.001, 0.04],
        "p_logarithm": [np.nan, 0.4, 0.01, 0.9, 0.9],
    }
)


def test_candidates_stand_in_the_order_of_their_skill_and_are_filled_where_they_beat_the_line():
    ax = axes()
    comparison.draw_skill(SKILLS, ax, found=comparison.looks(["alpha 1", "alpha 3"]))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["alpha 3", "line", "any", "alpha 1", OTHERS]
    assert dots(ax) == [([0.1, 0], False), ([0.2, 1], False), ([0.55, 2], True), ([0.6, 3], True), ([0.8, 4], True)]
    seeds = [one for one in segments(ax) if len(one) and one[0][0] in (0.3, 0.05)]
    assert seeds == [[[0.05, 0], [0.15, 0]], [[0.3, 3], [0.7, 3]]]
    assert 0.8 in [line.get_xdata()[0] for line in ax.get_lines()]
    assert 0.55 not in [line.get_xdata()[0] for line in ax.get_lines()]


def test_every_metric_has_a_row_of_its_own():
    days, names = np.arange(6.0), ["decoding_auc", "separation_dprime"]

    def rows(subjects, steps, factor):
        keys = {"stimuli": "all", "matching": "matched", "session": "s"}
        return pd.concat(
            [pd.DataFrame({"subject": subject, "day": steps, "metric": name, "value": factor * size * np.arange(6.0)} | keys)
             for subject in subjects for size, name in enumerate(names, start=1)]
        )  # fmt: skip

    def behavior(subjects):
        table = pd.DataFrame({"subject": subjects, "session": "s", "class": "all", "accuracy": 1.0})
        return table.assign(plateau_day=1.0)

    table = SKILLS.assign(metric=names[0], status="ok")
    table = pd.concat([table, table.assign(metric=names[1], skill=table["skill"] / 2)])
    animals, own = rows("QR", days, 1.0), rows(["alpha 1-0", "alpha 1-1"], 3 ** np.arange(6), 1.0)
    with style.applied():
        drawn = comparison.build(
            table, animals, behavior(list("QR")), own, behavior(["alpha 1-0", "alpha 1-1"]), names=names
        )
    left, middle, right = (np.array(drawn.axes, dtype=object).reshape(2, 3)[:, place] for place in range(3))
    assert [ax.get_lines()[0].get_ydata()[-1] for ax in left] == [2, 4]
    ends = [ax.get_lines()[0].get_ydata()[-1] for ax in middle]
    assert ends[1] == pytest.approx(2 * ends[0])
    assert [max(place[0] for place, _ in dots(ax)) for ax in right] == [0.8, 0.4]


# Representations ------------------------------------------------------------------------------


def score_rows():
    rows = [("r", "start", 0.1), ("r", "plateau", 0.2), ("r", "end", 0.3), (SHARED, "", 0.6)]
    table = pd.DataFrame(rows, columns=["candidate", "stage", "mean"])
    return table.assign(low=table["mean"] - 0.05, high=table["mean"] + 0.08, ceiling_low=0.7, ceiling_high=0.9)


def test_scores_of_a_regime_stand_on_one_line_with_their_intervals_and_the_ceiling():
    ax = axes()
    representations.draw_scores(score_rows(), {("r", "end"): np.array([0.25, 0.35]), ("r", "start"): np.zeros(2)}, ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == [SHARED, "r"]
    places = [[0.1, 1.2], [0.2, 1.0], [0.25, 0.8], [0.35, 0.8], [0.3, 0.8], [0.6, 0.0]]
    np.testing.assert_allclose([place for place, _ in dots(ax)], places)
    ends = [[round(mean - 0.05, 9), round(mean + 0.08, 9)] for mean in (0.1, 0.2, 0.3, 0.6)]
    assert [[first[0], last[0]] for first, last in segments(ax)] == ends
    (ceiling,) = ax.patches
    assert (ceiling.get_x(), ceiling.get_x() + ceiling.get_width()) == pytest.approx((0.7, 0.9))


def test_differences_are_filled_where_they_hold_after_the_correction():
    ax = axes()
    rows = pd.DataFrame({"candidate": ["r", "q"], "mean": [0.1, -0.2], "low": 0.0, "high": 0.3, "p": 0.01})
    representations.draw_differences(rows.assign(p_holm=[0.02, 0.06]), ["q", "m", "r"], ax)
    assert dots(ax) == [([0.1, 2], True), ([-0.2, 0], False)]


def test_matrices_are_symmetric():
    matrix = representations.square(np.array([1.0, 2.0, 4.0]), 3)
    np.testing.assert_array_equal(matrix, matrix.T)


def test_the_figure_shows_the_best_regime_and_all_sessions():
    """RDMs of three conditions: of two animals, two regimes at three stages, two models."""
    names = ("target", "nontarget 0", "nontarget 1")
    rdms = {"a": np.array([[1.0, 2, 2], [2, 1, 2]]), "b": np.array([[4.0, 2, 2], [2, 4, 2]])}
    animals = {name: Sessions(np.arange(2), values) for name, values in rdms.items()}
    stages = {stage: {"0": np.array([1.0, 1 + size, 2])} for size, stage in enumerate(("start", "plateau", "end"))}
    regimes = {"good": stages, "bad": {stage: {"0": rdm["0"] * [9, 1, 1]} for stage, rdm in stages.items()}}
    models = {EQUAL: np.ones(3), SHARED: np.array([3.0, 2, 1])}
    rows = [
        {"sessions": sessions, "score": score, "candidate": name, "stage": stage, "minus": minus, "mean": mean + shift,
         "low": 0.0, "high": 1.0, "p": 0.5, "p_holm": 0.5, "ceiling_low": 0.5, "ceiling_high": 0.6,
         "conditions": ", ".join(names), "status": "ok"}
        for sessions, shift in (("overtraining", 0.0), ("early", 5.0))
        for score, scale in (("cosine", 1.0), ("tau-a", 0.5))
        for name, stage, minus, mean in (
            ("good", "end", "", 0.9 * scale), ("bad", "end", "", 0.3 * scale), (SHARED, "", "", 0.4 * scale),
            ("good", "end", SHARED, 0.25 * scale), ("good", "end", "start", 0.75 * scale))
    ]  # fmt: skip
    sets = RdmSets(names, animals, regimes, models)
    with style.applied(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(representations, "rdm_sets", lambda table: sets)
        drawn = representations.build(pd.DataFrame(rows), pd.DataFrame())
    matrices, (cosine, tau, difference) = drawn.subfigs[0].axes, drawn.subfigs[1].axes
    shown = {
        ax.get_title("left"): np.asarray(ax.images[0].get_array(), float)[np.triu_indices(3, 1)] for ax in matrices[:5]
    }
    assert list(shown) == ["animals, mean", "good\nstart", "good\nplateau", "good\nend", SHARED]
    means = [values.mean(axis=0) for values in rdms.values()]
    mean = sum(one / np.linalg.norm(one) for one in means)
    np.testing.assert_allclose(shown["animals, mean"], mean / mean.max())
    np.testing.assert_allclose(shown["good\nend"], [1 / 3, 1, 2 / 3])
    np.testing.assert_allclose(shown["good\nstart"], [0.5, 0.5, 1])
    assert [place for place, _ in dots(difference)] == [[0.25, 2]]
    for ax, scale in ((cosine, 1.0), (tau, 0.5)):
        found = {tuple(np.round(place, 3)) for place, _ in dots(ax)}
        assert {(round(0.9 * scale, 3), 1.8), (round(0.3 * scale, 3), 0.8), (round(0.4 * scale, 3), 0.0)} <= found
        assert max(x for x, _ in found) <= 1
    end = np.array([1.0, 3, 2])
    own = sorted(one @ end / np.linalg.norm(one) / np.linalg.norm(end) for one in means)
    grey = sorted(place[0] for place, _ in dots(cosine) if np.isclose(place[1], 1.8) and place[0] != 0.9)
    np.testing.assert_allclose(grey, own)
