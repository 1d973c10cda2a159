from collections.abc import Callable

import pytest

from glioseg.training.config import TrainingConfig
from glioseg.training.crop import crop_downsampling, crop_px

BuildConfig = Callable[..., TrainingConfig]


@pytest.mark.parametrize(
    ("name", "crop", "downsampling_factor", "fine", "coarse"),
    [
        ("unet", 192, 1, 192, 96),
        ("unet", 192, 2, 96, 48),
        ("resunet-a", 192, 2, 96, 64),
        ("resunet-pp", 36, 1, 40, 24),
    ],
)
def test_a_crop_has_the_size_that_the_network_computes(
    tiny_config: BuildConfig, name: str, crop: int, downsampling_factor: int, fine: int, coarse: int
) -> None:
    config = tiny_config(
        f"network.name={name}", f"sampling.crop_size={crop}", f"preprocessing.downsampling_factor={downsampling_factor}"
    )
    assert (crop_px(config), crop_px(config, coarse=True)) == (fine, coarse)
    assert (crop_downsampling(config), crop_downsampling(config, coarse=True)) == (
        downsampling_factor,
        2 * downsampling_factor,
    )
