"""A config with a block `convert`: what is refused stands in sessions.csv, and the run goes on."""

import json

import pytest
from study_tables import simulated, tables_of, write_tables

from piriform.tables import load_table

pytestmark = pytest.mark.workflow


def test_a_refused_session_is_listed_and_the_others_go_on(checkout):
    tables = tables_of(simulated(units_start=7, units_end=7, trials_start=60, trials_end=60))
    sessions = tables["sessions"].assign(start=[tables["sessions"]["start"].iloc[0], "yesterday"])
    write_tables(checkout.folder / "tables", tables | {"sessions": sessions})
    config = checkout.config("tables", data="data/tables", convert={"format": "tables", "source": "tables"})

    checkout.run("snakemake", "--cores", 2, "--configfile", config, "--until", "collect_sessions")
    found = load_table(checkout.folder / "results" / "tables" / "sessions.csv", "sessions")
    assert found["included"].tolist() == [True, False]
    assert found["file"].tolist()[1] == "tables/sessions.csv: subject 'Q' session 'day-02'"
    assert (
        found["reason"]
        .tolist()[1]
        .startswith("not converted: tables/sessions.csv: column 'start', row 2: 'yesterday', expected an ISO 8601 date")
    )
    manifest = json.loads((checkout.folder / "data" / "tables" / "converted.json").read_text())
    assert list(manifest["files"]) == ["sub-Q/sub-Q_ses-day-01.nwb"]

    write_tables(checkout.folder / "tables", {"sessions": tables["sessions"]})
    assert checkout.planned("--configfile", config, "--until", "index")["convert"] == 1
