import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glioseg.dataset.lgg import case_of, site_of
from glioseg.dataset.splits import (
    PARTS,
    PUBLISHED_TEST_CASES,
    Split,
    SplitChoice,
    check_patients_present,
    fold_splits,
    load_split,
    published_split,
    save_split,
    site_split,
)
from glioseg.errors import GliosegError

PUBLISHED = sorted(f"{case}_20000101" for case in PUBLISHED_TEST_CASES)
FEW = settings(deadline=None, max_examples=40)
DATES = ("19990101", "20051231")

NAMES = st.builds(
    "TCGA_{}_{:04d}_{}".format,
    st.sampled_from(["CS", "DU", "EZ", "FG", "HT"]),
    st.integers(1, 60),
    st.sampled_from(DATES),
)
PATIENTS = st.lists(NAMES, min_size=12, max_size=60, unique=True)
"""Persons of five hospitals, some of them taken twice."""


def members(split: Split) -> dict[str, set[str]]:
    return {part: set(getattr(split, part)) for part in PARTS}


def persons(patients: tuple[str, ...] | list[str] | set[str]) -> set[str]:
    return {case_of(patient) for patient in patients}


def assert_every_patient_has_one_part(split: Split, patients: list[str]) -> None:
    parts = [persons(getattr(split, part)) for part in PARTS]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert sorted(split.train + split.validation + split.test) == sorted(patients)


@FEW
@given(PATIENTS, st.sets(st.sampled_from(PUBLISHED)), st.floats(0.02, 0.5), st.integers(0, 2**32))
def test_the_published_split_gives_every_patient_one_part(
    patients: list[str], published: set[str], share: float, seed: int
) -> None:
    everyone = patients + sorted(published)
    split = published_split(everyone, validation_share=share, seed=seed)
    assert_every_patient_has_one_part(split, everyone)
    assert set(split.test) == published
    assert split.train
    assert split.validation


def test_a_folder_without_the_published_patients_has_no_test() -> None:
    split = published_split([f"TCGA_DU_{number:04d}_20000101" for number in range(20)])
    assert split.test == ()
    assert (len(split.train), len(split.validation)) == (18, 2)


def test_without_a_validation_share_all_others_train() -> None:
    split = published_split(["A_B_1_x", "A_B_2_x", *PUBLISHED], validation_share=0)
    assert (split.train, split.validation, list(split.test)) == (("A_B_1_x", "A_B_2_x"), (), PUBLISHED)


def test_one_patient_alone_trains() -> None:
    split = published_split(["A_B_1_x"])
    assert (split.train, split.validation, split.test) == (("A_B_1_x",), (), ())


@FEW
@given(PATIENTS, st.sets(st.sampled_from(PUBLISHED)), st.integers(2, 6), st.integers(0, 2**32))
def test_over_all_folds_every_patient_is_tested_once(
    patients: list[str], published: set[str], folds: int, seed: int
) -> None:
    assume(len(persons(patients)) >= folds)
    splits = fold_splits(patients + sorted(published), folds=folds, seed=seed)
    assert len(splits) == folds
    assert [split.name for split in splits] == [f"fold {number} of {folds}" for number in range(folds)]
    for split in splits:
        assert_every_patient_has_one_part(split, patients)
        assert split.test
    tested = Counter(patient for split in splits for patient in split.test)
    assert tested == dict.fromkeys(patients, 1)


@FEW
@given(PATIENTS, st.integers(2, 6), st.integers(0, 2**32))
def test_every_fold_tests_its_share_of_each_hospital(patients: list[str], folds: int, seed: int) -> None:
    assume(len(persons(patients)) >= folds)
    of_site = Counter(map(site_of, persons(patients)))
    for split in fold_splits(patients, folds=folds, seed=seed):
        tested = Counter(map(site_of, persons(split.test)))
        assert all(abs(tested[site] - count / folds) < 1 for site, count in of_site.items())
        assert abs(len(persons(split.test)) - len(persons(patients)) / folds) < 1


@FEW
@given(PATIENTS, st.sets(st.sampled_from(PUBLISHED)), st.integers(0, 2**32))
def test_a_site_that_is_left_out_is_tested_and_nothing_else(
    patients: list[str], published: set[str], seed: int
) -> None:
    site = site_of(patients[0])
    assume(len(persons([patient for patient in patients if site_of(patient) != site])) >= 2)
    split = site_split(patients + sorted(published), site, seed=seed)
    assert_every_patient_has_one_part(split, patients)
    assert set(split.test) == {patient for patient in patients if site_of(patient) == site}
    assert split.train
    assert split.validation
    assert split.name == f"without site {site}"


def test_over_all_sites_every_patient_is_tested_once() -> None:
    patients = [f"TCGA_{site}_{number:04d}_20000101" for site in ("CS", "DU", "HT") for number in range(6)]
    tested = Counter(patient for site in ("CS", "DU", "HT") for patient in site_split(patients, site).test)
    assert tested == dict.fromkeys(patients, 1)


@pytest.mark.parametrize("site", ["HT", "cs", ""])
def test_a_site_that_nobody_comes_from_cannot_be_left_out(site: str) -> None:
    patients = [f"TCGA_{of}_{number:04d}_20000101" for of in ("CS", "DU") for number in range(3)]
    with pytest.raises(GliosegError, match=f"site {site} cannot be left out") as caught:
        site_split(patients, site)
    assert "CS, DU" in str(caught.value.found)


def test_the_only_site_cannot_be_left_out() -> None:
    with pytest.raises(GliosegError, match="site CS cannot be left out"):
        site_split([f"TCGA_CS_{number:04d}_20000101" for number in range(6)], "CS")


@FEW
@given(PATIENTS, st.integers(0, 2**32))
def test_validation_takes_its_share_of_each_hospital(patients: list[str], seed: int) -> None:
    validation = published_split(patients, validation_share=0.25, seed=seed).validation
    taken = Counter(map(site_of, persons(validation)))
    for site, count in Counter(map(site_of, persons(patients))).items():
        assert abs(taken[site] - count / 4) < 1


@FEW
@given(PATIENTS, st.randoms(use_true_random=False), st.integers(0, 2**32))
def test_the_order_of_the_patients_decides_nothing(patients: list[str], random: object, seed: int) -> None:
    shuffled = list(patients)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert published_split(patients, seed=seed) == published_split(shuffled, seed=seed)
    assert fold_splits(patients, folds=2, seed=seed) == fold_splits(shuffled, folds=2, seed=seed)


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    patients = [f"TCGA_DU_{number:04d}_20000101" for number in range(40)]
    hashes = [published_split(patients, seed=seed).sha256 for seed in (0, 0, 1, 2)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert len({fold_splits(patients, folds=4, seed=seed)[0].sha256 for seed in (0, 0, 1, 2)}) == 3


@pytest.mark.parametrize("folds", [-1, 0, 1, 4])
def test_an_impossible_number_of_folds_is_refused(folds: int) -> None:
    """Three persons, one of them with two dates, and one who is always left out."""
    patients = ["A_B_1_x", "A_B_2_x", "A_B_3_x", "A_B_3_y", PUBLISHED[0]]
    with pytest.raises(GliosegError, match=f"cannot make {folds} folds") as caught:
        fold_splits(patients, folds=folds)
    assert str(caught.value.expected).startswith("2 to 3")
    assert len(fold_splits(patients, folds=3)) == 3


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "validation"), ("validation", "test")])
@pytest.mark.parametrize("date", DATES)
def test_a_person_in_two_parts_is_a_leak_even_under_another_date(parts: tuple[str, str], date: str) -> None:
    content = {**dict.fromkeys(PARTS, ()), parts[0]: ("TCGA_DU_0001_19990101",), parts[1]: (f"TCGA_DU_0001_{date}",)}
    with pytest.raises(GliosegError, match="leaks") as caught:
        Split("mine", **content)
    assert f"TCGA_DU_0001_{date} stands in {parts[0]} and in {parts[1]}" in str(caught.value)


def test_two_dates_of_a_person_may_stand_in_one_part() -> None:
    both = tuple(f"TCGA_DU_0001_{date}" for date in DATES)
    assert Split("mine", both, (), ()).train == both


@FEW
@given(PATIENTS)
def test_dates_of_a_person_stay_together(patients: list[str]) -> None:
    twice = sorted(f"{case}_{date}" for case in persons(patients) for date in DATES)
    for split in (published_split(twice), *fold_splits(twice, folds=2)):
        for part in PARTS:
            counts = Counter(map(case_of, getattr(split, part)))
            assert set(counts.values()) <= {2}


@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("patient", PUBLISHED)
def test_a_published_test_patient_outside_of_test_is_refused(part: str, patient: str) -> None:
    with pytest.raises(GliosegError, match=f"uses the published test patient {patient} in {part}"):
        Split("mine", **{**dict.fromkeys(PARTS, ()), part: (patient,)})


def test_the_hash_tells_who_stands_where_and_nothing_else() -> None:
    split = Split("mine", ("A_B_1_x", "A_B_2_x"), ("A_B_3_x",), ("A_B_4_x",))
    same = Split("other name", ("A_B_2_x", "A_B_1_x"), ("A_B_3_x",), ("A_B_4_x",))
    others = [
        Split("mine", ("A_B_1_x",), ("A_B_3_x",), ("A_B_4_x",)),
        Split("mine", ("A_B_1_x", "A_B_2_x"), ("A_B_4_x",), ("A_B_3_x",)),
        Split("mine", ("A_B_1_x", "A_B_2_x", "A_B_3_x"), (), ("A_B_4_x",)),
        Split("mine", ("A_B_1_x", "A_B_2_y"), ("A_B_3_x",), ("A_B_4_x",)),
    ]
    assert split.sha256 == same.sha256
    assert len({split.sha256, *(other.sha256 for other in others)}) == 5


@pytest.mark.parametrize("folds", [None, 3])
def test_a_split_comes_back_from_its_file(tmp_path: Path, folds: int | None) -> None:
    patients = [f"TCGA_{site}_{number:04d}_20000101" for site in ("CS", "DU") for number in range(9)] + PUBLISHED
    split = fold_splits(patients, folds=folds)[1] if folds else published_split(patients)
    save_split(split, tmp_path / "new" / "split.json")
    assert load_split(tmp_path / "new" / "split.json") == split


def saved(path: Path) -> dict[str, object]:
    save_split(Split("mine", ("A_B_1_x", "A_B_2_x"), ("A_B_3_x",), ("A_B_4_x",)), path)
    return dict(json.loads(path.read_text()))


def test_a_file_that_was_changed_by_hand_does_not_fit_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    content = saved(path)
    path.write_text(json.dumps({**content, "train": ["A_B_1_x"]}))
    with pytest.raises(GliosegError, match=r"split\.json does not fit its own sha256"):
        load_split(path)


def test_a_file_made_by_hand_needs_neither_hash_nor_name_nor_test(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"train": ["A_B_2_x", "A_B_1_x"], "validation": ["A_B_3_x"]}')
    assert load_split(path) == Split("mine", ("A_B_1_x", "A_B_2_x"), ("A_B_3_x",), ())


def test_a_file_that_leaks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text('{"train": ["A_B_1_x"], "test": ["A_B_1_y"]}')
    with pytest.raises(GliosegError, match="leaks"):
        load_split(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "train: all",
        "[]",
        "7",
        "null",
        "{}",
        '{"trian": ["A_B_1_x"]}',
        '{"train": "A_B_1_x"}',
        '{"train": [1, 2]}',
        '{"train": {"A_B_1_x": 1}}',
        '{"train": ["A_B_1_x"], "validation": null}',
        '{"train": ["A_B_1_x", "A_B_1_x"]}',
        "\ud800",
        "[" * 20_000,
    ],
)
def test_something_else_is_no_split(tmp_path: Path, content: str) -> None:
    path = tmp_path / "split.json"
    path.write_bytes(content.encode(errors="surrogatepass"))
    with pytest.raises(GliosegError, match=r"split\.json is no split file") as told:
        load_split(path)
    assert not re.search("object|NoneType|indices", str(told.value).replace("an object", ""))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"split\.json does not exist"):
        load_split(tmp_path / "split.json")
    with pytest.raises(GliosegError, match="is no split file"):
        load_split(tmp_path)


def test_patients_that_the_data_lacks_are_named() -> None:
    split = Split("mine", ("A_B_1_x", "A_B_2_x"), ("A_B_3_x",), ("A_B_4_x",))
    check_patients_present(split, ["A_B_5_x", "A_B_4_x", "A_B_3_x", "A_B_2_x", "A_B_1_x"])
    with pytest.raises(GliosegError, match="the data lacks 2 patients of split 'mine'") as caught:
        check_patients_present(split, ["A_B_2_x", "A_B_3_x"])
    assert caught.value.found == "no A_B_1_x, A_B_4_x"


def test_of_many_lacking_patients_a_few_are_named() -> None:
    split = Split("mine", tuple(f"A_B_{number}_x" for number in range(8)), (), ())
    with pytest.raises(GliosegError, match="lacks 8 patients") as caught:
        check_patients_present(split, [])
    assert caught.value.found == "no A_B_0_x, A_B_1_x, A_B_2_x, A_B_3_x, A_B_4_x, ..."


DEALT = sorted(f"PHANTOM_{site}_{n:04d}_20000101" for n, site in enumerate(("CS", "DU", "HT", "FG") * 3))


def test_choice_of_the_published_split() -> None:
    assert SplitChoice().split(DEALT) == published_split(DEALT)
    assert SplitChoice(seed=3).split(DEALT) == published_split(DEALT, seed=3)


@pytest.mark.parametrize("fold", [0, 3])
def test_choice_of_a_fold(fold: int) -> None:
    chosen = SplitChoice(folds=4, only_folds=(fold,), seed=2).split(DEALT)
    assert chosen == fold_splits(DEALT, folds=4, seed=2)[fold]


def test_choice_of_a_file_goes_first(tmp_path: Path) -> None:
    mine = Split("mine", tuple(DEALT[:2]), tuple(DEALT[2:3]), tuple(DEALT[3:5]))
    save_split(mine, tmp_path / "split.json")
    assert SplitChoice(file=tmp_path / "split.json", folds=4).split(DEALT) == mine


@pytest.mark.parametrize("fold", [-1, 4])
def test_a_fold_that_does_not_exist(fold: int) -> None:
    with pytest.raises(GliosegError, match=f"there is no fold {fold}: expected 0 to 3"):
        SplitChoice(folds=4, only_folds=(fold,)).split(DEALT)


def test_several_folds_are_no_single_split() -> None:
    assert len(SplitChoice(folds=4).splits(DEALT)) == 4
    with pytest.raises(GliosegError, match="one training has one split, not 4"):
        SplitChoice(folds=4).split(DEALT)


def test_a_patient_that_another_split_trains_leaks_into_what_is_held_back() -> None:
    trained = Split("trained", ("TCGA_CS_1_19990101", "TCGA_CS_2"), ("TCGA_CS_3",), ("TCGA_CS_4",))
    held_back = Split("new", ("TCGA_CS_4",), ("TCGA_CS_2",), ("TCGA_CS_1_20000101", "TCGA_CS_3"))
    # By person, not by examination; who only validated there was not fitted to.
    assert held_back.leaks_from(trained) == ["TCGA_CS_2", "TCGA_CS_1_20000101"]
    assert trained.leaks_from(trained) == []
