"""What does the pipeline say about one simulated study? From spike counts to a verdict, without files.

Everything after the counts is the pipeline's own code: mapping of trials, inclusion, trial tensors,
measures, behaviour and verdict.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform.align import bin_centres
from piriform.calibrate.scenarios import study_seed, truth_of
from piriform.calibrate.tables import NAIVE
from piriform.config import Response
from piriform.measure import MODULATION, session_metrics
from piriform.nwb import Activity
from piriform.prepare import Session, session_of, tensor_of, with_behavior
from piriform.progress import detect
from piriform.simulate import SessionTruth, Truth, simulate_counts, study_courses
from piriform.tables import empty_table
from piriform.task import composition, matched_counts

#: Stimuli and matching of a naive metric.
FULL = ("all", "full")


def study_row(scenario: str, study: int, *, settings: Any) -> dict[str, Any]:
    """Simulate and judge one study.

    Parameters
    ----------
    scenario : name in ``piriform.simulate.SCENARIOS``
    study : its number, from 0
    settings : ``seed``, ``calibrate`` and the config's sections that the pipeline uses, as attributes

    Returns
    -------
    dict
        ``scenario``, ``study``, ``seed``; ``verdict`` and ``verdict_no_fixed``, that of the same study
        if it had no fixed stimuli; of the primary metric ``n_subjects``, ``effect`` (mean slope per 10
        days), ``ci_low``, ``ci_high`` and ``p``; ``fixed_p``; ``flat_p``, ``behavior_effect``; and
        the p of each metric of ``NAIVE``.
    """
    seed = study_seed(settings.seed, scenario, study)
    sessions = simulated_study(scenario, seed=seed, settings=settings)
    who = {"scenario": scenario, "study": study, "seed": seed}
    return who | judged(*tables_of(sessions, seed, settings), settings)


def simulated_study(scenario: str, *, seed: int, settings: Any) -> list[list[tuple[Session, np.ndarray]]]:
    """Return the sessions of each subject with their (n_trials, n_units, n_bins) rates.

    Sessions before overtraining are left out where nothing of the verdict depends on them: the
    phases come with the trials, and the primary metric needs no numbers matched over all days.
    """
    chosen = settings.calibrate
    truth = truth_of(scenario, chosen.parameters)
    everything = settings.phases.column is None or settings.verdict.primary != MODULATION
    return [
        [
            _session(truth, session, seed, settings)
            for session in course
            if everything or session.phase == "overtraining"
        ]
        for course in study_courses(truth, subjects=chosen.subjects, days=chosen.days, seed=seed).values()
    ]


def tables_of(
    study: Sequence[Sequence[tuple[Session, np.ndarray]]], seed: int, settings: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables ``metrics`` and ``behavior`` of a simulated study."""
    metrics: list[dict[str, Any]] = []
    tables = []
    for subject in filter(len, study):
        sessions, behavior = with_behavior(
            [session for session, _ in subject], phases=settings.phases, plateau=settings.plateau
        )
        tables.append(behavior)
        rates = [rate for _, rate in subject]
        tensors = [_tensor(*pair, settings) for pair in zip(sessions, rates, strict=True)]
        metrics += _measured([tensor for tensor in tensors if tensor is not None], seed, settings)
    behavior = pd.concat(tables, ignore_index=True) if tables else empty_table("behavior")
    return pd.DataFrame(metrics) if metrics else empty_table("metrics"), behavior


def judged(metrics: pd.DataFrame, behavior: pd.DataFrame, settings: Any) -> dict[str, Any]:
    """Return the verdict on a study, with and without its fixed stimuli, and the numbers behind it.

    Without fixed stimuli there is hidden progress where the two other parts pass, and otherwise the
    same verdict.
    """
    result = detect(metrics, behavior, verdict=settings.verdict, beside=False)
    primary, acted = result["primary"], result["behavior"]
    two_parts = primary["rises"] and acted["flat"]
    naive = {row["metric"]: row["p"] for row in result["secondary"] if (row["stimuli"], row["matching"]) == FULL}
    return {
        "verdict": result["verdict"],
        "verdict_no_fixed": "hidden progress" if two_parts else result["verdict"],
        "n_subjects": primary["n_subjects"],
        "effect": primary["effect"],
        "ci_low": primary["ci"][0],
        "ci_high": primary["ci"][1],
        "p": primary["p"],
        "fixed_p": result["fixed"]["p"] if result["fixed"] else np.nan,
        "flat_p": acted["p_flat"],
        "behavior_effect": acted["effect"],
        **{f"naive_{name}": naive.get(name, np.nan) for name in NAIVE},
    }


def _session(truth: Truth, session: SessionTruth, seed: int, settings: Any) -> tuple[Session, np.ndarray]:
    """One session's trials in our terms, and its rates in the bins that are analysed."""
    response = _analysed(settings.response)
    edges = np.append(bin_centres(response.window, response.bin) - response.bin / 2, response.window[1])
    simulated = simulate_counts(truth, session, seed=seed, edges=tuple(np.round(edges, 9)))
    row = {"subject": session.subject, "session": session.session, "day": session.day, "phase": session.phase}
    mapped = session_of(
        row | {"file": "simulated", "sha256": "", "included": True, "reason": ""},
        simulated.task.trials,
        **{name: getattr(settings, name) for name in ("trials", "classes", "phases")},
    )
    return mapped, (simulated.counts[mapped.trials.index] / response.bin).astype(np.float32)


def _analysed(response: Response) -> Response:
    """The same response cut to the windows that are measured: other bins need no counts."""
    windows = [window for window in (response.baseline_window, response.response_window) if window is not None]
    ends = (min(start for start, _ in windows), max(stop for _, stop in windows))
    return response.model_copy(update={"window": ends})


def _tensor(session: Session, rates: np.ndarray, settings: Any) -> xr.DataArray | None:
    names = [str(unit) for unit in range(rates.shape[1])]
    units = Activity(kind="units", unit_id=names, tracked_id=[""] * len(names))
    parts = {"classes": settings.classes, "inclusion": settings.inclusion}
    return tensor_of(session, rates, units, response=_analysed(settings.response), **parts)[1]


def _measured(tensors: Sequence[xr.DataArray], seed: int, settings: Any) -> list[dict[str, Any]]:
    """Rows of the primary metric, and of the naive ones on full sessions, in the overtraining sessions."""
    seen = {"response": settings.response, "classes": settings.classes}
    primary = settings.measures.model_copy(update={"metrics": [settings.verdict.primary], "n_permutations": 0})
    naive = primary.model_copy(
        update={"metrics": [name for name in NAIVE if name not in primary.metrics], "n_draws": 1}
    )
    counts = matched_counts(tensors, measures=primary, inclusion=settings.inclusion, **seen)
    same: dict[str, Any] = {"shares": composition(tensors, **seen), "seed": seed}
    whole: dict[str, Any] = {"n_units": counts["n_units"], "n_trials": {"all": counts["n_trials"].get("all", 0)}}
    rows = []
    for tensor in tensors:
        if tensor.attrs["phase"] == "overtraining":
            rows += session_metrics(tensor, measures=primary, **seen, **counts, **same, matchings=["matched"])
            rows += session_metrics(tensor, measures=naive, **seen, **whole, **same, matchings=["full"])
    return rows
