"""Scores of several patients: what they say together, and that their file says the same."""

import csv
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.evaluation.metrics import METRICS
from glioseg.evaluation.scores import PatientScores, Scores, score_patient
from glioseg.evaluation.statistics import summarise
from glioseg.evaluation.subgroups import volume_tercile_limits
from glioseg.machine import library_versions
from glioseg.volume import Mask


def row_mask(patient: str, first: int, length: int) -> Mask:
    """A mask of two slices with a run of voxels in the first."""
    voxels = np.zeros((2, 1, 20), dtype=bool)
    voxels[0, 0, first : first + length] = True
    return Mask(patient, voxels)


def scored(
    patient: str, *, true: int, hit: int, site: str | None = "CS", missing: tuple[str, ...] = ()
) -> PatientScores:
    """A patient with so many true voxels, as many predicted, so many in both."""
    predicted = row_mask(patient, true - hit, true)
    return score_patient(predicted, row_mask(patient, 0, true), site=site, missing_sequences=missing)


def undefined_patient(patient: str) -> PatientScores:
    return score_patient(row_mask(patient, 0, 0), row_mask(patient, 0, 0))


SCORES = Scores(
    (
        scored("CS_1", true=10, hit=5),
        scored("CS_2", true=4, hit=4, missing=("post",)),
        scored("HT_1", true=8, hit=2, site="HT", missing=("pre", "post")),
        undefined_patient("XX_1"),
    )
)


def test_a_patient_keeps_its_site_and_missing_sequences() -> None:
    entry = scored("HT_1", true=8, hit=2, site="HT", missing=("pre", "post"))
    assert (entry.patient, entry.site, entry.missing_sequences) == ("HT_1", "HT", ("pre", "post"))
    assert entry.values["dice"] == 0.25


def test_masks_of_different_shape_name_the_patient() -> None:
    other = Mask("CS_1", np.zeros((2, 1, 19), dtype=bool))
    with pytest.raises(
        GliosegError, match=r"patient CS_1: .*expected \(2, 1, 20\) as in the truth, found \(2, 1, 19\)"
    ):
        score_patient(other, row_mask("CS_1", 0, 3))


def test_masks_of_different_patients_are_refused() -> None:
    with pytest.raises(GliosegError, match="prediction of patient CS_2 meets the truth of patient CS_1"):
        score_patient(row_mask("CS_2", 0, 3), row_mask("CS_1", 0, 3))


def test_the_summary_covers_every_metric_and_counts_the_undefined() -> None:
    summary = SCORES.summary()
    assert list(summary) == list(METRICS)
    assert summary["dice"] == summarise([0.5, 1.0, 0.25, None])
    assert (summary["dice"].count, summary["dice"].undefined) == (3, 1)


def test_pooled_dice_adds_voxels_before_it_divides() -> None:
    assert SCORES.pooled_dice() == 2 * (5 + 4 + 2) / (2 * (10 + 4 + 8))
    assert Scores((undefined_patient("XX_1"),)).pooled_dice() is None


def test_ranked_puts_the_worst_first_and_the_undefined_last() -> None:
    assert [entry.patient for entry in SCORES.ranked()] == ["HT_1", "CS_1", "CS_2", "XX_1"]


def test_a_score_of_zero_ranks_before_all_others() -> None:
    scores = Scores((*SCORES.patients, scored("ZZ_1", true=3, hit=0)))
    assert scores.ranked()[0].patient == "ZZ_1"


def test_subgroups_hold_the_dice_of_their_patients() -> None:
    groups = SCORES.subgroups()
    assert groups["site"] == {
        "CS": summarise([0.5, 1.0]),
        "HT": summarise([0.25]),
        "unknown": summarise([None]),
    }
    assert groups["missing_sequences"] == {
        "none": summarise([0.5, None]),
        "post": summarise([1.0]),
        "pre and post": summarise([0.25]),
    }


def test_volume_terciles() -> None:
    patients = tuple(scored(f"P_{true}", true=true, hit=true - 1) for true in (9, 2, 5, 3, 8, 4))
    assert volume_tercile_limits(patients) == (3, 5)
    groups = Scores(patients).subgroups()["true_volume"]
    assert list(groups) == ["smallest third", "middle third", "largest third"]
    assert groups["smallest third"] == summarise([1 / 2, 2 / 3])
    assert groups["largest third"].mean == pytest.approx((7 / 8 + 8 / 9) / 2)


def test_patients_of_equal_volume_stand_in_one_third() -> None:
    patients = tuple(scored(f"P_{number}", true=5, hit=3) for number in range(6))
    assert {name: group.count for name, group in Scores(patients).subgroups()["true_volume"].items()} == {
        "smallest third": 6
    }


def test_two_patients_have_no_terciles() -> None:
    assert "true_volume" not in Scores(SCORES.patients[:2]).subgroups()


def test_no_patients_at_all() -> None:
    scores = Scores(())
    assert scores.summary()["dice"].count == 0
    assert Scores.from_json(scores.to_json()) == scores


def test_a_patient_scored_twice_is_refused() -> None:
    with pytest.raises(GliosegError, match="patient CS_1 is scored twice"):
        Scores((SCORES.patients[0], SCORES.patients[0]))


def test_pixels_and_millimetres_do_not_mix() -> None:
    with pytest.raises(GliosegError, match=r"patient CS_1: the metrics do not fit the settings: expected .*hd95_mm"):
        Scores(SCORES.patients, spacing_mm=(5, 1, 1))


def test_an_undefined_metric_needs_a_reason() -> None:
    entry = undefined_patient("XX_1")
    with pytest.raises(GliosegError, match="patient XX_1: undefined metrics and their reasons do not match"):
        replace(entry, undefined={})


def test_json_round_trip() -> None:
    text = SCORES.to_json()
    assert Scores.from_json(text) == SCORES
    assert Scores.from_json(text).to_json() == text


def test_json_round_trip_with_a_spacing() -> None:
    masks = row_mask("CS_1", 1, 3), row_mask("CS_1", 0, 3)
    entry = score_patient(*masks, spacing_mm=(5, 0.5, 0.5), nsd_tolerance=1)
    scores = Scores((entry,), spacing_mm=(5, 0.5, 0.5), nsd_tolerance=1, libraries={"monai": "1.5"})
    again = Scores.from_json(scores.to_json())
    assert again == scores
    assert again.spacing_mm == (5, 0.5, 0.5)
    assert json.loads(scores.to_json())["settings"]["distance_unit"] == "mm"


def test_the_json_follows_its_schema() -> None:
    content = json.loads(SCORES.to_json())
    assert list(content) == ["schema", "metrics", "settings", "patients", "summary", "pooled_dice", "subgroups"]
    assert content["schema"] == 1
    assert content["metrics"] == [asdict(metric) for metric in METRICS.values()]
    assert content["settings"] == {
        "spacing_mm": None,
        "distance_unit": "px",
        "nsd_tolerance": 2,
        "bootstrap": {"resamples": 10_000, "level": 0.95, "seed": 0},
        "libraries": library_versions(),
    }
    assert content["patients"][2]["missing_sequences"] == ["pre", "post"]
    assert content["patients"][3]["values"]["dice"] is None
    assert content["patients"][3]["undefined"]["dice"] == "prediction and truth are empty"
    assert content["summary"]["dice"]["median"] == 0.5
    assert content["pooled_dice"] == 0.5
    assert content["subgroups"]["site"]["CS"]["mean"] == 0.75


def test_the_versions_name_the_libraries_of_the_definitions() -> None:
    assert {"glioseg", "numpy", "scipy"} <= SCORES.libraries.keys()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_value_that_is_not_finite_is_never_written() -> None:
    entry = SCORES.patients[0]
    broken = replace(entry, values={**entry.values, "hd95_px": float("inf")})
    with pytest.raises(ValueError, match="JSON"):
        Scores((broken,)).to_json()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"dice": 1.0', '"dice": NaN', "NaN, which strict JSON does not know"),
        ('"dice": 1.0', '"dice": "good"', r"damaged at patients\.1\.values\.dice"),
        ('"nsd_tolerance": 2.0', '"nsd_tolerance": null', "damaged at nsd_tolerance"),
        ('"settings"', '"setings"', "damaged at"),
        ('"schema": 1', '"schema": 2', "another schema: expected 1, found 2"),
        ('"patient": "CS_2"', '"patient": "CS_1"', "patient CS_1 is scored twice"),
        ("{", "", "no JSON"),
    ],
)
def test_a_damaged_file_is_refused(old: str, new: str, message: str) -> None:
    text = SCORES.to_json()
    assert old in text
    with pytest.raises(GliosegError, match=message):
        Scores.from_json(text.replace(old, new, 1))


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_json_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(GliosegError, match="another schema"):
        Scores.from_json(text)


def test_csv_has_a_row_per_patient() -> None:
    rows = list(csv.DictReader(SCORES.to_csv().splitlines()))
    assert list(rows[0]) == ["patient", "site", "missing_sequences", *METRICS]
    assert [row["patient"] for row in rows] == ["CS_1", "CS_2", "HT_1", "XX_1"]
    assert (rows[0]["dice"], rows[2]["missing_sequences"]) == ("0.5", "pre post")
    assert (rows[3]["site"], rows[3]["dice"], rows[3]["true_voxels"]) == ("", "", "0.0")
