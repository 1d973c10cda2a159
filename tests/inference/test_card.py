import numpy as np
import pytest

from glioseg.evaluation.calibration import LogitCounts
from glioseg.evaluation.failure_detection import FailureDetection
from glioseg.evaluation.scores import Scores, score_patient
from glioseg.inference.card import CardScores, write_card
from glioseg.inference.contract import Contract
from glioseg.inference.postprocessing import Postprocessing
from glioseg.volume import Mask


@pytest.fixture(scope="module")
def scores() -> Scores:
    """Two patients, of Dice 1 and 2/3."""
    truth = np.zeros((4, 12, 12), np.bool_)
    truth[1:3, 2:8, 2:8] = True
    half = truth.copy()
    half[:, 5:] = False
    return Scores(tuple(score_patient(Mask(n, p), Mask(n, truth)) for n, p in (("A", truth), ("B", half))))


def test_says_that_it_is_no_medical_device_and_what_it_is_for(contract: Contract) -> None:
    used = contract.model_copy(update={"postprocessing": Postprocessing(threshold=0.4, components="largest")})
    card = write_card(used, ["PHANTOM_DU_0001_19990101"])
    assert card.startswith("# unet, width 8\n")
    assert "**Not a medical device.**" in card
    assert "pre, flair, post" in card
    assert "Threshold 0.4, connected components: largest." in card
    assert card.endswith("\n")
    assert not card.endswith("\n\n")


def test_names_data_and_split(contract: Contract) -> None:
    card = write_card(contract, ["PHANTOM_DU_0001_19990101"])
    assert "3 patients fitted the weights." in card
    assert f"Split {contract.split_sha256[:12]}, data {contract.data_fingerprint[:12]}." in card


def test_weights_from_the_published_data_carry_its_licence(contract: Contract) -> None:
    card = write_card(contract, ["PHANTOM_DU_0001_19990101", "TCGA_CS_4941_19960909"])
    assert "CC BY-NC-SA 4.0" in card
    assert "The Cancer Imaging Archive" in card
    assert "no commercial use" in card


def test_weights_from_practice_patients_carry_none(contract: Contract) -> None:
    card = write_card(contract, ["PHANTOM_DU_0001_19990101"])
    assert "CC BY" not in card
    assert "practice patients or on the user's own data" in card


def test_a_table_of_scores(contract: Contract, scores: Scores) -> None:
    card = write_card(contract, [], CardScores(scores, "2 test patients"))
    assert "On 2 test patients." in card
    assert "Not scored" not in card
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    cells = {row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]] for row in rows}
    dice = cells[scores.metrics()["dice"].title]
    assert dice[0] == "0.833"
    assert dice[2:] == ["0.833", "0.667"]
    assert len({len(row.split("|")) for row in rows}) == 1


def test_a_metric_that_nobody_has_is_left_out(contract: Contract) -> None:
    empty = Mask("A", np.zeros((2, 4, 4), np.bool_))
    scores = Scores((score_patient(empty, empty),))
    card = write_card(contract, [], CardScores(scores, "1 test patient"))
    assert f"| {scores.metrics()['dice'].title} |" not in card
    assert "None" not in card


def test_without_scores_it_says_so(contract: Contract) -> None:
    assert "Not scored." in write_card(contract, [])


def test_with_evidence_of_trust_it_tells_groups_doubts_and_failures(contract: Contract, scores: Scores) -> None:
    dice = {entry.patient: entry.values["dice"] for entry in scores.patients}
    failure_detection = FailureDetection(
        {"A": 0.95, "B": 0.4}, dice, LogitCounts(np.ones((2, 2801), np.int64)).reliability()
    )
    card = write_card(contract, [], CardScores(scores, "2 test patients", failure_detection), title="U-Net 8")
    assert card.startswith("# U-Net 8\n")
    assert "| site unknown, 2 | 0.833 |" in card
    assert "1 of 2 masks have a Dice below 0.7." in card
    assert "in 100% of the pairs" in card
    assert "expected calibration error" in card
    worst = [line for line in card.splitlines() if line.startswith("| B |")]
    assert worst == ["| B | 0.667 | 0.400 | 72 | 36 |"]


def test_stand_ins_for_scans_from_elsewhere_have_a_section(contract: Contract, scores: Scores) -> None:
    failure_detection = FailureDetection({"A": 0.9, "B": 0.7}, {"A": 1.0, "B": 0.667}, LogitCounts.none().reliability())
    card = write_card(contract, [], CardScores(scores, "2 patients", failure_detection, {"A": 0.5, "B": 0.75}))
    section = card.split("## External scans")[1].split("## ")[0]
    assert "| 3-D Dice | 0.625 |" in section
    assert "domain_shift.csv" in section
    assert "Undefined" not in section
    card = write_card(contract, [], CardScores(scores, "2 patients", failure_detection, {"A": None, "B": 0.75}))
    assert "| 3-D Dice | 0.750 |" in card
    assert "Undefined, since nothing to find is left of the scan: A." in card
    assert "External scans" not in write_card(contract, [], CardScores(scores, "2 patients", failure_detection))


def test_networks_of_an_ensemble_stand_beside_each_other(contract: Contract, scores: Scores) -> None:
    worse = Scores(scores.patients[1:])
    card = write_card(contract, list("ABCDE"), CardScores(scores, "2 patients", networks={"unet-8": worse}))
    rows = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in card.splitlines() if row.startswith("| ")}
    assert rows["unet-8"] == "0.667"
    assert rows["all together"] == "0.833"
    assert "3 patients fitted the weights of the first network" in card
    assert "5 patients in all" in card
