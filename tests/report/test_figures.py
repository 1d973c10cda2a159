"""Drawings that say what the numbers say, the same every time."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from glioseg.errors import GliosegError
from glioseg.report.figures import INK, as_svg, learning_curve, save_learning_curve

History = list[dict[str, float | int | None]]


def texts(drawing: str) -> str:
    return " ".join(ElementTree.fromstring(drawing).itertext())


def test_same_numbers_same_drawing(history: History) -> None:
    drawing = learning_curve(history)
    assert drawing == learning_curve(history)
    assert INK not in drawing
    assert "currentColor" in drawing
    assert not re.search(r"\bnan\b|\d{4}-\d\d-\d\d", drawing)


def test_two_drawings_share_no_identifier(history: History) -> None:
    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1])
    drawings = (learning_curve(history), as_svg(lambda: figure, "line"))
    identifiers = [set(re.findall(r'\bid="([^"]+)"', drawing)) for drawing in drawings]
    assert all(identifiers)
    assert not set.intersection(*identifiers)


def test_every_reference_has_its_target(history: History) -> None:
    drawing = learning_curve(history)
    targets = set(re.findall(r'\bid="([^"]+)"', drawing))
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', drawing))
    assert references
    assert references <= targets


def test_best_epoch_is_named(history: History) -> None:
    assert "best 0.700, epoch 4" in texts(learning_curve(history))


def test_training_without_validation_says_so(history: History) -> None:
    unvalidated = [row | {"validation_dice": None} for row in history]
    assert "not measured during this training" in texts(learning_curve(unvalidated))


def test_diverged_loss_is_drawn_up_to_where_it_diverged(history: History) -> None:
    diverged = [*history, history[-1] | {"epoch": 7, "loss": float("nan"), "validation_dice": float("nan")}]
    drawing = learning_curve(diverged)
    assert "nan" not in drawing.lower()
    assert "best 0.700, epoch 4" in texts(drawing)


@pytest.mark.parametrize("rows", [0, 1])
def test_short_history_is_drawn(history: History, rows: int) -> None:
    assert "Training loss" in texts(learning_curve(history[:rows]))


def test_learning_curve_as_png(history: History, tmp_path: Path) -> None:
    save_learning_curve(history, tmp_path / "curve.png")
    with Image.open(tmp_path / "curve.png") as image:
        colours = np.asarray(image.convert("RGB"))
    assert colours.shape[1] > colours.shape[0] > 100
    assert (colours[0, 0] == 255).all()
    assert (colours != 255).any()


def test_a_learning_curve_that_cannot_be_drawn_leaves_the_earlier_one(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_learning_curve(history, tmp_path / "curve.png")
    before = (tmp_path / "curve.png").read_bytes()

    def fill_the_disk(_: object, file: IO[bytes], **__: object) -> None:
        file.write(b"half an image")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fill_the_disk)
    with pytest.raises(GliosegError, match=r"cannot write .*curve\.png: No space left"):
        save_learning_curve(history, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["curve.png"]


def test_without_a_home_to_write_to_matplotlib_is_quiet(tmp_path: Path) -> None:
    code = "import glioseg.report.figures"
    home = {"HOME": str(tmp_path / "none" / "such"), "MPLCONFIGDIR": "/proc/none"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | home, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
