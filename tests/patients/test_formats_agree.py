"""One patient in every format and direction: the mask is that of the tif slices, voxel for voxel."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import tifffile
from synthetic_dicom import write_series

from glioseg.commands.predict import predict
from glioseg.dataset.phantom import make_phantom
from glioseg.errors import GliosegError
from glioseg.formats.dicom_seg import read_segmentation
from glioseg.formats.dicom_series import find_series
from glioseg.formats.nifti import read_nifti
from glioseg.formats.tif import read_mask_slice, write_mask_slice
from glioseg.patients.source import OutputOptions
from glioseg.space.axial import axial_view, from_axial, to_axial
from glioseg.volume import CHANNELS, Volume

NAMES = {"pre": "t1", "flair": "flair", "post": "t1ce"}
SPACING_MM = np.array([5.0, 0.94, 0.94])
PLAIN = np.array([[0, 0, -0.94, 110.0], [0, -0.94, 0, 120.0], [5.0, 0, 0, -40.0], [0, 0, 0, 1]])
"""The axial view itself: slices towards the crown, rows towards the back, columns towards the left."""


@pytest.fixture(scope="module")
def head() -> Volume:
    volume, _ = make_phantom(5, size=256, slices=12, name="P1")
    return volume


@pytest.fixture(scope="module")
def expected(head: Volume, untrained_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The mask that the tif slices get, in the axial view."""
    root = tmp_path_factory.mktemp("tif")
    (root / "in" / "P1").mkdir(parents=True)
    for name, image in zip(head.slice_names, head.voxels, strict=True):
        tifffile.imwrite(root / "in" / "P1" / f"{name}.tif", image)
    predict([root / "in"], root / "out", model=untrained_bundle, previews=False)
    masks = [read_mask_slice(root / "out" / "P1" / f"{name}_mask.tif") for name in head.slice_names]
    mask = np.stack(masks)
    assert 0.01 < mask.mean() < 0.99
    return mask


def turned(chance: np.random.Generator) -> np.ndarray:
    """The directions of one of the 48 grids that show the same head."""
    axes, signs = chance.permutation(3), chance.choice([-1, 1], 3)
    indices = np.zeros((4, 4))
    indices[3, 3] = 1
    for axis, (source, sign) in enumerate(zip(axes, signs, strict=True)):
        indices[source, axis] = sign
    return PLAIN @ indices


def on_grid(head: Volume, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The head's voxels on the grid of an affine, and the affine moved so that it lies where it lay."""
    view = axial_view(affine)
    voxels = from_axial(head.voxels, view)
    moved = affine.copy()
    first = np.zeros(3)
    for axis, reverse in zip(view.axes, view.reversed_axes, strict=True):
        first[axis] = voxels.shape[axis] - 1 if reverse else 0
    moved[:3, 3] = PLAIN[:3, 3] - affine[:3, :3] @ first
    return voxels, moved


def seen(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return to_axial(mask, axial_view(affine))


@pytest.mark.parametrize("seed", range(4))
def test_nifti_of_any_orientation(
    head: Volume, expected: np.ndarray, untrained_bundle: Path, tmp_path: Path, seed: int
) -> None:
    affine = turned(np.random.default_rng(seed))
    voxels, affine = on_grid(head, affine)
    by_file = affine[:, [2, 1, 0, 3]]
    for sequence in CHANNELS:
        image = voxels[..., CHANNELS.index(sequence)].astype(np.int16).T
        path = tmp_path / "in" / "P1" / f"P1_{NAMES[sequence]}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(image, by_file), path)
    run = predict([tmp_path / "in"], tmp_path / "out", model=untrained_bundle, previews=False)
    assert run.failures == {}
    mask = read_nifti(tmp_path / "out" / "P1_mask.nii.gz")
    assert mask.affine is not None
    np.testing.assert_allclose(mask.affine, affine, atol=1e-4)
    np.testing.assert_array_equal(seen(mask.voxels > 0, affine), expected)
    assert run.results[0].measurement.whole.volume_ml == pytest.approx(expected.sum() * SPACING_MM.prod() / 1000)


def test_nrrd(head: Volume, expected: np.ndarray, untrained_bundle: Path, tmp_path: Path) -> None:
    affine = turned(np.random.default_rng(9))
    voxels, affine = on_grid(head, affine)
    by_file = affine[:, [2, 1, 0, 3]]
    (tmp_path / "in").mkdir()
    for sequence in CHANNELS:
        header = {
            "space": "right-anterior-superior",
            "space directions": by_file[:3, :3].T,
            "space origin": by_file[:3, 3],
        }
        nrrd.write(str(tmp_path / "in" / f"P1_{sequence}.nrrd"), voxels[..., CHANNELS.index(sequence)].T, header)
    predict([tmp_path / "in"], tmp_path / "out", model=untrained_bundle, previews=False)
    (path,) = (tmp_path / "out").glob("*_mask.nii.gz")
    np.testing.assert_array_equal(seen(read_nifti(path).voxels > 0, affine), expected)


def sagittal(affine: np.ndarray) -> np.ndarray:
    return affine[:, [2, 0, 1, 3]]


def reversed_slices(affine: np.ndarray) -> np.ndarray:
    return affine @ np.diag([-1, 1, 1, 1])


def oblique(affine: np.ndarray) -> np.ndarray:
    tilt, turn = np.radians(12), np.eye(4)
    turn[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    return turn @ affine


@pytest.mark.parametrize("way", [reversed_slices, sagittal, oblique])
def test_dicom_series_with_shuffled_names(
    head: Volume,
    expected_of_the_flair: np.ndarray,
    untrained_bundle: Path,
    tmp_path: Path,
    way: Callable[[np.ndarray], np.ndarray],
) -> None:
    affine = way(PLAIN)
    voxels, affine = on_grid(head, affine)
    write_series(tmp_path / "in", voxels[..., 1].astype(np.uint16), affine, names="shuffled")
    run = predict(
        [tmp_path / "in"],
        tmp_path / "out",
        model=untrained_bundle,
        options=OutputOptions(overlay=False),
        previews=False,
    )
    assert run.failures == {}
    (series,) = find_series(tmp_path / "in")
    (path,) = (tmp_path / "out").glob("*_seg.dcm")
    mask = read_segmentation(path, series)
    assert series.affine is not None
    np.testing.assert_array_equal(seen(mask.voxels, series.affine), expected_of_the_flair)
    assert run.results[0].missing_sequences == ("pre", "post")


@pytest.fixture(scope="module")
def expected_of_the_flair(head: Volume, untrained_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The mask of the FLAIR alone, from a plain NIfTI file."""
    folder = tmp_path_factory.mktemp("flair")
    image = head.channel("flair").astype(np.int16).T
    nibabel.save(nibabel.Nifti1Image(image, PLAIN[:, [2, 1, 0, 3]]), folder / "P1_flair.nii.gz")
    predict([folder / "P1_flair.nii.gz"], folder / "out", model=untrained_bundle, previews=False)
    return np.asarray(read_nifti(folder / "out" / "P1_mask.nii.gz").voxels > 0)


def test_one_bad_case_is_skipped_and_the_rest_done(head: Volume, untrained_bundle: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "in" / "good", tmp_path / "in" / "bad"
    image = nibabel.Nifti1Image(head.channel("flair").astype(np.int16).T, PLAIN[:, [2, 1, 0, 3]])
    for folder in (good, bad):
        folder.mkdir(parents=True)
        nibabel.save(image, folder / "flair.nii.gz")
    cut = (bad / "flair.nii.gz").read_bytes()
    (bad / "flair.nii.gz").write_bytes(cut[: len(cut) // 2])
    said: list[str] = []
    run = predict([tmp_path / "in"], tmp_path / "out", model=untrained_bundle, progress=said.append)
    assert [result.patient for result in run.results] == ["good"]
    assert list(run.failures) == ["bad"]
    assert any("bad: skipped" in line for line in said)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "good_mask.nii.gz",
        "good_sheet.png",
        "measurements.csv",
        "records",
        "run.json",
    ]


def test_results_never_fall_among_the_scans(head: Volume, untrained_bundle: Path, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(head.channel("flair").astype(np.int16).T, PLAIN[:, [2, 1, 0, 3]])
    nibabel.save(image, tmp_path / "P1_flair.nii.gz")
    write_mask_slice(tmp_path / "P1_mask.nii.gz", np.ones((2, 2), np.bool_))
    drawn = (tmp_path / "P1_mask.nii.gz").read_bytes()
    with pytest.raises(GliosegError, match="holds the scans of P1"):
        predict([tmp_path / "P1_flair.nii.gz"], tmp_path, model=untrained_bundle)
    assert (tmp_path / "P1_mask.nii.gz").read_bytes() == drawn
