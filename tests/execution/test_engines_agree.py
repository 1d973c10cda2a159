"""The same study on every engine gives the same table to the last digit."""

from pathlib import Path

import pytest

from glioseg.commands.study import study
from glioseg.dataset.splits import SplitChoice
from glioseg.execution.engines import Engine
from glioseg.study.plan import parse_candidates
from glioseg.training.config import load_config

CONFIG = load_config(
    assignments=(
        "budget.steps=3",
        "sampling.batch_size=8",
        "sampling.crop_size=32",
        "validation.flip=false",
        "optimisation.ema_decay=0.5",
        "machine.device=cpu",
        'machine.precision="32"',
    )
)


def table_of(data: Path, out: Path, engine: Engine) -> bytes:
    outcome = study(
        data,
        out,
        networks=parse_candidates(["unet:2"]),
        config=CONFIG,
        splits=SplitChoice(folds=3, only_folds=(1,)),
        executor=engine.executor(out / "jobs"),
    )
    return outcome.folder.scores.read_bytes()


@pytest.fixture(scope="module")
def here(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return table_of(phantom_data, tmp_path_factory.mktemp("here"), Engine())


def test_slurm(slurm: Path, phantom_data: Path, here: bytes, tmp_path: Path) -> None:
    assert table_of(phantom_data, tmp_path / "study", Engine("slurm", gpus=0)) == here
    assert (tmp_path / "study" / "runs" / "unet-2_seed-0_fold-1" / "job.log").is_file()


def test_ray(phantom_data: Path, here: bytes, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    assert table_of(phantom_data, tmp_path / "study", Engine("ray", workers=1)) == here
    assert (tmp_path / "study" / "runs" / "unet-2_seed-0_fold-1" / "job.log").is_file()
