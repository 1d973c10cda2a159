"""Which images of a BIDS data set are segmented: every FLAIR, each with the T1 of its session that fits it best."""

import math
from collections.abc import Collection, Sequence

from glioseg.bids.layout import BidsDataset, BidsPicture, BidsSession
from glioseg.bids.patient import BidsPatient
from glioseg.errors import GliosegError
from glioseg.formats.cases import Case
from glioseg.formats.nifti_header import open_nifti, read_header
from glioseg.formats.sequences import TITLES, sequence_of
from glioseg.patients.found import FoundPatients

_SUFFIXES = {"FLAIR": ("flair",), "T1w": ("pre", "post")}
_NOT_INTENSITIES = ("phase", "real", "imag")


def find_bids_patients(
    dataset: BidsDataset, subjects: Collection[str] = (), sessions: Collection[str] = ()
) -> FoundPatients:
    """Find what is to be segmented; a session without a FLAIR is a failure, a file that is not taken is left out.

    Args:
        dataset: The data set.
        subjects: As for :meth:`BidsDataset.sessions`.
        sessions: Likewise.

    Raises:
        GliosegError: As :meth:`BidsDataset.sessions`.
    """
    found = FoundPatients()
    for session in dataset.sessions(subjects, sessions):
        _find(dataset, session, found)
    return found


def _find(dataset: BidsDataset, session: BidsSession, found: FoundPatients) -> None:
    usable: dict[str, list[BidsPicture]] = {sequence: [] for sequence in TITLES}
    refused: list[str] = []
    for path in session.images():
        image = BidsPicture.parse(path)
        sequence = None if image is None else sequence_of(path.name)
        if image is None or sequence is None or (reason := _refusal(dataset, session, image, sequence)):
            reason = reason if image and sequence else "other images" if image else "without a BIDS name"
            found.leave_out([path], reason)
            refused.append(f"{path.name} ({reason})")
        else:
            usable[sequence].append(image)
    for flair in usable["flair"]:
        _add(dataset, flair, usable, found)
    if not usable["flair"]:
        others = [path for sequence in ("pre", "post") for path in usable[sequence]]
        error = GliosegError(
            "there is no FLAIR",
            expected=f"{session.name}_FLAIR.nii.gz in its folder anat",
            found="; ".join([image.path.name for image in others] + refused) or "no image",
        )
        found.fail(session.name, str(error), [image.path for image in others])


def _refusal(dataset: BidsDataset, session: BidsSession, image: BidsPicture, sequence: str) -> str:
    """Why an image of a sequence that is looked for is not taken, in the few words of a count; or nothing."""
    if dataset.is_ignored(image.path):
        return "named in .bidsignore"
    if not session.holds(image):
        return "named for another subject or session"
    if sequence not in _SUFFIXES.get(image.suffix, ()):
        return "named for two sequences" if image.suffix in _SUFFIXES else "other images"
    if image.entities.get("part") in _NOT_INTENSITIES:
        return "phase, real or imaginary part"
    return _form(image)


def _form(image: BidsPicture) -> str:
    """What is wrong with the shape that a header tells; one that cannot be read is told when the image is."""
    try:
        with open_nifti(image.path) as stream:
            shape = read_header(image.path, stream).get_data_shape()
    except (OSError, EOFError, GliosegError):
        return ""
    if math.prod(shape[3:]) != 1:
        return "several images in one file (4-D)"
    return "a single slice" if len(shape) < 3 or 1 in shape[:3] else ""


def _add(dataset: BidsDataset, flair: BidsPicture, usable: dict[str, list[BidsPicture]], found: FoundPatients) -> None:
    chosen, remarks = {"flair": flair}, list[str]()
    for sequence in ("pre", "post"):
        if alike := _nearest(flair, usable[sequence]):
            chosen[sequence] = alike[0]
            if len(alike) > 1:
                names = ", ".join(one.path.name for one in alike)
                remarks.append(f"of several {TITLES[sequence]} ({names}), {alike[0].path.name} is taken")
    files = {sequence: image.path for sequence, image in chosen.items()}
    if lost := [path.name for path in files.values() if not path.is_file()]:
        message = f"{lost[0]} links to nothing. Fetch its content first, as with 'datalad get'."
        found.fail(flair.stem, message, files.values())
        return
    found.add(BidsPatient(Case(flair.stem, files, tuple(remarks)), dataset=dataset), files.values())


def _nearest(flair: BidsPicture, candidates: Sequence[BidsPicture]) -> list[BidsPicture]:
    """The images of the FLAIR's run, acquisition and reconstruction, the first of these that tells them apart."""

    def likeness(one: BidsPicture) -> list[bool]:
        return [one.entities.get(key) == flair.entities.get(key) for key in ("run", "acq", "rec")]

    most = max(map(likeness, candidates), default=[])
    return [one for one in candidates if likeness(one) == most]
