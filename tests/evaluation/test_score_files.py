"""One metric of each patient, from the three forms that scores are written in."""

from pathlib import Path

import numpy as np
import pytest

from glioseg.errors import GliosegError
from glioseg.evaluation.patient_scores import score_patient
from glioseg.evaluation.score_files import read_patient_values
from glioseg.evaluation.scores import Scores
from glioseg.volume import Mask

STUDY = """\
patient,network,width,seed,fold,metric,value
A,unet,16,0,fold-0,dice,0.8
A,unet,16,1,fold-0,dice,0.6
A,unet,16,0,fold-0,nsd,0.1
B,unet,16,0,fold-1,dice,
A,resunet-a,8,0,fold-0,dice,0.5
"""


def scores() -> Scores:
    """Of a patient that is half found, and of one whose Dice is undefined."""
    true, found, empty = np.zeros((3, 1, 1, 4), np.bool_)
    true[..., :2] = found[..., 1:3] = True
    half = score_patient(Mask("A", found), Mask("A", true))
    return Scores((half, score_patient(Mask("B", empty), Mask("B", empty))))


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("form", ["json", "csv"])
def test_scores_of_one_network_have_no_name(tmp_path: Path, form: str) -> None:
    text = scores().to_json() if form == "json" else scores().to_csv()
    path = written(tmp_path, f"scores.{form}", text)
    assert read_patient_values(path, "dice") == {"": {"A": 0.5, "B": None}}
    assert read_patient_values(path, "true_voxels") == {"": {"A": 2.0, "B": 0.0}}


def test_a_study_names_its_networks_and_a_patient_of_several_runs_has_their_mean(tmp_path: Path) -> None:
    path = written(tmp_path, "scores.csv", STUDY)
    found = read_patient_values(path, "dice")
    assert found == {"unet-16": {"A": pytest.approx(0.7), "B": None}, "resunet-a-8": {"A": 0.5}}
    assert read_patient_values(path, "nsd") == {"unet-16": {"A": 0.1}}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scores.csv", STUDY, "holds no hd95"),
        ("scores.csv", "patient,dice\nA,0.5\n", "holds no hd95"),
        ("scores.json", None, "holds no hd95"),
        ("scores.csv", "name,hd95\nA,1\n", "no table of scores.*found hd95, name"),
        ("scores.csv", "", "no table of scores.*found no row"),
        ("scores.csv", "patient,hd95\nA,near\n", "damaged row.*near"),
        ("scores.csv", "patient,hd95\nA,nan\n", "damaged row.*nan"),
        ("scores.csv", "x" * 200_000, "scores.csv cannot be read: field larger"),
        ("scores.csv", STUDY.partition("\n")[0] + "\nA\n", "holds no hd95"),
        ("scores.json", "[" * 20_000, "scores.json: the scores file is no JSON"),
        ("scores.json", "{", "scores.json: the scores file is no JSON"),
        ("scores.json", '{"schema": 1, "patients": 5}', "scores.json: the scores file is damaged at patients"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    path = written(tmp_path, name, scores().to_json() if text is None else text)
    with pytest.raises(GliosegError, match=message):
        read_patient_values(path, "hd95")


def test_a_missing_file_and_one_of_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("none.csv", "bytes.csv"):
        with pytest.raises(GliosegError, match="cannot be read"):
            read_patient_values(tmp_path / name, "dice")
