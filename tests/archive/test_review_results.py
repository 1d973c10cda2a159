"""What a reader accepted, through a real archive."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from orthanc import Orthanc
from reading import write_predictions
from synthetic_dicom import OBLIQUE, head, write_series

from glioseg.archive.dicomweb import fetch_examination, list_series, store_files
from glioseg.commands.review import fetch_scans, open_desk, store_results
from glioseg.errors import GliosegError
from glioseg.formats.dicom_seg import read_segmentation
from glioseg.formats.dicom_series import find_series
from glioseg.review.store import Stroke


def test_a_correction_comes_back_from_the_archive_on_the_same_voxels(orthanc: Orthanc, tmp_path: Path) -> None:
    series = write_series(tmp_path / "scans" / "series", head(), OBLIQUE, StudyInstanceUID="2.25.240117")
    write_predictions(tmp_path / "masks", series)
    desk = open_desk(tmp_path / "masks", reader="Zoë")
    (case_id,) = desk.cases.cases
    desk.draw(case_id, 0, Stroke("stroke-0001", "brush", {}, [0, 3], []))
    desk.decide(case_id, 1, "corrected", "", 1.0)
    expected = desk.mask(case_id)[1]
    desk.close()
    assert store_results(tmp_path / "masks", orthanc.url, reader="Zoë") == 2
    assert {one.modality for one in list_series(orthanc.url, "2.25.240117")} == {"SEG", "SR"}
    (folder,) = fetch_examination(orthanc.url, "2.25.240117", tmp_path / "back", modalities=["SEG"])
    back = read_segmentation(next(folder.iterdir()), find_series(series)[0])
    assert np.array_equal(back.voxels, expected)


def test_scans_that_lie_in_no_folder_are_fetched_again(orthanc: Orthanc, tmp_path: Path) -> None:
    """Two examinations of one person, which must not become one."""
    for study in ("2.25.551", "2.25.552"):
        series = write_series(tmp_path / "scans" / study, head(), OBLIQUE, StudyInstanceUID=study, PatientID="P7")
        store_files(orthanc.url, sorted(series.iterdir()))
    expected = write_predictions(tmp_path / "masks", tmp_path / "scans" / "2.25.551", tmp_path / "scans" / "2.25.552")
    shutil.rmtree(tmp_path / "scans")
    with pytest.raises(GliosegError, match="--dicomweb"):
        open_desk(tmp_path / "masks")
    fetch_scans(tmp_path / "masks", orthanc.url)
    desk = open_desk(tmp_path / "masks")
    found = {case.patient: desk.open(case_id).prediction for case_id, case in desk.cases.cases.items()}
    desk.close()
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[patient], expected[patient]) for patient in found)


def test_masks_that_name_no_examination_cannot_have_theirs_fetched(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="names its examination"):
        fetch_scans(tmp_path, "http://127.0.0.1:9/dicom-web")
    for content in (b"", b"text", b"\0" * 128 + b"DICM"):
        (tmp_path / "A_seg.dcm").write_bytes(content)
        with pytest.raises(GliosegError, match=r"A_seg\.dcm does not name its examination"):
            fetch_scans(tmp_path, "http://127.0.0.1:9/dicom-web")
