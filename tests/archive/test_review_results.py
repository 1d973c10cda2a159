"""What a reader accepted, through a real archive."""

from pathlib import Path

import numpy as np
from orthanc import Orthanc
from reading import write_predictions
from synthetic_dicom import OBLIQUE, head, write_series

from glioseg.archive.dicomweb import fetch_study, list_series
from glioseg.commands.review import open_desk, store_results
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
    (folder,) = fetch_study(orthanc.url, "2.25.240117", tmp_path / "back", modalities=["SEG"])
    back = read_segmentation(next(folder.iterdir()), find_series(series)[0])
    assert np.array_equal(back.voxels, expected)
