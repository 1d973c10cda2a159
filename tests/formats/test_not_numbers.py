from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.formats.nifti import read_nifti
from glioseg.formats.not_numbers import nan_as_background
from glioseg.formats.nrrd import read_nrrd


def head() -> np.ndarray:
    """A bright ball in dark air, with a darker cavity in its middle, shape (slice, row, column)."""
    slices, rows, columns = np.indices((9, 24, 20))
    distance = ((slices - 4) / 4) ** 2 + ((rows - 11) / 8) ** 2 + ((columns - 9) / 7) ** 2
    return (np.where(distance <= 1, np.where(distance < 0.1, 2, 100), 0) + 1).astype(np.float32)


def test_without_nan_nothing_is_changed() -> None:
    voxels = head()
    assert nan_as_background("a", voxels) == (voxels, ())


@pytest.mark.parametrize("scale", [1, -1])
def test_nan_for_all_air_is_background(scale: int) -> None:
    """As dark as anything, also where intensities are below zero."""
    voxels = np.where(head() > 1, head() - (0 if scale > 0 else 200), np.nan).astype(np.float32)
    found, (remark,) = nan_as_background("a.nii", voxels)
    assert np.array_equal(found, np.where(np.isnan(voxels), min(0, np.nanmin(voxels)), voxels))
    assert (
        remark
        == f"a.nii: {np.isnan(voxels).sum():,} voxels outside the head are no numbers and are taken for background"
    )


def test_a_single_nan_in_the_air_is_background() -> None:
    voxels = head()
    voxels[0, 0, 0] = np.nan
    assert nan_as_background("a", voxels)[0][0, 0, 0] == 0


@pytest.mark.parametrize("place", [(4, 11, 9), (4, 11, 4), (2, 14, 9)])
def test_nan_within_the_head_stays(place: tuple[int, int, int]) -> None:
    voxels = head()
    voxels[place] = voxels[0, 0, 0] = np.nan
    found, _ = nan_as_background("a", voxels)
    assert list(zip(*np.nonzero(np.isnan(found)), strict=True)) == [place]
    assert found[0, 0, 0] == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_gap_that_is_enclosed_along_one_axis_alone_is_air(axis: int) -> None:
    """As between brain stem and temporal lobes of a stripped brain."""
    voxels = np.full((12, 12, 12), 100, np.float32)
    voxels[[0, -1]] = voxels[:, [0, -1]] = voxels[:, :, [0, -1]] = np.nan
    np.moveaxis(voxels, axis, 0)[:, 5:7, 5:7] = np.nan
    found, remarks = nan_as_background("a", voxels)
    assert np.array_equal(found, np.nan_to_num(voxels))
    assert len(remarks) == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_lost_section_between_others_is_no_background(axis: int) -> None:
    voxels = head()
    np.moveaxis(voxels, axis, 0)[5] = np.nan
    assert nan_as_background("a", voxels)[1] == ()


def test_a_mask_with_nan_around_it_stays_a_mask() -> None:
    found, remarks = nan_as_background("a", np.where(head() > 1, 1, np.nan).astype(np.float32))
    assert np.array_equal(found, head() > 1)
    assert len(remarks) == 1


def test_the_readers_pass_it_on_and_refuse_the_rest(tmp_path: Path) -> None:
    good = np.where(head() > 1, head(), np.nan).astype(np.float32)
    bad = good.copy()
    bad[4, 11, 9] = np.nan
    for name, voxels in (("good", good), ("bad", bad)):
        nibabel.save(nibabel.Nifti1Image(voxels.T, np.eye(4)), tmp_path / f"{name}.nii.gz")
        nrrd.write(str(tmp_path / f"{name}.nrrd"), voxels.T)
    for scan in (read_nifti(tmp_path / "good.nii.gz"), read_nrrd(tmp_path / "good.nrrd")):
        assert np.array_equal(scan.voxels, np.nan_to_num(good))
        assert "outside the head" in scan.remarks[-1]
    with pytest.raises(GliosegError, match="no numbers"):
        read_nifti(tmp_path / "bad.nii.gz")
    with pytest.raises(GliosegError, match="no numbers"):
        read_nrrd(tmp_path / "bad.nrrd")
