from pathlib import Path

import pytest

from piriform.reference import config_page, outputs_page, pages, write_pages
from piriform.tables import METRICS, TABLES

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", pages())
def test_the_generated_files_are_in_step(name):
    assert (ROOT / name).read_text() == pages()[name], "run `python -m piriform.reference`"


def test_the_pages_are_written_below_the_root(tmp_path):
    assert [path.relative_to(tmp_path).as_posix() for path in write_pages(tmp_path)] == list(pages())
    assert all((tmp_path / name).is_file() for name in pages())


def test_the_config_page_says_what_is_required_and_what_a_key_may_be():
    page = config_page()
    assert "| `data` | text or list of text | (required) | folder of NWB files" in page
    assert "| `bin` | number > 0 | `0.1` | bin width of the trial tensor, s |" in page
    assert '| `kind` | one of `auto`, `units`, `roi` | `"auto"` |' in page
    assert "| `baseline_window` | two numbers or nothing | `[-0.5, 0.0]` |" in page
    assert "| `null` | no growth" in page
    assert "| `iurilli` |" in page


def test_the_outputs_page_has_every_column_and_metric():
    page = outputs_page()
    for columns in TABLES.values():
        assert all(f"| `{name}` |" in page for name in columns)
    assert all(f"| `{name}` |" in page for name in METRICS)


def test_a_bar_in_a_cell_does_not_end_it():
    assert "held-out y f(x)/\\|w\\|" in outputs_page()
