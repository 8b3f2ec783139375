"""Trial tensors with a known answer, for the tests of measures, views and scripts."""

import numpy as np
import pandas as pd

from piriform.trials import make_trials


def session_tensor(
    rng, *, gap=1.0, n_trials=120, n_units=8, session="day-01", day=1, subject="Q", phase="overtraining",
    probes=0, tracked=False,
):  # fmt: skip
    """A session in which unit 0 separates target from nontarget by ``gap`` SDs in the response window."""
    category = np.array(["target", "nontarget", "target", "nontarget_repeat_1", "target", "nontarget_repeat_2"] * 40)
    category = category[:n_trials]
    if probes:
        category = np.insert(category, np.linspace(5, n_trials - 5, probes).astype(int), "probe_1")
    kind = np.array([name.split("_")[0] for name in category])
    novel = np.array([f"n{number}" for number in rng.integers(0, 12, len(category))])
    stimulus = np.where(category == "nontarget", novel, category)
    response = rng.normal(10, 1, size=(len(category), n_units, 4))
    response[:, 0, 2:] += np.where(kind == "target", gap, 0.0)[:, None]
    trials = pd.DataFrame(
        {
            "stimulus": stimulus,
            "category": category,
            "stratum": category,
            "class": kind,
            "correct": 1.0,
            "start_time": np.arange(len(category)) * 6.0,
        }
    )
    return make_trials(
        response,
        time=np.array([-0.15, -0.05, 0.05, 0.15]),
        trials=trials,
        unit_id=range(n_units),
        tracked_id=[f"u{i}" for i in range(n_units)] if tracked else None,
        attrs={
            "units": "spikes/s", "subject": subject, "session": session, "day": day, "phase": phase,
            "source_file": "made.nwb", "source_sha256": "0" * 64, "bin_width": 0.1,
        },
    )  # fmt: skip
