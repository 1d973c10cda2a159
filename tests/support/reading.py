"""Folders to read, of every format, as ``glioseg predict`` leaves them, with masks that are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient
from synthetic_dicom import AXIAL, OBLIQUE, SAGITTAL, head, write_series

from glioseg.formats.nifti import write_nifti_probability
from glioseg.inference.model import Prediction
from glioseg.outputs import Outputs
from glioseg.patients.find import find_sources
from glioseg.patients.source import OutputOptions, Result
from glioseg.review.desk import Desk
from glioseg.review.server import build_app
from glioseg.volume import Mask

TOKEN, PORT = "t" * 43, 8800
PAGE = {"index.html": b"<!doctype html>", "assets/a.js": b"1"}

RAS = np.array([[0.0, 0, 0.9, -40], [0, 0.8, 0, 30], [3, 0, 0, 20], [0, 0, 0, 1]])
GRIDS = {
    "ras": RAS,
    "las": RAS @ np.diag([1, 1, -1, 1]),
    "oblique": OBLIQUE,
    "sagittal": SAGITTAL,
    "dicom": AXIAL,
    "dicom_oblique": OBLIQUE,
}

FORMATS = ("tif", *GRIDS)


def write_predictions(folder: Path, *scans: Path, sure: float = 0.9) -> dict[str, NDArray[np.bool_]]:
    """What predict would leave for the scans, with a blob as the tumour; the masks by patient."""
    folder.mkdir()
    masks, entries = {}, []
    for source in find_sources(scans).sources:
        read = source.read()
        volume = read.volume
        voxels = np.zeros(volume.voxels.shape[:3], np.bool_)
        voxels[2:4, 5:9, 6:13] = True
        mask = Mask(source.patient, voxels, slice_names=volume.slice_names, affine=volume.affine)
        probabilities = np.where(voxels, np.float32(sure), np.float32(0.25))
        result = Result(Prediction(volume, probabilities, mask), "U-Net", "ab" * 32, {}, read.origin)
        outputs = Outputs(folder)
        source.write(result, outputs, OutputOptions(probabilities=True, overlay=False))
        assert outputs.failures == {}
        entries.append({**result.measurement.as_json(), "expected_dice": sure, "remarks": []})
        masks[source.patient] = voxels
    record = {
        "inputs": [str(path) for path in scans],
        "patients": entries,
        "model": {"postprocessing": {"threshold": 0.5}},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return masks


def write_scans(folder: Path, kind: str) -> Path:
    """Scans of one format and grid."""
    folder.mkdir()
    if kind.startswith("dicom"):
        return write_series(folder / "series", head(), GRIDS[kind])
    write_nifti_probability(folder / "A" / "A_flair.nii.gz", head().astype(np.float32), GRIDS[kind])
    return folder


def client_of(desk: Desk) -> TestClient:
    app: Any = build_app(desk, TOKEN, PORT, PAGE)
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}/{TOKEN}/")
