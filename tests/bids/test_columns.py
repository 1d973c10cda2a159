import csv
import io

import pytest

from glioseg.bids.columns import GROUP, MEASURED, SCANS, Column, as_tsv, definitions
from glioseg.commands.predict import PatientResult
from glioseg.measurement.region import value_names

# What BIDS tells by the file's own name, or by the JSON beside it.
TOLD_ELSEWHERE = {"patient", "date", "not_written"}


def test_every_measurement_has_a_column_and_every_column_is_measured() -> None:
    assert set(MEASURED) == set(PatientResult.columns()) - TOLD_ELSEWHERE


def test_every_column_is_defined_with_its_unit() -> None:
    for name, told in definitions(SCANS | GROUP).items():
        assert told["Description"].endswith("."), name
        for ending, units in {"_mm": "mm", "_ml": "mL", "_mm2": "mm^2", "_px": "pixel"}.items():
            if name.endswith(ending):
                assert told["Units"] == units


def test_the_sides_are_those_that_are_measured() -> None:
    assert "side" in value_names()
    assert set(MEASURED["side"].levels) == {"left", "right", "crossing", "both"}


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, "n/a"), ("", "n/a"), (True, "true"), (False, "false"), (0, "0"), (1.5, "1.5"), ("a\tb\n c", "a b c")],
)
def test_a_table_as_bids_has_it(value: object, cell: str) -> None:
    text = as_tsv({"a": Column("A."), "b": Column("B.")}, [{"b": value, "more": 1}])
    assert list(csv.reader(io.StringIO(text), delimiter="\t")) == [["a", "b"], ["n/a", cell]]
