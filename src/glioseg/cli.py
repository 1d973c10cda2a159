"""The command line: parses and calls. Each command imports what it needs when it runs."""

import gc
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from cyclopts import App, Parameter

from glioseg import __version__
from glioseg.errors import BadOptionError, GliosegError
from glioseg.terminal import (
    change_in_lines,
    print_check,
    print_detection,
    print_place,
    print_scores,
    print_side_by_side,
    print_study,
    progress,
)

if TYPE_CHECKING:
    from glioseg.commands.predict import PredictionRun

app = App(
    name="glioseg",
    version=__version__,
    help="Segment lower-grade glioma on MRI: train networks, compare them by patient, use the winner.",
    # Markdown, which is the default, takes <patient> for a tag and leaves it out; reStructuredText takes as long to
    # load as all else that help needs.
    help_format="plaintext",
    # main() says what a user who stops the work needs to know.
    suppress_keyboard_interrupt=False,
)
EXTRAS = {
    **dict.fromkeys(("torch", "lightning_fabric", "kornia", "monai", "safetensors", "matplotlib"), "train"),
    **dict.fromkeys(("onnx", "onnxscript", "nncf"), "export"),
}
"""Libraries that a plain installation lacks, and the extra that brings them."""
COLLECTED_AFTER = 50_000
"""New objects after which Python looks for those that nobody needs."""
OUTPUT_WAS_CLOSED = 141
"""The exit code of a program whose output nobody reads any more, in every shell."""
data_app = App(name="data", help="Practice patients and the dataset.")
app.command(data_app)

Command = TypeVar("Command", bound=Callable[..., Any])
_BROKEN = re.compile(r"^ {4}\S.*(?:\n {4}\S.*)+", re.MULTILINE)


def _command(of: App) -> Callable[[Command], Command]:
    """Register a command. What its docstring says of a parameter goes on one line, which the terminal breaks anew."""

    def register(command: Command) -> Command:
        command.__doc__ = _BROKEN.sub(lambda lines: lines[0].replace("\n    ", " "), cleandoc(command.__doc__ or ""))
        of.command(command)
        return command

    return register


Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="Where to compute.")]
EngineName = Literal["local", "slurm", "ray"]
Flag = Parameter(negative="")
Several = Parameter(negative="", consume_multiple=True)


def _spelled(option: str) -> tuple[str, ...]:
    """An option of BIDS apps, which callers write with hyphens or with underscores."""
    return f"--{option}", f"--{option.replace('-', '_')}"


def _of_bids_app(option: str) -> Parameter:
    return Parameter(name=_spelled(option), negative="", consume_multiple=True)


@_command(app)
def demo(*, out: Path = Path("demo"), json_output: Json = False) -> None:
    """See it work: practice patients, three small networks compared, masks, scores and a report, in a few minutes.

    Parameters
    ----------
    out
        A new folder for everything.
    """
    from glioseg.commands.demo import demo

    outcome = demo(out, progress=progress)
    if not json_output:
        print_study(outcome.study)
    print_scores(outcome.scores, outcome.training.part, json_output)
    if not json_output:
        print(f"\nlook at the masks, correct and accept them: glioseg review {outcome.masks}")


@_command(app)
def train(
    *,
    data: Path,
    out: Path,
    network: str | None = None,
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    config: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    split: Path | None = None,
    folds: int | None = None,
    fold: int = 0,
    deterministic: Annotated[bool, Flag] = False,
    resume: Annotated[bool, Flag] = False,
    json_output: Json = False,
) -> None:
    """Train one network, choose its threshold on validation patients, score it and write a report.

    Parameters
    ----------
    data
        A folder in the dataset's layout.
    out
        The run's folder: configuration, split, log, checkpoint, bundle, scores, report.
    network
        A name that glioseg info lists.
    from_
        A bundle of one network, or its name, as fast, to go on from: its network and preprocessing, its weights to
        start with, a short schedule. One that was trained on a patient whom this run holds back is refused.
    config
        Settings as JSON or TOML, laid over the defaults.
    set_
        A setting as section.key=value, laid over the file; may be given many times. Examples:
        --set budget.minutes=50, --set network.width=16.
    split
        A split file. Without it: the published split, or --folds.
    folds
        Split the patients into so many folds, stratified by site.
    fold
        Which of the folds is tested, from 0.
    deterministic
        Ask for deterministic arithmetic.
    resume
        Go on with the run that --out holds, under its own settings and split.
    """
    from glioseg.commands.train import train
    from glioseg.dataset.splits import SplitChoice
    from glioseg.training.config import load_config

    assignments = list(set_)
    if network is not None:
        assignments.insert(0, f'network.name="{network}"')
    if deterministic:
        assignments.append("machine.deterministic=true")
    given = bool(config or assignments or from_)
    chosen = None
    if split is not None:
        chosen = SplitChoice(split)
    elif folds is not None:
        chosen = SplitChoice(folds=folds, only_folds=(fold,))
    outcome = train(
        data,
        out,
        config=load_config(config, assignments, pretrained=from_) if given or not resume else None,
        split=chosen,
        resume=resume,
        command=["glioseg", *sys.argv[1:]],
    )
    print_scores(outcome.scores, outcome.part, json_output)
    print_place("bundle", outcome.folder.bundle, json_output)
    print_place("report", out / "report.html", json_output)


@_command(app)
def study(
    *,
    data: Path,
    out: Path,
    networks: Annotated[tuple[str, ...], Several] = (),
    widths: Literal["published", "matched"] = "matched",
    split: Path | None = None,
    folds: int | None = None,
    only_folds: Annotated[tuple[str, ...], Several] = (),
    seeds: Annotated[tuple[str, ...], Several] = ("0",),
    minutes: float | None = None,
    steps: int | None = None,
    engine: EngineName = "local",
    workers: Annotated[int | None, Parameter(name=("--workers", "--parallel"))] = None,
    gpus_per_run: float | None = None,
    cpus_per_run: int = 1,
    address: str | None = None,
    partition: str | None = None,
    time: int | None = None,
    config: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    json_output: Json = False,
) -> None:
    """Compare networks: train each under the same conditions, score by patient, test the differences, report.

    Repeating the command goes on with a study that was broken off; finished runs are not repeated.

    Parameters
    ----------
    data
        A folder in the dataset's layout.
    out
        The study's folder: plan.json, runs, tables, report.html.
    networks
        What to compare, each name:width, as unet:32,resunet-a:16. Without it every network, at --widths.
    widths
        matched: about equal arithmetic. published: as in the papers.
    split
        A split file. Without it: the published split, or --folds.
    folds
        Split the patients into so many folds, stratified by site, and test on each of them.
    only_folds
        Run only these folds, as 0,1.
    seeds
        Train each network from each of these seeds, as 0,1,2.
    minutes
        Budget of each run in minutes of training on this machine.
    steps
        Budget of each run in steps.
    engine
        Where runs are done: local, slurm (through submitit) or ray.
    workers
        Runs at once; on this machine each in a process of its own. One small network leaves most of a GPU idle.
    gpus_per_run
        GPUs of each run on a cluster; with ray also a fraction: several share one. Without it one, where there are any.
    cpus_per_run
        Processor cores of each run on a cluster.
    address
        Of a running Ray cluster, as auto or host:6379. Without it, Ray starts on this machine.
    partition
        SLURM's partition.
    time
        Minutes that SLURM gives a run at a time; it is queued again until it is done.
    config
        Settings as JSON or TOML, laid over the defaults; every network shares them.
    set_
        A setting as section.key=value, laid over the file; may be given many times.
    """
    from glioseg.commands.study import as_json, study
    from glioseg.dataset.splits import SplitChoice
    from glioseg.execution.engines import Engine
    from glioseg.study.plan import configurations_of, parse_configurations
    from glioseg.training.config import load_config

    budgets = [f"budget.{name}={value}" for name, value in (("minutes", minutes), ("steps", steps)) if value]
    if len(budgets) > 1:
        raise BadOptionError("--minutes and --steps exclude each other", remedy="Give one of them")
    outcome = study(
        data,
        out,
        networks=parse_configurations(_parts(networks)) if networks else configurations_of(widths),
        config=load_config(config, [*set_, *budgets]),
        splits=SplitChoice(split, folds, _whole_numbers("--only-folds", only_folds)),
        seeds=_whole_numbers("--seeds", seeds),
        executor=Engine(engine, workers, gpus_per_run, cpus_per_run, address, partition, time).executor(out / "jobs"),
        command=["glioseg", *sys.argv[1:]],
        progress=progress,
        json_lines=json_output,
    )
    if json_output:
        print(json.dumps(as_json(outcome), indent=2))
        return
    print_study(outcome)


@_command(app)
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
    presence: Literal["on", "off"] = "on",
    dicomweb: str | None = None,
    study: str | None = None,
    query: str | None = None,
    list_: Annotated[Path | None, Parameter(name="--list")] = None,
    shard: str | None = None,
    retry_failed: Annotated[bool, Flag] = False,
    engine: EngineName = "local",
    workers: int | None = None,
    gpus_per_run: float | None = None,
    cpus_per_run: int = 1,
    address: str | None = None,
    partition: str | None = None,
    time: int | None = None,
    device: Device = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    backend: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto",
    threads: int | None = None,
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
    engine
        Where shards are done: local, slurm (through submitit) or ray.
    workers
        Shards at once, each in a process of its own.
    gpus_per_run
        GPUs of each shard on a cluster; with ray also a fraction.
    cpus_per_run
        Processor cores of each shard on a cluster.
    address
        Of a running Ray cluster, as auto or host:6379. Without it, Ray starts on this machine.
    partition
        SLURM's partition.
    time
        Minutes that SLURM gives a shard at a time; it is queued again until it is done.
    precision
        Arithmetic of the convolutions; auto takes bfloat16 where the hardware computes it.
    backend
        What computes the network; auto takes the fastest that is installed and for which the bundle holds a model.
    threads
        How many threads compute; one for each core that the program may use unless told otherwise.
    """
    from glioseg.machine import share_freed_memory, use_threads

    share_freed_memory()
    # Before a library loads: it looks at the number once.
    use_threads(threads if threads is not None or workers is None else max(1, (os.cpu_count() or 1) // workers))
    from glioseg.commands.predict import predict_study
    from glioseg.commands.predict_many import DEFAULT_WORKERS, SHARDS_OF_A_WORKER, predict_on_engine
    from glioseg.execution.engines import Engine
    from glioseg.patients.records import SHARDS
    from glioseg.patients.shard import Shard
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
    part = _part_of(inputs, list_, dicomweb if query is not None else None, query)
    if query is None and (dicomweb is not None or study is not None):
        run = predict_study(*_archive(inputs, dicomweb, study), out, progress=progress, **settings)
    elif engine != "local" or (workers or 1) > 1:
        if shard is not None:
            raise GliosegError("--shard is for other orchestrators than --engine", remedy="Give one of them")
        chosen = Engine(engine, workers, gpus_per_run, cpus_per_run, address, partition, time)
        run = predict_on_engine(
            part,
            out,
            executor=chosen.executor(out / "jobs"),
            count=SHARDS_OF_A_WORKER * (workers or DEFAULT_WORKERS),
            retry_failed=retry_failed,
            json_lines=json_output,
            progress=progress,
            **settings,
        )
    else:
        Engine(engine, workers, gpus_per_run, cpus_per_run, address, partition, time).executor(out)
        resume = shard is not None or list_ is not None or retry_failed or (out / SHARDS).is_dir()
        run = part(
            out=out,
            shard=Shard.parse(shard) if shard is not None else None,
            resume=resume,
            retry_failed=retry_failed,
            progress=progress,
            **settings,
        )
    return _tell_run(run, out, json_output)


@_command(app)
def bids(
    bids_dir: Path,
    output_dir: Path,
    analysis_level: Literal["participant", "group"],
    *,
    participant_label: Annotated[tuple[str, ...], _of_bids_app("participant-label")] = (),
    session_label: Annotated[tuple[str, ...], _of_bids_app("session-label")] = (),
    skip_bids_validation: Annotated[bool, Parameter(name=_spelled("skip-bids-validation"), negative="")] = False,
    model: str = "unet",
    presence: Literal["on", "off"] = "on",
    probabilities: bool = True,
    previews: bool = True,
    retry_failed: Annotated[bool, Flag] = False,
    device: Device = "auto",
    precision: Literal["auto", "32", "bf16"] = "auto",
    backend: Literal["auto", "torch", "openvino", "onnxruntime"] = "auto",
    threads: Annotated[int | None, Parameter(name=("--threads", "--n-cpus", "--n_cpus"))] = None,
    json_output: Json = False,
) -> int:
    """Segment a BIDS data set into BIDS derivatives, as a BIDS app; a repeated command does only what is missing.

    Exit code 0 if every FLAIR was done, 1 if some was not or a session has none, 2 if the request makes no sense.

    Parameters
    ----------
    bids_dir
        The raw data set: every FLAIR of it is segmented, with the T1 before and after contrast of its session.
    output_dir
        The derivative data set, as BIDS_DIR/derivatives/glioseg.
    analysis_level
        participant: masks, probabilities and measurements of each. group: one table and one report of all.
    participant_label
        Only these subjects, with or without sub-, as 01 02.
    session_label
        Only these sessions, with or without ses-.
    skip_bids_validation
        Take a data set without the description that BIDS requires; more is not validated here.
    model
        A model that comes with glioseg (glioseg info lists them), or the folder of a bundle.
    presence
        Tell whether there is a tumour at all; off gives masks alone.
    probabilities
        Write probabilities beside the masks.
    previews
        Draw a contact sheet of each.
    retry_failed
        Try those again that failed.
    precision
        Arithmetic of the convolutions; auto takes bfloat16 where the hardware computes it.
    backend
        What computes the network; auto takes the fastest that is installed and for which the bundle holds a model.
    threads
        How many threads compute; one for each core that the program may use unless told otherwise.
    """
    from glioseg.machine import use_threads

    # Before a library loads: it looks at the number once.
    use_threads(threads)
    from glioseg.commands.bids import segment_participants, summarise_group

    which: dict[str, Any] = {
        "participants": _parts(participant_label),
        "sessions": _parts(session_label),
        "require_description": not skip_bids_validation,
    }
    if analysis_level == "group":
        rows = summarise_group(bids_dir, output_dir, **which)
        lacking = [row for row in rows if row.state != "done"]
        if json_output:
            print(json.dumps([row.as_row() for row in rows], indent=2, allow_nan=False))
        else:
            print("\n".join(f"{row.name}: {row.state}, {row.reason}" for row in lacking), end="\n" * bool(lacking))
            print(f"{len(rows) - len(lacking)} of {len(rows)} examinations in the table and the report in {output_dir}")
        return 1 if lacking else 0
    run = segment_participants(
        bids_dir,
        output_dir,
        **which,
        model=model,
        presence=presence == "on",
        probabilities=probabilities,
        previews=previews,
        retry_failed=retry_failed,
        device=device,
        precision=precision,
        backend=backend,
        progress=progress,
    )
    return _tell_run(run, output_dir, json_output)


@_command(app)
def review(
    masks: Path,
    *,
    scans: Path | None = None,
    dicomweb: str | None = None,
    reader: str | None = None,
    report: Path | None = None,
    store: str | None = None,
    port: int = 0,
    browser: bool = True,
) -> None:
    """Look at masks, correct and accept them, in a page on this machine. Every stroke is kept as it is drawn.

    Parameters
    ----------
    masks
        What predict wrote, a folder in the dataset's layout, a study's folder, or masks of another program under the
        names that predict gives. Results go to its folder review.
    scans
        The scans, where masks does not tell or they have moved.
    dicomweb
        The DICOMweb archive that predict had the scans from: they are fetched once and stay in the folder review.
    reader
        Read blind to others under this name; without it everyone shares one reading.
    report
        Write a page on the readings instead: what was changed where, how long it took, how far readers agree.
    store
        Send accepted and corrected DICOM results to this DICOMweb archive instead.
    port
        A port of this machine; without it any that is free.
    browser
        Open the page.
    """
    from glioseg.commands.review import fetch_scans, report_readings, review, store_results

    if dicomweb is not None:
        fetch_scans(masks, dicomweb, progress=progress)
    if report is not None:
        report_readings(masks, report, scans=scans)
        print_place("report", report, False)
    if store is not None:
        print(f"{store_results(masks, store, scans=scans, reader=reader)} objects stored in {store}")
    if report is None and store is None:
        review(masks, scans=scans, reader=reader, port=port, browser=browser, progress=progress)


@_command(app)
def export(
    model: Path,
    *,
    to: Literal["onnx", "openvino"],
    out: Path,
    size: int | None = None,
    int8: Annotated[bool, Flag] = False,
    patients: Path | None = None,
    json_output: Json = False,
) -> None:
    """Write a bundle for ONNX Runtime or OpenVINO, and prove that it answers as the original does.

    Parameters
    ----------
    model
        A bundle's folder, or the name of a network that comes with glioseg.
    out
        The new bundle's folder; --to onnx also takes that of MODEL, where the graph goes beside the weights.
    size
        Rows and columns of the slices that the exported model takes, in pixels, 256 unless told otherwise; smaller ones
        are padded. A network that sees windows takes slices of any size.
    int8
        Compute in eight bits; refused where it costs 0.002 of Dice or more. With ONNX a second graph, which is used on
        processors with instructions for it.
    patients
        A folder in the dataset's layout to compare masks on, and to calibrate eight-bit arithmetic. The ten test
        patients in it are left out.
    """
    from glioseg.commands.export import export

    exported = export(model, to, out, size_px=size, int8=int8, patients=patients).exported
    assert exported is not None
    if json_output:
        print(exported.model_dump_json(indent=2))
        return
    parity = exported.parity
    print(f"{to} model in {out}, compared on {parity.source}, {parity.slices} slices:")
    mean, most = parity.mean_difference, parity.largest_difference
    print(f"probabilities differ by {mean:.2g} on average and {most:.2g} at most")
    if parity.dice_loss is not None:
        print(f"mean Dice lost: {parity.dice_loss:.4f}")
    if exported.eight_bits is not None:
        print(f"mean Dice lost in eight bits: {exported.eight_bits.dice_loss:.4f}")


@_command(app)
def bundle(
    *runs: Path,
    data: Path,
    out: Path,
    domain_shift: Annotated[bool, Parameter(name=("--domain-shift", "--stand-ins"))] = True,
    shared: Annotated[bool, Flag] = False,
    siblings: Path | None = None,
    json_output: Json = False,
) -> None:
    """Make a model for others of finished runs: one alone, or several as an ensemble; calibrated, scored, with a card.

    Temperature, threshold and component rule are chosen on the runs' validation patients, the scores are those of
    their test patients. Weights are kept in half precision.

    Parameters
    ----------
    runs
        Folders of runs that 'glioseg train' or 'glioseg study' has finished, or of models made earlier: of one split,
        or of folds of one cross-validation, where each patient is scored by the networks that held it back.
    data
        The folder that they were trained on.
    out
        A new folder.
    domain_shift
        Score the test patients as external scans too: stripped, turned, in another size and contrast.
    shared
        Use the networks where they lie, in a model beside --out, instead of copying them.
    siblings
        For one run that was trained on every patient: a model beside --out, of networks of the same recipe, one for
        each fold. Rule and scores are those of the patients that these held back.
    """
    from glioseg.commands.bundle import bundle
    from glioseg.commands.bundle_refit import bundle_refit

    if siblings is None:
        outcome = bundle(runs, data, out, domain_shift=domain_shift, shared=shared, progress=progress)
    elif len(runs) == 1 and not shared:
        outcome = bundle_refit(runs[0], siblings, data, out, domain_shift=domain_shift, progress=progress)
    else:
        raise BadOptionError("--siblings goes with one run alone", found=f"{len(runs)} runs")
    print_scores(outcome.scores, outcome.part, json_output)
    print_place("model", outcome.folder, json_output)


@_command(app)
def presence(
    model: str,
    *,
    data: Path | None = None,
    tumour_free: Annotated[tuple[Path, ...], Several] = (),
    tumours: Annotated[tuple[Path, ...], Several] = (),
    members: Annotated[bool, Flag] = False,
    json_output: Json = False,
) -> None:
    """Fit how a model tells whether there is a tumour at all, and write it into its contract and card.

    Parameters
    ----------
    model
        A model that comes with glioseg, or the folder of one that 'glioseg bundle' has made.
    data
        The folder that it was trained on: each patient is predicted by the networks that had held it back, with its
        tumour and with the tumour removed. Without it the examples in presence.csv beside the model are fitted again.
    tumour_free
        Folders of external scans without tumour.
    tumours
        Folders of external scans with one.
    members
        Write the rule into the contract of each of its networks too, where all are of one kind.
    """
    from glioseg.commands.presence import fit_model

    outcome = fit_model(model, data, tumour_free=tumour_free, tumours=tumours, members=members, progress=progress)
    if json_output:
        rates = {kind: {n: r.as_json() for n, r in of.items()} for kind, of in outcome.rates().items()}
        print(json.dumps({"rule": outcome.rule.model_dump(), "rates": rates}, indent=2, allow_nan=False))
        return
    print(outcome.in_words())


@_command(app)
def evaluate(
    predicted: Path,
    truth: Path,
    *,
    out: Path,
    spacing_mm: tuple[float, float, float] | None = None,
    labels: Annotated[tuple[str, ...], Several] = (),
    json_output: Json = False,
) -> int:
    """Score masks from anywhere against the truth, by patient in 3-D.

    Exit code 0 if every predicted patient was scored, 1 if some could not be.

    Parameters
    ----------
    predicted
        A mask, or a folder of masks in any layout: NIfTI, NRRD, or <patient>/<slice>_mask.tif, as predict writes them.
    truth
        The same patients' true masks, likewise; scans may lie beside them.
    out
        The file to write: JSON, or CSV where the name ends so.
    spacing_mm
        Distance between slices, rows and columns in millimetres, for masks that do not tell it. Without it the
        distances of tif slices are in pixels.
    labels
        The values that are tumour in a true mask of several, as 1,2,4.
    """
    from glioseg.commands.evaluate import as_json, detected, evaluate

    numbers = _whole_numbers("--labels", labels)
    found = evaluate(predicted, truth, out, spacing_mm=spacing_mm, labels=numbers)
    for patient, message in found.failures.items():
        progress(f"{patient}: not scored, {message}")
    if found.without_prediction:
        progress(f"{len(found.without_prediction)} patients of {truth} have no prediction and are not scored")
    if json_output:
        print(as_json(found.scores, predicted), end="")
        return 1 if found.failures else 0
    print_scores(found.scores, f"{len(found.scores.patients)} patients", json_output)
    print_detection(detected(found.scores, predicted))
    return 1 if found.failures else 0


@_command(app)
def compare(*files: str, metric: str = "dice", json_output: Json = False) -> None:
    """Compare models by their files of scores: each by itself, and every two paired by patient.

    Parameters
    ----------
    files
        What evaluate, train, study or bundle has written, or NAME=FILE. Files of one name are put together, as folds.
    metric
        Dice, or another column of the files.
    """
    from glioseg.commands.compare import compare_scores

    found = compare_scores(files, metric)
    if json_output:
        summaries = {name: asdict(summary) for name, summary in found.summaries().items()}
        pairs = [asdict(pair) for pair in found.pairs]
        print(json.dumps({"metric": metric, "models": summaries, "pairs": pairs}, indent=2, allow_nan=False))
        return
    print_side_by_side(found)


@_command(app)
def measure(
    *masks: Path,
    scan: Path | None = None,
    csv_file: Annotated[Path | None, Parameter(name="--csv")] = None,
    labels: Annotated[tuple[str, ...], Several] = (),
    earlier: Path | None = None,
    later: Path | None = None,
    days: float | None = None,
    scores: Path | None = None,
    json_output: Json = False,
) -> int:
    """Measure masks: volume, diameters, slices, side, place; or how a tumour changed between two of them.

    Exit code 0 if every mask was measured, 1 if some were not, 2 if none could be.

    Parameters
    ----------
    masks
        NIfTI or NRRD files, or folders of <patient>_<n>_mask.tif; a folder of these stands for all of them.
    scan
        The FLAIR on the grid of a single mask; it shows the head's middle, and so the side of the tumour.
    csv_file
        Write a table: a row for each mask and one for each of its components.
    labels
        The values that are tumour, as 1,2,4, where a file holds several.
    earlier
        The mask of the earlier of two scans of a patient, instead of masks.
    later
        The mask of the later scan.
    days
        Days between the two scans.
    scores
        What evaluate wrote for the model that drew the masks, on held-out patients: the error of its volumes.
    """
    from glioseg.commands.measure import compare, in_words, measure

    values = _whole_numbers("--labels", labels)
    if earlier is not None or later is not None:
        if earlier is None or later is None or masks or scan or csv_file:
            raise GliosegError(
                "two masks are compared by themselves", expected="--earlier MASK --later MASK [--days N] [--scores F]"
            )
        change = compare(earlier, later, days=days, scores=scores, labels=values, progress=progress)
        print(json.dumps(change.as_json(), indent=2, allow_nan=False) if json_output else change_in_lines(change))
        return 0
    if days is not None or scores is not None:
        raise BadOptionError("--days and --scores belong to two masks", expected="--earlier MASK --later MASK")
    run = measure(masks, scan=scan, labels=values, table=csv_file, progress=progress)
    if json_output:
        print(json.dumps(run.as_json(), indent=2, allow_nan=False))
    else:
        print("\n".join(in_words(path, found) for path, found in run.results.items()))
    return 1 if run.failures else 0


@_command(data_app)
def fetch(dest: Path, *, json_output: Json = False) -> None:
    """Fetch the dataset through Kaggle's own client, or tell how to fetch it by hand.

    Parameters
    ----------
    dest
        A new or empty folder.
    """
    from glioseg.commands.data_fetch import fetch

    patients = fetch(dest)
    print(json.dumps({"patients": patients}) if json_output else f"{patients} patients in {dest}")


@_command(data_app)
def phantom(dest: Path, *, patients: int = 20, seed: int = 0, size: int = 256, json_output: Json = False) -> None:
    """Make practice patients with known tumours, in the dataset's layout.

    Parameters
    ----------
    dest
        A new or empty folder.
    patients
        How many.
    seed
        Another seed gives other patients.
    size
        Rows and columns of a slice, in pixels.
    """
    from glioseg.dataset.phantom import write_phantoms

    names = write_phantoms(dest, patients=patients, seed=seed, size=size)
    print(json.dumps(names) if json_output else f"{len(names)} practice patients in {dest}")


@_command(data_app)
def split(
    data: Path,
    out: Path,
    *,
    folds: int | None = None,
    fold: int = 0,
    leave_site_out: str | None = None,
    seed: int = 0,
    json_output: Json = False,
) -> None:
    """Write a split of the patients as a file: the published one, one of K folds, or all hospitals but one.

    Parameters
    ----------
    data
        A folder in the dataset's layout.
    out
        The split file, JSON.
    folds
        So many folds, stratified by site; without it the published split.
    fold
        Which of the folds is tested, from 0.
    leave_site_out
        Test the patients of this hospital, as CS, DU, FG or HT, on networks that have seen none of them.
    seed
        Another seed deals the patients otherwise.
    """
    from glioseg.dataset.lgg import find_patient_folders
    from glioseg.dataset.splits import SplitChoice, save_split
    from glioseg.files import readable

    choice = SplitChoice(folds=folds, only_folds=() if folds is None else (fold,), seed=seed, site=leave_site_out)
    chosen = choice.split([readable(path.name) for path in find_patient_folders(data)])
    save_split(chosen, out)
    counts = {part: len(getattr(chosen, part)) for part in ("train", "validation", "test")}
    line = ", ".join(f"{count} {part}" for part, count in counts.items())
    print(json.dumps({**counts, "sha256": chosen.sha256}) if json_output else f"{chosen.name}: {line}, in {out}")


@_command(data_app)
def from_review(
    masks: Path,
    dest: Path,
    *,
    scans: Path | None = None,
    reader: str | None = None,
    split: Path | None = None,
    against: Path | None = None,
    json_output: Json = False,
) -> None:
    """Write what readers accepted and corrected as a training set, without anyone who must stay unseen.

    Parameters
    ----------
    masks
        The folder that was read.
    dest
        A new folder in the dataset's layout.
    scans
        The scans, where masks does not tell or they have moved.
    reader
        Whose reading, where there are several.
    split
        The split of the weights that training will go on from; who validates or tests there is left out.
    against
        A folder in the dataset's layout: copies of the images of those who must stay unseen are left out as well.
    """
    from glioseg.commands.from_review import from_review

    made = from_review(masks, dest, scans=scans, reader=reader, split=split, against=against, progress=progress)
    if json_output:
        print(json.dumps(asdict(made), indent=2))
    else:
        print(f"{len(made.written)} patients in {dest}, {len(made.left_out)} left out")


@_command(data_app)
def check(
    data: Path,
    *,
    html: Path | None = None,
    fix: Path | None = None,
    statistics: Annotated[Path | None, Parameter(name=("--statistics", "--fingerprint"))] = None,
    split: Path | None = None,
    model: Path | None = None,
    probabilities: Path | None = None,
    json_output: Json = False,
) -> int:
    """Analyse a set: structure, images, duplicates, leaks, labels. The set itself is never changed.

    Exit code 0 without errors, 1 if an error was found, 2 if the set could not be checked.

    Parameters
    ----------
    data
        A folder in the dataset's layout, or of NIfTI or NRRD scans with masks.
    html
        Write a page with every finding, images, and the set at a glance.
    fix
        Write a cleaned copy into this new folder with a log of every change, or the log alone if it ends in .json.
    statistics
        Write sizes, intensities, volumes, sites and missing sequences as JSON.
    split
        A split file: whatever stands in two of its parts is an error.
    model
        A run's folder: its network looks for suspicious labels of the patients that it was not trained on.
    probabilities
        The same from predictions on disk: a study's folder, or NPZ files of out-of-fold probabilities.
    """
    from glioseg.commands.data_check import check

    outcome = check(
        data,
        html=html,
        fix=fix,
        statistics=statistics,
        split=split,
        model=model,
        probabilities=probabilities,
        progress=progress,
    )
    if json_output:
        print(json.dumps(outcome.result.as_json(), indent=2))
    else:
        print_check(outcome)
        if html is not None:
            print_place("page", html, json_output)
    return 1 if outcome.result.count("error") else 0


@_command(app)
def info(*, json_output: Json = False) -> None:
    """List the networks with what they cost, the models that come with glioseg, and the formats."""
    from glioseg.formats.readers import KINDS
    from glioseg.inference.shipped import MORE_MODELS, SHIPPED
    from glioseg.networks.table import NETWORKS, cost_of

    formats = {"read": [kind for kind in KINDS if kind != "zip"], "written": ["tif", "nifti", "dicom-seg", "dicom-sr"]}
    costs = {name: cost_of(name) for name in NETWORKS}
    if json_output:
        networks = {name: {**vars(entry), **vars(costs[name])} for name, entry in NETWORKS.items()}
        for entry_as_json in networks.values():
            del entry_as_json["cost"]
        models = {
            name: {"path": str(model.path), "purpose": model.purpose, "installed": model.is_installed}
            for name, model in SHIPPED.items()
        }
        listed = {"version": __version__, "networks": networks, "models": models, "formats": formats}
        print(json.dumps(listed, indent=2))
        return
    print(f"{'':12}{'':12}{'width':>6}{'parameters':>13}{'GMAC':>8}{'activations':>14}{'multiple':>10}  paper")
    for name, entry in NETWORKS.items():
        cost = costs[name]
        print(
            f"{name:12}{entry.title:12}{entry.published_width:6}{cost.parameters:13,}{cost.gmacs:8.2f}"
            f"{cost.activations_mb:11.0f} MB{entry.size_multiple:10}  {entry.paper}"
        )
    print("\nGMAC and activations are for one slice of 256 x 256 pixels at the published width.\n\nmodels")
    for name, model in SHIPPED.items():
        print(f"{name:12}{model.purpose}{'' if model.is_installed else f' (pip install {MORE_MODELS})'}")
    print("\n" + "\n".join(f"{way:12}{', '.join(names)}" for way, names in formats.items()))


@_command(app)
def doctor(*, json_output: Json = False) -> None:
    """Versions, device and threads, for a bug report."""
    from glioseg.machine import describe_machine, library_versions

    facts = {"glioseg": __version__, **describe_machine(), **library_versions()}
    print(json.dumps(facts, indent=2) if json_output else "\n".join(f"{k:18}{v}" for k, v in facts.items()))


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    _speak_utf8()
    # A path that is no text in the terminal's encoding is printed with its bytes escaped.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Threads that spin while they wait take the cores from each other on a busy machine; libraries read this once.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # What imports leave behind stays; to look through it again and again costs a tenth of their time.
    gc.set_threshold(COLLECTED_AFTER, *gc.get_threshold()[1:])
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough, as `head` has. What is still to be printed goes nowhere, or Python would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OUTPUT_WAS_CLOSED
    sys.exit(code)


def _speak_utf8() -> None:
    """Begin anew in UTF-8 mode where the locale names files in another encoding: many names have no letters there."""
    if sys.getfilesystemencoding() != "utf-8":
        words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        # In the environment for the processes that this one starts.
        os.execve(sys.executable, words, {**os.environ, "PYTHONUTF8": "1"})


def _run(words: list[str]) -> int:
    """Run one command and tell the exit code."""
    try:
        result = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except GliosegError as error:
        print(f"glioseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("glioseg: stopped; what was finished is kept", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        print(f"glioseg: this needs {library}: pip install 'glioseg[{EXTRAS[library]}]'", file=sys.stderr)
        return 2
    except Exception as error:
        from cyclopts import CycloptsError

        if not isinstance(error, CycloptsError):
            raise
        print(f"glioseg: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return result if isinstance(result, int) else 0


def _tell_run(run: "PredictionRun", out: Path, json_output: bool) -> int:
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


def _part_of(
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


def _parts(words: tuple[str, ...]) -> list[str]:
    """Words that stand alone or are joined by commas."""
    return [part.strip() for word in words for part in word.split(",") if part.strip()]


def _whole_numbers(option: str, words: tuple[str, ...]) -> tuple[int, ...]:
    parts = _parts(words)
    for part in parts:
        if not part.isdecimal():
            raise GliosegError(f"{option} {part} is no whole number", expected="as 0,1,2")
    return tuple(int(part) for part in parts)


if __name__ == "__main__":
    main()
