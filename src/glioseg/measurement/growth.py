"""How a patient's tumour changed between two scans, and whether the measurement could tell."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from glioseg.errors import GliosegError
from glioseg.measurement.measure import Measurement
from glioseg.measurement.region import NO_GEOMETRY, Range, rounded
from glioseg.measurement.response import AREA, VOLUME, Category, rano_category
from glioseg.measurement.volume_error import LEVEL, VolumeError

DAYS_PER_YEAR = 365.25

NO_DAYS = "the time between the scans was not given"
NO_ERROR = "the error of the volumes was not given: no scores of the model on held-out patients"
NO_EARLIER_TUMOUR = "the earlier mask is empty"
NO_LATER_TUMOUR = "the later mask is empty"
NO_EARLIER_AREA = "no part of the earlier mask is measurable by RANO"
NO_LATER_AREA = "no part of the later mask is measurable by RANO"
NOT_GROWING = "the volume does not grow"


@dataclass(frozen=True)
class Growth:
    """The change from an earlier to a later scan. What cannot be known is None, and ``unknown`` says why.

    Every interval holds the true value with a probability of 95 % if the volumes have the error that was given. It
    is an interval of the ratio of the volumes; where it is carried over to millilitres and millimetres, the earlier
    volume is taken as measured, so that all of them include "no change" or none does.

    Attributes:
        days: From the earlier scan to the later one.
        earlier_volume_ml: The volume then.
        later_volume_ml: The volume afterwards.
        volume_change_ml: The difference.
        volume_change_ml_interval: Its interval.
        volume_change_percent: The difference as a share of the earlier volume.
        volume_change_percent_interval: Its interval.
        exceeds_error: Whether the change is larger than the error of measuring explains: the interval is free of 0.
        area_change_percent: Change of the sum of diameter products of the measurable components.
        rano_by_area: The category of that change: response from -50 %, minor response from -25 %, progression from
            +25 % on (RANO for low-grade glioma: van den Bent et al., Lancet Oncol 2011).
        rano_by_volume: The category of the change in volume: -65 %, -35 % and +40 % (RANO 2.0: Wen et al., J Clin
            Oncol 2023).
        doubling_time_days: In which time a volume that grows exponentially at this rate doubles.
        doubling_time_days_interval: Its interval, None where the true volume may not grow at all.
        diameter_velocity_mm_per_year: How fast the mean tumour diameter (2 V)^(1/3) grows (Mandonnet et al., Ann
            Neurol 2003: 4.1 mm a year in untreated grade II oligodendroglioma; Pallud et al., Neuro-Oncology 2013:
            8 mm a year and more go with early malignant progression).
        diameter_velocity_mm_per_year_interval: Its interval.
        error: The error of the volumes, or None.
        unknown: For each value that is None, the reason.
        statement: The change in words.
    """

    days: float | None
    earlier_volume_ml: float | None
    later_volume_ml: float | None
    volume_change_ml: float | None
    volume_change_ml_interval: Range | None
    volume_change_percent: float | None
    volume_change_percent_interval: Range | None
    exceeds_error: bool | None
    area_change_percent: float | None
    rano_by_area: Category | None
    rano_by_volume: Category | None
    doubling_time_days: float | None
    doubling_time_days_interval: Range | None
    diameter_velocity_mm_per_year: float | None
    diameter_velocity_mm_per_year_interval: Range | None
    error: VolumeError | None
    unknown: dict[str, str]
    statement: str

    def as_json(self) -> dict[str, Any]:
        """Everything, numbers to a thousandth, ready for strict JSON."""
        return {**rounded(asdict(self)), "level": LEVEL}


def growth(
    earlier: Measurement, later: Measurement, *, days: float | None = None, error: VolumeError | None = None
) -> Growth:
    """Compare two masks of one patient.

    Args:
        earlier: The mask of the earlier scan, measured.
        later: That of the later scan; it may lie on another grid.
        days: The time between the scans, ``(later_date - earlier_date).days``.
        error: How far the volumes of whatever drew the masks lie from the truth.

    Raises:
        GliosegError: If the time is no positive number.

    Example:
        >>> from glioseg.measurement.measure import measure_mask
        >>> from glioseg.volume import Mask
        >>> affine, voxels = np.diag([5.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]], np.zeros((10, 40, 40), bool)
        >>> voxels[2:6, 10:30, 10:30] = True
        >>> earlier = measure_mask(Mask("P1", voxels.copy(), affine=affine))
        >>> voxels[2:7, 10:30, 10:30] = True
        >>> later = measure_mask(Mask("P1", voxels, affine=affine))
        >>> growth(earlier, later, days=180).volume_change_percent
        25.0
    """
    if days is not None and not 0 < days < math.inf:
        raise GliosegError(
            f"{days:g} days lie between the scans", expected="a positive number", remedy="Give the earlier scan first"
        )
    facts = _Facts()
    facts.know("days", days, NO_DAYS)
    _volumes(facts, earlier, later, error)
    _categories(facts, earlier, later)
    _rates(facts)
    values = facts.values
    return Growth(**values, error=error, unknown=facts.unknown, statement=_statement(values, error))


class _Facts:
    """Values as they become known, each with its reason where it does not."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unknown: dict[str, str] = {}

    def know(self, name: str, value: Any, reason: str | None = None) -> None:
        """Note a value; where it is None, the reason."""
        self.values[name] = value
        if value is None:
            self.unknown[name] = reason or ""

    def why(self, *names: str) -> str | None:
        """The reason why one of these values is unknown, the first in order, or None if all are known."""
        return next((self.unknown[name] for name in names if name in self.unknown), None)


def _volumes(facts: _Facts, earlier: Measurement, later: Measurement, error: VolumeError | None) -> None:
    before, after = earlier.whole.volume_ml, later.whole.volume_ml
    facts.know("earlier_volume_ml", before, NO_GEOMETRY)
    facts.know("later_volume_ml", after, NO_GEOMETRY)
    known = before is not None and after is not None
    facts.know("volume_change_ml", (after or 0) - (before or 0) if known else None, NO_GEOMETRY)
    ratio = (after or 0) / before if known and before else None
    no_ratio = NO_EARLIER_TUMOUR if known else NO_GEOMETRY
    facts.know("volume_change_percent", None if ratio is None else 100 * (ratio - 1), no_ratio)
    interval = error.ratio_interval(ratio) if error is not None and ratio else None
    no_interval = facts.why("volume_change_percent") or (NO_LATER_TUMOUR if not after else NO_ERROR)
    low, high = interval or (math.nan, math.nan)
    facts.know(
        "volume_change_ml_interval",
        ((before or 0) * (low - 1), (before or 0) * (high - 1)) if interval else None,
        no_interval,
    )
    facts.know("volume_change_percent_interval", (100 * (low - 1), 100 * (high - 1)) if interval else None, no_interval)
    facts.know("exceeds_error", not low <= 1 <= high if interval else None, no_interval)


def _categories(facts: _Facts, earlier: Measurement, later: Measurement) -> None:
    gone = bool(earlier.whole.voxels) and not later.whole.voxels
    before, after = earlier.sum_of_products_mm2, 0.0 if gone else later.sum_of_products_mm2
    reasons = (earlier.unknown.get("sum_of_products_mm2"), None if gone else later.unknown.get("sum_of_products_mm2"))
    change = 100 * (after / before - 1) if before and after is not None else None
    no_change = _area_reason(*reasons)
    facts.know("area_change_percent", change, no_change)
    by_area = "complete response" if gone else None if change is None else rano_category(change, AREA)
    facts.know("rano_by_area", by_area, no_change)
    change = facts.values["volume_change_percent"]
    by_volume = "complete response" if gone else None if change is None else rano_category(change, VOLUME)
    facts.know("rano_by_volume", by_volume, facts.why("volume_change_percent"))


def _area_reason(earlier: str | None, later: str | None) -> str:
    if NO_GEOMETRY in (earlier, later):
        return NO_GEOMETRY
    return NO_EARLIER_AREA if earlier else NO_LATER_AREA


def _rates(facts: _Facts) -> None:
    days, before, after = (facts.values[name] for name in ("days", "earlier_volume_ml", "later_volume_ml"))
    interval = facts.values["volume_change_percent_interval"]
    no_rate, no_interval = facts.why("volume_change_ml", "days"), facts.why("volume_change_percent_interval")
    velocity = None if no_rate else (mean_diameter_mm(after) - mean_diameter_mm(before)) / days * DAYS_PER_YEAR
    facts.know("diameter_velocity_mm_per_year", velocity, no_rate)
    ends = tuple(
        mean_diameter_mm(before) * ((1 + percent / 100) ** (1 / 3) - 1) / days * DAYS_PER_YEAR
        for percent in (interval if interval and not no_rate else ())
    )
    facts.know("diameter_velocity_mm_per_year_interval", ends or None, no_rate or no_interval)
    doubling = None if no_rate or not 0 < before < after else _doubling_days(days, after / before)
    no_doubling = no_rate or (NOT_GROWING if before else NO_EARLIER_TUMOUR)
    facts.know("doubling_time_days", doubling, no_doubling)
    bounded = doubling is not None and interval is not None and interval[0] > 0
    times = tuple(_doubling_days(days, 1 + percent / 100) for percent in reversed(interval)) if bounded else None
    no_times = facts.why("doubling_time_days") or no_interval or "the true volume may not grow at all"
    facts.know("doubling_time_days_interval", times, no_times)


def mean_diameter_mm(volume_ml: float) -> float:
    """The mean tumour diameter of a volume, (2 V)^(1/3) as Mandonnet et al. define it (Ann Neurol 2003)."""
    return float((2000 * volume_ml) ** (1 / 3))


def _doubling_days(days: float, ratio: float) -> float:
    return days * math.log(2) / math.log(ratio)


def _statement(values: dict[str, Any], error: VolumeError | None) -> str:
    change, percent, days = (values[name] for name in ("volume_change_ml", "volume_change_percent", "days"))
    if change is None:
        return "How the volume changed is unknown: a mask carries no voxel spacing."
    when = f" in {days:g} days" if days is not None else ""
    volumes = f"from {values['earlier_volume_ml']:.1f} to {values['later_volume_ml']:.1f} ml"
    if percent is None:
        return f"The earlier mask is empty, the later one holds {values['later_volume_ml']:.1f} ml{when}."
    direction = "grew" if change > 0 else "shrank" if change < 0 else "did not change"
    return f"The volume {direction} {volumes} ({percent:+.0f} %){when}. {_verdict(values, error)}"


def _verdict(values: dict[str, Any], error: VolumeError | None) -> str:
    interval = values["volume_change_percent_interval"]
    if interval is None or error is None:
        reason = "the later mask is empty" if error else "no scores of the model on held-out patients were given"
        return f"Whether this exceeds the error of measuring is unknown: {reason}."
    verdict = (
        "This exceeds the error of measuring"
        if values["exceeds_error"]
        else "The error of measuring alone can explain this"
    )
    left_out = f", {error.left_out} more without a ratio left out" if error.left_out else ""
    return (
        f"{verdict}: the change lies between {interval[0]:+.0f} and {interval[1]:+.0f} % with a probability of "
        f"{LEVEL:.0%}, by the error on {error.patients} patients{left_out}."
    )
