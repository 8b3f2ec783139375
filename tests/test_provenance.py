import json
import subprocess
import sys

import numpy as np
import pytest

from piriform import provenance
from piriform.errors import StudyError
from piriform.provenance import atomic_path, job_log, package_files, rng_for, sha256, versions, write_json


def test_a_stream_belongs_to_its_names():
    draw = rng_for(1, "Q", "s1").random(4)
    np.testing.assert_array_equal(draw, rng_for(1, "Q", "s1").random(4))
    for other in (rng_for(2, "Q", "s1"), rng_for(1, "Qs1"), rng_for(1, "Q", "s1", 0), rng_for(1, "s1", "Q")):
        assert not np.array_equal(draw, other.random(4))


def test_a_stream_is_the_same_in_another_process():
    code = "from piriform.provenance import rng_for; print(rng_for(3, 'Q', 7).integers(1 << 40))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(said) == rng_for(3, "Q", 7).integers(1 << 40)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "x.txt"

    def stop_halfway():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop_halfway()
    assert list(path.parent.iterdir()) == []
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert [file.read_text() for file in path.parent.iterdir()] == ["whole"]


def test_json_is_sorted_and_has_no_nan(tmp_path):
    value = {"b": np.float64("nan"), "a": [np.int64(2), np.inf, (1, True)], "c": np.arange(2), "d": tmp_path}
    write_json(value, tmp_path / "v.json")
    text = (tmp_path / "v.json").read_text()
    assert json.loads(text) == {"a": [2, None, [1, True]], "b": None, "c": [0, 1], "d": str(tmp_path)}
    assert text.index('"a"') < text.index('"b"')


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def make_package(folder):
    """A package a -> b -> c.d, beside an unused e, and a script that imports a."""
    package = folder / "toy"
    (package / "c").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "a.py": "from toy.b import thing\n",
        "b.py": "def thing():\n    from toy.c import d\n    return d\n",
        "c/__init__.py": "",
        "c/d.py": "import numpy\n",
        "c/page.html": "",
        "c/notes.txt": "",
        "e.py": "import toy.a\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    script = folder / "script.py"
    script.write_text("import toy.a\nimport json\n")
    return package, script


def test_package_files_are_those_behind_a_script(tmp_path, monkeypatch):
    package, script = make_package(tmp_path)
    monkeypatch.setattr(provenance, "PACKAGE", package)
    names = [path.removeprefix(f"{package}/") for path in package_files(script)]
    assert names == ["__init__.py", "a.py", "b.py", "c/__init__.py", "c/d.py", "c/page.html"]


def test_package_files_of_several_scripts_are_joined(tmp_path, monkeypatch):
    package, script = make_package(tmp_path)
    monkeypatch.setattr(provenance, "PACKAGE", package)
    other = tmp_path / "other.py"
    other.write_text("from toy import e\n")
    assert f"{package}/e.py" in package_files(script, other)


def test_versions_name_what_is_behind_the_numbers():
    assert versions()["numpy"] == np.__version__
    assert versions()["python"] == sys.version.split()[0]


def test_a_package_that_is_not_there_has_no_version(monkeypatch):
    assert provenance._version("no-such-package-here") == "not installed"


def test_a_log_holds_what_the_job_said(tmp_path, capsys):
    with job_log(tmp_path / "logs" / "job.log"):
        print("working")
        print("hm", file=sys.stderr)
    assert (tmp_path / "logs" / "job.log").read_text() == "working\nhm\n"
    assert capsys.readouterr() == ("", "")


def test_an_error_of_the_input_is_one_sentence_on_the_terminal_and_a_traceback_in_the_log(tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"), job_log(tmp_path / "job.log"):
        raise StudyError("q.nwb: no trials; add some")
    assert capsys.readouterr().err == "error: q.nwb: no trials; add some\n"
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_any_other_error_is_raised_and_logged(tmp_path):
    with pytest.raises(KeyError, match="x"), job_log(tmp_path / "job.log"):
        raise KeyError("x")
    assert "KeyError: 'x'" in (tmp_path / "job.log").read_text()


def test_no_log_is_no_change(capsys):
    with job_log(None):
        print("seen")
    assert capsys.readouterr().out == "seen\n"
