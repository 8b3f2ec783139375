"""The figures draw what the tables hold, and say so where the tables hold nothing."""

import importlib.util
import json
import math
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from figure_tables import PLATEAU, passive, study, verdict
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure

from piriform.figures import (
    CAPTIONS,
    NAMES,
    TITLES,
    behavior,
    draw_all,
    dynamics,
    file_names,
    ladder,
    margins,
    metrics,
    prepare,
    relation,
    scatter,
    similarity,
    style,
    transitions,
)
from piriform.figures import verdict as forest
from piriform.figures.captions import ALT_TEXTS, NOTHING_ID
from piriform.tables import TABLES, empty_table, save_table

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tables():
    return study(2, 12)


@pytest.fixture(autouse=True)
def _style():
    with style.applied():
        yield


@pytest.fixture
def ax():
    return Figure().subplots()


def line(ax, label):
    (found,) = [drawn for drawn in ax.lines if drawn.get_label() == label]
    return found.get_xydata()


def rows_of(table, **values):
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def few_metrics(tables):
    few = tables["metrics"]["metric"].isin(["separation_dprime", "decoding_accuracy"])
    return tables | {"metrics": tables["metrics"][few]}


# Known answers: what is drawn is what stands in the table.


def test_behavior_lines_are_the_table(tables, ax):
    overall = rows_of(tables["behavior"], **{"class": "all"})
    behavior.draw_group(overall, prepare.group_band(overall, "accuracy"), ax)
    for subject in ("Q", "R"):
        own = rows_of(overall, subject=subject)
        np.testing.assert_array_equal(line(ax, subject), own[["day", "accuracy"]])
    both = overall.pivot(index="day", columns="subject", values="accuracy")
    np.testing.assert_allclose(line(ax, "group mean")[:, 1], (both["Q"] + both["R"]) / 2)


def test_one_subjects_panel_shows_its_interval_its_classes_and_its_plateau(tables, ax):
    own = rows_of(tables["behavior"], subject="Q")
    behavior.draw_subject(own, ax, colour="#123456")
    overall = rows_of(own, **{"class": "all"})
    np.testing.assert_array_equal(line(ax, "all"), overall[["day", "accuracy"]])
    np.testing.assert_array_equal(line(ax, "target"), rows_of(own, **{"class": "target"})[["day", "accuracy"]])
    np.testing.assert_array_equal(line(ax, "plateau")[:, 0], [PLATEAU, PLATEAU])
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == overall["ci_low"].min()
    assert band[:, 1].max() == overall["ci_high"].max()


def test_overtraining_is_shaded_half_a_day_around_its_sessions(ax):
    style.shade_overtraining(ax, [(7, 12)])
    (shade,) = ax.patches
    assert (shade.get_x(), shade.get_width()) == (6.5, 6.0)


def test_shades_of_any_number_of_subjects_add_up_to_the_same(ax):
    for n in (1, 4):
        style.shade_overtraining(ax, [(7, 12)] * n)
    alphas = [patch.get_alpha() for patch in ax.patches]
    through = [math.prod(1 - alpha for alpha in part) for part in (alphas[:1], alphas[1:])]
    assert through[0] == pytest.approx(through[1])


def test_metric_lines_null_and_permutations_are_the_table(tables, ax):
    course = prepare.time_course(tables["metrics"], "decoding_accuracy")
    metrics.draw_course(course, prepare.group_band(course), ax)
    metrics.draw_null(course, ax, null=0.5)
    np.testing.assert_array_equal(line(ax, "R"), rows_of(course, subject="R")[["day", "value"]])
    assert set(line(ax, "null")[:, 1]) == {0.5}
    np.testing.assert_allclose(line(ax, "permutations")[:, 1], course.groupby("day")["null_mean"].mean())


def test_a_metric_without_a_fixed_null_has_no_null_line(ax):
    style.mark_null(ax, prepare.declared("margin_soft").null)
    style.mark_null(ax, math.nan)
    assert not ax.lines


def test_the_primary_metric_comes_first_and_carries_the_fixed_stimuli_and_the_plateaus(tables):
    figure = metrics.build(tables, verdict())
    first = figure.axes[0]
    assert first.get_title(loc="left") == "separation d′ (primary)"
    fixed = prepare.time_course(tables["metrics"], "separation_dprime", stimuli="fixed")
    np.testing.assert_allclose(line(first, "fixed stimuli")[:, 1], fixed.groupby("day")["value"].mean())
    assert line(first, "plateau of Q")[0, 0] == PLATEAU
    assert not [drawn for ax in figure.axes[1:] for drawn in ax.lines if drawn.get_label() == "fixed stimuli"]


def test_points_of_decoding_against_behavior_are_sessions(tables, ax):
    table = relation.pairs(tables, "decoding_accuracy")
    relation.draw(table, ax, norm=Normalize(1, 12))
    drawn = np.concatenate([np.asarray(points.get_offsets()) for points in ax.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, table[["accuracy", "value"]].to_numpy()))
    assert len(table) == 24
    row = rows_of(tables["behavior"], subject="Q", session="ses-03", **{"class": "all"})["accuracy"].item()
    assert rows_of(table, subject="Q", session="ses-03")["accuracy"].item() == row


def test_a_similarity_matrix_is_symmetric_and_shows_its_numbers(ax):
    table = pd.DataFrame({"category_a": ["a", "a"], "category_b": ["a", "b"], "correlation": [0.5, -0.2]})
    image = similarity.draw(similarity.matrix(table, ["a", "b"]), ax, limit=1.0)
    np.testing.assert_array_equal(image.get_array().filled(np.nan), [[0.5, -0.2], [-0.2, np.nan]])
    assert [text.get_text() for text in ax.texts] == ["0.50", "−0.20", "−0.20"]


def test_similarity_compares_the_first_three_with_the_last_three_sessions_of_overtraining(tables):
    figure = similarity.build(tables, verdict())
    shown = [ax.images[0].get_array() for ax in figure.axes[:3]]
    rows = rows_of(tables["similarity"], subject="Q", category_a="target", category_b="nontarget")
    means = [rows[rows["day"].isin(days)]["correlation"].mean() for days in ((7, 8, 9), (10, 11, 12))]
    np.testing.assert_allclose([array[0, 1] for array in shown], [*means, means[1] - means[0]])


def test_scatter_limits_are_the_same_on_all_days_of_a_subject(tables):
    figure = scatter.build(tables, verdict())
    own, other = figure.axes[:3], figure.axes[3:6]
    assert [ax.get_title(loc="left") for ax in own] == ["subject Q, day 1", "day 7", "day 12"]
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in own}) == 1
    assert own[0].get_xlim() != other[0].get_xlim()


def test_scatter_points_are_the_trials(tables, ax):
    table = rows_of(tables["scatter"], subject="Q", session="ses-01")
    means = table.groupby("class")[["axis_1", "axis_2"]].mean()
    scatter.draw(table, means, ax, colours=style.CLASS_COLOURS)
    points, centre = ax.collections[0], ax.collections[2]
    np.testing.assert_array_equal(points.get_offsets(), rows_of(table, **{"class": "nontarget"})[["axis_1", "axis_2"]])
    np.testing.assert_allclose(centre.get_offsets()[0], means.iloc[0])


def test_very_many_points_become_pixels(tables, monkeypatch):
    rasterized = {}
    for most in (4000, 239):  # 2 subjects x 3 sessions x 40 trials are shown
        monkeypatch.setattr(scatter, "MANY_POINTS", most)
        figure = scatter.build(tables, verdict())
        rasterized[most] = figure.axes[0].collections[0].get_rasterized()
    assert rasterized == {4000: False, 239: True}


def test_margin_lines_are_medians(tables, ax):
    table = rows_of(tables["predictions"], subject="Q")
    margins.draw_course(margins.quantiles(table), ax, colours=style.CLASS_COLOURS)
    medians = rows_of(table, **{"class": "target"}).groupby("day")["margin"].median()
    np.testing.assert_allclose(line(ax, "target")[:, 1], medians)


def test_margin_distributions_have_area_one_and_keep_what_lies_outside(ax):
    table = pd.DataFrame({"part": ["first"] * 4, "margin": [-9.0, 0.1, 0.2, 9.0]})
    margins.draw_distributions(table, ax, edges=np.array([-1.0, 0.0, 1.0]))
    outline = ax.patches[0].get_xy()
    assert outline[:, 1].max() == pytest.approx(0.75)
    assert np.ptp(outline[:, 0]) == 2.0


def test_courses_over_time_are_means_of_early_and_late_sessions(tables, ax):
    figure = dynamics.build(tables, verdict())
    accuracy, margin = figure.axes[:2]
    own = tables["dynamics"][tables["dynamics"]["train_time"] == tables["dynamics"]["test_time"]]
    for part, days in (("first", (7, 8, 9)), ("last", (10, 11, 12))):
        means = own[own["day"].isin(days)].groupby(["subject", "test_time"])[["accuracy", "margin"]].mean()
        for panel, value in ((accuracy, "accuracy"), (margin, "margin")):
            expected = means[value].groupby("test_time").mean()
            np.testing.assert_allclose(line(panel, part), np.column_stack([expected.index, expected]))
    assert set(line(accuracy, "null")[:, 1]) == {0.5}
    assert set(line(margin, "null")[:, 1]) == {0.0}
    assert len(accuracy.lines) == 2 * (2 + 1) + 2  # two subjects and their mean, twice; chance; the event


def test_matrices_over_time_are_early_late_and_their_difference(tables):
    figure = dynamics.build(tables, verdict())
    shown = {ax.get_title(loc="left"): ax.images[0].get_array() for ax in figure.axes if ax.images}
    means = []
    for days in ((7, 8, 9), (10, 11, 12)):
        rows = rows_of(tables["dynamics"], train_time=0.1, test_time=0.2)
        means.append(rows[rows["day"].isin(days)]["accuracy"].mean())
    cells = [array[2, 3] for array in shown.values()]
    np.testing.assert_allclose(cells, [*means, means[1] - means[0]])
    assert list(shown) == ["first 3 overtraining sessions", "last 3 overtraining sessions", "last − first"]


def test_a_subject_weighs_the_same_whatever_its_number_of_sessions():
    rows = {"part": "last", "subject": list("QQR"), "train_time": 0.1, "test_time": 0.1, "accuracy": [0.5, 0.7, 1.0]}
    table = pd.DataFrame(rows | {"margin": 0.0})
    assert dynamics.matrix(table).to_numpy() == pytest.approx(0.8)
    assert dynamics.courses(table)["accuracy"].tolist() == pytest.approx([0.6, 1.0])


def test_many_classes_over_time_are_accuracies_alone_against_the_permutations_of_the_metrics():
    figure = dynamics.build(passive(3), {})
    (ax,) = figure.axes
    assert line(ax, "null")[0, 1] == pytest.approx(0.067)
    assert line(ax, "first")[:, 0].tolist() == [-0.1, 0.0, 0.1, 0.2]


def test_the_pooled_population_is_no_subject_over_time():
    tables = passive(3)
    pooled = tables["dynamics"].head(4).assign(subject="pooled", accuracy=1.0)
    drawn = dynamics.build(tables | {"dynamics": pd.concat([tables["dynamics"], pooled])}, {})
    np.testing.assert_array_equal(line(drawn.axes[0], "first"), line(dynamics.build(tables, {}).axes[0], "first"))


def test_one_window_and_one_session_over_time():
    table = rows_of(study(1, 1)["dynamics"], train_time=0.1, test_time=0.1)
    assert len(dynamics.build({"dynamics": table, "metrics": empty_table("metrics")}, {}).axes) == 2
    whole = study(1, 1)["dynamics"]
    figure = dynamics.build({"dynamics": whole, "metrics": empty_table("metrics")}, {})
    assert next(ax.get_title(loc="left") for ax in figure.axes if ax.images) == "mean over sessions"


def test_a_stimulus_is_drawn_with_its_accuracy_its_step_and_its_line_in_log_odds(tables, ax):
    (fits, *_) = tables["transitions"].to_dict("records")
    counts = pd.DataFrame({"day": [1, 6, 9], "n_correct": [2, 0, 9], "n_trials": [10, 0, 10]})
    transitions.draw(counts, fits, ax)
    np.testing.assert_allclose(line(ax, "accuracy"), [[1, 0.2], [9, 0.9]])
    np.testing.assert_allclose(line(ax, "step"), [[0.6, 0.2], [6.5, 0.2], [6.5, 0.9], [12.4, 0.9]])
    smooth = line(ax, "smooth")
    np.testing.assert_allclose(smooth[[0, -1]], [[1, 0.1], [12, 0.95]])
    odds = np.log(smooth[:, 1] / (1 - smooth[:, 1]))
    np.testing.assert_allclose(np.diff(odds), np.diff(odds)[0])


def test_the_stimuli_of_the_figure_are_those_with_the_lowest_p(tables):
    table = tables["transitions"]
    many = pd.concat([table.assign(stimulus=f"s{i:02d}", p=table["p"] * (i + 1)) for i in range(6)])
    figure = transitions.build(tables | {"transitions": many}, verdict())
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()]
    assert len(titles) == 9
    assert titles[0] == "Q, s00, decoder\np = 0.002, q = 0.01, p saturating = 0.03: abrupt"
    assert not any("s05" in title for title in titles)
    untested = table[table["p"].isna()]
    assert len(transitions.build(tables | {"transitions": untested}, verdict()).axes) == 1


def test_the_ladder_shows_each_rung_relative_to_the_mean_of_overtraining(tables):
    figure = ladder.build(tables, verdict())
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert titles == [
        "no control",
        "+ mean over units",
        "+ blocks with trend",
        "+ fixed stimulus mix",
        "+ relative to rate",
    ]
    first, last = figure.axes[0].lines[0].get_xydata(), figure.axes[-1].lines[0].get_xydata()
    rows = rows_of(tables["ladder"], subject="Q", rung=0)
    late = rows[rows["phase"] == "overtraining"]["value"].mean()
    np.testing.assert_allclose(first[:, 1], rows["value"] / late)
    np.testing.assert_allclose(last[:, 1], 1.0)
    assert len(ladder.build(tables | {"ladder": tables["ladder"].assign(value=-1.0)}, verdict()).axes) == 1


def test_the_forest_shows_slopes_intervals_and_who_is_left_out(ax):
    table = forest.forest(verdict())
    primary = rows_of(table, panel="primary")
    assert primary["role"].tolist() == ["subject", "subject", "excluded", "group"]
    forest.draw(primary, ax, order=["Q", "R", "S"], colours={"Q": "#0072B2", "R": "#D55E00", "S": "#009E73"})
    assert line(ax, "group")[0, 0] == 0.05
    (excluded,) = [drawn for drawn in ax.lines if drawn.get_label() == "S"]
    assert to_rgba(excluded.get_color()) == to_rgba("#b4bac1")
    assert [text.get_text() for text in forest.build(study(1, 1), verdict()).findobj() if hasattr(text, "get_text")].count(
        "S: too few sessions."
    ) == 1  # fmt: skip


# Definitions: the averages and choices behind the panels.


def test_the_group_band_is_mean_and_standard_error_over_subjects():
    table = pd.DataFrame({"subject": list("QRSQ"), "day": [1, 1, 1, 2], "value": [1.0, 2.0, 6.0, 5.0]})
    band = prepare.group_band(table)
    assert band["day"].tolist() == [1]
    error = np.std([1, 2, 6], ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(band[["mean", "low", "high"]], [[3.0, 3.0 - error, 3.0 + error]])


def test_a_subject_with_two_sessions_on_a_day_counts_once():
    table = pd.DataFrame({"subject": list("QQR"), "day": [1, 1, 1], "value": [0.0, 2.0, 3.0]})
    assert prepare.group_band(table)["mean"].tolist() == [2.0]


def test_full_sessions_stand_in_only_where_no_matched_value_exists(tables):
    assert set(prepare.time_course(tables["metrics"], "decoding_auc")["matching"]) == {"matched"}
    empty = tables["metrics"].copy()
    empty.loc[empty["matching"] == "matched", "value"] = np.nan
    assert set(prepare.time_course(empty, "decoding_auc")["matching"]) == {"full"}


@pytest.mark.parametrize(("n_days", "labels"), [(12, {"first 3 overtraining sessions", "last 3 overtraining sessions"}),
                                                (8, {"first session", "last session"}), (1, {""})])  # fmt: skip
def test_early_and_late_sessions(n_days, labels):
    chosen = prepare.early_late(study(1, n_days)["similarity"])
    assert set(chosen["label"]) == labels
    assert not chosen.duplicated(["subject", "session"]).any()


def test_chance_of_a_study_with_many_classes_comes_from_permutations():
    table = pd.DataFrame({"null_mean": [0.06, 0.07, np.nan]})
    assert prepare.null_value(table, "decoding_accuracy", two_classes=False) == pytest.approx(0.065)
    assert prepare.null_value(table[2:], "decoding_accuracy", two_classes=False) is None
    assert prepare.null_value(table, "separation_crossnobis", two_classes=False) == 0.0


def test_the_pooled_population_is_no_subject_over_days(tables):
    pooled = tables["metrics"].head(1).assign(subject="pooled")
    assert "pooled" not in set(prepare.without_pooled(pd.concat([tables["metrics"], pooled]))["subject"])
    one_each = pd.concat([passive(2)["metrics"], pooled])
    assert "pooled" in set(prepare.without_pooled(one_each)["subject"])


@pytest.mark.parametrize("letters", [[4] * 3, [60] * 4, [9] * 7 + [13, 27, 4, 20, 30], [150, 3, 3]])
def test_a_legend_is_as_wide_as_fits_and_no_wider(letters):
    """Columns are as wide as their widest entry, so that a mean over entries says too little."""
    with style.applied():
        figure = style.new_figure(3)
        style.legend_above(figure, [style.key("m" * n) for n in letters])
        (legend,) = figure.legends
        figure.draw_without_rendering()
        box = legend.get_window_extent()
        one_row = figure.legend(handles=list(legend.legend_handles), ncols=len(letters), columnspacing=1.6)
    rows = {round(text.get_window_extent().y0) for text in legend.get_texts()}
    assert letters[0] > 100 or (box.x0 >= 0 and box.x1 <= figure.bbox.width)  # a name of 150 fits in no way
    assert (len(rows) == 1) == (one_row.get_window_extent().width <= figure.bbox.width)


def test_subjects_keep_their_colours_in_all_figures(tables):
    figure = behavior.build(tables, verdict())
    assert style.colours(["R", "Q", "Q"]) == {"Q": style.PALETTE[0], "R": style.PALETTE[1]}
    assert figure.axes[0].lines[1].get_color() == style.PALETTE[1]
    many = [f"m{index:02d}" for index in range(20)]
    assert len({(style.colours(many)[name], style.markers(many)[name]) for name in many}) == 20


# Files: fixed names, same bytes, whatever the study holds.


@pytest.fixture(scope="module")
def drawn(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return draw_all(few_metrics(tables), verdict("QR"), folder)


def test_the_file_names_are_fixed(drawn):
    assert [path.name for path in drawn] == file_names()
    assert {path.name for path in drawn[0].parent.iterdir()} == set(file_names())


def test_svg_files_hold_no_date_and_no_outside_resource(drawn):
    for path in drawn[1::2]:
        text = path.read_text()
        assert "dc:date" not in text
        assert not re.search(r"(?:href|src)=\"(?!#|data:)", text)


def test_the_same_tables_give_the_same_bytes_whatever_the_users_settings(drawn, tables, tmp_path):
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        again = draw_all({"similarity": tables["similarity"]}, {}, tmp_path)
        assert mpl.rcParams["font.size"] == 30
    assert [path.name for path in again] == file_names()
    for name in ("similarity.png", "similarity.svg"):
        assert (tmp_path / name).read_bytes() == (drawn[0].parent / name).read_bytes()


def test_an_empty_study_gives_sentences(tmp_path):
    files = draw_all({}, {"verdict": "not enough data", "primary": None, "subjects": []}, tmp_path)
    for path in files[1::2]:
        assert NOTHING_ID in path.read_text()


def test_one_session_each_and_many_classes_are_dots_with_their_null(tmp_path):
    tables = passive(3)
    files = {path.name: path for path in draw_all(tables, {}, tmp_path)}
    said = {name for name in NAMES if NOTHING_ID in files[f"{name}.svg"].read_text()}
    assert said == {"behavior", "ladder", "decoding_vs_behavior", "scatter", "margins", "transitions", "verdict"}
    figure = metrics.build(tables, {})
    dots = figure.axes[0].collections[-1].get_offsets()
    np.testing.assert_allclose(dots[:, 0], rows_of(tables["metrics"], metric="decoding_accuracy")["value"])
    assert line(figure.axes[0], "null")[0, 0] == pytest.approx(0.067)
    footnote = figure.get_supxlabel()
    assert footnote == "Not measured: separation d′ (needs the classes target and nontarget)."


def test_a_metric_with_values_on_fixed_stimuli_alone_has_no_empty_panel():
    rows = pd.DataFrame({"metric": ["decoding_auc", "margin_hard", "margin_hard"], "stimuli": ["all", "all", "fixed"]})
    assert prepare.metric_order(rows.assign(value=[0.5, np.nan, 1.0]), "margin_hard") == ["decoding_auc"]


def test_one_subject_with_one_session(tmp_path):
    tables = few_metrics(study(1, 1))
    assert len(draw_all(tables, verdict("Q"), tmp_path)) == len(file_names())


def test_one_subject_has_no_group_panel():
    tables = few_metrics(study(1, 3))
    assert [len(module.build(tables, verdict("Q")).axes) for module in (behavior, scatter, margins)] == [1, 3, 2]


def test_values_that_are_missing_leave_gaps(tables):
    gaps = tables["metrics"].copy()
    gone = (gaps["session"] == "ses-05") & (gaps["subject"] == "Q")
    gaps.loc[gone, ["value", "null_mean"]] = np.nan
    figure = metrics.build(tables | {"metrics": gaps}, verdict())
    values = line(figure.axes[0], "Q")
    assert np.isnan(values[4, 1])
    assert np.isfinite(np.delete(values[:, 1], 4)).all()


def test_odd_names_are_drawn_as_they_are(tmp_path):
    tables = {kind: table.replace({"subject": {"Q": "_$x$<b>", "R": "マウス"}}) for kind, table in study(2, 2).items()}
    draw_all({kind: few_metrics(tables)[kind] for kind in ("behavior", "metrics")}, verdict("Q"), tmp_path)
    assert "_$x$&lt;b&gt;" in (tmp_path / "behavior.svg").read_text()
    assert "マウス" in (tmp_path / "behavior.svg").read_text()


def test_many_subjects_are_cut_and_the_figure_says_so():
    names, note = style.shown([f"m{index:02d}" for index in range(30)])
    assert len(names) == style.MAX_SUBJECTS
    assert note == "The first 12 of 30 subjects are shown."


# Captions: one text for the report and for Snakemake's own.


def test_every_figure_has_a_title_a_caption_and_an_alternative_text():
    assert set(TITLES) == set(CAPTIONS) == set(ALT_TEXTS)


@pytest.mark.parametrize("name", NAMES)
def test_captions_of_the_workflow_are_those_of_the_report(name):
    text = (ROOT / "workflow" / "report" / f"{name}.rst").read_text()
    assert " ".join(text.replace("``", "").split()) == CAPTIONS[name]


def test_the_script_draws_from_files(tables, tmp_path):
    spec = importlib.util.spec_from_file_location("figures_script", ROOT / "workflow" / "scripts" / "figures.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    inputs = {"verdict": tmp_path / "verdict.json"}
    inputs["verdict"].write_text(json.dumps(verdict("QR")))
    for kind in TABLES:
        inputs[kind] = tmp_path / f"{kind}.csv"
        save_table(tables["similarity"] if kind == "similarity" else empty_table(kind), kind, inputs[kind])
    script.main(inputs, {"png": [tmp_path / "figures" / "behavior.png"]})
    assert {path.name for path in (tmp_path / "figures").iterdir()} == set(file_names())
