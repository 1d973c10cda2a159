"""Real engines on this machine, where they are installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_node import missing, running_node


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A SLURM of one node; the path of its configuration, which the environment names."""
    pytest.importorskip("submitit", reason="submitit is not installed")
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("slurm") / "node"
    with running_node(folder) as configuration, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(configuration))
        yield configuration
