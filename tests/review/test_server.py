from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reading import PORT, TOKEN
from starlette.testclient import TestClient

from glioseg.commands.review import open_desk
from glioseg.review import guard
from glioseg.review.desk import Desk
from glioseg.review.runs import as_list, runs_of
from glioseg.review.server import build_app

STROKE: dict[str, Any] = {"revision": 0, "id": "stroke-0001", "tool": "brush", "added": [0, 2], "removed": []}


def case_of(client: TestClient) -> str:
    return f"api/cases/{client.get('api/queue').json()['cases'][0]['id']}"


def voxels(client: TestClient, address: str, shape: list[int], dtype: str = "uint8") -> np.ndarray:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return np.frombuffer(answer.content, dtype).reshape(shape)


def test_a_case_comes_with_scan_mask_and_probability(client: TestClient, masks: Path, desk: Desk) -> None:
    address = case_of(client)
    told = client.get(address).json()
    source = desk.case(told["id"]).source
    assert source is not None
    volume, mask = source.read().volume, source.read_mask(masks)
    assert told["shape"] == list(volume.voxels.shape[:3])
    assert np.allclose(told["affine"], volume.affine)
    assert (told["state"], told["revision"], told["threshold"], told["next"]) == ("new", 0, 0.5, None)
    flair = told["sequences"][0]
    stored = voxels(client, f"{address}/sequences/flair", told["shape"], flair["dtype"])
    assert np.array_equal(stored * flair["slope"] + flair["intercept"], volume.channel("flair"))
    assert np.array_equal(voxels(client, f"{address}/mask", told["shape"]), mask.voxels)
    assert np.array_equal(voxels(client, f"{address}/prediction", told["shape"]), mask.voxels)
    probability = voxels(client, f"{address}/probability", told["shape"], told["probability"]["dtype"])
    assert np.allclose(probability * told["probability"]["scale"], np.where(mask.voxels, 0.9, 0.25), atol=1e-5)
    assert [one["copy_of_flair"] for one in told["sequences"]] == [False, True, True]


def test_strokes_move_the_mask_and_are_listed(client: TestClient) -> None:
    address = case_of(client)
    shape = client.get(address).json()["shape"]
    before = voxels(client, f"{address}/mask", shape)
    assert client.post(f"{address}/strokes", json=STROKE).json() == {"revision": 1}
    first = int(np.flatnonzero(before)[0])
    more = {**STROKE, "revision": 1, "id": "stroke-0002", "tool": "erase", "added": [], "removed": [first, 1]}
    assert client.post(f"{address}/strokes", json=more).json() == {"revision": 2}
    expected = before.copy().reshape(-1)
    expected[[0, 1]], expected[first] = 1, 0
    answer = client.get(f"{address}/mask")
    assert answer.headers["x-revision"] == "2"
    assert np.array_equal(np.frombuffer(answer.content, np.uint8), expected)
    listed = client.get(f"{address}/strokes?after=1").json()
    assert listed["revision"] == 2
    assert [(one["id"], one["removed"], one["tool"]) for one in listed["strokes"]] == [
        ("stroke-0002", [first, 1], "erase")
    ]
    assert client.get(address).json()["state"] == "in work"


@pytest.mark.parametrize("after", ["-1", "x", "9" * 30])
def test_what_is_no_revision_is_refused(client: TestClient, after: str) -> None:
    assert client.get(f"{case_of(client)}/strokes?after={after}").status_code == 422


def test_a_defect_is_not_told_as_a_missing_case(
    client: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(case_id: str) -> None:
        raise KeyError("a defect")

    address = case_of(client)
    assert client.get("api/cases/none").status_code == 404
    monkeypatch.setattr(desk, "describe", broken)
    with pytest.raises(KeyError, match="a defect"):
        client.get(address)


def test_a_repeated_stroke_is_taken_once(client: TestClient) -> None:
    address = case_of(client)
    for _ in range(2):
        assert client.post(f"{address}/strokes", json=STROKE).json() == {"revision": 1}


def test_a_second_tab_sees_a_conflict(client: TestClient) -> None:
    address = case_of(client)
    client.post(f"{address}/strokes", json=STROKE)
    other = {**STROKE, "id": "stroke-0009", "added": [5, 1]}
    refused = client.post(f"{address}/strokes", json=other)
    assert refused.status_code == 409
    assert refused.json()["revision"] == 1
    assert refused.json()["message"]
    decided = client.post(f"{address}/decision", json={"revision": 0, "decision": "accepted"})
    assert decided.status_code == 409
    assert client.get(address).json()["state"] == "in work"


@pytest.mark.parametrize(
    "change",
    [
        {"added": [0, 1, 1, 1]},
        {"added": [10**12, 1]},
        {"added": [0]},
        {"added": [0.5, 1]},
        {"added": None},
        {"removed": [0, 1]},
        {"tool": "../x"},
        {"id": "x"},
        {"id": "../../../x"},
        {"revision": -1},
        {"revision": "0"},
        {"seconds": -1},
        {"seconds": 1e9},
        {"detail": {"x": "x" * 5000}},
        {"other": 1},
    ],
)
def test_a_malformed_stroke_is_refused_and_changes_nothing(client: TestClient, change: dict[str, Any]) -> None:
    address = case_of(client)
    refused = client.post(f"{address}/strokes", json={**STROKE, **change})
    assert refused.status_code == 422
    assert refused.json()["message"]
    kept = client.get(f"{address}/strokes").json()
    assert (kept["revision"], kept["strokes"]) == (0, [])


def test_a_mask_of_another_shape_is_refused(client: TestClient) -> None:
    """A stroke over all of a larger grid leaves this one."""
    address = case_of(client)
    larger = as_list(runs_of(np.ones((9, 30, 30), np.bool_)))
    assert client.post(f"{address}/strokes", json={**STROKE, "added": larger}).status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example:8800"}, 403),
        ({"host": "127.0.0.1"}, 403),
        ({"host": "127.0.0.1.evil.example:8800"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-length": str(10 * 2**30)}, 413),
        ({"content-length": "x"}, 413),
    ],
)
def test_a_strange_request_is_refused(client: TestClient, headers: dict[str, str], status: int) -> None:
    address = case_of(client)
    refused = client.post(f"{address}/strokes", json=STROKE, headers=headers)
    assert refused.status_code == status
    assert refused.json()["message"]
    assert client.get(f"{address}/strokes").json()["revision"] == 0


def test_its_own_page_is_let_through(client: TestClient) -> None:
    for host in (f"127.0.0.1:{PORT}", f"localhost:{PORT}"):
        told = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
        assert client.get("api/queue", headers=told).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/queue", f"/{'u' * 43}/api/queue", f"/{TOKEN[:-1]}/", "/favicon.ico"])
def test_without_the_token_nothing_is_told(desk: Desk, path: str) -> None:
    app: Any = build_app(desk, TOKEN, PORT, {"index.html": b"page"})
    refused = TestClient(app, base_url=f"http://127.0.0.1:{PORT}").get(path)
    assert refused.status_code == 403
    assert "page" not in refused.text
    assert TOKEN not in refused.text


def test_a_ticket_leads_to_the_page_once(desk: Desk) -> None:
    """Who reads it among the words of the browser's process comes too late."""
    app: Any = build_app(desk, TOKEN, PORT, {"index.html": b"page"}, "k" * 43)
    client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", follow_redirects=False)
    assert client.get(f"/{'k' * 43}", headers={"host": "evil.example:8800"}).status_code == 403
    led = client.get(f"/{'k' * 43}")
    assert (led.status_code, led.headers["location"]) == (303, f"/{TOKEN}/")
    assert client.get(led.headers["location"]).text == "page"
    assert client.get(f"/{'k' * 43}").status_code == 403
    assert client.get("/").status_code == 403
    assert client.get(f"/{TOKEN}").headers["location"] == f"/{TOKEN}/"


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "assets/..%2f..%2freview.sqlite",
        "assets/%2e%2e/%2e%2e/run.json",
        "/etc/passwd",
        "api/cases/..%2f..%2frun.json",
        "api/cases/../../run.json",
        "api/cases/A/mask",
        "api/cases/CASE/sequences/..%2fmask",
        "api/cases/CASE/sequences/%00",
        "api/cases/CASE/../../../run.json",
    ],
)
def test_no_path_leaves_the_folders(client: TestClient, path: str) -> None:
    case = case_of(client).rsplit("/", 1)[1]
    assert client.get(f"http://127.0.0.1:{PORT}/{TOKEN}/{path.replace('CASE', case)}").status_code in (403, 404)


def test_a_body_that_goes_on_and_on_is_cut_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks announce no length."""
    monkeypatch.setattr(guard, "LARGEST_BODY", 2**16)
    sent = 0

    def endless() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b" " * 1024

    headers = {"content-type": "application/json"}
    refused = client.post(f"{case_of(client)}/strokes", content=endless(), headers=headers)
    assert refused.status_code == 413


def test_every_answer_carries_the_policy(client: TestClient) -> None:
    for path in ("", "assets/a.js", "api/queue", "nothing", case_of(client)):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_the_page_is_served(client: TestClient) -> None:
    assert client.get("").text == "<!doctype html>"
    assert client.get("assets/a.js").headers["content-type"].startswith("text/javascript")
    assert client.post("api/queue", json={}).status_code == 405


def test_the_other_reading_is_blind(client: TestClient, masks: Path) -> None:
    address = case_of(client)
    client.post(f"{address}/strokes", json=STROKE)
    ann = open_desk(masks, reader="ann")
    case_id = address.rsplit("/", 1)[1]
    assert ann.queue()["blind"]
    assert ann.queue()["cases"][0]["state"] == "new"
    assert ann.mask(case_id)[0] == 0
    ann.close()
