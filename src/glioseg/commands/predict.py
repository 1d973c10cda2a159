"""``glioseg predict``: masks for scans, measurements, and a record of the run."""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from glioseg import __version__, interruption
from glioseg.atomic import check_writable, write_text_atomically
from glioseg.commands.error_log import ErrorLog
from glioseg.commands.pipeline import pipelined
from glioseg.errors import GliosegError
from glioseg.execution.watch import duration_in_words
from glioseg.inference.backends import BackendName
from glioseg.inference.external import predict_external
from glioseg.inference.model import Model, Prediction
from glioseg.inference.presence import Finding, Presence
from glioseg.inference.shipped import DEFAULT, find_model
from glioseg.machine import Precision, library_versions, peak_memory_mb
from glioseg.measurement.measure import Measurement, measured_columns
from glioseg.outputs import Outputs
from glioseg.patients.copies import done_from
from glioseg.patients.examination import NOBODY, Examination
from glioseg.patients.find import find_sources
from glioseg.patients.found import FoundPatients
from glioseg.patients.listing import find_listed
from glioseg.patients.manifest import KeptRun, read_facts, write_manifest
from glioseg.patients.records import SHARDS, ResultRecords, as_csv, clear_leftovers
from glioseg.patients.shard import Shard
from glioseg.patients.source import OutputOptions, PatientSource, ReadPatient, Result
from glioseg.volume import Mask

MEASUREMENTS, MANIFEST, ERRORS = "measurements.csv", "run.json", "errors.log"

_BESIDE_MEASUREMENTS = (
    "presence",
    "presence_chance",
    "expected_dice",
    "missing_sequences",
    "preparation",
    "remarks",
    "date",
    "not_written",
)


@dataclass(frozen=True)
class PatientResult:
    """What came of one patient.

    Attributes:
        measurement: Of the mask; what cannot be known is None, with the reason.
        missing_sequences: Sequences that are a copy of the FLAIR.
        remarks: What a user should know, a sentence each.
        expected_dice: The Dice that the model expects of its mask; None for an empty one.
        seconds: Of reading, computing and writing; these overlap with other patients'.
        files: What was written, relative to the output folder.
        not_written: By output that could not be written, the message.
        examination: Which scan it was.
        finding: Whether there is a tumour at all; None where the model does not tell, or was not asked.
        preparation: What was read and how it was fitted, a sentence each; no reason to look twice.
    """

    measurement: Measurement
    missing_sequences: tuple[str, ...]
    remarks: tuple[str, ...]
    expected_dice: float | None
    seconds: float
    files: tuple[str, ...]
    not_written: Mapping[str, str] = field(default_factory=dict)
    examination: Examination = NOBODY
    finding: Finding | None = None
    preparation: tuple[str, ...] = ()

    @property
    def patient(self) -> str:
        """The identifier that names the files."""
        return self.measurement.patient

    @staticmethod
    def columns() -> list[str]:
        """Of :meth:`as_row`, in their order."""
        return [*measured_columns(), *_BESIDE_MEASUREMENTS]

    def as_row(self) -> dict[str, Any]:
        """A row of the measurements: what cannot be known is empty, with the reason in the column ``unknown``."""
        return {
            **self.measurement.as_row(),
            "presence": "" if self.finding is None else self.finding.presence,
            "presence_chance": "" if self.finding is None else round(self.finding.chance, 3),
            "expected_dice": "" if self.expected_dice is None else round(self.expected_dice, 3),
            "missing_sequences": " ".join(self.missing_sequences),
            "preparation": _in_a_cell(self.preparation),
            "remarks": _in_a_cell(self.remarks),
            "date": self.examination.date,
            "not_written": " ".join(self.not_written),
        }

    def as_json(self) -> dict[str, Any]:
        """The entry of the patient in ``run.json``: measurements, presence, files and remarks, nested."""
        return {
            **self.measurement.as_json(),
            **_finding_as_json(self.finding),
            "expected_dice": self.expected_dice,
            "missing_sequences": list(self.missing_sequences),
            "preparation": list(self.preparation),
            "remarks": list(self.remarks),
            "seconds": self.seconds,
            "files": list(self.files),
            "not_written": dict(self.not_written),
            "date": self.examination.date,
            "scan": self.examination.place,
        }


@dataclass(frozen=True)
class PredictionRun:
    """What came of a batch.

    Attributes:
        results: A result for each patient that was predicted in this run.
        failures: For each patient that was not, the message.
        manifest: ``run.json``, with the results of earlier runs into the same folder; that of a shard has its own.
        left_out: How many files of the inputs are no patient's, and why; empty where none is.
        already: How many were done before this run.
    """

    results: tuple[PatientResult, ...]
    failures: dict[str, str]
    manifest: Path
    left_out: str = ""
    already: int = 0

    def dicom_files(self, out: Path) -> list[Path]:
        """What an archive stores of the results in a folder."""
        return [out / name for result in self.results for name in result.files if name.endswith(".dcm")]


def predict(
    inputs: Sequence[Path],
    out: Path,
    *,
    model: str | Path = DEFAULT,
    sequences: Mapping[str, str] | None = None,
    out_of_fold: bool = False,
    presence: bool = True,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision = "auto",
    backend: BackendName | Literal["auto"] = "auto",
    options: OutputOptions | None = None,
    previews: bool = True,
    listed: Collection[str] | None = None,
    shard: Shard | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    do_missing: bool = True,
    loaded: Model | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> PredictionRun:
    """Predict every patient of one or more inputs; a bad one is reported and the others are done.

    Args:
        inputs: Folders in the dataset's layout or of NIfTI, NRRD or DICOM files, single files, zips of DICOM. Masks
            in them are not looked at.
        out: Where masks, ``measurements.csv`` and ``run.json`` are written. Results of other scans that lie there stay,
            and the two tables hold them too.
        model: A name of :data:`glioseg.inference.shipped.SHIPPED`, or the path of a bundle or an ensemble.
        sequences: By sequence what the user named, as for :func:`glioseg.patients.find.find_sources`.
        out_of_fold: Whether only those patients are predicted that the model has not seen.
        presence: Whether it is told if there is a tumour at all; where there is none, the mask is empty and
            ``<patient>_candidate.nii.gz`` keeps what it would have been.
        device: Where to compute.
        precision: Arithmetic of the convolutions.
        backend: What computes the network; the fastest that is installed and for which the bundle holds a model, if
            ``auto``.
        options: What is written beside the masks.
        previews: Whether a contact sheet is drawn for each patient.
        listed: Where the inputs are lines of a list, the real paths of all its lines: a line without a patient is then
            a failure like others, and a shard leaves an examination that another one does from a copy.
        shard: Only these of the examinations; then the tables are left to a run without it.
        resume: Leave examinations as they are whose files, model and options are those of their record.
        retry_failed: But try those again that failed.
        do_missing: Whether what has no result is predicted; else it is told as missing.
        loaded: The model, where it is in memory already.
        progress: Gets a line for each patient.

    Raises:
        Interrupted: If the engine that does this shard wants it to end; what is done is recorded.
        GliosegError: If the bundle is unusable, an input holds no patient, or the output would fall among images.
    """
    started = time.perf_counter()
    folder = find_model(model)
    found = find_sources(inputs, sequences) if listed is None else find_listed(inputs)
    for source in found.sources:
        source.check_output(out)
    loaded = loaded or Model.load(folder, backend=backend, device=device, precision=precision)
    if not presence:
        loaded = loaded.without_presence()
    held_out = loaded.out_of_fold() if out_of_fold else {}
    if out_of_fold:
        found = _only(held_out, found)
    check_writable(out)
    if shard is None:
        clear_leftovers(out)
    records, log = ResultRecords(out), ErrorLog(out / _errors_name(shard))
    # Before the shard is taken: every shard gives the same names.
    found.sources = records.named(found.sources)
    found = found if shard is None or listed is not None else _of_shard(shard, found)
    copies = _copies(out, found, listed, take=shard is not None)
    if shard is not None:
        found = _without(copies, found)
    done = predict_found(
        found,
        loaded,
        records,
        log,
        held_out=held_out,
        copies=copies,
        options=options,
        previews=previews,
        resume=resume,
        retry_failed=retry_failed,
        do_missing=do_missing,
        record_failures=resume or shard is not None,
        after_each=(lambda: _keep_table(records, out)) if shard is None else (lambda: None),
        progress=progress,
    )
    facts = run_facts(loaded, folder, done.failures, time.perf_counter() - started)
    facts |= _where_the_scans_are(inputs, sequences or {}, out) | {"files": found.as_json()}
    if shard is None:
        manifest = out / MANIFEST
        # A record of another process that cannot be read shall not keep this one's rows out of the tables.
        with suppress(GliosegError):
            records.catch_up()
        write_text_atomically(out / MEASUREMENTS, records.table() or as_csv(PatientResult.columns(), []))
        write_manifest(manifest, facts, records.results())
    else:
        manifest = out / SHARDS / shard.name / MANIFEST
        write_manifest(manifest, {"shard": str(shard), **facts}, (result.as_json() for result in done.results))
    return PredictionRun(done.results, done.failures, manifest, found.left_out_in_words(), done.already)


@dataclass(frozen=True)
class DonePatients:
    """What came of patients.

    Attributes:
        results: Of each that was predicted now.
        failures: For each that was not, the message.
        already: How many were done before.
    """

    results: tuple[PatientResult, ...]
    failures: dict[str, str]
    already: int


def predict_found(
    found: FoundPatients,
    model: Model,
    records: ResultRecords,
    log: ErrorLog,
    *,
    held_out: Mapping[str, Model] | None = None,
    copies: Collection[str] = (),
    options: OutputOptions | None = None,
    previews: bool = True,
    resume: bool = False,
    retry_failed: bool = False,
    do_missing: bool = True,
    record_failures: bool = True,
    after_each: Callable[[], None] = lambda: None,
    progress: Callable[[str], None] = lambda line: None,
) -> DonePatients:
    """Predict patients, the next being read and the last written while one is computed.

    Args:
        found: The patients, under the names that their results get.
        model: Predicts them.
        records: Of the output folder.
        log: Gets the traceback of what should not have happened.
        held_out: By patient the networks that predict them instead, since the others were trained on them.
        copies: Keys of examinations that are left as they are once they were tried, wherever their files lie.
        options: As for :func:`predict`, and so are the others that are not named here.
        previews: Likewise.
        resume: Likewise.
        retry_failed: Likewise.
        do_missing: Likewise.
        record_failures: Whether a patient who fails gets a record.
        after_each: Is called when a patient is done.
        progress: Gets a line for each patient.

    Raises:
        Interrupted: As :func:`predict`.
    """
    options = options or OutputOptions()
    models = {one.examination.key: (held_out or {}).get(one.examination.patient, model) for one in found.sources}
    requests = _Requests(models, options, previews, found)
    clock = _Clock()
    writing = _Writing(models, records, log, options, previews, requests, clock)
    missing = found.sources
    if resume:
        missing = [one for one in found.sources if not requests.are_settled(one, records, retry_failed)]
        missing = [one for one in missing if not (one.examination.key in copies and records.is_tried(one.examination))]
        progress(f"{len(found.sources) - len(missing)} of {len(found.sources)} examinations are settled already")
    failures = dict(found.failures) | _earlier_failures(found.sources, missing, records)
    for line in _failures_in_words(found):
        progress(line)
    if not do_missing:
        failures |= {one.patient: "it is not predicted yet; repeat the command" for one in missing}
        missing = []
    results: list[PatientResult] = []
    began = time.perf_counter()
    stages = pipelined(missing, partial(_read, clock), partial(_segment, models, clock), partial(_write, writing))
    total = len(found.failures) + len(missing)
    for number, (source, result) in enumerate(stages, start=len(found.failures) + 1):
        left = _time_left(time.perf_counter() - began, total - number, len(missing))
        if isinstance(result, Exception):
            failures[source.patient] = log.told(source.patient, result)
            if record_failures:
                _record_failure(writing, source, failures[source.patient])
            progress(f"[{number}/{total}] {source.patient}: skipped, {failures[source.patient]}{left}")
        else:
            results.append(result)
            progress(f"[{number}/{total}] {_in_words(result, source.name_of('candidate'))}{left}")
            after_each()
        interruption.check()
    already = len(found.sources) - len(missing) - len(failures) + len(found.failures) if resume else 0
    return DonePatients(tuple(results), failures, max(0, already))


def predict_examination(
    url: str, study_uid: str, out: Path, *, progress: Callable[[str], None] = lambda line: None, **settings: Any
) -> PredictionRun:
    """Fetch an examination from a DICOMweb archive, predict it, and store segmentation, report and overlay there.

    Args:
        url: The archive's DICOMweb root.
        study_uid: The examination.
        out: As for :func:`predict`; the results stay there too.
        progress: Gets a line for each step.
        settings: As for :func:`predict`.

    Raises:
        GliosegError: If the archive cannot be reached or refuses, or as :func:`predict`; then nothing is stored.
    """
    from glioseg.archive.dicomweb import fetch_examination, store_files

    with tempfile.TemporaryDirectory() as folder:
        scans = Path(folder) / "scans"
        fetch_examination(url, study_uid, scans, progress=progress)
        run = predict([scans], out, progress=progress, **settings)
    if written := run.dicom_files(out):
        progress(f"{store_files(url, written)} objects stored in {url}")
    return run


class _Clock:
    """The seconds that each examination has taken so far, by its key."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def of(self, source: PatientSource) -> Iterator[None]:
        """Add what is done within."""
        began = time.perf_counter()
        try:
            yield
        finally:
            key = source.examination.key
            self._seconds[key] = self._seconds.get(key, 0.0) + time.perf_counter() - began

    def seconds(self, source: PatientSource) -> float:
        """All so far."""
        return self._seconds.get(source.examination.key, 0.0)


def _read(clock: _Clock, source: PatientSource) -> ReadPatient:
    with clock.of(source):
        return source.read()


def _segment(models: Mapping[str, Model], clock: _Clock, source: PatientSource, read: ReadPatient) -> Result:
    with clock.of(source):
        model = models[source.examination.key]
        found = model.predict(read.volume) if source.is_dataset else predict_external(model, read.volume)
        found = replace(
            found,
            remarks=(*read.remarks, *found.remarks),
            preparation=(*read.preparation, *found.preparation),
        )
        return Result(found, model.title, model.identity, _settings(model.facts()), read.origin)


@dataclass(frozen=True)
class _Writing:
    """What writing needs beside the patient.

    Attributes:
        models: By the key of each examination what predicts it.
        records: Of the output folder.
        log: Gets the traceback of what should not have happened.
        options: What is written beside the mask.
        previews: Whether a contact sheet is drawn.
        requests: What was asked for each examination.
        clock: Tells how long each took.
        started: When the run began.
    """

    models: Mapping[str, Model]
    records: ResultRecords
    log: ErrorLog
    options: OutputOptions
    previews: bool
    requests: "_Requests"
    clock: _Clock
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def run(self, source: PatientSource) -> dict[str, str]:
        """What tells the run in a record."""
        model = self.models[source.examination.key]
        return {
            "started": self.started,
            "glioseg": __version__,
            "model": model.title,
            "weights_sha256": model.identity,
            "request": self.requests.of(source),
        }


class _Requests:
    """What decides the result of each examination, as a hash: model, options, and the files as they are now.

    Args:
        models: By the key of each examination what predicts it.
        options: What is written.
        previews: Whether a contact sheet is drawn.
        found: The examinations and their files.
    """

    def __init__(
        self, models: Mapping[str, Model], options: OutputOptions, previews: bool, found: FoundPatients
    ) -> None:
        self._models, self._common = models, f"{__version__} {options} {previews}"
        self._models_in_words: dict[int, str] = {}
        self._files: dict[str, list[Path]] = {key: list(paths) for key, paths in found.shared.items()}
        for path, key in found.owners.items():
            self._files.setdefault(key, []).append(path)

    def of(self, source: PatientSource) -> str:
        """The hash of one."""
        model, key = self._models[source.examination.key], source.examination.key
        files = [_state(path) for path in sorted(self._files.get(key, []))]
        content = [self._in_words(model), self._common, files]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _in_words(self, model: Model) -> str:
        """A model serves many examinations."""
        if id(model) not in self._models_in_words:
            decisions = {**_settings(model.facts()), "presence": str(model.presence is not None)}
            self._models_in_words[id(model)] = f"{model.identity} {decisions}"
        return self._models_in_words[id(model)]

    def are_settled(self, source: PatientSource, records: ResultRecords, retry_failed: bool) -> bool:
        """Whether this was done already, or failed and is not to be tried again."""
        return records.is_settled(source.examination, self.of(source), retry_failed=retry_failed)


def _state(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:
        return [path.name]
    return [path.name, found.st_size, found.st_mtime_ns]


def _errors_name(shard: Shard | None) -> str:
    return ERRORS if shard is None else f"{SHARDS}/{shard.name}/{ERRORS}"


def _of_shard(shard: Shard, found: FoundPatients) -> FoundPatients:
    """The examinations of a shard; a file that is no scan belongs to one of them too."""
    return replace(
        found,
        sources=[source for source in found.sources if shard.holds(source.examination.key)],
        failures={name: why for name, why in found.failures.items() if shard.holds(name)},
    )


def _copies(out: Path, found: FoundPatients, listed: Collection[str] | None, *, take: bool) -> dict[str, str]:
    """By key the examinations that are done from another line of the list, and from where."""
    if not listed:
        return {}
    examinations = [source.examination for source in found.sources]
    return done_from(out / SHARDS / "copies", examinations, listed, take=take)


def _without(copies: Mapping[str, str], found: FoundPatients) -> FoundPatients:
    """What is left to a shard; that others do the rest is told."""
    others = [source.examination for source in found.sources if source.examination.key in copies]
    told = {one.place: f"the same examination lies in {copies[one.key]} too, and is done from there." for one in others}
    mine = [source for source in found.sources if source.examination.key not in copies]
    return replace(found, sources=mine, failures={**found.failures, **told})


def _earlier_failures(
    sources: Sequence[PatientSource], missing: Sequence[PatientSource], records: ResultRecords
) -> dict[str, str]:
    tried = {one.examination.key for one in missing}
    told = {one.patient: records.failure(one.examination) for one in sources if one.examination.key not in tried}
    return {name: why for name, why in told.items() if why is not None}


def _record_failure(of: _Writing, source: PatientSource, message: str) -> None:
    # A disk too full for the record must not end the batch; the next run tries the examination again.
    with suppress(GliosegError):
        of.records.fail(source.patient, source.examination, of.run(source), message)


def _write(of: _Writing, source: PatientSource, result: Result) -> PatientResult:
    """Write each output by itself, the mask first; the record of the examination comes when all are there."""
    outputs, examination = Outputs(of.records.out), source.examination
    of.records.begin(source.patient, examination)
    with of.clock.of(source):
        source.write(result, outputs, of.options)
        _write_beside(source, result, outputs, previews=of.previews)
    written = PatientResult(
        measurement=result.measurement,
        missing_sequences=result.volume.missing,
        remarks=result.prediction.remarks,
        expected_dice=result.prediction.expected_dice,
        seconds=round(of.clock.seconds(source), 3),
        files=tuple(outputs.files),
        not_written={
            output: of.log.told(f"{source.patient}, {output}", error) for output, error in outputs.failures.items()
        },
        examination=examination,
        finding=result.prediction.finding,
        preparation=result.prediction.preparation,
    )
    try:
        of.records.complete(source.patient, examination, of.run(source), written.as_row(), written.as_json())
    except GliosegError as error:
        return replace(written, not_written={**written.not_written, "record": str(error)})
    return written


def _write_beside(source: PatientSource, result: Result, outputs: Outputs, *, previews: bool) -> None:
    """What a patient of any format may have beside the mask."""
    found = result.prediction
    if found.candidate is not None:
        name = source.name_of("candidate")
        outputs.attempt("candidate", partial(_write_candidate, outputs.folder / name, found.candidate), name)
    if previews:
        name = source.name_of("sheet")
        outputs.attempt("sheet", partial(_draw_sheet, outputs.folder / name, found, result.measurement), name)


def _write_candidate(path: Path, candidate: Mask) -> None:
    # Its library takes a fifth of a second, which slices of the dataset with a tumour are spared.
    from glioseg.formats.nifti import write_nifti_mask

    write_nifti_mask(path, candidate)


def _draw_sheet(path: Path, found: Prediction, measurement: Measurement) -> None:
    # Drawing takes a second of imports, which a run without previews is spared.
    from glioseg.report.contact_sheet import write_contact_sheet

    write_contact_sheet(path, found.volume, found.mask, measurement, _presence_in_words(found))


def _keep_table(records: ResultRecords, out: Path) -> None:
    """Write the table anew, so that a run that is killed leaves its rows; at the end it is written for certain."""
    if records.is_time_for_the_table():
        with suppress(GliosegError):
            write_text_atomically(out / MEASUREMENTS, records.table())


def _settings(facts: Mapping[str, Any]) -> dict[str, str]:
    """What of a model's facts decides the mask beside its weights, in words."""
    model = facts["model"]
    decision = {"temperature": model["temperature"], **model["postprocessing"]}
    return {name: str(value) for name, value in {**decision, "precision": facts["precision"]}.items()}


def _only(patients: Collection[str], found: FoundPatients) -> FoundPatients:
    """Those of the patients that were found."""
    sources = [source for source in found.sources if source.examination.patient in patients]
    if not sources:
        raise GliosegError(
            "the inputs hold no patient of those that tested the model",
            expected=", ".join(sorted(patients)[:3]) + ", ...",
            remedy="Give the data that it was trained on, or leave --out-of-fold out: other data is unseen as it is",
        )
    failures = {name: why for name, why in found.failures.items() if name in patients}
    return replace(found, sources=sources, failures=failures)


def _failures_in_words(found: FoundPatients) -> list[str]:
    total = len(found.failures) + len(found.sources)
    return [f"[{n}/{total}] {name}: skipped, {why}" for n, (name, why) in enumerate(found.failures.items(), start=1)]


def _time_left(seconds: float, waiting: int, total: int) -> str:
    """At the pace of those that are done, where any wait."""
    return f" (about {duration_in_words(seconds / (total - waiting) * waiting)} left)" if waiting else ""


def _in_words(result: PatientResult, candidate: str) -> str:
    whole = result.measurement.whole
    missing = f", without {' and '.join(result.missing_sequences)}" if result.missing_sequences else ""
    volume = f", {whole.volume_ml:.1f} ml" if whole.volume_ml else ""
    where = f"tumour on {whole.tumour_slices} of {result.measurement.slices} slices{volume}"
    found = where if whole.voxels else "no tumour found"
    if result.finding is not None and result.finding.presence != "present":
        kept = f"candidate in {candidate}" if candidate in result.files else found
        found = f"{_PRESENCE[result.finding.presence]}, {kept}"
    lost = "".join(f"; {output} not written: {why.rstrip('.')}" for output, why in result.not_written.items())
    return f"{result.patient}: {found}{missing} ({result.seconds:.1f} s){lost}"


_PRESENCE: dict[Presence, str] = {"doubtful": "DOUBTFUL", "none": "no tumour"}


def _presence_in_words(found: Prediction) -> str:
    """For the sheet; nothing where a tumour is present or nobody asked."""
    if found.finding is None or found.finding.presence == "present":
        return ""
    return "DOUBTFUL tumour" if found.finding.presence == "doubtful" else "no tumour, candidate kept apart"


def _in_a_cell(sentences: Sequence[str]) -> str:
    return "; ".join(sentence.rstrip(".") for sentence in sentences)


def _finding_as_json(finding: Finding | None) -> dict[str, Any]:
    if finding is None:
        return {"presence": None, "presence_chance": None, "evidence": None}
    told = finding.as_json()
    return {"presence": told["presence"], "presence_chance": told["chance"], "evidence": told["evidence"]}


def run_facts(model: Model, folder: Path, failures: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """What ``run.json`` tells of the run besides its patients: versions, model, machine, times."""
    facts = model.facts()
    return {
        "versions": library_versions(),
        **facts,
        "model": {"path": str(folder), **facts["model"]},
        "seconds": round(seconds, 3),
        "peak_memory_mb": round(peak_memory_mb()),
        "failures": dict(failures),
    }


def _where_the_scans_are(inputs: Sequence[Path], sequences: Mapping[str, str], out: Path) -> dict[str, Any]:
    """For ``glioseg review``, which shows masks on their scans; those of earlier runs too."""
    named = {sequence: text for sequence, text in sequences.items() if text}
    if not inputs:
        named = {sequence: str(Path(text).resolve()) for sequence, text in named.items()}
    places = [str(path.resolve()) for path in inputs]
    with suppress(OSError, ValueError, TypeError, RecursionError):
        earlier = KeptRun.model_validate(read_facts(out / MANIFEST))
        if earlier.sequences == named:
            places = [*(place for place in earlier.inputs or () if place not in places), *places]
    return {"inputs": places, "sequences": named}
