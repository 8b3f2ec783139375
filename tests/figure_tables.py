"""Small studies as tables, made up, for the tests of figures and report."""

from typing import Any

import numpy as np
import pandas as pd

from piriform.tables import TABLES, check_table, empty_table

PLATEAU = 6


def study(n_subjects: int = 3, n_days: int = 12, *, seed: int = 1) -> dict[str, pd.DataFrame]:
    """Tables of a study in which behaviour stops at day 6 and the primary metric goes on."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in TABLES}
    for subject in "QRSTUVWXYZ"[:n_subjects]:
        for day in range(1, n_days + 1):
            phase = "overtraining" if day > PLATEAU else "training"
            who = {"subject": subject, "session": f"ses-{day:02d}", "day": day, "phase": phase}
            rows["sessions"].append(_session(who))
            rows["behavior"] += _behavior(who, rng)
            rows["metrics"] += _metrics(who, rng)
            rows["ladder"] += _ladder(who)
            rows["predictions"] += _predictions(who, rng)
            rows["dynamics"] += _dynamics(who, rng)
            rows["similarity"] += _similarity(who, rng)
            rows["scatter"] += _scatter(who, rng)
        rows["transitions"] += _transitions(subject, n_days)
    return {kind: _table(found, kind) for kind, found in rows.items()}


def passive(n_subjects: int = 10) -> dict[str, pd.DataFrame]:
    """Tables of a study with one session per subject, many classes and no behaviour."""
    rng = np.random.default_rng(2)
    rows: dict[str, list[dict[str, Any]]] = {"sessions": [], "metrics": [], "dynamics": [], "similarity": []}
    for number in range(1, n_subjects + 1):
        who = {"subject": f"rec-{number:02d}", "session": "ses-01", "day": 1, "phase": ""}
        rows["sessions"].append(_session(who))
        for metric in ("decoding_accuracy", "separation_crossnobis", "participation_ratio", "separation_dprime"):
            missing = metric == "separation_dprime"
            row = _metric(who, metric, np.nan if missing else 0.14 + 0.02 * number, null=0.067)
            rows["metrics"].append(row | ({"status": "needs the classes target and nontarget"} if missing else {}))
        rows["dynamics"] += [row | {"margin": np.nan} for row in _dynamics(who, rng) if _own_time(row)]
        names = [f"odour {index}" for index in range(15)]
        rows["similarity"] += [
            who | {"category_a": a, "category_b": b, "correlation": 0.6 if a == b else rng.uniform(0.1, 0.4), "n_pairs": 90}
            for a in names
            for b in names
        ]  # fmt: skip
    filled = {kind: _table(found, kind) for kind, found in rows.items()}
    return {kind: filled.get(kind, empty_table(kind)) for kind in TABLES}


def verdict(subjects: str = "QRS") -> dict[str, Any]:
    """A verdict with every part filled in."""
    return {
        "verdict": "hidden progress",
        "sentence": "Separation d' goes on rising after behaviour has stopped.",
        "primary": {"metric": "separation_dprime", "effect": 0.05, "ci": [0.02, 0.08], "p": 0.01, "unit": "noise SDs per day"},
        "fixed": {"metric": "separation_dprime", "effect": 0.04, "ci": [0.01, 0.07], "p": 0.02},
        "behavior": {"effect": 0.004, "ci": [-0.01, 0.02], "p": 0.01, "bound": 0.05},
        "subjects": [
            {"subject": name, "n_sessions": 6, "slope": 0.05 + 0.01 * index, "ci": [0.0, 0.1], "behavior_slope": 0.01,
             "included": index < 2, "reason": "" if index < 2 else "too few sessions"}
            for index, name in enumerate(subjects)
        ],
        "secondary": [{"metric": "decoding_accuracy", "effect": 0.01, "ci": [0.0, 0.02], "p": 0.03, "p_holm": 0.06}],
        "settings": {"alpha": 0.05},
        "versions": {"python": "3.11"},
        "missing": [],
        "config_sha256": "ab" * 32,
    }  # fmt: skip


def _table(rows: list[dict[str, Any]], kind: str) -> pd.DataFrame:
    """A checked table; columns that the rows leave out are empty."""
    return check_table(pd.DataFrame(rows).reindex(columns=list(TABLES[kind])), kind)


def _session(who: dict[str, Any]) -> dict[str, Any]:
    return who | {
        "date": f"2022-03-{who['day']:02d}T10:00:00",
        "file": f"{who['subject']}_{who['session']}.nwb",
        "sha256": "0" * 64,
        "version": "",
        "included": True,
        "reason": "",
        "n_units": 14,
        "n_trials": 180,
        "n_units_excluded": 1,
        "n_trials_excluded": 3,
        "units_excluded": "rate below 0.1 spikes/s: 7",
        "trials_excluded": "no event time: 1, 2; no choice after the last one: 190",
    }


def _behavior(who: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    true = 0.5 + 0.43 / (1 + np.exp(-(who["day"] - 3.5) * 1.3))
    rows = []
    for name, n in (("all", 200), ("target", 100), ("nontarget", 100)):
        share = rng.binomial(n, true) / n
        half = 1.96 * np.sqrt(share * (1 - share) / n)
        rows.append(
            who
            | {"class": name, "n_trials": n, "accuracy": share, "ci_low": max(share - half, 0.0)}
            | {"ci_high": min(share + half, 1.0), "latency_s": 0.8, "plateau_day": PLATEAU}
        )
    return rows


def _metric(who: dict[str, Any], metric: str, value: float, *, null: float, **other: Any) -> dict[str, Any]:
    row = {"source": "neural", "metric": metric, "stimuli": "all", "matching": "matched", "value": value}
    row |= {
        "sd_draws": 0.02,
        "null_mean": null,
        "null_sd": 0.02,
        "p": 0.01,
        "p_max": 0.05,
        "n_trials": 100,
        "n_units": 8,
    }
    return who | row | {"n_draws": 20, "n_permutations": 100, "status": "ok"} | other


def _metrics(who: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    growth = 0.08 * who["day"]
    values = {
        "decoding_accuracy": (0.55 + growth / 4, 0.5),
        "decoding_auc": (0.57 + growth / 4, 0.5),
        "separation_dprime": (0.4 + growth, 0.0),
        "separation_crossnobis": (0.1 + growth / 2, 0.0),
        "similarity_dot_cv": (-growth / 3, 0.0),
        "margin_heldout": (0.3 + growth / 2, 0.0),
        "margin_soft": (0.8 - growth / 3, np.nan),
        "generalization_stimulus": (0.54 + growth / 5, 0.5),
        "generalization_probe_1": (0.52 + growth / 6, 0.5),
        "participation_ratio": (5.0, np.nan),
    }
    rows = []
    for metric, (value, null) in values.items():
        noisy = value * (1 + rng.normal(scale=0.07))
        rows.append(_metric(who, metric, noisy, null=null + rng.normal(scale=0.01)))
        rows.append(_metric(who, metric, 1.1 * noisy, null=null, matching="full"))
        rows.append(_metric(who, metric, 0.9 * noisy, null=null, stimuli="fixed"))
    return rows


def _predictions(who: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    margins = rng.normal(0.1 * who["day"], 1.0, size=40)
    return [
        who
        | {"trial": trial, "stimulus": "abc", "class": ("target", "nontarget")[trial % 2], "decision_value": margin}
        | {"margin": margin, "predicted": "target", "animal_correct": 1.0}
        for trial, margin in enumerate(margins)
    ]


def _dynamics(who: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for train in (-0.1, 0.0, 0.1, 0.2):
        for test in (-0.1, 0.0, 0.1, 0.2):
            growth = 0.02 * who["day"] * (min(train, test) > 0) + rng.normal(scale=0.01)
            row = {"train_time": train, "test_time": test, "accuracy": 0.5 + growth, "margin": 3 * growth}
            row |= {"null_mean": np.nan, "null_sd": np.nan, "p": np.nan, "p_max": np.nan, "n_permutations": 0}
            rows.append(who | row | {"n_trials": 100, "n_units": 8, "n_draws": 5, "status": "ok"})
    return rows


def _own_time(row: dict[str, Any]) -> bool:
    return row["train_time"] == row["test_time"]


def _transitions(subject: str, n_days: int) -> list[dict[str, Any]]:
    """The target `abc` steps up in the middle; the nontarget is shown too rarely."""
    who = {"subject": subject, "stimulus": "abc", "class": "target", "source": "decoder", "n_days": n_days}
    days = {"first_day": 1, "last_day": n_days, "day_of_change": n_days // 2 + 1, "n_trials": 20 * n_days}
    fits = {"before": 0.2, "after": 0.9, "smooth_first": 0.1, "smooth_last": 0.95, "lambda": 4.0}
    tested = who | days | fits | {"p": 0.002, "q": 0.01, "p_saturating": 0.03, "wrong_to_right": True}
    rare = who | {"class": "nontarget", "n_days": 0, "n_trials": 0, "wrong_to_right": False}
    return [tested | {"status": "abrupt"}] * (n_days >= 6) + [rare | {"status": "untestable: too few"}]


def _ladder(who: dict[str, Any]) -> list[dict[str, Any]]:
    """On each rung but the last the separation grows by one a day; with all controls it is 2 on all days."""
    controls = ("none", "units", "units, drift", "units, drift, composition", "units, drift, composition, gain")
    rest = {"source": "neural", "stimuli": "all", "n_units": 12, "status": "ok"}
    return [
        who | rest | {"rung": rung, "controls": name, "value": float(who["day"]) if rung < 4 else 2.0}
        for rung, name in enumerate(controls)
    ]


def _similarity(who: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    names = ("nontarget", "nontarget_repeat_1", "probe_1", "target")
    rows = []
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            value = 0.5 if i == j else 0.3 - 0.02 * who["day"] * ("target" in (a, b))
            rows.append(who | {"category_a": a, "category_b": b, "correlation": value, "n_pairs": 100})
    return rows


def _scatter(who: dict[str, Any], rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for trial in range(40):
        name = ("target", "nontarget")[trial % 2]
        x, y = rng.normal(size=2)
        x += 0.1 * who["day"] * (1 if name == "target" else -1)
        rows.append(who | {"trial": trial, "class": name, "axis_1": x, "axis_2": y, "axes": "decoder"})
    return rows
