"""The report holds the verdict, the figures and every exclusion, escapes what the user wrote, and needs no network."""

import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_tables import passive, study, verdict
from verdict_tables import FLAT, GROWTH, STILL, behavior_rows, metric_rows

from piriform.config import Verdict, parse_config
from piriform.errors import PiriformError
from piriform.figures import CAPTIONS, NAMES, draw_all
from piriform.progress import detect
from piriform.provenance import json_text, write_json
from piriform.report import (
    definitions,
    exclusions,
    facts,
    matched_counts,
    notes,
    render,
    session_values,
    single_stimuli,
    tests,
    unmeasured,
)
from piriform.report.evidence import (
    FALSE_ALARMS,
    beside_rows,
    carried_lines,
    ladder_rows,
    power_line,
    sensitivity_rows,
)
from piriform.report.methods import methods
from piriform.tables import TABLES, save_table

tests.__test__ = False
ROOT = Path(__file__).parent.parent
CONFIG = parse_config(
    {"study": "demo", "data": "data", "classes": {"target": ["target"], "nontarget": ["nontarget"], "fixed": ["nontarget"]},
     "phases": {"from_plateau": True}}
).model_dump(mode="json")  # fmt: skip
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags are closed in order; collects texts, attributes and headings."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.attrs, self.headings = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attrs += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def tables():
    made = study(2, 8)
    few = made["metrics"]["metric"].isin(["separation_dprime", "decoding_accuracy", "generalization_probe_1"])
    return made | {"metrics": made["metrics"][few]}


@pytest.fixture(scope="module")
def figures(tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    draw_all({kind: tables[kind] for kind in ("behavior", "metrics")}, verdict("QR"), folder)
    return folder


@pytest.fixture(scope="module")
def html(tables, figures):
    return render(tables, verdict("QRS"), figures, title="demo", config=CONFIG)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_verdict_comes_first_in_words(page):
    text = " ".join(" ".join(page.texts).split())
    assert text.index(verdict()["sentence"]) < text.index("What decided") < text.index("Figures 1.")
    assert "Hidden progress" in text


def test_headings_go_down_by_one_level(page):
    assert page.headings[0] == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))


def test_ids_are_unique_and_every_link_inside_the_page_leads_somewhere(page):
    ids = [value for _, name, value in page.attrs if name == "id"]
    links = [value for tag, name, value in page.attrs if (tag, name) == ("a", "href")]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)


def test_nothing_comes_from_outside_the_page(page, html):
    sources = [value for _, name, value in page.attrs if name in ("src", "href", "action", "data", "srcset")]
    assert all(value.startswith(("data:image/", "#")) for value in sources)
    assert not re.search(r"https?://|@import|url\(", re.sub(r"data:image/[^\"]*", "", html))


def test_every_drawn_figure_is_inside_with_its_caption_and_an_alternative_text(page):
    images = [value for tag, name, value in page.attrs if (tag, name) == ("img", "src")]
    alts = [value for tag, name, value in page.attrs if (tag, name) == ("img", "alt")]
    assert len(images) == 4  # behaviour, metrics, one against the other, verdict
    assert all(alts)
    assert CAPTIONS["metrics"] in page.texts
    assert CAPTIONS["scatter"] not in page.texts  # nothing to show: the sentence instead of an image
    assert any("No population scatter" in text for text in page.texts)


def test_the_page_is_small(html):
    assert len(html) < 6_000_000


def test_the_same_results_give_the_same_page(tables, figures, html):
    assert render(tables, verdict("QRS"), figures, title="demo", config=CONFIG) == html


def test_what_the_user_wrote_is_escaped(tables, figures):
    evil = "<script>alert(1)</script>\"'&"
    told = verdict("QRS") | {"sentence": evil, "missing": [evil], "versions": {evil: evil}}
    told["subjects"] = [{"subject": evil, "included": False, "reason": evil}]
    sessions = tables["sessions"].assign(subject=evil, reason=evil, included=False, file=evil, trials_excluded=evil)
    metrics = tables["metrics"].assign(subject=evil, status=evil)
    made = render(
        {"sessions": sessions, "metrics": metrics}, told, figures, title=evil, config=CONFIG | {"study": evil}
    )
    assert "<script>alert" not in made
    assert made.count("&lt;script&gt;") > 10
    assert evil in Page(made).texts


def test_the_three_tests_and_their_answers():
    found = tests(verdict())
    assert [row["passed"] for row in found] == [True, True, True]
    assert found[1]["question"] == "Does separation d′ rise?"
    told = verdict() | {"fixed": None}
    told["primary"] = told["primary"] | {"p": 0.2}
    told["behavior"] = {"effect": 0.1, "ci": [0.0, 0.2], "p_flat": 0.4, "flat": False, "bound": 0.05}
    assert [row["passed"] for row in tests(told)] == [False, False, None]
    assert [row["passed"] for row in tests({"verdict": "not enough data"})] == [None, None, None]


def test_notes_tell_the_weight_of_single_subjects():
    told = {"primary": {"smallest_detectable": 0.5, "unit": "SDs per 10 days", "note": "few",
                        "leave_one_out": {"effect": [0.1, 0.2], "p": [0.01, 0.2]}}, "behavior": {"p_rising": 0.3}}  # fmt: skip
    assert notes(told) == [
        "Leaving out one subject at a time: slope 0.1 to 0.2 SDs per 10 days, p 0.01 to 0.2.",
        "Test of a rise in behaviour: p = 0.3.",
        "Primary metric: few.",
    ]
    assert notes({"missing": ["subjects"], "primary": {"note": "few"}}) == []


# What stands beside the verdict


@pytest.fixture(scope="module")
def judged():
    """A verdict of the pipeline with everything beside it, as it is read from its file."""
    metrics = metric_rows(GROWTH, start=2.0)
    metrics["value"] += np.random.default_rng(3).normal(0, 0.1, len(metrics))
    rungs = [metrics.assign(rung=rung, controls=name) for rung, name in enumerate(("none", "units"))]
    other = metric_rows(STILL, metric="decoding_auc")
    result = detect(
        pd.concat([metrics, other]),
        behavior_rows(FLAT),
        verdict=Verdict(),
        ladder=pd.concat(rungs)[list(TABLES["ladder"])],
    )
    return json.loads(json_text(result))


def test_the_test_that_decides_stands_first_among_the_others(judged):
    rows = beside_rows(judged)
    assert [row["test"] for row in rows] == [
        "two-stage t", "mixed model", "Hartung-Knapp", "wild bootstrap", "hierarchical bootstrap", "divergence"
    ]  # fmt: skip
    assert rows[0]["p"] == judged["primary"]["p"]
    assert "decides" in rows[0]["what"]
    assert rows[-1]["effect"] == judged["divergence"]["effect"]
    assert beside_rows({}) == beside_rows({"beside": None}) == []


def test_false_alarm_rates_are_those_of_the_page(judged):
    """The share of false alarms told beside each test spans the columns of docs/group_tests.md."""
    page = (ROOT / "docs" / "group_tests.md").read_text()
    names = {"two-stage t": "two-stage t", "Hartung-Knapp": "Hartung-Knapp", "wild bootstrap": "wild bootstrap (Webb)",
             "hierarchical bootstrap": "hierarchical bootstrap"}  # fmt: skip
    for name, written in names.items():
        part = page[page.index("False alarms:") :].splitlines()
        line = next(line for line in part if line.startswith(f"| {written} |"))
        rates = [100 * float(cell.strip(" *")) for cell in line.split("|")[2:-1]]
        told = [int(number) for number in re.findall(r"(\d+)(?=%|–)", FALSE_ALARMS[name])]
        assert round(max(rates)) == max(told), name
        assert round(min(rate for rate in rates if rate > 1)) == min(told), name


def test_who_carries_it_is_told_in_words(judged):
    first, second, third = carried_lines(judged)
    assert first == "By themselves 4 of 4 subjects rise (p ≤ 0.05, days alike allowed for)."
    assert second == "At least 45% of all such animals then do (95% confidence)."
    assert third.startswith("Of these subjects at least 4 do")
    assert carried_lines({}) == carried_lines({"carried_by": {"n": 0}}) == []
    assert carried_lines({"carried_by": judged["carried_by"] | {"note": "few"}})[-1] == "Few."


def test_rungs_are_told_in_percent(judged):
    rows = ladder_rows(judged)
    assert [row["controls"] for row in rows] == ["none", "units"]
    assert rows[0]["effect"] == pytest.approx(100 * judged["ladder"][0]["effect"])
    unknown = {"effect": None, "ci": [None, None], "p": None}
    assert ladder_rows({"ladder": [unknown]}) == [unknown]
    assert ladder_rows({}) == []


def test_a_changed_choice_without_p_has_no_answer(judged):
    rows = sensitivity_rows(judged)
    assert [row["question"] for row in rows] == ["Does the primary metric rise?", *["Is behaviour flat?"] * 3]
    assert all(row["passes"] for row in rows)
    untested = [row | {"p": None, "passes": False} for row in judged["sensitivity"]]
    assert [row["passes"] for row in sensitivity_rows({"sensitivity": untested})] == [None] * 4


def test_what_could_have_been_missed_is_told_in_units_and_percent(judged):
    told = {"primary": {"smallest_detectable": 0.5, "smallest_detectable_percent": 31.4, "unit": "SDs per 10 days"}}
    assert power_line(told) == (
        "A study like this one finds a slope of 0.5 SDs per 10 days, 31.4% of the metric's mean, in 80% of cases; "
        "smaller ones it misses."
    )
    told["primary"] |= {"smallest_detectable_percent": None, "note_percent": "the mean is 0"}
    assert power_line(told).endswith("smaller ones it misses. The mean is 0.")
    assert "0.5 SDs per 10 days in 80% of cases" in power_line(told)
    assert power_line({"primary": {"smallest_detectable": None}}) == power_line({}) == ""


def test_everything_beside_the_verdict_is_on_the_page(tables, figures, judged):
    page = Page(render(tables, judged, figures, title="demo", config=CONFIG))
    titles = [
        "Other tests of the primary metric",
        "The trend under each control",
        "Other choices",
        "What could have been missed",
    ]
    assert [text for text in page.texts if text in titles] == titles
    text = " ".join(" ".join(page.texts).split())
    for said in (*carried_lines(judged), power_line(judged), "two-stage t", "bound ±0.04 per 10 days", "p, maximum"):
        assert said in text
    assert "Only the first row decides." in text
    assert "They decide nothing: a rule is fixed before the data are seen." in text
    bare = judged | dict.fromkeys(("beside", "carried_by", "divergence", "sensitivity", "ladder"))
    page = Page(render(tables, bare, figures, title="demo", config=CONFIG))
    assert [text for text in page.texts if text in titles] == titles[-1:]


def test_exclusions_are_counted_by_reason(tables):
    sessions = tables["sessions"].head(3).copy()
    sessions.loc[0, ["included", "reason"]] = [False, "file cannot be opened"]
    sessions.loc[1, "trials_excluded"] = "no event time: 1-4, 9"
    assert exclusions(sessions) == [
        {"what": "sessions", "reason": "file cannot be opened", "n": 1},
        {"what": "units", "reason": "rate below 0.1 spikes/s", "n": 2},
        {"what": "trials", "reason": "no event time", "n": 7},
        {"what": "trials", "reason": "no choice after the last one", "n": 1},
    ]


def test_facts_count_what_was_analysed(tables):
    sessions = tables["sessions"].copy()
    sessions.loc[0, "included"] = False
    found = dict(facts(tables | {"sessions": sessions}, verdict("QRS")))
    assert found["sessions analysed"] == "15 of 16"
    assert found["subjects with enough sessions"] == "2 of 3"
    assert found["units per session"] == "14 (14 to 14)"


def test_values_per_session_are_the_matched_ones(tables):
    wide = session_values(tables["metrics"])
    row = next(row for row in wide["rows"] if (row["subject"], row["session"]) == ("R", "ses-04"))
    cell = row["cells"][wide["columns"].index("separation_dprime")]
    table = tables["metrics"].set_index(["subject", "session", "metric", "stimuli", "matching"])["value"]
    assert cell["value"] == table["R", "ses-04", "separation_dprime", "all", "matched"]


def test_what_could_not_be_measured_is_listed_with_its_reason():
    (row,) = unmeasured(passive(4)["metrics"])
    assert row == {
        "metric": "separation_dprime", "stimuli": "all", "status": "needs the classes target and nontarget", "n": 4
    }  # fmt: skip


def test_definitions_and_matched_counts_come_from_the_tables(tables):
    found = {row["name"]: row for row in definitions(tables["metrics"])}
    assert found["separation_dprime"]["null"] == 0.0
    assert found["generalization_probe_1"]["null"] == 0.5
    assert matched_counts(tables["metrics"])[0] == {
        "subject": "Q", "stimuli": "all", "n_units": 8, "n_trials": 100, "n_draws": 20, "n_permutations": 100
    }  # fmt: skip


def test_methods_say_what_the_config_says():
    told = dict(methods(CONFIG, {"method": "Slopes per subject."}))
    assert told["Responses"].startswith(
        "A unit's response is its mean activity from 0.1 s up to 0.6 s after odor_onset_time"
    )
    assert told["Overtraining"] == "From the day on which behaviour reaches its plateau."
    assert "C = 1, 5-fold" in told["Decoder"]
    assert told["Verdict"].startswith("Slopes per subject. Level 0.05")
    assert "Fixed on all days: nontarget." in told["Classes"]
    other = CONFIG | {"classes": {"by_stimulus": True}, "phases": {"column": "phase", "overtraining_values": ["late"]}}
    other["measures"] = CONFIG["measures"] | {"n_permutations": 0, "solver": "lda"}
    told = dict(methods(other, {}))
    assert told["Classes"] == "Every stimulus is a class of its own."
    assert told["Overtraining"] == "Sessions in which the column phase says late."
    assert told["Null"] == "No label permutations were asked for."
    assert "C =" not in told["Decoder"]
    other |= {"response": CONFIG["response"] | {"filter": "quality == 'good'"}}
    assert "Only units for which “quality == 'good'” holds are used." in dict(methods(other, {}))["Responses"]


def test_a_verdict_with_hardly_anything_in_it_still_makes_a_page(figures):
    made = render({}, {"verdict": "not enough data", "sentence": "No data."}, figures, title="x", config={})
    assert "Nothing was left out." in made
    Page(made)


def test_the_verdict_of_the_pipeline_fits(tables, figures, tmp_path):
    rule = parse_config({"data": "d", "classes": {"by_stimulus": True}}).verdict
    write_json(detect(tables["metrics"], tables["behavior"], verdict=rule), tmp_path / "verdict.json")
    told = json.loads((tmp_path / "verdict.json").read_text())
    made = Page(render(tables, told, figures, title="demo", config=CONFIG))
    assert told["sentence"] in made.texts
    assert "What is missing" in made.texts


def test_a_missing_figure_is_named(tables, tmp_path):
    with pytest.raises(PiriformError, match=r"behavior\.svg: no such figure; draw the figures"):
        render(tables, verdict(), tmp_path, title="demo", config=CONFIG)


def test_a_figure_with_very_many_shapes_is_embedded_as_pixels(tables, figures, monkeypatch):
    monkeypatch.setattr("piriform.report.LARGEST_SVG", 10)
    made = Page(render(tables, verdict(), figures, title="demo", config=CONFIG))
    sources = [value for tag, name, value in made.attrs if (tag, name) == ("img", "src")]
    assert len(sources) == len(NAMES)
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_the_script_writes_the_page(tables, figures, html, tmp_path):
    spec = importlib.util.spec_from_file_location("report_script", ROOT / "workflow" / "scripts" / "report.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    inputs = {"verdict": tmp_path / "verdict.json", "svg": [figures / "behavior.svg"]}
    inputs["verdict"].write_text(json.dumps(verdict("QRS")))
    for kind in ("sessions", "behavior", "metrics", "transitions"):
        inputs[kind] = tmp_path / f"{kind}.csv"
        save_table(pd.DataFrame(tables[kind]), kind, inputs[kind])
    script.main(inputs, {"report": tmp_path / "report.html"}, settings=CONFIG)
    assert (tmp_path / "report.html").read_text() == html


def test_single_stimuli_are_told_in_a_sentence_and_a_table(tables, page):
    assert "Transitions of single stimuli" in page.texts
    told = single_stimuli(tables["transitions"])
    (said,) = told["sentences"]
    assert said.startswith("The decoder's answers: 2 of 4 stimuli tested; 2 abrupt,")
    assert said in page.texts
    assert [row["subject"] for row in told["rows"]] == ["Q", "R"]
    nothing = tables["transitions"][tables["transitions"]["p"].isna()]
    assert single_stimuli(nothing) == {
        "sentences": ["The decoder's answers: nothing was testable. 2 of 2 stimuli: too few."], "rows": []
    }  # fmt: skip
    assert "Stimuli with 10 trials or more on 6 days (overtraining" in dict(methods(CONFIG, {}))["Single stimuli"]
    assert "Single stimuli" not in dict(methods({}, {}))


def test_the_methods_say_how_decoding_over_time_was_done():
    said = dict(methods(CONFIG, {}))["Over time"]
    assert "windows of 0.2 s, one every 0.1 s, and tested on held-out trials in the same and in every other" in said
    assert said.endswith("No label permutations: the null value is chance.")
    other = {"n_permutations": 20, "temporal_generalization": False, "window": 0.5}
    said = dict(methods(CONFIG | {"dynamics": CONFIG["dynamics"] | other}, {}))["Over time"]
    assert said == (
        "The decoder is also trained in windows of 0.5 s, one every 0.1 s; each value is the mean over 3 random draws. "
        "20 permutations of the labels."
    )
    assert "Over time" not in dict(methods(CONFIG | {"dynamics": {"enabled": False}}, {}))
