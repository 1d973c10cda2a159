"""What a prediction does not need it does not import: half of the time of a patient were imports."""

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from glioseg.dataset.lgg import write_patient
from glioseg.dataset.phantom import make_phantom
from glioseg.inference.shipped import SHIPPED

NEVER = ("torch", "lightning_fabric", "monai", "kornia", "matplotlib", "pydicom", "gdcm", "highdicom", "requests")
NEVER += ("scipy.stats", "scipy.optimize", "scipy.interpolate", "starlette", "jinja2", "openvino")
SCRIPT = """
import sys
from glioseg.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
    print("imported:", *sorted(sys.modules))
"""


def imported_by(*words: str) -> set[str]:
    ran = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=True)
    return set(ran.stdout.splitlines()[-1].split()[1:])


def scan(folder: Path, kind: str) -> Path:
    volume, mask = make_phantom(3, size=96, slices=8)
    if kind == "tif":
        write_patient(folder, volume, mask)
        return folder / volume.patient
    path = folder / "P_flair.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume.channel("flair").T.astype(np.int16), np.diag([1, 1, 5, 1])), path)
    return path


@pytest.mark.parametrize("kind", ["tif", "nifti"])
def test_a_prediction_imports_what_its_input_needs(tmp_path: Path, kind: str) -> None:
    model = ("--model", str(SHIPPED["fast"].path), "--backend", "onnxruntime", "--presence", "off")
    found = imported_by("predict", str(scan(tmp_path, kind)), "--out", str(tmp_path / "masks"), *model)
    assert "onnxruntime" in found
    assert ("nibabel" in found) == (kind == "nifti")
    assert found.isdisjoint(NEVER), found.intersection(NEVER)


def test_no_hull_is_looked_for_where_there_is_no_tumour() -> None:
    code = """
import sys, numpy as np
from glioseg.measurement.measure import measure_mask
from glioseg.volume import Mask
def spatial(voxels):
    measure_mask(Mask("P", voxels))
    return "scipy.spatial" in sys.modules
print(spatial(np.zeros((3, 8, 8), bool)), spatial(np.ones((3, 8, 8), bool)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]


def test_pydicom_is_there_after_nibabel() -> None:
    code = "import glioseg.formats.nifti, sys; print('pydicom' in sys.modules); import pydicom; print(pydicom.dcmread)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("False\n<function dcmread")
