import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from glioseg.errors import GliosegError
from glioseg.review.store import ConflictError, Decision, Reading, Store, Stroke


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "review" / "review.sqlite")
    store.keep_prediction("c", "C", [1, 2, 4], [0, 2], "prediction")
    return store


def stroke(number: int, tool: str = "brush") -> Stroke:
    return Stroke(f"stroke-{number:04}", tool, {"radius": 2}, [number, 1], [], 1.5)


def test_strokes_come_back_in_order_with_everything(store: Store) -> None:
    assert [store.add_stroke("c", "shared", at, stroke(at), "ann") for at in range(3)] == [1, 2, 3]
    again = Store(store.path)
    assert [(one["revision"], one["added"]) for one in again.strokes("c", "shared")] == [
        (1, [0, 1]),
        (2, [1, 1]),
        (3, [2, 1]),
    ]
    assert again.strokes("c", "shared", 2)[0]["detail"] == {"radius": 2}
    assert again.reading("c", "shared") == Reading("in work", "ann", "", 3, 4.5)
    assert again.prediction("c") == ([1, 2, 4], [0, 2], "prediction")


def test_of_two_writers_one_sees_a_conflict(store: Store) -> None:
    """Two connections to the file, as of two servers; however they meet, each revision is made once."""
    stores, barrier, outcomes = [store, Store(store.path)], threading.Barrier(2), []

    def draw(which: int) -> None:
        barrier.wait()
        try:
            outcomes.append(stores[which].add_stroke("c", "shared", 0, stroke(which), f"reader {which}"))
        except ConflictError as conflict:
            outcomes.append((conflict.revision, conflict.reader))

    threads = [threading.Thread(target=draw, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = store.strokes("c", "shared")[0]["reader"]
    assert sorted(outcomes, key=str) == sorted([1, (1, winner)], key=str)
    assert len(store.strokes("c", "shared")) == 1


def test_undone_strokes_do_not_count(store: Store) -> None:
    for at, tool in enumerate(("brush", "brush", "undo", "redo", "undo")):
        store.add_stroke("c", "shared", at, stroke(at, tool), "ann")
    assert store.drawn("c", "shared") == 1


def test_a_decision_is_a_row_and_a_later_stroke_opens_the_case_again(store: Store) -> None:
    store.add_stroke("c", "shared", 0, stroke(0), "ann")
    saving, revision = store.decide("c", "shared", 1, Decision("corrected", "edge", 8.0, 1, 0, 0.8), "ann")
    row = store.last_savings("shared")["c"]
    told = {
        key: row[key] for key in ("saving", "patient", "state", "seconds", "strokes", "voxels_added", "dice", "files")
    }
    assert told == {
        "saving": saving,
        "patient": "C",
        "state": "corrected",
        "seconds": 9.5,
        "strokes": 1,
        "voxels_added": 1,
        "dice": 0.8,
        "files": None,
    }
    assert revision == 2
    with pytest.raises(ConflictError):
        store.decide("c", "shared", 1, Decision("rejected", "", 0.0, 0, 0, None), "ben")
    store.add_stroke("c", "shared", 2, stroke(1), "ann")
    assert store.reading("c", "shared").state == "in work"
    assert store.last_savings("shared") == {}
    assert len(store.savings("shared")) == 1


def test_the_prediction_stays_the_one_that_strokes_rest_on(store: Store) -> None:
    store.keep_prediction("c", "C", [1, 2, 4], [1, 3], "prediction")
    assert store.prediction("c")[1] == [1, 3]
    store.add_stroke("c", "shared", 0, stroke(0), "ann")
    store.keep_prediction("c", "C", [1, 2, 4], [0, 8], "prediction")
    assert store.prediction("c")[1] == [1, 3]


def test_another_prediction_takes_the_image_of_the_earlier_one_away(store: Store) -> None:
    store.keep_thumbnail("c", b"png")
    store.keep_prediction("c", "C", [1, 2, 4], [0, 2], "prediction")
    assert store.thumbnail("c") == b"png"
    store.keep_prediction("c", "C", [1, 2, 4], [0, 3], "prediction")
    assert store.thumbnail("c") is None


def test_a_full_disk_is_told_and_the_store_goes_on_once_there_is_space(store: Store) -> None:
    pages = store._connection.execute("pragma page_count").fetchone()[0]
    store._connection.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(GliosegError, match="full"):
        store.keep_thumbnail("c", bytes(1_000_000))
    store._connection.execute(f"pragma max_page_count = {pages + 1000}")
    store.keep_thumbnail("c", bytes(1_000_000))
    assert store.thumbnail("c") == bytes(1_000_000)


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(GliosegError, match=r"a\.sqlite cannot be used"):
        Store(tmp_path / "a.sqlite")
    newer = sqlite3.connect(tmp_path / "b.sqlite")
    newer.execute("pragma user_version = 99")
    newer.close()
    with pytest.raises(GliosegError, match="another version"):
        Store(tmp_path / "b.sqlite")


DRAWING = """
import sys
from pathlib import Path
from glioseg.review.store import Store, Stroke
store = Store(Path(sys.argv[1]))
for at in range(100_000):
    # A stroke that is long to write, so that the blow falls in the midst of one.
    runs = [number for start in range(0, 20_000, 2) for number in (start, 1)]
    store.add_stroke("c", "shared", at, Stroke(f"stroke-{at:06}", "brush", {}, runs, []), "ann")
    print(at + 1, flush=True)
"""


def test_a_killed_server_loses_one_stroke_at_most(tmp_path: Path) -> None:
    path = tmp_path / "review.sqlite"
    Store(path).close()
    drawing = subprocess.Popen([sys.executable, "-c", DRAWING, path], stdout=subprocess.PIPE, text=True, env=os.environ)
    assert drawing.stdout is not None
    acknowledged = [int(drawing.stdout.readline()) for _ in range(3)][-1]
    drawing.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, drawing.stdout.read().split())])
    drawing.wait()
    drawing.stdout.close()
    store = Store(path)
    strokes = store.strokes("c", "shared")
    assert [one["revision"] for one in strokes] == list(range(1, len(strokes) + 1))
    assert len(strokes) in (acknowledged, acknowledged + 1)
    assert all(len(one["added"]) == 20_000 for one in strokes)
    assert store.reading("c", "shared").revision == len(strokes)
    assert store.add_stroke("c", "shared", len(strokes), Stroke("another-1", "brush"), "ann") == len(strokes) + 1
