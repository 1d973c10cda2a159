"""What CONTRIBUTING says of a new network: a file and an entry in the table are enough."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor, nn

from glioseg.cli import app
from glioseg.commands.predict import predict
from glioseg.networks.padding import crop_to, pad_to_multiple
from glioseg.networks.table import NETWORKS, NetworkEntry, cost_of


class TwoConvolutions(nn.Module):
    """As small as a network can be."""

    size_multiple = 2

    def __init__(self, width: int = 4, in_channels: int = 3) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        padded = pad_to_multiple(images, self.size_multiple)
        return crop_to(self.last(self.first(padded).relu()), *images.shape[-2:])


@pytest.fixture(autouse=True)
def _one_network_more(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = NetworkEntry(
        title="Two convolutions",
        paper="none",
        published_width=4,
        matched_width=6,
        least_width=1,
        size_multiple=2,
        location=f"{__name__}:TwoConvolutions",
    )
    monkeypatch.setitem(NETWORKS, "two", entry)


def run(*words: str | Path) -> None:
    app(list(map(str, words)), exit_on_error=False, print_error=False, result_action="return_value")


def test_its_cost_is_counted() -> None:
    cost = cost_of("two")
    assert cost.parameters == 3 * 9 * 4 + 4 + 4 + 1
    assert cost.gmacs == pytest.approx(256 * 256 * (27 * 4 + 4) / 1e9)
    assert cost.activations_mb == pytest.approx(256 * 256 * (4 + 1) * 4 / 1e6)


def test_info_lists_it(capsys: pytest.CaptureFixture[str]) -> None:
    run("info", "--json")
    listed = json.loads(capsys.readouterr().out)["networks"]["two"]
    assert (listed["parameters"], listed["matched_width"]) == (117, 6)
    run("info")
    assert "Two convolutions" in capsys.readouterr().out


def test_a_study_of_every_network_trains_it(
    phantom_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("resunet-a", "resunet-pp"):
        monkeypatch.delitem(NETWORKS, name)
    monkeypatch.setitem(NETWORKS, "unet", replace(NETWORKS["unet"], matched_width=2))
    settings = [f"--set={text}" for text in ("sampling.batch_size=4", "sampling.crop_size=32", "machine.device=cpu")]
    folds = ("--folds", "3", "--only-folds", "1")
    run("study", "--data", phantom_data, "--out", tmp_path / "study", *folds, "--steps", "2", *settings)
    page = (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
    assert "Two convolutions 6" in page
    bundle = tmp_path / "study" / "runs" / "two-6_seed-0_fold-1" / "bundle"
    done = predict([phantom_data], tmp_path / "masks", model=bundle, presence=False, previews=False)
    assert done.results
    assert not done.failures
