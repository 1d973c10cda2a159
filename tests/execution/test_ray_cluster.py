"""A real Ray cluster of three nodes on this machine: a node that is killed takes no task with it."""

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from glioseg.errors import GliosegError
from glioseg.execution.executor import Task

cloudpickle = pytest.importorskip("ray.cloudpickle", reason="Ray is not installed")

from glioseg.execution.ray_cluster import RayExecutor  # noqa: E402

KEYS = tuple(f"task-{number}" for number in range(4))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes on this machine: a head, whose loss would end the cluster, without work, and two with a core each."""
    # A machine that is busy otherwise takes its time to start a node.
    os.environ["RAY_raylet_start_wait_time_s"] = "300"  # noqa: SIM112
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    # Workers cannot import this module.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield nodes
    nodes.shutdown()


def count(key: str, folder: Path) -> None:
    """A line for each attempt; the first attempt of one task lasts until its node is gone."""
    attempts = folder / key
    with attempts.open("a") as file:
        file.write(f"{os.getppid()}\n")
    if key == KEYS[0] and len(attempts.read_text().splitlines()) == 1:
        while True:
            time.sleep(0.1)
    if key == KEYS[1]:
        raise GliosegError("this one always fails")


def node_of(cluster: Any, process: int) -> Any:
    """The node whose own process is the parent of its workers."""
    return next(node for node in cluster.worker_nodes if node.all_processes["raylet"][0].process.pid == process)


def test_a_killed_node_loses_nothing_and_a_failure_is_told(cluster: Any, tmp_path: Path) -> None:
    tasks = [Task(key, partial(count, key, tmp_path), tmp_path / "logs" / key / "job.log") for key in KEYS]
    events = RayExecutor(cluster.address).run(tasks)
    states: dict[str, str] = {}
    errors: dict[str, str] = {}
    killed = False
    for event in events:
        states[event.key] = event.state
        errors[event.key] = event.error
        if not killed and all(states.get(key) in ("done", "failed") for key in KEYS[1:]):
            while not (tmp_path / KEYS[0]).exists():
                time.sleep(0.1)
            cluster.remove_node(node_of(cluster, int((tmp_path / KEYS[0]).read_text())), allow_graceful=False)
            killed = True
    assert killed
    assert states == {KEYS[0]: "done", KEYS[1]: "failed", KEYS[2]: "done", KEYS[3]: "done"}
    assert errors[KEYS[1]] == "this one always fails."
    assert len((tmp_path / KEYS[0]).read_text().splitlines()) == 2
    assert len((tmp_path / KEYS[2]).read_text().splitlines()) == 1


def test_what_no_node_has_is_refused(cluster: Any) -> None:
    with pytest.raises(GliosegError, match="no job fits into the Ray cluster"):
        list(RayExecutor(cluster.address, gpus=0.5).run([]))
