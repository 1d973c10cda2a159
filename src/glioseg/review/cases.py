"""What there is to read: masks of whatever origin, each beside its scan."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glioseg.bids.choice import find_bids_patients
from glioseg.bids.derivatives import LOGS, RECORDS, raw_data_of
from glioseg.bids.layout import BidsDataset
from glioseg.bids.patient import BidsPatient
from glioseg.dataset.lgg import find_patient_folders, find_slices, parse_slice_name, read_patient
from glioseg.errors import GliosegError
from glioseg.files import entries
from glioseg.formats.masks import read_mask
from glioseg.formats.nifti import read_nifti
from glioseg.patients.examination import NOBODY
from glioseg.patients.find import find_sources
from glioseg.patients.manifest import KeptResult, read_run
from glioseg.patients.records import ResultRecords
from glioseg.patients.source import PatientSource, ReadPatient
from glioseg.patients.tif_patient import TifPatient
from glioseg.review.visits import Visit, last_before, visit_of
from glioseg.volume import Mask

RUN_RECORD = "run.json"
FETCHED = Path("review", "scans")
"""Below the masks: scans that were fetched from an archive, a folder for each examination."""

NO_PROBABILITIES = "No probabilities lie beside the masks. Predict again with --probabilities to move the threshold"


class Origin(Protocol):
    """Where the masks of a folder come from."""

    @property
    def kind(self) -> str:
        """What they are: ``prediction``, ``given mask``, or ``nothing yet``."""

    def mask(self, source: PatientSource, read: ReadPatient) -> Mask:
        """The mask that reading begins from, on the scan's grid; raises GliosegError."""

    def probabilities(self, source: PatientSource) -> NDArray[np.float32] | None:
        """Shape (slice, row, column), 0 to 1, or None where there are none."""

    def candidate(self, source: PatientSource) -> Mask | None:
        """What was found and taken for no tumour, where it was kept; raises GliosegError."""


@dataclass(frozen=True)
class Facts:
    """What the prediction tells of a case.

    Attributes:
        voxels: Of the mask, where it is known without reading it.
        volume_ml: Likewise.
        expected_dice: That the model expects.
        presence: Whether there is a tumour: ``present``, ``doubtful`` or ``none``.
        remarks: What a reader should know, a sentence each.
    """

    voxels: int | None = None
    volume_ml: float | None = None
    expected_dice: float | None = None
    presence: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        """Whether it is open that there is a tumour at all."""
        return self.voxels == 0 or self.presence in ("doubtful", "none")


@dataclass(frozen=True)
class ReviewCase:
    """One patient to read.

    Attributes:
        patient: The identifier.
        source: The scan; None where it was not found.
        facts: Of the prediction.
        problem: Why the case cannot be opened, or None.
    """

    patient: str
    source: PatientSource | None
    facts: Facts = Facts()
    problem: str | None = None

    @property
    def id(self) -> str:
        """Stands for the patient in addresses and in the store; the same in every session."""
        return hashlib.sha256(self.patient.encode()).hexdigest()[:16]

    @cached_property
    def visit(self) -> Visit:
        """Whose examination it is, and when it was taken."""
        examination = NOBODY if self.source is None else self.source.examination
        if isinstance(self.source, BidsPatient):
            # The place is told within the data set.
            examination = replace(examination, place=str(self.source.dataset.root / examination.place))
        return visit_of(self.patient, examination)


@dataclass(frozen=True)
class Cases:
    """All cases of a folder.

    Attributes:
        folder: The folder.
        cases: By identifier, those that need eyes most first.
        origin: Where their masks come from.
        threshold: The probability at which the masks were cut, or None.
    """

    folder: Path
    cases: Mapping[str, ReviewCase]
    origin: Origin
    threshold: float | None = None

    def earlier(self, case: ReviewCase) -> ReviewCase | None:
        """The examination of the same person before this one that can be opened, or None."""
        # Of several runs of a session the first by name.
        by_name = sorted(self.cases.values(), key=lambda other: other.patient, reverse=True)
        others = {other.visit: other for other in by_name if other.problem is None}
        before = last_before(case.visit, others)
        return None if before is None else others[before]


def find_review_cases(folder: Path, scans: Path | None = None) -> Cases:
    """Find what there is to read in a folder.

    Args:
        folder: What ``glioseg predict`` or ``glioseg bids`` wrote, masks of another program under predict's names, a
            folder in the dataset's layout, or a study's or run's folder.
        scans: Where the scans lie; needed where the record of the run does not tell, or they have moved.

    Raises:
        GliosegError: If there is nothing to read, or the scans are needed and not given.
    """
    if not folder.is_dir():
        raise GliosegError(f"{folder} is no folder", expected="a folder of masks, as 'glioseg predict' writes it")
    if (folder / RUN_RECORD).is_file():
        return _predicted(folder, scans)
    if (raw := raw_data_of(folder)) is not None:
        return _derived(folder, raw if scans is None else scans)
    if any(folder.glob("masks.npz")) or any(folder.glob("runs/*/masks.npz")):
        return _out_of_fold(folder, scans)
    return _given(folder, scans) if scans is not None else _dataset(folder)


def fetched_scans(folder: Path) -> list[Path]:
    """The examinations that were fetched from an archive for a folder of masks."""
    return sorted((folder / FETCHED).glob("[0-9]*"))


def by_need(cases: Sequence[ReviewCase]) -> dict[str, ReviewCase]:
    """Cases by identifier, in the order in which they need eyes.

    First where nothing was found or it is doubtful whether there is a tumour; then by the Dice that the model expects,
    the lowest first; then by how much there is to remark. A case that nobody could open comes last.
    """
    ordered = sorted(cases, key=_need)
    return {case.id: case for case in ordered}


def _need(case: ReviewCase) -> tuple[bool, bool, float, int, str]:
    facts = case.facts
    expected = 1.0 if facts.expected_dice is None else facts.expected_dice
    return case.problem is not None, not facts.is_doubtful, expected, -len(facts.remarks), case.patient


class _MasksAlone:
    """Of origins that keep nothing but masks."""

    def probabilities(self, source: PatientSource) -> NDArray[np.float32] | None:
        return None

    def candidate(self, source: PatientSource) -> Mask | None:
        return None


@dataclass(frozen=True)
class _Written:
    """Masks under the names that predict gives them."""

    folder: Path
    kind: str = "prediction"

    def mask(self, source: PatientSource, read: ReadPatient) -> Mask:
        return source.read_mask(self.folder)

    def probabilities(self, source: PatientSource) -> NDArray[np.float32] | None:
        path = self.folder / source.name_of("probability")
        return read_nifti(path).voxels if path.is_file() else None

    def candidate(self, source: PatientSource) -> Mask | None:
        path = self.folder / source.name_of("candidate")
        return read_mask(path) if path.is_file() else None


@dataclass(frozen=True)
class _BesideImages(_MasksAlone):
    """The dataset's own masks, or none."""

    kind: str = "given mask"

    def mask(self, source: PatientSource, read: ReadPatient) -> Mask:
        assert isinstance(source, TifPatient)
        _, mask = read_patient(find_slices(source.folder, masks=True))
        assert mask is not None
        return mask


@dataclass(frozen=True)
class _Nothing(_MasksAlone):
    """Scans that nobody has outlined yet."""

    kind: str = "nothing yet"

    def mask(self, source: PatientSource, read: ReadPatient) -> Mask:
        volume = read.volume
        empty = np.zeros(volume.voxels.shape[:3], np.bool_)
        return Mask(volume.patient, empty, slice_names=volume.slice_names, affine=volume.affine)


class _OutOfFold(_MasksAlone):
    """What runs predicted for patients that they had not seen, averaged over networks."""

    kind = "prediction"

    def __init__(self, folder: Path) -> None:
        from glioseg.check.label_errors import Probabilities

        self._found = Probabilities(folder)
        self.patients = self._found.patients

    def mask(self, source: PatientSource, read: ReadPatient) -> Mask:
        shares, volume = self._found.of(source.patient), read.volume
        assert shares is not None
        return Mask(source.patient, shares > 0.5, slice_names=volume.slice_names, affine=volume.affine)


def _predicted(folder: Path, scans: Path | None) -> Cases:
    run = read_run(folder / RUN_RECORD)
    results = {result.patient: result for result in run.patients}
    named = run.sequences or {}
    given = [scans] if scans is not None else [*map(Path, run.inputs or ()), *fetched_scans(folder)]
    sources = _sources(given, {} if scans is not None else named, ResultRecords(folder).names())
    if not sources:
        raise GliosegError(
            f"the scans of {folder} were not found",
            expected="the folder that was predicted" if scans is None else f"the patients of {folder} in {scans}",
            found=", ".join(map(str, given)) or f"no word of them in {RUN_RECORD}",
            remedy="Give it with --scans, or the archive that they came from with --dicomweb",
        )
    return _written(folder, sources, results.values(), run.failures or {}, run.threshold)


def _derived(folder: Path, raw: Path) -> Cases:
    """Of BIDS derivatives: what the records tell, whichever of several runs made it."""
    if not raw.is_dir():
        raise GliosegError(
            f"the scans of {folder} were not found", expected=f"the BIDS data set {raw}", remedy="Give it with --scans"
        )
    records = ResultRecords(folder, folder / LOGS / RECORDS)
    dataset = BidsDataset(raw, require_description=False)
    sources = {source.patient: source for source in find_bids_patients(dataset).sources}
    runs = sorted((folder / LOGS).glob(f"*/{RUN_RECORD}"))
    threshold = read_run(runs[-1]).threshold if runs else None
    results = map(KeptResult.model_validate, records.results())
    return _written(folder, sources, results, records.failures(), threshold)


def _written(
    folder: Path,
    sources: Mapping[str, PatientSource],
    results: Iterable[KeptResult],
    failures: Mapping[str, str],
    threshold: float | None,
) -> Cases:
    """Predictions of patients, and those that could not be predicted."""
    found = [_predicted_case(result, sources.get(result.patient)) for result in results]
    found += [
        ReviewCase(patient, None, Facts(remarks=("Not predicted.",)), problem=why) for patient, why in failures.items()
    ]
    return Cases(folder, by_need(found), _Written(folder), threshold)


def _predicted_case(result: KeptResult, source: PatientSource | None) -> ReviewCase:
    has_candidate = source is not None and source.name_of("candidate") in (result.files or ())
    return _case(result.patient, source, _facts(result, has_candidate=has_candidate))


def _out_of_fold(folder: Path, scans: Path | None) -> Cases:
    if scans is None:
        raise GliosegError(f"{folder} holds masks without scans", remedy="Give the data of the study with --scans")
    origin, sources = _OutOfFold(folder), _sources([scans], {})
    cases = [_case(patient, sources.get(patient), Facts()) for patient in origin.patients]
    return Cases(folder, by_need(cases), origin)


def _given(folder: Path, scans: Path) -> Cases:
    sources = _sources([scans], {})
    there = [name for name in sources if any((folder / f"{name}{end}").exists() for end in ("", *_ENDINGS))]
    if not there:
        raise GliosegError(
            f"{folder} holds no mask of a patient of {scans}",
            expected="<patient>/<slice>_mask.tif, <patient>_mask.nii.gz or <patient>_seg.dcm",
        )
    return Cases(folder, by_need([_case(name, sources[name], Facts()) for name in there]), _Written(folder))


_ENDINGS = ("_mask.nii.gz", "_seg.dcm")


def _dataset(folder: Path) -> Cases:
    try:
        folders = find_patient_folders(folder)
        kinds = {parse_slice_name(path.name) for path in entries(folders[0])} - {None}
        images, outlined = (any(one and one.is_mask == mask for one in kinds) for mask in (False, True))
    except GliosegError:
        folders, images, outlined = [], False, False
    if not images:
        raise GliosegError(
            f"{folder} holds nothing to read",
            expected=f"what 'glioseg predict' wrote ({RUN_RECORD}), or a folder in the dataset's layout",
            remedy="For masks alone, give the scans with --scans; predict a model's own data with --out-of-fold first",
        )
    cases = [_case(path.name, TifPatient(path), Facts()) for path in folders]
    return Cases(folder, by_need(cases), _BesideImages() if outlined else _Nothing())


def _case(patient: str, source: PatientSource | None, facts: Facts) -> ReviewCase:
    problem = None if source is not None else "The scan was not found. Give its folder with --scans."
    return ReviewCase(patient, source, facts, problem)


def _sources(
    paths: Sequence[Path], named: Mapping[str, str], names: Mapping[str, str] | None = None
) -> dict[str, PatientSource]:
    """By name of their results; which scan lies under which, records tell by the examination's key."""
    there = [path for path in paths if path.exists()]
    if not there and not (not paths and named.get("flair")):
        return {}
    sources = find_sources(there, named).sources
    called = [source.called((names or {}).get(source.examination.key, source.patient)) for source in sources]
    return {source.patient: source for source in called}


def _facts(result: KeptResult, *, has_candidate: bool) -> Facts:
    candidate = ("Something was found and taken for no tumour; it is shown dashed and can be taken.",)
    remarks = (*(candidate if has_candidate else ()), *(result.remarks or ()))
    return Facts(result.voxels, result.volume_ml, result.expected_dice, result.presence, remarks)
