from collections.abc import Callable

import pytest

from glioseg.training.config import TrainingConfig
from glioseg.training.crop import crop_binning, crop_px

BuildConfig = Callable[..., TrainingConfig]


@pytest.mark.parametrize(
    ("name", "crop", "binning", "fine", "coarse"),
    [
        ("unet", 192, 1, 192, 96),
        ("unet", 192, 2, 96, 48),
        ("resunet-a", 192, 2, 96, 64),
        ("resunet-pp", 36, 1, 40, 24),
    ],
)
def test_a_crop_has_the_size_that_the_network_computes(
    tiny_config: BuildConfig, name: str, crop: int, binning: int, fine: int, coarse: int
) -> None:
    config = tiny_config(f"network.name={name}", f"sampling.crop_size={crop}", f"preprocessing.binning={binning}")
    assert (crop_px(config), crop_px(config, coarse=True)) == (fine, coarse)
    assert (crop_binning(config), crop_binning(config, coarse=True)) == (binning, 2 * binning)
