from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glioseg.commands.review import open_desk, report_readings, store_results
from glioseg.errors import GliosegError
from glioseg.review.archive import send_results
from glioseg.review.readings import ReadCase, agreement, mask_at, read_cases
from glioseg.review.store import Stroke


def read(masks: Path, reader: str, added: list[int], decision: str = "accepted") -> None:
    """One reader corrects the one case."""
    desk = open_desk(masks, reader=reader)
    (case_id,) = desk.cases.cases
    if added:
        desk.draw(case_id, 0, Stroke("stroke-0001", "brush", {}, added, [], 3.0))
    desk.decide(case_id, 1 if added else 0, decision, "seen", 4.0)
    desk.close()


def case_of(before: np.ndarray, after: np.ndarray) -> ReadCase:
    return ReadCase({"patient": "A", "state": "corrected"}, before, after)


def test_changes_at_the_rim_and_away_from_it() -> None:
    before = np.zeros((3, 20, 20), bool)
    before[1, 5:15, 5:15] = True
    after = before.copy()
    after[1, 5:15, 15] = True
    assert case_of(before, after).rim_share == 1.0
    after[1, 9:11, 9:14] = False
    after[2, :4, :4] = True
    # Ten voxels grow the rim, two of the hole reach it, eight of the hole and sixteen of the new part do not.
    assert case_of(before, after).rim_share == pytest.approx(12 / 36)
    assert case_of(before, after).changed_slices == 2
    assert case_of(before, before).rim_share is None


def test_two_readers_agree_where_both_kept_a_mask(masks: Path) -> None:
    read(masks, "ann", [0, 3])
    read(masks, "ben", [1, 5])
    read(masks, "cy", [], "rejected")
    store = open_desk(masks).store
    ann, ben, cy = (read_cases(store, name) for name in ("ann", "ben", "cy"))
    found = agreement(ann, ben, ("ann", "ben"))
    assert found is not None
    size = int(ann[0].prediction.sum())
    assert found.dice == {"A": pytest.approx(2 * (size + 2) / (2 * size + 8))}
    assert found.voxels == {"A": (size + 3, size + 5)}
    assert found.kappa is None
    assert agreement(ann, cy, ("ann", "cy")) is None
    before, after = mask_at(store, ann[0].saving["case_id"], "ann", 0)
    assert np.array_equal(before, after)


def test_the_report_is_one_page_with_every_reading(masks: Path, tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="was decided yet"):
        report_readings(masks, tmp_path / "report.html")
    read(masks, "ann", [0, 3])
    read(masks, "ben", [])
    report_readings(masks, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Read by ann" in page
    assert "Read by ben" in page
    assert "ann and ben" in page
    assert page.count("data:image/png") == 1
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_only_what_the_archive_lacks_is_sent(scans_of: Any, tmp_path: Path) -> None:
    from reading import write_predictions

    write_predictions(tmp_path / "masks", scans_of("dicom"))
    read(tmp_path / "masks", "ann", [0, 3])
    desk, sent = open_desk(tmp_path / "masks", reader="ann"), []

    def send(url: str, paths: list[Path]) -> int:
        sent.append((url, [path.name for path in paths]))
        assert all(path.is_file() for path in paths)
        return len(paths)

    patient = next(iter(desk.cases.cases.values())).patient
    assert send_results(desk.folder, desk.store, "ann", "http://here", send) == 2
    assert sent == [("http://here", [f"{patient}_seg.dcm", f"{patient}_report.dcm"])]
    assert send_results(desk.folder, desk.store, "ann", "http://here", send) == 0
    assert send_results(desk.folder, desk.store, "ann", "http://there", send) == 2
    desk.close()


def test_results_that_are_no_dicom_cannot_be_sent(masks: Path) -> None:
    read(masks, "ann", [])
    with pytest.raises(GliosegError, match="no DICOM result"):
        store_results(masks, "http://127.0.0.1:1", reader="ann")
