"""Do the parts of a config make sense together? One study, from recordings to a verdict."""

import hashlib
import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from piriform.config.analysis import Calibrate, Dynamics, Measures, Plateau, Transitions, Verdict
from piriform.config.networks import Networks
from piriform.config.recordings import Classes, Convert, Inclusion, Phases, Remote, Response, Simulate, Trials
from piriform.config.section import Section


class Config(Section):
    """One study, from recordings to a verdict."""

    study: str = Field(
        "study",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="name of the study; results go to `results`/`study`",
    )
    data: str | list[str] = Field(
        description="folder of NWB files (searched through), one file, or the address of either "
        "(`https://`, `s3://`, `dandi://`), or a list of these"
    )
    results: str = Field("results", description="folder for results")
    seed: int = Field(1, ge=0, description="seed of everything random in the analysis")
    simulate: Simulate | None = None
    convert: Convert | None = None
    calibrate: Calibrate | None = None
    remote: Remote = Remote()
    response: Response = Response()
    trials: Trials = Trials()
    classes: Classes
    phases: Phases = Phases()
    inclusion: Inclusion = Inclusion()
    plateau: Plateau = Plateau()
    measures: Measures = Measures()
    dynamics: Dynamics = Dynamics()
    transitions: Transitions = Transitions()
    verdict: Verdict = Verdict()
    networks: Networks = Networks()

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.simulate and self.convert:
            raise ValueError("simulate and convert: a study comes from one of them")
        if (self.simulate or self.convert) and not isinstance(self.data, str):
            raise ValueError("data: simulate and convert need a folder to write to, not a list of files")
        if self.measures.metrics and self.verdict.primary not in self.measures.metrics:
            raise ValueError(f"verdict.primary: {self.verdict.primary} is not among measures.metrics")
        compared = self.networks.metrics if self.networks.compare and self.measures.metrics else []
        lacking = [name for name in compared if name not in self.measures.metrics]
        if lacking:
            raise ValueError(
                f"networks.metrics: {lacking[0]} is not among measures.metrics; the animals need it as well"
            )
        return self

    @model_validator(mode="after")
    def _windows_slide(self) -> Self:
        width, step = self.dynamics.sizes(self.response)
        for name, value in (("window", width), ("step", step)):
            bins = value / self.response.bin
            if abs(bins - round(bins)) > 1e-6:
                raise ValueError(
                    f"dynamics.{name}: {value:g} s is no multiple of response.bin, {self.response.bin:g} s"
                )
        start, stop = self.response.window
        if width > stop - start + 1e-9:
            raise ValueError(
                f"dynamics.window: {width:g} s is longer than response.window, which lasts {stop - start:g} s"
            )
        return self

    @property
    def out(self) -> Path:
        """Folder of this study's results."""
        return Path(self.results) / self.study

    def digest(self) -> str:
        """Return the SHA-256 of the complete config, defaults included."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of the config."""
    return Config.model_json_schema()
