"""``glioseg predict``: its options."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glioseg.cli.options import (
    ON_THIS_MACHINE,
    Backend,
    Device,
    EngineOptions,
    Flag,
    Json,
    Precision,
    Presence,
    WholeNumber,
)
from glioseg.errors import GliosegError
from glioseg.terminal import progress

if TYPE_CHECKING:
    from glioseg.commands.predict import PredictionRun
    from glioseg.execution.engines import Engine


def predict(
    *inputs: Path,
    out: Path,
    model: str = "unet",
    flair: str | None = None,
    pre: str | None = None,
    post: str | None = None,
    probabilities: Annotated[bool, Flag] = False,
    nifti: Annotated[bool, Flag] = False,
    overlay: bool = True,
    previews: bool = True,
    out_of_fold: Annotated[bool, Parameter(name=("--out-of-fold", "--unseen"), negative="")] = False,
    presence: Presence = "on",
    dicomweb: str | None = None,
    study: str | None = None,
    query: str | None = None,
    list_: Annotated[Path | None, Parameter(name="--list")] = None,
    shard: str | None = None,
    retry_failed: Annotated[bool, Flag] = False,
    where: EngineOptions = ON_THIS_MACHINE,
    device: Device = "auto",
    precision: Precision = "auto",
    backend: Backend = "auto",
    threads: WholeNumber | None = None,
    json_output: Json = False,
) -> int:
    """Segment scans: a mask on each scan's own grid, measurements, previews, and a record of the run.

    Exit code 0 if every patient was done, 1 if some patient or output was not, 2 if none could be tried.

    Parameters
    ----------
    inputs
        Folders or files: the dataset's layout, NIfTI, NRRD, DICOM (a zip too), told apart by their content.
    model
        A model that comes with glioseg (glioseg info lists them), or the folder of a bundle.
    out
        Where the masks go: <patient>/<slice>_mask.tif, <patient>_mask.nii.gz or <patient>_seg.dcm by the input's
        format, measurements.csv, run.json.
    flair
        Without an input: the FLAIR's file. With a DICOM input: its FLAIR's number, UID or description.
    pre
        The same for T1 before contrast.
    post
        The same for T1 after contrast.
    probabilities
        Write <patient>_probability.nii.gz too.
    nifti
        For DICOM, write <patient>_mask.nii.gz too.
    overlay
        For DICOM, write copies of the slices with the contour.
    previews
        Draw a contact sheet <patient>_sheet.png.
    out_of_fold
        Only patients that the model was tested on, each by those of its networks that were not trained on it: to
        score a model on its own data.
    presence
        Tell whether there is a tumour at all: present, doubtful or none. none writes an empty mask, and what it would
        have been as <patient>_candidate.nii.gz. off gives masks alone.
    dicomweb
        Fetch the examination --study from this archive, and store the results there. Credentials are taken from the
        environment or a netrc file.
    study
        The examination's StudyInstanceUID.
    query
        Instead of --study: the examinations of the archive that fit, as
        ModalitiesInStudy=MR,StudyDate=20240101-20241231.
    list_
        Instead of inputs: a text file that names a scan's folder or file on each line.
    shard
        Only the i-th of n parts of the examinations, as 2/8; the command without it then merges the tables. With it,
        with --list and with --workers or --engine, examinations are left as they are whose files, model and options
        have not changed since they were predicted.
    retry_failed
        Try those again that failed.
    precision
        Arithmetic of the convolutions; auto takes bfloat16 where the hardware computes it.
    backend
        What computes the network; auto takes the fastest that is installed and for which the bundle holds a model.
    threads
        How many threads compute; one for each core that the program may use unless told otherwise.
    """
    from glioseg.machine import share_freed_memory, share_threads, use_threads

    share_freed_memory()
    # Before a library loads: it looks at the number once.
    use_threads(threads)
    if where.engine == "local" and (where.workers or 1) > 1:
        share_threads(where.workers or 1)
    from glioseg.commands.predict import predict_examination
    from glioseg.patients.source import OutputOptions

    settings: dict[str, Any] = {
        "sequences": {"flair": flair or "", "pre": pre or "", "post": post or ""},
        "device": device,
        "precision": precision,
        "backend": backend,
        "options": OutputOptions(probabilities, nifti, overlay),
        "previews": previews,
        "model": model,
        "out_of_fold": out_of_fold,
        "presence": presence == "on",
    }
    command = _command_for(inputs, list_, dicomweb if query is not None else None, query)
    if query is None and (dicomweb is not None or study is not None):
        run = predict_examination(*_archive(inputs, dicomweb, study), out, progress=progress, **settings)
    else:
        chosen = where.chosen()
        settings |= {"retry_failed": retry_failed, "progress": progress}
        if chosen.name != "local" or (chosen.workers or 1) > 1:
            from glioseg.commands.predict_many import check_request

            check_request(inputs, model)
            run = _in_shards(command, out, chosen, shard, json_output, settings)
        else:
            run = _in_one(command, out, chosen, shard, list_ is not None, settings)
    return tell_run(run, out, json_output)


def _in_shards(
    command: "Callable[..., PredictionRun]",
    out: Path,
    engine: "Engine",
    shard: str | None,
    json_lines: bool,
    settings: dict[str, Any],
) -> "PredictionRun":
    """Several shards at once, each in a process of its own or on a cluster."""
    from glioseg.commands.predict_many import DEFAULT_WORKERS, SHARDS_OF_A_WORKER, predict_on_engine

    if shard is not None:
        raise GliosegError("--shard is for other orchestrators than --engine", remedy="Give one of them")
    count = SHARDS_OF_A_WORKER * (engine.workers or DEFAULT_WORKERS)
    executor = engine.executor(out / "jobs")
    return predict_on_engine(command, out, executor=executor, count=count, json_lines=json_lines, **settings)


def _in_one(
    command: "Callable[..., PredictionRun]",
    out: Path,
    engine: "Engine",
    shard: str | None,
    listed: bool,
    settings: dict[str, Any],
) -> "PredictionRun":
    """In this process: everything, or one shard of it."""
    from glioseg.patients.records import SHARDS
    from glioseg.patients.shard import Shard

    # Refuses options of a cluster, which would have no effect.
    engine.executor(out)
    resume = shard is not None or listed or settings["retry_failed"] or (out / SHARDS).is_dir()
    return command(out=out, shard=Shard.parse(shard) if shard is not None else None, resume=resume, **settings)


def _command_for(
    inputs: Sequence[Path], listing: Path | None, url: str | None, query: str | None
) -> "Callable[..., PredictionRun]":
    """What predicts the inputs, what a list names, or what an archive finds, wherever it is called."""
    from glioseg.commands.predict import predict
    from glioseg.commands.predict_many import predict_list, predict_query

    if sum((bool(inputs), listing is not None, query is not None)) > 1:
        raise GliosegError("inputs, --list and --query exclude each other", remedy="Give one of them")
    if query is not None:
        from glioseg.archive.dicomweb import parse_query

        if url is None:
            raise GliosegError("--query asks an archive", remedy="Name it with --dicomweb")
        return partial(predict_query, url, parse_query(query))
    if listing is not None:
        return partial(predict_list, listing.resolve())
    return partial(predict, tuple(path.resolve() for path in inputs))


def _archive(inputs: tuple[Path, ...], url: str | None, study: str | None) -> tuple[str, str]:
    if url is None or study is None or inputs:
        raise GliosegError(
            "an archive is given by --dicomweb URL and --study UID, both of them and without any input",
            found=f"{len(inputs)} inputs, {'a' if url else 'no'} URL, {'a' if study else 'no'} UID",
        )
    return url, study


def tell_run(run: "PredictionRun", out: Path, json_output: bool) -> int:
    """Print what came of a batch and tell the exit code."""
    if json_output:
        print(run.manifest.read_text(encoding="utf-8"), end="")
    else:
        done, failed = run.already + len(run.results), len(run.failures)
        print(f"{done} of {done + failed} patients done, masks and measurements in {out}")
        record = run.manifest.resolve().relative_to(out.resolve())
        if run.left_out:
            print(f"{run.left_out}; {record} lists them")
        if lost := sum(len(result.not_written) for result in run.results):
            print(f"{lost} output{'s' * (lost > 1)} could not be written; {record} tells which and why")
    return 1 if run.failures or any(result.not_written for result in run.results) else 0
