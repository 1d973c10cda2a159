from hypothesis import given
from hypothesis import strategies as st

from glioseg.patients.examination import Examination, names_of


def names(*examinations: tuple[str, str, str], known: dict[str, str] | None = None, taken: str = "") -> list[str]:
    """Of (patient, date, folder), each of a key of its own: 0, 1, ..."""
    made = [
        Examination(patient, str(key), folder=folder, date=date)
        for key, (patient, date, folder) in enumerate(examinations)
    ]
    return names_of(made, known, taken.split().__contains__)


def test_the_patient_alone_where_that_is_enough() -> None:
    assert names(("P1", "20190301", "a"), ("P2", "", "a")) == ["P1", "P2"]


def test_the_date_where_it_tells_apart_else_the_folder_else_a_number() -> None:
    assert names(("P1", "20190301", "a"), ("P1", "20200301", "b")) == ["P1_20190301", "P1_20200301"]
    assert names(("P1", "20190301", "a"), ("P1", "20190301", "b")) == ["P1_a", "P1_b"]
    assert names(("P1", "", "a"), ("P1", "", "a")) == ["P1_1", "P1_2"]
    assert names(("P1", "1", "a"), ("P1", "2", "a"), ("P1", "2", "b"), ("P1", "2", "a")) == [
        "P1_1",
        "P1_2",
        "P1_b",
        "P1_3",
    ]


def test_a_name_that_another_examination_has_is_not_taken() -> None:
    assert names(("P1", "20200301", "b"), taken="P1") == ["P1_20200301"]
    assert names(("P1", "20200301", "b"), taken="P1 P1_20200301") == ["P1_b"]
    assert names(("P1", "20200301", "P1"), taken="P1 P1_20200301 P1_2") == ["P1_3"]


def test_an_examination_keeps_the_name_that_it_has() -> None:
    assert names(("P1", "2019", "a"), ("P1", "2020", "b"), known={"0": "P1"}, taken="P1") == ["P1", "P1_2020"]
    assert names(("P1", "2019", "a"), known={"0": "mine"}) == ["mine"]


def test_names_differ_in_more_than_case_and_composition() -> None:
    assert names(("Müller", "1", ""), ("mu\u0308ller", "2", "")) == ["Müller_1", "mu\u0308ller_2"]


@given(
    st.lists(
        st.tuples(st.sampled_from("Pp"), st.sampled_from(["", "1", "2"]), st.sampled_from(["", "a", "2"])), max_size=8
    )
)
def test_no_two_share_a_name(examinations: list[tuple[str, str, str]]) -> None:
    found = names(*examinations, taken="P p_1 P_a")
    assert len({name.casefold() for name in found}) == len(examinations)
    assert not {"P", "p_1", "P_a"} & set(found)
