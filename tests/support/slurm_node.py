"""A real SLURM of one node on loopback, for tests: Debian's slurm-wlm and munge, without accounting."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "squeue", "sbatch", "munged", "munge")
KEY = Path("/etc/munge/munge.key")

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
JobRequeue=1
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why SLURM cannot run here; empty where it can."""
    absent = [name for name in PROGRAMS if not shutil.which(name, path=_path())]
    if absent:
        return f"SLURM is not installed (no {', '.join(absent)}): apt-get install slurm-wlm munge"
    return "" if os.geteuid() == 0 else "SLURM's daemons need root"


@contextmanager
def running_node(folder: Path) -> Iterator[Path]:
    """Start SLURM with all its files below a folder; the path of its configuration."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    _start_munge()
    configuration = folder / "slurm.conf"
    ports = _free_ports()
    text = CONFIGURATION.format(
        host=socket.gethostname().split(".")[0], folder=folder, port=ports[0], node_port=ports[1]
    )
    configuration.write_text(text)
    try:
        for daemon in ("slurmctld", "slurmd"):
            subprocess.run([shutil.which(daemon, path=_path()) or daemon, "-f", configuration], check=True, timeout=60)
        _wait_until_idle(configuration, folder)
        yield configuration
    finally:
        for daemon in ("slurmd", "slurmctld"):
            _end(folder / f"{daemon}.pid")


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _start_munge() -> None:
    if not KEY.exists() or not KEY.stat().st_size:
        KEY.parent.mkdir(parents=True, exist_ok=True)
        KEY.write_bytes(secrets.token_bytes(1024))
        KEY.chmod(0o400)
    for folder in (KEY.parent, Path("/run/munge"), Path("/var/log/munge")):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["chown", "-R", "munge", folder], check=True)
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode:
        munged = shutil.which("munged", path=_path()) or "munged"
        subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", munged], check=True, timeout=60)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _wait_until_idle(configuration: Path, folder: Path) -> None:
    for _ in range(120):
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "SLURM_CONF": str(configuration)},
        )
        if asked.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    log = folder / "slurmctld.log"
    raise RuntimeError(f"SLURM did not start: {log.read_text()[-500:] if log.exists() else 'no log'}")


def _end(pid_file: Path) -> None:
    if pid_file.exists():
        subprocess.run(["kill", pid_file.read_text().strip()], check=False)


if __name__ == "__main__":
    # By hand: a node in a new folder, until it is interrupted.
    with tempfile.TemporaryDirectory() as name, running_node(Path(name) / "node") as conf:
        print(f"export SLURM_CONF={conf}", flush=True)
        ends = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        signal.sigwait(ends)
