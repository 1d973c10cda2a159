from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glioseg.evaluation.calibration import LogitCounts
from glioseg.report.failure_figures import save_reliability


@pytest.mark.parametrize("voxels", [0, 1])
def test_the_diagram_is_an_image_even_of_nothing(tmp_path: Path, voxels: int) -> None:
    save_reliability(LogitCounts(np.full((2, 2801), voxels, np.int64)).reliability(), tmp_path / "reliability.png")
    with Image.open(tmp_path / "reliability.png") as image:
        assert min(image.size) > 300


def test_the_same_numbers_give_the_same_image(tmp_path: Path) -> None:
    reliability = LogitCounts(np.ones((2, 2801), np.int64)).reliability()
    for name in ("a.png", "b.png"):
        save_reliability(reliability, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
