from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from glioseg.errors import GliosegError
from glioseg.inference import prediction as module
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.bundle import save_bundle
from glioseg.inference.contract import Contract
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.prediction import batches
from glioseg.inference.preprocessing import Preprocessing
from glioseg.volume import Volume

Build = Callable[..., Model]


class Bright(nn.Module):
    """Says tumour where the normalised FLAIR exceeds 1."""

    def forward(self, images: Tensor) -> Tensor:
        return 10 * (images[:, 1:2] - 1)


class Recorder(nn.Module):
    """Remembers what it is shown, and answers 0."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        assert not self.training
        self.seen.append(images)
        return torch.zeros_like(images[:, :1])


@pytest.fixture
def build(network: nn.Module, contract: Contract) -> Build:
    def built(shown: nn.Module = network, precision: str = "32", **contract_values: object) -> Model:
        backend = TorchBackend(shown, device="cpu", precision=precision)
        return Model.of(backend, contract.model_copy(update=contract_values))

    return built


def mirrored(volume: Volume) -> Volume:
    return Volume(volume.patient, np.ascontiguousarray(volume.voxels[:, :, ::-1]))


@pytest.mark.parametrize("flip", [True, False])
def test_probabilities_have_the_scans_grid(build: Build, scan: Volume, flip: bool) -> None:
    found = build(flip=flip).probabilities(scan)
    assert found.shape == scan.voxels.shape[:3]
    assert found.dtype == np.float32
    assert 0 <= found.min() < found.max() <= 1


@pytest.mark.parametrize("batch_size", [1, 4, 5, 100])
def test_the_number_of_slices_at_a_time_does_not_matter(
    build: Build, scan: Volume, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    expected = build().probabilities(scan)
    monkeypatch.setattr(module, "BATCH_SIZE", batch_size)
    np.testing.assert_allclose(build().probabilities(scan), expected, rtol=0, atol=1e-5)


def test_the_mirror_image_gives_the_mirrored_probabilities(build: Build, scan: Volume) -> None:
    both = build(flip=True)
    np.testing.assert_allclose(
        both.probabilities(mirrored(scan)), both.probabilities(scan)[:, :, ::-1], rtol=0, atol=1e-5
    )
    # Without averaging a network that was shown no mirror images knows no such symmetry.
    one = build(flip=False)
    assert np.abs(one.probabilities(mirrored(scan)) - one.probabilities(scan)[:, :, ::-1]).max() > 1e-3


def test_averaging_is_of_the_probabilities_of_the_two(build: Build, scan: Volume) -> None:
    one = build(flip=False)
    mean = (one.probabilities(scan) + one.probabilities(mirrored(scan))[:, :, ::-1]) / 2
    np.testing.assert_allclose(build(flip=True).probabilities(scan), mean, rtol=0, atol=1e-5)


def test_the_network_sees_the_whole_volumes_z_score(build: Build, scan: Volume) -> None:
    """The statistics are those of the volume and not of the slices at hand."""
    recorder = Recorder()
    build(recorder, flip=False, preprocessing=Preprocessing(clip_percentile=100)).probabilities(scan)
    images = torch.cat(recorder.seen).numpy()
    head = scan.channel("flair") > 10
    for channel, sequence in enumerate(scan.channels):
        intensities = scan.channel(sequence).astype(np.float64)
        limit = intensities[head].max()
        expected = (np.minimum(intensities, limit) - intensities[head].mean()) / intensities[head].std()
        np.testing.assert_allclose(images[:, channel], expected, rtol=1e-3, atol=1e-3)


def test_a_network_that_bins_sees_the_mean_and_answers_on_the_scans_grid(build: Build, scan: Volume) -> None:
    plain, halved = Recorder(), Recorder()
    build(plain, flip=False).probabilities(scan)
    build(halved, flip=False, preprocessing=Preprocessing(downsampling_factor=2)).probabilities(scan)
    np.testing.assert_allclose(torch.cat(halved.seen), avg_pool2d(torch.cat(plain.seen), 2), atol=1e-5)
    found = build(preprocessing=Preprocessing(downsampling_factor=2)).probabilities(scan)
    assert found.shape == scan.voxels.shape[:3]


def test_a_network_with_context_sees_each_slice_before_those_beside_it(build: Build, scan: Volume) -> None:
    plain, wide = Recorder(), Recorder()
    build(plain, flip=False).probabilities(scan)
    build(wide, flip=False, preprocessing=Preprocessing(context=1)).probabilities(scan)
    own, before, after = torch.cat(wide.seen).chunk(3, dim=1)
    alone = torch.cat(plain.seen)
    torch.testing.assert_close(own, alone)
    torch.testing.assert_close(before, torch.cat((alone[:1], alone[:-1])))
    torch.testing.assert_close(after, torch.cat((alone[1:], alone[-1:])))


@pytest.mark.parametrize("downsampling_factor", [1, 2])
def test_a_network_of_windows_sees_the_head_in_squares_of_their_size(build: Build, downsampling_factor: int) -> None:
    recorder = Recorder()
    settings = Preprocessing(downsampling_factor=downsampling_factor)
    build(recorder, flip=False, patch_px=8, preprocessing=settings).probabilities(bright_spots())
    seen = torch.cat(recorder.seen)
    # The slices of 20 x 24 pixels are head all over: three patches by four, or two by two when downsampled.
    assert seen.shape == {1: (6 * 3 * 4, 3, 8, 8), 2: (6 * 2 * 2, 3, 8, 8)}[downsampling_factor]


def test_windows_change_nothing_for_a_network_that_sees_each_pixel_for_itself(build: Build) -> None:
    whole = build(Bright()).probabilities(bright_spots())
    found = build(Bright(), patch_px=8).probabilities(bright_spots())
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)


def test_a_crop_to_the_head_shows_each_slice_once() -> None:
    voxels = np.zeros((3, 60, 50, 3), np.uint8)
    voxels[0, 30:50, 20:34] = voxels[2, 10:14, 5:15] = 200
    (batch,) = batches(Volume("P", voxels), Preprocessing(), "head")
    assert batch.patches is not None
    seen = batch.patches.extract(batch.images)
    assert seen.shape == (2, 3, 32, 16)
    assert [int((shown[1] == shown[1].max()).sum()) for shown in seen] == [20 * 14, 4 * 10]
    np.testing.assert_array_equal(batch.patches.stitch(seen[:, 1])[0, 30:50, 20:34], batch.images[0, 1, 30:50, 20:34])


def test_specks_in_the_air_get_no_window_unless_nothing_else_is_there(build: Build) -> None:
    voxels = np.zeros((2, 40, 40, 3), np.uint8)
    voxels[0, 5:17, 5:17] = 200
    voxels[:, 30:32, 36] = 11
    recorder = Recorder()
    build(recorder, flip=False, patch_px=16).probabilities(Volume("P", voxels))
    seen = torch.cat(recorder.seen)
    head, specks = seen[:, 1]
    assert len(seen) == 2
    assert (head == head.max()).sum() == 12 * 12
    assert (specks == specks.max()).sum() == 2


@pytest.mark.parametrize("rows", [19, 20])
def test_a_mask_stays_in_its_place_when_pixels_are_binned(build: Build, rows: int) -> None:
    scan = bright_spots()
    scan = Volume("P", scan.voxels[:, :rows])
    expected = build(Bright()).mask(scan).voxels
    found = build(Bright(), preprocessing=Preprocessing(downsampling_factor=2)).mask(scan).voxels
    inside = np.argwhere(expected[2]).mean(axis=0)
    np.testing.assert_allclose(np.argwhere(found[2]).mean(axis=0), inside, atol=0.6)


def test_a_network_in_training_mode_is_put_into_evaluation(build: Build, scan: Volume) -> None:
    build(Recorder().train(), flip=False).probabilities(scan)


def bright_spots() -> Volume:
    """A grey head with a large bright cube and a small one."""
    voxels = np.full((6, 20, 24, 3), 60, np.uint8)
    voxels[1:5, 3:8, 3:8] = 200
    voxels[2, 15:17, 18:20] = 200
    names = tuple(f"P_{n}" for n in range(1, 7))
    return Volume("P", voxels, slice_names=names, affine=np.diag([5.0, 1.0, 1.0, 1.0]))


@pytest.mark.parametrize(("components", "small_one_too"), [("all", True), ("largest", False), ("relative", False)])
def test_the_mask_follows_the_contracts_rule_and_keeps_the_scans_geometry(
    build: Build, components: str, small_one_too: bool
) -> None:
    scan = bright_spots()
    mask = build(Bright(), postprocessing=Postprocessing(components=components)).mask(scan)
    expected = np.zeros(scan.voxels.shape[:3], np.bool_)
    expected[1:5, 3:8, 3:8] = True
    expected[2, 15:17, 18:20] = small_one_too
    np.testing.assert_array_equal(mask.voxels, expected)
    assert (mask.patient, mask.slice_names) == (scan.patient, scan.slice_names)
    assert mask.affine is scan.affine


def test_the_mask_follows_the_contracts_threshold(build: Build, scan: Volume) -> None:
    found = build().probabilities(scan)
    for threshold in (0.4, 0.6):
        mask = build(postprocessing=Postprocessing(threshold=threshold)).mask(scan)
        np.testing.assert_array_equal(mask.voxels, found >= np.float32(threshold))


@pytest.mark.parametrize("channels", [("flair", "pre", "post"), ("t1", "flair", "t2"), ("pre", "flair")])
def test_other_channels_are_refused(build: Build, channels: tuple[str, ...]) -> None:
    other = Volume("P", np.zeros((2, 16, 16, len(channels)), np.uint8), channels=channels)
    with pytest.raises(GliosegError) as caught:
        build().probabilities(other)
    assert str(caught.value) == (
        f"patient P does not fit the model: expected channels pre, flair, post, found {', '.join(channels)}."
    )


def test_bfloat16_stays_close(build: Build, scan: Volume) -> None:
    exact, rounded = build().probabilities(scan), build(precision="bf16").probabilities(scan)
    assert rounded.dtype == np.float32
    assert 0 < np.abs(exact - rounded).max() < 0.05


def test_a_black_scan_gives_finite_probabilities(build: Build) -> None:
    assert np.isfinite(build().probabilities(Volume("P", np.zeros((2, 32, 32, 3), np.uint8)))).all()


def test_from_a_bundle_it_answers_as_from_memory(
    tmp_path: Path, build: Build, network: nn.Module, contract: Contract, scan: Volume
) -> None:
    save_bundle(tmp_path, network, contract, "")
    loaded = Model.load(tmp_path, device="cpu", precision="32")
    np.testing.assert_array_equal(loaded.probabilities(scan), build().probabilities(scan))
