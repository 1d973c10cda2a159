import torch
from torch import Tensor

from glioseg.training.config import Augmentation
from glioseg.training.hard_negatives import paint_hard_negatives

SIDE, SLICES = 96, 24
FLAIR = 1


def painted(images: Tensor, masks: Tensor, amount: float = 1.0, seed: int = 0) -> Tensor:
    limits = torch.full((*images.shape[:2], 1, 1), 200.0)
    settings = Augmentation(hard_negatives=amount)
    return paint_hard_negatives(images, masks, limits, settings, torch.Generator().manual_seed(seed))


def even(channels: int = 3) -> Tensor:
    return torch.full((SLICES, channels, SIDE, SIDE), 100.0)


def masks(with_tumour: bool) -> Tensor:
    found = torch.zeros(SLICES, 1, SIDE, SIDE)
    found[:, :, 40:50, 40:50] = with_tumour
    return found


def lesions(channels: int = 3) -> Tensor:
    """What lesions alone add on slices without tumour: the same chance with and without tumour differs by them."""
    return painted(even(channels), masks(False)) - painted(even(channels), masks(True))


def test_nothing_is_painted_where_nothing_is_wanted() -> None:
    assert torch.equal(painted(even(), masks(False), amount=0.0), even())


def test_lesions_are_bright_on_flair_and_only_where_there_is_no_tumour() -> None:
    added = lesions()
    assert (added[:, FLAIR].amax(dim=(1, 2)) > 10).all()
    assert (added[:, 0] <= 1e-3).all()
    assert torch.equal(added[:, 2], torch.zeros_like(added[:, 2]))


def test_lesions_are_small() -> None:
    share = (lesions()[:, FLAIR] > 5).float().mean(dim=(1, 2))
    assert share.max() < 0.12
    assert share.mean() < 0.05


def test_no_lesion_lies_outside_of_the_tissue() -> None:
    images = even()
    images[..., : SIDE // 2] = 0
    added = painted(images, masks(False)) - painted(images, masks(True))
    # Ghosts carry what was painted to the other half; without them nothing lies there.
    unmoved = added[..., : SIDE // 2].abs().amax(dim=(1, 2, 3)) == 0
    assert unmoved.any()
    assert (added[:, FLAIR, :, SIDE // 2 :].amax(dim=(1, 2)) > 5).any()


def test_a_lesion_shows_less_in_the_slices_beside_it() -> None:
    added = lesions(9)
    own, before, after = (added[:, group + FLAIR].amax(dim=(1, 2)) for group in (0, 3, 6))
    assert (before < own).all()
    torch.testing.assert_close(before, after)


def test_the_generator_is_the_only_source_of_chance() -> None:
    assert torch.equal(painted(even(), masks(False)), painted(even(), masks(False)))
    assert not torch.equal(painted(even(), masks(False)), painted(even(), masks(False), seed=1))
