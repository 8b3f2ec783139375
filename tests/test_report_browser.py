"""The report in a real browser, from disk and without a network: every picture is drawn and nothing runs off the page."""

import json
import re
import shutil
import subprocess

import pytest
from figure_tables import study, verdict
from test_report import CONFIG

from piriform.figures import draw_all
from piriform.report import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>
addEventListener("load", () => {
  const pictures = [...document.images];
  document.body.dataset.seen = JSON.stringify({
    pictures: pictures.length,
    drawn: pictures.filter(one => one.naturalWidth > 0 && one.getBoundingClientRect().width > 0).length,
    too_wide: document.documentElement.scrollWidth > innerWidth,
    top: document.body.innerText.slice(0, 200),
    loaded: performance.getEntriesByType("resource").map(one => one.name).filter(name => !name.startsWith("data:")),
  });
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; on Debian: apt-get install chromium")
@pytest.mark.parametrize("width", [1200, 480])
def test_the_report_in_a_browser(tmp_path, width):
    tables = study()
    draw_all(tables, verdict(), tmp_path / "figures")
    html = render(tables, verdict(), tmp_path / "figures", title="Study demo", config=CONFIG)
    page = tmp_path / "report.html"
    page.write_text(html.replace("</body>", PROBE + "</body>"))
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},2000", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    seen = json.loads(re.search(r'data-seen="([^"]*)"', dom)[1].replace("&quot;", '"'))
    assert seen["pictures"] == html.count("<img ") > 5
    assert seen["drawn"] == seen["pictures"]
    assert not seen["too_wide"]
    assert seen["loaded"] == []
    assert verdict()["verdict"].lower() in seen["top"].lower()
