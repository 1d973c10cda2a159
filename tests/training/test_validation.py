from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bright_flair import BrightFlair
from numpy.typing import NDArray
from torch import nn

from glioseg.dataset.phantom import write_phantoms
from glioseg.dataset.store import ArrayStore, open_store
from glioseg.evaluation import domain_shift
from glioseg.evaluation.metrics import dice
from glioseg.inference.backends.torch_backend import TorchBackend
from glioseg.inference.contract import Contract, InferenceSettings
from glioseg.inference.model import Model
from glioseg.inference.postprocessing import Decision, Postprocessing
from glioseg.inference.prediction import predict_probabilities
from glioseg.inference.preprocessing import Preprocessing
from glioseg.networks import build_network
from glioseg.training.config import TrainingConfig
from glioseg.training.sampling import crop_px
from glioseg.training.validation import (
    CANDIDATES,
    brain_of,
    choose_decision,
    choose_postprocessing,
    domain_shift_dice,
    validation_dice,
    validation_probabilities,
)

CPU = torch.device("cpu")
BuildConfig = Callable[..., TrainingConfig]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Random weights; the bias lifts about half of what they predict above one half."""
    torch.manual_seed(0)
    built = build_network("unet", 8).eval()
    with torch.inference_mode():
        built.head.bias -= built(torch.randn(2, 3, 64, 64)).median()
    return built


def names(store: ArrayStore) -> list[str]:
    return [entry.patient for entry in store.patients]


@pytest.mark.parametrize("flip", [True, False])
def test_predicts_each_patient_as_the_settings_say(
    network: nn.Module, small_store: ArrayStore, tiny_config: BuildConfig, flip: bool
) -> None:
    config = tiny_config(f"validation.flip={str(flip).lower()}", "preprocessing.clip_percentile=90")
    chosen = names(small_store)[1:3]
    found = dict(validation_probabilities(network, small_store, chosen, config, CPU))
    assert list(found) == chosen
    for patient, probabilities in found.items():
        backend = TorchBackend(network, device=CPU, precision="32")
        expected = predict_probabilities(
            backend,
            small_store.volume(patient),
            config.preprocessing,
            InferenceSettings(flip=flip, patch_px=crop_px(config), through_plane_smoothing=0.1),
        )
        np.testing.assert_array_equal(probabilities, expected)


def test_is_the_mean_of_the_patients_dice_at_one_half(
    network: nn.Module, small_store: ArrayStore, tiny_config: BuildConfig
) -> None:
    config, patients = tiny_config(), names(small_store)
    by_hand = [
        dice(probabilities >= 0.5, small_store.mask(patient).voxels)
        for patient, probabilities in validation_probabilities(network, small_store, patients, config, CPU)
    ]
    assert len(set(by_hand)) == len(patients)
    assert validation_dice(network, small_store, patients, config, CPU) == pytest.approx(np.mean(by_hand))


def test_a_patient_without_tumour_and_prediction_does_not_count(
    small_store: ArrayStore, tiny_config: BuildConfig
) -> None:
    class Nothing(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.full_like(images[:, :1], -9)

    masks = np.array(small_store.masks)
    first = small_store.patients[0]
    masks[first.start : first.stop] = False
    healthy = replace(small_store, masks=masks)
    assert validation_dice(Nothing(), healthy, names(small_store)[:2], tiny_config(), CPU) == 0
    assert validation_dice(Nothing(), healthy, names(small_store)[:1], tiny_config(), CPU) is None


def test_nobody_to_validate_on(network: nn.Module, small_store: ArrayStore, tiny_config: BuildConfig) -> None:
    assert validation_dice(network, small_store, (), tiny_config(), CPU) is None


def test_leaves_the_network_in_the_mode_it_was(small_store: ArrayStore, tiny_config: BuildConfig) -> None:
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1))
    for mode in (True, False):
        network.train(mode)
        validation_dice(network, small_store, names(small_store)[:1], tiny_config(), CPU)
        assert network.training is mode
    assert network[1].num_batches_tracked == 0


SHAPE = (14, 30, 30)
Place = tuple[slice, slice, slice]
TUMOUR = (slice(2, 12), slice(2, 12), slice(2, 12))  # 1000 voxels


def probabilities(tumour: float, *elsewhere: tuple[Place, float]) -> NDArray[np.float32]:
    values = np.full(SHAPE, 0.05, np.float32)
    values[TUMOUR] = tumour
    for place, value in elsewhere:
        values[place] = value
    return values


def truth() -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, np.bool_)
    mask[TUMOUR] = True
    return mask


def blob(side: int) -> Place:
    """A cube apart from the tumour."""
    return (slice(2, 2 + side), slice(18, 18 + side), slice(18, 18 + side))


def choose(*volumes: NDArray[np.float32]) -> Postprocessing:
    return choose_postprocessing([(volume, truth()) for volume in volumes])


def test_no_patient_gives_the_default() -> None:
    assert choose_postprocessing([]) == Postprocessing()


def test_a_prediction_without_fault_keeps_the_default() -> None:
    assert choose(probabilities(0.9)) == Postprocessing()


@pytest.mark.parametrize(
    ("tumour", "elsewhere", "threshold"), [(0.35, 0.05, 0.3), (0.45, 0.35, 0.4), (0.95, 0.65, 0.7)]
)
def test_a_better_threshold_wins(tumour: float, elsewhere: float, threshold: float) -> None:
    """Elsewhere lies more than the tumour, so that no component rule helps."""
    assert choose(probabilities(tumour, (blob(11), elsewhere))) == Postprocessing(threshold=threshold)


def test_the_largest_component_alone_is_never_chosen() -> None:
    """It would gain here, 125 voxels being more than a tenth of the tumour's 1000, but may cost a patient elsewhere."""
    assert choose(probabilities(0.9, (blob(5), 0.9))) == Postprocessing()


def test_the_relative_rule_wins_where_a_tumour_has_two_parts() -> None:
    """A speck of 24 voxels is false, a second part of 216 is true: only the rule of a tenth tells them apart."""
    values, true = probabilities(0.9, (blob(6), 0.9)), truth()
    values[12:14, 26:29, 2:6] = 0.9
    true[blob(6)] = True
    assert choose_postprocessing([(values, true)]) == Postprocessing(components="relative")


def test_a_tie_goes_to_the_threshold_nearest_the_default() -> None:
    """Every threshold cuts the same mask here; only the component rule matters."""
    assert choose(probabilities(0.9, (blob(4), 0.9))) == Postprocessing(components="relative", threshold=0.5)


@pytest.mark.parametrize(("side", "changed"), [(1, False), (2, True)])
def test_the_default_gives_way_to_a_worthwhile_gain_only(side: int, changed: bool) -> None:
    """One false voxel costs 1 - 2000/2001 = 0.0005 of Dice, eight cost 0.004; 0.003 is worth a change."""
    chosen = choose(probabilities(0.9, (blob(side), 0.9)))
    assert (chosen != Postprocessing()) is changed


def test_a_small_tumour_counts_as_much_as_a_large_one() -> None:
    """At 0.3 a faint tumour of 8 voxels is found, and a large one gets a false part as large again grown to it.

    Mean of patients: 0 + 1 + 1 at the default, 1 + 2/3 + 2/3 at 0.3; over all voxels the default would win.
    """
    small = np.zeros(SHAPE, np.bool_)
    small[2:4, 2:4, 2:4] = True
    faint = np.where(small, 0.35, 0.05).astype(np.float32)
    grown = probabilities(0.9, ((slice(2, 12), slice(12, 22), slice(2, 12)), 0.35))
    assert choose_postprocessing([(faint, small), (grown, truth()), (grown, truth())]) == Postprocessing(threshold=0.3)
    assert choose(grown) == Postprocessing()


def test_in_choosing_a_patient_without_tumour_and_prediction_does_not_count() -> None:
    sick, healthy = (probabilities(0.35), truth()), (np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.bool_))
    assert choose_postprocessing([sick, healthy]) == Postprocessing(threshold=0.3)


def test_the_default_is_among_the_candidates() -> None:
    assert Postprocessing() in CANDIDATES
    assert len(set(CANDIDATES)) == len(CANDIDATES) == 14


def test_the_temperature_is_fitted_inside_the_brain_and_the_rule_on_what_it_calibrates(store: ArrayStore) -> None:
    """Probabilities that are far too sure get a temperature above 1, whatever they say of the air."""
    patients = [entry.patient for entry in store.patients[:2]]
    chance = np.random.default_rng(0)

    def predicted(air: float) -> Iterator[tuple[str, NDArray[np.float32]]]:
        for patient in patients:
            inside = brain_of(store, patient)
            sure = np.where(store.mask(patient).voxels ^ (chance.random(inside.shape) < 0.1), 0.99, 0.01)
            yield patient, np.where(inside, sure, air).astype(np.float32)

    decision = choose_decision(predicted(air=0.0), store)
    assert decision.temperature > 1.5
    chance = np.random.default_rng(0)
    assert choose_decision(predicted(air=0.3), store).temperature == decision.temperature
    assert decision.postprocessing in CANDIDATES


def test_without_patients_nothing_is_chosen(store: ArrayStore) -> None:
    assert choose_decision([], store) == Decision()


@pytest.fixture(scope="module")
def head_masks(tmp_path_factory: pytest.TempPathFactory) -> ArrayStore:
    root = tmp_path_factory.mktemp("heads")
    write_phantoms(root, patients=2, size=128)
    return open_store(root, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture
def contract() -> Contract:
    return Contract(
        network="unet",
        width=8,
        preprocessing=Preprocessing(),
        flip=False,
        split_sha256="",
        data_fingerprint="",
        training_patients=0,
        versions={},
    )


def test_scores_each_patients_stand_in_as_predict_would(head_masks: ArrayStore, contract: Contract) -> None:
    model = Model.of(BrightFlair(1.2), contract)  # type: ignore[arg-type]
    names = [entry.patient for entry in head_masks.patients]
    scores = domain_shift_dice(model, head_masks, names)
    assert list(scores) == names
    at_home = {name: dice(model.mask(head_masks.volume(name)).voxels, head_masks.mask(name).voxels) for name in names}
    assert all(0 < (score or 0) < 1 for score in scores.values())
    assert all(scores[name] != at_home[name] for name in names)
    blind = Model.of(BrightFlair(100), contract)  # type: ignore[arg-type]
    assert set(domain_shift_dice(blind, head_masks, names).values()) == {0.0}


def test_where_stripping_leaves_nothing_the_score_is_undefined_and_the_others_are_done(
    head_masks: ArrayStore, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = domain_shift._brain
    lost, kept = (entry.patient for entry in head_masks.patients)
    monkeypatch.setattr(domain_shift, "_brain", lambda volume: found(volume) & (volume.patient != lost))
    scores = domain_shift_dice(Model.of(BrightFlair(1.2), contract), head_masks, [lost, kept])  # type: ignore[arg-type]
    assert scores[lost] is None
    assert (scores[kept] or 0) > 0


def test_a_run_that_is_told_to_keeps_the_scores(head_masks: ArrayStore, tmp_path: Path) -> None:
    from glioseg.dataset.splits import Split
    from glioseg.execution.experiment import train_and_score
    from glioseg.training.config import load_config
    from glioseg.training.run_folder import RunFolder

    config = load_config(
        assignments=("network.width=2", "sampling.crop_size=32", "sampling.batch_size=2", "budget.steps=1",
                     "validation.domain_shift=true", "augmentation.skull_stripping=0.5", "machine.device=cpu")
    )  # fmt: skip
    train, validate = (entry.patient for entry in head_masks.patients)
    folder = RunFolder(tmp_path)
    train_and_score(config, head_masks, Split("two", (train,), (validate,), ()), folder)
    assert f'"{validate}"' in folder.domain_shift.read_text()
