import h5py
import numpy as np
import pytest
from wild_nwb import column, intervals, ragged, series, wild_nwb

from piriform.config import Classes, Trials
from piriform.errors import ConfigError, StudyError
from piriform.mapping import map_trials
from piriform.nwb import read_trials
from piriform.nwb.columns import column_values

#: A mapping of the odour alone.
BARE = {"align_to": "start_time", "stimulus": None, "choice": None, "correct": None, "response_time": None}


def odors(path, name="odor", **keys):
    """What the column of the odour becomes."""
    return read_trials(path, Trials(**BARE | {"category": name} | keys))[name].tolist()


@pytest.fixture
def nwb(tmp_path):
    return lambda *fill, name="a.nwb", **more: wild_nwb(tmp_path / name, *fill, **more)


# Columns --------------------------------------------------------------------------------------


def test_a_list_of_odors_becomes_one_text_in_its_order(nwb):
    lists = [["B", "A"], ["A"], [], ["A", "B"]]
    assert odors(nwb(intervals(columns=ragged("odor", lists)))) == ["B+A", "A", "", "A+B"]


def test_a_list_of_numbers_is_written_like_single_numbers(nwb):
    assert odors(nwb(intervals(columns=ragged("odor", [[1.0, 2.5], [3.0], [], [2.0]])))) == ["1+2.5", "3", "", "2"]


def test_lists_of_one_entry_at_most_are_values(nwb):
    path = nwb(
        intervals(columns=[*ragged("odor", [["A"], ["B"], [], ["C"]]), *ragged("lick", [[1.5], [], [11.5], [16.0]])])
    )
    raw = read_trials(path, Trials(**BARE | {"category": "odor", "response_time": "lick"}))
    assert raw["odor"].tolist() == ["A", "B", "", "C"]
    np.testing.assert_array_equal(raw["lick"], [1.5, np.nan, 11.5, 16.0])


def test_several_times_per_trial_are_no_time(nwb):
    path = nwb(intervals(columns=[column("odor", list("ABAB")), *ragged("lick", [[1.0, 1.2], [6.0], [], [16.0]])]))
    trials = Trials(**BARE | {"category": "odor", "response_time": "lick"})
    with pytest.raises(StudyError, match=r"column 'lick' must hold one time in s per trial .*1\+1\.2"):
        map_trials(read_trials(path, trials), trials=trials, classes=Classes(by_stimulus=True), where="a.nwb")


def test_rows_of_a_matrix_are_lists_without_their_padding(nwb):
    path = nwb(intervals(columns=[column("odor", np.array([[1.0, 2.0], [3.0, np.nan], [np.nan] * 2, [4.0, 4.0]]))]))
    assert odors(path) == ["1+2", "3", "", "4+4"]
    assert odors(nwb(intervals(columns=[column("odor", [[7], [8], [7], [9]])]), name="b.nwb")) == [7, 8, 7, 9]


def test_lists_of_lists_are_refused(nwb):
    from hdmf.common import VectorIndex

    inner = ragged("odor", [["A"], ["B"], ["A"], ["B"], ["C"]])
    outer = VectorIndex(name="odor_index_index", data=[1, 2, 3, 5], target=inner[1])
    path = nwb(intervals(columns=[*inner, outer]))
    with pytest.raises(StudyError, match=r"a\.nwb: table 'trials': column 'odor' holds lists of lists"):
        odors(path)


def test_lists_of_pairs_are_refused(nwb):
    from hdmf.common import VectorIndex

    target = column("odor", np.zeros((5, 2)))
    path = nwb(intervals(columns=[target, VectorIndex(name="odor_index", data=[1, 2, 3, 5], target=target)]))
    with pytest.raises(StudyError, match=r"column 'odor' holds lists of arrays of shape \(2,\)"):
        odors(path)


def test_codes_of_an_hdf5_enumeration_are_named(nwb):
    path = nwb(intervals(columns=[column("odor", [0, 1, 2, 1])]))
    kind = h5py.enum_dtype({"air": 0, "citral": 1, "hexanal": 2}, basetype="i1")
    rewrite(path, "odor", np.array([2, 1, 0, 1], dtype="i1"), kind)
    assert odors(path) == ["hexanal", "citral", "air", "citral"]
    rewrite(path, "odor", np.array([2, 1, 0, 5], dtype="i1"), kind)
    with pytest.raises(StudyError, match="column 'odor' holds the code 5, which its enumeration does not name"):
        odors(path)


def rewrite(path, name, values, kind):
    with h5py.File(path, "a") as file:
        attributes = dict(file["intervals/trials"][name].attrs)
        del file["intervals/trials"][name]
        file["intervals/trials"].create_dataset(name, data=values, dtype=kind).attrs.update(attributes)


def test_an_enumeration_of_hdmf_is_named(nwb):
    from hdmf.common import EnumData

    def columns(file):
        return [EnumData(name="odor", description="odor", data=[1, 0, 1, 1], elements=["citral", "hexanal"])]

    path = nwb(intervals(columns=columns))
    assert odors(path) == ["hexanal", "citral", "hexanal", "hexanal"]
    rewrite(path, "odor", np.array([1, 0, 2, 1], dtype="u1"), "u1")
    with pytest.raises(StudyError, match="column 'odor' refers to rows 0 to 2 of 'elements', which has 2"):
        odors(path)


@pytest.fixture
def referring(nwb):
    """Trials that refer to rows of a table of odours."""
    from hdmf.common import DynamicTable, DynamicTableRegion

    def write(rows, name="a.nwb", **columns):
        def made(file):
            data = [column(key, values) for key, values in columns.items()]
            table = DynamicTable(name="odors", description="odors", columns=data, id=[70, 80, 90])
            file.add_acquisition(table)
            return [DynamicTableRegion(name="odor", description="row", data=rows, table=table)]

        return nwb(intervals(columns=made), name=name)

    return write


def test_a_reference_becomes_the_name_of_the_row(referring):
    rows = [2, 0, 1, 0]
    path = referring(rows, concentration=[0.1, 0.2, 0.3], label=["l0", "l1", "l2"], name="a.nwb")
    assert odors(path) == ["l2", "l0", "l1", "l0"]
    assert odors(path, "odor.concentration") == [0.3, 0.1, 0.2, 0.1]
    kept = read_trials(path, Trials(**BARE | {"category": "odor", "filter": "`odor.concentration` > 0.15"}))
    assert kept["odor.concentration"].tolist() == [0.3, 0.1, 0.2, 0.1]
    assert odors(referring(rows, name="b.nwb", concentration=[0.1, 0.2, 0.3])) == [90, 70, 80, 70]
    with pytest.raises(StudyError, match=r"column 'odor\.conc': table 'odors' has no column 'conc' \(after the dot\)"):
        odors(path, "odor.conc")
    with pytest.raises(StudyError, match="its first part does not refer to rows of another table; there is no 'x'"):
        odors(path, "start_time.x")


@pytest.mark.parametrize("row", [-1, 3])
def test_a_reference_to_a_row_that_is_not_there_is_refused(referring, row):
    path = referring([2, 0, 1, 0], label=["l0", "l1", "l2"])
    rewrite(path, "odor", np.array([2, 0, row, 0]), "i8")
    with pytest.raises(StudyError, match=r"column 'odor' refers to rows .* of 'odors', which has 3"):
        odors(path)


def test_lists_of_references_are_joined(nwb):
    from hdmf.common import DynamicTable, DynamicTableRegion, VectorIndex

    def made(file):
        table = DynamicTable(name="odors", description="odors", columns=[column("name", ["A", "B", "C"])])
        file.add_acquisition(table)
        region = DynamicTableRegion(name="odor", description="rows", data=[0, 1, 2, 0, 1], table=table)
        return [region, VectorIndex(name="odor_index", data=[2, 3, 3, 5], target=region)]

    assert odors(nwb(intervals(columns=made))) == ["A+B", "C", "", "A+B"]


def test_references_to_time_series_do_no_harm_unless_they_are_named(nwb):
    from hdmf.common import VectorIndex
    from pynwb import TimeSeries
    from pynwb.base import TimeSeriesReference, TimeSeriesReferenceVectorData

    def made(file):
        lick = TimeSeries(name="lick", data=np.arange(30.0), rate=1.0, unit="n.a.")
        file.add_acquisition(lick)
        data = [TimeSeriesReference(0, 2, lick)] * 4
        stretches = TimeSeriesReferenceVectorData(name="timeseries", description="stretches", data=data)
        index = VectorIndex(name="timeseries_index", data=[1, 2, 3, 4], target=stretches)
        return [column("odor", list("ABAB")), stretches, index]

    path = nwb(intervals(columns=made))
    assert odors(path) == list("ABAB")
    with pytest.raises(StudyError, match="column 'timeseries' holds references to stretches of time series"):
        odors(path, "timeseries")


def test_records_are_no_value(nwb):
    path = nwb(intervals(columns=[column("odor", [1, 2, 3, 4])]))
    rewrite(path, "odor", np.zeros(4, dtype=[("x", "f8"), ("y", "f8")]), None)
    with pytest.raises(StudyError, match=r"column 'odor' holds records \(x, y\)"):
        odors(path)


def test_what_is_no_value_is_refused():
    from hdmf.common import DynamicTable, DynamicTableRegion

    table = DynamicTable(
        name="t",
        description="t",
        columns=[
            column("odor", np.array([{1}, {2}], dtype=object)),
            DynamicTableRegion(name="row", description="row", data=[0, 1], table=None),
        ],
    )
    with pytest.raises(StudyError, match="f: column 'odor' holds objects \\(set\\); expected one value per row"):
        column_values(table, "odor", "f")
    with pytest.raises(StudyError, match="f: column 'row' refers to rows of a table that is not in the file"):
        column_values(table, "row", "f")


def test_the_id_of_a_row_can_be_its_label(nwb):
    assert odors(nwb(intervals(columns=[column("odor", list("ABAB"))])), "id") == [0, 1, 2, 3]


def test_numbers_written_as_text_count_as_numbers_where_numbers_are_needed(nwb):
    columns = [column("odor", ["1.0", "2.0", "1.0", "2.0"]), column("right", ["1.0", "0.0", "", "1.0"])]
    columns.append(column("onset", ["1.5", "6.5", "nan", "16.5"]))
    trials = Trials(
        **BARE | {"align_to": "onset", "category": "odor", "correct": "right", "block": "odor", "filter": "odor < 5"}
    )
    raw = read_trials(nwb(intervals(columns=columns)), trials)
    mapped = map_trials(raw, trials=trials, classes=Classes(by_stimulus=True), where="a.nwb")
    assert mapped.trials["event_time"].tolist() == [1.5, 6.5, 16.5]
    assert mapped.trials["correct"].tolist() == [1.0, 0.0, 1.0]
    assert mapped.trials["block"].tolist() == [1.0, 2.0, 2.0]
    assert mapped.trials["stimulus"].tolist() == ["1.0", "2.0", "2.0"]  # a label stays as it was written
    assert mapped.excluded == {"no onset": [2]}


def test_trials_without_a_time_are_left_out(nwb):
    trials = Trials(**BARE | {"align_to": "onset", "category": "odor"})
    columns = [column("odor", list("ABAB")), column("onset", [1.0, np.nan, 11.0, 16.0])]
    raw = read_trials(nwb(intervals(columns=columns, start=[0, 5, np.nan, 15])), trials)
    mapped = map_trials(raw, trials=trials, classes=Classes(by_stimulus=True), where="a.nwb")
    assert mapped.excluded == {"no onset": [1], "no start_time": [2]}


# Several tables -------------------------------------------------------------------------------


@pytest.fixture
def per_odor(nwb):
    """One table for each odour, and one of something else."""
    return nwb(
        intervals("odor_B", start=[5, 0], columns=[column("right", [1, 0])]),
        intervals("odor_A", start=[15, 10, np.nan], columns=[column("right", [0, 1, 1])]),
        intervals("licks", start=[1.0]),
    )


@pytest.mark.parametrize("table", [["odor_A", "odor_B"], "odor_*", ["odor_B", "odor_?"]])
def test_several_tables_are_joined_in_order_of_time(per_odor, table):
    raw = read_trials(per_odor, Trials(**BARE | {"table": table, "category": "table", "correct": "right"}))
    assert raw.index.tolist() == [0, 1, 2, 3, 4]
    assert raw["table"].tolist() == ["odor_B", "odor_B", "odor_A", "odor_A", "odor_A"]
    np.testing.assert_array_equal(raw["start_time"], [0, 5, 10, 15, np.nan])
    assert raw["right"].tolist() == [0, 1, 1, 0, 1]


def test_one_table_keeps_its_order_and_has_its_name(per_odor):
    raw = read_trials(per_odor, Trials(**BARE | {"table": "odor_B", "category": "table"}))
    assert raw["start_time"].tolist() == [5.0, 0.0]
    assert raw["table"].tolist() == ["odor_B", "odor_B"]


def test_a_table_that_lacks_a_column_or_is_not_there_is_named(per_odor):
    with pytest.raises(StudyError, match=r"a\.nwb: table 'licks' has no column 'right' \(trials.correct\)"):
        read_trials(per_odor, Trials(**BARE | {"table": ["odor_A", "licks"], "category": "table", "correct": "right"}))
    with pytest.raises(
        StudyError, match=r"no interval table 'odor_C' .*it has licks, odor_A, odor_B; set trials.table"
    ):
        read_trials(per_odor, Trials(table=["odor_A", "odor_C"]))
    with pytest.raises(StudyError, match=r"no interval table: trials.table is an empty list"):
        read_trials(per_odor, Trials(table=[]))


def test_a_column_called_table_is_the_labs_own(nwb):
    own = [column("table", list("xyxy"))]
    path = nwb(intervals("odor_A", columns=own), intervals("odor_B", start=[30, 35, 40, 45]))
    assert odors(path, "table", table="odor_A") == list("xyxy")
    with pytest.raises(StudyError, match=r"table 'odor_A' has a column 'table', other tables of trials.table do not"):
        odors(path, "table", table="odor_*")


def test_tables_outside_the_intervals_are_found(nwb):
    path = nwb(
        intervals("sniffs", columns=[column("odor", list("ABAB"))], module="behavior"),
        intervals("sniffs", start=[7.0], columns=[column("odor", ["C"])]),
    )
    assert odors(path, table="sniffs") == ["C"]
    path = nwb(intervals("sniffs", columns=[column("odor", list("ABAB"))], module="behavior"), name="b.nwb")
    assert odors(path, table="sniffs") == list("ABAB")


def test_a_table_of_events_has_their_times(nwb):
    from hdmf.common import DynamicTable

    def add(file):
        columns = [column("timestamp", [3.0, 1.0]), column("duration", [0.5, np.nan]), column("odor", ["A", "B"])]
        file.add_acquisition(DynamicTable(name="valves", description="valves", columns=columns))

    raw = read_trials(nwb(add), Trials(**BARE | {"table": "valves", "category": "odor"}))
    assert raw["start_time"].tolist() == [3.0, 1.0]
    np.testing.assert_array_equal(raw["stop_time"], [3.5, np.nan])


# Stimulus series ------------------------------------------------------------------------------

VALUE = BARE | {"series": "odor", "category": "value"}


def test_changes_of_a_stimulus_series_are_trials(nwb):
    data = np.array([0, 3, 3, 0, 0, 1, 2, 2, 0, 3], dtype=float)
    raw = read_trials(nwb(series("odor", data, rate=2.0, starting_time=10.0)), Trials(**VALUE | {"stimulus": "table"}))
    assert raw["value"].tolist() == [3.0, 1.0, 2.0, 3.0]
    assert raw["start_time"].tolist() == [10.5, 12.5, 13.0, 14.5]
    assert raw["stop_time"].tolist() == [11.5, 13.0, 14.0, 14.5]
    assert set(raw["table"]) == {"odor"}


def test_a_stimulus_that_is_on_in_the_first_sample_has_no_start(nwb):
    raw = read_trials(nwb(series("odor", [2, 2, 0, 1, 0], rate=1.0)), Trials(**VALUE))
    np.testing.assert_array_equal(raw["start_time"], [np.nan, 3.0])
    np.testing.assert_array_equal(raw["stop_time"], [2.0, 4.0])


def test_missing_values_may_stand_for_no_stimulus(nwb):
    raw = read_trials(nwb(series("odor", [np.nan, 1, np.nan, 2], timestamps=[0.0, 1.0, 4.0, 9.0])), Trials(**VALUE))
    assert (raw["value"].tolist(), raw["start_time"].tolist()) == ([1.0, 2.0], [1.0, 9.0])


def test_conversion_and_offset_of_a_stimulus_series_are_applied(nwb):
    path = nwb(series("odor", np.array([1, 3, 1, 5]), rate=1.0, conversion=0.5, offset=-0.5))
    assert read_trials(path, Trials(**VALUE))["value"].tolist() == [1.0, 2.0]


def test_every_sample_can_be_an_event(nwb):
    path = nwb(series("odor", np.array([[4], [4], [7]]), timestamps=[1.0, 6.0, 11.0]))
    raw = read_trials(path, Trials(**VALUE | {"series_events": "samples"}))
    assert (raw["value"].tolist(), raw["start_time"].tolist()) == ([4.0, 4.0, 7.0], [1.0, 6.0, 11.0])
    with pytest.raises(StudyError, match=r"never 0, .* set trials.series_events to samples"):
        read_trials(path, Trials(**VALUE))


def test_annotations_are_events(nwb):
    path = nwb(series("odor", ["A", "A", "", "B"], kind="AnnotationSeries", timestamps=[1.0, 6.0, 11.0, 16.0]))
    raw = read_trials(path, Trials(**VALUE))
    assert (raw["value"].tolist(), raw["start_time"].tolist()) == (["A", "A", "B"], [1.0, 6.0, 16.0])


def test_an_interval_series_has_starts_and_stops(nwb):
    path = nwb(
        series(
            "odor",
            np.array([1, -1, 2, 1, -2, -1, 3]),
            kind="IntervalSeries",
            timestamps=[1.0, 2.0, 5.0, 6.0, 7.0, 9.0, 10.0],
        )
    )
    raw = read_trials(path, Trials(**VALUE))
    assert raw["value"].tolist() == [1.0, 2.0, 1.0, 3.0]
    assert raw["start_time"].tolist() == [1.0, 5.0, 6.0, 10.0]
    np.testing.assert_array_equal(raw["stop_time"], [2.0, 7.0, 9.0, np.nan])


def test_one_series_for_each_odor(nwb):
    path = nwb(series("odor_A", [0, 1, 0, 0], rate=1.0), series("odor_B", [0, 0, 0, 1, 0], rate=1.0))
    raw = read_trials(path, Trials(**VALUE | {"series": "odor_*", "category": "table"}))
    assert (raw["table"].tolist(), raw["start_time"].tolist()) == (["odor_A", "odor_B"], [1.0, 3.0])


@pytest.mark.parametrize(
    ("data", "clock", "message"),
    [
        (np.array([0, 1, np.nan, 1]), {"rate": 1.0}, "both 0 and missing values"),
        (np.zeros((4, 2)), {"rate": 1.0}, r"data have shape \(4, 2\); expected one value per sample"),
        (np.sin(np.arange(300)), {"rate": 1.0}, "more than 100 different values; expected labels"),
        ([0, 1, 0], {"timestamps": [0.0, 2.0, 1.0]}, "timestamps are missing or do not increase"),
    ],
)
def test_a_series_that_is_no_label_is_refused(nwb, data, clock, message):
    with pytest.raises(StudyError, match=rf"a\.nwb: time series 'odor': {message}"):
        read_trials(nwb(series("odor", data, **clock)), Trials(**VALUE))


def test_a_series_that_is_not_there_is_named(nwb):
    with pytest.raises(
        StudyError, match=r"a\.nwb: no time series 'odour' \(did you mean 'odor'\?\); it has odor; set trials.series"
    ):
        read_trials(nwb(series("odor", [0, 1], rate=1.0)), Trials(**VALUE | {"series": "odour"}))
    with pytest.raises(
        StudyError, match=r"time series 'odor' has no column 'odor' \(trials.category\); it has start_time"
    ):
        read_trials(nwb(series("odor", [0, 1], rate=1.0)), Trials(**VALUE | {"category": "odor"}))


# A side table ---------------------------------------------------------------------------------


@pytest.fixture
def extra(tmp_path):
    """A function that writes a side table and returns a mapping that uses it."""

    def write(text, **keys):
        (tmp_path / "side.csv").write_text(text)
        return Trials(**BARE | {"category": "odor", "extra": str(tmp_path / "side.csv")} | keys)

    return write


@pytest.fixture
def bare(nwb):
    return nwb(intervals(columns=[column("side", list("lrlr"))]))


def test_columns_of_a_side_table_are_joined_by_number(bare, extra):
    trials = extra(
        "\ufeffsubject,session, trial,odor,right,start_time\n"
        "Q,day-01,2,A,1,10.001\nQ,day-02,0,X,0,0\nQ, day-01 ,0,B,0,0\nQ,day-01,3.0,,1,\n",
        correct="right",
        filter="side != 'l' or right == 1",
    )
    raw = read_trials(bare, trials)
    assert raw["odor"].tolist() == ["B", "", "A", ""]
    assert raw["right"].tolist() == ["0", "", "1", "1"]
    mapped = map_trials(raw, trials=trials, classes=Classes(by_stimulus=True), where="a.nwb")
    assert mapped.trials.index.tolist() == [2]
    assert mapped.excluded == {"does not pass trials.filter": [0], "no stimulus": [1, 3]}


def test_columns_of_a_side_table_are_joined_by_id(bare, extra):
    with h5py.File(bare, "a") as file:
        file["intervals/trials/id"][:] = [7, 5, 9, 11]
    assert read_trials(bare, extra("subject,session,id,odor\nQ,day-01,9,A\nQ,day-01,7,B\n"))["odor"].tolist() == [
        "B",
        "",
        "A",
        "",
    ]
    with h5py.File(bare, "a") as file:
        file["intervals/trials/id"][:] = 1
    with pytest.raises(StudyError, match=r"a\.nwb: .*side\.csv: ids of the trials are not unique"):
        read_trials(bare, extra("subject,session,id,odor\nQ,day-01,9,A\n"))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("Q,day-01,4,A,", r"line 2: there is no trial of trial '4'; they are numbered from 0 to 3"),
        ("Q,day-01,x,A,", "line 2: there is no trial of trial 'x'"),
        ("Q,day-01,1,A,\nQ,day-01,1,B,", "line 3: trial 1 is listed twice"),
        ("Q,day-01,1,A,0.0", r"line 2: start_time is 0 s, the file's 5 s; the rows do not belong to these trials"),
        ("R,day-01,1,A,0.0", r"no row for subject 'Q', session 'day-01' \(trials.extra\)"),
    ],
)
def test_a_row_that_fits_no_trial_is_named(bare, extra, rows, message):
    with pytest.raises(StudyError, match=rf"side\.csv.*{message}"):
        read_trials(bare, extra(f"subject,session,trial,odor,start_time\n{rows}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,trial,odor\nQ,1,A\n", "columns subject, trial, odor; expected subject, session and one of trial"),
        ("subject,session,trial,id,odor\nQ,day-01,1,1,A\n", "expected subject, session and one of trial"),
        ("", "not a CSV table"),
        ("subject,session,trial,odor\nQ,day-01,1,A,B\n", "rows have more values than the header has names"),
    ],
)
def test_a_side_table_without_its_keys_stops_the_study(bare, extra, text, message):
    with pytest.raises(ConfigError, match=rf"side\.csv: .*{message}"):
        read_trials(bare, extra(text))


def test_a_side_table_that_is_not_there_stops_the_study(bare):
    with pytest.raises(ConfigError, match=r"no\.csv: no such file \(trials.extra\)"):
        read_trials(bare, Trials(**BARE | {"category": "odor", "extra": "no.csv"}))


def test_a_column_that_both_have_is_ambiguous(bare, extra):
    with pytest.raises(StudyError, match=r"column 'side' \(trials.category\) is also in .*side\.csv"):
        read_trials(bare, extra("subject,session,trial,side\nQ,day-01,1,A\n", category="side"))


def test_a_column_that_neither_has(bare, extra):
    with pytest.raises(
        StudyError, match=r"table 'trials' has no column 'odor' \(trials.category\); .*nor has .*side\.csv"
    ):
        read_trials(bare, extra("subject,session,trial,side\nQ,day-01,1,A\n"))


def test_a_side_table_numbers_the_rows_of_several_tables_in_order_of_time(per_odor, extra):
    rows = "".join(f"Q,day-01,{row},{odor}\n" for row, odor in enumerate("abcde"))
    raw = read_trials(per_odor, extra(f"subject,session,trial,odor\n{rows}", table="odor_*"))
    np.testing.assert_array_equal(raw["start_time"], [0, 5, 10, 15, np.nan])
    assert raw["odor"].tolist() == list("abcde")
