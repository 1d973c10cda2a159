from functools import partial
from pathlib import Path

import pytest

from glioseg.cli import app
from glioseg.commands import demo as module
from glioseg.commands.demo import NETWORKS as NETWORKS_SHOWN
from glioseg.commands.demo import DemoOutcome, demo, demo_config
from glioseg.dataset.lgg import find_patients
from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.splits import load_split
from glioseg.errors import GliosegError
from glioseg.evaluation.scores import Scores
from glioseg.formats.tif import read_mask_slice
from glioseg.networks.table import NETWORKS
from glioseg.review.cases import find_review_cases
from glioseg.study.plan import ModelConfiguration
from glioseg.training.config import load_config

PATIENTS = 6
NETWORKS_COMPARED = (ModelConfiguration("unet", 4), ModelConfiguration("resunet-pp", 8))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> DemoOutcome:
    """The demonstration with fewer and smaller practice patients, two networks and next to no training."""
    config = load_config(
        assignments=(
            "sampling.crop_size=32",
            "augmentation.shift_pixels=8",
            "sampling.batch_size=8",
            "optimisation.learning_rate=1e-2",
            "optimisation.ema_decay=0.5",
            "budget.steps=24",
            "machine.device=cpu",
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "write_phantoms", partial(write_phantoms, size=64))
        out = tmp_path_factory.mktemp("demo") / "new" / "folder"
        return demo(out, patients=PATIENTS, config=config, networks=NETWORKS_COMPARED)


def test_makes_the_patients_it_was_asked_for(outcome: DemoOutcome) -> None:
    assert len(find_patients(outcome.data, masks=True)) == PATIENTS


def test_predicts_the_test_patients_and_nobody_else(outcome: DemoOutcome) -> None:
    test = load_split(outcome.training.folder.split).test
    assert test
    assert tuple(entry.patient for entry in outcome.scores.patients) == test
    masks = outcome.data.parent / "masks"
    assert tuple(sorted(path.name for path in masks.iterdir() if path.is_dir() and path.name != "records")) == test
    for patient in find_patients(outcome.data):
        if patient.patient in test:
            written = sorted((masks / patient.patient).iterdir())
            assert [path.name for path in written] == sorted(path.name for path in patient.masks)
            assert read_mask_slice(written[0]).shape == (64, 64)


def test_its_masks_can_be_read_in_the_desk(outcome: DemoOutcome) -> None:
    cases = find_review_cases(outcome.masks)
    assert sorted(case.patient for case in cases.cases.values()) == sorted(
        load_split(outcome.training.folder.split).test
    )
    assert all(case.problem is None for case in cases.cases.values())
    assert all((outcome.masks / f"{case.patient}_probability.nii.gz").is_file() for case in cases.cases.values())


def test_ends_with_the_line_that_opens_its_results_in_the_desk(
    outcome: DemoOutcome, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "demo", lambda *of, **settings: outcome)
    app(["demo", "--out", "anywhere"], result_action="return_value")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"glioseg review {outcome.masks}")


def test_masks_read_back_from_files_score_as_they_did_in_memory(outcome: DemoOutcome) -> None:
    in_memory = {entry.patient: entry.values for entry in outcome.training.scores.patients}
    assert {entry.patient: entry.values for entry in outcome.scores.patients} == in_memory
    assert Scores.from_json((outcome.data.parent / "scores.json").read_text()) == outcome.scores
    assert sum(values["predicted_voxels"] or 0 for values in in_memory.values()) > 0


def test_the_report_shows_the_command_that_made_it(outcome: DemoOutcome) -> None:
    assert f"glioseg demo --out {outcome.data.parent}" in outcome.study.folder.report.read_text()


def test_predicts_with_the_network_of_the_highest_mean_dice(outcome: DemoOutcome) -> None:
    means = {
        configuration: summaries["dice"].mean or 0.0
        for configuration, summaries in outcome.study.analysis.summaries.items()
    }
    best = max(means, key=lambda configuration: means[configuration])
    assert outcome.training.folder.root.name.startswith(best.key)
    assert best.title in outcome.training.part


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(GliosegError, match="is not an empty folder"):
            demo(place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_settings_are_small_and_of_a_fixed_length() -> None:
    config = demo_config()
    assert {configuration.name for configuration in NETWORKS_SHOWN} == set(NETWORKS)
    assert {configuration.width for configuration in NETWORKS_SHOWN} == {8}
    assert config.budget.steps is not None
    assert config.budget.steps * config.sampling.batch_size < 5000
    assert config.seed == 0
