"""An archive in parts gives what one process gives, whatever happens to a part."""

import csv
import errno
import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from synthetic_dicom import AXIAL, head, write_series

from glioseg.archive import dicomweb
from glioseg.commands.predict import PredictionRun, predict
from glioseg.commands.predict_many import do_shard, predict_list, predict_on_engine, predict_query
from glioseg.dataset.lgg import find_patients
from glioseg.errors import GliosegError
from glioseg.execution.executor import LocalExecutor
from glioseg.execution.local import ParallelExecutor
from glioseg.patients.shard import Shard, shards
from glioseg.patients.source import OutputOptions

SETTINGS: dict[str, Any] = {"previews": False, "device": "cpu", "precision": "32"}


def masks(out: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*_mask.tif")}
    assert found
    return found


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "measurements.csv").open(newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: row["patient"])


def times(out: Path) -> dict[str, int]:
    """When each record of a patient that is done was written; that of one just begun is written anew."""
    paths = (out / "records").iterdir()
    return {str(path): path.stat().st_mtime_ns for path in paths if json.loads(path.read_text())["state"] == "done"}


@pytest.fixture
def whole(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> Path:
    """What one process gives."""
    predict([few_slices], tmp_path / "whole", model=untrained_bundle, **SETTINGS)
    return tmp_path / "whole"


def killed_once(inputs: list[Path], *, killed: Path, **settings: Any) -> PredictionRun:
    """Predicts; the first process that comes dies in the middle of a patient, when one is done."""

    def die(line: str) -> None:
        if "tumour" in line and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return predict(inputs, **{**settings, "progress": die})


def test_parts_in_processes_one_of_which_is_killed(
    few_slices: Path, untrained_bundle: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    part = partial(killed_once, [few_slices], killed=tmp_path / "killed")
    settings = {"model": untrained_bundle, **SETTINGS}
    told = list[str]()
    first = predict_on_engine(part, out, executor=ParallelExecutor(1), count=1, progress=told.append, **settings)
    assert len(first.failures) >= 2
    assert "ended from outside" in first.failures["shard-1-of-1"]
    done = times(out)
    assert done
    second = predict_on_engine(
        part, out, executor=LocalExecutor(), count=2, json_lines=True, progress=told.append, **settings
    )
    assert second.failures == {}
    assert {path: at for path, at in times(out).items() if path in done} == done
    assert masks(out) == masks(whole)
    assert rows(out) == rows(whole)
    merged = json.loads(second.manifest.read_text())
    assert {entry["patient"] for entry in merged["patients"]} == {row["patient"] for row in rows(whole)}
    last = json.loads(told[-1])
    assert (last["waiting"], last["running"], last["done"], last["failed"]) == (0, 0, 2, 0)


@pytest.fixture
def archive(few_slices: Path, tmp_path: Path) -> Path:
    """Forty patients of two slices; the first image of the last cannot be read."""
    root, sources = tmp_path / "archive", find_patients(few_slices)
    for number in range(40):
        source, name = sources[number % 3], f"PHANTOM_XX_{number:04d}_19990101"
        (root / name).mkdir(parents=True)
        for place, image in enumerate(source.images[number % 5 :][:2], start=1):
            shutil.copy(image, root / name / f"{name}_{place}.tif")
    (root / name / f"{name}_1.tif").write_bytes(b"II*\0")
    return root


def test_forty_patients_of_which_one_always_fails_in_parts_of_which_one_is_killed(
    archive: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    settings = {"model": untrained_bundle, **SETTINGS}
    bad = "PHANTOM_XX_0039_19990101"
    assert list(predict([archive], tmp_path / "whole", **settings).failures) == [bad]
    out, part = tmp_path / "out", partial(killed_once, [archive], killed=tmp_path / "killed")
    first = predict_on_engine(part, out, executor=ParallelExecutor(2), count=2, **settings)
    (lost,) = (name for name in first.failures if name.startswith("shard-"))
    assert "ended from outside" in first.failures[lost]
    assert len(first.failures) > 2
    settled = {path: at for path, at in times(out).items() if '"begun"' not in Path(path).read_text()}
    second = predict_on_engine(part, out, executor=ParallelExecutor(2), count=2, **settings)
    assert list(second.failures) == [bad]
    assert settled.items() <= times(out).items()
    assert len(masks(out)) == 2 * 39
    assert masks(out) == masks(tmp_path / "whole")
    assert rows(out) == rows(tmp_path / "whole")


def on_a_full_disk(inputs: list[Path], *, key: str, full: Path, **settings: Any) -> PredictionRun:
    """Predicts; the worker that has an examination finds no room as long as a file is there."""
    shard = settings.get("shard")
    if full.exists() and shard is not None and shard.holds(key):
        os.fsync = no_room
    return predict(inputs, **settings)


def no_room(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_worker_whose_disk_is_full_tells_so_and_the_others_go_on(
    few_slices: Path, untrained_bundle: Path, whole: Path, tmp_path: Path
) -> None:
    out, full = tmp_path / "out", tmp_path / "full"
    full.touch()
    keys = {files.patient: f"slices {few_slices.resolve() / files.patient}" for files in find_patients(few_slices)}
    first_key = next(iter(keys.values()))
    # So many parts that not all patients are in one, wherever the test's folder lies.
    count = next(n for n in range(2, 100) if len({shard_of(key, n) for key in keys.values()}) > 1)
    mine = {name for name, key in keys.items() if shard_of(key, count) == shard_of(first_key, count)}
    part = partial(on_a_full_disk, [few_slices], key=first_key, full=full)
    settings = {"model": untrained_bundle, **SETTINGS}
    first = predict_on_engine(part, out, executor=ParallelExecutor(1), count=count, **settings)
    job = f"shard-{shard_of(first_key, count)}-of-{count}"
    assert first.failures.keys() == {job, *mine}
    assert "No space left on device" in first.failures[job]
    log = out / "shards" / job.removeprefix("shard-") / "job.log"
    assert all(f"{name}: skipped, cannot write" in log.read_text() for name in mine)
    assert {row["patient"] for row in rows(out)} == keys.keys() - mine
    done = times(out)
    assert done
    full.unlink()
    second = predict_on_engine(part, out, executor=ParallelExecutor(1), count=count, **settings)
    assert second.failures == {}
    assert done.items() <= times(out).items()
    assert masks(out) == masks(whole)
    assert rows(out) == rows(whole)


def shard_of(key: str, count: int) -> int:
    return next(shard.number for shard in shards(count) if shard.holds(key))


def test_shards_by_hand_are_merged_by_the_command_without_them(
    few_slices: Path, untrained_bundle: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for shard in shards(2):
        run = predict([few_slices], out, model=untrained_bundle, shard=shard, resume=True, **SETTINGS)
        assert run.failures == {}
        assert not (out / "measurements.csv").exists()
    done = times(out)
    assert done
    merged = predict([few_slices], out, model=untrained_bundle, resume=True, **SETTINGS)
    assert (len(merged.results), merged.already) == (0, 3)
    assert times(out) == done
    assert masks(out) == masks(whole)
    assert rows(out) == rows(whole)


def test_what_failed_is_told_again_and_tried_again_only_when_asked_or_changed(
    few_slices: Path, untrained_bundle: Path, tmp_path: Path
) -> None:
    out, bad = tmp_path / "out", find_patients(few_slices)[0]
    image = bad.images[2]
    good = image.read_bytes()
    image.write_bytes(good[: len(good) // 2])
    again = partial(predict, [few_slices], out, model=untrained_bundle, resume=True, **SETTINGS)
    first = again()
    assert list(first.failures) == [bad.patient]
    assert len(first.results) == 2
    record = (out / "records" / f"{bad.patient}.json").read_bytes()
    second = again()
    assert second.failures == first.failures
    assert (len(second.results), second.already) == (0, 2)
    assert (out / "records" / f"{bad.patient}.json").read_bytes() == record
    assert again(retry_failed=True).failures == first.failures
    assert (out / "records" / f"{bad.patient}.json").read_bytes() != record
    image.write_bytes(good)
    third = again()
    assert third.failures == {}
    assert [result.patient for result in third.results] == [bad.patient]


def test_other_options_are_another_request(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    settings = {**SETTINGS, "model": untrained_bundle, "resume": True}
    predict([few_slices], tmp_path / "out", **settings)
    assert len(predict([few_slices], tmp_path / "out", **{**settings, "previews": True}).results) == 3


def test_a_list_tells_its_bad_lines_and_does_the_others(
    few_slices: Path, untrained_bundle: Path, whole: Path, tmp_path: Path
) -> None:
    names = [str(few_slices / files.patient) for files in find_patients(few_slices)]
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join(["# scans", *names, names[0], str(tmp_path / "nowhere"), ""]))
    settings = {"model": untrained_bundle, **SETTINGS}
    run = predict_on_engine(
        partial(predict_list, listing), tmp_path / "out", executor=LocalExecutor(), count=2, **settings
    )
    assert list(run.failures) == [str(tmp_path / "nowhere")]
    assert masks(tmp_path / "out") == masks(whole)
    with pytest.raises(GliosegError, match="cannot be read as a list"):
        predict_list(tmp_path / "none.txt", tmp_path / "out", **settings)


def test_copies_of_an_examination_in_two_shards_are_told_and_done_once(untrained_bundle: Path, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("here", "there")]
    for place in places:
        write_series(place / "1", head(), AXIAL, PatientID="P1", StudyInstanceUID="2.25.1")
    (tmp_path / "list.txt").write_text("".join(f"{place}\n" for place in places))
    count = next(n for n in range(2, 100) if len({shard_of(str(place), n) for place in places}) > 1)
    settings = {"model": untrained_bundle, "options": OutputOptions(overlay=False), **SETTINGS}
    out, ask = tmp_path / "out", partial(predict_list, tmp_path / "list.txt")
    run = predict_on_engine(ask, out, executor=LocalExecutor(), count=count, **settings)
    assert run.failures == {str(places[1]): "patient P1 is given twice. Give each scan once."}
    accounts = [json.loads(path.read_text()) for path in (out / "shards").glob("*/run.json")]
    assert sum(len(account["patients"]) for account in accounts) == 1
    (told,) = (why for account in accounts for why in account["failures"].values())
    assert "too, and is done from there" in told
    assert [row["patient"] for row in rows(out)] == ["P1"]
    done = times(out)
    assert done
    assert predict_on_engine(ask, out, executor=LocalExecutor(), count=count, **settings).failures == run.failures
    assert times(out) == done


def test_a_shard_keeps_its_own_account(few_slices: Path, untrained_bundle: Path, tmp_path: Path) -> None:
    part = partial(predict, [few_slices])
    for shard in shards(2):
        do_shard(part, tmp_path / "out", shard, retry_failed=False, settings={"model": untrained_bundle, **SETTINGS})
    accounts = [json.loads((tmp_path / "out" / "shards" / f"{n}-of-2" / "run.json").read_text()) for n in (1, 2)]
    assert sum(len(account["patients"]) for account in accounts) == 3
    assert [account["shard"] for account in accounts] == [str(Shard(1, 2)), str(Shard(2, 2))]


def test_examinations_of_a_query_are_fetched_predicted_and_stored_once(
    untrained_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = ["2.25.1", "2.25.2", "2.25.3"]
    fetched, stored, lost = list[str](), list[str](), ["2.25.2"]

    def fetch(url: str, uid: str, dest: Path, **_: object) -> list[Path]:
        fetched.append(uid)
        if uid in lost:
            raise GliosegError("the series came incomplete")
        return [write_series(dest / "1", head(), AXIAL, PatientID=f"P{uid[-1]}", StudyInstanceUID=uid)]

    def store(url: str, paths: list[Path]) -> int:
        stored.extend(path.name for path in paths if path.name.endswith("_seg.dcm"))
        return len(paths)

    monkeypatch.setattr(dicomweb, "search_examinations", lambda url, query: uids)
    monkeypatch.setattr(dicomweb, "fetch_examination", fetch)
    monkeypatch.setattr(dicomweb, "store_files", store)
    settings = {"model": untrained_bundle, "options": OutputOptions(overlay=False), **SETTINGS}
    ask = partial(predict_query, "http://archive", {"ModalitiesInStudy": "MR"}, tmp_path / "out", **settings)
    assert ask().failures == {"2.25.2": "the series came incomplete."}
    assert [row["patient"] for row in rows(tmp_path / "out")] == ["P1", "P3"]
    assert ask().failures == {"2.25.2": "the series came incomplete."}
    assert sorted(fetched) == uids
    lost.clear()
    assert ask(retry_failed=True).failures == {}
    assert sorted(fetched) == ["2.25.1", "2.25.2", "2.25.2", "2.25.3"]
    assert sorted(stored) == ["P1_seg.dcm", "P2_seg.dcm", "P3_seg.dcm"]
    assert len(rows(tmp_path / "out")) == 3
