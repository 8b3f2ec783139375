"""What did the user ask for? The config: every key, its default, its meaning.

The pydantic models are the single source of the checks, of ``workflow/schemas/config.schema.json``
and of the reference page ``docs/config.md``.
"""

from piriform.config.analysis import Calibrate, Dynamics, Measures, Plateau, Transitions, Verdict
from piriform.config.networks import Networks, loss_of
from piriform.config.reading import REAL_DATA, expand, load_config, parse_config, pick, restore
from piriform.config.recordings import Classes, Convert, Inclusion, Phases, Remote, Response, Simulate, Trials
from piriform.config.section import Section, Window
from piriform.config.whole import Config, config_schema

__all__ = [
    "REAL_DATA",
    "Calibrate",
    "Classes",
    "Config",
    "Convert",
    "Dynamics",
    "Inclusion",
    "Measures",
    "Networks",
    "Phases",
    "Plateau",
    "Remote",
    "Response",
    "Section",
    "Simulate",
    "Transitions",
    "Trials",
    "Verdict",
    "Window",
    "config_schema",
    "expand",
    "load_config",
    "loss_of",
    "parse_config",
    "pick",
    "restore",
]
