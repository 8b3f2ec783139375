"""Which networks are trained beside a study, and are they compared with the animals?"""

from typing import Literal, Self

from pydantic import Field, model_validator

from piriform.config.section import Section
from piriform.errors import did_you_mean
from piriform.tables import METRICS

Experiment = Literal["hidden_progress", "causes", "lazy_rich", "reversal", "other_tasks", "circuit"]


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
    compare_seeds: int = Field(5, ge=2, description="networks per output scale that are recorded and compared")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        for name in self.metrics:
            if name not in METRICS:
                raise ValueError(
                    f"metrics: unknown metric {name!r}{did_you_mean(name, list(METRICS))}; choose from {', '.join(METRICS)}"
                )
        if min(self.alphas) <= 0 or len(set(self.alphas)) < len(self.alphas):
            raise ValueError(f"alphas: {self.alphas}; each must be above 0 and stand once")
        return self
