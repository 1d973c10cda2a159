"""The page of one run: complete, true to the scores, and in need of nothing beside it."""

import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from glioseg.evaluation.definitions import METRICS
from glioseg.evaluation.scores import Scores
from glioseg.report.run_report import Case, RunReport, format_value, render_run_report, verdict, write_run_report

VOID = {"meta", "link", "img", "input", "br"}
CHROMIUM = Path("/usr/bin/chromium")


class Page(HTMLParser):
    """Checks that elements nest, and keeps the words, the headings and every address."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.identifiers: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]
        self.identifiers += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


@pytest.fixture(scope="module")
def report(scores: Scores, history: list[dict[str, Any]], make_case: Callable[..., Case]) -> RunReport:
    return RunReport(
        title="U-Net <fold 0>",
        subtitle="A run",
        facts=[("Network", "U-Net"), ("Split", "0f" * 32)],
        scores=scores,
        history=history,
        cases=[make_case("best", "CS_0001", 0, 1.0), make_case(), make_case("odd", "XX_0009", 3, None)],
        command="glioseg train --out 'a & b'",
        part="5 patients of fold 0, not seen in training",
        notes=["A note to read."],
    )


@pytest.fixture(scope="module")
def html(report: RunReport) -> str:
    return render_run_report(report)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Page(html).words))


def test_sections_stand_in_order(html: str) -> None:
    assert Page(html).headings == [
        "U-Net <fold 0>",
        "All metrics",
        "Patients",
        "Subgroups",
        "Cases",
        "Training",
        "Configuration",
        "Make this result again",
    ]


def test_page_needs_nothing_beside_it(html: str) -> None:
    page = Page(html)
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert sum(address.startswith("data:image/png") for address in page.addresses) == 2 * 4 * 3
    assert not re.search(r"https?://|@import|url\((?!#)", html)
    assert len(page.identifiers) == len(set(page.identifiers))


def test_no_number_is_missing_or_not_a_number(html: str) -> None:
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words(html))


def test_every_patient_metric_and_definition_is_there(html: str, scores: Scores) -> None:
    text = words(html)
    for patient in scores.patients:
        assert text.count(patient.patient) >= 1
        for name in patient.undefined:
            assert f"{METRICS[name].title} undefined, {patient.undefined[name]}" in text
    for metric in METRICS.values():
        assert text.count(metric.title) >= 2
        assert metric.definition in text


def test_table_row_holds_the_summary(html: str, scores: Scores) -> None:
    dice = scores.summary()["dice"]
    row = re.search(r'<tr class="first">.*?</tr>', html, re.DOTALL)
    assert row
    cells = re.findall(r"<td>(.*?)</td>", row.group())
    interval = f"{dice.ci_low:.3f} to {dice.ci_high:.3f}"
    assert cells == ["0.575", interval, "0.650", f"{0.375:.3f} to {0.85:.3f}", "0.000", "1.000", "4", "1"]


def test_pooled_dice_and_libraries_are_there(html: str, scores: Scores) -> None:
    assert f"so large tumours weigh most</span></th><td>{scores.pooled_dice():.3f}</td>" in html
    assert all(f"{name} {version}" in html for name, version in scores.libraries.items())


def test_verdict_holds_the_numbers(report: RunReport, html: str) -> None:
    dice = report.scores.summary()["dice"]
    assert verdict(report) == (
        "On 5 patients of fold 0, not seen in training, the mean 3-D Dice is 0.575 (95\N{NO-BREAK SPACE}% interval "
        f"{dice.ci_low:.3f} to {dice.ci_high:.3f}) and the median 0.650. The worst of the 4 patients, DU_0004, "
        "reaches 0.000. It is undefined for 1 more."
    )
    assert verdict(report) in unescape(html)
    assert "Not a medical device" in html


def test_subgroups_are_there(html: str) -> None:
    text = words(html)
    for name in ("Site", "Missing sequences", "True tumour volume", "pre and post", "smallest third"):
        assert name in text


def test_case_shows_its_numbers(html: str) -> None:
    text = words(html)
    assert "median · DU_0002" in re.sub(r"\s+", " ", text)
    assert "True tumour 400 voxels" in text
    assert "Slice" in text


def test_text_is_escaped(html: str) -> None:
    assert "U-Net &lt;fold 0&gt;" in html
    assert "a &amp; b" in html


def test_same_report_same_page(report: RunReport, html: str) -> None:
    assert render_run_report(report) == html


def test_page_without_history_cases_and_notes(report: RunReport) -> None:
    bare = dataclasses.replace(report, history=[], cases=[], notes=[])
    page = render_run_report(bare)
    assert "No learning curve was recorded." in words(page)
    assert "Cases" not in Page(page).headings


def test_training_is_told_in_words(html: str) -> None:
    thousands = "6\N{NARROW NO-BREAK SPACE}000"
    assert f"6 epochs, {thousands} steps, 6 min 06 s, a median of 43.5 slices per second." in html


def test_single_patient(report: RunReport, scores: Scores) -> None:
    single = dataclasses.replace(report, scores=Scores(scores.patients[1:2]), part="one patient")
    assert verdict(single) == "On one patient, the 3-D Dice of the only patient scored, DU_0002, is 0.800."
    text = words(render_run_report(single))
    assert not re.search(r"\bnan\b|\bNone\b", text)


@pytest.mark.parametrize("kept", [0, 1])
def test_no_patient_with_a_dice(report: RunReport, scores: Scores, kept: int) -> None:
    nobody = dataclasses.replace(report, scores=Scores(scores.patients[4 : 4 + kept]), part="nobody")
    assert verdict(nobody) == "On nobody, no patient has a defined 3-D Dice."
    text = words(render_run_report(nobody))
    assert "there is no distribution to draw" in text
    assert not re.search(r"\bnan\b|\bNone\b", text)


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (0.84249, "dice", "0.842"),
        (12.34, "hd95_px", "12.3"),
        (12345.0, "true_voxels", "12\N{NARROW NO-BREAK SPACE}345"),
        (None, "dice", "–"),
    ],
)
def test_numbers_have_the_decimals_of_their_unit(value: float | None, name: str, text: str) -> None:
    assert format_value(value, METRICS[name]) == text


def test_file_is_written_whole(report: RunReport, html: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_run_report(path, report)
    assert path.read_text(encoding="utf-8") == html
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists() and "CI" not in os.environ:
        pytest.skip(f"no Chromium at {CHROMIUM}")
    sync_api = pytest.importorskip("playwright.sync_api")
    quiet = ("quic", "background-networking", "component-update", "sync")
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{what}" for what in quiet)]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield chromium
        chromium.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 420])
def test_page_in_a_browser(browser: Any, report: RunReport, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    write_run_report(path, report)
    page, complaints, requests = browser.new_page(viewport={"width": width, "height": 900}), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    for heading in page.locator("h1, h2").all():
        assert heading.is_visible()
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert complaints == []
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    page.close()


@pytest.mark.browser
def test_outlines_can_be_hidden_and_a_picture_enlarged(browser: Any, report: RunReport, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_run_report(path, report)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    outline, tile = page.locator(".outline").first, page.locator(".tile").first
    assert outline.is_visible()
    page.locator(".toggle").first.uncheck()
    assert not outline.is_visible()
    width = tile.bounding_box()["width"]
    tile.click()
    assert tile.bounding_box()["width"] > 2 * width
    tile.click()
    assert tile.bounding_box()["width"] == pytest.approx(width)
    page.close()
