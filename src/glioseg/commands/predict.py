"""``glioseg predict``: masks for scans, measurements, and a record of the run."""

import csv
import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glioseg.atomic import write_text_atomically
from glioseg.dataset.lgg import PatientFiles, find_patient_folders, find_slices, read_patient
from glioseg.errors import GliosegError
from glioseg.formats.tif import write_mask_slice
from glioseg.inference.backends import BackendName
from glioseg.inference.predictor import Predictor
from glioseg.machine import Precision, library_versions, peak_memory_mb
from glioseg.volume import Mask, Volume

MEASUREMENTS, MANIFEST = "measurements.csv", "run.json"
NO_SPACING = "the tif files carry no voxel spacing"


@dataclass(frozen=True)
class PatientResult:
    """What came of one patient.

    Attributes:
        patient: The folder's name.
        slices: How many slices it has.
        tumour_slices: On how many a tumour was found.
        tumour_voxels: Voxels inside the mask.
        missing_sequences: Sequences that are a copy of the FLAIR.
        seconds: From reading to writing.
        files: What was written, relative to the output folder.
    """

    patient: str
    slices: int
    tumour_slices: int
    tumour_voxels: int
    missing_sequences: tuple[str, ...]
    seconds: float
    files: tuple[str, ...]

    def as_row(self) -> dict[str, Any]:
        """A row of the measurements: what cannot be known is empty, with the reason beside it."""
        return {
            "patient": self.patient,
            "slices": self.slices,
            "tumour_slices": self.tumour_slices,
            "tumour_voxels": self.tumour_voxels,
            "volume_ml": None,
            "volume_ml_reason": NO_SPACING,
            "missing_sequences": " ".join(self.missing_sequences),
        }


@dataclass(frozen=True)
class PredictionRun:
    """What came of a batch.

    Attributes:
        results: A result for each patient that was predicted.
        failures: For each patient that was not, the message.
        manifest: The content of ``run.json``.
    """

    results: tuple[PatientResult, ...]
    failures: dict[str, str]
    manifest: dict[str, Any] = field(repr=False)


def predict(
    inputs: Sequence[Path],
    model: Path,
    out: Path,
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision = "auto",
    backend: BackendName | Literal["auto"] = "auto",
    say: Callable[[str], None] = lambda line: None,
) -> PredictionRun:
    """Predict every patient of one or more folders; a bad one is reported and the others are done.

    Args:
        inputs: Folders in the dataset's layout, or single patients' folders. Masks in them are not looked at.
        model: The bundle's folder.
        out: Where masks, ``measurements.csv`` and ``run.json`` are written.
        device: Where to compute.
        precision: Arithmetic of the convolutions.
        backend: What computes the network; the fastest that is installed and for which the bundle holds a model, if
            ``auto``.
        say: Gets a line for each patient.

    Raises:
        GliosegError: If the bundle is unusable, an input holds no patient, or the output would fall among pictures.
    """
    started = time.perf_counter()
    folders = [folder for path in inputs for folder in find_patient_folders(path)]
    _check_output(folders, out)
    predictor = Predictor.from_bundle(model, backend=backend, device=device, precision=precision)
    results, failures = [], {}
    for number, folder in enumerate(folders, start=1):
        try:
            result = _predict_patient(predictor, folder, out)
        except GliosegError as error:
            failures[folder.name] = str(error)
            say(f"[{number}/{len(folders)}] {folder.name}: skipped, {error}")
        else:
            results.append(result)
            say(f"[{number}/{len(folders)}] {_in_words(result)}")
    manifest = _manifest(predictor, model, results, failures, time.perf_counter() - started)
    write_text_atomically(out / MEASUREMENTS, _as_csv(results))
    write_text_atomically(out / MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return PredictionRun(tuple(results), failures, manifest)


def _predict_patient(predictor: Predictor, folder: Path, out: Path) -> PatientResult:
    began = time.perf_counter()
    files: PatientFiles = find_slices(folder, masks=False)
    volume, _ = read_patient(files)
    mask = predictor.mask(volume)
    written = _write_mask(mask, out)
    return _result(volume, mask, written, time.perf_counter() - began)


def _write_mask(mask: Mask, out: Path) -> list[str]:
    names = [f"{mask.patient}/{name}_mask.tif" for name in mask.slice_names]
    for name, inside in zip(names, mask.voxels, strict=True):
        write_mask_slice(out / name, inside)
    return names


def _result(volume: Volume, mask: Mask, written: Sequence[str], seconds: float) -> PatientResult:
    return PatientResult(
        patient=volume.patient,
        slices=len(mask.voxels),
        tumour_slices=int(mask.voxels.any(axis=(1, 2)).sum()),
        tumour_voxels=int(mask.voxels.sum()),
        missing_sequences=volume.missing_sequences(),
        seconds=round(seconds, 3),
        files=tuple(written),
    )


def _check_output(folders: Sequence[Path], out: Path) -> None:
    """Refuse to write masks where pictures lie: the masks beside them are the truth."""
    if not folders:
        raise GliosegError("there is nothing to predict", expected="one folder or more in the dataset's layout")
    names = [folder.name for folder in folders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GliosegError(f"patient {twice[0]} is given twice", remedy="Predict the two folders one after the other")
    for name in names:
        if any(not path.stem.endswith("_mask") for path in (out / name).glob("*.[tT][iI][fF]*")):
            raise GliosegError(
                f"--out {out} holds the pictures of {name}, whose masks would be overwritten",
                remedy="Name another folder for the results",
            )


def _in_words(result: PatientResult) -> str:
    missing = f", without {' and '.join(result.missing_sequences)}" if result.missing_sequences else ""
    found = f"tumour on {result.tumour_slices} of {result.slices} slices" if result.tumour_slices else "no tumour found"
    return f"{result.patient}: {found}{missing} ({result.seconds:.1f} s)"


def _manifest(
    predictor: Predictor,
    model: Path,
    results: Sequence[PatientResult],
    failures: dict[str, str],
    seconds: float,
) -> dict[str, Any]:
    return {
        "versions": library_versions(),
        "model": {"path": str(model), **predictor.contract.model_dump(mode="json")},
        "backend": predictor.backend.name,
        "device": predictor.backend.device,
        "precision": predictor.backend.precision,
        "seconds": round(seconds, 3),
        "peak_memory_mb": round(peak_memory_mb()),
        "patients": [{**result.as_row(), "seconds": result.seconds, "files": result.files} for result in results],
        "failures": failures,
    }


def _as_csv(results: Sequence[PatientResult]) -> str:
    buffer = io.StringIO()
    columns = PatientResult("", 0, 0, 0, (), 0.0, ()).as_row().keys()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.as_row() for result in results)
    return buffer.getvalue()
