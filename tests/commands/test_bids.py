import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from bids_data import errors_of, write_image, write_raw_data, write_text, write_visit

from glioseg.bids.columns import SCANS
from glioseg.bids.derivatives import describe_derivatives
from glioseg.bids.layout import BidsDataset
from glioseg.commands.bids import segment_participants, summarise_group
from glioseg.commands.predict import PredictionRun
from glioseg.commands.review import open_desk
from glioseg.errors import GliosegError
from glioseg.formats.masks import read_mask
from glioseg.inference.contract import CONTRACT, load_contract
from glioseg.inference.postprocessing import Postprocessing
from glioseg.inference.presence import PresenceRule
from glioseg.review.runs import as_list, runs_of
from glioseg.review.store import Stroke
from glioseg.review.visits import Visit

FLAIRS = {
    "sub-01": "sub-01/anat/sub-01",
    "sub-02_ses-1_run-1": "sub-02/ses-1/anat/sub-02_ses-1_run-1",
    "sub-02_ses-1_run-2": "sub-02/ses-1/anat/sub-02_ses-1_run-2",
    "sub-02_ses-2": "sub-02/ses-2/anat/sub-02_ses-2",
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only to be read."""
    return write_raw_data(tmp_path_factory.mktemp("bids") / "raw")


@pytest.fixture
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with what real data sets hold besides."""
    root = write_raw_data(tmp_path_factory.mktemp("odd") / "raw")
    write_text(root / ".bidsignore", "*_acq-bad_*\n")
    voxels = np.ones((3, 4, 5))
    write_image(root / "sub-01/anat/sub-01_acq-multi_FLAIR.nii.gz", np.ones((3, 4, 5, 2)))
    write_image(root / "sub-01/anat/sub-01_acq-localizer_FLAIR.nii.gz", voxels)
    write_image(root / "sub-01/anat/sub-01_acq-bad_FLAIR.nii.gz", voxels)
    write_image(root / "sub-01/anat/sub-01_T2w.nii.gz", voxels)
    write_image(root / "sub-03/anat/sub-03_T1w.nii.gz", voxels)
    write_text(root / "derivatives/other/dataset_description.json", {"Name": "Other", "BIDSVersion": "1.10.0"})
    write_image(root / "derivatives/other/sub-09/anat/sub-09_FLAIR.nii.gz", voxels)
    return root


@pytest.fixture(scope="module")
def segment(untrained_bundle: Path) -> Callable[..., PredictionRun]:
    def run(raw: Path, out: Path, **settings: Any) -> PredictionRun:
        settings = {"model": untrained_bundle, "device": "cpu", "previews": False, **settings}
        return segment_participants(raw, out, **settings)

    return run


@pytest.fixture(scope="module")
def derived(raw: Path, segment: Callable[..., PredictionRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The derivatives of the whole set, both levels, in the folder that BIDS proposes; only to be read."""
    out = raw / "derivatives" / "glioseg"
    assert segment(raw, out, previews=True).failures == {}
    summarise_group(raw, out)
    return out


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of every file but the logs."""
    files = (path for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts)
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_both_sides_pass_the_official_validator(derived: Path) -> None:
    assert errors_of(derived.parents[1]) == []
    assert errors_of(derived) == []


def test_the_validator_would_find_an_error(tmp_path: Path) -> None:
    write_raw_data(tmp_path)
    write_text(tmp_path / "sub-01/anat/sub-01_tumour.nii.gz", "")
    assert any("sub-01_tumour" in error for error in errors_of(tmp_path))


@pytest.mark.parametrize(("name", "stem"), FLAIRS.items())
def test_masks_lie_on_the_grid_of_their_flair(derived: Path, name: str, stem: str) -> None:
    flair = nibabel.load(derived.parents[1] / f"{stem}_FLAIR.nii.gz")
    mask, probability = (nibabel.load(derived / f"{stem}_label-tumor_{what}.nii.gz") for what in ("mask", "probseg"))
    for image in (mask, probability):
        assert image.shape == flair.shape
        assert np.array_equal(image.affine, flair.affine)
    assert set(np.unique(mask.dataobj)) == {0, 1}
    assert mask.get_data_dtype() == np.uint8
    assert 0 <= probability.get_fdata().min() < probability.get_fdata().max() <= 1


def test_a_mask_tells_where_it_comes_from(derived: Path) -> None:
    raw = derived.parents[1]
    for stem in FLAIRS.values():
        told = json.loads((derived / f"{stem}_label-tumor_mask.json").read_text())
        assert told["Type"] == "Lesion"
        assert told["SpatialReference"] == f"bids:raw:{stem}_FLAIR.nii.gz"
        assert told["Threshold"] == 0.4325
        assert told["Sources"][0] == told["SpatialReference"]
        assert all((raw / source.removeprefix("bids:raw:")).is_file() for source in told["Sources"])
    assert len(told["Sources"]) == 1
    run_2 = json.loads((derived / f"{FLAIRS['sub-02_ses-1_run-2']}_label-tumor_probseg.json").read_text())
    names = [Path(source).name for source in run_2["Sources"]]
    assert names == [f"sub-02_ses-1_{what}.nii.gz" for what in ("run-2_FLAIR", "run-2_T1w", "ce-gd_run-2_T1w")]


def test_the_data_set_tells_what_it_is(derived: Path) -> None:
    told = json.loads((derived / "dataset_description.json").read_text())
    assert told["DatasetType"] == "derivative"
    assert told["GeneratedBy"][0]["Name"] == "glioseg"
    assert told["GeneratedBy"][0]["Version"]
    assert told["License"] == "CC0"
    assert (derived / told["DatasetLinks"]["raw"]).resolve() == derived.parents[1]


def test_measurements_lie_in_a_table_of_each_session_whose_columns_are_defined(derived: Path) -> None:
    rows = {}
    for path in sorted(derived.glob("**/*_scans.tsv")):
        assert set(json.loads(path.with_suffix(".json").read_text())) == set(SCANS)
        for row in table(path):
            mask = nibabel.load(path.parent / row["filename"])
            assert int(row["voxels"]) == np.count_nonzero(mask.dataobj)
            volume_ml = np.count_nonzero(mask.dataobj) * abs(np.linalg.det(mask.affine)) / 1000
            assert float(row["volume_ml"]) == pytest.approx(volume_ml, abs=0.001)
            rows[Path(row["filename"]).name] = row
    assert list(rows) == [f"{name}_label-tumor_mask.nii.gz" for name in FLAIRS]
    assert rows["sub-02_ses-2_label-tumor_mask.nii.gz"]["missing_sequences"] == "pre post"
    assert {row["presence"] for row in rows.values()} == {"n/a"}


def test_the_group_has_one_table_and_one_report(derived: Path) -> None:
    rows = table(derived / "group_tumor.tsv")
    assert [row["filename"] for row in rows] == [f"{stem}_label-tumor_mask.nii.gz" for stem in FLAIRS.values()]
    assert [row["session_id"] for row in rows] == ["n/a", "ses-1", "ses-1", "ses-2"]
    assert set(json.loads((derived / "group_tumor.json").read_text())) == set(rows[0])
    page = (derived / "report.html").read_text()
    for name in FLAIRS:
        sheet = f"{name[:6]}/figures/{name}_sheet.png"
        assert (derived / sheet).is_file()
        assert sheet in page


def test_a_second_run_leaves_what_is_done(raw: Path, derived: Path, segment: Callable[..., PredictionRun]) -> None:
    before = contents(derived)
    run = segment(raw, derived, previews=True)
    assert run.results == ()
    assert run.already == len(FLAIRS)
    assert contents(derived) == before


def test_subjects_one_by_one_give_the_same_as_all_together(
    raw: Path, derived: Path, segment: Callable[..., PredictionRun], tmp_path: Path
) -> None:
    for label in ("02", "sub-01"):
        segment(raw, tmp_path, participants=[label], previews=True)
    summarise_group(raw, tmp_path)
    one_by_one, together = ({name: new[0] for name, new in contents(out).items()} for out in (tmp_path, derived))
    differing = {name for name in one_by_one | together if one_by_one.get(name) != together.get(name)}
    # Only where the raw data set lies is another place from here.
    assert differing == {"dataset_description.json"}


def test_only_what_has_changed_or_was_broken_off_is_done_again(
    raw: Path, derived: Path, segment: Callable[..., PredictionRun], tmp_path: Path
) -> None:
    own, out = tmp_path / "raw", tmp_path / "out"
    # With their times, by which files are known.
    shutil.copytree(raw, own, ignore=shutil.ignore_patterns("derivatives"))
    shutil.copytree(derived, out)
    (out / "logs/records/sub-02_ses-2.json").unlink()
    write_visit(own / "sub-01", "sub-01", seed=9, sequences=("pre",))
    done = segment(own, out, previews=True).results
    assert [one.patient for one in done] == ["sub-01", "sub-02_ses-2"]


def test_every_flair_is_done_or_named_with_the_reason(
    odd: Path, segment: Callable[..., PredictionRun], tmp_path: Path
) -> None:
    assert errors_of(odd) == []
    (odd / "sub-04/anat").mkdir(parents=True)
    (odd / "sub-04/anat/sub-04_FLAIR.nii.gz").write_bytes(b"no image")
    run = segment(odd, tmp_path)
    assert {one.patient for one in run.results} == set(FLAIRS)
    assert set(run.failures) == {"sub-03", "sub-04"}
    assert "there is no FLAIR" in run.failures["sub-03"]
    assert "sub-04_FLAIR.nii.gz" in run.failures["sub-04"]
    left_out = {
        Path(one["file"]).name: one["reason"] for one in json.loads(run.manifest.read_text())["files"]["left_out"]
    }
    assert set(left_out) == {
        f"sub-01_{what}.nii.gz" for what in ("acq-multi_FLAIR", "acq-localizer_FLAIR", "acq-bad_FLAIR", "T2w")
    }
    rows = {row["participant_id"]: row for row in (one.as_row() for one in summarise_group(odd, tmp_path))}
    assert rows["sub-03"]["state"] == rows["sub-04"]["state"] == "failed"
    assert rows["sub-04"]["reason"] == run.failures["sub-04"]
    assert "sub-09" not in rows
    assert errors_of(tmp_path) == []
    # What failed is told again, and tried again only when that is asked for.
    again = segment(odd, tmp_path)
    assert (again.failures, again.results) == (run.failures, ())


def test_no_tumour_leaves_the_candidate_beside_an_empty_mask(
    raw: Path, untrained_bundle: Path, segment: Callable[..., PredictionRun], tmp_path: Path
) -> None:
    bundle = shutil.copytree(untrained_bundle, tmp_path / "bundle")
    rule = PresenceRule(intercept=0, weights={}, none_below=1, present_from=1)
    update = {"presence": rule, "postprocessing": Postprocessing(threshold=0.01)}
    (bundle / CONTRACT).write_text(load_contract(bundle).model_copy(update=update).model_dump_json())
    out = tmp_path / "out"
    segment(raw, out, model=bundle, participants=["01"])
    assert not np.any(nibabel.load(out / "sub-01/anat/sub-01_label-tumor_mask.nii.gz").dataobj)
    candidate = out / "sub-01/anat/sub-01_label-tumor_desc-candidate_mask.nii.gz"
    assert np.any(nibabel.load(candidate).dataobj)
    assert table(out / "sub-01/sub-01_scans.tsv")[0]["presence"] == "none"
    assert errors_of(out) == []
    segment(raw, out, model=bundle, participants=["01"], presence=False, probabilities=False)
    assert not list(out.rglob("*candidate*"))
    assert np.any(nibabel.load(out / "sub-01/anat/sub-01_label-tumor_mask.nii.gz").dataobj)


def test_what_a_user_adds_to_the_derivatives_stays(raw: Path, tmp_path: Path) -> None:
    dataset = BidsDataset(raw)
    describe_derivatives(tmp_path, dataset)
    path, ignored = tmp_path / "dataset_description.json", tmp_path / ".bidsignore"
    path.write_text(json.dumps({**json.loads(path.read_text()), "Authors": ["Ann"], "Name": "Other"}))
    ignored.write_text("notes.txt\n")
    (tmp_path / "README.md").write_text("Ours.\n")
    describe_derivatives(tmp_path, dataset)
    told = json.loads(path.read_text())
    assert (told["Authors"], told["Name"]) == (["Ann"], "Tumour masks of Practice")
    assert ignored.read_text().splitlines()[:2] == ["notes.txt", "*.html"]
    assert (tmp_path / "README.md").read_text() == "Ours.\n"


def test_another_data_set_is_not_overwritten(raw: Path, segment: Callable[..., PredictionRun], tmp_path: Path) -> None:
    write_text(tmp_path / "dataset_description.json", {"Name": "fMRIPrep", "GeneratedBy": [{"Name": "fMRIPrep"}]})
    with pytest.raises(GliosegError, match="holds another data set"):
        segment(raw, tmp_path)
    with pytest.raises(GliosegError, match="is the data set itself"):
        segment(raw, raw)


def test_a_group_of_nothing(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="holds no result yet"):
        summarise_group(raw, tmp_path)


def test_derivatives_open_in_the_desk_and_corrections_keep_their_layout(derived: Path, tmp_path: Path) -> None:
    raw = shutil.copytree(derived.parents[1], tmp_path / "raw")
    out, name = raw / "derivatives" / "glioseg", "sub-02_ses-1_run-2"
    write_text(raw / "sub-02/sub-02_sessions.tsv", "session_id\tacq_time\nses-2\t2002-03-04\n")
    before = contents(out)
    desk = open_desk(out)
    assert {case.patient: case.problem for case in desk.cases.cases.values()} == dict.fromkeys(FLAIRS)
    case_id = next(key for key, case in desk.cases.cases.items() if case.patient == name)
    later = next(case for case in desk.cases.cases.values() if case.patient == "sub-02_ses-2")
    assert later.visit == Visit("sub-02", "2002-03-04", "2")
    told = desk.describe(case_id)
    assert told["threshold"] is not None
    assert told["probability"] is not None
    expected = ~desk.mask(case_id)[1]
    turned = Stroke("stroke-0001", "brush", added=as_list(runs_of(expected)), removed=as_list(runs_of(~expected)))
    desk.draw(case_id, 0, turned)
    assert desk.decide(case_id, 1, "accepted", "", 1.0)[0] == "corrected"
    desk.close()

    mask = out / "review/shared" / f"{FLAIRS[name]}_label-tumor_mask.nii.gz"
    assert np.array_equal(read_mask(mask).voxels, expected)
    assert np.array_equal(nibabel.load(mask).affine, nibabel.load(raw / f"{FLAIRS[name]}_FLAIR.nii.gz").affine)
    described = json.loads(mask.with_name(f"{name}_label-tumor_mask.json").read_text())
    assert described["Manual"] is True
    assert described["Reader"] == desk.reader
    assert f"bids:raw:{FLAIRS[name]}_FLAIR.nii.gz" in described["Sources"]
    assert (out / f"review/shared/sub-02/figures/{name}_sheet.png").is_file()
    assert contents(out).items() >= before.items()
    assert errors_of(out) == []

    desk = open_desk(out)
    desk.decide(case_id, 2, "rejected", "", 1.0)
    desk.close()
    assert [path for path in (out / "review/shared").rglob("*") if name in path.name] == []
    assert contents(out).items() >= before.items()
