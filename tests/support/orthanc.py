"""A real Orthanc on loopback, for as long as the tests of an archive run."""

import ctypes
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin:/usr/bin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_SECONDS = 120
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Orthanc:
    """Where it listens and who may enter."""

    url: str
    dicom_port: int
    user: str
    password: str


@pytest.fixture(scope="session")
def orthanc_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    if ORTHANC is None or not PLUGIN.exists():
        pytest.skip("needs Orthanc with its DICOMweb plugin")
    folder = tmp_path_factory.mktemp("orthanc")
    http_port, dicom_port = _free_port(), _free_port()
    server = Orthanc(f"http://127.0.0.1:{http_port}/dicom-web", dicom_port, "tester", secrets.token_hex(16))
    (folder / "orthanc.json").write_text(json.dumps(_configuration(folder, http_port, server)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [ORTHANC, str(folder / "orthanc.json")], stdout=log, stderr=log, preexec_fn=_end_with_parent
        )
        try:
            _wait_until_it_answers(process, server, folder / "log")
            yield server
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def orthanc(orthanc_server: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """The server, with its credentials in the environment."""
    monkeypatch.setenv("GLIOSEG_DICOMWEB_USER", orthanc_server.user)
    monkeypatch.setenv("GLIOSEG_DICOMWEB_PASSWORD", orthanc_server.password)
    return orthanc_server


def _configuration(folder: Path, http_port: int, server: Orthanc) -> dict[str, object]:
    return {
        "Name": "glioseg-tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": http_port,
        "DicomPort": server.dicom_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {server.user: server.password},
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }


def _end_with_parent() -> None:
    """Let the kernel end the server even where the tests are killed and clean up nothing."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_it_answers(process: subprocess.Popen[bytes], server: Orthanc, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            opener.open(server.url.replace("dicom-web", "system"), timeout=5).close()
        except urllib.error.HTTPError as error:
            # It wants credentials, so it is there.
            error.close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"Orthanc did not start:\n{log.read_text(errors='replace')[-2000:]}")
