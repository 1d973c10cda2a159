"""Drawings that say what the numbers say, the same every time."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from glioseg.evaluation.scores import PatientScores, Scores
from glioseg.report.figures import INK, LABELLED_PATIENTS, dice_distribution, learning_curve, save_learning_curve

History = list[dict[str, float | int | None]]


def texts(drawing: str) -> str:
    return " ".join(ElementTree.fromstring(drawing).itertext())


def many(scores: Scores, count: int) -> Scores:
    template = scores.patients[0]
    return Scores(tuple(PatientScores(f"P{i:03d}", "CS", (), template.values, {}) for i in range(count)))


@pytest.mark.parametrize("draw", [learning_curve, dice_distribution])
def test_same_numbers_same_drawing(draw: Callable[..., str], history: History, scores: Scores) -> None:
    content = history if draw is learning_curve else scores
    drawing = draw(content)
    assert drawing == draw(content)
    assert INK not in drawing
    assert "currentColor" in drawing
    assert not re.search(r"\bnan\b|\d{4}-\d\d-\d\d", drawing)


def test_two_drawings_share_no_identifier(history: History, scores: Scores) -> None:
    curve, distribution = (
        set(re.findall(r'\bid="([^"]+)"', text)) for text in (learning_curve(history), dice_distribution(scores))
    )
    assert curve
    assert distribution
    assert not curve & distribution


def test_every_reference_has_its_target(scores: Scores) -> None:
    drawing = dice_distribution(scores)
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
    with Image.open(tmp_path / "curve.png") as picture:
        colours = np.asarray(picture.convert("RGB"))
    assert colours.shape[1] > colours.shape[0] > 100
    assert (colours[0, 0] == 255).all()
    assert (colours != 255).any()


def test_each_patient_with_a_dice_has_a_mark_in_rising_order(scores: Scores) -> None:
    titles = re.findall(r"<title>(.*?)</title>", dice_distribution(scores))
    assert titles == [
        "DU_0004 (DU): DSC 0.000",
        "HT_0003 (unknown): DSC 0.500",
        "DU_0002 (DU): DSC 0.800",
        "CS_0001 (CS): DSC 1.000",
    ]


def test_centre_is_named_with_its_numbers(scores: Scores) -> None:
    words = texts(dice_distribution(scores))
    assert "mean 0.575" in words
    assert "median 0.650" in words
    assert "95 % interval of the mean" in words


def test_single_patient_has_no_interval(scores: Scores) -> None:
    words = texts(dice_distribution(many(scores, 1)))
    assert "mean 1.000" in words
    assert "interval" not in words


def test_many_patients_are_named_on_hover_only(scores: Scores) -> None:
    drawing = dice_distribution(many(scores, LABELLED_PATIENTS + 1))
    assert "P000 (CS): DSC 1.000" in drawing
    assert drawing.count("P000") == 1
    assert dice_distribution(many(scores, LABELLED_PATIENTS)).count("P000") > 1


def test_no_defined_dice_is_said(scores: Scores) -> None:
    assert "no patient with a defined Dice" in texts(dice_distribution(Scores((scores.patients[4],))))
