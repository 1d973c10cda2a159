"""``run.json``: facts of a run, and the results of a folder's patients, of which never more than one is held."""

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from glioseg.atomic import atomic_file
from glioseg.errors import BadFileError, fault_in_words

_PATIENTS = '  "patients": ['


class KeptResult(BaseModel):
    """What is read again of a patient's result; each may be None where it is not known, or not asked for.

    Attributes:
        patient: The name of the results.
        voxels: Of the mask.
        volume_ml: Likewise.
        expected_dice: That the model expects.
        presence: Whether there is a tumour: ``present``, ``doubtful`` or ``none``.
        presence_chance: Of a tumour.
        remarks: A sentence each.
        files: What was written, relative to the folder.
    """

    patient: str
    voxels: int | None = None
    volume_ml: float | None = None
    expected_dice: float | None = None
    presence: str | None = None
    presence_chance: float | None = None
    remarks: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None


class _Postprocessing(BaseModel):
    threshold: float | None = None


class _Model(BaseModel):
    postprocessing: _Postprocessing | None = None


class KeptRun(BaseModel):
    """What is read again of ``run.json``.

    Attributes:
        patients: The results.
        failures: By name why a patient could not be predicted.
        inputs: Where the scans lay.
        sequences: What named them, as ``predict --flair`` does.
        model: Of its settings the post-processing.
    """

    patients: tuple[KeptResult, ...]
    failures: dict[str, str] | None = None
    inputs: tuple[str, ...] | None = None
    sequences: dict[str, str] | None = None
    model: _Model | None = None

    @property
    def threshold(self) -> float | None:
        """The probability at which masks were cut, where it is told."""
        postprocessing = None if self.model is None else self.model.postprocessing
        return None if postprocessing is None else postprocessing.threshold


def read_run(path: Path) -> KeptRun:
    """Read ``run.json``, whichever run wrote it.

    Raises:
        GliosegError: If it is damaged or no such file.
    """
    try:
        return KeptRun.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadFileError(
            path,
            "cannot be read",
            expected="the record of a run, as 'glioseg predict' writes it",
            found=fault_in_words(error),
            remedy="Predict again into this folder, or take the file away",
        ) from error


def write_manifest(path: Path, facts: Mapping[str, Any], patients: Iterable[Mapping[str, Any]]) -> None:
    """Write facts, and last the patients, as one JSON object, whole or not at all.

    Raises:
        GliosegError: If it cannot be written.
    """
    head = json.dumps({**facts, "patients": []}, indent=2).removesuffix("]\n}")
    with atomic_file(path) as file:
        file.write(head.encode())
        between = "\n"
        for patient in patients:
            file.write((between + textwrap.indent(json.dumps(patient, indent=2), "    ")).encode())
            between = ",\n"
        file.write(b"\n  ]\n}\n")


def read_facts(path: Path) -> dict[str, Any]:
    """All that :func:`write_manifest` wrote but the patients.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it holds something else.
    """
    kept, is_patient = list[str](), False
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not (is_patient and line.startswith("   ")):
                kept.append(line)
                is_patient = line.startswith(_PATIENTS)
    return dict(json.loads("".join(kept)))
