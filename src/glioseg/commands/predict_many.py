"""``glioseg predict`` for archives: in shards on an engine, and from an archive by query."""

import json
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from glioseg import interruption
from glioseg.atomic import write_text_atomically
from glioseg.commands.predict import PredictionRun, predict
from glioseg.errors import BadFileError, GliosegError
from glioseg.execution.executor import Executor, Task
from glioseg.execution.watch import Watch
from glioseg.inference.model import Model
from glioseg.inference.shipped import DEFAULT, find_model
from glioseg.patients.listing import read_list, real_paths
from glioseg.patients.records import SHARDS, STUDIES
from glioseg.patients.shard import Shard, shards

IN_FLIGHT = 2
"""Examinations of an archive that are fetched or predicted at a time."""

_NOT_YET = "it is not predicted yet; repeat the command"

SHARDS_OF_A_WORKER = 4
"""More than one, so that workers end at about the same time and little is done again when one is lost."""

DEFAULT_WORKERS = 8

Progress = Callable[[str], None]


def predict_list(path: Path, out: Path, *, shard: Shard | None = None, **settings: Any) -> PredictionRun:
    """Predict the scans that a text file names, one a line; a line without a scan is told, the others are done.

    Args:
        path: The text file.
        out: As for :func:`glioseg.commands.predict.predict`, and so are the settings.
        shard: Only these of the lines.

    Raises:
        GliosegError: If the file cannot be read, or as :func:`glioseg.commands.predict.predict`.
    """
    real = real_paths(read_list(path))
    lines = [line for line in real if shard is None or shard.holds(real[line])]
    return predict(lines, out, listed=frozenset(real.values()), shard=shard, **settings)


def predict_query(
    url: str,
    query: Mapping[str, str],
    out: Path,
    *,
    shard: Shard | None = None,
    resume: bool = True,
    retry_failed: bool = False,
    do_missing: bool = True,
    progress: Progress = lambda line: None,
    **settings: Any,
) -> PredictionRun:
    """Predict the examinations of a DICOMweb archive that fit a query, and store the results there.

    While one is predicted the next are fetched, :data:`IN_FLIGHT` at most. Each is settled in ``studies/<UID>.json``
    once its results are stored, and is then not fetched again.

    Args:
        url: The archive's DICOMweb root.
        query: By attribute what it must be.
        out: As for :func:`glioseg.commands.predict.predict`, and so are the settings.
        shard: Only these of the examinations.
        resume: As for the others; an examination that is settled is never fetched again.
        retry_failed: Try those again that failed.
        do_missing: Whether what is not settled is predicted; else it is told as missing.
        progress: Takes a line for each step.

    Raises:
        Interrupted: If the engine that does this shard wants it to end; what is done is recorded.
        GliosegError: If the archive cannot be reached, or the model or the output cannot be used.
    """
    from glioseg.archive.dicomweb import search_examinations

    found = [uid for uid in search_examinations(url, query) if shard is None or shard.holds(uid)]
    states = {uid: _state(out, uid) for uid in found}
    missing = [uid for uid in found if states[uid] is None or (states[uid] and retry_failed)]
    progress(f"{len(found)} examinations fit, {len(found) - len(missing)} of them are settled already")
    settings["loaded"] = Model.load(
        find_model(settings.get("model", DEFAULT)),
        **{name: settings[name] for name in ("backend", "device", "precision") if name in settings},
    )
    if do_missing:
        for uid, scans in _fetched(url, missing):
            states[uid] = _predict_fetched(url, uid, scans, out, progress, settings)
            interruption.check()
    merged = predict([], out, listed=(), shard=shard, resume=True, **settings)
    told = {uid: _NOT_YET if state is None else state for uid, state in states.items()}
    merged.failures.update({uid: why for uid, why in told.items() if why})
    return merged


def _state(out: Path, uid: str) -> str | None:
    """Why an examination failed; empty where it is done, None where it is not settled."""
    try:
        return str(json.loads((out / STUDIES / f"{uid}.json").read_text(encoding="utf-8"))["failure"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fetched(url: str, uids: Sequence[str]) -> Iterator[tuple[str, Path | GliosegError]]:
    """Each examination in a folder that is there until the next is asked for; a few are fetched ahead."""
    from glioseg.archive.dicomweb import fetch_examination

    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(IN_FLIGHT, "fetch") as pool:
        under_way: deque[tuple[str, Future[list[Path]]]] = deque()
        waiting = iter(uids)
        while True:
            for uid in islice(waiting, IN_FLIGHT - len(under_way)):
                under_way.append((uid, pool.submit(fetch_examination, url, uid, Path(name) / uid)))
            if not under_way:
                return
            uid, fetching = under_way.popleft()
            try:
                fetching.result()
                yield uid, Path(name) / uid
            except GliosegError as error:
                yield uid, error
            shutil.rmtree(Path(name) / uid, ignore_errors=True)


def _predict_fetched(
    url: str,
    uid: str,
    scans: Path | GliosegError,
    out: Path,
    progress: Progress,
    settings: Mapping[str, Any],
) -> str:
    """Predict and store one examination and settle it; why that failed, or nothing."""
    from glioseg.archive.dicomweb import store_files

    try:
        if isinstance(scans, GliosegError):
            raise scans
        # As a shard: the tables are merged once, at the end.
        run = predict([scans], out, shard=Shard(1, 1), progress=progress, **settings)
        failure = "; ".join(run.failures.values())
        progress(f"{uid}: {store_files(url, run.dicom_files(out))} objects stored")
    except GliosegError as error:
        failure = str(error)
        progress(f"{uid}: {failure}")
    write_text_atomically(out / STUDIES / f"{uid}.json", json.dumps({"failure": failure}) + "\n")
    return failure


def check_request(inputs: Sequence[Path], model: str | Path) -> None:
    """Refuse once, and before any job begins, what every shard would refuse.

    Raises:
        GliosegError: If an input does not exist, or there is no such model.
    """
    find_model(model)
    for path in inputs:
        if not path.exists():
            raise BadFileError(path, "does not exist")


def predict_on_engine(
    one_shard: Callable[..., PredictionRun],
    out: Path,
    *,
    executor: Executor,
    count: int,
    progress: Progress = lambda line: None,
    json_lines: bool = False,
    retry_failed: bool = False,
    **settings: Any,
) -> PredictionRun:
    """Predict in shards, wherever the engine does them, and merge what they recorded.

    Args:
        one_shard: Predicts a shard, as :func:`glioseg.commands.predict.predict` with its inputs; it can be pickled.
        out: The output folder, which every worker sees.
        executor: Does the shards.
        count: How many shards.
        progress: Takes a line whenever a shard begins or ends.
        json_lines: Whether these lines are JSON.
        retry_failed: Try examinations again that failed.
        settings: As for the shard.

    Raises:
        GliosegError: As the shard. A shard that fails is told in the result: its examinations are missing there.
    """
    out = out.resolve()
    tasks = [
        Task(
            f"shard-{shard.name}",
            partial(do_shard, one_shard, out, shard, retry_failed=retry_failed, settings=settings),
            out / SHARDS / shard.name / "job.log",
        )
        for shard in shards(count)
    ]
    watch = Watch(count, progress, "shards", json_lines)
    for _ in watch.follow(executor.run(tasks)):
        pass
    merged = one_shard(out=out, resume=True, do_missing=False, progress=lambda line: None, **settings)
    merged.failures.update(watch.failed)
    return merged


def do_shard(
    one_shard: Callable[..., PredictionRun], out: Path, shard: Shard, *, retry_failed: bool, settings: Mapping[str, Any]
) -> None:
    """Predict one shard, in a worker."""
    one_shard(out=out, shard=shard, resume=True, retry_failed=retry_failed, progress=print, **settings)
