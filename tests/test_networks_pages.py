"""What experiments with networks leave for a reader: figures, the page, the lines on the terminal, the config."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from piriform.config import Networks, parse_config
from piriform.errors import ConfigError, PiriformError, StudyError
from piriform.figures import networks as figure
from piriform.figures import style
from piriform.model_branch import TARGET, claim_lines, networks_config, read_claims
from piriform.networks.experiments import QUESTIONS
from piriform.networks.experiments.claims import Claim
from piriform.networks.experiments.findings import findings
from piriform.report.networks import counts, render_networks
from piriform.run import run_target
from piriform.tables import empty_table, save_table

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


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"experiments": ["cause"]}, "experiments"),
        ({"alphas": [1, 1]}, "each must be above 0 and stand once"),
        ({"alphas": [1, 1.00000001]}, "each must be above 0 and stand once"),
        ({"alphas": [0]}, "each must be above 0"),
        ({"alphas": [1, float("nan")]}, "each must be above 0"),
        ({"metrics": ["decoding"]}, "unknown metric 'decoding'"),
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
        ({"mixtures": "3 of 14"}, "'3 of 13' or '10 of 100'"),
        ({"seeds": 1}, "seeds"),
    ],
)
def test_networks_that_make_no_sense_are_refused(networks, message):
    study = {"study": "s", "data": "d", "classes": {"target": ["t"], "nontarget": ["n"]}, "networks": networks}
    with pytest.raises(ConfigError, match=message):
        parse_config(study)
