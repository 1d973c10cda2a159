import os
import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import synthetic_dicom as synthetic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, RLELossless
from synthetic_dicom import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    SAGITTAL,
    head,
    rotation,
    stacked,
    write_enhanced,
    write_series,
    write_single_frames,
)

from glioseg.formats.dicom_series import DicomSeries, file_name_of, find_series, read_series
from glioseg.scan import Scan

ORIENTATIONS = {"axial": AXIAL, "sagittal": SAGITTAL, "coronal": CORONAL, "oblique": OBLIQUE}
DOWNWARD = AXIAL @ np.diag([-1, 1, 1, 1])


def only(path: Path) -> DicomSeries:
    (series,) = find_series(path)
    assert series.refusal is None
    return series


def assert_same_voxels(scan: Scan, voxels: np.ndarray, affine: np.ndarray) -> None:
    """Every voxel of the truth is found at its place in millimetres."""
    assert scan.affine is not None
    places = affine @ np.vstack([np.indices(voxels.shape).reshape(3, -1), np.ones(voxels.size)])
    exact = (np.linalg.inv(scan.affine) @ places)[:3]
    indices = np.round(exact).astype(int)
    np.testing.assert_allclose(exact, indices, atol=1e-5)
    assert indices.min() == 0
    assert scan.voxels.shape == voxels.shape
    np.testing.assert_array_equal(scan.voxels[tuple(indices)], voxels.ravel().astype(np.float32))


@pytest.mark.parametrize("names", ["shuffled", "reversed"])
@pytest.mark.parametrize("affine", [*ORIENTATIONS.values(), DOWNWARD], ids=[*ORIENTATIONS, "downward"])
def test_every_voxel_is_where_it_was(tmp_path: Path, affine: np.ndarray, names: str) -> None:
    write_series(tmp_path, head(), affine, names=names)
    assert_same_voxels(read_series(only(tmp_path)), head(), affine)


DEGREES, SPACING_MM, ORIGIN_MM = st.floats(-180, 180), st.floats(0.3, 9), st.floats(-400, 400)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(DEGREES, DEGREES, DEGREES),
    st.tuples(SPACING_MM, SPACING_MM, SPACING_MM),
    st.tuples(ORIGIN_MM, ORIGIN_MM, ORIGIN_MM),
    st.booleans(),
)
def test_every_voxel_is_where_it_was_in_any_position(
    tmp_path: Path,
    degrees: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    origin_mm: tuple[float, float, float],
    mirrored: bool,
) -> None:
    directions = rotation(*degrees) @ np.diag([-1 if mirrored else 1, 1, 1])
    affine = stacked(directions.T, spacing_mm, origin_mm)
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
    write_series(tmp_path / "in", head(4, 6, 5), affine)
    assert_same_voxels(read_series(only(tmp_path / "in")), head(4, 6, 5), affine)


def test_slices_run_along_the_normal_whatever_their_names(tmp_path: Path) -> None:
    write_series(tmp_path, head(), DOWNWARD)
    series = only(tmp_path)
    scan = read_series(series)
    assert scan.voxels[:, 0, 0].tolist() == [650, 550, 450, 350, 250, 150, 50]
    assert [float(dataset.ImagePositionPatient[2]) for dataset in series.datasets] == [2, 5, 8, 11, 14, 17, 20]


def test_an_enhanced_file_is_read_by_its_frames_places_and_scales(tmp_path: Path) -> None:
    order = [3, 0, 6, 1, 5, 2, 4]
    write_enhanced(tmp_path / "enhanced.dcm", head(), OBLIQUE, order=order)
    series = only(tmp_path)
    truth = head() * (2.0 + np.arange(7)[:, None, None]) - 5.0
    assert_same_voxels(read_series(series), truth, OBLIQUE)
    assert series.is_multiframe
    assert len(series.datasets) == 1
    assert [order[one.frame] for one in series.slices] in ([0, 1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1, 0])
    assert series.sequence == "flair"


def test_an_enhanced_series_of_one_frame_a_file_is_read(tmp_path: Path) -> None:
    write_single_frames(tmp_path, head(), OBLIQUE)
    series = only(tmp_path)
    assert (len(series.slices), series.is_multiframe, series.sequence) == (7, False, "flair")
    assert_same_voxels(read_series(series), head() * (2.0 + np.arange(7)[:, None, None]) - 5.0, OBLIQUE)


def test_copies_of_slices_are_taken_once(tmp_path: Path) -> None:
    """The same bytes under two names; another image of the same place is still refused."""
    write_series(tmp_path / "a", head(), OBLIQUE)
    for path in sorted((tmp_path / "a").iterdir())[2:5]:
        shutil.copy(path, tmp_path / "a" / f"copy of {path.name}")
    assert_same_voxels(read_series(only(tmp_path)), head(), OBLIQUE)
    copy = tmp_path / "a" / "IM0000"
    content = bytearray(copy.read_bytes())
    content[-2] ^= 1
    (tmp_path / "a" / "other").write_bytes(content)
    (series,) = find_series(tmp_path)
    assert "lie at one place" in str(series.refusal)


@pytest.mark.parametrize(
    ("dates", "date"),
    [
        ({}, "20240229"),
        ({"AcquisitionDate": "20190301"}, "20190301"),
        ({"AcquisitionDate": "00000000", "SeriesDate": "", "StudyDate": "20190302"}, "20190302"),
        ({"AcquisitionDate": "19700230", "SeriesDate": None, "StudyDate": "yesterday"}, ""),
    ],
)
def test_a_series_tells_its_date(tmp_path: Path, dates: dict[str, str | None], date: str) -> None:
    write_series(tmp_path, head(), AXIAL, **dates)
    series = only(tmp_path)
    assert series.date == date
    assert (" of 2019-03-0" in series.summary) == date.startswith("2019")


@pytest.mark.parametrize(
    ("patient_id", "patient"),
    [("山田 1", "山田_1"), ("Дом/7", "Дом_7"), ("Ångström", "Ångström"), ("a\x07b", "a_b"), ("", "unnamed")],
)
def test_a_name_may_have_the_letters_of_any_script(patient_id: str, patient: str) -> None:
    assert file_name_of(patient_id) == patient


def test_what_the_headers_say(tmp_path: Path) -> None:
    write_series(tmp_path / "a", head(), OBLIQUE, PatientID="ab/.. c d")
    series = only(tmp_path)
    assert (series.patient_id, series.patient) == ("ab/.. c d", "ab_.._c_d")
    assert (series.description, series.modality, series.number, series.sequence) == ("AX FLAIR", "MR", 4, "flair")
    assert (series.study_uid, series.frame_of_reference_uid) == (synthetic.STUDY, synthetic.FRAME_OF_REFERENCE)
    assert series.spacing_mm == pytest.approx((5.0, 0.6, 1.2), abs=1e-6)
    scan = read_series(series)
    assert (scan.patient, scan.sequence, scan.remarks) == ("ab_.._c_d", "flair", ())
    assert "AX FLAIR" in scan.source


def test_spacing_is_that_of_the_positions_and_not_the_thickness(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, SliceThickness=1.0, SpacingBetweenSlices=1.5)
    assert only(tmp_path).spacing_mm == pytest.approx((3.0, 0.8, 0.9), abs=1e-6)


def test_rescaling_is_applied_slice_by_slice(tmp_path: Path) -> None:
    def edit(index: int, dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1.5 + index, -20.0

    write_series(tmp_path, head(), AXIAL, edit=edit)
    assert_same_voxels(read_series(only(tmp_path)), head() * (1.5 + np.arange(7)[:, None, None]) - 20, AXIAL)


def test_signed_pixels_stay_signed(tmp_path: Path) -> None:
    signed = head().astype(np.int16) - 300
    write_series(tmp_path, signed, AXIAL, PixelRepresentation=1)
    assert_same_voxels(read_series(only(tmp_path)), signed, AXIAL)


def test_monochrome1_is_turned_bright(tmp_path: Path) -> None:
    write_series(tmp_path, 4095 - head(), AXIAL, PhotometricInterpretation="MONOCHROME1")
    scan = read_series(only(tmp_path))
    values = 4095 - head().astype(int)
    assert_same_voxels(scan, values.max() + values.min() - values, AXIAL)


@pytest.mark.parametrize(
    ("stored", "elements"),
    [
        (4000, {"PixelPaddingValue": 4000}),
        (4050, {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4095}),
        (-2000, {"PixelPaddingValue": -2000, "PixelRepresentation": 1}),
        (0, {"PixelPaddingValue": 0}),
    ],
    ids=["value", "range", "signed", "zero"],
)
def test_padding_is_no_signal(tmp_path: Path, stored: int, elements: dict[str, int]) -> None:
    """Outside of a round field of view; the same image padded with 0 is the truth."""
    outside = np.hypot(*np.indices((24, 20)) - np.array([12, 10])[:, None, None]) > 9
    padded = np.where(outside, stored, head())
    write_series(tmp_path, padded.astype(np.int16 if stored < 0 else np.uint16), AXIAL, **elements)
    assert_same_voxels(read_series(only(tmp_path)), np.where(outside, 0, head()), AXIAL)


def test_padding_of_an_image_that_shows_the_lowest_white_is_dark(tmp_path: Path) -> None:
    turned = 1500 - head()
    turned[:, :4] = 4000
    write_series(tmp_path, turned, AXIAL, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=4000)
    shown = 1500 - turned[:, 4:].astype(int)
    scan = read_series(only(tmp_path))
    assert np.all(scan.voxels[:, :4] == 0)
    np.testing.assert_array_equal(scan.voxels[:, 4:], shown - shown.min() + (1500 - shown.max()))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless], ids=["rle", "jpeg-ls"])
def test_compressed_pixels(tmp_path: Path, syntax) -> None:
    write_series(tmp_path, head(), OBLIQUE, syntax=syntax)
    assert_same_voxels(read_series(only(tmp_path)), head(), OBLIQUE)


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="needs dcmtk")
def test_jpeg_lossless(tmp_path: Path) -> None:
    write_series(tmp_path / "plain", head(), AXIAL)
    (tmp_path / "packed").mkdir()
    for path in (tmp_path / "plain").iterdir():
        subprocess.run(["dcmcjpeg", "+e1", path, tmp_path / "packed" / path.name], check=True)
    assert_same_voxels(read_series(only(tmp_path / "packed")), head(), AXIAL)


def pack(folder: Path, coding: str) -> None:
    """Compress the pixels of every file by a coding of gdcm."""
    import gdcm

    for path in folder.iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, coding)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()


CODINGS = ["JPEG2000Lossless", "JPEGLosslessProcess14_1", "JPEGLSLossless", "RLELossless"]


@pytest.mark.parametrize("is_bare", [False, True], ids=["", "bare"])
@pytest.mark.parametrize("coding", CODINGS)
def test_compressed_pixels_with_and_without_the_header_that_tells_their_coding(
    tmp_path: Path, coding: str, is_bare: bool
) -> None:
    write_series(tmp_path, head(), AXIAL)
    pack(tmp_path, coding)
    for path in tmp_path.iterdir() if is_bare else ():
        Dataset(pydicom.dcmread(path)).save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    assert_same_voxels(read_series(only(tmp_path)), head(), AXIAL)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="needs dcm2niix")
@pytest.mark.parametrize("affine", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_dcm2niix_places_the_voxels_likewise(tmp_path: Path, affine: np.ndarray) -> None:
    write_series(tmp_path / "in", head(), affine)
    assert_as_dcm2niix(tmp_path / "in", tmp_path)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="needs dcm2niix")
def test_dcm2niix_places_the_frames_of_an_enhanced_file_likewise(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_enhanced(tmp_path / "in" / "e.dcm", head(), OBLIQUE, order=range(7))
    assert_as_dcm2niix(tmp_path / "in", tmp_path, values=False)


SAMPLES = Path(os.environ.get("GLIOSEG_SAMPLES", "no samples"))


@pytest.mark.skipif(
    shutil.which("dcm2niix") is None or not (SAMPLES / "dicom_brain").is_dir(), reason="needs dcm2niix and the sample"
)
def test_dcm2niix_places_a_real_series_likewise(tmp_path: Path) -> None:
    assert_as_dcm2niix(SAMPLES / "dicom_brain", tmp_path)


def assert_as_dcm2niix(folder: Path, out: Path, *, values: bool = True) -> None:
    """Both turned to the nearest RAS+ axes: the two flip axes differently."""
    command = ["dcm2niix", "-b", "n", "-z", "n", "-f", "scan", "-o", str(out), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    theirs = nibabel.as_closest_canonical(nibabel.load(out / "scan.nii"))
    scan = read_series(only(folder))
    assert scan.affine is not None
    image = nibabel.Nifti1Image(scan.voxels.T, scan.affine[:, [2, 1, 0, 3]])
    ours = nibabel.as_closest_canonical(image)
    np.testing.assert_allclose(ours.affine, theirs.affine, atol=2e-3)
    if values:
        np.testing.assert_allclose(ours.get_fdata(), theirs.get_fdata(), atol=1e-3)
    else:
        assert ours.shape == theirs.shape


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("bare", [slice(0, 2), slice(None)], ids=["some", "all"])
def test_files_without_preamble_are_read_as_those_with(tmp_path: Path, implicit: bool, bare: slice) -> None:
    """Some archives store the data set alone, without the 128 bytes, the prefix and the file meta information."""
    write_series(tmp_path, head())
    for path in sorted(tmp_path.iterdir())[bare]:
        dataset = Dataset(pydicom.dcmread(path))
        dataset.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    assert_same_voxels(read_series(only(tmp_path)), head(), AXIAL)
