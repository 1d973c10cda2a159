"""A real Ray cluster of three nodes on this machine: a node that is killed takes no task and no patient with it."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from glioseg.commands.predict import PredictionRun, predict
from glioseg.commands.predict_many import predict_on_engine
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


def wait_for_ever_once(inputs: list[Path], *, place: Path, **settings: Any) -> PredictionRun:
    """Predicts; the first process that is done with a patient goes no further."""

    def progress(line: str) -> None:
        if "tumour" in line and not place.exists():
            place.write_text(f"{os.getppid()}\n")
            while True:
                time.sleep(0.1)

    return predict(inputs, **{**settings, "progress": progress})


def records(out: Path) -> dict[str, int]:
    """When each record of a patient that is done was written; that of one just begun is written anew."""
    paths = (out / "records").glob("*.json")
    return {path.name: path.stat().st_mtime_ns for path in paths if json.loads(path.read_text())["state"] == "done"}


def test_a_node_killed_amid_a_prediction_loses_no_patient(
    cluster: Any, few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"model": untrained_bundle, "previews": False, "device": "cpu", "precision": "32"}
    predict([few_slices], tmp_path / "whole", **settings)
    cluster.add_node(num_cpus=1)
    out, place, done = tmp_path / "out", tmp_path / "place", dict[str, int]()

    def kill_its_node() -> None:
        while not (place.exists() and place.read_text().endswith("\n")):
            time.sleep(0.1)
        done.update(records(out))
        cluster.remove_node(node_of(cluster, int(place.read_text())), allow_graceful=False)

    killer = threading.Thread(target=kill_its_node, daemon=True)
    killer.start()
    part, executor = partial(wait_for_ever_once, [few_slices], place=place), RayExecutor(cluster.address)
    run = predict_on_engine(part, out, executor=executor, count=1, **settings)
    killer.join(1)
    assert run.failures == {}
    assert done
    assert done.items() <= records(out).items()
    masks, whole = (
        {path.name: path.read_bytes() for path in root.rglob("*.tif")} for root in (out, tmp_path / "whole")
    )
    assert masks == whole
    assert (out / "shards" / "1-of-1" / "job.log").read_text().count("--- ") == 2


def test_what_no_node_has_is_refused(cluster: Any) -> None:
    with pytest.raises(GliosegError, match="no job fits into the Ray cluster"):
        list(RayExecutor(cluster.address, gpus=0.5).run([]))


@pytest.mark.parametrize("address", [None, "auto"])
def test_a_cluster_of_its_own_listens_to_this_machine_alone(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    from ray._private.services import get_node_ip_address

    elsewhere, asked = get_node_ip_address(), list[tuple[str, str]]()
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda where, **_: asked.append((where, get_node_ip_address())))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1.0})
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    list(RayExecutor(address).run([]))
    assert asked == [("local", "127.0.0.1") if address is None else ("auto", elsewhere)]
    assert get_node_ip_address() == elsewhere
