"""From a file on disk to the network's view and back to a file, checked by nibabel alone."""

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
from axial_scans import axial_volume, mask_from_axial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, inv_ornt_aff
from scipy.spatial.transform import Rotation

from glioseg.formats.assemble import assemble
from glioseg.formats.cases import read_case, single_case
from glioseg.formats.nifti import write_nifti_mask
from glioseg.volume import Mask

ORIENTATIONS = [
    np.array(list(zip(axes, signs, strict=True)), float)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
SHAPE = (6, 9, 11)


def head(seed: int) -> np.ndarray:
    """Slices from below, rows from the front, columns from the right, with a bright tumour somewhere."""
    rng = np.random.default_rng(seed)
    voxels = rng.integers(0, 50, SHAPE).astype(np.int16)
    first = [rng.integers(0, size - 2) for size in SHAPE]
    voxels[tuple(slice(start, start + 2) for start in first)] = 1000
    return voxels


def centroid_mm(path: Path, above: float) -> np.ndarray:
    image = nibabel.load(path)
    return nibabel.affines.apply_affine(image.affine, np.argwhere(image.get_fdata() > above).mean(axis=0))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.floats(-20, 20)] * 3),
    st.tuples(*[st.floats(0.4, 6)] * 3),
    st.tuples(*[st.floats(-150, 150)] * 3),
    st.integers(0, 99),
    st.sampled_from([".nii", ".nii.gz"]),
)
def test_a_mask_lies_where_the_tumour_is_however_the_file_is_stored(
    tmp_path: Path, orientation: np.ndarray, degrees: tuple, spacing: tuple, origin: tuple, seed: int, suffix: str
) -> None:
    picture = head(seed)
    affine = np.eye(4)
    to_superior_posterior_left = np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]])
    turn = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine[:3, :3] = turn @ to_superior_posterior_left * np.array(spacing)
    affine[:3, 3] = origin
    stored = apply_orientation(picture, orientation)
    source, result = tmp_path / f"P1_flair{suffix}", tmp_path / f"P1_mask{suffix}"
    nibabel.save(nibabel.Nifti1Image(stored, affine @ inv_ornt_aff(orientation, SHAPE)), source)

    case = single_case(source)
    volume = assemble(case.patient, read_case(case)).volume
    view = axial_volume(volume)
    assert np.array_equal(view.channel("flair"), picture)
    mask = Mask("P1", view.channel("flair") > 500, affine=view.affine)
    write_nifti_mask(result, mask_from_axial(mask, volume), like=source)

    assert centroid_mm(result, 0.5) == pytest.approx(centroid_mm(source, 500))
    assert np.array_equal(nibabel.load(result).affine, nibabel.load(source).affine)
    assert np.array_equal(np.asarray(nibabel.load(result).dataobj), stored > 500)
