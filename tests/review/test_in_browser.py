"""The desk as a reader uses it, in Chromium without WebGL: what is painted on the page is what lies on disk.

Every page is watched: a request to anywhere else, a breach of the security policy or a script's error fails the test.
"""

import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from reading import FORMATS, GRIDS, write_predictions
from synthetic_dicom import head

from glioseg.commands.review import open_desk
from glioseg.formats.nifti import write_nifti_probability
from glioseg.review.desk import Desk
from glioseg.review.server import PAGE, build_app, page_files
from glioseg.space.affine import spacing_mm
from glioseg.space.axial import axial_affine, axial_view, to_axial

sync_api = pytest.importorskip("playwright.sync_api")
TOKEN = "t" * 43
CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium"),
    pytest.mark.skipif(not (PAGE / "index.html").is_file(), reason="the page is not built: make page"),
]

WITHOUT_WEBGL = """
const ask = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  if (/webgl|webgpu/.test(kind)) throw new Error("the page asked for " + kind);
  return ask.call(this, kind, ...rest);
};
"""

# Each is shown, but faster than the focus follows.
FAST_KEYS = """(async () => {
  for (const key of "jj") {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    for (let turn = 0; turn < 5; turn++) await null;
  }
  await new Promise((done) => setTimeout(done, 300));
})()"""

Flags = NDArray[np.bool_]


@pytest.fixture(scope="module")
def chromium() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: "sync_api.Browser") -> Iterator[Callable[[], "sync_api.Page"]]:
    """Makes a tab, and fails where one of them did something that it must not."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    context.add_init_script(WITHOUT_WEBGL)
    wrong: list[str] = []

    def make() -> "sync_api.Page":
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if "Security Policy" in line.text else None)
        page.on("request", lambda request: _is_here(request.url) or wrong.append(f"asks {request.url}"))
        return page

    yield make
    context.close()
    assert not wrong


def _is_here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:http://127.0.0.1:"))


@pytest.fixture
def page(new_page: Callable[[], "sync_api.Page"]) -> "sync_api.Page":
    return new_page()


@pytest.fixture
def served() -> Iterator[Callable[[Desk], str]]:
    """Serves a desk from this process; gives its address."""
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(desk: Desk) -> str:
        config = uvicorn.Config(lambda *of: None, port=0, log_level="error", ws="none", lifespan="on")
        listener = config.bind_socket()
        port = listener.getsockname()[1]
        config.app = build_app(desk, TOKEN, port, page_files())
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        servers.append((server, thread))
        _wait_for(lambda: server.started)
        return f"http://127.0.0.1:{port}/{TOKEN}/"

    yield serve
    for server, thread in servers:
        server.should_exit = server.force_exit = True
        thread.join(20)


def _enter(page: "sync_api.Page", address: str) -> None:
    """Open the first case of the queue."""
    page.goto(address)
    page.wait_for_selector("tr.selected")
    page.keyboard.press("Enter")
    page.wait_for_selector(".main-pane")


def _wait_until_saved(page: "sync_api.Page", begins: str = "") -> None:
    """Until the page says that everything is saved; it may first have to be drawn that something is not."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.locator(".saved").filter(has_text=re.compile(f"^{begins}.*(saved|Unchanged)$")).wait_for()


def _wait_for(done: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Reading:
    """A reader at the first case of a desk: drives the page, and knows where its voxels lie."""

    def __init__(self, page: "sync_api.Page", address: str, desk: Desk) -> None:
        self.page, self.desk = page, desk
        self.case = next(iter(desk.cases.cases.values()))
        _enter(page, address)
        opened = desk.open(self.case.id)
        self.affine, self.predicted = opened.affine, opened.prediction

    def loaded(self) -> None:
        self.page.wait_for_selector(".main-pane")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> Flags:
        """The mask in the store, in the axial view, once the page says that it is saved."""
        _wait_until_saved(self.page)
        return self.axial(self.desk.mask(self.case.id)[1])

    def axial(self, voxels: Flags) -> Flags:
        return to_axial(voxels, axial_view(self.affine))

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Millimetres along the axial view's axes, or steps."""
        if self.affine is None:
            return np.ones(3)
        view = axial_view(self.affine)
        return np.array(spacing_mm(axial_affine(self.affine, self.predicted.shape, view)))

    @property
    def cross(self) -> tuple[int, int, int]:
        slice_, row, column = map(int, self.page.locator(".main-pane").get_attribute("data-place").split())
        return slice_, row, column

    def disc(self, centre: tuple[float, ...], radius: float, *, solid: bool = False) -> Flags:
        """The voxels of the axial view whose centre lies within a radius, measured in millimetres of the world."""
        shape = self.axial(self.predicted).shape
        steps = np.moveaxis(np.indices(shape), 0, -1) - np.array(centre)
        if self.affine is not None:
            steps = steps @ axial_affine(self.affine, self.predicted.shape, axial_view(self.affine))[:3, :3].T
        inside = np.linalg.norm(steps, axis=-1) <= radius * (1 + 1e-9)
        if not solid:
            inside[np.arange(shape[0]) != round(centre[0])] = False
        return inside

    def at(self, row: float, column: float) -> tuple[float, float]:
        """Where on the screen a row and column of the axial slice lie; the whole slice fits the pane."""
        box = self.page.locator(".main-pane").bounding_box()
        _, rows, columns = self.axial(self.predicted).shape
        _, row_mm, column_mm = self.spacing
        scale = min(box["width"] / (columns * column_mm), box["height"] / (rows * row_mm))
        x = box["x"] + box["width"] / 2 + (column + 0.5 - columns / 2) * column_mm * scale
        y = box["y"] + box["height"] / 2 + (row + 0.5 - rows / 2) * row_mm * scale
        return x, y

    def drag(self, *places: tuple[float, float]) -> None:
        points = [self.at(*place) for place in places]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def decide(self, key: str) -> None:
        """Decide, and wait for the files."""
        self.keys(key)
        _wait_for(lambda: self.desk.queue()["cases"][0]["saving"] == "done")

    def on_disk(self) -> Flags:
        """The mask that the reader saved, in the axial view."""
        mask = self.case.source.read_mask(self.desk.folder)
        if self.affine is not None:
            assert np.allclose(mask.affine, self.affine, atol=1e-3)
        return self.axial(mask.voxels)


@pytest.fixture
def reading(
    page: "sync_api.Page", served: Callable[[Desk], str], scans_of: Callable[[str], Path], tmp_path: Path
) -> Callable[..., Reading]:
    """Opens the first case of a format."""

    def begin(kind: str = "ras") -> Reading:
        write_predictions(tmp_path / "masks", scans_of(kind))
        desk = open_desk(tmp_path / "masks")
        return Reading(page, served(desk), desk)

    return begin


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_painted_lies_on_disk_at_its_millimetres(reading: Callable[..., Reading], kind: str) -> None:
    """Brush by mouse, a sphere by keyboard, eraser; expected from distances in the world, not from the page's code."""
    reader = reading(kind)
    expected = reader.axial(reader.predicted).copy()
    assert np.array_equal(reader.saved(), expected)
    slice_, row, column = reader.cross
    reader.keys("b")
    reader.drag((row + 3, column + 2))
    expected |= reader.disc((slice_, row + 3, column + 2), 4)
    assert np.array_equal(reader.saved(), expected)
    reader.keys("Shift+B", "[", "ArrowRight", "ArrowUp", "Space")
    expected |= reader.disc((slice_, row - 1, column + 1), 3, solid=True)
    reader.keys("Shift+B", "e", "[", "[", "ArrowLeft", "Space")
    expected &= ~reader.disc((slice_, row - 1, column), 2)
    assert np.array_equal(reader.saved(), expected)
    reader.decide("a")
    assert np.array_equal(reader.on_disk(), expected)
    assert reader.desk.queue()["cases"][0]["state"] == "corrected"


def test_a_whole_correction(reading: Callable[..., Reading]) -> None:
    """Threshold, undo and redo, outlines and what lies between them, holes, pieces, a reload: to the decision."""
    reader = reading("las")
    predicted = reader.axial(reader.predicted)
    reader.keys(*["-"] * 13)
    assert reader.saved().all()
    reader.keys("Control+z", "Control+z")
    assert np.array_equal(reader.saved(), predicted)
    reader.keys("y", "Backspace", "d", "Home")
    reader.drag((12, 4), (12, 10), (17, 10), (17, 4), (12, 4))
    box = np.zeros_like(predicted)
    box[2, 12:18, 4:11] = True
    assert np.array_equal(reader.saved(), predicted | box)
    reader.keys("k", "k", "k")
    reader.drag((12, 4), (12, 10), (17, 10), (17, 4), (12, 4))
    reader.keys("i")
    # Both outlined slices stay; the two between are drawn from them.
    after = reader.saved()
    assert np.array_equal(after[[2, 5]], (predicted | box | np.roll(box, 3, 0))[[2, 5]])
    assert all(after[slice_, 13:17, 5:10].all() for slice_ in (3, 4))
    assert np.array_equal(after[[0, 1, 6]], predicted[[0, 1, 6]])
    reader.page.reload()
    reader.loaded()
    assert np.array_equal(reader.saved(), after)
    reader.keys("u")
    assert np.array_equal(reader.saved(), predicted | box | np.roll(box, 3, 0))
    reader.keys("c")
    reader.page.wait_for_selector(".main-pane.component")
    reader.keys("End")
    reader.page.mouse.click(*reader.at(14, 7))
    assert np.array_equal(reader.saved(), predicted | box)
    reader.page.fill("#comment", "Necrosis?")
    reader.keys("Escape")
    reader.decide("a")
    assert np.array_equal(reader.on_disk(), predicted | box)
    entry = reader.desk.queue()["cases"][0]
    assert (entry["state"], entry["comment"]) == ("corrected", "Necrosis?")
    reader.page.get_by_text("1 of 1 read").wait_for()


def test_the_slider_moves_the_contour_and_comes_back_to_the_prediction(reading: Callable[..., Reading]) -> None:
    reader = reading("oblique")
    slider = reader.page.locator("#threshold").bounding_box()
    y = slider["y"] + slider["height"] / 2
    reader.page.mouse.move(slider["x"] + slider["width"] / 2, y)
    reader.page.mouse.down()
    reader.page.mouse.move(slider["x"] + 2, y, steps=4)
    reader.page.locator(".volume").get_by_text("+").wait_for()
    assert np.array_equal(reader.axial(reader.desk.mask(reader.case.id)[1]), reader.axial(reader.predicted))
    reader.page.mouse.up()
    assert reader.saved().all()
    assert reader.desk.queue()["cases"][0]["strokes"] == 1
    reader.page.mouse.move(slider["x"] + 2, y)
    reader.page.mouse.down()
    reader.page.mouse.move(slider["x"] + slider["width"] / 2, y, steps=4)
    reader.page.mouse.up()
    assert np.array_equal(reader.saved(), reader.axial(reader.predicted))
    assert "as predicted" in reader.page.locator(".panel").inner_text()


def test_accepting_without_an_edit_leaves_the_prediction_and_measures_agree(reading: Callable[..., Reading]) -> None:
    reader = reading("sagittal")
    told = reader.page.locator(".panel dd").all_inner_texts()
    measured = reader.desk.measurement(reader.case.id)
    assert told[:2] == [f"{measured[name]:.1f} mm" for name in ("longest_diameter_mm", "perpendicular_diameter_mm")]
    assert reader.page.locator(".volume").inner_text() == f"{measured['volume_ml']:.1f} ml"
    reader.decide("a")
    assert reader.desk.queue()["cases"][0]["state"] == "accepted"
    assert np.array_equal(reader.on_disk(), reader.axial(reader.predicted))


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: make page")
def test_a_second_tab_is_told_and_overwrites_nothing(
    reading: Callable[..., Reading], new_page: Callable[[], "sync_api.Page"]
) -> None:
    first = reading("ras")
    other = new_page()
    other.goto(first.page.url)
    other.wait_for_selector(".main-pane")
    first.page.bring_to_front()
    first.keys("b", "Space")
    kept = first.saved()
    assert not np.array_equal(kept, first.axial(first.predicted))
    other.bring_to_front()
    for key in ("e", "ArrowRight", "Space"):
        other.keyboard.press(key)
    dialog = other.get_by_role("dialog", name="This case was changed elsewhere")
    dialog.wait_for()
    assert _faults(other) == []
    assert np.array_equal(first.saved(), kept)
    other.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    _wait_until_saved(other, "1 stroke")
    other.keyboard.press("u")
    _wait_for(lambda: np.array_equal(first.axial(first.desk.mask(first.case.id)[1]), first.axial(first.predicted)))


def test_a_killed_server_loses_one_stroke_at_most(
    masks: Path, page: "sync_api.Page", new_page: Callable[[], "sync_api.Page"]
) -> None:
    """Killed while the pointer is down; what the page had called saved is there when the desk opens again."""
    process, address = _start(masks)
    _enter(page, address)
    for key in ("b", "Space", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    _wait_until_saved(page, "2 strokes")
    box = page.locator(".main-pane").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=3)
    process.kill()
    process.wait()
    page.mouse.up()
    page.get_by_role("alert").get_by_text("Last stroke not saved").wait_for()
    page.keyboard.press("Space")
    assert "3 strokes" not in page.locator(".saved").inner_text()
    assert page.get_by_role("status").inner_text().startswith("The last stroke is not saved")
    desk = open_desk(masks)
    case = desk.queue()["cases"][0]
    assert (case["strokes"], case["state"]) == (2, "in work")
    desk.close()
    process, address = _start(masks)
    again = new_page()
    _enter(again, address)
    _wait_until_saved(again, "2 strokes")
    process.kill()
    process.wait()


def _wait_for_case(page: "sync_api.Page", desk: Desk, case_id: str) -> None:
    page.locator("h1").get_by_text(desk.case(case_id).patient).wait_for()
    page.wait_for_selector(".main-pane")


def _start(masks: Path) -> tuple["subprocess.Popen[str]", str]:
    command = [sys.executable, "-m", "glioseg", "review", str(masks), "--no-browser"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
            return process, found[0]
    raise AssertionError("the desk did not start")


def test_by_keyboard_alone(
    page: "sync_api.Page", served: Callable[[Desk], str], few_slices: Path, tmp_path: Path
) -> None:
    """Three patients from the queue to the last decision without a pointer; an outline of corners among it."""
    write_predictions(tmp_path / "masks", few_slices)
    desk = open_desk(tmp_path / "masks")
    order = list(desk.cases.cases)
    page.goto(served(desk))
    page.wait_for_selector("tr.selected")
    page.evaluate(FAST_KEYS)
    assert desk.case(order[2]).patient in page.locator("tr.selected").inner_text()
    for key in ("k", "k", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector(".main-pane")
    for key in ("d", "Space", *["ArrowRight"] * 4, "Space", *["ArrowDown"] * 4, "Space", "Enter"):
        page.keyboard.press(key)
    _wait_until_saved(page, "1 stroke")
    page.keyboard.press("a")
    _wait_for_case(page, desk, order[1])
    page.get_by_role("status").filter(has_text=f"{desk.case(order[0]).patient}: corrected").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("nothing to see")
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    _wait_for_case(page, desk, order[2])
    page.keyboard.press("q")
    page.wait_for_selector("table")
    assert page.locator("td .state").all_inner_texts() == ["corrected", "rejected", "unsure"]
    assert "3 of 3 read" in page.locator(".progress").inner_text()
    assert desk.queue()["cases"][1]["comment"] == "nothing to see"


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: make page")
def test_a_screen_reader_can_name_everything(reading: Callable[..., Reading]) -> None:
    reader = reading("ras")
    page = reader.page
    for keys in (["b"], ["r", "o", "h"], ["?"], ["Escape", "l", "Escape"]):
        reader.keys(*keys)
        assert _faults(page) == []
    page.wait_for_selector("table")


def _faults(page: "sync_api.Page") -> list[tuple[str, str]]:
    """What axe finds: rule and place."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found]


def test_a_hand_that_trembles_is_one_stroke_and_an_eraser_is_its_opposite(reading: Callable[..., Reading]) -> None:
    """A path drawn by the brush and back by the eraser of the same size leaves what was there outside the path."""
    reader = reading("tif")
    path = [(20 + 3 * math.sin(step), 10 + step) for step in range(12)]
    reader.keys("b")
    reader.drag(*path)
    painted = reader.saved()
    gained = painted & ~reader.axial(reader.predicted)
    assert gained.any()
    reader.keys("e")
    reader.drag(*path)
    assert np.array_equal(reader.saved() | gained, painted)
    assert not (reader.saved() & gained).any()
    assert reader.desk.queue()["cases"][0]["strokes"] == 2


def test_a_case_that_cannot_be_opened_is_told(
    page: "sync_api.Page", served: Callable[[Desk], str], masks: Path, tmp_path: Path
) -> None:
    desk = open_desk(masks)
    page.goto(f"{served(desk)}#/case/0123456789abcdef")
    page.get_by_role("alert").wait_for()
    for scan in (tmp_path / "scans").rglob("*.nii.gz"):
        scan.unlink()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector("tr.selected")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("A_flair.nii.gz").wait_for()


def test_the_earlier_examination_lies_beside_the_later_one(
    page: "sync_api.Page", served: Callable[[Desk], str], tmp_path: Path
) -> None:
    for patient in ("TCGA_CS_0001_19990203", "TCGA_CS_0001_20000405"):
        path = tmp_path / "scans" / patient / f"{patient}_flair.nii.gz"
        write_nifti_probability(path, head().astype(np.float32), GRIDS["ras"])
    write_predictions(tmp_path / "masks", tmp_path / "scans")
    page.goto(served(open_desk(tmp_path / "masks")))
    page.get_by_role("link", name="TCGA_CS_0001_20000405").click()
    page.wait_for_selector(".main-pane")
    page.keyboard.press("t")
    page.get_by_role("img", name="Earlier examination 1999-02-03").wait_for()
    page.keyboard.press("t")
    page.get_by_role("img", name="Earlier examination").wait_for(state="detached")
