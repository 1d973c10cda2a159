"""A model from disk, whether one network or several."""

from pathlib import Path
from typing import Literal

from glioseg.inference.backends import BackendName, BackendPrecision, Device
from glioseg.inference.ensemble import ENSEMBLE, Ensemble
from glioseg.inference.predictor import Predictor
from glioseg.inference.segmenter import Segmenter


def load_segmenter(
    folder: Path,
    *,
    backend: BackendName | Literal["auto"] = "auto",
    device: Device = "auto",
    precision: BackendPrecision = "auto",
) -> Segmenter:
    """Load a bundle or an ensemble.

    Args:
        folder: Its folder.
        backend: What computes; the fastest that is installed and for which there is a model, if ``auto``.
        device: Where to compute.
        precision: Arithmetic of the convolutions.

    Raises:
        GliosegError: As :func:`glioseg.inference.backends.load_backend`, or if the folder is no model.
    """
    load = Ensemble.from_folder if (folder / ENSEMBLE).exists() else Predictor.from_bundle
    return load(folder, backend=backend, device=device, precision=precision)
