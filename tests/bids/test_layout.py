from pathlib import Path

import pytest
from bids_data import write_text

from glioseg.bids.layout import BidsDataset, BidsPicture, BidsSession, labelled
from glioseg.errors import GliosegError

NAMES = {"Name": "Practice", "BIDSVersion": "1.10.0"}


def touch(root: Path, *paths: str) -> BidsDataset:
    write_text(root / "dataset_description.json", NAMES)
    for path in paths:
        write_text(root / path, "")
    return BidsDataset(root)


def names(sessions: list[BidsSession]) -> list[str]:
    return [session.name for session in sessions]


def test_a_name_is_its_entities_and_a_suffix() -> None:
    found = BidsPicture.parse(Path("sub-01_ses-1_acq-3d_run-02_FLAIR.nii.gz"))
    assert found is not None
    assert dict(found.entities) == {"sub": "01", "ses": "1", "acq": "3d", "run": "02"}
    assert found.suffix == "FLAIR"
    assert found.stem == "sub-01_ses-1_acq-3d_run-02"


@pytest.mark.parametrize("name", ["FLAIR.nii.gz", "sub-01.nii.gz", "sub-01_acq_FLAIR.nii.gz", "sub-01_FLAIR-2.nii"])
def test_other_names_are_none_of_bids(name: str) -> None:
    assert BidsPicture.parse(Path(name)) is None


@pytest.mark.parametrize("label", ["01", "sub-01"])
def test_a_label_may_begin_with_its_key(label: str) -> None:
    assert labelled("sub", label) == "sub-01"


def test_subjects_with_and_without_sessions(tmp_path: Path) -> None:
    dataset = touch(
        tmp_path,
        "sub-02/ses-b/anat/sub-02_ses-b_FLAIR.nii",
        "sub-02/ses-a/anat/sub-02_ses-a_FLAIR.nii",
        "sub-01/anat/sub-01_FLAIR.nii",
        "derivatives/other/sub-09/anat/sub-09_FLAIR.nii",
        "sub-07_notes.txt",
    )
    assert names(dataset.sessions()) == ["sub-01", "sub-02_ses-a", "sub-02_ses-b"]
    assert names(dataset.sessions(["02"], ["ses-b"])) == ["sub-02_ses-b"]
    assert names(dataset.sessions(sessions=["a", "b"])) == ["sub-02_ses-a", "sub-02_ses-b"]


def test_images_beside_sessions_are_not_lost(tmp_path: Path) -> None:
    dataset = touch(tmp_path, "sub-01/anat/sub-01_FLAIR.nii", "sub-01/ses-1/anat/sub-01_ses-1_FLAIR.nii")
    assert names(dataset.sessions()) == ["sub-01", "sub-01_ses-1"]


@pytest.mark.parametrize(
    ("subjects", "sessions", "told"),
    [(["3"], [], "no sub-3"), ([], ["3"], "no such session"), (["1"], ["2"], "no such session")],
)
def test_what_is_not_there_is_named(tmp_path: Path, subjects: list[str], sessions: list[str], told: str) -> None:
    dataset = touch(tmp_path, "sub-1/ses-1/anat/x", "sub-2/ses-2/anat/x")
    with pytest.raises(GliosegError, match=told):
        dataset.sessions(subjects, sessions)


def test_a_data_set_without_subjects(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="no subject"):
        touch(tmp_path).sessions()


def test_bidsignore_is_written_as_gitignore(tmp_path: Path) -> None:
    write_text(tmp_path / ".bidsignore", "# not these\n*_acq-bad_*\n!*_run-2_*\nsub-02/\n")
    dataset = touch(tmp_path, "sub-01/anat/x", "sub-02/anat/x")
    anat = dataset.root / "sub-01/anat"
    assert dataset.is_ignored(anat / "sub-01_acq-bad_FLAIR.nii")
    assert not dataset.is_ignored(anat / "sub-01_acq-bad_run-2_FLAIR.nii")
    assert names(dataset.sessions()) == ["sub-01"]


@pytest.mark.parametrize(
    ("description", "told"),
    [(None, "does not exist"), ({"Name": "A"}, "does not tell BIDSVersion"), ("[", "cannot be read")],
)
def test_a_data_set_must_say_what_it_is(tmp_path: Path, description: object, told: str) -> None:
    if description is not None:
        write_text(tmp_path / "dataset_description.json", description)
    with pytest.raises(GliosegError, match=told):
        BidsDataset(tmp_path)


def test_unless_nobody_asks_for_it(tmp_path: Path) -> None:
    assert BidsDataset(tmp_path, require_description=False).description == {}


def test_derivatives_are_not_segmented(tmp_path: Path) -> None:
    write_text(tmp_path / "dataset_description.json", {**NAMES, "DatasetType": "derivative"})
    with pytest.raises(GliosegError, match="holds derivatives"):
        BidsDataset(tmp_path, require_description=False)


def test_a_file_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="is no folder"):
        BidsDataset(tmp_path / "lost")


def test_files_are_referred_to_by_uri(tmp_path: Path) -> None:
    dataset = touch(tmp_path)
    assert dataset.address(dataset.root / "sub-01/anat/a.nii") == "bids:raw:sub-01/anat/a.nii"
