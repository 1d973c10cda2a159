"""Every model that ships, by every format it may meet, by every output, from the installed package."""

import csv
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest
import tifffile
from synthetic_dicom import write_enhanced, write_series

from glioseg.archive.dicomweb import list_series, store_files
from glioseg.dataset.phantom import make_phantom
from glioseg.inference.shipped import SHIPPED
from glioseg.volume import CHANNELS

Command = Callable[..., subprocess.CompletedProcess[str]]

SIZE, FIRST, SLICES = 96, 5, 2
PLAIN = np.array([[0, 0, -2.4, 110.0], [0, -2.4, 0, 120.0], [5.0, 0, 0, -40.0], [0, 0, 0, 1]])
DICOM = ("classic", "enhanced", "zip")
FORMATS = ("tif", "nifti", "nrrd", *DICOM)
ALONE = ("--presence", "off")
"""Two slices of a practice head are no tumour for everybody; here it is the masks that matter."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One head of a few slices in each format, under the format's name."""
    root = tmp_path_factory.mktemp("scans")
    voxels = make_phantom(5, size=SIZE, slices=12)[0].voxels[FIRST : FIRST + SLICES]
    flair = voxels[..., CHANNELS.index("flair")]
    by_file = PLAIN[:, [2, 1, 0, 3]]
    (root / "tif" / "tif").mkdir(parents=True)
    for number, image in enumerate(voxels, start=1):
        tifffile.imwrite(root / "tif" / "tif" / f"tif_{number}.tif", image)
    nibabel.save(nibabel.Nifti1Image(flair.T.astype(np.int16), by_file), root / "nifti.nii.gz")
    header = {"space": "RAS", "space directions": by_file[:3, :3].T, "space origin": by_file[:3, 3]}
    nrrd.write(str(root / "nrrd.nrrd"), flair.T, header)
    images = flair.astype(np.uint16)
    write_series(root / "classic", images, PLAIN, PatientID="classic")
    write_enhanced(root / "enhanced", images, PLAIN, order=range(SLICES), PatientID="enhanced")
    write_series(root / "to_zip", images, PLAIN, PatientID="zip")
    with zipfile.ZipFile(root / "zip", "w") as archive:
        for path in sorted((root / "to_zip").iterdir()):
            archive.write(path, path.name)
    return root


@pytest.fixture(scope="module")
def predicted(glioseg: Command, scans: Path, tmp_path_factory: pytest.TempPathFactory):
    """By a model's name the folder of its results on all formats."""

    @cache
    def of(model: str) -> Path:
        out = tmp_path_factory.mktemp(model)
        inputs = [next(scans.glob(f"{name}*")) for name in FORMATS]
        done = glioseg("predict", *inputs, "--model", model, "--out", out, "--probabilities", "--nifti", *ALONE)
        assert done.returncode == 0, done.stdout + done.stderr
        return out

    return of


def test_what_is_tested_is_what_ships(glioseg: Command) -> None:
    listed = json.loads(glioseg("info", "--json").stdout)
    for model in listed["models"].values():
        assert "site-packages" not in model["path"]
        assert "/site/glioseg/models/" in model["path"]
    assert set(listed["models"]) == set(SHIPPED)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("model", SHIPPED)
def test_every_output_is_there_and_says_the_same(predicted, model: str, name: str) -> None:
    out: Path = predicted(model)
    row = next(row for row in csv.DictReader((out / "measurements.csv").open()) if row["patient"] == name)
    record = next(one for one in json.loads((out / "run.json").read_text())["patients"] if one["patient"] == name)
    assert sorted(record["files"]) == sorted(files_of(name))
    assert all((out / file).stat().st_size for file in record["files"])
    mask = mask_of(out, name)
    assert mask.shape == (SLICES, SIZE, SIZE)
    assert mask.any()
    assert int(row["voxels"]) == record["voxels"] == mask.sum()
    probabilities = volume_of(out / f"{name}_probability.nii.gz")
    assert 0 <= probabilities.min() <= probabilities[mask].min() <= probabilities.max() <= 1
    assert min(png_size(out / f"{name}_sheet.png")) > 100
    if name in DICOM:
        segmentation = pydicom.dcmread(out / f"{name}_seg.dcm")
        assert segmentation.pixel_array.sum() == mask.sum()
        assert_valid(out / f"{name}_seg.dcm")
        assert_valid(out / f"{name}_report.dcm")


@pytest.mark.parametrize("model", SHIPPED)
def test_an_archive_gets_every_output(glioseg: Command, orthanc, scans: Path, tmp_path: Path, model: str) -> None:
    study = f"2.25.{10 + list(SHIPPED).index(model)}"
    for path in sorted((scans / "classic").iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.StudyInstanceUID = study
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        dataset.SeriesInstanceUID = f"{study}.1"
        dataset.save_as(tmp_path / path.name)
    store_files(orthanc.url, sorted(tmp_path.iterdir()))
    words = ("--dicomweb", orthanc.url, "--study", study, "--model", model, "--no-previews")
    done = glioseg("predict", *words, "--out", tmp_path / "out", NO_PROXY="127.0.0.1")
    assert done.returncode == 0, done.stdout + done.stderr
    stored = {one.modality: one.instances for one in list_series(orthanc.url, study)}
    assert stored == {"MR": SLICES, "SEG": 1, "SR": 1, "OT": SLICES}


def files_of(name: str) -> list[str]:
    beside = [f"{name}_probability.nii.gz", f"{name}_sheet.png"]
    if name == "tif":
        return [*(f"tif/tif_{number}_mask.tif" for number in range(1, SLICES + 1)), *beside]
    if name not in DICOM:
        return [f"{name}_mask.nii.gz", *beside]
    overlay = [f"{name}_overlay/{number:04d}.dcm" for number in range(1, SLICES + 1)]
    return [f"{name}_mask.nii.gz", f"{name}_seg.dcm", f"{name}_report.dcm", *overlay, *beside]


def mask_of(out: Path, name: str) -> np.ndarray:
    if name == "tif":
        return np.stack([tifffile.imread(out / file) for file in files_of(name)[:SLICES]]) > 0
    return volume_of(out / f"{name}_mask.nii.gz") > 0


def volume_of(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj).T


def png_size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with Image.open(path) as image:
        return image.size


def assert_valid(path: Path) -> None:
    if shutil.which("dciodvfy"):
        done = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
        assert not re.findall(r"^Error.*$", done.stderr + done.stdout, re.MULTILINE)
