"""A whole study on practice patients: killed at any moment it ends as if it had not been, and repeats nothing."""

import csv
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from glioseg.commands.study import as_json, study
from glioseg.dataset.splits import SplitChoice
from glioseg.errors import GliosegError
from glioseg.execution.executor import Event, Task
from glioseg.execution.study_result import StudyOutcome
from glioseg.study.plan import parse_configurations
from glioseg.study.table import StudyTable
from glioseg.training.config import load_config

HERE = Path(__file__).parent
SCRIPT = HERE / "killed_study.py"
NETWORKS = ("unet:2", "resunet-a:8")


@dataclass(frozen=True)
class Studies:
    """The same study twice, and how each attempt of the second ended."""

    data: Path
    undisturbed: Path
    killed: Path
    endings: list[int]


@dataclass
class Recorder:
    """An executor that does nothing but remember."""

    runs: list[str]

    def run(self, runs: Sequence[Task]) -> Iterator[Event]:
        self.runs += [run.key for run in runs]
        yield from ()


@dataclass
class Looker:
    """An executor that does nothing but look which heads lie in the cache when it begins."""

    cache: Path
    heads: list[Path]

    def run(self, runs: Sequence[Task]) -> Iterator[Event]:
        self.heads += self.cache.rglob("heads-*.u8")
        yield from ()


@pytest.fixture(scope="module")
def studies(phantom_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Studies:
    root = tmp_path_factory.mktemp("studies")
    places = (phantom_data, root / "undisturbed", root / "killed")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLIOSEG_CACHE": str(root / "cache")}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, places)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return Studies(*places, endings=json.loads(done.stdout.splitlines()[-1]))


def settings() -> tuple[str, ...]:
    """Those of the script, which is no module that could be imported."""
    return tuple(runpy.run_path(str(SCRIPT))["SETTINGS"])


def again(studies: Studies, **changes: object) -> StudyOutcome:
    arguments: dict[str, object] = {
        "networks": parse_configurations(NETWORKS),
        "config": load_config(assignments=settings()),
        "splits": SplitChoice(folds=3, only_folds=(1,)),
    }
    return study(studies.data, studies.undisturbed, **{**arguments, **changes})  # type: ignore[arg-type]


def test_it_was_killed_at_every_attempt_but_the_last(studies: Studies) -> None:
    assert studies.endings[0] == studies.endings[-1] == 0
    assert set(studies.endings[1:-1]) == {-signal.SIGKILL}
    assert len(studies.endings) == 10


@pytest.mark.parametrize("name", ["plan.json", "tables/scores.csv", "tables/patients.csv", "tables/pairs.csv"])
def test_a_killed_study_ends_with_the_files_of_an_undisturbed_one(studies: Studies, name: str) -> None:
    assert (studies.killed / name).read_bytes() == (studies.undisturbed / name).read_bytes()


def test_so_do_its_runs(studies: Studies) -> None:
    names = sorted(path.name for path in (studies.undisturbed / "runs").iterdir())
    assert names == ["resunet-a-8_seed-0_fold-1", "unet-2_seed-0_fold-1"]
    for name in names:
        for file in ("scores.json", "split.json", "config.json", "bundle/weights.safetensors"):
            ours, theirs = (root / "runs" / name / file for root in (studies.killed, studies.undisturbed))
            assert ours.read_bytes() == theirs.read_bytes(), (name, file)


def test_finished_runs_are_not_repeated(studies: Studies) -> None:
    before = {path: path.stat().st_mtime_ns for path in (studies.undisturbed / "runs").rglob("*") if path.is_file()}
    recorder, said = Recorder([]), list[str]()
    outcome = again(studies, executor=recorder, progress=said.append)
    assert recorder.runs == []
    assert said == ["runs: 0 waiting, 0 running, 2 done, 0 failed"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert StudyTable.read(outcome.folder.scores, outcome.folder.patients) == outcome.table


def test_an_executor_gets_the_runs_that_wait(studies: Studies, tmp_path: Path) -> None:
    recorder = Recorder([])
    with pytest.raises(GliosegError, match=r"scores\.json cannot be read"):
        # It does none of them, so that there are no scores to gather.
        study(
            studies.data,
            tmp_path / "new",
            networks=parse_configurations(NETWORKS),
            config=load_config(assignments=settings()),
            splits=SplitChoice(folds=3, only_folds=(0, 2)),
            seeds=(3, 4),
            executor=recorder,
        )
    assert len(recorder.runs) == 8
    assert recorder.runs[:3] == ["unet-2_seed-3_fold-0", "resunet-a-8_seed-3_fold-0", "unet-2_seed-4_fold-0"]


def test_heads_are_found_once_before_the_runs(
    studies: Studies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIOSEG_CACHE", str(tmp_path / "cache"))
    looker = Looker(tmp_path / "cache", [])
    with pytest.raises(GliosegError, match=r"scores\.json cannot be read"):
        study(
            studies.data,
            tmp_path / "new",
            networks=parse_configurations(NETWORKS),
            config=load_config(assignments=[*settings(), "augmentation.skull_stripping=0.2"]),
            splits=SplitChoice(folds=3, only_folds=(0,)),
            executor=looker,
        )
    assert len(looker.heads) == 1


def test_another_plan_in_the_same_folder_is_refused(studies: Studies) -> None:
    with pytest.raises(GliosegError, match=r"holds a study under another plan: .* found other seeds"):
        again(studies, seeds=(1,))


def test_result_stands_in_table_page_and_json(studies: Studies) -> None:
    outcome = again(studies, command=("glioseg", "study", "--out", "a folder"))
    assert len(outcome.analysis.patients) == 2
    assert {c.key for c in outcome.analysis.configurations} == {"unet-2", "resunet-a-8"}
    for configuration, cost in outcome.costs.items():
        assert cost.training_steps == 6
        assert cost.cpu_ms_per_slice > 0
        assert outcome.analysis.summaries[configuration]["dice"].count == 2
    page = outcome.folder.report.read_text(encoding="utf-8")
    assert "glioseg study --out &#39;a folder&#39;" in page
    assert outcome.verdict.split(",")[0] in page
    content = json.loads(json.dumps(as_json(outcome), allow_nan=False))
    assert content["verdict"] == outcome.verdict
    assert [network["network"] for network in content["networks"]] == [c.name for c in outcome.analysis.configurations]
    rows = list(csv.DictReader(outcome.folder.scores.open(encoding="utf-8")))
    assert {row["fold"] for row in rows} == {"fold-1"}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (SplitChoice(only_folds=(0,)), "--only-folds chooses among folds"),
        (SplitChoice(folds=3, only_folds=(3,)), "there is no fold 3: expected 0 to 2"),
    ],
)
def test_folds_that_are_none_are_refused(choice: SplitChoice, message: str) -> None:
    with pytest.raises(GliosegError, match=message):
        choice.splits([f"P_{i}" for i in range(6)])


def test_without_a_choice_the_published_split_is_taken() -> None:
    patients = [f"TCGA_DU_{i:04d}_20000101" for i in range(20)]
    assert [split.name for split in SplitChoice().splits(patients)] == ["published"]
    assert len(SplitChoice(folds=4).splits(patients)) == 4
