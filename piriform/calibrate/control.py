"""Do real recordings give p at the nominal rate once labels or days are shuffled? Negative controls.

A study with one subject gets no group test. Its units are therefore split at random into
pseudo-subjects, and labels (or days) are shuffled in each of them independently: given the data
their slopes are then independent and of mean zero, which is what the group test needs. It is no
test of how much real subjects differ.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from piriform.measure import session_metrics
from piriform.prepare import session_tensor, subject_sessions
from piriform.progress import detect
from piriform.provenance import rng_for
from piriform.splits import permutations, time_blocks
from piriform.stats import weighted_slope
from piriform.study import find_files, index_study
from piriform.task import composition, matched_counts

#: Coordinates of a trial that say what was presented; they are shuffled together.
LABELS = ("stimulus", "category", "class", "stratum")
N_GROUPS = 4


def recordings(data: str | Path, *, settings: Any) -> tuple[list[xr.DataArray], pd.DataFrame]:
    """Return the trial tensors of the overtraining sessions of the first subject in a folder, and its behaviour."""
    index = index_study(find_files(str(data)), days=settings.phases.days)
    own = index[index["included"] & (index["subject"] == index["subject"].min())]
    parts = {name: getattr(settings, name) for name in ("trials", "classes", "phases", "plateau")}
    sessions, behavior = subject_sessions(own, **parts)
    parts = {name: getattr(settings, name) for name in ("response", "classes", "inclusion")}
    tensors = [session_tensor(session, **parts)[1] for session in sessions]
    late = [tensor for tensor in tensors if tensor is not None and tensor.attrs["phase"] == "overtraining"]
    return late, behavior


def shuffled_labels(tensor: xr.DataArray, *, n_blocks: int, rng: np.random.Generator) -> xr.DataArray:
    """Return the tensor with what was presented permuted over trials within runs of time."""
    order = permutations(time_blocks(tensor.sizes["trial"], n_blocks), 1, rng=rng)[1]
    return tensor.assign_coords({name: ("trial", tensor[name].values[order]) for name in LABELS})


def session_ps(tensors: Sequence[xr.DataArray], *, settings: Any, repeats: int, n_permutations: int = 99) -> np.ndarray:
    """Return the p of the primary metric in each session under shuffled labels, (repeats * n_sessions,)."""
    measures = settings.measures.model_copy(update={"n_permutations": n_permutations})
    values = []
    for repeat in range(repeats):
        rng = rng_for(settings.seed, "control", "sessions", repeat)
        drawn = [shuffled_labels(tensor, n_blocks=measures.n_permutation_blocks, rng=rng) for tensor in tensors]
        values += [row["p"] for row in _rows(drawn, settings, measures, seed=repeat)]
    return np.array(values)


def study_results(
    tensors: Sequence[xr.DataArray], behavior: pd.DataFrame, *, settings: Any, shuffle: str, repeats: int
) -> pd.DataFrame:
    """Return the verdict on pseudo-subjects with shuffled labels or days, one row per repeat.

    Parameters
    ----------
    tensors, behavior : of one subject, see :func:`recordings`; every pseudo-subject has its behaviour
    shuffle : ``labels``, or ``days`` (the labels stay true)

    Returns
    -------
    DataFrame with columns ``verdict``, ``p`` (primary metric) and ``flat_p``
    """
    rows = []
    for repeat in range(repeats):
        rng = rng_for(settings.seed, "control", shuffle, repeat)
        metrics: list[dict[str, Any]] = []
        for name, units in zip("ABCDEFGH", _groups(tensors, rng), strict=False):
            parts = [tensor.isel(unit=units).assign_attrs(subject=name) for tensor in tensors]
            if shuffle == "labels":
                n_blocks = settings.measures.n_permutation_blocks
                parts = [shuffled_labels(part, n_blocks=n_blocks, rng=rng) for part in parts]
            found = _rows(parts, settings, settings.measures, seed=repeat)
            order = rng.permutation(len(found)) if shuffle == "days" else np.arange(len(found))
            days = [{"day": found[place]["day"], "session": found[place]["session"]} for place in order]
            metrics += [row | day for row, day in zip(found, days, strict=True)]
        acted = pd.concat([behavior.assign(subject=name) for name in sorted({row["subject"] for row in metrics})])
        result = detect(pd.DataFrame(metrics), acted, verdict=settings.verdict)
        rows.append((result["verdict"], result["primary"]["p"], result["behavior"]["p_flat"]))
    return pd.DataFrame(rows, columns=["verdict", "p", "flat_p"])


def slope_ps(tensors: Sequence[xr.DataArray], *, settings: Any, repeats: int) -> np.ndarray:
    """Return the p of one subject's least-squares slope when its days come in random order, (repeats,)."""
    found = _rows(tensors, settings, settings.measures, seed=0)
    day, value = (np.array([row[name] for row in found], dtype=float) for name in ("day", "value"))
    rng = rng_for(settings.seed, "control", "slope")
    return np.array([weighted_slope(day, rng.permutation(value)).p for _ in range(repeats)])


def _groups(tensors: Sequence[xr.DataArray], rng: np.random.Generator) -> list[np.ndarray]:
    """Positions of the units of each pseudo-subject, the same on all days."""
    return np.array_split(rng.permutation(min(tensor.sizes["unit"] for tensor in tensors)), N_GROUPS)


def _rows(tensors: Sequence[xr.DataArray], settings: Any, measures: Any, *, seed: int) -> list[dict[str, Any]]:
    """The primary metric on matched numbers and all stimuli, one row per session."""
    seen = {"response": settings.response, "classes": settings.classes}
    only = measures.model_copy(update={"metrics": [settings.verdict.primary]})
    counts = matched_counts(tensors, measures=only, inclusion=settings.inclusion, **seen)
    counts["n_trials"] = {"all": counts["n_trials"]["all"]}
    same: dict[str, Any] = {"shares": composition(tensors, **seen), "seed": seed, "matchings": ["matched"]}
    return [row for tensor in tensors for row in session_metrics(tensor, measures=only, **seen, **counts, **same)]
