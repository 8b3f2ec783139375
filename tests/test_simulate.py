"""Simulated studies have the moments they promise, the truth they were given, and never tell it."""

import json
import warnings
from dataclasses import fields, replace

import numpy as np
import pytest

from piriform.errors import ConfigError, StudyError
from piriform.provenance import rng_for, sha256
from piriform.simulate import (
    MIXTURES,
    OVERLAP,
    SCENARIOS,
    Truth,
    scenario_truth,
    session_activity,
    session_task,
    simulate_counts,
    simulate_session,
    simulate_study,
    spike_counts,
    spike_trains,
    study_courses,
    subject_course,
    subject_names,
)

EDGES = (-0.5, 0.0, 0.1, 0.6)
#: Units that are all alike, without tuning, drift or shared gain.
ALIKE = {
    "rate_log_sd": 0.0,
    "fano_log_sd": 0.0,
    "tuning_sd": 0.0,
    "odor_sd": 0.0,
    "trial_gain_sd": 0.0,
    "drift_start": 0.0,
    "drift_end": 0.0,
    "units_sd": 0.0,
    "day_sd": 0.0,
}
RATE = np.exp(0.11) - 0.05


def course(seed=0, *, days=18, index=0, **parameters):
    """The sessions of one subject, by day."""
    truth = Truth(**parameters)
    sessions = subject_course(truth, subject="Q", index=index, days=days, rng=np.random.default_rng(seed))
    return truth, {session.day: session for session in sessions}


def single_odorants(seed, **parameters):
    """Counts of 20 units to each of 13 single odorants, 10 trials each: (n_units, 13, 10, n_bins)."""
    truth, sessions = course(seed, units_start=20, units_end=20, units_sd=0, **parameters)
    rng = np.random.default_rng(seed)
    odorants = np.repeat(np.arange(13), 10)
    order = rng.permutation(130)
    session = replace(sessions[1], signal=0.0)
    activity = session_activity(truth, session, np.repeat(odorants[order, None], 3, axis=1), rng=rng)
    counts = np.empty((130, 20, 3), dtype=int)
    counts[order] = spike_counts(activity, np.array(EDGES), rng=rng)
    return counts.reshape(13, 10, 20, 3).transpose(2, 0, 1, 3)


def auc(simulated, n_folds=5, shrinkage=0.2):
    """Held-out AUC of a shrinkage discriminant on square-root counts of [0.1, 0.6) s, folds blocked in time."""
    kind = simulated.task.trials["trial_type"].to_numpy(dtype=object).astype(str)
    used = ~np.char.startswith(kind, "probe")
    x, y = np.sqrt(simulated.counts[used, :, 2] + 0.375), kind[used] == "target"
    fold = np.arange(len(y)) * n_folds // len(y)
    value = np.empty(len(y))
    for test in (fold == f for f in range(n_folds)):
        means = [x[~test & (y == c)].mean(axis=0) for c in (False, True)]
        rest = x[~test] - np.where(y[~test, None], means[1], means[0])
        cov = rest.T @ rest / len(rest)
        cov = (1 - shrinkage) * cov + (shrinkage * np.diag(cov) + 1e-9) * np.eye(len(cov))
        weight = np.linalg.solve(cov, means[1] - means[0])
        value[test] = x[test] @ weight - weight @ (means[0] + means[1]) / 2
    rank = np.argsort(np.argsort(value)) + 1.0
    return (rank[y].mean() - (y.sum() + 1) / 2) / (~y).sum()


# Known answer: the noise


def test_counts_of_units_that_are_alike_have_the_given_mean_and_fano_factor():
    truth, sessions = course(signal=0.0, units_start=400, **ALIKE)
    counts = simulate_counts(truth, sessions[1], seed=3).counts

    assert counts.shape == (200, 400, 3)
    for window, width in ((0, 0.5), (2, 0.5)):
        x = counts[..., window]
        mean, fano = x.mean(axis=0), x.var(axis=0, ddof=1) / x.mean(axis=0)
        assert abs(mean.mean() - RATE * width) < 4 * mean.std() / 20
        assert abs(fano.mean() - 1.9) < 4 * fano.std() / 20 + 0.01  # a ratio of means is biased by about 1/n_trials


def test_the_noise_is_negative_binomial():
    truth, sessions = course(signal=0.0, units_start=400, **ALIKE)
    x = simulate_counts(truth, sessions[1], seed=4).counts[..., 2]
    mean, fano = RATE / 2, 1.9

    size = mean / (fano - 1)
    silent = fano**-size  # of a negative binomial with this mean and Fano factor
    one = silent * size * (1 - 1 / fano)
    for number, share in ((0, silent), (1, one)):
        assert abs((x == number).mean() - share) < 4 * np.sqrt(share * (1 - share) / x.size)


def test_a_tuned_unit_changes_its_rate_to_the_target_by_the_signal():
    parameters = ALIKE | {"tuned_share": 1.0, "signal": 0.8, "learning_day": 0.0, "learning_width": 0.05}
    truth, sessions = course(units_start=400, units_end=400, trials_start=400, trials_end=400, **parameters)
    simulated = simulate_counts(truth, sessions[1], seed=5)
    counts = simulated.counts[..., 2]

    part = np.linspace(0.5, 1.5, 2001)
    for mixtures, share in ((OVERLAP == 3, 1.0), (OVERLAP == 2, 0.6), (OVERLAP == 0, 0.0)):
        gain = 2.5 * np.tanh(0.8 * share * part / 2.5)
        per_unit = counts[mixtures[simulated.task.mixture]].mean(axis=0)
        expected = RATE / 2 * np.cosh(gain).mean()  # half of the units rise, half fall
        assert abs(per_unit.mean() - expected) < 4 * per_unit.std() / np.sqrt(400)


def test_moments_are_those_of_recorded_piriform_units():
    """Against 199 units of Iurilli & Datta 2017 (15 odours, 10 trials); tolerance 3 SE of 199 units."""
    counts = [single_odorants(seed) for seed in range(40)]
    pooled = np.concatenate(counts).astype(float)
    base, answer = pooled[..., 0].mean(axis=(1, 2)) * 2, pooled[..., 2].mean(axis=2)
    log_rate = np.log(base + 0.05)
    evoked = (2 * (answer - pooled[..., 0].mean(axis=2))).ravel()
    fano = pooled[..., 2].var(axis=2, ddof=1).mean(axis=1) / answer.mean(axis=1).clip(1e-9)
    sparseness = (1 - answer.mean(axis=1) ** 2 / (answer**2).mean(axis=1).clip(1e-12)) / (1 - 1 / 13)

    assert abs(log_rate.mean() - 0.125) < 3 * 1.218 / np.sqrt(199)
    assert abs(log_rate.std() - 1.218) < 3 * 1.218 / np.sqrt(2 * 199)
    assert abs(np.median(fano[fano > 0]) - 1.93) < 3 * 1.25 * 0.65 / np.sqrt(199)
    assert abs(sparseness.mean() - 0.42) < 3 * sparseness.std() / np.sqrt(199)
    low, high = np.percentile(evoked, [5, 95])
    assert -3.0 < low < -1.8  # recorded: -2.4
    assert 3.4 < high < 5.6  # recorded: 4.2 from 0 to 500 ms, 4.4 from 100 to 600 ms


def test_units_share_noise_as_recorded():
    """Mean noise correlation .024 from 0 to 500 ms, .018 from 100 to 600 ms in the same recordings."""
    values = []
    for seed in range(40):
        x = single_odorants(seed)[..., 2].astype(float)
        x = (x - x.mean(axis=2, keepdims=True)).reshape(20, -1)
        corr = np.corrcoef(x[x.std(axis=1) > 0])
        values.append(corr[np.triu_indices(len(corr), 1)].mean())

    assert np.mean(values) - 2 * np.std(values) / np.sqrt(40) > 0.01
    assert np.mean(values) + 2 * np.std(values) / np.sqrt(40) < 0.035


def test_a_plain_decoder_is_as_good_as_it_should_be():
    """AUC .66 to .72 with 8 units and .76 to .82 with 25 once the task is learned, and less on the first day."""
    for n_units, low, high in ((8, 0.66, 0.72), (25, 0.76, 0.82)):
        truth, sessions = course(units_start=n_units, units_end=n_units, units_sd=0, day_sd=0)
        first, learned = ([auc(simulate_counts(truth, sessions[d], seed=s)) for s in range(60)] for d in (1, 12))
        error = np.std(learned) / np.sqrt(60)
        assert low - 2 * error < np.mean(learned) < high + 2 * error
        assert np.mean(first) < np.mean(learned) - 3 * error


# Known answer: task and behaviour


def test_mixtures_are_all_triples_of_thirteen_odorants():
    assert MIXTURES.shape == (286, 3)
    assert np.bincount(OVERLAP).tolist() == [120, 135, 30, 1]


def test_trial_types_and_overlaps_are_as_given():
    truth, sessions = course(overlap_0_start=0.5, overlap_0_end=0.5, overlap_2_start=0.1, overlap_2_end=0.1)
    for day in (3, 9, 10):
        task = simulate_counts(truth, sessions[day], seed=1).task
        kind = task.trials["trial_type"].to_numpy(dtype=object)
        overlap = OVERLAP[task.mixture]
        others = (kind != "target") & ~np.isin(kind, ["probe_1", "probe_2"])
        novel = kind == "nontarget"
        share = np.bincount(overlap[novel], minlength=4) / novel.sum()
        np.testing.assert_allclose(share, [0.5, 0.4, 0.1, 0], atol=0.5 / novel.sum() + 1e-9)
        assert (task.mixture[kind == "target"] == 0).all()
        assert set(task.trials["odor"][kind == "target"]) == {"A+B+C"}
        repeated = np.isin(kind, ["nontarget_repeat_1", "nontarget_repeat_2"])
        assert repeated.sum() == (0 if day == 3 else round(0.4 * others.sum()))
        n_probes = 15 if day == 9 else 0
        for number in (1, 2):
            assert (kind == f"probe_{number}").sum() == n_probes
            assert (overlap[kind == f"probe_{number}"] == number).all()
        assert len(kind) == 200 + 2 * n_probes


def test_repeated_nontargets_are_the_same_every_day_and_never_novel():
    truth, sessions = course()
    seen = []
    for day in (9, 14, 18):
        trials = simulate_counts(truth, sessions[day], seed=1).task.trials
        by_kind = trials.groupby("trial_type")["odor"].unique()
        pair = [by_kind[f"nontarget_repeat_{number}"].tolist() for number in (1, 2)]
        assert not {odor for odors in pair for odor in odors} & set(by_kind["nontarget"])
        seen.append(pair)

    assert seen[0] == seen[1] == seen[2]
    assert [len(odors) for odors in seen[0]] == [1, 1]


def test_probes_come_every_fourth_day_of_overtraining():
    assert [day for day, session in course()[1].items() if session.n_probes] == [9, 13, 17]
    assert not any(session.n_probes for session in course(probe_every=0)[1].values())


def test_half_of_the_trials_are_targets_and_labels_stick_as_given():
    for stickiness, share_sd in ((0.5, 0.5), (0.85, 1.19)):  # SD of a two-state chain's mean, times root n
        truth, sessions = course(stickiness_start=stickiness, stickiness_end=stickiness, trials_start=4000)
        target = (simulate_counts(truth, sessions[1], seed=2).task.mixture == 0).astype(int)
        same = np.mean(np.diff(target) == 0)
        assert abs(target.mean() - 0.5) < 4 * share_sd / np.sqrt(4000)
        assert abs(same - stickiness) < 4 * np.sqrt(stickiness * (1 - stickiness) / 4000)


def test_behaviour_is_binomial_around_the_learning_curve():
    truth, sessions = course(accuracy_day_sd=0.0, no_choice=0.0, probe_every=0)
    for day, session in sessions.items():
        expected = 0.5 + 0.45 / (1 + np.exp(-(day - 4) / 0.8))
        assert session.accuracy == pytest.approx(expected, abs=1e-12)
    correct = [
        simulate_counts(truth, sessions[day], seed=s).task.trials["correct"] for day in (4, 16) for s in range(20)
    ]
    for day, part in ((4, correct[:20]), (16, correct[20:])):
        share, expected = np.concatenate(part).mean(), sessions[day].accuracy
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)


def test_choices_follow_from_what_was_right():
    truth, sessions = course(no_choice=0.05)
    trials = simulate_counts(truth, sessions[6], seed=1).task.trials
    target, choice = trials["trial_type"] == "target", trials["choice"]

    assert set(choice) == {"right", "left", "no lick"}
    assert (trials["correct"] == ((choice == "right") & target | (choice == "left") & ~target)).all()
    assert (trials["response_time"].isna() == (choice == "no lick")).all()
    latency = (trials["response_time"] - trials["odor_onset_time"]).dropna()
    assert latency.min() >= 0.5
    assert latency.max() < 4


def test_behaviour_rises_in_overtraining_only_where_it_should():
    flat, rising = (course(accuracy_day_sd=0.0, behavior_rise=rise)[1] for rise in (0.0, 0.08))

    assert flat[18].accuracy - flat[10].accuracy < 0.001
    assert rising[18].accuracy == pytest.approx(flat[18].accuracy)
    assert flat[10].accuracy - rising[10].accuracy == pytest.approx(0.08 * 0.8, abs=1e-3)


# Definition: the course of the truth


def test_signal_follows_the_learning_curve_and_then_the_ramp():
    _, sessions = course(growth=3.0, day_sd=0.0, signal=0.4)
    for day, session in sessions.items():
        ramp = 1 + 2 * max(0, day - 8) / 10
        assert session.signal == pytest.approx(0.4 / (1 + np.exp(-(day - 4) / 0.8)) * ramp)
        assert session.phase == ("training" if day <= 8 else "overtraining")
    assert sessions[18].growth == 3.0


def test_the_signal_of_days_is_correlated_as_given():
    """Stationary autoregression: SD of log signal .25, lag-1 correlation .8."""
    logs = []
    for seed in range(400):
        _, sessions = course(seed, day_sd=0.25, day_rho=0.8)
        logs.append(np.log([sessions[day].signal / sessions[day].learned / 0.55 for day in range(1, 19)]))
    logs = np.array(logs)

    assert abs(logs[:, 0].std() - 0.25) < 4 * 0.25 / np.sqrt(800)
    assert abs(logs[:, -1].std() - 0.25) < 4 * 0.25 / np.sqrt(800)
    assert abs(np.corrcoef(logs[:, 8], logs[:, 9])[0, 1] - 0.8) < 4 * (1 - 0.64) / np.sqrt(400)


def test_units_fall_by_default_and_every_confound_runs_from_start_to_end():
    n_units = np.array([[s.n_units for s in course(seed)[1].values()] for seed in range(100)])
    np.testing.assert_allclose(n_units.mean(axis=0), np.linspace(25, 8, 18), atol=4 * 1.53 / 10)

    _, sessions = course(
        rate_trend=2.0, trials_end=320, drift_end=0.5, stickiness_end=0.8, overlap_0_end=0.6, overlap_2_end=0.05
    )
    first, last = sessions[1], sessions[18]
    assert (first.rate_factor, first.n_trials, first.drift_sd, first.stickiness) == (1.0, 200, 0.1, 0.5)
    assert (last.rate_factor, last.n_trials, last.drift_sd, last.stickiness) == (2.0, 320, 0.5, 0.8)
    shares = (first.overlap_0, first.overlap_2, last.overlap_0, last.overlap_2)
    assert shares == pytest.approx((0.35, 0.2, 0.6, 0.05))


def test_some_learn_and_others_do_not():
    courses = study_courses(scenario_truth("one_subject"), subjects=4, days=18, seed=1)
    assert [sessions[0].growth for sessions in courses.values()] == [3.0, 1.0, 1.0, 1.0]

    own = [course(seed, slope_sd=0.4, days=1)[1][1].growth for seed in range(400)]
    assert abs(np.mean(own) - 1) < 4 * 0.4 / 20
    assert abs(np.std(own) - 0.4) < 4 * 0.4 / np.sqrt(800)


def test_days_differ_between_subjects_and_some_are_missing():
    lengths = {max(course(seed, days_spread=2)[1]) for seed in range(60)}
    assert lengths == {16, 17, 18, 19, 20}

    recorded = np.mean([len(course(seed, missing_days=0.15)[1]) for seed in range(200)]) / 18
    assert abs(recorded - 0.85) < 4 * np.sqrt(0.15 * 0.85 / 3600)


def test_drift_has_the_given_size():
    truth, sessions = course(**(ALIKE | {"drift_start": 0.5, "signal": 0.0, "units_start": 500}))
    activity = session_activity(truth, sessions[1], np.zeros((200, 3), dtype=int) + 5, rng=np.random.default_rng(0))
    drift = np.log(activity.state)

    assert drift.mean(axis=0) == pytest.approx(0, abs=1e-9)
    power = (drift**2).mean(axis=0)
    assert abs(power.mean() - 0.25) < 4 * power.std() / np.sqrt(500)
    assert np.abs(np.diff(drift, axis=0)).max() < 0.1


def test_spike_trains_have_the_counts_of_the_fast_way():
    """The same session as trains and as counts: equal means and variances in both windows, no gap between trials."""
    truth, sessions = course(3, tuning_sd=0.0, units_start=150, units_sd=0)
    rng = np.random.default_rng(8)
    task = session_task(truth, sessions[8], repeats=(250, 100), rng=rng)
    activity = session_activity(truth, sessions[8], MIXTURES[task.mixture], rng=rng)
    onset, stop = (task.trials[name].to_numpy() for name in ("odor_onset_time", "stop_time"))
    trains = spike_trains(activity, onset, stop, rng=rng)
    fast = spike_counts(activity, np.array(EDGES), rng=rng)

    for window, (start, end) in ((0, (-0.5, 0.0)), (2, (0.1, 0.6))):
        cut = np.stack([np.searchsorted(t, onset + end) - np.searchsorted(t, onset + start) for t in trains], axis=1)
        for moment in (np.mean, np.var):
            a, b = moment(cut, axis=0), moment(fast[..., window], axis=0)
            assert abs((a - b).mean()) < 4 * (a - b).std() / np.sqrt(len(a))
    for times in trains:
        assert (np.diff(times) >= 0).all()
        assert times.min() >= 0
        assert times.max() < stop[-1]
        assert np.abs(times * 30000 - np.round(times * 30000)).max() < 1e-3
    late = sum(np.sum((t[:, None] >= stop[:-1] - 0.5) & (t[:, None] < stop[:-1])) for t in trains)
    base = (activity.rate * activity.state[:-1]).sum() * 0.5
    assert abs(late / base - 1) < 0.05


# Invariance


def test_a_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_study(tmp_path / name, subjects=1, days=2, seed=seed)
    file = "sub-Q/sub-Q_ses-day-02.nwb"

    assert sha256(tmp_path / "a" / file) == sha256(tmp_path / "b" / file)
    assert sha256(tmp_path / "a" / "truth.json") == sha256(tmp_path / "b" / "truth.json")
    assert sha256(tmp_path / "a" / file) != sha256(tmp_path / "c" / file)


def test_other_subjects_change_nothing():
    truth = scenario_truth("null")
    alone, together = (study_courses(truth, subjects=n, days=18, seed=1) for n in (1, 4))

    assert alone["Q"] == together["Q"]
    assert subject_names(12)[-2:] == ["A", "B"]
    assert len(set(subject_names(26))) == 26


def test_fast_counts_and_recordings_share_their_trials():
    truth = scenario_truth("growth")
    session = study_courses(truth, subjects=1, days=18, seed=1)["Q"][12]
    recording, counts = simulate_session(truth, session, seed=1), simulate_counts(truth, session, seed=1)

    assert recording.trials.equals(counts.task.trials)
    assert len(recording.spike_times) == counts.counts.shape[1] == session.n_units
    assert set(recording.events) == {"lick_port_1", "lick_port_2"}


def test_licks_are_where_the_choice_was():
    truth, sessions = course()
    recording = simulate_session(truth, sessions[9], seed=1)
    trials = recording.trials

    for port, side in (("lick_port_1", "right"), ("lick_port_2", "left")):
        licks = recording.events[port]
        assert set(trials["response_time"][trials["choice"] == side].round(4)) <= set(licks)
        onset = trials["odor_onset_time"].to_numpy()[np.searchsorted(trials["start_time"], licks, side="right") - 1]
        counted = licks[licks - onset >= 0.5]
        chosen = trials["choice"].to_numpy()[np.searchsorted(trials["start_time"], counted, side="right") - 1]
        assert set(chosen) == {side}


def test_no_truth_is_inside_the_recordings(tmp_path):
    """Before overtraining, studies with and without growth are the same bytes; no parameter's name is in a file."""
    for scenario in ("null", "growth"):
        simulate_study(tmp_path / scenario, scenario=scenario, subjects=1, days=3, parameters={"training_days": 2})
    names = [f"sub-Q/sub-Q_ses-day-{day:02d}.nwb" for day in (1, 2, 3)]
    same = [sha256(tmp_path / "null" / name) == sha256(tmp_path / "growth" / name) for name in names]
    assert same == [True, True, False]

    content = (tmp_path / "growth" / names[2]).read_bytes()
    told = {"signal", "growth", "learners", "null", "gain", "drift", "improving", "steady", "fano"}  # common words
    for word in ({entry.name for entry in fields(Truth)} | set(SCENARIOS)) - told:
        assert word.encode() not in content, word


def test_truth_is_beside_the_recordings(tmp_path):
    path = simulate_study(tmp_path, scenario="growth_small", subjects=2, days=2, seed=5, parameters={"units_end": 9})
    truth = json.loads(path.read_text())

    assert path == tmp_path / "truth.json"
    assert (truth["scenario"], truth["seed"], truth["parameters"]["growth"]) == ("growth_small", 5, 1.5)
    assert truth["parameters"]["units_end"] == 9
    assert [(s["subject"], s["day"]) for s in truth["sessions"]] == [("Q", 1), ("Q", 2), ("R", 1), ("R", 2)]
    for session in truth["sessions"]:
        assert (tmp_path / session["file"]).is_file()
        assert {"signal", "accuracy", "n_units"} <= set(session)


def test_the_inspector_finds_nothing_above_a_suggestion(tmp_path):
    pytest.importorskip("nwbinspector")
    simulate_study(tmp_path, subjects=1, days=1, parameters={"training_days": 0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nwbinspector import Importance, inspect_nwbfile

        messages = list(inspect_nwbfile(nwbfile_path=str(next(tmp_path.rglob("*.nwb")))))

    assert [m for m in messages if m.importance.value > Importance.BEST_PRACTICE_SUGGESTION.value] == []


def test_a_study_is_written_again_over_itself(tmp_path):
    said = []
    for _ in range(2):
        simulate_study(tmp_path, subjects=2, days=1, progress=said.append)

    assert said == ["subject Q (1 of 2): 1 sessions", "subject R (2 of 2): 1 sessions"] * 2
    assert len(list(tmp_path.rglob("*.nwb"))) == 2


# Null


def test_without_signal_and_tuning_nothing_can_be_decoded():
    truth, sessions = course(signal=0.0, tuning_sd=0.0, drift_start=0.0, drift_end=0.0)
    values = [auc(simulate_counts(truth, sessions[day], seed=seed)) for day in (2, 12) for seed in range(30)]

    assert abs(np.mean(values) - 0.5) < 4 * np.std(values) / np.sqrt(60)


def test_growth_is_seen_in_one_study_and_its_absence_is_not():
    """The demo's seed: slopes of held-out AUC over overtraining, one-sided t over 4 subjects."""
    from scipy.stats import ttest_1samp

    p = {}
    for scenario in ("growth", "null"):
        truth = scenario_truth(scenario)
        slopes = []
        for sessions in study_courses(truth, subjects=4, days=18, seed=1).values():
            window = [session for session in sessions if session.day > 8]
            n_units = min(session.n_units for session in window)
            values = []
            for session in window:
                simulated = simulate_counts(truth, session, seed=1)
                rng = rng_for(1, session.subject, session.day)
                draws = [rng.permutation(session.n_units)[:n_units] for _ in range(10)]
                values.append(np.mean([auc(replace(simulated, counts=simulated.counts[:, d])) for d in draws]))
            slopes.append(np.polyfit([session.day for session in window], values, 1)[0])
        p[scenario] = ttest_1samp(slopes, 0, alternative="greater").pvalue

    assert p["growth"] < 0.01
    assert p["null"] > 0.2


# Errors


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_every_scenario_can_be_simulated(scenario):
    truth = scenario_truth(scenario)
    meaning, changes = SCENARIOS[scenario]
    session = study_courses(truth, subjects=1, days=18, seed=1)["Q"][-1]

    assert meaning
    assert all(getattr(truth, name) == value for name, value in changes.items())
    assert simulate_counts(truth, session, seed=1).counts.shape[1] == session.n_units


@pytest.mark.parametrize(
    ("scenario", "parameters", "message"),
    [
        ("grwoth", {}, "unknown scenario 'grwoth'.*did you mean 'growth'.*choose from"),
        ("null", {"grwoth": 2}, "unknown parameter 'grwoth'.*did you mean 'growth'"),
        ("null", {"fano": 0.5}, "parameter fano is 0.5; it must be a number from 1 to 10"),
        ("null", {"growth": float("nan")}, "parameter growth is nan"),
        ("null", {"growth": True}, "parameter growth is True"),
        ("null", {"growth": "2"}, "parameter growth is '2'"),
        ("null", {"training_days": 8.5}, "training_days is 8.5; it must be a whole number"),
        ("null", {"overlap_0_end": 0.9}, "overlap_0_end and overlap_2_end are shares and add up to 1.1"),
        ("null", {"accuracy_top": 0.8, "behavior_rise": 0.4}, "behavior_rise 0.4 would start overtraining at 0.4"),
    ],
)
def test_an_impossible_truth_is_refused(scenario, parameters, message):
    with pytest.raises(ConfigError, match=message):
        scenario_truth(scenario, parameters)


def test_whole_numbers_may_come_as_floats():
    days = scenario_truth("null", {"training_days": 9.0}).training_days

    assert (days, type(days)) == (9, int)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "subjects is 0; it must be from 1 to 26"),
        ({"days": 100}, "days is 100; it must be from 1 to 99"),
        ({"seed": -1}, "seed is -1; it must be 0 or larger"),
        ({"days": 1, "subjects": 1, "seed": 2, "parameters": {"missing_days": 0.9}}, "leaves no session to record"),
    ],
)
def test_an_impossible_study_is_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        simulate_study(tmp_path, **options)


def test_a_folder_of_other_recordings_is_left_alone(tmp_path):
    stranger = tmp_path / "mine.nwb"
    stranger.write_bytes(b"precious")
    with pytest.raises(StudyError, match=r"mine.nwb is not part of the study to be written \(1 such file"):
        simulate_study(tmp_path, subjects=1, days=1)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.nwb"]
