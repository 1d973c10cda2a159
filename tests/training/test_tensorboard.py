import importlib.util
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.training import tensorboard

ROW = {"epoch": 2, "step": 40, "loss": 0.25, "validation_dice": None, "learning_rate": 1e-3, "slices_per_second": 8.0}


def test_a_row_can_be_read_back_from_the_event_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tensorboard.write_tensorboard(tmp_path, ROW)
    events = EventAccumulator(str(tmp_path))
    events.Reload()

    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(40, 0.25)]
    # What was not measured has no point, rather than one at 0.
    assert sorted(events.Tags()["scalars"]) == ["learning_rate", "loss", "slices_per_second"]


def test_it_is_missed_before_the_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(GliosegError, match=r"TensorBoard is not installed\. Install it"):
        tensorboard.require_tensorboard()
    monkeypatch.setattr(tensorboard, "find_spec", importlib.util.find_spec)
    tensorboard.require_tensorboard()
