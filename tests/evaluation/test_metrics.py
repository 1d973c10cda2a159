"""Hand-computed masks: what every metric gives, and when it gives nothing."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from glioseg.errors import GliosegError
from glioseg.evaluation.metrics import METRICS, dice, metric_table, patient_metrics

BoolArray = NDArray[np.bool_]


def empty(shape: tuple[int, int, int] = (4, 8, 8)) -> BoolArray:
    return np.zeros(shape, dtype=bool)


def voxel(slice_: int, row: int, column: int) -> BoolArray:
    mask = empty()
    mask[slice_, row, column] = True
    return mask


def cube(shift: int = 0) -> BoolArray:
    """Two slices of 4x4 voxels, moved along the columns."""
    mask = empty()
    mask[1:3, 2:6, 1 + shift : 5 + shift] = True
    return mask


def test_a_mask_against_itself_is_perfect() -> None:
    result = patient_metrics(cube(), cube())
    assert result.undefined == {}
    assert result.values == {
        "dice": 1,
        "hd95_px": 0,
        "nsd": 1,
        "precision": 1,
        "recall": 1,
        "volumetric_similarity": 1,
        "positive_slice_dice": 1,
        "slice_detection_sensitivity": 1,
        "false_positive_slice_rate": 0,
        "true_voxels": 32,
        "predicted_voxels": 32,
        "intersection_voxels": 32,
    }


def test_the_values_stand_in_the_order_of_the_table() -> None:
    assert list(patient_metrics(cube(), cube()).values) == list(METRICS)


def test_two_voxels_at_distance_two() -> None:
    values = patient_metrics(voxel(1, 2, 3), voxel(1, 2, 5)).values
    assert (values["dice"], values["hd95_px"], values["nsd"]) == (0, 2, 1)


def test_the_tolerance_of_the_surface_dice_is_inclusive_and_adjustable() -> None:
    apart = voxel(1, 2, 3), voxel(1, 2, 5)
    assert patient_metrics(*apart, nsd_tolerance=1.99).values["nsd"] == 0
    assert patient_metrics(*apart, nsd_tolerance=2).values["nsd"] == 1


def test_the_step_between_slices_counts_as_one_pixel_without_a_spacing() -> None:
    assert patient_metrics(voxel(1, 2, 3), voxel(3, 2, 3)).values["hd95_px"] == 2


def test_a_spacing_turns_distances_into_millimetres_axis_by_axis() -> None:
    spacing = (5, 0.5, 0.25)
    for axis, expected in enumerate((5.0, 0.5, 0.25)):
        neighbour = np.roll(voxel(1, 2, 3), 1, axis=axis)
        values = patient_metrics(voxel(1, 2, 3), neighbour, spacing_mm=spacing).values
        assert values["hd95_mm"] == expected
        assert "hd95_px" not in values


def test_the_tolerance_is_in_millimetres_where_a_spacing_is_given() -> None:
    one_slice_apart = voxel(1, 2, 3), voxel(2, 2, 3)
    assert patient_metrics(*one_slice_apart).values["nsd"] == 1
    assert patient_metrics(*one_slice_apart, spacing_mm=(5, 1, 1)).values["nsd"] == 0


def test_a_shifted_cube() -> None:
    result = patient_metrics(cube(1), cube())
    # 2 slices x 4 rows x 3 of 4 columns overlap.
    assert result.values["intersection_voxels"] == 24
    for name in ("dice", "precision", "recall", "positive_slice_dice"):
        assert result.values[name] == 0.75
    assert result.values["volumetric_similarity"] == 1
    assert result.values["hd95_px"] == 1


def test_hd95_is_the_larger_of_the_two_directions() -> None:
    # Every true voxel is predicted, so one direction is 0; the other holds the stray voxel 4 columns away,
    # one of only two predicted surface voxels: percentile 95 of (0, 4) is 3.8.
    stray = voxel(1, 2, 1) | voxel(1, 2, 5)
    expected = pytest.approx(3.8)
    assert patient_metrics(stray, voxel(1, 2, 1)).values["hd95_px"] == expected
    assert patient_metrics(voxel(1, 2, 1), stray).values["hd95_px"] == expected


def test_precision_and_recall_tell_too_much_from_too_little() -> None:
    half = cube() & (np.arange(8) < 3)
    too_little = patient_metrics(half, cube()).values
    assert (too_little["precision"], too_little["recall"]) == (1, 0.5)
    too_much = patient_metrics(cube(), half).values
    assert (too_much["precision"], too_much["recall"]) == (0.5, 1)
    assert too_much["volumetric_similarity"] == pytest.approx(2 / 3)


def test_slice_figures() -> None:
    # Truth on slices 1 and 2; the prediction hits slice 1 exactly, misses slice 2, marks slice 3 of the free 0 and 3.
    predicted = cube()
    predicted[2] = False
    predicted[3, 0, 0] = True
    values = patient_metrics(predicted, cube()).values
    assert values["positive_slice_dice"] == 0.5
    assert values["slice_detection_sensitivity"] == 0.5
    assert values["false_positive_slice_rate"] == 0.5


def test_a_slice_counts_as_detected_wherever_the_prediction_lies() -> None:
    elsewhere = voxel(1, 7, 7) | voxel(2, 7, 7)
    values = patient_metrics(elsewhere, cube()).values
    assert (values["slice_detection_sensitivity"], values["positive_slice_dice"]) == (1, 0)


TRUTH_EMPTY = {
    "hd95_px": "the truth is empty",
    "recall": "the truth is empty",
    "positive_slice_dice": "the truth is empty",
    "slice_detection_sensitivity": "the truth is empty",
}
PREDICTION_EMPTY = {"hd95_px": "the prediction is empty", "precision": "the prediction is empty"}
BOTH_EMPTY = dict.fromkeys(
    (
        "dice",
        "hd95_px",
        "nsd",
        "precision",
        "recall",
        "volumetric_similarity",
        "positive_slice_dice",
        "slice_detection_sensitivity",
    ),
    "prediction and truth are empty",
)


@pytest.mark.parametrize(
    ("predicted", "truth", "undefined"),
    [
        pytest.param(cube(), cube(), {}, id="both-present"),
        pytest.param(empty(), cube(), PREDICTION_EMPTY, id="prediction-empty"),
        pytest.param(cube(), empty(), TRUTH_EMPTY, id="truth-empty"),
        pytest.param(empty(), empty(), BOTH_EMPTY, id="both-empty"),
    ],
)
def test_what_is_undefined_in_the_four_situations(
    predicted: BoolArray, truth: BoolArray, undefined: dict[str, str]
) -> None:
    result = patient_metrics(predicted, truth)
    assert result.undefined == undefined
    assert {name for name, value in result.values.items() if value is None} == undefined.keys()


@pytest.mark.parametrize(("predicted", "truth"), [(empty(), cube()), (cube(), empty())])
def test_one_empty_mask_scores_zero_where_a_score_is_defined(predicted: BoolArray, truth: BoolArray) -> None:
    values = patient_metrics(predicted, truth).values
    assert (values["dice"], values["nsd"], values["volumetric_similarity"]) == (0, 0, 0)


def test_false_positive_slices_of_a_patient_without_tumour() -> None:
    assert patient_metrics(cube(), empty()).values["false_positive_slice_rate"] == 0.5
    assert patient_metrics(empty(), empty()).values["false_positive_slice_rate"] == 0


def test_a_patient_without_a_tumour_free_slice_has_no_false_positive_rate() -> None:
    full = np.ones((2, 3, 3), dtype=bool)
    assert patient_metrics(full, full).undefined == {"false_positive_slice_rate": "every slice holds true tumour"}


def test_the_edge_of_the_array_is_surface_like_any_other_edge() -> None:
    corner = np.zeros((3, 5, 5), dtype=bool)
    corner[:2, :3, :3] = True
    moved = np.zeros_like(corner)
    moved[:2, :3, 1:4] = True
    at_border = patient_metrics(corner, moved).values
    inside = patient_metrics(np.pad(corner, 3), np.pad(moved, 3)).values
    for name in ("hd95_px", "nsd"):
        assert at_border[name] == inside[name]


def test_a_mask_that_fills_the_array_has_a_surface() -> None:
    # 26 of the 27 voxels are surface; the mask of the centre alone has one surface voxel.
    full = np.ones((3, 3, 3), dtype=bool)
    centre = np.zeros_like(full)
    centre[1, 1, 1] = True
    values = patient_metrics(full, centre, nsd_tolerance=1).values
    # Of the 26, six lie within 1 of the centre; the centre itself lies at 1 from them: (6 + 1) / (26 + 1).
    assert values["nsd"] == pytest.approx(7 / 27)
    assert values["hd95_px"] == pytest.approx(3**0.5)


def test_in_a_single_slice_every_voxel_is_surface() -> None:
    large, small = empty((1, 8, 8)), empty((1, 8, 8))
    large[0, 1:6, 1:6] = True
    small[0, 3, 3] = True
    # All 25 voxels count, the centre at distance 0 and four at 1; in 2-D the centre would be no edge.
    assert patient_metrics(large, small, nsd_tolerance=1).values["nsd"] == pytest.approx((5 + 1) / (25 + 1))


def test_dice_alone() -> None:
    assert dice(cube(1), cube()) == 0.75
    assert dice(empty(), cube()) == 0
    assert dice(empty(), empty()) is None


def test_the_masks_are_left_alone() -> None:
    predicted, truth = cube(1), cube()
    patient_metrics(predicted, truth)
    assert np.array_equal(predicted, cube(1))
    assert np.array_equal(truth, cube())


@pytest.mark.parametrize("measure", [dice, patient_metrics])
def test_masks_of_different_shape_are_refused(measure: object) -> None:
    with pytest.raises(GliosegError, match=r"expected \(4, 8, 8\) as in the truth, found \(4, 8, 7\)"):
        measure(empty((4, 8, 7)), empty())  # type: ignore[operator]


@pytest.mark.parametrize("wrong", [np.zeros((4, 8, 8)), np.zeros((8, 8), dtype=bool)])
def test_masks_of_another_kind_are_refused(wrong: BoolArray) -> None:
    with pytest.raises(GliosegError, match="the predicted mask has the wrong form"):
        patient_metrics(wrong, empty())
    with pytest.raises(GliosegError, match="the true mask has the wrong form"):
        dice(empty(), wrong)


@pytest.mark.parametrize("spacing", [(1, 1, 0), (1, -1, 1), (1, 1, float("nan")), (1, 1, float("inf")), (1, 1)])
def test_an_impossible_spacing_is_refused(spacing: tuple[float, float, float]) -> None:
    with pytest.raises(GliosegError, match="the spacing is impossible"):
        patient_metrics(cube(), cube(), spacing_mm=spacing)


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf")])
def test_an_impossible_tolerance_is_refused(tolerance: float) -> None:
    with pytest.raises(GliosegError, match="the tolerance of the surface Dice is impossible"):
        patient_metrics(cube(), cube(), nsd_tolerance=tolerance)


def test_the_table_names_units_and_tolerance() -> None:
    in_millimetres = metric_table((5, 1, 1), 3)
    assert METRICS["hd95_px"].unit == "px"
    assert "hd95_px" not in in_millimetres
    assert in_millimetres["hd95_mm"].unit == "mm"
    assert METRICS["nsd"].title == "NSD at 2 px"
    assert in_millimetres["nsd"].title == "NSD at 3 mm"
    for metric in METRICS.values():
        assert metric.name in METRICS
        assert metric.definition.count("defined") == 1, "each definition says when it is undefined"


def test_dice_needs_no_heavy_library() -> None:
    code = "import sys, glioseg.evaluation.metrics; sys.exit('monai' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
