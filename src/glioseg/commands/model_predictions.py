"""A trained network as the second opinion on labels: it predicts the patients that it has not seen."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glioseg.check.dataset_check import Source
from glioseg.check.scan import CheckedScan
from glioseg.dataset.lgg import case_of
from glioseg.dataset.splits import load_split
from glioseg.errors import GliosegError
from glioseg.inference.model import Model
from glioseg.training.run_folder import RunFolder
from glioseg.volume import CHANNELS, Volume, copies_of_flair


class ModelPredictions:
    """Probabilities of one network, computed when they are first asked for and kept on disk meanwhile.

    Args:
        source: The set.
        model: A run's folder, whose split tells whom the network has seen, or a bundle.
        split: The split that the bundle was trained with; goes before the run's own.
        progress: Gets a line for each patient.

    Raises:
        GliosegError: If the model cannot be loaded, or it is not known whom it was trained on.
    """

    def __init__(self, source: Source, model: Path, *, split: Path | None, progress: Callable[[str], None]) -> None:
        run = RunFolder(model)
        bundle = run.bundle if run.bundle.is_dir() else model
        known = split or (run.split if run.split.is_file() else None)
        if known is None:
            raise GliosegError(
                f"it is not known on whom {model} was trained",
                expected="a run's folder with its split.json, or --split beside a bundle",
                remedy="Give the run's folder: a network agrees with the labels that it has learnt, right or wrong",
            )
        self._model = Model.load(bundle)
        trained_with = load_split(known)
        if trained_with.sha256 != self._model.split_sha256:
            raise GliosegError(f"{bundle} was not trained with the split {known}", remedy="Give its own split")
        self._seen = {case_of(patient) for patient in (*trained_with.train, *trained_with.validation)}
        self._source, self._progress = source, progress
        self._folder = tempfile.TemporaryDirectory(prefix="glioseg-")

    def of(self, patient: str) -> NDArray[np.float32] | None:
        """Shape (slice, row, column); None for a patient that the network has seen."""
        if case_of(patient) in self._seen:
            return None
        kept = Path(self._folder.name) / f"{patient}.npy"
        if not kept.exists():
            scan = self._source.read(patient).scan
            if scan is None:
                return None
            self._progress(f"predicting {patient}")
            np.save(kept, self._model.probabilities(_as_volume(scan)).astype(np.float16))
        values: NDArray[Any] = np.load(kept, allow_pickle=False)
        return values.astype(np.float32)


def _as_volume(scan: CheckedScan) -> Volume:
    """With the FLAIR in place of sequences that were not taken, as the dataset has it."""
    sequences = [sequence if sequence in scan.channels else scan.main_channel for sequence in CHANNELS]
    voxels = np.stack([scan.channel(sequence) for sequence in sequences], axis=-1)
    return Volume(scan.patient, voxels, missing=copies_of_flair(voxels))
