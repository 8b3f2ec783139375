"""What do the pages of reference say? The config's keys and the results' columns, from their declarations.

``python -m piriform.reference`` writes ``docs/config.md``, ``docs/outputs.md`` and
``workflow/schemas/config.schema.json``; a test fails where one is behind its source.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from piriform.config import config_schema
from piriform.provenance import PACKAGE, atomic_path
from piriform.tables import METRICS, TABLES, Column, Metric

NOTE = "<!-- Made by `python -m piriform.reference`; edit the declarations in the package instead. -->\n"
TABLE_MEANINGS = {
    "sessions": "One row per file: what entered the analysis, and the reason for what did not.",
    "behavior": "One row per session and class: accuracy with its interval, latency, plateau.",
    "metrics": "One row per session and metric; also as `metrics.parquet`.",
    "ladder": "One row per session and rung of the ladder of controls: which control removes a trend?",
    "predictions": "One row per held-out trial: what the decoder said and what the animal did.",
    "dynamics": "One row per session and pair of windows, trained in one and tested in the other.",
    "transitions": "One row per stimulus of a subject: does its accuracy change in a step, and does the decoder's?",
    "similarity": "One row per session and pair of trial types, for the similarity figure.",
    "scatter": "One row per trial, for the scatter figure.",
    "comparison": "One row per metric and candidate: do networks, or a line or a logarithm, predict animals left out?",
    "rdms": "One row per session, network or model and pair of conditions: how far are they apart?",
    "representations": "One row per score and candidate: is the geometry of networks that of the animals?",
    "network_measures": "In `networks/{experiment}/`: one row per network, checkpoint and measure.",
    "network_quantities": "In `networks/{experiment}/`: one row per network and quantity, what its course comes down to.",
    "network_effects": "In `networks/{experiment}/`: one row per condition and quantity, the mean over seeds.",
    "network_claims": "In `networks/{experiment}/`: one row per claim of the experiment, and whether it held.",
}


def pages() -> dict[str, str]:
    """Return the generated files: path below the repository's root, and text."""
    return {
        "docs/config.md": config_page(),
        "docs/outputs.md": outputs_page(),
        "workflow/schemas/config.schema.json": json.dumps(config_schema(), indent=2) + "\n",
    }


def config_page() -> str:
    """Return the reference of the config as Markdown."""
    schema = config_schema()
    sections = [name for name in schema["properties"] if _section(schema["properties"][name])]
    top = {name: value for name, value in schema["properties"].items() if name not in sections}
    parts = [
        "# Config reference\n",
        NOTE,
        "A study is described by one YAML file. Every key has a default except `data` and `classes`; a key that is "
        "not listed here is refused. How to write one for your own recordings: `config/README.md`.\n",
        _keys(top, schema["required"]),
    ]
    for name in sections:
        definition = schema["$defs"][_section(schema["properties"][name])]
        parts += [f"## {name}\n", f"{definition['description']}\n"]
        parts += [_keys(definition["properties"], definition.get("required", []))]
        parts += _MORE[name]() if name in _MORE else []
    return "\n".join(parts)


def outputs_page() -> str:
    """Return the reference of the result tables and metrics as Markdown."""
    parts = [
        "# Outputs\n",
        NOTE,
        "Everything of a study lies in `results/{study}/`:\n",
        _grid(("file", "what it is"), _FILES),
        "Tables are CSV in UTF-8, one row per measurement, empty where there is no value. Random numbers come from "
        "the config's `seed` and from names, so that the same config gives the same bytes with any number of cores on processors of one kind. On another kind the "
        "linear algebra library chooses other instructions, and values may differ in the last digits.\n",
    ]
    for kind, columns in TABLES.items():
        parts += [f"## {kind}.csv\n", f"{TABLE_MEANINGS[kind]}\n"]
        parts += [_grid(("column", "kind", "meaning"), [_column_row(name, column) for name, column in columns.items()])]
    parts += ["## Metrics\n", "The null is the value that activity without information about the classes would give.\n"]
    rows = [_metric_row(name, metric) for name, metric in METRICS.items()]
    return "\n".join([*parts, _grid(("metric", "meaning", "unit", "null", "learning moves it"), rows)])


def write_pages(root: str | Path = PACKAGE.parent) -> list[Path]:
    """Write the generated files below ``root``; return their paths."""
    paths = []
    for name, text in pages().items():
        paths.append(Path(root) / name)
        with atomic_path(paths[-1]) as temporary:
            temporary.write_text(text)
    return paths


_FILES = (
    ("`report.html`", "the report: verdict, figures, methods, exclusions; opens from disk"),
    ("`verdict.json`", "the verdict, every number behind it, the settings, the versions, the config's hash"),
    ("`sessions.csv`", "what entered, and why the rest did not"),
    ("`behavior.csv`", "behaviour per session and class"),
    ("`metrics.csv`, `metrics.parquet`", "every metric of every session"),
    ("`predictions.csv`", "the read-out of every held-out trial"),
    ("`dynamics.csv`", "decoding over time, and from one time to another"),
    ("`transitions.csv`", "single stimuli that go from wrong to right, and whether abruptly"),
    ("`similarity.csv`, `scatter.csv`", "what two of the figures draw"),
    (
        "`rdms.csv`, `representations.csv`",
        "with `networks.compare`: distances between conditions, and how alike they are",
    ),
    ("`figures/*.png`, `figures/*.svg`", "the figures of the report"),
    ("`trials/{subject}.nc`", "trial tensors (NetCDF), one group per session: trial x unit x time"),
    ("`index.csv`, `parts/`", "the sessions found, and the tables of each subject before they are joined"),
    ("`logs/`, `benchmarks/`", "what each job said; its wall time and memory"),
    ("`config.yaml`", "the complete config of the run, defaults included (written by `piriform run`)"),
)


def _section(value: Mapping[str, Any]) -> str:
    """The name of the section that a key holds, or an empty string."""
    options = [value, *value.get("anyOf", [])]
    return next((option["$ref"].rpartition("/")[2] for option in options if "$ref" in option), "")


def _keys(properties: Mapping[str, Any], required: Iterable[str]) -> str:
    rows = [
        (
            f"`{name}`",
            _kind(value),
            "(required)" if name in required else f"`{_value(value.get('default'))}`",
            _text(value),
        )
        for name, value in properties.items()
    ]
    return _grid(("key", "kind", "default", "meaning"), rows)


def _kind(value: Mapping[str, Any]) -> str:
    """What may stand there, from the schema."""
    if "anyOf" in value:
        return " or ".join(_kind(option) for option in value["anyOf"])
    if "enum" in value:
        return "one of " + ", ".join(f"`{option}`" for option in value["enum"])
    if value.get("type") == "array":
        return "two numbers" if "prefixItems" in value else f"list of {_kind(value['items'])}"
    if value.get("type") == "object":
        return "name: number"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(value.get("type", ""), "nothing") + _bounds(value)


def _bounds(value: Mapping[str, Any]) -> str:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return "".join(f" {sign} {value[name]}" for name, sign in signs.items() if name in value)


def _text(value: Mapping[str, Any]) -> str:
    return str(value.get("description", ""))


def _value(default: Any) -> str:
    return "none" if default is None else json.dumps(default)


def _simulated() -> list[str]:
    """The scenarios of the simulator, and the parameters of the truth."""
    from dataclasses import fields

    from piriform.simulate import SCENARIOS, Truth

    scenarios = [(f"`{name}`", meaning) for name, (meaning, _) in SCENARIOS.items()]
    parameters = [
        (f"`{entry.name}`", f"{entry.default:g}", entry.metadata["meaning"])
        for entry in fields(Truth)
        if isinstance(entry.default, int | float)
    ]
    return [
        _grid(("scenario", "the truth"), scenarios),
        "Parameters of the truth; one that ends in `_start` or `_end` runs linearly over a subject's days.\n",
        _grid(("parameter", "default", "meaning"), parameters),
    ]


def _converted() -> list[str]:
    """The formats that can be converted."""
    from piriform.convert import DESCRIPTIONS

    return [_grid(("format", "what it is"), [(f"`{name}`", text) for name, text in DESCRIPTIONS.items()])]


_MORE = {"simulate": _simulated, "convert": _converted}


def _column_row(name: str, column: Column) -> tuple[str, str, str]:
    return (f"`{name}`", column.kind, column.meaning)


def _metric_row(name: str, metric: Metric) -> tuple[str, ...]:
    direction = {1: "up", -1: "down", 0: "either way"}[metric.learning]
    return (f"`{name}`", metric.meaning, metric.unit, "" if metric.null is None else f"{metric.null:g}", direction)


def _grid(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    names = list(header)
    lines = [f"| {' | '.join(row)} |" for row in [names, ["---"] * len(names), *cells]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for written in write_pages():
        print(f"wrote {written}")
