"""Do networks arrange the conditions as the animals do, and do animals move towards the overtrained networks?

From the table ``rdms`` to the table ``representations``. An animal's RDM is the mean over its overtraining sessions; a
candidate's is the mean over the networks of a regime at a stage of training, or a model that knows no network.
The unit of inference is the animal; for differences between candidates animals and networks are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from piriform.errors import MeasureError
from piriform.movement import agreement, movement, unit
from piriform.rdm_sets import Candidate, RdmSets, mean_rdm, rdm_sets
from piriform.rdms import SHARED, TARGET
from piriform.rsa import METHODS, noise_ceiling, rdm_similarity
from piriform.stats import group_mean, holm
from piriform.tables import check_table
from piriform.tables.networks import WINDOWS

MIN_CONDITIONS = 3
#: Sessions of an animal that its movement needs; share of each animal's sessions in which a condition must be known.
MIN_SESSIONS, MOST_SESSIONS = 4, 0.8
#: Mean cosine between the seeds' changes from plateau to end, from which on these are one direction.
MIN_AGREEMENT = 0.5
ONE_NETWORK = "one network: no interval and no test"
NO_PLATEAU = "no network of this regime reached its plateau"
NO_DIRECTION = "between plateau and end the geometry of these networks does not change, or not alike in all seeds"
FEW_SESSIONS = f"fewer than {MIN_SESSIONS} sessions with all of these conditions in every animal"
NO_INTERVAL = ("one animal: no interval and no test", "the same for all animals: no interval and no test")
NO_SCORE = "undefined: the strata are no numbers of odorants, or all distances are 0"


def representations(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table ``representations``: how alike the geometry of animals and of each candidate is.

    Parameters
    ----------
    table : table ``rdms`` of animals, networks and models

    Returns
    -------
    DataFrame
        Scores of all candidates with the noise ceiling, for all overtraining sessions and their halves; over all of
        them the differences end minus plateau, minus start and minus ``shared odorants``, with a one-sided t-test
        over animals and networks; and the movement from plateau to end, see :func:`piriform.movement.movement`. Where fewer
        than 3 conditions are known in all animals and networks, one row says so in ``status``.
    """
    sets = rdm_sets(table)
    rows = [row for sessions in WINDOWS for row in _score_rows(sets, sessions)]
    rows = rows + movement_rows(sets) if any(row["score"] for row in rows) else rows[:1]
    found = pd.DataFrame(rows).assign(p_holm=np.nan)
    for _, family in found[found["stage"] != ""].groupby(["score", "minus"]):
        found.loc[family.index, "p_holm"] = holm(family["p"])
    return check_table(found, "representations")


def animal_scores(sets: RdmSets, sessions: str, method: str) -> tuple[list[str], dict[Candidate, np.ndarray]]:
    """Return the conditions that are compared, and the score of each candidate for each animal.

    Returns
    -------
    conditions : names; all pairs of them are known in all animals and networks
    scores : (n_subjects,) array by candidate; empty with fewer than ``MIN_CONDITIONS`` conditions
    """
    animals, networks = [one.mean(sessions) for one in sets.animals.values()], sets.of_networks()
    conditions = sets.known([*animals, *networks.values()]) if animals and networks else []
    if len(conditions) < MIN_CONDITIONS:
        return conditions, {}
    columns, values = sets.columns(conditions), np.array(animals)
    candidates = networks | {(name, ""): rdm for name, rdm in sets.models.items()}
    return conditions, {
        key: rdm_similarity(values[:, columns], rdm[columns], method=method)[:, 0] for key, rdm in candidates.items()
    }


def _score_rows(sets: RdmSets, sessions: str) -> list[dict[str, Any]]:
    """Scores of every candidate, and of all sessions the differences between stages."""
    rows = []
    for method in METHODS:
        conditions, scores = animal_scores(sets, sessions, method)
        if not scores:
            row = _row(sessions, "", ("", ""), status=_missing(sets, sessions, conditions))
            return [row | {"n_subjects": len(sets.animals)}]
        columns = sets.columns(conditions)
        values = np.array([one.mean(sessions)[columns] for one in sets.animals.values()])
        ceiling = noise_ceiling(values, method=method) if len(values) > 1 else (np.nan, np.nan)
        common = {"conditions": ", ".join(conditions)}
        rows += [
            _row(sessions, method, key, values=values, p=False, ceiling=ceiling) | common
            for key, values in scores.items()
        ]
        rows += [
            _row(sessions, method, (regime, "plateau"), status=NO_PLATEAU) | common
            for regime in sets.networks
            if (regime, "plateau") not in scores
        ]
        if sessions == WINDOWS[0]:
            rows += [row | common for row in difference_rows(sets, conditions, method)]
    return rows


def difference_rows(sets: RdmSets, conditions: Sequence[str], method: str) -> list[dict[str, Any]]:
    """Return the rows of what the end of each regime has over the stages before it and over the odours themselves.

    Paired by animal, and by network where it has both stages.
    """
    columns = sets.columns(conditions)
    animals = np.array([one.mean()[columns] for one in sets.animals.values()])
    found = []
    for regime, stages in sets.networks.items():
        ends = stages.get("end", {})
        others = {"plateau": stages.get("plateau", {}), "start": stages.get("start", {})}
        others |= {SHARED: dict.fromkeys(ends, sets.models[SHARED])} if SHARED in sets.models else {}
        for minus, other in others.items():
            seeds = [seed for seed in ends if seed in other]
            if seeds:
                end_rdms, other_rdms = (np.array([rdms[seed][columns] for seed in seeds]) for rdms in (ends, other))
                row = _difference_row(animals, end_rdms, other_rdms, method)
                found.append(row | {"candidate": regime, "minus": minus})
    return found


def _difference_row(animals: np.ndarray, ends: np.ndarray, others: np.ndarray, method: str) -> dict[str, Any]:
    """The difference of two scores, tested over animals and networks.

    The RDM of a few networks is an estimate, and its error is the same for all animals: a test over animals alone
    takes it for an effect. The variance of the difference is that of its mean over animals plus that of leaving out
    one network in turn (jackknife), with Satterthwaite's degrees of freedom.
    """

    def differences(kept: np.ndarray) -> np.ndarray:
        means = np.array([mean_rdm(ends[kept]), mean_rdm(others[kept])])
        return -np.diff(rdm_similarity(animals, means, method=method))[:, 0]

    n = len(ends)
    values = differences(np.ones(n, dtype=bool))
    row = _row(WINDOWS[0], method, ("", "end"), values=values)
    if n < 2 or len(values) < 2:
        return row | {"low": np.nan, "high": np.nan, "p": np.nan, "status": ONE_NETWORK if n < 2 else row["status"]}
    left_out = np.array([differences(np.arange(n) != place).mean() for place in range(n)])
    variances = np.array([values.var(ddof=1) / len(values), (n - 1) * left_out.var()])
    total = variances.sum()
    if not total > 0:
        return row
    df = total**2 / (variances**2 / [len(values) - 1, n - 1]).sum()
    half = np.sqrt(total) * stdtrit(df, 0.975)
    p = float(stdtr(df, -row["mean"] / np.sqrt(total)))
    return row | {"low": row["mean"] - half, "high": row["mean"] + half, "p": p, "status": "ok"}


def movement_rows(sets: RdmSets) -> list[dict[str, Any]]:
    """Return the rows of the movement: from plateau to end of each regime, and from the odours to the task's categories.

    Conditions must be known in most sessions of every animal; sessions that lack one are left out.
    """
    networks = sets.of_networks()
    conditions = sets.known([_usual(one.rdms) for one in sets.animals.values()] + list(networks.values()))
    if len(conditions) < MIN_CONDITIONS:
        reason = (
            f"{len(conditions)} of {MIN_CONDITIONS} conditions known in {MOST_SESSIONS:.0%} of each animal's sessions"
        )
        return [_row(WINDOWS[0], "movement", ("", ""), status=reason)]
    columns, common = sets.columns(conditions), {"conditions": ", ".join(conditions)}
    found = []
    for regime, stages in sets.networks.items():
        seeds = [seed for seed in stages.get("plateau", {}) if seed in stages.get("end", {})]
        key, minus = (regime, "end"), "plateau"
        if not seeds:
            found.append(_row(WINDOWS[0], "movement", key, minus=minus, status=NO_PLATEAU) | common)
            continue
        ends, plateaus = (np.array([stages[stage][seed][columns] for seed in seeds]) for stage in ("end", "plateau"))
        alike = agreement(np.array([unit(end) - unit(plateau) for end, plateau in zip(ends, plateaus, strict=True)]))
        if not alike >= MIN_AGREEMENT:
            found.append(_row(WINDOWS[0], "movement", key, minus=minus, status=NO_DIRECTION) | common)
            continue
        values = _movements(sets, columns, origin=plateaus.mean(axis=0), goal=ends.mean(axis=0))
        found.append(_row(WINDOWS[0], "movement", key, minus=minus, values=values, undefined=FEW_SESSIONS) | common)
    if {TARGET, SHARED} <= set(sets.models):
        values = _movements(sets, columns, origin=sets.models[SHARED][columns], goal=sets.models[TARGET][columns])
        found.append(
            _row(WINDOWS[0], "movement", (TARGET, ""), minus=SHARED, values=values, undefined=FEW_SESSIONS) | common
        )
    return found


def _movements(sets: RdmSets, columns: np.ndarray, *, origin: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """(n_subjects,) movement of each animal; NaN with too few sessions."""
    found = []
    for one in sets.animals.values():
        rdms = one.rdms[:, columns]
        enough = np.isfinite(rdms).all(axis=1).sum() >= MIN_SESSIONS
        try:
            found.append(movement(rdms, one.days, origin=origin, goal=goal) if enough else np.nan)
        except MeasureError:
            found.append(np.nan)
    return np.array(found)


def _usual(rdms: np.ndarray) -> np.ndarray:
    """1 for pairs that are known in most sessions, NaN for others."""
    return np.where(np.isfinite(rdms).mean(axis=0) >= MOST_SESSIONS, 1.0, np.nan)


def _missing(sets: RdmSets, sessions: str, conditions: Sequence[str]) -> str:
    """Why nothing can be compared."""
    if not sets.animals or not sets.networks:
        return f"no RDM of {'overtraining sessions' if not sets.animals else 'networks'}: conditions need a class and a stratum"
    own = sets.known([one.mean(sessions) for one in sets.animals.values()])
    theirs = sets.known(list(sets.of_networks().values()))
    names = [", ".join(part[:8]) or "none" for part in (conditions, own, theirs)]
    return (
        f"{len(conditions)} of {MIN_CONDITIONS} conditions (class and stratum) are shared by all animals and networks: "
        f"{names[0]}; animals have {names[1]}; networks have {names[2]}"
    )


def _row(
    sessions: str,
    score: str,
    candidate: Candidate,
    *,
    minus: str = "",
    values: Sequence[float] | np.ndarray = (),
    p: bool = True,
    ceiling: tuple[float, float] = (np.nan, np.nan),
    status: str = "",
    undefined: str = NO_SCORE,
) -> dict[str, Any]:
    """One row of the table; ``p`` only for what is 0 under the null."""
    test = group_mean(values)
    if not status:
        status = NO_INTERVAL[test.n > 1] if test.n and test.note else "ok" if test.n else undefined
    return {
        "sessions": sessions,
        "score": score,
        "candidate": candidate[0],
        "stage": candidate[1],
        "minus": minus,
        "mean": test.mean,
        "low": test.interval[0],
        "high": test.interval[1],
        "p": test.p if p else np.nan,
        "ceiling_low": ceiling[0],
        "ceiling_high": ceiling[1],
        "n_subjects": test.n,
        "conditions": "",
        "status": status,
    }
