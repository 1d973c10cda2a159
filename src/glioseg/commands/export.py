"""``glioseg export``: a bundle for runtimes that need no PyTorch."""

from collections.abc import Sequence
from pathlib import Path

from glioseg.atomic import check_writable
from glioseg.dataset.lgg import PatientFiles, case_of, find_patients, read_patient
from glioseg.dataset.splits import PUBLISHED_TEST_CASES, load_split
from glioseg.errors import GliosegError
from glioseg.inference.contract import SPLIT, Contract
from glioseg.inference.export import CALIBRATED_ON, Form, Patient, check_output, evenly, export_bundle
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
            test patients in it are left out. Of a bundle that knows its split those it was trained on calibrate, and
            those that tested it are compared, where the folder holds both. Noise is compared on if None.

    Returns:
        The new bundle's contract; its ``exported.parity`` holds the comparison.

    Raises:
        GliosegError: As :func:`glioseg.inference.export.export_bundle`, if the folder
            holds no usable patient, or if ``out`` cannot be written.
    """
    # Before anything else: reading the patients may take minutes.
    check_writable(out)
    bundle = find_model(model)
    check_output(bundle, out, to)
    compared, calibrated = ([], []) if patients is None else _choose(bundle, patients)
    calibration = _read(evenly(calibrated, CALIBRATED_ON)) if int8 else ()
    return export_bundle(bundle, out, to, size_px=size_px, int8=int8, patients=_read(compared), calibration=calibration)


def _choose(bundle: Path, folder: Path) -> tuple[list[PatientFiles], list[PatientFiles]]:
    """Whom to compare and whom to calibrate on; nobody for the latter where they are taken from the former."""
    usable = [
        files for files in find_patients(folder, masks=True) if case_of(files.patient) not in PUBLISHED_TEST_CASES
    ]
    if not usable:
        raise GliosegError(f"{folder} holds only test patients", remedy="Name a folder of other patients")
    if (bundle / SPLIT).exists():
        split = load_split(bundle / SPLIT)
        seen, held_out = ([files for files in usable if files.patient in part] for part in (split.train, split.test))
        if seen and held_out:
            return held_out, seen
    return usable, []


def _read(chosen: Sequence[PatientFiles]) -> list[Patient]:
    read = []
    for files in chosen:
        volume, truth = read_patient(files)
        assert truth is not None
        read.append(Patient(volume, truth))
    return read
