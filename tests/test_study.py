import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import h5py
import numpy as np
import pytest

from piriform.config import Phases
from piriform.errors import ConfigError, StudyError
from piriform.study import find_files, index_study, phase_of, reason_of, reasons_text
from piriform.tables import TABLES

DAY = datetime(2024, 1, 1, 9, tzinfo=UTC)


@pytest.fixture
def header(tmp_path):
    """A function that writes a file with a header alone, which is all that the index reads."""

    def write(name, *, subject="Q", session="s", start=DAY, identifier=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file.attrs["nwb_version"] = "2.6.0"
            file["session_start_time"] = start.isoformat()
            file["identifier"] = identifier or name
            file["general/subject/subject_id"] = subject
            if session:
                file["general/session_id"] = session
        return path

    return write


# Files ----------------------------------------------------------------------------------------


def test_a_folder_is_searched_through_without_hidden_and_temporary_files(tmp_path):
    wanted = ["b.nwb", "a/c.nwb", "a/d/e.nwb"]
    for name in [
        *wanted,
        ".hidden.nwb",
        "a/._c.nwb",
        ".cache/f.nwb",
        "~g.nwb",
        "notes.txt",
        ".b.nwb.12.tmp",
        "h.nwb.part",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_files(tmp_path) == sorted(tmp_path / name for name in wanted)
    assert find_files(str(tmp_path)) == find_files(tmp_path)


def test_a_list_of_files_is_taken_as_it_is():
    assert find_files(["b.nwb", "a.nwb", "b.nwb"]) == [Path("a.nwb"), Path("b.nwb")]


def test_one_file_is_a_study_and_a_list_may_hold_folders(tmp_path):
    for name in ("a.nwb", "b/c.nwb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_files(tmp_path / "a.nwb") == [tmp_path / "a.nwb"]
    assert find_files([str(tmp_path / "b"), "z.nwb"]) == sorted([tmp_path / "b" / "c.nwb", Path("z.nwb")])


def test_a_folder_that_is_not_there_or_empty(tmp_path):
    with pytest.raises(StudyError, match=r"no folder .*gone; set `data` to the folder"):
        find_files(tmp_path / "gone")
    with pytest.raises(StudyError, match=r"no \.nwb file in .*; put one per session there"):
        find_files(tmp_path)
    with pytest.raises(StudyError, match="the list of files is empty"):
        find_files([])


# Sessions -------------------------------------------------------------------------------------


def test_sessions_are_ordered_by_date_within_the_subject(header):
    paths = [
        header("z.nwb", subject="R", session="r1", start=DAY),
        header("a.nwb", session="q3", start=DAY + timedelta(days=9, hours=-8)),
        header("b.nwb", session="q1", start=DAY),
        header("c.nwb", session="q2", start=DAY + timedelta(days=2, hours=14)),
    ]
    table = index_study(paths)
    assert list(table) == list(TABLES["sessions"])
    assert table["session"].tolist() == ["q1", "q2", "q3", "r1"]
    assert table["subject"].tolist() == ["Q", "Q", "Q", "R"]
    assert table["day"].tolist() == [1, 3, 10, 1]
    assert table["date"].tolist()[1] == "2024-01-03T23:00:00+00:00"
    assert table["file"].tolist()[0] == str(paths[2])
    assert table["included"].all()
    assert (table["reason"] == "").all()
    assert index_study(paths, days="order")["day"].tolist() == [1, 2, 3, 1]


def test_days_are_those_of_the_calendar_where_it_was_recorded(header):
    zone = timezone(timedelta(hours=-8))
    evening = datetime(2024, 1, 1, 20, tzinfo=zone)  # already the 2nd in UTC
    paths = [
        header("a.nwb", session="a", start=evening),
        header("b.nwb", session="b", start=evening + timedelta(hours=12)),
    ]
    assert index_study(paths)["day"].tolist() == [1, 2]


def test_times_with_and_without_a_zone_can_be_ordered(header):
    paths = [
        header("a.nwb", session="b", start=DAY + timedelta(days=1)),
        header("b.nwb", session="a", start=DAY.replace(tzinfo=None)),
    ]
    assert index_study(paths)["session"].tolist() == ["a", "b"]


def test_two_sessions_on_one_day_are_told_apart(header):
    paths = [header(f"{n}.nwb", session="s", start=DAY + timedelta(hours=n)) for n in range(3)]
    table = index_study(paths)
    assert table["session"].tolist() == ["s", "s-2", "s-3"]
    assert table["day"].tolist() == [1, 1, 1]
    assert table["included"].all()


def test_names_are_safe_for_files_and_unique(header):
    paths = [
        header("a.nwb", subject="mouse 1/2", session="day 1: naïve"),
        header("b.nwb", subject="mouse-1-2", session="..", start=DAY),
        header("c.nwb", subject="pooled", session=None),
    ]
    table = index_study(paths)
    assert table["subject"].tolist() == ["mouse-1-2", "mouse-1-2-2", "pooled-2"]
    assert table["session"].tolist() == ["day-1-na-ve", "unnamed", "c"]


@pytest.mark.parametrize(
    "other",
    [{"session": "s", "identifier": "new"}, {"session": "t", "identifier": "a.nwb"}],
    ids=["session id", "identifier"],
)
def test_the_later_of_two_files_of_one_session_is_left_out(header, other):
    first, second = header("a.nwb", session="s"), header("b/copy.nwb", **other)
    table = index_study([second, first, header("c.nwb", session="u", start=DAY + timedelta(days=1))], days="order")
    assert table["file"].tolist()[:2] == [str(first), str(second)]
    assert table["included"].tolist() == [True, False, True]
    assert table["reason"][1] == f"same session as {first}"
    assert table["session"].is_unique
    assert table["day"].tolist() == [1, 1, 2]


def test_the_same_names_at_another_time_or_of_another_subject_are_other_sessions(header):
    paths = [
        header("a.nwb", identifier="ADDME"),
        header("b.nwb", identifier="ADDME", start=DAY + timedelta(hours=1)),
        header("c.nwb", identifier="ADDME", subject="R"),
        header("d.nwb", session="t", identifier="other"),  # same start, e.g. a date alone
    ]
    assert index_study(paths)["included"].all()


def test_files_that_cannot_be_read_keep_a_row_with_the_reason(header, tmp_path):
    (tmp_path / "empty.nwb").touch()
    table = index_study([tmp_path / "empty.nwb", header("a.nwb"), tmp_path / "gone.nwb"])
    assert table["included"].tolist() == [True, False, False]
    assert table["subject"].tolist() == ["Q", "", ""]
    assert table["day"].tolist() == [1, 0, 0]
    assert table["reason"][1].startswith("the file is empty")
    assert table["reason"][2] == "no such file"


def test_a_study_of_nothing_but_broken_files_has_an_index(tmp_path):
    assert index_study([tmp_path / "gone.nwb"])["reason"].tolist() == ["no such file"]
    assert len(index_study([])) == 0


def test_sessions_that_are_not_wanted(header):
    paths = [
        header(f"{subject}{n}.nwb", subject=subject, session=f"d{n}", start=DAY + timedelta(days=n))
        for subject in "QR"
        for n in (1, 2)
    ]
    table = index_study(paths, sessions=["d1", "R/d2"])
    assert table["reason"].tolist() == ["", "not among inclusion.sessions", "", ""]
    assert table["included"].tolist() == [True, False, True, True]
    with pytest.raises(
        ConfigError, match=r"inclusion.sessions: no session 'day1' \(did you mean 'd1'\?\); there are d1, d2"
    ):
        index_study(paths, sessions=["day1"])


def test_the_reason_does_not_repeat_the_file():
    assert reason_of(StudyError("x/a.nwb: no trials"), Path("x/a.nwb")) == "no trials"


# Phases ---------------------------------------------------------------------------------------


def test_phase_from_a_column():
    phases = Phases(column="stage", overtraining_values=["over", "3"])
    assert phase_of(1, phases=phases, values=["over", "over"]) == "overtraining"
    assert phase_of(1, phases=phases, values=["early"]) == "training"
    assert phase_of(1, phases=phases, values=[3.0, np.nan]) == "overtraining"
    assert phase_of(1, phases=phases, values=["", None]) == ""
    with pytest.raises(
        StudyError, match=r"s1: column 'stage' \(phases.column\) changes within the session: early, over"
    ):
        phase_of(1, phases=phases, values=["early", "over"], where="s1")


def test_phase_from_a_day_the_plateau_or_nowhere():
    assert [phase_of(day, phases=Phases(overtraining_from_day=9)) for day in (8, 9)] == ["training", "overtraining"]
    plateau = Phases(from_plateau=True)
    assert [phase_of(day, phases=plateau, plateau_day=6.0) for day in (5, 6)] == ["training", "overtraining"]
    assert phase_of(99, phases=plateau, plateau_day=np.nan) == "training"
    assert phase_of(99, phases=Phases()) == ""


def test_reasons_as_text():
    assert reasons_text({}) == ""
    assert reasons_text({"a": [3, 1, 2], "b": [], "c": [5]}) == "a: 1-3; c: 5"
    assert reasons_text({"a": ["1", "2", "3"]}) == "a: 1, 2, 3"


# Real files -----------------------------------------------------------------------------------


@pytest.mark.real
def test_the_real_files_are_indexed_or_refused(real_data):
    table = index_study(find_files(real_data / "nwb"))
    assert table["included"].sum() == 1
    assert table["subject"][0] == "anm00239123"
    assert table["reason"][1:].str.contains("NWB 1.0.5|no subject.subject_id").all()


def test_copies_of_a_file_are_one_session(make_nwb, sound_trials, tmp_path):
    path = make_nwb("a.nwb", trials=sound_trials)
    shutil.copy(path, tmp_path / "b.nwb")
    assert index_study(find_files(tmp_path))["reason"].tolist() == ["", f"same session as {path}"]
