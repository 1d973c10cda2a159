import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.inference.contract import CARD, CONTRACT, WEIGHTS, Contract, load_contract
from glioseg.inference.postprocessing import Postprocessing
from glioseg.networks import NETWORKS, build_network


@pytest.fixture
def bundle(tmp_path: Path, network: nn.Module, contract: Contract) -> Path:
    save_bundle(tmp_path / "bundle", network, contract, "# card\n")
    return tmp_path / "bundle"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def change_contract(folder: Path, **values: Any) -> None:
    path = folder / CONTRACT
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def change_weights(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Other weights with a contract that vouches for them."""
    save_file(tensors, folder / WEIGHTS)
    change_contract(folder, weights_sha256=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest())


def refusal(folder: Path) -> str:
    with pytest.raises(GliosegError) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_there_and_back_gives_the_same_answer_to_the_last_bit(tmp_path: Path, contract: Contract, name: str) -> None:
    torch.manual_seed(1)
    network = build_network(name, 8).to(memory_format=torch.channels_last)
    network(torch.randn(2, 3, 64, 64) + 1)
    given = contract.model_copy(update={"network": name, "postprocessing": Postprocessing(threshold=0.4)})
    written = save_bundle(tmp_path, network, given, "card")
    loaded, read = load_bundle(tmp_path)
    images = torch.randn(2, 3, 40, 50)
    with torch.inference_mode():
        # The layout of the weights in memory decides the order of summation.
        assert torch.equal(loaded.to(memory_format=torch.channels_last)(images), network.eval()(images))
    assert not loaded.training
    assert read == written == given.model_copy(update={"weights_sha256": written.weights_sha256})


def test_holds_three_files_and_no_pickle(bundle: Path) -> None:
    assert names(bundle) == sorted([WEIGHTS, CONTRACT, CARD])
    with safe_open(bundle / WEIGHTS, "pt") as weights:
        assert len(list(weights.keys())) > 50
    assert (bundle / CARD).read_text() == "# card\n"


def test_the_contract_holds_the_hash_of_the_weights(bundle: Path) -> None:
    assert load_contract(bundle).weights_sha256 == hashlib.sha256((bundle / WEIGHTS).read_bytes()).hexdigest()


def test_does_not_depend_on_the_layout_in_memory(tmp_path: Path, network: nn.Module, contract: Contract) -> None:
    one = save_bundle(tmp_path / "a", network, contract, "")
    again = build_network("unet", 8).to(memory_format=torch.channels_last)
    again.load_state_dict(network.state_dict())
    assert save_bundle(tmp_path / "b", again, contract, "").weights_sha256 == one.weights_sha256


def test_saving_over_a_bundle_replaces_it(bundle: Path, contract: Contract) -> None:
    torch.manual_seed(7)
    save_bundle(bundle, build_network("unet", 16), contract.model_copy(update={"width": 16}), "new")
    assert load_bundle(bundle)[1].width == 16
    assert names(bundle) == sorted([WEIGHTS, CONTRACT, CARD])


def test_a_bundle_that_could_not_be_written_whole_leaves_the_one_before(
    bundle: Path, network: nn.Module, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_bundle(bundle)[1]

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GliosegError, match="No space left on device"):
        save_bundle(bundle, network, contract, "new")
    assert load_bundle(bundle)[1] == before
    assert (bundle / CARD).read_text() != "new"
    assert not list(bundle.parent.glob(".*"))


@pytest.mark.parametrize("width", [16, 9])
def test_weights_that_do_not_fit_name_the_first_that_does_not(bundle: Path, width: int) -> None:
    change_contract(bundle, width=width)
    message = refusal(bundle)
    assert f"{WEIGHTS} does not fit its contract at down.0.0.weight" in message
    assert f"expected ({width}, 3, 3, 3), found (8, 3, 3, 3)" in message


def test_weights_of_another_network(bundle: Path) -> None:
    change_contract(bundle, network="resunet-pp")
    assert "does not fit its contract at" in refusal(bundle)


def test_a_tensor_too_few_and_one_too_many(bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS)
    bias = tensors.pop("head.bias")
    change_weights(bundle, tensors)
    assert "at head.bias: expected (1,), found no such tensor" in refusal(bundle)
    change_weights(bundle, {**tensors, "head.bias": bias, "tail.bias": bias.clone()})
    assert "at tail.bias: expected no such tensor, found (1,)" in refusal(bundle)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(bundle: Path, value: float) -> None:
    tensors = load_file(bundle / WEIGHTS)
    tensors["up.0.0.weight"][0, 0, 0, 0] = value
    change_weights(bundle, tensors)
    assert "no numbers in up.0.0.weight" in refusal(bundle)


def test_weights_that_the_contract_does_not_describe(bundle: Path) -> None:
    tensors = load_file(bundle / WEIGHTS)
    tensors["head.bias"] += 1
    save_file(tensors, bundle / WEIGHTS)
    assert f"{WEIGHTS} is not the file that {CONTRACT} describes" in refusal(bundle)


@pytest.mark.parametrize("damage", ["empty", "cut", "pickle", "missing"])
def test_a_damaged_weight_file_is_named(bundle: Path, damage: str) -> None:
    path = bundle / WEIGHTS
    if damage == "missing":
        path.unlink()
    elif damage == "pickle":
        torch.save({"head.bias": torch.zeros(1)}, path)
    else:
        path.write_bytes(b"" if damage == "empty" else path.read_bytes()[:-100])
    message = refusal(bundle)
    assert f"{path} cannot be read" in message
    assert "Copy the bundle again" in message


def test_a_folder_without_a_contract(tmp_path: Path) -> None:
    assert f"no {CONTRACT}" in refusal(tmp_path)
    assert "no such folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"network": '])
def test_a_contract_that_is_no_json(bundle: Path, content: bytes) -> None:
    (bundle / CONTRACT).write_bytes(content)
    assert f"{CONTRACT} cannot be read" in refusal(bundle)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"bundle_format": 2}, "bundle_format"),
        ({"preprocessing": {"method": "minmax"}}, "preprocessing.method"),
        ({"postprocessing": {"threshold": 2}}, "postprocessing.threshold"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_contract_damaged_in_one_place_names_it(bundle: Path, values: dict[str, Any], place: str) -> None:
    change_contract(bundle, **values)
    assert f"{CONTRACT} is damaged at {place}: " in refusal(bundle)


@pytest.mark.parametrize("values", [{"network": "unett"}, {"network": "resunet-pp", "width": 4}])
def test_a_network_that_cannot_be_built(bundle: Path, values: dict[str, Any]) -> None:
    change_contract(bundle, **values)
    with pytest.raises(GliosegError, match=r"no network 'unett'.*'unet'|cannot be built with width 4"):
        load_bundle(bundle)
