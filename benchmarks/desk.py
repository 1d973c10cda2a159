"""How soon a large case is there in the reader's desk, and each next slice: ``python -m benchmarks.desk``.

A made-up head of 240 x 240 x 155 voxels with three sequences, mask and probabilities, read from NIfTI by the server and
drawn in Debian's Chromium without a graphics card.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright
from scipy import ndimage

from benchmarks.tables import Table
from glioseg.formats.nifti import write_nifti_probability
from glioseg.measurement.measure import measure_mask
from glioseg.outputs import Outputs
from glioseg.patients.find import find_sources
from glioseg.patients.source import OutputOptions, Result
from glioseg.volume import Mask

SHAPE = (155, 240, 240)
AFFINE = np.array([[0.0, 0, 1, -120], [0, 1, 0, -120], [1, 0, 0, -70], [0, 0, 0, 1]])
CHROMIUM = "/usr/bin/chromium"
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        masks = _made_up(Path(folder))
        command = [sys.executable, "-m", "glioseg", "review", str(masks), "--no-browser"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            rows = _measured(_address(server))
        finally:
            server.terminate()
            server.wait()
    load = f"Load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    print(Table("Opening in the desk", ("240 x 240 x 155, three sequences", "time"), rows, load).markdown())


def _made_up(folder: Path) -> Path:
    """A folder that predict might have written, for two patients."""
    masks = folder / "masks"
    masks.mkdir()
    for patient in ("A", "B"):
        _write_scans(folder / "scans" / patient, patient)
    entries = [_write_prediction(source, masks) for source in find_sources([folder / "scans"]).sources]
    record = {"inputs": [str(folder / "scans")], "patients": entries, "model": {"postprocessing": {"threshold": 0.5}}}
    (masks / "run.json").write_text(json.dumps(record))
    return masks


def _write_scans(folder: Path, patient: str) -> None:
    chance = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*(np.linspace(-1, 1, size) for size in SHAPE), indexing="ij"), axis=-1)
    head = (places**2).sum(axis=-1) < 0.8
    for number, role in enumerate(("flair", "t1", "t1ce")):
        tissue = ndimage.gaussian_filter(chance.normal(size=SHAPE), 2) * 2000 + 600 + 50 * number
        voxels = np.where(head, tissue + chance.normal(size=SHAPE) * 20, 0)
        write_nifti_probability(folder / f"{patient}_{role}.nii.gz", voxels.round().clip(0).astype(np.float32), AFFINE)


def _write_prediction(source, masks: Path):  # type: ignore[no-untyped-def]
    volume = source.read().volume
    distance = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - (80, 100, 90), axis=-1)
    probabilities = (1 / (1 + np.exp((distance - 25) / 4))).astype(np.float32)
    mask = Mask(source.patient, probabilities >= 0.5, affine=volume.affine)
    measured = measure_mask(mask, volume)
    result = Result(volume, mask, probabilities, measured, "U-Net", "ab" * 32)
    source.write(result, Outputs(masks), OutputOptions(probabilities=True, overlay=False))
    return {**measured.as_json(), "expected_dice": 0.9, "remarks": []}


def _address(server: "subprocess.Popen[str]") -> str:
    for line in server.stderr or ():
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S+/", line):
            return found[0]
    raise SystemExit("the desk did not start")


def _measured(address: str) -> list[tuple[str, str]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector("tr.selected")
        cold = _seconds(page, "Enter", "A")
        time.sleep(8)
        ahead = _seconds(page, "n", "B")
        page.keyboard.press("Escape")
        page.wait_for_selector("tr.selected")
        warm = _seconds(page, "Enter", "B")
        slices = [_slice_ms(page) for _ in range(40)]
        browser.close()
    slowest = sorted(slices)[int(0.95 * len(slices))]
    return [
        ("open a case, the server reads it from disk", f"{cold:.2f} s"),
        ("open the next, fetched while the first was read", f"{ahead:.2f} s"),
        ("open a case that the server still holds", f"{warm:.2f} s"),
        ("next slice until it is on the screen, median", f"{statistics.median(slices):.0f} ms"),
        ("next slice until it is on the screen, 95 %", f"{slowest:.0f} ms"),
    ]


def _seconds(page: Page, key: str, patient: str) -> float:
    """From a key until the patient's pictures are drawn."""
    began = time.perf_counter()
    page.keyboard.press(key)
    page.locator("h1").get_by_text(patient, exact=True).wait_for()
    page.wait_for_selector(".main-pane")
    page.evaluate(DRAWN)
    return time.perf_counter() - began


def _slice_ms(page: Page) -> float:
    began = time.perf_counter()
    page.keyboard.press("k")
    page.evaluate(DRAWN)
    return 1000 * (time.perf_counter() - began)


if __name__ == "__main__":
    main()
