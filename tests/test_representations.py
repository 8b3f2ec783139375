"""Networks against animals by their geometry: what is known is found, what is not there is not."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study_metrics import script

from piriform.figures import representations as figure
from piriform.figures import style
from piriform.movement import movement
from piriform.rdm_sets import mean_rdm, rdm_sets, shared_conditions
from piriform.rdms import EQUAL, SHARED, TARGET, model_distances, pairs_of, session_distances
from piriform.report.networks import geometry, render_networks
from piriform.representations import (
    MIN_AGREEMENT,
    NO_DIRECTION,
    NO_PLATEAU,
    ONE_NETWORK,
    animal_scores,
    difference_rows,
    movement_rows,
    representations,
)
from piriform.rsa import noise_ceiling
from piriform.simulate import scenario_truth, simulate_counts, study_courses
from piriform.tables import check_table, load_table, save_table
from piriform.trials import load_trials, make_trials, save_trials

CONDITIONS = ("target", "nontarget 0", "nontarget 1", "nontarget 2", "probe 1", "probe 2")
N = 30  # simulated studies of a scenario
STAGE_DAYS = {"start": 0, "plateau": 100, "end": 1000}


def rdm_rows(rdm, *, source="neural", subject="Q", day=9, stage="", conditions=CONDITIONS, phase="overtraining"):
    who = {"source": source, "stage": stage, "subject": subject, "session": f"s{day}", "day": day, "phase": phase}
    who |= {"n_trials_1": 10, "n_trials_2": 10, "n_units": 5, "status": "ok"}
    return [
        who | {"condition_1": first, "condition_2": second, "distance": distance}
        for (first, second), distance in zip(pairs_of(conditions), rdm, strict=True)
    ]


def truth(target, *, conditions=CONDITIONS):
    """The odours' RDM, with distances to the target enlarged."""
    rows = model_distances(conditions, 3)
    shared = np.array([row["distance"] for row in rows if row["subject"] == SHARED])
    away = np.array([row["distance"] for row in rows if row["subject"] == TARGET])
    return shared + target * away + 0.5


STAGES = {"start": truth(0.0), "plateau": truth(2.0), "end": truth(5.0)}


def network_rows(rng, *, regime="alpha 1, hinge 0.1", noise=0.1, stages=STAGES):
    return [
        row
        for seed in range(3)
        for stage, rdm in stages.items()
        for row in rdm_rows(
            rdm + noise * rng.normal(size=len(rdm)),
            source="network",
            subject=f"{regime}-{seed}",
            day=STAGE_DAYS[stage],
            stage=stage,
        )
    ]


def animal_rows(rng, *, courses, noise=0.5, names="QRST"):
    """Ten sessions of each animal whose RDM on each day is ``course(day)``, scaled at random."""
    return [
        row
        for name, course in zip(names, courses, strict=False)
        for day in range(9, 19)
        for row in rdm_rows(
            0.1 * rng.uniform(0.5, 2) * (course(day) + noise * rng.normal(size=15)), subject=name, day=day
        )
    ]


def table(rng, *, course=lambda day: STAGES["end"], **options):
    rows = animal_rows(rng, courses=[course] * 4, **options) + network_rows(rng) + model_distances(CONDITIONS, 3)
    return check_table(pd.DataFrame(rows), "rdms")


def lookup(found):
    keys = ["sessions", "score", "candidate", "stage", "minus"]
    return found.set_index(keys).sort_index()


# known answers


def test_animals_like_the_end_of_a_regime_reach_the_ceiling():
    found = lookup(representations(table(np.random.default_rng(1))))
    for score, near in (("cosine", 0.02), ("tau-a", 0.1)):
        end = found.loc[("overtraining", score, "alpha 1, hinge 0.1", "end", "")]
        assert end["ceiling_low"] - near < end["mean"] < end["ceiling_high"] + near
        assert end["n_subjects"] == 4
        assert end["low"] < end["mean"] < end["high"]
        assert np.isnan(end["p"])
    for minus in ("plateau", "start", SHARED):
        row = found.loc[("overtraining", "cosine", "alpha 1, hinge 0.1", "end", minus)]
        assert row["mean"] > 0
        assert row["p_holm"] < 0.05
    assert found.loc[("overtraining", "cosine", EQUAL, "", ""), "mean"] > 0.5
    assert found.loc[("overtraining", "tau-a", EQUAL, "", ""), "mean"] == 0
    assert set(found["conditions"]) == {", ".join(CONDITIONS)}


def test_animals_like_the_odours_are_told_by_the_odours():
    found = lookup(representations(table(np.random.default_rng(2), course=lambda day: truth(0.0) - 0.5)))
    row = found.loc[("overtraining", "cosine", "alpha 1, hinge 0.1", "end", SHARED)]
    assert row["mean"] < 0
    assert row["high"] < 0
    assert row["p"] > 0.95


def test_scrambled_conditions_lower_the_score():
    rows = table(np.random.default_rng(3))
    swap = {"nontarget 0": "probe 2", "probe 2": "nontarget 0"}
    own = rows["source"] == "neural"
    names = [rows[name].where(~own, rows[name].replace(swap)) for name in ("condition_1", "condition_2")]
    order = [CONDITIONS.index(a) < CONDITIONS.index(b) for a, b in zip(*names, strict=True)]
    scrambled = rows.assign(condition_1=names[0].where(order, names[1]), condition_2=names[1].where(order, names[0]))
    key = ("overtraining", "cosine", "alpha 1, hinge 0.1", "end", "")
    before, after = (lookup(representations(part)).loc[key] for part in (rows, scrambled))
    assert after["mean"] < before["mean"] - 0.1
    assert after["ceiling_low"] == pytest.approx(before["ceiling_low"])


def test_animals_that_go_from_plateau_to_end_move():
    def course(day):
        return truth(2.0 + 3.0 * (day - 9) / 9)

    found = lookup(representations(table(np.random.default_rng(4), course=course)))
    row = found.loc[("overtraining", "movement", "alpha 1, hinge 0.1", "end", "plateau")]
    assert row["mean"] == pytest.approx(1 / 9, rel=0.2)
    assert row["p"] < 0.01
    early, late = (
        found.loc[(part, "cosine", "alpha 1, hinge 0.1", "plateau", ""), "mean"] for part in ("early", "late")
    )
    assert early > late


# definitions and invariance


def test_scores_are_those_of_mean_rdms():
    rows = table(np.random.default_rng(5))
    found = lookup(representations(rows))
    means = rows.groupby(["source", "subject", "stage", "condition_1", "condition_2"], sort=False)["distance"].mean()
    end = means["network"].xs("end", level="stage").groupby(["condition_1", "condition_2"], sort=False).mean()
    cosines = [
        means["neural"][name, ""] @ end / np.linalg.norm(end) / np.linalg.norm(means["neural"][name, ""])
        for name in "QRST"
    ]
    row = found.loc[("overtraining", "cosine", "alpha 1, hinge 0.1", "end", "")]
    expected = stats.t.interval(0.95, 3, np.mean(cosines), stats.sem(cosines))
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((np.mean(cosines), *expected))


def test_the_size_of_rdms_does_not_matter():
    rows = table(np.random.default_rng(6))
    size = rows["subject"].map({"Q": 7.0, "R": 0.1}).fillna(1.0).where(rows["source"] == "neural", 3.0)
    first, second = (representations(part) for part in (rows, rows.assign(distance=rows["distance"] * size)))
    pd.testing.assert_frame_equal(first, second)


def test_candidates_that_are_alike_differ_no_more_often_than_they_may():
    """End and plateau with the same RDM, measured with noise: that noise is the same for all animals."""
    rng = np.random.default_rng(7)
    n, means, ps, over_animals = 200, [], [], []
    animals = rdm_sets(pd.DataFrame(animal_rows(rng, courses=[lambda day: truth(1.0)] * 4, noise=1.0)))
    alike = {stage: truth(3.0) for stage in ("plateau", "end")}
    for _ in range(n):
        drawn = rdm_sets(pd.DataFrame(network_rows(rng, stages=alike, noise=1.0)))
        sets = replace(animals, networks=drawn.networks)
        (row,) = difference_rows(sets, CONDITIONS, "cosine")
        _, scores = animal_scores(sets, "overtraining", "cosine")
        difference = scores["alpha 1, hinge 0.1", "end"] - scores["alpha 1, hinge 0.1", "plateau"]
        assert row["mean"] == pytest.approx(difference.mean())
        means.append(row["mean"])
        ps.append(row["p"])
        over_animals.append(stats.ttest_1samp(difference, 0, alternative="greater").pvalue)
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(n)
    most = stats.binom.ppf(0.999, n, 0.05)
    assert np.sum(np.array(ps) <= 0.05) <= most < np.sum(np.array(over_animals) <= 0.05)


def test_a_difference_has_the_errors_of_animals_and_of_networks():
    rng = np.random.default_rng(17)
    sets = rdm_sets(table(rng))
    row = next(row for row in difference_rows(sets, CONDITIONS, "cosine") if row["minus"] == "plateau")
    animals = np.array([one.mean() for one in sets.animals.values()])
    stages = [np.array(list(sets.networks["alpha 1, hinge 0.1"][stage].values())) for stage in ("end", "plateau")]

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    def differences(seeds):
        end, plateau = (rdms[seeds].mean(axis=0) for rdms in stages)
        return np.array([cosine(one, end) - cosine(one, plateau) for one in animals])

    values = differences([0, 1, 2])
    left_out = np.array([differences(seeds).mean() for seeds in ([1, 2], [0, 2], [0, 1])])
    parts = np.array([values.var(ddof=1) / 4, 2 / 3 * np.sum((left_out - left_out.mean()) ** 2)])
    df = parts.sum() ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 2)
    expected = stats.t(df, values.mean(), np.sqrt(parts.sum()))
    assert (row["low"], row["high"]) == pytest.approx(expected.interval(0.95))
    assert row["p"] == pytest.approx(expected.cdf(0))


def test_halves_leave_the_middle_session_out():
    rows = [row for day in (9, 10, 11) for row in rdm_rows(np.full(15, float(day)), day=day)]
    one = rdm_sets(check_table(pd.DataFrame(rows), "rdms")).animals["Q"]
    assert [one.mean(part)[0] for part in ("overtraining", "early", "late")] == [10, 9, 11]
    single = rdm_sets(check_table(pd.DataFrame(rows[:15]), "rdms")).animals["Q"]
    assert np.isnan(single.mean("early")).all()
    assert np.isnan(single.mean("late")).all()


def test_sessions_are_ordered_by_day_and_those_of_one_day_kept_apart():
    first, second = rdm_rows(np.full(15, 2.0), day=10), rdm_rows(np.full(15, 1.0), day=9)
    third = [row | {"session": "again"} for row in rdm_rows(np.full(15, 6.0), day=10)]
    rows = first + second + third + rdm_rows(np.full(15, 9.0), day=2)
    one = rdm_sets(check_table(pd.DataFrame(rows), "rdms")).animals["Q"]
    assert (one.days.tolist(), one.mean("early")[0], one.mean("late")[0]) == ([2, 9, 10, 10], 5.0, 4.0)


def test_networks_are_named_by_regime_and_seed_and_models_are_none():
    rng = np.random.default_rng(8)
    rows = network_rows(rng, regime="alpha 1e-07") + model_distances(CONDITIONS, 3)
    sets = rdm_sets(check_table(pd.DataFrame(rows), "rdms"))
    assert {name: list(stages["end"]) for name, stages in sets.networks.items()} == {"alpha 1e-07": ["0", "1", "2"]}
    assert set(sets.models) == {EQUAL, TARGET, SHARED}


def test_a_mean_is_that_of_what_is_known():
    assert mean_rdm(np.array([[1.0, np.nan], [3.0, 5.0]])).tolist() == [2.0, 5.0]


def test_holm_counts_the_regimes():
    rng = np.random.default_rng(8)
    rows = animal_rows(rng, courses=[lambda day: STAGES["end"]] * 4) + model_distances(CONDITIONS, 3)
    rows += network_rows(rng, regime="alpha 1") + network_rows(rng, regime="alpha 1, hinge 0.1")
    found = representations(check_table(pd.DataFrame(rows), "rdms"))
    family = found[(found["score"] == "cosine") & (found["minus"] == SHARED)]
    assert len(family) == 2
    assert family["p_holm"].min() == pytest.approx(2 * family["p"].min())


@pytest.mark.parametrize("method", ["cosine", "tau-a"])
def test_a_difference_is_that_of_two_scores_and_of_the_networks_that_have_both(method):
    sets = rdm_sets(table(np.random.default_rng(17), course=lambda day: truth(1.0)))
    for seed in "12":  # the others reach no plateau
        other = {stage: dict(rdms) for stage, rdms in sets.networks["alpha 1, hinge 0.1"].items()}
        del other["plateau"][seed]
        row = next(row for row in difference_rows(replace(sets, networks={"r": other}), CONDITIONS, method))
        both = {stage: {key: rdm for key, rdm in rdms.items() if key != seed} for stage, rdms in other.items()}
        _, scores = animal_scores(replace(sets, networks={"r": both}), "overtraining", method)
        assert row["minus"] == "plateau"
        assert row["mean"] == pytest.approx((scores["r", "end"] - scores["r", "plateau"]).mean())


def test_ceilings_are_those_of_the_sessions_that_are_compared():
    rows = table(np.random.default_rng(19), course=lambda day: truth(day - 9.0))
    found, sets = lookup(representations(rows)), rdm_sets(rows)
    for part in ("overtraining", "early", "late"):
        row = found.loc[(part, "tau-a", EQUAL, "", "")]
        expected = noise_ceiling(np.array([one.mean(part) for one in sets.animals.values()]), method="tau-a")
        assert (row["ceiling_low"], row["ceiling_high"]) == pytest.approx(expected)


def test_movements_are_between_the_mean_networks_and_between_the_models():
    rows = table(np.random.default_rng(20), course=lambda day: truth(2.0 + (day - 9) / 3))
    sets = rdm_sets(rows)
    found = pd.DataFrame(movement_rows(sets)).set_index("minus")
    stages = sets.of_networks()
    ends = {"plateau": [stages["alpha 1, hinge 0.1", name] for name in ("plateau", "end")]}
    ends[SHARED] = [sets.models[SHARED], sets.models[TARGET]]
    for minus, (origin, goal) in ends.items():
        expected = [movement(one.rdms, one.days, origin=origin, goal=goal) for one in sets.animals.values()]
        assert found.loc[minus, "mean"] == pytest.approx(np.mean(expected))
        assert found.loc[minus, "mean"] > 0
    model = lookup(representations(rows)).loc[("overtraining", "movement", TARGET, "", SHARED)]
    assert np.isnan(model["p_holm"])  # of no family of regimes


# null: no change of geometry, but of signal, noise, units and stimuli


def session_tensor(session, truth_, seed):
    made = simulate_counts(truth_, session, seed=seed)
    trials = made.task.trials
    shown = pd.DataFrame(
        {
            "class": trials["trial_type"].str.split("_").str[0],
            "stratum": trials["shared_components"].astype(str),
            "stimulus": trials["odor"],
            "category": trials["trial_type"],
        }
    )
    attrs = {"units": "spikes/s", "subject": session.subject, "session": session.session, "day": session.day}
    attrs |= {"phase": session.phase, "source_file": "", "source_sha256": "", "bin_width": 0.5}
    rates = made.counts[:, :, 2:] / 0.5
    return make_trials(rates, time=[0.35], trials=shown, unit_id=range(session.n_units), attrs=attrs)


def simulated_rows(scenario, seed):
    """RDMs of the overtraining sessions of a simulated study of four animals."""
    chosen = scenario_truth(scenario)
    courses = study_courses(chosen, subjects=4, days=18, seed=seed)
    return [
        row
        for course in courses.values()
        for session in course
        if session.phase == "overtraining"
        for row in session_distances(session_tensor(session, chosen, seed), window=(0.1, 0.6), n_folds=5)
    ]


def movement_ps(scenario, n):
    """One-sided p of the movement from plateau to end in simulated studies."""
    rng = np.random.default_rng(9)
    networks, found = network_rows(rng), []
    for seed in range(n):
        (row,) = movement_rows(rdm_sets(pd.DataFrame(simulated_rows(scenario, seed) + networks)))
        found.append(row["p"])
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["null", "confounds"])
def test_a_geometry_that_does_not_change_raises_no_more_false_alarms_than_it_may(scenario):
    ps = movement_ps(scenario, N)
    assert np.isfinite(ps).all()
    assert (ps <= 0.05).sum() <= stats.binom.ppf(0.999, N, 0.05)


def test_a_simulated_study_gives_an_answer():
    ps = movement_ps("fewer_units", 1)
    assert 0 < ps[0] < 1


# too little


def test_a_study_without_strata_gets_one_row_that_says_so():
    rng = np.random.default_rng(10)
    rows = network_rows(rng) + model_distances(CONDITIONS, 3)
    found = representations(check_table(pd.DataFrame(rows), "rdms"))
    assert len(found) == 1
    assert found["status"].iloc[0] == "no RDM of overtraining sessions: conditions need a class and a stratum"
    own = ("target", "nontarget novel", "probe odd")
    rows += rdm_rows(np.ones(3), conditions=own) + rdm_rows(np.ones(3), conditions=own, day=10)
    found = representations(check_table(pd.DataFrame(rows), "rdms"))
    assert len(found) == 1
    assert (
        found["status"]
        .iloc[0]
        .startswith(
            "1 of 3 conditions (class and stratum) are shared by all animals and networks: target; animals have target, "
            "nontarget novel, probe odd; networks have target, nontarget 0"
        )
    )
    assert found["score"].iloc[0] == ""


def test_training_sessions_do_not_count():
    rows = table(np.random.default_rng(11))
    more = pd.DataFrame(rdm_rows(np.arange(15.0), day=2, phase="training"))
    again = check_table(pd.concat([rows, more]), "rdms")
    pd.testing.assert_frame_equal(representations(rows), representations(again))


def test_probes_that_are_rarely_shown_count_for_scores_alone():
    rows = table(np.random.default_rng(12))
    rare = (rows["source"] == "neural") & ~rows["day"].isin([9, 18])
    probe = rows["condition_2"].str.startswith("probe")
    rows.loc[rare & probe, "distance"] = np.nan
    found = lookup(representations(rows))
    assert found.loc[("overtraining", "cosine", EQUAL, "", ""), "conditions"] == ", ".join(CONDITIONS)
    row = found.loc[("overtraining", "movement", "alpha 1, hinge 0.1", "end", "plateau")]
    assert row["conditions"] == ", ".join(CONDITIONS[:4])
    assert np.isfinite(row["p"])


def test_one_animal_has_scores_without_interval_or_ceiling():
    rng = np.random.default_rng(13)
    rows = animal_rows(rng, courses=[lambda day: truth(1.0)], names="Q")
    rows += network_rows(rng) + model_distances(CONDITIONS, 3)
    found = lookup(representations(check_table(pd.DataFrame(rows), "rdms")))
    row = found.loc[("overtraining", "cosine", "alpha 1, hinge 0.1", "end", "")]
    assert np.isfinite(row["mean"])
    assert np.isnan(row[["low", "high", "ceiling_low"]].astype(float)).all()
    assert row["status"] == "one animal: no interval and no test"


def test_networks_without_a_plateau_or_a_direction_say_so():
    rng = np.random.default_rng(14)
    rows = animal_rows(rng, courses=[lambda day: truth(1.0)] * 4) + model_distances(CONDITIONS, 3)
    rows += network_rows(rng, regime="lazy", stages={"start": truth(1.0), "plateau": truth(1.0), "end": truth(1.0)})
    rows += network_rows(rng, regime="never", stages={"start": truth(1.0), "end": truth(2.0)})
    found = lookup(representations(check_table(pd.DataFrame(rows), "rdms")))
    assert 0 < MIN_AGREEMENT < 1
    assert found.loc[("overtraining", "movement", "lazy", "end", "plateau"), "status"] == NO_DIRECTION
    assert found.loc[("overtraining", "movement", "never", "end", "plateau"), "status"] == NO_PLATEAU
    assert found.loc[("early", "tau-a", "never", "plateau", ""), "status"] == NO_PLATEAU
    assert np.isfinite(found.loc[("overtraining", "cosine", "never", "end", "start"), "mean"])


def test_networks_whose_distances_only_grow_have_no_direction():
    rng = np.random.default_rng(21)
    rows = animal_rows(rng, courses=[lambda day: truth(1.0)] * 4) + model_distances(CONDITIONS, 3)
    rows += network_rows(rng, stages={name: size * truth(2.0) for name, size in (("plateau", 1), ("end", 9))})
    (row,) = (row for row in movement_rows(rdm_sets(pd.DataFrame(rows))) if row["stage"] == "end")
    assert row["status"] == NO_DIRECTION


@pytest.mark.parametrize(("apart", "status"), [(0.3, "ok"), (1.5, NO_DIRECTION)])
def test_seeds_may_differ_in_direction_but_not_by_more_than_they_agree(apart, status):
    """Changes of one size along a common direction, and ``apart`` as far each in one of its own: 1 / (1 + apart^2)."""
    unlike = [apart**0.5 * np.eye(15)[place] for place in (1, 5, 9)]
    rng, common = np.random.default_rng(22), np.eye(15)[13]
    rows = animal_rows(rng, courses=[lambda day: truth(1.0)] * 4) + model_distances(CONDITIONS, 3)
    for seed, own in enumerate(unlike):
        for stage, moved in (("plateau", 0.0), ("end", 0.01)):
            rdm = np.ones(15) + moved * (common + own)
            rows += rdm_rows(rdm, source="network", subject=f"r-{seed}", day=STAGE_DAYS[stage], stage=stage)
    (row,) = (row for row in movement_rows(rdm_sets(pd.DataFrame(rows))) if row["stage"] == "end")
    assert row["status"] == status


@pytest.mark.parametrize(("n_lacking", "n_conditions"), [(2, 6), (3, 4)])
def test_a_condition_must_be_known_in_four_of_five_sessions(n_lacking, n_conditions):
    rows = table(np.random.default_rng(12))
    rare = (rows["source"] == "neural") & (rows["day"] < 9 + n_lacking)
    rows.loc[rare & rows["condition_2"].str.startswith("probe"), "distance"] = np.nan
    (row,) = (row for row in movement_rows(rdm_sets(rows)) if row["minus"] == "plateau")
    assert row["conditions"] == ", ".join(CONDITIONS[:n_conditions])


def test_sessions_that_lack_a_pair_do_not_count_for_a_movement():
    """Five sessions with two that lack one pair each: every pair is known in four, and three are whole."""
    rows = table(np.random.default_rng(23))
    rows = rows[(rows["source"] != "neural") | (rows["day"] < 14)]
    for day, (first, second) in ((9, CONDITIONS[:2]), (10, CONDITIONS[2:4])):
        pair = (rows["condition_1"] == first) & (rows["condition_2"] == second)
        rows.loc[(rows["source"] == "neural") & (rows["day"] == day) & pair, "distance"] = np.nan
    row = next(row for row in movement_rows(rdm_sets(rows)) if row["minus"] == "plateau")
    assert (row["n_subjects"], row["conditions"]) == (0, ", ".join(CONDITIONS))


def test_one_network_has_differences_without_an_interval():
    rows = table(np.random.default_rng(18))
    alone = rows[(rows["source"] != "network") | rows["subject"].str.endswith("-0")]
    row = lookup(representations(alone)).loc[("overtraining", "cosine", "alpha 1, hinge 0.1", "end", "start")]
    assert row["status"] == ONE_NETWORK
    assert np.isfinite(row["mean"])
    assert np.isnan(row["p"])


def test_few_sessions_have_no_movement():
    rows = table(np.random.default_rng(15))
    found = lookup(representations(rows[(rows["source"] != "neural") | (rows["day"] < 12)]))
    row = found.loc[("overtraining", "movement", "alpha 1, hinge 0.1", "end", "plateau")]
    assert row["n_subjects"] == 0
    assert "fewer than 4 sessions" in row["status"]


def test_conditions_with_the_most_gaps_go_first():
    known = {pair: "x" not in pair for pair in pairs_of(["a", "b", "c", "x"])}
    assert shared_conditions(known, ["x", "a", "b", "c"]) == ["a", "b", "c"]
    assert shared_conditions({}, []) == []
    assert np.isnan(mean_rdm(np.empty((0, 3)))).all()


# figure, page, script


def test_the_figure_and_the_page(tmp_path):
    rows = table(np.random.default_rng(16))
    found = representations(rows)
    with style.applied():
        drawn = figure.build(found, rows)
        style.save(drawn, [tmp_path / "r.svg"])
    titles = [ax.get_title("left") for part in drawn.subfigs for ax in part.axes]
    assert titles[0] == "animals, mean"
    assert "alpha 1, hinge 0.1\nplateau" in titles
    page = render_networks([], title="demo", representations=(found, tmp_path / "r.svg"))
    assert "Do networks arrange the odours as the animals do?" in page
    assert "alpha 1, hinge 0.1" in page
    summary = geometry(found)
    assert summary["n_subjects"] == 4
    assert {row["score"] for row in summary["tests"]["answers"]} == {"cosine", "tau-a", "movement"}


def test_the_figure_and_the_page_without_an_answer(tmp_path):
    rows = check_table(pd.DataFrame(model_distances(CONDITIONS, 3)), "rdms")
    found = representations(rows)
    with style.applied():
        style.save(figure.build(found, rows), [tmp_path / "r.svg"])
    assert "No comparison of representations" in (tmp_path / "r.svg").read_text()
    assert "No answer: no RDM of" in render_networks([], title="d", representations=(found, tmp_path / "r.svg"))


def test_an_empty_table_has_no_answer():
    found = representations(check_table(pd.DataFrame(rdm_rows(np.ones(15)))[:0], "rdms"))
    assert found["status"].tolist() == ["no RDM of overtraining sessions: conditions need a class and a stratum"]


@pytest.fixture
def files(tmp_path):
    """Trial tensors of two simulated animals, of two networks that are as noisy, and the networks' behaviour."""
    chosen = scenario_truth("steady", {"probe_trials": 0})
    courses = study_courses(chosen, subjects=4, days=18, seed=1)
    tensors = {
        name: [session_tensor(session, chosen, 1) for session in course[start:stop]]
        for (name, course), (start, stop) in zip(courses.items(), [(7, 12), (8, 12), (6, 9), (6, 9)], strict=True)
    }
    behavior = []
    for seed, name in enumerate(("S", "T")):
        for day, tensor in zip(STAGE_DAYS.values(), tensors[name], strict=True):
            tensor.attrs.update(subject=f"alpha 1, hinge 0.1-{seed}", session=f"step-{day}", day=day)
            row = {name: tensor.attrs[name] for name in ("subject", "session", "day", "phase")}
            behavior.append(row | {"class": "all", "n_trials": 9, "plateau_day": 50.0, "accuracy": 1.0})
        save_trials(tensors[name], tmp_path / "networks" / f"alpha 1, hinge 0.1-{seed}.nc")
    for name in ("Q", "R"):
        save_trials(tensors[name], tmp_path / f"{name}.nc")
    table = pd.DataFrame(behavior).assign(ci_low=1.0, ci_high=1.0, latency_s=np.nan)
    save_table(table, "behavior", tmp_path / "behavior.csv")
    return {
        "trials": [tmp_path / "Q.nc", tmp_path / "R.nc"],
        "network_trials": tmp_path / "networks",
        "network_behavior": tmp_path / "behavior.csv",
    }


def test_the_script_writes_tables_and_figure_the_same_each_time(files, tmp_path):
    settings = SimpleNamespace(
        measures=SimpleNamespace(n_folds=5), response=SimpleNamespace(response_window=(0.1, 0.6))
    )
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        names = {"rdms": "rdms.csv", "table": "representations.csv", "png": "r.png", "svg": "r.svg"}
        outputs = {name: folder / file for name, file in names.items()}
        script("representations")(files, outputs, settings=settings)
        written.append({name: path.read_bytes() for name, path in outputs.items()})
    assert written[0] == written[1]
    rdms = load_table(tmp_path / "a" / "rdms.csv", "rdms")
    counts = rdms.groupby(["source", "stage"]).size().to_dict()
    assert counts == {("model", ""): 18, ("network", "end"): 12, ("network", "plateau"): 12, ("network", "start"): 12,
                      ("neural", ""): 54}  # fmt: skip
    tensor = load_trials(files["trials"][0], rdms["session"].iloc[0])
    expected = session_distances(tensor, window=(0.1, 0.6), n_folds=5)
    np.testing.assert_allclose(rdms["distance"][:6], [row["distance"] for row in expected])
    found = load_table(tmp_path / "a" / "representations.csv", "representations")
    assert found.loc[found["score"] == "cosine", "n_subjects"].eq(2).all()
    assert set(found["candidate"]) == {"alpha 1, hinge 0.1", EQUAL, TARGET, SHARED}


def test_the_script_takes_the_windows_of_animals_and_of_networks(tmp_path):
    """Animals have a bin on either side of their window; networks count from the onset to their end."""
    rng = np.random.default_rng(1)
    names = np.array([("target", "3"), ("nontarget", "0"), ("nontarget", "1")])[np.tile(np.arange(3), 8)]
    trials = pd.DataFrame({"class": names[:, 0], "stratum": names[:, 1], "stimulus": "x", "category": names[:, 0]})

    def tensors(subject, times, days):
        attrs = {
            "units": "spikes/s",
            "subject": subject,
            "phase": "overtraining",
            "source_file": "",
            "source_sha256": "",
        }
        return [
            make_trials(rng.normal(size=(24, 4, len(times))), time=times, trials=trials, unit_id=range(4),
                        attrs=attrs | {"session": f"s{day}", "day": day, "bin_width": 0.5})
            for day in days
        ]  # fmt: skip

    animal, network = tensors("Q", [-0.25, 0.25, 0.75], [9, 10]), tensors("r-0", [-0.25, 0.25, 0.75], [0, 5, 9])
    save_trials(animal, tmp_path / "Q.nc")
    save_trials(network, tmp_path / "networks" / "r-0.nc")
    rows = [{"subject": "r-0", "session": f"s{day}", "day": day, "phase": "training"} for day in (0, 5, 9)]
    behavior = pd.DataFrame(rows).assign(**{"class": "all"}, n_trials=9, plateau_day=5.0, accuracy=1.0)
    save_table(behavior.assign(ci_low=1.0, ci_high=1.0, latency_s=np.nan), "behavior", tmp_path / "b.csv")
    inputs = {
        "trials": [tmp_path / "Q.nc"],
        "network_trials": tmp_path / "networks",
        "network_behavior": tmp_path / "b.csv",
    }
    outputs = {name: tmp_path / name for name in ("rdms", "table")} | {
        name: tmp_path / f"r.{name}" for name in ("png", "svg")
    }
    settings = SimpleNamespace(
        measures=SimpleNamespace(n_folds=4), response=SimpleNamespace(response_window=(0.0, 0.5))
    )
    script("representations")(inputs, outputs, settings=settings)
    found = load_table(outputs["rdms"], "rdms")
    expected = [row["distance"] for one in animal for row in session_distances(one, window=(0.0, 0.5), n_folds=4)]
    expected += [row["distance"] for one in network for row in session_distances(one, window=(0.0, 1.0), n_folds=4)]
    np.testing.assert_allclose(found.loc[found["source"] != "model", "distance"], expected, rtol=1e-5)
    assert found.loc[found["source"] == "network", "stage"].tolist() == ["start"] * 3 + ["plateau"] * 3 + ["end"] * 3
    assert found.loc[found["subject"] == SHARED, "distance"].tolist() == [9, 4, 1]  # 3 - 0, 3 - 1, 0 - 1


# networks themselves


@pytest.fixture(scope="module")
def trained():
    """Four rich networks that learned mixtures of 3 of 13 odorants, and the trials that they are shown."""
    pytest.importorskip("jax", reason='networks need JAX: pip install "piriform[networks]"')
    from piriform.networks.architectures import Network
    from piriform.networks.ensemble import Condition, Training
    from piriform.networks.odors import Odors, odor_task
    from piriform.networks.train import train

    design = {"n": 3, "k": 13, "overlaps": (0.35, 0.45, 0.2), "probes": (1, 2), "n_nontargets": 100, "n_probes": 10}
    odors = Odors(**design, n_repeats=0, n_probe_trials=60, n_train=200, n_test=200)
    tasks = [odor_task(odors, rng=np.random.default_rng(seed)) for seed in range(4)]
    training = Training(n_steps=3000, n_checkpoints=6)
    ensemble = train(Network((13,), (64,)), tasks, [Condition("alpha 0.3", alpha=0.3)], training=training)
    return ensemble, [task.test for task in tasks]


def recorded_rows(trained, seed, checkpoints, **names):
    """RDMs of every network at some checkpoints, recorded with noise of their own."""
    from piriform.networks.record import Recording, recorded
    from piriform.networks.spikes import SpikeNoise

    ensemble, examples = trained
    found = []
    for member in ensemble.members:
        chosen = {"recording": Recording(noise=SpikeNoise()), "plateau": 0.0, "seed": seed, "checkpoints": checkpoints}
        for tensor in recorded(ensemble, member.index, examples[member.seed_index], **chosen):
            rows = session_distances(tensor, window=(0.0, 0.5), n_folds=5)
            found += [row | {name: value(row) for name, value in names.items()} for row in rows]
    return found


def test_networks_that_are_recorded_again_are_found_at_their_end(trained):
    """The animals are the networks themselves at their last checkpoint, on days with other noise."""
    steps = trained[0].steps
    stage = {f"step-{steps[place]:08d}": name for place, name in ((0, "start"), (2, "plateau"), (-1, "end"))}
    rows = recorded_rows(
        trained, 1, [0, 2, len(steps) - 1], source=lambda _: "network", stage=lambda row: stage[row["session"]]
    )
    for day in range(9, 13):
        rows += recorded_rows(
            trained,
            day,
            [len(steps) - 1],
            day=lambda _, day=day: day,
            session=lambda _, day=day: f"day {day}",
            subject=lambda row: f"animal {row['subject'][-1]}",
        )
    found = lookup(representations(check_table(pd.DataFrame(rows + model_distances(CONDITIONS, 3)), "rdms")))
    scores = {key: found.loc[("overtraining", "cosine", *key, "")] for key in (("alpha 0.3", "end"), (SHARED, ""))}
    end = scores["alpha 0.3", "end"]
    assert end["ceiling_low"] < end["mean"] < end["ceiling_high"] + 0.005
    assert end["mean"] > scores[SHARED, ""]["mean"]
    for minus in ("plateau", "start"):
        row = found.loc[("overtraining", "cosine", "alpha 0.3", "end", minus)]
        assert row["mean"] > 0
        assert row["p"] < 0.1
