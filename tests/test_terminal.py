import pytest

from glioseg.terminal import patients_in_words, progress


def test_a_line_of_progress_is_one_line_whatever_a_file_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    progress("[1/2] r\new\r\x1b[2J\u2028\x85 größe 日本: done")
    assert capsys.readouterr().err == "[1/2] r\\new\\r\\x1b[2J\\u2028\\x85 größe 日本: done\n"


@pytest.mark.parametrize(("number", "words"), [(0, "0 patients"), (1, "1 patient"), (2, "2 patients")])
def test_one_patient_is_no_patients(number: int, words: str) -> None:
    assert patients_in_words(number) == words
