"""Single stimuli from wrong to right: a step is found, smooth growth is not called one, and little data gives a reason."""

import importlib.util
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import comb, expit, logit
from scipy.stats import binom

from piriform.config import Transitions
from piriform.errors import PiriformError
from piriform.saturation import best_sigmoid, saturation_p
from piriform.step_test import STEEPEST, best_line, best_step, step_test
from piriform.tables import POOLED, empty_table, load_table, save_table
from piriform.transitions import stimulus_counts, summary, transitions

ROOT = Path(__file__).parent.parent
N_DAYS, N_TRIALS = 12, 10
DAYS = np.arange(1, N_DAYS + 1)
LEVEL = 0.05
RULE = Transitions(n_bootstrap=99)
SMOOTH = {"slow": (0.25, 0.85), "steep": (0.1, 0.95)}


def smooth(first, last, n_days=N_DAYS):
    """Accuracy by day along a line in log-odds."""
    return expit(np.linspace(logit(first), logit(last), n_days))


def stepped(before, after, position, n_days=N_DAYS):
    """Accuracy by day with a step."""
    return np.where(np.arange(n_days) < position, before, after)


def drawn(p, n_stimuli, rng, *, n_trials=N_TRIALS, noise=0.0):
    """Correct and presented trials of stimuli with the accuracies ``p`` and day effects, (n_stimuli, n_days)."""
    p = np.broadcast_to(p, (n_stimuli, np.shape(p)[-1]))
    n = np.full(p.shape, n_trials)
    return rng.binomial(n, expit(logit(p) + noise * rng.standard_normal(p.shape))), n


def found_in(p, n_stimuli, seed, *, n_bootstrap, **how):
    """The step test of simulated stimuli."""
    rng = np.random.default_rng(seed)
    k, n = drawn(p, n_stimuli, rng, **how)
    return step_test(np.arange(1, k.shape[1] + 1), k, n, n_bootstrap=n_bootstrap, rng=rng)


def steps(before, after, n_stimuli):
    """Accuracies with steps on day 4 to 10."""
    return np.array([stepped(before, after, 3 + i % 7) for i in range(n_stimuli)])


def at_most(share, n):
    """The largest count that a true rate of ``share`` gives in all but 1 of 1000 cases."""
    return binom.isf(0.001, n, share)


def counts_of(k, n, *, source="animal", subject="Q", day=None):
    """Counts in the form that `transitions` takes; stimuli s00, s01, ..."""
    day = np.arange(1, np.shape(k)[1] + 1) if day is None else day
    rows = [
        {"source": source, "subject": subject, "stimulus": f"s{i:02d}", "class": "nontarget", "day": day[j]}
        | {"n_correct": int(k[i][j]), "n_trials": int(n[i][j])}
        for i in range(len(k))
        for j in range(len(day))
    ]
    return pd.DataFrame(rows)


def naive_rule(k, n):
    """ "Abrupt": at most half right on three days, at least half on the next three, and .4 or more from day to day."""
    share = k / n
    early, late = (np.lib.stride_tricks.sliding_window_view(part, 3, axis=1) for part in (share[:, :-3], share[:, 3:]))
    wrong, right = (early <= 0.5).all(axis=2), (late >= 0.5).all(axis=2)
    return (wrong & right & (late[:, :, 0] - early[:, :, 2] >= 0.4 - 1e-9)).any(axis=1)


# Known answers.


def test_a_clear_step_is_found_on_its_day_with_its_accuracies():
    k, n = [[1, 0, 2, 1, 9, 10, 9, 9]], [[10] * 8]
    found = step_test([3, 4, 5, 8, 9, 10, 12, 15], k, n, n_bootstrap=199, rng=np.random.default_rng(1))
    assert found.position.tolist() == [4]
    assert (found.before[0], found.after[0]) == pytest.approx((0.1, 0.925))
    assert found.p[0] == pytest.approx(1 / 200)


def test_a_step_from_never_to_always_is_no_steep_line():
    found = step_test(DAYS, [[0] * 6 + [10] * 6], [[10] * 12], n_bootstrap=199, rng=np.random.default_rng(1))
    assert found.slope[0] == pytest.approx(STEEPEST)
    assert found.p[0] == pytest.approx(1 / 200)


def test_the_day_effects_are_recovered():
    for noise in (0.0, 0.5, 1.0):
        p = np.concatenate([np.tile(smooth(0.25, 0.85), (200, 1)), steps(0.25, 0.85, 200)])
        assert found_in(p, 400, 1, noise=noise, n_bootstrap=1).sd_days == pytest.approx(noise, abs=0.3)


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("kind", SMOOTH)
def test_smooth_growth_is_called_a_step_no_more_often_than_stated(kind, noise):
    found = found_in(smooth(*SMOOTH[kind]), 400, 11, noise=noise, n_bootstrap=99)
    assert np.sum(found.p <= LEVEL) <= at_most(LEVEL, 400)


@pytest.mark.parametrize(("kind", "power"), [("slow", 0.8), ("steep", 0.97)])
def test_a_true_step_is_found(kind, power):
    found = found_in(steps(*SMOOTH[kind], 400), 400, 12, n_bootstrap=99)
    assert np.mean(found.p <= LEVEL) >= power
    near = np.abs(found.position - (3 + np.arange(400) % 7)) <= 1
    assert near.mean() > 0.8


def test_the_naive_rule_calls_smooth_growth_abrupt_and_this_test_does_not():
    for kind, (low, high) in {"slow": (0.15, 0.3), "steep": (0.3, 0.5)}.items():
        k, n = drawn(smooth(*SMOOTH[kind]), 400, np.random.default_rng(13))
        assert low < naive_rule(k, n).mean() < high
        found = step_test(DAYS, k, n, n_bootstrap=99, rng=np.random.default_rng(1))
        assert np.sum(found.p <= LEVEL) <= at_most(LEVEL, 400)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("kind", SMOOTH)
def test_size_in_many_stimuli_and_in_few(kind, noise):
    many = found_in(smooth(*SMOOTH[kind]), 2000, 21, noise=noise, n_bootstrap=199)
    assert np.sum(many.p <= LEVEL) <= at_most(LEVEL, 2000)
    few = [
        found_in(smooth(*SMOOTH[kind]), 4, 1000 + seed, noise=noise, n_bootstrap=199).p <= LEVEL for seed in range(250)
    ]
    assert np.sum(few) <= at_most(LEVEL, 1000)


@pytest.mark.slow
@pytest.mark.parametrize("p", [(0.5, 0.95, 5, 1.5), (0.05, 0.95, 5, 1.5), (0.5, 0.95, 5, 1.0), (0.1, 0.9, 9, 0.7)])
def test_size_of_growth_that_levels_off(p):
    base, top, midpoint, width = p
    k, n = drawn(base + (top - base) * expit((np.arange(1, 19) - midpoint) / width), 120, np.random.default_rng(22))
    rng = np.random.default_rng(1)
    found = [
        saturation_p(np.arange(1, 19), row, n[0], sd_days=0.0, n_bootstrap=99, rng=rng) <= LEVEL for row in k
    ]  # fmt: skip
    assert np.sum(found) <= at_most(LEVEL, 120)


def test_growth_that_levels_off_is_no_line_and_yet_not_abrupt():
    curve = 0.05 + 0.9 * expit((np.arange(1, 19) - 5) / 1.5)
    k, n = drawn(curve, 200, np.random.default_rng(3))
    found = step_test(np.arange(1, 19), k, n, n_bootstrap=99, rng=np.random.default_rng(1))
    assert np.mean(found.p <= LEVEL) > 0.2  # what the line alone would call abrupt
    table = transitions(counts_of(k[:40], n[:40]), rule=RULE, seed=1)
    low = table[table["q"] <= LEVEL]
    assert len(low) > at_most(LEVEL, 40)
    assert np.sum(low["p_saturating"] <= LEVEL) <= at_most(LEVEL, 40)


# Definitions: the fits against a naive search.


def test_the_line_is_the_maximum_likelihood_fit():
    k, n = drawn(smooth(0.2, 0.8), 5, np.random.default_rng(2), n_trials=20)
    n[0, 3] = k[0, 3] = 0
    x = np.tile(DAYS - DAYS.mean(), (5, 1))
    theta, value = best_line(x, k.astype(float), n.astype(float))
    for i in range(5):
        shown = n[i] > 0

        def lack(at, i=i, shown=shown):
            return -binom.logpmf(k[i][shown], n[i][shown], expit(at[0] + at[1] * x[i][shown])).sum()

        fit = minimize(lack, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
        np.testing.assert_allclose(theta[i], fit.x, atol=1e-4)
        choices = np.log(comb(n[i], k[i])).sum()
        assert value[i] == pytest.approx(-fit.fun - choices)


def test_a_slope_beyond_the_bound_is_the_best_one_on_it():
    k, n = np.array([[0.0, 0, 0, 2, 10, 10, 10, 10]]), np.full((1, 8), 10.0)
    x = np.arange(8.0)[None] - 3.5
    theta, value = best_line(x, k, n)
    grid = np.linspace(-10, 10, 4001)[:, None]
    eta = grid + STEEPEST * x
    oracle = (k * eta - n * np.logaddexp(0, eta)).sum(axis=1).max()
    assert theta[0, 1] == pytest.approx(STEEPEST)
    assert value[0] == pytest.approx(oracle, abs=1e-4)


def test_the_step_is_the_best_of_all_days_two_from_either_end():
    rng = np.random.default_rng(4)
    k, n = drawn(smooth(0.3, 0.7), 20, rng)
    n[:, 4] = k[:, 4] = 0
    position, before, after, value = best_step(k.astype(float), n.astype(float))
    for i in range(20):
        found = {None: binomial(k[i].sum(), n[i].sum())}
        for tau in (2, 3, 5, 6, 7, 8, 9, 10):
            parts = [(k[i][part].sum(), n[i][part].sum()) for part in (slice(tau), slice(tau, None))]
            if parts[1][0] / parts[1][1] > parts[0][0] / parts[0][1]:
                found[tau] = sum(binomial(*part) for part in parts)
        best = max(found, key=found.get)
        assert value[i] == pytest.approx(found[best])
        assert before[i] == pytest.approx(after[i]) if best is None else position[i] == best


def binomial(k, n):
    """Log-likelihood of k of n at their own rate."""
    return sum(count * math.log(count / n) for count in (k, n - k) if count)


def test_the_sigmoid_gets_near_the_likelihood_of_the_truth():
    days = np.arange(1, 19)
    truth = 0.3 + 0.6 * expit((days - 6) / 1.365)  # twice the narrowest width
    k, n = drawn(truth, 30, np.random.default_rng(5), n_trials=40)
    fitted, value = best_sigmoid(days.astype(float), k.astype(float), n.astype(float))
    of_truth = (k * np.log(truth) + (n - k) * np.log(1 - truth)).sum(axis=1)
    assert (value >= of_truth - 0.05).all()
    assert np.abs(fitted.mean(axis=0) - truth).max() < 0.05


def test_p_is_corrected_over_the_stimuli_of_a_source():
    k, n = drawn(np.vstack([steps(0.1, 0.95, 3), np.tile(smooth(0.3, 0.8), (5, 1))]), 8, np.random.default_rng(6))
    table = transitions(counts_of(k, n), rule=RULE, seed=1)
    p = table["p"].to_numpy()
    order = np.argsort(p)
    oracle = np.minimum.accumulate((p[order] * 8 / np.arange(1, 9))[::-1])[::-1]
    np.testing.assert_allclose(table["q"].to_numpy()[order], oracle)
    alone = transitions(pd.concat([counts_of(k, n), counts_of(k[:2], n[:2], source="decoder")]), rule=RULE, seed=1)
    np.testing.assert_array_equal(alone[alone["source"] == "animal"]["q"], table["q"])


def test_more_draws_are_made_where_the_correction_needs_them():
    k, n = drawn(smooth(0.3, 0.8), 30, np.random.default_rng(7))
    k[0] = [0] * 6 + [10] * 6
    table = transitions(counts_of(k, n), rule=RULE, seed=1)
    assert table["p"].min() < 1 / 400
    assert table["status"][0] == "abrupt"
    assert table["wrong_to_right"][0]
    assert table["day_of_change"][0] == 7


# Invariances.


def test_shifted_days_and_the_order_of_rows_change_nothing():
    k, n = drawn(steps(0.2, 0.9, 5), 5, np.random.default_rng(8))
    one = transitions(counts_of(k, n), rule=RULE, seed=1)
    later = transitions(counts_of(k, n, day=DAYS + 20), rule=RULE, seed=1)
    pd.testing.assert_frame_equal(
        later.assign(**{c: later[c] - 20 for c in ("first_day", "last_day", "day_of_change")}), one
    )
    mixed = counts_of(k, n).sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(transitions(mixed, rule=RULE, seed=1), one)


def test_inputs_are_not_changed():
    k, n = drawn(steps(0.2, 0.9, 2), 2, np.random.default_rng(8))
    counts = counts_of(k, n)
    before = counts.copy()
    transitions(counts, rule=RULE, seed=1)
    pd.testing.assert_frame_equal(counts, before)


# Days on which all stimuli change.


def test_stimuli_that_step_together_are_a_day_effect():
    k, n = drawn(stepped(0.1, 0.95, 6), 6, np.random.default_rng(9), n_trials=20)
    table = transitions(counts_of(k, n), rule=RULE, seed=1)
    assert table["status"].tolist() == ["day effect: 6 of 6 steps fall on day 7"] * 6
    spread = [stepped(0.1, 0.95, position) for position in (2, 4, 6, 8, 10)]
    k, n = drawn(np.array(spread), 5, np.random.default_rng(9), n_trials=20)
    assert "day effect" not in " ".join(transitions(counts_of(k, n), rule=RULE, seed=1)["status"])


# Little or odd data: a stated result each.


def status_of(k, n, **settings):
    table = transitions(counts_of(k, n), rule=Transitions(**({"n_bootstrap": 99} | settings)), seed=1)
    return table["status"].tolist()


def test_one_stimulus_is_tested_alone():
    assert status_of([[1] * 6 + [19] * 6], [[20] * 12]) == ["abrupt"]
    assert status_of([np.round(20 * smooth(0.2, 0.8))], [[20] * 12]) == ["smooth"]


def test_three_days_are_too_few():
    assert status_of([[1, 1, 10]], [[10] * 3]) == ["untestable: 10 presentations or more on 3 days; 6 are needed"]
    found = step_test([1, 2, 3], [[1, 1, 10]], [[10] * 3], n_bootstrap=99, rng=np.random.default_rng(1))
    assert np.isnan(found.p[0])
    assert found.reason[0] == "trials on 3 days; a step needs 4"


def test_rare_stimuli_are_not_tested():
    assert status_of([[5] * 12], [[9] * 12]) == ["untestable: 10 presentations or more on 0 days; 6 are needed"]
    k, n = np.array([[9] * 7 + [10] * 5]), np.array([[9] * 7 + [20] * 5])
    assert status_of(k, n) == ["untestable: 10 presentations or more on 5 days; 6 are needed"]


def test_all_right_and_all_wrong_have_no_change():
    assert status_of([[10] * 12, [0] * 12], [[10] * 12] * 2) == [
        "untestable: right on every trial",
        "untestable: wrong on every trial",
    ]


def test_missing_days_are_left_out():
    table = transitions(counts_of([[1, 0, 1, 1, 10, 9, 10, 9]], [[10] * 8], day=[1, 2, 3, 9, 10, 15, 16, 17]), rule=RULE, seed=1)  # fmt: skip
    assert table["n_days"].tolist() == [8]
    assert table["day_of_change"].tolist() == [10]
    k, n = np.array([[1, 0, 1, 0, 1, 10, 9, 10, 9]]), np.array([[10, 10, 10, 0, 10, 10, 10, 10, 10]])
    assert transitions(counts_of(k, n), rule=RULE, seed=1)["day_of_change"].tolist() == [6]


def test_falling_accuracy_is_no_step_up():
    table = transitions(counts_of([[19] * 6 + [1] * 6], [[20] * 12]), rule=RULE, seed=1)
    assert table["status"].tolist() == ["smooth"]
    assert table["before"][0] == table["after"][0]
    assert np.isnan(table["day_of_change"][0])


def test_no_counts_give_an_empty_table():
    nothing = pd.DataFrame(columns=["source", "subject", "stimulus", "class", "day", "n_correct", "n_trials"])
    table = transitions(nothing, rule=RULE, seed=1)
    pd.testing.assert_frame_equal(table, empty_table("transitions"))


@pytest.mark.parametrize(
    ("day", "k", "n", "says"),
    [
        (
            [1, 2],
            [[1, 2, 3]],
            [[5, 5, 5]],
            r"expected n_correct and n_trials of shape \(n_stimuli, 2 days\), got \(1, 3\)",
        ),
        ([1, 1], [[1, 2]], [[5, 5]], "days must increase"),
        ([1, np.nan], [[1, 2]], [[5, 5]], "days must increase"),
        ([1, 2], [[1, 6]], [[5, 5]], "6 correct of 5 trials on day 2 is no count"),
        ([1, 2], [[1, np.nan]], [[5, 5]], "nan correct of 5 trials on day 2 is no count"),
        ([1, 2], [[1, 0.5]], [[5, 5]], "0.5 correct of 5 trials"),
    ],
)
def test_what_is_no_count_is_refused(day, k, n, says):
    with pytest.raises(PiriformError, match=says):
        step_test(day, k, n, n_bootstrap=9, rng=np.random.default_rng(1))


# From single trials to the table.


def predictions(n_days=16, n_trials=12):
    """Read-outs in which the decoder steps up on day 13 and the animal is always right on known trials."""
    rows = [
        {"subject": "Q", "session": f"ses-{day:02d}", "day": day, "phase": "overtraining" if day > 8 else "training"}
        | {"trial": trial, "stimulus": "abc", "class": "target", "decision_value": 0.1, "margin": 0.1}
        | {"predicted": "target" if (day > 12) != (trial == 0) else "nontarget", "animal_correct": (1.0, np.nan)[trial % 2]}
        for day in range(1, n_days + 1)
        for trial in range(n_trials)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_counts_are_of_overtraining_where_there_is_any():
    counts = stimulus_counts(predictions())
    assert counts["day"].min() == 9
    assert stimulus_counts(predictions(), overtraining_only=False)["day"].min() == 1
    assert stimulus_counts(predictions(n_days=8))["day"].max() == 8
    decoder = counts[counts["source"] == "decoder"].set_index("day")
    assert decoder.loc[[12, 13], ["n_correct", "n_trials"]].to_numpy().tolist() == [[1, 12], [11, 12]]


def test_unknown_outcomes_of_the_animal_do_not_count():
    counts = stimulus_counts(predictions())
    assert set(counts[counts["source"] == "animal"]["n_trials"]) == {6}
    unknown = stimulus_counts(predictions().assign(animal_correct=np.nan))
    table = transitions(unknown, rule=RULE, seed=1)
    assert table["status"].tolist() == ["untestable: no known outcomes", "abrupt"]
    assert table["day_of_change"].tolist()[1] == 13
    assert summary(table) == [
        "The animals' answers: nothing was testable. 1 of 1 stimuli: no known outcomes.",
        "The decoder's answers: 1 of 1 stimuli tested; 1 abrupt, 0 abrupt or saturating, 0 day effect, 0 smooth. "
        "From wrong to right and abrupt: 1.",
    ]


def test_the_pooled_population_has_no_days():
    assert stimulus_counts(predictions().assign(subject=POOLED)).empty


def test_the_script_writes_the_table(tmp_path):
    spec = importlib.util.spec_from_file_location("script", ROOT / "workflow" / "scripts" / "transitions.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    inputs, outputs = {"predictions": tmp_path / "p.csv"}, {"transitions": tmp_path / "transitions.csv"}
    for table, statuses in (
        (predictions(), ["untestable: 10 presentations or more on 0 days; 6 are needed", "abrupt"]),
        (empty_table("predictions"), []),
    ):
        save_table(table, "predictions", inputs["predictions"])
        script.main(inputs, outputs, settings=SimpleNamespace(transitions=RULE, seed=1))
        assert load_table(outputs["transitions"], "transitions")["status"].tolist() == statuses
