"""Metric and behaviour tables on straight lines, for the tests of trends and verdict."""

import pandas as pd

from piriform.config import Verdict

PRIMARY = Verdict().primary
SUBJECTS = "QRST"
GROWTH = {"Q": 0.5, "R": 0.3, "S": 0.4, "T": 0.6}  # per 10 days
STILL = {"Q": 0.1, "R": -0.1, "S": 0.05, "T": -0.04}


def metric_rows(slopes, *, metric=PRIMARY, stimuli="all", matching="matched", days=range(1, 15), start=1.0, first=5):
    """One row per subject and day on a straight line through ``start`` on day 0; no noise."""
    rows = [
        {"subject": subject, "session": f"{day:02d}", "day": day, "value": start + slope * day / 10}
        | {"phase": "overtraining" if day >= first else "training"}
        for subject, slope in slopes.items()
        for day in days
    ]
    filled = {"source": "neural", "metric": metric, "stimuli": stimuli, "matching": matching, "status": "ok"}
    counts = {"n_trials": 100, "n_units": 10, "n_draws": 20, "n_permutations": 100}
    return pd.DataFrame(rows).assign(**filled, **counts, sd_draws=0.1, null_mean=0.0, null_sd=0.1, p=0.01, p_max=0.05)


def behavior_rows(slopes, *, days=range(1, 15), top=0.9, first=5, n_trials=200, plateau=5.0):
    rows = [
        {"subject": subject, "session": f"{day:02d}", "day": day, "accuracy": top + slope * day / 10}
        | {"phase": "overtraining" if day >= first else "training"}
        for subject, slope in slopes.items()
        for day in days
    ]
    table = pd.DataFrame(rows).assign(n_trials=n_trials, ci_low=0.0, ci_high=1.0, latency_s=0.5, plateau_day=plateau)
    return table.assign(**{"class": "all"})


FLAT = {"Q": 0.01, "R": -0.01, "S": 0.005, "T": 0.0}
