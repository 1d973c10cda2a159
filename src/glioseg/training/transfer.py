"""What a run takes over from trained networks: weights to start from, and their answers as targets.

Only from networks that were trained on nobody whom the new run holds back, so that its scores stay out of fold.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from glioseg.dataset.splits import Split, load_split
from glioseg.dataset.store import ArrayStore, open_beside
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle
from glioseg.inference.model import Model, Network
from glioseg.training.config import Distillation


def load_pretrained(network: nn.Module, folder: Path, split: Split) -> None:
    """Copy a bundle's weights into a network.

    Input channels that the bundle lacks, of slices beside a slice, start with weights of zero, so that the network
    begins with the bundle's own answers.

    Args:
        network: Of the same architecture and width; changed in place.
        folder: The bundle, with its split beside it or in the folder above.
        split: Of the new run.

    Raises:
        GliosegError: If the bundle is unusable or another network, or was trained on a patient that the new run
            validates or tests.
    """
    _check_unseen(folder, split)
    trained, contract = load_bundle(folder)
    found, expected = trained.state_dict(), network.state_dict()
    for name, values in expected.items():
        if name not in found or not _fits(found[name], values):
            raise GliosegError(
                f"the weights of {folder} do not fit the network at {name}",
                expected=f"{contract.network} of width {contract.width}, with no more input channels than the new one",
                remedy="Set network.name and network.width to those of the bundle",
            )
    network.load_state_dict({name: _enlarged(found[name], values) for name, values in expected.items()})


def _check_unseen(folder: Path, split: Split) -> None:
    files = [place / "split.json" for place in (folder, folder.parent)]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise GliosegError(
            f"nothing tells on whom {folder} was trained",
            expected=f"split.json in {folder} or in the folder above",
            remedy="Start from a bundle that lies in its run's folder, or from a model that 'glioseg bundle' wrote",
        )
    if leaked := split.leaks_from(load_split(file)):
        raise GliosegError(
            f"{folder} was trained on {leaked[0]}, whom the new run holds back",
            found=f"{len(leaked)} such patients",
            remedy="Start from a bundle of the same split",
        )


def _fits(found: Tensor, expected: Tensor) -> bool:
    if found.shape == expected.shape:
        return True
    fewer_channels = found.ndim == expected.ndim == 4 and found.shape[1] < expected.shape[1]
    return fewer_channels and found.shape[0] == expected.shape[0] and found.shape[2:] == expected.shape[2:]


def _enlarged(found: Tensor, expected: Tensor) -> Tensor:
    if found.shape == expected.shape:
        return found
    enlarged = expected.new_zeros(expected.shape)
    enlarged[:, : found.shape[1]] = found
    return enlarged


def soft_targets(store: ArrayStore, settings: Distillation, split: Split) -> NDArray[np.uint8] | None:
    """The masks mixed with the mean of the teachers' calibrated probabilities, for every slice of the store.

    Distillation: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2. Each
    network's answers are computed the first time, some seconds for a patient, and kept beside the store's arrays.

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
