"""The page of a study: complete, true to the analysis, honest in words, and in need of nothing beside it."""

import csv
import dataclasses
import io
import os
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.evaluation.definitions import METRICS
from glioseg.networks.cost import NetworkCost
from glioseg.report.page import format_value
from glioseg.report.study_cases import StudyCase, choose_patients, study_tiles
from glioseg.report.study_report import StudyReport, render_study_report, write_study_report
from glioseg.report.study_tables import study_tables
from glioseg.report.study_verdict import format_difference, format_p, verdict
from glioseg.study.analysis import StudyAnalysis, analyse
from glioseg.study.cost import ConfigurationCost
from glioseg.study.plan import ModelConfiguration
from glioseg.study.table import PatientFacts, ScoreRow, StudyTable
from glioseg.volume import Mask, Volume

UNET, RESUNET_A, RESUNET_PP = (
    ModelConfiguration("unet", 32),
    ModelConfiguration("resunet-a", 16),
    ModelConfiguration("resunet-pp", 16),
)
DICE = [0.30, 0.55, 0.62, 0.70, 0.74, 0.78, 0.80, 0.83, 0.86, 0.90]
CHROMIUM = Path("/usr/bin/chromium")
VOID = {"meta", "link", "img", "input", "br"}


class Page(HTMLParser):
    """Checks that elements nest, and keeps the words, the headings, every address and every identifier."""

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


def words(html: str) -> str:
    return re.sub(r"\s+", " ", " ".join(Page(html).words))


def name_of(number: int) -> str:
    return f"TCGA_{('CS', 'DU')[number % 2]}_{number:04d}_20000101"


def study_of(dice: dict[ModelConfiguration, Sequence[float | None]], seeds: int = 1) -> StudyAnalysis:
    """Every metric but the Dice is undefined for a patient without one, and made from it for the others."""
    rows = []
    for configuration, values in dice.items():
        for seed in range(seeds):
            for number, value in enumerate(values):
                for metric in METRICS.values():
                    shown = None if value is None else value + 0.01 * seed
                    if metric.unit == "voxels":
                        shown = 1000.0 * (number + 1)
                    elif metric.unit == "px" and shown is not None:
                        shown = 20 * (1 - shown)
                    rows.append(ScoreRow(name_of(number), configuration, seed, "fold-0", metric.name, shown))
    number = len(next(iter(dice.values())))
    facts = [PatientFacts(name_of(i), ("CS", "DU")[i % 2], (), 1000.0 * (i + 1)) for i in range(number)]
    return analyse(StudyTable(tuple(rows), tuple(facts)))


def cost(scale: float) -> ConfigurationCost:
    network = NetworkCost(int(7_763_041 * scale), 12.07 * scale, 80.0 * scale)
    return ConfigurationCost(network, 25.0, 1234 / scale, 45.0 * scale, ("CPU",), ("CPU, 2 threads",))


COSTS = {UNET: cost(1), RESUNET_A: cost(2), RESUNET_PP: cost(0.5)}


def clear() -> StudyAnalysis:
    return study_of({RESUNET_A: [d - 0.1 for d in DICE], UNET: DICE, RESUNET_PP: [d - 0.05 for d in DICE]})


def case(label: str = "best", patient: str = name_of(9)) -> StudyCase:
    voxels = np.random.default_rng(0).integers(40, 200, (8, 40, 32, 3)).astype(np.uint8)
    truth = np.zeros((8, 40, 32), np.bool_)
    truth[2:6, 10:20, 8:18] = True
    masks = {c: Mask(patient, np.roll(truth, shift, axis=2)) for shift, c in enumerate((UNET, RESUNET_A, RESUNET_PP))}
    return StudyCase(label, patient, Volume(patient, voxels), Mask(patient, truth), masks, dict.fromkeys(masks, 0.8))


def report_of(analysis: StudyAnalysis, cases: list[StudyCase]) -> StudyReport:
    row = {"seconds": 60.0, "step": 10.0, "loss": 0.5, "validation_dice": 0.7, "epoch": 1.0}
    return StudyReport(
        title="Three networks <compared>",
        subtitle="On ten patients",
        facts=[("Budget", "25 minutes")],
        analysis=analysis,
        costs={c: COSTS[c] for c in analysis.configurations},
        metrics=METRICS,
        libraries={"numpy": "2.0"},
        histories={c: [[row, {**row, "seconds": 120.0, "step": 20.0}]] for c in analysis.configurations},
        cases=cases,
        command="glioseg study --out 'a & b'",
        notes=["A note to read."],
    )


@pytest.fixture(scope="module")
def html() -> str:
    return render_study_report(report_of(clear(), [case(), case("worst", name_of(0))]))


def test_sections_stand_in_order_and_the_last_is_the_conclusion(html: str) -> None:
    assert Page(html).headings == [
        "Three networks <compared>",
        "Comparison",
        "Differences, patient by patient",
        "Stability",
        "Cases",
        "All metrics",
        "Subgroups",
        "Training",
        "Conditions",
        "Make this result again",
        "Conclusion",
    ]


def test_page_needs_nothing_beside_it(html: str) -> None:
    page = Page(html)
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert not re.search(r"https?://|@import|url\((?!#)", html)
    assert len(page.identifiers) == len(set(page.identifiers))
    pointed_at = {address[1:] for address in page.addresses if address.startswith("#")}
    assert pointed_at <= set(page.identifiers)


def test_every_slice_has_the_scan_the_truth_and_every_network(html: str) -> None:
    images = [address for address in Page(html).addresses if address.startswith("data:image/png")]
    assert len(images) == 2 * 3 * (1 + 1 + 3)
    assert html.count('aria-label="FLAIR of') == html.count('aria-label="Ground truth of') == 2 * 3
    for title in ("U-Net 32", "ResUNet-a 16", "ResUNet++ 16"):
        assert html.count(f'aria-label="{title} on slice') == 2 * 3


def test_no_number_is_missing_or_not_a_number(html: str) -> None:
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words(html))


def test_costs_stand_beside_the_scores(html: str) -> None:
    table = html[html.index('<table class="paper wide">') :]
    first = table[: table.index("</table>")]
    assert "7.76 M" in first
    assert "24.1" in first
    assert "25.0 min" in first
    assert "45 ms" in first


def test_every_patient_and_every_definition_is_there(html: str) -> None:
    text = words(html)
    assert all(name_of(number) in text for number in range(10))
    assert all(metric.definition in text for metric in METRICS.values())
    assert "glioseg study --out 'a & b'" in text
    assert "Not a medical device" in text


def test_the_same_report_gives_the_same_page() -> None:
    report = report_of(clear(), [])
    assert render_study_report(report) == render_study_report(report)


def test_tables_are_written_as_markdown_and_csv(tmp_path: Path) -> None:
    write_study_report(tmp_path / "report.html", tmp_path / "tables", report_of(clear(), []))
    names = {"comparison", "metrics", "pairs", "stability", "subgroups", "dice_by_patient"}
    assert {path.stem for path in (tmp_path / "tables").glob("*.csv")} == names
    assert {path.stem for path in (tmp_path / "tables").glob("*.md")} == {*names, "conclusion"}
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "comparison.csv").read_text())))
    assert [row["network"] for row in rows] == ["unet", "resunet-pp", "resunet-a"]
    assert float(rows[0]["dice_mean"]) == pytest.approx(np.mean(DICE))
    assert float(rows[0]["gmacs"]) == 12.07
    markdown = (tmp_path / "tables" / "comparison.md").read_text()
    assert "| U-Net 32 | **0.708** (" in markdown
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1


def test_every_table_has_as_many_cells_as_columns() -> None:
    for table in study_tables(clear(), COSTS, METRICS):
        assert all(len(row) in (1, len(table.header)) for row in table.rows), table.name
        assert sum(span for _, span in table.spans) in (0, len(table.header))


def test_a_clear_winner_is_named_with_margin_certainty_and_cost() -> None:
    text = verdict(clear(), COSTS).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", ",")
    assert "On 10 patients, U-Net 32 has the highest mean 3-D Dice, 0.708 (95 % interval" in text
    assert (
        "0.050 above ResUNet++ 16 (95 % interval of the paired difference +0.050 to +0.050, adjusted p = 0.006" in text
    )
    assert "U-Net 32 won: it is better than every other by more than chance." in text
    assert "first place in 100 % of 10,000 draws" in text
    assert "from one seed only" in text
    assert "7.8 million parameters, 12.1 GMAC and 45 ms on the CPU for a slice" in text
    assert "ResUNet++ 16 predicts 2.0 times as fast and reaches 0.658." in text


def test_no_difference_is_said_to_be_none() -> None:
    text = verdict(study_of({UNET: DICE, RESUNET_PP: DICE}), COSTS)
    assert "U-Net 32 and ResUNet++ 16 share the highest mean 3-D Dice" in text
    assert "No difference between the networks is shown" in text
    assert "won" not in text


def test_those_that_cannot_be_told_apart_are_named_and_the_cheaper_one_advised() -> None:
    near = [d + 0.02 * s for d, s in zip(DICE, [-1, 1, -1, 1, -1, 1, -1, 1, -1, -1], strict=True)]
    text = verdict(study_of({UNET: DICE, RESUNET_PP: near, RESUNET_A: [d - 0.1 for d in DICE]}), COSTS)
    assert "U-Net 32 and ResUNet++ 16 cannot be told apart on these patients; ResUNet-a 16 is worse" in text
    assert "as the two are not shown to differ, it is the cheaper choice" in text


def test_several_seeds_have_their_spread_in_words() -> None:
    analysis = study_of({UNET: DICE, RESUNET_PP: [d - 0.05 for d in DICE]}, seeds=2)
    assert "Between its 2 seeds the mean Dice of U-Net 32 scatters with a standard deviation of 0.007" in verdict(
        analysis, COSTS
    )


@pytest.mark.parametrize(
    "dice",
    [
        {UNET: DICE},
        {UNET: [0.8], RESUNET_A: [0.7]},
        {UNET: [None, None], RESUNET_A: [None, None]},
        {UNET: [0.8, None, 0.5], RESUNET_A: [None, 0.7, 0.6]},
    ],
    ids=["one network", "one patient", "nothing defined", "half defined"],
)
def test_small_studies_have_a_page_too(dice: dict[ModelConfiguration, Sequence[float | None]]) -> None:
    html = render_study_report(report_of(study_of(dice), []))
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words(html))
    assert "Conclusion" in Page(html).headings


def test_patients_shown_are_best_median_worst_and_most_contested() -> None:
    contested = [d - (0.3 if number == 7 else 0.01) for number, d in enumerate(DICE)]
    chosen = choose_patients(study_of({UNET: DICE, RESUNET_A: contested}))
    assert chosen == {
        name_of(9): "best",
        name_of(4): "median",
        name_of(0): "worst",
        name_of(7): "widest disagreement",
    }
    assert choose_patients(study_of({UNET: [0.5], RESUNET_A: [0.4]})) == {name_of(0): "best, widest disagreement"}
    assert choose_patients(study_of({UNET: [None], RESUNET_A: [None]})) == {}


def test_slices_shown_hold_the_largest_tumour_and_the_most_contested() -> None:
    shown = case()
    masks = {c: Mask(m.patient, m.voxels.copy()) for c, m in shown.predicted.items()}
    masks[UNET].voxels[7, :30] = True
    reasons = {t.slice_index: t.reason for t in study_tiles(dataclasses.replace(shown, predicted=masks))}
    assert len(reasons) == 3
    assert reasons[7] == "most disagreement"
    assert reasons[2] == "largest tumour"


def test_masks_of_another_grid_are_refused() -> None:
    shown = case()
    with pytest.raises(GliosegError, match="a mask does not fit the scan"):
        dataclasses.replace(shown, truth=Mask(shown.patient, np.zeros((1, 2, 3), np.bool_)))


def test_numbers_in_words() -> None:
    assert [format_difference(v) for v in (0.0123, -0.0123, 0.0001, None)] == ["+0.012", "−0.012", "0.000", "–"]
    assert [format_p(p)[2:] for p in (0.0001, 0.0312, 0.512)] == ["0.001", "0.031", "0.51"]


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


def test_one_run_shows_its_loss_and_one_network_no_differences(history: list[dict[str, Any]]) -> None:
    report = dataclasses.replace(report_of(study_of({UNET: DICE}), []), histories={UNET: [history]})
    page = render_study_report(report)
    assert "Training loss, and 3-D Dice" in words(page)
    assert "best 0.700, epoch 4" in words(page)
    assert "Differences, patient by patient" not in Page(page).headings


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
def test_page_in_a_browser(browser: Any, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    write_study_report(path, tmp_path / "tables", report_of(clear(), [case()]))
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
def test_contours_can_be_hidden_and_an_image_enlarged(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_study_report(path, tmp_path / "tables", report_of(clear(), [case()]))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    contour, view = page.locator(".outline").first, page.locator(".view").first
    assert contour.is_visible()
    page.locator(".toggle").first.uncheck()
    assert not contour.is_visible()
    width = view.bounding_box()["width"]
    view.click()
    assert view.bounding_box()["width"] > 1.5 * width
    view.click()
    assert view.bounding_box()["width"] == pytest.approx(width)
    page.close()
