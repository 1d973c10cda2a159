import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from glioseg.commands.predict import PatientResult, predict
from glioseg.dataset.lgg import find_patients, read_patient
from glioseg.dataset.splits import Split, save_split
from glioseg.dataset.store import open_store
from glioseg.errors import GliosegError
from glioseg.inference.contract import CONTRACT, WEIGHTS, load_contract
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Postprocessing, expected_dice
from glioseg.inference.presence import PresenceRule


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "measurements.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def copy_with_threshold(bundle: Path, folder: Path, threshold: float) -> Path:
    shutil.copytree(bundle, folder)
    contract = json.loads((folder / "contract.json").read_text())
    contract["postprocessing"]["threshold"] = threshold
    (folder / "contract.json").write_text(json.dumps(contract))
    return folder


def test_every_slice_gets_a_mask_in_the_datasets_layout(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    """Each mask is the model's own, on the slice it was predicted for."""
    out = tmp_path / "new" / "out"
    before = contents(few_slices)
    run = predict([few_slices], out, model=untrained_bundle, device="cpu")
    patients = find_patients(few_slices)
    assert run.failures == {}
    sheets = [f"{files.patient}_sheet.png" for files in patients]
    folders = [*(files.patient for files in patients), "records"]
    assert names(out) == sorted([*folders, *sheets, "measurements.csv", "run.json"])
    assert names(out / "records") == sorted(f"{files.patient}.json" for files in patients)
    model = Model.load(untrained_bundle, device="cpu")
    for files in patients:
        assert names(out / files.patient) == sorted(f"{path.stem}_mask.tif" for path in files.images)
        volume, _ = read_patient(files)
        expected = model.mask(volume).voxels
        assert 0.05 < expected.mean() < 0.95
        for image, inside in zip(files.images, expected, strict=True):
            pixels = tifffile.imread(out / files.patient / f"{image.stem}_mask.tif")
            assert pixels.dtype == np.uint8
            assert np.array_equal(pixels, inside * 255)
    assert contents(few_slices) == before


def test_the_measurements_have_a_row_for_each_patient(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle)
    measured = rows(tmp_path / "out")
    assert list(measured[0]) == list(run.results[0].as_row()) == PatientResult.columns()
    for row, result, files in zip(measured, run.results, find_patients(few_slices), strict=True):
        masks = [tifffile.imread(tmp_path / "out" / name) for name in result.files if name.endswith(".tif")]
        whole = result.measurement.whole
        volume, _ = read_patient(files)
        assert row["patient"] == result.patient == files.patient
        assert int(row["slices"]) == result.measurement.slices == len(masks) == 6
        assert int(row["tumour_slices"]) == whole.tumour_slices == sum(mask.any() for mask in masks)
        assert int(row["voxels"]) == whole.voxels == sum(int((mask == 255).sum()) for mask in masks)
        assert row["missing_sequences"] == " ".join(volume.missing)


def test_a_volume_without_spacing_is_unknown_and_never_zero(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle)
    assert all(result.measurement.whole.voxels > 0 for result in run.results)
    for row in rows(tmp_path / "out"):
        assert row["volume_ml"] == ""
        assert "volume_ml" in row["unknown"]
    for entry in json.loads((tmp_path / "out" / "run.json").read_text())["patients"]:
        assert entry["volume_ml"] is None
        assert entry["unknown"]["volume_ml"]


def test_where_no_tumour_is_found_its_volume_is_zero_whatever_the_spacing(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    model = copy_with_threshold(untrained_bundle, tmp_path / "bundle", 0.9)
    run = predict([few_slices], tmp_path / "out", model=model)
    assert all(result.measurement.whole.voxels == 0 for result in run.results)
    assert {row["volume_ml"] for row in rows(tmp_path / "out")} == {"0.0"}


def test_missing_sequences_are_told(phantom_data: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    (lacking,) = (files for files in find_patients(phantom_data) if read_patient(files)[0].missing)
    said: list[str] = []
    predict([phantom_data / lacking.patient], tmp_path / "out", model=untrained_bundle, progress=said.append)
    assert rows(tmp_path / "out")[0]["missing_sequences"] == "pre post"
    assert "without pre and post" in said[0]


def test_the_dice_that_the_model_expects_is_told(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle, device="cpu")
    model = Model.load(untrained_bundle, device="cpu")
    for result, row, files in zip(run.results, rows(tmp_path / "out"), find_patients(few_slices), strict=True):
        volume, _ = read_patient(files)
        probabilities = model.probabilities(volume)
        expected = expected_dice(probabilities, model.binarise(volume, probabilities).voxels)
        assert result.expected_dice == expected
        assert float(row["expected_dice"]) == pytest.approx(expected, abs=1e-3)


def test_a_scan_unlike_those_of_training_is_remarked_on(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(untrained_bundle, tmp_path / "model")
    contract = json.loads((model / "contract.json").read_text())
    contract["feature_ranges"] = {"flair_bright": [90.0, 91.0], "head_share": [0.0, 1.0]}
    (model / "contract.json").write_text(json.dumps(contract))
    run = predict([few_slices], tmp_path / "out", model=model)
    for result, row in zip(run.results, rows(tmp_path / "out"), strict=True):
        (remark,) = result.remarks
        assert "how bright the FLAIR's bright parts are" in remark
        assert "90.00 to 91.00" in remark
        assert row["remarks"] == remark.rstrip(".")


def test_of_what_a_model_has_seen_only_its_test_patients_are_predicted(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    first, second, third = (files.patient for files in find_patients(few_slices))
    model = shutil.copytree(untrained_bundle, tmp_path / "model")
    with pytest.raises(GliosegError, match="does not tell which patients it has not seen"):
        predict([few_slices], tmp_path / "out", model=model, out_of_fold=True)
    save_split(Split("mine", (first,), (second,), (third,)), model / "split.json")
    run = predict([few_slices], tmp_path / "out", model=model, out_of_fold=True)
    assert [result.patient for result in run.results] == [third]
    save_split(Split("mine", (first,), (), ("PHANTOM_DU_9999_19990101",)), model / "split.json")
    with pytest.raises(GliosegError, match="hold no patient of those that tested the model"):
        predict([few_slices], tmp_path / "out", model=model, out_of_fold=True)


def test_an_unknown_model_is_answered_with_those_there_are(few_slices: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="there is no model quick: expected one of unet, best, fast"):
        predict([few_slices], tmp_path / "out", model="quick")
    assert not (tmp_path / "out").exists()


def test_the_record_of_the_run_is_complete(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle, device="cpu", precision="32")
    assert run.manifest == tmp_path / "out" / "run.json"
    record = json.loads(run.manifest.read_text())
    assert {"python", "glioseg", "torch", "numpy", "tifffile"} <= record["versions"].keys()
    contract = load_contract(untrained_bundle)
    assert record["model"] == {"path": str(untrained_bundle), **contract.model_dump(mode="json")}
    weights = (untrained_bundle / WEIGHTS).read_bytes()
    assert record["model"]["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert "threads" in record["device"]
    assert record["precision"] == "32"
    assert all(0 < entry["seconds"] < record["seconds"] for entry in record["patients"])
    assert record["peak_memory_mb"] > 50
    assert record["failures"] == {}
    written = [name for entry in record["patients"] for name in entry["files"]]
    records = [f"records/{entry['patient']}.json" for entry in record["patients"]]
    assert sorted([*written, *records, "measurements.csv", "run.json"]) == sorted(contents(tmp_path / "out"))


def test_masks_beside_the_images_are_not_looked_at(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    predict([few_slices], tmp_path / "with", model=untrained_bundle)
    for number, path in enumerate(sorted(few_slices.glob("*/*_mask.tif"))):
        path.unlink() if number % 2 else path.write_bytes(b"no tif")
    run = predict([few_slices], tmp_path / "without", model=untrained_bundle)
    assert run.failures == {}
    masks = [{k: v for k, v in contents(tmp_path / out).items() if k.endswith(".tif")} for out in ("with", "without")]
    assert masks[0] == masks[1]


def test_patients_may_come_from_several_places(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    first, second, third = find_patients(few_slices)
    other = tmp_path / "other"
    shutil.move(few_slices / third.patient, other / third.patient)
    run = predict([few_slices / second.patient, other], tmp_path / "out", model=untrained_bundle)
    assert [result.patient for result in run.results] == [second.patient, third.patient]
    assert not (tmp_path / "out" / first.patient).exists()


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_one_bad_patient_is_reported_and_the_others_finish(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path, bad: int
) -> None:
    patients = [files.patient for files in find_patients(few_slices)]
    cut = find_patients(few_slices)[bad].images[-1]
    cut.write_bytes(cut.read_bytes()[:-1])
    said: list[str] = []
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle, progress=said.append)
    good = [patient for patient in patients if patient != patients[bad]]
    assert [result.patient for result in run.results] == good == [row["patient"] for row in rows(tmp_path / "out")]
    assert list(run.failures) == [patients[bad]]
    assert str(cut) in run.failures[patients[bad]]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["failures"] == run.failures
    assert [line.partition(" ")[0] for line in said] == ["[1/3]", "[2/3]", "[3/3]"]
    assert [line.endswith(" (about 1 min left)") for line in said] == [True, True, False]
    assert "skipped" in said[bad]
    assert str(cut) in said[bad]
    sheets = [f"{patient}_sheet.png" for patient in good]
    assert names(tmp_path / "out") == sorted([*good, *sheets, "measurements.csv", "records", "run.json"])
    assert names(tmp_path / "out" / "records") == sorted(f"{patient}.json" for patient in good)


def test_where_all_patients_are_bad_the_record_says_so(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    for files in find_patients(few_slices):
        files.images[2].unlink()
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle)
    assert run.results == ()
    assert len(run.failures) == 3
    assert rows(tmp_path / "out") == []
    header = (tmp_path / "out" / "measurements.csv").read_text()
    assert header == ",".join(PatientResult.columns()) + "\n"


def test_masks_are_never_written_among_images(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    """Neither into the data itself, by whichever name, nor into another copy of them."""
    elsewhere = shutil.copytree(few_slices, tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(few_slices)
    before = contents(tmp_path)
    patient = find_patients(few_slices)[1].patient
    for inputs, out in (
        (few_slices, few_slices),
        (few_slices / patient, few_slices),
        (few_slices, tmp_path / "link"),
        (few_slices, few_slices / patient / ".."),
        (few_slices / patient, elsewhere),
    ):
        with pytest.raises(GliosegError, match="whose masks would be overwritten") as caught:
            predict([inputs], out, model=untrained_bundle)
        assert str(out) in str(caught.value)
    assert contents(tmp_path) == before


def test_predicting_again_replaces_the_masks(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    empty = copy_with_threshold(untrained_bundle, tmp_path / "bundle", 0.9)
    predict([few_slices], tmp_path / "out", model=untrained_bundle)
    predict([few_slices], tmp_path / "out", model=empty)
    masks = [tifffile.imread(path) for path in (tmp_path / "out").glob("*/*_mask.tif")]
    assert len(masks) == 18
    assert not np.any(masks)


def test_a_patient_given_twice_is_refused(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    patient = find_patients(few_slices)[1].patient
    with pytest.raises(GliosegError, match=f"patient {patient} is given twice"):
        predict([few_slices, few_slices / patient], tmp_path / "out", model=untrained_bundle)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", ["none", "missing", "empty"])
def test_no_patients_are_an_error(untrained_bundle: Path, tmp_path: Path, given: str) -> None:
    (tmp_path / "empty").mkdir()
    messages = {"none": "nothing to predict", "missing": "missing does not exist", "empty": "empty holds no patient"}
    with pytest.raises(GliosegError, match=messages[given]):
        predict([] if given == "none" else [tmp_path / given], tmp_path / "out", model=untrained_bundle)
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_is_not_there_is_named(few_slices: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"there is no model .*nowhere"):
        predict([few_slices], tmp_path / "out", model=tmp_path / "nowhere")
    assert not (tmp_path / "out").exists()


def test_names_in_an_old_encoding_are_done_like_all_others(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    """As unzip leaves names that were written under Windows."""
    first = find_patients(few_slices)[0].patient
    name = os.fsdecode("TCGA_CS_Müller".encode("latin-1"))
    for path in sorted((few_slices / first).iterdir()):
        path.rename(path.with_name(path.name.replace(first, name)))
    (few_slices / first).rename(few_slices / name)
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle)
    assert run.failures == {}
    assert rows(tmp_path / "out")[-1]["patient"] == "TCGA_CS_Müller"
    assert all(path.startswith("TCGA_CS_Müller") for path in run.results[-1].files)
    assert len(list((tmp_path / "out" / "TCGA_CS_Müller").iterdir())) == 6
    assert "TCGA_CS_Müller" in [entry.patient for entry in open_store(few_slices).patients]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    said: list[str] = []
    with pytest.raises(GliosegError, match=r"cannot write into .*file"):
        predict([few_slices], tmp_path / "file" / "out", model=untrained_bundle, progress=said.append)
    assert said == []


def test_the_record_accounts_for_every_file(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    first = find_patients(few_slices)[0].patient
    (few_slices / "notes.txt").write_text("none")
    run = predict([few_slices], tmp_path / "out", model=untrained_bundle, previews=False)
    files = json.loads((tmp_path / "out" / "run.json").read_text())["files"]
    assert files["files"] == sum(path.is_file() for path in few_slices.rglob("*"))
    assert files["of_patients"][first] == 6
    assert sum(files["of_patients"].values()) + len(files["left_out"]) == files["files"]
    assert {"file": str(few_slices / "notes.txt"), "reason": "text"} in files["left_out"]
    assert run.left_out == "20 files left out: masks (18), text (2)"


@pytest.mark.parametrize("presence", ["none", "doubtful", "present"])
def test_presence_stands_in_every_record_and_none_keeps_the_candidate(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path, presence: str
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(untrained_bundle, bundle)
    low, high = {"none": (1.0, 1.0), "doubtful": (0.0, 1.0), "present": (0.0, 0.0)}[presence]
    rule = PresenceRule(intercept=0, weights={}, none_below=low, present_from=high)
    always = Postprocessing(threshold=0.01)
    contract = load_contract(bundle).model_copy(update={"presence": rule, "postprocessing": always})
    (bundle / CONTRACT).write_text(contract.model_dump_json())
    said: list[str] = []
    run = predict([few_slices], tmp_path / "out", model=bundle, previews=False, progress=said.append)
    plain = predict([few_slices], tmp_path / "plain", model=bundle, previews=False, presence=False)
    for result, without, row, line in zip(run.results, plain.results, rows(tmp_path / "out"), said, strict=True):
        assert without.finding is None
        assert without.measurement.whole.voxels > 0
        assert row["presence"] == result.as_json()["presence"] == presence
        assert result.as_json()["evidence"]["components"] >= 1
        candidate = f"{result.patient}_candidate.nii.gz"
        assert (candidate in result.files) == (presence == "none")
        if presence == "none":
            assert result.measurement.whole.voxels == 0
            kept = nibabel.load(tmp_path / "out" / candidate)
            assert np.count_nonzero(kept.dataobj) == without.measurement.whole.voxels
            assert f"no tumour, candidate in {candidate}" in line
        else:
            assert result.measurement.whole.voxels == without.measurement.whole.voxels
            assert ("DOUBTFUL" in line) == (presence == "doubtful")
