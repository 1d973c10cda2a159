"""What trained networks say of the training patients, as targets for a network that shall say the same alone.

Distillation: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2. A network is a
teacher only where it was trained on nobody whom the new run holds back, so that scores stay out of fold.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glioseg.dataset.splits import Split
from glioseg.dataset.store import ArrayStore, open_beside
from glioseg.errors import GliosegError
from glioseg.inference.model import Model, Network
from glioseg.training.config import Distillation


def soft_targets(store: ArrayStore, settings: Distillation, split: Split) -> NDArray[np.uint8] | None:
    """The masks mixed with the mean of the teachers' calibrated probabilities, for every slice of the store.

    Each network's answers are computed the first time, some seconds for a patient, and kept beside the store's arrays.

    Args:
        store: The arrays.
        settings: Teacher and mixture.
        split: Of the new run.

    Returns:
        Shape (slice, row, column), 0 to 255 for 0 to 1; None without a teacher.

    Raises:
        GliosegError: If the model is unusable, or every network of it was trained on a patient whom the new run holds
            back.
    """
    if settings.teacher is None:
        return None
    folder = Path(settings.teacher)
    teachers = _teachers(Model.load(folder), folder, split)
    targets = np.empty(store.masks.shape, np.uint8)
    answers = [_open_answers(store, network) for network in teachers]
    # Patient by patient: the whole in floating point would take a gigabyte.
    for entry in store.patients:
        rows = slice(entry.start, entry.stop)
        taught = np.mean([found[rows] for found in answers], axis=0, dtype=np.float32)
        own = np.float32(255) * store.masks[rows]
        targets[rows] = (settings.weight * taught + (1 - settings.weight) * own).round()
    return targets


def _teachers(model: Model, folder: Path, split: Split) -> list[Network]:
    found = [network for network in model.networks.values() if not split.leaks_from(network.split())]
    if not found:
        raise GliosegError(
            f"no network of {folder} may teach this run",
            expected="a network that was trained on nobody whom the run holds back",
            remedy="Name a model with a network of the same split",
        )
    return found


def _open_answers(store: ArrayStore, network: Network) -> NDArray[np.uint8]:
    """One network's probabilities of every slice, mapped from disk, computed if they are not there."""
    # Without the mirror image, which halves the work: the new network sees slices of both kinds and means them.
    plain = Network(network.backend, network.contract.model_copy(update={"flip": False}), network.folder).model

    def of_patient(patient: str) -> NDArray[np.uint8]:
        return (255 * plain.probabilities(store.volume(patient))).round().astype(np.uint8)

    return open_beside(store, f"teacher-{network.contract.weights_sha256[:16]}.u8", of_patient)
