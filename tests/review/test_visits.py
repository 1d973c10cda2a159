from pathlib import Path

import pytest

from glioseg.patients.examination import Examination
from glioseg.review.visits import Visit, last_before, visit_of


def of_name(name: str) -> Visit:
    return visit_of(name, Examination(name, name, "/scans/flair.nii.gz"))


@pytest.mark.parametrize(
    ("name", "visit"),
    [
        ("TCGA_DU_7014_19860618", Visit("TCGA_DU_7014", "1986-06-18")),
        ("P1-2020-01-02", Visit("P1", "2020-01-02")),
        ("sub-01_ses-02", Visit("sub-01", "", "02")),
        ("sub-01_ses-02_acq-iso_run-1", Visit("sub-01", "", "02")),
        # A word that tells two examinations of one name apart may tell two people apart.
        ("sub-01_ses-02_siteA", Visit("sub-01_ses-02_siteA")),
        # Neither a number nor a date alone tells a person.
        ("site_12", Visit("site_12")),
        ("20200102", Visit("20200102")),
    ],
)
def test_names_tell_person_and_time(name: str, visit: Visit) -> None:
    assert of_name(name) == visit


def test_headers_tell_more_than_the_name() -> None:
    told = Examination("P1", "key", date="20200102", person="P1 Doe")
    assert visit_of("P1_20200102", told) == Visit("P1 Doe", "2020-01-02")


def test_the_last_before_is_of_the_same_person() -> None:
    visits = [of_name(name) for name in ("A_B_1_20200101", "A_B_1_20210101", "A_B_2_20211231", "A_B_1_20220101")]
    assert last_before(visits[3], visits) == visits[1]
    assert last_before(visits[0], visits) is None
    assert last_before(visits[2], visits) is None


def test_sessions_are_counted_as_people_count() -> None:
    visits = [of_name(f"sub-1_ses-{label}") for label in ("10", "2", "1")]
    assert last_before(visits[0], visits) == visits[1]
    assert visits[1].when == "session 2"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("sub-1_sessions.tsv", "session_id\tage\tacq_time\nses-a\t40\t1999-05-06T10:00:00\n"),
        ("ses-a/sub-1_ses-a_scans.tsv", "filename\tacq_time\nanat/sub-1_ses-a_FLAIR.nii.gz\t1999-05-06T10:00:00\n"),
    ],
)
def test_the_tables_of_bids_tell_the_day(tmp_path: Path, table: str, text: str) -> None:
    flair = tmp_path / "sub-1" / "ses-a" / "anat" / "sub-1_ses-a_FLAIR.nii.gz"
    flair.parent.mkdir(parents=True)
    (tmp_path / "sub-1" / table).write_text(text)
    assert visit_of("sub-1_ses-a", Examination("", "", str(flair))) == Visit("sub-1", "1999-05-06", "a")
    assert visit_of("sub-1_ses-b", Examination("", "", str(flair).replace("ses-a", "ses-b"))).date == ""


def test_without_dates_or_sessions_nothing_is_earlier() -> None:
    assert not Visit("A").is_before(Visit("A", "2020-01-01"))
    assert not Visit("A", session="1").is_before(Visit("A", "2020-01-01"))
