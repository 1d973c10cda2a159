"""There and back through a real archive."""

import logging
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from synthetic_dicom import OBLIQUE, head, write_series

from glioseg.archive.dicomweb import fetch_examination, list_series, store_files
from glioseg.errors import GliosegError
from glioseg.formats.dicom_choice import choose_series
from glioseg.formats.dicom_origin import Algorithm
from glioseg.formats.dicom_report import ReportedMeasurements
from glioseg.formats.dicom_results import write_dicom_results
from glioseg.formats.dicom_seg import read_segmentation, write_segmentation
from glioseg.formats.dicom_series import find_series, read_series
from glioseg.outputs import Outputs
from glioseg.volume import Mask

ALGORITHM = Algorithm("U-Net 32", "5" * 64)


def study_on(url: str, folder: Path, uid: str, **elements: object) -> None:
    write_series(folder, head(), OBLIQUE, StudyInstanceUID=uid, **elements)
    store_files(url, sorted(folder.iterdir()))


def test_a_scan_goes_there_and_its_results_come_back_on_the_same_voxels(orthanc, tmp_path: Path) -> None:
    study_on(orthanc.url, tmp_path / "scan", "2.25.1")
    (remote,) = list_series(orthanc.url, "2.25.1")
    assert (remote.modality, remote.instances, remote.description) == ("MR", 7, "AX FLAIR")

    said: list[str] = []
    fetch_examination(orthanc.url, "2.25.1", tmp_path / "fetched", progress=said.append)
    series = choose_series(find_series(tmp_path / "fetched"))["flair"]
    scan = read_series(series)
    original = read_series(find_series(tmp_path / "scan")[0])
    assert np.array_equal(scan.voxels, original.voxels)
    assert scan.affine == pytest.approx(original.affine)
    assert len(said) == 1

    mask = Mask(scan.patient, scan.voxels > 900, affine=scan.affine)
    assert 0 < mask.voxels.sum() < mask.voxels.size
    measured = ReportedMeasurements(1.0, 20, 10)
    outputs = Outputs(tmp_path / "out")
    write_dicom_results(outputs, "P-001", scan, mask, series, ALGORITHM, measured)
    assert outputs.files[:3] == ["P-001_seg.dcm", "P-001_report.dcm", "P-001_overlay/0001.dcm"]
    assert store_files(orthanc.url, outputs.paths) == 9

    kinds = {one.modality: one for one in list_series(orthanc.url, "2.25.1")}
    assert set(kinds) == {"MR", "SEG", "SR", "OT"}
    assert kinds["OT"].instances == 7
    (folder,) = fetch_examination(orthanc.url, "2.25.1", tmp_path / "back", modalities=["SEG"])
    assert folder.name == kinds["SEG"].series_uid
    back = read_segmentation(next(folder.iterdir()), series)
    assert np.array_equal(back.voxels, mask.voxels)


@pytest.mark.skipif(shutil.which("storescu") is None, reason="needs dcmtk")
def test_dcmtk_sends_a_segmentation_to_the_archive(orthanc, tmp_path: Path) -> None:
    study_on(orthanc.url, tmp_path / "scan", "2.25.2")
    (series,) = find_series(tmp_path / "scan")
    mask = Mask(series.patient, head() > 900, affine=series.affine)
    write_segmentation(tmp_path / "seg.dcm", mask, series, ALGORITHM)
    subprocess.run(["storescu", "-R", "127.0.0.1", str(orthanc.dicom_port), tmp_path / "seg.dcm"], check=True)
    assert {one.modality for one in list_series(orthanc.url, "2.25.2")} == {"MR", "SEG"}


def test_compressed_slices_come_as_they_are_stored(orthanc, tmp_path: Path) -> None:
    from pydicom.uid import JPEGLSLossless

    study_on(orthanc.url, tmp_path / "scan", "2.25.3", syntax=JPEGLSLossless)
    fetch_examination(orthanc.url, "2.25.3", tmp_path / "fetched")
    fetched, original = (find_series(tmp_path / name)[0] for name in ("fetched", "scan"))
    assert np.array_equal(read_series(fetched).voxels, read_series(original).voxels)


def test_what_the_archive_does_not_have(orthanc, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match=r"has no study 2\.25\.404"):
        fetch_examination(orthanc.url, "2.25.404", tmp_path / "none")
    with pytest.raises(GliosegError, match="404"):
        list_series(orthanc.url.replace("dicom-web", "elsewhere"), "2.25.404")
    study_on(orthanc.url, tmp_path / "scan", "2.25.4")
    with pytest.raises(GliosegError, match="expected series of modality SEG, found MR"):
        fetch_examination(orthanc.url, "2.25.4", tmp_path / "none", modalities=["SEG"])
    assert not (tmp_path / "none").exists()


def test_wrong_credentials_are_refused_and_told_to_nobody(
    orthanc, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("GLIOSEG_DICOMWEB_PASSWORD", "not-the-password")
    with pytest.raises(GliosegError, match=r"\(401\)") as caught:
        list_series(orthanc.url, "2.25.1")
    assert "GLIOSEG_DICOMWEB_USER" in str(caught.value)
    monkeypatch.delenv("GLIOSEG_DICOMWEB_USER")
    monkeypatch.delenv("GLIOSEG_DICOMWEB_PASSWORD")
    with pytest.raises(GliosegError, match=r"\(401\)"):
        list_series(orthanc.url, "2.25.1")
    assert "not-the-password" not in caplog.text + str(caught.value)


def test_credentials_of_the_netrc_file_open_the_archive(
    orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLIOSEG_DICOMWEB_USER")
    monkeypatch.delenv("GLIOSEG_DICOMWEB_PASSWORD")
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login {orthanc.user} password {orthanc.password}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with pytest.raises(GliosegError, match="has no study"):
        list_series(orthanc.url, "2.25.405")
