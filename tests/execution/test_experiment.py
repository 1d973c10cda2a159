"""What a finished run left is read again, or named where it is damaged."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.execution.experiment import load_cost, load_masks
from glioseg.study.cost import RunCost
from glioseg.training.run_folder import RunFolder

COST = RunCost(7, 1.5, 10, "a GPU", 20.0, "a CPU")


def test_the_cost_is_read_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.cost.write_text(json.dumps(asdict(COST)))
    assert load_cost(folder) == COST
    folder.cost.write_text("{}\n")
    assert load_cost(folder) is None


@pytest.mark.parametrize("content", ["", '{"parameters": 7', "[]", '{"parameters": 7}', "[" * 20_000])
def test_a_damaged_cost_is_named(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path)
    folder.cost.write_text(content)
    with pytest.raises(GliosegError, match=r"cost\.json cannot be read: expected what a run took") as told:
        load_cost(folder)
    assert "\n" not in str(told.value)


def test_damaged_masks_are_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    np.savez(folder.masks, P=np.ones((2, 3, 3), np.bool_))
    assert load_masks(folder)["P"].voxels.all()
    folder.masks.write_bytes(folder.masks.read_bytes()[:100])
    with pytest.raises(GliosegError, match=r"masks\.npz cannot be read as NPZ"):
        load_masks(folder)
