"""``glioseg export``: a bundle for runtimes that need no PyTorch."""

from pathlib import Path

from glioseg.atomic import check_writable
from glioseg.dataset.lgg import case_of, find_patients, read_patient
from glioseg.dataset.splits import PUBLISHED_TEST_CASES
from glioseg.errors import GliosegError
from glioseg.inference.contract import Contract
from glioseg.inference.export import Form, Patient, export_bundle
from glioseg.inference.shipped import find_model


def export(
    model: Path, to: Form, out: Path, *, size_px: int | None = None, int8: bool = False, patients: Path | None = None
) -> Contract:
    """Export a bundle's network and compare its answers with the original's.

    Args:
        model: The bundle's folder, or the name of a network that comes with glioseg.
        to: The exported file's format.
        out: The new bundle's folder.
        size_px: Rows and columns of the slices that it will take; 256 if None, any where the network sees windows.
        int8: Compute in eight bits; with ONNX by a second graph.
        patients: A folder in the dataset's layout, to compare masks on and to calibrate eight-bit arithmetic; the ten
            test patients in it are left out. Noise is compared on if None.

    Returns:
        The new bundle's contract; its ``exported.parity`` holds the comparison.

    Raises:
        GliosegError: As :func:`glioseg.inference.export.export_bundle`, if the folder
            holds no usable patient, or if ``out`` cannot be written.
    """
    # Patients are read first, which may take minutes.
    check_writable(out)
    return export_bundle(
        find_model(model), out, to, size_px=size_px, int8=int8, patients=[] if patients is None else _read(patients)
    )


def _read(folder: Path) -> list[Patient]:
    usable = [
        files for files in find_patients(folder, masks=True) if case_of(files.patient) not in PUBLISHED_TEST_CASES
    ]
    if not usable:
        raise GliosegError(f"{folder} holds only test patients", remedy="Name a folder of other patients")
    read = []
    for files in usable:
        volume, truth = read_patient(files)
        assert truth is not None
        read.append(Patient(volume, truth))
    return read
