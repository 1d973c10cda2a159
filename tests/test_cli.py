import csv
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from bids_data import write_raw_data
from cyclopts import App
from safetensors.numpy import load_file, save_file

import glioseg.dataset.lgg as lgg_module
from glioseg import __version__
from glioseg.cli import OUTPUT_WAS_CLOSED, app, main
from glioseg.commands import predict_many
from glioseg.dataset.lgg import find_patients
from glioseg.dataset.splits import load_split
from glioseg.evaluation.scores import Scores
from glioseg.execution.executor import Event, Task, perform
from glioseg.execution.local import ParallelExecutor
from glioseg.formats.tif import read_mask_slice, write_mask_slice
from glioseg.inference.shipped import SHIPPED
from glioseg.networks.table import NETWORKS


@dataclass(frozen=True)
class Ended:
    """How a command line ended: its exit code, and what it printed where."""

    code: int
    out: str
    err: str


Glioseg = Callable[..., Ended]


@pytest.fixture
def glioseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Glioseg:
    """The command line as the shell calls it; an exception that it does not catch fails the test."""

    def run(*words: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["glioseg", *map(str, words)])
        # As in a program that has not set up logging: pytest's own handlers would swallow remarks of libraries.
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, printed.out, printed.err)

    return run


def assert_one_line(ended: Ended, *named: str | Path) -> None:
    """One line for the user that names what is wrong, and nothing that looks like a defect."""
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("glioseg: ")
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err
    for name in named:
        assert str(name) in ended.err


# Damaged data. Each function spoils a folder of patients and returns what the message must name.


def middle(root: Path) -> Path:
    """An image inside the second patient's scan."""
    return find_patients(root)[1].images[3]


def mask_of(image: Path) -> Path:
    return image.with_name(f"{image.stem}_mask.tif")


def cut_picture(root: Path) -> Path:
    path = middle(root)
    path.write_bytes(path.read_bytes()[:-1])
    return path


def cut_picture_in_its_header(root: Path) -> Path:
    path = middle(root)
    path.write_bytes(path.read_bytes()[:100])
    return path


def resize_picture(root: Path) -> Path:
    path = middle(root)
    tifffile.imwrite(path, np.zeros((64, 62, 3), np.uint8), photometric="rgb", metadata=None)
    return path


def drop_slice(root: Path) -> Path:
    path = middle(root)
    mask_of(path).unlink()
    path.unlink()
    return path.parent


def misname_picture(root: Path) -> Path:
    path = middle(root)
    return path.rename(path.with_name("TCGA_XX_0000_1.tif"))


def drop_mask(root: Path) -> Path:
    path = middle(root)
    mask_of(path).unlink()
    return path


def resize_mask(root: Path) -> Path:
    path = mask_of(middle(root))
    write_mask_slice(path, np.zeros((64, 62), np.bool_))
    return path


def binarise(root: Path) -> Path:
    path = mask_of(middle(root))
    path.write_bytes(path.read_bytes()[:-1])
    return path


def smooth_mask(root: Path) -> Path:
    path = mask_of(middle(root))
    tifffile.imwrite(path, np.full((64, 64), 128, np.uint8), photometric="minisblack", metadata=None)
    return path


def empty_folder(root: Path) -> Path:
    shutil.rmtree(root)
    root.mkdir()
    return root


def no_folder(root: Path) -> Path:
    shutil.rmtree(root)
    return root


Damage = Callable[[Path], Path]
OF_PICTURES = [cut_picture, cut_picture_in_its_header, resize_picture, drop_slice, misname_picture]
OF_MASKS = [drop_mask, resize_mask, binarise, smooth_mask]
OF_FOLDERS = [empty_folder, no_folder]


@pytest.mark.parametrize("damage", [*OF_PICTURES, *OF_MASKS, *OF_FOLDERS])
def test_train_refuses_damaged_data(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    monkeypatch.setenv("GLIOSEG_CACHE", str(tmp_path / "cache"))
    culprit = damage(few_slices)
    ended = glioseg("train", "--data", few_slices, "--out", tmp_path / "run", "--set", "budget.steps=1")
    assert_one_line(ended, culprit)
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "cache").glob("*"))


def assert_one_is_named_and_two_are_scored(ended: Ended, scores: Path, culprit: str | Path) -> None:
    """A line that names what is wrong with the one patient, and the scores of the others."""
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert ": not scored, " in ended.err
    assert str(culprit) in ended.err
    assert len(Scores.from_json(scores.read_text()).patients) == 2


@pytest.mark.parametrize("damage", [*OF_PICTURES, *OF_MASKS])
def test_evaluate_names_a_damaged_truth_and_scores_the_others(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, damage: Damage
) -> None:
    predicted = shutil.copytree(few_slices, tmp_path / "predicted")
    culprit, scores = damage(few_slices), tmp_path / "new" / "scores.json"
    ended = glioseg("evaluate", predicted, few_slices, "--out", scores)
    assert_one_is_named_and_two_are_scored(ended, scores, culprit)


@pytest.mark.parametrize("damage", [binarise, smooth_mask, resize_mask, drop_mask])
def test_evaluate_names_a_damaged_prediction_and_scores_the_others(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, damage: Damage
) -> None:
    predicted = shutil.copytree(few_slices, tmp_path / "predicted")
    culprit, scores = damage(predicted), tmp_path / "new" / "scores.json"
    ended = glioseg("evaluate", predicted, few_slices, "--out", scores)
    assert_one_is_named_and_two_are_scored(ended, scores, mask_of(culprit) if damage is drop_mask else culprit)


@pytest.mark.parametrize("damage", OF_FOLDERS)
@pytest.mark.parametrize("side", ["predicted", "truth"])
def test_evaluate_refuses_a_folder_without_patients(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, side: str, damage: Damage
) -> None:
    predicted = shutil.copytree(few_slices, tmp_path / "predicted")
    culprit = damage(predicted if side == "predicted" else few_slices)
    ended = glioseg("evaluate", predicted, few_slices, "--out", tmp_path / "new" / "scores.json")
    assert_one_line(ended, culprit)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("damage", OF_FOLDERS)
@pytest.mark.parametrize("command", ["predict", "split"])
def test_a_folder_without_patients_is_refused(
    glioseg: Glioseg, few_slices: Path, untrained_bundle: Path, tmp_path: Path, command: str, damage: Damage
) -> None:
    culprit = damage(few_slices)
    if command == "predict":
        ended = glioseg("predict", few_slices, "--model", untrained_bundle, "--out", tmp_path / "out")
    else:
        ended = glioseg("data", "split", few_slices, tmp_path / "out")
    assert_one_line(ended, culprit)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", OF_PICTURES)
def test_predict_skips_a_damaged_patient_with_exit_code_1(
    glioseg: Glioseg, few_slices: Path, untrained_bundle: Path, tmp_path: Path, damage: Damage
) -> None:
    bad = find_patients(few_slices)[1].patient
    good = [files.patient for files in find_patients(few_slices) if files.patient != bad]
    culprit, out = damage(few_slices), tmp_path / "out"
    ended = glioseg("predict", few_slices, "--model", untrained_bundle, "--out", out)
    assert ended.code == 1
    done, left_out = ended.out.splitlines()
    assert done == f"2 of 3 patients done, masks and measurements in {out}"
    assert "files left out: masks (1" in left_out
    about_the_bad_one = [line for line in ended.err.splitlines() if bad in line]
    assert len(about_the_bad_one) == 1
    assert about_the_bad_one[0].startswith(f"[2/3] {bad}: skipped, ")
    assert str(culprit) in about_the_bad_one[0]
    assert len(ended.err.splitlines()) == 3
    sheets = [f"{patient}_sheet.png" for patient in good]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*good, *sheets, "measurements.csv", "records", "run.json"]
    )
    assert all(len(list((out / patient).iterdir())) == 6 for patient in good)


@pytest.mark.parametrize("damage", OF_MASKS)
def test_predict_does_not_look_at_masks(
    glioseg: Glioseg, few_slices: Path, untrained_bundle: Path, tmp_path: Path, damage: Damage
) -> None:
    damage(few_slices)
    assert glioseg("predict", few_slices, "--model", untrained_bundle, "--out", tmp_path / "out").code == 0


# Damaged bundles. Each function spoils a bundle and returns the file that the message must name.


def change_contract(bundle: Path, **changes: object) -> None:
    path = bundle / "contract.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def widen(bundle: Path) -> Path:
    change_contract(bundle, width=16)
    return bundle / "weights.safetensors"


def swap_network(bundle: Path) -> Path:
    change_contract(bundle, network="resunet-pp")
    return bundle / "weights.safetensors"


def corrupt_weights(bundle: Path) -> Path:
    path = bundle / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)
    return path


def cut_weights(bundle: Path) -> Path:
    path = bundle / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    return path


def empty_weights(bundle: Path) -> Path:
    path = bundle / "weights.safetensors"
    path.write_bytes(b"")
    return path


def other_weights(bundle: Path) -> Path:
    path = bundle / "weights.safetensors"
    save_file({name: value + 1 for name, value in load_file(path).items()}, path)
    return path


def lose_weights(bundle: Path) -> Path:
    (bundle / "weights.safetensors").unlink()
    return bundle / "weights.safetensors"


def lose_contract(bundle: Path) -> Path:
    (bundle / "contract.json").unlink()
    return bundle


def spoil_contract(bundle: Path) -> Path:
    (bundle / "contract.json").write_text("{")
    return bundle / "contract.json"


def foreign_contract(bundle: Path) -> Path:
    change_contract(bundle, bundle_format=2)
    return bundle / "contract.json"


def impossible_width(bundle: Path) -> Path:
    change_contract(bundle, network="resunet-pp", width=1)
    return bundle / "contract.json"


def no_bundle(bundle: Path) -> Path:
    return no_folder(bundle)


@pytest.mark.parametrize(
    "damage",
    [
        widen,
        swap_network,
        corrupt_weights,
        cut_weights,
        empty_weights,
        other_weights,
        lose_weights,
        lose_contract,
        spoil_contract,
        foreign_contract,
        impossible_width,
        no_bundle,
    ],
)
def test_predict_refuses_a_damaged_bundle(
    glioseg: Glioseg, few_slices: Path, untrained_bundle: Path, tmp_path: Path, damage: Damage
) -> None:
    bundle = shutil.copytree(untrained_bundle, tmp_path / "bundle")
    culprit = damage(bundle)
    ended = glioseg("predict", few_slices, "--model", bundle, "--out", tmp_path / "out")
    assert_one_line(ended, culprit)
    assert not (tmp_path / "out").exists()


# Wrong options.


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        (["--set", "optimisation.learning_rat=1"], "optimisation.learning_rate"),
        (["--set", "optimisaton.learning_rate=1"], "optimisation"),
        (["--set", "budget.steps"], "section.key=value"),
        (["--set", "budget.steps=many"], "budget.steps"),
        (["--set", "sampling.crop_size=3"], "sampling.crop_size"),
        (["--network", "unett"], "'unet'"),
        (["--network", "ResUNet+"], "'resunet-pp'"),
        (["--network", "resunet-a", "--set", "network.width=4"], "at least 8"),
        (["--config", "nowhere.json"], "nowhere.json"),
        (["--split", "nowhere.json"], "nowhere.json"),
        (["--folds", "0"], "no fold 0"),
        (["--folds", "1"], "1 folds"),
        (["--folds", "9"], "9 folds"),
        (["--folds", "2", "--fold", "2"], "0 to 1"),
        (["--folds", "two"], "two"),
    ],
)
def test_train_refuses_what_it_does_not_know_and_offers_the_nearest(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, wrong: list[str], nearest: str
) -> None:
    ended = glioseg("train", "--data", few_slices, "--out", tmp_path / "run", "--set", "budget.steps=1", *wrong)
    assert_one_line(ended, nearest)
    assert not (tmp_path / "run").exists()


def test_train_names_the_configuration_file_with_the_wrong_key(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text("[sampling]\nbatchsize = 4\n")
    ended = glioseg("train", "--data", few_slices, "--out", tmp_path / "run", "--config", tmp_path / "mine.toml")
    assert_one_line(ended, tmp_path / "mine.toml", "sampling.batch_size")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", ['{"train": []}', '{"train": ["TCGA_XX_0000_20000101"]}'])
def test_train_refuses_a_split_of_nobody_or_of_others(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, content: str
) -> None:
    (tmp_path / "split.json").write_text(content)
    ended = glioseg("train", "--data", few_slices, "--out", tmp_path / "run", "--split", tmp_path / "split.json")
    assert_one_line(ended, "split")
    assert not (tmp_path / "run").exists()


def leaves(of: App) -> Iterator[App]:
    """The commands, without those that only hold others."""
    if of.default_command is not None:
        yield of
        return
    for name in of:
        if not name.startswith("-"):
            yield from leaves(of[name])


def test_every_option_with_a_whole_number_is_read_alike() -> None:
    arguments = [argument for command in leaves(app) for argument in command.assemble_argument_collection()]
    whole = [argument for argument in arguments if re.search(r"\bint\b", str(argument.hint))]
    assert len(whole) > 10
    rounded = [argument.names for argument in whole if argument.parameter.converter is None]
    assert rounded == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["predit"], '"predict"'),
        (["--nope"], "--nope"),
        (["data", "phantm"], '"phantom"'),
        (["info", "--jsn"], "--json"),
        (["predict", "data", "--modle", "m", "--out", "o"], "--model"),
        (["predict", "data", "--model", "m"], "--out"),
        (["predict", "--out", "o"], "nothing to predict"),
        (["predict", "data", "--model", "m", "--out", "o"], "no model m"),
        (["predict", "data", "--out", "o", "--device", "tpu"], '"cpu"'),
        (["predict", "data", "--out", "o", "--workers", "0"], "--workers 0 is too few"),
        (["predict", "data", "--out", "o", "--workers", "2"], "data does not exist"),
        (["predict", "data", "--model", "m", "--out", "o", "--workers", "2"], "no model m"),
        (["study", "--data", "data", "--out", "o", "--partition", "gpu"], "an option of --engine slurm"),
        (["evaluate", "a", "b", "c", "--out", "o"], "'c'"),
        (["evaluate", "a", "b", "--out", "o", "--spacing-mm", "1", "2"], "--spacing-mm"),
        (["compare", "a.csv"], "a.csv cannot be read: No such file or directory. "),
        (["evaluate", "a", "b", "--out", "."], ". is a folder: expected the name of a file"),
        (["measure", "a", "--csv", "."], "a holds no mask"),
        (["train", "--data", "d", "--out", "o", "--set", "budget.steps=x"], "is not allowed: expected a valid integer"),
        (["predict", "--list", "no.txt", "--out", "o"], "no.txt cannot be read as a list of scans: No such file"),
        (["data", "phantom", "new", "--patients", "0"], "1 to 9999"),
        (["data", "phantom", "new", "--size", "16"], "at least 32"),
        (["predict", "data", "--out", "o", "--workers", "1.5"], "--workers 1.5 is no whole number"),
        (["predict", "data", "--out", "o", "--threads", "2.0"], "--threads 2.0 is no whole number"),
        (["study", "--data", "d", "--out", "o", "--folds", "2.5"], "--folds 2.5 is no whole number"),
        (["study", "--data", "d", "--out", "o", "--parallel", "1e1"], "--parallel 1e1 is no whole number"),
        (["study", "--data", "d", "--out", "o", "--seeds", "0,-1"], "--seeds -1 is no whole number"),
        (["presence", "fast", "--domain-shift"], "--data DATA alone"),
        (["review", ".", "--port", "0x10"], "--port 0x10 is no whole number"),
        (["predict", "data", "--out", ""], "--out is empty. See whether a shell variable"),
        (["predict", "data", "--out="], "--out is empty"),
        (["predict", "", "--out", "o"], "an argument is empty"),
        (["data", "phantom", ""], "an argument is empty"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    glioseg: Glioseg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert_one_line(glioseg(*words), named)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("spacing", [("0", "1", "1"), ("1", "-1", "1"), ("1", "1", "nan"), ("inf", "1", "1")])
def test_evaluate_refuses_an_impossible_spacing(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path, spacing: tuple[str, str, str]
) -> None:
    ended = glioseg("evaluate", few_slices, few_slices, "--out", tmp_path / "o", "--spacing-mm", *spacing)
    assert_one_line(ended, "spacing")
    assert not (tmp_path / "o").exists()


def test_predict_refuses_to_write_over_the_data(glioseg: Glioseg, few_slices: Path, untrained_bundle: Path) -> None:
    before = {path: path.read_bytes() for path in few_slices.rglob("*.*")}
    ended = glioseg("predict", few_slices, "--model", untrained_bundle, "--out", few_slices)
    assert_one_line(ended, few_slices)
    assert {path: path.read_bytes() for path in few_slices.rglob("*.*")} == before


def test_an_output_that_cannot_be_written_is_named(glioseg: Glioseg, few_slices: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    ended = glioseg("evaluate", few_slices, few_slices, "--out", tmp_path / "taken" / "scores.json")
    assert_one_line(ended, tmp_path / "taken" / "scores.json")
    ended = glioseg("data", "split", few_slices, tmp_path / "taken" / "split.json")
    assert_one_line(ended, tmp_path / "taken" / "split.json")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_defect_is_not_dressed_up_as_the_users_mistake(
    monkeypatch: pytest.MonkeyPatch, few_slices: Path, tmp_path: Path
) -> None:
    def defect(_: Path) -> list[Path]:
        raise ZeroDivisionError

    monkeypatch.setattr(lgg_module, "find_patient_folders", defect)
    monkeypatch.setattr(sys, "argv", ["glioseg", "data", "split", str(few_slices), str(tmp_path / "o")])
    with pytest.raises(ZeroDivisionError):
        main()


def test_an_interrupted_command_says_so(glioseg: Glioseg, few_slices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Path) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr(lgg_module, "find_patient_folders", interrupt)
    ended = glioseg("data", "split", few_slices, few_slices / "o")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "glioseg: stopped; what was finished is kept\n"


@pytest.mark.parametrize("words", ["info", "info --json"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_has_had_enough_is_no_error(words: str, unbuffered: str) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    command = [sys.executable, "-m", "glioseg", *words.split()]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    ended = subprocess.run(command, stdout=writing_end, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writing_end)
    assert (ended.returncode, ended.stderr) == (OUTPUT_WAS_CLOSED, "")


# What goes well.


def test_compare_prints_each_model_and_every_pair(glioseg: Glioseg, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("patient,dice\nA,0.5\nB,0.7\n")
    (tmp_path / "new.csv").write_text("patient,dice\nA,0.6\nB,0.9\n")
    (tmp_path / "none.csv").write_text("patient,dice\nA,\n")
    ended = glioseg("compare", *(tmp_path / name for name in ("old.csv", "new.csv", "none.csv")))
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[1].split()[:3] == ["old", "2", "0.600"]
    assert lines[3].split() == ["none", "0", "undefined", "for", "every", "patient"]
    assert lines[6].startswith("old - new: -0.150 (-0.200 to -0.100), higher on 0, lower on 2, equal on 0; p = ")
    assert lines[7] == "old - none: no patient has both scores"
    told = json.loads(glioseg("compare", tmp_path / "old.csv", tmp_path / "new.csv", "--json").out)
    assert told["pairs"][0]["comparison"]["mean_difference"] == pytest.approx(-0.15)
    assert told["models"]["new"]["mean"] == pytest.approx(0.75)


def test_predict_and_evaluate_follow_each_other(
    glioseg: Glioseg, few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    out, table = tmp_path / "out", tmp_path / "scores.json"
    predicted = glioseg("predict", few_slices, "--model", untrained_bundle, "--out", out, "--json")
    assert predicted.code == 0
    assert json.loads(predicted.out) == json.loads((out / "run.json").read_text())
    assert len(predicted.err.splitlines()) == 3
    evaluated = glioseg("evaluate", out, few_slices, "--out", table, "--json", "--spacing-mm", "5", "1", "1")
    assert evaluated.code == 0
    assert evaluated.err == ""
    assert Scores.from_json(evaluated.out) == Scores.from_json(table.read_text())
    assert Scores.from_json(table.read_text()).spacing_mm == (5.0, 1.0, 1.0)


def do_here(executor: ParallelExecutor, jobs: Sequence[Task]) -> Iterator[Event]:
    """Jobs as a worker does them, in this process."""
    for job in jobs:
        yield Event(job.key, "running")
        assert perform(job) is None
        yield Event(job.key, "done")


def test_predict_in_shards_tells_how_they_stand_in_words_and_as_json(
    glioseg: Glioseg, few_slices: Path, untrained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(ParallelExecutor, "run", do_here)
    monkeypatch.setattr(predict_many, "SHARDS_OF_A_WORKER", 1)
    command = ("predict", few_slices, "--model", untrained_bundle, "--out", "out", "--workers", "2", "--no-previews")
    first = glioseg(*command)
    assert first.code == 0
    done, left_out = first.out.splitlines()
    assert done == "3 of 3 patients done, masks and measurements in out"
    assert left_out.endswith("run.json lists them")
    assert first.err.splitlines()[0] == "shards: 2 waiting, 0 running, 0 done, 0 failed"
    again = glioseg(*command, "--json")
    assert again.code == 0
    assert len(json.loads(again.out)["patients"]) == 3
    *_, last = map(json.loads, again.err.splitlines())
    assert (last["state"], last["waiting"], last["running"], last["done"]) == ("done", 0, 0, 2)
    log = tmp_path / "out" / "shards" / "1-of-2" / "job.log"
    assert log.read_text().count("examinations are settled already") == 2


def test_evaluate_prints_a_table_and_counts_who_lacks_a_prediction(
    glioseg: Glioseg, few_slices: Path, tmp_path: Path
) -> None:
    predicted = shutil.copytree(few_slices, tmp_path / "predicted")
    shutil.rmtree(predicted / find_patients(few_slices)[0].patient)
    for path in predicted.glob("*/*_mask.tif"):
        write_mask_slice(path, np.roll(read_mask_slice(path), 2, axis=0))
    ended = glioseg("evaluate", predicted, few_slices, "--out", tmp_path / "scores.csv")
    assert ended.code == 0
    assert ended.err == f"1 patient of {few_slices} has no prediction and is not scored\n"
    assert "Scores on 2 patients" in ended.out
    with (tmp_path / "scores.csv").open(newline="") as file:
        mean = np.mean([float(row["dice"]) for row in csv.DictReader(file)])
    (row,) = (line for line in ended.out.splitlines() if line.lower().startswith("3-d dice"))
    assert f" {mean:.3f} " in row


def test_bids_takes_labels_as_bids_apps_do(glioseg: Glioseg, untrained_bundle: Path, tmp_path: Path) -> None:
    raw, out = write_raw_data(tmp_path / "raw"), tmp_path / "out"
    options = ("--model", untrained_bundle, "--no-previews", "--device", "cpu")
    one = glioseg("bids", raw, out, "participant", "--participant_label", "sub-02", "--session-label", "2", *options)
    assert (one.code, one.out) == (0, f"1 of 1 patients done, masks and measurements in {out}\n")
    again = glioseg("bids", raw, out, "participant", "--participant-label", "02", "--session_label", "ses-2", *options)
    assert (again.code, again.err) == (0, "1 of 1 examinations are settled already\n")
    group = glioseg("bids", raw, out, "group", "--participant-label", "01", "02", "--json")
    assert group.code == 1
    states = {row["participant_id"] + row["session_id"]: row["state"] for row in json.loads(group.out)}
    assert states == {"sub-01": "missing", "sub-02ses-1": "missing", "sub-02ses-2": "done"}
    assert_one_line(glioseg("bids", raw, out, "participant", "--participant-label", "02", "09"), "sub-09", "sub-01")
    (raw / "dataset_description.json").unlink()
    assert_one_line(glioseg("bids", raw, out, "group"), "dataset_description.json", "--skip-bids-validation")
    assert glioseg("bids", raw, out, "group", "--skip-bids-validation", "--session-label", "2").code == 0


def test_practice_patients_and_a_split_of_them(glioseg: Glioseg, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ended = glioseg("data", "phantom", data, "--patients", "4", "--size", "32", "--json")
    assert ended.code == 0
    names = json.loads(ended.out)
    assert names == [
        path.name for path in sorted(data.iterdir(), key=lambda path: path.name.split("_")[2:]) if path.is_dir()
    ]
    ended = glioseg("data", "split", data, tmp_path / "split.json", "--folds", "2", "--fold", "1", "--json")
    split = load_split(tmp_path / "split.json")
    counts = {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    assert json.loads(ended.out) == {**counts, "sha256": split.sha256}
    assert sorted(split.train + split.validation + split.test) == sorted(names)


def test_info_lists_every_network(glioseg: Glioseg) -> None:
    listed = json.loads(glioseg("info", "--json").out)
    assert listed["version"] == __version__
    assert list(listed["networks"]) == list(NETWORKS)
    assert "tif" in listed["formats"]["read"]
    assert list(listed["models"]) == list(SHIPPED)
    plain = glioseg("info")
    assert plain.code == 0
    assert all(entry.title in plain.out for entry in NETWORKS.values())


def test_doctor_tells_versions_and_device(glioseg: Glioseg) -> None:
    facts = json.loads(glioseg("doctor", "--json").out)
    assert {"glioseg", "device", "precision", "python", "torch", "onnxruntime"} <= facts.keys()
    assert facts["torch"] in glioseg("doctor").out


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["--version"], ["data", "--help"], ["predict", "--help"]])
def test_help_and_version_are_no_errors(glioseg: Glioseg, words: list[str]) -> None:
    ended = glioseg(*words)
    assert (ended.code, ended.err) == (0, "")
    assert (__version__ if words == ["--version"] else "Usage: glioseg") in ended.out


HEAVY = ["torch", "monai", "kornia", "lightning_fabric", "scipy", "matplotlib", "numpy", "tifffile", "PIL"]
QUICK = ["--help", "--version", "info --json", "info", "train --help", "predict --help", "evaluate --help", "predit"]


@pytest.mark.parametrize("words", QUICK)
def test_a_quick_answer_imports_nothing_heavy(words: str) -> None:
    script = f"""
import sys
from glioseg.cli import OUTPUT_WAS_CLOSED, app, main
sys.argv = ["glioseg", *{words.split()!r}]
try:
    main()
except SystemExit as ended:
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    print("heavy:", *heavy, file=sys.stderr)
    sys.exit(ended.code)
"""
    ran = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode == (2 if words == "predit" else 0)
    assert ran.stderr.splitlines()[-1] == "heavy:"


@pytest.mark.parametrize("command", ["predict", "evaluate", "measure"])
def test_help_shows_every_name_in_angle_brackets(glioseg: Glioseg, command: str) -> None:
    from glioseg import cli

    named = set(re.findall(r"<[a-z]+>\S*\w", getattr(getattr(cli, command), command).__doc__))
    assert named
    shown = re.sub(r"[\s│]+", "", glioseg(command, "--help").out)
    assert {name for name in named if name not in shown} == set()


def test_a_locale_without_umlauts_does_not_keep_masks_from_their_names(untrained_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "Größe").mkdir()
    image = nibabel.Nifti1Image(np.arange(4096, dtype=np.int16).reshape(16, 16, 16), np.diag([1, 1, 5, 1]))
    nibabel.save(image, tmp_path / "Größe" / "Jürgen_flair.nii.gz")
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = ["predict", tmp_path / "Größe", "--model", untrained_bundle, "--out", tmp_path / "Maße", "--no-previews"]
    ran = subprocess.run([sys.executable, "-m", "glioseg", *words], env=environment, capture_output=True)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "Maße" / "Größe_mask.nii.gz").is_file()
    assert "Größe" in (tmp_path / "Maße" / "measurements.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--data", "none"],
        ["study", "--data", "none"],
        ["bundle", "none", "--data", "none"],
        ["export", "none", "--to", "onnx", "--patients", "none"],
    ],
    ids=lambda words: words[0],
)
def test_an_output_that_cannot_be_written_is_noticed_before_the_work(
    glioseg: Glioseg, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = glioseg(*words, "--out", str(tmp_path / "file" / "out"))
    assert ended.code == 2
    assert "cannot write" in ended.err
