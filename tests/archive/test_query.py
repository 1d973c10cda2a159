"""Examinations of an archive by query: in pages, with patience where it is busy."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from glioseg.archive import dicomweb
from glioseg.archive.dicomweb import parse_query, search_examinations
from glioseg.errors import GliosegError


@dataclass
class Archive:
    """Answers queries from a list, after so many refusals."""

    uids: list[str]
    refusals: list[int] = field(default_factory=list)
    knows_offset: bool = True
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str) -> tuple[int, bytes]:
        asked = parse_qs(urlsplit(path).query)
        self.asked.append(asked)
        if self.refusals:
            return self.refusals.pop(0), b""
        start = int(asked.get("offset", ["0"])[0]) if self.knows_offset else 0
        page = self.uids[start : start + int(asked["limit"][0])]
        return 200, json.dumps([{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in page]).encode()


@pytest.fixture
def archive() -> Iterator[Archive]:
    held = Archive([f"1.2.{number}" for number in range(5)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = held.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            if status != 200:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("knows_offset", [True, False])
def test_every_page_is_asked_for(archive: Archive, monkeypatch: pytest.MonkeyPatch, knows_offset: bool) -> None:
    archive.knows_offset = knows_offset
    monkeypatch.setattr(dicomweb, "PAGE", 2 if knows_offset else 5)
    assert search_examinations(archive.url, {"ModalitiesInStudy": "MR"}) == archive.uids
    assert {asked["ModalitiesInStudy"][0] for asked in archive.asked} == {"MR"}


def test_a_busy_archive_is_asked_again(archive: Archive) -> None:
    archive.refusals = [429, 503, 503]
    assert search_examinations(archive.url, {"ModalitiesInStudy": "MR"}) == archive.uids


def test_an_archive_with_an_error_is_not(archive: Archive) -> None:
    archive.refusals = [500]
    with pytest.raises(GliosegError, match="500"):
        search_examinations(archive.url, {"ModalitiesInStudy": "MR"})
    assert len(archive.asked) == 1


def test_nothing_fits(archive: Archive) -> None:
    archive.uids = []
    assert search_examinations(archive.url, {"ModalitiesInStudy": "MR"}) == []


def test_a_query_as_a_person_writes_it() -> None:
    text = "ModalitiesInStudy=MR, StudyDate=20240101-20241231"
    assert parse_query(text) == {"ModalitiesInStudy": "MR", "StudyDate": "20240101-20241231"}


@pytest.mark.parametrize("text", ["", "MR", "StudyDate=", "=MR", "StudyDate=2024,"])
def test_what_is_no_query_is_refused(text: str) -> None:
    with pytest.raises(GliosegError, match="is no query"):
        parse_query(text)
