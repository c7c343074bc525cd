"""The report page: complete, inert, small, and a pure function of the evidence."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from report_samples import sample

from landbridge.report.inert import inert
from landbridge.report.page import CAP, render
from landbridge.report.sections import controls

EVIL = "<script>alert(1)</script>"
SPELLINGS = [
    EVIL,
    '"><img src=x onerror=alert(1)>',
    "</style><script>alert(1)</script>",
    "</title></svg><iframe src=//evil.example>",
    "' onmouseover='alert(1)",
    "{{ 1234 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202egnp.exe\x00\x1b[31m",
]


class Tags(HTMLParser):
    """Collects what a browser would act on, and checks that tags are balanced."""

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stack: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parsed(page: str) -> Tags:
    """The page's tags; fails when one is left open."""
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags.stack == []
    return tags


def assert_inert(page: str) -> None:
    """One script, its hash announced, no handler, no address outside the page."""
    tags = parsed(page).tags
    assert [t for t, _ in tags].count("script") == 1
    assert not {t for t, _ in tags} & {"iframe", "object", "embed", "form", "base"}
    for tag, attributes in tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "data"):
                assert (value or "").startswith(("#", "data:")), (tag, name, value)
    policy = next(a["content"] for t, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "default-src 'none'" in policy and "'unsafe-inline'; script-src 'sha256-" in policy


def planted(value: Any, text: str) -> Any:
    """The evidence with `text` added to every string that comes from the data or the user."""
    if isinstance(value, dict):
        keep = {"modality", "task", "verdict", "metric", "name", "html", "status", "severity", "part"}
        return {
            k: v if k in keep and isinstance(v, str) and not _free(v) else planted(v, text) for k, v in value.items()
        }
    if isinstance(value, list):
        return [planted(v, text) for v in value]
    return value + text if isinstance(value, str) else value


def _free(name: str) -> bool:
    """Names that carry user text, unlike the fixed names of findings."""
    return name.startswith(("classes.", "slices.")) or " on " in name


CASES: dict[str, dict[str, Any]] = {
    "image": {},
    "loss": {"verdict": "loss", "classes": 6, "modality": "series"},
    "text": {"modality": "text", "classes": 77, "rows": 800},
    "audio": {"modality": "audio", "classes": 10, "verdict": "no difference"},
    "regression": {"modality": "table", "classes": 0},
}


@pytest.mark.parametrize("case", CASES)
def test_the_page_is_whole_and_inert_for_every_modality(case: str) -> None:
    evidence = sample(**CASES[case])
    before = copy.deepcopy(evidence)
    page = render(evidence)
    assert_inert(page)
    assert evidence == before
    assert page == render(json.loads(json.dumps(evidence)))
    text = " ".join("".join(parsed(page).text).split())
    for wanted in (evidence["command"], evidence["checks"][0]["detail"], evidence["assumptions"][1]["because"]):
        assert wanted in text
    for trial in evidence["trials"]:
        assert trial["name"] in text
    assert ("Transfer did not pay." in text) == (evidence["gain"]["verdict"] == "loss")
    assert page.count('<circle class="dot"') >= len(evidence["controls"]) + 1


def test_the_verdict_comes_first_and_shows_the_evidence_to_three_decimals() -> None:
    evidence = sample()
    page = render(evidence)
    parts = ["verdict", "comparison", "curves", "mistakes", "classes", "slices", "calibration", "confusion"]
    places = [page.index(f'id="{name}"') for name in [*parts, "data", "cost", "reproduce"]]
    assert places == sorted(places)
    assert f"<strong>{evidence['test']['value']:.3f}</strong>" in page
    low, high = evidence["test"]["interval"]
    assert f"{low:.3f} to {high:.3f}" in page


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("case", ["image", "text", "regression"])
def test_planted_markup_is_inert_wherever_it_stands(case: str, spelling: str) -> None:
    evidence = planted(sample(**{**CASES[case], "rows": 160}), spelling)
    evidence["mistakes"] = [{**m, "html": m["html"] + spelling} for m in evidence["mistakes"]]
    page = render(evidence)
    assert_inert(page)
    assert "\x1b" not in page and "\u202e" not in page and "8638" not in page


def test_thumbnails_keep_what_shows_and_lose_what_acts() -> None:
    good = '<svg viewBox="0 0 9 9" width="9" height="9" role="img"><polyline points="1,2 3,4" fill="none"/></svg>'
    assert inert(good) == good.replace("/></svg>", "></polyline></svg>")
    image = '<img src="data:image/jpeg;base64,AAAA" width="3" height="4" alt="image">'
    assert inert(image) == image
    for evil in (
        "<script>alert(1)</script>",
        '<img src="https://evil.example/x.png">',
        '<img src="data:text/html;base64,AAAA">',
        '<img src=x onerror="alert(1)">',
        '<svg onload="alert(1)"><a href="javascript:alert(1)">x</a></svg>',
        '<svg><foreignObject><iframe src="x"></iframe></foreignObject></svg>',
        '<p style="background:url(https://evil.example)">x',
        '<path d="M0 0" fill="url(https://evil.example/#a)">',
    ):
        kept = inert(evil)
        assert not re.search(r"<script|src|href|on\w+=|style=|url\(|<iframe|<foreign", str(kept)), kept
        assert kept.count("<p>") == kept.count("</p>") and kept.count("<path") == kept.count("</path>")


def test_a_thousand_classes_and_three_hundred_trials_stay_under_the_cap() -> None:
    evidence = sample(modality="text", trials=300)
    row = next(f for f in evidence["findings"] if f["name"].startswith("classes."))
    for number in range(1000):
        data = {**row["data"], "class": f"class number {number}"}
        evidence["findings"].append({**row, "name": f"classes.class number {number}", "data": data})
    evidence["mistakes"] = [{**evidence["mistakes"][0], "html": "<p>" + "x" * 20_000 + "</p>"}] * 300
    page = render(evidence)
    assert len(page.encode()) < CAP
    assert_inert(page)
    assert page.count("sev-") > 1000


def test_what_is_too_large_for_any_page_is_cut_and_said_to_be() -> None:
    evidence = sample(rows=120)
    row = next(f for f in evidence["findings"] if f["name"].startswith("classes."))
    evidence["findings"] += [{**row, "name": f"classes.{i}{'y' * 300}", "data": {}} for i in range(20_000)]
    evidence["mistakes"] = [{**evidence["mistakes"][0], "html": "<p>" + "x" * 300_000 + "</p>"}] * 30
    page = render(evidence)
    assert len(page.encode()) < CAP
    assert re.search(r"are left out", page)


def test_an_early_or_poor_run_still_gets_its_page() -> None:
    evidence = sample()
    poor = {k: evidence[k] for k in ("schema", "domain", "chosen", "test", "controls", "gain", "checks", "seconds")}
    assert_inert(render({**poor, "trials": [], "budget_s": None}))
    failed = {**evidence["trials"][0], "validation": None, "interval": None, "curve": [], "status": "failed"}
    assert_inert(render({**evidence, "trials": [failed], "test": {**evidence["test"], "interval": None}}))


def test_a_control_that_was_delivered_is_said_in_the_banner() -> None:
    evidence = sample()
    evidence["gain"]["verdict"] = "no difference"
    assert 'role="alert"' not in render(evidence)
    evidence["chosen"]["role"] = "rival"
    page = render(evidence)
    assert 'role="alert"' in page and "The model in this artifact is the control that won." in page
    evidence["gain"]["controls"] = {}  # no transfer was tried, so none failed
    assert 'role="alert"' not in render(evidence) and "gain over" not in render(evidence)


def test_where_a_control_was_chosen_it_stands_once_and_transfer_beside_it() -> None:
    evidence = sample()
    evidence["chosen"] |= {"name": "fit on rival:pixels", "role": "rival"}
    evidence["gain"]["transfer"] = {"name": "the best of transfer", "value": 0.5, "interval": [0.4, 0.6]}
    rows = controls(evidence)["rows"]
    assert sorted(r["name"] for r in rows) == ["fit on rival:pixels", "the best of transfer", "trivial"]
    told = " ".join("".join(parsed(render(evidence)).text).split())
    assert re.search(r"the best of transfer transfer ?0\.500", told)


def test_repeated_splits_of_a_recipe_are_one_row_with_their_mean_and_range() -> None:
    evidence = sample()
    first = evidence["trials"][0]
    scores = [0.61, 0.72, 0.95]
    evidence["trials"] = [{**first, "validation": v, "seconds": 10.0, "fold": i} for i, v in enumerate(scores)]
    page = render(evidence)
    assert "3 splits" in page and page.count('data-value="30.0"') == 2
    assert "0.760 [0.610, 0.950]" in page
