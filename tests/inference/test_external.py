"""However a scan lies in its file, what is found stays where it is in the patient."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from bright_flair import BrightFlair
from scipy import ndimage

from glioseg.dataset.phantom import make_phantom
from glioseg.errors import GliosegError
from glioseg.inference.contract import Contract
from glioseg.inference.external import predict_external
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.presence import PresenceRule
from glioseg.volume import Volume

AXIAL = np.array([[0, 0, -1, 120], [0, -1, 0, 110], [5, 0, 0, -30], [0, 0, 0, 1]], float)
NEARBY_MM = 1.5


@pytest.fixture(scope="module")
def model(contract: Contract) -> Model:
    settings = {"flip": False, "postprocessing": Postprocessing(components="largest")}
    return Model.of(BrightFlair(1.5), contract.model_copy(update=settings))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def head() -> Volume:
    volume, _ = make_phantom(5, size=256, slices=10)
    return Volume("P", volume.voxels.astype(np.float32), affine=AXIAL)


def centroid_mm(model: Model, scan: Volume) -> np.ndarray:
    mask = predict_external(model, scan).mask
    assert mask.voxels.shape == scan.voxels.shape[:3]
    assert mask.affine is scan.affine
    assert mask.affine is not None
    return (mask.affine @ [*np.argwhere(mask.voxels).mean(axis=0), 1])[:3]


def padded(scan: Volume) -> Volume:
    assert scan.affine is not None
    before = np.array([2, 30, 10])
    voxels = np.pad(scan.voxels, ((2, 1), (30, 40), (10, 50), (0, 0)))
    affine = scan.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ before
    return replace(scan, voxels=voxels, affine=affine)


def cropped(scan: Volume) -> Volume:
    assert scan.affine is not None
    rows, columns = (np.flatnonzero((scan.channel("flair") > 10).any(axis=axes)) for axes in ((0, 2), (0, 1)))
    top, left = max(rows[0] - 3, 0), max(columns[0] - 3, 0)
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [0, top, left]
    return replace(scan, voxels=scan.voxels[:, top : rows[-1] + 3, left : columns[-1] + 3], affine=affine)


def rotated(scan: Volume) -> Volume:
    """The same head on a grid that lies 12 degrees turned within the slices."""
    assert scan.affine is not None
    angle, middle = np.radians(12), 127.5
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    start = middle - turn @ [middle, middle]
    channels = [
        np.stack([ndimage.affine_transform(image, turn, start, order=1) for image in scan.voxels[..., channel]])
        for channel in range(3)
    ]
    indices = np.eye(4)
    indices[1:3, 1:3], indices[1:3, 3] = turn, start
    return replace(scan, voxels=np.stack(channels, axis=-1), affine=scan.affine @ indices)


def coarse(scan: Volume) -> Volume:
    assert scan.affine is not None
    voxels = ndimage.zoom(scan.voxels, (1, 0.6, 0.6, 1), order=1, grid_mode=True, mode="grid-constant")
    indices = np.diag([1, 1 / 0.6, 1 / 0.6, 1])
    indices[1:3, 3] = (1 / 0.6 - 1) / 2
    return replace(scan, voxels=voxels, affine=scan.affine @ indices)


@pytest.mark.parametrize("change", [padded, cropped, rotated, coarse])
def test_the_centroid_stays_where_it_is_in_millimetres(
    model: Model, head: Volume, change: Callable[[Volume], Volume]
) -> None:
    expected = centroid_mm(model, head)
    np.testing.assert_allclose(centroid_mm(model, change(head)), expected, atol=NEARBY_MM)


@pytest.mark.parametrize("factor", [0.01, 7.0, 900.0])
def test_units_do_not_matter(model: Model, head: Volume, factor: float) -> None:
    expected = centroid_mm(model, head)
    scaled = replace(head, voxels=head.voxels * np.float32(factor))
    np.testing.assert_allclose(centroid_mm(model, scaled), expected, atol=NEARBY_MM)


def test_the_result_says_what_was_done_which_is_no_remark(model: Model, head: Volume) -> None:
    found = predict_external(model, head)
    assert found.preparation == ("The scan was taken as one with skull and scalp and left as it is.",)
    assert found.remarks == ()
    (fitted,) = predict_external(model, coarse(head)).preparation
    assert "brought to the size" in fitted


def test_where_it_is_unsure_of_skull_and_scalp_that_is_a_remark(
    model: Model, head: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glioseg.head.bounding_box.covering", lambda volume, depth: "unsure")
    found = predict_external(model, head)
    assert found.remarks == found.preparation
    assert "unsure whether it shows skull and scalp" in found.remarks[0]


@pytest.mark.parametrize(("shape", "message"), [((1, 64, 64, 3), "single slice"), ((4, 64, 64, 3), "same everywhere")])
def test_what_is_no_scan_is_refused(model: Model, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(GliosegError, match=message):
        predict_external(model, Volume("P", np.full(shape, 80, np.float32)))


def test_more_slices_than_any_head_has_are_refused(model: Model) -> None:
    stack = np.random.default_rng(0).random((8, 8, 2000, 3), np.float32)
    turned = np.array([[0, -0.9, 0, 0], [-0.9, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    with pytest.raises(GliosegError, match="at most 1,024 axial slices, found 2,000"):
        predict_external(model, Volume("P", stack, affine=turned))


@pytest.mark.parametrize("steps_mm", [(5, 0.9, 1e6), (1e-6, 0.9, 0.9), (5, 1e-9, 1e-9), (80, 0.9, 0.9)])
def test_a_spacing_that_no_head_has_is_refused(model: Model, head: Volume, steps_mm: tuple[float, ...]) -> None:
    scan = replace(head, affine=AXIAL @ np.diag([*(np.array(steps_mm) / (5, 1, 1)), 1]))
    with pytest.raises(GliosegError, match=r"a spacing that no scan of a head has: expected 0\.05 to 50 mm"):
        predict_external(model, scan)


@pytest.mark.parametrize(("threshold", "presence"), [(0.0, "present"), (1.0, "none")])
def test_where_there_is_no_tumour_the_mask_is_empty_and_the_candidate_kept(
    model: Model, head: Volume, threshold: float, presence: str
) -> None:
    asked = model.without_presence()
    plain = predict_external(asked, head)
    asked.presence = PresenceRule(intercept=0, weights={}, none_below=threshold, present_from=threshold)
    found = predict_external(asked, head)
    assert found.finding is not None
    assert found.finding.presence == presence
    kept = found.mask if presence == "present" else found.candidate
    assert kept is not None
    np.testing.assert_array_equal(kept.voxels, plain.mask.voxels)
    assert found.mask.voxels.any() == (presence == "present")
    np.testing.assert_array_equal(found.probabilities, plain.probabilities)


def test_a_scan_of_the_dataset_and_the_same_from_elsewhere_give_the_same_evidence(model: Model, head: Volume) -> None:
    """Thickness is assumed for the one and known for the other, and the head fills its slices alike."""
    asked = model.without_presence()
    asked.presence = PresenceRule(intercept=0, weights={}, none_below=0, present_from=0)
    home, elsewhere = asked.predict(head).finding, predict_external(asked, head).finding
    assert home is not None
    assert elsewhere is not None
    assert home.evidence.radius_px == elsewhere.evidence.radius_px
    assert home.evidence.depth_px == elsewhere.evidence.depth_px
