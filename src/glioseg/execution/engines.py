"""The engines by name, and what a user may say of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glioseg.errors import GliosegError
from glioseg.execution.executor import Executor, LocalExecutor
from glioseg.execution.local import ParallelExecutor

EngineName = Literal["local", "slurm", "ray"]
_ONLY = {"address": "ray", "partition": "slurm", "minutes": "slurm"}


@dataclass(frozen=True)
class Engine:
    """Where jobs are done.

    Attributes:
        name: ``local``, ``slurm`` or ``ray``.
        workers: How many jobs at once; None for one on this machine, and for as many as fit on a cluster.
        gpus: For each job; a fraction with Ray only. None takes one where the cluster has any.
        cpus: For each job on a cluster.
        address: Of a Ray cluster; None starts one on this machine.
        partition: Of SLURM.
        minutes: That SLURM gives a job at a time; it is queued again until it is done.
    """

    name: EngineName = "local"
    workers: int | None = None
    gpus: float | None = None
    cpus: int = 1
    address: str | None = None
    partition: str | None = None
    minutes: int | None = None

    def executor(self, folder: Path) -> Executor:
        """What does the jobs.

        Args:
            folder: For the engine's own files; every node sees it.

        Raises:
            GliosegError: If an option does not fit the engine, or its library is missing.
        """
        self._check()
        if self.name == "local":
            return LocalExecutor() if self.workers in (None, 1) else ParallelExecutor(self.workers or 1)
        try:
            return self._slurm(folder) if self.name == "slurm" else self._ray()
        except ImportError as error:
            raise GliosegError(
                f"the engine {self.name} needs {error.name}", remedy=f"pip install 'glioseg[{self.name}]'"
            ) from error

    def _check(self) -> None:
        for option, number in {"workers": self.workers, "cpus-per-run": self.cpus, "time": self.minutes}.items():
            if number is not None and number < 1:
                raise GliosegError(f"--{option} {number} is too few", expected="a whole number from 1")
        if self.gpus is not None and self.gpus < 0:
            raise GliosegError(f"--gpus-per-run {self.gpus:g} is less than none", expected="0 or more")
        for option, engine in _ONLY.items():
            if getattr(self, option) is not None and self.name != engine:
                name = "time" if option == "minutes" else option
                raise GliosegError(f"--{name} is an option of --engine {engine}", found=f"--engine {self.name}")
        if self.name == "slurm" and self.gpus is not None and self.gpus != int(self.gpus):
            raise GliosegError("SLURM gives whole GPUs", found=f"{self.gpus:g}", remedy="Use --engine ray to share one")

    def _slurm(self, folder: Path) -> Executor:
        from glioseg.execution.slurm import SlurmExecutor

        gpus = None if self.gpus is None else int(self.gpus)
        return SlurmExecutor(folder, self.workers, self.partition, self.minutes or 240, gpus, self.cpus)

    def _ray(self) -> Executor:
        from glioseg.execution.ray_cluster import RayExecutor

        return RayExecutor(self.address, self.workers, self.gpus, self.cpus)
