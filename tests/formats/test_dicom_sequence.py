import pytest
from pydicom.dataset import Dataset

from glioseg.formats.dicom_sequence import recognise_sequence

FLAIR = {"EchoTime": 120.0, "InversionTime": 2500.0, "RepetitionTime": 9000.0}
T1 = {"EchoTime": 3.0, "InversionTime": 900.0, "RepetitionTime": 2300.0}
SPIN_ECHO_T1 = {"EchoTime": 12.0, "RepetitionTime": 600.0, "ScanningSequence": "SE"}
T2 = {"EchoTime": 100.0, "RepetitionTime": 5000.0}

CASES: list[tuple[dict[str, object], str | None]] = [
    # By physics, whatever the name.
    ({"SeriesDescription": "series 1"} | FLAIR, "flair"),
    ({"SeriesDescription": "AX T1 FLAIR"} | T1, "pre"),
    ({"SeriesDescription": "AX FLAIR POST", "ContrastBolusAgent": "Gd"} | FLAIR, "flair"),
    ({"SeriesDescription": "series 1"} | T1, "pre"),
    ({"SeriesDescription": "series 1", "ContrastBolusAgent": "Dotarem"} | T1, "post"),
    ({"SeriesDescription": "series 1", "ContrastBolusAgent": "NONE"} | T1, "pre"),
    ({"SeriesDescription": "T1 post"} | T1, "post"),
    ({"SeriesDescription": "series 1"} | SPIN_ECHO_T1, "pre"),
    ({"SeriesDescription": "STIR", "EchoTime": 80.0, "InversionTime": 160.0}, None),
    # By name, where times do not tell.
    ({"SeriesDescription": "AX FLAIR", "EchoTime": 120.0}, "flair"),
    ({"SeriesDescription": "", "ProtocolName": "t2_tirm_tra_dark-fluid"}, "flair"),
    ({"SeriesDescription": "AX T2"} | T2, None),
    ({"SeriesDescription": "T1 MPRAGE"}, "pre"),
    ({"SeriesDescription": "T1_SE_GD"}, "post"),
    ({"SeriesDescription": "AX T1+C"}, "post"),
    ({"SeriesDescription": "T1 without contrast"}, "pre"),
    ({"SeriesDescription": "T1 tse", "ContrastBolusAgent": "Gadovist"}, "post"),
    ({"SeriesDescription": "series 1"}, None),
    # Neither, whatever the times and names.
    ({"SeriesDescription": "T1 FLAIR", "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]} | T1, None),
    ({"SeriesDescription": "FLAIR", "ImageType": ["DERIVED", "SECONDARY", "ADC"]} | FLAIR, None),
    ({"SeriesDescription": "T1 subtraction"} | T1, None),
]


@pytest.mark.parametrize(("elements", "sequence"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_the_role_of_a_header(elements: dict[str, object], sequence: str | None) -> None:
    header = Dataset()
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    assert recognise_sequence(header) == sequence


def test_an_enhanced_header_names_times_and_agent_in_its_groups() -> None:
    header, groups, echo, modifier, agent = (Dataset() for _ in range(5))
    echo.EffectiveEchoTime, modifier.InversionTimes = 3.0, [900.0]
    groups.MREchoSequence, groups.MRModifierSequence = [echo], [modifier]
    header.SharedFunctionalGroupsSequence = [groups]
    assert recognise_sequence(header) == "pre"
    header.ContrastBolusAgentSequence = [agent]
    assert recognise_sequence(header) == "post"
