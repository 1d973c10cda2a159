"""Bad series, files and zips: each is refused by a message that names its own cause."""

import io
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, JPEG2000Lossless, RLELossless, generate_uid
from synthetic_dicom import AXIAL, SAGITTAL, Edit, head, save, write_enhanced, write_series

from glioseg.errors import GliosegError
from glioseg.formats import dicom_files
from glioseg.formats.dicom_choice import choose_series
from glioseg.formats.dicom_series import DicomSeries, find_series, read_series


def refusal_of(path: Path) -> GliosegError:
    (series,) = find_series(path)
    assert series.refusal is not None
    assert series.slices == ()
    assert "\n" not in series.summary
    with pytest.raises(GliosegError) as caught:
        read_series(series)
    return caught.value


def at(index: int, **elements: object) -> Edit:
    """Change the attributes of one slice."""

    def edit(number: int, dataset: Dataset) -> None:
        if number == index:
            for keyword, value in elements.items():
                setattr(dataset, keyword, value)

    return edit


def shifted(index: int, along_mm: float = 0.0, aside_mm: float = 0.0) -> Edit:
    """Move every slice from an index on."""

    def edit(number: int, dataset: Dataset) -> None:
        if number >= index:
            x, y, z = (float(value) for value in dataset.ImagePositionPatient)
            dataset.ImagePositionPatient = [x + aside_mm * number, y, z + along_mm]

    return edit


def every(**elements: object) -> Edit:
    def edit(number: int, dataset: Dataset) -> None:
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    return edit


REFUSED: dict[str, tuple[Edit, str]] = {
    "duplicate positions": (at(3, ImagePositionPatient=[40, -30, 26]), "lie at one place"),
    "uneven gaps": (shifted(4, along_mm=0.5), "unevenly spaced"),
    "a gap of two": (shifted(4, along_mm=3.0), "slices are missing between"),
    "shifted sideways": (shifted(0, aside_mm=0.5), "shifted sideways"),
    "mixed orientations": (at(3, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "different directions"),
    "mixed pixel spacings": (at(3, PixelSpacing=[0.8, 1.0]), "different pixel spacings"),
    "mixed frames of reference": (at(3, FrameOfReferenceUID=generate_uid()), "differ in FrameOfReferenceUID"),
    "one identifier for two": (
        lambda number, dataset: setattr(dataset, "SOPInstanceUID", f"1.2.{number // 2}"),
        "different images with one SOPInstanceUID",
    ),
    "another modality": (every(Modality="CT"), "no MR image: expected modality MR, found CT"),
    "colours": (every(PhotometricInterpretation="RGB", SamplesPerPixel=3), "holds colours"),
    "palette": (every(PhotometricInterpretation="PALETTE COLOR"), "holds colours"),
    "bits": (every(BitsAllocated=1), "unknown pixel size"),
    "position not a number": (at(3, ImagePositionPatient=["nan", "0", "0"]), "no ImagePositionPatient"),
    "two coordinates": (at(3, ImagePositionPatient=[0, 0]), "no ImagePositionPatient"),
    "directions askew": (every(ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "not at right angles"),
    "no directions": (every(ImageOrientationPatient=None), "no ImageOrientationPatient"),
    "spacing of zero": (every(PixelSpacing=[0, 1]), "pixel spacing that is not positive"),
    "slope of zero": (every(RescaleSlope=0), "RescaleSlope 0"),
    "huge": (every(Rows=65535, Columns=65535), "more than it can hold"),
    "many frames": (every(NumberOfFrames=2**31 - 1), "more than it can hold"),
    "negative frames": (every(NumberOfFrames=-1), "more than it can hold"),
}


@pytest.mark.parametrize(("edit", "message"), REFUSED.values(), ids=REFUSED)
def test_a_bad_series_is_listed_with_its_refusal(tmp_path: Path, edit: Edit, message: str) -> None:
    with pydicom.config.disable_value_validation():
        write_series(tmp_path, head(), AXIAL, edit=edit)
    if "Slope" in message:
        (series,) = find_series(tmp_path)
        with pytest.raises(GliosegError, match=message):
            read_series(series)
        return
    assert message in str(refusal_of(tmp_path))


def test_a_missing_slice_is_named_by_its_neighbours(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, names="reversed")
    (tmp_path / "IM0003").unlink()
    message = str(refusal_of(tmp_path))
    assert "slices are missing between IM0004 and IM0002: expected 3.000 mm, found 6.000 mm" in message


def test_no_geometry_at_all(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, ImagePositionPatient=None, ImageOrientationPatient=None, PixelSpacing=None)
    assert "does not say where its image lies" in str(refusal_of(tmp_path))


def test_pixels_left_out(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, PixelData=None)
    assert "holds no pixel data" in str(refusal_of(tmp_path))


def test_small_unevenness_is_allowed_and_remarked(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, edit=at(3, ImagePositionPatient=[40, -30, 29.05]))
    (series,) = find_series(tmp_path)
    assert series.refusal is None
    assert series.remarks == ("Slices lie up to 0.050 mm off even spacing.",)
    assert read_series(series).remarks == series.remarks


def test_unevenness_that_adds_up_is_refused(tmp_path: Path) -> None:
    """Each gap within the tolerance, the middle of the stack half a millimetre off."""

    def edit(index: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [40, -30, 20 + 3 * index + 0.09 * max(index - 10, 0)]

    write_series(tmp_path, head(20, 8, 8), AXIAL, edit=edit)
    assert "unevenly spaced" in str(refusal_of(tmp_path))


def test_one_slice_has_its_thickness_for_spacing(tmp_path: Path) -> None:
    write_series(tmp_path / "one", head(2)[:1], AXIAL, SliceThickness=5)
    (series,) = find_series(tmp_path / "one")
    assert series.spacing_mm == pytest.approx((5, 0.8, 0.9), abs=1e-6)
    assert "thickness" in series.remarks[0]
    write_series(tmp_path / "none", head(2)[:1], AXIAL, SliceThickness=None)
    assert "single slice without its thickness" in str(refusal_of(tmp_path / "none"))


def test_sizes_that_differ(tmp_path: Path) -> None:
    uid = generate_uid()
    write_series(tmp_path / "a", head(), AXIAL, SeriesInstanceUID=uid)
    write_series(tmp_path / "b", head(2, 30, 20), SAGITTAL, SeriesInstanceUID=uid)
    assert "different sizes: expected 24 x 20, found 30 x 20" in str(refusal_of(tmp_path))


@pytest.mark.parametrize("change", [{"NumberOfFrames": 6}, {"PerFrameFunctionalGroupsSequence": None}])
def test_frames_that_are_not_described(tmp_path: Path, change: dict[str, object]) -> None:
    write_enhanced(tmp_path / "e.dcm", head(), AXIAL, order=range(7), **change)
    assert any(text in str(refusal_of(tmp_path)) for text in ("describe each of its frames", "where its image lies"))


def test_several_multi_frame_files_in_one_series(tmp_path: Path) -> None:
    uid = generate_uid()
    for name in "ab":
        write_enhanced(tmp_path / name, head(), AXIAL, order=range(7), SeriesInstanceUID=uid)
    assert "one series of multi-frame files" in str(refusal_of(tmp_path))


def test_claims_of_a_compressed_file_are_checked_too(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, syntax=RLELossless)
    for path in tmp_path.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.Rows = dataset.Columns = 20000
        dataset.save_as(path)
    assert "more than it can hold" in str(refusal_of(tmp_path))


def test_what_a_decoder_cannot_read(tmp_path: Path) -> None:
    write_series(tmp_path, head(), AXIAL, syntax=RLELossless)
    for path in tmp_path.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        dataset.save_as(path)
    (series,) = find_series(tmp_path)
    with pytest.raises(GliosegError, match=r"IM000\d cannot be decoded"):
        read_series(series)


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "whole", head(2, 8, 8), AXIAL)
    content = (tmp_path / "whole" / "IM0000").read_bytes()
    path = tmp_path / "cut.dcm"
    for length in range(132, len(content), 23):
        path.write_bytes(content[:length])
        with pytest.raises(GliosegError) as caught:
            read_series(find_series(path)[0])
        assert "cut.dcm" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_damaged_file_is_read_or_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "whole", head(2, 8, 8), AXIAL)
    content = (tmp_path / "whole" / "IM0000").read_bytes()
    random, path = np.random.default_rng(0), tmp_path / "x.dcm"
    for _ in range(60):
        damaged = bytearray(content)
        for place in random.integers(132, len(content) - 128, 3):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        with suppress(GliosegError):
            assert np.isfinite(read_series(find_series(path)[0]).voxels).all()


def test_two_patients_in_one_folder(tmp_path: Path) -> None:
    write_series(tmp_path / "a", head(2, 8, 8), PatientID="Ada")
    write_series(tmp_path / "b", head(2, 8, 8), PatientID="Bob")
    with pytest.raises(GliosegError, match="holds 2 patients: expected one patient, found Ada, Bob"):
        find_series(tmp_path)


def test_documents_and_what_is_not_dicom_stand_beside_the_scan(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", head(2, 8, 8))
    (tmp_path / "notes.txt").write_text("not DICOM")
    (tmp_path / "empty").touch()
    dataset = pydicom.dcmread(next((tmp_path / "scan").iterdir()), stop_before_pixels=True)
    dataset.SOPClassUID, dataset.Modality, dataset.SeriesInstanceUID = EncapsulatedPDFStorage, "DOC", generate_uid()
    save(dataset, tmp_path / "report.dcm")
    directory = pydicom.dcmread(tmp_path / "report.dcm")
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.save_as(tmp_path / "DICOMDIR")
    scan, document = sorted(find_series(tmp_path), key=lambda one: one.refusal is not None)
    assert (scan.refusal, scan.images) == (None, 2)
    assert "holds a document" in str(document.refusal)


@pytest.mark.parametrize("content", [b"", b"not DICOM", b"PK\x03\x04 cut short", bytes(500)])
def test_a_path_without_dicom(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    for path in (tmp_path, tmp_path / "x"):
        with pytest.raises(GliosegError, match=r"holds no DICOM file|cannot be read as a zip"):
            find_series(path)
    with pytest.raises(GliosegError, match="does not exist"):
        find_series(tmp_path / "none")


def packed(tmp_path: Path, *more: tuple[str, bytes]) -> Path:
    write_series(tmp_path / "in", head(3, 8, 8))
    path = tmp_path / "scan.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "in").iterdir():
            archive.write(file, f"study/{file.name}")
        archive.writestr("study/notes.txt", "not DICOM")
        for name, content in more:
            archive.writestr(name, content)
    return path


def test_a_zip_reads_as_the_folder_does_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = packed(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    (zipped,), (plain,) = find_series(path), find_series(tmp_path / "in")
    assert np.array_equal(read_series(zipped).voxels, read_series(plain).voxels)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "study/../../x", "C:\\x", "..\\x", "study\\..\\..\\x", "\\\\host\\share\\x"]
)
def test_a_zip_with_names_that_lead_out_of_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(GliosegError, match="leads out of it"):
        find_series(packed(tmp_path, (name, b"x")))


def test_a_zip_with_a_link(tmp_path: Path) -> None:
    path = packed(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("study/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(GliosegError, match="holds a link"):
        find_series(path)


def test_a_zip_with_too_many_or_too_large_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path)
    for limit, message in (
        ("LARGEST_ZIP_MEMBERS", "too many files"),
        ("LARGEST_ZIP_BYTES", "too much"),
        ("LARGEST_FILE_BYTES", "too large"),
        ("LARGEST_ZIP_DIRECTORY_BYTES", "too many files"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(dicom_files, limit, 2)
            with pytest.raises(GliosegError, match=message):
                find_series(path)


@pytest.mark.parametrize("form", ["32 bits", "64 bits"])
def test_a_zip_of_a_million_entries_is_refused_before_its_table_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    entries, table = 1_000_000, 47_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, table, 0, 0)
    if form == "64 bits":
        end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, table, 0)
        end = record + struct.pack("<4sLQL", b"PK\x06\x07", 0, table, 1) + end
    with (tmp_path / "many.zip").open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(table)
        file.seek(0, io.SEEK_END)
        file.write(end)
    monkeypatch.setattr(zipfile.ZipFile, "__init__", lambda *_: pytest.fail("the table was parsed"))
    with pytest.raises(GliosegError, match=r"too many files: .* 47,000,000 bytes"):
        find_series(tmp_path / "many.zip")


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9, 0.99])
def test_a_damaged_zip(tmp_path: Path, place: float) -> None:
    path = packed(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * place)])
    with pytest.raises(GliosegError, match=r"scan\.zip"):
        find_series(path)
    middle = int(len(content) * place * 0.7)
    path.write_bytes(content[:middle] + bytes(30) + content[middle + 30 :])
    with pytest.raises(GliosegError, match=r"scan\.zip"):
        read_series(find_series(path)[0])


def listed(tmp_path: Path, *kinds: tuple[int, str, dict[str, object]]) -> list[DicomSeries]:
    for number, name, elements in kinds:
        write_series(
            tmp_path / str(number),
            head(3, 8, 8),
            SeriesNumber=number,
            SeriesDescription=name,
            ProtocolName="",
            **elements,
        )
    return find_series(tmp_path)


T1: dict[str, object] = {"InversionTime": 900.0, "EchoTime": 3.0}


def test_the_series_of_an_examination_are_chosen_by_role(tmp_path: Path) -> None:
    found = listed(
        tmp_path,
        (2, "AX T1", T1),
        (3, "AX FLAIR", {}),
        (5, "T1", T1 | {"ContrastBolusAgent": "Gd"}),
        (7, "CT", {"Modality": "CT"}),
    )
    chosen = choose_series(found)
    assert {sequence: series.number for sequence, series in chosen.items()} == {"flair": 3, "pre": 2, "post": 5}
    chosen = choose_series(found, {"flair": "2", "post": "AX FLAIR"})
    assert {sequence: series.number for sequence, series in chosen.items()} == {"flair": 2, "post": 3}


def test_of_several_the_one_along_the_flair_is_chosen(tmp_path: Path) -> None:
    write_series(tmp_path / "s", head(9, 8, 8), SAGITTAL, SeriesNumber=1, SeriesDescription="SAG T1", **T1)
    found = listed(tmp_path, (2, "AX T1", T1), (3, "AX FLAIR", {}))
    assert choose_series(found)["pre"].number == 2


def test_a_choice_that_cannot_be_made_lists_what_is_there(tmp_path: Path) -> None:
    found = listed(tmp_path, (2, "AX T1", T1), (3, "AX FLAIR", {}), (4, "FLAIR again", {}))
    with pytest.raises(GliosegError, match="several FLAIR series") as caught:
        choose_series(found)
    assert "series 3" in str(caught.value)
    assert "series 4" in str(caught.value)
    with pytest.raises(GliosegError, match="holds no FLAIR"):
        choose_series(found[:1])
    with pytest.raises(GliosegError, match="names no series"):
        choose_series(found, {"flair": "99"})


def test_the_one_flair_is_refused_by_its_own_cause(tmp_path: Path) -> None:
    listed(tmp_path, (2, "AX T1", T1), (3, "AX FLAIR", {"PixelData": None}))
    for named in ({}, {"flair": "3"}):
        with pytest.raises(GliosegError, match="holds no pixel data"):
            choose_series(find_series(tmp_path), named)


@pytest.mark.parametrize("group", [b"\x18\x00\x14\x91SQ", b"\x20\x00\x13\x91SQ"], ids=["echo", "position"])
def test_a_functional_group_of_a_wrong_length_never_ends_in_a_traceback(tmp_path: Path, group: bytes) -> None:
    """pydicom parses it when it is asked for, long after the file was read."""
    path = write_enhanced(tmp_path / "enhanced.dcm", head(), SAGITTAL, order=range(7))
    whole = path.read_bytes()
    at = whole.find(group) + 8
    length = int.from_bytes(whole[at : at + 4], "little")
    for wrong in range(max(length - 20, 0), length + 40):
        path.write_bytes(whole[:at] + wrong.to_bytes(4, "little") + whole[at + 4 :])
        with suppress(GliosegError):
            read_series(find_series(path)[0])
