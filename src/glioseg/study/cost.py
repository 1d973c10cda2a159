"""What each network of a study costs, to stand beside what it reaches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glioseg.networks.cost import SIZE_PX, network_cost
from glioseg.networks.table import NetworkCost
from glioseg.study.plan import ModelConfiguration, Run


@dataclass(frozen=True)
class RunCost:
    """What a run took, beside what it reached.

    Attributes:
        parameters: Trainable numbers of the network.
        training_minutes: Time spent on training steps, without validation.
        training_steps: Batches.
        training_device: Where it was trained, in words.
        cpu_ms_per_slice: Milliseconds a slice takes to predict on the CPU, mirror image included where the contract
            asks for it.
        cpu: That CPU and its threads, in words.
    """

    parameters: int
    training_minutes: float
    training_steps: int
    training_device: str
    cpu_ms_per_slice: float
    cpu: str


@dataclass(frozen=True)
class ConfigurationCost:
    """The cost of one network in a study.

    Attributes:
        network: Parameters, and arithmetic and memory for one slice of 256 x 256 pixels as the network sees it.
        training_minutes: Of one run, mean over its runs.
        training_steps: Likewise.
        cpu_ms_per_slice: Milliseconds to predict a slice on the CPU, median over its runs.
        training_devices: Where it was trained, in words.
        cpus: Where prediction was timed, in words.
    """

    network: NetworkCost
    training_minutes: float
    training_steps: float
    cpu_ms_per_slice: float
    training_devices: tuple[str, ...]
    cpus: tuple[str, ...]


def configuration_costs(
    runs: Iterable[tuple[Run, RunCost]], downsampling_factor: int
) -> dict[ModelConfiguration, ConfigurationCost]:
    """Gather the costs of runs by network.

    Args:
        runs: Those that are finished.
        downsampling_factor: Pixels of a slice along rows and columns that the networks saw as one.
    """
    found: dict[ModelConfiguration, list[RunCost]] = {}
    for run, cost in runs:
        found.setdefault(run.configuration, []).append(cost)
    return {
        configuration: _gathered(configuration, costs, SIZE_PX // downsampling_factor)
        for configuration, costs in found.items()
    }


def _gathered(configuration: ModelConfiguration, costs: Sequence[RunCost], size_px: int) -> ConfigurationCost:
    return ConfigurationCost(
        network=network_cost(configuration.name, configuration.width, size_px=size_px),
        training_minutes=float(np.mean([cost.training_minutes for cost in costs])),
        training_steps=float(np.mean([cost.training_steps for cost in costs])),
        cpu_ms_per_slice=float(np.median([cost.cpu_ms_per_slice for cost in costs])),
        training_devices=tuple(sorted({cost.training_device for cost in costs})),
        cpus=tuple(sorted({cost.cpu for cost in costs})),
    )
