import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.nifti1 import Nifti1Extension
from scipy.spatial.transform import Rotation

from glioseg.errors import GliosegError
from glioseg.formats.nifti import read_nifti, write_nifti_mask, write_nifti_probability
from glioseg.space.affine import positions_mm
from glioseg.volume import Mask

OF_ONE_FOLDER = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
AFFINE = np.eye(4)
AFFINE[:3, :3] = Rotation.from_euler("xyz", (4, -7, 12), degrees=True).as_matrix() * (-0.7, -0.9, 5)
AFFINE[:3, 3] = (88, 95, -70)
SHAPE = (5, 4, 3)
"""Of the file: i, j, k."""


def picture(dtype: type = np.int16) -> np.ndarray:
    return np.arange(np.prod(SHAPE)).reshape(SHAPE).astype(dtype)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray | None = AFFINE, kind: type = nibabel.Nifti1Image) -> Path:
    image = kind(voxels, affine, dtype=voxels.dtype)
    if affine is not None:
        image.set_qform(affine, 1)
        image.set_sform(affine, 2)
    nibabel.save(image, path)
    return path


def overwrite(path: Path, offset: int, content: bytes) -> Path:
    """Change bytes of an uncompressed file, as damage or malice does."""
    changed = bytearray(path.read_bytes())
    changed[offset : offset + len(content)] = content
    path.write_bytes(changed)
    return path


def mask_on(path: Path) -> Mask:
    scan = read_nifti(path)
    return Mask("A", scan.voxels > np.median(scan.voxels), affine=scan.affine)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_voxels_and_their_places_are_those_of_nibabel(tmp_path: Path, suffix: str, kind: type) -> None:
    path = save(tmp_path / f"P1{suffix}", picture(), kind=kind)
    scan = read_nifti(path, sequence="flair")
    assert (scan.patient, scan.sequence, scan.source, scan.remarks) == ("P1", "flair", str(path), ())
    assert scan.voxels.shape == SHAPE[::-1]
    assert scan.voxels.dtype == np.float32
    assert scan.voxels.flags.c_contiguous
    oracle = nibabel.load(path)
    for i, j, k in np.ndindex(SHAPE):
        assert scan.voxels[k, j, i] == oracle.get_fdata()[i, j, k]
        there = nibabel.affines.apply_affine(oracle.affine, (i, j, k))
        assert scan.affine is not None
        assert positions_mm(scan.affine, np.array([k, j, i])) == pytest.approx(there)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64, ">i2", ">f4"]
)
def test_every_number_type_is_read(tmp_path: Path, dtype: type) -> None:
    voxels = picture(np.dtype(dtype))
    header = nibabel.Nifti1Header(endianness=">" if voxels.dtype.byteorder == ">" else None)
    header.set_data_dtype(dtype)
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE, header), tmp_path / "a.nii")
    read = read_nifti(tmp_path / "a.nii").voxels
    assert read.dtype == np.dtype(np.float32)
    assert np.array_equal(read, picture().T)


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(picture(), AFFINE)
    image.header.set_slope_inter(0.5, -3)
    nibabel.save(image, tmp_path / "a.nii.gz")
    stored = nibabel.load(tmp_path / "a.nii.gz")
    assert stored.dataobj.slope == 0.5
    assert np.array_equal(read_nifti(tmp_path / "a.nii.gz").voxels, stored.get_fdata().T)


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (5, 4, 3, 1), (5, 4, 3, 1, 1), (1, 4, 3)])
def test_axes_of_one_are_added_or_left_out_and_come_back(tmp_path: Path, shape: tuple[int, ...]) -> None:
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    path = save(tmp_path / "a.nii", voxels)
    scan = read_nifti(path)
    assert np.array_equal(scan.voxels, voxels.reshape((*shape, 1)[:3]).T)
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    written = nibabel.load(tmp_path / "m.nii")
    assert written.shape == shape
    assert np.array_equal(written.get_fdata(), voxels > np.median(voxels))


@OF_ONE_FOLDER
@given(
    st.permutations([0, 1, 2]),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(st.sampled_from([0, 1, 2, 4]), st.sampled_from([0, 1, 2, 4])),
    st.sampled_from([nibabel.Nifti1Image, nibabel.Nifti2Image]),
)
def test_a_mask_is_written_on_the_very_grid_of_its_scan(
    tmp_path: Path, axes: list[int], signs: tuple, degrees: tuple, codes: tuple[int, int], kind: type
) -> None:
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine[:3, :3] = turn @ np.eye(3)[axes] * np.array(signs) * (0.7, 0.9, 5)
    affine[:3, 3] = (17.3, -101.7, 33.3)
    image = kind(picture(), None)
    image.set_qform(affine, codes[0])
    image.set_sform(affine if codes[1] else None, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "a.nii.gz")
    mask = mask_on(tmp_path / "a.nii.gz")

    write_nifti_mask(tmp_path / "m.nii.gz", mask, like=tmp_path / "a.nii.gz")

    source, written = nibabel.load(tmp_path / "a.nii.gz"), nibabel.load(tmp_path / "m.nii.gz")
    assert type(written) is type(source)
    assert written.get_data_dtype() == np.uint8
    for field in ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "pixdim", "xyzt_units", "quatern_b",
                  "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "dim"):  # fmt: skip
        assert np.array_equal(written.header[field], source.header[field]), field
    assert np.array_equal(written.affine, source.affine)
    assert np.array_equal(np.asarray(written.dataobj), source.get_fdata() > np.median(source.get_fdata()))
    again = read_nifti(tmp_path / "m.nii.gz")
    assert np.array_equal(again.voxels, mask.voxels)


def test_probabilities_are_float32_on_the_grid(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", picture())
    probability = np.random.default_rng(0).random(SHAPE[::-1], np.float32)
    write_nifti_probability(tmp_path / "p.nii.gz", probability, read_nifti(path).affine, like=path)
    written = nibabel.load(tmp_path / "p.nii.gz")
    assert written.get_data_dtype() == np.float32
    assert np.array_equal(written.affine, nibabel.load(path).affine)
    assert np.array_equal(np.asarray(written.dataobj), probability.T)


def test_a_big_endian_file_gets_a_big_endian_mask(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nibabel.save(nibabel.Nifti1Image(picture(), AFFINE, header), tmp_path / "a.nii")
    mask = mask_on(tmp_path / "a.nii")
    write_nifti_mask(tmp_path / "m.nii", mask, like=tmp_path / "a.nii")
    assert np.array_equal(read_nifti(tmp_path / "m.nii").voxels, mask.voxels)
    write_nifti_probability(tmp_path / "p.nii", mask.voxels.astype(np.float32), mask.affine, like=tmp_path / "a.nii")
    assert np.array_equal(read_nifti(tmp_path / "p.nii").voxels, mask.voxels)


def test_nothing_of_the_patient_or_the_scans_window_is_passed_on(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(picture(), AFFINE)
    image.header["descrip"], image.header["db_name"], image.header["aux_file"] = "Doe^Jane", "Jane", "doe.dcm"
    image.header["cal_max"] = 1500
    image.header.extensions.append(Nifti1Extension("comment", b"Doe^Jane, born 1970"))
    image.header.set_slope_inter(2, 5)
    image.header.set_intent("t test", (3,), name="Jane")
    nibabel.save(image, tmp_path / "a.nii")
    write_nifti_mask(tmp_path / "m.nii", mask_on(tmp_path / "a.nii"), like=tmp_path / "a.nii")
    content = (tmp_path / "m.nii").read_bytes()
    assert b"Jane" not in content
    assert b"doe" not in content
    written = nibabel.load(tmp_path / "m.nii")
    assert written.header["cal_max"] == 1
    assert set(np.unique(written.get_fdata())) == {0, 1}
    assert written.header.get_intent()[0] == "none"


def test_without_a_nifti_source_the_affine_is_written(tmp_path: Path) -> None:
    affine = AFFINE[:, [2, 1, 0, 3]]
    affine[:3, :3] = Rotation.from_euler("xyz", (5, -9, 30), degrees=True).as_matrix() * (5, 0.9, 0.7)
    mask = Mask("A", np.random.default_rng(0).random((3, 4, 5)) > 0.5, affine=affine)
    write_nifti_mask(tmp_path / "m.nii.gz", mask)
    read = read_nifti(tmp_path / "m.nii.gz")
    assert read.affine == pytest.approx(affine, abs=1e-4)
    assert read.remarks == ()
    assert np.array_equal(read.voxels, mask.voxels)
    header = nibabel.load(tmp_path / "m.nii.gz").header
    assert (header["sform_code"], header["qform_code"], header.get_xyzt_units()[0]) == (1, 1, "mm")


def test_a_sheared_grid_has_no_qform_to_contradict_it(tmp_path: Path) -> None:
    affine = np.diag([5.0, 0.9, 0.7, 1])
    affine[1, 0] = 1.5
    write_nifti_mask(tmp_path / "m.nii", Mask("A", np.ones((3, 4, 5), np.bool_), affine=affine))
    header = nibabel.load(tmp_path / "m.nii").header
    assert (header["sform_code"], header["qform_code"]) == (1, 0)
    assert read_nifti(tmp_path / "m.nii").affine == pytest.approx(affine, abs=1e-5)


def test_without_a_place_none_is_written(tmp_path: Path) -> None:
    write_nifti_mask(tmp_path / "m.nii", Mask("A", np.ones((3, 4, 5), np.bool_)))
    header = nibabel.load(tmp_path / "m.nii").header
    assert (header["sform_code"], header["qform_code"]) == (0, 0)
    assert read_nifti(tmp_path / "m.nii").place == "assumed"
    write_nifti_mask(tmp_path / "n.nii", Mask("A", np.ones((3, 4, 5), np.bool_)), like=tmp_path / "m.nii")


@pytest.mark.parametrize("wrong", ["shape", "affine"])
def test_a_mask_of_another_grid_is_not_written(tmp_path: Path, wrong: str) -> None:
    path = save(tmp_path / "a.nii", picture())
    affine = read_nifti(path).affine
    assert affine is not None
    shape = (3, 4, 5) if wrong == "affine" else (3, 5, 4)
    flipped = affine @ np.diag([1, 1, -1, 1]) if wrong == "affine" else affine
    with pytest.raises(GliosegError, match=r"does not lie on the grid of .*a\.nii"):
        write_nifti_mask(tmp_path / "m.nii", Mask("A", np.ones(shape, np.bool_), affine=flipped), like=path)
    assert not (tmp_path / "m.nii").exists()


def test_sform_and_qform_that_disagree_are_reported_and_the_sform_taken(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(picture(), AFFINE)
    other = AFFINE.copy()
    other[0, 3] += 7
    image.set_sform(AFFINE, 1)
    image.set_qform(other, 1)
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_nifti(tmp_path / "a.nii")
    (remark,) = scan.remarks
    assert "7.00 mm apart" in remark
    assert "sform is taken" in remark
    assert scan.affine[:, [2, 1, 0, 3]] == pytest.approx(AFFINE, abs=1e-5)


@pytest.mark.parametrize(("factor", "shift", "reported"), [(1.0, 0.05, False), (1.0005, 0, False), (1.002, 0, True)])
def test_rounding_is_no_disagreement(tmp_path: Path, factor: float, shift: float, reported: bool) -> None:
    image = nibabel.Nifti1Image(picture(), np.eye(4))
    image.set_sform(np.diag([factor, factor, factor, 1]), 1)
    moved = np.eye(4)
    moved[1, 3] = shift
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / "a.nii")
    assert bool(read_nifti(tmp_path / "a.nii").remarks) is reported


def by_qform(path: Path) -> Path:
    """A scan whose place the qform alone tells."""
    image = nibabel.Nifti1Image(picture(), None)
    image.set_qform(AFFINE, 1)
    image.set_sform(None, 0)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("qfac", [0, 0.5, 7, np.nan])
def test_a_qform_without_its_sign_is_taken_as_the_standard_says(tmp_path: Path, qfac: float) -> None:
    path = overwrite(by_qform(tmp_path / "a.nii"), 76, np.float32(qfac).tobytes())
    scan = read_nifti(path)
    assert scan.affine[:, [2, 1, 0, 3]] == pytest.approx(AFFINE, abs=1e-4)
    assert (scan.place, len(scan.remarks)) == ("told", 1)
    assert "sign" in scan.remarks[0]


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_negative_spacing_is_read_as_its_size(tmp_path: Path, axis: int) -> None:
    path = by_qform(tmp_path / "a.nii")
    overwrite(path, 76 + 4 * axis, (-nibabel.load(path).header["pixdim"][axis]).tobytes())
    scan = read_nifti(path)
    assert scan.affine[:, [2, 1, 0, 3]] == pytest.approx(AFFINE, abs=1e-4)
    assert "spacing" in scan.remarks[0]
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    assert nibabel.load(tmp_path / "m.nii").affine == pytest.approx(AFFINE, abs=1e-4)


@pytest.mark.parametrize("excess", [2e-7, 1e-6, 5e-4])
def test_a_rotation_a_little_longer_than_one_is_shortened(tmp_path: Path, excess: float) -> None:
    turned = np.diag([-0.7, -0.9, 5, 1])
    image = nibabel.Nifti1Image(picture(), None)
    image.set_qform(turned, 1)
    image.set_sform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    quaternion = [float(image.header[f"quatern_{name}"]) for name in "bcd"]
    longer = np.float32([part * (1 + excess) for part in quaternion])
    path = overwrite(tmp_path / "a.nii", 256, longer.tobytes())
    scan = read_nifti(path)
    assert scan.affine[:3, [2, 1, 0]] == pytest.approx(turned[:3, :3], abs=1e-5)
    assert "rotation" in scan.remarks[0]
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    assert nibabel.load(tmp_path / "m.nii").affine[:3, :3] == pytest.approx(turned[:3, :3], abs=1e-5)


@pytest.mark.parametrize("row", [(0, 0, 0, 0), (np.nan, 0, 0, 0)])
def test_a_sform_that_places_nothing_gives_way_to_the_qform(tmp_path: Path, row: tuple[float, ...]) -> None:
    path = overwrite(save(tmp_path / "a.nii", picture()), 280, np.float32(row * 3).tobytes())
    scan = read_nifti(path)
    assert scan.affine[:, [2, 1, 0, 3]] == pytest.approx(AFFINE, abs=1e-4)
    (remark,) = scan.remarks
    assert "qform is taken" in remark
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    assert nibabel.load(tmp_path / "m.nii").affine == pytest.approx(AFFINE, abs=1e-4)


def test_a_magic_word_with_a_wrong_last_byte_is_written_right(tmp_path: Path) -> None:
    path = overwrite(save(tmp_path / "a.nii", picture()), 347, b"e")
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    assert nibabel.load(tmp_path / "m.nii").shape == SHAPE


def test_a_damaged_check_of_line_ends_is_written_right(tmp_path: Path) -> None:
    path = overwrite(save(tmp_path / "a.nii", picture(), kind=nibabel.Nifti2Image), 8, b"\0\1\2\3")
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    assert nibabel.load(tmp_path / "m.nii").affine == pytest.approx(AFFINE, abs=1e-4)


@pytest.mark.parametrize(("codes", "form"), [((0, 9), "sform"), ((300, 0), "qform")])
def test_a_code_of_no_standard_places_scan_and_mask_all_the_same(
    tmp_path: Path, codes: tuple[int, int], form: str
) -> None:
    path = overwrite(save(tmp_path / "a.nii", picture()), 252, np.array(codes, np.int16).tobytes())
    scan = read_nifti(path)
    assert scan.affine[:, [2, 1, 0, 3]] == pytest.approx(AFFINE, abs=1e-4)
    assert scan.remarks == (f"a.nii: the {form} code {max(codes)}, which the standard lacks, is read as 2",)
    write_nifti_mask(tmp_path / "m.nii", mask_on(path), like=path)
    assert nibabel.load(tmp_path / "m.nii").affine == pytest.approx(AFFINE, abs=1e-4)


@pytest.mark.parametrize("begin", [0, 100, -352, np.nan])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("extender", [True, False])
def test_voxels_that_begin_within_the_header_are_found_behind_it(
    tmp_path: Path, begin: float, suffix: str, extender: bool
) -> None:
    content = bytearray(save(tmp_path / "a.nii", picture()).read_bytes())
    content[108:112] = np.float32(begin).tobytes()
    content = content if extender else content[:348] + content[352:]
    path = tmp_path / f"b{suffix}"
    path.write_bytes(content if suffix == ".nii" else gzip.compress(content))
    scan = read_nifti(path)
    assert np.array_equal(scan.voxels, picture().T)
    assert f"read from byte {352 if extender else 348}" in scan.remarks[0]


def test_an_unusable_qform_beside_a_sform_is_remarked(tmp_path: Path) -> None:
    path = overwrite(save(tmp_path / "a.nii", picture()), 256, np.float32([2, 2, 2]).tobytes())
    (remark,) = read_nifti(path).remarks
    assert "qform is unusable" in remark
    # Without the sform nothing else tells the place.
    with pytest.raises(GliosegError, match="cannot be read as NIfTI"):
        read_nifti(overwrite(path, 254, np.int16(0).tobytes()))


def test_without_codes_the_place_is_the_standards_and_comes_back_unknown(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(picture(), None)
    image.header.set_zooms((0.9, 0.9, 5))
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_nifti(tmp_path / "a.nii")
    # Method 1 of the standard: i towards the right, j towards the front, k towards the crown.
    assert scan.affine[:, [2, 1, 0, 3]] == pytest.approx(np.diag([0.9, 0.9, 5, 1]))
    assert scan.place == "spacing"
    assert "carries no geometry" in scan.remarks[0]
    assert "0.9 x 0.9 x 5 mm" in scan.remarks[0]
    write_nifti_mask(tmp_path / "m.nii", mask_on(tmp_path / "a.nii"), like=tmp_path / "a.nii")
    header = nibabel.load(tmp_path / "m.nii").header
    assert (header["sform_code"], header["qform_code"]) == (0, 0)
    assert header.get_zooms() == pytest.approx((0.9, 0.9, 5))


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("unknown", 1), ("meter", 1000), ("micron", 0.001)])
def test_other_units_become_millimetres(tmp_path: Path, unit: str, factor: float) -> None:
    image = nibabel.Nifti1Image(picture(), AFFINE)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    scan = read_nifti(tmp_path / "a.nii")
    assert scan.affine[:3, [2, 1, 0, 3]] == pytest.approx(AFFINE[:3] * factor, rel=1e-5)
    assert bool(scan.remarks) is (factor != 1)
    write_nifti_mask(tmp_path / "m.nii", mask_on(tmp_path / "a.nii"), like=tmp_path / "a.nii")
    assert nibabel.load(tmp_path / "m.nii").header.get_xyzt_units()[0] == unit


RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("voxels", "said"),
    [
        (
            np.zeros((5, 4, 3, 2), np.int16),
            "holds several images: expected one image .3-D., found 4-D, 5 x 4 x 3 x 2",
        ),
        (np.zeros((5, 4, 3, 1, 3), np.float32), "holds several images"),
        (np.zeros((5, 4, 3), RGB), "holds colours"),
        (np.zeros((5, 4, 3), np.complex64), "holds complex numbers"),
        (np.zeros(5, np.int16), "holds no image"),
    ],
)
def test_what_is_not_one_image_is_refused_by_name(tmp_path: Path, voxels: np.ndarray, said: str) -> None:
    path = save(tmp_path / "a.nii.gz", voxels)
    with pytest.raises(GliosegError, match=rf"a\.nii\.gz {said}"):
        read_nifti(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_voxels_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    voxels = picture(np.float64)
    voxels[2, 2, 1] = value
    with pytest.raises(GliosegError, match=r"a\.nii holds voxels that are no numbers.*found 1 voxels"):
        read_nifti(save(tmp_path / "a.nii", voxels))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_cut_short_anywhere_is_an_error_that_names_it(tmp_path: Path, suffix: str) -> None:
    whole = save(tmp_path / f"whole{suffix}", picture()).read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(GliosegError) as caught:
            read_nifti(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@OF_ONE_FOLDER
@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=3))
def test_a_damaged_header_is_read_or_refused(tmp_path: Path, changes: list[tuple[int, int]]) -> None:
    path = save(tmp_path / "a.nii", picture())
    for place, value in changes:
        overwrite(path, place, bytes([value]))
    try:
        scan = read_nifti(path)
    except GliosegError:
        return
    assert scan.voxels.dtype == np.float32


def test_a_wrong_bit_in_a_compressed_file_is_noticed(tmp_path: Path) -> None:
    """Stored blocks unpack without complaint; the checksum at the end alone tells."""
    content = bytearray(gzip.compress(save(tmp_path / "a.nii", picture()).read_bytes(), 0))
    content[-30] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(GliosegError, match="CRC"):
        read_nifti(tmp_path / "a.nii.gz")


def claim(path: Path, *size: int) -> Path:
    return overwrite(path, 40, np.int16([len(size), *size]).tobytes())


def test_huge_dimensions_are_refused_before_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = claim(save(tmp_path / "a.nii", picture()), 32000, 32000, 32000)
    packed = tmp_path / "b.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(nibabel.Nifti1Header, "data_from_fileobj", lambda *_: pytest.fail("memory was taken"))
    for huge in (path, packed):
        with pytest.raises(GliosegError, match="claims an image too large to be a scan"):
            read_nifti(huge)


@pytest.mark.parametrize("packed", [False, True])
def test_a_size_that_the_file_cannot_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    path = claim(save(tmp_path / "a.nii", picture()), 1000, 1000, 400)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(nibabel.Nifti1Header, "data_from_fileobj", lambda *_: pytest.fail("memory was taken"))
    with pytest.raises(GliosegError, match="is cut short: expected 800,000,000 bytes"):
        read_nifti(path)


def test_a_size_of_nothing_is_refused(tmp_path: Path) -> None:
    for size in ((0, 4, 3), (5, -4, 3)):
        with pytest.raises(GliosegError, match="holds no image"):
            read_nifti(claim(save(tmp_path / "a.nii", picture()), *size))


@pytest.mark.parametrize("suffix", [".img", ".img.gz"])
def test_a_pair_is_read_as_a_single_file_and_its_mask_is_one(tmp_path: Path, suffix: str) -> None:
    nibabel.save(nibabel.Nifti1Image(picture(), AFFINE), tmp_path / "single.nii")
    nibabel.save(nibabel.Nifti1Pair(picture(), AFFINE), tmp_path / f"pair{suffix}")
    header = tmp_path / f"pair{suffix}".replace("img", "hdr")
    single, pair = read_nifti(tmp_path / "single.nii"), read_nifti(header)
    assert pair.patient == "pair"
    assert np.array_equal(pair.voxels, single.voxels)
    assert np.array_equal(pair.affine, single.affine)
    write_nifti_mask(tmp_path / "mask.nii", Mask("pair", pair.voxels > 5, affine=pair.affine), like=header)
    assert np.array_equal(read_nifti(tmp_path / "mask.nii").voxels, single.voxels > 5)


def test_a_pair_without_its_voxels_and_analyze_files_are_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(picture(), AFFINE), tmp_path / "a.img")
    (tmp_path / "a.img").unlink()
    with pytest.raises(GliosegError, match=r"a\.hdr lacks its voxels: expected a\.img"):
        read_nifti(tmp_path / "a.hdr")
    nibabel.save(nibabel.AnalyzeImage(picture(), np.eye(4)), tmp_path / "b.img")
    with pytest.raises(GliosegError, match="older Analyze file"):
        read_nifti(tmp_path / "b.hdr")


def test_files_that_are_not_there_or_something_else(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"x\.nii does not exist"):
        read_nifti(tmp_path / "x.nii")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(GliosegError, match="cannot be read as NIfTI"):
        read_nifti(tmp_path / "folder.nii")
    (tmp_path / "text.nii").write_text("a text that is no image")
    with pytest.raises(GliosegError, match="is not NIfTI"):
        read_nifti(tmp_path / "text.nii")


def test_the_voxels_do_not_change_with_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii", picture(np.float32))
    scan = read_nifti(path)
    overwrite(path, 352, bytes(240))
    assert np.array_equal(scan.voxels, picture().T)


def test_equal_results_are_equal_files(tmp_path: Path) -> None:
    path = save(tmp_path / "a.nii.gz", picture())
    for name in ("m.nii.gz", "n.nii.gz"):
        write_nifti_mask(tmp_path / name, mask_on(path), like=path)
    assert (tmp_path / "m.nii.gz").read_bytes() == (tmp_path / "n.nii.gz").read_bytes()
