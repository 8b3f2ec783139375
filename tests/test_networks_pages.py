"""What experiments with networks leave for a reader: figures, the page, the lines on the terminal, the config."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study_metrics import Named, script

from piriform.config import Networks, parse_config
from piriform.errors import ConfigError, PiriformError, StudyError
from piriform.figures import networks as figure
from piriform.figures import style
from piriform.model_branch import TARGET, claim_lines, networks_config, read_claims
from piriform.networks.experiments import QUESTIONS
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import Panel, Scale, findings
from piriform.report import number, p_value
from piriform.report.networks import counts, geometry, render_networks
from piriform.run import run_target
from piriform.tables import empty_table, load_table, save_table

PANELS = [
    {"kind": "course", "name": "x", "title": "the course", "conditions": [], "null": None},
    {"kind": "points", "name": "gain:x", "title": "the gain", "conditions": ["b"], "null": 0.0},
]


@pytest.fixture
def found():
    steps, rows = [0, 10, 100], []
    for condition in "ab":
        for seed in range(3):
            keys = {"condition": condition, "seed": seed, "step": steps, "measure": "x"}
            rows.append(pd.DataFrame(keys | {"value": np.arange(3.0) * (condition == "b") + 0.1 * seed}))
    gains = pd.DataFrame(
        {"condition": list("aaabbb"), "seed": [0, 1, 2] * 2, "quantity": "gain:x", "value": [0, 0.1, -0.1, 1, 1.1, 1.2]}
    )
    claims = [Claim("it rises <b>", "gain:x", "b"), Claim("it rises", "gain:x", "a")]
    return findings("hidden_progress", gains, claims, measures=pd.concat(rows), remarks=["a remark & more"])


def tables(found):
    return {f"network_{kind}": getattr(found, kind) for kind in ("measures", "quantities", "effects")}


def test_courses_are_means_over_seeds(found):
    with style.applied():
        drawn = figure.build(tables(found), PANELS)
    lines = drawn.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["a", "b"]
    np.testing.assert_allclose(lines[1].get_xdata(), [0.5, 10, 100])
    np.testing.assert_allclose(lines[1].get_ydata(), [0.1, 1.1, 2.1])


def test_points_show_every_network_of_the_conditions_named(found):
    with style.applied():
        drawn = figure.build(tables(found), PANELS)
    ax = drawn.axes[1]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["b"]
    assert sorted(ax.get_lines()[0].get_ydata()) == [1, 1.1, 1.2]


def test_intervals_of_a_course_are_t_intervals():
    table = pd.DataFrame({"step": [1] * 4, "value": [1.0, 2.0, 4.0, 7.0]})
    row = figure.mean_course(table).loc[1]
    expected = stats.t.interval(0.95, 3, 3.5, stats.sem([1.0, 2.0, 4.0, 7.0]))
    assert (row["low"], row["high"]) == pytest.approx(expected)


def experiment(found, path):
    path.write_text("<svg/>")
    about = {"experiment": "hidden_progress", "question": QUESTIONS["hidden_progress"], "seeds": 3, "full": False}
    return about | {"remarks": found.remarks, "claims": found.claims, "figure": path}


def test_the_page_has_every_claim_and_escapes(found, tmp_path):
    page = render_networks([experiment(found, tmp_path / "a.svg")], title="demo")
    assert "it rises &lt;b&gt;" in page
    assert "a remark &amp; more" in page
    assert "1 held, 1 not shown" in page
    assert "main conditions only" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_shows_the_comparison(found, tmp_path):
    row = dict.fromkeys(empty_table("comparison"), np.nan) | {
        "metric": "m", "candidate": "alpha 3", "status": "ok", "n_networks": 6, "n_subjects": 4, "skill": 0.5}  # fmt: skip
    (tmp_path / "c.svg").write_text("<svg/>")
    flat = [row | {"candidate": name, "status": "not tried: flat", "skill": np.nan} for name in ("alpha 1", "alpha 10")]
    page = render_networks([], title="demo", comparison=(pd.DataFrame([row, *flat]), tmp_path / "c.svg"))
    assert '<td>alpha 3</td><td class="n">6</td><td class="n">0.5</td>' in page
    assert "<p>m, alpha 1; alpha 10: not tried: flat.</p>" in page


def test_the_scripts_make_tables_figure_and_page_of_an_experiment(found, tmp_path):
    """The experiment itself stands in: what it is asked for, and what becomes of what it finds."""
    asked, found = (
        [],
        replace(found, panels=(Panel("course", "x", "the course"), Panel("points", "gain:x", "the gain"))),
    )
    main = script("network_experiment")
    main.__globals__["run_experiment"] = lambda *given, **options: asked.append((given, options)) or found
    outputs = Named({kind: tmp_path / f"{kind}.csv" for kind in ("measures", "quantities", "effects", "claims")})
    outputs = Named(outputs, about=tmp_path / "about.json")
    (tmp_path / "checkpoints").mkdir()
    settings = SimpleNamespace(networks=Networks(seeds=3, full=False), seed=7)
    main(outputs, experiment="hidden_progress", settings=settings)
    ((name, scale), options) = asked[0]
    assert (name, scale) == ("hidden_progress", Scale(seeds=3, seed=7, full=False))
    assert options["folder"] == tmp_path / "checkpoints"
    assert not (tmp_path / "checkpoints").exists()
    about = json.loads(outputs.about.read_text())
    assert (about["remarks"], about["seed"], about["seeds"], about["full"]) == (["a remark & more"], 7, 3, False)
    for kind in ("measures", "quantities", "effects", "claims"):
        pd.testing.assert_frame_equal(
            load_table(outputs[kind], f"network_{kind}"), getattr(found, kind).reset_index(drop=True)
        )

    drawn = Named(png=tmp_path / "f.png", svg=tmp_path / "f.svg")
    script("network_figures")(Named(outputs), drawn)
    inputs = {"about": [outputs.about], "claims": [outputs.claims], "figures": [drawn.svg]}
    script("network_page")(inputs, {"page": tmp_path / "networks.html"}, study="demo")
    page = (tmp_path / "networks.html").read_text()
    assert "a remark &amp; more" in page
    assert "<h1>Networks beside study demo</h1>" in page
    assert 'id="comparison"' not in page


def scores():
    """Scores of a regime at three stages and of a model, in two windows; a difference, a movement and one without."""
    fill = {"sessions": "overtraining", "minus": "", "low": 0.0, "high": 1.0, "p": np.nan, "p_holm": np.nan, "status": "ok",
            "n_subjects": 4, "conditions": "target, probe 1"}  # fmt: skip
    rows = [
        fill | {"score": score, "candidate": name, "stage": stage, "mean": mean + shift, "ceiling_low": low,
                "ceiling_high": low + 0.125}
        for score, shift, low in (("cosine", 0.0, 0.5), ("tau-a", 0.05, 0.25))
        for name, stage, mean in (("r", "start", 0.1), ("r", "plateau", 0.2), ("r", "end", 0.3), ("model", "", 0.4))
    ]  # fmt: skip
    late = [row | {"sessions": "late", "mean": 0.9, "n_subjects": 9} for row in rows]
    test = fill | {"ceiling_low": np.nan, "ceiling_high": np.nan, "candidate": "r", "stage": "end"}
    tests = [
        test | {"score": "cosine", "minus": "start", "mean": 0.7, "p": 0.02, "p_holm": 0.06, "n_subjects": 3},
        test | {"score": "movement", "minus": "plateau", "mean": 0.6, "p": 0.3, "p_holm": 0.9},
        test | {"score": "movement", "minus": "plateau", "mean": np.nan, "candidate": "q", "status": "no direction"},
        test | {"score": "cosine", "minus": "start", "mean": 0.55, "candidate": "s", "status": "one network"},
    ]
    return pd.DataFrame([*rows, *late, *tests])


def test_the_page_has_every_score_in_its_place(tmp_path):
    (tmp_path / "r.svg").write_text("<svg/>")
    found = geometry(scores())
    assert found["ceilings"] == {"cosine": [0.5, 0.625], "tau-a": [0.25, 0.375]}
    assert found["n_subjects"] == 4
    cells = {key: row["mean"] for key, row in found["scores"][0]["cells"].items()}
    stages = ("start", "plateau", "end")
    expected = {("cosine", stage): (at + 1) / 10 for at, stage in enumerate(stages)}
    assert cells == pytest.approx(expected | {("tau-a", stage): (at + 1.5) / 10 for at, stage in enumerate(stages)})
    assert [row["mean"] for row in found["tests"]["answers"]] == [0.7, 0.6, 0.55]
    assert found["tests"]["reasons"] == ["movement, q: no direction", "cosine, s: one network"]
    page = render_networks([], title="demo", representations=(scores(), tmp_path / "r.svg"))
    assert "cosine 0.5 to 0.625,\ntau-a 0.25 to 0.375" in page
    line = '<th scope="row">r</th><td class="n">0.1</td><td class="n">0.2</td><td class="n">0.3</td>'
    assert line in page
    tail = '<td>r, end</td><td>start</td><td class="n">0.7</td><td class="nowrap">0 to 1</td><td class="n">3</td>'
    assert tail + '<td class="n">0.02</td><td class="n">0.06</td>' in page


def test_the_page_has_every_number_of_a_claim_and_of_the_comparison(tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    values = {"a": [1.0, 1.5, 2.5, 3.0], "b": [-1.0, -1.5, -2.5, -3.0], "c": [2.0, 2.0, 2.0, 2.0]}
    rows = [
        pd.DataFrame({"condition": name, "seed": range(4), "quantity": "gain:x", "value": v})
        for name, v in values.items()
    ]
    claims = [Claim("first", "gain:x", "a"), Claim("second", "gain:x", "b"), Claim("third", "gain:x", "c"),
              Claim("fourth", "gain:x", "a", minus="b")]  # fmt: skip
    made = findings("hidden_progress", pd.concat(rows), claims)
    page = render_networks([experiment(made, tmp_path / "a.svg")], title="demo")
    p, p_contrary = made.claims["p_holm"][0], made.claims["p_contrary"][1]
    assert p != made.claims["p"][0]
    ends = '<td class="nowrap">{} to {}</td>'.format(*(number(made.claims[name][0]) for name in ("low", "high")))
    assert f'<td class="yes">held</td><td class="n">2</td>{ends}<td class="n">4</td><td class="n">{p_value(p)}' in page
    assert '<td class="no">opposite</td><td class="n">−2</td>' in page
    assert f'<td class="n">4</td><td class="n">{p_value(p_contrary)}' in page.split("second")[1].split("third")[0]
    assert "all alike" in page.split("third")[1].split("fourth")[0]
    assert "in a minus b rises" in page
    row = dict.fromkeys(empty_table("comparison"), np.nan) | {
        "metric": "m", "candidate": "alpha 3", "status": "ok", "n_subjects": 4, "n_networks": 8, "skill": 0.5, "tau_days": 3.0, "chosen": 0.75,
        "low_line": 0.1, "high_line": 0.2, "p_line": 0.01, "low_logarithm": 0.3, "high_logarithm": 0.4,
        "p_logarithm": 0.02}  # fmt: skip
    page = render_networks([], title="demo", comparison=(pd.DataFrame([row]), tmp_path / "a.svg"))
    cells = ["8", "0.5", "3", "0.75", "0.1 to 0.2", "0.01", "0.3 to 0.4", "0.02"]
    kinds = ["n", "n", "n", "n", "nowrap", "n", "nowrap", "n"]
    expected = "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in zip(kinds, cells, strict=True))
    assert f"<td>alpha 3</td>{expected}" in page


def test_metrics_that_animals_do_not_have_are_not_compared():
    study = {"study": "s", "data": "d", "classes": {"target": ["t"], "nontarget": ["n"]}}
    study |= {"measures": {"metrics": ["decoding_auc"]}, "verdict": {"primary": "decoding_auc"}}
    networks = {"metrics": ["margin_hard"]}
    assert parse_config(study | {"networks": networks}).networks.metrics == ["margin_hard"]
    with pytest.raises(ConfigError, match=r"networks\.metrics: margin_hard is not among measures\.metrics"):
        parse_config(study | {"networks": networks | {"compare": True}})


def test_a_missing_figure_is_named(found, tmp_path):
    one = experiment(found, tmp_path / "a.svg")
    (tmp_path / "a.svg").unlink()
    with pytest.raises(PiriformError, match=r"a\.svg: no such figure"):
        render_networks([one], title="demo")


def test_outcomes_are_counted_in_their_order():
    assert (
        counts(pd.DataFrame({"outcome": ["not shown", "opposite", "held", "held"]}))
        == "2 held, 1 opposite, 1 not shown"
    )


# The command


def test_the_config_of_the_experiments(tmp_path):
    chosen = networks_config(["causes", "causes"], seeds=3, full=False, seed=7, out=tmp_path)
    assert chosen.out == tmp_path / "networks"
    assert chosen.seed == 7
    assert chosen.networks == Networks(experiments=["causes"], seeds=3, full=False)
    assert networks_config().networks.experiments == list(QUESTIONS)


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ConfigError, match="unknown experiment 'cause' \\(did you mean 'causes'"):
        networks_config(["cause"])


def test_results_that_cannot_be_written(tmp_path):
    (tmp_path / "networks").write_text("a file")
    with pytest.raises(StudyError, match="cannot be written"):
        run_target(networks_config(["causes"], out=tmp_path), TARGET)


def test_claims_are_read_and_printed(found, tmp_path):
    chosen = networks_config(["hidden_progress"], out=tmp_path)
    folder = chosen.out / "networks" / "hidden_progress"
    save_table(found.claims, "network_claims", folder / "network_claims.csv")
    assert claim_lines(read_claims(chosen)).splitlines()[0] == "hidden_progress"
    both = networks_config(["hidden_progress", "causes"], out=tmp_path)
    other = found.claims.assign(experiment="causes")
    save_table(other, "network_claims", folder.with_name("causes") / "network_claims.csv")
    lines = claim_lines(read_claims(both)).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["hidden_progress", "causes"]
    assert len(lines) == 2 + 2 * len(other)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"experiments": ["cause"]}, "experiments"),
        ({"alphas": [1, 1]}, "each must be above 0 and stand once"),
        ({"alphas": [1, 1.00000001]}, "each must be above 0 and stand once"),
        ({"alphas": [0]}, "each must be above 0"),
        ({"alphas": [1, float("nan")]}, "each must be above 0"),
        ({"metrics": ["decoding"]}, "unknown metric 'decoding'"),
        ({"metrics": ["decoding_auc", "decoding_auc"]}, "decoding_auc, decoding_auc; each must stand once"),
        ({"losses": ["hing 0.1"]}, r"unknown loss 'hing' \(did you mean 'hinge'\?\); choose from cross-entropy, hinge"),
        (
            {"losses": ["hinge -1"]},
            r"'hinge -1'; a hinge is followed by the margin at which it ends, as in 'hinge 0\.1'",
        ),
        ({"losses": ["hinge small"]}, "a hinge is followed by the margin"),
        ({"losses": ["squared 2"]}, "only a hinge has a margin, write 'squared'"),
        ({"losses": ["hinge", "hinge 1"]}, "losses: hinge, hinge 1; each must stand once"),
        ({"losses": []}, "losses"),
        ({"ranks": [-1]}, r"each must be 0 \(full\) or more and stand once"),
        ({"ranks": [1, 1]}, "stand once"),
        ({"ranks": [1, 13]}, "13 is full with 13 odorants; name less, or 0 for full"),
        ({"mixtures": "3 of 14"}, "'3 of 13' or '10 of 100'"),
        ({"seeds": 1}, "seeds"),
    ],
)
def test_networks_that_make_no_sense_are_refused(networks, message):
    study = {"study": "s", "data": "d", "classes": {"target": ["t"], "nontarget": ["n"]}, "networks": networks}
    with pytest.raises(ConfigError, match=message):
        parse_config(study)
