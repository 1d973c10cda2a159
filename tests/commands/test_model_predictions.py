"""A network as second reader: of the patients it has not seen only, and only if it is known whom it has seen."""

from pathlib import Path

import pytest

from glioseg.check.dataset_check import open_source
from glioseg.commands.model_predictions import ModelPredictions
from glioseg.dataset.lgg import find_patients
from glioseg.dataset.splits import Split, save_split
from glioseg.errors import GliosegError
from glioseg.inference.bundle import load_bundle, save_bundle
from glioseg.training.run_folder import RunFolder


def nothing(line: str) -> None:
    """Says nothing."""


def test_only_patients_that_the_network_has_not_seen_are_predicted(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    files = find_patients(few_slices)
    seen, validated, out_of_fold = (one.patient for one in files)
    run = RunFolder(tmp_path / "run")
    split = Split("mine", (seen,), (validated,), (out_of_fold,))
    run.root.mkdir()
    save_split(split, run.split)
    network, contract = load_bundle(untrained_bundle)
    save_bundle(run.bundle, network, contract.model_copy(update={"split_sha256": split.sha256}), "card")
    predictions = ModelPredictions(open_source(few_slices), run.root, split=None, progress=nothing)
    assert predictions.of(seen) is None
    assert predictions.of(validated) is None
    found = predictions.of(out_of_fold)
    assert found is not None
    assert found.shape == (len(files[2].images), 64, 64)
    assert 0 <= found.min() < found.max() <= 1


def test_a_network_of_unknown_schooling_is_refused(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    source = open_source(few_slices)
    with pytest.raises(GliosegError, match="it is not known on whom"):
        ModelPredictions(source, untrained_bundle, split=None, progress=nothing)
    other = tmp_path / "split.json"
    save_split(Split("other", source.patients[:1], (), ()), other)
    with pytest.raises(GliosegError, match="was not trained with the split"):
        ModelPredictions(source, untrained_bundle, split=other, progress=nothing)
