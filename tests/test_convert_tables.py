"""Plain tables become NWB that gives back what was simulated; what is wrong in them is named by file, column and row."""

import gzip
import re
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_metrics import metrics_csv
from study_tables import frames, simulated, tables_of, write_table, write_tables

from piriform.config import Response, load_config
from piriform.convert import conversion, convert, tables
from piriform.errors import StudyError
from piriform.nwb import read_activity, read_header
from piriform.nwb_writer import write_recording

CONFIG = load_config(Path(__file__).parents[1] / "config" / "tables.yaml")
FEW = CONFIG.model_copy(update={"measures": CONFIG.measures.model_copy(update={"n_draws": 2, "n_permutations": 9})})


def quiet(_line):
    """A progress that prints nothing."""


@pytest.fixture(scope="module")
def recordings():
    """Two days of one subject; 5 units, 40 and 46 trials."""
    return simulated()


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


def small(**changes):
    """Tables of two sessions of three trials and two units, by name; a change replaces a table, None leaves it out."""
    sessions = pd.DataFrame(
        {
            "subject": "Q",
            "session": ["d1", "d2"],
            "start": ["2024-01-08T09:00+01:00", "2024-01-09"],
            "species": "Mus musculus",
        }
    )
    start = np.tile([0.0, 10.0, 20.0], 2)
    trials = pd.DataFrame(
        {
            "subject": "Q",
            "session": np.repeat(["d1", "d2"], 3),
            "start_time": start,
            "stop_time": start + 5,
            "odor": ["a", "b", "a"] * 2,
        }
    )
    spikes = pd.DataFrame(
        {
            "subject": "Q",
            "session": ["d1"] * 4 + ["d2"] * 2,
            "unit": [10, 2, 10, 2, 10, 2],
            "time": [3.5, 1.25, 0.5, 21.0, 4.0, 24.0],
        }
    )
    return {"sessions": sessions, "trials": trials, "spikes": spikes} | changes


def written(folder, **changes):
    return write_tables(folder, small(**changes))


def edited(name, row, **cells):
    """One of the small tables with other cells in a row (from 1)."""
    table = small()[name].astype(object)
    for column, value in cells.items():
        table.loc[row - 1, column] = value
    return {name: table}


def converted(source, tmp_path):
    """What became of the tables, and what was told."""
    lines = []
    return conversion("tables", source, tmp_path / "nwb", progress=lines.append), lines


def opened(path):
    """The parts of an NWB file that tables fill."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as stream:
        file = stream.read()
        trials = file.trials.to_dataframe()
        units = None if file.units is None else file.units.to_dataframe()
        meanings = {column.name: column.description for column in file.trials.columns}
        return trials, units, meanings, file.notes, file


# Known answer ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_metrics(recordings, tmp_path_factory):
    """metrics.csv of the simulator's own NWB files."""
    folder = tmp_path_factory.mktemp("own")
    for recording in recordings:
        write_recording(recording, folder / "nwb" / f"{recording.session}.nwb")
    return metrics_csv(str(folder / "nwb"), FEW, folder / "results")


@pytest.mark.parametrize("kind", ["csv", "parquet", "tsv.gz"])
def test_the_metrics_are_those_of_the_simulated_files_to_the_byte(kind, recordings, own_metrics, source, tmp_path):
    write_tables(source, tables_of(recordings), kind=kind)
    paths = convert("tables", source, tmp_path / "nwb", progress=quiet)

    for path, recording in zip(paths, recordings, strict=True):
        activity = read_activity(path, Response(kind="units"))
        for found, times in zip(activity.spike_times, recording.spike_times, strict=True):
            np.testing.assert_array_equal(found, times)
        for intervals in activity.obs_intervals:
            np.testing.assert_array_equal(intervals, recording.obs_intervals)
        assert read_header(path).start == recording.start
    metrics = metrics_csv(str(tmp_path / "nwb"), FEW, tmp_path / "results")
    assert pd.read_csv(metrics)["value"].notna().sum() > 50
    assert metrics.read_bytes() == own_metrics.read_bytes()


def test_trials_keep_every_column_and_kind(recordings, source, tmp_path):
    write_tables(source, tables_of(recordings))
    paths = convert("tables", source, tmp_path / "nwb", progress=quiet)

    for path, recording in zip(paths, recordings, strict=True):
        trials, _, _, _, _ = opened(path)
        pd.testing.assert_frame_equal(
            trials.reset_index(drop=True), recording.trials, check_dtype=False, check_exact=True, check_like=True
        )
        assert trials["correct"].dtype == bool
        assert trials["shared_components"].dtype.kind == recording.trials["shared_components"].dtype.kind


def test_every_spike_trial_and_fact_of_small_tables(source, tmp_path):
    facts = small()["sessions"].assign(
        sex=["male", "F"],
        age="P90D",
        region="PIR",
        description=["First.", None],
        experimenter="A. Nose",
        spike_resolution=0.25,
    )
    columns = pd.DataFrame(
        {"table": ["trials", "units"], "column": ["odor", "depth"], "meaning": ["the mixture", "um"]}
    )
    units = pd.DataFrame(
        {"subject": "Q", "session": ["d1"] * 3 + ["d2"] * 2, "unit": [10, 7, 2, 2, 10], "depth": range(5)}
    )
    written(source, sessions=facts, columns=columns, units=units)
    done, lines = converted(source, tmp_path)

    assert done.refused == []
    trials, table, meanings, notes, file = opened(done.files[0])
    assert done.files[0] == tmp_path / "nwb" / "sub-Q" / "sub-Q_ses-d1.nwb"
    assert trials[["start_time", "stop_time", "odor"]].values.tolist() == [[0, 5, "a"], [10, 15, "b"], [20, 25, "a"]]
    assert [times.tolist() for times in table["spike_times"]] == [[0.5, 3.5], [], [1.25, 21.0]]  # unit 7 does not fire
    assert table[["unit", "depth", "region"]].values.tolist() == [["10", 0, "PIR"], ["7", 1, "PIR"], ["2", 2, "PIR"]]
    assert meanings["odor"] == "the mixture"
    assert (file.subject.sex, file.subject.age, file.subject.species) == ("M", "P90D", "Mus musculus")
    assert (file.session_description, file.experimenter) == ("First.", ("A. Nose",))
    assert file.units.resolution == 0.25
    assert read_header(done.files[0]).start == datetime(2024, 1, 8, 9, tzinfo=timezone(timedelta(hours=1)))
    assert read_header(done.files[1]).start == datetime(2024, 1, 9, tzinfo=UTC)
    _, table, _, notes, _ = opened(done.files[1])
    assert table["unit"].tolist() == ["2", "10"]
    assert "the start has no time zone; taken as UTC" in notes
    assert [line for line in lines if "taken as UTC" in line] == [line for line in lines if "'d2'" in line]


def test_without_further_tables_units_are_those_that_fire_and_meanings_say_so(source, tmp_path):
    written(source)
    _, table, meanings, _, file = opened(converted(source, tmp_path)[0].files[0])

    assert table["unit"].tolist() == ["2", "10"]  # numbers in their order
    assert "obs_intervals" not in table
    assert meanings["odor"] == "column 'odor' of the source table"
    assert file.units.resolution == pytest.approx(3.0)  # the smallest time between two spikes of a unit
    assert file.session_description == "Session d1 of subject Q."


def test_folders_of_one_session_each_need_no_names(source, tmp_path):
    tables = small()
    for session in ("d1", "d2"):
        own = {name: table[table["session"] == session] for name, table in tables.items()}
        bare = {name: table.drop(columns=["subject", "session"]) for name, table in own.items() if name != "sessions"}
        write_tables(source / session, {"sessions": own["sessions"]} | bare, kind="parquet")
    write_table(
        source / "columns.csv", pd.DataFrame({"table": ["trials"], "column": ["odor"], "meaning": ["the mixture"]})
    )
    folders = converted(source, tmp_path)[0]
    whole = convert("tables", written(tmp_path / "whole"), tmp_path / "other", progress=quiet)

    assert folders.refused == []
    for path, other in zip(folders.files, whole, strict=True):
        (trials, units, meanings, *_), (others, other_units, *_) = opened(path), opened(other)
        assert trials.equals(others)
        assert [t.tolist() for t in units["spike_times"]] == [t.tolist() for t in other_units["spike_times"]]
        assert meanings["odor"] == "the mixture"


def test_intervals_of_each_unit(source, tmp_path):
    observed = pd.DataFrame(
        {
            "subject": "Q",
            "session": ["d1"] * 3 + ["d2"] * 2,
            "unit": [2, 10, 2, 2, 10],
            "start_time": [20.0, 0.0, 0.0, 0.0, 0.0],
            "stop_time": [25.0, 5.0, 5.0, 25.0, 25.0],
        }
    )
    written(source, obs_intervals=observed)
    path, _ = converted(source, tmp_path)[0].files

    found = read_activity(path, Response(kind="units")).obs_intervals
    assert [np.asarray(some).tolist() for some in found] == [[[0, 5], [20, 25]], [[0, 5]]]


@pytest.mark.parametrize("form", ["wide", "long"])
def test_traces_become_fluorescence(form, source, tmp_path):
    wide = pd.concat([frames(session="d1", subject="Q"), frames(session="d2", subject="Q", names=("b", "c"), seed=1)])
    wide.iloc[4, 3] = np.nan
    table = wide if form == "wide" else wide.melt(["subject", "session", "time"], var_name="unit").dropna()
    written(source, spikes=None, traces=table.sample(frac=1, random_state=0))
    done, _ = converted(source, tmp_path)

    assert done.refused == []
    for path, session, names in zip(done.files, ("d1", "d2"), (["a", "b"], ["b", "c"]), strict=True):
        activity = read_activity(path, Response(kind="roi", tracked_id="unit"))
        own = wide[wide["session"] == session]
        np.testing.assert_allclose(activity.traces[0].timestamps, own["time"], atol=1e-9)
        np.testing.assert_array_equal(activity.traces[0].data, own[names])
        assert activity.tracked_id == names


def test_spikes_and_traces_of_one_session(source, tmp_path):
    written(source, traces=pd.concat([frames(session=name, subject="Q") for name in ("d1", "d2")]))
    path, _ = converted(source, tmp_path)[0].files

    assert len(read_activity(path, Response(kind="units")).spike_times) == 2
    assert read_activity(path, Response(kind="roi")).traces[0].data.shape == (30, 2)


# Invariance -----------------------------------------------------------------------------------


def test_the_order_of_rows_does_not_matter(source, tmp_path):
    shuffled = {name: table.sample(frac=1, random_state=1) for name, table in small().items()}
    shuffled["sessions"] = small()["sessions"]
    own = convert("tables", written(tmp_path / "sorted"), tmp_path / "a", progress=quiet)
    other = convert("tables", write_tables(source, shuffled), tmp_path / "b", progress=quiet)

    for path, twin in zip(own, other, strict=True):
        (trials, units, *_), (others, other_units, *_) = opened(path), opened(twin)
        assert trials.equals(others)
        assert [t.tolist() for t in units["spike_times"]] == [t.tolist() for t in other_units["spike_times"]]


def test_the_parts_in_which_a_table_is_read_do_not_matter(recordings, source, tmp_path, monkeypatch):
    from piriform.convert import spool, table_file

    write_tables(source, tables_of(recordings))
    whole = convert("tables", source, tmp_path / "a", progress=quiet)
    monkeypatch.setattr(table_file.table_chunks, "__kwdefaults__", {"size": 97})
    monkeypatch.setattr(spool, "BLOCK", 50)
    parts = convert("tables", source, tmp_path / "b", progress=quiet)

    assert [path.read_bytes() for path in whole] == [path.read_bytes() for path in parts]


@pytest.mark.parametrize("spoil", ["bom", "semicolons", "blanks", "index", "names", "blank lines"])
def test_what_spreadsheets_do_to_tables_does_no_harm(spoil, source, tmp_path):
    own = convert("tables", written(tmp_path / "plain"), tmp_path / "a", progress=quiet)
    for name, table in small().items():
        source.mkdir(exist_ok=True)
        path = source / f"{name}.csv"
        table.to_csv(path, index=spoil == "index", sep=";" if spoil == "semicolons" else ",")
        text = path.read_text()
        if spoil == "bom":
            path.write_text("\ufeff" + text)
        if spoil == "blanks":
            path.write_text(text.replace(",", " , "))
        if spoil == "blank lines":
            path.write_text(text.replace("\n", "\r\n") + "\r\n\r\n")
        if spoil == "names":
            path.rename(source / f"{name.upper()}.CSV")
    other = convert("tables", source, tmp_path / "b", progress=quiet)

    for path, twin in zip(own, other, strict=True):
        assert opened(path)[0].equals(opened(twin)[0])


def test_names_stay_text_and_names_that_nwb_uses_are_changed(source, tmp_path):
    tables = {name: table.assign(subject="007") for name, table in small().items()}
    tables["trials"] = tables["trials"].rename(columns={"odor": "id"}).assign(**{"lick/left": 1, "tags": "x"})
    done, lines = converted(write_tables(source, tables), tmp_path)

    assert [path.name for path in done.files] == ["sub-007_ses-d1.nwb", "sub-007_ses-d2.nwb"]
    trials, _, meanings, notes, _ = opened(done.files[0])
    assert trials["source_id"].tolist() == ["a", "b", "a"]
    assert {"lick_left", "source_tags"} <= set(trials)
    assert meanings["lick_left"] == "column 'lick/left' of the source table"
    assert "column 'id' of trials is written as 'source_id'" in notes
    assert any("column 'id' of trials is written as 'source_id'" in line for line in lines)


def test_columns_of_odd_kinds_and_names_are_kept(source, tmp_path):
    odd = {
        "description": "x",
        "a, b": 1.5,
        "mixture of": "A+B",
        "seen_at": pd.Timestamp("2024-01-08 09:00"),
        "maybe": [True, None, False] * 2,
        "several": [[1, 2]] * 6,
    }
    trials = small()["trials"].assign(**odd)
    for kind in ("parquet", "csv"):
        write_tables(source / kind, small(trials=trials), kind=kind)
        done, _ = converted(source / kind, tmp_path)
        found = opened(done.files[0])[0]
        assert done.refused == []
        assert found["source_description"].tolist() == ["x"] * 3
        assert found["a, b"].tolist() == [1.5] * 3
        assert found["maybe"].tolist() == ["True", "", "False"]
        assert found["seen_at"].tolist() == ["2024-01-08 09:00:00"] * 3
        assert found["several"].tolist() == [{"csv": "[1, 2]", "parquet": "[1 2]"}[kind]] * 3


def test_dates_of_parquet_are_dates(source, tmp_path):
    starts = pd.to_datetime(["2024-01-08T09:00+01:00", "2024-01-09T09:00+01:00"])
    tables = small(sessions=small()["sessions"].assign(start=starts))
    paths = convert("tables", write_tables(source, tables, kind="parquet"), tmp_path / "nwb", progress=quiet)

    assert [read_header(path).start for path in paths] == starts.tolist()


def test_unused_columns_and_a_missing_species_are_told(source, tmp_path):
    written(source, sessions=small()["sessions"].drop(columns="species").assign(weather="fine"))
    done, lines = converted(source, tmp_path)

    assert len(done.files) == 2
    assert any(line.endswith("column 'weather' of sessions is not used") for line in lines)
    assert any(line.endswith("the species is not given; archives ask for it") for line in lines)


def test_one_session_is_in_memory_at_a_time(source, tmp_path, monkeypatch):
    """Four sessions of 100,000 spikes need hardly more than one: not the 0.8 MB that each one's times would add."""
    from piriform.convert import spool, table_file, writing

    monkeypatch.setattr(writing, "write_recording", lambda recording, path: None)
    monkeypatch.setattr(table_file.table_chunks, "__kwdefaults__", {"size": 10_000})
    monkeypatch.setattr(spool, "BLOCK", 10_000)
    rng = np.random.default_rng(0)
    peaks = []
    for number in (1, 4):
        names = [f"d{day}" for day in range(1, number + 1)]
        spikes = pd.DataFrame({"subject": "Q", "session": np.repeat(names, 100_000)})
        spikes = spikes.assign(unit=rng.integers(0, 5, len(spikes)), time=rng.uniform(0, 25, len(spikes)))
        sessions = pd.DataFrame({"subject": "Q", "session": names, "start": "2024-01-08", "species": "Mus musculus"})
        trials = pd.concat([small()["trials"].iloc[:3].assign(session=name) for name in names])
        tables = {"sessions": sessions, "trials": trials, "spikes": spikes}
        folder = write_tables(source / str(number), tables, kind="parquet")
        converted(folder, tmp_path)
        tracemalloc.start()
        done, _ = converted(folder, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(done.files) == number
    assert peaks[1] - peaks[0] < 4 * 100_000


# Sessions that cannot be used -----------------------------------------------------------------

REFUSED = {
    "text in times": (
        edited("spikes", 3, time="soon"),
        r"spikes\.csv: column 'time', row 3: 'soon', expected a number",
    ),
    "missing time": (edited("spikes", 2, time=None), r"spikes\.csv: column 'time', row 2: nothing, expected a number"),
    "infinite time": (edited("spikes", 1, time=np.inf), r"spikes\.csv: column 'time', row 1: inf, expected a number"),
    "decimal comma": (edited("spikes", 1, time="3,5"), r"spikes\.csv: column 'time', row 1: '3,5', expected a number"),
    "text in trials": (
        edited("trials", 2, start_time="x"),
        r"trials\.csv: column 'start_time', row 2: 'x', expected a number",
    ),
    "missing stop": (edited("trials", 3, stop_time=None), r"trials\.csv: column 'stop_time', row 3: nothing, expected"),
    "stop before start": (edited("trials", 3, stop_time=1.0), r"trial 2 stops at 1 s, before it starts"),
    "no trials": (
        {"trials": small()["trials"].iloc[3:]},
        r"sessions\.csv: subject 'Q' session 'd1': no trials; trials\.csv has no row of this session",
    ),
    "no spikes": (
        {"spikes": small()["spikes"].iloc[4:]},
        r"sessions\.csv: subject 'Q' session 'd1': has neither units nor traces; add rows",
    ),
    "negative spike": (edited("spikes", 1, time=-2.0), r"unit 1 fires at -2 s, when it was not observed"),
    "bad start": (
        edited("sessions", 1, start="8.1.2024"),
        r"sessions\.csv: column 'start', row 1: '8\.1\.2024', expected an ISO 8601 date or time",
    ),
    "no start": (edited("sessions", 1, start=None), r"sessions\.csv: column 'start', row 1: nothing, expected an ISO"),
    "sex": ({"sessions": small()["sessions"].assign(sex=["x", "M"])}, r"sessions\.csv: row 1: sex is 'x', expected M, F"),
    "age": ({"sessions": small()["sessions"].assign(age=["90 days", "P90D"])}, r"row 1: age is '90 days', expected an ISO"),
    "resolution": (
        {"sessions": small()["sessions"].assign(spike_resolution=["fine", 1])},
        r"sessions\.csv: column 'spike_resolution', row 1: 'fine', expected a number",
    ),
    "milliseconds": (
        {"trials": small()["trials"].assign(start_time=[0, 1e4, 2e4, 0, 10, 20], stop_time=[5e3, 1.5e4, 2.5e4, 5, 15, 25])},
        r"the trials last 5000 s \(median\) and end at 25000 s; are these milliseconds, samples or the time of day\?",
    ),
    "time of day": (
        {"trials": small()["trials"].assign(start_time=[1.7e9, 1.7e9, 1.7e9, 0, 10, 20], stop_time=[1.7e9 + 5, 1.7e9 + 5, 1.7e9 + 5, 5, 15, 25])},
        r"the trials last 5 s \(median\) and end at 1\.7e\+09 s; are these",
    ),
    "duplicate unit": (
        {"units": pd.DataFrame({"subject": "Q", "session": ["d1", "d1", "d1", "d2", "d2"], "unit": [2, 10, 2, 2, 10]})},
        r"units\.csv: row 3: unit '2' stands twice in .*'d1'",
    ),
    "unit not listed": (
        {"units": pd.DataFrame({"subject": "Q", "session": ["d1", "d2", "d2"], "unit": [2, 2, 10]})},
        r"spikes\.csv: spikes of unit '10', which units\.csv does not list for .*'d1'; add it there or remove its spikes",
    ),
    "no unit listed": (
        {"units": pd.DataFrame({"subject": "Q", "session": ["d2", "d2"], "unit": [2, 10]})},
        r"'d1': units\.csv has no unit of this session; add them",
    ),
    "interval missing": (
        {
            "obs_intervals": pd.DataFrame(
                {"subject": "Q", "session": ["d1", "d2", "d2"], "unit": [2, 2, 10], "start_time": 0.0, "stop_time": 25.0}
            )
        },
        r"obs_intervals\.csv: no interval of unit '10' of .*'d1'; give each unit at least one",
    ),
    "spike outside": (
        {"obs_intervals": pd.DataFrame({"subject": "Q", "session": ["d1"], "start_time": [0.0], "stop_time": [20.0]})},
        r"unit 0 fires at 21 s, when it was not observed",
    ),
    "interval text": (
        {"obs_intervals": pd.DataFrame({"subject": "Q", "session": ["d1"], "start_time": ["x"], "stop_time": [20.0]})},
        r"obs_intervals\.csv: column 'start_time', row 1: 'x', expected a number",
    ),
    "slash": (
        {name: table.replace({"session": {"d1": "d/1"}}) for name, table in small().items()},
        r"the session's name must be text without '/', got 'd/1'",
    ),
    "duplicate session": (
        {"sessions": pd.concat([small()["sessions"], small()["sessions"].iloc[:1]])},
        r"sessions\.csv: subject 'Q' session 'd1': listed in rows 1, 3; a session has one row",
    ),
    "trace text": (
        {"traces": pd.concat([frames(session=name, subject="Q").astype(object) for name in ("d1", "d2")]).reset_index(drop=True)},
        r"traces\.csv: column 'a', row 3: 'bright', expected a number",
    ),
    "trace time twice": (
        {"traces": pd.concat([frames(session="d1", subject="Q"), frames(session="d1", subject="Q").iloc[:1]])},
        r"traces\.csv: the time 0 s stands twice in .*'d1'; a frame has one row",
    ),
    "trace value twice": (
        {"traces": pd.DataFrame({"subject": "Q", "session": "d1", "time": [0.0, 0.0], "unit": "a", "value": [1.0, 2.0]})},
        r"subject 'Q' session 'd1': traces have two values of a region at one time; remove one",
    ),
}  # fmt: skip
REFUSED["trace text"][0]["traces"].loc[2, "a"] = "bright"


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_session_that_cannot_be_used_is_named_and_the_other_goes_on(changes, message, source, tmp_path):
    done, lines = converted(written(source, **changes), tmp_path)

    assert [path.name for path in done.files] == ["sub-Q_ses-d2.nwb"]
    (refused,) = done.refused
    assert re.search(message, refused.reason)
    assert f"not converted: {refused.reason}" in lines
    with pytest.raises(StudyError, match=message):
        convert("tables", source, tmp_path / "again", progress=quiet)


def test_a_session_that_nwb_cannot_hold_is_named(source, tmp_path, monkeypatch):
    from piriform.convert import writing

    def fails(recording, path):
        raise ValueError("no such type")

    monkeypatch.setattr(writing, "write_recording", fails)
    with pytest.raises(StudyError, match=r"'d1': cannot be written as NWB \(ValueError: no such type\)"):
        convert("tables", written(source), tmp_path / "nwb", progress=quiet)


def test_spikes_in_milliseconds_beside_trials_in_seconds_are_refused(source, tmp_path):
    times = np.sort(np.random.default_rng(0).uniform(0, 25, 200))
    both = [
        {"subject": "Q", "session": name, "unit": 1, "time": 1000 * times if name == "d1" else times}
        for name in ("d1", "d2")
    ]
    done, _ = converted(written(source, spikes=pd.concat([pd.DataFrame(one) for one in both])), tmp_path)

    assert len(done.files) == 1
    assert re.search(
        r"the last spike is at 2\d{4}.* s, but the last trial ends at 25 s; are the times", done.refused[0].reason
    )


@pytest.mark.parametrize("name", ["trials", "spikes", "units", "obs_intervals", "traces"])
def test_rows_of_a_session_that_is_not_listed_are_refused_and_the_listed_ones_go_on(name, source, tmp_path):
    tables = small(
        units=pd.DataFrame({"subject": "Q", "session": ["d1", "d1", "d2", "d2"], "unit": [2, 10, 2, 10]}),
        obs_intervals=pd.DataFrame({"subject": "Q", "session": ["d1", "d2"], "start_time": 0.0, "stop_time": 25.0}),
        traces=pd.concat([frames(session=session, subject="Q") for session in ("d1", "d2")]),
    )
    tables[name] = pd.concat([tables[name], tables[name].iloc[-1:].assign(session="d3")])
    done, _ = converted(write_tables(source, tables), tmp_path)

    assert len(done.files) == 2
    (refused,) = done.refused
    assert refused.name == f"{source / name}.csv: subject 'Q' session 'd3'"
    assert re.search(
        r"not in sessions\.csv \(did you mean 'Q d\d'\?\); add the session there or remove its rows", refused.reason
    )


# Tables that cannot be used -------------------------------------------------------------------

BAD_TABLES = {
    "no sessions": (
        {"sessions": None, "session": small()["sessions"]},
        r"source: no table 'sessions' \(sessions\.csv, .*sessions\.parquet\) \(did you mean 'session'\?\); the folder holds session\.csv, ",
    ),
    "no trials": ({"trials": None}, r"source: no table 'trials' \(trials\.csv, .*; the folder holds sessions\.csv, spikes\.csv"),
    "no spikes": (
        {"spikes": None, "spike": small()["spikes"]},
        r"source: no table 'spikes' .* \(did you mean 'spike'\?\)",
    ),
    "column": (
        {"spikes": small()["spikes"].rename(columns={"time": "times"})},
        r"spikes\.csv: no column 'time' \(did you mean 'times'\?\); it has subject, session, unit, times",
    ),
    "whose": (
        {"trials": small()["trials"].drop(columns="session")},
        r"trials\.csv: no column 'session'; it has subject, start_time, stop_time, odor",
    ),
    "whose row": (edited("spikes", 4, session=None), r"spikes\.csv: row 4 has no session; every row needs one"),
    "no unit": (edited("spikes", 4, unit=None), r"spikes\.csv: row 4 has no unit; every row needs one"),
    "no unit in units": (
        {"units": pd.DataFrame({"subject": "Q", "session": ["d1", "d1"], "unit": [2, None]})},
        r"units\.csv: row 2 has no unit; every row needs one",
    ),
    "no meaning": (
        {"columns": pd.DataFrame({"table": ["trials"], "column": ["odor"], "meaning": [None]})},
        r"columns\.csv: row 1 has no meaning; every row needs one",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_a_table_that_cannot_be_used_is_named(changes, message, source, tmp_path):
    with pytest.raises(StudyError, match=message):
        convert("tables", written(source, **changes), tmp_path / "nwb", progress=quiet)
    assert not (tmp_path / "nwb").exists()


BAD_FILES = {
    "empty": (b"", r"spikes\.csv: the file is empty; expected a first line with the names of the columns"),
    "blank": (b"\n\n", r"spikes\.csv: the file is empty"),
    "latin": ("unit,time,größe\n1,2,3\n".encode("latin-1"), r"spikes\.csv: not UTF-8 text \(byte 12\); save the table as UTF-8"),
    "utf16": ("unit,time\n1,2\n".encode("utf-16"), r"spikes\.csv: not UTF-8 text"),
    "late": (b"subject,session,unit,time\nQ,d1,\xff,1\n", r"spikes\.csv: not UTF-8 text"),
    "twice": (b"unit,time,time\n1,2,3\n", r"spikes\.csv: two columns are named 'time'; rename one of them"),
    "too many": (b"subject,session,unit,time\nQ,d1,1,2\nQ,d1,1,2,3\n", r"spikes\.csv: not a readable table \(ParserError: .*line 3"),
    "all too many": (b"subject,session,unit,time\nQ,d1,1,2,3\nQ,d1,1,2,3\n", r"spikes\.csv: not a readable table \(Parser"),
    "mixed": (b"subject,session,unit,time\nQ;d1;1;2\n", r"spikes\.csv: row 1 has no session; every row needs one"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_read_is_named(content, message, source, tmp_path):
    written(source)
    (source / "spikes.csv").write_bytes(content)
    with pytest.raises(StudyError, match=message):
        convert("tables", source, tmp_path / "nwb", progress=quiet)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.97])
def test_a_cut_off_parquet_or_gzip_file_is_named(share, source, tmp_path):
    for kind in ("parquet", "csv.gz"):
        path = write_tables(source / kind, small(), kind=kind) / f"spikes.{kind}"
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(StudyError, match=rf"spikes\.{kind}: (not a readable table|the file is empty)"):
            convert("tables", source / kind, tmp_path / "nwb", progress=quiet)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["sessions", "trials", "spikes"])
def test_a_damaged_table_is_refused_by_name_or_read(kind, name, source):
    """Bytes changed, cut off or lost: a sentence that names the file or the session, never another error."""
    path = write_tables(source, small(), kind=kind) / f"{name}.{kind}"
    whole, rng, reasons = path.read_bytes(), np.random.default_rng(7), []
    for number in range(40):
        path.write_bytes(damaged(whole, number % 3, rng))
        try:
            for session in tables.sessions(source):
                assert session.read().trials["start_time"].is_monotonic_increasing
        except StudyError as error:
            reasons.append(str(error))
    assert len(reasons) > 10
    assert all(str(source) in reason or reason.startswith("subject ") for reason in reasons)


def damaged(whole, kind, rng):
    content, place = bytearray(whole), rng.integers(len(whole))
    if kind == 0:
        content[place : place + 3] = rng.integers(0, 256, 3, dtype=np.uint8).tobytes()
    elif kind == 1:
        del content[place:]
    else:
        del content[place : place + 30]
    return bytes(content)


def test_two_files_of_one_table_are_refused(source, tmp_path):
    written(source)
    with gzip.open(source / "spikes.csv.gz", "wt") as stream:
        stream.write("unit,time\n")
    with pytest.raises(StudyError, match=r"spikes\.csv\.gz: holds the same table as spikes\.csv; remove one of them"):
        convert("tables", source, tmp_path / "nwb", progress=quiet)


def test_a_bad_folder_is_named_and_the_others_go_on(source, tmp_path):
    written(source / "good")
    written(source / "poor", trials=None)
    done, _ = converted(source, tmp_path)

    assert len(done.files) == 2
    assert [one.name for one in done.refused] == [str(source / "poor")]


def test_a_source_that_is_no_folder(source, tmp_path):
    with pytest.raises(
        StudyError, match=r"source: no such folder; give the folder that holds the tables sessions, trials"
    ):
        convert("tables", source, tmp_path / "nwb", progress=quiet)
    source.mkdir()
    with pytest.raises(StudyError, match=r"source: no table 'sessions' .*; the folder holds nothing"):
        convert("tables", source, tmp_path / "nwb", progress=quiet)


def test_a_header_alone_is_a_table_without_rows(source, tmp_path):
    """Units that are listed but never fire are kept."""
    units = pd.DataFrame({"subject": "Q", "session": ["d1", "d1", "d2"], "unit": ["a", "b", "a"]})
    done, _ = converted(written(source, spikes=small()["spikes"].iloc[:0], units=units), tmp_path)

    assert [[len(times) for times in opened(path)[1]["spike_times"]] for path in done.files] == [[0, 0], [0]]
