import re
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff

from glioseg.errors import GliosegError
from glioseg.formats.assemble import assemble
from glioseg.scan import Place, Scan
from glioseg.volume import CHANNELS

AFFINE = np.array([[0, 0, -1, 6], [0, -1, 0, 6], [2, 0, 0, -8], [0, 0, 0, 1]], float)
"""8 slices of 2 mm with 12 x 12 pixels of 1 mm: a cube of 16 x 12 x 12 mm."""
SHAPE = (8, 12, 12)


def scan(sequence: str, seed: int = 0, affine: np.ndarray | None = AFFINE, **other: object) -> Scan:
    """A bright head in dark air, with noise of its own."""
    slices, rows, columns = np.indices(SHAPE)
    head = ((slices - 3.5) / 3.5) ** 2 + ((rows - 5.5) / 5) ** 2 + ((columns - 5.5) / 5) ** 2 <= 1
    voxels = np.where(head, 100, 0) + np.random.default_rng(seed).uniform(0, 5, SHAPE)
    return Scan("A", voxels.astype(np.float32), affine, sequence, source=f"{sequence}.nii.gz", **other)


def moved(affine: np.ndarray, superior_mm: float) -> np.ndarray:
    affine = affine.copy()
    affine[2, 3] += superior_mm
    return affine


def test_scans_on_one_grid_are_taken_voxel_for_voxel() -> None:
    scans = {sequence: scan(sequence, seed) for seed, sequence in enumerate(("post", "flair", "pre"))}
    assembly = assemble("B", scans)
    volume = assembly.volume
    assert (volume.patient, volume.channels, volume.voxels.dtype) == ("B", CHANNELS, np.float32)
    assert all(np.array_equal(volume.channel(sequence), scans[sequence].voxels) for sequence in CHANNELS)
    assert volume.affine is scans["flair"].affine
    assert (assembly.missing, assembly.resampled, assembly.remarks) == ((), (), ())


@pytest.mark.parametrize("present", [("flair",), ("flair", "pre"), ("flair", "post")])
def test_a_missing_sequence_is_filled_by_the_flair_and_told(present: tuple[str, ...]) -> None:
    assembly = assemble("A", {sequence: scan(sequence, seed) for seed, sequence in enumerate(present)})
    missing = tuple(sequence for sequence in CHANNELS if sequence not in present)
    assert assembly.missing == assembly.volume.missing == missing
    for sequence in missing:
        assert np.array_equal(assembly.volume.channel(sequence), assembly.volume.channel("flair"))
    titles = {"pre": "T1 before contrast", "post": "T1 after contrast"}
    assert assembly.remarks == tuple(
        f"there is no {titles[sequence]}; the FLAIR stands in for it" for sequence in missing
    )


@settings(deadline=None, max_examples=20)
@given(st.permutations([0, 1, 2]), st.tuples(*[st.sampled_from([-1, 1])] * 3))
def test_a_scan_stored_in_other_directions_comes_back_without_a_trace(axes: list[int], signs: tuple) -> None:
    plain, orientation = scan("pre", 1), np.array(list(zip(axes, signs, strict=True)), float)
    turned = replace(
        plain, voxels=apply_orientation(plain.voxels, orientation), affine=AFFINE @ inv_ornt_aff(orientation, SHAPE)
    )
    assembly = assemble("A", {"flair": scan("flair"), "pre": turned})
    assert np.array_equal(assembly.volume.channel("pre"), plain.voxels)


def test_a_scan_on_another_grid_is_resampled_and_told() -> None:
    """Every point of the patient has an intensity that tells where it is, on any grid."""

    def sloping(affine: np.ndarray, shape: tuple[int, int, int], sequence: str) -> Scan:
        mm = nibabel.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
        return Scan("A", (mm @ (1, 2, 3) + 200).astype(np.float32), affine, sequence)

    sagittal = np.array([[-0.8, 0, 0, 10], [0, 0, -0.7, 10], [0, -0.9, 0, 14], [0, 0, 0, 1]])
    flair, post = sloping(AFFINE, SHAPE, "flair"), sloping(sagittal, (26, 30, 30), "post")
    assembly = assemble("A", {"flair": flair, "post": post})
    assert assembly.volume.channel("post") == pytest.approx(flair.voxels, abs=1e-3)
    assert assembly.resampled == ("post",)
    assert assembly.remarks[0] == (
        "T1 after contrast (26 x 30 x 30 voxels of 0.8 x 0.9 x 0.7 mm) is resampled onto the FLAIR "
        "(8 x 12 x 12 voxels of 2 x 1 x 1 mm)"
    )


def test_a_scan_that_shows_most_of_the_head_is_taken_and_told() -> None:
    assembly = assemble("A", {"flair": scan("flair"), "pre": scan("pre", 1, moved(AFFINE, 4))})
    assert "the rest is left dark" in assembly.remarks[0]
    pre = assembly.volume.channel("pre")
    assert (pre[:2] == scan("pre", 1).voxels.min()).all()
    assert np.array_equal(pre[2:], scan("pre", 1).voxels[:-2])


@pytest.mark.parametrize("superior_mm", [10, -12, 500])
def test_a_scan_that_does_not_show_the_head_is_left_out_and_told(superior_mm: float) -> None:
    flair = scan("flair")
    assembly = assemble("A", {"flair": flair, "pre": scan("pre", 1, moved(AFFINE, superior_mm))})
    assert (assembly.missing, assembly.resampled) == (("pre", "post"), ())
    assert np.array_equal(assembly.volume.channel("pre"), flair.voxels)
    left_out, no_post = assembly.remarks
    assert re.fullmatch(r"pre\.nii\.gz shows \d+% of the head of flair\.nii\.gz, so it is left out .*", left_out)
    assert "T1 after contrast" in no_post


@pytest.mark.parametrize("value", [0, 7])
def test_a_t1_that_is_the_same_everywhere_is_left_out_and_told(value: float) -> None:
    flair, blank = scan("flair"), replace(scan("post"), voxels=np.full(SHAPE, value, np.float32))
    assembly = assemble("A", {"flair": flair, "pre": scan("pre", 1), "post": blank})
    assert assembly.missing == assembly.volume.missing == ("post",)
    assert np.array_equal(assembly.volume.channel("post"), flair.voxels)
    assert assembly.remarks == (
        "post.nii.gz is the same everywhere, so it is left out and the FLAIR stands in for the T1 after contrast",
    )


def test_air_around_the_head_does_not_count() -> None:
    """The grid of the T1 covers an eighth of the FLAIR's, but all of the head in it."""
    voxels = np.zeros((16, 24, 24), np.float32)
    voxels[4:12, 6:18, 6:18] = scan("flair").voxels
    wide = AFFINE.copy()
    wide[:3, 3] -= wide[:3, :3] @ (4, 6, 6)
    assembly = assemble("A", {"flair": Scan("A", voxels, wide, "flair"), "pre": scan("pre", 1)})
    assert np.array_equal(assembly.volume.channel("pre")[4:12, 6:18, 6:18], scan("pre", 1).voxels)


def test_a_constant_flair_has_no_head_but_a_grid() -> None:
    flair = replace(scan("flair"), voxels=np.full(SHAPE, 7, np.float32))
    assert assemble("A", {"flair": flair, "pre": scan("pre", 1, moved(AFFINE, 2))}).resampled == ("pre",)


def test_without_a_place_equal_sizes_are_taken_for_one_grid() -> None:
    scans = {"flair": scan("flair", 0, None), "pre": scan("pre", 1, None)}
    assembly = assemble("A", scans)
    assert assembly.volume.affine is None
    assert np.array_equal(assembly.volume.channel("pre"), scans["pre"].voxels)


@pytest.mark.parametrize("which", ["flair", "pre"])
def test_of_one_scan_with_and_one_without_a_place_the_t1_is_left_out(which: str) -> None:
    scans = {sequence: scan(sequence, affine=None if sequence == which else AFFINE) for sequence in ("flair", "pre")}
    assembly = assemble("A", scans)
    assert assembly.missing == ("pre", "post")
    assert assembly.remarks[0].startswith("nothing tells how pre.nii.gz lies with respect to flair.nii.gz")


@pytest.mark.parametrize("place", ["spacing", "assumed"])
def test_directions_that_a_file_does_not_tell_bring_no_two_grids_together(place: Place) -> None:
    pre = replace(scan("pre", 1, moved(AFFINE, 4)), place=place)
    assembly = assemble("A", {"flair": scan("flair"), "pre": pre})
    assert assembly.missing == ("pre", "post")
    assert assembly.remarks[0].startswith("nothing tells how")
    alike = assemble("A", {"flair": replace(scan("flair"), place=place), "pre": replace(pre, affine=AFFINE)})
    assert (alike.missing, alike.volume.place) == (("post",), place)


def test_what_the_readers_remarked_is_passed_on_once() -> None:
    scans = {sequence: scan(sequence, remarks=("the same", f"of {sequence}")) for sequence in CHANNELS}
    assert assemble("A", scans).remarks == ("the same", "of pre", "of flair", "of post")


def test_the_flair_must_be_there_and_roles_be_known() -> None:
    with pytest.raises(GliosegError, match=r"patient A has no FLAIR: .* found pre"):
        assemble("A", {"pre": scan("pre")})
    with pytest.raises(GliosegError, match="unknown sequence t2"):
        assemble("A", {"flair": scan("flair"), "t2": scan("t2")})
