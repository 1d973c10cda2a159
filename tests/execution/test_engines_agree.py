"""The same study on every engine gives the same table to the last digit, though its driver is killed on the way."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

STUDY = (
    *("--networks", "unet:2", "--folds", "3", "--only-folds", "1", "--seeds", "0,1", "--steps", "3"),
    *("--set", "sampling.batch_size=8", "--set", "sampling.crop_size=32", "--set", "validation.flip=false"),
    *("--set", "optimisation.ema_decay=0.5", "--set", "machine.device=cpu", "--set", "machine.precision=32"),
)
RUNS = ("unet-2_seed-0_fold-1", "unet-2_seed-1_fold-1")


def driver(data: Path, out: Path, *engine: str) -> subprocess.Popen[str]:
    """The command, in a process of its own."""
    command = [sys.executable, "-m", "glioseg", "study", "--data", str(data), "--out", str(out), *STUDY, *engine]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def table_of(data: Path, out: Path, *engine: str) -> bytes:
    """Do the study, or go on with it."""
    process = driver(data, out, *engine)
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 0, told
    return (out / "tables" / "scores.csv").read_bytes()


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def kill_amid(data: Path, out: Path, *engine: str) -> None:
    """End the driver by SIGKILL once the first run is finished and the second is under way."""
    process = driver(data, out, *engine)
    first, second = (out / "runs" / name for name in RUNS)
    while not ((first / "scores.json").exists() and (second / "job.log").exists()):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.kill()
    process.communicate()


def beginnings(out: Path, run: str) -> int:
    """How often a run was begun, by the headings of its log."""
    return (out / "runs" / run / "job.log").read_text().count("--- ")


@pytest.fixture(scope="module")
def here(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The table of an undisturbed study in one process."""
    return table_of(phantom_data, tmp_path_factory.mktemp("here"))


def test_slurm_goes_on_meanwhile_and_is_found_again(
    slurm: Path, phantom_data: Path, here: bytes, tmp_path: Path
) -> None:
    engine = ("--engine", "slurm", "--workers", "1", "--gpus-per-run", "0")
    kill_amid(phantom_data, tmp_path, *engine)
    done = times(tmp_path / "runs" / RUNS[0])
    assert table_of(phantom_data, tmp_path, *engine) == here
    assert times(tmp_path / "runs" / RUNS[0]) == done
    assert [beginnings(tmp_path, run) for run in RUNS] == [1, 1]


def test_ray_ends_with_its_driver_and_goes_on_with_the_next(phantom_data: Path, here: bytes, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    engine = ("--engine", "ray", "--workers", "1")
    kill_amid(phantom_data, tmp_path, *engine)
    done = times(tmp_path / "runs" / RUNS[0])
    assert table_of(phantom_data, tmp_path, *engine) == here
    assert times(tmp_path / "runs" / RUNS[0]) == done
    assert beginnings(tmp_path, RUNS[0]) == 1
