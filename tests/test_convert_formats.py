"""Formats of installed packages, the origin that every converted file states, and what nwbinspector says of all of them."""

import importlib
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from raster_files import simulated as simulated_rasters
from raster_files import write_session
from study_tables import simulated, tables_of, write_tables

from piriform.config import Response, load_config, parse_config
from piriform.convert import CONVERTERS, conversion, convert, descriptions, formats
from piriform.errors import ConfigError, StudyError
from piriform.nwb import read_activity, read_header
from piriform.provenance import sha256, versions

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "converting.md").read_text()


def quiet(_line):
    """A progress that prints nothing."""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a package of one module with a converter, as pip would, and makes it importable."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def put(module, code, *, name="mylab-piriform", version="1.0", points=None):
        (site / f"{module}.py").write_text(code)
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [f"{key} = {value}" for key, value in (points or {"mylab": module}).items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{formats.GROUP}]", *lines, ""]))
        importlib.invalidate_caches()
        monkeypatch.delitem(importlib.sys.modules, module, raising=False)

    return put


def shown(language):
    """The first code block of the page in a language, and the name of the file it stands for."""
    text = re.findall(rf"```{language}\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    return text[0], text[1]


@pytest.fixture
def example(install):
    """The package that the page shows, installed."""
    project = tomllib.loads(shown("toml")[1])
    file, code = shown("python")
    points = project["project"]["entry-points"][formats.GROUP]
    about = project["project"]
    install(file.removesuffix(".py"), code, name=about["name"], version=about["version"], points=points)


def write_npz(path, **changes):
    arrays = {
        "mouse": "Q",
        "began": "2024-01-08T09:00+00:00",
        "onsets": np.array([2.0, 8.0]),
        "odors": np.array(["a", "b"]),
        "spikes": np.array([9.0, 2.5, 3.0]),
        "unit_of_spike": np.array([1, 0, 1]),
    } | changes
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


# The page's example ---------------------------------------------------------------------------


def test_the_package_of_the_page_converts(example, tmp_path):
    source = write_npz(tmp_path / "source" / "monday.npz")
    (path,) = convert("mylab", source.parent, tmp_path / "nwb", progress=quiet)

    assert (read_header(path).subject, read_header(path).session) == ("Q", "monday")
    times = read_activity(path, Response(kind="units")).spike_times
    assert [some.tolist() for some in times] == [[2.5], [3.0, 9.0]]
    programs, files, notes = origin(path)
    assert programs == [["piriform", versions()["piriform"]], ["mylab-piriform", "1.0"]]
    assert files == {"monday.npz": sha256(source)}
    assert notes.startswith(
        f"Converted by piriform {versions()['piriform']}, mylab-piriform 1.0 (mylab) from monday.npz"
    )


def test_its_bad_file_is_named_and_the_others_go_on(example, tmp_path):
    write_npz(tmp_path / "source" / "monday.npz")
    write_npz(tmp_path / "source" / "sunday.npz", odors=None)
    (tmp_path / "source" / "tuesday.npz").write_bytes(b"x")  # a fault the package does not foresee
    done = conversion("mylab", tmp_path / "source", tmp_path / "nwb", progress=quiet)

    assert [path.name for path in done.files] == ["sub-Q_ses-monday.nwb"]
    sunday, tuesday = done.refused
    assert re.search(r"sunday\.npz: no array 'odors'; it has mouse, began", sunday.reason)
    assert re.search(r"tuesday\.npz: the converter mylab failed \(\w+: .*\)", tuesday.reason)


def test_it_is_in_the_help_and_a_config_may_name_it(example, piriform, tmp_path):
    said = " ".join(piriform("convert", "--help")[1].split())

    assert "mylab recordings of my lab, one .npz file per session [mylab-piriform 1.0]" in said
    write_npz(tmp_path / "source" / "monday.npz")
    code, said, _ = piriform("convert", "mylab", tmp_path / "source", tmp_path / "nwb")
    assert code == 0
    assert said.endswith(f"wrote 1 sessions to {tmp_path / 'nwb'}\n")
    convert_block = {"format": "mylab", "source": "x"}
    assert parse_config({"study": "s", "data": "d", "convert": convert_block, "classes": {"by_stimulus": True}}).convert


# Packages that cannot be used -----------------------------------------------------------------

FINE = 'DESCRIPTION = "fine"\ndef sessions(source, *, progress):\n    return []\n'
BROKEN = {
    "import": (
        "import no_such_module\n",
        r"mylab cannot be loaded \(ModuleNotFoundError: .*no_such_module'\); mend or uninstall it",
    ),
    "syntax": ("def sessions(\n", r"mylab cannot be loaded \(SyntaxError: .*\); mend or uninstall it"),
    "description": ("def sessions(source, *, progress): ...\n", r"mylab has no text DESCRIPTION, one line"),
    "sessions": ('DESCRIPTION = "x"\n', r"mylab has no function sessions\(source, \*, progress\)"),
}


@pytest.mark.parametrize(("code", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_package_is_one_sentence_and_disturbs_no_other(code, message, install, piriform, tmp_path):
    install("mylab", code)
    install("other", FINE, name="other", points={"other": "other"})

    with pytest.raises(ConfigError, match=rf"format 'mylab' of mylab-piriform 1\.0: {message}"):
        convert("mylab", tmp_path, tmp_path / "nwb")
    listed = descriptions()
    assert re.search(f"cannot be used: format 'mylab'.*{message}", listed["mylab"])
    assert listed["other"] == "fine [other 1.0]"
    assert set(CONVERTERS) < set(listed)
    assert piriform("convert", "--help")[0] == 0
    exit_code, said, complained = piriform("convert", "mylab", tmp_path, tmp_path / "nwb")
    assert (exit_code, said, complained.count("\n")) == (2, "", 1)


def test_a_package_cannot_take_the_name_of_a_built_in_format(install):
    install("mylab", FINE, points={"raster": "mylab"})

    assert formats.format_named("raster").sessions is CONVERTERS["raster"].sessions
    assert descriptions()["raster [mylab-piriform 1.0]"] == "refused: a built-in format has this name"


def test_two_packages_with_one_format_are_refused(install, tmp_path):
    install("one", FINE, name="one", points={"same": "one"})
    install("two", FINE, name="two", points={"same": "two"})

    with pytest.raises(
        ConfigError, match=r"format 'same' is offered by (one|two) 1\.0 and (one|two) 1\.0; uninstall one"
    ):
        convert("same", tmp_path, tmp_path / "nwb")
    assert descriptions()["same"].startswith("cannot be used: format 'same' is offered by")


def test_unknown_formats_list_those_of_packages_too(example, tmp_path):
    with pytest.raises(
        ConfigError, match=r"unknown format 'mylap' \(did you mean 'mylab'\?\); choose from iurilli, mylab"
    ):
        convert("mylap", tmp_path, tmp_path)


def test_a_package_that_fails_or_finds_nothing_is_named(install, tmp_path):
    install(
        "fails", 'DESCRIPTION = "x"\ndef sessions(source, *, progress):\n    return 1 / 0\n', points={"fails": "fails"}
    )
    install("empty", FINE, name="empty", points={"empty": "empty"})

    with pytest.raises(StudyError, match=r"the converter fails failed \(ZeroDivisionError: division by zero\)"):
        convert("fails", tmp_path, tmp_path / "nwb")
    with pytest.raises(StudyError, match="nothing to convert: no source file holds any activity"):
        convert("empty", tmp_path, tmp_path / "nwb")


# Every format ---------------------------------------------------------------------------------


def origin(path):
    """The programs, the source files with their SHA-256, and the notes of an NWB file."""
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(path, "r") as stream:
        file = stream.read()
        table = file.analysis["source_files"].to_dataframe()
        return (
            [list(row) for row in file.was_generated_by[:]],
            dict(zip(table["file"], table["sha256"], strict=True)),
            file.notes,
        )


def made_rasters(folder):
    for day, recording in enumerate(simulated_rasters(units_start=2, units_end=2), start=1):
        write_session(folder / "mouse", recording, day=day)


def made_tables(folder):
    write_tables(folder, tables_of(simulated()))


def made_traces(folder):
    from study_tables import frames

    tables = tables_of(simulated(days=1))
    traces = frames(subject="Q", session=tables["sessions"]["session"].iloc[0], n_times=300)
    write_tables(folder, {name: tables[name] for name in ("sessions", "trials")} | {"traces": traces})


MADE = {"raster": made_rasters, "tables": made_tables, "traces": made_traces}
REAL = {"iurilli": "iurilli_datta_2017", "wang": "wang_2020"}


@pytest.fixture(scope="module", params=[*MADE, *(pytest.param(name, marks=pytest.mark.real) for name in REAL)])
def published(request, tmp_path_factory):
    """A format, its source, and the NWB files made of it."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    if name in MADE:
        source = folder / "source"
        MADE[name](source)
    else:
        source = request.getfixturevalue("real_data") / REAL[name]
        if not source.is_dir():
            pytest.skip(f"no {source}")
        source = min(source.glob("*.npz")) if name == "wang" else source
    format = "tables" if name == "traces" else name
    return format, source, convert(format, source, folder / "nwb", progress=quiet)


def test_every_format_states_its_origin(published):
    format, source, paths = published
    for path in paths[:2]:
        programs, files, notes = origin(path)
        assert programs == [["piriform", versions()["piriform"]]]
        folder = source if source.is_dir() else source.parent
        assert files
        assert files == {name: sha256(folder / name) for name in files}
        assert f"Converted by piriform {versions()['piriform']} ({format}) from" in notes
    if format == "raster":  # only the files of this session
        assert [sorted(origin(path)[1]) for path in paths] == [
            [f"mouse/raster_Q_{day:02d}_unit{unit:04d}.mat" for unit in (1, 2)] for day in (1, 2)
        ]


@pytest.mark.filterwarnings("ignore")
def test_every_format_passes_the_inspector(published):
    """Nothing critical and no violation of a best practice."""
    from nwbinspector import Importance, inspect_nwbfile

    for path in published[2][:3]:
        found = inspect_nwbfile(nwbfile_path=path, importance_threshold=Importance.BEST_PRACTICE_VIOLATION)
        assert [message.message for message in found] == []


# What a conversion leaves ---------------------------------------------------------------------


def poor_study(folder):
    """Tables of two sessions, the second of which has text among its times."""
    tables = tables_of(simulated())
    spikes = tables["spikes"].astype({"time": object})
    spikes.iloc[-1, spikes.columns.get_loc("time")] = "soon"
    return write_tables(folder, tables | {"spikes": spikes})


def test_the_command_line_leaves_a_manifest_and_ends_with_1(piriform, tmp_path):
    source = poor_study(tmp_path / "source")
    code, said, complained = piriform("convert", "tables", source, tmp_path / "nwb")

    assert code == 1
    assert "not converted: " in said
    assert re.search(
        r"error: 1 session\(s\) could not be converted \(1 were\): .*'soon', expected a number", complained
    )
    manifest = json.loads((tmp_path / "nwb" / "converted.json").read_text())
    (file,) = manifest["files"]
    assert manifest["files"][file] == sha256(tmp_path / "nwb" / file)
    assert manifest["format"] == "tables"
    (refused,) = manifest["refused"]
    assert refused["name"] == f"{source / 'sessions.csv'}: subject 'Q' session 'day-02'"


def test_the_workflow_goes_on_without_a_refused_session(tmp_path):
    """The scripts convert and index: the refused session, and a file of an earlier conversion, keep a row with the reason."""
    from study_metrics import Named, script

    from piriform.tables import load_table

    data = tmp_path / "data"
    config = load_config(DOCS.parent / "config" / "tables.yaml")
    block = config.convert.model_copy(update={"source": str(poor_study(tmp_path / "source"))})
    settings = config.model_copy(update={"data": str(data), "convert": block})
    earlier = data / "sub-Q" / "sub-Q_ses-day-02.nwb"
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"of an earlier conversion")
    script("convert")(Named(manifest=data / "converted.json"), settings=settings)
    script("index")(Named(sessions=tmp_path / "index.csv"), settings=settings)

    table = load_table(tmp_path / "index.csv", "sessions")
    assert table["included"].tolist() == [True, False, False]
    assert table["session"].tolist() == ["day-01", "", ""]
    assert table["file"].tolist()[1:] == [
        f"{tmp_path / 'source' / 'sessions.csv'}: subject 'Q' session 'day-02'",
        str(earlier),
    ]
    assert re.search(
        r"not converted: .*spikes\.csv: column 'time', row \d+: 'soon', expected a number", table["reason"][1]
    )
    assert table["reason"][2].startswith("not converted: not made by this conversion; remove the file")


def test_the_workflow_stops_where_nothing_could_be_converted(tmp_path):
    from study_metrics import Named, script

    config = load_config(DOCS.parent / "config" / "tables.yaml")
    settings = config.model_copy(update={"convert": config.convert.model_copy(update={"source": str(tmp_path)})})
    with pytest.raises(StudyError, match="no table 'sessions'"):
        script("convert")(Named(manifest=tmp_path / "data" / "converted.json"), settings=settings)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"refused": [{"name": "x"}]}', '{"refused": 3}'])
def test_a_damaged_manifest_is_named(text, tmp_path):
    from piriform.convert import refused_sessions

    (tmp_path / "converted.json").write_text(text)
    with pytest.raises(
        StudyError, match=r"converted\.json: not what a conversion writes .*; convert again or remove it"
    ):
        refused_sessions(tmp_path)


def test_only_a_folder_that_was_converted_into_has_refused_sessions(tmp_path):
    from piriform.convert import refused_sessions

    assert refused_sessions(str(tmp_path)) == refused_sessions([str(tmp_path)]) == []
    (tmp_path / "converted.json").write_text('{"files": {}}')  # of an earlier version
    assert refused_sessions(tmp_path) == []


def test_the_page_lists_every_format():
    for name in CONVERTERS:
        assert f"| `{name}` |" in PAGE
