"""One command: fetched from a real archive, predicted, and stored there again."""

from pathlib import Path

import numpy as np
from synthetic_dicom import write_series

from glioseg.archive.dicomweb import fetch_examination, list_series, store_files
from glioseg.commands.predict import predict_examination
from glioseg.dataset.phantom import make_phantom
from glioseg.formats.dicom_seg import read_segmentation
from glioseg.formats.dicom_series import find_series
from glioseg.patients.source import OutputOptions


def test_an_examination_is_predicted_and_its_results_stored(orthanc, untrained_bundle: Path, tmp_path: Path) -> None:
    volume, _ = make_phantom(5, size=128, slices=10)
    write_series(tmp_path / "scan", volume.channel("flair").astype(np.uint16), StudyInstanceUID="2.25.77")
    store_files(orthanc.url, sorted((tmp_path / "scan").iterdir()))

    run = predict_examination(
        orthanc.url,
        "2.25.77",
        tmp_path / "out",
        model=untrained_bundle,
        options=OutputOptions(overlay=False, nifti=True),
        previews=False,
    )
    (result,) = run.results
    assert result.measurement.whole.voxels > 0
    assert {one.modality for one in list_series(orthanc.url, "2.25.77")} == {"MR", "SEG", "SR"}
    (folder,) = fetch_examination(orthanc.url, "2.25.77", tmp_path / "back", modalities=["SEG"])
    (series,) = find_series(tmp_path / "scan")
    stored = read_segmentation(next(folder.iterdir()), series)
    assert stored.voxels.sum() == result.measurement.whole.voxels
    written = tmp_path / "out" / next(name for name in result.files if name.endswith("_seg.dcm"))
    np.testing.assert_array_equal(read_segmentation(written, series).voxels, stored.voxels)
    assert (tmp_path / "out" / f"{result.patient}_mask.nii.gz").is_file()
