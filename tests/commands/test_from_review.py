import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from reading import write_predictions

from glioseg.commands.from_review import from_review
from glioseg.commands.review import open_desk
from glioseg.dataset.lgg import find_patients, read_patient
from glioseg.dataset.phantom import make_phantom
from glioseg.dataset.splits import Split, save_split
from glioseg.errors import GliosegError
from glioseg.formats.nifti import write_nifti_probability
from glioseg.review.store import Stroke


def renamed(folder: Path, name: str) -> Path:
    """A patient's folder under another name."""
    new = folder.with_name(name)
    new.mkdir()
    for path in folder.iterdir():
        shutil.copy(path, new / path.name.replace(folder.name, name))
    return new


def patients_in(data: Path) -> list[str]:
    return sorted(path.name for path in data.iterdir() if path.is_dir() and path.name != "review")


def read_all(data: Path, decisions: dict[str, str], reader: str | None = None) -> None:
    desk = open_desk(data, reader=reader)
    for case_id, case in desk.cases.cases.items():
        if case.patient in decisions:
            desk.decide(case_id, 0, decisions[case.patient], "", 1.0)
    desk.close()


def test_accepted_and_corrected_cases_become_a_training_set(few_slices: Path, tmp_path: Path) -> None:
    first, second, third = patients_in(few_slices)
    desk = open_desk(few_slices)
    case_id = next(case_id for case_id, case in desk.cases.cases.items() if case.patient == first)
    desk.draw(case_id, 0, Stroke("stroke-0001", "brush", {}, [0, 5], []))
    desk.close()
    desk = open_desk(few_slices)
    for case in desk.cases.cases.values():
        revision = 1 if case.patient == first else 0
        desk.decide(case.id, revision, "rejected" if case.patient == third else "accepted", "", 1.0)
    desk.close()
    made = from_review(few_slices, tmp_path / "new")
    assert made.written == (first, second)
    assert made.left_out == {}
    before = {files.patient: read_patient(files) for files in find_patients(few_slices)}
    for files in find_patients(tmp_path / "new"):
        volume, mask = read_patient(files)
        assert np.array_equal(volume.voxels, before[files.patient][0].voxels)
        expected = before[files.patient][1].voxels.copy()
        if files.patient == first:
            expected.reshape(-1)[:5] = True
        assert np.array_equal(mask.voxels, expected)
    record = json.loads((tmp_path / "new" / "from_review.json").read_text())
    assert [(row["patient"], row["state"]) for row in record["patients"]] == [
        (first, "corrected"),
        (second, "accepted"),
    ]


def test_who_must_stay_unseen_is_left_out_by_name_and_by_image(few_slices: Path, tmp_path: Path) -> None:
    first, second, third = patients_in(few_slices)
    data = tmp_path / "data"
    data.mkdir()
    renamed(shutil.copytree(few_slices / first, data / first), "TCGA_CS_4944_20010208")
    renamed(shutil.copytree(few_slices / second, data / second), "ANON_XX_1")
    shutil.copytree(few_slices / third, data / third)
    for name in (first, second):
        shutil.rmtree(data / name)
    save_split(Split("s", ("OTHER_1",), (), (second,)), tmp_path / "split.json")
    read_all(data, dict.fromkeys(patients_in(data), "accepted"))
    said: list[str] = []
    made = from_review(data, tmp_path / "new", split=tmp_path / "split.json", against=few_slices, progress=said.append)
    assert made.written == (third,)
    assert "published test" in made.left_out["TCGA_CS_4944_20010208"]
    assert f"shows the images of {second}" in made.left_out["ANON_XX_1"]
    assert len(said) == 2
    with pytest.raises(GliosegError, match="not an empty folder"):
        from_review(data, tmp_path / "new")


def test_a_scan_from_elsewhere_takes_the_datasets_form(tmp_path: Path) -> None:
    """The mask lies on the tumour of the written images, whichever way the scan was turned."""
    volume, truth = make_phantom(3, size=128, name="PHANTOM_CS_0001_19990101")
    affine = np.array([[0.0, 0, -1.5, 90], [0, -1.5, 0, 90], [4, 0, 0, -40], [0, 0, 0, 1]])
    flair = volume.channel("flair").astype(np.float32) * 7
    turned = np.ascontiguousarray(flair.transpose(2, 1, 0)[:, ::-1])
    order = np.zeros((4, 4))
    order[2, 0] = order[0, 2] = order[3, 3] = 1
    order[1, 1], order[1, 3] = -1, turned.shape[1] - 1
    write_nifti_probability(tmp_path / "scans" / "P" / "P_flair.nii.gz", turned, affine @ order)
    masks = tmp_path / "masks"
    write_predictions(masks, tmp_path / "scans")
    desk = open_desk(masks)
    (case_id,) = desk.cases.cases
    before = desk.mask(case_id)[1]
    tumour = truth.voxels.transpose(2, 1, 0)[:, ::-1]
    from glioseg.review.runs import as_list, runs_of

    added, removed = as_list(runs_of(tumour & ~before)), as_list(runs_of(before & ~tumour))
    desk.draw(case_id, 0, Stroke("stroke-0001", "brush", {}, added, removed))
    desk.decide(case_id, 1, "corrected", "", 1.0)
    desk.close()
    from_review(masks, tmp_path / "new")
    ((written, mask),) = (read_patient(files) for files in find_patients(tmp_path / "new"))
    assert written.voxels.dtype == np.uint8
    assert mask is not None
    assert len(written.voxels) == len(volume.voxels)
    image = written.channel("flair").astype(float)
    inside, outside = image[mask.voxels].mean(), image[(image > 20) & ~mask.voxels].mean()
    source = volume.channel("flair").astype(float)
    expected = source[truth.voxels].mean() / source[(source > 20 / 255 * source.max()) & ~truth.voxels].mean()
    assert inside / outside == pytest.approx(expected, rel=0.1)


def test_of_several_readings_one_is_named(few_slices: Path, tmp_path: Path) -> None:
    first, *_ = patients_in(few_slices)
    with pytest.raises(GliosegError, match="accepted or corrected"):
        from_review(few_slices, tmp_path / "new")
    read_all(few_slices, {first: "accepted"}, "ann")
    read_all(few_slices, {first: "rejected"}, "ben")
    with pytest.raises(GliosegError, match="--reader"):
        from_review(few_slices, tmp_path / "new")
    with pytest.raises(GliosegError, match="accepted or corrected"):
        from_review(few_slices, tmp_path / "new", reader="ben")
    with pytest.raises(GliosegError, match="no reading by cy"):
        from_review(few_slices, tmp_path / "new", reader="cy")
    assert from_review(few_slices, tmp_path / "new", reader="ann").written == (first,)
