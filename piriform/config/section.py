"""What is every part of a config? A frozen model that refuses unknown keys."""

from pydantic import BaseModel, ConfigDict

#: Start and end, s from the event.
Window = tuple[float, float]


class Section(BaseModel):
    """A part of the config: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
