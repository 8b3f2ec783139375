"""What does an experiment with networks leave? Courses, one value per seed and quantity, and what came of its claims."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from piriform.networks.experiments.claims import Claim, judged
from piriform.networks.experiments.quantities import effects
from piriform.tables import check_table

#: Is told in a line what an experiment does.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Scale:
    """How large an experiment is.

    Attributes
    ----------
    seeds : networks per condition; 10 or more for results that are to be believed
    seed : of the config; tasks, trials, weights at the start, batches and noise come from it and from the number of the
        network, 0, 1, ...
    full : all conditions and the long training; otherwise the main conditions only
    """

    seeds: int = 10
    seed: int = 1
    full: bool = True


@dataclass(frozen=True)
class Panel:
    """One panel of the experiment's figure.

    Attributes
    ----------
    kind : ``course`` (a measure over steps, a line per condition) or ``points`` (a quantity, a column per condition)
    name : of the measure or quantity
    title : of the panel
    conditions : those that are drawn, in order; none: all
    null : value of ``points`` that a dashed line marks, e.g. 0 for a gain
    """

    kind: str
    name: str
    title: str
    conditions: tuple[str, ...] = ()
    null: float | None = None


@dataclass(frozen=True, eq=False)
class Findings:
    """Tables of one experiment, as they are written.

    Attributes
    ----------
    measures : table ``network_measures``; empty where an experiment has no courses
    quantities : table ``network_quantities``
    effects : table ``network_effects``
    claims : table ``network_claims``
    panels : what its figure shows
    remarks : what a reader must know
    """

    measures: pd.DataFrame
    quantities: pd.DataFrame
    effects: pd.DataFrame
    claims: pd.DataFrame
    panels: tuple[Panel, ...]
    remarks: tuple[str, ...] = field(default=())


def findings(
    experiment: str,
    quantities: pd.DataFrame,
    claims: Sequence[Claim],
    *,
    measures: pd.DataFrame | None = None,
    panels: Sequence[Panel] = (),
    remarks: Sequence[str] = (),
) -> Findings:
    """Return the checked tables of an experiment.

    Parameters
    ----------
    quantities : DataFrame with ``condition``, ``seed``, ``quantity``, ``value``
    measures : DataFrame with ``condition``, ``seed``, ``step``, ``measure``, ``value``
    """
    courses = pd.DataFrame(columns=["condition", "seed", "step", "measure", "value"]) if measures is None else measures
    tables = {
        "network_measures": courses,
        "network_quantities": quantities,
        "network_effects": effects(quantities),
        "network_claims": judged(claims, quantities),
    }
    checked = {
        kind.removeprefix("network_"): check_table(table.assign(experiment=experiment), kind)
        for kind, table in tables.items()
    }
    return Findings(**checked, panels=tuple(panels), remarks=tuple(dict.fromkeys(remarks)))
