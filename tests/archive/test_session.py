"""How an archive is addressed, and what a user is told when it fails."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glioseg.archive import dicomweb
from glioseg.archive.dicomweb import RemoteSeries, fetch_examination, list_series, store_files
from glioseg.errors import GliosegError

STUDY = "2.25.1"


class Archive:
    """An archive that answers every request with the same words."""

    def __init__(self) -> None:
        self.status, self.content, self.authorization = 200, b"[]", ""
        self.released = threading.Event()
        self.released.set()
        archive = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                archive.authorization = self.headers.get("Authorization", "")
                archive.released.wait()
                self.send_response(archive.status)
                self.send_header("Content-Type", "application/dicom+json")
                self.send_header("Content-Length", str(len(archive.content)))
                self.end_headers()
                self.wfile.write(archive.content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/dicom-web"


@pytest.fixture
def archive() -> Iterator[Archive]:
    archive = Archive()
    thread = threading.Thread(target=archive.server.serve_forever)
    thread.start()
    yield archive
    archive.released.set()
    archive.server.shutdown()
    archive.server.server_close()
    thread.join()


def refusal(url: str) -> str:
    with pytest.raises(GliosegError) as caught:
        list_series(url, STUDY)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "wants other credentials"), (403, "not allow"), (404, "has no"), (500, "500 Internal")],
)
def test_each_answer_has_its_message(archive: Archive, status: int, message: str) -> None:
    archive.status = status
    assert message in refusal(archive.url)


@pytest.mark.parametrize("content", [b"<html>hello</html>", b'["x"]', b'[{"0020000E": 3}]', b'[{"0020000E": {}}]'])
def test_another_protocol(archive: Archive, content: bytes) -> None:
    archive.content = content
    assert "does not answer as DICOMweb" in refusal(archive.url)


def test_no_answer_in_time(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicomweb, "TIMEOUT_S", (10.0, 0.05))
    archive.released.clear()
    assert "does not answer in time" in refusal(archive.url)


def test_nobody_listens() -> None:
    assert "cannot be reached" in refusal("http://127.0.0.1:9/dicom-web")


def test_encryption_that_fails(archive: Archive) -> None:
    message = refusal(archive.url.replace("http:", "https:"))
    assert "the encrypted connection" in message
    assert "REQUESTS_CA_BUNDLE" in message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://ann:hidden@host/dicom-web", "holds a user name or password"),
        ("https://ann@host/dicom-web", "holds a user name or password"),
        ("https://:hidden@host/dicom-web", "holds a user name or password"),
        ("https://host/dicom-web?token=hidden", "has a query"),
        ("https://host/dicom-web#hidden", "has a query"),
        ("ftp://host/dicom-web", "malformed"),
        ("host/dicom-web", "malformed"),
        ("https://host:port/dicom-web", "malformed"),
        ("https://[host/dicom-web", "malformed"),
        ("", "malformed"),
    ],
)
def test_an_url_with_secrets_or_none_at_all(url: str, message: str) -> None:
    assert message in refusal(url)
    assert "hidden" not in refusal(url)


def test_the_password_of_the_environment_is_sent(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIOSEG_DICOMWEB_USER", "Ann")
    assert "GLIOSEG_DICOMWEB_PASSWORD is not set" in refusal(archive.url)
    monkeypatch.setenv("GLIOSEG_DICOMWEB_PASSWORD", "tür")
    refusal(archive.url)
    assert archive.authorization == "Basic QW5uOnTDvHI="


def test_a_token_goes_before_everything_else(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("GLIOSEG_DICOMWEB_TOKEN", "abc")
    refusal(archive.url)
    assert archive.authorization == "Bearer abc"


def test_without_credentials_none_are_sent(archive: Archive) -> None:
    assert "has no study" in refusal(archive.url)
    assert archive.authorization == ""


@pytest.mark.parametrize("uid", ["", "../x", "1.2.3/..", "1" * 65, "abc", "1..2"])
def test_what_is_no_uid_is_not_asked_for(uid: str) -> None:
    with pytest.raises(GliosegError, match="is no UID"):
        list_series("http://127.0.0.1:9/dicom-web", uid)


def test_a_series_name_that_leads_out_of_the_folder_is_refused(archive: Archive) -> None:
    archive.content = b'[{"0020000E": {"vr": "UI", "Value": ["../../etc"]}}]'
    assert "is no UID" in refusal(archive.url)


def test_readable_credentials_to_another_machine_are_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLIOSEG_DICOMWEB_TOKEN", "abc")
    monkeypatch.setattr(dicomweb, "list_series", lambda *_: [RemoteSeries(STUDY, "2.25.2", "CT", 1, "", 1)])
    for url, warned in (("http://pacs/x", True), ("https://pacs/x", False), ("http://127.0.0.1/x", False)):
        said: list[str] = []
        with pytest.raises(GliosegError, match="nothing to fetch"):
            fetch_examination(url, STUDY, tmp_path / "x", progress=said.append)
        assert bool(said) is warned


def test_a_series_that_comes_incomplete_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dicomweb, "list_series", lambda *_: [RemoteSeries(STUDY, "2.25.2", "MR", 1, "", 3)])
    monkeypatch.setattr(dicomweb, "_write_instances", lambda url, series, folder: folder.mkdir() or 2)
    with pytest.raises(GliosegError, match="came incomplete: expected 3 files, found 2"):
        fetch_examination("http://127.0.0.1:9/x", STUDY, tmp_path / "x")
    assert not list((tmp_path / "x").iterdir())
    (tmp_path / "x" / "file").touch()
    with pytest.raises(GliosegError, match="is not an empty folder"):
        fetch_examination("http://127.0.0.1:9/x", STUDY, tmp_path / "x")


def test_what_is_no_dicom_is_not_sent(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_bytes(b"text")
    for name in ("x.dcm", "none.dcm"):
        with pytest.raises(GliosegError, match=f"{name} cannot be sent"):
            store_files(archive.url, [tmp_path / name])
