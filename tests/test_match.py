"""Networks, trends and animals as predictors of animals: known answers, definitions, invariance, size and power, errors."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import ttest_1samp

from piriform.errors import PiriformError
from piriform.match import ANY, BEHAVIOR, OTHERS, Regime, match, regime

LATE = np.linspace(0, np.log(40), 81)
#: One that rises at once and stops, one that waits for ten plateaus.
EARLY = Regime(LATE, -np.exp(-LATE * 6)[None])
WAITS = Regime(LATE, expit((LATE - np.log(12)) / 0.15)[None])
BOTH = {"early": EARLY, "waits": WAITS}


def animals(truth, *, rng, noise=0.0, n_days=(14, 16, 18, 15)):
    """Four subjects that follow ``truth`` (a function of days), each with its own level."""
    parts = []
    for number, n in enumerate(n_days):
        days = np.arange(n, dtype=float)
        value = 3 * truth(days) + 5 * number + noise * rng.normal(size=n)
        parts.append(pd.DataFrame({"subject": f"s{number}", "days": days, "value": value}))
    return pd.concat(parts, ignore_index=True)


def late_rise(days):
    return WAITS.at(days, 0.9)


def grid(*, rng=None):
    """Ten regimes: five that wait longer and longer, steep or shallow; with ``rng`` two more that are noise on a slope."""
    shapes = [expit((LATE - np.log(wait)) / width) for wait in (1.5, 3, 6, 12, 24) for width in (0.15, 0.6)]
    found = {f"regime {number}": Regime(LATE, shape[None]) for number, shape in enumerate(shapes)}
    if rng is not None:
        noise = [0.2 * LATE + np.interp(LATE, LATE[::8], rng.normal(size=11)) for _ in range(2)]
        found |= {f"noise {number}": Regime(LATE, one[None]) for number, one in enumerate(noise)}
    return found


# Known answers


def test_the_regime_that_made_the_curves_is_found_with_its_time_constant():
    scores = match(animals(late_rise, rng=np.random.default_rng(0)), BOTH)
    assert list(scores) == ["line", "logarithm", "early", "waits", ANY, OTHERS]
    assert scores["waits"].skill > 0.99
    assert scores["waits"].tau == pytest.approx(0.9, rel=0.1)
    assert (scores["waits"].chosen, scores["early"].chosen) == (1, 0)
    assert scores[ANY].skill == scores["waits"].skill
    assert max(scores["line"].skill, scores["logarithm"].skill, scores["early"].skill) < 0.9
    assert all(test.p < 0.01 and test.interval[0] > 0 for test in scores["waits"].gains.values())


def test_a_logarithm_is_found_too():
    found = match(animals(lambda t: np.log1p(t / 2), rng=np.random.default_rng(0)), {})
    assert found["logarithm"].skill > 0.999
    assert list(found) == ["line", "logarithm", OTHERS]


def test_the_ceiling_is_one_where_animals_are_alike():
    """Also where they end on different days: no jump where one drops out. Beyond all others the curve stays."""
    alike = animals(late_rise, rng=np.random.default_rng(0), n_days=(16, 16, 16))
    assert match(alike, {})[OTHERS].skill == pytest.approx(1)
    shorter = animals(lambda t: t, rng=np.random.default_rng(0), n_days=(10, 16, 16, 16))
    assert match(shorter, {})[OTHERS].skill == pytest.approx(1, abs=1e-6)
    longest = animals(lambda t: t, rng=np.random.default_rng(0), n_days=(13, 13, 13, 17))
    assert 0.9 < match(longest, {})[OTHERS].skill < 0.99
    assert np.isnan(match(alike, {})[OTHERS].tau)


def test_animals_that_share_no_course_say_nothing_about_each_other():
    rng = np.random.default_rng(1)
    found = [match(animals(np.zeros_like, rng=rng, noise=1.0), {})[OTHERS].skill for _ in range(30)]
    assert np.mean(found) < 0.0


def test_animals_without_a_common_day_say_nothing_about_each_other():
    table = animals(lambda t: t, rng=np.random.default_rng(1), n_days=(5, 5, 5))
    apart = table.assign(days=table["days"] + 10 * table["subject"].str[1].astype(int))
    assert match(apart, {})[OTHERS].skill == 0.0


def test_behaviour_is_a_candidate_and_wins_where_it_is_the_curve():
    rng = np.random.default_rng(2)
    parts = []
    for number in range(4):
        behavior = rng.uniform(0.6, 1.0, 12)
        days = np.arange(12.0)
        parts.append(
            pd.DataFrame({"subject": f"s{number}", "days": days, "behavior": behavior, "value": 5 * behavior + number})
        )
    found = match(pd.concat(parts), BOTH)
    assert found[BEHAVIOR].skill == pytest.approx(1)
    assert max(score.skill for name, score in found.items() if name != BEHAVIOR) < 0.5
    assert found[BEHAVIOR].gains["line"].mean > 0.5


@pytest.mark.parametrize("spoil", ["constant", "unknown"])
def test_behaviour_that_does_not_vary_or_is_not_known_in_one_animal_is_left_out(spoil):
    table = animals(late_rise, rng=np.random.default_rng(3)).assign(behavior=lambda t: t["days"])
    assert BEHAVIOR in match(table, BOTH)
    one = table["subject"] == "s2"
    table.loc[one if spoil == "constant" else one & (table["days"] == 3), "behavior"] = (
        0.9 if spoil == "constant" else np.nan
    )
    assert BEHAVIOR not in match(table, BOTH)


def test_single_seeds_are_scored_beside_their_mean():
    """One seed is the animals' curve, the other points the other way and predicts nothing."""
    two = Regime(LATE, np.stack([WAITS.seeds[0], -0.2 * WAITS.seeds[0]]))
    found = match(animals(late_rise, rng=np.random.default_rng(4)), {"two": two})
    assert found["two"].seeds == pytest.approx((0, found[ANY].skill))
    assert found["two"].seeds[1] > 0.99
    assert np.isnan(found["line"].seeds).all()


# Definitions


def by_definition(table, curve, taus):
    """For each animal left out: its squared error, the time constant and what is explained of the others, by a plain search."""
    parts = [(p["days"].to_numpy(), p["value"].to_numpy()) for _, p in table.groupby("subject")]
    found = []
    for left, (days, value) in enumerate(parts):
        best = (np.inf, 0.0, 0.0, 0.0)
        for tau in taus:
            rest = [(curve(d, tau), v) for i, (d, v) in enumerate(parts) if i != left]
            f, y = (np.concatenate([one[k] - one[k].mean() for one in rest]) for k in (0, 1))
            b = max(0.0, (f @ y) / (f @ f))
            error = float(np.sum((y - b * f) ** 2))
            best = min(best, (error, b, tau, y @ y - error))
        f, y = curve(days, best[2]), value - value.mean()
        found.append((np.sum((y - best[1] * (f - f.mean())) ** 2), best[2], best[3]))
    return np.array(found).T


def total_of(table):
    return float(((table["value"] - table.groupby("subject")["value"].transform("mean")) ** 2).sum())


def taus_of(one, longest):
    return np.geomspace(longest / np.expm1(one.late[-1]) * (1 + 1e-9), 10 * longest, 25)


@pytest.mark.parametrize("seed", range(4))
def test_skill_and_time_constant_by_definition(seed):
    """Also where the animals left out have time constants of their own: the first is as different as can be."""
    table = animals(late_rise, rng=np.random.default_rng(seed), noise=2.0, n_days=(10, 16, 18, 15))
    table.loc[table["subject"] == "s0", "value"] *= 4
    missed, taus, _ = by_definition(table, WAITS.at, taus_of(WAITS, 17))
    found = match(table, {"waits": WAITS})["waits"]
    assert found.skill == pytest.approx(1 - missed.sum() / total_of(table))
    assert found.tau == pytest.approx(np.median(taus))


def test_the_logarithm_by_definition():
    table = animals(lambda t: np.log1p(t / 0.03), rng=np.random.default_rng(1), noise=0.3, n_days=(6, 16, 18, 15))
    missed, taus, _ = by_definition(table, lambda t, tau: np.log1p(t / tau), np.geomspace(17 / 1000, 170, 25))
    found = match(table, {})["logarithm"]
    assert (found.skill, found.tau) == pytest.approx((1 - missed.sum() / total_of(table), np.median(taus)))


def test_a_gain_is_the_difference_of_two_skills():
    """By definition its mean is: both are squared errors in units of the variance within animals."""
    table = animals(late_rise, rng=np.random.default_rng(3), noise=0.7)
    table.loc[table["subject"] == "s1", "value"] *= 5
    found = match(table, BOTH)
    for name, score in found.items():
        assert set(score.gains) == {"line", "logarithm"} - {name}
        for trend, gain in score.gains.items():
            assert gain.mean == pytest.approx(score.skill - found[trend].skill)


@pytest.mark.parametrize("seed", range(3))
def test_the_others_choose_the_regime_by_what_it_explains_of_them(seed):
    rng = np.random.default_rng(seed)
    table, regimes = animals(lambda t: t / 15, rng=rng, noise=1.5), grid()
    table.loc[table["subject"] == "s1", "value"] *= 3
    each = {name: by_definition(table, one.at, taus_of(one, 17)) for name, one in regimes.items()}
    chosen = np.array([explained for _, _, explained in each.values()]).argmax(axis=0)
    missed = np.array([missed for missed, _, _ in each.values()])[chosen, range(4)]
    found = match(table, regimes)
    assert found[ANY].skill == pytest.approx(1 - missed.sum() / total_of(table))
    assert [found[name].chosen for name in regimes] == [np.mean(chosen == number) for number in range(len(regimes))]


def test_an_animal_has_no_say_in_the_choice_for_itself():
    """Two follow the line, the third, with values four times as large, a late rise: it decides for all but itself."""
    regimes = {"line": Regime(LATE, np.expm1(LATE)[None]), "late": WAITS}
    table = animals(lambda t: t / 15, rng=np.random.default_rng(0), n_days=(16, 16, 16))
    third = table["subject"] == "s2"
    table.loc[third, "value"] = 12 * late_rise(table.loc[third, "days"].to_numpy())
    found = match(table, regimes)
    assert (found["line"].chosen, found["late"].chosen) == pytest.approx((1 / 3, 2 / 3))


def test_ceiling_by_definition():
    """The others' curve is the effect of the day in a least-squares fit of days and levels, by dummy variables."""
    table = animals(late_rise, rng=np.random.default_rng(3), noise=0.5)
    parts = {name: part.set_index("days")["value"] for name, part in table.groupby("subject")}

    def curve(names, days):
        rows = [(name, day) for name in names for day in days if day in parts[name].index]
        seen = sorted({day for _, day in rows})
        design = [[day == one for one in seen] + [name == other for other in names] for name, day in rows]
        fit = np.linalg.lstsq(np.array(design, float), [parts[name][day] for name, day in rows], rcond=None)[0]
        found = np.interp(days, seen, fit[: len(seen)])
        return found - found.mean()

    missed = total = 0.0
    for left in parts:
        rest = [name for name in parts if name != left]
        pairs = [
            (curve([n for n in rest if n != one], parts[one].index), parts[one] - parts[one].mean()) for one in rest
        ]
        b = max(0.0, sum(f @ y for f, y in pairs) / sum(f @ f for f, _ in pairs))
        y = parts[left] - parts[left].mean()
        missed, total = missed + np.sum((y - b * curve(rest, parts[left].index)) ** 2), total + np.sum(y**2)
    assert match(table, {})[OTHERS].skill == pytest.approx(1 - missed / total, abs=1e-9)


def test_animals_that_contradict_each_other_predict_nothing():
    """Three courses that add up to 0: each is the reverse of what the other two have in common."""
    courses = {"a": [1.0, -1, 0, 0], "b": [0.0, 1, -1, 0], "c": [-1.0, 0, 1, 0]}
    table = pd.DataFrame([(name, day, v) for name, y in courses.items() for day, v in enumerate(y)],
                         columns=["subject", "days", "value"])  # fmt: skip
    assert match(table, {})[OTHERS].skill == 0


# Invariance


def test_level_scale_and_order_do_not_matter():
    table = animals(late_rise, rng=np.random.default_rng(2), noise=0.5)
    moved = table.assign(value=7 * table["value"] - 3).sample(frac=1, random_state=0)
    one, other = match(table, BOTH), match(moved, BOTH)
    assert all(one[name].skill == pytest.approx(other[name].skill) for name in one)
    assert one["waits"].gains["line"].p == pytest.approx(other["waits"].gains["line"].p)


def test_days_before_the_plateau_and_unknown_values_do_not_count():
    table = animals(late_rise, rng=np.random.default_rng(5), noise=0.5)
    extra = pd.DataFrame({"subject": "s0", "days": [-3.0, 4.0, 40.0], "value": [90.0, np.nan, np.nan]})
    one, other = match(table, BOTH), match(pd.concat([table, extra]), BOTH)
    assert all(one[name].skill == pytest.approx(other[name].skill) for name in one)


def test_sessions_of_one_day_are_averaged():
    table = animals(late_rise, rng=np.random.default_rng(5), noise=0.5)
    apart = np.random.default_rng(6).normal(size=len(table))
    twice = pd.concat([table.assign(value=table["value"] + apart), table.assign(value=table["value"] - apart)])
    one, other = match(table, BOTH), match(twice, BOTH)
    assert all(one[name].skill == pytest.approx(other[name].skill) for name in one)


def test_more_seeds_are_no_more_evidence():
    table = animals(late_rise, rng=np.random.default_rng(6), noise=0.5)
    many = match(table, {"waits": Regime(LATE, np.repeat(WAITS.seeds, 50, axis=0))})["waits"]
    one = match(table, {"waits": WAITS})["waits"]
    assert (one.skill, one.gains["line"].p) == pytest.approx((many.skill, many.gains["line"].p))


# Size and power


def test_animals_on_a_line_rarely_speak_for_a_network():
    """Size: the best of twelve regimes beats the line in at most 5% where the line is the truth; it pays for the choice."""
    rng = np.random.default_rng(3)
    n = 300
    found = [match(animals(lambda t: t / 15, rng=rng, noise=1.0), grid(rng=rng))[ANY].gains["line"] for _ in range(n)]
    assert np.mean([gain.p <= 0.05 for gain in found]) <= 0.05


def test_animals_that_wait_speak_for_the_network_that_waits():
    rng = np.random.default_rng(4)
    found = [match(animals(late_rise, rng=rng, noise=0.25), BOTH) for _ in range(40)]
    assert np.mean([one["waits"].gains["line"].p <= 0.05 for one in found]) > 0.7
    assert np.mean([one["waits"].chosen == 1 for one in found]) > 0.9


def test_the_choice_among_ten_regimes_finds_a_late_rise():
    rng = np.random.default_rng(7)
    found = [match(animals(late_rise, rng=rng, noise=0.25), grid()) for _ in range(40)]
    assert np.mean([one[ANY].gains["line"].p <= 0.05 for one in found]) > 0.7


def test_a_falling_network_predicts_nothing():
    falling = {"falls": Regime(LATE, -WAITS.seeds)}
    assert match(animals(late_rise, rng=np.random.default_rng(5)), falling)["falls"].skill == 0.0


# Series, and too little


def test_seeds_are_counted_in_their_own_plateau():
    steps = np.geomspace(10, 10_000, 61)
    parts = [
        pd.DataFrame({"seed": seed, "step": steps, "plateau": plateau, "value": np.log(steps / plateau)})
        for seed, plateau in enumerate((50.0, 100.0))
    ]
    made = regime(pd.concat(parts))
    assert made.late[-1] == pytest.approx(np.log(100))
    np.testing.assert_allclose(made.seeds, np.tile(made.late, (2, 1)), atol=0.06)
    assert np.isnan(made.at(np.array([1e6]), 1.0)).all()


def test_a_network_that_learned_late_does_not_cut_the_others():
    steps = np.geomspace(10, 10_000, 61)
    rows = {
        seed: pd.DataFrame({"seed": seed, "step": steps, "plateau": plateau, "value": seed + np.log(steps)})
        for seed, plateau in enumerate((50.0, 100.0, 5000.0, np.nan))
    }
    made = regime(pd.concat(rows.values()))
    np.testing.assert_array_equal(made.seeds, regime(pd.concat([rows[0], rows[1]])).seeds)
    late_alone = regime(pd.concat([rows[2], rows[3]]))
    assert len(late_alone.seeds) == 1
    assert late_alone.reach == pytest.approx(1)


def test_a_regime_is_the_mean_of_its_seeds_and_rises_with_log_step():
    rng = np.random.default_rng(1)
    assert Regime(LATE, np.outer([0.0, 1, 5], LATE)).at(np.expm1(LATE[::8]), 1.0) == pytest.approx(2 * LATE[::8])
    seeds = np.outer(rng.normal(size=5), np.expm1(LATE)) / 10 + np.outer(rng.normal(size=5), LATE)
    slopes = [np.cov(LATE, one)[0, 1] / np.var(LATE, ddof=1) for one in seeds]
    assert Regime(LATE, seeds).p_rises == pytest.approx(ttest_1samp(slopes, 0, alternative="greater").pvalue)


def test_steps_in_any_order_and_seeds_without_a_plateau_above_0():
    series = pd.DataFrame({"seed": 1, "step": [1000, 10, 100], "plateau": 10.0, "value": [3.0, 0.0, 2.0]})
    zero = series.assign(seed=2, plateau=0.0)
    np.testing.assert_allclose(regime(pd.concat([series, zero]), n_late=3).seeds, [[0, 2, 3]])


def test_a_curve_at_many_time_constants_is_one_row_each():
    days, taus = np.arange(5.0), np.array([0.5, 2.0])
    np.testing.assert_array_equal(WAITS.at(days, taus), [WAITS.at(days, tau) for tau in taus])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame({"subject": ["a"], "value": [1.0]}), "lacks column 'days'"),
        (pd.DataFrame({"subject": ["a"] * 5, "days": range(5), "value": 1.0}), "1 of 3 subjects with 4 days"),
        (pd.DataFrame({"subject": list("abc") * 4, "days": 1.0, "value": 1.0}), "0 of 3 subjects with 4 days"),
    ],
)
def test_too_little_is_said(table, message):
    with pytest.raises(PiriformError, match=message):
        match(table, BOTH)


def test_constant_animals_are_refused():
    with pytest.raises(PiriformError, match="do not vary"):
        match(animals(np.zeros_like, rng=np.random.default_rng(0)), BOTH)


def test_a_network_that_stops_at_its_plateau_is_refused():
    with pytest.raises(PiriformError, match=r"end at 1\.05 times their plateau step; train them longer"):
        Regime(np.linspace(0, 0.05, 11), np.zeros((1, 11)))


def test_four_days_are_enough_and_three_are_not():
    few = animals(late_rise, rng=np.random.default_rng(0), n_days=(4, 4, 4))
    assert np.isfinite(match(few, {})["line"].skill)
    with pytest.raises(PiriformError, match="0 of 3 subjects with 4 days"):
        match(few[few["days"] < 3], {})


@pytest.mark.parametrize("step", [[5], [10, 10]])
def test_a_regime_without_steps_is_refused(step):
    with pytest.raises(PiriformError, match="no network has 2 steps"):
        regime(pd.DataFrame({"seed": 1, "step": step, "plateau": 10, "value": 0.0}))
