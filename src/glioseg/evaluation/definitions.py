"""What each metric is: its name, unit and exact definition, which stand beside every number, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from glioseg.evaluation.mask_overlap import MaskOverlap, ratio

Spacing = tuple[float, float, float]
OWN: Literal["own"] = "own"
"""In place of one spacing for all patients: each has that of its own scan."""

NSD_TOLERANCE = 2.0
"""How far two surfaces may lie apart and still agree: in pixels, or in millimetres where a spacing is given."""


@dataclass(frozen=True)
class Metric:
    """One metric of one patient.

    Attributes:
        name: The key of its value.
        title: Its name in tables and figures.
        unit: "px", "mm", "voxels", or "" for a share.
        definition: One sentence: what is computed, by which library, and when it is undefined.
        better: Which direction is good, or None for a plain count.
    """

    name: str
    title: str
    unit: str
    definition: str
    better: Literal["higher", "lower"] | None


def metric_table(
    spacing_mm: Spacing | Literal["own"] | None = None, nsd_tolerance: float = NSD_TOLERANCE
) -> dict[str, Metric]:
    """The metrics in the order of a report, by name.

    Args:
        spacing_mm: Distance between voxels along (slice, row, column), :data:`OWN`, or None for distances in pixels. It
            decides whether the table holds ``hd95_px`` or ``hd95_mm``.
        nsd_tolerance: As :data:`NSD_TOLERANCE`.
    """
    unit = "px" if spacing_mm is None else "mm"
    grid = "one pixel" if spacing_mm is None else "the scan's own" if spacing_mm == OWN else "the given spacing"
    return {metric.name: metric for metric, _ in _measured(unit, grid, nsd_tolerance)}


Measure = Callable[[MaskOverlap], float | None]
"""Of two masks the value of a metric; None where they do not define it."""
Measured = tuple[Metric, Measure]
"""An entry of the table; to add a metric is to add one."""


def measures(unit: Literal["px", "mm"]) -> dict[str, Measure]:
    """How each metric of a table in that unit is measured, by name, in its order."""
    return {metric.name: measure for metric, measure in _measured(unit, "", NSD_TOLERANCE)}


def _measured(unit: str, grid: str, tolerance: float) -> tuple[Measured, ...]:
    return *_OVERLAP[:1], *_boundary(unit, grid, tolerance), *_OVERLAP[1:], *_SLICES, *_COUNTS


def _boundary(unit: str, grid: str, tolerance: float) -> tuple[Measured, ...]:
    surface = (
        "where a surface voxel has at least one of its six neighbours outside the mask and the step between voxels, "
        f"also between slices, is {grid}"
    )
    return (
        (
            Metric(
                f"hd95_{unit}",
                "HD95",
                unit,
                "The larger of the two directed 95th percentiles of the 3-D Euclidean distances from each surface "
                f"voxel of one mask to the nearest surface voxel of the other, {surface} (MONAI "
                "compute_hausdorff_distance, percentile=95, directed=False); undefined where either mask is empty.",
                "lower",
            ),
            MaskOverlap.hd95,
        ),
        (
            Metric(
                "nsd",
                f"NSD at {tolerance:g} {unit}",
                "",
                f"Share of the surface voxels of both masks that lie within {tolerance:g} {unit} of the other mask's "
                f"surface in 3-D, {surface} (MONAI compute_surface_dice); 0 where one mask is empty, undefined where "
                "both are.",
                "higher",
            ),
            MaskOverlap.nsd,
        ),
    )


def _volumetric_similarity(masks: MaskOverlap) -> float | None:
    # Taha and Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Med Imaging 2015, section 2.3:
    # 1 - |P - T| / (P + T), written as one fraction so that an empty mask gives exactly 0.
    return ratio(2 * min(masks.predicted, masks.true), masks.predicted + masks.true)


_OVERLAP: tuple[Measured, ...] = (
    (
        Metric(
            "dice",
            "3-D Dice",
            "",
            "2 |P and T| / (|P| + |T|) over all voxels of the patient, P predicted and T true (numpy); "
            "0 where one mask is empty, undefined where both are.",
            "higher",
        ),
        MaskOverlap.dice,
    ),
    (
        Metric(
            "precision",
            "Precision",
            "",
            "Share of the patient's predicted voxels that are true, |P and T| / |P| (numpy); "
            "undefined where the prediction is empty.",
            "higher",
        ),
        lambda masks: ratio(masks.both, masks.predicted),
    ),
    (
        Metric(
            "recall",
            "Recall",
            "",
            "Share of the patient's true voxels that are predicted, |P and T| / |T| (numpy); "
            "undefined where the truth is empty.",
            "higher",
        ),
        lambda masks: ratio(masks.both, masks.true),
    ),
    (
        Metric(
            "volumetric_similarity",
            "Volumetric similarity",
            "",
            "1 - ||P| - |T|| / (|P| + |T|), which compares volumes alone and ignores where they lie (numpy); "
            "0 where one mask is empty, undefined where both are.",
            "higher",
        ),
        _volumetric_similarity,
    ),
)

_SLICES: tuple[Measured, ...] = (
    (
        Metric(
            "positive_slice_dice",
            "Dice over tumour slices",
            "",
            "Mean over the slices with true tumour of the slice's own Dice, 0 for a slice without prediction (numpy); "
            "undefined where the truth is empty.",
            "higher",
        ),
        MaskOverlap.slice_dice,
    ),
    (
        Metric(
            "slice_detection_sensitivity",
            "Tumour slices detected",
            "",
            "Share of the slices with true tumour that hold at least one predicted voxel, wherever in the slice it "
            "lies (numpy); undefined where the truth is empty.",
            "higher",
        ),
        lambda masks: ratio((masks.has_tumour & masks.is_marked).sum(), masks.has_tumour.sum()),
    ),
    (
        Metric(
            "false_positive_slice_rate",
            "Tumour-free slices marked",
            "",
            "Share of the slices without true tumour that hold at least one predicted voxel (numpy); "
            "undefined where every slice holds true tumour.",
            "lower",
        ),
        lambda masks: ratio((~masks.has_tumour & masks.is_marked).sum(), (~masks.has_tumour).sum()),
    ),
)

_COUNTS: tuple[Measured, ...] = (
    (
        Metric("true_voxels", "True voxels", "voxels", "|T|, the number of true voxels (numpy); always defined.", None),
        lambda masks: float(masks.true),
    ),
    (
        Metric(
            "predicted_voxels",
            "Predicted voxels",
            "voxels",
            "|P|, the number of predicted voxels (numpy); always defined.",
            None,
        ),
        lambda masks: float(masks.predicted),
    ),
    (
        Metric(
            "intersection_voxels",
            "Voxels in both",
            "voxels",
            "|P and T|, the number of voxels both predicted and true (numpy); always defined.",
            None,
        ),
        lambda masks: float(masks.both),
    ),
)

METRICS: dict[str, Metric] = metric_table()
"""The metrics at the default settings: distances in pixels, tolerance 2 px."""
