from pathlib import Path

import pytest
from orthanc import orthanc, orthanc_server

__all__ = ["orthanc", "orthanc_server"]


@pytest.fixture(autouse=True)
def _environment_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test meets the credentials or proxies of whoever runs it."""
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"GLIOSEG_DICOMWEB_{name}", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
