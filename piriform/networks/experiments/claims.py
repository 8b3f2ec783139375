"""Did it hold? Statements about networks that a test over seeds can confirm, deny or leave open.

A claim is about one quantity: its mean in one condition, or the mean difference of two conditions, seed by seed.
It says that this mean is above 0, below 0, or within a bound. All claims of an experiment are one family (Holm).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from piriform.errors import PiriformError, known
from piriform.networks.experiments.quantities import mean_interval
from piriform.stats import equivalence, group_mean, holm

ALPHA = 0.05
#: What a claim says of the mean.
EXPECTED = ("rises", "falls", "stays")
#: What can come out.
OUTCOMES = ("held", "opposite", "not shown")


@dataclass(frozen=True)
class Claim:
    """A statement that seeds can deny.

    Attributes
    ----------
    text : the statement, without a full stop
    quantity : see :func:`piriform.networks.experiments.quantities.gains`
    condition : whose mean is meant
    expected : ``rises`` (the mean is above 0), ``falls``, ``stays`` (within ``bound`` of 0)
    minus : condition whose value with the same seed is subtracted, if there is one
    bound : of ``stays``, above 0
    offset : what the mean is compared with instead of 0, e.g. .5 for an accuracy against chance
    """

    text: str
    quantity: str
    condition: str
    expected: str = "rises"
    minus: str = ""
    bound: float = 0.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        known("expected", self.expected, EXPECTED)
        if (self.expected == "stays") != (self.bound > 0):
            raise PiriformError(f"claim {self.text!r}: a bound above 0 goes with 'stays', and with nothing else")


def judged(claims: Sequence[Claim], quantities: pd.DataFrame) -> pd.DataFrame:
    """Return what came out of every claim.

    A claim *held* if its one-sided t-test over seeds (two one-sided tests for ``stays``) has a Holm-adjusted p of
    .05 or less; it is *opposite* if the test of the contrary has, which are a family of their own; otherwise it is *not
    shown*. ``p`` and ``p_holm`` are those of the claim, ``p_contrary`` that of the contrary, adjusted. Seeds that all agree need no test: their p is 0 or 1.

    Parameters
    ----------
    quantities : DataFrame with ``condition``, ``seed``, ``quantity``, ``value``

    Returns
    -------
    DataFrame, one row per claim: ``claim``, ``quantity``, ``condition``, ``minus``, ``expected``, ``bound``, ``mean``,
    ``low``, ``high`` (95% t interval), ``against`` (the offset), ``n_seeds``, ``p``, ``p_holm``, ``p_contrary``, ``outcome``, ``sentence``

    Raises
    ------
    PiriformError
        If there is no such quantity or condition.
    """
    rows = [_row(claim, _values(claim, quantities)) for claim in claims]
    table = pd.DataFrame(rows)
    table["p_holm"], table["p_contrary"] = holm(table["p"]), holm(table["p_contrary"])
    held, opposite = table["p_holm"] <= ALPHA, table["p_contrary"] <= ALPHA
    table["outcome"] = np.select([held, opposite], OUTCOMES[:2], OUTCOMES[2])
    table["sentence"] = [_sentence(row) for row in table.to_dict("records")]
    return table


def _values(claim: Claim, quantities: pd.DataFrame) -> np.ndarray:
    """One value per seed, NaN where it is not known."""
    own = quantities[quantities["quantity"] == claim.quantity]
    wide = own.pivot(index="seed", columns="condition", values="value")
    for condition in filter(None, (claim.condition, claim.minus)):
        if condition not in wide:
            raise PiriformError(f"claim {claim.text!r}: no quantity {claim.quantity!r} in condition {condition!r}")
    values = wide[claim.condition] - (wide[claim.minus] if claim.minus else 0.0)
    return np.asarray(values, dtype=float)


def _row(claim: Claim, values: np.ndarray) -> dict[str, object]:
    mean, low, high, n = mean_interval(values)
    p, contrary = _tests(claim, values - claim.offset)
    about = {name: getattr(claim, name) for name in ("quantity", "condition", "minus", "expected", "bound")}
    found = {
        "mean": mean,
        "low": low,
        "high": high,
        "against": claim.offset,
        "n_seeds": n,
        "p": p,
        "p_contrary": contrary,
    }
    return {"claim": claim.text} | about | found


def _tests(claim: Claim, values: np.ndarray) -> tuple[float, float]:
    """p of the claim, and of its contrary."""
    above = _above(values)
    if claim.expected == "rises":
        return above, _above(-values)
    if claim.expected == "falls":
        return _above(-values), above
    outside = min(1.0, 2 * min(_above(values - claim.bound), _above(-values - claim.bound)))
    found = group_mean(values)
    if found.sd == 0:
        return float(abs(found.mean) >= claim.bound), outside
    return equivalence(values, bound=claim.bound).p, outside


def _above(values: np.ndarray) -> float:
    """One-sided p of a mean above 0; 0 or 1 where two seeds or more agree exactly (a point needs no test)."""
    found = group_mean(values)
    return found.p if found.sd > 0 or found.n < 2 else float(not found.mean > 0)


def _sentence(row: dict) -> str:
    number = f"{row['mean']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
    what = f"{row['quantity']} in {row['condition']}" + (f" minus {row['minus']}" if row["minus"] else "")
    within = f", against {row['against']:g}" if row["against"] else ""
    within += f", bound {row['bound']:g}" if row["bound"] else ""
    agree = row["n_seeds"] > 1 and row["low"] == row["high"]
    p = "all alike" if agree else "no test" if np.isnan(row["p_holm"]) else f"p = {row['p_holm']:.2g}"
    if row["outcome"] == "opposite" and not agree:
        p = f"p of the contrary = {row['p_contrary']:.2g}"
    return f"{row['claim']}: {row['outcome']} ({what}: {number}{within}, {row['n_seeds']} seeds, {p})."
