"""Weights to start from: those of a bundle, unless it has seen a patient that the new run holds back."""

from pathlib import Path

from torch import Tensor, nn

from glioseg.dataset.splits import Split, load_split
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle


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
