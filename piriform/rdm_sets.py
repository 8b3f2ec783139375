"""Which RDMs do the animals, networks and models of a study have, and which conditions do they share?

From the table ``rdms`` to arrays with one column per pair of conditions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from piriform.rdms import condition_key, pairs_of

STAGES = ("start", "plateau", "end")

#: Regime and stage; or the name of a model and "".
Candidate = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Sessions:
    """RDMs of one animal in the order of days: ``days`` (n_sessions,), ``rdms`` (n_sessions, n_pairs)."""

    days: np.ndarray
    rdms: np.ndarray

    def mean(self, part: str = "overtraining") -> np.ndarray:
        """Return the mean RDM over all sessions, the first half of them (``early``) or the last (``late``).

        The middle one of an odd number is in neither half. A pair that is unknown in some sessions is averaged over
        the others, and NaN if it is unknown in all.
        """
        half = len(self.days) // 2
        return mean_rdm({"overtraining": self.rdms, "early": self.rdms[:half], "late": self.rdms[-half or 1 :]}[part])


@dataclass(frozen=True, eq=False)
class RdmSets:
    """All RDMs of a study: columns are the pairs of ``conditions``.

    Attributes
    ----------
    conditions : names
    animals : overtraining sessions by animal
    networks : RDMs of the networks by regime, stage and seed
    models : RDM by name
    """

    conditions: tuple[str, ...]
    animals: dict[str, Sessions]
    networks: dict[str, dict[str, dict[str, np.ndarray]]]
    models: dict[str, np.ndarray]

    def columns(self, conditions: Sequence[str]) -> np.ndarray:
        """Return the columns of the pairs of some of the conditions."""
        place = {pair: number for number, pair in enumerate(pairs_of(self.conditions))}
        return np.array([place[pair] for pair in pairs_of(conditions)], dtype=int)

    def of_networks(self) -> dict[Candidate, np.ndarray]:
        """Return the mean RDM over the networks of each regime, at each stage that one of them reached."""
        return {
            (regime, stage): mean_rdm(np.array(list(stages[stage].values())))
            for regime, stages in self.networks.items()
            for stage in STAGES
            if stage in stages
        }

    def known(self, rdms: Sequence[np.ndarray]) -> list[str]:
        """Return the conditions of which all pairs are known in all of some RDMs."""
        if not len(rdms):
            return []
        finite = np.isfinite(np.array(rdms)).all(axis=0)
        return shared_conditions(dict(zip(pairs_of(self.conditions), finite.tolist(), strict=True)), self.conditions)


def rdm_sets(table: pd.DataFrame) -> RdmSets:
    """Return the RDMs in a table ``rdms``; of the animals' sessions those of overtraining."""
    names = dict.fromkeys([*table["condition_1"], *table["condition_2"]])
    conditions = tuple(sorted(names, key=condition_key))
    animals = _wide(table[(table["source"] == "neural") & (table["phase"] == "overtraining")], conditions)
    sessions: dict[str, list[tuple[int, np.ndarray]]] = {}
    for (_, subject, day, _), rdm in sorted(animals.items(), key=lambda item: item[0][1:]):
        sessions.setdefault(subject, []).append((day, rdm))
    networks: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for (stage, subject, *_), rdm in _wide(table[table["source"] == "network"], conditions).items():
        regime, _, seed = subject.rpartition("-")
        networks.setdefault(regime, {}).setdefault(stage, {})[seed] = rdm
    models = _wide(table[table["source"] == "model"], conditions)
    return RdmSets(
        conditions,
        {name: Sessions(*map(np.array, zip(*rows, strict=True))) for name, rows in sessions.items()},
        networks,
        {subject: rdm for (_, subject, *_), rdm in models.items()},
    )


def shared_conditions(known: Mapping[tuple[str, str], bool], conditions: Sequence[str]) -> list[str]:
    """Return conditions of which all pairs are known; those with the most unknown pairs are left out one by one.

    Examples
    --------
    >>> known = {("a", "b"): True, ("a", "c"): False, ("b", "c"): True}
    >>> shared_conditions(known, ["a", "b", "c"])
    ['a', 'b']
    """
    names = sorted(conditions, key=condition_key)
    while names:
        unknown = {name: sum(not known[pair] for pair in pairs_of(names) if name in pair) for name in names}
        most = max(unknown.values())
        if most == 0:
            break
        names.remove([name for name in names if unknown[name] == most][-1])
    return names


def mean_rdm(rdms: np.ndarray) -> np.ndarray:
    """Return the mean of the known distances of each pair; NaN for a pair that is unknown in all.

    Examples
    --------
    >>> mean_rdm(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    known = np.isfinite(rdms)
    count = known.sum(axis=0)
    total = np.where(known, rdms, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(rdms.shape[1], np.nan), where=count > 0)


def _wide(rows: pd.DataFrame, conditions: Sequence[str]) -> dict[tuple[str, str, int, str], np.ndarray]:
    """One RDM per (stage, subject, day, session), in the order in which they come."""
    column = {pair: number for number, pair in enumerate(pairs_of(conditions))}
    found: dict[tuple[str, str, int, str], np.ndarray] = {}
    for row in rows.to_dict("records"):
        key = (row["stage"], row["subject"], row["day"], row["session"])
        rdm = found.setdefault(key, np.full(len(column), np.nan))
        rdm[column[row["condition_1"], row["condition_2"]]] = row["distance"]
    return found
