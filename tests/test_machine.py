import subprocess
import sys
from typing import Literal

import numpy as np
import pytest
import torch

from glioseg.errors import GliosegError
from glioseg.machine import choose_device, choose_memory_format, peak_memory_mb, share_threads, threads, use_threads


def test_the_peak_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    held = np.ones(400_000_000 // 8)
    assert peak_memory_mb() > held.nbytes / 1e6
    code = "from glioseg.machine import peak_memory_mb; print(peak_memory_mb())"
    found = float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert 5 < found < 200


@pytest.mark.parametrize(
    ("precision", "device", "avx512", "side_px", "planes", "channels_last"),
    [
        ("32", "cpu", False, 256, True, False),
        ("32", "cpu", False, 96, True, True),
        ("32", "cpu", True, 256, True, True),
        ("bf16", "cpu", False, 256, True, True),
        ("32", "cpu", False, 256, False, True),
        ("32", "cuda", False, 256, True, True),
    ],
)
def test_only_large_images_in_float32_without_avx512_lie_plane_by_plane(
    monkeypatch: pytest.MonkeyPatch,
    precision: Literal["32", "bf16"],
    device: str,
    avx512: bool,
    side_px: int,
    planes: bool,
    channels_last: bool,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": avx512})
    found = choose_memory_format(precision, torch.device(device), side_px, planes)
    assert found == (torch.channels_last if channels_last else torch.contiguous_format)


def test_threads_are_as_many_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads() >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    use_threads()
    assert threads() == 3
    use_threads(2)
    assert threads() == 2
    with pytest.raises(GliosegError, match="number of threads is too small"):
        use_threads(0)


def test_processes_side_by_side_share_the_cores_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glioseg.machine._cores", lambda: 8)
    for processes, each in ((3, 2), (16, 1)):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        share_threads(processes)
        assert threads() == each
    use_threads(5)
    share_threads(2)
    assert threads() == 5


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GliosegError, match="finds no GPU"):
        choose_device("cuda")
    assert {choose_device("auto").type, choose_device("cpu").type} == {"cpu"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [choose_device(wish).type for wish in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
