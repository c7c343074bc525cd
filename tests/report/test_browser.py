"""The page in a real browser, where one is installed: no console error, nothing fetched, tables that sort."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from report_samples import sample

from landbridge.report.page import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed to open the page in")

# runs before the page's own script is done: sorts by the first number, then writes what it saw into the document
PROBE = """
addEventListener("load", () => {
  const table = document.querySelector("#classes table");
  const column = [...table.querySelectorAll("thead button")].find((b) => b.textContent === "F1");
  const read = () => [...table.tBodies[0].rows].map((r) => Number(r.cells[2].dataset.value));
  column.click();
  const down = read();
  column.click();
  const out = document.createElement("output");
  out.id = "probe";
  const root = document.documentElement;
  const loaded = performance.getEntriesByType("resource").map((e) => e.name);
  out.textContent = JSON.stringify({down, up: read(), loaded, wide: root.scrollWidth, window: root.clientWidth});
  document.body.append(out);
});
"""


def opened(page: Path, profile: Path, width: int = 1280) -> tuple[str, str]:
    """The document after its scripts ran, and the browser's log."""
    command = [
        str(CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"),
        *("--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}", f"--window-size={width},900"),
        *("--virtual-time-budget=3000", "--dump-dom", page.as_uri()),
    ]
    environment = {**os.environ, "HOME": str(profile)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    return done.stdout, done.stderr


def probed(tmp_path: Path, width: int) -> tuple[dict[str, Any], str]:
    """What the probe saw in a page whose policy also allows the probe."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    page = render(sample())
    page = page.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    (tmp_path / "page.html").write_text(page.replace("</body>", f"<script>{PROBE}</script></body>"), encoding="utf-8")
    document, log = opened(tmp_path / "page.html", tmp_path / "profile", width)
    found = re.search(r'<output id="probe">(.*?)</output>', document, re.S)
    assert found, log
    return json.loads(found.group(1)), log


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_opens_from_a_file_without_errors_or_requests(tmp_path: Path, width: int) -> None:
    seen, log = probed(tmp_path, width)
    assert "CONSOLE" not in log, [line for line in log.splitlines() if "CONSOLE" in line]
    assert [name for name in seen["loaded"] if not str(name).startswith("data:")] == []
    down, up = seen["down"], seen["up"]
    assert down == sorted(down, reverse=True) and up == sorted(up)
    assert len(down) == 4 and down[0] != down[-1]
    assert seen["wide"] == seen["window"]  # nothing makes the page scroll sideways


def test_a_planted_script_does_not_run_even_past_the_escaping(tmp_path: Path) -> None:
    """The page's policy is the second lock: a script smuggled into the file stays dead and is logged."""
    page = render(sample()).replace("</main>", '<script>document.body.dataset.pwned = "yes"</script></main>')
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    document, log = opened(tmp_path / "page.html", tmp_path / "profile")
    assert 'data-pwned="yes"' not in document
    assert "Content Security Policy" in log
