"""A GPU through ONNX Runtime, with a faked list of what it can compute on: no GPU is needed."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from glioseg.errors import GliosegError
from glioseg.inference import backends as module
from glioseg.inference.backends import CUDA_PROVIDER, Device, load_backend
from glioseg.inference.contract import load_contract
from glioseg.inference.shipped import SHIPPED

BUNDLE = SHIPPED["fast"].path
CPU = "CPUExecutionProvider"


class FakeSession:
    """A session that knows what it was asked to compute on, and gets it unless CUDA's libraries are missing."""

    works = True

    def __init__(self, path: Path, options: Any, providers: list[Any]) -> None:
        named = dict(one if isinstance(one, tuple) else (one, {}) for one in providers)
        # Any size of crop would be timed anew.
        assert CUDA_PROVIDER not in named or named[CUDA_PROVIDER]["cudnn_conv_algo_search"] == "HEURISTIC"
        self.providers = list(named) if self.works else [CPU]

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"shape": ["n", 3, "rows", "columns"]})]

    def get_providers(self) -> list[str]:
        return self.providers


@pytest.fixture
def gpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA_PROVIDER, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(module, "is_installed", lambda name: name == "onnxruntime")


def loaded_on(device: Device) -> str:
    return load_backend(BUNDLE, load_contract(BUNDLE), "auto", device=device).device


@pytest.mark.usefixtures("gpu_build")
def test_the_gpu_is_taken_where_the_build_for_it_is_there() -> None:
    assert loaded_on("cuda") == loaded_on("auto") == "GPU, CUDA"
    assert loaded_on("cpu").startswith("CPU")


@pytest.mark.usefixtures("gpu_build")
def test_pytorch_comes_first_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda name: name != "openvino")
    assert module._fastest(BUNDLE, load_contract(BUNDLE), "cuda", "auto") == "torch"


@pytest.mark.usefixtures("gpu_build")
def test_missing_libraries_of_cuda_are_told_and_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "works", False)
    with pytest.raises(GliosegError, match="cannot use the GPU"):
        loaded_on("cuda")
    assert loaded_on("auto").startswith("CPU")


def test_the_build_for_cpus_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    monkeypatch.setattr(module, "is_installed", lambda name: name == "onnxruntime")
    with pytest.raises(GliosegError, match="pip install onnxruntime-gpu"):
        loaded_on("cuda")
