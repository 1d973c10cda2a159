"""A trained network on disk: ``weights.safetensors``, ``contract.json`` and ``card.md``. Nothing is unpickled."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensors_as_bytes
from torch import Tensor, nn

from glioseg.atomic import atomic_folder, write_bytes_atomically, write_text_atomically
from glioseg.errors import BadFileError, GliosegError
from glioseg.inference.contract import CARD, CONTRACT, DAMAGED, WEIGHTS, Contract, load_contract
from glioseg.networks import build_network


def save_bundle(folder: Path, network: nn.Module, contract: Contract, card: str, *, half: bool = False) -> Contract:
    """Write a bundle, all of it or nothing; other files that lie in its folder stay.

    Args:
        folder: Where.
        network: With its weights.
        contract: What they need.
        card: What a person should know.
        half: Keep the weights of convolutions as float16, in half the space.

    Returns:
        The contract with the hash of the weights.

    Raises:
        GliosegError: If it cannot be written; a bundle that stood there is unchanged.
    """
    # batch counters matter to training alone, and safetensors wants contiguous tensors.
    tensors = {
        name: _half(value.detach().cpu()).contiguous() if half else value.detach().cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    content = tensors_as_bytes(tensors)
    contract = contract.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    with atomic_folder(folder, ours=CONTRACT) as unfinished:
        write_bytes_atomically(unfinished / WEIGHTS, content)
        write_text_atomically(unfinished / CARD, card)
        write_text_atomically(unfinished / CONTRACT, contract.model_dump_json(indent=2) + "\n")
    return contract


def load_bundle(folder: Path) -> tuple[nn.Module, Contract]:
    """Read a bundle.

    Returns:
        The network with its weights, in evaluation mode, and its contract.

    Raises:
        GliosegError: If a file is missing or damaged, or the weights do not fit the contract.
    """
    contract = load_contract(folder)
    return load_network(folder, contract), contract


def load_network(folder: Path, contract: Contract) -> nn.Module:
    """Read the weights of a bundle into its network, in evaluation mode; errors as :func:`load_bundle`."""
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
        tensors = parse_tensors(content)
    except (OSError, SafetensorError) as error:
        raise BadFileError(path, f"cannot be read: {error}", remedy=DAMAGED) from error
    if contract.weights_sha256 != hashlib.sha256(content).hexdigest():
        raise BadFileError(path, f"is not the file that {CONTRACT} describes", remedy=DAMAGED)
    try:
        network = build_network(contract.network, contract.width, contract.preprocessing.input_channels)
    except GliosegError as error:
        raise GliosegError(
            f"{folder / CONTRACT}: {error.problem}", expected=error.expected, found=error.found, remedy=error.remedy
        ) from error
    _check_fit(path, network, tensors)
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=False)
    return network.eval()


def _half(values: Tensor) -> Tensor:
    """Halve what is large; the deviations of a batch norm are few and may lie outside of what float16 holds."""
    return values.half() if values.ndim > 1 else values


def _check_fit(path: Path, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    expected = {
        name: tuple(value.shape)
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise BadFileError(
                path,
                f"does not fit its contract at {name}",
                expected=str(expected.get(name, "no such tensor")),
                found=str(found.get(name, "no such tensor")),
                remedy=DAMAGED,
            )
    broken = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if broken:
        raise BadFileError(path, f"holds values that are no numbers in {broken[0]}", remedy=DAMAGED)
