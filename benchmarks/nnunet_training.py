"""nnU-Net's own training and prediction, shortened: fewer epochs and iterations, a smaller batch, bfloat16 on a CPU.

What is not its default stands in the trainer's name. Import it when the folders are in the environment: nnU-Net reads
them as it is loaded.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nnunetv2.experiment_planning.plan_and_preprocess_api import extract_fingerprints, plan_experiments, preprocess
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import Tensor, nn

from benchmarks.nnunet_files import DATASET

PLANS = "nnUNetPlans"


@dataclass(frozen=True)
class Shortening:
    """How a training differs from nnU-Net's own of 1000 epochs of 250 iterations.

    Attributes:
        epochs: The learning rate falls over as many.
        iterations: In an epoch.
        batch_size: Images in a batch; None for the one that nnU-Net plans.
        bfloat16: Whether the network computes in it, as it does in half precision on a GPU; for a CPU.
    """

    epochs: int
    iterations: int
    batch_size: int | None
    bfloat16: bool

    @property
    def trainer(self) -> str:
        """The trainer's name, after those that nnU-Net has of this kind."""
        batch = "" if self.batch_size is None else f"_batch{self.batch_size}"
        return f"nnUNetTrainer_{self.epochs}epochs_{self.iterations}iterations{batch}{'_bf16' * self.bfloat16}"


def prepare(configuration: str, preprocessed: Path) -> None:
    """Plan the network and preprocess the patients, once."""
    done = preprocessed / DATASET / f"{configuration}.done"
    if done.is_file():
        return
    extract_fingerprints([1], num_processes=1, check_dataset_integrity=True)
    plan_experiments([1])
    preprocess([1], PLANS, configurations=(configuration,), num_processes=(1,))
    done.touch()


def make_trainer(short: Shortening, configuration: str, fold: int, device: str, preprocessed: Path) -> nnUNetTrainer:
    """A trainer that is ready to run, or to be given a checkpoint."""
    plans = json.loads((preprocessed / DATASET / f"{PLANS}.json").read_text())
    dataset = json.loads((preprocessed / DATASET / "dataset.json").read_text())
    if short.batch_size is not None:
        plans["configurations"][configuration]["batch_size"] = short.batch_size
    plans["continue_training"] = False
    trainer = type(short.trainer, (nnUNetTrainer,), {})(plans, configuration, fold, dataset, torch.device(device))
    trainer.num_epochs, trainer.num_iterations_per_epoch = short.epochs, short.iterations
    # Its pseudo Dice chooses nothing that is used here.
    trainer.num_val_iterations_per_epoch = 1
    trainer.initialize()
    if short.bfloat16:
        _compute_in_bfloat16(trainer.network, device)
    return trainer


def train_or_load(trainer: nnUNetTrainer) -> dict[str, float]:
    """Train, or take what an earlier run has trained.

    Returns:
        ``minutes`` on the clock and ``core_minutes`` that processors worked for it.
    """
    folder = Path(trainer.output_folder)
    cost, final = folder / "cost.json", folder / "checkpoint_final.pth"
    if cost.is_file():
        trainer.load_checkpoint(str(final))
        return dict(json.loads(cost.read_text()))
    began, worked = time.perf_counter(), time.process_time()
    trainer.run_training()
    found = {
        "minutes": (time.perf_counter() - began) / 60,
        "core_minutes": (time.process_time() - worked) / 60,
    }
    cost.write_text(json.dumps(found))
    return found


def predict(trainer: nnUNetTrainer, images: Sequence[Sequence[Path]], outputs: Sequence[Path], mirror: bool) -> None:
    """Predict patients with the weights at hand; masks that are there stay.

    Args:
        trainer: With its weights.
        images: Of each patient, a file for each channel.
        outputs: The label map of each patient, ``.nii.gz``.
        mirror: Whether to average over mirrored copies, as nnU-Net does by default.
    """
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(
        use_mirroring=mirror,
        perform_everything_on_device=True,
        device=trainer.device,
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        trainer.dataset_json,
        type(trainer).__name__,
        trainer.inference_allowed_mirroring_axes,
    )
    truncated = [str(path).removesuffix(".nii.gz") for path in outputs]
    predictor.predict_from_files_sequential([[str(path) for path in one] for one in images], truncated, overwrite=False)


def _compute_in_bfloat16(network: nn.Module, device: str) -> None:
    """Convolutions in bfloat16; weights, loss and optimiser stay in float32."""
    forward = network.forward

    def lower(images: Tensor) -> Any:
        with torch.autocast(device, torch.bfloat16):
            found = forward(images)
        return [one.float() for one in found] if isinstance(found, list | tuple) else found.float()

    network.forward = lower  # type: ignore[method-assign]
