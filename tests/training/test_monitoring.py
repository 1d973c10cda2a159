import importlib.util
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from glioseg.errors import GliosegError
from glioseg.training import monitoring
from glioseg.training.monitoring import LINE_EVERY_SECONDS, TrainingConsole


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until it is set."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(monitoring, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_without_a_terminal_a_line_comes_now_and_then(
    clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    with TrainingConsole("unet published") as console:
        for share in (0.25, 0.26):
            console.step(share, 0.51234, 12.34, 59.6)
        clock.seconds += LINE_EVERY_SECONDS
        console.step(0.5, 0.25, 12.0, 3661.0)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "unet published: 25%, loss 0.512, 12.3 slices/s, 1:00 left",
        "unet published: 50%, loss 0.250, 12.0 slices/s, 1:01:01 left",
    ]


def test_what_is_said_stays(capsys: pytest.CaptureFixture[str]) -> None:
    with TrainingConsole("unet") as console:
        console.say("epoch 1: loss 0.500")
    assert capsys.readouterr().err == "epoch 1: loss 0.500\n"


def test_on_a_terminal_a_bar_is_drawn_there_and_not_in_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with TrainingConsole("unet published") as console:
        console.step(0.5, 0.25, 12.0, 61.0)
        console.say("epoch 1: loss 0.500")
    shown = terminal.getvalue()
    assert "unet published" in shown
    assert "loss 0.250, 12.0 slices/s, 1:01 left" in shown
    assert "epoch 1: loss 0.500" in shown
    assert capsys.readouterr().out == ""


def test_an_error_passes_through_and_the_bar_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    show_cursor = "\x1b[?25h"
    with pytest.raises(KeyboardInterrupt), TrainingConsole("unet"):
        raise KeyboardInterrupt
    assert show_cursor in terminal.getvalue()


def test_one_of_several_processes_draws_no_bar_and_names_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(monitoring, "parent_process", object)
    with TrainingConsole("unet fold 3 of 5") as console:
        console.step(0.25, 0.5, 12.0, 60.0)
        console.say("epoch 1: loss 0.500")
    assert terminal.getvalue().splitlines() == [
        "unet fold 3 of 5: 25%, loss 0.500, 12.0 slices/s, 1:00 left",
        "unet fold 3 of 5: epoch 1: loss 0.500",
    ]


ROW = {"epoch": 2, "step": 40, "loss": 0.25, "validation_dice": None, "learning_rate": 1e-3, "slices_per_second": 8.0}


def test_a_row_can_be_read_back_from_the_event_files(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monitoring.write_tensorboard(tmp_path, ROW)
    events = EventAccumulator(str(tmp_path))
    events.Reload()

    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(40, 0.25)]
    # What was not measured has no point, rather than one at 0.
    assert sorted(events.Tags()["scalars"]) == ["learning_rate", "loss", "slices_per_second"]


def test_it_is_missed_before_the_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "find_spec", lambda name: None)
    with pytest.raises(GliosegError, match=r"TensorBoard is not installed\. Install it"):
        monitoring.require_tensorboard()
    monkeypatch.setattr(monitoring, "find_spec", importlib.util.find_spec)
    monitoring.require_tensorboard()
