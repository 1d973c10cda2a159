"""Change between two scans: by hand, by spheres of known diameter, and by simulation of the error."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores, score_patient
from glioseg.measurement.growth import Growth, growth, mean_diameter_mm
from glioseg.measurement.measure import Measurement, measure_mask
from glioseg.measurement.region import NO_GEOMETRY
from glioseg.measurement.response import AREA, VOLUME, rano_category
from glioseg.measurement.volume_error import VolumeError, volume_error, volume_error_of
from glioseg.volume import Mask

AXIAL = np.diag([0.0, 0.0, 0.0, 1.0])
AXIAL[2, 0], AXIAL[1, 1], AXIAL[0, 2] = 1, -1, -1

EXACT = VolumeError(patients=20, left_out=0, mean_log_ratio=0.0, sd_log_ratio=0.0)
USUAL = VolumeError(patients=20, left_out=1, mean_log_ratio=0.05, sd_log_ratio=0.2)


def cuboid(slices: int, rows: int, columns: int, *, placed: bool = True) -> Measurement:
    """A tumour of so many voxels of a cubic millimetre."""
    voxels = np.zeros((50, 50, 50), np.bool_)
    voxels[:slices, :rows, :columns] = True
    return measure_mask(Mask("A", voxels, affine=AXIAL if placed else None))


def test_a_tumour_that_doubles_in_a_year() -> None:
    found = growth(cuboid(10, 20, 20), cuboid(20, 20, 20), days=365.25, error=EXACT)
    assert found.earlier_volume_ml == pytest.approx(4)
    assert found.later_volume_ml == pytest.approx(8)
    assert found.volume_change_ml == pytest.approx(4)
    assert found.volume_change_percent == pytest.approx(100)
    assert found.doubling_time_days == pytest.approx(365.25)
    # (2 V)^(1/3): 20 mm at 4 ml, 25.2 mm at 8 ml.
    assert found.diameter_velocity_mm_per_year == pytest.approx(16000 ** (1 / 3) - 20)
    assert found.volume_change_percent_interval == pytest.approx((100, 100))
    assert found.exceeds_error is True
    assert found.area_change_percent == pytest.approx(0)
    assert (found.rano_by_area, found.rano_by_volume) == ("stable", "progression")
    assert found.unknown == {}
    assert "grew from 4.0 to 8.0 ml (+100 %) in 365.25 days" in found.statement


@pytest.mark.parametrize(("days", "after"), [(100.0, 25), (400.0, 15), (30.0, 20)])
def test_rates_are_those_of_their_definitions(days: float, after: int) -> None:
    found = growth(cuboid(20, 20, 20), cuboid(after, 20, 20), days=days)
    velocity = (mean_diameter_mm(0.4 * after) - mean_diameter_mm(8.0)) / (days / 365.25)
    assert found.diameter_velocity_mm_per_year == pytest.approx(velocity)
    if after > 20:
        assert found.doubling_time_days is not None
        assert 20 * 2 ** (days / found.doubling_time_days) == pytest.approx(after)
    else:
        assert found.doubling_time_days is None
        assert found.unknown["doubling_time_days"] == "the volume does not grow"


def test_a_change_within_the_error_is_said_to_be_no_more() -> None:
    found = growth(cuboid(20, 20, 20), cuboid(24, 20, 20), days=180, error=USUAL)
    assert found.exceeds_error is False
    assert "The error of measuring alone can explain this" in found.statement
    assert "20 patients, 1 more without a ratio left out" in found.statement
    assert found.volume_change_percent_interval is not None
    low, high = found.volume_change_percent_interval
    assert low < 0 < 20 < high
    assert found.doubling_time_days_interval is None
    assert found.unknown["doubling_time_days_interval"] == "the true volume may not grow at all"
    assert found.diameter_velocity_mm_per_year_interval is not None
    assert found.diameter_velocity_mm_per_year_interval[0] < 0 < found.diameter_velocity_mm_per_year_interval[1]


def test_a_change_beyond_the_error_is_said_to_exceed_it() -> None:
    found = growth(cuboid(10, 20, 20), cuboid(40, 20, 20), days=180, error=USUAL)
    assert found.exceeds_error is True
    assert "This exceeds the error of measuring" in found.statement
    assert found.doubling_time_days_interval is not None
    fast, slow = found.doubling_time_days_interval
    assert fast < (found.doubling_time_days or 0) < slow


@given(before=st.integers(1, 50), after=st.integers(1, 50), spread=st.floats(0.01, 0.6))
@settings(max_examples=40, deadline=None)
def test_every_interval_holds_its_value_and_all_agree_on_no_change(before: int, after: int, spread: float) -> None:
    found = growth(cuboid(before, 12, 12), cuboid(after, 12, 12), days=90, error=VolumeError(12, 0, 0.0, spread))
    assert found.volume_change_ml_interval is not None
    assert found.volume_change_percent_interval is not None
    assert found.diameter_velocity_mm_per_year_interval is not None
    for name in ("volume_change_ml", "volume_change_percent", "diameter_velocity_mm_per_year"):
        low, high = getattr(found, f"{name}_interval")
        assert low <= getattr(found, name) <= high
        assert found.exceeds_error is not (low <= 0 <= high)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Simulated: an error estimated on 15 patients, then two scans of a new patient whose true ratio is 1.5."""
    chance = np.random.default_rng(7)
    spread, truth, covered, trials = 0.25, 1.5, 0, 4000
    for _ in range(trials):
        volumes = np.exp(chance.normal(0.1, spread, 15))
        error = volume_error_of((float(volume), 1.0) for volume in volumes)
        measured = truth * math.exp(chance.normal(0, spread) - chance.normal(0, spread))
        low, high = error.ratio_interval(measured)
        covered += low <= truth <= high
    # Three standard errors of a share of 0.95 in 4000 trials are 0.01.
    assert covered / trials == pytest.approx(0.95, abs=0.012)


def test_the_error_comes_from_the_scores_of_held_out_patients() -> None:
    def mask(patient: str, columns: int) -> Mask:
        voxels = np.zeros((4, 20, 20), np.bool_)
        voxels[1:3, :, :columns] = True
        return Mask(patient, voxels)

    pairs = (("A", 5, 10), ("B", 10, 10), ("C", 20, 10), ("D", 0, 10))
    scores = Scores(tuple(score_patient(mask(name, found), mask(name, true)) for name, found, true in pairs))
    error = volume_error(scores)
    assert (error.patients, error.left_out) == (3, 1)
    assert error.mean_log_ratio == pytest.approx(0)
    assert error.sd_log_ratio == pytest.approx(math.log(2))


def test_one_patient_tells_no_error() -> None:
    with pytest.raises(GliosegError, match=r"expected two patients or more .*, found 1"):
        volume_error_of([(10.0, 11.0), (0.0, 5.0), (3.0, 0.0)])


def test_without_spacing_nothing_is_said_about_growth() -> None:
    """Two files without spacing may come from two scanners: even the ratio of their voxels means nothing."""
    found = growth(cuboid(10, 20, 20, placed=False), cuboid(20, 20, 20, placed=False), days=100, error=USUAL)
    values = {name: value for name, value in vars(found).items() if name not in ("error", "unknown", "statement")}
    assert {name for name, value in values.items() if value is not None} == {"days"}
    assert found.unknown == dict.fromkeys(values.keys() - {"days"}, NO_GEOMETRY)
    assert "unknown" in found.statement


def test_without_a_date_there_is_a_change_but_no_rate() -> None:
    found = growth(cuboid(10, 20, 20), cuboid(20, 20, 20))
    assert found.volume_change_percent == pytest.approx(100)
    for name in ("days", "doubling_time_days", "diameter_velocity_mm_per_year"):
        assert getattr(found, name) is None
        assert found.unknown[name] == "the time between the scans was not given"
    assert found.exceeds_error is None
    assert "no scores of the model on held-out patients were given" in found.statement


def test_a_tumour_that_is_gone() -> None:
    found = growth(cuboid(20, 20, 20), cuboid(0, 0, 0), days=200, error=USUAL)
    assert (found.rano_by_area, found.rano_by_volume) == ("complete response", "complete response")
    assert found.volume_change_percent == pytest.approx(-100)
    assert found.exceeds_error is None
    assert found.diameter_velocity_mm_per_year is not None
    assert found.diameter_velocity_mm_per_year < 0


def test_a_tumour_that_was_not_there() -> None:
    found = growth(cuboid(0, 0, 0), cuboid(20, 20, 20), days=200, error=USUAL)
    assert found.volume_change_ml == pytest.approx(8)
    assert found.volume_change_percent is None
    assert found.unknown["volume_change_percent"] == "the earlier mask is empty"
    assert found.rano_by_volume is None
    assert found.statement.startswith("The earlier mask is empty, the later one holds 8.0 ml")


def test_a_tumour_too_small_for_rano_has_no_area() -> None:
    found = growth(cuboid(20, 5, 20), cuboid(20, 20, 20), days=200)
    assert found.area_change_percent is None
    assert found.unknown["rano_by_area"] == "no part of the earlier mask is measurable by RANO"


@pytest.mark.parametrize(
    ("change", "area", "volume"),
    [
        (-100, "partial response", "partial response"),
        (-65, "partial response", "partial response"),
        (-64.9, "partial response", "minor response"),
        (-50, "partial response", "minor response"),
        (-49.9, "minor response", "minor response"),
        (-35, "minor response", "minor response"),
        (-34.9, "minor response", "stable"),
        (-25, "minor response", "stable"),
        (-24.9, "stable", "stable"),
        (0, "stable", "stable"),
        (24.9, "stable", "stable"),
        (25, "progression", "stable"),
        (39.9, "progression", "stable"),
        (40, "progression", "progression"),
    ],
)
def test_categories_begin_where_rano_says(change: float, area: str, volume: str) -> None:
    assert rano_category(change, AREA) == area
    assert rano_category(change, VOLUME) == volume


def test_thresholds_of_the_volume_are_those_of_the_area_on_a_sphere() -> None:
    for name in ("partial_response", "minor_response", "progression"):
        on_a_sphere = 100 * ((1 + getattr(AREA, name) / 100) ** 1.5 - 1)
        assert getattr(VOLUME, name) == pytest.approx(on_a_sphere, abs=0.6)


@pytest.mark.parametrize("days", [0, -3, math.nan, math.inf])
def test_time_runs_forward(days: float) -> None:
    with pytest.raises(GliosegError, match="between the scans"):
        growth(cuboid(2, 2, 2), cuboid(2, 2, 2), days=days)


@pytest.mark.parametrize("pair", [(20, 24), (0, 20), (20, 0), (0, 0)])
@pytest.mark.parametrize("error", [None, USUAL])
def test_growth_is_strict_json_and_every_null_has_its_reason(pair: tuple[int, int], error: VolumeError | None) -> None:
    found = growth(*(cuboid(size, size, size) for size in pair), days=100, error=error)
    content = json.loads(json.dumps(found.as_json(), allow_nan=False))
    nulls = {name for name, value in content.items() if value is None and name != "error"}
    assert nulls == content["unknown"].keys()
    assert all(content["unknown"].values())
    assert set(Growth.__dataclass_fields__) <= content.keys()
