import bz2
import gzip
import os
import unicodedata
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glioseg.errors import GliosegError
from glioseg.formats import nrrd_data
from glioseg.formats.nrrd import read_nrrd
from glioseg.space.affine import positions_mm, spacing_mm
from glioseg.space.axial import axial_view

OF_ONE_FOLDER = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
SHAPE = (5, 4, 3)
"""Of the file: the fastest axis first."""
DIRECTIONS = np.array([[0.7, 0.1, 0], [-0.1, 0.7, 0.2], [0.5, -0.8, 4.9]])
ORIGIN = np.array([-88.0, 95.0, -70.0])
SCAN = {"space": "left-posterior-superior", "space directions": DIRECTIONS, "space origin": ORIGIN}


def image(dtype: Any = np.int16) -> np.ndarray:
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def save(path: Path, voxels: np.ndarray, **header: Any) -> Path:
    named = {key.replace("space_", "space "): value for key, value in header.items()}
    nrrd.write(str(path), voxels, named)
    return path


def save_scan(path: Path, **other: Any) -> Path:
    return save(path, image(), **(SCAN | other))


def by_hand(path: Path, *fields: str, data: bytes = b"", magic: str = "NRRD0004") -> Path:
    path.write_bytes("\n".join([magic, *fields, "", ""]).encode() + data)
    return path


PLAIN = ("type: short", "dimension: 3", "sizes: 5 4 3", "endian: little", "encoding: raw")
DATA = image().astype("<i2").tobytes(order="F")


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
def test_voxels_and_places_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = save_scan(tmp_path / "P1.nrrd", encoding=encoding)
    scan = read_nrrd(path, sequence="flair")
    assert (scan.patient, scan.sequence, scan.source, scan.remarks) == ("P1", "flair", str(path), ())
    assert scan.voxels.dtype == np.float32
    assert np.array_equal(scan.voxels, image().T)
    assert scan.affine is not None
    for i, j, k in np.ndindex(SHAPE):
        left, posterior, superior = ORIGIN + i * DIRECTIONS[0] + j * DIRECTIONS[1] + k * DIRECTIONS[2]
        assert positions_mm(scan.affine, np.array([k, j, i])) == pytest.approx([-left, -posterior, superior])


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("LPS", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("RAS", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("LAS", (-1, 1, 1)),
    ],
)
def test_every_named_space_becomes_ras(tmp_path: Path, space: str, signs: tuple[int, ...]) -> None:
    scan = read_nrrd(save_scan(tmp_path / "a.nrrd", space=space))
    assert scan.affine is not None
    assert scan.affine[:3, 3] == pytest.approx(ORIGIN * signs)
    assert scan.affine[:3, 2] == pytest.approx(DIRECTIONS[0] * signs)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (PLAIN, "not named"),
        ((*PLAIN, "space: left-posterior-superior"), "no direction"),
        ((*PLAIN, "space dimension: 3", "space directions: (1,0,0) (0,1,0) (0,0,0)"), "not named"),
        ((*PLAIN, "spacings: 0.9 nan 5"), "not named"),
    ],
)
def test_without_a_named_space_and_directions_the_place_is_unknown(
    tmp_path: Path, fields: tuple[str, ...], said: str
) -> None:
    scan = read_nrrd(by_hand(tmp_path / "a.nrrd", *fields, data=DATA))
    assert scan.affine is None
    assert "carries no geometry" in scan.remarks[0]
    assert said in scan.remarks[0]
    assert np.array_equal(scan.voxels, image().T)


def test_spacings_without_a_space_are_kept(tmp_path: Path) -> None:
    scan = read_nrrd(by_hand(tmp_path / "a.nrrd", *PLAIN, "spacings: 0.7 0.9 5", data=DATA))
    assert scan.affine is not None
    assert spacing_mm(scan.affine) == pytest.approx((5, 0.9, 0.7))
    assert axial_view(scan.affine) == axial_view(None)
    assert scan.place == "spacing"
    assert "tells its spacing alone" in scan.remarks[0]


@pytest.mark.parametrize(
    ("space", "said"), [("space dimension: 3", "not named"), ("space: scanner-xyz", "scanner-xyz")]
)
def test_directions_in_no_patients_space_tell_spacings_by_their_lengths(tmp_path: Path, space: str, said: str) -> None:
    turned = (space, "space directions: (0,0.7,0) (0.54,0,0.72) (3,0,-4)", "space origin: (1,2,3)")
    scan = read_nrrd(by_hand(tmp_path / "a.nrrd", *PLAIN, *turned, data=DATA))
    assert scan.affine is not None
    assert spacing_mm(scan.affine) == pytest.approx((5, 0.9, 0.7))
    assert axial_view(scan.affine) == axial_view(None)
    assert scan.place == "spacing"
    (remark,) = scan.remarks
    assert "tells its spacing alone" in remark
    assert said in remark


def test_a_single_slice_has_no_thickness_and_no_place(tmp_path: Path) -> None:
    scan = read_nrrd(save(tmp_path / "a.nrrd", image()[..., 0]))
    assert scan.voxels.shape == (1, 4, 5)
    assert scan.affine is None


def test_a_missing_origin_is_remarked(tmp_path: Path) -> None:
    header = {key: value for key, value in SCAN.items() if key != "space origin"}
    scan = read_nrrd(save(tmp_path / "a.nrrd", image(), **header))
    assert scan.affine is not None
    assert scan.affine[:3, 3].tolist() == [0, 0, 0]
    assert "names no origin" in scan.remarks[0]


@pytest.mark.parametrize(
    ("unit", "factor", "remarked"),
    [("mm", 1, False), ("cm", 10, False), ("um", 0.001, False), ("furlong", 1, True)],
)
def test_units_become_millimetres(tmp_path: Path, unit: str, factor: float, remarked: bool) -> None:
    scan = read_nrrd(save_scan(tmp_path / "a.nrrd", space_units=[unit] * 3))
    assert scan.affine is not None
    assert scan.affine[:3, 3] == pytest.approx(ORIGIN * (-factor, -factor, factor))
    assert bool(scan.remarks) is remarked


@pytest.mark.parametrize("letter", ["\u00b5", "\u03bc"])
def test_micrometres_by_their_letter_are_not_metres(tmp_path: Path, letter: str) -> None:
    fields = (
        "space: LPS",
        "space directions: (700,0,0) (0,900,0) (0,0,5000)",
        f"space units: {' '.join([f'{letter}m'] * 3)}",
    )
    content = "\n".join(["NRRD0004", *PLAIN, *fields, "", ""]).encode()
    (tmp_path / "a.nrrd").write_bytes(content + DATA)
    scan = read_nrrd(tmp_path / "a.nrrd")
    assert scan.affine is not None
    assert spacing_mm(scan.affine) == pytest.approx((5, 0.9, 0.7))


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "i4", "i8", "f4", ">f8"])
def test_every_number_type_is_read(tmp_path: Path, dtype: str) -> None:
    assert np.array_equal(read_nrrd(save(tmp_path / "a.nrrd", image(dtype))).voxels, image().T)


def test_a_layer_of_one_is_left_out(tmp_path: Path) -> None:
    directions = np.vstack([[np.nan] * 3, DIRECTIONS])
    header = SCAN | {"space directions": directions, "kinds": ["list", "domain", "domain", "domain"]}
    scan = read_nrrd(save(tmp_path / "a.nrrd", image()[None], **header))
    plain = read_nrrd(save_scan(tmp_path / "b.nrrd"))
    assert np.array_equal(scan.voxels, plain.voxels)
    assert np.array_equal(scan.affine, plain.affine)


@pytest.mark.parametrize(
    ("shape", "kinds"),
    [
        ((2, 5, 4, 3), ["list", "domain", "domain", "domain"]),
        ((5, 4, 3, 2), ["domain", "domain", "domain", "time"]),
        ((3, 5, 4), ["RGB-color", "domain", "domain"]),
        ((2, 5, 4, 3), ["complex", "domain", "domain", "domain"]),
        ((5, 4, 3, 2), None),
    ],
)
def test_several_values_or_images_are_refused(tmp_path: Path, shape: tuple[int, ...], kinds: list[str] | None) -> None:
    path = save(tmp_path / "a.nrrd", np.zeros(shape, np.int16), **({"kinds": kinds} if kinds else {}))
    with pytest.raises(GliosegError, match=r"a\.nrrd holds several values or images") as caught:
        read_nrrd(path)
    assert " x ".join(map(str, shape)) in str(caught.value.found)


@pytest.mark.parametrize("shape", [(5, 4, 3), (2, 5, 4, 3)])
def test_a_segmentation_of_slicer_is_named(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = save(tmp_path / "a.seg.nrrd", np.zeros(shape, np.uint8), **{"Segment0_ID": "Segment_1"})
    with pytest.raises(GliosegError, match=r"a\.seg\.nrrd is a segmentation of 3D Slicer"):
        read_nrrd(path)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
def test_a_detached_header_reads_the_file_beside_it(tmp_path: Path, encoding: str) -> None:
    path = save_scan(tmp_path / "P1.nhdr", encoding=encoding)
    scan = read_nrrd(path)
    assert scan.patient == "P1"
    assert np.array_equal(scan.voxels, image().T)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("on_disk", ["NFC", "NFD", "latin-1"])
def test_a_data_file_with_an_umlaut_is_found(tmp_path: Path, encoding: str, on_disk: str) -> None:
    name = "Sch\u00e4del.raw"
    there = os.fsdecode(name.encode("latin-1")) if on_disk == "latin-1" else unicodedata.normalize(on_disk, name)
    (tmp_path / there).write_bytes(DATA)
    fields = "\n".join(["NRRD0004", *PLAIN, f"data file: {name}", "", ""])
    (tmp_path / "a.nhdr").write_bytes(fields.encode(encoding))
    assert np.array_equal(read_nrrd(tmp_path / "a.nhdr").voxels, image().T)


@pytest.mark.parametrize("name", ["../secret.raw", "sub/../../secret.raw", "ABSOLUTE", "link.raw"])
def test_a_detached_header_reads_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    folder, secret = tmp_path / "scans", tmp_path / "secret.raw"
    folder.mkdir()
    secret.write_bytes(DATA)
    (folder / "link.raw").symlink_to(secret)
    name = str(secret) if name == "ABSOLUTE" else name
    with pytest.raises(GliosegError, match="names a data file outside its folder"):
        read_nrrd(by_hand(folder / "a.nhdr", *PLAIN, f"data file: {name}"))


@pytest.mark.parametrize("name", ["LIST", "slice%03d.raw 1 3 1"])
def test_many_data_files_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(GliosegError, match="spreads its image over several files"):
        read_nrrd(by_hand(tmp_path / "a.nhdr", *PLAIN, f"data file: {name}"))


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"lacks its data file a\.raw"):
        read_nrrd(by_hand(tmp_path / "a.nhdr", *PLAIN, "data file: a.raw"))


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
def test_a_file_cut_short_anywhere_is_an_error_that_names_it(tmp_path: Path, encoding: str) -> None:
    whole = save_scan(tmp_path / "whole.nrrd", encoding=encoding).read_bytes()
    path = tmp_path / "cut.nrrd"
    # The last number of a text, 59, may lose a digit without any sign.
    end = len(whole) - (3 if encoding == "ascii" else 0)
    for length in [*range(0, end, 11), end - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(GliosegError) as caught:
            read_nrrd(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@OF_ONE_FOLDER
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    content = bytearray(save_scan(tmp_path / "a.nrrd").read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    (tmp_path / "a.nrrd").write_bytes(content)
    try:
        scan = read_nrrd(tmp_path / "a.nrrd")
    except GliosegError:
        return
    assert scan.voxels.dtype == np.float32


def test_a_wrong_bit_in_compressed_data_is_noticed(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(DATA, 0))
    packed[-30] ^= 1
    with pytest.raises(GliosegError, match="CRC"):
        read_nrrd(by_hand(tmp_path / "a.nrrd", *PLAIN[:-1], "encoding: gzip", data=bytes(packed)))


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
def test_huge_sizes_are_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    fields = ("type: short", "dimension: 3", "sizes: 90000 90000 90000", "endian: little", f"encoding: {encoding}")
    monkeypatch.setattr(nrrd, "read_data", lambda *_, **__: pytest.fail("memory was taken"))
    monkeypatch.setattr(nrrd_data, "_unpacked", lambda *_: pytest.fail("memory was taken"))
    with pytest.raises(GliosegError, match="claims an image too large to be a scan"):
        read_nrrd(by_hand(tmp_path / "a.nrrd", *fields, data=DATA))


def test_a_size_that_the_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="is cut short: expected 2,000,000 bytes"):
        read_nrrd(by_hand(tmp_path / "a.nrrd", *PLAIN[:2], "sizes: 100 100 100", *PLAIN[3:], data=DATA))


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_no_more_is_unpacked_than_the_header_claims(tmp_path: Path, encoding: str, pack: Any) -> None:
    """An image of 120 bytes followed by 4 MB of zeros in a few kilobytes: pynrrd would unpack them all."""
    path = by_hand(tmp_path / "a.nrrd", *PLAIN[:-1], f"encoding: {encoding}", data=pack(DATA + bytes(2**22)))
    assert np.array_equal(read_nrrd(path).voxels, image().T)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_skipped_lines_and_bytes(tmp_path: Path, encoding: str) -> None:
    data = b"123" + DATA
    packed = gzip.compress(data) if encoding == "gzip" else data
    fields = (*PLAIN[:-1], f"encoding: {encoding}", "line skip: 1", "byte skip: 3")
    path = by_hand(tmp_path / "a.nrrd", *fields, data=b"a line\n" + packed)
    assert np.array_equal(read_nrrd(path).voxels, image().T)


def test_a_header_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    for missing in ("type", "sizes", "encoding"):
        fields = [field for field in PLAIN if not field.startswith(missing)]
        with pytest.raises(GliosegError, match=f"lacks the field {missing}"):
            read_nrrd(by_hand(tmp_path / "a.nrrd", *fields, data=DATA))
    with pytest.raises(GliosegError, match="holds no numbers"):
        read_nrrd(by_hand(tmp_path / "a.nrrd", "type: block", *PLAIN[1:], "block size: 2", data=DATA))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_voxels_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    voxels = image(np.float64)
    voxels[2, 2, 1] = value
    with pytest.raises(GliosegError, match=r"a\.nrrd holds voxels that are no numbers"):
        read_nrrd(save(tmp_path / "a.nrrd", voxels))


def test_files_that_are_not_there_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"x\.nrrd does not exist"):
        read_nrrd(tmp_path / "x.nrrd")
    (tmp_path / "text.nrrd").write_text("a text that is no image")
    with pytest.raises(GliosegError, match="is not NRRD"):
        read_nrrd(tmp_path / "text.nrrd")
