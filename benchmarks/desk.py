"""How soon a large case is there in the reader's desk, and each next slice: ``python -m benchmarks.desk``.

A made-up head of 240 x 240 x 155 voxels with three sequences, mask and probabilities, read from NIfTI by the server and
drawn in Debian's Chromium without a graphics card.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.tables import Table
from glioseg.formats.nifti import write_nifti_mask, write_nifti_probability
from glioseg.volume import Mask

SHAPE = (155, 240, 240)
AFFINE = np.array([[0.0, 0, 1, -120], [0, 1, 0, -120], [1, 0, 0, -70], [0, 0, 0, 1]])
PATIENTS = "ABCD"
CHROMIUM = "/usr/bin/chromium"
SETTLED_S = 40
"""Until small images are drawn and the next case is fetched."""

DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        masks = _made_up(Path(folder))
        command = [sys.executable, "-m", "glioseg", "review", str(masks), "--no-browser"]
        began = time.perf_counter()
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            address = _address(server)
            started = f"{time.perf_counter() - began:.2f} s", f"{_worked(server.pid):.2f} s"
            rows = [("start of the server", *started), *_measured(address, server.pid)]
        finally:
            server.terminate()
            server.wait()
    load = f"Load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    print(
        Table(
            "Opening in the desk", ("240 x 240 x 155, three sequences", "time", "of it processor"), rows, load
        ).markdown()
    )


def _made_up(folder: Path) -> Path:
    """A folder that predict might have written, for four patients."""
    masks = folder / "masks"
    masks.mkdir()
    for patient in PATIENTS:
        _write_scans(folder / "scans" / patient, patient)
    entries = [_write_prediction(patient, masks) for patient in PATIENTS]
    record = {"inputs": [str(folder / "scans")], "patients": entries, "model": {"postprocessing": {"threshold": 0.5}}}
    (masks / "run.json").write_text(json.dumps(record))
    return masks


def _write_scans(folder: Path, patient: str) -> None:
    chance = np.random.default_rng(0)
    z, y, x = (np.linspace(-1, 1, size) for size in SHAPE)
    head = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 < 0.8
    for sequence in ("flair", "t1", "t1ce"):
        tissue = chance.integers(300, 900, [size // 5 for size in SHAPE])
        for axis in range(3):
            tissue = tissue.repeat(5, axis)
        write_nifti_probability(
            folder / f"{patient}_{sequence}.nii.gz", np.where(head, tissue, 0).astype(np.float32), AFFINE
        )


def _write_prediction(patient: str, masks: Path) -> dict[str, object]:
    z, y, x = (np.arange(size, dtype=np.float32) for size in SHAPE)
    distance = np.sqrt((z[:, None, None] - 80) ** 2 + (y[:, None] - 100) ** 2 + (x - 90) ** 2)
    probabilities = (1 / (1 + np.exp((distance - 25) / 4))).round(2)
    write_nifti_mask(masks / f"{patient}_mask.nii.gz", Mask(patient, probabilities >= 0.5, affine=AFFINE))
    write_nifti_probability(masks / f"{patient}_probability.nii.gz", probabilities, AFFINE)
    return {"patient": patient, "expected_dice": 0.9}


def _address(server: "subprocess.Popen[str]") -> str:
    for line in server.stderr or ():
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
            return found[0]
    raise SystemExit("the desk did not start")


class Bench:
    """A tab at the desk, with the processor's time that it and the server take.

    Args:
        page: The tab.
        server: The server's process.
    """

    def __init__(self, page: Page, server: int) -> None:
        self.page, self.server = page, server
        self._metrics = page.context.new_cdp_session(page)
        self._metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

    def row(self, what: str, act: Callable[[], None], times: int = 1) -> tuple[str, str, str]:
        """Do something until it is drawn, and say how long that took."""
        began, worked = time.perf_counter(), self._worked()
        for _ in range(times):
            act()
            self.page.evaluate(DRAWN)
        wall, work = time.perf_counter() - began, self._worked() - worked
        return what, f"{wall / times:.2f} s", f"{work / times:.2f} s"

    def _worked(self) -> float:
        metrics = {each["name"]: each["value"] for each in self._metrics.send("Performance.getMetrics")["metrics"]}
        return _worked(self.server) + float(metrics["TaskDuration"])


def _worked(process: int) -> float:
    """The processor's time that a process has taken, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measured(address: str, server: int) -> list[tuple[str, str, str]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(address)
        page.wait_for_selector("tr.selected")
        bench = Bench(page, server)
        time.sleep(SETTLED_S)
        rows = [bench.row("the first case, fetched while the queue was looked at", lambda: _open(page, "Enter", "A"))]
        time.sleep(SETTLED_S)
        rows.append(bench.row("the next one, fetched while the first was looked at", lambda: _open(page, "n", "B")))
        time.sleep(SETTLED_S)
        rows.append(bench.row("back to the first, which the server still holds", lambda: _open(page, "p", "A")))
        page.keyboard.press("Escape")
        page.wait_for_selector("tr.selected")
        for _ in range(3):
            page.keyboard.press("j")
        rows.append(bench.row("one that nobody asked for yet, from disk", lambda: _open(page, "Enter", "D")))
        rows.append(bench.row("and until its other sequences are there", lambda: _complete(page)))
        rows.append(bench.row("the next slice", lambda: page.keyboard.press("k"), times=20))
        rows.append(bench.row("a step of the threshold", lambda: page.keyboard.press("-"), times=5))
        browser.close()
    return rows


def _complete(page: Page) -> None:
    page.wait_for_selector(".side-pane.coming", state="detached")


def _open(page: Page, key: str, patient: str) -> None:
    page.keyboard.press(key)
    page.locator("h1").get_by_text(patient, exact=True).wait_for()
    page.wait_for_selector(".main-pane")


if __name__ == "__main__":
    main()
