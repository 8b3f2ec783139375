"""How often is each group test wrong, and how often does it find a change, with four subjects?

Run with ``python -m benchmarks.group_tests``: it writes the tables of ``docs/group_tests.md``. All tests
see the same simulated studies.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.special import stdtr, stdtrit
from scipy.stats import chi2, nct, norm

from benchmarks.group_studies import CELLS, N_SUBJECTS, Studies, studies
from piriform.group_tests import moderated_variance, random_effects
from piriform.mixed import mixed_slope
from piriform.resampling import family_test, hierarchical_bootstrap, wild_bootstrap
from piriform.stats import group_mean, holm

DOC = Path(__file__).parent.parent / "docs" / "group_tests.md"
MARKS = ("<!-- made by benchmarks/group_tests.py -->", "<!-- end -->")
ALPHA, PRIOR_DFS = 0.05, (0.5, 1, 2, 3, 6)


def _t_test(mean: np.ndarray, variance: np.ndarray, df: float) -> np.ndarray:
    return stdtr(df, -mean / np.sqrt(variance))


def _two_stage(values: np.ndarray) -> np.ndarray:
    return _t_test(values.mean(axis=-1), values.var(axis=-1, ddof=1) / N_SUBJECTS, N_SUBJECTS - 1)


def _moderated(found: Studies, prior_df: float, floor: float = 0.0) -> np.ndarray:
    variance = moderated_variance(found.slope, found.se, prior_df=prior_df, floor=floor)
    return _t_test(found.slope.mean(axis=-1), variance / N_SUBJECTS, N_SUBJECTS - 1 + prior_df)


def _pooled(found: Studies) -> np.ndarray:
    """All days of all subjects as if independent: what must not be done."""
    day, y = (values - np.nanmean(values, axis=-1, keepdims=True) for values in (found.day, found.y))
    sxx, sxy, syy = (np.nansum(a * b, axis=(1, 2)) for a, b in ((day, day), (day, y), (y, y)))
    df = np.isfinite(found.y).sum(axis=(1, 2)) - N_SUBJECTS - 1
    return _t_test(sxy / sxx, (syy - sxy**2 / sxx) / df / sxx, df)


def _series(found: Studies, study: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(found.day[study], found.y[study], strict=True))


def _hierarchical(found: Studies) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([hierarchical_bootstrap(_series(found, i), rng=rng, n_draws=499).p for i in range(len(found.y))])


TESTS: dict[str, Callable[[Studies], np.ndarray]] = {
    "two-stage t": lambda found: _two_stage(found.plain),
    "two-stage t of autoregressive slopes": lambda found: _two_stage(found.slope),
    "the same, variance at least .5 within": lambda found: _moderated(found, 0, 0.5),
    **{f"moderated t, {d0:g} df": partial(_moderated, prior_df=d0) for d0 in PRIOR_DFS},
    "Hartung-Knapp": lambda found: _t_test(*random_effects(found.slope, found.se), N_SUBJECTS - 1),
    "wild bootstrap (Webb)": lambda found: np.array([wild_bootstrap(values).p for values in found.plain]),
    "sign flip": lambda found: np.array([wild_bootstrap(values, weights="sign").p for values in found.plain]),
    "hierarchical bootstrap": _hierarchical,
    "pooled days": _pooled,
}


def rates(n_studies: int, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """Return the share of studies with p <= .05, by test and cell; and of intervals that hold the true mean."""
    result: dict[str, dict[str, float]] = {name: {} for name in (*TESTS, "coverage")}
    for number, (name, cell) in enumerate(CELLS.items()):
        start, found = time.perf_counter(), studies(cell, n_studies, np.random.default_rng([seed, number]))
        for test, p in TESTS.items():
            result[test][name] = float(np.mean(p(found) <= ALPHA))
        spread = found.plain.std(axis=-1, ddof=1) / np.sqrt(N_SUBJECTS)
        off = np.abs(found.plain.mean(axis=-1) - np.mean(found.truth))
        result["coverage"][name] = float(np.mean(off <= stdtrit(N_SUBJECTS - 1, 0.975) * spread))
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return result


def mixed_rates(n_studies: int, *, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return, for some cells, the share of studies with p <= .05 of the mixed model, and without an answer."""
    result = {}
    for number, name in enumerate(CELLS):
        if name in ("rho 0", "rho .6", "tau 1", "tau 3", "2 SD"):
            found = studies(CELLS[name], n_studies, np.random.default_rng([seed, number]))
            p = np.array([mixed_slope(_series(found, i)).p for i in range(n_studies)])
            result[name] = float(np.mean(p <= ALPHA)), float(np.mean(np.isnan(p)))
    return result


def family_rates(n_studies: int, *, n_metrics: int = 5, seed: int = 0) -> dict[str, list[float]]:
    """Return, for metrics that correlate by .5 and by .9, what happens if none changes and if one does.

    The chance of any p <= .05; and the chance that the metric whose mean is twice its SD is found.
    """
    result: dict[str, list[float]] = {"no correction": [], "Holm": [], "maximum (Webb)": []}
    for shared in (0.5, 0.9):
        rng = np.random.default_rng([seed, int(10 * shared)])
        one, common = rng.normal(size=(n_studies, N_SUBJECTS, n_metrics)), rng.normal(size=(n_studies, N_SUBJECTS, 1))
        values = np.sqrt(1 - shared) * one + np.sqrt(shared) * common
        for shift in (0.0, 2.0):
            values[..., 0] += shift
            own = [np.array([group_mean(column).p for column in study.T]) for study in values]
            found = own, [holm(p) for p in own], [family_test(study).p for study in values]
            for name, many in zip(result, found, strict=True):
                hits = np.array(many) <= ALPHA
                result[name].append(float(np.mean(hits[:, 0] if shift else hits.any(axis=1))))
    return result


def single_rates(n_studies: int, *, seed: int = 0) -> dict[str, tuple[float, ...]]:
    """Return false alarms of a single subject's slope: independent days, its own rho, the study's rho."""
    result = {}
    for number, name in enumerate(("rho 0", "rho .3", "rho .6")):
        found = studies(CELLS[name], n_studies, np.random.default_rng([seed, number]))
        df = np.isfinite(found.y).sum(axis=-1) - 2
        pairs = ((found.plain, found.plain_se), (found.own, found.own_se), (found.slope, found.se))
        result[name] = tuple(float(np.mean(stdtr(df, -slope / se) <= ALPHA)) for slope, se in pairs)
    return result


def best_power(signal: float) -> tuple[float, float]:
    """Return the power of the two-stage t, and the most that any test of 5% false alarms at every tau can have.

    ``signal`` is the change over its standard error. The best test may know the sampling variance exactly;
    it rejects on a set of (mean, variance between subjects), found on a grid by linear programming.
    """
    df = N_SUBJECTS - 1
    mean, variance = np.r_[np.linspace(0, 12, 121), np.inf], np.r_[0, np.geomspace(0.02, 60, 60), np.inf]

    def chance(total: float, shift: float) -> np.ndarray:
        of_mean = np.diff(norm.cdf((mean - shift) / np.sqrt(total)))
        return np.outer(of_mean, np.diff(chi2.cdf(variance * df / total, df))).ravel()

    nulls = np.array([chance(total, 0.0) for total in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 14, 20, 30)])
    best = linprog(-chance(1.0, signal), A_ub=nulls, b_ub=np.full(len(nulls), ALPHA), bounds=(0, 1))
    return float(nct.sf(stdtrit(df, 1 - ALPHA), df, signal)), float(-best.fun)


def page(n_studies: int, n_mixed: int) -> str:
    """Return the generated part of the page."""
    limit = ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / n_studies)
    found = rates(n_studies)
    coverage = found.pop("coverage")
    null = [name for name, cell in CELLS.items() if not cell.effect]
    plain, best = best_power(2 * np.sqrt(N_SUBJECTS * 1.1))
    steady = [name for name, cell in CELLS.items() if not cell.one]
    parts = [
        f"{n_studies:,} studies a column; bold: above {limit:.3f}, two standard errors over .05.",
        "False alarms:",
        _table(
            null,
            {
                test: [f"**{row[name]:.3f}**" if row[name] > limit else f"{row[name]:.3f}" for name in null]
                for test, row in found.items()
            },
        ),
        "Power, for a change over the window of so many day-to-day SDs:",
        _table(
            list(CELLS)[len(null) :], {t: [f"{v:.2f}" for v in list(r.values())[len(null) :]] for t, r in found.items()}
        ),
        f"The 95% interval of the two-stage t holds the true mean slope in {min(coverage[n] for n in steady):.1%} to "
        f"{max(coverage[n] for n in steady):.1%} of studies (columns in which all subjects share it).",
        "The most that any test could reach that has 5% false alarms at every tau, even if it knew the sampling variance "
        f"(11 days, rho 0): {best:.3f} at 2 SD, where the two-stage t has {plain:.3f}.",
        f"MixedLM, {n_mixed} studies a column (share with p <= .05 / share without an answer):",
        _table(list(rows := mixed_rates(n_mixed)), {"MixedLM": [f"{p:.2f} / {none:.2f}" for p, none in rows.values()]}),
        "Five metrics that correlate by .5 or .9 (false alarm in any; power for one whose mean is twice its SD):",
        _table(
            [f"{what}, {r}" for r in (".5", ".9") for what in ("none changes", "one changes")],
            {name: [f"{value:.3f}" for value in row] for name, row in family_rates(n_studies // 2).items()},
        ),
        "One subject's slope, 9-13 days, false alarms:",
        _table(
            ["independent days", "its own rho", "rho of the study"],
            {name: [f"{value:.3f}" for value in row] for name, row in single_rates(n_studies // 2).items()},
        ),
    ]
    return "\n\n".join(parts)


def _table(columns: list[str], rows: dict[str, list[str]]) -> str:
    lines = [["", *columns], ["---"] * (len(columns) + 1), *([name, *cells] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(n_studies: int = 8_000, n_mixed: int = 100) -> None:
    """Write the generated part of the page."""
    head, rest = DOC.read_text().split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    DOC.write_text(f"{head}{MARKS[0]}\n\n{page(n_studies, n_mixed)}\n\n{MARKS[1]}{tail}")


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:3]))
