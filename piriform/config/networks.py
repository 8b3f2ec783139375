"""Which networks are trained beside a study, and which of them are compared with the animals?"""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from piriform.config.section import Section
from piriform.errors import did_you_mean
from piriform.tables import METRICS

Experiment = Literal["hidden_progress", "causes", "lazy_rich", "reversal", "other_tasks", "circuit"]
#: Losses that a network can be compared with; `hinge` may be followed by the margin at which it ends.
LOSSES = ("cross-entropy", "hinge", "squared", "stablemax")
HINGE_THRESHOLD = 1.0


class Networks(Section):
    """Train networks past their plateau and measure them as the animals are (``piriform networks``)."""

    experiments: list[Experiment] = Field([], description="experiments to run, see `docs/networks.md`; none: none")
    seeds: int = Field(10, ge=2, description="networks per condition")
    full: bool = Field(True, description="all conditions of an experiment; false: the main ones")
    compare: bool = Field(
        False, description="also record networks as if they were animals, and ask which of them predicts the animals"
    )
    metrics: list[str] = Field([], description="metrics that are compared; none: `verdict.primary` alone")
    alphas: list[float] = Field(
        [0.1, 1.0, 3.0, 10.0, 1000.0],
        min_length=1,
        description="output scales of the networks that are compared, from rich to lazy",
    )
    losses: list[str] = Field(
        ["cross-entropy"],
        min_length=1,
        description="their losses: `cross-entropy`, `squared`, `stablemax`, or `hinge` and the margin at which it ends, as in `hinge 0.1`",
    )
    ranks: list[int] = Field([0], min_length=1, description="ranks of their hidden weights at the start; 0: full")
    mixtures: Literal["3 of 13", "10 of 100"] = Field(
        "3 of 13", description="odorants in a mixture, and of all, that they learn: as the animals, or as in the paper"
    )
    compare_seeds: int = Field(
        8, ge=2, description="networks of each output scale, loss and rank that are recorded and compared"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if len(set(self.experiments)) < len(self.experiments):
            raise ValueError(f"experiments: {', '.join(self.experiments)}; each must stand once")
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(
                    f"metrics: unknown metric {name!r}{did_you_mean(name, list(METRICS))}; choose from {', '.join(METRICS)}"
                )
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"metrics: {', '.join(self.metrics)}; each must stand once")
        positive = all(0 < alpha < math.inf for alpha in self.alphas)
        if not positive or len({f"{alpha:g}" for alpha in self.alphas}) < len(self.alphas):
            raise ValueError(f"alphas: {self.alphas}; each must be above 0 and stand once")
        if len({"{} {:g}".format(*loss_of(text)) for text in self.losses}) < len(self.losses):
            raise ValueError(f"losses: {', '.join(self.losses)}; each must stand once")
        if min(self.ranks) < 0 or len(set(self.ranks)) < len(self.ranks):
            raise ValueError(f"ranks: {self.ranks}; each must be 0 (full) or more and stand once")
        n_odorants = int(self.mixtures.rpartition(" ")[2])
        if max(self.ranks) >= n_odorants:
            raise ValueError(f"ranks: {max(self.ranks)} is full with {n_odorants} odorants; name less, or 0 for full")
        return self


def loss_of(text: str) -> tuple[str, float]:
    """Return the name of a loss and the margin at which it ends, which counts for a hinge alone.

    Raises
    ------
    ValueError
        If there is no such loss, or its margin is no number above 0.

    Examples
    --------
    >>> loss_of("hinge 0.1"), loss_of("cross-entropy")
    (('hinge', 0.1), ('cross-entropy', 1.0))
    """
    name, _, threshold = text.partition(" ")
    if name not in LOSSES:
        raise ValueError(
            f"losses: unknown loss {name!r}{did_you_mean(name, list(LOSSES))}; choose from {', '.join(LOSSES)}"
        )
    if not threshold:
        return name, HINGE_THRESHOLD
    if name != "hinge":
        raise ValueError(f"losses: {text!r}; only a hinge has a margin, write {name!r}")
    try:
        value = float(threshold)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"losses: {text!r}; a hinge is followed by the margin at which it ends, as in 'hinge 0.1'")
    return name, value
