"""Segmentation, overlay and report, looked at by tools that are not ours."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.uid import EnhancedMRImageStorage, generate_uid
from synthetic_dicom import (
    AXIAL,
    OBLIQUE,
    SAGITTAL,
    Edit,
    blob,
    head,
    write_enhanced,
    write_series,
    write_single_frames,
)

from glioseg import __version__
from glioseg.display import PREDICTION_COLOUR
from glioseg.errors import GliosegError
from glioseg.formats.dicom_origin import Algorithm, algorithm_of
from glioseg.formats.dicom_overlay import outlined, write_overlay
from glioseg.formats.dicom_report import ReportedMeasurements, write_report
from glioseg.formats.dicom_results import write_dicom_results
from glioseg.formats.dicom_seg import read_segmentation, write_segmentation
from glioseg.formats.dicom_series import DicomSeries, find_series, read_series
from glioseg.outputs import Outputs
from glioseg.volume import Mask

ALGORITHM = Algorithm("U-Net 32", "5" * 64, {"threshold": "0.5"})
CHINESE = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"
"""As PS3.5, K.2, spells it."""
MEASURED = ReportedMeasurements(volume_ml=12.3456, long_axis_mm=31.25, short_axis_mm=20.5)


def series_of(folder: Path, affine: np.ndarray = OBLIQUE, **elements: object) -> DicomSeries:
    (series,) = find_series(write_series(folder, head(), affine, **elements))
    return series


def enhanced(path: Path) -> DicomSeries:
    (series,) = find_series(write_enhanced(path, head(), OBLIQUE, order=[3, 0, 6, 1, 5, 2, 4]))
    return series


def mask_of(series: DicomSeries, inside: np.ndarray | None = None) -> Mask:
    return Mask("P-001", blob(head()) if inside is None else inside, affine=series.affine)


@pytest.fixture(scope="module", params=["classic", "enhanced"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DicomSeries:
    folder = tmp_path_factory.mktemp(request.param)
    return series_of(folder) if request.param == "classic" else enhanced(folder / "enhanced.dcm")


def as_stored(elements: dict[str, object]) -> Edit:
    """Set attributes as a scanner stores them, whether or not they may be written."""

    def edit(index: int, dataset: pydicom.Dataset) -> None:
        for keyword, value in elements.items():
            element = pydicom.DataElement(keyword, dictionary_VR(keyword), value, validation_mode=config.IGNORE)
            dataset[keyword] = element

    return edit


def all_results(series: DicomSeries, folder: Path) -> list[Path]:
    outputs = Outputs(folder)
    write_dicom_results(outputs, "P-001", read_series(series), mask_of(series), series, ALGORITHM, MEASURED)
    assert outputs.failures == {}
    return outputs.paths


def assert_valid(path: Path) -> None:
    """By dciodvfy, which knows the standard's modules, and by dcmdump, which only parses."""
    if shutil.which("dcmdump"):
        subprocess.run(["dcmdump", "-q", path], check=True, capture_output=True)
    if not shutil.which("dciodvfy"):
        pytest.skip("needs dciodvfy of dicom3tools")
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
    assert not re.findall(r"^Error.*$", done.stderr + done.stdout, re.MULTILINE)


def test_a_mask_comes_back_on_the_same_voxels(source: DicomSeries, tmp_path: Path) -> None:
    write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, ALGORITHM)
    back = read_segmentation(tmp_path / "seg.dcm", source)
    assert np.array_equal(back.voxels, blob(head()))
    assert back.affine is source.affine


def test_a_segmentation_is_valid_and_refers_to_its_source(source: DicomSeries, tmp_path: Path) -> None:
    write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, ALGORITHM)
    dataset = pydicom.dcmread(tmp_path / "seg.dcm")
    assert dataset.FrameOfReferenceUID == source.frame_of_reference_uid
    assert dataset.StudyInstanceUID == source.study_uid
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == source.series_uid
    assert dataset.SegmentationType == "BINARY"
    assert dataset.NumberOfFrames == 3
    (segment,) = dataset.SegmentSequence
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "86049000"
    (identification,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (identification.AlgorithmName, identification.AlgorithmVersion) == ("U-Net 32", "5" * 64)
    assert identification.AlgorithmParameters == "threshold=0.5"
    for item in dataset.PerFrameFunctionalGroupsSequence:
        (image,) = item.DerivationImageSequence[0].SourceImageSequence
        assert image.ReferencedSOPInstanceUID in {header.SOPInstanceUID for header in source.datasets}
    assert_valid(tmp_path / "seg.dcm")


def test_another_reader_finds_each_frame_on_its_source(tmp_path: Path) -> None:
    """highdicom's own look-up by source instance, which knows nothing of positions."""
    series = series_of(tmp_path / "in", SAGITTAL)
    write_segmentation(tmp_path / "seg.dcm", mask_of(series), series, ALGORITHM)
    uids = [header.SOPInstanceUID for header in series.datasets]
    theirs = highdicom.seg.segread(tmp_path / "seg.dcm").get_pixels_by_source_instance(
        uids, combine_segments=True, assert_missing_frames_are_empty=True
    )
    assert np.array_equal(theirs != 0, blob(head()))


def test_an_empty_mask_is_a_segmentation_of_empty_slices(source: DicomSeries, tmp_path: Path) -> None:
    empty = mask_of(source, np.zeros(head().shape, np.bool_))
    write_segmentation(tmp_path / "seg.dcm", empty, source, ALGORITHM)
    assert pydicom.dcmread(tmp_path / "seg.dcm").NumberOfFrames == 7
    assert not read_segmentation(tmp_path / "seg.dcm", source).voxels.any()
    assert_valid(tmp_path / "seg.dcm")


def test_headers_that_lack_what_may_be_empty_will_do(tmp_path: Path) -> None:
    def edit(index: int, dataset: pydicom.Dataset) -> None:
        dataset.ImageOrientationPatient[0] += 1e-7 * index

    lacking = dict.fromkeys(
        ("PatientBirthDate", "StudyID", "AccessionNumber", "ReferringPhysicianName", "SliceThickness")
    )
    series = series_of(tmp_path / "in", AXIAL, edit=edit, PatientSex="U", **lacking)
    write_segmentation(tmp_path / "seg.dcm", mask_of(series), series, ALGORITHM)
    assert np.array_equal(read_segmentation(tmp_path / "seg.dcm", series).voxels, blob(head()))


def test_a_source_without_frame_of_reference_gets_one_that_all_results_share(tmp_path: Path) -> None:
    series = series_of(tmp_path / "in", FrameOfReferenceUID=None)
    (again,) = find_series(tmp_path / "in")
    assert series.frame_of_reference_uid == again.frame_of_reference_uid != ""
    for path in all_results(series, tmp_path / "out")[::2]:
        assert pydicom.dcmread(path).FrameOfReferenceUID == series.frame_of_reference_uid
    assert_valid(tmp_path / "out" / "P-001_seg.dcm")


@pytest.mark.parametrize(
    ("elements", "read", "written"),
    [
        ({"SpecificCharacterSet": "ISO_IR 6"}, "Practice^Patient", None),
        ({"SpecificCharacterSet": "UTF-8", "PatientName": "Grün^Jürgen".encode()}, "Grün^Jürgen", None),
        ({"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": "Yamada^Tarou=山田^太郎"}, "山田", None),
        ({"SpecificCharacterSet": ["", "ISO 2022 IR 149"], "PatientName": "Hong^Gildong=洪^吉洞"}, "洪^吉洞", None),
        ({"SpecificCharacterSet": ["", "ISO 2022 IR 58"], "PatientName": CHINESE}, "张^小东", None),
        ({"StudyDate": "00000000", "PatientBirthDate": "19700230"}, "Practice", ("", "", "101500")),
        ({"StudyTime": "9:05", "StudyDate": "20240229"}, "Practice", ("20240229", "19700101", "")),
    ],
)
def test_a_header_that_has_one_right_reading_is_written_by_it(
    tmp_path: Path, elements: dict[str, object], read: str, written: tuple[str, ...] | None
) -> None:
    series = series_of(tmp_path / "in", edit=as_stored(elements))
    before = [header.to_json_dict() for header in series.datasets]
    for path in all_results(series, tmp_path / "out"):
        dataset = pydicom.dcmread(path)
        assert read in str(dataset.PatientName)
        if written is not None:
            assert (dataset.StudyDate, dataset.PatientBirthDate, dataset.StudyTime) == written
    assert [header.to_json_dict() for header in series.datasets] == before
    assert_valid(tmp_path / "out" / "P-001_seg.dcm")
    assert_valid(tmp_path / "out" / "P-001_report.dcm")


def test_results_of_one_frame_a_file_refer_to_the_files(tmp_path: Path) -> None:
    (series,) = find_series(write_single_frames(tmp_path / "in", head(), OBLIQUE))
    paths = all_results(series, tmp_path / "out")
    assert np.array_equal(read_segmentation(paths[0], series).voxels, blob(head()))
    uids = {str(header.SOPInstanceUID) for header in series.datasets}
    assert len(uids) == 7
    for path in paths:
        references = []
        pydicom.dcmread(path).walk(lambda dataset, element, into=references: into.append((dataset, element)))
        named = [dataset for dataset, element in references if element.keyword == "ReferencedSOPInstanceUID"]
        named = [dataset for dataset in named if dataset.ReferencedSOPInstanceUID in uids]
        assert named
        assert {dataset.ReferencedSOPClassUID for dataset in named} == {EnhancedMRImageStorage}
    assert_valid(paths[0])
    assert_valid(paths[1])


def test_a_mask_of_another_grid_is_refused(source: DicomSeries, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="does not fit"):
        write_segmentation(tmp_path / "s.dcm", mask_of(source, np.zeros((7, 24, 21), np.bool_)), source, ALGORITHM)
    assert source.affine is not None
    elsewhere = Mask("P-001", blob(head()), affine=source.affine + np.eye(4)[:, [3, 0, 1, 2]] * 0.5)
    with pytest.raises(GliosegError, match="lies elsewhere"):
        write_segmentation(tmp_path / "s.dcm", elsewhere, source, ALGORITHM)


@pytest.mark.parametrize(
    ("affine", "elements", "found"),
    [
        (OBLIQUE, {"FrameOfReferenceUID": generate_uid()}, "another frame of reference"),
        (OBLIQUE + np.outer([0.5, 0, 0, 0], [0, 0, 0, 1]), {}, "on no slice"),
        (AXIAL, {}, "on no slice"),
    ],
)
def test_a_segmentation_of_another_series_is_refused(
    tmp_path: Path, affine: np.ndarray, elements: dict[str, object], found: str
) -> None:
    series = series_of(tmp_path / "in")
    write_segmentation(tmp_path / "seg.dcm", mask_of(series), series, ALGORITHM)
    other = series_of(tmp_path / "other", affine, **elements)
    with pytest.raises(GliosegError, match="was not made on") as caught:
        read_segmentation(tmp_path / "seg.dcm", other)
    assert found in str(caught.value.found)


def test_what_is_no_segmentation_is_refused(source: DicomSeries, tmp_path: Path) -> None:
    write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, ALGORITHM)
    with pytest.raises(GliosegError, match="no segment 2"):
        read_segmentation(tmp_path / "seg.dcm", source, segment=2)
    (tmp_path / "text.dcm").write_bytes(b"text")
    for path, message in (
        (tmp_path / "text.dcm", "no DICOM file"),
        (tmp_path / "none.dcm", "no file"),
        (source.slices[0].file.path, "cannot be read as a mask"),
    ):
        with pytest.raises(GliosegError, match=message):
            read_segmentation(path, source)
    whole = (tmp_path / "seg.dcm").read_bytes()
    (tmp_path / "seg.dcm").write_bytes(whole[:-40])
    with pytest.raises(GliosegError, match="damaged"):
        read_segmentation(tmp_path / "seg.dcm", source)


def test_an_overlay_is_a_valid_series_beside_its_source(source: DicomSeries, tmp_path: Path) -> None:
    scan, mask = read_series(source), mask_of(source)
    write_overlay(tmp_path / "overlay", scan, mask, source, ALGORITHM)
    paths = sorted((tmp_path / "overlay").iterdir())
    assert [path.name for path in paths] == [f"000{number}.dcm" for number in range(1, 8)]
    datasets = [pydicom.dcmread(path) for path in paths]
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 1
    for dataset, one, inside in zip(datasets, source.slices, mask.voxels, strict=True):
        assert (dataset.StudyInstanceUID, dataset.PatientID) == (source.study_uid, "P-001")
        assert dataset.SeriesInstanceUID != source.series_uid
        assert "not for diagnosis" in dataset.SeriesDescription
        assert np.allclose([float(value) for value in dataset.ImagePositionPatient], one.corner_mm, atol=1e-6)
        assert dataset.SourceImageSequence[0].ReferencedSOPInstanceUID == one.dataset.SOPInstanceUID
        orange = (dataset.pixel_array == PREDICTION_COLOUR).all(axis=-1)
        assert not (orange & ~inside).any()
        assert orange.any() == inside.any()
    assert_valid(paths[2])


def test_the_contour_is_the_innermost_ring_of_the_mask() -> None:
    inside = np.zeros((7, 8), np.bool_)
    inside[1:6, 1:6] = True
    voxels = np.full((7, 8), 50, np.float32)
    voxels[0, 0] = 100
    picture = outlined(voxels, inside, (0.0, 100.0))
    ring = inside.copy()
    ring[2:5, 2:5] = False
    assert np.array_equal((picture == PREDICTION_COLOUR).all(axis=-1), ring)
    assert picture[3, 3].tolist() == [128, 128, 128]
    assert picture[0, 0].tolist() == [255, 255, 255]


def test_a_report_is_valid_and_gives_the_numbers(source: DicomSeries, tmp_path: Path) -> None:
    segmentation = write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, ALGORITHM)
    write_report(tmp_path / "sr.dcm", MEASURED, segmentation, source, ALGORITHM)
    report = highdicom.sr.srread(tmp_path / "sr.dcm")
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    measured = {item.name.meaning: (item.value, item.unit.value) for item in group.get_measurements()}
    assert measured == {"Volume": (12345.6, "mm3"), "Long Axis": (31.25, "mm"), "Short Axis": (20.5, "mm")}
    assert group.referenced_segment.referenced_sop_instance_uid == segmentation.SOPInstanceUID
    assert group.tracking_uid == segmentation.SegmentSequence[0].TrackingUID
    assert group.finding_type.value == "86049000"
    assert_valid(tmp_path / "sr.dcm")


def test_what_is_not_known_is_left_out_of_the_report(source: DicomSeries, tmp_path: Path) -> None:
    segmentation = write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, ALGORITHM)
    write_report(tmp_path / "sr.dcm", ReportedMeasurements(0.0), segmentation, source, ALGORITHM)
    (group,) = highdicom.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert [(item.name.meaning, item.value) for item in group.get_measurements()] == [("Volume", 0.0)]
    for wrong in (ReportedMeasurements(-1.0), ReportedMeasurements(float("nan")), ReportedMeasurements(1, -2)):
        with pytest.raises(GliosegError, match="cannot be reported"):
            write_report(tmp_path / "wrong.dcm", wrong, segmentation, source, ALGORITHM)


@pytest.mark.parametrize(
    ("presence", "meaning"), [("present", "Present"), ("doubtful", "Equivocal"), ("none", "Absent"), (None, None)]
)
def test_whether_there_is_a_tumour_stands_in_the_report(
    source: DicomSeries, tmp_path: Path, presence: Literal["present", "doubtful", "none"] | None, meaning: str | None
) -> None:
    segmentation = write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, ALGORITHM)
    write_report(tmp_path / "sr.dcm", ReportedMeasurements(1.0, presence=presence), segmentation, source, ALGORITHM)
    (group,) = highdicom.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    told = {item.name.meaning: item.value.meaning for item in group.get_qualitative_evaluations()}
    assert told.get("Presence") == meaning
    assert_valid(tmp_path / "sr.dcm")


@pytest.mark.parametrize("name", ["", "x" * 65, "a\\b"])
def test_a_name_that_dicom_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(GliosegError, match="name of the algorithm"):
        Algorithm(name, "1")
    with pytest.raises(GliosegError, match="version of the algorithm"):
        Algorithm("U-Net", name)


def test_a_model_of_any_title_is_named_and_told_in_full(source: DicomSeries, tmp_path: Path) -> None:
    """The title of many networks has more characters than a name may have in DICOM."""
    title, weights = ", ".join(["ResUNet++ 16 (5 folds)"] * 5), "0123456789abcdef" * 4
    algorithm = algorithm_of(title, weights, {"threshold": "0.4"})
    segmentation = write_segmentation(tmp_path / "seg.dcm", mask_of(source), source, algorithm)
    write_report(tmp_path / "sr.dcm", MEASURED, segmentation, source, algorithm)
    told = [f"model={title.replace(',', ';')}", f"weights_sha256={weights}", "threshold=0.4"]
    (identification,) = segmentation.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert identification.AlgorithmName == "glioseg"
    assert identification.AlgorithmVersion == f"{__version__}+0123456789ab"
    assert identification.AlgorithmParameters.split(",") == told
    (group,) = highdicom.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    items = [item for item in group[0].ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "111002"]
    assert [item.TextValue for item in items] == told
    assert_valid(tmp_path / "seg.dcm")
    assert_valid(tmp_path / "sr.dcm")


@pytest.mark.parametrize("name", ["Grün^Jürgen", "Дом^Иван"])
def test_names_in_other_letters_survive(tmp_path: Path, name: str) -> None:
    series = series_of(tmp_path / "in", SpecificCharacterSet="ISO_IR 192", PatientName=name)
    segmentation = write_segmentation(tmp_path / "seg.dcm", mask_of(series), series, ALGORITHM)
    write_report(tmp_path / "sr.dcm", MEASURED, segmentation, series, ALGORITHM)
    for path in (tmp_path / "seg.dcm", tmp_path / "sr.dcm"):
        assert str(pydicom.dcmread(path).PatientName) == name
