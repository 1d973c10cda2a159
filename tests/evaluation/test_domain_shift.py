import numpy as np
import pytest

from glioseg.dataset.phantom import make_phantom
from glioseg.evaluation.domain_shift import SIZES, simulate_domain_shift
from glioseg.volume import Mask, Volume


@pytest.fixture(scope="module")
def patient() -> tuple[Volume, Mask]:
    return make_phantom(3, size=160, slices=10, name="TCGA_DU_0001")


def test_is_the_same_each_time_and_another_for_another_patient(patient: tuple[Volume, Mask]) -> None:
    volume, truth = patient
    first, again = simulate_domain_shift(volume, truth), simulate_domain_shift(volume, truth)
    np.testing.assert_array_equal(first[0].voxels, again[0].voxels)
    np.testing.assert_array_equal(first[1].voxels, again[1].voxels)
    renamed = simulate_domain_shift(Volume("TCGA_DU_0002", volume.voxels), Mask("TCGA_DU_0002", truth.voxels))
    assert renamed[0].voxels.shape != first[0].voxels.shape or not np.array_equal(renamed[0].voxels, first[0].voxels)


def test_shows_a_brain_on_black_in_other_units_and_another_size(patient: tuple[Volume, Mask]) -> None:
    volume, truth = patient
    scan, _ = simulate_domain_shift(volume, truth)
    assert scan.voxels.dtype == np.float32
    assert scan.affine is None
    assert any(scan.voxels.shape[1] == round(160 * size) for size in SIZES)
    flair = scan.channel("flair")
    assert (flair[:, 0] == 0).all()
    assert (flair == 0).mean() > (volume.channel("flair") <= 10).mean()
    assert flair.max() > 255


def test_post_is_always_missing(patient: tuple[Volume, Mask]) -> None:
    assert "post" in simulate_domain_shift(*patient)[0].missing


def test_the_tumour_stays_where_the_image_shows_it(patient: tuple[Volume, Mask]) -> None:
    volume, truth = patient
    scan, mask = simulate_domain_shift(volume, truth)
    assert mask.voxels.shape == scan.voxels.shape[:3]
    area = (scan.voxels.shape[1] / 160) ** 2
    assert mask.voxels.sum() == pytest.approx(truth.voxels.sum() * area, rel=0.15)
    flair, brain = scan.channel("flair"), scan.channel("flair") > 0
    before = volume.channel("flair")
    contrast_before = np.median(before[truth.voxels]) > np.median(before[before > 10])
    assert (np.median(flair[mask.voxels]) > np.median(flair[brain])) == contrast_before
